/* SPDX-License-Identifier: MIT */
/* A connection to a Redis server. hiredis formats the commands and parses the replies; a stream of
 * whorl carries the bytes, so a task that waits for a reply holds up no other.
 *
 *     redis_add(redis, "XACK", stream, group, id, NULL);
 *     int err = redis_receive(redis, timeout_ns, &error, &reply);
 *     if (err == 0)
 *         freeReplyObject(reply);
 *
 * Several commands may be added before their replies are received, in the order of the commands.
 * One task uses a connection at a time.
 */
#ifndef WHORL_GET_REDIS_H
#define WHORL_GET_REDIS_H

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/base.h>
#include <whorl/error.h>

#include "tools/get/queue_url.h"

struct redis;
struct whorl_tls_config;

/* The largest reply that is read. */
enum { REDIS_REPLY_MAX = 8 << 20 };

/**
 * Connects, logs in and chooses the database, within 10 seconds.
 *
 * @tls    for rediss://; NULL: the system's authorities
 * @error  its text names neither user nor password
 * @ret    close it with redis_disconnect()
 *
 * Returns: 0; 1 when the server replied with an error; errors of whorl_dial_stream(),
 *          whorl_tls_connect() and redis_receive(); -ECANCELED.
 */
WHORL_SUSPENDS int redis_connect(const struct queue_url *url, struct whorl_tls_config *tls,
                                 struct whorl_error *error, struct redis **ret);

/* Closes the connection. Accepts NULL. Never suspends. */
void redis_disconnect(struct redis *redis);

/* Adds a command. The arguments end with a NULL. A lack of memory is reported by the next
 * redis_receive(). */
void redis_add(struct redis *redis, ...) __attribute__((sentinel));

/* Adds a command of `count` arguments. */
void redis_add_array(struct redis *redis, const char *const *arguments, size_t count);

/**
 * Sends the commands that were added, and receives the next reply.
 *
 * @error  the text of the server, or what failed
 * @ret    free it with freeReplyObject(); never an error reply
 *
 * Returns: 0; 1 when the server replied with an error. After a negative code the connection can
 *          only be closed: -ETIMEDOUT; -ECONNRESET; -EPROTO when the peer is no Redis server;
 *          -E2BIG for a reply that is too large; -ENOMEM; errors of the stream; -ECANCELED.
 */
WHORL_SUSPENDS int redis_receive(struct redis *redis, int64_t timeout_ns, struct whorl_error *error,
                                 redisReply **ret);

/* Like redis_receive(), for a reply whose value does not matter. */
WHORL_SUSPENDS int redis_check(struct redis *redis, int64_t timeout_ns, struct whorl_error *error);

#endif
