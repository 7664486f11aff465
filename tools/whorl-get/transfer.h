/* SPDX-License-Identifier: MIT */
/* One URL into one file, with as many tries as it takes and is worth. */
#ifndef WHORL_GET_TRANSFER_H
#define WHORL_GET_TRANSFER_H

#include <whorl/base.h>

struct get;

/* What a transfer's task is given, copied onto its stack. */
struct transfer_job {
    struct get *get;
    char *url;        /* the task frees it */
    const char *list; /* where it was read, NULL for an argument */
    long line;
};

/* The task's body; `arg` is a struct transfer_job. Reports the outcome itself and returns 0, or
 * -ECANCELED. */
WHORL_SUSPENDS int transfer_run(void *arg);

#endif
