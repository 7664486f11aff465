/* SPDX-License-Identifier: MIT */
/* Validators and Content-Range, see validator.h. */
#include "tools/get/validator.h"

#include <string.h>
#include <strings.h>

#include <whorl/http.h>

/* etagc is any visible character but the quote, or obs-text. */
bool validator_is_strong_etag(const char *etag)
{
    size_t len = strlen(etag);

    if (len < 2 || etag[0] != '"' || etag[len - 1] != '"')
        return false;
    for (size_t i = 1; i < len - 1; i++)
        if ((unsigned char)etag[i] <= ' ' || etag[i] == '"' || etag[i] == 0x7f)
            return false;
    return true;
}

/* whorl_http_retry_after() also reads a number of seconds, which is no date. */
bool validator_date(const char *text, int64_t *ret_ns)
{
    bool is_number = text && text[strspn(text, " \t0123456789")] == '\0';

    *ret_ns = text && !is_number ? whorl_http_retry_after(text, 0) : -1;
    return *ret_ns >= 0;
}

static bool is_strong_date(const char *modified, const char *date)
{
    int64_t modified_ns, date_ns;

    return validator_date(modified, &modified_ns) && validator_date(date, &date_ns) &&
           date_ns - modified_ns >= WHORL_SECOND;
}

const char *validator_choose(const struct validator *validator, const char *date,
                             const char **ret_why)
{
    if (validator->etag) {
        *ret_why = "the server's ETag is weak";
        return validator_is_strong_etag(validator->etag) ? validator->etag : NULL;
    }
    *ret_why = validator->modified ? "the file was modified just now, and there is no ETag"
                                   : "the server sends neither ETag nor Last-Modified";
    return validator->modified && is_strong_date(validator->modified, date) ? validator->modified
                                                                            : NULL;
}

bool validator_is_same(const struct validator *before, const struct validator *now)
{
    if (before->etag)
        return now->etag && strcmp(before->etag, now->etag) == 0;
    /* A server that has begun to send ETags may have a new file as well. */
    return !now->etag && before->modified &&
           (!now->modified || strcmp(before->modified, now->modified) == 0);
}

/* Reads a number of at least one digit, and moves `*p` behind it. */
static bool read_number(const char **p, int64_t *ret)
{
    int64_t value = 0;
    const char *start = *p;

    for (; **p >= '0' && **p <= '9'; ++*p)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, **p - '0', &value))
            return false;
    *ret = value;
    return *p > start;
}

static bool read_char(const char **p, char c)
{
    if (**p != c)
        return false;
    ++*p;
    return true;
}

bool content_range_read(const char *value, struct content_range *ret)
{
    struct content_range range = {.length = -1};
    int64_t last = -1;
    const char *p = value;

    if (!p || strncasecmp(p, "bytes", 5) != 0 || p[5] != ' ')
        return false;
    p += 5 + strspn(p + 5, " ");
    bool is_empty = read_char(&p, '*');
    if (!is_empty &&
        (!read_number(&p, &range.start) || !read_char(&p, '-') || !read_number(&p, &last)))
        return false;
    if (!read_char(&p, '/') || (!read_char(&p, '*') && !read_number(&p, &range.length)))
        return false;
    if (*p != '\0' || last == INT64_MAX || (is_empty && range.length < 0))
        return false;
    range.end = last + 1;
    if (!is_empty && (range.start >= range.end || (range.length >= 0 && range.end > range.length)))
        return false;
    *ret = range;
    return true;
}
