/* SPDX-License-Identifier: MIT */
/* The entries that a worker holds, and their results; see queue_state.h. */
#include <errno.h>
#include <search.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/get/buffer.h"
#include "tools/get/get.h"
#include "tools/get/object.h"
#include "tools/get/queue_state.h"

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

int held_set_number(struct queue *queue, struct held *held, uint64_t number)
{
    held->number = number;
    if (tsearch(held, &queue->by_number, compare_numbers))
        return 0;
    held->number = 0;
    return -ENOMEM;
}

bool held_has(const struct queue *queue, const char *id)
{
    return is_in(&queue->working, id) || is_in(&queue->finished, id);
}

struct held *held_add(struct queue *queue, const char *id)
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

void held_forget(struct queue *queue, struct held *held)
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
    free(held->path);
    free(held->result);
    free(held);
    whorl_event_set(&queue->room);
}

void held_finish(struct queue *queue, struct held *held)
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
        held_forget(queue, held);
        return;
    }
    text.text[text.len - 1] = '\0'; /* the newline */
    held->result = text.text;
    held->ok = outcome->ok;
    if (outcome->file && !(held->path = strdup(outcome->file))) {
        held_forget(queue, held);
        return;
    }
    held_finish(queue, held);
}

/* Whether the failure shows that this machine cannot store files. Another one may store this file,
 * and this one would fail with all the others as well. */
static bool is_unfit(const struct outcome *outcome)
{
    static const int codes[] = {-ENOSPC, -EDQUOT, -EROFS, -EIO, -EACCES, -EPERM, -EMFILE, -ENFILE};

    if (outcome->ok || strcmp(outcome->error.step, "write") != 0)
        return false;
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (outcome->error.code == codes[i])
            return true;
    return false;
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
    if (!held || event->outcome->interrupted)
        return;
    if (is_unfit(event->outcome)) {
        queue->unfit = event->outcome->error;
        held_forget(queue, held);
    } else {
        finish_with(queue, held, event->outcome);
    }
}

void held_attach(struct queue *queue)
{
    queue->sink.take = take_event;
    events_add_sink(&queue->get->events, &queue->sink);
}

void held_refuse(struct queue *queue, struct held *held, const char *url, int err, const char *step,
                 const char *why)
{
    struct outcome outcome = {.url = url, .list = held->name};

    whorl_error_set(&outcome.error, err, step, "%s", why);
    events_end(&queue->get->events, NULL, 0, &outcome);
    finish_with(queue, held, &outcome);
}
