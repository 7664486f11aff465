/* SPDX-License-Identifier: MIT */
/* Runs with I/O: a scheduler and a driver that carries out the requests of all tasks. The driver is
 * one io_uring per run, or epoll where the kernel refuses io_uring.
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
 * SIGPIPE is blocked in the run's thread while the run lasts, and one that is pending at the end is
 * dropped: a write to a pipe or socket that nothing reads any more returns -EPIPE and does not end
 * the program. The signal's action is not changed. Programs that whorl_process_spawn() starts, or
 * fork(2) and exec, do not have SIGPIPE blocked; those that system(3) and popen(3) start do.
 *
 * fork(2): the ring and the threads of a run belong to the process that began it. In a child that
 * was forked in a task every request fails with WHORL_ENOIO. Such a child may exec, exit, or return
 * from the run's function and then start a run of its own. As at every end of a run, the other
 * tasks are cancelled; this ends their waiting in the child, and the parent's requests go on. Any
 * other waiting in the old run ends the child with a message. process.h says more; net.h shows a
 * server that forks before its runs.
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
 * Runs `fn` as the root task of a new run on this thread. Returns when it and all daemons have
 * ended and the kernel has completed every request.
 *
 * The environment variable WHORL_DRIVER names the driver to use: io_uring or epoll. Without it,
 * io_uring is used, or epoll where the kernel refuses io_uring. WHORL_DEBUG=io prints which driver
 * runs, and why.
 *
 * Returns: what `fn` returned; -EDEADLK; -ENOMEM; WHORL_EBUSYRUN inside a run; -EPERM or -ENOSYS
 *          when WHORL_DRIVER demands io_uring and the kernel refuses it; -EINVAL when WHORL_DRIVER
 *          names no driver or an option is out of range; other errors of setting up the driver,
 *          which whorl_io_run_with() explains.
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
    const char *driver; /* the driver that would run: "io_uring" or "epoll"; NULL: neither can */
    char why[128];      /* what decided this: WHORL_DRIVER, or why io_uring is refused; or "" */
    struct whorl_error error; /* why neither can run */
    int ring_err;             /* the result of setting up an io_uring: 0, or a negative code */
    unsigned ring_flags;      /* IORING_SETUP_ flags that the kernel accepted, io_uring_setup(2) */
    unsigned ring_features;   /* IORING_FEAT_ bits */
    int ring_disabled;        /* the sysctl kernel.io_uring_disabled; 0 when it does not exist */
};

/**
 * Sets up what whorl_io_run() would set up, and takes it down again. WHORL_DRIVER applies. Never
 * suspends. Call it outside a run: inside one it does not report WHORL_EBUSYRUN.
 *
 * @ret  filled in on success and on failure
 *
 * Returns: 0; the code with which whorl_io_run() would fail outside a run.
 */
WHORL_API WHORL_CHECKED int whorl_io_probe_run(struct whorl_io_probe *ret);

/** The driver of the run on this thread, "io_uring" or "epoll"; NULL when the run has no I/O. */
WHORL_API const char *whorl_io_driver(void);

#ifdef __cplusplus
}
#endif

#endif
