/* SPDX-License-Identifier: MIT */
/* Decodes UTF-8 and escapes what is not safe to show. */
#include <string.h>

#include <whorl/text.h>

size_t whorl_text_decode(const char *text, size_t len, uint32_t *ret)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n;
    uint32_t c;

    if (len == 0)
        return 0;
    if (s[0] < 0x80) {
        *ret = s[0];
        return 1;
    }
    if (s[0] >= 0xc2 && s[0] < 0xe0)
        n = 2, c = s[0] & 0x1f;
    else if (s[0] >= 0xe0 && s[0] < 0xf0)
        n = 3, c = s[0] & 0x0f;
    else if (s[0] >= 0xf0 && s[0] < 0xf5)
        n = 4, c = s[0] & 0x07;
    else
        return 0;
    if (len < n)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (s[i] & 0x3f);
    }
    /* RFC 3629 §3: no overlong forms, no surrogates, nothing above U+10FFFF. */
    if ((n == 3 && c < 0x800) || (n == 4 && c < 0x10000) || c > 0x10ffff ||
        (c >= 0xd800 && c < 0xe000))
        return 0;
    *ret = c;
    return n;
}

size_t whorl_text_cut(const char *text, size_t len, size_t len_max)
{
    uint32_t c;

    if (len <= len_max)
        return len;
    /* The cut is inside a character if one that begins up to 3 bytes before it reaches past it. */
    for (size_t back = 1; back <= 3 && back <= len_max; back++) {
        size_t start = len_max - back;
        if (whorl_text_decode(text + start, len - start, &c) > back)
            return start;
    }
    return len_max;
}

bool whorl_text_is_plain(uint32_t c)
{
    /* Some terminals also obey the control characters U+0080 to U+009F. */
    static const struct {
        uint32_t first, last;
    } hidden[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},       {0x61c, 0x61c},   {0x180e, 0x180e},
        {0x200b, 0x200b}, {0x200e, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f}, {0xfdd0, 0xfdef},
        {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
    };

    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0] && c >= hidden[i].first; i++)
        if (c <= hidden[i].last)
            return false;
    return (c & 0xfffe) != 0xfffe;
}

/* The longest escape sequence of a character: \xNN for each of 4 bytes, or two times \uNNNN. */
enum { ESCAPE_MAX = 16 };

static const char hex[] = "0123456789abcdef";

/* Writes \xNN for each of the `n` bytes. Returns the number of characters. */
static size_t put_bytes(const char *text, size_t n, char *ret)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)text[i];
        *ret++ = '\\';
        *ret++ = 'x';
        *ret++ = hex[byte >> 4];
        *ret++ = hex[byte & 15];
    }
    return 4 * n;
}

/* Writes \uNNNN. */
static void put_utf16(uint32_t unit, char *ret)
{
    *ret++ = '\\';
    *ret++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *ret++ = hex[unit >> shift & 15];
}

/* Writes the escape sequence of JSON for a character. Returns its length. */
static size_t put_json(uint32_t c, char *ret)
{
    if (c == '"' || c == '\\') {
        ret[0] = '\\';
        ret[1] = (char)c;
        return 2;
    }
    if (c < 0x10000) {
        put_utf16(c, ret);
        return 6;
    }
    put_utf16(0xd800 + ((c - 0x10000) >> 10), ret); /* RFC 8259 §7: a surrogate pair */
    put_utf16(0xdc00 + (c & 0x3ff), ret + 6);
    return 12;
}

/* The kinds of escape sequences. */
enum style { BYTES, JSON };

static size_t escape(const char *text, size_t len, char *ret, size_t size, uint32_t last_shown,
                     enum style style)
{
    char sequence[ESCAPE_MAX];
    size_t out = 0, n;

    for (size_t at = 0; at < len; at += n) {
        const char *piece = sequence;
        uint32_t c = 0xfffd;
        size_t piece_len;
        n = whorl_text_decode(text + at, len - at, &c);
        if (n > 0 && c <= last_shown && whorl_text_is_plain(c) &&
            !(style == JSON && (c == '"' || c == '\\'))) {
            piece = text + at;
            piece_len = n;
        } else {
            n = n ? n : 1;
            piece_len = style == JSON ? put_json(c, sequence) : put_bytes(text + at, n, sequence);
        }
        if (out + piece_len >= size)
            break;
        memcpy(ret + out, piece, piece_len);
        out += piece_len;
    }
    ret[out] = '\0';
    return out;
}

size_t whorl_text_escape(const char *text, size_t len, char *ret, size_t size)
{
    return escape(text, len, ret, size, 0x10ffff, BYTES);
}

size_t whorl_text_escape_ascii(const char *text, size_t len, char *ret, size_t size)
{
    return escape(text, len, ret, size, 0x7f, BYTES);
}

size_t whorl_text_escape_json(const char *text, size_t len, char *ret, size_t size)
{
    return escape(text, len, ret, size, 0x10ffff, JSON);
}

size_t whorl_text_escape_json_ascii(const char *text, size_t len, char *ret, size_t size)
{
    return escape(text, len, ret, size, 0x7f, JSON);
}
