/* SPDX-License-Identifier: MIT */
/* The loop that sends and receives the messages of SOCKS5. */
#include "io/net/socks5_connect.h"

#include <errno.h>

WHORL_SUSPENDS int socks5_connect(struct whorl_stream *stream, const struct socks5_request *request,
                                  const char **ret_why)
{
    uint8_t bytes[SOCKS5_WANTS_MAX];
    struct socks5 s;

    *ret_why = NULL;
    int err = socks5_init(&s, request);
    while (err == 0 && socks5_wants(&s) > 0) {
        if (s.out_len > 0)
            err = whorl_stream_write(stream, s.out, s.out_len);
        if (err == 0)
            err = whorl_stream_read_exact(stream, bytes, socks5_wants(&s));
        if (err == -ENODATA) {
            *ret_why = "the proxy closed the connection before it had connected";
            return WHORL_EHTTP_PROXY_FAILED;
        }
        if (err == 0)
            err = socks5_feed(&s, bytes, ret_why);
    }
    return err;
}
