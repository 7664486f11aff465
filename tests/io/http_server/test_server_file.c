/* SPDX-License-Identifier: MIT */
/* Files as replies: over memory and over sockets, with ranges and conditions, and never from
 * outside of the directory. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <whorl.h>

#include "io/http_server/beneath.h"
#include "served.h"
#include "test.h"

enum { BIG = 3000000 };

static int root_fd;

static void write_file(int dir_fd, const char *name, const char *text, size_t len)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(write(fd, text, len), len);
    static const struct timespec times[2] = {{784111777, 0}, {784111777, 0}};
    CHECK_OK(futimens(fd, times));
    close(fd);
}

static char big_byte(size_t at)
{
    return (char)('a' + at * 7 / 5 % 26);
}

/* root/ has files, and secret.txt is beside it. */
static void make_tree(void)
{
    char path[256];
    const char *dir = test_tmpdir();
    char *big = malloc(BIG);
    snprintf(path, sizeof path, "%s/root", dir);
    CHECK_OK(mkdir(path, 0755));
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    root_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(dir_fd >= 0 && root_fd >= 0);
    write_file(dir_fd, "secret.txt", "secret", 6);
    close(dir_fd);
    for (size_t i = 0; i < BIG; i++)
        big[i] = big_byte(i);
    write_file(root_fd, "hello.txt", "hello", 5);
    write_file(root_fd, "empty.txt", "", 0);
    write_file(root_fd, "big.bin", big, BIG);
    CHECK_OK(mkdirat(root_fd, "sub", 0755));
    write_file(root_fd, "sub/index.html", "<p>", 3);
    CHECK_OK(symlinkat("hello.txt", root_fd, "inside"));
    CHECK_OK(symlinkat("../secret.txt", root_fd, "outside"));
    CHECK_OK(symlinkat("/etc/passwd", root_fd, "absolute"));
    CHECK_OK(symlinkat("..", root_fd, "up"));
    CHECK_OK(mkfifoat(root_fd, "fifo", 0644));
    free(big);
}

static WHORL_SUSPENDS int send_file(void *arg, struct whorl_http_incoming *incoming,
                                    struct whorl_http_reply *reply)
{
    int err = whorl_http_reply_add_header(reply, "X-Added", "1");
    return err ? err
               : whorl_http_reply_send_file(reply, root_fd, whorl_http_incoming_path(incoming),
                                            arg);
}

static WHORL_SUSPENDS_SHIELDED void expect(const char *file, int line, const char *request,
                                           const char *expected)
{
    static const struct whorl_http_file_options options = {.index = "index.html"};
    struct served_setup setup = {.fn = send_file, .arg = (void *)(uintptr_t)&options};
    setup.options.gzip = true;
    char *reply = served(&setup, request);
    if (strcmp(reply, expected) != 0 || setup.result != 0)
        test_fail(file, line, "%s\nexpected:\n%s", reply, expected);
    free(reply);
}

#define EXPECT(path, headers, expected) \
    expect(__FILE__, __LINE__, "GET " path " HTTP/1.1\r\nHost: h\r\n" headers "\r\n", expected)
#define TAG  "ETag: \"2ebc98a1.00000000-5\"\r\n"
#define DATE "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
#define TYPE "Content-Type: text/plain; charset=utf-8\r\nAccept-Ranges: bytes\r\n"
#define HEAD "HTTP/1.1 200 OK\r\nX-Added: 1\r\n" TYPE DATE TAG "Content-Length: 5\r\n\r\n"
#define MISSING                                                                                \
    "HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 14\r\n\r\n404 Not " \
    "Found\n"

/* Older kernels, valgrind and qemu have no openat2(2). Then no link is followed. */
static bool follows_links(void)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};
    long fd = syscall(SYS_openat2, root_fd, ".", &how, sizeof how);
    if (fd >= 0)
        close((int)fd);
    return fd >= 0;
}

TEST_IO(a_file_is_sent_with_its_type_and_its_validators)
{
    make_tree();
    EXPECT("/hello.txt", "Accept-Encoding: gzip\r\n", HEAD "hello");
    EXPECT("//hello%2Etxt?query", "", HEAD "hello");
    expect(__FILE__, __LINE__, "HEAD /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n", HEAD);
    EXPECT("/empty.txt", "",
           "HTTP/1.1 200 OK\r\nX-Added: 1\r\n" TYPE DATE
           "ETag: \"2ebc98a1.00000000-0\"\r\nContent-Length: 0\r\n\r\n");
    EXPECT("/sub/", "",
           "HTTP/1.1 200 OK\r\nX-Added: 1\r\nContent-Type: text/html; charset=utf-8\r\n"
           "Accept-Ranges: bytes\r\n" DATE "ETag: \"2ebc98a1.00000000-3\"\r\n"
           "Content-Length: 3\r\n\r\n<p>");
    expect(__FILE__, __LINE__, "POST /hello.txt HTTP/1.1\r\nHost: h\r\n\r\n",
           "HTTP/1.1 405 Method Not Allowed\r\nX-Added: 1\r\nAllow: GET, HEAD\r\n"
           "Content-Length: 0\r\n\r\n");
    close(root_fd);
}

TEST_IO(a_link_inside_of_the_directory_is_followed)
{
    make_tree();
    if (!follows_links())
        test_skip("no openat2");
    EXPECT("/inside", "",
           "HTTP/1.1 200 OK\r\nX-Added: 1\r\nContent-Type: application/octet-stream\r\n"
           "Accept-Ranges: bytes\r\n" DATE TAG "Content-Length: 5\r\n\r\nhello");
    close(root_fd);
}

TEST_IO(conditions_and_ranges_are_answered)
{
    make_tree();
    EXPECT("/hello.txt", "If-None-Match: \"2ebc98a1.00000000-5\"\r\n",
           "HTTP/1.1 304 Not Modified\r\nX-Added: 1\r\n" DATE TAG "\r\n");
    EXPECT(
        "/hello.txt", "Range: bytes=1-3\r\n",
        "HTTP/1.1 206 Partial Content\r\nX-Added: 1\r\nContent-Range: bytes 1-3/5\r\n" TYPE DATE TAG
        "Content-Length: 3\r\n\r\nell");
    EXPECT("/hello.txt", "Range: bytes=5-\r\n",
           "HTTP/1.1 416 Range Not Satisfiable\r\nX-Added: 1\r\nContent-Range: bytes */5\r\n" TAG
           "Content-Length: 0\r\n\r\n");
    EXPECT("/hello.txt", "If-Match: \"x\"\r\n",
           "HTTP/1.1 412 Precondition Failed\r\nX-Added: 1\r\n" TAG "Content-Length: 0\r\n\r\n");
    close(root_fd);
}

TEST_IO(a_directory_is_redirected_to_its_name_with_a_slash)
{
#define MOVED(location)                                                                  \
    "HTTP/1.1 301 Moved Permanently\r\nX-Added: 1\r\nLocation: " location "\r\nContent-" \
    "Length: 0\r\n\r\n"
    make_tree();
    CHECK_OK(mkdirat(root_fd, "a:b", 0755));
    EXPECT("/sub", "", MOVED("./sub/"));
    EXPECT("/sub?a=b", "", MOVED("./sub/?a=b"));
    EXPECT("/s%75b", "", MOVED("./s%75b/"));
    EXPECT("/a:b", "", MOVED("./a:b/"));
    EXPECT("//sub", "", MOVED("./sub/"));
    expect(__FILE__, __LINE__, "HEAD /sub HTTP/1.1\r\nHost: h\r\n\r\n", MOVED("./sub/"));

    /* Without an index a directory is nothing. */
    struct served_setup setup = {.fn = send_file};
    char *reply = served(&setup, "GET /sub HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_STR(reply, MISSING);
    free(reply);
    close(root_fd);
}

TEST_IO(nothing_outside_of_the_directory_is_sent)
{
    make_tree();
    EXPECT("/missing", "", MISSING);
    EXPECT("/", "", MISSING);
    EXPECT("/hello.txt/", "", MISSING);
    EXPECT("/hello.txt/x", "", MISSING);
    EXPECT("/../secret.txt", "", MISSING);
    EXPECT("/sub/../../secret.txt", "", MISSING);
    EXPECT("/%2e%2e/secret.txt", "", MISSING);
    EXPECT("/..%2fsecret.txt", "", MISSING);
    EXPECT("/up/secret.txt", "", MISSING);
    EXPECT("/outside", "", MISSING);
    EXPECT("/absolute", "", MISSING);
    EXPECT("/fifo", "", MISSING);
    EXPECT("//etc/passwd", "", MISSING);
    close(root_fd);
}

/* Returns what a file holds, or the error. */
static const char *walked(const char *path)
{
    static char text[32];
    int fd = beneath_walk(root_fd, path);
    if (fd < 0)
        return whorl_error_name(fd);
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
    return text;
}

TEST_IO(without_openat2_no_link_is_followed)
{
    make_tree();
    CHECK_STR(walked("hello.txt"), "hello");
    CHECK_STR(walked("sub/index.html"), "<p>");
    CHECK_STR(walked("sub//index.html"), "<p>");
    CHECK_STR(walked("./hello.txt"), "hello");
    CHECK_STR(walked("missing"), "ENOENT");
    CHECK_STR(walked("hello.txt/x"), "ENOTDIR");
    CHECK_STR(walked("hello.txt/"), "ENOTDIR");
    CHECK_STR(walked("inside"), "ELOOP");
    CHECK_STR(walked("outside"), "ELOOP");
    CHECK_STR(walked("up/secret.txt"), "ENOTDIR");
    CHECK_STR(walked("../secret.txt"), "EXDEV");
    CHECK_STR(walked("sub/../../secret.txt"), "EXDEV");
    close(root_fd);
}

static WHORL_SUSPENDS_SHIELDED const char *opened(const char *path)
{
    int fd = beneath_open(root_fd, path);
    if (fd >= 0)
        close(fd);
    return fd >= 0 ? "open" : whorl_error_name(fd);
}

TEST_IO(links_are_followed_inside_of_the_directory_only)
{
    make_tree();
    if (!follows_links())
        test_skip("no openat2");
    CHECK_STR(opened("hello.txt"), "open");
    CHECK_STR(opened("inside"), "open");
    CHECK_STR(opened("sub/../hello.txt"), "open");
    CHECK_STR(opened("outside"), "EXDEV");
    CHECK_STR(opened("absolute"), "EXDEV");
    CHECK_STR(opened("up/secret.txt"), "EXDEV");
    CHECK_STR(opened("/etc/passwd"), "EXDEV");
    CHECK_STR(opened("missing"), "ENOENT");
    close(root_fd);
}

static int serve_socket(void *arg)
{
    struct served_conn *conn = arg;
    int err = whorl_http_serve_stream(conn->server, NULL, send_file, NULL);
    whorl_stream_close(conn->server);
    return err;
}

static WHORL_SUSPENDS_SHIELDED void fetch_big(struct whorl_stream *client, const char *range,
                                              size_t first, size_t len)
{
    char request[256], *reply;
    size_t reply_len;
    snprintf(request, sizeof request,
             "GET /big.bin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", range);
    CHECK_OK(whorl_stream_write(client, request, strlen(request)));
    CHECK_OK(whorl_stream_read_to_end(client, 2 * BIG, &reply, &reply_len));
    char *body = strstr(reply, "\r\n\r\n") + 4;
    CHECK_EQ(reply + reply_len - body, len);
    for (size_t i = 0; i < len; i++)
        CHECK_EQ(body[i], big_byte(first + i));
    free(reply);
}

TEST_IO(a_large_file_is_sent_over_a_socket)
{
    static const struct {
        const char *range;
        size_t first, len;
    } cases[] = {{"", 0, BIG},
                 {"Range: bytes=1000001-2500000\r\n", 1000001, 1500000},
                 {"Range: bytes=-20000\r\n", BIG - 20000, 20000}};
    make_tree();
    for (size_t i = 0; i < 3; i++) {
        struct served_conn conn = {0};
        int fds[2];
        CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
        CHECK_OK(whorl_stream_from_socket(fds[0], &conn.client));
        CHECK_OK(whorl_stream_from_socket(fds[1], &conn.server));
        CHECK_OK(whorl_spawn(&conn.group, serve_socket, &conn));
        fetch_big(conn.client, cases[i].range, cases[i].first, cases[i].len);
        whorl_stream_close(conn.client);
        CHECK_OK(whorl_group_wait(&conn.group));
    }
    close(root_fd);
}

TEST_IO(a_large_file_is_sent_over_a_stream_that_is_no_socket)
{
    struct served_setup setup = {.fn = send_file};
    struct served_conn conn;
    make_tree();
    served_open(&conn, &setup);
    fetch_big(conn.client, "", 0, BIG);
    free(served_close(&conn));
    CHECK_OK(setup.result);
    close(root_fd);
}

static WHORL_SUSPENDS int send_as_text(void *arg, struct whorl_http_incoming *incoming,
                                       struct whorl_http_reply *reply)
{
    static const struct whorl_http_file_options options = {.content_type = "text/a\nb"};
    (void)arg, (void)incoming;
    CHECK_ERR(whorl_http_reply_send_file(reply, root_fd, "big.bin", &options), WHORL_EHTTP_REPLY);
    CHECK_OK(whorl_http_reply_add_header(reply, "Content-Type", "text/plain"));
    return whorl_http_reply_send_file(reply, root_fd, "big.bin", NULL);
}

TEST_IO(a_file_is_never_compressed)
{
    struct served_setup setup = {.fn = send_as_text, .options.gzip = true};
    make_tree();
    char *reply = served(&setup, "GET / HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    CHECK(!strstr(reply, "Content-Encoding"));
    CHECK(strstr(reply, "Content-Length: 3000000\r\n"));
    free(reply);
    close(root_fd);
}

static WHORL_SUSPENDS int send_shrinking(void *arg, struct whorl_http_incoming *incoming,
                                         struct whorl_http_reply *reply)
{
    (void)arg, (void)incoming;
    int err = whorl_http_reply_send_file(reply, root_fd, "big.bin", NULL);
    CHECK_ERR(err, WHORL_EHTTP_REPLY_BODY);
    return err;
}

TEST_IO(a_file_that_becomes_shorter_ends_the_connection)
{
    struct served_setup setup = {.fn = send_shrinking, .capacity = 1000};
    struct served_conn conn;
    make_tree();
    served_open(&conn, &setup);
    served_send(&conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", 27);
    CHECK_OK(whorl_sleep(10 * WHORL_MILLISECOND));
    int fd = openat(root_fd, "big.bin", O_WRONLY | O_CLOEXEC);
    CHECK_OK(ftruncate(fd, 100000));
    close(fd);
    char *reply = served_close(&conn);
    CHECK(strlen(reply) < 200000);
    CHECK_OK(setup.result);
    free(reply);
    close(root_fd);
}

TEST_MAIN()
