/* SPDX-License-Identifier: MIT */
/* The test runner: forks for each test, kills what takes too long, counts descriptors, prints TAP. */
#define _GNU_SOURCE
#include "test.h"

#include <dirent.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <whorl/io.h>
#include <whorl/run.h>

enum { EXIT_SKIP = 77 };

static struct test_case *tests, **tests_end = &tests;
static char log_text[8192];
static size_t log_len;
static char tmpdir[256];
static pid_t tmpdir_owner;

void test_register(struct test_case *test)
{
    *tests_end = test;
    tests_end = &test->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    flockfile(stdout);
    printf("# %s:%d: ", file, line);
    vprintf(format, args);
    printf("\n");
    funlockfile(stdout);
    va_end(args);
    fflush(stdout);
    exit(1);
}

void test_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("# SKIP: ");
    vprintf(format, args);
    printf("\n");
    va_end(args);
    fflush(stdout);
    exit(EXIT_SKIP);
}

void test_log(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (log_len > 0 && log_len + 1 < sizeof log_text)
        log_text[log_len++] = ' ';
    int n = vsnprintf(log_text + log_len, sizeof log_text - log_len, format, args);
    va_end(args);
    if (n > 0)
        log_len += (size_t)n;
    if (log_len >= sizeof log_text)
        log_len = sizeof log_text - 1;
}

const char *test_logged(void)
{
    log_text[log_len] = '\0';
    return log_text;
}

void test_log_clear(void)
{
    log_len = 0;
    log_text[0] = '\0';
}

int test_open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;
    if (!dir)
        return -1;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 3; /* ".", ".." and the folder's own */
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tmpdir(void)
{
    if (tmpdir[0] && getpid() == tmpdir_owner)
        nftw(tmpdir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *test_tmpdir(void)
{
    if (!tmpdir[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(tmpdir, sizeof tmpdir, "%s/whorl-test-XXXXXX", base && *base ? base : "/tmp");
        if (!mkdtemp(tmpdir))
            test_fail(__FILE__, __LINE__, "mkdtemp %s: %m", tmpdir);
        tmpdir_owner = getpid();
        atexit(remove_tmpdir);
    }
    return tmpdir;
}

static int run_as_root(void *arg)
{
    ((struct test_case *)arg)->body();
    return 0;
}

/* In the child: runs the test and exits 0, 1 or EXIT_SKIP. */
static void run_here(struct test_case *test)
{
    int fds = test_open_fds(), err = 0;

    switch (test->kind) {
    case TEST_PLAIN:
        test->body();
        break;
    case TEST_ROOT_VIRTUAL:
        err = whorl_run_virtual(NULL, run_as_root, test);
        break;
    case TEST_ROOT_IO:
        err = whorl_io_run(run_as_root, test);
        break;
    }
    if (err)
        test_fail(test->name, 0, "the run returned %d (%s)", err, whorl_strerror(err));
    int left = test_open_fds();
    if (left != fds)
        test_fail(test->name, 0, "%d descriptors open before, %d after", fds, left);
    exit(0);
}

/* Waits for the child until the deadline, then kills it. Returns its wait status. */
static int reap(pid_t child, int timeout_s)
{
    sigset_t set;
    int status;
    struct timespec limit = {.tv_sec = timeout_s};

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    for (;;) {
        if (waitpid(child, &status, WNOHANG) == child)
            return status;
        if (sigtimedwait(&set, NULL, &limit) < 0 && errno == EAGAIN) {
            printf("# took more than %d s\n", timeout_s);
            kill(-child, SIGKILL);
            waitpid(child, &status, 0);
            return status;
        }
    }
}

static bool selected(const struct test_case *test, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strstr(test->name, argv[i]))
            return true;
    return argc < 2;
}

int test_main(int argc, char **argv)
{
    int n = 0, failed = 0, total = 0;
    const char *scale_text = getenv("TEST_TIMEOUT_SCALE");
    int scale = scale_text && atoi(scale_text) > 0 ? atoi(scale_text) : 1;
    sigset_t set;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (struct test_case *t = tests; t; t = t->next)
            puts(t->name);
        return 0;
    }
    for (struct test_case *t = tests; t; t = t->next)
        total += selected(t, argc, argv);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("1..%d\n", total);
    for (struct test_case *t = tests; t; t = t->next) {
        if (!selected(t, argc, argv))
            continue;
        fflush(stdout);
        pid_t child = fork();
        if (child < 0) {
            printf("Bail out! fork: %m\n");
            return 1;
        }
        if (child == 0) {
            setpgid(0, 0);
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            sigprocmask(SIG_UNBLOCK, &set, NULL);
            run_here(t);
        }
        int status = reap(child, t->timeout_s * scale);
        kill(-child, SIGKILL); /* whatever the test started and left behind */
        n++;
        if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
            printf("ok %d - %s # SKIP\n", n, t->name);
        } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
            printf("ok %d - %s\n", n, t->name);
        } else {
            if (WIFSIGNALED(status))
                printf("# ended by signal %d (%s)\n", WTERMSIG(status),
                       strsignal(WTERMSIG(status)));
            printf("not ok %d - %s\n", n, t->name);
            failed++;
        }
    }
    return failed ? 1 : 0;
}
