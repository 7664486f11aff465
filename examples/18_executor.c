/* SPDX-License-Identifier: MIT */
/* An executor is a pool of threads that takes work in two ways. Submitting a job returns at once,
 * and a future says when the job is done. A map runs a function on each element of an array and
 * returns when all are done.
 * Next: 19_map_reduce.c */
#include <stdio.h>

#include <whorl.h>

enum { JOBS = 4 };

static struct job {
    int below, primes;
    struct whorl_future end;
} jobs[JOBS] = {{.below = 100}, {.below = 1000}, {.below = 10000}, {.below = 100000}};

static int count_primes(void *arg) /* runs on a thread of the pool */
{
    struct job *job = arg;

    job->primes = 0;
    for (int n = 2; n < job->below; n++) {
        int d = 2;
        while (d * d <= n && n % d)
            d++;
        job->primes += d * d > n;
    }
    return job->primes > 0 ? 0 : -ERANGE;
}

static int root(void *arg)
{
    WHORL_AUTO(offload) *pool = NULL;
    struct whorl_offload_options options = {.threads_max = 2};
    int submitted = 0, err = whorl_offload_create(&options, &pool);

    (void)arg;
    while (submitted < JOBS && err == 0) {
        err = whorl_offload_submit(pool, count_primes, &jobs[submitted], &jobs[submitted].end);
        submitted += err == 0;
    }
    printf("%d submitted, %s\n", submitted, jobs[0].end.done ? "one is done" : "none is done yet");
    for (int i = 0; i < submitted && err == 0; i++) {
        err = whorl_future_wait(&jobs[i].end);
        printf("%d primes below %d\n", jobs[i].primes, jobs[i].below);
    }
    if (err == 0)
        err = whorl_offload_map(pool, count_primes, jobs, sizeof *jobs, JOBS);
    printf("map: %d, %d, %d, %d\n", jobs[0].primes, jobs[1].primes, jobs[2].primes, jobs[3].primes);
    return err;
}

int main(void)
{
    return whorl_run(root, NULL) ? 1 : 0;
}
