/* SPDX-License-Identifier: MIT */
/* The text of a netrc file: names and passwords of machines. http_auth.h describes the format. No
 * I/O. */
#ifndef IO_HTTP_NETRC_H
#define IO_HTTP_NETRC_H

#include <stdbool.h>
#include <stddef.h>

#include <whorl/error.h>

struct netrc_entry {
    const char *machine;          /* NULL: default */
    const char *login, *password; /* NULL: not given */
};

/* Zero-initialised is empty. */
struct netrc {
    char *text; /* owned; the entries point into it */
    size_t text_len;
    struct netrc_entry *entries; /* owned */
    size_t count;
};

/**
 * Parses the text of a file.
 *
 * @error  names the line, and contains nothing of the file; may be NULL
 * @ret    free it with netrc_finish()
 *
 * Returns: 0; WHORL_EHTTP_NETRC; -ENOMEM.
 */
int netrc_parse(const char *text, size_t len, struct whorl_error *error, struct netrc *ret);

/**
 * The first entry for a host that has a login; NULL when there is none.
 *
 * @login        only an entry with this login; NULL: any
 * @use_default  whether the default entry counts too
 */
const struct netrc_entry *netrc_find(const struct netrc *netrc, const char *host, const char *login,
                                     bool use_default);

/** Wipes and frees. Accepts a zeroed struct. */
void netrc_finish(struct netrc *netrc);

#endif
