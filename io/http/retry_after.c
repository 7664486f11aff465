/* SPDX-License-Identifier: MIT */
/* Retry-After: seconds or a date. */
#include <whorl/http.h>

#include "io/http/date.h"

static int64_t seconds_to_ns(int64_t seconds)
{
    return seconds > INT64_MAX / WHORL_SECOND ? INT64_MAX : seconds * WHORL_SECOND;
}

int64_t whorl_http_retry_after(const char *value, int64_t now_unix_s)
{
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
    if (!http_date_read(value, now_unix_s, &seconds))
        return -1;
    seconds -= now_unix_s;
    return seconds > 0 ? seconds_to_ns(seconds) : 0;
}
