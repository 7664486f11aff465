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

#endif
