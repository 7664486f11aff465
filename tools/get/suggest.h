/* SPDX-License-Identifier: MIT */
/* Suggestions for options that do not exist. No I/O. */
#ifndef WHORL_GET_SUGGEST_H
#define WHORL_GET_SUGGEST_H

#include <stdbool.h>
#include <stddef.h>

enum { SUGGESTION_SIZE = 160 };

/* Writes what to add to "unknown option NAME": " (did you mean --retries?)", or what curl, wget or
 * aria2 call differently: " (here it is --dir)"; or "". `name` has no dashes. Returns `ret`. */
const char *suggest_option(const char *name, char ret[SUGGESTION_SIZE]);

/* Whether there is such a topic of --help; "all" is one. */
bool suggest_is_topic(const char *name);

/* An option of another program, and what to use here: options, or a sentence. For tests. */
struct suggest_foreign {
    const char *name;
    const char *here;
};

extern const struct suggest_foreign suggest_foreign[];
extern const size_t suggest_foreign_count;

#endif
