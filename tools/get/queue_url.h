/* SPDX-License-Identifier: MIT */
/* The URL of --queue. It says where a Redis server is, and which of its keys are used. No I/O.
 *
 *     redis://[[USER]:PASSWORD@]HOST[:PORT][/DB][?NAME=VALUE&...]
 *     rediss://...                                                  the same over TLS
 *     redis+unix://[[USER]:PASSWORD@]/PATH[?NAME=VALUE&...]          a Unix socket
 *
 *     stream=NAME      the stream with the URLs; "urls" if it is not given
 *     group=NAME       the consumer group of the workers; "whorl-get"
 *     results=NAME     the stream for the results; the name of the stream and ":results"
 *     consumer=NAME    the name of this worker; a name that is unique
 *     claim=TIME       an entry is taken from a worker that was silent for this time; 60s
 *     deliveries=N     an entry that ended N workers is a failure; 5
 *     wait=1           wait for more entries at the end
 *     db=N             the database, for a Unix socket
 *
 * All parts are percent-decoded.
 */
#ifndef WHORL_GET_QUEUE_URL_H
#define WHORL_GET_QUEUE_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QUEUE_URL_WHY_SIZE = 128 };

struct queue_url {
    bool is_tls;
    const char *host; /* without brackets; NULL with `unix_path` */
    int port;
    const char *unix_path; /* NULL: TCP */
    const char *user;      /* NULL: the default user */
    const char *password;  /* NULL: none; never to be printed */
    int db;
    const char *stream, *group;
    const char *results;  /* NULL: `stream` and ":results" */
    const char *consumer; /* NULL: choose one */
    int64_t claim_ns;
    int deliveries_max;
    bool waits;
    char *text;      /* owned; the strings point into it */
    size_t size;     /* of `text` */
    char shown[256]; /* for messages: without secrets and parameters, escaped */
};

/**
 * Parses the URL.
 *
 * @why  what is wrong, as the rest of a sentence; it contains no part of the URL
 *
 * Returns: 0; -EINVAL; -ENOMEM. Call queue_url_finish() in every case.
 */
int queue_url_parse(struct queue_url *ret, const char *text, char why[QUEUE_URL_WHY_SIZE]);

/* Frees the memory, and overwrites it. Accepts a zeroed struct. */
void queue_url_finish(struct queue_url *url);

#endif
