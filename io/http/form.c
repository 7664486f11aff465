/* SPDX-License-Identifier: MIT */
/* Request bodies of the usual types, and the encoding of forms. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/http.h>

/* URL Standard §5.2: these bytes of a form stay as they are, and a space becomes a plus sign. */
static bool stays(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '*' ||
           c == '-' || c == '.' || c == '_';
}

static char *put(char *at, const char *text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (stays(c) || c == ' ') {
            *at++ = c == ' ' ? '+' : (char)c;
        } else {
            *at++ = '%';
            *at++ = digits[c >> 4];
            *at++ = digits[c & 15];
        }
    }
    return at;
}

int whorl_http_form_encode(const struct whorl_http_form_field *fields, size_t count, char **ret)
{
    size_t size = 1;

    for (size_t i = 0; i < count; i++)
        size += 3 * (strlen(fields[i].name) + strlen(fields[i].value)) + 2;
    char *text = malloc(size), *at = text;
    if (!text)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            *at++ = '&';
        at = put(at, fields[i].name);
        *at++ = '=';
        at = put(at, fields[i].value);
    }
    *at = '\0';
    *ret = text;
    return 0;
}

static struct whorl_http_body from(const char *text, const char *content_type)
{
    size_t len = strlen(text);

    return (struct whorl_http_body){
        .data = len > 0 ? text : NULL,
        .len = (int64_t)len,
        .content_type = content_type,
    };
}

struct whorl_http_body whorl_http_body_from_text(const char *text)
{
    return from(text, "text/plain; charset=utf-8");
}

struct whorl_http_body whorl_http_body_from_json(const char *json)
{
    return from(json, "application/json");
}

struct whorl_http_body whorl_http_body_from_form(const char *form)
{
    return from(form, "application/x-www-form-urlencoded");
}

struct whorl_http_body whorl_http_body_from_file(int fd, int64_t offset, int64_t len,
                                                 const char *content_type)
{
    return (struct whorl_http_body){
        .fd = fd,
        .use_fd = true,
        .offset = offset,
        .len = len,
        .content_type = content_type,
    };
}
