/* SPDX-License-Identifier: MIT */
/* Names of code addresses, for reports. */
#ifndef RUNTIME_DEBUG_SYMBOL_H
#define RUNTIME_DEBUG_SYMBOL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where an address is. */
struct symbol {
    char file[PATH_MAX]; /* of the program or library; "" when it is not known */
    uintptr_t in_file;   /* the address as addr2line expects it for that file */
    char name[128];      /* of the function; "" when the file does not export it */
    size_t in_function;  /* offset in it */
};

/* Looks up an address. Takes locks of the dynamic linker, so a signal handler must not call it. */
void symbol_find(uintptr_t address, struct symbol *ret);

/* Whether the address is in the program or one of its libraries. */
bool symbol_is_in_file(uintptr_t address);

#endif
