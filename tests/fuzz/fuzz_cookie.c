/* SPDX-License-Identifier: MIT */
/* Set-Cookie headers with their dates, one per line, from the host of two URLs. Whatever they
 * contain, the jar keeps its rules, and only bytes that can be sent are sent.
 */
#include <string.h>

#include <whorl/url.h>

#include "fuzz.h"
#include "io/http/cookie_date.h"
#include "io/http/cookie_jar.h"
#include "io/http/cookie_suffix.h"
#include "io/http/header.h"

enum { NOW = 1700000000 };

static void check_cookie(const struct whorl_http_cookie *c, const char *host)
{
    size_t len = strlen(c->domain), host_len = strlen(host);
    FUZZ_CHECK(len <= host_len && strcmp(host + host_len - len, c->domain) == 0);
    FUZZ_CHECK(!c->host_only || len == host_len);
    FUZZ_CHECK(c->host_only || !cookie_suffix_is_public(c->domain));
    FUZZ_CHECK(c->path[0] == '/');
    FUZZ_CHECK(*c->name || *c->value);
    FUZZ_CHECK(strlen(c->name) + strlen(c->value) <= COOKIE_PAIR_MAX);
    FUZZ_CHECK(!strpbrk(c->name, ";=\t") && !strpbrk(c->value, ";\t"));
    FUZZ_CHECK(strncasecmp(c->name, "__Secure-", 9) != 0 || c->secure);
    FUZZ_CHECK(strncasecmp(c->name, "__Host-", 7) != 0 ||
               (c->secure && c->host_only && strcmp(c->path, "/") == 0));
    FUZZ_CHECK(c->expires_unix_s > NOW);
    FUZZ_CHECK(c->expires_unix_s == WHORL_HTTP_COOKIE_SESSION ||
               c->expires_unix_s <= NOW + COOKIE_AGE_MAX_S);
}

/* Checks what is sent to a URL of the same host. */
static void check_sent(struct whorl_http_cookies *jar, const char *text)
{
    struct whorl_url url = {0};
    char *value;

    FUZZ_CHECK(whorl_url_parse(text, NULL, &url) == 0);
    FUZZ_CHECK(cookie_jar_get(jar, &url, NOW, &value) == 0);
    FUZZ_CHECK(!value || (*value && header_is_value(value, strlen(value))));
    FUZZ_CHECK(!value || strlen(value) <= COOKIE_HEADER_MAX);
    free(value);
    whorl_url_finish(&url);
}

static void run(const char *url_text, const char *host, const uint8_t *data, size_t len)
{
    struct whorl_http_cookies *jar;
    struct whorl_http_cookie c;
    struct whorl_url url = {0};
    char *text = malloc(len + 1);

    FUZZ_CHECK(whorl_http_cookies_create(&jar) == 0);
    FUZZ_CHECK(whorl_url_parse(url_text, NULL, &url) == 0);
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        struct whorl_error error = {0};
        int err = cookie_jar_set(jar, &url, line, NOW, &error);
        FUZZ_CHECK(err == 0 || (err == WHORL_EHTTP_COOKIE && error.text[0]));
    }
    FUZZ_CHECK(jar->count <= COOKIES_PER_DOMAIN_MAX * 4);
    for (size_t i = 0; cookie_jar_at(jar, i, &c); i++) {
        check_cookie(&c, host);
        FUZZ_CHECK(url.is_tls || !c.secure);
    }
    check_sent(jar, "http://a.b.example.org/x/y");
    check_sent(jar, "https://a.b.example.org/x/y/z?q");
    whorl_url_finish(&url);
    whorl_http_cookies_release(jar);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    int64_t t;

    run("http://a.b.example.org/x/y", "a.b.example.org", data, len);
    run("https://a.b.example.org/x/y", "a.b.example.org", data, len);
    if (cookie_date_read((const char *)data, len, &t))
        FUZZ_CHECK(t >= -11644473600 && t <= 253402300799); /* the years 1601 to 9999 */
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("id=1");
    SEED("a=\"x y\"; Path=/x; Domain=.example.org; Secure; HttpOnly; SameSite=Lax; Max-Age=100");
    SEED("a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT\nb=2; expires=Sunday, 06-Nov-94 08:49:37 GMT");
    SEED("Sun Nov  6 08:49:37 1994");
    SEED("1 Jan 70 0:0:0");
    SEED("__Host-a=1; Secure; Path=/\n__secure-b=2; Secure; Domain=b.example.org");
    SEED("a=1; Domain=org\na=2; Domain=co.uk\na=3; Domain=.\na=4; Domain=..example.org");
    SEED("s=1; Secure; Path=/x\ns=2; Path=/x/y\ns=; Max-Age=0\ns=; Max-Age=-1");
    SEED("=value\nname=\nonly\n = \n;;;=;");
    SEED("a\t=\tb\t; Path\t= /\t\nc=\x7f\nd=\x01");
#undef SEED
}
