/* SPDX-License-Identifier: MIT */
/* A generator is a task that produces a value each time the caller asks for one. So a walk through
 * a tree can be an ordinary recursive function, and the caller can stop early.
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
    int err = walk(generator, node->left); /* the yield works at any depth of recursion */
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
        err = value == 7 ? -EPIPE : 0; /* stops early: the rest is not visited */
    }
    return err == -EPIPE ? 0 : err;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}
