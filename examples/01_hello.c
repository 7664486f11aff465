/* SPDX-License-Identifier: MIT */
/* A task is a function that a scheduler runs. whorl_run() starts a scheduler with one task, the
 * root task, and returns when that task ends.
 * Next: 02_say_after.c */
#include <stdio.h>

#include <whorl.h>

static int hello(void *arg)
{
    printf("hello, %s\n", (const char *)arg);
    return 0; /* whorl_run() returns this value; a negative one is an error */
}

int main(void)
{
    int err = whorl_run(hello, "world");
    if (err)
        fprintf(stderr, "%s\n", whorl_strerror(err));
    return err ? 1 : 0;
}
