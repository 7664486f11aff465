/* SPDX-License-Identifier: MIT */
/* Requests as system calls: tries them without blocking, or carries them out on a thread. */
#include "io/driver/syscall.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PARTS_MAX = 16,     /* iovec entries per call when a request continues after a short count */
    TERMINAL_ROOM = 256 /* bytes that a writable terminal accepts without blocking */
};

#define LEN_MAX ((size_t)0x7ffff000) /* the most bytes that the kernel moves in one call */

static void *pointer(uint64_t value)
{
    return (void *)(uintptr_t)value;
}

static int result(long value)
{
    return value < 0 ? -errno : (int)value;
}

/* --- what is left of a request ---------------------------------------------------------------- */

struct parts {
    struct iovec *iov;
    size_t count;
    struct iovec left[PARTS_MAX];
};

/* Sets `parts` to the request's memory after the first op->done bytes, which are already moved. */
static void parts_left(const struct io_op *op, struct iovec *iov, size_t count, struct parts *parts)
{
    size_t skip = op->done, n = 0;

    parts->iov = iov;
    parts->count = count;
    if (skip == 0)
        return;
    for (size_t i = 0; i < count && n < PARTS_MAX; i++) {
        size_t len = iov[i].iov_len;
        if (skip < len)
            parts->left[n++] = (struct iovec){(char *)iov[i].iov_base + skip, len - skip};
        skip -= skip < len ? skip : len;
    }
    parts->iov = parts->left;
    parts->count = n;
}

static size_t sum(const struct iovec *iov, size_t count)
{
    size_t len = 0;

    for (size_t i = 0; i < count && len < LEN_MAX; i++)
        len += iov[i].iov_len;
    return len < LEN_MAX ? len : LEN_MAX;
}

/* The bytes that the request asks for in total. */
static size_t whole_len(const struct io_op *op)
{
    const struct msghdr *msg = pointer(op->addr);

    switch (op->code) {
    case IO_OP_READV:
    case IO_OP_WRITEV:
        return sum(pointer(op->addr), op->len);
    case IO_OP_RECVMSG:
    case IO_OP_SENDMSG:
        return sum(msg->msg_iov, msg->msg_iovlen);
    default:
        return op->len;
    }
}

static bool is_reading(const struct io_op *op)
{
    return op->code == IO_OP_READ || op->code == IO_OP_READV || op->code == IO_OP_RECV ||
           op->code == IO_OP_RECVMSG;
}

static bool is_vector(const struct io_op *op)
{
    return op->code == IO_OP_READV || op->code == IO_OP_WRITEV;
}

/* io_uring also returns -EINVAL; sendmsg(2) would return -EMSGSIZE. */
static bool has_too_many_parts(const struct io_op *op)
{
    return is_vector(op) && op->len > IOV_MAX;
}

/* --- reading and writing ---------------------------------------------------------------------- */

/* One system call for the bytes that are left: at most `len_max` of them, unless that is 0. */
static ssize_t transfer(const struct io_op *op, int flags, size_t len_max)
{
    struct iovec one = {pointer(op->addr), op->len};
    bool vector = is_vector(op);
    off_t off = op->off == UINT64_MAX ? -1 : (off_t)(op->off + op->done);
    struct parts parts;

    parts_left(op, vector ? pointer(op->addr) : &one, vector ? op->len : 1, &parts);
    if (len_max > 0 && sum(parts.iov, parts.count) > len_max) {
        while (parts.count > 1 && parts.iov->iov_len == 0)
            parts.iov++, parts.count--;
        one = *parts.iov;
        if (one.iov_len > len_max)
            one.iov_len = len_max;
        parts.iov = &one;
        parts.count = 1;
    }
    return is_reading(op) ? preadv2(op->fd, parts.iov, (int)parts.count, off, flags)
                          : pwritev2(op->fd, parts.iov, (int)parts.count, off, flags);
}

/* The type of a descriptor's file: S_IFREG, S_IFIFO, ...; 0 for an eventfd and the like; S_IFMT for
 * none. */
static mode_t type_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_mode & S_IFMT : S_IFMT;
}

/* Whether the file is on a disk, so that a transfer should continue after a short count. */
static bool goes_on(int fd)
{
    mode_t type = type_of(fd);

    return type == S_IFREG || type == S_IFBLK;
}

/* The same with the system calls of sockets: before Linux 6.3 sockets do not support RWF_NOWAIT. */
static ssize_t transfer_socket(const struct io_op *op)
{
    struct iovec one = {pointer(op->addr), op->len};
    bool vector = is_vector(op);
    struct msghdr msg = {
        .msg_iov = vector ? pointer(op->addr) : &one,
        .msg_iovlen = vector ? op->len : 1,
    };

    return is_reading(op) ? recvmsg(op->fd, &msg, MSG_DONTWAIT)
                          : sendmsg(op->fd, &msg, MSG_DONTWAIT);
}

/* The largest write, in bytes, that does not block on a ready descriptor; 0: there is no limit. */
static size_t room(const struct io_op *op)
{
    struct stat st;

    if (is_reading(op))
        return 0;
    if (fstat(op->fd, &st) == 0 && S_ISFIFO(st.st_mode))
        return PIPE_BUF;
    return isatty(op->fd) ? TERMINAL_ROOM : 0;
}

/* Transfers on a descriptor that has no non-blocking call. It does so only when poll(2) reports
 * that the call will not block. If another process reads the data between poll(2) and our read, the
 * read blocks until more data arrive. */
static int transfer_ready(struct io_op *op)
{
    struct pollfd pollfd = {.fd = op->fd, .events = (short)syscall_events(op)};
    int flags = fcntl(op->fd, F_GETFL);
    ssize_t n;

    if (poll(&pollfd, 1, 0) == 0)
        return SYSCALL_WAIT;
    do {
        n = transfer(op, 0, flags & O_NONBLOCK ? 0 : room(op));
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return SYSCALL_WAIT;
    return result(n);
}

/* Whether `err` means that the file, its file system or the kernel does not support RWF_NOWAIT.
 * Buffered writes fail with EINVAL. */
static bool is_unsupported(const struct io_op *op, int err)
{
    return err == EOPNOTSUPP || err == ENOSYS || (err == EINVAL && !is_reading(op));
}

/* Whether the file is not open for this direction. Some emulators lack preadv2(2) and pwritev2(2),
 * which say so. Such a file never becomes ready. */
static bool is_wrong_way(const struct io_op *op)
{
    return (fcntl(op->fd, F_GETFL) & O_ACCMODE) == (is_reading(op) ? O_WRONLY : O_RDONLY);
}

static int try_transfer(struct io_op *op, enum syscall_state state)
{
    ssize_t n;

    if (has_too_many_parts(op))
        return -EINVAL;
    /* write(2) sends an empty datagram, while pwritev2(2) does nothing. */
    if (!is_reading(op) && op->off == UINT64_MAX && whole_len(op) == 0) {
        n = transfer_socket(op);
        if (n >= 0 || errno != ENOTSOCK)
            return n < 0 && errno == EAGAIN ? SYSCALL_WAIT : result(n);
    }
    for (;;) {
        n = transfer(op, RWF_NOWAIT, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        op->done += (uint32_t)n;
        if (n == 0 || state != SYSCALL_FIRST || op->done >= whole_len(op) || !goes_on(op->fd))
            return (int)op->done;
    }
    if (errno == EAGAIN)
        return SYSCALL_WAIT;
    if (!is_unsupported(op, errno))
        return op->done > 0 ? (int)op->done : -errno;
    n = transfer_socket(op);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return SYSCALL_WAIT;
    if (n >= 0 || errno != ENOTSOCK)
        return result(n);
    if (is_wrong_way(op))
        return -EBADF;
    return state == SYSCALL_READY ? transfer_ready(op) : SYSCALL_WAIT;
}

static int block_transfer(struct io_op *op)
{
    ssize_t n;

    if (has_too_many_parts(op))
        return -EINVAL;
    do {
        n = transfer(op, 0, 0);
        if (n > 0)
            op->done += (uint32_t)n;
    } while ((n < 0 && errno == EINTR) ||
             (n > 0 && op->done < whole_len(op) && op->done < LEN_MAX && goes_on(op->fd)));
    return n < 0 && op->done == 0 ? -errno : (int)op->done;
}

/* --- splice ----------------------------------------------------------------------------------- */

/* splice(2) has no flag that makes one call non-blocking on a socket, so the socket's send timeout
 * is set to this during the call. The caller polls the socket first. */
#define SPLICE_PATIENCE_US 10000

static bool set_patience(int fd, const struct timeval *tv)
{
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, tv, sizeof *tv) == 0;
}

/* Runs on a thread. Without the send timeout, a full blocking socket would block the thread until
 * the peer reads. */
static int block_splice(const struct io_op *op)
{
    const struct timeval patience = {.tv_usec = SPLICE_PATIENCE_US};
    off_t in_off = (off_t)op->addr, out_off = (off_t)op->off;
    struct timeval before;
    socklen_t len = sizeof before;
    bool bounded = op->flags & SPLICE_F_NONBLOCK &&
                   getsockopt(op->fd, SOL_SOCKET, SO_SNDTIMEO, &before, &len) == 0 &&
                   set_patience(op->fd, &patience);
    int res = result(splice((int)op->addr2, in_off == -1 ? NULL : &in_off, op->fd,
                            out_off == -1 ? NULL : &out_off, op->len, op->flags));

    if (bounded)
        set_patience(op->fd, &before);
    return res;
}

/* --- messages --------------------------------------------------------------------------------- */

static ssize_t message(const struct io_op *op)
{
    int flags = (int)op->flags | MSG_DONTWAIT;
    char *at = (char *)pointer(op->addr) + op->done;
    struct msghdr rest, *msg = pointer(op->addr);
    struct parts parts;

    if (op->code == IO_OP_RECV)
        return recv(op->fd, at, op->len - op->done, flags);
    if (op->code == IO_OP_SEND)
        return send(op->fd, at, op->len - op->done, flags);
    if (op->done > 0) { /* the address and control messages belong to the first bytes */
        parts_left(op, msg->msg_iov, msg->msg_iovlen, &parts);
        rest = (struct msghdr){.msg_iov = parts.iov, .msg_iovlen = parts.count};
        msg = &rest;
    }
    return is_reading(op) ? recvmsg(op->fd, msg, flags) : sendmsg(op->fd, msg, flags);
}

bool syscall_is_stream_socket(int fd)
{
    int type = 0;
    socklen_t len = sizeof type;

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_STREAM;
}

static int try_message(struct io_op *op)
{
    for (;;) {
        ssize_t n = message(op);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN && !(op->flags & MSG_DONTWAIT))
            return SYSCALL_WAIT;
        if (n < 0)
            return op->done > 0 ? (int)op->done : -errno;
        op->done += (uint32_t)n;
        if (n == 0 || !(op->flags & MSG_WAITALL) || (op->flags & MSG_PEEK) ||
            op->done >= whole_len(op) || !syscall_is_stream_socket(op->fd))
            return (int)op->done;
    }
}

/* --- calls without a non-blocking flag -------------------------------------------------------- */

/* Keeps two threads from setting and restoring the flag of one descriptor at the same time. */
static pthread_mutex_t flag_lock = PTHREAD_MUTEX_INITIALIZER;

static void lock_flag(void)
{
    pthread_mutex_lock(&flag_lock);
}

static void unlock_flag(void)
{
    pthread_mutex_unlock(&flag_lock);
}

static void keep_lock_over_forks(void)
{
    pthread_atfork(lock_flag, unlock_flag, unlock_flag);
}

/* Makes a call that has no flag against blocking on `fd`. */
static int without_blocking(int fd, const struct io_op *op, int (*call)(const struct io_op *op))
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int flags, res;

    pthread_once(&once, keep_lock_over_forks);
    lock_flag();
    flags = fcntl(fd, F_GETFL);
    if (flags < 0) {
        res = -errno;
    } else if (flags & O_NONBLOCK) {
        res = result(call(op));
    } else {
        fcntl(fd, F_SETFL, flags | O_NONBLOCK);
        res = result(call(op));
        fcntl(fd, F_SETFL, flags);
    }
    unlock_flag();
    return res;
}

static int call_splice(const struct io_op *op)
{
    return (int)splice((int)op->addr2, NULL, op->fd, NULL, op->len, op->flags);
}

ssize_t syscall_splice_now(int in_fd, int out_fd, size_t len)
{
    mode_t in = type_of(in_fd), out = type_of(out_fd);
    struct io_op op = {
        .fd = out_fd,
        .addr2 = (uint64_t)in_fd,
        .len = (uint32_t)(len < LEN_MAX ? len : LEN_MAX),
        .flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK, /* which counts for pipes only */
    };
    ssize_t n;

    if ((in != S_IFSOCK && in != S_IFIFO) || (out != S_IFSOCK && out != S_IFIFO))
        return -EPERM;
    do
        n = in == S_IFIFO && out == S_IFIFO
                ? result(call_splice(&op))
                : without_blocking(in == S_IFSOCK ? in_fd : out_fd, &op, call_splice);
    while (n == -EINTR);
    return n;
}

static int call_accept(const struct io_op *op)
{
    return accept4(op->fd, pointer(op->addr), pointer(op->addr2), (int)op->flags);
}

static int try_accept(struct io_op *op)
{
    int fd;

    do {
        fd = without_blocking(op->fd, op, call_accept);
    } while (fd == -EINTR);
    return fd == -EAGAIN ? SYSCALL_WAIT : fd;
}

bool syscall_is_unix_connect(const struct io_op *op)
{
    const struct sockaddr *addr = pointer(op->addr);

    return op->len >= sizeof addr->sa_family && addr->sa_family == AF_UNIX;
}

static int call_connect(const struct io_op *op)
{
    return connect(op->fd, pointer(op->addr), op->len);
}

/* op->done: the connect is in progress in the kernel. */
static int try_connect(struct io_op *op)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(int);
    int err = 0;

    if (!op->done) {
        err = without_blocking(op->fd, op, call_connect);
        if (err == -EAGAIN && syscall_is_unix_connect(op)) /* no event reports when there is room */
            return SYSCALL_LATER;
        op->done = err == -EINPROGRESS || err == -EINTR;
        return op->done ? SYSCALL_WAIT : err;
    }
    if (getsockopt(op->fd, SOL_SOCKET, SO_ERROR, &err, &len) < 0)
        return -errno;
    if (err)
        return -err;
    len = sizeof peer;
    if (getpeername(op->fd, (struct sockaddr *)&peer, &len) == 0)
        return 0;
    struct pollfd pollfd = {.fd = op->fd, .events = POLLOUT};
    /* Not connected, no error, and yet writable: the socket was shut down meanwhile. */
    return poll(&pollfd, 1, 0) == 1 ? -ECONNABORTED : SYSCALL_WAIT;
}

static int try_poll(const struct io_op *op)
{
    struct pollfd pollfd = {.fd = op->fd, .events = (short)op->len};

    if (poll(&pollfd, 1, 0) <= 0)
        return SYSCALL_WAIT;
    return pollfd.revents & POLLNVAL ? -EBADF : pollfd.revents;
}

/* --- closing ---------------------------------------------------------------------------------- */

/* Closing a file may write data back to a remote server, and closing a device may wait until it has
 * drained. Everything else closes at once. */
static int try_close(const struct io_op *op)
{
    struct stat st;

    if (fstat(op->fd, &st) < 0 && errno == EBADF)
        return -EBADF;
    switch (st.st_mode & S_IFMT) {
    case S_IFSOCK:
    case S_IFIFO:
    case 0: /* eventfd and the like */
        return result(close(op->fd));
    default:
        return SYSCALL_THREAD;
    }
}

/* --- all of them ------------------------------------------------------------------------------ */

int syscall_try(struct io_op *op, enum syscall_state state)
{
    switch (op->code) {
    case IO_OP_NOP:
        return 0;
    case IO_OP_READ:
    case IO_OP_WRITE:
    case IO_OP_READV:
    case IO_OP_WRITEV:
        return try_transfer(op, state);
    case IO_OP_RECV:
    case IO_OP_SEND:
    case IO_OP_RECVMSG:
    case IO_OP_SENDMSG:
        return try_message(op);
    case IO_OP_ACCEPT:
        return try_accept(op);
    case IO_OP_CONNECT:
        return try_connect(op);
    case IO_OP_POLL:
        return try_poll(op);
    case IO_OP_CLOSE:
        return try_close(op);
    default:
        return SYSCALL_THREAD;
    }
}

static int call(const struct io_op *op)
{
    int (*fn)(void *arg) = (int (*)(void *))(uintptr_t)op->addr;

    return fn(pointer(op->addr2));
}

int syscall_block(struct io_op *op)
{
    const char *path = pointer(op->addr);
    int dir = op->fd;

    switch (op->code) {
    case IO_OP_READ:
    case IO_OP_WRITE:
    case IO_OP_READV:
    case IO_OP_WRITEV:
        return block_transfer(op);
    case IO_OP_CLOSE:
        return result(close(op->fd));
    case IO_OP_FSYNC:
        return result(op->flags & IORING_FSYNC_DATASYNC ? fdatasync(op->fd) : fsync(op->fd));
    case IO_OP_FALLOCATE:
        return result(fallocate(op->fd, (int)op->len, (off_t)op->off, (off_t)op->addr));
    case IO_OP_SPLICE:
        return block_splice(op);
    case IO_OP_OPENAT:
        return result(openat(dir, path, (int)op->flags, (mode_t)op->len));
    case IO_OP_STATX:
        return result(statx(dir, path, (int)op->flags, op->len, pointer(op->addr2)));
    case IO_OP_RENAMEAT:
        return result(renameat2(dir, path, (int)op->len, pointer(op->addr2), op->flags));
    case IO_OP_UNLINKAT:
        return result(unlinkat(dir, path, (int)op->flags));
    case IO_OP_MKDIRAT:
        return result(mkdirat(dir, path, (mode_t)op->len));
    case IO_OP_FTRUNCATE:
        return result(ftruncate(op->fd, (off_t)op->off));
    case IO_OP_LINKAT:
        return result(linkat(dir, path, (int)op->len, pointer(op->addr2), (int)op->flags));
    case IO_OP_SYMLINKAT:
        return result(symlinkat(path, dir, pointer(op->addr2)));
    case IO_OP_READLINKAT:
        return result(readlinkat(dir, path, pointer(op->addr2), op->len));
    case IO_OP_UTIMENSAT:
        return result(utimensat(dir, path, pointer(op->addr2), (int)op->flags));
    case IO_OP_FLOCK:
        return result(flock(op->fd, (int)op->flags));
    case IO_OP_GETDENTS:
        return result(getdents64(op->fd, pointer(op->addr), op->len));
    case IO_OP_CALL:
        return call(op);
    default:
        return -EINVAL;
    }
}

/* --- without a thread ------------------------------------------------------------------------- */

/* Opens without waiting for the other end of a FIFO or for a device, as io_uring does. */
static int open_now(const struct io_op *op, int err)
{
    int flags = (int)op->flags;
    int fd = openat(op->fd, pointer(op->addr), flags | O_NONBLOCK, (mode_t)op->len);

    if (fd < 0)
        return -errno;
    if (flags & (O_NONBLOCK | O_PATH))
        return fd;
    if (type_of(fd) == S_IFIFO) {
        close(fd);
        return err;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    return fd;
}

int syscall_instead(struct io_op *op, int err)
{
    switch (op->code) {
    case IO_OP_READ:
    case IO_OP_WRITE:
    case IO_OP_READV:
    case IO_OP_WRITEV:
        return goes_on(op->fd) ? block_transfer(op) : err;
    case IO_OP_OPENAT:
        return open_now(op, err);
    case IO_OP_FLOCK:
        return op->flags & (LOCK_NB | LOCK_UN) ? syscall_block(op) : err;
    case IO_OP_SPLICE:
        op->flags |= SPLICE_F_NONBLOCK;
        return syscall_block(op);
    default:
        return syscall_block(op);
    }
}

bool syscall_is_for_threads(const struct io_op *op)
{
    mode_t type;

    switch (op->code) {
    case IO_OP_NOP:
    case IO_OP_CONNECT:
    case IO_OP_ACCEPT:
    case IO_OP_RECV:
    case IO_OP_SEND:
    case IO_OP_RECVMSG:
    case IO_OP_SENDMSG:
    case IO_OP_POLL:
        return false;
    case IO_OP_READ:
    case IO_OP_WRITE:
    case IO_OP_READV:
    case IO_OP_WRITEV:
        type = type_of(op->fd);
        return type != 0 && type != S_IFIFO && type != S_IFSOCK;
    default:
        return true;
    }
}

bool syscall_cancels_itself(const struct io_op *op)
{
    return (op->code == IO_OP_READ || op->code == IO_OP_READV) && type_of(op->fd) == 0;
}

unsigned syscall_events(const struct io_op *op)
{
    switch (op->code) {
    case IO_OP_POLL:
        return op->len & 0xffff; /* the higher bits are flags of epoll */
    case IO_OP_READ:
    case IO_OP_READV:
    case IO_OP_RECV:
    case IO_OP_RECVMSG:
    case IO_OP_ACCEPT:
        return POLLIN;
    default:
        return POLLOUT;
    }
}

bool syscall_is_direct(const struct io_op *op)
{
    switch (op->code) {
    case IO_OP_READ:
    case IO_OP_WRITE:
    case IO_OP_READV:
    case IO_OP_WRITEV:
    case IO_OP_RECV:
    case IO_OP_SEND:
    case IO_OP_RECVMSG:
    case IO_OP_SENDMSG:
    case IO_OP_ACCEPT:
    case IO_OP_CONNECT:
    case IO_OP_POLL:
        return false;
    default:
        return true;
    }
}

bool syscall_is_on_file(const struct io_op *op)
{
    switch (op->code) {
    case IO_OP_FSYNC:
    case IO_OP_FALLOCATE:
    case IO_OP_FTRUNCATE:
    case IO_OP_FLOCK:
    case IO_OP_GETDENTS:
    case IO_OP_SPLICE:
        return true;
    default: /* not a close, nor a request about a path */
        return !syscall_is_direct(op);
    }
}

int syscall_cancelled(const struct io_op *op)
{
    return op->code != IO_OP_CONNECT && op->done > 0 ? (int)op->done : -ECANCELED;
}
