/* SPDX-License-Identifier: MIT */
/* Reads the challenges of WWW-Authenticate and Proxy-Authenticate. */
#include "io/http/challenge.h"

#include <string.h>
#include <strings.h>

#include <whorl/error.h>

#include "io/http/header.h"

static const char *skip_spaces(const char *p)
{
    return p + strspn(p, " \t");
}

/* Commas may be repeated in a list (RFC 9110 §5.6.1.2). */
static const char *skip_commas(const char *p)
{
    return p + strspn(p, " \t,");
}

static bool is_end(const char *p)
{
    return *p == '\0' || *p == ',';
}

/* The length of the token at `p`; 0: there is none. */
static size_t token_len(const char *p)
{
    size_t len = 0;
    while (p[len] && header_is_token(p + len, 1))
        len++;
    return len;
}

/* Where a token68 (RFC 9110 §11.2) and the spaces behind it end; NULL when there is none that ends
 * the challenge. */
static const char *skip_token68(const char *p)
{
    size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/");
    if (len == 0)
        return NULL;
    p += len;
    p = skip_spaces(p + strspn(p, "="));
    return is_end(p) ? p : NULL;
}

/* The length of the quoted string at `p` with its quotes; 0: it does not end. */
static size_t quoted_len(const char *p)
{
    size_t len = 1;
    while (p[len] && p[len] != '"')
        len += p[len] == '\\' && p[len + 1] ? 2 : 1;
    return p[len] == '"' ? len + 1 : 0;
}

/* Reads "name = value". Returns false when there is something else at `*cursor`. */
static bool read_param(const char **cursor, struct challenge_param *ret)
{
    const char *name = *cursor;
    size_t name_len = token_len(name);
    const char *p = skip_spaces(name + name_len);

    if (name_len == 0 || *p != '=')
        return false;
    p = skip_spaces(p + 1);
    size_t len = *p == '"' ? quoted_len(p) : token_len(p);
    const char *end = skip_spaces(p + len);
    if (len == 0 || !is_end(end))
        return false;
    *ret =
        (struct challenge_param){.name = name, .name_len = name_len, .value = p, .value_len = len};
    *cursor = end;
    return true;
}

/* Whether a token and "=" are at `p`: after a comma this is a parameter, else a new challenge. */
static bool is_param(const char *p)
{
    size_t len = token_len(p);
    return len > 0 && *skip_spaces(p + len) == '=';
}

static const struct challenge_param *find(const struct challenge *c, const char *name, size_t len)
{
    for (size_t i = 0; i < c->params_count; i++)
        if (c->params[i].name_len == len && strncasecmp(c->params[i].name, name, len) == 0)
            return &c->params[i];
    return NULL;
}

/* Reads the parameters up to the next challenge or the end. */
static int read_params(const char **cursor, struct challenge *c)
{
    const char *p = *cursor;
    struct challenge_param param;

    do {
        if (!read_param(&p, &param) || c->params_count == CHALLENGE_PARAMS_MAX ||
            find(c, param.name, param.name_len))
            return WHORL_EHTTP_HEADER;
        c->params[c->params_count++] = param;
        p = skip_commas(p);
    } while (is_param(p));
    *cursor = p;
    return 1;
}

int challenge_next(const char **cursor, struct challenge *ret)
{
    const char *p = skip_commas(*cursor);

    *cursor = p;
    if (*p == '\0')
        return 0;
    size_t len = token_len(p);
    const char *next = p + len, *rest = skip_spaces(next);
    if (len == 0 || (!is_end(rest) && rest == next))
        return WHORL_EHTTP_HEADER;
    *ret = (struct challenge){.scheme = p, .scheme_len = len};
    if (!is_end(rest)) {
        next = skip_token68(rest);
        if (!next) {
            *cursor = rest;
            return read_params(cursor, ret);
        }
        rest = next;
    }
    *cursor = rest;
    return 1;
}

bool challenge_is(const struct challenge *challenge, const char *scheme)
{
    return challenge->scheme_len == strlen(scheme) &&
           strncasecmp(challenge->scheme, scheme, challenge->scheme_len) == 0;
}

ssize_t challenge_get(const struct challenge *challenge, const char *name, char *buf, size_t cap)
{
    const struct challenge_param *param = find(challenge, name, strlen(name));
    if (!param)
        return -1;
    bool is_quoted = param->value[0] == '"';
    const char *p = param->value + is_quoted, *end = param->value + param->value_len - is_quoted;
    size_t len = 0;

    for (; p < end; p++) {
        if (is_quoted && *p == '\\')
            p++;
        if (len < cap)
            buf[len] = *p;
        len++;
    }
    if (len < cap)
        buf[len] = '\0';
    return (ssize_t)len;
}

bool challenge_param_is(const struct challenge *challenge, const char *name, const char *value)
{
    char text[32];
    ssize_t len = challenge_get(challenge, name, text, sizeof text);
    return len >= 0 && (size_t)len < sizeof text && strcasecmp(text, value) == 0;
}
