/* SPDX-License-Identifier: MIT */
/* hiredis on whorl. Its asynchronous interface asks to be called when the connection is readable or
 * writable, and a watch does that. A task's command returns when the reply arrives. Many tasks send
 * their commands on one connection.
 * Next: libpq.c */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "watch.h"

struct reply {
    struct whorl_future done;
    long long number;
    char text[128];
};

static void on_ready(struct watch *watch, unsigned events)
{
    redisAsyncContext *redis = watch->data;

    /* Either call may end the connection and its watch. */
    if (events & POLLOUT && watch->events & POLLOUT)
        redisAsyncHandleWrite(redis);
    if (!watch->ended && events & (POLLIN | POLLERR | POLLHUP))
        redisAsyncHandleRead(redis);
}

static void add_read(void *watch)
{
    watch_set(watch, ((struct watch *)watch)->events | POLLIN);
}

static void del_read(void *watch)
{
    watch_set(watch, ((struct watch *)watch)->events & ~(unsigned)POLLIN);
}

static void add_write(void *watch)
{
    watch_set(watch, ((struct watch *)watch)->events | POLLOUT);
}

static void del_write(void *watch)
{
    watch_set(watch, ((struct watch *)watch)->events & ~(unsigned)POLLOUT);
}

static void clean_up(void *watch)
{
    watch_end(watch);
}

static int attach(redisAsyncContext *redis, struct whorl_group *group)
{
    struct watch *watch = watch_start(group, redis->c.fd, on_ready, redis);

    if (!watch)
        return -ENOMEM;
    redis->ev.data = watch;
    redis->ev.addRead = add_read;
    redis->ev.delRead = del_read;
    redis->ev.addWrite = add_write;
    redis->ev.delWrite = del_write;
    redis->ev.cleanup = clean_up;
    return 0;
}

/* hiredis frees the reply when this returns. A NULL reply means that the connection was lost. */
static void on_reply(redisAsyncContext *redis, void *got, void *ctx)
{
    const redisReply *from = got;
    struct reply *reply = ctx;

    (void)redis;
    if (from && from->type == REDIS_REPLY_INTEGER)
        reply->number = from->integer;
    else if (from && from->str)
        snprintf(reply->text, sizeof reply->text, "%s", from->str);
    whorl_future_complete(&reply->done, from ? 0 : -ECONNRESET);
}

/* Sends a command and waits for its reply. hiredis cannot withdraw a command, so the wait is
 * shielded from cancellation. */
static WHORL_SUSPENDS int command(redisAsyncContext *redis, struct reply *ret, const char *text)
{
    struct whorl_scope shield;

    *ret = (struct reply){0};
    if (redisAsyncCommand(redis, on_reply, ret, text) != REDIS_OK)
        return -ENOTCONN;
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    int err = whorl_scope_leave(&shield, whorl_future_wait(&ret->done));
    return err ? err : ret->done.result;
}

static int count(void *arg)
{
    struct reply reply;
    int err = 0;

    for (int i = 0; i < 100 && err == 0; i++)
        err = command(arg, &reply, "INCR visits");
    return err;
}

static WHORL_SUSPENDS int talk(redisAsyncContext *redis)
{
    WHORL_AUTO(group) counters = {.stack_size = 131072};
    struct reply reply;

    int err = command(redis, &reply, "SET greeting hello");
    if (err == 0)
        err = command(redis, &reply, "GET greeting");
    if (err)
        return err;
    printf("greeting: %s\n", reply.text);
    for (int i = 0; i < 10 && err == 0; i++)
        err = whorl_spawn(&counters, count, redis);
    if (err == 0)
        err = whorl_group_wait(&counters);
    if (err == 0)
        err = command(redis, &reply, "INCR visits");
    printf("visits: %lld\n", reply.number);
    return err;
}

static int root(void *arg)
{
    WHORL_AUTO(group) group = {.stack_size = 131072};
    redisAsyncContext *redis = redisAsyncConnect("127.0.0.1", atoi(arg));

    if (!redis)
        return -ENOMEM;
    int err = redis->err ? -ECONNREFUSED : attach(redis, &group);
    if (err == 0)
        err = talk(redis);
    if (err == 0)
        redisAsyncDisconnect(redis); /* no command is pending, so it disconnects at once */
    else if (err != -ECONNRESET && err != -ENOTCONN)
        redisAsyncFree(redis);
    int joined = whorl_group_wait(&group);
    return err ? err : joined;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 2;
    int err = whorl_io_run(root, argv[1]);
    if (err)
        fprintf(stderr, "hiredis: %s\n", whorl_strerror(err));
    return err ? 1 : 0;
}
