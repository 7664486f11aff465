/* SPDX-License-Identifier: MIT */
/* The text of --help, and the completions of the shells, made from the table of options. No I/O. */
#ifndef WHORL_GET_HELP_H
#define WHORL_GET_HELP_H

struct buffer;

/* Adds the help. `topic` is "" for the short help, which fits 80 columns by 24 lines, "all", or one
 * of the topics of option_rows.h. */
void help_add(struct buffer *ret, const char *topic);

/* Adds a completion script for "bash", "zsh" or "fish". */
void help_add_completion(struct buffer *ret, const char *shell);

#endif
