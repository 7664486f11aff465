/* SPDX-License-Identifier: MIT */
/* The downloader's two halves: getting an answer with blocking calls, and working on it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "io.h"

enum { ROUNDS = 200 }; /* some milliseconds of work a page */

int64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

uint64_t digest(const char *data, size_t len)
{
    uint64_t hash = 14695981039346656037U; /* FNV-1a */

    for (int round = 0; round < ROUNDS; round++)
        for (size_t i = 0; i < len; i++)
            hash = (hash ^ (unsigned char)data[i]) * 1099511628211U;
    return hash;
}

int make_request(const struct job *job, char *buf, size_t size)
{
    return snprintf(buf, size, "GET /%s HTTP/1.0\r\nHost: %s\r\n\r\n", job->name, job->host);
}

void use_answer(struct job *job, const char *answer, size_t len)
{
    const char *body = memmem(answer, len, "\r\n\r\n", 4);

    job->came_ns = now_ns();
    if (body && memmem(answer, len, " 200 ", 5)) {
        job->len = len - (size_t)(body + 4 - answer);
        job->digest = digest(body + 4, job->len);
    } else {
        job->err = -EPROTO;
    }
    job->done_ns = now_ns();
}

void get_blocking(const struct batch *batch, struct job *job)
{
    char buf[PAGE_MAX];
    size_t len = 0;
    ssize_t n = -1;

    job->asked_ns = now_ns();
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&batch->addr, sizeof batch->addr) == 0) {
        n = send(fd, buf, (size_t)make_request(job, buf, sizeof buf), MSG_NOSIGNAL);
        while (n >= 0 && (n = recv(fd, buf + len, sizeof buf - len, 0)) > 0)
            len += (size_t)n;
    }
    job->err = n < 0 ? -errno : 0;
    if (fd >= 0)
        close(fd);
    if (job->err == 0)
        use_answer(job, buf, len);
}
