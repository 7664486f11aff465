/* SPDX-License-Identifier: MIT */
/* The errors of reading URLs. */
#include "io/url/error.h"

#include <errno.h>

int url_refuse(struct whorl_error *error, const char *why)
{
    return whorl_error_set(error, WHORL_EHTTP_URL, "URL", "%s", why);
}

int url_no_memory(struct whorl_error *error)
{
    return whorl_error_set(error, -ENOMEM, "URL", "out of memory");
}
