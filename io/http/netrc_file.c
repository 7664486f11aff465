/* SPDX-License-Identifier: MIT */
/* Reads netrc files. */
#include "io/http/netrc_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MAX = 1024 * 1024 };

/* Reads the file into `buf`, which has FILE_MAX + 1 bytes. Returns the count or -errno. */
static ssize_t read_all(int fd, char *buf)
{
    size_t len = 0;

    while (len <= FILE_MAX) {
        ssize_t n = read(fd, buf + len, FILE_MAX + 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static int load(int fd, struct whorl_error *error, struct whorl_http_netrc *ret)
{
    struct stat st;
    char *buf = malloc(FILE_MAX + 1);
    if (!buf)
        return -ENOMEM;
    ssize_t len = fstat(fd, &st) < 0 ? -errno : read_all(fd, buf);
    int err = len < 0 ? (int)len : 0;

    if (len > FILE_MAX)
        err = whorl_error_set(error, WHORL_EHTTP_NETRC, "netrc", "file is larger than 1 MiB");
    if (err == 0)
        err = netrc_parse(buf, (size_t)len, error, &ret->netrc);
    if (len > 0)
        explicit_bzero(buf, (size_t)len);
    free(buf);
    ret->is_exposed = err == 0 && S_ISREG(st.st_mode) && (st.st_mode & (S_IRGRP | S_IROTH));
    return err;
}

int whorl_http_netrc_load(const char *path, struct whorl_error *error,
                          struct whorl_http_netrc **ret)
{
    char default_path[4096];
    const char *home = getenv("HOME");
    struct whorl_error cause = {0};

    if (!path) {
        if (!home || !*home)
            return whorl_error_set(error, -ENOENT, "netrc", "HOME is not set");
        int len = snprintf(default_path, sizeof default_path, "%s/.netrc", home);
        if (len < 0 || (size_t)len >= sizeof default_path)
            return whorl_error_set(error, -ENAMETOOLONG, "netrc", "HOME is too long");
        path = default_path;
    }
    struct whorl_http_netrc *netrc = calloc(1, sizeof *netrc);
    int fd = netrc ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY) : -1;
    int err = !netrc ? -ENOMEM : fd < 0 ? -errno : load(fd, &cause, netrc);
    if (fd >= 0)
        close(fd);
    if (err) {
        free(netrc);
        return whorl_error_set(error, err, "netrc", "%s: %s", path,
                               cause.code ? cause.text : whorl_strerror(err));
    }
    *ret = netrc;
    return 0;
}

bool whorl_http_netrc_is_exposed(const struct whorl_http_netrc *netrc)
{
    return netrc->is_exposed;
}

void whorl_http_netrc_destroy(struct whorl_http_netrc *netrc)
{
    if (!netrc)
        return;
    netrc_finish(&netrc->netrc);
    free(netrc);
}
