/* SPDX-License-Identifier: MIT */
/* SOCKS5: writes the messages of the client, and reads those of the proxy. */
#include "io/net/socks5.h"

#include <arpa/inet.h>
#include <string.h>

enum {
    VERSION = 5,
    VERSION_OF_PASSWORD = 1, /* RFC 1929 §2 */
    METHOD_NONE = 0,
    METHOD_PASSWORD = 2,
    METHOD_NO_ACCEPTABLE = 0xff,
    CONNECT = 1,
    ADDRESS_V4 = 1,
    ADDRESS_NAME = 3,
    ADDRESS_V6 = 4,
    PORT_LEN = 2,
};

/* What is received next. */
enum state {
    STATE_METHOD,
    STATE_PASSWORD, /* the answer to name and password */
    STATE_REPLY,    /* up to the type of the address */
    STATE_NAME_LEN, /* the first byte of an address that is a name */
    STATE_ADDRESS,  /* the rest */
    STATE_DONE,
};

static void expect(struct socks5 *s, enum state state, size_t wants)
{
    s->state = (uint8_t)state;
    s->wants = wants;
}

static void put(struct socks5 *s, const void *bytes, size_t len)
{
    memcpy(s->out + s->out_len, bytes, len);
    s->out_len += len;
}

static void put_byte(struct socks5 *s, unsigned byte)
{
    s->out[s->out_len++] = (uint8_t)byte;
}

/* Writes a length and a text. */
static void put_text(struct socks5 *s, const char *text)
{
    size_t len = strlen(text);

    put_byte(s, (unsigned)len);
    put(s, text, len);
}

int socks5_init(struct socks5 *s, const struct socks5_request *request)
{
    size_t host_len = strlen(request->host);

    if (host_len == 0 || host_len > SOCKS5_TEXT_MAX)
        return WHORL_EDNS_BADNAME;
    *s = (struct socks5){.request = request};
    put_byte(s, VERSION);
    /* RFC 1928 §3: the methods that the client accepts. */
    put_byte(s, request->user ? 2 : 1);
    put_byte(s, METHOD_NONE);
    if (request->user)
        put_byte(s, METHOD_PASSWORD);
    expect(s, STATE_METHOD, 2);
    return 0;
}

size_t socks5_wants(const struct socks5 *s)
{
    return s->wants;
}

static int broken(const char **ret_why, const char *why)
{
    *ret_why = why;
    return WHORL_EHTTP_PROXY_PROTOCOL;
}

/* RFC 1928 §4 */
static void ask_connection(struct socks5 *s)
{
    uint8_t v4[4], v6[16];

    put_byte(s, VERSION);
    put_byte(s, CONNECT);
    put_byte(s, 0);
    if (inet_pton(AF_INET, s->request->host, v4) == 1) {
        put_byte(s, ADDRESS_V4);
        put(s, v4, sizeof v4);
    } else if (inet_pton(AF_INET6, s->request->host, v6) == 1) {
        put_byte(s, ADDRESS_V6);
        put(s, v6, sizeof v6);
    } else {
        put_byte(s, ADDRESS_NAME);
        put_text(s, s->request->host);
    }
    put_byte(s, s->request->port >> 8);
    put_byte(s, s->request->port & 0xff);
    expect(s, STATE_REPLY, 4);
}

static int read_method(struct socks5 *s, const uint8_t *bytes, const char **ret_why)
{
    if (bytes[0] != VERSION)
        return broken(ret_why, "the proxy does not speak SOCKS5");
    if (bytes[1] == METHOD_NONE) {
        ask_connection(s);
        return 0;
    }
    if (bytes[1] == METHOD_PASSWORD && s->request->user) {
        put_byte(s, VERSION_OF_PASSWORD);
        put_text(s, s->request->user);
        put_text(s, s->request->password);
        expect(s, STATE_PASSWORD, 2);
        return 0;
    }
    if (bytes[1] != METHOD_NO_ACCEPTABLE)
        return broken(ret_why, "the proxy chose a method that was not offered");
    *ret_why = s->request->user ? "the proxy accepts neither a password nor its absence"
                                : "the proxy asks for a name and a password";
    return WHORL_EHTTP_PROXY_AUTH;
}

static int read_password(struct socks5 *s, const uint8_t *bytes, const char **ret_why)
{
    if (bytes[0] != VERSION_OF_PASSWORD)
        return broken(ret_why, "the proxy's answer to the password has another version");
    if (bytes[1] != 0) {
        *ret_why = "the proxy does not accept the name or the password";
        return WHORL_EHTTP_PROXY_AUTH;
    }
    ask_connection(s);
    return 0;
}

/* RFC 1928 §6 */
static int read_reply(struct socks5 *s, const uint8_t *bytes, const char **ret_why)
{
    static const struct {
        int err;
        const char *why;
    } replies[] = {
        {0, NULL},
        {WHORL_EHTTP_PROXY_FAILED, "SOCKS reply 1: general failure"},
        {WHORL_EHTTP_PROXY_REFUSED, "SOCKS reply 2: not allowed by the proxy's rules"},
        {WHORL_EHTTP_PROXY_FAILED, "SOCKS reply 3: network unreachable"},
        {WHORL_EHTTP_PROXY_FAILED, "SOCKS reply 4: host unreachable"},
        {WHORL_EHTTP_PROXY_FAILED, "SOCKS reply 5: connection refused"},
        {WHORL_EHTTP_PROXY_FAILED, "SOCKS reply 6: TTL expired"},
        {WHORL_EHTTP_PROXY_REFUSED, "SOCKS reply 7: command not supported"},
        {WHORL_EHTTP_PROXY_REFUSED, "SOCKS reply 8: type of address not supported"},
    };

    if (bytes[0] != VERSION)
        return broken(ret_why, "the proxy's reply is not SOCKS5");
    if (bytes[1] >= sizeof replies / sizeof replies[0])
        return broken(ret_why, "the proxy's reply has an unknown code");
    if (bytes[1] != 0) {
        *ret_why = replies[bytes[1]].why;
        return replies[bytes[1]].err;
    }
    if (bytes[2] != 0)
        return broken(ret_why, "the proxy's reply has a reserved byte that is not 0");
    switch (bytes[3]) {
    case ADDRESS_V4:
        expect(s, STATE_ADDRESS, 4 + PORT_LEN);
        return 0;
    case ADDRESS_V6:
        expect(s, STATE_ADDRESS, 16 + PORT_LEN);
        return 0;
    case ADDRESS_NAME:
        expect(s, STATE_NAME_LEN, 1);
        return 0;
    default:
        return broken(ret_why, "the proxy's reply has an unknown type of address");
    }
}

int socks5_feed(struct socks5 *s, const uint8_t *bytes, const char **ret_why)
{
    s->out_len = 0;
    switch ((enum state)s->state) {
    case STATE_METHOD:
        return read_method(s, bytes, ret_why);
    case STATE_PASSWORD:
        return read_password(s, bytes, ret_why);
    case STATE_REPLY:
        return read_reply(s, bytes, ret_why);
    case STATE_NAME_LEN:
        expect(s, STATE_ADDRESS, bytes[0] + (size_t)PORT_LEN);
        return 0;
    case STATE_ADDRESS: /* where the proxy has connected from; not used */
    case STATE_DONE:
        expect(s, STATE_DONE, 0);
        return 0;
    }
    return 0;
}
