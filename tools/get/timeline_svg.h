/* SPDX-License-Identifier: MIT */
/* The picture of --timeline. */
#ifndef WHORL_GET_TIMELINE_SVG_H
#define WHORL_GET_TIMELINE_SVG_H

struct buffer;
struct timeline;

/* Appends the timeline as an SVG picture. No I/O. */
void timeline_svg_format(struct buffer *ret, const struct timeline *timeline);

#endif
