/* SPDX-License-Identifier: MIT */
/* Faults of the I/O driver. The linker's --wrap puts this file between driver.c and the drivers,
 * and between ring.c and liburing (see tests/meson.build). */
#include "io_faults.h"

#include <stdlib.h>

#include <liburing.h>

#include "io/driver/epoll.h"
#include "io/driver/op.h"
#include "io/driver/ring.h"
#include "test.h"

#define NO_IOWAIT (1U << 17) /* IORING_FEAT_NO_IOWAIT, of 6.15 */

enum mode { OFF, COMPLETE, SUBMIT };

static _Thread_local enum mode mode;
static _Thread_local bool struck;
static _Thread_local uint64_t seen, target;
static _Thread_local int complete_err, setup_err, enter_err;
static _Thread_local unsigned refused_flags, missing_features, enter_failures;
static _Thread_local unsigned last_opcode = UINT8_MAX;

/* victim: the request that fails. stand_in: a no-op that is submitted in its place, so that the
 * failure arrives like a completion. */
static _Thread_local struct io_op *victim, stand_in;
static _Thread_local const struct io_driver_ops *real_ops;
static _Thread_local struct io_driver_ops ops;

int __real_ring_create(unsigned entries, struct whorl_error *error, struct io_driver **ret);
int __wrap_ring_create(unsigned entries, struct whorl_error *error, struct io_driver **ret);
int __real_epoll_driver_create(struct whorl_error *error, struct io_driver **ret);
int __wrap_epoll_driver_create(struct whorl_error *error, struct io_driver **ret);
int __real_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *params);
int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *params);
int __real_io_uring_register_probe(struct io_uring *ring, struct io_uring_probe *probe,
                                   unsigned nr);
int __wrap_io_uring_register_probe(struct io_uring *ring, struct io_uring_probe *probe,
                                   unsigned nr);
int __real_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
                           sigset_t *sig, size_t size);
int __wrap_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
                           sigset_t *sig, size_t size);

static void fail_victim(struct io_op *op, int res, bool more)
{
    struct io_op *failing = victim;

    (void)op, (void)res, (void)more;
    victim = NULL;
    failing->slot = 0;
    io_op_complete(failing, complete_err, false);
}

static int submit(struct io_driver *driver, struct io_op *op)
{
    if (mode == OFF || op->code == IO_OP_CLOSE || ++seen != target)
        return real_ops->submit(driver, op);
    struck = true;
    if (mode == SUBMIT)
        return -ENOMEM;
    stand_in = (struct io_op){.code = IO_OP_NOP, .complete = fail_victim, .driver = driver};
    int err = real_ops->submit(driver, &stand_in);
    if (err)
        return err;
    driver->in_flight++; /* io_op_complete() will decrement it for the victim too */
    victim = op;
    op->slot = UINT32_MAX;
    return 0;
}

static void cancel(struct io_driver *driver, struct io_op *op)
{
    if (op != victim) /* the victim completes soon, so it needs no cancel */
        real_ops->cancel(driver, op);
}

static void stand_before(struct io_driver *driver)
{
    real_ops = driver->ops;
    ops = *real_ops;
    ops.submit = submit;
    ops.cancel = cancel;
    driver->ops = &ops;
}

int __wrap_ring_create(unsigned entries, struct whorl_error *error, struct io_driver **ret)
{
    int err = __real_ring_create(entries, error, ret);

    if (err == 0)
        stand_before(*ret);
    return err;
}

int __wrap_epoll_driver_create(struct whorl_error *error, struct io_driver **ret)
{
    int err = __real_epoll_driver_create(error, ret);

    if (err == 0)
        stand_before(*ret);
    return err;
}

int __wrap_io_uring_queue_init_params(unsigned entries, struct io_uring *ring,
                                      struct io_uring_params *params)
{
    if (setup_err)
        return setup_err;
    if (params->flags & refused_flags)
        return -EINVAL;
    int err = __real_io_uring_queue_init_params(entries, ring, params);
    params->features &= ~missing_features;
    return err;
}

int __wrap_io_uring_register_probe(struct io_uring *ring, struct io_uring_probe *probe, unsigned nr)
{
    int err = __real_io_uring_register_probe(ring, probe, nr);

    if (probe->last_op > last_opcode)
        probe->last_op = (uint8_t)last_opcode;
    for (unsigned i = last_opcode + 1; i < nr; i++)
        probe->ops[i] = (struct io_uring_probe_op){0};
    return err;
}

int __wrap_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
                           sigset_t *sig, size_t size)
{
    if (enter_failures > 0 && to_submit > 0) {
        enter_failures--;
        return enter_err;
    }
    return __real_io_uring_enter2(fd, to_submit, min_complete, flags, sig, size);
}

/* What the io_uring of some kernels lacked, as far as setting up a ring tells. */
static const struct kernel {
    const char *version;
    unsigned refused_flags, missing_features, last_opcode;
} kernels[] = {
    {"5.11", IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN, IORING_FEAT_CQE_SKIP | NO_IOWAIT,
     IORING_OP_UNLINKAT},
    {"5.15", IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN, IORING_FEAT_CQE_SKIP | NO_IOWAIT,
     IORING_OP_LINKAT},
    {"5.19", IORING_SETUP_DEFER_TASKRUN, NO_IOWAIT, IORING_OP_URING_CMD},
    {"6.1", 0, NO_IOWAIT, IORING_OP_SENDMSG_ZC},
};

__attribute__((constructor)) static void be_kernel(void)
{
    const char *version = getenv("TEST_KERNEL");

    for (size_t i = 0; version && i < sizeof kernels / sizeof *kernels; i++)
        if (strcmp(version, kernels[i].version) == 0) {
            io_faults_setup(0, kernels[i].refused_flags);
            io_faults_features(kernels[i].missing_features);
            io_faults_opcodes(kernels[i].last_opcode);
            return;
        }
    if (version) {
        fprintf(stderr, "TEST_KERNEL=%s: no such kernel\n", version);
        exit(2);
    }
}

static void arm(enum mode new_mode, uint64_t nth, int err)
{
    mode = new_mode;
    seen = 0;
    target = nth;
    struck = false;
    complete_err = err;
}

void io_faults_complete(uint64_t nth, int err)
{
    arm(COMPLETE, nth, err);
}

void io_faults_submit(uint64_t nth)
{
    arm(SUBMIT, nth, -ENOMEM);
}

bool io_faults_disarm(void)
{
    mode = OFF;
    return struck;
}

void io_faults_setup(int err, unsigned flags)
{
    setup_err = err;
    refused_flags = flags;
}

void io_faults_features(unsigned missing)
{
    missing_features = missing;
}

void io_faults_opcodes(unsigned last)
{
    last_opcode = last;
}

void io_faults_enter(unsigned count, int err)
{
    enter_failures = count;
    enter_err = err;
}

static uint64_t sweep(enum mode how, int (*fn)(void *arg), void *arg, int fault)
{
    for (uint64_t nth = 1;; nth++) {
        int fds = test_open_fds();
        arm(how, nth, fault);
        int err = fn(arg);
        bool hit = io_faults_disarm();
        unsigned long long number = nth;
        if (err != 0 && (err != fault || !hit))
            test_fail(__FILE__, __LINE__, "with %s %llu %s it returned %d (%s)",
                      hit ? "request" : "no request, not even number", number,
                      how == SUBMIT ? "refused" : "failing", err, whorl_strerror(err));
        if (test_open_fds() != fds)
            test_fail(__FILE__, __LINE__, "with request %llu failing %d descriptors stay open",
                      number, test_open_fds() - fds);
        if (!hit)
            return nth - 1;
    }
}

uint64_t io_faults_sweep(int (*fn)(void *arg), void *arg, int err)
{
    uint64_t completed = sweep(COMPLETE, fn, arg, err);

    return completed + sweep(SUBMIT, fn, arg, -ENOMEM);
}
