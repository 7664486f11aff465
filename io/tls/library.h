/* SPDX-License-Identifier: MIT */
/* The TLS library of a connection. */
#ifndef IO_TLS_LIBRARY_H
#define IO_TLS_LIBRARY_H

#include "io/tls/engine.h"

/* Creates a client engine that is ready to send its ClientHello. Returns 0, -ENOMEM, -EOPNOTSUPP
 * when this build lacks the library, or -errno when the system provides no entropy. The engine
 * holds a reference to `config` and copies `peer`. */
int tls_engine_create(struct whorl_tls_config *config, const struct tls_choice *choice,
                      const struct tls_peer *peer, struct tls_engine **ret);

#endif
