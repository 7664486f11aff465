/* SPDX-License-Identifier: MIT */
/* From the lists to the transfers, see fetch.h.
 *
 *     read_urls --> schedule --> fetch_all --> transfer_run, one task per transfer
 */
#include "tools/get/fetch.h"

#include <errno.h>
#include <string.h>

#include <whorl/dial.h>
#include <whorl/group.h>
#include <whorl/scope.h>

#include "tools/get/mirror.h"
#include "tools/get/queue.h"
#include "tools/get/report.h"
#include "tools/get/schedule.h"
#include "tools/get/sitemap_input.h"
#include "tools/get/transfer.h"

static void count_queued(struct get *get)
{
    get->report->totals.queued = get->schedule.count;
}

/* Reports why a list, or one line of it, could not be read. */
static void report_bad_item(struct fetch *fetch, const struct source_item *item)
{
    struct outcome outcome = {.list = item->list, .line = item->line};
    const char *cause = whorl_strerror(item->err);

    if (item->why)
        cause = item->why;
    else if (item->err == -E2BIG)
        cause = "is too long";
    else if (strcmp(item->step, "line") == 0 && item->err == -EINVAL)
        cause = "contains a NUL byte";
    whorl_error_set(&outcome.error, item->err, item->step, "%s", cause);
    events_end(&fetch->get->events, NULL, 0, &outcome);
}

static struct crawl_place place_of(const struct get *get, const char *url)
{
    return get->mirror ? mirror_place(get->mirror, url) : (struct crawl_place){0};
}

/* Reports a URL for which there is no memory. */
static void report_lost(struct get *get, uint64_t id, const char *url, const char *list, long line,
                        int err)
{
    struct outcome outcome = {.url = url, .list = list, .line = line, .crawl = place_of(get, url)};

    whorl_error_set(&outcome.error, err, "start", "%s", whorl_strerror(err));
    events_end(&get->events, NULL, id, &outcome);
}

/* Adds a URL to the schedule when there is room for more. Returns 0 or -ECANCELED. */
static WHORL_SUSPENDS int add_url(struct get *get, const char *url, const char *settings,
                                  const char *list, long line)
{
    if (get->mirror && !mirror_give(get->mirror, url))
        return 0;
    int lost = schedule_add(&get->schedule, url, settings, list, line);
    count_queued(get);
    if (lost)
        report_lost(get, 0, url, list, line, lost);
    else /* the schedule has just counted it */
        events_queue(&get->events, get->schedule.added, url, list, line, place_of(get, url));
    int err = schedule_wait_room(&get->schedule);
    return err ? err : report_wait_room(get->report);
}

/* Takes a URL of a sitemap; `arg` is the struct get. */
static WHORL_SUSPENDS int add_url_of_sitemap(void *arg, const char *url, const char *list)
{
    return add_url(arg, url, "", list, 0);
}

/* The function of the reader's task; `arg` is the fetch. */
static int read_urls(void *arg)
{
    struct fetch *fetch = arg;
    struct get *get = fetch->get;
    const struct options *options = get->options;
    struct source_item item;
    int n = 0, err = 0;

    for (size_t i = 0; i < options->sitemaps_count && err == 0; i++)
        err = sitemap_input_read(get, options->sitemaps[i], add_url_of_sitemap, get);
    while (err == 0 && (n = source_next(&fetch->source, &item)) > 0) {
        if (item.err) {
            report_bad_item(fetch, &item);
            err = report_wait_room(get->report);
        } else {
            err = add_url(get, item.url, item.settings, item.list, item.line);
        }
    }
    schedule_close(&get->schedule);
    get->report->totals.open = get->mirror != NULL;
    return err ? err : n;
}

static void report_interrupted(struct get *get, uint64_t id, const char *url, const char *list,
                               long line)
{
    struct outcome outcome = {
        .url = url, .list = list, .line = line, .crawl = place_of(get, url), .interrupted = true};

    whorl_error_set(&outcome.error, -ECANCELED, "transfer", "interrupted");
    events_end(&get->events, NULL, id, &outcome);
}

static void report_down(struct get *get, const struct schedule_item *item)
{
    struct outcome outcome = {.url = item->url,
                              .list = item->list,
                              .line = item->line,
                              .crawl = place_of(get, item->url)};
    char cause[SCHEDULE_CAUSE_SIZE];
    int err = schedule_item_down_cause(item, cause);

    whorl_error_set(&outcome.error, err, "connect", "%s: not tried, %s", schedule_host_name(item),
                    cause);
    events_end(&get->events, NULL, item->number + 1, &outcome);
}

/* Starts the transfer of an item, or reports why it does not start. */
static WHORL_SUSPENDS int start(struct get *get, struct whorl_group *group,
                                struct schedule_item *item)
{
    struct transfer_job job = {.get = get, .item = item};
    int err = 0;

    count_queued(get);
    /* With a mirror, the transfer begins there. */
    if (schedule_is_down(item) && !strstr(item->settings, "mirror=")) {
        report_down(get, item);
    } else {
        err = whorl_spawn_copy(group, transfer_run, &job);
        if (err == 0)
            return 0;
        if (err == -ECANCELED)
            report_interrupted(get, item->number + 1, item->url, item->list, item->line);
        else
            report_lost(get, item->number + 1, item->url, item->list, item->line, err);
    }
    schedule_end(&get->schedule, item);
    return err == -ECANCELED ? err : report_wait_room(get->report);
}

WHORL_SUSPENDS int fetch_all(struct fetch *fetch)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct get *get = fetch->get;
    struct schedule_item *item;

    get->report->totals.open = true;
    int err = fetch->queue ? whorl_spawn(&group, queue_run, fetch->queue)
                           : whorl_spawn(&group, read_urls, fetch);
    for (;;) {
        if (get->mirror)
            mirror_feed(get->mirror);
        if (err || (err = schedule_next(&get->schedule, &item)) <= 0)
            break;
        err = start(get, &group, item);
    }
    int group_err = whorl_group_wait(&group);
    get->report->totals.open = false;
    schedule_leave(&get->schedule);
    if (fetch->queue)
        queue_close(fetch->queue);
    return err ? err : group_err;
}

/* Waits until the report has room. That counts as progress, so the deadline moves. */
static WHORL_SUSPENDS int wait_moving(struct get *get, struct whorl_scope *scope, int64_t stall_ns)
{
    int err = report_wait_room(get->report);

    whorl_scope_set_deadline(scope, whorl_after(stall_ns));
    return err;
}

static WHORL_SUSPENDS int report_rest(struct fetch *fetch, struct whorl_scope *scope,
                                      int64_t stall_ns)
{
    struct get *get = fetch->get;
    struct schedule_item *item;
    struct source_item line;
    int n, err = 0;

    while (err == 0 && (item = schedule_take(&get->schedule))) {
        report_interrupted(get, item->number + 1, item->url, item->list, item->line);
        schedule_end(&get->schedule, item);
        err = wait_moving(get, scope, stall_ns);
    }
    source_stop_waiting(&fetch->source);
    while (err == 0 && (n = source_next(&fetch->source, &line)) != 0) {
        if (n < 0)
            return n;
        if (line.err)
            report_bad_item(fetch, &line);
        else
            report_interrupted(get, 0, line.url, line.list, line.line);
        err = wait_moving(get, scope, stall_ns);
    }
    return err;
}

WHORL_SUSPENDS int fetch_report_rest(struct fetch *fetch, int64_t stall_ns)
{
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(stall_ns));
    return whorl_scope_leave(&scope, report_rest(fetch, &scope, stall_ns));
}

/* A dial in progress. */
struct dial {
    struct get *get;
    struct followed *followed; /* the transfer that dials, or NULL */
    const char *host;
    int64_t since_ns;                    /* the begin of the lookup, and then its end */
    const struct whorl_dial_watch *next; /* of the session; gets the steps too */
};

/* Makes events of the steps of a dial; `arg` is the dial. */
static void note_step(void *arg, const struct whorl_dial_event *step)
{
    struct dial *dial = arg;
    struct events *events = &dial->get->events;
    int64_t now = whorl_now();

    if (dial->next)
        dial->next->event(dial->next->arg, step);
    switch (step->step) {
    case WHORL_DIAL_RESOLVED:
        events_resolve(events, dial->followed, dial->host, step->addrs, step->addrs_count,
                       now - dial->since_ns);
        dial->since_ns = now;
        break;
    case WHORL_DIAL_CONNECTED:
        events_connect(events, dial->followed, dial->host, step->addr, now - dial->since_ns);
        break;
    case WHORL_DIAL_RESOLVE:
    case WHORL_DIAL_TRY:
    case WHORL_DIAL_FAILED:
        break;
    }
}

WHORL_SUSPENDS int fetch_dial(void *arg, const char *host, uint16_t port,
                              const struct whorl_dial_options *options, struct whorl_error *error,
                              struct whorl_stream **ret)
{
    struct get *get = arg;
    struct dial dial = {
        .get = get,
        .followed = transfer_followed(),
        .host = host,
        .since_ns = whorl_now(),
        .next = options->watch,
    };
    const struct whorl_dial_watch watch = {.event = note_step, .arg = &dial};
    struct whorl_dial_options watched = *options;
    char cause[SCHEDULE_CAUSE_SIZE];
    int err;

    watched.watch = &watch;
    if (schedule_is_host_down(&get->schedule, host, port)) {
        err = schedule_down_cause(&get->schedule, host, port, cause);
        whorl_error_set(error, err, "connect", "%s:%u: not tried, %s", host, port, cause);
    } else {
        err = whorl_dial_stream(host, port, &watched, error, ret);
        schedule_note_dial(&get->schedule, host, port, err);
    }
    transfer_note_dial(host, port, err);
    return err;
}
