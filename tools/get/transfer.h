/* SPDX-License-Identifier: MIT */
/* Downloads one URL to one file, and retries when that may help. */
#ifndef WHORL_GET_TRANSFER_H
#define WHORL_GET_TRANSFER_H

#include <whorl/base.h>

struct followed;
struct get;
struct schedule_item;
struct whorl_http_info;

/* The argument of a transfer's task. It is copied to the task's stack. */
struct transfer_job {
    struct get *get;
    struct schedule_item *item;
};

/* The function of the task; `arg` is a struct transfer_job. It reports the outcome and ends the
 * item. Returns 0 or -ECANCELED. */
WHORL_SUSPENDS int transfer_run(void *arg);

/* The running transfer, for events; NULL outside the task of a transfer. */
struct followed *transfer_followed(void);

/* Tells the running transfer the result of a connect(2) to a host. To be called by the session's
 * dialer, in the transfer's task. */
void transfer_note_dial(const char *host, uint16_t port, int err);

/* Notes the details of a request that the running task's transfer has made. Does nothing in other
 * tasks. */
void transfer_note_info(const struct whorl_http_info *info);

#endif
