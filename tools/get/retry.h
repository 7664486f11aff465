/* SPDX-License-Identifier: MIT */
/* Decides whether a failed transfer is retried, and after which pause. The pauses grow
 * exponentially and have a random part. A pause is never shorter than the server asks for.
 * Permanent failures are not retried. No I/O, no clock. */
#ifndef WHORL_GET_RETRY_H
#define WHORL_GET_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry_policy {
    int retries;          /* attempts after the first one */
    int64_t first_ns;     /* upper bound of the first pause; the bound doubles for each retry */
    int64_t longest_ns;   /* largest upper bound; Retry-After may exceed it */
    int64_t asked_max_ns; /* longest accepted Retry-After; there is no retry if it is longer */
};

/* 3 retries, pauses up to 0.5, 1, 2, ... 30 s, and a Retry-After of up to 2 minutes. */
struct retry_policy retry_policy_default(void);

/* Whether a retry may succeed after this failure. `err` is the error code; if it is 0, `status` is
 * the failure. `is_local`: writing the file failed, so the same code means something else than for
 * the network: -EPIPE says that the reader of a pipe has gone. */
bool retry_helps(int err, int status, bool is_local);

/* Returns the pause after `tries` failed attempts, or -1 to give up.
 *
 * `asked_ns` is the delay from the Retry-After header, or -1. `random` selects a pause between half
 * of the upper bound and the whole, so that transfers which fail at the same time do not retry at
 * the same time. */
int64_t retry_pause(const struct retry_policy *policy, int tries, int64_t asked_ns,
                    uint64_t random);

#endif
