/* SPDX-License-Identifier: MIT */
/* The speed of a connection, see speed.h. */
#include "tools/get/speed.h"

#include <whorl/base.h>

static const int64_t window_ns = WHORL_SECOND;
static const int64_t short_ns = 100 * WHORL_MILLISECOND; /* a shorter time says little */
static const double delay_unknown_s = 0.5;               /* what a request to a far server takes */
static const double delay_more_s = 0.05; /* so that a measured one is not too short */

enum { LOSSES_MAX = 6 }; /* more of them make no difference */

static double seconds(int64_t ns)
{
    return (double)ns / (double)WHORL_SECOND;
}

/* How long the window has been so far. Time in which no bytes are wanted does not count. */
static int64_t window_length(const struct speed *speed, int64_t now_ns)
{
    bool is_measuring = speed->is_on && !speed->is_asking;

    return speed->before_ns + (is_measuring ? now_ns - speed->start_ns : 0);
}

/* The next window begins. */
static void end_window(struct speed *speed, int64_t now_ns)
{
    speed->rate = 1 + (int64_t)((double)speed->bytes / seconds(window_length(speed, now_ns)));
    speed->start_ns = now_ns;
    speed->before_ns = speed->bytes = 0;
}

void speed_ask(struct speed *speed, int64_t now_ns)
{
    speed->is_on = speed->is_asking = true;
    speed->last_ns = now_ns;
}

void speed_answer(struct speed *speed, int64_t now_ns)
{
    if (speed->is_asking)
        speed->answer_ns = now_ns - speed->last_ns + 1;
    speed->is_on = true;
    speed->is_asking = false;
    speed->last_ns = speed->start_ns = now_ns;
}

void speed_add(struct speed *speed, int64_t now_ns, int64_t bytes)
{
    speed->bytes += bytes;
    speed->last_ns = now_ns;
    if (window_length(speed, now_ns) >= window_ns)
        end_window(speed, now_ns);
}

void speed_end(struct speed *speed, int64_t now_ns)
{
    speed->before_ns = window_length(speed, now_ns);
    speed->is_on = speed->is_asking = false;
    if (speed->before_ns >= window_ns)
        end_window(speed, now_ns);
}

void speed_lose(struct speed *speed, int64_t now_ns)
{
    if (speed->losses < LOSSES_MAX)
        speed->losses++;
    speed_end(speed, now_ns);
}

double speed_rate(const struct speed *speed, int64_t now_ns)
{
    int64_t length_ns = window_length(speed, now_ns);

    if (speed->rate > 0) /* the window before counts as well, because this one may be short */
        return ((double)speed->rate * seconds(window_ns) + (double)speed->bytes) /
               seconds(window_ns + length_ns);
    /* A connection is slow at first, so its first bytes say nothing until it has ended. */
    if (length_ns < short_ns && speed->is_on)
        return 0;
    return (double)speed->bytes / seconds(length_ns > short_ns ? length_ns : short_ns);
}

double speed_silence(const struct speed *speed, int64_t now_ns)
{
    return speed->is_on ? seconds(now_ns - speed->last_ns) : 0;
}

double speed_delay(const struct speed *speed)
{
    double delay = speed->answer_ns ? seconds(speed->answer_ns) + delay_more_s : delay_unknown_s;

    return speed->losses > 0 ? delay + (double)(1 << (speed->losses - 1)) : delay;
}
