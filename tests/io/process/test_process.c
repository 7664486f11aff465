/* SPDX-License-Identifier: MIT */
/* Processes: what a child gets, what it returns, and that nothing of it is left. */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <whorl.h>

#include "child.h"
#include "faults.h"
#include "io_faults.h"
#include "test.h"

#define ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SH(text)  ARGV("sh", "-c", text)

/* Checks that no child is left, neither running nor as a zombie. */
static void check_no_children(void)
{
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
}

/* Runs a program and compares its output. */
static WHORL_SUSPENDS_SHIELDED void check_output(const struct whorl_process_options *options,
                                                 const char *input, const char *expected)
{
    WHORL_AUTO(process_output) output = {0};
    CHECK_OK(whorl_process_run(options, input, input ? strlen(input) : 0, 1 << 20, &output));
    CHECK_STR(output.out, expected);
    CHECK_EQ(output.out_len, strlen(expected));
    CHECK_EQ(output.exit.status, 0);
    CHECK_EQ(output.exit.signal, 0);
}

TEST_IO(run_feeds_stdin_and_collects_stdout)
{
    check_output(&(struct whorl_process_options){.argv = ARGV("cat")}, "hello\n", "hello\n");
    check_output(&(struct whorl_process_options){.argv = ARGV("cat")}, "", "");
    check_no_children();
}

TEST_IO(run_collects_stderr_apart_where_it_is_asked_to)
{
    struct whorl_process_options options = {.argv = SH("echo out; echo err >&2; exit 3"),
                                            .err.kind = WHORL_PROCESS_PIPE};
    WHORL_AUTO(process_output) output = {0};
    CHECK_OK(whorl_process_run(&options, NULL, 0, 100, &output));
    CHECK_STR(output.out, "out\n");
    CHECK_STR(output.err, "err\n");
    CHECK_EQ(output.exit.status, 3);
}

TEST_IO(run_kills_a_child_that_says_more_than_allowed)
{
    WHORL_AUTO(process_output) output = {0};
    struct whorl_process_options options = {.argv = ARGV("yes")};
    CHECK_ERR(whorl_process_run(&options, NULL, 0, 100000, &output), -EFBIG);
    check_no_children();
    options.argv = SH("printf 12345");
    whorl_process_output_finish(&output);
    CHECK_ERR(whorl_process_run(&options, NULL, 0, 4, &output), -EFBIG);
    whorl_process_output_finish(&output);
    CHECK_OK(whorl_process_run(&options, NULL, 0, 5, &output));
    CHECK_STR(output.out, "12345");
}

TEST_IO(run_returns_the_first_bytes_of_a_child_that_says_more_than_allowed)
{
    struct whorl_process_options options = {.argv = SH("printf 1234567; exec sleep 100")};
    for (size_t max = 0; max < 7; max++) {
        WHORL_AUTO(process_output) output = {0};
        CHECK_ERR(whorl_process_run(&options, NULL, 0, max, &output), -EFBIG);
        CHECK_EQ(output.out_len, max);
        CHECK_EQ(memcmp(output.out, "1234567", max), 0);
        CHECK_EQ(output.out[max], 0);
        CHECK_EQ(output.exit.signal, SIGKILL);
        check_no_children();
    }
    WHORL_AUTO(process_output) yes = {0};
    options.argv = ARGV("yes");
    CHECK_ERR(whorl_process_run(&options, NULL, 0, 100001, &yes), -EFBIG);
    CHECK_EQ(yes.out_len, 100001);
    CHECK_STR(yes.out + 99995, "\ny\ny\ny");
}

/* Waits in a second task until the child has written, then cancels the call. */
struct interruption {
    int fd;
    struct whorl_scope *scope;
};

static int interrupt(void *arg)
{
    const struct interruption *interruption = arg;
    char byte;

    CHECK_EQ(whorl_read(interruption->fd, &byte, 1), 1);
    CHECK_OK(whorl_sleep(20 * WHORL_MILLISECOND));
    whorl_scope_cancel(interruption->scope);
    return 0;
}

TEST_IO(run_returns_the_output_so_far_when_it_is_cancelled)
{
    int written[2];
    CHECK_EQ(pipe2(written, O_CLOEXEC), 0);
    struct whorl_process_fd fds[] = {{written[1], 3}};
    struct whorl_process_options options = {
        .argv = SH("echo out; echo err >&2; echo >&3; exec sleep 100"),
        .err.kind = WHORL_PROCESS_PIPE,
        .fds = fds,
        .fds_count = 1};
    WHORL_AUTO(process_output) output = {0};
    struct whorl_scope scope;
    struct interruption interruption = {written[0], &scope};

    whorl_scope_enter(&scope, WHORL_FOREVER);
    CHECK_OK(whorl_spawn(whorl_root_group(), interrupt, &interruption));
    int err = whorl_process_run(&options, NULL, 0, 100, &output);
    CHECK_ERR(whorl_scope_leave(&scope, err), -ECANCELED);
    CHECK_STR(output.out, "out\n");
    CHECK_STR(output.err, "err\n");
    CHECK_EQ(output.out_len, 4);
    CHECK_EQ(output.err_len, 4);
    CHECK_EQ(output.exit.status, -1);
    CHECK_EQ(output.exit.signal, SIGKILL);
    check_no_children();
    close(written[0]);
    close(written[1]);
}

TEST_IO(run_returns_the_output_of_a_child_that_was_killed)
{
    WHORL_AUTO(process_output) output = {0};
    struct whorl_process_options options = {.argv = SH("echo so far; kill -9 $$")};
    CHECK_OK(whorl_process_run(&options, NULL, 0, 100, &output));
    CHECK_STR(output.out, "so far\n");
    CHECK_EQ(output.exit.signal, SIGKILL);
}

TEST_IO(run_sets_its_output_when_there_is_no_child)
{
    struct whorl_process_output output;

    if (test_on_qemu())
        test_skip("qemu makes a fork of posix_spawn's vfork, so errors of the child are lost");
    memset(&output, 1, sizeof output);
    struct whorl_process_options options = {.argv = ARGV("/nonexistent")};
    CHECK_ERR(whorl_process_run(&options, NULL, 0, 100, &output), -ENOENT);
    CHECK(!output.out && !output.err && output.exit.status == -1);
}

TEST_IO(run_moves_more_than_pipes_hold_both_ways)
{
    size_t len = 3000000;
    char *data = malloc(len);
    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 31 % 251);
    WHORL_AUTO(process_output) output = {0};
    CHECK_OK(whorl_process_run(&(struct whorl_process_options){.argv = ARGV("cat")}, data, len, len,
                               &output));
    CHECK_EQ(output.out_len, len);
    CHECK_EQ(memcmp(output.out, data, len), 0);
    free(data);
}

TEST_IO(run_is_content_with_a_child_that_does_not_read_its_input)
{
    size_t len = 1 << 20;
    char *data = calloc(1, len);
    WHORL_AUTO(process_output) output = {0};
    struct whorl_process_options options = {.argv = SH("exec <&-; echo done")};
    CHECK_OK(whorl_process_run(&options, data, len, 100, &output));
    CHECK_STR(output.out, "done\n");
    free(data);
}

/* --- spawning --------------------------------------------------------------------------------- */

static WHORL_SUSPENDS_SHIELDED int spawn_error(struct whorl_process_options options)
{
    struct whorl_process *process = NULL;
    int err = whorl_process_spawn(&options, &process);
    CHECK(!process || err == 0);
    whorl_process_destroy(process);
    check_no_children();
    return err;
}

TEST_IO(what_cannot_be_executed_is_reported_by_spawn)
{
    char path[300];

    if (test_on_qemu())
        test_skip("qemu makes a fork of posix_spawn's vfork, so errors of the child are lost");
    snprintf(path, sizeof path, "%s/text", test_tmpdir());
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK_EQ(write(fd, "not a program\n", 14), 14);

    CHECK_ERR(spawn_error((struct whorl_process_options){.argv = ARGV("no-such-program-at-all")}),
              -ENOENT);
    CHECK_ERR(spawn_error((struct whorl_process_options){.argv = ARGV("/no/such/program")}),
              -ENOENT);
    CHECK_ERR(spawn_error((struct whorl_process_options){.argv = ARGV(path)}), -EACCES);
    CHECK_OK(fchmod(fd, 0700));
    close(fd);
    CHECK_ERR(spawn_error((struct whorl_process_options){.argv = ARGV(path)}), -ENOEXEC);
    CHECK_ERR(spawn_error((struct whorl_process_options){.argv = ARGV("true"), .dir = "/no"}),
              -ENOENT);
    CHECK_ERR(
        spawn_error((struct whorl_process_options){.argv = ARGV("true"), .no_path_search = true}),
        -ENOENT);
    CHECK_ERR(spawn_error((struct whorl_process_options){.argv = (const char *const[]){NULL}}),
              -EINVAL);
    CHECK_ERR(spawn_error((struct whorl_process_options){0}), -EINVAL);
}

TEST_IO(descriptors_that_cannot_be_given_are_refused)
{
    struct whorl_process_fd twice[] = {{0, 5}, {1, 5}}, low[] = {{0, 2}}, high[] = {{0, 1024}},
                            closed[] = {{777, 5}};
    const char *const *argv = ARGV("true");
    CHECK_ERR(
        spawn_error((struct whorl_process_options){.argv = argv, .fds = twice, .fds_count = 2}),
        -EINVAL);
    CHECK_ERR(spawn_error((struct whorl_process_options){.argv = argv, .fds = low, .fds_count = 1}),
              -EINVAL);
    CHECK_ERR(
        spawn_error((struct whorl_process_options){.argv = argv, .fds = high, .fds_count = 1}),
        -EINVAL);
    CHECK_ERR(
        spawn_error((struct whorl_process_options){.argv = argv, .fds = closed, .fds_count = 1}),
        -EBADF);
    CHECK_ERR(
        spawn_error((struct whorl_process_options){.argv = argv, .out = {WHORL_PROCESS_FD, 777}}),
        -EBADF);
}

TEST_IO(environment_directory_and_program_are_the_options)
{
    CHECK_OK(setenv("WHORL_TEST_OURS", "ours", 1));
    check_output(&(struct whorl_process_options){.argv = SH("echo $WHORL_TEST_OURS")}, NULL,
                 "ours\n");
    check_output(
        &(struct whorl_process_options){.argv = ARGV("env"), .env = ARGV("ONE=1", "TWO=two words")},
        NULL, "ONE=1\nTWO=two words\n");
    check_output(&(struct whorl_process_options){.argv = ARGV("pwd", "-P"), .dir = "/usr/bin"},
                 NULL, "/usr/bin\n");
    check_output(
        &(struct whorl_process_options){.program = "sh", .argv = ARGV("-name", "-c", "echo $0")},
        NULL, "-name\n");
}

TEST_IO(the_child_has_the_descriptors_it_was_given_and_no_others)
{
    int p[2], q[2];
    CHECK_OK(pipe(p)); /* inheritable, as a library without O_CLOEXEC makes it */
    CHECK_OK(pipe(q));
    CHECK_EQ(dup2(p[0], 40), 40);
    /* The first two are swapped. */
    struct whorl_process_fd fds[] = {{q[1], p[1]}, {p[1], q[1]}, {p[1], 30}};
    struct whorl_process_options options = {
        .argv = ARGV("sh", "-c",
                     "for i in 0 1 2 3 4 5 6 7 8 9; do [ -e /dev/fd/$i ] && echo $i; done;"
                     "[ -e /dev/fd/40 ] && echo 40; [ -e /dev/fd/30 ] && echo 30;"
                     "eval echo to q '>&'$A; eval echo to p '>&'$B"),
        .fds = fds,
        .fds_count = 3,
    };
    char a[8], b[8], expected[64], buf[32] = "";
    snprintf(a, sizeof a, "%d", p[1]);
    snprintf(b, sizeof b, "%d", q[1]);
    CHECK(p[1] < 10 && q[1] < 10); /* `sh` can redirect only these */
    setenv("A", a, 1);
    setenv("B", b, 1);
    WHORL_AUTO(process_output) output = {0};
    CHECK_OK(whorl_process_run(&options, "", 0, 4096, &output));
    snprintf(expected, sizeof expected, "0\n1\n2\n%d\n%d\n30\n", p[1], q[1]);
    CHECK_STR(output.out, expected);
    CHECK_EQ(read(p[0], buf, sizeof buf), 5);
    CHECK_STR(buf, "to p\n");
    CHECK_EQ(read(q[0], buf, sizeof buf), 5);
    CHECK_STR(buf, "to q\n");
    for (int i = 0; i < 2; i++) {
        close(p[i]);
        close(q[i]);
    }
    close(40);
}

TEST_IO(standard_descriptors_can_be_null_ours_or_any)
{
    WHORL_AUTO(process) *process = NULL;
    char buf[64] = "";
    int p[2];
    CHECK_OK(pipe2(p, O_CLOEXEC));
    struct whorl_process_options options = {.argv = SH("cat; echo to out; echo to err >&2"),
                                            .in.kind = WHORL_PROCESS_NULL,
                                            .out = {WHORL_PROCESS_FD, p[1]},
                                            .err.kind = WHORL_PROCESS_NULL};
    CHECK_OK(whorl_process_spawn(&options, &process));
    CHECK(!whorl_process_stdin(process) && !whorl_process_stdout(process));
    CHECK_OK(whorl_process_wait(process, NULL));
    close(p[1]);
    CHECK_EQ(read(p[0], buf, sizeof buf), 7);
    CHECK_STR(buf, "to out\n");
    close(p[0]);
}

TEST_IO(the_child_has_no_signal_blocked_or_ignored)
{
    sigset_t set;
    sigfillset(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
    check_output(
        &(struct whorl_process_options){.argv = SH("grep -E 'SigBlk|SigIgn' /proc/self/status | "
                                                   "sed 's/[0-9a-f]*\\(.\\{7\\}\\)$/\\1/'")},
        NULL, "SigBlk:\t0000000\nSigIgn:\t0000000\n");
}

/* --- waiting ---------------------------------------------------------------------------------- */

static struct whorl_process *start(const char *const *argv)
{
    struct whorl_process *process = NULL;
    struct whorl_process_options options = {.argv = argv};
    CHECK_OK(whorl_process_spawn(&options, &process));
    return process;
}

TEST_IO(wait_tells_the_status_or_the_signal_and_again)
{
    struct whorl_process_exit exit;
    struct whorl_process *process = start(SH("exit 41"));
    CHECK_OK(whorl_process_wait(process, &exit));
    CHECK_EQ(exit.status, 41);
    CHECK_EQ(exit.signal, 0);
    CHECK_OK(whorl_process_wait(process, NULL));
    CHECK_ERR(whorl_process_kill(process, SIGTERM), -ESRCH);
    whorl_process_destroy(process);

    process = start(SH("kill -USR1 $$"));
    CHECK_OK(whorl_process_wait(process, &exit));
    CHECK_EQ(exit.status, -1);
    CHECK_EQ(exit.signal, SIGUSR1);
    whorl_process_destroy(process);
    whorl_process_destroy(NULL);
}

static int wait_for(void *arg)
{
    struct whorl_process_exit exit;
    int err = whorl_process_wait(arg, &exit);
    test_log("%d", err ? err : exit.signal);
    return 0;
}

TEST_IO(several_tasks_may_wait)
{
    WHORL_AUTO(process) *process = start(ARGV("sleep", "100"));
    WHORL_AUTO(group) group = {0};
    for (int i = 0; i < 3; i++)
        CHECK_OK(whorl_spawn(&group, wait_for, process));
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    CHECK_STR(test_logged(), "");
    CHECK_OK(whorl_process_kill(process, SIGHUP));
    CHECK_OK(whorl_group_wait(&group));
    CHECK_STR(test_logged(), "1 1 1");
}

TEST_IO(a_cancelled_wait_leaves_the_process_alone)
{
    WHORL_AUTO(process) *process = start(ARGV("sleep", "100"));
    struct whorl_scope scope;
    whorl_scope_enter(&scope, whorl_after(3 * WHORL_MILLISECOND));
    CHECK_ERR(whorl_scope_leave(&scope, whorl_process_wait(process, NULL)), -ETIMEDOUT);
    CHECK_OK(kill(whorl_process_id(process), 0));
    CHECK_OK(whorl_process_kill(process, SIGKILL));
    struct whorl_process_exit exit;
    CHECK_OK(whorl_process_wait(process, &exit));
    CHECK_EQ(exit.signal, SIGKILL);
}

TEST_IO(a_status_taken_by_somebody_else_is_reported)
{
    struct whorl_process *process = start(ARGV("true"));
    CHECK_EQ(waitpid(-1, NULL, 0), whorl_process_id(process));
    CHECK_ERR(whorl_process_wait(process, NULL), -ECHILD);
    CHECK_ERR(whorl_process_wait(process, NULL), -ECHILD);
    whorl_process_destroy(process);
}

TEST_IO(two_hundred_children_at_once)
{
    struct whorl_process *children[200];
    char text[16];
    /* Each process uses two descriptors. */
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1000, 1000}));
    for (int i = 0; i < 200; i++) {
        snprintf(text, sizeof text, "exit %d", i);
        struct whorl_process_options options = {.argv = ARGV("sh", "-c", "read x; eval $x", "sh"),
                                                .in.kind = WHORL_PROCESS_PIPE};
        CHECK_OK(whorl_process_spawn(&options, &children[i]));
    }
    for (int i = 199; i >= 0; i--) {
        snprintf(text, sizeof text, "exit %d\n", i);
        CHECK_OK(whorl_stream_write(whorl_process_stdin(children[i]), text, strlen(text)));
    }
    for (int i = 0; i < 200; i++) {
        struct whorl_process_exit exit;
        CHECK_OK(whorl_process_wait(children[i], &exit));
        CHECK_EQ(exit.status, i);
        whorl_process_destroy(children[i]);
    }
    check_no_children();
}

/* --- ending ----------------------------------------------------------------------------------- */

/* Starts a shell script and waits until it has printed "ready". */
static WHORL_SUSPENDS struct whorl_process *start_ready(const char *script, bool new_group)
{
    struct whorl_process_options options = {
        .argv = SH(script), .out.kind = WHORL_PROCESS_PIPE, .new_group = new_group};
    struct whorl_process *process = NULL;
    char buf[6];
    CHECK_OK(whorl_process_spawn(&options, &process));
    CHECK_OK(whorl_stream_read_exact(whorl_process_stdout(process), buf, sizeof buf));
    return process;
}

TEST_IO(stop_asks_first)
{
    WHORL_AUTO(process) *process =
        start_ready("trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done", false);
    struct whorl_process_exit exit;
    CHECK_OK(whorl_process_stop(process, 10 * WHORL_SECOND, &exit));
    CHECK_EQ(exit.status, 7);
    CHECK_OK(whorl_process_stop(process, 0, &exit));
    CHECK_EQ(exit.status, 7);
}

TEST_IO(stop_kills_once_the_grace_is_over)
{
    WHORL_AUTO(process) *process =
        start_ready("trap '' TERM; echo ready; while :; do sleep 0.01; done", false);
    struct whorl_process_exit exit;
    int64_t before = whorl_now();
    CHECK_OK(whorl_process_stop(process, 20 * WHORL_MILLISECOND, &exit));
    CHECK(whorl_now() - before >= 20 * WHORL_MILLISECOND);
    CHECK_EQ(exit.status, -1);
    CHECK_EQ(exit.signal, SIGKILL);
}

TEST_IO(a_cancelled_stop_kills_at_once)
{
    WHORL_AUTO(process) *process =
        start_ready("trap '' TERM; echo ready; while :; do sleep 0.01; done", false);
    struct whorl_process_exit exit;
    struct whorl_scope scope;
    whorl_scope_enter(&scope, whorl_after(3 * WHORL_MILLISECOND));
    CHECK_ERR(whorl_process_stop(process, WHORL_HOUR, NULL), -ECANCELED);
    CHECK_ERR(whorl_scope_leave(&scope, -ECANCELED), -ETIMEDOUT);
    CHECK_OK(whorl_process_wait(process, &exit));
    CHECK_EQ(exit.signal, SIGKILL);
    check_no_children();
}

TEST_IO(a_group_of_its_own_is_ended_whole)
{
    char byte;
    struct whorl_process *process = start_ready("sleep 100 & echo ready; wait", true);
    /* The grandchild also holds the pipe: the pipe ends when both have ended. */
    CHECK_OK(whorl_process_stop(process, WHORL_SECOND, NULL));
    CHECK_ERR(whorl_stream_read(whorl_process_stdout(process), &byte, 1), 0);
    whorl_process_destroy(process);

    int p[2];
    CHECK_OK(pipe2(p, O_CLOEXEC));
    struct whorl_process_options options = {
        .argv = SH("sleep 100 & exit 0"), .out = {WHORL_PROCESS_FD, p[1]}, .new_group = true};
    CHECK_OK(whorl_process_spawn(&options, &process));
    close(p[1]);
    CHECK_OK(whorl_sleep(20 * WHORL_MILLISECOND)); /* by now the leader may have ended or not */
    whorl_process_destroy(process);
    CHECK_ERR(whorl_read(p[0], &byte, 1), 0);
    close(p[0]);
}

TEST_IO(destroying_kills_and_leaves_no_zombie_also_when_cancelled)
{
    struct whorl_process *process = start(ARGV("sleep", "100"));
    struct whorl_scope scope;
    pid_t pid = whorl_process_id(process);
    whorl_scope_enter(&scope, WHORL_FOREVER);
    whorl_scope_cancel(&scope);
    whorl_process_destroy(process);
    whorl_scope_leave(&scope, 0);
    CHECK_EQ(kill(pid, 0), -1);
    check_no_children();
}

TEST(processes_can_be_started_and_destroyed_outside_a_run)
{
    struct whorl_process *process = start(ARGV("sleep", "100"));
    CHECK_ERR(whorl_process_wait(process, NULL), WHORL_ENOTASK);
    CHECK_ERR(whorl_process_stop(process, 0, NULL), WHORL_ENOTASK);
    CHECK_OK(whorl_process_kill(process, 0));
    whorl_process_destroy(process);
    check_no_children();
}

TEST_VIRTUAL(without_io_there_is_no_waiting_but_destroying)
{
    struct whorl_process *process = start(ARGV("sleep", "100"));
    CHECK_ERR(whorl_process_wait(process, NULL), WHORL_ENOIO);
    CHECK_ERR(whorl_process_stop(process, 0, NULL), WHORL_ENOIO);
    whorl_process_destroy(process);
    check_no_children();
}

/* --- select ----------------------------------------------------------------------------------- */

TEST_IO(select_takes_the_end_of_a_process)
{
    WHORL_AUTO(process) *quick = start(SH("exit 3"));
    WHORL_AUTO(process) *slow = start(ARGV("sleep", "100"));
    struct whorl_process_exit quick_exit = {0}, slow_exit = {0};
    struct whorl_case cases[] = {whorl_case_process(slow, &slow_exit),
                                 whorl_case_process(quick, &quick_exit),
                                 whorl_case_deadline(whorl_after(WHORL_MINUTE))};
    for (int i = 0; i < 2; i++) { /* it has ended: the second time at once */
        CHECK_EQ(whorl_select(cases, 3), 1);
        CHECK_OK(cases[1].result);
        CHECK_EQ(quick_exit.status, 3);
        quick_exit.status = 0;
    }
    cases[1] = whorl_case_deadline(whorl_after(2 * WHORL_MILLISECOND));
    CHECK_EQ(whorl_select(cases, 3), 1);
    CHECK_ERR(whorl_try_select(cases, 1), -EAGAIN);
    CHECK_OK(whorl_process_kill(slow, SIGTERM));
    CHECK_EQ(whorl_select(cases, 1), 0);
    CHECK_EQ(slow_exit.signal, SIGTERM);
}

static int select_exit(void *arg)
{
    struct whorl_case c = whorl_case_process(arg, NULL);
    int which = whorl_select(&c, 1);
    test_log("%s", which ? whorl_error_name(which) : "ended");
    return 0;
}

TEST_IO(selects_and_waits_share_the_end_of_a_process)
{
    WHORL_AUTO(process) *process = start(ARGV("sleep", "100"));
    WHORL_AUTO(group) group = {0};
    CHECK_OK(whorl_spawn(&group, select_exit, process));
    CHECK_OK(whorl_spawn(&group, wait_for, process));
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    whorl_group_cancel(&group);
    CHECK_OK(whorl_group_wait(&group));
    test_log_clear();
    CHECK_OK(kill(whorl_process_id(process), 0)); /* it still runs */

    struct whorl_group again = {0};
    for (int i = 0; i < 2; i++)
        CHECK_OK(whorl_spawn(&again, select_exit, process));
    CHECK_OK(whorl_spawn(&again, wait_for, process));
    CHECK_OK(whorl_sleep(2 * WHORL_MILLISECOND));
    CHECK_OK(whorl_process_kill(process, SIGTERM));
    CHECK_OK(whorl_group_wait(&again));
    CHECK_EQ(strlen(test_logged()), strlen("ended ended 15"));
    CHECK(strstr(test_logged(), "15"));
}

TEST_IO(a_status_taken_by_another_is_the_result_of_a_case)
{
    WHORL_AUTO(process) *process = start(ARGV("true"));
    CHECK_EQ(waitpid(-1, NULL, 0), whorl_process_id(process));
    struct whorl_case c = whorl_case_process(process, NULL);
    CHECK_EQ(whorl_select(&c, 1), 0);
    CHECK_ERR(c.result, -ECHILD);
}

static int set_event(void *arg)
{
    whorl_event_set(arg);
    return 0;
}

static int select_root(void *arg)
{
    WHORL_AUTO(process) *process = NULL;
    WHORL_AUTO(group) group = {0};
    struct whorl_event waiting = {0}; /* set when the first select waits */
    struct whorl_process_options options = {.argv = ARGV("sleep", "100")};
    (void)arg;
    int err = whorl_process_spawn(&options, &process);
    if (err == 0)
        err = whorl_spawn(&group, set_event, &waiting);
    if (err)
        return err;
    struct whorl_case cases[] = {
        whorl_case_process(process, NULL),
        whorl_case_event(&waiting),
    };
    err = whorl_select(cases, 2);
    if (err >= 0)
        err = cases[err].result;
    if (err == 0)
        err = whorl_process_kill(process, SIGKILL);
    if (err == 0)
        err = whorl_select(cases, 1);
    return err < 0 ? err : cases[err].result;
}

static int run_select(void *arg)
{
    return whorl_io_run(select_root, arg);
}

TEST(every_failure_of_a_select_is_reported_and_leaves_no_child)
{
    CHECK(faults_sweep(run_select, NULL) > 4);
    CHECK(io_faults_sweep(run_select, NULL, -EIO) > 2);
    check_no_children();
}

/* A process that a select waits for is in use. */
static int destroy_under_a_select(void *arg)
{
    struct whorl_process *process = start(ARGV("sleep", "0.5"));
    WHORL_AUTO(group) group = {0};
    (void)arg;
    CHECK_OK(whorl_spawn(&group, select_exit, process));
    CHECK_OK(whorl_yield());
    whorl_process_destroy(process);
    return 0;
}

static void run_destroy_under_a_select(void *arg)
{
    test_ignore(whorl_io_run(destroy_under_a_select, arg));
}

TEST(destroying_a_process_under_a_select_is_a_mistake_and_says_so)
{
    static struct child child;
    child_run(&child, run_destroy_under_a_select, NULL);
    CHECK_EQ(child.signal, SIGABRT);
    CHECK(strstr(child.err, "a process was destroyed while a task waits for it"));
}

/* --- cancelled anywhere ----------------------------------------------------------------------- */

static WHORL_SUSPENDS int run_a_long_conversation(void *arg)
{
    static char input[200000];
    WHORL_AUTO(process_output) output = {0};
    struct whorl_process_options options = {.argv = SH("sleep 0.002; cat; sleep 0.002"),
                                            .err.kind = WHORL_PROCESS_PIPE};
    (void)arg;
    return whorl_process_run(&options, input, sizeof input, 1 << 20, &output);
}

TEST_IO(cancelled_at_any_moment_no_child_and_no_descriptor_is_left)
{
    CHECK_OK(run_a_long_conversation(NULL)); /* first let the run open what it needs for tasks */
    int before = test_open_fds(), cancelled = 0, done = 0;
    for (int i = 0; i < 60; i++) {
        struct whorl_scope scope;
        whorl_scope_enter(&scope, whorl_after(i * 200 * WHORL_MICROSECOND));
        int err = whorl_scope_leave(&scope, run_a_long_conversation(NULL));
        CHECK(err == 0 || err == -ETIMEDOUT);
        *(err ? &cancelled : &done) += 1;
        check_no_children();
        CHECK_EQ(test_open_fds(), before);
    }
    CHECK(cancelled > 5);
}

static int converse(void *arg)
{
    WHORL_AUTO(process_output) output = {0};
    struct whorl_process_options options = {.argv = ARGV("cat"), .err.kind = WHORL_PROCESS_PIPE};
    (void)arg;
    int err = whorl_process_run(&options, "hello", 5, 100, &output);
    check_no_children();
    return err;
}

static int run_converse(void *arg)
{
    return whorl_io_run(converse, arg);
}

TEST(every_failed_allocation_is_reported_and_leaves_no_child)
{
    CHECK(faults_sweep(run_converse, NULL) > 5);
}

TEST(every_failed_request_is_reported_and_leaves_no_child)
{
    CHECK(io_faults_sweep(run_converse, NULL, -EIO) > 3);
}

TEST_IO(no_descriptors_no_child)
{
    struct rlimit old;
    getrlimit(RLIMIT_NOFILE, &old);
    int open_now = test_open_fds(), err = -EMFILE, steps = 0;
    for (int room = 0; err == -EMFILE; room++, steps++) {
        struct whorl_process *process = NULL;
        struct whorl_process_options options = {.argv = ARGV("true"),
                                                .in.kind = WHORL_PROCESS_PIPE,
                                                .out.kind = WHORL_PROCESS_PIPE,
                                                .err.kind = WHORL_PROCESS_PIPE};
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)(open_now + room), old.rlim_max});
        err = whorl_process_spawn(&options, &process);
        setrlimit(RLIMIT_NOFILE, &old);
        whorl_process_destroy(process);
        CHECK_EQ(test_open_fds(), open_now);
        check_no_children();
    }
    CHECK_OK(err);
    CHECK(steps > 6);
}

/* --- fork ------------------------------------------------------------------------------------- */

static int fork_in_a_task(void *arg)
{
    struct whorl_process *process = start(ARGV("sleep", "100"));
    (void)arg;
    pid_t pid = fork();
    if (pid == 0) {
        bool refused = whorl_process_wait(process, NULL) == WHORL_ENOIO &&
                       whorl_process_kill(process, SIGKILL) == WHORL_ENOIO &&
                       whorl_process_stop(process, 0, NULL) == WHORL_ENOIO;
        whorl_process_destroy(process); /* destroys the child's copy */
        _exit(refused ? 0 : 1);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    struct whorl_process_exit exit;
    CHECK_OK(whorl_process_kill(process, 0));
    CHECK_OK(whorl_process_stop(process, WHORL_SECOND, &exit));
    CHECK_EQ(exit.signal, SIGTERM);
    whorl_process_destroy(process);
    return 0;
}

TEST(a_forked_child_leaves_its_parents_processes_alone)
{
    CHECK_OK(whorl_io_run(fork_in_a_task, NULL));
}

/* --- streams of pipes ------------------------------------------------------------------------- */

TEST_IO(writing_to_a_pipe_nobody_reads_raises_no_signal)
{
    int p[2];
    CHECK_OK(pipe2(p, O_CLOEXEC));
    WHORL_AUTO(stream) *stream = NULL;
    CHECK_OK(whorl_stream_from_pipe(-1, p[1], &stream));
    CHECK(whorl_stream_is_idle(stream));
    close(p[0]);
    CHECK(!whorl_stream_is_idle(stream));
    CHECK_ERR(whorl_stream_write(stream, "x", 1), -EPIPE);
    CHECK_OK(whorl_stream_close_write(stream));
    CHECK_ERR(whorl_stream_write(stream, "x", 1), -EBADF);
    CHECK_OK(whorl_yield());
}

static int drain(void *arg)
{
    char buf[1000];
    ssize_t n;
    size_t sum = 0;
    while ((n = whorl_stream_read(arg, buf, sizeof buf)) > 0)
        for (ssize_t i = 0; i < n; i++, sum++)
            CHECK_EQ(buf[i], (char)(sum % 127));
    CHECK_EQ(sum, 40 * 10000);
    return (int)n;
}

TEST_IO(pipe_streams_write_all_of_many_parts)
{
    static char data[40 * 10000];
    struct iovec parts[41];
    int p[2];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (char)(i % 127);
    for (int i = 0; i < 40; i++)
        parts[i] = (struct iovec){data + i * 10000, 10000};
    parts[40] = (struct iovec){NULL, 0};
    CHECK_OK(pipe2(p, O_CLOEXEC));
    WHORL_AUTO(stream) *writer = NULL;
    CHECK_OK(whorl_stream_from_pipe(-1, p[1], &writer));
    WHORL_AUTO(stream) *reader = NULL;
    CHECK_OK(whorl_stream_from_pipe(p[0], -1, &reader));
    WHORL_AUTO(group) group = {0};
    char byte;
    CHECK_ERR(whorl_stream_read(writer, &byte, 1), -EBADF);
    CHECK_EQ(whorl_stream_fd(writer), p[1]);
    CHECK_EQ(whorl_stream_fd(reader), p[0]);
    CHECK_OK(whorl_spawn(&group, drain, reader));
    CHECK_OK(whorl_stream_writev(writer, parts, 41));
    CHECK_OK(whorl_stream_close_write(writer));
    CHECK_OK(whorl_group_wait(&group));
}

TEST_MAIN()
