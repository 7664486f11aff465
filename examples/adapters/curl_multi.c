/* SPDX-License-Identifier: MIT */
/* libcurl's multi interface on whorl. libcurl names the descriptors and the deadline that it waits
 * for. Watches and a timer task wait for them. A task that fetches a URL is written like any other
 * task.
 * Next: hiredis.c */
#include <curl/curl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "watch.h"

struct client {
    CURLM *multi;
    struct whorl_group *group; /* the group of the watches */
    int64_t deadline_ns;       /* the time at which libcurl wants to be called */
    struct whorl_event moved;
};

struct transfer {
    struct whorl_future done;
    size_t bytes;
};

struct job {
    struct client *client;
    const char *url;
};

/* Completes the futures of the transfers that have ended. */
static void reap(struct client *client)
{
    CURLMsg *message;
    struct transfer *transfer;
    int left;

    while ((message = curl_multi_info_read(client->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        whorl_future_complete(&transfer->done, (int)message->data.result);
    }
}

static void on_ready(struct watch *watch, unsigned events)
{
    struct client *client = watch->data;
    int running, flags = 0;

    flags |= events & POLLIN ? CURL_CSELECT_IN : 0;
    flags |= events & POLLOUT ? CURL_CSELECT_OUT : 0;
    flags |= events & (POLLERR | POLLHUP) ? CURL_CSELECT_ERR : 0;
    curl_multi_socket_action(client->multi, watch->fd, flags, &running);
    reap(client);
}

/* The callbacks with which libcurl names its descriptors and its deadline. They must not call
 * libcurl back. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *socket_ctx)
{
    struct client *client = ctx;
    struct watch *watch = socket_ctx;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        watch_end(watch);
        return 0;
    }
    if (!watch) {
        watch = watch_start(client->group, fd, on_ready, client);
        if (!watch)
            return -1;
        curl_multi_assign(client->multi, fd, watch);
    }
    watch_set(watch, (what & CURL_POLL_IN ? POLLIN : 0U) | (what & CURL_POLL_OUT ? POLLOUT : 0U));
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *ctx)
{
    struct client *client = ctx;

    (void)multi;
    client->deadline_ns = ms < 0 ? WHORL_FOREVER : whorl_after(ms * WHORL_MILLISECOND);
    whorl_event_set(&client->moved);
    return 0;
}

static int keep_time(void *arg)
{
    struct client *client = arg;
    int running, which = 0;

    while (which >= 0) {
        struct whorl_case cases[] = {whorl_case_event(&client->moved),
                                     whorl_case_deadline(client->deadline_ns)};
        which = whorl_select(cases, 2);
        whorl_event_reset(&client->moved);
        if (which == 1) {
            client->deadline_ns = WHORL_FOREVER; /* on_timer() may set a new one */
            curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
            reap(client);
        }
    }
    return which;
}

static size_t count(char *data, size_t size, size_t n, void *ctx)
{
    (void)data;
    *(size_t *)ctx += size * n;
    return size * n;
}

/* A task that fetches one URL. */
static int fetch(void *arg)
{
    const struct job *job = arg;
    struct transfer transfer = {0};
    CURL *easy = curl_easy_init();
    long status = 0;

    if (!easy)
        return -ENOMEM;
    curl_easy_setopt(easy, CURLOPT_URL, job->url);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, count);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer.bytes);
    curl_multi_add_handle(job->client->multi, easy);
    int err = whorl_future_wait(&transfer.done);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(job->client->multi, easy); /* also ends a cancelled transfer */
    if (err == 0)
        printf("%s: %ld, %zu bytes, %s\n", job->url, status, transfer.bytes,
               curl_easy_strerror((CURLcode)transfer.done.result));
    curl_easy_cleanup(easy);
    return err;
}

static int root(void *arg)
{
    char **urls = arg;
    WHORL_AUTO(group) background = {.stack_size = 262144}; /* libcurl has big stack buffers */
    WHORL_AUTO(group) fetches = {.policy = WHORL_GROUP_COLLECT, .stack_size = 262144};
    struct client client = {
        .multi = curl_multi_init(), .group = &background, .deadline_ns = WHORL_FOREVER};

    curl_multi_setopt(client.multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(client.multi, CURLMOPT_SOCKETDATA, &client);
    curl_multi_setopt(client.multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(client.multi, CURLMOPT_TIMERDATA, &client);
    int err = client.multi ? whorl_spawn(&background, keep_time, &client) : -ENOMEM;
    for (; err == 0 && *urls; urls++)
        err = whorl_spawn_copy(&fetches, fetch, &(struct job){&client, *urls});
    if (err == 0)
        err = whorl_group_wait(&fetches);
    whorl_group_finish(&fetches);
    curl_multi_cleanup(client.multi); /* ends the watches of idle connections */
    return err;
}

int main(int argc, char **argv)
{
    (void)argc;
    curl_global_init(CURL_GLOBAL_DEFAULT);
    int err = whorl_io_run(root, argv + 1);
    curl_global_cleanup();
    return err ? 1 : 0;
}
