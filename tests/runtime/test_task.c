/* SPDX-License-Identifier: MIT */
/* Tasks: their identity and what they know about themselves. */
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "runtime/sched.h"
#include "test.h"

static int note_id(void *arg)
{
    *(uint64_t *)arg = whorl_task_id(whorl_task_self());
    return 0;
}

TEST_VIRTUAL(the_root_task_is_number_1_and_no_number_comes_twice)
{
    WHORL_AUTO(group) group = {0};
    uint64_t ids[30];

    CHECK_EQ(whorl_task_id(whorl_task_self()), 1);
    for (int round = 0; round < 3; round++) { /* all rounds use the same stacks */
        for (int i = 0; i < 10; i++)
            CHECK_OK(whorl_spawn(&group, note_id, &ids[round * 10 + i]));
        CHECK_OK(whorl_group_wait(&group));
    }
    for (int i = 0; i < 30; i++)
        CHECK_EQ(ids[i], 2 + (uint64_t)i);
}

TEST(outside_a_run_there_is_no_task)
{
    CHECK(!whorl_task_self());
    CHECK_EQ(whorl_task_id(NULL), 0);
    CHECK_STR(whorl_task_name(NULL), "");
    CHECK_OK(whorl_check_cancelled());
    CHECK_EQ(whorl_task_stack_left(), 0);
    CHECK_EQ(whorl_task_deadline(), WHORL_FOREVER);
    whorl_task_set_name("nobody");
}

static int name_itself(void *arg)
{
    struct whorl_task *self = whorl_task_self();
    char name[100];

    CHECK(strncmp(whorl_task_name(self), "name_itself at ", 15) == 0);
    CHECK(strstr(whorl_task_name(self), "test_task.c:"));
    snprintf(name, sizeof name, "worker %d", *(int *)arg);
    whorl_task_set_name(name);
    memset(name, 'x', sizeof name);
    CHECK_OK(whorl_yield());
    snprintf(name, sizeof name, "worker %d", *(int *)arg);
    CHECK_STR(whorl_task_name(self), name);
    whorl_task_set_name("0123456789012345678901234567890123456789");
    CHECK_STR(whorl_task_name(self), "0123456789012345678901234567890");
    whorl_task_set_name("012345678901234567890123456789é"); /* its last byte is byte 32 */
    CHECK_STR(whorl_task_name(self), "012345678901234567890123456789");
    whorl_task_set_name(NULL);
    CHECK(strncmp(whorl_task_name(self), "name_itself at ", 15) == 0);
    whorl_task_set_name("left behind"); /* must not be the name of the next task on this stack */
    return 0;
}

TEST_VIRTUAL(a_task_is_called_after_its_spawn_site_until_it_is_named)
{
    WHORL_AUTO(group) group = {0};

    CHECK_STR(whorl_task_name(whorl_task_self()), "root");
    for (int i = 0; i < 20; i++) {
        CHECK_OK(whorl_group_wait_below(&group, 5));
        CHECK_OK(whorl_spawn_copy(&group, name_itself, &i));
    }
    CHECK_OK(whorl_group_wait(&group));
}

static __attribute__((noinline)) size_t left_deeper(void)
{
    char frame[4096];

    __asm__ volatile("" : : "r"(frame) : "memory"); /* the compiler must keep the whole array */
    return whorl_task_stack_left();
}

static int measure(void *arg)
{
    size_t here = whorl_task_stack_left(), deeper = left_deeper();

    (void)arg;
    CHECK(here <= stack_size_of(whorl_task_self()));
    CHECK(here > stack_size_of(whorl_task_self()) - 8192);
    CHECK(deeper + 4096 <= here);
    CHECK(deeper + 4096 + 2048 > here);
    CHECK_EQ(whorl_task_stack_left(), here);
    return 0;
}

TEST_VIRTUAL(a_task_knows_how_much_stack_it_has_left)
{
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_spawn(&group, measure, NULL));
    CHECK_OK(whorl_spawn_with(&group, measure, NULL,
                              &(struct whorl_spawn_options){.stack_size = 1 << 20}));
    CHECK_OK(whorl_group_wait(&group));
}

static int compute(void *arg)
{
    struct whorl_scope *scope = arg;

    CHECK_OK(whorl_check_cancelled());
    whorl_scope_cancel(scope);
    CHECK_ERR(whorl_check_cancelled(), -ECANCELED);
    return 0;
}

TEST_VIRTUAL(a_task_that_computes_can_ask_whether_it_is_cancelled)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(compute(&scope));
    CHECK_OK(whorl_scope_leave(&scope, 0));
    CHECK_OK(whorl_check_cancelled());
}

static int return_its_argument(void *arg)
{
    return *(int *)arg;
}

TEST(a_run_returns_what_its_root_task_returned)
{
    static const int results[] = {0, 1, 42, INT32_MAX, -1, -EIO, WHORL_EDNS, INT32_MIN};

    for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
        int result = results[i];
        CHECK_EQ(whorl_run_virtual(NULL, return_its_argument, &result), result);
        CHECK_EQ(whorl_run(return_its_argument, &result), result);
    }
}

TEST_MAIN()
