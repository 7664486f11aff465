/* SPDX-License-Identifier: MIT */
/* Processes: spawns them, waits for them through a pidfd, sends signals, and leaves no zombie. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl/error.h>
#include <whorl/fd.h>
#include <whorl/process.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "io/driver/op.h"
#include "io/fd/poll_case.h"
#include "io/fd/standard.h"
#include "runtime/base/check.h"

enum {
    FD_NUMBER_MAX = 1023,
    ID_PIDFD = 3, /* P_PIDFD */
};

struct whorl_process {
    pid_t pid, owner; /* of the child; of the process that spawned it */
    int pid_fd;
    size_t
        waiters; /* tasks in whorl_process_wait() or whorl_process_stop(), and cases of a select */
    struct whorl_process_exit exit;
    bool reaped;    /* `exit` is valid unless `lost`; `pid` may mean another process by now */
    bool lost;      /* other code of this program has reaped it */
    bool new_group; /* the child leads a process group */
    bool sweep;     /* when the child has ended, the rest of its group is killed */
    struct whorl_stream *streams[3]; /* our ends; NULL: there is no pipe */
};

/* --- spawning --------------------------------------------------------------------------------- */

/* The descriptors that a child will get, while it is being spawned. Sources are duplicates whose
 * numbers the child will not use, so no dup2 overwrites the source of a later dup2.
 *
 * The descriptors that this process has are planned first. Those that the plan opens follow. In
 * another order, a new pipe could get the number of a descriptor that is closed here and that the
 * child inherits as closed. */
struct plan {
    const struct whorl_process_options *options;
    posix_spawn_file_actions_t actions;
    int *sources; /* descriptors to be closed once the child runs */
    size_t sources_count;
    int ours[3];              /* our ends of pipes; -1: there is none, or a stream owns it */
    struct standard standard; /* filled after the descriptors of this process were planned */
};

/* Closes the sources, and those of our ends that no stream owns. */
static void plan_finish(struct plan *plan)
{
    for (size_t i = 0; i < plan->sources_count; i++)
        close(plan->sources[i]);
    for (int i = 0; i < 3; i++)
        if (plan->ours[i] >= 0)
            close(plan->ours[i]);
    posix_spawn_file_actions_destroy(&plan->actions);
    free(plan->sources);
}

/* Whether the child gets a descriptor with this number. */
static bool is_given(const struct whorl_process_options *options, int number)
{
    for (size_t i = 0; i < options->fds_count; i++)
        if (options->fds[i].as == number)
            return true;
    return number <= STDERR_FILENO;
}

/* Duplicates `fd`, with a number that the child will not use. */
static int duplicate(const struct plan *plan, int fd)
{
    int source = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

    while (source >= 0 && is_given(plan->options, source)) {
        int next = fcntl(fd, F_DUPFD_CLOEXEC, source + 1);
        int err = errno;
        close(source);
        source = next;
        errno = err;
    }
    if (source < 0)
        return errno == EINVAL ? -EMFILE : -errno; /* EINVAL: no higher number is allowed */
    return source;
}

/* The child will have a duplicate of `fd` as `number`. */
static int plan_fd(struct plan *plan, int fd, int number)
{
    int source = duplicate(plan, fd);

    if (source < 0)
        return source;
    plan->sources[plan->sources_count++] = source;
    int err = posix_spawn_file_actions_adddup2(&plan->actions, source, number);
    return err == EBADF ? -EMFILE : -err; /* EBADF: `number` is not below RLIMIT_NOFILE */
}

static int plan_null(struct plan *plan, int number)
{
    int fd = open("/dev/null", (number == STDIN_FILENO ? O_RDONLY : O_WRONLY) | O_CLOEXEC);

    if (fd < 0)
        return -errno;
    int err = plan_fd(plan, fd, number);
    close(fd);
    return err;
}

static int plan_pipe(struct plan *plan, int number)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    int theirs = number == STDIN_FILENO ? fds[0] : fds[1];
    plan->ours[number] = number == STDIN_FILENO ? fds[1] : fds[0];
    int err = plan_fd(plan, theirs, number);
    close(theirs);
    return err;
}

/* Plans a standard descriptor that this process has. */
static int plan_present(struct plan *plan, const struct whorl_process_io *io, int number)
{
    int err;

    switch (io->kind) {
    case WHORL_PROCESS_INHERIT:
        err = plan_fd(plan, number, number);
        /* This process does not have the descriptor, so the child will not have it either. */
        return err == -EBADF ? -posix_spawn_file_actions_addclose(&plan->actions, number) : err;
    case WHORL_PROCESS_FD:
        return plan_fd(plan, io->fd, number);
    default:
        return 0;
    }
}

/* Plans a standard descriptor that must be opened first. */
static int plan_opened(struct plan *plan, const struct whorl_process_io *io, int number)
{
    switch (io->kind) {
    case WHORL_PROCESS_NULL:
        return plan_null(plan, number);
    case WHORL_PROCESS_PIPE:
        return plan_pipe(plan, number);
    case WHORL_PROCESS_INHERIT:
    case WHORL_PROCESS_FD:
        return 0;
    default:
        return -EINVAL;
    }
}

static int compare_numbers(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

/* Whether `number` is the last one below RLIMIT_NOFILE. */
static bool is_last(int number)
{
    return number + 1 == (int)sysconf(_SC_OPEN_MAX);
}

/* Closes in the child all descriptors that it is not given, from 3 upwards. */
static int plan_closing(struct plan *plan, const struct whorl_process_options *options)
{
    int *numbers = malloc((options->fds_count + 1) * sizeof *numbers);
    int next = STDERR_FILENO + 1, err = 0;

    if (!numbers)
        return -ENOMEM;
    for (size_t i = 0; i < options->fds_count; i++)
        numbers[i] = options->fds[i].as;
    qsort(numbers, options->fds_count, sizeof *numbers, compare_numbers);
    for (size_t i = 0; i < options->fds_count && err == 0; i++) {
        for (; next < numbers[i] && err == 0; next++)
            err = -posix_spawn_file_actions_addclose(&plan->actions, next);
        next = numbers[i] + 1;
    }
    free(numbers);
    if (err || is_last(next - 1)) /* plan_closing_last() has planned that */
        return err;
    return -posix_spawn_file_actions_addclosefrom_np(&plan->actions, next);
}

/* posix_spawn cannot close descriptors from RLIMIT_NOFILE upwards. If the child gets the last
 * number below RLIMIT_NOFILE, it first closes that number and all higher ones. The sources, which
 * are below it, stay open. */
static int plan_closing_last(struct plan *plan, const struct whorl_process_options *options)
{
    for (size_t i = 0; i < options->fds_count; i++)
        if (is_last(options->fds[i].as))
            return -posix_spawn_file_actions_addclosefrom_np(&plan->actions, options->fds[i].as);
    return 0;
}

static int plan_make(struct plan *plan, const struct whorl_process_options *options)
{
    const struct whorl_process_io *ios[] = {&options->in, &options->out, &options->err};
    int err;

    plan->options = options;
    plan->sources = calloc(3 + options->fds_count, sizeof *plan->sources);
    if (!plan->sources)
        return -ENOMEM;
    err = plan_closing_last(plan, options);
    for (int number = 0; number < 3 && err == 0; number++)
        err = plan_present(plan, ios[number], number);
    for (size_t i = 0; i < options->fds_count && err == 0; i++)
        err = plan_fd(plan, options->fds[i].fd, options->fds[i].as);
    plan->standard = standard_fill();
    for (int number = 0; number < 3 && err == 0; number++)
        err = plan_opened(plan, ios[number], number);
    if (err == 0)
        err = plan_closing(plan, options);
    if (err == 0 && options->dir)
        err = -posix_spawn_file_actions_addchdir_np(&plan->actions, options->dir);
    return err;
}

static int spawn(const struct whorl_process_options *options,
                 const posix_spawn_file_actions_t *actions, pid_t *ret)
{
    const char *program = options->program ? options->program : options->argv[0];
    /* execve(2) does not change these strings, though its prototype lacks the const. */
    char *const *argv = (char *const *)(uintptr_t)options->argv;
    char *const *env = options->env ? (char *const *)(uintptr_t)options->env : environ;
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    posix_spawnattr_t attributes;
    sigset_t signals;

    int err = -posix_spawnattr_init(&attributes);
    if (err)
        return err;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    if (options->new_group)
        flags |= POSIX_SPAWN_SETPGROUP;
    posix_spawnattr_setflags(&attributes, flags);
    if (options->no_path_search)
        err = -posix_spawn(ret, program, actions, &attributes, argv, env);
    else
        err = -posix_spawnp(ret, program, actions, &attributes, argv, env);
    posix_spawnattr_destroy(&attributes);
    return err;
}

static bool is_valid(const struct whorl_process_options *options)
{
    if (!options->argv || !options->argv[0])
        return false;
    for (size_t i = 0; i < options->fds_count; i++) {
        if (options->fds[i].as <= STDERR_FILENO || options->fds[i].as > FD_NUMBER_MAX)
            return false;
        for (size_t j = 0; j < i; j++)
            if (options->fds[j].as == options->fds[i].as)
                return false;
    }
    return true;
}

/* Creates streams from our ends of the pipes and removes those ends from `ours`. A stream makes its
 * end non-blocking. The child's end is a separate open file, so it stays blocking. */
static int open_streams(struct whorl_process *process, int ours[3])
{
    for (int i = 0; i < 3; i++) {
        if (ours[i] < 0)
            continue;
        int err = i == STDIN_FILENO ? whorl_stream_from_pipe(-1, ours[i], &process->streams[i])
                                    : whorl_stream_from_pipe(ours[i], -1, &process->streams[i]);
        if (err)
            return err;
        ours[i] = -1;
    }
    return 0;
}

static void kill_now(struct whorl_process *process)
{
    kill(process->new_group ? -process->pid : process->pid, SIGKILL);
    while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

int whorl_process_spawn(const struct whorl_process_options *options, struct whorl_process **ret)
{
    struct plan plan = {.ours = {-1, -1, -1}};
    struct whorl_process *process;
    int err;

    if (!is_valid(options))
        return -EINVAL;
    process = calloc(1, sizeof *process);
    if (!process)
        return -ENOMEM;
    process->owner = getpid();
    process->pid_fd = -1;
    process->new_group = options->new_group;
    err = -posix_spawn_file_actions_init(&plan.actions);
    if (err)
        goto err_process;
    err = plan_make(&plan, options);
    /* Create the streams first: then only the pidfd can fail after the child runs. */
    if (err == 0)
        err = open_streams(process, plan.ours);
    if (err == 0)
        err = spawn(options, &plan.actions, &process->pid);
    plan_finish(&plan); /* this also frees the number of a descriptor for the pidfd */
    if (err)
        goto err_standard;
    process->pid_fd = (int)syscall(SYS_pidfd_open, process->pid, 0); /* 5.3; close-on-exec */
    err = process->pid_fd < 0 ? -errno : 0;
    standard_empty(&plan.standard);
    if (err) {
        kill_now(process);
        goto err_process;
    }
    *ret = process;
    return 0;

err_standard:
    standard_empty(&plan.standard);
err_process:
    for (int i = 0; i < 3; i++)
        whorl_stream_close(process->streams[i]);
    free(process);
    return err;
}

/* --- its life --------------------------------------------------------------------------------- */

struct whorl_stream *whorl_process_stdin(struct whorl_process *process)
{
    return process->streams[STDIN_FILENO];
}

struct whorl_stream *whorl_process_stdout(struct whorl_process *process)
{
    return process->streams[STDOUT_FILENO];
}

struct whorl_stream *whorl_process_stderr(struct whorl_process *process)
{
    return process->streams[STDERR_FILENO];
}

pid_t whorl_process_id(const struct whorl_process *process)
{
    return process->pid;
}

static int send_signal(const struct whorl_process *process, int signal)
{
    long res = process->new_group
                   ? kill(-process->pid, signal)
                   : syscall(SYS_pidfd_send_signal, process->pid_fd, signal, NULL, 0);

    return res < 0 ? -errno : 0;
}

int whorl_process_kill(struct whorl_process *process, int signal)
{
    if (process->reaped)
        return -ESRCH;
    return process->owner == getpid() ? send_signal(process, signal) : WHORL_ENOIO;
}

/* Calls waitid(2) until it is not interrupted. `info->si_pid` is 0 when the child still runs, which
 * is possible with WNOHANG. */
static int wait_id(const struct whorl_process *process, siginfo_t *info, int flags)
{
    int res;

    info->si_pid = 0;
    do
        res = waitid((idtype_t)ID_PIDFD, (id_t)process->pid_fd, info, WEXITED | flags);
    while (res < 0 && errno == EINTR);
    return res < 0 ? -errno : 0;
}

/* Reaps the child if it has ended. With `flags` 0, waits for its end. */
static void reap(struct whorl_process *process, int flags)
{
    siginfo_t info;

    if (process->reaped)
        return;
    /* The pid (and process group id) cannot be reused until the child is reaped, so peek with
     * WNOWAIT, signal the group, then reap. */
    int err = wait_id(process, &info, flags | WNOWAIT);
    if (err == 0 && info.si_pid == 0)
        return;
    if (err == 0 && process->sweep && process->new_group)
        kill(-process->pid, SIGKILL);
    if (err == 0)
        err = wait_id(process, &info, 0);
    process->reaped = true;
    process->lost = err < 0;
    if (err < 0)
        return;
    if (info.si_code == CLD_EXITED)
        process->exit = (struct whorl_process_exit){.status = info.si_status};
    else
        process->exit = (struct whorl_process_exit){.status = -1, .signal = info.si_status};
}

static int tell(const struct whorl_process *process, struct whorl_process_exit *ret)
{
    if (process->lost)
        return -ECHILD;
    if (ret)
        *ret = process->exit;
    return 0;
}

WHORL_SUSPENDS int whorl_process_wait(struct whorl_process *process, struct whorl_process_exit *ret)
{
    if (!whorl_task_self())
        return WHORL_ENOTASK;
    if (process->owner != getpid())
        return WHORL_ENOIO;
    for (;;) {
        int err = whorl_check_cancelled();
        if (err)
            return err;
        reap(process, WNOHANG);
        if (process->reaped)
            return tell(process, ret);
        process->waiters++;
        err = whorl_poll_fd(process->pid_fd, POLLIN);
        process->waiters--;
        if (err < 0)
            return err;
    }
}

/* Kills the child and waits for its end, also in a cancelled scope. */
static WHORL_SUSPENDS_SHIELDED void end(struct whorl_process *process)
{
    process->sweep = true;
    if (!process->reaped)
        send_signal(process, SIGKILL);
    for (;;) {
        reap(process, WNOHANG);
        if (process->reaped)
            return;
        struct io_op op = {.code = IO_OP_POLL, .fd = process->pid_fd, .len = POLLIN};
        if (io_op_run_uncancellable(&op, "process") < 0)
            reap(process, 0); /* no run or no memory: block, as the child is about to end */
    }
}

WHORL_SUSPENDS int whorl_process_stop(struct whorl_process *process, int64_t grace_ns,
                                      struct whorl_process_exit *ret)
{
    struct whorl_scope scope;

    if (!whorl_task_self())
        return WHORL_ENOTASK;
    if (process->owner != getpid() || !io_driver_current())
        return WHORL_ENOIO;
    process->sweep = true;
    if (!process->reaped)
        send_signal(process, SIGTERM);
    whorl_scope_enter(&scope, whorl_after(grace_ns));
    int err = whorl_process_wait(process, ret);
    err = whorl_scope_leave(&scope, err);
    if (err == 0 || err == -ECHILD)
        return err;
    process->waiters++;
    end(process);
    process->waiters--;
    return err == -ETIMEDOUT ? tell(process, ret) : err;
}

WHORL_SUSPENDS_SHIELDED void whorl_process_destroy(struct whorl_process *process)
{
    if (!process)
        return;
    whorl_check_text(process->waiters == 0, "a process was destroyed while a task waits for it");
    if (process->owner == getpid()) /* else this is the copy in a forked process */
        end(process);
    for (int i = 0; i < 3; i++)
        whorl_stream_close(process->streams[i]);
    close(process->pid_fd);
    free(process);
}

/* --- select ----------------------------------------------------------------------------------- */

static bool process_try(struct whorl_case *c)
{
    struct whorl_process *process = c->object;

    if (process->owner != getpid()) {
        c->result = WHORL_ENOIO;
        return true;
    }
    reap(process, WNOHANG);
    if (!process->reaped)
        return false;
    c->result = tell(process, c->data);
    return true;
}

static bool process_take(struct whorl_case *c, int res)
{
    struct whorl_process *process = c->object;

    c->result = res;
    if (res >= 0 && !process_try(c))
        return false;
    process->waiters--;
    return true;
}

static int process_start(struct whorl_case *c)
{
    struct whorl_process *process = c->object;

    int err = poll_case_start(c, process->pid_fd, POLLIN, process_take);
    if (err == 0)
        process->waiters++;
    return err;
}

static enum whorl_abort process_stop(struct whorl_case *c)
{
    struct whorl_process *process = c->object;

    process->waiters--;
    return poll_case_stop(c);
}

struct whorl_case whorl_case_process(struct whorl_process *process, struct whorl_process_exit *ret)
{
    static const struct whorl_case_ops ops = {"process", process_try, process_start, process_stop};
    return (struct whorl_case){.ops = &ops, .object = process, .data = ret};
}
