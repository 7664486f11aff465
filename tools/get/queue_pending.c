/* SPDX-License-Identifier: MIT */
/* What the server knows about pending entries, see queue_state.h. */
#include <stdio.h>
#include <string.h>

#include "tools/get/queue_state.h"

WHORL_SUSPENDS int pending_list(struct queue *queue, struct link *link, int64_t idle_ns,
                                const char *consumer, const char *after,
                                struct pending ret[QUEUE_BATCH], size_t *ret_count)
{
    char idle[24], start[QUEUE_ID_SIZE + 1], count[24];
    const char *words[12] = {
        "XPENDING", queue->url.stream, queue->url.group, "IDLE", idle, start, "+", count, consumer};
    redisReply *reply;

    *ret_count = 0;
    snprintf(idle, sizeof idle, "%lld", (long long)(idle_ns / WHORL_MILLISECOND));
    snprintf(start, sizeof start, "%s%s", *after ? "(" : "-", after);
    snprintf(count, sizeof count, "%d", QUEUE_BATCH);
    redis_add_array(link->redis, words, consumer ? 9 : 8);
    int err = redis_receive(link->redis, QUEUE_REPLY_NS, &link->error, &reply);
    if (err)
        return err;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements > QUEUE_BATCH)
        err = queue_link_complain(link);
    for (size_t i = 0; err == 0 && i < reply->elements; i++) {
        const redisReply *row = reply->element[i];
        if (row->type != REDIS_REPLY_ARRAY || row->elements != 4 ||
            row->element[0]->type != REDIS_REPLY_STRING || row->element[0]->len >= QUEUE_ID_SIZE ||
            row->element[3]->type != REDIS_REPLY_INTEGER) {
            err = queue_link_complain(link);
            break;
        }
        strcpy(ret[i].id, row->element[0]->str);
        ret[i].deliveries = row->element[3]->integer;
        ++*ret_count;
    }
    freeReplyObject(reply);
    return err;
}

WHORL_SUSPENDS int pending_count(struct queue *queue, struct link *link, long long *ret)
{
    redisReply *reply;

    redis_add(link->redis, "XPENDING", queue->url.stream, queue->url.group, NULL);
    int err = redis_receive(link->redis, QUEUE_REPLY_NS, &link->error, &reply);
    if (err)
        return err;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
        reply->element[0]->type == REDIS_REPLY_INTEGER)
        *ret = reply->element[0]->integer;
    else
        err = queue_link_complain(link);
    freeReplyObject(reply);
    return err;
}
