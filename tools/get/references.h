/* SPDX-License-Identifier: MIT */
/* What the readers of pages (html.h) and style sheets (css.h) find: references to other files. */
#ifndef WHORL_GET_REFERENCES_H
#define WHORL_GET_REFERENCES_H

enum reference_kind {
    REFERENCE_BASE,     /* the URL against which those that follow are resolved; comes first */
    REFERENCE_PAGE,     /* a link that a person follows */
    REFERENCE_RESOURCE, /* a part of the page: an image, a script, a style sheet, a frame */
    REFERENCE_NOFOLLOW, /* the page asks crawlers not to follow its links; the text is "" */
};

/* Called for each reference, whose text ends with a NUL and is valid during the call: a URL or a
 * part of one, without character references, escapes and spaces around it.
 *
 * Returns NULL to leave it as it is, or the text that replaces it: a URL reference, in which spaces
 * and quotes are percent-encoded. It must be valid until the next call. */
typedef const char *references_fn(void *arg, enum reference_kind kind, const char *text);

#endif
