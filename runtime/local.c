/* SPDX-License-Identifier: MIT */
/* Task-local values: chains of reference-counted nodes. A child starts with its parent's chain, so
 * inheriting increments one counter. Other tasks may share a chain, so its nodes are never changed.
 * A chain holds each key at most once. Setting a key puts a new node in front, copies the nodes
 * before the key's old node, and shares the nodes behind it.
 *
 *     before    task -> a1 -> b1 -> c1 <- child
 *     set b     task -> b2 -> a1 -> c1        child -> a1 -> b1 -> c1, with the same c1
 */
#include "runtime/local.h"

#include <errno.h>
#include <stdlib.h>

#include <whorl/error.h>
#include <whorl/local.h>

#include "runtime/sched.h"

struct value {
    const struct whorl_local *key;
    void *value;
    size_t references; /* number of nodes that refer to it */
};

struct local_node {
    struct local_node *next; /* this node holds a reference to it */
    struct value *value;     /* this node holds a reference to it */
    /* Number of tasks whose chain starts here and of nodes whose `next` is this node. */
    size_t references;
};

/* Returns a new node in front of `next`. The node takes over the caller's reference to `next` and
 * takes its own reference to `value`. On NULL (no memory) nothing has changed. */
static struct local_node *push(struct local_node *next, struct value *value)
{
    struct local_node *node = malloc(sizeof *node);

    if (node) {
        *node = (struct local_node){next, value, 1};
        value->references++;
    }
    return node;
}

/* Returns `chain` without the node `old`: the nodes behind it are shared, those before it are
 * copied. Returns NULL with `*ret_err` set when memory runs out. */
static struct local_node *copy_without(struct local_node *chain, const struct local_node *old,
                                       int *ret_err)
{
    struct local_node *copy = local_inherit(old ? old->next : chain);

    for (; old && chain != old; chain = chain->next) {
        struct local_node *node = push(copy, chain->value);
        if (!node) {
            local_release(copy);
            *ret_err = -ENOMEM;
            return NULL;
        }
        copy = node;
    }
    return copy;
}

int whorl_local_set(const struct whorl_local *key, void *value)
{
    struct whorl_task *self = whorl_task_self();
    struct local_node *chain, *old, *node;
    int err = 0;

    if (!self)
        return WHORL_ENOTASK;
    if (!value)
        return -EINVAL;
    for (old = self->locals; old && old->value->key != key;)
        old = old->next;
    struct value *counted = malloc(sizeof *counted);
    if (!counted)
        return -ENOMEM;
    *counted = (struct value){key, value, 0};
    chain = copy_without(self->locals, old, &err);
    if (err)
        goto err_after_value;
    node = push(chain, counted);
    if (!node)
        goto err_after_chain;
    chain = self->locals;
    self->locals = node;
    local_release(chain);
    return 0;

err_after_chain:
    local_release(chain);
err_after_value:
    free(counted);
    return -ENOMEM;
}

void *whorl_local_get(const struct whorl_local *key)
{
    struct whorl_task *self = whorl_task_self();

    for (struct local_node *node = self ? self->locals : NULL; node; node = node->next)
        if (node->value->key == key)
            return node->value->value;
    return NULL;
}

struct local_node *local_inherit(struct local_node *chain)
{
    if (chain)
        chain->references++;
    return chain;
}

static void drop(struct value *value)
{
    if (--value->references > 0)
        return;
    if (value->key->destroy)
        value->key->destroy(value->value);
    free(value);
}

void local_release(struct local_node *chain)
{
    while (chain && --chain->references == 0) {
        struct local_node *next = chain->next;
        drop(chain->value);
        free(chain);
        chain = next;
    }
}
