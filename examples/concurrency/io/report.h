/* SPDX-License-Identifier: MIT */
/* The report of a comparison. */
#ifndef MODELS_IO_REPORT_H
#define MODELS_IO_REPORT_H

#include "../machine.h"
#include "measure.h"
#include "models.h"
#include "settings.h"
#include "source.h"

struct comparison {
    struct settings *settings;
    const struct source *source;
    struct machine machine;
    struct outcome outcomes[MODELS];
};

/* Writes the report to settings->report. Returns 0, or -errno after an error message. */
int report_write(const struct comparison *comparison);

#endif
