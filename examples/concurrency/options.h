/* SPDX-License-Identifier: MIT */
/* The options of a subcommand. One table controls the parsing, the checks and the text of --help.
 *
 *     int threads = 5;
 *     const char *timeline = NULL;
 *     const struct option_row rows[] = {
 *         {"threads", "N", "threads in the pool", .number = &threads, .min = 1, .max = 64},
 *         {"timeline", "FILE.svg", "draw when each lane works", .text = &timeline},
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

/* One option. Its value is stored in `number`, `text` or `flag`: the row sets one of these
 * pointers. The value before the call is the default. */
struct option_row {
    const char *name;  /* without the dashes; NULL ends the table */
    const char *value; /* the name of the value in the help: "N"; NULL for a flag */
    const char *help;
    int *number;
    int min, max; /* the limits of the number */
    const char **text;
    bool *flag;
};

struct option_table {
    const char *command;
    const char *operands; /* their name in the help: "[URL]..."; NULL: it takes no operands */
    const char *about;    /* one or more sentences for the help */
    const struct option_row *rows;
};

/* Reads the arguments of a subcommand. Returns false when the subcommand must end: main() then
 * returns `*ret_status`, which is 0 after --help, and 2 after an error message on standard error.
 * The operands start at argv[optind] and are NULL-terminated. */
bool options_read(const struct option_table *table, int argc, char **argv, int *ret_status);

/* Writes "models COMMAND: message\nsee models COMMAND --help\n" to standard error. Returns 2. */
int options_complain(const char *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
