/* SPDX-License-Identifier: MIT */
/* Header lists, and the syntax checks that requests and responses share. */
#include "io/http/header.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/url/ascii.h"

enum {
    BYTES_MIN = 1024, /* enough for a usual head */
    FIELDS_MIN = 24,
};

static bool equal_n(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (a[i] != b[i] && ascii_lower(a[i]) != ascii_lower(b[i]))
            return false;
    return true;
}

bool header_equal(const char *a, const char *b)
{
    for (; ascii_lower(*a) == ascii_lower(*b); a++, b++)
        if (*a == '\0')
            return true;
    return false;
}

/* A set of ASCII characters: a bit for each, in the words of the first and the last 64. */
#define BIT(c) (UINT64_C(1) << ((c)&63))
#define DIGITS (UINT64_C(0x3ff) << ('0' & 63))
#define UPPER  (UINT64_C(0x3ffffff) << ('A' & 63))
#define LOWER  (UINT64_C(0x3ffffff) << ('a' & 63))
/* RFC 9110 §5.6.2: tchar. */
#define FIRST_TCHARS                                                                        \
    (DIGITS | BIT('!') | BIT('#') | BIT('$') | BIT('%') | BIT('&') | BIT('\'') | BIT('*') | \
     BIT('+') | BIT('-') | BIT('.'))
#define LAST_TCHARS (LOWER | BIT('^') | BIT('_') | BIT('`') | BIT('|') | BIT('~'))

static bool consists_of(const char *text, size_t len, uint64_t first, uint64_t last)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= 0x80 || !((c < 0x40 ? first : last) >> (c & 63) & 1))
            return false;
    }
    return len > 0;
}

bool header_is_token(const char *text, size_t len)
{
    return consists_of(text, len, FIRST_TCHARS, LAST_TCHARS | UPPER);
}

#define EACH_BYTE(c) (UINT64_C(0x0101010101010101) * (c))

/* Whether all of 8 bytes are lower-case letters or hyphens. With bytes below 0x80 no sum carries
 * into the next byte; its high bit says whether the byte is large enough. */
static bool is_usual_name(uint64_t x)
{
    uint64_t is_letter = (x + EACH_BYTE(0x80 - 'a')) & ~(x + EACH_BYTE(0x7f - 'z'));
    uint64_t is_hyphen = ~((x ^ EACH_BYTE('-')) + EACH_BYTE(0x7f));

    return ((is_letter | is_hyphen) & ~x & EACH_BYTE(0x80)) == EACH_BYTE(0x80);
}

static uint64_t load_8(const char *bytes)
{
    uint64_t x;

    memcpy(&x, bytes, sizeof x);
    return x;
}

/* From 4 to 8 bytes; some appear twice. */
static uint64_t load_few(const char *bytes, size_t len)
{
    uint32_t first, last;

    memcpy(&first, bytes, sizeof first);
    memcpy(&last, bytes + len - sizeof last, sizeof last);
    return first | (uint64_t)last << 32;
}

bool header_is_lower_token(const char *text, size_t len)
{
    size_t i = 0;

    if (len < 4)
        return consists_of(text, len, FIRST_TCHARS, LAST_TCHARS);
    if (len < 8)
        return is_usual_name(load_few(text, len)) ||
               consists_of(text, len, FIRST_TCHARS, LAST_TCHARS);
    while (i + 8 <= len && is_usual_name(load_8(text + i)))
        i += 8;
    if (i + 8 > len && is_usual_name(load_8(text + len - 8)))
        return true;
    return consists_of(text, len, FIRST_TCHARS, LAST_TCHARS);
}

/* Whether one of 8 bytes is below 0x20 or is 0x7f. (x - EACH_BYTE(n)) & ~x has a high bit set if
 * and only if a byte of x is below n. */
static bool has_control(uint64_t x)
{
    uint64_t is_del = x ^ EACH_BYTE(0x7f);

    return (((x - EACH_BYTE(0x20)) & ~x) | ((is_del - EACH_BYTE(1)) & ~is_del)) & EACH_BYTE(0x80);
}

/* The compiler makes SIMD instructions of the operators, where the machine has them. */
typedef uint8_t bytes_16 __attribute__((vector_size(16)));

static bool has_control_16(const char *bytes)
{
    uint64_t halves[2];
    bytes_16 x;

    memcpy(&x, bytes, sizeof x);
    bytes_16 wrong = (bytes_16)(x < 0x20) | (bytes_16)(x == 0x7f);
    memcpy(halves, &wrong, sizeof halves);
    return halves[0] | halves[1];
}

bool header_is_value(const char *value, size_t len)
{
    size_t i = 0;

    while (i + 16 <= len && !has_control_16(value + i))
        i += 16;
    if (i + 16 > len && len >= 16 && !has_control_16(value + len - 16))
        return true; /* the rest, together with bytes that have been looked at */
    while (i + 8 <= len && !has_control(load_8(value + i)))
        i += 8;
    if (i + 8 > len && len >= 4 &&
        !has_control(len < 8 ? load_few(value, len) : load_8(value + len - 8)))
        return true;
    for (; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

size_t header_count_controls(const char *text, size_t len)
{
    size_t total = 0;

    while (len > 0) { /* the compiler vectorises blocks whose count fits in a byte */
        size_t block = len < 128 ? len : 128;
        uint8_t n = 0;
        for (size_t i = 0; i < block; i++) {
            uint8_t c = (uint8_t)text[i];
            n += (uint8_t)(((c < 0x20) & (c != '\t')) | (c == 0x7f));
        }
        total += n;
        text += block;
        len -= block;
    }
    return total;
}

bool header_is_hop(const char *name)
{
    static const char *const names[] = {
        "Content-Length",   "Transfer-Encoding", "TE", "Upgrade", "Keep-Alive",
        "Proxy-Connection", "HTTP2-Settings",    NULL,
    };
    for (const char *const *n = names; *n; n++)
        if (header_equal(name, *n))
            return true;
    return false;
}

const char *header_printable(char ret[HEADER_PRINTABLE], const char *bytes, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len && n + sizeof "\\xff" <= HEADER_PRINTABLE; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x20 && c < 0x7f && c != '\\')
            ret[n++] = (char)c;
        else
            n += (size_t)snprintf(ret + n, sizeof "\\xff", "\\x%02x", c);
    }
    ret[n] = '\0';
    return ret;
}

bool header_next_member(const char **cursor, const char **ret, size_t *ret_len)
{
    const char *p = *cursor;

    while (*p == ',' || *p == ' ' || *p == '\t')
        p++;
    if (*p == '\0') {
        *cursor = p;
        return false;
    }
    const char *start = p;
    bool quoted = false;
    for (; *p && (quoted || *p != ','); p++) {
        if (*p == '"')
            quoted = !quoted;
        else if (*p == '\\' && quoted && p[1])
            p++;
    }
    *cursor = p;
    while (p > start && (p[-1] == ' ' || p[-1] == '\t'))
        p--;
    *ret = start;
    *ret_len = (size_t)(p - start);
    return true;
}

/* Offsets are 32 bits wide, so a list holds less than 4 GiB. */
int header_list_reserve(struct header_list *list, size_t len)
{
    if (len <= list->bytes_cap - list->bytes_len)
        return 0;
    if (len > UINT32_MAX / 2 || list->bytes_len > UINT32_MAX / 2)
        return -ENOMEM;
    size_t cap = list->bytes_cap ? list->bytes_cap : BYTES_MIN;
    while (cap - list->bytes_len < len)
        cap *= 2;
    char *bytes = realloc(list->bytes, cap);
    if (!bytes)
        return -ENOMEM;
    list->bytes = bytes;
    list->bytes_cap = cap;
    return 0;
}

static int grow_fields(struct header_list *list)
{
    size_t cap = list->fields_cap ? list->fields_cap * 2 : FIELDS_MIN;
    struct header_field *fields = realloc(list->fields, cap * sizeof *fields);
    if (!fields)
        return -ENOMEM;
    list->fields = fields;
    list->fields_cap = cap;
    return 0;
}

static inline int reserve_field(struct header_list *list)
{
    return list->count < list->fields_cap ? 0 : grow_fields(list);
}

int header_list_append_raw(struct header_list *list, const char *bytes, size_t len)
{
    int err = header_list_reserve(list, len);
    if (err)
        return err;
    if (len > 0)
        memcpy(list->bytes + list->bytes_len, bytes, len);
    list->bytes_len += len;
    return 0;
}

/* There is room for the field. */
static inline void mark(struct header_list *list, size_t name, size_t name_len, size_t value,
                        size_t value_len)
{
    list->fields[list->count++] = (struct header_field){
        .name = (uint32_t)name,
        .name_len = (uint32_t)name_len,
        .value = (uint32_t)value,
        .value_len = (uint32_t)value_len,
    };
    list->bytes[name + name_len] = '\0';
    list->bytes[value + value_len] = '\0';
}

int header_list_mark(struct header_list *list, size_t name, size_t name_len, size_t value,
                     size_t value_len)
{
    int err = reserve_field(list);

    if (err == 0)
        mark(list, name, name_len, value, value_len);
    return err;
}

int header_list_append(struct header_list *list, const char *name, const char *value)
{
    return header_list_append_bytes(list, name, strlen(name), value, strlen(value));
}

int header_list_append_bytes(struct header_list *list, const char *name, size_t name_len,
                             const char *value, size_t value_len)
{
    size_t at = list->bytes_len, value_at = at + name_len + 1;
    int err = header_list_reserve(list, name_len + value_len + 2);

    if (err == 0)
        err = reserve_field(list);
    if (err)
        return err;
    if (name_len > 0)
        memcpy(list->bytes + at, name, name_len);
    if (value_len > 0)
        memcpy(list->bytes + value_at, value, value_len);
    mark(list, at, name_len, value_at, value_len);
    list->bytes_len = value_at + value_len + 1;
    return 0;
}

const char *header_list_next(const struct header_list *list, const char *name, size_t *index)
{
    size_t len = strlen(name);

    while (*index < list->count) {
        const struct header_field *f = &list->fields[(*index)++];
        if (f->name_len == len && equal_n(list->bytes + f->name, name, len))
            return list->bytes + f->value;
    }
    return NULL;
}

const char *header_list_get(const struct header_list *list, const char *name)
{
    size_t index = 0;
    return header_list_next(list, name, &index);
}

bool header_list_at(const struct header_list *list, size_t index, struct whorl_http_header *ret)
{
    if (index >= list->count)
        return false;
    ret->name = list->bytes + list->fields[index].name;
    ret->value = list->bytes + list->fields[index].value;
    return true;
}

bool header_list_has_token(const struct header_list *list, const char *name, const char *token)
{
    size_t index = 0, token_len = strlen(token), len;
    const char *cursor, *member;

    while ((cursor = header_list_next(list, name, &index)) != NULL)
        while (header_next_member(&cursor, &member, &len))
            if (len == token_len && equal_n(member, token, len))
                return true;
    return false;
}

void header_list_clear(struct header_list *list)
{
    list->bytes_len = 0;
    list->count = 0;
}

void header_list_move(struct header_list *to, struct header_list *from)
{
    header_list_finish(to);
    *to = *from;
    *from = (struct header_list){0};
}

void header_list_finish(struct header_list *list)
{
    free(list->bytes);
    free(list->fields);
    *list = (struct header_list){0};
}
