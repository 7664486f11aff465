/* SPDX-License-Identifier: MIT */
/* How whorl-get splits a list of URLs into lines. */
#include <stdlib.h>

#include "test.h"
#include "tools/get/lines.h"

/* Feeds `text` in pieces of `piece` bytes; logs each line as "number:line" or "number!code". */
static void split(const char *text, size_t len, size_t piece)
{
    struct lines *lines = calloc(1, sizeof *lines);
    bool at_end = false;
    char *line;

    test_log_clear();
    for (;;) {
        int n = lines_next(lines, at_end, &line);
        if (n > 0)
            test_log("%ld:%.20s", lines->number, line);
        else if (n < 0)
            test_log("%ld!%s", lines->number, whorl_error_name(n));
        else if (at_end)
            break;
        else {
            size_t room, part = piece < len ? piece : len;
            void *to = lines_room(lines, &room);
            CHECK(room > 0);
            part = part < room ? part : room;
            memcpy(to, text, part);
            lines_added(lines, part);
            text += part, len -= part;
            at_end = part == 0;
        }
    }
    CHECK_EQ(lines_next(lines, true, &line), 0);
    free(lines);
}

TEST(lines_are_trimmed_and_counted)
{
    static const char text[] = "a\n  b\t\r\n\n# no\n   #no\nc d\n";
    for (size_t piece = 1; piece < sizeof text; piece++) {
        split(text, strlen(text), piece);
        CHECK_STR(test_logged(), "1:a 2:b 6:c d");
    }
}

TEST(last_line_needs_no_newline)
{
    split("a\nb", 3, 2);
    CHECK_STR(test_logged(), "1:a 2:b");
    split("", 0, 1);
    CHECK_STR(test_logged(), "");
    split("\n\n", 2, 1);
    CHECK_STR(test_logged(), "");
}

TEST(byte_order_mark_is_skipped)
{
    split("\xef\xbb\xbfhttp://h/\n", 13, 1);
    CHECK_STR(test_logged(), "1:http://h/");
}

TEST(nul_in_a_line_spoils_that_line_only)
{
    split("a\nb\0c\nd\n", 8, 3);
    CHECK_STR(test_logged(), "1:a 2!EINVAL 3:d");
}

TEST(too_long_a_line_spoils_that_line_only)
{
    size_t len = 3 * LINES_MAX;
    char *text = malloc(len);
    memset(text, 'x', len);
    memcpy(text, "a\n", 2);
    memcpy(text + len - 3, "\nb\n", 3);
    static const size_t pieces[] = {777, LINES_MAX, 3 * LINES_MAX};
    for (size_t i = 0; i < 3; i++) {
        split(text, len, pieces[i]);
        CHECK_STR(test_logged(), "1:a 2!E2BIG 3:b");
    }
    split(text, len - 3, 5000); /* the input ends inside the long line */
    CHECK_STR(test_logged(), "1:a 2!E2BIG");
    free(text);
}

TEST(longest_line_is_taken_whole)
{
    char *text = malloc(LINES_MAX + 1);
    memset(text, 'x', LINES_MAX);
    text[LINES_MAX - 1] = '\n';
    split(text, LINES_MAX, 1000);
    CHECK_STR(test_logged(), "1:xxxxxxxxxxxxxxxxxxxx");
    free(text);
}

TEST_MAIN()
