/* SPDX-License-Identifier: MIT */
/* C++: every public header, and exceptions that are thrown and caught inside tasks. */
#include <csignal>
#include <exception>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include <whorl.h>
#include <whorl/park.h>
#include <whorl/poller.h>

extern "C" {
#include "child.h"
#include "test.h"
}

/* Counts what is destroyed on the way from the throw to the catch. */
struct guard {
    explicit guard(int *count) : count_(count)
    {
    }
    ~guard()
    {
        ++*count_;
    }
    int *count_;
};

struct thrower {
    int number, destroyed, caught;
};

static WHORL_SUSPENDS_SHIELDED void descend(struct thrower *t, int depth)
{
    guard here(&t->destroyed);

    CHECK_OK(whorl_yield());
    if (depth == 0)
        throw std::runtime_error("from " + std::to_string(t->number));
    descend(t, depth - 1);
}

static int throw_and_catch(void *arg)
{
    auto *t = static_cast<struct thrower *>(arg);
    const std::string expected = "from " + std::to_string(t->number);

    for (int i = 0; i < 10; i++) {
        try {
            descend(t, 1 + (t->number + i) % 7);
        } catch (const std::runtime_error &e) {
            CHECK_STR(e.what(), expected.c_str());
            t->caught++;
        }
        CHECK_EQ(std::uncaught_exceptions(), 0);
        CHECK_OK(whorl_sleep(t->number % 3));
    }
    return 0;
}

/* A C++ program with all warnings can use each initialiser. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wextra"
#pragma GCC diagnostic error "-Wmissing-field-initializers"
TEST(an_initialised_waiter_is_all_zero)
{
    struct whorl_waiter waiter = WHORL_WAITER_INIT;

    CHECK(!waiter.task && !waiter.queue && !waiter.woken);
}
#pragma GCC diagnostic pop

TEST_SEEDS(exceptions_are_thrown_and_caught_while_other_tasks_run)
{
    struct thrower throwers[8] = {};
    WHORL_AUTO(group) group = {};

    for (int i = 0; i < 8; i++) {
        throwers[i].number = i;
        CHECK_OK(whorl_spawn(&group, throw_and_catch, &throwers[i]));
    }
    CHECK_OK(whorl_group_wait(&group));
    for (const struct thrower &t : throwers) {
        int expected = 0;
        for (int i = 0; i < 10; i++)
            expected += 2 + (t.number + i) % 7;
        CHECK_EQ(t.caught, 10);
        CHECK_EQ(t.destroyed, expected);
    }
}

static int sleep_long(void *arg)
{
    int err = whorl_sleep(WHORL_HOUR);
    *static_cast<int *>(arg) = err;
    return err;
}

/* An exception that leaves a group's block joins the group's tasks on its way. */
TEST_VIRTUAL(a_group_is_cancelled_and_joined_by_an_exception_that_passes_it)
{
    int child = 0;
    bool caught = false;

    try {
        WHORL_AUTO(group) group = {};
        CHECK_OK(whorl_spawn(&group, sleep_long, &child));
        CHECK_OK(whorl_yield());
        throw 42;
    } catch (int e) {
        CHECK_EQ(e, 42);
        caught = true;
    }
    CHECK(caught);
    CHECK_ERR(child, -ECANCELED);
    CHECK_EQ(whorl_now(), 0);
}

static int wait_in_handlers(void *arg)
{
    auto *t = static_cast<struct thrower *>(arg);
    const std::string outer = "outer of " + std::to_string(t->number) + ", too long for inside";
    const std::string inner = "inner of " + std::to_string(t->number) + ", too long for inside";

    for (int i = 0; i < 20; i++) {
        try {
            throw std::runtime_error(outer);
        } catch (const std::runtime_error &e) {
            CHECK_OK(whorl_sleep((t->number * 7 + i * 3) % 5));
            try {
                try {
                    throw std::logic_error(inner);
                } catch (...) {
                    CHECK_OK(whorl_sleep((t->number * 5 + i) % 4));
                    throw;
                }
            } catch (const std::logic_error &f) {
                CHECK_OK(whorl_yield());
                CHECK_STR(f.what(), inner.c_str());
            }
            CHECK_STR(e.what(), outer.c_str());
            CHECK_EQ(std::uncaught_exceptions(), 0);
            t->caught++;
        }
        CHECK(!std::current_exception());
    }
    return 0;
}

TEST_SEEDS(tasks_that_wait_in_handlers_keep_their_exceptions)
{
    struct thrower throwers[6] = {};
    WHORL_AUTO(group) group = {};

    for (int i = 0; i < 6; i++) {
        throwers[i].number = i;
        CHECK_OK(whorl_spawn(&group, wait_in_handlers, &throwers[i]));
    }
    CHECK_OK(whorl_group_wait(&group));
    for (const struct thrower &t : throwers)
        CHECK_EQ(t.caught, 20);
}

static int run_handlers(void *arg)
{
    CHECK(!std::current_exception()); /* the thread's is not the task's */
    return wait_in_handlers(arg);
}

TEST(a_run_inside_a_handler_leaves_its_exception_alone)
{
    struct thrower t = {};

    try {
        throw std::runtime_error("around the run");
    } catch (const std::runtime_error &e) {
        CHECK_OK(whorl_run_virtual(nullptr, run_handlers, &t));
        CHECK(std::current_exception());
        CHECK_STR(e.what(), "around the run");
    }
    CHECK_EQ(t.caught, 20);
    CHECK(!std::current_exception());
}

static int fail_for_another(void *arg)
{
    try {
        throw std::out_of_range("too far");
    } catch (...) {
        *static_cast<std::exception_ptr *>(arg) = std::current_exception();
    }
    return 0;
}

TEST_VIRTUAL(an_exception_is_handed_to_another_task)
{
    WHORL_AUTO(group) group = {};
    std::exception_ptr error;
    bool caught = false;

    CHECK_OK(whorl_spawn(&group, fail_for_another, &error));
    CHECK_OK(whorl_group_wait(&group));
    try {
        std::rethrow_exception(error);
    } catch (const std::out_of_range &e) {
        CHECK_STR(e.what(), "too far");
        caught = true;
    }
    CHECK(caught);
}

TEST(an_owned_descriptor_is_closed_on_the_way_out)
{
    int fd = -1;
    try {
        WHORL_AUTO(fd) owner = whorl_fd_own(dup(STDERR_FILENO));
        WHORL_AUTO(fd) none = {};
        fd = whorl_fd_get(&owner);
        CHECK(fcntl(fd, F_GETFD) >= 0);
        CHECK(whorl_fd_get(&none) < 0);
        throw std::runtime_error("out");
    } catch (const std::runtime_error &) {
    }
    CHECK(fcntl(fd, F_GETFD) < 0);
}

static int throw_out(void *arg)
{
    (void)arg;
    throw std::runtime_error("nobody catches me");
}

static void run_throw_out(void *arg)
{
    test_ignore(whorl_run_virtual(nullptr, throw_out, arg));
}

/* The search for a handler ends at the bottom of the task's stack, in std::terminate(). */
TEST(an_exception_that_leaves_its_task_ends_the_process)
{
    static struct child child;

    child_run(&child, run_throw_out, nullptr);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "terminate called"));
    CHECK(strstr(child.err, "nobody catches me"));
}

TEST_MAIN()
