/* SPDX-License-Identifier: MIT */
/* Mistakes of callers: the program ends with a message that names the object, the running task and
 * the place where that was spawned. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include <whorl/chan.h>
#include <whorl/future.h>
#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/select.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "child.h"
#include "test.h"

static struct whorl_chan *chan;
static struct whorl_group *group_of_first;
static struct whorl_scope *scope_of_first;
static struct {
    struct whorl_event event;
    struct whorl_mutex mutex;
    struct whorl_semaphore semaphore;
    struct whorl_rwlock rwlock;
    struct whorl_cond cond;
    struct whorl_barrier barrier;
    struct whorl_wait_group wait_group;
    struct whorl_once once;
    struct whorl_future future;
} shared;

/* What the waiting task does on the first thread, and what the second thread does meanwhile. */
struct mistake {
    const char *what; /* in the message */
    whorl_task_fn wait;
    WHORL_SUSPENDS_SHIELDED void (*touch)(void);
    bool in_run; /* the second thread has a run of its own */
};

static const struct mistake *mistake;

static int other_root(void *arg)
{
    whorl_task_set_name("intruder");
    mistake->touch();
    (void)arg;
    return 0;
}

static void *other_thread(void *arg)
{
    WHORL_ANNOTATE("whorl_unchecked") void (*touch)(void) = mistake->touch;

    if (mistake->in_run)
        test_ignore(whorl_run(other_root, NULL));
    else
        touch();
    return arg;
}

static int waiter(void *arg)
{
    return mistake->wait(arg);
}

/* Runs the second thread while `waiter` waits, or, if it does not wait, has ended. */
static int first_root(void *arg)
{
    WHORL_AUTO(group) group = {0};
    pthread_t thread;

    group_of_first = &group;
    CHECK_OK(whorl_spawn(&group, waiter, arg));
    CHECK_OK(whorl_yield());
    CHECK_OK(whorl_yield());
    CHECK_EQ(pthread_create(&thread, NULL, other_thread, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    whorl_group_cancel(&group);
    return whorl_group_wait(&group);
}

static void run_mistake(void *arg)
{
    mistake = arg;
    memset(&shared, 0, sizeof shared);
    shared.event.name = "ready";
    shared.semaphore.name = "slots";
    shared.mutex.name = "log";
    shared.rwlock.name = "table";
    shared.cond.name = "changed";
    shared.barrier = (struct whorl_barrier){.parties = 2, .name = "round"};
    shared.wait_group = (struct whorl_wait_group){.count = 1, .name = "jobs"};
    shared.once.name = "init";
    shared.future.name = "answer";
    CHECK_OK(whorl_chan_create(sizeof(int), 1, &chan));
    whorl_chan_set_name(chan, "numbers");
    test_ignore(whorl_run(first_root, NULL));
}

static void check_message(const struct child *child, const struct mistake *m)
{
    char text[128];

    CHECK_EQ(child->signal, SIGABRT);
    CHECK(strstr(child->err, "check failed: "));
    if (m->in_run)
        CHECK(strstr(child->err, "  task 1 intruder: running  (spawned as root)\n"));
    else
        CHECK(strstr(child->err, "  on a thread without a run\n"));
    snprintf(text, sizeof text, "%s", m->what);
    CHECK(strstr(child->err, text));
}

static int receive(void *arg)
{
    int value;
    (void)arg;
    return whorl_chan_recv(chan, &value);
}

static void send_number(void)
{
    int value = 1;
    test_ignore(whorl_chan_try_send(chan, &value));
}

static void close_channel(void)
{
    whorl_chan_close(chan);
}

/* The deadline's timer is stopped when the channel's case wins. */
static int select_number(void *arg)
{
    int value;
    struct whorl_case cases[] = {whorl_case_deadline(whorl_after(WHORL_HOUR)),
                                 whorl_case_recv(chan, &value), whorl_case_event(&shared.event)};
    (void)arg;
    return whorl_select(cases, 3);
}

static int wait_event(void *arg)
{
    (void)arg;
    return whorl_event_wait(&shared.event);
}

static void set_event(void)
{
    whorl_event_set(&shared.event);
}

static int wait_semaphore(void *arg)
{
    (void)arg;
    return whorl_semaphore_acquire(&shared.semaphore);
}

static void release_semaphore(void)
{
    whorl_semaphore_release(&shared.semaphore);
}

static int wait_cond(void *arg)
{
    (void)arg;
    CHECK_OK(whorl_mutex_lock(&shared.mutex));
    int err = whorl_cond_wait(&shared.cond, &shared.mutex);
    whorl_mutex_unlock(&shared.mutex);
    return err;
}

static void signal_cond(void)
{
    whorl_cond_signal(&shared.cond);
}

static int wait_barrier(void *arg)
{
    (void)arg;
    return whorl_barrier_wait(&shared.barrier);
}

static WHORL_SUSPENDS_SHIELDED void arrive(void)
{
    test_ignore(whorl_barrier_wait(&shared.barrier));
}

static int wait_jobs(void *arg)
{
    (void)arg;
    return whorl_wait_group_wait(&shared.wait_group);
}

static void job_done(void)
{
    whorl_wait_group_done(&shared.wait_group);
}

static int wait_future(void *arg)
{
    (void)arg;
    return whorl_future_wait(&shared.future);
}

static void complete(void)
{
    whorl_future_complete(&shared.future, 1);
}

static void cancel_group(void)
{
    whorl_group_cancel(group_of_first);
}

static int wait_in_scope(void *arg)
{
    struct whorl_scope scope;

    (void)arg;
    whorl_scope_enter(&scope, WHORL_FOREVER);
    scope_of_first = &scope;
    return whorl_scope_leave(&scope, whorl_event_wait(&shared.event));
}

static void cancel_scope(void)
{
    whorl_scope_cancel(scope_of_first);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void spawn_into_group(void)
{
    test_ignore(whorl_spawn(group_of_first, nothing, NULL));
}

#define WAITING "task 2 waiter at "

/* A wake from a wrong thread is always found. Both the object and the waiting task are named. */
TEST(an_object_touched_from_another_thread_while_a_task_waits_for_it_ends_the_program)
{
    static const struct mistake mistakes[] = {
        {": waits for receive on channel \"numbers\"", receive, send_number, false},
        {": waits for receive on channel \"numbers\"", receive, send_number, true},
        {": waits for receive on channel \"numbers\"", receive, close_channel, false},
        {": waits for select of deadline, receive on channel \"numbers\", event \"ready\"",
         select_number, send_number, false},
        {": waits for select of deadline, receive on channel \"numbers\", event \"ready\"",
         select_number, set_event, true},
        {": waits for event \"ready\"", wait_event, set_event, false},
        {": waits for event \"ready\"", wait_event, set_event, true},
        {": waits for semaphore \"slots\"", wait_semaphore, release_semaphore, false},
        {": waits for condition \"changed\"", wait_cond, signal_cond, true},
        {": waits for barrier \"round\"", wait_barrier, arrive, true},
        {": waits for wait group \"jobs\"", wait_jobs, job_done, false},
        {": waits for future \"answer\"", wait_future, complete, true},
        {": waits for event \"ready\"", wait_in_scope, cancel_scope, true},
        {"task 1 root", wait_event, cancel_group, false},
        {"task 1 root", wait_event, spawn_into_group, true},
    };
    struct child child;

    unsetenv("WHORL_DEBUG");
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        child_run(&child, run_mistake, (void *)(uintptr_t)&mistakes[i]);
        check_message(&child, &mistakes[i]);
        CHECK(strstr(child.err, "used outside that run"));
        if (mistakes[i].what[0] == ':')
            CHECK(strstr(child.err, WAITING) && strstr(child.err, "test_misuse.c:"));
    }
}

static int use_all(void *arg)
{
    int value = 1;

    (void)arg;
    CHECK_OK(whorl_chan_try_send(chan, &value));
    whorl_event_set(&shared.event);
    whorl_semaphore_release(&shared.semaphore);
    CHECK_OK(whorl_mutex_lock(&shared.mutex));
    whorl_mutex_unlock(&shared.mutex);
    CHECK_OK(whorl_rwlock_read_lock(&shared.rwlock));
    whorl_rwlock_unlock(&shared.rwlock);
    whorl_cond_broadcast(&shared.cond);
    whorl_wait_group_done(&shared.wait_group);
    whorl_future_complete(&shared.future, 1);
    return 0;
}

static void receive_number(void)
{
    int value;
    test_ignore(whorl_chan_try_recv(chan, &value));
}

static void try_semaphore(void)
{
    test_ignore(whorl_semaphore_try_acquire(&shared.semaphore));
}

static void try_mutex(void)
{
    test_ignore(whorl_mutex_try_lock(&shared.mutex));
}

static WHORL_SUSPENDS_SHIELDED void lock_mutex(void)
{
    test_ignore(whorl_mutex_lock(&shared.mutex));
}

static void try_rwlock(void)
{
    test_ignore(whorl_rwlock_try_write_lock(&shared.rwlock));
}

static void add_job(void)
{
    whorl_wait_group_add(&shared.wait_group, 1);
}

static WHORL_SUSPENDS_SHIELDED void wait_for_answer(void)
{
    test_ignore(whorl_future_wait(&shared.future));
}

static void reset_event(void)
{
    whorl_event_reset(&shared.event);
}

/* Without a waiter it is a race that nothing else notices. */
TEST(with_checks_an_object_touched_from_another_thread_is_found_although_no_task_waits)
{
    static const struct mistake mistakes[] = {
        {"channel \"numbers\"", use_all, send_number, false},
        {"channel \"numbers\"", use_all, receive_number, true},
        {"channel \"numbers\"", use_all, close_channel, false},
        {"event \"ready\"", use_all, set_event, true},
        {"event \"ready\"", use_all, reset_event, false},
        {"semaphore \"slots\"", use_all, release_semaphore, false},
        {"semaphore \"slots\"", use_all, try_semaphore, false},
        {"mutex \"log\"", use_all, try_mutex, true},
        {"mutex \"log\"", use_all, lock_mutex, true},
        {"read-write lock \"table\"", use_all, try_rwlock, true},
        {"condition \"changed\"", use_all, signal_cond, false},
        {"wait group \"jobs\"", use_all, add_job, false},
        {"future \"answer\"", use_all, wait_for_answer, true},
        {"future \"answer\"", use_all, complete, false},
    };
    struct child child;

    setenv("WHORL_DEBUG", "check", 1);
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        child_run(&child, run_mistake, (void *)(uintptr_t)&mistakes[i]);
        check_message(&child, &mistakes[i]);
        CHECK(strstr(child.err, "belongs to the run of another thread"));
    }
}

static void *use_in_a_run(void *arg)
{
    test_ignore(whorl_run(use_all, arg));
    return NULL;
}

/* Objects may outlive a run, and the next one may be on another thread. */
static void use_in_two_runs(void *arg)
{
    pthread_t thread;

    for (int i = 0; i < 3; i++) {
        memset(&shared.wait_group, 0, sizeof shared.wait_group);
        shared.wait_group.count = 1;
        CHECK_OK(whorl_chan_create(sizeof(int), 1, &chan));
        CHECK_EQ(pthread_create(&thread, NULL, use_in_a_run, arg), 0);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        whorl_event_set(&shared.event);
        whorl_event_reset(&shared.event);
        whorl_chan_destroy(chan);
    }
}

TEST(with_checks_an_object_may_be_used_by_one_run_after_the_other)
{
    struct child child;

    setenv("WHORL_DEBUG", "check", 1);
    child_run(&child, use_in_two_runs, NULL);
    CHECK_STR(child.err, "");
    CHECK_EQ(child.exit_status, 0);
}

static int unlock_unlocked(void *arg)
{
    if (arg)
        whorl_task_set_name(arg);
    whorl_mutex_unlock(&shared.mutex);
    return 0;
}

static int spawn_unlock(void *arg)
{
    WHORL_AUTO(group) group = {0};
    CHECK_OK(whorl_spawn(&group, unlock_unlocked, arg));
    return whorl_group_wait(&group);
}

static void run_unlock(void *arg)
{
    test_ignore(whorl_run(spawn_unlock, arg));
}

TEST(a_failed_check_names_the_running_task_and_its_spawn_site)
{
    struct child child;

    child_run(&child, run_unlock, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "check failed: a mutex must be unlocked by the task that locked it\n"
                            "  task 2 unlock_unlocked at "));
    child_run(&child, run_unlock, "ill\x1bnamed");
    CHECK(strstr(child.err, "\n  task 2 ill\\x1bnamed: running  (spawned as unlock_unlocked at "));
}

static void run_unlock_outside(void *arg)
{
    (void)arg;
    whorl_mutex_unlock(&shared.mutex);
}

TEST(a_failed_check_outside_tasks_says_so)
{
    struct child child;

    CHECK_OK(whorl_run(nothing, NULL));
    child_run(&child, run_unlock_outside, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "\n  on a thread without a run\n"));
}

TEST_MAIN()
