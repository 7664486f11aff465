/* SPDX-License-Identifier: MIT */
/* The text of a journal: which file a partial file belongs to, and which bytes of it are there. No
 * I/O; part.h writes it.
 *
 *     5ab6a1b4 whorl-get 1
 *     c1a0e37b url http://h/a.iso
 *     09d1f2c6 final http://mirror/a.iso
 *     77e9b1aa etag "5f-61"
 *     1b0c9e20 modified Sun, 06 Nov 1994 08:49:37 GMT
 *     e2f3a418 length 1073741824
 *     0a4bb7c9 boot 7c3f8a52-0d7e-4f6f-a0b1-5d3e0c8f9a11
 *     83d1a6e5 done 0 4194304
 *     4f6a7b92 synced 0 4194304
 *     6d02e1c8 digest 4194304 1 nettle-3.8 sha256=...
 *
 * A line begins with the CRC-32 of its text and of all lines before it. So a line counts only if
 * everything before it is intact, and the first damaged line ends the journal. What is lost in this
 * way is fetched again.
 *
 * `done` says that the bytes were written to the partial file before the line was. The kernel keeps
 * written bytes when the process is killed, but not when the machine loses power. `synced` says
 * that the bytes were made durable before the line was written. `boot` is the kernel's boot id:
 * after a restart of the machine, only the bytes count that are `synced`.
 *
 * `digest` is the state of the hashes after that many first bytes (hash.h). A line before says of
 * all these bytes that they are `done`. So the next run need not read them again. After a restart
 * of the machine, a state counts only if a line before says that its bytes are `synced`.
 *
 * A journal is not trusted: another program may have written or damaged it. Whatever the text, the
 * ranges are inside of the file, and values contain no control bytes.
 */
#ifndef WHORL_GET_JOURNAL_H
#define WHORL_GET_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "tools/get/ranges.h"

struct buffer;

enum {
    JOURNAL_SIZE_MAX = 1 << 20,   /* longer journals are not read */
    JOURNAL_VALUE_MAX = 64 << 10, /* bytes of a value */
    JOURNAL_BOOT_SIZE = 40,       /* of a boot id, with the NUL */
    JOURNAL_RANGES_MAX = 4096,    /* of a set; the rest of a longer journal is not used */
};

/* The state of the hashes of the first `end` bytes. Zero-initialised: there is none. */
struct journal_digest {
    int64_t end;
    char *state; /* owned */
};

/* Zero-initialised is valid. Strings are owned; NULL: there is none. */
struct journal {
    char *url;             /* as the user gave it, without user name and password */
    char *final_url;       /* after redirects */
    char *etag, *modified; /* at least one of them */
    char boot[JOURNAL_BOOT_SIZE];
    int64_t length;
    struct ranges done;                  /* `synced` included */
    struct ranges synced;                /* durable */
    struct journal_digest digest;        /* of bytes that are in `done` */
    struct journal_digest synced_digest; /* of bytes that are in `synced` */
};

void journal_finish(struct journal *journal);

/* Where a journal ends, and the CRC of its lines. Zero-initialised: it is empty. */
struct journal_end {
    int64_t size;
    uint32_t check;
};

/* Reads a journal. Damaged lines at its end are ignored.
 *
 * @boot     the boot id of the running kernel; if the journal has another one, the bytes that are
 *           not durable are left out, and the digests of such bytes
 * @ret_end  the end of the last line that counts
 *
 * Returns: 0; -EBADMSG when the text does not say which file it is about; -ENOMEM. */
int journal_read(struct journal *ret, struct journal_end *ret_end, const char *text, size_t len,
                 const char *boot);

/* Whether a value can be stored: it has no control bytes and is not too long. */
bool journal_can_store(const char *value);

/* These append lines. `check` is the CRC of all lines before, 0 for the first one. If there is no
 * memory, the buffer has failed. journal_add_all() writes the whole journal. */
void journal_add_all(struct buffer *to, uint32_t *check, const struct journal *journal);
void journal_add_done(struct buffer *to, uint32_t *check, struct range range);
void journal_add_synced(struct buffer *to, uint32_t *check, struct range range);

/* Stores the state of the hashes, which the next run continues. It has no control bytes, and fewer
 * than JOURNAL_VALUE_MAX bytes. The one of the most bytes counts. */
void journal_add_digest(struct buffer *to, uint32_t *check, const struct journal_digest *digest);

/* Copies a state to `to`, in place of the one that is there. Returns 0 or -ENOMEM, and then there
 * is none. */
int journal_digest_set(struct journal_digest *to, int64_t end, const char *state, size_t len);

/* Forgets the states. They are still in the text of the journal. */
void journal_drop_digests(struct journal *journal);

#endif
