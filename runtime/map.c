/* SPDX-License-Identifier: MIT */
/* Map: a task for each item of an array, so many at a time, every result kept. */
#include <whorl/group.h>
#include <whorl/map.h>

#include "runtime/sched.h"

struct map {
    whorl_task_fn fn;
    char *items;
    size_t item_size, count, next;
    int *results;
    size_t failed_at; /* the first item that failed; valid while err */
    int err;
};

/* Takes items until there are none left: as many tasks as may run at once share them. */
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

WHORL_SUSPENDS int whorl_map_at(const char *site, whorl_task_fn fn, size_t limit, void *items,
                                size_t item_size, int *ret_results, size_t count)
{
    struct map map = {fn, items, item_size, count, 0, ret_results, 0, 0};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_task *self;
    struct sched *s;

    for (size_t i = 0; ret_results && i < count; i++)
        ret_results[i] = -ECANCELED;
    int err = sched_enter(&s, &self);
    if (err)
        return err;
    if (limit == 0 || limit > count)
        limit = count;
    for (size_t i = 0; i < limit && err == 0; i++)
        err = whorl_spawn_at(&group, map_some, &map, site);
    /* With fewer tasks than wanted it only takes longer. */
    if (err && whorl_group_alive(&group) == 0)
        return err;
    err = whorl_group_wait(&group);
    return err ? err : map.err;
}
