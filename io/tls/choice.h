/* SPDX-License-Identifier: MIT */
/* What a client chooses for one connection, besides its TLS configuration. */
#ifndef IO_TLS_CHOICE_H
#define IO_TLS_CHOICE_H

#include <whorl/tls.h>

struct tls_client_sessions;

/* Zero-initialised is valid. */
struct tls_choice {
    enum whorl_tls_library library;       /* WHORL_TLS_ANY: the library of the config */
    struct tls_client_sessions *sessions; /* to resume; NULL: none. An engine holds it */
    uint16_t port;                        /* the server's; a session is resumed only there */
    bool no_http2;                        /* do not offer "h2", even if the config's ALPN has it */
};

#endif
