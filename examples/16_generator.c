/* SPDX-License-Identifier: MIT */
/* A generator is a task that gives a value each time it is pulled, so a loop with state, here a walk
 * through a tree, needs no state machine and stops whenever the other side has had enough.
 * Next: 17_offload.c */
#include <stdio.h>

#include <whorl.h>

struct node {
    int value;
    const struct node *left, *right;
};

static WHORL_SUSPENDS int walk(struct whorl_generator *generator, const struct node *node)
{
    if (!node)
        return 0;
    int err = walk(generator, node->left); /* recursion, and a yield from the depth of it */
    if (err == 0)
        err = whorl_generator_yield(generator, &node->value);
    return err ? err : walk(generator, node->right);
}

static int values(struct whorl_generator *generator, void *arg)
{
    return walk(generator, arg);
}

static int root(void *arg)
{
    struct node two = {2, NULL, NULL}, five = {5, NULL, NULL}, eight = {8, NULL, NULL};
    struct node three = {3, &two, &five}, tree = {7, &three, &eight};
    WHORL_AUTO(generator) *generator = NULL;
    int value, err = whorl_generator_create(values, &tree, sizeof(int), &generator);

    (void)arg;
    while (err == 0 && (err = whorl_generator_next(generator, &value)) > 0) {
        printf("%d\n", value);
        err = value == 7 ? -EPIPE : 0; /* enough: the rest is never walked */
    }
    return err == -EPIPE ? 0 : err;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}
