/* SPDX-License-Identifier: MIT */
/* Channels: queues of values between tasks of one run.
 *
 * Values have one size and are copied in and out. A capacity of 0 makes a rendezvous: a send waits
 * for its receiver. Closing says that no more will come: what is buffered can still be received,
 * then receivers get -EPIPE, and senders get it at once.
 *
 *     WHORL_AUTO(chan) *numbers = NULL;
 *     int err = whorl_chan_create(sizeof(int), 16, &numbers);
 *     if (err)
 *         return err;
 *     ...
 *     whorl_chan_for_each(int, n, numbers, &err)
 *         printf("%d\n", n);
 *     return err;
 */
#ifndef WHORL_CHAN_H
#define WHORL_CHAN_H

#include <whorl/base.h>

struct whorl_chan;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a channel.
 *
 * @value_size  bytes of a value, 0 for a channel of signals
 * @capacity    values it buffers; 0: none
 * @ret         the channel; destroy it with whorl_chan_destroy()
 *
 * Returns: 0; -ENOMEM; -EOVERFLOW when the size of the buffer does not fit in a size_t.
 */
WHORL_API WHORL_CHECKED int whorl_chan_create(size_t value_size, size_t capacity,
                                              struct whorl_chan **ret);

/** Frees the channel; nobody may wait on it any more. Accepts NULL. Never suspends. */
WHORL_API void whorl_chan_destroy(struct whorl_chan *chan);

/**
 * Sends `*value`.
 *
 * Returns:  0; -EPIPE when the channel is closed, also while waiting; WHORL_ENOTASK.
 * Suspends: while the buffer is full, or until a receiver is there when unbuffered.
 * Cancel:   -ECANCELED; the value was not sent. Already taken: 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_chan_send(struct whorl_chan *chan, const void *value);

/**
 * Receives into `*ret`.
 *
 * Returns:  0; -EPIPE when the channel is closed and empty; WHORL_ENOTASK.
 * Suspends: while there is no value.
 * Cancel:   -ECANCELED; no value was taken. Already handed over: 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_chan_recv(struct whorl_chan *chan, void *ret);

/**
 * Receives value after value until the channel is closed and empty, and runs the statement that follows
 * for each. `whorl_chan_for_each(T, item, struct whorl_chan *chan, int *ret_err)`
 *
 * The loop has ended well when `*ret_err` is 0 behind it, and by cancellation when it is -ECANCELED. It
 * is 0 in the body, too; what the body puts there counts if it leaves the loop by `break`.
 *
 * @T     the type of the channel's values; one of another size ends the program
 * @item  the name of the value in the body
 *
 * Suspends: while there is no value.
 * Cancel:   -ECANCELED; no value was taken.
 */
#define whorl_chan_for_each(T, item, chan, ret_err) \
    for (T item; whorl_chan_recv_next((chan), &item, sizeof item, (ret_err));)

/** What whorl_chan_for_each() does before each round: whether there is one. */
WHORL_API WHORL_SUSPENDS bool whorl_chan_recv_next(struct whorl_chan *chan, void *ret,
                                                   size_t ret_size, int *ret_err);

/** Sends without waiting: 0, -EAGAIN when it would wait, or -EPIPE. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_chan_try_send(struct whorl_chan *chan, const void *value);

/** Receives without waiting: 0, -EAGAIN when it would wait, or -EPIPE. Never suspends. */
WHORL_API WHORL_CHECKED int whorl_chan_try_recv(struct whorl_chan *chan, void *ret);

/** Closes; waiting receivers and senders get -EPIPE. Again: nothing happens. Never suspends. */
WHORL_API void whorl_chan_close(struct whorl_chan *chan);

/** Values buffered now. */
WHORL_API size_t whorl_chan_len(const struct whorl_chan *chan);

/** Names the channel for reports; `name` is static or outlives the channel. */
WHORL_API void whorl_chan_set_name(struct whorl_chan *chan, const char *name);

static inline void whorl_auto_chan(struct whorl_chan **chan)
{
    whorl_chan_destroy(*chan);
}

#ifdef __cplusplus
}
#endif

#endif
