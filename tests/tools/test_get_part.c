/* SPDX-License-Identifier: MIT */
/* Partial files whose requests fail one after the other: whatever fails, no byte counts that was
 * not written, and the next run makes the whole file. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/io.h>

#include "faults.h"
#include "io_faults.h"
#include "listing.h"
#include "test.h"
#include "tools/get/hash.h"
#include "tools/get/part.h"

enum { LENGTH = 100000, STEP = 9000 };

static const char url[] = "http://h/f";
static char data[LENGTH];
static int states; /* parts that were opened with the state of a hash */

/* A path in the test's directory. The next call but one writes over it. */
static const char *in_tmpdir(const char *name)
{
    static char paths[2][4096];
    static int turn;

    turn = !turn;
    snprintf(paths[turn], sizeof paths[turn], "%s/%s", test_tmpdir(), name);
    return paths[turn];
}

static void fill_data(void)
{
    for (int i = 0; i < LENGTH; i++)
        data[i] = (char)(i * 7 + i / 251);
}

static void check_bytes(int fd, int64_t start, int64_t end)
{
    static char bytes[LENGTH];

    CHECK_EQ(pread(fd, bytes, (size_t)(end - start), start), end - start);
    CHECK(memcmp(bytes, data + start, (size_t)(end - start)) == 0);
}

/* The state of the hash of all first bytes that are there; `arg` is the part. */
static int64_t save(void *arg, struct buffer *ret)
{
    const struct part *part = arg;
    int64_t end = ranges_until(&part->journal.done, 0);
    struct hash hash;

    hash_init(&hash, 1u << HASH_SHA256);
    hash_update(&hash, data, (size_t)end);
    hash_save(&hash, end, ret);
    return end;
}

/* Whatever the journal has as a state, the hash of the file follows from it. */
static void check_state(const struct journal_digest *digest)
{
    char actual[HASH_HEX_SIZE], expected[HASH_HEX_SIZE];
    struct hash hash;

    if (!digest->state)
        return;
    CHECK(hash_restore(&hash, 1u << HASH_SHA256, digest->end, digest->state));
    hash_update(&hash, data + digest->end, (size_t)(LENGTH - digest->end));
    hash_finish(&hash, HASH_SHA256, actual);
    hash_init(&hash, 1u << HASH_SHA256);
    hash_update(&hash, data, LENGTH);
    hash_finish(&hash, HASH_SHA256, expected);
    CHECK_STR(actual, expected);
}

/* Opens the part, or begins one. All bytes that it claims must be right. */
static WHORL_SUSPENDS int open_part(struct part *part)
{
    const char *why;
    int found = part_find(part, &why);

    if (found < 0 && found != -EBADMSG)
        return found;
    if (found <= 0)
        return part_begin(part, url, NULL, "\"e\"", NULL, LENGTH);
    for (size_t i = 0; i < part->journal.done.count; i++)
        check_bytes(part->fd, part->journal.done.items[i].start, part->journal.done.items[i].end);
    check_state(&part->journal.digest);
    check_state(&part->journal.synced_digest);
    states += part->journal.digest.state != NULL;
    return 0;
}

/* Writes bytes until `stop` of them are there, from two ends in turn. */
static WHORL_SUSPENDS int write_some(struct part *part, int64_t stop)
{
    struct range gap;
    int err = 0;

    for (int i = 0; err == 0 && ranges_sum(&part->journal.done) < stop; i++) {
        if (!(i % 2 ? ranges_longest_gap : ranges_first_gap)(&part->journal.done, LENGTH, &gap))
            break;
        int64_t start = i % 2 && gap.end - gap.start > STEP ? gap.end - STEP : gap.start;
        int64_t end = start + STEP < gap.end ? start + STEP : gap.end;
        err = whorl_pwrite_all(part->fd, data + start, (size_t)(end - start), start);
        if (err == 0)
            err = part_note(part, start, end);
        if (err == 0)
            err = part_record(part, true);
        if (err == 0 && i == 2)
            err = part_sync(part);
    }
    return err;
}

/* Writes up to `stop` bytes, and gives the file its name when all are there. `arg` is `stop`. */
static int run(void *arg)
{
    const int64_t *stop = arg;
    struct part part;

    int err = part_init(&part, AT_FDCWD, in_tmpdir("f"), url);
    if (err)
        return err;
    part.save = save;
    part.save_arg = &part;
    err = open_part(&part);
    if (err == 0)
        err = write_some(&part, *stop);
    if (err == 0 && part_is_complete(&part))
        err = part_take(&part, in_tmpdir("f"), false);
    part_finish(&part);
    return err;
}

static bool is_there(const char *name)
{
    return access(in_tmpdir(name), F_OK) == 0;
}

static void check_file(void)
{
    int fd = open(in_tmpdir("f"), O_RDONLY | O_CLOEXEC);
    struct stat st;

    CHECK(fd >= 0);
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, LENGTH);
    check_bytes(fd, 0, LENGTH);
    close(fd);
}

static void unlink_all(void)
{
    static char names[4096];
    char *rest = names, *name;

    strcpy(names, listing());
    while ((name = strsep(&rest, " ")) && *name)
        CHECK_OK(unlink(in_tmpdir(name)));
}

/* Two runs, the second of which ends the file. After a failure, one more run must do. */
static int run_twice(void *arg)
{
    int64_t half = LENGTH / 2, all = LENGTH;
    (void)arg;

    fill_data();
    int err = whorl_io_run(run, &half);
    CHECK(!is_there("f"));
    if (err == 0)
        err = whorl_io_run(run, &all);
    if (err && !is_there("f"))
        CHECK_OK(whorl_io_run(run, &all));
    check_file();
    CHECK(!strstr(listing(), ".part ")); /* a journal alone does no harm */
    unlink_all();
    return err;
}

TEST(a_disk_that_is_full_at_any_request_costs_no_wrong_byte)
{
    CHECK(io_faults_sweep(run_twice, NULL, -ENOSPC) > 40);
}

TEST(a_disk_that_fails_at_any_request_costs_no_wrong_byte)
{
    CHECK(io_faults_sweep(run_twice, NULL, -EIO) > 40);
}

TEST(every_allocation_may_fail)
{
    CHECK(faults_sweep(run_twice, NULL) > 10);
}

TEST(a_part_is_what_its_journal_says)
{
    int64_t half = LENGTH / 2;

    fill_data();
    CHECK_OK(whorl_io_run(run, &half));
    CHECK(strstr(listing(), ".part ") && strstr(listing(), ".part.journal"));
    CHECK_OK(whorl_io_run(run, &half));
    CHECK_EQ(states, 1);
    unlink_all();
}

TEST_MAIN()
