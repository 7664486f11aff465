/* SPDX-License-Identifier: MIT */
/* Names, passwords and tokens for HTTP servers: Basic (RFC 7617), Digest (RFC 7616) and Bearer (RFC
 * 6750), and netrc files.
 *
 *     struct whorl_http_credentials credentials = {
 *         .origin = "https://example.org", .user = "me", .password = "secret"};
 *     struct whorl_http_session_options options = {
 *         .credentials = &credentials, .credentials_count = 1};
 *     err = whorl_http_session_create(&options, &session);
 *
 * Credentials belong to one origin: scheme, host and port. They are never sent to another one, also
 * not when a redirect leads there, and a proxy that asks for credentials (407) never gets them. An
 * HTTP proxy can read what it passes on, so use https. For each request, the first of these that
 * exist for the URL count:
 *
 *     1. an Authorization header of the request: it is sent as it is, and a 401 is not answered
 *     2. the request's `credentials`
 *     3. the name and password in the URL, which are sent at once as Basic
 *     4. the session's `credentials`
 *     5. the session's `netrc`: the entry for the URL's host. Its default entry is not used after a
 *        redirect to another origin
 *
 * Without `preemptive`, credentials are sent once the server has asked for them with 401. Then the
 * request is sent once more with an answer to the strongest challenge that is known: Digest with
 * SHA-256, Digest with MD5, Basic. A second 401 is returned to the caller; only a server that says
 * that its nonce was too old (stale=true) gets one more answer. Later requests to the same origin
 * send the credentials at once, and Digest uses the same nonce again.
 *
 * Digest supports MD5, SHA-256 and their -sess variants with qop=auth, and userhash. Names and
 * passwords are sent as they are given, in UTF-8, without normalization (RFC 8265).
 *
 * The session keeps copies. It overwrites them with zeros when it frees them, and no error text
 * contains them.
 *
 * A netrc file has the format that ftp(1) and curl read. Words are separated by spaces and lines:
 *
 *     machine example.org login me password "a \"quoted\" word"
 *     default login anonymous password guest
 *     # a line that begins with "#" is a comment
 *
 * In quotes, \n, \r and \t stand for control characters, and a backslash before another character
 * stands for that character. `account` and its value are ignored; so is `macdef` up to the next
 * empty line. The first entry that has a login counts. An entry is for every port of its host, over
 * http and https.
 */
#ifndef WHORL_HTTP_AUTH_H
#define WHORL_HTTP_AUTH_H

#include <whorl/base.h>
#include <whorl/error.h>

struct whorl_http_netrc;

/* The schemes of authentication. */
enum whorl_http_auth_scheme {
    WHORL_HTTP_AUTH_ANY, /* the strongest that the server asks for: Digest or Basic; sent
                            preemptively: Basic */
    WHORL_HTTP_AUTH_BASIC,
    WHORL_HTTP_AUTH_BEARER,
    WHORL_HTTP_AUTH_DIGEST, /* never sent preemptively: it needs the server's nonce */
};

/* Borrowed strings in UTF-8, without control characters; `user` contains no colon. */
struct whorl_http_credentials {
    const char *origin; /* a URL, of which scheme, host and port count. In a request it is NULL and
                           means the origin of its URL */
    enum whorl_http_auth_scheme scheme;
    const char *user, *password; /* password NULL: "" */
    const char *token;           /* for WHORL_HTTP_AUTH_BEARER, instead of the two above */
    bool preemptive;             /* send Basic or Bearer at once */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Reads a netrc file of at most 1 MiB. It is a short read without waiting in the runtime, so call
 * it when the program starts. Never suspends.
 *
 * @path   NULL: .netrc in the directory that HOME names
 * @error  its step is "netrc"; its text names the file and the line, but quotes nothing of the
 *         file; may be NULL; borrowed for the call
 * @ret    free it with whorl_http_netrc_destroy() after the sessions that use it
 *
 * Returns: 0; WHORL_EHTTP_NETRC; -ENOENT, -EACCES and other errors of open(2) and read(2); -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_http_netrc_load(const char *path, struct whorl_error *error,
                                                  struct whorl_http_netrc **ret);

/** Whether other users than the file's owner could read the file: tell its owner. */
WHORL_API bool whorl_http_netrc_is_exposed(const struct whorl_http_netrc *netrc);

/** Overwrites the passwords and frees. Accepts NULL. */
WHORL_API void whorl_http_netrc_destroy(struct whorl_http_netrc *netrc);

#ifdef __cplusplus
}
#endif

#endif
