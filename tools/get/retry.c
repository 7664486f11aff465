/* SPDX-License-Identifier: MIT */
/* The back-off policy, see retry.h. */
#include "tools/get/retry.h"

#include <errno.h>

#include <whorl/error.h>

struct retry_policy retry_policy_default(void)
{
    return (struct retry_policy){
        .retries = 3,
        .first_ns = WHORL_SECOND / 2,
        .longest_ns = 30 * WHORL_SECOND,
        .asked_max_ns = 2 * WHORL_MINUTE,
    };
}

static bool status_may_change(int status)
{
    switch (status) {
    case 408: /* Request Timeout */
    case 425: /* Too Early */
    case 429: /* Too Many Requests */
        return true;
    case 501: /* Not Implemented */
    case 505: /* HTTP Version Not Supported */
    case 506: /* Variant Also Negotiates */
    case 508: /* Loop Detected */
    case 510: /* Not Extended */
    case 511: /* Network Authentication Required */
        return false;
    default:
        return status >= 500 && status < 600;
    }
}

/* Failures of the network or the server, which may be temporary. */
static bool network_may_recover(int err)
{
    switch (err) {
    case -ECONNREFUSED:
    case -ECONNRESET:
    case -ECONNABORTED:
    case -EPIPE:
    case -ETIMEDOUT:
    case -EHOSTUNREACH:
    case -EHOSTDOWN:
    case -ENETUNREACH:
    case -ENETDOWN:
    case -ENETRESET:
    case -EADDRNOTAVAIL: /* all local ports are in use */
    case WHORL_EDNS_SERVFAIL:
    case WHORL_EDNS_TIMEOUT:
    case WHORL_EDNS_REFUSED:
    case WHORL_EDNS_UNREACHABLE:
    case WHORL_EDNS_BADRESPONSE:
    case WHORL_ETLS_TRUNCATED:
    case WHORL_EHTTP_TRUNCATED:
    case WHORL_EHTTP_NO_RESPONSE:
    case WHORL_EHTTP_QUEUE_TIMEOUT:
    case WHORL_EHTTP_CONNECT_TIMEOUT:
    case WHORL_EHTTP_TLS_TIMEOUT:
    case WHORL_EHTTP_FIRST_BYTE_TIMEOUT:
    case WHORL_EHTTP_STALL_TIMEOUT:
        return true;
    default:
        /* Certificates, malformed responses, bad URLs, limits set by the user, and unknown errors:
         * a retry would fail in the same way. */
        return false;
    }
}

/* Shortages, which may end when other transfers end. */
static bool is_shortage(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM;
}

bool retry_helps(int err, int status, bool is_local)
{
    if (err == 0)
        return status_may_change(status);
    return is_shortage(err) || (!is_local && network_may_recover(err));
}

int64_t retry_pause(const struct retry_policy *policy, int tries, int64_t asked_ns, uint64_t random)
{
    if (tries > policy->retries || asked_ns > policy->asked_max_ns)
        return -1;

    int64_t bound = policy->first_ns;
    for (int i = 1; i < tries && bound < policy->longest_ns; i++)
        bound *= 2;
    if (bound > policy->longest_ns)
        bound = policy->longest_ns;
    int64_t half = bound / 2;
    int64_t pause = bound - half + (int64_t)(random % (uint64_t)(half + 1));
    return asked_ns > pause ? asked_ns : pause;
}
