/* SPDX-License-Identifier: MIT */
/* JSON objects (RFC 8259), one per line. jansson builds and writes them. No I/O.
 *
 *     struct object object;
 *
 *     object_begin(&object);
 *     object_add_text(&object, "file", name);
 *     object_add_int(&object, "bytes", n);
 *     object_write(&object, &buffer);              // appends {"file":"a","bytes":17} and a newline
 *
 * The members keep the order in which they were added. A name is added once only. Strings are never
 * cut. Bytes that are not UTF-8 become U+FFFD. Characters which a terminal cannot show, such as
 * control characters, are escaped, and in a locale without UTF-8 everything that is not ASCII.
 *
 * Without memory, the object is lost: object_write() then sets `failed` of the buffer. The calls
 * between need no checks.
 */
#ifndef WHORL_GET_OBJECT_H
#define WHORL_GET_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buffer;
struct json_t;

/* Valid between object_begin() and object_write(). */
struct object {
    struct json_t *json;  /* NULL when there was no memory */
    struct json_t *pairs; /* the array that was begun last, a part of `json`; NULL before */
};

void object_begin(struct object *object);

/* Adds a string; NULL becomes null. object_add_url() replaces a user name and password by "***". */
void object_add_text(struct object *object, const char *name, const char *text);
void object_add_url(struct object *object, const char *name, const char *url);

void object_add_int(struct object *object, const char *name, int64_t value);
void object_add_bool(struct object *object, const char *name, bool value);
void object_add_null(struct object *object, const char *name);

/* Adds a duration as a number of seconds with microseconds; a negative one becomes null. */
void object_add_seconds(struct object *object, const char *name, int64_t duration_ns);

/* Adds an array of strings. */
void object_add_texts(struct object *object, const char *name, const char *const *texts,
                      size_t count);

/* Begins an array of pairs, such as headers. object_add_pair() adds a pair of strings to the array
 * which was begun last. */
void object_begin_pairs(struct object *object, const char *name);
void object_add_pair(struct object *object, const char *first, const char *second);

/* Appends the object and a newline to `ret`, and frees the object. */
void object_write(struct object *object, struct buffer *ret);

/* Frees the object without writing it. */
void object_drop(struct object *object);

#endif
