/* SPDX-License-Identifier: MIT */
/* The server that api_client.c asks: a shop with a JSON interface.
 *
 *     GET /items           ["apple","bread",...]
 *     GET /items/apple     {"name":"apple","price":30}
 *
 * Like many servers it is sometimes overloaded: it refuses the first request for each second item
 * with 503 and asks the client to come back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl.h>

static struct item {
    const char *name;
    int price;
    bool asked;
} items[] = {
    {"apple", 30, false}, {"bread", 250, false}, {"cheese", 420, false}, {"dates", 180, false}};

enum { ITEMS = sizeof items / sizeof *items };

static WHORL_SUSPENDS int send_json(struct whorl_http_reply *reply, int status, const char *text)
{
    return whorl_http_reply_send(reply, status, "application/json", text, strlen(text));
}

static WHORL_SUSPENDS int respond(void *arg, struct whorl_http_incoming *incoming,
                                  struct whorl_http_reply *reply)
{
    const char *path = whorl_http_incoming_path(incoming);
    char text[256] = "[";

    (void)arg;
    if (strcmp(path, "/items") == 0) {
        for (int i = 0; i < ITEMS; i++)
            sprintf(text + strlen(text), "%s\"%s\"", i > 0 ? "," : "", items[i].name);
        return send_json(reply, 200, strcat(text, "]\n"));
    }
    for (int i = 0; i < ITEMS; i++) {
        if (strncmp(path, "/items/", 7) != 0 || strcmp(path + 7, items[i].name) != 0)
            continue;
        if (i % 2 == 1 && !items[i].asked) {
            items[i].asked = true;
            int err = whorl_http_reply_add_header(reply, "Retry-After", "0");
            return err ? err : send_json(reply, 503, "{\"error\":\"overloaded\"}\n");
        }
        snprintf(text, sizeof text, "{\"name\":\"%s\",\"price\":%d}\n", items[i].name,
                 items[i].price);
        return send_json(reply, 200, text);
    }
    return send_json(reply, 404, "{\"error\":\"not found\"}\n");
}

static int root(void *port)
{
    WHORL_AUTO(listener) *listener = NULL;

    int err = whorl_listen_ip("127.0.0.1", (uint16_t)atoi(port), NULL, &listener);
    if (err)
        return err;
    dprintf(1, "listening on port %d\n", whorl_addr_port(whorl_listener_addr(listener)));
    return whorl_http_serve(&listener, 1, NULL, respond, NULL);
}

int main(int argc, char **argv) /* prices --port PORT */
{
    return argc == 3 && whorl_io_run(root, argv[2]) == 0 ? 0 : 1;
}
