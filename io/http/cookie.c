/* SPDX-License-Identifier: MIT */
/* Set-Cookie headers, and which URLs a cookie belongs to. */
#include "io/http/cookie.h"

#include <string.h>
#include <strings.h>

#include "io/http/cookie_date.h"
#include "io/http/cookie_suffix.h"
#include "io/url/ascii.h"

/* The attributes of a Set-Cookie header as found; of a repeated one, the last. */
struct attributes {
    struct cookie_text domain, path;
    bool has_domain, has_path;
    bool has_expires, has_max_age;
    int64_t expires_unix_s, max_age_s;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct cookie_text trim(const char *start, const char *end)
{
    while (start < end && is_space(*start))
        start++;
    while (end > start && is_space(end[-1]))
        end--;
    return (struct cookie_text){start, (size_t)(end - start)};
}

static bool equals(struct cookie_text text, const char *word)
{
    return text.len == strlen(word) && strncasecmp(text.at, word, text.len) == 0;
}

static bool has_prefix(struct cookie_text text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && strncasecmp(text.at, prefix, len) == 0;
}

static bool has_control(struct cookie_text text)
{
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return true;
    return false;
}

/* --- matching --- */

bool cookie_domain_matches(const char *host, bool host_is_ip, const char *domain)
{
    size_t host_len = strlen(host), len = strlen(domain);

    if (host_len == len)
        return memcmp(host, domain, len) == 0;
    return !host_is_ip && len > 0 && host_len > len && host[host_len - len - 1] == '.' &&
           memcmp(host + host_len - len, domain, len) == 0;
}

bool cookie_path_matches(const char *path, size_t len, const char *cookie_path)
{
    size_t cookie_len = strlen(cookie_path);

    if (len < cookie_len || memcmp(path, cookie_path, cookie_len) != 0)
        return false;
    return len == cookie_len || cookie_path[cookie_len - 1] == '/' || path[cookie_len] == '/';
}

size_t cookie_path_len(const char *target)
{
    return strcspn(target, "?");
}

/* §5.1.4: the directory of the URL's path. */
static struct cookie_text default_path(const char *target)
{
    size_t len = cookie_path_len(target);

    while (len > 0 && target[len - 1] != '/')
        len--;
    return len > 1 ? (struct cookie_text){target, len - 1} : (struct cookie_text){"/", 1};
}

/* --- attributes --- */

/* §5.6.2. Returns false when it is not a number: then the attribute is ignored. */
static bool read_max_age(struct cookie_text value, int64_t *ret)
{
    bool is_negative = value.len > 0 && value.at[0] == '-';
    int64_t n = 0;

    if (value.len == (size_t)is_negative)
        return false;
    for (size_t i = is_negative; i < value.len; i++) {
        if (!ascii_is_digit(value.at[i]))
            return false;
        if (n < COOKIE_AGE_MAX_S) /* a larger number means the same */
            n = n * 10 + (value.at[i] - '0');
    }
    *ret = is_negative ? -n : n;
    return true;
}

static enum whorl_http_same_site same_site(struct cookie_text value)
{
    return equals(value, "Strict") ? WHORL_HTTP_SAME_SITE_STRICT
           : equals(value, "Lax")  ? WHORL_HTTP_SAME_SITE_LAX
           : equals(value, "None") ? WHORL_HTTP_SAME_SITE_NONE
                                   : WHORL_HTTP_SAME_SITE_DEFAULT;
}

static void take_attribute(struct cookie_text name, struct cookie_text value,
                           struct attributes *found, struct cookie_draft *draft)
{
    int64_t number;

    if (value.len > COOKIE_ATTRIBUTE_MAX)
        return;
    if (equals(name, "Expires")) {
        if (cookie_date_read(value.at, value.len, &number)) {
            found->has_expires = true;
            found->expires_unix_s = number;
        }
    } else if (equals(name, "Max-Age")) {
        if (read_max_age(value, &number)) {
            found->has_max_age = true;
            found->max_age_s = number;
        }
    } else if (equals(name, "Domain")) {
        if (value.len > 0 && value.at[0] == '.') {
            value.at++;
            value.len--;
        }
        found->domain = value;
        found->has_domain = value.len > 0;
    } else if (equals(name, "Path")) {
        found->path = value;
        found->has_path = value.len > 0 && value.at[0] == '/';
    } else if (equals(name, "Secure")) {
        draft->secure = true;
    } else if (equals(name, "HttpOnly")) {
        draft->http_only = true;
    } else if (equals(name, "SameSite")) {
        draft->same_site = same_site(value);
    }
}

static void read_attributes(const char *at, struct attributes *found, struct cookie_draft *draft)
{
    while (*at == ';') {
        at++;
        const char *end = at + strcspn(at, ";"), *equal = memchr(at, '=', (size_t)(end - at));
        struct cookie_text value = equal ? trim(equal + 1, end) : (struct cookie_text){end, 0};
        take_attribute(trim(at, equal ? equal : end), value, found, draft);
        at = end;
    }
}

/* §5.7 step 5: Max-Age has precedence over Expires. */
static int64_t expiry(const struct attributes *found, int64_t now_unix_s)
{
    int64_t latest = now_unix_s + COOKIE_AGE_MAX_S, expires = WHORL_HTTP_COOKIE_SESSION;

    if (found->has_max_age)
        expires = found->max_age_s > 0 ? now_unix_s + found->max_age_s : INT64_MIN;
    else if (found->has_expires)
        expires = found->expires_unix_s;
    return expires != WHORL_HTTP_COOKIE_SESSION && expires > latest ? latest : expires;
}

/* §5.7 steps 8 to 10: the domain of the cookie. Returns NULL, or why the cookie is refused. */
static const char *choose_domain(const struct attributes *found, const struct whorl_url *url,
                                 struct cookie_draft *draft)
{
    char domain[COOKIE_ATTRIBUTE_MAX + 1];
    size_t len = found->domain.len;

    draft->domain = (struct cookie_text){url->host, strlen(url->host)};
    draft->host_only = true;
    if (!found->has_domain)
        return NULL;
    for (size_t i = 0; i < len; i++)
        domain[i] = ascii_lower(found->domain.at[i]);
    domain[len] = '\0';
    if (!cookie_domain_matches(url->host, url->host_is_ip, domain))
        return "Domain does not contain the host";
    if (url->host_is_ip)
        return NULL;
    if (cookie_suffix_is_public(domain))
        return strcmp(domain, url->host) == 0 ? NULL : "Domain is a public suffix";
    draft->domain.at += draft->domain.len - len; /* the end of the host: in lower case */
    draft->domain.len = len;
    draft->host_only = false;
    return NULL;
}

const char *cookie_check(const struct cookie_draft *draft, bool has_path)
{
    bool is_root = has_path && draft->path.len == 1;

    if (draft->name.len + draft->value.len == 0)
        return "neither name nor value";
    if (draft->name.len + draft->value.len > COOKIE_PAIR_MAX)
        return "name and value have more than 4096 bytes";
    if (has_control(draft->name) || has_control(draft->value) || has_control(draft->path))
        return "control byte";
    if (draft->same_site == WHORL_HTTP_SAME_SITE_NONE && !draft->secure) /* §5.7 step 19 */
        return "SameSite=None needs Secure";
    if (has_prefix(draft->name, "__Secure-") && !draft->secure)
        return "the prefix __Secure- needs Secure";
    if (has_prefix(draft->name, "__Host-") && !(draft->secure && draft->host_only && is_root))
        return "the prefix __Host- needs Secure, Path=/ and no Domain";
    /* A server would read the value as a name with its prefix. */
    if (draft->name.len == 0 &&
        (has_prefix(draft->value, "__Secure-") || has_prefix(draft->value, "__Host-")))
        return "a value with a prefix, but without a name";
    return NULL;
}

const char *cookie_parse(const char *text, const struct whorl_url *url, int64_t now_unix_s,
                         struct cookie_draft *ret)
{
    size_t len = strcspn(text, ";");
    const char *end = text + len, *equal = memchr(text, '=', len);
    struct attributes found = {0};
    struct cookie_draft draft = {0};

    /* §5.6 step 1. A TAB is a space here; cookie_check() refuses it elsewhere. */
    for (const char *c = text; *c; c++)
        if (((unsigned char)*c < 0x20 && *c != '\t') || *c == 0x7f)
            return "control byte";
    draft.name = equal ? trim(text, equal) : (struct cookie_text){text, 0};
    draft.value = trim(equal ? equal + 1 : text, end);
    read_attributes(end, &found, &draft);
    draft.expires_unix_s = expiry(&found, now_unix_s);
    draft.path = found.has_path ? found.path : default_path(url->target);
    if (draft.secure && !url->is_tls)
        return "http cannot set a cookie with Secure";
    const char *why = choose_domain(&found, url, &draft);
    /* Without Path, the path may be "/" by default, which a __Host- cookie must say itself. */
    if (!why)
        why = cookie_check(&draft, found.has_path);
    if (!why)
        *ret = draft;
    return why;
}
