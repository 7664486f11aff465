/* SPDX-License-Identifier: MIT */
/* The memory of the options, see options.h. */
#include "tools/get/options.h"

#include <stdlib.h>

#include "tools/get/user.h"

void options_finish(struct options *options)
{
    free(options->lists);
    free(options->sitemaps);
    free(options->headers);
    free(options->pins);
    free(options->checksums);
    free(options->proxy);
    user_wipe(options->queue);
    free(options->overrides);
    user_wipe(options->user);
    for (size_t i = 0; i < options->data_count; i++)
        user_wipe(options->data[i]);
    free(options->data);
    for (size_t i = 0; i < options->form_count; i++)
        user_wipe(options->form[i]);
    free(options->form);
    user_wipe(options->json_data);
    free(options->config);
    *options = (struct options){0};
}
