/* SPDX-License-Identifier: MIT */
/* Heads for a trace: what is shown of each header, and what is not. */
#include <stdlib.h>
#include <string.h>

#include "io/http/header.h"
#include "io/http/redact.h"
#include "test.h"

/* What is shown of a request with this header; without the request line and the line ends. */
static const char *request(const char *header)
{
    static char shown[512];
    char head[512];
    size_t len;

    snprintf(head, sizeof head, "GET /x?y HTTP/1.1\r\n%s\r\n\r\n", header);
    char *text = redact_request(head, strlen(head), NULL, &len);
    CHECK(text);
    CHECK_EQ(strlen(text), len);
    CHECK_EQ(strncmp(text, "GET /x?y HTTP/1.1\r\n", 19), 0);
    CHECK_STR(text + len - 4, "\r\n\r\n");
    snprintf(shown, sizeof shown, "%.*s", (int)len - 23, text + 19);
    free(text);
    return shown;
}

static const char *response(const char *name, const char *value)
{
    static char shown[512];
    struct header_list headers = {0};
    size_t len;

    CHECK_OK(header_list_append(&headers, name, value));
    char *text = redact_response("HTTP/1.1", 200, "OK", &headers, &len);
    CHECK(text);
    CHECK_EQ(strncmp(text, "HTTP/1.1 200 OK\r\n", 17), 0);
    snprintf(shown, sizeof shown, "%.*s", (int)len - 21, text + 17);
    free(text);
    header_list_finish(&headers);
    return shown;
}

TEST(headers_that_are_known_to_be_harmless_are_shown)
{
    CHECK_STR(request("Host: a.test"), "Host: a.test");
    CHECK_STR(request("User-Agent: t/1"), "User-Agent: t/1");
    CHECK_STR(request("range: bytes=1-"), "range: bytes=1-");
    CHECK_STR(request("Content-Length: 5"), "Content-Length: 5");
    CHECK_STR(request("Transfer-Encoding: chunked"), "Transfer-Encoding: chunked");
    CHECK_STR(request("Accept:"), "Accept: ");
}

TEST(all_other_headers_of_requests_are_secret)
{
    CHECK_STR(request("X-Api-Key: s"), "X-Api-Key: ***");
    CHECK_STR(request("Referer: http://a/?s"), "Referer: ***");
    CHECK_STR(request("PRIVATE-TOKEN:s"), "PRIVATE-TOKEN: ***");
    CHECK_STR(request("Host2: s"), "Host2: ***");
    CHECK_STR(request("X:"), "X: ***");
}

TEST(of_credentials_the_scheme_is_shown)
{
    CHECK_STR(request("Authorization: Basic s"), "Authorization: Basic ***");
    CHECK_STR(request("authorization: Digest a=s, b=s"), "authorization: Digest ***");
    CHECK_STR(request("Proxy-Authorization: Bearer s"), "Proxy-Authorization: Bearer ***");
    CHECK_STR(request("Authorization: s"), "Authorization: ***");
    CHECK_STR(request("Authorization:"), "Authorization: ***");
}

TEST(of_cookies_the_names_are_shown)
{
    CHECK_STR(request("Cookie: a=s; b=s"), "Cookie: a=***; b=***");
    CHECK_STR(request("Cookie: a=s=s;b"), "Cookie: a=***;***");
    CHECK_STR(request("Cookie: ="), "Cookie: =***");
    CHECK_STR(request("Cookie:"), "Cookie: ");
    CHECK_STR(response("Set-Cookie", "a=s; Path=/; HttpOnly"),
              "Set-Cookie: a=***; Path=/; HttpOnly");
    CHECK_STR(response("set-cookie", "s"), "set-cookie: ***");
}

TEST(the_users_part_of_a_location_is_not_shown)
{
    CHECK_STR(response("Location", "http://u:s@a/b?c"), "Location: http://***@a/b?c");
    CHECK_STR(response("Location", "http://u:s@s@a/"), "Location: http://***@a/");
    CHECK_STR(response("Location", "//u@a"), "Location: //***@a");
    CHECK_STR(response("Location", "/b@c"), "Location: /b@c");
    CHECK_STR(response("Location", "http://a/b@c"), "Location: http://a/b@c");
    CHECK_STR(response("Content-Location", "https://s@a?@"), "Content-Location: https://***@a?@");
    CHECK_STR(response("Location", ""), "Location: ");
}

TEST(headers_of_responses_are_shown_unless_their_name_speaks_of_a_secret)
{
    CHECK_STR(response("ETag", "\"1\""), "ETag: \"1\"");
    CHECK_STR(response("X-Powered-By", "x"), "X-Powered-By: x");
    CHECK_STR(response("WWW-Authenticate", "Basic realm=\"r\""),
              "WWW-Authenticate: Basic realm=\"r\"");
    CHECK_STR(response("Proxy-Authenticate", "Basic"), "Proxy-Authenticate: Basic");
    CHECK_STR(response("X-Auth-Token", "s"), "X-Auth-Token: ***");
    CHECK_STR(response("x-csrf-token", "s"), "x-csrf-token: ***");
    CHECK_STR(response("Authentication-Info", "s"), "Authentication-Info: ***");
    CHECK_STR(response("X-SESSION-ID", "s"), "X-SESSION-ID: ***");
    CHECK_STR(response("X-Secret", "s"), "X-Secret: ***");
    CHECK_STR(response("Api-Key", "s"), "Api-Key: ***");
}

TEST(a_request_of_http2_has_its_version)
{
    static const char head[] = "POST /x HTTP/1.1\r\nHost: a\r\n\r\n";
    size_t len;
    char *text = redact_request(head, sizeof head - 1, "HTTP/2", &len);

    CHECK_STR(text, "POST /x HTTP/2\r\nHost: a\r\n\r\n");
    free(text);
}

TEST_MAIN()
