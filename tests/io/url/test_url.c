/* SPDX-License-Identifier: MIT */
/* URLs: RFC 3986 with all examples of §5.4, the canonical form, and what is refused. */
#include <stdlib.h>

#include <whorl/url.h>

#include "faults.h"
#include "test.h"

/* Checks that the parsed URL has the canonical text, and that this text parses to itself. */
static void expect_text(int line, const char *input, const char *expected)
{
    WHORL_AUTO(url) url = {0}, again = {0};
    struct whorl_error error = {0};
    int err = whorl_url_parse(input, &error, &url);
    if (err)
        test_fail(__FILE__, line, "\"%s\": %s", input, error.text);
    if (strcmp(url.text, expected) != 0)
        test_fail(__FILE__, line, "\"%s\" is \"%s\", expected \"%s\"", input, url.text, expected);
    err = whorl_url_parse(url.text, NULL, &again);
    if (err || strcmp(again.text, url.text) != 0)
        test_fail(__FILE__, line, "\"%s\" does not parse to itself", url.text);
}

static void expect_error(int line, const char *input, int expected)
{
    struct whorl_url url = {.port = 7};
    struct whorl_error error = {0};
    int err = whorl_url_parse(input, &error, &url);
    if (err != expected)
        test_fail(__FILE__, line, "\"%s\" gives %s, expected %s", input,
                  err ? whorl_error_name(err) : url.text, whorl_error_name(expected));
    CHECK_EQ(error.code, expected);
    CHECK_STR(error.step, "URL");
    CHECK(error.text[0] != '\0');
    CHECK(url.port == 7 && !url.buf); /* outputs are written on success only */
    CHECK_ERR(whorl_url_parse(input, NULL, &url), expected);
}

#define TEXT(input, expected) expect_text(__LINE__, input, expected)
#define BAD(input)            expect_error(__LINE__, input, WHORL_EHTTP_URL)

TEST(url_parse_splits_all_parts)
{
    WHORL_AUTO(url) url = {0};
    CHECK_OK(whorl_url_parse("HTTPS://us%65r:p%40ss@Example.ORG:8443/a/b?c=d&e#frag", NULL, &url));
    CHECK_STR(url.text, "https://example.org:8443/a/b?c=d&e");
    CHECK_STR(url.scheme, "https");
    CHECK_STR(url.userinfo, "us%65r:p%40ss");
    CHECK_STR(url.host, "example.org");
    CHECK_STR(url.authority, "example.org:8443");
    CHECK_STR(url.target, "/a/b?c=d&e");
    CHECK_EQ(url.port, 8443);
    CHECK(url.is_tls);
    CHECK(!url.host_is_ip);
}

TEST(url_that_was_not_set_is_refused)
{
    struct whorl_url url;
    struct whorl_error error = {0};

    CHECK_ERR(whorl_url_parse(NULL, &error, &url), WHORL_EHTTP_URL);
    CHECK_STR(error.text, "no URL given");
}

TEST(url_parse_fills_in_defaults)
{
    WHORL_AUTO(url) url = {0};
    CHECK_OK(whorl_url_parse("http://example.org", NULL, &url));
    CHECK_STR(url.text, "http://example.org/");
    CHECK_STR(url.target, "/");
    CHECK_STR(url.authority, "example.org");
    CHECK(!url.userinfo);
    CHECK_EQ(url.port, 80);
    CHECK(!url.is_tls);
}

TEST(url_default_port_is_left_out)
{
    TEXT("http://a:80/", "http://a/");
    TEXT("https://a:443/", "https://a/");
    TEXT("http://a:443/", "http://a:443/");
    TEXT("http://a:/", "http://a/");
    TEXT("http://a:00080/", "http://a/");
    TEXT("http://a:65535/", "http://a:65535/");
}

TEST(url_userinfo_stays_out_of_the_text)
{
    WHORL_AUTO(url) url = {0};
    CHECK_OK(whorl_url_parse("http://me:secret@a/x", NULL, &url));
    CHECK_STR(url.text, "http://a/x");
    CHECK_STR(url.authority, "a");
    TEXT("http://@a/", "http://a/");
    TEXT("http://:@a/", "http://a/");
}

TEST(url_errors_do_not_show_the_password)
{
    static const char *const inputs[] = {
        "http://me:secret@/",   "http://me:secret@a:99999/", "http://me:secret@1.2.3/",
        "http://me:secret^@a/", "http://me:secret@a@b/",     "http://me:secret@[::1/",
    };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++) {
        struct whorl_url url;
        struct whorl_error error = {0};
        CHECK_ERR(whorl_url_parse(inputs[i], &error, &url), WHORL_EHTTP_URL);
        CHECK(!strstr(error.text, "secret"));
    }
}

TEST(url_schemes_other_than_http_are_told_apart)
{
    static const char *const inputs[] = {
        "ftp://a/",   "mailto:a@b",      "javascript:alert(1)", "file:///etc/passwd",
        "httpx://a/", "h://a/",          "a+b-c.d:e",           "example.org:80/",
        "data:,x",    "https+unix://a/",
    };
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        expect_error(__LINE__, inputs[i], WHORL_EHTTP_SCHEME);
}

TEST(url_needs_scheme_slashes_and_host)
{
    BAD("");
    BAD("/path");
    BAD("//host/path");
    BAD("example.org/");
    BAD("1http://a/");
    BAD("://a/");
    BAD("http:");
    BAD("http:a");
    BAD("http:/a");
    BAD("http://");
    BAD("http:///a");
    BAD("http://?a");
    BAD("http://#a");
    BAD("http://:80/");
    BAD("http://u@/");
    BAD("http:\\\\a\\");
}

TEST(url_path_and_query_are_percent_encoded)
{
    TEXT("http://a/b c", "http://a/b%20c");
    TEXT("http://a/\"<>\\^`{|}", "http://a/%22%3C%3E%5C%5E%60%7B%7C%7D");
    TEXT("http://a/?\"<>\\^`{|}[ ]", "http://a/?%22%3C%3E%5C%5E%60%7B%7C%7D%5B%20%5D");
    TEXT("http://a/\xc3\xa4?\xc3\xb6", "http://a/%C3%A4?%C3%B6");
    TEXT("http://a/\xff", "http://a/%FF");
    TEXT("http://a/-._~!$&'()*+,;=:@/", "http://a/-._~!$&'()*+,;=:@/");
    TEXT("http://a/?-._~!$&'()*+,;=:@/?", "http://a/?-._~!$&'()*+,;=:@/?");
    TEXT("http://a/%41%2f%7e%C3%a4", "http://a/%41%2f%7e%C3%a4");
    TEXT("http://a/?", "http://a/?");
    TEXT("http://a?b", "http://a/?b");
    TEXT("http://a?b/../c", "http://a/?b/../c");
}

TEST(url_fragment_is_dropped)
{
    TEXT("http://a/b#c", "http://a/b");
    TEXT("http://a#c/d?e", "http://a/");
    TEXT("http://a/?b#c#d", "http://a/?b");
}

TEST(url_dot_segments_are_removed)
{
    TEXT("http://a/.", "http://a/");
    TEXT("http://a/..", "http://a/");
    TEXT("http://a/../../b", "http://a/b");
    TEXT("http://a/b/./c/../d", "http://a/b/d");
    TEXT("http://a/b/..", "http://a/");
    TEXT("http://a/b/c/..", "http://a/b/");
    TEXT("http://a/b/c/.", "http://a/b/c/");
    TEXT("http://a/%2e/b/%2E%2e/c", "http://a/c");
    TEXT("http://a/.%2E/%2e./c", "http://a/c");
    TEXT("http://a/.../..b/c../.d", "http://a/.../..b/c../.d");
    TEXT("http://a//b//..//c", "http://a//b//c");
    TEXT("http://a/b/..//c", "http://a//c");
    TEXT("http://a/%2e%2e%2e", "http://a/%2e%2e%2e");
}

TEST(url_control_bytes_are_refused)
{
    for (int c = 1; c < 0x80; c++) {
        char input[] = "http://a/b?c";
        static const size_t places[] = {0, 4, 7, 8, 9, 10, 11};
        if (c >= 0x20 && c != 0x7f)
            continue;
        for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
            char copy[sizeof input];
            memcpy(copy, input, sizeof input);
            copy[places[i]] = (char)c;
            BAD(copy);
        }
    }
    BAD("http://a/#\n");
    BAD("http://a/\r\nHost: b");
    BAD("ht\ntp://a/");
}

TEST(url_spaces_around_are_refused)
{
    BAD(" http://a/");
    BAD("http://a/ ");
    BAD("http:// a/");
    BAD("http://a b/");
    BAD("http://a :80/");
}

TEST(url_broken_percent_encoding_is_refused)
{
    BAD("http://a/%");
    BAD("http://a/%1");
    BAD("http://a/%g1");
    BAD("http://a/%1g");
    BAD("http://a/%%41");
    BAD("http://a/?100%");
    BAD("http://a%/");
    BAD("http://u%2@a/");
    TEXT("http://a/%00", "http://a/%00");
}

TEST(url_is_at_most_64_kib)
{
    static char text[65536 * 2];
    struct whorl_url url;
    memset(text, 'a', sizeof text);
    memcpy(text, "http://a/", 9);
    text[65535] = '\0';
    CHECK_OK(whorl_url_parse(text, NULL, &url));
    whorl_url_finish(&url);
    text[65535] = 'a';
    text[65537] = '\0';
    CHECK_ERR(whorl_url_parse(text, NULL, &url), WHORL_EHTTP_URL);
    memset(text + 9, '"', 40000); /* short enough now, but too long when encoded */
    text[40009] = '\0';
    CHECK_ERR(whorl_url_parse(text, NULL, &url), WHORL_EHTTP_URL);
}

/* --- hosts --- */

TEST(url_host_names)
{
    TEXT("http://ExAmPlE.Com/", "http://example.com/");
    TEXT("http://a.b-c.d_e.0y/", "http://a.b-c.d_e.0y/");
    TEXT("http://1a/", "http://1a/");
    TEXT("http://1.2.3.4a/", "http://1.2.3.4a/");
    TEXT("http://example.com./", "http://example.com./");
    TEXT("http://ex%61mple.com/", "http://example.com/");
    TEXT("http://localhost/", "http://localhost/");
    TEXT("http://xn--i-7iq.ws/", "http://xn--i-7iq.ws/");
    BAD("http://./");
    BAD("http://../");
    BAD("http://.a/");
    BAD("http://a..b/");
    BAD("http://a../");
    BAD("http://a,b/");
    BAD("http://a;b/");
    BAD("http://a|b/");
    BAD("http://<a>/");
    BAD("http://a*/");
    BAD("http://a!b/");
    BAD("http://a~b/");
    BAD("http://a%00b/");
    BAD("http://a%2fb/");
    BAD("http://a%40b/");
    BAD("http://a%3a80/");
    BAD("http://a%20b/");
    BAD("http://a%25b/");
    BAD("http://a%0ab/");
}

TEST(url_host_lengths_are_bounded)
{
    char input[2048], host[600] = "";
    struct whorl_url url;

    for (int i = 0; i < 63; i++)
        strcat(host, "x");
    snprintf(input, sizeof input, "http://%s/", host);
    CHECK_OK(whorl_url_parse(input, NULL, &url));
    whorl_url_finish(&url);
    snprintf(input, sizeof input, "http://%sx/", host);
    BAD(input);
    /* 63 + 1 + 63 + 1 + 63 + 1 + 61 = 253 */
    snprintf(input, sizeof input, "http://%s.%s.%s.%.61s/", host, host, host, host);
    CHECK_OK(whorl_url_parse(input, NULL, &url));
    CHECK_EQ(strlen(url.host), 253);
    whorl_url_finish(&url);
    snprintf(input, sizeof input, "http://%s.%s.%s.%.61s./", host, host, host, host);
    CHECK_OK(whorl_url_parse(input, NULL, &url));
    CHECK_EQ(strlen(url.host), 254);
    whorl_url_finish(&url);
    snprintf(input, sizeof input, "http://%s.%s.%s.%.62s/", host, host, host, host);
    BAD(input);
    memset(host, 'y', sizeof host - 1);
    snprintf(input, sizeof input, "http://%s.%s/", host, host);
    BAD(input);
}

TEST(url_ipv4_is_four_decimal_numbers_or_nothing)
{
    static const char *const bad[] = {
        "0x7f.1",       "0x7f.0.0.1", "0x7f000001",  "2130706433", "127.1",     "127.0.1",
        "0177.0.0.1",   "127.0.0.01", "256.0.0.1",   "1.2.3.4.5",  "1.2.3",     "127.0.0.1.",
        "1.2.3.0x4",    "a.1",        "a.0x1f",      "0",          "1.2.3.256", "1.2.3.08",
        "127.0.0.0x1",  "0x",         "99999999999", "1..2.3",     "%31.2.3",   "a.b.c.1",
        "127%2e0%2e01", "0X7F.1",     "1.2.3.4%2e5",
    };
    char input[64];
    WHORL_AUTO(url) url = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(input, sizeof input, "http://%s/", bad[i]);
        BAD(input);
    }
    CHECK_OK(whorl_url_parse("http://127.0.0.1:8080/", NULL, &url));
    CHECK(url.host_is_ip);
    CHECK_STR(url.host, "127.0.0.1");
    CHECK_STR(url.authority, "127.0.0.1:8080");
    TEXT("http://0.0.0.0/", "http://0.0.0.0/");
    TEXT("http://%31%32%37.0.0.1/", "http://127.0.0.1/");
}

TEST(url_ipv6_is_canonical_in_brackets)
{
    WHORL_AUTO(url) url = {0};
    CHECK_OK(whorl_url_parse("http://[2001:DB8:0:0:0:0:0:1]:81/", NULL, &url));
    CHECK(url.host_is_ip);
    CHECK_STR(url.host, "2001:db8::1");
    CHECK_STR(url.authority, "[2001:db8::1]:81");
    CHECK_STR(url.text, "http://[2001:db8::1]:81/");
    TEXT("http://[::]/", "http://[::]/");
    TEXT("http://[0:0:0:0:0:0:0:1]:80/", "http://[::1]/");
    TEXT("http://[::ffff:127.0.0.1]/", "http://[::ffff:127.0.0.1]/");
    BAD("http://[::1/");
    BAD("http://::1/");
    BAD("http://[]/");
    BAD("http://[1::2::3]/");
    BAD("http://[::1]a/");
    BAD("http://[::1]]/");
    BAD("http://[fe80::1%25eth0]/");
    BAD("http://[fe80::1%eth0]/");
    BAD("http://[fe80::1%31]/");
    BAD("http://[v1.x]/");
    BAD("http://[127.0.0.1]/");
    BAD("http://[::ffff:0x7f.1]/");
    BAD("http://[::1%00]/");
    BAD("http://[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]/");
    BAD("http://[ ::1]/");
}

TEST(url_ports_are_1_to_65535)
{
    BAD("http://a:0/");
    BAD("http://a:000/");
    BAD("http://a:65536/");
    BAD("http://a:4294967376/");
    BAD("http://a:18446744073709551696/");
    BAD("http://a:-1/");
    BAD("http://a:+80/");
    BAD("http://a:8 0/");
    BAD("http://a:80:80/");
    BAD("http://a:http/");
    BAD("http://a:%38%30/");
}

TEST(url_international_hosts_become_a_labels)
{
    TEXT("http://b\xc3\xbc"
         "cher.example/",
         "http://xn--bcher-kva.example/");
    TEXT("http://B\xc3\x9c"
         "CHER.example/",
         "http://xn--bcher-kva.example/");
    TEXT("http://bu\xcc\x88"
         "cher.example/",
         "http://xn--bcher-kva.example/");                  /* NFD */
    TEXT("http://fa\xc3\x9f.de/", "http://xn--fa-hia.de/"); /* not transitional */
    TEXT("http://b%C3%BCcher.example/", "http://xn--bcher-kva.example/");
    TEXT("http://\xe4\xbe\x8b\xe3\x81\x88.jp/", "http://xn--r8jz45g.jp/");
    TEXT("http://a\xe3\x80\x82"
         "b/",
         "http://a.b/"); /* ideographic full stop */
    BAD("http://\xff/");
    BAD("http://a\xc3/");
    BAD("http://%c3%28.example/");
    BAD("http://\xed\xa0\x80.example/"); /* a surrogate */
}

/* UTS 46 maps fullwidth characters to ASCII, and the result is checked like ASCII. */
TEST(url_mapping_cannot_hide_what_is_refused)
{
    BAD("http://a\xef\xbc\x8f"
        "b/"); /* fullwidth / */
    BAD("http://a\xef\xbc\xa0"
        "b/"); /* @ */
    BAD("http://a\xef\xbc\x9a"
        "80/"); /* : */
    BAD("http://a\xe2\x84\x80"
        "b/"); /* a/c as one character */
    BAD("http://\xef\xbc\x90"
        "x7f.1/");                                         /* 0x7f.1 */
    BAD("http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.1/"); /* 127.1 */
    BAD("http://\xc2\xad/");                               /* only a soft hyphen */
    TEXT("http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1/", "http://127.0.0.1/");
}

TEST(url_host_confusions_are_refused)
{
    BAD("http://good\\@evil/");
    BAD("http://good\\.evil/");
    BAD("http://good@a@evil/");
    BAD("http://a:b:c@evil:80@x/");
    BAD("http://u\\ser@a/");
    BAD("http://good:80\\@evil/");
    BAD("http://[good]@evil/");
    BAD("http://good\xef\xbc\xa0"
        "evil@x@y/");
    TEXT("http://evil/\\@good", "http://evil/%5C@good");
    TEXT("http://evil?@good", "http://evil/?@good");
    TEXT("http://evil#@good", "http://evil/");
    TEXT("http://good@evil/", "http://evil/");
}

TEST(url_errors_name_the_confusion)
{
    static const char *const cases[][2] = {
        {"http://good\\@evil/", "backslash before the path"},
        {"http://good@a@evil/", "more than one @ before the path"},
        {"http://[fe80::1%25eth0]/", "IPv6 zone in the host"},
        {"http://a/\x01", "control byte 0x01 at byte 9"},
        {"http://a/%g0", "no two hexadecimal digits after the % at byte 9"},
        {"ftp://a/", "scheme is ftp, not http or https"},
        {"http://a:0/", "port is 0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct whorl_url url;
        struct whorl_error error;
        CHECK(whorl_url_parse(cases[i][0], &error, &url) < 0);
        CHECK_STR(error.text, cases[i][1]);
    }
}

/* --- references --- */

static void expect_resolved(int line, const char *base_text, const char *reference,
                            const char *expected)
{
    WHORL_AUTO(url) base = {0}, url = {0};
    struct whorl_error error = {0};
    CHECK_OK(whorl_url_parse(base_text, NULL, &base));
    int err = whorl_url_resolve(&base, reference, &error, &url);
    if (err)
        test_fail(__FILE__, line, "\"%s\": %s", reference, error.text);
    if (strcmp(url.text, expected) != 0)
        test_fail(__FILE__, line, "\"%s\" is \"%s\", expected \"%s\"", reference, url.text,
                  expected);
}

/* RFC 3986 §5.4.1 and §5.4.2. Fragments are dropped, and URLs other than http are refused. */
TEST(url_resolve_does_all_examples_of_rfc_3986)
{
    static const char *const cases[][2] = {
        {"g", "http://a/b/c/g"},
        {"./g", "http://a/b/c/g"},
        {"g/", "http://a/b/c/g/"},
        {"/g", "http://a/g"},
        {"//g", "http://g/"},
        {"?y", "http://a/b/c/d;p?y"},
        {"g?y", "http://a/b/c/g?y"},
        {"#s", "http://a/b/c/d;p?q"},
        {"g#s", "http://a/b/c/g"},
        {"g?y#s", "http://a/b/c/g?y"},
        {";x", "http://a/b/c/;x"},
        {"g;x", "http://a/b/c/g;x"},
        {"g;x?y#s", "http://a/b/c/g;x?y"},
        {"", "http://a/b/c/d;p?q"},
        {".", "http://a/b/c/"},
        {"./", "http://a/b/c/"},
        {"..", "http://a/b/"},
        {"../", "http://a/b/"},
        {"../g", "http://a/b/g"},
        {"../..", "http://a/"},
        {"../../", "http://a/"},
        {"../../g", "http://a/g"},
        {"../../../g", "http://a/g"},
        {"../../../../g", "http://a/g"},
        {"/./g", "http://a/g"},
        {"/../g", "http://a/g"},
        {"g.", "http://a/b/c/g."},
        {".g", "http://a/b/c/.g"},
        {"g..", "http://a/b/c/g.."},
        {"..g", "http://a/b/c/..g"},
        {"./../g", "http://a/b/g"},
        {"./g/.", "http://a/b/c/g/"},
        {"g/./h", "http://a/b/c/g/h"},
        {"g/../h", "http://a/b/c/h"},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y"},
        {"g;x=1/../y", "http://a/b/c/y"},
        {"g?y/./x", "http://a/b/c/g?y/./x"},
        {"g?y/../x", "http://a/b/c/g?y/../x"},
        {"g#s/./x", "http://a/b/c/g"},
        {"g#s/../x", "http://a/b/c/g"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_resolved(__LINE__, "http://a/b/c/d;p?q", cases[i][0], cases[i][1]);

    WHORL_AUTO(url) base = {0};
    struct whorl_url url = {0};
    CHECK_OK(whorl_url_parse("http://a/b/c/d;p?q", NULL, &base));
    CHECK_ERR(whorl_url_resolve(&base, "g:h", NULL, &url), WHORL_EHTTP_SCHEME);
    CHECK_ERR(whorl_url_resolve(&base, "http:g", NULL, &url), WHORL_EHTTP_URL);
}

TEST(url_resolve_takes_what_servers_send)
{
    expect_resolved(__LINE__, "https://a:8443/x?y", "/login?next=/x#top",
                    "https://a:8443/login?next=/x");
    expect_resolved(__LINE__, "https://a/x", "//b:80/y", "https://b:80/y");
    expect_resolved(__LINE__, "https://a/x", "HTTP://B/Y", "http://b/Y");
    expect_resolved(__LINE__, "http://a", "b", "http://a/b");
    expect_resolved(__LINE__, "http://a?q", "", "http://a/?q");
    expect_resolved(__LINE__, "http://a/?q", "?", "http://a/?");
    expect_resolved(__LINE__, "http://a/b/c?d/e", "f", "http://a/b/f");
    expect_resolved(__LINE__, "http://a/b", "1:2", "http://a/1:2");
    expect_resolved(__LINE__, "http://a/", "a b\xc3\xa4", "http://a/a%20b%C3%A4");
    expect_resolved(__LINE__, "http://[::1]:81/a", "b", "http://[::1]:81/b");
    expect_resolved(__LINE__, "http://a/", "//b", "http://b/");
    expect_resolved(__LINE__, "http://a/", "/.//b", "http://a//b");
    expect_resolved(__LINE__, "http://a/b/", "..//c", "http://a//c");
    expect_resolved(__LINE__, "http://a/", "%2e%2E/b", "http://a/b");
}

/* Browsers read these as "//evil". Here they never change the host. */
TEST(url_resolve_does_not_let_backslashes_change_the_host)
{
    expect_resolved(__LINE__, "http://a/", "\\\\evil/x", "http://a/%5C%5Cevil/x");
    expect_resolved(__LINE__, "http://a/", "/\\evil/x", "http://a/%5Cevil/x");
    expect_resolved(__LINE__, "http://a/", "\\/evil/x", "http://a/%5C/evil/x");
}

TEST(url_resolve_refuses_what_parse_refuses)
{
    static const char *const references[] = {
        "///x", "//",     "//a@b@c", "b\r\nX: y", "\tb",     " b",     "b ",
        "b%",   "//a:0/", "//1.2/",  "//a\\b",    "http:/b", "https:",
    };
    WHORL_AUTO(url) base = {0};
    CHECK_OK(whorl_url_parse("http://a/", NULL, &base));
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        struct whorl_url url = {0};
        if (whorl_url_resolve(&base, references[i], NULL, &url) != WHORL_EHTTP_URL)
            test_fail(__FILE__, __LINE__, "\"%s\" is accepted", references[i]);
    }
}

TEST(url_resolve_keeps_userinfo_within_the_authority_only)
{
    WHORL_AUTO(url) base = {0}, same = {0}, other = {0};
    CHECK_OK(whorl_url_parse("http://me:pw@a:81/b", NULL, &base));
    CHECK_OK(whorl_url_resolve(&base, "c", NULL, &same));
    CHECK_STR(same.userinfo, "me:pw");
    CHECK_STR(same.text, "http://a:81/c");
    CHECK_OK(whorl_url_resolve(&base, "//a:81/c", NULL, &other));
    CHECK(!other.userinfo);
}

TEST(url_same_origin_compares_scheme_host_and_port)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"http://a/x", "http://A:80/y?z", true}, {"https://a", "https://a:443/", true},
        {"http://a", "https://a", false},        {"http://a:443", "https://a:443", false},
        {"http://a", "http://b", false},         {"http://a", "http://a:81", false},
        {"http://a", "http://a.", false},        {"http://u:p@a", "http://a", true},
        {"http://[::1]", "http://[0::1]", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        WHORL_AUTO(url) a = {0}, b = {0};
        CHECK_OK(whorl_url_parse(cases[i].a, NULL, &a));
        CHECK_OK(whorl_url_parse(cases[i].b, NULL, &b));
        CHECK_EQ(whorl_url_same_origin(&a, &b), cases[i].same);
    }
}

static int use_all(void *arg)
{
    WHORL_AUTO(url) base = {0}, relative = {0};
    static const char start[] = "http://me:pw@b\xc3\xbc"
                                "cher.example/";
    char text[3000];
    (void)arg;
    /* A path that is too long for the scratch buffer on the stack. */
    memset(text, 'x', sizeof text);
    memcpy(text, start, sizeof start - 1);
    text[sizeof text - 1] = '\0';
    int err = whorl_url_parse(text, NULL, &base);
    return err ? err : whorl_url_resolve(&base, "c?d", NULL, &relative);
}

TEST(url_survives_every_failed_allocation)
{
    CHECK(faults_sweep(use_all, NULL) >= 5);
}

TEST(url_finish_accepts_a_zeroed_struct)
{
    struct whorl_url url = {0};
    whorl_url_finish(&url);
    CHECK_OK(whorl_url_parse("http://a/", NULL, &url));
    whorl_url_finish(&url);
    CHECK(!url.buf && !url.text);
    whorl_url_finish(&url);
}

TEST_MAIN()
