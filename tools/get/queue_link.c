/* SPDX-License-Identifier: MIT */
/* The connections of a queue, and what is said about them; see queue_state.h. */
#include <errno.h>
#include <string.h>

#include <whorl/timer.h>

#include "tools/get/buffer.h"
#include "tools/get/get.h"
#include "tools/get/queue_state.h"

static const int64_t pause_min_ns = WHORL_SECOND / 4;  /* before the first new connection */
static const int64_t pause_max_ns = 10 * WHORL_SECOND; /* before any other one */
static const int64_t patience_ns = 10 * WHORL_MINUTE;  /* without the server, unless wait=1 */
static const int64_t steady_ns = 10 * WHORL_SECOND;    /* after it, a connection is a good one */

void queue_report_failure(struct queue *queue, const struct whorl_error *error)
{
    struct outcome outcome = {.list = queue->url.shown, .error = *error};

    if (queue->has_failed)
        return;
    queue->has_failed = true;
    events_end(&queue->get->events, NULL, 0, &outcome);
}

void queue_say(struct queue *queue, const struct whorl_error *error, const char *consequence)
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

void queue_link_close(struct link *link)
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
    int err = redis_check(link->redis, QUEUE_REPLY_NS, &link->error);
    if (err && !is_reply(link, err, "BUSYGROUP"))
        return err;
    redis_add(link->redis, "TYPE", queue->results, NULL);
    err = redis_receive(link->redis, QUEUE_REPLY_NS, &link->error, &type);
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

WHORL_SUSPENDS int queue_link_open(struct queue *queue, struct link *link)
{
    if (link->redis)
        return 0;
    int err = redis_connect(&queue->url, queue->tls, &link->error, &link->redis);
    if (err == 0)
        err = prepare(queue, link);
    if (err) {
        queue_link_close(link);
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
    if (err == 1 || err == -ENOMEM || err == -EPROTO || !queue->was_connected)
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
    queue_say(queue, &link->error, "trying again");
    queue->is_lost = true;
    queue->said_ns = whorl_now();
}

WHORL_SUSPENDS int queue_link_use(struct queue *queue, struct link *link,
                                  WHORL_SUSPENDS int (*use)(struct queue *queue, struct link *link))
{
    int64_t pause_ns = pause_min_ns;

    for (;;) {
        int err = queue_link_open(queue, link);
        if (err == 0) {
            err = use(queue, link);
            if (whorl_now() - link->since_ns > steady_ns)
                pause_ns = pause_min_ns;
        }
        if (err == 0 || err == -ECANCELED)
            return err;
        queue_link_close(link);
        if (!may_pass(queue, link, err))
            return err;
        note_loss(queue, link);
        err = whorl_sleep(pause_ns);
        if (err)
            return err;
        pause_ns = 2 * pause_ns < pause_max_ns ? 2 * pause_ns : pause_max_ns;
    }
}

int queue_link_complain(struct link *link)
{
    return whorl_error_set(&link->error, -EPROTO, "reply", "has not the expected form");
}
