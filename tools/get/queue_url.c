/* SPDX-License-Identifier: MIT */
/* The URL of --queue, see queue_url.h. */
#include "tools/get/queue_url.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <whorl/base.h>

#include "tools/get/text.h"

enum { PORT_DEFAULT = 6379, DB_MAX = 1000000, DELIVERIES_MAX = 1000000 };

static int complain(char *why, const char *text)
{
    snprintf(why, QUEUE_URL_WHY_SIZE, "%s", text);
    return -EINVAL;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes "%XX" in place. Returns false when it is not that, or a NUL. */
static bool decode(char *text)
{
    char *to = text;

    for (const char *p = text; *p; p++) {
        if (*p != '%') {
            *to++ = *p;
            continue;
        }
        int high = hex_value(p[1]), low = high < 0 ? -1 : hex_value(p[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *to++ = (char)(high << 4 | low);
        p += 2;
    }
    *to = '\0';
    return true;
}

/* Takes "[USER]:PASSWORD". */
static int take_userinfo(struct queue_url *ret, char *text, char *why)
{
    char *colon = strchr(text, ':');

    if (!colon)
        return complain(why, "has a user but no password; write USER:PASSWORD@ or :PASSWORD@");
    *colon++ = '\0';
    if (!decode(text) || !decode(colon))
        return complain(why, "has a % without two hexadecimal digits in its password");
    ret->user = *text ? text : NULL;
    ret->password = *colon ? colon : NULL;
    return ret->user && !ret->password ? complain(why, "has a user but no password") : 0;
}

static int take_host(struct queue_url *ret, char *text, char *why)
{
    char *port = NULL;

    ret->host = text;
    if (*text == '[') {
        char *end = strchr(text, ']');
        if (!end || (end[1] && end[1] != ':'))
            return complain(why, "has no ] after the address of its host");
        ret->host = text + 1;
        port = end[1] ? end + 2 : NULL;
        *end = '\0';
    } else if ((port = strchr(text, ':'))) {
        *port++ = '\0';
    }
    ret->port = PORT_DEFAULT;
    if (port && text_parse_int(port, 1, UINT16_MAX, &ret->port))
        return complain(why, "needs a port from 1 to 65535");
    return *ret->host ? 0 : complain(why, "has no host");
}

static int take_time(struct queue_url *ret, const char *value, char *why)
{
    const int64_t least_ns = 100 * WHORL_MILLISECOND, most_ns = 24 * WHORL_HOUR;

    if (text_parse_time(value, &ret->claim_ns) || ret->claim_ns < least_ns ||
        ret->claim_ns > most_ns)
        return complain(why, "needs a time from 100ms to 24h for claim");
    return 0;
}

static int take_db(struct queue_url *ret, const char *value, char *why)
{
    return text_parse_int(value, 0, DB_MAX, &ret->db)
               ? complain(why, "needs the number of a database, such as /0")
               : 0;
}

static int take_parameter(struct queue_url *ret, const char *name, const char *value, char *why)
{
    const struct {
        const char *name, **to;
    } texts[] = {{"stream", &ret->stream},
                 {"group", &ret->group},
                 {"results", &ret->results},
                 {"consumer", &ret->consumer}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (strcmp(name, texts[i].name) != 0)
            continue;
        *texts[i].to = value;
        return *value ? 0 : complain(why, "needs a name for stream, group, results and consumer");
    }
    if (strcmp(name, "claim") == 0)
        return take_time(ret, value, why);
    if (strcmp(name, "db") == 0)
        return take_db(ret, value, why);
    if (strcmp(name, "deliveries") == 0)
        return text_parse_int(value, 1, DELIVERIES_MAX, &ret->deliveries_max)
                   ? complain(why, "needs a number from 1 for deliveries")
                   : 0;
    if (strcmp(name, "wait") != 0)
        return complain(why, "has an unknown parameter; there are stream, group, results, "
                             "consumer, claim, deliveries, wait and db");
    if (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)
        return complain(why, "needs 0 or 1 for wait");
    ret->waits = *value == '1';
    return 0;
}

static int take_parameters(struct queue_url *ret, char *text, char *why)
{
    char *rest = text, *part;
    int err = 0;

    while (err == 0 && (part = strsep(&rest, "&"))) {
        char *equals = strchr(part, '=');
        if (!*part)
            continue;
        if (!equals)
            return complain(why, "has a parameter without a value");
        *equals++ = '\0';
        err = decode(equals) ? take_parameter(ret, part, equals, why)
                             : complain(why, "has a % without two hexadecimal digits");
    }
    return err;
}

/* Writes the text for messages. */
static void describe(struct queue_url *ret)
{
    char raw[sizeof ret->shown / 4];
    const char *scheme = ret->is_tls ? "rediss" : "redis";

    if (ret->unix_path)
        snprintf(raw, sizeof raw, "redis+unix:%s", ret->unix_path);
    else if (strchr(ret->host, ':'))
        snprintf(raw, sizeof raw, "%s://[%s]:%d/%d", scheme, ret->host, ret->port, ret->db);
    else
        snprintf(raw, sizeof raw, "%s://%s:%d/%d", scheme, ret->host, ret->port, ret->db);
    text_escape(ret->shown, sizeof ret->shown, raw, strlen(raw));
}

static int take_all(struct queue_url *ret, char *p, bool is_unix, char *why)
{
    char *parameters = strchr(p, '?');
    int err = 0;

    if (strchr(p, '#'))
        return complain(why, "must not have a fragment; write # as %23");
    if (parameters)
        *parameters++ = '\0';
    char *path = p + strcspn(p, "/");
    char *userinfo_end = memrchr(p, '@', (size_t)(path - p));
    if (userinfo_end) {
        *userinfo_end = '\0';
        err = take_userinfo(ret, p, why);
        p = userinfo_end + 1;
    }
    if (err)
        return err;
    if (is_unix) {
        ret->unix_path = path;
        if (p != path || !*path)
            err = complain(why, "needs the path of a Unix socket, such as redis+unix:///run/redis");
        else if (!decode(path))
            err = complain(why, "has a % without two hexadecimal digits");
    } else {
        if (*path)
            *path++ = '\0';
        err = take_host(ret, p, why);
        if (err == 0 && *path)
            err = take_db(ret, path, why);
    }
    if (err == 0 && parameters)
        err = take_parameters(ret, parameters, why);
    return err;
}

int queue_url_parse(struct queue_url *ret, const char *text, char why[QUEUE_URL_WHY_SIZE])
{
    static const char *const schemes[] = {"redis://", "rediss://", "redis+unix://"};
    size_t count = sizeof schemes / sizeof schemes[0], i = 0;

    *ret = (struct queue_url){
        .stream = "urls",
        .group = "whorl-get",
        .claim_ns = WHORL_MINUTE,
        .deliveries_max = 5,
        .text = strdup(text),
        .size = strlen(text),
    };
    if (!ret->text) {
        complain(why, "could not be copied: out of memory");
        return -ENOMEM;
    }
    while (i < count && strncasecmp(text, schemes[i], strlen(schemes[i])) != 0)
        i++;
    if (i == count)
        return complain(why, "must begin with redis://, rediss:// or redis+unix://");
    ret->is_tls = i == 1;
    int err = take_all(ret, ret->text + strlen(schemes[i]), i == 2, why);
    if (err == 0)
        describe(ret);
    return err;
}

void queue_url_finish(struct queue_url *url)
{
    if (url->text)
        explicit_bzero(url->text, url->size); /* it has several NULs */
    free(url->text);
    *url = (struct queue_url){0};
}
