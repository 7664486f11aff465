/* SPDX-License-Identifier: MIT */
/* Requests: cancelling each kind at each stage, which requests count as pending, forks, and modules
 * of a run. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "dump.h"
#include "io/driver/op.h"
#include "io_faults.h"
#include "test.h"

static size_t in_flight(void)
{
    return io_driver_current()->in_flight;
}

/* --- where requests are refused --------------------------------------------------------------- */

TEST(requests_outside_a_run_are_refused)
{
    char byte;
    CHECK_ERR(whorl_read(0, &byte, 1), WHORL_ENOTASK);
    struct io_op op = {.code = IO_OP_NOP};
    CHECK_ERR(io_op_start(&op), WHORL_ENOTASK);
    CHECK(io_driver_current() == NULL);
    CHECK(whorl_io_driver() == NULL);
}

TEST_VIRTUAL(requests_in_a_run_without_io_are_refused)
{
    char byte;
    CHECK_ERR(whorl_read(0, &byte, 1), WHORL_ENOIO);
    struct io_op op = {.code = IO_OP_NOP};
    CHECK_ERR(io_op_start(&op), WHORL_ENOIO);
}

static int forty_two(void *arg)
{
    (void)arg;
    return 42;
}

TEST_IO(a_run_inside_a_run_is_refused)
{
    CHECK_ERR(whorl_io_run(forty_two, NULL), WHORL_EBUSYRUN);
    CHECK_STR(whorl_io_driver(), io_driver_current()->ops->name); /* the first run continues */
}

TEST_IO(a_forked_child_is_refused_and_the_parent_goes_on)
{
    int p[2], status;
    char buf[8];
    CHECK_OK(pipe(p));
    CHECK_ERR(whorl_write(p[1], "a", 1), 1);

    pid_t child = fork();
    if (child == 0) {
        bool refused =
            whorl_read(p[0], buf, 1) == WHORL_ENOIO && !whorl_io_driver() && whorl_close(p[1]) == 0;
        _exit(refused ? 0 : 1);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_ERR(whorl_read(p[0], buf, sizeof buf), 1); /* the child has not taken the byte */
    CHECK_OK(whorl_close(p[0]));
    CHECK_OK(whorl_close(p[1]));
}

static int fork_and_end(void *arg)
{
    pid_t *child = arg;
    *child = fork();
    return 0;
}

TEST(a_child_that_leaves_the_run_touches_nothing_and_may_start_its_own)
{
    pid_t child;
    int status;
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer does not follow a fork out of a task");
#endif
    CHECK_OK(whorl_io_run(fork_and_end, &child));
    if (child == 0)
        _exit(whorl_io_run(forty_two, NULL) == 42 ? 0 : 1);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* --- cancelling ------------------------------------------------------------------------------- */

/* One request of each kind that waits for ever, on descriptors made for it. */
struct kind {
    const char *name;
    enum io_op_code code;
    bool writes;
};

static const struct kind kinds[] = {
    {"read", IO_OP_READ, false},       {"write", IO_OP_WRITE, true},
    {"readv", IO_OP_READV, false},     {"writev", IO_OP_WRITEV, true},
    {"recv", IO_OP_RECV, false},       {"send", IO_OP_SEND, true},
    {"recvmsg", IO_OP_RECVMSG, false}, {"sendmsg", IO_OP_SENDMSG, true},
    {"poll", IO_OP_POLL, false},       {"accept", IO_OP_ACCEPT, false},
    {"connect", IO_OP_CONNECT, true},
};

struct waiting {
    struct io_op op;
    int fds[8], fd_count;
    char buf[64];
    struct iovec iov;
    struct msghdr msg;
    struct whorl_addr addr;
    struct whorl_scope scope;
    int result;
    bool entered, done;
};

static void keep_fd(struct waiting *w, int fd)
{
    CHECK(fd >= 0);
    w->fds[w->fd_count++] = fd;
}

static void fill_up(int fd)
{
    static char zeros[65536];
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    while (write(fd, zeros, sizeof zeros) > 0) {
    }
    CHECK(errno == EAGAIN);
    CHECK(fcntl(fd, F_SETFL, 0) == 0);
}

/* A listening socket whose queue is full, so that a connect waits. */
static void prepare_connect(struct waiting *w)
{
    struct whorl_addr any;
    CHECK_OK(whorl_addr_unix("@", &any));
    any.len = offsetof(struct sockaddr_un, sun_path); /* the kernel chooses a name */
    keep_fd(w, whorl_socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_OK(whorl_bind(w->fds[0], &any));
    CHECK_OK(listen(w->fds[0], 0));
    CHECK_OK(whorl_addr_local(w->fds[0], &w->addr));
    for (int err = 0; err == 0;) {
        keep_fd(w, whorl_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
        err = connect(w->fds[w->fd_count - 1], &w->addr.sa, w->addr.len);
    }
    keep_fd(w, whorl_socket(AF_UNIX, SOCK_STREAM, 0));
    w->op.fd = w->fds[w->fd_count - 1];
    w->op.addr = (uint64_t)(uintptr_t)&w->addr.sa;
    w->op.len = w->addr.len;
}

static void prepare(struct waiting *w, const struct kind *kind)
{
    int p[2];

    memset(w, 0, sizeof *w);
    memset(w->buf, '.', sizeof w->buf);
    w->op.code = kind->code;
    switch (kind->code) {
    case IO_OP_CONNECT:
        prepare_connect(w);
        return;
    case IO_OP_ACCEPT:
        keep_fd(w, whorl_socket(AF_INET, SOCK_STREAM, 0));
        CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &w->addr));
        CHECK_OK(whorl_bind(w->fds[0], &w->addr));
        CHECK_OK(listen(w->fds[0], 5));
        w->op.fd = w->fds[0];
        return;
    default:
        break;
    }
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    keep_fd(w, p[0]);
    keep_fd(w, p[1]);
    if (kind->writes)
        fill_up(p[0]);
    w->op.fd = p[0];
    w->op.addr = (uint64_t)(uintptr_t)w->buf;
    w->op.len = sizeof w->buf;
    w->iov = (struct iovec){w->buf, sizeof w->buf};
    w->msg = (struct msghdr){.msg_iov = &w->iov, .msg_iovlen = 1};
    if (kind->code == IO_OP_READ || kind->code == IO_OP_WRITE)
        w->op.off = UINT64_MAX;
    if (kind->code == IO_OP_READV || kind->code == IO_OP_WRITEV) {
        w->op.off = UINT64_MAX;
        w->op.addr = (uint64_t)(uintptr_t)&w->iov;
        w->op.len = 1;
    }
    if (kind->code == IO_OP_RECVMSG || kind->code == IO_OP_SENDMSG)
        w->op.addr = (uint64_t)(uintptr_t)&w->msg;
    if (kind->code == IO_OP_POLL) {
        w->op.addr = 0;
        w->op.len = POLLIN;
    }
}

static void finish(struct waiting *w)
{
    for (int i = 0; i < w->fd_count; i++)
        close(w->fds[i]);
}

static int wait_for_op(void *arg)
{
    struct waiting *w = arg;
    whorl_scope_enter(&w->scope, WHORL_FOREVER);
    w->entered = true;
    w->result = io_op_run(&w->op, "test");
    whorl_scope_leave(&w->scope, 0);
    w->done = true;
    return 0;
}

enum stage { QUEUED, SUBMITTED, WAITING };

/* Cancels the request before the kernel has seen it, in the turn in which it is submitted, or
 * later. */
static WHORL_SUSPENDS_SHIELDED void cancel_at(const struct kind *kind, enum stage stage)
{
    static struct waiting w;
    WHORL_AUTO(group) group = {0};

    prepare(&w, kind);
    CHECK_OK(whorl_spawn(&group, wait_for_op, &w));
    CHECK_OK(whorl_yield());
    CHECK(w.entered && !w.done);
    CHECK_EQ(in_flight(), 1);
    if (stage == SUBMITTED)
        CHECK_OK(io_driver_current()->poller.ops->wait(&io_driver_current()->poller, 0));
    else if (stage == WAITING)
        CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    CHECK(!w.done);
    whorl_scope_cancel(&w.scope);
    CHECK(!w.done);
    CHECK_OK(whorl_group_wait(&group));
    if (w.result != -ECANCELED)
        test_fail(__FILE__, __LINE__, "%s at stage %d: %d", kind->name, stage, w.result);
    CHECK_EQ(in_flight(), 0);
    /* The caller owns the memory again: data that arrives now must not be written to it. */
    if (!kind->writes && w.fd_count == 2) {
        CHECK_EQ(write(w.fds[1], "xxxx", 4), 4);
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
        CHECK_EQ(w.buf[0], '.');
        CHECK_EQ(read(w.fds[0], w.buf, sizeof w.buf), 4);
    }
    finish(&w);
}

TEST_IO(every_kind_of_request_is_cancelled_while_it_waits)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        cancel_at(&kinds[i], WAITING);
}

TEST_IO(every_kind_of_request_is_cancelled_as_it_is_submitted)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        cancel_at(&kinds[i], SUBMITTED);
}

TEST_IO(every_kind_of_request_is_cancelled_before_it_is_submitted)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        cancel_at(&kinds[i], QUEUED);
}

TEST_IO(nothing_is_submitted_in_a_cancelled_scope)
{
    struct whorl_scope scope;
    struct waiting w;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        prepare(&w, &kinds[i]);
        whorl_scope_enter(&scope, WHORL_FOREVER);
        whorl_scope_cancel(&scope);
        io_faults_submit(1);
        CHECK_ERR(io_op_run(&w.op, "test"), -ECANCELED);
        CHECK(!io_faults_disarm());
        CHECK_EQ(in_flight(), 0);
        whorl_scope_leave(&scope, 0);
        finish(&w);
    }
}

/* A request on a thread: io_uring has no opcode for flock(2) either. */
struct locker {
    struct io_op op;
    struct whorl_scope scope;
    int result;
    bool done;
};

static int lock_in_scope(void *arg)
{
    struct locker *l = arg;
    whorl_scope_enter(&l->scope, WHORL_FOREVER);
    l->result = io_op_run(&l->op, "flock");
    whorl_scope_leave(&l->scope, 0);
    l->done = true;
    return 0;
}

static int open_lock_file(void)
{
    char path[512];
    snprintf(path, sizeof path, "%s/lock", test_tmpdir());
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    return fd;
}

/* How many threads of all processes wait for a lock of the file. */
static int waiters_for(int fd)
{
    struct stat st;
    char inode[32], line[256];
    FILE *locks = fopen("/proc/locks", "re");
    int n = 0;

    CHECK(locks);
    CHECK_OK(fstat(fd, &st));
    snprintf(inode, sizeof inode, ":%llu ", (unsigned long long)st.st_ino);
    while (fgets(line, sizeof line, locks))
        n += strstr(line, "-> FLOCK") && strstr(line, inode);
    fclose(locks);
    return n;
}

TEST_IO(a_request_is_cancelled_before_a_thread_begins_it_and_waited_for_after)
{
    enum { THREADS = 8, ALL = THREADS + 3 };
    static struct locker lockers[ALL];
    WHORL_AUTO(group) group = {0};
    int holder = open_lock_file();

    CHECK_OK(flock(holder, LOCK_EX));
    for (int i = 0; i < ALL; i++) {
        lockers[i].op =
            (struct io_op){.code = IO_OP_FLOCK, .fd = open_lock_file(), .flags = LOCK_SH};
        CHECK_OK(whorl_spawn(&group, lock_in_scope, &lockers[i]));
    }
    for (int i = 0; waiters_for(holder) < THREADS && i < 10000; i++)
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND)); /* until eight are begun; three are queued */
    CHECK_EQ(in_flight(), ALL);
    whorl_scope_cancel(&lockers[ALL - 2].scope);
    whorl_scope_cancel(&lockers[0].scope);
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    CHECK(lockers[ALL - 2].done);
    CHECK_ERR(lockers[ALL - 2].result, -ECANCELED);
    CHECK(!lockers[0].done);
    CHECK_EQ(in_flight(), ALL - 1);
    CHECK_OK(flock(holder, LOCK_UN));
    CHECK_OK(whorl_group_wait(&group));
    for (int i = 0; i < ALL; i++) {
        if (i != ALL - 2)
            CHECK_OK(lockers[i].result); /* completion wins */
        close(lockers[i].op.fd);
    }
    CHECK_EQ(in_flight(), 0);
    close(holder);
}

/* The request and its cancel reach the kernel together, and the data is already there. */
TEST_IO(completion_wins_over_a_cancel_that_comes_too_late)
{
    static struct waiting w;
    WHORL_AUTO(group) group = {0};
    prepare(&w, &kinds[0]);
    CHECK_EQ(write(w.fds[1], "data", 4), 4);
    CHECK_OK(whorl_spawn(&group, wait_for_op, &w));
    CHECK_OK(whorl_yield());
    whorl_scope_cancel(&w.scope);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(w.result, 4);
    CHECK_EQ(memcmp(w.buf, "data", 4), 0);
    finish(&w);
}

/* Data and cancel race: whichever wins, no byte is lost or read twice. */
TEST_IO(a_cancel_that_races_with_data_loses_no_byte)
{
    for (int i = 0; i < 200; i++) {
        static struct waiting w;
        WHORL_AUTO(group) group = {0};
        prepare(&w, &kinds[i % 2 ? 4 : 0]);
        CHECK_OK(whorl_spawn(&group, wait_for_op, &w));
        CHECK_OK(whorl_sleep(10 * WHORL_MICROSECOND));
        if (i % 4 < 2) {
            CHECK_EQ(write(w.fds[1], "data", 4), 4);
            whorl_scope_cancel(&w.scope);
        } else {
            whorl_scope_cancel(&w.scope);
            CHECK_EQ(write(w.fds[1], "data", 4), 4);
        }
        CHECK_OK(whorl_group_wait(&group));
        if (w.result == -ECANCELED)
            CHECK_ERR(whorl_read(w.fds[0], w.buf, sizeof w.buf), 4);
        else
            CHECK_ERR(w.result, 4);
        CHECK_EQ(memcmp(w.buf, "data", 4), 0);
        finish(&w);
    }
}

TEST_IO(a_deadline_ends_a_read)
{
    struct whorl_scope scope;
    struct waiting w;
    prepare(&w, &kinds[0]);
    int64_t start = whorl_now();
    whorl_scope_enter(&scope, whorl_after(5 * WHORL_MILLISECOND));
    int err = io_op_run(&w.op, "test");
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK(whorl_now() - start >= 5 * WHORL_MILLISECOND);
    finish(&w);
}

static void on_signal(int signal)
{
    (void)signal;
}

/* A read whose deadline restarts with each signal would never end. */
TEST_IO(a_deadline_that_signals_interrupt_comes_in_time)
{
    struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART */
    struct itimerval often = {{0, 1000}, {0, 1000}}, never = {0};
    struct whorl_scope scope;
    int p[2];
    char byte;

    CHECK_OK(pipe(p));
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0);
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
    int64_t start = whorl_now();
    whorl_scope_enter(&scope, start + 50 * WHORL_MILLISECOND);
    CHECK_ERR(whorl_scope_leave(&scope, (int)whorl_read(p[0], &byte, 1)), -ETIMEDOUT);
    CHECK(whorl_now() - start >= 50 * WHORL_MILLISECOND);
    CHECK_OK(whorl_sleep(50 * WHORL_MILLISECOND));
    CHECK(whorl_now() - start >= 100 * WHORL_MILLISECOND);
    CHECK_EQ(setitimer(ITIMER_REAL, &never, NULL), 0);
    close(p[0]);
    close(p[1]);
}

TEST_IO(a_deadline_a_fraction_of_a_millisecond_away_does_not_spin)
{
    struct whorl_run_stats before, after;

    CHECK_OK(whorl_run_get_stats(&before));
    for (int i = 0; i < 10; i++) {
        int64_t start = whorl_now();
        CHECK_OK(whorl_sleep(400 * WHORL_MICROSECOND));
        CHECK(whorl_now() - start >= 400 * WHORL_MICROSECOND);
    }
    CHECK_OK(whorl_run_get_stats(&after));
    CHECK(after.polls - before.polls <= 30);
}

/* Reads from a pipe that has bytes, while the first completion is replaced by `err`. */
static WHORL_SUSPENDS_SHIELDED void check_read_completes_after(int err)
{
    int p[2];
    char buf[4];

    CHECK_OK(pipe(p));
    CHECK_EQ(write(p[1], "abc", 3), 3);
    io_faults_complete(1, err);
    CHECK_ERR(whorl_read(p[0], buf, sizeof buf), 3);
    CHECK(io_faults_disarm());
    close(p[0]);
    close(p[1]);
}

TEST_IO(an_interrupted_request_is_made_again)
{
    check_read_completes_after(-EINTR);
}

TEST_IO(a_request_that_would_block_waits_for_the_descriptor)
{
    check_read_completes_after(-EAGAIN);
}

/* --- requests that a run waits for ------------------------------------------------------------ */

static void ignore(struct io_op *op, int res, bool more)
{
    (void)op, (void)res, (void)more;
}

/* Waits for a wake that never comes, while a request that no task waits for is in flight. */
static int wait_for_nobody(void *arg)
{
    static struct io_op op;
    bool background = *(bool *)arg;
    struct whorl_scope scope;
    struct whorl_event event = {0};
    int p[2];

    CHECK_OK(pipe(p));
    op = (struct io_op){.code = IO_OP_POLL, .fd = p[0], .len = POLLIN, .complete = ignore};
    CHECK_OK(io_op_start(&op));
    io_op_set_background(&op, background);
    whorl_scope_enter(&scope, background ? WHORL_FOREVER : whorl_after(10 * WHORL_MILLISECOND));
    int err = whorl_event_wait(&event);
    err = whorl_scope_leave(&scope, err);
    close(p[0]);
    close(p[1]);
    return err;
}

TEST(tasks_that_wait_on_each_other_beside_a_background_request_are_a_deadlock)
{
    struct whorl_io_options options = {.run.quiet = true};
    CHECK_ERR(whorl_io_run_with(&options, NULL, wait_for_nobody, &(bool){true}), -EDEADLK);
}

TEST(tasks_that_wait_beside_another_request_are_no_deadlock)
{
    CHECK_ERR(whorl_io_run(wait_for_nobody, &(bool){false}), -ETIMEDOUT);
}

TEST_IO(the_background_count_follows_requests)
{
    struct io_driver *driver = io_driver_current();
    struct io_op op = {.code = IO_OP_NOP, .complete = ignore, .background = true};
    CHECK_OK(io_op_start(&op));
    CHECK_EQ(driver->background, 1);
    CHECK_EQ(driver->poller.ops->pending(&driver->poller), 0);
    io_op_set_background(&op, false);
    CHECK_EQ(driver->poller.ops->pending(&driver->poller), 1);
    io_op_set_background(&op, true);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(op.slot, 0);
    CHECK_EQ(driver->background, 0);
    CHECK_EQ(driver->in_flight, 0);
}

static void count_completions(struct io_op *op, int res, bool more)
{
    test_log("%s%s", res == -ECANCELED ? "cancelled" : res & POLLIN ? "in" : "?", more ? "+" : "");
    (void)op;
}

TEST_IO(a_multishot_request_completes_until_it_is_cancelled)
{
    io_faults_need_multishot();
    struct io_op op = {.code = IO_OP_POLL, .len = POLLIN, .multishot = true};
    int p[2];
    CHECK_OK(pipe(p));
    op.fd = p[0];
    op.complete = count_completions;
    CHECK_OK(io_op_start(&op));
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(write(p[1], "x", 1), 1);
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    }
    io_op_cancel(&op);
    io_op_cancel(&op);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_STR(test_logged(), "in+ in+ in+ cancelled");
    CHECK_EQ(op.slot, 0);
    io_op_cancel(&op); /* has no effect now */
    close(p[0]);
    close(p[1]);
}

/* --- modules of a run ------------------------------------------------------------------------- */

struct module {
    struct io_local local;
    struct io_op op;
    const char *name;
};

static void module_stop(struct io_local *local)
{
    struct module *m = (struct module *)local;
    test_log("stop-%s", m->name);
    io_op_cancel(&m->op);
}

static void module_destroy(struct io_local *local)
{
    struct module *m = (struct module *)local;
    test_log("destroy-%s", m->name);
    CHECK_EQ(m->op.slot, 0);
    close(m->op.fd);
    free(m);
}

static void module_complete(struct io_op *op, int res, bool more)
{
    (void)op;
    CHECK(!more);
    test_log("%s", whorl_error_name(res));
}

static int use_modules(void *arg)
{
    static const char keys[2];
    (void)arg;
    for (int i = 0; i < 2; i++) {
        CHECK(io_local_get(&keys[i]) == NULL);
        struct module *m = calloc(1, sizeof *m);
        CHECK(m);
        *m = (struct module){
            .local = {.key = &keys[i], .stop = module_stop, .destroy = module_destroy},
            .op = {.code = IO_OP_POLL, .len = POLLIN, .complete = module_complete},
            .name = i ? "b" : "a",
        };
        m->op.fd = eventfd(0, EFD_CLOEXEC);
        io_local_add(&m->local);
        CHECK(io_local_get(&keys[i]) == &m->local);
        CHECK_OK(io_op_start(&m->op));
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    }
    return 7;
}

TEST(modules_end_after_their_requests_and_the_last_made_first)
{
    CHECK_EQ(whorl_io_run(use_modules, NULL), 7);
    CHECK_STR(test_logged(), "stop-b stop-a ECANCELED ECANCELED destroy-b destroy-a");
    CHECK(io_local_get(NULL) == NULL);
}

static int leave_requests_behind(void *arg)
{
    static struct io_op ops[100];
    int *p = arg;
    for (int i = 0; i < 100; i++) {
        ops[i] = (struct io_op){
            .code = IO_OP_POLL, .fd = p[0], .len = POLLIN, .complete = module_complete};
        CHECK_OK(io_op_start(&ops[i]));
    }
    return 0;
}

TEST(the_end_of_a_run_waits_until_the_kernel_has_let_go_of_everything)
{
    struct whorl_io_options options = {.ring_entries = 8};
    int p[2];
    CHECK_OK(pipe(p));
    CHECK_OK(whorl_io_run_with(&options, NULL, leave_requests_behind, p));
    const char *text = test_logged();
    int n = 0;
    while ((text = strstr(text, "ECANCELED")))
        text++, n++;
    CHECK_EQ(n, 100);
    close(p[0]);
    close(p[1]);
}

/* --- in reports ------------------------------------------------------------------------------- */

static int read_one(void *arg)
{
    char byte;
    return (int)whorl_read(*(int *)arg, &byte, 1);
}

TEST_IO(reports_name_the_call_and_the_descriptor)
{
    WHORL_AUTO(group) group = {0};
    char expected[64];
    int fds[2];

    CHECK_EQ(pipe(fds), 0);
    snprintf(expected, sizeof expected, "waits for read fd %d\n", fds[0]);
    CHECK_OK(whorl_spawn(&group, read_one, &fds[0]));
    CHECK_OK(whorl_yield());
    CHECK_DUMP(expected); /* before the driver has seen it */
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_DUMP(expected); /* and again while it waits */
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    close(fds[0]);
    close(fds[1]);
}

TEST_MAIN()
