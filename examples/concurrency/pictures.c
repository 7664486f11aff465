/* SPDX-License-Identifier: MIT */
/* Writes the pictures, see pictures.h. */
#include "pictures.h"

#include <errno.h>

#include "output.h"

struct picture {
    const struct timeline *timeline;
    const char *title;
};

static int write_svg(const void *arg, FILE *to)
{
    const struct picture *picture = arg;
    return timeline_write_svg(picture->timeline, picture->title, to);
}

static int write_trace(const void *arg, FILE *to)
{
    const struct picture *picture = arg;
    return timeline_write_trace(picture->timeline, picture->title, to);
}

int pictures_check(const struct pictures *pictures)
{
    int err = pictures->svg ? output_check(pictures->svg) : 0;

    return err == 0 && pictures->trace ? output_check(pictures->trace) : err;
}

struct timeline *pictures_timeline(struct pictures *pictures)
{
    if (pictures->svg || pictures->trace)
        pictures->timeline = timeline_create();
    return pictures->timeline;
}

int pictures_write(struct pictures *pictures, const char *title)
{
    struct picture picture = {pictures->timeline, title};
    int err = 0;

    if (!pictures->svg && !pictures->trace)
        return 0;
    if (!pictures->timeline) {
        fputs("models: out of memory for the timeline\n", stderr);
        return -ENOMEM;
    }
    if (pictures->svg)
        err = output_write(pictures->svg, write_svg, &picture);
    if (pictures->trace) {
        int failed = output_write(pictures->trace, write_trace, &picture);
        err = err ? err : failed;
    }
    timeline_destroy(pictures->timeline);
    pictures->timeline = NULL;
    return err;
}
