/* SPDX-License-Identifier: MIT */
/* The rules of robots.txt. */
#include <stdlib.h>

#include "test.h"
#include "tools/get/robots.h"

/* Whether whorl-get may fetch the path. */
static bool allows(const char *text, const char *target)
{
    struct robots robots = {0};

    CHECK_EQ(robots_parse(text, strlen(text), "whorl-get", &robots), 0);
    bool ret = robots_allows(&robots, target);
    robots_finish(&robots);
    return ret;
}

static bool matches(const char *pattern, const char *target)
{
    char text[512];

    snprintf(text, sizeof text, "User-agent: *\nDisallow: %s\n", pattern);
    return !allows(text, target);
}

TEST(without_rules_all_is_allowed)
{
    CHECK(allows("", "/a"));
    CHECK(allows("\xef\xbb\xbf# nothing\n\n", "/a"));
    CHECK(allows("Disallow: /\n", "/a")); /* a rule without a group */
    CHECK(allows("User-agent: *\nDisallow:\n", "/a"));
    CHECK(allows("User-agent: other\nDisallow: /\n", "/a"));
    CHECK(allows("Sitemap: http://h/Disallow: /\nhello", "/a"));
}

TEST(groups_are_those_of_the_product_or_of_all)
{
    static const char text[] = "User-agent: *\nDisallow: /all\n\n"
                               "User-agent: foobot\nUser-agent: WHORL-Get/1.0 (x)\nDisallow: /one\n"
                               "User-agent: bar\nDisallow: /\n"
                               "user-AGENT : whorl-get # again\nallow:/one/b\ndisallow: /two\n";

    CHECK(allows(text, "/all"));
    CHECK(!allows(text, "/one"));
    CHECK(allows(text, "/one/b"));
    CHECK(!allows(text, "/two"));
    CHECK(!allows("User-agent: *\nDisallow: /a\nUser-agent: *\nDisallow: /b\n", "/a"));
    /* Other tokens that begin or end in the same way. */
    CHECK(allows("User-agent: whorl\nDisallow: /\n", "/a"));
    CHECK(allows("User-agent: whorl-getter\nDisallow: /\n", "/a"));
    CHECK(allows("User-agent: x whorl-get\nDisallow: /\n", "/a"));
    CHECK(allows("User-agent: *bot\nDisallow: /\n", "/a"));
    /* A group for the product without rules replaces that for "*". */
    CHECK(allows("User-agent: *\nDisallow: /\nUser-agent: whorl-get\nDisallow:\n", "/a"));
    CHECK(allows("User-agent: whorl-get\nAllow: /\nUser-agent: *\nDisallow: /\n", "/a"));
}

TEST(other_lines_do_not_end_a_group)
{
    CHECK(!allows("User-agent: whorl-get\nSitemap: http://h/x\nCrawl-delay: 1\n"
                  "User-agent: b\nnonsense\n\nDisallow: /a\n",
                  "/a"));
    CHECK(!allows("User-agent: *\rDisallow: /a\r", "/a"));
    CHECK(!allows("User-agent: *\r\n\r\nDisallow: /a\r\n", "/a"));
    CHECK(!allows("\xef\xbb\xbfUser-agent: *\nDisallow: /a", "/a"));
}

/* RFC 9309 §5.1 */
TEST(example_of_the_rfc_with_groups)
{
    static const char text[] = "User-Agent: *\nDisallow: *.gif$\nDisallow: /example/\n"
                               "Allow: /publications/\n\n"
                               "User-Agent: whorl-get\nDisallow:/\nAllow:/example/page.html\n"
                               "Disallow:/example/allowed.gif\n\n"
                               "User-Agent: bazbot\nDisallow: /example/page.html\n\n"
                               "User-Agent: quxbot\n";

    CHECK(allows(text, "/example/page.html"));
    CHECK(!allows(text, "/example/allowed.gif"));
    CHECK(!allows(text, "/"));
    CHECK(matches("*.gif$", "/a/b.gif"));
    CHECK(!matches("*.gif$", "/a/b.gifs"));
}

/* RFC 9309 §5.2 */
TEST(the_longest_match_decides)
{
    static const char text[] = "User-Agent: *\nAllow: /example/page/\n"
                               "Disallow: /example/page/disallowed.gif\n";

    CHECK(allows(text, "/example/page/"));
    CHECK(!allows(text, "/example/page/disallowed.gif"));
    CHECK(!allows("User-agent: *\nDisallow: /a/b\nAllow: /a\n", "/a/b/c"));
    CHECK(allows("User-agent: *\nAllow: /a/b\nDisallow: /a\n", "/a/b/c"));
    CHECK(allows("User-agent: *\nDisallow: /a\nAllow: /a\n", "/a"));
    CHECK(allows("User-agent: *\nAllow: /a\nDisallow: /a\n", "/a"));
    CHECK(!allows("User-agent: *\nAllow: /a\nDisallow: /a*\n", "/a"));
    CHECK(allows("User-agent: *\nDisallow: /\n", "/robots.txt"));
}

TEST(patterns_have_stars_and_an_end)
{
    static const struct {
        const char *pattern, *target;
        bool is_match;
    } cases[] = {
        {"/", "/", true},
        {"/fish", "/fish.html", true},
        {"/fish", "/Fish", false},
        {"/fish", "/fi", false},
        {"/fish/", "/fish", false},
        {"fish", "/fish", false},
        {"/*.php", "/a.php5", true},
        {"/*.php$", "/a.php", true},
        {"/*.php$", "/a.php?x", false},
        {"/*.php$", "/a.php/b.php", true},
        {"/a*b*c", "/a1c2b3", false},
        {"/a*b*c", "/a1b2c3", true},
        {"*", "/x", true},
        {"**", "/x", true},
        {"/a$", "/a", true},
        {"/a$", "/ab", false},
        {"/$", "/", true},
        {"/$", "/a", false},
        {"/a$b", "/a$bc", true},
        {"/a$b", "/a", false},
        {"/ab*b$", "/ab", false},
        {"/*a*a$", "/a", false},
        {"/*?", "/a?", true},
        {"/*?", "/a", false},
        {"/aa*a$", "/aa", false},
        {"$", "/", false},
        {"/x*$", "/xy", true},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        printf("# %s %s\n", cases[i].pattern, cases[i].target);
        CHECK_EQ(matches(cases[i].pattern, cases[i].target), cases[i].is_match);
    }
}

/* RFC 9309 §2.2.2 and §2.2.3 */
TEST(octets_have_one_spelling)
{
    CHECK(matches("/foo/bar?baz=quz", "/foo/bar?baz=quz"));
    CHECK(matches("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar"));
    CHECK(matches("/foo/bar?baz=https%3a%2f%2ffoo.bar", "/foo/bar?baz=https://foo.bar"));
    CHECK(matches("/foo/bar/\xe3\x83\x84", "/foo/bar/%E3%83%84"));
    CHECK(matches("/foo/bar/%E3%83%84", "/foo/bar/%e3%83%84"));
    CHECK(matches("/foo/bar/%62%61%7A", "/foo/bar/baz"));
    CHECK(matches("/foo/bar/baz", "/foo/bar/%62%61%7A"));
    CHECK(!matches("/a%2Fb", "/a/b"));
    CHECK(!matches("/a%3Fb", "/a?b"));
    CHECK(matches("/path/file-with-a-%2A.html", "/path/file-with-a-*.html"));
    CHECK(!matches("/path/file-with-a-%2A.html", "/path/file-with-a-x.html"));
    CHECK(matches("/path/foo-%24", "/path/foo-$"));
    CHECK(!matches("/path/foo-%24", "/path/foo-"));
    CHECK(matches("/a%", "/a%25"));
    CHECK(!matches("/a%2", "/a2"));
}

TEST(a_long_file_is_read_to_its_limit)
{
    static const char head[] = "User-agent: *\nDisallow: /a\n#";
    char *text = malloc(ROBOTS_MAX + 100);
    struct robots robots = {0};

    memset(text, 'x', ROBOTS_MAX + 100);
    memcpy(text, head, sizeof head - 1);
    /* The last line is cut: what is left of it would forbid much more. */
    memcpy(text + ROBOTS_MAX - 14, "\nDisallow: /b/cccc\n", 19);
    CHECK_EQ(robots_parse(text, ROBOTS_MAX + 100, "whorl-get", &robots), 0);
    CHECK(!robots_allows(&robots, "/a"));
    CHECK(robots_allows(&robots, "/b/d"));
    robots_finish(&robots);
    free(text);
}

TEST(a_status_decides_without_a_file)
{
    static const struct {
        int status;
        bool has_text, allows;
    } cases[] = {{200, true, true},   {206, true, true},   {301, false, true},
                 {404, false, true},  {401, false, true},  {429, false, true},
                 {500, false, false}, {503, false, false}, {0, false, false}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct robots robots = {0};
        CHECK_EQ(robots_judge(cases[i].status, &robots), cases[i].has_text);
        CHECK_EQ(robots_allows(&robots, "/a"), cases[i].allows);
        CHECK(robots_allows(&robots, "/robots.txt"));
    }
}

TEST_MAIN()
