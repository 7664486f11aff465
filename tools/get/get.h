/* SPDX-License-Identifier: MIT */
/* The state which all transfers of one whorl-get process share. */
#ifndef WHORL_GET_GET_H
#define WHORL_GET_GET_H

#include <stdint.h>

#include <whorl/http_retry.h>
#include <whorl/limiter.h>

#include "tools/get/ask.h"
#include "tools/get/checksums.h"
#include "tools/get/events.h"
#include "tools/get/existing.h"
#include "tools/get/leftovers.h"
#include "tools/get/manifest.h"
#include "tools/get/names.h"
#include "tools/get/options.h"
#include "tools/get/report.h"
#include "tools/get/schedule.h"
#include "tools/get/target.h"
#include "tools/get/user.h"

struct mirror;

struct get {
    const struct options *options;
    struct whorl_http_session *session;
    struct whorl_http_retry_policy retry;
    struct whorl_http_retry_budget budget; /* for the retries of all transfers */
    struct user user;                      /* name NULL: none */
    struct events events;
    struct whorl_http_observer observer; /* of the session; each request has one that calls it */
    struct ask ask;
    struct report *report;
    struct whorl_limiter limiter; /* of --limit-rate; of all transfers together */
    int dir_fd;                   /* the directory of --dir, or AT_FDCWD */
    bool ranged;                  /* the user sends a Range header, so status 206 is a success */
    bool conditional;             /* the user sends an If- header, so status 304 is a success */
    uint64_t random;              /* state of the random generator for retry pauses */
    struct name_hints names;
    struct taken_names taken;   /* names of files that may be replaced */
    struct manifest manifest;   /* of --manifest */
    struct leftovers leftovers; /* of the directory of the files */
    struct checksums checksums; /* of --checksum-file */
    struct schedule schedule;
    struct target_subdirs subdirs; /* that may be empty at the end */
    struct mirror *mirror;         /* NULL: links are not followed */
};

/* A limiter of that many bytes per second; 0: of any number. */
static inline struct whorl_limiter get_limiter(int64_t rate)
{
    enum { BURST_MIN = 4 << 10, BURST_MAX = 1 << 20 };
    int64_t burst = rate / 8;

    burst = burst < BURST_MIN ? BURST_MIN : burst > BURST_MAX ? BURST_MAX : burst;
    return (struct whorl_limiter){.rate = (uint64_t)rate, .burst = (uint64_t)burst};
}

#endif
