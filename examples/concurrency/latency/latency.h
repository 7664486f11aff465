/* SPDX-License-Identifier: MIT */
/* The rows of `models latency`: each measures how long one operation takes. */
#ifndef MODELS_LATENCY_H
#define MODELS_LATENCY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { LATENCY_RUNS_MAX = 999, LATENCY_ROWS = 16 };

struct latency_settings {
    int64_t time_ns; /* how long each run measures, at least */
    int runs;
    int memory_mib;        /* the memory in which references go to main memory */
    const char *directory; /* for the files */
};

/* What was measured. In memory that the measuring process shares with its parent. */
struct latency_result {
    double ns;     /* per operation; valid when `err` is 0 */
    int err;       /* why there is no result: a negative code */
    char why[120]; /* more about that, or "" */
};

/* Measures one row, in a process of its own. Returns 0 or a negative code; may fill ret->why. */
typedef int (*latency_fn)(const struct latency_settings *settings, struct latency_result *ret);

int latency_l1(const struct latency_settings *settings, struct latency_result *ret);
int latency_l2(const struct latency_settings *settings, struct latency_result *ret);
int latency_memory(const struct latency_settings *settings, struct latency_result *ret);
int latency_read_memory(const struct latency_settings *settings, struct latency_result *ret);

int latency_mutex(const struct latency_settings *settings, struct latency_result *ret);
int latency_system_call(const struct latency_settings *settings, struct latency_result *ret);
int latency_task_switch(const struct latency_settings *settings, struct latency_result *ret);
int latency_thread_switch(const struct latency_settings *settings, struct latency_result *ret);
int latency_process_switch(const struct latency_settings *settings, struct latency_result *ret);

int latency_loopback(const struct latency_settings *settings, struct latency_result *ret);
int latency_name(const struct latency_settings *settings, struct latency_result *ret);
int latency_tls(const struct latency_settings *settings, struct latency_result *ret);

int latency_read_cached(const struct latency_settings *settings, struct latency_result *ret);
int latency_read_disk(const struct latency_settings *settings, struct latency_result *ret);
int latency_fsync(const struct latency_settings *settings, struct latency_result *ret);

struct latency_row {
    const char *name;
    const char *key;    /* its name in JSON */
    double classic_ns;  /* the figure of the well-known table; 0: it has none */
    latency_fn measure; /* NULL: it cannot be measured here */
};

extern const struct latency_row latency_rows[LATENCY_ROWS];

/* Formats a duration with two or three digits: "1.2 ns", "23 us", "150 ms". Returns `buf`. */
const char *latency_text(char *buf, size_t size, double ns);

/* Formats the distance for a duration at 1 m per ns: "1.2 m", "23 km", "150000 km". */
const char *latency_distance(char *buf, size_t size, double ns);

/* Draws the results on a logarithmic scale. An output_fn: `arg` is a struct latency_picture. */
struct latency_picture {
    const char *title;
    const struct latency_result *results; /* LATENCY_ROWS of them */
};

int latency_draw(const void *arg, FILE *to);

#endif
