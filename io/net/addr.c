/* SPDX-License-Identifier: MIT */
/* Socket addresses as values: parses and formats them, and gets those of a socket. */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/net.h>

/* The number of an IPv6 zone, given as the name or number of an interface; 0: no such interface. */
static uint32_t zone_number(const char *zone)
{
    uint32_t number = if_nametoindex(zone);
    char *end;

    if (number == 0 && *zone >= '0' && *zone <= '9') {
        unsigned long value = strtoul(zone, &end, 10);
        if (*end == '\0' && value <= UINT32_MAX)
            number = (uint32_t)value;
    }
    return number;
}

int whorl_addr_parse(const char *ip, uint16_t port, struct whorl_addr *ret)
{
    struct whorl_addr addr = {0};
    char text[INET6_ADDRSTRLEN];
    const char *percent = strchr(ip, '%');
    size_t len = percent ? (size_t)(percent - ip) : strlen(ip);

    if (len >= sizeof text)
        return -EINVAL;
    memcpy(text, ip, len);
    text[len] = '\0';
    if (!percent && inet_pton(AF_INET, text, &addr.in.sin_addr) == 1) {
        addr.in.sin_family = AF_INET;
        addr.len = sizeof addr.in;
    } else if (inet_pton(AF_INET6, text, &addr.in6.sin6_addr) == 1) {
        addr.in6.sin6_family = AF_INET6;
        addr.len = sizeof addr.in6;
        if (percent && (addr.in6.sin6_scope_id = zone_number(percent + 1)) == 0)
            return -EINVAL;
    } else {
        return -EINVAL;
    }
    whorl_addr_set_port(&addr, port);
    *ret = addr;
    return 0;
}

int whorl_addr_unix(const char *path, struct whorl_addr *ret)
{
    struct whorl_addr addr = {.un.sun_family = AF_UNIX};
    size_t len = strlen(path), start = offsetof(struct sockaddr_un, sun_path);
    bool abstract = path[0] == '@';

    if (len == 0) /* the kernel would choose a name */
        return -EINVAL;
    /* A path ends in a zero byte. An abstract name ends where the address length says. */
    if (len + !abstract > sizeof addr.un.sun_path)
        return -ENAMETOOLONG;
    memcpy(addr.un.sun_path, path, len);
    if (abstract)
        addr.un.sun_path[0] = '\0';
    addr.len = (socklen_t)(start + len + !abstract);
    *ret = addr;
    return 0;
}

static void unix_text(const struct whorl_addr *addr, char *ret, size_t size)
{
    size_t start = offsetof(struct sockaddr_un, sun_path);
    size_t len = addr->len > start ? addr->len - start : 0;
    const char *path = addr->un.sun_path;

    if (len > sizeof addr->un.sun_path)
        len = sizeof addr->un.sun_path;
    if (len == 0)
        snprintf(ret, size, "(unnamed)");
    else if (path[0] == '\0')
        snprintf(ret, size, "@%.*s", (int)(len - 1), path + 1);
    else
        snprintf(ret, size, "%.*s", (int)len, path);
}

const char *whorl_addr_text(const struct whorl_addr *addr, char *ret, size_t size)
{
    char ip[INET6_ADDRSTRLEN], zone[IF_NAMESIZE + 1] = "";

    switch (addr->sa.sa_family) {
    case AF_INET:
        inet_ntop(AF_INET, &addr->in.sin_addr, ip, sizeof ip);
        snprintf(ret, size, "%s:%u", ip, whorl_addr_port(addr));
        break;
    case AF_INET6:
        inet_ntop(AF_INET6, &addr->in6.sin6_addr, ip, sizeof ip);
        if (addr->in6.sin6_scope_id) {
            zone[0] = '%';
            if (!if_indextoname(addr->in6.sin6_scope_id, zone + 1))
                snprintf(zone + 1, sizeof zone - 1, "%u", addr->in6.sin6_scope_id);
        }
        snprintf(ret, size, "[%s%s]:%u", ip, zone, whorl_addr_port(addr));
        break;
    case AF_UNIX:
        unix_text(addr, ret, size);
        break;
    default:
        snprintf(ret, size, "(family %d)", addr->sa.sa_family);
    }
    return ret;
}

uint16_t whorl_addr_port(const struct whorl_addr *addr)
{
    if (addr->sa.sa_family == AF_INET)
        return ntohs(addr->in.sin_port);
    if (addr->sa.sa_family == AF_INET6)
        return ntohs(addr->in6.sin6_port);
    return 0;
}

void whorl_addr_set_port(struct whorl_addr *addr, uint16_t port)
{
    if (addr->sa.sa_family == AF_INET)
        addr->in.sin_port = htons(port);
    else if (addr->sa.sa_family == AF_INET6)
        addr->in6.sin6_port = htons(port);
}

/* getsockname(2) and getpeername(2) fill an address in the same way. */
static int ask(int fd, struct whorl_addr *ret,
               int (*call)(int fd, struct sockaddr *addr, socklen_t *len))
{
    struct whorl_addr addr = {0};

    addr.len = offsetof(struct whorl_addr, len);
    if (call(fd, &addr.sa, &addr.len) < 0)
        return -errno;
    *ret = addr;
    return 0;
}

static int call_getsockname(int fd, struct sockaddr *addr, socklen_t *len)
{
    return getsockname(fd, addr, len);
}

static int call_getpeername(int fd, struct sockaddr *addr, socklen_t *len)
{
    return getpeername(fd, addr, len);
}

int whorl_addr_local(int fd, struct whorl_addr *ret)
{
    return ask(fd, ret, call_getsockname);
}

int whorl_addr_peer(int fd, struct whorl_addr *ret)
{
    return ask(fd, ret, call_getpeername);
}
