/* SPDX-License-Identifier: MIT */
/* The time limits of an exchange; see clock.h for which one applies when. */
#include "io/http/clock.h"

void http_clock_start(struct http_clock *clock, const struct whorl_http_timeouts *limits,
                      int64_t total_deadline_ns, int64_t now_ns)
{
    *clock = (struct http_clock){
        .limits = *limits,
        .total_deadline_ns = total_deadline_ns,
        .sent_ns = -1,
        .began_ns = -1,
        .first_byte_ns = -1,
        .awaits_head = true,
        .now_ns = now_ns,
    };
}

/* The time before a wait. After the wait it is another one. */
static int64_t take_now(struct http_clock *clock)
{
    int64_t now_ns = clock->now_ns;

    clock->now_ns = 0;
    return now_ns ? now_ns : whorl_now();
}

/* The bytes that must move in a window. */
static int64_t window_len(const struct http_clock *clock)
{
    int64_t len;

    if (__builtin_mul_overflow(clock->limits.speed_min, clock->limits.speed_ns / 1000, &len))
        return INT64_MAX;
    len /= WHORL_SECOND / 1000;
    return len > 0 ? len : 1;
}

static int64_t deadline_of(int64_t now_ns, int64_t limit_ns)
{
    return limit_ns > WHORL_FOREVER - now_ns ? WHORL_FOREVER : now_ns + limit_ns;
}

/* Enters the limit that ends first: the stall limit, or the window of the minimum speed. `moved`
 * bytes of the body have moved; -1: the wait is not for a body. */
static void enter_moving(struct http_clock *clock, struct http_speed *speed,
                         struct http_stage *stage, int64_t moved)
{
    int64_t limit_ns = clock->limits.stall_ns;
    int code = WHORL_EHTTP_STALL_TIMEOUT;
    int64_t now_ns = take_now(clock);

    speed->entered_ns = -1;
    if (moved >= 0 && clock->limits.speed_min > 0) {
        if (moved - speed->start >= window_len(clock))
            *speed = (struct http_speed){.start = moved};
        int64_t left_ns = clock->limits.speed_ns - speed->waited_ns;
        if (left_ns < limit_ns) {
            limit_ns = left_ns > 0 ? left_ns : 0;
            code = WHORL_EHTTP_SPEED_TIMEOUT;
        }
        speed->entered_ns = now_ns;
    }
    http_stage_enter(stage, deadline_of(now_ns, limit_ns), code, clock->total_deadline_ns);
}

static void leave_moving(struct http_speed *speed)
{
    if (speed->entered_ns >= 0)
        speed->waited_ns += whorl_now() - speed->entered_ns;
    speed->entered_ns = -1;
}

void http_clock_enter_write(struct http_clock *clock, struct http_stage *stage, int64_t body_len)
{
    enter_moving(clock, &clock->sending, stage, body_len > 0 ? clock->body_sent : -1);
}

ssize_t http_clock_leave_write(struct http_clock *clock, struct http_stage *stage, ssize_t n,
                               int64_t body_len)
{
    clock->body_sent += n < 0 ? 0 : body_len;
    leave_moving(&clock->sending);
    return http_stage_leave(stage, n);
}

int64_t http_clock_write_max(const struct http_clock *clock)
{
    if (clock->limits.speed_min <= 0)
        return INT64_MAX;
    int64_t len = window_len(clock), moved = clock->body_sent - clock->sending.start;
    return moved < len ? len - moved : len;
}

void http_clock_enter_read(struct http_clock *clock, struct http_stage *stage,
                           int64_t body_received)
{
    clock->receiving.entered_ns = -1;
    if (clock->awaits_head && clock->sent_ns < 0) {
        /* Another task is still sending the request; it moves the deadline when it has finished, so
         * the scope is entered even when there is no total limit. */
        stage->code = WHORL_EHTTP_TOTAL_TIMEOUT;
        stage->entered = true;
        whorl_scope_enter(&stage->scope, clock->total_deadline_ns);
        clock->head = stage;
    } else if (clock->awaits_head) {
        int64_t limit_ns = clock->limits.first_byte_ns;
        http_stage_enter(stage, limit_ns == WHORL_FOREVER ? limit_ns : clock->sent_ns + limit_ns,
                         WHORL_EHTTP_FIRST_BYTE_TIMEOUT, clock->total_deadline_ns);
    } else {
        enter_moving(clock, &clock->receiving, stage, body_received);
    }
}

ssize_t http_clock_leave_read(struct http_clock *clock, struct http_stage *stage, ssize_t n)
{
    clock->head = NULL;
    leave_moving(&clock->receiving);
    n = http_stage_leave(stage, n);
    if (n > 0 && clock->awaits_head) {
        clock->awaits_head = false;
        if (clock->first_byte_ns < 0) {
            clock->began_ns = whorl_now();
            clock->first_byte_ns = clock->sent_ns < 0 ? 0 : clock->began_ns - clock->sent_ns;
        }
    }
    return n;
}

void http_clock_mark_sent(struct http_clock *clock)
{
    clock->sent_ns = take_now(clock);
    if (clock->head)
        http_stage_move(clock->head, http_deadline(clock->limits.first_byte_ns),
                        WHORL_EHTTP_FIRST_BYTE_TIMEOUT, clock->total_deadline_ns);
}

void http_clock_mark_informational(struct http_clock *clock, bool is_started)
{
    clock->awaits_head = !is_started;
    if (clock->sent_ns >= 0) {
        clock->sent_ns = whorl_now();
    } else {
        /* The server has asked for the body, so the response has not begun. */
        clock->began_ns = is_started ? whorl_now() : -1;
        clock->first_byte_ns = is_started ? 0 : -1;
    }
}
