/* SPDX-License-Identifier: MIT */
/* whorl-get's JSON objects, and the buffer that they are written to. */
#include <jansson.h>
#include <locale.h>
#include <stdlib.h>

#include <whorl/base.h>

#include "faults.h"
#include "test.h"
#include "tools/get/buffer.h"
#include "tools/get/object.h"

static struct buffer buffer;

static const char *written(struct object *object)
{
    buffer_clear(&buffer);
    object_write(object, &buffer);
    CHECK(!buffer.failed);
    CHECK_EQ(buffer.len, strlen(buffer.text));
    return buffer.text;
}

static const char *text(const char *value)
{
    struct object object;

    object_begin(&object);
    object_add_text(&object, "a", value);
    return written(&object);
}

static const char *url(const char *value)
{
    struct object object;

    object_begin(&object);
    object_add_url(&object, "a", value);
    return written(&object);
}

TEST(strings_are_valid)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    CHECK_STR(text(""), "{\"a\":\"\"}\n");
    CHECK_STR(text(NULL), "{\"a\":null}\n");
    CHECK_STR(text("a\"b\\c"), "{\"a\":\"a\\\"b\\\\c\"}\n");
    CHECK_STR(text("\n\x1f\x7f"), "{\"a\":\"\\n\\u001F\\u007F\"}\n");
    CHECK_STR(text("é\xff"), "{\"a\":\"é\ufffd\"}\n");
    CHECK_STR(text("\xff\xc3"), "{\"a\":\"\ufffd\ufffd\"}\n");
    CHECK_STR(text("\xc3(\xed\xa0\x80)"), "{\"a\":\"\ufffd(\ufffd\ufffd\ufffd)\"}\n");
    buffer_finish(&buffer);
}

TEST(characters_that_deceive_are_escaped)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    CHECK_STR(text("\xf3\xa0\x80\x81"), "{\"a\":\"\\uDB40\\uDC01\"}\n"); /* U+E0001, invisible */
    CHECK_STR(text("a\u202eb"), "{\"a\":\"a\\u202Eb\"}\n");
    CHECK_STR(text("\xc2\x9b"), "{\"a\":\"\\u009B\"}\n"); /* CSI in 8 bits */
    buffer_finish(&buffer);
}

TEST(objects_are_ascii_without_utf_8)
{
    setlocale(LC_CTYPE, "C");
    CHECK_STR(text("é\xff\x7f"), "{\"a\":\"\\u00E9\\uFFFD\\u007F\"}\n");
    CHECK_STR(text("\xf0\x9f\x98\x80"), "{\"a\":\"\\uD83D\\uDE00\"}\n");
    buffer_finish(&buffer);
}

TEST(urls_hold_no_password)
{
    CHECK_STR(url("http://user:secret@h/\""), "{\"a\":\"http://***@h/\\\"\"}\n");
    CHECK_STR(url("http://h/x@y"), "{\"a\":\"http://h/x@y\"}\n");
    CHECK_STR(url(NULL), "{\"a\":null}\n");
    buffer_finish(&buffer);
}

TEST(members_keep_their_order)
{
    struct object object;

    object_begin(&object);
    object_add_int(&object, "z", INT64_MIN);
    object_add_bool(&object, "y", true);
    object_add_null(&object, "x");
    object_add_seconds(&object, "w", 12 * WHORL_MILLISECOND);
    object_add_seconds(&object, "v", 100 * WHORL_SECOND + 1999);
    object_add_seconds(&object, "u", -1);
    object_add_bool(&object, "t", false);
    CHECK_STR(written(&object), "{\"z\":-9223372036854775808,\"y\":true,\"x\":null,\"w\":0.012,"
                                "\"v\":100.000001,\"u\":null,\"t\":false}\n");
    buffer_finish(&buffer);
}

TEST(arrays_hold_strings_and_pairs)
{
    static const char *const texts[] = {"a", "\xff", NULL};
    struct object object;

    setlocale(LC_CTYPE, "C.UTF-8");
    object_begin(&object);
    object_add_texts(&object, "none", NULL, 0);
    object_add_texts(&object, "texts", texts, 3);
    object_begin_pairs(&object, "first");
    object_begin_pairs(&object, "pairs");
    object_add_pair(&object, "X", "\"\x1b");
    object_add_pair(&object, "X", NULL);
    object_add_int(&object, "last", 1);
    CHECK_STR(written(&object), "{\"none\":[],\"texts\":[\"a\",\"\ufffd\",null],\"first\":[],"
                                "\"pairs\":[[\"X\",\"\\\"\\u001B\"],[\"X\",null]],\"last\":1}\n");
    buffer_finish(&buffer);
}

TEST(strings_are_never_cut)
{
    size_t len = 200000;
    char *value = malloc(len + 1);

    memset(value, 1, len);
    value[len] = '\0';
    text(value);
    CHECK_EQ(buffer.len, 6 * len + strlen("{\"a\":\"\"}\n"));
    free(value);
    buffer_finish(&buffer);
}

/* The faults count only the calls of the program itself, so jansson allocates through these. */
static void *allocate(size_t size)
{
    return malloc(size);
}

static void release(void *memory)
{
    free(memory);
}

TEST(object_without_memory_is_lost_and_says_so)
{
    unsigned n = 0;
    bool failed;

    json_set_alloc_funcs(allocate, release);
    do {
        struct object object;
        faults_arm(++n);
        object_begin(&object);
        object_add_text(&object, "a", "b");
        object_add_url(&object, "c", "http://u:p@h/");
        object_add_seconds(&object, "d", 1);
        object_add_texts(&object, "e", (const char *const[]){"f", "g"}, 2);
        object_begin_pairs(&object, "h");
        object_add_pair(&object, "i", "j");
        object_write(&object, &buffer);
        failed = faults_disarm();
        CHECK_EQ(buffer.failed, failed);
        buffer_finish(&buffer);
    } while (failed);
    CHECK(n > 20);
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
