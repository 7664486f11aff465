/* SPDX-License-Identifier: MIT */
/* The epoll driver: when it is chosen, and what only this driver does. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <whorl.h>

#include "child.h"
#include "io/driver/epoll.h"
#include "io_faults.h"
#include "test.h"

static void on_epoll(void)
{
    setenv("WHORL_DRIVER", "epoll", 1);
}

__attribute__((constructor)) static void choose_epoll(void)
{
    test_at_start(on_epoll);
}

static const struct epoll_stats *stats(void)
{
    return epoll_driver_stats(io_driver_current());
}

static int name_driver(void *arg)
{
    (void)arg;
    return strcmp(whorl_io_driver(), "epoll") == 0 ? 1 : 2;
}

TEST(a_refused_ring_is_replaced_and_other_failures_are_told)
{
    unsetenv("WHORL_DRIVER");
    io_faults_setup(-EPERM, 0);
    CHECK_EQ(whorl_io_run(name_driver, NULL), 1);
    io_faults_setup(-ENOSYS, 0);
    CHECK_EQ(whorl_io_run(name_driver, NULL), 1);
    io_faults_setup(-EMFILE, 0);
    CHECK_ERR(whorl_io_run(name_driver, NULL), -EMFILE);
    io_faults_setup(-EPERM, 0);
    setenv("WHORL_DRIVER", "io_uring", 1);
    CHECK_ERR(whorl_io_run(name_driver, NULL), -EPERM);
    setenv("WHORL_DRIVER", "epoll", 1);
    CHECK_EQ(whorl_io_run(name_driver, NULL), 1);
}

/* Acts like a container: the kernel answers io_uring_setup(2) with `err`. */
static void forbid_io_uring(int err)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

struct forbidden {
    int err;
    const char *driver; /* NULL: any driver */
};

/* Runs in a child, because a filter cannot be removed. */
static void run_forbidden(void *arg)
{
    const struct forbidden *f = arg;
    struct whorl_error error = {0};

    unsetenv("WHORL_DRIVER");
    if (f->driver)
        setenv("WHORL_DRIVER", f->driver, 1);
    setenv("WHORL_DEBUG", "io", 1);
    forbid_io_uring(f->err);
    int err = whorl_io_run_with(NULL, &error, name_driver, NULL);
    if (err < 0)
        fprintf(stderr, "%s: %s: %s\n", whorl_error_name(err), error.step, error.text);
    else if (err != 1)
        fprintf(stderr, "another driver\n");
}

static void check_forbidden(int err, const char *driver, const char *expected)
{
    static struct child child;

    if (test_on_qemu())
        test_skip("qemu has no seccomp filters");
    child_run(&child, run_forbidden, &(struct forbidden){err, driver});
    CHECK_EQ(child.exit_status, 0);
    CHECK_STR(child.err, expected);
}

TEST(a_seccomp_filter_is_got_around_and_named)
{
    check_forbidden(EPERM, NULL,
                    "whorl: epoll driver: io_uring refused: operation not permitted "
                    "(a seccomp filter is in force)\n");
    check_forbidden(ENOSYS, NULL,
                    "whorl: epoll driver: io_uring refused: function not implemented "
                    "(a seccomp filter is in force)\n");
    check_forbidden(EPERM, "epoll", "whorl: epoll driver: WHORL_DRIVER=epoll\n");
}

TEST(a_ring_that_is_asked_for_and_refused_is_an_error_with_words)
{
    check_forbidden(
        EPERM, "io_uring",
        "EPERM: io_uring: io_uring is not permitted here: it is refused by a seccomp filter, "
        "which containers have by default, or by a security module\n");
    check_forbidden(
        ENOSYS, "io_uring",
        "ENOSYS: io_uring: this kernel has no io_uring: it is older than Linux 5.1 or was built "
        "without io_uring, or a sandbox hides it\n");
}

/* --- descriptors ------------------------------------------------------------------------------ */

struct reader {
    int fd;
    const char *name;
};

static int read_one(void *arg)
{
    struct reader *r = arg;
    char byte;
    ssize_t n = whorl_read(r->fd, &byte, 1);
    if (n == 1)
        test_log("%s%c", r->name, byte);
    else
        test_log("%s:%d", r->name, (int)n);
    return 0;
}

TEST_IO(readers_take_turns_and_a_hang_up_alone_wakes_the_rest)
{
    WHORL_AUTO(group) group = {0};
    int p[2];
    CHECK_OK(pipe(p));
    struct reader a = {p[0], "a"}, b = {p[0], "b"}, c = {p[0], "c"};
    CHECK_OK(whorl_spawn(&group, read_one, &a));
    CHECK_OK(whorl_spawn(&group, read_one, &b));
    CHECK_OK(whorl_spawn(&group, read_one, &c));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(write(p[1], "12", 2), 2);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    close(p[1]);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "a1 b2 c:0");
    close(p[0]);
}

/* The tasks write one after the other, because each page fills the pipe. */
static int write_page(void *arg)
{
    const struct reader *w = arg;
    char page[4096];

    memset(page, *w->name, sizeof page);
    test_log("%s%d", w->name, (int)whorl_write(w->fd, page, sizeof page));
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void read_page(int fd, char expected)
{
    char page[4096];

    CHECK_EQ(whorl_poll_fd(fd, POLLIN), POLLIN);
    CHECK_EQ(read(fd, page, sizeof page), 4096);
    CHECK_EQ(page[0], expected);
    CHECK_EQ(page[4095], expected);
}

TEST_IO(writers_take_turns_and_a_hang_up_alone_tells_the_rest)
{
    WHORL_AUTO(group) group = {0};
    int p[2];

    CHECK_OK(pipe(p));
    CHECK_EQ(fcntl(p[1], F_SETPIPE_SZ, 4096), 4096);
    struct reader full = {p[1], "."}, a = {p[1], "a"}, b = {p[1], "b"}, c = {p[1], "c"};
    write_page(&full);
    CHECK_OK(whorl_spawn(&group, write_page, &a));
    CHECK_OK(whorl_spawn(&group, write_page, &b));
    CHECK_OK(whorl_spawn(&group, write_page, &c));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    read_page(p[0], '.');
    read_page(p[0], 'a');
    CHECK_EQ(whorl_poll_fd(p[0], POLLIN), POLLIN); /* the page of b */
    close(p[0]);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), ".4096 a4096 b4096 c-32");
    close(p[1]);
}

TEST_IO(a_descriptor_closed_behind_our_back_and_used_again_is_a_new_one)
{
    char byte;
    int p[2], number = -1;
    for (int i = 0; i < 5; i++) {
        struct whorl_scope scope;
        CHECK_OK(pipe(p));
        CHECK(number < 0 || p[0] == number);
        number = p[0];
        whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
        CHECK_ERR(whorl_scope_leave(&scope, (int)whorl_read(p[0], &byte, 1)), -ETIMEDOUT);
        close(p[0]);
        close(p[1]);
    }
    CHECK_OK(pipe(p));
    WHORL_AUTO(group) group = {0};
    struct reader r = {p[0], "r"};
    CHECK_OK(whorl_spawn(&group, read_one, &r));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "rx");
    close(p[0]);
    close(p[1]);
}

TEST_IO(blocking_flags_are_left_as_they_were)
{
    struct whorl_scope scope;
    char byte;
    int p[2];
    CHECK_OK(pipe(p));
    int before = fcntl(p[0], F_GETFL);
    whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
    CHECK_ERR(whorl_scope_leave(&scope, (int)whorl_read(p[0], &byte, 1)), -ETIMEDOUT);
    CHECK_EQ(fcntl(p[0], F_GETFL), before);
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    struct whorl_addr addr;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 1, &addr));
    before = fcntl(fd, F_GETFL);
    CHECK_ERR(whorl_connect(fd, &addr), -ECONNREFUSED);
    CHECK_EQ(fcntl(fd, F_GETFL), before);
    close(fd);
    close(p[0]);
    close(p[1]);
}

TEST_IO(files_are_read_and_written_by_threads)
{
    char path[512], text[8] = "";
    snprintf(path, sizeof path, "%s/file", test_tmpdir());
    int fd = whorl_openat(AT_FDCWD, path, O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    CHECK_OK(whorl_write_all(fd, "hello", 5));
    CHECK_OK(whorl_fsync(fd, true));
    CHECK_ERR(whorl_pread(fd, text, sizeof text, 0), 5);
    CHECK_STR(text, "hello");
    CHECK_ERR(whorl_read(fd, text, sizeof text), 0);
    CHECK_OK(whorl_close(fd));
    CHECK(stats()->threaded >= 3);
}

/* --- threads ---------------------------------------------------------------------------------- */

static atomic_int begun; /* number of opens that threads have begun */

int __real_syscall_block(struct io_op *op);
int __wrap_syscall_block(struct io_op *op);

int __wrap_syscall_block(struct io_op *op)
{
    atomic_fetch_add(&begun, 1);
    return __real_syscall_block(op);
}

static int open_path(void *arg)
{
    int fd = whorl_openat(AT_FDCWD, arg, O_RDONLY, 0);
    return fd < 0 ? fd : whorl_close(fd);
}

static void check_dump_says(const char *expected)
{
    static char text[8192];
    FILE *to = fmemopen(text, sizeof text, "w");

    whorl_run_dump_tasks(to);
    fclose(to);
    if (!strstr(text, expected))
        test_fail(__FILE__, __LINE__, "'%s' is not in: %s", expected, text);
}

static const char *make_fifo(void)
{
    static char path[512];

    snprintf(path, sizeof path, "%s/fifo", test_tmpdir());
    CHECK_EQ(mkfifo(path, 0600), 0);
    return path;
}

TEST_IO(a_report_names_the_path_that_a_thread_is_at)
{
    WHORL_AUTO(group) group = {0};
    const char *path = make_fifo();
    char expected[600];

    snprintf(expected, sizeof expected, "waits for openat \"%s\"\n", path);
    CHECK_OK(whorl_spawn(&group, open_path, (void *)(uintptr_t)path));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND)); /* the other end is not open */
    check_dump_says(expected);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK_OK(whorl_group_wait(&group));
    close(fd);
}

struct opener {
    const char *path;
    struct whorl_scope scope;
    int result;
    bool done;
};

/* Opens the path in a scope that the test can cancel. The outcome is stored in `result`. */
static int open_in_scope(void *arg)
{
    struct opener *o = arg;

    whorl_scope_enter(&o->scope, WHORL_FOREVER);
    o->result = whorl_openat(AT_FDCWD, o->path, O_RDONLY, 0);
    whorl_scope_leave(&o->scope, 0);
    o->done = true;
    return 0;
}

TEST_IO(what_no_thread_has_begun_is_cancelled_and_the_rest_is_waited_for)
{
    enum { THREADS = 8, ALL = THREADS + 2 };
    static struct opener openers[ALL];
    WHORL_AUTO(group) group = {0};
    const char *path = make_fifo();

    for (int i = 0; i < ALL; i++) {
        openers[i].path = path;
        CHECK_OK(whorl_spawn(&group, open_in_scope, &openers[i]));
    }
    while (atomic_load(&begun) < THREADS) /* the other two wait for a thread */
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    whorl_scope_cancel(&openers[THREADS].scope);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK(openers[THREADS].done);
    CHECK_ERR(openers[THREADS].result, -ECANCELED);

    whorl_scope_cancel(&openers[0].scope); /* a thread uses its memory, so this has no effect */
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    CHECK(!openers[0].done);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK_OK(whorl_group_wait(&group));
    for (int i = 0; i < ALL; i++)
        if (i != THREADS) {
            CHECK(openers[i].result >= 0); /* completion wins: the descriptor is not lost */
            close(openers[i].result);
        }
    CHECK_EQ(stats()->threaded, ALL - 1);
    close(fd);
}

/* --- time and kicks --------------------------------------------------------------------------- */

TEST_IO(a_deadline_a_fraction_of_a_millisecond_away_does_not_spin)
{
    int p[2];
    CHECK_OK(pipe(p));
    uint64_t waits = stats()->waits;
    for (int i = 0; i < 20; i++) {
        struct whorl_scope scope;
        int64_t start = whorl_now();
        whorl_scope_enter(&scope, start + 400 * WHORL_MICROSECOND);
        CHECK_ERR(whorl_scope_leave(&scope, whorl_poll_fd(p[0], POLLIN)), -ETIMEDOUT);
        CHECK(whorl_now() - start >= 400 * WHORL_MICROSECOND);
    }
    CHECK(stats()->waits - waits <= 100);
    close(p[0]);
    close(p[1]);
}

TEST_IO(kicks_before_the_loop_looks_cost_one_wake)
{
    struct whorl_poller *poller = whorl_poller_current();
    for (int i = 0; i < 100; i++)
        poller->ops->kick(poller);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(stats()->kicks, 1);
    poller->ops->kick(poller);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(stats()->kicks, 2);
}

struct kicker {
    struct whorl_poller *poller;
    sem_t wanted;
    int rounds;
};

static void *kick_when_wanted(void *arg)
{
    struct kicker *k = arg;

    for (int i = 0; i < k->rounds; i++) {
        while (sem_wait(&k->wanted) < 0)
            CHECK_EQ(errno, EINTR);
        k->poller->ops->kick(k->poller);
    }
    return NULL;
}

TEST_IO(a_kick_from_a_thread_ends_the_wait_each_time)
{
    struct kicker k = {.poller = whorl_poller_current(), .rounds = 2000};
    pthread_t thread;

    sem_init(&k.wanted, 0, 0);
    CHECK_OK(pthread_create(&thread, NULL, kick_when_wanted, &k));
    for (int i = 1; i <= k.rounds; i++) {
        sem_post(&k.wanted);
        /* Otherwise it would never return. */
        CHECK_OK(k.poller->ops->wait(k.poller, WHORL_FOREVER));
        CHECK_EQ(stats()->kicks, i);
    }
    pthread_join(thread, NULL);
    sem_destroy(&k.wanted);
}

TEST_MAIN()
