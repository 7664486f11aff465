/* SPDX-License-Identifier: MIT */
/* Damaged canaries. */
#include "runtime/context/canary.h"

#include <stdlib.h>

static canary_report_fn report; /* read and written with the __atomic functions */

void canary_report_with(canary_report_fn fn)
{
    __atomic_store_n(&report, fn, __ATOMIC_RELEASE);
}

void canary_failed(struct context *c)
{
    canary_report_fn fn = __atomic_load_n(&report, __ATOMIC_ACQUIRE);

    if (fn)
        fn(c);
    abort();
}
