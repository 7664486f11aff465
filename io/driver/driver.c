/* SPDX-License-Identifier: MIT */
/* Chooses between the drivers. */
#include "io/driver/driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/driver/epoll.h"
#include "io/driver/ring.h"
#include "io/driver/ring_setup.h"
#include "io/fd/standard.h"
#include "runtime/base/debug.h"

/* Whether the kernel refuses io_uring permanently, unlike a shortage. -ENOSYS: the kernel has no
 * io_uring, or its io_uring lacks a feature that we need. */
static bool is_refusal(int err)
{
    return err == -EPERM || err == -EACCES || err == -ENOSYS;
}

/* Whether a seccomp filter is active, as it usually is in containers. */
static bool has_seccomp_filter(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    int mode = 0;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Seccomp: %d", &mode) == 1)
            break;
    if (file)
        fclose(file);
    return mode == 2;
}

static void describe_refusal(int err, char *why)
{
    int disabled = err == -EPERM ? ring_disabled_by_sysctl() : 0;
    char hint[64] = "";

    if (disabled)
        snprintf(hint, sizeof hint, " (kernel.io_uring_disabled=%d)", disabled);
    else if (ring_is_without_workers())
        snprintf(hint, sizeof hint, " (RLIMIT_NPROC is 0)");
    else if (has_seccomp_filter())
        snprintf(hint, sizeof hint, " (a seccomp filter is in force)");
    snprintf(why, DRIVER_WHY_SIZE, "io_uring refused: %s%s", whorl_strerror(err), hint);
}

static void say(const struct io_driver *driver, const char *why)
{
    if (debug_has("io", NULL))
        fprintf(stderr, "whorl: %s driver%s%s\n", driver->ops->name, *why ? ": " : "", why);
}

int driver_create(unsigned entries, struct whorl_error *error, struct io_driver **ret,
                  char ret_why[DRIVER_WHY_SIZE])
{
    const char *wanted = getenv("WHORL_DRIVER");
    char why[DRIVER_WHY_SIZE] = "";
    int err;

    if (wanted && !*wanted)
        wanted = NULL;
    if (wanted && strcmp(wanted, "io_uring") != 0 && strcmp(wanted, "epoll") != 0)
        return whorl_error_set(error, -EINVAL, "driver",
                               "WHORL_DRIVER=%s: no such driver; there are io_uring and epoll",
                               wanted);
    if (wanted)
        snprintf(why, sizeof why, "WHORL_DRIVER=%s", wanted);
    struct standard standard = standard_fill();
    if (wanted && strcmp(wanted, "epoll") == 0) {
        err = epoll_driver_create(error, ret);
    } else {
        err = ring_create(entries, error, ret);
        if (!wanted && is_refusal(err)) {
            describe_refusal(err, why);
            err = epoll_driver_create(error, ret);
        }
    }
    standard_empty(&standard);
    if (err)
        return err;
    say(*ret, why);
    if (ret_why)
        memcpy(ret_why, why, sizeof why);
    return 0;
}
