/* SPDX-License-Identifier: MIT */
/* The virtual poller: a wait sets the clock forward, or sleeps until a kick when it has no
 * deadline. */
#include "runtime/poller_virtual.h"

#include "runtime/base/check.h"

static struct poller_virtual *of_poller(struct whorl_poller *poller)
{
    return container_of(poller, struct poller_virtual, poller);
}

static int64_t now(struct whorl_poller *poller)
{
    return of_poller(poller)->now_ns;
}

static int wait(struct whorl_poller *poller, int64_t deadline_ns)
{
    struct poller_virtual *p = of_poller(poller);
    struct whorl_poller *sleeper = &p->sleeper.poller;

    if (deadline_ns == WHORL_FOREVER)
        return sleeper->ops->wait(sleeper, WHORL_FOREVER);
    if (deadline_ns > p->now_ns)
        p->now_ns = deadline_ns;
    return 0;
}

static bool has_work(struct whorl_poller *poller)
{
    (void)poller;
    return false;
}

static void kick(struct whorl_poller *poller)
{
    struct whorl_poller *sleeper = &of_poller(poller)->sleeper.poller;

    sleeper->ops->kick(sleeper);
}

static size_t pending(struct whorl_poller *poller)
{
    (void)poller;
    return 0;
}

static const struct whorl_poller_ops ops = {
    .name = "virtual",
    .now = now,
    .wait = wait,
    .has_work = has_work,
    .kick = kick,
    .pending = pending,
    .virtual_time = true,
};

int poller_virtual_init(struct poller_virtual *p, int64_t start_ns)
{
    p->poller.ops = &ops;
    p->now_ns = start_ns;
    return poller_idle_init(&p->sleeper);
}

void poller_virtual_finish(struct poller_virtual *p)
{
    poller_idle_finish(&p->sleeper);
}
