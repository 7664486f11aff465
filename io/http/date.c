/* SPDX-License-Identifier: MIT */
/* The three forms of dates in HTTP. */
#include "io/http/date.h"

#include <stdio.h>
#include <string.h>

/* Moves `*p` past `text`; false when it is not there. */
static bool skip(const char **p, const char *text)
{
    size_t len = strlen(text);
    if (strncmp(*p, text, len) != 0)
        return false;
    *p += len;
    return true;
}

/* Reads exactly `digits` digits; with `padded` the first may be a space. */
static bool number(const char **p, int digits, bool padded, int *ret)
{
    int n = 0;
    for (int i = 0; i < digits; i++, ++*p) {
        if (padded && i == 0 && **p == ' ')
            continue;
        if (**p < '0' || **p > '9')
            return false;
        n = n * 10 + (**p - '0');
    }
    *ret = n;
    return true;
}

static bool one_of(const char **p, const char *const *names, int count, int *ret)
{
    for (int i = 0; i < count; i++) {
        if (skip(p, names[i])) {
            *ret = i + 1;
            return true;
        }
    }
    return false;
}

static bool month(const char **p, int *ret)
{
    static const char *const names[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return one_of(p, names, 12, ret);
}

static bool clock_time(const char **p, struct http_moment *m)
{
    return number(p, 2, false, &m->hour) && skip(p, ":") && number(p, 2, false, &m->minute) &&
           skip(p, ":") && number(p, 2, false, &m->second);
}

/* Days since 1970 of a day in the proleptic Gregorian calendar; years begin in March. */
static int64_t days_since_epoch(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t era = y / 400, of_era = y % 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool imf_date(const char *p, struct http_moment *m)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    int weekday;
    return one_of(&p, days, 7, &weekday) && skip(&p, ", ") && number(&p, 2, false, &m->day) &&
           skip(&p, " ") && month(&p, &m->month) && skip(&p, " ") &&
           number(&p, 4, false, &m->year) && skip(&p, " ") && clock_time(&p, m) &&
           skip(&p, " GMT") && *p == '\0';
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool rfc850_date(const char *p, struct http_moment *m, int64_t now_unix_s)
{
    static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
    int weekday, year;
    if (!(one_of(&p, days, 7, &weekday) && skip(&p, ", ") && number(&p, 2, false, &m->day) &&
          skip(&p, "-") && month(&p, &m->month) && skip(&p, "-") && number(&p, 2, false, &year) &&
          skip(&p, " ") && clock_time(&p, m) && skip(&p, " GMT") && *p == '\0'))
        return false;
    /* RFC 9110 §5.6.7: a year more than 50 years ahead means the past. */
    int this_year = 1970 + (int)(now_unix_s / 31556952);
    m->year = this_year - this_year % 100 + year;
    if (m->year > this_year + 50)
        m->year -= 100;
    else if (m->year <= this_year - 50)
        m->year += 100;
    return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool asctime_date(const char *p, struct http_moment *m)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    int weekday;
    return one_of(&p, days, 7, &weekday) && skip(&p, " ") && month(&p, &m->month) &&
           skip(&p, " ") && number(&p, 2, true, &m->day) && skip(&p, " ") && clock_time(&p, m) &&
           skip(&p, " ") && number(&p, 4, false, &m->year) && *p == '\0';
}

static bool is_real(const struct http_moment *m)
{
    return m->month >= 1 && m->month <= 12 && m->day >= 1 && m->day <= days_in(m->year, m->month) &&
           m->hour <= 23 && m->minute <= 59 && m->second <= 60; /* a leap second */
}

bool http_moment_unix_s(const struct http_moment *m, int64_t *ret_unix_s)
{
    if (!is_real(m))
        return false;
    *ret_unix_s = days_since_epoch(m->year, m->month, m->day) * 86400 + m->hour * 3600 +
                  m->minute * 60 + m->second;
    return true;
}

bool http_date_read(const char *text, int64_t now_unix_s, int64_t *ret_unix_s)
{
    struct http_moment m = {0};

    if (!imf_date(text, &m) && !rfc850_date(text, &m, now_unix_s) && !asctime_date(text, &m))
        return false;
    return m.year >= 1900 && http_moment_unix_s(&m, ret_unix_s);
}

/* Converts a number of days since 1970 to a date; the inverse of days_since_epoch(). */
static void day_of(int64_t days, struct http_moment *ret)
{
    days += 719468;
    int64_t era = days / 146097, of_era = days % 146097;
    int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int month = (int)((5 * of_year + 2) / 153); /* from March */
    ret->day = (int)(of_year - (153 * month + 2) / 5) + 1;
    ret->month = month < 10 ? month + 3 : month - 9;
    ret->year = (int)(era * 400 + year_of_era) + (ret->month <= 2);
}

void http_date_write(char ret[HTTP_DATE_SIZE], int64_t unix_s)
{
    static const char days[][4] = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct http_moment m;

    if (unix_s < 0)
        unix_s = 0;
    if (unix_s > 253402300799) /* the end of the year 9999 */
        unix_s = 253402300799;
    unsigned second = (unsigned)(unix_s % 86400);
    day_of(unix_s / 86400, &m);
    snprintf(ret, HTTP_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[unix_s / 86400 % 7],
             (unsigned)m.day % 100, months[m.month - 1], (unsigned)m.year % 10000, second / 3600,
             second / 60 % 60, second % 60);
}
