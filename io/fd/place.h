/* SPDX-License-Identifier: MIT */
/* What is known about the file systems of directories, and remembered for the next file. */
#ifndef IO_FD_PLACE_H
#define IO_FD_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How a file without a name (O_TMPFILE) gets one. */
enum place_way {
    PLACE_UNKNOWN, /* not tried yet */
    PLACE_BY_FD,   /* linkat(2) with AT_EMPTY_PATH: Linux 6.10, or with privileges */
    PLACE_BY_PROC, /* linkat(2) of /proc/self/fd/N */
    PLACE_NAMED,   /* none: files are created under a temporary name */
};

struct place {
    uint64_t key; /* of the directory: its name as the caller gave it; never 0 */
    enum place_way way;
    /* A call for a small file takes microseconds: the file system is in memory or on a disk of this
     * machine, as far as the kernel tells. Never a network file system or FUSE. */
    bool is_local;
    dev_t dev;             /* of its files; valid while `is_local` */
    int64_t slow_until_ns; /* a call took long, so until then threads make the calls; 0: none did */
};

enum { PLACES_MAX = 16 };

/* Zero-initialised is valid. */
struct places {
    struct place list[PLACES_MAX];
    unsigned next; /* index of the entry that is replaced next */
};

/* What is known about the directory of `path`, which is relative to `dir_fd`. Makes no system call,
 * so it does not notice that the name now means another directory: the user of `dev` does. */
struct place places_get(const struct places *places, int dir_fd, const char *path);

/* Remembers it. */
void places_put(struct places *places, const struct place *place);

/* Finds out `way`, `is_local` and `dev`, with system calls that may block.
 *
 * @fd      a file without a name, open in that directory
 * @dir_fd  the directory `dir`, which ends with "/." or is ".", is relative to it */
void place_look(struct place *place, int fd, int dir_fd, const char *dir);

/* Gives the file `fd`, which has no name, the name `path`. Returns 0 or -errno. */
int place_link(const struct place *place, int fd, int dir_fd, const char *path);

#endif
