/* SPDX-License-Identifier: MIT */
/* The resolver's inside: a name asked for in both families by one task. */
#ifndef IO_DNS_DNS_H
#define IO_DNS_DNS_H

#include <whorl/dns.h>
#include <whorl/sync.h>

#include "io/dns/ip.h"

struct dns_entry;
struct dns_ask;

/* One name, one family. */
struct dns_lookup {
    struct dns_ask *ask;
    struct dns_entry *entry; /* whose answer it waits for; NULL otherwise */
    struct dns_lookup *next, **link;
    bool done;
    int result; /* valid once done: how many addresses; a negative code; 0 when not asked for */
    struct dns_ip ips[DNS_IPS_MAX];
};

/* On the stack of the task that asks. Between dns_ask_start() and dns_ask_finish() its lookups get
 * done, also while the task is away, and `changed` is set each time. */
struct dns_ask {
    struct whorl_event changed;
    struct dns_lookup v6, v4;
};

/* Starts looking up a name (not a literal) in one family or, with AF_UNSPEC, both. What is known
 * already is done when it returns. Never suspends.
 *
 * Returns: 0, and dns_ask_finish() must be called; WHORL_EDNS_BADNAME, WHORL_EDNS_NOTFOUND, -ENOMEM
 * or WHORL_ENOIO for both families. */
int dns_ask_start(struct dns_ask *ask, const char *host, int family);

/* Detaches lookups that are not done; their queries go on. Never suspends. */
void dns_ask_finish(struct dns_ask *ask);

/* The error to report when neither family has an address; both must be done. */
int dns_ask_error(const struct dns_ask *ask);

/* What comes before any lookup: 0 when the running task may suspend and the arguments are sane;
 * WHORL_ENOTASK, -EINVAL or -ECANCELED. */
int dns_check_call(const char *host, int family);

/* Another resolv.conf for this run and another port for the servers it names, for tests. Before the
 * first lookup; borrowed. Returns 0; -ENOMEM; WHORL_ENOIO. */
int dns_set_resolv_conf(const char *path, uint16_t port);

#endif
