/* SPDX-License-Identifier: MIT */
/* Error codes: what every whorl function returns when it fails, with their names and texts.
 *
 * A function returns 0 or a count when it succeeds and a negative code when it fails. A code is
 * either `-errno` or one of the WHORL_E constants below, all of which are less than -4095, so the
 * two kinds never overlap. A code is a value, so it is not lost when tasks switch; there is no
 * thread-local "last error". Some calls also fill a `struct whorl_error` with the step that failed
 * and a text.
 *
 *     static WHORL_SUSPENDS int fetch(struct whorl_http_session *session, const char *url)
 *     {
 *         WHORL_AUTO(http_response) *response = NULL;
 *         int err = whorl_http_get(session, url, &response);
 *
 *         if (err < 0)
 *             fprintf(stderr, "%s: %s\n", url, whorl_strerror(err));
 *         return err;
 *     }
 */
#ifndef WHORL_ERROR_H
#define WHORL_ERROR_H

#include <errno.h>

#include <whorl/base.h>

/* One line for each code: name, number, text. The ranges: -5000 runtime, -5100 host names, -5200
 * TLS, -5300 HTTP and URLs. A released number never changes its meaning. */
#define WHORL_ERRORS(X)                                                                           \
    X(WHORL_ENOTASK, -5000, "called outside a task")                                              \
    X(WHORL_ENOIO, -5001, "this run has no I/O driver (use whorl_io_run)")                        \
    X(WHORL_EBUSYRUN, -5002, "a run is already active on this thread")                            \
    X(WHORL_EWORKER, -5003, "the worker process died")                                            \
    X(WHORL_EDNS_NOTFOUND, -5100, "host name not found")                                          \
    X(WHORL_EDNS_NODATA, -5101, "host name has no address")                                       \
    X(WHORL_EDNS_SERVFAIL, -5102, "name server failed to answer")                                 \
    X(WHORL_EDNS_TIMEOUT, -5103, "name server did not answer in time")                            \
    X(WHORL_EDNS_REFUSED, -5104, "name server refused the query")                                 \
    X(WHORL_EDNS_BADNAME, -5105, "not a valid host name")                                         \
    X(WHORL_EDNS_BADRESPONSE, -5106, "name server sent an unusable answer")                       \
    X(WHORL_EDNS_UNREACHABLE, -5107, "no name server could be reached")                           \
    X(WHORL_EDNS, -5108, "name lookup failed")                                                    \
    X(WHORL_ETLS_TRUST, -5200, "certificate is not issued by a trusted authority")                \
    X(WHORL_ETLS_NAME, -5201, "certificate is for another host name")                             \
    X(WHORL_ETLS_EXPIRED, -5202, "certificate has expired or is not yet valid")                   \
    X(WHORL_ETLS_CERTIFICATE, -5203, "certificate is not acceptable")                             \
    X(WHORL_ETLS_VERSION, -5204, "peer does not speak an accepted version of TLS")                \
    X(WHORL_ETLS_HANDSHAKE, -5205, "TLS handshake failed")                                        \
    X(WHORL_ETLS_ALERT, -5206, "peer refused the TLS connection")                                 \
    X(WHORL_ETLS_PROTOCOL, -5207, "TLS protocol error")                                           \
    X(WHORL_ETLS_TRUNCATED, -5208, "TLS connection closed without close_notify")                  \
    X(WHORL_ETLS_CAFILE, -5209, "no usable certificate authority in the given file or directory") \
    X(WHORL_ETLS_NOTTLS, -5210, "peer does not speak TLS")                                        \
    X(WHORL_ETLS_CERTFILE, -5211, "no usable certificate or private key in the given file")       \
    X(WHORL_ETLS_PIN, -5212, "server has another public key than the pinned ones")                \
    X(WHORL_EHTTP_URL, -5300, "not a valid http or https URL")                                    \
    X(WHORL_EHTTP_SCHEME, -5301, "URL scheme is not http or https")                               \
    X(WHORL_EHTTP_STATUS_LINE, -5302, "malformed status line")                                    \
    X(WHORL_EHTTP_VERSION, -5303, "unsupported HTTP version")                                     \
    X(WHORL_EHTTP_HEADER, -5304, "malformed header")                                              \
    X(WHORL_EHTTP_HEAD_TOO_LARGE, -5305, "head is too large")                                     \
    X(WHORL_EHTTP_HEADERS_TOO_MANY, -5306, "too many headers")                                    \
    X(WHORL_EHTTP_LENGTH, -5307, "conflicting or malformed Content-Length")                       \
    X(WHORL_EHTTP_TRANSFER_ENCODING, -5308, "unsupported or conflicting Transfer-Encoding")       \
    X(WHORL_EHTTP_CHUNK, -5309, "malformed chunked body")                                         \
    X(WHORL_EHTTP_TRUNCATED, -5310, "connection closed before the message was complete")          \
    X(WHORL_EHTTP_NO_RESPONSE, -5311, "connection closed before a response began")                \
    X(WHORL_EHTTP_INFORMATIONAL, -5312, "too many 1xx responses")                                 \
    X(WHORL_EHTTP_BODY_TOO_LARGE, -5313, "body is larger than allowed")                           \
    X(WHORL_EHTTP_REDIRECTS, -5314, "too many redirects")                                         \
    X(WHORL_EHTTP_REDIRECT_LOCATION, -5315, "redirect without a usable Location")                 \
    X(WHORL_EHTTP_REDIRECT_BODY, -5316, "redirect needs the request body again")                  \
    X(WHORL_EHTTP_ENCODING, -5317, "response body cannot be decoded")                             \
    X(WHORL_EHTTP_ENCODING_UNKNOWN, -5318, "response has an unsupported Content-Encoding")        \
    X(WHORL_EHTTP_METHOD, -5319, "not a valid HTTP method")                                       \
    X(WHORL_EHTTP_REQUEST_HEADER, -5320, "not a valid request header")                            \
    X(WHORL_EHTTP_REQUEST_BODY, -5321, "request body ended early or ran over its length")         \
    X(WHORL_EHTTP_QUEUE_TIMEOUT, -5322, "no connection became free in time")                      \
    X(WHORL_EHTTP_CONNECT_TIMEOUT, -5323, "connecting took too long")                             \
    X(WHORL_EHTTP_TLS_TIMEOUT, -5324, "TLS handshake took too long")                              \
    X(WHORL_EHTTP_FIRST_BYTE_TIMEOUT, -5325, "server took too long to begin its response")        \
    X(WHORL_EHTTP_STALL_TIMEOUT, -5326, "transfer stalled")                                       \
    X(WHORL_EHTTP_TOTAL_TIMEOUT, -5327, "exchange took too long")                                 \
    X(WHORL_EHTTP_UPGRADE, -5328, "server switched protocols without being asked")                \
    X(WHORL_EHTTP_NOT_REDIRECTABLE, -5329, "redirect to another scheme than http or https")       \
    X(WHORL_EHTTP_REDIRECT_DOWNGRADE, -5330, "redirect from https to http")                       \
    X(WHORL_EHTTP_REQUEST_LINE, -5331, "malformed request line")                                  \
    X(WHORL_EHTTP_TARGET_TOO_LONG, -5332, "request target is too long")                           \
    X(WHORL_EHTTP_HOST, -5333, "missing, repeated or malformed Host")                             \
    X(WHORL_EHTTP_HEAD_TIMEOUT, -5334, "request head took too long")                              \
    X(WHORL_EHTTP_REPLY, -5335, "not a valid reply")                                              \
    X(WHORL_EHTTP_REPLY_BODY, -5336, "reply body ended early or ran over its length")             \
    X(WHORL_EHTTP_EXPECT, -5337, "unsupported expectation")                                       \
    X(WHORL_EHTTP_PROTOCOL, -5338, "violation of HTTP/2")                                         \
    X(WHORL_EHTTP_REFUSED, -5339, "server refused the request without processing it")             \
    X(WHORL_EHTTP_CALM, -5340, "server asks for fewer requests")                                  \
    X(WHORL_EHTTP_FLOOD, -5341, "server sends too many frames without content")                   \
    X(WHORL_EHTTP_TRANSFER_CODING, -5342, "unknown transfer coding")                              \
    X(WHORL_EHTTP_BODY_RATE, -5343, "request body arrives too slowly")                            \
    X(WHORL_EHTTP_SPEED_TIMEOUT, -5344, "transfer is slower than the minimum speed")              \
    X(WHORL_EHTTP_PROXY_SETTING, -5350, "not a usable proxy URL or no_proxy list")                \
    X(WHORL_EHTTP_PROXY_AUTH, -5351, "proxy does not accept the credentials")                     \
    X(WHORL_EHTTP_PROXY_REFUSED, -5352, "proxy refused to connect to the server")                 \
    X(WHORL_EHTTP_PROXY_FAILED, -5353, "proxy could not connect to the server")                   \
    X(WHORL_EHTTP_PROXY_PROTOCOL, -5354, "proxy does not follow its protocol")                    \
    X(WHORL_EHTTP_AUTH_BODY, -5360, "credentials need the request body again")                    \
    X(WHORL_EHTTP_NETRC, -5361, "not a valid netrc file")                                         \
    X(WHORL_EHTTP_COOKIE, -5370, "cookie was refused")                                            \
    X(WHORL_EHTTP_COOKIE_FILE, -5371, "not a valid cookie file")

/* The codes as constants. */
enum whorl_error_code {
#define WHORL_ERROR_ENUM(name, number, text) name = number,
    WHORL_ERRORS(WHORL_ERROR_ENUM)
#undef WHORL_ERROR_ENUM
};

/* What went wrong, in words, from calls that can say more than a code. The caller owns it and may
 * pass NULL instead. It is written on failure only. The texts are UTF-8 that is safe to show (see
 * text.h), and end with a NUL. */
struct whorl_error {
    int code;       /* what the call returned */
    char step[24];  /* "resolve", "connect", "TLS", "send", "response", "body", "write", ... */
    char text[232]; /* such as "127.0.0.1:9: connection refused" */
};

/* Where the cause of a failure is. */
enum whorl_error_class {
    WHORL_CLASS_NONE,      /* no failure: the code is 0, or not one of the codes */
    WHORL_CLASS_DNS,       /* the name could not be resolved */
    WHORL_CLASS_CONNECT,   /* no connection, or it broke */
    WHORL_CLASS_TLS,       /* the handshake or the certificate */
    WHORL_CLASS_PROXY,     /* the way through a proxy */
    WHORL_CLASS_PROTOCOL,  /* the peer broke a rule of HTTP, or refused the request by it */
    WHORL_CLASS_TIMEOUT,   /* a time limit */
    WHORL_CLASS_DECODE,    /* a content coding */
    WHORL_CLASS_LIMIT,     /* more than this side accepts: sizes, counts, redirects */
    WHORL_CLASS_LOCAL,     /* this machine: arguments, memory, descriptors, files */
    WHORL_CLASS_CANCELLED, /* the caller stopped it */
};

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Returns the text of a code. For a WHORL_E code it is the text in the table above. For an -errno
 * code it is the text of strerror(3), in lower case. A positive number means the same as its
 * negative. The result is never NULL, and it is valid for ever.
 */
WHORL_API const char *whorl_strerror(int code);

/**
 * Returns the symbolic name of a code, such as "ECONNREFUSED" or "WHORL_ETLS_NAME"; "E?" for an
 * unknown code.
 */
WHORL_API const char *whorl_error_name(int code);

/**
 * Returns the class of a failure. Each WHORL_E code has one class. The class of an -errno code also
 * depends on the step: -ECONNRESET is of the class "tls" in the step "TLS", and of the class
 * "connect" in others. In the step "proxy", failures of the network are of the class "proxy".
 *
 * @error  its text is not used
 */
WHORL_API enum whorl_error_class whorl_error_classify(const struct whorl_error *error);

/** Returns the name of a class, such as "dns" or "cancelled"; never NULL, and valid for ever. */
WHORL_API const char *whorl_error_class_name(enum whorl_error_class kind);

/**
 * Fills `error`, unless it is NULL, with the code, the step and a text made as by printf(3), both
 * escaped as whorl_text_escape() does.
 *
 * Returns: `code`, so that a failure path is one statement: return whorl_error_set(error, ...).
 */
WHORL_API int whorl_error_set(struct whorl_error *error, int code, const char *step,
                              const char *format, ...) __attribute__((format(printf, 4, 5)));

#ifdef __cplusplus
}
#endif

#endif
