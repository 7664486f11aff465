/* SPDX-License-Identifier: MIT */
/* Paths from patterns, see pattern.h. */
#include "tools/get/pattern.h"

#include <stdlib.h>
#include <string.h>

#include <whorl/url.h>

#include "tools/get/buffer.h"
#include "tools/get/names.h"

static const char *const fields[] = {"host", "path", "name", "stem", "ext", "number"};

/* What the fields are filled with. */
struct values {
    const struct whorl_url *url;
    const char *name;
    uint64_t number;
};

/* The length of "{field}" at `p`, or 0 when there is no known field. */
static size_t field_at(const char *p, const char **ret)
{
    for (size_t i = 0; *p == '{' && i < sizeof fields / sizeof *fields; i++) {
        size_t len = strlen(fields[i]);
        if (strncmp(p + 1, fields[i], len) == 0 && p[len + 1] == '}') {
            *ret = fields[i];
            return len + 2;
        }
    }
    return 0;
}

int pattern_check(const char *pattern, const char **ret_why)
{
    int count = 0;
    const char *field;

    for (const char *p = pattern, *slash; p; p = slash ? slash + 1 : NULL) {
        slash = strchr(p, '/');
        size_t len = slash ? (size_t)(slash - p) : strlen(p);
        bool is_dots = (len == 1 && *p == '.') || (len == 2 && strncmp(p, "..", 2) == 0);
        if (strchr(pattern, '{') && (len == 0 || is_dots)) {
            *ret_why = "a path with fields is in the directory of --dir, so it does not begin or "
                       "end with a slash and has no '.' or '..' between slashes";
            return -1;
        }
    }
    for (const char *p = pattern; *p;) {
        size_t len = field_at(p, &field);
        if ((*p == '{' || *p == '}') && p[1] == *p)
            p += 2, count++;
        else if (len > 0)
            p += len, count++;
        else if (*p == '{' || *p == '}') {
            *ret_why = "a brace is not doubled, or has none of host, path, name, stem, ext and "
                       "number in it";
            return -1;
        } else
            p++;
    }
    return count > 0;
}

/* "DIR/DIR/" of the URL's path. Empty segments are left out. */
static void add_dirs(struct buffer *ret, const char *target)
{
    const char *end = target + strcspn(target, "?"), *slash;

    for (const char *p = target + 1; (slash = memchr(p, '/', (size_t)(end - p))); p = slash + 1) {
        char segment[NAME_SIZE], target_of_it[4 * NAME_SIZE];
        size_t len = (size_t)(slash - p);
        if (len == 0)
            continue;
        /* name_from_target() shortens a long segment and decodes it, as it does with a name. */
        if (len > sizeof target_of_it - 2)
            len = sizeof target_of_it - 2;
        target_of_it[0] = '/';
        memcpy(target_of_it + 1, p, len);
        target_of_it[len + 1] = '\0';
        name_from_target(segment, target_of_it);
        buffer_printf(ret, "%s/", segment);
    }
}

static void add_host(struct buffer *ret, const struct whorl_url *url)
{
    char host[NAME_SIZE];

    if (!name_clean(host, url->authority, strlen(url->authority)))
        strcpy(host, "_");
    buffer_printf(ret, "%s", host);
}

static void add_field(struct buffer *ret, const char *field, const struct values *values)
{
    const char *name = values->name, *dot = strrchr(name, '.');

    dot = dot && dot != name ? dot : name + strlen(name);
    if (strcmp(field, "host") == 0)
        add_host(ret, values->url);
    else if (strcmp(field, "path") == 0)
        add_dirs(ret, values->url->target), buffer_printf(ret, "%s", name);
    else if (strcmp(field, "name") == 0)
        buffer_printf(ret, "%s", name);
    else if (strcmp(field, "stem") == 0)
        buffer_add(ret, name, (size_t)(dot - name));
    else if (strcmp(field, "ext") == 0)
        buffer_printf(ret, "%s", dot);
    else
        buffer_printf(ret, "%llu", (unsigned long long)values->number);
}

char *pattern_path(const char *pattern, const struct whorl_url *url, const char *name,
                   uint64_t number)
{
    const struct values values = {url, name, number};
    struct buffer path = {0};
    const char *field;

    for (const char *p = pattern; *p;) {
        size_t len = field_at(p, &field);
        if (len > 0 && p[1] != '{') {
            add_field(&path, field, &values);
            p += len;
            continue;
        }
        buffer_add(&path, p, 1);
        p += (*p == '{' || *p == '}') && p[1] == *p ? 2 : 1;
    }
    if (path.failed)
        buffer_finish(&path);
    return path.text;
}

char *pattern_path_of_url(const struct whorl_url *url, const char *name)
{
    return pattern_path("{host}/{path}", url, name, 0);
}
