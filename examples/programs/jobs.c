/* SPDX-License-Identifier: MIT */
/* A job runner: runs the shell commands of a list, N at a time.
 *
 * A job that fails or exceeds its time limit is repeated. Its output is collected and printed at
 * its end, so the outputs of two jobs are never mixed. Each job has a process group, so its time
 * limit ends the programs that it has started, too. After Ctrl-C no job is started, and those that
 * run get SIGTERM, and SIGKILL two seconds later.
 * Next: api_client.c */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <whorl.h>

enum outcome { NOT_RUN, FAILED, SUCCEEDED };

struct job {
    char *command;
    int number;
    enum outcome outcome;
};

struct list {
    struct job *jobs;
    size_t count;
};

static long at_once = 4, limit_s = 60, tries = 1;
static struct whorl_mutex printing = {.name = "standard output"};

/* Runs the command once with its output going to `out`. Describes its end in `how`. */
static WHORL_SUSPENDS int run_once(const struct job *job, int out, char *how, size_t size)
{
    const char *argv[] = {"/bin/sh", "-c", job->command, NULL};
    const struct whorl_process_options options = {.argv = argv,
                                                  .in.kind = WHORL_PROCESS_NULL,
                                                  .out = {WHORL_PROCESS_FD, out},
                                                  .err = {WHORL_PROCESS_FD, out},
                                                  .new_group = true};
    WHORL_AUTO(process) *process = NULL;
    struct whorl_process_exit end = {0};
    struct whorl_scope scope;

    int err = whorl_process_spawn(&options, &process);
    if (err)
        return err;
    whorl_scope_enter_until_stop(&scope, whorl_after(limit_s * WHORL_SECOND));
    err = whorl_scope_leave(&scope, whorl_process_wait(process, &end));
    if (err) {
        snprintf(how, size, err == -ETIMEDOUT ? "took too long" : "interrupted");
        int stopped = whorl_process_stop(process, 2 * WHORL_SECOND, NULL);
        return stopped ? stopped : err;
    }
    if (end.signal)
        snprintf(how, size, "ended by signal %d", end.signal);
    else
        snprintf(how, size, "status %d", end.status);
    return end.status == 0 ? 0 : -ECHILD;
}

/* Prints the outcome of a job, followed by its output. */
static WHORL_SUSPENDS int report(const struct job *job, const char *how, int tried, int out)
{
    char buf[4096];
    ssize_t n;

    int err = whorl_mutex_lock(&printing);
    if (err)
        return err;
    printf("[%d] %s%s after %d %s: %s\n", job->number,
           job->outcome == SUCCEEDED ? "" : "FAILED: ", how, tried, tried == 1 ? "try" : "tries",
           job->command);
    fflush(stdout);
    for (off_t at = 0; err == 0 && (n = whorl_pread(out, buf, sizeof buf, at)) > 0; at += n)
        err = whorl_write_all(STDOUT_FILENO, buf, (size_t)n);
    whorl_mutex_unlock(&printing);
    return err;
}

static int run_job(void *arg)
{
    struct job *job = arg;
    char how[64] = "";
    int tried = 0;
    WHORL_AUTO(fd) out = whorl_fd_own(memfd_create("output", MFD_CLOEXEC));
    int fd = whorl_fd_get(&out), err = fd < 0 ? -EMFILE : -ECHILD;

    while (err && tried < tries && fd >= 0 && !whorl_stop_requested()) {
        if (tried > 0 && (err = whorl_sleep(100 * WHORL_MILLISECOND << tried)) != 0)
            return err;
        err = run_once(job, fd, how, sizeof how);
        if (!how[0])
            snprintf(how, sizeof how, "%s", whorl_strerror(err));
        tried++;
    }
    if (tried == 0)
        return err;
    job->outcome = err ? FAILED : SUCCEEDED;
    return report(job, how, tried, fd);
}

static int run_all(void *arg)
{
    const struct list *list = arg;

    return whorl_map(run_job, list->jobs, sizeof *list->jobs, list->count, (size_t)at_once, NULL);
}

static int root(void *arg)
{
    static const int numbers[] = {SIGINT, SIGTERM, 0};
    WHORL_AUTO(signals) *signals = NULL;
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    int err = whorl_signals_open(numbers, &signals);
    if (err == 0)
        err = whorl_spawn(&group, run_all, arg);
    if (err)
        return err;
    struct whorl_case cases[] = {whorl_case_group(&group), whorl_case_signal(signals, NULL)};
    int taken = whorl_select(cases, 2);
    if (taken == 1)
        fprintf(stderr, "jobs: interrupted\n");
    err = whorl_group_stop(&group, WHORL_FOREVER);
    return taken == 1 ? -EINTR : taken < 0 ? taken : err;
}

/* Reads one command per line. Empty lines, and those that begin with #, are left out. */
static int read_list(const char *path, struct list *ret)
{
    FILE *from = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    char *line = NULL;
    size_t size = 0;

    while (from && getline(&line, &size, from) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0' || line[0] == '#')
            continue;
        struct job *jobs = realloc(ret->jobs, (ret->count + 1) * sizeof *jobs);
        if (!jobs)
            return -ENOMEM;
        ret->jobs = jobs;
        jobs[ret->count] = (struct job){.command = line, .number = (int)ret->count + 1};
        ret->count++;
        line = NULL;
    }
    free(line);
    return from ? 0 : -errno;
}

int main(int argc, char **argv)
{
    struct list list = {0};
    int counts[3] = {0}, option;

    while ((option = getopt(argc, argv, "n:t:r:")) != -1)
        *(option == 'n'   ? &at_once
          : option == 't' ? &limit_s
                          : &tries) = atol(optarg ? optarg : "0");
    if (optind + 1 != argc || at_once < 1 || limit_s < 1 || tries < 1 || tries > 10) {
        fputs("usage: jobs [-n AT_ONCE] [-t SECONDS] [-r TRIES] FILE\n", stderr);
        return 2;
    }
    int err = read_list(argv[optind], &list);
    if (err == 0 && list.count > 0)
        err = whorl_io_run(root, &list);
    if (err && err != -EINTR)
        fprintf(stderr, "jobs: %s\n", whorl_strerror(err));
    for (size_t i = 0; i < list.count; i++) {
        counts[list.jobs[i].outcome]++;
        free(list.jobs[i].command);
    }
    printf("%zu jobs: %d succeeded, %d failed, %d not run\n", list.count, counts[SUCCEEDED],
           counts[FAILED], counts[NOT_RUN]);
    free(list.jobs);
    return err == -EINTR ? 130 : err || counts[SUCCEEDED] < (int)list.count ? 1 : 0;
}
