/* SPDX-License-Identifier: MIT */
/* Shared channels: queues that carry values between the tasks of several runs, on several threads.
 *
 * A shared channel works as the channels in chan.h do, but tasks of any run may send and receive. A
 * task that waits is suspended, and the other tasks of its run continue. Any thread may also use
 * the calls that do not wait. The channels of chan.h are much faster: use those within a run.
 *
 *     static int compute(void *arg)                      // in a run on a thread of its own
 *     {
 *         struct service *service = arg;
 *         struct job job;
 *         int err;
 *
 *         while ((err = whorl_shared_chan_recv_remote(service->jobs, &job)) == 0) {
 *             job.result = factor(job.number);
 *             err = whorl_shared_chan_send_remote(service->results, &job);
 *             if (err)
 *                 break;
 *         }
 *         whorl_shared_chan_release_remote(service->jobs);
 *         whorl_shared_chan_release_remote(service->results);
 *         return err == -EPIPE ? 0 : err;                // -EPIPE: the channel is closed
 *     }
 *
 *     static void *compute_thread(void *service)
 *     {
 *         return (void *)(intptr_t)whorl_run(compute, service);
 *     }
 *
 *     static int service_start(struct service *service)
 *     {
 *         int err = whorl_shared_chan_create(sizeof(struct job), 16, &service->jobs);
 *         if (err == 0)
 *             err = whorl_shared_chan_create(sizeof(struct job), 16, &service->results);
 *         if (err)
 *             return err;
 *         whorl_shared_chan_acquire_remote(service->jobs);          // for the thread
 *         whorl_shared_chan_acquire_remote(service->results);
 *         return -pthread_create(&service->thread, NULL, compute_thread, service);
 *     }
 *
 * A run whose tasks wait for a shared channel is not considered deadlocked, because another thread
 * may end the wait. The clock of a virtual run continues while its tasks wait. If it must stand
 * still until another thread has answered, acquire a runner (runner.h) for that time.
 *
 * Tasks of one run get values, or places in the buffer, in the order of their arrival. So do tasks
 * of several runs that wait at the same time; but how soon each of them continues depends on its
 * thread. Values that one task sends and one task receives stay in order.
 */
#ifndef WHORL_SHARED_CHAN_H
#define WHORL_SHARED_CHAN_H

#include <whorl/base.h>
#include <whorl/select.h>

struct whorl_shared_chan;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a shared channel, with one reference for the caller. Never suspends.
 *
 * @value_size  size of a value in bytes; 0 for a channel of signals, which carry no data
 * @capacity    how many values the channel buffers; at least 1
 * @ret         the channel; give it back with whorl_shared_chan_release_remote()
 *
 * Returns: 0; -ENOMEM; -EINVAL when `capacity` is 0; -EOVERFLOW when the size of the buffer does
 *          not fit in a size_t.
 */
WHORL_API WHORL_CHECKED int whorl_shared_chan_create(size_t value_size, size_t capacity,
                                                     struct whorl_shared_chan **ret);

/** Takes one more reference. A thread that uses the channel needs one during its calls. From any
 *  thread. Never suspends. */
WHORL_API void whorl_shared_chan_acquire_remote(struct whorl_shared_chan *chan);

/** Gives a reference back; the last one frees the channel. Does not close it. From any thread.
 *  Accepts NULL. Never suspends. */
WHORL_API void whorl_shared_chan_release_remote(struct whorl_shared_chan *chan);

/**
 * Sends a copy of `*value`. From any run.
 *
 * Returns:  0; -EPIPE when the channel is closed, also when it is closed while the call waits;
 *           -ENOMEM; WHORL_ENOTASK.
 * Suspends: while the buffer is full.
 * Cancel:   -ECANCELED; the value was not sent. If the task has already got a place in the buffer,
 *           the value is sent: 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_shared_chan_send_remote(struct whorl_shared_chan *chan,
                                                           const void *value);

/**
 * Receives a value into `*ret`. From any run.
 *
 * Returns:  0; -EPIPE when the channel is closed and its buffer is empty; -ENOMEM; WHORL_ENOTASK.
 * Suspends: while there is no value.
 * Cancel:   -ECANCELED; no value was taken. If a value has already been set aside for the task, it
 *           is received: 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_shared_chan_recv_remote(struct whorl_shared_chan *chan,
                                                           void *ret);

/**
 * Sends a copy of `*value` if that is possible without waiting. From any thread, also outside a
 * run. Never suspends.
 *
 * Returns: 0; -EAGAIN when whorl_shared_chan_send_remote() would wait; -EPIPE when the channel is
 *          closed.
 */
WHORL_API WHORL_CHECKED int whorl_shared_chan_try_send_remote(struct whorl_shared_chan *chan,
                                                              const void *value);

/**
 * Receives a value into `*ret` if there is one. From any thread, also outside a run. Never
 * suspends.
 *
 * Returns: 0; -EAGAIN when whorl_shared_chan_recv_remote() would wait; -EPIPE when the channel is
 *          closed and its buffer is empty.
 */
WHORL_API WHORL_CHECKED int whorl_shared_chan_try_recv_remote(struct whorl_shared_chan *chan,
                                                              void *ret);

/**
 * Closes the channel. Values in the buffer can still be received. Tasks that wait to send or, with
 * an empty buffer, to receive return -EPIPE. Closing a closed channel does nothing. From any
 * thread. Never suspends.
 */
WHORL_API void whorl_shared_chan_close_remote(struct whorl_shared_chan *chan);

/** Returns how many values are in the buffer. Other threads may change that at any time. From any
 *  thread. Never suspends. */
WHORL_API size_t whorl_shared_chan_len_remote(struct whorl_shared_chan *chan);

/** A case for whorl_select() that receives a value from a shared channel into `*ret`. Its result is
 *  0, -EPIPE or -ENOMEM. */
WHORL_API struct whorl_case whorl_case_shared_recv(struct whorl_shared_chan *chan, void *ret);

/** A case for whorl_select() that sends a value to a shared channel. `value` is borrowed until the
 *  select returns. The case's result is 0, -EPIPE or -ENOMEM. */
WHORL_API struct whorl_case whorl_case_shared_send(struct whorl_shared_chan *chan,
                                                   const void *value);

static inline void whorl_auto_shared_chan(struct whorl_shared_chan **chan)
{
    whorl_shared_chan_release_remote(*chan);
}

#ifdef __cplusplus
}
#endif

#endif
