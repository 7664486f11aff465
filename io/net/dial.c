/* SPDX-License-Identifier: MIT */
/* Connects to a host by name: Happy Eyeballs, RFC 8305. The addresses come from an override, from
 * the caller's resolver, or from the lookups of the run; each is in the order of attempts as soon
 * as it is known.
 *
 * The whole race is on the stack of the task that dials. Lookups, attempts and the timer have no
 * tasks of their own. Each of them sets the same event, and the task then looks at the state of the
 * race:
 *
 *     lookup done ------+                        +--> start the next attempt (now, or at the timer)
 *     attempt ended ----+--> ask.changed --> run_race: an attempt has won: stop
 *     timer ------------+                        +--> no address and no attempt is left: stop
 *
 * Before the call returns, it cancels the attempts that are still in flight and waits for them,
 * because the kernel uses their addresses, which are on the stack.
 */
#include <errno.h>
#include <unistd.h>

#include <whorl/dial.h>
#include <whorl/dns.h>
#include <whorl/fd.h>
#include <whorl/park.h>
#include <whorl/scope.h>
#include <whorl/sync.h>
#include <whorl/timer.h>

#include "io/dns/dns.h"
#include "io/driver/op.h"
#include "io/net/addr_order.h"
#include "io/net/dial_options.h"
#include "io/net/dial_override.h"
#include "io/net/dial_rank.h"
#include "io/net/dial_resolve.h"
#include "io/net/dial_socket.h"
#include "runtime/base/check.h"

/* RFC 8305 §3: how long IPv4 addresses wait for IPv6 addresses. */
#define RESOLUTION_DELAY_NS (50 * WHORL_MILLISECOND)

/* RFC 8305 §5: the time between the starts of two attempts. */
#define ATTEMPT_DELAY_NS (250 * WHORL_MILLISECOND)

enum { WATCHED_MAX = 8 }; /* addresses that a watch gets in one event */

struct race;

struct attempt {
    struct io_op connect; /* first field: the completion converts it to the attempt */
    struct race *race;
    const struct addr_order_item *to; /* in the order of the race */
    int fd;                           /* -1 once closed */
    bool underway;                    /* `connect` is in flight */
};

struct race {
    struct dns_ask ask; /* its event is set by lookups, attempts and the timer */
    struct addr_order order;
    bool took_v6, took_v4; /* the addresses of the lookup are in the order */
    struct whorl_timer timer;
    const struct whorl_dial_options *options;
    uint16_t port;
    int64_t attempt_delay_ns;
    int64_t hold_until_ns; /* until when IPv4 waits for IPv6; 0: it does not wait yet */
    int64_t next_ns;       /* when the next attempt is due; 0: at once */
    size_t underway;       /* how many attempts are in flight */
    struct attempt *winner;
    const struct addr_order_item *failed; /* the address that failed last; NULL: none */
    int failed_err;                       /* its error */
    bool over; /* the race has ended: attempts that end now neither win nor fail */
    size_t attempt_count;
    struct attempt attempts[ADDR_ORDER_MAX];
};

/* --- the watch --- */

static void tell(const struct whorl_dial_options *options, const struct whorl_dial_event *event)
{
    if (options->watch)
        options->watch->event(options->watch->arg, event);
}

static void tell_addr(const struct whorl_dial_options *options, enum whorl_dial_step step,
                      const struct whorl_addr *addr, int err)
{
    tell(options, &(struct whorl_dial_event){.step = step, .addr = addr, .err = err});
}

/* Tells which addresses are known when the attempts begin. A function of its own, so that its
 * arrays are on the stack only during the call. */
__attribute__((noinline)) static void tell_resolved(const struct whorl_dial_options *options,
                                                    const struct addr_order *order)
{
    struct addr_order rest = *order;
    struct whorl_addr addrs[WATCHED_MAX];
    size_t count = 0;

    while (count < WATCHED_MAX && rest.left > 0)
        addr_order_to_addr(addr_order_next(&rest), &addrs[count++]);
    tell(options, &(struct whorl_dial_event){
                      .step = WHORL_DIAL_RESOLVED, .addrs = addrs, .addrs_count = count});
}

/* Fails with "ADDR: text", or with "ADDR from LOCAL: text" when the options bind the socket. */
static int fail_connect(const struct whorl_addr *addr, const struct whorl_dial_options *options,
                        int err, struct whorl_error *error)
{
    const char *local = options->local_addr ? options->local_addr : options->interface;
    char text[WHORL_ADDR_TEXT_MAX];

    if (error)
        whorl_error_set(error, err, "connect", "%s%s%s: %s",
                        whorl_addr_text(addr, text, sizeof text), local ? " from " : "",
                        local ? local : "", whorl_strerror(err));
    return err;
}

static int fail_resolve(const char *host, int err, struct whorl_error *error)
{
    return whorl_error_set(error, err, "resolve", "%s: %s", host ? host : "", whorl_strerror(err));
}

static const char *family_name(int family)
{
    return family == AF_INET6 ? "IPv6" : "IPv4";
}

/* The host is an address, but of another family than the options allow. */
static int fail_family(const char *host, const struct whorl_addr *addr, int allowed,
                       const struct whorl_dial_options *options, struct whorl_error *error)
{
    const char *is = family_name(addr->sa.sa_family), *may = family_name(allowed);

    if (options->family == AF_UNSPEC)
        return whorl_error_set(error, WHORL_EDNS_NODATA, "resolve",
                               "%s: this is an %s address, but the local address %s is %s", host,
                               is, options->local_addr, may);
    return whorl_error_set(error, WHORL_EDNS_NODATA, "resolve",
                           "%s: this is an %s address, but only %s is allowed", host, is, may);
}

/* Connects to the only address; there is no race. */
static WHORL_SUSPENDS int connect_one(const struct whorl_addr *addr,
                                      const struct whorl_dial_options *options,
                                      struct whorl_error *error, struct whorl_addr *ret_peer)
{
    tell_addr(options, WHORL_DIAL_TRY, addr, 0);
    int fd = dial_socket_open(&addr->sa, options);
    int err = fd < 0 ? fd : whorl_connect(fd, addr);

    if (err < 0) {
        if (fd >= 0)
            close(fd);
        tell_addr(options, WHORL_DIAL_FAILED, addr, err);
        return fail_connect(addr, options, err, error);
    }
    tell_addr(options, WHORL_DIAL_CONNECTED, addr, 0);
    if (ret_peer)
        *ret_peer = *addr;
    return fd;
}

/* --- attempts --- */

static void tell_attempt(const struct attempt *attempt, enum whorl_dial_step step, int err)
{
    const struct race *race = attempt->race;
    struct whorl_addr addr;

    if (!race->options->watch)
        return;
    addr_order_to_addr(attempt->to, &addr);
    tell_addr(race->options, step, &addr, err);
}

static void note_failure(struct attempt *attempt, int err)
{
    attempt->race->failed = attempt->to;
    attempt->race->failed_err = err;
    attempt->race->next_ns = 0;
    tell_attempt(attempt, WHORL_DIAL_FAILED, err);
}

static void end_attempt(struct attempt *attempt, int err)
{
    struct race *race = attempt->race;

    if (err == 0 && !race->over && !race->winner) {
        race->winner = attempt;
        tell_attempt(attempt, WHORL_DIAL_CONNECTED, 0);
        return;
    }
    close(attempt->fd);
    attempt->fd = -1;
    if (err && !race->over)
        note_failure(attempt, err);
}

static void on_connected(struct io_op *op, int res, bool more)
{
    struct attempt *attempt = (struct attempt *)op;
    struct race *race = attempt->race;

    (void)more;
    /* A worker thread of the kernel was interrupted. The same request, submitted again, continues
     * to wait for the connection. */
    if (res == -EINTR && !race->over && (res = io_op_start(op)) == 0)
        return;
    attempt->underway = false;
    race->underway--;
    end_attempt(attempt, res == -EISCONN ? 0 : res);
    whorl_event_set(&race->ask.changed);
}

static void start_attempt(struct race *race, const struct addr_order_item *to)
{
    struct attempt *attempt = &race->attempts[race->attempt_count++];

    attempt->race = race;
    attempt->to = to;
    attempt->fd = dial_socket_open(&to->sa, race->options);
    attempt->underway = false;
    tell_attempt(attempt, WHORL_DIAL_TRY, 0);
    if (attempt->fd < 0) {
        note_failure(attempt, attempt->fd);
        return;
    }
    attempt->connect = (struct io_op){.code = IO_OP_CONNECT,
                                      .fd = attempt->fd,
                                      .addr = (uintptr_t)&to->sa,
                                      .len = addr_order_len(to),
                                      .complete = on_connected};
    int err = io_op_start(&attempt->connect);
    if (err) {
        end_attempt(attempt, err);
        return;
    }
    attempt->underway = true;
    race->underway++;
    race->next_ns = whorl_after(race->attempt_delay_ns);
}

/* --- the race --- */

/* Adds the addresses of a lookup to the order of attempts, once it is done. */
static void take_lookup(struct race *race, const struct dns_lookup *lookup, bool *took)
{
    struct whorl_addr addr;

    if (!lookup->done || *took)
        return;
    *took = true;
    for (int i = 0; i < lookup->result; i++) {
        dns_ip_to_addr(&lookup->ips[i], race->port, &addr);
        addr_order_add(&race->order, &addr);
    }
}

static void take_answers(struct race *race)
{
    take_lookup(race, &race->ask.v6, &race->took_v6);
    take_lookup(race, &race->ask.v4, &race->took_v4);
    dial_rank(&race->order, race->options);
}

/* When the first attempt may start: at once when the IPv6 lookup is done, else when IPv4 has waited
 * long enough. WHORL_FOREVER while no address is known. */
static int64_t first_start_ns(struct race *race)
{
    if (race->order.left == 0)
        return WHORL_FOREVER;
    if (race->ask.v6.done)
        return 0;
    if (race->hold_until_ns == 0)
        race->hold_until_ns = whorl_after(RESOLUTION_DELAY_NS);
    return race->hold_until_ns;
}

/* When the next attempt is due; 0: now. */
static int64_t next_start_ns(struct race *race)
{
    int64_t due_ns = race->attempt_count == 0 ? first_start_ns(race)
                     : race->order.left > 0   ? race->next_ns
                                              : WHORL_FOREVER;
    return due_ns <= whorl_now() ? 0 : due_ns;
}

static void on_timer(struct whorl_timer *timer)
{
    struct race *race = (struct race *)((char *)timer - offsetof(struct race, timer));

    whorl_event_set(&race->ask.changed);
}

/* Starts attempts until one wins (returns 0) or all have failed (returns the error to report). */
static WHORL_SUSPENDS int run_race(struct race *race)
{
    for (;;) {
        take_answers(race);
        if (race->winner)
            return 0;
        int64_t due_ns = next_start_ns(race);
        if (due_ns == 0) {
            if (race->attempt_count == 0 && race->options->watch)
                tell_resolved(race->options, &race->order);
            start_attempt(race, addr_order_next(&race->order));
            continue;
        }
        bool all_known = race->ask.v6.done && race->ask.v4.done;
        if (all_known && race->underway == 0 && race->order.left == 0)
            return race->failed ? race->failed_err : dns_ask_error(&race->ask);
        if (due_ns != WHORL_FOREVER)
            whorl_timer_arm(&race->timer, due_ns, on_timer);
        else
            whorl_timer_disarm(&race->timer);
        whorl_event_reset(&race->ask.changed);
        int err = whorl_event_wait(&race->ask.changed);
        if (err && !race->winner)
            return err;
    }
}

/* Cancels the attempts in flight and waits for them. Closes every socket but the winner's. */
static WHORL_SUSPENDS_SHIELDED void end_race(struct race *race)
{
    struct whorl_scope shield;

    race->over = true;
    dns_ask_finish(&race->ask);
    whorl_timer_disarm(&race->timer);
    if (race->underway == 0)
        return;
    for (size_t i = 0; i < race->attempt_count; i++)
        if (race->attempts[i].underway)
            io_op_cancel(&race->attempts[i].connect);
    whorl_scope_enter_shield(&shield, WHORL_FOREVER);
    while (race->underway > 0) {
        whorl_event_reset(&race->ask.changed);
        int err = whorl_event_wait(&race->ask.changed);
        whorl_check(err == 0); /* it is shielded and runs in a task, so it cannot fail */
    }
    whorl_scope_leave(&shield, 0);
}

/* Fills the order with the addresses that the options give for the host. Returns their count; 0:
 * none, so the run's own resolver is asked; or an error. Its array is on the stack only during the
 * call. */
__attribute__((noinline)) static WHORL_SUSPENDS int take_own_addrs(struct race *race,
                                                                   const char *host)
{
    struct whorl_addr addrs[ADDR_ORDER_MAX];

    int count = dial_resolve_own(host, race->port, race->options, addrs, ADDR_ORDER_MAX,
                                 &race->order.as_given);
    for (int i = 0; i < count; i++)
        addr_order_add(&race->order, &addrs[i]);
    return count;
}

/* There is nothing to look up. */
static void skip_lookups(struct dns_ask *ask)
{
    struct dns_lookup *lookups[] = {&ask->v6, &ask->v4};

    ask->changed = (struct whorl_event){0};
    for (size_t i = 0; i < 2; i++) {
        lookups[i]->entry = NULL;
        lookups[i]->done = true;
        lookups[i]->result = 0;
    }
}

/* Starts to find the addresses. 0, or an error. */
static WHORL_SUSPENDS int find_addrs(struct race *race, const char *host)
{
    bool may_have = race->options->overrides_count > 0 || race->options->resolver.resolve;
    int count = may_have ? take_own_addrs(race, host) : 0; /* otherwise the stack stays small */

    if (count < 0)
        return count;
    if (count == 0)
        return dns_ask_start(&race->ask, host, dial_options_family(race->options));
    skip_lookups(&race->ask);
    return 0;
}

/* Not all of it: the arrays are large and are filled when they are used. */
static void init_race(struct race *race, uint16_t port, const struct whorl_dial_options *options)
{
    race->order.count = race->order.left = race->order.ranked = 0;
    race->order.last_family = AF_UNSPEC;
    race->order.as_given = false;
    race->took_v6 = race->took_v4 = false;
    race->timer = (struct whorl_timer){0};
    race->options = options;
    race->port = port;
    race->attempt_delay_ns =
        options->attempt_delay_ns ? options->attempt_delay_ns : ATTEMPT_DELAY_NS;
    race->hold_until_ns = race->next_ns = 0;
    race->underway = race->attempt_count = 0;
    race->winner = NULL;
    race->failed = NULL;
    race->failed_err = 0;
    race->over = false;
}

static WHORL_SUSPENDS int dial_name(const char *host, uint16_t port,
                                    const struct whorl_dial_options *options,
                                    struct whorl_error *error, struct whorl_addr *ret_peer)
{
    struct race race;
    struct whorl_addr addr;

    if (!dial_override_find(options->overrides, options->overrides_count, host, port))
        tell(options, &(struct whorl_dial_event){.step = WHORL_DIAL_RESOLVE, .host = host});
    init_race(&race, port, options);
    int err = find_addrs(&race, host);
    if (err)
        return fail_resolve(host, err, error);
    take_answers(&race);
    if (race.ask.v6.done && race.ask.v4.done && race.order.left == 1) {
        if (options->watch)
            tell_resolved(options, &race.order);
        addr_order_to_addr(addr_order_next(&race.order), &addr);
        return connect_one(&addr, options, error, ret_peer);
    }
    err = run_race(&race);
    end_race(&race);
    if (race.winner) {
        if (ret_peer)
            addr_order_to_addr(race.winner->to, ret_peer);
        return race.winner->fd;
    }
    if (err == -ECANCELED)
        return whorl_error_set(error, err, race.attempt_count ? "connect" : "resolve", "%s: %s",
                               host, whorl_strerror(err));
    if (!race.failed)
        return fail_resolve(host, err, error);
    addr_order_to_addr(race.failed, &addr);
    return fail_connect(&addr, options, err, error);
}

static WHORL_SUSPENDS int dial_unix(const struct whorl_dial_options *options,
                                    struct whorl_error *error, struct whorl_addr *ret_peer)
{
    struct whorl_addr addr;
    int err = whorl_addr_unix(options->unix_path, &addr);

    whorl_check(err == 0); /* the check of the options has parsed it */
    return connect_one(&addr, options, error, ret_peer);
}

WHORL_SUSPENDS int whorl_dial_tcp(const char *host, uint16_t port,
                                  const struct whorl_dial_options *options,
                                  struct whorl_error *error, struct whorl_addr *ret_peer)
{
    static const struct whorl_dial_options defaults;
    struct whorl_addr addr;

    if (!options)
        options = &defaults;
    int err = dns_check_call(host, AF_UNSPEC);
    if (err)
        return fail_resolve(host, err, error);
    err = whorl_dial_options_check(options, error);
    if (err)
        return err;
    if (options->unix_path)
        return dial_unix(options, error, ret_peer);
    if (whorl_addr_parse(host, port, &addr) != 0 ||
        dial_override_find(options->overrides, options->overrides_count, host, port))
        return dial_name(host, port, options, error, ret_peer);
    int family = dial_options_family(options);
    if (family != AF_UNSPEC && family != addr.sa.sa_family)
        return fail_family(host, &addr, family, options, error);
    return connect_one(&addr, options, error, ret_peer);
}

WHORL_SUSPENDS int whorl_dial_stream(const char *host, uint16_t port,
                                     const struct whorl_dial_options *options,
                                     struct whorl_error *error, struct whorl_stream **ret)
{
    int fd = whorl_dial_tcp(host, port, options, error, NULL);

    if (fd < 0)
        return fd;
    int err = whorl_stream_from_socket(fd, ret);
    if (err) {
        close(fd);
        return whorl_error_set(error, err, "connect", "%s: %s", host, whorl_strerror(err));
    }
    return 0;
}
