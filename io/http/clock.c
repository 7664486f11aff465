/* SPDX-License-Identifier: MIT */
/* The time limits of an exchange; see clock.h for which one applies when. */
#include "io/http/clock.h"

void http_clock_start(struct http_clock *clock, const struct whorl_http_timeouts *limits,
                      int64_t total_deadline_ns)
{
    *clock = (struct http_clock){
        .limits = *limits,
        .total_deadline_ns = total_deadline_ns,
        .sent_ns = -1,
        .first_byte_ns = -1,
        .awaits_head = true,
    };
}

void http_clock_enter_write(const struct http_clock *clock, struct http_stage *stage)
{
    http_stage_enter(stage, http_deadline(clock->limits.stall_ns), WHORL_EHTTP_STALL_TIMEOUT,
                     clock->total_deadline_ns);
}

void http_clock_enter_read(struct http_clock *clock, struct http_stage *stage)
{
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
        http_stage_enter(stage, http_deadline(clock->limits.stall_ns), WHORL_EHTTP_STALL_TIMEOUT,
                         clock->total_deadline_ns);
    }
}

ssize_t http_clock_leave_read(struct http_clock *clock, struct http_stage *stage, ssize_t n)
{
    clock->head = NULL;
    n = http_stage_leave(stage, n);
    if (n > 0 && clock->awaits_head) {
        clock->awaits_head = false;
        if (clock->first_byte_ns < 0)
            clock->first_byte_ns = clock->sent_ns < 0 ? 0 : whorl_now() - clock->sent_ns;
    }
    return n;
}

void http_clock_mark_sent(struct http_clock *clock)
{
    clock->sent_ns = whorl_now();
    if (clock->head)
        http_stage_move(clock->head, http_deadline(clock->limits.first_byte_ns),
                        WHORL_EHTTP_FIRST_BYTE_TIMEOUT, clock->total_deadline_ns);
}

void http_clock_mark_informational(struct http_clock *clock, bool is_started)
{
    clock->awaits_head = !is_started;
    if (clock->sent_ns >= 0)
        clock->sent_ns = whorl_now();
}
