/* SPDX-License-Identifier: MIT */
/* The state of a queue (queue.h), and what its parts do for each other:
 *
 *     queue.c           the beginning and the end
 *     queue_take.c      a task that takes entries, over one connection, which blocks while there
 *                       are none
 *     queue_keep.c      a task that writes results and resets idle times, over another connection
 *     queue_held.c      the entries that this worker holds; learns from events how they end
 *     queue_pending.c   asks the server which entries are pending
 *     queue_link.c      connections, and messages about them
 *
 *     held_add() --> working --> held_finish() --> finished --> queue_deliver() --> held_forget()
 *
 * An entry that is forgotten before its result is delivered remains pending. Its idle time grows,
 * so a worker, maybe this one, claims it.
 */
#ifndef WHORL_GET_QUEUE_STATE_H
#define WHORL_GET_QUEUE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <whorl/base.h>
#include <whorl/error.h>
#include <whorl/sync.h>

#include "tools/get/events.h"
#include "tools/get/outcome.h"
#include "tools/get/queue_url.h"
#include "tools/get/redis.h"

struct get;
struct whorl_tls_config;

enum {
    QUEUE_BATCH = 100,  /* the most entries, IDs or results in one command or transaction */
    QUEUE_ID_SIZE = 48, /* of the ID of an entry, "1764495000000-0" */
};

/* The limit for the reply to a command. */
#define QUEUE_REPLY_NS (10 * WHORL_SECOND)

/* An entry that was delivered to this worker. It is in one of the two lists of the queue. */
struct held {
    TAILQ_ENTRY(held) link;
    uint64_t number; /* of the URL, as in the events; 0: it is not in the schedule */
    bool is_finished;
    bool is_synced; /* `path` is on the disk */
    bool is_sent;   /* the result was sent, and no reply has come */
    bool ok;
    char *path;     /* the file, relative to --dir; owned; NULL: none */
    char *result;   /* a JSON object; owned; NULL: none is to be written */
    const char *id; /* the end of `name` */
    char name[];    /* the stream, a space and the ID, for messages */
};

TAILQ_HEAD(held_list, held);

/* A connection that is made again when it is lost. */
struct link {
    struct redis *redis;      /* NULL: not connected */
    struct whorl_error error; /* of the call that failed last */
    int64_t since_ns;         /* when the connection was made */
};

struct queue {
    struct get *get; /* borrowed, as `tls` */
    struct queue_url url;
    struct whorl_tls_config *tls;
    struct event_sink sink;
    char *results, *consumer; /* names; owned */
    bool has_own_name;        /* no other process has the name of this consumer */

    struct held_list working; /* those that wait or are fetched */
    struct held_list finished;
    size_t working_count, finished_count;
    void *by_number;          /* the root of a tsearch(3) tree of those in the schedule */
    struct whorl_event work;  /* there is a result to write */
    struct whorl_event room;  /* an entry has ended, or was acknowledged */
    struct whorl_error unfit; /* code 0, or why this machine cannot store files */
    int64_t claim_due_ns;     /* when to look for entries of workers that are gone */
    int64_t beat_due_ns;      /* when to reset the idle times */
    bool is_careful;          /* a reply was too large, so entries are claimed one by one */

    struct link taking, keeping;
    struct whorl_event connected; /* set by the first connection */
    bool was_connected;
    bool has_failed;    /* a failure of the queue was reported */
    bool is_lost;       /* a loss was said, and the new connection was not said yet */
    int64_t said_ns;    /* when the last loss was said */
    int64_t lost_ns;    /* since when there is no connection; 0: there is one */
    bool was_ever_lost; /* the server may not know yet that an old connection is gone */
    bool is_drained;    /* nothing was pending at the end */
    bool is_closed;     /* events are of no interest any more */
};

/* --- queue_link.c ----------------------------------------------------------------------------- */

/* Connects, unless the link is connected. Makes sure that the group exists, and that results can be
 * written. Returns 0, or as redis_connect(). */
WHORL_SUSPENDS int queue_link_open(struct queue *queue, struct link *link);

void queue_link_close(struct link *link);

/* Connects and calls `use`, again and again, until `use` returns 0 or the failure will not go away.
 * Says when a connection is lost, and when there is a new one.
 *
 * @use  returns 0, or as redis_receive()
 *
 * Returns 0; -ECANCELED; another code, with the error of the link. */
WHORL_SUSPENDS int queue_link_use(struct queue *queue, struct link *link,
                                  WHORL_SUSPENDS int (*use)(struct queue *queue,
                                                            struct link *link));

/* Notes that a reply has a form that no Redis server sends. Returns a negative code. */
int queue_link_complain(struct link *link);

/* Says what happened, and what the queue does about it. */
void queue_say(struct queue *queue, const struct whorl_error *error, const char *consequence);

/* Reports a failure of the whole queue, but only the first: both tasks may find the same one. */
void queue_report_failure(struct queue *queue, const struct whorl_error *error);

/* --- queue_held.c ----------------------------------------------------------------------------- */

/* Makes the queue a sink of the events. */
void held_attach(struct queue *queue);

/* Adds an entry to those that this worker works on. Returns NULL without memory. */
struct held *held_add(struct queue *queue, const char *id);

/* The entry has been added to the schedule, or is about to be, with this number. Returns 0 or
 * -ENOMEM. */
int held_set_number(struct queue *queue, struct held *held, uint64_t number);

/* Whether this worker holds the entry. */
bool held_has(const struct queue *queue, const char *id);

/* The entry is to be acknowledged without a result. */
void held_finish(struct queue *queue, struct held *held);

/* The entry cannot be fetched: reports that, and makes it the result. `url` may be NULL. */
void held_refuse(struct queue *queue, struct held *held, const char *url, int err, const char *step,
                 const char *why);

/* Frees it. */
void held_forget(struct queue *queue, struct held *held);

/* --- queue_pending.c -------------------------------------------------------------------------- */

/* A pending entry. */
struct pending {
    char id[QUEUE_ID_SIZE];
    long long deliveries;
};

/* Lists pending entries, in the order of their IDs.
 *
 * @idle_ns   those which are idle for at least this time
 * @consumer  those of this consumer; NULL: of all
 * @after     those after this ID; "": from the first one
 *
 * Returns 0, or as redis_receive(). */
WHORL_SUSPENDS int pending_list(struct queue *queue, struct link *link, int64_t idle_ns,
                                const char *consumer, const char *after,
                                struct pending ret[QUEUE_BATCH], size_t *ret_count);

/* Counts the pending entries of all workers. Returns 0, or as redis_receive(). */
WHORL_SUSPENDS int pending_count(struct queue *queue, struct link *link, long long *ret);

/* --- queue_take.c and queue_keep.c: they return 0, or as redis_receive() ---------------------- */

/* Takes entries until none is left, neither in the stream nor pending. */
WHORL_SUSPENDS int queue_take(struct queue *queue, struct link *link);

/* Writes results as they come, and resets idle times. Does not return 0. */
WHORL_SUSPENDS int queue_keep(struct queue *queue, struct link *link);

/* Writes the first results and acknowledges their entries, in one transaction. Their files are
 * synced before. */
WHORL_SUSPENDS int queue_deliver(struct queue *queue, struct link *link);

/* Gives the pending entries of this worker back: for the server, they are idle for so long that
 * other workers claim them. That does not count as one of their deliveries. */
WHORL_SUSPENDS int queue_give_back(struct queue *queue, struct link *link);

#endif
