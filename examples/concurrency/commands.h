/* SPDX-License-Identifier: MIT */
/* The subcommands of `models`. Each gets its own name as argv[0] and returns an exit status; main.c
 * explains the values. */
#ifndef MODELS_COMMANDS_H
#define MODELS_COMMANDS_H

int cost_main(int argc, char **argv);
int cpu_main(int argc, char **argv);
int io_main(int argc, char **argv);
int latency_main(int argc, char **argv);
int race_main(int argc, char **argv);
int spinner_main(int argc, char **argv);

#endif
