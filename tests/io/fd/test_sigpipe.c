/* SPDX-License-Identifier: MIT */
/* SIGPIPE: a write without a reader returns an error and sends no signal. The program's own handler
 * for SIGPIPE is not changed. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "test.h"

static bool is_blocked(void)
{
    sigset_t set;

    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, SIGPIPE) == 1;
}

static bool is_pending(void)
{
    sigset_t set;

    sigpending(&set);
    return sigismember(&set, SIGPIPE) == 1;
}

static void block(int how)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    CHECK_OK(pthread_sigmask(how, &set, NULL));
}

static int write_for_nobody(void *arg)
{
    struct iovec parts[] = {{(char[]){"a"}, 1}, {(char[]){"b"}, 1}};
    int p[2];

    (void)arg;
    CHECK_OK(pipe(p));
    close(p[0]);
    CHECK_ERR(whorl_write(p[1], "x", 1), -EPIPE);
    CHECK_ERR(whorl_writev(p[1], parts, 2), -EPIPE);
    CHECK_ERR(whorl_write_all(p[1], "xyz", 3), -EPIPE);
    close(p[1]);

    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, p));
    close(p[0]);
    CHECK_ERR(whorl_write(p[1], "x", 1), -EPIPE);
    CHECK_ERR(whorl_writev(p[1], parts, 2), -EPIPE);
    CHECK_ERR(whorl_send(p[1], "x", 1, 0), -EPIPE);
    close(p[1]);
    return 0;
}

TEST(writing_to_pipes_and_sockets_nobody_reads_is_an_error_and_no_signal)
{
    struct sigaction action;

    CHECK_OK(whorl_io_run(write_for_nobody, NULL));
    CHECK(!is_blocked());
    CHECK_EQ(sigaction(SIGPIPE, NULL, &action), 0);
    CHECK(action.sa_handler == SIG_DFL);
}

static int close_soon(void *arg)
{
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    return whorl_close(*(int *)arg);
}

TEST_IO(a_writer_that_waits_is_told_when_the_reader_goes)
{
    static char zeros[1 << 20]; /* more than the pipe holds */
    WHORL_AUTO(group) group = {0};
    int p[2];

    CHECK_OK(pipe(p));
    CHECK_OK(whorl_spawn(&group, close_soon, &p[0]));
    CHECK_ERR(whorl_write_all(p[1], zeros, sizeof zeros), -EPIPE);
    close(p[1]);
    CHECK_OK(whorl_group_wait(&group));
}

TEST(a_sigpipe_blocked_and_pending_before_a_run_is_so_after_it)
{
    block(SIG_BLOCK);
    raise(SIGPIPE);
    CHECK_OK(whorl_io_run(write_for_nobody, NULL));
    CHECK(is_blocked());
    CHECK(is_pending());
}

static int take_it(void *arg)
{
    struct whorl_signals **signals = arg;

    CHECK_OK(whorl_signals_open((int[]){SIGPIPE, 0}, signals));
    return write_for_nobody(NULL);
}

TEST(a_set_of_signals_that_outlives_the_run_keeps_it_blocked)
{
    struct whorl_signals *signals = NULL;

    CHECK_OK(whorl_io_run(take_it, &signals));
    CHECK(is_blocked());
    CHECK_OK(whorl_signals_try_wait(signals, NULL));
    whorl_signals_close(signals);
    CHECK(!is_blocked());
}

static int fork_and_look(void *arg)
{
    int status;

    (void)arg;
    CHECK(is_blocked());
    pid_t child = fork();
    if (child == 0)
        _exit(is_blocked() ? 1 : 0);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    return 0;
}

TEST(a_forked_child_does_not_have_it_blocked)
{
    CHECK_OK(whorl_io_run(fork_and_look, NULL));
}

TEST(a_loop_that_is_not_ours_has_it_as_it_was_between_turns)
{
    WHORL_AUTO(embed) *embed = NULL;
    int result = 1;

    CHECK_OK(whorl_embed_create(NULL, NULL, write_for_nobody, NULL, &embed));
    while (!whorl_embed_run_ready(embed, &result)) {
        struct pollfd pollfd = {.fd = whorl_embed_fd(embed), .events = POLLIN};
        CHECK(!is_blocked());
        CHECK(poll(&pollfd, 1, whorl_embed_timeout_ms(embed)) >= 0);
    }
    CHECK_OK(result);
    CHECK(!is_blocked());
}

TEST_MAIN()
