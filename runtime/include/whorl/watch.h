/* SPDX-License-Identifier: MIT */
/* Watch channels: one value that changes, and tasks that wait for its changes.
 *
 * Setting the value never waits. A task that waits for a change gets the latest value: changes in
 * between are not kept for it. So a watch is for what has a present state, such as a configuration
 * or the progress of a job. For every value of a sequence see broadcast.h.
 *
 *     static int apply_config(void *arg)
 *     {
 *         struct whorl_watcher watcher;
 *         struct config config;
 *         int err;
 *
 *         whorl_watcher_init(&watcher, arg);
 *         while ((err = whorl_watcher_wait_changed(&watcher, &config)) == 0) {
 *             err = resize_pool(config.connections);
 *             if (err)
 *                 return err;
 *         }
 *         return err == -EPIPE ? 0 : err;     // -EPIPE: the watch is closed
 *     }
 *
 *     static WHORL_SUSPENDS int serve(struct whorl_signals *reload, const struct config *first)
 *     {
 *         WHORL_AUTO(watch) *watch = NULL;
 *         WHORL_AUTO(group) group = {0};
 *         struct config config;
 *
 *         int err = whorl_watch_create(sizeof config, first, &watch);
 *         if (err == 0)
 *             err = whorl_spawn(&group, apply_config, watch);
 *         while (err == 0 && (err = wait_for_config(reload, &config)) == 0)
 *             err = whorl_watch_set(watch, &config);
 *         return err;
 *     }
 */
#ifndef WHORL_WATCH_H
#define WHORL_WATCH_H

#include <whorl/base.h>
#include <whorl/select.h>

struct whorl_watch;

/* What one task has seen of a watch. The memory is the caller's, and needs no destructor. */
struct whorl_watcher {
    struct whorl_watch *watch;
    uint64_t version; /* of the value that was received last; 0: none, so the next wait returns the
                         present value at once. May be set, for example to whorl_watch_get() */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a watch. Never suspends.
 *
 * @value_size  size of the value in bytes; 0 for a counter of changes, which carries no data
 * @value       the first value, which is copied; NULL: all its bytes are 0
 * @ret         the watch; destroy it with whorl_watch_destroy()
 *
 * Returns: 0; -ENOMEM; -EOVERFLOW when the size of the watch does not fit in a size_t.
 */
WHORL_API WHORL_CHECKED int whorl_watch_create(size_t value_size, const void *value,
                                               struct whorl_watch **ret);

/** Frees the watch. No task may wait on it. Accepts NULL. Never suspends. */
WHORL_API void whorl_watch_destroy(struct whorl_watch *watch);

/**
 * Sets the value to a copy of `*value` and wakes all tasks that wait for a change. That is a change
 * also when the value is the same as before. Never suspends.
 *
 * Returns: 0; -EPIPE when the watch is closed, and nothing changes.
 */
WHORL_API WHORL_CHECKED int whorl_watch_set(struct whorl_watch *watch, const void *value);

/** Copies the latest value into `*ret`, also when the watch is closed. Returns the version of that
 *  value: 1 for the first one, 1 more for each change. Never suspends. */
WHORL_API uint64_t whorl_watch_get(const struct whorl_watch *watch, void *ret);

/** Makes `watcher` one that has not seen any value of `watch`. Never suspends. */
WHORL_API void whorl_watcher_init(struct whorl_watcher *watcher, struct whorl_watch *watch);

/**
 * Waits until the value is not the one that the watcher has seen, copies it into `*ret`, and sets
 * `watcher->version`.
 *
 * Returns:  0; -EPIPE when the watch is closed and the watcher has seen the latest value;
 *           WHORL_ENOTASK.
 * Suspends: while the watcher has seen the latest value.
 * Cancel:   -ECANCELED; the watcher is not changed. If the value has already been copied, 0.
 */
WHORL_API WHORL_SUSPENDS int whorl_watcher_wait_changed(struct whorl_watcher *watcher, void *ret);

/**
 * Closes the watch: the value will not change any more. Tasks that wait for a change get -EPIPE.
 * Closing a closed watch does nothing. Never suspends.
 */
WHORL_API void whorl_watch_close(struct whorl_watch *watch);

/** Names the watch for reports. `name` must outlive the watch. Never suspends. */
WHORL_API void whorl_watch_set_name(struct whorl_watch *watch, const char *name);

/** A case for whorl_select() that does what whorl_watcher_wait_changed() does. Its result is 0 or
 *  -EPIPE. */
WHORL_API struct whorl_case whorl_case_watcher(struct whorl_watcher *watcher, void *ret);

static inline void whorl_auto_watch(struct whorl_watch **watch)
{
    whorl_watch_destroy(*watch);
}

#ifdef __cplusplus
}
#endif

#endif
