/* SPDX-License-Identifier: MIT */
/* The backtrace of another thread.
 *
 *     watchdog                                    the run's thread, which computes
 *     state = ASKED, pthread_kill(SIGURG)  ---->  handler: ASKED -> TAKING
 *     looks at the state every millisecond        unwinds its own stack, without malloc
 *     TAKEN: looks up the names            <----  state = TAKEN
 *
 * The signal is SIGURG, because it is ignored by default: it does no harm if it arrives late, or
 * after the program has removed the handler.
 *
 * A thread in a system call gets no signal, because many calls, such as poll(2) and nanosleep(2),
 * would end with EINTR. The kernel reports the program counter and the stack pointer of such a
 * thread. Every word on its stack that points just after a call instruction is taken as a return
 * address. Most of these words are; a few may be left over from earlier calls.
 */
#include "runtime/debug/backtrace.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifdef __GLIBC__
#include <unwind.h>
#endif

#include <whorl/text.h>

#include "runtime/base/forks.h"
#include "runtime/debug/peek.h"
#include "runtime/debug/registers.h"
#include "runtime/debug/symbol.h"

#define PATIENCE_MS 100

/* The thread that was asked; NULL: none. */
static _Atomic(struct backtrace *) asked;

#ifdef __GLIBC__

/* The progress of an unwinding. */
struct unwinding {
    struct backtrace *b;
    bool inside; /* the frames of the handler have been skipped */
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
    /* A return address may belong to the next source line, or even to the next function. The byte
     * before it belongs to the call. */
    u->b->pcs[u->b->count++] = interrupted ? pc : pc - 1;
    return _URC_NO_REASON;
}

/* Runs in the signal handler. */
static void note_frames(struct backtrace *b, const ucontext_t *u)
{
    (void)u;
    _Unwind_Backtrace(note_frame, &(struct unwinding){b, false});
}

#else

/* Other C libraries may have no unwinder, so the stack is copied. Runs in the signal handler. */
static void note_frames(struct backtrace *b, const ucontext_t *u)
{
    uintptr_t sp = registers_sp(u);

    if (sp < (uintptr_t)b->low || sp >= (uintptr_t)b->high)
        return;
    b->word_count = ((uintptr_t)b->high - sp) / sizeof b->words[0];
    if (b->word_count > BACKTRACE_WORDS)
        b->word_count = BACKTRACE_WORDS;
    memcpy(b->words, (const void *)sp, b->word_count * sizeof b->words[0]);
    b->pcs[b->count++] = registers_pc(u);
}

#endif

static void on_signal(int number, siginfo_t *info, void *context)
{
    struct backtrace *b = atomic_load(&asked);
    int expected = BACKTRACE_ASKED;

    (void)number, (void)info;
    if (!b || !pthread_equal(b->thread, pthread_self()) ||
        !atomic_compare_exchange_strong(&b->state, &expected, BACKTRACE_TAKING))
        return;
    if (!b->is_wanted || b->is_wanted(b->arg))
        note_frames(b, context);
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
    b->tid = (pid_t)syscall(SYS_gettid);
    b->depth = forks_watch();
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGURG, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
        (now.sa_handler == SIG_DFL || now.sa_handler == SIG_IGN))
        sigaction(SIGURG, &action, NULL);
}

/* Makes `b` the thread that is asked. Returns false while another thread is being asked. */
static bool claim(struct backtrace *b)
{
    struct backtrace *other = NULL;

    if (atomic_compare_exchange_strong(&asked, &other, b))
        return true;
    /* In a forked child, the request of the parent is never answered, so it can be replaced. */
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

/* --- threads in system calls ------------------------------------------------------------------ */

enum thread_place { THREAD_RUNS, THREAD_IN_CALL, THREAD_UNKNOWN };

/* Asks the kernel where the thread is. */
static enum thread_place find_thread(const struct backtrace *b, uintptr_t *ret_sp,
                                     uintptr_t *ret_pc)
{
    char path[64], text[256] = "";

    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)b->tid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return THREAD_UNKNOWN;
    if (strncmp(text, "running", 7) == 0)
        return THREAD_RUNS;
    /* The stack pointer and the program counter are the last two fields. */
    char *pc = strrchr(text, ' ');
    if (!pc)
        return THREAD_UNKNOWN;
    *pc = '\0';
    char *sp = strrchr(text, ' ');
    if (!sp)
        return THREAD_UNKNOWN;
    *ret_sp = (uintptr_t)strtoull(sp + 1, NULL, 16);
    *ret_pc = (uintptr_t)strtoull(pc + 1, NULL, 16);
    return THREAD_IN_CALL;
}

/* Whether the instruction before `address` is a call. */
static bool follows_call(uintptr_t address)
{
    unsigned char code[8]; /* before `address` */

    if (address < 65536 || !symbol_is_in_file(address) ||
        !peek(code, (const void *)(address - sizeof code), sizeof code))
        return false;
#if defined(__x86_64__)
    if (code[3] == 0xe8) /* call rel32 */
        return true;
    for (size_t len = 2; len <= 7; len++) /* call r/m64: ff /2 */
        if (code[sizeof code - len] == 0xff && (code[sizeof code - len + 1] >> 3 & 7) == 2)
            return true;
    return false;
#elif defined(__aarch64__)
    uint32_t word;
    memcpy(&word, code + 4, sizeof word);
    return (word & 0xfc000000) == 0x94000000 || (word & 0xfffffc1f) == 0xd63f0000; /* bl, blr */
#else
    return false;
#endif
}

/* Notes the copied words that look like return addresses. */
static void guess_frames(struct backtrace *b)
{
    for (size_t i = 0; i < b->word_count && b->count < BACKTRACE_MAX; i++)
        if (follows_call(b->words[i]))
            b->pcs[b->count++] = b->words[i] - 1;
    b->is_guessed = true;
}

/* Copies the stack of a thread that does not run. */
static bool copy_stack(struct backtrace *b, uintptr_t pc, uintptr_t sp)
{
    if (sp < (uintptr_t)b->low || sp >= (uintptr_t)b->high)
        return false;
    b->pcs[b->count++] = pc;
    b->word_count = ((uintptr_t)b->high - sp) / sizeof b->words[0];
    if (b->word_count > BACKTRACE_WORDS)
        b->word_count = BACKTRACE_WORDS;
    return peek(b->words, (const void *)sp, b->word_count * sizeof b->words[0]);
}

/* --- taking ----------------------------------------------------------------------------------- */

static bool ask_thread(struct backtrace *b)
{
    if (!has_handler() || !claim(b))
        return false;
    atomic_store(&b->state, BACKTRACE_ASKED);
    bool taken = pthread_kill(b->thread, SIGURG) == 0 && await_answer(b);
    atomic_store(&asked, NULL);
    return taken;
}

bool backtrace_take(struct backtrace *b, const void *low, const void *high)
{
    uintptr_t sp = 0, pc = 0;
    bool taken = false;

    b->low = low;
    b->high = high;
    b->count = b->word_count = 0;
    b->is_guessed = false;
    switch (find_thread(b, &sp, &pc)) {
    case THREAD_RUNS:
        taken = ask_thread(b);
        break;
    case THREAD_IN_CALL:
        taken = copy_stack(b, pc, sp) && (!b->is_wanted || b->is_wanted(b->arg));
        break;
    case THREAD_UNKNOWN:
        break;
    }
    if (taken && b->word_count > 0)
        guess_frames(b);
    return taken;
}

static void print_escaped(FILE *to, const char *text)
{
    char escaped[1024];

    whorl_text_escape(text, strlen(text), escaped, sizeof escaped);
    fputs(escaped, to);
}

/* Writes an addr2line command for the frames of one file. It is the innermost file that has a frame
 * without an exported name, usually the program. */
static void print_command(const struct backtrace *b, FILE *to)
{
    struct symbol first, symbol;
    size_t i = 0;

    for (; i < b->count; i++) {
        symbol_find(b->pcs[i], &first);
        if (strchr(first.file, '/') && !first.name[0]) /* the vDSO is no file */
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
        fprintf(to, "  #%zu %s", i, b->is_guessed && i > 0 ? "? " : "");
        if (symbol.name[0]) {
            print_escaped(to, symbol.name);
            fprintf(to, "+0x%zx in ", symbol.in_function);
        }
        print_escaped(to, symbol.file[0] ? symbol.file : "?");
        fprintf(to, "+0x%zx\n", (size_t)symbol.in_file);
    }
    print_command(b, to);
}
