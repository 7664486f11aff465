/* SPDX-License-Identifier: MIT */
/* Broadcast channels: every subscriber gets every value that is sent after it has subscribed.
 *
 * A channel keeps the last `capacity` values. A subscriber is slow when it has not received the
 * oldest of them and another value is sent. The channel's policy says what happens then. Either the
 * subscriber misses the oldest values, and the field `missed` of its subscription contains their
 * number. Or the senders wait until the subscriber has received a value. If only the latest value
 * matters, see watch.h. If each value is for one of several receivers, see chan.h.
 *
 *     static int show_prices(void *arg)
 *     {
 *         struct whorl_broadcast *prices = arg;
 *         WHORL_AUTO(subscription) sub = {0};
 *         struct price price;
 *         int err;
 *
 *         whorl_subscription_init(&sub, prices);
 *         while ((err = whorl_subscription_recv(&sub, &price)) == 0) {
 *             if (sub.missed > 0)
 *                 printf("(%llu prices missed)\n", (unsigned long long)sub.missed);
 *             err = draw(&price);                        // other prices may be sent meanwhile
 *             if (err)
 *                 return err;
 *         }
 *         return err == -EPIPE ? 0 : err;
 *     }
 *
 *     static WHORL_SUSPENDS int serve_prices(void)
 *     {
 *         WHORL_AUTO(broadcast) *prices = NULL;
 *         WHORL_AUTO(group) group = {0};
 *
 *         int err = whorl_broadcast_create(sizeof(struct price), 64, WHORL_BROADCAST_DROP,
 *                                          &prices);
 *         for (int i = 0; i < 3 && err == 0; i++)
 *             err = whorl_spawn(&group, show_prices, prices);
 *         if (err == 0)
 *             err = send_prices(prices);                 // whorl_broadcast_send(prices, &price)
 *         if (err)
 *             return err;
 *         whorl_broadcast_close(prices);
 *         return whorl_group_wait(&group);
 *     }
 */
#ifndef WHORL_BROADCAST_H
#define WHORL_BROADCAST_H

#include <whorl/base.h>
#include <whorl/select.h>
#include <whorl/sync.h>

struct whorl_broadcast;

/* What happens when a subscriber has not received the oldest of the values that the channel keeps,
 * and another value is sent. */
enum whorl_broadcast_policy {
    WHORL_BROADCAST_DROP, /* the subscriber loses its oldest value */
    WHORL_BROADCAST_WAIT, /* the sender waits until the subscriber has received it */
};

/* A subscriber, in the caller's memory. `missed` may be read, the other fields are private. Several
 * tasks may receive from one subscription; each value then goes to one of them. */
struct whorl_subscription {
    uint64_t missed; /* values that were lost between the last two that were received */
    uint64_t next;   /* number of the value that is received next */
    struct whorl_broadcast *broadcast;           /* NULL: finished */
    struct whorl_subscription *later, **earlier; /* the list of the channel's subscribers */
    struct whorl_wait_queue waiters;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a broadcast channel. Never suspends.
 *
 * @value_size  size of a value in bytes; 0 for signals, which carry no data
 * @capacity    how many values the channel keeps for slow subscribers; at least 1
 * @ret         the channel; destroy it with whorl_broadcast_destroy()
 *
 * Returns: 0; -ENOMEM; -EINVAL when `capacity` is 0; -EOVERFLOW when the size of the buffer does
 *          not fit in a size_t.
 */
WHORL_API WHORL_CHECKED int whorl_broadcast_create(size_t value_size, size_t capacity,
                                                   enum whorl_broadcast_policy policy,
                                                   struct whorl_broadcast **ret);

/** Frees the channel. All its subscriptions must be finished, and no task may wait to send. Accepts
 *  NULL. Never suspends. */
WHORL_API void whorl_broadcast_destroy(struct whorl_broadcast *broadcast);

/**
 * Sends a copy of `*value` to all subscribers. Without a subscriber the value is dropped.
 *
 * Returns:  0; -EPIPE when the channel is closed, also when it is closed while the call waits;
 *           WHORL_ENOTASK.
 * Suspends: under WHORL_BROADCAST_WAIT, while a subscriber has not received the oldest value that
 *           the channel keeps; else never.
 * Cancel:   -ECANCELED; the value was not sent. If it was already sent, 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_broadcast_send(struct whorl_broadcast *broadcast,
                                                  const void *value);

/**
 * Sends a copy of `*value` if that is possible without waiting. Never suspends.
 *
 * Returns: 0; -EAGAIN when whorl_broadcast_send() would wait; -EPIPE when the channel is closed.
 */
WHORL_API WHORL_CHECKED int whorl_broadcast_try_send(struct whorl_broadcast *broadcast,
                                                     const void *value);

/**
 * Closes the channel. Subscribers can still receive the values that it keeps, and then get -EPIPE.
 * Tasks that wait to send get -EPIPE. Closing a closed channel does nothing. Never suspends.
 */
WHORL_API void whorl_broadcast_close(struct whorl_broadcast *broadcast);

/** Returns the number of subscribers. Never suspends. */
WHORL_API size_t whorl_broadcast_subscribers(const struct whorl_broadcast *broadcast);

/** Names the channel for reports. `name` must outlive the channel. Never suspends. */
WHORL_API void whorl_broadcast_set_name(struct whorl_broadcast *broadcast, const char *name);

/**
 * Subscribes to the values that are sent from now on. Never suspends.
 *
 * @sub  memory that stays valid until whorl_subscription_finish(); needs no initialisation
 */
WHORL_API void whorl_subscription_init(struct whorl_subscription *sub,
                                       struct whorl_broadcast *broadcast);

/** Ends the subscription. No task may wait for its values. Accepts a zeroed or finished one. Never
 *  suspends. */
WHORL_API void whorl_subscription_finish(struct whorl_subscription *sub);

/**
 * Receives the next value into `*ret`, and sets `sub->missed`.
 *
 * Returns:  0; -EPIPE when the channel is closed and all values have been received; WHORL_ENOTASK.
 * Suspends: while there is no value.
 * Cancel:   -ECANCELED; no value was taken. If a value has already been handed over, 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_subscription_recv(struct whorl_subscription *sub, void *ret);

/**
 * Receives the next value into `*ret` if there is one, and sets `sub->missed`. Never suspends.
 *
 * Returns: 0; -EAGAIN when whorl_subscription_recv() would wait; -EPIPE when the channel is closed
 *          and all values have been received.
 */
WHORL_API WHORL_CHECKED int whorl_subscription_try_recv(struct whorl_subscription *sub, void *ret);

/** A case for whorl_select() that receives the subscription's next value into `*ret`. Its result is
 *  0 or -EPIPE. */
WHORL_API struct whorl_case whorl_case_subscription(struct whorl_subscription *sub, void *ret);

static inline void whorl_auto_broadcast(struct whorl_broadcast **broadcast)
{
    whorl_broadcast_destroy(*broadcast);
}

static inline void whorl_auto_subscription(struct whorl_subscription *sub)
{
    whorl_subscription_finish(sub);
}

#ifdef __cplusplus
}
#endif

#endif
