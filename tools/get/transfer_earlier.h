/* SPDX-License-Identifier: MIT */
/* The file that has the name already (existing.h), and what a manifest says about it
 * (manifest.h). */
#ifndef WHORL_GET_TRANSFER_EARLIER_H
#define WHORL_GET_TRANSFER_EARLIER_H

#include "tools/get/transfer_state.h"

/* Looks at the file that has the name already. Returns 0 or a negative code, and the error of the
 * outcome is filled. */
WHORL_SUSPENDS int transfer_prepare_existing(struct transfer *t);

/* Adds the complete file to the manifest. A file that was not received now is read; if that fails
 * or is cancelled, the file is not listed. Returns 0 or a negative code. */
WHORL_SUSPENDS int transfer_record(struct transfer *t);

/* Says what became of the file that was there. */
void transfer_note_existing(struct transfer *t);

#endif
