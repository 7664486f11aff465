/* SPDX-License-Identifier: MIT */
/* What the HTTP client needs of TLS besides <whorl/tls.h>. */
#ifndef IO_TLS_CONNECT_H
#define IO_TLS_CONNECT_H

#include "io/tls/choice.h"

/* whorl_tls_connect() with a choice. In addition it returns -EOPNOTSUPP when this build lacks the
 * library. */
WHORL_SUSPENDS int tls_connect(struct whorl_tls_config *config, const struct tls_choice *choice,
                               struct whorl_stream *carrier, const char *host,
                               struct whorl_error *error, struct whorl_stream **ret);

/* Frees the buffers of a TLS stream, about 33 KiB, if they are empty and no task reads from it. The
 * stream gets new ones when it is used again. Connections that are kept for later requests spend
 * most of their life idle. Does nothing with other streams, and accepts NULL. Never suspends. */
void tls_stream_rest(struct whorl_stream *stream);

enum { TLS_ALERT_TEXT_SIZE = 64 };

/* Writes which fatal alert the peer of a TLS stream has sent, such as "the server sent alert
 * certificate_required (116)". NULL: it has sent none, or the stream has no TLS. A server of TLS
 * 1.3 refuses a client's certificate after the client's handshake is complete. Never suspends. */
const char *tls_alert_text(const struct whorl_stream *stream, char text[TLS_ALERT_TEXT_SIZE]);

#endif
