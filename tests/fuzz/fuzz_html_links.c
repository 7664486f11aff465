/* SPDX-License-Identifier: MIT */
/* HTML pages. Without replacements the bytes stay the same. After all references were replaced, all
 * that are found are the replacement.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "tools/get/html.h"

static const char other_text[] = "a&b(c),e";

static const char *count(void *arg, enum reference_kind kind, const char *text)
{
    FUZZ_CHECK(kind <= REFERENCE_NOFOLLOW && (*text || kind == REFERENCE_NOFOLLOW));
    ++*(size_t *)arg;
    return NULL;
}

static const char *replace(void *arg, enum reference_kind kind, const char *text)
{
    count(arg, kind, text);
    return kind == REFERENCE_NOFOLLOW ? NULL : other_text;
}

static const char *expect(void *arg, enum reference_kind kind, const char *text)
{
    count(arg, kind, text);
    FUZZ_CHECK(kind == REFERENCE_NOFOLLOW || strcmp(text, other_text) == 0 ||
               strcmp(text, "a&b(c)%2Ce") == 0); /* in srcset */
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    struct buffer same = {0}, other = {0};
    size_t found = 0, replaced = 0, again = 0;

    int err = html_visit(text, len, count, &found, &same);
    FUZZ_CHECK(err == 0 || err == -E2BIG);
    if (err == 0) {
        FUZZ_CHECK(same.len == len && (len == 0 || memcmp(same.text, text, len) == 0));
        FUZZ_CHECK(html_visit(text, len, replace, &replaced, &other) == 0);
        FUZZ_CHECK(replaced == found);
        FUZZ_CHECK(html_visit(other.text ? other.text : "", other.len, expect, &again, NULL) == 0);
    }
    buffer_finish(&same);
    buffer_finish(&other);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED(
        "<!doctype html><base href='http://h/'><a href=a>b</a><img src=\"c\" srcset='d 1x, e 2x'>");
    SEED("<meta http-equiv=refresh content='0; url=a'><meta name=robots content=nofollow>");
    SEED("<style>@import 'a'; b{c:url(d)}</style><p style='x:url(\"e\")'>");
    SEED("<svg><a xlink:href=a></a><image href=b /><style>x{y:url(z)}</style></svg>");
    SEED("<p><a href=a><table><a href=b></p><b><i></b></i><template><img src=c></template>");
    SEED("<link rel=stylesheet href=a><iframe src='&#x61;&amp;'></iframe><object data=\xe9>");
#undef SEED
}
