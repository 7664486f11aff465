/* SPDX-License-Identifier: MIT */
/* The resolver of a run: answers a lookup from what is known, or queries name servers.
 *
 *     dns_ask_start:  special names --> the hosts file --> the cache --> a pending entry, shared by
 *                     all lookups of the same name --> the channel
 *     answered:       each lookup of the entry gets a copy and its task is woken; the cache keeps
 *                     or frees the entry
 */
#include "io/dns/dns.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/task.h>

#include "io/dns/cache.h"
#include "io/dns/channel.h"
#include "io/dns/hosts.h"
#include "io/dns/name.h"
#include "io/driver/op.h"
#include "io/net/addr_order.h"
#include "io/net/dial_rank.h"

#define RESOLV_CONF             "/etc/resolv.conf"
#define RESOLV_CONF_INTERVAL_NS WHORL_SECOND
#define TIMEOUT_DEFAULT_NS      (2 * WHORL_SECOND)
#define TIMEOUT_MAX_NS          WHORL_HOUR
#define HOSTS_FILE              "/etc/hosts"
#define PORT_DNS                53

enum { TRIES_DEFAULT = 3, TRIES_MAX = 100, SERVERS_MAX = 32 };

struct retired {
    struct retired *next;
    struct dns_channel *channel;
};

/* There is one per run. */
struct resolver {
    struct io_local local; /* first field: pointers to the two convert */
    struct dns_cache cache;
    struct dns_hosts hosts;
    struct dns_channel *channel; /* NULL until a query must be sent */
    struct retired *retired;     /* channels of an older resolv.conf, with queries in flight */
    char *hosts_file;            /* owned; NULL: HOSTS_FILE */
    const char *resolv_conf;
    uint16_t resolv_conf_port;               /* port of the servers in resolv_conf */
    struct dns_file_state resolv_conf_state; /* at the creation of the channel */
    int64_t resolv_conf_checked_ns;
    struct dns_server servers[SERVERS_MAX];
    size_t server_count;
    int64_t timeout_ns;
    int tries;
    bool used; /* a name was looked up */
};

static const char resolver_key;

/* --- the resolver of a run --- */

static void stop(struct io_local *local)
{
    struct resolver *resolver = (struct resolver *)local;

    if (resolver->channel)
        dns_channel_stop(resolver->channel);
    for (struct retired *retired = resolver->retired; retired; retired = retired->next)
        dns_channel_stop(retired->channel);
}

static void destroy(struct io_local *local)
{
    struct resolver *resolver = (struct resolver *)local;

    dns_channel_destroy(resolver->channel);
    while (resolver->retired) {
        struct retired *retired = resolver->retired;
        resolver->retired = retired->next;
        dns_channel_destroy(retired->channel);
        free(retired);
    }
    dns_cache_finish(&resolver->cache);
    dns_hosts_finish(&resolver->hosts);
    free(resolver->hosts_file);
    free(resolver);
}

static int get_resolver(struct resolver **ret)
{
    struct io_local *local = io_local_get(&resolver_key);

    if (!local) {
        if (!io_driver_current())
            return whorl_task_self() ? WHORL_ENOIO : WHORL_ENOTASK;
        struct resolver *resolver = calloc(1, sizeof *resolver);
        if (!resolver)
            return -ENOMEM;
        local = &resolver->local;
        local->key = &resolver_key;
        local->stop = stop;
        local->destroy = destroy;
        resolver->hosts.path = HOSTS_FILE;
        resolver->resolv_conf = RESOLV_CONF;
        resolver->resolv_conf_port = PORT_DNS;
        resolver->timeout_ns = TIMEOUT_DEFAULT_NS;
        resolver->tries = TRIES_DEFAULT;
        io_local_add(local);
    }
    *ret = (struct resolver *)local;
    return 0;
}

/* Parses one server, "1.2.3.4", "1.2.3.4:53", "::1" or "[::1]:53": 0, or -EINVAL. */
static int parse_server(char *text, struct dns_server *ret)
{
    char *ip = text, *port = NULL;
    unsigned long number = PORT_DNS;

    if (*text == '[') {
        char *close = strchr(text, ']');
        if (!close || (close[1] != '\0' && close[1] != ':'))
            return -EINVAL;
        *close = '\0';
        ip = text + 1;
        port = close[1] ? close + 2 : NULL;
    } else if ((port = strchr(text, ':')) != NULL) {
        if (strchr(port + 1, ':'))
            port = NULL; /* an IPv6 address without a port */
        else
            *port++ = '\0';
    }
    if (port) {
        if (!*port || strspn(port, "0123456789") != strlen(port) || strlen(port) > 5)
            return -EINVAL;
        number = strtoul(port, NULL, 10);
        if (number < 1 || number > UINT16_MAX)
            return -EINVAL;
    }
    ret->port = (uint16_t)number;
    return dns_ip_parse(ip, &ret->ip);
}

/* Parses a list of servers: how many, at least 1; -EINVAL. */
static int parse_servers(const char *text, struct dns_server ret[static SERVERS_MAX])
{
    int n = 0;

    for (const char *pos = text;;) {
        char one[64];
        size_t len = strcspn(pos, ",");
        if (len >= sizeof one || n == SERVERS_MAX)
            return -EINVAL;
        memcpy(one, pos, len);
        one[len] = '\0';
        if (parse_server(one, &ret[n]) != 0)
            return -EINVAL;
        n++;
        if (pos[len] == '\0')
            return n;
        pos += len + 1;
    }
}

int whorl_dns_configure(const struct whorl_dns_options *options)
{
    struct dns_server servers[SERVERS_MAX];
    struct resolver *resolver;
    char *hosts_file = NULL;
    int n = 0, err = get_resolver(&resolver);

    if (err)
        return err;
    if (resolver->used)
        return -EBUSY;
    if (options->timeout_ns < 0 || options->tries < 0)
        return -EINVAL;
    if (options->servers && (n = parse_servers(options->servers, servers)) < 0)
        return n;
    if (options->hosts_file && !(hosts_file = strdup(options->hosts_file)))
        return -ENOMEM;

    free(resolver->hosts_file);
    resolver->hosts_file = hosts_file;
    resolver->hosts.path = hosts_file ? hosts_file : HOSTS_FILE;
    if (n > 0)
        memcpy(resolver->servers, servers, (size_t)n * sizeof *servers);
    resolver->server_count = (size_t)n;
    resolver->timeout_ns = options->timeout_ns ? options->timeout_ns : TIMEOUT_DEFAULT_NS;
    if (resolver->timeout_ns < WHORL_MILLISECOND)
        resolver->timeout_ns = WHORL_MILLISECOND; /* c-ares counts in milliseconds */
    if (resolver->timeout_ns > TIMEOUT_MAX_NS)
        resolver->timeout_ns = TIMEOUT_MAX_NS;
    resolver->tries = options->tries ? options->tries : TRIES_DEFAULT;
    if (resolver->tries > TRIES_MAX)
        resolver->tries = TRIES_MAX;
    return 0;
}

int dns_set_resolv_conf(const char *path, uint16_t port)
{
    struct resolver *resolver;
    int err = get_resolver(&resolver);

    if (err)
        return err;
    resolver->resolv_conf = path;
    resolver->resolv_conf_port = port;
    return 0;
}

/* --- the channel --- */

static void on_channel_gone(struct dns_channel *channel, void *arg)
{
    struct resolver *resolver = arg;
    struct retired **link = &resolver->retired;

    while ((*link)->channel != channel)
        link = &(*link)->next;
    struct retired *retired = *link;
    *link = retired->next;
    free(retired);
}

/* Retires the channel when resolv.conf has changed since its creation. Its queries are still
 * answered, but no new lookup joins them. Without memory for this, the next check tries again. */
static void retire_if_outdated(struct resolver *resolver)
{
    int64_t now_ns = whorl_now();

    if (!resolver->channel || resolver->server_count > 0 ||
        now_ns - resolver->resolv_conf_checked_ns < RESOLV_CONF_INTERVAL_NS)
        return;
    resolver->resolv_conf_checked_ns = now_ns;

    struct dns_file_state state = dns_file_state(resolver->resolv_conf);
    if (dns_file_state_equal(&state, &resolver->resolv_conf_state))
        return;
    struct retired *retired = malloc(sizeof *retired);
    if (!retired)
        return;
    retired->channel = resolver->channel;
    retired->next = resolver->retired;
    resolver->retired = retired;
    resolver->channel = NULL;
    dns_cache_clear(&resolver->cache);
    dns_channel_retire(retired->channel, on_channel_gone, resolver);
}

static int get_channel(struct resolver *resolver, struct dns_channel **ret)
{
    if (!resolver->channel) {
        struct dns_channel_options options = {
            .servers = resolver->servers,
            .server_count = resolver->server_count,
            .resolv_conf = resolver->resolv_conf,
            .resolv_conf_port = resolver->resolv_conf_port,
            .timeout_ns = resolver->timeout_ns,
            .tries = resolver->tries,
        };
        resolver->resolv_conf_state = dns_file_state(resolver->resolv_conf);
        resolver->resolv_conf_checked_ns = whorl_now();
        int err = dns_channel_create(&options, &resolver->channel);
        if (err)
            return err;
    }
    *ret = resolver->channel;
    return 0;
}

/* --- lookups --- */

static void finish_lookup(struct dns_lookup *lookup, int err, const struct dns_ip *ips,
                          size_t ip_count)
{
    lookup->done = true;
    lookup->entry = NULL;
    lookup->result = err ? err : (int)ip_count;
    if (lookup->result > 0)
        memcpy(lookup->ips, ips, ip_count * sizeof *ips);
}

/* Called by the channel, perhaps inside dns_channel_ask(). */
static void on_answer(void *arg, const struct dns_answer *answer)
{
    struct dns_entry *entry = arg;
    struct dns_lookup *next;

    for (struct dns_lookup *lookup = entry->lookups; lookup; lookup = next) {
        next = lookup->next;
        finish_lookup(lookup, answer->err, answer->ips, answer->ip_count);
        whorl_event_set(&lookup->ask->changed);
    }
    entry->lookups = NULL;
    dns_cache_answer(entry->cache, entry, answer, whorl_now());
}

static void join(struct dns_entry *entry, struct dns_lookup *lookup)
{
    struct dns_lookup **link = &entry->lookups;

    while (*link)
        link = &(*link)->next; /* append: tasks are woken in the order in which they asked */
    lookup->entry = entry;
    lookup->link = link;
    lookup->next = NULL;
    *link = lookup;
}

static void detach(struct dns_lookup *lookup)
{
    if (!lookup->entry)
        return;
    *lookup->link = lookup->next;
    if (lookup->next)
        lookup->next->link = lookup->link;
    lookup->entry = NULL;
}

/* Answers the lookup from the cache, joins a pending query, or sends a query. */
static void start_lookup(struct resolver *resolver, struct dns_lookup *lookup, const char *name,
                         int family)
{
    struct dns_channel *channel;
    struct dns_entry *entry = dns_cache_find(&resolver->cache, name, family, whorl_now());

    if (entry && !entry->pending) {
        finish_lookup(lookup, entry->err, entry->ips, entry->ip_count);
        return;
    }
    if (entry) {
        join(entry, lookup);
        return;
    }
    int err = get_channel(resolver, &channel);
    if (err) {
        finish_lookup(lookup, err, NULL, 0);
        return;
    }
    entry = dns_cache_add(&resolver->cache, name, family);
    if (!entry) {
        finish_lookup(lookup, -ENOMEM, NULL, 0);
        return;
    }
    join(entry, lookup);
    err = dns_channel_ask(channel, entry->name, family, on_answer, entry);
    if (err) /* `entry` is still valid; without an error it may already be freed */
        on_answer(entry, &(struct dns_answer){.err = err});
}

static void finish_with_loopback(struct dns_lookup *lookup, int family)
{
    struct dns_ip ip = {.family = (sa_family_t)family};

    if (family == AF_INET6)
        ip.v6 = in6addr_loopback;
    else
        ip.v4.s_addr = htonl(INADDR_LOOPBACK);
    finish_lookup(lookup, 0, &ip, 1);
}

/* Answers the lookup from the hosts file. When the file has the name in the other family only,
 * there is no address and no server is asked. Returns false when the file does not have the
 * name. */
static bool finish_with_hosts(struct dns_hosts *hosts, struct dns_lookup *lookup, const char *name,
                              int family)
{
    struct dns_ip ips[DNS_IPS_MAX];
    int n = dns_hosts_find(hosts->table, name, family, ips);

    if (n < 0)
        return false;
    finish_lookup(lookup, n > 0 ? 0 : WHORL_EDNS_NODATA, ips, (size_t)n);
    return true;
}

int dns_ask_start(struct dns_ask *ask, const char *host, int family)
{
    struct dns_lookup *lookups[] = {&ask->v6, &ask->v4};
    const int families[] = {AF_INET6, AF_INET};
    struct resolver *resolver = NULL;
    char name[DNS_NAME_SIZE];
    int kind = dns_name_prepare(host, name);

    if (kind < 0)
        return kind;
    if (kind == DNS_NAME_NONEXISTENT)
        return WHORL_EDNS_NOTFOUND;
    if (kind == DNS_NAME_ORDINARY) {
        int err = get_resolver(&resolver);
        if (err == 0)
            err = dns_hosts_refresh(&resolver->hosts, whorl_now());
        if (err)
            return err;
        resolver->used = true;
        retire_if_outdated(resolver);
    }
    ask->changed = (struct whorl_event){0};
    for (size_t i = 0; i < 2; i++) {
        struct dns_lookup *lookup = lookups[i];
        lookup->ask = ask;
        lookup->entry = NULL;
        lookup->done = false;
        if (family != AF_UNSPEC && family != families[i])
            finish_lookup(lookup, 0, NULL, 0);
        else if (kind == DNS_NAME_LOCALHOST)
            finish_with_loopback(lookup, families[i]);
        else if (!finish_with_hosts(&resolver->hosts, lookup, name, families[i]))
            start_lookup(resolver, lookup, name, families[i]);
    }
    return 0;
}

void dns_ask_finish(struct dns_ask *ask)
{
    detach(&ask->v6);
    detach(&ask->v4);
}

int dns_ask_error(const struct dns_ask *ask)
{
    int v6 = ask->v6.result, v4 = ask->v4.result;

    if (v6 == 0 || v4 == 0)
        return v6 ? v6 : v4;
    /* The name does not exist only when both families say so. An error that may be temporary is
     * preferred to a permanent one. */
    if (v4 == WHORL_EDNS_NOTFOUND || (v4 == WHORL_EDNS_NODATA && v6 != WHORL_EDNS_NOTFOUND))
        return v6;
    return v4;
}

int dns_check_call(const char *host, int family)
{
    if (!whorl_task_self())
        return WHORL_ENOTASK;
    if (!host || (family != AF_UNSPEC && family != AF_INET && family != AF_INET6))
        return -EINVAL;
    return whorl_check_cancelled();
}

/* Writes the addresses in the order in which dial.h tries them. Returns their count. */
static size_t put_in_order(const struct dns_ask *ask, uint16_t port, struct whorl_addr *ret,
                           size_t ret_max)
{
    static const struct whorl_dial_options defaults;
    const struct dns_lookup *const lookups[] = {&ask->v6, &ask->v4};
    struct addr_order order = {0};
    size_t n = 0;

    for (size_t i = 0; i < 2; i++) {
        for (int j = 0; j < lookups[i]->result; j++) {
            struct whorl_addr addr;
            dns_ip_to_addr(&lookups[i]->ips[j], port, &addr);
            addr_order_add(&order, &addr);
        }
    }
    dial_rank(&order, &defaults);
    while (n < ret_max && order.left > 0)
        addr_order_to_addr(addr_order_next(&order), &ret[n++]);
    return n;
}

WHORL_SUSPENDS int whorl_resolve(const char *host, uint16_t port, int family,
                                 struct whorl_addr *ret, size_t ret_max)
{
    struct whorl_addr literal;
    struct dns_ask ask;
    int err = dns_check_call(host, family);

    if (err)
        return err;
    if (ret_max == 0)
        return -EINVAL;
    if (whorl_addr_parse(host, port, &literal) == 0) {
        if (family != AF_UNSPEC && family != literal.sa.sa_family)
            return WHORL_EDNS_NODATA;
        *ret = literal;
        return 1;
    }
    err = dns_ask_start(&ask, host, family);
    if (err)
        return err;
    while (err == 0 && !(ask.v6.done && ask.v4.done)) {
        whorl_event_reset(&ask.changed);
        err = whorl_event_wait(&ask.changed);
    }
    dns_ask_finish(&ask);
    if (err)
        return err;

    size_t n = put_in_order(&ask, port, ret, ret_max);
    return n > 0 ? (int)n : dns_ask_error(&ask);
}
