/* SPDX-License-Identifier: MIT */
/* One connection: made, opened through the session's dialer and TLS, closed. */
#include "io/http/conn.h"

#include <stdlib.h>

#include <whorl/stream.h>
#include <whorl/tls.h>

#include "io/http/session.h"

struct http_conn *http_conn_create(void)
{
    return calloc(1, sizeof(struct http_conn));
}

void http_conn_destroy(struct http_conn *conn)
{
    whorl_stream_close(conn->stream);
    free(conn);
}

void http_conn_reset(struct http_conn *conn)
{
    whorl_stream_close(conn->stream);
    conn->stream = NULL;
}

/* Passes a failure on to the caller's error. A dialer need not have said anything; what it said of a
 * cancellation does not count when that was our own limit. */
static int fail(struct whorl_http_response *response, int err, const char *step,
                const struct whorl_error *detail)
{
    if (detail->code != err)
        return http_response_fail(response, err, step, whorl_strerror(err));
    if (response->error)
        *response->error = *detail;
    return err;
}

static WHORL_SUSPENDS int dial(struct whorl_http_response *response, struct whorl_stream **ret)
{
    const struct whorl_http_dialer *dialer = &response->session->options.dialer;
    struct whorl_error detail = {0};
    struct http_stage stage;
    int64_t start_ns = whorl_now();

    http_stage_enter(&stage, http_deadline(response->timeouts.connect_ns),
                     WHORL_EHTTP_CONNECT_TIMEOUT, response->total_deadline_ns);
    int err = dialer->dial(dialer->ctx, response->url.host, response->url.port, &detail, ret);
    err = (int)http_stage_leave(&stage, err);
    if (err)
        return fail(response, err, "connect", &detail);
    response->timing.connect_ns = whorl_now() - start_ns;
    return 0;
}

static WHORL_SUSPENDS int secure(struct whorl_http_response *response, struct whorl_stream *carrier,
                                 struct whorl_stream **ret)
{
    struct whorl_error detail = {0};
    struct http_stage stage;
    int64_t start_ns = whorl_now();

    http_stage_enter(&stage, http_deadline(response->timeouts.tls_ns), WHORL_EHTTP_TLS_TIMEOUT,
                     response->total_deadline_ns);
    int err = whorl_tls_connect(response->session->tls, carrier, response->url.host, &detail, ret);
    err = (int)http_stage_leave(&stage, err);
    if (err)
        return fail(response, err, "TLS", &detail);
    response->timing.tls_ns = whorl_now() - start_ns;
    return 0;
}

WHORL_SUSPENDS int http_conn_open(struct whorl_http_response *response)
{
    struct whorl_stream *carrier, *stream;

    response->timing.connect_ns = response->timing.tls_ns = -1;
    int err = dial(response, &carrier);
    if (err)
        return err;
    stream = carrier;
    if (response->url.is_tls) {
        err = secure(response, carrier, &stream);
        if (err) {
            whorl_stream_close(carrier);
            return err;
        }
    }
    response->conn->stream = stream;
    response->session->connections++;
    return 0;
}
