/* SPDX-License-Identifier: MIT */
/* Numbers of runs, and the check that objects are used on their run's thread. */
#include "runtime/base/run_id.h"

#include <stdio.h>

#include "runtime/base/check.h"

_Thread_local uint64_t run_id_of_thread __attribute__((tls_model("initial-exec")));
bool run_id_checks;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct run_id *first; /* under the lock */

static void lock_runs(void)
{
    pthread_mutex_lock(&lock);
}

static void unlock_runs(void)
{
    pthread_mutex_unlock(&lock);
}

/* Without this, the lock could be held for ever in a forked child. */
static void keep_lock_over_forks(void)
{
    (void)pthread_atfork(lock_runs, unlock_runs, unlock_runs);
}

void run_id_begin(struct run_id *run)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static uint64_t last;

    pthread_once(&once, keep_lock_over_forks);
    lock_runs();
    run->number = ++last;
    run->thread = pthread_self();
    run->next = first;
    first = run;
    unlock_runs();
}

void run_id_end(struct run_id *run)
{
    struct run_id **link = &first;

    lock_runs();
    while (*link != run)
        link = &(*link)->next;
    *link = run->next;
    unlock_runs();
}

enum run_place run_id_find(uint64_t number)
{
    enum run_place place = RUN_ENDED;

    if (number == run_id_of_thread)
        return RUN_HERE;
    lock_runs();
    for (const struct run_id *run = first; run; run = run->next)
        if (run->number == number)
            place = pthread_equal(run->thread, pthread_self()) ? RUN_HERE : RUN_ON_OTHER_THREAD;
    unlock_runs();
    return place;
}

/* Two threads may change the owner at the same time: this function looks for that mistake. So the
 * accesses are atomic. */
void run_id_check_owner(uint64_t *owner, const char *what, const char *name)
{
    uint64_t number = __atomic_load_n(owner, __ATOMIC_RELAXED);
    char text[192];

    if (number && number != run_id_of_thread && run_id_find(number) == RUN_ON_OTHER_THREAD) {
        snprintf(text, sizeof text,
                 "%s %s%s%s belongs to the run of another thread; the calls for other threads end "
                 "in _remote, see runner.h",
                 what, name ? "\"" : "", name ? name : "without a name", name ? "\"" : "");
        check_failed(__FILE__, __LINE__, text);
    }
    if (run_id_of_thread && number != run_id_of_thread)
        __atomic_store_n(owner, run_id_of_thread, __ATOMIC_RELAXED);
}
