/* SPDX-License-Identifier: MIT */
/* Request heads. Everything is checked before it is written, so no value from the caller can add a
 * header, end the head or change where the body ends.
 */
#include "io/http/request.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <whorl/error.h>

#include "io/http/basic.h"
#include "io/http/decode.h"
#include "io/http/header.h"
#include "io/http/redirect.h"

/* Counts also the bytes that do not fit, so one pass gives the length. */
struct writer {
    char *buf;
    size_t cap, len;
    size_t line_ends; /* bytes of CR and LF */
};

static void put(struct writer *w, const char *bytes, size_t len)
{
    if (w->len < w->cap) {
        size_t room = w->cap - w->len;
        memcpy(w->buf + w->len, bytes, len < room ? len : room);
    }
    w->len += len;
}

static void put_text(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void put_line_end(struct writer *w)
{
    put(w, "\r\n", 2);
    w->line_ends += 2;
}

static void put_sized_header(struct writer *w, const char *name, size_t name_len, const char *value)
{
    size_t value_len = strlen(value), len = name_len + value_len + 4;

    if (w->len <= w->cap && len <= w->cap - w->len) {
        char *to = w->buf + w->len;
        memcpy(to, name, name_len);
        memcpy(to + name_len, ": ", 2);
        memcpy(to + name_len + 2, value, value_len);
        memcpy(to + len - 2, "\r\n", 2);
        w->len += len;
        w->line_ends += 2;
        return;
    }
    put(w, name, name_len);
    put(w, ": ", 2);
    put(w, value, value_len);
    put_line_end(w);
}

/* The compiler knows the length of a name that is a literal. */
static inline void put_header(struct writer *w, const char *name, const char *value)
{
    put_sized_header(w, name, strlen(name), value);
}

/* --- checks --- */

static bool is_left_out(const struct request_head *head, const char *name)
{
    return (head->other_origin && (header_equal(name, "Host") ||
                                   (!head->trust_redirects && !redirect_is_harmless(name)))) ||
           (head->drop_body_headers && redirect_is_about_body(name));
}

/* The caller's header of that name that is sent, or NULL. */
static const struct whorl_http_header *find(const struct request_head *head, const char *name)
{
    for (size_t i = 0; i < head->headers_count; i++)
        if (header_equal(head->headers[i].name, name) && !is_left_out(head, name))
            return &head->headers[i];
    return NULL;
}

static int refuse(struct whorl_error *error, const char *what, const char *name)
{
    return whorl_error_set(error, WHORL_EHTTP_REQUEST_HEADER, "request", "%s: %.64s", what, name);
}

static int check_header(const struct whorl_http_header *header, struct whorl_error *error)
{
    const char *name = header->name, *value = header->value;

    if (!name || !header_is_token(name, strlen(name)))
        return refuse(error, "not a header name", name ? name : "NULL");
    if (!value)
        return refuse(error, "header without a value (NULL)", name);
    if (!header_is_value(value, strlen(value)))
        return refuse(error, "value with a control byte in header", name);
    /* They are for the next proxy only (RFC 9110 §11.7), and the next hop may be a server. */
    if (strncasecmp(name, "Proxy-", 6) == 0)
        return refuse(error, "header for a proxy, which only the session's proxy setting sends",
                      name);
    if (header_is_hop(name))
        return refuse(error, "header is set by the client itself", name);
    if (header_equal(name, "Connection") && !header_equal(value, "close") &&
        !header_equal(value, "keep-alive"))
        return refuse(error, "only close and keep-alive are allowed in header", name);
    if (header_equal(name, "Host") && (*value == '\0' || strpbrk(value, " \t,/@\\")))
        return refuse(error, "not a host", value);
    return 0;
}

/* RFC 9110 §6.5.1: trailers may be dropped or merged, so nothing depends on them that frames or
 * routes the message, says who asks, changes the request, or is needed to read the body. */
static int check_trailer_name(const char *name, struct whorl_error *error)
{
    static const char *const refused[] = {
        "Authorization", "Cache-Control", "Connection", "Content-Encoding",
        "Content-Range", "Content-Type",  "Cookie",     "Expect",
        "Host",          "Max-Forwards",  "Pragma",     "Range",
        "Set-Cookie",    "Trailer",       NULL,
    };
    bool is_refused = false;

    if (!name || !header_is_token(name, strlen(name)))
        return refuse(error, "not a trailer name", name ? name : "NULL");
    for (const char *const *n = refused; *n; n++)
        is_refused |= header_equal(name, *n);
    if (is_refused || header_is_hop(name) || strncasecmp(name, "Proxy-", 6) == 0 ||
        strncasecmp(name, "If-", 3) == 0)
        return refuse(error, "not allowed as a trailer", name);
    return 0;
}

static int check(const struct request_head *head, const char *method, struct whorl_error *error)
{
    int hosts = 0;

    if (!header_is_token(method, strlen(method)))
        return whorl_error_set(error, WHORL_EHTTP_METHOD, "request", "not a method: %.64s", method);
    if (method[0] == 'C' &&
        strcmp(method, "CONNECT") == 0) /* its response is framed by other rules */
        return whorl_error_set(error, WHORL_EHTTP_METHOD, "request", "CONNECT makes a tunnel");
    for (size_t i = 0; i < head->headers_count; i++) {
        int err = check_header(&head->headers[i], error);
        if (err)
            return err;
        hosts += header_equal(head->headers[i].name, "Host");
    }
    for (size_t i = 0; i < head->trailers_count; i++) {
        int err = check_trailer_name(head->trailers[i].name, error);
        if (err)
            return err;
    }
    if (head->user_agent && !header_is_value(head->user_agent, strlen(head->user_agent)))
        return refuse(error, "value with a control byte in header", "User-Agent");
    /* RFC 9112 §3.2 */
    return hosts > 1 ? refuse(error, "header given twice", "Host") : 0;
}

/* --- Authorization from the URL --- */

static int put_basic(struct writer *w, const char *userinfo, struct whorl_error *error)
{
    put_text(w, "Authorization: ");
    size_t room = w->len < w->cap ? w->cap - w->len : 0;
    ssize_t len = basic_write(userinfo, room > 0 ? w->buf + w->len : NULL, room);
    if (len < 0)
        return whorl_error_set(error, (int)len, "request",
                               "user name or password in the URL cannot be sent");
    w->len += (size_t)len;
    put_line_end(w);
    return 0;
}

/* --- writing --- */

/* Writes one of the client's own headers, unless the caller sets it or `value` is NULL or "". */
static inline void put_default(struct writer *w, const struct request_head *head, const char *name,
                               const char *value)
{
    if (value && *value && (head->headers_count == 0 || !find(head, name)))
        put_header(w, name, value);
}

/* A header from the caller with an empty value, which only removes the client's own. */
static bool is_removal(const struct whorl_http_header *header)
{
    return *header->value == '\0' &&
           (header_equal(header->name, "User-Agent") || header_equal(header->name, "Accept") ||
            header_equal(header->name, "Accept-Encoding") ||
            header_equal(header->name, "Authorization") || header_equal(header->name, "Cookie"));
}

static void put_framing(struct writer *w, const struct request_head *head, const char *method)
{
    char number[24];
    int64_t len = head->body_len;

    if (len == REQUEST_CHUNKED) {
        put_header(w, "Transfer-Encoding", "chunked");
        return;
    }
    /* RFC 9110 §8.6: methods that expect a body say so when there is none. */
    if (len < 0 && method[0] == 'P' &&
        (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 || strcmp(method, "PATCH") == 0))
        len = 0;
    if (len < 0)
        return;
    snprintf(number, sizeof number, "%lld", (long long)len);
    put_header(w, "Content-Length", number);
}

/* "Trailer: a, b" (RFC 9110 §6.6.2). */
static void put_trailer_names(struct writer *w, const struct request_head *head)
{
    const char *before = "Trailer: ";

    for (size_t i = 0; i < head->trailers_count && !find(head, "Trailer"); i++) {
        if (is_left_out(head, head->trailers[i].name))
            continue;
        put_text(w, before);
        put_text(w, head->trailers[i].name);
        before = ", ";
    }
    if (*before == ',')
        put_line_end(w);
}

ssize_t request_trailers_write(const struct request_head *head, char *buf, size_t cap,
                               struct whorl_error *error)
{
    struct writer w = {.buf = buf, .cap = cap};

    for (size_t i = 0; i < head->trailers_count; i++) {
        const struct whorl_http_header *t = &head->trailers[i];
        int err = check_trailer_name(t->name, error);
        if (err)
            return err;
        if (!t->value || !header_is_value(t->value, strlen(t->value)))
            return refuse(error, "no value, or one with a control byte, in trailer", t->name);
        if (!is_left_out(head, t->name))
            put_header(&w, t->name, t->value);
    }
    return (ssize_t)w.len;
}

ssize_t request_head_write(const struct request_head *head, char *buf, size_t cap,
                           struct whorl_error *error)
{
    struct writer w = {.buf = buf, .cap = cap};
    const char *method = head->method ? head->method : "GET";
    int err = check(head, method, error);
    if (err)
        return err;
    const struct whorl_http_header *host = find(head, "Host"); /* the names are not NULL now */

    put_text(&w, method);
    put(&w, " ", 1);
    /* RFC 9112 §3.2.2: a proxy gets the absolute form. The text contains no userinfo. */
    put_text(&w, head->is_forwarded ? head->url->text : head->url->target);
    put(&w, " HTTP/1.1", 9);
    put_line_end(&w);
    put_header(&w, "Host", host ? host->value : head->url->authority);
    if (head->is_forwarded && head->proxy_authorization)
        put_header(&w, "Proxy-Authorization", head->proxy_authorization);
    put_default(&w, head, "User-Agent", head->user_agent);
    put_default(&w, head, "Accept", "*/*");
    put_default(&w, head, "Accept-Encoding", head->decode ? decode_accepted() : "identity");
    put_default(&w, head, "Cookie", head->cookies);
    put_default(&w, head, "Content-Type", head->drop_body_headers ? NULL : head->content_type);
    put_default(&w, head, "Authorization", head->authorization);
    if (!head->authorization && head->url->userinfo && !find(head, "Authorization")) {
        err = put_basic(&w, head->url->userinfo, error);
        if (err)
            return err;
    }
    for (size_t i = 0; i < head->headers_count; i++) {
        const struct whorl_http_header *h = &head->headers[i];
        if (h != host && !is_left_out(head, h->name) && !is_removal(h))
            put_header(&w, h->name, h->value);
    }
    put_default(&w, head, "Expect", head->expects ? "100-continue" : NULL);
    put_trailer_names(&w, head);
    put_framing(&w, head, method);
    put_line_end(&w);
    /* The last check, in case one of the checks above has a defect: the head contains no control
     * byte except the line ends that this file has written. So no text of the caller ends a line.
     */
    if (w.len <= cap && header_count_controls(buf, w.len) != w.line_ends)
        return whorl_error_set(error, WHORL_EHTTP_REQUEST_HEADER, "request",
                               "control byte in the request head");
    return (ssize_t)w.len;
}

bool request_is_idempotent(const char *method)
{
    static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "TRACE", "OPTIONS", NULL};
    if (!method)
        return true;
    for (const char *const *m = methods; *m; m++)
        if (strcmp(method, *m) == 0)
            return true;
    return false;
}
