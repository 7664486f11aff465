/* SPDX-License-Identifier: MIT */
/* The backtrace of another thread.
 *
 *     watchdog                                    the run's thread
 *     state = ASKED, pthread_kill(SIGURG)  ---->  handler: ASKED -> TAKING
 *     looks at the state every millisecond          unwinds its own stack, without malloc
 *     TAKEN: looks up the names            <----    state = TAKEN
 *
 * SIGURG, because it is ignored by default: a signal that arrives late, or in a program that has
 * taken the handler away, does no harm. System calls are restarted after it, except for those that
 * never are, such as poll(2) and nanosleep(2): they return EINTR. */
#include "runtime/debug/backtrace.h"

#include <signal.h>
#include <string.h>
#include <time.h>
#include <unwind.h>

#include <whorl/text.h>

#include "runtime/base/forks.h"
#include "runtime/debug/symbol.h"

#define PATIENCE_MS 100

/* The thread that was asked; NULL: none. */
static _Atomic(struct backtrace *) asked;

/* How far an unwinding is. */
struct unwinding {
    struct backtrace *b;
    bool inside; /* the frames of the handler are over */
};

static _Unwind_Reason_Code note_frame(struct _Unwind_Context *context, void *arg)
{
    struct unwinding *u = arg;
    int interrupted = 0;
    uintptr_t pc = _Unwind_GetIPInfo(context, &interrupted);

    u->inside |= interrupted != 0; /* the frame in which the signal arrived */
    if (!u->inside)
        return _URC_NO_REASON;
    if (pc == 0 || u->b->count == BACKTRACE_MAX)
        return _URC_END_OF_STACK;
    /* A return address may be the first byte of the next line, or of the next function. */
    u->b->pcs[u->b->count++] = interrupted ? pc : pc - 1;
    return _URC_NO_REASON;
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    struct backtrace *b = atomic_load(&asked);
    int expected = BACKTRACE_ASKED;

    (void)number, (void)info, (void)context;
    if (!b || !pthread_equal(b->thread, pthread_self()) ||
        !atomic_compare_exchange_strong(&b->state, &expected, BACKTRACE_TAKING))
        return;
    b->count = 0;
    if (!b->is_wanted || b->is_wanted(b->arg))
        _Unwind_Backtrace(note_frame, &(struct unwinding){b, false});
    atomic_store(&b->state, BACKTRACE_TAKEN);
}

/* Whether SIGURG has our handler. */
static bool has_handler(void)
{
    struct sigaction now;

    return sigaction(SIGURG, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) &&
           now.sa_sigaction == on_signal;
}

void backtrace_init(struct backtrace *b, bool (*is_wanted)(void *arg), void *arg)
{
    struct sigaction now,
        action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};

    *b = (struct backtrace){.thread = pthread_self(), .is_wanted = is_wanted, .arg = arg};
    b->depth = forks_watch();
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGURG, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
        (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN))
        sigaction(SIGURG, &action, NULL);
}

/* Makes `b` the thread that is asked. Returns false while another thread is. */
static bool claim(struct backtrace *b)
{
    struct backtrace *other = NULL;

    if (atomic_compare_exchange_strong(&asked, &other, b))
        return true;
    /* In a forked child, the parent's request is never answered. */
    return forks_copied(other->depth) && atomic_compare_exchange_strong(&asked, &other, b);
}

static bool await_answer(struct backtrace *b)
{
    const struct timespec pause = {0, 1000000};
    int expected = BACKTRACE_ASKED;

    for (int i = 0; i < PATIENCE_MS && atomic_load(&b->state) == BACKTRACE_ASKED; i++)
        nanosleep(&pause, NULL);
    if (atomic_compare_exchange_strong(&b->state, &expected, BACKTRACE_IDLE))
        return false;
    while (atomic_load(&b->state) != BACKTRACE_TAKEN)
        nanosleep(&pause, NULL);
    return b->count > 0;
}

bool backtrace_take(struct backtrace *b)
{
    if (!has_handler() || !claim(b))
        return false;
    atomic_store(&b->state, BACKTRACE_ASKED);
    bool taken = pthread_kill(b->thread, SIGURG) == 0 && await_answer(b);
    atomic_store(&asked, NULL);
    return taken;
}

static void print_escaped(FILE *to, const char *text)
{
    char escaped[1024];

    whorl_text_escape(text, strlen(text), escaped, sizeof escaped);
    fputs(escaped, to);
}

/* Writes an addr2line command for the frames of the innermost file that exports no name for one of
 * its frames. Most often that file is the program. */
static void print_command(const struct backtrace *b, FILE *to)
{
    struct symbol first, symbol;
    size_t i = 0;

    for (; i < b->count; i++) {
        symbol_find(b->pcs[i], &first);
        if (first.file[0] && !first.name[0])
            break;
    }
    if (i == b->count)
        return;
    fputs("  source lines: addr2line -fipe ", to);
    print_escaped(to, first.file);
    for (; i < b->count; i++) {
        symbol_find(b->pcs[i], &symbol);
        if (strcmp(symbol.file, first.file) == 0)
            fprintf(to, " 0x%zx", (size_t)symbol.in_file);
    }
    putc('\n', to);
}

void backtrace_print(const struct backtrace *b, FILE *to)
{
    for (size_t i = 0; i < b->count; i++) {
        struct symbol symbol;
        symbol_find(b->pcs[i], &symbol);
        fprintf(to, "  #%zu ", i);
        if (symbol.name[0]) {
            print_escaped(to, symbol.name);
            fprintf(to, "+0x%zx in ", symbol.in_function);
        }
        print_escaped(to, symbol.file[0] ? symbol.file : "?");
        fprintf(to, "+0x%zx\n", (size_t)symbol.in_file);
    }
    print_command(b, to);
}
