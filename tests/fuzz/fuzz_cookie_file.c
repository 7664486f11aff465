/* SPDX-License-Identifier: MIT */
/* Cookie files. A file that is accepted is written and read again as the same; one that is refused
 * changes nothing, and its error names a line.
 */
#include <string.h>

#include "fuzz.h"
#include "io/http/cookie_file.h"
#include "io/http/cookie_suffix.h"
#include "io/http/header.h"

enum { NOW = 1700000000 };

static int parse(struct whorl_http_cookies *jar, const void *data, size_t len)
{
    struct whorl_error error = {0};
    char *text = malloc(len + 1);

    if (len > 0)
        memcpy(text, data, len);
    int err = cookie_file_parse(jar, text, len, NOW, "file", &error);
    FUZZ_CHECK(err == 0 || err == WHORL_EHTTP_COOKIE_FILE);
    FUZZ_CHECK(err == 0 || (strncmp(error.text, "file:", 5) == 0 && jar->count == 0));
    free(text);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct whorl_http_cookies *jar, *again;
    struct whorl_http_cookie c;
    char *text, *same;
    size_t text_len, same_len;

    FUZZ_CHECK(whorl_http_cookies_create(&jar) == 0);
    FUZZ_CHECK(whorl_http_cookies_create(&again) == 0);
    if (parse(jar, data, len) == 0) {
        for (size_t i = 0; cookie_jar_at(jar, i, &c); i++) {
            FUZZ_CHECK(header_is_value(c.name, strlen(c.name)));
            FUZZ_CHECK(header_is_value(c.value, strlen(c.value)));
            FUZZ_CHECK(c.host_only || !cookie_suffix_is_public(c.domain));
            FUZZ_CHECK(c.path[0] == '/' && c.expires_unix_s > NOW);
        }
        FUZZ_CHECK(cookie_file_make(jar, NOW, &text, &text_len) == 0);
        FUZZ_CHECK(parse(again, text, text_len) == 0);
        FUZZ_CHECK(again->count == jar->count);
        FUZZ_CHECK(cookie_file_make(again, NOW, &same, &same_len) == 0);
        FUZZ_CHECK(same_len == text_len && memcmp(same, text, text_len) == 0);
        free(same);
        free(text);
    }
    whorl_http_cookies_release(jar);
    whorl_http_cookies_release(again);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("a.test\tFALSE\t/\tFALSE\t0\tn\tv\n");
    SEED("# Netscape HTTP Cookie File\r\n\r\n.example.org\tTRUE\t/x\tTRUE\t1893456000\tn\tv\r\n");
    SEED("#HttpOnly_.example.org\tTRUE\t/x\tTRUE\t1893456000\tn\t\"a b\"\n"
         "1.2.3.4\tTRUE\t/\tFALSE\t0\tip\t1\n::1\tFALSE\t/\tFALSE\t0\tip\n");
    SEED("a.test\tFALSE\t/\tTRUE\t0\t__Host-h\t1\na.test\tFALSE\t/\tFALSE\t0\t\tonly value");
    SEED("a.test\tFALSE\t/\tFALSE\t1600000000\told\t1\na.test\tFALSE\t/\tFALSE\t0\told\t2");
    SEED(".co.uk\tTRUE\t/\tFALSE\t0\tn\tv");
    SEED("a.test\tFALSE\t/\tFALSE\t0\tn\tv\0w");
#undef SEED
}
