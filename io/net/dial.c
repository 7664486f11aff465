/* SPDX-License-Identifier: MIT */
/* Connects to a host by name: Happy Eyeballs, RFC 8305.
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
#include <netinet/tcp.h>
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
#include "runtime/base/check.h"

/* RFC 8305 §3: how long IPv4 addresses wait for IPv6 addresses. */
#define RESOLUTION_DELAY_NS (50 * WHORL_MILLISECOND)

/* RFC 8305 §5: the time between the starts of two attempts. */
#define ATTEMPT_DELAY_NS (250 * WHORL_MILLISECOND)

enum { TOLD_MAX = 8 }; /* addresses that a watch is told */

struct race;

struct attempt {
    struct io_op connect; /* first field: the completion converts it to the attempt */
    struct race *race;
    const struct dns_ip *ip; /* points into `ask` of the race */
    union {
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } addr;
    int fd;        /* -1 once closed */
    bool underway; /* `connect` is in flight */
};

struct race {
    struct dns_ask ask; /* its event is set by lookups, attempts and the timer */
    struct dns_order order;
    struct whorl_timer timer;
    const struct whorl_dial_options *options;
    uint16_t port;
    int64_t attempt_delay_ns;
    int64_t hold_until_ns; /* until when IPv4 waits for IPv6; 0: it does not wait yet */
    int64_t next_ns;       /* when the next attempt is due; 0: at once */
    size_t underway;       /* how many attempts are in flight */
    struct attempt *winner;
    const struct dns_ip *failed_ip; /* the address that failed last; NULL: none */
    int failed_err;                 /* its error */
    bool over; /* the race has ended: attempts that end now neither win nor fail */
    size_t attempt_count;
    struct attempt attempts[2 * DNS_IPS_MAX];
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

/* Tells which addresses are known when the attempts begin. A function of its own, so that its array
 * is on the stack only during the call. */
__attribute__((noinline)) static void tell_resolved(const struct whorl_dial_options *options,
                                                    struct dns_order order, uint16_t port)
{
    struct whorl_addr addrs[TOLD_MAX];
    size_t count = 0;

    if (!options->watch)
        return;
    while (count < TOLD_MAX && dns_order_left(&order) > 0)
        dns_ip_to_addr(dns_order_next(&order), port, &addrs[count++]);
    tell(options, &(struct whorl_dial_event){
                      .step = WHORL_DIAL_RESOLVED, .addrs = addrs, .addrs_count = count});
}

/* Opens a socket for a connection in `family`. Returns a descriptor, or -errno. */
static int open_socket(int family, const struct whorl_dial_options *options)
{
    int fd = whorl_socket(family, SOCK_STREAM, IPPROTO_TCP);

    if (fd >= 0 && !options->delay_small_writes)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return fd;
}

static int fail_connect(const struct whorl_addr *addr, int err, struct whorl_error *error)
{
    char text[WHORL_ADDR_TEXT_MAX];

    if (error)
        whorl_error_set(error, err, "connect", "%s: %s", whorl_addr_text(addr, text, sizeof text),
                        whorl_strerror(err));
    return err;
}

static int fail_resolve(const char *host, int err, struct whorl_error *error)
{
    return whorl_error_set(error, err, "resolve", "%s: %s", host ? host : "", whorl_strerror(err));
}

/* Connects to the only address; there is no race. */
static WHORL_SUSPENDS int connect_one(const struct whorl_addr *addr,
                                      const struct whorl_dial_options *options,
                                      struct whorl_error *error, struct whorl_addr *ret_peer)
{
    tell_addr(options, WHORL_DIAL_TRY, addr, 0);
    int fd = open_socket(addr->sa.sa_family, options);
    int err = fd < 0 ? fd : whorl_connect(fd, addr);

    if (err < 0) {
        if (fd >= 0)
            close(fd);
        tell_addr(options, WHORL_DIAL_FAILED, addr, err);
        return fail_connect(addr, err, error);
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
    dns_ip_to_addr(attempt->ip, race->port, &addr);
    tell_addr(race->options, step, &addr, err);
}

static void note_failure(struct attempt *attempt, int err)
{
    attempt->race->failed_ip = attempt->ip;
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

static void start_attempt(struct race *race, const struct dns_ip *ip)
{
    struct attempt *attempt = &race->attempts[race->attempt_count++];
    struct whorl_addr addr;

    dns_ip_to_addr(ip, race->port, &addr);
    attempt->race = race;
    attempt->ip = ip;
    attempt->fd = open_socket(ip->family, race->options);
    attempt->underway = false;
    tell_attempt(attempt, WHORL_DIAL_TRY, 0);
    if (attempt->fd < 0) {
        note_failure(attempt, attempt->fd);
        return;
    }
    if (ip->family == AF_INET6)
        attempt->addr.in6 = addr.in6;
    else
        attempt->addr.in = addr.in;
    attempt->connect = (struct io_op){.code = IO_OP_CONNECT,
                                      .fd = attempt->fd,
                                      .addr = (uintptr_t)&attempt->addr,
                                      .len = addr.len,
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

/* Adds the addresses of lookups that are done to the order of attempts. */
static void take_answers(struct race *race)
{
    if (race->ask.v6.done && race->ask.v6.result > 0)
        race->order.v6_count = (size_t)race->ask.v6.result;
    if (race->ask.v4.done && race->ask.v4.result > 0)
        race->order.v4_count = (size_t)race->ask.v4.result;
}

/* When the first attempt may start: at once when the IPv6 lookup is done, else when IPv4 has waited
 * long enough. WHORL_FOREVER while no address is known. */
static int64_t first_start_ns(struct race *race)
{
    if (dns_order_left(&race->order) == 0)
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
    int64_t due_ns = race->attempt_count == 0           ? first_start_ns(race)
                     : dns_order_left(&race->order) > 0 ? race->next_ns
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
            if (race->attempt_count == 0)
                tell_resolved(race->options, race->order, race->port);
            start_attempt(race, dns_order_next(&race->order));
            continue;
        }
        bool all_known = race->ask.v6.done && race->ask.v4.done;
        if (all_known && race->underway == 0 && dns_order_left(&race->order) == 0)
            return race->failed_ip ? race->failed_err : dns_ask_error(&race->ask);
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

static WHORL_SUSPENDS int dial_name(const char *host, uint16_t port,
                                    const struct whorl_dial_options *options,
                                    struct whorl_error *error, struct whorl_addr *ret_peer)
{
    struct race race;
    struct whorl_addr addr;

    tell(options, &(struct whorl_dial_event){.step = WHORL_DIAL_RESOLVE, .host = host});
    int err = dns_ask_start(&race.ask, host, options->family);
    if (err)
        return fail_resolve(host, err, error);
    race.order = (struct dns_order){.v6 = race.ask.v6.ips, .v4 = race.ask.v4.ips};
    take_answers(&race);
    if (race.ask.v6.done && race.ask.v4.done && dns_order_left(&race.order) == 1) {
        tell_resolved(options, race.order, port);
        dns_ip_to_addr(dns_order_next(&race.order), port, &addr);
        return connect_one(&addr, options, error, ret_peer);
    }
    race.timer = (struct whorl_timer){0};
    race.options = options;
    race.port = port;
    race.attempt_delay_ns =
        options->attempt_delay_ns ? options->attempt_delay_ns : ATTEMPT_DELAY_NS;
    race.hold_until_ns = race.next_ns = 0;
    race.underway = race.attempt_count = 0;
    race.winner = NULL;
    race.failed_ip = NULL;
    race.failed_err = 0;
    race.over = false;
    err = run_race(&race);
    end_race(&race);
    if (race.winner) {
        if (ret_peer)
            dns_ip_to_addr(race.winner->ip, port, ret_peer);
        return race.winner->fd;
    }
    if (err == -ECANCELED)
        return whorl_error_set(error, err, race.attempt_count ? "connect" : "resolve", "%s: %s",
                               host, whorl_strerror(err));
    if (!race.failed_ip)
        return fail_resolve(host, err, error);
    dns_ip_to_addr(race.failed_ip, port, &addr);
    return fail_connect(&addr, err, error);
}

WHORL_SUSPENDS int whorl_dial_tcp(const char *host, uint16_t port,
                                  const struct whorl_dial_options *options,
                                  struct whorl_error *error, struct whorl_addr *ret_peer)
{
    static const struct whorl_dial_options defaults;
    struct whorl_addr addr;

    if (!options)
        options = &defaults;
    int err = dns_check_call(host, options->family);
    if (err == 0 && options->attempt_delay_ns < 0)
        err = -EINVAL;
    if (err)
        return fail_resolve(host, err, error);
    if (whorl_addr_parse(host, port, &addr) != 0)
        return dial_name(host, port, options, error, ret_peer);
    if (options->family != AF_UNSPEC && options->family != addr.sa.sa_family)
        return fail_resolve(host, WHORL_EDNS_NODATA, error);
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
