/* SPDX-License-Identifier: MIT */
/* The sessions of a server that clients can resume (RFC 5246 §7.3). All threads may share them.
 *
 * A session is found by its id, the host and the hour. So it cannot be resumed for another host,
 * and it is forgotten after one to two hours.
 */
#ifndef IO_TLS_SESSIONS_H
#define IO_TLS_SESSIONS_H

#include <bearssl.h>

#include <whorl/base.h>

struct tls_sessions;

/* Makes room for `max` sessions. Returns 0 or -ENOMEM. */
int tls_sessions_create(size_t max, struct tls_sessions **ret);

/* Stores a session; the one that was used least recently makes room for it.
 *
 * @server  of the connection, as a source of randomness
 * @host    "" when the client named none */
void tls_sessions_save(struct tls_sessions *sessions, br_ssl_server_context *server,
                       const char *host, int64_t now_ns, const br_ssl_session_parameters *session);

/* Looks for the session whose id is in `session`, and fills in the other fields. Returns whether it
 * was found. */
bool tls_sessions_load(struct tls_sessions *sessions, br_ssl_server_context *server,
                       const char *host, int64_t now_ns, br_ssl_session_parameters *session);

/* Erases the sessions' secrets. Accepts NULL. */
void tls_sessions_destroy(struct tls_sessions *sessions);

#endif
