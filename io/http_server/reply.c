/* SPDX-License-Identifier: MIT */
/* Replies: the head, the framing of the body, and its compression. */
#include "io/http_server/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <whorl/stop.h>
#include <whorl/task.h>

#include "io/http/header.h"

enum {
    /* Room for the status line and the date: "HTTP/1.1 431 Request Header Fields Too Large" and
     * "Date: Sun, 06 Nov 1994 08:49:37 GMT", with their line ends. */
    ROOM = 128,
    FRAMING_MAX = 128, /* Content-Length or Transfer-Encoding, Connection, the empty line */
    CHUNK_MAX = 20,    /* the size line of a chunk */
};

void reply_begin(struct whorl_http_reply *reply, struct http_wire *wire,
                 struct whorl_http_incoming *incoming, struct reply_date *date, bool may_compress)
{
    memset(reply, 0, offsetof(struct whorl_http_reply, out));
    reply->wire = wire;
    reply->incoming = incoming;
    reply->date = date;
    reply->may_compress = may_compress;
    reply->length = -1;
    out_init(&reply->out);
    reply->out.len = ROOM;
}

void reply_finish(struct whorl_http_reply *reply)
{
    gzip_destroy(reply->gzip);
    out_finish(&reply->out);
    free(reply->trailers);
    reply->gzip = NULL;
    reply->trailers = NULL;
}

void reply_reset(struct whorl_http_reply *reply)
{
    reply->state = REPLY_OPEN;
    reply->is_encoded = reply->is_text = false;
    reply->out.len = ROOM;
    gzip_destroy(reply->gzip);
    reply->gzip = NULL;
}

int whorl_http_reply_status(const struct whorl_http_reply *reply)
{
    return reply->state == REPLY_OPEN ? 0 : reply->status;
}

/* --- headers --- */

int reply_put_header(struct whorl_http_reply *reply, const char *name, const char *value)
{
    size_t name_len = strlen(name), value_len = strlen(value);
    int err = out_reserve(&reply->out, name_len + value_len + 4);

    if (err)
        return err;
    out_put(&reply->out, name, name_len);
    out_put(&reply->out, ": ", 2);
    out_put(&reply->out, value, value_len);
    out_put(&reply->out, "\r\n", 2);
    return 0;
}

/* RFC 9110 §5: a header that a handler sets must not end the line or change the framing. */
static bool is_sendable(const char *name, const char *value)
{
    return name && value && header_is_token(name, strlen(name)) &&
           header_is_value(value, strlen(value)) && !header_is_hop(name) &&
           !header_equal(name, "Date");
}

int whorl_http_reply_add_header(struct whorl_http_reply *reply, const char *name, const char *value)
{
    if (reply->state != REPLY_OPEN || !is_sendable(name, value))
        return WHORL_EHTTP_REPLY;
    if (header_equal(name, "Connection")) {
        if (!header_equal(value, "close") && !header_equal(value, "keep-alive"))
            return WHORL_EHTTP_REPLY;
        reply->close |= header_equal(value, "close");
        return 0;
    }
    int err = reply_put_header(reply, name, value);
    if (err == 0 && header_equal(name, "Content-Encoding"))
        reply->is_encoded = true;
    if (err == 0 && header_equal(name, "Content-Type"))
        reply->is_text = gzip_is_text(value);
    return err;
}

int whorl_http_reply_add_trailer(struct whorl_http_reply *reply, const char *name,
                                 const char *value)
{
    bool has_length = reply->state != REPLY_OPEN && reply->length >= 0;

    if (reply->state == REPLY_DONE || has_length || !is_sendable(name, value) ||
        header_equal(name, "Connection"))
        return WHORL_EHTTP_REPLY;
    size_t name_len = strlen(name), value_len = strlen(value);
    char *lines = realloc(reply->trailers, reply->trailers_len + name_len + value_len + 4);
    if (!lines)
        return -ENOMEM;
    char *at = lines + reply->trailers_len;
    at = mempcpy(at, name, name_len);
    at = mempcpy(at, ": ", 2);
    at = mempcpy(at, value, value_len);
    at = mempcpy(at, "\r\n", 2);
    reply->trailers = lines;
    reply->trailers_len = (size_t)(at - lines);
    return 0;
}

/* --- the head --- */

static const char *date_text(struct reply_date *date)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != date->unix_s || date->text[0] == '\0') {
        date->unix_s = now.tv_sec;
        http_date_write(date->text, now.tv_sec);
    }
    return date->text;
}

/* Puts the status line and the date directly before the headers. */
static void put_status_line(struct whorl_http_reply *reply)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nDate: ";
    char line[ROOM], *at = line;

    if (reply->status == 200) {
        at = mempcpy(at, ok, sizeof ok - 1);
    } else {
        const char *text = status_text(reply->status);
        char digits[] = {(char)('0' + reply->status / 100), (char)('0' + reply->status / 10 % 10),
                         (char)('0' + reply->status % 10), ' '};
        at = mempcpy(at, "HTTP/1.1 ", 9);
        at = mempcpy(at, digits, sizeof digits);
        at = mempcpy(at, text, strlen(text));
        at = mempcpy(at, "\r\nDate: ", 8);
    }
    at = mempcpy(at, date_text(reply->date), HTTP_DATE_SIZE - 1);
    at = mempcpy(at, "\r\n", 2);
    reply->start = ROOM - (size_t)(at - line);
    memcpy(reply->out.bytes + reply->start, line, (size_t)(at - line));
}

/* RFC 9112 §9.3, §9.6: whether the connection ends with this reply. */
static bool must_close(const struct whorl_http_reply *reply)
{
    const struct whorl_http_incoming *incoming = reply->incoming;

    return reply->close || !incoming_can_drain(incoming) ||
           !http1_says_keep_alive(&incoming->parser) || whorl_stop_requested();
}

static bool is_http_1_0(const struct whorl_http_reply *reply)
{
    return reply->incoming->has_head && http1_version_minor(&reply->incoming->parser) == 0;
}

/* Ends the head. `framed_len` is the length of the body as it is sent; -1: unknown. */
static int end_head(struct whorl_http_reply *reply, int64_t framed_len)
{
    struct http_out *out = &reply->out;
    int err = out_reserve(out, FRAMING_MAX);

    if (err)
        return err;
    reply->is_chunked = framed_len < 0 && !is_http_1_0(reply);
    /* RFC 9112 §6.3: a body without framing ends with the connection. */
    reply->close |= framed_len < 0 && !reply->is_chunked;
    if (status_has_body(reply->status) && framed_len >= 0) {
        out_put_text(out, "Content-Length: ");
        out_put_decimal(out, (uint64_t)framed_len);
        out_put(out, "\r\n", 2);
    } else if (status_has_body(reply->status) && reply->is_chunked) {
        out_put_text(out, "Transfer-Encoding: chunked\r\n");
    }
    reply->close = must_close(reply);
    if (reply->close)
        out_put_text(out, "Connection: close\r\n");
    else if (is_http_1_0(reply))
        out_put_text(out, "Connection: keep-alive\r\n");
    out_put(out, "\r\n", 2);
    put_status_line(reply);
    reply->has_body = status_has_body(reply->status) && !incoming_is(reply->incoming, "HEAD");
    reply->state = REPLY_BEGUN;
    return 0;
}

int reply_undo(struct whorl_http_reply *reply, size_t mark, int err)
{
    if (err && reply->state == REPLY_OPEN) {
        if (reply->out.len > mark)
            reply->out.len = mark;
        gzip_destroy(reply->gzip);
        reply->gzip = NULL;
    }
    return err;
}

/* Checks the arguments of a call that begins a reply. */
static int check_start(struct whorl_http_reply *reply, int status, const char *content_type)
{
    if (reply->err)
        return reply->err;
    if (reply->state != REPLY_OPEN || status < 200 || status > 999)
        return WHORL_EHTTP_REPLY;
    if (!content_type)
        return 0;
    if (!header_is_value(content_type, strlen(content_type)))
        return WHORL_EHTTP_REPLY;
    reply->is_text = reply->may_compress && gzip_is_text(content_type);
    return reply_put_header(reply, "Content-Type", content_type);
}

/* --- sending --- */

/* Nothing more can be sent after a write that has failed. */
static int note_sent(struct whorl_http_reply *reply, int err)
{
    if (err) {
        reply->err = reply->lost = err;
        reply->close = true;
        reply->state = REPLY_DONE;
    } else {
        reply->is_sent = true;
    }
    return err;
}

static WHORL_SUSPENDS int send_parts(struct whorl_http_reply *reply, const struct iovec *parts,
                                     int count)
{
    reply->incoming->expects = false; /* the final status replaces "100 Continue" */
    int err = wire_write(reply->wire, parts, count);
    return note_sent(reply, err);
}

WHORL_SUSPENDS int reply_send_head(struct whorl_http_reply *reply, const void *data, size_t len)
{
    struct http_out *out = &reply->out;
    struct iovec parts[2];

    if (!reply->has_body)
        len = 0;
    int64_t body_len = (int64_t)len;
    reply->state = REPLY_SENT;
    if (len > 0 && len <= out->cap - out->len) { /* one part is cheaper to send than two */
        out_put(out, data, len);
        len = 0;
    }
    parts[0] = (struct iovec){out->bytes + reply->start, out->len - reply->start};
    parts[1] = (struct iovec){(void *)(uintptr_t)data, len};
    int err = send_parts(reply, parts, len > 0 ? 2 : 1);
    reply->sent += err ? 0 : body_len;
    return err;
}

WHORL_SUSPENDS int reply_send_file(struct whorl_http_reply *reply, int file_fd, int64_t offset,
                                   int64_t len)
{
    int64_t sent;
    int err = reply_send_head(reply, NULL, 0);

    if (err)
        return err;
    err = wire_write_file(reply->wire, file_fd, offset, len, &sent);
    reply->sent += sent;
    reply->written += sent;
    if (err == WHORL_EHTTP_REPLY_BODY) /* the file has become shorter */
        return reply->err = err;
    return note_sent(reply, err);
}

/* --- whole replies --- */

static bool wants_gzip(const struct whorl_http_reply *reply)
{
    return reply->may_compress && reply->is_text && !reply->is_encoded && reply->status != 206;
}

/* Adds the headers of a compressed reply. Vary is added also if this client accepts no gzip.
 * Returns 1 when the body is to be compressed, 0, or -ENOMEM. */
static int negotiate_gzip(struct whorl_http_reply *reply)
{
    if (!wants_gzip(reply))
        return 0;
    int err = reply_put_header(reply, "Vary", "Accept-Encoding");
    if (err || !gzip_is_accepted(http1_headers(&reply->incoming->parser)))
        return err;
    err = reply_put_header(reply, "Content-Encoding", "gzip");
    if (err == 0)
        err = gzip_create(&reply->gzip);
    return err ? err : 1;
}

static WHORL_SUSPENDS int send_whole(struct whorl_http_reply *reply, const void *data, size_t len)
{
    int err = end_head(reply, (int64_t)len);

    if (err)
        return err;
    err = reply_send_head(reply, data, len);
    reply->state = REPLY_DONE;
    return err;
}

static WHORL_SUSPENDS int send_compressed(struct whorl_http_reply *reply, const void *data,
                                          size_t len)
{
    struct http_out body;

    out_init(&body);
    int err = gzip_add(reply->gzip, data, len, true, &body);
    if (err == 0)
        err = send_whole(reply, body.bytes, body.len);
    out_finish(&body);
    return err;
}

/* As whorl_http_reply_send(), but after a failure added headers may remain. */
static WHORL_SUSPENDS int send_all(struct whorl_http_reply *reply, int status,
                                   const char *content_type, const void *data, size_t len)
{
    int err = check_start(reply, status, content_type), gzip = 0;

    if (err == 0)
        err = whorl_check_cancelled();
    if (err)
        return err;
    reply->status = status;
    reply->length = (int64_t)len;
    if (len >= GZIP_MIN)
        gzip = negotiate_gzip(reply);
    if (gzip < 0)
        return gzip;
    return gzip ? send_compressed(reply, data, len) : send_whole(reply, data, len);
}

WHORL_SUSPENDS int whorl_http_reply_send(struct whorl_http_reply *reply, int status,
                                         const char *content_type, const void *data, size_t len)
{
    size_t mark = reply->out.len;
    int err = send_all(reply, status, content_type, data, len);

    return reply_undo(reply, mark, err);
}

WHORL_SUSPENDS int reply_send_status(struct whorl_http_reply *reply, int status)
{
    char text[64];

    reply_reset(reply);
    int len = snprintf(text, sizeof text, "%d %s\n", status, status_text(status));
    return whorl_http_reply_send(reply, status, "text/plain", text, (size_t)len);
}

/* --- bodies in parts --- */

int whorl_http_reply_start(struct whorl_http_reply *reply, int status, int64_t length)
{
    size_t mark = reply->out.len;
    int err = check_start(reply, status, NULL), gzip = 0;

    if (err)
        return err;
    reply->status = status;
    reply->length = length < 0 ? -1 : length;
    if (status_has_body(status) && (length < 0 || length >= GZIP_MIN))
        gzip = negotiate_gzip(reply);
    err = gzip < 0 ? gzip : end_head(reply, gzip ? -1 : reply->length);
    return reply_undo(reply, mark, err);
}

/* Sends bytes of the body, in a chunk if the body is chunked, and with the head if that was not
 * sent yet. */
static WHORL_SUSPENDS int send_body(struct whorl_http_reply *reply, const void *data, size_t len)
{
    struct http_out *out = &reply->out;
    struct iovec parts[3];

    if (reply->state == REPLY_SENT) {
        out->len = 0;
        reply->start = 0;
    }
    int err = out_reserve(out, CHUNK_MAX + 2);
    if (err)
        return err;
    if (reply->is_chunked && len > 0) {
        out_put_hex(out, len);
        out_put(out, "\r\n", 2);
    }
    reply->state = REPLY_SENT;
    parts[0] = (struct iovec){out->bytes + reply->start, out->len - reply->start};
    parts[1] = (struct iovec){(void *)(uintptr_t)data, len};
    parts[2] = (struct iovec){"\r\n", reply->is_chunked && len > 0 ? 2 : 0};
    int count = 3;
    if (len + 2 <= out->cap - out->len) {
        if (len > 0)
            out_put(out, data, len);
        out_put(out, "\r\n", parts[2].iov_len);
        parts[0] = (struct iovec){out->bytes + reply->start, out->len - reply->start};
        count = 1;
    }
    err = send_parts(reply, parts, count);
    reply->sent += err ? 0 : (int64_t)len;
    return err;
}

static WHORL_SUSPENDS int send_body_compressed(struct whorl_http_reply *reply, const void *data,
                                               size_t len, bool is_last)
{
    struct http_out body;

    out_init(&body);
    int err = gzip_add(reply->gzip, data, len, is_last, &body);
    if (err == 0)
        err = send_body(reply, body.bytes, body.len);
    else
        reply->err = err; /* the compressed bytes that are missing cannot be made again */
    out_finish(&body);
    return err;
}

WHORL_SUSPENDS int whorl_http_reply_write(struct whorl_http_reply *reply, const void *data,
                                          size_t len)
{
    int err = reply->err ? reply->err : whorl_check_cancelled();

    if (err)
        return err;
    if (reply->state != REPLY_BEGUN && reply->state != REPLY_SENT)
        return WHORL_EHTTP_REPLY;
    if (reply->length >= 0 && (uint64_t)(reply->length - reply->written) < len)
        return reply->err = WHORL_EHTTP_REPLY_BODY;
    reply->written += (int64_t)len;
    if (!reply->has_body)
        len = 0;
    if (len == 0)
        return reply->state == REPLY_BEGUN ? reply_send_head(reply, NULL, 0) : 0;
    return reply->gzip ? send_body_compressed(reply, data, len, false)
                       : send_body(reply, data, len);
}

/* RFC 9112 §7.1: the last chunk, and the trailers. If nothing was sent yet, the head is sent with
 * them. */
static WHORL_SUSPENDS int send_last_chunk(struct whorl_http_reply *reply)
{
    struct http_out *out = &reply->out;

    if (reply->state == REPLY_SENT) {
        out->len = 0;
        reply->start = 0;
    }
    int err = out_reserve(out, reply->trailers_len + 5);
    if (err)
        return err;
    out_put(out, "0\r\n", 3);
    if (reply->trailers_len > 0)
        out_put(out, reply->trailers, reply->trailers_len);
    out_put(out, "\r\n", 2);
    struct iovec part = {out->bytes + reply->start, out->len - reply->start};
    return send_parts(reply, &part, 1);
}

WHORL_SUSPENDS int reply_end(struct whorl_http_reply *reply)
{
    int err = reply->err;

    if (err || reply->state == REPLY_DONE)
        return err;
    if (reply->state == REPLY_OPEN)
        return WHORL_EHTTP_REPLY;
    if (reply->has_body && reply->length >= 0 && reply->written < reply->length)
        return reply->err = WHORL_EHTTP_REPLY_BODY;
    if (reply->gzip && reply->has_body)
        err = send_body_compressed(reply, NULL, 0, true);
    if (err == 0 && reply->is_chunked && reply->has_body)
        err = send_last_chunk(reply);
    else if (err == 0 && reply->state == REPLY_BEGUN)
        err = reply_send_head(reply, NULL, 0);
    reply->state = REPLY_DONE;
    return err;
}
