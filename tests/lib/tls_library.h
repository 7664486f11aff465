/* SPDX-License-Identifier: MIT */
/* The tests of TLS run once per library. WHORL_TLS names the library, as in tls.h. */
#ifndef TEST_TLS_LIBRARY_H
#define TEST_TLS_LIBRARY_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <whorl/offload.h>

#include "test.h"

/* Whether the clients of this test use OpenSSL. */
static inline bool tests_use_openssl(void)
{
    const char *name = getenv("WHORL_TLS");

    return name && strcmp(name, "openssl") == 0;
}

/* The versions that the library speaks, as they are called in errors. */
static inline const char *tests_tls_versions(void)
{
    return tests_use_openssl() ? "TLS 1.2 or 1.3" : "TLS 1.2";
}

static inline int tests_nap(void *item)
{
    (void)item;
    usleep(2000);
    return 0;
}

/* Starts all threads of the run's pool, which computes for handshakes. The run keeps them, so tests
 * that count blocks of memory call this first. */
static inline WHORL_SUSPENDS_SHIELDED void tests_start_threads(void)
{
    char items[32];

    CHECK_OK(whorl_offload_map(NULL, tests_nap, items, 1, sizeof items));
}

#endif
