/* SPDX-License-Identifier: MIT */
/* What all transfers of one whorl-get share. */
#ifndef WHORL_GET_GET_H
#define WHORL_GET_GET_H

#include <stdint.h>

#include "tools/whorl-get/names.h"
#include "tools/whorl-get/options.h"
#include "tools/whorl-get/progress.h"
#include "tools/whorl-get/report.h"
#include "tools/whorl-get/retry.h"

struct get {
    const struct options *options;
    struct whorl_http_session *session;
    struct retry_policy retry;
    struct report *report;
    struct progress *progress; /* NULL when there are no bars */
    int dir_fd;                /* of --dir, or AT_FDCWD */
    bool ranged;               /* the user asks for a range, so 206 is what he wants */
    uint64_t random;           /* state of the pauses' jitter */
    struct name_hints names;
};

#endif
