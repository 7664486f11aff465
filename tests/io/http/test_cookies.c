/* SPDX-License-Identifier: MIT */
/* The cookie jar: Set-Cookie headers, which URLs a cookie is for, limits. Each trap has a test. */
#include <stdlib.h>
#include <time.h>

#include <whorl/http_cookies.h>
#include <whorl/url.h>

#include "io/http/cookie_date.h"
#include "io/http/cookie_jar.h"
#include "io/http/cookie_suffix.h"
#include "test.h"

enum { NOW = 1700000000, DAY = 86400 };

static struct whorl_error error;

static struct whorl_http_cookies *jar_new(void)
{
    struct whorl_http_cookies *jar = NULL;
    CHECK_OK(whorl_http_cookies_create(&jar));
    return jar;
}

#define JAR(name) WHORL_AUTO(http_cookies) *name = jar_new()

static int set_at(struct whorl_http_cookies *jar, const char *url_text, const char *text,
                  int64_t now)
{
    WHORL_AUTO(url) url = {0};
    error = (struct whorl_error){0};
    CHECK_OK(whorl_url_parse(url_text, NULL, &url));
    int err = cookie_jar_set(jar, &url, text, now, &error);
    CHECK(err == error.code);
    CHECK(err == 0 || err == WHORL_EHTTP_COOKIE);
    return err;
}

static bool set(struct whorl_http_cookies *jar, const char *url, const char *text)
{
    return set_at(jar, url, text, NOW) == 0;
}

/* The Cookie header for a URL; "" when there is none. */
static const char *sent_at(struct whorl_http_cookies *jar, const char *url_text, int64_t now)
{
    static char text[COOKIE_HEADER_MAX + 1];
    WHORL_AUTO(url) url = {0};
    char *value;
    CHECK_OK(whorl_url_parse(url_text, NULL, &url));
    CHECK_OK(cookie_jar_get(jar, &url, now, &value));
    CHECK(!value || (*value && strlen(value) <= COOKIE_HEADER_MAX));
    snprintf(text, sizeof text, "%s", value ? value : "");
    free(value);
    return text;
}

static const char *sent(struct whorl_http_cookies *jar, const char *url)
{
    return sent_at(jar, url, NOW);
}

TEST(a_cookie_is_sent_back_to_its_host_only)
{
    JAR(jar);
    CHECK(set(jar, "http://a.example.org/", "id=\"x y\"; unknown=1;;"));
    CHECK_STR(sent(jar, "http://a.example.org/any?q"), "id=\"x y\"");
    CHECK_STR(sent(jar, "http://A.EXAMPLE.org:8080/"), "id=\"x y\""); /* not of the port */
    CHECK_STR(sent(jar, "https://a.example.org/"), "id=\"x y\"");
    CHECK_STR(sent(jar, "http://b.example.org/"), "");
    CHECK_STR(sent(jar, "http://example.org/"), "");
    CHECK_STR(sent(jar, "http://x.a.example.org/"), "");
    CHECK_STR(sent(jar, "http://a.example.org./"), "");
}

TEST(a_domain_cookie_is_sent_to_the_domain_and_below)
{
    JAR(jar);
    CHECK(set(jar, "http://a.b.example.org/", "d=1; Domain=.B.Example.ORG"));
    CHECK_STR(sent(jar, "http://b.example.org/"), "d=1");
    CHECK_STR(sent(jar, "http://x.y.b.example.org/"), "d=1");
    CHECK_STR(sent(jar, "http://example.org/"), "");
    CHECK_STR(sent(jar, "http://bb.example.org/"), "");
    CHECK_STR(sent(jar, "http://ab.example.org/"), "");
    CHECK(set(jar, "http://a.b.example.org/", "e=1; Domain=x; Domain="));
    CHECK_STR(sent(jar, "http://a.b.example.org/"), "d=1; e=1");
    CHECK_STR(sent(jar, "http://b.example.org/"), "d=1"); /* the last Domain is empty: host-only */
}

TEST(another_domain_or_one_below_cannot_be_set)
{
    JAR(jar);
    static const char *const bad[] = {"x=1; Domain=other.org",    "x=1; Domain=a.example.org",
                                      "x=1; Domain=ample.org",    "x=1; Domain=..example.org",
                                      "x=1; Domain=example.org.", "x=1; Domain=..",
                                      "x=1; Domain=example",      "x=1; Domain=*.example.org"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!set(jar, "http://example.org/", bad[i]));
    CHECK_STR(error.step, "cookie");
    CHECK_STR(error.text, "Domain does not contain the host");
    CHECK(!set(jar, "http://example.org./", "x=1; Domain=org."));
    CHECK(!set(jar, "http://example.org./", "x=1; Domain=example.org"));
    CHECK_EQ(jar->count, 0);
}

TEST(a_public_suffix_cannot_have_cookies)
{
    JAR(jar);
    CHECK(!set(jar, "http://example.co.uk/", "x=1; Domain=co.uk"));
    CHECK_STR(error.text, "Domain is a public suffix");
    CHECK(!set(jar, "http://example.co.uk/", "x=1; Domain=.uk"));
    CHECK(!set(jar, "http://example.com/", "x=1; Domain=com"));
    CHECK(!set(jar, "http://a.example.com./", "x=1; Domain=example.com."));
    CHECK(!set(jar, "http://example.com./", "x=1; Domain=com."));
    CHECK_EQ(jar->count, 0);
    /* If it is the host itself, the cookie is host-only. */
    CHECK(set(jar, "http://localhost/", "x=1; Domain=localhost"));
    CHECK_STR(sent(jar, "http://localhost/"), "x=1");
    CHECK_STR(sent(jar, "http://a.localhost/"), "");
#if WHORL_HAVE_PSL
    CHECK(cookie_suffix_is_public("github.io") && !cookie_suffix_is_public("x.github.io"));
    CHECK(set(jar, "http://bbc.uk/", "x=1; Domain=bbc.uk"));
    CHECK_STR(sent(jar, "http://www.bbc.uk/"), "x=1");
#else
    CHECK(cookie_suffix_is_public("com.au") && !cookie_suffix_is_public("abcd.uk"));
    CHECK(!cookie_suffix_is_public("abc.com") && !cookie_suffix_is_public("a.co.uk"));
#endif
}

TEST(an_ip_address_has_host_only_cookies)
{
    JAR(jar);
    CHECK(set(jar, "http://1.2.3.4/", "a=1; Domain=1.2.3.4"));
    CHECK(!set(jar, "http://1.2.3.4/", "b=1; Domain=3.4"));
    CHECK(!set(jar, "http://1.2.3.4/", "b=1; Domain=2.3.4"));
    CHECK(set(jar, "http://[::1]/", "c=1"));
    CHECK_EQ(jar->count, 2);
    struct whorl_http_cookie c;
    CHECK(cookie_jar_at(jar, 0, &c) && c.host_only);
    CHECK_STR(sent(jar, "http://1.2.3.4/"), "a=1");
    CHECK_STR(sent(jar, "http://[::1]/"), "c=1");
    /* Even a wrong entry matches only the same address. */
    CHECK(!cookie_domain_matches("1.2.3.4", true, "3.4"));
    CHECK(cookie_domain_matches("a.3.4", false, "3.4"));
}

TEST(the_path_is_that_of_the_attribute_or_the_directory_of_the_url)
{
    JAR(jar);
    CHECK(set(jar, "http://a.test/x/y?/z/", "d=1"));
    CHECK(set(jar, "http://a.test/x/y", "p=1; Path=/x/y"));
    CHECK(set(jar, "http://a.test/x/y", "s=1; Path=/x/y/"));
    CHECK(set(jar, "http://a.test/x", "r=1; Path=relative"));
    CHECK_STR(sent(jar, "http://a.test/"), "r=1");
    CHECK_STR(sent(jar, "http://a.test/x"), "d=1; r=1");
    CHECK_STR(sent(jar, "http://a.test/x?/y"), "d=1; r=1");
    CHECK_STR(sent(jar, "http://a.test/xy"), "r=1");
    CHECK_STR(sent(jar, "http://a.test/x/y"), "p=1; d=1; r=1");
    CHECK_STR(sent(jar, "http://a.test/x/yz"), "d=1; r=1");
    CHECK_STR(sent(jar, "http://a.test/x/y/z"), "s=1; p=1; d=1; r=1");
}

TEST(secure_cookies_are_left_alone_by_http)
{
    JAR(jar);
    CHECK(!set(jar, "http://a.example.org/", "x=1; Secure"));
    CHECK(set(jar, "https://a.example.org/", "s=1; Secure; Domain=example.org; Path=/in"));
    CHECK_STR(sent(jar, "http://a.example.org/in"), "");
    CHECK_STR(sent(jar, "https://a.example.org/in"), "s=1");
    CHECK(!set(jar, "http://a.example.org/", "s=2; Domain=example.org; Path=/in"));
    CHECK_STR(error.text, "http cannot replace or hide a cookie with Secure");
    CHECK(!set(jar, "http://a.example.org/", "s=2; Path=/in/deep"));       /* would hide it */
    CHECK(!set(jar, "http://example.org/", "s=2; Path=/in"));              /* the same */
    CHECK(!set(jar, "http://a.example.org/", "s=2; Path=/in; Max-Age=0")); /* would remove it */
    CHECK(set(jar, "http://a.example.org/", "s=3; Path=/"));               /* a path above */
    CHECK(set(jar, "http://a.example.org/", "t=4; Path=/in"));             /* another name */
    CHECK_STR(sent(jar, "https://a.example.org/in"), "s=1; t=4; s=3");
    CHECK(set(jar, "https://a.example.org/", "s=5; Domain=example.org; Path=/in"));
    CHECK_STR(sent(jar, "http://a.example.org/in"), "s=5; t=4; s=3");
}

TEST(prefixes_are_enforced_in_any_case)
{
    JAR(jar);
    static const char *const bad[] = {"__Secure-a=1",
                                      "__sEcUrE-a=1; Path=/",
                                      "__Host-a=1; Path=/",
                                      "__Host-a=1; Secure",
                                      "__host-a=1; Secure; Path=/x",
                                      "__HOST-a=1; Secure; Path=/; Domain=example.org",
                                      "__Host-a=1; Secure; Path=x",
                                      "=__Host-a=1; Secure; Path=/",
                                      "__secure-a; Secure",
                                      " = __Secure-a=1; Secure"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK(!set(jar, "https://example.org/", bad[i]));
    CHECK_EQ(jar->count, 0);
    CHECK(!set(jar, "http://example.org/", "__Secure-a=1; Secure"));
    CHECK(set(jar, "https://example.org/", "__Secure-a=1; Secure; Domain=example.org"));
    CHECK(set(jar, "https://example.org/", "__Host-a=1; Secure; Path=/"));
    CHECK_EQ(jar->count, 2);
}

TEST(control_bytes_refuse_a_cookie)
{
    JAR(jar);
    char text[] = "a=b?c; Path=/";
    for (int c = 1; c < 256; c++) {
        bool is_control = c < 0x20 || c == 0x7f;
        text[3] = (char)c;
        CHECK_EQ(set(jar, "http://a.test/", text), !is_control);
    }
    CHECK(!set(jar, "http://a.test/", "a\tb=c"));
    CHECK(!set(jar, "http://a.test/", "a=c; Path=/\tx"));
    CHECK(!set(jar, "http://a.test/", "a=c; Path=/\r\nX: y"));
    CHECK(!set(jar, "http://a.test/", "a=c; x=\n"));
    CHECK(set(jar, "http://a.test/", "\t t \t=\t u \t;\tPath\t=\t/ "));
    CHECK_STR(sent(jar, "http://a.test/"), "a=b\xff"
                                           "c; t=u");
}

TEST(names_and_values_may_be_empty_but_not_both)
{
    JAR(jar);
    CHECK(!set(jar, "http://a.test/", ""));
    CHECK(!set(jar, "http://a.test/", " = ; Path=/"));
    CHECK(set(jar, "http://a.test/", "empty="));
    CHECK(set(jar, "http://a.test/", "only value"));
    CHECK(set(jar, "http://a.test/", "eq=a=b"));
    CHECK_STR(sent(jar, "http://a.test/"), "empty=; only value; eq=a=b");
}

/* A Set-Cookie header with `len` times "x" after `front`. */
static bool set_long(struct whorl_http_cookies *jar, const char *front, size_t len,
                     const char *rest)
{
    static char text[8192];
    size_t at = (size_t)snprintf(text, sizeof text, "%s", front);
    memset(text + at, 'x', len);
    snprintf(text + at + len, sizeof text - at - len, "%s", rest);
    return set(jar, "http://a.test/", text);
}

TEST(long_pairs_are_refused_and_long_attributes_ignored)
{
    JAR(jar);
    CHECK(set_long(jar, "name=", 4092, ""));
    CHECK(!set_long(jar, "name=", 4093, ""));
    whorl_http_cookies_clear(jar);
    CHECK(set_long(jar, "a=1; Path=/", 1023, ""));
    CHECK_STR(sent(jar, "http://a.test/"), "");
    CHECK(set_long(jar, "a=2; Path=/", 1024, ""));
    CHECK_STR(sent(jar, "http://a.test/"), "a=2");
    CHECK(set_long(jar, "a=3; Domain=", 1025, "")); /* ignored, so it is host-only */
    CHECK_STR(sent(jar, "http://a.test/"), "a=3");
}

TEST(cookies_end_with_max_age_or_expires)
{
    JAR(jar);
    const char *url = "http://a.test/";
    CHECK(set(jar, url, "s=1"));
    CHECK(set(jar, url, "m=1; Max-Age=10; Expires=Thu, 01 Jan 1970 00:00:00 GMT"));
    CHECK(set(jar, url, "e=1; Expires=Tue, 14 Nov 2023 22:13:25 GMT")); /* NOW + 5 */
    CHECK(set(jar, url, "bad=1; Expires=soon; Max-Age=1x"));
    CHECK(set(jar, url, "long=1; Max-Age=99999999999999999999"));
    CHECK_STR(sent_at(jar, url, NOW + 4), "s=1; m=1; e=1; bad=1; long=1");
    CHECK_STR(sent_at(jar, url, NOW + 5), "s=1; m=1; bad=1; long=1");
    CHECK_STR(sent_at(jar, url, NOW + 10), "s=1; bad=1; long=1");
    CHECK_STR(sent_at(jar, url, NOW + 400 * DAY), "s=1; bad=1");
    CHECK(set(jar, url, "s=; Max-Age=-1"));
    CHECK(set(jar, url, "bad=; Max-Age=0"));
    CHECK_EQ(jar->count, 0);
    CHECK(set(jar, url, "far=1; Expires=Fri, 31 Dec 9999 23:59:59 GMT"));
    struct whorl_http_cookie c;
    CHECK(cookie_jar_at(jar, 0, &c));
    CHECK_EQ(c.expires_unix_s, NOW + 400 * DAY);
}

TEST(a_cookie_that_is_set_again_keeps_its_place)
{
    JAR(jar);
    const char *url = "http://a.test/";
    CHECK(set(jar, url, "a=1") && set(jar, url, "b=1") && set(jar, url, "a=2"));
    CHECK_STR(sent(jar, url), "a=2; b=1");
    CHECK(set(jar, url, "A=3")); /* names differ in case */
    CHECK(set(jar, url, "b=; Max-Age=0") && set(jar, url, "b=2"));
    CHECK_STR(sent(jar, url), "a=2; A=3; b=2");
}

TEST(attributes_are_stored)
{
    JAR(jar);
    struct whorl_http_cookie c;
    CHECK(set(jar, "https://a.test/x/y", "n=v; secure; HTTPONLY; samesite=strict; Max-Age=7"));
    CHECK(set(jar, "https://b.test/", "n=v; SameSite=Lax; SameSite=None; Secure"));
    CHECK(set(jar, "https://c.test/", "n=v; SameSite=other"));
    CHECK(cookie_jar_at(jar, 0, &c));
    CHECK_STR(c.name, "n");
    CHECK_STR(c.value, "v");
    CHECK_STR(c.domain, "a.test");
    CHECK_STR(c.path, "/x");
    CHECK_EQ(c.expires_unix_s, NOW + 7);
    CHECK(c.host_only && c.secure && c.http_only);
    CHECK_EQ(c.same_site, WHORL_HTTP_SAME_SITE_STRICT);
    CHECK(cookie_jar_at(jar, 1, &c));
    CHECK_EQ(c.expires_unix_s, WHORL_HTTP_COOKIE_SESSION);
    CHECK(c.secure && !c.http_only && c.same_site == WHORL_HTTP_SAME_SITE_NONE);
    CHECK(cookie_jar_at(jar, 2, &c) && c.same_site == WHORL_HTTP_SAME_SITE_DEFAULT);
    CHECK(!cookie_jar_at(jar, 3, &c));
}

TEST(same_site_none_needs_secure)
{
    JAR(jar);
    CHECK(!set(jar, "https://a.test/", "n=v; SameSite=None"));
    CHECK(!set(jar, "http://a.test/", "n=v; samesite=NONE"));
    CHECK(set(jar, "https://a.test/", "n=v; SameSite=None; SameSite=Lax"));
    CHECK(set(jar, "https://a.test/", "m=v; Secure; SameSite=None"));
    CHECK_STR(sent(jar, "https://a.test/"), "n=v; m=v");
}

static bool set_number(struct whorl_http_cookies *jar, const char *url, int i, const char *rest)
{
    char text[64];
    snprintf(text, sizeof text, "n%d=%d%s", i, i, rest);
    return set(jar, url, text);
}

static bool has(struct whorl_http_cookies *jar, const char *name)
{
    struct whorl_http_cookie c;
    for (size_t i = 0; cookie_jar_at(jar, i, &c); i++)
        if (strcmp(c.name, name) == 0)
            return true;
    return false;
}

TEST(a_domain_keeps_50_cookies_and_secure_ones_longest)
{
    JAR(jar);
    const char *url = "https://a.test/";
    CHECK(set_number(jar, url, 0, "; Secure"));
    for (int i = 1; i < 50; i++)
        CHECK(set_number(jar, url, i, i == 1 ? "; Path=/used" : ""));
    CHECK(set(jar, "http://b.test/", "other=1"));
    CHECK_EQ(jar->count, 51);
    CHECK_EQ(strlen(sent(jar, "http://a.test/used")) > 0, true); /* n1 and all others but n0 */
    CHECK(set_number(jar, url, 50, ""));
    CHECK_EQ(jar->count, 51);
    CHECK(has(jar, "n0") && !has(jar, "n1") && has(jar, "n2") && has(jar, "n50"));
    CHECK_EQ(strlen(sent(jar, "http://a.test/")) > 0, true);
    /* One that expires soon is removed first. */
    CHECK(set(jar, url, "n2=x; Max-Age=5"));
    CHECK_OK(set_at(jar, url, "n51=1", NOW + 6));
    CHECK(has(jar, "n0") && !has(jar, "n2") && has(jar, "n3") && has(jar, "n51"));
    /* Cookies without Secure never push out those with it. */
    for (int i = 0; i < 50; i++)
        CHECK(set_number(jar, url, i, "; Secure"));
    CHECK(set(jar, "http://a.test/", "plain=1"));
    CHECK(!has(jar, "plain") && has(jar, "n0"));
    CHECK(set(jar, url, "secure=1; Secure"));
    CHECK(has(jar, "secure") && !has(jar, "n0") && has(jar, "n1") && has(jar, "other"));
}

TEST(all_domains_together_keep_3000_cookies)
{
    JAR(jar);
    char url[64];
    for (int i = 0; i < 3001; i++) {
        snprintf(url, sizeof url, "http://h%d.test/", i);
        CHECK(set_number(jar, url, i, ""));
        if (i == 1)
            CHECK_STR(sent(jar, "http://h0.test/"), "n0=0"); /* now n1 is the one not used */
    }
    CHECK_EQ(jar->count, 3000);
    CHECK(has(jar, "n0") && !has(jar, "n1") && has(jar, "n2") && has(jar, "n3000"));
}

TEST(a_header_has_8190_bytes_at_most)
{
    JAR(jar);
    CHECK(set_long(jar, "a=", 4090, ""));
    CHECK(set_long(jar, "b=", 4090, ""));
    CHECK(set(jar, "http://a.test/", "c=1"));
    CHECK_EQ(strlen(sent(jar, "http://a.test/")), 4092 + 2 + 4092);
    CHECK(set_long(jar, "a=", 4000, ""));
    CHECK_EQ(strlen(sent(jar, "http://a.test/")), 4002 + 2 + 4092 + 2 + 3);
}

static int64_t date(const char *text)
{
    int64_t t = -1;
    return cookie_date_read(text, strlen(text), &t) ? t : -1;
}

TEST(dates_are_read_in_every_form_that_servers_write)
{
    static const char *const same[] = {
        "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",      "6 nov 1994 8:49:37",
        "08:49:37 1994 November 06",     "Sun,06,Nov,94,8:49:37x",
        "06Nov 1 Nov 1994 08:49:37",     "Sun, 06 Nov 1994 08:49:37 +0100"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        CHECK_EQ(date(same[i]), 784111777);
    CHECK_EQ(date("1 Jan 70 0:0:0"), 0);
    CHECK_EQ(date("1 Jan 69 0:0:0"), 3124224000);
    CHECK_EQ(date("29 Feb 2000 0:0:0"), 951782400);
    static const char *const bad[] = {"",
                                      "Sun, 06 Nov 1994",
                                      "06 Nov 1994 24:00:00",
                                      "06 Nov 1994 23:60:00",
                                      "06 Nov 1994 23:00:60",
                                      "31 Feb 2000 0:0:0",
                                      "0 Jan 2000 0:0:0",
                                      "1 Jan 1600 0:0:0",
                                      "1 Jan 20000 0:0:0",
                                      "1 Foo 2000 0:0:0",
                                      "1 Jan 2000 000:0:0",
                                      "1 Jan 2000 0:0"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        CHECK_EQ(date(bad[i]), -1);
}

TEST(public_calls_use_the_time_of_day)
{
    JAR(jar);
    WHORL_AUTO(url) url = {0};
    struct whorl_http_cookie c;
    char *value = NULL;
    CHECK_OK(whorl_url_parse("http://a.test/", NULL, &url));
    CHECK_OK(whorl_http_cookies_set(jar, &url, "a=1; Max-Age=1000", &error));
    CHECK_ERR(whorl_http_cookies_set(jar, &url, "b=1; Secure", NULL), WHORL_EHTTP_COOKIE);
    CHECK_OK(whorl_http_cookies_get(jar, &url, &value));
    CHECK_STR(value, "a=1");
    free(value);
    CHECK(whorl_http_cookies_at(jar, 0, &c));
    int64_t left = c.expires_unix_s - time(NULL);
    CHECK(left > 900 && left <= 1000);
    whorl_http_cookies_clear(jar);
    CHECK(!whorl_http_cookies_at(jar, 0, &c));
    CHECK_OK(whorl_http_cookies_get(jar, &url, &value));
    CHECK(!value);
    CHECK(set(jar, "http://a.test/", "old=1; Max-Age=1")); /* at NOW, long ago */
    CHECK(!whorl_http_cookies_at(jar, 0, &c));
}

TEST_MAIN()
