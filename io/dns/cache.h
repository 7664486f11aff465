/* SPDX-License-Identifier: MIT */
/* What has been asked and answered, by name and family. Time comes in, no I/O goes out.
 *
 *     dns_cache_find: NULL ------> dns_cache_add: pending, others who ask find it and join
 *                                        |
 *                     dns_cache_answer --+--> an answer worth keeping: found until it expires,
 *                                        |    dropped first when the cache is full
 *                                        +--> any other failure: gone
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

/* What came of a query. */
struct dns_answer {
    int err; /* 0 with at least one address, or a negative code */
    uint32_t ttl_s;
    size_t ip_count;
    struct dns_ip ips[DNS_IPS_MAX];
};

struct dns_entry {
    struct dns_cache *cache;         /* it is in */
    struct dns_entry *next;          /* in the bucket */
    struct dns_entry *newer, *older; /* among the answered; unset while pending */
    struct dns_lookup *lookups;      /* who waits for the answer; the resolver's */
    int64_t expires_ns;              /* valid once answered */
    uint32_t hash;
    sa_family_t family;
    bool pending;
    bool outdated; /* asked before the cache was cleared: nobody joins, the answer is not kept */
    int err;       /* the answer: 0 with addresses, or a negative code */
    size_t ip_count;
    struct dns_ip ips[DNS_IPS_MAX];
    char name[];
};

/* Zero-initialised is valid. */
struct dns_cache {
    struct dns_entry *buckets[DNS_CACHE_BUCKETS];
    struct dns_entry *newest, *oldest; /* the answered, by when they were answered */
    size_t answered, pending;
};

/* The entry for `name`: pending, or with an answer that has not expired; or NULL. */
struct dns_entry *dns_cache_find(struct dns_cache *cache, const char *name, int family,
                                 int64_t now_ns);

/* A new pending entry, which the caller must have answered or dropped. NULL: no memory. */
struct dns_entry *dns_cache_add(struct dns_cache *cache, const char *name, int family);

/* Answers a pending entry. It is gone afterwards, unless the answer is one to keep: addresses (for
 * their TTL, within bounds), or the certainty that there are none. */
void dns_cache_answer(struct dns_cache *cache, struct dns_entry *entry,
                      const struct dns_answer *answer, int64_t now_ns);

/* Forgets all answers, also those still to come. Pending entries stay until they are answered. */
void dns_cache_clear(struct dns_cache *cache);

/* Frees all entries. None may be pending with somebody waiting. */
void dns_cache_finish(struct dns_cache *cache);

#endif
