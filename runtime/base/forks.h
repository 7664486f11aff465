/* SPDX-License-Identifier: MIT */
/* Tells a forked child which of its objects are copies of its parent's.
 *
 * fork(2) copies memory and the calling thread, nothing else. So the copy of a pool has no threads,
 * its lock may be held for ever, and the copy of a request is carried out by nobody. Such an object
 * stores forks_watch() when it is made, and is a copy once that differs from `forks_depth`.
 *
 * Children of vfork(2), posix_spawn(3) and clone(2) are not noticed. They may only exec or _exit().
 */
#ifndef BASE_FORKS_H
#define BASE_FORKS_H

#include <stdatomic.h>
#include <stdbool.h>

/* How many forks are between the first process and this one. */
extern unsigned forks_depth;

/* How many forks this process and its ancestors have made. While it does not change, no other
 * process shares the descriptors of this one. */
extern atomic_uint forks_made;

/* Begins to count forks, if that has not begun yet. Returns `forks_depth`. */
unsigned forks_watch(void);

/* Whether an object is a copy. `depth` is what forks_watch() returned when it was made. */
static inline bool forks_copied(unsigned depth)
{
    return depth != forks_depth;
}

#endif
