/* SPDX-License-Identifier: MIT */
/* Task-local values: inherited, hidden, destroyed exactly once, never accumulated. */
#include <stdlib.h>

#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/local.h>
#include <whorl/run.h>

#include "faults.h"
#include "test.h"

static int destroyed;

static void destroy(void *value)
{
    destroyed++;
    free(value);
}

static const struct whorl_local name = {.destroy = destroy}, number = {.destroy = destroy},
                                plain = {0};

static void set(const struct whorl_local *key, int value)
{
    int *copy = malloc(sizeof *copy);

    CHECK(copy != NULL);
    *copy = value;
    CHECK_OK(whorl_local_set(key, copy));
}

static int get(const struct whorl_local *key)
{
    const int *value = whorl_local_get(key);
    return value ? *value : -1;
}

TEST(local_outside_a_task_is_refused)
{
    CHECK_ERR(whorl_local_set(&plain, "x"), WHORL_ENOTASK);
    CHECK(!whorl_local_get(&plain));
}

TEST_VIRTUAL(local_is_found_by_its_key)
{
    CHECK(!whorl_local_get(&plain));
    CHECK_ERR(whorl_local_set(&plain, NULL), -EINVAL);
    CHECK_OK(whorl_local_set(&plain, "x"));
    set(&name, 1);
    set(&number, 2);
    CHECK_STR(whorl_local_get(&plain), "x");
    CHECK_EQ(get(&name), 1);
    CHECK_EQ(get(&number), 2);
    CHECK_OK(whorl_local_set(&plain, "y"));
    CHECK_STR(whorl_local_get(&plain), "y");
    CHECK_EQ(get(&name), 1);
}

static int look(void *arg)
{
    (void)arg;
    test_log("%d.%d", get(&name), get(&number));
    return 0;
}

static int hide(void *arg)
{
    set(&name, 10);
    test_log("%d.%d", get(&name), get(&number));
    int err = whorl_yield();
    test_log("%d.%d", get(&name), get(&number));
    return err ? err : look(arg);
}

TEST_VIRTUAL(local_is_inherited_as_it_was_when_the_task_was_spawned)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, look, NULL));
    set(&name, 1);
    CHECK_OK(whorl_spawn(&group, look, NULL));
    set(&name, 2);
    set(&number, 3);
    CHECK_OK(whorl_spawn(&group, look, NULL));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "-1.-1 1.-1 2.3");
    CHECK_EQ(destroyed, 1); /* the first name was destroyed when its last task ended */
}

TEST_VIRTUAL(local_set_by_a_child_is_its_own)
{
    WHORL_AUTO(group) group = {0};

    set(&name, 1);
    set(&number, 2);
    CHECK_OK(whorl_spawn(&group, hide, NULL));
    CHECK_OK(whorl_spawn(&group, look, NULL));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "10.2 1.2 10.2 10.2");
    CHECK_EQ(get(&name), 1);
    CHECK_EQ(destroyed, 1);
}

static int daemon_task(void *arg)
{
    CHECK_OK(whorl_sleep(WHORL_SECOND));
    CHECK_EQ(destroyed, *(int *)arg);
    CHECK_EQ(get(&name), 5);
    return 0;
}

static int parent(void *arg)
{
    set(&name, 5);
    return whorl_spawn(whorl_root_group(), daemon_task, arg);
}

TEST_VIRTUAL(local_outlives_the_parent_while_a_child_has_it)
{
    WHORL_AUTO(group) group = {0};
    int none = 0;

    CHECK_OK(whorl_spawn(&group, parent, &none));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_sleep(2 * WHORL_SECOND));
    CHECK_EQ(destroyed, 1);
}

static int set_three(void *arg)
{
    (void)arg;
    set(&name, 1);
    set(&number, 2);
    set(&name, 3);
    return 0;
}

TEST(local_destroys_every_value_once_by_the_end_of_the_run)
{
    long live = faults_live();

    CHECK_OK(whorl_run_virtual(NULL, set_three, NULL));
    CHECK_EQ(destroyed, 3);
    CHECK_EQ(faults_live(), live);
}

/* --- in loops --------------------------------------------------------------------------------- */

static void check_bounded(long before, long blocks)
{
    long grown = faults_live() - before;
    if (grown > blocks)
        test_fail(__FILE__, __LINE__, "%ld blocks more than before", grown);
}

TEST_VIRTUAL(local_set_in_a_loop_does_not_grow)
{
    long before = faults_live();

    for (int i = 0; i < 1000; i++)
        set(&name, i);
    CHECK_EQ(get(&name), 999);
    CHECK_EQ(destroyed, 999);
    check_bounded(before, 8);
}

TEST_VIRTUAL(local_set_in_a_loop_of_two_keys_does_not_grow)
{
    long before = faults_live();

    for (int i = 0; i < 1000; i++) {
        set(&name, i);
        set(&number, -i);
    }
    CHECK_EQ(get(&name), 999);
    CHECK_EQ(get(&number), -999);
    CHECK_EQ(destroyed, 1998);
    check_bounded(before, 16);
}

static int serve(void *arg)
{
    (void)arg;
    int mine = get(&name);
    int err = whorl_sleep(10);
    CHECK_EQ(get(&name), mine);
    CHECK_EQ(get(&number), 7);
    return err;
}

/* Like a server that names each connection before it spawns the connection's task. */
TEST_VIRTUAL(local_set_in_a_loop_that_spawns_does_not_grow)
{
    WHORL_AUTO(group) group = {0};
    long before = 0;

    set(&number, 7);
    for (int i = 0; i < 1000; i++) {
        set(&name, i);
        CHECK_OK(whorl_spawn(&group, serve, NULL));
        CHECK_OK(whorl_sleep(3));
        if (i == 100)
            before = faults_live();
    }
    check_bounded(before, 4);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_EQ(destroyed, 999);
    CHECK_EQ(get(&name), 999);
    CHECK_EQ(get(&number), 7);
}

/* --- destructors ------------------------------------------------------------------------------ */

static void look_around(void *value)
{
    (void)value;
    test_log("[%d]", get(&number));
}

static const struct whorl_local curious = {.destroy = look_around};

static int end_curious(void *arg)
{
    (void)arg;
    set(&number, 4);
    CHECK_OK(whorl_local_set(&curious, "x"));
    CHECK_OK(whorl_local_set(&curious, "y"));
    test_log("end");
    return 0;
}

TEST(local_destructors_may_look_at_other_values)
{
    CHECK_OK(whorl_run_virtual(NULL, end_curious, NULL));
    /* Values are readable while the task runs, but no longer when they are destroyed at its end. */
    CHECK_STR(test_logged(), "[4] end [-1]");
}

static int set_or_free(void *arg)
{
    WHORL_AUTO(group) group = {0};
    const struct whorl_local *keys[] = {&name, &number, &name, &number};

    (void)arg;
    for (int i = 0; i < 4; i++) {
        int *value = malloc(sizeof *value);
        if (!value)
            return -ENOMEM;
        *value = i;
        int err = whorl_local_set(keys[i], value);
        if (err) {
            CHECK_EQ(get(keys[i]), i < 2 ? -1 : i - 2); /* unchanged by the failed call */
            free(value);
            return err;
        }
        err = whorl_spawn(&group, look, NULL);
        if (err)
            return err;
    }
    return whorl_group_wait(&group);
}

static int run_set_or_free(void *arg)
{
    return whorl_run_virtual(NULL, set_or_free, arg);
}

TEST(local_survives_every_failed_allocation)
{
    long live = faults_live();

    CHECK(faults_sweep(run_set_or_free, NULL) > 8);
    CHECK_EQ(faults_live(), live);
}

TEST_MAIN()
