/* SPDX-License-Identifier: MIT */
/* The policy of retries: what is retried, and the pauses. No I/O, no clock. */
#include "io/http/retry_policy.h"

#include <errno.h>

#include <whorl/error.h>
#include <whorl/http_retry.h>

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

static bool error_may_pass(int err)
{
    switch (err) {
    /* Failures of the network or the server. */
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
    case WHORL_EHTTP_SPEED_TIMEOUT:
    case WHORL_EHTTP_REFUSED:
    case WHORL_EHTTP_CALM:
    case WHORL_EHTTP_PROXY_FAILED:
    /* Shortages, which end when other work ends. */
    case -EMFILE:
    case -ENFILE:
    case -ENOBUFS:
    case -ENOMEM:
        return true;
    default:
        /* Certificates, malformed responses, bad URLs, limits set by the user, and unknown errors:
         * a retry would fail in the same way. */
        return false;
    }
}

bool whorl_http_retry_helps(int err, int status)
{
    return err ? error_may_pass(err) : status_may_change(status);
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
    return value ? value : otherwise;
}

struct whorl_http_retry_policy retry_policy_fill(const struct whorl_http_retry_policy *policy)
{
    static const struct whorl_http_retry_policy defaults;

    if (!policy)
        policy = &defaults;
    return (struct whorl_http_retry_policy){
        .attempts_max = policy->attempts_max ? policy->attempts_max : 4,
        .first_ns = or_default(policy->first_ns, WHORL_SECOND / 2),
        .longest_ns = or_default(policy->longest_ns, 30 * WHORL_SECOND),
        .retry_after_max_ns = or_default(policy->retry_after_max_ns, 2 * WHORL_MINUTE),
        .total_ns = or_default(policy->total_ns, WHORL_FOREVER),
        .any_method = policy->any_method,
        .budget = policy->budget,
    };
}

int64_t whorl_http_retry_pause(const struct whorl_http_retry_policy *policy, int attempts,
                               int64_t asked_ns, uint64_t random)
{
    struct whorl_http_retry_policy p = retry_policy_fill(policy);
    int64_t bound = p.first_ns;

    if (attempts >= p.attempts_max || asked_ns > p.retry_after_max_ns)
        return -1;
    for (int i = 1; i < attempts && bound < p.longest_ns; i++)
        bound = bound > p.longest_ns / 2 ? p.longest_ns : 2 * bound;
    if (bound > p.longest_ns)
        bound = p.longest_ns;
    int64_t half = bound / 2;
    int64_t pause = bound - half + (int64_t)(random % ((uint64_t)half + 1));
    return asked_ns > pause ? asked_ns : pause;
}
