/* SPDX-License-Identifier: MIT */
/* The file /robots.txt of a server: which URLs a crawler may fetch (RFC 9309). No I/O.
 *
 *     struct robots robots = {0};
 *     if (robots_parse(text, len, "whorl-get", &robots) == 0 && robots_allows(&robots, "/a?b"))
 *         ...
 *     robots_finish(&robots);
 */
#ifndef WHORL_GET_ROBOTS_H
#define WHORL_GET_ROBOTS_H

#include <stdbool.h>
#include <stddef.h>

#include "tools/get/buffer.h"

enum {
    ROBOTS_MAX = 500 << 10,   /* RFC 9309 §2.5: at least 500 KiB are read; the rest is ignored */
    ROBOTS_REDIRECTS_MAX = 5, /* RFC 9309 §2.3.1.2 */
};

struct robots_rule {
    size_t start, len; /* of its pattern, in `patterns` */
    bool allows;
};

/* The rules of the groups that apply to one crawler. Zero-initialised is valid: all is allowed. */
struct robots {
    struct robots_rule *rules;
    size_t rules_count, rules_size;
    struct buffer patterns; /* in comparable form, see robots.c */
    bool none;              /* nothing is allowed, because the file could not be read */
};

/**
 * Reads the rules of all groups for `product`, or if there are none, of those for "*". Lines that
 * are not understood are ignored. Of a text longer than ROBOTS_MAX, the whole lines in its first
 * part are read.
 *
 * @product  the product token of the crawler; upper and lower case are the same
 *
 * Returns: 0; -ENOMEM. Call robots_finish() in both cases.
 */
int robots_parse(const char *text, size_t len, const char *product, struct robots *ret);

/* What a failure to get the file means. `status` is that of the last response, or 0 when there was
 * none. Returns true when the file has a text to parse; otherwise `ret` is complete: a status of
 * 400 to 499, or one that still redirects, allows everything (RFC 9309 §2.3.1.3), and any other
 * failure allows nothing (§2.3.1.4). */
bool robots_judge(int status, struct robots *ret);

/* Whether the crawler may fetch a path with its query, such as "/a?b". The longest pattern that
 * matches decides, and of two equally long ones, Allow does. /robots.txt is always allowed. */
bool robots_allows(const struct robots *robots, const char *target);

void robots_finish(struct robots *robots);

#endif
