/* SPDX-License-Identifier: MIT */
/* Overrides of dialling as text. */
#include "io/net/dial_override.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "io/dns/name.h"

enum {
    HOST_SIZE = DNS_NAME_SIZE,
    ADDR_SIZE = 64, /* of a literal address with brackets and a zone */
};

/* The parts of an override, in its text. */
struct parts {
    char host[HOST_SIZE]; /* without brackets */
    bool is_literal;      /* the host is an address */
    uint16_t port;
    const char *addrs;
};

static bool is_ipv6(const char *text)
{
    struct whorl_addr addr;

    return whorl_addr_parse(text, 0, &addr) == 0 && addr.sa.sa_family == AF_INET6;
}

/* Copies `len` bytes of text, without the brackets of an IPv6 address if it has them. Returns false
 * when it does not fit, or when the brackets contain something else. */
static bool copy_unbracketed(const char *text, size_t len, size_t size, char *ret)
{
    bool has_brackets = len >= 2 && text[0] == '[' && text[len - 1] == ']';

    if (has_brackets) {
        text++;
        len -= 2;
    }
    if (len >= size)
        return false;
    memcpy(ret, text, len);
    ret[len] = '\0';
    return !has_brackets || is_ipv6(ret);
}

/* Reads a port and the colon behind it. Returns what comes next; NULL when it is no port. */
static const char *read_port(const char *text, uint16_t *ret)
{
    unsigned long port = 0;
    size_t len = strspn(text, "0123456789");

    for (size_t i = 0; i < len && port <= UINT16_MAX; i++)
        port = port * 10 + (unsigned long)(text[i] - '0');
    if (port < 1 || port > UINT16_MAX || text[len] != ':')
        return NULL;
    *ret = (uint16_t)port;
    return text + len + 1;
}

/* Splits the text. Returns NULL, or what is wrong. */
static const char *split(const char *text, struct parts *ret)
{
    char name[DNS_NAME_SIZE];
    struct whorl_addr literal;
    const char *bracket = text[0] == '[' ? strchr(text, ']') : NULL;
    const char *colon = bracket ? bracket + 1 : strchr(text, ':');

    if (!colon || *colon != ':')
        return "it is not HOST:PORT:ADDRESS";
    if (!copy_unbracketed(text, (size_t)(colon - text), sizeof ret->host, ret->host))
        return "its host is not a valid name or address";
    ret->is_literal = whorl_addr_parse(ret->host, 0, &literal) == 0;
    if (!ret->is_literal && strcmp(ret->host, "*") != 0 && dns_name_prepare(ret->host, name) < 0)
        return "its host is not a valid name or address";
    ret->addrs = read_port(colon + 1, &ret->port);
    return ret->addrs ? NULL : "its port is not a number from 1 to 65535, followed by a colon";
}

/* Takes an address from the list at `*pos`, and moves behind it. */
static bool take_addr(const char **pos, uint16_t port, struct whorl_addr *ret)
{
    char text[ADDR_SIZE];
    size_t len = strcspn(*pos, ",");
    bool is_addr =
        copy_unbracketed(*pos, len, sizeof text, text) && whorl_addr_parse(text, port, ret) == 0;

    *pos += len;
    return is_addr;
}

int dial_override_parse(const char *text, const char **ret_why, struct whorl_addr *ret_addrs,
                        size_t addrs_max)
{
    struct parts parts;
    struct whorl_addr addr;
    size_t count = 0;
    const char *why = split(text, &parts), *pos = why ? "" : parts.addrs;

    while (!why) {
        if (!take_addr(&pos, parts.port, &addr)) {
            why = "its addresses are not IPv4 or IPv6 addresses, separated by commas";
            break;
        }
        if (count < addrs_max)
            ret_addrs[count++] = addr;
        if (*pos++ == '\0')
            return (int)count;
    }
    *ret_why = why;
    return -EINVAL;
}

/* The length of a name without a trailing dot. */
static size_t name_len(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && name[len - 1] == '.' ? len - 1 : len;
}

static bool names_equal(const char *a, const char *b)
{
    size_t len = name_len(a);
    return len == name_len(b) && strncasecmp(a, b, len) == 0;
}

static bool literals_equal(const char *a, const char *b)
{
    struct whorl_addr left, right;

    if (whorl_addr_parse(a, 0, &left) != 0 || whorl_addr_parse(b, 0, &right) != 0)
        return false;
    return left.len == right.len && memcmp(&left, &right, left.len) == 0;
}

const char *dial_override_find(const char *const *overrides, size_t count, const char *host,
                               uint16_t port)
{
    const char *for_all = NULL;
    struct parts parts;

    for (size_t i = 0; i < count; i++) {
        if (split(overrides[i], &parts) || parts.port != port)
            continue;
        if (parts.is_literal ? literals_equal(parts.host, host) : names_equal(parts.host, host))
            return overrides[i];
        if (!for_all && strcmp(parts.host, "*") == 0)
            for_all = overrides[i];
    }
    return for_all;
}
