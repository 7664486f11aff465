/* SPDX-License-Identifier: MIT */
/* Defects that other runtimes had, tested on each driver: full queues, times that are rounded or
 * restarted, descriptor numbers that are reused for another file. (Hang-ups are in test_fd.c, races
 * of a cancel with its completion in test_op.c.) */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <whorl.h>

#include "io/driver/op.h"
#include "test.h"

/* --- a submission queue of four --------------------------------------------------------------- */

enum { MANY = 3000 };

struct reader {
    int fd, done;
};

static int run_small(whorl_task_fn fn)
{
    struct whorl_io_options options = {.ring_entries = 4};
    return whorl_io_run_with(&options, NULL, fn, NULL);
}

static int read_one(void *arg)
{
    struct reader *r = arg;
    char byte;
    ssize_t n = whorl_read(r->fd, &byte, 1);
    r->done += n == 1;
    return n < 0 ? (int)n : 0;
}

static int read_with_many(void *arg)
{
    struct whorl_group group = {0};
    struct reader reader = {0};
    static char bytes[MANY];
    int p[2];

    (void)arg;
    CHECK_OK(pipe(p));
    reader.fd = p[0];
    for (int i = 0; i < MANY; i++)
        CHECK_OK(whorl_spawn(&group, read_one, &reader));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND)); /* submitted in one turn */
    CHECK_EQ(io_driver_current()->in_flight, MANY);
    CHECK_OK(whorl_write_all(p[1], bytes, MANY));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(reader.done, MANY);
    close(p[0]);
    close(p[1]);
    return 0;
}

TEST(thousands_of_requests_in_one_turn_are_all_carried_out)
{
    CHECK_OK(run_small(read_with_many));
}

static int cancel_with_many(void *arg)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct reader reader = {0};
    int p[2];

    (void)arg;
    CHECK_OK(pipe(p));
    reader.fd = p[0];
    for (int i = 0; i < MANY; i++)
        CHECK_OK(whorl_spawn(&group, read_one, &reader));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_EQ(group.failed, MANY);
    CHECK_EQ(io_driver_current()->in_flight, 0);
    close(p[0]);
    close(p[1]);
    return 0;
}

TEST(thousands_of_cancels_in_one_turn_are_all_carried_out)
{
    CHECK_OK(run_small(cancel_with_many));
}

/* --- numbers that are used again -------------------------------------------------------------- */

/* Makes a pipe whose read end has the descriptor `number`. If `number` is open, it is first closed
 * without telling the driver. */
static int reuse(int number, int *ret_writer)
{
    int p[2];

    CHECK_OK(pipe(p));
    if (number >= 0) {
        CHECK_EQ(dup2(p[0], number), number);
        close(p[0]);
        p[0] = number;
    }
    *ret_writer = p[1];
    return p[0];
}

struct victim {
    int fd;
    char byte;
    ssize_t result;
};

static int read_as_victim(void *arg)
{
    struct victim *v = arg;
    v->result = whorl_read(v->fd, &v->byte, 1);
    return 0;
}

/* An old request waits while its descriptor number is reused for another file: it must not get that
 * file's data. `keep`: the old file stays open under another number. */
static WHORL_SUSPENDS_SHIELDED void check_reuse(bool keep)
{
    WHORL_AUTO(group) olds = {0};
    WHORL_AUTO(group) news = {0};
    int old_writer, new_writer;
    int number = reuse(-1, &old_writer), other = keep ? dup(number) : -1;
    struct victim old = {number, '.', 1}, new = {number, '.', 0};

    CHECK_OK(whorl_spawn(&olds, read_as_victim, &old));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND)); /* the request waits in the kernel */
    CHECK_EQ(reuse(number, &new_writer), number);
    CHECK_OK(whorl_spawn(&news, read_as_victim, &new));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(write(new_writer, "n", 1), 1);
    CHECK_OK(whorl_group_wait(&news));
    CHECK_ERR(new.result, 1);
    CHECK_EQ(new.byte, 'n');
    if (keep)
        CHECK_EQ(write(old_writer, "o", 1), 1); /* the old request may still get this */
    whorl_group_cancel(&olds);
    test_ignore(whorl_group_wait(&olds));
    CHECK(old.byte == '.' || (keep && old.byte == 'o'));
    CHECK((old.result == 1) == (old.byte == 'o'));

    CHECK_EQ(write(new_writer, "m", 1), 1); /* nothing is left that takes this byte */
    CHECK_ERR(whorl_read(number, &new.byte, 1), 1);
    CHECK_EQ(new.byte, 'm');
    CHECK_OK(whorl_close(number));
    close(old_writer);
    close(new_writer);
    if (keep)
        close(other);
}

TEST_IO(an_old_request_takes_nothing_from_the_file_that_has_its_number_now)
{
    for (int i = 0; i < 20; i++)
        check_reuse(i % 2 != 0);
}

static int poll_as_victim(void *arg)
{
    struct victim *v = arg;
    v->result = whorl_poll_fd(v->fd, POLLIN);
    return 0;
}

TEST_IO(what_happens_to_the_old_file_is_no_event_of_the_new_one)
{
    WHORL_AUTO(group) olds = {0};
    WHORL_AUTO(group) news = {0};
    int old_writer, new_writer;
    int number = reuse(-1, &old_writer), other = dup(number); /* the old file stays open */
    struct victim old = {.fd = number}, new = {.fd = number};

    CHECK_OK(whorl_spawn(&olds, poll_as_victim, &old));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(reuse(number, &new_writer), number);
    CHECK_OK(whorl_spawn(&news, poll_as_victim, &new));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(write(old_writer, "o", 1), 1);
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    CHECK_EQ(new.result, 0); /* the new request still waits */
    CHECK_EQ(write(new_writer, "n", 1), 1);
    CHECK_OK(whorl_group_wait(&news));
    CHECK_ERR(new.result, POLLIN);
    CHECK_OK(whorl_group_wait(&olds));
    CHECK(old.result == POLLIN || old.result == -EBADF);
    close(number);
    close(other);
    close(old_writer);
    close(new_writer);
}

TEST_IO(a_cancelled_request_leaves_nothing_behind_for_the_next_file_of_its_number)
{
    int number = -1, writer;

    for (int i = 0; i < 50; i++) {
        WHORL_AUTO(group) group = {0};
        struct victim v = {.fd = number = reuse(number, &writer)};
        CHECK_OK(whorl_spawn(&group, i % 2 ? poll_as_victim : read_as_victim, &v));
        CHECK_OK(whorl_sleep(100 * WHORL_MICROSECOND));
        whorl_group_cancel(&group);
        test_ignore(whorl_group_wait(&group));
        CHECK_ERR(v.result, -ECANCELED);
        close(writer);
    }
    close(number);
}

/* --- time ------------------------------------------------------------------------------------- */

static uint64_t polls(void)
{
    struct whorl_run_stats stats;
    CHECK_OK(whorl_run_get_stats(&stats));
    return stats.polls;
}

TEST_IO(deadlines_a_fraction_of_a_millisecond_away_do_not_spin)
{
    uint64_t before = polls();

    for (int i = 0; i < 20; i++) {
        int64_t start = whorl_now();
        CHECK_OK(whorl_sleep(400 * WHORL_MICROSECOND));
        CHECK(whorl_now() - start >= 400 * WHORL_MICROSECOND);
    }
    CHECK(polls() - before <= 100);
}

static volatile sig_atomic_t interruptions;

static void count_interruption(int signal)
{
    (void)signal;
    interruptions++;
}

TEST_IO(a_wait_that_signals_interrupt_goes_on_with_the_time_that_is_left)
{
    struct sigaction action = {.sa_handler = count_interruption}; /* without SA_RESTART */
    struct itimerval often = {{0, 2000}, {0, 2000}}, never = {{0, 0}, {0, 0}};

    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
    int64_t start = whorl_now();
    CHECK_OK(whorl_sleep(50 * WHORL_MILLISECOND)); /* for ever, if each interruption restarted it */
    CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
    CHECK(whorl_now() - start >= 50 * WHORL_MILLISECOND);
    CHECK(interruptions > 0);
}

TEST_MAIN()
