/* SPDX-License-Identifier: MIT */
/* Listening sockets: one multishot accept stays armed; connections are queued until a task takes
 * them.
 *
 *     armed        a request is in flight; each completion passes a connection to the task that has
 *                  waited longest, or queues it. While no task waits, it is a background request.
 *     full         READY_MAX connections are queued: the request is cancelled; the next accept that
 *                  finds the queue empty arms it again. Further connections stay in the kernel's
 *                  backlog, where their number is bounded and other processes can accept them.
 *     shared       other processes may accept from the socket. Then an accept is in flight only
 *                  while a task waits, and takes one connection, so that the others get theirs.
 *     polled       a poll is in flight in place of the accept: for a socket with O_NONBLOCK, on a
 *                  kernel that completes its accepts with -EAGAIN instead of waiting.
 *     closed       the owner has closed the listener; its memory is freed by the last completion of
 *                  the request.
 *     copied       a forked child has a copy. The request, the queued connections and the waiting
 *                  tasks are the parent's: adopt() drops the copies of them.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whorl/net.h>
#include <whorl/poller.h>
#include <whorl/task.h>

#include "io/driver/op.h"
#include "io/driver/queue.h"
#include "runtime/base/check.h"

enum {
    BACKLOG_DEFAULT = 4096,
    READY_MAX = 64, /* connections in the queue at which the request is cancelled */
};

struct whorl_listener {
    struct io_op
        op; /* in flight while armed or polled; first field, so pointers to the two convert */
    int fd;
    bool bound; /* by whorl_listen() in this process: closing removes the path of a Unix socket */
    unsigned depth; /* the process that it belongs to, see forks.h */
    unsigned forks; /* the value of `forks_made` when it was bound */
    struct whorl_addr addr;
    struct whorl_waiter waiters; /* tasks in whorl_accept(), and cases of a select */
    int *ready;                  /* ring buffer of queued connections */
    unsigned ready_first, ready_count, ready_size;
    bool one_shot; /* the kernel has no multishot accept (before 5.19) */
    bool nonblocking;
    bool closed;
};

/* --- queued connections ----------------------------------------------------------------------- */

static int grow_ready(struct whorl_listener *l)
{
    unsigned size = l->ready_size ? l->ready_size * 2 : 16;
    int *ready = malloc(size * sizeof *ready);

    if (!ready)
        return -ENOMEM;
    for (unsigned i = 0; i < l->ready_count; i++)
        ready[i] = l->ready[(l->ready_first + i) % l->ready_size];
    free(l->ready);
    l->ready = ready;
    l->ready_first = 0;
    l->ready_size = size;
    return 0;
}

static void keep(struct whorl_listener *l, int fd)
{
    if (l->ready_count == l->ready_size && grow_ready(l) < 0) {
        close(fd); /* the kernel does the same when it has no memory for a connection */
        return;
    }
    l->ready[(l->ready_first + l->ready_count++) % l->ready_size] = fd;
    if (l->ready_count >= READY_MAX)
        io_op_cancel(&l->op);
}

static int take(struct whorl_listener *l)
{
    int fd = l->ready[l->ready_first];

    l->ready_first = (l->ready_first + 1) % l->ready_size;
    l->ready_count--;
    return fd;
}

static void close_ready(struct whorl_listener *l)
{
    while (l->ready_count > 0)
        close(take(l));
}

/* --- forks ------------------------------------------------------------------------------------ */

/* Whether a forked child is still in the run in which its parent forked. It has that run's tasks,
 * but not its driver. */
static bool is_in_parents_run(const struct whorl_listener *l)
{
    return !io_driver_current() && whorl_poller_current() &&
           whorl_poller_current() == (struct whorl_poller *)l->op.driver;
}

/* To be called before a listener is used: in a forked child it drops what belongs to the parent.
 * Returns 0, or WHORL_ENOIO in the parent's run. */
static int adopt(struct whorl_listener *l)
{
    if (__builtin_expect(!forks_copied(l->depth), 1))
        return 0;
    if (is_in_parents_run(l))
        return WHORL_ENOIO;
    l->depth = forks_watch();
    l->bound = false;
    l->op = (struct io_op){0};
    queue_init(&l->waiters);
    close_ready(l);
    return 0;
}

/* Whether other processes may have a copy of the socket: this one has forked since it made it. */
static bool is_shared(const struct whorl_listener *l)
{
    return !l->bound || l->forks != atomic_load_explicit(&forks_made, memory_order_relaxed);
}

/* --- the request ------------------------------------------------------------------------------ */

static void release(struct whorl_listener *l)
{
    close(l->fd);
    free(l->ready);
    free(l);
}

/* To be called when a waiter has left the queue. */
static void waiter_left(struct whorl_listener *l)
{
    bool last = queue_is_empty(&l->waiters);

    io_op_set_background(&l->op, last);
    if (last && is_shared(l))
        io_op_cancel(&l->op);
}

/* Wakes the task that has waited longest; false when there is none. */
static bool wake_one(struct whorl_listener *l, int result)
{
    struct whorl_waiter *waiter = queue_take(&l->waiters);

    if (!waiter)
        return false;
    waiter_left(l);
    whorl_wake(waiter, result);
    return true;
}

/* Whether an error concerns only one connection or one request, so that the next may succeed. */
static bool is_passing(int err)
{
    return err == -ECONNABORTED || err == -EPROTO || err == -EINTR || err == -EAGAIN ||
           err == -ECANCELED;
}

static void on_accept(struct io_op *op, int res, bool more);

static int arm(struct whorl_listener *l)
{
    if (io_op_is_in_flight(&l->op))
        return 0;
    if (!l->nonblocking && io_driver_current() && io_driver_current()->ops->calls)
        l->nonblocking = fcntl(l->fd, F_SETFL, O_NONBLOCK) == 0;
    l->op.code = IO_OP_ACCEPT;
    l->op.fd = l->fd;
    l->op.len = 0;
    l->op.flags = SOCK_CLOEXEC;
    l->op.multishot = !l->one_shot && !is_shared(l);
    l->op.complete = on_accept;
    return io_op_start(&l->op);
}

static int arm_poll(struct whorl_listener *l)
{
    l->op.code = IO_OP_POLL;
    l->op.len = POLLIN;
    l->op.flags = 0;
    l->op.multishot = false;
    return io_op_start(&l->op);
}

static void on_accept(struct io_op *op, int res, bool more)
{
    struct whorl_listener *l = (struct whorl_listener *)op;
    bool polled = op->code == IO_OP_POLL;

    if (l->closed) {
        if (res >= 0 && !polled)
            close(res);
        if (!more)
            release(l);
        return;
    }
    if (res >= 0 && !polled) {
        if (!wake_one(l, res))
            keep(l, res);
    } else if (res == -EINVAL && l->op.multishot) {
        l->one_shot = true; /* if it is no listening socket, the next request fails again */
    } else if (res < 0 && !is_passing(res)) {
        wake_one(l, res);
    }
    if (!more && !queue_is_empty(&l->waiters)) {
        int err = res == -EAGAIN && !polled ? arm_poll(l) : arm(l);
        while (err && wake_one(l, err)) {
        }
    }
}

/* --- public ----------------------------------------------------------------------------------- */

static int open_socket(const struct whorl_addr *addr, const struct whorl_listen_options *options)
{
    int family = addr->sa.sa_family, err;
    int fd = whorl_socket(family, SOCK_STREAM, 0);

    if (fd < 0)
        return fd;
    const int on = 1, v6_only = options->v6_only;
    bool ip = family == AF_INET || family == AF_INET6;
    if ((ip && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) ||
        (options->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) ||
        (family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only) < 0) ||
        /* Connections inherit TCP_NODELAY, which saves a system call for each. */
        (ip && options->no_delay && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) ||
        bind(fd, &addr->sa, addr->len) < 0) {
        err = -errno;
        close(fd);
        return err;
    }
    return fd;
}

/* Removes the file of a Unix socket that whorl_listen() bound, unless its address is abstract. */
static void remove_path(const struct whorl_listener *l)
{
    if (l->bound && l->addr.sa.sa_family == AF_UNIX && l->addr.un.sun_path[0])
        unlink(l->addr.un.sun_path);
}

int whorl_listen(const struct whorl_addr *addr, const struct whorl_listen_options *options,
                 struct whorl_listener **ret)
{
    static const struct whorl_listen_options defaults;
    struct whorl_listener *l = calloc(1, sizeof *l);
    int err;

    if (!l)
        return -ENOMEM;
    if (!options)
        options = &defaults;
    l->fd = open_socket(addr, options);
    if (l->fd < 0) {
        err = l->fd;
        goto err_listener;
    }
    l->bound = true;
    l->depth = forks_watch();
    l->forks = atomic_load_explicit(&forks_made, memory_order_relaxed);
    l->addr = *addr;
    if (listen(l->fd, options->backlog > 0 ? options->backlog : BACKLOG_DEFAULT) < 0)
        err = -errno;
    else
        err = whorl_addr_local(l->fd, &l->addr);
    if (err)
        goto err_socket;
    queue_init(&l->waiters);
    *ret = l;
    return 0;

err_socket:
    remove_path(l);
    close(l->fd);
err_listener:
    free(l);
    return err;
}

/* 0, or -EINVAL when the socket does not listen. */
static int check_listens(int fd)
{
    int listens = 0;
    socklen_t len = sizeof listens;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0)
        return -errno;
    return listens ? 0 : -EINVAL;
}

/* Sets the options that can still be set on a socket that listens. */
static int configure(int fd, int family, const struct whorl_listen_options *options)
{
    const int on = 1;
    bool ip = family == AF_INET || family == AF_INET6;

    if ((options->backlog > 0 && listen(fd, options->backlog) < 0) ||
        (ip && options->no_delay && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) ||
        fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    return 0;
}

int whorl_listen_ip(const char *ip, uint16_t port, const struct whorl_listen_options *options,
                    struct whorl_listener **ret)
{
    struct whorl_addr addr;
    int err = whorl_addr_parse(ip, port, &addr);

    return err ? err : whorl_listen(&addr, options, ret);
}

int whorl_listen_fd(int fd, const struct whorl_listen_options *options, struct whorl_listener **ret)
{
    static const struct whorl_listen_options defaults;
    struct whorl_listener *l;
    struct whorl_addr addr;

    int err = check_listens(fd);
    if (err == 0)
        err = whorl_addr_local(fd, &addr);
    if (err)
        return err;
    l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    err = configure(fd, addr.sa.sa_family, options ? options : &defaults);
    if (err) {
        free(l);
        return err;
    }
    l->fd = fd;
    l->depth = forks_watch();
    l->addr = addr;
    queue_init(&l->waiters);
    *ret = l;
    return 0;
}

static enum whorl_abort withdraw(struct whorl_waiter *waiter)
{
    struct whorl_listener *l = waiter->data;

    queue_remove(waiter);
    waiter_left(l);
    return WHORL_ABORT_DONE;
}

/* Fills in the peer of a connection that is handed out, or an error; returns `fd`. */
static int with_peer(int fd, struct whorl_addr *ret_peer)
{
    if (fd >= 0 && ret_peer && whorl_addr_peer(fd, ret_peer) < 0)
        memset(ret_peer, 0, sizeof *ret_peer); /* it has hung up; the first read will say so */
    return fd;
}

/* Appends a waiter to the others. While there is a waiter, an accept is in flight. */
static int wait_for_connection(struct whorl_listener *l, struct whorl_waiter *waiter)
{
    int err = adopt(l);

    if (err == 0)
        err = arm(l);
    if (err)
        return err;
    queue_append(&l->waiters, waiter);
    io_op_set_background(&l->op, false);
    return 0;
}

WHORL_SUSPENDS int whorl_accept(struct whorl_listener *l, struct whorl_addr *ret_peer)
{
    struct whorl_waiter waiter = WHORL_WAITER_INIT;
    int fd, err;

    if (!whorl_task_self())
        return WHORL_ENOTASK;
    err = whorl_check_cancelled();
    if (err == 0)
        err = adopt(l);
    if (err)
        return err;
    if (l->closed)
        return -EPIPE;
    if (l->ready_count > 0) {
        fd = take(l);
    } else {
        waiter.data = l;
        err = wait_for_connection(l, &waiter);
        if (err)
            return err;
        fd = (int)whorl_park(&waiter, withdraw, "accept");
    }
    /* `l` may be freed by now. */
    return with_peer(fd, ret_peer);
}

const struct whorl_addr *whorl_listener_addr(const struct whorl_listener *l)
{
    return &l->addr;
}

void whorl_listener_close(struct whorl_listener *l)
{
    if (!l)
        return;
    bool is_parents = adopt(l) < 0;
    whorl_check_text(whorl_poller_current() || queue_is_empty(&l->waiters),
                     "a listener was closed outside its run while a task waits for a connection");
    l->closed = true;
    while (wake_one(l, -EPIPE)) {
    }
    close_ready(l);
    if (!is_parents)
        remove_path(l);
    if (!io_op_is_in_flight(&l->op) || is_parents) {
        release(l);
        return;
    }
    /* The request keeps the socket open until it ends. Without shutdown(), the socket would still
     * accept connections and occupy its address until then. A shared socket must keep listening
     * for the other processes. */
    if (!is_shared(l))
        shutdown(l->fd, SHUT_RDWR);
    io_op_cancel(&l->op);
}

/* --- select ----------------------------------------------------------------------------------- */

static bool accept_try(struct whorl_case *c)
{
    struct whorl_listener *l = c->object;

    if (adopt(l) < 0 || (!l->closed && l->ready_count == 0))
        return false; /* then accept_start() reports the error */
    c->result = l->closed ? -EPIPE : with_peer(take(l), c->data);
    return true;
}

/* Called instead of waking a task: the case gets the connection, and the select takes this case. */
static void accept_notify(struct whorl_waiter *waiter)
{
    struct whorl_case *c = container_of(waiter, struct whorl_case, waiter);

    whorl_case_ready(c, with_peer((int)waiter->result, c->data));
}

static int accept_start(struct whorl_case *c)
{
    c->waiter = (struct whorl_waiter){.data = c->object, .notify = accept_notify};
    return wait_for_connection(c->object, &c->waiter);
}

static enum whorl_abort accept_stop(struct whorl_case *c)
{
    return withdraw(&c->waiter);
}

struct whorl_case whorl_case_accept(struct whorl_listener *listener, struct whorl_addr *ret_peer)
{
    static const struct whorl_case_ops ops = {"accept", accept_try, accept_start, accept_stop};
    return (struct whorl_case){.ops = &ops, .object = listener, .data = ret_peer};
}
