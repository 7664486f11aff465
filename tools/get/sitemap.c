/* SPDX-License-Identifier: MIT */
/* Sitemaps, see sitemap.h. */
#include "tools/get/sitemap.h"

#include <errno.h>
#include <libxml/xmlreader.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <zlib.h>

#include "tools/get/buffer.h"
#include "tools/get/text.h"

struct sitemap {
    sitemap_fn *take;
    void *arg;
    char *why;
    size_t why_size;
    int count;
};

__attribute__((format(printf, 2, 3))) static int wrong(struct sitemap *map, const char *format, ...)
{
    char raw[256];
    va_list args;

    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    text_escape(map->why, map->why_size, raw, strcspn(raw, "\n"));
    return -EINVAL;
}

static int take(struct sitemap *map, bool is_sitemap, const char *url, size_t len)
{
    char text[SITEMAP_URL_MAX + 1];

    while (len > 0 && strchr(" \t\r\n", *url))
        url++, len--;
    while (len > 0 && strchr(" \t\r\n", url[len - 1]))
        len--;
    if (len == 0)
        return 0;
    if (len > SITEMAP_URL_MAX)
        return wrong(map, "has a URL of more than %d bytes", SITEMAP_URL_MAX);
    if (map->count++ == SITEMAP_URLS_MAX)
        return wrong(map, "has more than %d URLs", SITEMAP_URLS_MAX);
    memcpy(text, url, len);
    text[len] = '\0';
    return map->take(map->arg, is_sitemap, text);
}

/* --- XML --- */

static bool is_named(xmlTextReader *reader, const char *name)
{
    const xmlChar *local = xmlTextReaderConstLocalName(reader);

    return local && strcmp((const char *)local, name) == 0;
}

/* The content of <loc>; the reader is at its start. */
static int take_location(struct sitemap *map, xmlTextReader *reader, bool is_sitemap)
{
    struct buffer text = {0};
    int depth = xmlTextReaderDepth(reader), n = 1, err = 0;

    if (xmlTextReaderIsEmptyElement(reader) == 1)
        return 0;
    while ((n = xmlTextReaderRead(reader)) == 1 && xmlTextReaderDepth(reader) > depth) {
        int type = xmlTextReaderNodeType(reader);
        const xmlChar *part = xmlTextReaderConstValue(reader);
        bool is_text = type == XML_READER_TYPE_TEXT || type == XML_READER_TYPE_CDATA;
        if (is_text && part && text.len <= 2 * SITEMAP_URL_MAX)
            buffer_add(&text, (const char *)part, strlen((const char *)part));
    }
    if (text.failed)
        err = -ENOMEM;
    else if (n == 1)
        err = take(map, is_sitemap, text.text ? text.text : "", text.len);
    buffer_finish(&text);
    return err;
}

/* Reads <urlset> or <sitemapindex>. Extensions, such as those for images, have a <loc> too, but in
 * other elements. */
static int read_elements(struct sitemap *map, xmlTextReader *reader)
{
    bool is_index = false, in_entry = false;
    int n, err = 0;

    while (err == 0 && (n = xmlTextReaderRead(reader)) == 1) {
        if (xmlTextReaderNodeType(reader) != XML_READER_TYPE_ELEMENT)
            continue;
        int depth = xmlTextReaderDepth(reader);
        if (depth == 0) {
            is_index = is_named(reader, "sitemapindex");
            if (!is_index && !is_named(reader, "urlset"))
                return wrong(map, "is XML, but not a sitemap");
        } else if (depth == 1) {
            in_entry = is_named(reader, is_index ? "sitemap" : "url");
        } else if (depth == 2 && in_entry && is_named(reader, "loc")) {
            err = take_location(map, reader, is_index);
        }
    }
    if (err == 0 && n < 0) {
        const xmlError *error = xmlGetLastError();
        return wrong(map, "is not XML: line %d: %s", error ? error->line : 0,
                     error && error->message ? error->message : "unknown error");
    }
    return err;
}

static int read_xml(struct sitemap *map, const char *text, size_t len)
{
    /* Entities are not replaced, and nothing is loaded. */
    xmlTextReader *reader = xmlReaderForMemory(
        text, (int)len, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);

    if (!reader)
        return -ENOMEM;
    int err = read_elements(map, reader);
    xmlFreeTextReader(reader);
    return err;
}

/* --- text --- */

static bool is_url(const char *line, size_t len)
{
    return (len > 7 && strncasecmp(line, "http://", 7) == 0) ||
           (len > 8 && strncasecmp(line, "https://", 8) == 0);
}

static int read_text(struct sitemap *map, const char *text, size_t len)
{
    const char *end = text + len;
    int err = 0;

    while (text < end && err == 0) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line_len = (size_t)((newline ? newline : end) - text);
        size_t spaces = 0;
        while (spaces < line_len && strchr(" \t\r", text[spaces]) && text[spaces])
            spaces++;
        if (spaces < line_len && !is_url(text + spaces, line_len - spaces))
            err = wrong(map, "is neither XML nor text with a URL on each line");
        else
            err = take(map, false, text, line_len);
        text += line_len + 1;
    }
    return err;
}

/* --- all --- */

/* Leaves out a byte order mark and spaces. */
static void skip_start(const char **text, size_t *len)
{
    if (*len >= 3 && memcmp(*text, "\xef\xbb\xbf", 3) == 0)
        *text += 3, *len -= 3;
    while (*len > 0 && **text && strchr(" \t\r\n", **text))
        (*text)++, (*len)--;
}

bool sitemap_is_xml(const char *text, size_t len)
{
    skip_start(&text, &len);
    xmlTextReader *reader =
        len > 0 && *text == '<'
            ? xmlReaderForMemory(text, len > 64 << 10 ? 64 << 10 : (int)len, NULL, NULL,
                                 XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)
            : NULL;
    bool is = false;

    if (!reader)
        return false;
    while (xmlTextReaderRead(reader) == 1) {
        if (xmlTextReaderNodeType(reader) == XML_READER_TYPE_ELEMENT) {
            is = is_named(reader, "urlset") || is_named(reader, "sitemapindex");
            break;
        }
    }
    xmlFreeTextReader(reader);
    return is;
}

/* Decompresses gzip (RFC 1952). */
static int inflate_all(struct sitemap *map, const char *text, size_t len, struct buffer *ret)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)len};
    int result = inflateInit2(&stream, 16 + MAX_WBITS);
    char part[16 << 10];

    if (result != Z_OK)
        return -ENOMEM;
    while (result == Z_OK && ret->len <= SITEMAP_MAX) {
        stream.next_out = (Bytef *)part;
        stream.avail_out = sizeof part;
        result = inflate(&stream, Z_NO_FLUSH);
        buffer_add(ret, part, sizeof part - stream.avail_out);
    }
    inflateEnd(&stream);
    if (ret->failed || result == Z_MEM_ERROR)
        return -ENOMEM;
    if (ret->len > SITEMAP_MAX)
        return wrong(map, "is longer than %d MiB", SITEMAP_MAX >> 20);
    return result == Z_STREAM_END ? 0 : wrong(map, "is not valid gzip data");
}

int sitemap_read(const char *text, size_t len, sitemap_fn *take_fn, void *arg, char *why,
                 size_t why_size)
{
    struct sitemap map = {.take = take_fn, .arg = arg, .why = why, .why_size = why_size};
    struct buffer plain = {0};
    int err = 0;

    if (len > SITEMAP_MAX)
        return wrong(&map, "is longer than %d MiB", SITEMAP_MAX >> 20);
    if (len >= 2 && memcmp(text, "\x1f\x8b", 2) == 0) {
        err = inflate_all(&map, text, len, &plain);
        text = plain.text;
        len = plain.len;
    }
    if (err == 0)
        skip_start(&text, &len);
    if (err == 0 && len > 0)
        err = *text == '<' ? read_xml(&map, text, len) : read_text(&map, text, len);
    buffer_finish(&plain);
    return err;
}
