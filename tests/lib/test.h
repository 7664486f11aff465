/* SPDX-License-Identifier: MIT */
/* The test runner. Each TEST is a claim. It runs in its own process with a timeout, and fails when
 * it leaves a descriptor open.
 *
 *     TEST(chan_recv_returns_epipe_after_close) { ... }         // plain, no run
 *     TEST_VIRTUAL(sleep_orders_by_deadline) { ... }            // root task on a virtual clock
 *     TEST_IO(read_returns_what_was_written) { ... }            // root task with the I/O driver
 *     TEST_SEEDS(mutex_excludes_in_any_order) { ... }           // virtual, again for each seed
 *
 * A file ends with TEST_MAIN(). The program prints TAP. Arguments select tests by substring, after
 * `--only` by the whole name; `--list` lists the names. The output of a test is shown when it
 * fails.
 *
 *     TEST_VERBOSE=1         always shows the output
 *     TEST_SEEDS=N           number of seeds for a TEST_SEEDS test (20)
 *     TEST_SEED=N            runs it only with this seed, which a failure has printed
 *     TEST_TIMEOUT_SCALE=N   multiplies the time limits (sanitizers triple them)
 */
#ifndef TEST_H
#define TEST_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <whorl/base.h>
#include <whorl/error.h>

enum test_kind { TEST_PLAIN, TEST_ROOT_VIRTUAL, TEST_ROOT_SEEDS, TEST_ROOT_IO };

/* The body of a test. It may suspend, because most bodies are the root task of a run. */
typedef WHORL_SUSPENDS_SHIELDED void (*test_body_fn)(void);

struct test_case {
    const char *name;
    enum test_kind kind;
    int timeout_s;
    test_body_fn body;
    struct test_case *next;
};

void test_register(struct test_case *test);
int test_main(int argc, char **argv);

#define TEST_DEFINE(name, kind, timeout) TEST_DEFINE_IF(name, kind, timeout, true)

/* A test that exists only on a condition, which is evaluated at the start of the program. */
#define TEST_DEFINE_IF(name_, kind_, timeout_, condition_)                                 \
    static void test_body_##name_(void);                                                   \
    __attribute__((constructor)) static void test_add_##name_(void)                        \
    {                                                                                      \
        static struct test_case test = {#name_, kind_, timeout_, test_body_##name_, NULL}; \
        if (condition_)                                                                    \
            test_register(&test);                                                          \
    }                                                                                      \
    static void test_body_##name_(void)

#define TEST(name)                    TEST_DEFINE(name, TEST_PLAIN, 20)
#define TEST_VIRTUAL(name)            TEST_DEFINE(name, TEST_ROOT_VIRTUAL, 20)
#define TEST_SEEDS(name)              TEST_DEFINE(name, TEST_ROOT_SEEDS, 20)
#define TEST_IO(name)                 TEST_DEFINE(name, TEST_ROOT_IO, 20)
#define TEST_SLOW(name, kind, time_s) TEST_DEFINE(name, kind, time_s)

#define TEST_MAIN()                   \
    int main(int argc, char **argv)   \
    {                                 \
        return test_main(argc, argv); \
    }

/* Whether the test runs under valgrind. There only one thread runs at a time, and a child that is
 * forked while threads run reports their memory as lost. */
bool test_on_valgrind(void);

/* Whether qemu's user emulation runs the test. It lacks io_uring and some other system calls, and
 * it cannot start programs for the emulated processor. */
bool test_on_qemu(void);

/* These end the test's process on failure and print both sides. They may be called from any
 * task. */
void test_fail(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4), noreturn));
/* Ends the test as skipped and prints the reason in its result. */
void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#define CHECK(condition)                                     \
    do {                                                     \
        if (!(condition))                                    \
            test_fail(__FILE__, __LINE__, "%s", #condition); \
    } while (0)
#define CHECK_EQ(actual, expected)                                                       \
    do {                                                                                 \
        long long a_ = (long long)(actual), e_ = (long long)(expected);                  \
        if (a_ != e_)                                                                    \
            test_fail(__FILE__, __LINE__, "%s is %lld, expected %s = %lld", #actual, a_, \
                      #expected, e_);                                                    \
    } while (0)
#define CHECK_STR(actual, expected)                                                 \
    do {                                                                            \
        const char *a_ = (actual), *e_ = (expected);                                \
        if (!a_ || !e_ || strcmp(a_, e_) != 0)                                      \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #actual, \
                      a_ ? a_ : "(null)", e_ ? e_ : "(null)");                      \
    } while (0)
/* Check results of whorl calls and print them by name: CHECK_ERR(err, -ECANCELED),
 * CHECK_OK(err). */
#define CHECK_ERR(actual, expected)                                                    \
    do {                                                                               \
        long long a_ = (long long)(actual), e_ = (long long)(expected);                \
        if (a_ != e_)                                                                  \
            test_fail(__FILE__, __LINE__, "%s is %lld (%s), expected %s", #actual, a_, \
                      a_ < 0 ? whorl_error_name((int)a_) : "ok", #expected);           \
    } while (0)
#define CHECK_OK(actual) CHECK_ERR(actual, 0)

/* Ignores a result. gcc also warns about a cast to void. */
static inline void test_ignore(int64_t result)
{
    (void)result;
}

/* A log of events, to check the order in which tasks run: test_log("a%d", i);
 * CHECK_STR(test_logged(), "a1 b1"); Entries are separated by one space. */
void test_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *test_logged(void);
void test_log_clear(void);

/* Number of descriptors that this process has open, for a test's own leak checks. */
int test_open_fds(void);

/* A new directory under $TMPDIR. It is removed with all its contents when the test's process has
 * ended, also after a crash. */
const char *test_tmpdir(void);

/* Calls `fn(arg)` when the test's body and run have ended successfully, the last registered first,
 * before the descriptors are counted. After a failure it is not called: the processes that a test
 * has started are killed with it. Fixtures stop themselves this way. */
void test_at_end(void (*fn)(void *arg), void *arg);

/* Calls `fn` at the start of each test of this program, outside any run. `fn` may skip the test.
 * For constructors. */
void test_at_start(void (*fn)(void));

/* Removes the function that was registered with `arg`. */
void test_not_at_end(void *arg);

/* The factor with which a test multiplies its own time limits. */
int test_timeout_scale(void);

/* The seed of this round of a TEST_SEEDS test; 0: FIFO order. */
uint64_t test_seed(void);

/* Returns a random number below `n`. The sequence depends only on `*state`. Tasks of a TEST_SEEDS
 * test use it to choose their next action. Each task needs a state of its own, otherwise the
 * sequence depends on the schedule. */
uint64_t test_draw(uint64_t *state, uint64_t n);

#endif
