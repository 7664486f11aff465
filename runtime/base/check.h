/* SPDX-License-Identifier: MIT */
/* Checks of our own invariants: always on, and a broken one ends the process.
 *
 * What a caller's data can cause is an error code instead, see the style notes in CONTRIBUTING.md.
 */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stdio.h>
#include <stdlib.h>

__attribute__((noreturn, cold, unused)) static void check_failed(const char *condition,
                                                                 const char *file, int line)
{
    fprintf(stderr, "whorl: %s:%d: check failed: %s\n", file, line, condition);
    abort();
}

/* Prints the condition and aborts when it does not hold. */
#define whorl_check(condition)                                                                     \
    (__builtin_expect(!!(condition), 1) ? (void)0 : check_failed(#condition, __FILE__, __LINE__))

#endif
