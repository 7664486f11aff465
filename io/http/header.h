/* SPDX-License-Identifier: MIT */
/* Header lists: the fields of a head in one block of bytes, with an index. A list needs two
 * allocations, however many fields it has, and none when it is used again.
 *
 *     struct header_list list = {0};
 *     int err = header_list_append(&list, "Accept", "text/html");
 *     const char *value = header_list_get(&list, "accept");
 *     header_list_clear(&list);  // keeps the memory
 *     header_list_finish(&list); // frees it
 *
 * Returned strings point into the block. They are terminated and valid until the list is appended
 * to, cleared or finished. Nothing here suspends.
 */
#ifndef IO_HTTP_HEADER_H
#define IO_HTTP_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <whorl/http.h>

/* Offsets into the list's bytes; each string is followed by a NUL. */
struct header_field {
    uint32_t name, name_len;
    uint32_t value, value_len;
};

/* Zero-initialised is an empty list. */
struct header_list {
    char *bytes; /* owned */
    size_t bytes_len, bytes_cap;
    struct header_field *fields; /* owned */
    size_t count, fields_cap;
};

/** Adds a copy of a field without checking it. Returns 0 or -ENOMEM. */
WHORL_CHECKED int header_list_append(struct header_list *list, const char *name, const char *value);

/** header_list_append() for text that does not end with a NUL byte. */
WHORL_CHECKED int header_list_append_bytes(struct header_list *list, const char *name,
                                           size_t name_len, const char *value, size_t value_len);

/** The value of the first field of that name, or NULL. Case does not matter. */
const char *header_list_get(const struct header_list *list, const char *name);

/**
 * The value of the next field of that name at or after `*index`; NULL when there is none. `*index`
 * moves past the field. Start with 0.
 */
const char *header_list_next(const struct header_list *list, const char *name, size_t *index);

/** Field number `index` in the order of arrival; false when there are fewer. */
bool header_list_at(const struct header_list *list, size_t index, struct whorl_http_header *ret);

/** Whether one of the fields of that name has `token` in its comma list. Case does not matter. */
bool header_list_has_token(const struct header_list *list, const char *name, const char *token);

/** Empties the list and keeps its memory. */
void header_list_clear(struct header_list *list);

/** Moves all fields into `to`, whose own fields are dropped; `from` is empty afterwards. */
void header_list_move(struct header_list *to, struct header_list *from);

/** Frees. Accepts a zeroed list. */
void header_list_finish(struct header_list *list);

/* Building a list from raw bytes, as a parser does: append the text in pieces of any size, then
 * mark where a field is. The mark overwrites the bytes after the name and after the value.
 * header_list_reserve() makes room for `len` more bytes. */
WHORL_CHECKED int header_list_append_raw(struct header_list *list, const char *bytes, size_t len);
WHORL_CHECKED int header_list_reserve(struct header_list *list, size_t len);
WHORL_CHECKED int header_list_mark(struct header_list *list, size_t name, size_t name_len,
                                   size_t value, size_t value_len);

/** A token of RFC 9110 §5.6.2, at least one byte long. */
bool header_is_token(const char *text, size_t len);

/** The same without upper case, as HTTP/2 asks for (RFC 9113 §8.2.1). */
bool header_is_lower_token(const char *text, size_t len);

/** The number of control bytes other than TAB. */
size_t header_count_controls(const char *text, size_t len);

/** Whether `value` can be sent: no NUL, CR, LF or other control byte except TAB. */
bool header_is_value(const char *value, size_t len);

/** Whether the header frames the message or concerns the connection, so that a program must not set
 *  it. False for Connection. */
bool header_is_hop(const char *name);

enum { HEADER_PRINTABLE = 64 };

/** Writes up to `len` of the peer's bytes as printable ASCII for an error text, cut to fit. Returns
 *  `ret`. */
const char *header_printable(char ret[HEADER_PRINTABLE], const char *bytes, size_t len);

/** Whether two names are equal: ASCII, without regard to case. */
bool header_equal(const char *a, const char *b);

/**
 * Takes the next member of a comma list from `*cursor`, without the spaces around it. Commas in
 * quoted strings do not separate, and empty members are skipped. False at the end.
 */
bool header_next_member(const char **cursor, const char **ret, size_t *ret_len);

#endif
