/* SPDX-License-Identifier: MIT */
/* Several system calls in one hop: where they run, their result, cancels, and reports. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <whorl/fd.h>
#include <whorl/group.h>
#include <whorl/io.h>
#include <whorl/run.h>
#include <whorl/scope.h>
#include <whorl/task.h>
#include <whorl/trace.h>

#include "dump.h"
#include "io/fd/disk_call.h"
#include "io_faults.h"
#include "test.h"

struct visit {
    pthread_t thread;
    int gate[2]; /* a pipe, which the call reads from */
    int result, calls;
};

static int visit(void *arg)
{
    struct visit *v = arg;

    v->calls++;
    v->thread = pthread_self();
    return v->result;
}

TEST_IO(the_function_runs_on_another_thread)
{
    struct visit v = {.result = 7};

    CHECK_ERR(disk_call_run(visit, &v, "visit", "place"), 7);
    CHECK(!pthread_equal(v.thread, pthread_self()));
    v.result = -ENOSPC;
    CHECK_ERR(disk_call_run(visit, &v, "visit", "place"), -ENOSPC);
    CHECK_EQ(v.calls, 2);
}

TEST(outside_a_run_it_is_refused)
{
    struct visit v = {.result = 7};

    CHECK_ERR(disk_call_run(visit, &v, "visit", "place"), WHORL_ENOTASK);
    CHECK_EQ(v.calls, 0);
}

TEST_IO(in_a_cancelled_scope_the_function_is_not_called)
{
    struct visit v = {.result = 7};
    struct whorl_scope scope;

    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    CHECK_ERR(disk_call_run(visit, &v, "visit", "place"), -ECANCELED);
    whorl_scope_leave(&scope, 0);
    CHECK_EQ(v.calls, 0);
}

static int wait_at_gate(void *arg)
{
    struct visit *v = arg;
    char byte;

    __atomic_store_n(&v->calls, 1, __ATOMIC_RELEASE);
    return read(v->gate[0], &byte, 1) == 1 ? v->result : -errno;
}

static int wait_in_task(void *arg)
{
    return disk_call_run(wait_at_gate, arg, "wait at", "gate");
}

TEST_IO(a_function_that_has_begun_is_waited_for)
{
    struct visit v = {.result = 7};
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    CHECK_OK(pipe2(v.gate, O_CLOEXEC));
    CHECK_OK(whorl_spawn(&group, wait_in_task, &v));
    while (!__atomic_load_n(&v.calls, __ATOMIC_ACQUIRE))
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_DUMP("waits for wait at \"gate\"\n");
    whorl_group_cancel(&group);
    CHECK_EQ(write(v.gate[1], "x", 1), 1);
    CHECK_ERR(whorl_group_wait(&group), 0); /* completion wins */
    close(v.gate[0]);
    close(v.gate[1]);
}

static int visit_once(void *arg)
{
    (void)arg;
    struct visit v = {.result = 0};

    return disk_call_run(visit, &v, "visit", "place");
}

static int run_once(void *arg)
{
    return whorl_io_run(visit_once, arg);
}

TEST(refused_requests_are_reported)
{
    CHECK_EQ(io_faults_sweep(run_once, NULL, -EIO), 2);
}

TEST_MAIN()
