/* SPDX-License-Identifier: MIT */
/* Task-local values: chains of counted nodes. A child starts with its parent's chain, so inheriting
 * costs one count; setting puts a node in front that hides older ones of its key. */
#include "runtime/local.h"

#include <errno.h>
#include <stdlib.h>

#include <whorl/error.h>
#include <whorl/local.h>

#include "runtime/sched.h"

struct local_node {
    struct local_node *next; /* held */
    const struct whorl_local *key;
    void *value;
    size_t references; /* tasks that start here, and nodes whose next this is */
};

int whorl_local_set(const struct whorl_local *key, void *value)
{
    struct whorl_task *self = whorl_task_self();

    if (!self)
        return WHORL_ENOTASK;
    if (!value)
        return -EINVAL;
    struct local_node *node = malloc(sizeof *node);
    if (!node)
        return -ENOMEM;
    /* The task's reference to the old front becomes the new node's. */
    *node = (struct local_node){self->locals, key, value, 1};
    self->locals = node;
    /* Setting in a loop must not pile up: what lies right below and nobody shares can go. */
    struct local_node *old = node->next;
    if (old && old->key == key && old->references == 1) {
        node->next = old->next;
        if (key->destroy)
            key->destroy(old->value);
        free(old);
    }
    return 0;
}

void *whorl_local_get(const struct whorl_local *key)
{
    struct whorl_task *self = whorl_task_self();

    for (struct local_node *node = self ? self->locals : NULL; node; node = node->next)
        if (node->key == key)
            return node->value;
    return NULL;
}

struct local_node *local_inherit(struct local_node *chain)
{
    if (chain)
        chain->references++;
    return chain;
}

void local_release(struct local_node *chain)
{
    while (chain && --chain->references == 0) {
        struct local_node *next = chain->next;
        if (chain->key->destroy)
            chain->key->destroy(chain->value);
        free(chain);
        chain = next;
    }
}
