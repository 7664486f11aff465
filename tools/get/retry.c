/* SPDX-License-Identifier: MIT */
/* Which failed transfers are retried, see retry.h. */
#include "tools/get/retry.h"

#include <errno.h>

#include <whorl/http_retry.h>

/* Shortages, which may end when other transfers end. */
static bool is_shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

bool retry_helps(int err, int status, bool is_local)
{
    return err && is_local ? is_shortage(err) : whorl_http_retry_helps(err, status);
}
