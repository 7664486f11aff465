/* SPDX-License-Identifier: MIT */
/* A task is a function; a run is a scheduler with one task to begin with, and ends when that ends.
 * Next: 02_say_after.c */
#include <stdio.h>

#include <whorl.h>

static int hello(void *arg)
{
    printf("hello, %s\n", (const char *)arg);
    return 0; /* or a negative code, which whorl_run() would return */
}

int main(void)
{
    int err = whorl_run(hello, "world");
    if (err)
        fprintf(stderr, "%s\n", whorl_strerror(err));
    return err ? 1 : 0;
}
