/* SPDX-License-Identifier: MIT */
/* The settings of one URL, see entry.h. */
#include "tools/get/entry.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/get/text.h"

__attribute__((format(printf, 2, 3))) static int complain(char *why, const char *format, ...)
{
    char raw[256];
    va_list args;

    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    text_escape(why, ENTRY_WHY_SIZE, raw, strlen(raw));
    return -EINVAL;
}

static char *skip_blanks(char *p)
{
    return p + strspn(p, " \t");
}

char *entry_split(char *line)
{
    static const char name_bytes[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    for (char *p = line + strcspn(line, " \t"), *next; *p; p = next + strcspn(next, " \t")) {
        next = skip_blanks(p);
        size_t len = strspn(next, name_bytes);
        if (len > 0 && next[len] == '=') {
            *p = '\0';
            return next;
        }
    }
    return line + strlen(line);
}

/* Takes the value at `*at`, without its quotes, and moves `*at` behind it. Returns NULL when the
 * closing quote is missing or is followed by text. */
static char *take_value(char **at)
{
    char *start = *at, *to = start, *p = start;

    if (*p != '"') {
        p += strcspn(p, " \t");
        *at = *p ? p + 1 : p;
        *p = '\0';
        return start;
    }
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && (p[1] == '"' || p[1] == '\\'))
            p++;
        *to++ = *p;
    }
    if (!*p || (p[1] && p[1] != ' ' && p[1] != '\t'))
        return NULL;
    *at = p[1] ? p + 2 : p + 1;
    *to = '\0';
    return start;
}

/* Adds one element to an array. Returns where it is to be stored, or NULL without memory. */
static void *add(void **array, size_t *count, size_t size)
{
    void *grown = reallocarray(*array, *count + 1, size);

    if (!grown)
        return NULL;
    *array = grown;
    return (char *)grown + (*count)++ * size;
}

static int take_hash(struct entry *ret, enum hash_kind kind, const char *value, char *why)
{
    if (!hash_is_hex(kind, value))
        return complain(why, "%s needs %zu hexadecimal digits, not '%s'", hash_name(kind),
                        2 * hash_size(kind), value);
    ret->hashes[kind] = value;
    return 0;
}

static int take_size(struct entry *ret, const char *value, char *why)
{
    char *end;

    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno)
        return complain(why, "size needs a number of bytes, not '%s'", value);
    ret->size = n;
    return 0;
}

static int take_header(struct entry *ret, char *value, char *why)
{
    const char *cause = NULL;
    struct whorl_http_header header;

    if (text_parse_header(value, &header, &cause))
        return complain(why, "header %s", cause);
    struct whorl_http_header *to =
        add((void **)&ret->headers, &ret->headers_count, sizeof *ret->headers);
    if (!to)
        return -ENOMEM;
    *to = header;
    return 0;
}

static int take_mirror(struct entry *ret, const char *value)
{
    const char **to = add((void **)&ret->mirrors, &ret->mirrors_count, sizeof *ret->mirrors);

    if (!to)
        return -ENOMEM;
    *to = value;
    return 0;
}

static int take(struct entry *ret, const char *name, char *value, char *why)
{
    for (enum hash_kind kind = 0; kind < HASH_KINDS; kind++)
        if (strcmp(name, hash_name(kind)) == 0)
            return take_hash(ret, kind, value, why);
    if (strcmp(name, ENTRY_METALINK_NAME) == 0) {
        ret->out = value;
        ret->is_metalink = true;
        return 0;
    }
    if (!*value)
        return complain(why, "%s needs a value", name);
    if (strcmp(name, "size") == 0)
        return take_size(ret, value, why);
    if (strcmp(name, "header") == 0)
        return take_header(ret, value, why);
    if (strcmp(name, "mirror") == 0)
        return take_mirror(ret, value);
    if (strcmp(name, "out") != 0)
        return complain(why,
                        "unknown setting '%s': there are out, size, mirror, header, md5, "
                        "sha1, sha256 and sha512",
                        name);
    ret->out = value;
    return 0;
}

int entry_parse(struct entry *ret, char *text, char why[ENTRY_WHY_SIZE])
{
    int err = 0;

    *ret = (struct entry){.size = -1};
    for (char *p = skip_blanks(text); err == 0 && *p; p = skip_blanks(p)) {
        char *name = p, *equals = p + strcspn(p, "= \t");
        if (*equals != '=') {
            *equals = '\0';
            return complain(why, "'%s' is not a setting such as size=100", name);
        }
        *equals = '\0';
        p = equals + 1;
        char *value = take_value(&p);
        if (!value)
            return complain(why, "the value of %s does not end with a quote and a space", name);
        err = take(ret, name, value, why);
    }
    if (err == -ENOMEM)
        snprintf(why, ENTRY_WHY_SIZE, "out of memory");
    return err;
}

void entry_finish(struct entry *entry)
{
    free(entry->mirrors);
    free(entry->headers);
    *entry = (struct entry){.size = -1};
}
