/* SPDX-License-Identifier: MIT */
/* The test runner: forks for each test, kills tests that take too long, counts descriptors, prints
 * TAP. */
#include "test.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <whorl/run.h>
#ifndef TEST_WITHOUT_IO
#include <whorl/io.h>
#endif

enum {
    EXIT_SKIP = 77,
    ENDS_MAX = 32,
    /* Of the output of a failing test, at most this much of the end is shown. */
    OUTPUT_MAX = 256 * 1024,
    SEEDS_DEFAULT = 20,
};

struct test_end {
    void (*fn)(void *arg);
    void *arg;
};

/* The outcome of a test, as its parent process sees it. */
struct outcome {
    int status; /* from waitpid() */
    bool timed_out;
    char *output; /* output of both streams, terminated */
    size_t output_len, output_cap;
};

static struct test_case *tests, **tests_end = &tests;
static char log_text[8192];
static size_t log_len;
static char tmpdir[256]; /* of the running test; made by the first test_tmpdir() */
static bool tmpdir_made;
static struct test_end ends[ENDS_MAX];
static int ends_count;
static uint64_t seed;
static bool *finished; /* shared with the child: the test ran to its end */

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
    printf(seed ? " (seed %llu)\n" : "\n", (unsigned long long)seed);
    funlockfile(stdout);
    va_end(args);
    fflush(stdout);
    _exit(1); /* not exit(): leaks of a failed test do not matter */
}

bool test_on_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");

    return preloaded && strstr(preloaded, "/vgpreload_");
}

bool test_on_qemu(void)
{
    return getenv("TEST_EMULATOR") != NULL; /* set by the cross files in tools/ */
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
    _exit(EXIT_SKIP);
}

void test_at_end(void (*fn)(void *arg), void *arg)
{
    if (ends_count == ENDS_MAX)
        test_fail(__FILE__, __LINE__, "more than %d calls of test_at_end()", ENDS_MAX);
    ends[ends_count++] = (struct test_end){fn, arg};
}

void test_not_at_end(void *arg)
{
    for (int i = 0; i < ends_count; i++)
        if (ends[i].arg == arg)
            ends[i].fn = NULL;
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
    return n - 3; /* without ".", ".." and the descriptor of the directory itself */
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int unlock_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)ftw;
    if (type == FTW_D || type == FTW_DNR)
        chmod(path, 0700);
    return 0;
}

/* Removes a directory with all its contents, including what a test made unreadable. */
static void remove_dir(const char *path)
{
    if (access(path, F_OK) != 0)
        return;
    nftw(path, unlock_one, 16, FTW_PHYS);
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Chooses the directory of the n-th test. The test creates it when it asks for it, and its parent
 * process removes it. */
static void name_tmpdir(int n)
{
    const char *base = getenv("TMPDIR");
    snprintf(tmpdir, sizeof tmpdir, "%s/whorl-test-%d-%d", base && *base ? base : "/tmp",
             (int)getpid(), n);
    remove_dir(tmpdir);
}

const char *test_tmpdir(void)
{
    if (!tmpdir_made && mkdir(tmpdir, 0700) != 0)
        test_fail(__FILE__, __LINE__, "mkdir %s: %s", tmpdir, strerror(errno));
    tmpdir_made = true;
    return tmpdir;
}

int test_timeout_scale(void)
{
    const char *text = getenv("TEST_TIMEOUT_SCALE");
    int scale = text && atoi(text) > 0 ? atoi(text) : 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    scale *= 3;
#endif
    return scale;
}

uint64_t test_seed(void)
{
    return seed;
}

uint64_t test_draw(uint64_t *state, uint64_t n)
{
    /* splitmix64: gives neighbouring states unrelated outputs. */
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) % n;
}

static int run_as_root(void *arg)
{
    ((struct test_case *)arg)->body();
    return 0;
}

static int run_virtual(struct test_case *test)
{
    struct whorl_virtual_options options = {.seed = seed};
    return whorl_run_virtual(&options, run_as_root, test);
}

/* Runs the test once in FIFO order and then in the random orders of $TEST_SEEDS seeds; with
 * $TEST_SEED only in that order. */
static int run_seeds(struct test_case *test)
{
    const char *one = getenv("TEST_SEED"), *many = getenv("TEST_SEEDS");
    uint64_t last = many ? strtoull(many, NULL, 10) : SEEDS_DEFAULT;
    int err = 0;

    if (one) {
        seed = strtoull(one, NULL, 10);
        return run_virtual(test);
    }
    for (seed = 0; err == 0 && seed <= last; seed++) {
        test_log_clear();
        err = run_virtual(test);
    }
    if (err == 0)
        seed = 0;
    return err;
}

static void (*at_start)(void);

void test_at_start(void (*fn)(void))
{
    at_start = fn;
}

/* Outside a run no call suspends. */
static void run_plain(WHORL_ANNOTATE("whorl_unchecked") void (*body)(void))
{
    body();
}

/* In the child: runs the test and exits 0, 1 or EXIT_SKIP. */
static void run_here(struct test_case *test)
{
    int fds = test_open_fds(), err = 0;

    if (at_start)
        at_start();
    switch (test->kind) {
    case TEST_PLAIN:
        run_plain(test->body);
        break;
    case TEST_ROOT_VIRTUAL:
        err = run_virtual(test);
        break;
    case TEST_ROOT_SEEDS:
        err = run_seeds(test);
        break;
    case TEST_ROOT_IO:
#ifdef TEST_WITHOUT_IO
        test_fail(test->name, 0, "built without io/");
#else
        err = whorl_io_run(run_as_root, test);
#endif
        break;
    }
    if (err)
        test_fail(test->name, 0, "the run returned %d (%s)", err, whorl_strerror(err));
    while (ends_count > 0) {
        struct test_end *end = &ends[--ends_count];
        if (end->fn)
            end->fn(end->arg);
    }
    int left = test_open_fds();
    if (left != fds)
        test_fail(test->name, 0, "%d descriptors open before, %d after", fds, left);
    *finished = true;
    exit(0);
}

/* In the child: makes a process group, redirects the output to the pipe, and asks to be killed when
 * the parent ends. */
static void settle_child(int output, const sigset_t *unblock)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigprocmask(SIG_UNBLOCK, unblock, NULL);
    int null = open("/dev/null", O_RDWR);
    dup2(null, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (null > STDERR_FILENO)
        close(null);
    close(output);
    setvbuf(stdout, NULL, _IOLBF, 0);
}

/* Reads what is in the pipe, without waiting. */
static void collect(struct outcome *out, int fd)
{
    for (;;) {
        if (out->output_cap - out->output_len < 4096) {
            if (out->output_cap > OUTPUT_MAX) { /* drop the older half */
                size_t half = out->output_len / 2;
                memmove(out->output, out->output + half, out->output_len - half);
                out->output_len -= half;
            } else {
                out->output_cap = out->output_cap * 2 + 8192;
                out->output = realloc(out->output, out->output_cap);
            }
        }
        ssize_t n = read(fd, out->output + out->output_len, out->output_cap - out->output_len - 1);
        if (n <= 0)
            return;
        out->output_len += (size_t)n;
    }
}

static int64_t clock_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Waits for the child until its time limit, then kills it and all processes it started. */
static void reap(struct outcome *out, pid_t child, int fd, int timeout_s)
{
    int64_t end = clock_ms() + (int64_t)timeout_s * 1000;
    sigset_t none;

    sigemptyset(&none); /* SIGCHLD is unblocked only here, so none is missed */
    for (;;) {
        collect(out, fd);
        if (waitpid(child, &out->status, WNOHANG) == child)
            break;
        int64_t left = end - clock_ms();
        if (left <= 0) {
            out->timed_out = true;
            kill(-child, SIGKILL);
            waitpid(child, &out->status, 0);
            break;
        }
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        struct timespec limit = {.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
        ppoll(&poll_fd, 1, &limit, &none);
        if (poll_fd.revents & POLLHUP && !(poll_fd.revents & POLLIN)) {
            /* The child closed its output but still runs. */
            limit = (struct timespec){.tv_nsec = 1000000};
            ppoll(NULL, 0, &limit, &none);
        }
    }
    kill(-child, SIGKILL); /* processes that the test started and left behind */
    collect(out, fd);
    out->output[out->output_len] = '\0';
}

static void on_child(int signal)
{
    (void)signal;
}

static void run_test(struct outcome *out, struct test_case *test)
{
    int fds[2];
    sigset_t set;

    *out = (struct outcome){0};
    *finished = false;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    signal(SIGCHLD, on_child);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fflush(stdout);
    if (pipe2(fds, O_CLOEXEC) != 0) {
        printf("Bail out! pipe: %s\n", strerror(errno));
        exit(1);
    }
    pid_t child = fork();
    if (child < 0) {
        printf("Bail out! fork: %s\n", strerror(errno));
        exit(1);
    }
    if (child == 0) {
        close(fds[0]);
        signal(SIGCHLD, SIG_DFL);
        settle_child(fds[1], &set);
        run_here(test);
    }
    setpgid(child, child); /* also called here, so that it is done before the first kill() */
    close(fds[1]);
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    reap(out, child, fds[0], test->timeout_s * test_timeout_scale());
    close(fds[0]);
}

/* Prints the test's output as comments, so that it is not taken for results. */
static void print_output(char *text)
{
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        printf(line[0] == '#' ? "%s\n" : "#   %s\n", line);
}

static const char *skip_reason(char *output)
{
    char *found = strstr(output, "# SKIP: ");
    if (!found)
        return "exit status 77";
    found += strlen("# SKIP: ");
    found[strcspn(found, "\n")] = '\0';
    return found;
}

/* Prints the outcome. Returns whether the test counts as passed. */
static bool report(struct outcome *out, int n, const struct test_case *test)
{
    int status = out->status;
    bool verbose = getenv("TEST_VERBOSE") != NULL;

    if (!out->timed_out && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIP) {
        printf("ok %d - %s # SKIP %s\n", n, test->name, skip_reason(out->output));
        return true;
    }
    if (!out->timed_out && WIFEXITED(status) && WEXITSTATUS(status) == 0 && *finished) {
        if (verbose)
            print_output(out->output);
        printf("ok %d - %s\n", n, test->name);
        return true;
    }
    print_output(out->output);
    if (out->timed_out)
        printf("# took more than %d s\n", test->timeout_s * test_timeout_scale());
    else if (WIFSIGNALED(status))
        printf("# ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        printf("# exit status %d%s\n", WEXITSTATUS(status),
               *finished ? "" : " before the end of the test");
    printf("not ok %d - %s\n", n, test->name);
    return false;
}

/* Selects tests by a substring of the name; with --only by the whole name. */
static bool selected(const struct test_case *test, int argc, char **argv)
{
    if (argc < 2)
        return true;
    bool only = strcmp(argv[1], "--only") == 0;
    for (int i = only ? 2 : 1; i < argc; i++)
        if (only ? strcmp(test->name, argv[i]) == 0 : strstr(test->name, argv[i]) != NULL)
            return true;
    return false;
}

int test_main(int argc, char **argv)
{
    int n = 0, failed = 0, total = 0;

    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (struct test_case *t = tests; t; t = t->next)
            puts(t->name);
        return 0;
    }
    for (struct test_case *t = tests; t; t = t->next)
        total += selected(t, argc, argv);
    if (total == 0) {
        fprintf(stderr, "%s: no such test; --list names them\n", argv[0]);
        return 2;
    }
    finished =
        mmap(NULL, sizeof *finished, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (finished == MAP_FAILED) {
        printf("Bail out! mmap: %s\n", strerror(errno));
        return 1;
    }
    printf("1..%d\n", total);
    for (struct test_case *t = tests; t; t = t->next) {
        struct outcome outcome;
        if (!selected(t, argc, argv))
            continue;
        name_tmpdir(++n);
        run_test(&outcome, t);
        remove_dir(tmpdir);
        failed += !report(&outcome, n, t);
        fflush(stdout);
        free(outcome.output);
    }
    return failed ? 1 : 0;
}
