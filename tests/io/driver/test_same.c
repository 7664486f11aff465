/* SPDX-License-Identifier: MIT */
/* Both drivers give the same answers: a table of operations and states of descriptors, which runs
 * with each driver. A cell of the table is one operation on a descriptor of its own. Its answer is
 * a text:
 *
 *     "5 'd'"               returned 5; these are the bytes that it has read
 *     "waits, 16"           waited; returned 16 after the event, such as room for more data
 *     "waits, waits, -125"  waited, also after the event, and was cancelled
 *     "... +16"             16 bytes of the operation have arrived at the peer
 *     "... +0"              an empty datagram has arrived at the peer
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <whorl.h>

#include "io/driver/op.h"
#include "test.h"

/* --- the states of a descriptor --------------------------------------------------------------- */

struct ends {
    int fd, peer; /* peer: -1 when there is none */
};

enum event {
    NOTHING,
    PEER_READS,
    PEER_WRITES,
};

struct state {
    const char *name;
    void (*make)(struct ends *ends, int detail);
    int detail;
    enum event event; /* ends the wait of an operation */
};

/* What has happened to a connection. */
enum {
    EMPTY,
    READABLE,
    FULL,      /* our sends have filled it */
    PEER_SHUT, /* the peer sends no more */
    WE_SHUT,   /* we send no more */
    PEER_CLOSED,
    PEER_RESET, /* the peer has closed with unread data, or with a reset */
};

static void pair(int type, struct ends *ends)
{
    int fds[2];

    CHECK_OK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds));
    ends->fd = fds[0];
    ends->peer = fds[1];
}

static void tcp_pair(struct ends *ends)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int small = 4096;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    CHECK_OK(bind(listener, (struct sockaddr *)&addr, sizeof addr));
    CHECK_OK(listen(listener, 1));
    CHECK_OK(getsockname(listener, (struct sockaddr *)&addr, &len));
    ends->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(ends->fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    CHECK_OK(connect(ends->fd, (struct sockaddr *)&addr, len));
    ends->peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK(ends->peer >= 0);
    close(listener);
}

/* Writes until there is no room; returns whether there was any. */
static bool fill(int fd)
{
    static const char data[1000] = "fill";
    bool had_room = false;

    while (write(fd, data, sizeof data) > 0)
        had_room = true;
    CHECK_EQ(errno, EAGAIN);
    return had_room;
}

static void happen(struct ends *ends, int detail)
{
    const struct linger reset = {1, 0};

    switch (detail) {
    case READABLE:
        CHECK_EQ(write(ends->peer, "ddddd", 5), 5);
        CHECK_EQ(write(ends->peer, "eee", 3), 3);
        break;
    case FULL:
        fcntl(ends->fd, F_SETFL, O_NONBLOCK);
        for (int quiet = 0; quiet < 3; usleep(500)) /* TCP makes room when its peer answers */
            quiet = fill(ends->fd) ? 0 : quiet + 1;
        fcntl(ends->fd, F_SETFL, 0);
        break;
    case PEER_SHUT:
        CHECK_EQ(write(ends->peer, "ddddd", 5), 5);
        CHECK_OK(shutdown(ends->peer, SHUT_WR));
        break;
    case WE_SHUT:
        CHECK_OK(shutdown(ends->fd, SHUT_WR));
        break;
    case PEER_RESET:
        CHECK_EQ(write(ends->fd, "unread", 6), 6);
        setsockopt(ends->peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        __attribute__((fallthrough));
    case PEER_CLOSED:
        close(ends->peer);
        ends->peer = -1;
        break;
    default:
        break;
    }
}

static void make_tcp(struct ends *ends, int detail)
{
    tcp_pair(ends);
    happen(ends, detail);
    if (detail == READABLE || detail == PEER_SHUT ||
        detail >= PEER_CLOSED) /* until it has arrived */
        poll(&(struct pollfd){ends->fd, POLLIN | POLLRDHUP, 0}, 1, 20);
}

static void make_unix_stream(struct ends *ends, int detail)
{
    pair(SOCK_STREAM, ends);
    happen(ends, detail);
}

static void make_unix_dgram(struct ends *ends, int detail)
{
    pair(SOCK_DGRAM, ends);
    happen(ends, detail);
}

static void make_seqpacket(struct ends *ends, int detail)
{
    pair(SOCK_SEQPACKET, ends);
    happen(ends, detail);
}

/* Two connected UDP sockets. PEER_CLOSED: a datagram was refused, and the error is pending. */
static void make_udp(struct ends *ends, int detail)
{
    struct sockaddr_in addrs[2];
    int fds[2];

    for (int i = 0; i < 2; i++) {
        socklen_t len = sizeof addrs[i];
        addrs[i] =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        fds[i] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        CHECK_OK(bind(fds[i], (struct sockaddr *)&addrs[i], sizeof addrs[i]));
        CHECK_OK(getsockname(fds[i], (struct sockaddr *)&addrs[i], &len));
    }
    for (int i = 0; i < 2; i++)
        CHECK_OK(connect(fds[i], (struct sockaddr *)&addrs[1 - i], sizeof addrs[i]));
    ends->fd = fds[0];
    ends->peer = fds[1];
    happen(ends, detail);
    if (detail == PEER_CLOSED) {
        CHECK_EQ(write(ends->fd, "refused", 7), 7);
        poll(&(struct pollfd){ends->fd, 0, 0}, 1, 100);
    }
}

static void make_pipe_out(struct ends *ends, int detail)
{
    int p[2];

    CHECK_OK(pipe2(p, O_CLOEXEC));
    ends->fd = p[1];
    ends->peer = p[0];
    happen(ends, detail);
}

static void make_pipe_in(struct ends *ends, int detail)
{
    int p[2];

    CHECK_OK(pipe2(p, O_CLOEXEC));
    ends->fd = p[0];
    ends->peer = p[1];
    happen(ends, detail);
}

/* A listening socket. READABLE: a connection waits. */
static void make_listener(struct ends *ends, int detail)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;

    ends->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_OK(bind(ends->fd, (struct sockaddr *)&addr, sizeof addr));
    CHECK_OK(listen(ends->fd, 1));
    CHECK_OK(getsockname(ends->fd, (struct sockaddr *)&addr, &len));
    if (detail == READABLE) {
        ends->peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK_OK(connect(ends->peer, (struct sockaddr *)&addr, len));
    }
}

static void make_unconnected(struct ends *ends, int detail)
{
    ends->fd = socket(detail, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(ends->fd >= 0);
}

static void make_unconnected_dgram(struct ends *ends, int detail)
{
    ends->fd = socket(detail, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(ends->fd >= 0);
}

/* `detail` is the flags of the open. */
static void make_file(struct ends *ends, int detail)
{
    char path[300];
    static int number;

    snprintf(path, sizeof path, "%s/file%d", test_tmpdir(), number++ % 1000);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK_EQ(write(fd, "dddddeee", 8), 8);
    close(fd);
    ends->fd = open(path, detail | O_CLOEXEC);
    CHECK(ends->fd >= 0);
}

static void make_directory(struct ends *ends, int detail)
{
    ends->fd = open(test_tmpdir(), detail | O_CLOEXEC);
    CHECK(ends->fd >= 0);
}

static void make_device(struct ends *ends, int detail)
{
    ends->fd = open(detail ? "/dev/zero" : "/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(ends->fd >= 0);
}

static void make_eventfd(struct ends *ends, int detail)
{
    ends->fd = eventfd((unsigned)detail, EFD_CLOEXEC);
    CHECK(ends->fd >= 0);
}

/* The numbers of descriptors that are not open. */
static void make_closed(struct ends *ends, int detail)
{
    ends->fd = detail;
}

static const struct state states[] = {
    {"tcp", make_tcp, EMPTY, PEER_WRITES},
    {"tcp readable", make_tcp, READABLE, PEER_WRITES},
    {"tcp full", make_tcp, FULL, PEER_READS},
    {"tcp peer shut", make_tcp, PEER_SHUT, NOTHING},
    {"tcp we shut", make_tcp, WE_SHUT, PEER_WRITES},
    {"tcp peer closed", make_tcp, PEER_CLOSED, NOTHING},
    {"tcp reset", make_tcp, PEER_RESET, NOTHING},
    {"stream", make_unix_stream, EMPTY, PEER_WRITES},
    {"stream readable", make_unix_stream, READABLE, PEER_WRITES},
    {"stream full", make_unix_stream, FULL, PEER_READS},
    {"stream peer shut", make_unix_stream, PEER_SHUT, NOTHING},
    {"stream we shut", make_unix_stream, WE_SHUT, PEER_WRITES},
    {"stream peer closed", make_unix_stream, PEER_CLOSED, NOTHING},
    {"stream reset", make_unix_stream, PEER_RESET, NOTHING},
    {"dgram", make_unix_dgram, EMPTY, PEER_WRITES},
    {"dgram readable", make_unix_dgram, READABLE, PEER_WRITES},
    {"dgram full", make_unix_dgram, FULL, PEER_READS},
    {"dgram peer closed", make_unix_dgram, PEER_CLOSED, NOTHING},
    {"seqpacket", make_seqpacket, EMPTY, PEER_WRITES},
    {"seqpacket readable", make_seqpacket, READABLE, PEER_WRITES},
    {"seqpacket full", make_seqpacket, FULL, PEER_READS},
    {"seqpacket peer closed", make_seqpacket, PEER_CLOSED, NOTHING},
    {"udp", make_udp, EMPTY, PEER_WRITES},
    {"udp readable", make_udp, READABLE, PEER_WRITES},
    {"udp refused", make_udp, PEER_CLOSED, NOTHING},
    {"listener", make_listener, EMPTY, NOTHING},
    {"listener readable", make_listener, READABLE, NOTHING},
    {"unconnected tcp", make_unconnected, AF_INET, NOTHING},
    {"unconnected stream", make_unconnected, AF_UNIX, NOTHING},
    {"unconnected udp", make_unconnected_dgram, AF_INET, NOTHING},
    {"unconnected dgram", make_unconnected_dgram, AF_UNIX, NOTHING},
    {"pipe out", make_pipe_out, EMPTY, NOTHING},
    {"pipe out full", make_pipe_out, FULL, PEER_READS},
    {"pipe out peer closed", make_pipe_out, PEER_CLOSED, NOTHING},
    {"pipe in", make_pipe_in, EMPTY, PEER_WRITES},
    {"pipe in readable", make_pipe_in, READABLE, PEER_WRITES},
    {"pipe in peer closed", make_pipe_in, PEER_CLOSED, NOTHING},
    {"file", make_file, O_RDWR, NOTHING},
    {"file to read", make_file, O_RDONLY, NOTHING},
    {"file to write", make_file, O_WRONLY, NOTHING},
    {"file to append", make_file, O_RDWR | O_APPEND, NOTHING},
    {"path", make_file, O_PATH, NOTHING},
    {"directory", make_directory, O_RDONLY | O_DIRECTORY, NOTHING},
    {"/dev/null", make_device, 0, NOTHING},
    {"/dev/zero", make_device, 1, NOTHING},
    {"eventfd 0", make_eventfd, 0, NOTHING},
    {"eventfd 1", make_eventfd, 1, NOTHING},
    {"closed", make_closed, 99999, NOTHING},
    {"no number", make_closed, -1, NOTHING},
};

/* --- the operations --------------------------------------------------------------------------- */

enum kind {
    RECV,
    RECVMSG,
    SEND,
    SEND_ALL,
    SENDMSG,
    SENDTO, /* to the peer's address, which only a bound peer has */
    READ,
    READV,
    WRITE,
    WRITEV,
    PREAD,
    PWRITE,
    POLL,
    SPLICE_IN,
    SPLICE_OUT,
    ACCEPT,
    CONNECT_NONE, /* to an address where nothing listens */
    CLOSE,
    FSYNC,
    FTRUNCATE,
    FALLOCATE,
    FLOCK,
    GETDENTS,
};

struct operation {
    const char *name;
    enum kind kind;
    int flags;
    size_t len;
};

#define WITH_FLAGS(name, kind)                                                      \
    {name, kind, 0, 16}, {name " dontwait", kind, MSG_DONTWAIT, 16},                \
        {name " waitall", kind, MSG_WAITALL, 16}, {name " oob", kind, MSG_OOB, 16}, \
        {name " dontwait waitall", kind, MSG_DONTWAIT | MSG_WAITALL, 16},           \
        {name " nosignal", kind, MSG_NOSIGNAL, 16},                                 \
    {                                                                               \
        name " nothing", kind, 0, 0                                                 \
    }

#define RECEIVES(name, kind)                                                                    \
    WITH_FLAGS(name, kind), {name " 5", kind, 0, 5}, {name " 5 waitall", kind, MSG_WAITALL, 5}, \
        {name " peek", kind, MSG_PEEK, 16},                                                     \
        {name " peek dontwait", kind, MSG_PEEK | MSG_DONTWAIT, 16},                             \
        {name " peek waitall", kind, MSG_PEEK | MSG_WAITALL, 16},                               \
        {name " errqueue", kind, MSG_ERRQUEUE, 16},                                             \
        {name " errqueue dontwait", kind, MSG_ERRQUEUE | MSG_DONTWAIT, 16},                     \
    {                                                                                           \
        name " trunc", kind, MSG_TRUNC, 2                                                       \
    }

#define BIG 200000

static const struct operation operations[] = {
    RECEIVES("recv", RECV),
    RECEIVES("recvmsg", RECVMSG),
    WITH_FLAGS("send", SEND),
    WITH_FLAGS("sendmsg", SENDMSG),
    {"send big dontwait", SEND, MSG_DONTWAIT, BIG},
    {"send big", SEND, 0, BIG},
    {"send big waitall", SEND, MSG_WAITALL, BIG},
    {"sendmsg big waitall", SENDMSG, MSG_WAITALL, BIG},
    {"send_all", SEND_ALL, 0, 16},
    {"read", READ, 0, 16},
    {"read 8", READ, 0, 8},
    {"read nothing", READ, 0, 0},
    {"readv", READV, 0, 16},
    {"write", WRITE, 0, 16},
    {"write 8", WRITE, 0, 8},
    {"write nothing", WRITE, 0, 0},
    {"writev", WRITEV, 0, 16},
    {"writev nothing", WRITEV, 0, 0},
    {"pwrite nothing", PWRITE, 0, 0},
    {"pread nothing", PREAD, 0, 0},
    {"pread", PREAD, 0, 16},
    {"pwrite", PWRITE, 0, 16},
    {"poll in", POLL, POLLIN, 0},
    {"poll out", POLL, POLLOUT, 0},
    {"poll in out", POLL, POLLIN | POLLOUT, 0},
    {"poll pri", POLL, POLLPRI, 0},
    {"poll rdhup", POLL, POLLRDHUP, 0},
    {"poll none", POLL, 0, 0},
    {"splice from", SPLICE_IN, 0, 16},
    {"splice to", SPLICE_OUT, 0, 16},
    {"accept", ACCEPT, 0, 0},
    {"connect none", CONNECT_NONE, 0, 0},
    {"close", CLOSE, 0, 0},
    {"fsync", FSYNC, 0, 0},
    {"ftruncate", FTRUNCATE, 0, 3},
    {"fallocate", FALLOCATE, 0, 100},
    {"flock", FLOCK, LOCK_SH | LOCK_NB, 0},
    {"getdents", GETDENTS, 0, 0},
};

/* --- one cell --------------------------------------------------------------------------------- */

/* What else holds for the descriptor. */
struct variant {
    const char *name;
    bool nonblocking;
    enum kind waiter; /* another task is in this operation; CLOSE: none */
};

static const struct variant variants[] = {
    {"", false, CLOSE},
    {", O_NONBLOCK", true, CLOSE},
    {", with a reader", false, READ},
    {", with a writer", false, WRITE},
};

struct cell {
    const struct state *state;
    const struct operation *op;
    const struct variant *variant;
    struct ends ends;
    char *buf;
    int64_t res;
    bool done;
    char answer[100];
};

static unsigned completed; /* cells that are done */

static WHORL_SUSPENDS int64_t operate_message(struct cell *c)
{
    const struct operation *op = c->op;
    struct iovec part = {c->buf, op->len};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};

    return op->kind == RECVMSG ? whorl_recvmsg(c->ends.fd, &msg, op->flags)
                               : whorl_sendmsg(c->ends.fd, &msg, op->flags);
}

static WHORL_SUSPENDS int64_t operate_splice(struct cell *c)
{
    int p[2], fd = c->ends.fd;
    int64_t res;

    CHECK_OK(whorl_pipe(p));
    if (c->op->kind == SPLICE_IN) {
        res = whorl_splice(fd, p[1], c->op->len);
    } else {
        CHECK_EQ(write(p[1], c->buf, c->op->len), c->op->len);
        res = whorl_splice(p[0], fd, c->op->len);
    }
    close(p[0]);
    close(p[1]);
    return res;
}

static WHORL_SUSPENDS int64_t operate_connect(struct cell *c)
{
    struct whorl_addr addr;
    int family = AF_UNIX;
    socklen_t len = sizeof family;

    getsockopt(c->ends.fd, SOL_SOCKET, SO_DOMAIN, &family, &len);
    if (family == AF_INET)
        CHECK_OK(whorl_addr_parse("127.0.0.1", 1, &addr));
    else
        CHECK_OK(whorl_addr_unix("@whorl test: nothing listens here", &addr));
    return whorl_connect(c->ends.fd, &addr);
}

static WHORL_SUSPENDS int64_t operate(struct cell *c)
{
    const struct operation *op = c->op;
    struct iovec part = {c->buf, op->len};
    int fd = c->ends.fd;

    switch (op->kind) {
    case RECV:
        return whorl_recv(fd, c->buf, op->len, op->flags);
    case SEND:
        return whorl_send(fd, c->buf, op->len, op->flags);
    case SEND_ALL:
        return whorl_send_all(fd, c->buf, op->len, op->flags);
    case RECVMSG:
    case SENDMSG:
        return operate_message(c);
    case READ:
        return whorl_read(fd, c->buf, op->len);
    case READV:
        return whorl_readv(fd, &part, 1);
    case WRITE:
        return whorl_write(fd, c->buf, op->len);
    case WRITEV:
        return whorl_writev(fd, &part, 1);
    case PREAD:
        return whorl_pread(fd, c->buf, op->len, 2);
    case PWRITE:
        return whorl_pwrite(fd, c->buf, op->len, 2);
    case POLL:
        return whorl_poll_fd(fd, (unsigned)op->flags);
    case SPLICE_IN:
    case SPLICE_OUT:
        return operate_splice(c);
    case ACCEPT:
        return io_op_run(&(struct io_op){.code = IO_OP_ACCEPT, .fd = fd, .flags = SOCK_CLOEXEC},
                         "accept");
    case CONNECT_NONE:
        return operate_connect(c);
    case FSYNC:
        return whorl_fsync(fd, false);
    case FTRUNCATE:
        return whorl_ftruncate(fd, (int64_t)op->len);
    case FALLOCATE:
        return whorl_fallocate(fd, 0, 0, (int64_t)op->len);
    case FLOCK:
        return whorl_flock(fd, op->flags);
    case GETDENTS:
        return io_op_run(&(struct io_op){.code = IO_OP_GETDENTS,
                                         .fd = fd,
                                         .addr = (uint64_t)(uintptr_t)c->buf,
                                         .len = BIG},
                         "getdents") > 0;
    default:
        return whorl_close(fd);
    }
}

static bool reads(const struct operation *op)
{
    return op->kind == RECV || op->kind == RECVMSG || op->kind == READ || op->kind == READV ||
           op->kind == PREAD;
}

static int run_cell(void *arg)
{
    struct cell *c = arg;

    memset(c->buf, 'o', c->op->len);
    /* TCP probes a window that is closed with a byte from the send buffer (RFC 9293 §3.8.6.1). So a
     * full buffer may have room for a byte by now. */
    if (c->state->make == make_tcp && c->state->detail == FULL && c->variant->waiter == CLOSE)
        while (send(c->ends.fd, "f", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
            ;
    c->res = operate(c);
    c->done = true;
    completed++;
    return 0;
}

/* Another task that waits for the descriptor. */
static int run_waiter(void *arg)
{
    struct cell *c = arg;
    char buf[16] = "waiter";

    if (c->variant->waiter == READ)
        test_ignore(whorl_read(c->ends.fd, buf, sizeof buf));
    else
        test_ignore(whorl_write(c->ends.fd, buf, sizeof buf));
    return 0;
}

/* --- a batch: all operations on descriptors of one state and variant -------------------------- */

struct batch {
    const struct state *state;
    const struct variant *variant;
    int64_t quiet_ns; /* what has not completed after this time without a completion waits */
    struct cell cells[sizeof operations / sizeof *operations];
};

enum { CELLS = sizeof operations / sizeof *operations };

static WHORL_SUSPENDS_SHIELDED void wait_until_quiet(const struct batch *b)
{
    unsigned before;

    do {
        before = completed;
        CHECK_OK(whorl_sleep(b->quiet_ns));
    } while (completed != before);
}

static void note(struct cell *c, const char *format, long long value)
{
    size_t len = strlen(c->answer);

    snprintf(c->answer + len, sizeof c->answer - len, format, value);
}

/* Whether the result is an address, a number of a new descriptor or the like. */
static void note_waiting(struct batch *b)
{
    for (int i = 0; i < CELLS; i++)
        if (!b->cells[i].done)
            note(&b->cells[i], "waits, ", 0);
}

/* Reads all that the peer has, and counts what this cell's operation has sent. */
static void drain(struct cell *c)
{
    static char buf[70000];
    int ours = 0, empty = 0;
    ssize_t n;

    if (c->ends.peer < 0)
        return;
    fcntl(c->ends.peer, F_SETFL, O_NONBLOCK);
    for (int tries = 0; tries < 2000 && (n = read(c->ends.peer, buf, sizeof buf)) >= 0; tries++) {
        for (ssize_t i = 0; i < n; i++)
            ours += buf[i] == 'o';
        empty += n == 0;
        if (n == 0 && empty > 3)
            break;
    }
    if (ours > 0)
        note(c, " +%lld", ours);
    if (empty == 1)
        note(c, " +0", 0);
}

static void happen_to(struct cell *c)
{
    if (c->ends.peer < 0 || c->done)
        return;
    if (c->state->event == PEER_READS)
        drain(c);
    else if (c->state->event == PEER_WRITES)
        test_ignore(write(c->ends.peer, "nnnn", 4));
}

static void close_ends(struct cell *c)
{
    if (c->op->kind == ACCEPT && c->res >= 0) {
        close((int)c->res);
        c->res = 0;
    }
    if (c->state->make != make_closed && c->op->kind != CLOSE)
        close(c->ends.fd);
    if (c->ends.peer >= 0)
        close(c->ends.peer);
}

static int run_batch(void *arg)
{
    struct batch *b = arg;
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    for (int i = 0; i < CELLS; i++) {
        struct cell *c = &b->cells[i];
        *c = (struct cell){.state = b->state,
                           .op = &operations[i],
                           .variant = b->variant,
                           .ends = {-1, -1},
                           .buf = malloc(BIG)};
        c->state->make(&c->ends, c->state->detail);
        if (b->variant->nonblocking && c->state->make != make_closed)
            fcntl(c->ends.fd, F_SETFL, fcntl(c->ends.fd, F_GETFL) | O_NONBLOCK);
        if (b->variant->waiter != CLOSE)
            CHECK_OK(whorl_spawn(&group, run_waiter, c));
    }
    if (b->variant->waiter != CLOSE)
        CHECK_OK(whorl_sleep(b->quiet_ns));
    for (int i = 0; i < CELLS; i++)
        CHECK_OK(whorl_spawn(&group, run_cell, &b->cells[i]));
    wait_until_quiet(b);
    note_waiting(b);
    if (b->variant->waiter == CLOSE) {
        for (int i = 0; i < CELLS; i++)
            happen_to(&b->cells[i]);
        wait_until_quiet(b);
        note_waiting(b);
    }
    whorl_group_cancel(&group);
    test_ignore(whorl_group_wait(&group));
    for (int i = 0; i < CELLS; i++) {
        struct cell *c = &b->cells[i];
        int64_t res = c->res;
        if (c->op->len == BIG && c->state->make == make_tcp && res > 0)
            res = 1; /* how much TCP takes depends on the moment */
        else
            drain(c);
        close_ends(c);
        note(c, "%lld", c->op->kind == ACCEPT && res > 0 ? 1 : res);
        if (reads(c->op) && res > 0)
            for (int64_t at = 0; at < res && at < (int64_t)c->op->len; at++)
                note(c, "%c", c->buf[at] ? c->buf[at] : '0');
        free(c->buf);
    }
    return 0;
}

static void run_with(const char *driver, struct batch *b)
{
    setenv("WHORL_DRIVER", driver, 1);
    CHECK_OK(whorl_io_run(run_batch, b));
}

/* The epoll driver reads with preadv2(2), which does not ask the file for no bytes. */
static bool may_differ(const struct state *state, const struct operation *op)
{
    if (state->make == make_eventfd && op->kind == READ && op->len == 0)
        return true;
    /* How much of a long send fits depends on when it continues while the peer reads. */
    return state->event == PEER_READS && op->len == BIG && !(op->flags & MSG_DONTWAIT);
}

/* Returns the number of differences. */
static unsigned compare(const struct state *state, const struct variant *variant)
{
    static struct batch ring, epoll;
    bool differs[CELLS];
    unsigned differences = 1;
    int64_t quiet_ns = 5 * WHORL_MILLISECOND;

    /* A slow machine may make an operation look as if it waited, and TCP makes room when it likes.
     * So an operation must differ each time, and it gets more time each time. */
    memset(differs, true, sizeof differs);
    for (int tries = 0; tries < 4 && differences > 0; tries++, quiet_ns *= 4) {
        ring = (struct batch){.state = state, .variant = variant, .quiet_ns = quiet_ns};
        epoll = ring;
        run_with("io_uring", &ring);
        run_with("epoll", &epoll);
        differences = 0;
        for (int i = 0; i < CELLS; i++) {
            differs[i] &= strcmp(ring.cells[i].answer, epoll.cells[i].answer) != 0 &&
                          !may_differ(state, &operations[i]);
            differences += differs[i];
        }
    }
    for (int i = 0; i < CELLS; i++)
        if (differs[i])
            printf("%s on %s%s: io_uring \"%s\", epoll \"%s\"\n", operations[i].name, state->name,
                   variant->name, ring.cells[i].answer, epoll.cells[i].answer);
    return differences;
}

static void check_variant(const struct variant *variant)
{
    const char *driver = getenv("WHORL_DRIVER");
    unsigned differences = 0;

    if (driver && strcmp(driver, "epoll") == 0)
        test_skip("it runs with both drivers in each run of the tests");
    if (test_on_qemu())
        test_skip("qemu has no io_uring");
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        differences += compare(&states[i], variant);
    CHECK_EQ(differences, 0);
}

TEST_SLOW(both_drivers_give_the_same_answers, TEST_PLAIN, 100)
{
    check_variant(&variants[0]);
}

TEST_SLOW(both_drivers_give_the_same_answers_on_non_blocking_descriptors, TEST_PLAIN, 100)
{
    check_variant(&variants[1]);
}

TEST_SLOW(both_drivers_give_the_same_answers_beside_a_reader, TEST_PLAIN, 100)
{
    check_variant(&variants[2]);
}

TEST_SLOW(both_drivers_give_the_same_answers_beside_a_writer, TEST_PLAIN, 100)
{
    check_variant(&variants[3]);
}

TEST_MAIN()
