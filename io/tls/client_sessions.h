/* SPDX-License-Identifier: MIT */
/* Sessions that clients may resume: a handshake that resumes one needs no certificates and less
 * work.
 *
 * A session was made with a checked certificate, and the check is not repeated. So a session is
 * used only for the host and port that it was made for, with the same TLS configuration, and not
 * for longer than an hour. A session is removed from the store when it is used, and the server can
 * send a new one for the next connection (RFC 8446 §C.4).
 *
 * The number of sessions is limited, in total and for each key. The oldest ones are dropped.
 * Threads may share a store.
 */
#ifndef IO_TLS_CLIENT_SESSIONS_H
#define IO_TLS_CLIENT_SESSIONS_H

#include <whorl/base.h>

enum {
    TLS_CLIENT_SESSIONS_MAX = 32,
    TLS_CLIENT_SESSIONS_PER_KEY_MAX = 4,
    TLS_CLIENT_SESSION_LIFETIME_S = 3600,
};

struct tls_client_sessions;

/* The longest key, with its terminating zero. */
enum { TLS_CLIENT_SESSION_KEY_SIZE = 300 };

/* Writes the key for the sessions of one library with one server. */
void tls_client_session_key(char key[TLS_CLIENT_SESSION_KEY_SIZE], const char *library,
                            const char *host, uint16_t port);

/* Makes an empty store with one reference; NULL when there is no memory. */
struct tls_client_sessions *tls_client_sessions_create(void);

/* Adds a reference. Returns `sessions`. Accepts NULL. */
struct tls_client_sessions *tls_client_sessions_hold(struct tls_client_sessions *sessions);

/* Drops a reference. Accepts NULL. */
void tls_client_sessions_release(struct tls_client_sessions *sessions);

/* Puts in a session, which is dropped with `release`. Owns `session`, in every case.
 *
 * @key    copied
 * @now_s  the current date, in seconds since 1970 */
void tls_client_sessions_put(struct tls_client_sessions *sessions, const char *key, int64_t now_s,
                             void *session, void (*release)(void *session));

/* Takes out the newest session for `key`, which the caller then owns; NULL: there is none. */
void *tls_client_sessions_take(struct tls_client_sessions *sessions, const char *key,
                               int64_t now_s);

#endif
