/* SPDX-License-Identifier: MIT */
/* Faults of the I/O driver. The linker's --wrap puts this file between driver.c and the drivers,
 * and between ring.c and liburing (see tests/meson.build). */
#include "io_faults.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <liburing.h>

#include <whorl/io.h>

#include "io/driver/epoll.h"
#include "io/driver/op.h"
#include "io/driver/ring.h"
#include "test.h"

#define NO_IOWAIT     (1U << 17) /* IORING_FEAT_NO_IOWAIT, of 6.15 */
#define OPCODE_LISTEN 57         /* IORING_OP_LISTEN, of 6.11 */

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
void __real_io_uring_queue_exit(struct io_uring *ring);
void __wrap_io_uring_queue_exit(struct io_uring *ring);
int __real_io_uring_register_ring_fd(struct io_uring *ring);
int __wrap_io_uring_register_ring_fd(struct io_uring *ring);
int __real_io_uring_register_iowq_max_workers(struct io_uring *ring, unsigned *values);
int __wrap_io_uring_register_iowq_max_workers(struct io_uring *ring, unsigned *values);
int __real_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
                           sigset_t *sig, size_t size);
int __wrap_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
                           sigset_t *sig, size_t size);

/* --- older kernels ---------------------------------------------------------------------------- */

/* What the io_uring of some kernels lacked, of what the library uses. */
static const struct kernel {
    const char *version;
    unsigned refused_flags, missing_features, last_opcode;
    bool lacks_poll_multishot;   /* before 5.13 */
    bool lacks_accept_multishot; /* before 5.19 */
    bool lacks_ring_fd;          /* registering the ring's descriptor: before 5.18 */
    bool lacks_max_workers;      /* before 5.15 */
} kernels[] = {
    {
        .version = "5.11",
        .refused_flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
        .missing_features = IORING_FEAT_CQE_SKIP | NO_IOWAIT,
        .last_opcode = IORING_OP_UNLINKAT,
        .lacks_poll_multishot = true,
        .lacks_accept_multishot = true,
        .lacks_ring_fd = true,
        .lacks_max_workers = true,
    },
    {
        .version = "5.15",
        .refused_flags = IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN,
        .missing_features = IORING_FEAT_CQE_SKIP | NO_IOWAIT,
        .last_opcode = IORING_OP_LINKAT,
        .lacks_accept_multishot = true,
        .lacks_ring_fd = true,
    },
    {
        .version = "5.19",
        .refused_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
        .missing_features = NO_IOWAIT,
        .last_opcode = IORING_OP_URING_CMD,
    },
    {.version = "6.1", .missing_features = NO_IOWAIT, .last_opcode = IORING_OP_SENDMSG_ZC},
    {.version = "6.12", .missing_features = NO_IOWAIT, .last_opcode = OPCODE_LISTEN},
};

const char *const io_faults_kernels[] = {"5.11", "5.15", "5.19", "6.1", "6.12", NULL};

static const struct kernel newest = {.last_opcode = UINT8_MAX};

/* All programs of a test use the kernel of the environment, also their threads. */
static const struct kernel *kernel = &newest;

void io_faults_kernel(const char *version)
{
    const struct kernel *found = version ? NULL : &newest;

    for (size_t i = 0; version && i < sizeof kernels / sizeof *kernels; i++)
        if (strcmp(version, kernels[i].version) == 0)
            found = &kernels[i];
    if (!found) {
        fprintf(stderr, "TEST_KERNEL=%s: no such kernel\n", version);
        exit(2);
    }
    kernel = found;
}

void io_faults_need_multishot(void)
{
    const char *driver = whorl_io_driver() ? whorl_io_driver() : getenv("WHORL_DRIVER");

    if (kernel->lacks_accept_multishot && !(driver && strcmp(driver, "epoll") == 0))
        test_skip("Linux %s has no multishot requests of all kinds", kernel->version);
}

__attribute__((constructor)) static void be_kernel(void)
{
    io_faults_kernel(getenv("TEST_KERNEL"));
}

/* The rings of this thread, whose requests are looked at when they are submitted. */
enum { RINGS_MAX = 64 };
static _Thread_local struct io_uring *rings[RINGS_MAX];
static _Thread_local struct io_faults_refused refused;

struct io_faults_refused io_faults_refused(void)
{
    struct io_faults_refused before = refused;

    refused = (struct io_faults_refused){0};
    return before;
}

static void remember_ring(struct io_uring *ring)
{
    for (int i = 0; i < RINGS_MAX; i++)
        if (!rings[i]) {
            rings[i] = ring;
            return;
        }
}

void __wrap_io_uring_queue_exit(struct io_uring *ring)
{
    for (int i = 0; i < RINGS_MAX; i++)
        if (rings[i] == ring)
            rings[i] = NULL;
    __real_io_uring_queue_exit(ring);
}

/* In a forked child: the rings belong to the parent, and their memory is freed without an exit. */
static void forget_rings(void)
{
    memset(rings, 0, sizeof rings);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, forget_rings);
}

static const struct io_uring *ring_of(unsigned fd, bool registered)
{
    for (int i = 0; i < RINGS_MAX; i++)
        if (rings[i] && (unsigned)(registered ? rings[i]->enter_ring_fd : rings[i]->ring_fd) == fd)
            return rings[i];
    return NULL;
}

static bool has_unknown_flag(const struct io_uring_sqe *sqe)
{
    if (sqe->flags & IOSQE_CQE_SKIP_SUCCESS && kernel->missing_features & IORING_FEAT_CQE_SKIP)
        return true;
    if (sqe->opcode == IORING_OP_POLL_ADD && sqe->len & IORING_POLL_ADD_MULTI)
        return kernel->lacks_poll_multishot;
    if (sqe->opcode == IORING_OP_ACCEPT && sqe->ioprio & IORING_ACCEPT_MULTISHOT)
        return kernel->lacks_accept_multishot;
    return false;
}

/* Makes the kernel refuse what the older kernel would refuse. */
static void look_at_requests(const struct io_uring *ring, unsigned count)
{
    const struct io_uring_sq *sq = &ring->sq;
    unsigned head = *sq->khead, last = kernel->last_opcode;

    if (last_opcode < last)
        last = last_opcode;
    for (unsigned i = 0; i < count; i++) {
        struct io_uring_sqe *sqe = &sq->sqes[(head + i) & sq->ring_mask];
        bool unknown = sqe->opcode > last && sqe->opcode != UINT8_MAX;
        bool flag = !unknown && has_unknown_flag(sqe);
        refused.opcodes += unknown;
        refused.flags += flag;
        if (unknown || flag)
            sqe->opcode = UINT8_MAX;
    }
}

/* --- faults ----------------------------------------------------------------------------------- */

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
    if (params->flags & (refused_flags | kernel->refused_flags))
        return -EINVAL;
    int err = __real_io_uring_queue_init_params(entries, ring, params);
    params->features &= ~(missing_features | kernel->missing_features);
    if (err == 0)
        remember_ring(ring);
    return err;
}

int __wrap_io_uring_register_probe(struct io_uring *ring, struct io_uring_probe *probe, unsigned nr)
{
    int err = __real_io_uring_register_probe(ring, probe, nr);
    unsigned last = last_opcode < kernel->last_opcode ? last_opcode : kernel->last_opcode;

    if (probe->last_op > last)
        probe->last_op = (uint8_t)last;
    for (unsigned i = last + 1; i < nr; i++)
        probe->ops[i] = (struct io_uring_probe_op){0};
    return err;
}

int __wrap_io_uring_register_ring_fd(struct io_uring *ring)
{
    return kernel->lacks_ring_fd ? -EINVAL : __real_io_uring_register_ring_fd(ring);
}

int __wrap_io_uring_register_iowq_max_workers(struct io_uring *ring, unsigned *values)
{
    return kernel->lacks_max_workers ? -EINVAL
                                     : __real_io_uring_register_iowq_max_workers(ring, values);
}

int __wrap_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
                           sigset_t *sig, size_t size)
{
    if (enter_failures > 0 && to_submit > 0) {
        enter_failures--;
        return enter_err;
    }
    const struct io_uring *ring = ring_of(fd, flags & IORING_ENTER_REGISTERED_RING);
    if (ring && to_submit > 0)
        look_at_requests(ring, to_submit);
    return __real_io_uring_enter2(fd, to_submit, min_complete, flags, sig, size);
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
