/* SPDX-License-Identifier: MIT */
/* Lines of manifests, see manifest_line.h. */
#include "tools/get/manifest_line.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/text.h>

#include "tools/get/buffer.h"
#include "tools/get/hash.h"
#include "tools/get/object.h"
#include "tools/get/text.h"
#include "tools/get/validator.h"

enum { PART_MAX = 255, NANOSECONDS = 1000000000 };

bool manifest_is_safe(const char *path)
{
    for (const char *part = path;; part++) {
        size_t len = strcspn(part, "/");
        bool is_dots = (len == 1 && part[0] == '.') || (len == 2 && strncmp(part, "..", 2) == 0);
        if (len == 0 || len > PART_MAX || is_dots)
            return false;
        for (size_t i = 0; i < len; i++)
            if ((unsigned char)part[i] < ' ' || part[i] == 0x7f)
                return false;
        part += len;
        if (!*part)
            return true;
    }
}

bool manifest_can_store(const char *text)
{
    size_t len = text ? strlen(text) : 0, n;
    uint32_t c;

    for (size_t i = 0; i < len; i += n) {
        n = whorl_text_decode(text + i, len - i, &c);
        if (n == 0)
            return false;
    }
    return true;
}

/* Reading */

struct reader {
    json_t *json;
    char *why; /* "": nothing is wrong so far */
};

__attribute__((format(printf, 2, 3))) static void complain(struct reader *r, const char *format,
                                                           ...)
{
    char raw[MANIFEST_WHY_SIZE];
    va_list args;

    if (r->why[0])
        return;
    va_start(args, format);
    vsnprintf(raw, sizeof raw, format, args);
    va_end(args);
    text_escape(r->why, MANIFEST_WHY_SIZE, raw, strlen(raw));
}

/* Returns the string, or NULL for null or a missing member. */
static const char *read_text(struct reader *r, const char *name, bool is_required)
{
    const json_t *value = json_object_get(r->json, name);
    const char *text = json_string_value(value);

    if ((!value || json_is_null(value)) && !is_required)
        return NULL;
    if (!text)
        complain(r, "\"%s\" is %s", name, value ? "not a string" : "missing");
    return text;
}

/* RFC 9110 §8.8.3: an entity tag, which may be weak. It is sent back in a header. */
static bool is_etag(const char *etag)
{
    return validator_is_strong_etag(strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag);
}

static bool is_date(const char *text)
{
    int64_t ns;

    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || (unsigned char)*p > '~')
            return false;
    return validator_date(text, &ns);
}

/* Reads "SECONDS.NANOSECONDS", with 9 digits. */
static bool read_mtime(const char *text, int64_t *ret)
{
    size_t whole = strspn(text, "0123456789");
    const char *part = text + whole + 1;

    if (whole == 0 || whole > 9 + 1 || text[whole] != '.' || strspn(part, "0123456789") != 9 ||
        part[9])
        return false;
    int64_t seconds = strtoll(text, NULL, 10);
    if (seconds >= INT64_MAX / NANOSECONDS)
        return false;
    *ret = seconds * NANOSECONDS + strtoll(part, NULL, 10);
    return true;
}

static void read_all(struct reader *r, struct manifest_line *line)
{
    const json_t *size = json_object_get(r->json, "size");
    const char *mtime;

    line->url = read_text(r, "url", true);
    line->final_url = read_text(r, "final_url", false);
    line->file = read_text(r, "file", true);
    line->sha256 = read_text(r, "sha256", true);
    line->etag = read_text(r, "etag", false);
    line->modified = read_text(r, "last_modified", false);
    line->fetched = read_text(r, "fetched", false);
    mtime = read_text(r, "mtime", false);
    line->size = json_integer_value(size);
    line->mtime_ns = -1;
    if (!json_is_integer(size) || line->size < 0)
        complain(r, "\"size\" is not a whole number");
    if (line->file && !manifest_is_safe(line->file))
        complain(r, "\"file\" is not the name of a file inside of the directory: %.128s",
                 line->file);
    if (line->sha256 && !hash_is_hex(HASH_SHA256, line->sha256))
        complain(r, "\"sha256\" does not have 64 hexadecimal digits");
    if (line->etag && !is_etag(line->etag))
        complain(r, "\"etag\" is not an entity tag");
    if (line->modified && !is_date(line->modified))
        complain(r, "\"last_modified\" is not a date");
    if (mtime && !read_mtime(mtime, &line->mtime_ns))
        complain(r, "\"mtime\" is not a time");
}

int manifest_line_read(struct manifest_line *ret, const char *text, size_t len,
                       char why[MANIFEST_WHY_SIZE])
{
    json_error_t error;
    struct reader r = {.json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error), .why = why};

    *ret = (struct manifest_line){.json = r.json};
    why[0] = '\0';
    if (!r.json)
        complain(&r, "not JSON: %s", error.text);
    else if (!json_is_object(r.json))
        complain(&r, "not a JSON object");
    else
        read_all(&r, ret);
    if (!why[0])
        return 0;
    manifest_line_finish(ret);
    return -EINVAL;
}

void manifest_line_finish(struct manifest_line *line)
{
    json_decref(line->json);
    *line = (struct manifest_line){0};
}

/* Writing */

void manifest_line_write(struct buffer *ret, const struct manifest_line *line)
{
    struct object object;
    char mtime[48];

    object_begin(&object);
    object_add_url(&object, "url", line->url);
    object_add_url(&object, "final_url", line->final_url);
    object_add_text(&object, "file", line->file);
    object_add_int(&object, "size", line->size);
    object_add_text(&object, "sha256", line->sha256);
    object_add_text(&object, "etag", line->etag);
    object_add_text(&object, "last_modified", line->modified);
    snprintf(mtime, sizeof mtime, "%" PRId64 ".%09" PRId64, line->mtime_ns / NANOSECONDS,
             line->mtime_ns % NANOSECONDS);
    object_add_text(&object, "mtime", line->mtime_ns >= 0 ? mtime : NULL);
    object_add_text(&object, "fetched", line->fetched);
    object_write(&object, ret);
}
