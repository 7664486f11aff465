/* SPDX-License-Identifier: MIT */
/* Copying between sockets: what arrives in bulk is spliced through a pipe, small messages are
 * copied, and the receiver sees no difference. */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "test.h"

enum { BULK = 8 << 20, PIPE_ENDS = 2 };

struct copy {
    struct whorl_stream *source, *from, *to, *sink;
    struct whorl_group group;
    int64_t copied;
    int result;
    int fds_max; /* the most descriptors that were open while pass() read */
};

static void tcp_pair(struct whorl_stream **a, struct whorl_stream **b)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(listener >= 0 && client >= 0);
    CHECK_EQ(bind(listener, (struct sockaddr *)&at, len), 0);
    CHECK_EQ(listen(listener, 1), 0);
    CHECK_EQ(getsockname(listener, (struct sockaddr *)&at, &len), 0);
    CHECK_EQ(connect(client, (struct sockaddr *)&at, len), 0);
    int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(server >= 0);
    close(listener);
    CHECK_OK(whorl_stream_from_socket(client, a));
    CHECK_OK(whorl_stream_from_socket(server, b));
}

static void unix_pair(struct whorl_stream **a, struct whorl_stream **b)
{
    int fds[2];

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    CHECK_OK(whorl_stream_from_socket(fds[0], a));
    CHECK_OK(whorl_stream_from_socket(fds[1], b));
}

static int run_copy(void *arg)
{
    struct copy *copy = arg;

    copy->result = whorl_stream_copy(copy->to, copy->from, &copy->copied);
    return 0;
}

static void begin(struct copy *copy, void (*pair)(struct whorl_stream **, struct whorl_stream **))
{
    pair(&copy->source, &copy->from);
    pair(&copy->to, &copy->sink);
    copy->result = 1;
    CHECK_OK(whorl_spawn(&copy->group, run_copy, copy));
}

static void finish(struct copy *copy)
{
    whorl_stream_close(copy->source);
    whorl_stream_close(copy->from);
    whorl_stream_close(copy->to);
    whorl_stream_close(copy->sink);
}

static char byte_at(int64_t i)
{
    return (char)(i * 31 % 251);
}

struct sending {
    struct whorl_stream *stream;
    int64_t from, to;
};

static int send_bytes(void *arg)
{
    const struct sending *sending = arg;
    size_t len = (size_t)(sending->to - sending->from);
    char *bytes = malloc(len);

    CHECK(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(sending->from + (int64_t)i);
    int err = whorl_stream_write(sending->stream, bytes, len);
    free(bytes);
    return err;
}

/* Sends the bytes from `from` to `to`, and checks them at the other end. */
static WHORL_SUSPENDS_SHIELDED void pass(struct copy *copy, int64_t from, int64_t to)
{
    static char buf[100000];
    struct sending sending = {copy->source, from, to};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, send_bytes, &sending));
    while (from < to) {
        size_t len = to - from < (int64_t)sizeof buf ? (size_t)(to - from) : sizeof buf;
        CHECK_OK(whorl_stream_read_exact(copy->sink, buf, len));
        if (test_open_fds() > copy->fds_max)
            copy->fds_max = test_open_fds();
        for (size_t i = 0; i < len; i++)
            if (buf[i] != byte_at(from + (int64_t)i))
                test_fail(__FILE__, __LINE__, "byte %lld differs", (long long)from + (long long)i);
        from += (int64_t)len;
    }
    CHECK_OK(whorl_group_wait(&group));
}

static WHORL_SUSPENDS_SHIELDED void end(struct copy *copy)
{
    char byte;

    CHECK_OK(whorl_stream_close_write(copy->source));
    CHECK_ERR(whorl_stream_read(copy->sink, &byte, 1), 0);
    CHECK_OK(whorl_group_wait(&copy->group));
    CHECK_OK(copy->result);
}

static WHORL_SUSPENDS_SHIELDED void check_mixed(struct copy *copy)
{
    int64_t at = 7;

    pass(copy, 0, at); /* the run may open descriptors of its own when it first needs them */
    int fds = test_open_fds();
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 40; i++, at += 7)
            pass(copy, at, at + 7);
        CHECK_EQ(test_open_fds(), fds); /* small messages need no pipe */
        copy->fds_max = 0;
        pass(copy, at, at + BULK);
        at += BULK;
        CHECK_EQ(copy->fds_max, fds + PIPE_ENDS);
    }
    end(copy);
    CHECK_EQ(test_open_fds(), fds);
    CHECK_EQ(copy->copied, at);
}

TEST_IO(bulk_and_small_messages_alternate_over_tcp)
{
    struct copy copy = {0};

    begin(&copy, tcp_pair);
    check_mixed(&copy);
    finish(&copy);
}

TEST_IO(bulk_and_small_messages_alternate_over_unix_sockets)
{
    struct copy copy = {0};

    begin(&copy, unix_pair);
    check_mixed(&copy);
    finish(&copy);
}

/* The flag of the open files, which other processes may share, is as it was. */
TEST_IO(sockets_stay_blocking)
{
    struct copy copy = {0};

    begin(&copy, tcp_pair);
    pass(&copy, 0, BULK);
    CHECK_EQ(fcntl(whorl_stream_option_fd(copy.from), F_GETFL) & O_NONBLOCK, 0);
    CHECK_EQ(fcntl(whorl_stream_option_fd(copy.to), F_GETFL) & O_NONBLOCK, 0);
    end(&copy);
    finish(&copy);
}

TEST_IO(without_descriptors_for_a_pipe_bytes_are_copied)
{
    struct copy copy = {0};
    struct rlimit before, none;

    begin(&copy, tcp_pair);
    pass(&copy, 0, 7);
    int fds = test_open_fds();
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0; /* no further descriptor */
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    copy.fds_max = 0;
    pass(&copy, 7, BULK);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(test_open_fds(), fds);
    end(&copy);
    CHECK(copy.fds_max <= fds);
    CHECK_EQ(copy.copied, BULK);
    finish(&copy);
}

static bool is_full(struct whorl_stream *stream)
{
    struct pollfd pollfd = {.fd = whorl_stream_option_fd(stream), .events = POLLOUT};

    return poll(&pollfd, 1, 0) == 0;
}

/* Sends until nothing more goes out, because the sink does not read. */
static WHORL_SUSPENDS_SHIELDED void fill(struct copy *copy, struct whorl_group *group,
                                         struct sending *sending)
{
    *sending = (struct sending){copy->source, 0, 64 << 20};
    CHECK_OK(whorl_spawn(group, send_bytes, sending));
    while (!is_full(copy->source) || !is_full(copy->to))
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
}

static WHORL_SUSPENDS_SHIELDED void drop_sending(struct whorl_group *group)
{
    whorl_group_cancel(group);
    test_ignore(whorl_group_wait(group));
}

TEST_IO(a_sink_that_hangs_up_while_bytes_are_spliced_fails_the_copy_without_a_signal)
{
    struct copy copy = {0};
    struct whorl_group senders = {0};
    struct sending sending;
    char byte;

    begin(&copy, tcp_pair);
    fill(&copy, &senders, &sending);
    whorl_stream_close(copy.sink); /* with unread bytes: a reset */
    copy.sink = NULL;
    CHECK_OK(whorl_group_wait(&copy.group));
    CHECK_ERR(copy.result, -ECONNRESET);
    CHECK_ERR(whorl_stream_read(copy.to, &byte, 1), -ECONNRESET); /* not an orderly end */
    drop_sending(&senders);
    finish(&copy);
}

TEST_IO(a_source_that_resets_while_bytes_are_spliced_fails_the_copy)
{
    struct copy copy = {0};
    struct linger abort_it = {.l_onoff = 1};

    begin(&copy, tcp_pair);
    pass(&copy, 0, BULK);
    CHECK_EQ(setsockopt(whorl_stream_option_fd(copy.source), SOL_SOCKET, SO_LINGER, &abort_it,
                        sizeof abort_it),
             0);
    whorl_stream_close(copy.source);
    copy.source = NULL;
    CHECK_OK(whorl_group_wait(&copy.group));
    CHECK_ERR(copy.result, -ECONNRESET);
    finish(&copy);
}

TEST_IO(a_cancelled_splice_leaves_no_pipe)
{
    struct copy copy = {0};
    struct whorl_group senders = {0};
    struct sending sending;

    begin(&copy, tcp_pair);
    pass(&copy, 0, 7);
    int fds = test_open_fds();
    fill(&copy, &senders, &sending);
    CHECK_EQ(test_open_fds(), fds + PIPE_ENDS);
    whorl_group_cancel(&copy.group);
    CHECK_OK(whorl_group_wait(&copy.group));
    CHECK_ERR(copy.result, -ECANCELED);
    CHECK_EQ(test_open_fds(), fds);
    drop_sending(&senders);
    finish(&copy);
}

TEST_MAIN()
