/* SPDX-License-Identifier: MIT */
/* The options of the command. */
#ifndef MODELS_IO_SETTINGS_H
#define MODELS_IO_SETTINGS_H

#include "../pictures.h"

enum { RUNS_MAX = 99 };

struct settings {
    int sites, pages, latency_ms; /* the site that the program starts */
    char **urls;                  /* NULL-terminated; if empty, the site is used */
    int times;                    /* the number of times that each URL is fetched */
    int per_site, threads, processes, timeout_s;
    int runs;
    struct pictures pictures;
    const char *report; /* file to write, or NULL */
};

#endif
