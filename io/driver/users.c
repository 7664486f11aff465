/* SPDX-License-Identifier: MIT */
/* What the driver knows about descriptors: grows and frees the table, and looks at a file. */
#include "io/driver/users.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

enum {
    LEN_FIRST = 256,
};

int users_grow(struct users *users, int fd)
{
    uint32_t len = users->len ? users->len : LEN_FIRST;

    if (fcntl(fd, F_GETFD) < 0)
        return 0;
    while (len <= (uint32_t)fd)
        len *= 2;
    struct user *table = realloc(users->table, len * sizeof *table);
    if (!table)
        return -ENOMEM;
    memset(table + users->len, 0, (len - users->len) * sizeof *table);
    users->table = table;
    users->len = len;
    return 0;
}

void users_finish(struct users *users)
{
    free(users->table);
    *users = (struct users){0};
}

int users_look(struct users *users, const struct io_op *op)
{
    bool writes = op->code == IO_OP_WRITE || op->code == IO_OP_WRITEV;
    /* lseek(2) would succeed on some files without positions, such as an eventfd. */
    ssize_t n = writes ? pwritev(op->fd, NULL, 0, 0) : preadv(op->fd, NULL, 0, 0);

    if (n < 0 && errno == ESPIPE)
        return -ESPIPE;
    users->table[op->fd].has_positions = true;
    return 0;
}
