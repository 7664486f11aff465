/* SPDX-License-Identifier: MIT */
/* Names and texts of error codes, and whorl_error_set(). */
#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <whorl/error.h>
#include <whorl/text.h>

#ifndef __GLIBC_PREREQ
#define __GLIBC_PREREQ(major, minor) 0
#endif

/* The longest errno text that is stored; glibc's are below 60 bytes. */
#define TEXT_MAX  96
#define ERRNO_MAX 256

/* strerror()'s text of each errno, with a lower-case first letter. Filled at the first use. */
static char errno_texts[ERRNO_MAX][TEXT_MAX];
static pthread_once_t errno_texts_once = PTHREAD_ONCE_INIT;

/* The name and the text of an errno value; NULL: it has none. */
#if __GLIBC_PREREQ(2, 32)
static const char *system_name(int number)
{
    return strerrorname_np(number);
}

static const char *system_text(int number)
{
    return strerrordesc_np(number);
}
#else
#include "runtime/errno_names.h"

static const char *system_name(int number)
{
    return number < (int)(sizeof errno_names / sizeof errno_names[0]) ? errno_names[number] : NULL;
}

static const char *system_text(int number)
{
    return system_name(number) ? strerror(number) : NULL;
}
#endif

static void make_errno_texts(void)
{
    for (int number = 1; number < ERRNO_MAX; number++) {
        const char *text = system_text(number);
        char *slot = errno_texts[number];
        if (!text)
            continue;
        snprintf(slot, TEXT_MAX, "%s", text);
        /* The text follows a colon, so "No such file" becomes "no such file". An acronym is kept:
         * "RFS specific error", "I/O error". */
        if (islower((unsigned char)text[1]))
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
        name = code > -ERRNO_MAX ? system_name(-code) : NULL;
        return name ? name : "E?";
    }
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
    whorl_text_escape(step, strlen(step), error->step, sizeof error->step);
    whorl_text_escape(text, strlen(text), error->text, sizeof error->text);
    return code;
}
