/* SPDX-License-Identifier: MIT */
/* The machine on which a measurement was made. */
#ifndef MODELS_MACHINE_H
#define MODELS_MACHINE_H

struct machine {
    int processors; /* the number that this program may use */
    char cpu[128];  /* the kernel's name for it; the machine type if there is none */
    char kernel[128];
};

void machine_read(struct machine *ret);

#endif
