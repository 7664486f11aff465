/* SPDX-License-Identifier: MIT */
/* Content decoding: each vector is given and taken in pieces of every size, and must always give
 * the same outcome.
 */
#include <stdlib.h>

#include <zlib.h>
#ifdef WHORL_WITH_ZSTD
#include <zstd.h>
#endif

#include "faults.h"
#include "io/http/decode.h"
#include "test.h"

struct bytes {
    uint8_t *data;
    size_t len;
};

enum { RAW = -15, ZLIB = 15, GZIP = 31 };

/* Compresses into fresh memory. */
static struct bytes compress_as(int window, const void *data, size_t len)
{
    z_stream zs = {0};
    CHECK_EQ(deflateInit2(&zs, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
    struct bytes b = {malloc(deflateBound(&zs, len) + 64), 0};
    zs.next_in = (Bytef *)data;
    zs.avail_in = (uInt)len;
    zs.next_out = b.data;
    zs.avail_out = (uInt)deflateBound(&zs, len) + 64;
    CHECK_EQ(deflate(&zs, Z_FINISH), Z_STREAM_END);
    b.len = zs.total_out;
    deflateEnd(&zs);
    return b;
}

static struct bytes join(struct bytes a, struct bytes b)
{
    a.data = realloc(a.data, a.len + b.len + 1);
    memcpy(a.data + a.len, b.data, b.len);
    a.len += b.len;
    free(b.data);
    return a;
}

/* Appends to `b`, which has room for `*capacity` bytes. The room doubles when it is full. */
static void append(struct bytes *b, size_t *capacity, const void *data, size_t len)
{
    if (*capacity < b->len + len + 1) {
        *capacity = 2 * (b->len + len + 1);
        b->data = realloc(b->data, *capacity);
    }
    memcpy(b->data + b->len, data, len);
    b->len += len;
}

struct outcome {
    int init, err;
    struct bytes out;
};

/* Decodes `in`, which is given in pieces of `in_step` and taken in pieces of `out_step`. */
static struct outcome decode_all(const char *const *encodings, int64_t max, struct bytes in,
                                 size_t in_step, size_t out_step)
{
    struct header_list headers = {0};
    struct decode d = {0};
    struct outcome o = {0};
    size_t capacity = 0; /* of o.out */
    uint8_t *out = malloc(out_step);

    for (; *encodings; encodings++)
        CHECK_OK(header_list_append(&headers, "content-encoding", *encodings));
    o.init = decode_init(&d, &headers, max);
    header_list_finish(&headers);
    if (o.init < 0) {
        o.err = o.init;
        CHECK(decode_reason(&d)[0]);
        decode_finish(&d);
        free(out);
        return o;
    }
    for (size_t pos = 0;; pos += in_step) {
        size_t n = pos < in.len ? in.len - pos : 0, used, out_len;
        n = n < in_step ? n : in_step;
        bool is_end = n == 0;
        /* Exact size, so that a read past the end is detected. */
        uint8_t *piece = malloc(n ? n : 1), *at = piece;
        if (n > 0)
            memcpy(piece, in.data + pos, n);
        do {
            o.err = decode_run(&d, at, n, &used, out, out_step, &out_len);
            CHECK(used <= n);
            CHECK(out_len <= out_step);
            at += used;
            n -= used;
            append(&o.out, &capacity, out, out_len);
            CHECK(o.err || used || out_len || n == 0 || decode_has_paused(&d));
        } while (o.err == 0 && (n > 0 || out_len > 0 || decode_has_paused(&d)));
        free(piece);
        if (o.err || is_end)
            break;
    }
    if (o.err == 0)
        o.err = decode_end(&d);
    if (o.err) {
        size_t used, out_len;
        CHECK(decode_reason(&d)[0]);
        CHECK_ERR(decode_run(&d, "x", 1, &used, out, 1, &out_len), o.err);
        CHECK_EQ(used + out_len, 0);
        CHECK_ERR(decode_end(&d), o.err);
    }
    decode_finish(&d);
    free(out);
    return o;
}

static const size_t steps[] = {1, 2, 3, 7, 64, 1000, 16384, 1000000};
enum { STEPS = sizeof steps / sizeof *steps };

/* Consumes `in`. */
static void expect(int line, const char *const *encodings, int64_t max, struct bytes in, int err,
                   const void *expected, size_t expected_len)
{
    for (size_t i = 0; i < STEPS; i++) {
        for (size_t j = 0; j < STEPS; j++) {
            if (in.len / steps[i] + expected_len / steps[j] > 20000)
                continue;
            struct outcome o = decode_all(encodings, max, in, steps[i], steps[j]);
            if (o.err != err)
                test_fail(__FILE__, line, "steps %zu, %zu: %s, expected %s", steps[i], steps[j],
                          whorl_error_name(o.err), whorl_error_name(err));
            if (expected && (o.out.len != expected_len ||
                             (expected_len && memcmp(o.out.data, expected, expected_len) != 0)))
                test_fail(__FILE__, line, "steps %zu, %zu: %zu bytes, expected %zu", steps[i],
                          steps[j], o.out.len, expected_len);
            free(o.out.data);
        }
    }
    free(in.data);
}

#define LIST(...)         \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

static const char text[] = "hello, hello, hello, hello: whorl, whorl, whorl";
enum { TEXT_LEN = sizeof text - 1 };

/* Returns bytes that can hardly be compressed. */
static uint8_t *noise(size_t len)
{
    uint8_t *data = malloc(len);
    uint32_t x = 12345;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (uint8_t)(x >> 24);
    }
    return data;
}

static struct bytes copy(const void *data, size_t len)
{
    struct bytes b = {malloc(len + 1), len};
    memcpy(b.data, data, len);
    return b;
}

TEST(decode_gzip)
{
    expect(__LINE__, LIST("gzip"), 0, compress_as(GZIP, text, TEXT_LEN), 0, text, TEXT_LEN);
    expect(__LINE__, LIST("GZip"), 0, compress_as(GZIP, text, TEXT_LEN), 0, text, TEXT_LEN);
    expect(__LINE__, LIST("x-gzip"), 0, compress_as(GZIP, text, TEXT_LEN), 0, text, TEXT_LEN);
    expect(__LINE__, LIST("gzip"), 0, compress_as(GZIP, "", 0), 0, "", 0);
}

TEST(decode_deflate_with_and_without_zlib_header)
{
    expect(__LINE__, LIST("deflate"), 0, compress_as(ZLIB, text, TEXT_LEN), 0, text, TEXT_LEN);
    expect(__LINE__, LIST("deflate"), 0, compress_as(RAW, text, TEXT_LEN), 0, text, TEXT_LEN);
    expect(__LINE__, LIST("deflate"), 0, compress_as(ZLIB, "", 0), 0, "", 0);
    expect(__LINE__, LIST("deflate"), 0, compress_as(RAW, "", 0), 0, "", 0); /* two bytes */
}

/* All window sizes of zlib's header, whose first byte contains the size. */
TEST(decode_deflate_knows_every_zlib_window)
{
    for (int window = 9; window <= 15; window++) {
        expect(__LINE__, LIST("deflate"), 0, compress_as(window, text, TEXT_LEN), 0, text,
               TEXT_LEN);
        expect(__LINE__, LIST("deflate"), 0, compress_as(-window, text, TEXT_LEN), 0, text,
               TEXT_LEN);
    }
}

TEST(decode_large_bodies)
{
    size_t len = 300000;
    uint8_t *data = noise(len);
    expect(__LINE__, LIST("gzip"), 0, compress_as(GZIP, data, len), 0, data, len);
    memset(data, 'a', len);
    expect(__LINE__, LIST("deflate"), 0, compress_as(ZLIB, data, len), 0, data, len);
    free(data);
}

TEST(decode_gzip_members_follow_one_another)
{
    struct bytes three = join(join(compress_as(GZIP, text, 10), compress_as(GZIP, "", 0)),
                              compress_as(GZIP, text + 10, TEXT_LEN - 10));
    expect(__LINE__, LIST("gzip"), 0, three, 0, text, TEXT_LEN);
}

TEST(decode_nothing_passes_bytes_through)
{
    struct header_list none = {0};
    struct decode d;
    CHECK_EQ(decode_init(&d, &none, 0), 0);
    decode_finish(&d);
    expect(__LINE__, LIST("identity"), 0, copy(text, TEXT_LEN), 0, text, TEXT_LEN);
    expect(__LINE__, LIST(""), 0, copy(text, TEXT_LEN), 0, text, TEXT_LEN);
    expect(__LINE__, LIST(", ,"), 0, copy(text, TEXT_LEN), 0, text, TEXT_LEN);
    expect(__LINE__, LIST("identity"), 5, copy(text, TEXT_LEN), WHORL_EHTTP_BODY_TOO_LARGE, text,
           5);
}

TEST(decode_undoes_stacked_codings_in_reverse)
{
    struct bytes inner = compress_as(GZIP, text, TEXT_LEN);
    struct bytes outer = compress_as(ZLIB, inner.data, inner.len);
    struct bytes third = compress_as(GZIP, outer.data, outer.len);
    expect(__LINE__, LIST("gzip, deflate"), 0, copy(outer.data, outer.len), 0, text, TEXT_LEN);
    expect(__LINE__, LIST("gzip", "identity, deflate"), 0, copy(outer.data, outer.len), 0, text,
           TEXT_LEN);
    expect(__LINE__, LIST("gzip,deflate , x-gzip"), 0, copy(third.data, third.len), 0, text,
           TEXT_LEN);
    expect(__LINE__, LIST("deflate, gzip"), 0, copy(outer.data, outer.len), WHORL_EHTTP_ENCODING,
           NULL, 0);
    free(inner.data);
    free(outer.data);
    free(third.data);
}

TEST(decode_stacked_large_bodies)
{
    size_t len = 200000;
    uint8_t *data = noise(len);
    memset(data + 50000, 'x', 100000);
    struct bytes inner = compress_as(RAW, data, len);
    expect(__LINE__, LIST("deflate, gzip"), 0, compress_as(GZIP, inner.data, inner.len), 0, data,
           len);
    free(inner.data);
    free(data);
}

TEST(decode_refuses_unknown_codings)
{
    static const char *const codings[] = {
        "dcb",      "br2",       "compress", "gzip;q=1",  "gzipx",
        "\"gzip\"", "gzip gzip", "x",        "gzip, dcz", "averyveryverylongnameofacoding"};
    for (size_t i = 0; i < sizeof codings / sizeof *codings; i++)
        expect(__LINE__, LIST(codings[i]), 0, copy(text, TEXT_LEN), WHORL_EHTTP_ENCODING_UNKNOWN,
               NULL, 0);
}

TEST(decode_refuses_a_sixth_layer)
{
    expect(__LINE__, LIST("gzip, gzip, gzip, gzip", "gzip, gzip"), 0, copy("", 0),
           WHORL_EHTTP_ENCODING_UNKNOWN, NULL, 0);
    expect(__LINE__, LIST("gzip, gzip", "gzip", "gzip", "gzip"), 0, copy("", 0), 0, "", 0);
}

TEST(decode_an_empty_body_is_empty)
{
    expect(__LINE__, LIST("gzip"), 0, copy("", 0), 0, "", 0);
    expect(__LINE__, LIST("deflate"), 0, copy("", 0), 0, "", 0);
}

TEST(decode_refuses_truncation_at_every_byte)
{
    static const int windows[] = {GZIP, ZLIB, RAW};
    for (size_t w = 0; w < 3; w++) {
        struct bytes whole = compress_as(windows[w], text, TEXT_LEN);
        for (size_t len = 1; len < whole.len; len++)
            expect(__LINE__, LIST(windows[w] == GZIP ? "gzip" : "deflate"), 0,
                   copy(whole.data, len), WHORL_EHTTP_ENCODING, NULL, 0);
        free(whole.data);
    }
}

TEST(decode_refuses_truncation_within_the_inner_layer)
{
    struct bytes inner = compress_as(GZIP, text, TEXT_LEN);
    expect(__LINE__, LIST("gzip, deflate"), 0, compress_as(ZLIB, inner.data, inner.len - 1),
           WHORL_EHTTP_ENCODING, text, TEXT_LEN);
    free(inner.data);
}

TEST(decode_refuses_a_truncated_second_member)
{
    struct bytes two = join(compress_as(GZIP, text, 10), compress_as(GZIP, text, TEXT_LEN));
    struct bytes one = compress_as(GZIP, text, 10);
    for (size_t len = one.len + 1; len < two.len; len++)
        expect(__LINE__, LIST("gzip"), 0, copy(two.data, len), WHORL_EHTTP_ENCODING, NULL, 0);
    free(one.data);
    free(two.data);
}

TEST(decode_refuses_bytes_behind_the_end)
{
    static const char *const tails[] = {"x",        "\n",       "\x1f",
                                        "\x1f\x8b", "\x1f\x8c", "trailing garbage"};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        expect(__LINE__, LIST("gzip"), 0,
               join(compress_as(GZIP, text, TEXT_LEN), copy(tails[i], strlen(tails[i]))),
               WHORL_EHTTP_ENCODING, text, TEXT_LEN);
        expect(__LINE__, LIST("deflate"), 0,
               join(compress_as(ZLIB, text, TEXT_LEN), copy(tails[i], strlen(tails[i]))),
               WHORL_EHTTP_ENCODING, text, TEXT_LEN);
        expect(__LINE__, LIST("deflate"), 0,
               join(compress_as(RAW, text, TEXT_LEN), copy(tails[i], strlen(tails[i]))),
               WHORL_EHTTP_ENCODING, text, TEXT_LEN);
    }
    expect(__LINE__, LIST("gzip"), 0, join(compress_as(GZIP, text, TEXT_LEN), copy("\0\0", 2)),
           WHORL_EHTTP_ENCODING, text, TEXT_LEN);
}

TEST(decode_refuses_damage)
{
    struct bytes gzip = compress_as(GZIP, text, TEXT_LEN), zlib = compress_as(ZLIB, text, TEXT_LEN);
    gzip.data[gzip.len - 6] ^= 1; /* the checksum */
    expect(__LINE__, LIST("gzip"), 0, gzip, WHORL_EHTTP_ENCODING, NULL, 0);
    gzip = compress_as(GZIP, text, TEXT_LEN);
    gzip.data[gzip.len - 1] ^= 1; /* the length */
    expect(__LINE__, LIST("gzip"), 0, gzip, WHORL_EHTTP_ENCODING, NULL, 0);
    zlib.data[zlib.len - 1] ^= 1;
    expect(__LINE__, LIST("deflate"), 0, zlib, WHORL_EHTTP_ENCODING, NULL, 0);
    expect(__LINE__, LIST("gzip"), 0, copy(text, TEXT_LEN), WHORL_EHTTP_ENCODING, NULL, 0);
    expect(__LINE__, LIST("gzip"), 0, compress_as(ZLIB, text, TEXT_LEN), WHORL_EHTTP_ENCODING, NULL,
           0);
    expect(__LINE__, LIST("deflate"), 0, copy("\xff\xff\xff\xff", 4), WHORL_EHTTP_ENCODING, NULL,
           0);
    /* RFC 1950 §2.2: a preset dictionary */
    expect(__LINE__, LIST("deflate"), 0, copy("\x78\xbb\0\0\0\1\3\0", 8), WHORL_EHTTP_ENCODING,
           NULL, 0);
}

TEST(decode_bounds_what_comes_out)
{
    size_t len = 1000000;
    uint8_t *data = calloc(len, 1);
    struct bytes bomb = compress_as(GZIP, data, len);
    CHECK(bomb.len < 2000);
    expect(__LINE__, LIST("gzip"), 5000, copy(bomb.data, bomb.len), WHORL_EHTTP_BODY_TOO_LARGE,
           data, 5000);
    expect(__LINE__, LIST("gzip, deflate"), 5000, compress_as(ZLIB, bomb.data, bomb.len),
           WHORL_EHTTP_BODY_TOO_LARGE, data, 5000);
    /* Exactly the limit is allowed, and the end of the data is still checked. */
    expect(__LINE__, LIST("gzip"), TEXT_LEN, compress_as(GZIP, text, TEXT_LEN), 0, text, TEXT_LEN);
    expect(__LINE__, LIST("gzip"), TEXT_LEN - 1, compress_as(GZIP, text, TEXT_LEN),
           WHORL_EHTTP_BODY_TOO_LARGE, text, TEXT_LEN - 1);
    struct bytes cut = compress_as(GZIP, text, TEXT_LEN);
    cut.len--;
    expect(__LINE__, LIST("gzip"), TEXT_LEN, cut, WHORL_EHTTP_ENCODING, text, TEXT_LEN);
    free(bomb.data);
    free(data);
}

TEST(decode_that_is_refused_frees_the_layers_it_has_made)
{
    struct header_list headers = {0};
    CHECK_OK(header_list_append(&headers, "Content-Encoding", "gzip, gzip, gzip, other"));
    long before = faults_live();
    for (int i = 0; i < 10; i++) {
        struct decode d = {0};
        CHECK_ERR(decode_init(&d, &headers, 0), WHORL_EHTTP_ENCODING_UNKNOWN);
        CHECK(decode_reason(&d)[0]);
    }
    CHECK_EQ(faults_live(), before);
    header_list_finish(&headers);
}

/* --- br --------------------------------------------------------------------------------------- */

#ifdef WHORL_WITH_BROTLI
/* Made with BrotliEncoderCompress(): `text`, and 300,000 times the letter a. */
static const char br_text[] = "\x1b\x2e\x00\x00\xc4\x31\x8e\xf4\x7c\xa0\x91\x86\xeb\x5a"
                              "\xce\x3c\x06\x99\xa6\x12\xaf\xd3\x47\xa0\x70\x77\x21";
static const char br_letters[] = "\x5b\xdf\x93\x04\x40\x22\x2c\x1e\x0b\x24\x73\x91\x00";
enum { BR_TEXT_LEN = sizeof br_text - 1, BR_LETTERS_LEN = sizeof br_letters - 1 };

TEST(decode_br)
{
    size_t len = 300000;
    char *letters = malloc(len);
    memset(letters, 'a', len);
    expect(__LINE__, LIST("br"), 0, copy(br_text, BR_TEXT_LEN), 0, text, TEXT_LEN);
    expect(__LINE__, LIST("BR"), 0, copy("\6", 1), 0, "", 0);
    expect(__LINE__, LIST("br"), 0, copy("", 0), 0, "", 0);
    expect(__LINE__, LIST("br"), 0, copy(br_letters, BR_LETTERS_LEN), 0, letters, len);
    expect(__LINE__, LIST("br"), 5000, copy(br_letters, BR_LETTERS_LEN), WHORL_EHTTP_BODY_TOO_LARGE,
           letters, 5000);
    expect(__LINE__, LIST("br, gzip"), 0, compress_as(GZIP, br_text, BR_TEXT_LEN), 0, text,
           TEXT_LEN);
    free(letters);
}

TEST(decode_br_refuses_truncation_damage_and_bytes_behind_the_end)
{
    for (size_t len = 1; len < BR_TEXT_LEN; len++)
        expect(__LINE__, LIST("br"), 0, copy(br_text, len), WHORL_EHTTP_ENCODING, NULL, 0);
    expect(__LINE__, LIST("br"), 0, join(copy(br_text, BR_TEXT_LEN), copy("x", 1)),
           WHORL_EHTTP_ENCODING, text, TEXT_LEN);
    expect(__LINE__, LIST("br"), 0, join(copy(br_text, BR_TEXT_LEN), copy(br_text, BR_TEXT_LEN)),
           WHORL_EHTTP_ENCODING, text, TEXT_LEN);
    /* a window of more than 16 MiB */
    expect(__LINE__, LIST("br"), 0, copy("\x11", 1), WHORL_EHTTP_ENCODING, NULL, 0);
    /* The coding has no checksum, but a reserved bit that must be 0. */
    expect(__LINE__, LIST("br"), 0, copy("\x0c\xff\xff\xff\xff", 5), WHORL_EHTTP_ENCODING, NULL, 0);
}
#else
TEST(decode_without_libbrotlidec_refuses_br)
{
    expect(__LINE__, LIST("br"), 0, copy("\6", 1), WHORL_EHTTP_ENCODING_UNKNOWN, NULL, 0);
    CHECK(!strstr(decode_accepted(), "br"));
}
#endif

/* --- zstd ------------------------------------------------------------------------------------- */

#ifdef WHORL_WITH_ZSTD
static struct bytes compress_zstd(const void *data, size_t len, int window_log)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    struct bytes b = {malloc(ZSTD_compressBound(len) + 1), 0};
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_log);
    b.len = ZSTD_compress2(context, b.data, ZSTD_compressBound(len), data, len);
    CHECK(!ZSTD_isError(b.len));
    ZSTD_freeCCtx(context);
    return b;
}

TEST(decode_zstd)
{
    size_t len = 300000;
    uint8_t *data = noise(len);
    expect(__LINE__, LIST("zstd"), 0, compress_zstd(text, TEXT_LEN, 0), 0, text, TEXT_LEN);
    expect(__LINE__, LIST("zstd"), 0, compress_zstd("", 0, 0), 0, "", 0);
    expect(__LINE__, LIST("zstd"), 0, copy("", 0), 0, "", 0);
    expect(__LINE__, LIST("zstd"), 0, compress_zstd(data, len, 0), 0, data, len);
    memset(data, 'a', len);
    expect(__LINE__, LIST("zstd"), 0, compress_zstd(data, len, 0), 0, data, len);
    expect(__LINE__, LIST("zstd"), 5000, compress_zstd(data, len, 0), WHORL_EHTTP_BODY_TOO_LARGE,
           data, 5000);
    struct bytes inner = compress_zstd(text, TEXT_LEN, 0);
    struct bytes middle = compress_as(ZLIB, inner.data, inner.len);
    expect(__LINE__, LIST("zstd, deflate, zstd"), 0, compress_zstd(middle.data, middle.len, 0), 0,
           text, TEXT_LEN);
    free(middle.data);
    free(inner.data);
    free(data);
}

/* RFC 8878 §3: a stream has one or more frames, and §3.1.2: some of them are skipped. */
TEST(decode_zstd_frames_follow_one_another)
{
    struct bytes skipped = copy("\x5a\x2a\x4d\x18\3\0\0\0xyz", 11);
    expect(
        __LINE__, LIST("zstd"), 0,
        join(compress_zstd(text, 10, 0), join(skipped, compress_zstd(text + 10, TEXT_LEN - 10, 0))),
        0, text, TEXT_LEN);
}

TEST(decode_zstd_refuses_truncation_damage_and_bytes_behind_the_end)
{
    struct bytes whole = compress_zstd(text, TEXT_LEN, 0);
    for (size_t len = 1; len < whole.len; len++)
        expect(__LINE__, LIST("zstd"), 0, copy(whole.data, len), WHORL_EHTTP_ENCODING, NULL, 0);
    expect(__LINE__, LIST("zstd"), 0, join(copy(whole.data, whole.len), copy("x", 1)),
           WHORL_EHTTP_ENCODING, text, TEXT_LEN);
    whole.data[whole.len - 1] ^= 1; /* the checksum */
    expect(__LINE__, LIST("zstd"), 0, whole, WHORL_EHTTP_ENCODING, NULL, 0);
    expect(__LINE__, LIST("zstd"), 0, copy(text, TEXT_LEN), WHORL_EHTTP_ENCODING, NULL, 0);
}

/* RFC 9659: a server must not ask the client for more memory. */
TEST(decode_zstd_limits_the_window_to_8_MiB)
{
    size_t len = (8 << 20) + 1;
    uint8_t *data = calloc(len, 1);
    struct bytes wide = compress_zstd(data, len, 24), good = compress_zstd(data, len, 23);
    struct outcome o = decode_all(LIST("zstd"), 0, wide, wide.len, 65536);
    CHECK_ERR(o.err, WHORL_EHTTP_ENCODING);
    free(o.out.data);
    o = decode_all(LIST("zstd"), 0, good, good.len, 65536);
    CHECK_OK(o.err);
    CHECK_EQ(o.out.len, len);
    free(o.out.data);
    free(wide.data);
    free(good.data);
    free(data);
}
#else
TEST(decode_without_libzstd_refuses_zstd)
{
    expect(__LINE__, LIST("zstd"), 0, copy(text, TEXT_LEN), WHORL_EHTTP_ENCODING_UNKNOWN, NULL, 0);
    CHECK(!strstr(decode_accepted(), "zstd"));
}
#endif

/* --- work ------------------------------------------------------------------------------------- */

TEST(decode_of_layers_around_empty_blocks_pauses_and_ends_early)
{
    enum { BLOCKS = 8 << 20, BLOCK = 5 };
    static const uint8_t header[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3};
    struct header_list headers = {0};
    struct decode d = {0};
    struct bytes in = {malloc(sizeof header + (size_t)BLOCKS * BLOCK), sizeof header};
    uint8_t out[64];
    size_t used, made, pos = 0, pauses = 0;
    int err = 0;

    memcpy(in.data, header, sizeof header);
    for (size_t i = 0; i < BLOCKS; i++, in.len += BLOCK) /* RFC 1951 §3.2.4: stored, empty */
        memcpy(in.data + in.len, "\0\0\0\xff\xff", BLOCK);
    for (int i = 0; i < 2; i++) {
        struct bytes packed = compress_as(GZIP, in.data, in.len);
        free(in.data);
        in = packed;
    }
    CHECK(in.len < 16384);
    CHECK_OK(header_list_append(&headers, "Content-Encoding", "gzip, gzip, gzip"));
    CHECK_EQ(decode_init(&d, &headers, 0), 1);
    while (err == 0) {
        err = decode_run(&d, in.data + pos, in.len - pos, &used, out, sizeof out, &made);
        pos += used;
        CHECK_EQ(made, 0);
        CHECK(err || decode_has_paused(&d));
        pauses += err == 0;
        CHECK(pauses < 1000);
    }
    CHECK_ERR(err, WHORL_EHTTP_BODY_TOO_LARGE);
    CHECK(pauses >= DECODE_BETWEEN_MAX / DECODE_PAUSE_BYTES);
    CHECK(d.between <= DECODE_BETWEEN_MAX + 2 * 16384 + DECODE_BETWEEN_RATIO * d.coded);
    decode_finish(&d);
    header_list_finish(&headers);
    free(in.data);
}

/* Compressed by the caller, so that only decoding is counted. */
static int decode_two_layers(void *arg)
{
    static const char *const encodings[] = {"deflate, gzip", NULL};
    struct bytes *in = arg;
    struct header_list headers = {0};
    struct decode d = {0};
    uint8_t out[100];
    size_t pos = 0, used, out_len;
    int err = header_list_append(&headers, "Content-Encoding", encodings[0]);

    if (err == 0)
        err = decode_init(&d, &headers, 0);
    for (out_len = 1; err >= 0 && (pos < in->len || out_len > 0); pos += used)
        err = decode_run(&d, in->data + pos, in->len - pos, &used, out, sizeof out, &out_len);
    if (err >= 0)
        err = decode_end(&d);
    decode_finish(&d);
    header_list_finish(&headers);
    return err;
}

TEST(decode_survives_every_failed_allocation)
{
    struct bytes inner = compress_as(RAW, text, TEXT_LEN);
    struct bytes outer = compress_as(GZIP, inner.data, inner.len);
    CHECK(faults_sweep(decode_two_layers, &outer) >= 6);
    free(inner.data);
    free(outer.data);
}

TEST(decode_finish_accepts_a_zeroed_struct)
{
    struct decode d = {0};
    decode_finish(&d);
    CHECK_OK(decode_end(&d));
}

TEST_MAIN()
