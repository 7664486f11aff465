/* SPDX-License-Identifier: MIT */
/* Registers of the code that a signal has interrupted; 0: not known for this processor. */
#ifndef RUNTIME_DEBUG_REGISTERS_H
#define RUNTIME_DEBUG_REGISTERS_H

#include <stdint.h>
#include <ucontext.h>

static inline uintptr_t registers_sp(const ucontext_t *u)
{
#if defined(__x86_64__)
    return (uintptr_t)u->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    return (uintptr_t)u->uc_mcontext.sp;
#else
    (void)u;
    return 0;
#endif
}

static inline uintptr_t registers_pc(const ucontext_t *u)
{
#if defined(__x86_64__)
    return (uintptr_t)u->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
    return (uintptr_t)u->uc_mcontext.pc;
#else
    (void)u;
    return 0;
#endif
}

#endif
