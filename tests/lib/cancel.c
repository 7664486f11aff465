/* SPDX-License-Identifier: MIT */
/* Cancels a run at every possible point. */
#include "cancel.h"

#include <whorl/group.h>
#include <whorl/run.h>

#include "runtime/park_hook.h"
#include "test.h"

static struct {
    const struct cancel_plan *plan;
    struct whorl_scope *scope; /* scope that is cancelled; NULL: not entered yet, or already left */
    int at, seen;              /* number of the wait at which to cancel, number of waits so far */
    bool struck;
} point;

static void at_wait(const char *what)
{
    (void)what;
    if (point.seen++ == point.at && point.scope) {
        point.struck = true;
        whorl_scope_cancel(point.scope);
    }
}

void cancel_scope_enter(struct whorl_scope *scope)
{
    whorl_scope_enter(scope, WHORL_FOREVER);
    point.scope = scope;
}

int cancel_scope_leave(struct whorl_scope *scope, int err)
{
    point.scope = NULL;
    CHECK(err != -ECANCELED || point.struck);
    return whorl_scope_leave(scope, err);
}

static int be_victim(void *arg)
{
    struct whorl_scope scope;

    cancel_scope_enter(&scope);
    int err = cancel_scope_leave(&scope, point.plan->victim(arg));
    CHECK(err == 0 || err == -ECANCELED);
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void run_once(void)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_run_stats stats;
    int n = 0, half = point.plan->companions / 2;

    while (n < half)
        CHECK_OK(whorl_spawn(&group, point.plan->companion, (void *)(intptr_t)++n));
    CHECK_OK(whorl_spawn(&group, be_victim, NULL));
    while (n < point.plan->companions)
        CHECK_OK(whorl_spawn(&group, point.plan->companion, (void *)(intptr_t)++n));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_run_get_stats(&stats));
    CHECK_EQ(stats.tasks_alive, 1);
    CHECK_EQ(stats.timers_armed, 0);
}

WHORL_SUSPENDS_SHIELDED int cancel_everywhere(const struct cancel_plan *plan)
{
    int struck = 0;

    point.plan = plan;
    /* The cancel may shorten a round, so the last one is the one that has too few waits itself. */
    for (point.at = 0, point.seen = 1; point.seen >= point.at; point.at++) {
        if (plan->begin)
            plan->begin();
        point.seen = 0;
        point.struck = false;
        sched_park_hook = at_wait;
        run_once();
        sched_park_hook = NULL;
        if (plan->end)
            plan->end();
        struck += point.struck;
    }
    return struck;
}
