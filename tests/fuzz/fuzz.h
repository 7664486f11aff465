/* SPDX-License-Identifier: MIT */
/* Fuzz targets: each gives its seeds and a function that aborts when a property is broken.
 *
 * Linked with fuzz_main.c they are regression programs for any compiler: seeds, a fixed number of
 * mutations of them, and the files and folders named as arguments. Linked with libFuzzer
 * (-Dfuzz=true, clang) they search; `tools/test --full` does that for a minute each.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Calls `use` with each seed. */
void fuzz_seeds(void (*use)(void *ctx, const void *seed, size_t len), void *ctx);

#define FUZZ_CHECK(condition)                                               \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

#endif
