/* SPDX-License-Identifier: MIT */
/* Saving bodies to files: a file appears under its name only when it is complete. */
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <liburing.h>

#include <whorl/fd.h>
#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/io.h>
#include <whorl/scope.h>
#include <whorl/stream.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "io_faults.h"
#include "listing.h"
#include "memstream.h"
#include "runtime/park_hook.h"
#include "test.h"

static struct whorl_error error;

static struct whorl_http_session *session_of(struct fake *fake)
{
    struct whorl_http_session_options options = {.dialer = fake_dialer(fake)};
    struct whorl_http_session *session = NULL;
    CHECK_OK(whorl_http_session_create(&options, &session));
    return session;
}

static const char *in_tmpdir(const char *name)
{
    static char paths[4][600];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", test_tmpdir(), name);
    return path;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    CHECK(file);
    fputs(text, file);
    fclose(file);
}

static void check_file(const char *path, const char *text)
{
    char buf[1000];
    FILE *file = fopen(path, "r");
    CHECK(file);
    size_t n = fread(buf, 1, sizeof buf - 1, file);
    fclose(file);
    buf[n] = '\0';
    CHECK_STR(buf, text);
}

static void check_pattern_file(const char *path, int64_t len)
{
    FILE *file = fopen(path, "r");
    int64_t at = 0;
    int c;
    CHECK(file);
    while ((c = getc(file)) != EOF)
        if ((char)c != fake_pattern(at++))
            test_fail(__FILE__, __LINE__, "byte %lld is wrong", (long long)at - 1);
    fclose(file);
    CHECK_EQ(at, len);
}

static WHORL_SUSPENDS int save_request(struct whorl_http_session *session,
                                       const struct whorl_http_request *request, const char *path,
                                       const struct whorl_http_save_options *options)
{
    WHORL_AUTO(http_response) *response = NULL;
    error = (struct whorl_error){0};
    int err = whorl_http_do(session, request, &error, &response);
    if (err == 0) {
        err = whorl_http_response_save(response, path, options);
        error = *whorl_http_response_error(response);
    }
    CHECK_EQ(error.code, err);
    return err;
}

static WHORL_SUSPENDS int save(struct whorl_http_session *session, const char *path,
                               const struct whorl_http_save_options *options, bool decode)
{
    struct whorl_http_request request = {.url = "http://a.test/", .decode = decode};
    return save_request(session, &request, path, options);
}

static WHORL_SUSPENDS int save_from(const struct fake_step *script, const char *path,
                                    const struct whorl_http_save_options *options)
{
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    return save(session, path, options, false);
}

static const struct fake_step hello[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 0},
    {.action = FAKE_REPEAT}};

static const struct fake_step hello_chunked[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND,
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n"
     "0\r\n\r\n",
     0},
    {.action = FAKE_REPEAT}};

static const struct fake_step endless[] = {
    {.action = FAKE_HEAD}, {FAKE_SEND, "HTTP/1.1 200 OK\r\n\r\nhello", 0}, {.action = FAKE_CLOSE}};

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
            WHORL_AUTO(http_session) *session = session_of(&fake);
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

static const char *number(void *arg, unsigned attempt)
{
    static char path[600];
    if (attempt > *(unsigned *)arg)
        return NULL;
    snprintf(path, sizeof path, "%s/f.%u", test_tmpdir(), attempt);
    return path;
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

/* Makes a device to write to. As root it is a device of the test's own, because a failed test could
 * replace the machine's device. */
static const char *device(const char *name, unsigned minor_number)
{
    static char path[20];
    const char *own = in_tmpdir(name);
    if (geteuid() == 0) {
        if (mknod(own, S_IFCHR | 0666, makedev(1, minor_number)) || access(own, W_OK))
            test_skip("no devices in the temporary directory");
        return own;
    }
    snprintf(path, sizeof path, "/dev/%s", name);
    return path;
}

TEST_IO(devices_are_written_in_place)
{
    struct whorl_http_save_options overwrite = {.overwrite = true};
    const char *null = device("null", 3);
    struct stat st;
    int fd = open(null, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        test_skip("devices in the temporary directory cannot be opened");
    close(fd);
    CHECK_OK(save_from(hello, null, NULL));
    CHECK_OK(save_from(hello, null, &overwrite));
    CHECK_OK(stat(null, &st));
    CHECK(S_ISCHR(st.st_mode));

    const char *full = device("full", 7);
    char text[700];
    snprintf(text, sizeof text, "%s: no space left on device", full);
    CHECK_ERR(save_from(hello, full, NULL), -ENOSPC);
    CHECK_ERR(save_from(hello, full, &overwrite), -ENOSPC);
    CHECK_STR(error.step, "write");
    CHECK_STR(error.text, text);
    CHECK_OK(stat(full, &st));
    CHECK(S_ISCHR(st.st_mode));
}

TEST_IO(pipes_are_written_in_place)
{
    char buf[10];
    CHECK_OK(mkfifo(in_tmpdir("pipe"), 0600));
    int fd = open(in_tmpdir("pipe"), O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_OK(save_from(hello, in_tmpdir("pipe"), NULL));
    CHECK_EQ(read(fd, buf, sizeof buf), 5);
    struct whorl_http_save_options overwrite = {.overwrite = true};
    CHECK_OK(save_from(hello, in_tmpdir("pipe"), NULL));
    CHECK_OK(save_from(hello, in_tmpdir("pipe"), &overwrite));
    CHECK_EQ(read(fd, buf, sizeof buf), 10);
    CHECK(memcmp(buf, "hellohello", 10) == 0);
    CHECK_STR(listing(), "pipe");

    /* The device keeps its name even when other names are offered. */
    unsigned most = 5;
    struct whorl_http_save_options numbered = {.next_path = number, .arg = &most};
    CHECK_OK(save_from(hello, in_tmpdir("pipe"), &numbered));
    CHECK_STR(listing(), "f.1 pipe");
    close(fd);
}

static WHORL_SUSPENDS_SHIELDED void check_pipe(const struct fake_step *script, int err,
                                               const char *text)
{
    char buf[20] = "";
    int fd = open(in_tmpdir("pipe"), O_RDWR | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK_ERR(save_from(script, in_tmpdir("pipe"), NULL), err);
    CHECK_EQ(read(fd, buf, sizeof buf - 1), (ssize_t)strlen(text));
    CHECK_STR(buf, text);
    close(fd);
}

TEST_IO(what_came_with_the_head_is_written_in_place_too)
{
    static const struct fake_step begun[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", 0},
        {.action = FAKE_CLOSE}};

    CHECK_OK(mkfifo(in_tmpdir("pipe"), 0600));
    check_pipe(begun, WHORL_EHTTP_TRUNCATED, "hello");
    check_pipe(hello_chunked, 0, "hello");
    check_pipe(endless, 0, "hello");
    CHECK_STR(listing(), "pipe");
}

/* FIFOs: open(2) waits for a reader, and so does a save. */

static const char *make_fifo(void)
{
    const char *path = in_tmpdir("fifo");
    CHECK_OK(mkfifo(path, 0600));
    return path;
}

/* Saves to `path` within `total_ns`. */
static WHORL_SUSPENDS int save_within(int64_t total_ns, const struct fake_step *script,
                                      const char *path,
                                      const struct whorl_http_save_options *options)
{
    struct whorl_http_request request = {.url = "http://a.test/", .timeouts.total_ns = total_ns};
    FAKE fake = {.scripts = {script}};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    return save_request(session, &request, path, options);
}

static int save_to_fifo(void *arg)
{
    bool in_place = false;
    int64_t written = -1;
    struct whorl_http_save_options options = {
        .overwrite = true, .ret_in_place = &in_place, .ret_written = &written};

    CHECK_OK(save_from(hello, arg, &options));
    CHECK(in_place);
    CHECK_EQ(written, 5);
    test_log("saved");
    return 0;
}

TEST_IO(a_fifo_waits_for_its_reader)
{
    const char *path = make_fifo();
    WHORL_AUTO(group) group = {0};
    char buf[10];

    CHECK_OK(whorl_spawn(&group, save_to_fifo, (void *)(uintptr_t)path));
    CHECK_OK(whorl_sleep(100 * WHORL_MILLISECOND));
    CHECK_STR(test_logged(), "");
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    CHECK(fd >= 0);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(read(fd, buf, sizeof buf), 5);
    CHECK_EQ(read(fd, buf, sizeof buf), 0);
    close(fd);
    CHECK_STR(listing(), "fifo");
}

TEST_IO(a_fifo_without_a_reader_is_given_up_within_the_total_limit)
{
    const char *path = make_fifo();
    bool in_place = false;
    struct whorl_http_save_options options = {.ret_in_place = &in_place};

    CHECK_ERR(save_within(100 * WHORL_MILLISECOND, hello, path, &options),
              WHORL_EHTTP_TOTAL_TIMEOUT);
    CHECK_STR(error.step, "write");
    CHECK(strstr(error.text, "/fifo: no reader, not finished within 100 ms (total limit)"));
    CHECK(!in_place);
    CHECK_STR(listing(), "fifo");
}

TEST_IO(waiting_for_a_reader_can_be_cancelled)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(50 * WHORL_MILLISECOND));
    int err = save_within(0, hello, make_fifo(), NULL);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
}

static const struct fake_step nothing_of_a_body[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 0},
    {.action = FAKE_CLOSE}};

/* The reader gets an end of file, which cannot be taken back either. */
TEST_IO(a_fifo_that_was_opened_is_output_in_place)
{
    const char *path = make_fifo();
    bool in_place = false;
    struct whorl_http_save_options options = {.overwrite = true, .ret_in_place = &in_place};
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK_ERR(save_from(nothing_of_a_body, path, &options), WHORL_EHTTP_TRUNCATED);
    CHECK(in_place);
    in_place = false;
    CHECK_ERR(save_from(nothing_of_a_body, in_tmpdir("f"), &options), WHORL_EHTTP_TRUNCATED);
    CHECK(!in_place);
    close(fd);
}

static const struct fake_step large[] = {
    {.action = FAKE_HEAD},
    {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", 0},
    {.action = FAKE_BODY, .n = 1000000},
    {0}};

TEST_IO(a_pipe_that_nobody_empties_is_given_up_within_the_total_limit)
{
    bool in_place = false;
    int64_t written = 0;
    struct whorl_http_save_options options = {
        .overwrite = true, .ret_in_place = &in_place, .ret_written = &written};
    char path[64];
    int fds[2];

    CHECK_OK(pipe2(fds, O_CLOEXEC));
    snprintf(path, sizeof path, "/dev/fd/%d", fds[1]);
    CHECK_ERR(save_within(200 * WHORL_MILLISECOND, large, path, &options),
              WHORL_EHTTP_TOTAL_TIMEOUT);
    CHECK_STR(error.step, "write");
    CHECK(strstr(error.text, ": not finished within 200 ms (total limit), after "));
    CHECK(strstr(error.text, " of 1000000 bytes"));
    CHECK(in_place);
    CHECK(written < 1000000);
    close(fds[0]);
    close(fds[1]);
}

/* Descriptors that a path names */

static WHORL_SUSPENDS_SHIELDED void check_named_fd(const char *format, int fd)
{
    bool in_place = false;
    struct whorl_http_save_options options = {.ret_in_place = &in_place};
    char path[64];

    snprintf(path, sizeof path, format, fd);
    CHECK_OK(save_from(hello, path, &options));
    CHECK(in_place);
    CHECK(fcntl(fd, F_GETFD) >= 0);
}

TEST_IO(a_path_may_name_an_open_descriptor)
{
    char buf[16];
    int fds[2];

    CHECK_OK(pipe2(fds, O_CLOEXEC));
    check_named_fd("/dev/fd/%d", fds[1]);
    check_named_fd("/proc/self/fd/%d", fds[1]);
    CHECK_EQ(read(fds[0], buf, sizeof buf), 10);
    close(fds[0]);
    close(fds[1]);

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
    check_named_fd("/dev/fd/%d", fds[1]); /* which open(2) cannot open */
    CHECK_EQ(read(fds[0], buf, sizeof buf), 5);
    close(fds[0]);
    close(fds[1]);
}

TEST_IO(a_descriptor_of_a_file_is_written_where_it_stands)
{
    const char *path = in_tmpdir("f");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    CHECK_EQ(write(fd, "<", 1), 1);
    check_named_fd("/dev/fd/%d", fd);
    CHECK_EQ(write(fd, ">", 1), 1);
    close(fd);
    check_file(path, "<hello>");
    CHECK_STR(listing(), "f");
}

TEST_IO(a_descriptor_that_is_closed_says_so)
{
    bool in_place = false;
    struct whorl_http_save_options options = {.ret_in_place = &in_place};

    CHECK_ERR(save_from(hello, "/dev/fd/999", &options), -EBADF);
    CHECK_STR(error.text, "/dev/fd/999: bad file descriptor");
    CHECK(!in_place);
    CHECK(save_from(hello, "/dev/fd/-1", NULL) < 0);
    CHECK(save_from(hello, "/dev/fd/1x", NULL) < 0);
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

static void log_listing(void *arg, int64_t received)
{
    (void)arg, (void)received;
    if (!test_logged()[0])
        test_log("%.3s", listing()[0] ? listing() : "-");
}

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

TEST_IO(a_body_of_unknown_length_has_a_temporary_name)
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

/* Small bodies */

static const char *no_other_name(void *arg, unsigned attempt)
{
    (void)arg, (void)attempt;
    return NULL;
}

/* It arrives in parts, and is written when it is complete. */
TEST_IO(a_small_body_is_collected_before_its_file_is_created)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", 0},
        {.action = FAKE_BODY, .n = 50000},
        {.action = FAKE_REPEAT}};
    FAKE fake = {.scripts = {script}, .capacity = 3000};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    struct whorl_http_session_stats stats;
    int64_t written = -1;
    struct whorl_http_save_options options = {
        .progress = log_listing, .next_path = no_other_name, .ret_written = &written};

    CHECK_OK(save(session, in_tmpdir("f"), &options, false));
    check_pattern_file(in_tmpdir("f"), 50000);
    CHECK_EQ(written, 50000);
    CHECK_STR(test_logged(), "-");
    CHECK_ERR(save(session, in_tmpdir("f"), &options, false), -EEXIST);
    CHECK_STR(listing(), "f");
    whorl_http_session_get_stats(session, &stats);
    CHECK_EQ(stats.idle, 1);
}

TEST_IO(a_small_body_that_is_cut_creates_no_file)
{
    static const struct fake_step cut[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", 0},
        {.action = FAKE_BODY, .n = 49999},
        {.action = FAKE_CLOSE}};
    int64_t written = -1;
    struct whorl_http_save_options options = {.next_path = no_other_name, .ret_written = &written};

    CHECK_ERR(save_from(cut, in_tmpdir("f"), &options), WHORL_EHTTP_TRUNCATED);
    CHECK_STR(error.step, "body");
    CHECK(written <= 0);
    CHECK_STR(listing(), "");
}

TEST_IO(the_rest_of_a_small_body_is_saved)
{
    struct whorl_http_request request = {.url = "http://a.test/"};
    struct whorl_http_save_options options = {.next_path = no_other_name};
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    char buf[3];

    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    CHECK_ERR((int)whorl_http_response_read(response, buf, 2), 2);
    CHECK_OK(whorl_http_response_save(response, in_tmpdir("f"), &options));
    check_file(in_tmpdir("f"), "llo");
}

/* Where the system calls are made */

static int hops;

static void count_hop(const char *what)
{
    hops += strcmp(what, "save") == 0;
}

/* How often a save waits for a thread. */
static WHORL_SUSPENDS_SHIELDED int hops_of(struct whorl_http_session *session, const char *path,
                                           const struct whorl_http_save_options *options)
{
    hops = 0;
    sched_park_hook = count_hop;
    int err = save(session, path, options, false);
    sched_park_hook = NULL;
    CHECK_OK(err);
    return hops;
}

static void need_local_disk(void)
{
    int fd = open(test_tmpdir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    struct statfs fs;

    if (fd < 0 || fstatfs(fd, &fs) != 0 ||
        (fs.f_type != TMPFS_MAGIC && fs.f_type != EXT4_SUPER_MAGIC))
        test_skip("the temporary directory is neither on tmpfs nor on ext4");
    close(fd);
}

TEST_IO(a_small_file_on_a_local_disk_takes_no_hop_once_the_disk_is_known)
{
    struct whorl_http_save_options overwrite = {.overwrite = true}, sync = {.sync = true};
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);

    need_local_disk();
    CHECK_EQ(hops_of(session, in_tmpdir("f"), NULL), 1);
    CHECK_EQ(hops_of(session, in_tmpdir("g"), NULL), 0);
    CHECK_EQ(hops_of(session, in_tmpdir("h"), &sync), 1);
    CHECK_EQ(hops_of(session, in_tmpdir("f"), &overwrite), 1);
    CHECK_OK(mkdir(in_tmpdir("d"), 0700)); /* not known */
    CHECK_EQ(hops_of(session, in_tmpdir("d/f"), NULL), 1);
}

/* What the next linkat(2) does before anything else. */
static void (*before_link)(void);

int __real_linkat(int old_dir, const char *old_path, int new_dir, const char *new_path, int flags);
int __wrap_linkat(int old_dir, const char *old_path, int new_dir, const char *new_path, int flags);

int __wrap_linkat(int old_dir, const char *old_path, int new_dir, const char *new_path, int flags)
{
    void (*before)(void) = before_link;

    before_link = NULL;
    if (before)
        before();
    return __real_linkat(old_dir, old_path, new_dir, new_path, flags);
}

static void wait_50_ms(void)
{
    usleep(50000);
}

static void compute_5_ms(void)
{
    int64_t end_ns = whorl_after(5 * WHORL_MILLISECOND);

    while (whorl_now() < end_ns) {
    }
}

static const char *next_name(void)
{
    static int number;
    char name[20];

    snprintf(name, sizeof name, "f%d", number++);
    return in_tmpdir(name);
}

/* Saves files until one takes no hop. The machine's own disk may be slow at times. */
static WHORL_SUSPENDS_SHIELDED void save_directly(struct whorl_http_session *session,
                                                  void (*before)(void))
{
    for (;;) {
        before_link = before;
        if (hops_of(session, next_name(), NULL) == 0)
            return;
        CHECK_OK(whorl_sleep(100 * WHORL_MILLISECOND));
    }
}

TEST_IO(a_disk_that_was_slow_is_left_to_threads_for_a_while)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);

    need_local_disk();
    do {
        save_directly(session, compute_5_ms); /* it did not wait */
    } while (hops_of(session, next_name(), NULL) == 1);
    save_directly(session, wait_50_ms);
    CHECK_EQ(hops_of(session, next_name(), NULL), 1); /* for 5 s */
    save_directly(session, NULL);
}

TEST_IO(a_chunked_body_that_came_with_the_head_is_a_small_file)
{
    struct whorl_http_save_options options = {.progress = log_listing};
    FAKE fake = {.scripts = {hello_chunked}};
    WHORL_AUTO(http_session) *session = session_of(&fake);

    need_local_disk();
    CHECK_EQ(hops_of(session, in_tmpdir("f"), &options), 1);
    check_file(in_tmpdir("f"), "hello");
    CHECK_STR(test_logged(), "-");
    before_link = compute_5_ms;
    CHECK_EQ(hops_of(session, in_tmpdir("g"), NULL), 0);
    CHECK(!before_link); /* it had no temporary name */
    CHECK_STR(listing(), "f g");
}

TEST_IO(a_chunked_body_that_comes_in_parts_is_written_in_order)
{
    FAKE fake = {.scripts = {hello_chunked}, .capacity = strlen(hello_chunked[1].text) - 20};
    WHORL_AUTO(http_session) *session = session_of(&fake);
    int64_t written = 0;
    struct whorl_http_save_options options = {.progress = log_listing, .ret_written = &written};

    CHECK_OK(save(session, in_tmpdir("f"), &options, false));
    check_file(in_tmpdir("f"), "hello");
    CHECK_STR(test_logged(), ".f.");
    CHECK_EQ(written, 5);
}

TEST_IO(a_longer_file_takes_two_hops_besides_its_writes)
{
    FAKE fake = {.scripts = {large}};
    WHORL_AUTO(http_session) *session = session_of(&fake);

    CHECK_EQ(hops_of(session, in_tmpdir("f"), NULL), 2);
}

static int removals;

static void count_removal(const char *what)
{
    removals += strcmp(what, "remove") == 0;
}

/* To free the blocks of a large file takes long. */
TEST_IO(what_was_written_of_a_body_that_is_cut_is_removed_by_a_thread)
{
    static const struct fake_step cut[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", 0},
        {.action = FAKE_BODY, .n = 999999},
        {.action = FAKE_CLOSE}};

    sched_park_hook = count_removal;
    CHECK_ERR(save_from(cut, in_tmpdir("f"), NULL), WHORL_EHTTP_TRUNCATED);
    CHECK_EQ(removals, 1);
    CHECK_OK(save_from(large, in_tmpdir("f"), NULL));
    CHECK_EQ(removals, 1);
    sched_park_hook = NULL;
}

/* SIGXFSZ would end the process. */
TEST_IO(small_files_respect_a_limit_of_their_size)
{
    struct rlimit limit = {.rlim_cur = 3, .rlim_max = RLIM_INFINITY};
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = session_of(&fake);

    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    for (int i = 0; i < 3; i++) {
        CHECK_ERR(save(session, in_tmpdir("f"), NULL, false), -EFBIG);
        CHECK_STR(error.step, "write");
    }
    CHECK_STR(listing(), "");
}

/* Every request fails once */

static int save_both(void *arg)
{
    struct whorl_http_save_options sync = {.sync = true};
    (void)arg;

    int err = save_from(hello, in_tmpdir("f"), NULL);
    if (err == 0)
        err = save_from(large, in_tmpdir("g"), &sync);
    if (err == 0)
        err = save_from(endless, in_tmpdir("h"), NULL);
    return err;
}

static int run_save_both(void *arg)
{
    static const char *const whole[] = {"", "f", "f g", "f g h"};
    static const char *const names[] = {"f", "g", "h"};
    int done = 0;

    int err = whorl_io_run(save_both, arg);
    while (done < 3 && access(in_tmpdir(names[done]), F_OK) == 0)
        done++;
    CHECK_STR(listing(), whole[done]);
    CHECK(err || done == 3);
    for (int i = 0; i < done; i++)
        CHECK_OK(unlink(in_tmpdir(names[i])));
    return err;
}

TEST(a_save_whose_requests_fail_leaves_whole_files_or_nothing)
{
    CHECK(io_faults_sweep(run_save_both, NULL, -EIO) >= 12);
}

/* Also when the request that removes the file is the one that fails. */
TEST_IO(a_cut_body_leaves_nothing_whichever_request_fails)
{
    static const struct fake_step cut[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0},
        {.action = FAKE_CLOSE}};
    bool struck = true;
    int fds = 0;

    for (uint64_t nth = 1; struck; nth++) {
        for (int refused = 0; refused < 2; refused++) {
            if (refused)
                io_faults_submit(nth);
            else
                io_faults_complete(nth, -EIO);
            CHECK(save_from(cut, in_tmpdir("f"), NULL) < 0);
            struck = io_faults_disarm();
            CHECK_STR(listing(), "");
            if (nth == 1 && refused == 0)
                fds = test_open_fds();
            CHECK_EQ(test_open_fds(), fds);
        }
    }
}

TEST_IO(a_full_disk_leaves_nothing)
{
    struct rlimit limit = {.rlim_cur = 300000, .rlim_max = 300000};
    signal(SIGXFSZ, SIG_IGN);
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    CHECK_ERR(save_from(large, in_tmpdir("f"), NULL), -EFBIG);
    CHECK_STR(error.step, "write");
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
    WHORL_AUTO(http_session) *session = session_of(&fake);
    int64_t written = 0;
    struct whorl_http_save_options options = {.ret_written = &written};
    CHECK_OK(save(session, in_tmpdir("f"), &options, true));
    check_file(in_tmpdir("f"), "hello");
    CHECK_EQ(written, 5);
}

TEST_IO(a_save_cancelled_while_it_waits_for_the_body_says_so)
{
    static const struct fake_step stuck[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\nhello", 0},
        {.action = FAKE_END}};
    struct whorl_http_save_options collects = {.next_path = no_other_name};

    for (int i = 0; i < 2; i++) {
        struct whorl_scope scope;
        whorl_scope_enter(&scope, whorl_after(50 * WHORL_MILLISECOND));
        int err = save_from(stuck, in_tmpdir("f"), i ? &collects : NULL);
        CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
        CHECK_EQ(error.code, -ECANCELED);
        CHECK_STR(error.step, "body");
        CHECK_STR(listing(), "");
    }
}

/* Cancelled at every suspension point; the points are counted. */

static struct whorl_scope *scope_to_cancel;
static struct whorl_task *victim;
static int points, strike_at;

static void count_point(const char *what)
{
    (void)what;
    if (scope_to_cancel && whorl_task_self() == victim && ++points == strike_at)
        whorl_scope_cancel(scope_to_cancel);
}

TEST_IO(a_save_cancelled_at_any_point_leaves_the_whole_file_or_nothing)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", 0},
        {.action = FAKE_BODY, .n = 50000},
        {0}};
    struct whorl_http_save_options options = {.sync = true};
    int total = 1, whole = 0, fds = 0;

    victim = whorl_task_self();
    sched_park_hook = count_point;
    for (int k = 0; k <= total; k++) {
        FAKE fake = {.scripts = {script}, .capacity = 8000};
        struct whorl_http_session *session = session_of(&fake);
        struct whorl_http_session_stats stats;
        struct whorl_scope scope;

        points = 0;
        strike_at = k;
        whorl_scope_enter(&scope, WHORL_FOREVER);
        scope_to_cancel = &scope;
        int err = save(session, in_tmpdir("f"), &options, false);
        scope_to_cancel = NULL;
        whorl_scope_leave(&scope, 0);
        if (k == 0) {
            CHECK_OK(err);
            total = points;
        }
        CHECK(err == 0 || err == -ECANCELED);
        whole += err == 0;
        if (access(in_tmpdir("f"), F_OK) == 0) {
            check_pattern_file(in_tmpdir("f"), 50000);
            CHECK_STR(listing(), "f");
            CHECK_OK(unlink(in_tmpdir("f")));
        } else {
            CHECK(err);
            CHECK_STR(listing(), "");
        }
        if (k == 0)
            fds = test_open_fds(); /* by now the run has opened its own descriptors */
        CHECK_EQ(test_open_fds(), fds);
        whorl_http_session_get_stats(session, &stats);
        CHECK_EQ(stats.open, stats.idle);
        whorl_http_session_destroy(session);
        CHECK_OK(whorl_yield());
        CHECK_OK(whorl_yield());
        CHECK_EQ(memstream_alive(), 0);
    }
    sched_park_hook = NULL;
    printf("# %d points, %d completed\n", total, whole - 1);
    CHECK(total >= 10);
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
    WHORL_AUTO(http_session) *session = session_of(&fake);
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
