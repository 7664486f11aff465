/* SPDX-License-Identifier: MIT */
/* Authentication without a network: challenges, answers, netrc files. Sessions are tested in
 * test_auth_session.c. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <whorl/http_auth.h>

#include "io/http/auth_answer.h"
#include "io/http/basic.h"
#include "io/http/challenge.h"
#include "io/http/digest.h"
#include "io/http/netrc.h"
#include "test.h"

/* --- challenges --- */

/* "Scheme name=value name=value; Scheme ..." of a header; "!" at the end: malformed. */
static const char *parse(const char *value)
{
    static char result[600];
    const char *cursor = value;
    struct challenge c;
    size_t len = 0;
    int n;

    result[0] = '\0';
    while ((n = challenge_next(&cursor, &c)) > 0) {
        len += (size_t)snprintf(result + len, sizeof result - len, "%s%.*s", len ? "; " : "",
                                (int)c.scheme_len, c.scheme);
        for (size_t i = 0; i < c.params_count; i++) {
            char name[32], text[100];
            snprintf(name, sizeof name, "%.*s", (int)c.params[i].name_len, c.params[i].name);
            CHECK(challenge_get(&c, name, text, sizeof text) >= 0);
            len += (size_t)snprintf(result + len, sizeof result - len, " %s=%s", name, text);
        }
    }
    if (n < 0) {
        CHECK_EQ(n, WHORL_EHTTP_HEADER);
        strcpy(result + len, "!");
    }
    return result;
}

TEST(a_header_may_have_several_challenges)
{
    CHECK_STR(parse("Basic realm=\"a\""), "Basic realm=a");
    CHECK_STR(parse("Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic "
                    "realm=\"simple\""),
              "Newauth realm=apps type=1 title=Login to \"apps\"; Basic realm=simple");
    CHECK_STR(parse("Negotiate, Basic realm = x ,, charset=\"UTF-8\" , NTLM"),
              "Negotiate; Basic realm=x charset=UTF-8; NTLM");
    CHECK_STR(parse("Negotiate YWJj==, Bearer"), "Negotiate; Bearer");
    CHECK_STR(parse("Digest qop=\"auth, auth-int\", nonce=\"\""),
              "Digest qop=auth, auth-int nonce=");
    CHECK_STR(parse(" ,, "), "");
    CHECK_STR(parse("Basic realm="), "Basic"); /* a token68 */
}

TEST(malformed_challenges_are_refused)
{
    static const char *const malformed[] = {
        "=",
        "Basic a=1, realm=, b=2",
        "Basic realm=\"a",
        "Basic realm=\"a\\",
        "Basic realm=\"a\"b",
        "Basic realm=\"a\" charset=b",
        "Basic realm=\"a\", realm=\"b\"",
        "Basic realm=\"a\", REALM=\"b\"",
        "Basic a b",
        "Basic a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,q=1",
        "\"Basic\"",
    };
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
        CHECK(strchr(parse(malformed[i]), '!'));
}

/* --- choosing --- */

/* The chosen scheme and, of Digest, the algorithm and realm. */
static const char *choose(enum whorl_http_auth_scheme wanted, const char *first, const char *second)
{
    static char result[100];
    struct header_list list = {0};
    struct auth_answer answer = {0};

    CHECK_OK(header_list_append(&list, "WWW-Authenticate", first));
    if (second)
        CHECK_OK(header_list_append(&list, "www-authenticate", second));
    int n = auth_answer_choose(&answer, &list, "WWW-Authenticate", wanted);
    CHECK(n >= 0);
    if (n == 0)
        snprintf(result, sizeof result, "none");
    else if (answer.scheme == WHORL_HTTP_AUTH_DIGEST)
        snprintf(result, sizeof result, "Digest %d %s", answer.digest.algorithm,
                 answer.digest.realm);
    else
        snprintf(result, sizeof result, "%s",
                 answer.scheme == WHORL_HTTP_AUTH_BASIC ? "Basic" : "Bearer");
    auth_answer_finish(&answer);
    header_list_finish(&list);
    return result;
}

#define MD5    "Digest realm=\"m\", nonce=\"n\", qop=\"auth\""
#define SHA256 "Digest realm=\"s\", nonce=\"n\", qop=\"auth,auth-int\", algorithm=SHA-256"

TEST(the_strongest_challenge_is_chosen_in_any_order)
{
    enum whorl_http_auth_scheme any = WHORL_HTTP_AUTH_ANY;

    CHECK_STR(choose(any, "Basic realm=\"b\"", MD5), "Digest 0 m");
    CHECK_STR(choose(any, MD5, "Basic realm=\"b\""), "Digest 0 m");
    CHECK_STR(choose(any, MD5 ", " SHA256, "Basic realm=\"b\""), "Digest 2 s");
    CHECK_STR(choose(any, "Basic realm=\"b\", " SHA256, MD5), "Digest 2 s");
    CHECK_STR(choose(any, "Negotiate", "Basic realm=\"b\""), "Basic");
    CHECK_STR(choose(any, "Digest realm=\"x\", nonce=\"n\", algorithm=sha-256-sess", MD5),
              "Digest 3 x");
}

TEST(only_a_wanted_scheme_is_chosen)
{
    CHECK_STR(choose(WHORL_HTTP_AUTH_ANY, "Bearer", NULL), "none");
    CHECK_STR(choose(WHORL_HTTP_AUTH_BEARER, "Basic realm=\"b\"", "Bearer realm=\"b\""), "Bearer");
    CHECK_STR(choose(WHORL_HTTP_AUTH_BEARER, "Basic realm=\"b\"", MD5), "none");
    CHECK_STR(choose(WHORL_HTTP_AUTH_DIGEST, "Basic realm=\"b\"", NULL), "none");
    CHECK_STR(choose(WHORL_HTTP_AUTH_BASIC, "Basic realm=\"b\"", MD5), "Basic");
}

/* The parser of heads lets none arrive. */
TEST(challenges_with_control_bytes_are_ignored)
{
    CHECK_STR(choose(WHORL_HTTP_AUTH_ANY, "Digest realm=\"a\x01\", nonce=\"n\"", NULL), "none");
    CHECK_STR(choose(WHORL_HTTP_AUTH_ANY, "Digest realm=\"r\", nonce=\"\x7f\"", NULL), "none");
    CHECK_STR(choose(WHORL_HTTP_AUTH_ANY, "Digest realm=\"r\", nonce=\"n\", opaque=\"\\\r\"", NULL),
              "none");
}

TEST(challenges_that_cannot_be_answered_are_ignored)
{
    static const char *const others[] = {
        "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256",
        "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"",
        "Digest realm=\"r\"",
        "Digest nonce=\"n\"",
        "Digest realm=\"r\", nonce=\"n\", realm=\"r\"",
        "Digest realm=\"r",
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        CHECK_STR(choose(WHORL_HTTP_AUTH_ANY, others[i], NULL), "none");
        CHECK_STR(choose(WHORL_HTTP_AUTH_ANY, others[i], "Basic realm=\"b\""), "Basic");
    }
}

/* --- Basic and Bearer --- */

static const char *basic(const char *user, const char *password)
{
    static char text[100];
    ssize_t len = basic_write_plain(user, password, text, sizeof text - 1);
    if (len < 0)
        return whorl_error_name((int)len);
    text[len] = '\0';
    return text;
}

TEST(basic_matches_the_examples_of_rfc_7617)
{
    CHECK_STR(basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    CHECK_STR(basic("test", "123\xc2\xa3"), "Basic dGVzdDoxMjPCow==");
    CHECK_STR(basic("a", NULL), "Basic YTo=");
    CHECK_STR(basic("a", "b:%41"), "Basic YTpiOiU0MQ==");
}

TEST(names_with_a_colon_and_control_bytes_cannot_be_sent)
{
    CHECK_EQ(basic_write_plain("a:b", "c", NULL, 0), WHORL_EHTTP_REQUEST_HEADER);
    CHECK_EQ(basic_write_plain("a", "b\n", NULL, 0), WHORL_EHTTP_REQUEST_HEADER);
    CHECK_EQ(basic_write_plain("a\x7f", "b", NULL, 0), WHORL_EHTTP_REQUEST_HEADER);
}

TEST(a_token_with_a_space_or_line_end_cannot_be_sent)
{
    struct auth_answer answer = {.scheme = WHORL_HTTP_AUTH_BEARER};
    char *value = NULL;

    CHECK_OK(auth_answer_write(&answer, &(struct auth_secret){.token = "mF_9.B5f-4.1JqM"}, "GET",
                               "/", &value));
    CHECK_STR(value, "Bearer mF_9.B5f-4.1JqM");
    auth_answer_free_value(value);
    CHECK_ERR(
        auth_answer_write(&answer, &(struct auth_secret){.token = "a\r\nX: y"}, "GET", "/", &value),
        WHORL_EHTTP_REQUEST_HEADER);
    CHECK_ERR(auth_answer_write(&answer, &(struct auth_secret){.token = "a b"}, "GET", "/", &value),
              WHORL_EHTTP_REQUEST_HEADER);
}

/* --- Digest --- */

static char *answer_to(const char *challenge, const struct digest_input *input)
{
    struct challenge c;
    struct digest digest = {0};
    char *value = NULL;

    CHECK_EQ(challenge_next(&challenge, &c), 1);
    CHECK_EQ(digest_init(&digest, &c), 1);
    CHECK_OK(digest_write(&digest, input, &value));
    digest_finish(&digest);
    return value;
}

static const struct digest_input mufasa = {
    .user = "Mufasa",
    .password = "Circle of Life",
    .method = "GET",
    .uri = "/dir/index.html",
    .cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    .nc = 1,
};

#define RFC_PARAMS                                              \
    "realm=\"http-auth@example.org\", qop=\"auth, auth-int\", " \
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", "  \
    "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""

static void check_response(const char *challenge, const struct digest_input *input,
                           const char *response)
{
    char *value = answer_to(challenge, input), *found = strstr(value, "response=\"");
    CHECK(found);
    CHECK_EQ(strlen(found), strlen(response) + strlen("response=\"\""));
    CHECK(strncmp(found + strlen("response=\""), response, strlen(response)) == 0);
    free(value);
}

TEST(digest_matches_the_examples_of_rfc_7616_section_3_9_1)
{
    char *value = answer_to("Digest algorithm=MD5, " RFC_PARAMS, &mufasa);
    CHECK_STR(value, "Digest username=\"Mufasa\", realm=\"http-auth@example.org\", "
                     "uri=\"/dir/index.html\", algorithm=MD5, "
                     "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", nc=00000001, "
                     "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\", qop=auth, "
                     "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\", "
                     "response=\"8ca523f5e9506fed4657c9700eebdbec\"");
    free(value);
    check_response("Digest algorithm=SHA-256, " RFC_PARAMS, &mufasa,
                   "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
}

/* RFC 2069, with the correction of its erratum 749. */
TEST(digest_without_qop_is_the_one_of_rfc_2069)
{
    struct digest_input input = {
        .user = "Mufasa", .password = "CircleOfLife", .method = "GET", .uri = "/dir/index.html"};
    check_response("Digest realm=\"testrealm@host.com\", "
                   "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
                   &input, "1949323746fe6a43ef61f9606e7febea");
}

TEST(quotes_and_backslashes_are_escaped_in_answers)
{
    struct digest_input input = mufasa;
    input.user = "a\"b\\c";
    char *value = answer_to("Digest realm=\"x\\\"y\\\\z\", nonce=\"n\", opaque=\"\\o\"", &input);
    CHECK(strstr(value, "username=\"a\\\"b\\\\c\", "));
    CHECK(strstr(value, "realm=\"x\\\"y\\\\z\", "));
    CHECK(strstr(value, "opaque=\"o\", "));
    free(value);
}

TEST(a_name_in_utf_8_is_extended_or_hashed_when_the_server_knows_that)
{
    struct digest_input input = mufasa;
    input.user = "J\xc3\xa4s\xc3\xb8n Doe";
    char *value = answer_to("Digest realm=\"r\", nonce=\"n\", charset=UTF-8", &input);
    CHECK(strstr(value, "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, "));
    free(value);
    value = answer_to("Digest realm=\"r\", nonce=\"n\"", &input);
    CHECK(strstr(value, "Digest username=\"J\xc3\xa4s\xc3\xb8n Doe\", "));
    free(value);
    value = answer_to("Digest realm=\"r\", nonce=\"n\", userhash=true", &mufasa);
    CHECK(strstr(value, "Digest username=\"f22c6a3b9a5760c7952710252a94d0f4\", "));
    CHECK(strstr(value, "userhash=true, "));
    free(value);
}

TEST(digest_refuses_control_bytes)
{
    struct digest digest = {.realm = "r", .nonce = "n"};
    struct digest_input input = mufasa;
    char *value = NULL;

    input.user = "a\r\nX: y";
    CHECK_ERR(digest_write(&digest, &input, &value), WHORL_EHTTP_REQUEST_HEADER);
    CHECK(!value);
}

/* The text between `before` and the next quote or comma. */
static void take(const char *value, const char *before, char ret[64])
{
    const char *found = strstr(value, before);
    CHECK(found);
    found += strlen(before);
    snprintf(ret, 64, "%.*s", (int)strcspn(found, "\","), found);
}

static void check_counting(const char *challenge, bool same_cnonce)
{
    struct header_list list = {0};
    struct auth_answer answer = {0};
    struct auth_secret secret = {.user = "u", .password = "p"};
    char nc[2][64], cnonce[2][64], *value = NULL;

    CHECK_OK(header_list_append(&list, "Proxy-Authenticate", challenge));
    CHECK_EQ(auth_answer_choose(&answer, &list, "Proxy-Authenticate", WHORL_HTTP_AUTH_ANY), 1);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(auth_answer_write(&answer, &secret, "GET", "/", &value));
        take(value, "nc=", nc[i]);
        take(value, "cnonce=\"", cnonce[i]);
        auth_answer_free_value(value);
    }
    CHECK_STR(nc[0], "00000001");
    CHECK_STR(nc[1], "00000002");
    CHECK_EQ(strlen(cnonce[0]), 32);
    CHECK_EQ(strcmp(cnonce[0], cnonce[1]) == 0, same_cnonce);
    auth_answer_finish(&answer);
    header_list_finish(&list);
}

TEST(nc_counts_and_only_sess_keeps_its_cnonce)
{
    check_counting("Digest realm=\"r\", nonce=\"n\", qop=auth", false);
    check_counting("Digest realm=\"r\", nonce=\"n\", qop=auth, algorithm=MD5-sess", true);
}

/* --- netrc --- */

/* "LOGIN PASSWORD" of a host, or the text of the error. */
static const char *find(const char *text, const char *host, const char *login)
{
    static char result[300];
    struct netrc netrc = {0};
    struct whorl_error error = {0};
    int err = netrc_parse(text, strlen(text), &error, &netrc);

    if (err) {
        CHECK_EQ(err, WHORL_EHTTP_NETRC);
        CHECK_STR(error.step, "netrc");
        return strcpy(result, error.text);
    }
    const struct netrc_entry *e = netrc_find(&netrc, host, login, true);
    snprintf(result, sizeof result, "%s %s", e ? e->login : "-",
             e && e->password ? e->password : "-");
    netrc_finish(&netrc);
    return result;
}

TEST(netrc_entries_are_found_by_host_and_login)
{
    static const char text[] = "machine a.test login one password p1\n"
                               "machine b.test\n\tlogin two\n\tpassword p2\n\taccount x\n"
                               "machine a.test login three password p3\n"
                               "default login d password pd\n";
    CHECK_STR(find(text, "a.test", NULL), "one p1");
    CHECK_STR(find(text, "A.TEST", NULL), "one p1");
    CHECK_STR(find(text, "a.test", "three"), "three p3");
    CHECK_STR(find(text, "b.test", NULL), "two p2");
    CHECK_STR(find(text, "c.test", NULL), "d pd");
    CHECK_STR(find("", "c.test", NULL), "- -");
    CHECK_STR(find("machine a.test password p", "a.test", NULL), "- -");
}

TEST(netrc_has_quotes_comments_and_macros)
{
    CHECK_STR(find("machine a login \"x \\\"y\\\\\" password \"1\\t2\"", "a", NULL),
              "x \"y\\ 1\t2");
    CHECK_STR(find("# machine a login no password no\n  # b\nmachine a # login", "a", NULL),
              "line 3: not machine, default, login, password, account or macdef");
    CHECK_STR(find("machine a login u password #1\n", "a", NULL), "u #1");
    CHECK_STR(find("machine a login u password\n#1\n", "a", NULL), "u #1");
    CHECK_STR(find("macdef init\nmachine a login no\n\nmachine a login u password p", "a", NULL),
              "u p");
    CHECK_STR(find("macdef init\r\nmachine a login no\r\n\r\nmachine a login u password p\r\n", "a",
                   NULL),
              "u p");
}

TEST(a_malformed_netrc_is_an_error_that_quotes_nothing)
{
    CHECK_STR(find("machine a login u\npassword", "a", NULL),
              "line 2: keyword without a value at the end of the file");
    CHECK_STR(find("machine a\nlogin \"secret\n", "a", NULL), "line 2: quote is not closed");
    CHECK_STR(find("machine a login \"u\"x", "a", NULL),
              "line 1: no space after the closing quote");
    CHECK_STR(find("\nmachine a login u password two secret", "a", NULL),
              "line 2: not machine, default, login, password, account or macdef");
    CHECK_STR(find("login u", "a", NULL),
              "line 1: login, password or account before the first machine");
}

static const char *write_file(const char *text, mode_t mode)
{
    static char path[200];
    snprintf(path, sizeof path, "%s/.netrc", test_tmpdir());
    FILE *f = fopen(path, "w");
    CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
    CHECK_OK(chmod(path, mode));
    return path;
}

TEST(a_netrc_that_others_can_read_is_noticed)
{
    struct whorl_http_netrc *netrc = NULL;
    const char *path = write_file("machine a login u password p", 0600);

    CHECK_OK(whorl_http_netrc_load(path, NULL, &netrc));
    CHECK(!whorl_http_netrc_is_exposed(netrc));
    whorl_http_netrc_destroy(netrc);
    CHECK_OK(chmod(path, 0640));
    setenv("HOME", test_tmpdir(), 1);
    CHECK_OK(whorl_http_netrc_load(NULL, NULL, &netrc));
    CHECK(whorl_http_netrc_is_exposed(netrc));
    whorl_http_netrc_destroy(netrc);
    whorl_http_netrc_destroy(NULL);
}

TEST(failures_of_a_netrc_file_name_it)
{
    struct whorl_http_netrc *netrc = NULL;
    struct whorl_error error = {0};

    CHECK_ERR(whorl_http_netrc_load("/nonexistent/netrc", &error, &netrc), -ENOENT);
    CHECK_STR(error.text, "/nonexistent/netrc: no such file or directory");
    CHECK_ERR(whorl_http_netrc_load(write_file("secret", 0600), &error, &netrc), WHORL_EHTTP_NETRC);
    CHECK(strstr(error.text, "/.netrc: line 1: not machine"));
    CHECK(!strstr(error.text, "secret"));
    CHECK(!netrc);
}

TEST_MAIN()
