/* SPDX-License-Identifier: MIT */
/* Sets up an io_uring with the best flags that the kernel accepts, or explains why it cannot. */
#include "io/driver/ring_setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    ENTRIES_DEFAULT = 1024,
    ENTRIES_MAX = 32768, /* the limit to which IORING_SETUP_CLAMP reduces the number */
    CQ_PER_SQ = 4,
    WORKERS_BOUNDED = 4,   /* kernel threads for requests on files */
    WORKERS_UNBOUNDED = 8, /* kernel threads for requests that may take unlimited time */
};

/* Sets of flags, from the best one to the one that every io_uring accepts. The first set that the
 * kernel accepts is used. Versions are not compared, because vendors back-port and disable
 * features. */
static const unsigned ladder[] = {
    IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
        IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SINGLE_ISSUER |
        IORING_SETUP_DEFER_TASKRUN, /* 6.1 */
    IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN |
        IORING_SETUP_TASKRUN_FLAG,                                      /* 5.19 */
    IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL, /* 5.18 */
    IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,                           /* 5.6 */
    0,
};

static int climb_down(struct io_uring *uring, unsigned entries, struct io_uring_params *ret_params)
{
    int err = -EINVAL;

    for (size_t i = 0; i < sizeof ladder / sizeof *ladder && err == -EINVAL; i++) {
        *ret_params = (struct io_uring_params){.flags = ladder[i]};
        if (ladder[i] & IORING_SETUP_CQSIZE)
            ret_params->cq_entries = entries * CQ_PER_SQ;
        err = io_uring_queue_init_params(entries, uring, ret_params);
    }
    return err;
}

/* UNTESTED: values other than 0, because a test would have to change a system setting. */
int ring_disabled_by_sysctl(void)
{
    char text[16] = "0";
    int fd = open("/proc/sys/kernel/io_uring_disabled", O_RDONLY | O_CLOEXEC);

    if (fd >= 0) {
        ssize_t n = read(fd, text, sizeof text - 1);
        text[n > 0 ? n : 0] = '\0';
        close(fd);
    }
    return atoi(text);
}

bool ring_is_without_workers(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_NPROC, &limit) == 0 && limit.rlim_cur == 0;
}

static int explain(struct whorl_error *error, int err)
{
    int disabled = err == -EPERM ? ring_disabled_by_sysctl() : 0;

    if (err == -EPERM && disabled)
        return whorl_error_set(error, err, "io_uring",
                               "io_uring is disabled on this system: kernel.io_uring_disabled = %d",
                               disabled);
    if (err == -EPERM || err == -EACCES)
        return whorl_error_set(error, err, "io_uring",
                               "io_uring is not permitted here: it is refused by a seccomp filter, "
                               "which containers have by default, or by a security module");
    if (err == -ENOSYS)
        return whorl_error_set(error, err, "io_uring",
                               "this kernel has no io_uring: it is older than Linux 5.1 or was "
                               "built without io_uring, or a sandbox hides it");
    if (err == -ENOMEM)
        return whorl_error_set(error, err, "io_uring",
                               "no memory for the ring; before Linux 5.12 its memory counts "
                               "against the limit of locked memory (ulimit -l)");
    return whorl_error_set(error, err, "io_uring", "io_uring_setup: %s", whorl_strerror(err));
}

int ring_setup(struct io_uring *uring, unsigned entries, struct whorl_error *error,
               unsigned *ret_features)
{
    struct io_uring_params params;

    if (ring_is_without_workers())
        return whorl_error_set(error, -EPERM, "io_uring",
                               "RLIMIT_NPROC is 0, so the kernel starts no threads for io_uring");
    if (entries == 0)
        entries = ENTRIES_DEFAULT;
    else if (entries > ENTRIES_MAX)
        entries = ENTRIES_MAX;
    int err = climb_down(uring, entries, &params);
    if (err)
        return explain(error, err);
    if (!(params.features & IORING_FEAT_NODROP) || !(params.features & IORING_FEAT_EXT_ARG)) {
        io_uring_queue_exit(uring);
        return whorl_error_set(error, -ENOSYS, "io_uring",
                               "this kernel's io_uring is too old: Linux 5.11 or later is needed");
    }
    /* Optional: older kernels refuse it. */
    io_uring_register_iowq_max_workers(uring,
                                       (unsigned[]){WORKERS_BOUNDED, WORKERS_UNBOUNDED}); /* 5.15 */
    *ret_features = params.features;
    return 0;
}
