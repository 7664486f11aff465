/* SPDX-License-Identifier: MIT */
/* An HTTP client (RFC 9110; HTTP/1.1: RFC 9112; HTTP/2: RFC 9113) whose session any number of tasks
 * share.
 *
 *     WHORL_AUTO(http_session) *session = NULL;
 *     WHORL_AUTO(http_response) *response = NULL;
 *     int err = whorl_http_session_create(NULL, &session);
 *     if (err == 0)
 *         err = whorl_http_get(session, "https://example.org/", &response);
 *     if (err == 0)
 *         err = whorl_http_response_save(response, "page.html", NULL);
 *
 * A response that is malformed, contradicts itself, is too large or is cut short is an error; a
 * caller never gets a part of a response as if it were the whole. A connection is kept for the next
 * request when the exchange ended cleanly.
 *
 * Details of a failure: whorl_http_do() fills the `error` that it is given. Once there is a
 * response, whorl_http_response_error() says what failed while its body was read or saved.
 */
#ifndef WHORL_HTTP_H
#define WHORL_HTTP_H

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/http_auth.h>
#include <whorl/http_proxy.h>
#include <whorl/http_trace.h>
#include <whorl/stream.h>

struct whorl_dial_options;
struct whorl_http_cookies;
struct whorl_limiter;
struct whorl_http_session;
struct whorl_http_response;
struct whorl_tls_config;
struct whorl_url;

/* Time limits. Each applies to one stage; the time that a request waits for a free connection
 * counts for `queue_ns` only. 0 means the default, WHORL_FOREVER means no limit. */
struct whorl_http_timeouts {
    int64_t queue_ns;      /* until a connection is free or may be opened; default: none */
    int64_t connect_ns;    /* name lookup, connect, and the way through a proxy; default 30 s */
    int64_t tls_ns;        /* handshake; default 30 s */
    int64_t first_byte_ns; /* from the request's last byte to the response's first; default 60 s */
    int64_t stall_ns;      /* between two reads of head or body, or two writes; default 60 s */
    int64_t total_ns;      /* the whole exchange with redirects, without queueing; default: none */

    /* The minimum speed of a body that is received or sent, in bytes per second without framing:
     * whenever `speed_ns` were spent in waiting for the peer, speed_min * speed_ns bytes must have
     * moved, else the exchange fails with WHORL_EHTTP_SPEED_TIMEOUT; then the count starts again.
     * The time in which the caller does not read, or its callback makes the next bytes, does not
     * count. */
    int64_t speed_min; /* default: none */
    int64_t speed_ns;  /* default: 30 s */
};

/* The version of HTTP. */
enum whorl_http_version {
    WHORL_HTTP_ANY, /* HTTP/2 if the server chooses it in the TLS handshake (ALPN), else HTTP/1.1 */
    WHORL_HTTP_1,   /* HTTP/1.1 and 1.0 */
    WHORL_HTTP_2,   /* HTTP/2; without TLS the server must be known to speak it (prior knowledge) */
};

/* Whether a request asks the server to say 100 (Continue) before the body is sent (RFC 9110
 * §10.1.1). The body is sent after the 100, or after 1 s without an answer. A final status instead
 * means that the body is not sent, and is the response, even if it is a 200: `unsent` of struct
 * whorl_http_info says so. After 417 the request is sent again without the question. */
enum whorl_http_expect {
    WHORL_HTTP_EXPECT_LARGE, /* with HTTP/1.1, for a body over 1 MiB or of unknown length */
    WHORL_HTTP_EXPECT_ALWAYS,
    WHORL_HTTP_EXPECT_NEVER,
};

/* How a session connects to servers. Tests and proxies replace it. */
struct whorl_http_dialer {
    /* Opens a stream to `host` and `port`. Fills `error` on failure; it is never NULL. The stream
     * of an HTTP/2 connection may be closed up to 2 s after the session has been destroyed, but
     * before the end of the run. */
    WHORL_SUSPENDS int (*dial)(void *arg, const char *host, uint16_t port,
                               struct whorl_error *error, struct whorl_stream **ret);
    void *arg;
    /* Called instead of `dial`, if it is set: for a dialer that ends in whorl_dial_stream(). It
     * gets the request's or the session's options of dialling, never NULL, to pass on. */
    WHORL_SUSPENDS int (*dial_with)(void *arg, const char *host, uint16_t port,
                                    const struct whorl_dial_options *options,
                                    struct whorl_error *error, struct whorl_stream **ret);
};

/* The options of dialling, `dial` of a session or of a request, choose how a connection is opened:
 * see dial.h. They change neither the Host header nor the name that the certificate must have;
 * these are the URL's, also with a Unix socket. Requests share a connection only if their options
 * would open the same one.
 *
 * With a proxy, they apply to the connection to the proxy. If it is a socks5 proxy, the name of the
 * server is resolved with them too; all other proxies resolve it by themselves. */

/* Zero-initialised is valid: 0 and NULL mean the default. Pointers are borrowed for the call, with
 * two exceptions: the session holds `tls`, `proxy.tls` and `cookies`, and `dialer.arg`, `netrc`,
 * and in `dial` the `resolver.arg` and the watch, must outlive the session. If
 * `tls` is given, HTTP/2 with https servers needs "h2" in its `alpn`. It is not offered to a server
 * when the request must use HTTP/1.1, or when the build has no HTTP/2. */
struct whorl_http_session_options {
    size_t conns_max;          /* open at once; 256 */
    size_t conns_per_host_max; /* open at once to one origin, with the same options; 6 */
    size_t idle_max;           /* idle and kept for later requests; conns_max */
    int64_t idle_ns;           /* an idle connection is closed after this time; 30 s */
    int redirects_max;         /* followed per request; 10; negative: none are followed */
    size_t head_bytes_max;     /* of status line and headers, and of the trailers; 64 KiB */
    size_t headers_max;        /* headers of a response; 128 */
    int informational_max;     /* 1xx responses before the final one; 16 */
    int64_t body_bytes_max;    /* of a body as sent, before decoding; default: no limit */
    int64_t decoded_bytes_max; /* of a body after decoding; default: no limit */
    struct whorl_http_timeouts timeouts;
    enum whorl_http_version version; /* of requests that do not say; WHORL_HTTP_ANY */
    size_t streams_max;              /* exchanges at a time on an HTTP/2 connection; 100 */
    bool allow_downgrade;            /* follow redirects from https to http; default: an error */
    const char *user_agent;          /* "whorl/VERSION"; "" sends none */
    struct whorl_tls_config *tls;    /* NULL: trust the system's certificates */
    struct whorl_http_dialer dialer; /* with a proxy, it opens the stream to the proxy */
    const struct whorl_dial_options *dial; /* see above; copied; not with `dialer.dial` */
    struct whorl_http_proxy proxy;         /* see http_proxy.h; none */
    const struct whorl_http_credentials *credentials; /* see http_auth.h; each with an origin;
                                                         copied; default: none */
    size_t credentials_count;
    const struct whorl_http_netrc *netrc; /* must outlive the session; NULL: none */
    struct whorl_http_cookies *cookies;   /* see http_cookies.h; NULL: cookies are ignored */
    struct whorl_http_observer observer;  /* see http_trace.h; of all requests; none */
};

/* A header of a request or response. */
struct whorl_http_header {
    const char *name;
    const char *value;
};

/* A request body: `data` with its `len`; or `read`, which is called until the body is complete; or,
 * with `use_fd`, the file `fd`. Anything else is -EINVAL. Without a body all fields are zero, also
 * for an empty one: POST, PUT and PATCH then send a length of 0. The whorl_http_body_from_
 * functions make the usual ones:
 *
 *     struct whorl_http_request request = {
 *         .method = "POST", .url = url, .body = whorl_http_body_from_json("{\"answer\": 42}")};
 *
 * A body from a file is borrowed until the response is closed, and sent inside the kernel where
 * that is possible. A regular file is read from `offset` on, for a retry or a redirect again, and
 * its position does not change. Anything else (a pipe, a terminal) is read once, at its position;
 * `offset` is then 0. */
struct whorl_http_body {
    const void *data; /* borrowed until the response is closed */
    int64_t len; /* of `data`, of all that `read` will return, or of the part of the file; -1 for a
                    regular file: up to its end; else -1: unknown, sent in chunks */
    const char *content_type; /* sent as Content-Type unless `headers` has one; NULL: not sent */

    /* Writes the next bytes to `buf`. Returns the count, 0 at the end, or a negative code, which
     * ends the exchange. */
    WHORL_SUSPENDS ssize_t (*read)(void *arg, void *buf, size_t len);
    /* Goes back to the start, for a redirect or a retry. Returns 0 or a negative code. NULL when
     * the body can be read only once. */
    int (*rewind)(void *arg);
    void *arg;

    int fd;
    bool use_fd;
    int64_t offset; /* of the first byte to send from a regular file */

    /* Trailers (RFC 9110 §6.5), only for a body of unknown length: fields that follow it, such as a
     * hash. The head announces their names; the values are read when the body has ended, so until
     * then they may change. Names that frame or route a message, or that say who asks or what the
     * body is, are not allowed. Some servers, such as nginx 1.22, end an HTTP/2 connection on which
     * trailers arrive. */
    const struct whorl_http_header *trailers;
    size_t trailers_count;
};

/* A field of a form, for whorl_http_form_encode(). */
struct whorl_http_form_field {
    const char *name;
    const char *value;
};

/* Zero-initialised fields mean the session's defaults. */
struct whorl_http_request {
    const char *method; /* NULL: GET */
    const char *url;
    const struct whorl_http_header *headers; /* `headers_count` of them; each replaces the header of
                                                the same name that the client sends by itself */
    size_t headers_count;
    struct whorl_http_body body;
    const struct whorl_http_credentials *credentials; /* for the origin of `url` only, see
                                                         http_auth.h; NULL: the session's */
    bool decode; /* ask for gzip, deflate and, where whorl is built with them, br and zstd, and
                    decode them; otherwise bodies are not decoded */
    int redirects_max;
    /* Send all `headers` but Host to other origins too, secrets included. By default a redirect to
     * another origin gets only those that are known to hold no secret, such as Accept and Range. */
    bool trust_redirects;
    bool no_cookies; /* neither send cookies of the session's jar, nor store any */
    int64_t body_bytes_max, decoded_bytes_max;
    /* How fast the body of the response is received: a token is a byte as sent by the server. Any
     * number of requests may share a limiter, which then limits all of them together. Its `burst`
     * should be at least 16 KiB. Borrowed until the response is closed; NULL: no limit. */
    struct whorl_limiter *limiters[2];
    struct whorl_http_timeouts timeouts;
    enum whorl_http_version version;
    enum whorl_http_expect expect;
    const struct whorl_dial_options *dial; /* instead of all of the session's; for the hops of
                                              redirects too; not with `dialer.dial` */
    struct whorl_http_observer observer;   /* in place of the session's */
};

/* How the response was obtained. Durations in nanoseconds; -1 when there was no such stage. */
struct whorl_http_timing {
    int64_t queue_ns, connect_ns, tls_ns, first_byte_ns;
    bool reused;     /* an earlier exchange had used the connection */
    int redirects;   /* followed */
    int retries;     /* because the server had closed a kept connection or refused the request */
    bool downgraded; /* one of the redirects went from https to http */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a session. The tasks of one run share it, and it is destroyed before that run ends. Its use
 * after that, in another run or on another thread ends the program with a message. Never suspends.
 *
 * @options  NULL for the defaults
 * @ret      the session; destroy it with whorl_http_session_destroy()
 *
 * Returns: 0; -ENOMEM; WHORL_ENOTASK (called outside a task); WHORL_EHTTP_PROXY_SETTING:
 *          whorl_http_proxy_check() says what is wrong; errors of whorl_dial_options_check();
 *          -EINVAL for `dial` with `dialer.dial`, and for credentials that are set only in part;
 *          WHORL_EHTTP_URL or WHORL_EHTTP_SCHEME for their origin.
 */
WHORL_API WHORL_CHECKED int whorl_http_session_create(
    const struct whorl_http_session_options *options, struct whorl_http_session **ret);

/** Closes the idle connections and frees the session. Every response must be closed before. Accepts
 *  NULL. */
WHORL_API void whorl_http_session_destroy(struct whorl_http_session *session);

/** Whether this build of whorl speaks the version: HTTP/2 needs nghttp2. */
WHORL_API bool whorl_http_has_version(enum whorl_http_version version);

/** Closes the connections that are idle now. Never suspends. */
WHORL_API void whorl_http_session_close_idle(struct whorl_http_session *session);

/* Counts since the session was made, and the current state. */
struct whorl_http_session_stats {
    uint64_t requests;    /* sent, with redirects and retries */
    uint64_t connections; /* opened */
    uint64_t reuses;      /* requests that used a kept connection */
    size_t open, idle;    /* connections that are open now, and how many of these are idle */
    size_t queued;        /* requests that wait for a connection now */
};

/** Fills `ret`. Never suspends. */
WHORL_API void whorl_http_session_get_stats(const struct whorl_http_session *session,
                                            struct whorl_http_session_stats *ret);

/**
 * Fetches `url` and returns once the response headers have arrived.
 *
 * Redirects are followed, and an idle connection is reused when there is one. A status of 400 or
 * more is a response, so the call succeeds. For detail of a failure, use whorl_http_do().
 *
 * @url  absolute http:// or https:// URL
 * @ret  the response; close it with whorl_http_response_close()
 *
 * Returns:  0; -ENOMEM; WHORL_EHTTP_*; a connect(2) error; WHORL_EDNS_*; WHORL_ETLS_*;
 *           WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until headers arrive.
 * Cancel:   -ECANCELED; the connection is dropped and the request may have reached the server.
 * Owns:     copies `url`.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_get(struct whorl_http_session *session, const char *url,
                                            struct whorl_http_response **ret);

/**
 * Sends any request and returns once the response headers have arrived; else as whorl_http_get().
 *
 * @request  borrowed for the call; its body until the response is closed
 * @error    filled with step and cause on failure only; may be NULL. Borrowed for the call: for
 *           later failures, see whorl_http_response_error()
 * @ret      the response; close it with whorl_http_response_close()
 *
 * Returns:  as whorl_http_get(); -EINVAL for a body, credentials or headers that are set only in
 *           part, and for `dial` with `dialer.dial`; errors of whorl_dial_options_check();
 *           WHORL_EHTTP_REQUEST_BODY when the body ends before its length; WHORL_EHTTP_AUTH_BODY
 *           when the server asks for credentials and the body cannot be sent again.
 * Suspends: until headers arrive.
 * Cancel:   -ECANCELED; the connection is dropped and the request may have reached the server.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_do(struct whorl_http_session *session,
                                           const struct whorl_http_request *request,
                                           struct whorl_error *error,
                                           struct whorl_http_response **ret);

/**
 * Encodes fields as application/x-www-form-urlencoded: "a=1&b=x+y". Also right for the query of a
 * URL. http_form.h makes forms with files. Never suspends.
 *
 * @fields  names and values in UTF-8; sent in this order; a name may occur more than once
 * @ret     the text; free() it
 *
 * Returns: 0; -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_http_form_encode(const struct whorl_http_form_field *fields,
                                                   size_t count, char **ret);

/** A body of text in UTF-8, which is borrowed until the response is closed. Its type is
 *  text/plain. */
WHORL_API struct whorl_http_body whorl_http_body_from_text(const char *text);

/** A body of JSON text, which is borrowed until the response is closed. */
WHORL_API struct whorl_http_body whorl_http_body_from_json(const char *json);

/** A body of a form that whorl_http_form_encode() has encoded. Borrowed until the response is
 *  closed. */
WHORL_API struct whorl_http_body whorl_http_body_from_form(const char *form);

/**
 * A body of the bytes of a file. Never suspends.
 *
 * @fd            stays open and the caller's until the response is closed
 * @offset, @len  the part of the file; a `len` of -1 means all of it. See struct whorl_http_body
 *                for files that are not regular
 * @content_type  borrowed until the response is closed; NULL: none is sent
 */
WHORL_API struct whorl_http_body whorl_http_body_from_file(int fd, int64_t offset, int64_t len,
                                                           const char *content_type);

/** The status: 200, 404, ... */
WHORL_API int whorl_http_response_status(const struct whorl_http_response *response);

/** The version of HTTP that the response came in: WHORL_HTTP_1 or WHORL_HTTP_2. */
WHORL_API enum whorl_http_version whorl_http_response_version(
    const struct whorl_http_response *response);

/** The reason phrase, possibly empty, and always so with HTTP/2. The server chose its bytes: escape
 *  them before printing, see text.h. */
WHORL_API const char *whorl_http_response_reason(const struct whorl_http_response *response);

/** The URL that the response came from, after redirects. Valid until the close. */
WHORL_API const struct whorl_url *whorl_http_response_url(
    const struct whorl_http_response *response);

/** The value of the first header of that name, or NULL. Case does not matter. Valid until the
 *  close. */
WHORL_API const char *whorl_http_response_header(const struct whorl_http_response *response,
                                                 const char *name);

/** The header number `index` in the order of arrival, from 0; false when there are fewer. */
WHORL_API WHORL_CHECKED bool whorl_http_response_header_at(
    const struct whorl_http_response *response, size_t index, struct whorl_http_header *ret);

/** The value of the first trailer of that name, or NULL. Trailers are known once the body has been
 *  read to its end. */
WHORL_API const char *whorl_http_response_trailer(const struct whorl_http_response *response,
                                                  const char *name);

/** The length of the body as announced; -1 when it is unknown: the body is sent in chunks, ends
 *  with the connection, or is decoded. */
WHORL_API int64_t whorl_http_response_length(const struct whorl_http_response *response);

/** Fills `ret` with how the response was obtained. */
WHORL_API void whorl_http_response_get_timing(const struct whorl_http_response *response,
                                              struct whorl_http_timing *ret);

/** Body bytes received so far, as sent by the server. */
WHORL_API int64_t whorl_http_response_received(const struct whorl_http_response *response);

/** What failed since the response was returned, while its body was received, decoded or saved: step
 *  and cause. The code is 0 when nothing failed. Never NULL; valid until the close. */
WHORL_API const struct whorl_error *whorl_http_response_error(
    const struct whorl_http_response *response);

/**
 * Reads the next bytes of the body.
 *
 * Returns:  the count; 0 at the end of a complete body and never before; WHORL_EHTTP_TRUNCATED and
 *           other WHORL_EHTTP_*; WHORL_ETLS_*; -errno. After an error, every call returns it.
 * Suspends: until there is at least one byte.
 * Cancel:   -ECANCELED; a later call outside the cancelled scope continues to read.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_http_response_read(struct whorl_http_response *response,
                                                          void *buf, size_t len);

/**
 * Returns the next bytes of the body in the memory that they were received into. A long body is
 * received in parts of up to 256 KiB. This is the fastest way to write a body to a place that
 * whorl_http_response_save() does not know, for example to a part of a file:
 *
 *     while ((n = whorl_http_response_read_part(response, &part)) > 0) {
 *         int err = whorl_pwrite_all(fd, part, (size_t)n, offset);
 *         if (err)
 *             return err;
 *         offset += n;
 *     }
 *
 * @ret  the bytes; valid until the next call for this response
 *
 * Returns:  as whorl_http_response_read(); -ENOMEM.
 * Suspends: until there is at least one byte.
 * Cancel:   -ECANCELED; a later call outside the cancelled scope continues to read.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_http_response_read_part(struct whorl_http_response *response,
                                                               const char **ret);

/**
 * Receives the next bytes of a long body into a pipe, from which
 * whorl_http_response_write_held() moves them to a file. So they are never copied into the memory
 * of this process. This works for a body of known length over HTTP/1.1 without TLS, after its first
 * bytes, when it arrives fast and is not decoded and has no limit of its speed. All other bytes are
 * read:
 *
 *     ssize_t n = whorl_http_response_hold(response, SIZE_MAX);
 *     if (n == -EOPNOTSUPP)
 *         n = whorl_http_response_read_part(response, &part);
 *     else if (n > 0)
 *         err = whorl_http_response_write_held(response, fd, offset, (size_t)n);
 *
 * The bytes are held until the next call that reads the response, which drops what was not written
 * of them.
 *
 * @len  the most bytes to hold; no more than 512 KiB are held
 *
 * Returns:  the count; 0 at the end of a complete body; -EOPNOTSUPP when the next bytes must be
 *           read in another way; otherwise as whorl_http_response_read().
 * Suspends: until there is at least one byte.
 * Cancel:   -ECANCELED; a later call outside the cancelled scope continues to receive.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_http_response_hold(struct whorl_http_response *response,
                                                          size_t len);

/**
 * Writes the first `len` bytes that are held and not yet written to a file.
 *
 * @fd      a regular file; or /dev/null, with the offset -1
 * @offset  of the first byte in the file
 *
 * Returns:  0; -EIO when fewer bytes are held; -errno, and then some of them may have been written.
 * Suspends: until they are written.
 * Cancel:   -ECANCELED; some of them may have been written.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_response_write_held(struct whorl_http_response *response,
                                                            int fd, int64_t offset, size_t len);

/**
 * Reads to the end of the body, into new memory. A NUL byte follows the body and is not counted.
 *
 * @len_max  a longer body is WHORL_EHTTP_BODY_TOO_LARGE
 * @ret      free() it
 * @ret_len  may be NULL
 *
 * Returns:  0; -ENOMEM; errors of whorl_http_response_read().
 * Suspends: until the end of the body.
 * Cancel:   -ECANCELED; the bytes that were already read are lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_response_read_to_end(struct whorl_http_response *response,
                                                             size_t len_max, char **ret,
                                                             size_t *ret_len);

/* How a body becomes a file. Zero-initialised is valid. */
struct whorl_http_save_options {
    bool overwrite; /* replace an existing file and keep its mode; default: fail with -EEXIST */
    bool sync;      /* fsync the file before it gets its name, and the directory after that */
    int dir_fd;     /* with `use_dir_fd`: the directory that `path` is relative to */
    bool use_dir_fd;
    /* Called when a part of the body has been received; must not suspend. */
    void (*progress)(void *arg, int64_t received);

    /* Returns another path when the file is complete and its name is taken; not used with
     * `overwrite`. `attempt` counts from 1. The path must be in the same directory and stay valid
     * until the next call or the end of the save; NULL makes the save fail with -EEXIST. Must not
     * suspend. With this callback no name is checked in advance, and a body is never fetched twice
     * because its name was taken. */
    const char *(*next_path)(void *arg, unsigned attempt);

    /* Called with each part of the body, in order, before it is written: to calculate a hash. Must
     * not suspend. */
    void (*part)(void *arg, const char *data, size_t len);

    /* Called once the whole body has been received, before the file gets its name. May replace
     * `path` by another path in the same directory, which must stay valid until the end of the
     * save. Returns 0, or a code with which the save fails; nothing is left of the file then.
     * Output that cannot be taken back has been written already. Must not suspend. */
    int (*complete)(void *arg, const char **path);
    void *arg;

    /* Set to true before the first byte is written to a device, pipe or socket, or to the process's
     * output, and when a FIFO has been opened: closing it gives its reader an end of file. Such
     * output cannot be taken back, so the transfer must not be repeated. May be NULL. */
    bool *ret_in_place;

    /* Set to the count of bytes that were written so far, which are decoded ones if the response is
     * decoded. Also valid when the save fails. May be NULL. */
    int64_t *ret_written;
};

/**
 * Writes the rest of the body to a file, which gets its name when it is complete, so `path` never
 * names a part of a body. Before that, the file has no name (O_TMPFILE), and the kernel frees it
 * even if the process is killed. It has a temporary name in the same directory, .NAME.RANDOM.part,
 * if the length of the body is not known, on network file systems and FUSE, and where files without
 * a name are not possible. On failure the temporary file is removed.
 *
 * Threads create and name files. For a small body the calling thread does it if the directory is on
 * tmpfs, ext4, XFS, Btrfs or F2FS, and neither `overwrite` nor `sync` is set. If it must wait for
 * more than 1 ms, threads do it for the next files in the directory, for 100 times as long.
 *
 * A device, pipe or socket (/dev/null) is written to directly. A FIFO is opened once another
 * process reads it; the total limit applies to the wait for it, and to every write that is not to a
 * file. /dev/stdout, /dev/stderr and /dev/fd/N name an open descriptor: the body is written at its
 * current position. A file that is the standard output or error of the process is appended to. A
 * symbolic link to anything else counts as a file that exists: `overwrite` replaces the link and
 * leaves the file that it points to unchanged.
 *
 * @options  NULL for the defaults
 *
 * Returns:  0; an error of whorl_http_response_read(); -ENOSPC, -EACCES, -EROFS, -EEXIST and other
 *           file errors.
 * Suspends: until everything is written.
 * Cancel:   -ECANCELED; nothing is left of the file.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_response_save(
    struct whorl_http_response *response, const char *path,
    const struct whorl_http_save_options *options);

/**
 * Reads the rest of the body and drops it, so that the connection is kept for the next request.
 * Worth it when the rest is short: to open another connection costs at least one round trip.
 *
 * @len_max  the most bytes to read, as sent by the server; a longer rest closes the connection. A
 *           rest that is announced to be longer is not read at all
 *
 * Returns:  0 at the end of the body, and later reads return 0; WHORL_EHTTP_BODY_TOO_LARGE; other
 *           errors of whorl_http_response_read(), except those of decoding.
 * Suspends: until the end of the body.
 * Cancel:   -ECANCELED; a later call outside the cancelled scope continues.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_response_drain(struct whorl_http_response *response,
                                                       int64_t len_max);

/**
 * Closes the response. The connection is kept for the next request when the body was read to its
 * end, or when at most 64 KiB of it are left and have arrived already; else it is closed. Use
 * whorl_http_response_drain() before to wait for the rest of a short body. Accepts NULL. A response
 * that is used or closed again ends the program with a message. (That is not noticed once the
 * session has used its memory again; WHORL_DEBUG=check delays that.) Never suspends.
 */
WHORL_API void whorl_http_response_close(struct whorl_http_response *response);

/**
 * Reads a Retry-After header (RFC 9110 §10.2.3): seconds, or a date in any of the three forms of
 * §5.6.7.
 *
 * @value       the value of the header; NULL when there is none
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
