/* SPDX-License-Identifier: MIT */
/* Select over descriptors, beside channels and deadlines. */
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>

#include "faults.h"
#include "io_faults.h"
#include "test.h"

static int write_soon(void *arg)
{
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    CHECK_EQ(write(*(int *)arg, "x", 1), 1);
    return 0;
}

TEST_IO(a_descriptor_that_is_ready_is_taken_at_once)
{
    int p[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p));
    struct whorl_case cases[] = {whorl_case_fd(p[0], POLLIN | POLLOUT),
                                 whorl_case_deadline(WHORL_FOREVER)};
    CHECK_EQ(whorl_try_select(cases, 2), 0);
    CHECK_EQ(cases[0].result, POLLOUT);
    cases[0] = whorl_case_fd(p[0], POLLIN);
    CHECK_ERR(whorl_try_select(cases, 2), -EAGAIN);
    cases[0] = whorl_case_fd(999, POLLIN);
    CHECK_EQ(whorl_select(cases, 2), 0);
    CHECK_ERR(cases[0].result, -EBADF);
    close(p[0]);
    close(p[1]);
}

TEST_IO(a_descriptor_that_becomes_ready_is_taken)
{
    WHORL_AUTO(group) group = {0};
    int p[2], q[2];
    CHECK_OK(pipe(p));
    CHECK_OK(pipe(q));
    struct whorl_case cases[] = {whorl_case_fd(q[0], POLLIN), whorl_case_fd(p[0], POLLIN),
                                 whorl_case_deadline(whorl_after(WHORL_MINUTE))};
    CHECK_OK(whorl_spawn(&group, write_soon, &p[1]));
    CHECK_EQ(whorl_select(cases, 3), 1);
    CHECK_EQ(cases[1].result, POLLIN);
    CHECK_EQ(whorl_select(cases, 3), 1); /* still readable: select has read nothing */
    close(p[1]);
    close(p[0]);
    close(q[1]);
    CHECK_EQ(whorl_select(cases, 1), 0);
    CHECK_EQ(cases[0].result, POLLHUP);
    close(q[0]);
}

TEST_IO(a_deadline_or_a_channel_beats_a_quiet_descriptor_and_leaves_no_request)
{
    WHORL_AUTO(chan) *chan = NULL;
    CHECK_OK(whorl_chan_create(sizeof(int), 1, &chan));
    int p[2], value = 7;
    CHECK_OK(pipe(p));
    for (int i = 0; i < 20; i++) {
        struct whorl_case cases[] = {whorl_case_fd(p[0], POLLIN),
                                     whorl_case_deadline(whorl_after(200 * WHORL_MICROSECOND)),
                                     whorl_case_recv(chan, &value)};
        CHECK_EQ(whorl_select(cases, 3), 1);
        CHECK_OK(whorl_chan_send(chan, &(int){i}));
        CHECK_EQ(whorl_select(cases + 1, 2) >= 0, true);
        test_ignore(whorl_chan_try_recv(chan, &value));
    }
    close(p[0]);
    close(p[1]);
}

TEST_IO(a_cancelled_select_lets_go_of_the_descriptor)
{
    int p[2];
    char byte;
    CHECK_OK(pipe(p));
    struct whorl_scope scope;
    struct whorl_case cases[] = {whorl_case_fd(p[0], POLLIN)};
    whorl_scope_enter(&scope, whorl_after(WHORL_MILLISECOND));
    CHECK_ERR(whorl_select(cases, 1), -ECANCELED);
    CHECK_ERR(whorl_select(cases, 1), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK_EQ(write(p[1], "x", 1), 1);
    CHECK_EQ(whorl_select(cases, 1), 0);
    CHECK_ERR(whorl_read(p[0], &byte, 1), 1);
    close(p[0]);
    close(p[1]);
}

TEST_VIRTUAL(without_io_the_case_fails)
{
    int p[2];
    CHECK_OK(pipe(p));
    struct whorl_case cases[] = {whorl_case_deadline(WHORL_FOREVER), whorl_case_fd(p[0], POLLIN)};
    CHECK_EQ(whorl_select(cases, 2), 1);
    CHECK_ERR(cases[1].result, WHORL_ENOIO);
    close(p[0]);
    close(p[1]);
}

static int select_root(void *arg)
{
    int p[2];
    (void)arg;
    if (pipe(p) < 0)
        return -errno;
    struct whorl_case cases[] = {
        whorl_case_fd(p[0], POLLIN),
        whorl_case_fd(p[0], POLLHUP),
        whorl_case_deadline(whorl_after(50 * WHORL_MILLISECOND)),
    };
    int which = whorl_select(cases, 3);
    close(p[0]);
    close(p[1]);
    return which < 0 ? which : cases[which].result;
}

static int run_select(void *arg)
{
    return whorl_io_run(select_root, arg);
}

TEST(every_failed_allocation_is_reported)
{
    CHECK(faults_sweep(run_select, NULL) > 4);
}

TEST(every_failed_request_is_reported)
{
    CHECK_EQ(io_faults_sweep(run_select, NULL, -EIO), 4);
}

TEST_MAIN()
