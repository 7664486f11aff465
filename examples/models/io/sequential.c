/* SPDX-License-Identifier: MIT */
/* One after the other: the simplest program there is, and it spends nearly all its time waiting.
 * Next: threads.c */
#include "io.h"

int run_sequential(struct batch *batch)
{
    for (int i = 0; i < batch->count; i++)
        get_blocking(batch, &batch->jobs[i]);
    return 0;
}
