/* SPDX-License-Identifier: MIT */
/* Content-Disposition, see disposition.h. */
#include "tools/get/disposition.h"

#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include <whorl/text.h>

enum { VALUE_MAX = 1024 }; /* bytes; a longer name is not used */

static const char *skip_spaces(const char *p)
{
    return p + strspn(p, " \t");
}

/* The length of a token (RFC 9110 §5.6.2). */
static size_t token_len(const char *p)
{
    return strspn(p, "!#$%&'*+-.^_`|~0123456789"
                     "abcdefghijklmnopqrstuvwxyz"
                     "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* Reads a value, a quoted string or what some servers send instead: anything up to ';'. Returns the
 * place behind it, or NULL when it has no end or is too long. */
static const char *read_value(const char *p, char ret[VALUE_MAX + 1])
{
    size_t len = 0;

    if (*p != '"') {
        len = strcspn(p, ";");
        const char *end = p + len;
        while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t'))
            len--;
        if (len > VALUE_MAX)
            return NULL;
        memcpy(ret, p, len);
        ret[len] = '\0';
        return end;
    }
    for (p++; *p && *p != '"'; p++) {
        if (*p == '\\' && p[1])
            p++;
        if (len == VALUE_MAX)
            return NULL;
        ret[len++] = *p;
    }
    ret[len] = '\0';
    return *p ? p + 1 : NULL;
}

static int hex_value(char c)
{
    if (isdigit((unsigned char)c))
        return c - '0';
    return isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* Decodes "%XX" in place. Returns false for a wrong one, and for a NUL. */
static bool percent_decode(char *text)
{
    char *to = text;

    for (const char *p = text; *p; p++) {
        char c = *p;
        if (c == '%') {
            int high = hex_value(p[1]), low = high < 0 ? -1 : hex_value(p[2]);
            if (low < 0 || (high == 0 && low == 0))
                return false;
            c = (char)(high << 4 | low);
            p += 2;
        }
        *to++ = c;
    }
    *to = '\0';
    return true;
}

static bool is_utf8(const char *text)
{
    size_t len = strlen(text);

    for (size_t at = 0, n; at < len; at += n) {
        uint32_t c;
        n = whorl_text_decode(text + at, len - at, &c);
        if (n == 0)
            return false;
    }
    return true;
}

/* Converts ISO 8859-1 to UTF-8. Returns false when the result is too long. */
static bool latin1_to_utf8(char text[VALUE_MAX + 1])
{
    char utf8[VALUE_MAX + 1];
    size_t len = 0;

    for (const char *p = text; *p; p++) {
        unsigned char c = (unsigned char)*p;
        if (len + 2 > VALUE_MAX)
            return false;
        if (c >= 0x80)
            utf8[len++] = (char)(0xc0 | c >> 6);
        utf8[len++] = (char)(c < 0x80 ? c : (0x80 | (c & 0x3f)));
    }
    memcpy(text, utf8, len);
    text[len] = '\0';
    return true;
}

/* Decodes CHARSET'LANGUAGE'VALUE in place (RFC 8187 §3.2). */
static bool decode_extended(char text[VALUE_MAX + 1])
{
    char *language = strchr(text, '\''), *value = language ? strchr(language + 1, '\'') : NULL;

    if (!value)
        return false;
    *language = '\0';
    bool is_latin1 = strcasecmp(text, "ISO-8859-1") == 0;
    if (!is_latin1 && strcasecmp(text, "UTF-8") != 0)
        return false;
    memmove(text, value + 1, strlen(value + 1) + 1);
    return percent_decode(text) && (is_latin1 ? latin1_to_utf8(text) : is_utf8(text));
}

/* A name from a plain `filename`. Its bytes are ISO 8859-1 by the letter of RFC 6266, and UTF-8 in
 * what servers send, so what is UTF-8 is taken as such. */
static bool decode_plain(char text[VALUE_MAX + 1])
{
    return is_utf8(text) || latin1_to_utf8(text);
}

static bool take_name(char ret[NAME_SIZE], const char *value)
{
    for (const char *p = value; *p; p++)
        if (*p == '/' || *p == '\\')
            value = p + 1;
    return name_clean(ret, value, strlen(value));
}

bool disposition_name(const char *header, char ret[NAME_SIZE])
{
    char value[VALUE_MAX + 1];
    const char *p = header ? skip_spaces(header) : "";
    bool found = false, is_extended = false;

    p = skip_spaces(p + token_len(p));
    while (*p == ';') {
        p = skip_spaces(p + 1);
        const char *name = p;
        size_t name_len = token_len(p);
        p = skip_spaces(p + name_len);
        if (*p != '=')
            continue;
        p = read_value(skip_spaces(p + 1), value);
        if (!p)
            return found;
        p = skip_spaces(p);
        if (name_len == 9 && strncasecmp(name, "filename*", 9) == 0 && !is_extended)
            is_extended = decode_extended(value) && take_name(ret, value);
        else if (name_len == 8 && strncasecmp(name, "filename", 8) == 0 && !is_extended && !found)
            found = decode_plain(value) && take_name(ret, value);
    }
    return found || is_extended;
}
