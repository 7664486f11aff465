/* SPDX-License-Identifier: MIT */
/* Processes: starting a program, talking to it through pipes, waiting for its end, and ending it.
 *
 *     static int count_lines(const char *path)
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
 * The process belongs to whoever spawned it: destroying it, which leaving the block above does on
 * every path, kills a child that still runs and takes its exit status, so that neither an orphan nor
 * a zombie is left, also when the task was cancelled.
 *
 * A child sees the descriptors it was given and no others, an empty signal mask and every signal's
 * default action. The program must not ignore SIGCHLD or wait for children it did not start itself:
 * then exit statuses are lost, and waiting says -ECHILD.
 *
 * fork(2). A run belongs to the process that began it. In a child forked from a task, or on the run's
 * thread while tasks exist, every request is refused with WHORL_ENOIO (the ring's memory and
 * descriptor are the parent's), the processes of the parent are neither signalled nor waited for, and
 * another run may only be begun once the tasks have been left, see io.h. What such a child can do
 * safely is to exec or to _exit(). whorl_process_spawn() does this without any of it; worker
 * processes that do go on in C are in workers.h. Forking outside any run is as safe as it is without
 * whorl.
 */
#ifndef WHORL_PROCESS_H
#define WHORL_PROCESS_H

#include <whorl/base.h>
#include <whorl/stream.h>

struct whorl_process;

enum whorl_process_io_kind {
    WHORL_PROCESS_INHERIT, /* the same as ours */
    WHORL_PROCESS_NULL,    /* /dev/null */
    WHORL_PROCESS_PIPE,    /* a pipe whose other end is ours, as a stream */
    WHORL_PROCESS_FD,      /* `fd` */
};

/* What a standard descriptor of the child is. */
struct whorl_process_io {
    enum whorl_process_io_kind kind;
    int fd; /* for WHORL_PROCESS_FD; stays the caller's */
};

/* A descriptor handed over. */
struct whorl_process_fd {
    int fd; /* ours; stays the caller's */
    int as; /* its number in the child, from 3 to 1023 */
};

/* Zero-initialised is valid but for `argv`. Everything is borrowed for the call. */
struct whorl_process_options {
    const char *const *argv; /* NULL-terminated; argv[0] is the program unless `program` says */
    const char *program;     /* what is executed; NULL: argv[0]. Relative to `dir` */
    const char *const *env;  /* "NAME=value", NULL-terminated; NULL: ours */
    const char *dir;         /* where it runs; NULL: where we are */
    struct whorl_process_io in, out, err;
    const struct whorl_process_fd *fds; /* what else it gets */
    size_t fds_count;
    bool no_path_search; /* else a program without a slash is looked for in our PATH */
    bool new_group; /* it leads a process group of its own, and signals go to all of the group */
};

/* How a process ended. */
struct whorl_process_exit {
    int status; /* what it returned from main(), 0 to 255; -1 when a signal ended it */
    int signal; /* that ended it, or 0 */
};

/* What whorl_process_run() collected. */
struct whorl_process_output {
    char *out, *err; /* terminated by a NUL that is not counted; NULL where there was no pipe */
    size_t out_len, err_len;
    struct whorl_process_exit exit;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Starts a program. The thread is held up until the child has executed it, well under a millisecond.
 *
 * @ret  the process; destroy it with whorl_process_destroy()
 *
 * Returns: 0; -ENOENT, -EACCES, -ENOEXEC, -E2BIG and other execve(2) errors, also of the folder;
 *          -EBADF for a descriptor that is not open; -EINVAL; -EMFILE; -EAGAIN; -ENOMEM; -ENOSYS
 *          before Linux 5.3.
 * Never suspends; may be called outside a run too.
 */
WHORL_API WHORL_CHECKED int whorl_process_spawn(const struct whorl_process_options *options,
                                                struct whorl_process **ret);

/**
 * Our ends of the pipes, or NULL where the option was not WHORL_PROCESS_PIPE. They belong to the
 * process. Finishing stdin closes it: the child reads to the end. A child that has closed its end
 * makes writes fail with -EPIPE; SIGPIPE is not raised.
 */
WHORL_API struct whorl_stream *whorl_process_stdin(struct whorl_process *process);
WHORL_API struct whorl_stream *whorl_process_stdout(struct whorl_process *process);
WHORL_API struct whorl_stream *whorl_process_stderr(struct whorl_process *process);

/** Its number. It stays taken until the process has been waited for. */
WHORL_API pid_t whorl_process_id(const struct whorl_process *process);

/**
 * Waits for the end of the process. Any number of tasks may, and again after it has ended.
 *
 * @ret  how it ended; may be NULL
 *
 * Returns:  0; -ECHILD when somebody else has taken its status; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until it has ended.
 * Cancel:   -ECANCELED; the process runs on.
 */
WHORL_API WHORL_SUSPENDS int whorl_process_wait(struct whorl_process *process,
                                                struct whorl_process_exit *ret);

/**
 * Sends it a signal, or to all of its group if it has its own.
 *
 * Returns: 0, also when it has ended and nobody has waited for it yet; -ESRCH once somebody has;
 *          -EPERM; -EINVAL.
 * Never suspends.
 */
WHORL_API int whorl_process_kill(struct whorl_process *process, int signal);

/**
 * Ends it: SIGTERM, then SIGKILL if it is still there after `grace_ns`; waits for its end. What is
 * left of its own group then is killed.
 *
 * @ret  how it ended; may be NULL
 *
 * Returns:  0; -ECHILD; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until it has ended.
 * Cancel:   the grace ends: it is killed and waited for, then -ECANCELED.
 */
WHORL_API WHORL_SUSPENDS int whorl_process_stop(struct whorl_process *process, int64_t grace_ns,
                                                struct whorl_process_exit *ret);

/**
 * Kills it (and its own group) if nobody has waited for its end yet, takes its status, closes the
 * pipes and frees it. No task may be waiting for it or using its streams. Accepts NULL.
 *
 * Suspends: until it is dead, shielded from cancellation. Outside a run the thread waits.
 */
WHORL_API WHORL_SUSPENDS_SHIELDED void whorl_process_destroy(struct whorl_process *process);

/**
 * Runs a program to its end with `input` as its stdin (inherited or what the option says when NULL),
 * and collects its stdout, and its stderr if the option says WHORL_PROCESS_PIPE.
 *
 * @output_max  of both together; more kills the child
 * @ret         free it with whorl_process_output_finish()
 *
 * Returns:  0 however it ended, see `ret->exit`; -EFBIG; errors of whorl_process_spawn();
 *           WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until it has ended and whoever else holds its stdout and stderr has closed them.
 * Cancel:   -ECANCELED; it has been killed.
 */
WHORL_API WHORL_SUSPENDS int whorl_process_run(const struct whorl_process_options *options,
                                               const void *input, size_t input_len,
                                               size_t output_max, struct whorl_process_output *ret);

/** Frees what was collected. Accepts a zeroed one. */
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
