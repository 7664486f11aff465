/* SPDX-License-Identifier: MIT */
/* A program outside the source tree, compiled with the files that `meson install` has installed. */
#include <stdio.h>

#include <whorl.h>

static int child(void *arg)
{
    *(int *)arg += 1;
    return 0;
}

static int root(void *arg)
{
    WHORL_AUTO(http_session) *session = NULL;
    WHORL_AUTO(group) group = {0};
    int err = whorl_http_session_create(NULL, &session);
    if (err == 0)
        err = whorl_spawn(&group, child, arg);
    if (err == 0)
        err = whorl_group_wait(&group);
    return err ? err : whorl_sleep(WHORL_MILLISECOND);
}

int main(void)
{
    int count = 0;
    int err = whorl_io_run(root, &count);
    if (err != 0 || count != 1) {
        fprintf(stderr, "the run returned %s, count is %d\n", whorl_strerror(err), count);
        return 1;
    }
    return 0;
}
