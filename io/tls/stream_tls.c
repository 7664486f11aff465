/* SPDX-License-Identifier: MIT */
/* TLS as a stream over another stream, the carrier: what each task waits for, and how streams end.
 *
 *            reader task                                   writer task
 *     engine.read <- engine.feed                  engine.write -> engine.drain
 *                        ^                                             |
 *                      `in`                                          `out`   <- also the reader's
 *                        |                                             v        alerts
 *                   carrier read                                 carrier write
 *
 * At most one carrier read is in flight. The reader task makes it; it fills `in`, which no other
 * task uses. At most one carrier write is in flight. The task that owns `output` makes it, and
 * continues until both `out` and the engine's output are empty. Any task may append the engine's
 * output to `out` with collect(), which never waits. So a reader with an alert for the peer leaves
 * the alert to a writer that is sending. The engine is not used during a call that waits, and its
 * state is read again after each such call.
 *
 * Ends: after the peer's close_notify, reads return 0. When the carrier ends without a
 * close_notify, an attacker on the path may have forged the end, so that read and all later reads
 * fail with WHORL_ETLS_TRUNCATED.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/offload.h>
#include <whorl/scope.h>
#include <whorl/stream.h>
#include <whorl/sync.h>
#include <whorl/task.h>
#include <whorl/tls.h>
#include <whorl/tls_server.h>

#include "io/tls/config.h"
#include "io/tls/connect.h"
#include "io/tls/engine.h"
#include "io/tls/library.h"
#include "io/tls/server.h"
#include "runtime/base/check.h"

/* Sizes of the buffers for encrypted data. */
enum {
    /* Room for a full record: 16,384 bytes of data, 5 of header, up to 256 of padding and tag. */
    BUFFER_SIZE = 16384 + 512,
    /* Of `in` once a receive has filled it. Then a receive, and a read with a large buffer, return
     * up to four records. With that, and with buffers of OpenSSL that last (engine_openssl.c),
     * 1 GiB over TLS 1.3 takes 0.80 s of a processor instead of 1.27 s. 1 GiB with BearSSL takes
     * 0.88 s instead of 1.10 s. */
    BULK_SIZE = 4 * BUFFER_SIZE,
    BULK_MAX = 128, /* streams of this process that have an `in` of that size */
};

static atomic_int bulk_count; /* of these streams */

/* How many handshakes of a thread compute at the same time. */
enum { COMPUTING_MAX = 8 };

/* A reader's alert is only a few bytes. If they cannot be sent within this time, the read does not
 * wait longer. */
#define ALERT_TIMEOUT_NS WHORL_SECOND

struct tls_stream {
    struct whorl_stream stream;
    struct whorl_stream *carrier;
    struct tls_engine *engine;
    struct whorl_mutex output;             /* held while a carrier write is in flight */
    int write_err;                         /* why writes fail from now on; 0: they do not */
    int read_err;                          /* why reads fail from now on; 0: they do not */
    bool ended;                            /* close_notify was received */
    bool finished;                         /* close_notify was sent */
    struct whorl_stream_wait *wait;        /* of a select */
    struct whorl_stream_wait carrier_wait; /* its wait for the carrier; valid while there is one */
    bool stopped;                          /* the select no longer waits */
    size_t in_start, in_end;
    size_t out_sent, out_len; /* the first `out_sent` of `out_len` bytes are sent to the carrier */
    bool receiving;           /* a task reads from the carrier into `in` */
    bool is_bulk;             /* `in` has BULK_SIZE bytes; else both have BUFFER_SIZE */
    bool was_filled;          /* the last receive has filled `in` */
    /* Owned; both are NULL after tls_stream_rest(), when the engine is at rest. Each function that
     * other modules call, and each one that continues after it was suspended without data in a
     * buffer, begins with need_buffers(). */
    unsigned char *in, *out;
};

static struct tls_stream *tls_of(struct whorl_stream *stream)
{
    return (struct tls_stream *)stream;
}

/* They are not erased, because their data is encrypted. */
static void free_buffers(struct tls_stream *tls)
{
    free(tls->in);
    free(tls->out);
    tls->in = tls->out = NULL;
    if (tls->is_bulk)
        atomic_fetch_sub_explicit(&bulk_count, 1, memory_order_relaxed);
    tls->is_bulk = tls->was_filled = false;
}

/* Returns 0 or -ENOMEM. */
static int need_buffers(struct tls_stream *tls)
{
    if (tls->in)
        return 0;
    tls->in = malloc(BUFFER_SIZE);
    tls->out = malloc(BUFFER_SIZE);
    if (tls->in && tls->out &&
        (!tls->engine || !tls->engine->ops->wake || tls->engine->ops->wake(tls->engine) == 0))
        return 0;
    free_buffers(tls); /* it has both or none */
    return -ENOMEM;
}

/* Replaces `in`, which is empty, by a larger one if that is useful and possible. */
static void grow_in(struct tls_stream *tls)
{
    if (!tls->was_filled || tls->is_bulk)
        return;
    tls->was_filled = false;
    if (atomic_fetch_add_explicit(&bulk_count, 1, memory_order_relaxed) < BULK_MAX) {
        unsigned char *in = malloc(BULK_SIZE);
        tls->is_bulk = in != NULL;
        if (in) {
            free(tls->in);
            tls->in = in;
            return;
        }
    }
    atomic_fetch_sub_explicit(&bulk_count, 1, memory_order_relaxed);
}

static size_t in_size(const struct tls_stream *tls)
{
    return tls->is_bulk ? BULK_SIZE : BUFFER_SIZE;
}

/* Notes the result of a receive into `in`, which was empty. */
static void note_received(struct tls_stream *tls, ssize_t n, size_t size)
{
    tls->in_start = 0;
    tls->in_end = n > 0 ? (size_t)n : 0;
    tls->was_filled = tls->in_end == size;
}

/* Moves the engine's output into `out` as far as there is room; returns how many bytes. After a
 * write error the output is discarded. */
static size_t collect(struct tls_stream *tls)
{
    size_t n = 0;

    if (tls->write_err)
        tls->out_len = tls->out_sent = 0;
    for (;;) {
        size_t more = tls->engine->ops->drain(tls->engine, tls->out + tls->out_len,
                                              BUFFER_SIZE - tls->out_len);
        if (more == 0)
            return n;
        n += more;
        tls->out_len += more;
        if (tls->write_err)
            tls->out_len = 0;
    }
}

/* Sends all output of the engine. The caller holds `output`. */
static WHORL_SUSPENDS int send_output(struct tls_stream *tls)
{
    for (;;) {
        collect(tls);
        if (tls->write_err)
            return tls->write_err;
        if (tls->out_sent == tls->out_len)
            return 0;
        size_t n = tls->out_len - tls->out_sent;
        int err = whorl_stream_write(tls->carrier, tls->out + tls->out_sent, n);
        if (err) {
            /* It is unknown how much of the record was sent, so nothing can be sent after it. */
            tls->write_err = err == -ECANCELED ? -EPIPE : err;
            return err;
        }
        tls->out_sent += n;
        if (tls->out_sent == tls->out_len)
            tls->out_sent = tls->out_len = 0;
    }
}

/* For a reader: sends alerts that the engine has prepared, unless a writer holds `output` and will
 * send them. A cancelled read must leave the stream usable, so it must not interrupt this write. A
 * failure is reported by the next write. */
static WHORL_SUSPENDS_SHIELDED void send_alerts(struct tls_stream *tls)
{
    struct whorl_scope shield;

    if (tls->out_len == 0 || tls->write_err || whorl_mutex_try_lock(&tls->output) != 0)
        return;
    whorl_scope_enter_shield(&shield, whorl_after(ALERT_TIMEOUT_NS));
    int err = send_output(tls);
    err = whorl_scope_leave(&shield, err);
    (void)err;
    whorl_mutex_unlock(&tls->output);
}

/* Feeds received bytes to the engine, copies decrypted data to `buf` and collects answers into
 * `out`, until `buf` is full or none of these makes progress. Returns the count of bytes in
 * `buf`. */
static size_t decrypt(struct tls_stream *tls, unsigned char *buf, size_t len)
{
    const struct tls_engine_ops *ops = tls->engine->ops;
    size_t n = 0, step;

    do {
        step = ops->read(tls->engine, buf + n, len - n);
        n += step;
        if (n < len && tls->in_start < tls->in_end) {
            size_t fed =
                ops->feed(tls->engine, tls->in + tls->in_start, tls->in_end - tls->in_start);
            tls->in_start += fed;
            step += fed;
        }
        step += collect(tls);
    } while (step > 0 && n < len);
    return n;
}

/* The same without a buffer: decrypts the next data but leaves it in the engine. */
static void decrypt_ahead(struct tls_stream *tls)
{
    const struct tls_engine_ops *ops = tls->engine->ops;
    size_t step;

    do {
        step = 0;
        if (tls->in_start < tls->in_end)
            step = ops->feed(tls->engine, tls->in + tls->in_start, tls->in_end - tls->in_start);
        tls->in_start += step;
        step += collect(tls);
    } while (step > 0 && !ops->readable(tls->engine));
}

/* Receives from the carrier into `in`, which is empty. Returns the count, 0 at the carrier's end,
 * or an error of the carrier. */
static WHORL_SUSPENDS ssize_t receive(struct tls_stream *tls)
{
    int err = need_buffers(tls);

    if (err)
        return err;
    whorl_check(tls->in_start == tls->in_end);
    grow_in(tls);
    size_t size = in_size(tls);
    tls->receiving = true;
    ssize_t n = whorl_stream_read(tls->carrier, tls->in, size);
    tls->receiving = false;
    note_received(tls, n, size);
    return n;
}

static void fail(struct tls_stream *tls, int err)
{
    tls->read_err = err;
    if (!tls->write_err)
        tls->write_err = err;
}

/* To be called when the engine accepts no input. Either `out` is full of a writer's data and the
 * engine has an alert that must be drained first: then this waits until the writer has sent its
 * data. Or the engine is stuck: BearSSL 0.6 never reads the bytes after a HelloRequest in the same
 * record, which no server should send. */
static WHORL_SUSPENDS int make_room(struct tls_stream *tls)
{
    int err = whorl_mutex_lock(&tls->output);

    if (err)
        return err;
    err = need_buffers(tls);
    if (err == 0 && collect(tls) == 0 && !tls->engine->ops->wants_input(tls->engine))
        fail(tls, WHORL_ETLS_PROTOCOL);
    whorl_mutex_unlock(&tls->output);
    return err;
}

/* Reads from what was received. Returns -EAGAIN when that is not enough for a result. */
static ssize_t read_received(struct tls_stream *tls, void *buf, size_t len)
{
    const struct tls_engine_ops *ops = tls->engine->ops;

    if (tls->finished)
        return -ESHUTDOWN;
    int err = need_buffers(tls);
    if (err)
        return err;
    size_t n = decrypt(tls, buf, len);
    if (n > 0)
        return (ssize_t)n;
    if (tls->ended)
        return 0;
    if (!tls->read_err && ops->state(tls->engine) == TLS_FAILED)
        fail(tls, ops->failure(tls->engine, NULL));
    return tls->read_err ? tls->read_err : -EAGAIN;
}

static WHORL_SUSPENDS ssize_t tls_read(struct whorl_stream *stream, void *buf, size_t len)
{
    struct tls_stream *tls = tls_of(stream);
    const struct tls_engine_ops *ops = tls->engine->ops;

    if (whorl_check_cancelled())
        return -ECANCELED;
    while (len > 0) {
        ssize_t n = read_received(tls, buf, len);
        if (n != -EAGAIN)
            return n;
        tls->ended = ops->state(tls->engine) == TLS_CLOSED;
        send_alerts(tls);
        if (tls->ended)
            continue;
        if (!ops->wants_input(tls->engine)) {
            int err = make_room(tls);
            if (err)
                return err;
            continue;
        }
        if (tls->in_start < tls->in_end)
            continue; /* the engine has waited until its alerts were sent */
        ssize_t got = receive(tls);
        if (got < 0)
            return got;
        if (got == 0)
            tls->read_err = WHORL_ETLS_TRUNCATED;
    }
    return 0;
}

/* Whether a read would find a result in what was received. If the engine accepts no input because
 * a writer has not sent its output, the read has to wait for that writer: this is rare, and counts
 * as readable, too. */
static bool has_result(struct tls_stream *tls)
{
    const struct tls_engine_ops *ops = tls->engine->ops;

    if (tls->finished || tls->ended || tls->read_err)
        return true;
    if (tls->in)
        decrypt_ahead(tls);
    return ops->readable(tls->engine) || ops->state(tls->engine) != TLS_OPEN ||
           !ops->wants_input(tls->engine);
}

static bool carrier_is_readable(const struct tls_stream *tls)
{
    const struct whorl_stream_ops *ops = tls->carrier->ops;

    return !ops->is_readable || ops->is_readable(tls->carrier);
}

/* Receives and decrypts what has arrived, until there is something to read. A stream at rest gets
 * no buffers before something has arrived. */
static bool tls_is_readable(struct whorl_stream *stream)
{
    struct tls_stream *tls = tls_of(stream);

    while (!has_result(tls)) {
        if (!tls->in && !carrier_is_readable(tls))
            return false;
        if (need_buffers(tls))
            return true; /* a read returns the error */
        size_t size = in_size(tls);
        ssize_t n = whorl_stream_try_read(tls->carrier, tls->in, size);
        if (n == -EAGAIN || n == -EOPNOTSUPP)
            return false;
        if (n == WHORL_ENOIO)
            return true;
        note_received(tls, n, size);
        if (n <= 0)
            tls->read_err = n < 0 ? (int)n : WHORL_ETLS_TRUNCATED;
    }
    return true;
}

static ssize_t tls_try_read(struct whorl_stream *stream, void *buf, size_t len)
{
    struct tls_stream *tls = tls_of(stream);

    if (len == 0)
        return 0;
    if (!tls_is_readable(stream))
        return -EAGAIN;
    if (tls->engine->ops->state(tls->engine) == TLS_CLOSED &&
        !tls->engine->ops->readable(tls->engine))
        tls->ended = true;
    return read_received(tls, buf, len);
}

static int tls_start_wait(struct whorl_stream *stream, struct whorl_stream_wait *wait);

/* The carrier can be read. That may be a part of a record only. */
static void on_carrier(struct whorl_stream_wait *carrier_wait, int err)
{
    struct tls_stream *tls = container_of(carrier_wait, struct tls_stream, carrier_wait);
    struct whorl_stream_wait *wait = tls->wait;

    if (err == 0 && !tls->stopped && !tls_is_readable(&tls->stream)) {
        err = tls_start_wait(&tls->stream, wait);
        if (err == 0)
            return;
    }
    wait->ready(wait, err);
}

static int tls_start_wait(struct whorl_stream *stream, struct whorl_stream_wait *wait)
{
    struct tls_stream *tls = tls_of(stream);

    if (!tls->carrier->ops->start_wait)
        return -EOPNOTSUPP;
    tls->wait = wait;
    tls->stopped = false;
    tls->carrier_wait = (struct whorl_stream_wait){.ready = on_carrier};
    return tls->carrier->ops->start_wait(tls->carrier, &tls->carrier_wait);
}

static enum whorl_abort tls_stop_wait(struct whorl_stream *stream, struct whorl_stream_wait *wait)
{
    struct tls_stream *tls = tls_of(stream);

    (void)wait;
    tls->stopped = true;
    return tls->carrier->ops->stop_wait(tls->carrier, &tls->carrier_wait);
}

/* Passes bytes to the engine, and sends whenever a record is full. The caller holds `output`. */
static WHORL_SUSPENDS int write_part(struct tls_stream *tls, const unsigned char *bytes, size_t len)
{
    const struct tls_engine_ops *ops = tls->engine->ops;

    while (len > 0) {
        size_t n = ops->write(tls->engine, bytes, len);
        bytes += n;
        len -= n;
        if (len == 0)
            break;
        int err = send_output(tls);
        if (err)
            return err;
        if (ops->state(tls->engine) == TLS_FAILED)
            return ops->failure(tls->engine, NULL);
        if (ops->state(tls->engine) != TLS_OPEN)
            return -EPIPE; /* the peer has sent close_notify */
    }
    return 0;
}

static WHORL_SUSPENDS int write_parts(struct tls_stream *tls, const struct iovec *iov,
                                      int iov_count)
{
    int err = 0;

    for (int i = 0; i < iov_count && err == 0; i++)
        err = write_part(tls, iov[i].iov_base, iov[i].iov_len);
    if (err == 0) {
        tls->engine->ops->flush(tls->engine);
        err = send_output(tls);
    }
    if (err && !tls->write_err)
        tls->write_err = err;
    return err;
}

static WHORL_SUSPENDS int tls_writev(struct whorl_stream *stream, const struct iovec *iov,
                                     int iov_count)
{
    struct tls_stream *tls = tls_of(stream);
    int err = whorl_mutex_lock(&tls->output);

    if (err)
        return err;
    err = tls->finished ? -EPIPE : tls->write_err;
    if (err == 0)
        err = need_buffers(tls);
    if (err == 0)
        err = write_parts(tls, iov, iov_count);
    whorl_mutex_unlock(&tls->output);
    return err;
}

/* RFC 5246 §7.2.1: close_notify ends both directions. Data that still arrives is discarded. */
static WHORL_SUSPENDS int tls_close_write(struct whorl_stream *stream)
{
    struct tls_stream *tls = tls_of(stream);
    int err = whorl_mutex_lock(&tls->output);

    if (err)
        return err;
    err = tls->write_err;
    if (err == 0)
        err = need_buffers(tls);
    if (err == 0 && !tls->finished) {
        tls->finished = true;
        tls->engine->ops->close(tls->engine);
        err = send_output(tls);
    }
    whorl_mutex_unlock(&tls->output);
    return err ? err : whorl_stream_close_write(tls->carrier);
}

/* Whether there is no decrypted data, no data in either buffer or in the engine, and nothing to
 * read from the carrier. An alert that is unread at the carrier may be the peer's close_notify. */
static bool tls_is_idle(struct whorl_stream *stream)
{
    struct tls_stream *tls = tls_of(stream);
    const struct tls_engine_ops *ops = tls->engine->ops;

    return !tls->finished && !tls->ended && !tls->read_err && !tls->write_err &&
           tls->in_start == tls->in_end && tls->out_len == 0 &&
           ops->state(tls->engine) == TLS_OPEN && !ops->readable(tls->engine) &&
           !ops->in_record(tls->engine) && whorl_stream_is_idle(tls->carrier);
}

static int tls_fd(struct whorl_stream *stream)
{
    return whorl_stream_option_fd(tls_of(stream)->carrier);
}

static void tls_stop_ahead(struct whorl_stream *stream)
{
    (void)whorl_stream_fd(tls_of(stream)->carrier);
}

/* Frees everything but the carrier. */
static void release(struct tls_stream *tls)
{
    tls->engine->ops->destroy(tls->engine);
    free_buffers(tls);
    free(tls);
}

static void tls_close(struct whorl_stream *stream)
{
    struct tls_stream *tls = tls_of(stream);

    whorl_stream_close(tls->carrier);
    release(tls);
}

/* Plain text that was received cannot be put back into the socket. */
static ssize_t tls_take_received(struct whorl_stream *stream, void *buf, size_t len)
{
    (void)stream, (void)buf, (void)len;
    return -EOPNOTSUPP;
}

static const struct whorl_stream_ops tls_ops = {
    .take_received = tls_take_received,
    .stop_ahead = tls_stop_ahead,
    .name = "tls",
    .read = tls_read,
    .try_read = tls_try_read,
    .is_readable = tls_is_readable,
    .start_wait = tls_start_wait,
    .stop_wait = tls_stop_wait,
    .writev = tls_writev,
    .close_write = tls_close_write,
    .is_idle = tls_is_idle,
    .fd = tls_fd,
    .close = tls_close,
};

void tls_stream_rest(struct whorl_stream *stream)
{
    while (stream && stream->ops == &tls_ops) {
        struct tls_stream *tls = tls_of(stream);
        if (!tls->receiving && tls->in_start == tls->in_end && tls->out_len == 0) {
            free_buffers(tls);
            if (tls->engine->ops->rest)
                tls->engine->ops->rest(tls->engine);
        }
        stream = tls->carrier;
    }
}

/* Returns the protocol of the peer's first bytes in words; NULL when they are a TLS record. */
static const char *foreign_protocol(const unsigned char *bytes, size_t len, bool is_client)
{
    static const struct {
        const char *start, *text;
    } protocols[] = {
        {"HTTP/", "plain HTTP"}, {"<", "plain HTTP"},    {"SSH-", "SSH"},
        {"220", "SMTP or FTP"},  {"* OK", "plain IMAP"}, {"+OK", "plain POP3"},
    };

    /* Handshake or alert, version 3.x. */
    if ((bytes[0] == 22 || bytes[0] == 21) && (len < 2 || bytes[1] == 3))
        return NULL;
    if (is_client && bytes[0] >= 'A' && bytes[0] <= 'Z' && (len < 2 || bytes[1] >= 'A'))
        return memcmp(bytes, "SSH-", len < 4 ? len : 4) == 0 ? "SSH" : "plain HTTP";
    for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++) {
        size_t n = strlen(protocols[i].start);
        if (memcmp(bytes, protocols[i].start, n < len ? n : len) == 0)
            return protocols[i].text;
    }
    return "another protocol than TLS";
}

/* The carrier accepts no more bytes, because the server has hung up. Reads what the server sent
 * before that: it may be an alert with the reason. */
static WHORL_SUSPENDS_SHIELDED void hear_last_words(struct tls_stream *tls)
{
    const struct tls_engine_ops *ops = tls->engine->ops;
    size_t step;

    do {
        step = ops->feed(tls->engine, tls->in + tls->in_start, tls->in_end - tls->in_start);
        tls->in_start += step;
        step += collect(tls);
    } while (ops->state(tls->engine) == TLS_HANDSHAKE &&
             (tls->in_start < tls->in_end ? step > 0 : receive(tls) > 0));
}

/* --- the handshake --- */

static int feed_on_thread(void *arg)
{
    struct tls_stream *tls = arg;

    tls->in_start +=
        tls->engine->ops->feed(tls->engine, tls->in + tls->in_start, tls->in_end - tls->in_start);
    return 0;
}

/* Work with public keys takes milliseconds, so it runs on a thread while other tasks continue. Only
 * a few handshakes have work in progress at the same time: if a hundred of them could continue in
 * the same turn, the other tasks would wait for all of them. */
static WHORL_SUSPENDS int compute(whorl_offload_fn fn, void *arg)
{
    static _Thread_local struct whorl_semaphore slots = {.permits = COMPUTING_MAX};
    int err = whorl_semaphore_acquire(&slots);

    if (err)
        return err;
    err = whorl_offload_run(NULL, fn, arg);
    if (err == -EAGAIN || err == -ENOMEM) /* there is no thread */
        err = fn(arg);
    whorl_semaphore_release(&slots);
    return err;
}

/* @peer  in messages: the server's host, or "client" when this is the server */
static WHORL_SUSPENDS int handshake(struct tls_stream *tls, const char *peer, bool is_server,
                                    struct whorl_error *error)
{
    const struct tls_engine_ops *ops = tls->engine->ops;
    const char *role = is_server ? "" : ": server";
    bool first = true;
    int err;

    for (;;) {
        err = send_output(tls);
        if (err == -EPIPE || err == -ECONNRESET)
            hear_last_words(tls);
        if (ops->state(tls->engine) == TLS_FAILED)
            return ops->failure(tls->engine, error);
        if (err)
            break;
        if (ops->state(tls->engine) == TLS_OPEN)
            return 0;
        if (ops->state(tls->engine) == TLS_CLOSED)
            return whorl_error_set(error, WHORL_ETLS_HANDSHAKE, "TLS",
                                   "%s%s sent close_notify during the handshake", peer, role);
        if (tls->in_start == tls->in_end) {
            ssize_t n = receive(tls);
            if (n == 0)
                return whorl_error_set(error, WHORL_ETLS_HANDSHAKE, "TLS",
                                       "%s%s closed the connection during the handshake", peer,
                                       role);
            err = n < 0 ? (int)n : 0;
            if (err)
                break;
            const char *foreign = first ? foreign_protocol(tls->in, tls->in_end, is_server) : NULL;
            if (foreign)
                return whorl_error_set(error, WHORL_ETLS_NOTTLS, "TLS", "%s%s %s %s", peer, role,
                                       is_server ? "speaks" : "answers in", foreign);
            first = false;
        }
        err = compute(feed_on_thread, tls);
        if (err)
            break;
    }
    return whorl_error_set(error, err, "TLS", "%s: %s during the handshake", peer,
                           whorl_strerror(err));
}

static bool is_host_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* Sets the peer that the certificate must be issued for. False when `host` is no valid host. */
static bool parse_peer(const char *host, struct tls_peer *peer)
{
    size_t len = strlen(host);
    char literal[INET6_ADDRSTRLEN];

    memset(peer, 0, sizeof *peer);
    if (len == 0 || len >= sizeof peer->host)
        return false;
    memcpy(peer->host, host, len + 1);
    /* A scope, as in fe80::1%eth0, is not part of the address. */
    size_t literal_len = strcspn(host, "%");
    if (literal_len < sizeof literal) {
        memcpy(literal, host, literal_len);
        literal[literal_len] = '\0';
        if (inet_pton(AF_INET6, literal, peer->ip) == 1)
            peer->ip_len = 16;
        else if (inet_pton(AF_INET, host, peer->ip) == 1)
            peer->ip_len = 4;
        if (peer->ip_len > 0)
            return true;
    }
    if (peer->host[len - 1] == '.')
        peer->host[--len] = '\0';
    for (size_t i = 0; i < len; i++) {
        char c = peer->host[i];
        if (c >= 'A' && c <= 'Z')
            peer->host[i] = c = (char)(c + ('a' - 'A'));
        if (!is_host_char(c) || (c == '.' && (i == 0 || peer->host[i - 1] == '.')))
            return false;
    }
    return len > 0 && peer->host[len - 1] != '.';
}

/* A stream with this engine, which may follow later; NULL: there is no memory. */
static struct tls_stream *stream_create(struct whorl_stream *carrier, struct tls_engine *engine)
{
    struct tls_stream *tls = calloc(1, sizeof *tls);

    if (!tls || need_buffers(tls)) {
        free(tls);
        return NULL;
    }
    tls->stream.ops = &tls_ops;
    tls->carrier = carrier;
    tls->engine = engine;
    return tls;
}

/* Completes or frees the stream, with the result of its handshake. */
static int open_stream(struct tls_stream *tls, int err, struct whorl_stream **ret)
{
    if (err) {
        release(tls);
        return err;
    }
    tls->engine->ops->opened(tls->engine);
    *ret = &tls->stream;
    return 0;
}

struct creation {
    struct whorl_tls_config *config;
    const struct tls_choice *choice;
    const struct tls_peer *peer;
    struct tls_engine *engine; /* set on success */
};

static int create_on_thread(void *arg)
{
    struct creation *creation = arg;

    return tls_engine_create(creation->config, creation->choice, creation->peer, &creation->engine);
}

WHORL_SUSPENDS int tls_connect(struct whorl_tls_config *config, const struct tls_choice *choice,
                               struct whorl_stream *carrier, const char *host,
                               struct whorl_error *error, struct whorl_stream **ret)
{
    struct tls_peer peer;

    if (!parse_peer(host, &peer))
        return whorl_error_set(error, WHORL_ETLS_NAME, "TLS", "\"%.100s\" is not a host name",
                               host);
    struct creation creation = {config, choice, &peer, NULL};
    /* OpenSSL makes a key for its ClientHello. BearSSL executes CPUID, which is slow
     * in some virtual machines. */
    int err = compute(create_on_thread, &creation);
    if (err)
        return whorl_error_set(error, err, "TLS", "%s: %s during the handshake", peer.host,
                               whorl_strerror(err));
    struct tls_stream *tls = stream_create(carrier, creation.engine);
    if (!tls) {
        creation.engine->ops->destroy(creation.engine);
        return whorl_error_set(error, -ENOMEM, "TLS", "out of memory");
    }
    return open_stream(tls, handshake(tls, peer.host, false, error), ret);
}

/* Limits the time of a server's handshake. */
static WHORL_SUSPENDS int handshake_in_time(struct tls_stream *tls, int64_t limit_ns,
                                            struct whorl_error *error)
{
    struct whorl_scope scope;

    whorl_scope_enter_timeout(&scope, limit_ns);
    int err = whorl_scope_leave(&scope, handshake(tls, "client", true, error));
    if (err == -ETIMEDOUT && whorl_scope_has_timed_out(&scope))
        whorl_error_set(error, err, "TLS", "client: handshake took longer than %lld ms",
                        (long long)(limit_ns / WHORL_MILLISECOND));
    return err;
}

WHORL_SUSPENDS int whorl_tls_accept(struct whorl_tls_server *server, struct whorl_stream *carrier,
                                    struct whorl_error *error, struct whorl_stream **ret)
{
    struct tls_server_config *config = tls_server_config_acquire(server);
    int64_t limit_ns = config->handshake_ns;
    struct tls_stream *tls = stream_create(carrier, NULL);

    int err = tls ? tls_engine_create_server(config, whorl_now(), &tls->engine) : -ENOMEM;
    tls_server_config_release(config); /* the engine holds a reference */
    if (err) {
        if (tls)
            free_buffers(tls);
        free(tls);
        return whorl_error_set(error, err, "TLS", "%s", whorl_strerror(err));
    }
    return open_stream(tls, handshake_in_time(tls, limit_ns, error), ret);
}

WHORL_SUSPENDS int whorl_tls_connect(struct whorl_tls_config *config, struct whorl_stream *carrier,
                                     const char *host, struct whorl_error *error,
                                     struct whorl_stream **ret)
{
    return tls_connect(config, &(struct tls_choice){0}, carrier, host, error, ret);
}

const char *whorl_tls_alpn(const struct whorl_stream *stream)
{
    if (stream->ops != &tls_ops)
        return NULL;
    const struct tls_engine *engine = ((const struct tls_stream *)stream)->engine;
    return engine->ops->alpn(engine);
}

const char *whorl_tls_suite(const struct whorl_stream *stream)
{
    if (stream->ops != &tls_ops)
        return "none";
    const struct tls_engine *engine = ((const struct tls_stream *)stream)->engine;
    return engine->ops->suite(engine);
}

const char *whorl_tls_version_name(const struct whorl_stream *stream)
{
    if (stream->ops != &tls_ops)
        return "none";
    const struct tls_engine *engine = ((const struct tls_stream *)stream)->engine;
    return engine->ops->version(engine);
}

const char *tls_alert_text(const struct whorl_stream *stream, char text[TLS_ALERT_TEXT_SIZE])
{
    if (stream->ops != &tls_ops)
        return NULL;
    const struct tls_engine *engine = ((const struct tls_stream *)stream)->engine;
    int alert = engine->ops->alert(engine);

    if (alert < 0)
        return NULL;
    snprintf(text, TLS_ALERT_TEXT_SIZE, "the server sent alert %s (%d)", tls_alert_name(alert),
             alert);
    return text;
}

const char *whorl_tls_sni(const struct whorl_stream *stream)
{
    if (stream->ops != &tls_ops)
        return NULL;
    const struct tls_engine *engine = ((const struct tls_stream *)stream)->engine;
    return engine->ops->sni ? engine->ops->sni(engine) : NULL;
}

bool whorl_tls_is_resumed(const struct whorl_stream *stream)
{
    if (stream->ops != &tls_ops)
        return false;
    const struct tls_engine *engine = ((const struct tls_stream *)stream)->engine;
    return engine->ops->is_resumed(engine);
}
