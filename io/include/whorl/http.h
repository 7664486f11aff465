/* SPDX-License-Identifier: MIT */
/* An HTTP/1.1 client (RFC 9110, RFC 9112) whose session any number of tasks share.
 *
 *     WHORL_AUTO(http_session) *session = whorl_http_session_create(NULL);
 *     WHORL_AUTO(http_response) *response = NULL;
 *     int err = whorl_http_get(session, "https://example.org/", &response);
 *     if (err == 0)
 *         err = whorl_http_response_save(response, "page.html", NULL);
 *
 * A response is believed only as far as the RFCs allow: what is malformed, conflicting, too large or
 * cut short is an error, never half an answer. Connections are kept for the next request when the
 * exchange ended cleanly.
 */
#ifndef WHORL_HTTP_H
#define WHORL_HTTP_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/stream.h>

struct whorl_http_session;
struct whorl_http_response;
struct whorl_tls_config;
struct whorl_url;

/* Each covers one stage and nothing else; time spent waiting for a free connection counts only for
 * `queue_ns`. 0 means the default, WHORL_FOREVER none. */
struct whorl_http_timeouts {
    int64_t queue_ns;      /* until a connection may be opened or is free; default: none */
    int64_t connect_ns;    /* name lookup and connect; default 30 s */
    int64_t tls_ns;        /* handshake; default 30 s */
    int64_t first_byte_ns; /* from the request's last byte to the response's first; default 60 s */
    int64_t stall_ns;      /* between two reads of head or body, or two writes; default 60 s */
    int64_t total_ns;      /* the whole exchange with redirects, without queueing; default: none */
};

/* How a session reaches servers; replaced in tests and by proxies. */
struct whorl_http_dialer {
    /* Opens a stream to host and port. Fills `error` on failure. */
    WHORL_SUSPENDS int (*dial)(void *ctx, const char *host, uint16_t port,
                               struct whorl_error *error, struct whorl_stream **ret);
    void *ctx;
};

/* Zero-initialised is valid: 0 and NULL mean the default. Everything is borrowed for the call except
 * `tls`, which the session holds, and `dialer.ctx`, which must outlive it. */
struct whorl_http_session_options {
    size_t conns_max;          /* open at once; 256 */
    size_t conns_per_host_max; /* open at once to one origin; 6 */
    size_t idle_max;           /* kept for later; conns_max */
    int64_t idle_ns;           /* a kept connection is closed after; 30 s */
    int redirects_max;         /* followed per request; 10; negative: none are followed */
    size_t head_bytes_max;     /* status line and headers; 64 KiB. Trailers too */
    size_t headers_max;        /* 128 */
    int informational_max;     /* 1xx responses before the final one; 16 */
    int64_t body_bytes_max;    /* as sent, before decoding; default: no limit */
    int64_t decoded_bytes_max; /* of a decoded body; default: no limit */
    struct whorl_http_timeouts timeouts;
    const char *user_agent;       /* "whorl/VERSION"; "" sends none */
    struct whorl_tls_config *tls; /* NULL: system trust, made at the first https request */
    struct whorl_http_dialer dialer;
};

struct whorl_http_header {
    const char *name;
    const char *value;
};

/* A request body: either `data`, or `read` called until it is done. */
struct whorl_http_body {
    const void *data; /* borrowed until the response is closed */
    int64_t len;      /* of data, or of what `read` will give; -1 with `read`: chunked */

    /* Gives the next bytes: the count, 0 at the end, or a negative code, which ends the exchange. */
    WHORL_SUSPENDS ssize_t (*read)(void *ctx, void *buf, size_t len);
    /* Back to the start, for a redirect or a retry; NULL when that cannot be. 0 or a code. */
    int (*rewind)(void *ctx);
    void *ctx;
};

/* Zero-initialised fields mean the session's defaults. */
struct whorl_http_request {
    const char *method; /* NULL: GET */
    const char *url;
    const struct whorl_http_header *headers; /* `headers_count` of them; a name given here replaces
                                                the one the client would send */
    size_t headers_count;
    struct whorl_http_body body;
    bool decode; /* ask for gzip and deflate and decode them; never decoded unasked */
    int redirects_max;
    int64_t body_bytes_max, decoded_bytes_max;
    struct whorl_http_timeouts timeouts;
    struct whorl_error *error; /* says step and cause of a failure; may be NULL. Must stay valid
                                  until the response is closed */
};

/* What happened on the way to a response. Durations in nanoseconds, -1 when there was no such
 * stage. */
struct whorl_http_timing {
    int64_t queue_ns, connect_ns, tls_ns, first_byte_ns;
    bool reused;   /* came over a connection that had been used before */
    int redirects; /* followed */
    int retries;   /* because a kept connection turned out dead */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a session. It serves the tasks of one run and is destroyed before that run ends. Never
 * suspends.
 *
 * Returns: the session, or NULL when there is no memory.
 */
WHORL_API WHORL_CHECKED struct whorl_http_session *whorl_http_session_create(
    const struct whorl_http_session_options *options);

/** Closes its idle connections and frees it; every response must be closed before. Accepts NULL. */
WHORL_API void whorl_http_session_destroy(struct whorl_http_session *session);

/** Closes connections that are idle now. Never suspends. */
WHORL_API void whorl_http_session_close_idle(struct whorl_http_session *session);

/* Counts since the session was made. */
struct whorl_http_session_stats {
    uint64_t requests;         /* sent, redirects and retries included */
    uint64_t connections;      /* opened */
    uint64_t reuses;           /* requests that found a kept connection */
    size_t open, idle, queued; /* now: connections open, of these idle; requests waiting */
};

/** Fills `ret`. Never suspends. */
WHORL_API void whorl_http_session_get_stats(const struct whorl_http_session *session,
                                            struct whorl_http_session_stats *ret);

/**
 * Fetches `url` and returns once the response headers have arrived.
 *
 * Redirects are followed and an idle connection is reused when there is one. A status of 400 or
 * more is a response, so it is a success here.
 *
 * @url  absolute http:// or https:// URL
 * @ret  the response; close it with whorl_http_response_close()
 *
 * Returns:  0; -ENOMEM; WHORL_EHTTP_*; a connect(2) error; WHORL_EDNS_*; WHORL_ETLS_*.
 * Suspends: until headers arrive.
 * Cancel:   -ECANCELED; the connection is dropped and the request may have reached the server.
 * Owns:     copies `url`.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_get(struct whorl_http_session *session, const char *url,
                                            struct whorl_http_response **ret);

/** whorl_http_get() for any request. `request` is borrowed for the call; its body and error until
 *  the response is closed. */
WHORL_API WHORL_SUSPENDS int whorl_http_do(struct whorl_http_session *session,
                                           const struct whorl_http_request *request,
                                           struct whorl_http_response **ret);

/** 200, 404, ... */
WHORL_API int whorl_http_response_status(const struct whorl_http_response *response);

/** The reason phrase, possibly empty. Foreign bytes: escape before printing. */
WHORL_API const char *whorl_http_response_reason(const struct whorl_http_response *response);

/** The URL the response came from, after redirects; valid until the close. */
WHORL_API const struct whorl_url *whorl_http_response_url(
    const struct whorl_http_response *response);

/** The first header of that name (any case), or NULL. Valid until the close. */
WHORL_API const char *whorl_http_response_header(const struct whorl_http_response *response,
                                                 const char *name);

/** Header number `index` in the order of arrival; false when there are fewer. */
WHORL_API bool whorl_http_response_header_at(const struct whorl_http_response *response,
                                             size_t index, struct whorl_http_header *ret);

/** The first trailer of that name, or NULL; known once the body has been read to its end. */
WHORL_API const char *whorl_http_response_trailer(const struct whorl_http_response *response,
                                                  const char *name);

/** The body's length as announced, -1 when unknown (chunked, until close, or decoded). */
WHORL_API int64_t whorl_http_response_length(const struct whorl_http_response *response);

/** How it was reached. */
WHORL_API void whorl_http_response_timing(const struct whorl_http_response *response,
                                          struct whorl_http_timing *ret);

/** Body bytes received so far, as sent by the server. */
WHORL_API int64_t whorl_http_response_received(const struct whorl_http_response *response);

/**
 * Reads the next bytes of the body.
 *
 * Returns:  the count; 0 at the complete end, never before; WHORL_EHTTP_TRUNCATED and other
 *           WHORL_EHTTP_*; WHORL_ETLS_*; -errno. After an error it returns the same again.
 * Suspends: until there is at least one byte.
 * Cancel:   -ECANCELED; reading may go on in a later, uncancelled call.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_http_response_read(struct whorl_http_response *response,
                                                          void *buf, size_t len);

/**
 * Reads the whole body into fresh memory, which is also terminated by a NUL not counted.
 *
 * @len_max  more is WHORL_EHTTP_BODY_TOO_LARGE
 * @ret      free() it
 * @ret_len  may be NULL
 *
 * Returns:  0; -ENOMEM; as whorl_http_response_read().
 */
WHORL_API WHORL_SUSPENDS int whorl_http_response_read_all(struct whorl_http_response *response,
                                                          size_t len_max, char **ret,
                                                          size_t *ret_len);

/* How a body becomes a file. Zero-initialised is valid. */
struct whorl_http_save_options {
    bool overwrite; /* replace a file that exists, keeping its mode; default: fail with -EEXIST */
    bool sync;      /* fsync before the rename and the folder after it */
    int dir_fd;     /* with `use_dir_fd`: the folder that `path` is relative to */
    bool use_dir_fd;
    void (*progress)(void *ctx, int64_t received); /* called after each part; must not suspend */

    /* Without `overwrite`: asked for another path when the whole file is to get its name and that is
     * taken; `attempt` counts from 1. The path must lie in the same folder and stay valid until the
     * next call or the save's end; NULL gives up with -EEXIST. Must not suspend. So a name is never
     * looked at before it is taken, and a body is never fetched twice for want of one. */
    const char *(*next_path)(void *ctx, unsigned attempt);
    void *ctx;
};

/**
 * Writes the rest of the body to a file: under a temporary name in the same folder first, renamed
 * when it is whole, so that `path` never shows half a body. On failure the temporary file is gone.
 * A path that names a device, pipe or socket (/dev/null) is written to in place, and so is the file
 * that is the process's standard output or error (/dev/stdout), at its end. A symbolic link to
 * anything else is a name that is taken, like a file's: with `overwrite` the file takes its place, and
 * what it points to stays as it is.
 *
 * @options  NULL for the defaults
 *
 * Returns:  0; an error of whorl_http_response_read(); -ENOSPC, -EACCES, -EROFS, -EEXIST and other
 *           file errors.
 * Suspends: until everything is written.
 * Cancel:   -ECANCELED; nothing is left behind.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_response_save(
    struct whorl_http_response *response, const char *path,
    const struct whorl_http_save_options *options);

/**
 * Closes the response. When its body was read to the end the connection is kept for the next
 * request, else it is closed; a rest that is already there is read to save the connection. Accepts
 * NULL. Never suspends.
 */
WHORL_API void whorl_http_response_close(struct whorl_http_response *response);

/**
 * Reads a Retry-After header (RFC 9110 §10.2.3): seconds, or a date in any of the three forms of
 * §5.6.7.
 *
 * @value       the header's value; NULL is no header
 * @now_unix_s  the time of day, in seconds since 1970
 *
 * Returns: how long to wait in nanoseconds, 0 for a date that has passed; -1 when there is no such
 *          header or it cannot be read.
 */
WHORL_API int64_t whorl_http_retry_after(const char *value, int64_t now_unix_s);

static inline void whorl_auto_http_session(struct whorl_http_session **session)
{
    whorl_http_session_destroy(*session);
}

static inline void whorl_auto_http_response(struct whorl_http_response **response)
{
    whorl_http_response_close(*response);
}

#ifdef __cplusplus
}
#endif

#endif
