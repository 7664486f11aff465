/* SPDX-License-Identifier: MIT */
/* Hosts of URLs: reads a host into canonical form or refuses it. Also the declarations that host.c
 * and url.c share. */
#ifndef IO_URL_HOST_H
#define IO_URL_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include <whorl/error.h>

/* A part of the text as given. `at` is NULL for a part that is missing. */
struct url_span {
    const char *at;
    size_t len;
};

enum { URL_HOST_MAX = 253 }; /* RFC 1035 §2.3.4, as text without the last dot */

struct url_host {
    char text[URL_HOST_MAX +
              2]; /* canonical, without brackets, with the last dot if the text has one */
    bool is_ip, is_v6;
};

/**
 * Reads a host whose percent-encoding was checked.
 *
 * @in_brackets  `text` is an IPv6 address without its brackets; else a name or an IPv4 address
 *
 * Returns: 0; WHORL_EHTTP_URL; -ENOMEM.
 */
int url_host_read(struct url_host *ret, struct url_span text, bool in_brackets,
                  struct whorl_error *error);

/* Fill `error` and return its code. */
int url_refuse(struct whorl_error *error, const char *why);
int url_no_memory(struct whorl_error *error);

#endif
