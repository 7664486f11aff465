/* SPDX-License-Identifier: MIT */
/* How a task passes its task-local values to its children. */
#ifndef RUNTIME_LOCAL_H
#define RUNTIME_LOCAL_H

struct local_node;

/* Returns the chain that a child of a task with `chain` starts with. */
struct local_node *local_inherit(struct local_node *chain);

/* Releases the chain of a task that has ended. Destroys the values that no other task holds. */
void local_release(struct local_node *chain);

#endif
