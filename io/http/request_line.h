/* SPDX-License-Identifier: MIT */
/* The request line of HTTP/1 (RFC 9112 §3), as a server reads it: bytes in, a verdict out.
 *
 *     struct request_line line = {.target_max = 8192};
 *     err = request_line_check(&line, bytes, len, false, &why); // again when more have arrived
 *     err = request_line_check(&line, bytes, len, true, &why);  // the line is complete
 *     err = request_target_read(&line, bytes, &target, &why);
 *
 * Nothing here allocates or suspends. Positions count from the start of the line.
 */
#ifndef IO_HTTP_REQUEST_LINE_H
#define IO_HTTP_REQUEST_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    REQUEST_METHOD_MAX = 32, /* bytes; the longest registered method has 17 */
};

/* Before the first byte, all fields except `target_max` are 0. */
struct request_line {
    size_t target_max;
    size_t checked;      /* bytes that are known to be right */
    uint32_t method_len; /* the method is at the start of the line */
    uint32_t target, target_len;
    uint8_t part; /* enum part, in request_line.c */
    uint8_t version_minor;
};

/* The parts of a target. Each has a position and a length. */
struct request_target {
    uint32_t path, path_len;   /* empty: the target has none, and "/" is meant */
    uint32_t query, query_len; /* without the question mark */
    bool has_query;
    uint32_t authority, authority_len; /* of the absolute form, else empty */
};

/**
 * Checks the bytes that have arrived since the last call.
 *
 * @bytes     the line from its start, without CR LF
 * @is_whole  the line has ended
 * @ret_why   on errors: what is wrong
 *
 * Returns: 0; WHORL_EHTTP_REQUEST_LINE; WHORL_EHTTP_METHOD for a method that is too long;
 *          WHORL_EHTTP_TARGET_TOO_LONG; WHORL_EHTTP_VERSION.
 */
int request_line_check(struct request_line *line, const char *bytes, size_t len, bool is_whole,
                       const char **ret_why);

/** Splits the target of a complete line into its parts (RFC 9112 §3.2). Returns 0;
 *  WHORL_EHTTP_REQUEST_LINE; WHORL_EHTTP_METHOD for CONNECT, which asks for a tunnel. */
int request_target_read(const struct request_line *line, const char *bytes,
                        struct request_target *ret, const char **ret_why);

/** Whether `text` can be the value of Host: a host and perhaps a port, or nothing (RFC 9110
 *  §7.2). */
bool request_is_host(const char *text, size_t len);

#endif
