/* SPDX-License-Identifier: MIT */
/* The servers that are reached without a proxy: a list, a NUL, a host. A list never matches less
 * when an entry is added, and every host matches itself.
 */
#include <string.h>

#include "fuzz.h"
#include "io/http/no_proxy.h"
#include "io/url/host.h"

/* Whether `list`, with `more` added, matches; -1 when it is not a list. */
static int matches(const char *list, const char *more, const char *host, uint16_t port)
{
    struct no_proxy parsed = {0};
    struct whorl_error error = {0};
    char *text;
    int result = -1;

    FUZZ_CHECK(asprintf(&text, "%s,%s", list, more) >= 0);
    int err = no_proxy_parse(text, &error, &parsed);
    if (err) {
        FUZZ_CHECK(err == WHORL_EHTTP_PROXY_SETTING);
        FUZZ_CHECK(error.code == err && strcmp(error.step, "proxy") == 0);
        FUZZ_CHECK(strncmp(error.text, "no_proxy: ", 10) == 0);
        FUZZ_CHECK(!parsed.rules);
    } else {
        result = no_proxy_matches(&parsed, host, port);
    }
    no_proxy_finish(&parsed);
    free(text);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *list = malloc(len + 2);
    char own[URL_HOST_MAX + 10];
    struct url_host host;

    if (len > 0)
        memcpy(list, data, len);
    list[len] = list[len + 1] = '\0';
    const char *text = list + strlen(list) + 1;
    struct url_span span = {text, strlen(text)};
    bool is_v6 = strchr(text, ':') != NULL;
    if (strchr(text, '%') || url_host_read(&host, span, is_v6, NULL) != 0) {
        (void)matches(list, "", "a.test", 80);
        free(list);
        return 0;
    }
    int alone = matches(list, "", host.text, 80);
    if (alone >= 0) {
        FUZZ_CHECK(matches(list, "*", host.text, 80) == 1);
        FUZZ_CHECK(matches(list, host.text, host.text, 80) == 1);
        FUZZ_CHECK(matches(list, "x.test:1", host.text, 80) == alone);
        snprintf(own, sizeof own, "%s%s%s:81", is_v6 ? "[" : "", host.text, is_v6 ? "]" : "");
        FUZZ_CHECK(matches(list, own, host.text, 80) == alone);
        FUZZ_CHECK(matches(list, own, host.text, 81) == 1);
        if (!host.is_ip)
            FUZZ_CHECK(matches(list, "0.0.0.0/0,::/0", host.text, 80) == alone);
    }
    free(list);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("localhost,127.0.0.1,::1\0localhost");
    SEED("example.org, .b.test *.c.test\0www.example.org");
    SEED("10.0.0.0/8 192.168.128.0/17\00010.1.2.3");
    SEED("fe80::/10,[::1]:80\0fe80::1");
    SEED("::ffff:10.0.0.0/104\00010.1.2.3");
    SEED("a.test:80,1.2.3.4:81\0a.test");
    SEED("*\0a");
    SEED("xn--bcher-kva.example\0b\xc3\xbc"
         "cher.example.");
    SEED("1.2.3,a%41,a..b,:0,[::1\0a");
#undef SEED
}
