/* SPDX-License-Identifier: MIT */
/* Queries to name servers: a c-ares channel whose sockets are watched by the run's driver. */
#include "io/dns/channel.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ares.h>

#include <whorl/error.h>
#include <whorl/park.h>
#include <whorl/poller.h>
#include <whorl/timer.h>

#include "io/dns/message.h"
#include "io/driver/op.h"
#include "runtime/base/check.h"

enum {
    /* Queries in flight at a time. All share one UDP socket, whose buffer holds about 270
     * answers. */
    RUNNING_MAX = 128,

    /* DNS flag day 2020: the largest payload that passes all networks without fragmentation. */
    UDP_PAYLOAD_SIZE = 1232,
};

/* When a socket could not be polled, for example because memory was short, it is polled again after
 * this delay. */
#define STARVED_DELAY_NS (10 * WHORL_MILLISECOND)

/* ares_timeout() truncates to milliseconds, but c-ares compares the expiry in microseconds. This
 * slack keeps the timer from firing before a query has expired. */
#define TIMEOUT_SLACK_NS (1 * WHORL_MILLISECOND)

struct query {
    struct query *next, **link; /* in one of the channel's lists */
    struct dns_channel *channel;
    const char *name; /* borrowed */
    dns_answer_fn fn;
    void *arg;
    sa_family_t family;
    bool again;    /* sent a second time because the server did not understand EDNS */
    uint8_t rcode; /* of a refusal that c-ares does not report, see note_refusal(); else 0 */
    int status;    /* valid once finished: an ARES_ code */
    struct dns_answer answer;
};

/* A list of queries; append() adds at its end. `end` points at the last link. */
struct query_list {
    struct query *first, **end;
};

/* A socket of c-ares. When c-ares closes it while a poll of it is in flight, it stays open until
 * the poll has completed, so that its number cannot mean another file before that. */
struct watched {
    struct io_op poll; /* first field: the completion converts it to the watched socket */
    struct dns_channel *channel;
    struct watched *next, **link;
    int fd;
    unsigned wanted; /* events that c-ares waits for */
    bool polling;    /* `poll` is in flight */
    bool paused;     /* the poll failed; the timer polls the socket again */
    bool closed;     /* by c-ares; it is freed once the poll has completed */
};

struct dns_channel {
    ares_channel ares;
    struct query_list queued, running, finished;
    size_t running_count;
    struct watched *sockets;
    struct whorl_timer timer;
    int64_t timer_ns; /* time to which `timer` is set; 0 while disarmed */
    int64_t timeout_ns;
    int socket_err;     /* why the last socket could not be created; 0: it was */
    unsigned in_flight; /* how many polls are in flight */
    bool settling, stopped;
    bool starved;                                         /* a poll could not be started */
    void (*gone)(struct dns_channel *channel, void *arg); /* set when the channel is retired */
    void *gone_arg;
};

static void settle(struct dns_channel *channel);

/* --- lists of queries --- */

static void append(struct query_list *list, struct query *query)
{
    query->next = NULL;
    query->link = list->end;
    *list->end = query;
    list->end = &query->next;
}

static void take_out(struct query_list *list, struct query *query)
{
    *query->link = query->next;
    if (query->next)
        query->next->link = query->link;
    else
        list->end = query->link;
}

/* --- answers --- */

/* The error when no server was reached. If the reason is a shortage of descriptors or memory on
 * this host, it is that error. */
static int unreachable(const struct dns_channel *channel)
{
    switch (channel->socket_err) {
    case -EMFILE:
    case -ENFILE:
    case -ENOBUFS:
    case -ENOMEM:
        return channel->socket_err;
    default:
        return WHORL_EDNS_UNREACHABLE;
    }
}

static int error_of(const struct dns_channel *channel, const struct query *query)
{
    switch (query->status) {
    case ARES_SUCCESS:
        return query->answer.ip_count > 0 ? 0 : WHORL_EDNS_NODATA; /* a CNAME without address */
    case ARES_ENODATA:
        return WHORL_EDNS_NODATA;
    case ARES_ENOTFOUND:
        return WHORL_EDNS_NOTFOUND;
    case ARES_EFORMERR:
    case ARES_ESERVFAIL:
    case ARES_ENOTIMP:
        return WHORL_EDNS_SERVFAIL;
    case ARES_EREFUSED:
        return WHORL_EDNS_REFUSED;
    case ARES_EBADNAME:
    case ARES_EBADQUERY:
    case ARES_EBADSTR:
        return WHORL_EDNS_BADNAME;
    case ARES_EBADRESP:
        return WHORL_EDNS_BADRESPONSE;
    case ARES_ENOMEM:
        return -ENOMEM;
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION:
        return -ECANCELED;
    case ARES_ECONNREFUSED: /* c-ares reports this also when every server refused the query */
    case ARES_ETIMEOUT:
        if (query->rcode)
            return query->rcode == DNS_RCODE_REFUSED ? WHORL_EDNS_REFUSED : WHORL_EDNS_SERVFAIL;
        return query->status == ARES_ETIMEOUT ? WHORL_EDNS_TIMEOUT : unreachable(channel);
    default:
        return WHORL_EDNS;
    }
}

/* Copies the addresses and the smallest TTL of the records that led to them. */
static void take_addresses(struct query *query, const struct ares_addrinfo *info)
{
    struct dns_answer *answer = &query->answer;
    int64_t ttl_s = UINT32_MAX;

    for (const struct ares_addrinfo_cname *cname = info->cnames; cname; cname = cname->next)
        if (cname->ttl < ttl_s)
            ttl_s = cname->ttl;
    for (const struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) {
        if (node->ai_family != query->family)
            continue;
        if (node->ai_ttl < ttl_s)
            ttl_s = node->ai_ttl;
        if (answer->ip_count == DNS_IPS_MAX)
            continue;
        struct dns_ip *ip = &answer->ips[answer->ip_count++];
        ip->family = query->family;
        if (ip->family == AF_INET6)
            memcpy(&ip->v6, &((const struct sockaddr_in6 *)node->ai_addr)->sin6_addr,
                   sizeof ip->v6);
        else
            memcpy(&ip->v4, &((const struct sockaddr_in *)node->ai_addr)->sin_addr, sizeof ip->v4);
    }
    answer->ttl_s = ttl_s < 0 ? 0 : (uint32_t)ttl_s; /* RFC 2181 §8 */
}

/* Callback of c-ares, which may be called inside ares_getaddrinfo(): only notes the answer. */
static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
    struct query *query = arg;
    struct dns_channel *channel = query->channel;

    (void)timeouts;
    query->status = status;
    if (info) {
        take_addresses(query, info);
        ares_freeaddrinfo(info);
    }
    take_out(&channel->running, query);
    channel->running_count--;
    append(&channel->finished, query);
}

/* When a server answers SERVFAIL, NOTIMP or REFUSED, c-ares rightly asks the next server. When all
 * of them refuse, c-ares wrongly reports that no server could be reached. So refusals are noted
 * when they arrive. Only c-ares decides whether a message is an answer; this note only selects the
 * error code. */
static void note_refusal(struct dns_channel *channel, const uint8_t *message, size_t len)
{
    for (struct query *query = channel->running.first; query; query = query->next) {
        int rcode = dns_message_rcode(message, len, query->name, query->family);
        if (rcode == DNS_RCODE_SERVFAIL || rcode == DNS_RCODE_NOTIMP || rcode == DNS_RCODE_REFUSED)
            query->rcode = (uint8_t)rcode;
    }
}

/* --- sockets: c-ares calls these functions instead of system calls --- */

static struct watched *find_socket(struct dns_channel *channel, int fd)
{
    struct watched *socket = channel->sockets;

    while (socket && (socket->fd != fd || socket->closed))
        socket = socket->next;
    return socket;
}

static ares_socket_t open_socket(int family, int type, int protocol, void *arg)
{
    struct dns_channel *channel = arg;
    struct watched *watched = calloc(1, sizeof *watched);
    int fd = -1;

    if (watched)
        fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (fd < 0) {
        channel->socket_err = watched ? -errno : -ENOMEM;
        free(watched);
        errno = -channel->socket_err;
        return ARES_SOCKET_BAD;
    }
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    channel->socket_err = 0;
    watched->channel = channel;
    watched->fd = fd;
    watched->next = channel->sockets;
    watched->link = &channel->sockets;
    if (watched->next)
        watched->next->link = &watched->next;
    channel->sockets = watched;
    return fd;
}

static void forget_socket(struct watched *watched)
{
    *watched->link = watched->next;
    if (watched->next)
        watched->next->link = watched->link;
    close(watched->fd);
    free(watched);
}

static int close_socket(ares_socket_t fd, void *arg)
{
    struct watched *watched = find_socket(arg, fd);

    whorl_check(watched);
    watched->closed = true;
    if (watched->polling)
        io_op_cancel(&watched->poll);
    else
        forget_socket(watched);
    return 0;
}

static int connect_socket(ares_socket_t fd, const struct sockaddr *addr, ares_socklen_t len,
                          void *arg)
{
    (void)arg;
    return connect(fd, addr, len);
}

static ares_ssize_t receive(ares_socket_t fd, void *buf, size_t len, int flags,
                            struct sockaddr *from, ares_socklen_t *from_len, void *arg)
{
    ssize_t n = recvfrom(fd, buf, len, flags, from, from_len);

    if (n > 0)
        note_refusal(arg, buf, (size_t)n);
    return n;
}

static ares_ssize_t send_parts(ares_socket_t fd, const struct iovec *parts, int count, void *arg)
{
    struct msghdr msg = {.msg_iov = (struct iovec *)parts, .msg_iovlen = (size_t)count};

    (void)arg;
    return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

static const struct ares_socket_functions socket_functions = {
    open_socket, close_socket, connect_socket, receive, send_parts,
};

/* Callback of c-ares: only notes which events to wait for. Before c-ares closes a socket, it calls
 * this with zeros. */
static void on_socket_state(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct watched *watched = find_socket(arg, fd);

    if (watched)
        watched->wanted = (readable ? POLLIN : 0u) | (writable ? POLLOUT : 0u);
}

/* --- completions, the timer and the queue of queries --- */

static void on_ready(struct io_op *op, int res, bool more)
{
    struct watched *watched = (struct watched *)op;
    struct dns_channel *channel = watched->channel;
    unsigned events = res < 0 ? 0 : (unsigned)res;

    whorl_check(!more);
    watched->polling = false;
    channel->in_flight--;
    if (watched->closed) {
        forget_socket(watched);
    } else if (res < 0) {
        watched->paused = res != -ECANCELED && res != -EINTR;
    } else {
        if (events & (POLLERR | POLLHUP | POLLNVAL))
            events |= POLLIN | (watched->wanted & POLLOUT);
        ares_process_fd(channel->ares, events & POLLIN ? watched->fd : ARES_SOCKET_BAD,
                        events & POLLOUT ? watched->fd : ARES_SOCKET_BAD);
    }
    settle(channel);
}

static void on_timer(struct whorl_timer *timer)
{
    struct dns_channel *channel =
        (struct dns_channel *)((char *)timer - offsetof(struct dns_channel, timer));

    channel->timer_ns = 0;
    for (struct watched *watched = channel->sockets; watched; watched = watched->next)
        watched->paused = false;
    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    settle(channel);
}

/* Polls each socket for the events that c-ares waits for now. */
static void watch_sockets(struct dns_channel *channel)
{
    channel->starved = false;
    for (struct watched *watched = channel->sockets; watched; watched = watched->next) {
        if (watched->closed)
            continue;
        if (watched->polling) {
            if (watched->poll.len != watched->wanted)
                io_op_cancel(&watched->poll); /* its completion leads to this function again */
            continue;
        }
        if (watched->wanted == 0)
            continue;
        if (watched->paused) {
            channel->starved = true;
            continue;
        }
        watched->poll = (struct io_op){
            .code = IO_OP_POLL, .fd = watched->fd, .len = watched->wanted, .complete = on_ready};
        if (io_op_start(&watched->poll) == 0) {
            watched->polling = true;
            channel->in_flight++;
        } else {
            channel->starved = true;
        }
    }
}

/* Arms the timer for the next timeout of c-ares, or for an earlier time. To find the exact time,
 * ares_timeout() walks over all queries, so it is called only after the timer has fired. */
static void set_timer(struct dns_channel *channel)
{
    int64_t deadline_ns;

    if (channel->running_count == 0) {
        whorl_timer_disarm(&channel->timer);
        channel->timer_ns = 0;
        return;
    }
    if (channel->starved) {
        deadline_ns = whorl_after(STARVED_DELAY_NS);
    } else if (channel->timer_ns) {
        /* Queries that were sent since the timer was set expire one timeout from now, or later. */
        deadline_ns = whorl_after(channel->timeout_ns + TIMEOUT_SLACK_NS);
    } else {
        struct timeval tv;
        if (!ares_timeout(channel->ares, NULL, &tv))
            return;
        deadline_ns = whorl_after(tv.tv_sec * WHORL_SECOND + tv.tv_usec * WHORL_MICROSECOND +
                                  TIMEOUT_SLACK_NS);
    }
    if (channel->timer_ns == 0 || deadline_ns < channel->timer_ns) {
        whorl_timer_arm(&channel->timer, deadline_ns, on_timer);
        channel->timer_ns = deadline_ns;
    }
}

static void start_queued(struct dns_channel *channel)
{
    while (channel->queued.first && channel->running_count < RUNNING_MAX) {
        struct query *query = channel->queued.first;
        struct ares_addrinfo_hints hints = {
            .ai_flags = ARES_AI_NOSORT,
            .ai_family = query->family,
        };
        take_out(&channel->queued, query);
        append(&channel->running, query);
        channel->running_count++;
        ares_getaddrinfo(channel->ares, query->name, NULL, &hints, on_answer, query);
    }
}

/* Delivers the answers of finished queries to their callbacks. */
static void deliver_finished(struct dns_channel *channel)
{
    struct query *query;

    while ((query = channel->finished.first) != NULL) {
        take_out(&channel->finished, query);
        if (query->status == ARES_EFORMERR && !query->again && !channel->stopped) {
            /* c-ares 1.18 stops using EDNS after a server's first FORMERR. When other queries were
             * already in flight, it takes the next FORMERR for a final answer. So such a query is
             * sent once more. */
            query->again = true;
            append(&channel->queued, query);
            continue;
        }
        query->answer.err = error_of(channel, query);
        if (query->answer.err)
            query->answer.ip_count = 0;
        query->fn(query->arg, &query->answer);
        free(query);
    }
}

/* Updates the channel after c-ares has changed its state. Must be called after each call of c-ares,
 * and never from its callbacks. May destroy a retired channel. */
static void settle(struct dns_channel *channel)
{
    if (channel->settling)
        return;
    channel->settling = true;
    do {
        deliver_finished(channel);
        if (!channel->stopped)
            start_queued(channel);
    } while (channel->finished.first);
    if (!channel->stopped) {
        watch_sockets(channel);
        set_timer(channel);
    }
    channel->settling = false;
    if (channel->gone && channel->running_count == 0 && channel->in_flight == 0) {
        channel->gone(channel, channel->gone_arg);
        dns_channel_stop(channel);
        dns_channel_destroy(channel);
    }
}

/* --- the functions for the resolver --- */

static void init_library(void)
{
    ares_library_init(ARES_LIB_INIT_ALL);
}

static int set_servers(ares_channel ares, const struct dns_server *servers, size_t count)
{
    struct ares_addr_port_node *nodes = calloc(count, sizeof *nodes);

    if (!nodes)
        return ARES_ENOMEM;
    for (size_t i = 0; i < count; i++) {
        nodes[i].next = i + 1 < count ? &nodes[i + 1] : NULL;
        nodes[i].family = servers[i].ip.family;
        nodes[i].udp_port = nodes[i].tcp_port = servers[i].port;
        if (servers[i].ip.family == AF_INET6)
            memcpy(&nodes[i].addr.addr6, &servers[i].ip.v6, sizeof nodes[i].addr.addr6);
        else
            nodes[i].addr.addr4 = servers[i].ip.v4;
    }
    int status = ares_set_servers_ports(ares, nodes);
    free(nodes);
    return status;
}

int dns_channel_create(const struct dns_channel_options *options, struct dns_channel **ret)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct dns_channel *channel = calloc(1, sizeof *channel);
    bool own_servers = options->server_count > 0;
    struct ares_options ares_options = {
        /* HOSTALIASES is not used. When servers are given, the search list is not used either. */
        .flags = ARES_FLAG_EDNS | ARES_FLAG_NOALIASES | (own_servers ? ARES_FLAG_NOSEARCH : 0),
        .timeout = (int)(options->timeout_ns / WHORL_MILLISECOND),
        .tries = options->tries,
        .ednspsz = UDP_PAYLOAD_SIZE,
        .udp_port = options->resolv_conf_port,
        .tcp_port = options->resolv_conf_port,
        .lookups = (char[]){"b"}, /* ask servers only: dns.c looks into the hosts file */
        .resolvconf_path = (char *)(own_servers ? "/dev/null" : options->resolv_conf),
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = channel,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
               ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT | ARES_OPT_LOOKUPS | ARES_OPT_RESOLVCONF |
               ARES_OPT_SOCK_STATE_CB;

    if (own_servers)
        mask |= ARES_OPT_DOMAINS; /* no search domains */
#ifdef ARES_OPT_QUERY_CACHE
    mask |= ARES_OPT_QUERY_CACHE; /* 1.23; a maximum TTL of 0 s disables it: see cache.h */
#endif
    if (!channel)
        return -ENOMEM;
    pthread_once(&once, init_library);
    int status = ares_init_options(&channel->ares, &ares_options, mask);
    if (status != ARES_SUCCESS) {
        free(channel);
        return status == ARES_ENOMEM ? -ENOMEM : WHORL_EDNS;
    }
    if (own_servers)
        status = set_servers(channel->ares, options->servers, options->server_count);
    if (status != ARES_SUCCESS) {
        ares_destroy(channel->ares);
        free(channel);
        return status == ARES_ENOMEM ? -ENOMEM : WHORL_EDNS;
    }
    ares_set_socket_functions(channel->ares, &socket_functions, channel);
    channel->timeout_ns = options->timeout_ns;
    channel->queued.end = &channel->queued.first;
    channel->running.end = &channel->running.first;
    channel->finished.end = &channel->finished.first;
    *ret = channel;
    return 0;
}

int dns_channel_ask(struct dns_channel *channel, const char *name, int family, dns_answer_fn fn,
                    void *arg)
{
    struct query *query = calloc(1, sizeof *query);

    if (!query)
        return -ENOMEM;
    query->channel = channel;
    query->name = name;
    query->family = (sa_family_t)family;
    query->fn = fn;
    query->arg = arg;
    append(&channel->queued, query);
    settle(channel);
    return 0;
}

void dns_channel_retire(struct dns_channel *channel,
                        void (*gone)(struct dns_channel *channel, void *arg), void *arg)
{
    channel->gone = gone;
    channel->gone_arg = arg;
    settle(channel);
}

void dns_channel_stop(struct dns_channel *channel)
{
    struct query *query;

    channel->stopped = true;
    channel->gone = NULL;
    if (channel->timer_ns && whorl_poller_current()) /* else the timer has ended with the run */
        whorl_timer_disarm(&channel->timer);
    channel->timer_ns = 0;
    ares_cancel(channel->ares);
    while ((query = channel->queued.first) != NULL) {
        take_out(&channel->queued, query);
        query->status = ARES_ECANCELLED;
        append(&channel->finished, query);
    }
    settle(channel);
    for (struct watched *watched = channel->sockets; watched; watched = watched->next)
        if (watched->polling && !watched->closed)
            io_op_cancel(&watched->poll);
}

void dns_channel_destroy(struct dns_channel *channel)
{
    if (!channel)
        return;
    whorl_check(channel->in_flight == 0 && channel->running_count == 0);
    ares_destroy(channel->ares);
    whorl_check(!channel->sockets);
    free(channel);
}
