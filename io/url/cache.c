/* SPDX-License-Identifier: MIT */
/* Remembers the last URL that was parsed twice in a row. */
#include "io/url/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "io/url/error.h"

static char *moved(const struct whorl_url *from, const char *part, char *buf)
{
    return part ? buf + (part - from->buf) : NULL;
}

/* Copies a URL. 0 or -ENOMEM. The last part in the block is userinfo, or target without it. */
static int copy(const struct whorl_url *from, struct whorl_url *ret)
{
    const char *last = from->userinfo ? from->userinfo : from->target;
    size_t size = (size_t)(last - from->buf) + strlen(last) + 1;
    char *buf = malloc(size);

    if (!buf)
        return -ENOMEM;
    memcpy(buf, from->buf, size);
    *ret = (struct whorl_url){
        .buf = buf,
        .text = moved(from, from->text, buf),
        .scheme = moved(from, from->scheme, buf),
        .userinfo = moved(from, from->userinfo, buf),
        .host = moved(from, from->host, buf),
        .authority = moved(from, from->authority, buf),
        .target = moved(from, from->target, buf),
        .port = from->port,
        .is_tls = from->is_tls,
        .host_is_ip = from->host_is_ip,
    };
    return 0;
}

static void forget(struct url_cache *cache)
{
    if (cache->text)
        explicit_bzero(cache->text, strlen(cache->text)); /* may contain a password */
    free(cache->text);
    cache->text = NULL;
    whorl_url_finish(&cache->url);
}

/* Without memory it remembers nothing. */
static void remember(struct url_cache *cache, const char *text, const struct whorl_url *url)
{
    forget(cache);
    if (copy(url, &cache->url) == 0 && !(cache->text = strdup(text)))
        forget(cache);
}

int url_cache_parse(struct url_cache *cache, const char *text, struct whorl_error *error,
                    struct whorl_url *ret)
{
    bool again = text && text == cache->given;

    cache->given = text;
    if (again && cache->text && strcmp(text, cache->text) == 0)
        return copy(&cache->url, ret) ? url_no_memory(error) : 0;
    int err = whorl_url_parse(text, error, ret);
    if (err == 0 && again)
        remember(cache, text, ret);
    return err;
}

void url_cache_finish(struct url_cache *cache)
{
    forget(cache);
    cache->given = NULL;
}
