/* SPDX-License-Identifier: MIT */
/* Creates, holds and frees what is known of a connection. */
#include "io/http/conn_info.h"

#include <stdlib.h>

struct http_conn_info *http_conn_info_create(uint64_t number)
{
    struct http_conn_info *info = calloc(1, sizeof *info);

    if (info)
        *info = (struct http_conn_info){.holders = 1, .number = number, .dns_ns = -1};
    return info;
}

struct http_conn_info *http_conn_info_hold(struct http_conn_info *info)
{
    if (info)
        info->holders++;
    return info;
}

void http_conn_info_release(struct http_conn_info *info)
{
    if (info && --info->holders == 0)
        free(info);
}
