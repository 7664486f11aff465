/* SPDX-License-Identifier: MIT */
/* The cache of the resolver: pending queries and kept answers, by name and family. It does no I/O;
 * the caller passes the time.
 *
 *     dns_cache_find: NULL ------> dns_cache_add: pending; later lookups find the entry and join it
 *                                        |
 *                     dns_cache_answer --+--> addresses, or no such name or no address: kept until
 *                                        |    it expires; the oldest is dropped when the cache is
 *                                        |    full
 *                                        +--> any other failure: the entry is freed
 */
#ifndef IO_DNS_CACHE_H
#define IO_DNS_CACHE_H

#include "io/dns/ip.h"

#define DNS_CACHE_ANSWERS_MAX 1024
#define DNS_CACHE_BUCKETS     1024

#define DNS_TTL_MIN_NS     (1 * WHORL_SECOND)
#define DNS_TTL_MAX_NS     (60 * WHORL_SECOND)
#define DNS_TTL_FAILURE_NS (2 * WHORL_SECOND)

struct dns_cache;
struct dns_lookup;

/* The result of a query. */
struct dns_answer {
    int err; /* 0 with at least one address, or a negative code */
    uint32_t ttl_s;
    size_t ip_count;
    struct dns_ip ips[DNS_IPS_MAX];
};

struct dns_entry {
    struct dns_cache *cache;         /* the cache that contains the entry */
    struct dns_entry *next;          /* in the bucket */
    struct dns_entry *newer, *older; /* in the list of answered entries; unset while pending */
    struct dns_lookup *lookups;      /* lookups that wait for the answer; managed by dns.c */
    int64_t expires_ns;              /* valid once answered */
    uint32_t hash;
    sa_family_t family;
    bool pending;
    bool outdated; /* asked before the cache was cleared: no lookup joins, no answer is kept */
    int err;       /* valid once answered: 0 with addresses, or a negative code */
    size_t ip_count;
    struct dns_ip ips[DNS_IPS_MAX];
    char name[];
};

/* A zero-initialised cache is valid. */
struct dns_cache {
    struct dns_entry *buckets[DNS_CACHE_BUCKETS];
    struct dns_entry *newest, *oldest; /* answered entries, in the order of their answers */
    size_t answered, pending;          /* how many entries of each kind */
};

/* The entry for `name`: pending, or with an answer that has not expired. NULL: there is none. */
struct dns_entry *dns_cache_find(struct dns_cache *cache, const char *name, int family,
                                 int64_t now_ns);

/* Adds a pending entry. The caller must later call dns_cache_answer() for it. NULL: no memory. */
struct dns_entry *dns_cache_add(struct dns_cache *cache, const char *name, int family);

/* Sets the answer of a pending entry. The entry is kept when the answer contains addresses (for
 * their TTL, within bounds) or says that the name does not exist or has no address. Otherwise the
 * entry is freed. */
void dns_cache_answer(struct dns_cache *cache, struct dns_entry *entry,
                      const struct dns_answer *answer, int64_t now_ns);

/* Drops all answers. Pending entries stay until they are answered, but their answers are not
 * kept. */
void dns_cache_clear(struct dns_cache *cache);

/* Frees all entries. No lookup may wait for a pending entry. */
void dns_cache_finish(struct dns_cache *cache);

#endif
