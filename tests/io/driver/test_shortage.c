/* SPDX-License-Identifier: MIT */
/* Requests of a process that may start no thread: neither the kernel's worker threads for io_uring
 * nor ours. RLIMIT_NPROC sets this for one process and an unprivileged user; pids.max of a cgroup
 * does the same. */
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <whorl.h>

#include "child.h"
#include "io/fd/disk_call.h"
#include "test.h"

static const char *directory;

/* From here on this process and its user start no thread. */
static void allow_threads(rlim_t max)
{
    struct rlimit limit = {max, max};
    CHECK_OK(setrlimit(RLIMIT_NPROC, &limit));
    if (getuid() == 0) {
        CHECK_OK(setgroups(0, NULL));
        CHECK_OK(setgid(65534));
        CHECK_OK(setuid(65534));
    }
}

static int five(void *arg)
{
    (void)arg;
    return 5;
}

static int use_files(void *arg)
{
    char buf[8] = "", target[8] = "";
    struct iovec parts[] = {{"cd", 2}, {"ef", 2}};
    struct timespec times[2] = {{1, 0}, {2, 0}};
    int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC), p[2];
    (void)arg;
    CHECK(dir >= 0);
    CHECK_ERR(disk_call_run(five, NULL, "call", "path"), 5);
    CHECK_OK(whorl_mkdirat(dir, "sub", 0700));
    CHECK_OK(whorl_renameat(dir, "sub", dir, "down", 0));
    int fd = whorl_openat(dir, "down/file", O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    CHECK_ERR(whorl_pwrite(fd, "ab", 2, 0), 2);
    CHECK_EQ(lseek(fd, 2, SEEK_SET), 2);
    CHECK_ERR(whorl_writev(fd, parts, 2), 4);
    CHECK_OK(whorl_fsync(fd, false));
    CHECK_OK(whorl_fsync(fd, true));
    CHECK_OK(whorl_fallocate(fd, 0, 0, 8192));
    CHECK_OK(whorl_ftruncate(fd, 6));
    CHECK_ERR(whorl_pread(fd, buf, sizeof buf, 0), 6);
    CHECK_STR(buf, "abcdef");
    CHECK_OK(whorl_flock(fd, LOCK_EX));
    CHECK_OK(whorl_linkat(dir, "down/file", dir, "down/hard", 0));
    CHECK_OK(whorl_symlinkat("hard", dir, "down/soft"));
    CHECK_ERR(whorl_readlinkat(dir, "down/soft", target, sizeof target), 4);
    CHECK_STR(target, "hard");
    CHECK_OK(whorl_utimensat(dir, "down/file", times, 0));
    CHECK_OK(whorl_pipe(p));
    CHECK_OK(lseek(fd, 0, SEEK_SET));
    CHECK_ERR(whorl_splice(fd, p[1], 6), 6);
    CHECK_ERR(whorl_read(p[0], buf, sizeof buf), 6);
    CHECK_ERR(whorl_sendfile(fd, p[1], 2, 4), 4);
    CHECK_ERR(whorl_read(p[0], buf, sizeof buf), 4);
    CHECK_OK(whorl_close(p[0]));
    CHECK_OK(whorl_close(p[1]));
    CHECK_OK(whorl_close(fd));
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
    CHECK_OK(whorl_unlinkat(dir, "down/soft", 0));
    CHECK_OK(whorl_unlinkat(dir, "down/hard", 0));
    CHECK_OK(whorl_unlinkat(dir, "down/file", 0));
    CHECK_OK(whorl_unlinkat(dir, "down", AT_REMOVEDIR));
    CHECK_ERR(whorl_unlinkat(dir, "down", AT_REMOVEDIR), -ENOENT);
    CHECK_OK(whorl_close(dir));
    return 0;
}

static void run_without_threads(void *fn)
{
    allow_threads(1); /* this one */
    CHECK_OK(whorl_io_run(*(whorl_task_fn *)fn, NULL));
}

static void check_without_threads(whorl_task_fn fn)
{
    static struct child child;
    directory = test_tmpdir();
    CHECK_OK(chmod(directory, 0777));
    child_run(&child, run_without_threads, &fn);
    CHECK_EQ(child.exit_status, 0);
}

TEST(without_threads_files_are_used_all_the_same)
{
    check_without_threads(use_files);
}

/* A FIFO without another end must not block the run's thread. */
static int open_a_fifo(void *arg)
{
    int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)arg;
    CHECK_OK(mkfifoat(dir, "fifo", 0600));
    int fd = whorl_openat(dir, "fifo", O_WRONLY | O_CREAT, 0600);
    CHECK(fd == -EAGAIN || fd == -ENXIO);
    CHECK_OK(whorl_unlinkat(dir, "fifo", 0));
    CHECK_OK(whorl_close(dir));
    return 0;
}

TEST(without_threads_nothing_waits_for_another_process)
{
    check_without_threads(open_a_fifo);
}

static int fsync_is_cancelled(void *arg)
{
    struct whorl_scope scope;
    char path[300];
    (void)arg;
    snprintf(path, sizeof path, "%s/file", directory);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_fsync(fd, false), -ECANCELED);
    CHECK_OK(whorl_close(fd)); /* closes in a cancelled scope */
    CHECK_EQ(fcntl(fd, F_GETFD), -1);
    CHECK_OK(whorl_scope_leave(&scope, 0));
    return 0;
}

TEST(without_threads_a_cancel_is_still_a_cancel)
{
    check_without_threads(fsync_is_cancelled);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int lose_threads(void *arg)
{
    CHECK_OK(whorl_offload_run(NULL, nothing, NULL));
    struct timespec times[2] = {{1, 0}, {2, 0}};
    CHECK_OK(whorl_utimensat(AT_FDCWD, directory, times, 0)); /* by one of the library's threads */
    allow_threads(1);
    return use_files(arg);
}

static void run_lose_threads(void *arg)
{
    CHECK_OK(whorl_io_run(lose_threads, arg));
}

TEST(the_threads_that_exist_do_what_the_kernel_has_none_for)
{
    static struct child child;
    directory = test_tmpdir();
    CHECK_OK(chmod(directory, 0777));
    child_run(&child, run_lose_threads, NULL);
    CHECK_EQ(child.exit_status, 0);
}

/* A ring that is set up with RLIMIT_NPROC 0 would leave some requests in the kernel for ever. */
static int is_on_epoll(void *arg)
{
    CHECK_STR(whorl_io_driver(), "epoll");
    return use_files(arg);
}

static void run_with_limit_0(void *arg)
{
    struct whorl_error error = {0};
    allow_threads(0);
    unsetenv("WHORL_DRIVER");
    CHECK_OK(whorl_io_run(is_on_epoll, arg));
    setenv("WHORL_DRIVER", "io_uring", 1);
    CHECK_ERR(whorl_io_run_with(NULL, &error, is_on_epoll, arg), -EPERM);
    CHECK_STR(error.text, "RLIMIT_NPROC is 0, so the kernel starts no threads for io_uring");
}

TEST(with_a_limit_of_0_threads_the_epoll_driver_is_used)
{
    static struct child child;
    directory = test_tmpdir();
    CHECK_OK(chmod(directory, 0777));
    child_run(&child, run_with_limit_0, NULL);
    CHECK_EQ(child.exit_status, 0);
}

TEST_MAIN()
