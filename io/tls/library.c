/* SPDX-License-Identifier: MIT */
/* Chooses the TLS library of a connection. */
#include "io/tls/library.h"

#include <errno.h>

int tls_engine_create(struct whorl_tls_config *config, const struct tls_choice *choice,
                      const struct tls_peer *peer, struct tls_engine **ret)
{
    if (tls_config_library(config, choice->library) != WHORL_TLS_OPENSSL)
        return tls_engine_create_bearssl(config, choice, peer, ret);
#ifdef WHORL_WITH_OPENSSL
    return tls_engine_create_openssl(config, choice, peer, ret);
#else
    return -EOPNOTSUPP;
#endif
}
