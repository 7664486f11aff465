/* SPDX-License-Identifier: MIT */
/* An entry of the stream with the URLs, as the server sends it: its ID, and its fields. It has
 *
 *     url         and maybe settings, see entry.h
 *     line        or this, which is like the line of a list: the URL, a space, the settings
 *
 * Other fields are not used. No I/O. */
#ifndef WHORL_GET_QUEUE_ENTRY_H
#define WHORL_GET_QUEUE_ENTRY_H

#include <stdbool.h>

struct redisReply;

/* Strings point into the reply, which queue_entry_read() changes. */
struct queue_entry {
    const char *id;
    const char *url;      /* NULL: see `why` */
    const char *settings; /* "": none */
    const char *why;      /* what is wrong with the entry, after the word "entry"; or NULL */
    bool is_deleted;      /* it was deleted from the stream after its delivery */
};

/* Returns false when the reply is no entry of a stream. */
bool queue_entry_read(struct redisReply *reply, struct queue_entry *ret);

#endif
