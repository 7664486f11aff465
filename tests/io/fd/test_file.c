/* SPDX-License-Identifier: MIT */
/* Files and directories: what each call does to the file system, and the errors that it returns. */
#include <unistd.h>

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

TEST_IO(openat_takes_paths_relative_to_the_working_folder)
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

TEST_IO(folders_are_made_renamed_and_removed)
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

/* An open that completes in spite of the cancel returns its descriptor; the caller must close
 * it. */
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
    int dir = *(int *)arg;

    unlinkat(dir, "new", 0);
    unlinkat(dir, "old", 0);
    unlinkat(dir, "folder", AT_REMOVEDIR);
    int err = whorl_mkdirat(dir, "folder", 0700);
    if (err)
        return err;
    int fd = whorl_openat(dir, "old", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0)
        return fd;
    err = whorl_pwrite_all(fd, "text", 4, 0);
    if (err == 0)
        err = whorl_fsync(fd, true);
    whorl_close(fd);
    if (err == 0)
        err = whorl_statx(dir, "old", 0, STATX_SIZE, &st);
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
    CHECK_EQ(io_faults_sweep(run_edit, &dir, -EIO), 14);
    close(dir);
}

TEST_MAIN()
