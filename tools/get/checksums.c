/* SPDX-License-Identifier: MIT */
/* Files of checksums, see checksums.h. */
#include "tools/get/checksums.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is known about one file. */
struct checksums_name {
    char *hex[HASH_KINDS]; /* owned; NULL: not known */
    char name[];
};

/* --- a line --- */

/* Replaces "\\" and "\n". False for another escape. */
static bool unescape(char *name)
{
    char *to = name;

    for (char *p = name; *p; p++) {
        if (*p == '\\') {
            p++;
            if (*p != 'n' && *p != '\\')
                return false;
            *to++ = *p == 'n' ? '\n' : '\\';
        } else {
            *to++ = *p;
        }
    }
    *to = '\0';
    return true;
}

static bool finish_line(struct checksum *ret, char *name, const char *hex)
{
    if (strncmp(name, "./", 2) == 0)
        name += 2;
    ret->name = name;
    ret->hex = hex;
    return *name && hash_is_hex(ret->kind, hex);
}

/* "SHA256 (name) = hex" */
static bool parse_bsd(char *line, struct checksum *ret)
{
    char *open = strstr(line, " ("), *close = NULL;

    if (!open || !hash_find(line, (size_t)(open - line), &ret->kind))
        return false;
    for (char *p = open; (p = strstr(p, ") = ")); p++)
        close = p; /* the last one, for names that contain it */
    if (!close)
        return false;
    *close = '\0';
    return finish_line(ret, open + 2, close + 4);
}

/* "hex  name" or "hex *name" */
static bool parse_gnu(char *line, struct checksum *ret)
{
    bool is_escaped = *line == '\\';
    char *hex = is_escaped ? line + 1 : line, *end = hex + strcspn(hex, " \t");

    if (!*end || (end[1] != ' ' && end[1] != '*'))
        return false;
    *end = '\0';
    char *name = end + 2;
    for (ret->kind = 0; ret->kind < HASH_KINDS; ret->kind++)
        if (hash_is_hex(ret->kind, hex))
            return (!is_escaped || unescape(name)) && finish_line(ret, name, hex);
    return false;
}

bool checksum_parse(char *line, struct checksum *ret)
{
    char *copy = strdup(line); /* parse_bsd() may change a line that is of the other form */
    bool ok = copy && parse_bsd(line, ret);

    if (copy && !ok) {
        strcpy(line, copy);
        ok = parse_gnu(line, ret);
        if (!ok)
            strcpy(line, copy);
    }
    free(copy);
    return ok;
}

/* --- a file --- */

static int compare(const void *a, const void *b)
{
    const struct checksums_name *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Finds the entry, or makes it. NULL when there is no memory. */
static struct checksums_name *get(struct checksums *checksums, const char *name)
{
    struct checksums_name *entry = calloc(1, sizeof *entry + strlen(name) + 1);

    if (!entry)
        return NULL;
    strcpy(entry->name, name);
    struct checksums_name **found = tsearch(entry, &checksums->tree, compare);
    if (!found || *found != entry)
        free(entry);
    return found ? *found : NULL;
}

static int add(struct checksums *checksums, const struct checksum *line)
{
    struct checksums_name *entry = get(checksums, line->name);

    if (!entry)
        return -ENOMEM;
    if (entry->hex[line->kind])
        return strcasecmp(entry->hex[line->kind], line->hex) == 0 ? 0 : -EINVAL;
    entry->hex[line->kind] = strdup(line->hex);
    return entry->hex[line->kind] ? 0 : -ENOMEM;
}

int checksums_load(struct checksums *checksums, const char *path, long *ret_line)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    int err = file ? 0 : -errno;

    *ret_line = 0;
    while (err == 0 && (errno = 0, n = getline(&line, &size, file)) >= 0) {
        struct checksum parsed;
        ++*ret_line;
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            line[--n] = '\0';
        if (strlen(line) != (size_t)n)
            err = -EINVAL;
        else if (*line && *line != '#')
            err = checksum_parse(line, &parsed) ? add(checksums, &parsed) : -EINVAL;
    }
    if (err == 0 && errno) {
        err = -errno;
        *ret_line = 0;
    }
    free(line);
    if (file)
        fclose(file);
    return err;
}

static const struct checksums_name *find(const struct checksums *checksums, const char *name)
{
    struct checksums_name *key = calloc(1, sizeof *key + strlen(name) + 1);

    if (!key)
        return NULL;
    strcpy(key->name, name);
    struct checksums_name *const *found = tfind(key, &checksums->tree, compare);
    free(key);
    return found ? *found : NULL;
}

const char *checksums_find(const struct checksums *checksums, const char *name, enum hash_kind kind)
{
    const struct checksums_name *entry = find(checksums, name);
    const char *slash = strrchr(name, '/');

    if (!entry && slash)
        entry = find(checksums, slash + 1);
    return entry ? entry->hex[kind] : NULL;
}

static void free_name(void *arg)
{
    struct checksums_name *entry = arg;

    for (size_t i = 0; i < HASH_KINDS; i++)
        free(entry->hex[i]);
    free(entry);
}

void checksums_finish(struct checksums *checksums)
{
    tdestroy(checksums->tree, free_name);
    checksums->tree = NULL;
}
