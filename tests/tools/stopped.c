/* SPDX-License-Identifier: MIT */
/* A program for test_gdb.py that ends while it runs: it has waiting tasks, a ready task, a running
 * task, and a second thread with a run of its own. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

static atomic_bool other_waits;
static bool chatter_waits;
static struct whorl_group *group_of_root;

static WHORL_SUSPENDS int nap(int depth)
{
    return depth > 0 ? nap(depth - 1) : whorl_sleep(100 * WHORL_SECOND);
}

static int sleeper(void *arg)
{
    (void)arg;
    whorl_task_set_name("dormouse\x1b");
    return nap(3);
}

static int reader(void *arg)
{
    char byte;
    ssize_t n = whorl_read(*(int *)arg, &byte, 1);
    return n < 0 ? (int)n : 0;
}

/* Waits in a stream that has received small messages, so that it reads ahead. */
static int chatter(void *arg)
{
    WHORL_AUTO(stream) *stream = NULL;
    int p[2];
    char byte;

    (void)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) < 0 || whorl_stream_from_socket(p[0], &stream) < 0)
        return -1;
    for (int i = 0; i < 6; i++)
        if (send(p[1], "", 1, 0) != 1 || whorl_stream_read(stream, &byte, 1) != 1)
            return -1;
    chatter_waits = true;
    return (int)whorl_stream_read(stream, &byte, 1);
}

static int latecomer(void *arg)
{
    (void)arg;
    return 0;
}

static int stopper(void *arg)
{
    (void)arg;
    while (!(other_waits && chatter_waits) && whorl_sleep(WHORL_MILLISECOND) == 0)
        ;
    int err = whorl_spawn(group_of_root, latecomer, NULL);
    if (err)
        return err;
    abort();
}

static int root(void *arg)
{
    WHORL_AUTO(group) group = {0};
    group_of_root = &group;
    int err = whorl_spawn(&group, sleeper, NULL);
    if (err == 0)
        err = whorl_spawn(&group, reader, arg);
    if (err == 0)
        err = whorl_spawn(&group, chatter, NULL);
    if (err == 0)
        err = whorl_spawn(&group, stopper, NULL);
    return err ? err : whorl_group_wait(&group);
}

static int tell(void *arg)
{
    (void)arg;
    other_waits = true; /* the tasks before this one are parked */
    return whorl_sleep(100 * WHORL_SECOND);
}

static int other_root(void *arg)
{
    WHORL_AUTO(group) group = {0};
    (void)arg;
    whorl_task_set_name("other");
    int err = whorl_spawn(&group, sleeper, NULL);
    if (err == 0)
        err = whorl_spawn(&group, tell, NULL);
    return err ? err : whorl_group_wait(&group);
}

static void *run_other(void *arg)
{
    if (whorl_run(other_root, arg) != 0)
        exit(1);
    return NULL;
}

int main(void)
{
    pthread_t thread;
    int fds[2];

    if (whorl_pipe(fds) < 0 || pthread_create(&thread, NULL, run_other, NULL) != 0)
        return 1;
    return whorl_io_run(root, fds);
}
