/* SPDX-License-Identifier: MIT */
/* A scope is a stretch of code that can be cancelled, by a deadline or by another task. Every call
 * that waits in it then returns -ECANCELED until the scope is left, so a code that is not passed on
 * once comes again. Who set the deadline sees -ETIMEDOUT.
 * Next: 06_shield.c */
#include <stdio.h>

#include <whorl.h>

static WHORL_SUSPENDS int stubborn(void)
{
    int err = whorl_sleep(WHORL_HOUR);
    printf("  first wait:  %s\n", whorl_strerror(err));
    err = whorl_sleep(WHORL_HOUR); /* goes on regardless, and gets no further */
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
    whorl_scope_enter(&scope, whorl_after(20 * WHORL_MILLISECOND));
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
