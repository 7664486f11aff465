/* SPDX-License-Identifier: MIT */
/* Reads PEM files (RFC 7468) that may contain private keys: all copies are erased. */
#ifndef IO_TLS_PEM_H
#define IO_TLS_PEM_H

#include <whorl/error.h>

#include "io/tls/der.h"

/* Called for each object of a file; its label is, for example, "CERTIFICATE". `der` is valid for
 * the call. A result other than 0 ends the reading. */
typedef int (*pem_found_fn)(void *arg, const char *label, struct tls_bytes der);

/* Reads a file of at most 256 KiB. Text between the objects is ignored. Returns 0; what `found`
 * returned; an open(2) or read(2) error; WHORL_ETLS_CERTFILE when the file is too large or an
 * object is damaged; -ENOMEM. Fills `error` unless `found` has failed. */
int pem_read(const char *path, pem_found_fn found, void *arg, struct whorl_error *error);

#endif
