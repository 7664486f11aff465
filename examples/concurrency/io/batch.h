/* SPDX-License-Identifier: MIT */
/* The pages to fetch, and their results. */
#ifndef MODELS_IO_BATCH_H
#define MODELS_IO_BATCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <whorl/error.h>

struct timeline;

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

#endif
