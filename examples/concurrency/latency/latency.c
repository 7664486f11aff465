/* SPDX-License-Identifier: MIT */
/* `models latency`: how long things take on this machine, from a reference to the first cache to a
 * TLS handshake, beside the figures of a well-known table. */
#include "latency.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/text.h>

#include "../commands.h"
#include "../machine.h"
#include "../options.h"
#include "../output.h"

enum { MIB = 1 << 20, MEASURE_AGAIN_MAX = 3 };

/* The rows in the order of the table. */
enum {
    L1,
    TASK,
    L2,
    MUTEX,
    MEMORY,
    SYSTEM_CALL,
    THREAD,
    PROCESS,
    LOOPBACK,
    READ_MEMORY,
    READ_CACHED,
    NAME,
    FSYNC,
    READ_DISK,
    TLS,
    FAR
};

/* The classic figures are those of Jeff Dean's table, as of 2012. */
const struct latency_row latency_rows[LATENCY_ROWS] = {
    [L1] = {"L1 cache reference", "l1", 0.5, latency_l1},
    [TASK] = {"task switch", "task_switch", 0, latency_task_switch},
    [L2] = {"L2 cache reference", "l2", 7, latency_l2},
    [MUTEX] = {"mutex lock and unlock", "mutex", 25, latency_mutex},
    [MEMORY] = {"main memory reference", "memory", 100, latency_memory},
    [SYSTEM_CALL] = {"system call", "system_call", 0, latency_system_call},
    [THREAD] = {"thread switch", "thread_switch", 0, latency_thread_switch},
    [PROCESS] = {"process switch", "process_switch", 0, latency_process_switch},
    [LOOPBACK] = {"TCP round trip on loopback", "loopback", 0, latency_loopback},
    [READ_MEMORY] = {"1 MiB from memory", "read_memory", 250e3, latency_read_memory},
    [READ_CACHED] = {"1 MiB from the page cache", "read_cached", 0, latency_read_cached},
    [NAME] = {"name look-up, server on loopback", "name", 0, latency_name},
    [FSYNC] = {"fsync of 4 KiB", "fsync", 0, latency_fsync},
    [READ_DISK] = {"1 MiB from the disk", "read_disk", 1e6, latency_read_disk},
    [TLS] = {"TLS handshake on loopback", "tls", 0, latency_tls},
    [FAR] = {"round trip to another continent", "far", 150e6, NULL},
};

/* Each first row is faster than its second one on every machine. */
static const struct order {
    int fast, slow;
} orders[] = {{L1, L2},
              {L2, MEMORY},
              {TASK, THREAD},
              {TASK, PROCESS},
              {MUTEX, THREAD},
              {SYSTEM_CALL, THREAD},
              {SYSTEM_CALL, PROCESS},
              {SYSTEM_CALL, LOOPBACK},
              {SYSTEM_CALL, NAME},
              {SYSTEM_CALL, READ_CACHED},
              {LOOPBACK, TLS}};

enum { ORDERS = sizeof orders / sizeof *orders };

struct run {
    struct latency_settings settings;
    struct machine machine;
    struct latency_result *results; /* LATENCY_ROWS, in shared memory */
};

static const char *format(char *buf, size_t size, double value, const char *const *units)
{
    while (value >= 999.5 && units[1]) {
        value /= 1000;
        units++;
    }
    snprintf(buf, size, "%.*f %s", value < 9.95 ? 1 : 0, value, *units);
    return buf;
}

const char *latency_text(char *buf, size_t size, double ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s", NULL};

    return format(buf, size, ns, units);
}

const char *latency_distance(char *buf, size_t size, double ns)
{
    static const char *const units[] = {"m", "km", NULL};

    return format(buf, size, ns, units);
}

/* Measures in a child process, so that one measurement does not influence the next. Threads and
 * servers end with the child. */
static void measure(struct run *run, int row)
{
    struct latency_result *result = &run->results[row];
    int status;

    *result = (struct latency_result){.err = -ECHILD};
    if (!latency_rows[row].measure) {
        result->err = -EOPNOTSUPP;
        snprintf(result->why, sizeof result->why, "this program uses no network");
        return;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        result->err = latency_rows[row].measure(&run->settings, result);
        _exit(0);
    }
    if (pid < 0)
        result->err = -errno;
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        ;
    if (result->err && !result->why[0])
        snprintf(result->why, sizeof result->why, "%s", whorl_strerror(result->err));
}

static bool is_plausible(const struct run *run, const struct order *order)
{
    const struct latency_result *fast = &run->results[order->fast];
    const struct latency_result *slow = &run->results[order->slow];

    return fast->err || slow->err || fast->ns < slow->ns;
}

/* Measures rows again whose order is impossible, because other programs have disturbed them.
 * Returns the number of orders that remain impossible, after messages. */
static int check_orders(struct run *run)
{
    int wrong = 0;

    for (int i = 0; i < ORDERS; i++) {
        const struct order *order = &orders[i];
        for (int n = 0; n < MEASURE_AGAIN_MAX && !is_plausible(run, order); n++) {
            measure(run, order->fast);
            measure(run, order->slow);
        }
        if (is_plausible(run, order))
            continue;
        fprintf(stderr, "models latency: '%s' cannot take longer than '%s': %g and %g ns\n",
                latency_rows[order->fast].name, latency_rows[order->slow].name,
                run->results[order->fast].ns, run->results[order->slow].ns);
        wrong++;
    }
    return wrong;
}

static void print_table(const struct run *run)
{
    char measured[32], classic[32], distance[32];

    printf("%-34s%10s%10s%16s\n", "", "measured", "classic", "if 1 ns is 1 m");
    for (int i = 0; i < LATENCY_ROWS; i++) {
        const struct latency_result *result = &run->results[i];
        double ns = result->err ? latency_rows[i].classic_ns : result->ns;
        printf("%-34s%10s%10s%16s\n", latency_rows[i].name,
               result->err ? "-" : latency_text(measured, sizeof measured, ns),
               latency_rows[i].classic_ns > 0
                   ? latency_text(classic, sizeof classic, latency_rows[i].classic_ns)
                   : "-",
               ns > 0 ? latency_distance(distance, sizeof distance, ns) : "-");
    }
    printf("\n");
    for (int i = 0; i < LATENCY_ROWS; i++)
        if (run->results[i].err)
            printf("%s: not measured: %s\n", latency_rows[i].name, run->results[i].why);
}

static void print_conclusion(const struct run *run)
{
    const struct latency_result *results = run->results;

    if (results[TASK].err || results[LOOPBACK].err || results[TLS].err)
        return;
    printf("\nIn the time of one round trip on loopback, a thread switches tasks %.0f times.\n"
           "In the time of one TLS handshake it does so %.0f times,\n"
           "and in that of a round trip to another continent %.0f times.\n",
           results[LOOPBACK].ns / results[TASK].ns, results[TLS].ns / results[TASK].ns,
           latency_rows[FAR].classic_ns / results[TASK].ns);
}

/* Writes a JSON string. */
static void put_string(const char *text, FILE *to)
{
    char escaped[6 * 128 + 1];

    whorl_text_escape_json(text, strlen(text), escaped, sizeof escaped);
    fprintf(to, "\"%s\"", escaped);
}

static int write_json(const void *arg, FILE *to)
{
    const struct run *run = arg;

    fprintf(to, "{\"processors\": %d, \"cpu\": ", run->machine.processors);
    put_string(run->machine.cpu, to);
    fputs(", \"kernel\": ", to);
    put_string(run->machine.kernel, to);
    fprintf(to, ", \"runs\": %d, \"rows\": [", run->settings.runs);
    for (int i = 0; i < LATENCY_ROWS; i++) {
        fprintf(to, "%s\n  {\"key\": \"%s\", \"name\": ", i > 0 ? "," : "", latency_rows[i].key);
        put_string(latency_rows[i].name, to);
        if (latency_rows[i].classic_ns > 0)
            fprintf(to, ", \"classic_ns\": %g", latency_rows[i].classic_ns);
        if (run->results[i].err) {
            fputs(", \"why\": ", to);
            put_string(run->results[i].why, to);
        } else {
            fprintf(to, ", \"ns\": %.3f", run->results[i].ns);
        }
        putc('}', to);
    }
    fputs("\n]}\n", to);
    return 0;
}

/* Four times the last cache, so that most references miss it. */
static int choose_memory_mib(void)
{
    long mib = sysconf(_SC_LEVEL3_CACHE_SIZE) * 4 / MIB;

    return mib < 64 ? 64 : mib > 256 ? 256 : (int)mib;
}

static int write_files(const struct run *run, const char *picture, const char *json)
{
    char title[300];
    struct latency_picture drawing = {title, run->results};
    int err = 0;

    snprintf(title, sizeof title, "%d x %s, %s", run->machine.processors, run->machine.cpu,
             run->machine.kernel);
    if (picture)
        err = output_write(picture, latency_draw, &drawing);
    if (json) {
        int failed = output_write(json, write_json, run);
        err = err ? err : failed;
    }
    return err;
}

int latency_main(int argc, char **argv)
{
    struct run run = {
        .settings = {.runs = 41, .directory = ".", .memory_mib = choose_memory_mib()}};
    const char *picture = NULL, *json = NULL;
    int time_us = 500, status;
    struct stat is;
    const struct option_row rows[] = {
        {"runs", "N", "largest number of runs; the medians are shown", .number = &run.settings.runs,
         .min = 1, .max = LATENCY_RUNS_MAX},
        {"time", "US", "how long each run measures, at least", .number = &time_us, .min = 1,
         .max = 1000000},
        {"memory", "MIB", "the memory in which references are made",
         .number = &run.settings.memory_mib, .min = 1, .max = 16384},
        {"directory", "DIR", "where the files are that are read and written; default: here",
         .text = &run.settings.directory},
        {"picture", "FILE.svg", "draw the table on a logarithmic scale", .text = &picture},
        {"json", "FILE.json", "write the table for programs", .text = &json},
        {0}};
    const struct option_table table = {
        "latency", NULL,
        "Measures how long things take here, from a cache reference to a TLS handshake.", rows};

    if (!options_read(&table, argc, argv, &status))
        return status;
    if (stat(run.settings.directory, &is) < 0)
        return options_complain("latency", "cannot use the directory '%s': %s",
                                run.settings.directory, strerror(errno));
    if (!S_ISDIR(is.st_mode))
        return options_complain("latency", "'%s' is not a directory", run.settings.directory);
    if ((picture && output_check(picture) != 0) || (json && output_check(json) != 0))
        return 1;
    run.settings.time_ns = time_us * WHORL_MICROSECOND;
    run.results = mmap(NULL, LATENCY_ROWS * sizeof *run.results, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run.results == MAP_FAILED)
        return 1;
    machine_read(&run.machine);
    printf("%d x %s, %s; medians of %d runs or of one second.\n\n", run.machine.processors,
           run.machine.cpu, run.machine.kernel, run.settings.runs);
    for (int i = 0; i < LATENCY_ROWS; i++)
        measure(&run, i);
    int failed = check_orders(&run);
    print_table(&run);
    print_conclusion(&run);
    if (write_files(&run, picture, json) != 0)
        failed++;
    munmap(run.results, LATENCY_ROWS * sizeof *run.results);
    return failed > 0 ? 1 : 0;
}
