/* SPDX-License-Identifier: MIT */
/* A robots.txt: its text, a NUL, and a path. The answer does not depend on how the letters of the
 * path are spelled.
 */
#include <ctype.h>
#include <string.h>

#include "fuzz.h"
#include "tools/get/robots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data, *nul = memchr(data, '\0', len);
    size_t text_len = nul ? (size_t)(nul - text) : len;
    struct buffer path = {0}, encoded = {0};
    struct robots robots = {0};

    buffer_printf(&path, "/");
    if (nul)
        buffer_add(&path, nul + 1, len - text_len - 1);
    for (const char *p = path.text; *p; p++) {
        if (isalnum((unsigned char)*p) && !(p > path.text && p[-1] == '%') &&
            !(p > path.text + 1 && p[-2] == '%'))
            buffer_printf(&encoded, "%%%02x", (unsigned char)*p);
        else
            buffer_add(&encoded, p, 1);
    }
    FUZZ_CHECK(robots_parse(text, text_len, "whorl-get", &robots) == 0);
    FUZZ_CHECK(robots_allows(&robots, path.text) == robots_allows(&robots, encoded.text) ||
               strcmp(path.text, "/robots.txt") == 0);
    robots_finish(&robots);
    buffer_finish(&path);
    buffer_finish(&encoded);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("User-agent: *\nDisallow: /a*b$\nAllow: /%61\0abc");
    SEED("User-agent: whorl-get\nUser-agent: x\n\nDisallow: *?\nSitemap: a\nAllow: "
         "/*.gif$\0a.gif?b");
    SEED("Disallow: /\nUser-Agent: * # all\rallow:\r\ndisallow: /\xc3\xa9%2a$\0%c3%A9*");
#undef SEED
}
