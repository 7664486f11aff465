/* SPDX-License-Identifier: MIT */
/* The NSS key log format: "CLIENT_RANDOM <64 hex digits> <96 hex digits>", and
 * other labels for TLS 1.3. */
#include "io/tls/keylog.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { KEYLOG_LINE_MAX = 512 };

static char *hex(char *text, const unsigned char *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < len; i++) {
        *text++ = digits[bytes[i] >> 4];
        *text++ = digits[bytes[i] & 15];
    }
    return text;
}

static void append(const char *path, const char *line, size_t len)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0)
        return;
    /* One write, so that lines of several threads do not mix. */
    if (write(fd, line, len) < 0)
        (void)0;
    close(fd);
}

void keylog_append(const char *path, const unsigned char client_random[32],
                   const unsigned char master_secret[48])
{
    char line[14 + 64 + 1 + 96 + 1], *end = line;

    end = mempcpy(end, "CLIENT_RANDOM ", 14);
    end = hex(end, client_random, 32);
    *end++ = ' ';
    end = hex(end, master_secret, 48);
    *end++ = '\n';
    append(path, line, (size_t)(end - line));
    explicit_bzero(line, sizeof line);
}

void keylog_append_line(const char *path, const char *line)
{
    char copy[KEYLOG_LINE_MAX];
    size_t len = strlen(line);

    if (len >= sizeof copy)
        return;
    memcpy(copy, line, len);
    copy[len] = '\n';
    append(path, copy, len + 1);
    explicit_bzero(copy, sizeof copy);
}
