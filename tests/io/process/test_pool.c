/* SPDX-License-Identifier: MIT */
/* Worker processes: work is shared, workers crash, calls are cancelled, and no process is left. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "faults.h"
#include "io_faults.h"
#include "test.h"

static WHORL_SUSPENDS int init(void *arg, void **ret_state)
{
    if (arg && strcmp(arg, "die") == 0)
        _exit(1);
    if (arg && strcmp(arg, "refuse") == 0)
        return -EPERM;
    int err = whorl_sleep(WHORL_MICROSECOND); /* checks that init runs inside a run */
    *ret_state = strdup("state");
    return err || *ret_state ? err : -ENOMEM;
}

/* Requests: "crash", "hang", "count PATH", "error", "pid", "fds". Any other text is returned after
 * the state. */
static WHORL_SUSPENDS int work(void *state, const void *request, size_t len, void **ret,
                               size_t *ret_len)
{
    if (strcmp(request, "crash") == 0)
        raise(SIGKILL);
    if (strcmp(request, "hang") == 0)
        for (;;)
            pause();
    if (strncmp(request, "count ", 6) == 0) { /* writes a byte to the file and dies */
        int fd = open((const char *)request + 6, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (write(fd, ".", 1) == 1)
            raise(SIGKILL);
    }
    if (strcmp(request, "error") == 0)
        return -ENOTSUP;
    if (strcmp(request, "nothing") == 0)
        return 0;
    if (strcmp(request, "sleep") == 0)
        return whorl_sleep(20 * WHORL_MILLISECOND);
    char *text = malloc(len + 100);
    if (!text)
        return -ENOMEM;
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

static struct whorl_process_pool *workers;

static void create(unsigned count)
{
    struct whorl_process_pool_options options = {
        .count = count, .init = init, .work = work, .message_max = 1 << 20};
    CHECK_OK(whorl_process_pool_create(&options, &workers));
}

/* Destroys the pool and checks that no server process is left. */
static void destroy(void)
{
    whorl_process_pool_destroy(workers);
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
}

static WHORL_SUSPENDS_SHIELDED void check_call(const char *request, const char *expected)
{
    void *response = NULL;
    size_t len = 0;
    CHECK_OK(whorl_process_pool_call(workers, request, strlen(request), &response, &len));
    CHECK_STR(response, expected);
    CHECK_EQ(len, strlen(expected));
    free(response);
}

static WHORL_SUSPENDS int call_error(const char *request)
{
    void *response;
    size_t len;
    return whorl_process_pool_call(workers, request, strlen(request), &response, &len);
}

static WHORL_SUSPENDS int pid_of_worker(void)
{
    void *response = NULL;
    size_t len;
    CHECK_OK(whorl_process_pool_call(workers, "pid", 3, &response, &len));
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
    CHECK_OK(whorl_process_pool_call(workers, big, size, &response, &len));
    CHECK_EQ(len, size + 6);
    CHECK_EQ(memcmp((char *)response + 6, big, size), 0);
    free(response);
    CHECK_OK(whorl_process_pool_call(workers, "short", 5, &response, NULL));
    CHECK_STR(response, "state:short");
    free(response);
    CHECK_ERR(whorl_process_pool_call(workers, big, (1 << 20) + 1, &response, &len), -EMSGSIZE);
    CHECK_ERR(whorl_process_pool_create(
                  &(struct whorl_process_pool_options){.count = 1, .work = work}, &workers),
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
    int err = whorl_process_pool_call(workers, "sleep", 5, &response, &len);
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
    CHECK(whorl_now() - before >= 40 * WHORL_MILLISECOND); /* two rounds of four workers */
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
    return 0;
}

TEST(a_crash_is_told_to_its_caller_and_the_worker_replaced)
{
    create(1);
    CHECK_OK(whorl_io_run(crash_root, NULL));
    destroy();
}

static int kill_idle_root(void *arg)
{
    static const char *const requests[] = {"", "b", "word"}, *const responses[] = {
                                                                 "state:", "state:b", "state:word"};
    (void)arg;
    for (int i = 0; i < 60; i++) {
        kill(pid_of_worker(), SIGKILL);
        if (i % 4 == 3) /* the worker is dead, or is just dying */
            CHECK_OK(whorl_sleep(i * WHORL_MILLISECOND / 4));
        check_call(requests[i % 3], responses[i % 3]);
    }
    return 0;
}

TEST(a_worker_killed_while_idle_is_replaced_and_no_call_notices)
{
    create(1);
    CHECK_OK(whorl_io_run(kill_idle_root, NULL));
    destroy();
}

static int twice_root(void *arg)
{
    char request[600], path[512];
    struct stat st;
    (void)arg;
    snprintf(path, sizeof path, "%s/count", test_tmpdir());
    snprintf(request, sizeof request, "count %s", path);
    check_call("a", "state:a");
    CHECK_ERR(call_error(request), WHORL_EWORKER);
    CHECK_EQ(stat(path, &st), 0);
    CHECK_EQ(st.st_size, 1);
    return 0;
}

TEST(work_that_was_begun_is_not_begun_again)
{
    create(1);
    CHECK_OK(whorl_io_run(twice_root, NULL));
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
    CHECK_EQ(kill(pid, 0), -1); /* it is no zombie either: the server has reaped it */
    CHECK_EQ(errno, ESRCH);
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
    struct whorl_process_pool_options options = {
        .count = 2, .init = init, .work = work, .arg = (char[]){"refuse"}};
    CHECK_ERR(whorl_process_pool_create(&options, &workers), -EPERM);
    options.arg = (char[]){"die"};
    CHECK_ERR(whorl_process_pool_create(&options, &workers), WHORL_EWORKER);
    options.work = NULL;
    CHECK_ERR(whorl_process_pool_create(&options, &workers), -EINVAL);
    whorl_process_pool_destroy(NULL);
}

TEST(pools_beside_each_other_end_in_any_order)
{
    struct whorl_process_pool *first;
    create(2);
    first = workers;
    create(2);
    whorl_process_pool_destroy(first);
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

/* --- faults ----------------------------------------------------------------------------------- */

/* The number of the allocation that fails in the server and the workers; 0: none. */
static uint64_t child_nth;

static void arm_child(void)
{
    io_faults_disarm();
    faults_disarm();
    if (child_nth)
        faults_arm(child_nth);
}

static int call_twice(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        void *response = NULL;
        size_t len;
        int err = whorl_process_pool_call(workers, "x", 1, &response, &len);
        if (err)
            return err;
        CHECK_STR(response, "state:x");
        free(response);
    }
    return 0;
}

/* The whole life of a pool. Nothing must be left of it, whatever fails. */
static int use_pool(void *arg)
{
    struct whorl_process_pool_options options = {.count = 2, .init = init, .work = work};
    (void)arg;
    int err = whorl_process_pool_create(&options, &workers);
    if (err == 0) {
        err = whorl_io_run(call_twice, NULL);
        whorl_process_pool_destroy(workers);
    }
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    return err;
}

TEST(every_failed_allocation_is_reported_and_leaves_no_process)
{
    pthread_atfork(NULL, NULL, arm_child);
    CHECK(faults_sweep(use_pool, NULL) >= 5);
}

TEST(every_failed_request_is_reported_and_leaves_no_process)
{
    pthread_atfork(NULL, NULL, arm_child);
    CHECK(io_faults_sweep(use_pool, NULL, -EIO) >= 12);
}

TEST(a_worker_without_memory_is_an_error_and_holds_up_nobody)
{
    pthread_atfork(NULL, NULL, arm_child);
    int failed = 0;
    for (child_nth = 1; child_nth <= 40; child_nth++) {
        int err = use_pool(NULL);
        failed += err != 0;
        if (err != 0 && err != -ENOMEM && err != WHORL_EWORKER)
            test_fail(__FILE__, __LINE__, "allocation %d of a worker: %s", (int)child_nth,
                      whorl_strerror(err));
    }
    CHECK(failed >= 3);
    child_nth = 0;
    CHECK_OK(use_pool(NULL));
}

TEST_MAIN()
