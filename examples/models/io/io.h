/* SPDX-License-Identifier: MIT */
/* What the four models have in common: the pages to fetch and what is noted about each. */
#ifndef MODELS_IO_H
#define MODELS_IO_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

enum { WORKERS_MAX = 16, PAGE_MAX = 65536 };

/* A page, and once it has been fetched what came of it. */
struct job {
    const char *host, *name;
    int worker; /* who fetched it */
    int err;    /* 0 or -errno */
    size_t len; /* of the body */
    uint64_t digest;
    int64_t asked_ns, came_ns, done_ns; /* request begun, answer there, work on it done */
};

struct batch {
    struct job *jobs;
    int count;
    int workers;
    struct sockaddr_in addr; /* of the site */
};

/* A model: fetches all of the batch. Returns 0 or -errno; failed pages say so themselves. */
typedef int (*model_fn)(struct batch *batch);

int run_sequential(struct batch *batch);
int run_threads(struct batch *batch);
int run_tasks(struct batch *batch);
int run_processes(struct batch *batch);

/* Fetches a page with system calls that block, as the first, second and fourth model do. */
void get_blocking(const struct batch *batch, struct job *job);

/* The request for a page; returns its length. */
int make_request(const struct job *job, char *buf, size_t size);

/* Works on an answer: finds the body, and digests it again and again so that it takes some time. */
void use_answer(struct job *job, const char *answer, size_t len);

uint64_t digest(const char *data, size_t len);
int64_t now_ns(void);

#endif
