/* SPDX-License-Identifier: MIT */
/* Names and texts of error codes. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <whorl/error.h>

/* The widest errno text we keep; glibc's are below 60 bytes. */
#define TEXT_MAX 96

/* strerror's text of each errno with a lower-case first letter, made when first asked for. Two
 * threads may make the same text at once; they write the same bytes. */
static const char *errno_text(int number)
{
    static char texts[256][TEXT_MAX];
    const char *text = number > 0 && number < 256 ? strerrordesc_np(number) : NULL;
    char *slot;

    if (!text)
        return "unknown error";
    slot = texts[number];
    if (slot[0] == '\0') {
        size_t len = strnlen(text, TEXT_MAX - 1);
        /* "No such file" reads "no such file" after a colon; "RFS specific error" stays. */
        bool lower = len > 1 && islower((unsigned char)text[1]);
        memcpy(slot + 1, text + 1, len > 0 ? len - 1 : 0);
        slot[0] = lower || text[1] == '/' ? (char)tolower((unsigned char)text[0]) : text[0];
    }
    return slot;
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
        return errno_text(-code);
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
        name = strerrorname_np(-code);
        return name ? name : "E?";
    }
}

/* Copies `text` with control bytes as \xNN, cutting it where the next byte would not fit whole. */
static void copy_escaped(char *to, size_t size, const char *text)
{
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = *p >= 0x20 && *p != 0x7f;
        if (n + (plain ? 1 : 4) >= size)
            break;
        if (plain)
            to[n++] = (char)*p;
        else
            n += (size_t)snprintf(to + n, size - n, "\\x%02x", *p);
    }
    /* Do not leave half a UTF-8 sequence at the cut. */
    if (n > 0 && n + 4 >= size) {
        size_t start = n;
        while (start > 0 && ((unsigned char)to[start - 1] & 0xc0) == 0x80)
            start--;
        if (start > 0 && (unsigned char)to[start - 1] >= 0xc0) {
            unsigned char lead = (unsigned char)to[start - 1];
            size_t want = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
            if (n - start < want)
                n = start - 1;
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
