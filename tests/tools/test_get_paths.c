/* SPDX-License-Identifier: MIT */
/* Names from headers, paths from patterns, and directories for them. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/url.h>

#include "test.h"
#include "tools/get/disposition.h"
#include "tools/get/pattern.h"
#include "tools/get/subdir.h"

static const char *from_header(const char *header)
{
    static char name[NAME_SIZE];

    strcpy(name, "?");
    return disposition_name(header, name) ? name : "-";
}

TEST(headers_have_names)
{
    CHECK_STR(from_header("attachment; filename=\"a b.txt\""), "a b.txt");
    CHECK_STR(from_header("attachment;filename=a.txt"), "a.txt");
    CHECK_STR(from_header("inline ; FileName = \"a;b\\\"c\" ; x=y"), "a;b\"c");
    CHECK_STR(from_header("attachment; filename=a b.txt"), "a b.txt"); /* some servers do that */
    CHECK_STR(from_header("attachment; filename=\"\xc3\xa9\""), "\xc3\xa9");
    CHECK_STR(from_header("attachment; filename=\"\xe9\""), "\xc3\xa9");
    CHECK_STR(from_header("; filename=a"), "a");
}

TEST(extended_names_are_preferred)
{
    CHECK_STR(from_header("attachment; filename=\"EURO rates\"; "
                          "filename*=utf-8''%e2%82%ac%20rates"),
              "\xe2\x82\xac rates");
    CHECK_STR(from_header("attachment; filename*=UTF-8'en'a%2eb; filename=c"), "a.b");
    CHECK_STR(from_header("attachment; filename*=iso-8859-1'en'%A3%20x"), "\xc2\xa3 x");
    /* Those that cannot be read are ignored. */
    CHECK_STR(from_header("a; filename*=utf-16''%00a; filename=c"), "c");
    CHECK_STR(from_header("a; filename*=UTF-8''%e2%82; filename=c"), "c");
    CHECK_STR(from_header("a; filename*=UTF-8''%zz; filename=c"), "c");
    CHECK_STR(from_header("a; filename*=UTF-8''%00; filename=c"), "c");
    CHECK_STR(from_header("a; filename*=UTF-8; filename=c"), "c");
    CHECK_STR(from_header("a; filename*=UTF-8''; filename=c"), "c");
}

TEST(names_of_servers_are_safe)
{
    CHECK_STR(from_header("a; filename=\"../../etc/passwd\""), "passwd");
    CHECK_STR(from_header("a; filename=\"C:\\\\dir\\\\x.exe\""), "x.exe");
    CHECK_STR(from_header("a; filename*=UTF-8''..%2f..%2f.ssh%2fkeys"), "keys");
    CHECK_STR(from_header("a; filename=\"..\""), "_.");
    CHECK_STR(from_header("a; filename=\".bashrc\""), "_bashrc");
    CHECK_STR(from_header("a; filename=\"-rf\""), "_rf");
    CHECK_STR(from_header("a; filename*=UTF-8''a%0ab%1b%5b2J"), "a%0Ab%1B[2J");
    CHECK_STR(from_header("a; filename*=UTF-8''%e2%80%aetxt.exe"), "%E2%80%AEtxt.exe");
}

TEST(headers_without_a_name_are_refused)
{
    static const char *const wrong[] = {
        "",
        "attachment",
        "attachment; filename",
        "attachment; filename=",
        "a; filename=\"\"",
        "a; filename=\"x",
        "a; filename=\"a/\"",
        "a; name=x",
        "a filename=x",
        "a; filename*=x",
        "; ; ;",
        "a; filename x=y",
        "a;;filename",
        "\"a\"; filename=x",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_STR(from_header(wrong[i]), "-");
    CHECK_STR(from_header(NULL), "-");
    char longest[5000] = "a; filename=";
    memset(longest + strlen(longest), 'x', 4000);
    CHECK_STR(from_header(longest), "-");
}

static const char *path_of(const char *pattern, const char *text)
{
    static char path[2000];
    WHORL_AUTO(url) url = {0};
    char name[NAME_SIZE];

    CHECK_OK(whorl_url_parse(text, NULL, &url));
    name_from_target(name, url.target);
    char *made = pattern ? pattern_path(pattern, &url, name, 7) : pattern_path_of_url(&url, name);
    CHECK(made);
    snprintf(path, sizeof path, "%s", made);
    free(made);
    return path;
}

TEST(patterns_are_filled)
{
    const char *url = "http://h.test:8080/a/%2e%2e%2fb//c.tar.gz?q=1";

    CHECK_STR(path_of("{host}/{path}", url), "h.test:8080/a/_.%2Fb/c.tar.gz?q=1");
    CHECK_STR(path_of(NULL, url), "h.test:8080/a/_.%2Fb/c.tar.gz?q=1");
    CHECK_STR(path_of("{number}-{name}", url), "7-c.tar.gz?q=1");
    CHECK_STR(path_of("{stem}|{ext}", "http://h/c.txt"), "c|.txt");
    CHECK_STR(path_of("{stem}|{ext}", "http://h/"), "index|.html");
    CHECK_STR(path_of("{{{name}}}", "http://h/c"), "{c}");
    CHECK_STR(path_of("{path}", "http://h"), "index.html");
    CHECK_STR(path_of(NULL, "https://[::1]/a"), "[::1]/a");
}

TEST(patterns_are_checked)
{
    const char *why;

    CHECK_EQ(pattern_check("a/b", &why), 0);
    CHECK_EQ(pattern_check("/a/../b{{", &why), -1);
    CHECK_EQ(pattern_check("/a/../b", &why), 0); /* a plain path of the user */
    CHECK_EQ(pattern_check("x{{y}}", &why), 1);
    CHECK_EQ(pattern_check("{host}/{number}", &why), 1);
    static const char *const wrong[] = {"{",        "}",
                                        "{x}",      "{name",
                                        "{name }",  "a}b",
                                        "/{name}",  "{host}/../{name}",
                                        "./{name}", "{host}//{name}",
                                        "{name}/"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_EQ(pattern_check(wrong[i], &why), -1);
}

static int dir;

/* Opens the directory, closes it, and returns 0 or the error. */
static WHORL_SUSPENDS int open_subdir(const char *path, const char *name)
{
    const char *found;
    int fd = subdir_open(dir, path, &found);

    if (fd < 0)
        return fd;
    CHECK_STR(found, name);
    CHECK_OK(mkdirat(fd, "mark", 0700));
    close(fd);
    return 0;
}

TEST_IO(directories_are_created_and_links_are_not_followed)
{
    struct stat st;

    dir = open(test_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(dir >= 0);
    CHECK_OK(open_subdir("f", "f"));
    CHECK_OK(open_subdir("a/b/c", "c"));
    CHECK_OK(fstatat(dir, "a/b/mark", &st, 0));
    CHECK_OK(open_subdir("a/c", "c"));
    CHECK_OK(symlinkat("b", dir, "a/link"));
    CHECK_ERR(open_subdir("a/link/c", ""), -ENOTDIR);
    CHECK_OK(symlinkat("/tmp", dir, "out"));
    CHECK_ERR(open_subdir("out/c", ""), -ENOTDIR);
    int file = openat(dir, "file", O_CREAT | O_WRONLY, 0600);
    CHECK(file >= 0);
    close(file);
    CHECK_ERR(open_subdir("file/c", ""), -ENOTDIR);
    static const char *const wrong[] = {"/a", "../a", "a/../b", "./a",     "a//b",
                                        "a/", "",     "a/..",   "a/\x01/b"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK_ERR(open_subdir(wrong[i], ""), -EINVAL);
    close(dir);
}

TEST_MAIN()
