/* SPDX-License-Identifier: MIT */
/* What a measurement has to say about the machine it was made on. */
#ifndef MODELS_MACHINE_H
#define MODELS_MACHINE_H

struct machine {
    int processors; /* that this program may use */
    char cpu[128];  /* as the kernel names it; "processors" when it does not */
    char kernel[128];
};

void machine_read(struct machine *ret);

#endif
