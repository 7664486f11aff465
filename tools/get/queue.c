/* SPDX-License-Identifier: MIT */
/* The tasks of the queue, see queue.h.
 *
 *     queue_run()    takes entries, over one connection, which blocks while there are none
 *     keep_task()    writes results and resets idle times, over another connection
 *     take_event()   notes how transfers end; it is called by their tasks
 */
#include "tools/get/queue.h"

#include <errno.h>
#include <search.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "tools/get/buffer.h"
#include "tools/get/get.h"
#include "tools/get/object.h"
#include "tools/get/queue_entry.h"
#include "tools/get/queue_url.h"
#include "tools/get/redis.h"

enum {
    BATCH_MAX = 100,    /* entries, IDs or results of one command or transaction */
    NAME_MAX_LEN = 128, /* of a consumer whose name we choose */
    ID_SIZE = 48,       /* of the ID of an entry, "1764495000000-0" */
};

static const int64_t reply_ns = 10 * WHORL_SECOND; /* limit for the reply to a command */
/* How long the server waits for new entries: twice as long each time, within these limits. So a
 * worker ends soon after the last entry, and one that waits for long asks seldom. */
static const int64_t block_min_ns = 50 * WHORL_MILLISECOND;
static const int64_t block_max_ns = WHORL_SECOND;

static const int64_t pause_min_ns = WHORL_SECOND / 4;  /* before the first new connection */
static const int64_t pause_max_ns = 10 * WHORL_SECOND; /* before any other one */
static const int64_t patience_ns = 10 * WHORL_MINUTE;  /* without the server, unless wait=1 */
static const int64_t steady_ns = 10 * WHORL_SECOND;    /* after it, a connection is a good one */
static const int64_t close_ns = 5 * WHORL_SECOND;      /* for queue_close() */

/* An entry that is delivered to this worker. It is in one of the two lists of the queue. */
struct held {
    TAILQ_ENTRY(held) link;
    uint64_t number; /* of the URL, as in the events; 0: it is not in the schedule */
    bool is_finished;
    bool is_sent; /* the result was sent, but the reply was lost */
    bool ok;
    char *result;   /* a JSON object; owned; NULL: none is to be written */
    const char *id; /* the end of `name` */
    char name[];    /* the stream, a space and the ID, for messages */
};

TAILQ_HEAD(held_list, held);

/* A connection that is made again when it is lost. */
struct link {
    struct redis *redis; /* NULL: not connected */
    struct whorl_error error;
    int64_t since_ns; /* when it was made */
};

struct queue {
    struct get *get;
    struct queue_url url;
    struct whorl_tls_config *tls;
    struct event_sink sink;
    char *results;
    char *consumer;
    bool has_own_name; /* no other process has the name of this consumer */

    struct held_list working, finished;
    size_t working_count, finished_count;
    void *by_number;         /* the root of a tsearch(3) tree of those in the schedule */
    struct whorl_event work; /* there is a result to write */
    struct whorl_event room; /* an entry has ended, or was acknowledged */
    struct link taking, keeping;
    struct whorl_event connected; /* once */
    bool has_failed;              /* was reported */
    bool was_connected;
    bool is_lost;       /* was said, and the new connection was not said yet */
    int64_t said_ns;    /* when it was said */
    bool was_ever_lost; /* the server may not know yet that an old connection is gone */
    int64_t lost_ns;    /* since when there is no connection */
    bool is_careful;    /* a reply was too large: entries are claimed one by one */
    bool is_drained;    /* queue_run() has seen that nothing is pending */
    bool is_closed;
    int64_t claim_due_ns, beat_due_ns;
};

/* --- messages --------------------------------------------------------------------------------- */

/* Reports a failure that concerns the queue as a whole. Both tasks may find the same one. */
static void report_failure(struct queue *queue, const struct whorl_error *error)
{
    struct outcome outcome = {.list = queue->url.shown, .error = *error};

    if (queue->has_failed)
        return;
    queue->has_failed = true;
    events_end(&queue->get->events, NULL, 0, &outcome);
}

/* Says what happened, and what the queue does about it. */
static void say(struct queue *queue, const struct whorl_error *error, const char *consequence)
{
    struct outcome outcome = {.list = queue->url.shown, .error = *error};
    struct buffer line = {0};

    if (queue->get->options->quiet)
        return;
    report_format_line(&line, &outcome, false);
    if (line.len > 0)
        line.len--; /* the newline */
    buffer_printf(&line, "; %s\n", consequence);
    report_say(queue->get->report, &line);
    buffer_finish(&line);
}

static void say_connected(struct queue *queue)
{
    struct buffer line = {0};

    buffer_printf(&line, "whorl-get: %s: connected again\n", queue->url.shown);
    if (!queue->get->options->quiet)
        report_say(queue->get->report, &line);
    buffer_finish(&line);
}

/* --- connections ------------------------------------------------------------------------------ */

static void link_close(struct link *link)
{
    redis_disconnect(link->redis);
    link->redis = NULL;
}

/* Whether the server replied with an error whose first word is this one. */
static bool is_reply(const struct link *link, int err, const char *word)
{
    size_t len = strlen(word);

    return err == 1 && strncmp(link->error.text, word, len) == 0 &&
           (link->error.text[len] == ' ' || link->error.text[len] == '\0');
}

/* Makes sure that the group exists, and that results can be written. EXEC acknowledges an entry
 * even if XADD fails, so the type of the key is looked at before. */
static WHORL_SUSPENDS int prepare(struct queue *queue, struct link *link)
{
    redisReply *type;

    redis_add(link->redis, "XGROUP", "CREATE", queue->url.stream, queue->url.group, "0", "MKSTREAM",
              NULL);
    int err = redis_check(link->redis, reply_ns, &link->error);
    if (err && !is_reply(link, err, "BUSYGROUP"))
        return err;
    redis_add(link->redis, "TYPE", queue->results, NULL);
    err = redis_receive(link->redis, reply_ns, &link->error, &type);
    if (err)
        return err;
    bool is_usable = type->type == REDIS_REPLY_STATUS &&
                     (strcmp(type->str, "stream") == 0 || strcmp(type->str, "none") == 0);
    freeReplyObject(type);
    if (is_usable)
        return 0;
    whorl_error_set(&link->error, -EINVAL, "results", "'%s' is no stream", queue->results);
    return 1;
}

static WHORL_SUSPENDS int link_open(struct queue *queue, struct link *link)
{
    if (link->redis)
        return 0;
    int err = redis_connect(&queue->url, queue->tls, &link->error, &link->redis);
    if (err == 0)
        err = prepare(queue, link);
    if (err) {
        link_close(link);
        return err;
    }
    link->since_ns = whorl_now();
    queue->was_connected = true;
    whorl_event_set(&queue->connected);
    queue->lost_ns = 0;
    if (queue->is_lost)
        say_connected(queue);
    queue->is_lost = false;
    return 0;
}

/* Whether the failure may go away: of the connection, or a state of the server. */
static bool may_pass(struct queue *queue, const struct link *link, int err)
{
    static const char *const words[] = {"LOADING",    "BUSY",     "TRYAGAIN",  "CLUSTERDOWN",
                                        "MASTERDOWN", "READONLY", "MISCONF",   "OOM",
                                        "NOREPLICAS", "NOGROUP",  "UNBLOCKED", "EXECABORT"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (is_reply(link, err, words[i]))
            return true;
    if (err == 1 || err == -ENOMEM || !queue->was_connected)
        return false;
    return queue->url.waits || queue->lost_ns == 0 || whorl_now() - queue->lost_ns < patience_ns;
}

/* Says that the connection was lost, unless that is known: a connection that is as old as the last
 * outage is a part of it. */
static void note_loss(struct queue *queue, const struct link *link)
{
    if (queue->lost_ns == 0)
        queue->lost_ns = whorl_now();
    queue->was_ever_lost = true;
    if (queue->is_lost || link->since_ns < queue->said_ns)
        return;
    say(queue, &link->error, "trying again");
    queue->is_lost = true;
    queue->said_ns = whorl_now();
}

/* Connects and calls `use`, again and again, until `use` returns 0 or the failure will not go away.
 * Returns 0; -ECANCELED; another code, with the error of the link. */
static WHORL_SUSPENDS int use_link(struct queue *queue, struct link *link,
                                   WHORL_SUSPENDS int (*use)(struct queue *queue,
                                                             struct link *link))
{
    int64_t pause_ns = pause_min_ns;

    for (;;) {
        int err = link_open(queue, link);
        if (err == 0) {
            err = use(queue, link);
            if (whorl_now() - link->since_ns > steady_ns)
                pause_ns = pause_min_ns;
        }
        if (err == 0 || err == -ECANCELED)
            return err;
        link_close(link);
        if (!may_pass(queue, link, err))
            return err;
        note_loss(queue, link);
        err = whorl_sleep(pause_ns);
        if (err)
            return err;
        pause_ns = 2 * pause_ns < pause_max_ns ? 2 * pause_ns : pause_max_ns;
    }
}

/* Notes that the server sent something that no Redis server sends. */
static int complain_reply(struct link *link)
{
    return whorl_error_set(&link->error, -EPROTO, "reply", "has not the expected form");
}

/* --- entries ---------------------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    const struct held *x = a, *y = b;

    return (x->number > y->number) - (x->number < y->number);
}

static struct held *find_number(struct queue *queue, uint64_t number)
{
    const struct held key = {.number = number};
    struct held **found = tfind(&key, &queue->by_number, compare_numbers);

    return found ? *found : NULL;
}

static bool is_in(const struct held_list *list, const char *id)
{
    const struct held *held = TAILQ_FIRST(list);

    while (held && strcmp(held->id, id) != 0)
        held = TAILQ_NEXT(held, link);
    return held != NULL;
}

static bool is_held(const struct queue *queue, const char *id)
{
    return is_in(&queue->working, id) || is_in(&queue->finished, id);
}

static struct held *hold(struct queue *queue, const char *id)
{
    size_t start = strlen(queue->url.stream) + 1;
    struct held *held = calloc(1, sizeof *held + start + strlen(id) + 1);

    if (!held)
        return NULL;
    sprintf(held->name, "%s %s", queue->url.stream, id);
    held->id = held->name + start;
    TAILQ_INSERT_TAIL(&queue->working, held, link);
    queue->working_count++;
    return held;
}

static void forget(struct queue *queue, struct held *held)
{
    if (held->number > 0)
        tdelete(held, &queue->by_number, compare_numbers);
    if (held->is_finished) {
        TAILQ_REMOVE(&queue->finished, held, link);
        queue->finished_count--;
    } else {
        TAILQ_REMOVE(&queue->working, held, link);
        queue->working_count--;
    }
    free(held->result);
    free(held);
    whorl_event_set(&queue->room);
}

/* The entry has a result, which keep_task() writes. */
static void finish(struct queue *queue, struct held *held)
{
    TAILQ_REMOVE(&queue->working, held, link);
    queue->working_count--;
    TAILQ_INSERT_TAIL(&queue->finished, held, link);
    queue->finished_count++;
    held->is_finished = true;
    whorl_event_set(&queue->work);
    whorl_event_set(&queue->room);
}

/* Makes the result of an outcome. Without memory, the entry stays pending, and other workers take
 * it. */
static void finish_with(struct queue *queue, struct held *held, const struct outcome *outcome)
{
    struct object object;
    struct buffer text = {0};

    object_begin(&object);
    report_add_outcome(&object, outcome);
    object_write(&object, &text);
    if (text.failed) {
        buffer_finish(&text);
        forget(queue, held);
        return;
    }
    text.text[text.len - 1] = '\0'; /* the newline */
    held->result = text.text;
    held->ok = outcome->ok;
    finish(queue, held);
}

/* Takes the events of the transfers. */
static void take_event(struct event_sink *sink, const struct event *event)
{
    struct queue *queue = (struct queue *)((char *)sink - offsetof(struct queue, sink));

    if (event->kind == EVENT_RETRY)
        whorl_event_set(&queue->room); /* another transfer can run meanwhile */
    if (event->kind != EVENT_DONE || event->id == 0 || queue->is_closed)
        return;
    struct held *held = find_number(queue, event->id);
    if (held && !event->outcome->interrupted)
        finish_with(queue, held, event->outcome);
}

/* An entry that cannot be fetched. */
static void refuse(struct queue *queue, struct held *held, const char *url, int err,
                   const char *step, const char *why)
{
    struct outcome outcome = {.url = url, .list = held->name};

    whorl_error_set(&outcome.error, err, step, "%s", why);
    events_end(&queue->get->events, NULL, 0, &outcome);
    finish_with(queue, held, &outcome);
}

static int schedule_it(struct queue *queue, struct held *held, const struct queue_entry *entry)
{
    struct get *get = queue->get;

    held->number = get->schedule.added + 1;
    if (!tsearch(held, &queue->by_number, compare_numbers))
        held->number = 0;
    if (held->number == 0 ||
        schedule_add(&get->schedule, entry->url, entry->settings, held->name, 0)) {
        forget(queue, held); /* it stays pending, so another worker takes it */
        return -ENOMEM;
    }
    get->report->totals.queued = get->schedule.count;
    events_queue(&get->events, held->number, entry->url, held->name, 0);
    return 0;
}

/* Takes an entry that was delivered. */
static int take_entry(struct queue *queue, struct link *link, redisReply *reply,
                      long long deliveries)
{
    struct queue_entry entry;
    char why[96];

    if (!queue_entry_read(reply, &entry))
        return complain_reply(link);
    if (is_held(queue, entry.id))
        return 0;
    struct held *held = hold(queue, entry.id);
    if (!held)
        return whorl_error_set(&link->error, -ENOMEM, "queue", "out of memory");
    if (entry.is_deleted) {
        finish(queue, held); /* is acknowledged, without a result */
    } else if (entry.why) {
        refuse(queue, held, NULL, -EINVAL, "entry", entry.why);
    } else if (deliveries > queue->url.deliveries_max) {
        snprintf(why, sizeof why, "was given to %lld workers, and none of them has finished it",
                 deliveries - 1);
        refuse(queue, held, entry.url, -ENOTRECOVERABLE, "queue", why);
    } else if (schedule_it(queue, held, &entry)) {
        return whorl_error_set(&link->error, -ENOMEM, "queue", "out of memory");
    }
    return 0;
}

/* --- taking ----------------------------------------------------------------------------------- */

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

    while (err == 0 && count_room(queue) == 0) {
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
    snprintf(count, sizeof count, "%zu", room < BATCH_MAX ? room : BATCH_MAX);
    snprintf(block, sizeof block, "%lld", (long long)(block_ns / WHORL_MILLISECOND));
    if (block_ns > 0)
        redis_add(link->redis, "XREADGROUP", "GROUP", queue->url.group, queue->consumer, "COUNT",
                  count, "BLOCK", block, "STREAMS", queue->url.stream, ">", NULL);
    else
        redis_add(link->redis, "XREADGROUP", "GROUP", queue->url.group, queue->consumer, "COUNT",
                  count, "STREAMS", queue->url.stream, ">", NULL);
    err = redis_receive(link->redis, reply_ns + block_ns, &link->error, &reply);
    if (err)
        return err;
    /* One stream: its name and its entries. */
    const redisReply *stream =
        reply->type == REDIS_REPLY_ARRAY && reply->elements == 1 ? reply->element[0] : NULL;
    const redisReply *entries = stream && stream->type == REDIS_REPLY_ARRAY && stream->elements == 2
                                    ? stream->element[1]
                                    : NULL;
    if (reply->type != REDIS_REPLY_NIL && (!entries || entries->type != REDIS_REPLY_ARRAY))
        err = complain_reply(link);
    for (size_t i = 0; err == 0 && entries && i < entries->elements; i++)
        err = take_entry(queue, link, entries->element[i], 1);
    *ret_count = entries ? entries->elements : 0;
    freeReplyObject(reply);
    return err;
}

/* A pending entry, as XPENDING lists it. */
struct pending {
    char id[ID_SIZE];
    long long deliveries;
};

/* Lists pending entries after the ID `after`, which are idle for at least this time, of this
 * consumer or of all (NULL). Returns 0, or as redis_receive(). */
static WHORL_SUSPENDS int list_pending(struct queue *queue, struct link *link, int64_t idle_ns,
                                       const char *consumer, const char *after,
                                       struct pending ret[BATCH_MAX], size_t *ret_count)
{
    char idle[24], start[ID_SIZE + 1], count[24];
    const char *words[12] = {
        "XPENDING", queue->url.stream, queue->url.group, "IDLE", idle, start, "+", count, consumer};
    redisReply *reply;

    *ret_count = 0;
    snprintf(idle, sizeof idle, "%lld", (long long)(idle_ns / WHORL_MILLISECOND));
    snprintf(start, sizeof start, "%s%s", *after ? "(" : "-", after);
    snprintf(count, sizeof count, "%d", BATCH_MAX);
    redis_add_array(link->redis, words, consumer ? 9 : 8);
    int err = redis_receive(link->redis, reply_ns, &link->error, &reply);
    if (err)
        return err;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements > BATCH_MAX)
        err = complain_reply(link);
    for (size_t i = 0; err == 0 && i < reply->elements; i++) {
        const redisReply *row = reply->element[i];
        if (row->type != REDIS_REPLY_ARRAY || row->elements != 4 ||
            row->element[0]->type != REDIS_REPLY_STRING || row->element[0]->len >= ID_SIZE ||
            row->element[3]->type != REDIS_REPLY_INTEGER) {
            err = complain_reply(link);
            break;
        }
        strcpy(ret[i].id, row->element[0]->str);
        ret[i].deliveries = row->element[3]->integer;
        ++*ret_count;
    }
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
    const char *words[5 + BATCH_MAX] = {"XCLAIM", queue->url.stream, queue->url.group,
                                        queue->consumer};
    char idle[24];
    redisReply *reply;

    snprintf(idle, sizeof idle, "%lld", (long long)(idle_ns / WHORL_MILLISECOND));
    words[4] = idle;
    for (size_t i = 0; i < count; i++)
        words[5 + i] = list[i].id;
    redis_add_array(link->redis, words, 5 + count);
    int err = redis_receive(link->redis, reply_ns, &link->error, &reply);
    if (err == -E2BIG && count == 1) {
        struct held *held = hold(queue, list[0].id);
        if (held)
            refuse(queue, held, NULL, -E2BIG, "entry", "is too long");
    }
    if (err)
        return err;
    if (reply->type != REDIS_REPLY_ARRAY)
        err = complain_reply(link);
    for (size_t i = 0; err == 0 && i < reply->elements; i++) {
        redisReply *entry = reply->element[i];
        if (entry->type == REDIS_REPLY_NIL) /* deleted; Redis 6.2 says no more about it */
            continue;
        const struct pending *pending = entry->type == REDIS_REPLY_ARRAY && entry->elements == 2 &&
                                                entry->element[0]->type == REDIS_REPLY_STRING
                                            ? find_pending(list, count, entry->element[0]->str)
                                            : NULL;
        err = pending ? take_entry(queue, link, entry, pending->deliveries + 1)
                      : complain_reply(link);
    }
    freeReplyObject(reply);
    return err;
}

/* Takes over pending entries that are idle for this time, of this consumer or of all (NULL), and
 * that are not held: as many as there is room for. */
static WHORL_SUSPENDS int claim(struct queue *queue, struct link *link, int64_t idle_ns,
                                const char *consumer)
{
    struct pending list[BATCH_MAX];
    char after[ID_SIZE] = "";
    size_t count, room;
    int err;

    do {
        err = list_pending(queue, link, idle_ns, consumer, after, list, &count);
        if (err || count == 0)
            return err;
        bool is_last = count < BATCH_MAX;
        strcpy(after, list[count - 1].id);
        size_t wanted = 0;
        room = queue->is_careful ? 1 : count_room(queue);
        for (size_t i = 0; i < count && wanted < room; i++)
            if (!is_held(queue, list[i].id))
                list[wanted++] = list[i];
        if (wanted > 0)
            err = claim_these(queue, link, idle_ns, list, wanted);
        if (queue->is_careful && wanted > 0)
            *after = '\0'; /* look again for the next one */
        else if (is_last)
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

/* Counts the pending entries of all workers. */
static WHORL_SUSPENDS int count_pending(struct queue *queue, struct link *link, long long *ret)
{
    redisReply *reply;

    redis_add(link->redis, "XPENDING", queue->url.stream, queue->url.group, NULL);
    int err = redis_receive(link->redis, reply_ns, &link->error, &reply);
    if (err)
        return err;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
        reply->element[0]->type == REDIS_REPLY_INTEGER)
        *ret = reply->element[0]->integer;
    else
        err = complain_reply(link);
    freeReplyObject(reply);
    return err;
}

/* Takes entries until none is left, neither in the stream nor pending. */
static WHORL_SUSPENDS int take(struct queue *queue, struct link *link)
{
    int64_t block_ns = 0;
    int err = recover(queue, link);

    while (err == 0) {
        size_t count = 0;
        long long pending = 0;
        err = wait_room(queue);
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
                err = count_pending(queue, link, &pending);
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

/* --- keeping ---------------------------------------------------------------------------------- */

/* Resets the idle times of the entries that this worker holds. An entry that another worker has
 * taken meanwhile remains with that one. */
static WHORL_SUSPENDS int beat(struct queue *queue, struct link *link)
{
    struct pending list[BATCH_MAX];
    char after[ID_SIZE] = "";
    size_t count = BATCH_MAX;
    int err = 0;

    while (err == 0 && count == BATCH_MAX) {
        const char *words[6 + BATCH_MAX] = {"XCLAIM", queue->url.stream, queue->url.group,
                                            queue->consumer, "0"};
        size_t words_count = 5;
        err = list_pending(queue, link, 0, queue->consumer, after, list, &count);
        if (err || count == 0)
            return err;
        strcpy(after, list[count - 1].id);
        for (size_t i = 0; i < count; i++)
            if (is_held(queue, list[i].id))
                words[words_count++] = list[i].id;
        if (words_count == 5)
            continue;
        words[words_count++] = "JUSTID"; /* does not count as a delivery */
        redis_add_array(link->redis, words, words_count);
        err = redis_check(link->redis, reply_ns, &link->error);
    }
    return err;
}

/* Forgets results that were written, although the reply was lost: their entries are not pending any
 * more. */
static WHORL_SUSPENDS int drop_written(struct queue *queue, struct link *link)
{
    struct held *held, *next;
    int err = 0;

    for (held = TAILQ_FIRST(&queue->finished); err == 0 && held; held = next) {
        next = TAILQ_NEXT(held, link);
        if (!held->is_sent)
            continue;
        redisReply *reply;
        redis_add(link->redis, "XPENDING", queue->url.stream, queue->url.group, held->id, held->id,
                  "1", NULL);
        err = redis_receive(link->redis, reply_ns, &link->error, &reply);
        if (err)
            return err;
        next = TAILQ_NEXT(held, link); /* more may have finished meanwhile */
        held->is_sent = false;
        if (reply->type != REDIS_REPLY_ARRAY)
            err = complain_reply(link);
        else if (reply->elements == 0)
            forget(queue, held);
        freeReplyObject(reply);
    }
    return err;
}

static void add_result(struct queue *queue, struct link *link, const struct held *held)
{
    if (held->result)
        redis_add(link->redis, "XADD", queue->results, "*", "entry", held->id, "ok",
                  held->ok ? "1" : "0", "worker", queue->consumer, "result", held->result, NULL);
    redis_add(link->redis, "XACK", queue->url.stream, queue->url.group, held->id, NULL);
}

/* Reads the replies to MULTI and to the commands in it. Returns 0, or the first failure. */
static WHORL_SUSPENDS int check_queued(struct link *link, size_t commands)
{
    struct whorl_error first = {0};
    int err = 0;

    for (size_t i = 0; i < commands; i++) {
        int one = redis_check(link->redis, reply_ns, &link->error);
        if (one < 0)
            return one;
        if (one && !err) {
            err = one;
            first = link->error;
        }
    }
    if (err)
        link->error = first;
    return err;
}

/* Reads the reply to EXEC, and forgets what was written. EXEC does not undo the other commands when
 * one of them fails. So a result whose XADD has failed remains, and is written later. */
static WHORL_SUSPENDS int finish_batch(struct queue *queue, struct link *link, size_t count)
{
    redisReply *reply;
    size_t at = 0;
    int err = redis_receive(link->redis, reply_ns, &link->error, &reply);

    if (err)
        return err;
    struct held *held = TAILQ_FIRST(&queue->finished), *next;
    for (size_t i = 0; i < count; i++, held = next) {
        next = TAILQ_NEXT(held, link);
        size_t last = at + (held->result ? 1 : 0);
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements <= last) {
            err = complain_reply(link);
            break;
        }
        const redisReply *added = reply->element[at];
        at = last + 1;
        held->is_sent = false;
        if (added->type == REDIS_REPLY_ERROR) {
            whorl_error_set(&link->error, -EPROTO, "reply", "%s", added->str);
            err = 1;
        } else {
            forget(queue, held);
        }
    }
    freeReplyObject(reply);
    return err;
}

/* Writes the first results, and acknowledges their entries, in one transaction. */
static WHORL_SUSPENDS int deliver(struct queue *queue, struct link *link)
{
    size_t count = 0, commands = 1;
    struct held *held;

    int err = drop_written(queue, link);
    if (err)
        return err;
    redis_add(link->redis, "MULTI", NULL);
    for (held = TAILQ_FIRST(&queue->finished); held && count < BATCH_MAX;
         held = TAILQ_NEXT(held, link)) {
        add_result(queue, link, held);
        commands += held->result ? 2 : 1;
        held->is_sent = true;
        count++;
    }
    redis_add(link->redis, "EXEC", NULL);
    err = check_queued(link, commands);
    if (err < 0)
        return err;
    struct whorl_error error = link->error;
    int done = finish_batch(queue, link, count);
    if (err) { /* EXEC has failed too, and says less */
        link->error = error;
        return err;
    }
    return done;
}

/* Writes results as they come. */
static WHORL_SUSPENDS int keep(struct queue *queue, struct link *link)
{
    int err = 0;

    queue->beat_due_ns = 0;
    while (err == 0) {
        struct whorl_scope scope;
        whorl_event_reset(&queue->work);
        if (whorl_now() >= queue->beat_due_ns) {
            err = beat(queue, link);
            queue->beat_due_ns = whorl_after(queue->url.claim_ns / 3);
        } else if (queue->finished_count > 0) {
            err = deliver(queue, link);
        } else {
            whorl_scope_enter(&scope, queue->beat_due_ns);
            err = whorl_scope_leave(&scope, whorl_event_wait(&queue->work));
            err = err == -ETIMEDOUT ? 0 : err;
        }
    }
    return err;
}

/* The function of the task; `arg` is the queue. */
static WHORL_SUSPENDS int keep_task(void *arg)
{
    struct queue *queue = arg;
    /* The first connection shows whether the URL of the queue is right. */
    int err = whorl_event_wait(&queue->connected);

    if (err == 0)
        err = use_link(queue, &queue->keeping, keep);
    if (err && err != -ECANCELED)
        report_failure(queue, &queue->keeping.error);
    return err > 0 ? -EPROTO : err;
}

/* --- interface -------------------------------------------------------------------------------- */

bool queue_is_possible(void)
{
    return true;
}

/* Chooses the name of this consumer. */
static char *choose_name(struct get *get)
{
    char host[NAME_MAX_LEN] = "", *name;

    gethostname(host, sizeof host - 1);
    int len = asprintf(&name, "%s-%d-%08x", host, getpid(), (unsigned)(get->random >> 16));
    return len < 0 ? NULL : name;
}

int queue_create(struct get *get, const char *url, struct whorl_tls_config *tls, struct queue **ret)
{
    char why[QUEUE_URL_WHY_SIZE];
    struct queue *queue = calloc(1, sizeof *queue);
    int err = queue ? queue_url_parse(&queue->url, url, why) : -ENOMEM;

    if (err == 0) {
        const struct queue_url *parsed = &queue->url;
        queue->get = get;
        queue->tls = tls;
        TAILQ_INIT(&queue->working);
        TAILQ_INIT(&queue->finished);
        queue->has_own_name = !parsed->consumer;
        queue->consumer = parsed->consumer ? strdup(parsed->consumer) : choose_name(get);
        if (parsed->results)
            queue->results = strdup(parsed->results);
        else if (asprintf(&queue->results, "%s:results", parsed->stream) < 0)
            queue->results = NULL;
        err = queue->consumer && queue->results ? 0 : -ENOMEM;
    }
    if (err) {
        queue_destroy(queue);
        return err;
    }
    queue->sink.take = take_event;
    events_add_sink(&get->events, &queue->sink);
    *ret = queue;
    return 0;
}

/* Waits until the transfers have ended and their results are written. */
static WHORL_SUSPENDS int wait_results(struct queue *queue)
{
    int err = 0;

    while (err == 0 && queue->working_count + queue->finished_count > 0) {
        whorl_event_reset(&queue->room);
        err = whorl_event_wait(&queue->room);
    }
    return err;
}

WHORL_SUSPENDS int queue_run(void *arg)
{
    struct queue *queue = arg;
    struct get *get = queue->get;
    struct whorl_scope scope;
    WHORL_AUTO(group) keepers = {.owner_scope = &scope};

    whorl_scope_enter(&scope, WHORL_FOREVER);
    int err = whorl_spawn(&keepers, keep_task, queue);
    if (err == 0)
        err = use_link(queue, &queue->taking, take);
    else
        whorl_error_set(&queue->taking.error, err, "queue", "%s", whorl_strerror(err));
    link_close(&queue->taking);
    queue->is_drained = err == 0;
    schedule_close(&get->schedule);
    get->report->totals.open = false;
    if (err && err != -ECANCELED) {
        report_failure(queue, &queue->taking.error);
        err = wait_results(queue);
    }
    whorl_scope_leave(&scope, err);
    whorl_group_finish(&keepers);
    return whorl_check_cancelled();
}

/* Gives the pending entries of this worker back: for the server, they are idle for so long that
 * another worker can claim them. That does not count as one of their deliveries. */
static WHORL_SUSPENDS int give_back(struct queue *queue, struct link *link)
{
    struct pending list[BATCH_MAX];
    char after[ID_SIZE] = "", idle[24], deliveries[24];
    size_t count = BATCH_MAX;
    int err = 0;

    snprintf(idle, sizeof idle, "%lld", (long long)(queue->url.claim_ns / WHORL_MILLISECOND));
    while (err == 0 && count == BATCH_MAX) {
        err = list_pending(queue, link, 0, queue->consumer, after, list, &count);
        for (size_t i = 0; err == 0 && i < count; i++) {
            long long before = list[i].deliveries > 0 ? list[i].deliveries - 1 : 0;
            snprintf(deliveries, sizeof deliveries, "%lld", before);
            redis_add(link->redis, "XCLAIM", queue->url.stream, queue->url.group, queue->consumer,
                      "0", list[i].id, "IDLE", idle, "RETRYCOUNT", deliveries, "JUSTID", NULL);
            err = redis_check(link->redis, reply_ns, &link->error);
        }
        if (count > 0)
            strcpy(after, list[count - 1].id);
    }
    return err;
}

/* Deletes this consumer from the group. That would lose entries that are pending for it, and an old
 * connection might still get some. So it is done only when there was no such connection. */
static WHORL_SUSPENDS int delete_consumer(struct queue *queue, struct link *link)
{
    if (!queue->has_own_name || !queue->is_drained || queue->was_ever_lost)
        return 0;
    redis_add(link->redis, "XGROUP", "DELCONSUMER", queue->url.stream, queue->url.group,
              queue->consumer, NULL);
    return redis_check(link->redis, reply_ns, &link->error);
}

static WHORL_SUSPENDS int close_politely(struct queue *queue)
{
    struct link *link = &queue->keeping;
    int err = link_open(queue, link);

    while (err == 0 && queue->finished_count > 0)
        err = deliver(queue, link);
    if (err == 0)
        err = give_back(queue, link);
    return err ? err : delete_consumer(queue, link);
}

WHORL_SUSPENDS_SHIELDED void queue_close(struct queue *queue)
{
    struct whorl_scope shield;
    char text[128];

    /* A connection may have been cancelled between a command and its reply. */
    link_close(&queue->taking);
    link_close(&queue->keeping);
    queue->is_closed = true;
    if (!queue->was_connected)
        return;
    whorl_scope_enter_shield_timeout(&shield, close_ns);
    (void)whorl_scope_leave(&shield, close_politely(queue));
    link_close(&queue->keeping);
    if (queue->finished_count == 0)
        return;
    snprintf(text, sizeof text,
             "%zu results are not written; entries that are still pending will be fetched again",
             queue->finished_count);
    say(queue, &queue->keeping.error, text);
}

void queue_destroy(struct queue *queue)
{
    struct held *held;

    if (!queue)
        return;
    while ((held = TAILQ_FIRST(&queue->working)) || (held = TAILQ_FIRST(&queue->finished)))
        forget(queue, held);
    free(queue->results);
    free(queue->consumer);
    queue_url_finish(&queue->url);
    free(queue);
}
