/* SPDX-License-Identifier: MIT */
/* The window of URLs and its queues, see schedule.h. */
#include "tools/get/schedule.h"

#include <errno.h>
#include <search.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl/error.h>
#include <whorl/scope.h>
#include <whorl/url.h>

#include "tools/get/pace.h"

enum { DOWN_MAX = 10000 }; /* hosts that are remembered as down, and used by no item */

static const int64_t down_ns = WHORL_MINUTE;

/* A host and port. It exists while an item uses it or while it is down. */
struct schedule_host {
    struct schedule_items waiting; /* the first in the order of arrival is first */
    size_t active;     /* items that were handed out and are not over, and further connections */
    int refusals;      /* connections refused since the last one that was accepted */
    int failures;      /* items in a row that have ended with `failure` */
    int failure;       /* the code; 0: none */
    bool is_connected; /* they failed after they had a connection */
    int64_t down_until_ns;
    int64_t listed_until_ns; /* see `is_listed` */
    bool is_silent;          /* it is down because it wants no request for a long time */
    struct pace pace;
    size_t resuming; /* items that wait for the pace; they come before new ones */
    size_t moving;   /* items that will be active when schedule_resume() has returned */
    bool is_ready;   /* is in the heap */
    bool is_held;    /* is in the list of hosts that wait for their pace */
    TAILQ_ENTRY(schedule_host) in_held;
    bool is_listed; /* is in the list of hosts that are down, or have failed */
    TAILQ_ENTRY(schedule_host) in_down;
    char name[]; /* "host:port"; "" for the URLs that are not valid */
};

/* --- the heap of ready hosts: the one whose first item has waited longest is on top ----------- */

static bool comes_before(const struct schedule_host *a, const struct schedule_host *b)
{
    return TAILQ_FIRST(&a->waiting)->number < TAILQ_FIRST(&b->waiting)->number;
}

static void swap_ready(struct schedule *s, size_t i, size_t j)
{
    struct schedule_host *host = s->ready[i];

    s->ready[i] = s->ready[j];
    s->ready[j] = host;
}

static void push_ready(struct schedule *s, struct schedule_host *host)
{
    size_t i = s->ready_count++;

    host->is_ready = true;
    s->ready[i] = host;
    for (; i > 0 && comes_before(host, s->ready[(i - 1) / 2]); i = (i - 1) / 2)
        swap_ready(s, i, (i - 1) / 2);
}

static struct schedule_host *pop_ready(struct schedule *s)
{
    struct schedule_host *top = s->ready[0];
    size_t i = 0;

    top->is_ready = false;
    s->ready[0] = s->ready[--s->ready_count];
    for (;;) {
        size_t first = i, left = 2 * i + 1, right = left + 1;
        if (left < s->ready_count && comes_before(s->ready[left], s->ready[first]))
            first = left;
        if (right < s->ready_count && comes_before(s->ready[right], s->ready[first]))
            first = right;
        if (first == i)
            return top;
        swap_ready(s, i, first);
        i = first;
    }
}

/* --- hosts --- */

static int compare_hosts(const void *a, const void *b)
{
    const struct schedule_host *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static struct schedule_host *create_host(const char *name, int64_t pause_min_ns)
{
    struct schedule_host *host = calloc(1, sizeof *host + strlen(name) + 1);

    if (!host)
        return NULL;
    TAILQ_INIT(&host->waiting);
    host->pace.pause_min_ns = pause_min_ns;
    strcpy(host->name, name);
    return host;
}

/* The heap has room for every host, so that push_ready() cannot fail. */
static int grow_ready(struct schedule *s)
{
    if (s->hosts_count < s->ready_size)
        return 0;
    size_t size = s->ready_size ? 2 * s->ready_size : 16;
    struct schedule_host **ready = reallocarray(s->ready, size, sizeof(struct schedule_host *));
    if (!ready)
        return -ENOMEM;
    s->ready = ready;
    s->ready_size = size;
    return 0;
}

/* Finds the host, or makes it. Returns NULL when there is no memory. */
static struct schedule_host *get_host(struct schedule *s, const char *name)
{
    struct schedule_host *host = grow_ready(s) ? NULL : create_host(name, s->pause_min_ns);
    struct schedule_host **found = host ? tsearch(host, &s->hosts, compare_hosts) : NULL;

    if (!found || *found != host)
        free(host);
    else
        s->hosts_count++;
    return found ? *found : NULL;
}

static bool is_down(const struct schedule_host *host)
{
    return host->down_until_ns > whorl_now();
}

static void leave_held(struct schedule *s, struct schedule_host *host)
{
    if (host->is_held)
        TAILQ_REMOVE(&s->held, host, in_held);
    host->is_held = false;
}

static void drop_unused(struct schedule *s, struct schedule_host *host)
{
    if (host->active > 0 || host->moving > 0 || !TAILQ_EMPTY(&host->waiting) || host->is_listed)
        return;
    leave_held(s, host);
    tdelete(host, &s->hosts, compare_hosts);
    s->hosts_count--;
    free(host);
}

/* Forgets the hosts that are no longer down, and the first ones if there are too many. */
static void trim_down(struct schedule *s)
{
    struct schedule_host *host;

    while ((host = TAILQ_FIRST(&s->down)) &&
           (s->down_count > DOWN_MAX || host->listed_until_ns <= whorl_now())) {
        TAILQ_REMOVE(&s->down, host, in_down);
        s->down_count--;
        host->is_listed = host->is_silent = false;
        host->down_until_ns = 0;
        drop_unused(s, host);
    }
}

/* Whether the host has an item that could start, but for its pace. */
static bool has_startable(const struct schedule *s, const struct schedule_host *host)
{
    if (TAILQ_EMPTY(&host->waiting))
        return false;
    return host->active < s->per_host || host->name[0] == '\0' || is_down(host);
}

/* Items that are not sent to the host need not wait for it. */
static bool is_in_pace(const struct schedule_host *host)
{
    if (host->name[0] == '\0' || is_down(host))
        return true;
    return host->resuming == 0 && pace_next(&host->pace) <= whorl_now();
}

static bool can_start(const struct schedule *s, const struct schedule_host *host)
{
    return has_startable(s, host) && is_in_pace(host);
}

static void unhold(struct whorl_timer *timer);

/* Lets the timer wake the schedule when the host may get its next request. */
static void hold(struct schedule *s, struct schedule_host *host)
{
    int64_t next_ns = pace_next(&host->pace);

    if (!host->is_held)
        TAILQ_INSERT_TAIL(&s->held, host, in_held);
    host->is_held = true;
    if (!s->unhold.next || next_ns < s->unhold.deadline_ns)
        whorl_timer_arm(&s->unhold, next_ns, unhold);
}

/* Called after the items or the state of the host have changed. */
static void update_ready(struct schedule *s, struct schedule_host *host)
{
    if (s->stopped || host->is_ready || !has_startable(s, host))
        return;
    if (is_in_pace(host))
        push_ready(s, host);
    else if (host->resuming == 0)
        hold(s, host);
}

/* The time of at least one of the hosts has come. */
static void unhold(struct whorl_timer *timer)
{
    struct schedule *s = (struct schedule *)((char *)timer - offsetof(struct schedule, unhold));
    struct schedule_hosts held = TAILQ_HEAD_INITIALIZER(held);
    struct schedule_host *host;

    TAILQ_CONCAT(&held, &s->held, in_held);
    while ((host = TAILQ_FIRST(&held))) {
        TAILQ_REMOVE(&held, host, in_held);
        host->is_held = false;
        update_ready(s, host);
    }
    whorl_event_set(&s->changed);
}

/* --- items --- */

/* These return a string to be freed, or NULL when there is no memory. */

static char *format_name(const char *host, uint16_t port)
{
    bool is_v6 = strchr(host, ':') != NULL;
    char *name;

    return asprintf(&name, is_v6 ? "[%s]:%u" : "%s:%u", host, port) < 0 ? NULL : name;
}

static char *name_host(const char *text)
{
    WHORL_AUTO(url) url = {0};

    return whorl_url_parse(text, NULL, &url) ? strdup("") : format_name(url.host, url.port);
}

static struct schedule_item *create_item(const char *url, const char *settings)
{
    size_t len = strlen(url) + 1;
    size_t size = sizeof(struct schedule_item) + len + strlen(settings) + 1;
    struct schedule_item *item = calloc(1, size);

    if (!item)
        return NULL;
    item->size = size;
    item->settings = item->url + len;
    strcpy(item->url, url);
    strcpy(item->settings, settings);
    return item;
}

/* Moves an item from the window to the items that were handed out. */
static void hand_out(struct schedule *s, struct schedule_item *item)
{
    TAILQ_REMOVE(&item->host->waiting, item, in_host);
    TAILQ_REMOVE(&s->window, item, in_window);
    s->count--;
    s->bytes -= item->size;
    item->host->active++;
    s->running++;
    whorl_event_set(&s->room);
}

static void start_request(struct schedule_item *item)
{
    item->is_asking = true;
    item->started_ns = whorl_now();
    pace_start(&item->host->pace, item->started_ns);
}

/* The request has its response, or has failed. */
static void end_request(struct schedule *s, struct schedule_item *item)
{
    if (!item->is_asking)
        return;
    item->is_asking = false;
    pace_end(&item->host->pace, item->started_ns);
    update_ready(s, item->host);
    whorl_event_set(&s->changed);
}

/* Returns the next item that can start, or NULL. */
static struct schedule_item *take_ready(struct schedule *s)
{
    while (s->ready_count > 0) {
        struct schedule_host *host = pop_ready(s);
        if (!can_start(s, host)) {
            update_ready(s, host); /* it waits for its pace, or until one of its items is over */
            continue;
        }
        struct schedule_item *item = TAILQ_FIRST(&host->waiting);
        hand_out(s, item);
        start_request(item);
        update_ready(s, host);
        return item;
    }
    return NULL;
}

/* Items that resume come first. The number of items in a pause is limited, because each takes
 * memory. */
static bool has_free_job(const struct schedule *s)
{
    return s->running + s->resuming < s->jobs && s->running + s->paused < 2 * s->jobs;
}

/* --- interface --- */

void schedule_init(struct schedule *schedule, size_t jobs, size_t per_host, double rate)
{
    *schedule = (struct schedule){
        .jobs = jobs,
        .per_host = per_host,
        .pause_min_ns = rate > 0 ? (int64_t)((double)WHORL_SECOND / rate) : 0,
    };
    TAILQ_INIT(&schedule->held);
    TAILQ_INIT(&schedule->window);
    TAILQ_INIT(&schedule->down);
}

void schedule_finish(struct schedule *schedule)
{
    struct schedule_item *item;
    struct schedule_host *host;

    while ((item = schedule_take(schedule)))
        schedule_end(schedule, item);
    while ((host = TAILQ_FIRST(&schedule->down))) {
        TAILQ_REMOVE(&schedule->down, host, in_down);
        host->is_listed = false;
        drop_unused(schedule, host);
    }
    free(schedule->ready);
    schedule->ready = NULL;
}

int schedule_add(struct schedule *schedule, const char *url, const char *settings, const char *list,
                 long line)
{
    struct schedule_item *item = create_item(url, settings);
    char *name = item ? name_host(url) : NULL;
    struct schedule_host *host = name ? get_host(schedule, name) : NULL;

    free(name);
    if (!host) {
        free(item);
        return -ENOMEM;
    }
    item->host = host;
    item->number = schedule->added++;
    item->added_ns = whorl_now();
    item->list = list;
    item->line = line;
    TAILQ_INSERT_TAIL(&host->waiting, item, in_host);
    TAILQ_INSERT_TAIL(&schedule->window, item, in_window);
    schedule->count++;
    schedule->bytes += item->size;
    update_ready(schedule, host);
    whorl_event_set(&schedule->changed);
    return 0;
}

WHORL_SUSPENDS int schedule_wait_room(struct schedule *schedule)
{
    int err = 0;

    while (err == 0 &&
           (schedule->count >= SCHEDULE_ITEMS_MAX || schedule->bytes >= SCHEDULE_BYTES_MAX)) {
        whorl_event_reset(&schedule->room);
        err = whorl_event_wait(&schedule->room);
    }
    return err;
}

void schedule_leave(struct schedule *schedule)
{
    whorl_timer_disarm(&schedule->unhold);
}

void schedule_close(struct schedule *schedule)
{
    schedule->closed = true;
    whorl_event_set(&schedule->changed);
}

WHORL_SUSPENDS int schedule_next(struct schedule *schedule, struct schedule_item **ret)
{
    for (;;) {
        struct schedule_item *item = has_free_job(schedule) ? take_ready(schedule) : NULL;
        if (item) {
            *ret = item;
            return 1;
        }
        bool may_grow = schedule->grows && schedule->running + schedule->paused > 0;
        if (schedule->closed && schedule->count == 0 && !may_grow)
            return 0;
        whorl_event_reset(&schedule->changed);
        int err = whorl_event_wait(&schedule->changed);
        if (err)
            return err;
    }
}

struct schedule_item *schedule_take(struct schedule *schedule)
{
    struct schedule_item *item = TAILQ_FIRST(&schedule->window);

    schedule->stopped = true;
    schedule->ready_count = 0; /* the heap must not hold hosts without items */
    if (item)
        hand_out(schedule, item);
    return item;
}

void schedule_pause(struct schedule *schedule, struct schedule_item *item)
{
    end_request(schedule, item);
    schedule->running--;
    schedule->paused++;
    whorl_event_set(&schedule->changed);
}

/* Waits until the host may get a request. Items take their turns in any order. */
static WHORL_SUSPENDS int wait_for_pace(struct schedule *schedule, struct schedule_host *host)
{
    int64_t next_ns;
    int err = 0;

    host->resuming++;
    while (err == 0 && (next_ns = pace_next(&host->pace)) > whorl_now()) {
        struct whorl_scope scope;
        whorl_scope_enter(&scope, next_ns);
        whorl_event_reset(&schedule->changed); /* an answer may make it earlier */
        err = whorl_event_wait(&schedule->changed);
        err = whorl_scope_leave(&scope, err);
        err = err == -ETIMEDOUT ? 0 : err;
    }
    host->resuming--;
    return err;
}

int schedule_move(struct schedule *schedule, struct schedule_item *item, const char *url)
{
    struct schedule_host *old = item->host;
    char *name = name_host(url);
    struct schedule_host *host = name ? get_host(schedule, name) : NULL;

    free(name);
    if (!host)
        return -ENOMEM;
    if (host == old || item->is_moving) {
        drop_unused(schedule, host);
        return 0;
    }
    item->host = host;
    item->is_moving = true;
    host->moving++;
    old->active--;
    update_ready(schedule, old);
    drop_unused(schedule, old);
    whorl_event_set(&schedule->changed);
    return 0;
}

WHORL_SUSPENDS int schedule_resume(struct schedule *schedule, struct schedule_item *item)
{
    struct schedule_host *host = item->host;
    int err = 0;

    while (err == 0) {
        err = wait_for_pace(schedule, host);
        bool has_job = schedule->running < schedule->jobs;
        if (err || (has_job && (!item->is_moving || host->active < schedule->per_host)))
            break;
        /* An item that waits for its host takes no job from others. */
        schedule->resuming += !has_job;
        whorl_event_reset(&schedule->changed);
        err = whorl_event_wait(&schedule->changed);
        schedule->resuming -= !has_job;
    }
    if (item->is_moving) {
        item->is_moving = false;
        host->moving--;
        host->active++;
    }
    schedule->paused--;
    schedule->running++;
    start_request(item);
    update_ready(schedule, item->host);
    whorl_event_set(&schedule->changed);
    return err;
}

/* The host has accepted a connection. */
static void note_connection(struct schedule_host *host)
{
    host->refusals = 0;
    if (host->is_connected) /* TLS may fail again */
        return;
    host->failures = 0;
    if (!host->is_silent)
        host->down_until_ns = 0;
}

/* The host has sent a response. */
static void note_response(struct schedule_host *host)
{
    host->is_connected = false;
    note_connection(host);
}

void schedule_answered(struct schedule *schedule, struct schedule_item *item, int64_t silence_ns)
{
    struct pace *pace = &item->host->pace;

    note_response(item->host);
    if (silence_ns < 0) {
        pace_accept(pace, item->started_ns, whorl_now());
    } else {
        pace_refuse(pace, item->started_ns, whorl_now(), silence_ns);
    }
    end_request(schedule, item);
}

int64_t schedule_silence_ns(const struct schedule_item *item)
{
    const struct pace *pace = &item->host->pace;
    int64_t next_ns = pace_next(pace), now = whorl_now();

    if (next_ns == WHORL_FOREVER) /* until another request has been answered, too */
        next_ns = pace->held_until_ns;
    return next_ns > now ? next_ns - now : 0;
}

bool schedule_take_connection(struct schedule *schedule, struct schedule_item *item)
{
    struct schedule_host *host = item->host;

    if (host->active >= schedule->per_host || !TAILQ_EMPTY(&host->waiting) || !is_in_pace(host))
        return false;
    host->active++;
    return true;
}

void schedule_free_connection(struct schedule *schedule, struct schedule_item *item)
{
    item->host->active--;
    update_ready(schedule, item->host);
    whorl_event_set(&schedule->changed);
}

struct schedule_host *schedule_take_place(struct schedule *schedule, const char *url)
{
    char *name = name_host(url);
    struct schedule_host *host = name && *name ? get_host(schedule, name) : NULL;

    free(name);
    if (!host)
        return NULL;
    if (host->active >= schedule->per_host || !TAILQ_EMPTY(&host->waiting) || is_down(host) ||
        !is_in_pace(host)) {
        drop_unused(schedule, host);
        return NULL;
    }
    host->active++;
    return host;
}

void schedule_free_place(struct schedule *schedule, struct schedule_host *host)
{
    host->active--;
    update_ready(schedule, host);
    drop_unused(schedule, host);
    whorl_event_set(&schedule->changed);
}

void schedule_end(struct schedule *schedule, struct schedule_item *item)
{
    struct schedule_host *host = item->host;

    end_request(schedule, item);
    free(item);
    host->active--;
    schedule->running--;
    update_ready(schedule, host);
    drop_unused(schedule, host);
    whorl_event_set(&schedule->changed);
}

/* Returns the host, or NULL if no item uses it and it is not down, or if there is no memory. */
static struct schedule_host *find_host(const struct schedule *schedule, const char *host,
                                       uint16_t port)
{
    char *name = format_name(host, port);
    struct schedule_host *key = name ? create_host(name, 0) : NULL;
    struct schedule_host **found = key ? tfind(key, &schedule->hosts, compare_hosts) : NULL;

    free(key);
    free(name);
    return found ? *found : NULL;
}

void schedule_note_dial(struct schedule *schedule, const char *host, uint16_t port, int err)
{
    struct schedule_host *found = find_host(schedule, host, port);

    if (found && err == -ECONNREFUSED)
        found->refusals++;
    else if (found && err == 0)
        note_connection(found);
}

/* Remembers the host for as long as it would be down, also if no item uses it. */
static void list(struct schedule *schedule, struct schedule_host *host)
{
    if (host->is_listed)
        TAILQ_REMOVE(&schedule->down, host, in_down);
    else
        schedule->down_count++;
    TAILQ_INSERT_TAIL(&schedule->down, host, in_down);
    host->is_listed = true;
    host->listed_until_ns = whorl_after(down_ns);
}

static void mark_down(struct schedule *schedule, struct schedule_host *host, bool is_silent)
{
    /* A silence that is not over stays the cause. */
    host->is_silent = is_silent || (host->is_silent && is_down(host));
    list(schedule, host);
    host->down_until_ns = whorl_after(down_ns);
    update_ready(schedule, host);
    whorl_event_set(&schedule->changed);
    trim_down(schedule);
}

/* Finds a host, or makes one that no URL names: redirects lead to it. Returns NULL when there is no
 * memory. */
static struct schedule_host *find_or_make(struct schedule *schedule, const char *host,
                                          uint16_t port)
{
    struct schedule_host *found = find_host(schedule, host, port);
    char *name = found ? NULL : format_name(host, port);

    if (name)
        found = get_host(schedule, name);
    free(name);
    return found;
}

void schedule_give_up(struct schedule *schedule, const char *host, uint16_t port, int tries)
{
    struct schedule_host *found = find_host(schedule, host, port);

    if (found && found->refusals < tries)
        return;
    if (!found)
        found = find_or_make(schedule, host, port);
    if (!found)
        return;
    found->failure = 0;
    found->is_connected = false;
    mark_down(schedule, found, false);
}

void schedule_fail(struct schedule *schedule, const char *host, uint16_t port, int err,
                   bool is_connected)
{
    struct schedule_host *found = find_or_make(schedule, host, port);

    if (!found || is_down(found))
        return;
    if (found->failure != err)
        found->failures = 0;
    found->failure = err;
    found->is_connected = is_connected;
    if (++found->failures >= SCHEDULE_FAILURES_MAX) {
        mark_down(schedule, found, false);
    } else {
        list(schedule, found);
        trim_down(schedule);
    }
}

const char *schedule_host_name(const struct schedule_item *item)
{
    return item->host->name;
}

void schedule_silence(struct schedule *schedule, struct schedule_item *item)
{
    end_request(schedule, item);
    mark_down(schedule, item->host, true);
}

static int down_cause(const struct schedule_host *host, char ret[SCHEDULE_CAUSE_SIZE])
{
    bool has_failed = host && !host->is_silent && host->failure;

    if (has_failed)
        snprintf(ret, SCHEDULE_CAUSE_SIZE, "%d URLs in a row have failed: %s",
                 SCHEDULE_FAILURES_MAX, whorl_strerror(host->failure));
    else
        snprintf(ret, SCHEDULE_CAUSE_SIZE, "%s",
                 host && host->is_silent ? "it has asked for a pause that is too long"
                                         : "it has refused the connections of another URL");
    return has_failed ? host->failure : -ECONNREFUSED;
}

int schedule_item_down_cause(const struct schedule_item *item, char ret[SCHEDULE_CAUSE_SIZE])
{
    return down_cause(item->host, ret);
}

int schedule_down_cause(const struct schedule *schedule, const char *host, uint16_t port,
                        char ret[SCHEDULE_CAUSE_SIZE])
{
    return down_cause(find_host(schedule, host, port), ret);
}

bool schedule_is_down(const struct schedule_item *item)
{
    return is_down(item->host);
}

bool schedule_is_host_down(const struct schedule *schedule, const char *host, uint16_t port)
{
    const struct schedule_host *found = find_host(schedule, host, port);

    return found && is_down(found);
}
