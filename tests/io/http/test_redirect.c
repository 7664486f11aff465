/* SPDX-License-Identifier: MIT */
/* Redirects: which ones are followed, with which method, and which headers are dropped. */
#include "faults.h"
#include "io/http/redirect.h"
#include "test.h"

/* Decides about a response with these Location headers (up to NULL). */
static int judge(struct redirect *ret, const char *current, const char *method, int status,
                 const char *const *locations, struct whorl_error *error)
{
    WHORL_AUTO(url) url = {0};
    struct header_list headers = {0};

    CHECK_OK(whorl_url_parse(current, NULL, &url));
    CHECK_OK(header_list_append(&headers, "Server", "x"));
    for (; *locations; locations++)
        CHECK_OK(header_list_append(&headers, "location", *locations));
    int result = redirect_follow(ret, &url, method, status, &headers, error);
    header_list_finish(&headers);
    return result;
}

static void expect(int line, const char *current, const char *location, const char *text,
                   bool cross_origin, bool is_downgrade)
{
    struct redirect r = {0};
    int result = judge(&r, current, "GET", 302, (const char *[]){location, NULL}, NULL);
    if (result != 1 || strcmp(r.url.text, text) != 0 || r.cross_origin != cross_origin ||
        r.is_downgrade != is_downgrade)
        test_fail(__FILE__, line, "%d: \"%s\" cross %d down %d", result,
                  r.url.text ? r.url.text : "", r.cross_origin, r.is_downgrade);
    whorl_url_finish(&r.url);
}

TEST(redirect_method_follows_rfc_9110)
{
    static const struct {
        int status;
        const char *method, *next;
    } cases[] = {
        {301, "GET", "GET"},    {302, "GET", "GET"},       {303, "GET", "GET"},
        {307, "GET", "GET"},    {308, "GET", "GET"},       {301, "HEAD", "HEAD"},
        {302, "HEAD", "HEAD"},  {303, "HEAD", "HEAD"},     {307, "HEAD", "HEAD"},
        {308, "HEAD", "HEAD"},  {301, "POST", "GET"},      {302, "POST", "GET"},
        {303, "POST", "GET"},   {307, "POST", "POST"},     {308, "POST", "POST"},
        {301, "PUT", "PUT"},    {302, "DELETE", "DELETE"}, {303, "PUT", "GET"},
        {303, "DELETE", "GET"}, {307, "PATCH", "PATCH"},   {303, "OPTIONS", "GET"},
        {301, "post", "post"},  {303, "head", "GET"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct redirect r = {0};
        CHECK_EQ(judge(&r, "http://a/", cases[i].method, cases[i].status,
                       (const char *[]){"/b", NULL}, NULL),
                 1);
        if (strcmp(r.method, cases[i].next) != 0)
            test_fail(__FILE__, __LINE__, "%d %s becomes %s", cases[i].status, cases[i].method,
                      r.method);
        CHECK_EQ(r.drop_body, strcmp(cases[i].method, cases[i].next) != 0);
        whorl_url_finish(&r.url);
    }
}

TEST(redirect_other_statuses_are_responses)
{
    static const int statuses[] = {200, 201, 204, 300, 304, 305, 306, 309, 399, 404, 503};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        struct redirect r = {0};
        CHECK_EQ(judge(&r, "http://a/", "GET", statuses[i], (const char *[]){"/b", NULL}, NULL), 0);
        CHECK(!r.url.buf);
    }
}

TEST(redirect_without_location_is_a_response)
{
    struct redirect r = {0};
    CHECK_EQ(judge(&r, "http://a/", "GET", 301, (const char *[]){NULL}, NULL), 0);
}

TEST(redirect_resolves_location_and_compares_origins)
{
    expect(__LINE__, "http://a/b/c?d", "e", "http://a/b/e", false, false);
    expect(__LINE__, "http://a/b/c?d", "?e", "http://a/b/c?e", false, false);
    expect(__LINE__, "http://a/b", "http://a:80/c", "http://a/c", false, false);
    expect(__LINE__, "http://a/b", "//c/d", "http://c/d", true, false);
    expect(__LINE__, "http://a/b", "http://a:81/", "http://a:81/", true, false);
    expect(__LINE__, "http://a/b", "https://a/b", "https://a/b", true, false);
    expect(__LINE__, "https://a/b", "http://a/b", "http://a/b", true, true);
    expect(__LINE__, "https://a/b", "https://c/b", "https://c/b", true, false);
    expect(__LINE__, "http://a/b#x", "/c#y", "http://a/c", false, false);
    expect(__LINE__, "http://a/b", "/c d\xc3\xa4", "http://a/c%20d%C3%A4", false, false);
    expect(__LINE__, "http://a/b", "\\\\evil/x", "http://a/%5C%5Cevil/x", false, false);
}

TEST(redirect_takes_a_bare_percent_for_itself)
{
    expect(__LINE__, "http://a/b", "/100%", "http://a/100%25", false, false);
    expect(__LINE__, "http://a/b", "/100%/c?d=5%", "http://a/100%25/c?d=5%25", false, false);
    expect(__LINE__, "http://a/b", "%%41%4", "http://a/%25%41%254", false, false);
    expect(__LINE__, "http://a/b", "http://c/%zz%4g%", "http://c/%25zz%254g%25", true, false);
    expect(__LINE__, "http://a/b", "/%2f%7E%c3%a4", "http://a/%2f%7E%c3%a4", false, false);
}

TEST(redirect_keeps_userinfo_on_the_same_origin_only)
{
    static const struct {
        const char *location, *userinfo;
    } cases[] = {
        {"/c", "me:pw"},
        {"http://a/c", "me:pw"},
        {"http://a:80/c?d", "me:pw"},
        {"http://you:x@a/c", "you:x"},
        {"http://b/c", NULL},
        {"//b/c", NULL},
        {"https://a/c", NULL},
        {"http://a:81/c", NULL},
        {"http://you:x@b/c", "you:x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct redirect r = {0};
        CHECK_EQ(judge(&r, "http://me:pw@a/b", "GET", 301,
                       (const char *[]){cases[i].location, NULL}, NULL),
                 1);
        if (cases[i].userinfo)
            CHECK_STR(r.url.userinfo, cases[i].userinfo);
        else
            CHECK(!r.url.userinfo);
        whorl_url_finish(&r.url);
    }
}

TEST(redirect_to_other_schemes_is_refused)
{
    static const char *const locations[] = {"ftp://a/", "file:///etc/passwd", "javascript:x",
                                            "data:text/html,x"};
    for (size_t i = 0; i < sizeof locations / sizeof *locations; i++) {
        struct redirect r = {0};
        struct whorl_error error = {0};
        CHECK_ERR(judge(&r, "http://a/", "GET", 302, (const char *[]){locations[i], NULL}, &error),
                  WHORL_EHTTP_NOT_REDIRECTABLE);
        CHECK_EQ(error.code, WHORL_EHTTP_NOT_REDIRECTABLE);
        CHECK_STR(error.step, "redirect");
        CHECK(!r.url.buf);
    }
}

TEST(redirect_with_an_unusable_location_is_refused)
{
    static const char *const locations[] = {
        "", "//", "http:x", "http://[::1/", "//a%/", "//0x7f.1/", "//[fe80::1%eth0]/"};
    for (size_t i = 0; i < sizeof locations / sizeof *locations; i++) {
        struct redirect r = {0};
        struct whorl_error error = {0};
        CHECK_ERR(judge(&r, "http://a/", "GET", 302, (const char *[]){locations[i], NULL}, &error),
                  WHORL_EHTTP_REDIRECT_LOCATION);
        CHECK(error.text[0]);
    }
}

TEST(redirect_with_several_locations_must_be_unanimous)
{
    struct redirect r = {0};
    CHECK_EQ(judge(&r, "http://a/", "GET", 302, (const char *[]){"/b", "/b", NULL}, NULL), 1);
    whorl_url_finish(&r.url);
    CHECK_ERR(judge(&r, "http://a/", "GET", 302, (const char *[]){"/b", "/c", NULL}, NULL),
              WHORL_EHTTP_REDIRECT_LOCATION);
    CHECK_ERR(judge(&r, "http://a/", "GET", 302, (const char *[]){"/b", "/b", "/c", NULL}, NULL),
              WHORL_EHTTP_REDIRECT_LOCATION);
}

TEST(redirect_harmless_and_body_headers_are_known)
{
    static const char *const secret[] = {"authorization", "Cookie",    "PROXY-AUTHORIZATION",
                                         "Host",          "X-Api-Key", "X-Whatever",
                                         "Referer",       "Origin"};
    static const char *const harmless[] = {"accept", "Range", "If-None-Match", "User-Agent",
                                           "Content-Type"};
    for (size_t i = 0; i < sizeof secret / sizeof *secret; i++)
        CHECK(!redirect_is_harmless(secret[i]));
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        CHECK(redirect_is_harmless(harmless[i]));
    CHECK(redirect_is_about_body("content-type"));
    CHECK(redirect_is_about_body("Content-Encoding"));
    CHECK(redirect_is_about_body("Expect"));
    CHECK(!redirect_is_about_body("Accept"));
    CHECK(!redirect_is_about_body("Content"));
}

static int follow_one(void *arg)
{
    WHORL_AUTO(url) url = {0};
    struct header_list headers = {0};
    struct redirect r = {0};
    (void)arg;
    int err = whorl_url_parse("http://me:pw@a/b", NULL, &url);
    if (err == 0)
        err = header_list_append(&headers, "Location", "http://a/c");
    if (err == 0)
        err = redirect_follow(&r, &url, "GET", 301, &headers, NULL);
    whorl_url_finish(&r.url);
    header_list_finish(&headers);
    return err < 0 ? err : 0;
}

TEST(redirect_survives_every_failed_allocation)
{
    CHECK(faults_sweep(follow_one, NULL) >= 5);
}

TEST_MAIN()
