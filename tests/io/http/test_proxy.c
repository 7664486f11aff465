/* SPDX-License-Identifier: MIT */
/* The settings of proxies: their URLs, the environment, and the servers that need no proxy. */
#include <stdlib.h>
#include <string.h>

#include <whorl/http_proxy.h>

#include "faults.h"
#include "io/http/no_proxy.h"
#include "io/http/proxy.h"
#include "test.h"

/* "KIND HOST PORT USERINFO" of a proxy's URL, or the text of the error. */
static const char *parse(const char *text)
{
    static char result[400];
    struct http_proxy proxy = {0};
    struct whorl_error error = {0};
    int err = http_proxy_parse(text, "here", &error, &proxy);

    if (err) {
        CHECK_EQ(err, WHORL_EHTTP_PROXY_SETTING);
        CHECK_EQ(error.code, err);
        CHECK_STR(error.step, "proxy");
        return strcpy(result, error.text);
    }
    snprintf(result, sizeof result, "%d %s %u %s", proxy.kind, proxy.host, proxy.port,
             proxy.userinfo ? proxy.userinfo : "-");
    http_proxy_finish(&proxy);
    return result;
}

TEST(the_scheme_of_a_proxy_says_its_kind_and_default_port)
{
    CHECK_STR(parse("http://p"), "0 p 80 -");
    CHECK_STR(parse("HTTPS://P"), "1 p 443 -");
    CHECK_STR(parse("socks5://p"), "2 p 1080 -");
    CHECK_STR(parse("socks5h://p/"), "3 p 1080 -");
    CHECK_STR(parse("p:3128"), "0 p 3128 -");
    CHECK_STR(parse("p"), "0 p 80 -");
}

TEST(a_port_in_the_url_counts_also_when_it_is_the_default_of_http)
{
    CHECK_STR(parse("https://p:80"), "1 p 80 -");
    CHECK_STR(parse("socks5h://p:443"), "3 p 443 -");
    CHECK_STR(parse("socks5h://p:80"), "3 p 80 -");
    CHECK_STR(parse("http://[::1]:8080"), "0 ::1 8080 -");
}

TEST(what_is_no_proxy_is_refused)
{
    CHECK_STR(parse("ftp://p"), "here: scheme is not http, https, socks5 or socks5h");
    CHECK_STR(parse("socks://p"), "here: scheme is not http, https, socks5 or socks5h");
    CHECK_STR(parse("http://"), "here: no host");
    CHECK_STR(parse("http://p:0"), "here: port is 0");
    CHECK_STR(parse("http://p/path"),
              "here: the URL of a proxy has neither path, query nor fragment");
    CHECK_STR(parse("http://p?q"), "here: the URL of a proxy has neither path, query nor fragment");
    CHECK_STR(parse("http://p\r\nX: y"), "here: control byte 0x0d at byte 8");
}

/* If the fragment were dropped, "user" would be the host. */
TEST(a_number_sign_in_the_password_does_not_make_the_user_name_the_host)
{
    CHECK_STR(parse("http://user#word@p"),
              "here: the URL of a proxy has neither path, query nor fragment");
}

TEST(credentials_are_decoded)
{
    struct http_proxy proxy = {0};

    CHECK_OK(http_proxy_parse("http://Aladdin:open%20sesame@p:1", "", NULL, &proxy));
    CHECK_STR(proxy.user, "Aladdin");
    CHECK_STR(proxy.password, "open sesame");
    CHECK_STR(proxy.text, "http://p:1");
    http_proxy_finish(&proxy);
    CHECK_OK(http_proxy_parse("http://u@[::1]", "", NULL, &proxy));
    CHECK_STR(proxy.user, "u");
    CHECK_STR(proxy.password, "");
    CHECK_STR(proxy.text, "http://[::1]:80");
    http_proxy_finish(&proxy);
    CHECK_OK(http_proxy_parse("socks5h://u%3A:p%40@p", "", NULL, &proxy));
    CHECK_STR(proxy.user, "u:");
    CHECK_STR(proxy.password, "p@");
    http_proxy_finish(&proxy);
}

TEST(credentials_that_cannot_be_sent_are_refused_and_not_shown)
{
    char longer[400] = "socks5h://u:";

    memset(longer + strlen(longer), 'x', 256);
    strcat(longer, "@p");
    CHECK_STR(parse(longer),
              "here: user name and password of a SOCKS5 proxy have 1 to 255 bytes each");
    CHECK_STR(parse("socks5h://u@p"),
              "here: user name and password of a SOCKS5 proxy have 1 to 255 bytes each");
    CHECK_STR(parse("socks5h://u:a%00b@p"), "here: user name or password contains a NUL");
    CHECK_STR(parse("http://secret%0d:x@p"),
              "here: user name or password contains a byte that cannot be sent");
    CHECK(!strstr(parse("secret:word://p"), "secret"));
    CHECK(!strstr(parse("http://secret:word@p@q"), "secret"));
    CHECK(!strstr(parse("http://secret:word@p:x"), "secret"));
    CHECK(!strstr(parse("http://secret:wo%zzrd@p"), "secret"));
}

/* The proxy for a URL by this setting, "direct", or the text of the error. */
static const char *choose(struct whorl_http_proxy setting, const char *text)
{
    static char result[300];
    struct whorl_error error = {0};
    struct http_proxies proxies;
    struct whorl_url url = {0};

    CHECK_OK(whorl_url_parse(text, NULL, &url));
    int err = http_proxies_init(&proxies, &setting, &error);
    CHECK_EQ(whorl_http_proxy_check(&setting, NULL), err);
    if (err) {
        strcpy(result, error.text);
    } else {
        const struct http_proxy *proxy = http_proxies_choose(&proxies, &url);
        strcpy(result, proxy ? proxy->text : "direct");
    }
    http_proxies_finish(&proxies);
    whorl_url_finish(&url);
    return result;
}

static const char *const variables[] = {"http_proxy", "https_proxy", "all_proxy", "no_proxy",
                                        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"};

static void clear_environment(void)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        unsetenv(variables[i]);
}

TEST(without_a_setting_there_is_no_proxy)
{
    clear_environment();
    setenv("http_proxy", "http://p:1", 1);
    CHECK_STR(choose((struct whorl_http_proxy){0}, "http://a.test/"), "direct");
    CHECK_STR(
        choose((struct whorl_http_proxy){.url = "", .from_environment = true}, "http://a.test/"),
        "direct");
}

TEST(the_environment_names_a_proxy_for_each_scheme)
{
    const struct whorl_http_proxy environment = {.from_environment = true};

    clear_environment();
    CHECK_STR(choose(environment, "http://a.test/"), "direct");
    setenv("ALL_PROXY", "http://ALL", 1);
    CHECK_STR(choose(environment, "http://a.test/"), "http://all:80");
    CHECK_STR(choose(environment, "https://a.test/"), "http://all:80");
    setenv("all_proxy", "http://low", 1);
    CHECK_STR(choose(environment, "http://a.test/"), "http://low:80");
    setenv("HTTPS_PROXY", "http://upper", 1);
    CHECK_STR(choose(environment, "http://a.test/"), "http://low:80");
    CHECK_STR(choose(environment, "https://a.test/"), "http://upper:80");
    setenv("https_proxy", "socks5h://lower", 1);
    CHECK_STR(choose(environment, "https://a.test/"), "socks5h://lower:1080");
    setenv("http_proxy", "plain:3128", 1);
    CHECK_STR(choose(environment, "http://a.test/"), "http://plain:3128");
    setenv("https_proxy", "", 1);
    CHECK_STR(choose(environment, "https://a.test/"), "http://upper:80");
    setenv("http_proxy", "ftp://u:secret@plain", 1);
    CHECK_STR(choose(environment, "http://a.test/"),
              "http_proxy: scheme is not http, https, socks5 or socks5h");
}

/* CVE-2016-5385: a web server passes a header named Proxy to CGI programs under this name. */
TEST(HTTP_PROXY_in_upper_case_is_ignored)
{
    clear_environment();
    setenv("HTTP_PROXY", "http://evil:1", 1);
    CHECK_STR(choose((struct whorl_http_proxy){.from_environment = true}, "http://a.test/"),
              "direct");
}

TEST(no_proxy_of_the_environment_applies_unless_one_is_given)
{
    struct whorl_http_proxy setting = {.url = "p:1", .from_environment = true};

    clear_environment();
    setenv("NO_PROXY", "b.test", 1);
    CHECK_STR(choose(setting, "http://b.test/"), "direct");
    setenv("no_proxy", "a.test", 1);
    CHECK_STR(choose(setting, "http://a.test/"), "direct");
    CHECK_STR(choose(setting, "http://b.test/"), "http://p:1");
    setting.no_proxy = "";
    CHECK_STR(choose(setting, "http://a.test/"), "http://p:1");
    setting.no_proxy = "c.test";
    CHECK_STR(choose(setting, "http://c.test/"), "direct");
    setting = (struct whorl_http_proxy){.url = "p:1"};
    CHECK_STR(choose(setting, "http://a.test/"), "http://p:1");
}

static bool matches(const char *list, const char *host, uint16_t port)
{
    struct no_proxy parsed = {0};

    CHECK_OK(no_proxy_parse(list, NULL, &parsed));
    bool does = no_proxy_matches(&parsed, host, port);
    no_proxy_finish(&parsed);
    return does;
}

TEST(no_proxy_matches_names_and_what_is_below_them)
{
    static const char *const lists[] = {"example.org", ".example.org", "*.Example.ORG",
                                        "a.test,example.org.", " \ta.test  example.org\n,"};

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        CHECK(matches(lists[i], "example.org", 80));
        CHECK(matches(lists[i], "example.org.", 80));
        CHECK(matches(lists[i], "www.example.org", 443));
        CHECK(!matches(lists[i], "myexample.org", 80));
        CHECK(!matches(lists[i], "example.org.evil.test", 80));
        CHECK(!matches(lists[i], "org", 80));
    }
    CHECK(matches("*", "a.test", 80));
    CHECK(matches("*", "::1", 80));
    CHECK(!matches("", "a.test", 80));
    CHECK(!matches(" , ", "a.test", 80));
    CHECK(matches("b\xc3\xbc"
                  "cher.example",
                  "xn--bcher-kva.example", 80));
}

TEST(no_proxy_matches_addresses_and_networks)
{
    CHECK(matches("127.0.0.1", "127.0.0.1", 80));
    CHECK(!matches("127.0.0.1", "127.0.0.10", 80));
    CHECK(!matches("127.0.0.1", "a.127.0.0.1.test", 80));
    CHECK(matches("::1", "::1", 80));
    CHECK(matches("[::1]", "::1", 80));
    CHECK(matches("0:0:0::1", "::1", 80));
    CHECK(matches("10.0.0.0/8", "10.255.3.4", 80));
    CHECK(!matches("10.0.0.0/8", "11.0.0.0", 80));
    CHECK(matches("192.168.130.0/23", "192.168.131.7", 80));
    CHECK(!matches("192.168.130.0/23", "192.168.132.7", 80));
    CHECK(matches("192.168.131.9/23", "192.168.130.7", 80));
    CHECK(matches("0.0.0.0/0", "8.8.8.8", 80));
    CHECK(!matches("0.0.0.0/0", "::1", 80));
    CHECK(!matches("::/0", "8.8.8.8", 80));
    CHECK(!matches("0.0.0.0/0", "a.test", 80));
    CHECK(matches("fe80::/10", "febf::1", 80));
    CHECK(!matches("fe80::/10", "fec0::1", 80));
    CHECK(matches("10.0.0.0/8", "::ffff:10.1.2.3", 80));
    CHECK(matches("::ffff:10.0.0.0/104", "10.1.2.3", 80));
}

TEST(no_proxy_may_name_a_port)
{
    CHECK(matches("a.test:8080", "a.test", 8080));
    CHECK(matches(".a.test:8080", "b.a.test", 8080));
    CHECK(!matches("a.test:8080", "a.test", 80));
    CHECK(matches("127.0.0.1:81", "127.0.0.1", 81));
    CHECK(!matches("127.0.0.1:81", "127.0.0.1", 82));
    CHECK(matches("[::1]:81", "::1", 81));
    CHECK(!matches("[::1]:81", "::1", 80));
}

/* A malformed entry that were ignored would send its servers' requests to the proxy. */
TEST(a_malformed_entry_of_no_proxy_is_an_error_that_names_it)
{
    static const char *const cases[][2] = {
        {"10.0.0.0/33", "no_proxy: 10.0.0.0/33: not a number of bits after the slash"},
        {"10.0.0.0/", "no_proxy: 10.0.0.0/: not a number of bits after the slash"},
        {"10.0/8", "no_proxy: 10.0/8: not an address before the slash"},
        {"::ffff:10.0.0.0/8", "no_proxy: ::ffff:10.0.0.0/8: not a number of bits after the slash"},
        {"fe80::/129", "no_proxy: fe80::/129: not a number of bits after the slash"},
        {"a.test/8", "no_proxy: a.test/8: not an address before the slash"},
        {"a.test:0", "no_proxy: a.test:0: not a port after the colon"},
        {"a.test:", "no_proxy: a.test:: not a port after the colon"},
        {"a.test:65536", "no_proxy: a.test:65536: not a port after the colon"},
        {"a:b:c", "no_proxy: a:b:c: not an IPv6 address"},
        {"[::1", "no_proxy: [::1: not an IPv6 address in brackets, with or without a port"},
        {".", "no_proxy: .: no host"},
        {"a..b", "no_proxy: a..b: empty label in the host"},
        {"192.168.*", "no_proxy: 192.168.*: byte 0x2a in the host"},
        {"192.168", "no_proxy: 192.168: host looks like an IPv4 address but is not four decimal "
                    "numbers"},
        {".1.2.3.4", "no_proxy: .1.2.3.4: dot before an address"},
        {"a%2", "no_proxy: a%2: percent sign in the name"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct no_proxy list = {0};
        struct whorl_error error = {0};
        char text[100];
        snprintf(text, sizeof text, "good.test, %s ,other.test", cases[i][0]);
        CHECK_EQ(no_proxy_parse(text, &error, &list), WHORL_EHTTP_PROXY_SETTING);
        CHECK_STR(error.text, cases[i][1]);
        CHECK(!list.rules);
    }
}

static int make_settings(void *arg)
{
    static const char *const urls[] = {"http://u:p@p.test", "socks5h://u:p@p.test"};
    int err = 0;

    (void)arg;
    for (size_t i = 0; i < 2 && err == 0; i++) {
        struct whorl_http_proxy setting = {.url = urls[i],
                                           .no_proxy = "a,b,c,d,10.0.0.0/8,[::1]:80,x.test"};
        struct http_proxies proxies;
        err = http_proxies_init(&proxies, &setting, NULL);
        http_proxies_finish(&proxies);
    }
    return err;
}

TEST(a_setting_survives_every_failed_allocation)
{
    CHECK(faults_sweep(make_settings, NULL) > 10);
}

TEST_MAIN()
