/* SPDX-License-Identifier: MIT */
/* Escaping, terminal columns, and sizes and times for people; see text.h. */
#include "tools/get/text.h"

#include <ctype.h>
#include <errno.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <whorl/base.h>
#include <whorl/http.h>
#include <whorl/text.h>

bool text_locale_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

size_t text_escape(char *ret, size_t size, const char *text, size_t len)
{
    return text_locale_is_utf8() ? whorl_text_escape(text, len, ret, size)
                                 : whorl_text_escape_ascii(text, len, ret, size);
}

int text_columns(uint32_t c)
{
    if (c < 0x80)
        return 1;
    int n = wcwidth((wchar_t)c);
    return n < 0 ? 2 : n;
}

int text_width(const char *text)
{
    size_t len = strlen(text);
    int columns = 0;

    for (size_t at = 0; at < len;) {
        uint32_t c = '?';
        if (text[at] == '\x1b') {
            at += strcspn(text + at, "m") + 1;
            continue;
        }
        size_t n = whorl_text_decode(text + at, len - at, &c);
        columns += text_columns(c);
        at += n ? n : 1;
    }
    return columns;
}

/* Whether the text is a complete authority: after the host comes a port or nothing. */
static bool is_authority(const char *at, size_t len)
{
    const char *colon = memrchr(at, ':', len);

    if (!colon || memchr(colon, ']', len - (size_t)(colon - at)))
        return true;
    size_t digits = strspn(colon + 1, "0123456789");
    return colon + 1 + digits == at + len;
}

/* They end at the last '@' of the authority. If the password contains a slash, the authority seems
 * to end there, without a valid port; then they end at the last '@' of the whole text. They are
 * also found when the scheme is missing, if they contain a colon. */
bool text_find_userinfo(const char *url, size_t *ret_start, size_t *ret_end)
{
    size_t scheme = strcspn(url, ":/?#@"), start = 0;
    bool has_scheme = url[scheme] == ':' && url[scheme + 1] == '/';

    if (has_scheme)
        start = scheme + 1;
    start += strspn(url + start, "/");
    size_t len = strcspn(url + start, "/?#\\");
    const char *at = memrchr(url + start, '@', len);
    if (!at && !is_authority(url + start, len))
        at = strrchr(url + start, '@');
    if (!at || (!has_scheme && !memchr(url + start, ':', (size_t)(at - url) - start)))
        return false;
    *ret_start = start;
    *ret_end = (size_t)(at - url);
    return true;
}

size_t text_escape_url(char *ret, size_t size, const char *url)
{
    size_t start, end, out;

    if (!text_find_userinfo(url, &start, &end))
        return text_escape(ret, size, url, strlen(url));
    out = text_escape(ret, size, url, start);
    if (out + 3 < size) {
        memcpy(ret + out, "***", 3);
        out += 3;
    }
    return out + text_escape(ret + out, size - out, url + end, strlen(url + end));
}

/* Returns how many bytes of `text` fit into `columns`. `taken` gets the columns which they take. */
static size_t bytes_for(const char *text, size_t len, int columns, int *taken)
{
    size_t at = 0;

    *taken = 0;
    while (at < len) {
        uint32_t c = '?';
        size_t n = whorl_text_decode(text + at, len - at, &c);
        int width = text_columns(c);
        /* Limits the number of marks that take no column, such as combining accents. */
        if (*taken + width > columns || at + n > 4 * (size_t)columns)
            break;
        *taken += width;
        at += n ? n : 1;
    }
    return at;
}

/* Returns the start of the longest tail of `text` that fits into `columns`. */
static size_t tail_for(const char *text, size_t len, int columns, int *taken)
{
    size_t at = len;

    *taken = 0;
    while (at > 0) {
        size_t from = whorl_text_cut(text, at, at - 1);
        uint32_t c = '?';
        whorl_text_decode(text + from, at - from, &c);
        int width = text_columns(c);
        if (*taken + width > columns || len - from > 4 * (size_t)columns)
            break;
        *taken += width;
        at = from;
    }
    return at;
}

int text_fit(char *ret, size_t size, const char *text, int columns)
{
    size_t len = strlen(text);
    int taken, tail_taken;
    size_t n = bytes_for(text, len, columns, &taken);

    if (n == len || columns < 8) {
        snprintf(ret, size, "%.*s", (int)n, text);
        return taken;
    }
    /* The end of a name says more than its middle: it contains the number and the file type. */
    n = bytes_for(text, len, (columns - 2) / 2, &taken);
    size_t tail = tail_for(text, len, columns - 2 - taken, &tail_taken);
    snprintf(ret, size, "%.*s..%s", (int)n, text, text + tail);
    return taken + 2 + tail_taken;
}

const char *text_size(char ret[TEXT_NUMBER_SIZE], int64_t bytes)
{
    static const char units[] = "kMGTPE";
    double value = (double)bytes;
    int unit = -1;

    while (value >= 999.5 && unit < 5) {
        value /= 1000;
        unit++;
    }
    if (unit < 0)
        snprintf(ret, TEXT_NUMBER_SIZE, "%d B", (int)bytes);
    else
        snprintf(ret, TEXT_NUMBER_SIZE, value < 9.95 ? "%.1f %cB" : "%.0f %cB", value, units[unit]);
    return ret;
}

const char *text_time(char ret[TEXT_NUMBER_SIZE], int64_t duration_ns)
{
    int64_t ms = duration_ns / WHORL_MILLISECOND, s = ms / 1000;

    if (ms < 1000)
        snprintf(ret, TEXT_NUMBER_SIZE, "%d ms", (int)ms);
    else if (s < 60)
        snprintf(ret, TEXT_NUMBER_SIZE, "%d.%d s", (int)s, (int)(ms % 1000 / 100));
    else if (s < 3600)
        snprintf(ret, TEXT_NUMBER_SIZE, "%d:%02d", (int)(s / 60), (int)(s % 60));
    else
        snprintf(ret, TEXT_NUMBER_SIZE, "%lld:%02d:%02d", (long long)(s / 3600), (int)(s / 60 % 60),
                 (int)(s % 60));
    return ret;
}

/* Parses a plain decimal number; `ret_end` gets its end. Fails with -EINVAL for other forms which
 * strtod() accepts, such as "inf". */
static int parse_decimal(const char *text, double *ret, const char **ret_end)
{
    size_t n = strspn(text, "0123456789.");
    char *end;

    if (n == 0 || n > 30)
        return -EINVAL;
    char digits[32];
    memcpy(digits, text, n);
    digits[n] = '\0';
    *ret = strtod(digits, &end);
    if (end != digits + n)
        return -EINVAL;
    *ret_end = text + n;
    return 0;
}

static int scale(double value, double unit, int64_t *ret)
{
    value *= unit;
    if (value >= 9.2e18)
        return -ERANGE;
    *ret = (int64_t)value;
    return 0;
}

int text_parse_size(const char *text, int64_t *ret)
{
    static const char units[] = "kmgt";
    double value, unit = 1;
    const char *end;
    int err = parse_decimal(text, &value, &end);

    if (err)
        return err;
    if (*end) {
        const char *found = strchr(units, *end | 0x20);
        if (found) {
            for (const char *u = units; u <= found; u++)
                unit *= 1024;
            end++;
            if (*end == 'i')
                end++;
        }
        if (*end == 'B')
            end++;
    }
    return *end ? -EINVAL : scale(value, unit, ret);
}

int text_parse_time(const char *text, int64_t *ret)
{
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {
        {"", WHORL_SECOND},  {"s", WHORL_SECOND}, {"ms", WHORL_MILLISECOND},
        {"m", WHORL_MINUTE}, {"h", WHORL_HOUR},
    };
    double value;
    const char *end;
    int err = parse_decimal(text, &value, &end);

    if (err)
        return err;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].name) == 0)
            return scale(value, (double)units[i].ns, ret);
    return -EINVAL;
}

int text_parse_int(const char *text, int min, int max, int *ret)
{
    size_t n = strspn(text, "0123456789");

    if (n == 0 || text[n])
        return -EINVAL;
    errno = 0;
    long value = strtol(text, NULL, 10);
    if (errno || value < min || value > max)
        return -ERANGE;
    *ret = (int)value;
    return 0;
}

int text_parse_header(char *text, struct whorl_http_header *ret, const char **ret_cause)
{
    char *colon = strchr(text, ':'), *value;
    size_t name_len = colon ? (size_t)(colon - text) : 0;

    if (name_len == 0 || strspn(text, "!#$%&'*+-.^_`|~0123456789"
                                      "abcdefghijklmnopqrstuvwxyz"
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != name_len) {
        *ret_cause = "needs 'Name: value'";
        return -EINVAL;
    }
    value = colon + 1;
    value += strspn(value, " \t");
    for (const char *p = value; *p; p++)
        if (iscntrl((unsigned char)*p) && *p != '\t') {
            *ret_cause = "has a control byte in its value";
            return -EINVAL;
        }
    *colon = '\0';
    *ret = (struct whorl_http_header){text, value};
    return 0;
}
