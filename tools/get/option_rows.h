/* SPDX-License-Identifier: MIT */
/* The table of the options of whorl-get. A new option is one row in option_rows.c, and one entry in
 * the man page, which a test compares with the table. The command line, the configuration file,
 * --help and the completions of the shells follow from it.
 */
#ifndef WHORL_GET_OPTION_ROWS_H
#define WHORL_GET_OPTION_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/get/options.h"

/* The parts of --help, in its order. */
enum option_topic {
    TOPIC_FILES,    /* where URLs come from, and where bodies go */
    TOPIC_LINKS,    /* which links of pages are followed */
    TOPIC_TRANSFER, /* how many at once, retries, limits */
    TOPIC_REQUEST,  /* what is sent */
    TOPIC_NETWORK,  /* how connections are made */
    TOPIC_TLS,
    TOPIC_LOGIN,  /* credentials and cookies */
    TOPIC_OUTPUT, /* what is printed */
    TOPIC_OTHER,
    TOPIC_COUNT,
};

struct option_topic_row {
    const char *name;  /* the word after --help */
    const char *title; /* a line of text */
};

extern const struct option_topic_row option_topics[TOPIC_COUNT];

struct option_row;

/* One option as it was given. */
struct option_call {
    const struct option_row *row;
    struct options *options;
    char *value;         /* NULL: the option takes none; may be changed, to hide a secret */
    const char *shown;   /* `value` for messages; never NULL */
    bool is_from_config; /* of the configuration file */
    bool is_repeated;    /* given before, on the command line as well */
    char *why;           /* for option_complain() */
    size_t why_size;
};

/* What can be completed as the value of an option. */
enum option_values { VALUES_ANY, VALUES_FILE, VALUES_DIR, VALUES_WORDS };

struct option_row {
    const char *name;  /* without the dashes */
    char letter;       /* 0: there is none */
    const char *value; /* the name of its value in --help; NULL: it takes none */
    enum option_topic topic;
    bool is_common;        /* in the short --help */
    bool is_for_this_call; /* not allowed in the configuration file */
    const char *help;      /* what it does, in a few words; begins with a verb */
    enum option_values values;
    const char *words; /* with VALUES_WORDS: the allowed values, separated by spaces */

    /* Takes the option. Returns false after option_complain(). */
    bool (*take)(struct option_call *call);
    size_t offset; /* of the field in struct options; used by the functions for simple kinds */
    int min, max;  /* of a whole number */
};

extern const struct option_row option_rows[];
extern const size_t option_rows_count;

/* Finds a row by its whole name or its letter. Returns NULL when there is none. */
const struct option_row *option_find(const char *name);
const struct option_row *option_find_letter(char letter);

/* Writes the message, escaped. Returns false. */
__attribute__((format(printf, 2, 3))) bool option_complain(struct option_call *call,
                                                           const char *format, ...);

#endif
