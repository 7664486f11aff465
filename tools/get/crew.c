/* SPDX-License-Identifier: MIT */
/* The connections of one file, see crew.h. */
#include "tools/get/crew.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/task.h>

#include "tools/get/gain.h"

enum { CONNECTIONS_AUTO = 4 }; /* at most, unless the user asks for more */

static const int64_t tick_ns = 100 * WHORL_MILLISECOND;
static const int64_t sync_ns =
    10 * WHORL_SECOND;                    /* between two times that bytes are made durable */
static const int64_t piece_min = 1 << 20; /* a file is not cut into shorter pieces */

/* A connection besides the first one. Its task owns it. */
struct helper {
    TAILQ_ENTRY(helper) in_crew;
    struct crew *crew;
    struct piece piece;
    struct whorl_error error;
    void *place;              /* of take_connection(); NULL: it rests */
    size_t mirror;            /* 0: the first URL; otherwise the mirror `mirror - 1` */
    struct whorl_scope scope; /* valid while the task runs */
    bool has_scope;
};

TAILQ_HEAD(helpers, helper);

struct crew {
    struct download *download;
    struct piece first;
    struct helpers helpers; /* the newest is last */
    int count;              /* connections that receive, the first one included */
    struct gain gain;
    struct whorl_event
        changed; /* a helper rests or has ended, there is a gap, or time has passed */
    struct whorl_group *group;
    struct whorl_scope scope; /* of everything; cancelled when `fatal` is set */
    int fatal;                /* why all connections must end; 0: nothing */
    struct whorl_error error; /* its details, if it is negative */
};

static void show_count(struct crew *crew)
{
    if (crew->download->show_connections)
        crew->download->show_connections(crew->download->arg, crew->count);
}

static int64_t left_of(const struct download *d)
{
    return d->part.journal.length - ranges_sum(&d->part.journal.done);
}

/* Ends all connections. `err` is a verdict, or a negative code whose details are in `error`. */
static void stop_all(struct crew *crew, int err)
{
    if (crew->fatal)
        return;
    crew->fatal = err;
    whorl_scope_cancel(&crew->scope);
}

/* Notes why the file is fetched afresh. */
static void note_afresh(struct download *d, const struct piece *piece)
{
    snprintf(d->afresh, sizeof d->afresh, "%s", piece->why);
    d->is_corrupt = piece->is_corrupt && !piece_is_of_mirror(piece);
    if (d->is_corrupt && d->is_mixed) /* the bytes of a mirror are wrong */
        d->mirrors_count = 0;
}

static WHORL_SUSPENDS int wait_change(struct crew *crew)
{
    int err = whorl_event_wait(&crew->changed);

    whorl_event_reset(&crew->changed);
    return err;
}

/* Whether there is something to receive for a connection with this speed. */
static bool is_work(const struct crew *crew, const struct speed *speed)
{
    const struct download *d = crew->download;

    return claims_have(&d->claims, &d->part.journal.done, d->part.journal.length, whorl_now(),
                       speed);
}

/* Claims bytes. A connection that loses its claim stops waiting for them. */
static bool take_claim(struct crew *crew, struct claim *ret)
{
    struct download *d = crew->download;
    struct helper *helper;

    if (!claims_take(&d->claims, &d->part.journal.done, d->part.journal.length, whorl_now(), ret))
        return false;
    if (crew->first.claim.is_lost)
        piece_stop_waiting(&crew->first);
    TAILQ_FOREACH(helper, &crew->helpers, in_crew)
    if (helper->piece.claim.is_lost)
        piece_stop_waiting(&helper->piece);
    return true;
}

/* Helpers */

/* Gives the place of a helper to others. */
static void free_place(struct helper *helper)
{
    struct crew *crew = helper->crew;
    struct download *d = crew->download;

    if (!helper->place)
        return;
    d->free_connection(d->arg, helper->place);
    helper->place = NULL;
    crew->count--;
    show_count(crew);
    whorl_event_set(&crew->changed);
}

/* Takes a place at the same URL again. */
static bool take_place_again(struct helper *helper)
{
    struct crew *crew = helper->crew;
    struct download *d = crew->download;

    if (helper->place)
        return true;
    if (crew->count < crew->gain.most)
        helper->place = d->take_connection(d->arg, helper->piece.source);
    if (!helper->place)
        return false;
    crew->count++;
    show_count(crew);
    return true;
}

/* Finds the next claim of a helper, which rests until there is one. Returns 1; 0 when the file is
 * complete; -ECANCELED. */
static WHORL_SUSPENDS int next_share(struct helper *helper)
{
    struct crew *crew = helper->crew;
    struct claim *claim = &helper->piece.claim;

    while (!part_is_complete(&crew->download->part)) {
        if (is_work(crew, &claim->speed) && take_place_again(helper) && take_claim(crew, claim))
            return 1;
        free_place(helper);
        int err = wait_change(crew);
        if (err)
            return err;
    }
    return 0;
}

/* Fetches claims until the file is complete. */
static WHORL_SUSPENDS int fetch_claims(struct helper *helper)
{
    struct download *d = helper->piece.download;
    struct piece *piece = &helper->piece;
    bool counted = false;
    int more;

    do {
        struct whorl_http_response *unused = NULL;
        int64_t at = piece->claim.at;
        int err = piece_fetch(piece, &unused);
        whorl_http_response_close(unused);
        if (piece->claim.at > at && !counted) {
            d->splits++;
            counted = true;
        }
        claims_drop(&d->claims, &piece->claim);
        if (err)
            return err;
        more = next_share(helper);
    } while (more > 0);
    return more;
}

/* What the end of a helper means for the others. */
static void judge_end(struct crew *crew, struct helper *helper, int err)
{
    bool is_local = err < 0 && (strcmp(helper->error.step, "write") == 0 ||
                                strcmp(helper->error.step, "read") == 0);

    /* Of a mirror that does not have the same bytes, nothing more is asked. */
    if (err && err != -ECANCELED && !is_local && helper->mirror > 0 && helper->mirror <= 64)
        crew->download->failed |= UINT64_C(1) << (helper->mirror - 1);
    if (helper->piece.is_corrupt && !piece_is_of_mirror(&helper->piece)) {
        note_afresh(crew->download, &helper->piece);
        stop_all(crew, DOWNLOAD_AFRESH);
    } else if (is_local && err != -ECANCELED) {
        crew->error = helper->error;
        stop_all(crew, err);
    } else if (err && helper->mirror == 0) {
        gain_give_up(&crew->gain, crew->count);
    }
}

/* The function of a helper's task; `arg` is the helper. */
static int help(void *arg)
{
    struct helper *helper = arg;
    struct crew *crew = helper->crew;

    whorl_scope_enter(&helper->scope, WHORL_FOREVER);
    helper->has_scope = true;
    int err = fetch_claims(helper);
    helper->has_scope = false;
    err = whorl_scope_leave(&helper->scope, err);
    claims_drop(&crew->download->claims, &helper->piece.claim);
    TAILQ_REMOVE(&crew->helpers, helper, in_crew);
    free_place(helper);
    judge_end(crew, helper, err);
    whorl_event_set(&crew->changed);
    free(helper);
    return 0;
}

/* Finds a URL whose host may have one more connection. The URLs take turns, and the first
 * connection has had the first turn. */
static bool take_place(struct download *d, struct helper *helper)
{
    for (size_t i = 0; i <= d->mirrors_count && !helper->place; i++) {
        size_t which = ++d->next_source % (d->mirrors_count + 1);
        bool failed = which > 0 && (which > 64 || d->failed >> (which - 1) & 1);
        const char *url = which ? d->mirrors[which - 1] : d->source;
        /* The first URL may be one of the mirrors. */
        if (failed || (which > 0 && strcmp(url, d->source) == 0))
            continue;
        helper->mirror = which;
        helper->piece.source = url;
        helper->place = d->take_connection(d->arg, url);
    }
    return helper->place != NULL;
}

/* Makes a helper, which has no claim yet. Returns NULL when the file may have no more connections,
 * or when there is no memory. */
static struct helper *make_helper(struct crew *crew)
{
    struct download *d = crew->download;
    struct helper *helper = calloc(1, sizeof *helper);

    if (!helper || !d->take_connection || !take_place(d, helper)) {
        free(helper);
        return NULL;
    }
    helper->crew = crew;
    helper->piece.download = d;
    helper->piece.own_connection = true;
    helper->piece.error = &helper->error;
    return helper;
}

static void drop_helper(struct helper *helper)
{
    struct download *d = helper->piece.download;

    claims_drop(&d->claims, &helper->piece.claim);
    d->free_connection(d->arg, helper->place);
    free(helper);
}

/* Starts the helper, which has a claim. */
static int start(struct crew *crew, struct helper *helper)
{
    int err = whorl_spawn(crew->group, help, helper);

    if (err) {
        drop_helper(helper);
        return err;
    }
    TAILQ_INSERT_TAIL(&crew->helpers, helper, in_crew);
    crew->count++;
    show_count(crew);
    return 0;
}

/* Adds one connection. Returns whether there was something to do for it. */
static bool add_helper(struct crew *crew)
{
    struct helper *helper = make_helper(crew);

    if (!helper)
        return false;
    if (!take_claim(crew, &helper->piece.claim)) {
        drop_helper(helper);
        return false;
    }
    return start(crew, helper) == 0;
}

/* Dismisses the newest connection that receives. */
static void dismiss_helper(struct crew *crew)
{
    struct helper *helper = TAILQ_LAST(&crew->helpers, helpers);

    while (helper && !helper->place)
        helper = TAILQ_PREV(helper, helpers, in_crew);
    if (helper && helper->has_scope)
        whorl_scope_cancel(&helper->scope);
}

/* Cuts the first claim into equal pieces, for as many connections as the user asks for. */
static void split_equally(struct crew *crew)
{
    struct download *d = crew->download;
    struct claim *claim = &crew->first.claim;
    struct helper *helpers[CLAIMS_MAX];
    int64_t at = claim->at, left = claim->end - at;
    int most = d->split < CLAIMS_MAX ? d->split : CLAIMS_MAX, n = 0;

    if (left / piece_min < most)
        most = (int)(left / piece_min);
    while (n + 1 < most && (helpers[n] = make_helper(crew)))
        n++;
    int64_t size = left / (n + 1), end = claim->end;
    for (int i = n; i > 0; i--) {
        struct helper *helper = helpers[i - 1];
        helper->piece.claim = (struct claim){.at = at + i * size, .end = end};
        if (!claims_add(&d->claims, &helper->piece.claim)) {
            drop_helper(helper);
            continue;
        }
        end = claim->end = at + i * size;
        if (start(crew, helper))
            end = claim->end; /* the bytes become a gap */
    }
}

/* The function of the governor's task; `arg` is the crew. */
static int govern(void *arg)
{
    struct crew *crew = arg;
    struct download *d = crew->download;
    int err;

    while ((err = whorl_sleep(tick_ns)) == 0) {
        whorl_event_set(&crew->changed);
        if (whorl_now() - d->part.synced_ns >= sync_ns) {
            err = part_sync(&d->part);
            if (err == -ECANCELED)
                break;
            if (err) {
                whorl_error_set(&crew->error, err, "write", "%s", whorl_strerror(err));
                stop_all(crew, err);
                break;
            }
        }
        if (d->split)
            continue;
        switch (gain_decide(&crew->gain, whorl_now(), d->received, left_of(d), crew->count)) {
        case GAIN_ADD:
            if (!add_helper(crew))
                gain_give_up(&crew->gain, crew->count);
            break;
        case GAIN_DROP:
            dismiss_helper(crew);
            break;
        case GAIN_KEEP:
            break;
        }
    }
    return err;
}

/* The first piece */

/* Claims what is missing. Prefers what comes first: then a hash sees most bytes as they arrive.
 * Waits while helpers fetch the rest. Returns 1; 0 when the file is complete; -ECANCELED. */
static WHORL_SUSPENDS int next_claim(struct crew *crew)
{
    struct download *d = crew->download;
    const struct ranges *done = &d->part.journal.done;
    int64_t length = d->part.journal.length;
    struct claim *claim = &crew->first.claim;

    while (!part_is_complete(&d->part)) {
        if (claims_take_first(&d->claims, done, length, claim) || take_claim(crew, claim))
            return 1;
        int err = wait_change(crew);
        if (err)
            return err;
    }
    return 0;
}

/* The first connection has failed. Waits until the helpers have completed the file, or none of them
 * receives. Returns 0 when the file is complete, else `err`. */
static WHORL_SUSPENDS int wait_helpers(struct crew *crew, int err)
{
    const struct download *d = crew->download;

    if (crew->first.is_corrupt || err == -ECANCELED || part_is_complete(&d->part) ||
        TAILQ_EMPTY(&crew->helpers))
        return err;
    crew->count--;
    /* Those that rest find the gap before the next tick. */
    whorl_event_set(&crew->changed);
    whorl_event_reset(&crew->changed);
    do {
        int waited = wait_change(crew);
        if (waited)
            return waited;
    } while (crew->count > 0 && !part_is_complete(&d->part));
    return part_is_complete(&d->part) ? 0 : err;
}

static WHORL_SUSPENDS int run_first(struct crew *crew, struct whorl_http_response *response,
                                    struct whorl_http_response **ret)
{
    struct download *d = crew->download;
    struct piece *piece = &crew->first;
    int err, more = 1;

    do {
        if (response)
            err = piece_receive(piece, response);
        else
            err = piece_fetch(piece, ret);
        /* The response may have been cut off. Its connection must end before the next request,
         * which may have to wait for its place. */
        whorl_http_response_close(response);
        response = NULL;
        claims_drop(&d->claims, &piece->claim);
        if (err) {
            err = wait_helpers(crew, err);
            if (err == DOWNLOAD_AFRESH)
                note_afresh(d, piece);
            return err;
        }
        more = next_claim(crew);
    } while (more > 0);
    return more;
}

/* Starts the other tasks, and runs the first piece. Its end cancels them. Closes `response`. */
static WHORL_SUSPENDS int run(struct crew *crew, struct whorl_http_response *response,
                              struct whorl_http_response **ret)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    struct download *d = crew->download;

    crew->group = &group;
    int err = whorl_spawn(&group, govern, crew);
    if (err) {
        whorl_http_response_close(response);
        return whorl_error_set(d->error, err, "start", "%s", whorl_strerror(err));
    }
    if (d->split > 1)
        split_equally(crew);
    return run_first(crew, response, ret);
}

WHORL_SUSPENDS int crew_run(struct download *d, struct whorl_http_response *response,
                            struct whorl_http_response **ret)
{
    struct whorl_http_response *left = NULL;
    struct crew crew = {.download = d, .count = 1};
    const struct ranges *done = &d->part.journal.done;
    int64_t length = d->part.journal.length;

    TAILQ_INIT(&crew.helpers);
    gain_init(&crew.gain, d->split ? d->split : CONNECTIONS_AUTO, whorl_now());
    crew.first = (struct piece){.download = d, .source = d->source, .error = d->error};
    /* All bytes may be there already, when the file was complete but did not get its name. */
    if (part_is_complete(&d->part))
        piece_claim_end(&crew.first);
    else if (!claims_take_first(&d->claims, done, length, &crew.first.claim)) {
        whorl_http_response_close(response);
        return whorl_error_set(d->error, -ENOMEM, "start", "%s", whorl_strerror(-ENOMEM));
    }
    crew.first.response_end = length;
    whorl_scope_enter(&crew.scope, WHORL_FOREVER);
    int err = run(&crew, response, &left);
    err = whorl_scope_leave(&crew.scope, err);
    if (crew.fatal)
        err = crew.fatal;
    if (crew.fatal < 0)
        *d->error = crew.error; /* the first piece has been cancelled, and said that */
    if (left && ret && err > 0)
        *ret = left;
    else
        whorl_http_response_close(left);
    return err;
}
