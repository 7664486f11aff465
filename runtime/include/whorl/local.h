/* SPDX-License-Identifier: MIT */
/* Task-local values: data of a task that every function it calls can look up, such as the number of
 * a request for the log.
 *
 * A task that is spawned inherits the values that its parent has at that moment. Tasks that
 * inherited a value share it. It is destroyed once, after the last of them has ended or has set
 * another value in its place. While the values of an ended task are destroyed, whorl_local_get()
 * finds none of them.
 *
 *     static const struct whorl_local request_id = {.destroy = free};
 *
 *     static int serve(void *request)
 *     {
 *         char *id = strdup(request_name(request));
 *
 *         int err = id ? whorl_local_set(&request_id, id) : -ENOMEM;
 *         if (err)
 *             free(id);                             // it was not taken over
 *         return err ? err : answer(request);
 *     }
 *
 *     static void log_line(const char *text)        // called by answer() and in child tasks
 *     {
 *         const char *id = whorl_local_get(&request_id);
 *
 *         fprintf(stderr, "%s: %s\n", id ? id : "-", text);
 *     }
 */
#ifndef WHORL_LOCAL_H
#define WHORL_LOCAL_H

#include <whorl/base.h>

/* A key. Its address identifies the value, so it is a static object. */
struct whorl_local {
    void (*destroy)(void *value); /* must not suspend; NULL: nothing to do */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sets a value of the running task, for itself and for the tasks that it spawns from now on. The
 * cost grows with the number of keys that the task has set, not with the number of values. Never
 * suspends.
 *
 * @value  not NULL
 *
 * Returns: 0; -ENOMEM; -EINVAL when `value` is NULL; WHORL_ENOTASK.
 * Owns:    `value`, on success only.
 */
WHORL_API WHORL_CHECKED int whorl_local_set(const struct whorl_local *key, void *value);

/** Returns the running task's value, set or inherited; NULL when there is none. Never suspends. */
WHORL_API void *whorl_local_get(const struct whorl_local *key);

#ifdef __cplusplus
}
#endif

#endif
