/* SPDX-License-Identifier: MIT */
/* Style sheets. Without replacements the bytes stay the same, and what is replaced is found again.
 */
#include <string.h>

#include "fuzz.h"
#include "tools/get/css.h"

static const char *count(void *arg, enum reference_kind kind, const char *text)
{
    FUZZ_CHECK(kind == REFERENCE_RESOURCE && *text);
    ++*(size_t *)arg;
    return NULL;
}

static const char *replace(void *arg, enum reference_kind kind, const char *text)
{
    count(arg, kind, text);
    return "a\"b'c)d\\e f";
}

static const char *expect(void *arg, enum reference_kind kind, const char *text)
{
    count(arg, kind, text);
    FUZZ_CHECK(strcmp(text, "a\"b'c)d\\e f") == 0);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    struct buffer same = {0}, other = {0};
    size_t found = 0, replaced = 0, again = 0;

    css_visit(text, len, count, &found, &same);
    FUZZ_CHECK(same.len == len && (len == 0 || memcmp(same.text, text, len) == 0));
    css_visit(text, len, replace, &replaced, &other);
    FUZZ_CHECK(replaced == found);
    css_visit(other.text, other.len, expect, &again, NULL);
    FUZZ_CHECK(again == found);
    buffer_finish(&same);
    buffer_finish(&other);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("@charset \"utf-8\"; @import 'a.css' screen; @import url(b.css); @namespace url(c);");
    SEED("a{b:url( c\\)d ) url(\"e\\\nf\") image-set('g' 1x, url(h) 2x)} /* url(i) */");
    SEED("a{b:url(c d) url('e\nf') url(g'h) u\\72l(i)} @media x{y{z:url(j");
    SEED("a[b='url(c)']{d:'e\\");
#undef SEED
}
