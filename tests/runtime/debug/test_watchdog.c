/* SPDX-License-Identifier: MIT */
/* The watchdog: it names the tasks that keep the thread, and no others. */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/poller.h>
#include <whorl/run.h>

#include "child.h"
#include "runtime/base/debug.h"
#include "runtime/context/sanitizer.h"
#include "runtime/debug/symbol.h"
#include "runtime/poller_idle.h"
#include "test.h"

static __attribute__((noinline)) void compute(int64_t duration_ns)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    int64_t until = ts.tv_sec * WHORL_SECOND + ts.tv_nsec + duration_ns;

    do
        clock_gettime(CLOCK_MONOTONIC, &ts);
    while (ts.tv_sec * WHORL_SECOND + ts.tv_nsec < until);
}

/* A blocking call that takes 250 ms. A signal would shorten the sleep. */
static __attribute__((noinline)) int block(int fd)
{
    struct timespec duration = {0, 250000000};
    char byte;

    if (fd < 0)
        return nanosleep(&duration, NULL) == 0 ? 0 : -errno;
    return read(fd, &byte, 1) == 1 ? 0 : -errno;
}

static int blocked_in_sleep(void *arg)
{
    (void)arg;
    return block(-1);
}

static void *write_late(void *arg)
{
    usleep(250000);
    CHECK_EQ(write(*(int *)arg, "x", 1), 1);
    return NULL;
}

static int blocked(void *arg)
{
    int fds[2];
    pthread_t thread;

    (void)arg;
    CHECK_EQ(pipe(fds), 0);
    CHECK_EQ(pthread_create(&thread, NULL, write_late, &fds[1]), 0);
    int err = block(fds[0]);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    close(fds[0]);
    close(fds[1]);
    return err;
}

static int hog(void *arg)
{
    if (arg)
        whorl_task_set_name(arg);
    compute(250 * WHORL_MILLISECOND);
    return 0;
}

/* In slow builds, the watchdog's thread may get the processor late. */
static int hog_long(void *arg)
{
    (void)arg;
    compute((test_timeout_scale() > 1 ? 1000 : 250) * WHORL_MILLISECOND);
    return 0;
}

static int switch_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < 60; i++) {
        compute(2 * WHORL_MILLISECOND);
        int err = i % 3 ? whorl_yield() : whorl_sleep(WHORL_MICROSECOND);
        if (err)
            return err;
    }
    return 0;
}

static int spawn_named_hog(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int err = whorl_spawn(&group, hog, arg);
    return err ? err : whorl_group_wait(&group);
}

static int sleep_long(void *arg)
{
    (void)arg;
    return whorl_sleep(400 * WHORL_MILLISECOND);
}

static int two_that_switch(void *arg)
{
    WHORL_AUTO(group) group = {0};
    int err = whorl_spawn(&group, switch_often, arg);
    err = err ? err : whorl_spawn(&group, switch_often, arg);
    return err ? err : whorl_group_wait(&group);
}

struct watched {
    whorl_task_fn fn;
    void *arg;
    int64_t watchdog_ns;
    const char *debug; /* value of WHORL_DEBUG */
};

static void run_watched(void *arg)
{
    struct watched *w = arg;
    struct poller_idle poller;
    struct whorl_run_options options = {.watchdog_ns = w->watchdog_ns};

    if (w->debug)
        setenv("WHORL_DEBUG", w->debug, 1);
    else
        unsetenv("WHORL_DEBUG");
    CHECK_OK(poller_idle_init(&poller));
    CHECK_OK(whorl_run_on(&poller.poller, &options, w->fn, w->arg));
    poller_idle_finish(&poller);
}

static const char *report_of(struct watched w)
{
    static struct child child;

    child_run(&child, run_watched, &w);
    CHECK_EQ(child.exit_status, 0);
    return child.err;
}

#define CHECK_REPORT(text, word)                                               \
    do {                                                                       \
        if (!strstr((text), (word)))                                           \
            test_fail(__FILE__, __LINE__, "no \"%s\" in: %s", (word), (text)); \
    } while (0)

TEST(watchdog_reports_a_hog_by_its_name_and_where_it_comes_from)
{
    const char *text =
        report_of((struct watched){spawn_named_hog, "piggy", 20 * WHORL_MILLISECOND, NULL});

    CHECK_REPORT(text, "task 2 piggy has kept its thread for ");
    CHECK_REPORT(text, "(spawned as hog at ");
    text = report_of((struct watched){spawn_named_hog, NULL, 20 * WHORL_MILLISECOND, NULL});
    CHECK_REPORT(text, "task 2 hog at ");
    text = report_of((struct watched){hog, NULL, 20 * WHORL_MILLISECOND, NULL});
    CHECK_REPORT(text, "task 1 root has kept");
}

TEST(watchdog_reports_a_long_stretch_ever_more_rarely)
{
    const char *text = report_of((struct watched){hog, NULL, 10 * WHORL_MILLISECOND, NULL});
    int n = 0;

    for (; (text = strstr(text, "has kept")); text++)
        n++;
    CHECK(n >= 1 && n <= 3); /* at 10 and 40 ms, then at 160 ms; 640 ms is too late */
}

/* Whether a frame of the report is in the function that begins at `address`. */
static bool has_frame_in(const char *text, uintptr_t address)
{
    struct symbol symbol;

    symbol_find(address, &symbol);
    for (const char *at = text; (at = strstr(at, "\n  #")); at++) {
        const char *end = strchr(at + 1, '\n');
        while (end && end[-1] != '+')
            end--;
        uintptr_t in_file = end ? (uintptr_t)strtoull(end, NULL, 16) : 0;
        if (in_file >= symbol.in_file && in_file < symbol.in_file + 512)
            return true;
    }
    return false;
}

TEST(watchdog_shows_where_the_task_computes)
{
#ifdef CONTEXT_TSAN
    test_skip("ThreadSanitizer delays signals");
#endif
    const char *text =
        report_of((struct watched){spawn_named_hog, "piggy", 20 * WHORL_MILLISECOND, NULL});

    CHECK(has_frame_in(text, (uintptr_t)compute));
    CHECK(has_frame_in(text, (uintptr_t)hog));
    CHECK_REPORT(text, "  source lines: addr2line -fipe /");
}

TEST(watchdog_shows_the_call_that_blocks_and_does_not_end_it)
{
    if (test_on_valgrind())
        test_skip("valgrind's stack is not the task's while a call blocks");
    if (test_on_qemu())
        test_skip("qemu does not tell what a thread in a system call waits for");
    const char *text = report_of((struct watched){blocked, NULL, 20 * WHORL_MILLISECOND, NULL});

    CHECK(has_frame_in(text, (uintptr_t)block));
    CHECK(has_frame_in(text, (uintptr_t)blocked));
    text = report_of((struct watched){blocked_in_sleep, NULL, 20 * WHORL_MILLISECOND, NULL});
    CHECK(has_frame_in(text, (uintptr_t)block));
}

static volatile sig_atomic_t urgent;

static void on_urgent(int number)
{
    (void)number;
    urgent++;
}

static int hog_with_handler(void *arg)
{
    hog(arg);
    CHECK_EQ(urgent, 0);
    CHECK_EQ(raise(SIGURG), 0);
    CHECK_EQ(urgent, 1);
    return 0;
}

TEST(watchdog_does_not_use_a_signal_that_the_program_handles)
{
    signal(SIGURG, on_urgent);
    const char *text =
        report_of((struct watched){hog_with_handler, NULL, 20 * WHORL_MILLISECOND, NULL});
    CHECK_REPORT(text, "has kept its thread for ");
    CHECK(!strstr(text, "  #0 "));
}

static int hog_with_new_handler(void *arg)
{
    signal(SIGURG, on_urgent);
    return hog_with_handler(arg);
}

TEST(watchdog_does_not_use_a_signal_that_the_program_handles_later)
{
    const char *text =
        report_of((struct watched){hog_with_new_handler, NULL, 20 * WHORL_MILLISECOND, NULL});
    CHECK_REPORT(text, "has kept its thread for ");
}

static int hog_while_blocked(void *arg)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGURG);
    CHECK_EQ(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    hog(arg);
    CHECK_EQ(pthread_sigmask(SIG_UNBLOCK, &set, NULL), 0);
    return 0;
}

TEST(watchdog_reports_a_hog_that_blocks_the_signal_too)
{
    const char *text =
        report_of((struct watched){hog_while_blocked, NULL, 20 * WHORL_MILLISECOND, NULL});
    CHECK_REPORT(text, "has kept its thread for ");
}

TEST(watchdog_escapes_names)
{
    const char *text =
        report_of((struct watched){spawn_named_hog, "a\x1b]0;b\n", 20 * WHORL_MILLISECOND, NULL});
    CHECK_REPORT(text, "task 2 a");
    CHECK(!strchr(text, 0x1b));
}

TEST(watchdog_is_silent_about_tasks_that_switch_and_runs_that_sleep)
{
    CHECK_STR(report_of((struct watched){sleep_long, NULL, 100 * WHORL_MILLISECOND, NULL}), "");
    CHECK_STR(report_of((struct watched){two_that_switch, NULL, 150 * WHORL_MILLISECOND, NULL}),
              "");
}

TEST(watchdog_is_off_unless_asked_for)
{
    CHECK_STR(report_of((struct watched){hog, NULL, 0, NULL}), "");
    CHECK_STR(report_of((struct watched){hog, NULL, 0, "io"}), "");
    CHECK_STR(report_of((struct watched){hog, NULL, 0, ""}), "");
    CHECK(!strstr(report_of((struct watched){hog, NULL, 0, "watchdogs=1,xwatchdog"}), "has kept"));
}

TEST(watchdog_is_switched_on_by_the_environment)
{
    CHECK_REPORT(report_of((struct watched){hog_long, NULL, 0, "watchdog=20"}), "has kept");
    CHECK_REPORT(report_of((struct watched){hog_long, NULL, 0, "io,watchdog=20,x"}), "has kept");
    /* default: 100 ms */
    CHECK_REPORT(report_of((struct watched){hog_long, NULL, 0, "watchdog"}), "has kept");
    CHECK_STR(report_of((struct watched){hog, NULL, 0, "watchdog=5000"}), "");
    /* The option has priority over the variable. */
    CHECK_STR(report_of((struct watched){hog, NULL, 5 * WHORL_SECOND, "watchdog=20"}), "");
}

static int end_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static int unknown_words(const char *debug, const char *word)
{
    const char *text = report_of((struct watched){end_at_once, NULL, 0, debug});
    char expected[128];
    int lines = 0;

    snprintf(expected, sizeof expected, "whorl: WHORL_DEBUG does not know \"%s\"; its words are ",
             word);
    if (*word)
        CHECK_REPORT(text, expected);
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

TEST(unknown_debug_words_are_named)
{
    CHECK_EQ(unknown_words("wachdog", "wachdog"), 1);
    CHECK_EQ(unknown_words("check,watchdogs=20,io", "watchdogs=20"), 1);
    CHECK_EQ(unknown_words("a,,b,", "a"), 2);
    CHECK_EQ(unknown_words("a,,b", "b"), 2);
    CHECK_EQ(unknown_words("Check", "Check"), 1);
    CHECK_EQ(unknown_words("x\x1b[2J", "x?[2J"), 1);
    CHECK_EQ(unknown_words("check,io,watchdog,watchdog=20,,", ""), 0);
    CHECK_EQ(unknown_words("", ""), 0);
    CHECK_REPORT(report_of((struct watched){end_at_once, NULL, 0, "watchdog=20ms"}),
                 "whorl: WHORL_DEBUG: watchdog=MILLISECONDS needs a number\n");
}

TEST(debug_words_are_found_between_commas)
{
    long value = 0;

    setenv("WHORL_DEBUG", "a,bc=12,d=,=7,,e=x", 1);
    CHECK(debug_has("a", NULL));
    CHECK(debug_has("a", &value));
    CHECK_EQ(value, -1);
    CHECK(debug_has("bc", &value));
    CHECK_EQ(value, 12);
    CHECK(!debug_has("b", &value));
    CHECK(!debug_has("bcd", &value));
    CHECK(debug_has("d", &value));
    CHECK(debug_has("e", &value));
    CHECK(!debug_has("x", &value));
    unsetenv("WHORL_DEBUG");
    CHECK(!debug_has("a", &value));
}

TEST_MAIN()
