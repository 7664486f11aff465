/* SPDX-License-Identifier: MIT */
/* Internal interface of the resolver: one task looks up one name in both address families. */
#ifndef IO_DNS_DNS_H
#define IO_DNS_DNS_H

#include <whorl/dns.h>
#include <whorl/sync.h>

#include "io/dns/ip.h"

struct dns_entry;
struct dns_ask;

/* The lookup of one name in one family. */
struct dns_lookup {
    struct dns_ask *ask;
    struct dns_entry *entry;         /* the lookup waits for its answer; NULL: it does not wait */
    struct dns_lookup *next, **link; /* in the list of the entry */
    bool done;
    int result; /* valid once done: how many addresses, or a negative code; 0: not asked for */
    struct dns_ip ips[DNS_IPS_MAX];
};

/* Lives on the stack of the task that looks up the name. Between dns_ask_start() and
 * dns_ask_finish() its lookups complete, also while the task is parked elsewhere. Each completion
 * sets `changed`. */
struct dns_ask {
    struct whorl_event changed;
    struct dns_lookup v6, v4;
};

/* Starts to look up a name (not a literal) in one family or, with AF_UNSPEC, in both. A lookup
 * whose answer is already known is done when the call returns. Never suspends.
 *
 * Returns: 0, and dns_ask_finish() must be called; WHORL_EDNS_BADNAME, WHORL_EDNS_NOTFOUND, -ENOMEM
 * or WHORL_ENOIO for both families. */
int dns_ask_start(struct dns_ask *ask, const char *host, int family);

/* Detaches lookups that are not done; their queries continue. Never suspends. */
void dns_ask_finish(struct dns_ask *ask);

/* The error to report when neither family has an address; both must be done. */
int dns_ask_error(const struct dns_ask *ask);

/* The checks before a lookup. Returns 0 when the running task may suspend and the arguments are
 * valid; WHORL_ENOTASK, -EINVAL or -ECANCELED otherwise. */
int dns_check_call(const char *host, int family);

/* For tests: uses another resolv.conf in this run, and another port for the servers in it. Must be
 * called before the first lookup. `path` is borrowed. Returns 0; -ENOMEM; WHORL_ENOIO. */
int dns_set_resolv_conf(const char *path, uint16_t port);

#endif
