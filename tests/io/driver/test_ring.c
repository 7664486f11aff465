/* SPDX-License-Identifier: MIT */
/* The io_uring driver: setup on old and new kernels, full queues, kicks, and the cost of a turn. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <liburing.h>

#include <whorl.h>

#include "child.h"
#include "faults.h"
#include "io/driver/op.h"
#include "io/driver/ring.h"
#include "io_faults.h"
#include "test.h"

static const struct ring_stats *stats(void)
{
    return ring_stats(io_driver_current());
}

/* Skips a test when the driver is not io_uring. */
static void on_the_ring(void)
{
    const char *wanted = getenv("WHORL_DRIVER");
    struct io_driver *driver;
    int err;
    if (wanted && strcmp(wanted, "epoll") == 0)
        test_skip("WHORL_DRIVER=epoll, and this test needs the ring");
    if ((err = ring_create(0, NULL, &driver)) != 0)
        test_skip("io_uring is refused here: %s", whorl_strerror(err));
    driver->ops->destroy(driver);
    setenv("WHORL_DRIVER", "io_uring", 1);
}

__attribute__((constructor)) static void stay_on_the_ring(void)
{
    test_at_start(on_the_ring);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* --- set-up ----------------------------------------------------------------------------------- */

static void refused(int err, const char *text)
{
    struct whorl_error error = {0};
    io_faults_setup(err, 0);
    CHECK_ERR(whorl_io_run_with(NULL, &error, nothing, NULL), err);
    CHECK_ERR(error.code, err);
    CHECK_STR(error.step, "io_uring");
    if (!strstr(error.text, text))
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", error.text, text);
    CHECK_ERR(whorl_io_run(nothing, NULL), err); /* a caller that passes no error gets the code */
    io_faults_setup(0, 0);
}

TEST(a_refused_ring_says_why)
{
    refused(-EPERM, "not permitted");
    refused(-ENOSYS, "has no io_uring");
    refused(-ENOMEM, "ulimit -l");
    refused(-EMFILE, "open files");
}

TEST(a_kernel_too_old_is_refused)
{
    static const unsigned needed[] = {IORING_FEAT_NODROP, IORING_FEAT_EXT_ARG};
    struct whorl_error error = {0};
    for (int i = 0; i < 2; i++) {
        io_faults_features(needed[i]);
        CHECK_ERR(whorl_io_run_with(NULL, &error, nothing, NULL), -ENOSYS);
        CHECK(strstr(error.text, "Linux 5.11 or later"));
    }
}

TEST(an_unknown_driver_is_refused)
{
    struct whorl_error error = {0};
    setenv("WHORL_DRIVER", "abacus", 1);
    CHECK_ERR(whorl_io_run_with(NULL, &error, nothing, NULL), -EINVAL);
    CHECK_STR(error.text, "WHORL_DRIVER=abacus: no such driver; there are io_uring and epoll");
    setenv("WHORL_DRIVER", "io_uring", 1);
    CHECK_OK(whorl_io_run(nothing, NULL));
}

static int write_later(void *arg)
{
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    return whorl_write_all(((int *)arg)[1], "hello", 5);
}

/* Uses a little of everything: requests that complete at once and later, a cancel, and a kick. */
static int exercise(void *arg)
{
    struct whorl_poller *poller = whorl_poller_current();
    struct whorl_scope scope;
    char buf[8];
    int p[2];
    WHORL_AUTO(group) group = {0};

    (void)arg;
    CHECK_OK(pipe(p));
    CHECK_OK(whorl_spawn(&group, write_later, p));
    CHECK_ERR(whorl_read(p[0], buf, sizeof buf), 5);
    whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
    int err = whorl_poll_fd(p[0], POLLIN);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    for (int i = 0; i < 3; i++) {
        uint64_t kicks = stats()->kicks;
        poller->ops->kick(poller);
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
        CHECK_EQ(stats()->kicks, kicks + 1);
    }
    CHECK_OK(whorl_close(p[0]));
    CHECK_OK(whorl_close(p[1]));
    return whorl_group_wait(&group);
}

TEST(rings_of_older_kernels_do_the_same)
{
    static const unsigned missing[] = {
        0,
        IORING_SETUP_DEFER_TASKRUN,
        IORING_SETUP_COOP_TASKRUN,
        IORING_SETUP_SUBMIT_ALL,
        IORING_SETUP_CLAMP,
    };
    for (size_t i = 0; i < sizeof missing / sizeof *missing; i++) {
        io_faults_setup(0, missing[i]);
        CHECK_OK(whorl_io_run(exercise, NULL));
    }
    io_faults_features(IORING_FEAT_CQE_SKIP | 1U << 17); /* without quiet cancels and NO_IOWAIT */
    CHECK_OK(whorl_io_run(exercise, NULL));
}

/* Names, renames and removes files, on a kernel that has no opcodes for that. */
static int use_paths(void *arg)
{
    int dir = *(int *)arg;
    uint64_t threaded = stats()->threaded;

    CHECK_OK(whorl_mkdirat(dir, "old", 0700));
    CHECK_ERR(whorl_mkdirat(dir, "old", 0700), -EEXIST);
    CHECK_OK(whorl_renameat(dir, "old", dir, "new", 0));
    CHECK_OK(faccessat(dir, "new", F_OK, 0));
    CHECK_ERR(whorl_unlinkat(dir, "new", 0), -EISDIR);
    CHECK_OK(whorl_unlinkat(dir, "new", AT_REMOVEDIR));
    return (int)(stats()->threaded - threaded);
}

TEST(what_the_kernel_has_no_opcode_for_is_done_by_threads)
{
    int dir = open(test_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(dir >= 0);
    io_faults_opcodes(IORING_OP_TEE); /* 5.8 */
    CHECK_EQ(whorl_io_run(use_paths, &dir), 5);
    io_faults_opcodes(IORING_OP_UNLINKAT); /* 5.11: only mkdirat is missing */
    CHECK_EQ(whorl_io_run(use_paths, &dir), 2);
    io_faults_opcodes(UINT8_MAX); /* the opcodes that this kernel has */
    CHECK(whorl_io_run(use_paths, &dir) >= 0);
    close(dir);
}

static int run_exercise(void *arg)
{
    return whorl_io_run(exercise, arg);
}

static void *thread_of_its_own(void *arg)
{
    *(int *)arg = whorl_io_run(exercise, NULL);
    return NULL;
}

TEST(threads_have_a_ring_each)
{
    pthread_t threads[4];
    int results[4];
    for (int i = 0; i < 4; i++)
        CHECK_OK(pthread_create(&threads[i], NULL, thread_of_its_own, &results[i]));
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        CHECK_OK(results[i]);
    }
}

TEST(many_runs_leave_nothing_behind)
{
    int fds = test_open_fds();
    for (int i = 0; i < 50; i++)
        CHECK_OK(run_exercise(NULL));
    CHECK_EQ(test_open_fds(), fds);
}

/* --- full queues ------------------------------------------------------------------------------ */

struct reader {
    int fd, done;
};

static int read_one(void *arg)
{
    struct reader *r = arg;
    char byte;
    ssize_t n = whorl_read(r->fd, &byte, 1);
    if (n == 1)
        r->done++;
    return n == 1 ? 0 : n < 0 ? (int)n : -ENODATA;
}

static int read_with_many(void *arg)
{
    int p[2], count = *(int *)arg;
    struct whorl_group group = {0};
    struct reader reader = {0};

    CHECK_OK(pipe(p));
    reader.fd = p[0];
    for (int i = 0; i < count; i++)
        CHECK_OK(whorl_spawn(&group, read_one, &reader));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND)); /* all wait in the kernel */
    CHECK_EQ(reader.done, 0);
    CHECK_EQ(io_driver_current()->in_flight, (size_t)count);
    char *bytes = calloc(1, (size_t)count);
    CHECK(bytes);
    CHECK_OK(whorl_write_all(p[1], bytes, (size_t)count));
    free(bytes);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(reader.done, count);
    close(p[0]);
    close(p[1]);
    return 0;
}

TEST(five_thousand_reads_fit_through_a_queue_of_64)
{
    struct whorl_io_options options = {.ring_entries = 64};
    CHECK_OK(whorl_io_run_with(&options, NULL, read_with_many, &(int){5000}));
}

static int poll_one(void *arg)
{
    struct reader *r = arg;
    int events = whorl_poll_fd(r->fd, POLLIN);
    CHECK_EQ(events, POLLIN);
    r->done++;
    return 0;
}

/* All polls complete at once, far more of them than the completion queue holds. */
static int poll_with_many(void *arg)
{
    WHORL_AUTO(group) group = {0};
    struct reader reader = {.fd = eventfd(0, EFD_CLOEXEC)};
    int count = *(int *)arg;

    for (int i = 0; i < count; i++)
        CHECK_OK(whorl_spawn(&group, poll_one, &reader));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(write(reader.fd, &(uint64_t){1}, 8), 8);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(reader.done, count);
    close(reader.fd);
    return 0;
}

TEST(a_thousand_polls_complete_at_once)
{
    CHECK_OK(whorl_io_run(poll_with_many, &(int){1000}));
}

TEST(completions_that_overflow_the_queue_are_not_lost)
{
    struct whorl_io_options options = {.ring_entries = 4}; /* room for 16 completions */
    CHECK_OK(whorl_io_run_with(&options, NULL, poll_with_many, &(int){1000}));
    io_faults_setup(0, IORING_SETUP_DEFER_TASKRUN);
    CHECK_OK(whorl_io_run_with(&options, NULL, poll_with_many, &(int){1000}));
}

static int read_event(void *arg)
{
    uint64_t count;
    ssize_t n = whorl_read(((struct reader *)arg)->fd, &count, sizeof count);
    return n < 0 ? (int)n : 0;
}

/* More cancels at once than the submission queue holds. */
static int cancel_many(void *arg)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct reader reader = {.fd = eventfd(0, EFD_CLOEXEC)};

    (void)arg;
    for (int i = 0; i < 500; i++)
        CHECK_OK(whorl_spawn(&group, read_event, &reader));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_EQ(group.failed, 500);
    CHECK_EQ(io_driver_current()->in_flight, 0);
    close(reader.fd);
    return 0;
}

TEST(five_hundred_requests_are_cancelled_through_a_queue_of_8)
{
    struct whorl_io_options options = {.ring_entries = 8};
    CHECK_OK(whorl_io_run_with(&options, NULL, cancel_many, NULL));
}

/* --- a kernel short of memory ----------------------------------------------------------------- */

TEST_IO(a_submission_the_kernel_refuses_for_now_is_tried_again)
{
    static const int errors[] = {-EAGAIN, -EBUSY, -ENOMEM, -EINTR};
    int p[2];
    char byte;
    CHECK_OK(pipe(p));
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++) {
        io_faults_enter(4, errors[i]);
        CHECK_ERR(whorl_write(p[1], "x", 1), 1);
        CHECK_ERR(whorl_read(p[0], &byte, 1), 1);
    }
    close(p[0]);
    close(p[1]);
}

/* The first request waits in the kernel and must still complete while the kernel accepts no
 * others. */
static int starve(void *arg)
{
    struct reader reader = {.fd = eventfd(0, EFD_CLOEXEC)};
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, poll_one, &reader));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    io_faults_enter(1000000, -EAGAIN);
    for (int i = 0; i < 30; i++) /* more than there are SQEs: the rest goes to the backlog */
        CHECK_OK(whorl_spawn(&group, read_event, &reader));
    uint64_t enters = stats()->enters;
    CHECK_OK(whorl_sleep(30 * WHORL_MILLISECOND));
    CHECK(stats()->enters - enters < 60); /* the driver backs off and does not spin */
    CHECK_EQ(reader.done, 0);
    CHECK_EQ(write(reader.fd, &(uint64_t){1}, 8), 8);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(reader.done, 1);
    whorl_group_cancel(&group); /* requests on the backlog are cancelled without the kernel */
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    CHECK(whorl_group_alive(&group) <= 8);
    io_faults_enter(0, 0);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    CHECK_EQ(io_driver_current()->in_flight, 0);
    close(reader.fd);
    return 0;
}

TEST(while_the_kernel_takes_nothing_the_rest_goes_on)
{
    struct whorl_io_options options = {.ring_entries = 8};
    CHECK_OK(whorl_io_run_with(&options, NULL, starve, NULL));
}

static void lose_completions(void *arg)
{
    io_faults_enter(1, *(int *)arg);
    int err = whorl_io_run(exercise, NULL);
    (void)err; /* not reached: the run aborts */
}

/* The run cannot continue: the kernel still owns memory of tasks. */
TEST(what_the_kernel_cannot_recover_from_ends_the_process_with_a_word_why)
{
    static struct child child;
    child_run(&child, lose_completions, &(int){-EBADR});
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "lost completions"));
    child_run(&child, lose_completions, &(int){-EEXIST});
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "only the thread that started a run may use it"));
}

static int fork_and_wait(void *arg)
{
    int status;
    pid_t child = fork();
    (void)arg;
    if (child == 0) {
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND)); /* this would wait on the parent's ring */
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGABRT);
    return whorl_sleep(WHORL_MILLISECOND); /* the parent is not affected */
}

static void wait_on_the_parents_ring(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_io_run(fork_and_wait, NULL));
}

TEST(a_forked_child_that_waits_ends_with_a_word_why)
{
    static struct child child;
    child_run(&child, wait_on_the_parents_ring, NULL);
    CHECK_EQ(child.exit_status, 0);
    CHECK(strstr(child.err, "no I/O driver"));
}

static int try_many(void *arg)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct reader reader = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    int err = 0;

    (void)arg;
    for (int i = 0; i < 300 && err == 0; i++) /* more requests than the first slot table holds */
        err = whorl_spawn(&group, poll_one, &reader);
    if (err == 0)
        err = whorl_yield();
    if (write(reader.fd, &(uint64_t){1}, 8) != 8)
        err = -EIO;
    int group_err = whorl_group_wait(&group);
    close(reader.fd);
    return err ? err : group_err;
}

static int poll_one_or_fail(void *arg)
{
    int events = whorl_poll_fd(((struct reader *)arg)->fd, POLLIN);
    return events < 0 ? events : 0;
}

static int run_try_many(void *arg)
{
    return whorl_io_run(try_many, arg);
}

static int try_a_few(void *arg)
{
    struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
    struct reader reader = {.fd = eventfd(1, EFD_CLOEXEC)};
    int err = 0;

    for (int i = 0; i < *(int *)arg && err == 0; i++)
        err = whorl_spawn(&group, poll_one_or_fail, &reader);
    int group_err = whorl_group_wait(&group);
    close(reader.fd);
    return err ? err : group_err;
}

static int run_try_a_few(void *arg)
{
    return whorl_io_run(try_a_few, arg);
}

TEST(no_failed_allocation_hangs_or_leaks)
{
    CHECK_OK(run_try_many(NULL));
    CHECK(faults_sweep(run_try_a_few, &(int){300}) >= 3);
}

TEST(no_failed_request_hangs_or_leaks)
{
    CHECK_EQ(io_faults_sweep(run_try_a_few, &(int){40}, -EIO), 80);
}

/* --- kicks ------------------------------------------------------------------------------------ */

struct kicker {
    struct whorl_poller *poller;
    int fd;
};

static void *kick_later(void *arg)
{
    struct kicker *k = arg;
    usleep(20000);
    for (int i = 0; i < 1000; i++)
        k->poller->ops->kick(k->poller);
    usleep(20000);
    CHECK_EQ(write(k->fd, &(uint64_t){1}, 8), 8);
    return NULL;
}

TEST_IO(a_kick_from_a_thread_ends_the_wait)
{
    struct kicker k = {whorl_poller_current(), eventfd(0, EFD_CLOEXEC)};
    struct whorl_run_stats before, after;
    pthread_t thread;
    CHECK_OK(pthread_create(&thread, NULL, kick_later, &k));
    CHECK_OK(whorl_run_get_stats(&before));
    CHECK_EQ(whorl_poll_fd(k.fd, POLLIN), POLLIN);
    CHECK_OK(whorl_run_get_stats(&after));
    CHECK(after.polls - before.polls >= 2);
    CHECK(stats()->kicks >= 1);
    CHECK(stats()->kicks <= 1000);
    pthread_join(thread, NULL);
    close(k.fd);
}

TEST_IO(kicks_before_the_loop_looks_cost_one_wake)
{
    struct whorl_poller *poller = whorl_poller_current();
    for (int i = 0; i < 100; i++)
        poller->ops->kick(poller);
    CHECK_EQ(poller->ops->pending(poller), 1); /* a kick means that a completion may follow */
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(stats()->kicks, 1);
    CHECK_EQ(poller->ops->pending(poller), 0);
    poller->ops->kick(poller);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(stats()->kicks, 2);
}

/* --- descriptors ------------------------------------------------------------------------------ */

static int read_and_log(void *arg)
{
    int fd = *(int *)arg;
    char byte = 0;
    ssize_t n = whorl_read(fd, &byte, 1);
    test_log("%d%c", (int)n, byte);
    return 0;
}

/* The kernel identifies the file of an old request by the open file, not by the descriptor
 * number. */
TEST_IO(a_number_used_again_while_an_old_read_is_in_flight_mixes_nothing_up)
{
    WHORL_AUTO(group) group = {0};
    int old[2], new[2];
    CHECK_OK(pipe(old));
    CHECK_OK(whorl_spawn(&group, read_and_log, &old[0]));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    close(old[0]); /* without telling the driver */
    CHECK_OK(pipe(new));
    CHECK_EQ(new[0], old[0]);
    CHECK_OK(whorl_spawn(&group, read_and_log, &new[0]));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(write(new[1], "n", 1), 1);
    CHECK_OK(whorl_group_wait_below(&group, 2));
    CHECK_STR(test_logged(), "1n");
    CHECK_EQ(write(old[1], "o", 1), 1);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "1n 1o");
    close(new[0]);
    close(new[1]);
    close(old[1]);
}

TEST_IO(a_deadline_a_fraction_of_a_millisecond_away_does_not_spin)
{
    int fd = eventfd(0, EFD_CLOEXEC);
    uint64_t enters = stats()->enters;
    for (int i = 0; i < 20; i++) {
        struct whorl_scope scope;
        int64_t start = whorl_now();
        whorl_scope_enter(&scope, start + 400 * WHORL_MICROSECOND);
        CHECK_ERR(whorl_scope_leave(&scope, whorl_poll_fd(fd, POLLIN)), -ETIMEDOUT);
        CHECK(whorl_now() - start >= 400 * WHORL_MICROSECOND);
    }
    CHECK(stats()->enters - enters <= 100);
    close(fd);
}

/* --- what a turn costs ------------------------------------------------------------------------ */

TEST_IO(waiting_requests_cost_no_system_call_while_tasks_run)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct reader reader = {.fd = eventfd(0, EFD_CLOEXEC)};
    struct whorl_poller *poller = whorl_poller_current();
    CHECK_OK(whorl_spawn(&group, read_event, &reader));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK(!poller->ops->has_work(poller));
    uint64_t enters = stats()->enters;
    for (int i = 0; i < 10000; i++)
        CHECK_OK(whorl_yield());
    CHECK_OK(poller->ops->wait(poller, 0));
    CHECK_EQ(stats()->enters, enters);
    CHECK_EQ(write(reader.fd, &(uint64_t){1}, 8), 8);
    CHECK(poller->ops->has_work(poller)); /* the flag is visible without a system call */
    whorl_group_cancel(&group);
    CHECK_OK(whorl_sleep(0));
    close(reader.fd);
}

struct pair {
    int fds[2];
};

static int echo(void *arg)
{
    struct pair *pair = arg;
    char buf[64];
    ssize_t n;
    while ((n = whorl_recv(pair->fds[1], buf, sizeof buf, 0)) > 0)
        CHECK_OK(whorl_send_all(pair->fds[1], buf, (size_t)n, 0));
    return (int)n;
}

enum { PAIRS = 50, ROUNDS = 20 };

static int talk(void *arg)
{
    struct pair *pair = arg;
    char buf[64] = "";
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(whorl_send_all(pair->fds[0], buf, sizeof buf, 0));
        CHECK_ERR(whorl_recv(pair->fds[0], buf, sizeof buf, MSG_WAITALL), sizeof buf);
    }
    return whorl_shutdown(pair->fds[0], SHUT_WR);
}

/* Fifty connections with both ends in this process: the requests that their tasks make in one turn
 * are submitted together. */
TEST_IO(a_turn_enters_the_kernel_once)
{
    static struct pair pairs[PAIRS];
    struct whorl_run_stats before, after;
    WHORL_AUTO(group) group = {0};
    for (int i = 0; i < PAIRS; i++) {
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i].fds));
        CHECK_OK(whorl_spawn(&group, echo, &pairs[i]));
        CHECK_OK(whorl_spawn(&group, talk, &pairs[i]));
    }
    uint64_t enters = stats()->enters, submitted = stats()->submitted;
    CHECK_OK(whorl_run_get_stats(&before));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_run_get_stats(&after));
    enters = stats()->enters - enters;
    submitted = stats()->submitted - submitted;
    CHECK(submitted >= PAIRS * ROUNDS * 4);
    CHECK(enters <= after.polls - before.polls);
    CHECK(enters < submitted / 10);
    for (int i = 0; i < PAIRS; i++) {
        close(pairs[i].fds[0]);
        close(pairs[i].fds[1]);
    }
}

/* --- tasks that stay ready -------------------------------------------------------------------- */

static int read_byte(void *arg)
{
    char byte;
    ssize_t n = whorl_read(((int *)arg)[0], &byte, 1);
    ((int *)arg)[2] = 1;
    return n < 0 ? (int)n : 0;
}

TEST_IO(a_task_that_yields_for_ever_does_not_keep_a_descriptor_waiting)
{
    int pipe_and_done[3] = {0};
    WHORL_AUTO(group) group = {0};
    long yields = 0;

    CHECK_EQ(pipe(pipe_and_done), 0);
    CHECK_OK(whorl_spawn(&group, read_byte, pipe_and_done));
    for (int i = 0; i < 2000; i++) /* by then the read is in the kernel */
        CHECK_OK(whorl_yield());
    CHECK_EQ(write(pipe_and_done[1], "x", 1), 1);
    for (; !pipe_and_done[2] && yields < 100000; yields++)
        CHECK_OK(whorl_yield());
    /* The loop runs at the latest after 256 switches, see runtime/sched.h. */
    if (yields > 1024)
        test_fail(__FILE__, __LINE__, "the reader ran after %ld yields", yields);
    CHECK_OK(whorl_group_wait(&group));
    close(pipe_and_done[0]);
    close(pipe_and_done[1]);
}

/* Keeps the thread busy between two yields, as real tasks do. */
static void work_for(int64_t duration_ns)
{
    int64_t until = whorl_now() + duration_ns;
    while (whorl_now() < until)
        ;
}

TEST_IO(turns_get_shorter_when_tasks_work_between_yields)
{
    struct whorl_run_stats before, after;

    for (int i = 0; i < 400; i++) { /* lets the turns adapt */
        work_for(200 * WHORL_MICROSECOND);
        CHECK_OK(whorl_yield());
    }
    CHECK_OK(whorl_run_get_stats(&before));
    for (int i = 0; i < 100; i++) {
        work_for(200 * WHORL_MICROSECOND);
        CHECK_OK(whorl_sleep(0));
    }
    CHECK_OK(whorl_run_get_stats(&after));
    /* 100 steps of 200 us are 80 turns of 250 us; a turn of 256 switches would be 50 ms. */
    if (after.turns - before.turns < 40)
        test_fail(__FILE__, __LINE__, "only %llu turns",
                  (unsigned long long)(after.turns - before.turns));
}

TEST_MAIN()
