/* SPDX-License-Identifier: MIT */
/* Parses netrc files. Error texts name a line, but quote nothing: any word may be a password. */
#include "io/http/netrc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reader {
    char *p, *end;
    int line;
    bool at_line_start; /* nothing but spaces precedes `p` in its line */
    struct netrc *netrc;
    struct whorl_error *error;
};

static int fail(const struct reader *r, int line, const char *text)
{
    return whorl_error_set(r->error, WHORL_EHTTP_NETRC, "netrc", "line %d: %s", line, text);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void skip_line(struct reader *r)
{
    while (r->p < r->end && *r->p != '\n')
        r->p++;
}

/* Skips spaces, and comments if `comments`: lines that begin with "#". */
static void skip_spaces(struct reader *r, bool comments)
{
    for (; r->p < r->end; r->p++) {
        if (comments && *r->p == '#' && r->at_line_start)
            skip_line(r);
        if (r->p == r->end || !is_space(*r->p))
            return;
        if (*r->p == '\n') {
            r->line++;
            r->at_line_start = true;
        }
    }
}

/* Reads the rest of a quoted word and removes its escapes. The result is shorter than the source,
 * so it is written in its place. */
static int read_quoted(struct reader *r, char **ret)
{
    char *to = r->p + 1;

    *ret = to;
    for (char *p = to; p < r->end && *p != '\n'; p++) {
        if (*p == '"') {
            r->p = p + 1;
            if (r->p < r->end && !is_space(*r->p))
                return fail(r, r->line, "no space after the closing quote");
            *to = '\0';
            return 1;
        }
        char c = *p;
        if (c == '\\' && p + 1 < r->end && p[1] != '\n') {
            c = *++p;
            c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
        }
        *to++ = c;
    }
    return fail(r, r->line, "quote is not closed");
}

/* Reads a word. 1; 0 at the end of the file; an error. */
static int read_word(struct reader *r, bool comments, char **ret)
{
    skip_spaces(r, comments);
    if (r->p == r->end)
        return 0;
    r->at_line_start = false;
    if (*r->p == '"')
        return read_quoted(r, ret);
    *ret = r->p;
    while (r->p < r->end && !is_space(*r->p))
        r->p++;
    if (r->p < r->end) { /* the byte behind the word becomes its NUL */
        if (*r->p == '\n') {
            r->line++;
            r->at_line_start = true;
        }
        *r->p++ = '\0';
    }
    return 1;
}

/* The line of the word that was read last. */
static int line_of_word(const struct reader *r)
{
    return r->line - r->at_line_start;
}

/* Reads the value of a keyword. */
static int read_value(struct reader *r, char **ret)
{
    int line = line_of_word(r);
    int n = read_word(r, false, ret);
    return n == 0 ? fail(r, line, "keyword without a value at the end of the file") : n;
}

static int add_entry(struct reader *r, const char *machine)
{
    struct netrc *n = r->netrc;
    struct netrc_entry *entries = realloc(n->entries, (n->count + 1) * sizeof *entries);
    if (!entries)
        return -ENOMEM;
    entries[n->count++] = (struct netrc_entry){.machine = machine};
    n->entries = entries;
    return 1;
}

/* A macro ends at the first empty line. */
static void skip_macro(struct reader *r)
{
    if (!r->at_line_start)
        skip_line(r);
    while (r->p < r->end) {
        bool is_empty = r->at_line_start && (*r->p == '\n' || *r->p == '\r');
        if (is_empty)
            return;
        skip_line(r);
        if (r->p < r->end) {
            r->p++;
            r->line++;
            r->at_line_start = true;
        }
    }
}

/* Handles a keyword of an entry. */
static int read_field(struct reader *r, const char *keyword)
{
    struct netrc_entry *entry =
        r->netrc->count > 0 ? &r->netrc->entries[r->netrc->count - 1] : NULL;
    int line = line_of_word(r);
    char *value;

    if (!entry)
        return fail(r, line, "login, password or account before the first machine");
    int n = read_value(r, &value);
    if (n < 0)
        return n;
    if (strcmp(keyword, "login") == 0)
        entry->login = value;
    else if (strcmp(keyword, "password") == 0)
        entry->password = value;
    return 1; /* HTTP has no accounts */
}

/* Handles the next keyword. 1; 0 at the end; an error. */
static int read_keyword(struct reader *r)
{
    char *word, *value;
    int n = read_word(r, true, &word);
    int line = line_of_word(r);

    if (n <= 0)
        return n;
    if (strcmp(word, "machine") == 0) {
        n = read_value(r, &value);
        return n < 0 ? n : add_entry(r, value);
    }
    if (strcmp(word, "default") == 0)
        return add_entry(r, NULL);
    if (strcmp(word, "login") == 0 || strcmp(word, "password") == 0 || strcmp(word, "account") == 0)
        return read_field(r, word);
    if (strcmp(word, "macdef") == 0) {
        n = read_value(r, &value);
        if (n > 0)
            skip_macro(r);
        return n;
    }
    return fail(r, line, "not machine, default, login, password, account or macdef");
}

int netrc_parse(const char *text, size_t len, struct whorl_error *error, struct netrc *ret)
{
    struct netrc netrc = {.text = malloc(len + 1), .text_len = len};
    struct reader r = {.line = 1, .at_line_start = true, .netrc = &netrc, .error = error};
    int n = netrc.text ? 1 : -ENOMEM;

    if (netrc.text) {
        memcpy(netrc.text, text, len);
        netrc.text[len] = '\0';
        r.p = netrc.text;
        r.end = netrc.text + len;
        if (memchr(text, '\0', len))
            n = whorl_error_set(error, WHORL_EHTTP_NETRC, "netrc", "file contains a NUL byte");
    }
    while (n > 0)
        n = read_keyword(&r);
    if (n < 0) {
        netrc_finish(&netrc);
        return n == -ENOMEM ? whorl_error_set(error, n, "netrc", "%s", whorl_strerror(n)) : n;
    }
    *ret = netrc;
    return 0;
}

const struct netrc_entry *netrc_find(const struct netrc *netrc, const char *host, const char *login,
                                     bool use_default)
{
    for (size_t i = 0; i < netrc->count; i++) {
        const struct netrc_entry *e = &netrc->entries[i];
        if (!e->login || (login && strcmp(e->login, login) != 0))
            continue;
        if (e->machine ? strcasecmp(e->machine, host) == 0 : use_default)
            return e;
    }
    return NULL;
}

void netrc_finish(struct netrc *netrc)
{
    if (netrc->text)
        explicit_bzero(netrc->text, netrc->text_len);
    free(netrc->text);
    free(netrc->entries);
    *netrc = (struct netrc){0};
}
