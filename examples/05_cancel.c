/* SPDX-License-Identifier: MIT */
/* A scope is a section of code that can be cancelled, by its deadline or by another task. From then
 * on every suspending call in it returns -ECANCELED until the task leaves the scope. So a task that
 * ignores the error once gets it again. If the deadline was the reason, leaving returns -ETIMEDOUT.
 * Next: 06_shield.c */
#include <stdio.h>

#include <whorl.h>

static WHORL_SUSPENDS int stubborn(void)
{
    int err = whorl_sleep(WHORL_HOUR);
    printf("  first wait:  %s\n", whorl_strerror(err));
    err = whorl_sleep(WHORL_HOUR); /* ignores the error, so this fails too */
    printf("  second wait: %s\n", whorl_strerror(err));
    return err;
}

static int cancel(void *arg)
{
    whorl_scope_cancel(arg);
    return 0;
}

static int root(void *arg)
{
    WHORL_AUTO(group) group = {0};
    struct whorl_scope scope;

    (void)arg;
    printf("a deadline:\n");
    whorl_scope_enter_timeout(&scope, 20 * WHORL_MILLISECOND);
    int err = whorl_scope_leave(&scope, stubborn());
    printf("  the scope:   %s\n", whorl_strerror(err));

    printf("another task:\n");
    whorl_scope_enter(&scope, WHORL_FOREVER);
    err = whorl_spawn(&group, cancel, &scope);
    if (err == 0)
        err = stubborn();
    err = whorl_scope_leave(&scope, err);
    printf("  the scope:   %s\n", whorl_strerror(err));

    err = whorl_sleep(WHORL_MILLISECOND);
    printf("outside: %s\n", err ? whorl_strerror(err) : "waiting works again");
    return whorl_group_wait(&group);
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}
