/* SPDX-License-Identifier: MIT */
/* Saving bodies to files: a file appears under its name only when it is complete. */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <liburing.h>

#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/io.h>

#include "fakehttp.h"
#include "io_faults.h"
#include "listing.h"
#include "saving.h"
#include "test.h"

TEST_IO(a_small_body_becomes_a_file)
{
    CHECK_OK(save_from(hello, in_tmpdir("f"), NULL));
    check_file(in_tmpdir("f"), "hello");
    CHECK_STR(listing(), "f");
    struct stat st;
    mode_t mask = umask(022);
    umask(mask);
    CHECK_OK(stat(in_tmpdir("f"), &st));
    CHECK_EQ(st.st_mode & 0777, 0666 & ~mask);
}

TEST_IO(an_empty_body_becomes_an_empty_file)
{
    static const struct fake_step empty[] = {
        {.action = FAKE_HEAD}, {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0}, {0}};
    CHECK_OK(save_from(empty, in_tmpdir("f"), NULL));
    check_file(in_tmpdir("f"), "");
    CHECK_STR(listing(), "f");
}

TEST_IO(bodies_of_all_lengths_arrive_whole)
{
    static const int64_t lens[] = {1, 16384, 16385, 131072, 200000, 3000000};
    for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
        for (int chunked = 0; chunked < 2; chunked++) {
            char head[200], path[20];
            struct fake_step script[] = {{.action = FAKE_HEAD},
                                         {FAKE_SEND, head, 0},
                                         {.action = FAKE_BODY, .n = lens[i]},
                                         {FAKE_SEND, "\r\n0\r\n\r\n", 0},
                                         {0}};
            if (!chunked)
                script[3] = (struct fake_step){0};
            snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%s%llx\r\n",
                     chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "X: ", (long long)lens[i]);
            if (!chunked)
                snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\n\r\n",
                         (long long)lens[i]);
            snprintf(path, sizeof path, "f%zu%d", i, chunked);
            FAKE fake = {.scripts = {script}, .capacity = 300000};
            WHORL_AUTO(http_session) *session = fake_session(&fake);
            CHECK_OK(save(session, in_tmpdir(path), NULL, false));
            check_pattern_file(in_tmpdir(path), lens[i]);
            struct whorl_http_session_stats stats;
            whorl_http_session_get_stats(session, &stats);
            CHECK_EQ(stats.idle, 1);
        }
    }
}

TEST_IO(an_existing_file_is_kept_unless_told_otherwise)
{
    struct whorl_http_save_options overwrite = {.overwrite = true};
    write_file(in_tmpdir("f"), "old");
    CHECK_ERR(save_from(hello, in_tmpdir("f"), NULL), -EEXIST);
    CHECK_STR(error.step, "write");
    CHECK(strstr(error.text, "/f: file exists"));
    check_file(in_tmpdir("f"), "old");
    CHECK_STR(listing(), "f");
    CHECK_OK(save_from(hello, in_tmpdir("f"), &overwrite));
    check_file(in_tmpdir("f"), "hello");
    CHECK_STR(listing(), "f");
}

static void appear(void *arg, int64_t received)
{
    test_log("%lld", (long long)received);
    write_file(arg, "other");
}

/* Another process takes the name while the body arrives. */
TEST_IO(a_name_taken_meanwhile_is_not_overwritten)
{
    struct whorl_http_save_options options = {.progress = appear,
                                              .arg = (void *)(uintptr_t)in_tmpdir("f")};
    CHECK_ERR(save_from(hello, in_tmpdir("f"), &options), -EEXIST);
    CHECK_STR(test_logged(), "5");
    check_file(in_tmpdir("f"), "other");
    CHECK_STR(listing(), "f");
}

TEST_IO(a_taken_name_is_replaced_by_the_next_on_offer)
{
    unsigned most = 5;
    struct whorl_http_save_options options = {.next_path = number, .arg = &most};
    write_file(in_tmpdir("f"), "old");
    write_file(in_tmpdir("f.1"), "old");
    CHECK_OK(save_from(hello, in_tmpdir("f"), &options));
    check_file(in_tmpdir("f.2"), "hello");
    check_file(in_tmpdir("f"), "old");
    CHECK_STR(listing(), "f f.1 f.2");
    most = 2;
    CHECK_ERR(save_from(hello, in_tmpdir("f"), &options), -EEXIST);
    CHECK_STR(listing(), "f f.1 f.2");
}

TEST_IO(paths_are_relative_to_a_directory_on_request)
{
    int fd = open(test_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_OK(mkdirat(fd, "sub", 0777));
    struct whorl_http_save_options options = {.dir_fd = fd, .use_dir_fd = true, .sync = true};
    CHECK_OK(save_from(hello, "sub/f", &options));
    CHECK_OK(save_from(hello, "g", &options));
    close(fd);
    check_file(in_tmpdir("sub/f"), "hello");
    CHECK_STR(listing(), "g sub");
}

TEST_IO(what_cannot_be_opened_says_so)
{
    CHECK_ERR(save_from(hello, in_tmpdir("no/f"), NULL), -ENOENT);
    CHECK_STR(error.step, "write");
    CHECK_ERR(save_from(hello, test_tmpdir(), NULL), -EISDIR);
    CHECK_ERR(save_from(hello, in_tmpdir("new/"), NULL), -EISDIR);
    CHECK_ERR(save_from(hello, "", NULL), -ENOENT);
    write_file(in_tmpdir("file"), "");
    CHECK_ERR(save_from(hello, in_tmpdir("file/f"), NULL), -ENOTDIR);
    CHECK_STR(listing(), "file");
}

TEST_IO(long_names_still_get_a_temporary_one)
{
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    CHECK_OK(save_from(hello, in_tmpdir(name), NULL));
    check_file(in_tmpdir(name), "hello");
    CHECK_STR(listing(), name);
}

/* Acts like a file system of FUSE that knows neither RENAME_NOREPLACE nor links. A ring would not
 * obey the filter, so renames do not use it. */
static void forbid_renames_that_spare_and_links(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_linkat, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_renameat2, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[4])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    io_faults_opcodes(IORING_OP_RENAMEAT - 1);
    CHECK_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    CHECK_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
    CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, "x", AT_FDCWD, "y", RENAME_NOREPLACE), -1);
    CHECK_EQ(errno, EINVAL);
    CHECK_EQ(syscall(SYS_renameat2, AT_FDCWD, in_tmpdir("x"), AT_FDCWD, in_tmpdir("y"), 0), -1);
    CHECK_EQ(errno, ENOENT);
    CHECK_EQ(linkat(AT_FDCWD, "x", AT_FDCWD, "y", 0), -1);
    CHECK_EQ(errno, EPERM);
}

static int save_on_such_a_file_system(void *arg)
{
    struct whorl_http_save_options overwrite = {.overwrite = true};
    unsigned most = 5;
    struct whorl_http_save_options numbered = {.next_path = number, .arg = &most};

    (void)arg;
    CHECK_OK(save_from(hello, in_tmpdir("f"), NULL));
    check_file(in_tmpdir("f"), "hello");
    write_file(in_tmpdir("f"), "old");
    write_file(in_tmpdir("f.1"), "old");
    CHECK_ERR(save_from(hello, in_tmpdir("f"), NULL), -EEXIST);
    CHECK_OK(save_from(hello, in_tmpdir("f"), &numbered));
    check_file(in_tmpdir("f"), "old");
    check_file(in_tmpdir("f.1"), "old");
    check_file(in_tmpdir("f.2"), "hello");
    CHECK_STR(listing(), "f f.1 f.2");
    CHECK_OK(save_from(hello, in_tmpdir("f"), &overwrite));
    check_file(in_tmpdir("f"), "hello");
    CHECK_STR(listing(), "f f.1 f.2");
    return 0;
}

TEST(a_file_system_without_links_gets_its_files)
{
    forbid_renames_that_spare_and_links();
    CHECK_OK(whorl_io_run(save_on_such_a_file_system, NULL));
}

TEST_IO(the_bytes_that_were_written_are_counted)
{
    int64_t written = -1;
    struct whorl_http_save_options options = {.ret_written = &written};

    CHECK_OK(save_from(hello, in_tmpdir("f"), &options));
    CHECK_EQ(written, 5);
    CHECK_OK(save_from(large, in_tmpdir("g"), &options));
    CHECK_EQ(written, 1000000);
    CHECK_OK(mkfifo(in_tmpdir("pipe"), 0600));
    int fd = open(in_tmpdir("pipe"), O_RDWR | O_CLOEXEC);
    CHECK_OK(save_from(hello, in_tmpdir("pipe"), &options));
    CHECK_EQ(written, 5);
    close(fd);
}

/* A body of known length has no name before it is complete. One that may grow without limit has a
 * temporary one. */

TEST_IO(a_body_of_known_length_has_no_name_before_it_is_complete)
{
    struct whorl_http_save_options options = {.progress = log_listing};

    CHECK_OK(save_from(large, in_tmpdir("f"), &options));
    CHECK_STR(test_logged(), "-");
    CHECK_STR(listing(), "f");
}

TEST_IO(a_body_that_replaces_a_file_has_no_name_before_it_is_complete)
{
    struct whorl_http_save_options options = {.progress = log_listing, .overwrite = true};
    struct stat st;

    CHECK_OK(mkdir(in_tmpdir("d"), 0700));
    write_file(in_tmpdir("d/f"), "old");
    CHECK_OK(chmod(in_tmpdir("d/f"), 0666));
    CHECK_OK(save_from(large, in_tmpdir("d/f"), &options));
    check_pattern_file(in_tmpdir("d/f"), 1000000);
    CHECK_OK(stat(in_tmpdir("d/f"), &st));
    CHECK_EQ(st.st_mode & 0777, 0666);
    CHECK_OK(unlink(in_tmpdir("d/f")));
    CHECK_OK(rmdir(in_tmpdir("d"))); /* nothing else was in it */
}

TEST_IO_HTTP1(a_body_of_unknown_length_has_a_temporary_name)
{
    struct whorl_http_save_options options = {.progress = log_listing};

    CHECK_OK(save_from(endless, in_tmpdir("f"), &options));
    CHECK_STR(test_logged(), ".f.");
    check_file(in_tmpdir("f"), "hello");
    CHECK_STR(listing(), "f");
}

/* Another process takes the name while a body arrives that may replace it. */
TEST_IO(a_name_taken_meanwhile_is_overwritten_on_request)
{
    struct whorl_http_save_options options = {
        .progress = appear, .arg = (void *)(uintptr_t)in_tmpdir("f"), .overwrite = true};

    CHECK_OK(save_from(hello, in_tmpdir("f"), &options));
    check_file(in_tmpdir("f"), "hello");
    CHECK_STR(listing(), "f");
}

static void remove_directory(void *arg, int64_t received)
{
    (void)received;
    rmdir(arg);
}

TEST_IO(a_directory_that_is_removed_meanwhile_says_so)
{
    const char *dir = in_tmpdir("d");
    struct whorl_http_save_options options = {.progress = remove_directory,
                                              .arg = (void *)(uintptr_t)dir};

    CHECK_OK(mkdir(dir, 0700));
    CHECK_ERR(save_from(hello, in_tmpdir("d/f"), &options), -ENOENT);
    CHECK_STR(error.step, "write");
    CHECK(strstr(error.text, "/d/f: no such file or directory"));
    CHECK_OK(mkdir(dir, 0700));
    CHECK_ERR(save_from(large, in_tmpdir("d/f"), &options), -ENOENT);
    CHECK(strstr(error.text, "/d/f: no such file or directory"));
    CHECK_STR(listing(), "");
}

TEST_IO(half_a_body_never_gets_a_name)
{
    static const struct fake_step cut[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", 0},
        {.action = FAKE_BODY, .n = 99999},
        {.action = FAKE_CLOSE}};
    write_file(in_tmpdir("f"), "old");
    struct whorl_http_save_options overwrite = {.overwrite = true};
    CHECK_ERR(save_from(cut, in_tmpdir("f"), &overwrite), WHORL_EHTTP_TRUNCATED);
    CHECK_STR(error.step, "body");
    check_file(in_tmpdir("f"), "old");
    CHECK_STR(listing(), "f");
}

TEST_IO(a_decoded_body_is_saved_decoded)
{
    static const char coded[] = /* printf hello | gzip -n */
        "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05"
        "\x00"
        "\x00\x00";
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 25\r\n\r\n", 0},
        {FAKE_SEND, coded, 25},
        {.action = FAKE_REPEAT}};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    int64_t written = 0;
    struct whorl_http_save_options options = {.ret_written = &written};
    CHECK_OK(save(session, in_tmpdir("f"), &options, true));
    check_file(in_tmpdir("f"), "hello");
    CHECK_EQ(written, 5);
}

static int save_one(void *arg)
{
    struct whorl_http_session *session = ((void **)arg)[0];
    return save(session, ((void **)arg)[1], NULL, false);
}

TEST_IO(many_saves_share_a_session_and_a_directory)
{
    enum { FILES = 200 };
    static char paths[FILES][600];
    static void *args[FILES][2];
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(group) group = {0};
    for (int i = 0; i < FILES; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/f%d", test_tmpdir(), i);
        args[i][0] = session;
        args[i][1] = paths[i];
        CHECK_OK(whorl_spawn(&group, save_one, args[i]));
    }
    CHECK_OK(whorl_group_wait(&group));
    for (int i = 0; i < FILES; i++)
        check_file(paths[i], "hello");
}

TEST_MAIN()
