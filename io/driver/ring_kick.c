/* SPDX-License-Identifier: MIT */
/* Wakes the thread that waits for a ring. */
#include "io/driver/ring_kick.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "io/driver/ring_sqe.h"
#include "runtime/base/check.h"

int ring_kick_open(struct ring_kick *kick)
{
    kick->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return kick->fd < 0 ? -errno : 0;
}

void ring_kick_close(struct ring_kick *kick)
{
    close(kick->fd);
}

void ring_kick_send(struct ring_kick *kick)
{
    /* If the flag is already set, the loop has not yet looked at its inbox: it clears the flag
     * before it looks. So it will see the caller's entry without another wake-up. */
    if (!atomic_exchange_explicit(&kick->sent, true, memory_order_acq_rel)) {
        ssize_t n = write(kick->fd, &(uint64_t){1}, sizeof(uint64_t));
        whorl_check(n == sizeof(uint64_t));
    }
}

TOUCHES_RING void ring_kick_arm(struct ring_kick *kick, struct io_uring_sqe *sqe,
                                uint64_t user_data)
{
    *sqe = (struct io_uring_sqe){
        .opcode = IORING_OP_POLL_ADD,
        .fd = kick->fd,
        .poll32_events = __io_uring_prep_poll_mask(POLLIN),
        .len = kick->has_no_multishot ? 0 : IORING_POLL_ADD_MULTI, /* 5.13 */
        .user_data = user_data,
    };
    kick->is_armed = true;
}

void ring_kick_complete(struct ring_kick *kick, int res, bool more)
{
    uint64_t count;

    if (res == -EINVAL)
        kick->has_no_multishot = true;
    if (!more) {
        /* Only a newly armed poll looks at the count, so it is reset only before arming one. */
        if (read(kick->fd, &count, sizeof count) < 0)
            whorl_check(errno == EAGAIN || errno == EINTR);
        kick->is_armed = false;
    }
    atomic_exchange_explicit(&kick->sent, false, memory_order_acq_rel);
}
