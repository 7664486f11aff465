/* SPDX-License-Identifier: MIT */
/* Passes descriptors together with bytes over Unix sockets. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <whorl/net.h>

/* Aligned buffer for the control message. */
union control {
    struct cmsghdr header;
    char room[CMSG_SPACE(WHORL_PASSED_FDS_MAX * sizeof(int))];
};

WHORL_SUSPENDS ssize_t whorl_send_fds(int fd, const void *buf, size_t len, const int *fds,
                                      size_t fds_count)
{
    struct iovec part = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    union control control;

    /* A stream socket passes descriptors only together with bytes. */
    if (len == 0 || fds_count > WHORL_PASSED_FDS_MAX)
        return -EINVAL;
    if (fds_count > 0) {
        memset(&control, 0, sizeof control);
        msg.msg_control = &control;
        msg.msg_controllen = CMSG_SPACE(fds_count * sizeof(int));
        struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
        cmsg->cmsg_level = SOL_SOCKET;
        cmsg->cmsg_type = SCM_RIGHTS;
        cmsg->cmsg_len = CMSG_LEN(fds_count * sizeof(int));
        memcpy(CMSG_DATA(cmsg), fds, fds_count * sizeof(int));
    }
    return whorl_sendmsg(fd, &msg, 0);
}

/* Takes the descriptors from `msg`: stores the first `max` in `fds` and closes the others. Returns
 * how many there were. */
static size_t take_fds(struct msghdr *msg, int *fds, size_t max)
{
    size_t count = 0;

    for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
        if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++, count++) {
            int passed;
            memcpy(&passed, CMSG_DATA(cmsg) + i * sizeof passed, sizeof passed);
            if (count < max)
                fds[count] = passed;
            else
                close(passed);
        }
    }
    return count;
}

WHORL_SUSPENDS ssize_t whorl_recv_fds(int fd, void *buf, size_t len, int *ret_fds, size_t fds_max,
                                      size_t *ret_count)
{
    struct iovec part = {.iov_base = buf, .iov_len = len};
    /* The buffer has room for the most descriptors that a message can have. So MSG_CTRUNC can only
     * mean that the kernel could not install all of them. */
    union control control;
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control};

    ssize_t n = whorl_recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    if (n < 0)
        return n;
    size_t count = take_fds(&msg, ret_fds, fds_max);
    if (count > fds_max || msg.msg_flags & MSG_CTRUNC) {
        for (size_t i = 0; i < count && i < fds_max; i++)
            close(ret_fds[i]);
        return count > fds_max ? -EMSGSIZE : -EMFILE;
    }
    if (ret_count)
        *ret_count = count;
    return n;
}
