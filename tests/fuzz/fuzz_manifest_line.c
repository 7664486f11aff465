/* SPDX-License-Identifier: MIT */
/* A line of a manifest. What can be read is safe, and is the same after it was written. */
#include <string.h>

#include "fuzz.h"
#include "tools/get/buffer.h"
#include "tools/get/manifest_line.h"

static void check_same(const char *a, const char *b)
{
    FUZZ_CHECK(!a == !b && (!a || strcmp(a, b) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char why[MANIFEST_WHY_SIZE];
    struct manifest_line line, back;
    struct buffer text = {0};

    if (manifest_line_read(&line, (const char *)data, len, why)) {
        FUZZ_CHECK(why[0]);
        for (const char *p = why; *p; p++)
            FUZZ_CHECK((unsigned char)*p >= ' ' && *p != 0x7f);
        return 0;
    }
    FUZZ_CHECK(manifest_is_safe(line.file) && strlen(line.sha256) == 64 && line.size >= 0);
    FUZZ_CHECK(!line.etag || !strpbrk(line.etag, "\r\n"));
    FUZZ_CHECK(!line.modified || !strpbrk(line.modified, "\r\n"));
    manifest_line_write(&text, &line);
    FUZZ_CHECK(memchr(text.text, '\n', text.len) == text.text + text.len - 1);
    FUZZ_CHECK(manifest_line_read(&back, text.text, text.len, why) == 0);
    check_same(line.file, back.file);
    check_same(line.sha256, back.sha256);
    check_same(line.etag, back.etag);
    check_same(line.modified, back.modified);
    check_same(line.fetched, back.fetched);
    FUZZ_CHECK(line.size == back.size && line.mtime_ns == back.mtime_ns);
    manifest_line_finish(&back);
    manifest_line_finish(&line);
    buffer_finish(&text);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define HASH       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("{\"url\":\"http://me:x@h/a\",\"final_url\":null,\"file\":\"d/a\",\"size\":17,"
         "\"sha256\":\"" HASH "\",\"etag\":\"W/\\\"x\\\"\","
         "\"last_modified\":\"Sun, 06 Nov 1994 08:49:37 GMT\",\"mtime\":\"1.000000001\","
         "\"fetched\":\"2026-11-30T10:00:00Z\"}");
    SEED("{\"url\":\"u\",\"file\":\"\\u00e9/../x\",\"size\":0,\"sha256\":\"" HASH "\"}");
    SEED("{\"url\":\"u\",\"file\":\"f\",\"file\":\"g\",\"size\":1e3,\"sha256\":\"" HASH "\"}");
#undef SEED
#undef HASH
}
