/* SPDX-License-Identifier: MIT */
/* Tests that fail in every possible way. test_runner.c runs them one by one. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "test.h"

TEST(passes)
{
    puts("nobody sees this");
}

TEST(check_fails)
{
    puts("said before");
    fputs("said on stderr\n", stderr);
    puts("ok 7 - not a result");
    CHECK_EQ(1 + 1, 3);
}

TEST(crashes)
{
    raise(SIGSEGV);
}

TEST(exits)
{
    exit(0);
}

TEST_SLOW(hangs, TEST_PLAIN, 1)
{
    for (;;)
        pause();
}

TEST(leaks_a_descriptor)
{
    CHECK(open("/dev/null", O_RDONLY) >= 0);
}

TEST(skips)
{
    test_skip("the moon is %s", "full");
}

TEST(leaves_a_process)
{
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    printf("pid %d\n", (int)pid);
    CHECK(pid < 0);
}

TEST(leaves_a_directory)
{
    char path[300];

    snprintf(path, sizeof path, "%s/locked", test_tmpdir());
    CHECK_EQ(mkdir(path, 0), 0);
    printf("directory %s\n", test_tmpdir());
    raise(SIGKILL);
}

static void say(void *arg)
{
    test_log("%s", (const char *)arg);
}

static void show(void *arg)
{
    (void)arg;
    puts(test_logged());
    CHECK(false);
}

TEST(has_ends)
{
    test_at_end(show, NULL);
    test_at_end(say, "a");
    test_at_end(say, "b");
}

TEST_SEEDS(fails_with_seed_2)
{
    CHECK(test_seed() < 2);
}

TEST_MAIN()
