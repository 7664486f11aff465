/* SPDX-License-Identifier: MIT */
/* Finds out properties of the file systems of directories once, and remembers them. */
#include "io/fd/place.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

/* <linux/magic.h> does not define these. */
#define F2FS_MAGIC 0xF2F52010u
#define XFS_MAGIC  0x58465342u

/* FNV-1a. Names that collide share an entry, whose `dev` then tells them apart. */
static uint64_t key_of(int dir_fd, const char *path)
{
    const char *slash = strrchr(path, '/');
    uint64_t hash = 14695981039346656037u ^ (unsigned)dir_fd;

    for (const char *at = path; slash && at <= slash; at++)
        hash = (hash ^ (unsigned char)*at) * 1099511628211u;
    return hash ? hash : 1;
}

struct place places_get(const struct places *places, int dir_fd, const char *path)
{
    uint64_t key = key_of(dir_fd, path);

    for (int i = 0; i < PLACES_MAX; i++)
        if (places->list[i].key == key)
            return places->list[i];
    return (struct place){.key = key};
}

void places_put(struct places *places, const struct place *place)
{
    for (int i = 0; i < PLACES_MAX; i++)
        if (places->list[i].key == place->key) {
            int64_t slow_until_ns = places->list[i].slow_until_ns;
            places->list[i] = *place;
            if (slow_until_ns > place->slow_until_ns)
                places->list[i].slow_until_ns = slow_until_ns;
            return;
        }
    places->list[places->next] = *place;
    places->next = (places->next + 1) % PLACES_MAX;
}

/* Whether the file system is served by another machine or process. Most of these have no files
 * without a name. And they may report a full disk only when a file is closed, but a file without a
 * name cannot be closed before it has got one. */
static bool is_remote(unsigned long type)
{
    switch (type) {
    case NFS_SUPER_MAGIC:
    case FUSE_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case CIFS_SUPER_MAGIC:
    case SMB2_SUPER_MAGIC:
    case CEPH_SUPER_MAGIC:
    case AFS_SUPER_MAGIC:
    case AFS_FS_MAGIC:
    case CODA_SUPER_MAGIC:
    case V9FS_MAGIC:
        return true;
    default:
        return false;
    }
}

static bool is_local(unsigned long type)
{
    switch (type) {
    case TMPFS_MAGIC:
    case RAMFS_MAGIC:
    case EXT4_SUPER_MAGIC: /* of ext2 and ext3 too */
    case XFS_MAGIC:
    case BTRFS_SUPER_MAGIC:
    case F2FS_MAGIC:
        return true;
    default:
        return false;
    }
}

/* With a limit, a write may raise SIGXFSZ. Threads that carry out requests block that signal. The
 * run's thread does not, so it must not write. */
static bool has_size_limit(void)
{
    struct rlimit limit;

    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur != RLIM_INFINITY;
}

static bool is_quick(const struct statfs *fs)
{
    return is_local((unsigned long)fs->f_type) && !(fs->f_flags & ST_SYNCHRONOUS) &&
           !has_size_limit();
}

/* Tries each way with the name `dir`, which ends with "/." and so exists already. A way works if it
 * fails with -EEXIST and not with another error. */
static enum place_way find_way(struct place place, int fd, int dir_fd, const char *dir)
{
    for (place.way = PLACE_BY_FD; place.way < PLACE_NAMED; place.way++)
        if (place_link(&place, fd, dir_fd, dir) == -EEXIST)
            break;
    return place.way;
}

void place_look(struct place *place, int fd, int dir_fd, const char *dir)
{
    struct statfs fs;
    struct stat st;

    place->is_local = false;
    if (fstatfs(fd, &fs) != 0 || fstat(fd, &st) != 0 || is_remote((unsigned long)fs.f_type)) {
        place->way = PLACE_NAMED;
        return;
    }
    place->way = find_way(*place, fd, dir_fd, dir);
    place->is_local = is_quick(&fs);
    place->dev = st.st_dev;
}

bool place_file_is_local(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 && is_quick(&fs);
}

int place_link(const struct place *place, int fd, int dir_fd, const char *path)
{
    char link[sizeof "/proc/self/fd/2147483647"];
    int err;

    if (place->way == PLACE_BY_FD) {
        err = linkat(fd, "", dir_fd, path, AT_EMPTY_PATH);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        err = linkat(AT_FDCWD, link, dir_fd, path, AT_SYMLINK_FOLLOW);
    }
    return err ? -errno : 0;
}
