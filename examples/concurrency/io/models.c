/* SPDX-License-Identifier: MIT */
/* The table of the models. */
#include "models.h"

const struct model models[MODELS] = {
    {"sequential", "sequential.c", run_sequential},
    {"threads", "threads.c", run_threads},
    {"tasks", "tasks.c", run_tasks},
    {"processes", "processes.c", run_processes},
};
