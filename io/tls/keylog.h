/* SPDX-License-Identifier: MIT */
/* Writes session keys to the file that $SSLKEYLOGFILE names, so that Wireshark can decrypt. */
#ifndef IO_TLS_KEYLOG_H
#define IO_TLS_KEYLOG_H

/* Appends one line to the file at `path`. Errors are ignored, because they must not break a
 * transfer. The calls block this thread as long as the file system does. */
void keylog_append(const char *path, const unsigned char client_random[32],
                   const unsigned char master_secret[48]);

/* The same for a line that a library has written, without its newline. */
void keylog_append_line(const char *path, const char *line);

#endif
