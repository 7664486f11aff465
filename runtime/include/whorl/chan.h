/* SPDX-License-Identifier: MIT */
/* Channels: queues that carry values between the tasks of one run.
 *
 * All values of a channel have the same size. Sending copies a value in, receiving copies it out. A
 * channel of capacity `n` buffers up to `n` values; with a capacity of 0, a send waits until a task
 * receives the value. Closing a channel says that no more values will be sent: values in the buffer
 * can still be received, after that a receive returns -EPIPE. A send to a closed channel returns
 * -EPIPE at once.
 *
 *     static int produce(void *arg)
 *     {
 *         struct whorl_chan *numbers = arg;
 *         int err = 0;
 *
 *         for (int i = 0; i < 100 && err == 0; i++)
 *             err = whorl_chan_send(numbers, &i);
 *         whorl_chan_close(numbers);
 *         return err;
 *     }
 *
 *     static WHORL_SUSPENDS int print_numbers(void)
 *     {
 *         WHORL_AUTO(chan) *numbers = NULL;
 *         WHORL_AUTO(group) group = {0};
 *
 *         int err = whorl_chan_create(sizeof(int), 16, &numbers);
 *         if (err == 0)
 *             err = whorl_spawn(&group, produce, numbers);
 *         if (err)
 *             return err;
 *         whorl_chan_for_each(int, n, numbers, &err)
 *             printf("%d\n", n);
 *         return err ? err : whorl_group_wait(&group);
 *     }
 */
#ifndef WHORL_CHAN_H
#define WHORL_CHAN_H

#include <whorl/base.h>

struct whorl_chan;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a channel. Never suspends.
 *
 * @value_size  size of a value in bytes; 0 for a channel of signals, which carry no data
 * @capacity    how many values the channel buffers; 0: none
 * @ret         the channel; destroy it with whorl_chan_destroy()
 *
 * Returns: 0; -ENOMEM; -EOVERFLOW when the size of the buffer does not fit in a size_t.
 */
WHORL_API WHORL_CHECKED int whorl_chan_create(size_t value_size, size_t capacity,
                                              struct whorl_chan **ret);

/** Frees the channel. No task may be waiting on it. Accepts NULL. Never suspends. */
WHORL_API void whorl_chan_destroy(struct whorl_chan *chan);

/**
 * Sends a copy of `*value`.
 *
 * Returns:  0; -EPIPE when the channel is closed, also when it is closed while the call waits;
 *           WHORL_ENOTASK.
 * Suspends: while the buffer is full; on a channel without a buffer, until a task receives the
 *           value.
 * Cancel:   -ECANCELED; the value was not sent. If a task has already received it, 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_chan_send(struct whorl_chan *chan, const void *value);

/**
 * Receives a value into `*ret`.
 *
 * Returns:  0; -EPIPE when the channel is closed and its buffer is empty; WHORL_ENOTASK.
 * Suspends: while there is no value.
 * Cancel:   -ECANCELED; no value was taken. If a value has already been handed over, 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_chan_recv(struct whorl_chan *chan, void *ret);

/**
 * Receives values until the channel is closed and its buffer is empty, and runs the statement that
 * follows once for each value.
 * `whorl_chan_for_each(T, item, struct whorl_chan *chan, int *ret_err)`
 *
 * After the loop, `*ret_err` is 0 when all values were received and -ECANCELED when the loop was
 * cancelled. It is 0 each time the statement begins. The statement may set it before it leaves the
 * loop with `break`.
 *
 * @T     the type of the values. The program aborts if its size is not the channel's value size
 * @item  the name of the value in the statement
 *
 * Suspends: while there is no value.
 * Cancel:   -ECANCELED; no value was taken.
 */
#define whorl_chan_for_each(T, item, chan, ret_err) \
    for (T item; whorl_chan_recv_next((chan), &item, sizeof item, (ret_err));)

/**
 * What whorl_chan_for_each() calls before each round. Programs use the macro.
 *
 * Returns:  true with a value in `*ret`; false when the loop ends. Sets `*ret_err` in both cases.
 * Suspends: while there is no value.
 * Cancel:   false, with -ECANCELED in `*ret_err`.
 */
WHORL_API WHORL_SUSPENDS bool whorl_chan_recv_next(struct whorl_chan *chan, void *ret,
                                                   size_t ret_size, int *ret_err);

/**
 * Sends a copy of `*value` if that is possible without waiting. Never suspends.
 *
 * Returns: 0; -EAGAIN when whorl_chan_send() would wait; -EPIPE when the channel is closed.
 */
WHORL_API WHORL_CHECKED int whorl_chan_try_send(struct whorl_chan *chan, const void *value);

/**
 * Receives a value into `*ret` if there is one. Never suspends.
 *
 * Returns: 0; -EAGAIN when whorl_chan_recv() would wait; -EPIPE when the channel is closed and its
 *          buffer is empty.
 */
WHORL_API WHORL_CHECKED int whorl_chan_try_recv(struct whorl_chan *chan, void *ret);

/**
 * Closes the channel. Tasks that wait to send or to receive return -EPIPE. Closing a closed channel
 * does nothing. Never suspends.
 */
WHORL_API void whorl_chan_close(struct whorl_chan *chan);

/** Returns how many values are in the buffer. Never suspends. */
WHORL_API size_t whorl_chan_len(const struct whorl_chan *chan);

/** Names the channel for reports. `name` must outlive the channel. Never suspends. */
WHORL_API void whorl_chan_set_name(struct whorl_chan *chan, const char *name);

static inline void whorl_auto_chan(struct whorl_chan **chan)
{
    whorl_chan_destroy(*chan);
}

#ifdef __cplusplus
}
#endif

#endif
