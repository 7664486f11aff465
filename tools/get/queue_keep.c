/* SPDX-License-Identifier: MIT */
/* Keeps the entries of this worker from others, and writes results; see queue_state.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whorl/file.h>
#include <whorl/group.h>
#include <whorl/scope.h>

#include "tools/get/get.h"
#include "tools/get/queue_state.h"

enum { SYNCS_MAX = 8 }; /* files that are synced at the same time */

/* Resets the idle times of the entries that this worker holds. An entry that another worker has
 * taken meanwhile remains with that one. */
static WHORL_SUSPENDS int beat(struct queue *queue, struct link *link)
{
    struct pending list[QUEUE_BATCH];
    char after[QUEUE_ID_SIZE] = "";
    size_t count = QUEUE_BATCH;
    int err = 0;

    while (err == 0 && count == QUEUE_BATCH) {
        const char *words[6 + QUEUE_BATCH] = {"XCLAIM", queue->url.stream, queue->url.group,
                                              queue->consumer, "0"};
        size_t words_count = 5;
        err = pending_list(queue, link, 0, queue->consumer, after, list, &count);
        if (err || count == 0)
            return err;
        strcpy(after, list[count - 1].id);
        for (size_t i = 0; i < count; i++)
            if (held_has(queue, list[i].id))
                words[words_count++] = list[i].id;
        if (words_count == 5)
            continue;
        words[words_count++] = "JUSTID"; /* does not count as a delivery */
        redis_add_array(link->redis, words, words_count);
        err = redis_check(link->redis, QUEUE_REPLY_NS, &link->error);
    }
    return err;
}

/* --- files ------------------------------------------------------------------------------------ */

static WHORL_SUSPENDS int sync_path(int dir_fd, const char *path)
{
    int fd = whorl_openat(dir_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    int err = fd < 0 ? fd : whorl_fsync(fd, false);

    if (fd >= 0)
        close(fd);
    return err;
}

/* Syncs the file, and all directories of the path, which may be new. */
static WHORL_SUSPENDS int sync_parents(int dir_fd, const char *path)
{
    char *parent = strdup(path), *slash;
    int err = parent ? sync_path(dir_fd, path) : -ENOMEM;

    while (err == 0 && (slash = strrchr(parent, '/'))) {
        *slash = '\0';
        if (*parent)
            err = sync_path(dir_fd, parent);
    }
    free(parent);
    return err ? err : sync_path(dir_fd, ".");
}

/* A file whose data and name are to be on the disk. */
struct sync_job {
    int dir_fd;
    struct held *held;
    int *ret_lost; /* a failure which means that the file is not on the disk */
};

/* The function of a task. Returns 0; -ECANCELED; a failure that may pass. A file that is not there
 * any more, or is something else now, was changed by the user. */
static WHORL_SUSPENDS int sync_file(void *arg)
{
    const struct sync_job *job = arg;
    int err = sync_parents(job->dir_fd, job->held->path);

    switch (err) {
    case -ECANCELED:
    case -ENOMEM:
    case -EMFILE:
    case -ENFILE:
        return err;
    case -EIO:
    case -ENOSPC:
    case -EDQUOT:
        *job->ret_lost = err;
        return 0;
    default:
        job->held->is_synced = true;
        return 0;
    }
}

static WHORL_SUSPENDS int start_sync(struct whorl_group *group, const struct sync_job *job)
{
    int err = whorl_group_wait_below(group, SYNCS_MAX);

    return err ? err : whorl_spawn_copy(group, sync_file, job);
}

/* Makes sure that the files of the first results are on the disk. Forgets those that are not, and
 * notes that this machine is unfit. */
static WHORL_SUSPENDS int sync_files(struct queue *queue)
{
    WHORL_AUTO(group) group = {0};
    struct held *held = TAILQ_FIRST(&queue->finished), *next;
    int err = 0, lost = 0;

    for (size_t i = 0; err == 0 && held && i < QUEUE_BATCH; i++, held = TAILQ_NEXT(held, link)) {
        struct sync_job job = {queue->get->dir_fd, held, &lost};
        held->is_synced |= !held->path;
        if (!held->is_synced)
            err = start_sync(&group, &job);
    }
    int group_err = whorl_group_wait(&group);
    if (err || group_err)
        return err ? err : group_err;
    held = TAILQ_FIRST(&queue->finished);
    for (size_t i = 0; lost && held && i < QUEUE_BATCH; i++, held = next) {
        next = TAILQ_NEXT(held, link);
        if (!held->is_synced)
            held_forget(queue, held);
    }
    if (lost)
        whorl_error_set(&queue->unfit, lost, "write", "fsync: %s", whorl_strerror(lost));
    return 0;
}

/* --- results ---------------------------------------------------------------------------------- */

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
        err = redis_receive(link->redis, QUEUE_REPLY_NS, &link->error, &reply);
        if (err)
            return err;
        next = TAILQ_NEXT(held, link); /* more may have finished meanwhile */
        held->is_sent = false;
        if (reply->type != REDIS_REPLY_ARRAY)
            err = queue_link_complain(link);
        else if (reply->elements == 0)
            held_forget(queue, held);
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
        int one = redis_check(link->redis, QUEUE_REPLY_NS, &link->error);
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
    int err = redis_receive(link->redis, QUEUE_REPLY_NS, &link->error, &reply);

    if (err)
        return err;
    struct held *held = TAILQ_FIRST(&queue->finished), *next;
    for (size_t i = 0; i < count; i++, held = next) {
        next = TAILQ_NEXT(held, link);
        size_t last = at + (held->result ? 1 : 0);
        if (reply->type != REDIS_REPLY_ARRAY || reply->elements <= last) {
            err = queue_link_complain(link);
            break;
        }
        const redisReply *added = reply->element[at];
        at = last + 1;
        held->is_sent = false;
        if (added->type == REDIS_REPLY_ERROR) {
            whorl_error_set(&link->error, -EPROTO, "reply", "%s", added->str);
            err = 1;
        } else {
            held_forget(queue, held);
        }
    }
    freeReplyObject(reply);
    return err;
}

/* Adds a transaction with the results whose files are synced. Returns how many there are. */
static size_t add_batch(struct queue *queue, struct link *link, size_t *ret_commands)
{
    struct held *held = TAILQ_FIRST(&queue->finished);
    size_t count = 0;

    *ret_commands = 1;
    redis_add(link->redis, "MULTI", NULL);
    for (; held && held->is_synced && count < QUEUE_BATCH; held = TAILQ_NEXT(held, link)) {
        add_result(queue, link, held);
        *ret_commands += held->result ? 2 : 1;
        held->is_sent = true;
        count++;
    }
    redis_add(link->redis, "EXEC", NULL);
    return count;
}

WHORL_SUSPENDS int queue_deliver(struct queue *queue, struct link *link)
{
    size_t count, commands;
    int err = drop_written(queue, link);

    if (err)
        return err;
    err = sync_files(queue);
    if (err)
        return whorl_error_set(&link->error, err, "write", "fsync: %s", whorl_strerror(err));
    count = add_batch(queue, link, &commands);
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

WHORL_SUSPENDS int queue_keep(struct queue *queue, struct link *link)
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
            err = queue_deliver(queue, link);
        } else {
            whorl_scope_enter(&scope, queue->beat_due_ns);
            err = whorl_scope_leave(&scope, whorl_event_wait(&queue->work));
            err = err == -ETIMEDOUT ? 0 : err;
        }
    }
    return err;
}

WHORL_SUSPENDS int queue_give_back(struct queue *queue, struct link *link)
{
    struct pending list[QUEUE_BATCH];
    char after[QUEUE_ID_SIZE] = "", idle[24], deliveries[24];
    size_t count = QUEUE_BATCH;
    int err = 0;

    snprintf(idle, sizeof idle, "%lld", (long long)(queue->url.claim_ns / WHORL_MILLISECOND));
    while (err == 0 && count == QUEUE_BATCH) {
        err = pending_list(queue, link, 0, queue->consumer, after, list, &count);
        for (size_t i = 0; err == 0 && i < count; i++) {
            long long before = list[i].deliveries > 0 ? list[i].deliveries - 1 : 0;
            snprintf(deliveries, sizeof deliveries, "%lld", before);
            redis_add(link->redis, "XCLAIM", queue->url.stream, queue->url.group, queue->consumer,
                      "0", list[i].id, "IDLE", idle, "RETRYCOUNT", deliveries, "JUSTID", NULL);
            err = redis_check(link->redis, QUEUE_REPLY_NS, &link->error);
        }
        if (count > 0)
            strcpy(after, list[count - 1].id);
    }
    return err;
}
