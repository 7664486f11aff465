/* SPDX-License-Identifier: MIT */
/* The list of servers that are reached without a proxy; http_proxy.h describes its format. It is
 * parsed once, and then each server is compared with its rules. No I/O. */
#ifndef IO_HTTP_NO_PROXY_H
#define IO_HTTP_NO_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/error.h>

struct no_proxy_rule;

/* Zero-initialised is an empty list. The fields are private. */
struct no_proxy {
    struct no_proxy_rule *rules; /* owned */
    size_t count, cap;
};

/** Parses a list; free it with no_proxy_finish(). An entry that is malformed is an error: if it
 *  were ignored, its servers would be reached through the proxy. Returns 0; -ENOMEM;
 *  WHORL_EHTTP_PROXY_SETTING, with the entry and the cause in `error`, which may be NULL. */
int no_proxy_parse(const char *list, struct whorl_error *error, struct no_proxy *ret);

/** Whether the server is in the list. `host` is canonical, as in struct whorl_url. */
bool no_proxy_matches(const struct no_proxy *list, const char *host, uint16_t port);

/** Frees. Accepts a zeroed list. */
void no_proxy_finish(struct no_proxy *list);

#endif
