/* SPDX-License-Identifier: MIT */
/* How fast requests go to one host. A host that answers "too many requests" is left alone for as
 * long as it asks, by all transfers. Then it gets the next request when the one before is answered,
 * or after 2 s, with pauses between them that it seems to accept:
 *
 *     first refusal    the pause is as long as the silence that it asks for
 *     each success     the pause gets shorter by a fifth, at most once per round trip
 *     second refusal   the pause was too short: it gets longer by a quarter, so it is again one
 *                      that was accepted, and stays that long until there was no refusal for five
 *                      minutes
 *     later refusals   the same, but it gets at least as long as the mean time between the requests
 *                      that were accepted since the refusal before
 *
 * So a server with a steady limit refuses a few requests, however many there are. With --rate there
 * are pauses from the start, and none gets shorter than they are. No I/O, no clock.
 */
#ifndef WHORL_GET_PACE_H
#define WHORL_GET_PACE_H

#include <stdbool.h>
#include <stdint.h>

/* Set `pause_min_ns`. All other fields start at zero. */
struct pace {
    int64_t pause_min_ns; /* of --rate; 0: none */

    int64_t pause_ns;      /* between the starts of two requests */
    int64_t started_ns;    /* when the last request was started */
    int64_t held_until_ns; /* the host has asked for silence; 0: it has not */
    int64_t shrunk_ns;     /* when the pause got shorter */
    int64_t refused_ns;    /* when it refused for the last time */
    bool has_started;
    unsigned under_way; /* requests since the last refusal that have no response yet */
    int refusals;       /* those of requests that were under way together count once */
    unsigned accepted;  /* requests, since the last refusal */
};

/* When the next request may start; a time in the past means now. It may get earlier when a request
 * is answered. */
int64_t pace_next(const struct pace *pace);

/* A request starts. */
void pace_start(struct pace *pace, int64_t now_ns);

/* A request that started at `started_ns` was answered: accepted; or refused, and the host asks for
 * silence of `silence_ns`. */
void pace_accept(struct pace *pace, int64_t started_ns, int64_t now_ns);
void pace_refuse(struct pace *pace, int64_t started_ns, int64_t now_ns, int64_t silence_ns);

/* A request has its response, or has failed; called after one of the two above. */
void pace_end(struct pace *pace, int64_t started_ns);

#endif
