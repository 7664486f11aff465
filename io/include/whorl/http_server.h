/* SPDX-License-Identifier: MIT */
/* An HTTP/1.1 server (RFC 9110, RFC 9112). A handler answers one request; it runs in the task of
 * the request's connection.
 *
 *     static WHORL_SUSPENDS int hello(void *arg, struct whorl_http_incoming *incoming,
 *                                     struct whorl_http_reply *reply)
 *     {
 *         (void)incoming;
 *         return whorl_http_reply_send(reply, 200, "text/plain", arg, strlen(arg));
 *     }
 *
 *     static int root(void *arg)
 *     {
 *         WHORL_AUTO(listener) *listener = NULL;
 *
 *         int err = whorl_listen_ip("127.0.0.1", 8080, NULL, &listener);
 *         return err ? err : whorl_http_serve(&listener, 1, NULL, hello, arg);
 *     }
 *
 *     int main(void)
 *     {
 *         return whorl_io_run(root, "hello\n") ? 1 : 0;
 *     }
 *
 * A request that is malformed, contradicts itself or exceeds a limit never reaches the handler: the
 * server answers it and closes the connection. Connections are kept for further requests, and
 * requests that arrive together are answered in their order.
 *
 * The reply ends when the handler returns. If the handler returns a negative code before a byte of
 * the reply was sent, the server replies 500, or 400, 408 or 413 when the code comes from reading
 * the request's body. If a part of the reply was already sent, the server closes the connection, so
 * that the client does not take that part for the whole reply. It also closes the connection after
 * 400, 408 and 413.
 *
 * The server ends gracefully when the task that serves is asked to stop (see stop.h): idle
 * connections are closed at once, and replies in progress are finished within the grace period.
 */
#ifndef WHORL_HTTP_SERVER_H
#define WHORL_HTTP_SERVER_H

#include <whorl/base.h>
#include <whorl/http.h>
#include <whorl/net.h>
#include <whorl/serve.h>
#include <whorl/stream.h>

/* A request, and the reply to it. Both are valid until the handler returns. Only one task at a time
 * may use the request, and only one the reply; these may be two different tasks. */
struct whorl_http_incoming;
struct whorl_http_reply;

/* Answers one request. Returns 0, or a negative code; see above for what that means. */
typedef WHORL_SUSPENDS int (*whorl_http_handler_fn)(void *arg, struct whorl_http_incoming *incoming,
                                                    struct whorl_http_reply *reply);

/* Time limits. 0 means the default, WHORL_FOREVER means no limit. */
struct whorl_http_server_timeouts {
    int64_t head_ns;        /* from a request's first byte to the end of its head; also from the
                               start of a connection to its first byte; default 10 s */
    int64_t idle_ns;        /* from a reply to the next request's first byte; default 60 s */
    int64_t read_stall_ns;  /* between two reads of a body; default 30 s */
    int64_t body_grace_ns;  /* how long the server waits for a body altogether before the minimum
                               rate applies; WHORL_FOREVER: it never applies; default 20 s */
    int64_t write_stall_ns; /* for the client to take 256 KiB of a reply; default 30 s */
    int64_t total_ns;       /* from a request's first byte to the end of its reply; default: none */
};

/* One exchange, for an access log. The texts may contain any bytes that the client sent: escape
 * them before printing, see text.h. The pointers are valid during the call. */
struct whorl_http_log_entry {
    const char *method, *target;   /* "" when the request line could not be read */
    int status;                    /* of the reply; 0 when none was sent */
    int64_t bytes;                 /* of the reply's body that were sent */
    int64_t duration_ns;           /* from the request's first byte to the end of the reply */
    const struct whorl_addr *peer; /* NULL when the stream has no socket */
    int err;                       /* why the exchange failed; 0 when it did not */
    const char *error_text;        /* more about that, safe to print; "" when there is no more */
};

/* Zero-initialised is valid: 0 and NULL mean the default. */
struct whorl_http_server_options {
    /* Of the connections; with `tls`, the server speaks HTTPS. `failed` is called with the
     * handler's `arg` when a connection has failed; failures of single requests are reported to
     * `log`. */
    struct whorl_serve_options serve;
    size_t head_bytes_max;   /* of a request line and headers, and of trailers; 32 KiB */
    size_t target_bytes_max; /* of a target: more is answered with 414; 8 KiB */
    size_t headers_max;      /* of a request, and trailers; 128 */
    int64_t body_bytes_max;  /* of a request's body, without chunk framing; default: no limit */
    int64_t body_rate_min;   /* bytes per second of a request's body, without chunk framing, while
                                the server waits for it; a slower body is 408; default 500 */
    struct whorl_http_server_timeouts timeouts;
    /* Compress replies that are text with gzip, if the client accepts that and the handler has set
     * no Content-Encoding. Files are sent as they are. */
    bool gzip;
    /* Called after each exchange, with the handler's `arg`. It must not suspend. NULL: not
     * called. */
    void (*log)(void *arg, const struct whorl_http_log_entry *entry);
};

/* How a file is sent. Zero-initialised is valid. */
struct whorl_http_file_options {
    const char *content_type; /* NULL: chosen by the end of the name */
    /* Name of the file to send for a directory. If the request's path does not end with a slash, it
     * is redirected to the path that does, so that relative links work. NULL: none, it is 404. */
    const char *index;
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Serves HTTP on all of the listeners until the running task is asked to stop.
 *
 * @listeners  borrowed for the call; they stay open
 * @options    borrowed for the call; NULL for the defaults
 * @fn, @arg   called as fn(arg, incoming, reply) for each request, in the task of its connection
 *
 * Returns:  as whorl_serve().
 * Suspends: until all connections have ended.
 * Cancel:   -ECANCELED; the connections are cancelled at once.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_serve(struct whorl_listener *const *listeners, size_t count,
                                              const struct whorl_http_server_options *options,
                                              whorl_http_handler_fn fn, void *arg);

/**
 * Serves HTTP on one connection, until one side ends it or the running task is asked to stop. For
 * connections that whorl_serve() does not accept, such as memory in a test.
 *
 * @stream     borrowed for the call; close it afterwards
 * @options    borrowed for the call; `serve` is ignored. NULL for the defaults
 * @fn, @arg   called as fn(arg, incoming, reply) for each request, in the calling task
 *
 * Returns:  0 when the connection has ended in order, also after a request that was refused;
 *           -ENOMEM; errors of whorl_stream_read() and whorl_stream_write(); WHORL_ENOTASK;
 *           WHORL_EHTTP_STALL_TIMEOUT when the client took no bytes.
 * Suspends: until the connection has ended.
 * Cancel:   -ECANCELED; a reply may have been sent in part.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_serve_stream(
    struct whorl_stream *stream, const struct whorl_http_server_options *options,
    whorl_http_handler_fn fn, void *arg);

/** The method: "GET", "POST", or any other token. */
WHORL_API const char *whorl_http_incoming_method(const struct whorl_http_incoming *incoming);

/** The target as it was sent: "/path?query", "*" for OPTIONS, or an http URL. */
WHORL_API const char *whorl_http_incoming_target(const struct whorl_http_incoming *incoming);

/** The path of the target, not decoded: "/" and more, or "*". Each percent sign is followed by two
 *  hexadecimal digits, and no "%00" occurs. */
WHORL_API const char *whorl_http_incoming_path(const struct whorl_http_incoming *incoming);

/** The query of the target, without the question mark and not decoded; NULL when there is none. */
WHORL_API const char *whorl_http_incoming_query(const struct whorl_http_incoming *incoming);

/** The host that the client asked for, with the port if one was sent. It is taken from the target
 *  when that is a URL, else from the Host header. It may be empty. NULL: an HTTP/1.0 request
 *  without a host. */
WHORL_API const char *whorl_http_incoming_host(const struct whorl_http_incoming *incoming);

/** The minor version: 1 for HTTP/1.1, 0 for HTTP/1.0. */
WHORL_API int whorl_http_incoming_version_minor(const struct whorl_http_incoming *incoming);

/** The value of the first header of that name, or NULL. Case does not matter. */
WHORL_API const char *whorl_http_incoming_header(const struct whorl_http_incoming *incoming,
                                                 const char *name);

/** Gets the header number `index`, counted from 0 in the order of arrival. Returns false when there
 *  are fewer headers. */
WHORL_API WHORL_CHECKED bool whorl_http_incoming_header_at(
    const struct whorl_http_incoming *incoming, size_t index, struct whorl_http_header *ret);

/** The value of the first trailer of that name, or NULL. Trailers are known once the body has been
 *  read to its end. */
WHORL_API const char *whorl_http_incoming_trailer(const struct whorl_http_incoming *incoming,
                                                  const char *name);

/** The length of the body: 0 when there is none, -1 when it is sent in chunks. */
WHORL_API int64_t whorl_http_incoming_length(const struct whorl_http_incoming *incoming);

/** The client's address; NULL when the stream has no socket. Valid until the handler returns. */
WHORL_API const struct whorl_addr *whorl_http_incoming_peer(struct whorl_http_incoming *incoming);

/**
 * Reads the next bytes of the body. A client that waits for "100 Continue" gets it before the first
 * read. After the reply, the server reads and drops the rest of the body if that is short.
 * Otherwise it closes the connection.
 *
 * Returns:  the count; 0 at the end of a complete body and never before; WHORL_EHTTP_TRUNCATED,
 *           WHORL_EHTTP_BODY_TOO_LARGE, WHORL_EHTTP_STALL_TIMEOUT, WHORL_EHTTP_BODY_RATE and other
 *           WHORL_EHTTP_*; WHORL_ETLS_*; -errno. After an error, every call returns it.
 * Suspends: until there is at least one byte.
 * Cancel:   -ECANCELED; a later call outside the cancelled scope continues to read.
 */
WHORL_API WHORL_SUSPENDS ssize_t whorl_http_incoming_read(struct whorl_http_incoming *incoming,
                                                          void *buf, size_t len);

/**
 * Reads to the end of the body, into new memory. A NUL byte follows the body and is not counted.
 *
 * @len_max  a longer body fails with WHORL_EHTTP_BODY_TOO_LARGE
 * @ret      free() it
 * @ret_len  may be NULL
 *
 * Returns:  0; -ENOMEM; errors of whorl_http_incoming_read().
 * Suspends: until the end of the body.
 * Cancel:   -ECANCELED; the bytes that were already read are lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_incoming_read_to_end(struct whorl_http_incoming *incoming,
                                                             size_t len_max, char **ret,
                                                             size_t *ret_len);

/**
 * Adds a header to the reply. The same name may be added more than once. "Connection: close" makes
 * this the connection's last reply. Never suspends.
 *
 * Returns: 0; WHORL_EHTTP_REPLY when the name is no token, when the value has a control byte, when
 *          only the server sets this header (Content-Length, Transfer-Encoding, Date, ...), and
 *          when the reply has begun; -ENOMEM.
 * Owns:    copies `name` and `value`.
 */
WHORL_API WHORL_CHECKED int whorl_http_reply_add_header(struct whorl_http_reply *reply,
                                                        const char *name, const char *value);

/**
 * Sends a whole reply, with one write. The body is not sent for HEAD, nor with the statuses 204 and
 * 304.
 *
 * @status        200 to 999
 * @content_type  NULL: none, or it was added already
 * @data          borrowed for the call; may be NULL when `len` is 0
 *
 * Returns:  0; WHORL_EHTTP_REPLY when the status or type cannot be sent, and when the reply has
 *           begun; -ENOMEM; WHORL_EHTTP_STALL_TIMEOUT; errors of whorl_stream_write().
 * Suspends: until the stream has taken everything.
 * Cancel:   -ECANCELED; the connection will be closed.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_reply_send(struct whorl_http_reply *reply, int status,
                                                   const char *content_type, const void *data,
                                                   size_t len);

/**
 * Begins a reply whose body is written in parts. The head is sent together with the first part.
 * Never suspends.
 *
 * @length  of the body; -1: unknown, it is sent in chunks (to HTTP/1.0 clients: until the close)
 *
 * Returns: 0; WHORL_EHTTP_REPLY when the status cannot be sent, and when the reply has begun;
 *          -ENOMEM.
 */
WHORL_API WHORL_CHECKED int whorl_http_reply_start(struct whorl_http_reply *reply, int status,
                                                   int64_t length);

/**
 * Sends the next part of a body. With `len` 0 it sends only the head, unless the head was sent
 * before.
 *
 * Returns:  0; WHORL_EHTTP_REPLY when the reply was not begun, or is complete;
 *           WHORL_EHTTP_REPLY_BODY when the body is longer than announced; -ENOMEM;
 *           WHORL_EHTTP_STALL_TIMEOUT; errors of whorl_stream_write().
 * Suspends: until the stream has taken everything.
 * Cancel:   -ECANCELED; if the stream was being written, the connection will be closed.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_reply_write(struct whorl_http_reply *reply,
                                                    const void *data, size_t len);

/**
 * Adds a trailer to a reply whose body is sent in chunks. The trailer is sent when the handler
 * returns. Only HTTP/1.1 clients get trailers. Never suspends.
 *
 * Returns: 0; WHORL_EHTTP_REPLY when whorl_http_reply_add_header() would refuse the name or value,
 *          or when the reply was begun with a length; -ENOMEM.
 * Owns:    copies `name` and `value`.
 */
WHORL_API WHORL_CHECKED int whorl_http_reply_add_trailer(struct whorl_http_reply *reply,
                                                         const char *name, const char *value);

/**
 * Replies with a file below a directory: 200, or 206 for one range of it. Conditions in the request
 * (If-None-Match, If-Modified-Since, If-Match, If-Unmodified-Since, If-Range) are answered with 304
 * and 412, a range outside of the file with 416, methods other than GET and HEAD with 405, and a
 * directory without a slash at the end with 301 if there is an index.
 *
 * Only regular files inside the directory are sent. A path with ".." or with a symbolic link that
 * leads out of the directory is answered with 404, as if the file did not exist. Before Linux 5.6
 * no symbolic link is followed.
 *
 * @dir_fd   of the directory
 * @path     relative to it, encoded as in a URL; slashes at its start are ignored. It may be the
 *           result of whorl_http_incoming_path()
 * @options  NULL for the defaults
 *
 * Returns:  0; errors of whorl_http_reply_send(), openat(2) and read(2).
 * Suspends: until the stream has taken everything.
 * Cancel:   -ECANCELED; if the stream was being written, the connection will be closed.
 */
WHORL_API WHORL_SUSPENDS int whorl_http_reply_send_file(
    struct whorl_http_reply *reply, int dir_fd, const char *path,
    const struct whorl_http_file_options *options);

/** The status of the reply; 0 when it has not begun. */
WHORL_API int whorl_http_reply_status(const struct whorl_http_reply *reply);

#ifdef __cplusplus
}
#endif

#endif
