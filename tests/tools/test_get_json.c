/* SPDX-License-Identifier: MIT */
/* whorl-get's JSON strings, and the buffer that they are written to. */
#include <locale.h>
#include <stdlib.h>

#include "faults.h"
#include "test.h"
#include "tools/get/buffer.h"
#include "tools/get/json.h"

static struct buffer buffer;

static const char *json(const char *text)
{
    buffer_clear(&buffer);
    json_add_string(&buffer, text);
    CHECK_EQ(buffer.len, strlen(buffer.text));
    return buffer.text;
}

static const char *json_url(const char *text)
{
    buffer_clear(&buffer);
    json_add_url(&buffer, text);
    return buffer.text;
}

TEST(json_strings_are_valid)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    CHECK_STR(json(""), "\"\"");
    CHECK_STR(json(NULL), "null");
    CHECK_STR(json("a\"b\\c"), "\"a\\\"b\\\\c\"");
    CHECK_STR(json("\n\x1f\x7f"), "\"\\u000a\\u001f\\u007f\"");
    CHECK_STR(json("é\xff"), "\"é\\ufffd\"");
    CHECK_STR(json("\xf3\xa0\x80\x81"), "\"\\udb40\\udc01\""); /* U+E0001, invisible */
    buffer_finish(&buffer);
}

TEST(json_strings_are_ascii_without_utf_8)
{
    setlocale(LC_CTYPE, "C");
    CHECK_STR(json("é\xff"), "\"\\u00e9\\ufffd\"");
    CHECK_STR(json("\xf0\x9f\x98\x80"), "\"\\ud83d\\ude00\"");
    buffer_finish(&buffer);
}

TEST(json_strings_hold_no_password)
{
    CHECK_STR(json_url("http://user:secret@h/\""), "\"http://***@h/\\\"\"");
    CHECK_STR(json_url("http://h/x@y"), "\"http://h/x@y\"");
    CHECK_STR(json_url(NULL), "null");
    buffer_finish(&buffer);
}

TEST(json_strings_are_never_cut)
{
    size_t len = 200000;
    char *text = malloc(len + 1);

    memset(text, '\n', len);
    text[len] = '\0';
    json(text);
    CHECK_EQ(buffer.len, 6 * len + 2);
    free(text);
    buffer_finish(&buffer);
}

TEST(buffer_without_memory_drops_the_rest_and_says_so)
{
    buffer_add(&buffer, "kept", 4);
    faults_arm(1);
    buffer_printf(&buffer, "%5000d", 7);
    CHECK(faults_disarm());
    CHECK(buffer.failed);
    buffer_add(&buffer, "x", 1);
    CHECK_STR(buffer.text, "kept");
    buffer_clear(&buffer);
    CHECK(!buffer.failed);
    CHECK_STR(buffer.text, "");
    buffer_add(&buffer, "x", 1);
    CHECK_STR(buffer.text, "x");
    buffer_finish(&buffer);
}

TEST_MAIN()
