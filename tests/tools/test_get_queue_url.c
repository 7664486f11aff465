/* SPDX-License-Identifier: MIT */
/* How whorl-get reads the URL of --queue. */
#include <errno.h>

#include <whorl/base.h>

#include "test.h"
#include "tools/get/queue_url.h"

static struct queue_url url;
static char why[QUEUE_URL_WHY_SIZE];

#define CHECK_BAD(text, expected)                            \
    do {                                                     \
        CHECK_EQ(queue_url_parse(&url, text, why), -EINVAL); \
        CHECK_STR(why, expected);                            \
        queue_url_finish(&url);                              \
    } while (0)

TEST(a_host_is_enough)
{
    CHECK_EQ(queue_url_parse(&url, "redis://example.org", why), 0);
    CHECK_STR(url.host, "example.org");
    CHECK_EQ(url.port, 6379);
    CHECK(!url.is_tls && !url.unix_path && !url.user && !url.password && !url.waits);
    CHECK_EQ(url.db, 0);
    CHECK_STR(url.stream, "urls");
    CHECK_STR(url.group, "whorl-get");
    CHECK(!url.results && !url.consumer);
    CHECK_EQ(url.claim_ns, 60 * WHORL_SECOND);
    CHECK_EQ(url.deliveries_max, 5);
    CHECK_STR(url.shown, "redis://example.org:6379/0");
    queue_url_finish(&url);
    queue_url_finish(&url);
}

TEST(all_parts_are_decoded)
{
    CHECK_EQ(queue_url_parse(&url,
                             "REDISS://me:a%40b%3Ac:d@[::1]:7/12?stream=a%26b&group=g&results=r%2F"
                             "&consumer=c&claim=1.5s&deliveries=9&wait=1",
                             why),
             0);
    CHECK(url.is_tls);
    CHECK_STR(url.user, "me");
    CHECK_STR(url.password, "a@b:c:d");
    CHECK_STR(url.host, "::1");
    CHECK_EQ(url.port, 7);
    CHECK_EQ(url.db, 12);
    CHECK_STR(url.stream, "a&b");
    CHECK_STR(url.group, "g");
    CHECK_STR(url.results, "r/");
    CHECK_STR(url.consumer, "c");
    CHECK_EQ(url.claim_ns, 1500 * WHORL_MILLISECOND);
    CHECK_EQ(url.deliveries_max, 9);
    CHECK(url.waits);
    CHECK_STR(url.shown, "rediss://[::1]:7/12");
    queue_url_finish(&url);
}

TEST(a_password_needs_no_user)
{
    CHECK_EQ(queue_url_parse(&url, "redis://:p@ss@h/?wait=0", why), 0);
    CHECK(!url.user && !url.waits);
    CHECK_STR(url.password, "p@ss");
    CHECK_STR(url.host, "h");
    queue_url_finish(&url);
}

TEST(a_unix_socket_is_a_path)
{
    CHECK_EQ(queue_url_parse(&url, "redis+unix://:pw@/run/a%20b?db=3", why), 0);
    CHECK_STR(url.unix_path, "/run/a b");
    CHECK_STR(url.password, "pw");
    CHECK_EQ(url.db, 3);
    CHECK_STR(url.shown, "redis+unix:/run/a b");
    queue_url_finish(&url);
}

TEST(control_bytes_do_not_reach_messages)
{
    CHECK_EQ(queue_url_parse(&url, "redis+unix:///a%1b[1m", why), 0);
    CHECK(!strchr(url.shown, '\x1b'));
    queue_url_finish(&url);
}

TEST(other_urls_are_refused)
{
    CHECK_BAD("http://h", "must begin with redis://, rediss:// or redis+unix://");
    CHECK_BAD("", "must begin with redis://, rediss:// or redis+unix://");
    CHECK_BAD("redis://", "has no host");
    CHECK_BAD("redis://:1", "has no host");
    CHECK_BAD("redis://h:0", "needs a port from 1 to 65535");
    CHECK_BAD("redis://h:", "needs a port from 1 to 65535");
    CHECK_BAD("redis://h:65536", "needs a port from 1 to 65535");
    CHECK_BAD("redis://[::1", "has no ] after the address of its host");
    CHECK_BAD("redis://[::1]x", "has no ] after the address of its host");
    CHECK_BAD("redis://h/x", "needs the number of a database, such as /0");
    CHECK_BAD("redis://h/-1", "needs the number of a database, such as /0");
    CHECK_BAD("redis://h/1/2", "needs the number of a database, such as /0");
    CHECK_BAD("redis://h#a", "must not have a fragment; write # as %23");
    CHECK_BAD("redis://secret@h", "has a user but no password; write USER:PASSWORD@ or :PASSWORD@");
    CHECK_BAD("redis://me:@h", "has a user but no password");
    CHECK_BAD("redis://:%@h", "has a % without two hexadecimal digits in its password");
    CHECK_BAD("redis://:a%00@h", "has a % without two hexadecimal digits in its password");
    CHECK_BAD("redis://h?stream=%4", "has a % without two hexadecimal digits");
    CHECK_BAD("redis://h?stream=", "needs a name for stream, group, results and consumer");
    CHECK_BAD("redis://h?stream", "has a parameter without a value");
    CHECK_BAD("redis://h?claim=99ms", "needs a time from 100ms to 24h for claim");
    CHECK_BAD("redis://h?claim=25h", "needs a time from 100ms to 24h for claim");
    CHECK_BAD("redis://h?claim=x", "needs a time from 100ms to 24h for claim");
    CHECK_BAD("redis://h?deliveries=0", "needs a number from 1 for deliveries");
    CHECK_BAD("redis://h?wait=yes", "needs 0 or 1 for wait");
    CHECK_BAD("redis+unix://h/a",
              "needs the path of a Unix socket, such as redis+unix:///run/redis");
    CHECK_BAD("redis+unix://", "needs the path of a Unix socket, such as redis+unix:///run/redis");
    CHECK_EQ(queue_url_parse(&url, "redis://h?name=x", why), -EINVAL);
    CHECK(strstr(why, "unknown parameter"));
    CHECK(strstr(why, "wait and db")); /* it is whole */
    queue_url_finish(&url);
}

TEST_MAIN()
