/* SPDX-License-Identifier: MIT */
/* Heads of HTTP/2 responses, field by field. nghttp2 refuses most of what is wrong here before it
 * gets to this code; test_http2.c has the frames. */
#include <string.h>

#include <whorl/error.h>

#include "io/http/http2.h"
#include "io/http/http2_head.h"
#include "test.h"

struct field {
    const char *name, *value;
};

/* Takes the fields up to one without a name. Returns 0 or the error of a field, or of the end. */
static int take(struct http2_stream *s, const struct field *fields)
{
    int err = 0;

    http2_head_begin(s);
    for (; fields->name && err == 0; fields++)
        err = http2_head_field(s, fields->name, strlen(fields->name), fields->value,
                               strlen(fields->value));
    return err ? err : http2_head_end(s);
}

static struct http2_stream stream_of(void)
{
    return (struct http2_stream){
        .limits = {.head_bytes_max = 1000, .headers_max = 10, .informational_max = 2}};
}

static void check_head(int line, int expected, const struct field *fields)
{
    struct http2_stream s = stream_of();
    int err = take(&s, fields);

    if (err != expected)
        test_fail(__FILE__, line, "%s (%s), expected %s", whorl_error_name(err), s.reason,
                  whorl_error_name(expected));
    http2_stream_finish(&s);
}

#define HEAD(expected, ...) \
    check_head(__LINE__, expected, (const struct field[]){__VA_ARGS__, {NULL, NULL}})

TEST(http2_head_has_one_status_which_comes_first)
{
    HEAD(0, {":status", "200"}, {"a", "b"});
    HEAD(WHORL_EHTTP_STATUS_LINE, {"a", "b"});
    HEAD(WHORL_EHTTP_HEADER, {":status", "200"}, {":status", "200"});
    HEAD(WHORL_EHTTP_HEADER, {"a", "b"}, {":status", "200"});
    HEAD(WHORL_EHTTP_HEADER, {":status", "200"}, {":path", "/"});
    HEAD(WHORL_EHTTP_HEADER, {":method", "GET"});
    HEAD(WHORL_EHTTP_HEADER, {":", "200"});
    HEAD(WHORL_EHTTP_HEADER, {":Status", "200"});
    HEAD(WHORL_EHTTP_UPGRADE, {":status", "101"});
}

TEST(http2_status_has_three_digits)
{
    static const char *const wrong[] = {"",    "20",  "2000", "099", "2x0",
                                        "20 ", " 20", "-20",  "2\r0"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        HEAD(WHORL_EHTTP_STATUS_LINE, {":status", wrong[i]});
}

TEST(http2_names_are_tokens_in_lower_case)
{
    static const char *const wrong[] = {
        "", "A", "x-A", "a b", "a\r\nb", "a:", "a\n", "\x01", "(", "\xe4", " a"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        HEAD(WHORL_EHTTP_HEADER, {":status", "200"}, {wrong[i], "x"});
}

TEST(http2_values_have_no_control_bytes)
{
    static const char *const wrong[] = {"a\r\nx: y", "a\n", "\ra", "a\x7f", "\x01"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        HEAD(WHORL_EHTTP_HEADER, {":status", "200"}, {"a", wrong[i]});
    struct http2_stream s = stream_of();
    http2_head_begin(&s);
    CHECK_OK(http2_head_field(&s, ":status", 7, "200", 3));
    CHECK_EQ(http2_head_field(&s, "a", 1, "x\0y", 3), WHORL_EHTTP_HEADER);
    http2_stream_finish(&s);
}

TEST(http2_fields_of_a_connection_are_refused)
{
    static const char *const names[] = {"connection", "keep-alive", "proxy-connection",
                                        "transfer-encoding", "upgrade"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        HEAD(WHORL_EHTTP_HEADER, {":status", "200"}, {names[i], "close"});
}

TEST(http2_content_length_is_one_number)
{
    static const char *const wrong[] = {"",    "+1",  "-1",  "1x",
                                        "0x1", "1,1", "1 1", "9223372036854775808"};

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        HEAD(WHORL_EHTTP_LENGTH, {":status", "200"}, {"content-length", wrong[i]});
    HEAD(WHORL_EHTTP_LENGTH, {":status", "200"}, {"content-length", "1"}, {"content-length", "1"});
    HEAD(0, {":status", "200"}, {"content-length", "9223372036854775807"});
}

TEST(http2_trailers_have_no_pseudo_header_and_frame_nothing)
{
    struct http2_stream s = stream_of();
    const struct field head[] = {{":status", "200"}, {"content-length", "5"}, {NULL, NULL}};
    const struct field fine[] = {{"content-length", "7"}, {"a", "b"}, {NULL, NULL}};
    const struct field wrong[] = {{":status", "200"}, {NULL, NULL}};

    CHECK_OK(take(&s, head));
    CHECK_OK(take(&s, fine));
    CHECK_EQ(s.length, 5);
    CHECK_EQ(s.trailers.count, 1);
    CHECK_EQ(take(&s, wrong), WHORL_EHTTP_HEADER);
    http2_stream_finish(&s);
}

TEST_MAIN()
