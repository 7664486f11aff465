/* SPDX-License-Identifier: MIT */
/* How many connections fetch one file, see gain.h. */
#include "tools/get/gain.h"

#include <whorl/base.h>

static const int64_t settle_ns = WHORL_SECOND / 2; /* after a change, before the window */
static const int64_t window_ns = WHORL_SECOND;
static const double long_s = 4;        /* a rest that takes longer is worth another connection */
static const double factor_min = 1.15; /* of the rate, or the connection is dropped again */

void gain_init(struct gain *gain, int most, int64_t now_ns)
{
    *gain = (struct gain){.most = most, .change_ns = now_ns};
}

void gain_give_up(struct gain *gain, int connections)
{
    gain->most = connections;
    gain->is_trial = false;
}

static void change(struct gain *gain, int64_t now_ns)
{
    gain->change_ns = now_ns;
    gain->is_measuring = false;
}

/* Measures the rate. Returns false until the window is over. */
static bool measure(struct gain *gain, int64_t now_ns, int64_t bytes, double *ret_rate)
{
    if (!gain->is_measuring) {
        if (now_ns - gain->change_ns >= settle_ns) {
            gain->is_measuring = true;
            gain->start_ns = now_ns;
            gain->start_bytes = bytes;
        }
        return false;
    }
    int64_t elapsed_ns = now_ns - gain->start_ns;
    if (elapsed_ns < window_ns)
        return false;
    *ret_rate = (double)(bytes - gain->start_bytes) * (double)WHORL_SECOND / (double)elapsed_ns;
    change(gain, now_ns - settle_ns); /* the next window begins at once */
    return true;
}

enum gain_verdict gain_decide(struct gain *gain, int64_t now_ns, int64_t bytes, int64_t left,
                              int connections)
{
    double rate;

    if ((!gain->is_trial && connections >= gain->most) || !measure(gain, now_ns, bytes, &rate))
        return GAIN_KEEP;
    if (gain->is_trial) {
        gain->is_trial = false;
        if (rate < factor_min * gain->before) {
            gain_give_up(gain, connections - 1);
            change(gain, now_ns);
            return GAIN_DROP;
        }
    }
    if (connections >= gain->most || rate <= 0 || (double)left < long_s * rate)
        return GAIN_KEEP;
    gain->before = rate;
    gain->is_trial = true;
    change(gain, now_ns);
    return GAIN_ADD;
}
