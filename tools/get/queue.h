/* SPDX-License-Identifier: MIT */
/* A list of URLs that many machines share: a stream of a Redis server, read as a member of a
 * consumer group. It takes the place of the source (source.h).
 *
 *     XREADGROUP, or XCLAIM from a worker that is gone
 *         |
 *     schedule_add() --> transfer --> EVENT_DONE --> MULTI; XADD result; XACK; EXEC
 *                           |
 *                           +-- interrupted --> XCLAIM with an idle time: another worker takes it
 *
 * An entry of the stream has the field `url` and may have `settings` (see entry.h), or it has the
 * field `line`, which is like the line of a list.
 *
 * From its delivery until its acknowledgement, an entry is in the group's list of pending entries,
 * with the name of its worker. It is acknowledged once its file is on the disk under its name, or
 * once it has failed for good. The result becomes an entry of a second stream, in the same
 * transaction. So no entry is lost, whichever process or machine ends at any moment. Each entry is
 * fetched at least once: if a worker ends between the name of the file and the acknowledgement,
 * another worker fetches the entry again, and there may be two files. A result is written twice
 * only if two workers fetched the entry at the same time, or one of them ended before EXEC.
 *
 * A task writes the results, and resets the idle times of the entries that this worker holds every
 * third of the claim time. So a slow transfer is not taken from a worker that lives. An entry that
 * was delivered too often has probably ended its workers: it fails and is acknowledged.
 *
 * A worker holds few entries that it does not fetch yet, because others may have nothing to do.
 *
 * After the loss of the connection, transfers continue, and the connection is made again with
 * growing pauses. If it was lost during EXEC, the worker first asks whether the entries are still
 * pending. Needs Redis 7, which
 * forgets pending entries that were deleted from the stream. A cluster is not supported.
 */
#ifndef WHORL_GET_QUEUE_H
#define WHORL_GET_QUEUE_H

#include <stdbool.h>

#include <whorl/base.h>

struct get;
struct queue;
struct whorl_tls_config;

/* Whether this build has the queue. If it has not, the calls below must not be used. */
bool queue_is_possible(void);

/**
 * Creates the queue. It becomes a sink of the events.
 *
 * @get  must be ready, and is borrowed
 * @url  see queue_url.h; was checked already
 * @tls  for rediss://; borrowed; NULL: the defaults
 *
 * Returns: 0; -EINVAL; -ENOMEM.
 */
int queue_create(struct get *get, const char *url, struct whorl_tls_config *tls,
                 struct queue **ret);

/**
 * The function of the reader's task; `arg` is the queue. Adds the entries to the schedule and
 * acknowledges them. Reports why it cannot continue.
 *
 * Returns:  0 when no entry is left and none is pending in the group, or after a failure that was
 *           reported; -ECANCELED.
 * Suspends: until then. With wait=1, it returns only after a failure or a cancellation.
 */
WHORL_SUSPENDS int queue_run(void *arg);

/* Called when all transfers have ended. Writes the results that are left, and gives back the
 * entries that were not fetched, so that others can take them at once. Tries for some seconds. */
WHORL_SUSPENDS_SHIELDED void queue_close(struct queue *queue);

/* Frees the memory. Accepts NULL. No item of the schedule may exist any more. */
void queue_destroy(struct queue *queue);

#endif
