/* SPDX-License-Identifier: MIT */
/* Parses the URL of a proxy, and chooses the proxy for a server. */
#include "io/http/proxy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/http/basic.h"
#include "io/url/ascii.h"

enum {
    SOCKS_TEXT_MAX = 255, /* RFC 1929 §2 */
};

static const char *const schemes[] = {
    [HTTP_PROXY_HTTP] = "http",
    [HTTP_PROXY_HTTPS] = "https",
    [HTTP_PROXY_SOCKS5] = "socks5",
    [HTTP_PROXY_SOCKS5H] = "socks5h",
};

static int refuse(struct whorl_error *error, const char *source, const char *why)
{
    return whorl_error_set(error, WHORL_EHTTP_PROXY_SETTING, "proxy", "%s: %s", source, why);
}

static int no_memory(struct whorl_error *error)
{
    return whorl_error_set(error, -ENOMEM, "proxy", "out of memory");
}

/* Reads the scheme. `*rest` is the part behind "://". False for an unknown scheme. */
static bool read_scheme(const char *text, enum http_proxy_kind *ret, const char **rest)
{
    const char *end = strstr(text, "://");

    *ret = HTTP_PROXY_HTTP;
    *rest = end ? end + 3 : text;
    if (!end)
        return true;
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t len = strlen(schemes[i]);
        if (len == (size_t)(end - text) && strncasecmp(text, schemes[i], len) == 0) {
            *ret = (enum http_proxy_kind)i;
            return true;
        }
    }
    return false;
}

/* Parses the part behind the scheme by the rules of http or https URLs, which differ in the default
 * port only. The error texts of whorl_url_parse() contain no credentials. */
static int parse_as(const char *scheme, const char *rest, const char *source,
                    struct whorl_error *error, struct whorl_url *ret)
{
    struct whorl_error detail = {0};
    char *text;

    if (asprintf(&text, "%s://%s", scheme, rest) < 0)
        return no_memory(error);
    int err = whorl_url_parse(text, &detail, ret);
    free(text);
    if (err == -ENOMEM)
        return no_memory(error);
    return err ? refuse(error, source, detail.text) : 0;
}

/* Reads the rest of the URL. When a URL names no port, http and https give it different ones; the
 * proxy then gets its own default. */
static int read_rest(enum http_proxy_kind kind, const char *rest, const char *source,
                     struct whorl_error *error, struct whorl_url *ret)
{
    struct whorl_url other = {0};
    int err = parse_as("http", rest, source, error, ret);

    if (err)
        return err;
    err = parse_as("https", rest, source, error, &other);
    if (err)
        return err;
    if (ret->port != other.port && kind != HTTP_PROXY_HTTP)
        ret->port = kind == HTTP_PROXY_HTTPS ? 443 : HTTP_PROXY_PORT_SOCKS;
    whorl_url_finish(&other);
    /* "#" would end the URL early: in a password, it would make the user name the host. */
    if (strcmp(ret->target, "/") != 0 || strchr(rest, '#'))
        return refuse(error, source, "the URL of a proxy has neither path, query nor fragment");
    return 0;
}

/* Decodes percent-encoded text that has been checked. NULL: no memory. */
static char *decode(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    size_t n = 0;

    if (!copy)
        return NULL;
    for (size_t i = 0; i < len; n++) {
        bool is_encoded = text[i] == '%';
        copy[n] = is_encoded
                      ? (char)(ascii_hex_value(text[i + 1]) << 4 | ascii_hex_value(text[i + 2]))
                      : text[i];
        i += is_encoded ? 3 : 1;
    }
    copy[n] = '\0';
    return copy;
}

/* Decodes the name and the password, which contain no "%00". */
static int decode_userinfo(struct http_proxy *proxy, struct whorl_error *error)
{
    const char *colon = strchr(proxy->userinfo, ':');
    size_t user_len = colon ? (size_t)(colon - proxy->userinfo) : strlen(proxy->userinfo);

    proxy->user = decode(proxy->userinfo, user_len);
    proxy->password = colon ? decode(colon + 1, strlen(colon + 1)) : strdup("");
    return proxy->user && proxy->password ? 0 : no_memory(error);
}

static int read_http(struct http_proxy *proxy, const char *source, struct whorl_error *error)
{
    if (basic_write(proxy->userinfo, NULL, 0) < 0)
        return refuse(error, source, "user name or password contains a byte that cannot be sent");
    return decode_userinfo(proxy, error);
}

static int read_socks(struct http_proxy *proxy, const char *source, struct whorl_error *error)
{
    if (strstr(proxy->userinfo, "%00"))
        return refuse(error, source, "user name or password contains a NUL");
    int err = decode_userinfo(proxy, error);
    if (err)
        return err;
    /* RFC 1929 §2: both have 1 to 255 bytes. */
    size_t user_len = strlen(proxy->user), password_len = strlen(proxy->password);
    if (user_len == 0 || user_len > SOCKS_TEXT_MAX || password_len == 0 ||
        password_len > SOCKS_TEXT_MAX)
        return refuse(error, source,
                      "user name and password of a SOCKS5 proxy have 1 to 255 bytes each");
    return 0;
}

static int fill(struct http_proxy *proxy, const struct whorl_url *url, const char *source,
                struct whorl_error *error)
{
    bool is_v6 = strchr(url->host, ':') != NULL;

    proxy->port = url->port;
    if (asprintf(&proxy->text, "%s://%s%s%s:%u", schemes[proxy->kind], is_v6 ? "[" : "", url->host,
                 is_v6 ? "]" : "", url->port) < 0) {
        proxy->text = NULL;
        return no_memory(error);
    }
    proxy->host = strdup(url->host);
    proxy->userinfo = url->userinfo ? strdup(url->userinfo) : NULL;
    if (!proxy->host || (url->userinfo && !proxy->userinfo))
        return no_memory(error);
    if (!proxy->userinfo)
        return 0;
    return http_proxy_is_socks(proxy) ? read_socks(proxy, source, error)
                                      : read_http(proxy, source, error);
}

int http_proxy_parse(const char *text, const char *source, struct whorl_error *error,
                     struct http_proxy *ret)
{
    struct http_proxy proxy = {0};
    struct whorl_url url = {0};
    const char *rest;

    if (!read_scheme(text, &proxy.kind, &rest))
        return refuse(error, source, "scheme is not http, https, socks5 or socks5h");
    int err = read_rest(proxy.kind, rest, source, error, &url);
    if (err == 0)
        err = fill(&proxy, &url, source, error);
    whorl_url_finish(&url);
    if (err) {
        http_proxy_finish(&proxy);
        return err;
    }
    *ret = proxy;
    return 0;
}

/* Frees a secret. */
static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void http_proxy_finish(struct http_proxy *proxy)
{
    free(proxy->text);
    free(proxy->host);
    wipe(proxy->userinfo);
    wipe(proxy->user);
    wipe(proxy->password);
    *proxy = (struct http_proxy){0};
}

/* Finds the first of the variables that is set and not empty; NULL: none is. */
static const char *find_variable(const char *const *names, const char **ret_name)
{
    for (; *names; names++) {
        const char *value = getenv(*names);
        if (value && *value) {
            *ret_name = *names;
            return value;
        }
    }
    return NULL;
}

/* Reads one proxy: `given`, or the one of the environment if `names` is not NULL. */
static int read_proxy(const char *given, const char *const *names, struct whorl_error *error,
                      struct http_proxy *ret)
{
    const char *source = "URL";

    if (!given && names)
        given = find_variable(names, &source);
    return given && *given ? http_proxy_parse(given, source, error, ret) : 0;
}

int http_proxies_init(struct http_proxies *proxies, const struct whorl_http_proxy *setting,
                      struct whorl_error *error)
{
    static const char *const plain[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
    static const char *const tls[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", NULL};
    static const char *const no_proxy[] = {"no_proxy", "NO_PROXY", NULL};
    const char *list = setting->no_proxy, *name;
    bool from_environment = setting->from_environment;

    *proxies = (struct http_proxies){0};
    if (!list && from_environment)
        list = find_variable(no_proxy, &name);
    int err = read_proxy(setting->url, from_environment ? plain : NULL, error, &proxies->plain);
    if (err == 0)
        err = read_proxy(setting->url, from_environment ? tls : NULL, error, &proxies->tls);
    if (err == 0 && list)
        err = no_proxy_parse(list, error, &proxies->no_proxy);
    if (err)
        http_proxies_finish(proxies);
    return err;
}

const struct http_proxy *http_proxies_choose(const struct http_proxies *proxies,
                                             const struct whorl_url *url)
{
    const struct http_proxy *proxy = url->is_tls ? &proxies->tls : &proxies->plain;

    if (!proxy->text || no_proxy_matches(&proxies->no_proxy, url->host, url->port))
        return NULL;
    return proxy;
}

void http_proxies_finish(struct http_proxies *proxies)
{
    http_proxy_finish(&proxies->plain);
    http_proxy_finish(&proxies->tls);
    no_proxy_finish(&proxies->no_proxy);
}

int whorl_http_proxy_check(const struct whorl_http_proxy *proxy, struct whorl_error *error)
{
    struct http_proxies proxies;
    int err = http_proxies_init(&proxies, proxy, error);

    http_proxies_finish(&proxies);
    return err;
}
