/* SPDX-License-Identifier: MIT */
/* The workload with a network. */
#ifndef STRESS_ECHO_H
#define STRESS_ECHO_H

#include <whorl/base.h>

/* The root task of the workload; `run` is a struct run. */
WHORL_SUSPENDS int stress_echo(void *run);

#endif
