/* SPDX-License-Identifier: MIT */
/* How fast a connection is, and how long it needs for an answer. No I/O, no clock.
 *
 *     speed_ask()      a request is sent
 *     speed_answer()   its response has come
 *     speed_add()      bytes of the body have come
 *     speed_end()      no more bytes are wanted
 *
 * The rate is that of the last seconds. It is kept from one request to the next.
 */
#ifndef WHORL_GET_SPEED_H
#define WHORL_GET_SPEED_H

#include <stdbool.h>
#include <stdint.h>

/* Zero-initialised is valid: nothing is known. */
struct speed {
    int64_t rate;      /* bytes per second of the last whole window; 0: not known */
    int64_t start_ns;  /* of the window that is measured; valid while it is measured */
    int64_t before_ns; /* what earlier requests have added to this window */
    int64_t bytes;     /* in this window */
    int64_t last_ns;   /* when the last bytes came, or the request was sent */
    int64_t answer_ns; /* from a request to its response; 0: not known */
    bool is_on;        /* bytes are wanted */
    bool is_asking;    /* and there is no response yet */
    int losses;        /* requests that were given up because others are faster */
};

void speed_ask(struct speed *speed, int64_t now_ns);
void speed_answer(struct speed *speed, int64_t now_ns);
void speed_add(struct speed *speed, int64_t now_ns, int64_t bytes);
void speed_end(struct speed *speed, int64_t now_ns);

/* The request was given up because another connection is faster. */
void speed_lose(struct speed *speed, int64_t now_ns);

/* Bytes per second; 0: not known. */
double speed_rate(const struct speed *speed, int64_t now_ns);

/* For how many seconds bytes have been wanted and have not come. */
double speed_silence(const struct speed *speed, int64_t now_ns);

/* The seconds until a new request has a response. Longer after each loss: when all connections are
 * silent for some time, they must not take their bytes from each other again and again. */
double speed_delay(const struct speed *speed);

#endif
