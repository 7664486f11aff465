/* SPDX-License-Identifier: MIT */
/* Saving bodies to devices, pipes, FIFOs and open descriptors, which are written in place. */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/http.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "listing.h"
#include "saving.h"
#include "test.h"

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
    WHORL_AUTO(http_session) *session = fake_session(&fake);
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

TEST_MAIN()
