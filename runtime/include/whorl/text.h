/* SPDX-License-Identifier: MIT */
/* Foreign text: makes text that comes from outside the program safe to show.
 *
 * A header of a response, a file name or an argument can contain any bytes. If a program prints
 * them unchanged, they can move the cursor of a terminal, change the order of the characters in a
 * line, or forge a line of a log. So a program escapes such text before it prints it:
 *
 *     const char *server = whorl_http_response_header(response, "Server");
 *     char text[256];
 *
 *     if (server) {
 *         whorl_text_escape(server, strlen(server), text, sizeof text);
 *         printf("server: %s\n", text);               // the byte ESC is printed as "\x1b"
 *     }
 *
 * The text of struct whorl_error and the reports of the runtime are already escaped.
 *
 * The encoding is UTF-8, whatever the locale is. These functions need no run, allocate nothing,
 * never suspend, and may be called in signal handlers.
 */
#ifndef WHORL_TEXT_H
#define WHORL_TEXT_H

#include <whorl/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Decodes the character at the start of a text (RFC 3629). Rejects overlong forms, surrogates and
 * values above U+10FFFF.
 *
 * @len  the number of bytes that may be read
 * @ret  the character
 *
 * Returns: the number of its bytes; 0 when `len` is 0 or the bytes are not valid UTF-8.
 */
WHORL_API size_t whorl_text_decode(const char *text, size_t len, uint32_t *ret);

/**
 * Where to cut a text that is too long: never inside a character. A byte that is not UTF-8 counts
 * as a character.
 *
 * @len      the length of the text in bytes
 * @len_max  the largest length after the cut
 *
 * Returns: the largest length that is possible; `len` when the text is short enough.
 */
WHORL_API size_t whorl_text_cut(const char *text, size_t len, size_t len_max);

/**
 * Whether a character can be shown without deceiving the reader. Control characters, characters
 * that reorder the line (such as U+202E), invisible characters and noncharacters cannot.
 */
WHORL_API bool whorl_text_is_plain(uint32_t c);

/**
 * Copies text that is to be shown. Characters that are not plain and bytes that are not UTF-8
 * become \xNN, one for each byte. The backslash itself is not escaped.
 *
 * @ret   ends with a zero byte. A text that is too long is cut, but never inside a character or
 *        inside the escape sequence of a character
 * @size  of `ret`, at least 1; four times `len`, plus one, is always enough
 *
 * Returns: the length of the result.
 */
WHORL_API size_t whorl_text_escape(const char *text, size_t len, char *ret, size_t size);

/** Like whorl_text_escape(), for a reader without UTF-8: escapes everything that is not ASCII. */
WHORL_API size_t whorl_text_escape_ascii(const char *text, size_t len, char *ret, size_t size);

/**
 * Copies text as the inside of a JSON string (RFC 8259 §7), without the quotes around it.
 * A quote or a backslash gets a backslash before it. A character that is not plain (see
 * whorl_text_is_plain()) becomes \uNNNN, or two of these if it is above U+FFFF. Each byte that is
 * not UTF-8 becomes \ufffd.
 *
 * @ret   ends with a zero byte. A text that is too long is cut, but never inside a character or
 *        inside the escape sequence of a character
 * @size  of `ret`, at least 1; six times `len`, plus one, is always enough
 *
 * Returns: the length of the result.
 */
WHORL_API size_t whorl_text_escape_json(const char *text, size_t len, char *ret, size_t size);

/** Like whorl_text_escape_json(), for a reader without UTF-8: escapes everything that is not
 * ASCII. */
WHORL_API size_t whorl_text_escape_json_ascii(const char *text, size_t len, char *ret, size_t size);

#ifdef __cplusplus
}
#endif

#endif
