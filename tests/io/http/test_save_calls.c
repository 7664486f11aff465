/* SPDX-License-Identifier: MIT */
/* Saving bodies: small bodies, and the threads on which the system calls are made. */
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <whorl/http.h>
#include <whorl/task.h>

#include "fakehttp.h"
#include "listing.h"
#include "runtime/park_hook.h"
#include "saving.h"
#include "test.h"

/* Small bodies */

/* It arrives in parts, and is written when it is complete. */
TEST_IO(a_small_body_is_collected_before_its_file_is_created)
{
    static const struct fake_step script[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", 0},
        {.action = FAKE_BODY, .n = 50000},
        {.action = FAKE_REPEAT}};
    FAKE fake = {.scripts = {script}, .capacity = 3000};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    struct whorl_http_session_stats stats;
    int64_t written = -1;
    struct whorl_http_save_options options = {
        .progress = log_listing, .next_path = no_other_name, .ret_written = &written};

    CHECK_OK(save(session, in_tmpdir("f"), &options, false));
    check_pattern_file(in_tmpdir("f"), 50000);
    CHECK_EQ(written, 50000);
    CHECK_STR(test_logged(), "-");
    CHECK_ERR(save(session, in_tmpdir("f"), &options, false), -EEXIST);
    CHECK_STR(listing(), "f");
    whorl_http_session_get_stats(session, &stats);
    CHECK_EQ(stats.idle, 1);
}

TEST_IO(a_small_body_that_is_cut_creates_no_file)
{
    static const struct fake_step cut[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", 0},
        {.action = FAKE_BODY, .n = 49999},
        {.action = FAKE_CLOSE}};
    int64_t written = -1;
    struct whorl_http_save_options options = {.next_path = no_other_name, .ret_written = &written};

    CHECK_ERR(save_from(cut, in_tmpdir("f"), &options), WHORL_EHTTP_TRUNCATED);
    CHECK_STR(error.step, "body");
    CHECK(written <= 0);
    CHECK_STR(listing(), "");
}

TEST_IO(the_rest_of_a_small_body_is_saved)
{
    struct whorl_http_request request = {.url = "http://a.test/"};
    struct whorl_http_save_options options = {.next_path = no_other_name};
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    WHORL_AUTO(http_response) *response = NULL;
    char buf[3];

    CHECK_OK(whorl_http_do(session, &request, NULL, &response));
    CHECK_ERR((int)whorl_http_response_read(response, buf, 2), 2);
    CHECK_OK(whorl_http_response_save(response, in_tmpdir("f"), &options));
    check_file(in_tmpdir("f"), "llo");
}

/* Where the system calls are made */

static int hops;

static void count_hop(const char *what)
{
    hops += strcmp(what, "save") == 0;
}

/* How often a save waits for a thread. */
static WHORL_SUSPENDS_SHIELDED int hops_of(struct whorl_http_session *session, const char *path,
                                           const struct whorl_http_save_options *options)
{
    hops = 0;
    sched_park_hook = count_hop;
    int err = save(session, path, options, false);
    sched_park_hook = NULL;
    CHECK_OK(err);
    return hops;
}

static void need_local_disk(void)
{
    int fd = open(test_tmpdir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    struct statfs fs;

    if (fd < 0 || fstatfs(fd, &fs) != 0 ||
        (fs.f_type != TMPFS_MAGIC && fs.f_type != EXT4_SUPER_MAGIC))
        test_skip("the temporary directory is neither on tmpfs nor on ext4");
    close(fd);
}

TEST_IO(a_small_file_on_a_local_disk_takes_no_hop_once_the_disk_is_known)
{
    struct whorl_http_save_options overwrite = {.overwrite = true}, sync = {.sync = true};
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    need_local_disk();
    CHECK_EQ(hops_of(session, in_tmpdir("f"), NULL), 1);
    CHECK_EQ(hops_of(session, in_tmpdir("g"), NULL), 0);
    CHECK_EQ(hops_of(session, in_tmpdir("h"), &sync), 1);
    CHECK_EQ(hops_of(session, in_tmpdir("f"), &overwrite), 1);
    CHECK_OK(mkdir(in_tmpdir("d"), 0700)); /* not known */
    CHECK_EQ(hops_of(session, in_tmpdir("d/f"), NULL), 1);
}

/* What the next linkat(2) does before anything else. */
static void (*before_link)(void);

int __real_linkat(int old_dir, const char *old_path, int new_dir, const char *new_path, int flags);
int __wrap_linkat(int old_dir, const char *old_path, int new_dir, const char *new_path, int flags);

int __wrap_linkat(int old_dir, const char *old_path, int new_dir, const char *new_path, int flags)
{
    void (*before)(void) = before_link;

    before_link = NULL;
    if (before)
        before();
    return __real_linkat(old_dir, old_path, new_dir, new_path, flags);
}

static void wait_50_ms(void)
{
    usleep(50000);
}

static void compute_5_ms(void)
{
    int64_t end_ns = whorl_after(5 * WHORL_MILLISECOND);

    while (whorl_now() < end_ns) {
    }
}

static const char *next_name(void)
{
    static int number;
    char name[20];

    snprintf(name, sizeof name, "f%d", number++);
    return in_tmpdir(name);
}

/* Saves files until one takes no hop. The machine's own disk may be slow at times. */
static WHORL_SUSPENDS_SHIELDED void save_directly(struct whorl_http_session *session,
                                                  void (*before)(void))
{
    for (;;) {
        before_link = before;
        if (hops_of(session, next_name(), NULL) == 0)
            return;
        CHECK_OK(whorl_sleep(100 * WHORL_MILLISECOND));
    }
}

TEST_IO(a_disk_that_was_slow_is_left_to_threads_for_a_while)
{
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    need_local_disk();
    do {
        save_directly(session, compute_5_ms); /* it did not wait */
    } while (hops_of(session, next_name(), NULL) == 1);
    save_directly(session, wait_50_ms);
    CHECK_EQ(hops_of(session, next_name(), NULL), 1); /* for 5 s */
    save_directly(session, NULL);
}

TEST_IO(a_chunked_body_that_came_with_the_head_is_a_small_file)
{
    struct whorl_http_save_options options = {.progress = log_listing};
    FAKE fake = {.scripts = {hello_chunked}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    need_local_disk();
    CHECK_EQ(hops_of(session, in_tmpdir("f"), &options), 1);
    check_file(in_tmpdir("f"), "hello");
    CHECK_STR(test_logged(), "-");
    before_link = compute_5_ms;
    CHECK_EQ(hops_of(session, in_tmpdir("g"), NULL), 0);
    CHECK(!before_link); /* it had no temporary name */
    CHECK_STR(listing(), "f g");
}

TEST_IO(a_chunked_body_that_comes_in_parts_is_written_in_order)
{
    FAKE fake = {.scripts = {hello_chunked}, .capacity = strlen(hello_chunked[1].text) - 20};
    WHORL_AUTO(http_session) *session = fake_session(&fake);
    int64_t written = 0;
    struct whorl_http_save_options options = {.progress = log_listing, .ret_written = &written};

    CHECK_OK(save(session, in_tmpdir("f"), &options, false));
    check_file(in_tmpdir("f"), "hello");
    CHECK_STR(test_logged(), ".f.");
    CHECK_EQ(written, 5);
}

TEST_IO(a_longer_file_takes_two_hops_besides_its_writes)
{
    FAKE fake = {.scripts = {large}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    CHECK_EQ(hops_of(session, in_tmpdir("f"), NULL), 2);
}

static int removals;

static void count_removal(const char *what)
{
    removals += strcmp(what, "remove") == 0;
}

/* To free the blocks of a large file takes long. */
TEST_IO(what_was_written_of_a_body_that_is_cut_is_removed_by_a_thread)
{
    static const struct fake_step cut[] = {
        {.action = FAKE_HEAD},
        {FAKE_SEND, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", 0},
        {.action = FAKE_BODY, .n = 999999},
        {.action = FAKE_CLOSE}};

    sched_park_hook = count_removal;
    CHECK_ERR(save_from(cut, in_tmpdir("f"), NULL), WHORL_EHTTP_TRUNCATED);
    CHECK_EQ(removals, 1);
    CHECK_OK(save_from(large, in_tmpdir("f"), NULL));
    CHECK_EQ(removals, 1);
    sched_park_hook = NULL;
}

/* SIGXFSZ would end the process. */
TEST_IO(small_files_respect_a_limit_of_their_size)
{
    struct rlimit limit = {.rlim_cur = 3, .rlim_max = RLIM_INFINITY};
    FAKE fake = {.scripts = {hello}};
    WHORL_AUTO(http_session) *session = fake_session(&fake);

    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    for (int i = 0; i < 3; i++) {
        CHECK_ERR(save(session, in_tmpdir("f"), NULL, false), -EFBIG);
        CHECK_STR(error.step, "write");
    }
    CHECK_STR(listing(), "");
}

TEST_MAIN()
