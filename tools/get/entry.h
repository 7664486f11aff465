/* SPDX-License-Identifier: MIT */
/* The settings of one URL in a list. They follow the URL on its line:
 *
 *     http://h/a.iso out=b.iso size=734003200 sha256=9f86d0... mirror=http://m/a.iso
 *     http://h/b header="Accept: text/plain" header=X-Y:1
 *
 * A value with spaces is in double quotes; in them, a backslash before a quote or a backslash
 * is left out. No I/O.
 */
#ifndef WHORL_GET_ENTRY_H
#define WHORL_GET_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/http.h>

#include "tools/get/hash.h"

enum { ENTRY_WHY_SIZE = 256 };

/* The setting by which metalink.c gives the name of a file. It is not for users. */
#define ENTRY_METALINK_NAME "metalink"

/* Strings point into the text that was parsed. */
struct entry {
    const char *out;                /* the name of the file; NULL: from the URL */
    bool is_metalink;               /* `out` is from a Metalink document, and may have directories:
                                       "dir/name" */
    const char *hashes[HASH_KINDS]; /* of the body, in hexadecimal digits; NULL: not known */
    int64_t size;                   /* of the body; -1: not known */
    const char **mirrors;           /* other URLs of the same body; owned, as `headers` */
    size_t mirrors_count;
    struct whorl_http_header *headers; /* that are sent for this URL only */
    size_t headers_count;
};

/* Separates the URL from its settings, which begin with a space, a name and "=". Other spaces are a
 * part of the URL, which is sent with %20 then. Returns the settings, "" if there are none. */
char *entry_split(char *line);

/**
 * Parses settings; changes `text`, which must live as long as `ret`.
 *
 * @why  what is wrong, without control bytes
 *
 * Returns: 0; -EINVAL; -ENOMEM. Call entry_finish() in every case.
 */
int entry_parse(struct entry *ret, char *text, char why[ENTRY_WHY_SIZE]);

/* Frees what it owns. Accepts a zeroed struct. */
void entry_finish(struct entry *entry);

#endif
