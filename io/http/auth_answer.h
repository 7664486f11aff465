/* SPDX-License-Identifier: MIT */
/* Chooses the challenge to answer, and writes the answers: the value of Authorization for a server,
 * or of Proxy-Authorization for a proxy. No I/O but getrandom(2).
 *
 *     // after a 407; headers are the response's
 *     int n = auth_answer_choose(&answer, headers, "Proxy-Authenticate", WHORL_HTTP_AUTH_ANY);
 *     if (n > 0)
 *         n = auth_answer_write(&answer, &secret, "CONNECT", "example.org:443", &value);
 *     ...
 *     auth_answer_free_value(value);
 *
 * An answer can be written again for later requests: Digest then counts on with the same nonce. If
 * the answer was sent and the response has the same status again, the name or the password is
 * wrong, unless the nonce was too old: auth_tries_allow() says whether to answer once more.
 */
#ifndef IO_HTTP_AUTH_ANSWER_H
#define IO_HTTP_AUTH_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include <whorl/http_auth.h>

#include "io/http/digest.h"
#include "io/http/header.h"

/* Borrowed strings. */
struct auth_secret {
    const char *user, *password; /* user NULL: there are none */
    const char *token;           /* for Bearer; NULL: none */
};

/* Zero-initialised is valid: nothing is chosen. */
struct auth_answer {
    enum whorl_http_auth_scheme scheme; /* the chosen one; WHORL_HTTP_AUTH_ANY: none */
    struct digest digest;
    uint32_t nc; /* of the last answer */
    char cnonce[DIGEST_CNONCE_SIZE];
};

/* The answers to the challenges of one request. Zero-initialised is valid. */
struct auth_tries {
    enum whorl_http_auth_scheme sent; /* with the last sending; WHORL_HTTP_AUTH_ANY: none */
    int answers;                      /* so far */
    bool has_answered_stale;
};

/**
 * Chooses the strongest challenge: Digest with SHA-256, Digest with MD5, Basic. Bearer is chosen
 * only when it is wanted. Malformed headers are ignored.
 *
 * @name    "WWW-Authenticate" or "Proxy-Authenticate"; all headers of that name count
 * @wanted  WHORL_HTTP_AUTH_ANY: Digest or Basic
 *
 * Returns: 1, and the answer is replaced; 0 when no challenge can be answered; -ENOMEM.
 */
int auth_answer_choose(struct auth_answer *answer, const struct header_list *headers,
                       const char *name, enum whorl_http_auth_scheme wanted);

/** Whether the same request may be answered again after a challenge, and counts the answer. A
 *  request has at most two answers, the second one only after a stale nonce: so no server or proxy
 *  can keep the client in a loop of challenges. `answer` is to the new challenge. */
bool auth_tries_allow(struct auth_tries *tries, const struct auth_answer *answer);

/**
 * Writes the next answer.
 *
 * @uri  the target of the request line
 * @ret  free it with auth_answer_free_value()
 *
 * Returns: 0; WHORL_EHTTP_REQUEST_HEADER when name, password or token cannot be sent; -ENOMEM; an
 *          error of getrandom(2).
 */
int auth_answer_write(struct auth_answer *answer, const struct auth_secret *secret,
                      const char *method, const char *uri, char **ret);

/** Wipes and frees a string. Accepts NULL. */
void auth_answer_free_value(char *value);

/** Frees. Accepts a zeroed struct. */
void auth_answer_finish(struct auth_answer *answer);

#endif
