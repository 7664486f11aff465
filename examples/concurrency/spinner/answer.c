/* SPDX-License-Identifier: MIT */
/* Sleeps, and knows the answer. */
#include "answer.h"

#include <errno.h>
#include <time.h>

int answer_find(int slow_ms)
{
    struct timespec left = {slow_ms / 1000, slow_ms % 1000 * 1000000L};

    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        ;
    return ANSWER;
}
