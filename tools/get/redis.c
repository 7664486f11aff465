/* SPDX-License-Identifier: MIT */
/* Commands and replies of Redis on a stream of whorl, see redis.h. */
#include "tools/get/redis.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/dial.h>
#include <whorl/scope.h>
#include <whorl/stream.h>
#include <whorl/tls.h>

#include "tools/get/buffer.h"

enum { ARGUMENTS_MAX = 32 };

static const int64_t connect_ns = 10 * WHORL_SECOND;

struct redis {
    struct whorl_stream *stream;
    redisReader *reader;
    struct buffer out; /* commands that are not sent yet */
    size_t unanswered; /* bytes since the last complete reply */
    char in[16 * 1024];
};

/* --- commands and replies --------------------------------------------------------------------- */

void redis_add_array(struct redis *redis, const char *const *arguments, size_t count)
{
    char *text = NULL;
    int len = redisFormatCommandArgv(&text, (int)count, (const char **)arguments, NULL);

    if (len < 0) {
        redis->out.failed = true;
        return;
    }
    buffer_add(&redis->out, text, (size_t)len);
    redisFreeCommand(text);
}

void redis_add(struct redis *redis, ...)
{
    const char *arguments[ARGUMENTS_MAX];
    size_t count = 0;
    va_list args;

    va_start(args, redis);
    while (count < ARGUMENTS_MAX && (arguments[count] = va_arg(args, const char *)))
        count++;
    va_end(args);
    redis_add_array(redis, arguments, count);
}

static WHORL_SUSPENDS int send_added(struct redis *redis)
{
    if (redis->out.failed)
        return -ENOMEM;
    if (redis->out.len == 0)
        return 0;
    int err = whorl_stream_write(redis->stream, redis->out.text, redis->out.len);
    buffer_clear(&redis->out);
    return err;
}

/* Reads until a reply is complete. */
static WHORL_SUSPENDS int read_reply(struct redis *redis, struct whorl_error *error,
                                     redisReply **ret)
{
    for (;;) {
        void *reply = NULL;
        if (redisReaderGetReply(redis->reader, &reply) != REDIS_OK)
            return whorl_error_set(error, -EPROTO, "reply", "is not one of Redis: %s",
                                   redis->reader->errstr);
        if (reply) {
            redis->unanswered = 0;
            *ret = reply;
            return 0;
        }
        if (redis->unanswered > REDIS_REPLY_MAX)
            return whorl_error_set(error, -E2BIG, "reply", "is larger than %d MiB",
                                   REDIS_REPLY_MAX >> 20);
        ssize_t n = whorl_stream_read(redis->stream, redis->in, sizeof redis->in);
        if (n == 0)
            return -ECONNRESET;
        if (n < 0)
            return (int)n;
        redis->unanswered += (size_t)n;
        if (redisReaderFeed(redis->reader, redis->in, (size_t)n) != REDIS_OK)
            return -ENOMEM;
    }
}

WHORL_SUSPENDS int redis_receive(struct redis *redis, int64_t timeout_ns, struct whorl_error *error,
                                 redisReply **ret)
{
    struct whorl_scope scope;
    redisReply *reply = NULL;

    *error = (struct whorl_error){0};
    whorl_scope_enter_timeout(&scope, timeout_ns);
    int err = send_added(redis);
    if (err == 0)
        err = read_reply(redis, error, &reply);
    err = whorl_scope_leave(&scope, err);
    if (err && error->code != err)
        return whorl_error_set(error, err, "reply", "%s", whorl_strerror(err));
    if (err)
        return err;
    if (reply->type != REDIS_REPLY_ERROR) {
        *ret = reply;
        return 0;
    }
    whorl_error_set(error, -EPROTO, "reply", "%s", reply->str);
    freeReplyObject(reply);
    return 1;
}

WHORL_SUSPENDS int redis_check(struct redis *redis, int64_t timeout_ns, struct whorl_error *error)
{
    redisReply *reply = NULL;
    int err = redis_receive(redis, timeout_ns, error, &reply);

    freeReplyObject(reply);
    return err;
}

/* --- connections ------------------------------------------------------------------------------ */

/* Adds TLS to a connection. Closes the connection if that fails. */
static WHORL_SUSPENDS int add_tls(const char *host, struct whorl_tls_config *tls,
                                  struct whorl_error *error, struct whorl_stream **stream)
{
    struct whorl_tls_config *own = NULL;
    struct whorl_stream *carrier = *stream;
    int err = tls ? 0 : whorl_tls_config_create(&(struct whorl_tls_options){0}, error, &own);

    if (err == 0)
        err = whorl_tls_connect(tls ? tls : own, carrier, host, error, stream);
    whorl_tls_config_destroy(own);
    if (err) {
        whorl_stream_close(carrier);
        *stream = NULL;
    }
    return err;
}

static WHORL_SUSPENDS int open_stream(const struct queue_url *url, struct whorl_tls_config *tls,
                                      struct whorl_error *error, struct whorl_stream **ret)
{
    const struct whorl_dial_options dial = {.unix_path = url->unix_path};
    const char *host = url->unix_path ? "localhost" : url->host;
    int err = whorl_dial_stream(host, (uint16_t)url->port, &dial, error, ret);

    if (err == 0 && url->is_tls)
        err = add_tls(host, tls, error, ret);
    return err;
}

static WHORL_SUSPENDS int log_in(struct redis *redis, const struct queue_url *url,
                                 struct whorl_error *error)
{
    char db[16];
    int err = 0;

    snprintf(db, sizeof db, "%d", url->db);
    if (url->user)
        redis_add(redis, "AUTH", url->user, url->password, NULL);
    else if (url->password)
        redis_add(redis, "AUTH", url->password, NULL);
    if (url->password)
        err = redis_check(redis, connect_ns, error);
    redis_add(redis, "SELECT", db, NULL);
    return err ? err : redis_check(redis, connect_ns, error);
}

static struct redis *create(void)
{
    struct redis *redis = calloc(1, sizeof *redis);

    if (redis && !(redis->reader = redisReaderCreate())) {
        free(redis);
        return NULL;
    }
    return redis;
}

static WHORL_SUSPENDS int connect_and_log_in(struct redis *redis, const struct queue_url *url,
                                             struct whorl_tls_config *tls,
                                             struct whorl_error *error)
{
    struct whorl_scope scope;

    whorl_scope_enter_timeout(&scope, connect_ns);
    int err = open_stream(url, tls, error, &redis->stream);
    if (err == 0)
        err = log_in(redis, url, error);
    return whorl_scope_leave(&scope, err);
}

WHORL_SUSPENDS int redis_connect(const struct queue_url *url, struct whorl_tls_config *tls,
                                 struct whorl_error *error, struct redis **ret)
{
    struct redis *redis = create();

    *error = (struct whorl_error){0};
    if (!redis)
        return whorl_error_set(error, -ENOMEM, "connect", "out of memory");
    int err = connect_and_log_in(redis, url, tls, error);
    if (err == 0) {
        *ret = redis;
        return 0;
    }
    redis_disconnect(redis);
    if (err < 0 && error->code != err)
        whorl_error_set(error, err, "connect", "%s", whorl_strerror(err));
    return err;
}

void redis_disconnect(struct redis *redis)
{
    if (!redis)
        return;
    if (redis->stream)
        whorl_stream_close(redis->stream);
    redisReaderFree(redis->reader);
    if (redis->out.text)
        explicit_bzero(redis->out.text, redis->out.size); /* it may hold the password */
    buffer_finish(&redis->out);
    free(redis);
}
