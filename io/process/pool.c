/* SPDX-License-Identifier: MIT */
/* Worker processes, the program's side: gives work to idle workers and has dead workers replaced.
 *
 *     program                      server                    worker 2
 *     create: fork ------------->  waits for orders
 *     START 2, its socket ------>  fork ------------------>  init
 *     (all idle) <-----------------------------------------  frame: what init returned
 *     call: frame, request ------------------------------->  work
 *           <----------------------------------------------  frame, response
 *     (the worker dies: its socket ends; WHORL_EWORKER. The next call sends START 2)
 *     (it dies with the request unread: its socket is reset; START 2, the request is sent again)
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl/error.h>
#include <whorl/net.h>
#include <whorl/poller.h>
#include <whorl/process_pool.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "io/fd/standard.h"
#include "io/process/pool_protocol.h"
#include "io/process/pool_server.h"
#include "runtime/base/check.h"

enum {
    COUNT_MAX = 1024,
    MESSAGE_MAX = 64 << 20,
};

struct place {
    int fd;     /* our end of the worker's socket; -1: the place has no worker */
    bool fresh; /* the worker has not yet reported what `init` returned */
    bool busy;  /* a task calls the worker */
};

struct whorl_process_pool {
    pid_t owner, server;
    int control; /* socket to the server */
    unsigned count;
    size_t message_max;
    struct whorl_semaphore idle; /* a permit for each place that is not busy */
    struct place places[];
};

/* Sends an order, and passes `fd` with it unless it is -1. This call may block, but only briefly:
 * the server takes orders quickly. */
static int tell_server(const struct whorl_process_pool *pool, enum worker_order order, size_t place,
                       int fd)
{
    struct worker_message message = {order, (uint32_t)place};
    struct iovec part = {&message, sizeof message};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    ssize_t n;

    if (fd >= 0) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control;
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
    }
    do
        n = sendmsg(pool->control, &msg, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EPIPE || errno == ECONNRESET ? WHORL_EWORKER : -errno;
    return 0;
}

/* Makes a pair of sockets whose numbers are above those of the standard descriptors. */
static int make_pair(int type, int ret_fds[2])
{
    struct standard standard = standard_fill();
    int err = socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ret_fds) < 0 ? -errno : 0;

    standard_empty(&standard);
    return err;
}

static int start_worker(struct whorl_process_pool *pool, struct place *place)
{
    int fds[2];

    int err = make_pair(SOCK_STREAM, fds);
    if (err)
        return err;
    err = tell_server(pool, WORKER_START, (size_t)(place - pool->places), fds[1]);
    close(fds[1]);
    if (err) {
        close(fds[0]);
        return err;
    }
    place->fd = fds[0];
    place->fresh = true;
    return 0;
}

/* Drops a worker that has died or whose state is unknown. */
static void drop_worker(struct whorl_process_pool *pool, struct place *place)
{
    if (place->fd < 0)
        return;
    close(place->fd);
    place->fd = -1;
    tell_server(pool, WORKER_KILL, (size_t)(place - pool->places), -1);
}

/* --- creating and ending ---------------------------------------------------------------------- */

/* Waits for the worker's first frame, which blocks the thread. Returns what `init` returned. */
static int await_worker(struct place *place)
{
    struct worker_frame frame;
    ssize_t n;

    do
        n = recv(place->fd, &frame, sizeof frame, MSG_WAITALL);
    while (n < 0 && errno == EINTR);
    place->fresh = false;
    return n == sizeof frame ? (int)frame.status : WHORL_EWORKER;
}

static int start_server(struct whorl_process_pool *pool,
                        const struct whorl_process_pool_options *options)
{
    int fds[2];

    int err = make_pair(SOCK_SEQPACKET, fds);
    if (err)
        return err;
    fflush(NULL); /* else the workers would write the buffered output again */
    pool->server = fork();
    if (pool->server == 0)
        worker_server(fds[1], options);
    err = pool->server < 0 ? -errno : 0;
    close(fds[1]);
    pool->control = fds[0];
    return err;
}

int whorl_process_pool_create(const struct whorl_process_pool_options *options,
                              struct whorl_process_pool **ret)
{
    struct whorl_process_pool_options settled = *options;
    struct whorl_process_pool *pool;
    int err;

    if (settled.count == 0)
        settled.count = (unsigned)sysconf(_SC_NPROCESSORS_ONLN);
    if (!settled.work || settled.count > COUNT_MAX)
        return -EINVAL;
    if (whorl_poller_current())
        return WHORL_EBUSYRUN;
    pool = calloc(1, sizeof *pool + settled.count * sizeof *pool->places);
    if (!pool)
        return -ENOMEM;
    pool->owner = getpid();
    pool->count = settled.count;
    pool->message_max = settled.message_max ? settled.message_max : MESSAGE_MAX;
    pool->idle.permits = settled.count;
    pool->control = -1;
    for (unsigned i = 0; i < pool->count; i++)
        pool->places[i].fd = -1;
    err = start_server(pool, &settled);
    for (unsigned i = 0; i < pool->count && err == 0; i++)
        err = start_worker(pool, &pool->places[i]);
    for (unsigned i = 0; i < pool->count && err == 0; i++)
        err = await_worker(&pool->places[i]);
    if (err) {
        whorl_process_pool_destroy(pool);
        return err;
    }
    *ret = pool;
    return 0;
}

void whorl_process_pool_destroy(struct whorl_process_pool *pool)
{
    if (!pool)
        return;
    bool ours = pool->owner == getpid(); /* else this is the copy in a forked process */
    for (unsigned i = 0; i < pool->count; i++) {
        struct place *place = &pool->places[i];
        whorl_check_text(!place->busy || !ours,
                         "a process pool was destroyed while a task calls one of its workers");
        if (place->fd >= 0 && ours)
            shutdown(place->fd, SHUT_RDWR); /* also ends the copies in forked processes */
        if (place->fd >= 0)
            close(place->fd);
    }
    if (pool->control >= 0 && ours)
        shutdown(pool->control, SHUT_RDWR);
    if (pool->control >= 0)
        close(pool->control);
    if (pool->server > 0 && ours)
        while (waitpid(pool->server, NULL, 0) < 0 && errno == EINTR)
            ;
    free(pool);
}

/* --- calling ---------------------------------------------------------------------------------- */

/* The worker ended before it had read the whole request, so it never started the work. */
enum { UNREAD = 1 };

/* Receives exactly `len` bytes. Returns 0, WHORL_EWORKER when the worker has ended, UNREAD, or an
 * error. The kernel distinguishes the two: it resets a Unix socket when the peer closes its end
 * with unread bytes in it. */
WHORL_SUSPENDS static int recv_all(int fd, void *buf, size_t len)
{
    char *at = buf;

    while (len > 0) {
        ssize_t n = whorl_recv(fd, at, len, 0);
        if (n == 0)
            return WHORL_EWORKER;
        if (n == -ECONNRESET)
            return UNREAD;
        if (n < 0)
            return (int)n;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

WHORL_SUSPENDS static int send_request(int fd, const void *request, size_t len)
{
    struct worker_frame frame = {.len = len};

    int err = whorl_send_all(fd, &frame, sizeof frame, len ? MSG_MORE : 0);
    if (err == 0 && len > 0)
        err = whorl_send_all(fd, request, len, 0);
    return err == -EPIPE || err == -ECONNRESET ? UNREAD : err;
}

/* Whether a worker died while no task called it. */
static bool is_dead(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno == ECONNRESET);
}

/* Receives the worker's first frame. Returns 0, the error that `init` returned, or another
 * error. */
WHORL_SUSPENDS static int greet(struct place *place)
{
    struct worker_frame frame;
    int err = recv_all(place->fd, &frame, sizeof frame);

    if (err)
        return err < 0 ? err : WHORL_EWORKER;
    if (frame.status < 0)
        return (int)frame.status;
    place->fresh = false;
    return 0;
}

/* Sends the request to the worker of this place, which it starts if there is none, and receives the
 * frame of the response. Returns 0, UNREAD or an error. */
WHORL_SUSPENDS static int ask(struct whorl_process_pool *pool, struct place *place,
                              const void *request, size_t len, struct worker_frame *ret)
{
    int err = 0;

    if (place->fd >= 0 && !place->fresh && is_dead(place->fd))
        drop_worker(pool, place);
    if (place->fd < 0)
        err = start_worker(pool, place);
    if (err == 0 && place->fresh)
        err = greet(place);
    if (err == 0)
        err = send_request(place->fd, request, len);
    if (err == 0)
        err = recv_all(place->fd, ret, sizeof *ret);
    return err;
}

/* Exchanges one request and its response. An error code of `work` is stored in `ret_status`, and
 * the call returns 0. When it returns an error, the state of the worker is unknown. */
WHORL_SUSPENDS static int converse(struct whorl_process_pool *pool, struct place *place,
                                   const void *request, size_t len, int *ret_status, void **ret,
                                   size_t *ret_len)
{
    struct worker_frame frame;

    int err = ask(pool, place, request, len, &frame);
    if (err == UNREAD) { /* the worker died before it started the work: use a new worker */
        drop_worker(pool, place);
        err = ask(pool, place, request, len, &frame);
    }
    if (err)
        return err < 0 ? err : WHORL_EWORKER;
    *ret_status = (int)frame.status;
    if (frame.status < 0)
        return 0;
    if (frame.len > pool->message_max)
        return -EMSGSIZE;
    char *response = malloc(frame.len + 1);
    if (!response)
        return -ENOMEM;
    err = recv_all(place->fd, response, frame.len);
    if (err) {
        free(response);
        return err < 0 ? err : WHORL_EWORKER;
    }
    response[frame.len] = '\0';
    *ret = response;
    if (ret_len)
        *ret_len = frame.len;
    return 0;
}

WHORL_SUSPENDS int whorl_process_pool_call(struct whorl_process_pool *pool, const void *request,
                                           size_t len, void **ret, size_t *ret_len)
{
    struct place *place = pool->places;
    int status = 0;

    if (pool->owner != getpid())
        return WHORL_ENOIO;
    if (len > pool->message_max)
        return -EMSGSIZE;
    int err = whorl_semaphore_acquire(&pool->idle);
    if (err)
        return err;
    while (place->busy)
        place++;
    place->busy = true;
    err = converse(pool, place, request, len, &status, ret, ret_len);
    if (err)
        drop_worker(pool, place);
    place->busy = false;
    whorl_semaphore_release(&pool->idle);
    return err ? err : status;
}
