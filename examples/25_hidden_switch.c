/* SPDX-License-Identifier: MIT */
/* A switch that cannot be seen. withdraw() checks the balance and then uses it. The helper between
 * the two looks harmless, but it suspends, so the other task checks the same balance meanwhile.
 * A function that may suspend carries WHORL_SUSPENDS; whorl-check-suspends finds the missing marker.
 * Next: fetch.c */
#include <stdio.h>

#include <whorl.h>

static int balance = 100;

static int write_audit(const char *name)
{
    printf("%s asks for 80\n", name);
    return whorl_sleep(WHORL_MILLISECOND); /* stands for a log on another machine */
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
