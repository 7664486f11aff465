/* SPDX-License-Identifier: MIT */
/* The four concurrency models side by side on one small downloader: starts the demonstration site,
 * fetches the same pages with each, checks every page, and shows who waited when. */
#include "io.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../site_pages.h"
#include "../commands.h"
#include "../options.h"

enum { PAGES = 24, WORKERS = 8, COLUMNS = 64, LATENCY_MS = 50 };

static const struct model {
    const char *name;
    model_fn run;
    int workers;
} models[] = {
    {"sequential", run_sequential, 1},
    {"threads", run_threads, WORKERS},
    {"tasks", run_tasks, WORKERS},
    {"processes", run_processes, WORKERS},
};

struct outcome {
    int64_t began_ns, took_ns;
    long rss_kib; /* peak, of all processes together */
    int right;
};

/* Starts the program beside this one. Returns the port, or -1. */
static int start_site(pid_t *ret_pid)
{
    char path[4096], latency[16], pages[16];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 32);
    int out[2], port = -1;

    if (n < 0 || pipe(out) < 0)
        return -1;
    path[n] = '\0';
    if (strrchr(path, '/'))
        *strrchr(path, '/') = '\0';
    strcat(path, "/site");
    snprintf(latency, sizeof latency, "%d", LATENCY_MS);
    snprintf(pages, sizeof pages, "%d", PAGES);
    *ret_pid = fork();
    if (*ret_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execl(path, "site", "--latency", latency, "--pages", pages, (char *)NULL);
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        _exit(127);
    }
    close(out[1]);
    FILE *said = fdopen(out[0], "r");
    if (said) {
        if (fscanf(said, "listening on port %d", &port) != 1)
            port = -1;
        fclose(said);
    }
    return port;
}

/* Runs a model in a process of its own, so that its memory can be told from the others'. `batch` is
 * shared with it. */
static int run(const struct model *model, struct batch *batch, struct outcome *ret)
{
    struct rusage usage;
    int status;

    fflush(stdout);
    ret->began_ns = now_ns();
    pid_t pid = fork();
    if (pid == 0) {
        int err = model->run(batch);
        struct rusage workers;
        getrusage(RUSAGE_CHILDREN, &workers);
        /* What the largest worker had stands for each of them. */
        ret->rss_kib = workers.ru_maxrss * model->workers;
        _exit(err ? 1 : 0);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
        return -errno;
    ret->took_ns = now_ns() - ret->began_ns;
    ret->rss_kib += usage.ru_maxrss;
    return status ? -ECHILD : 0;
}

/* Draws a line a worker: '.' while it waits for an answer, '#' while it works on one. */
static void draw(const struct batch *batch, const struct outcome *outcome)
{
    for (int worker = 0; worker < batch->workers; worker++) {
        char line[COLUMNS + 1];
        memset(line, ' ', COLUMNS);
        line[COLUMNS] = '\0';
        for (int i = 0; i < batch->count; i++) {
            const struct job *job = &batch->jobs[i];
            if (job->worker != worker || job->err)
                continue;
            int64_t unit_ns = outcome->took_ns / COLUMNS + 1;
            for (int64_t at = (job->asked_ns - outcome->began_ns) / unit_ns;
                 at <= (job->done_ns - outcome->began_ns) / unit_ns && at < COLUMNS; at++)
                if (at >= (job->came_ns - outcome->began_ns) / unit_ns)
                    line[at] = '#';
                else if (line[at] == ' ')
                    line[at] = '.';
        }
        printf("  %d |%s|\n", worker + 1, line);
    }
}

static int check(const struct batch *batch, const struct site *site)
{
    int right = 0;

    for (int i = 0; i < batch->count; i++) {
        const struct job *job = &batch->jobs[i];
        right += job->err == 0 && job->len == site->pages[i].len &&
                 job->digest == digest(site->pages[i].text, site->pages[i].len);
    }
    return right;
}

static int compare(const struct site *site, int port)
{
    enum { MODELS = sizeof models / sizeof *models };
    size_t size = sizeof(struct job) * PAGES + sizeof(struct outcome) * MODELS;
    struct job *jobs = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int failed = 0;

    if (jobs == MAP_FAILED)
        return 1;
    struct outcome *outcomes = (struct outcome *)(jobs + PAGES);
    struct batch batch = {.jobs = jobs, .count = PAGES};
    batch.addr = (struct sockaddr_in){.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    printf("%d pages, each %d ms away. '.' waits, '#' works.\n", PAGES, LATENCY_MS);
    for (int m = 0; m < MODELS; m++) {
        for (int i = 0; i < PAGES; i++)
            jobs[i] = (struct job){.host = site->pages[i].host, .name = site->pages[i].name};
        batch.workers = models[m].workers;
        int err = run(&models[m], &batch, &outcomes[m]);
        outcomes[m].right = check(&batch, site);
        failed += err || outcomes[m].right != PAGES;
        printf("\n%s, %.0f ms\n", models[m].name, (double)outcomes[m].took_ns / 1e6);
        draw(&batch, &outcomes[m]);
    }
    printf("\n%-12s %8s %8s %12s %8s\n", "", "workers", "ms", "peak KiB", "right");
    for (int m = 0; m < MODELS; m++)
        printf("%-12s %8d %8.0f %12ld %5d/%d\n", models[m].name, models[m].workers,
               (double)outcomes[m].took_ns / 1e6, outcomes[m].rss_kib, outcomes[m].right, PAGES);
    munmap(jobs, size);
    return failed ? 1 : 0;
}

int io_main(int argc, char **argv)
{
    const struct option_row rows[] = {{0}};
    const struct option_table table = {"io", NULL, "Downloads the same pages in four models.",
                                       rows};
    struct site site;
    pid_t pid;
    int wrong;

    if (!options_read(&table, argc, argv, &wrong))
        return wrong;
    if (site_create(&site, PAGES) < 0)
        return 1;
    int port = start_site(&pid);
    int status = port > 0 ? compare(&site, port) : 1;
    if (pid > 0) {
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
    }
    site_finish(&site);
    return status;
}
