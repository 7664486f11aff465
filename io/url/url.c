/* SPDX-License-Identifier: MIT */
/* URLs: splits them by RFC 3986, makes them canonical and stores them in one block of memory. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/url.h>

#include "io/url/ascii.h"
#include "io/url/error.h"
#include "io/url/host.h"

enum {
    URL_MAX = 64 * 1024, /* bytes of a URL as given, and of a canonical URL */
    SCRATCH = 1024,
};

/* The parts of RFC 3986 §3, not yet decoded. `at` is NULL for a part that is missing. */
struct parts {
    struct url_span scheme, authority, path, query;
};

/* --- classes of bytes --- */

/* RFC 3986 §2.3 and the sub-delims of §2.2. Compilers turn the switch into one bit test. */
static bool is_plain(char c)
{
    if (ascii_is_alpha(c) || ascii_is_digit(c))
        return true;
    switch (c) {
    case '-':
    case '.':
    case '_':
    case '~':
    case '!':
    case '$':
    case '&':
    case '\'':
    case '(':
    case ')':
    case '*':
    case '+':
    case ',':
    case ';':
    case '=':
        return true;
    default:
        return false;
    }
}

/* The pchar of RFC 3986 §3.3, and the slash that separates segments. */
static bool is_path_char(char c)
{
    return is_plain(c) || c == ':' || c == '@' || c == '/';
}

static bool is_query_char(char c)
{
    return is_path_char(c) || c == '?';
}

/* --- splitting --- */

/* Refuses bytes that no part of a URL may contain. */
static int check_text(const char *text, size_t len, struct whorl_error *error)
{
    if (len > URL_MAX)
        return url_refuse(error, "longer than 64 KiB");
    if (len > 0 && (text[0] == ' ' || text[len - 1] == ' '))
        return url_refuse(error, "begins or ends with a space");
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (__builtin_expect(c > '%' && c < 0x7f, 1)) /* nearly all bytes */
            continue;
        if (c < 0x20 || c == 0x7f)
            return whorl_error_set(error, WHORL_EHTTP_URL, "URL", "control byte 0x%02x at byte %zu",
                                   c, i);
        if (c == '%' &&
            (i + 2 >= len || ascii_hex_value(text[i + 1]) < 0 || ascii_hex_value(text[i + 2]) < 0))
            return whorl_error_set(error, WHORL_EHTTP_URL, "URL",
                                   "no two hexadecimal digits after the %% at byte %zu", i);
    }
    return 0;
}

/* The number of bytes before the first `stop` or `other` in `text`. */
static size_t until(const char *text, size_t len, char stop, char other)
{
    size_t n = 0;
    while (n < len && text[n] != stop && text[n] != other)
        n++;
    return n;
}

/* RFC 3986 appendix B. The fragment is dropped, because it is never sent. */
static void split(const char *text, size_t len, struct parts *ret)
{
    *ret = (struct parts){0};
    len = until(text, len, '#', '#');

    size_t n = 0;
    while (n < len &&
           (ascii_is_alpha(text[n]) || (n > 0 && (ascii_is_digit(text[n]) || text[n] == '+' ||
                                                  text[n] == '-' || text[n] == '.'))))
        n++;
    if (n > 0 && n < len && text[n] == ':') {
        ret->scheme = (struct url_span){text, n};
        text += n + 1;
        len -= n + 1;
    }
    if (len >= 2 && text[0] == '/' && text[1] == '/') {
        n = until(text + 2, len - 2, '/', '?');
        ret->authority = (struct url_span){text + 2, n};
        text += n + 2;
        len -= n + 2;
    }
    n = until(text, len, '?', '?');
    ret->path = (struct url_span){text, n};
    if (n < len)
        ret->query = (struct url_span){text + n + 1, len - n - 1};
}

/* --- authority --- */

static int read_port(struct url_span s, uint16_t *ret, struct whorl_error *error)
{
    uint32_t port = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (!ascii_is_digit(s.at[i]))
            return url_refuse(error, "port is not a number");
        port = port * 10 + (uint32_t)(s.at[i] - '0');
        if (port > 65535)
            return url_refuse(error, "port is above 65535");
    }
    if (port == 0)
        return url_refuse(error, "port is 0");
    *ret = (uint16_t)port;
    return 0;
}

static int check_userinfo(struct url_span s, struct whorl_error *error)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_plain(s.at[i]) && s.at[i] != ':' && s.at[i] != '%')
            return url_refuse(error, "user name or password is not percent-encoded");
    return 0;
}

static int read_authority(struct url_span s, uint16_t default_port, struct url_span *ret_userinfo,
                          struct url_host *ret_host, uint16_t *ret_port, struct whorl_error *error)
{
    const char *at = memchr(s.at, '@', s.len);
    int err = 0;

    *ret_userinfo = (struct url_span){0};
    *ret_port = default_port;
    if (memchr(s.at, '\\', s.len))
        return url_refuse(error, "backslash before the path");
    if (at) {
        struct url_span userinfo = {s.at, (size_t)(at - s.at)};
        s = (struct url_span){at + 1, s.len - userinfo.len - 1};
        if (memchr(s.at, '@', s.len))
            return url_refuse(error, "more than one @ before the path");
        err = check_userinfo(userinfo, error);
        if (err)
            return err;
        if (userinfo.len > 0)
            *ret_userinfo = userinfo;
    }
    struct url_span rest;
    if (s.len > 0 && s.at[0] == '[') {
        size_t n = until(s.at, s.len, ']', ']');
        if (n == s.len)
            return url_refuse(error, "no ] after the IPv6 address");
        err = url_host_read(ret_host, (struct url_span){s.at + 1, n - 1}, true, error);
        rest = (struct url_span){s.at + n + 1, s.len - n - 1};
    } else {
        size_t n = until(s.at, s.len, ':', ':');
        err = url_host_read(ret_host, (struct url_span){s.at, n}, false, error);
        rest = (struct url_span){s.at + n, s.len - n};
    }
    if (err || rest.len == 0)
        return err;
    if (rest.at[0] != ':')
        return url_refuse(error, "bytes after the IPv6 address");
    if (rest.len == 1) /* RFC 3986 §3.2.3: an empty port means the default port */
        return 0;
    return read_port((struct url_span){rest.at + 1, rest.len - 1}, ret_port, error);
}

/* --- path and query --- */

/* Writes `s` to `to` and percent-encodes bytes that are not allowed. `to` has room for three times
 * the length of `s`. Returns the length written. */
static size_t put_encoded(char *to, struct url_span s, bool (*allowed)(char c))
{
    static const char digits[] = "0123456789ABCDEF";
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c == '%' || allowed((char)c)) {
            to[n++] = (char)c;
        } else {
            to[n++] = '%';
            to[n++] = digits[c >> 4];
            to[n++] = digits[c & 15];
        }
    }
    return n;
}

/* The number of dots of a segment that is "." or ".."; 0 for other segments. A dot may be written
 * as %2e, which means the same (RFC 3986 §6.2.2.2). */
static int dots(const char *segment, size_t len)
{
    int n = 0;
    for (size_t i = 0; i < len; n++) {
        if (segment[i] == '.')
            i++;
        else if (len - i >= 3 && segment[i] == '%' && segment[i + 1] == '2' &&
                 (segment[i + 2] | 0x20) == 'e')
            i += 3;
        else
            return 0;
    }
    return n <= 2 ? n : 0;
}

/* RFC 3986 §5.2.4: removes dot segments in place. The path begins with a slash. Returns the new
 * length. */
static size_t remove_dots(char *path, size_t len)
{
    size_t out = 0, in = 0;

    while (in < len) { /* path[in] is a slash */
        size_t segment = in + 1, n = until(path + segment, len - segment, '/', '/');
        bool is_last = segment + n == len;
        int d = dots(path + segment, n);
        if (d == 2)
            while (out > 0 && path[--out] != '/')
                ;
        if (d == 0) {
            memmove(path + out, path + in, n + 1);
            out += n + 1;
        } else if (is_last) {
            path[out++] = '/';
        }
        in = segment + n;
    }
    return out;
}

/* Writes the canonical request target. `to` has room for 3 * (path + query) + 2 bytes. */
static size_t put_target(char *to, struct url_span path, struct url_span query)
{
    size_t n = 0;

    if (path.len == 0)
        to[n++] = '/';
    else
        n = remove_dots(to, put_encoded(to, path, is_path_char));
    if (query.at) {
        to[n++] = '?';
        n += put_encoded(to + n, query, is_query_char);
    }
    return n;
}

/* --- layout --- */

/* Copies a part to `*at`, adds a zero byte and moves `*at` after it. */
static char *lay(char **at, const char *text, size_t len)
{
    char *start = *at;
    memcpy(start, text, len);
    start[len] = '\0';
    *at += len + 1;
    return start;
}

enum { AUTHORITY_MAX = URL_HOST_MAX + 2 + sizeof "[]:65535" };

/* Writes a port and a zero byte. Returns the end. */
static char *put_port(char *to, uint16_t port)
{
    char digits[sizeof "65535"];
    size_t n = 0;

    do
        digits[n++] = (char)('0' + port % 10);
    while ((port /= 10) > 0);
    while (n > 0)
        *to++ = digits[--n];
    *to = '\0';
    return to;
}

/* Writes the value of the Host header. Returns its length. */
static size_t put_authority(char ret[AUTHORITY_MAX], const struct url_host *host, uint16_t port,
                            uint16_t default_port)
{
    char *end = ret;

    if (host->is_v6)
        *end++ = '[';
    end = stpcpy(end, host->text);
    if (host->is_v6)
        *end++ = ']';
    *end = '\0';
    if (port != default_port) {
        *end++ = ':';
        end = put_port(end, port);
    }
    return (size_t)(end - ret);
}

static int lay_out(struct whorl_url *ret, bool is_tls, struct url_span userinfo,
                   const struct url_host *host, uint16_t port, struct url_span target,
                   struct whorl_error *error)
{
    const char *scheme = is_tls ? "https" : "http";
    char authority[AUTHORITY_MAX];
    size_t authority_len = put_authority(authority, host, port, is_tls ? 443 : 80);
    size_t scheme_len = strlen(scheme), host_len = strlen(host->text);
    size_t text_len = scheme_len + 3 + authority_len + target.len;
    if (text_len + userinfo.len + 1 > URL_MAX)
        return url_refuse(error, "longer than 64 KiB");
    char *at =
        malloc(text_len + scheme_len + userinfo.len + host_len + authority_len + target.len + 6);
    if (!at)
        return url_no_memory(error);
    *ret = (struct whorl_url){
        .buf = at,
        .port = port,
        .is_tls = is_tls,
        .host_is_ip = host->is_ip,
    };
    ret->text = at;
    at = stpcpy(stpcpy(stpcpy(at, scheme), "://"), authority);
    lay(&at, target.at, target.len);
    ret->scheme = lay(&at, scheme, scheme_len);
    ret->host = lay(&at, host->text, host_len);
    ret->authority = lay(&at, authority, authority_len);
    ret->target = lay(&at, target.at, target.len);
    if (userinfo.len > 0)
        ret->userinfo = lay(&at, userinfo.at, userinfo.len);
    return 0;
}

/* --- the public functions --- */

static bool is_scheme(struct url_span s, const char *name)
{
    if (s.len != strlen(name))
        return false;
    for (size_t i = 0; i < s.len; i++)
        if ((s.at[i] | 0x20) != name[i])
            return false;
    return true;
}

/* Makes a URL from its parts. The query may be missing. */
static int make(struct whorl_url *ret, const struct parts *parts, struct whorl_error *error)
{
    char scratch[SCRATCH], *target = scratch;
    struct url_span userinfo;
    struct url_host host;
    uint16_t port;
    bool is_tls = is_scheme(parts->scheme, "https");

    if (!is_tls && !is_scheme(parts->scheme, "http"))
        return whorl_error_set(
            error, WHORL_EHTTP_SCHEME, "URL", "scheme is %.*s, not http or https",
            parts->scheme.len < 32 ? (int)parts->scheme.len : 32, parts->scheme.at);
    if (!parts->authority.at)
        return url_refuse(error, "no // after the scheme");
    int err = read_authority(parts->authority, is_tls ? 443 : 80, &userinfo, &host, &port, error);
    if (err)
        return err;
    size_t room = 3 * (parts->path.len + parts->query.len) + 2;
    if (room > sizeof scratch && !(target = malloc(room)))
        return url_no_memory(error);
    size_t len = put_target(target, parts->path, parts->query);
    err = lay_out(ret, is_tls, userinfo, &host, port, (struct url_span){target, len}, error);
    if (target != scratch)
        free(target);
    return err;
}

int whorl_url_parse(const char *text, struct whorl_error *error, struct whorl_url *ret)
{
    if (!text) /* the caller has not set the url of its request */
        return url_refuse(error, "no URL given");
    size_t len = strnlen(text, URL_MAX + 1);
    struct parts parts;
    int err = check_text(text, len, error);

    if (err)
        return err;
    split(text, len, &parts);
    if (!parts.scheme.at)
        return url_refuse(error, "no scheme such as https://");
    return make(ret, &parts, error);
}

/* RFC 3986 §5.2.3. Returns the merged path, which the caller frees; NULL: no memory. */
static char *merge(const char *base_target, struct url_span path, size_t *ret_len)
{
    size_t keep = until(base_target, strlen(base_target), '?', '?');
    while (base_target[keep - 1] != '/') /* the target begins with a slash */
        keep--;
    char *merged = malloc(keep + path.len);
    if (!merged)
        return NULL;
    memcpy(merged, base_target, keep);
    memcpy(merged + keep, path.at, path.len);
    *ret_len = keep + path.len;
    return merged;
}

/* The base's authority with its userinfo, which the caller frees; NULL: no memory. */
static char *join_authority(const struct whorl_url *base)
{
    size_t userinfo_len = base->userinfo ? strlen(base->userinfo) + 1 : 0;
    char *text = malloc(userinfo_len + strlen(base->authority) + 1);

    if (!text)
        return NULL;
    if (base->userinfo) {
        memcpy(text, base->userinfo, userinfo_len);
        text[userinfo_len - 1] = '@';
    }
    strcpy(text + userinfo_len, base->authority);
    return text;
}

/* RFC 3986 §5.2.2, for a reference without a scheme. */
static int resolve_relative(struct whorl_url *ret, const struct whorl_url *base,
                            struct parts *reference, struct whorl_error *error)
{
    struct parts parts = *reference;
    char *authority = NULL, *merged = NULL;
    int err;

    parts.scheme = (struct url_span){base->scheme, strlen(base->scheme)};
    if (!parts.authority.at) {
        authority = join_authority(base);
        if (!authority)
            return url_no_memory(error);
        parts.authority = (struct url_span){authority, strlen(authority)};
        if (parts.path.len == 0) {
            const char *query = strchr(base->target, '?');
            parts.path = (struct url_span){base->target,
                                           until(base->target, strlen(base->target), '?', '?')};
            if (!parts.query.at && query)
                parts.query = (struct url_span){query + 1, strlen(query + 1)};
        } else if (parts.path.at[0] != '/') {
            merged = merge(base->target, parts.path, &parts.path.len);
            parts.path.at = merged;
        }
    }
    err = parts.path.at ? make(ret, &parts, error) : url_no_memory(error);
    free(authority);
    free(merged);
    return err;
}

int whorl_url_resolve(const struct whorl_url *base, const char *reference,
                      struct whorl_error *error, struct whorl_url *ret)
{
    size_t len = strnlen(reference, URL_MAX + 1);
    struct parts parts;
    int err = check_text(reference, len, error);

    if (err)
        return err;
    split(reference, len, &parts);
    return parts.scheme.at ? make(ret, &parts, error) : resolve_relative(ret, base, &parts, error);
}

bool whorl_url_same_origin(const struct whorl_url *a, const struct whorl_url *b)
{
    return a->is_tls == b->is_tls && a->port == b->port && strcmp(a->host, b->host) == 0;
}

void whorl_url_finish(struct whorl_url *url)
{
    if (url->userinfo)
        explicit_bzero(url->userinfo, strlen(url->userinfo));
    free(url->buf);
    *url = (struct whorl_url){0};
}
