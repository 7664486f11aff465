/* SPDX-License-Identifier: MIT */
/* Dates of cookies: a list of tokens in any order, of which the first time, day, month and year
 * count. */
#include "io/http/cookie_date.h"

#include <strings.h>

#include "io/http/date.h"
#include "io/url/ascii.h"

struct found {
    struct http_moment moment;
    bool has_time, has_day, has_month, has_year;
};

/* RFC 6265 §5.1.1: delimiter. */
static bool is_delimiter(char c)
{
    unsigned char u = (unsigned char)c;
    return u == 0x09 || (u >= 0x20 && u <= 0x2f) || (u >= 0x3b && u <= 0x40) ||
           (u >= 0x5b && u <= 0x60) || (u >= 0x7b && u <= 0x7e);
}

/* Reads `min` to `max` digits, which no further digit follows, and moves `*at` past them. */
static bool number(const char **at, const char *end, int min, int max, int *ret)
{
    const char *p = *at;
    int n = 0;

    while (p < end && p - *at <= max && ascii_is_digit(*p))
        n = n * 10 + (*p++ - '0');
    if (p - *at < min || p - *at > max)
        return false;
    *at = p;
    *ret = n;
    return true;
}

static bool colon(const char **at, const char *end)
{
    if (*at == end || **at != ':')
        return false;
    ++*at;
    return true;
}

static bool read_time(const char *at, const char *end, struct http_moment *m)
{
    int hour, minute, second;

    if (!number(&at, end, 1, 2, &hour) || !colon(&at, end) || !number(&at, end, 1, 2, &minute) ||
        !colon(&at, end) || !number(&at, end, 1, 2, &second))
        return false;
    m->hour = hour;
    m->minute = minute;
    m->second = second;
    return true;
}

static bool read_month(const char *at, const char *end, int *ret)
{
    static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

    for (int i = 0; end - at >= 3 && i < 12; i++) {
        if (strncasecmp(at, names + i * 3, 3) == 0) {
            *ret = i + 1;
            return true;
        }
    }
    return false;
}

/* §5.1.1 step 2: a token is the first of these that it can be and that is not yet found. */
static void take_token(const char *at, const char *end, struct found *found)
{
    struct http_moment *m = &found->moment;
    const char *start = at;

    if (!found->has_time && read_time(at, end, m))
        found->has_time = true;
    else if (!found->has_day && number(&at, end, 1, 2, &m->day))
        found->has_day = true;
    else if (!found->has_month && read_month(start, end, &m->month))
        found->has_month = true;
    else if (!found->has_year && number(&start, end, 2, 4, &m->year))
        found->has_year = true;
}

bool cookie_date_read(const char *text, size_t len, int64_t *ret_unix_s)
{
    const char *at = text, *end = text + len;
    struct found found = {0};
    struct http_moment *m = &found.moment;

    while (at < end) {
        const char *start = at;
        while (at < end && !is_delimiter(*at))
            at++;
        if (at > start)
            take_token(start, at, &found);
        else
            at++;
    }
    if (!found.has_time || !found.has_day || !found.has_month || !found.has_year)
        return false;
    if (m->year >= 70 && m->year <= 99)
        m->year += 1900;
    else if (m->year <= 69)
        m->year += 2000;
    if (m->year < 1601 || m->second > 59)
        return false;
    return http_moment_unix_s(m, ret_unix_s);
}
