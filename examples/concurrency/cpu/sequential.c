/* SPDX-License-Identifier: MIT */
/* Sequential: one sum after the other, on one processor. */
#include "../timeline.h"
#include "cpu.h"
#include "squares.h"

int cpu_sequential(struct cpu_batch *batch)
{
    int lane = timeline_lane(batch->timeline, "main");

    timeline_mark(batch->timeline, lane, TIMELINE_WORKS);
    for (int i = 0; i < batch->count; i++)
        cpu_add_squares(&batch->sums[i]);
    timeline_mark(batch->timeline, lane, TIMELINE_ENDS);
    return 0;
}
