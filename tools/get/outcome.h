/* SPDX-License-Identifier: MIT */
/* How a transfer, or a try of it, ended. */
#ifndef WHORL_GET_OUTCOME_H
#define WHORL_GET_OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include <whorl/error.h>
#include <whorl/http.h>

#include "tools/get/crawl_place.h"

/* The outcome of one transfer. Strings are borrowed for the call. */
struct outcome {
    const char *url;       /* as the user gave it; NULL when a list could not be read */
    const char *final_url; /* after redirects; NULL when there was no response */
    bool moved;            /* `final_url` is where it redirects, and is fetched by itself */
    const char *dir;       /* the directory of `file` and `place`; NULL is the current directory */
    const char *file;      /* its final name; NULL for none, "-" for standard output */
    const char *place;     /* the file that the failed step was about, NULL for none */
    const char *list;      /* the list which contains the URL, NULL for an argument */
    long line;
    struct crawl_place crawl;
    const char *method; /* of the request; NULL when there was none */
    int status;         /* of the last response, or 0 */
    int tries;          /* 0: the transfer never started */
    int64_t bytes;      /* of the body, as received, before decoding */
    int64_t written;    /* of the body, to the file or standard output, after decoding */
    int64_t duration_ns;
    struct whorl_http_timing timing; /* of the last response */
    struct whorl_http_info info;     /* of the last request; its `request` is 0 if unknown */
    const char *afresh; /* why a partial file was not continued; NULL: there was none, or it was */
    int64_t resumed_from; /* bytes that an earlier run had left */
    int64_t wasted;       /* of `bytes`, those that were there already */
    int64_t reread;       /* bytes of the partial file that were read again for its hashes */
    int splits;           /* connections besides the first one that fetched a part of the file */
    int64_t kept;         /* bytes that are kept for the next run */
    bool ok, interrupted;
    const char *plan;     /* --dry-run: what is known about the file; NULL: this was no dry run */
    const char *existing; /* what became of a file that was there: "skipped", "not modified",
                             "replaced", "complete"; NULL: there was none, or it is still there */
    bool mismatched;      /* the body is not the expected one */
    const char *verified; /* the strongest hash that was as expected: "sha256"; NULL: none */
    struct whorl_error error; /* valid unless `ok`; the code is 0 if the status is the failure */
};

#endif
