/* SPDX-License-Identifier: MIT */
/* JSON strings, see json.h. */
#include "tools/whorl-get/json.h"

#include <string.h>

#include <whorl/text.h>

#include "tools/whorl-get/buffer.h"
#include "tools/whorl-get/text.h"

/* Appends \uXXXX, or two of them for a character beyond U+FFFF. */
static void add_escape(struct buffer *buffer, uint32_t c)
{
    if (c < 0x10000) {
        buffer_printf(buffer, "\\u%04x", (unsigned)c);
        return;
    }
    c -= 0x10000;
    buffer_printf(buffer, "\\u%04x\\u%04x", 0xd800 + (unsigned)(c >> 10),
                  0xdc00 + (unsigned)(c & 0x3ff));
}

/* Appends the inside of a string. */
static void add_inside(struct buffer *buffer, const char *text, size_t len)
{
    bool utf8 = text_locale_is_utf8();

    for (size_t at = 0; at < len;) {
        uint32_t c;
        size_t n = whorl_text_decode(text + at, len - at, &c);
        if (n == 0)
            buffer_add(buffer, "\\ufffd", 6);
        else if (c == '"' || c == '\\')
            buffer_printf(buffer, "\\%c", (char)c);
        else if (!whorl_text_is_plain(c) || (c >= 0x80 && !utf8))
            add_escape(buffer, c);
        else
            buffer_add(buffer, text + at, n);
        at += n ? n : 1;
    }
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
