/* SPDX-License-Identifier: MIT */
/* URLs: a base, a NUL, a reference. A parsed URL is canonical: its text parses to itself and
 * contains only bytes that can be sent, and no relative reference leaves the origin.
 */
#include <string.h>

#include <whorl/url.h>

#include "fuzz.h"

static void check_url(const struct whorl_url *url)
{
    struct whorl_url again = {0};
    size_t authority_len = strlen(url->authority), scheme_len = strlen(url->scheme);

    FUZZ_CHECK(strcmp(url->scheme, url->is_tls ? "https" : "http") == 0);
    FUZZ_CHECK(url->port != 0);
    FUZZ_CHECK(url->target[0] == '/');
    FUZZ_CHECK(url->host[0] != '\0');
    FUZZ_CHECK(!url->userinfo || url->userinfo[0] != '\0');
    for (const char *c = url->text; *c; c++)
        FUZZ_CHECK(*c > 0x20 && *c < 0x7f && !strchr("\"<>\\^`{|}#", *c));
    for (const char *c = url->host; *c; c++)
        FUZZ_CHECK((*c >= 'a' && *c <= 'z') || (*c >= '0' && *c <= '9') || strchr("-._:", *c));
    FUZZ_CHECK(!strchr(url->host, ':') || url->host_is_ip);
    FUZZ_CHECK(!strchr(url->authority, '@'));
    const char *dots = strstr(url->target, "/../"), *query = strchr(url->target, '?');
    FUZZ_CHECK(!dots || (query && query < dots));
    /* text = scheme "://" authority target */
    FUZZ_CHECK(strncmp(url->text, url->scheme, scheme_len) == 0);
    FUZZ_CHECK(strncmp(url->text + scheme_len, "://", 3) == 0);
    FUZZ_CHECK(strncmp(url->text + scheme_len + 3, url->authority, authority_len) == 0);
    FUZZ_CHECK(strcmp(url->text + scheme_len + 3 + authority_len, url->target) == 0);

    FUZZ_CHECK(whorl_url_parse(url->text, NULL, &again) == 0);
    FUZZ_CHECK(strcmp(again.text, url->text) == 0);
    FUZZ_CHECK(strcmp(again.host, url->host) == 0);
    FUZZ_CHECK(again.host_is_ip == url->host_is_ip);
    FUZZ_CHECK(!again.userinfo);
    FUZZ_CHECK(whorl_url_same_origin(&again, url));
    whorl_url_finish(&again);
}

static void check_error(int err, const struct whorl_error *error)
{
    FUZZ_CHECK(err == WHORL_EHTTP_URL || err == WHORL_EHTTP_SCHEME);
    FUZZ_CHECK(error->code == err && error->text[0]);
}

static void check_reference(const struct whorl_url *base, const char *reference)
{
    struct whorl_url url = {0}, same = {0};
    struct whorl_error error = {0};
    int err = whorl_url_resolve(base, reference, &error, &url);

    if (err) {
        check_error(err, &error);
    } else {
        check_url(&url);
        /* Only a scheme or two slashes can name another host. */
        if (strncmp(reference, "//", 2) != 0 && !strchr(reference, ':'))
            FUZZ_CHECK(whorl_url_same_origin(&url, base));
    }
    whorl_url_finish(&url);
    FUZZ_CHECK(whorl_url_resolve(base, base->text, NULL, &same) == 0);
    FUZZ_CHECK(strcmp(same.text, base->text) == 0);
    whorl_url_finish(&same);
    FUZZ_CHECK(whorl_url_resolve(base, "", NULL, &same) == 0);
    FUZZ_CHECK(strcmp(same.text, base->text) == 0);
    whorl_url_finish(&same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 2);
    struct whorl_url url = {0};
    struct whorl_error error = {0};

    if (len > 0)
        memcpy(text, data, len);
    text[len] = text[len + 1] = '\0';
    int err = whorl_url_parse(text, &error, &url);
    if (err) {
        check_error(err, &error);
    } else {
        check_url(&url);
        if (strlen(url.text) < 60000)
            check_reference(&url, text + strlen(text) + 1);
    }
    whorl_url_finish(&url);
    free(text);
    return 0;
}

void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx)
{
#define SEED(text) use(ctx, text, sizeof(text) - 1)
    SEED("http://example.org/");
    SEED("https://me:secret@Example.ORG:8443/a/./b/../c?d=e&f#g\0../h?i#j");
    SEED("http://127.0.0.1:8080/%7Euser/\xc3\xa4 b\0//other:81/x");
    SEED("http://[2001:db8::1]:80/\0?query");
    SEED("http://[::ffff:1.2.3.4]/a/b/c\0../../../../g;x=1/../y");
    SEED("http://b\xc3\xbc"
         "cher.example/\0\\\\evil/x");
    SEED("http://0x7f.1/\0/%2e%2E/x");
    SEED("http://good\\@evil/\0http:x");
    SEED("http://a?b\0/\\evil");
    SEED("http://xn--bcher-kva.example./\0https://a:443/x");
    SEED("http://\xef\xbc\x91.0.0.1/\0mailto:a@b");
    SEED("http://a/b/c/d;p?q\0;x?y#s");
#undef SEED
}
