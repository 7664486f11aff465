/* SPDX-License-Identifier: MIT */
/* Runs inside another program's event loop: a plain poll(2). */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <whorl.h>
#include <whorl/poller.h>

#include "child.h"
#include "test.h"

/* The host's loop. Returns the run's result and counts how often poll(2) woke it. */
static int drive(struct whorl_embed *embed, int *ret_wakes)
{
    int result, wakes = 0;

    while (!whorl_embed_run_ready(embed, &result)) {
        struct pollfd poll_fd = {.fd = whorl_embed_fd(embed), .events = POLLIN};
        CHECK(poll(&poll_fd, 1, whorl_embed_timeout_ms(embed)) >= 0);
        CHECK(++wakes < 10000);
    }
    if (ret_wakes)
        *ret_wakes = wakes;
    return result;
}

static void create(const struct whorl_io_options *options, whorl_task_fn fn, void *arg,
                   struct whorl_embed **ret)
{
    CHECK_OK(whorl_embed_create(options, NULL, fn, arg, ret));
}

static int drive_new(whorl_task_fn fn, void *arg, int *ret_wakes)
{
    WHORL_AUTO(embed) *embed = NULL;

    create(NULL, fn, arg, &embed);
    return drive(embed, ret_wakes);
}

static int sleep_20(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        int err = whorl_sleep(10 * WHORL_MILLISECOND);
        if (err)
            return err;
    }
    return -EBADMSG;
}

TEST(embed_returns_the_result_and_keeps_time)
{
    int wakes;
    int64_t began = whorl_now();

    CHECK_ERR(drive_new(sleep_20, NULL, &wakes), -EBADMSG);
    CHECK(whorl_now() - began >= 20 * WHORL_MILLISECOND);
    CHECK(wakes < 20); /* it slept in poll(2) and did not spin */
}

static int nothing(void *arg)
{
    ++*(int *)arg;
    return 0;
}

TEST(embed_runs_nothing_before_it_is_told)
{
    struct whorl_embed *embed;
    int ran = 0, result = 1;

    create(NULL, nothing, &ran, &embed);
    CHECK_EQ(ran, 0);
    CHECK_EQ(whorl_embed_timeout_ms(embed), 0);
    CHECK(whorl_embed_run_ready(embed, &result));
    CHECK_EQ(ran, 1);
    CHECK_OK(result);
    result = 1;
    CHECK(whorl_embed_run_ready(embed, &result)); /* a second call gives the same result */
    CHECK_OK(result);
    CHECK_EQ(ran, 1);
    CHECK(!whorl_poller_current());
    whorl_embed_destroy(embed);
}

static int echo(void *arg)
{
    int fd = *(int *)arg;
    char buf[64];
    ssize_t n;

    while ((n = whorl_recv(fd, buf, sizeof buf, 0)) > 0) {
        int err = whorl_send_all(fd, buf, (size_t)n, 0);
        if (err)
            return err;
    }
    return (int)n;
}

/* Completions that arrive while the host sleeps must make the descriptor readable. */
TEST(embed_descriptor_tells_of_sockets)
{
    WHORL_AUTO(embed) *embed = NULL;
    int pair[2], result = 1;
    char buf[8] = "";

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    create(NULL, echo, &pair[1], &embed);
    while (!whorl_embed_run_ready(embed, &result) && whorl_embed_deadline(embed) == 0)
        ;
    for (int round = 0; round < 3; round++) {
        struct pollfd fds[] = {{.fd = whorl_embed_fd(embed), .events = POLLIN},
                               {.fd = pair[0], .events = POLLIN}};
        CHECK_EQ(whorl_embed_deadline(embed), WHORL_FOREVER);
        CHECK_EQ(whorl_embed_timeout_ms(embed), -1);
        CHECK_EQ(send(pair[0], "ping", 4, MSG_NOSIGNAL), 4);
        while (!(fds[1].revents & POLLIN)) {
            CHECK(poll(fds, 2, 5000) > 0);
            if (fds[0].revents)
                CHECK(!whorl_embed_run_ready(embed, &result));
        }
        CHECK_EQ(recv(pair[0], buf, sizeof buf, 0), 4);
        CHECK_STR(buf, "ping");
    }
    close(pair[0]);
    CHECK_OK(drive(embed, NULL));
    close(pair[1]);
}

static int client_and_server(void *arg)
{
    WHORL_AUTO(listener) *listener = NULL;
    WHORL_AUTO(group) group = {0};
    struct whorl_addr addr;
    char buf[4] = "";

    (void)arg;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &listener));
    int fd = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    CHECK_OK(whorl_connect(fd, whorl_listener_addr(listener)));
    int peer = whorl_accept(listener, NULL);
    CHECK(peer >= 0);
    CHECK_OK(whorl_spawn(&group, echo, &peer));
    CHECK_OK(whorl_send_all(fd, "abc", 3, 0));
    CHECK_EQ(whorl_recv(fd, buf, 3, MSG_WAITALL), 3);
    CHECK_STR(buf, "abc");
    whorl_close(fd);
    int err = whorl_group_wait(&group);
    whorl_close(peer);
    return err;
}

TEST(embed_serves_tcp)
{
    CHECK_OK(drive_new(client_and_server, NULL, NULL));
}

TEST(embed_two_live_on_one_thread)
{
    WHORL_AUTO(embed) *one = NULL;
    WHORL_AUTO(embed) *two = NULL;
    int result, ended = 0;

    create(NULL, sleep_20, NULL, &one);
    create(NULL, client_and_server, NULL, &two);
    for (int turn = 0; ended != 3 && turn < 10000; turn++) {
        struct pollfd fds[] = {{.fd = whorl_embed_fd(one), .events = POLLIN},
                               {.fd = whorl_embed_fd(two), .events = POLLIN}};
        ended = whorl_embed_run_ready(one, &result) | whorl_embed_run_ready(two, &result) << 1;
        if (ended == 0)
            poll(fds, 2, 1);
        else
            poll(NULL, 0, 1);
    }
    CHECK_EQ(ended, 3);
}

static int by_thread(void *arg)
{
    return nothing(arg);
}

static int offloads(void *arg)
{
    return whorl_offload_run(NULL, by_thread, arg);
}

TEST(embed_descriptor_tells_of_other_threads)
{
    int ran = 0, wakes;

    CHECK_OK(drive_new(offloads, &ran, &wakes));
    CHECK_EQ(ran, 1);
    CHECK(wakes < 20);
}

struct door {
    struct whorl_runner *runner;
    struct whorl_event open;
};

static int wait_at_door(void *arg)
{
    struct door *door = arg;

    int err = whorl_runner_acquire(&door->runner);
    return err ? err : whorl_event_wait(&door->open);
}

static void open_door(void *arg)
{
    whorl_event_set(&((struct door *)arg)->open);
}

static void open_door_directly(void *arg)
{
    struct door door = {0};
    struct whorl_embed *embed;
    int result;

    (void)arg;
    create(NULL, wait_at_door, &door, &embed);
    CHECK(!whorl_embed_run_ready(embed, &result));
    whorl_event_set(&door.open);
}

/* The host is outside the run, also on the run's own thread. */
TEST(embed_host_reaches_a_task_through_a_runner)
{
    WHORL_AUTO(embed) *embed = NULL;
    static struct child child;
    struct door door = {0};
    int result;

    create(NULL, wait_at_door, &door, &embed);
    CHECK(!whorl_embed_run_ready(embed, &result)); /* it is no deadlock */
    CHECK_EQ(whorl_embed_timeout_ms(embed), -1);
    CHECK_OK(whorl_runner_post_remote(door.runner, open_door, &door));
    struct pollfd poll_fd = {.fd = whorl_embed_fd(embed), .events = POLLIN};
    CHECK_EQ(poll(&poll_fd, 1, 10000), 1);
    CHECK_EQ(drive(embed, NULL), 0);
    CHECK_ERR(whorl_runner_post_remote(door.runner, open_door, &door), -ESHUTDOWN);
    whorl_runner_release_remote(door.runner);

    child_run(&child, open_door_directly, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "outside that run"));
}

static int yield_for_ever(void *arg)
{
    int err;

    while ((err = whorl_yield()) == 0)
        ++*(int64_t *)arg;
    return err;
}

TEST(embed_gives_the_host_its_turn)
{
    struct whorl_embed *embed;
    int64_t yields = 0;
    int result;

    create(NULL, yield_for_ever, &yields, &embed);
    CHECK(!whorl_embed_run_ready(embed, &result));
    CHECK(yields > 0);
    CHECK_EQ(whorl_embed_timeout_ms(embed), 0);
    whorl_embed_destroy(embed); /* cancels it */
}

static int waits_for_ever(void *arg)
{
    char buf[4];
    int *fds = arg;
    ssize_t n = whorl_recv(fds[0], buf, sizeof buf, 0);

    fds[1] = (int)n;
    return (int)n;
}

TEST(embed_destroy_cancels_and_joins)
{
    struct whorl_embed *embed;
    int pair[2], fds[2], result;

    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    fds[0] = pair[0];
    fds[1] = 0;
    create(NULL, waits_for_ever, fds, &embed);
    CHECK(!whorl_embed_run_ready(embed, &result));
    whorl_embed_destroy(embed);
    CHECK_ERR(fds[1], -ECANCELED);
    create(NULL, waits_for_ever, fds, &embed);
    whorl_embed_destroy(embed); /* a run that was never driven */
    whorl_embed_destroy(NULL);
    close(pair[0]);
    close(pair[1]);
}

TEST_IO(embed_refuses_inside_a_run)
{
    struct whorl_embed *embed;
    int ran = 0;

    CHECK_ERR(whorl_embed_create(NULL, NULL, nothing, &ran, &embed), WHORL_EBUSYRUN);
}

static int deadlock(void *arg)
{
    struct whorl_event event = {0};

    (void)arg;
    return whorl_event_wait(&event);
}

TEST(embed_finds_deadlocks)
{
    struct whorl_io_options options = {.run.quiet = true};
    WHORL_AUTO(embed) *embed = NULL;

    create(&options, deadlock, NULL, &embed);
    CHECK_ERR(drive(embed, NULL), -EDEADLK);
}

/* --- deadlines -------------------------------------------------------------------------------- */

/* Like drive(), but fails after 5 s instead of waiting for ever. */
static int drive_in_time(whorl_task_fn fn, void *arg)
{
    WHORL_AUTO(embed) *embed = NULL;
    int result, wakes = 0;

    create(NULL, fn, arg, &embed);
    while (!whorl_embed_run_ready(embed, &result)) {
        struct pollfd poll_fd = {.fd = whorl_embed_fd(embed), .events = POLLIN};
        int ms = whorl_embed_timeout_ms(embed);
        CHECK(poll(&poll_fd, 1, ms >= 0 ? ms : 5000 * test_timeout_scale()) > 0 || ms >= 0);
        CHECK(++wakes < 10000);
    }
    return result;
}

static int recv_with_deadline(void *arg)
{
    const int *fds = arg;
    struct whorl_scope scope;
    char byte;

    for (int i = 0; i < 3; i++) {
        whorl_scope_enter(&scope, whorl_after(5 * WHORL_MILLISECOND));
        ssize_t n = whorl_recv(fds[i % 2], &byte, 1, 0);
        CHECK_ERR(whorl_scope_leave(&scope, (int)n), -ETIMEDOUT);
    }
    return 0;
}

static int poll_with_deadline(void *arg)
{
    const int *fds = arg;
    struct whorl_scope scope;

    whorl_scope_enter(&scope, whorl_after(5 * WHORL_MILLISECOND));
    int err = whorl_poll_fd(fds[0], POLLIN);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    return 0;
}

static int accept_with_deadline(void *arg)
{
    WHORL_AUTO(listener) *listener = NULL;
    struct whorl_scope scope;
    struct whorl_addr addr;

    (void)arg;
    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &listener));
    whorl_scope_enter(&scope, whorl_after(5 * WHORL_MILLISECOND));
    int err = whorl_accept(listener, NULL);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
    return 0;
}

static int many_with_deadline(void *arg)
{
    WHORL_AUTO(group) group = {0};

    for (int i = 0; i < 300; i++)
        CHECK_OK(whorl_spawn(&group, recv_with_deadline, arg));
    return whorl_group_wait(&group);
}

static int select_with_timer(void *arg)
{
    const int *fds = arg;
    struct whorl_case cases[] = {whorl_case_fd(fds[0], POLLIN), whorl_case_fd(fds[1], POLLIN),
                                 whorl_case_deadline(whorl_after(5 * WHORL_MILLISECOND))};

    CHECK_EQ(whorl_select(cases, 3), 2);
    return 0;
}

static int select_one_of_two(void *arg)
{
    const int *fds = arg;
    char byte = 'x';

    for (int i = 0; i < 5; i++) {
        struct whorl_case cases[] = {whorl_case_fd(fds[0], POLLIN), whorl_case_fd(fds[1], POLLIN)};
        CHECK_EQ(send(fds[1], &byte, 1, MSG_NOSIGNAL), 1); /* readable at once */
        CHECK_EQ(whorl_select(cases, 2), 0);
        CHECK_ERR(whorl_recv(fds[0], &byte, 1, 0), 1);
    }
    return 0;
}

static int send_soon(void *arg)
{
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    return whorl_send_all(((const int *)arg)[1], "x", 1, 0);
}

/* The other case is cancelled in the kernel while the host waits. */
static int select_waits_for_one_of_two(void *arg)
{
    const int *fds = arg;
    char byte;

    for (int i = 0; i < 5; i++) {
        struct whorl_case cases[] = {whorl_case_fd(fds[0], POLLIN), whorl_case_fd(fds[1], POLLIN)};
        WHORL_AUTO(group) group = {0};
        CHECK_OK(whorl_spawn(&group, send_soon, arg));
        CHECK_EQ(whorl_select(cases, 2), 0);
        CHECK_ERR(whorl_recv(fds[0], &byte, 1, 0), 1);
        CHECK_OK(whorl_group_wait(&group));
    }
    return 0;
}

static int cancel_a_group(void *arg)
{
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};

    for (int i = 0; i < 5; i++)
        CHECK_OK(whorl_spawn(&group, echo, (int *)arg + i % 2));
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    whorl_group_cancel(&group);
    CHECK_ERR(whorl_group_wait(&group), -ECANCELED);
    return 0;
}

TEST(embed_ends_waits_that_a_timer_cancels)
{
    static const whorl_task_fn ways[] = {
        recv_with_deadline, poll_with_deadline, accept_with_deadline,        many_with_deadline,
        select_with_timer,  select_one_of_two,  select_waits_for_one_of_two, cancel_a_group,
    };
    int pair[2];

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        CHECK_OK(drive_in_time(ways[i], pair));
        close(pair[0]);
        close(pair[1]);
    }
}

/* --- objects of the run between two steps ----------------------------------------------------- */

static int accept_one(void *arg)
{
    int fd = whorl_accept(arg, NULL);

    CHECK(fd >= 0);
    close(fd);
    return whorl_sleep(WHORL_HOUR);
}

/* An accept stays armed after the first connection. */
TEST(embed_listener_is_closed_between_steps)
{
    struct whorl_listener *listener;
    struct whorl_embed *embed;
    struct whorl_addr addr;
    int result;

    CHECK_OK(whorl_addr_parse("127.0.0.1", 0, &addr));
    CHECK_OK(whorl_listen(&addr, NULL, &listener));
    addr = *whorl_listener_addr(listener);
    int client = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_OK(connect(client, &addr.sa, addr.len));
    create(NULL, accept_one, listener, &embed);
    for (int i = 0; i < 10; i++) {
        CHECK(!whorl_embed_run_ready(embed, &result));
        poll(NULL, 0, 1);
    }
    whorl_listener_close(listener);
    for (int i = 0; i < 10; i++) {
        CHECK(!whorl_embed_run_ready(embed, &result));
        poll(NULL, 0, 1);
    }
    int other = whorl_socket(AF_INET, SOCK_STREAM, 0);
    CHECK_EQ(connect(other, &addr.sa, addr.len), -1);
    whorl_embed_destroy(embed);
    close(client);
    close(other);
}

/* --- the watchdog ----------------------------------------------------------------------------- */

static void compute(int64_t duration_ns)
{
    int64_t until = whorl_now() + duration_ns;

    while (whorl_now() < until)
        ;
}

static int hog(void *arg)
{
    (void)arg;
    whorl_task_set_name("piggy");
    CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    compute(250 * WHORL_MILLISECOND);
    return 0;
}

static int yield_ten_times(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK_OK(whorl_sleep(WHORL_MICROSECOND));
    return 0;
}

/* Number of watchdog threads, counted by their name. */
static int watchdogs(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    int n = 0;

    CHECK(dir != NULL);
    while ((entry = readdir(dir))) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", entry->d_name);
        FILE *file = fopen(path, "r");
        if (file && fgets(name, sizeof name, file))
            n += strcmp(name, "whorl-watchdog\n") == 0;
        if (file)
            fclose(file);
    }
    closedir(dir);
    return n;
}

/* A watchdog takes a moment to set its name, and is still listed for a moment after it was
 * joined. */
static void wait_for_watchdogs(int n)
{
    for (int tries = 0; watchdogs() != n && tries < 5000; tries++)
        poll(NULL, 0, 1);
    CHECK_EQ(watchdogs(), n);
}

struct watched {
    whorl_task_fn fn;
    int64_t watchdog_ns;
    const char *debug; /* value of WHORL_DEBUG; NULL: not set */
    int64_t host_ns;   /* how long the host uses the thread between two calls */
    /* Destroys the run before it has ended; tasks that run then are watched too. */
    bool destroy_early;
};

static void run_watched(void *arg)
{
    const struct watched *w = arg;
    struct whorl_io_options options = {.run.watchdog_ns = w->watchdog_ns};
    struct whorl_embed *embed;
    int result;

    if (w->debug)
        setenv("WHORL_DEBUG", w->debug, 1);
    else
        unsetenv("WHORL_DEBUG");
    create(&options, w->fn, NULL, &embed);
    wait_for_watchdogs(w->watchdog_ns || w->debug ? 1 : 0);
    while (!w->destroy_early && !whorl_embed_run_ready(embed, &result)) {
        struct pollfd poll_fd = {.fd = whorl_embed_fd(embed), .events = POLLIN};
        CHECK(poll(&poll_fd, 1, whorl_embed_timeout_ms(embed)) >= 0);
        compute(w->host_ns);
    }
    whorl_embed_destroy(embed);
    wait_for_watchdogs(0);
}

static const char *report_of(struct watched w)
{
    static struct child child;

    child_run(&child, run_watched, &w);
    CHECK_EQ(child.exit_status, 0);
    return child.err;
}

TEST(embed_has_a_watchdog)
{
    if (test_on_valgrind())
        test_skip("the watchdog's thread does not run while a task computes");
    struct watched by_option = {.fn = hog, .watchdog_ns = 20 * WHORL_MILLISECOND};
    struct watched by_environment = {.fn = hog, .debug = "watchdog=20"};
    const char *text = report_of(by_option);

    CHECK(strstr(text, "task 1 piggy has kept its thread for "));
    CHECK(strstr(report_of(by_environment), "task 1 piggy has kept its thread for "));
    CHECK_STR(report_of((struct watched){.fn = hog}), ""); /* no watchdog was requested */
}

static int hog_when_cancelled(void *arg)
{
    CHECK_ERR(whorl_sleep(WHORL_HOUR), -ECANCELED);
    compute(250 * WHORL_MILLISECOND);
    return arg ? 1 : 0;
}

TEST(embed_is_watched_while_it_is_destroyed)
{
    if (test_on_valgrind())
        test_skip("the watchdog's thread does not run while a task computes");
    const char *text = report_of((struct watched){
        .fn = hog_when_cancelled, .watchdog_ns = 20 * WHORL_MILLISECOND, .destroy_early = true});
    CHECK(strstr(text, "task 1 root has kept its thread for "));
}

TEST(embed_watchdog_is_silent_about_the_host)
{
    CHECK_STR(report_of((struct watched){.fn = yield_ten_times,
                                         .watchdog_ns = 20 * WHORL_MILLISECOND,
                                         .host_ns = 80 * WHORL_MILLISECOND}),
              "");
}

struct doorbell {
    struct whorl_runner *runner;
    struct whorl_event rung;
};

static void ring(void *arg)
{
    whorl_event_set(&((struct doorbell *)arg)->rung);
}

static int wait_for_bell(void *arg)
{
    struct doorbell *bell = arg;
    int err = whorl_runner_acquire(&bell->runner);
    if (err == 0)
        err = whorl_event_wait(&bell->rung);
    whorl_runner_release_remote(bell->runner);
    return err;
}

TEST(embed_host_wakes_a_task_between_two_steps)
{
    struct doorbell bell = {0};
    WHORL_AUTO(embed) *embed = NULL;
    int result;

    create(NULL, wait_for_bell, &bell, &embed);
    CHECK(!whorl_embed_run_ready(embed, &result));
    CHECK_EQ(whorl_embed_timeout_ms(embed), -1);
    CHECK_OK(whorl_runner_post_remote(bell.runner, ring, &bell));
    CHECK_ERR(drive(embed, NULL), 0);
}

static void ring_directly(void *arg)
{
    struct doorbell bell = {0};
    struct whorl_embed *embed;
    int result;

    (void)arg;
    create(NULL, wait_for_bell, &bell, &embed);
    CHECK(!whorl_embed_run_ready(embed, &result));
    whorl_event_set(&bell.rung);
}

TEST(embed_names_an_object_that_the_host_uses_between_two_steps)
{
    static struct child child;

    child_run(&child, ring_directly, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "an object of a run was used outside that run"));
    CHECK(strstr(child.err, "task 1 root: waits for event"));
}

TEST(embed_says_which_driver_it_needs)
{
    struct whorl_error error = {0};
    struct whorl_embed *embed;
    int ran = 0;

    setenv("WHORL_DRIVER", "steam", 1);
    CHECK_ERR(whorl_embed_create(NULL, &error, nothing, &ran, &embed), -EINVAL);
    CHECK_STR(error.text, "WHORL_DRIVER=steam: no such driver; there are io_uring and epoll");
}

TEST_MAIN()
