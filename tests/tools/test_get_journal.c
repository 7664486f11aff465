/* SPDX-License-Identifier: MIT */
/* The text of journals: whatever is cut, damaged or invented, no byte counts that was not noted. */
#include <stdlib.h>

#include "test.h"
#include "tools/get/buffer.h"
#include "tools/get/journal.h"

enum { LENGTH = 1000 };

static char url[] = "http://h/a", etag[] = "\"x\"", modified[] = "Sun, 06 Nov 1994 08:49:37 GMT";

static struct buffer text;
static uint32_t check;

static const struct range ranges[] = {{0, 100}, {500, 700}, {100, 200}, {700, 701}, {999, 1000}};
enum { RANGES = sizeof ranges / sizeof *ranges };

/* Writes a journal with `count` of the ranges. */
static void write_journal(size_t count)
{
    struct journal journal = {
        .url = url, .etag = etag, .modified = modified, .boot = "b", .length = LENGTH};

    buffer_clear(&text);
    check = 0;
    journal_add_all(&text, &check, &journal);
    for (size_t i = 0; i < count; i++)
        journal_add_done(&text, &check, ranges[i]);
    CHECK(!text.failed);
}

static int read_it(struct journal *ret, const char *bytes, size_t len)
{
    struct journal_end end;
    int err = journal_read(ret, &end, bytes, len, "b");

    CHECK(err == 0 || err == -EBADMSG);
    CHECK(err || ((size_t)end.size <= len && end.size > 0));
    return err;
}

TEST(a_journal_is_read_as_it_was_written)
{
    struct journal journal;
    struct journal_end end;

    write_journal(RANGES);
    CHECK_OK(journal_read(&journal, &end, text.text, text.len, "b"));
    CHECK_STR(journal.url, url);
    CHECK_STR(journal.etag, etag);
    CHECK_STR(journal.modified, modified);
    CHECK(!journal.final_url && !journal.digest.state);
    CHECK_EQ(journal.length, LENGTH);
    CHECK_EQ(journal.done.count, 3);
    CHECK_EQ(ranges_sum(&journal.done), 402);
    CHECK_EQ(end.size, (int64_t)text.len);
    CHECK_EQ(end.check, check);
    journal_finish(&journal);
    buffer_finish(&text);
}

static void add_digest(int64_t end, const char *state)
{
    char copy[64];

    snprintf(copy, sizeof copy, "%s", state);
    journal_add_digest(&text, &check, &(struct journal_digest){end, copy});
}

/* After a restart of the machine, bytes that were only written may be lost. */
TEST(only_durable_bytes_count_after_a_restart)
{
    struct journal journal;
    struct journal_end end;

    write_journal(2);
    journal_add_synced(&text, &check, ranges[0]);
    add_digest(100, "abc");
    CHECK_OK(journal_read(&journal, &end, text.text, text.len, "b"));
    CHECK_EQ(ranges_sum(&journal.done), 300);
    CHECK_STR(journal.digest.state, "abc");
    CHECK_EQ(journal.digest.end, 100);
    journal_finish(&journal);
    CHECK_OK(journal_read(&journal, &end, text.text, text.len, "another"));
    CHECK_EQ(ranges_sum(&journal.done), 100);
    CHECK_STR(journal.digest.state, "abc");
    journal_finish(&journal);
    buffer_finish(&text);
}

TEST(a_digest_counts_after_a_restart_if_its_bytes_were_durable_before)
{
    struct journal journal;
    struct journal_end end;

    write_journal(3);
    journal_add_synced(&text, &check, ranges[0]);
    add_digest(100, "durable");
    add_digest(101, "written");
    journal_add_synced(&text, &check, ranges[2]);
    CHECK_OK(journal_read(&journal, &end, text.text, text.len, "b"));
    CHECK_STR(journal.digest.state, "written");
    journal_finish(&journal);
    CHECK_OK(journal_read(&journal, &end, text.text, text.len, "another"));
    CHECK_STR(journal.digest.state, "durable");
    CHECK_EQ(journal.digest.end, 100);
    journal_finish(&journal);

    write_journal(1);
    add_digest(100, "written");
    CHECK_OK(journal_read(&journal, &end, text.text, text.len, "another"));
    CHECK(!journal.digest.state);
    journal_finish(&journal);
    buffer_finish(&text);
}

TEST(a_digest_of_bytes_that_no_line_claims_ends_the_journal)
{
    static const int64_t bad[] = {-1, 0, 101, LENGTH, INT64_MAX};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct journal journal;
        write_journal(1);
        add_digest(bad[i], "x");
        journal_add_done(&text, &check, ranges[1]);
        CHECK_OK(read_it(&journal, text.text, text.len));
        CHECK(!journal.digest.state);
        CHECK_EQ(ranges_sum(&journal.done), 100);
        journal_finish(&journal);
    }
    buffer_finish(&text);
}

/* The process may be killed, or the disk be full, after any byte. */
TEST(every_prefix_is_a_fresh_start_or_a_correct_one)
{
    size_t lens[RANGES + 1];
    int fresh = 0;

    for (size_t i = 0; i <= RANGES; i++) {
        write_journal(i);
        lens[i] = text.len;
    }
    for (size_t len = 0; len <= text.len; len++) {
        struct journal journal;
        if (read_it(&journal, text.text, len)) {
            CHECK(len < lens[0]);
            fresh++;
            continue;
        }
        struct ranges expected = {0};
        for (size_t i = 0; i < RANGES && lens[i + 1] <= len; i++)
            CHECK_OK(ranges_add(&expected, ranges[i].start, ranges[i].end));
        CHECK_EQ(ranges_sum(&journal.done), ranges_sum(&expected));
        CHECK_EQ(journal.done.count, expected.count);
        ranges_finish(&expected);
        journal_finish(&journal);
    }
    CHECK_EQ(fresh, (int)lens[0]);
    buffer_finish(&text);
}

static void check_subset(const struct ranges *some)
{
    struct ranges all = {0};

    for (size_t i = 0; i < RANGES; i++)
        CHECK_OK(ranges_add(&all, ranges[i].start, ranges[i].end));
    int64_t sum = ranges_sum(&all);
    CHECK_OK(ranges_add_all(&all, some));
    CHECK_EQ(ranges_sum(&all), sum);
    ranges_finish(&all);
}

TEST(a_changed_byte_adds_no_range)
{
    write_journal(RANGES);
    for (size_t at = 0; at < text.len; at++) {
        for (int value = 1; value < 256; value++) {
            struct journal journal;
            text.text[at] ^= (char)value;
            if (read_it(&journal, text.text, text.len) == 0) {
                check_subset(&journal.done);
                CHECK(ranges_sum(&journal.done) < 402);
                CHECK_STR(journal.url, url);
                CHECK_STR(journal.etag, etag);
                CHECK_EQ(journal.length, LENGTH);
                journal_finish(&journal);
            }
            text.text[at] ^= (char)value;
        }
    }
    buffer_finish(&text);
}

TEST(the_digest_of_the_most_bytes_counts)
{
    struct journal journal;

    write_journal(1);
    add_digest(1, "a");
    add_digest(3, "c");
    add_digest(2, "b");
    journal_add_done(&text, &check, ranges[1]);
    CHECK_OK(read_it(&journal, text.text, text.len));
    CHECK_STR(journal.digest.state, "c");
    CHECK_EQ(ranges_sum(&journal.done), 300);
    journal_finish(&journal);
    buffer_finish(&text);
}

/* A journal whose checksums are right, but whose author was not this program. */
TEST(ranges_outside_of_the_file_end_the_journal)
{
    static const struct range bad[] = {{-1, 5}, {5, 5}, {6, 5}, {0, LENGTH + 1}, {0, INT64_MAX}};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct journal journal;
        write_journal(1);
        journal_add_done(&text, &check, bad[i]);
        journal_add_done(&text, &check, ranges[1]);
        CHECK_OK(read_it(&journal, text.text, text.len));
        CHECK_EQ(ranges_sum(&journal.done), 100);
        journal_finish(&journal);
    }
    buffer_finish(&text);
}

TEST(a_journal_needs_its_identity)
{
    struct journal without[] = {
        {.url = url, .boot = "b", .length = LENGTH},  /* no validator */
        {.url = url, .etag = etag, .boot = "b"},      /* no length */
        {.url = url, .etag = etag, .length = LENGTH}, /* no boot id */
        {.url = (char[]){""}, .etag = etag, .boot = "b", .length = LENGTH},
        {.url = (char[]){"a\x1b"}, .etag = etag, .boot = "b", .length = LENGTH},
        {.url = url, .etag = (char[]){"\"\r\nX: y\""}, .boot = "b", .length = LENGTH},
    };

    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        struct journal journal;
        buffer_clear(&text);
        check = 0;
        journal_add_all(&text, &check, &without[i]);
        CHECK_ERR(read_it(&journal, text.text, text.len), -EBADMSG);
    }
    buffer_finish(&text);
}

TEST(a_hostile_journal_takes_little_time_and_memory)
{
    struct journal journal;

    write_journal(0);
    for (int64_t i = 0; text.len < JOURNAL_SIZE_MAX - 100; i++)
        journal_add_done(&text, &check,
                         (struct range){LENGTH - 2 * (i % 400) - 1, LENGTH - 2 * (i % 400)});
    CHECK_OK(read_it(&journal, text.text, text.len));
    CHECK(journal.done.count <= JOURNAL_RANGES_MAX);
    journal_finish(&journal);
    buffer_finish(&text);
}

TEST(random_bytes_are_no_journal)
{
    static char bytes[2000];

    srand(7);
    for (int round = 0; round < 2000; round++) {
        struct journal journal;
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (char)(rand() % 3 ? "0123456789abcdef \n"[rand() % 18] : rand());
        CHECK_ERR(read_it(&journal, bytes, (size_t)rand() % sizeof bytes), -EBADMSG);
    }
}

TEST_MAIN()
