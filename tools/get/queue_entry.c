/* SPDX-License-Identifier: MIT */
/* An entry of the stream with the URLs, see queue_entry.h. */
#include "tools/get/queue_entry.h"

#include <hiredis/hiredis.h>
#include <string.h>

#include "tools/get/entry.h"
#include "tools/get/lines.h"

/* Cuts the spaces at both ends. */
static char *trim(char *text)
{
    static const char blanks[] = " \t\r\n";

    text += strspn(text, blanks);
    size_t len = strlen(text);
    while (len > 0 && strchr(blanks, text[len - 1]))
        text[--len] = '\0';
    return text;
}

/* Returns the field's value, or NULL when there is none or it cannot be used. */
static char *find(redisReply *fields, const char *name, const char **ret_why)
{
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        redisReply *key = fields->element[i], *value = fields->element[i + 1];
        if (key->len != strlen(name) || memcmp(key->str, name, key->len) != 0)
            continue;
        if (memchr(value->str, '\0', value->len))
            *ret_why = "contains a NUL byte";
        else if (value->len > LINES_MAX)
            *ret_why = "is too long";
        else
            return trim(value->str);
    }
    return NULL;
}

static bool is_entry(const redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2 ||
        reply->element[0]->type != REDIS_REPLY_STRING)
        return false;
    const redisReply *fields = reply->element[1];
    if (fields->type == REDIS_REPLY_NIL)
        return true;
    if (fields->type != REDIS_REPLY_ARRAY || fields->elements % 2 != 0)
        return false;
    for (size_t i = 0; i < fields->elements; i++)
        if (fields->element[i]->type != REDIS_REPLY_STRING)
            return false;
    return true;
}

bool queue_entry_read(redisReply *reply, struct queue_entry *ret)
{
    if (!is_entry(reply))
        return false;
    redisReply *fields = reply->element[1];
    *ret = (struct queue_entry){
        .id = reply->element[0]->str,
        .settings = "",
        .is_deleted = fields->type == REDIS_REPLY_NIL,
    };
    if (ret->is_deleted)
        return true;
    char *url = find(fields, "url", &ret->why), *line = find(fields, "line", &ret->why);
    const char *settings = find(fields, "settings", &ret->why);
    if (ret->why)
        return true;
    if (!url == !line)
        ret->why = url ? "has both url and line" : "has neither url nor line";
    else if (line && settings)
        ret->why = "has line and settings, which belong to url";
    else if (line ? !*line || *line == '#' : !*url)
        ret->why = "has no URL in it";
    if (ret->why)
        return true;
    if (line)
        settings = entry_split(line);
    ret->url = line ? line : url;
    ret->settings = settings ? settings : "";
    return true;
}
