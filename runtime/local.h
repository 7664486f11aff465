/* SPDX-License-Identifier: MIT */
/* How tasks pass their values on. */
#ifndef RUNTIME_LOCAL_H
#define RUNTIME_LOCAL_H

struct local_node;

/* The chain a child of a task with `chain` starts with. */
struct local_node *local_inherit(struct local_node *chain);

/* A task has ended: destroys what nobody else holds. */
void local_release(struct local_node *chain);

#endif
