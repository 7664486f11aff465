/* SPDX-License-Identifier: MIT */
/* Takes entries for the schedule: new ones, and those of workers that are gone; see
 * queue_state.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tools/get/get.h"
#include "tools/get/queue_entry.h"
#include "tools/get/queue_state.h"

/* How long the server waits for new entries: twice as long each time, within these limits. So a
 * worker ends soon after the last entry, and one that waits for long asks seldom. */
static const int64_t block_min_ns = 50 * WHORL_MILLISECOND;
static const int64_t block_max_ns = WHORL_SECOND;

static int schedule_it(struct queue *queue, struct held *held, const struct queue_entry *entry)
{
    struct get *get = queue->get;

    if (held_set_number(queue, held, get->schedule.added + 1) ||
        schedule_add(&get->schedule, entry->url, entry->settings, held->name, 0)) {
        held_forget(queue, held); /* it stays pending, so another worker takes it */
        return -ENOMEM;
    }
    get->report->totals.queued = get->schedule.count;
    events_queue(&get->events, held->number, entry->url, held->name, 0, (struct crawl_place){0});
    return 0;
}

/* Takes an entry that was delivered. */
static int take_entry(struct queue *queue, struct link *link, redisReply *reply,
                      long long deliveries)
{
    struct queue_entry entry;
    char why[96];

    if (!queue_entry_read(reply, &entry))
        return queue_link_complain(link);
    if (held_has(queue, entry.id))
        return 0;
    struct held *held = held_add(queue, entry.id);
    if (!held)
        return whorl_error_set(&link->error, -ENOMEM, "queue", "out of memory");
    if (entry.is_deleted) {
        held_finish(queue, held); /* is acknowledged, without a result */
    } else if (entry.why) {
        held_refuse(queue, held, NULL, -EINVAL, "entry", entry.why);
    } else if (deliveries > queue->url.deliveries_max) {
        snprintf(why, sizeof why, "was given to %lld workers, and none of them has finished it",
                 deliveries - 1);
        held_refuse(queue, held, entry.url, -ENOTRECOVERABLE, "queue", why);
    } else if (schedule_it(queue, held, &entry)) {
        return whorl_error_set(&link->error, -ENOMEM, "queue", "out of memory");
    }
    return 0;
}

/* Returns how many entries may be taken now. Some wait for their turn, so that there is one when a
 * transfer ends. */
static size_t count_room(const struct queue *queue)
{
    const struct schedule *schedule = &queue->get->schedule;
    size_t limit = schedule->jobs + schedule->jobs / 4 + 1;
    size_t busy = queue->working_count - schedule->paused;
    size_t all = queue->working_count + queue->finished_count;

    if (busy >= limit || all >= 2 * limit)
        return 0;
    return limit - busy < 2 * limit - all ? limit - busy : 2 * limit - all;
}

static WHORL_SUSPENDS int wait_room(struct queue *queue)
{
    int err = 0;

    while (err == 0 && queue->unfit.code == 0 && count_room(queue) == 0) {
        whorl_event_reset(&queue->room);
        err = whorl_event_wait(&queue->room);
    }
    return err;
}

/* Reads entries which no worker has got. If there are none, the server waits for them. */
static WHORL_SUSPENDS int read_new(struct queue *queue, struct link *link, int64_t block_ns,
                                   size_t *ret_count)
{
    size_t room = count_room(queue);
    char count[24], block[24];
    redisReply *reply;
    int err = 0;

    *ret_count = 0;
    snprintf(count, sizeof count, "%zu", room < QUEUE_BATCH ? room : QUEUE_BATCH);
    snprintf(block, sizeof block, "%lld", (long long)(block_ns / WHORL_MILLISECOND));
    if (block_ns > 0)
        redis_add(link->redis, "XREADGROUP", "GROUP", queue->url.group, queue->consumer, "COUNT",
                  count, "BLOCK", block, "STREAMS", queue->url.stream, ">", NULL);
    else
        redis_add(link->redis, "XREADGROUP", "GROUP", queue->url.group, queue->consumer, "COUNT",
                  count, "STREAMS", queue->url.stream, ">", NULL);
    err = redis_receive(link->redis, QUEUE_REPLY_NS + block_ns, &link->error, &reply);
    if (err)
        return err;
    /* One stream: its name and its entries. */
    const redisReply *stream =
        reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 ? reply->element[0] : NULL;
    const redisReply *entries = stream && stream->type == REDIS_REPLY_ARRAY && stream->elements == 2
                                    ? stream->element[1]
                                    : NULL;
    if (reply->type != REDIS_REPLY_NIL && (!entries || entries->type != REDIS_REPLY_ARRAY))
        err = queue_link_complain(link);
    for (size_t i = 0; err == 0 && entries && i < entries->elements; i++)
        err = take_entry(queue, link, entries->element[i], 1);
    *ret_count = entries ? entries->elements : 0;
    freeReplyObject(reply);
    return err;
}

static const struct pending *find_pending(const struct pending *list, size_t count, const char *id)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i].id, id) == 0)
            return &list[i];
    return NULL;
}

/* Takes the entries over, if they are still idle for that time. */
static WHORL_SUSPENDS int claim_these(struct queue *queue, struct link *link, int64_t idle_ns,
                                      const struct pending *list, size_t count)
{
    const char *words[5 + QUEUE_BATCH] = {"XCLAIM", queue->url.stream, queue->url.group,
                                          queue->consumer};
    char idle[24];
    redisReply *reply;

    snprintf(idle, sizeof idle, "%lld", (long long)(idle_ns / WHORL_MILLISECOND));
    words[4] = idle;
    for (size_t i = 0; i < count; i++)
        words[5 + i] = list[i].id;
    redis_add_array(link->redis, words, 5 + count);
    int err = redis_receive(link->redis, QUEUE_REPLY_NS, &link->error, &reply);
    if (err == -E2BIG && count == 1) {
        struct held *held = held_add(queue, list[0].id);
        if (held)
            held_refuse(queue, held, NULL, -E2BIG, "entry", "is too long");
    }
    if (err)
        return err;
    if (reply->type != REDIS_REPLY_ARRAY)
        err = queue_link_complain(link);
    for (size_t i = 0; err == 0 && i < reply->elements; i++) {
        redisReply *entry = reply->element[i];
        if (entry->type == REDIS_REPLY_NIL) /* deleted; Redis 6.2 says no more about it */
            continue;
        const struct pending *pending = entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 &&
                                                entry->element[0]->type == REDIS_REPLY_STRING
                                            ? find_pending(list, count, entry->element[0]->str)
                                            : NULL;
        err = pending ? take_entry(queue, link, entry, pending->deliveries + 1)
                      : queue_link_complain(link);
    }
    freeReplyObject(reply);
    return err;
}

/* Takes over pending entries that are idle for this time, of this consumer or of all (NULL), and
 * that are not held: as many as there is room for. */
static WHORL_SUSPENDS int claim(struct queue *queue, struct link *link, int64_t idle_ns,
                                const char *consumer)
{
    struct pending list[QUEUE_BATCH];
    char after[QUEUE_ID_SIZE] = "";
    size_t count, room;
    int err;

    do {
        size_t wanted = 0, seen = 0;
        err = pending_list(queue, link, idle_ns, consumer, after, list, &count);
        if (err)
            return err;
        room = queue->is_careful ? 1 : count_room(queue);
        for (; seen < count && wanted < room; seen++) {
            strcpy(after, list[seen].id);
            if (!held_has(queue, after))
                list[wanted++] = list[seen];
        }
        if (wanted > 0)
            err = claim_these(queue, link, idle_ns, list, wanted);
        if (seen == count && count < QUEUE_BATCH)
            return err;
    } while (err == 0 && count_room(queue) > 0);
    return err;
}

/* Takes the entries that were delivered to this consumer, but that it does not hold: their reply
 * was lost with a connection, was too large, or was for an earlier process with this name. */
static WHORL_SUSPENDS int recover(struct queue *queue, struct link *link)
{
    int err = claim(queue, link, 0, queue->consumer);

    if (err == -E2BIG)
        queue->is_careful = true;
    else if (err == 0)
        queue->is_careful = false;
    return err;
}

WHORL_SUSPENDS int queue_take(struct queue *queue, struct link *link)
{
    int64_t block_ns = 0;
    int err = recover(queue, link);

    while (err == 0) {
        size_t count = 0;
        long long pending = 0;
        err = wait_room(queue);
        if (err == 0 && queue->unfit.code) {
            whorl_error_set(&link->error, -EIO, "write",
                            "%s; this worker takes no more entries, and leaves them to others",
                            queue->unfit.text);
            return 1; /* the connection is good, but this does not pass */
        }
        if (err == 0 && whorl_now() >= queue->claim_due_ns) {
            queue->claim_due_ns = whorl_after(queue->url.claim_ns / 2);
            err = claim(queue, link, queue->url.claim_ns, NULL);
        } else if (err == 0) {
            err = read_new(queue, link, block_ns, &count);
            block_ns = count > 0                     ? 0
                       : 2 * block_ns < block_min_ns ? block_min_ns
                       : 2 * block_ns < block_max_ns ? 2 * block_ns
                                                     : block_max_ns;
            if (err == 0 && count == 0 && !queue->url.waits) {
                err = pending_count(queue, link, &pending);
                if (err == 0 && pending == 0)
                    return 0;
            }
        }
        if (err == 0)
            err = report_wait_room(queue->get->report);
    }
    if (err == -E2BIG)
        queue->is_careful = true;
    return err;
}
