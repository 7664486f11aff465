/* SPDX-License-Identifier: MIT */
/* Fuzz targets. Each one has seeds and a function that aborts when a property does not hold.
 *
 * Linked with fuzz_main.c they are regression tests for any compiler: they run the seeds, a fixed
 * number of mutations of them, and the files and directories named as arguments. Linked with
 * libFuzzer (-Dfuzz=true, clang) they search for new inputs; `tools/test --full` does this for a
 * minute each.
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
