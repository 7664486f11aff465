/* SPDX-License-Identifier: MIT */
/* Claims of connections, see claims.h. */
#include "tools/get/claims.h"

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

/* The claim whose bytes will take longest; NULL when none is worth sharing. */
static struct claim *slowest(const struct claims *claims)
{
    struct claim *found = NULL;
    double longest = 0;

    for (size_t i = 0; i < claims->count; i++) {
        struct claim *claim = claims->items[i];
        int64_t left = claim->end - claim->at;
        double seconds = (double)left / (double)(claim->rate > 0 ? claim->rate : 1);
        /* Half a second is what a new request may cost on a far server. */
        if (left >= CLAIM_SHARE_MIN && seconds >= 0.5 && seconds > longest) {
            longest = seconds;
            found = claim;
        }
    }
    return found;
}

/* The start of the second half of a claim. */
static int64_t middle(const struct claim *claim)
{
    int64_t half = (claim->end - claim->at) / 2;

    return claim->at + (half > CLAIM_KEPT_MIN ? half : CLAIM_KEPT_MIN);
}

static bool take(struct claims *claims, struct range bytes, struct claim *ret)
{
    *ret = (struct claim){.at = bytes.start, .end = bytes.end};
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

bool claims_take(struct claims *claims, const struct ranges *done, int64_t length,
                 struct claim *ret)
{
    struct range gap = longest_gap(claims, done, length);
    struct claim *victim = gap.start == gap.end ? slowest(claims) : NULL;

    if (claims->count == CLAIMS_MAX || (gap.start == gap.end && !victim))
        return false;
    if (!victim)
        return take(claims, gap, ret);
    struct range half = {middle(victim), victim->end};
    victim->end = half.start;
    return take(claims, half, ret);
}
