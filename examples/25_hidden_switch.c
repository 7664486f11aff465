/* SPDX-License-Identifier: MIT */
/* A task switch that is hard to see. withdraw() checks the balance and then uses it. In between it
 * calls write_audit(), which suspends, and the other task checks the same balance. A function that
 * may suspend carries WHORL_SUSPENDS; whorl-check-suspends finds missing markers.
 * Next: 26_http_server.c */
#include <stdio.h>

#include <whorl.h>

static int balance = 100;

static int write_audit(const char *name)
{
    printf("%s asks for 80\n", name);
    return whorl_sleep(WHORL_MILLISECOND); /* in place of a log on another machine */
}

static int withdraw(void *arg)
{
    if (balance < 80)
        return -EAGAIN;
    int err = write_audit(arg);
    if (err)
        return err;
    balance -= 80; /* the check above no longer holds */
    return 0;
}

static int root(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    int err = whorl_spawn(&group, withdraw, "ada");
    if (err == 0)
        err = whorl_spawn(&group, withdraw, "bob");
    if (err == 0)
        err = whorl_group_wait(&group);
    printf("the balance is %d\n", balance);
    return err;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}
