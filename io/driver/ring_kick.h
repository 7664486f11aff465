/* SPDX-License-Identifier: MIT */
/* How another thread wakes a thread that waits for its ring: an eventfd, and a poll request of the
 * ring that completes when the eventfd is written to.
 *
 *     another thread     puts an entry into the loop's inbox
 *                        ring_kick_send(): sets `sent`; writes to the eventfd if it was not set
 *     loop               ring_kick_complete(): clears `sent`
 *                        looks at the inbox
 *
 * The poll stays armed if the kernel has multishot polls (5.13). Otherwise, and after an error, the
 * loop arms it again.
 */
#ifndef IO_DRIVER_RING_KICK_H
#define IO_DRIVER_RING_KICK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <liburing.h>

struct ring_kick {
    int fd;
    bool has_no_multishot; /* the kernel has refused a multishot poll */
    bool is_armed;         /* the poll is in an SQE or in the kernel */
    atomic_bool sent;      /* true from the write to `fd` until the loop sees its completion */
};

/* Opens the eventfd. 0, or an error of eventfd(2). */
int ring_kick_open(struct ring_kick *kick);

void ring_kick_close(struct ring_kick *kick);

/* Wakes the loop. Any thread may call it. */
void ring_kick_send(struct ring_kick *kick);

/* Whether the loop has not seen a wake-up yet. */
static inline bool ring_kick_is_pending(const struct ring_kick *kick)
{
    return atomic_load_explicit(&kick->sent, memory_order_relaxed);
}

/* Writes the SQE of the poll request. */
void ring_kick_arm(struct ring_kick *kick, struct io_uring_sqe *sqe, uint64_t user_data);

/* The poll request has completed with `res`; `more`: it is still armed. */
void ring_kick_complete(struct ring_kick *kick, int res, bool more);

#endif
