/* SPDX-License-Identifier: MIT */
/* Netrc files. What is parsed stays inside the text, every entry can be found, and an error names a
 * line of the file. */
#include <string.h>

#include <whorl/error.h>

#include "fuzz.h"
#include "io/http/netrc.h"

static void check_inside(const struct netrc *n, const char *text)
{
    FUZZ_CHECK(text >= n->text && text + strlen(text) <= n->text + n->text_len);
}

static void check_entry(const struct netrc *n, const struct netrc_entry *e)
{
    const char *host = e->machine ? e->machine : "elsewhere";

    if (e->machine)
        check_inside(n, e->machine);
    if (e->password)
        check_inside(n, e->password);
    if (!e->login)
        return;
    check_inside(n, e->login);
    const struct netrc_entry *found = netrc_find(n, host, e->login, true);
    FUZZ_CHECK(found && found <= e && strcmp(found->login, e->login) == 0);
    FUZZ_CHECK(netrc_find(n, host, NULL, true) <= found);
    FUZZ_CHECK(e->machine || !netrc_find(n, "\x01", NULL, false) ||
               netrc_find(n, "\x01", NULL, false)->machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct netrc netrc = {0};
    struct whorl_error error = {0};
    size_t lines = 1;
    int line;

    int err = netrc_parse(len > 0 ? (const char *)data : "", len, &error, &netrc);
    for (size_t i = 0; i < len; i++)
        lines += data[i] == '\n';
    if (err) {
        FUZZ_CHECK(err == WHORL_EHTTP_NETRC && error.code == err && !netrc.entries);
        if (sscanf(error.text, "line %d:", &line) == 1)
            FUZZ_CHECK(line >= 1 && (size_t)line <= lines);
        return 0;
    }
    for (size_t i = 0; i < netrc.count; i++)
        check_entry(&netrc, &netrc.entries[i]);
    netrc_finish(&netrc);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("machine example.org login me password \"a \\\"quoted\\\" word\"\n"
         "default login anonymous password guest\n");
    SEED("# comment\nmachine a\n\tlogin b\n\tpassword #c\n\taccount d\r\n");
    SEED("macdef init\ncd /pub\nbin\n\nmachine a login b password c");
    SEED("machine a login \"b\\n\\r\\t\\\\\" password\n\nc machine a login d");
    SEED("machine a login \"b\nc\"");
    SEED("default password x");
#undef SEED
}
