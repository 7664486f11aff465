/* SPDX-License-Identifier: MIT */
/* Task-local values: something every function a task calls can find without being handed it, such as
 * a request's number for the log. A task spawned later inherits what its parent had.
 *
 *     static const struct whorl_local request_id = {.destroy = free};
 *
 *     err = whorl_local_set(&request_id, strdup("req-17"));
 *     ...
 *     log("%s: started", (char *)whorl_local_get(&request_id));     // also in child tasks
 *
 * A value is shared with the tasks that inherit it and destroyed once, when the last of them has ended
 * or set another in its place. A task at its end has no values any more when they are destroyed.
 */
#ifndef WHORL_LOCAL_H
#define WHORL_LOCAL_H

#include <whorl/base.h>

/* A key: the address of a static object. */
struct whorl_local {
    void (*destroy)(void *value); /* must not suspend; NULL: nothing to do */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sets the running task's value, for it and the tasks it spawns from now on. Takes time in proportion to
 * the number of keys set, not of values.
 *
 * @value  not NULL
 *
 * Returns: 0; -ENOMEM (the value stays the caller's); -EINVAL; WHORL_ENOTASK. Never suspends.
 * Owns:    `value`, on success.
 */
WHORL_API WHORL_CHECKED int whorl_local_set(const struct whorl_local *key, void *value);

/** The running task's value, set or inherited; NULL when there is none. */
WHORL_API void *whorl_local_get(const struct whorl_local *key);

#ifdef __cplusplus
}
#endif

#endif
