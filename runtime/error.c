/* SPDX-License-Identifier: MIT */
/* Names and texts of error codes, and whorl_error_set(). */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <whorl/error.h>

/* The longest errno text that is stored; glibc's are below 60 bytes. */
#define TEXT_MAX  96
#define ERRNO_MAX 256

/* strerror()'s text of each errno, with a lower-case first letter. Filled at the first use. */
static char errno_texts[ERRNO_MAX][TEXT_MAX];
static pthread_once_t errno_texts_once = PTHREAD_ONCE_INIT;

static void make_errno_texts(void)
{
    for (int number = 1; number < ERRNO_MAX; number++) {
        const char *text = strerrordesc_np(number);
        char *slot = errno_texts[number];
        if (!text)
            continue;
        snprintf(slot, TEXT_MAX, "%s", text);
        /* The text follows a colon, so "No such file" becomes "no such file". An acronym is kept:
         * "RFS specific error". */
        if (islower((unsigned char)text[1]) || text[1] == '/')
            slot[0] = (char)tolower((unsigned char)text[0]);
    }
}

static const char *errno_text(int code)
{
    pthread_once(&errno_texts_once, make_errno_texts);
    if (code <= -ERRNO_MAX || errno_texts[-code][0] == '\0')
        return "unknown error";
    return errno_texts[-code];
}

const char *whorl_strerror(int code)
{
    if (code > 0)
        code = -code;
    switch (code) {
#define ERROR_TEXT(name, number, text) \
    case number:                       \
        return text;
        WHORL_ERRORS(ERROR_TEXT)
#undef ERROR_TEXT
    case 0:
        return "success";
    case -ECANCELED:
        return "cancelled";
    default:
        return errno_text(code);
    }
}

const char *whorl_error_name(int code)
{
    const char *name;

    if (code > 0)
        code = -code;
    switch (code) {
#define ERROR_NAME(name_, number, text) \
    case number:                        \
        return #name_;
        WHORL_ERRORS(ERROR_NAME)
#undef ERROR_NAME
    case 0:
        return "OK";
    default:
        name = code > -ERRNO_MAX ? strerrorname_np(-code) : NULL;
        return name ? name : "E?";
    }
}

/* Number of bytes of the character at `p`. 0 when its first byte must be escaped: it is a control
 * character (some terminals also obey U+0080 to U+009F) or not UTF-8 (RFC 3629 §4). */
static size_t shown_len(const unsigned char *p)
{
    static const struct {
        unsigned char first, last, second_min, second_max;
        size_t len;
    } kinds[] = {
        {0xc2, 0xc2, 0xa0, 0xbf, 2}, {0xc3, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    if (*p < 0x80)
        return *p >= 0x20 && *p != 0x7f;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (*p < kinds[i].first || *p > kinds[i].last)
            continue;
        if (p[1] < kinds[i].second_min || p[1] > kinds[i].second_max)
            return 0;
        for (size_t k = 2; k < kinds[i].len; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return kinds[i].len;
    }
    return 0;
}

/* Copies `text`. Bytes that must be escaped become \xNN. The text is cut before the first character
 * that does not fit completely. */
static void copy_escaped(char *to, size_t size, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t n = 0;

    while (*p) {
        size_t len = shown_len(p);
        if (n + (len ? len : 4) >= size)
            break;
        if (len) {
            memcpy(to + n, p, len);
            n += len;
            p += len;
        } else {
            n += (size_t)snprintf(to + n, size - n, "\\x%02x", *p++);
        }
    }
    to[n] = '\0';
}

int whorl_error_set(struct whorl_error *error, int code, const char *step, const char *format, ...)
{
    char text[1024];
    va_list args;

    if (!error)
        return code;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    error->code = code;
    copy_escaped(error->step, sizeof error->step, step);
    copy_escaped(error->text, sizeof error->text, text);
    return code;
}
