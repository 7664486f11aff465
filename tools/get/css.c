/* SPDX-License-Identifier: MIT */
/* A tokenizer for style sheets, see css.h. */
#include "tools/get/css.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { NAME_MAX_LEN = 32, DEPTH_MAX = 64 };

struct css {
    const char *p, *end;
    const char *copied; /* the text before this is in `ret` */
    references_fn *visit;
    void *arg;
    struct buffer *ret;
    struct buffer value;        /* of the token that was read last, without escapes */
    char name[NAME_MAX_LEN];    /* of the last name, in lower case; "" if it is too long */
    char at_rule[NAME_MAX_LEN]; /* the rule whose prelude is being read: "import"; "": none */
    uint64_t image_sets;        /* a bit for each open bracket: it is that of image-set() */
    size_t depth;               /* of brackets */
};

static bool is_newline(char c)
{
    return c == '\n' || c == '\r' || c == '\f';
}

static bool is_space(char c)
{
    return is_newline(c) || c == ' ' || c == '\t';
}

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || (unsigned char)c >= 0x80;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void add_utf8(struct buffer *ret, uint32_t c)
{
    char text[4];
    size_t len = 0;

    if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0xfffd;
    if (c < 0x80) {
        text[len++] = (char)c;
    } else if (c < 0x800) {
        text[len++] = (char)(0xc0 | c >> 6);
        text[len++] = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        text[len++] = (char)(0xe0 | c >> 12);
        text[len++] = (char)(0x80 | (c >> 6 & 0x3f));
        text[len++] = (char)(0x80 | (c & 0x3f));
    } else {
        text[len++] = (char)(0xf0 | c >> 18);
        text[len++] = (char)(0x80 | (c >> 12 & 0x3f));
        text[len++] = (char)(0x80 | (c >> 6 & 0x3f));
        text[len++] = (char)(0x80 | (c & 0x3f));
    }
    buffer_add(ret, text, len);
}

/* CSS Syntax §4.3.8: whether a backslash at `p` begins an escape. */
static bool is_escape(const struct css *css, const char *p)
{
    return p + 1 < css->end && p[0] == '\\' && !is_newline(p[1]);
}

/* §4.3.7; `p` is at the backslash. */
static void take_escape(struct css *css)
{
    uint32_t c = 0;
    int digits = 0;

    css->p++;
    for (; digits < 6 && css->p < css->end && hex_value(*css->p) >= 0; digits++)
        c = c << 4 | (uint32_t)hex_value(*css->p++);
    if (digits == 0) {
        buffer_add(&css->value, css->p++, 1);
        return;
    }
    add_utf8(&css->value, c);
    if (css->end - css->p >= 2 && css->p[0] == '\r' && css->p[1] == '\n')
        css->p++;
    if (css->p < css->end && is_space(*css->p))
        css->p++;
}

/* §4.3.11: a name, which may be empty. */
static void take_name(struct css *css)
{
    buffer_clear(&css->value);
    while (css->p < css->end) {
        if (is_name_char(*css->p))
            buffer_add(&css->value, css->p++, 1);
        else if (is_escape(css, css->p))
            take_escape(css);
        else
            break;
    }
    size_t len = css->value.len < sizeof css->name ? css->value.len : 0;
    for (size_t i = 0; i < len; i++) {
        char c = css->value.text[i];
        css->name[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
    }
    css->name[len] = '\0';
}

/* §4.3.5; `p` is behind the quote. Returns false for a string that a newline ends. Sets the end of
 * the text in the quotes. */
static bool take_string(struct css *css, char quote, const char **ret_end)
{
    buffer_clear(&css->value);
    while (css->p < css->end) {
        char c = *css->p;
        if (c == quote) {
            *ret_end = css->p++;
            return true;
        }
        if (is_newline(c))
            return false;
        if (is_escape(css, css->p)) {
            take_escape(css);
        } else if (c == '\\' && css->p + 1 < css->end) { /* an escaped newline */
            css->p += css->p[1] == '\r' && css->p + 2 < css->end && css->p[2] == '\n' ? 3 : 2;
        } else if (c == '\\') {
            css->p++; /* at the end of the text */
        } else {
            buffer_add(&css->value, css->p++, 1);
        }
    }
    *ret_end = css->end;
    return true;
}

static void skip_spaces(struct css *css)
{
    while (css->p < css->end && is_space(*css->p))
        css->p++;
}

/* §4.3.14: the rest of a url() that is wrong. */
static void skip_bad_url(struct css *css)
{
    while (css->p < css->end && *css->p != ')')
        css->p += is_escape(css, css->p) ? 2 : 1;
    if (css->p < css->end)
        css->p++;
}

/* §4.3.6; `p` is behind the bracket and spaces. Returns false when it is no URL. */
static bool take_plain_url(struct css *css, const char **ret_end)
{
    buffer_clear(&css->value);
    while (css->p < css->end) {
        char c = *css->p;
        if (c == ')' || is_space(c)) {
            *ret_end = css->p;
            skip_spaces(css);
            if (css->p < css->end && *css->p != ')')
                break;
            css->p += css->p < css->end;
            return true;
        }
        if (is_escape(css, css->p))
            take_escape(css);
        else if (c == '"' || c == '\'' || c == '(' || c == '\\' || (c >= 0 && c < ' ') || c == 0x7f)
            break;
        else
            buffer_add(&css->value, css->p++, 1);
    }
    if (css->p == css->end) {
        *ret_end = css->end;
        return true;
    }
    skip_bad_url(css);
    return false;
}

/* A string with `text` in it (CSSOM §2.1). */
static void add_string(struct buffer *ret, char quote, const char *text)
{
    buffer_add(ret, &quote, 1);
    for (; *text; text++) {
        if (*text == quote || *text == '\\')
            buffer_add(ret, "\\", 1);
        if ((*text > 0 && *text < ' ') || *text == 0x7f)
            buffer_printf(ret, "\\%x ", (unsigned char)*text);
        else
            buffer_add(ret, text, 1);
    }
    buffer_add(ret, &quote, 1);
}

/* Visits the value. What replaces it is a string in place of [start, end). */
static void visit(struct css *css, const char *start, const char *end, char quote)
{
    if (css->value.len == 0 || css->value.failed || strlen(css->value.text) != css->value.len)
        return;
    const char *text = css->visit(css->arg, REFERENCE_RESOURCE, css->value.text);
    if (!text || !css->ret)
        return;
    buffer_add(css->ret, css->copied, (size_t)(start - css->copied));
    add_string(css->ret, quote, text);
    css->copied = end;
}

/* Whether a string here is a URL. */
static bool string_is_url(const struct css *css)
{
    if (css->depth == 0)
        return strcmp(css->at_rule, "import") == 0;
    return css->depth <= DEPTH_MAX && (css->image_sets >> (css->depth - 1) & 1);
}

static void open_bracket(struct css *css, bool is_image_set)
{
    uint64_t bit = css->depth < DEPTH_MAX ? (uint64_t)1 << css->depth : 0;

    css->image_sets = is_image_set ? css->image_sets | bit : css->image_sets & ~bit;
    css->depth++;
}

/* A string token; `p` is at the quote. */
static void string_token(struct css *css)
{
    const char *start = css->p, *end;
    char quote = *css->p++;
    bool is_url = string_is_url(css);

    if (!take_string(css, quote, &end) || !is_url)
        return;
    visit(css, start, css->p, quote);
    if (css->depth == 0)
        css->at_rule[0] = '\0'; /* what follows are the conditions of the import */
}

/* url( of the name `url`; `p` is behind the bracket. */
static void url_token(struct css *css)
{
    bool is_reference = strcmp(css->at_rule, "namespace") != 0;
    const char *start, *end;

    skip_spaces(css);
    start = css->p;
    if (css->p < css->end && (*css->p == '"' || *css->p == '\'')) {
        char quote = *css->p++;
        bool ok = take_string(css, quote, &end);
        if (ok && is_reference)
            visit(css, start, css->p, quote);
        open_bracket(css, false); /* here url() is a function; the bracket ends it */
    } else if (take_plain_url(css, &end) && is_reference) {
        visit(css, start, end, '"');
    }
}

/* A name, or a function; `p` is at its start. */
static void name_token(struct css *css)
{
    take_name(css);
    if (css->p == css->end || *css->p != '(')
        return;
    css->p++;
    if (strcmp(css->name, "url") == 0)
        url_token(css);
    else
        open_bracket(css, strcmp(css->name, "image-set") == 0 ||
                              strcmp(css->name, "-webkit-image-set") == 0);
}

static void skip_comment(struct css *css)
{
    const char *end = memmem(css->p + 2, (size_t)(css->end - css->p) - 2, "*/", 2);

    css->p = end ? end + 2 : css->end;
}

static void token(struct css *css)
{
    char c = *css->p;

    if (c == '/' && css->end - css->p >= 2 && css->p[1] == '*') {
        skip_comment(css);
    } else if (c == '"' || c == '\'') {
        string_token(css);
    } else if (c == '@') {
        css->p++;
        take_name(css);
        if (css->depth == 0)
            strcpy(css->at_rule, css->name);
    } else if (is_name_char(c) || is_escape(css, css->p)) {
        name_token(css);
    } else {
        css->p++;
        if (c == ';' || c == '{' || c == '}')
            css->at_rule[0] = '\0';
        if (c == '{' || c == '}')
            css->depth = 0; /* brackets that were left open */
        else if (c == '(' || c == '[')
            open_bracket(css, false);
        else if ((c == ')' || c == ']') && css->depth > 0)
            css->depth--;
    }
}

void css_visit(const char *text, size_t len, references_fn *visit_fn, void *arg, struct buffer *ret)
{
    struct css css = {
        .p = text, .end = text + len, .copied = text, .visit = visit_fn, .arg = arg, .ret = ret};

    while (css.p < css.end)
        token(&css);
    if (ret)
        buffer_add(ret, css.copied, (size_t)(css.end - css.copied));
    buffer_finish(&css.value);
}
