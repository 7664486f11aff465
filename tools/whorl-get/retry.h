/* SPDX-License-Identifier: MIT */
/* When a transfer is tried again and after how long: exponential back-off with jitter, never sooner
 * than the server asks, never for what cannot get better. No I/O, no clock. */
#ifndef WHORL_GET_RETRY_H
#define WHORL_GET_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry_policy {
    int retries;          /* tries after the first */
    int64_t first_ns;     /* the longest first pause; each one may be twice the one before */
    int64_t longest_ns;   /* no pause of ours is longer */
    int64_t asked_max_ns; /* a server that asks for more is not asked again */
};

/* 3 retries, pauses up to 0.5, 1, 2, ... 30 s, a server may ask for 2 minutes. */
struct retry_policy retry_policy_default(void);

/* Whether another try can end better than with this failure: a code (0: none) or a status. */
bool retry_helps(int err, int status);

/* How long to wait after `tries` failed tries, or -1 to give up.
 *
 * `asked_ns` is what Retry-After said, -1 for nothing. A pause lies between half and all of its
 * bound, so that those who failed together do not come back together; `random` decides where. */
int64_t retry_pause(const struct retry_policy *policy, int tries, int64_t asked_ns,
                    uint64_t random);

#endif
