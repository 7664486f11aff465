/* SPDX-License-Identifier: MIT */
/* The value of --form: a field of a form, or a file with its name and type for the server.
 *
 *     NAME=VALUE                            VALUE may contain any bytes
 *     NAME=@FILE[;type=TYPE][;filename=X]   as curl spells it
 *
 * A FILE or X that contains a semicolon, or begins with a double quote, is in double quotes. In
 * them, a backslash before a quote or a backslash is left out. TYPE may have parameters of its own:
 * ";type=text/plain;charset=utf-8". No I/O.
 */
#ifndef WHORL_GET_FORM_FIELD_H
#define WHORL_GET_FORM_FIELD_H

#include <stddef.h>

enum { FORM_FIELD_WHY_SIZE = 160 };

struct form_field {
    const char *name;
    const char *value;     /* NULL: it is a file */
    const char *path;      /* of the file; "-": standard input; NULL: there is none */
    const char *type;      /* NULL: not given */
    const char *file_name; /* NULL: not given */
    char *memory;          /* owned; the strings point into it */
    size_t memory_size;
};

/**
 * Parses the value.
 *
 * @why  what is wrong, to follow the name of the option and a space
 *
 * Returns: 0; -EINVAL; -ENOMEM. Call form_field_finish() in every case.
 */
int form_field_parse(struct form_field *ret, const char *text, char why[FORM_FIELD_WHY_SIZE]);

/* Frees the memory. Accepts a zeroed struct. */
void form_field_finish(struct form_field *field);

#endif
