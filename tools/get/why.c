/* SPDX-License-Identifier: MIT */
/* Where the time went, see why.h. */
#include "tools/get/why.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "tools/get/text.h"

static void take(struct event_sink *sink, const struct event *event)
{
    struct why *why = (struct why *)((char *)sink - offsetof(struct why, sink));

    if (event->kind != EVENT_DONE || !event->followed)
        return;
    why->transfers++;
    for (int i = 0; i < PHASES; i++) {
        if (event->followed->spent_ns[i] <= why->longest[i].ns)
            continue;
        why->longest[i].ns = event->followed->spent_ns[i];
        buffer_clear(&why->longest[i].url);
        buffer_add(&why->longest[i].url, event->url, strlen(event->url));
    }
}

void why_attach(struct why *why, struct events *events)
{
    why->events = events;
    why->sink.take = take;
    events_add_sink(events, &why->sink);
}

/* What it means that most of the time was spent in a phase. */
static const char *meaning_of(enum phase phase)
{
    static const char *const meanings[PHASES] = {
        [PHASE_QUEUE] = "waiting for a turn or a connection; raise --jobs or --per-host",
        [PHASE_REDIRECT] = "following redirects; the final URLs would be faster",
        [PHASE_DNS] = "resolving names; the name server is slow",
        [PHASE_CONNECT] = "connecting; the servers are far away, or slow to accept",
        [PHASE_TLS] = "TLS handshakes; fewer and longer connections would help",
        [PHASE_FIRST_BYTE] = "waiting for the servers to answer",
        [PHASE_BODY] = "receiving bodies; the network or the servers set the speed",
        [PHASE_DISK] = "waiting for the disk",
        [PHASE_RETRY] = "pausing before retries of failures",
        [PHASE_THROTTLED] = "waiting because a rate is limited",
    };

    return meanings[phase];
}

static void add_url(struct buffer *ret, const struct buffer *url)
{
    size_t room = 4 * url->len + 4;
    char *to = url->failed || !url->text ? NULL : buffer_room(ret, room);

    if (to)
        ret->len += text_escape_url(to, room + 1, url->text);
}

static int percent(int64_t part, int64_t all)
{
    return (int)(100.0 * (double)part / (double)all + 0.5);
}

void why_format(struct buffer *ret, const struct why *why)
{
    const int64_t *spent_ns = why->events->spent_ns;
    char sum[TEXT_NUMBER_SIZE], longest[TEXT_NUMBER_SIZE];
    int64_t all_ns = 0;
    int most = 0;

    for (int i = 0; i < PHASES; i++) {
        all_ns += spent_ns[i];
        if (spent_ns[i] > spent_ns[most])
            most = i;
    }
    if (why->transfers == 0 || all_ns == 0) {
        buffer_printf(ret, "whorl-get: no transfer has started, so no time was spent\n");
        return;
    }
    buffer_printf(ret, "whorl-get: %llu transfer%s spent %d %% of %s %s\n",
                  (unsigned long long)why->transfers, why->transfers == 1 ? "" : "s",
                  percent(spent_ns[most], all_ns), text_time(sum, all_ns),
                  meaning_of((enum phase)most));
    buffer_printf(ret, "  %-12s %8s %6s %8s  %s\n", "", "all", "share", "longest", "of");
    for (int i = 0; i < PHASES; i++) {
        if (spent_ns[i] == 0)
            continue;
        buffer_printf(ret, "  %-12s %8s %4d %% %8s  ", phase_name((enum phase)i),
                      text_time(sum, spent_ns[i]), percent(spent_ns[i], all_ns),
                      text_time(longest, why->longest[i].ns));
        add_url(ret, &why->longest[i].url);
        buffer_printf(ret, "\n");
    }
}

void why_finish(struct why *why)
{
    for (int i = 0; i < PHASES; i++)
        buffer_finish(&why->longest[i].url);
}
