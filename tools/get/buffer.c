/* SPDX-License-Identifier: MIT */
/* Text that grows, see buffer.h. */
#include "tools/get/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE_MIN = 512 };

void buffer_clear(struct buffer *buffer)
{
    if (buffer->text)
        buffer->text[0] = '\0';
    buffer->len = 0;
    buffer->failed = false;
}

char *buffer_room(struct buffer *buffer, size_t len)
{
    if (buffer->failed)
        return NULL;
    if (buffer->size - buffer->len > len)
        return buffer->text + buffer->len;

    size_t size = buffer->size ? 2 * buffer->size : SIZE_MIN;
    while (size - buffer->len <= len)
        size *= 2;
    char *text = realloc(buffer->text, size);
    if (!text) {
        buffer->failed = true;
        return NULL;
    }
    buffer->text = text;
    buffer->size = size;
    return text + buffer->len;
}

void buffer_add(struct buffer *buffer, const char *text, size_t len)
{
    char *to = buffer_room(buffer, len);

    if (!to)
        return;
    memcpy(to, text, len);
    to[len] = '\0';
    buffer->len += len;
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *to = len >= 0 ? buffer_room(buffer, (size_t)len) : NULL;
    if (to) {
        vsnprintf(to, (size_t)len + 1, format, again);
        buffer->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

void buffer_finish(struct buffer *buffer)
{
    free(buffer->text);
    *buffer = (struct buffer){0};
}
