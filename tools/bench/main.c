/* SPDX-License-Identifier: MIT */
/* whorl-bench: prints figures for comparison with other runtimes, one line "name value" each. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/bench/echo.h"
#include "tools/bench/get.h"
#include "tools/bench/repeat_get.h"
#include "tools/bench/repeat_lines.h"
#include "tools/bench/serve.h"
#include "tools/bench/tasks.h"
#include "tools/stack_option.h"

static const char usage[] =
    "usage: whorl-bench [--stack KIND] WORKLOAD\n\n"
    "       whorl-bench tasks             measure yields, channels, spawn and join, deadlines,\n"
    "                                     and the memory of parked tasks\n"
    "       whorl-bench sleepers [N]      run N tasks (1,000,000) that each sleep 1 to 2 s\n"
    "       whorl-bench growth N          measure a hop in a ring of N tasks, a mutex that N "
    "tasks\n"
    "                                     lock, and the spawn of N tasks\n"
    "       whorl-bench echo PORT         run a TCP echo server on 127.0.0.1 until SIGTERM;\n"
    "                                     with PORT 0 it chooses a free port\n"
    "       whorl-bench get URL N CONNS   send N requests over at most CONNS connections\n"
    "       whorl-bench http2 URL N STREAMS  send N requests over one HTTP/2 connection, at most\n"
    "                                     STREAMS at a time; without TLS if URL is http\n"
    "       whorl-bench serve PORT        run an HTTP server on 127.0.0.1 until SIGTERM that "
    "answers\n"
    "                                     with 1 KiB; with PORT 0 it chooses a free port\n"
    "       whorl-bench repeat WHAT N     do one operation N times and print nothing, to count "
    "its\n"
    "                                     instructions; WHAT: yield, pingpong, chan, spawn,\n"
    "                                     deadline, get (from a server in the same run),\n"
    "                                     lines (that a reader reads from a socket)\n\n"
    "KIND, for tasks, sleepers and growth: guarded (the default), or 2k, 4k, 8k for small stacks "
    "of\n"
    "that size without guards.\n";

/* Parses a whole number from min to max. If `text` is not one, ends the program. */
static long number(const char *text, long min, long max)
{
    char *end;

    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < min || value > max) {
        fprintf(stderr, "whorl-bench: '%s' is not a number from %ld to %ld\n", text, min, max);
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    size_t stack = 0;

    if (argc > 2 && strcmp(argv[1], "--stack") == 0) {
        if (!stack_option_parse(argv[2], &stack)) {
            fprintf(stderr, "whorl-bench: '%s' is no kind of stack\n", argv[2]);
            return 2;
        }
        argc -= 2;
        argv += 2;
    }
    const char *what = argc > 1 ? argv[1] : "";

    if (strcmp(what, "tasks") == 0 && argc == 2)
        return bench_tasks(stack);
    if (strcmp(what, "sleepers") == 0 && argc <= 3)
        return bench_sleepers(argc == 3 ? number(argv[2], 1, 100000000) : 1000000, stack);
    if (strcmp(what, "growth") == 0 && argc == 3)
        return bench_growth(number(argv[2], 1, 10000000), stack);
    if (strcmp(what, "echo") == 0 && argc == 3)
        return bench_echo((uint16_t)number(argv[2], 0, 65535));
    if (strcmp(what, "get") == 0 && argc == 5)
        return bench_get(argv[2], number(argv[3], 1, 1000000000), number(argv[4], 1, 65535));
    if (strcmp(what, "http2") == 0 && argc == 5)
        return bench_http2(argv[2], number(argv[3], 1, 1000000000), number(argv[4], 1, 65535));
    if (strcmp(what, "serve") == 0 && argc == 3)
        return bench_serve((uint16_t)number(argv[2], 0, 65535));
    if (strcmp(what, "repeat") == 0 && argc == 4) {
        long n = number(argv[3], 1, 1000000000);
        if (strcmp(argv[2], "get") == 0)
            return bench_repeat_get(n);
        if (strcmp(argv[2], "lines") == 0)
            return bench_repeat_lines(n);
        return bench_repeat_task(argv[2], n);
    }
    if (strcmp(what, "--help") == 0 || strcmp(what, "-h") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    fputs(usage, stderr);
    return 2;
}
