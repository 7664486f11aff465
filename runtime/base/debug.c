/* SPDX-License-Identifier: MIT */
/* Reads the environment variable WHORL_DEBUG. */
#include "runtime/base/debug.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Returns the text after the "=" of `word` and stores its length, which is 0 when there is no "=".
 * Returns NULL when WHORL_DEBUG does not contain `word`. */
static const char *find(const char *word, size_t *ret_len)
{
    /* secure_getenv(), because the variable can name a file to write to. */
    const char *at = secure_getenv("WHORL_DEBUG");
    size_t len = strlen(word);

    while (at && *at) {
        size_t part = strcspn(at, ",");
        if (part >= len && memcmp(at, word, len) == 0 && (part == len || at[len] == '=')) {
            *ret_len = part > len ? part - len - 1 : 0;
            return at + len + (part > len);
        }
        at += part + (at[part] == ',');
    }
    return NULL;
}

bool debug_has(const char *word, long *ret_value)
{
    size_t len;
    const char *value = find(word, &len);

    if (value && ret_value)
        *ret_value = value[-1] == '=' ? strtol(value, NULL, 10) : -1;
    return value;
}

bool debug_text(const char *word, char *buf, size_t size)
{
    size_t len;
    const char *value = find(word, &len);

    if (value)
        snprintf(buf, size, "%.*s", (int)len, value);
    return value;
}

/* Whether the first `len` bytes of `at` are a word that a part of the library looks for. */
static bool is_known(const char *at, size_t len)
{
    static const char *const words[] = {"check", "io", "trace", "watchdog"};
    size_t word_len = 0;

    while (word_len < len && at[word_len] != '=')
        word_len++;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == word_len && memcmp(words[i], at, word_len) == 0)
            return true;
    return false;
}

/* Shows text as it is, without bytes that a terminal obeys. */
static void print_word(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        putc(at[i] >= 0x20 && at[i] < 0x7f ? at[i] : '?', stderr);
}

/* Whether the word is watchdog=VALUE with a value that is no number. */
static bool has_bad_value(const char *at, size_t len)
{
    const size_t name_len = strlen("watchdog=");

    return len >= name_len && memcmp(at, "watchdog=", name_len) == 0 &&
           (len == name_len || strspn(at + name_len, "0123456789") != len - name_len);
}

static void report_unknown(void)
{
    const char *at = secure_getenv("WHORL_DEBUG");

    while (at && *at) {
        size_t len = strcspn(at, ",");
        if (len > 0 && !is_known(at, len)) {
            fputs("whorl: WHORL_DEBUG does not know \"", stderr);
            print_word(at, len);
            fputs("\"; its words are check, io, trace=FILE, watchdog and watchdog=MILLISECONDS\n",
                  stderr);
        } else if (has_bad_value(at, len)) {
            fputs("whorl: WHORL_DEBUG: watchdog=MILLISECONDS needs a number\n", stderr);
        }
        at += len + (at[len] == ',');
    }
}

void debug_report_unknown(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, report_unknown);
}
