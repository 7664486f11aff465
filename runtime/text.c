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

/* Writes \xNN for each of the `n` bytes. */
static void put_escapes(const char *text, size_t n, char *ret)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char byte = (unsigned char)text[i];
        *ret++ = '\\';
        *ret++ = 'x';
        *ret++ = "0123456789abcdef"[byte >> 4];
        *ret++ = "0123456789abcdef"[byte & 15];
    }
}

static size_t escape(const char *text, size_t len, char *ret, size_t size, uint32_t last_shown)
{
    size_t out = 0, n;

    for (size_t at = 0; at < len; at += n) {
        uint32_t c;
        n = whorl_text_decode(text + at, len - at, &c);
        bool shown = n > 0 && c <= last_shown && whorl_text_is_plain(c);
        if (n == 0)
            n = 1;
        if (out + (shown ? n : 4 * n) >= size)
            break;
        if (shown)
            memcpy(ret + out, text + at, n);
        else
            put_escapes(text + at, n, ret + out);
        out += shown ? n : 4 * n;
    }
    ret[out] = '\0';
    return out;
}

size_t whorl_text_escape(const char *text, size_t len, char *ret, size_t size)
{
    return escape(text, len, ret, size, 0x10ffff);
}

size_t whorl_text_escape_ascii(const char *text, size_t len, char *ret, size_t size)
{
    return escape(text, len, ret, size, 0x7f);
}
