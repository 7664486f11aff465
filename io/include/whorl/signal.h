/* SPDX-License-Identifier: MIT */
/* Signals as something a task waits for.
 *
 *     static int serve_until_told(struct whorl_group *servers)
 *     {
 *         const int numbers[] = {SIGINT, SIGTERM, 0};
 *         WHORL_AUTO(signals) *signals = NULL;
 *         struct whorl_signal signal;
 *         int err = whorl_signals_open(numbers, &signals);
 *         if (err == 0)
 *             err = whorl_signals_wait(signals, &signal);
 *         return err ? err : whorl_group_stop(servers, 5 * WHORL_SECOND);
 *     }
 *
 * While they are open these signals are blocked in the run's thread, so that they interrupt nothing
 * and call no handler. Signals sent to the process go to any thread that does not block them: open
 * them before starting threads of one's own, or block them there too. The runtime's own threads block
 * all. As ever with signals, several of one number that come before one is taken may be one.
 */
#ifndef WHORL_SIGNAL_H
#define WHORL_SIGNAL_H

#include <whorl/base.h>
#include <whorl/select.h>

struct whorl_signals;

/* A signal that came. */
struct whorl_signal {
    int number;
    int code;  /* SI_USER, CLD_EXITED, ... as in sigaction(2) */
    pid_t pid; /* who sent it, or the child it is about */
    uid_t uid;
    int status; /* of a child */
    int value;  /* that sigqueue(3) gave along */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Begins to take signals: they are blocked in this thread.
 *
 * @numbers  SIGINT, ...; 0 ends them. Copied
 *
 * Returns: 0; -EINVAL for a number that is none, that cannot be blocked, or whose cause is an error
 *          of this thread (SIGSEGV and the like); -EMFILE, -ENFILE, -ENOMEM.
 * Never suspends.
 */
WHORL_API WHORL_CHECKED int whorl_signals_open(const int *numbers, struct whorl_signals **ret);

/**
 * The next signal. Several tasks may wait; each signal goes to one of them.
 *
 * @ret  which it was; may be NULL
 *
 * Returns:  0; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until there is one.
 * Cancel:   -ECANCELED; no signal was taken.
 */
WHORL_API WHORL_SUSPENDS int whorl_signals_wait(struct whorl_signals *signals,
                                                struct whorl_signal *ret);

/** Takes a signal that is there already: 0, or -EAGAIN. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_signals_try_wait(struct whorl_signals *signals,
                                                   struct whorl_signal *ret);

/** A signal, for whorl_select(); `ret` may be NULL. Result 0. One not taken stays for the next. */
WHORL_API struct whorl_case whorl_case_signal(struct whorl_signals *signals,
                                              struct whorl_signal *ret);

/**
 * Ends it, in the thread that opened it. Signals that it had blocked and nobody else has open have
 * their usual effect again; those that came and were not taken have it now. Accepts NULL. Nobody
 * may be waiting. Never suspends.
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
