/* SPDX-License-Identifier: MIT */
/* Session keys for those who watch the wire with Wireshark, when $SSLKEYLOGFILE asks for it. */
#ifndef IO_TLS_KEYLOG_H
#define IO_TLS_KEYLOG_H

/* Appends one line to the file at `path`. What goes wrong is ignored: it must not break a transfer.
 * Blocks for as long as the file does. */
void keylog_append(const char *path, const unsigned char client_random[32],
                   const unsigned char master_secret[48]);

#endif
