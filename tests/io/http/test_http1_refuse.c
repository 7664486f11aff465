/* SPDX-License-Identifier: MIT */
/* What the response parser refuses: heads and framing that a hostile server sends. For the
 * accounts, see http1_account.h. */
#include "http1_response.h"

/* --- hostile heads --- */

TEST(http1_refuses_other_protocols_by_their_first_bytes)
{
    EXPECT_WITH("SSH-2.0-OpenSSH_9.2", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("\x15\x03\x01\x00\x02", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("<html>", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("ICY 200 OK\r\n", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("\r\n" OK, "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH(" " OK, "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("GET / HTTP/1.1\r\n", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("http/1.1 200 OK\r\n", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("\0x", "!WHORL_EHTTP_STATUS_LINE", .no_eof = true);
    EXPECT_WITH("HTTP/1.1 20", "...", .no_eof = true);
    EXPECT_WITH("HTTP/1.1 200\r", "...", .no_eof = true);
}

TEST(http1_names_a_server_that_speaks_http_2)
{
    static const char settings[] = "\0\0\x12\4\0\0\0\0\0\0\3\0\0\0\x64\0\4\0\0\xff\xff";
    static const char other[] = "\0\0\x12\4\0\0\0\0\1";
    static const char short_of_one[] = "\0\0\x12\4\0\0";
    expect("settings", __LINE__, &(struct http1_setup){0}, settings, sizeof settings - 1,
           "!WHORL_EHTTP_VERSION");
    expect("other", __LINE__, &(struct http1_setup){0}, other, sizeof other - 1,
           "!WHORL_EHTTP_STATUS_LINE");
    expect("short", __LINE__, &(struct http1_setup){0}, short_of_one, sizeof short_of_one - 1,
           "!WHORL_EHTTP_TRUNCATED");
}

TEST(http1_refuses_versions_but_1_0_and_1_1)
{
    EXPECT("HTTP/0.9 200 OK\r\n\r\n", "!WHORL_EHTTP_VERSION");
    EXPECT("HTTP/1.2 200 OK\r\n\r\n", "!WHORL_EHTTP_VERSION");
    EXPECT("HTTP/2.0 200 OK\r\n\r\n", "!WHORL_EHTTP_VERSION");
    EXPECT("HTTP/2 200 OK\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT("HTTP/1 200 OK\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT("HTTP/11.1 200 OK\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT("HTTP/1.10 200 OK\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT("HTTP/2.0 2x0 OK\r\n\r\n", "!WHORL_EHTTP_VERSION");
}

TEST(http1_refuses_status_codes_but_three_digits_from_100_to_999)
{
    static const char *const lines[] = {
        "HTTP/1.1 7 x",    "HTTP/1.1 0200 x", "HTTP/1.1 2000 x", "HTTP/1.1 20 x",
        "HTTP/1.1 099 x",  "HTTP/1.1 000 x",  "HTTP/1.1 2O0 x",  "HTTP/1.1  200 x",
        "HTTP/1.1\t200 x", "HTTP/1.1 200x",   "HTTP/1.1 200\tx", "HTTP/1.1 -20 x",
        "HTTP/1.1 ",       "HTTP/1.1",        "HTTP/1.1 20",     "HTTP/1.1 +20 x",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char input[64];
        int len = snprintf(input, sizeof input, "%s\r\n\r\n", lines[i]);
        expect(lines[i], __LINE__, &(struct http1_setup){0}, input, (size_t)len,
               "!WHORL_EHTTP_STATUS_LINE");
    }
    EXPECT("HTTP/1.1 599 x\r\n\r\n", "599(x){}end");
    EXPECT("HTTP/1.1 600 x\r\n\r\n", "600(x){}end");
    EXPECT("HTTP/1.1 999 x\r\n\r\n", "999(x){}end");
}

TEST(http1_refuses_to_switch_protocols)
{
    EXPECT("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
           "!WHORL_EHTTP_UPGRADE");
    EXPECT("HTTP/1.1 101 x\r\n\r\n", "!WHORL_EHTTP_UPGRADE");
}

/* RFC 9112 §5.2 */
TEST(http1_unfolds_lines_of_fields_that_decide_nothing)
{
    EXPECT(OK "A: b\r\n c\r\n\r\n", "200(OK){A=b   c}end");
    EXPECT(OK "A: b\r\n\tc\r\n\r\n", "200(OK){A=b  \tc}end");
    EXPECT(OK "A:\r\n\tb\r\nC: d\r\n\r\n", "200(OK){A=b|C=d}end");
    EXPECT(OK "A: b\r\n \r\n\r\n", "200(OK){A=b}end");
    EXPECT(OK "A: b\r\n c\r\n d\r\n\r\n", "200(OK){A=b   c   d}end");
    EXPECT(CHUNKED "0\r\nA: b\r\n c\r\n\r\n", CHUNKED_HEAD "{A=b   c}end+keep");
}

TEST(http1_refuses_other_folded_lines)
{
    EXPECT(OK " A: b\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "\tA: b\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Transfer-Encoding:\r\n chunked\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Transfer-Encoding:\r\n\tchunked\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A: b\r\nCONTENT-LENGTH: 1\r\n 0\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A: b\r\n c\r\nLocation: http://a/\r\n b\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Set-Cookie: a=b;\r\n Domain=c\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(CHUNKED "0\r\n A: b\r\n\r\n", CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
}

TEST(http1_refuses_line_feeds_and_carriage_returns_alone)
{
    EXPECT("HTTP/1.1 200 OK\n\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT(OK "A: b\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A: b\r\n\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A: b\rC: d\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A: b\r\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "A\r: b\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT("HTTP/1.1 200 O\rK\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT("HTTP/1.1 200\r\r\n\r\n", "!WHORL_EHTTP_STATUS_LINE");
    EXPECT(OK "A: b\r\n\rC: d\r\n\r\n", "!WHORL_EHTTP_HEADER");
}

TEST(http1_refuses_control_bytes_everywhere_in_a_head)
{
    for (int c = 0; c < 0x80; c++) {
        if (c == '\t' || c == '\r' || c == '\n' || (c >= 0x20 && c != 0x7f))
            continue;
        char value[] = OK "A: b?c\r\n\r\n", reason[] = "HTTP/1.1 200 O?K\r\n\r\n",
             name[] = OK "A?: b\r\n\r\n", trailer[] = CHUNKED "0\r\nA: ?\r\n\r\n";
        *strchr(value, '?') = *strchr(reason, '?') = (char)c;
        *strchr(name, '?') = *strchr(trailer, '?') = (char)c;
        EXPECT(value, "!WHORL_EHTTP_HEADER");
        EXPECT(reason, "!WHORL_EHTTP_STATUS_LINE");
        EXPECT(name, "!WHORL_EHTTP_HEADER");
        EXPECT(trailer, CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
    }
    EXPECT(OK "A: \xc3\xa4\xff\r\nContent-Length: 0\r\n\r\n",
           "200(OK){A=\xc3\xa4\xff|Content-Length=0}end+keep");
}

TEST(http1_refuses_bytes_in_names_that_are_no_token)
{
    for (int c = 0; c < 256; c++) {
        char text[1] = {(char)c}, inside[] = OK "A?b: x\r\n\r\n", first[] = OK "?b: x\r\n\r\n",
             last[] = OK "A?: x\r\n\r\n";
        if (header_is_token(text, 1) || c == '\n' || c == ':')
            continue;
        *strchr(inside, '?') = *strchr(first, '?') = *strchr(last, '?') = (char)c;
        EXPECT(inside, "!WHORL_EHTTP_HEADER");
        EXPECT(first, "!WHORL_EHTTP_HEADER");
        EXPECT(last, "!WHORL_EHTTP_HEADER");
    }
    EXPECT(OK ": x\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "no colon\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "nocolon\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Content-Length : 5\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Content-Length\t: 5\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Transfer-Encoding : chunked\r\n\r\n", "!WHORL_EHTTP_HEADER");
    EXPECT(OK "Connection : close\r\n\r\n", "!WHORL_EHTTP_HEADER");
}

/* --- hostile framing --- */

TEST(http1_refuses_a_content_length_that_is_no_plain_number)
{
    static const char *const values[] = {
        "",
        "-1",
        "+1",
        "0x5",
        "5,5",
        "5, 5",
        "5 5",
        "5.0",
        "1e3",
        "five",
        "5;a",
        "\"5\"",
        "5\t5",
        " -5",
        "5 ,",
        ",5",
        "5x",
        "\xc2\xb2",
        "9223372036854775808",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char input[128];
        int len = snprintf(input, sizeof input, OK "Content-Length: %s\r\n\r\n", values[i]);
        expect(values[i], __LINE__, &(struct http1_setup){0}, input, (size_t)len,
               "!WHORL_EHTTP_LENGTH");
    }
    EXPECT(OK "Content-Length: 5\t\r\n\r\nhello", "200(OK){Content-Length=5}<hello>end+keep");
    EXPECT(OK "Content-Length:\t5 \t \r\n\r\nhello", "200(OK){Content-Length=5}<hello>end+keep");
    EXPECT(OK "Content-Length: 0000005 \r\n\r\nhello",
           "200(OK){Content-Length=0000005}<hello>end+keep");
}

TEST(http1_refuses_a_second_content_length)
{
    EXPECT(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "!WHORL_EHTTP_LENGTH");
    EXPECT(OK "Content-Length: 5\r\nA: b\r\ncontent-length: 6\r\n\r\nhello", "!WHORL_EHTTP_LENGTH");
}

TEST(http1_refuses_transfer_codings_but_one_chunked)
{
    static const char *const values[] = {
        "gzip",
        "chunked, gzip",
        "gzip, chunked",
        "chunked, chunked",
        "identity",
        "chunked;a=b",
        "xchunked",
        "chunkedx",
        "chunke",
        "",
        "\"chunked\"",
        "chunked,",
        ",chunked",
        "chunked identity",
        ("\x0b"
         "chunked"),
        "chunked\tgzip",
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char input[128];
        int len = snprintf(input, sizeof input, OK "Transfer-Encoding: %s\r\n\r\n", values[i]);
        expect(values[i], __LINE__, &(struct http1_setup){0}, input, (size_t)len,
               strchr(values[i], 0x0b) ? "!WHORL_EHTTP_HEADER" : "!WHORL_EHTTP_TRANSFER_ENCODING");
    }
    EXPECT(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(OK "Transfer-Encoding: cHuNkEd \t\r\n\r\n0\r\n\r\n",
           "200(OK){Transfer-Encoding=cHuNkEd}end+keep");
}

TEST(http1_refuses_transfer_encoding_beside_content_length)
{
    EXPECT(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
    EXPECT(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
}

TEST(http1_refuses_transfer_encoding_in_http_1_0)
{
    EXPECT("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "!WHORL_EHTTP_TRANSFER_ENCODING");
}

TEST(http1_refuses_malformed_chunks)
{
    static const char *const chunks[] = {
        "\r\n",
        "x\r\n",
        "-1\r\n",
        "+5\r\nhello",
        "0x5\r\nhello",
        " 5\r\nhello",
        "5 x\r\nhello",
        "5\nhello\r\n",
        "5\rhello\r\n",
        "5;\x01\r\nhello",
        "5;a\nhello",
        "5;a\rb\r\nhello",
        ";a\r\n",
        "5,\r\nhello",
        "G\r\n",
        "8000000000000000\r\n",
        "10000000000000000\r\n",
        "00000000000000005\r\nhello\r\n",
        "5;\x7f\r\n",
        "5_\r\nhello",
    };
    for (size_t i = 0; i < sizeof chunks / sizeof *chunks; i++) {
        char input[256];
        int len = snprintf(input, sizeof input, CHUNKED "%s0\r\n\r\n", chunks[i]);
        expect(chunks[i], __LINE__, &(struct http1_setup){0}, input, (size_t)len,
               CHUNKED_HEAD "!WHORL_EHTTP_CHUNK");
    }
    EXPECT(CHUNKED "5\r\nhelloX\r\n", CHUNKED_HEAD "<hello>!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "5\r\nhello\n", CHUNKED_HEAD "<hello>!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "5\r\nhello\r5", CHUNKED_HEAD "<hello>!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "5\r\nhello0\r\n\r\n", CHUNKED_HEAD "<hello>!WHORL_EHTTP_CHUNK");
    EXPECT(CHUNKED "7fffffffffffffff\r\nx", CHUNKED_HEAD "<x>!WHORL_EHTTP_TRUNCATED");
}

TEST(http1_keeps_trailers_apart_and_checks_them)
{
    EXPECT(CHUNKED "0\r\nServer: late\r\n\r\n", CHUNKED_HEAD "{Server=late}end+keep");
    EXPECT(CHUNKED "0\r\nbad trailer\r\n\r\n", CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
    EXPECT(CHUNKED "0\r\nA: b\n\r\n", CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
    EXPECT(CHUNKED "0\r\n\n", CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
    EXPECT(CHUNKED "0\r\n: b\r\n\r\n", CHUNKED_HEAD "!WHORL_EHTTP_HEADER");
    /* RFC 9110 §6.5.1: in trailers such fields have no meaning. */
    EXPECT(CHUNKED "0\r\nConnection: close\r\nTransfer-Encoding: gzip\r\n\r\n",
           CHUNKED_HEAD "{Connection=close}end+keep");
    EXPECT(CHUNKED "0\r\nA: b\r\nContent-Length: 7\r\ncontent-length: x\r\nC: d\r\n\r\n",
           CHUNKED_HEAD "{A=b|C=d}end+keep");
    EXPECT(CHUNKED "0\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
           CHUNKED_HEAD "end+keep");
}

TEST_MAIN()
