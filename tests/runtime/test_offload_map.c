/* SPDX-License-Identifier: MIT */
/* Offload pools: maps, which run a function for each item of an array. */
#include <semaphore.h>

#include <whorl/group.h>
#include <whorl/offload.h>
#include <whorl/task.h>

#include "offload_gate.h"
#include "test.h"

struct interrupted_map {
    struct whorl_offload *pool;
    bool ran[8];
    int result;
};

static int note_item(void *arg)
{
    *(bool *)arg = true;
    return 0;
}

static int map_items(void *arg)
{
    struct interrupted_map *map = arg;

    map->result = whorl_offload_map(map->pool, note_item, map->ran, sizeof map->ran[0], 8);
    return 0;
}

TEST_REAL(offload_map_ends_with_its_pool)
{
    struct interrupted_map map = {.result = 1};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_offload_create(&(struct whorl_offload_options){.threads_max = 2}, &map.pool));
    CHECK_OK(whorl_spawn(&group, map_items, &map));
    CHECK_OK(whorl_yield()); /* the map starts its tasks */
    CHECK_OK(whorl_yield()); /* each of them queues an item */
    whorl_offload_destroy(map.pool);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(map.result, -ESHUTDOWN);
    for (int i = 0; i < 8; i++)
        CHECK_EQ(map.ran[i], i < 2);
    return 0;
}

/* --- map -------------------------------------------------------------------------------------- */

TEST_REAL(offload_map_runs_every_item_once_and_returns_the_first_failure_in_their_order)
{
    struct item items[500];

    for (int i = 0; i < 500; i++)
        items[i] = (struct item){i, i == 401 ? -EPERM : i == 77 ? -EIO : 0, 0};
    CHECK_ERR(whorl_offload_map(NULL, square, items, sizeof *items, 500), -EIO);
    for (int i = 0; i < 500; i++) {
        CHECK_EQ(items[i].number, i * i);
        CHECK_EQ(items[i].ran, 1);
    }
    CHECK_OK(whorl_offload_map(NULL, square, items, sizeof *items, 0));
    return 0;
}

static int map_three(void *arg)
{
    struct call *c = arg;
    c->result = whorl_offload_map(c->pool, pass, c->gate, sizeof *c->gate, 3);
    return 0;
}

TEST_REAL(offload_map_that_is_cancelled_waits_for_what_has_begun_and_runs_no_more)
{
    WHORL_AUTO(offload) *pool = NULL;
    CHECK_OK(whorl_offload_create(&one_thread, &pool));
    WHORL_AUTO(group) group = {0};
    struct gate gates[3];
    struct call c = {pool, gates, NULL, 1, false};

    for (int i = 0; i < 3; i++)
        gate_init(&gates[i], 0);
    CHECK_OK(whorl_spawn(&group, map_three, &c));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    down(&gates[0].begun);
    whorl_group_cancel(&group);
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(whorl_group_alive(&group), 1);
    sem_post(&gates[0].go);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_ERR(c.result, -ECANCELED);
    CHECK_EQ(gates[0].ran, 1);
    CHECK_EQ(gates[1].ran + gates[2].ran, 0);
    return 0;
}

TEST_MAIN()
