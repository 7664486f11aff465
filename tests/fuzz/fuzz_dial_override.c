/* SPDX-License-Identifier: MIT */
/* Overrides of dialling: an override, a NUL, a host. A valid override applies to its own host and
 * port only, except one for every host.
 */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "io/net/dial_override.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 2);
    struct whorl_addr addrs[4], literal;
    const char *why = NULL;

    FUZZ_CHECK(text);
    if (len > 0)
        memcpy(text, data, len);
    text[len] = text[len + 1] = '\0';
    const char *host = text + strlen(text) + 1;
    if (host > text + len)
        host = "";
    int count = dial_override_parse(text, &why, addrs, 4);
    FUZZ_CHECK(count == -EINVAL ? why != NULL : count >= 1 && count <= 4);
    for (int i = 0; i < count; i++)
        FUZZ_CHECK(whorl_addr_port(&addrs[i]) > 0);
    const char *list[] = {text, "a.test:80:127.0.0.1"};
    const char *found = dial_override_find(list, 1, host, 80);
    if (count > 0) {
        uint16_t port = whorl_addr_port(addrs);
        char *own = strdup(text[0] == '[' ? text + 1 : text);
        FUZZ_CHECK(own);
        own[strcspn(own, text[0] == '[' ? "]" : ":")] = '\0';
        FUZZ_CHECK(dial_override_find(list, 2, own, port) == list[0]);
        FUZZ_CHECK(!dial_override_find(list, 1, own, (uint16_t)(port ^ 1)));
        FUZZ_CHECK(!found || port == 80);
        if (found && own[0] != '*' && whorl_addr_parse(own, 0, &literal) != 0)
            FUZZ_CHECK(strncasecmp(own, host, strcspn(own, ".")) == 0);
        free(own);
    }
    free(text);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("example.org:80:127.0.0.1\0example.org");
    SEED("A.test.:443:127.0.0.1,::1,[::2]\0a.TEST");
    SEED("*:80:fe80::1%lo\0b.test");
    SEED("[2001:db8::1]:80:[::1]\0002001:db8:0::1");
    SEED("10.0.0.1:65535:10.0.0.2\00010.0.0.1");
    SEED("a:0:127.0.0.1\0a");
    SEED("[::1:80:127.0.0.1,,\0::1");
#undef SEED
}
