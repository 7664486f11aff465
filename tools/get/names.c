/* SPDX-License-Identifier: MIT */
/* File names from URLs, see names.h. */
#include "tools/get/names.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <whorl/text.h>

/* Of a segment longer than RAW_MAX, only the head and the tail are used. The head alone fills a
 * name, because a byte of a name takes at most three bytes of the URL ("%XX"). The tail contains
 * the extension. */
enum {
    EXTENSION_MAX = 16,
    HEAD_MAX = 3 * NAME_SIZE,
    TAIL_MAX = 3 * EXTENSION_MAX,
    RAW_MAX = HEAD_MAX + TAIL_MAX,
    ESCAPED_MAX = 3 * RAW_MAX,
};

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static size_t percent_decode(char *ret, const char *text, size_t len)
{
    size_t out = 0;

    for (size_t at = 0; at < len; at++) {
        if (text[at] == '%' && at + 2 < len) {
            int high = hex_value(text[at + 1]), low = hex_value(text[at + 2]);
            if (high >= 0 && low >= 0) {
                ret[out++] = (char)(high << 4 | low);
                at += 2;
                continue;
            }
        }
        ret[out++] = text[at];
    }
    return out;
}

/* Appends `text` to `ret` at offset `out`, and returns the new length. Bytes which a name must not
 * contain are written as %XX. */
static size_t append_safe(char *ret, size_t out, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        uint32_t c;
        size_t n = whorl_text_decode(text + at, len - at, &c);
        if (n > 0 && c != '/' && whorl_text_is_plain(c)) {
            memcpy(ret + out, text + at, n);
            out += n;
            at += n;
            continue;
        }
        for (n = n ? n : 1; n > 0; n--, at++)
            out += (size_t)snprintf(ret + out, 4, "%%%02X", (unsigned char)text[at]);
    }
    return out;
}

/* Shortens `text` until it fits into a name. The last `keep` bytes are kept. */
static void shorten(char ret[NAME_SIZE], const char *text, size_t len, size_t keep)
{
    size_t head = whorl_text_cut(text, len - keep, NAME_SIZE - 1 - keep);

    memcpy(ret, text, head);
    memcpy(ret + head, text + len - keep, keep);
    ret[head + keep] = '\0';
}

/* A name must not be hidden, and it must not be "." or "..". When a user passes "*" to a command,
 * the command must not read the name as an option. */
static void uncover(char *name)
{
    if (name[0] == '.' || name[0] == '-')
        name[0] = '_';
}

/* The bytes at the end that are kept when a name is shortened. */
static size_t extension_len(const char *name, size_t len)
{
    const char *dot = memrchr(name, '.', len);
    size_t dot_len = dot ? len - (size_t)(dot - name) : 0;

    return dot_len <= EXTENSION_MAX ? dot_len : 0;
}

bool name_clean(char ret[NAME_SIZE], const char *text, size_t len)
{
    char full[3 * RAW_MAX + 1];

    if (len > RAW_MAX)
        return false;
    len = append_safe(full, 0, text, len);
    uncover(full);
    if (len > 0)
        shorten(ret, full, len, extension_len(full, len));
    return len > 0;
}

void name_from_target(char ret[NAME_SIZE], const char *target)
{
    char raw[RAW_MAX], full[2 * ESCAPED_MAX + 1];
    size_t path_len = strcspn(target, "?"), start = path_len, extension = 0;

    while (start > 0 && target[start - 1] != '/')
        start--;
    const char *segment = target + start;
    size_t segment_len = path_len - start, raw_len;
    if (segment_len <= RAW_MAX) {
        raw_len = percent_decode(raw, segment, segment_len);
    } else {
        raw_len = percent_decode(raw, segment, HEAD_MAX);
        raw_len += percent_decode(raw + raw_len, segment + segment_len - TAIL_MAX, TAIL_MAX);
    }
    size_t len = append_safe(full, 0, raw, raw_len);
    if (len == 0) {
        memcpy(full, "index.html", 10);
        len = 10;
    }
    uncover(full);

    const char *query = target + path_len;
    if (query[0] == '?' && query[1]) {
        size_t query_len = strlen(query);
        len = append_safe(full, len, query, query_len < RAW_MAX ? query_len : RAW_MAX);
    } else {
        extension = extension_len(full, len);
    }
    shorten(ret, full, len, extension);
}

void name_numbered(char ret[NAME_SIZE], const char *name, unsigned number)
{
    char full[NAME_SIZE + 16];
    size_t name_len = strlen(name);
    int len = snprintf(full, sizeof full, "%s.%u", name, number);

    shorten(ret, full, (size_t)len, (size_t)len - name_len);
}

unsigned name_hints_next(struct name_hints *hints, const char *name)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

    for (const char *p = name; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
    size_t slot = (hash ^ hash >> 32) % (sizeof hints->slots / sizeof hints->slots[0]);
    if (hints->slots[slot].hash != hash) {
        hints->slots[slot].hash = hash;
        hints->slots[slot].next = 1;
    }
    return hints->slots[slot].next++;
}

bool name_is_safe(const char *name)
{
    size_t len = strlen(name);

    for (const char *p = name; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f || *p == '/')
            return false;
    return len > 0 && len < NAME_SIZE && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

const char *name_path_fault(const char *path)
{
    size_t len;

    for (const char *p = path; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return "contains a control byte";
    if (*path == '/')
        return "is an absolute path";
    for (const char *p = path;; p += len + 1) {
        len = strcspn(p, "/");
        if (len == 0)
            return p[len] || p > path ? "has an empty part" : "is empty";
        if (len <= 2 && strncmp(p, "..", len) == 0)
            return "contains \".\" or \"..\"";
        if (len >= NAME_SIZE)
            return "has a part that is too long";
        if (!p[len])
            return NULL;
    }
}
