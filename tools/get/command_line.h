/* SPDX-License-Identifier: MIT */
/* Parses the options: those of the configuration file first, then those of the command line, which
 * replace them. The program does this before anything else. */
#ifndef WHORL_GET_COMMAND_LINE_H
#define WHORL_GET_COMMAND_LINE_H

#include "tools/get/options.h"

enum options_verdict {
    OPTIONS_RUN,
    OPTIONS_HELP,
    OPTIONS_VERSION,
    OPTIONS_COMPLETION,
    OPTIONS_BAD,
};

/* Reads the configuration file: that of --config, or whorl/get.conf in $XDG_CONFIG_HOME or in
 * ~/.config, if it exists and --no-config is not given. Then parses the command line and checks all
 * options. Secrets on the command line are overwritten. On OPTIONS_BAD, `why` says what is wrong;
 * it contains no control bytes. Call options_finish() on `ret` after every verdict. */
enum options_verdict options_parse(struct options *ret, int argc, char **argv, char *why,
                                   size_t why_size);

#endif
