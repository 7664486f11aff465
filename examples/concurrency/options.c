/* SPDX-License-Identifier: MIT */
/* Reads the options of a subcommand, see options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The values that getopt_long() returns for the rows, in order. Each row has its own value.
 * Otherwise getopt_long() would accept an ambiguous prefix of two names as the first of them. */
enum { ROWS_MAX = 24, HELP = 'h', FIRST = 256 };

int options_complain(const char *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "models %s: ", command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nsee models %s --help\n", command);
    return 2;
}

static void print_help(const struct option_table *table)
{
    printf("usage: models %s [OPTION]...%s%s\n%s\n\n", table->command, table->operands ? " " : "",
           table->operands ? table->operands : "", table->about);
    for (const struct option_row *row = table->rows; row->name; row++) {
        int width =
            printf("  --%s%s%s", row->name, row->value ? " " : "", row->value ? row->value : "");
        printf("%*s%s", width < 24 ? 24 - width : 1, "", row->help);
        if (row->number)
            printf(" (%d)", *row->number);
        printf("\n");
    }
    printf("  --help                print this text\n");
}

/* Stores the value of an option. Returns false after an error message. */
static bool take(const struct option_table *table, const struct option_row *row, const char *text)
{
    char *end;

    if (row->flag)
        *row->flag = true;
    if (row->text)
        *row->text = text;
    if (!row->number)
        return true;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < row->min || value > row->max) {
        options_complain(table->command, "--%s needs a whole number from %d to %d, not '%s'",
                         row->name, row->min, row->max, text);
        return false;
    }
    *row->number = (int)value;
    return true;
}

bool options_read(const struct option_table *table, int argc, char **argv, int *ret_status)
{
    struct option longs[ROWS_MAX + 2] = {0};
    int count = 0, c;

    for (const struct option_row *row = table->rows; row->name && count < ROWS_MAX; row++, count++)
        longs[count] = (struct option){row->name, row->flag ? no_argument : required_argument, NULL,
                                       FIRST + count};
    longs[count] = (struct option){"help", no_argument, NULL, HELP};
    *ret_status = 2;
    optind = 0;
    while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
        if (c == HELP) {
            print_help(table);
            *ret_status = 0;
            return false;
        }
        if (c == ':')
            options_complain(table->command, "%s needs a value", argv[optind - 1]);
        else if (c == '?' && optopt > 0 && optopt < FIRST && optopt != HELP)
            options_complain(table->command, "there is no option '-%c'", optopt);
        else if (c == '?')
            options_complain(table->command, "there is no option '%s'", argv[optind - 1]);
        if (c < FIRST || !take(table, &table->rows[c - FIRST], optarg))
            return false;
    }
    if (!table->operands && argv[optind]) {
        options_complain(table->command, "unexpected argument '%s'", argv[optind]);
        return false;
    }
    return true;
}
