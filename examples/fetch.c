/* SPDX-License-Identifier: MIT */
/* A small concurrent downloader. Each URL has its own task, which saves the page to a file. At most
 * eight tasks run at a time.
 * Next: concurrency/, which does the same job with threads, with processes and sequentially */
#include <stdio.h>

#include <whorl.h>

struct job {
    struct whorl_http_session *session;
    const char *url;
    int number;
};

static int download(void *arg)
{
    const struct job *job = arg;
    WHORL_AUTO(http_response) *response = NULL;
    char path[32];
    snprintf(path, sizeof path, "page-%d", job->number);

    int err = whorl_http_get(job->session, job->url, &response);
    int status = err ? 0 : whorl_http_response_status(response);
    if (status == 200)
        err = whorl_http_response_save(response, path, NULL);
    printf("%s: %d %s\n", job->url, status, err ? whorl_strerror(err) : path);
    return err;
}

static int download_all(void *arg)
{
    char **urls = arg;
    WHORL_AUTO(http_session) *session = NULL;
    WHORL_AUTO(group) group = {.policy = WHORL_GROUP_COLLECT};
    int err = whorl_http_session_create(NULL, &session);

    for (int i = 0; err == 0 && urls[i]; i++) {
        err = whorl_group_wait_below(&group, 8);
        if (err == 0)
            err = whorl_spawn_copy(&group, download, &(struct job){session, urls[i], i + 1});
    }
    return err ? err : whorl_group_wait(&group);
}

int main(int argc, char **argv)
{
    (void)argc;
    int err = whorl_io_run(download_all, argv + 1);
    if (err)
        fprintf(stderr, "fetch: %s\n", whorl_strerror(err));
    return err ? 1 : 0;
}
