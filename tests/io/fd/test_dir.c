/* SPDX-License-Identifier: MIT */
/* Reading directories: every entry once, whatever their number, and what a cancel leaves. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl.h>

#include "faults.h"
#include "io_faults.h"
#include "test.h"

/* Together they need more room than the buffer has. */
enum { MANY = 400, NAME_LEN = 200 };

static int open_tmpdir(void)
{
    int fd = open(test_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

/* A long name that ends in the file's number. */
static void make_files(int dir, int count)
{
    char name[NAME_LEN + 1];
    for (int i = 0; i < count; i++) {
        memset(name, 'x', NAME_LEN);
        snprintf(name + NAME_LEN - 5, 6, "-%04d", i);
        int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd >= 0);
        close(fd);
    }
}

TEST_IO(entries_have_name_type_and_inode)
{
    WHORL_AUTO(dir) *handle = NULL;
    struct whorl_dir_entry entry;
    struct stat st;
    int dir = open_tmpdir(), seen = 0, n;
    CHECK_OK(mkdirat(dir, "sub", 0700));
    CHECK_OK(symlinkat("nowhere", dir, "link"));
    make_files(dir, 1);
    CHECK_OK(whorl_dir_open(dir, ".", &handle));
    CHECK_EQ(fcntl(whorl_dir_fd(handle), F_GETFD), FD_CLOEXEC);
    while ((n = whorl_dir_read(handle, &entry)) == 1) {
        CHECK_OK(fstatat(dir, entry.name, &st, AT_SYMLINK_NOFOLLOW));
        CHECK_EQ(entry.inode, st.st_ino);
        if (entry.type != DT_UNKNOWN)
            CHECK_EQ(entry.type, IFTODT(st.st_mode));
        CHECK(entry.name[0] != '.');
        seen++;
    }
    CHECK_OK(n);
    CHECK_EQ(seen, 3);
    CHECK_OK(whorl_dir_read(handle, &entry)); /* the end is the end again */
    close(dir);
}

TEST_IO(many_entries_are_read_once_each)
{
    static bool seen[MANY];
    WHORL_AUTO(dir) *handle = NULL;
    struct whorl_dir_entry entry;
    int dir = open_tmpdir(), n, count = 0;
    make_files(dir, MANY);
    CHECK_OK(whorl_dir_open(AT_FDCWD, test_tmpdir(), &handle));
    while ((n = whorl_dir_read(handle, &entry)) == 1) {
        int number = atoi(strrchr(entry.name, '-') + 1);
        CHECK(number >= 0 && number < MANY && !seen[number]);
        seen[number] = true;
        count++;
    }
    CHECK_OK(n);
    CHECK_EQ(count, MANY);
    close(dir);
}

TEST_IO(what_is_no_directory_is_refused)
{
    struct whorl_dir *handle = NULL;
    int dir = open_tmpdir();
    close(openat(dir, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    CHECK_ERR(whorl_dir_open(dir, "missing", &handle), -ENOENT);
    CHECK_ERR(whorl_dir_open(dir, "file", &handle), -ENOTDIR);
    CHECK(!handle);
    whorl_dir_close(NULL);
    close(dir);
}

TEST_IO(a_directory_that_was_removed_is_an_error_or_empty)
{
    WHORL_AUTO(dir) *handle = NULL;
    struct whorl_dir_entry entry;
    int dir = open_tmpdir();
    CHECK_OK(mkdirat(dir, "sub", 0700));
    CHECK_OK(whorl_dir_open(dir, "sub", &handle));
    CHECK_OK(unlinkat(dir, "sub", AT_REMOVEDIR));
    int n = whorl_dir_read(handle, &entry);
    CHECK(n == -ENOENT || n == 0);
    close(dir);
}

/* Continues to read after each cancel, and misses no entry. */
TEST_IO(a_cancelled_read_loses_no_entry)
{
    static bool seen[MANY];
    WHORL_AUTO(dir) *handle = NULL;
    struct whorl_dir_entry entry;
    struct whorl_scope scope;
    int dir = open_tmpdir(), n = 1, count = 0;
    make_files(dir, MANY);
    CHECK_OK(whorl_dir_open(dir, ".", &handle));
    for (int i = 0; n != 0; i++) {
        if (i % 3 == 0) {
            whorl_scope_enter(&scope, WHORL_FOREVER);
            whorl_scope_cancel(&scope);
            CHECK_ERR(whorl_dir_read(handle, &entry), -ECANCELED);
            whorl_scope_leave(&scope, 0);
        }
        /* A deadline in the middle of a request to the kernel. */
        whorl_scope_enter(&scope, i % 5 == 0 ? whorl_after(i * 10) : WHORL_FOREVER);
        n = whorl_dir_read(handle, &entry);
        whorl_scope_leave(&scope, 0);
        CHECK(n >= 0 || n == -ECANCELED);
        if (n != 1)
            continue;
        int number = atoi(strrchr(entry.name, '-') + 1);
        CHECK(!seen[number]);
        seen[number] = true;
        count++;
    }
    CHECK_EQ(count, MANY);
    close(dir);
}

TEST_VIRTUAL(without_io_there_is_no_reading)
{
    struct whorl_dir *handle;
    CHECK_ERR(whorl_dir_open(AT_FDCWD, "/", &handle), WHORL_ENOIO);
}

static int list(void *arg)
{
    WHORL_AUTO(dir) *handle = NULL;
    struct whorl_dir_entry entry;
    int n, err = whorl_dir_open(AT_FDCWD, arg, &handle);
    if (err)
        return err;
    while ((n = whorl_dir_read(handle, &entry)) == 1) {
    }
    return n;
}

static int run_list(void *arg)
{
    return whorl_io_run(list, arg);
}

TEST(every_failed_request_or_allocation_is_reported)
{
    char *path = (char *)(uintptr_t)test_tmpdir();
    CHECK_EQ(io_faults_sweep(run_list, path, -EIO), 6);
    CHECK(faults_sweep(run_list, path) > 3);
}

TEST_MAIN()
