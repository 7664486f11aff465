/* SPDX-License-Identifier: MIT */
/* A handshake with more choices than whorl_tls_connect() offers. */
#ifndef IO_TLS_CONNECT_H
#define IO_TLS_CONNECT_H

#include "io/tls/choice.h"

/* whorl_tls_connect() with a choice. In addition it returns -EOPNOTSUPP when this build lacks the
 * library. */
WHORL_SUSPENDS int tls_connect(struct whorl_tls_config *config, const struct tls_choice *choice,
                               struct whorl_stream *carrier, const char *host,
                               struct whorl_error *error, struct whorl_stream **ret);

#endif
