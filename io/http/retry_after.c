/* SPDX-License-Identifier: MIT */
/* Retry-After, and the three forms of dates in HTTP. */
#include <string.h>

#include <whorl/http.h>

struct moment {
    int year, month, day, hour, minute, second; /* month and day from 1 */
};

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

static bool clock_time(const char **p, struct moment *m)
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
static bool imf_date(const char *p, struct moment *m)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    int weekday;
    return one_of(&p, days, 7, &weekday) && skip(&p, ", ") && number(&p, 2, false, &m->day) &&
           skip(&p, " ") && month(&p, &m->month) && skip(&p, " ") &&
           number(&p, 4, false, &m->year) && skip(&p, " ") && clock_time(&p, m) &&
           skip(&p, " GMT") && *p == '\0';
}

/* "Sunday, 06-Nov-94 08:49:37 GMT" */
static bool rfc850_date(const char *p, struct moment *m, int64_t now_unix_s)
{
    static const char *const days[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                       "Friday", "Saturday", "Sunday"};
    int weekday, year;
    if (!(one_of(&p, days, 7, &weekday) && skip(&p, ", ") && number(&p, 2, false, &m->day) &&
          skip(&p, "-") && month(&p, &m->month) && skip(&p, "-") && number(&p, 2, false, &year) &&
          skip(&p, " ") && clock_time(&p, m) && skip(&p, " GMT") && *p == '\0'))
        return false;
    /* RFC 9110 §5.6.7: more than 50 years ahead means the past. */
    int this_year = 1970 + (int)(now_unix_s / 31556952);
    m->year = this_year - this_year % 100 + year;
    if (m->year > this_year + 50)
        m->year -= 100;
    else if (m->year <= this_year - 50)
        m->year += 100;
    return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool asctime_date(const char *p, struct moment *m)
{
    static const char *const days[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
    int weekday;
    return one_of(&p, days, 7, &weekday) && skip(&p, " ") && month(&p, &m->month) &&
           skip(&p, " ") && number(&p, 2, true, &m->day) && skip(&p, " ") && clock_time(&p, m) &&
           skip(&p, " ") && number(&p, 4, false, &m->year) && *p == '\0';
}

static bool is_real(const struct moment *m)
{
    return m->year >= 1900 && m->day >= 1 && m->day <= days_in(m->year, m->month) &&
           m->hour <= 23 && m->minute <= 59 && m->second <= 60; /* a leap second */
}

static int64_t seconds_to_ns(int64_t seconds)
{
    return seconds > INT64_MAX / WHORL_SECOND ? INT64_MAX : seconds * WHORL_SECOND;
}

int64_t whorl_http_retry_after(const char *value, int64_t now_unix_s)
{
    struct moment m = {0};
    int64_t seconds = 0;

    if (!value || *value == '\0' || now_unix_s < 0)
        return -1;
    if (*value >= '0' && *value <= '9') {
        for (const char *p = value; *p; p++) {
            if (*p < '0' || *p > '9')
                return -1;
            if (seconds < INT64_MAX / WHORL_SECOND)
                seconds = seconds * 10 + (*p - '0');
        }
        return seconds_to_ns(seconds);
    }
    if (!imf_date(value, &m) && !rfc850_date(value, &m, now_unix_s) && !asctime_date(value, &m))
        return -1;
    if (!is_real(&m))
        return -1;
    seconds = days_since_epoch(m.year, m.month, m.day) * 86400 + m.hour * 3600 + m.minute * 60 +
              m.second - now_unix_s;
    return seconds > 0 ? seconds_to_ns(seconds) : 0;
}
