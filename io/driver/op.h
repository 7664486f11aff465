/* SPDX-License-Identifier: MIT */
/* Requests: what is asked of the kernel, described without saying who carries it out.
 *
 * A request lives on the asking task's stack. io_op_run() hands it to the run's driver (ring.c or
 * epoll.c), parks, and returns when the kernel has let go of it:
 *
 *     task                       op                         driver
 *     whorl_recv() ------------> io_op_run: cancelled? no
 *                                submit(op) --------------> queues it; nothing entered yet
 *                                whorl_park(&op->waiter)
 *     (cancelled) -------------> op_abort: cancel(op) ----> queues ASYNC_CANCEL, answers PENDING
 *                                                           completion of the request itself:
 *                                whorl_wake <-------------- io_op_complete(op, res)
 *     res <--------------------- returns res
 */
#ifndef IO_DRIVER_OP_H
#define IO_DRIVER_OP_H

#include <whorl/base.h>
#include <whorl/park.h>
#include <whorl/poller.h>

enum io_op_code {
    IO_OP_NOP,
    IO_OP_READ,       /* fd addr len off (-1: at the position) */
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
    IO_OP_RECV,       /* fd addr len flags */
    IO_OP_SEND,       /* fd addr len flags */
    IO_OP_RECVMSG,    /* fd addr=msghdr flags */
    IO_OP_SENDMSG,    /* fd addr=msghdr flags */
    IO_OP_POLL,       /* fd len=events; multishot when op->multishot */
    /* fd=out addr2=in addr=in offset, off=out offset (-1: at the position) len flags, of splice(2).
     * For a driver that calls splice(2) itself: where a socket has hung up that raises SIGPIPE, so it
     * is for a thread which blocks all signals. */
    IO_OP_SPLICE,
    IO_OP_CODES, /* how many there are */
};

struct io_op {
    struct whorl_waiter waiter; /* woken by the completion with its result */
    /* Called instead of waking `waiter` when set: for requests without a task of their own, and for
     * each completion of a multishot one. `more`: another completion will follow. Runs on the
     * loop's stack and must not suspend; it may wake waiters and submit requests. */
    void (*complete)(struct io_op *op, int res, bool more);
    enum io_op_code code;
    int fd;
    uint64_t addr, addr2;
    uint64_t off;
    uint32_t len;
    uint32_t flags;
    bool multishot;
    bool background; /* nobody waits for it, see io_op_set_background() */
    bool cancelling; /* a cancel was queued; never two */
    uint32_t slot;   /* the driver's handle; 0 while not in flight */
    uint32_t done;   /* the driver's: how far it has come, where system calls carry it out */
};

/* A poller that carries out requests. `poller` comes first so that the two convert. */
struct io_driver {
    struct whorl_poller poller;
    const struct io_driver_ops *ops;
    struct io_local *local; /* per-run modules (resolver, ...), see io_local_get() */
    size_t in_flight;       /* requests submitted and not yet completed for the last time */
    size_t background;      /* of these, those nobody waits for */
    bool stopping;          /* the last task has ended; nothing new is taken on */
    bool forked;            /* this is a forked child's copy: its memory is all that may be used */
};

struct io_driver_ops {
    const char *name;
    /* Requests are carried out by system calls, which do best on sockets that do not block. */
    bool calls;
    /* Queues the request; it will complete exactly once (multishot: until more is false), never
     * from inside this call. Returns 0; -ENOMEM, or -EAGAIN when no thread can be started for it: then
     * nothing is queued. */
    int (*submit)(struct io_driver *driver, struct io_op *op);
    /* Asks for the request's end; its completion still comes. Nothing happens for one that is not
     * in flight. Cannot fail: what cannot be queued now is queued later. */
    void (*cancel)(struct io_driver *driver, struct io_op *op);
    /* cancel() for every request in flight. */
    void (*cancel_all)(struct io_driver *driver);
    /* Frees everything; nothing is in flight. A forked child's copy leaves the kernel's part alone. */
    void (*destroy)(struct io_driver *driver);
    /* For embed.c: a descriptor that turns readable when wait() has something to do, made on first use;
     * each call makes it unreadable until there is news. Or -errno. */
    int (*event_fd)(struct io_driver *driver);
    /* For embed.c: when wait() is to be called even if there is no news; WHORL_FOREVER: never. */
    int64_t (*recheck_ns)(const struct io_driver *driver);
};

/* The driver of the run on this thread, or NULL. It is NULL in a forked child too: the ring belongs
 * to the parent, so requests made there are refused with WHORL_ENOIO (WHORL_ENOTASK outside a task).
 * A child that wants to do I/O execs, or ends the task and starts a run of its own. */
struct io_driver *io_driver_current(void);

/* For those who run: makes `driver` this thread's, or none with NULL. While there is one the thread has
 * SIGPIPE blocked. */
void io_driver_set(struct io_driver *driver);

/* For io_run.c, once the last task has ended: cancels what is still in flight, waits until the
 * kernel has let go of all of it and ends the modules of the run. */
void io_driver_stop(struct io_driver *driver);

/* Submits `op` and waits for it; returns its result (a count, descriptor, or -errno).
 * WHORL_ENOTASK / WHORL_ENOIO outside an I/O run; -ECANCELED without submitting anything when the
 * scope is cancelled already. -EINTR completions are submitted again. On descriptors that are not
 * blocking, -EAGAIN is waited out by polling, unless the flags say MSG_DONTWAIT.
 *
 * Completion wins: a request that the cancel did not reach returns what it came to. A read returns
 * its bytes, an openat or accept its descriptor, and the next call reports the cancel. */
WHORL_SUSPENDS int io_op_run(struct io_op *op, const char *what);

/* io_op_run() that is not cut short and not refused by a cancelled scope: close and the like. */
WHORL_SUSPENDS_SHIELDED int io_op_run_uncancellable(struct io_op *op, const char *what);

/* For requests with `complete` set. 0, -ENOMEM, -EAGAIN, WHORL_ENOTASK, WHORL_ENOIO, or -ECANCELED when
 * the run is ending. */
int io_op_start(struct io_op *op);

/* Says whether the end of a request started by io_op_start() will wake somebody. A background one,
 * such as an armed accept no task waits in, does not keep a run alive whose tasks all wait on each
 * other. May be called whether it is in flight or not; io_op_run() requests never are. */
void io_op_set_background(struct io_op *op, bool background);

/* Asks for the end of a request in flight (also one started by io_op_start()). */
void io_op_cancel(struct io_op *op);

/* For drivers: the request has completed. */
void io_op_complete(struct io_op *op, int res, bool more);

/* Memory of a module that lives as long as the run: made on first use, ended before the driver is.
 * `key` is the address of something static in the module. */
struct io_local {
    struct io_local *next;
    const void *key;
    /* Ends whatever is in flight and frees the memory; runs on the loop's stack after the last task
     * has ended. If requests must still complete, `stop` asks them to and the driver's loop goes on
     * until nothing is pending; then `destroy` is called. */
    void (*stop)(struct io_local *local);
    void (*destroy)(struct io_local *local);
};

/* The module's memory in this run, or NULL when there is none yet or no I/O run. */
struct io_local *io_local_get(const void *key);

/* Puts `local`, its fields filled in, into this run. */
void io_local_add(struct io_local *local);

#endif
