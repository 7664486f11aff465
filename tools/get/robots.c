/* SPDX-License-Identifier: MIT */
/* Rules for crawlers, see robots.h.
 *
 * Patterns and paths are compared in a form in which each octet has one spelling (RFC 9309 §2.2.2):
 * unreserved characters are not percent-encoded, and all others are, with upper-case digits. The
 * slashes of the path and the first question mark stay as they are. In a pattern, '*' and a '$' at
 * its end stay too, because they have a meaning there; in a path, both are encoded.
 */
#include "tools/get/robots.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 3986 §2.3 */
static bool is_unreserved(unsigned char c)
{
    return c < 0x80 && (isalnum(c) || (c && strchr("-._~", c)));
}

/* Adds the comparable form. */
static void add_comparable(struct buffer *ret, const char *text, size_t len, bool is_pattern)
{
    bool in_query = false;

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool is_last = i + 1 == len, was_encoded = false;
        if (c == '%' && i + 2 < len && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0) {
            c = (unsigned char)(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
            was_encoded = true;
            i += 2;
        }
        bool is_special = is_pattern && (c == '*' || (c == '$' && is_last));
        bool is_delimiter = !in_query && (c == '/' || c == '?');
        if (is_unreserved(c) || (!was_encoded && (is_special || is_delimiter)))
            buffer_add(ret, (const char *)&c, 1);
        else
            buffer_printf(ret, "%%%02X", c);
        in_query |= c == '?' && !was_encoded;
    }
}

/* --- reading --- */

struct reader {
    struct robots *ret;
    const char *product;
    bool in_rules;   /* the group has a rule, so the next user-agent line begins another group */
    bool is_ours;    /* the group is for the product */
    bool is_for_all; /* the group is for "*" */
    bool found;      /* there is a group for the product: those for "*" do not count */
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the spaces off both ends. */
static void trim(const char **text, size_t *len)
{
    while (*len > 0 && is_space(**text))
        (*text)++, (*len)--;
    while (*len > 0 && is_space((*text)[*len - 1]))
        (*len)--;
}

static void take_agent(struct reader *r, const char *value, size_t len)
{
    size_t token = 0;

    if (r->in_rules)
        r->in_rules = r->is_ours = r->is_for_all = false;
    /* Many files have a version behind the token: "name/1.0". */
    while (token < len &&
           (isalpha((unsigned char)value[token]) || value[token] == '-' || value[token] == '_'))
        token++;
    if (len > 0 && *value == '*' && (len == 1 || is_space(value[1]))) {
        r->is_for_all = true;
    } else if (token == strlen(r->product) && strncasecmp(value, r->product, token) == 0) {
        if (!r->found) { /* forget the rules for "*" */
            r->ret->rules_count = 0;
            buffer_clear(&r->ret->patterns);
        }
        r->is_ours = r->found = true;
    }
}

static int take_rule(struct reader *r, bool allows, const char *value, size_t len)
{
    struct robots *ret = r->ret;

    r->in_rules = true;
    if (len == 0 || !(r->is_ours || (r->is_for_all && !r->found)))
        return 0;
    if (ret->rules_count == ret->rules_size) {
        size_t size = ret->rules_size ? 2 * ret->rules_size : 16;
        struct robots_rule *rules = reallocarray(ret->rules, size, sizeof *rules);
        if (!rules)
            return -ENOMEM;
        ret->rules = rules;
        ret->rules_size = size;
    }
    size_t start = ret->patterns.len;
    add_comparable(&ret->patterns, value, len, true);
    ret->rules[ret->rules_count++] = (struct robots_rule){start, ret->patterns.len - start, allows};
    return ret->patterns.failed ? -ENOMEM : 0;
}

static bool is_name(const char *name, size_t len, const char *wanted)
{
    return len == strlen(wanted) && strncasecmp(name, wanted, len) == 0;
}

/* Takes a line. One of another kind, such as Sitemap, does not end a group (RFC 9309 §2.2.4). */
static int take_line(struct reader *r, const char *line, size_t len)
{
    const char *comment = memchr(line, '#', len);
    const char *colon = memchr(line, ':', comment ? (size_t)(comment - line) : len);

    if (!colon)
        return 0;
    const char *value = colon + 1;
    size_t name_len = (size_t)(colon - line);
    size_t value_len = (comment ? (size_t)(comment - line) : len) - name_len - 1;
    trim(&line, &name_len);
    trim(&value, &value_len);
    if (is_name(line, name_len, "user-agent"))
        take_agent(r, value, value_len);
    else if (is_name(line, name_len, "allow"))
        return take_rule(r, true, value, value_len);
    else if (is_name(line, name_len, "disallow"))
        return take_rule(r, false, value, value_len);
    return 0;
}

static bool is_eol(char c)
{
    return c == '\r' || c == '\n';
}

int robots_parse(const char *text, size_t len, const char *product, struct robots *ret)
{
    struct reader r = {.ret = ret, .product = product};
    int err = 0;

    /* Half a line would be a rule for more URLs than the whole line. */
    if (len > ROBOTS_MAX)
        for (len = ROBOTS_MAX; len > 0 && !is_eol(text[len]); len--)
            ;
    const char *end = text + len;
    if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    while (text < end && err == 0) {
        const char *line = text;
        while (text < end && !is_eol(*text))
            text++;
        err = take_line(&r, line, (size_t)(text - line));
        text++;
    }
    return err;
}

bool robots_judge(int status, struct robots *ret)
{
    if (status >= 200 && status < 300)
        return true;
    ret->none = status < 300 || status >= 500;
    return false;
}

/* --- matching --- */

/* Whether the pattern matches the path from its start. The parts between the '*' are looked for one
 * after the other, each at its first place, so the time is linear. */
static bool matches(const char *pattern, size_t pattern_len, const char *path, size_t path_len)
{
    const char *pattern_end = pattern + pattern_len, *path_end = path + path_len;
    bool to_end = pattern_len > 0 && pattern_end[-1] == '$';

    if (to_end)
        pattern_end--;
    for (bool is_first = true;; is_first = false) {
        const char *star = memchr(pattern, '*', (size_t)(pattern_end - pattern));
        size_t len = (size_t)((star ? star : pattern_end) - pattern);
        size_t left = (size_t)(path_end - path);
        if (len > left)
            return false;
        if (!star && to_end) {
            if (is_first && len != left)
                return false;
            return memcmp(path_end - len, pattern, len) == 0;
        }
        const char *at = is_first ? (memcmp(path, pattern, len) == 0 ? path : NULL)
                                  : memmem(path, left, pattern, len);
        if (!at || !star)
            return at != NULL;
        path = at + len;
        pattern = star + 1;
    }
}

bool robots_allows(const struct robots *robots, const char *target)
{
    struct buffer path = {0};
    size_t longest = 0;
    bool allows = true;

    if (strcmp(target, "/robots.txt") == 0)
        return true;
    if (robots->none || robots->rules_count == 0)
        return !robots->none;
    add_comparable(&path, target, strlen(target), false);
    if (path.failed) {
        buffer_finish(&path);
        return false; /* not knowing is no permission */
    }
    for (size_t i = 0; i < robots->rules_count; i++) {
        const struct robots_rule *rule = &robots->rules[i];
        if (rule->len < longest || (rule->len == longest && (allows || !rule->allows)))
            continue;
        if (matches(robots->patterns.text + rule->start, rule->len, path.text, path.len)) {
            longest = rule->len;
            allows = rule->allows;
        }
    }
    buffer_finish(&path);
    return allows;
}

void robots_finish(struct robots *robots)
{
    free(robots->rules);
    buffer_finish(&robots->patterns);
    *robots = (struct robots){0};
}
