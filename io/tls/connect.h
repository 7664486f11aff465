/* SPDX-License-Identifier: MIT */
/* A handshake with more choices than whorl_tls_connect() offers. */
#ifndef IO_TLS_CONNECT_H
#define IO_TLS_CONNECT_H

#include <whorl/tls.h>

/* whorl_tls_connect() with a given library; WHORL_TLS_ANY: the library of the config. In addition
 * it returns -EOPNOTSUPP when this build lacks the library. */
WHORL_SUSPENDS int tls_connect(struct whorl_tls_config *config, enum whorl_tls_library library,
                               struct whorl_stream *carrier, const char *host,
                               struct whorl_error *error, struct whorl_stream **ret);

#endif
