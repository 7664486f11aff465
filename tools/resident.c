/* SPDX-License-Identifier: MIT */
/* Reads the resident memory from /proc; see resident.h. */
#include "tools/resident.h"

#include <stdio.h>
#include <unistd.h>

int64_t resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file) {
        if (fscanf(file, "%ld %ld", &pages, &resident) != 2)
            resident = 0;
        fclose(file);
    }
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}
