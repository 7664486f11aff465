/* SPDX-License-Identifier: MIT */
/* Reads and writes cookie files. The format has no standard; this follows curl. */
#include "io/http/cookie_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "io/http/cookie_suffix.h"
#include "io/url/ascii.h"

#define HTTP_ONLY "#HttpOnly_"

enum { DOMAIN, TAIL, PATH, SECURE, EXPIRES, NAME, VALUE, FIELDS };

/* Splits a line at its TABs. The value is the last field, and may be missing: curl leaves it out
 * with its TAB when it is empty. */
static bool split(char *line, struct cookie_text fields[FIELDS])
{
    int n = 0;

    for (char *at = line; n < FIELDS; n++) {
        size_t len = n == VALUE ? strlen(at) : strcspn(at, "\t");
        fields[n] = (struct cookie_text){at, len};
        if (at[len] == '\0') {
            n++;
            break;
        }
        at += len + 1;
    }
    if (n == VALUE)
        fields[VALUE] = (struct cookie_text){"", 0};
    return n >= VALUE;
}

static bool read_bool(struct cookie_text text, bool *ret)
{
    *ret = text.len == 4 && strncasecmp(text.at, "TRUE", 4) == 0;
    return *ret || (text.len == 5 && strncasecmp(text.at, "FALSE", 5) == 0);
}

static bool read_expires(struct cookie_text text, int64_t *ret)
{
    int64_t n = 0;

    if (text.len == 0 || text.len > 18) /* fits an int64_t */
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!ascii_is_digit(text.at[i]))
            return false;
        n = n * 10 + (text.at[i] - '0');
    }
    *ret = n == 0 ? WHORL_HTTP_COOKIE_SESSION : n;
    return true;
}

/* A host as URLs have it, but also in upper case. */
static bool is_host(struct cookie_text text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.at[i];
        if (!ascii_is_digit(c) && !ascii_is_alpha(c) && !strchr("-._:", c))
            return false;
    }
    return text.len > 0 && text.at[0] != '.';
}

/* Only an IPv6 address has a colon, and only an IPv4 address has nothing but numbers. */
static bool is_ip(struct cookie_text host)
{
    return memchr(host.at, ':', host.len) || strspn(host.at, "0123456789.") >= host.len;
}

static bool is_public(struct cookie_text host)
{
    char domain[COOKIE_ATTRIBUTE_MAX + 1];

    if (host.len > COOKIE_ATTRIBUTE_MAX)
        return true;
    for (size_t i = 0; i < host.len; i++)
        domain[i] = ascii_lower(host.at[i]);
    domain[host.len] = '\0';
    return cookie_suffix_is_public(domain);
}

/* Reads a line that is not a comment. Returns NULL, or what is wrong. */
static const char *read_line(char *line, struct cookie_draft *draft)
{
    struct cookie_text fields[FIELDS];
    bool tail;

    *draft = (struct cookie_draft){0};
    if (strncmp(line, HTTP_ONLY, strlen(HTTP_ONLY)) == 0) {
        draft->http_only = true;
        line += strlen(HTTP_ONLY);
    }
    if (!split(line, fields))
        return "not 7 fields with TABs between them";
    if (!read_bool(fields[TAIL], &tail) || !read_bool(fields[SECURE], &draft->secure))
        return "the second and the fourth field must be TRUE or FALSE";
    if (!read_expires(fields[EXPIRES], &draft->expires_unix_s))
        return "the fifth field must be a time in seconds since 1970";
    if (fields[PATH].len == 0 || fields[PATH].at[0] != '/')
        return "the path does not begin with /";
    draft->domain = fields[DOMAIN];
    if (draft->domain.len > 0 && draft->domain.at[0] == '.') {
        draft->domain.at++;
        draft->domain.len--;
    }
    if (!is_host(draft->domain))
        return "not a domain";
    draft->path = fields[PATH];
    draft->name = fields[NAME];
    draft->value = fields[VALUE];
    draft->host_only = !tail || is_ip(draft->domain);
    if (!draft->host_only && is_public(draft->domain))
        return "the domain is a public suffix";
    if (memchr(draft->name.at, ';', draft->name.len) ||
        memchr(draft->name.at, '=', draft->name.len) ||
        memchr(draft->value.at, ';', draft->value.len))
        return "the name contains = or ;, or the value contains ;";
    return cookie_check(draft, true);
}

static bool is_comment(const char *line)
{
    return line[strspn(line, " \t")] == '\0' ||
           (*line == '#' && strncmp(line, HTTP_ONLY, strlen(HTTP_ONLY)) != 0);
}

/* Cuts the line at `*at` off, and moves `*at` past it. Returns NULL, or what is wrong. */
static const char *cut_line(char **at, char *end)
{
    char *line = *at, *lf = memchr(line, '\n', (size_t)(end - line));
    char *line_end = lf ? lf : end;

    *at = lf ? lf + 1 : end;
    if (memchr(line, '\0', (size_t)(line_end - line)))
        return "NUL byte";
    *line_end = '\0';
    if (line_end > line && line_end[-1] == '\r')
        line_end[-1] = '\0';
    return NULL;
}

/* Checks all lines. Afterwards, each ends with one or two NULs. */
static int check(char *text, char *end, const char *name, struct whorl_error *error)
{
    struct cookie_draft draft;
    size_t number = 1;

    for (char *line = text, *next = text; line < end; line = next, number++) {
        const char *why = cut_line(&next, end);
        if (!why && !is_comment(line))
            why = read_line(line, &draft);
        if (why)
            return whorl_error_set(error, WHORL_EHTTP_COOKIE_FILE, "cookies", "%s:%zu: %s", name,
                                   number, why);
    }
    return 0;
}

int cookie_file_parse(struct whorl_http_cookies *jar, char *text, size_t len, int64_t now_unix_s,
                      const char *name, struct whorl_error *error)
{
    char *end = text + len;
    struct cookie_draft draft;
    int err = check(text, end, name, error);

    for (char *line = text; err == 0 && line < end; line += strlen(line) + 1) {
        if (is_comment(line))
            continue;
        (void)read_line(line, &draft);
        err = cookie_jar_add(jar, &draft, true, now_unix_s);
        if (err)
            whorl_error_set(error, err, "cookies", "%s: %s", name, whorl_strerror(err));
    }
    return err;
}

int cookie_file_make(struct whorl_http_cookies *jar, int64_t now_unix_s, char **ret,
                     size_t *ret_len)
{
    char *text = NULL;
    size_t len = 0;
    struct whorl_http_cookie c;
    FILE *file = open_memstream(&text, &len);

    if (!file)
        return -ENOMEM;
    cookie_jar_expire(jar, now_unix_s);
    fputs("# Netscape HTTP Cookie File\n# Written by whorl. Edit it only while no program uses"
          " it.\n\n",
          file);
    for (size_t i = 0; cookie_jar_at(jar, i, &c); i++)
        fprintf(file, "%s%s%s\t%s\t%s\t%s\t%lld\t%s\t%s\n", c.http_only ? HTTP_ONLY : "",
                c.host_only ? "" : ".", c.domain, c.host_only ? "FALSE" : "TRUE", c.path,
                c.secure ? "TRUE" : "FALSE",
                c.expires_unix_s == WHORL_HTTP_COOKIE_SESSION ? 0LL : (long long)c.expires_unix_s,
                c.name, c.value);
    bool failed = ferror(file);
    if (fclose(file) != 0 || failed) {
        free(text);
        return -ENOMEM;
    }
    *ret = text;
    *ret_len = len;
    return 0;
}
