/* SPDX-License-Identifier: MIT */
/* After failed attempts, see transfer_retry.h. */
#include "tools/get/transfer_retry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/task.h>

#include "tools/get/retry.h"
#include "tools/get/text.h"
#include "tools/get/transfer_attempt.h"
#include "tools/get/transfer_error.h"
#include "tools/get/transfer_keep.h"

static uint64_t next_random(struct get *get)
{
    uint64_t x = get->random; /* xorshift64 */

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return get->random = x;
}

/* Counts a failed attempt. An attempt that got further begins the count again: a large file needs
 * many attempts where connections do not live long. */
static int count_failure(struct transfer *t)
{
    int64_t bytes = download_has_part(&t->download) ? download_done(&t->download) : 0;

    if (bytes > t->had_bytes)
        t->failures = 0;
    t->had_bytes = bytes;
    return ++t->failures;
}

static int64_t longer(int64_t a_ns, int64_t b_ns)
{
    return a_ns > b_ns ? a_ns : b_ns;
}

/* Which host a failure concerns: the server whose TLS has failed, or the server or proxy that was
 * connected to. Returns false if the failure concerns no host. */
static bool find_blamed(const struct transfer *t, const char **ret_host, uint16_t *ret_port)
{
    const struct whorl_error *error = &t->outcome.error;
    bool is_tls = strcmp(error->step, "TLS") == 0;

    *ret_host = is_tls ? t->opened : t->dialed;
    *ret_port = is_tls ? t->opened_port : t->dialed_port;
    return retry_is_of_host(error) && **ret_host;
}

/* Whether a retry is of use and allowed, and after which pause. */
static bool consider_retry(struct transfer *t, int err, int64_t *ret_pause_ns)
{
    struct outcome *o = &t->outcome;
    const char *host;
    uint16_t port;

    if (t->in_place || !retry_helps(err == 1 ? 0 : err, o->status, transfer_is_local(&o->error)))
        return false;
    const char *why;
    if (!ask_may_repeat(&t->get->ask, o->error.step, &why)) {
        if (o->tries < t->get->retry.attempts_max)
            transfer_append(&o->error, " (%s is not retried: %s)", t->get->ask.method, why);
        return false;
    }
    bool refused = err == -ECONNREFUSED && t->refused[0];
    if (refused && schedule_is_host_down(&t->get->schedule, t->refused, t->refused_port))
        return false;
    if (find_blamed(t, &host, &port) && schedule_is_host_down(&t->get->schedule, host, port))
        return false;
    *ret_pause_ns =
        whorl_http_retry_pause(&t->get->retry, count_failure(t), t->asked_ns, next_random(t->get));
    if (*ret_pause_ns >= 0) {
        if (t->is_refused)
            *ret_pause_ns = longer(schedule_silence_ns(t->scheduled), t->asked_ns);
        if (whorl_http_retry_budget_take(&t->get->budget, &t->url))
            return true;
        transfer_append(&o->error, " (not retried: too many retries of %s)", t->url.authority);
        return false;
    }
    if (t->asked_ns > t->get->retry.retry_after_max_ns) {
        char time[TEXT_NUMBER_SIZE];
        transfer_append(&o->error, " (the server asks to retry after %s)",
                        text_time(time, t->asked_ns));
    }
    if (refused)
        schedule_give_up(&t->get->schedule, t->refused, t->refused_port, o->tries);
    return false;
}

static void blame_host(struct transfer *t, int err)
{
    const char *host;
    uint16_t port;

    if (err < 0 && find_blamed(t, &host, &port))
        schedule_fail(&t->get->schedule, host, port, err,
                      strcmp(t->outcome.error.step, "TLS") == 0);
}

/* Whether to retry, and after which pause. If not, the schedule learns of failures that concern all
 * URLs of a host. */
static bool may_retry(struct transfer *t, int err, int64_t *ret_pause_ns)
{
    if (consider_retry(t, err, ret_pause_ns))
        return true;
    blame_host(t, err);
    return false;
}

/* Chooses another URL of the file after a failure: the mirrors in their order, once each, and then
 * the first URL whose failure may have been temporary. Without a hash, bytes of several URLs are
 * not joined, so with `keeps_part` a part is rather continued than dropped.
 *
 * Returns NULL when there is none. */
static WHORL_SUSPENDS_SHIELDED const char *choose_mirror(struct transfer *t, int err,
                                                         bool keeps_part)
{
    const struct entry *entry = &t->entry;
    const struct outcome *o = &t->outcome;
    bool may_help = retry_helps(err == 1 ? 0 : err, o->status, transfer_is_local(&o->error));
    bool has_part = download_has_part(&t->download);

    if (entry->mirrors_count == 0 || t->in_place || !ask_is_plain(&t->get->ask) ||
        transfer_is_local(&o->error) || strcmp(o->error.step, "read") == 0)
        return NULL;
    bool is_last = t->mirrors_tried == entry->mirrors_count;
    if (is_last && (may_help || !t->worth_trying))
        return NULL;
    if (has_part && !transfer_joins_mirrors(t)) {
        if (keeps_part)
            return NULL;
        download_drop(&t->download, "no hash is known, so a mirror cannot continue it");
    }
    if (may_help && !t->worth_trying)
        t->worth_trying = t->source;
    if (!is_last)
        return entry->mirrors[t->mirrors_tried++];
    const char *source = t->worth_trying;
    t->worth_trying = NULL;
    return source;
}

/* Waits before the next try, and lets another transfer run meanwhile. */
static WHORL_SUSPENDS int pause_between(struct transfer *t, int64_t pause_ns)
{
    struct schedule *schedule = &t->get->schedule;

    events_retry(&t->get->events, &t->followed, &t->outcome, pause_ns, t->asked_ns >= 0);
    schedule_pause(schedule, t->scheduled);
    /* After a refusal, the schedule says when it is this transfer's turn. */
    int err = t->is_refused ? 0 : whorl_sleep(pause_ns);
    int resumed = schedule_resume(schedule, t->scheduled);
    return err ? err : resumed;
}

/* Whether the part was dropped because the bytes of several URLs did not have the expected hash. */
static bool was_mixed(struct transfer *t)
{
    bool was = t->download.is_mixed && !download_has_part(&t->download);

    t->download.is_mixed = false;
    return was;
}

/* Goes on with another URL of the file. */
static WHORL_SUSPENDS int change_source(struct transfer *t, const char *source)
{
    struct schedule *schedule = &t->get->schedule;

    events_retry(&t->get->events, &t->followed, &t->outcome, 0, false);
    schedule_pause(schedule, t->scheduled);
    (void)schedule_move(schedule, t->scheduled, source); /* without memory, it does not matter */
    t->source = t->download.source = source;
    return schedule_resume(schedule, t->scheduled);
}

/* Tries once. If the host is down already, no request is sent: a mirror comes next. */
static WHORL_SUSPENDS int try_unless_down(struct transfer *t)
{
    char cause[SCHEDULE_CAUSE_SIZE];

    if (t->entry.mirrors_count == 0 || !schedule_is_down(t->scheduled))
        return transfer_try_once(t);
    int err = schedule_item_down_cause(t->scheduled, cause);
    return whorl_error_set(&t->outcome.error, err, "connect", "%s: not tried, %s",
                           schedule_host_name(t->scheduled), cause);
}

WHORL_SUSPENDS int transfer_try_all(struct transfer *t)
{
    for (;;) {
        int64_t pause_ns;
        if (t->outcome.tries++ == 0)
            whorl_http_retry_budget_note(&t->get->budget, &t->url);
        int err = try_unless_down(t);
        if (err == 0 && t->is_elsewhere) { /* the answer is about another file than ours */
            t->existing.etag = NULL;
            t->existing.since[0] = '\0';
            continue;
        }
        if (err == 0 || err == -ECANCELED)
            return err;
        if (err == -EBADMSG && was_mixed(t))
            continue; /* with the bytes of one URL only */
        const char *next = choose_mirror(t, err, true);
        if (!next) {
            if (may_retry(t, err, &pause_ns)) {
                if (pause_between(t, pause_ns) == -ECANCELED)
                    return -ECANCELED;
                continue;
            }
            next = choose_mirror(t, err, false);
        } else {
            blame_host(t, err);
        }
        if (!next)
            return err;
        if (change_source(t, next) == -ECANCELED)
            return -ECANCELED;
    }
}
