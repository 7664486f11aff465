/* SPDX-License-Identifier: MIT */
/* The memory of the options, see options.h. */
#include "tools/get/options.h"

#include <stdlib.h>

#include "tools/get/user.h"

void options_finish(struct options *options)
{
    free(options->lists);
    free(options->headers);
    free(options->pins);
    free(options->checksums);
    free(options->proxy);
    user_wipe(options->user);
    free(options->config);
    *options = (struct options){0};
}
