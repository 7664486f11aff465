/* SPDX-License-Identifier: MIT */
/* A ring of origins. It is searched only when a connection is opened. */
#include "io/http/upgrades.h"

#include <stdlib.h>
#include <string.h>

bool http_upgrades_has(const struct http_upgrades *upgrades, const char *host, uint16_t port)
{
    for (size_t i = 0; i < HTTP_UPGRADES_MAX && upgrades->origins[i].host; i++)
        if (upgrades->origins[i].port == port && strcmp(upgrades->origins[i].host, host) == 0)
            return true;
    return false;
}

void http_upgrades_add(struct http_upgrades *upgrades, const char *host, uint16_t port)
{
    char *copy;

    if (http_upgrades_has(upgrades, host, port))
        return;
    copy = strdup(host);
    if (!copy)
        return;
    free(upgrades->origins[upgrades->next].host);
    upgrades->origins[upgrades->next].host = copy;
    upgrades->origins[upgrades->next].port = port;
    upgrades->next = (upgrades->next + 1) % HTTP_UPGRADES_MAX;
}

void http_upgrades_finish(struct http_upgrades *upgrades)
{
    for (size_t i = 0; i < HTTP_UPGRADES_MAX; i++)
        free(upgrades->origins[i].host);
}
