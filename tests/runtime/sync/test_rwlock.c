/* SPDX-License-Identifier: MIT */
/* Read-write locks: the order of arrival, cancellation, misuse. */
#include <signal.h>

#include <whorl/group.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/sync.h>

#include "child.h"
#include "test.h"

static struct whorl_rwlock lock;

/* A task that at an instant locks for reading (R) or writing (W), and holds the lock for a time. */
struct visit {
    const char *name;
    int64_t at, hold;
    struct whorl_scope *scope;
};

static int visit(void *arg)
{
    struct visit *v = arg;
    bool writes = v->name[0] == 'W';
    struct whorl_scope scope;

    CHECK_OK(whorl_sleep(v->at));
    whorl_scope_enter(&scope, WHORL_FOREVER);
    v->scope = &scope;
    int err = writes ? whorl_rwlock_write_lock(&lock) : whorl_rwlock_read_lock(&lock);
    v->scope = NULL;
    (void)whorl_scope_leave(&scope, 0);
    if (err) {
        test_log("%s!%d", v->name, err);
        return 0;
    }
    test_log("%s@%d", v->name, (int)whorl_now());
    CHECK(writes ? lock.writer == whorl_task_self() && lock.readers == 0
                 : !lock.writer && lock.readers > 0);
    CHECK_OK(whorl_sleep(v->hold));
    whorl_rwlock_unlock(&lock);
    return 0;
}

#define RUN(...)                                                         \
    do {                                                                 \
        WHORL_AUTO(group) group = {0};                                   \
        static struct visit visits[] = {__VA_ARGS__};                    \
        for (size_t i = 0; i < sizeof visits / sizeof *visits; i++)      \
            CHECK_OK(whorl_spawn(&group, visit, &visits[i]));            \
        CHECK_OK(whorl_group_wait(&group));                              \
        CHECK(!lock.writer && lock.readers == 0 && !lock.waiters.first); \
    } while (0)

TEST_VIRTUAL(rwlock_readers_share_and_writers_do_not)
{
    RUN({"R1", 0, 10, NULL}, {"R2", 1, 10, NULL}, {"W1", 2, 10, NULL}, {"W2", 3, 10, NULL},
        {"R3", 4, 10, NULL}, {"R4", 5, 10, NULL});
    CHECK_STR(test_logged(), "R1@0 R2@1 W1@11 W2@21 R3@31 R4@31");
}

TEST_VIRTUAL(rwlock_writer_is_not_starved_by_readers_that_keep_coming)
{
    RUN({"R1", 0, 10, NULL}, {"R2", 5, 10, NULL}, {"W1", 6, 3, NULL}, {"R3", 8, 10, NULL},
        {"R4", 12, 10, NULL});
    CHECK_STR(test_logged(), "R1@0 R2@5 W1@15 R3@18 R4@18");
}

TEST_VIRTUAL(rwlock_lets_only_the_readers_before_the_next_writer_in)
{
    RUN({"W1", 0, 10, NULL}, {"R1", 1, 5, NULL}, {"R2", 2, 7, NULL}, {"W2", 3, 1, NULL},
        {"R3", 4, 1, NULL});
    CHECK_STR(test_logged(), "W1@0 R1@10 R2@10 W2@17 R3@18");
}

static int cancel_at(void *arg)
{
    struct visit *v = arg;
    CHECK_OK(whorl_sleep(v->hold));
    whorl_scope_cancel(((struct visit *)(void *)v->scope)->scope);
    return 0;
}

static WHORL_SUSPENDS_SHIELDED void run_with_cancel(struct visit *visits, size_t count,
                                                    size_t which, int64_t when)
{
    WHORL_AUTO(group) group = {0};
    struct visit canceller = {.hold = when, .scope = (void *)&visits[which]};

    for (size_t i = 0; i < count; i++)
        CHECK_OK(whorl_spawn(&group, visit, &visits[i]));
    CHECK_OK(whorl_spawn(&group, cancel_at, &canceller));
    CHECK_OK(whorl_group_wait(&group));
    CHECK(!lock.writer && lock.readers == 0 && !lock.waiters.first);
}

TEST_VIRTUAL(rwlock_lets_readers_in_when_the_writer_before_them_is_cancelled)
{
    struct visit visits[] = {{"R1", 0, 100, NULL}, {"W1", 1, 10, NULL}, {"R2", 2, 10, NULL},
                             {"R3", 3, 10, NULL},  {"W2", 4, 10, NULL}, {"R4", 5, 10, NULL}};

    run_with_cancel(visits, 6, 1, 50);
    CHECK_STR(test_logged(), "R1@0 R2@50 R3@50 W1!-125 W2@100 R4@110");
}

TEST_VIRTUAL(rwlock_with_a_cancelled_reader_keeps_the_order_of_the_rest)
{
    struct visit visits[] = {
        {"W1", 0, 100, NULL}, {"R1", 1, 10, NULL}, {"W2", 2, 10, NULL}, {"R2", 3, 10, NULL}};

    run_with_cancel(visits, 4, 1, 50);
    CHECK_STR(test_logged(), "W1@0 R1!-125 W2@100 R2@110");
}

TEST_VIRTUAL(rwlock_handed_over_and_cancelled_at_once_is_held)
{
    struct visit w = {"W1", 0, 10, NULL};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_rwlock_read_lock(&lock));
    CHECK_OK(whorl_spawn(&group, visit, &w));
    CHECK_OK(whorl_sleep(1));
    whorl_rwlock_unlock(&lock);
    whorl_scope_cancel(w.scope);
    CHECK(lock.writer != NULL);
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "W1@1");
}

/* --- in any order ----------------------------------------------------------------------------- */

/* Every task draws a ticket when it arrives. No task may enter before a writer that arrived earlier
 * and still waits, and no writer may enter before any task that arrived earlier. A waiter enters
 * when a writer leaves or gives up, or, for a writer, when the last reader leaves. It does not
 * enter later than that. */
static struct {
    int tickets, readers_in, writers_in;
    int last, last_writer;                           /* the highest tickets that have entered */
    bool readers_chance[1024], writers_chance[1024]; /* instants at which they could enter */
    struct entry {
        bool writes;
        int64_t arrived_at, entered_at;
    } entries[160];
    int entered;
} doorman;

static void go_in(int ticket, bool writes, int64_t arrived_at)
{
    CHECK(ticket > (writes ? doorman.last : doorman.last_writer));
    if (doorman.last < ticket)
        doorman.last = ticket;
    if (writes)
        doorman.last_writer = ticket;
    *(writes ? &doorman.writers_in : &doorman.readers_in) += 1;
    CHECK(doorman.writers_in == 0 || doorman.writers_in + doorman.readers_in == 1);
    doorman.entries[doorman.entered++] = (struct entry){writes, arrived_at, whorl_now()};
}

static void go_out(bool writes)
{
    *(writes ? &doorman.writers_in : &doorman.readers_in) -= 1;
    doorman.writers_chance[whorl_now()] = true;
    doorman.readers_chance[whorl_now()] |= writes;
}

static void check_entries(void)
{
    for (int i = 0; i < doorman.entered; i++) {
        struct entry *e = &doorman.entries[i];
        CHECK(e->entered_at == e->arrived_at ||
              (e->writes ? doorman.writers_chance : doorman.readers_chance)[e->entered_at]);
    }
}

static int come_and_go(void *arg)
{
    uint64_t *random = arg;

    for (int i = 0; i < 20; i++) {
        struct whorl_scope scope, shield;
        bool writes = test_draw(random, 3) == 0;
        int64_t arrived_at = whorl_now(), deadline = arrived_at + (int64_t)test_draw(random, 16);
        int ticket = ++doorman.tickets;
        whorl_scope_enter(&scope, test_draw(random, 2) ? deadline : WHORL_FOREVER);
        int err = writes ? whorl_rwlock_write_lock(&lock) : whorl_rwlock_read_lock(&lock);
        if (err == 0) {
            whorl_scope_enter_shield(&shield, WHORL_FOREVER);
            go_in(ticket, writes, arrived_at);
            CHECK_OK(whorl_sleep((int64_t)test_draw(random, 4)));
            go_out(writes);
            CHECK_OK(whorl_scope_leave(&shield, 0));
            whorl_rwlock_unlock(&lock);
        } else {
            CHECK_ERR(err, -ECANCELED);
            CHECK(whorl_now() >= deadline);
            doorman.readers_chance[whorl_now()] |= writes;
        }
        (void)whorl_scope_leave(&scope, err);
        CHECK_OK(whorl_sleep((int64_t)test_draw(random, 3)));
    }
    return 0;
}

TEST_SEEDS(rwlock_excludes_and_keeps_the_order_of_arrival_whatever_is_cancelled)
{
    WHORL_AUTO(group) group = {0};

    memset(&doorman, 0, sizeof doorman);
    for (uint64_t i = 0; i < 8; i++)
        CHECK_OK(whorl_spawn_copy(&group, come_and_go, &(uint64_t){test_seed() + i}));
    CHECK_OK(whorl_group_wait(&group)); /* a lost wake-up would cause a deadlock */
    CHECK(doorman.entered > 40 && doorman.entered < 160);
    check_entries();
    CHECK(!lock.writer && lock.readers == 0 && !lock.waiters.first);
}

/* --- what is not allowed, and trying ---------------------------------------------------------- */

TEST_VIRTUAL(rwlock_held_for_writing_is_refused_to_its_holder)
{
    CHECK_OK(whorl_rwlock_write_lock(&lock));
    CHECK_ERR(whorl_rwlock_write_lock(&lock), -EDEADLK);
    CHECK_ERR(whorl_rwlock_read_lock(&lock), -EDEADLK);
    whorl_rwlock_unlock(&lock);
    CHECK_OK(whorl_rwlock_read_lock(&lock));
    CHECK_OK(whorl_rwlock_read_lock(&lock));
    whorl_rwlock_unlock(&lock);
    CHECK_EQ(lock.readers, 1);
    whorl_rwlock_unlock(&lock);
}

TEST_VIRTUAL(rwlock_try_takes_only_what_is_free_and_nobody_waits_for)
{
    struct visit w = {"W1", 0, 10, NULL};
    WHORL_AUTO(group) group = {0};

    CHECK_OK(whorl_rwlock_try_read_lock(&lock));
    CHECK_OK(whorl_rwlock_try_read_lock(&lock));
    CHECK_ERR(whorl_rwlock_try_write_lock(&lock), -EAGAIN);
    CHECK_OK(whorl_spawn(&group, visit, &w));
    CHECK_OK(whorl_sleep(1));
    CHECK_ERR(whorl_rwlock_try_read_lock(&lock), -EAGAIN); /* because a writer waits */
    whorl_rwlock_unlock(&lock);
    whorl_rwlock_unlock(&lock);
    CHECK_ERR(whorl_rwlock_try_write_lock(&lock),
              -EAGAIN); /* the writer owns it, though it has not run yet */
    CHECK_OK(whorl_group_wait(&group));
    CHECK_OK(whorl_rwlock_try_write_lock(&lock));
    CHECK_ERR(whorl_rwlock_try_read_lock(&lock), -EAGAIN);
    CHECK_ERR(whorl_rwlock_try_write_lock(&lock), -EAGAIN);
    whorl_rwlock_unlock(&lock);
}

TEST_VIRTUAL(rwlock_in_a_cancelled_scope_is_not_taken)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(whorl_rwlock_read_lock(&lock), -ECANCELED);
    CHECK_ERR(whorl_rwlock_write_lock(&lock), -ECANCELED);
    (void)whorl_scope_leave(&scope, 0);
    CHECK(!lock.writer && lock.readers == 0);
}

TEST(rwlock_outside_a_task_is_refused)
{
    CHECK_ERR(whorl_rwlock_read_lock(&lock), WHORL_ENOTASK);
    CHECK_ERR(whorl_rwlock_write_lock(&lock), WHORL_ENOTASK);
    CHECK_ERR(whorl_rwlock_try_write_lock(&lock), WHORL_ENOTASK);
}

static void unlock_free(void *arg)
{
    (void)arg;
    whorl_rwlock_unlock(&lock);
}

static int lock_for_writing(void *arg)
{
    (void)arg;
    return whorl_rwlock_write_lock(&lock);
}

static int unlock_others(void *arg)
{
    WHORL_AUTO(group) group = {0};

    (void)arg;
    CHECK_OK(whorl_spawn(&group, lock_for_writing, NULL));
    CHECK_OK(whorl_group_wait(&group));
    whorl_rwlock_unlock(&lock);
    return 0;
}

static void run_unlock_others(void *arg)
{
    test_ignore(whorl_run_virtual(NULL, unlock_others, arg));
}

TEST(rwlock_unlocked_by_somebody_else_ends_the_process)
{
    struct child child;

    child_run(&child, unlock_free, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "that no task holds"));
    child_run(&child, run_unlock_others, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "by the task that holds it"));
}

TEST_MAIN()
