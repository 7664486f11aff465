/* SPDX-License-Identifier: MIT */
/* Which links are followed, where their files go, and how links to files are written. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/url.h>

#include "test.h"
#include "tools/get/convert.h"
#include "tools/get/crawl_filter.h"
#include "tools/get/options.h"
#include "tools/get/target.h"

static enum crawl_verdict judge(const struct options *options, const char *from, const char *to,
                                enum reference_kind kind)
{
    WHORL_AUTO(url) a = {0};
    WHORL_AUTO(url) b = {0};

    CHECK_EQ(whorl_url_parse(from, NULL, &a), 0);
    CHECK_EQ(whorl_url_parse(to, NULL, &b), 0);
    return crawl_judge(options, &a, &a, kind, &b);
}

static enum crawl_verdict judge_page(const struct options *options, const char *from,
                                     const char *to)
{
    return judge(options, from, to, REFERENCE_PAGE);
}

TEST(hosts_are_compared_with_their_ports)
{
    struct options o = {0};

    CHECK_EQ(judge_page(&o, "http://h.test/a", "http://h.test/b"), CRAWL_FOLLOW);
    CHECK_EQ(judge_page(&o, "http://h.test/a", "https://h.test/b"), CRAWL_FOLLOW);
    CHECK_EQ(judge_page(&o, "http://h.test/a", "http://H.TEST:80/b"), CRAWL_FOLLOW);
    CHECK_EQ(judge_page(&o, "http://h.test/a", "http://h.test:81/b"), CRAWL_OTHER_HOST);
    CHECK_EQ(judge_page(&o, "http://h.test:443/a", "https://h.test/b"), CRAWL_FOLLOW);
    CHECK_EQ(judge_page(&o, "http://h.test:8443/a", "https://h.test/b"), CRAWL_OTHER_HOST);
    CHECK_EQ(judge_page(&o, "http://h.test/a", "http://www.h.test/b"), CRAWL_OTHER_HOST);
    o.span_hosts = true;
    CHECK_EQ(judge_page(&o, "http://h.test/a", "http://x.test:81/b"), CRAWL_FOLLOW);
}

TEST(domains_contain_the_hosts_that_end_with_them)
{
    struct options o = {.domains = ",x.test,.Y.test,10.0.0.1"};
    static const struct {
        const char *to;
        bool follows;
    } cases[] = {{"http://x.test/", true},     {"http://a.b.x.test:8/", true},
                 {"http://ax.test/", false},   {"http://y.test/", true},
                 {"http://www.y.test/", true}, {"http://10.0.0.1/", true},
                 {"http://test/", false},      {"http://x.test.z/", false}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_EQ(judge_page(&o, "http://h/", cases[i].to) == CRAWL_FOLLOW, cases[i].follows);
    o.domains = "0.0.1"; /* the end of an address is no domain */
    CHECK_EQ(judge_page(&o, "http://h/", "http://10.0.0.1/"), CRAWL_OTHER_HOST);
}

TEST(no_parent_stays_in_the_directory)
{
    struct options o = {.no_parent = true, .span_hosts = true};

    CHECK_EQ(judge_page(&o, "http://h/d/a?x/y", "http://h/d/b"), CRAWL_FOLLOW);
    CHECK_EQ(judge_page(&o, "http://h/d/a", "http://h/d/e/f"), CRAWL_FOLLOW);
    CHECK_EQ(judge_page(&o, "http://h/d/a", "http://h/d"), CRAWL_ABOVE_START);
    CHECK_EQ(judge_page(&o, "http://h/d/a", "http://h/d/../x"), CRAWL_ABOVE_START);
    CHECK_EQ(judge_page(&o, "http://h/d/a", "http://h/de"), CRAWL_ABOVE_START);
    CHECK_EQ(judge_page(&o, "http://h/d/a", "http://other/"), CRAWL_FOLLOW);
    CHECK_EQ(judge(&o, "http://h/d/a", "http://h/i", REFERENCE_RESOURCE), CRAWL_ABOVE_START);
    o.page_requisites = true;
    CHECK_EQ(judge(&o, "http://h/d/a", "http://h/i", REFERENCE_RESOURCE), CRAWL_FOLLOW);
    CHECK_EQ(judge_page(&o, "http://h/d/a", "http://h/i"), CRAWL_ABOVE_START);
}

TEST(patterns_are_compared_with_names_or_urls)
{
    struct options o = {.accept = "*.png,a?c,*/d/*"};
    static const struct {
        const char *to;
        enum crawl_verdict verdict;
    } cases[] = {{"http://h/x.png", CRAWL_FOLLOW},      {"http://h/x.png?a=b", CRAWL_FOLLOW},
                 {"http://h/x.pngs", CRAWL_PATTERN},    {"http://h/abc", CRAWL_FOLLOW},
                 {"http://h/abcd", CRAWL_PATTERN},      {"http://h/d/x", CRAWL_FOLLOW},
                 {"http://h/x?y=/d/z", CRAWL_FOLLOW},   {"http://h/", CRAWL_LINKS_ONLY},
                 {"http://h/x.HTML", CRAWL_LINKS_ONLY}, {"http://h/x.htm?a", CRAWL_LINKS_ONLY}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_EQ(judge_page(&o, "http://h/", cases[i].to), cases[i].verdict);
    CHECK_EQ(judge(&o, "http://h/", "http://h/x.html", REFERENCE_RESOURCE), CRAWL_PATTERN);
    o = (struct options){.accept = "*.png", .reject = "b*"};
    CHECK_EQ(judge_page(&o, "http://h/", "http://h/a.png"), CRAWL_FOLLOW);
    CHECK_EQ(judge_page(&o, "http://h/", "http://h/b.png"), CRAWL_PATTERN);
}

static const char *relative(const char *from, const char *to)
{
    static char text[256];
    struct buffer made = {0};

    convert_add_relative(&made, from, to);
    snprintf(text, sizeof text, "%s", made.text);
    buffer_finish(&made);
    return text;
}

TEST(references_to_files_are_relative_and_encoded)
{
    CHECK_STR(relative("h/a", "h/b"), "b");
    CHECK_STR(relative("h/a", "h/a"), "a");
    CHECK_STR(relative("h/d/a", "h/b"), "../b");
    CHECK_STR(relative("h/a", "h/d/e/b"), "d/e/b");
    CHECK_STR(relative("h/d/e/a", "g/b"), "../../../g/b");
    CHECK_STR(relative("h/da/x", "h/d/y"), "../d/y");
    CHECK_STR(relative("h/a", "h/b?c=d&e%20f#g"), "b%3Fc%3Dd%26e%2520f%23g");
    CHECK_STR(relative("h/a", "h/x:y\"'\xc3\xa9"), "x%3Ay%22%27%C3%A9");
}

static const char *decide(const struct options *options, const char *text, const char *out)
{
    static char path[1024];
    struct target target = {0};
    WHORL_AUTO(url) url = {0};

    CHECK_EQ(whorl_url_parse(text, NULL, &url), 0);
    CHECK_EQ(target_decide(&target, options, &url, 1, out), 0);
    snprintf(path, sizeof path, "%s%s", target.subdir, target.name);
    target_finish(&target);
    return path;
}

TEST(files_have_the_directories_of_their_urls)
{
    struct options o = {0};

    CHECK_STR(decide(&o, "http://h/a/b?c", NULL), "b?c");
    o.force_directories = true;
    CHECK_STR(decide(&o, "http://h/", NULL), "h/index.html");
    CHECK_STR(decide(&o, "https://h:8443/a/b?c/d", NULL), "h:8443/a/b?c%2Fd");
    CHECK_STR(decide(&o, "http://[::1]/a//%2e%2e%2fx/.b", NULL), "[::1]/a/_.%2Fx/_b");
    CHECK_STR(decide(&o, "http://h/a/b", "out"), "out");
}

/* Opens the directory of a URL, and returns its path. */
static WHORL_SUSPENDS const char *open_for(struct target *target, int dir_fd, const char *text)
{
    struct options o = {.force_directories = true};
    WHORL_AUTO(url) url = {0};

    *target = (struct target){0};
    CHECK_EQ(whorl_url_parse(text, NULL, &url), 0);
    CHECK_EQ(target_decide(target, &o, &url, 1, NULL), 0);
    CHECK_EQ(target_open(target, dir_fd), 0);
    return target->subdir;
}

static void touch(int dir_fd, const char *path)
{
    int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    CHECK(fd >= 0);
    close(fd);
}

TEST_IO(directories_beside_files_get_numbers_and_empty_ones_are_removed)
{
    struct target_subdirs subdirs = {0};
    struct target target;

    int dir_fd = open(test_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(dir_fd >= 0);
    CHECK_STR(open_for(&target, dir_fd, "http://h/a/b"), "h/a/");
    target_finish(&target);
    touch(dir_fd, "h/f");
    CHECK_EQ(symlinkat("/", dir_fd, "h/f.1"), 0);
    CHECK_STR(open_for(&target, dir_fd, "http://h/f/g/b"), "h/f.2/g/");
    target_subdirs_note(&subdirs, &target);
    target_finish(&target);
    CHECK_STR(open_for(&target, dir_fd, "http://h/a/c/d/e"), "h/a/c/d/");
    target_subdirs_note(&subdirs, &target);
    target_finish(&target);
    CHECK_STR(open_for(&target, dir_fd, "http://h/a/c/x/y"), "h/a/c/x/");
    target_subdirs_note(&subdirs, &target);
    target_finish(&target);
    touch(dir_fd, "h/a/c/x/file");
    CHECK_EQ(mkdirat(dir_fd, "h/k", 0700), 0); /* empty, but not made for a file */
    CHECK_STR(open_for(&target, dir_fd, "http://h/k/x/y"), "h/k/x/");
    target_subdirs_note(&subdirs, &target);
    target_finish(&target);
    target_subdirs_finish(&subdirs, dir_fd);
    CHECK_EQ(faccessat(dir_fd, "h/f.2", F_OK, 0), -1);
    CHECK_EQ(faccessat(dir_fd, "h/a/c/d", F_OK, 0), -1);
    CHECK_EQ(faccessat(dir_fd, "h/k/x", F_OK, 0), -1);
    CHECK_EQ(faccessat(dir_fd, "h/k", F_OK, 0), 0);
    CHECK_EQ(faccessat(dir_fd, "h/a/c/x/file", F_OK, 0), 0);
    CHECK_EQ(faccessat(dir_fd, "h/f.1", F_OK, AT_SYMLINK_NOFOLLOW), 0);
    close(dir_fd);
}

TEST_MAIN()
