/* SPDX-License-Identifier: MIT */
/* Reports of the running tasks, as text that a test can search.
 *
 *     CHECK_DUMP("root: waits for mutex \"log\"");
 *     CHECK_EQ(dump_count(dumped, ": ready"), 3);
 */
#ifndef TEST_DUMP_H
#define TEST_DUMP_H

#include "test.h"

/* The last report of whorl_run_dump_tasks(). */
extern char dumped[1 << 18];

/* Writes a new report and returns it. */
const char *dump(void);

/* Number of times that `word` occurs in `text`. */
int dump_count(const char *text, const char *word);

/* Checks that a new report contains `word`. */
#define CHECK_DUMP(word)                                                        \
    do {                                                                        \
        if (!strstr(dump(), (word)))                                            \
            test_fail(__FILE__, __LINE__, "no \"%s\" in:\n%s", (word), dumped); \
    } while (0)

#endif
