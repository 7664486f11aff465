/* SPDX-License-Identifier: MIT */
/* JSON strings, see json.h. */
#include "tools/get/json.h"

#include <string.h>

#include <whorl/text.h>

#include "tools/get/buffer.h"
#include "tools/get/text.h"

/* Appends the inside of a string. */
static void add_inside(struct buffer *buffer, const char *text, size_t len)
{
    size_t size = 6 * len + 1; /* always enough, see text.h */
    char *to = buffer_room(buffer, size);

    if (!to)
        return;
    buffer->len += text_locale_is_utf8() ? whorl_text_escape_json(text, len, to, size)
                                         : whorl_text_escape_json_ascii(text, len, to, size);
}

void json_add_string(struct buffer *buffer, const char *text)
{
    if (!text) {
        buffer_add(buffer, "null", 4);
        return;
    }
    buffer_add(buffer, "\"", 1);
    add_inside(buffer, text, strlen(text));
    buffer_add(buffer, "\"", 1);
}

void json_add_url(struct buffer *buffer, const char *url)
{
    size_t start, end;

    if (!url || !text_find_userinfo(url, &start, &end)) {
        json_add_string(buffer, url);
        return;
    }
    buffer_add(buffer, "\"", 1);
    add_inside(buffer, url, start);
    buffer_add(buffer, "***", 3);
    add_inside(buffer, url + end, strlen(url + end));
    buffer_add(buffer, "\"", 1);
}
