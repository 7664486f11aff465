/* SPDX-License-Identifier: MIT */
/* Map: runs a function for each item of an array, at most `limit` items at a time, and keeps every
 * result. */
#include <whorl/group.h>
#include <whorl/map.h>
#include <whorl/task.h>

#include "runtime/sched.h"

struct map {
    whorl_task_fn fn;
    char *items;
    size_t item_size, count, next;
    int *results;
    size_t failed_at; /* index of the first item that failed; valid while err is not 0 */
    int err;
};

/* Processes items until none are left. At most `limit` tasks run this and share the items. */
static int map_some(void *arg)
{
    struct map *map = arg;

    while (map->next < map->count) {
        int err = whorl_check_cancelled();
        if (err)
            return err;
        size_t i = map->next++;
        int result = map->fn(map->items + i * map->item_size);
        if (map->results)
            map->results[i] = result;
        if (result < 0 && (!map->err || i < map->failed_at)) {
            map->err = result;
            map->failed_at = i;
        }
    }
    return 0;
}

WHORL_SUSPENDS int whorl_map_at(const char *site, whorl_task_fn fn, void *items, size_t item_size,
                                size_t count, size_t limit, int *results)
{
    struct map map = {fn, items, item_size, count, 0, results, 0, 0};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_task *self;
    struct sched *s;

    for (size_t i = 0; results && i < count; i++)
        results[i] = -ECANCELED;
    int err = sched_enter(&s, &self);
    if (err)
        return err;
    if (limit == 0 || limit > count)
        limit = count;
    for (size_t i = 0; i < limit && err == 0; i++)
        err = whorl_spawn_at(&group, map_some, &map, site);
    /* With fewer tasks than wanted the map only takes longer. */
    if (err && whorl_group_alive(&group) == 0)
        return err;
    err = whorl_group_wait(&group);
    return err ? err : map.err;
}
