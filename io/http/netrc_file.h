/* SPDX-License-Identifier: MIT */
/* What whorl_http_netrc_load() reads. */
#ifndef IO_HTTP_NETRC_FILE_H
#define IO_HTTP_NETRC_FILE_H

#include <whorl/http_auth.h>

#include "io/http/netrc.h"

struct whorl_http_netrc {
    struct netrc netrc;
    bool is_exposed;
};

#endif
