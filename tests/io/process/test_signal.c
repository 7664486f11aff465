/* SPDX-License-Identifier: MIT */
/* Signals: which waiter gets them, which signals can be opened, and the mask before and after. */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "child.h"
#include "faults.h"
#include "io_faults.h"
#include "test.h"

static struct whorl_signals *open_one(int number)
{
    struct whorl_signals *signals = NULL;
    CHECK_OK(whorl_signals_open((const int[]){number, 0}, &signals));
    return signals;
}

static bool is_blocked(int number)
{
    sigset_t set;
    pthread_sigmask(SIG_BLOCK, NULL, &set);
    return sigismember(&set, number);
}

static int send_soon(void *arg)
{
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    return kill(getpid(), *(int *)arg);
}

TEST_IO(wait_returns_a_signal_that_came_before_and_one_that_comes_after)
{
    WHORL_AUTO(signals) *signals = open_one(SIGUSR1);
    WHORL_AUTO(group) group = {0};
    struct whorl_signal signal;
    CHECK_ERR(whorl_signals_try_wait(signals, NULL), -EAGAIN);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_OK(whorl_signals_wait(signals, &signal));
    CHECK_EQ(signal.number, SIGUSR1);
    CHECK_EQ(signal.pid, getpid());
    CHECK_EQ(signal.uid, getuid());
    CHECK_EQ(signal.code, SI_USER);
    CHECK_OK(whorl_spawn_copy(&group, send_soon, &(int){SIGUSR1}));
    CHECK_OK(whorl_signals_wait(signals, NULL));
    CHECK_ERR(whorl_signals_try_wait(signals, NULL), -EAGAIN);
}

TEST_IO(values_and_children_are_told)
{
    struct whorl_signals *signals = NULL;
    struct whorl_signal signal;
    CHECK_OK(whorl_signals_open((const int[]){SIGRTMIN, SIGCHLD, 0}, &signals));
    CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 42}));
    CHECK_OK(whorl_signals_wait(signals, &signal));
    CHECK_EQ(signal.number, SIGRTMIN);
    CHECK_EQ(signal.value, 42);
    pid_t pid = fork();
    if (pid == 0)
        _exit(5);
    CHECK_OK(whorl_signals_wait(signals, &signal));
    CHECK_EQ(signal.number, SIGCHLD);
    CHECK_EQ(signal.pid, pid);
    CHECK_EQ(signal.code, CLD_EXITED);
    CHECK_EQ(signal.status, 5);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
    whorl_signals_close(signals);
}

TEST_IO(signals_of_the_thread_itself_are_taken)
{
    WHORL_AUTO(signals) *signals = open_one(SIGUSR2);
    struct whorl_signal signal;
    CHECK_OK(pthread_kill(pthread_self(), SIGUSR2));
    CHECK_OK(whorl_signals_wait(signals, &signal));
    CHECK_EQ(signal.number, SIGUSR2);
    CHECK_EQ(signal.code, SI_TKILL);
}

static int wait_one(void *arg)
{
    int err = whorl_signals_wait(arg, NULL);
    test_log("%s", err ? whorl_error_name(err) : "got");
    return 0;
}

TEST_IO(one_signal_wakes_one_of_several)
{
    WHORL_AUTO(signals) *signals = open_one(SIGUSR1);
    WHORL_AUTO(group) group = {0};
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, wait_one, signals));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_OK(whorl_sleep(3 * WHORL_MILLISECOND));
    CHECK_STR(test_logged(), "got");
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_OK(whorl_sleep(3 * WHORL_MILLISECOND));
    CHECK_STR(test_logged(), "got got");
    whorl_group_cancel(&group);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "got got ECANCELED");
}

TEST_IO(a_cancelled_wait_takes_no_signal)
{
    WHORL_AUTO(signals) *signals = open_one(SIGUSR1);
    struct whorl_scope scope;
    whorl_scope_enter(&scope, whorl_after(2 * WHORL_MILLISECOND));
    CHECK_ERR(whorl_signals_wait(signals, NULL), -ECANCELED);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_ERR(whorl_signals_wait(signals, NULL), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK_OK(whorl_signals_wait(signals, NULL));
}

/* --- the mask --------------------------------------------------------------------------------- */

TEST_IO(closing_restores_the_mask_when_the_last_one_closes)
{
    sigset_t set;
    struct whorl_signals *a, *b, *c;
    a = open_one(SIGUSR1);
    b = open_one(SIGUSR1);
    CHECK(is_blocked(SIGUSR1));
    CHECK(!is_blocked(SIGUSR2));
    whorl_signals_close(a);
    CHECK(is_blocked(SIGUSR1));
    whorl_signals_close(b);
    CHECK(!is_blocked(SIGUSR1));

    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    c = open_one(SIGUSR2);
    whorl_signals_close(c);
    CHECK(is_blocked(SIGUSR2)); /* as before */
    whorl_signals_close(NULL);
}

static void die_by_close(void *arg)
{
    (void)arg;
    struct whorl_signals *signals = open_one(SIGTERM);
    kill(getpid(), SIGTERM);
    write(STDERR_FILENO, "alive", 5);
    whorl_signals_close(signals);
    write(STDERR_FILENO, " still", 6);
}

TEST(a_signal_nobody_took_has_its_effect_on_close)
{
    struct child child;
    child_run(&child, die_by_close, NULL);
    CHECK_EQ(child.signal, SIGTERM);
    CHECK_STR(child.err, "alive");
}

TEST_IO(signals_that_cannot_be_taken_are_refused)
{
    struct whorl_signals *signals = NULL;
    const int bad[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGFPE, 65, 1000, -1};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CHECK_ERR(whorl_signals_open((const int[]){SIGUSR1, bad[i], 0}, &signals), -EINVAL);
    CHECK_ERR(whorl_signals_open((const int[]){0}, &signals), -EINVAL);
    CHECK(!signals && !is_blocked(SIGUSR1));
}

TEST(outside_a_run_only_trying_works)
{
    struct whorl_signals *signals = open_one(SIGUSR1);
    CHECK_ERR(whorl_signals_wait(signals, NULL), WHORL_ENOTASK);
    kill(getpid(), SIGUSR1);
    CHECK_OK(whorl_signals_try_wait(signals, NULL));
    whorl_signals_close(signals);
}

/* --- select ----------------------------------------------------------------------------------- */

TEST_IO(select_takes_a_signal)
{
    WHORL_AUTO(signals) *signals = open_one(SIGUSR1);
    WHORL_AUTO(group) group = {0};
    struct whorl_signal signal = {0};
    struct whorl_case cases[] = {whorl_case_signal(signals, &signal),
                                 whorl_case_deadline(whorl_after(WHORL_MINUTE))};
    CHECK_ERR(whorl_try_select(cases, 2), -EAGAIN);
    CHECK_OK(whorl_spawn_copy(&group, send_soon, &(int){SIGUSR1}));
    CHECK_EQ(whorl_select(cases, 2), 0);
    CHECK_OK(cases[0].result);
    CHECK_EQ(signal.number, SIGUSR1);
    kill(getpid(), SIGUSR1);
    CHECK_EQ(whorl_select(cases, 2), 0);
}

static int set_event(void *arg)
{
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    whorl_event_set(arg); /* wins: both become ready in the same turn */
    kill(getpid(), SIGUSR1);
    return 0;
}

TEST_IO(a_signal_whose_case_lost_stays_for_the_next)
{
    WHORL_AUTO(signals) *signals = open_one(SIGUSR1);
    for (int i = 0; i < 50; i++) {
        WHORL_AUTO(group) group = {0};
        struct whorl_event event = {0};
        struct whorl_case cases[] = {whorl_case_signal(signals, NULL), whorl_case_event(&event)};
        CHECK_OK(whorl_spawn(&group, set_event, &event));
        CHECK_EQ(whorl_select(cases, 2), 1);
        CHECK_OK(whorl_group_wait(&group));
        CHECK_OK(whorl_signals_try_wait(signals, NULL));
    }
}

static int select_one(void *arg)
{
    struct whorl_case cases[] = {whorl_case_signal(arg, NULL)};
    int which = whorl_select(cases, 1);
    test_log("%s", which ? whorl_error_name(which) : "got");
    return 0;
}

TEST_IO(several_selects_share_signals_and_a_cancelled_one_takes_none)
{
    WHORL_AUTO(signals) *signals = open_one(SIGUSR1);
    WHORL_AUTO(group) group = {0};
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, select_one, signals));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_OK(whorl_sleep(3 * WHORL_MILLISECOND));
    CHECK_STR(test_logged(), "got");
    whorl_group_cancel(&group);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "got ECANCELED ECANCELED");
    CHECK_OK(whorl_signals_try_wait(signals, NULL));
}

static int select_root(void *arg)
{
    struct whorl_signals *signals = NULL;
    (void)arg;
    int err = whorl_signals_open((const int[]){SIGUSR1, 0}, &signals);
    if (err)
        return err;
    struct whorl_case cases[] = {
        whorl_case_signal(signals, NULL),
        whorl_case_deadline(whorl_after(WHORL_MILLISECOND)),
    };
    err = whorl_select(cases, 2);
    if (err >= 0)
        err = cases[err].result;
    if (err == 0) {
        kill(getpid(), SIGUSR1);
        err = whorl_signals_wait(signals, NULL);
    }
    whorl_signals_close(signals);
    return err;
}

static int run_select(void *arg)
{
    return whorl_io_run(select_root, arg);
}

TEST(every_failed_allocation_is_reported)
{
    CHECK(faults_sweep(run_select, NULL) > 3);
}

TEST(every_failed_request_is_reported)
{
    CHECK(io_faults_sweep(run_select, NULL, -EIO) > 0);
}

TEST_MAIN()
