/* SPDX-License-Identifier: MIT */
/* Opens /dev/null for closed standard descriptors, and closes it again. */
#include "io/fd/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct standard standard_fill(void)
{
    struct standard standard = {0};

    for (int number = 0; number < 3; number++) {
        if (fcntl(number, F_GETFD) >= 0)
            continue;
        int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
        standard.filled[number] = fd == number;
        if (fd >= 0 && fd != number) /* another thread has opened this number meanwhile */
            close(fd);
    }
    return standard;
}

void standard_empty(const struct standard *standard)
{
    int err = errno;

    for (int number = 0; number < 3; number++)
        if (standard->filled[number])
            close(number);
    errno = err;
}
