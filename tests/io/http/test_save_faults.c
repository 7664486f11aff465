/* SPDX-License-Identifier: MIT */
/* Saves that fail or are cancelled leave the whole file or nothing. */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <whorl/http.h>
#include <whorl/io.h>
#include <whorl/scope.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "io_faults.h"
#include "listing.h"
#include "memstream.h"
#include "runtime/park_hook.h"
#include "saving.h"
#include "test.h"

/* Every request fails once */

static int save_both(void *arg)
{
    struct whorl_http_save_options sync = {.sync = true};
    (void)arg;

    int err = save_from(hello, in_tmpdir("f"), NULL);
    if (err == 0)
        err = save_from(large, in_tmpdir("g"), &sync);
    if (err == 0)
        err = save_from(endless, in_tmpdir("h"), NULL);
    return err;
}

static int run_save_both(void *arg)
{
    static const char *const whole[] = {"", "f", "f g", "f g h"};
    static const char *const names[] = {"f", "g", "h"};
    int done = 0;

    int err = whorl_io_run(save_both, arg);
    while (done < 3 && access(in_tmpdir(names[done]), F_OK) == 0)
        done++;
    CHECK_STR(listing(), whole[done]);
    CHECK(err || done == 3);
    for (int i = 0; i < done; i++)
        CHECK_OK(unlink(in_tmpdir(names[i])));
    return err;
}

TEST(a_save_whose_requests_fail_leaves_whole_files_or_nothing)
{
    CHECK(io_faults_sweep(run_save_both, NULL, -EIO) >= 12);
}

/* Also when the request that removes the file is the one that fails. */
TEST_IO(a_cut_body_leaves_nothing_whichever_request_fails)
{
    static const struct fake_step cut[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", 0},
        {.action = FAKE_CLOSE}};
    bool struck = true;
    int fds = 0;

    for (uint64_t nth = 1; struck; nth++) {
        for (int refused = 0; refused < 2; refused++) {
            if (refused)
                io_faults_submit(nth);
            else
                io_faults_complete(nth, -EIO);
            CHECK(save_from(cut, in_tmpdir("f"), NULL) < 0);
            struck = io_faults_disarm();
            CHECK_STR(listing(), "");
            if (nth == 1 && refused == 0)
                fds = test_open_fds();
            CHECK_EQ(test_open_fds(), fds);
        }
    }
}

TEST_IO(a_full_disk_leaves_nothing)
{
    struct rlimit limit = {.rlim_cur = 300000, .rlim_max = 300000};
    signal(SIGXFSZ, SIG_IGN);
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    CHECK_ERR(save_from(large, in_tmpdir("f"), NULL), -EFBIG);
    CHECK_STR(error.step, "write");
    CHECK_STR(listing(), "");
}

TEST_IO(a_save_cancelled_while_it_waits_for_the_body_says_so)
{
    static const struct fake_step stuck[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\nhello", 0},
        {.action = FAKE_END}};
    struct whorl_http_save_options collects = {.next_path = no_other_name};

    for (int i = 0; i < 2; i++) {
        struct whorl_scope scope;
        whorl_scope_enter(&scope, whorl_after(50 * WHORL_MILLISECOND));
        int err = save_from(stuck, in_tmpdir("f"), i ? &collects : NULL);
        CHECK_ERR(whorl_scope_leave(&scope, err), -ETIMEDOUT);
        CHECK_EQ(error.code, -ECANCELED);
        CHECK_STR(error.step, "body");
        CHECK_STR(listing(), "");
    }
}

/* Cancelled at every suspension point; the points are counted. */

static struct whorl_scope *scope_to_cancel;
static struct whorl_task *victim;
static int points, strike_at;

static void count_point(const char *what)
{
    (void)what;
    if (scope_to_cancel && whorl_task_self() == victim && ++points == strike_at)
        whorl_scope_cancel(scope_to_cancel);
}

TEST_IO(a_save_cancelled_at_any_point_leaves_the_whole_file_or_nothing)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", 0},
        {.action = FAKE_BODY, .n = 50000},
        {0}};
    struct whorl_http_save_options options = {.sync = true};
    int total = 1, whole = 0, fds = 0;

    victim = whorl_task_self();
    sched_park_hook = count_point;
    for (int k = 0; k <= total; k++) {
        FAKE fake = {.scripts = {script}, .capacity = 8000};
        struct whorl_http_session *session = fake_session(&fake);
        struct whorl_http_session_stats stats;
        struct whorl_scope scope;

        points = 0;
        strike_at = k;
        whorl_scope_enter(&scope, WHORL_FOREVER);
        scope_to_cancel = &scope;
        int err = save(session, in_tmpdir("f"), &options, false);
        scope_to_cancel = NULL;
        whorl_scope_leave(&scope, 0);
        if (k == 0) {
            CHECK_OK(err);
            total = points;
        }
        CHECK(err == 0 || err == -ECANCELED);
        whole += err == 0;
        if (access(in_tmpdir("f"), F_OK) == 0) {
            check_pattern_file(in_tmpdir("f"), 50000);
            CHECK_STR(listing(), "f");
            CHECK_OK(unlink(in_tmpdir("f")));
        } else {
            CHECK(err);
            CHECK_STR(listing(), "");
        }
        if (k == 0)
            fds = test_open_fds(); /* by now the run has opened its own descriptors */
        CHECK_EQ(test_open_fds(), fds);
        whorl_http_session_get_stats(session, &stats);
        CHECK_EQ(stats.open, stats.idle);
        whorl_http_session_destroy(session);
        CHECK_OK(whorl_yield());
        CHECK_OK(whorl_yield());
        CHECK_EQ(memstream_alive(), 0);
    }
    sched_park_hook = NULL;
    printf("# %d points, %d completed\n", total, whole - 1);
    CHECK(total >= 10);
}

TEST_MAIN()
