/* SPDX-License-Identifier: MIT */
/* A deadlock: each of two tasks holds a lock that the other task waits for. No event can end this,
 * so the run reports which task waits for which, cancels all tasks and returns -EDEADLK. There is
 * no deadlock when every task takes the locks in the same order.
 * Next: 14_starvation.c */
#include <stdio.h>

#include <whorl.h>

static struct whorl_mutex pen = {.name = "pen"}, paper = {.name = "paper"};

struct writer {
    const char *name;
    struct whorl_mutex *first, *second;
};

static int write_letter(void *arg)
{
    const struct writer *writer = arg;
    int err = whorl_mutex_lock(writer->first);

    if (err)
        return err;
    err = whorl_yield(); /* meanwhile the other task takes its first lock */
    if (err == 0)
        err = whorl_mutex_lock(writer->second);
    if (err == 0) {
        printf("%s writes\n", writer->name);
        whorl_mutex_unlock(writer->second);
    }
    whorl_mutex_unlock(writer->first);
    return err;
}

static int root(void *arg)
{
    struct writer *writers = arg;
    WHORL_AUTO(group) group = {0};
    int err = 0;

    for (int i = 0; i < 2 && err == 0; i++)
        err = whorl_spawn_with(&group, write_letter, &writers[i],
                               &(struct whorl_spawn_options){.name = writers[i].name});
    return err ? err : whorl_group_wait(&group);
}

int main(void)
{
    struct writer opposite[] = {{"ada", &pen, &paper}, {"bob", &paper, &pen}};
    struct writer same[] = {{"ada", &pen, &paper}, {"bob", &pen, &paper}};
    int opposite_err = whorl_run(root, opposite);

    printf("in opposite orders: %s\n", whorl_error_name(opposite_err));
    int err = whorl_run(root, same);
    printf("in the same order: %s\n", err ? whorl_error_name(err) : "both have written");
    return opposite_err == -EDEADLK && err == 0 ? 0 : 1;
}
