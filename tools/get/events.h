/* SPDX-License-Identifier: MIT */
/* What happens to the transfers, as events. The transfers report them, and sinks show them: the
 * lines and objects of the report, the stream of --events, and so on. The bars draw the state that
 * the events leave in each struct followed.
 *
 *     reader      events_queue()
 *     transfer    events_start()
 *                     events_try()
 *                     events_observe(), events_connect()       while there is no response
 *                     events_headers()
 *                     events_note_progress()                   any number of times
 *                     events_retry()                           and back to events_try()
 *                     events_verify()
 *                 events_end()
 *
 * Each call hands the event to all sinks before it returns. Nothing here does I/O or suspends:
 * sinks note the event or add to a buffer. All times are those of whorl_now().
 */
#ifndef WHORL_GET_EVENTS_H
#define WHORL_GET_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/base.h>

#include "tools/get/crawl_place.h"

struct outcome;
struct timeline_lane;
struct whorl_addr;
struct whorl_http_event;
struct whorl_http_response;
struct whorl_url;

/* What a transfer does or waits for. A transfer is in one phase at any time, from events_queue() to
 * events_end(). */
enum phase {
    PHASE_QUEUE,      /* waits for its turn, or for a free connection */
    PHASE_REDIRECT,   /* exchanges whose response led elsewhere */
    PHASE_DNS,        /* resolves the name of the host */
    PHASE_CONNECT,    /* connects, also through a proxy */
    PHASE_TLS,        /* the handshake */
    PHASE_FIRST_BYTE, /* has sent the request and waits for the response */
    PHASE_BODY,       /* receives the body */
    PHASE_DISK,       /* has the whole body and waits until the file has its name */
    PHASE_RETRY,      /* pauses before a retry */
    PHASE_THROTTLED,  /* waits because the server or the user limits the rate */
    PHASES,
};

enum event_kind {
    EVENT_QUEUED,    /* the URL is known */
    EVENT_STARTED,   /* its turn has come */
    EVENT_RESOLVED,  /* `host` has the addresses `addrs` */
    EVENT_CONNECTED, /* to `host` at `addrs` */
    EVENT_UPLOAD,    /* the body of the request is being sent; at most ten times per second, and
                        once when it has been sent to its end */
    EVENT_HEADERS,   /* `response` has arrived */
    EVENT_PROGRESS,  /* the body has grown; at most ten times per second and transfer */
    EVENT_RETRY,     /* the try failed, as `outcome` says; the next one follows after `delay_ns` */
    EVENT_VERIFIED,  /* the body is complete and is what was announced */
    EVENT_DONE,      /* the transfer has ended, as `outcome` says */
    EVENT_SPAN,      /* a phase is over: `phase` lasted from `from_ns` to `to_ns` */
};

/* The phase which a transfer has been in since a time. */
struct phase_mark {
    enum phase phase;
    int64_t since_ns;
};

/* A transfer between events_start() and events_end(). It belongs to the transfer's task. Only the
 * first block is set by the caller; its pointers are borrowed. */
struct followed {
    uint64_t id; /* the number of the URL, from 1 */
    const char *url;
    const char *name;           /* of the file; may contain any bytes */
    const struct whorl_url *at; /* the URL, parsed */
    int64_t queued_ns;          /* when the URL became known */

    struct followed *next, **link;
    int64_t started_ns;
    int tries;
    struct phase_mark mark; /* what it does now */
    bool receiving;         /* there is a response, and its body is being received */
    bool sending;           /* the body of the request is being sent, in several parts */
    int64_t sent;           /* bytes of this body; a redirect or a retry begins at 0 again */
    int64_t send_length;    /* of this body; -1: unknown; valid while `sending` */
    int connections;        /* on which the body is being received */
    int64_t have;           /* bytes of the body that are here; what a resumed try need not fetch
                               counts, too */
    int64_t length;         /* of the body as announced; -1: unknown */
    int64_t most; /* the largest `have` of all tries of this length: a percentage does not fall */
    double rate;  /* bytes per second, smoothed */
    int64_t moved_ns;       /* when `have` last grew, or the body began */
    int64_t pause_until_ns; /* valid in PHASE_RETRY and PHASE_THROTTLED before a retry */
    char cause[48];         /* of the last failed try: "503", "connect"; escaped */

    bool https; /* the scheme of the present request */

    /* The phases of this try until its response. */
    struct phase_mark marks[8];
    size_t marks_count;
    int64_t counted;            /* the part of `have` that events.received counts already */
    int64_t rated;              /* `have` or, while sending, `sent` at the last tick */
    int64_t spent_ns[PHASES];   /* in phases that are over */
    int64_t limited_ns;         /* waits for limiters, by all connections, while in PHASE_BODY */
    int64_t told, told_ns;      /* `have`, and when the stream of --events last had it */
    struct timeline_lane *lane; /* of --timeline, which sets and owns it; or NULL */
};

/* An event. Fields that the kind does not mention are zero. Valid during the call. */
struct event {
    enum event_kind kind;
    int64_t time_ns;
    uint64_t id;               /* 0: a line that is not a URL */
    const char *url;           /* as the user gave it; NULL: a line that is not a URL */
    struct followed *followed; /* NULL when the transfer has not started */
    const char *list;          /* QUEUED: the list which contains the URL; or NULL */
    long line;
    struct crawl_place place;       /* QUEUED */
    const char *host;               /* RESOLVED, CONNECTED */
    const struct whorl_addr *addrs; /* RESOLVED: those of the host; CONNECTED: the one reached */
    size_t addrs_count;
    int64_t duration_ns; /* RESOLVED: of the lookup; CONNECTED: since its end */
    const struct whorl_http_response *response;
    const struct outcome *outcome;
    const char *hash; /* VERIFIED: of the strongest hash that was compared; NULL: none */
    int64_t delay_ns;
    enum phase phase;
    int64_t from_ns, to_ns;
};

/* Takes the events. It must neither suspend nor keep the event. */
struct event_sink {
    struct event_sink *next;
    void (*take)(struct event_sink *sink, const struct event *event);
};

/* Set `started_ns`. All other fields start at zero. */
struct events {
    int64_t started_ns;             /* of the program */
    struct event_sink *sinks;       /* see events_add_sink() */
    struct followed *first, **last; /* the active transfers, in the order of their start */
    size_t active;
    int64_t received; /* bytes of bodies, also of tries that failed; never falls */
    double rate;      /* of `received`, bytes per second, smoothed */
    int64_t ticked_ns;
    int64_t rated;            /* `received` at the last tick */
    int64_t spent_ns[PHASES]; /* by all transfers together, in phases that are over */
};

/* The name of a phase: "queue", "first byte". */
const char *phase_name(enum phase phase);

/* Adds a sink, which gets every event after those that were added before. */
void events_add_sink(struct events *events, struct event_sink *sink);

/* The functions below accept a NULL `followed` and then do nothing, unless they say otherwise. */

void events_queue(struct events *events, uint64_t id, const char *url, const char *list, long line,
                  struct crawl_place place);

/* The transfer begins. `followed` must stay where it is until events_end(). */
void events_start(struct events *events, struct followed *followed);

/* A try begins. */
void events_try(struct events *events, struct followed *followed);

/* The transfer is in another phase from now on. */
void events_enter(struct events *events, struct followed *followed, enum phase phase);

/* Follows the phases of a request until its response, and how long its body waited for limiters. */
void events_observe(struct events *events, struct followed *followed,
                    const struct whorl_http_event *event);

/* The host has these addresses. A connection to the host exists. */
void events_resolve(struct events *events, struct followed *followed, const char *host,
                    const struct whorl_addr *addrs, size_t count, int64_t duration_ns);
void events_connect(struct events *events, struct followed *followed, const char *host,
                    const struct whorl_addr *addr, int64_t duration_ns);

/* The head of a response has arrived. `have` bytes of the body are here already, of `length` or -1.
 * A transfer that splits its file calls this for the first response only. */
void events_headers(struct events *events, struct followed *followed,
                    const struct whorl_http_response *response, int64_t have, int64_t length);

/* `have` bytes of the body are here. May be called for every read. */
void events_note_progress(struct events *events, struct followed *followed, int64_t have);

/* The body is complete and correct, and its file has its name. `hash` is the name of the strongest
 * hash that was compared; NULL: none. */
void events_verify(struct events *events, struct followed *followed, const char *hash);

/* Of the time in PHASE_BODY, this much was spent in waiting for --limit-rate. */
void events_note_limited(struct events *events, struct followed *followed, int64_t limited_ns);

/* The try failed, and the next one follows after a pause. `throttled`: the server asked for it. */
void events_retry(struct events *events, struct followed *followed, const struct outcome *outcome,
                  int64_t delay_ns, bool throttled);

/* The transfer is over. `followed` is NULL for one that did not start; `id` is 0 for a line that is
 * not a URL. */
void events_end(struct events *events, struct followed *followed, uint64_t id,
                const struct outcome *outcome);

/* Updates the rates, and reports EVENT_PROGRESS of all transfers whose body is being received, and
 * EVENT_UPLOAD of those whose request is being sent. */
void events_tick(struct events *events);

/* The share of the body that is here, in [0, 1]; negative when the length is unknown. It does not
 * fall when a try begins again. While the transfer is sending, the share of the body that has been
 * sent. */
double followed_share(const struct followed *followed);

/* The time until the body is complete at this rate; -1 when it cannot be known. */
int64_t followed_left_ns(const struct followed *followed);

#endif
