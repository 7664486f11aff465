/* SPDX-License-Identifier: MIT */
/* Futures: one result that any number of tasks wait for, and generators: tasks that yield values to
 * the one who pulls them.
 *
 *     struct whorl_future page = {0};
 *     int err = whorl_spawn_future(&group, fetch, &job, &page);
 *     ...
 *     err = whorl_future_wait(&page);              // this task only; the group is joined later
 *     if (err == 0)
 *         err = page.result;                       // what fetch() returned
 *
 * A future says that something has come about and how; data goes beside it, in the struct that
 * embeds it or that the task's argument points at.
 */
#ifndef WHORL_FUTURE_H
#define WHORL_FUTURE_H

#include <whorl/base.h>
#include <whorl/group.h>
#include <whorl/select.h>
#include <whorl/sync.h>

/* Zero-initialised is a future that is open. */
struct whorl_future {
    int result; /* valid once done */
    bool done;
    struct whorl_wait_queue waiters;
    /* Set by who works for it, while cancelling can still do something: asks that one to stop. */
    void (*cancel)(struct whorl_future *future);
    void *worker;
    bool cancel_requested;
    const char *name; /* for reports; may be set by the user, static */
};

struct whorl_generator;

#ifdef __cplusplus
extern "C" {
#endif

/** Sets the result and wakes all who wait. A future is completed once; again: nothing happens and
 *  false is returned. Never suspends. */
WHORL_API bool whorl_future_complete(struct whorl_future *future, int result);

/**
 * Waits until the future is done.
 *
 * Returns:  0, with `future->result` valid; WHORL_ENOTASK.
 * Suspends: until it is done.
 * Cancel:   -ECANCELED; whoever works for the future goes on.
 */
WHORL_API WHORL_SUSPENDS int whorl_future_wait(struct whorl_future *future);

/**
 * Asks for an end. The task behind the future is cancelled, and what it then returns is the result;
 * offloaded work is withdrawn if it has not begun; a future nobody works for is completed with
 * -ECANCELED. Never suspends.
 */
WHORL_API void whorl_future_cancel(struct whorl_future *future);

/** A future being done, for whorl_select(). The case's result is 0; see `future->result`. */
WHORL_API struct whorl_case whorl_case_future(struct whorl_future *future);

/**
 * Starts a task whose end completes `future`, which must be open and stay valid until then. Its
 * result is the group's business too, as with whorl_spawn(). The future's memory may belong to the
 * group's owner. `int whorl_spawn_future(group, fn, arg, future)`
 *
 * Returns: as whorl_spawn(). On failure the future stays open. Never suspends.
 */
#define whorl_spawn_future(group, fn, arg, future)        \
    whorl_spawn_future_at((group), (fn), (arg), (future), \
                          #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__))

/** whorl_spawn_future() with a static description of the call site. */
WHORL_API int whorl_spawn_future_at(struct whorl_group *group, whorl_task_fn fn, void *arg,
                                    struct whorl_future *future, const char *site);

/* --- generators --------------------------------------------------------------------------------
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
 *     WHORL_AUTO(generator) *generator = whorl_generator_create(squares, &n, sizeof(long));
 *     long value;
 *     while ((err = whorl_generator_next(generator, &value)) > 0)
 *         printf("%ld\n", value);
 */

/* A generator's body: runs from one whorl_generator_yield() to the next as values are pulled. */
typedef WHORL_SUSPENDS int (*whorl_generator_fn)(struct whorl_generator *generator, void *arg);

/**
 * Makes a generator. Its body starts with the first whorl_generator_next().
 * `struct whorl_generator *whorl_generator_create(whorl_generator_fn fn, void *arg, size_t value_size)`
 *
 * @value_size  bytes of a value
 *
 * Returns: the generator; destroy it with whorl_generator_destroy(), in the same task. NULL: no
 * memory, or outside a task. Never suspends.
 */
#define whorl_generator_create(fn, arg, value_size)      \
    whorl_generator_create_at((fn), (arg), (value_size), \
                              #fn " at " __FILE__ ":" WHORL_STRINGIFY(__LINE__))

/** whorl_generator_create() with a static description of the call site, for reports. */
WHORL_API WHORL_CHECKED struct whorl_generator *whorl_generator_create_at(whorl_generator_fn fn,
                                                                          void *arg,
                                                                          size_t value_size,
                                                                          const char *site);

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
