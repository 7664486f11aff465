/* SPDX-License-Identifier: MIT */
/* Generators: tasks that yield values one by one to the task that pulls them.
 *
 *     static int squares(struct whorl_generator *generator, void *arg)
 *     {
 *         for (long i = 0; i < *(long *)arg; i++) {
 *             int err = whorl_generator_yield(generator, &(long){i * i});
 *             if (err)
 *                 return err;
 *         }
 *         return 0;
 *     }
 *
 *     WHORL_AUTO(generator) *generator = NULL;
 *     long n = 10, value;
 *     int err = whorl_generator_create(squares, &n, sizeof(long), &generator);
 *     if (err)
 *         return err;
 *     while ((err = whorl_generator_next(generator, &value)) > 0)
 *         printf("%ld\n", value);
 *     return err;
 */
#ifndef WHORL_GENERATOR_H
#define WHORL_GENERATOR_H

#include <whorl/base.h>
#include <whorl/group.h>

struct whorl_generator;

/* A generator's body: runs from one whorl_generator_yield() to the next as values are pulled. */
typedef WHORL_SUSPENDS int (*whorl_generator_fn)(struct whorl_generator *generator, void *arg);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a generator. Its body starts with the first whorl_generator_next().
 * `int whorl_generator_create(whorl_generator_fn fn, void *arg, size_t value_size,
 *                             struct whorl_generator **ret)`
 *
 * @value_size  bytes of a value
 * @ret         the generator; destroy it with whorl_generator_destroy(), in the same task
 *
 * Returns: 0; -ENOMEM; -EOVERFLOW when a value of that size does not fit in memory; WHORL_ENOTASK
 *          outside a task. Never suspends.
 */
#define whorl_generator_create(fn, arg, value_size, ret) \
    whorl_generator_create_at((fn), (arg), (value_size), \
                              #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__), (ret))

/** whorl_generator_create() with a static description of the call site, for reports. */
WHORL_API WHORL_CHECKED int whorl_generator_create_at(whorl_generator_fn fn, void *arg,
                                                      size_t value_size, const char *site,
                                                      struct whorl_generator **ret);

/**
 * The next value.
 *
 * Returns:  1 with `*ret` set; 0 when the body has returned 0; what the body returned otherwise, and
 *           the same again from then on; -ENOMEM when its task could not be started.
 * Suspends: until the body yields or ends.
 * Cancel:   -ECANCELED; a value the body was about to yield comes with the next call.
 */
WHORL_API WHORL_SUSPENDS int whorl_generator_next(struct whorl_generator *generator, void *ret);

/**
 * In the body: gives a value to who pulls, and waits until the next one is wanted.
 *
 * Returns:  0.
 * Suspends: until the next whorl_generator_next().
 * Cancel:   -ECANCELED, also when the generator is destroyed: release what is held and return.
 */
WHORL_API WHORL_SUSPENDS int whorl_generator_yield(struct whorl_generator *generator,
                                                   const void *value);

/** Cancels the body if it has not ended, joins it and frees. Accepts NULL. */
WHORL_API WHORL_SUSPENDS_SHIELDED void whorl_generator_destroy(struct whorl_generator *generator);

static inline WHORL_SUSPENDS_SHIELDED void whorl_auto_generator(struct whorl_generator **generator)
{
    whorl_generator_destroy(*generator);
}

#ifdef __cplusplus
}
#endif

#endif
