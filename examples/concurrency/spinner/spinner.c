/* SPDX-License-Identifier: MIT */
/* Turns the spinner, and remembers how long it stood still. */
#include "spinner.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "../timeline.h"

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void note_still(struct spinner *spinner)
{
    int64_t now = now_ns(), still_ns = now - spinner->last_ns;

    spinner->last_ns = now;
    if (still_ns > spinner->still_ns)
        spinner->still_ns = still_ns;
}

void spinner_begin(struct spinner *spinner)
{
    spinner->last_ns = now_ns();
}

void spinner_turn(struct spinner *spinner)
{
    note_still(spinner);
    if (spinner->animate) {
        /* The cursor returns to the start of the line, so that a report overwrites it. */
        char text[] = "  thinking\r";
        text[0] = "|/-\\"[spinner->frames % 4];
        if (write(STDOUT_FILENO, text, sizeof text - 1) < 0)
            spinner->animate = false;
    }
    spinner->frames++;
}

void spinner_turn_until_hangup(struct spinner *spinner, int fd)
{
    struct pollfd waited = {.fd = fd, .events = POLLIN};
    int lane = timeline_lane(spinner->timeline, "spinner");

    do {
        timeline_mark(spinner->timeline, lane, TIMELINE_WORKS);
        spinner_turn(spinner);
        timeline_mark(spinner->timeline, lane, TIMELINE_WAITS);
    } while (poll(&waited, 1, SPINNER_FRAME_MS) == 0);
    timeline_mark(spinner->timeline, lane, TIMELINE_ENDS);
}

void spinner_end(struct spinner *spinner)
{
    note_still(spinner);
}
