/* SPDX-License-Identifier: MIT */
/* Remembers the origins whose servers refuse TLS 1.2, so that the next connection begins with the
 * library that has TLS 1.3. The number of origins is limited: a new one replaces the oldest. If an
 * origin was replaced, its next connection is opened twice, which is slower but just as safe.
 */
#ifndef IO_HTTP_UPGRADES_H
#define IO_HTTP_UPGRADES_H

#include <whorl/base.h>

enum { HTTP_UPGRADES_MAX = 64 };

/* Zero-initialised is empty. */
struct http_upgrades {
    struct {
        char *host; /* owned; NULL: unused */
        uint16_t port;
    } origins[HTTP_UPGRADES_MAX];
    size_t next; /* the place of the next origin */
};

bool http_upgrades_has(const struct http_upgrades *upgrades, const char *host, uint16_t port);

/* Adds an origin unless it is there. Without memory, it is not remembered. */
void http_upgrades_add(struct http_upgrades *upgrades, const char *host, uint16_t port);

/* Frees the memory. */
void http_upgrades_finish(struct http_upgrades *upgrades);

#endif
