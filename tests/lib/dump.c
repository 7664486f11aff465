/* SPDX-License-Identifier: MIT */
/* Reports of the running tasks, as text. */
#include "dump.h"

#include <whorl/trace.h>

char dumped[1 << 18];

const char *dump(void)
{
    FILE *to = fmemopen(dumped, sizeof dumped, "w");

    CHECK(to != NULL);
    whorl_run_dump_tasks(to);
    fclose(to);
    return dumped;
}

int dump_count(const char *text, const char *word)
{
    int n = 0;
    for (; (text = strstr(text, word)); text += strlen(word))
        n++;
    return n;
}
