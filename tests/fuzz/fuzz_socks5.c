/* SPDX-License-Identifier: MIT */
/* The answers of a SOCKS5 proxy: a byte that chooses the request, then what the proxy sends. Only a
 * proxy that says yes at each step connects, and messages never get larger than they may.
 */
#include <string.h>

#include "fuzz.h"
#include "io/net/socks5.h"

static void check_message(const struct socks5 *s, const struct socks5_request *request)
{
    FUZZ_CHECK(s->out_len <= SOCKS5_OUT_MAX);
    FUZZ_CHECK(socks5_wants(s) <= SOCKS5_WANTS_MAX);
    if (!request->user)
        FUZZ_CHECK(s->out_len == 0 || s->out[0] == 5);
}

/* Whether the bytes are those of a proxy that connects, read in another way than socks5.c does.
 * `*ret_len` is the number of bytes. */
static bool connects(const uint8_t *bytes, size_t len, bool has_user, size_t *ret_len)
{
    size_t at = 2;

    if (len < 2 || bytes[0] != 5 || !(bytes[1] == 0 || (bytes[1] == 2 && has_user)))
        return false;
    if (bytes[1] == 2) {
        if (len < 4 || bytes[2] != 1 || bytes[3] != 0)
            return false;
        at = 4;
    }
    if (len < at + 5 || memcmp(bytes + at, "\5\0", 3) != 0)
        return false;
    switch (bytes[at + 3]) {
    case 1:
        at += 10;
        break;
    case 3:
        at += 7u + bytes[at + 4];
        break;
    case 4:
        at += 22;
        break;
    default:
        return false;
    }
    *ret_len = at;
    return at <= len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const char *const hosts[] = {"a.test", "127.0.0.1", "::1"};
    struct socks5_request request = {.port = 443};
    struct socks5 s;
    const char *why = NULL;
    size_t used = 0, expected = 0;
    int err;

    if (len == 0)
        return 0;
    request.host = hosts[data[0] % 3];
    if (data[0] & 0x80) {
        request.user = "me";
        request.password = "word";
    }
    data++;
    len--;
    bool does = connects(data, len, request.user, &expected);
    err = socks5_init(&s, &request);
    while (err == 0 && socks5_wants(&s) > 0 && socks5_wants(&s) <= len - used) {
        check_message(&s, &request);
        size_t wants = socks5_wants(&s);
        err = socks5_feed(&s, data + used, &why);
        used += wants;
    }
    FUZZ_CHECK((err == 0 && socks5_wants(&s) == 0) == does);
    if (does)
        FUZZ_CHECK(used == expected);
    if (err)
        FUZZ_CHECK(why && (err == WHORL_EHTTP_PROXY_AUTH || err == WHORL_EHTTP_PROXY_REFUSED ||
                           err == WHORL_EHTTP_PROXY_FAILED || err == WHORL_EHTTP_PROXY_PROTOCOL));
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("\0\5\0\5\0\0\1\177\0\0\1\4\70");
    SEED("\200\5\2\1\0\5\0\0\4aaaabbbbccccdddd\0\1");
    SEED("\1\5\0\5\0\0\3\6a.test\0\1");
    SEED("\2\5\0\5\5\0\1\0\0\0\0\0\0");
    SEED("\200\5\2\1\1");
    SEED("\0\5\377");
    SEED("\200\5\1");
    SEED("\0\5\0\5\0\1\1\0\0\0\0\0\0");
    SEED("\0HTTP/1.1 400 Bad Request\r\n");
#undef SEED
}
