/* SPDX-License-Identifier: MIT */
/* Reports of tasks: what each kind of wait says, what a terminal never sees, circles. */
#include <stdlib.h>
#include <time.h>

#include <whorl/chan.h>
#include <whorl/future.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/sync.h>
#include <whorl/trace.h>

#include "child.h"
#include "test.h"

/* What whorl_dump_tasks() writes now; valid until the next call. */
static char dumped[1 << 18];

static const char *dump(void)
{
    FILE *to = fmemopen(dumped, sizeof dumped, "w");

    CHECK(to != NULL);
    whorl_dump_tasks(to);
    fclose(to);
    return dumped;
}

static int count_of(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}

#define CHECK_DUMP(word)                                                        \
    do {                                                                        \
        if (!strstr(dump(), (word)))                                            \
            test_fail(__FILE__, __LINE__, "no \"%s\" in:\n%s", (word), dumped); \
    } while (0)

TEST(trace_outside_a_run_writes_nothing)
{
    CHECK_STR(dump(), "");
}

/* Everything a task can wait for. */
static struct whorl_mutex named = {.name = "log"}, nameless;
static struct whorl_semaphore semaphore;
static struct whorl_event event;
static struct whorl_rwlock rwlock;
static struct whorl_cond cond;
static struct whorl_barrier barrier = {.parties = 2};
static struct whorl_latch latch = {.count = 1};
static struct whorl_once once = {.state = WHORL_ONCE_RUNNING};
static struct whorl_future future;
static struct whorl_chan *chan, *other;

static int wait_for(void *arg)
{
    int value = 0;
    struct whorl_case c = whorl_case_event(&event);
    const char *what = arg;

    whorl_task_set_name(what);
    if (!strcmp(what, "t-named"))
        return whorl_mutex_lock(&named);
    if (!strcmp(what, "t-mutex"))
        return whorl_mutex_lock(&nameless);
    if (!strcmp(what, "t-semaphore"))
        return whorl_semaphore_acquire(&semaphore);
    if (!strcmp(what, "t-event"))
        return whorl_event_wait(&event);
    if (!strcmp(what, "t-read"))
        return whorl_rwlock_read(&rwlock);
    if (!strcmp(what, "t-write"))
        return whorl_rwlock_write(&rwlock);
    if (!strcmp(what, "t-barrier"))
        return whorl_barrier_wait(&barrier);
    if (!strcmp(what, "t-latch"))
        return whorl_latch_wait(&latch);
    if (!strcmp(what, "t-once"))
        return whorl_once(&once, NULL, NULL);
    if (!strcmp(what, "t-future"))
        return whorl_future_wait(&future);
    if (!strcmp(what, "t-send"))
        return whorl_chan_send(chan, &value);
    if (!strcmp(what, "t-recv"))
        return whorl_chan_recv(other, &value);
    if (!strcmp(what, "t-sleep"))
        return whorl_sleep(WHORL_SECOND);
    if (!strcmp(what, "t-select"))
        return whorl_select(&c, 1) < 0 ? -ECANCELED : 0;
    if (!strcmp(what, "t-stop"))
        return whorl_stop_wait();
    if (!strcmp(what, "t-cond")) {
        struct whorl_mutex mutex = {0};
        CHECK_OK(whorl_mutex_lock(&mutex));
        return whorl_cond_wait(&cond, &mutex);
    }
    return -EINVAL;
}

TEST_VIRTUAL(trace_says_what_each_kind_of_wait_waits_for)
{
    static char *const names[] = {"t-named", "t-mutex",  "t-semaphore", "t-event",
                                  "t-read",  "t-write",  "t-barrier",   "t-latch",
                                  "t-once",  "t-future", "t-send",      "t-recv",
                                  "t-sleep", "t-select", "t-stop",      "t-cond"};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    chan = whorl_chan_create(sizeof(int), 0);
    other = whorl_chan_create(sizeof(int), 0);
    whorl_chan_set_name(chan, "pages");
    whorl_task_set_name("boss");
    CHECK_OK(whorl_mutex_lock(&named));
    CHECK_OK(whorl_mutex_lock(&nameless));
    CHECK_OK(whorl_rwlock_write(&rwlock));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK_OK(whorl_spawn(&group, wait_for, names[i]));
    CHECK_DUMP("tasks of this run (17 tasks)");
    CHECK_EQ(count_of(dumped, ": ready"), 16);
    CHECK_OK(whorl_yield());
    CHECK_DUMP("boss: running  (spawned as root)");
    CHECK_DUMP("t-named: waits for mutex \"log\" held by boss  (spawned as wait_for at ");
    CHECK_DUMP("t-mutex: waits for mutex 0x");
    CHECK_DUMP("t-semaphore: waits for semaphore");
    CHECK_DUMP("t-event: waits for event");
    CHECK_DUMP("t-read: waits for read lock 0x");
    CHECK_DUMP("t-write: waits for write lock 0x");
    CHECK_EQ(count_of(dumped, " held by boss"), 4);
    CHECK_DUMP("t-barrier: waits for barrier");
    CHECK_DUMP("t-latch: waits for latch");
    CHECK_DUMP("t-once: waits for once");
    CHECK_DUMP("t-future: waits for future");
    CHECK_DUMP("t-send: waits for send on channel \"pages\"");
    CHECK_DUMP("t-recv: waits for receive on channel 0x");
    CHECK_DUMP("t-sleep: waits for ");
    CHECK_DUMP("t-select: waits for select");
    CHECK_DUMP("t-stop: waits for being asked to stop");
    CHECK_DUMP("t-cond: waits for condition");
    CHECK(!strstr(dumped, "circle"));
    whorl_group_finish(&group);
    whorl_chan_destroy(chan);
    whorl_chan_destroy(other);
    CHECK_DUMP("(1 task)");
}

static int name_strangely(void *arg)
{
    whorl_task_set_name(arg);
    return whorl_event_wait(&event);
}

TEST_VIRTUAL(trace_escapes_what_a_terminal_would_obey)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_spawn(&group, name_strangely, "a\x1b[31mb\nc\x7f"));
    CHECK_OK(whorl_yield());
    CHECK_DUMP("a\\x1b[31mb\\x0ac\\x7f: waits for event");
    named.name = "\x1b]0;";
    CHECK_OK(whorl_mutex_lock(&named));
    CHECK_OK(whorl_spawn(&group, wait_for, "t-named"));
    CHECK_OK(whorl_yield());
    CHECK_DUMP("mutex \"\\x1b]0;\"");
    CHECK(!strchr(dumped, 0x1b));
}

static int lock_two(void *arg)
{
    struct whorl_mutex **mutexes = arg;

    whorl_task_set_name(mutexes[0]->name);
    CHECK_OK(whorl_mutex_lock(mutexes[0]));
    int err = whorl_yield();
    if (err == 0)
        err = whorl_mutex_lock(mutexes[1]);
    if (err == 0)
        whorl_mutex_unlock(mutexes[1]);
    whorl_mutex_unlock(mutexes[0]);
    return err;
}

static int lock_one(void *arg)
{
    int err = whorl_mutex_lock(arg);
    if (err == 0)
        whorl_mutex_unlock(arg);
    return err;
}

TEST_VIRTUAL(trace_prints_a_circle_once)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_mutex a = {.name = "A"}, b = {.name = "B"}, c = {.name = "C"};
    struct whorl_mutex *ab[] = {&a, &b}, *bc[] = {&b, &c}, *ca[] = {&c, &a};

    CHECK_OK(whorl_spawn(&group, lock_one, &a)); /* lower numbers that are not in the circle */
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_spawn(&group, lock_two, ab));
    CHECK_OK(whorl_spawn(&group, lock_two, bc));
    CHECK_OK(whorl_spawn(&group, lock_two, ca));
    CHECK_OK(whorl_sleep(1));
    CHECK_OK(whorl_spawn(&group, lock_one, &a));
    CHECK_OK(whorl_yield());
    CHECK_DUMP("circle:\n  A waits for mutex \"B\" held by B\n  B waits for mutex \"C\" held by C\n"
               "  C waits for mutex \"A\" held by A\n");
    CHECK_EQ(count_of(dumped, "circle"), 1);
}

static struct whorl_mutex parents;

static int lock_parents(void *arg)
{
    (void)arg;
    return whorl_mutex_lock(&parents);
}

static int wait_for_child(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    whorl_task_set_name("parent");
    CHECK_OK(whorl_mutex_lock(&parents));
    CHECK_OK(whorl_spawn_with(&group, lock_parents, NULL,
                              &(struct whorl_spawn_options){.name = "child"}));
    int err = whorl_group_wait(&group);
    whorl_mutex_unlock(&parents);
    return err;
}

static void run_wait_for_child(void *arg)
{
    (void)arg;
    CHECK_ERR(whorl_run_virtual(NULL, wait_for_child, NULL), -EDEADLK);
}

TEST(trace_sees_a_circle_of_a_parent_and_its_child)
{
    struct child child;

    child_run(&child, run_wait_for_child, NULL);
    CHECK(strstr(child.err, "every task waits on another (2 tasks)"));
    CHECK(
        strstr(child.err, "circle:\n  parent waits for group of 1 task\n  child waits for mutex"));
}

/* A circle of two that very many wait for: following each of these must not go round it for long. */
TEST_VIRTUAL(trace_of_many_tasks_behind_a_circle_takes_no_time)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct whorl_mutex a = {.name = "A"}, b = {.name = "B"};
    struct whorl_mutex *ab[] = {&a, &b}, *ba[] = {&b, &a};
    struct timespec began, ended;

    CHECK_OK(whorl_spawn(&group, lock_two, ab));
    CHECK_OK(whorl_spawn(&group, lock_two, ba));
    CHECK_OK(whorl_sleep(1));
    for (int i = 0; i < 5000; i++)
        CHECK_OK(whorl_spawn(&group, lock_one, &a));
    CHECK_OK(whorl_sleep(1));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &began);
    CHECK_DUMP("circle:");
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ended);
    CHECK_EQ(count_of(dumped, "circle"), 1);
    CHECK_EQ(count_of(dumped, "\n  task "), 1000);
    CHECK(strstr(dumped, "and 4003 more"));
    long ms = (ended.tv_sec - began.tv_sec) * 1000 + (ended.tv_nsec - began.tv_nsec) / 1000000;
    CHECK(ms < 200 * test_timeout_scale());
}

TEST_MAIN()
