/* SPDX-License-Identifier: MIT */
/* Listeners that the service manager has opened: systemd's socket activation. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include <whorl/serve.h>

enum { FIRST_FD = 3 };

/* Reads a variable that holds a decimal number. Returns -1 if it is not set, -EINVAL if it holds
 * something else. */
static long variable(const char *name)
{
    const char *text = getenv(name);
    char *end;

    if (!text)
        return -1;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (end == text || *end || errno || number < 0 || number > INT_MAX - FIRST_FD)
        return -EINVAL;
    return number;
}

/* Makes listeners from the descriptors. After a failure, closes the descriptors that are not
 * listeners yet. */
static int make(const struct whorl_listen_options *options, struct whorl_listener **ret,
                size_t count)
{
    size_t made = 0;
    int err = 0;

    while (made < count && err == 0) {
        err = whorl_listen_fd(FIRST_FD + (int)made, options, &ret[made]);
        made += err == 0;
    }
    if (err == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (i < made)
            whorl_listener_close(ret[i]);
        else
            close(FIRST_FD + (int)i);
    }
    return err == -EBADF || err == -ENOTSOCK ? -EINVAL : err;
}

int whorl_listen_inherited(const struct whorl_listen_options *options, struct whorl_listener **ret,
                           size_t ret_max, size_t *ret_count)
{
    long pid = variable("LISTEN_PID"), count = variable("LISTEN_FDS");

    *ret_count = 0;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (pid == -EINVAL || count == -EINVAL)
        return -EINVAL;
    if (count <= 0 || pid != getpid()) /* none, or they are for another process */
        return 0;
    if ((size_t)count > ret_max) {
        for (int i = 0; i < (int)count; i++)
            close(FIRST_FD + i);
        return -E2BIG;
    }
    int err = make(options, ret, (size_t)count);
    if (err == 0)
        *ret_count = (size_t)count;
    return err;
}
