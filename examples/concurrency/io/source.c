/* SPDX-License-Identifier: MIT */
/* The pages to fetch: those of the demonstration site, which is started here, or given URLs. */
#include "source.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "../../site_pages.h"
#include "../options.h"
#include "page.h"

enum { SITES_MAX = 3 };

static int allocate(struct source *source, const struct settings *settings, int count)
{
    source->size = sizeof *source->batch + (size_t)count * sizeof *source->batch->pages;
    void *memory =
        mmap(NULL, source->size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    source->batch = memory;
    source->batch->threads = settings->threads;
    source->batch->processes = settings->processes;
    source->batch->per_site = settings->per_site;
    source->batch->timeout_s = settings->timeout_s;
    source->batch->count = count;
    return 0;
}

/* --- the site --------------------------------------------------------------------------------- */

/* Runs in the child. */
__attribute__((noreturn)) static void become_site(const char *path, int latency_ms, int pages,
                                                  int out, pid_t parent)
{
    char latency[16], count[16];

    snprintf(latency, sizeof latency, "%d", latency_ms);
    snprintf(count, sizeof count, "%d", pages);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() == parent && dup2(out, STDOUT_FILENO) >= 0)
        execl(path, "site", "--latency", latency, "--pages", count, (char *)NULL);
    fprintf(stderr, "models io: cannot start %s: %s\n", path, strerror(errno));
    _exit(127);
}

/* Starts `site`, which is in the same directory as this program, and waits until it listens.
 * Returns its port, or -1. */
static int start_site(struct source *source, int latency_ms, int pages)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 8);
    pid_t self = getpid();
    int out[2], port = -1;

    path[n < 0 ? 0 : n] = '\0';
    if (!strrchr(path, '/') || pipe2(out, O_CLOEXEC) < 0)
        return -1;
    strcpy(strrchr(path, '/'), "/site");
    source->server = fork();
    if (source->server == 0)
        become_site(path, latency_ms, pages, out[1], self);
    close(out[1]);
    FILE *output = fdopen(out[0], "r");
    if (!output)
        close(out[0]);
    else if (fscanf(output, "listening on port %d", &port) != 1)
        port = -1;
    if (output)
        fclose(output);
    return source->server < 0 ? -1 : port;
}

/* The site assigns its pages to three hosts in turn. Only the first `sites` hosts are used. */
static int fill_from_site(struct source *source, const struct site *site, int sites, int port)
{
    struct page *page = source->batch->pages;

    for (int i = 0; i < site->count; i++) {
        const struct site_page *from = &site->pages[i];
        char *url;
        if (i % SITES_MAX >= sites)
            continue;
        if (asprintf(&url, "http://%s:%d/%s", from->host, port, from->name) < 0)
            return -ENOMEM;
        *page++ = (struct page){.url = url,
                                .known = true,
                                .len = (int64_t)from->len,
                                .digest = page_digest(PAGE_DIGEST_EMPTY, from->text, from->len)};
    }
    return 0;
}

static int open_site(const struct settings *settings, struct source *ret)
{
    int total = settings->pages * SITES_MAX;
    struct site site;

    int err = site_create(&site, total);
    if (err == 0)
        err = allocate(ret, settings, settings->pages * settings->sites);
    int port = err ? -1 : start_site(ret, settings->latency_ms, total);
    if (err == 0 && port <= 0) {
        fputs("models io: the site did not start\n", stderr);
        err = -ECHILD;
    } else if (err == 0) {
        err = fill_from_site(ret, &site, settings->sites, port);
    }
    ret->sites = settings->sites;
    site_finish(&site);
    return err;
}

/* --- given URLs ------------------------------------------------------------------------------- */

static bool is_first_of_origin(const struct whorl_url *urls, int index)
{
    for (int i = 0; i < index; i++)
        if (whorl_url_same_origin(&urls[i], &urls[index]))
            return false;
    return true;
}

/* The number of different sites in the parsed URLs. */
static int count_sites(const struct whorl_url *urls, int count)
{
    int sites = 0;

    for (int i = 0; i < count; i++)
        sites += is_first_of_origin(urls, i);
    return sites;
}

/* Returns 0, or 2 after an error message about one of the URLs. */
static int parse_urls(char **texts, int count, struct whorl_url *ret)
{
    for (int i = 0; i < count; i++) {
        struct whorl_error error;
        int err = whorl_url_parse(texts[i], &error, &ret[i]);
        if (err)
            return options_complain("io", "'%s': %s", texts[i],
                                    error.text[0] ? error.text : whorl_strerror(err));
    }
    return 0;
}

static int open_urls(const struct settings *settings, struct source *ret)
{
    int count = 0, status;

    while (settings->urls[count])
        count++;
    struct whorl_url *urls = calloc((size_t)count, sizeof *urls);
    if (!urls)
        return -ENOMEM;
    status = parse_urls(settings->urls, count, urls);
    if (status == 0)
        status = allocate(ret, settings, count * settings->times);
    ret->sites = count_sites(urls, status ? 0 : count);
    for (int i = 0; i < count * settings->times && status == 0; i++) {
        ret->batch->pages[i].url = strdup(urls[i % count].text);
        status = ret->batch->pages[i].url ? 0 : -ENOMEM;
    }
    for (int i = 0; i < count; i++)
        whorl_url_finish(&urls[i]);
    free(urls);
    return status;
}

/* --- either ----------------------------------------------------------------------------------- */

int source_open(const struct settings *settings, struct source *ret)
{
    *ret = (struct source){0};
    int status = settings->urls[0] ? open_urls(settings, ret) : open_site(settings, ret);

    if (status == -ENOMEM)
        fputs("models io: out of memory\n", stderr);
    return status < 0 ? 1 : status;
}

void source_close(struct source *source)
{
    if (source->server > 0) {
        kill(source->server, SIGTERM);
        while (waitpid(source->server, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    for (int i = 0; source->batch && i < source->batch->count; i++)
        free((char *)source->batch->pages[i].url);
    if (source->batch)
        munmap(source->batch, source->size);
    *source = (struct source){0};
}
