/* SPDX-License-Identifier: MIT */
/* The queue as a whole, see queue.h. Its parts are described in queue_state.h. */
#include "tools/get/queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "tools/get/get.h"
#include "tools/get/queue_state.h"

enum { HOST_SIZE = 128 }; /* of the part of a consumer's name */

static const int64_t close_ns = 5 * WHORL_SECOND; /* for queue_close() */

/* The function of the task; `arg` is the queue. */
static WHORL_SUSPENDS int keep_task(void *arg)
{
    struct queue *queue = arg;
    /* The first connection shows whether the URL of the queue is right. */
    int err = whorl_event_wait(&queue->connected);

    if (err == 0)
        err = queue_link_use(queue, &queue->keeping, queue_keep);
    if (err && err != -ECANCELED)
        queue_report_failure(queue, &queue->keeping.error);
    return err > 0 ? -EPROTO : err;
}

bool queue_is_possible(void)
{
    return true;
}

/* Chooses the name of this consumer. */
static char *choose_name(struct get *get)
{
    char host[HOST_SIZE] = "", *name;

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
    held_attach(queue);
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
        err = queue_link_use(queue, &queue->taking, queue_take);
    else
        whorl_error_set(&queue->taking.error, err, "queue", "%s", whorl_strerror(err));
    queue_link_close(&queue->taking);
    queue->is_drained = err == 0;
    schedule_close(&get->schedule);
    get->report->totals.open = false;
    if (err && err != -ECANCELED) {
        queue_report_failure(queue, &queue->taking.error);
        err = wait_results(queue);
    }
    whorl_scope_leave(&scope, err);
    whorl_group_finish(&keepers);
    return whorl_check_cancelled();
}

/* Deletes this consumer from the group. That would lose entries that are pending for it, and an old
 * connection might still get some. So it is done only when there was no such connection. */
static WHORL_SUSPENDS int delete_consumer(struct queue *queue, struct link *link)
{
    if (!queue->has_own_name || !queue->is_drained || queue->was_ever_lost)
        return 0;
    redis_add(link->redis, "XGROUP", "DELCONSUMER", queue->url.stream, queue->url.group,
              queue->consumer, NULL);
    return redis_check(link->redis, QUEUE_REPLY_NS, &link->error);
}

static WHORL_SUSPENDS int close_politely(struct queue *queue)
{
    struct link *link = &queue->keeping;
    int err = queue_link_open(queue, link);

    while (err == 0 && queue->finished_count > 0)
        err = queue_deliver(queue, link);
    if (err == 0)
        err = queue_give_back(queue, link);
    return err ? err : delete_consumer(queue, link);
}

WHORL_SUSPENDS_SHIELDED void queue_close(struct queue *queue)
{
    struct whorl_scope shield;
    char text[128];

    /* A connection may have been cancelled between a command and its reply. */
    queue_link_close(&queue->taking);
    queue_link_close(&queue->keeping);
    queue->is_closed = true;
    if (!queue->was_connected)
        return;
    whorl_scope_enter_shield_timeout(&shield, close_ns);
    (void)whorl_scope_leave(&shield, close_politely(queue));
    queue_link_close(&queue->keeping);
    if (queue->finished_count == 0)
        return;
    snprintf(text, sizeof text,
             "%zu results are not written; entries that are still pending will be fetched again",
             queue->finished_count);
    queue_say(queue, &queue->keeping.error, text);
}

void queue_destroy(struct queue *queue)
{
    struct held *held;

    if (!queue)
        return;
    while ((held = TAILQ_FIRST(&queue->working)) || (held = TAILQ_FIRST(&queue->finished)))
        held_forget(queue, held);
    free(queue->results);
    free(queue->consumer);
    queue_url_finish(&queue->url);
    free(queue);
}
