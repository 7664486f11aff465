/* SPDX-License-Identifier: MIT */
/* A hierarchical timer wheel (Varghese and Lauck, 1987). Level 0 has one slot for each tick of the
 * current 1,024 ticks, level 1 has one slot for each 1,024 ticks of the current million, and so on.
 * A timer is stored on the level of the highest group of bits in which its tick differs from the
 * wheel's position. So all timers of a level are due before those of the next level. When the
 * position reaches a slot, its timers move to lower levels.
 *
 * With a million timers, a heap would cost twenty cache misses per timer. Here arming touches the
 * slot and one neighbour, and each level on the way down costs one visit. The levels are wide for
 * this reason: a timer that is due within 17 s is visited once before its tick comes.
 */
#include "runtime/timer_wheel.h"

#include "runtime/base/check.h"

#define SLOT_DUE UINT32_MAX

_Static_assert(TIMER_TICK_BITS + TIMER_LEVELS * TIMER_SLOT_BITS >= 63,
               "every deadline has a level");
_Static_assert(64 > TIMER_LEVELS * TIMER_SLOT_BITS, "no shift by a level's bits is one by all");

void timer_wheel_init(struct timer_wheel *wheel, int64_t now_ns)
{
    wheel->position = (uint64_t)(now_ns < 0 ? 0 : now_ns) >> TIMER_TICK_BITS;
}

static void ring_append(struct timer_slot *slot, struct whorl_timer *timer)
{
    struct whorl_timer *first = slot->first;

    if (!first) {
        slot->first = timer->next = timer->prev = timer;
        slot->min_ns = timer->deadline_ns;
        return;
    }
    timer->next = first;
    timer->prev = first->prev;
    first->prev->next = timer;
    first->prev = timer;
    if (timer->deadline_ns < slot->min_ns)
        slot->min_ns = timer->deadline_ns;
}

static void ring_remove(struct timer_slot *slot, struct whorl_timer *timer)
{
    if (timer->next == timer) {
        slot->first = NULL;
    } else {
        timer->prev->next = timer->next;
        timer->next->prev = timer->prev;
        if (slot->first == timer)
            slot->first = timer->next;
    }
    timer->next = timer->prev = NULL;
}

static void occupy(struct timer_level *level, unsigned index)
{
    level->occupied[index / 64] |= UINT64_C(1) << index % 64;
    level->words |= UINT64_C(1) << index / 64;
}

static void vacate(struct timer_level *level, unsigned index)
{
    if (!(level->occupied[index / 64] &= ~(UINT64_C(1) << index % 64)))
        level->words &= ~(UINT64_C(1) << index / 64);
}

static void place(struct timer_wheel *wheel, struct whorl_timer *timer)
{
    uint64_t tick = timer->deadline_ns < 0 ? 0 : (uint64_t)timer->deadline_ns >> TIMER_TICK_BITS;
    if (tick < wheel->position)
        tick = wheel->position;
    uint64_t differs = tick ^ wheel->position;
    unsigned level = differs ? (63 - (unsigned)__builtin_clzll(differs)) / TIMER_SLOT_BITS : 0;
    unsigned index = (tick >> (level * TIMER_SLOT_BITS)) & (TIMER_SLOTS - 1);

    timer->slot = level * TIMER_SLOTS + index;
    ring_append(&wheel->levels[level].slots[index], timer);
    occupy(&wheel->levels[level], index);
}

void timer_wheel_add(struct timer_wheel *wheel, struct whorl_timer *timer)
{
    wheel->armed++;
    wheel->background += timer->background;
    place(wheel, timer);
}

void timer_wheel_remove(struct timer_wheel *wheel, struct whorl_timer *timer)
{
    wheel->armed--;
    wheel->background -= timer->background;
    if (timer->slot == SLOT_DUE) {
        ring_remove(&wheel->due, timer);
        return;
    }
    struct timer_level *level = &wheel->levels[timer->slot / TIMER_SLOTS];
    unsigned index = timer->slot % TIMER_SLOTS;
    ring_remove(&level->slots[index], timer);
    if (!level->slots[index].first)
        vacate(level, index);
}

/* Finds the earliest occupied slot: it is on the lowest level that has one. */
static bool first_slot(const struct timer_wheel *wheel, unsigned *ret_level, unsigned *ret_index)
{
    for (unsigned i = 0; i < TIMER_LEVELS; i++) {
        const struct timer_level *level = &wheel->levels[i];
        if (level->words) {
            unsigned word = (unsigned)__builtin_ctzll(level->words);
            *ret_level = i;
            *ret_index = word * 64 + (unsigned)__builtin_ctzll(level->occupied[word]);
            return true;
        }
    }
    return false;
}

int64_t timer_wheel_next(const struct timer_wheel *wheel)
{
    unsigned level, index;

    int64_t next = first_slot(wheel, &level, &index) ? wheel->levels[level].slots[index].min_ns
                                                     : WHORL_FOREVER;
    const struct whorl_timer *due = wheel->due.first;
    return due && due->deadline_ns < next ? due->deadline_ns : next;
}

/* Merges two sorted, NULL-terminated lists linked by `next`. Of timers with equal deadlines, those
 * of `a` come first. */
static struct whorl_timer *merge(struct whorl_timer *a, struct whorl_timer *b)
{
    struct whorl_timer *first = NULL, **end = &first;

    while (a && b) {
        struct whorl_timer **from = b->deadline_ns < a->deadline_ns ? &b : &a;
        *end = *from;
        end = &(*from)->next;
        *from = *end;
    }
    *end = a ? a : b;
    return first;
}

/* Stable merge sort of a NULL-terminated list. bins[i] holds a sorted run of 2^i timers. */
static struct whorl_timer *sort(struct whorl_timer *list)
{
    struct whorl_timer *bins[48] = {NULL}, *result = NULL;
    unsigned used = 0;

    while (list) {
        struct whorl_timer *run = list;
        unsigned i = 0;
        list = list->next;
        run->next = NULL;
        for (; i < used && bins[i]; i++) {
            run = merge(bins[i], run);
            bins[i] = NULL;
        }
        if (i == used)
            used++;
        bins[i] = run;
    }
    for (unsigned i = 0; i < used; i++)
        result = merge(bins[i], result);
    return result;
}

/* About this many timers of a wave are fired per turn, up to the end of a slot. So the timers that
 * are touched here are still in the cache when the tasks that they wake run. */
#define WAVE_MAX 256

/* Merges a sorted list into the due list and returns its length. Of timers with equal deadlines,
 * those that were in the due list come first. */
static unsigned merge_due(struct timer_wheel *wheel, struct whorl_timer *timer)
{
    struct timer_slot *due = &wheel->due;
    struct whorl_timer *later = due->first, *following;
    unsigned n = 0;

    for (; timer; timer = following) {
        n++;
        following = timer->next;
        timer->slot = SLOT_DUE;
        if (!due->first || due->first->prev->deadline_ns <= timer->deadline_ns) {
            ring_append(due, timer);
            continue;
        }
        while (later->deadline_ns <= timer->deadline_ns)
            later = later->next;
        timer->next = later;
        timer->prev = later->prev;
        later->prev->next = timer;
        later->prev = timer;
        if (due->first == later)
            due->first = timer;
    }
    return n;
}

/* Moves all timers of a level-0 slot whose tick has come to the due list, sorted by deadline. This
 * includes timers that are due a few nanoseconds later: a virtual clock may stop at each
 * nanosecond, and searching a slot of a million timers would take the same time at each stop. */
static unsigned collect(struct timer_wheel *wheel, unsigned index)
{
    struct timer_slot *slot = &wheel->levels[0].slots[index];
    struct whorl_timer *list = slot->first;
    bool sorted = true;

    list->prev->next = NULL;
    slot->first = NULL;
    vacate(&wheel->levels[0], index);
    for (struct whorl_timer *timer = list; timer->next; timer = timer->next) {
        __builtin_prefetch(timer->next->next);
        sorted = sorted && timer->deadline_ns <= timer->next->deadline_ns;
    }
    return merge_due(wheel, sorted ? list : sort(list));
}

/* Moves the timers of a slot to lower levels, because the position has reached it. */
static void cascade(struct timer_wheel *wheel, unsigned level, unsigned index)
{
    struct timer_slot *slot = &wheel->levels[level].slots[index];
    struct whorl_timer *timer = slot->first, *last = timer->prev, *following;

    slot->first = NULL;
    vacate(&wheel->levels[level], index);
    for (bool more = true; more; timer = following) {
        following = timer->next;
        more = timer != last;
        __builtin_prefetch(following->next);
        place(wheel, timer);
    }
}

void timer_wheel_advance(struct timer_wheel *wheel, int64_t now_ns)
{
    uint64_t now_tick = (uint64_t)(now_ns < 0 ? 0 : now_ns) >> TIMER_TICK_BITS;
    uint64_t begin = wheel->position;
    unsigned level, index, collected = 0;

    while (first_slot(wheel, &level, &index)) {
        unsigned shift = level * TIMER_SLOT_BITS;
        /* The slot's first tick consists of the position's higher bits, the slot's index, and
         * zeros. */
        uint64_t below = (UINT64_C(1) << (shift + TIMER_SLOT_BITS)) - 1;
        uint64_t start = (wheel->position & ~below) | (uint64_t)index << shift;

        if (start > now_tick)
            break;
        if (level > 0) {
            wheel->position = start;
            cascade(wheel, level, index);
            continue;
        }
        wheel->position = start;
        if (wheel->levels[0].slots[index].min_ns <= now_ns) {
            unsigned n = collect(wheel, index);
            /* The slot at the current position also holds timers that were armed since the last
             * turn with a deadline in the past. They do not count towards WAVE_MAX, because a timer
             * may be armed this way again and again. */
            collected += start > begin ? n : 0;
        }
        if (start == now_tick)
            break;
        if (collected >= WAVE_MAX) {
            now_tick = start;
            break;
        }
        whorl_check(!(wheel->levels[0].slots[index].first));
    }
    if (now_tick > wheel->position)
        wheel->position = now_tick;

    /* A timer's function may arm and disarm other timers, including due ones. */
    for (struct whorl_timer *timer; (timer = wheel->due.first) && timer->deadline_ns <= now_ns;) {
        ring_remove(&wheel->due, timer);
        wheel->armed--;
        wheel->background -= timer->background;
        timer->fire(timer);
    }
}
