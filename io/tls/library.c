/* SPDX-License-Identifier: MIT */
/* Chooses the TLS library of a connection. */
#include "io/tls/library.h"

#include <errno.h>

int tls_engine_create(struct whorl_tls_config *config, enum whorl_tls_library library,
                      const struct tls_peer *peer, struct tls_engine **ret)
{
    if (tls_config_library(config, library) != WHORL_TLS_OPENSSL)
        return tls_engine_create_bearssl(config, peer, ret);
#ifdef WHORL_WITH_OPENSSL
    return tls_engine_create_openssl(config, peer, ret);
#else
    return -EOPNOTSUPP;
#endif
}
