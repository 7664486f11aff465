/* SPDX-License-Identifier: MIT */
/* The common parts of the four downloaders: the pages, their results, and the function that fetches
 * one page. So sequential.c, threads.c, tasks.c and processes.c differ only in the model. */
#ifndef MODELS_IO_H
#define MODELS_IO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <whorl.h>

#include "../timeline.h"

enum { THREADS_MAX = 256, PROCESSES_MAX = 256 };

/* The result of one page. */
struct result {
    int status;  /* 200, 404, ...; 0: no response */
    bool reused; /* received over a connection that had been used before */
    int64_t len;
    uint64_t digest;
    struct whorl_error error; /* code 0: received completely, with any status */
};

struct page {
    const char *url;
    bool known; /* true when the next two fields hold the correct values */
    int64_t len;
    uint64_t digest;
    struct result result;
};

/* The pages to fetch and the settings of the models. In memory that forked processes share. */
struct batch {
    int threads, processes;    /* the sizes of the pools */
    int per_site;              /* most connections of a session to one site */
    int timeout_s;             /* the limit for one page */
    struct timeline *timeline; /* NULL: not recorded */
    atomic_int lanes;          /* the number of lanes named by page_lane() */
    atomic_int failures;       /* pages that failed; after too many the others are not tried */
    int err; /* set by the process that runs the model, as are the next two fields */
    int64_t took_ns;
    long peak_kib; /* the memory of the worker processes */
    int count;
    struct page pages[];
};

/* A model: fetches all pages of the batch and stores their results in them. Returns 0, or a
 * negative code when it could not start. */
typedef int (*model_fn)(struct batch *batch);

int run_sequential(struct batch *batch);
int run_threads(struct batch *batch);
int run_tasks(struct batch *batch);
int run_processes(struct batch *batch);

/* Creates a session with the same options for every model. Returns 0 or -ENOMEM. */
int page_session(const struct batch *batch, struct whorl_http_session **ret);

/* Fetches a page and stores its result. */
WHORL_SUSPENDS_SHIELDED void page_get(struct batch *batch, struct whorl_http_session *session,
                                      const struct page *page, struct result *ret);

/* Creates a lane with the name `kind` and a number. */
int page_lane(struct batch *batch, const char *kind);

/* Computes the FNV-1a digest of a text in pieces. The first call gets PAGE_DIGEST_EMPTY. */
#define PAGE_DIGEST_EMPTY UINT64_C(14695981039346656037)
uint64_t page_digest(uint64_t digest, const char *data, size_t len);

#endif
