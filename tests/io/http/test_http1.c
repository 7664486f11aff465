/* SPDX-License-Identifier: MIT */
/* The response parser: what it reads of correct responses, where their bodies end, and responses
 * that end too early. For the accounts, see http1_account.h. */
#include "http1_response.h"

/* --- what servers send --- */

TEST(http1_reads_an_nginx_response)
{
    EXPECT("HTTP/1.1 200 OK\r\n"
           "Server: nginx/1.22.1\r\n"
           "Date: Sat, 21 Nov 2026 07:00:00 GMT\r\n"
           "Content-Type: text/html\r\n"
           "Content-Length: 5\r\n"
           "Last-Modified: Tue, 04 Dec 2018 14:52:24 GMT\r\n"
           "Connection: keep-alive\r\n"
           "ETag: \"5c0692e1-264\"\r\n"
           "Accept-Ranges: bytes\r\n"
           "\r\nhello",
           "200(OK){Server=nginx/1.22.1|Date=Sat, 21 Nov 2026 07:00:00 GMT|Content-Type=text/html|"
           "Content-Length=5|Last-Modified=Tue, 04 Dec 2018 14:52:24 GMT|Connection=keep-alive|"
           "ETag=\"5c0692e1-264\"|Accept-Ranges=bytes}<hello>end+keep");
}

TEST(http1_reads_a_chunked_response_with_trailers)
{
    EXPECT(OK "Transfer-Encoding: chunked\r\nTrailer: Digest\r\n\r\n"
              "5\r\nhello\r\n1;a=b;c=\"d e\"\r\n \r\n00A \t;x\r\n0123456789\r\n0\r\n"
              "Digest: abc \r\nX:\r\n\r\nleft",
           "200(OK){Transfer-Encoding=chunked|Trailer=Digest}<hello 0123456789>"
           "{Digest=abc|X=}end+keep+4");
}

TEST(http1_reads_a_body_until_the_close)
{
    EXPECT("HTTP/1.0 200 OK\r\nServer: old\r\n\r\nall of it", "200(OK){Server=old}<all of it>end");
    EXPECT(OK "\r\n", "200(OK){}end");
    EXPECT(OK "Connection: keep-alive\r\n\r\nx", "200(OK){Connection=keep-alive}<x>end");
}

TEST(http1_reads_a_head_without_reason)
{
    EXPECT("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", "404(){Content-Length=0}end+keep");
    EXPECT("HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", "404(){Content-Length=0}end+keep");
    EXPECT("HTTP/1.1 200 Tr\xc3\xa8s \tbien\r\nContent-Length: 0\r\n\r\n",
           "200(Tr\xc3\xa8s \tbien){Content-Length=0}end+keep");
}

TEST(http1_passes_informational_heads)
{
    EXPECT("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK
           "Content-Length: 2\r\n\r\nhi",
           "100;103;200(OK){Content-Length=2}<hi>end+keep");
    /* The body headers of a 1xx head are ignored and do not apply to the final response. */
    EXPECT("HTTP/1.1 102 x\r\nContent-Length: 5\r\n\r\n" OK "Transfer-Encoding: chunked\r\n\r\n"
           "0\r\n\r\n",
           "102;200(OK){Transfer-Encoding=chunked}end+keep");
}

TEST(http1_leaves_what_follows_the_message)
{
    EXPECT(OK "Content-Length: 2\r\n\r\nhi" OK, "200(OK){Content-Length=2}<hi>end+keep+17");
    EXPECT("HTTP/1.1 304 Not Modified\r\n\r\nx", "304(Not Modified){}end+keep+1");
}

TEST(http1_trims_values)
{
    EXPECT(OK "A:b\r\nC: \t d \t \r\nE:\r\nF: \t\r\nG: h  i\r\nContent-Length:0\r\n\r\n",
           "200(OK){A=b|C=d|E=|F=|G=h  i|Content-Length=0}end+keep");
}

TEST(http1_reads_every_token_byte_in_names)
{
    EXPECT(OK "!#$%&'*+-.^_`|~09azAZ: x\r\nContent-Length: 0\r\n\r\n",
           "200(OK){!#$%&'*+-.^_`|~09azAZ=x|Content-Length=0}end+keep");
}

/* Names that llhttp handles with special states, and prefixes of such names. */
TEST(http1_reads_names_like_the_special_ones)
{
    EXPECT(OK "Con: a\r\nConnection-X: close\r\nContent-Lengt: 7\r\nContent-Length2: 8\r\n"
              "Transfer-Encodin: b\r\nUpgrade: h2c\r\nProxy-Connection: close\r\n"
              "Content-Length: 0\r\n\r\n",
           "200(OK){Con=a|Connection-X=close|Content-Lengt=7|Content-Length2=8|Transfer-Encodin=b|"
           "Upgrade=h2c|Proxy-Connection=close|Content-Length=0}end+keep");
    EXPECT(OK "Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n\r\nx",
           "200(OK){Connection=upgrade|Upgrade=h2c|Content-Length=1}<x>end+keep");
}

/* --- where the body ends --- */

TEST(http1_responses_to_head_have_no_body)
{
    EXPECT_WITH(OK "Content-Length: 1234\r\n\r\n", "200(OK){Content-Length=1234}end+keep",
                .is_head = true);
    EXPECT_WITH(OK "Transfer-Encoding: chunked\r\n\r\n",
                "200(OK){Transfer-Encoding=chunked}end+keep", .is_head = true);
    EXPECT_WITH(OK "\r\n", "200(OK){}end+keep", .is_head = true);
}

TEST(http1_status_204_and_304_have_no_body)
{
    EXPECT("HTTP/1.1 304 Not Modified\r\nContent-Length: 1234\r\n\r\n",
           "304(Not Modified){Content-Length=1234}end+keep");
    EXPECT("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n",
           "304(Not Modified){Transfer-Encoding=chunked}end+keep");
    EXPECT("HTTP/1.1 204 No Content\r\n\r\n", "204(No Content){}end+keep");
    EXPECT("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
           "204(No Content){Content-Length=0}end+keep");
}

TEST(http1_does_not_trust_a_204_that_announces_a_body)
{
    EXPECT("HTTP/1.1 204 x\r\nContent-Length: 3\r\n\r\nabc", "204(x){Content-Length=3}end+3");
    EXPECT("HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "204(x){Transfer-Encoding=chunked}end+5");
}

TEST(http1_keeps_the_connection_as_version_and_header_say)
{
    EXPECT(OK "Connection: close\r\nContent-Length: 0\r\n\r\n",
           "200(OK){Connection=close|Content-Length=0}end");
    EXPECT(OK "Connection: Keep-Alive, Close\r\nContent-Length: 0\r\n\r\n",
           "200(OK){Connection=Keep-Alive, Close|Content-Length=0}end");
    EXPECT("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "200(OK){Content-Length=0}end");
    EXPECT("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n",
           "200(OK){Connection=keep-alive|Content-Length=0}end+keep");
}

TEST(http1_accessors_tell_the_framing)
{
    struct http1 p;
    struct http1_body_span span;
    size_t used;
    static const char chunked[] = OK "Transfer-Encoding: Chunked\r\n\r\n",
                      length[] = OK "Content-Length: 9223372036854775807\r\n\r\n",
                      close[] = OK "\r\n";

    http1_init(&p, NULL, false);
    CHECK(!http1_has_begun(&p));
    CHECK_EQ(http1_feed(&p, chunked, 0, &used, &span), HTTP1_NEED_INPUT);
    CHECK(!http1_has_begun(&p));
    CHECK_EQ(http1_feed(&p, chunked, 1, &used, &span), HTTP1_NEED_INPUT);
    CHECK(http1_has_begun(&p));
    CHECK_EQ(http1_feed(&p, chunked + 1, sizeof chunked - 2, &used, &span), HTTP1_HEAD);
    CHECK(http1_is_chunked(&p) && !http1_is_close_delimited(&p) && http1_has_body(&p));
    CHECK_EQ(http1_content_length(&p), -1);
    CHECK(!http1_keep_alive(&p));

    http1_reset(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, length, sizeof length - 1, &used, &span), HTTP1_HEAD);
    CHECK_EQ(http1_content_length(&p), INT64_MAX);
    CHECK(!http1_is_chunked(&p) && !http1_is_close_delimited(&p) && http1_has_body(&p));

    http1_reset(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, close, sizeof close - 1, &used, &span), HTTP1_HEAD);
    CHECK(http1_is_close_delimited(&p) && http1_has_body(&p));
    CHECK_EQ(http1_feed(&p, "abc", 3, &used, &span), HTTP1_BODY);
    CHECK_EQ(http1_received(&p), 3);

    http1_reset(&p, NULL, true);
    CHECK_EQ(http1_feed(&p, length, sizeof length - 1, &used, &span), HTTP1_HEAD);
    CHECK_EQ(http1_content_length(&p), INT64_MAX);
    CHECK(!http1_has_body(&p));
    http1_finish(&p);
}

TEST(http1_body_spans_point_into_the_input)
{
    struct http1 p;
    struct http1_body_span span;
    size_t used;
    static const char input[] = OK "Content-Length: 10\r\n\r\n0123456789";

    http1_init(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, input, sizeof input - 1, &used, &span), HTTP1_HEAD);
    CHECK_EQ(used, sizeof input - 1 - 10);
    CHECK_EQ(http1_feed(&p, input + used, 10, &used, &span), HTTP1_BODY);
    CHECK(span.data == input + sizeof input - 11);
    CHECK_EQ(span.len, 10);
    CHECK_EQ(used, 10);
    CHECK_EQ(http1_feed(&p, NULL, 0, &used, &span), HTTP1_END);
    http1_finish(&p);
}

TEST(http1_reset_keeps_the_memory_of_headers)
{
    struct http1 p;
    struct http1_body_span span;
    size_t used;
    static const char input[] = OK "Server: x\r\nContent-Length: 0\r\n\r\n";

    http1_init(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, input, sizeof input - 1, &used, &span), HTTP1_HEAD);
    const char *bytes = p.headers.bytes;
    http1_reset(&p, NULL, false);
    CHECK_EQ(http1_feed(&p, input, sizeof input - 1, &used, &span), HTTP1_HEAD);
    CHECK(p.headers.bytes == bytes);
    CHECK_EQ(http1_headers(&p)->count, 2);
    http1_finish(&p);
}

/* --- truncation --- */

TEST(http1_tells_no_response_from_half_a_response)
{
    EXPECT("", "!WHORL_EHTTP_NO_RESPONSE");
    EXPECT("H", "!WHORL_EHTTP_TRUNCATED");
    EXPECT(OK, "!WHORL_EHTTP_TRUNCATED");
    EXPECT(OK "A: b\r\n\r", "!WHORL_EHTTP_TRUNCATED");
    EXPECT("HTTP/1.1 100 Continue\r\n\r\n", "100;!WHORL_EHTTP_TRUNCATED");
    EXPECT(OK "Content-Length: 5\r\n\r\nhell",
           "200(OK){Content-Length=5}<hell>!WHORL_EHTTP_TRUNCATED");
    EXPECT(OK "Content-Length: 5\r\n\r\n", "200(OK){Content-Length=5}!WHORL_EHTTP_TRUNCATED");
    EXPECT(OK "Content-Length: 0\r\n\r\n", "200(OK){Content-Length=0}end+keep");
}

TEST(http1_chunked_bodies_need_their_last_chunk_and_empty_line)
{
    EXPECT(CHUNKED, CHUNKED_HEAD "!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "5\r\nhel", CHUNKED_HEAD "<hel>!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "3\r\nhel\r\n", CHUNKED_HEAD "<hel>!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "3\r\nhel\r\n0", CHUNKED_HEAD "<hel>!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "0\r\n", CHUNKED_HEAD "!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "0\r\n\r", CHUNKED_HEAD "!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "0\r\nA: b\r\n", CHUNKED_HEAD "!WHORL_EHTTP_TRUNCATED");
    EXPECT(CHUNKED "0\r\n\r\n", CHUNKED_HEAD "end+keep");
}

TEST_MAIN()
