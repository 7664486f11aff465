/* SPDX-License-Identifier: MIT */
/* Events and the state of the active transfers, see events.h. */
#include "tools/get/events.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <whorl/http.h>
#include <whorl/task.h>

#include "tools/get/outcome.h"

const char *phase_name(enum phase phase)
{
    static const char *const names[PHASES] = {
        "queue",      "redirects", "DNS",  "connect",      "TLS",
        "first byte", "body",      "disk", "retry pauses", "throttled",
    };

    return names[phase];
}

void events_add_sink(struct events *events, struct event_sink *sink)
{
    struct event_sink **at = &events->sinks;

    while (*at)
        at = &(*at)->next;
    *at = sink;
}

/* Hands an event to the sinks. Fills in what it shares with all events of the transfer. */
static void tell(struct events *events, struct followed *followed, struct event *event)
{
    event->followed = followed;
    if (followed) {
        event->id = followed->id;
        event->url = followed->url;
    }
    if (event->time_ns == 0)
        event->time_ns = whorl_now();
    for (struct event_sink *sink = events->sinks; sink; sink = sink->next)
        sink->take(sink, event);
}

void events_queue(struct events *events, uint64_t id, const char *url, const char *list, long line,
                  struct crawl_place place)
{
    struct event event = {
        .kind = EVENT_QUEUED, .id = id, .url = url, .list = list, .line = line, .place = place};

    tell(events, NULL, &event);
}

/* --- phases ----------------------------------------------------------------------------------- */

static void tell_span(struct events *events, struct followed *followed, enum phase phase,
                      int64_t from_ns, int64_t to_ns)
{
    struct event event = {
        .kind = EVENT_SPAN, .phase = phase, .from_ns = from_ns, .to_ns = to_ns, .time_ns = to_ns};

    if (to_ns <= from_ns)
        return;
    followed->spent_ns[phase] += to_ns - from_ns;
    events->spent_ns[phase] += to_ns - from_ns;
    tell(events, followed, &event);
}

/* Ends the present phase at `now`. Before the response, the phases of a try are only noted: a
 * redirect changes what they were. When there is no room, the phase counts for the one before. */
static void mark(struct events *events, struct followed *followed, enum phase phase, int64_t now,
                 bool final)
{
    size_t room = sizeof followed->marks / sizeof followed->marks[0];

    if (final)
        tell_span(events, followed, followed->mark.phase, followed->mark.since_ns, now);
    else if (followed->marks_count < room)
        followed->marks[followed->marks_count++] = followed->mark;
    followed->mark = (struct phase_mark){phase, now};
}

/* Tells the phases that were noted. */
static void tell_marks(struct events *events, struct followed *followed)
{
    for (size_t i = 0; i < followed->marks_count; i++) {
        const struct phase_mark *next =
            i + 1 < followed->marks_count ? &followed->marks[i + 1] : &followed->mark;
        tell_span(events, followed, followed->marks[i].phase, followed->marks[i].since_ns,
                  next->since_ns);
    }
    followed->marks_count = 0;
}

static bool before_response(const struct followed *followed)
{
    return !followed->receiving && followed->tries > 0 && followed->mark.phase < PHASE_BODY;
}

void events_enter(struct events *events, struct followed *followed, enum phase phase)
{
    if (followed && followed->mark.phase != phase)
        mark(events, followed, phase, whorl_now(), !before_response(followed));
}

/* Until now, the try has only led to another URL. Time in the queue stays what it is. */
static void note_redirect(struct followed *followed, int64_t now)
{
    size_t count = 0, room = sizeof followed->marks / sizeof followed->marks[0];

    for (size_t i = 0; i <= followed->marks_count; i++) {
        struct phase_mark mark = i < followed->marks_count ? followed->marks[i] : followed->mark;
        if (mark.phase != PHASE_QUEUE)
            mark.phase = PHASE_REDIRECT;
        if (count == 0 || (count < room && followed->marks[count - 1].phase != mark.phase))
            followed->marks[count++] = mark;
    }
    followed->marks_count = count;
    followed->mark = (struct phase_mark){PHASE_QUEUE, now};
}

static bool is_https(const char *url)
{
    return url && strncasecmp(url, "https:", 6) == 0;
}

/* Nothing of the request's body has been sent by this attempt. */
static void reset_sending(struct followed *followed)
{
    followed->sending = false;
    followed->sent = 0;
}

/* Follows the body of a request. A short one is sent at once, and is only reported at its end. */
static void note_sending(struct events *events, struct followed *followed,
                         const struct whorl_http_event *event)
{
    struct event upload = {.kind = EVENT_UPLOAD, .time_ns = whorl_now()};

    if (event->kind == WHORL_HTTP_EVENT_SENDING) {
        if (!followed->sending) {
            followed->rate = 0;
            followed->rated = 0;
        }
        followed->sending = true;
        followed->sent = event->bytes;
        followed->send_length = event->length;
        followed->moved_ns = upload.time_ns;
    } else if (event->bytes > 0) {
        followed->sent = followed->send_length = event->bytes;
        tell(events, followed, &upload);
        followed->sending = false;
        followed->rate = 0;
    }
}

void events_observe(struct events *events, struct followed *followed,
                    const struct whorl_http_event *event)
{
    if (event->kind == WHORL_HTTP_EVENT_END && event->info->limited_ns > 0)
        followed->limited_ns += event->info->limited_ns;
    if (!before_response(followed))
        return;
    switch (event->kind) {
    case WHORL_HTTP_EVENT_REQUEST_HEAD:
        reset_sending(followed);
        break;
    case WHORL_HTTP_EVENT_SENDING:
    case WHORL_HTTP_EVENT_SENT:
        note_sending(events, followed, event);
        break;
    case WHORL_HTTP_EVENT_START:
        followed->https = is_https(event->url);
        break;
    case WHORL_HTTP_EVENT_REDIRECT:
        note_redirect(followed, whorl_now());
        followed->https = is_https(event->url);
        break;
    case WHORL_HTTP_EVENT_QUEUE:
    case WHORL_HTTP_EVENT_RETRY:
    case WHORL_HTTP_EVENT_AUTH:
        events_enter(events, followed, PHASE_QUEUE);
        break;
    case WHORL_HTTP_EVENT_OPEN:
    case WHORL_HTTP_EVENT_RESOLVED:
    case WHORL_HTTP_EVENT_PROXY_REQUEST:
        events_enter(events, followed, PHASE_CONNECT);
        break;
    case WHORL_HTTP_EVENT_RESOLVE:
        events_enter(events, followed, PHASE_DNS);
        break;
    case WHORL_HTTP_EVENT_CONNECTED:
    case WHORL_HTTP_EVENT_PROXY_RESPONSE:
        if (followed->https)
            events_enter(events, followed, PHASE_TLS);
        break;
    case WHORL_HTTP_EVENT_REUSE:
    case WHORL_HTTP_EVENT_READY:
        events_enter(events, followed, PHASE_FIRST_BYTE);
        break;
    default:
        break;
    }
}

/* --- the course of a transfer ----------------------------------------------------------------- */

void events_start(struct events *events, struct followed *followed)
{
    struct event event = {.kind = EVENT_STARTED, .time_ns = whorl_now()};

    if (!events->last)
        events->last = &events->first;
    followed->next = NULL;
    followed->link = events->last;
    *events->last = followed;
    events->last = &followed->next;
    events->active++;
    followed->started_ns = event.time_ns;
    followed->length = -1;
    followed->mark = (struct phase_mark){PHASE_QUEUE, followed->queued_ns};
    tell(events, followed, &event);
    mark(events, followed, PHASE_QUEUE, event.time_ns, true);
}

void events_try(struct events *events, struct followed *followed)
{
    if (!followed)
        return;
    mark(events, followed, PHASE_QUEUE, whorl_now(), true);
    followed->tries++;
    followed->receiving = false;
    reset_sending(followed);
    followed->connections = 0;
}

void events_resolve(struct events *events, struct followed *followed, const char *host,
                    const struct whorl_addr *addrs, size_t count, int64_t duration_ns)
{
    struct event event = {.kind = EVENT_RESOLVED,
                          .host = host,
                          .addrs = addrs,
                          .addrs_count = count,
                          .duration_ns = duration_ns};

    if (followed)
        tell(events, followed, &event);
}

void events_connect(struct events *events, struct followed *followed, const char *host,
                    const struct whorl_addr *addr, int64_t duration_ns)
{
    struct event event = {.kind = EVENT_CONNECTED,
                          .host = host,
                          .addrs = addr,
                          .addrs_count = 1,
                          .duration_ns = duration_ns};

    if (followed)
        tell(events, followed, &event);
}

/* Ends the phases of a try. */
static void settle(struct events *events, struct followed *followed, enum phase phase, int64_t now)
{
    bool early = before_response(followed);

    if (early)
        tell_marks(events, followed);
    mark(events, followed, phase, now, true);
    followed->receiving = false;
    followed->sending = false;
    followed->connections = 0;
    followed->rate = 0;
}

void events_headers(struct events *events, struct followed *followed,
                    const struct whorl_http_response *response, int64_t have, int64_t length)
{
    struct event event = {.kind = EVENT_HEADERS, .response = response, .time_ns = whorl_now()};

    if (!followed)
        return;
    int connections = followed->connections; /* may have been counted already */
    settle(events, followed, PHASE_BODY, event.time_ns);
    followed->connections = connections > 0 ? connections : 1;
    followed->receiving = true;
    followed->have = followed->counted = have;
    followed->rated = have;
    if (length != followed->length) /* the file is another one, so it has another share */
        followed->most = have;
    followed->length = length;
    followed->moved_ns = event.time_ns;
    if (followed->most < have)
        followed->most = have;
    tell(events, followed, &event);
}

void events_note_progress(struct events *events, struct followed *followed, int64_t have)
{
    if (!followed || have <= followed->have)
        return;
    followed->have = have;
    if (have > followed->most)
        followed->most = have;
    events->received += have - followed->counted;
    followed->counted = have;
    if (have == followed->length)
        events_enter(events, followed, PHASE_DISK);
}

void events_verify(struct events *events, struct followed *followed, const char *hash)
{
    struct event event = {.kind = EVENT_VERIFIED, .hash = hash};

    if (followed)
        tell(events, followed, &event);
}

static void note_cause(struct followed *followed, const struct outcome *outcome)
{
    if (outcome->error.code == 0 && outcome->status > 0)
        snprintf(followed->cause, sizeof followed->cause, "%d", outcome->status);
    else
        snprintf(followed->cause, sizeof followed->cause, "%s", outcome->error.step);
}

void events_note_limited(struct events *events, struct followed *followed, int64_t limited_ns)
{
    if (!followed)
        return;
    /* The last wait may be after the last byte, which ends this phase. */
    if (limited_ns > followed->spent_ns[PHASE_BODY])
        limited_ns = followed->spent_ns[PHASE_BODY];
    followed->spent_ns[PHASE_BODY] -= limited_ns;
    followed->spent_ns[PHASE_THROTTLED] += limited_ns;
    events->spent_ns[PHASE_BODY] -= limited_ns;
    events->spent_ns[PHASE_THROTTLED] += limited_ns;
}

void events_retry(struct events *events, struct followed *followed, const struct outcome *outcome,
                  int64_t delay_ns, bool throttled)
{
    struct event event = {
        .kind = EVENT_RETRY, .outcome = outcome, .delay_ns = delay_ns, .time_ns = whorl_now()};

    if (!followed)
        return;
    settle(events, followed, throttled ? PHASE_THROTTLED : PHASE_RETRY, event.time_ns);
    followed->pause_until_ns = whorl_after(delay_ns);
    note_cause(followed, outcome);
    tell(events, followed, &event);
}

static void leave(struct events *events, struct followed *followed)
{
    *followed->link = followed->next;
    if (followed->next)
        followed->next->link = followed->link;
    else
        events->last = followed->link;
    followed->link = NULL;
    events->active--;
}

/* The waits for limiters interrupt the body many times, so they have no spans. Connections that
 * receive a body together also wait together. */
static void take_limited(struct events *events, struct followed *followed)
{
    int64_t body_ns = followed->spent_ns[PHASE_BODY];
    int64_t ns = followed->limited_ns < body_ns ? followed->limited_ns : body_ns;

    followed->spent_ns[PHASE_BODY] -= ns;
    followed->spent_ns[PHASE_THROTTLED] += ns;
    events->spent_ns[PHASE_BODY] -= ns;
    events->spent_ns[PHASE_THROTTLED] += ns;
}

void events_end(struct events *events, struct followed *followed, uint64_t id,
                const struct outcome *outcome)
{
    struct event event = {.kind = EVENT_DONE,
                          .id = id,
                          .url = outcome->url,
                          .outcome = outcome,
                          .time_ns = whorl_now()};

    if (followed) {
        settle(events, followed, followed->mark.phase, event.time_ns);
        take_limited(events, followed);
        leave(events, followed);
    }
    tell(events, followed, &event);
}

/* --- rates ------------------------------------------------------------------------------------ */

/* Updates a rate in bytes per second. The rate is an average over about two seconds. */
static void smooth(double *rate, int64_t gained, int64_t elapsed_ns)
{
    double now = (double)gained * 1e9 / (double)(elapsed_ns > 0 ? elapsed_ns : 1);
    double weight = (double)elapsed_ns / 2e9;

    if (weight > 1 || *rate == 0)
        weight = 1;
    *rate += (now - *rate) * weight;
}

void events_tick(struct events *events)
{
    int64_t now = whorl_now();
    int64_t since_ns = events->ticked_ns ? events->ticked_ns : events->started_ns;
    struct followed *next;

    if (now <= since_ns)
        return;
    for (struct followed *followed = events->first; followed; followed = next) {
        struct event event = {.kind = followed->sending ? EVENT_UPLOAD : EVENT_PROGRESS,
                              .time_ns = now};
        int64_t moved = followed->sending ? followed->sent : followed->have;
        next = followed->next;
        if (!followed->receiving && !followed->sending)
            continue;
        if (moved > followed->rated)
            followed->moved_ns = now;
        smooth(&followed->rate, moved - followed->rated, now - since_ns);
        followed->rated = moved;
        tell(events, followed, &event);
    }
    smooth(&events->rate, events->received - events->rated, now - since_ns);
    events->rated = events->received;
    events->ticked_ns = now;
}

double followed_share(const struct followed *followed)
{
    if (followed->sending)
        return followed->send_length > 0 ? (double)followed->sent / (double)followed->send_length
                                         : -1;
    if (followed->length <= 0)
        return -1;
    return followed->most >= followed->length ? 1
                                              : (double)followed->most / (double)followed->length;
}

int64_t followed_left_ns(const struct followed *followed)
{
    int64_t length = followed->sending ? followed->send_length : followed->length;
    int64_t left = length - (followed->sending ? followed->sent : followed->have);
    bool is_moving = followed->receiving || followed->sending;

    if (!is_moving || length < 0 || left < 0 || followed->rate < 1)
        return -1;
    return (int64_t)((double)left / followed->rate * 1e9);
}
