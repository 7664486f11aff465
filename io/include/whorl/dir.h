/* SPDX-License-Identifier: MIT */
/* Reading directories, one or a whole tree.
 *
 * To read one directory, open a handle, which returns one entry after the other, in no particular
 * order. The entries "." and ".." are left out.
 *
 *     static WHORL_SUSPENDS int print_names(const char *path)
 *     {
 *         WHORL_AUTO(dir) *dir = NULL;
 *         struct whorl_dir_entry entry;
 *         int err = whorl_dir_open(AT_FDCWD, path, &dir);
 *         while (err == 0 && (err = whorl_dir_read(dir, &entry)) == 1) {
 *             puts(entry.name);
 *             err = 0;
 *         }
 *         return err;
 *     }
 *
 * The kernel fills a buffer with many entries at once, so most reads do not wait. An entry that is
 * added or removed between the reads may be returned or not, as with readdir(3).
 *
 * A walk returns the entries of a directory and of all directories below it. The entries of a
 * directory come right after the directory itself (depth first):
 *
 *     static WHORL_SUSPENDS int sum_sizes(const char *path, uint64_t *ret_bytes)
 *     {
 *         WHORL_AUTO(walk) *walk = NULL;
 *         struct whorl_walk_entry entry;
 *         struct statx info;
 *         int err = whorl_walk_open(AT_FDCWD, path, NULL, &walk);
 *
 *         *ret_bytes = 0;
 *         while (err == 0 && (err = whorl_walk_next(walk, &entry)) == 1) {
 *             err = 0;
 *             if (entry.err)                          // this directory cannot be read
 *                 fprintf(stderr, "%s: %s\n", entry.path, whorl_strerror(entry.err));
 *             else if (entry.type == DT_REG)
 *                 err = whorl_statx(entry.dir_fd, entry.name, AT_SYMLINK_NOFOLLOW, STATX_SIZE,
 *                                   &info);
 *             if (err == 0 && !entry.err && entry.type == DT_REG)
 *                 *ret_bytes += info.stx_size;
 *         }
 *         return err;
 *     }
 *
 * A walk does not follow symbolic links: it returns them as entries. It opens each directory
 * relative to the one that contains it, so it stays below its root, also while other programs
 * replace directories by links. It keeps at most 16 directories open, fewer if the process runs out
 * of descriptors, so it reaches every depth. Paths may be longer than PATH_MAX: use `dir_fd` and
 * `name` to open an entry.
 */
#ifndef WHORL_DIR_H
#define WHORL_DIR_H

#include <dirent.h>
#include <fcntl.h>

#include <whorl/base.h>

struct whorl_dir;

/* An entry of a directory: a name, and the file that has it. */
struct whorl_dir_entry {
    const char *name;   /* without the directory; valid until the next read or the close */
    uint64_t inode;     /* the file's inode number */
    unsigned char type; /* DT_REG, DT_DIR, DT_LNK, ...; DT_UNKNOWN: the file system does not say */
};

/* Zero-initialised is valid. */
struct whorl_walk_options {
    size_t depth_max; /* the deepest entries that are returned, see `depth`; 0: no limit */
    bool sorted;      /* the entries of each directory come in the order of strcmp(3) */
    bool leaves;      /* each directory that was entered is returned again after its entries */
};

/* What a walk has found. The pointers and `dir_fd` are valid until the next call for the walk. */
struct whorl_walk_entry {
    const char *path;   /* below the walk's root, such as "src/main.c"; "" for the root itself */
    const char *name;   /* the last part of `path` */
    int dir_fd;         /* the directory that contains it; -1: it cannot be used, see `err` */
    size_t depth;       /* 1 for the entries of the root directory */
    unsigned char type; /* DT_REG, DT_DIR, DT_LNK, ...; DT_UNKNOWN only with an error */
    bool leaving;       /* all entries of this directory have been returned */
    int err; /* why the (remaining) entries of this directory are not returned, such as -EACCES, or
                why the type is unknown; 0: none */
};

struct whorl_walk;

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Opens a directory.
 *
 * @dir_fd  `path` is relative to this directory; AT_FDCWD: to the working directory
 * @ret     the handle; close it with whorl_dir_close()
 *
 * Returns:  0; -ENOENT, -ENOTDIR, -EACCES and other open(2) errors; -ENOMEM; WHORL_ENOTASK;
 *           WHORL_ENOIO.
 * Suspends: until it is open.
 * Cancel:   -ECANCELED; nothing is left open.
 */
WHORL_API WHORL_SUSPENDS int whorl_dir_open(int dir_fd, const char *path, struct whorl_dir **ret);

/**
 * Reads the next entry. One task at a time may read a handle.
 *
 * Returns:  1 with `*ret` filled in; 0 at the end; -ENOENT when the directory has been removed;
 *           other getdents(2) errors; -ENOMEM; WHORL_ENOTASK; WHORL_ENOIO.
 * Suspends: until the kernel has read more entries, when the buffer is used up.
 * Cancel:   -ECANCELED; no entry is lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_dir_read(struct whorl_dir *dir, struct whorl_dir_entry *ret);

/** The descriptor, for whorl_openat() and similar calls. The handle still owns it. */
WHORL_API int whorl_dir_fd(const struct whorl_dir *dir);

/** Closes the directory and frees the handle. No task may be reading it. Accepts NULL. Never
 *  suspends. */
WHORL_API void whorl_dir_close(struct whorl_dir *dir);

/**
 * Begins a walk.
 *
 * @dir_fd   `path` is relative to this directory; AT_FDCWD: to the working directory
 * @path     the root, a directory or a symbolic link to one
 * @options  borrowed for the call; NULL for the defaults
 * @ret      the walk; end it with whorl_walk_close()
 *
 * Returns:  as whorl_dir_open().
 * Suspends: until the root is open.
 * Cancel:   -ECANCELED; nothing is left open.
 */
WHORL_API WHORL_SUSPENDS int whorl_walk_open(int dir_fd, const char *path,
                                             const struct whorl_walk_options *options,
                                             struct whorl_walk **ret);

/**
 * Returns the next entry. One task at a time may use a walk.
 *
 * When a directory cannot be opened or read, the walk returns an entry with its path and `err`, and
 * continues with the entries behind it. A program for which that is fatal returns `entry.err`.
 *
 * Returns:  1 with `*ret` filled in; 0 at the end; -ENOMEM; WHORL_ENOTASK; WHORL_ENOIO. After a
 *           failure, the next call tries again.
 * Suspends: while directories are opened and read, and on a file system that does not store types,
 *           while the type of each entry is read.
 * Cancel:   -ECANCELED; no entry is lost.
 */
WHORL_API WHORL_SUSPENDS int whorl_walk_next(struct whorl_walk *walk, struct whorl_walk_entry *ret);

/** Leaves out the entries of the directory that whorl_walk_next() has just returned. Does nothing
 *  after another entry. Never suspends. */
WHORL_API void whorl_walk_skip(struct whorl_walk *walk);

/** Ends a walk, closes its directories and frees it. No task may be using it. Accepts NULL. Never
 *  suspends. */
WHORL_API void whorl_walk_close(struct whorl_walk *walk);

static inline void whorl_auto_dir(struct whorl_dir **dir)
{
    whorl_dir_close(*dir);
}

static inline void whorl_auto_walk(struct whorl_walk **walk)
{
    whorl_walk_close(*walk);
}

#ifdef __cplusplus
}
#endif

#endif
