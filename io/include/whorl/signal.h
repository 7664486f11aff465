/* SPDX-License-Identifier: MIT */
/* Signals that a task waits for.
 *
 *     static WHORL_SUSPENDS int serve_until_told(struct server *server)
 *     {
 *         const int numbers[] = {SIGINT, SIGTERM, 0};
 *         WHORL_AUTO(signals) *signals = NULL;
 *         WHORL_AUTO(group) group = {0};
 *         int err = whorl_signals_open(numbers, &signals);
 *         if (err == 0)
 *             err = whorl_spawn(&group, serve, server);
 *         if (err)
 *             return err;
 *         struct whorl_case cases[] = {
 *             whorl_case_signal(signals, NULL),
 *             whorl_case_group(&group),           // serve() has failed or returned
 *         };
 *         int taken = whorl_select(cases, 2);
 *         return taken < 0 ? taken : whorl_group_stop(&group, 5 * WHORL_SECOND);
 *     }
 *
 * While they are open, these signals are blocked in the run's thread: they interrupt no system call
 * and call no handler. The kernel delivers a signal for the process to any thread that does not
 * block it. So open the signals before you start threads, or block them there too; the runtime's
 * own threads block all signals. Several signals of one number that arrive before the first is
 * taken may be reported as one, as always with signals.
 */
#ifndef WHORL_SIGNAL_H
#define WHORL_SIGNAL_H

#include <whorl/base.h>
#include <whorl/select.h>

struct whorl_signals;

/* A signal that has arrived. */
struct whorl_signal {
    int number;
    int code;  /* SI_USER, CLD_EXITED, ... as in sigaction(2) */
    pid_t pid; /* the process that sent it, or for SIGCHLD the child */
    uid_t uid;
    int status; /* for SIGCHLD, the child's */
    int value;  /* passed to sigqueue(3) by the sender */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Blocks signals in this thread and begins to take them. Never suspends.
 *
 * @numbers  SIGINT, ...; at least one, and a 0 after the last. Copied
 * @ret      the signals; close them with whorl_signals_close()
 *
 * Returns: 0; -EINVAL when there is no number, and for a number that is not a signal, that cannot
 *          be blocked, or that reports an error of this thread (SIGSEGV and the like); -EMFILE,
 *          -ENFILE, -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_signals_open(const int *numbers, struct whorl_signals **ret);

/**
 * Waits for the next signal. Any number of tasks may wait; each signal goes to one of them.
 *
 * @ret  the signal; may be NULL
 *
 * Returns:  0; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until a signal arrives.
 * Cancel:   -ECANCELED; no signal was taken.
 */
WHORL_API WHORL_SUSPENDS int whorl_signals_wait(struct whorl_signals *signals,
                                                struct whorl_signal *ret);

/** Takes a signal that has already arrived: 0, or -EAGAIN when there is none. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_signals_try_wait(struct whorl_signals *signals,
                                                   struct whorl_signal *ret);

/** A case for whorl_select(), ready when a signal has arrived. Its result is 0; `ret` may be NULL.
 *  A case that is not taken leaves the signal for the next wait. */
WHORL_API struct whorl_case whorl_case_signal(struct whorl_signals *signals,
                                              struct whorl_signal *ret);

/**
 * Stops taking signals; called by the thread that opened them. A signal that no other open
 * `struct whorl_signals` needs is unblocked and has its usual effect again. If it has arrived but
 * was not taken, it has this effect now. No task may wait for the signals. Accepts NULL. Never
 * suspends.
 */
WHORL_API void whorl_signals_close(struct whorl_signals *signals);

static inline void whorl_auto_signals(struct whorl_signals **signals)
{
    whorl_signals_close(*signals);
}

#ifdef __cplusplus
}
#endif

#endif
