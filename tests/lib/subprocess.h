/* SPDX-License-Identifier: MIT */
/* Runs programs under test: gives them input, keeps their output, and limits their time.
 *
 *     struct subprocess run;
 *     subprocess_run(&run, (const char *[]){test_program("whorl-get"), "--help", NULL}, NULL);
 *     CHECK_EQ(run.exit_status, 0);
 *     CHECK(strstr(run.out, "usage:"));
 *     subprocess_finish(&run);
 *
 * Every program started here is killed when the test's process ends. A program that cannot be
 * started fails the test.
 */
#ifndef TEST_SUBPROCESS_H
#define TEST_SUBPROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Zero-initialised options are valid. All pointers are borrowed for the call. */
struct subprocess_options {
    const char *input;      /* standard input of the program; NULL: empty */
    size_t input_len;       /* 0: strlen(input) */
    const char *dir;        /* working directory; NULL: that of the test */
    const char *const *env; /* "NAME=value" to add or replace, "NAME" to remove; NULL-terminated */
    /* Time after which it is killed; 0: 15 s; scaled like the test limits. */
    int timeout_s;
    bool tty;               /* stdout and stderr are one terminal; its bytes go to `out` */
    unsigned short columns; /* width of that terminal; 0: 80 */
};

struct subprocess {
    pid_t pid;       /* 0 once it has ended */
    int exit_status; /* argument of exit(), or -1 */
    int signal;      /* signal that ended the program, or 0 */
    bool timed_out;
    char *out, *err; /* NUL-terminated */
    size_t out_len, err_len;

    /* Private. */
    int in_fd, out_fd, err_fd;
    const char *input;
    size_t input_len;
    int timeout_s;
};

/* Calls subprocess_start() and subprocess_wait(). */
void subprocess_run(struct subprocess *ret, const char *const argv[],
                    const struct subprocess_options *options);

/* Starts the program and returns. The options' input must stay valid. */
void subprocess_start(struct subprocess *ret, const char *const argv[],
                      const struct subprocess_options *options);

/* Waits until the program's stdout (`in_err`: stderr) contains `text`. Fails the test when the
 * program ends before. */
void subprocess_wait_output(struct subprocess *process, const char *text, bool in_err);

/* Sends the program a signal. */
void subprocess_signal(struct subprocess *process, int signal);

/* Waits until the program ends. Meanwhile it feeds input and collects output. */
void subprocess_wait(struct subprocess *process);

/* Kills the program if it still runs, and frees the output. */
void subprocess_finish(struct subprocess *process);

/* Starts a program without pipes that runs until the test ends; its output goes to the file `log`
 * (NULL: the test's own output). `keep_fds`: descriptors that stay open in it under their numbers,
 * -1-terminated, or NULL. Returns its pid. */
pid_t subprocess_daemon(const char *const argv[], const char *const *env, const char *log,
                        const int *keep_fds);

/* Returns the path of a program of this build: test_program("whorl-get"),
 * test_program("examples/site"). A name without a directory is a program of tools/. Valid for the
 * next seven calls. */
const char *test_program(const char *name);

/* Whether this machine has the program in $PATH (or in an sbin directory). */
bool test_has_program(const char *name);

#endif
