/* SPDX-License-Identifier: MIT */
/* Cookie files. tests/tools/test_get.py compares them with those of curl. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl/http_cookies.h>

#include "io/http/cookie_file.h"
#include "test.h"

enum { NOW = 1700000000 };

static struct whorl_error error;

static struct whorl_http_cookies *jar_new(void)
{
    struct whorl_http_cookies *jar = NULL;
    CHECK_OK(whorl_http_cookies_create(&jar));
    return jar;
}

#define JAR(name) WHORL_AUTO(http_cookies) *name = jar_new()

static int parse_bytes(struct whorl_http_cookies *jar, const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    memcpy(copy, text, len);
    error = (struct whorl_error){0};
    int err = cookie_file_parse(jar, copy, len, NOW, "f", &error);
    free(copy);
    return err;
}

static int parse(struct whorl_http_cookies *jar, const char *text)
{
    return parse_bytes(jar, text, strlen(text));
}

/* The text of a file without its comments. */
static const char *made(struct whorl_http_cookies *jar)
{
    static char text[4096];
    char *all;
    size_t len;
    CHECK_OK(cookie_file_make(jar, NOW, &all, &len));
    CHECK_EQ(strlen(all), len);
    CHECK(strncmp(all, "# Netscape HTTP Cookie File\n", 28) == 0);
    snprintf(text, sizeof text, "%s", strstr(all, "\n\n") + 2);
    free(all);
    return text;
}

#define LINES                                                              \
    "a.test\tFALSE\t/\tFALSE\t0\tn\tv\n"                                   \
    "#HttpOnly_.example.org\tTRUE\t/x y\tTRUE\t1893456000\tm\t\"a b=c\"\n" \
    "1.2.3.4\tFALSE\t/\tFALSE\t0\tip\t1\n"                                 \
    "::1\tFALSE\t/\tFALSE\t0\tip\t6\n"                                     \
    "a.test\tFALSE\t/\tTRUE\t0\t__Host-h\t1\n"                             \
    "a.test\tFALSE\t/\tFALSE\t0\t\tonly value\n"                           \
    "a.test\tFALSE\t/\tFALSE\t0\tempty\t\n"

TEST(what_is_written_is_read_as_the_same)
{
    JAR(jar);
    CHECK_OK(parse(jar, LINES));
    CHECK_EQ(jar->count, 7);
    CHECK_STR(made(jar), LINES);
    struct whorl_http_cookie c;
    CHECK(cookie_jar_at(jar, 1, &c));
    CHECK(c.http_only && c.secure && !c.host_only);
    CHECK_STR(c.domain, "example.org");
    CHECK_STR(c.path, "/x y");
    CHECK_EQ(c.expires_unix_s, 1893456000);
}

TEST(comments_line_ends_case_and_missing_values_are_accepted)
{
    JAR(jar);
    CHECK_OK(parse(jar, "# comment\r\n\r\n \t\n#HttpOnly\tx\n"
                        "A.test\tfalse\t/\tFalse\t0\tn\tv\r\n"
                        "example.org\tTRUE\t/\tFALSE\t0\tnodot\tv\n"
                        "1.2.3.4\tTRUE\t/\tFALSE\t0\tip\t1\n"
                        "old.test\tFALSE\t/\tFALSE\t1600000000\tgone\tv\n"
                        "a.test\tFALSE\t/\tFALSE\t0\tempty"));
    CHECK_STR(made(jar), "a.test\tFALSE\t/\tFALSE\t0\tn\tv\n"
                         ".example.org\tTRUE\t/\tFALSE\t0\tnodot\tv\n"
                         "1.2.3.4\tFALSE\t/\tFALSE\t0\tip\t1\n"
                         "a.test\tFALSE\t/\tFALSE\t0\tempty\t\n");
    CHECK_OK(parse(jar, ""));
    CHECK_OK(parse(jar, "a.test\tFALSE\t/\tFALSE\t0\tn\tnew"));
    CHECK_EQ(jar->count, 4);
}

TEST(a_wrong_line_is_named_and_nothing_is_added)
{
    static const struct {
        const char *line, *why;
    } bad[] = {
        {"a.test", "f:2: not 7 fields with TABs between them"},
        {"a.test FALSE / FALSE 0 n v", "f:2: not 7 fields with TABs between them"},
        {"a.test\tYES\t/\tFALSE\t0\tn\tv",
         "f:2: the second and the fourth field must be TRUE or FALSE"},
        {"a.test\tFALSE\t/\t\t0\tn\tv",
         "f:2: the second and the fourth field must be TRUE or FALSE"},
        {"a.test\tFALSE\tx\tFALSE\t0\tn\tv", "f:2: the path does not begin with /"},
        {"a.test\tFALSE\t/\tFALSE\t-1\tn\tv",
         "f:2: the fifth field must be a time in seconds since 1970"},
        {"a.test\tFALSE\t/\tFALSE\t9999999999999999999\tn\tv",
         "f:2: the fifth field must be a time in seconds since 1970"},
        {"\tFALSE\t/\tFALSE\t0\tn\tv", "f:2: not a domain"},
        {"..a.test\tFALSE\t/\tFALSE\t0\tn\tv", "f:2: not a domain"},
        {"a b\tFALSE\t/\tFALSE\t0\tn\tv", "f:2: not a domain"},
        {".com\tTRUE\t/\tFALSE\t0\tn\tv", "f:2: the domain is a public suffix"},
        {"a.test\tFALSE\t/\tFALSE\t0\tn\tv\tw", "f:2: control byte"},
        {"a.test\tFALSE\t/\tFALSE\t0\tn\tv\rw", "f:2: control byte"},
        {"a.test\tFALSE\t/\x01\tFALSE\t0\tn\tv", "f:2: control byte"},
        {"a.test\tFALSE\t/\tFALSE\t0\tn\tv; w",
         "f:2: the name contains = or ;, or the value contains ;"},
        {"a.test\tFALSE\t/\tFALSE\t0\tn=m\tv",
         "f:2: the name contains = or ;, or the value contains ;"},
        {"a.test\tFALSE\t/\tFALSE\t0\t\t", "f:2: neither name nor value"},
        {"a.test\tFALSE\t/\tFALSE\t0\t__secure-n\tv", "f:2: the prefix __Secure- needs Secure"},
        {"a.test\tFALSE\t/x\tTRUE\t0\t__Host-n\tv",
         "f:2: the prefix __Host- needs Secure, Path=/ and no Domain"},
    };
    JAR(jar);
    char text[256];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(text, sizeof text, "a.test\tFALSE\t/\tFALSE\t0\tgood\tv\n%s\n", bad[i].line);
        CHECK_ERR(parse(jar, text), WHORL_EHTTP_COOKIE_FILE);
        CHECK_EQ(error.code, WHORL_EHTTP_COOKIE_FILE);
        CHECK_STR(error.step, "cookies");
        CHECK_STR(error.text, bad[i].why);
    }
    static const char nul[] = "a.test\tFALSE\t/\tFALSE\t0\tn\tv\0w\n";
    CHECK_ERR(parse_bytes(jar, nul, sizeof nul - 1), WHORL_EHTTP_COOKIE_FILE);
    CHECK_STR(error.text, "f:1: NUL byte");
    CHECK_EQ(jar->count, 0);
}

/* The path of a file that does not exist, in the test's own directory; free() it. */
static char *in_new_directory(void)
{
    char *path;

    CHECK(asprintf(&path, "%s/cookies", test_tmpdir()) > 0);
    return path;
}

TEST(a_file_is_replaced_as_a_whole_and_private)
{
    JAR(jar);
    JAR(same);
    char *path = in_new_directory(), text[4096] = "";
    struct stat st;
    int fd = open(path, O_WRONLY | O_CREAT, 0666);
    CHECK(fd >= 0 && fchmod(fd, 0666) == 0 && close(fd) == 0);
    fd = open(path, O_RDONLY);

    CHECK_OK(parse(jar, LINES));
    umask(0);
    CHECK_OK(whorl_http_cookies_save(jar, path, &error));
    CHECK(stat(path, &st) == 0);
    CHECK_EQ(st.st_mode & 07777, 0600);
    CHECK_EQ(read(fd, text, sizeof text), 0); /* a reader of the old file sees no new bytes */
    close(fd);
    CHECK_OK(whorl_http_cookies_load(same, path, &error));
    CHECK_STR(made(same), LINES);

    CHECK(unlink(path) == 0 && rmdir(test_tmpdir()) == 0); /* no temporary file is left */
    CHECK_ERR(whorl_http_cookies_load(same, path, &error), -ENOENT);
    CHECK(strncmp(error.text, path, strlen(path)) == 0);
    CHECK_ERR(whorl_http_cookies_save(jar, path, &error), -ENOENT);
    CHECK_STR(error.step, "cookies");
    CHECK_ERR(whorl_http_cookies_load(same, "/", &error), -EISDIR);
    CHECK_ERR(whorl_http_cookies_load(same, "/dev/zero", &error), -EFBIG);
    free(path);
}

TEST(a_failed_save_leaves_no_file_behind)
{
    JAR(jar);
    char *path = in_new_directory();
    CHECK(mkdir(path, 0700) == 0); /* a directory cannot be replaced by a file */
    CHECK_ERR(whorl_http_cookies_save(jar, path, &error), -EISDIR);
    CHECK(rmdir(path) == 0 && rmdir(test_tmpdir()) == 0);
    free(path);
}

TEST_MAIN()
