/* SPDX-License-Identifier: MIT */
/* Tells sanitizers and Valgrind about stacks and switches. Without them it compiles to nothing. */
#ifndef CONTEXT_SANITIZER_H
#define CONTEXT_SANITIZER_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define CONTEXT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define CONTEXT_ASAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define CONTEXT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CONTEXT_TSAN 1
#endif
#endif
#if defined(CONTEXT_ASAN) || defined(CONTEXT_TSAN)
#define CONTEXT_SANITIZED 1
#endif

#ifdef CONTEXT_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef CONTEXT_TSAN
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define CONTEXT_VALGRIND 1
#endif
#endif

/* What sanitizers and Valgrind know about one context. */
struct context_shadow {
    unsigned valgrind_id; /* of the stack */
#ifdef CONTEXT_SANITIZED
    const void *low; /* lowest address of the stack */
    size_t size;
    void *fake_stack; /* ASan's fake stack; valid while switched away */
    void *fiber;      /* TSan's fiber; created with the context, destroyed with its stack */
#endif
};

/* Clears ASan's notes about memory that becomes a stack. Its previous owner, perhaps another
 * thread's stack, may have left some. */
static inline void shadow_clear(void *low, size_t size)
{
#ifdef CONTEXT_ASAN
    __asan_unpoison_memory_region(low, size);
#endif
    (void)low, (void)size;
}

static inline void shadow_make(struct context_shadow *s, void *low, void *high)
{
#ifdef CONTEXT_SANITIZED
    s->low = low;
    s->size = (size_t)((char *)high - (char *)low);
    s->fake_stack = NULL;
    s->fiber = NULL;
#ifdef CONTEXT_TSAN
    s->fiber = __tsan_create_fiber(0);
#endif
#endif
#ifdef CONTEXT_VALGRIND
    s->valgrind_id = VALGRIND_STACK_REGISTER(low, (char *)high - 1);
#endif
    (void)s, (void)low, (void)high;
}

/* For the context of a thread's own stack, which context_make() did not make. */
static inline void shadow_adopt(struct context_shadow *s, void *low, size_t size)
{
#ifdef CONTEXT_SANITIZED
    s->low = low;
    s->size = size;
    s->fake_stack = NULL;
    s->fiber = NULL;
#ifdef CONTEXT_TSAN
    s->fiber = __tsan_get_current_fiber();
#endif
#else
    (void)s, (void)low, (void)size;
#endif
}

static inline void shadow_destroy(struct context_shadow *s)
{
#ifdef CONTEXT_TSAN
    if (s->fiber)
        __tsan_destroy_fiber(s->fiber);
#endif
#ifdef CONTEXT_SANITIZED
    s->fiber = NULL;
#endif
#ifdef CONTEXT_VALGRIND
    VALGRIND_STACK_DEREGISTER(s->valgrind_id);
#endif
    (void)s;
}

/* Whether shadow_destroy() has anything to do. */
static inline bool shadow_is_used(void)
{
#if defined(CONTEXT_TSAN)
    return true;
#elif defined(CONTEXT_VALGRIND)
    return RUNNING_ON_VALGRIND;
#else
    return false;
#endif
}

/* Called just before the switch. `dying`: the frames of `from` are never needed again. */
static inline void shadow_before(struct context_shadow *from, struct context_shadow *to, int dying)
{
#ifdef CONTEXT_ASAN
    __sanitizer_start_switch_fiber(dying ? NULL : &from->fake_stack, to->low, to->size);
    if (dying)
        from->fake_stack = NULL;
#endif
#ifdef CONTEXT_TSAN
    __tsan_switch_to_fiber(to->fiber, 0);
#endif
    (void)from, (void)to, (void)dying;
}

/* Called just after the switch, on the new stack. An entry function calls it first. */
static inline void shadow_after(struct context_shadow *self)
{
#ifdef CONTEXT_ASAN
    __sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
#endif
    (void)self;
}

#endif
