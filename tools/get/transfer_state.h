/* SPDX-License-Identifier: MIT */
/* One transfer, as the files transfer*.c see it, and where its file goes.
 *
 *     transfer.c            from the settings to the end
 *     transfer_retry.c      attempts until one succeeds, or none would
 *     transfer_settings.c   what the user and the list say about the URL
 *     transfer_earlier.c    the file that an earlier run has left, and the manifest
 *     transfer_attempt.c    one attempt: a request, its response, its body
 *     transfer_keep.c       files that are continued after an interruption
 *     transfer_store.c      the body becomes a file, and is verified
 *     transfer_answer.c     what a response says, for the outcome and for the schedule
 *     transfer_error.c      the texts of failures
 *
 * Includes go downwards only. */
#ifndef WHORL_GET_TRANSFER_STATE_H
#define WHORL_GET_TRANSFER_STATE_H

#include <whorl/http.h>
#include <whorl/limiter.h>
#include <whorl/url.h>

#include "tools/get/download.h"
#include "tools/get/entry.h"
#include "tools/get/existing.h"
#include "tools/get/get.h"
#include "tools/get/manifest.h"
#include "tools/get/target.h"
#include "tools/get/verify.h"

struct transfer {
    struct get *get;
    struct schedule_item *scheduled;
    struct whorl_url url;
    struct target target;  /* from the URL */
    char taken[NAME_SIZE]; /* the name with a number, used when the plain name is taken */
    const char *path; /* relative to the directory of the target; NULL when no file was opened */
    char *full_path;  /* owned; see full_path() */
    char *location;   /* owned; where a mirrored URL redirects; NULL: nowhere */
    char type[64];    /* the Content-Type header of the last response; "": none */
    bool in_place;    /* the body went where it cannot be taken back, so there is no other try */
    bool is_foreign;  /* a link of a page leads here, and the user's secrets stay away */
    bool is_over;     /* what the task does now is no part of the transfer */
    bool is_refused;  /* the host wants fewer requests */
    int64_t asked_ns; /* the delay from the Retry-After header, or -1 */
    char refused[NAME_SIZE]; /* the host that refused the last connection; "": none did */
    uint16_t refused_port;
    char dialed[NAME_SIZE]; /* the server or proxy that could not be connected to; "": none */
    uint16_t dialed_port;
    char opened[NAME_SIZE]; /* the server of the last connection */
    uint16_t opened_port;
    struct outcome outcome;
    struct followed followed;
    char *final_url;
    struct entry entry;       /* the settings of the URL */
    const char *source;       /* the URL that is asked: that of the item, or one of its mirrors */
    size_t mirrors_tried;     /* of the first ones */
    const char *worth_trying; /* the URL whose failure may have been temporary; NULL: none */
    struct whorl_http_header *headers; /* owned; those of all URLs and of this one */
    size_t headers_count;
    struct whorl_limiter limiter; /* of --limit-rate-each; shared by its connections */
    struct verify verify;
    struct existing existing;    /* the file that has the name already */
    bool is_conditional;         /* the last request of the whole file was; 304 is a success */
    char modified[64];           /* the Last-Modified header of the last response; "": none */
    char *etag;                  /* its ETag header; owned; NULL: none */
    struct manifest_line before; /* what --manifest says about the file; `json` NULL: nothing */
    bool is_elsewhere;  /* the server says "not modified" of another URL than that of `before` */
    bool is_bad;        /* the body is not the expected one: its name ends with ".bad" */
    char *bad_path;     /* owned */
    char *plan;         /* owned */
    char why[512];      /* what is wrong with the body; "": nothing */
    bool may_keep;      /* a part may be kept and continued */
    bool has_part_name; /* the download knows the names of its part */
    struct download download;
    int failures;      /* attempts that failed since one that has received new bytes of a part */
    int64_t had_bytes; /* of the part, at the end of the last attempt */
};

/* Whether --output is standard output. */
bool transfer_to_stdout(const struct options *options);

/* A path of this transfer, relative to --dir. Valid until the next call. */
const char *transfer_full_path(struct transfer *t, const char *path);

/* Where the file is, or goes unless its name is taken; in transfer_where(). A dry run does not open
 * the directory of the target. */
const char *transfer_wanted_path(struct transfer *t);

/* The descriptor of the directory that transfer_wanted_path() is relative to; may be AT_FDCWD. */
int transfer_where(const struct transfer *t);

/* Whether a header of the user makes the response another one than that with the whole file. */
bool transfer_has_conditions(const struct transfer *t);

/* Whether the output is a regular file, or does not exist yet, and is not open already. */
WHORL_SUSPENDS bool transfer_is_plain_output(const char *output);

#endif
