/* SPDX-License-Identifier: MIT */
/* The connection of a hop: gets it from the pool, or opens it as the session and the request
 * say. */
#ifndef IO_HTTP_FETCH_CONN_H
#define IO_HTTP_FETCH_CONN_H

#include <whorl/base.h>

struct fetch;

/* Gets a connection for the current URL, or permission to open one: `response->conn`. Waits in the
 * queue if necessary. 0; WHORL_EHTTP_QUEUE_TIMEOUT; what making a TLS configuration fails with;
 * -ENOMEM; -ECANCELED; with `error` filled. */
WHORL_SUSPENDS int fetch_conn_acquire(struct fetch *f);

/* Opens the connection if it is new. 0, or as http_conn_open(), with `error` filled. */
WHORL_SUSPENDS int fetch_conn_open(struct fetch *f);

#endif
