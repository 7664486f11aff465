/* SPDX-License-Identifier: MIT */
/* Walks directory trees. Each directory between the root and the present one is a level.
 *
 *     level      open                     its remaining entries are read
 *     0 (root)   no                       and stored
 *     1          no                       and stored
 *     2          yes                      from the directory, or stored if they are sorted
 *     3          yes: the present one     from the directory, or stored if they are sorted
 *
 * At most OPEN_MAX levels are open. To open another one, the outermost open level stores its
 * remaining entries and closes its directory. When the walk returns to a closed level, it opens
 * ".." of the level below, which is still open, and makes sure that this is the same directory as
 * before: another program may have moved directories.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <whorl/error.h>
#include <whorl/file.h>
#include <whorl/task.h>

#include "io/fd/dir.h"
#include "runtime/base/check.h"

enum { OPEN_MAX = 16, LEVELS_FIRST = 8, ITEMS_FIRST = 64, NAMES_FIRST = 1024 };

/* An entry that is stored. */
struct item {
    size_t name; /* its offset in `names` */
    unsigned char type;
};

/* Entries that were read and not returned. */
struct store {
    struct item *items;
    size_t next, count, items_size;
    char *names;
    size_t names_len, names_size;
};

struct level {
    struct whorl_dir *dir; /* NULL: closed */
    struct store store;
    bool stored;     /* all remaining entries are in `store` */
    int err;         /* why there are no more; 0: there is no error, or it was reported */
    size_t path_len; /* of this directory's path */
    dev_t dev;       /* of the directory; valid while it is closed */
    ino_t ino;
};

struct whorl_walk {
    struct whorl_walk_options options;
    struct level *levels;
    size_t depth, levels_size; /* levels[depth - 1] is the present directory */
    size_t open;               /* levels that are open */
    char *path;                /* of the entry that was returned last */
    size_t path_size;
    unsigned char type; /* of that entry, as far as known */
    bool shown;         /* that entry was returned */
    bool enter;         /* it is a directory that is opened next */
    bool used;          /* a task is in whorl_walk_next() */
};

/* --- stored entries --------------------------------------------------------------------------- */

static void store_finish(struct store *store)
{
    free(store->items);
    free(store->names);
    *store = (struct store){0};
}

/* Makes an array large enough for `need` elements. Returns 0 or -ENOMEM. */
static int reserve(void *array, size_t *size, size_t need, size_t element, size_t first)
{
    void **elements = array;

    if (need <= *size)
        return 0;
    size_t grown = *size ? *size : first;
    while (grown < need)
        grown *= 2;
    void *memory = reallocarray(*elements, grown, element);
    if (!memory)
        return -ENOMEM;
    *elements = memory;
    *size = grown;
    return 0;
}

/* Makes room for one entry with any name. */
static int store_reserve(struct store *store)
{
    int err = reserve(&store->items, &store->items_size, store->count + 1, sizeof *store->items,
                      ITEMS_FIRST);

    return err ? err
               : reserve(&store->names, &store->names_size, store->names_len + NAME_MAX + 1, 1,
                         NAMES_FIRST);
}

/* There must be room. */
static void store_add(struct store *store, const struct whorl_dir_entry *entry)
{
    size_t len = strlen(entry->name) + 1;

    memcpy(store->names + store->names_len, entry->name, len);
    store->items[store->count++] = (struct item){store->names_len, entry->type};
    store->names_len += len;
}

static int compare(const void *a, const void *b, void *names)
{
    const struct item *x = a, *y = b;

    return strcmp((const char *)names + x->name, (const char *)names + y->name);
}

/* Whether an error concerns the whole walk and not one directory. */
static bool is_fatal(int err)
{
    return err == -ECANCELED || err == -ENOMEM || err == WHORL_ENOTASK || err == WHORL_ENOIO;
}

/* Reads all remaining entries of a directory into its store. Returns 0, or a fatal error; then the
 * call can be repeated. */
WHORL_SUSPENDS static int store_rest(struct level *level)
{
    struct whorl_dir_entry entry;

    while (!level->stored) {
        int n = store_reserve(&level->store);
        if (n == 0)
            n = whorl_dir_read(level->dir, &entry);
        if (is_fatal(n))
            return n;
        if (n > 0) {
            store_add(&level->store, &entry);
        } else {
            level->stored = true;
            level->err = n;
        }
    }
    return 0;
}

static void sort(struct store *store)
{
    if (store->count > 1)
        qsort_r(store->items, store->count, sizeof *store->items, compare, store->names);
}

/* --- levels ----------------------------------------------------------------------------------- */

static struct level *top(struct whorl_walk *walk)
{
    return &walk->levels[walk->depth - 1];
}

static void close_level(struct whorl_walk *walk, struct level *level)
{
    if (level->dir)
        walk->open--;
    whorl_dir_close(level->dir);
    level->dir = NULL;
}

/* Closes the outermost open level, except the present one. Returns 0; an error; -EMFILE when there
 * is none. */
WHORL_SUSPENDS static int close_outermost(struct whorl_walk *walk)
{
    struct level *level = walk->levels;
    struct stat info;

    while (level < top(walk) && !level->dir)
        level++;
    if (level == top(walk))
        return -EMFILE;
    int err = store_rest(level);
    if (err == 0 && fstat(whorl_dir_fd(level->dir), &info) < 0)
        err = -errno;
    if (err)
        return err;
    level->dev = info.st_dev;
    level->ino = info.st_ino;
    close_level(walk, level);
    return 0;
}

/* Opens a directory, with other levels closed where necessary. */
WHORL_SUSPENDS static int open_dir(struct whorl_walk *walk, int dir_fd, const char *name,
                                   struct whorl_dir **ret)
{
    int err = 0, out;

    while (err == 0 && walk->open >= OPEN_MAX)
        err = close_outermost(walk);
    if (err)
        return err;
    while ((out = dir_open(dir_fd, name, O_NOFOLLOW, ret)) == -EMFILE || out == -ENFILE) {
        err = close_outermost(walk);
        if (err)
            return err == -EMFILE ? out : err;
    }
    walk->open += out == 0;
    return out;
}

static void push(struct whorl_walk *walk, struct whorl_dir *dir)
{
    walk->levels[walk->depth++] = (struct level){.dir = dir, .path_len = strlen(walk->path)};
}

/* Ends the present level. */
static void pop(struct whorl_walk *walk)
{
    close_level(walk, top(walk));
    store_finish(&top(walk)->store);
    walk->depth--;
}

/* Opens the directory of the level around the present one again, if it is closed. */
WHORL_SUSPENDS static int reopen_parent(struct whorl_walk *walk)
{
    struct level *parent = top(walk) - 1;
    struct stat info;

    if (parent->dir)
        return 0;
    if (!top(walk)->dir)
        return -ESTALE;
    int err = open_dir(walk, whorl_dir_fd(top(walk)->dir), "..", &parent->dir);
    if (err)
        return err;
    if (fstat(whorl_dir_fd(parent->dir), &info) == 0 && info.st_dev == parent->dev &&
        info.st_ino == parent->ino)
        return 0;
    close_level(walk, parent);
    return -ESTALE;
}

/* --- entries ---------------------------------------------------------------------------------- */

/* Makes room for the path of any entry of the present directory. */
static int reserve_path(struct whorl_walk *walk)
{
    return reserve(&walk->path, &walk->path_size, top(walk)->path_len + 1 + NAME_MAX + 1, 1,
                   NAMES_FIRST);
}

/* Sets the path to that of the present directory's entry `name`. There must be room. */
static void set_path(struct whorl_walk *walk, const char *name)
{
    size_t dir_len = top(walk)->path_len;

    if (dir_len > 0)
        walk->path[dir_len++] = '/';
    strcpy(walk->path + dir_len, name);
}

static const char *name_in(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Fills in an entry with the present path, which is in the present directory. */
static void found(struct whorl_walk *walk, unsigned char type, struct whorl_walk_entry *ret)
{
    *ret = (struct whorl_walk_entry){
        .path = walk->path,
        .name = name_in(walk->path),
        .dir_fd = whorl_dir_fd(top(walk)->dir),
        .depth = walk->depth,
        .type = type,
    };
}

/* Reports that the directory at the present path cannot be read. Its depth is `depth`. */
static int failed(const struct whorl_walk *walk, size_t depth, int err,
                  struct whorl_walk_entry *ret)
{
    *ret = (struct whorl_walk_entry){
        .path = walk->path,
        .name = name_in(walk->path),
        .dir_fd = -1,
        .depth = depth,
        .type = DT_DIR,
        .err = err,
    };
    return 1;
}

/* Takes the next entry of the present directory and sets the path to it. Returns 1, 0 at the end,
 * or an error; then the entry is not lost. */
WHORL_SUSPENDS static int take(struct whorl_walk *walk)
{
    struct level *level = top(walk);
    struct store *store = &level->store;
    struct whorl_dir_entry entry;

    int n = reserve_path(walk);
    if (n == 0 && walk->options.sorted && !level->stored) {
        n = store_rest(level);
        if (n == 0)
            sort(store);
    }
    if (n)
        return n;
    if (store->next < store->count) {
        const struct item *item = &store->items[store->next++];
        set_path(walk, store->names + item->name);
        walk->type = item->type;
        return 1;
    }
    if (level->stored) {
        n = level->err;
        level->err = 0;
        return n;
    }
    n = whorl_dir_read(level->dir, &entry);
    if (n > 0) {
        set_path(walk, entry.name);
        walk->type = entry.type;
    }
    return n;
}

/* Returns the entry at the present path, for which `type` may still be unknown. */
WHORL_SUSPENDS static int show(struct whorl_walk *walk, struct whorl_walk_entry *ret)
{
    struct statx info;
    int err = 0;

    if (walk->type == DT_UNKNOWN) {
        err = whorl_statx(whorl_dir_fd(top(walk)->dir), name_in(walk->path), AT_SYMLINK_NOFOLLOW,
                          STATX_TYPE, &info);
        if (is_fatal(err))
            return err;
        if (err == 0)
            walk->type = IFTODT(info.stx_mode);
    }
    walk->shown = true;
    walk->enter =
        walk->type == DT_DIR && (!walk->options.depth_max || walk->depth < walk->options.depth_max);
    found(walk, walk->type, ret);
    ret->err = err;
    return 1;
}

/* Makes the directory at the present path the present one. */
WHORL_SUSPENDS static int enter(struct whorl_walk *walk)
{
    struct whorl_dir *dir;

    int err = reserve(&walk->levels, &walk->levels_size, walk->depth + 1, sizeof *walk->levels,
                      LEVELS_FIRST);
    if (err == 0)
        err = open_dir(walk, whorl_dir_fd(top(walk)->dir), name_in(walk->path), &dir);
    if (err == 0)
        push(walk, dir);
    return err;
}

/* Returns to the directory around the present one, which has no more entries. Returns 1 with an
 * entry, 0 without, or a fatal error. */
WHORL_SUSPENDS static int leave(struct whorl_walk *walk, struct whorl_walk_entry *ret)
{
    int err = reopen_parent(walk);

    if (is_fatal(err))
        return err;
    pop(walk);
    if (err) {
        struct level *level = top(walk);
        level->store.next = level->store.count;
        level->err = 0;
        walk->path[level->path_len] = '\0';
        return failed(walk, walk->depth - 1, err, ret);
    }
    if (!walk->options.leaves)
        return 0;
    found(walk, DT_DIR, ret);
    ret->leaving = true;
    return 1;
}

WHORL_SUSPENDS static int next(struct whorl_walk *walk, struct whorl_walk_entry *ret)
{
    int n;

    if (!walk->shown)
        return show(walk, ret);
    if (walk->enter) {
        int err = enter(walk);
        if (is_fatal(err))
            return err;
        walk->enter = false;
        if (err)
            return failed(walk, walk->depth, err, ret);
    }
    do {
        n = take(walk);
        if (n > 0) {
            walk->shown = false;
            return show(walk, ret);
        }
        if (is_fatal(n))
            return n;
        walk->path[top(walk)->path_len] = '\0';
        if (n < 0) {
            top(walk)->stored = true;
            return failed(walk, walk->depth - 1, n, ret);
        }
        if (walk->depth == 1)
            return 0;
        n = leave(walk, ret);
    } while (n == 0);
    return n;
}

/* --- the public calls ------------------------------------------------------------------------- */

WHORL_SUSPENDS int whorl_walk_open(int dir_fd, const char *path,
                                   const struct whorl_walk_options *options,
                                   struct whorl_walk **ret)
{
    struct whorl_walk *walk = calloc(1, sizeof *walk);
    struct whorl_dir *root;
    int err = -ENOMEM;

    if (!walk)
        return err;
    walk->path = calloc(1, NAMES_FIRST);
    walk->path_size = NAMES_FIRST;
    walk->levels = calloc(LEVELS_FIRST, sizeof *walk->levels);
    walk->levels_size = LEVELS_FIRST;
    walk->shown = true;
    if (options)
        walk->options = *options;
    if (walk->path && walk->levels)
        err = whorl_dir_open(dir_fd, path, &root);
    if (err) {
        whorl_walk_close(walk);
        return err;
    }
    walk->open = 1;
    push(walk, root);
    *ret = walk;
    return 0;
}

WHORL_SUSPENDS int whorl_walk_next(struct whorl_walk *walk, struct whorl_walk_entry *ret)
{
    int n = whorl_check_cancelled();

    whorl_check_text(!walk->used, "two tasks use a walk");
    walk->used = true;
    if (n == 0)
        n = next(walk, ret);
    walk->used = false;
    return n;
}

void whorl_walk_skip(struct whorl_walk *walk)
{
    walk->enter = false;
}

void whorl_walk_close(struct whorl_walk *walk)
{
    if (!walk)
        return;
    whorl_check_text(!walk->used, "a walk was closed while a task uses it");
    while (walk->depth > 0)
        pop(walk);
    free(walk->levels);
    free(walk->path);
    free(walk);
}
