/* SPDX-License-Identifier: MIT */
/* Map: one function applied to each item of an array, in tasks.
 *
 * The limit says how many tasks run at a time. Each of them takes the next item of the array until
 * none is left.
 *
 *     static int fetch(void *item)
 *     {
 *         struct page *page = item;
 *         return page_fetch(page);
 *     }
 *
 *     static WHORL_SUSPENDS int fetch_all(struct page *pages)
 *     {
 *         int results[100];
 *         int err = whorl_map(fetch, pages, sizeof *pages, 100, 8, results);  // 8 at a time
 *
 *         for (size_t i = 0; i < 100; i++)
 *             printf("%s: %s\n", pages[i].url, whorl_strerror(results[i]));
 *         return err;
 *     }
 */
#ifndef WHORL_MAP_H
#define WHORL_MAP_H

#include <whorl/base.h>
#include <whorl/group.h>
#include <whorl/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Runs `fn(item)` for each of the `count` items of an array in tasks, at most `limit` at a time,
 * and stores every result.
 * `int whorl_map(whorl_task_fn fn, void *items, size_t item_size, size_t count, size_t limit,
 *                int *ret_results)`
 *
 * @limit        0: all at once
 * @ret_results  `count` results, one per item: what `fn` returned, or -ECANCELED for an item that
 *               did not run. May be NULL
 *
 * Returns:  0; the failure of the item that comes first in the array, if any failed; -ENOMEM;
 *           WHORL_ENOTASK.
 * Suspends: until all are done.
 * Cancel:   -ECANCELED. The tasks are cancelled too, and the call returns after they have ended.
 */
#define whorl_map(fn, ...) /* so that literals may hold commas */ \
    whorl_map_at(#fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__), (fn), __VA_ARGS__)

/** whorl_map() with a static description of the call site, for reports. It comes first because the
 *  macro passes all arguments after `fn` on without taking them apart. */
WHORL_API WHORL_SUSPENDS int whorl_map_at(const char *site, whorl_task_fn fn, void *items,
                                          size_t item_size, size_t count, size_t limit,
                                          int *ret_results);

#ifdef __cplusplus
}
#endif

#endif
