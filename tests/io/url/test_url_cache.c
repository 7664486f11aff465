/* SPDX-License-Identifier: MIT */
/* The cache of the last URL: it gives what the parser gives. */
#include <stdlib.h>

#include "faults.h"
#include "io/url/cache.h"
#include "test.h"

static void check_equal(const struct whorl_url *a, const struct whorl_url *b)
{
    CHECK_STR(a->text, b->text);
    CHECK_STR(a->scheme, b->scheme);
    CHECK_STR(a->host, b->host);
    CHECK_STR(a->authority, b->authority);
    CHECK_STR(a->target, b->target);
    CHECK_EQ(!a->userinfo, !b->userinfo);
    if (a->userinfo)
        CHECK_STR(a->userinfo, b->userinfo);
    CHECK_EQ(a->port, b->port);
    CHECK_EQ(a->is_tls, b->is_tls);
    CHECK_EQ(a->host_is_ip, b->host_is_ip);
}

static void check_parse(struct url_cache *cache, const char *text)
{
    WHORL_AUTO(url) parsed = {0}, cached = {0};
    CHECK_OK(whorl_url_parse(text, NULL, &parsed));
    CHECK_OK(url_cache_parse(cache, text, NULL, &cached));
    check_equal(&cached, &parsed);
}

TEST(a_cached_url_is_the_same_as_a_parsed_one)
{
    static const char *const texts[] = {"http://127.0.0.1:8080/a?b", "https://Example.org",
                                        "http://name:pass@[::1]/%7e/../x#f"};
    struct url_cache cache = {0};
    for (int i = 0; i < 3; i++)
        for (int repeat = 0; repeat < 4; repeat++)
            check_parse(&cache, texts[i]);
    CHECK(cache.text);
    url_cache_finish(&cache);
}

TEST(a_changed_text_at_the_same_address_is_parsed)
{
    char text[] = "http://host/a";
    struct url_cache cache = {0};
    for (char c = 'a'; c < 'f'; c++) {
        text[sizeof text - 2] = c;
        check_parse(&cache, text);
        check_parse(&cache, text);
        check_parse(&cache, text);
    }
    text[0] = 'x';
    struct whorl_url url;
    CHECK_ERR(url_cache_parse(&cache, text, NULL, &url), WHORL_EHTTP_SCHEME);
    CHECK_ERR(url_cache_parse(&cache, NULL, NULL, &url), WHORL_EHTTP_URL);
    CHECK_ERR(url_cache_parse(&cache, NULL, NULL, &url), WHORL_EHTTP_URL);
    url_cache_finish(&cache);
}

TEST(urls_that_are_used_once_are_not_remembered)
{
    struct url_cache cache = {0};
    check_parse(&cache, "http://host/a");
    check_parse(&cache, "http://host/b");
    CHECK(!cache.text);
    url_cache_finish(&cache);
}

static int parse_thrice(void *arg)
{
    struct url_cache cache = {0};
    int err = 0;

    for (int i = 0; i < 3 && err == 0; i++) {
        WHORL_AUTO(url) url = {0};
        err = url_cache_parse(&cache, arg, NULL, &url);
    }
    url_cache_finish(&cache);
    return err;
}

TEST(no_failed_allocation_leaks)
{
    CHECK_EQ(faults_sweep(parse_thrice, "http://host/a"), 5);
}

TEST_MAIN()
