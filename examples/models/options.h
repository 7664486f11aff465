/* SPDX-License-Identifier: MIT */
/* The options of a subcommand: one table is what is read, what is checked and what --help prints.
 *
 *     int threads = 5;
 *     const char *timeline = NULL;
 *     const struct option_row rows[] = {
 *         {"threads", "N", "threads in the pool", .number = &threads, .min = 1, .max = 64},
 *         {"timeline", "FILE.svg", "draw who worked and waited when", .text = &timeline},
 *         {0}};
 *     const struct option_table table = {"cpu", NULL, "Squares, in four models.", rows};
 *     int status;
 *
 *     if (!options_read(&table, argc, argv, &status))
 *         return status;
 */
#ifndef MODELS_OPTIONS_H
#define MODELS_OPTIONS_H

#include <stdbool.h>

/* One of `number`, `text` and `flag` says where the value goes; what it held before is the default. */
struct option_row {
    const char *name;  /* without its dashes; NULL ends the table */
    const char *value; /* what the help calls the value: "N"; NULL for a flag */
    const char *help;
    int *number;
    int min, max; /* of the number */
    const char **text;
    bool *flag;
};

struct option_table {
    const char *command;
    const char *operands; /* what the help calls them: "[URL]..."; NULL: it takes none */
    const char *about;    /* a sentence or more, for the help */
    const struct option_row *rows;
};

/* Reads a subcommand's arguments. False when there is nothing more to do: `ret_status` is then what to
 * return from main, 0 after --help, 2 after a complaint, which has been written to standard error.
 * The operands are what follows from argv[optind] on, NULL-terminated. */
bool options_read(const struct option_table *table, int argc, char **argv, int *ret_status);

/* Writes "models COMMAND: what\nsee models COMMAND --help\n" to standard error. Returns 2. */
int options_complain(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
