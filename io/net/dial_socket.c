/* SPDX-License-Identifier: MIT */
/* Sockets that are bound as the options of dialling say. */
#include "io/net/dial_socket.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

static socklen_t addr_len(int family)
{
    return family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

/* Whether an address of an interface can be the source of connections to `to`: an IPv6 address that
 * is valid on one link only reaches addresses of that link only, and the other way round. */
static bool is_source_for(const struct sockaddr *addr, const struct sockaddr *to)
{
    const struct sockaddr_in6 *from6 = (const void *)addr, *to6 = (const void *)to;

    if (!addr || addr->sa_family != to->sa_family)
        return false;
    return addr->sa_family != AF_INET6 ||
           IN6_IS_ADDR_LINKLOCAL(&from6->sin6_addr) == IN6_IS_ADDR_LINKLOCAL(&to6->sin6_addr);
}

/* Binds to the first address of an interface that can be the source. */
static int bind_to_address_of(int fd, const char *interface, const struct sockaddr *to)
{
    struct ifaddrs *list, *one;

    if (getifaddrs(&list) < 0)
        return -errno;
    for (one = list; one; one = one->ifa_next)
        if (strcmp(one->ifa_name, interface) == 0 && is_source_for(one->ifa_addr, to))
            break;
    int err = if_nametoindex(interface) == 0 ? -ENODEV : -EADDRNOTAVAIL;
    if (one)
        err = bind(fd, one->ifa_addr, addr_len(to->sa_family)) < 0 ? -errno : 0;
    freeifaddrs(list);
    return err;
}

/* SO_BINDTODEVICE. Where it is not permitted, binds to an address of the interface instead, which
 * is not possible together with another local address. */
static int bind_to_interface(int fd, const struct sockaddr *to,
                             const struct whorl_dial_options *options)
{
    const char *name = options->interface;

    if (!name ||
        setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name) + 1) == 0)
        return 0;
    int err = -errno;
    return err == -EPERM && !options->local_addr ? bind_to_address_of(fd, name, to) : err;
}

static int bind_to_local_addr(int fd, const struct whorl_dial_options *options)
{
    struct whorl_addr addr;

    if (!options->local_addr)
        return 0;
    int err = whorl_addr_parse(options->local_addr, 0, &addr);
    return err ? err : whorl_bind(fd, &addr);
}

/* Binds a socket that is to be connected. Without a port of its own until then, two connections to
 * different servers can have the same one (4.2). */
static int bind_socket(int fd, const struct sockaddr *to, const struct whorl_dial_options *options)
{
    if (!options->interface && !options->local_addr)
        return 0;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    int err = bind_to_interface(fd, to, options);
    return err ? err : bind_to_local_addr(fd, options);
}

int dial_socket_open(const struct sockaddr *to, const struct whorl_dial_options *options)
{
    bool is_tcp = to->sa_family != AF_UNIX;
    int fd = whorl_socket(to->sa_family, SOCK_STREAM, is_tcp ? IPPROTO_TCP : 0);

    if (fd < 0 || !is_tcp)
        return fd;
    int err = bind_socket(fd, to, options);
    if (err) {
        close(fd);
        return err;
    }
    if (!options->delay_small_writes)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

bool dial_socket_source(const struct sockaddr *to, const struct whorl_dial_options *options,
                        struct whorl_addr *ret)
{
    /* connect(2) of a datagram socket chooses route and source address, and sends nothing. */
    int fd = whorl_socket(to->sa_family, SOCK_DGRAM, 0);
    bool is_known = fd >= 0 && bind_socket(fd, to, options) == 0 &&
                    connect(fd, to, addr_len(to->sa_family)) == 0 && whorl_addr_local(fd, ret) == 0;

    if (fd >= 0)
        close(fd);
    return is_known;
}
