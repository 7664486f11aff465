/* SPDX-License-Identifier: MIT */
/* Generators: the body (a task) and its puller take turns.
 *
 *     puller: next()   sets wanted, wakes the body, parks in `puller`
 *     body:   yield()  copies the value, wakes the puller, parks in `body` until wanted
 *
 * A yield that was cut short may leave its value behind. The next yield then first parks in `body`
 * until that value has been pulled.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/future.h>
#include <whorl/generator.h>

#include "runtime/base/check.h"
#include "runtime/debug/dump.h"
#include "runtime/group.h"
#include "runtime/sched.h"
#include "runtime/sync/wait_queue.h"

struct whorl_generator {
    whorl_generator_fn fn;
    void *arg;
    size_t value_size;
    const char *site;
    struct whorl_group group;
    struct whorl_wait_queue body, puller; /* each holds at most one waiter */
    bool started, ended, wanted;
    bool has_value; /* `value` holds a value that was not pulled yet */
    bool no_room;   /* the body waits until that value has been pulled */
    bool pulled;    /* a task is in whorl_generator_next() and waits, or was woken for a value */
    int result;     /* valid once ended */
    unsigned char value[];
};

int whorl_generator_create_at(whorl_generator_fn fn, void *arg, size_t value_size, const char *site,
                              struct whorl_generator **ret)
{
    struct whorl_task *self = sched_current();
    size_t size;

    if (!self)
        return WHORL_ENOTASK;
    if (__builtin_add_overflow(value_size, sizeof(struct whorl_generator), &size))
        return -EOVERFLOW;
    struct whorl_generator *generator = calloc(1, size);
    if (!generator)
        return -ENOMEM;
    generator->fn = fn;
    generator->arg = arg;
    generator->value_size = value_size;
    generator->site = site;
    generator->group.policy = WHORL_GROUP_COLLECT;
    /* Open the group here and not at the first pull: the first pull may be inside a scope with
     * a deadline of its own. */
    group_open(&generator->group, self->scope, self);
    *ret = generator;
    return 0;
}

static const struct whorl_generator *generator_of(const struct whorl_waiter *waiter)
{
    return container_of(waiter->queue, const struct whorl_generator, puller);
}

static struct whorl_task *holder(const struct whorl_waiter *waiter)
{
    return generator_of(waiter)->group.tasks;
}

static void describe(const struct whorl_waiter *waiter, char *text, size_t size)
{
    snprintf(text, size, "a value of generator %s", dump_name_of(holder(waiter)));
}

static const struct whorl_wait_kind pulling = {describe, holder};

static int run(void *arg)
{
    struct whorl_generator *generator = arg;

    generator->result = generator->fn(generator, generator->arg);
    generator->ended = true;
    whorl_wait_queue_wake_one(&generator->puller, 0);
    return 0;
}

/* Takes the next value if there is one. Returns 1 with a value, 0 or the body's error code at the
 * end, or -EAGAIN when the body has not produced a value yet. */
static int take(struct whorl_generator *generator, void *ret)
{
    if (generator->has_value) {
        if (generator->value_size > 0)
            memcpy(ret, generator->value, generator->value_size);
        generator->has_value = false;
        if (generator->no_room)
            whorl_wait_queue_wake_one(&generator->body, 0);
        return 1;
    }
    if (!generator->ended)
        return -EAGAIN;
    return generator->result < 0 ? generator->result : 0;
}

WHORL_SUSPENDS int whorl_generator_next(struct whorl_generator *generator, void *ret)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    wait_queue_touch(&generator->body, "generator", NULL);
    if (!generator->started) {
        err = whorl_spawn_at(&generator->group, run, generator, generator->site);
        if (err)
            return err;
        generator->started = true;
    }
    if (generator->pulled)
        return -EBUSY;
    if (generator->group.tasks == self)
        return -EDEADLK;
    err = take(generator, ret);
    if (err != -EAGAIN)
        return err;
    generator->wanted = generator->pulled = true;
    whorl_wait_queue_wake_one(&generator->body, 0);
    err = (int)wait_queue_park(&generator->puller, "generator", &pulling);
    generator->pulled = false;
    return err ? err : take(generator, ret);
}

WHORL_SUSPENDS int whorl_generator_yield(struct whorl_generator *generator, const void *value)
{
    struct whorl_task *self;
    struct sched *s;

    int err = sched_enter(&s, &self);
    if (err)
        return err;
    whorl_check_text(!generator->body.first, "only one task may yield values of a generator");
    while (generator->has_value) {
        generator->no_room = true;
        err = (int)whorl_wait_queue_park(&generator->body, "earlier value pulled");
        generator->no_room = false;
        if (err)
            return err;
    }
    if (generator->value_size > 0)
        memcpy(generator->value, value, generator->value_size);
    generator->has_value = true;
    generator->wanted = false;
    whorl_wait_queue_wake_one(&generator->puller, 0);
    while (!generator->wanted) {
        err = (int)whorl_wait_queue_park(&generator->body, "next value wanted");
        if (err)
            return err;
    }
    return 0;
}

WHORL_SUSPENDS_SHIELDED void whorl_generator_destroy(struct whorl_generator *generator)
{
    if (!generator)
        return;
    whorl_group_finish(&generator->group);
    free(generator);
}
