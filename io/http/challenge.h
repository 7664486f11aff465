/* SPDX-License-Identifier: MIT */
/* Reads challenges: the values of WWW-Authenticate and Proxy-Authenticate (RFC 9110 §11.6.1). One
 * value may contain several challenges, and their parameters are separated by commas as well. No
 * I/O, no allocation.
 *
 *     const char *cursor = value;
 *     struct challenge c;
 *     int more;
 *     while ((more = challenge_next(&cursor, &c)) > 0)
 *         if (challenge_is(&c, "Basic")) ...
 *     // more < 0: what follows the challenges so far is malformed
 */
#ifndef IO_HTTP_CHALLENGE_H
#define IO_HTTP_CHALLENGE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { CHALLENGE_PARAMS_MAX = 16 };

/* The spans point into the value of the header. */
struct challenge_param {
    const char *name, *value; /* a quoted value begins with its quote */
    size_t name_len, value_len;
};

struct challenge {
    const char *scheme;
    size_t scheme_len;
    struct challenge_param params[CHALLENGE_PARAMS_MAX];
    size_t params_count; /* 0 also if the challenge has a token68 instead, which is skipped */
};

/**
 * Reads the next challenge of a value.
 *
 * @cursor  starts at the value; moves behind the challenge
 *
 * Returns: 1; 0 at the end; WHORL_EHTTP_HEADER when the rest is malformed, or the challenge has a
 *          parameter twice or more than CHALLENGE_PARAMS_MAX of them.
 */
int challenge_next(const char **cursor, struct challenge *ret);

/** Whether the challenge has that scheme. Case does not matter. */
bool challenge_is(const struct challenge *challenge, const char *scheme);

/**
 * Writes the value of a parameter, without quotes and their escapes, and a NUL.
 *
 * @buf  may be NULL when `cap` is 0; if `cap` is too small, it is incomplete and has no NUL
 *
 * Returns: the length of the value without the NUL; -1 when there is no such parameter.
 */
ssize_t challenge_get(const struct challenge *challenge, const char *name, char *buf, size_t cap);

/** Whether a parameter has that value. Case does not matter. */
bool challenge_param_is(const struct challenge *challenge, const char *name, const char *value);

#endif
