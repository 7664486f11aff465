/* SPDX-License-Identifier: MIT */
/* The queue (queue.h) in a build without hiredis. */
#include <errno.h>

#include "tools/get/queue.h"

bool queue_is_possible(void)
{
    return false;
}

int queue_create(struct get *get, const char *url, struct whorl_tls_config *tls, struct queue **ret)
{
    (void)get, (void)url, (void)tls, (void)ret;
    return -EOPNOTSUPP;
}

WHORL_SUSPENDS int queue_run(void *arg)
{
    (void)arg;
    return -EOPNOTSUPP;
}

WHORL_SUSPENDS_SHIELDED void queue_close(struct queue *queue)
{
    (void)queue;
}

void queue_destroy(struct queue *queue)
{
    (void)queue;
}
