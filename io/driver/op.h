/* SPDX-License-Identifier: MIT */
/* Requests: operations for the kernel, described independently of the driver that carries them out.
 *
 * A request lives on the stack of the task that makes it. io_op_run() submits it to the run's
 * driver (ring.c or epoll.c), parks the task, and returns when the kernel no longer uses the
 * request:
 *
 *     task                       op                         driver
 *     whorl_recv() ------------> io_op_run: cancelled? no
 *                                submit(op) --------------> queues it; no system call yet
 *                                whorl_park(&op->waiter)
 *     (cancelled) -------------> abort_op: cancel(op) ----> queues ASYNC_CANCEL
 *                                returns ABORT_PENDING
 *                                                           the request itself completes:
 *                                whorl_wake <-------------- io_op_complete(op, res)
 *     res <--------------------- returns res
 */
#ifndef IO_DRIVER_OP_H
#define IO_DRIVER_OP_H

#include <whorl/base.h>
#include <whorl/park.h>
#include <whorl/poller.h>

#include "runtime/base/forks.h"

enum io_op_code {
    IO_OP_NOP,
    IO_OP_READ,       /* fd addr len off (-1: at the file position) */
    IO_OP_WRITE,      /* fd addr len off */
    IO_OP_READV,      /* fd addr=iovec len=count off */
    IO_OP_WRITEV,     /* fd addr=iovec len=count off */
    IO_OP_OPENAT,     /* fd=dir addr=path len=mode flags */
    IO_OP_CLOSE,      /* fd */
    IO_OP_FSYNC,      /* fd flags: IORING_FSYNC_DATASYNC */
    IO_OP_FALLOCATE,  /* fd off addr=length len=mode */
    IO_OP_STATX,      /* fd=dir addr=path addr2=statx len=mask flags */
    IO_OP_RENAMEAT,   /* fd=old dir addr=old path addr2=new path len=new dir flags */
    IO_OP_UNLINKAT,   /* fd=dir addr=path flags */
    IO_OP_MKDIRAT,    /* fd=dir addr=path len=mode */
    IO_OP_FTRUNCATE,  /* fd off=length */
    IO_OP_LINKAT,     /* fd=old dir addr=old path addr2=new path len=new dir flags */
    IO_OP_SYMLINKAT,  /* fd=dir addr=target addr2=path */
    IO_OP_READLINKAT, /* fd=dir addr=path addr2=buf len */
    IO_OP_UTIMENSAT,  /* fd=dir addr=path addr2=timespec[2] flags */
    IO_OP_FLOCK,      /* fd flags=operation */
    IO_OP_GETDENTS,   /* fd addr=buf len */
    IO_OP_CONNECT,    /* fd addr=sockaddr len */
    IO_OP_ACCEPT,     /* fd; multishot when op->multishot */
    IO_OP_RECV,       /* fd addr len flags; multishot, without addr and len, see io_op.buffer */
    IO_OP_SEND,       /* fd addr len flags */
    IO_OP_RECVMSG,    /* fd addr=msghdr flags */
    IO_OP_SENDMSG,    /* fd addr=msghdr flags */
    IO_OP_POLL,       /* fd len=events; multishot when op->multishot */
    /* fd=out addr2=in addr=in offset, off=out offset (-1: at the file position) len flags, as of
     * splice(2). splice(2) raises SIGPIPE when the peer of the output socket has hung up, so a
     * driver that calls it itself must do so on a thread that blocks all signals. */
    IO_OP_SPLICE,
    /* addr=function (int (*)(void *)) addr2=its argument off=path, for reports. A thread calls the
     * function. It may wait for a disk, but not for another process or a peer: when no thread can
     * be started, the run's own thread calls it. It is called again when it returns -EINTR. */
    IO_OP_CALL,
    IO_OP_CODES, /* how many there are */
};

struct io_op {
    struct whorl_waiter waiter; /* woken with the result when the request completes */
    /* If set, it is called for each completion, and `waiter` is not woken. For requests that no
     * task waits for, and for multishot requests. `more`: another completion will follow. It runs
     * on the loop's stack and must not suspend; it may wake waiters and submit requests. */
    void (*complete)(struct io_op *op, int res, bool more);
    enum io_op_code code;
    int fd;
    uint64_t addr, addr2;
    uint64_t off;
    uint32_t len;
    uint32_t flags;
    bool multishot;
    bool background;          /* no task waits for it, see io_op_set_background() */
    bool cancelling;          /* a cancel was queued; there is at most one */
    bool is_stream;           /* for sends: `fd` is known to be a stream socket */
    bool closed;              /* a request has closed its descriptor; it returns -EBADF */
    bool counted;             /* for the io_uring driver: see users.h */
    uint8_t stage;            /* for the io_uring driver: see ring_stage.h */
    struct io_driver *driver; /* that has the request in flight, or had it last */
    uint32_t slot;            /* handle of the driver; 0 while not in flight */
    /* The number of the buffer that the kernel filled for a completion of a multishot receive; -1:
     * none. Valid in `complete`. A driver without `buffers` accepts no multishot receive. */
    int buffer;
    uint32_t done; /* bytes moved; for the epoll driver also: 1 while a connect is in progress */
};

/* A poller that carries out requests. `poller` is the first field, so pointers to the two
 * convert. */
struct io_driver {
    struct whorl_poller poller;
    const struct io_driver_ops *ops;
    struct io_local *local; /* memory of modules (resolver, ...) in this run, see io_local_get() */
    size_t in_flight;       /* requests submitted that have not had their last completion */
    size_t background;      /* background requests among them */
    bool stopping;          /* the last task has ended; io_op_start() refuses requests */
    unsigned depth;         /* see runtime/base/forks.h */
    struct whorl_waiter cancelled; /* in a copy: cancelled requests, not completed yet */
};

/* Whether this is the copy in a forked child. The kernel's side of it belongs to the parent:
 *   - io_driver_current() is NULL, so new requests fail with WHORL_ENOIO
 *   - requests that were in flight stay so until they are cancelled: io_driver_wait_copy()
 *   - the driver's functions touch its memory only */
static inline bool io_driver_is_copy(const struct io_driver *driver)
{
    return forks_copied(driver->depth);
}

struct ring_buffers;

struct io_driver_ops {
    const char *name;
    /* The driver carries out requests by system calls, so non-blocking sockets are faster. */
    bool calls;
    /* Queues the request. It completes exactly once (multishot: until `more` is false), and never
     * inside this call. Returns 0; -ENOMEM; -EAGAIN when no thread can be started for it; or
     * -ESPIPE for an offset in a file without positions. After an error nothing is queued.
     *
     * A close first ends the requests in flight that wait for its descriptor: they complete with
     * the bytes that they have moved, or -EBADF. Requests on the descriptor that a thread carries
     * out delay the close. So no request reaches the next file that gets the number. */
    int (*submit)(struct io_driver *driver, struct io_op *op);
    /* Asks the kernel to end the request; its completion still comes. The request must be in
     * flight. Cannot fail: a cancel that cannot be queued now is queued later. */
    void (*cancel)(struct io_driver *driver, struct io_op *op);
    /* Cancels every request in flight. */
    void (*cancel_all)(struct io_driver *driver);
    /* Frees everything; no request may be in flight, except in a copy. */
    void (*destroy)(struct io_driver *driver);
    /* For embed.c: returns a descriptor that is readable when wait() has something to do, or
     * -errno. The first call creates it; each call makes it unreadable until the next event. */
    int (*event_fd)(struct io_driver *driver);
    /* For embed.c: when wait() must be called even if that descriptor is not readable.
     * WHORL_FOREVER: never. */
    int64_t (*recheck_ns)(const struct io_driver *driver);
    /* Returns the buffers for multishot receives of this run. NULL: the kernel does not support
     * them, or memory is short. In a driver without buffers this pointer is NULL. */
    struct ring_buffers *(*buffers)(struct io_driver *driver);
    /* Whether the kernel has no completion that was not reaped. Then a multishot receive that the
     * kernel has accepted means that nothing is in its socket. In a driver without buffers this
     * pointer is NULL. */
    bool (*is_quiet)(const struct io_driver *driver);
};

/* The driver of the run on this thread, or NULL. In a forked child it is NULL too: the ring belongs
 * to the parent, so requests in the child fail with WHORL_ENOIO (WHORL_ENOTASK outside a task).
 * To do I/O, a child calls exec, or ends the task and starts a run of its own. */
struct io_driver *io_driver_current(void);

/* For code that starts runs: makes `driver` the driver of this thread; NULL or a copy: none. While
 * the thread has a driver, SIGPIPE is blocked in it. */
void io_driver_set(struct io_driver *driver);

/* For drivers: initialises what op.c uses of a zeroed driver. */
void io_driver_init(struct io_driver *driver);

/* For drivers: the wait() of a copy. Completes the cancelled requests. Returns 0, or WHORL_ENOIO
 * when there was none and it may wait: what it would wait for happens in the parent only. */
int io_driver_wait_copy(struct io_driver *driver, int64_t deadline_ns);

/* To be called once the last task has ended: cancels the requests in flight, waits until the kernel
 * has released all of them, and ends the modules of the run. */
void io_driver_stop(struct io_driver *driver);

/* Submits `op` and waits for it; returns its result (a count, a descriptor, or -errno).
 * WHORL_ENOTASK / WHORL_ENOIO outside an I/O run; -ECANCELED, without submitting anything, when the
 * scope is already cancelled. A request that completes with -EINTR is submitted again. When a
 * request on a non-blocking descriptor completes with -EAGAIN, the call polls the descriptor and
 * submits the request again, unless its flags contain MSG_DONTWAIT.
 *
 * Completion wins: a request that completed before the cancel reached it returns its result. A read
 * returns its bytes, an openat or accept its descriptor, and the next call reports the cancel. */
WHORL_SUSPENDS int io_op_run(struct io_op *op, const char *what);

/* Like io_op_run(), but a cancelled scope neither refuses nor ends it. For close and the like. */
WHORL_SUSPENDS_SHIELDED int io_op_run_uncancellable(struct io_op *op, const char *what);

/* Submits a request whose `complete` is set, without waiting. 0, -ENOMEM, -EAGAIN, WHORL_ENOTASK,
 * WHORL_ENOIO, or -ECANCELED when the run is ending. */
int io_op_start(struct io_op *op);

/* Whether the kernel or a thread still uses the request, because its last completion has not
 * arrived. Its memory must stay valid until then. For a request of io_op_start() this is longer
 * than the call that made it. In a copy of a driver (see io_driver_is_copy()) the completion never
 * arrives, and nothing uses the request. */
static inline bool io_op_is_in_flight(const struct io_op *op)
{
    return op->slot != 0;
}

/* Marks or unmarks a request of io_op_start() as a background request: no task waits for it, as for
 * an accept that is armed while no task waits for a connection. When all tasks of a run wait for
 * each other, background requests do not keep the run alive. May be called while the request is in
 * flight or not. Requests of io_op_run() are never background requests. */
void io_op_set_background(struct io_op *op, bool background);

/* Asks the kernel to end a request of io_op_run() or io_op_start(). Does nothing when the request
 * is not in flight or was cancelled before, or is a close: a cancelled close would leave the
 * descriptor open. */
void io_op_cancel(struct io_op *op);

/* For drivers: reports a completion of the request. */
void io_op_complete(struct io_op *op, int res, bool more);

/* Memory of a module in one run: created on first use, destroyed before the driver. `key` is the
 * address of a static object of the module. */
struct io_local {
    struct io_local *next;
    const void *key;
    /* Both run on the loop's stack after the last task has ended; either may be NULL. `stop` asks
     * the module's requests to end. Then the driver's loop runs until no request is in flight. Then
     * `destroy` frees the memory. A forked child calls neither. */
    void (*stop)(struct io_local *local);
    void (*destroy)(struct io_local *local);
};

/* The module's memory in this run; NULL when the module has none yet or there is no I/O run. */
struct io_local *io_local_get(const void *key);

/* Adds `local`, whose fields the caller has set, to this run. */
void io_local_add(struct io_local *local);

#endif
