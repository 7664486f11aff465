/* SPDX-License-Identifier: MIT */
/* Content decoding: two bytes of settings, then a body. Given and taken in pieces of any size, it
 * decodes to the same bytes and verdict. A body that is encoded here decodes to the original.
 */
#include <stdbool.h>
#include <string.h>

#include <zlib.h>

#include <whorl/error.h>

#include "fuzz.h"
#include "io/http/decode.h"

enum { OUT_MAX = 1 << 20 };

static const char *const stacks[] = {
    "gzip", "deflate", "gzip, deflate", "deflate, gzip", "gzip, gzip, deflate", "identity",
    "br",   "",        "zstd",          "br, gzip",      "zstd, deflate",       "br2",
};

struct account {
    int verdict;
    uint64_t out_hash;
    size_t out_len;
};

static struct account decode(const char *stack, int64_t max, const uint8_t *data, size_t len,
                             size_t in_step, size_t out_step)
{
    struct account a = {.out_hash = 1};
    struct header_list headers = {0};
    struct decode d = {0};
    uint8_t *out = malloc(out_step);
    size_t pos = 0, used, made;

    FUZZ_CHECK(header_list_append(&headers, "Content-Encoding", stack) == 0);
    a.verdict = decode_init(&d, &headers, max);
    while (a.verdict >= 0) {
        size_t n = len - pos < in_step ? len - pos : in_step;
        a.verdict = decode_run(&d, data + pos, n, &used, out, out_step, &made);
        FUZZ_CHECK(used <= n && made <= out_step);
        FUZZ_CHECK(a.verdict || used || made || n == 0 || decode_has_paused(&d));
        pos += used;
        a.out_len += made;
        for (size_t i = 0; i < made; i++)
            a.out_hash = (a.out_hash ^ out[i]) * 1099511628211u;
        if (a.verdict == 0 && pos == len && made == 0 && !decode_has_paused(&d)) {
            a.verdict = decode_end(&d);
            break;
        }
    }
    FUZZ_CHECK(a.verdict <= 0);
    FUZZ_CHECK(a.verdict == 0 || decode_reason(&d)[0]);
    FUZZ_CHECK(a.out_len <= (size_t)max);
    FUZZ_CHECK((int64_t)a.out_len == d.decoded || a.verdict == WHORL_EHTTP_ENCODING_UNKNOWN);
    decode_finish(&d);
    header_list_finish(&headers);
    free(out);
    return a;
}

/* libbrotlidec and libzstd hold bytes back, which are lost when an error follows. How many depends
 * on the pieces. */
static void check_same(const struct account *a, const struct account *b)
{
    FUZZ_CHECK(a->verdict == b->verdict);
    if (a->verdict)
        return;
    FUZZ_CHECK(a->out_len == b->out_len);
    FUZZ_CHECK(a->out_hash == b->out_hash);
}

static size_t encode(int window, const uint8_t *data, size_t len, uint8_t *out, size_t cap)
{
    z_stream zs = {0};
    FUZZ_CHECK(deflateInit2(&zs, 1, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    zs.next_in = (z_const Bytef *)data;
    zs.avail_in = (uInt)len;
    zs.next_out = out;
    zs.avail_out = (uInt)cap;
    FUZZ_CHECK(deflate(&zs, Z_FINISH) == Z_STREAM_END);
    len = zs.total_out;
    deflateEnd(&zs);
    return len;
}

/* Encodes the body twice and checks that decoding returns it. */
static void check_round_trip(const uint8_t *data, size_t len)
{
    size_t cap = len + len / 100 + 1000;
    uint8_t *once = malloc(cap), *twice = malloc(cap);
    size_t once_len = encode(len % 2 ? 31 : 15, data, len, once, cap);
    size_t twice_len = encode(len % 3 ? -15 : 15, once, once_len, twice, cap);
    struct account a = decode(len % 2 ? "gzip, deflate" : "deflate, deflate", OUT_MAX, twice,
                              twice_len, 1 + len % 7, 1 + len % 11);
    struct account b = decode("identity", OUT_MAX, data, len, len + 1, len + 1);
    check_same(&a, &b);
    free(once);
    free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len < 2)
        return 0;
    const char *stack = stacks[data[0] % (sizeof stacks / sizeof *stacks)];
    int64_t max = data[0] & 64 ? data[1] + 1 : OUT_MAX;
    size_t in_step = 1 + data[1] % 16, out_step = 1 + data[1] / 16 * 5;

    data += 2;
    len -= 2;
    struct account whole = decode(stack, max, data, len, len + 1, 65536);
    struct account pieces = decode(stack, max, data, len, in_step, out_step + whole.out_len / 1000);
    check_same(&whole, &pieces);
    if (len < 4096)
        check_round_trip(data, len);
    return 0;
}

static void use_encoded(void (*use)(void *ctx, const void *seed, size_t len), void *ctx,
                        uint8_t stack, int window, int window_twice)
{
    static const char text[] = "hello, hello, hello, hello: whorl, whorl, whorl";
    uint8_t once[512], twice[512];
    size_t len = encode(window, (const uint8_t *)text, sizeof text - 1, once + 2, sizeof once - 2);

    once[0] = stack;
    once[1] = 0x5b;
    if (window_twice) {
        len = encode(window_twice, once + 2, len, twice + 2, sizeof twice - 2);
        memcpy(once + 2, twice + 2, len);
    }
    use(ctx, once, len + 2);
    once[0] |= 64;
    once[1] = 20;
    use(ctx, once, len + 2);
    memcpy(once + 2 + len, once + 2, len); /* two members, or bytes after the end */
    once[0] = stack;
    use(ctx, once, 2 + 2 * len);
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
    use_encoded(use, ctx, 0, 31, 0);
    use_encoded(use, ctx, 1, 15, 0);
    use_encoded(use, ctx, 1, -15, 0);
    use_encoded(use, ctx, 2, 31, 15);
    use_encoded(use, ctx, 3, -15, 31);
    use(ctx, "\5\0identity", 10);
    use(ctx, "\6\0br", 4);
    use(ctx,
        "\6\0\x1b\x2e\x00\x00\xc4\x31\x8e\xf4\x7c\xa0\x91\x86\xeb\x5a\xce\x3c\x06\x99\xa6\x12\xaf"
        "\xd3\x47\xa0\x70\x77\x21",
        29);
    use(ctx, "\x8\0\x28\xb5\x2f\xfd\0\x58\x11\0\0hi", 13);
    use(ctx, "\x8\0\x50\x2a\x4d\x18\2\0\0\0hi", 12);
    use(ctx, "\x9\0\x1f\x8b", 4);
}
