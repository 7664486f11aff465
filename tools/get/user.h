/* SPDX-License-Identifier: MIT */
/* The name and the password of --user: from the option, a file, the environment or the terminal. */
#ifndef WHORL_GET_USER_H
#define WHORL_GET_USER_H

#include <stddef.h>

/* Zero-initialised: none. The strings are owned. */
struct user {
    char *name, *password;
};

/**
 * Makes name and password.
 *
 * @text  "NAME:PASSWORD"; "NAME": the password is asked for on the terminal; "@FILE": the first
 *        line of the file has one of these
 * @why   says what failed, without the password
 *
 * Returns: 0; -errno. A signal that arrives during the question ends the program, after the
 *          terminal echoes again.
 */
int user_load(struct user *ret, const char *text, char *why, size_t why_size);

/* Overwrites and frees. Accepts a zeroed struct. */
void user_finish(struct user *user);

/* Overwrites and frees a string. Accepts NULL. */
void user_wipe(char *text);

#endif
