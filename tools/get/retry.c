/* SPDX-License-Identifier: MIT */
/* Which failed transfers are retried, see retry.h. */
#include "tools/get/retry.h"

#include <errno.h>
#include <string.h>

#include <whorl/error.h>
#include <whorl/http_retry.h>

/* Shortages, which may end when other transfers end. */
static bool is_shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

bool retry_is_of_host(const struct whorl_error *error)
{
    enum whorl_error_class class = whorl_error_classify(error);
    int err = error->code;

    if (strcmp(error->step, "TLS") == 0)
        return class == WHORL_CLASS_TLS || err == WHORL_EHTTP_TLS_TIMEOUT;
    if (strcmp(error->step, "resolve") != 0 && strcmp(error->step, "connect") != 0 &&
        strcmp(error->step, "proxy") != 0)
        return false;
    return class == WHORL_CLASS_DNS || class == WHORL_CLASS_TLS || err == -EHOSTUNREACH ||
           err == -ENETUNREACH || err == -ETIMEDOUT || err == WHORL_EHTTP_CONNECT_TIMEOUT;
}

bool retry_helps(int err, int status, bool is_local)
{
    return err && is_local ? is_shortage(err) : whorl_http_retry_helps(err, status);
}
