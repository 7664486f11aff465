/* SPDX-License-Identifier: MIT */
/* Parses the value of --form, see form_field.h. */
#include "tools/get/form_field.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int refuse(char why[FORM_FIELD_WHY_SIZE], const char *text)
{
    snprintf(why, FORM_FIELD_WHY_SIZE, "%s", text);
    return -EINVAL;
}

/* Reads a quoted word at `*at`. It becomes shorter, so it is written in its place. Sets `*at`
 * behind the closing quote. Returns NULL when there is no closing quote. */
static char *read_quoted(char **at)
{
    char *word = *at + 1, *to = word;

    for (char *p = word; *p; p++) {
        if (*p == '"') {
            *at = p + 1;
            *to = '\0';
            return word;
        }
        if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
            p++;
        *to++ = *p;
    }
    return NULL;
}

/* Reads a word that ends at a semicolon. Sets `*at` to the text behind it; NULL: there is none. */
static int read_word(char **at, char **ret, char why[FORM_FIELD_WHY_SIZE])
{
    char *p = *at;

    *ret = p;
    if (*p == '"') {
        *ret = read_quoted(&p);
        if (!*ret)
            return refuse(why, "needs a double quote at the end of a quoted name");
        if (*p != '\0' && *p != ';')
            return refuse(why, "needs a semicolon after the closing quote");
    } else {
        p += strcspn(p, ";");
    }
    *at = *p ? p + 1 : NULL;
    *p = '\0';
    return 0;
}

/* Whether another setting begins here, and not a parameter of the type. */
static bool is_setting(const char *p)
{
    return strncasecmp(p, "type=", 5) == 0 || strncasecmp(p, "filename=", 9) == 0;
}

/* Reads the type with its parameters, as in "text/plain;charset=utf-8". */
static int read_type(char **at, const char **ret, char why[FORM_FIELD_WHY_SIZE])
{
    char *p = *at, *end = p + strcspn(p, ";");

    while (*end && !is_setting(end + 1))
        end += 1 + strcspn(end + 1, ";");
    *ret = p;
    *at = *end ? end + 1 : NULL;
    *end = '\0';
    const char *slash = strchr(p, '/');
    if (!slash || slash == p || !slash[1])
        return refuse(why, "needs a type such as text/plain after type=");
    for (; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return refuse(why, "needs a type without control bytes");
    return 0;
}

static int read_settings(struct form_field *ret, char *at, char why[FORM_FIELD_WHY_SIZE])
{
    while (at) {
        int err;
        if (strncasecmp(at, "type=", 5) == 0) {
            at += 5;
            err = read_type(&at, &ret->type, why);
        } else if (strncasecmp(at, "filename=", 9) == 0) {
            char *name;
            at += 9;
            err = read_word(&at, &name, why);
            ret->file_name = name;
            if (err == 0 && !*name)
                err = refuse(why, "needs a name after filename=");
        } else {
            err = refuse(
                why, "needs type= or filename= after a semicolon (quote a name that contains one)");
        }
        if (err)
            return err;
    }
    return 0;
}

int form_field_parse(struct form_field *ret, const char *text, char why[FORM_FIELD_WHY_SIZE])
{
    char *path;

    *ret = (struct form_field){.memory = strdup(text), .memory_size = strlen(text) + 1};
    if (!ret->memory) {
        snprintf(why, FORM_FIELD_WHY_SIZE, "is out of memory");
        return -ENOMEM;
    }
    char *equals = strchr(ret->memory, '=');
    if (!equals || equals == ret->memory)
        return refuse(why, "needs NAME=VALUE or NAME=@FILE");
    *equals = '\0';
    ret->name = ret->memory;
    if (equals[1] != '@') {
        ret->value = equals + 1;
        return 0;
    }
    char *at = equals + 2;
    int err = read_word(&at, &path, why);
    ret->path = path;
    return err ? err : read_settings(ret, at, why);
}

void form_field_finish(struct form_field *field)
{
    if (field->memory)
        explicit_bzero(field->memory, field->memory_size); /* it has several NULs */
    free(field->memory);
    *field = (struct form_field){0};
}
