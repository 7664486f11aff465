/* SPDX-License-Identifier: MIT */
/* The slow call. */
#ifndef MODELS_SPINNER_ANSWER_H
#define MODELS_SPINNER_ANSWER_H

enum { ANSWER = 42 };

/* Blocks its thread for `slow_ms`. Returns the answer. */
int answer_find(int slow_ms);

#endif
