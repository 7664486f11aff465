/* SPDX-License-Identifier: MIT */
/* The part of the retry policy that the retry loop needs. */
#ifndef IO_HTTP_RETRY_POLICY_H
#define IO_HTTP_RETRY_POLICY_H

#include <whorl/http_retry.h>

/* The policy with its defaults filled in; NULL for the defaults. */
struct whorl_http_retry_policy retry_policy_fill(const struct whorl_http_retry_policy *policy);

#endif
