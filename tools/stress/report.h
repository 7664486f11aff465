/* SPDX-License-Identifier: MIT */
/* Prints results, as a table or as JSON. */
#ifndef STRESS_REPORT_H
#define STRESS_REPORT_H

#include <stdio.h>

#include "tools/stress/result.h"

void report_header(FILE *to, size_t small_stack_size);
void report_row(FILE *to, const struct result *result);
void report_json(FILE *to, const struct result *result);

#endif
