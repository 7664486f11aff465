/* SPDX-License-Identifier: MIT */
/* Budgets for retries: a sliding window of counts for each origin. */
#include <string.h>

#include <whorl/http_retry_budget.h>
#include <whorl/task.h>

enum { ORIGINS = WHORL_HTTP_RETRY_BUDGET_ORIGINS, SLOTS = WHORL_HTTP_RETRY_BUDGET_SLOTS };

static uint64_t add_bytes(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *b = bytes;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ b[i]) * 0x100000001b3; /* FNV-1a */
    return hash;
}

static uint64_t hash_origin(const struct whorl_url *url)
{
    uint64_t hash = add_bytes(0xcbf29ce484222325, url->host, strlen(url->host));

    hash = add_bytes(hash, &url->port, sizeof url->port);
    return add_bytes(hash, &url->is_tls, sizeof url->is_tls);
}

static int64_t current_slot(const struct whorl_http_retry_budget *budget)
{
    int64_t window_ns = budget->window_ns > 0 ? budget->window_ns : 10 * WHORL_SECOND;

    return whorl_now() / (window_ns >= SLOTS ? window_ns / SLOTS : 1);
}

/* Finds the origin's window, or gives it the one that was not used for the longest time. */
static struct whorl_http_retry_window *find(struct whorl_http_retry_budget *budget, uint64_t origin,
                                            int64_t slot)
{
    struct whorl_http_retry_window *oldest = budget->windows;

    for (size_t i = 0; i < budget->windows_count; i++) {
        struct whorl_http_retry_window *w = &budget->windows[i];
        if (w->origin == origin)
            return w;
        if (w->slot < oldest->slot)
            oldest = w;
    }
    if (budget->windows_count < ORIGINS)
        oldest = &budget->windows[budget->windows_count++];
    *oldest = (struct whorl_http_retry_window){.origin = origin, .slot = slot};
    return oldest;
}

/* The window of the URL's origin, moved to the current time. */
static struct whorl_http_retry_window *open_window(struct whorl_http_retry_budget *budget,
                                                   const struct whorl_url *url)
{
    int64_t slot = current_slot(budget);
    struct whorl_http_retry_window *w = find(budget, hash_origin(url), slot);

    if (slot - w->slot >= SLOTS)
        *w = (struct whorl_http_retry_window){.origin = w->origin, .slot = slot};
    while (w->slot < slot) {
        w->slot++;
        w->requests[w->slot % SLOTS] = w->retries[w->slot % SLOTS] = 0;
    }
    return w;
}

void whorl_http_retry_budget_note(struct whorl_http_retry_budget *budget,
                                  const struct whorl_url *url)
{
    struct whorl_http_retry_window *w = open_window(budget, url);

    w->requests[w->slot % SLOTS]++;
}

bool whorl_http_retry_budget_take(struct whorl_http_retry_budget *budget,
                                  const struct whorl_url *url)
{
    struct whorl_http_retry_window *w = open_window(budget, url);
    int64_t percent = budget->percent ? budget->percent : 20, requests = 0, retries = 0;
    int64_t allowed = budget->retries_min ? budget->retries_min : 10;

    for (size_t i = 0; i < SLOTS; i++) {
        requests += w->requests[i];
        retries += w->retries[i];
    }
    if (requests * percent / 100 > allowed)
        allowed = requests * percent / 100;
    if (retries >= allowed)
        return false;
    w->retries[w->slot % SLOTS]++;
    return true;
}
