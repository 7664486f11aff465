/* SPDX-License-Identifier: MIT */
/* New files: without a name and with a temporary one, on file systems and kernels that lack one
 * thing or another. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "io/fd/new_file.h"
#include "listing.h"
#include "test.h"

static int dir_fd = -1;

/* Opens the test's directory. The names of all files of a test are relative to it. */
static void enter(void)
{
    dir_fd = open(test_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(dir_fd >= 0);
}

static struct new_file new_file(const char *path)
{
    return (struct new_file){.dir_fd = dir_fd, .path = path, .fd = -1};
}

static void finish(struct new_file *file)
{
    new_file_discard(file);
    CHECK_EQ(file->fd, -1);
    free(file->temp);
    close(dir_fd);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    CHECK_OK(fchmod(fd, mode));
    close(fd);
}

static void check_file(const char *path, const char *text, mode_t mode)
{
    char buf[100];
    struct stat st;
    int fd = openat(dir_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    CHECK(fd >= 0);
    ssize_t n = read(fd, buf, sizeof buf - 1);
    CHECK(n >= 0);
    buf[n] = '\0';
    CHECK_STR(buf, text);
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_mode & 07777, mode);
    CHECK_EQ(st.st_nlink, 1);
    close(fd);
}

static int open_and_write(struct new_file *file, const char *text)
{
    int err = new_file_open(file);

    return err ? err : new_file_write(file, text, strlen(text));
}

/* Whether the file system of the tests has what a test is about. */
static void need_unnamed_files(void)
{
    int fd = openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd < 0)
        test_skip("no files without a name in the temporary directory");
    close(fd);
}

TEST(a_file_has_no_name_before_it_gets_its_own)
{
    enter();
    need_unnamed_files();
    umask(027);
    struct new_file file = new_file("f");
    CHECK_OK(open_and_write(&file, "hello"));
    CHECK(file.place.way == PLACE_BY_FD || file.place.way == PLACE_BY_PROC);
    CHECK_STR(listing(), "");
    CHECK_OK(new_file_complete(&file, true));
    CHECK_OK(new_file_take(&file, "f", false, true));
    CHECK_EQ(file.fd, -1);
    check_file("f", "hello", 0640);
    CHECK_STR(listing(), "f");
    finish(&file);
}

TEST(a_taken_name_is_kept_and_another_one_may_follow)
{
    enter();
    write_file("f", "old", 0600);
    CHECK_OK(symlinkat("nowhere", dir_fd, "g"));
    struct new_file file = new_file("f");
    CHECK_OK(open_and_write(&file, "hello"));
    CHECK_OK(new_file_complete(&file, false));
    CHECK_ERR(new_file_take(&file, "f", false, false), -EEXIST);
    CHECK_ERR(new_file_take(&file, "g", false, false), -EEXIST);
    CHECK(!file.temp);
    CHECK_OK(new_file_take(&file, "h", false, false));
    CHECK_STR(listing(), "f g h");
    check_file("f", "old", 0600);
    finish(&file);
}

static void replace(bool named)
{
    enter();
    umask(077);
    CHECK_OK(mkdirat(dir_fd, "sub", 0700));
    write_file("sub/f", "old", 0664);
    CHECK_OK(symlinkat("f", dir_fd, "sub/link"));
    struct new_file file = new_file("sub/f");
    file.has_mode = true;
    file.mode = 0664;
    file.is_named = named;
    CHECK_OK(open_and_write(&file, "hello"));
    CHECK_OK(new_file_complete(&file, false));
    CHECK_OK(new_file_take(&file, "sub/f", true, true));
    check_file("sub/f", "hello", 0664);
    free(file.temp);
    file = new_file("sub/link");
    file.is_named = named;
    CHECK_OK(open_and_write(&file, "second"));
    CHECK_OK(new_file_complete(&file, false));
    CHECK_OK(new_file_take(&file, "sub/link", true, false));
    check_file("sub/link", "second", 0600);
    check_file("sub/f", "hello", 0664);
    CHECK_STR(listing(), "sub");
    CHECK_OK(unlinkat(dir_fd, "sub/f", 0));
    CHECK_OK(unlinkat(dir_fd, "sub/link", 0));
    CHECK_OK(unlinkat(dir_fd, "sub", AT_REMOVEDIR)); /* nothing else was in it */
    finish(&file);
}

TEST(a_file_without_a_name_replaces_files_and_links)
{
    replace(false);
}

TEST(a_file_with_a_temporary_name_replaces_files_and_links)
{
    replace(true);
}

TEST(a_directory_is_not_replaced)
{
    enter();
    CHECK_OK(mkdirat(dir_fd, "d", 0700));
    struct new_file file = new_file("d");
    CHECK_OK(open_and_write(&file, "hello"));
    CHECK_OK(new_file_complete(&file, false));
    CHECK_ERR(new_file_take(&file, "d", true, false), -EISDIR);
    finish(&file);
    enter();
    CHECK_STR(listing(), "d");
    close(dir_fd);
}

TEST(a_temporary_name_is_used_on_request)
{
    enter();
    struct new_file file = new_file("f");
    file.is_named = true;
    CHECK_OK(open_and_write(&file, "hello"));
    CHECK_EQ(strncmp(listing(), ".f.", 3), 0);
    CHECK_EQ(file.place.way, PLACE_UNKNOWN);
    CHECK_OK(new_file_complete(&file, true));
    CHECK_EQ(file.fd, -1);
    CHECK_OK(new_file_take(&file, "f", false, true));
    CHECK_STR(listing(), "f");
    finish(&file);
}

/* The directory may be removed while a file without a name is in it. */
TEST(a_directory_that_is_gone_says_so)
{
    enter();
    need_unnamed_files();
    CHECK_OK(mkdirat(dir_fd, "sub", 0700));
    struct new_file file = new_file("sub/f");
    CHECK_OK(open_and_write(&file, "hello"));
    CHECK_OK(unlinkat(dir_fd, "sub", AT_REMOVEDIR));
    CHECK_OK(new_file_complete(&file, false));
    CHECK_ERR(new_file_take(&file, "sub/f", false, false), -ENOENT);
    CHECK_STR(listing(), "");
    finish(&file);
}

TEST(what_cannot_be_created_says_so)
{
    enter();
    struct new_file file = new_file("missing/f");
    CHECK_ERR(new_file_open(&file), -ENOENT);
    CHECK_EQ(file.place.way, PLACE_UNKNOWN); /* the next file may be luckier */
    finish(&file);
}

/* --- what kernels and file systems lack ------------------------------------------------------- */

/* From here on, system call `number` fails with `err` if argument `arg` has one of these bits; 0:
 * always. */
static void forbid(unsigned number, unsigned arg, unsigned bits, int err)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, args) + 8 * arg),
        bits ? (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1)
             : (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JA, 0, 0, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    if (test_on_qemu())
        test_skip("a filter would see the system calls of qemu");
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

/* Makes "f", and finds "f" taken; then replaces it. */
static void check_with_way(enum place_way way)
{
    struct place place = {0};

    for (int i = 0; i < 3; i++) {
        struct new_file file = new_file("f");
        file.place = place;
        CHECK_OK(open_and_write(&file, i < 2 ? "hello" : "second"));
        CHECK_EQ(file.place.way, way);
        if (way != PLACE_NAMED)
            CHECK_STR(listing(), i == 0 ? "" : "f");
        place = file.place;
        CHECK_OK(new_file_complete(&file, false));
        CHECK_ERR(new_file_take(&file, "f", i == 2, false), i == 1 ? -EEXIST : 0);
        new_file_discard(&file);
        free(file.temp);
        check_file("f", i < 2 ? "hello" : "second", 0644);
        CHECK_STR(listing(), "f");
    }
    close(dir_fd);
}

TEST(without_privileges_before_6_10_files_get_their_name_by_way_of_proc)
{
    enter();
    need_unnamed_files();
    umask(022);
    forbid(SYS_linkat, 4, AT_EMPTY_PATH, ENOENT);
    check_with_way(PLACE_BY_PROC);
}

TEST(without_proc_either_files_have_a_temporary_name)
{
    enter();
    umask(022);
    forbid(SYS_linkat, 0, 0, ENOENT);
    check_with_way(PLACE_NAMED);
}

static void without_unnamed_files(int err)
{
    enter();
    umask(022);
    forbid(SYS_openat, 2, O_TMPFILE & ~O_DIRECTORY, err);
    CHECK_EQ(openat(dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), -1);
    CHECK_EQ(errno, err);
    check_with_way(PLACE_NAMED);
}

TEST(file_systems_without_unnamed_files_get_a_temporary_name)
{
    without_unnamed_files(EOPNOTSUPP);
}

TEST(kernels_without_unnamed_files_get_a_temporary_name)
{
    without_unnamed_files(EISDIR);
}

/* As when a security module lets a program rename files, but not link them. Nothing of this shows
 * before the file is complete. */
static void refuse_the_link(bool taken)
{
    enter();
    need_unnamed_files();
    umask(022);
    if (taken)
        write_file("f", "old", 0644);
    struct new_file file = new_file("f");
    CHECK_OK(open_and_write(&file, "hello"));
    forbid(SYS_linkat, 0, 0, EACCES);
    CHECK_OK(new_file_complete(&file, true));
    CHECK_ERR(new_file_take(&file, "f", false, true), taken ? -EEXIST : 0);
    CHECK_EQ(file.place.way, PLACE_NAMED);
    CHECK_EQ(file.fd, -1);
    if (taken)
        CHECK_OK(new_file_take(&file, "g", false, true));
    check_file(taken ? "g" : "f", "hello", 0644);
    CHECK_STR(listing(), taken ? "f g" : "f");
    finish(&file);
}

TEST(a_file_that_may_not_be_linked_is_copied)
{
    refuse_the_link(false);
}

TEST(a_copied_file_does_not_replace_another)
{
    refuse_the_link(true);
}

/* --- which file systems they are -------------------------------------------------------------- */

static long fs_type, fs_flags;

int __wrap_fstatfs(int fd, struct statfs *ret);
int __wrap_fstatfs64(int fd, struct statfs *ret);

int __wrap_fstatfs(int fd, struct statfs *ret)
{
    long err = syscall(SYS_fstatfs, fd, ret);

    if (fs_type)
        ret->f_type = (__typeof__(ret->f_type))fs_type;
    ret->f_flags |= (__typeof__(ret->f_flags))fs_flags;
    return (int)err;
}

/* The name of the same function in glibc when files may be large. */
int __wrap_fstatfs64(int fd, struct statfs *ret)
{
    return __wrap_fstatfs(fd, ret);
}

static struct place look(long type)
{
    enter();
    need_unnamed_files();
    struct new_file file = new_file("f");
    fs_type = type;
    CHECK_OK(new_file_open(&file));
    finish(&file);
    return file.place;
}

TEST(files_reached_through_others_have_a_temporary_name_and_are_never_local)
{
    static const long types[] = {NFS_SUPER_MAGIC,        FUSE_SUPER_MAGIC, (long)CIFS_SUPER_MAGIC,
                                 (long)SMB2_SUPER_MAGIC, CEPH_SUPER_MAGIC, V9FS_MAGIC};

    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        struct place place = look(types[i]);
        CHECK_EQ(place.way, PLACE_NAMED);
        CHECK(!place.is_local);
    }
}

TEST(memory_and_disks_are_local_and_unknown_file_systems_are_not)
{
    CHECK(look(TMPFS_MAGIC).is_local);
    CHECK(look(EXT4_SUPER_MAGIC).is_local);
    CHECK(look((long)BTRFS_SUPER_MAGIC).is_local);
    CHECK(!look(OVERLAYFS_SUPER_MAGIC).is_local);
    CHECK(look(OVERLAYFS_SUPER_MAGIC).way != PLACE_NAMED);
}

TEST(what_is_mounted_to_write_at_once_is_not_local)
{
    fs_flags = ST_SYNCHRONOUS;
    CHECK(!look(EXT4_SUPER_MAGIC).is_local);
}

/* SIGXFSZ would reach the run's thread. */
TEST(with_a_limit_of_the_file_size_nothing_is_local)
{
    struct rlimit limit = {.rlim_cur = 300000, .rlim_max = RLIM_INFINITY};

    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    CHECK(!look(EXT4_SUPER_MAGIC).is_local);
}

TEST(a_directory_that_now_is_on_another_file_system_is_noticed)
{
    struct place place = look(EXT4_SUPER_MAGIC);
    dev_t dev = place.dev;

    enter();
    struct new_file file = new_file("f");
    file.place = place;
    file.place.dev++;
    fs_type = OVERLAYFS_SUPER_MAGIC;
    CHECK_OK(new_file_open(&file));
    CHECK(!file.place.is_local);
    CHECK_EQ(file.place.dev, dev);
    finish(&file);
}

/* --- what is remembered ----------------------------------------------------------------------- */

TEST(places_are_remembered_by_directory)
{
    static struct places places;
    struct place place = places_get(&places, 3, "a/f");

    CHECK_EQ(place.way, PLACE_UNKNOWN);
    place.way = PLACE_BY_FD;
    places_put(&places, &place);
    CHECK_EQ(places_get(&places, 3, "a/g").way, PLACE_BY_FD);
    CHECK_EQ(places_get(&places, 4, "a/g").way, PLACE_UNKNOWN);
    CHECK_EQ(places_get(&places, 3, "b/g").way, PLACE_UNKNOWN);
    CHECK_EQ(places_get(&places, 3, "f").way, PLACE_UNKNOWN);
    CHECK_EQ(places_get(&places, 3, "a/b/f").way, PLACE_UNKNOWN);
}

TEST(a_place_that_was_slow_stays_so_for_files_begun_before)
{
    static struct places places;
    struct place before = places_get(&places, 3, "f"), slow = before;

    slow.slow_until_ns = 500;
    places_put(&places, &slow);
    before.way = PLACE_BY_FD;
    places_put(&places, &before);
    CHECK_EQ(places_get(&places, 3, "f").slow_until_ns, 500);
    CHECK_EQ(places_get(&places, 3, "f").way, PLACE_BY_FD);
}

TEST(the_oldest_place_is_forgotten)
{
    static struct places places;

    for (int fd = 0; fd <= PLACES_MAX; fd++) {
        struct place place = places_get(&places, fd, "f");
        place.way = PLACE_NAMED;
        places_put(&places, &place);
    }
    CHECK_EQ(places_get(&places, 0, "f").way, PLACE_UNKNOWN);
    CHECK_EQ(places_get(&places, 1, "f").way, PLACE_NAMED);
    CHECK_EQ(places_get(&places, PLACES_MAX, "f").way, PLACE_NAMED);
}

TEST_MAIN()
