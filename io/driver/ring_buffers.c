/* SPDX-License-Identifier: MIT */
/* The buffers of a run for multishot receives: a ring of buffers that is registered with the
 * kernel, and the chunks of memory that contain the buffers. */
#include "io/driver/ring_buffers.h"

#include <stdlib.h>
#include <sys/mman.h>

#include <liburing.h>

#include "runtime/base/check.h"

#define CHUNKS_MAX  (RING_BUFFERS_MAX / RING_BUFFERS_CHUNK)
#define CHUNK_BYTES ((size_t)RING_BUFFERS_CHUNK * RING_BUFFERS_SIZE)
#define RING_BYTES  (RING_BUFFERS_MAX * sizeof(struct io_uring_buf))

/* After this many calls of ring_buffers_put(), a window ends and shrink() may reduce the number of
 * buffers. */
#define WINDOW 8192

_Static_assert((RING_BUFFERS_MAX & (RING_BUFFERS_MAX - 1)) == 0, "the kernel wants a power of two");
_Static_assert(RING_BUFFERS_MAX <= 32768, "the kernel's limit");

struct chunk {
    char *memory;
    unsigned retired; /* how many of its buffers are retired */
    struct ring_piece pieces[RING_BUFFERS_CHUNK];
};

struct ring_buffers {
    struct io_uring *uring;
    struct io_uring_buf_ring *ring; /* shared with the kernel; NULL: not set up */
    uint16_t tail;                  /* where the next buffer is provided */
    bool disabled;
    /* A buffer that is put back is provided again if the index of its chunk is below `wanted`.
     * Otherwise it is retired. A chunk whose buffers are all retired is freed. */
    struct chunk *chunks[CHUNKS_MAX];
    unsigned wanted, limit;
    unsigned allocated, retired, held, receives;
    unsigned peak, returned; /* the largest value of `held`, and calls of put(), in this window */
    uint64_t taken, short_of;
};

/* Allocates memory that a forked child does not get. NULL: out of memory. */
static void *allocate(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    if (madvise(memory, size, MADV_DONTFORK) == 0)
        return memory;
    munmap(memory, size);
    return NULL;
}

struct ring_buffers *ring_buffers_create(struct io_uring *uring)
{
    struct ring_buffers *buffers = calloc(1, sizeof *buffers);

    if (buffers) {
        buffers->uring = uring;
        buffers->limit = CHUNKS_MAX;
    }
    return buffers;
}

/* --- chunks ----------------------------------------------------------------------------------- */

static void provide(struct ring_buffers *buffers, const struct chunk *chunk,
                    const struct ring_piece *piece)
{
    struct io_uring_buf *entry = &buffers->ring->bufs[buffers->tail & (RING_BUFFERS_MAX - 1)];

    /* Does not write the reserved field, because in the first entry it is the tail of the ring. */
    entry->addr =
        (uint64_t)(uintptr_t)(chunk->memory + (size_t)(piece - chunk->pieces) * RING_BUFFERS_SIZE);
    entry->len = RING_BUFFERS_SIZE;
    entry->bid = piece->number;
    io_uring_smp_store_release(&buffers->ring->tail, ++buffers->tail);
}

static void free_chunk(struct ring_buffers *buffers, unsigned i)
{
    struct chunk *chunk = buffers->chunks[i];

    if (!chunk)
        return;
    buffers->allocated -= RING_BUFFERS_CHUNK;
    buffers->retired -= chunk->retired;
    munmap(chunk->memory, CHUNK_BYTES);
    free(chunk);
    buffers->chunks[i] = NULL;
}

/* Makes the buffers of chunk `i` available. False: out of memory. */
static bool open_chunk(struct ring_buffers *buffers, unsigned i)
{
    struct chunk *chunk = buffers->chunks[i];

    if (!chunk) {
        chunk = calloc(1, sizeof *chunk);
        char *memory = chunk ? allocate(CHUNK_BYTES) : NULL;
        if (!memory) {
            free(chunk);
            return false;
        }
        chunk->memory = memory;
        for (unsigned n = 0; n < RING_BUFFERS_CHUNK; n++)
            chunk->pieces[n] = (struct ring_piece){.number = (uint16_t)(i * RING_BUFFERS_CHUNK + n),
                                                   .retired = true};
        chunk->retired = RING_BUFFERS_CHUNK;
        buffers->chunks[i] = chunk;
        buffers->allocated += RING_BUFFERS_CHUNK;
        buffers->retired += RING_BUFFERS_CHUNK;
    }
    for (unsigned n = 0; n < RING_BUFFERS_CHUNK; n++)
        if (chunk->pieces[n].retired) {
            chunk->pieces[n].retired = false;
            provide(buffers, chunk, &chunk->pieces[n]);
        }
    buffers->retired -= chunk->retired;
    chunk->retired = 0;
    return true;
}

static void free_all(struct ring_buffers *buffers)
{
    for (unsigned i = 0; i < CHUNKS_MAX; i++)
        free_chunk(buffers, i);
    if (buffers->ring)
        munmap(buffers->ring, RING_BYTES);
    buffers->ring = NULL;
    buffers->wanted = 0;
}

void ring_buffers_destroy(struct ring_buffers *buffers, bool copy)
{
    if (!buffers)
        return;
    if (copy) /* a forked child has the heap, but not the mappings */
        for (unsigned i = 0; i < CHUNKS_MAX; i++)
            free(buffers->chunks[i]);
    else
        free_all(buffers);
    free(buffers);
}

/* --- set-up and size -------------------------------------------------------------------------- */

static bool set_up(struct ring_buffers *buffers)
{
    struct io_uring_buf_ring *ring = allocate(RING_BYTES);
    struct io_uring_buf_reg reg = {
        .ring_addr = (uint64_t)(uintptr_t)ring,
        .ring_entries = RING_BUFFERS_MAX,
        .bgid = RING_BUFFERS_GROUP,
    };

    if (!ring)
        return false;
    if (io_uring_register_buf_ring(buffers->uring, &reg, 0) != 0) { /* 5.19 */
        munmap(ring, RING_BYTES);
        buffers->disabled = true;
        return false;
    }
    buffers->ring = ring;
    buffers->tail = 0;
    buffers->peak = buffers->returned = 0;
    return true;
}

/* The number of buffers that the kernel can take now. */
static unsigned provided(const struct ring_buffers *buffers)
{
    return buffers->allocated - buffers->retired - buffers->held;
}

bool ring_buffers_grow(struct ring_buffers *buffers)
{
    unsigned aim = buffers->wanted ? buffers->wanted * 2 : 1;
    bool grown = false;

    buffers->short_of++;
    if (provided(buffers) > 0) /* already grown for another receive of this turn */
        return true;
    if (aim > buffers->limit)
        aim = buffers->limit;
    while (buffers->wanted < aim && open_chunk(buffers, buffers->wanted)) {
        buffers->wanted++;
        grown = true;
    }
    buffers->peak = buffers->held;
    buffers->returned = 0;
    return grown;
}

/* Frees the memory that a burst needed. While no receive is in flight, the kernel uses no
 * buffer. */
static void free_unused(struct ring_buffers *buffers)
{
    if (buffers->receives > 0 || buffers->held > 0 || buffers->allocated <= RING_BUFFERS_CHUNK)
        return;
    if (io_uring_unregister_buf_ring(buffers->uring, RING_BUFFERS_GROUP) == 0)
        free_all(buffers);
}

/* At the end of a window, keeps twice as many buffers as were in use at the same time. */
static void shrink(struct ring_buffers *buffers)
{
    unsigned needed = buffers->peak * 2 / RING_BUFFERS_CHUNK + 1;

    if (needed < buffers->wanted)
        buffers->wanted = needed;
    buffers->peak = buffers->held;
    buffers->returned = 0;
}

/* --- use -------------------------------------------------------------------------------------- */

bool ring_buffers_join(struct ring_buffers *buffers)
{
    if (buffers->disabled || (!buffers->ring && !set_up(buffers)))
        return false;
    if (provided(buffers) == 0 && !ring_buffers_grow(buffers))
        return false;
    buffers->receives++;
    return true;
}

void ring_buffers_leave(struct ring_buffers *buffers)
{
    whorl_check(buffers->receives > 0);
    buffers->receives--;
    free_unused(buffers);
}

struct ring_piece *ring_buffers_take(struct ring_buffers *buffers, unsigned number, uint32_t len)
{
    unsigned n = number % RING_BUFFERS_CHUNK;
    whorl_check(number < RING_BUFFERS_MAX);
    struct chunk *chunk = buffers->chunks[number / RING_BUFFERS_CHUNK];
    whorl_check(chunk && !chunk->pieces[n].retired);
    struct ring_piece *piece = &chunk->pieces[n];

    piece->next = NULL;
    piece->bytes = chunk->memory + (size_t)n * RING_BUFFERS_SIZE;
    piece->len = len;
    buffers->taken++;
    if (++buffers->held > buffers->peak)
        buffers->peak = buffers->held;
    return piece;
}

void ring_buffers_put(struct ring_buffers *buffers, struct ring_piece *piece)
{
    unsigned i = piece->number / RING_BUFFERS_CHUNK;
    struct chunk *chunk = buffers->chunks[i];

    buffers->held--;
    if (i < buffers->wanted) {
        provide(buffers, chunk, piece);
    } else {
        piece->retired = true;
        buffers->retired++;
        if (++chunk->retired == RING_BUFFERS_CHUNK)
            free_chunk(buffers, i);
    }
    if (__builtin_expect(++buffers->returned == WINDOW, 0))
        shrink(buffers);
    if (__builtin_expect(buffers->receives == 0, 0))
        free_unused(buffers);
}

void ring_buffers_limit(struct ring_buffers *buffers, unsigned max)
{
    buffers->limit = max / RING_BUFFERS_CHUNK;
}

struct ring_buffers_stats ring_buffers_stats(const struct ring_buffers *buffers)
{
    return (struct ring_buffers_stats){
        .allocated = buffers->allocated,
        .held = buffers->held,
        .receives = buffers->receives,
        .taken = buffers->taken,
        .short_of = buffers->short_of,
    };
}
