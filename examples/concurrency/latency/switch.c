/* SPDX-License-Identifier: MIT */
/* A lock, a system call, and switches between tasks, threads and processes.
 *
 * Two threads, or two processes, take turns on one processor: each wakes the other and waits. So a
 * turn is a switch together with the two system calls that every program needs for it. Tasks need
 * none. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "latency.h"
#include "stopwatch.h"

static void *sleep_for_ever(void *arg)
{
    sem_t never;

    sem_init(&never, 0, 0);
    while (sem_wait(&never) < 0)
        ;
    return arg;
}

/* The C library may leave out the atomic instructions while there is only one thread. */
int latency_mutex(const struct latency_settings *settings, struct latency_result *ret)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    struct stopwatch watch;
    pthread_t other;

    int err = pthread_create(&other, NULL, sleep_for_ever, NULL);
    if (err)
        return -err;
    stopwatch_init(&watch, settings);
    for (long n; (n = stopwatch_next(&watch)) > 0;)
        for (long i = 0; i < n; i++) {
            pthread_mutex_lock(&mutex);
            pthread_mutex_unlock(&mutex);
        }
    ret->ns = stopwatch_median_ns(&watch);
    return 0;
}

int latency_system_call(const struct latency_settings *settings, struct latency_result *ret)
{
    struct stopwatch watch;

    stopwatch_init(&watch, settings);
    for (long n; (n = stopwatch_next(&watch)) > 0;)
        for (long i = 0; i < n; i++)
            syscall(SYS_getppid);
    ret->ns = stopwatch_median_ns(&watch);
    return 0;
}

/* --- tasks ------------------------------------------------------------------------------------ */

struct turns {
    const struct latency_settings *settings;
    struct latency_result *result;
    bool ended;
};

static int take_turns(void *arg)
{
    const struct turns *turns = arg;
    int err = 0;

    while (!turns->ended && err == 0)
        err = whorl_yield();
    return err;
}

static int measure_turns(void *arg)
{
    struct turns *turns = arg;
    struct stopwatch watch;
    WHORL_AUTO(group) group = {0};

    int err = whorl_spawn(&group, take_turns, turns);
    stopwatch_init(&watch, turns->settings);
    for (long n; err == 0 && (n = stopwatch_next(&watch)) > 0;)
        for (long i = 0; i < n && err == 0; i++)
            err = whorl_yield(); /* to the other task, and back */
    if (err)
        return err;
    turns->ended = true;
    turns->result->ns = stopwatch_median_ns(&watch) / 2;
    return whorl_group_wait(&group);
}

int latency_task_switch(const struct latency_settings *settings, struct latency_result *ret)
{
    return whorl_run(measure_turns, &(struct turns){.settings = settings, .result = ret});
}

/* --- threads and processes -------------------------------------------------------------------- */

/* Two parties. A party waits for its own semaphore and then posts the other one. */
struct parties {
    sem_t mine, theirs;
};

static void wait_for(sem_t *semaphore)
{
    while (sem_wait(semaphore) < 0)
        ;
}

static void *answer(void *arg)
{
    struct parties *parties = arg;

    for (;;) {
        wait_for(&parties->theirs);
        sem_post(&parties->mine);
    }
    return NULL;
}

/* Keeps this process, and what it starts, on the processor on which it runs. */
static int stay_here(void)
{
    cpu_set_t here;

    CPU_ZERO(&here);
    CPU_SET((size_t)sched_getcpu(), &here);
    return sched_setaffinity(0, sizeof here, &here) < 0 ? -errno : 0;
}

static struct parties *make_parties(void)
{
    struct parties *parties =
        mmap(NULL, sizeof *parties, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (parties == MAP_FAILED)
        return NULL;
    sem_init(&parties->mine, 1, 0);
    sem_init(&parties->theirs, 1, 0);
    return parties;
}

static double measure_parties(const struct latency_settings *settings, struct parties *parties)
{
    struct stopwatch watch;

    stopwatch_init(&watch, settings);
    for (long n; (n = stopwatch_next(&watch)) > 0;)
        for (long i = 0; i < n; i++) {
            sem_post(&parties->theirs);
            wait_for(&parties->mine);
        }
    return stopwatch_median_ns(&watch) / 2;
}

int latency_thread_switch(const struct latency_settings *settings, struct latency_result *ret)
{
    struct parties *parties = make_parties();
    pthread_t other;

    if (!parties)
        return -errno;
    int err = stay_here();
    if (err == 0)
        err = -pthread_create(&other, NULL, answer, parties);
    if (err == 0)
        ret->ns = measure_parties(settings, parties);
    return err;
}

int latency_process_switch(const struct latency_settings *settings, struct latency_result *ret)
{
    struct parties *parties = make_parties();

    if (!parties)
        return -errno;
    int err = stay_here();
    pid_t pid = err ? -1 : fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        answer(parties);
    }
    if (pid < 0)
        return err ? err : -errno;
    ret->ns = measure_parties(settings, parties);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return 0;
}
