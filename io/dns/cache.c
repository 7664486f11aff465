/* SPDX-License-Identifier: MIT */
/* The cache of the resolver: pending queries and kept answers, by name and family. */
#include "io/dns/cache.h"

#include <stdlib.h>
#include <string.h>

#include <whorl/error.h>

static uint32_t hash_key(const char *name, int family)
{
    uint32_t hash = 2166136261u ^ (uint32_t)family; /* FNV-1a */

    for (; *name; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

/* Removes an entry from its bucket. */
static void unlink_bucket(struct dns_cache *cache, struct dns_entry *entry)
{
    struct dns_entry **link = &cache->buckets[entry->hash % DNS_CACHE_BUCKETS];

    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
}

static void append_newest(struct dns_cache *cache, struct dns_entry *entry)
{
    entry->newer = NULL;
    entry->older = cache->newest;
    if (cache->newest)
        cache->newest->newer = entry;
    else
        cache->oldest = entry;
    cache->newest = entry;
    cache->answered++;
}

static void unlink_answered(struct dns_cache *cache, struct dns_entry *entry)
{
    if (entry->newer)
        entry->newer->older = entry->older;
    else
        cache->newest = entry->older;
    if (entry->older)
        entry->older->newer = entry->newer;
    else
        cache->oldest = entry->newer;
    cache->answered--;
}

static void drop_answered(struct dns_cache *cache, struct dns_entry *entry)
{
    unlink_answered(cache, entry);
    unlink_bucket(cache, entry);
    free(entry);
}

struct dns_entry *dns_cache_find(struct dns_cache *cache, const char *name, int family,
                                 int64_t now_ns)
{
    uint32_t hash = hash_key(name, family);
    struct dns_entry *entry = cache->buckets[hash % DNS_CACHE_BUCKETS];

    while (entry && (entry->hash != hash || entry->family != family || entry->outdated ||
                     strcmp(entry->name, name) != 0))
        entry = entry->next;
    if (entry && !entry->pending && entry->expires_ns <= now_ns) {
        drop_answered(cache, entry);
        return NULL;
    }
    return entry;
}

struct dns_entry *dns_cache_add(struct dns_cache *cache, const char *name, int family)
{
    size_t size = strlen(name) + 1;
    struct dns_entry *entry = calloc(1, sizeof *entry + size);

    if (!entry)
        return NULL;
    memcpy(entry->name, name, size);
    entry->cache = cache;
    entry->family = (sa_family_t)family;
    entry->hash = hash_key(name, family);
    entry->pending = true;
    entry->next = cache->buckets[entry->hash % DNS_CACHE_BUCKETS];
    cache->buckets[entry->hash % DNS_CACHE_BUCKETS] = entry;
    cache->pending++;
    return entry;
}

/* How long an answer is kept; 0: not at all, because the next query may succeed. */
static int64_t ttl_of(const struct dns_answer *answer)
{
    if (answer->err == WHORL_EDNS_NOTFOUND || answer->err == WHORL_EDNS_NODATA)
        return DNS_TTL_FAILURE_NS;
    if (answer->err)
        return 0;

    int64_t ttl_ns = (int64_t)answer->ttl_s * WHORL_SECOND;
    if (ttl_ns < DNS_TTL_MIN_NS)
        return DNS_TTL_MIN_NS;
    return ttl_ns > DNS_TTL_MAX_NS ? DNS_TTL_MAX_NS : ttl_ns;
}

void dns_cache_answer(struct dns_cache *cache, struct dns_entry *entry,
                      const struct dns_answer *answer, int64_t now_ns)
{
    int64_t ttl_ns = entry->outdated ? 0 : ttl_of(answer);

    cache->pending--;
    if (ttl_ns == 0) {
        unlink_bucket(cache, entry);
        free(entry);
        return;
    }
    entry->pending = false;
    entry->err = answer->err;
    entry->ip_count = answer->ip_count;
    memcpy(entry->ips, answer->ips, answer->ip_count * sizeof *answer->ips);
    entry->expires_ns = now_ns + ttl_ns;
    append_newest(cache, entry);
    if (cache->answered > DNS_CACHE_ANSWERS_MAX)
        drop_answered(cache, cache->oldest);
}

void dns_cache_clear(struct dns_cache *cache)
{
    while (cache->oldest)
        drop_answered(cache, cache->oldest);
    for (size_t i = 0; i < DNS_CACHE_BUCKETS; i++)
        for (struct dns_entry *entry = cache->buckets[i]; entry; entry = entry->next)
            entry->outdated = true;
}

void dns_cache_finish(struct dns_cache *cache)
{
    for (size_t i = 0; i < DNS_CACHE_BUCKETS; i++) {
        struct dns_entry *next;
        for (struct dns_entry *entry = cache->buckets[i]; entry; entry = next) {
            next = entry->next;
            free(entry);
        }
    }
    memset(cache, 0, sizeof *cache);
}
