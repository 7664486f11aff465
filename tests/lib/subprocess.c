/* SPDX-License-Identifier: MIT */
/* Runs programs under test: gives them input, keeps their output, and limits their time. */
#include "subprocess.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "test.h"

enum { PROGRAMS_MAX = 8 };

static const struct subprocess_options no_options;

static int64_t clock_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void set_env(const char *const *env)
{
    for (; env && *env; env++) {
        const char *equals = strchr(*env, '=');
        if (equals)
            putenv((char *)*env);
        else
            unsetenv(*env);
    }
}

/* In the child: executes the program. On failure prints the reason and exits with 127. */
static void __attribute__((noreturn))
become(const char *const argv[], const char *const *env, int death_signal)
{
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, death_signal);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    set_env(env);
    execvp(argv[0], (char *const *)argv);
    dprintf(STDERR_FILENO, "exec %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static void make_pipe(int fds[2])
{
    if (pipe2(fds, O_CLOEXEC) != 0)
        test_fail(__FILE__, __LINE__, "pipe: %s", strerror(errno));
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void subprocess_start(struct subprocess *ret, const char *const argv[],
                      const struct subprocess_options *options)
{
    int in[2], out[2], err[2] = {-1, -1};

    if (!options)
        options = &no_options;
    *ret = (struct subprocess){.exit_status = -1, .input = options->input};
    ret->input_len = options->input_len;
    if (ret->input && ret->input_len == 0)
        ret->input_len = strlen(ret->input);
    ret->timeout_s = (options->timeout_s ? options->timeout_s : 15) * test_timeout_scale();
    make_pipe(in);
    if (options->tty) {
        struct winsize size = {.ws_row = 24, .ws_col = options->columns ? options->columns : 80};
        if (openpty(&out[0], &out[1], NULL, NULL, &size) != 0)
            test_fail(__FILE__, __LINE__, "openpty: %s", strerror(errno));
        fcntl(out[0], F_SETFD, FD_CLOEXEC);
        fcntl(out[1], F_SETFD, FD_CLOEXEC);
    } else {
        make_pipe(out);
        make_pipe(err);
    }
    fflush(stdout);
    ret->pid = fork();
    if (ret->pid < 0)
        test_fail(__FILE__, __LINE__, "fork: %s", strerror(errno));
    if (ret->pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(options->tty ? out[1] : err[1], STDERR_FILENO);
        if (options->dir && chdir(options->dir) != 0) {
            dprintf(STDERR_FILENO, "chdir %s: %s\n", options->dir, strerror(errno));
            _exit(127);
        }
        become(argv, options->env, SIGKILL);
    }
    close(in[0]);
    close(out[1]);
    close_fd(&err[1]);
    ret->in_fd = in[1];
    ret->out_fd = out[0];
    ret->err_fd = err[0];
    fcntl(ret->in_fd, F_SETFL, O_NONBLOCK);
    if (ret->input_len == 0)
        close_fd(&ret->in_fd);
}

/* Appends what can be read with one wait. Closes the descriptor at its end. */
static void take(int *fd, char **text, size_t *len)
{
    char buf[65536];
    ssize_t n = read(*fd, buf, sizeof buf);

    if (n <= 0) { /* a terminal whose other side is closed returns EIO */
        close_fd(fd);
        return;
    }
    *text = realloc(*text, *len + (size_t)n + 1);
    memcpy(*text + *len, buf, (size_t)n);
    *len += (size_t)n;
    (*text)[*len] = '\0';
}

static void feed(struct subprocess *process)
{
    ssize_t n = write(process->in_fd, process->input, process->input_len);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n > 0) {
        process->input += n;
        process->input_len -= (size_t)n;
    }
    if (n < 0 || process->input_len == 0)
        close_fd(&process->in_fd);
}

/* Feeds input and collects output for at most `wait_ms`. */
static void pump(struct subprocess *process, int wait_ms)
{
    struct pollfd fds[3] = {{.fd = process->out_fd, .events = POLLIN},
                            {.fd = process->err_fd, .events = POLLIN},
                            {.fd = process->in_fd, .events = POLLOUT}};

    if (poll(fds, 3, wait_ms) <= 0)
        return;
    if (fds[0].revents)
        take(&process->out_fd, &process->out, &process->out_len);
    if (fds[1].revents)
        take(&process->err_fd, &process->err, &process->err_len);
    if (fds[2].revents) {
        void (*before)(int) = signal(SIGPIPE, SIG_IGN);
        feed(process);
        signal(SIGPIPE, before);
    }
}

static bool has_ended(struct subprocess *process)
{
    int status;

    if (process->pid == 0)
        return true;
    if (waitpid(process->pid, &status, WNOHANG) != process->pid)
        return false;
    process->pid = 0;
    if (WIFEXITED(status))
        process->exit_status = WEXITSTATUS(status);
    else
        process->signal = WTERMSIG(status);
    return true;
}

/* Collects the output that is still in the pipes. A grandchild may hold them open, so it does not
 * wait. */
static void drain(struct subprocess *process)
{
    close_fd(&process->in_fd);
    for (;;) {
        struct pollfd fds[2] = {{.fd = process->out_fd, .events = POLLIN},
                                {.fd = process->err_fd, .events = POLLIN}};
        if (poll(fds, 2, 0) <= 0)
            break;
        pump(process, 0);
    }
    close_fd(&process->out_fd);
    close_fd(&process->err_fd);
    if (!process->out)
        process->out = strdup("");
    if (!process->err)
        process->err = strdup("");
}

void subprocess_wait(struct subprocess *process)
{
    int64_t end = clock_ms() + (int64_t)process->timeout_s * 1000;

    while (!has_ended(process)) {
        if (clock_ms() >= end && !process->timed_out) {
            process->timed_out = true;
            kill(process->pid, SIGKILL);
        }
        if (process->out_fd < 0 && process->err_fd < 0)
            poll(NULL, 0, 2);
        else
            pump(process, 10);
    }
    drain(process);
}

void subprocess_run(struct subprocess *ret, const char *const argv[],
                    const struct subprocess_options *options)
{
    subprocess_start(ret, argv, options);
    subprocess_wait(ret);
    if (ret->exit_status == 127)
        test_fail(__FILE__, __LINE__, "%s: %s", argv[0], ret->err);
}

void subprocess_wait_output(struct subprocess *process, const char *text, bool in_err)
{
    int64_t end = clock_ms() + (int64_t)process->timeout_s * 1000;

    for (;;) {
        const char *so_far = in_err ? process->err : process->out;
        if (so_far && strstr(so_far, text))
            return;
        if ((in_err ? process->err_fd : process->out_fd) < 0 || clock_ms() > end)
            test_fail(__FILE__, __LINE__, "waited for \"%s\", got \"%s\"", text,
                      so_far ? so_far : "");
        pump(process, 50);
    }
}

void subprocess_signal(struct subprocess *process, int signal)
{
    if (process->pid > 0)
        kill(process->pid, signal);
}

void subprocess_finish(struct subprocess *process)
{
    if (process->pid > 0) {
        kill(process->pid, SIGKILL);
        waitpid(process->pid, NULL, 0);
    }
    close_fd(&process->in_fd);
    close_fd(&process->out_fd);
    close_fd(&process->err_fd);
    free(process->out);
    free(process->err);
    *process = (struct subprocess){.in_fd = -1, .out_fd = -1, .err_fd = -1};
}

pid_t subprocess_daemon(const char *const argv[], const char *const *env, const char *log,
                        const int *keep_fds)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        test_fail(__FILE__, __LINE__, "fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    if (log) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
        close(fd);
    }
    for (; keep_fds && *keep_fds >= 0; keep_fds++)
        fcntl(*keep_fds, F_SETFD, 0);
    become(argv, env, SIGTERM); /* SIGTERM lets it end its own processes */
}

const char *test_program(const char *name)
{
    static char paths[PROGRAMS_MAX][PATH_MAX];
    static int next;
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n < 0)
        test_fail(__FILE__, __LINE__, "readlink /proc/self/exe: %s", strerror(errno));
    self[n] = '\0';
    for (int up = 0; up < 2; up++) { /* BUILD/tests/test_x -> BUILD */
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
    }
    char *path = paths[next++ % PROGRAMS_MAX];
    if (snprintf(path, PATH_MAX, "%s/%s%s", self, strchr(name, '/') ? "" : "tools/", name) >=
        PATH_MAX)
        test_fail(__FILE__, __LINE__, "the path of %s is too long", name);
    return path;
}

bool test_has_program(const char *name)
{
    static const char more[] = ":/usr/sbin:/sbin:/usr/local/sbin";
    const char *path = getenv("PATH");
    char *all;
    bool found = false;

    if (asprintf(&all, "%s%s", path ? path : "/usr/bin:/bin", more) < 0)
        return false;
    for (char *dir = strtok(all, ":"); dir && !found; dir = strtok(NULL, ":")) {
        char candidate[PATH_MAX];
        snprintf(candidate, sizeof candidate, "%s/%s", dir, name);
        found = access(candidate, X_OK) == 0;
    }
    free(all);
    return found;
}
