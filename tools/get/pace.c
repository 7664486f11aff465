/* SPDX-License-Identifier: MIT */
/* The pace of requests, see pace.h. */
#include "tools/get/pace.h"

#include <whorl/base.h>

#define PAUSE_MAX_NS  (60 * WHORL_SECOND)
#define PAUSE_NONE_NS WHORL_MILLISECOND  /* a shorter pause is none */
#define ALONE_NS      (2 * WHORL_SECOND) /* after a refusal, for each request */
#define CALM_NS       (5 * WHORL_MINUTE) /* without a refusal: pauses may get shorter again */

enum { MEAN_MIN = 4 }; /* requests that must have been accepted for a mean */

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t pace_next(const struct pace *pace)
{
    int64_t pause_ns = max(pace->pause_ns, pace->pause_min_ns);

    if (pace->refusals > 0 && pace->under_way > 0)
        pause_ns = max(pause_ns, ALONE_NS);
    return max(pace->has_started ? pace->started_ns + pause_ns : 0, pace->held_until_ns);
}

void pace_start(struct pace *pace, int64_t now_ns)
{
    pace->has_started = true;
    pace->started_ns = now_ns;
    pace->under_way++;
}

void pace_end(struct pace *pace, int64_t started_ns)
{
    if (pace->refusals == 0 || started_ns > pace->refused_ns)
        pace->under_way--;
}

void pace_accept(struct pace *pace, int64_t started_ns, int64_t now_ns)
{
    if (pace->refusals > 0 && started_ns <= pace->refused_ns)
        return;
    pace->accepted++;
    /* Only a request that was made after the pause before tells anything about it. */
    bool may_shrink = pace->refusals == 1 || now_ns - pace->refused_ns > CALM_NS;
    if (may_shrink && started_ns >= pace->shrunk_ns) {
        pace->pause_ns -= pace->pause_ns / 5;
        pace->shrunk_ns = now_ns;
    }
    if (pace->pause_ns < PAUSE_NONE_NS)
        pace->pause_ns = 0;
}

void pace_refuse(struct pace *pace, int64_t started_ns, int64_t now_ns, int64_t silence_ns)
{
    pace->held_until_ns = max(pace->held_until_ns, now_ns + silence_ns);
    /* It started before the last refusal was known, so it says nothing about the new pace. */
    if (pace->refusals > 0 && started_ns <= pace->refused_ns)
        return;
    if (pace->refusals == 0) {
        pace->pause_ns = silence_ns;
    } else {
        /* Until the second refusal, pauses became shorter, so their mean says nothing. Later, it
         * is too long if the host saves only a part of what it allows during a silence. */
        bool has_mean = pace->refusals > 1 && pace->accepted >= MEAN_MIN;
        int64_t mean_ns = has_mean ? (now_ns - pace->refused_ns) / pace->accepted : 0;
        pace->pause_ns = max(pace->pause_ns + pace->pause_ns / 4, min(mean_ns, 8 * pace->pause_ns));
    }
    pace->pause_ns = min(max(pace->pause_ns, PAUSE_NONE_NS), PAUSE_MAX_NS);
    pace->refusals++;
    pace->under_way = 0;
    pace->refused_ns = now_ns;
    pace->accepted = 0;
}
