/* SPDX-License-Identifier: MIT */
/* Replaces secrets in heads; see redact.h. */
#include "io/http/redact.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <whorl/http.h>

#include "io/http/redirect.h"

#define HIDDEN "***"

/* How much of a value is shown. */
enum show {
    SHOW_ALL,
    SHOW_SCHEME,  /* "Basic ***" */
    SHOW_COOKIES, /* the names of a Cookie: "a=***; b=***" */
    SHOW_COOKIE,  /* the name and the attributes of a Set-Cookie: "a=***; Path=/" */
    SHOW_URL,     /* without a user name and password */
    SHOW_NOTHING,
};

static bool is_one_of(const char *name, const char *const *names)
{
    while (*names && strcasecmp(name, *names) != 0)
        names++;
    return *names;
}

/* Of a request, what is not known to be harmless is a secret, as in redirects. */
static enum show show_of_request(const char *name)
{
    static const char *const harmless[] = {
        "Host", "Transfer-Encoding", "Trailer", "TE", "Upgrade", "Origin", NULL};

    if (strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "Proxy-Authorization") == 0)
        return SHOW_SCHEME;
    if (strcasecmp(name, "Cookie") == 0)
        return SHOW_COOKIES;
    return redirect_is_harmless(name) || is_one_of(name, harmless) ? SHOW_ALL : SHOW_NOTHING;
}

/* Most unknown headers of a response are harmless, and worth reading. */
static enum show show_of_response(const char *name)
{
    static const char *const shown[] = {"WWW-Authenticate", "Proxy-Authenticate",
                                        "Sec-WebSocket-Key", "Surrogate-Key", NULL};
    static const char *const words[] = {"auth",  "token",  "secret",     "key", "session",
                                        "passw", "cookie", "credential", NULL};

    if (strcasecmp(name, "Set-Cookie") == 0)
        return SHOW_COOKIE;
    if (strcasecmp(name, "Location") == 0 || strcasecmp(name, "Content-Location") == 0)
        return SHOW_URL;
    if (is_one_of(name, shown))
        return SHOW_ALL;
    for (const char *const *word = words; *word; word++)
        if (strcasestr(name, *word))
            return SHOW_NOTHING;
    return SHOW_ALL;
}

/* Writes a scheme of letters, digits and dashes, if more follows it. A value of one word is the
 * secret itself. */
static void put_scheme(FILE *to, const char *value, size_t len)
{
    size_t n = strcspn(value, " \r");

    if (n < len && value[n] == ' ')
        fprintf(to, "%.*s ", (int)n, value);
    fputs(HIDDEN, to);
}

/* Writes the parts that semicolons separate. Of the first `hidden` ones, only the name is shown. */
static void put_cookie(FILE *to, const char *value, size_t len, size_t hidden)
{
    for (size_t at = 0, part = 0; at < len; part++) {
        const char *end = memchr(value + at, ';', len - at);
        size_t n = end ? (size_t)(end - value) - at : len - at;
        const char *equals = memchr(value + at, '=', n);
        if (part >= hidden)
            fwrite(value + at, 1, n, to);
        else if (equals)
            fprintf(to, "%.*s=" HIDDEN, (int)(equals - value - (long)at), value + at);
        else
            fputs(HIDDEN, to);
        at += n;
        if (end) {
            fputc(';', to);
            at++;
        }
    }
}

static void put_url(FILE *to, const char *url)
{
    const char *authority = strstr(url, "//");
    const char *at = authority ? authority + strcspn(authority + 2, "/?#@") + 2 : NULL;

    /* The userinfo may contain a "@" that is not encoded: the last one counts. */
    if (at && *at == '@')
        for (const char *p = at; *p && !strchr("/?#", *p); p++)
            at = *p == '@' ? p : at;
    if (at && *at == '@')
        fprintf(to, "%.*s" HIDDEN "%s", (int)(authority + 2 - url), url, at);
    else
        fputs(url, to);
}

static void put_header(FILE *to, const char *name, size_t name_len, const char *value, size_t len,
                       enum show show)
{
    fprintf(to, "%.*s: ", (int)name_len, name);
    switch (show) {
    case SHOW_ALL:
        fwrite(value, 1, len, to);
        break;
    case SHOW_SCHEME:
        put_scheme(to, value, len);
        break;
    case SHOW_COOKIES:
        put_cookie(to, value, len, len);
        break;
    case SHOW_COOKIE:
        put_cookie(to, value, len, 1);
        break;
    case SHOW_URL:
        put_url(to, value);
        break;
    case SHOW_NOTHING:
        fputs(HIDDEN, to);
        break;
    }
    fputs("\r\n", to);
}

/* Writes a line of a request, of `len` bytes without its end. */
static void put_line(FILE *to, const char *line, size_t len)
{
    char name[256];
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon ? (size_t)(colon - line) : len;

    snprintf(name, sizeof name, "%.*s", (int)name_len, line);
    const char *value = colon ? colon + 1 : line + len;
    while (value < line + len && *value == ' ')
        value++;
    put_header(to, line, name_len, value, (size_t)(line + len - value), show_of_request(name));
}

static void put_request_line(FILE *to, const char *line, size_t len, const char *protocol)
{
    size_t kept = len;

    while (protocol && kept > 0 && line[kept - 1] != ' ')
        kept--;
    fwrite(line, 1, kept, to);
    fprintf(to, "%s\r\n", protocol ? protocol : "");
}

char *redact_request(const char *head, size_t len, const char *protocol, size_t *ret_len)
{
    char *text = NULL;
    FILE *to = open_memstream(&text, ret_len);

    if (!to)
        return NULL;
    for (size_t at = 0; at < len;) {
        const char *end = memmem(head + at, len - at, "\r\n", 2);
        size_t n = end ? (size_t)(end - head) - at : len - at;
        if (at == 0)
            put_request_line(to, head, n, protocol);
        else if (n > 0)
            put_line(to, head + at, n);
        at += n + 2;
    }
    fputs("\r\n", to);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}

char *redact_response(const char *protocol, int status, const char *reason,
                      const struct header_list *headers, size_t *ret_len)
{
    struct whorl_http_header header;
    char *text = NULL;
    FILE *to = open_memstream(&text, ret_len);

    if (!to)
        return NULL;
    fprintf(to, "%s %d%s%s\r\n", protocol, status, *reason ? " " : "", reason);
    for (size_t i = 0; header_list_at(headers, i, &header); i++)
        put_header(to, header.name, strlen(header.name), header.value, strlen(header.value),
                   show_of_response(header.name));
    fputs("\r\n", to);
    if (fclose(to) == 0)
        return text;
    free(text);
    return NULL;
}
