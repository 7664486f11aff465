/* SPDX-License-Identifier: MIT */
/* What happens to a file that already has the name of a download: --overwrite, --skip-existing and
 * --update.
 *
 *     existing_look()     before the first request: is the file there, and may it be replaced?
 *     existing_headers()  for each request of the whole file
 *     existing_date()     when the new file has its name, with --update
 *
 * A file is only replaced when the new one is whole. A file that another URL of this run has
 * written is never replaced: a number follows the name of the second one. */
#ifndef WHORL_GET_EXISTING_H
#define WHORL_GET_EXISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/base.h>
#include <whorl/http.h>

#include "tools/get/options.h"

/* The names that the transfers of this run may replace, each by one of them. At most 32 bytes
 * for each. Zero-initialised is valid. */
struct taken_names {
    uint64_t *hashes; /* an open hash table; 0: the slot is free */
    size_t count, size;
};

/* Returns true for the first call with a name; false for all others, and without memory. */
bool taken_add(struct taken_names *taken, const char *name);
void taken_finish(struct taken_names *taken);

enum { EXISTING_HEADERS_MAX = 2 };

/* The file of one transfer. Zero-initialised: it does not exist. */
struct existing {
    bool is_there;    /* a regular file, or a symbolic link to one */
    bool skips;       /* it is there and is kept, and its URL is not fetched */
    bool replaces;    /* the new file takes its name */
    char since[64];   /* the date for If-Modified-Since; "": none */
    const char *etag; /* for If-None-Match; borrowed; NULL: none */
};

/* Looks at the file `path` in `dir_fd`. With EXISTING_OVERWRITE and EXISTING_UPDATE, takes the name
 * `full_path` from `taken`, unless that is NULL; other directories may have files with the same
 * `path`. Returns 0; -ENOMEM or -ECANCELED. Other failures appear when the file is written. */
WHORL_SUSPENDS int existing_look(struct existing *ret, enum existing_policy policy,
                                 struct taken_names *taken, const char *full_path, int dir_fd,
                                 const char *path);

/* Writes the headers of a conditional request. Returns their count. A server that knows both uses
 * the entity tag only (RFC 9110 §13.2.2). */
size_t existing_headers(const struct existing *existing,
                        struct whorl_http_header ret[EXISTING_HEADERS_MAX]);

/* Sets the time of the last change of a file to the value of a Last-Modified header, which may be
 * NULL. A date in the future, or one that cannot be read, is not used (RFC 9110 §8.8.2.1). A file
 * whose time cannot be set keeps its time: the next run then fetches it again at worst. Also in a
 * cancelled scope. */
WHORL_SUSPENDS_SHIELDED void existing_date(int dir_fd, const char *path, const char *modified);

#endif
