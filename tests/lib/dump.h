/* SPDX-License-Identifier: MIT */
/* Reports of the running tasks, as text to search in.
 *
 *     CHECK_DUMP("root: waits for mutex \"log\"");
 *     CHECK_EQ(dump_count(dumped, ": ready"), 3);
 */
#ifndef TEST_DUMP_H
#define TEST_DUMP_H

#include "test.h"

/* What whorl_run_dump_tasks() wrote last. */
extern char dumped[1 << 18];

/* Has it write now. */
const char *dump(void);

/* How often `word` stands in `text`. */
int dump_count(const char *text, const char *word);

/* A report made now has `word` in it. */
#define CHECK_DUMP(word)                                                        \
    do {                                                                        \
        if (!strstr(dump(), (word)))                                            \
            test_fail(__FILE__, __LINE__, "no \"%s\" in:\n%s", (word), dumped); \
    } while (0)

#endif
