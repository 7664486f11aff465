/* SPDX-License-Identifier: MIT */
/* Claims of connections, see claims.h. */
#include "tools/get/claims.h"

/* A share must bring the bytes that much earlier, or it is not worth a request. */
#define GAIN_MIN_S 0.2

/* What the new connection receives in this time is not left to the slow one. */
#define MOMENT_S 0.05

/* Bytes per second, if nothing is known about the connections. */
#define RATE_UNKNOWN 1e6

int64_t claims_free_until(const struct claims *claims, const struct ranges *done, int64_t at,
                          int64_t length)
{
    int64_t end = at < length ? ranges_free_until(done, at, length) : at;

    for (size_t i = 0; i < claims->count; i++) {
        const struct claim *claim = claims->items[i];
        if (claim->at >= claim->end || claim->end <= at)
            continue;
        if (claim->at <= at)
            return at;
        end = claim->at < end ? claim->at : end;
    }
    return end;
}

/* Takes the gap at `at` if it is longer than the one that was found before. */
static void look_at(const struct claims *claims, const struct ranges *done, int64_t at,
                    int64_t length, struct range *found)
{
    int64_t end = claims_free_until(claims, done, at, length);

    if (end - at > found->end - found->start)
        *found = (struct range){at, end};
}

/* A gap begins at the start of the file, or where a range or a claim ends. */
static struct range longest_gap(const struct claims *claims, const struct ranges *done,
                                int64_t length)
{
    struct range found = {0, 0};

    look_at(claims, done, 0, length, &found);
    for (size_t i = 0; i < done->count; i++)
        look_at(claims, done, done->items[i].end, length, &found);
    for (size_t i = 0; i < claims->count; i++)
        look_at(claims, done, claims->items[i]->end, length, &found);
    return found;
}

bool claims_add(struct claims *claims, struct claim *claim)
{
    if (claims->count == CLAIMS_MAX)
        return false;
    claims->items[claims->count++] = claim;
    return true;
}

void claims_drop(struct claims *claims, struct claim *claim)
{
    for (size_t i = 0; i < claims->count; i++)
        if (claims->items[i] == claim) {
            claims->items[i] = claims->items[--claims->count];
            return;
        }
}

/* The end of a claim, for another connection. */
struct share {
    struct claim *victim; /* NULL: none */
    struct range bytes;
    bool is_all;   /* of what the victim may lose */
    double gain_s; /* how much earlier the bytes are there */
};

/* Both are to end at the same time. `delay_s` is the time until the new connection has its first
 * byte. */
static struct share share_of(struct claim *victim, const struct speed *speed, int64_t now_ns)
{
    int64_t from = victim->at > victim->kept ? victim->at : victim->kept;
    double left = (double)(victim->end - from);
    double before = speed_rate(&victim->speed, now_ns), rate = speed_rate(speed, now_ns);
    double delay_s = speed_delay(speed);

    if (before <= 0)
        before = rate > 0 ? rate : RATE_UNKNOWN;
    if (rate <= 0)
        rate = before;
    /* A connection that has been silent for some time may stay so for as long again. */
    double needs_s = speed_silence(&victim->speed, now_ns) + left / before;
    double bytes = (needs_s - delay_s) / (1 / rate + 1 / before);
    bool is_all = left - bytes < rate * MOMENT_S;

    if (victim->is_lost || left <= 0 || bytes <= 0 || (!is_all && bytes < 1))
        return (struct share){0};
    if (is_all || bytes > left)
        bytes = left;
    return (struct share){.victim = victim,
                          .bytes = {victim->end - (int64_t)bytes, victim->end},
                          .is_all = is_all,
                          .gain_s = needs_s - delay_s - bytes / rate};
}

/* Finds the share that gains most. */
static struct share best_share(const struct claims *claims, const struct speed *speed,
                               int64_t now_ns)
{
    struct share found = {.gain_s = GAIN_MIN_S};

    for (size_t i = 0; i < claims->count; i++) {
        struct share share = share_of(claims->items[i], speed, now_ns);
        if (share.victim && share.gain_s >= found.gain_s)
            found = share;
    }
    return found;
}

static bool take(struct claims *claims, struct range bytes, struct claim *ret)
{
    *ret = (struct claim){.at = bytes.start, .end = bytes.end, .speed = ret->speed};
    return claims_add(claims, ret);
}

bool claims_take_first(struct claims *claims, const struct ranges *done, int64_t length,
                       struct claim *ret)
{
    int64_t at = 0;

    while (at < length) {
        int64_t end = claims_free_until(claims, done, at, length);
        if (end > at)
            return take(claims, (struct range){at, end}, ret);
        int64_t next = length;
        for (size_t i = 0; i < done->count; i++)
            if (done->items[i].end > at && done->items[i].end < next)
                next = done->items[i].end;
        for (size_t i = 0; i < claims->count; i++)
            if (claims->items[i]->end > at && claims->items[i]->end < next)
                next = claims->items[i]->end;
        at = next;
    }
    return false;
}

bool claims_have(const struct claims *claims, const struct ranges *done, int64_t length,
                 int64_t now_ns, const struct speed *speed)
{
    struct range gap = longest_gap(claims, done, length);

    return claims->count < CLAIMS_MAX &&
           (gap.start < gap.end || best_share(claims, speed, now_ns).victim);
}

bool claims_take(struct claims *claims, const struct ranges *done, int64_t length, int64_t now_ns,
                 struct claim *ret)
{
    struct range gap = longest_gap(claims, done, length);

    if (claims->count == CLAIMS_MAX)
        return false;
    if (gap.start < gap.end)
        return take(claims, gap, ret);
    struct share share = best_share(claims, &ret->speed, now_ns);
    if (!share.victim)
        return false;
    share.victim->end = share.bytes.start;
    share.victim->is_lost = share.is_all;
    return take(claims, share.bytes, ret);
}
