/* SPDX-License-Identifier: MIT */
/* JSON objects, see object.h. */
#include "tools/get/object.h"

#include <jansson.h>
#include <string.h>

#include <whorl/base.h>
#include <whorl/text.h>

#include "tools/get/buffer.h"
#include "tools/get/text.h"

void object_begin(struct object *object)
{
    *object = (struct object){.json = json_object()};
}

void object_drop(struct object *object)
{
    json_decref(object->json);
    *object = (struct object){0};
}

/* Adds a value and takes its reference. `value` is NULL when there was no memory. */
static void add(struct object *object, const char *name, json_t *value)
{
    if (json_object_set_new_nocheck(object->json, name, value) < 0)
        object_drop(object);
}

/* Appends text to `ret`. Bytes that are not UTF-8 become U+FFFD: jansson refuses them. */
static void add_clean(struct buffer *ret, const char *text, size_t len)
{
    for (size_t i = 0, whole = 0; whole < len; i = whole) {
        size_t n = 1;
        uint32_t c;
        while (whole < len && (n = whorl_text_decode(text + whole, len - whole, &c)) > 0)
            whole += n;
        buffer_add(ret, text + i, whole - i);
        if (n == 0) {
            buffer_add(ret, "\xef\xbf\xbd", 3);
            whole++;
        }
    }
}

static json_t *string_of(const struct buffer *text)
{
    if (text->failed)
        return NULL;
    return json_stringn_nocheck(text->text ? text->text : "", text->len);
}

/* Returns a string, or null for NULL; NULL when there is no memory. */
static json_t *text_value(const char *text)
{
    struct buffer clean = {0};

    if (!text)
        return json_null();
    add_clean(&clean, text, strlen(text));
    json_t *value = string_of(&clean);
    buffer_finish(&clean);
    return value;
}

void object_add_text(struct object *object, const char *name, const char *text)
{
    add(object, name, text_value(text));
}

void object_add_url(struct object *object, const char *name, const char *url)
{
    struct buffer clean = {0};
    size_t start, end;

    if (!url || !text_find_userinfo(url, &start, &end)) {
        object_add_text(object, name, url);
        return;
    }
    add_clean(&clean, url, start);
    buffer_add(&clean, "***", 3);
    add_clean(&clean, url + end, strlen(url + end));
    add(object, name, string_of(&clean));
    buffer_finish(&clean);
}

void object_add_texts(struct object *object, const char *name, const char *const *texts,
                      size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(array, text_value(texts[i])) < 0) {
            json_decref(array);
            array = NULL;
        }
    add(object, name, array);
}

void object_begin_pairs(struct object *object, const char *name)
{
    object->pairs = json_array();
    add(object, name, object->pairs);
}

void object_add_pair(struct object *object, const char *first, const char *second)
{
    json_t *pair = json_array();

    if (json_array_append_new(pair, text_value(first)) < 0 ||
        json_array_append_new(pair, text_value(second)) < 0) {
        json_decref(pair);
        pair = NULL;
    }
    if (json_array_append_new(object->pairs, pair) < 0)
        object_drop(object);
}

void object_add_int(struct object *object, const char *name, int64_t value)
{
    add(object, name, json_integer(value));
}

void object_add_bool(struct object *object, const char *name, bool value)
{
    add(object, name, json_boolean(value));
}

void object_add_null(struct object *object, const char *name)
{
    add(object, name, json_null());
}

void object_add_seconds(struct object *object, const char *name, int64_t duration_ns)
{
    if (duration_ns < 0)
        object_add_null(object, name);
    else
        add(object, name, json_real((double)(duration_ns / 1000) / 1e6));
}

static void escape(struct buffer *ret, uint32_t c)
{
    if (c >= 0x10000) /* a surrogate pair, RFC 8259 §7 */
        buffer_printf(ret, "\\u%04X\\u%04X", (unsigned)(0xd7c0 + (c >> 10)),
                      (unsigned)(0xdc00 + (c & 0x3ff)));
    else
        buffer_printf(ret, "\\u%04X", (unsigned)c);
}

/* Takes a part of what jansson writes: whole characters. jansson has escaped those below U+0020.
 * The others that are not plain are always inside a string, so they can be escaped here. */
static int take(const char *text, size_t len, void *arg)
{
    struct buffer *ret = arg;
    size_t done = 0, i = 0, n;

    for (; i < len; i += n) {
        uint32_t c;
        n = whorl_text_decode(text + i, len - i, &c);
        if (whorl_text_is_plain(c))
            continue;
        buffer_add(ret, text + done, i - done);
        escape(ret, c);
        done = i + n;
    }
    buffer_add(ret, text + done, i - done);
    return ret->failed ? -1 : 0;
}

void object_write(struct object *object, struct buffer *ret)
{
    /* 15 digits show each microsecond of a century, and no digits of a binary fraction. */
    size_t flags = JSON_COMPACT | JSON_REAL_PRECISION(15);

    if (!text_locale_is_utf8())
        flags |= JSON_ENSURE_ASCII;
    if (json_dump_callback(object->json, take, ret, flags) < 0)
        ret->failed = true;
    buffer_add(ret, "\n", 1);
    object_drop(object);
}
