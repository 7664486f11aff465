/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target without libFuzzer: its seeds, the same mutations of them every time, and the
 * files named as arguments.
 *
 *      test_fuzz_url [FILE|DIRECTORY]... --mutations=N for more or fewer than 3000
 *      test_fuzz_url --write-seeds=DIRECTORY
 */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

enum { INPUT_MAX = 1 << 20, MUTANT_MAX = 4096 };

struct plan {
    long mutations, seeds, runs;
    const char *dir;
    uint64_t state;
};

static uint32_t draw(struct plan *plan)
{
    plan->state = plan->state * 6364136223846793005 + 1442695040888963407;
    return (uint32_t)(plan->state >> 33);
}

/* Runs the target with an exact copy of the input, so that a sanitizer detects a read past the
 * end. */
static void run(struct plan *plan, const void *data, size_t len)
{
    uint8_t *copy = calloc(len ? len : 1, 1);
    if (len > 0)
        memcpy(copy, data, len);
    LLVMFuzzerTestOneInput(copy, len);
    free(copy);
    plan->runs++;
}

static void count_seed(void *ctx, const void *seed, size_t len)
{
    (void)seed, (void)len;
    ((struct plan *)ctx)->seeds++;
}

/* Makes a few changes: bytes are replaced, inserted or removed, pieces are repeated. */
static size_t mutate(struct plan *plan, uint8_t *data, size_t len)
{
    static const uint8_t likely[] = "\r\n :;,/?#%@[]\\.0\t\"\0\x7f\xff"
                                    "a";

    for (uint32_t edits = 1 + draw(plan) % 4; edits > 0; edits--) {
        size_t at = len ? draw(plan) % len : 0, n = len ? 1 + draw(plan) % (len - at) : 0;
        uint8_t byte =
            draw(plan) % 3 ? likely[draw(plan) % (sizeof likely - 1)] : (uint8_t)draw(plan);
        switch (draw(plan) % 5) {
        case 0:
            if (len > 0)
                data[at] = byte;
            break;
        case 1:
            if (len > 0)
                data[at] ^= (uint8_t)(1 << draw(plan) % 8);
            break;
        case 2:
            if (len < MUTANT_MAX) {
                memmove(data + at + 1, data + at, len++ - at);
                data[at] = byte;
            }
            break;
        case 3:
            n = n > 16 ? 1 + n % 16 : n;
            memmove(data + at, data + at + n, len - at - n);
            len -= n;
            break;
        default:
            if (len + n <= MUTANT_MAX) {
                memmove(data + at + n, data + at, len - at);
                len += n;
            }
        }
    }
    return len;
}

static void use_seed(void *ctx, const void *seed, size_t len)
{
    struct plan *plan = ctx;
    static uint8_t mutant[MUTANT_MAX];
    char path[4096];

    plan->seeds++;
    if (plan->dir) {
        snprintf(path, sizeof path, "%s/seed-%03ld", plan->dir, plan->seeds);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(seed, 1, len, file) != len || fclose(file) != 0) {
            perror(path);
            exit(1);
        }
        return;
    }
    run(plan, seed, len);
    for (long i = 0; len <= MUTANT_MAX && i < plan->mutations; i++) {
        memcpy(mutant, seed, len);
        run(plan, mutant, mutate(plan, mutant, len));
    }
}

static void use_file(struct plan *plan, const char *path)
{
    struct stat st;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        DIR *dir = opendir(path);
        for (struct dirent *entry; dir && (entry = readdir(dir)) != NULL;) {
            char name[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
            use_file(plan, name);
        }
        if (dir)
            closedir(dir);
        return;
    }
    uint8_t *data = malloc(INPUT_MAX);
    FILE *file = fopen(path, "rb");
    if (!data || !file) {
        perror(path);
        exit(1);
    }
    run(plan, data, fread(data, 1, INPUT_MAX, file));
    fclose(file);
    free(data);
}

int main(int argc, char **argv)
{
    struct plan plan = {.state = 1};
    long mutations = 3000;

    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--mutations=", 12) == 0)
            mutations = atol(argv[i] + 12);
        else if (strncmp(argv[i], "--write-seeds=", 14) == 0)
            plan.dir = argv[i] + 14;
        else
            use_file(&plan, argv[i]);
    }
    fuzz_seeds(count_seed, &plan);
    plan.mutations = mutations / (plan.seeds ? plan.seeds : 1);
    plan.seeds = 0;
    fuzz_seeds(use_seed, &plan);
    printf("%ld seeds, %ld runs\n", plan.seeds, plan.runs);
    return 0;
}
