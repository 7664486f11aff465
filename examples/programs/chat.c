/* SPDX-License-Identifier: MIT */
/* A chat server: what one person writes, all others read. The first line of a client is its name.
 * Each connection has two tasks: one reads the client's lines and puts them into the channels of
 * all others, the other writes what is in the client's own channel. So a client that does not read
 * delays no other client; when its channel is full, it is disconnected. Ctrl-C ends gracefully.
 * Next: proxy.c */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <whorl.h>

enum { LINE_SIZE = 300 };

static struct client {
    struct client *next;
    char name[24];
    struct whorl_reader *in;
    struct whorl_chan *lines; /* to be written to this client */
    struct whorl_scope scope; /* of its connection */
} * clients;                  /* all that are in the room */

static void say(const struct client *from, const char *name, const char *verb, const char *text)
{
    char line[LINE_SIZE];

    snprintf(line, sizeof line, "%s%s%s\n", name, verb, text);
    for (struct client *c = clients; c; c = c->next)
        if (c != from && whorl_chan_try_send(c->lines, line) != 0)
            whorl_scope_cancel(&c->scope);
}

static int hear(void *arg)
{
    struct client *client = arg, **at = &clients;
    struct whorl_scope scope;
    char *line, text[256];

    whorl_scope_enter_until_stop(&scope, WHORL_FOREVER);
    int err = whorl_reader_read_line(client->in, &line, NULL);
    if (err == 1) {
        whorl_text_escape(line, strlen(line), client->name, sizeof client->name);
        client->next = clients;
        clients = client;
        say(NULL, client->name, " is here", "");
    }
    while (err == 1 && (err = whorl_reader_read_line(client->in, &line, NULL)) == 1) {
        whorl_text_escape(line, strlen(line), text, sizeof text); /* no terminal sequences */
        say(client, client->name, ": ", text);
    }
    while (*at && *at != client)
        at = &(*at)->next;
    if (*at) {
        *at = client->next;
        say(client, client->name, " has left", "");
    }
    whorl_chan_close(client->lines); /* what is in it is still written */
    return whorl_scope_leave(&scope, whorl_stop_requested() ? 0 : err);
}

static int chat(void *greeting, struct whorl_stream *stream)
{
    struct client client = {0};
    struct whorl_group group = {0};

    whorl_scope_enter(&client.scope, WHORL_FOREVER);
    int err = whorl_reader_create(stream, NULL, &client.in);
    if (err == 0)
        err = whorl_chan_create(LINE_SIZE, 64, &client.lines);
    if (err == 0)
        err = whorl_spawn(&group, hear, &client);
    if (err == 0)
        err = whorl_stream_write(stream, greeting, strlen(greeting));
    for (char line[LINE_SIZE]; err == 0 && (err = whorl_chan_recv(client.lines, line)) == 0;)
        err = whorl_stream_write(stream, line, strlen(line));
    if (err == -EPIPE && whorl_stop_requested())
        err = whorl_stream_write(stream, "the server ends\n", 16);
    whorl_group_finish(&group);
    whorl_chan_destroy(client.lines);
    whorl_reader_destroy(client.in);
    return whorl_scope_leave(&client.scope, err == -EPIPE ? 0 : err);
}

static int serve(void *listener)
{
    return whorl_serve((struct whorl_listener *[]){listener}, 1, NULL, chat, "your name?\n");
}

static int root(void *port)
{
    static const int numbers[] = {SIGINT, SIGTERM, 0};
    WHORL_AUTO(signals) *signals = NULL;
    WHORL_AUTO(listener) *listener = NULL;
    WHORL_AUTO(group) group = {0};

    int err = whorl_signals_open(numbers, &signals);
    if (err == 0)
        err = whorl_listen_ip("127.0.0.1", (uint16_t)atoi(port), NULL, &listener);
    if (err || (err = whorl_spawn(&group, serve, listener)) != 0)
        return err;
    dprintf(1, "listening on port %d\n", whorl_addr_port(whorl_listener_addr(listener)));
    err = whorl_signals_wait(signals, NULL);
    return err ? err : whorl_group_stop(&group, 2 * WHORL_SECOND);
}

int main(int argc, char **argv) /* chat --port PORT */
{
    return argc == 3 && whorl_io_run(root, argv[2]) == 0 ? 0 : 1;
}
