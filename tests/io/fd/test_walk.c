/* SPDX-License-Identifier: MIT */
/* Walking directory trees: every entry once, in order, never outside, at any depth. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <whorl.h>

#include "faults.h"
#include "io_faults.h"
#include "test.h"

static int open_tmpdir(void)
{
    int fd = open(test_tmpdir(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

static void make_file(int dir, const char *path)
{
    int fd = openat(dir, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    close(fd);
}

/* A small tree: a/b/c, a/d, e, and a link to a. Returns a descriptor of its root. */
static int make_tree(void)
{
    int dir = open_tmpdir();
    CHECK_OK(mkdirat(dir, "a", 0700));
    CHECK_OK(mkdirat(dir, "a/b", 0700));
    make_file(dir, "a/b/c");
    make_file(dir, "a/d");
    make_file(dir, "e");
    CHECK_OK(symlinkat("a", dir, "link"));
    return dir;
}

static void log_entry(const struct whorl_walk_entry *entry)
{
    static const char types[] = {[DT_REG] = '-', [DT_DIR] = '/', [DT_LNK] = '@'};
    struct stat st;
    size_t depth = 1;

    if (entry->err) {
        CHECK_EQ(entry->dir_fd, -1);
        test_log("%s:%s", entry->path, whorl_error_name(entry->err));
        return;
    }
    for (const char *at = entry->path; (at = strchr(at, '/')); at++)
        depth++;
    CHECK_EQ(entry->depth, depth);
    CHECK_OK(fstatat(entry->dir_fd, entry->name, &st, AT_SYMLINK_NOFOLLOW));
    CHECK_EQ(entry->type, IFTODT(st.st_mode));
    test_log("%s%c%s", entry->path, types[entry->type], entry->leaving ? "." : "");
}

static WHORL_SUSPENDS_SHIELDED void check_walk(const struct whorl_walk_options *options,
                                               const char *expected)
{
    WHORL_AUTO(walk) *walk = NULL;
    struct whorl_walk_entry entry;
    int n;

    test_log_clear();
    CHECK_OK(whorl_walk_open(AT_FDCWD, test_tmpdir(), options, &walk));
    while ((n = whorl_walk_next(walk, &entry)) == 1)
        log_entry(&entry);
    CHECK_OK(n);
    CHECK_OK(whorl_walk_next(walk, &entry)); /* the end is the end again */
    CHECK_STR(test_logged(), expected);
}

#define ALL "a/ a/b/ a/b/c- a/d- e- link@"

TEST_IO(walk_returns_the_entries_of_a_directory_after_it)
{
    int before = test_open_fds();
    close(make_tree());
    check_walk(&(struct whorl_walk_options){.sorted = true}, ALL);
    check_walk(&(struct whorl_walk_options){.sorted = true, .leaves = true},
               "a/ a/b/ a/b/c- a/b/. a/d- a/. e- link@");
    CHECK_EQ(test_open_fds(), before);
}

TEST_IO(walk_ends_at_a_depth)
{
    close(make_tree());
    check_walk(&(struct whorl_walk_options){.sorted = true, .depth_max = 1}, "a/ e- link@");
    check_walk(&(struct whorl_walk_options){.sorted = true, .leaves = true, .depth_max = 2},
               "a/ a/b/ a/d- a/. e- link@");
    check_walk(&(struct whorl_walk_options){.sorted = true, .depth_max = 3}, ALL);
}

TEST_IO(walk_of_an_empty_directory_is_empty)
{
    check_walk(NULL, "");
    check_walk(&(struct whorl_walk_options){.sorted = true, .leaves = true}, "");
}

TEST_IO(walk_leaves_out_what_is_skipped)
{
    WHORL_AUTO(walk) *walk = NULL;
    struct whorl_walk_entry entry;
    int dir = make_tree(), n;
    CHECK_OK(whorl_walk_open(dir, ".", &(struct whorl_walk_options){.sorted = true}, &walk));
    while ((n = whorl_walk_next(walk, &entry)) == 1) {
        log_entry(&entry);
        if (strcmp(entry.path, "a/b") == 0 || strcmp(entry.path, "e") == 0)
            whorl_walk_skip(walk);
    }
    CHECK_OK(n);
    CHECK_STR(test_logged(), "a/ a/b/ a/d- e- link@");
    close(dir);
}

TEST_IO(walk_without_an_order_returns_every_entry_once)
{
    enum { DIRS = 30, FILES = 50 };
    static bool seen[DIRS][FILES];
    WHORL_AUTO(walk) *walk = NULL;
    struct whorl_walk_entry entry;
    int dir = open_tmpdir(), n, count = 0;
    char path[64];
    for (int i = 0; i < DIRS; i++) {
        snprintf(path, sizeof path, "%d", i);
        CHECK_OK(mkdirat(dir, path, 0700));
        for (int k = 0; k < FILES; k++) {
            snprintf(path, sizeof path, "%d/%d", i, k);
            make_file(dir, path);
        }
    }
    CHECK_OK(whorl_walk_open(dir, ".", NULL, &walk));
    while ((n = whorl_walk_next(walk, &entry)) == 1) {
        int i, k;
        if (sscanf(entry.path, "%d/%d", &i, &k) != 2)
            continue;
        CHECK(!seen[i][k]);
        seen[i][k] = true;
        count++;
    }
    CHECK_OK(n);
    CHECK_EQ(count, DIRS * FILES);
    close(dir);
}

/* --- what other programs do meanwhile --------------------------------------------------------- */

static WHORL_SUSPENDS_SHIELDED void walk_and(const char *path, void (*act)(int dir),
                                             const char *expected)
{
    WHORL_AUTO(walk) *walk = NULL;
    struct whorl_walk_entry entry;
    int dir = open_tmpdir(), n;
    CHECK_OK(whorl_walk_open(dir, ".", &(struct whorl_walk_options){.sorted = true}, &walk));
    while ((n = whorl_walk_next(walk, &entry)) == 1) {
        log_entry(&entry);
        if (strcmp(entry.path, path) == 0 && !entry.err)
            act(dir);
    }
    CHECK_OK(n);
    CHECK_STR(test_logged(), expected);
    close(dir);
}

static void replace_by_link(int dir)
{
    CHECK_OK(renameat(dir, "a/b", dir, "z"));
    CHECK_OK(symlinkat("../z", dir, "a/b"));
}

TEST_IO(walk_does_not_follow_a_link_that_replaces_a_directory)
{
    close(make_tree());
    walk_and("a/b", replace_by_link, "a/ a/b/ a/b:ENOTDIR a/d- e- link@");
}

static void remove_b(int dir)
{
    CHECK_OK(unlinkat(dir, "a/b/c", 0));
    CHECK_OK(unlinkat(dir, "a/b", AT_REMOVEDIR));
}

TEST_IO(walk_reports_a_directory_that_it_cannot_open_and_continues)
{
    close(make_tree());
    walk_and("a/b", remove_b, "a/ a/b/ a/b:ENOENT a/d- e- link@");
}

/* Makes directories inside each other, each with the name "dddddddd". */
static void make_deep(int depth)
{
    int dir = open_tmpdir();
    for (int i = 0; i < depth; i++) {
        CHECK_OK(mkdirat(dir, "dddddddd", 0700));
        int next = openat(dir, "dddddddd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        make_file(dir, "file");
        close(dir);
        CHECK(next >= 0);
        dir = next;
    }
    close(dir);
}

/* Removes everything below the temporary directory. Returns how many entries that were. */
static WHORL_SUSPENDS_SHIELDED int remove_all(bool sorted)
{
    const struct whorl_walk_options options = {.sorted = sorted, .leaves = true};
    WHORL_AUTO(walk) *walk = NULL;
    struct whorl_walk_entry entry;
    int n, count = 0;
    CHECK_OK(whorl_walk_open(AT_FDCWD, test_tmpdir(), &options, &walk));
    while ((n = whorl_walk_next(walk, &entry)) == 1) {
        CHECK_OK(entry.err);
        if (entry.type == DT_DIR && !entry.leaving)
            continue;
        CHECK_OK(unlinkat(entry.dir_fd, entry.name, entry.type == DT_DIR ? AT_REMOVEDIR : 0));
        count++;
    }
    CHECK_OK(n);
    return count;
}

TEST_IO(walk_reaches_depths_beyond_the_longest_path_with_few_descriptors)
{
    enum { DEPTH = 600 };
    struct rlimit limit;
    for (int sorted = 0; sorted <= 1; sorted++) {
        make_deep(DEPTH);
        CHECK_OK(whorl_yield());
        getrlimit(RLIMIT_NOFILE, &limit);
        int most = sorted ? 4 : 20;
        setrlimit(RLIMIT_NOFILE,
                  &(struct rlimit){(rlim_t)(test_open_fds() + most), limit.rlim_max});
        int count = remove_all(sorted);
        setrlimit(RLIMIT_NOFILE, &limit);
        CHECK_EQ(count, 2 * DEPTH);
    }
}

/* Moves away the directory at depth 3 when the walk has closed the one around it. */
static void move_away(int dir)
{
    CHECK_OK(renameat(dir, "dddddddd/dddddddd/dddddddd", dir, "moved"));
    CHECK_OK(mkdirat(dir, "moved/new", 0700));
}

TEST_IO(walk_does_not_leave_its_tree_through_a_directory_that_was_moved)
{
    WHORL_AUTO(walk) *walk = NULL;
    struct whorl_walk_entry entry;
    int dir = open_tmpdir(), n, errors = 0;
    make_deep(40);
    CHECK_OK(whorl_walk_open(dir, ".", &(struct whorl_walk_options){.sorted = true}, &walk));
    while ((n = whorl_walk_next(walk, &entry)) == 1) {
        if (entry.depth == 30 && entry.type == DT_DIR && !entry.err)
            move_away(dir);
        CHECK(!strstr(entry.path, "moved"));
        if (!entry.err)
            continue;
        CHECK_ERR(entry.err, -ESTALE);
        CHECK_EQ(entry.depth, 2 - errors);
        errors++;
    }
    CHECK_OK(n);
    CHECK_EQ(errors, 3); /* the directories around it, and the root */
    close(dir);
}

/* --- failures --------------------------------------------------------------------------------- */

TEST_VIRTUAL(walk_needs_io)
{
    struct whorl_walk *walk = NULL;
    CHECK_ERR(whorl_walk_open(AT_FDCWD, "/", NULL, &walk), WHORL_ENOIO);
    CHECK(!walk);
    whorl_walk_close(NULL);
}

TEST_IO(walk_begins_at_a_directory)
{
    struct whorl_walk *walk = NULL;
    int dir = make_tree();
    CHECK_ERR(whorl_walk_open(dir, "missing", NULL, &walk), -ENOENT);
    CHECK_ERR(whorl_walk_open(dir, "e", NULL, &walk), -ENOTDIR);
    CHECK(!walk);
    CHECK_OK(whorl_walk_open(dir, "link", NULL, &walk));
    whorl_walk_close(walk);
    close(dir);
}

/* Walks to the end, and tries again after each cancel and each lack of memory. */
static WHORL_SUSPENDS_SHIELDED void check_persistent_walk(bool (*disarm)(void), bool *ret_failed)
{
    const struct whorl_walk_options options = {.sorted = true, .leaves = true};
    struct whorl_walk *walk = NULL;
    struct whorl_walk_entry entry;
    int n, count = 0;
    do
        n = whorl_walk_open(AT_FDCWD, test_tmpdir(), &options, &walk);
    while (n == -ECANCELED || n == -ENOMEM);
    CHECK_OK(n);
    while ((n = whorl_walk_next(walk, &entry)) != 0) {
        CHECK(n == 1 || n == -ECANCELED || n == -ENOMEM);
        CHECK(n < 0 || entry.err == 0);
        count += n == 1;
    }
    *ret_failed = disarm();
    whorl_walk_close(walk);
    CHECK_EQ(count, 3 * 20); /* a file, and a directory twice */
}

TEST_IO(walk_loses_no_entry_to_a_cancel_or_a_lack_of_memory)
{
    bool failed = true;
    uint64_t nth;
    make_deep(20);
    for (nth = 1; failed; nth++) {
        io_faults_complete(nth, -ECANCELED);
        check_persistent_walk(io_faults_disarm, &failed);
    }
    CHECK(nth > 20);
    failed = true;
    for (nth = 1; failed; nth++) {
        faults_arm(nth);
        check_persistent_walk(faults_disarm, &failed);
    }
    CHECK(nth > 20);
    remove_all(false);
}

static int visit(void *arg)
{
    WHORL_AUTO(walk) *walk = NULL;
    struct whorl_walk_entry entry;
    int n,
        err = whorl_walk_open(AT_FDCWD, arg, &(struct whorl_walk_options){.leaves = true}, &walk);
    if (err)
        return err;
    while ((n = whorl_walk_next(walk, &entry)) == 1)
        err = err ? err : entry.err;
    return n ? n : err;
}

static int run_visit(void *arg)
{
    return whorl_io_run(visit, arg);
}

TEST(walk_reports_every_failed_request_and_allocation)
{
    char *path = (char *)(uintptr_t)test_tmpdir();
    make_deep(18);
    CHECK(io_faults_sweep(run_visit, path, -EIO) > 18);
    CHECK(faults_sweep(run_visit, path) > 18);
}

TEST_MAIN()
