/* SPDX-License-Identifier: MIT */
/* Long bodies that go through a pipe to a file: the bytes are right, also when the connection or
 * the disk fails, and other bodies are read as usual. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/http.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "listing.h"
#include "saving.h"
#include "scripted_peer.h"
#include "test.h"

enum {
    BLOCK = 65521, /* bytes; a prime, so blocks do not lie on pages */
    BLOCKS = 64,
    LEN = BLOCK * BLOCKS,
};

#define HEAD "HTTP/1.1 200 OK\r\nContent-Length: 4193344\r\n\r\n"

static char block[BLOCK];

static const char *pattern(void)
{
    for (size_t i = 0; i < BLOCK; i++)
        block[i] = (char)(i * 31 % 251);
    return block;
}

#define SEND_BLOCKS(times)                                                         \
    {                                                                              \
        .action = PEER_ACTION_SEND, .data = block, .len = BLOCK, .repeat = (times) \
    }

static const struct peer_step whole[] = {PEER_READ_HEAD(), PEER_SEND(HEAD), SEND_BLOCKS(BLOCKS),
                                         PEER_HANG(), PEER_END};

/* The body's first bytes arrive, then the connection ends in some way. */
static const struct peer_step truncated[] = {PEER_READ_HEAD(), PEER_SEND(HEAD), SEND_BLOCKS(40),
                                             PEER_CLOSE(), PEER_END};
static const struct peer_step reset[] = {PEER_READ_HEAD(), PEER_SEND(HEAD), SEND_BLOCKS(40),
                                         PEER_RESET(), PEER_END};
static const struct peer_step stuck[] = {PEER_READ_HEAD(), PEER_SEND(HEAD), SEND_BLOCKS(40),
                                         PEER_HANG(), PEER_END};

static void check_blocks(int fd, int64_t len)
{
    char *bytes = malloc(BLOCK);

    CHECK(bytes);
    for (int64_t at = 0; at < len;) {
        size_t n = len - at < BLOCK ? (size_t)(len - at) : BLOCK;
        CHECK_EQ(pread(fd, bytes, n, at), (ssize_t)n);
        CHECK(memcmp(bytes, block, n) == 0);
        at += (int64_t)n;
    }
    free(bytes);
}

static void check_blocks_file(const char *path, int64_t len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    CHECK(fd >= 0);
    CHECK_EQ(lseek(fd, 0, SEEK_END), len);
    check_blocks(fd, len);
    close(fd);
}

static WHORL_SUSPENDS_SHIELDED struct whorl_http_response *get(struct whorl_http_session *session,
                                                               const struct peer_step *script)
{
    struct whorl_http_response *response = NULL;
    char url[60];

    pattern();
    snprintf(url, sizeof url, "http://127.0.0.1:%u/", peer_port(peer_start(script)));
    CHECK_OK(whorl_http_get(session, url, &response));
    return response;
}

static struct whorl_http_session *new_session(void)
{
    struct whorl_http_session *session = NULL;

    CHECK_OK(whorl_http_session_create(NULL, &session));
    return session;
}

static int new_file(int flags)
{
    int fd = open(in_tmpdir("out"), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | flags, 0600);

    CHECK(fd >= 0);
    return fd;
}

struct receipt {
    int64_t at;   /* bytes in the file */
    int64_t held; /* of these, bytes that were not in the memory of this process */
};

/* Receives the body into a file, with a pipe if that is possible. The result of the last call. */
static WHORL_SUSPENDS int receive(struct whorl_http_response *response, int fd,
                                  struct receipt *receipt)
{
    const char *part;
    ssize_t n;
    int err = 0;

    while (err == 0) {
        n = whorl_http_response_hold(response, SIZE_MAX);
        bool is_held = n != -EOPNOTSUPP;
        if (!is_held)
            n = whorl_http_response_read_part(response, &part);
        if (n <= 0)
            return (int)n;
        err = is_held ? whorl_http_response_write_held(response, fd, receipt->at, (size_t)n)
                      : whorl_pwrite_all(fd, part, (size_t)n, receipt->at);
        if (err == 0) {
            receipt->at += n;
            receipt->held += is_held ? n : 0;
        }
    }
    return err;
}

static WHORL_SUSPENDS_SHIELDED int64_t check_whole(int flags)
{
    WHORL_AUTO(http_session) *session = new_session();
    struct whorl_http_response *response = get(session, whole);
    struct receipt receipt = {0};
    int fd = new_file(flags);

    int fds = test_open_fds();
    CHECK_OK(receive(response, fd, &receipt));
    CHECK_EQ(receipt.at, LEN);
    CHECK_EQ(whorl_http_response_received(response), LEN);
    check_blocks(fd, LEN);
    whorl_http_response_close(response);
    CHECK(test_open_fds() <= fds); /* the pipe is closed; the connection is kept */
    close(fd);
    return receipt.held;
}

TEST_IO(the_rest_of_a_long_body_is_never_in_memory)
{
    CHECK(check_whole(0) > LEN / 4);
}

/* splice(2) refuses a file that is open for appending. */
TEST_IO(a_file_that_takes_no_bytes_from_a_pipe_gets_copies)
{
    int64_t held = check_whole(O_APPEND);

    CHECK(held > 0 && held <= 512 << 10);
}

TEST_IO(without_descriptors_for_a_pipe_bytes_are_read)
{
    WHORL_AUTO(http_session) *session = new_session();
    struct whorl_http_response *response = get(session, whole);
    struct receipt receipt = {0};
    struct rlimit before, none;
    int fd = new_file(0);
    const char *part;

    /* Now the peer needs no further descriptor either. */
    ssize_t n = whorl_http_response_read_part(response, &part);
    CHECK(n > 0);
    CHECK_OK(whorl_pwrite_all(fd, part, (size_t)n, 0));
    receipt.at = n;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    int next = dup(fd);
    CHECK(next >= 0);
    close(next);
    none.rlim_cur = (rlim_t)next; /* no further descriptor; the peer still needs poll(2) */
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_OK(receive(response, fd, &receipt));
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(receipt.held, 0);
    CHECK_EQ(receipt.at, LEN);
    check_blocks(fd, LEN);
    whorl_http_response_close(response);
    close(fd);
}

static WHORL_SUSPENDS_SHIELDED void check_cut(const struct peer_step *script, int err)
{
    WHORL_AUTO(http_session) *session = new_session();
    struct whorl_http_response *response = get(session, script);
    struct receipt receipt = {0};
    int fd = new_file(0);

    CHECK_ERR(receive(response, fd, &receipt), err);
    CHECK_EQ(whorl_http_response_error(response)->code, err);
    CHECK_ERR(whorl_http_response_hold(response, SIZE_MAX), -EOPNOTSUPP);
    CHECK_EQ(receipt.at, whorl_http_response_received(response));
    CHECK(receipt.at <= 40 * BLOCK);
    if (err == WHORL_EHTTP_TRUNCATED) {
        CHECK_EQ(receipt.at, 40 * BLOCK);
        CHECK(receipt.held > 0);
    }
    check_blocks(fd, receipt.at);
    whorl_http_response_close(response);
    close(fd);
}

TEST_IO(a_body_that_ends_early_is_truncated)
{
    check_cut(truncated, WHORL_EHTTP_TRUNCATED);
}

TEST_IO(a_reset_is_reported_behind_the_bytes_that_arrived)
{
    check_cut(reset, -ECONNRESET);
}

TEST_IO(a_cancelled_wait_loses_no_bytes)
{
    WHORL_AUTO(http_session) *session = new_session();
    struct whorl_http_response *response = get(session, stuck);
    struct receipt receipt = {0};
    struct whorl_scope scope;
    int fd = new_file(0);

    whorl_scope_enter(&scope, whorl_after(300 * WHORL_MILLISECOND));
    int err = receive(response, fd, &receipt);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    CHECK_EQ(whorl_http_response_received(response), receipt.at);
    check_blocks(fd, receipt.at);
    whorl_http_response_close(response);
    close(fd);
}

TEST_IO(the_stall_limit_applies)
{
    struct whorl_http_session_options options = {.timeouts.stall_ns = 200 * WHORL_MILLISECOND};
    WHORL_AUTO(http_session) *session = NULL;
    struct receipt receipt = {0};
    int fd = new_file(0);

    CHECK_OK(whorl_http_session_create(&options, &session));
    struct whorl_http_response *response = get(session, stuck);
    CHECK_ERR(receive(response, fd, &receipt), WHORL_EHTTP_STALL_TIMEOUT);
    CHECK_EQ(receipt.at, 40 * BLOCK);
    whorl_http_response_close(response);
    close(fd);
}

TEST_IO(no_more_is_held_than_was_asked_for_and_the_rest_can_be_read)
{
    WHORL_AUTO(http_session) *session = new_session();
    struct whorl_http_response *response = get(session, whole);
    int fd = new_file(0);
    const char *part;
    int64_t at = 0;
    ssize_t n = 0;

    while ((n = whorl_http_response_hold(response, 1000)) == -EOPNOTSUPP) {
        n = whorl_http_response_read_part(response, &part);
        CHECK(n > 0);
        at += n;
    }
    CHECK(n > 0 && n <= 1000);
    CHECK_ERR(whorl_http_response_write_held(response, fd, 0, (size_t)n + 1), -EIO);
    CHECK_OK(whorl_http_response_write_held(response, fd, 0, 1));
    CHECK_OK(whorl_http_response_write_held(response, fd, 1, (size_t)n - 1));
    for (at += n; (n = whorl_http_response_read_part(response, &part)) > 0; at += n)
        for (ssize_t i = 0; i < n; i++)
            CHECK(part[i] == block[(at + i) % BLOCK]);
    CHECK_OK((int)n);
    CHECK_EQ(at, LEN);
    whorl_http_response_close(response);
    close(fd);
}

/* Saves */

static WHORL_SUSPENDS int save_whole(const struct peer_step *script, const char *path,
                                     const struct whorl_http_save_options *options)
{
    WHORL_AUTO(http_session) *session = new_session();
    struct whorl_http_response *response = get(session, script);

    int err = whorl_http_response_save(response, path, options);
    error = *whorl_http_response_error(response);
    whorl_http_response_close(response);
    return err;
}

/* The descriptors that are open at the first part of the body, and the most at any part. */
static int fds_first, fds_max;

static void count_fds(void *arg, int64_t received)
{
    int fds = test_open_fds();

    (void)arg, (void)received;
    fds_first = fds_first ? fds_first : fds;
    fds_max = fds > fds_max ? fds : fds_max;
}

static void ignore_part(void *arg, const char *part, size_t len)
{
    (void)arg, (void)part, (void)len;
}

TEST_IO(a_save_uses_a_pipe_unless_its_bytes_are_shown)
{
    struct whorl_http_save_options options = {.progress = count_fds, .overwrite = true};

    for (int i = 0; i < 2; i++) {
        options.part = i == 0 ? ignore_part : NULL;
        fds_first = fds_max = 0;
        CHECK_OK(save_whole(whole, in_tmpdir("f"), &options));
        CHECK_EQ(fds_max - fds_first, i == 0 ? 0 : 2);
        check_blocks_file(in_tmpdir("f"), LEN);
    }
}

TEST_IO(a_full_disk_in_the_middle_fails_the_save)
{
    struct rlimit limit = {.rlim_cur = 2000000, .rlim_max = 2000000};
    int64_t written = 0;
    struct whorl_http_save_options options = {.ret_written = &written};

    signal(SIGXFSZ, SIG_IGN);
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    CHECK_ERR(save_whole(whole, in_tmpdir("f"), &options), -EFBIG);
    CHECK_STR(error.step, "write");
    CHECK(written <= 2000000);
    CHECK_STR(listing(), "");
}

TEST_IO(a_truncated_save_leaves_nothing)
{
    CHECK_ERR(save_whole(truncated, in_tmpdir("f"), NULL), WHORL_EHTTP_TRUNCATED);
    CHECK_STR(listing(), "");
}

TEST_IO(bytes_for_dev_null_are_dropped_and_counted)
{
    int64_t written = 0;
    struct whorl_http_save_options options = {.ret_written = &written};

    CHECK_OK(save_whole(whole, "/dev/null", &options));
    CHECK_EQ(written, LEN);
}

TEST_MAIN()
