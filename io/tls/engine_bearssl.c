/* SPDX-License-Identifier: MIT */
/* BearSSL as a TLS engine: what clients and servers share. */
#include "io/tls/engine_bearssl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "io/tls/suites.h"
#include "runtime/base/check.h"

static struct bearssl *bearssl_of(struct tls_engine *engine)
{
    return (struct bearssl *)engine;
}

static const struct bearssl *bearssl_of_const(const struct tls_engine *engine)
{
    return (const struct bearssl *)engine;
}

enum tls_state bearssl_state(const struct tls_engine *engine)
{
    const struct bearssl *bearssl = bearssl_of_const(engine);
    const br_ssl_engine_context *eng = bearssl->eng;

    if (br_ssl_engine_last_error(eng) != BR_ERR_OK)
        return TLS_FAILED;
    if (br_ssl_engine_current_state(eng) == BR_SSL_CLOSED)
        return TLS_CLOSED;
    return bearssl->open ? TLS_OPEN : TLS_HANDSHAKE;
}

/* Notes the end of the handshake, when the engine accepts application data, and a refusal. */
static void note_progress(struct bearssl *bearssl)
{
    if (!bearssl->open && (br_ssl_engine_current_state(bearssl->eng) & BR_SSL_SENDAPP))
        bearssl->open = true;
    unsigned alert = bearssl->alerting ? 0 : bearssl->refusal(bearssl);
    if (alert) {
        /* The handshake has not reached encryption yet, so the alert is sent unencrypted. */
        bearssl->alerting = true;
        memcpy(bearssl->alert, "\x15\x03\x03\x00\x02\x02", BEARSSL_ALERT_LEN - 1);
        bearssl->alert[BEARSSL_ALERT_LEN - 1] = (unsigned char)alert;
    }
}

static void note_use(size_t *used, ptrdiff_t end)
{
    if (*used < (size_t)end)
        *used = (size_t)end;
}

bool bearssl_wants_input(const struct tls_engine *engine)
{
    unsigned state = br_ssl_engine_current_state(bearssl_of_const(engine)->eng);

    return (state & BR_SSL_RECVREC) && !(state & BR_SSL_SENDREC);
}

size_t bearssl_feed(struct tls_engine *engine, const void *buf, size_t len)
{
    struct bearssl *bearssl = bearssl_of(engine);
    br_ssl_engine_context *eng = bearssl->eng;
    const unsigned char *bytes = buf;
    size_t left = len;

    whorl_check(bearssl->areas);
    /* Feed only while no output is pending. BearSSL 0.6 needs room for the answer when it reads a
     * message; it does not come back to the message later. */
    while (left > 0 && bearssl_wants_input(engine)) {
        size_t room;
        unsigned char *area = br_ssl_engine_recvrec_buf(eng, &room);
        size_t n = left < room - bearssl->held ? left : room - bearssl->held;
        memcpy(area + bearssl->held, bytes, n);
        bearssl->held += n;
        note_use(&bearssl->areas->in_used, area + bearssl->held - bearssl->areas->in);
        tls_record_advance(&bearssl->position, bytes, n);
        if (!bearssl->holds || bearssl->held == room) {
            br_ssl_engine_recvrec_ack(eng, bearssl->held);
            bearssl->held = 0;
        }
        bytes += n;
        left -= n;
    }
    note_progress(bearssl);
    return len - left;
}

bool bearssl_in_record(const struct tls_engine *engine)
{
    return tls_record_is_open(&bearssl_of_const(engine)->position);
}

static size_t drain_alert(struct bearssl *bearssl, void *buf, size_t len)
{
    size_t n = BEARSSL_ALERT_LEN - bearssl->alert_sent;

    if (!bearssl->alerting)
        return 0;
    if (n > len)
        n = len;
    memcpy(buf, bearssl->alert + bearssl->alert_sent, n);
    bearssl->alert_sent += n;
    return n;
}

int bearssl_alert(const struct tls_engine *engine)
{
    int err = br_ssl_engine_last_error(bearssl_of_const(engine)->eng);

    return err >= BR_ERR_RECV_FATAL_ALERT && err < BR_ERR_SEND_FATAL_ALERT
               ? err - BR_ERR_RECV_FATAL_ALERT
               : -1;
}

size_t bearssl_drain(struct tls_engine *engine, void *buf, size_t len)
{
    struct bearssl *bearssl = bearssl_of(engine);
    br_ssl_engine_context *eng = bearssl->eng;
    unsigned char *bytes = buf;
    size_t left = len;

    while (left > 0) {
        size_t there;
        const unsigned char *area = br_ssl_engine_sendrec_buf(eng, &there);
        if (!area || there == 0)
            break;
        size_t n = left < there ? left : there;
        memcpy(bytes, area, n);
        br_ssl_engine_sendrec_ack(eng, n);
        bytes += n;
        left -= n;
    }
    note_progress(bearssl);
    left -= drain_alert(bearssl, bytes, left);
    return len - left;
}

size_t bearssl_read(struct tls_engine *engine, void *buf, size_t len)
{
    br_ssl_engine_context *eng = bearssl_of(engine)->eng;
    size_t there;
    const unsigned char *area = br_ssl_engine_recvapp_buf(eng, &there);

    if (!area || len == 0)
        return 0;
    if (len > there)
        len = there;
    memcpy(buf, area, len);
    br_ssl_engine_recvapp_ack(eng, len);
    return len;
}

bool bearssl_readable(const struct tls_engine *engine)
{
    return br_ssl_engine_current_state(bearssl_of_const(engine)->eng) & BR_SSL_RECVAPP;
}

size_t bearssl_write(struct tls_engine *engine, const void *buf, size_t len)
{
    struct bearssl *bearssl = bearssl_of(engine);
    br_ssl_engine_context *eng = bearssl->eng;
    size_t room;

    whorl_check(bearssl->areas);
    unsigned char *area = br_ssl_engine_sendapp_buf(eng, &room);

    if (!area || len == 0)
        return 0;
    if (len > room)
        len = room;
    memcpy(area, buf, len);
    note_use(&bearssl->areas->out_used, area + len - bearssl->areas->out);
    bearssl->has_held = true;
    br_ssl_engine_sendapp_ack(eng, len);
    return len;
}

void bearssl_flush(struct tls_engine *engine)
{
    bearssl_of(engine)->has_held = false;
    br_ssl_engine_flush(bearssl_of(engine)->eng, 0);
}

void bearssl_close(struct tls_engine *engine)
{
    br_ssl_engine_context *eng = bearssl_of(engine)->eng;
    size_t there;

    whorl_check(bearssl_of(engine)->areas);
    /* BearSSL 0.6 would keep the unread data for ever and accept no more input. */
    if (br_ssl_engine_recvapp_buf(eng, &there))
        br_ssl_engine_recvapp_ack(eng, there);
    br_ssl_engine_close(eng);
}

const char *bearssl_alpn(const struct tls_engine *engine)
{
    return br_ssl_engine_get_selected_protocol(bearssl_of_const(engine)->eng);
}

const char *bearssl_suite(const struct tls_engine *engine)
{
    return suite_name(bearssl_of_const(engine)->eng->session.cipher_suite);
}

const char *bearssl_version(const struct tls_engine *engine)
{
    (void)engine;
    return "TLS 1.2";
}

const char *bearssl_text(int err)
{
    switch (err) {
    case BR_ERR_BAD_LENGTH:
    case BR_ERR_TOO_LARGE:
        return "record of impossible length";
    case BR_ERR_BAD_MAC:
        return "record is damaged";
    case BR_ERR_NO_RANDOM:
        return "no entropy";
    case BR_ERR_UNKNOWN_TYPE:
    case BR_ERR_UNEXPECTED:
        return "unexpected record or message";
    case BR_ERR_BAD_CCS:
        return "malformed ChangeCipherSpec";
    case BR_ERR_BAD_ALERT:
        return "malformed alert";
    case BR_ERR_BAD_SECRENEG:
        return "secure renegotiation failed";
    case BR_ERR_BAD_FINISHED:
        return "Finished message does not match the handshake";
    default:
        return "malformed message";
    }
}

/* BearSSL 0.6 would seed itself from the processor's random number generator only. */
static int inject_entropy(br_ssl_engine_context *eng)
{
    unsigned char seed[48];
    ssize_t n;

    do
        n = getrandom(seed, sizeof seed, 0);
    while (n < 0 && errno == EINTR);
    if (n != sizeof seed)
        return n < 0 ? -errno : -EIO;
    br_ssl_engine_inject_entropy(eng, seed, sizeof seed);
    explicit_bzero(seed, sizeof seed);
    return 0;
}

static void free_areas(struct bearssl *bearssl)
{
    struct bearssl_areas *areas = bearssl->areas;

    if (!areas)
        return;
    explicit_bzero(areas->in, areas->in_used);
    explicit_bzero(areas->out, areas->out_used);
    free(areas);
    bearssl->areas = NULL;
}

/* BearSSL computes addresses in its areas when it is asked for its state, and a null pointer would
 * mean that it accepts nothing. This one is never read or written. */
static unsigned char no_area[BR_SSL_BUFSIZE_INPUT];

void bearssl_rest(struct tls_engine *engine)
{
    struct bearssl *bearssl = bearssl_of(engine);

    if (!bearssl->areas || bearssl->has_held || bearssl->held > 0 || bearssl_in_record(engine) ||
        br_ssl_engine_current_state(bearssl->eng) != (BR_SSL_RECVREC | BR_SSL_SENDAPP))
        return;
    free_areas(bearssl);
    bearssl->eng->ibuf = bearssl->eng->obuf = no_area;
}

/* The areas are not zeroed, because they need not be. */
int bearssl_wake(struct tls_engine *engine)
{
    struct bearssl *bearssl = bearssl_of(engine);

    if (bearssl->areas)
        return 0;
    bearssl->areas = malloc(sizeof *bearssl->areas);
    if (!bearssl->areas)
        return -ENOMEM;
    bearssl->areas->in_used = bearssl->areas->out_used = 0;
    bearssl->eng->ibuf = bearssl->areas->in;
    bearssl->eng->obuf = bearssl->areas->out;
    return 0;
}

int bearssl_init(struct bearssl *bearssl)
{
    int err = bearssl_wake(&bearssl->engine);

    if (err)
        return err;
    br_ssl_engine_set_buffers_bidi(bearssl->eng, bearssl->areas->in, sizeof bearssl->areas->in,
                                   bearssl->areas->out, sizeof bearssl->areas->out);
    err = inject_entropy(bearssl->eng);
    if (err)
        free_areas(bearssl);
    return err;
}

void bearssl_finish(struct bearssl *bearssl)
{
    free_areas(bearssl);
    explicit_bzero(bearssl, sizeof *bearssl);
}
