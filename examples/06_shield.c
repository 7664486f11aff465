/* SPDX-License-Identifier: MIT */
/* Clean-up that must wait, such as a last message to a peer, runs inside a shield. A shield is a
 * scope that outer cancellation does not reach. Its own deadline makes sure that the clean-up ends.
 * Next: 07_channel.c */
#include <stdio.h>

#include <whorl.h>

static WHORL_SUSPENDS int say_goodbye(const char *how)
{
    int err = whorl_sleep(5 * WHORL_MILLISECOND); /* in place of a message and its answer */
    printf("goodbye %s a shield: %s\n", how, err ? whorl_strerror(err) : "sent");
    return err;
}

static int worker(void *arg)
{
    struct whorl_scope shield;
    int err = whorl_sleep(WHORL_HOUR);

    (void)arg;
    if (say_goodbye("without") == 0)
        return err;
    whorl_scope_enter_shield_timeout(&shield, WHORL_SECOND);
    int goodbye_err = whorl_scope_leave(&shield, say_goodbye("with"));
    return goodbye_err ? goodbye_err : err;
}

static int root(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    int err = whorl_spawn(&group, worker, NULL);
    if (err == 0)
        err = whorl_sleep(10 * WHORL_MILLISECOND);
    if (err)
        return err;
    whorl_group_cancel(&group);
    err = whorl_group_wait(&group);
    printf("the worker: %s\n", whorl_strerror(err));
    return 0;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}
