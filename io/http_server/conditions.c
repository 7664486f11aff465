/* SPDX-License-Identifier: MIT */
/* Conditional requests and ranges. */
#include "io/http_server/conditions.h"

#include <string.h>
#include <strings.h>

#include "io/http/date.h"

/* Whether one of the fields of that name lists the tag, or "*". RFC 9110 §8.8.3.2: a weak tag
 * equals a strong one only in the weak comparison. */
static bool lists_tag(const struct header_list *headers, const char *name, const char *etag,
                      bool weak)
{
    size_t index = 0, len, etag_len = strlen(etag);
    const char *cursor, *member;

    while ((cursor = header_list_next(headers, name, &index)) != NULL) {
        while (header_next_member(&cursor, &member, &len)) {
            if (len == 1 && *member == '*')
                return true;
            if (weak && len > 2 && member[0] == 'W' && member[1] == '/') {
                member += 2;
                len -= 2;
            }
            if (len == etag_len && memcmp(member, etag, len) == 0)
                return true;
        }
    }
    return false;
}

/* Reads the date in a header. Returns false when the header is missing or is not a date. */
static bool read_date(const struct header_list *headers, const char *name, int64_t now_unix_s,
                      int64_t *ret)
{
    const char *value = header_list_get(headers, name);

    return value && http_date_read(value, now_unix_s, ret);
}

/* RFC 9110 §13.2.2, the steps 1 to 4. Returns 0, 304 or 412. */
static int check_conditions(const struct header_list *headers, const struct representation *file)
{
    int64_t date;

    if (header_list_get(headers, "If-Match")) {
        if (!lists_tag(headers, "If-Match", file->etag, false))
            return 412;
    } else if (read_date(headers, "If-Unmodified-Since", file->now_unix_s, &date) &&
               file->mtime_s > date) {
        return 412;
    }
    if (header_list_get(headers, "If-None-Match"))
        return lists_tag(headers, "If-None-Match", file->etag, true) ? 304 : 0;
    if (read_date(headers, "If-Modified-Since", file->now_unix_s, &date) && file->mtime_s <= date)
        return 304;
    return 0;
}

/* RFC 9110 §13.1.5: whether If-Range allows a range; true without that header. A date must be
 * exactly that of the file. It must also be so old that no later change of the file can have had
 * the same date. */
static bool allows_range(const struct header_list *headers, const struct representation *file)
{
    const char *value = header_list_get(headers, "If-Range");
    int64_t date;

    if (!value)
        return true;
    if (*value == '"' || *value == 'W')
        return strcmp(value, file->etag) == 0;
    return http_date_read(value, file->now_unix_s, &date) && date == file->mtime_s &&
           file->now_unix_s - date >= 2;
}

/* Reads digits; false when there are none. A number that does not fit becomes the largest. */
static bool read_number(const char **p, int64_t *ret)
{
    const char *start = *p;
    int64_t n = 0;

    for (; **p >= '0' && **p <= '9'; ++*p)
        n = n > (INT64_MAX - 9) / 10 ? INT64_MAX : n * 10 + (**p - '0');
    *ret = n;
    return *p > start;
}

enum range { RANGE_IGNORED, RANGE_PART, RANGE_OUTSIDE };

/* RFC 9110 §14.1.2: "bytes=0-99", "bytes=100-", "bytes=-100". Ignores several ranges and malformed
 * ones; a server may ignore any Range header. */
static enum range read_range(const char *value, int64_t file_len, struct verdict *ret)
{
    const char *p = value + strspn(value, " \t");
    int64_t first, last = INT64_MAX;

    if (strncasecmp(p, "bytes=", 6) != 0)
        return RANGE_IGNORED;
    p += 6;
    p += strspn(p, " \t");
    bool has_first = read_number(&p, &first);
    if (*p++ != '-')
        return RANGE_IGNORED;
    bool has_last = read_number(&p, &last);
    p += strspn(p, " \t");
    if (*p != '\0' || (!has_first && !has_last) || (has_first && has_last && last < first))
        return RANGE_IGNORED;
    if (!has_first) { /* the last bytes */
        first = last < file_len ? file_len - last : 0;
        if (last == 0)
            return RANGE_OUTSIDE;
        last = INT64_MAX;
    } else if (!has_last) {
        last = INT64_MAX;
    }
    if (first >= file_len)
        return RANGE_OUTSIDE;
    if (last >= file_len)
        last = file_len - 1;
    *ret = (struct verdict){.status = 206, .first = first, .len = last - first + 1};
    return RANGE_PART;
}

void conditions_judge(const struct header_list *headers, const struct representation *file,
                      struct verdict *ret)
{
    const char *range = header_list_get(headers, "Range");

    *ret = (struct verdict){.status = check_conditions(headers, file)};
    if (ret->status)
        return;
    *ret = (struct verdict){.status = 200, .len = file->len};
    if (range && allows_range(headers, file) && read_range(range, file->len, ret) == RANGE_OUTSIDE)
        *ret = (struct verdict){.status = 416};
}
