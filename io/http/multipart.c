/* SPDX-License-Identifier: MIT */
/* Writes the delimiters and headers of multipart/form-data bodies; see multipart.h. */
#include "io/http/multipart.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/error.h>

#include "io/http/header.h"

void multipart_init(struct multipart *m, const unsigned char random[MULTIPART_RANDOM])
{
    *m = (struct multipart){.boundary = "----whorl"};
    for (size_t i = 0; i < MULTIPART_RANDOM; i++)
        snprintf(m->boundary + strlen(m->boundary), 3, "%02x", random[i]);
    STAILQ_INIT(&m->parts);
}

void multipart_finish(struct multipart *m)
{
    struct multipart_part *part;

    while ((part = STAILQ_FIRST(&m->parts))) {
        STAILQ_REMOVE_HEAD(&m->parts, link);
        free(part);
    }
}

/* HTML Standard, "multipart/form-data encoding algorithm": three bytes are escaped. */
static const char *escaped(char c)
{
    switch (c) {
    case '"':
        return "%22";
    case '\r':
        return "%0D";
    case '\n':
        return "%0A";
    default:
        return NULL;
    }
}

static char *put(char *at, const char *text)
{
    size_t len = strlen(text);

    memcpy(at, text, len);
    return at + len;
}

static char *put_name(char *at, const char *name)
{
    for (; *name; name++) {
        const char *code = escaped(*name);
        if (code)
            at = put(at, code);
        else
            *at++ = *name;
    }
    return at;
}

/* The most bytes that a head needs. */
static size_t head_size(const struct whorl_http_form_part *part, const char *type)
{
    return MULTIPART_BOUNDARY_SIZE + 128 + 3 * strlen(part->name) +
           (part->file_name ? 3 * strlen(part->file_name) : 0) + (type ? strlen(type) : 0);
}

static char *put_head(char *at, const struct multipart *m, const struct whorl_http_form_part *part,
                      const char *type)
{
    at = put(at, STAILQ_EMPTY(&m->parts) ? "--" : "\r\n--");
    at = put(at, m->boundary);
    at = put(at, "\r\nContent-Disposition: form-data; name=\"");
    at = put_name(at, part->name);
    if (part->file_name) {
        at = put(at, "\"; filename=\"");
        at = put_name(at, part->file_name);
    }
    at = put(at, "\"\r\n");
    if (type) {
        at = put(at, "Content-Type: ");
        at = put(at, type);
        at = put(at, "\r\n");
    }
    return put(at, "\r\n");
}

int multipart_add(struct multipart *m, const struct whorl_http_form_part *part, bool is_file,
                  struct multipart_part **ret)
{
    const char *type = part->content_type, *data = part->text ? part->text : part->data;

    if (!part->name || !!part->text + !!part->data + is_file > 1 ||
        (!part->data && part->data_len > 0))
        return -EINVAL;
    if (type && !header_is_value(type, strlen(type)))
        return WHORL_EHTTP_REQUEST_HEADER;
    if (!type && part->file_name)
        type = "application/octet-stream";
    size_t len = part->text ? strlen(part->text) : part->data_len;
    if (len > INT64_MAX)
        return -EINVAL;
    struct multipart_part *new = malloc(sizeof *new + head_size(part, type));
    if (!new)
        return -ENOMEM;
    *new = (struct multipart_part){.data = is_file ? NULL
                                           : data  ? data
                                                   : "",
                                   .len = (int64_t)len,
                                   .fd = -1};
    new->head_len = (size_t)(put_head(new->head, m, part, type) - new->head);
    STAILQ_INSERT_TAIL(&m->parts, new, link);
    multipart_rewind(m);
    *ret = new;
    return 0;
}

/* Writes the last delimiter. Returns its length. */
static size_t write_end(const struct multipart *m, char end[MULTIPART_BOUNDARY_SIZE + 8])
{
    return (size_t)sprintf(end, "%s--%s--\r\n", STAILQ_EMPTY(&m->parts) ? "" : "\r\n", m->boundary);
}

int64_t multipart_len(const struct multipart *m)
{
    const struct multipart_part *part;
    char end[MULTIPART_BOUNDARY_SIZE + 8];
    int64_t sum = (int64_t)write_end(m, end);

    STAILQ_FOREACH(part, &m->parts, link)
    {
        if (part->len < 0)
            return -1;
        if (__builtin_add_overflow(sum, part->len, &sum) ||
            __builtin_add_overflow(sum, (int64_t)part->head_len, &sum))
            return -EOVERFLOW;
    }
    return sum;
}

void multipart_rewind(struct multipart *m)
{
    m->part = STAILQ_FIRST(&m->parts);
    m->in_data = false;
    m->done = 0;
}

/* The current section of bytes in memory has been read to its end. */
static void next_section(struct multipart *m)
{
    m->done = 0;
    if (m->in_data)
        m->part = STAILQ_NEXT(m->part, link);
    m->in_data = !m->in_data;
}

size_t multipart_read(struct multipart *m, char *buf, size_t len, struct multipart_part **ret_file)
{
    char end[MULTIPART_BOUNDARY_SIZE + 8];
    size_t out = 0;

    *ret_file = NULL;
    while (out < len) {
        bool is_end = !m->part;
        const char *bytes = end;
        size_t bytes_len;
        if (is_end) {
            bytes_len = write_end(m, end);
        } else if (!m->in_data) {
            bytes = m->part->head;
            bytes_len = m->part->head_len;
        } else if (m->part->data) {
            bytes = m->part->data;
            bytes_len = (size_t)m->part->len;
        } else {
            *ret_file = out == 0 ? m->part : NULL;
            return out;
        }
        size_t rest = bytes_len - (size_t)m->done, n = rest < len - out ? rest : len - out;
        if (n > 0)
            memcpy(buf + out, bytes + m->done, n);
        m->done += (int64_t)n;
        out += n;
        if (n == rest && is_end)
            return out;
        if (n == rest)
            next_section(m);
    }
    return out;
}

void multipart_took(struct multipart *m, size_t n)
{
    m->done += (int64_t)n;
    if (n == 0 || m->done == m->part->len)
        next_section(m);
}
