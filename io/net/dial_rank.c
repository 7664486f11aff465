/* SPDX-License-Identifier: MIT */
/* Ranks the addresses of a host by the routes of this machine. */
#include "io/net/dial_rank.h"

#include "io/net/dial_socket.h"

void dial_rank(struct addr_order *order, const struct whorl_dial_options *options)
{
    struct whorl_addr source;

    if (order->as_given || order->left <= 1)
        return;
    for (; order->ranked < order->count; order->ranked++) {
        struct addr_order_item *item = &order->items[order->ranked];
        bool has_source = dial_socket_source(&item->sa, options, &source);
        item->rank = addr_order_rank(&item->sa, has_source ? &source.sa : NULL);
    }
}
