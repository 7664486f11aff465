/* SPDX-License-Identifier: MIT */
/* Children that are forked during a run: they leave the parent's run, whatever its tasks wait for
 * and whichever threads the library has started, and begin runs of their own. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>
#include <whorl/poller.h>

#include "forked.h"
#include "test.h"

static void check_can_fork_in_tasks(void)
{
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer does not follow a fork out of a task");
#endif
    if (test_on_valgrind())
        test_skip("the memory of the parent's threads counts as lost in the child");
    if (test_on_qemu())
        test_skip("qemu starts no threads in a child of a program with threads");
}

/* A little of everything, to see that a run works. */
static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int exercise(void *arg)
{
    int p[2];
    char byte;
    (void)arg;
    CHECK_OK(whorl_pipe(p));
    CHECK_ERR(whorl_write(p[1], "x", 1), 1);
    CHECK_ERR(whorl_read(p[0], &byte, 1), 1);
    CHECK_OK(whorl_close(p[0]));
    CHECK_OK(whorl_close(p[1]));
    CHECK_OK(whorl_offload_run(NULL, nothing, NULL));
    int fd = whorl_openat(AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
    CHECK(fd >= 0);
    CHECK_ERR(whorl_pread(fd, &byte, 1, 0), 1);
    CHECK_OK(whorl_close(fd));
    return whorl_sleep(WHORL_MILLISECOND);
}

/* Runs `root`, which forks. The child leaves its run and begins one of its own. */
static void check_child_leaves(whorl_task_fn root, const struct whorl_io_options *options)
{
    pid_t child = -1;
    check_can_fork_in_tasks();
    CHECK_OK(whorl_io_run_with(options, NULL, root, &child));
    if (child == 0)
        _exit(whorl_io_run(exercise, NULL) ? 1 : 0);
    if (child > 0) /* else the root has waited for it */
        expect_success(child);
    CHECK_OK(whorl_io_run(exercise, NULL));
}

/* --- threads of the library ------------------------------------------------------------------- */

static int offload_and_fork(void *arg)
{
    pid_t *child = arg;
    CHECK_OK(whorl_offload_run(NULL, nothing, NULL));
    *child = fork_child();
    return 0;
}

TEST(a_child_leaves_a_run_that_has_offloaded_work)
{
    check_child_leaves(offload_and_fork, NULL);
}

static int offload_to_pool_and_fork(void *arg)
{
    WHORL_AUTO(offload) *pool = NULL;
    pid_t *child = arg;
    CHECK_OK(whorl_offload_create(NULL, &pool));
    CHECK_OK(whorl_offload_run(pool, nothing, NULL));
    *child = fork_child();
    if (*child == 0)
        CHECK_ERR(whorl_offload_run(pool, nothing, NULL), -EAGAIN);
    return 0;
}

TEST(a_child_leaves_a_run_with_a_pool_and_cannot_use_it)
{
    check_child_leaves(offload_to_pool_and_fork, NULL);
}

static int offload_in_a_child(void *arg)
{
    int values[2] = {0};
    struct whorl_future future = {0};
    pid_t *child = arg;
    *child = fork_child();
    if (*child == 0) {
        CHECK_ERR(whorl_offload_run(NULL, nothing, NULL), -EAGAIN);
        CHECK_ERR(whorl_offload_run_owned(NULL, nothing, NULL, NULL), -EAGAIN);
        CHECK_ERR(whorl_offload_submit(NULL, nothing, NULL, &future), -EAGAIN);
        CHECK_ERR(whorl_offload_map(NULL, nothing, values, sizeof *values, 2), -EAGAIN);
    }
    return 0;
}

TEST(a_child_offloads_nothing_in_its_parents_run)
{
    check_child_leaves(offload_in_a_child, NULL);
}

static int fork_in_the_work(void *arg)
{
    pid_t child = fork_child();
    if (child == 0)
        return *(const int *)arg;
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int offload_work_that_forks(void *arg)
{
    int good = 3, bad = -EIO;
    (void)arg;
    CHECK_EQ(whorl_offload_run(NULL, fork_in_the_work, &good), 0);
    CHECK_EQ(whorl_offload_run(NULL, fork_in_the_work, &bad), 1);
    return 0;
}

TEST(a_child_that_work_forks_ends_with_the_work)
{
    check_can_fork_in_tasks();
    CHECK_OK(whorl_io_run(offload_work_that_forks, NULL));
}

#ifdef __SANITIZE_ADDRESS__
/* Whether a thread of this process has the name. */
static bool has_thread(const char *name)
{
    char path[64], comm[64];
    DIR *tasks = opendir("/proc/self/task");
    bool found = false;

    CHECK(tasks);
    for (struct dirent *entry; !found && (entry = readdir(tasks));) {
        snprintf(path, sizeof path, "/proc/self/task/%.20s/comm", entry->d_name);
        FILE *file = fopen(path, "re");
        found = file && fgets(comm, sizeof comm, file) && strcmp(strtok(comm, "\n"), name) == 0;
        if (file)
            fclose(file);
    }
    closedir(tasks);
    return found;
}

/* The allocator of gcc's AddressSanitizer may be forked while a thread that begins holds its lock,
 * and the child then waits for ever. The watchdog names its thread when it has begun. */
static void await_watchdog(void)
{
    while (!has_thread("whorl-watchdog"))
        ;
}
#else
static void await_watchdog(void)
{
}
#endif

static int fork_beside_the_watchdog(void *arg)
{
    await_watchdog();
    *(pid_t *)arg = fork_child();
    return 0;
}

TEST(a_child_leaves_a_run_with_a_watchdog)
{
    struct whorl_io_options options = {.run.watchdog_ns = 50 * WHORL_MILLISECOND};
    check_child_leaves(fork_beside_the_watchdog, &options);
}

/* Reads a directory, which threads do for both drivers. */
static int use_file_threads_and_fork(void *arg)
{
    WHORL_AUTO(fd) dir = whorl_fd_own(whorl_openat(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0));
    struct timespec times[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    CHECK(whorl_fd_get(&dir) >= 0);
    CHECK_OK(whorl_utimensat(whorl_fd_get(&dir), ".", times, 0));
    *(pid_t *)arg = fork_child();
    return 0;
}

TEST(a_child_leaves_a_run_whose_files_threads_have_used)
{
    check_child_leaves(use_file_threads_and_fork, NULL);
}

/* --- tasks that wait -------------------------------------------------------------------------- */

static sem_t begun, go;

static int wait_for_go(void *arg)
{
    (void)arg;
    sem_post(&begun);
    while (sem_wait(&go) < 0)
        ;
    return 0;
}

static void release(void *arg)
{
    ++*(int *)arg;
}

struct waiters {
    int pair[2];
    int released;
    struct whorl_future future;
    struct whorl_event never;
    int results[16], count;
};

static int note(struct waiters *w, int result)
{
    w->results[w->count++] = result;
    return result < 0 ? result : 0;
}

static struct waiters waiters;

static int wait_recv(void *arg)
{
    char byte;
    (void)arg;
    return note(&waiters, (int)whorl_recv(waiters.pair[0], &byte, 1, 0));
}

static int wait_poll_case(void *arg)
{
    struct whorl_case cases[] = {whorl_case_fd(waiters.pair[0], POLLIN),
                                 whorl_case_fd(waiters.pair[1], POLLIN)};
    (void)arg;
    return note(&waiters, whorl_select(cases, 2));
}

static int wait_offload(void *arg)
{
    (void)arg;
    return note(&waiters, whorl_offload_run(NULL, wait_for_go, NULL));
}

static int wait_offload_owned(void *arg)
{
    (void)arg;
    return note(&waiters, whorl_offload_run_owned(NULL, wait_for_go, &waiters.released, release));
}

static int wait_future(void *arg)
{
    (void)arg;
    int err = whorl_future_wait(&waiters.future);
    whorl_future_cancel(&waiters.future);
    return note(&waiters, err);
}

static int wait_sleep(void *arg)
{
    (void)arg;
    return note(&waiters, whorl_sleep(WHORL_HOUR));
}

static int wait_event(void *arg)
{
    (void)arg;
    return note(&waiters, whorl_event_wait(&waiters.never));
}

static int wait_timeout(void *arg)
{
    struct whorl_scope scope;
    char byte;
    (void)arg;
    whorl_scope_enter(&scope, whorl_after(WHORL_HOUR));
    int err = (int)whorl_recv(waiters.pair[1], &byte, 1, 0);
    return note(&waiters, whorl_scope_leave(&scope, err));
}

static int end_at_once(void *arg)
{
    (void)arg;
    return 0;
}

/* A job that has ended by the time of the fork, but whose end the loop has not seen. */
static int wait_offload_done(void *arg)
{
    (void)arg;
    return note(&waiters, whorl_offload_run(NULL, end_at_once, NULL));
}

static const whorl_task_fn ways[] = {wait_recv,   wait_poll_case, wait_offload, wait_offload_owned,
                                     wait_future, wait_sleep,     wait_event,   wait_timeout};

enum { WAYS = sizeof ways / sizeof *ways };

/* The child leaves the group's block while its tasks wait. In the parent they go on waiting. */
static WHORL_SUSPENDS_SHIELDED void fork_beside_waiters(pid_t *child)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    sem_init(&begun, 0, 0);
    sem_init(&go, 0, 0);
    CHECK_OK(whorl_offload_submit(NULL, wait_for_go, NULL, &waiters.future));
    for (int i = 0; i < WAYS; i++)
        CHECK_OK(whorl_spawn(&group, ways[i], NULL));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    for (int i = 0; i < 3; i++)
        while (sem_wait(&begun) < 0)
            ;
    CHECK_OK(whorl_spawn(&group, wait_offload_done, NULL));
    CHECK_OK(whorl_yield());
    usleep(20000); /* the thread ends the job meanwhile; no task runs */
    *child = fork_child();
    if (*child == 0)
        return;
    expect_success(*child);
    *child = -1;
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    CHECK_EQ(waiters.count, 1);
    CHECK_OK(waiters.results[0]);
    for (int i = 0; i < 3; i++)
        sem_post(&go);
    whorl_group_cancel(&group);
}

static int fork_with_waiters(void *arg)
{
    pid_t *child = arg;
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, waiters.pair));
    fork_beside_waiters(child);
    CHECK_EQ(waiters.count, WAYS + 1);
    close(waiters.pair[0]);
    close(waiters.pair[1]);
    if (*child == 0) { /* the parent's threads do not release it in the child */
        CHECK_EQ(waiters.released, 1);
        for (int i = 0; i <= WAYS; i++)
            CHECK(waiters.results[i] == -ECANCELED || waiters.results[i] == 0);
    }
    return 0;
}

TEST(a_child_leaves_a_run_whose_tasks_wait_for_everything)
{
    check_child_leaves(fork_with_waiters, NULL);
}

static int wait_daemon(void *arg)
{
    return ways[*(int *)arg](NULL);
}

static int fork_beside_daemons(void *arg)
{
    static int numbers[] = {0, 1, 5, 6, 7};
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, waiters.pair));
    for (int i = 0; i < 5; i++)
        CHECK_OK(whorl_spawn(whorl_root_group(), wait_daemon, &numbers[i]));
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    *(pid_t *)arg = fork_child();
    return 0;
}

TEST(a_child_leaves_a_run_whose_daemons_wait)
{
    check_child_leaves(fork_beside_daemons, NULL);
    close(waiters.pair[0]);
    close(waiters.pair[1]);
}

/* --- runs by steps ---------------------------------------------------------------------------- */

static int wait_for_one_byte(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    int fd = *(int *)arg;
    char byte;
    CHECK_OK(whorl_spawn(&group, wait_sleep, NULL));
    CHECK_OK(whorl_offload_run(NULL, nothing, NULL));
    ssize_t n = whorl_recv(fd, &byte, 1, 0);
    whorl_group_cancel(&group);
    return (int)n;
}

static int drive(struct whorl_embed *embed)
{
    int result;
    while (!whorl_embed_run_ready(embed, &result)) {
        struct pollfd poll_fd = {.fd = whorl_embed_fd(embed), .events = POLLIN};
        CHECK(poll(&poll_fd, 1, whorl_embed_timeout_ms(embed)) >= 0);
    }
    return result;
}

/* Drives the run until its task waits in recv(). */
static struct whorl_embed *embed_in_recv(int *fd)
{
    struct whorl_embed *embed;
    int result;
    CHECK_OK(whorl_embed_create(NULL, NULL, wait_for_one_byte, fd, &embed));
    for (int i = 0; i < 50; i++) {
        CHECK(!whorl_embed_run_ready(embed, &result));
        poll(NULL, 0, 1);
    }
    return embed;
}

/* A child that is forked between two steps ends its copy of the run, and the parent goes on. */
static void fork_between_steps(void (*end_in_child)(struct whorl_embed *embed))
{
    struct whorl_embed *embed;
    int pair[2];
#ifdef __SANITIZE_THREAD__
    test_skip("ThreadSanitizer does not start threads in a child of a program with threads");
#endif
    if (test_on_valgrind())
        test_skip("the memory of the parent's threads counts as lost in the child");
    if (test_on_qemu())
        test_skip("qemu starts no threads in a child of a program with threads");
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
    embed = embed_in_recv(&pair[0]);
    pid_t child = fork_child();
    if (child == 0) {
        end_in_child(embed);
        CHECK_OK(whorl_io_run(exercise, NULL));
        CHECK_OK(whorl_embed_create(NULL, NULL, exercise, NULL, &embed));
        CHECK_OK(drive(embed));
        whorl_embed_destroy(embed);
        _exit(0);
    }
    expect_success(child);
    CHECK_EQ(send(pair[1], "x", 1, 0), 1);
    CHECK_ERR(drive(embed), 1);
    whorl_embed_destroy(embed);
    close(pair[0]);
    close(pair[1]);
}

static void run_it_on(struct whorl_embed *embed)
{
    int result = 0;
    CHECK_EQ(whorl_embed_timeout_ms(embed), 0);
    CHECK(whorl_embed_run_ready(embed, &result));
    CHECK_ERR(result, WHORL_ENOIO);
    CHECK(whorl_embed_run_ready(embed, &result));
    CHECK_ERR(result, WHORL_ENOIO);
    whorl_embed_destroy(embed);
}

TEST(a_child_that_is_forked_between_steps_ends_its_copy)
{
    fork_between_steps(run_it_on);
}

TEST(a_child_that_is_forked_between_steps_destroys_its_copy)
{
    fork_between_steps(whorl_embed_destroy);
}

static int fork_in_step(void *arg)
{
    pid_t *child = arg;
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    *child = fork_child();
    return *child == 0 ? 7 : 0;
}

TEST(a_child_that_is_forked_in_a_step_returns_to_its_host)
{
    struct whorl_embed *embed;
    pid_t child = -1;
    check_can_fork_in_tasks();
    CHECK_OK(whorl_embed_create(NULL, NULL, fork_in_step, &child, &embed));
    int result = drive(embed);
    whorl_embed_destroy(embed);
    if (child == 0) {
        CHECK_EQ(result, 7);
        _exit(whorl_io_run(exercise, NULL) ? 1 : 0);
    }
    CHECK_OK(result);
    expect_success(child);
}

/* --- children of children --------------------------------------------------------------------- */

static int fork_twice(void *arg)
{
    pid_t child = fork_child();
    if (child == 0) {
        pid_t grandchild = fork_child();
        if (grandchild == 0) {
            *(pid_t *)arg = 0;
            return 0;
        }
        expect_success(grandchild);
        _exit(0);
    }
    *(pid_t *)arg = child;
    return 0;
}

TEST(a_grandchild_leaves_the_run)
{
    check_child_leaves(fork_twice, NULL);
}

TEST_MAIN()
