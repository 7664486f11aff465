/* SPDX-License-Identifier: MIT */
/* Programs that run with standard descriptors closed: what their children get, and that the library
 * leaves the numbers 0, 1 and 2 alone. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <whorl.h>

#include "test.h"

#define ALL_CLOSED 7 /* a bit for each of the descriptors 0, 1 and 2 */

static int saved[3];

/* Makes the standard descriptors of this process three different files, and closes those whose bit
 * is set. */
static void close_standard(unsigned closed)
{
    for (int i = 0; i < 3; i++) {
        char path[300];
        saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        CHECK(saved[i] >= 0);
        snprintf(path, sizeof path, "%s/%d", test_tmpdir(), i);
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        CHECK(fd > 2);
        dup2(fd, i);
        close(fd);
    }
    for (int i = 0; i < 3; i++)
        if (closed >> i & 1)
            close(i);
}

static void restore_standard(void)
{
    for (int i = 0; i < 3; i++) {
        dup2(saved[i], i);
        close(saved[i]);
    }
}

/* Writes which file a descriptor of a process means, or "none"; at most 299 characters. */
static void name_of(pid_t pid, int fd, char *ret)
{
    char path[64], name[300];

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t n = readlink(path, name, sizeof name - 1);
    name[n > 0 ? n : 0] = '\0';
    strcpy(ret, n > 0 ? name : "none");
}

/* --- children --------------------------------------------------------------------------------- */

struct spawning {
    enum whorl_process_io_kind kinds[3];
    int err;
    char expected[3][300], names[3][300];
};

static struct whorl_stream *stream_of(struct whorl_process *process, int number)
{
    return number == 0   ? whorl_process_stdin(process)
           : number == 1 ? whorl_process_stdout(process)
                         : whorl_process_stderr(process);
}

/* Finds out which descriptors a child has. Its dynamic linker and locales use the free numbers for
 * a while, so this waits until the child has what it should have, or 5 seconds. */
static WHORL_SUSPENDS_SHIELDED void names_of(struct spawning *s, pid_t pid)
{
    int64_t deadline_ns = whorl_after((int64_t)test_timeout_scale() * 5 * WHORL_SECOND);

    for (;;) {
        int right = 0;
        for (int i = 0; i < 3; i++) {
            name_of(pid, i, s->names[i]);
            right += strcmp(s->names[i], s->expected[i]) == 0;
        }
        if (right == 3 || whorl_now() > deadline_ns)
            return;
        CHECK_OK(whorl_sleep(WHORL_MILLISECOND));
    }
}

/* Spawns a child, and finds out which descriptors it has and which it should have. */
static int spawn_one(void *arg)
{
    struct spawning *s = arg;
    const char *argv[] = {"sleep", "100", NULL};
    WHORL_AUTO(process) *process = NULL;
    struct whorl_process_options options = {
        .argv = argv,
        .in.kind = s->kinds[0],
        .out.kind = s->kinds[1],
        .err.kind = s->kinds[2],
    };

    for (int i = 0; i < 3; i++)
        name_of(getpid(), i, s->expected[i]);
    s->err = whorl_process_spawn(&options, &process);
    for (int i = 0; i < 3 && s->err == 0; i++) {
        if (s->kinds[i] == WHORL_PROCESS_NULL)
            strcpy(s->expected[i], "/dev/null");
        else if (s->kinds[i] == WHORL_PROCESS_PIPE)
            name_of(getpid(), whorl_stream_fd(stream_of(process, i)), s->expected[i]);
    }
    if (s->err == 0)
        names_of(s, whorl_process_id(process));
    return 0;
}

/* A descriptor that is closed in the child may mean a library which the child is loading. */
static void check_name(const char *name, const char *expected)
{
    if (strcmp(expected, "none") == 0 && name[0] == '/' && strcmp(name, "/dev/null") != 0 &&
        strncmp(name, test_tmpdir(), strlen(test_tmpdir())) != 0)
        return;
    CHECK_STR(name, expected);
}

TEST(children_get_what_was_asked_for_whichever_descriptors_are_closed)
{
    for (unsigned closed = 0; closed <= ALL_CLOSED; closed++)
        for (unsigned kinds = 0; kinds < 27; kinds++) {
            struct spawning s = {.kinds = {kinds % 3, kinds / 3 % 3, kinds / 9 % 3}};
            close_standard(closed);
            int err = whorl_io_run(spawn_one, &s);
            restore_standard();
            printf("closed: %u, kinds: %d %d %d\n", closed, s.kinds[0], s.kinds[1], s.kinds[2]);
            CHECK_OK(err);
            CHECK_OK(s.err);
            for (int i = 0; i < 3; i++)
                check_name(s.names[i], s.expected[i]);
        }
}

static int spawn_refused(void *arg)
{
    const char *argv[] = {"true", NULL};
    struct whorl_process *process;
    struct whorl_process_options options = {.argv = argv,
                                            .in.kind = WHORL_PROCESS_PIPE,
                                            .out.kind = WHORL_PROCESS_PIPE,
                                            .err = {WHORL_PROCESS_FD, 0}};

    (void)arg;
    return whorl_process_spawn(&options, &process);
}

TEST(a_descriptor_that_is_closed_here_cannot_be_given)
{
    close_standard(ALL_CLOSED);
    int err = whorl_io_run(spawn_refused, NULL);
    restore_standard();
    CHECK_ERR(err, -EBADF);
}

/* --- the highest number ----------------------------------------------------------------------- */

static WHORL_SUSPENDS int spawn_as(int as, const struct whorl_process_fd *more, int *ret_status)
{
    char text[200];
    snprintf(text, sizeof text, "[ -e /dev/fd/%d ] && [ ! -e /dev/fd/20 ] && [ ! -e /dev/fd/70 ]",
             as);
    const char *argv[] = {"sh", "-c", text, NULL};
    WHORL_AUTO(process) *process = NULL;
    struct whorl_process_fd fds[2] = {{1, as}};
    struct whorl_process_options options = {.argv = argv, .fds = fds, .fds_count = 1};
    struct whorl_process_exit exit = {0};
    if (more)
        fds[options.fds_count++] = *more;
    int err = whorl_process_spawn(&options, &process);
    if (err == 0)
        err = whorl_process_wait(process, &exit);
    *ret_status = exit.status;
    return err;
}

TEST_IO(the_last_number_below_the_limit_can_be_given)
{
    struct rlimit old;
    int status, low = fcntl(1, F_DUPFD, 20), high = fcntl(1, F_DUPFD, 70); /* inheritable */
    CHECK_EQ(low, 20);
    CHECK_EQ(high, 70);
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &old));
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, old.rlim_max}));
    CHECK_OK(spawn_as(63, NULL, &status));
    CHECK_EQ(status, 0);
    CHECK_OK(spawn_as(62, NULL, &status));
    CHECK_EQ(status, 0);
    CHECK_OK(spawn_as(63, &(struct whorl_process_fd){2, 62}, &status));
    CHECK_EQ(status, 0);
    CHECK_ERR(spawn_as(64, NULL, &status), -EMFILE);
    CHECK_ERR(spawn_as(1023, NULL, &status), -EMFILE);
    CHECK_OK(setrlimit(RLIMIT_NOFILE, &old));
    close(low);
    close(high);
}

TEST_IO(numbers_that_the_duplicates_have_can_be_given_all_the_same)
{
    struct whorl_process_fd fds[20];
    const char *argv[] = {"sleep", "100", NULL};
    WHORL_AUTO(process) *process = NULL;
    char here[300], name[300];
    if (test_on_qemu())
        test_skip("qemu has descriptors of its own");
    name_of(getpid(), 2, here);
    for (int i = 0; i < 20; i++)
        fds[i] = (struct whorl_process_fd){2, 3 + i};
    struct whorl_process_options options = {.argv = argv, .fds = fds, .fds_count = 20};
    CHECK_OK(whorl_process_spawn(&options, &process));
    for (int i = 3; i < 50; i++) {
        name_of(whorl_process_id(process), i, name);
        check_name(name, i < 23 ? here : "none");
    }
}

/* --- the library's own descriptors ------------------------------------------------------------ */

/* Returns a bit for each standard descriptor that is open. */
static unsigned open_numbers(void)
{
    unsigned open_now = 0;

    for (int i = 0; i < 3; i++)
        open_now |= fcntl(i, F_GETFD) >= 0 ? 1U << i : 0;
    return open_now;
}

static int look_around(void *arg)
{
    static const int numbers[] = {SIGUSR1, 0};
    unsigned *ret = arg;
    struct whorl_signals *signals;

    CHECK_OK(whorl_signals_open(numbers, &signals));
    *ret = open_numbers();
    whorl_signals_close(signals);
    return 0;
}

TEST(a_run_takes_no_standard_descriptor)
{
    unsigned in_run = ALL_CLOSED, in_host;
    struct whorl_embed *embed;
    int result;

    close_standard(ALL_CLOSED);
    int err = whorl_io_run(look_around, &in_run);
    int embed_err = whorl_embed_create(NULL, NULL, look_around, &in_run, &embed);
    in_host = open_numbers();
    while (embed_err == 0 && !whorl_embed_run_ready(embed, &result))
        ;
    if (embed_err == 0)
        whorl_embed_destroy(embed);
    restore_standard();
    CHECK_OK(err);
    CHECK_OK(embed_err);
    CHECK_EQ(in_run, 0);
    CHECK_EQ(in_host, 0);
}

/* --- worker processes ------------------------------------------------------------------------- */

/* Returns the names of the worker's three descriptors, and the pids of worker and server. */
static int describe_worker(void *state, const void *request, size_t len, void **ret,
                           size_t *ret_len)
{
    char names[3][300], *text = malloc(1000);

    (void)state, (void)request, (void)len;
    for (int i = 0; i < 3; i++)
        name_of(getpid(), i, names[i]);
    *ret_len = (size_t)snprintf(text, 1000, "%d %d %s %s %s", (int)getpid(), (int)getppid(),
                                names[0], names[1], names[2]);
    *ret = text;
    return 0;
}

static int ask_worker(void *arg)
{
    void **args = arg;
    size_t len;

    return whorl_process_pool_call(args[0], "", 0, &args[1], &len);
}

/* A program with two pools that is killed. It writes what its workers say to `out`. */
__attribute__((noreturn)) static void program_with_pools(unsigned closed, int out)
{
    struct whorl_process_pool_options options = {.count = 2, .work = describe_worker};
    struct whorl_process_pool *pools[2];

    close_standard(closed);
    for (int i = 0; i < 2; i++) {
        void *args[2] = {NULL, NULL};
        if (whorl_process_pool_create(&options, &pools[i]) < 0)
            _exit(1);
        args[0] = pools[i];
        if (whorl_io_run(ask_worker, args) < 0 || dprintf(out, "%s\n", (char *)args[1]) < 0)
            _exit(1);
    }
    raise(SIGKILL);
    _exit(1);
}

TEST(workers_end_with_a_program_that_has_no_standard_descriptors)
{
    if (test_on_qemu())
        test_skip("qemu has descriptors of its own");
    CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1)); /* the orphans become children of the test */
    test_tmpdir();                              /* made here, so that the programs do not */
    for (unsigned closed = 0; closed <= ALL_CLOSED; closed++) {
        char text[2000] = "", *line = text;
        int p[2], status, pids[4];
        size_t have = 0;
        ssize_t n;
        CHECK_OK(pipe2(p, O_CLOEXEC));
        pid_t program = fork();
        if (program == 0)
            program_with_pools(closed, fcntl(p[1], F_DUPFD_CLOEXEC, 60));
        close(p[1]);
        CHECK_EQ(waitpid(program, &status, 0), program);
        CHECK_EQ(status, SIGKILL);
        while ((n = read(p[0], text + have, sizeof text - 1 - have)) > 0)
            have += (size_t)n;
        close(p[0]);
        for (int pool = 0; pool < 2; pool++) {
            char names[3][300];
            CHECK_EQ(sscanf(line, "%d %d %299s %299s %299s", &pids[2 * pool], &pids[2 * pool + 1],
                            names[0], names[1], names[2]),
                     5);
            line = strchr(line, '\n') + 1;
            for (int i = 0; i < 3; i++)
                if (closed >> i & 1)
                    CHECK_STR(names[i], "/dev/null");
        }
        /* Both servers end, and end their workers, because the program has ended. */
        while (waitpid(-1, &status, 0) > 0)
            ;
        for (int i = 0; i < 4; i++)
            CHECK_EQ(kill(pids[i], 0), -1);
    }
}

TEST_MAIN()
