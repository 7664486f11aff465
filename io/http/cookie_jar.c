/* SPDX-License-Identifier: MIT */
/* Stored cookies in an array in the order of creation. Every request looks at all of them; there
 * are 3,000 at most. */
#include "io/http/cookie_jar.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/url/ascii.h"

/* A stored cookie. Its texts follow it in the same block. */
struct cookie {
    struct whorl_http_cookie public;
    size_t pair_len; /* of name and value as sent */
    uint64_t used;   /* a larger number means a later use */
};

int whorl_http_cookies_create(struct whorl_http_cookies **ret)
{
    struct whorl_http_cookies *jar = calloc(1, sizeof *jar);

    if (!jar)
        return -ENOMEM;
    jar->refs = 1;
    *ret = jar;
    return 0;
}

struct whorl_http_cookies *cookie_jar_hold(struct whorl_http_cookies *jar)
{
    jar->refs++;
    return jar;
}

void whorl_http_cookies_clear(struct whorl_http_cookies *jar)
{
    while (jar->count > 0)
        free(jar->items[--jar->count]);
}

void whorl_http_cookies_release(struct whorl_http_cookies *jar)
{
    if (!jar || --jar->refs > 0)
        return;
    whorl_http_cookies_clear(jar);
    free(jar->items);
    free(jar);
}

/* --- storing --- */

static char *copy_text(char **to, struct cookie_text text)
{
    char *copy = *to;

    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    copy[text.len] = '\0';
    *to += text.len + 1;
    return copy;
}

static struct cookie *make_cookie(const struct cookie_draft *draft)
{
    size_t len = draft->name.len + draft->value.len + draft->domain.len + draft->path.len + 4;
    struct cookie *cookie = malloc(sizeof *cookie + len);

    if (!cookie)
        return NULL;
    char *to = (char *)(cookie + 1), *domain = to;
    cookie->public = (struct whorl_http_cookie){
        .domain = copy_text(&to, draft->domain),
        .expires_unix_s = draft->expires_unix_s,
        .host_only = draft->host_only,
        .secure = draft->secure,
        .http_only = draft->http_only,
        .same_site = draft->same_site,
    };
    for (; *domain; domain++)
        *domain = ascii_lower(*domain);
    cookie->public.name = copy_text(&to, draft->name);
    cookie->public.value = copy_text(&to, draft->value);
    cookie->public.path = copy_text(&to, draft->path);
    cookie->pair_len = draft->name.len + (draft->name.len > 0) + draft->value.len;
    return cookie;
}

static void remove_at(struct whorl_http_cookies *jar, size_t index)
{
    free(jar->items[index]);
    memmove(jar->items + index, jar->items + index + 1,
            (jar->count - index - 1) * sizeof *jar->items);
    jar->count--;
}

void cookie_jar_expire(struct whorl_http_cookies *jar, int64_t now_unix_s)
{
    size_t kept = 0;

    for (size_t i = 0; i < jar->count; i++) {
        if (jar->items[i]->public.expires_unix_s <= now_unix_s)
            free(jar->items[i]);
        else
            jar->items[kept++] = jar->items[i];
    }
    jar->count = kept;
}

bool cookie_jar_at(const struct whorl_http_cookies *jar, size_t index,
                   struct whorl_http_cookie *ret)
{
    if (index >= jar->count)
        return false;
    *ret = jar->items[index]->public;
    return true;
}

/* The cookie of the same name, domain and path, or `count`. */
static size_t find_same(const struct whorl_http_cookies *jar, const struct whorl_http_cookie *c)
{
    size_t i = 0;

    for (; i < jar->count; i++) {
        const struct whorl_http_cookie *other = &jar->items[i]->public;
        if (other->host_only == c->host_only && strcmp(other->name, c->name) == 0 &&
            strcmp(other->domain, c->domain) == 0 && strcmp(other->path, c->path) == 0)
            break;
    }
    return i;
}

/* RFC 6265bis §5.7 step 12: whether a cookie from http would hide or replace a Secure one. */
static bool meddles(const struct whorl_http_cookies *jar, const struct whorl_http_cookie *c)
{
    for (size_t i = 0; i < jar->count; i++) {
        const struct whorl_http_cookie *other = &jar->items[i]->public;
        if (other->secure && strcmp(other->name, c->name) == 0 &&
            (cookie_domain_matches(other->domain, false, c->domain) ||
             cookie_domain_matches(c->domain, false, other->domain)) &&
            cookie_path_matches(c->path, strlen(c->path), other->path))
            return true;
    }
    return false;
}

/* Removes the cookie that was not used for the longest time: of `domain` unless that is NULL, and
 * preferably without Secure if `plain_first`. */
static void evict(struct whorl_http_cookies *jar, const char *domain, bool plain_first)
{
    size_t victim = jar->count;

    for (size_t i = 0; i < jar->count; i++) {
        const struct cookie *c = jar->items[i];
        const struct cookie *worst = victim < jar->count ? jar->items[victim] : NULL;
        if (domain && strcmp(c->public.domain, domain) != 0)
            continue;
        bool is_safer = plain_first && worst && c->public.secure && !worst->public.secure;
        bool is_plainer = plain_first && worst && !c->public.secure && worst->public.secure;
        if (!worst || is_plainer || (!is_safer && c->used < worst->used))
            victim = i;
    }
    if (victim < jar->count)
        remove_at(jar, victim);
}

static size_t count_domain(const struct whorl_http_cookies *jar, const char *domain)
{
    size_t n = 0;

    for (size_t i = 0; i < jar->count; i++)
        n += strcmp(jar->items[i]->public.domain, domain) == 0;
    return n;
}

/* Applies the limits after a cookie was added to the end. It may be the one that is removed. */
static void trim(struct whorl_http_cookies *jar, int64_t now_unix_s)
{
    const char *domain = jar->items[jar->count - 1]->public.domain;
    bool is_full = jar->count > COOKIES_MAX;

    if (!is_full && count_domain(jar, domain) <= COOKIES_PER_DOMAIN_MAX)
        return;
    cookie_jar_expire(jar, now_unix_s); /* the new cookie has not expired */
    if (count_domain(jar, domain) > COOKIES_PER_DOMAIN_MAX)
        evict(jar, domain, true);
    else if (jar->count > COOKIES_MAX)
        evict(jar, NULL, false);
}

static int append(struct whorl_http_cookies *jar, struct cookie *cookie)
{
    if (jar->count == jar->cap) {
        size_t cap = jar->cap ? jar->cap * 2 : 16;
        struct cookie **items = reallocarray(jar->items, cap, sizeof *items);
        if (!items)
            return -ENOMEM;
        jar->items = items;
        jar->cap = cap;
    }
    jar->items[jar->count++] = cookie;
    return 0;
}

int cookie_jar_add(struct whorl_http_cookies *jar, const struct cookie_draft *draft, bool is_tls,
                   int64_t now_unix_s)
{
    struct cookie *cookie = make_cookie(draft);

    if (!cookie)
        return -ENOMEM;
    if (!is_tls && meddles(jar, &cookie->public)) {
        free(cookie);
        return WHORL_EHTTP_COOKIE;
    }
    size_t same = find_same(jar, &cookie->public);
    if (cookie->public.expires_unix_s <= now_unix_s) {
        free(cookie);
        if (same < jar->count)
            remove_at(jar, same);
        return 0;
    }
    cookie->used = ++jar->uses;
    if (same < jar->count) { /* the new cookie keeps the creation time of the old one */
        free(jar->items[same]);
        jar->items[same] = cookie;
        return 0;
    }
    int err = append(jar, cookie);
    if (err) {
        free(cookie);
        return err;
    }
    trim(jar, now_unix_s);
    return 0;
}

int cookie_jar_set(struct whorl_http_cookies *jar, const struct whorl_url *url,
                   const char *set_cookie, int64_t now_unix_s, struct whorl_error *error)
{
    struct cookie_draft draft;
    const char *why = cookie_parse(set_cookie, url, now_unix_s, &draft);
    int err = why ? WHORL_EHTTP_COOKIE : cookie_jar_add(jar, &draft, url->is_tls, now_unix_s);

    if (err == WHORL_EHTTP_COOKIE && !why)
        why = "http cannot replace or hide a cookie with Secure";
    return err ? whorl_error_set(error, err, "cookie", "%s", why ? why : whorl_strerror(err)) : 0;
}

/* --- sending --- */

static bool is_for(const struct whorl_http_cookie *c, const struct whorl_url *url, size_t path_len)
{
    return (url->is_tls || !c->secure) && cookie_path_matches(url->target, path_len, c->path) &&
           (c->host_only ? strcmp(url->host, c->domain) == 0
                         : cookie_domain_matches(url->host, url->host_is_ip, c->domain));
}

static bool has_longer_path(const struct cookie *a, const struct cookie *b)
{
    return strlen(a->public.path) > strlen(b->public.path);
}

/* Inserts a cookie behind those whose paths are as long or longer. */
static void insert(struct cookie **sorted, size_t count, struct cookie *cookie)
{
    size_t at = count;

    for (; at > 0 && has_longer_path(cookie, sorted[at - 1]); at--)
        sorted[at] = sorted[at - 1];
    sorted[at] = cookie;
}

/* The cookies for a URL in the order of sending. */
static size_t choose(struct whorl_http_cookies *jar, const struct whorl_url *url,
                     struct cookie **sorted)
{
    size_t path_len = cookie_path_len(url->target), count = 0;

    for (size_t i = 0; i < jar->count; i++)
        if (is_for(&jar->items[i]->public, url, path_len))
            insert(sorted, count++, jar->items[i]);
    return count;
}

/* Writes "name=value" for each cookie that fits the limit. */
static void write_pairs(struct whorl_http_cookies *jar, struct cookie *const *sorted, size_t count,
                        char *to)
{
    const char *start = to;

    for (size_t i = 0; i < count; i++) {
        struct cookie *c = sorted[i];
        if ((size_t)(to - start) + c->pair_len + 2 > COOKIE_HEADER_MAX)
            break;
        if (to > start)
            to = stpcpy(to, "; ");
        to = stpcpy(to, c->public.name);
        if (*c->public.name)
            to = stpcpy(to, "=");
        to = stpcpy(to, c->public.value);
        c->used = ++jar->uses;
    }
    *to = '\0';
}

int cookie_jar_get(struct whorl_http_cookies *jar, const struct whorl_url *url, int64_t now_unix_s,
                   char **ret)
{
    size_t len = 1;

    cookie_jar_expire(jar, now_unix_s);
    *ret = NULL;
    struct cookie **sorted = jar->count ? calloc(jar->count, sizeof *sorted) : NULL;
    if (!sorted)
        return jar->count ? -ENOMEM : 0;
    size_t count = choose(jar, url, sorted);
    for (size_t i = 0; i < count; i++)
        len += sorted[i]->pair_len + 2;
    char *text = count ? malloc(len) : NULL;
    if (text)
        write_pairs(jar, sorted, count, text);
    free(sorted);
    if (count && !text)
        return -ENOMEM;
    *ret = text;
    return 0;
}
