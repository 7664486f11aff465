/* SPDX-License-Identifier: MIT */
/* One problem, several ways of doing many things at once: the programs that compare them, as
 * subcommands of one. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

static const struct command {
    const char *name, *help;
    int (*main)(int argc, char **argv);
} commands[] = {
    {"io", "the same pages downloaded in four models: waiting is what there is to save", io_main},
    {"cpu", "big sums in four models: only more processors help", cpu_main},
    {"race", "many workers add to one counter: who loses what, and why", race_main},
    {"spinner", "what turns while something slow runs, and what stops it", spinner_main},
    {"cost", "what a task, a thread and a process cost that do nothing", cost_main},
};

enum { COMMANDS = sizeof commands / sizeof *commands };

/* What could not be printed is a failure, too. */
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
          "Concurrency models side by side: what each is good for, shown and measured.\n\n",
          to);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-9s%s\n", commands[i].name, commands[i].help);
    fputs("\nmodels COMMAND --help lists a command's options.\n"
          "Exit status: 0 all came out as it should, 1 something did not, 2 usage.\n",
          to);
    return to == stdout ? 0 : 2;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        fputs("models: which command?\n", stderr);
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
