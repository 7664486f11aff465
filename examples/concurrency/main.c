/* SPDX-License-Identifier: MIT */
/* `models`: does the same job in several concurrency models. Each comparison is a subcommand. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

static const struct command {
    const char *name, *help;
    int (*main)(int argc, char **argv);
} commands[] = {
    {"io", "download the same pages in four models: tasks save the most time", io_main},
    {"cpu", "compute large sums in four models: only more processors help", cpu_main},
    {"race", "let many workers add to one counter: some ways lose additions", race_main},
    {"spinner", "draw a spinner during a slow call: some ways stop it", spinner_main},
    {"cost", "measure what an idle task, thread and process cost", cost_main},
    {"latency", "measure how long a reference, a switch, a read, a handshake take", latency_main},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

/* Returns a failure if the output could not be printed. */
static int finish(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fputs("models: cannot write the output\n", stderr);
    return status ? status : 1;
}

static int usage(FILE *to)
{
    fputs("usage: models COMMAND [OPTION]...\n"
          "Does the same job in several concurrency models and compares them.\n\n",
          to);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-9s%s\n", commands[i].name, commands[i].help);
    fputs("\nmodels COMMAND --help lists the options of a command.\n"
          "Exit status: 0 success, 1 failure or wrong result, 2 wrong usage.\n",
          to);
    return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        fputs("models: a command is missing\n", stderr);
        return usage(stderr);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return finish(usage(stdout));
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return finish(commands[i].main(argc - 1, argv + 1));
    fprintf(stderr, "models: there is no command '%s'\n", argv[1]);
    return usage(stderr);
}
