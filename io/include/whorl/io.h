/* SPDX-License-Identifier: MIT */
/* Runs with I/O: a scheduler whose waiting is done by one io_uring.
 *
 *     static int root(void *arg)
 *     {
 *         char buf[64];
 *         ssize_t n = whorl_read(STDIN_FILENO, buf, sizeof buf);
 *         return n < 0 ? (int)n : 0;
 *     }
 *
 *     int main(void)
 *     {
 *         return whorl_io_run(root, NULL) ? 1 : 0;
 *     }
 *
 * SIGPIPE is blocked in the run's thread while the run lasts, and forgotten at its end: a write to a
 * pipe or socket nobody reads any more returns -EPIPE and ends no program. The signal's action is left
 * alone. Processes started by whorl_process_spawn(), or by fork(2) and exec, do not have it blocked;
 * system(3) and popen(3) pass the mask on.
 *
 * fork(2): the ring belongs to the process that made it. In a child forked while a run is under way
 * every request is refused with WHORL_ENOIO; process.h says what is safe there.
 */
#ifndef WHORL_IO_H
#define WHORL_IO_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/run.h>

/* Zero-initialised is valid. */
struct whorl_io_options {
    struct whorl_run_options run;
    unsigned ring_entries; /* submission queue entries; 0: 1024. Rounded up to a power of two */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Runs `fn` as the root task on a fresh ring on this thread; returns its result once it and all
 * daemons have ended and the kernel has let go of every request.
 *
 * The environment variable WHORL_DRIVER forces a driver by name; a name that is none is -EINVAL.
 *
 * A child forked from a task has no part in the ring: its calls return WHORL_ENOIO. It may exec, exit,
 * or return from `fn` and then start a run of its own; waiting for anything in the old one ends it.
 *
 * Without it an epoll driver takes over where the kernel refuses io_uring; WHORL_DEBUG=io says so.
 *
 * Returns: what `fn` returned; -EDEADLK; -ENOMEM; WHORL_EBUSYRUN inside a run; -EPERM or -ENOSYS
 * when io_uring is forced and the kernel refuses it; -EINVAL. whorl_io_run_with() also
 * gives the reason as text.
 */
WHORL_API WHORL_CHECKED int whorl_io_run(whorl_task_fn fn, void *arg);

/**
 * whorl_io_run() with options and error detail.
 *
 * @options  NULL for the defaults
 * @error    set when the driver cannot be set up; may be NULL; borrowed for the call
 */
WHORL_API WHORL_CHECKED int whorl_io_run_with(const struct whorl_io_options *options,
                                              struct whorl_error *error, whorl_task_fn fn,
                                              void *arg);

/* What a run would find on this machine. */
struct whorl_io_probe {
    const char *driver;       /* that would run: "io_uring" or "epoll"; NULL: none can */
    char why[128];            /* why it is not the other one, or "" */
    struct whorl_error error; /* when there is none: why */
    int ring_err;             /* 0, or what setting up an io_uring said */
    unsigned ring_flags;      /* IORING_SETUP_ flags the kernel took, see io_uring_setup(2) */
    unsigned ring_features;   /* IORING_FEAT_ bits */
    int ring_disabled;        /* the sysctl kernel.io_uring_disabled, 0 where there is none */
};

/**
 * Tries what whorl_io_run() would set up, and takes it down again. WHORL_DRIVER counts.
 *
 * Returns: 0; the code whorl_io_run() would fail with. `*ret` is filled in either way. Never suspends;
 * not for use inside a run.
 */
WHORL_API int whorl_io_probe_run(struct whorl_io_probe *ret);

/** "io_uring" or "epoll" for the run on this thread; NULL when it has no I/O. */
WHORL_API const char *whorl_io_driver(void);

#ifdef __cplusplus
}
#endif

#endif
