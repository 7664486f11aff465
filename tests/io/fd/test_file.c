/* SPDX-License-Identifier: MIT */
/* Files, directories and links: the effect of each call on the disk, its errors, and the same on an
 * older kernel. */
#include <unistd.h>

#include <liburing.h>

#include <whorl.h>
#include <whorl/file.h>

#include "io_faults.h"
#include "test.h"

static int open_tmpdir(void)
{
    int fd = open(test_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

TEST_IO(openat_creates_with_the_mode_and_close_on_exec)
{
    struct stat st;
    int dir = open_tmpdir();
    umask(022);
    int fd = whorl_openat(dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0640);
    CHECK(fd >= 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_mode & 0777, 0640);
    CHECK_ERR(whorl_openat(dir, "new", O_WRONLY | O_CREAT | O_EXCL, 0640), -EEXIST);
    CHECK_ERR(whorl_openat(dir, "missing", O_RDONLY, 0), -ENOENT);
    CHECK_ERR(whorl_openat(dir, "new", O_RDONLY | O_DIRECTORY, 0), -ENOTDIR);
    CHECK_OK(whorl_close(fd));
    close(dir);
}

TEST_IO(openat_takes_paths_relative_to_the_working_directory)
{
    CHECK_OK(chdir(test_tmpdir()));
    int fd = whorl_openat(AT_FDCWD, "here", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    CHECK_OK(access("here", F_OK));
    CHECK_OK(whorl_close(fd));
}

TEST_IO(statx_tells_size_and_kind)
{
    struct statx st;
    int dir = open_tmpdir();
    int fd = whorl_openat(dir, "file", O_WRONLY | O_CREAT, 0600);
    CHECK_OK(whorl_write_all(fd, "12345", 5));
    CHECK_OK(whorl_statx(dir, "file", 0, STATX_SIZE | STATX_TYPE, &st));
    CHECK_EQ(st.stx_size, 5);
    CHECK(S_ISREG(st.stx_mode));
    CHECK_OK(whorl_statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &st));
    CHECK_EQ(st.stx_size, 5);
    CHECK_ERR(whorl_statx(dir, "missing", 0, STATX_SIZE, &st), -ENOENT);
    CHECK_OK(whorl_close(fd));
    close(dir);
}

TEST_IO(fsync_and_fallocate_work_on_files_and_refuse_others)
{
    struct stat st;
    int dir = open_tmpdir(), p[2];
    int fd = whorl_openat(dir, "file", O_RDWR | O_CREAT, 0600);
    CHECK_OK(whorl_write_all(fd, "abc", 3));
    CHECK_OK(whorl_fsync(fd, false));
    CHECK_OK(whorl_fsync(fd, true));
    int err = whorl_fallocate(fd, 0, 0, 100000);
    if (err != -EOPNOTSUPP) {
        CHECK_OK(err);
        CHECK_OK(fstat(fd, &st));
        CHECK_EQ(st.st_size, 100000);
        CHECK_OK(whorl_fallocate(fd, FALLOC_FL_KEEP_SIZE, 100000, 4096));
        CHECK_OK(fstat(fd, &st));
        CHECK_EQ(st.st_size, 100000);
    }
    CHECK_OK(pipe(p));
    CHECK_ERR(whorl_fsync(p[1], false), -EINVAL);
    CHECK_ERR(whorl_fallocate(p[1], 0, 0, 1), -ESPIPE);
    close(p[0]);
    close(p[1]);
    CHECK_OK(whorl_close(fd));
    close(dir);
}

TEST_IO(directories_are_made_renamed_and_removed)
{
    int dir = open_tmpdir();
    CHECK_OK(whorl_mkdirat(dir, "a", 0700));
    CHECK_ERR(whorl_mkdirat(dir, "a", 0700), -EEXIST);
    int a = whorl_openat(dir, "a", O_RDONLY | O_DIRECTORY, 0);
    CHECK(a >= 0);
    int fd = whorl_openat(a, "one", O_WRONLY | O_CREAT, 0600);
    CHECK_OK(whorl_close(fd));
    CHECK_OK(whorl_renameat(a, "one", dir, "two", 0));
    CHECK_OK(faccessat(dir, "two", F_OK, 0));
    CHECK_EQ(faccessat(dir, "a/one", F_OK, 0), -1);
    fd = whorl_openat(a, "three", O_WRONLY | O_CREAT, 0600);
    CHECK_OK(whorl_close(fd));
    CHECK_ERR(whorl_renameat(a, "three", dir, "two", RENAME_NOREPLACE), -EEXIST);
    CHECK_ERR(whorl_unlinkat(dir, "a", AT_REMOVEDIR), -ENOTEMPTY);
    CHECK_OK(whorl_unlinkat(dir, "a/three", 0));
    CHECK_OK(whorl_unlinkat(dir, "a", AT_REMOVEDIR));
    CHECK_OK(whorl_unlinkat(dir, "two", 0));
    CHECK_ERR(whorl_unlinkat(dir, "two", 0), -ENOENT);
    CHECK_OK(whorl_close(a));
    close(dir);
}

TEST_IO(ftruncate_cuts_and_extends)
{
    struct stat st;
    int dir = open_tmpdir(), p[2];
    int fd = whorl_openat(dir, "file", O_RDWR | O_CREAT, 0600);
    CHECK_OK(whorl_write_all(fd, "0123456789", 10));
    CHECK_OK(whorl_ftruncate(fd, 4));
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 4);
    CHECK_OK(whorl_ftruncate(fd, 5000000000));
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 5000000000);
    CHECK_ERR(whorl_ftruncate(fd, -1), -EINVAL);
    CHECK_OK(pipe(p));
    CHECK_ERR(whorl_ftruncate(p[1], 0), -EINVAL);
    CHECK_ERR(whorl_ftruncate(999, 0), -EBADF);
    close(p[0]);
    close(p[1]);
    CHECK_OK(whorl_close(fd));
    close(dir);
}

TEST_IO(links_give_files_other_names)
{
    struct stat file, link;
    char text[64] = "";
    int dir = open_tmpdir();
    int fd = whorl_openat(dir, "file", O_WRONLY | O_CREAT, 0600);
    CHECK_OK(whorl_close(fd));
    CHECK_OK(whorl_mkdirat(dir, "sub", 0700));
    int sub = whorl_openat(dir, "sub", O_RDONLY | O_DIRECTORY, 0);
    CHECK(sub >= 0);
    CHECK_OK(whorl_linkat(dir, "file", sub, "hard", 0));
    CHECK_ERR(whorl_linkat(dir, "file", sub, "hard", 0), -EEXIST);
    CHECK_ERR(whorl_linkat(dir, "missing", sub, "other", 0), -ENOENT);
    CHECK_OK(fstatat(dir, "file", &file, 0));
    CHECK_OK(fstatat(dir, "sub/hard", &link, 0));
    CHECK_EQ(file.st_ino, link.st_ino);

    CHECK_OK(whorl_symlinkat("../file", sub, "soft"));
    CHECK_ERR(whorl_symlinkat("../file", sub, "soft"), -EEXIST);
    CHECK_OK(fstatat(sub, "soft", &link, 0));
    CHECK_EQ(file.st_ino, link.st_ino);
    CHECK_ERR(whorl_readlinkat(sub, "soft", text, sizeof text), 7);
    CHECK_STR(text, "../file");
    memset(text, 0, sizeof text);
    CHECK_ERR(whorl_readlinkat(sub, "soft", text, 4), 4);
    CHECK_STR(text, "../f");
    CHECK_ERR(whorl_readlinkat(sub, "hard", text, sizeof text), -EINVAL);
    CHECK_ERR(whorl_readlinkat(sub, "missing", text, sizeof text), -ENOENT);
    CHECK_OK(whorl_close(sub));
    close(dir);
}

TEST_IO(utimensat_sets_the_times_of_a_file_or_a_link)
{
    const struct timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 5}, {.tv_sec = 2000}};
    const struct timespec change[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = 3000}};
    struct stat st;
    int dir = open_tmpdir();
    int fd = whorl_openat(dir, "file", O_WRONLY | O_CREAT, 0600);
    CHECK_OK(whorl_close(fd));
    CHECK_OK(whorl_symlinkat("file", dir, "link"));
    CHECK_OK(whorl_utimensat(dir, "link", times, 0));
    CHECK_OK(fstatat(dir, "file", &st, 0));
    CHECK_EQ(st.st_atim.tv_sec, 1000);
    CHECK_EQ(st.st_atim.tv_nsec, 5);
    CHECK_EQ(st.st_mtim.tv_sec, 2000);
    CHECK_OK(whorl_utimensat(dir, "link", change, AT_SYMLINK_NOFOLLOW));
    CHECK_OK(fstatat(dir, "file", &st, 0));
    CHECK_EQ(st.st_mtim.tv_sec, 2000);
    CHECK_OK(fstatat(dir, "link", &st, AT_SYMLINK_NOFOLLOW));
    CHECK_EQ(st.st_mtim.tv_sec, 3000);
    CHECK_OK(whorl_utimensat(dir, "file", NULL, 0));
    CHECK_OK(fstatat(dir, "file", &st, 0));
    CHECK(st.st_mtim.tv_sec > 1000000000);
    CHECK_ERR(whorl_utimensat(dir, "missing", NULL, 0), -ENOENT);
    close(dir);
}

/* --- locks ------------------------------------------------------------------------------------ */

static WHORL_SUSPENDS int open_lock(int dir)
{
    int fd = whorl_openat(dir, "lock", O_RDWR | O_CREAT, 0600);
    CHECK(fd >= 0);
    return fd;
}

static int lock_and_log(void *arg)
{
    int err = whorl_flock(*(int *)arg, LOCK_EX);
    test_log("locked %d", err);
    return err;
}

TEST_IO(flock_waits_until_the_file_is_unlocked)
{
    WHORL_AUTO(group) group = {0};
    int dir = open_tmpdir(), a = open_lock(dir), b = open_lock(dir);
    CHECK_OK(whorl_flock(a, LOCK_EX));
    CHECK_ERR(whorl_flock(b, LOCK_EX | LOCK_NB), -EWOULDBLOCK);
    CHECK_OK(whorl_spawn(&group, lock_and_log, &b));
    CHECK_OK(whorl_sleep(20 * WHORL_MILLISECOND));
    test_log("unlock");
    CHECK_OK(whorl_flock(a, LOCK_UN));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "unlock locked 0");
    CHECK_ERR(whorl_flock(a, LOCK_SH | LOCK_NB), -EWOULDBLOCK);
    CHECK_OK(whorl_flock(b, LOCK_SH));
    CHECK_OK(whorl_flock(a, LOCK_SH | LOCK_NB));
    CHECK_ERR(whorl_flock(a, 0), -EINVAL);
    close(b);
    close(a);
    close(dir);
}

TEST_IO(a_cancelled_flock_locks_nothing_and_unlocking_is_no_cancel_point)
{
    struct whorl_scope scope;
    int dir = open_tmpdir(), a = open_lock(dir), b = open_lock(dir);
    CHECK_OK(whorl_flock(a, LOCK_EX));
    whorl_scope_enter(&scope, whorl_after(10 * WHORL_MILLISECOND));
    CHECK_ERR(whorl_flock(b, LOCK_EX), -ECANCELED);
    CHECK_ERR(whorl_flock(b, LOCK_EX | LOCK_NB), -ECANCELED);
    CHECK_OK(whorl_flock(a, LOCK_UN));
    CHECK_ERR(whorl_flock(a, LOCK_EX), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK_OK(whorl_flock(b, LOCK_EX | LOCK_NB));
    close(b);
    close(a);
    close(dir);
}

/* More tasks than there are threads wait, and the files of the task that has the lock do not. */
TEST_IO(tasks_that_wait_for_a_lock_do_not_hold_up_other_files)
{
    enum { WAITERS = 20 };
    WHORL_AUTO(group) group = {0};
    int dir = open_tmpdir(), holder = open_lock(dir), fds[WAITERS];
    CHECK_OK(whorl_flock(holder, LOCK_EX));
    for (int i = 0; i < WAITERS; i++) {
        fds[i] = open_lock(dir);
        CHECK_OK(whorl_spawn(&group, lock_and_log, &fds[i]));
    }
    CHECK_OK(whorl_sleep(5 * WHORL_MILLISECOND));
    CHECK_OK(whorl_fsync(holder, false));
    CHECK_OK(whorl_ftruncate(holder, 10));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    for (int i = 0; i < WAITERS; i++)
        close(fds[i]);
    close(holder);
    close(dir);
}

/* --- cancelling, failing, older kernels ------------------------------------------------------- */

/* An open that the cancel did not reach gives its descriptor to the caller, who closes it. */
static int open_cancelled(void *arg)
{
    int fd = whorl_openat(AT_FDCWD, arg, O_WRONLY | O_CREAT, 0600);
    if (fd >= 0)
        CHECK_OK(whorl_close(fd));
    return fd < 0 ? fd : 0;
}

TEST_IO(a_cancelled_open_leaves_no_descriptor_behind)
{
    char path[300];
    snprintf(path, sizeof path, "%s/file", test_tmpdir());
    for (int i = 0, fds = 0; i < 100; i++) {
        struct whorl_group group = {.policy = WHORL_GROUP_COLLECT};
        if (i == 1) /* the runtime has now opened what it needs for tasks */
            fds = test_open_fds();
        CHECK_OK(whorl_spawn(&group, open_cancelled, path));
        if (i % 2)
            CHECK_OK(whorl_yield());
        else
            CHECK_OK(whorl_sleep(i * WHORL_MICROSECOND));
        whorl_group_cancel(&group);
        int err = whorl_group_wait(&group);
        CHECK(err == 0 || err == -ECANCELED);
        if (i > 0)
            CHECK_EQ(test_open_fds(), fds);
    }
}

static int edit(void *arg)
{
    struct statx st;
    char target[8];
    int dir = *(int *)arg;

    unlinkat(dir, "new", 0);
    unlinkat(dir, "old", 0);
    unlinkat(dir, "hard", 0);
    unlinkat(dir, "soft", 0);
    unlinkat(dir, "sub", AT_REMOVEDIR);
    int err = whorl_mkdirat(dir, "sub", 0700);
    if (err)
        return err;
    int fd = whorl_openat(dir, "old", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return fd;
    err = whorl_pwrite_all(fd, "text", 4, 0);
    if (err == 0)
        err = whorl_fsync(fd, true);
    if (err == 0)
        err = whorl_ftruncate(fd, 2);
    if (err == 0)
        err = whorl_flock(fd, LOCK_EX);
    whorl_close(fd);
    if (err == 0)
        err = whorl_statx(dir, "old", 0, STATX_SIZE, &st);
    if (err == 0)
        err = whorl_utimensat(dir, "old", NULL, 0);
    if (err == 0)
        err = whorl_linkat(dir, "old", dir, "hard", 0);
    if (err == 0)
        err = whorl_symlinkat("old", dir, "soft");
    if (err == 0)
        err = (int)whorl_readlinkat(dir, "soft", target, sizeof target);
    if (err >= 0)
        err = err == 3 ? 0 : -ENODATA;
    if (err == 0)
        err = whorl_renameat(dir, "old", dir, "new", 0);
    if (err == 0)
        err = whorl_unlinkat(dir, "new", 0);
    return err;
}

static int run_edit(void *arg)
{
    return whorl_io_run(edit, arg);
}

TEST(every_failing_request_is_reported)
{
    int dir = open_tmpdir();
    CHECK_EQ(io_faults_sweep(run_edit, &dir, -EIO), 26);
    close(dir);
}

TEST(kernels_without_the_newer_opcodes_do_the_same)
{
    int dir = open_tmpdir();
    io_faults_opcodes(IORING_OP_TEE); /* 5.8 */
    CHECK_OK(run_edit(&dir));
    CHECK_EQ(io_faults_sweep(run_edit, &dir, -EIO), 26);
    close(dir);
}

TEST_MAIN()
