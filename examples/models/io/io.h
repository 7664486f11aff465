/* SPDX-License-Identifier: MIT */
/* What the four downloaders have in common: the pages, what came of them, and how one is fetched, so
 * that what differs between sequential.c, threads.c, tasks.c and processes.c is the model alone. */
#ifndef MODELS_IO_H
#define MODELS_IO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <whorl.h>

#include "../timeline.h"

enum { THREADS_MAX = 256, PROCESSES_MAX = 256 };

/* What came of a page. */
struct result {
    int status;  /* 200, 404, ... */
    bool reused; /* came over a connection that was there */
    int64_t len;
    uint64_t digest;
    struct whorl_error error; /* code 0: it has come, whatever its status */
};

struct page {
    const char *url;
    bool known; /* what is right, in the next two */
    int64_t len;
    uint64_t digest;
    struct result result;
};

/* The pages to fetch, and what a model is to know. Lives in memory that forked processes share. */
struct batch {
    int threads, processes;    /* in the pools */
    int per_site;              /* connections that a session may have to one site */
    int timeout_s;             /* for one page */
    struct timeline *timeline; /* NULL: nobody wants a picture */
    atomic_int lanes;          /* named so far */
    atomic_int failures;       /* pages that did not come; too many, and the rest is not tried */
    int err;                   /* of the process that runs the model, as are the next two */
    int64_t took_ns;
    long peak_kib; /* of its workers */
    int count;
    struct page pages[];
};

/* A model: fetches all of the batch. Returns 0 or a code when it could not even try; what came of the
 * pages is in them. */
typedef int (*model_fn)(struct batch *batch);

int run_sequential(struct batch *batch);
int run_threads(struct batch *batch);
int run_tasks(struct batch *batch);
int run_processes(struct batch *batch);

/* The same client for all of them. NULL when there is no memory. */
int page_session(const struct batch *batch, struct whorl_http_session **ret);

/* Fetches a page and says what came of it. */
WHORL_SUSPENDS_SHIELDED void page_get(struct batch *batch, struct whorl_http_session *session,
                                      const struct page *page, struct result *ret);

/* A further lane of the picture, with a number behind its name. */
int page_lane(struct batch *batch, const char *kind);

/* FNV-1a, piece by piece, beginning with PAGE_DIGEST_EMPTY. */
#define PAGE_DIGEST_EMPTY UINT64_C(14695981039346656037)
uint64_t page_digest(uint64_t digest, const char *data, size_t len);

#endif
