/* SPDX-License-Identifier: MIT */
/* Worker processes: work shared out, crashes, cancellation, and that none is left. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "test.h"

static int init(void *arg, void **ret_state)
{
    if (arg && strcmp(arg, "die") == 0)
        _exit(1);
    if (arg && strcmp(arg, "refuse") == 0)
        return -EPERM;
    int err = whorl_sleep(WHORL_MICROSECOND); /* it has a run */
    *ret_state = strdup("state");
    return err;
}

/* "crash", "hang", "error", "pid", "fds", "big"; anything else comes back behind the state. */
static int work(void *state, const void *request, size_t len, void **ret, size_t *ret_len)
{
    if (strcmp(request, "crash") == 0)
        raise(SIGKILL);
    if (strcmp(request, "hang") == 0)
        for (;;)
            pause();
    if (strcmp(request, "error") == 0)
        return -ENOTSUP;
    if (strcmp(request, "nothing") == 0)
        return 0;
    if (strcmp(request, "sleep") == 0)
        return whorl_sleep(20 * WHORL_MILLISECOND);
    char *text = malloc(len + 100);
    if (strcmp(request, "pid") == 0)
        *ret_len = (size_t)sprintf(text, "%d", (int)getpid());
    else if (strcmp(request, "fds") == 0)
        *ret_len = (size_t)sprintf(text, "%d", fcntl(200, F_GETFD));
    else {
        *ret_len = (size_t)sprintf(text, "%s:", state ? (char *)state : "");
        memcpy(text + *ret_len, request, len);
        *ret_len += len;
    }
    *ret = text;
    return 0;
}

static struct whorl_workers *workers;

static void create(unsigned count)
{
    struct whorl_workers_options options = {
        .count = count, .init = init, .work = work, .message_max = 1 << 20};
    CHECK_OK(whorl_workers_create(&options, &workers));
}

/* Ends them; nothing is left of the server. */
static void destroy(void)
{
    whorl_workers_destroy(workers);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

static void check_call(const char *request, const char *expected)
{
    void *response = NULL;
    size_t len = 0;
    CHECK_OK(whorl_workers_call(workers, request, strlen(request), &response, &len));
    CHECK_STR(response, expected);
    CHECK_EQ(len, strlen(expected));
    free(response);
}

static int call_error(const char *request)
{
    void *response;
    size_t len;
    return whorl_workers_call(workers, request, strlen(request), &response, &len);
}

static int pid_of_worker(void)
{
    void *response = NULL;
    size_t len;
    CHECK_OK(whorl_workers_call(workers, "pid", 3, &response, &len));
    int pid = atoi(response);
    free(response);
    return pid;
}

static int echo_root(void *arg)
{
    (void)arg;
    check_call("hello", "state:hello");
    check_call("", "state:");
    check_call("nothing", "");
    CHECK_ERR(call_error("error"), -ENOTSUP);
    check_call("again", "state:again");
    size_t size = 1000000, len;
    char *big = malloc(size);
    void *response;
    memset(big, 'x', size);
    CHECK_OK(whorl_workers_call(workers, big, size, &response, &len));
    CHECK_EQ(len, size + 6);
    CHECK_EQ(memcmp((char *)response + 6, big, size), 0);
    free(response);
    CHECK_ERR(whorl_workers_call(workers, big, (1 << 20) + 1, &response, &len), -EMSGSIZE);
    CHECK_ERR(
        whorl_workers_create(&(struct whorl_workers_options){.count = 1, .work = work}, &workers),
        WHORL_EBUSYRUN);
    free(big);
    return 0;
}

TEST(requests_are_answered)
{
    create(1);
    CHECK_OK(whorl_io_run(echo_root, NULL));
    CHECK_OK(whorl_io_run(echo_root, NULL)); /* another run may use them */
    destroy();
}

static int sleep_in_worker(void *arg)
{
    (void)arg;
    void *response = NULL;
    size_t len;
    int err = whorl_workers_call(workers, "sleep", 5, &response, &len);
    free(response);
    return err;
}

static int share_root(void *arg)
{
    WHORL_AUTO(group) group = {0};
    (void)arg;
    int64_t before = whorl_now();
    for (int i = 0; i < 8; i++)
        CHECK_OK(whorl_spawn(&group, sleep_in_worker, NULL));
    CHECK_OK(whorl_group_wait(&group));
    CHECK(whorl_now() - before >= 40 * WHORL_MILLISECOND); /* two rounds of four */
    CHECK(whorl_now() - before < 160 * WHORL_MILLISECOND * test_timeout_scale());
    check_call("fds", "-1");
    return 0;
}

TEST(work_is_shared_out_and_workers_hold_no_descriptors_of_the_program)
{
    CHECK_EQ(dup2(STDERR_FILENO, 200), 200);
    create(4);
    CHECK_OK(whorl_io_run(share_root, NULL));
    destroy();
    close(200);
}

static int crash_root(void *arg)
{
    (void)arg;
    int pid = pid_of_worker();
    CHECK_ERR(call_error("crash"), WHORL_EWORKER);
    int next = pid_of_worker();
    CHECK(next != pid);
    check_call("a", "state:a");
    /* While idle: a call does not notice, once the kernel has taken the worker's ring down. */
    kill(next, SIGKILL);
    CHECK_OK(whorl_sleep(500 * WHORL_MILLISECOND));
    check_call("b", "state:b");
    return 0;
}

TEST(a_crash_is_told_to_its_caller_and_the_worker_replaced)
{
    create(1);
    CHECK_OK(whorl_io_run(crash_root, NULL));
    destroy();
}

static int cancel_root(void *arg)
{
    (void)arg;
    int pid = pid_of_worker();
    struct whorl_scope scope;
    whorl_scope_enter(&scope, whorl_after(5 * WHORL_MILLISECOND));
    int err = call_error("hang");
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    check_call("a", "state:a");
    CHECK(pid_of_worker() != pid);
    CHECK_EQ(kill(pid, 0), -1);
    return 0;
}

TEST(a_cancelled_call_kills_its_worker)
{
    create(1);
    CHECK_OK(whorl_io_run(cancel_root, NULL));
    destroy();
}

TEST(a_failing_initialiser_is_told_by_create)
{
    struct whorl_workers_options options = {
        .count = 2, .init = init, .work = work, .arg = (char[]){"refuse"}};
    CHECK_ERR(whorl_workers_create(&options, &workers), -EPERM);
    options.arg = (char[]){"die"};
    CHECK_ERR(whorl_workers_create(&options, &workers), WHORL_EWORKER);
    options.work = NULL;
    CHECK_ERR(whorl_workers_create(&options, &workers), -EINVAL);
    whorl_workers_destroy(NULL);
}

TEST(pools_beside_each_other_end_in_any_order)
{
    struct whorl_workers *first;
    create(2);
    first = workers;
    create(2);
    whorl_workers_destroy(first);
    destroy();
}

static int idle_root(void *arg)
{
    (void)arg;
    return 0;
}

TEST(outside_a_task_calls_are_refused)
{
    create(1);
    CHECK_ERR(call_error("x"), WHORL_ENOTASK);
    CHECK_OK(whorl_io_run(idle_root, NULL));
    destroy();
}

TEST_MAIN()
