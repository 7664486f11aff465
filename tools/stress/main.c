/* SPDX-License-Identifier: MIT */
/* whorl-stress: measures how tasks scale from a thousand to a million. Each row is measured in a
 * separate process, so that rows do not share memory and a crash affects one row only. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "tools/stack_option.h"
#include "tools/stress/plot.h"
#include "tools/stress/report.h"
#include "tools/stress/run.h"
#include "tools/stress/workloads.h"

#define SIZES_MAX 16

struct options {
    size_t sizes[SIZES_MAX], sizes_count;
    bool chosen[16];         /* workloads by index */
    size_t small_stack_size; /* 0: guarded stacks */
    bool json, quiet;
    const char *plot;
    int timeout_s;
};

static void print_help(FILE *to)
{
    fputs("usage: whorl-stress [OPTION]... [WORKLOAD]...\n"
          "Run 1,000 to 1,000,000 tasks and show the cost of each operation.\n\n"
          "Workloads (default: all):\n",
          to);
    for (size_t i = 0; i < workloads_count; i++)
        fprintf(to, "  %-8s %s\n", workloads[i].name, workloads[i].what);
    fputs("\nOptions:\n"
          "  -n, --sizes N[,N]...  numbers of tasks (1000,10000,100000,1000000)\n"
          "      --stack KIND      stacks: guarded (default), or small: 2k, 4k, 8k\n"
          "      --timeout S       stop a row after S seconds (default: 120)\n"
          "      --plot FILE.svg   draw CPU time per operation against the number of tasks\n"
          "      --json            print one JSON object per row instead of the table\n"
          "  -q, --quiet           do not show progress\n"
          "  -h, --help            print this help\n\n"
          "A lost wake-up or a wrong sum is a failure. Exit status: 0 all rows succeeded,\n"
          "1 a row failed, 2 wrong usage.\n",
          to);
}

static int usage_error(const char *what, const char *value)
{
    fprintf(stderr, "whorl-stress: %s '%s'; see whorl-stress --help\n", what, value);
    return 2;
}

static bool parse_sizes(struct options *options, const char *text)
{
    options->sizes_count = 0;
    while (*text) {
        char *end;
        errno = 0;
        unsigned long long n = strtoull(text, &end, 10);
        if (errno || end == text || n < 1 || n > 10000000 || options->sizes_count == SIZES_MAX ||
            (*end && *end != ','))
            return false;
        options->sizes[options->sizes_count++] = (size_t)n;
        text = *end ? end + 1 : end;
    }
    return options->sizes_count > 0;
}

static int parse(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"sizes", required_argument, NULL, 'n'},   {"stack", required_argument, NULL, 's'},
        {"timeout", required_argument, NULL, 't'}, {"plot", required_argument, NULL, 'p'},
        {"json", no_argument, NULL, 'j'},          {"quiet", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    bool any = false;
    int c;

    while ((c = getopt_long(argc, argv, "n:qh", longs, NULL)) >= 0) {
        switch (c) {
        case 'n':
            if (!parse_sizes(options, optarg))
                return usage_error("bad sizes", optarg);
            break;
        case 's':
            if (!stack_option_parse(optarg, &options->small_stack_size))
                return usage_error("bad kind of stack", optarg);
            break;
        case 't':
            options->timeout_s = atoi(optarg);
            if (options->timeout_s < 1)
                return usage_error("bad timeout", optarg);
            break;
        case 'p':
            options->plot = optarg;
            break;
        case 'j':
            options->json = true;
            break;
        case 'q':
            options->quiet = true;
            break;
        case 'h':
            print_help(stdout);
            exit(0);
        default:
            fputs("see whorl-stress --help\n", stderr);
            return 2;
        }
    }
    for (; optind < argc; optind++) {
        size_t i = 0;
        while (i < workloads_count && strcmp(workloads[i].name, argv[optind]) != 0)
            i++;
        if (i == workloads_count)
            return usage_error("unknown workload", argv[optind]);
        options->chosen[i] = any = true;
    }
    for (size_t i = 0; !any && i < workloads_count; i++)
        options->chosen[i] = true;
    return 0;
}

/* Runs the workload in the child process. The results go to `run`, which is shared memory. */
static void run_here(const struct workload *workload, struct run *run)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    struct whorl_io_options options = {.run.small_stack_size = run->small_stack_size};

    run->err = workload->needs_io ? whorl_io_run_with(&options, NULL, workload->root, run)
                                  : whorl_run_with(&options.run, workload->root, run);
    _exit(0);
}

static void show_progress(const struct workload *workload, const struct run *run, uint64_t done)
{
    fprintf(stderr, "\r\033[K%s, %zu tasks: %llu operations", workload->name, run->tasks,
            (unsigned long long)done);
}

/* Waits for the child and shows its progress. Returns its wait status, or -1 after the timeout. */
static int wait_for(pid_t child, const struct workload *workload, const struct run *run,
                    const struct options *options, struct rusage *ret_usage)
{
    bool show = !options->quiet && isatty(STDERR_FILENO);
    int64_t until = whorl_after(options->timeout_s * WHORL_SECOND);
    int status;

    for (;;) {
        if (wait4(child, &status, WNOHANG, ret_usage) == child)
            break;
        if (whorl_now() > until) {
            kill(child, SIGKILL);
            wait4(child, &status, 0, ret_usage);
            status = -1;
            break;
        }
        if (show)
            show_progress(workload, run, *run->progress);
        poll(NULL, 0, 50);
    }
    if (show)
        fputs("\r\033[K", stderr);
    return status;
}

static void judge(const struct run *run, int status, const struct options *options,
                  struct result *result)
{
    char *error = result->error;
    size_t size = sizeof result->error;

    if (status == -1)
        snprintf(error, size, "not finished after %d s (%llu operations)", options->timeout_s,
                 (unsigned long long)*run->progress);
    else if (WIFSIGNALED(status))
        snprintf(error, size, "killed by signal %d", WTERMSIG(status));
    else if (run->err)
        snprintf(error, size, "%s", whorl_strerror(run->err));
    else if (run->sum != run->expected)
        snprintf(error, size, "sum is %llu, expected %llu", (unsigned long long)run->sum,
                 (unsigned long long)run->expected);
}

static int measure(const struct workload *workload, size_t tasks, const struct options *options,
                   struct result *result)
{
    size_t size = sizeof(struct run) + sizeof(uint64_t);
    struct run *run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct rusage usage = {0};

    *result = (struct result){
        .workload = workload, .tasks = tasks, .small_stack_size = options->small_stack_size};
    if (run == MAP_FAILED)
        return -errno;
    run->tasks = tasks;
    run->small_stack_size = options->small_stack_size;
    run->bytes_per_task = -1;
    run->progress = (uint64_t *)(run + 1);
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0)
        run_here(workload, run);
    int status = wait_for(child, workload, run, options, &usage);
    judge(run, status, options, result);
    result->ops = run->ops;
    result->wall_s = (double)run->wall_ns / 1e9;
    result->cpu_ns_per_op = run->ops ? (double)run->cpu_ns / (double)run->ops : 0;
    result->p50_ns = histogram_percentile(&run->latency, 50);
    result->p99_ns = histogram_percentile(&run->latency, 99);
    result->bytes_per_task = run->bytes_per_task;
    result->peak_rss = (int64_t)usage.ru_maxrss * 1024;
    munmap(run, size);
    return 0;
}

int main(int argc, char **argv)
{
    struct options options = {
        .sizes = {1000, 10000, 100000, 1000000}, .sizes_count = 4, .timeout_s = 120};
    static struct result results[16 * SIZES_MAX];
    size_t count = 0;
    bool failed = false;

    int err = parse(argc, argv, &options);
    if (err)
        return err;
    if (!options.json)
        report_header(stdout, options.small_stack_size);
    for (size_t i = 0; i < workloads_count; i++) {
        for (size_t k = 0; options.chosen[i] && k < options.sizes_count; k++) {
            struct result *result = &results[count];
            err = measure(&workloads[i], options.sizes[k], &options, result);
            if (err) {
                fprintf(stderr, "whorl-stress: %s\n", whorl_strerror(err));
                return 1;
            }
            (options.json ? report_json : report_row)(stdout, result);
            fflush(stdout);
            failed = failed || result->error[0];
            count++;
        }
    }
    if (options.plot && (err = plot_write(options.plot, results, count)) < 0) {
        fprintf(stderr, "whorl-stress: %s: %s\n", options.plot, whorl_strerror(err));
        failed = true;
    }
    if (ferror(stdout) || fflush(stdout) != 0) {
        fputs("whorl-stress: cannot write the results\n", stderr);
        failed = true;
    }
    return failed ? 1 : 0;
}
