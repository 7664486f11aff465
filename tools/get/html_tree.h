/* SPDX-License-Identifier: MIT */
/* Parses an HTML page with gumbo, within limits of memory and time. No I/O.
 *
 *     struct html_tree tree = {0};
 *     err = html_tree_parse(&tree, text, len);
 *     ... tree.output->root ...
 *     html_tree_finish(&tree);             // also after a failure
 *
 * gumbo checks no allocation, and frees a tree by recursion, which a page could make too deep. So
 * all blocks of a page are in one list, which is freed at once, and a failure jumps out of the
 * parser.
 */
#ifndef WHORL_GET_HTML_TREE_H
#define WHORL_GET_HTML_TREE_H

#include <gumbo.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

/* The memory in bytes, and the processor time, to parse a page. A page that is nested extremely
 * deeply would take time that grows with the square of its length. */
enum { HTML_MEMORY_MAX = 256 << 20, HTML_SECONDS_MAX = 3 };

struct html_block;

struct html_tree {
    GumboOutput *output; /* points into the text that was parsed; NULL after a failure */
    struct html_block *blocks;
    size_t memory; /* of all blocks, in bytes */
    unsigned allocations;
    int64_t deadline_ns; /* in processor time of the thread */
    jmp_buf failure;
};

/* Parses a page, which must stay valid. Returns 0; -ENOMEM; -E2BIG: it takes more than
 * HTML_MEMORY_MAX bytes or HTML_SECONDS_MAX seconds. */
int html_tree_parse(struct html_tree *tree, const char *text, size_t len);

/* Frees the tree. */
void html_tree_finish(struct html_tree *tree);

#endif
