/* SPDX-License-Identifier: MIT */
/* A journal of a partial file. Whatever the text: no byte outside of the file is claimed, values
 * have no control bytes, and what was read is the same after it was written. If the input begins
 * with a NUL, its checksums are calculated first, so that a fuzzer reaches what is behind them. */
#include <errno.h>
#include <string.h>

#include <zlib.h>

#include "fuzz.h"
#include "tools/get/buffer.h"
#include "tools/get/hash.h"
#include "tools/get/journal.h"

static const char boot[] = "b";

static void check_plain(const char *value)
{
    for (; value && *value; value++)
        FUZZ_CHECK((unsigned char)*value >= ' ' && *value != 0x7f);
}

static void check_ranges(const struct ranges *ranges, int64_t length)
{
    int64_t before = -1;

    for (size_t i = 0; i < ranges->count; i++) {
        FUZZ_CHECK(ranges->items[i].start > before);
        FUZZ_CHECK(ranges->items[i].end > ranges->items[i].start);
        before = ranges->items[i].end;
    }
    FUZZ_CHECK(before <= length);
}

static void check_digest(const struct journal_digest *digest, const struct ranges *ranges)
{
    enum { KINDS = 1 << HASH_SHA256 | 1 << HASH_SHA512 };
    struct hash hash;

    FUZZ_CHECK(!digest->state == (digest->end == 0));
    FUZZ_CHECK(digest->end <= ranges_until(ranges, 0));
    check_plain(digest->state);
    /* Whatever the state, no hash is calculated outside of its context. */
    if (digest->state && hash_restore(&hash, KINDS, digest->end, digest->state))
        hash_update(&hash, boot, sizeof boot);
}

static void check(const struct journal *journal)
{
    FUZZ_CHECK(journal->url && journal->length > 0 && (journal->etag || journal->modified));
    check_plain(journal->url);
    check_plain(journal->final_url);
    check_plain(journal->etag);
    check_plain(journal->modified);
    check_plain(journal->boot);
    check_ranges(&journal->done, journal->length);
    check_ranges(&journal->synced, journal->length);
    check_digest(&journal->digest, &journal->done);
    check_digest(&journal->synced_digest, &journal->synced);
}

static int read_it(struct journal *ret, const char *text, size_t len)
{
    struct journal_end end;
    int err = journal_read(ret, &end, text, len, boot);

    FUZZ_CHECK(err == 0 || err == -EBADMSG);
    FUZZ_CHECK(err || (end.size > 0 && (size_t)end.size <= len && text[end.size - 1] == '\n'));
    return err;
}

/* Puts the right checksum before each line. */
static void add_checks(struct buffer *ret, const char *text, size_t len)
{
    uint32_t sum = 0;

    while (len > 0) {
        const char *stop = memchr(text, '\n', len);
        size_t n = stop ? (size_t)(stop - text) : len;
        sum = (uint32_t)crc32(sum, (const unsigned char *)text, (unsigned)n);
        buffer_printf(ret, "%08x ", sum);
        buffer_add(ret, text, n);
        buffer_add(ret, "\n", 1);
        n += stop ? 1 : 0;
        text += n;
        len -= n;
    }
}

static void write_it(struct buffer *ret, const struct journal *journal)
{
    uint32_t sum = 0;

    buffer_clear(ret);
    journal_add_all(ret, &sum, journal);
    FUZZ_CHECK(!ret->failed);
}

/* Writes what was read, and reads it back: nothing is lost. */
static void check_round_trip(const struct journal *journal)
{
    struct buffer first = {0}, second = {0};
    struct journal back;

    write_it(&first, journal);
    FUZZ_CHECK(read_it(&back, first.text, first.len) == 0);
    check(&back);
    FUZZ_CHECK(back.length == journal->length && strcmp(back.url, journal->url) == 0);
    FUZZ_CHECK(ranges_sum(&back.done) == ranges_sum(&journal->done));
    FUZZ_CHECK(back.done.count == journal->done.count);
    FUZZ_CHECK(ranges_sum(&back.synced) == ranges_sum(&journal->synced));
    FUZZ_CHECK(back.digest.end == journal->digest.end);
    FUZZ_CHECK(!back.digest.state || strcmp(back.digest.state, journal->digest.state) == 0);
    /* A state that was written before its bytes were durable now counts as a durable one. */
    FUZZ_CHECK(back.synced_digest.end >= journal->synced_digest.end);
    journal_finish(&back);
    FUZZ_CHECK(read_it(&back, first.text, first.len) == 0);
    write_it(&second, &back);
    journal_finish(&back);
    FUZZ_CHECK(read_it(&back, second.text, second.len) == 0);
    write_it(&first, &back);
    FUZZ_CHECK(first.len == second.len && memcmp(first.text, second.text, first.len) == 0);
    journal_finish(&back);
    buffer_finish(&first);
    buffer_finish(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *bytes = (const char *)data;
    struct buffer text = {0};
    struct journal journal;

    buffer_add(&text, "", 0); /* not NULL */
    if (len > 0 && data[0] == 0)
        add_checks(&text, bytes + 1, len - 1);
    else
        buffer_add(&text, bytes, len);
    if (!text.failed && read_it(&journal, text.text, text.len) == 0) {
        check(&journal);
        check_round_trip(&journal);
        journal_finish(&journal);
    }
    /* After a restart of the machine. */
    struct journal_end end;
    if (!text.failed && journal_read(&journal, &end, text.text, text.len, "another") == 0) {
        check(&journal);
        FUZZ_CHECK(ranges_sum(&journal.done) == ranges_sum(&journal.synced) ||
                   strcmp(journal.boot, "another") == 0);
        journal_finish(&journal);
    }
    buffer_finish(&text);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
#define HEAD                                                                      \
    "\0whorl-get 1\nurl http://h/a\nfinal http://m/a\netag \"x\"\nmodified Sun, " \
    "06 Nov 1994 08:49:37 GMT\nlength 1000\nboot b\n"
#define WORDS "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    SEED(HEAD "done 0 100\ndone 500 700\nsynced 0 100\ndone 100 200\nlater x\ndone 999 1000\n");
    SEED(HEAD "done 0 66\nsynced 66 130\ndigest 66 1 nettle-3.8 sha256=" WORDS
              ",4142 sha512=" WORDS WORDS ",41\nsynced 0 66\ndigest 65 1 nettle-3.8 sha256=" WORDS
              ",41\n");
    SEED(HEAD "synced 0 128\ndigest 128 1 nettle-3.8 sha512=" WORDS WORDS ", sha256=" WORDS
              ",\ndone 128 140\ndigest 130 x\n");
    SEED("f31ef2a3 whorl-get 1\n81b03ad7 url http://h/a\n");
#undef SEED
#undef HEAD
#undef WORDS
}
