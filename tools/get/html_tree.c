/* SPDX-License-Identifier: MIT */
/* Runs gumbo with an allocator that has limits. */
#include "tools/get/html_tree.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

struct html_block {
    struct html_block *prev, *next;
    size_t size;
    max_align_t data[];
};

static int64_t processor_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * (int64_t)1000000000 + now.tv_nsec;
}

static void *allocate(void *arg, size_t size)
{
    struct html_tree *tree = arg;

    if (tree->memory + size > HTML_MEMORY_MAX)
        longjmp(tree->failure, E2BIG);
    if (tree->allocations++ % 256 == 255 && processor_ns() > tree->deadline_ns)
        longjmp(tree->failure, E2BIG);
    struct html_block *block = malloc(sizeof *block + size);
    if (!block)
        longjmp(tree->failure, ENOMEM);
    *block = (struct html_block){.next = tree->blocks, .size = sizeof *block + size};
    if (block->next)
        block->next->prev = block;
    tree->blocks = block;
    tree->memory += block->size;
    return block->data;
}

static void release(void *arg, void *data)
{
    struct html_tree *tree = arg;
    struct html_block *block =
        data ? (struct html_block *)((char *)data - offsetof(struct html_block, data)) : NULL;

    if (!block)
        return;
    if (block->prev)
        block->prev->next = block->next;
    else
        tree->blocks = block->next;
    if (block->next)
        block->next->prev = block->prev;
    tree->memory -= block->size;
    free(block);
}

int html_tree_parse(struct html_tree *tree, const char *text, size_t len)
{
    GumboOptions options = kGumboDefaultOptions;

    tree->deadline_ns = processor_ns() + HTML_SECONDS_MAX * (int64_t)1000000000;
    options.allocator = allocate;
    options.deallocator = release;
    options.userdata = tree;
    options.max_errors = 0;
    int err = setjmp(tree->failure);
    if (err == 0)
        tree->output = gumbo_parse_with_options(&options, text, len);
    return -err;
}

void html_tree_finish(struct html_tree *tree)
{
    while (tree->blocks) {
        struct html_block *block = tree->blocks;
        tree->blocks = block->next;
        free(block);
    }
    tree->output = NULL;
}
