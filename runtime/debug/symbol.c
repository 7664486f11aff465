/* SPDX-License-Identifier: MIT */
/* Names of code addresses: the file, and the function if the file exports it. */
#include "runtime/debug/symbol.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <unistd.h>

#include <whorl/text.h>

static void copy_text(const char *text, char *ret, size_t size)
{
    size_t len = whorl_text_cut(text, strlen(text), size - 1);

    memcpy(ret, text, len);
    ret[len] = '\0';
}

/* The difference between the addresses in memory and those in the file; 0 for a program that is not
 * relocated. */
static uintptr_t load_address(uintptr_t address, Dl_info *info)
{
#ifdef RTLD_DL_LINKMAP
    struct link_map *map = NULL;
    if (dladdr1((void *)address, info, (void **)&map, RTLD_DL_LINKMAP) != 0 && map)
        return map->l_addr;
#endif
    const ElfW(Ehdr) *header = info->dli_fbase; /* musl has no dladdr1() */
    (void)address;
    return header && header->e_type != ET_EXEC ? (uintptr_t)header : 0;
}

void symbol_find(uintptr_t address, struct symbol *ret)
{
    Dl_info info = {0};

    *ret = (struct symbol){.in_file = address};
    if (dladdr((void *)address, &info) == 0 || !info.dli_fname)
        return;
    ret->in_file = address - load_address(address, &info);
    copy_text(info.dli_fname, ret->file, sizeof ret->file);
    /* The program's own name may be relative to another directory, or found in $PATH. */
    if (ret->file[0] != '/' && strcmp(ret->file, program_invocation_name) == 0) {
        ssize_t n = readlink("/proc/self/exe", ret->file, sizeof ret->file - 1);
        ret->file[n > 0 ? n : 0] = '\0';
    }
    /* gold gives _init no size, and then musl's dladdr() returns it for every address behind it. */
    if (info.dli_sname && strcmp(info.dli_sname, "_init") != 0) {
        copy_text(info.dli_sname, ret->name, sizeof ret->name);
        ret->in_function = address - (uintptr_t)info.dli_saddr;
    }
}

bool symbol_is_in_file(uintptr_t address)
{
    Dl_info info;

    return dladdr((void *)address, &info) != 0;
}
