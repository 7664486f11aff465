/* SPDX-License-Identifier: MIT */
/* Reports of tasks: the text for each kind of wait, and what is never written to a terminal. */
#include <whorl/chan.h>
#include <whorl/future.h>
#include <whorl/generator.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/stop.h>
#include <whorl/sync.h>
#include <whorl/trace.h>

#include "dump.h"
#include "test.h"

TEST(trace_outside_a_run_writes_nothing)
{
    CHECK_STR(dump(), "");
}

/* One object of every kind that a task can wait for. */
static struct whorl_mutex named = {.name = "log"}, nameless;
static struct whorl_semaphore semaphore = {.name = "slots"}, semaphore2;
static struct whorl_event event = {.name = "ready"}, event2;
static struct whorl_rwlock rwlock = {.name = "table"}, rwlock2;
static struct whorl_cond cond = {.name = "filled"};
static struct whorl_barrier barrier = {.parties = 3, .name = "start"};
static struct whorl_wait_group wait_group = {.count = 2, .name = "end"};
static struct whorl_once once = {.name = "init"};
static struct whorl_future future = {.name = "page"}, future2;
static struct whorl_chan *chan, *other;

static int stay(void *arg)
{
    (void)arg;
    return whorl_sleep(WHORL_HOUR);
}

static int count_up(struct whorl_generator *generator, void *arg)
{
    (void)generator;
    return stay(arg);
}

static WHORL_SUSPENDS int pull(void)
{
    WHORL_AUTO(generator) *generator = NULL;
    CHECK_OK(whorl_generator_create(count_up, NULL, sizeof(int), &generator));
    int value, n = whorl_generator_next(generator, &value);

    return n < 0 ? n : 0;
}

static int wait_for(void *arg)
{
    int value = 0;
    struct whorl_case none = {0}, many[30];
    struct whorl_case c[] = {whorl_case_event(&event), whorl_case_deadline(WHORL_HOUR), none,
                             whorl_case_recv(other, &value), whorl_case_future(&future)};
    const char *what = arg;

    whorl_task_set_name(what);
    if (!strcmp(what, "t-named"))
        return whorl_mutex_lock(&named);
    if (!strcmp(what, "t-mutex"))
        return whorl_mutex_lock(&nameless);
    if (!strcmp(what, "t-semaphore"))
        return whorl_semaphore_acquire(&semaphore);
    if (!strcmp(what, "t-semaphore2"))
        return whorl_semaphore_acquire(&semaphore2);
    if (!strcmp(what, "t-event"))
        return whorl_event_wait(&event);
    if (!strcmp(what, "t-event2"))
        return whorl_event_wait(&event2);
    if (!strcmp(what, "t-read"))
        return whorl_rwlock_read_lock(&rwlock);
    if (!strcmp(what, "t-read2"))
        return whorl_rwlock_read_lock(&rwlock2);
    if (!strcmp(what, "t-write"))
        return whorl_rwlock_write_lock(&rwlock);
    if (!strcmp(what, "t-barrier"))
        return whorl_barrier_wait(&barrier);
    if (!strcmp(what, "t-wait-group"))
        return whorl_wait_group_wait(&wait_group);
    if (!strcmp(what, "t-once"))
        return whorl_once_run(&once, stay, NULL);
    if (!strcmp(what, "t-once2"))
        return whorl_once_run(&once, NULL, NULL);
    if (!strcmp(what, "t-future"))
        return whorl_future_wait(&future);
    if (!strcmp(what, "t-future2"))
        return whorl_future_wait(&future2);
    if (!strcmp(what, "t-generator"))
        return pull();
    if (!strcmp(what, "t-send"))
        return whorl_chan_send(chan, &value);
    if (!strcmp(what, "t-recv"))
        return whorl_chan_recv(other, &value);
    if (!strcmp(what, "t-sleep"))
        return whorl_sleep(WHORL_SECOND);
    if (!strcmp(what, "t-select"))
        return whorl_select(c, 5) < 0 ? -ECANCELED : 0;
    if (!strcmp(what, "t-many")) {
        for (int i = 0; i < 30; i++)
            many[i] = whorl_case_event(&event);
        return whorl_select(many, 30) < 0 ? -ECANCELED : 0;
    }
    if (!strcmp(what, "t-stop"))
        return whorl_stop_wait_requested();
    if (!strcmp(what, "t-cond")) {
        struct whorl_mutex mutex = {0};
        CHECK_OK(whorl_mutex_lock(&mutex));
        return whorl_cond_wait(&cond, &mutex);
    }
    return -EINVAL;
}

TEST_VIRTUAL(trace_says_what_each_kind_of_wait_waits_for)
{
    static char *const names[] = {
        "t-named",  "t-mutex", "t-semaphore", "t-semaphore2", "t-event",      "t-event2",
        "t-read",   "t-read2", "t-write",     "t-barrier",    "t-wait-group", "t-once",
        "t-once2",  "t-send",  "t-recv",      "t-future",     "t-sleep",      "t-future2",
        "t-select", "t-stop",  "t-cond",      "t-generator",  "t-many",
    };
    enum { N = sizeof names / sizeof *names };
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(whorl_chan_create(sizeof(int), 0, &chan));
    CHECK_OK(whorl_chan_create(sizeof(int), 0, &other));
    whorl_chan_set_name(chan, "pages");
    whorl_task_set_name("boss");
    CHECK_OK(whorl_mutex_lock(&named));
    CHECK_OK(whorl_mutex_lock(&nameless));
    CHECK_OK(whorl_rwlock_write_lock(&rwlock));
    CHECK_OK(whorl_rwlock_write_lock(&rwlock2));
    CHECK_OK(whorl_spawn_future(&group, stay, NULL, &future2));
    for (size_t i = 0; i < N; i++)
        CHECK_OK(whorl_spawn(&group, wait_for, names[i]));
    CHECK_DUMP("tasks of this run (25 tasks)");
    CHECK_EQ(dump_count(dumped, ": ready"), N + 1);
    CHECK_OK(whorl_sleep(1));
    CHECK_DUMP("boss: running  (spawned as root)");
    CHECK_DUMP("t-named: waits for mutex \"log\" held by boss  (spawned as wait_for at ");
    CHECK_DUMP("t-mutex: waits for mutex 0x");
    CHECK_DUMP("t-semaphore: waits for semaphore \"slots\"  (");
    CHECK_DUMP("t-semaphore2: waits for semaphore 0x");
    CHECK_DUMP("t-event: waits for event \"ready\"  (");
    CHECK_DUMP("t-event2: waits for event 0x");
    CHECK_DUMP("t-read: waits for read lock \"table\" held by boss  (");
    CHECK_DUMP("t-read2: waits for read lock 0x");
    CHECK_DUMP("t-write: waits for write lock \"table\" held by boss  (");
    CHECK_EQ(dump_count(dumped, " held by boss"), 5);
    CHECK_DUMP("t-barrier: waits for barrier \"start\" with 1 of 3 there  (");
    CHECK_DUMP("t-wait-group: waits for wait group \"end\" at 2  (");
    CHECK_DUMP("t-once: waits for sleep");
    CHECK_DUMP("t-once2: waits for once \"init\" run by t-once  (");
    CHECK_DUMP("t-future: waits for future \"page\"  (");
    CHECK_DUMP("t-future2: waits for future 0x");
    CHECK_EQ(dump_count(dumped, " of stay at "), 1);
    CHECK_DUMP("t-generator: waits for a value of generator count_up at ");
    CHECK_DUMP(" count_up at "); /* the task that runs its body */
    CHECK_DUMP("t-send: waits for send on channel \"pages\"");
    CHECK_DUMP("t-recv: waits for receive on channel 0x");
    CHECK_DUMP("t-sleep: waits for ");
    CHECK_DUMP("t-select: waits for select of event \"ready\", deadline, receive on channel 0x");
    CHECK_EQ(dump_count(dumped, ", future \"page\"  (spawned as wait_for"), 1);
    CHECK_DUMP("t-many: waits for select of event \"ready\", event \"ready\", event");
    const char *many = strstr(dumped, "t-many");
    CHECK(strchr(many, '(') - many == 8 + 10 + 191 + 2); /* the text fills the buffer */
    CHECK_DUMP("t-stop: waits for being asked to stop");
    CHECK_DUMP("t-cond: waits for condition \"filled\"  (");
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

TEST_MAIN()
