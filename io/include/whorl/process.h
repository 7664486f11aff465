/* SPDX-License-Identifier: MIT */
/* Processes: starting a program, talking to it through pipes, waiting for its end, and ending it.
 *
 *     static WHORL_SUSPENDS int count_lines(const char *path)
 *     {
 *         const char *argv[] = {"wc", "-l", path, NULL};
 *         struct whorl_process_options options = {.argv = argv, .out.kind = WHORL_PROCESS_PIPE};
 *         WHORL_AUTO(process) *wc = NULL;
 *         char text[64] = "";
 *         int err = whorl_process_spawn(&options, &wc);
 *         if (err == 0)
 *             err = (int)whorl_stream_read(whorl_process_stdout(wc), text, sizeof text - 1);
 *         if (err >= 0)
 *             err = whorl_process_wait(wc, NULL);
 *         return err ? err : atoi(text);
 *     }
 *
 * The handle owns the process. Destroying it, which the example does on every path out of the
 * block, kills the child if it still runs and collects its exit status. So neither an orphan nor a
 * zombie is left, even when the task was cancelled.
 *
 * A child has the descriptors that it was given and no others, an empty signal mask, and the
 * default action for every signal. The program must not ignore SIGCHLD, and must not wait for
 * children that it did not start itself: otherwise exit statuses are lost, and waiting returns
 * -ECHILD.
 *
 * About fork(2): a run belongs to the process that began it. In a child that was forked from a
 * task, or on the run's thread while tasks exist:
 * - every request fails with WHORL_ENOIO, because the ring is the parent's;
 * - the parent's processes cannot be signalled or waited for;
 * - a new run can begin only after the tasks have been left, see io.h.
 * Such a child should only exec or _exit(). whorl_process_spawn() starts programs without these
 * limits. process_pool.h has worker processes that run C functions of this program. Forking outside
 * a run is as safe as it is without whorl.
 */
#ifndef WHORL_PROCESS_H
#define WHORL_PROCESS_H

#include <whorl/base.h>
#include <whorl/select.h>
#include <whorl/stream.h>

struct whorl_process;

/* Where a standard descriptor of the child leads. */
enum whorl_process_io_kind {
    WHORL_PROCESS_INHERIT, /* that of this process; closed if this process has closed it */
    WHORL_PROCESS_NULL,    /* /dev/null */
    WHORL_PROCESS_PIPE,    /* a pipe, whose other end is a stream of this process */
    WHORL_PROCESS_FD,      /* `fd` */
};

/* What a standard descriptor of the child is. */
struct whorl_process_io {
    enum whorl_process_io_kind kind;
    int fd; /* for WHORL_PROCESS_FD; remains the caller's */
};

/* A further descriptor that the child gets. */
struct whorl_process_fd {
    int fd; /* in this process; remains the caller's */
    int as; /* its number in the child, from 3 to 1023 and below RLIMIT_NOFILE */
};

/* Zero-initialised is valid except for `argv`. Everything is borrowed for the call. */
struct whorl_process_options {
    const char *const *argv; /* NULL-terminated; argv[0] is the program unless `program` is set */
    const char *program;     /* the file to execute, relative to `dir`; NULL: argv[0] */
    const char *const
        *env;        /* "NAME=value", NULL-terminated; NULL: the environment of this process */
    const char *dir; /* its working directory; NULL: the one of this process */
    struct whorl_process_io in, out, err;
    const struct whorl_process_fd *fds; /* `fds_count` further descriptors */
    size_t fds_count;
    bool no_path_search; /* do not look in this process's PATH for a program without a slash */
    bool new_group;      /* it leads a new process group, and signals go to the whole group */
};

/* How a process ended. */
struct whorl_process_exit {
    int status; /* its exit status, 0 to 255; -1 when a signal ended it */
    int signal; /* the signal that ended it, or 0 */
};

/* What whorl_process_run() collected. */
struct whorl_process_output {
    /* Followed by a NUL that is not counted. NULL when there was no pipe, and possibly when the
     * call failed. */
    char *out, *err;
    size_t out_len, err_len;
    struct whorl_process_exit exit;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Starts a program. The thread blocks until the child has executed it, well under a millisecond.
 * Never suspends; may be called outside a run too.
 *
 * @ret  the process; destroy it with whorl_process_destroy()
 *
 * Returns: 0; -ENOENT, -EACCES, -ENOEXEC, -E2BIG and other execve(2) errors, or the chdir(2) error
 *          for `dir`; -EBADF for a descriptor that is not open; -EINVAL; -EMFILE, also when a
 *          number in `fds` is not below RLIMIT_NOFILE; -EAGAIN; -ENOMEM; -ENOSYS before Linux 5.3.
 */
WHORL_API WHORL_CHECKED int whorl_process_spawn(const struct whorl_process_options *options,
                                                struct whorl_process **ret);

/**
 * This process's ends of the pipes; NULL where the option was not WHORL_PROCESS_PIPE. The handle
 * owns them. whorl_stream_close_write() on stdin closes it, and the child reads the end. Once the
 * child has closed its end, writes fail with -EPIPE; SIGPIPE is not raised.
 */
WHORL_API struct whorl_stream *whorl_process_stdin(struct whorl_process *process);
WHORL_API struct whorl_stream *whorl_process_stdout(struct whorl_process *process);
WHORL_API struct whorl_stream *whorl_process_stderr(struct whorl_process *process);

/** Its process id. The kernel does not reuse it before the process has been waited for. */
WHORL_API pid_t whorl_process_id(const struct whorl_process *process);

/**
 * Waits for the end of the process. Any number of tasks may wait, also after it has ended.
 *
 * @ret  how it ended; may be NULL
 *
 * Returns:  0; -ECHILD when other code has collected its status; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until it has ended.
 * Cancel:   -ECANCELED; the process continues.
 */
WHORL_API WHORL_SUSPENDS int whorl_process_wait(struct whorl_process *process,
                                                struct whorl_process_exit *ret);

/** A case for whorl_select(), ready when the process has ended. Its result is that of
 *  whorl_process_wait(). `ret` is set when the result is 0, and may be NULL. A case that is not
 *  taken leaves the status for the next wait. */
WHORL_API struct whorl_case whorl_case_process(struct whorl_process *process,
                                               struct whorl_process_exit *ret);

/**
 * Sends a signal to the process, or to its whole group if it has its own. Never suspends.
 *
 * Returns: 0, also when it has ended but has not been waited for; -ESRCH once it has been waited
 *          for; -EPERM; -EINVAL; WHORL_ENOIO in a forked child.
 */
WHORL_API WHORL_CHECKED int whorl_process_kill(struct whorl_process *process, int signal);

/**
 * Ends the process: sends SIGTERM, sends SIGKILL if it still runs after `grace_ns`, and waits for
 * its end. If it has a group of its own, the rest of the group is killed then.
 *
 * @ret  how it ended; may be NULL
 *
 * Returns:  0; -ECHILD; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until it has ended.
 * Cancel:   ends the grace period: the process is killed and waited for, then -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_process_stop(struct whorl_process *process, int64_t grace_ns,
                                                struct whorl_process_exit *ret);

/**
 * Kills the process (and its own group) unless it has been waited for, collects its status, closes
 * the pipes and frees the handle. No task may wait for it or use its streams. Accepts NULL.
 *
 * Suspends: until it is dead; a cancel does not shorten this. Outside a run the thread blocks.
 */
WHORL_API WHORL_SUSPENDS_SHIELDED void whorl_process_destroy(struct whorl_process *process);

/**
 * Runs a program to its end and collects its stdout, and its stderr if `options->err` is
 * WHORL_PROCESS_PIPE.
 *
 * The output so far is returned also when the call fails: when the child wrote too much, when a
 * deadline passed, or when a read failed. The child is then killed, and `ret->exit` says so:
 *
 *     whorl_scope_enter_timeout(&scope, 10 * WHORL_SECOND);
 *     int err = whorl_process_run(&options, NULL, 0, 65536, &output);
 *     err = whorl_scope_leave(&scope, err);
 *     if (err)                                            // -ETIMEDOUT, -EFBIG, ...
 *         fprintf(stderr, "%s: %s\n%s\n", argv[0], whorl_strerror(err),
 *                 output.out ? output.out : "");
 *
 * @input       what the child reads from its stdin; NULL: `options->in` applies
 * @output_max  limit for stdout and stderr together; a child that writes more is killed
 * @ret         set in every case; free it with whorl_process_output_finish()
 *
 * Returns:  0 however it ended, see `ret->exit`; -EFBIG, with the first `output_max` bytes; errors
 *           of whorl_process_spawn() and whorl_stream_read(); WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until it has ended, and every other process that has its stdout or stderr has closed
 *           them.
 * Cancel:   -ECANCELED; the child has been killed. `ret` has what it wrote before.
 */
WHORL_API WHORL_SUSPENDS int whorl_process_run(const struct whorl_process_options *options,
                                               const void *input, size_t input_len,
                                               size_t output_max, struct whorl_process_output *ret);

/** Frees what was collected. Accepts a zeroed struct. */
WHORL_API void whorl_process_output_finish(struct whorl_process_output *output);

static inline WHORL_SUSPENDS_SHIELDED void whorl_auto_process(struct whorl_process **process)
{
    whorl_process_destroy(*process);
}

static inline void whorl_auto_process_output(struct whorl_process_output *output)
{
    whorl_process_output_finish(output);
}

#ifdef __cplusplus
}
#endif

#endif
