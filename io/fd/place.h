/* SPDX-License-Identifier: MIT */
/* Remembers properties of the file systems of directories, for the next file there. */
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
    PLACE_NAMED,   /* no way: files are created under a temporary name */
};

struct place {
    uint64_t key; /* of the directory: its name as the caller gave it; never 0 */
    enum place_way way;
    /* A system call on a small file takes microseconds, because the kernel reports a file system in
     * memory or on a disk of this machine. False for network file systems and FUSE. */
    bool is_local;
    dev_t dev;             /* of its files; valid while `is_local` */
    int64_t slow_until_ns; /* after a slow call, threads make the calls until then; 0: never */
};

enum { PLACES_MAX = 16 };

/* Zero-initialised is valid. */
struct places {
    struct place list[PLACES_MAX];
    unsigned next; /* index of the entry that is replaced next */
};

/* Returns the remembered properties of the directory of `path`, which is relative to `dir_fd`.
 * Makes no system call, so it does not notice that the name now leads to another directory. The
 * caller notices that by comparing `dev`. */
struct place places_get(const struct places *places, int dir_fd, const char *path);

/* Remembers the properties of a directory. */
void places_put(struct places *places, const struct place *place);

/* Finds out `way`, `is_local` and `dev`, with system calls that may block.
 *
 * @fd      a file without a name, open in that directory
 * @dir_fd  the directory `dir`, which ends with "/." or is ".", is relative to it */
void place_look(struct place *place, int fd, int dir_fd, const char *dir);

/* Whether writes to the open file usually take microseconds, so the run's thread may make them; see
 * `is_local`. */
bool place_file_is_local(int fd);

/* Gives the file `fd`, which has no name, the name `path`. Returns 0 or -errno. */
int place_link(const struct place *place, int fd, int dir_fd, const char *path);

#endif
