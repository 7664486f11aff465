/* SPDX-License-Identifier: MIT */
/* Worker processes, the other side: the server that forks workers, and what a worker does. */
#include "io/process/pool_server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl/error.h>
#include <whorl/fd.h>
#include <whorl/io.h>
#include <whorl/stream.h>

#include "io/fd/standard.h"
#include "io/process/pool_protocol.h"

enum {
    CONTROL = 3, /* the server's only descriptor besides the standard descriptors */
    GRACE_MS = 200,
};

/* --- a worker --------------------------------------------------------------------------------- */

struct worker {
    int fd;
    const struct whorl_process_pool_options *options;
};

WHORL_SUSPENDS static int answer(struct whorl_stream *stream, int status, void *data, size_t len)
{
    struct worker_frame frame = {.status = status, .len = status < 0 || !data ? 0 : len};
    struct iovec parts[] = {{&frame, sizeof frame}, {data, frame.len}};

    return whorl_stream_writev(stream, parts, frame.len ? 2 : 1);
}

WHORL_SUSPENDS static int serve_one(struct whorl_stream *stream, whorl_worker_fn work, void *state)
{
    struct worker_frame frame;
    void *response = NULL;
    size_t response_len = 0;

    /* Poll first. If this process is killed while a read is in flight, the read could consume the
     * request; the pool must find it unread. */
    int err = whorl_poll_fd(whorl_stream_fd(stream), POLLIN);
    if (err < 0)
        return err;
    err = whorl_stream_read_exact(stream, &frame, sizeof frame);
    if (err)
        return err;
    char *request = malloc(frame.len + 1);
    if (!request)
        return -ENOMEM;
    err = whorl_stream_read_exact(stream, request, frame.len);
    if (err == 0) {
        request[frame.len] = '\0';
        int status = work(state, request, frame.len, &response, &response_len);
        err = answer(stream, status < 0 ? status : 0, response, response_len);
        free(response);
    }
    free(request);
    return err;
}

static int worker_root(void *arg)
{
    const struct worker *worker = arg;
    WHORL_AUTO(stream) *stream = NULL;
    void *state = worker->options->arg;
    int err = whorl_stream_from_socket(worker->fd, &stream);

    if (err)
        return err;
    int status = worker->options->init ? worker->options->init(worker->options->arg, &state) : 0;
    err = answer(stream, status < 0 ? status : 0, NULL, 0);
    if (status < 0)
        return 0;
    while (err == 0)
        err = serve_one(stream, worker->options->work, state);
    return 0; /* the pool was destroyed, or this worker cannot continue */
}

/* The main function of a worker, in the forked child. */
__attribute__((noreturn)) static void worker_main(struct worker *worker, pid_t server)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != server)
        _exit(1);
    close(CONTROL);
    int err = whorl_io_run(worker_root, worker);
    if (err) { /* the run could not start, so the worker has not reported yet */
        struct worker_frame frame = {.status = err};
        send(worker->fd, &frame, sizeof frame, MSG_NOSIGNAL);
    }
    _exit(0);
}

/* --- the server ------------------------------------------------------------------------------- */

static void end_worker(pid_t *pid)
{
    if (*pid == 0)
        return;
    kill(*pid, SIGKILL); /* not reaped yet, so the pid still means this worker */
    while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
        ;
    *pid = 0;
}

/* Ends all workers. Their sockets have ended, so they exit by themselves; workers that still
 * compute are killed after GRACE_MS. */
static void end_all(pid_t *pids, unsigned count)
{
    for (int ms = 0; ms < GRACE_MS; ms++) {
        unsigned alive = 0;
        for (unsigned i = 0; i < count; i++) {
            if (pids[i] && waitpid(pids[i], NULL, WNOHANG) != 0)
                pids[i] = 0;
            alive += pids[i] != 0;
        }
        if (alive == 0)
            return;
        usleep(1000);
    }
    for (unsigned i = 0; i < count; i++)
        end_worker(&pids[i]);
}

/* Reads one message and the descriptor passed with it (-1: none). False when the pool has ended. */
static bool next_message(struct worker_message *message, int *ret_fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec part = {message, sizeof *message};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};
    ssize_t n;

    do
        n = recvmsg(CONTROL, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    struct cmsghdr *cmsg = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
    *ret_fd = -1;
    if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
        memcpy(ret_fd, CMSG_DATA(cmsg), sizeof *ret_fd);
    return n == sizeof *message;
}

/* Resets the signal actions and the mask, so that workers do not inherit those of the program. */
static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int i = 1; i < _NSIG; i++)
        sigaction(i, &action, NULL); /* fails for signals whose action cannot be changed */
    action.sa_handler = SIG_IGN;
    sigaction(SIGINT, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void worker_server(int control, const struct whorl_process_pool_options *options)
{
    struct worker_message message;
    int fd;

    reset_signals();
    standard_fill(); /* not undone: no socket of a worker may become its standard input */
    if (control != CONTROL && dup2(control, CONTROL) < 0)
        _exit(1);
    /* Sockets of other pools and other descriptors of the program must not stay open here. */
    if (syscall(SYS_close_range, CONTROL + 1, ~0U, 0) < 0) /* 5.9 */
        for (int i = CONTROL + 1; i < (int)sysconf(_SC_OPEN_MAX); i++)
            close(i);
    pid_t *pids = calloc(options->count, sizeof *pids), self = getpid();
    if (!pids)
        _exit(1);
    while (next_message(&message, &fd)) {
        end_worker(&pids[message.place]);
        if (message.order == WORKER_START && fd >= 0) {
            struct worker worker = {fd, options};
            pid_t pid = fork();
            if (pid == 0)
                worker_main(&worker, self);
            pids[message.place] = pid > 0 ? pid : 0; /* if fork() failed, the pool sees EOF */
        }
        if (fd >= 0)
            close(fd);
    }
    end_all(pids, options->count);
    _exit(0);
}
