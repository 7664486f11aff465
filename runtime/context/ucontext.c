/* SPDX-License-Identifier: MIT */
/* The portable context switch; see ucontext.h. */

/* A fortified longjmp refuses to jump to another stack ("longjmp causes uninitialized stack
 * frame"), and many distributions enable fortification by default. */
#undef _FORTIFY_SOURCE

#if !defined(WHORL_CONTEXT_ASM) || !(defined(__x86_64__) || defined(__aarch64__))

#include "runtime/context/ucontext.h"

#include <ucontext.h>

#include "runtime/base/check.h"
#include "runtime/context/switches.h"

/* The first code on a fresh stack. It saves a point to resume at and returns to context_make(); the
 * first switch resumes it there. makecontext() passes ints, so each pointer comes in two halves. */
static void boot(unsigned context_high, unsigned context_low, unsigned maker_high,
                 unsigned maker_low)
{
    struct context *c = (void *)((uintptr_t)context_high << 16 << 16 | context_low);
    ucontext_t *maker = (void *)((uintptr_t)maker_high << 16 << 16 | maker_low);

    if (_setjmp(c->env) == 0)
        setcontext(maker);
    c->entry();
    check_failed(__FILE__, __LINE__, "a context's entry returned");
}

void context_make(struct context *c, void *low, void *high, context_entry_fn entry)
{
    ucontext_t fresh, maker;
    uintptr_t c_bits = (uintptr_t)c, maker_bits = (uintptr_t)&maker;

    c->entry = entry;
    c->canary_distance = 0;
    shadow_make(&c->shadow, low, high);
    whorl_check(getcontext(&fresh) == 0);
    fresh.uc_link = NULL;
    fresh.uc_stack.ss_sp = low;
    fresh.uc_stack.ss_size = (size_t)((char *)high - (char *)low);
    makecontext(&fresh, (void (*)(void))boot, 4, (unsigned)(c_bits >> 16 >> 16), (unsigned)c_bits,
                (unsigned)(maker_bits >> 16 >> 16), (unsigned)maker_bits);
    whorl_check(swapcontext(&maker, &fresh) == 0);
}

CONTEXT_SWITCHES void context_switch(struct context *from, struct context *to, int dying)
{
    if (from->canary_distance && !canary_is_intact(canary_at(from, from->canary_distance)))
        canary_failed(from);
    shadow_before(&from->shadow, &to->shadow, dying);
    from->fp_words = fp_words_now(from->fp_words);
    if (from->fp_words != to->fp_words)
        fp_words_load(to->fp_words);
    if (_setjmp(from->env) == 0)
        _longjmp(to->env, 1);
    shadow_after(&from->shadow);
}

#else
typedef int context_ucontext_is_not_used; /* ISO C requires a declaration in every file */
#endif
