/* SPDX-License-Identifier: MIT */
/* Programs under test: run one with given input, keep what it printed, bound its time.
 *
 *     struct subprocess run;
 *     subprocess_run(&run, (const char *[]){test_program("whorl-get"), "--help", NULL}, NULL);
 *     CHECK_EQ(run.exit_status, 0);
 *     CHECK(strstr(run.out, "usage:"));
 *     subprocess_finish(&run);
 *
 * Everything started here dies with the test's process. A program that cannot be started fails the
 * test.
 */
#ifndef TEST_SUBPROCESS_H
#define TEST_SUBPROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Zero-initialised is valid. Everything is borrowed for the call. */
struct subprocess_options {
    const char *input;      /* what it reads from stdin, NULL: nothing */
    size_t input_len;       /* 0: strlen(input) */
    const char *folder;     /* where it runs; NULL: where the test does */
    const char *const *env; /* "NAME=value" to add or replace, "NAME" to remove; NULL-terminated */
    int timeout_s;          /* then it is killed; 0: 15 s. Scaled as test limits are */
    bool tty;               /* stdout and stderr are one terminal, whose bytes end up in `out` */
    unsigned short columns; /* of that terminal; 0: 80 */
};

struct subprocess {
    pid_t pid;       /* 0 once it has ended */
    int exit_status; /* of exit(), or -1 */
    int signal;      /* that ended it, or 0 */
    bool timed_out;
    char *out, *err; /* NUL-terminated */
    size_t out_len, err_len;

    /* Private. */
    int in_fd, out_fd, err_fd;
    const char *input;
    size_t input_len;
    int timeout_s;
};

/* subprocess_start() and subprocess_wait(). */
void subprocess_run(struct subprocess *ret, const char *const argv[],
                    const struct subprocess_options *options);

/* Starts it and returns; the options' input must stay valid. */
void subprocess_start(struct subprocess *ret, const char *const argv[],
                      const struct subprocess_options *options);

/* Waits until its stdout (`in_err`: stderr) contains `text`; fails the test when it ends before. */
void subprocess_wait_output(struct subprocess *process, const char *text, bool in_err);

/* Sends it a signal. */
void subprocess_signal(struct subprocess *process, int signal);

/* Waits for its end, feeding input and collecting output meanwhile. */
void subprocess_wait(struct subprocess *process);

/* Kills it if it still runs, and frees the output. */
void subprocess_finish(struct subprocess *process);

/* Starts a program without pipes that runs until the test ends; its output goes to the file `log`
 * (NULL: the test's own output). `keep_fds`: descriptors that stay open in it under their numbers,
 * -1-terminated, or NULL. Returns its pid. */
pid_t subprocess_daemon(const char *const argv[], const char *const *env, const char *log,
                        const int *keep_fds);

/* The path of a program of this build: test_program("whorl-get"), test_program("examples/site").
 * Without a folder in the name it is one of tools/. Valid for seven further calls. */
const char *test_program(const char *name);

/* Whether a program of this machine is on the path (or in sbin). */
bool test_has_program(const char *name);

#endif
