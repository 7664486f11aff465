/* SPDX-License-Identifier: MIT */
/* Generators: tasks that produce values one by one for the task that pulls them.
 *
 * The two take turns: the generator's function, its body, runs while the other task waits in
 * whorl_generator_next(), and it waits in whorl_generator_yield() while the other task runs.
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
 *     static WHORL_SUSPENDS int print_squares(long n)
 *     {
 *         WHORL_AUTO(generator) *generator = NULL;
 *         long value;
 *
 *         int err = whorl_generator_create(squares, &n, sizeof(long), &generator);
 *         if (err)
 *             return err;
 *         while ((err = whorl_generator_next(generator, &value)) > 0)
 *             printf("%ld\n", value);
 *         return err;
 *     }
 */
#ifndef WHORL_GENERATOR_H
#define WHORL_GENERATOR_H

#include <whorl/base.h>
#include <whorl/group.h>

struct whorl_generator;

/* A generator's body. Each whorl_generator_next() lets it run up to its next
 * whorl_generator_yield(). It returns 0 or a negative code. */
typedef WHORL_SUSPENDS int (*whorl_generator_fn)(struct whorl_generator *generator, void *arg);

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Makes a generator. Its body starts with the first whorl_generator_next(). Never suspends.
 * `int whorl_generator_create(whorl_generator_fn fn, void *arg, size_t value_size,
 *                             struct whorl_generator **ret)`
 *
 * @arg         borrowed until the generator is destroyed
 * @value_size  size of a value in bytes
 * @ret         the generator; destroy it with whorl_generator_destroy(), in the same task
 *
 * Returns: 0; -ENOMEM; -EOVERFLOW when the size of a generator with one value does not fit in a
 *          size_t; WHORL_ENOTASK outside a task.
 */
#define whorl_generator_create(fn, arg, value_size, ret) \
    whorl_generator_create_at((fn), (arg), (value_size), \
                              #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__), (ret))

/** whorl_generator_create() with a static description of the call site, for reports. */
WHORL_API WHORL_CHECKED int whorl_generator_create_at(whorl_generator_fn fn, void *arg,
                                                      size_t value_size, const char *site,
                                                      struct whorl_generator **ret);

/**
 * Receives the next value into `*ret`. One task at a time may pull.
 *
 * Returns:  1 with `*ret` set; 0 when the body has returned 0 or more; the body's code when it has
 *           returned a negative one. Once the body has ended, every call returns the same. -EBUSY
 *           while another task waits for a value; -EDEADLK in the body; -ENOMEM when the body's
 *           task could not be started; WHORL_ENOTASK.
 * Suspends: until the body yields a value or ends.
 * Cancel:   -ECANCELED; a value that the body was about to yield comes with the next call.
 */
WHORL_API WHORL_SUSPENDS int whorl_generator_next(struct whorl_generator *generator, void *ret);

/**
 * Called in the body: hands `*value` to the task that pulls, and waits until that task asks for the
 * next value.
 *
 * Returns:  0; WHORL_ENOTASK.
 * Suspends: until the next whorl_generator_next().
 * Cancel:   -ECANCELED, also when the generator is destroyed. The body must then release what it
 *           holds, and return. If only a scope inside the body was cancelled, the body may yield
 *           again afterwards. The value has been handed over: if it was not pulled yet, it comes
 *           with the next pull, and the next yield first waits for that pull. A yield that is cut
 *           short during this wait hands nothing over.
 */
WHORL_API WHORL_SUSPENDS int whorl_generator_yield(struct whorl_generator *generator,
                                                   const void *value);

/**
 * Cancels the body if it has not ended, waits for its end, and frees the generator. Accepts NULL.
 *
 * Suspends: until the body has ended.
 * Cancel:   not a cancel point; a cancellation does not end the wait.
 */
WHORL_API WHORL_SUSPENDS_SHIELDED void whorl_generator_destroy(struct whorl_generator *generator);

static inline WHORL_SUSPENDS_SHIELDED void whorl_auto_generator(struct whorl_generator **generator)
{
    whorl_generator_destroy(*generator);
}

#ifdef __cplusplus
}
#endif

#endif
