/* SPDX-License-Identifier: MIT */
/* Reads names and passwords, see user.h. */
#include "tools/get/user.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <whorl/error.h>

enum { LINE_SIZE = 4096 };

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
enum { SIGNALS_COUNT = sizeof signals / sizeof signals[0] };

/* Reads up to the end of a line. Returns the length without the end of the line; -E2BIG when it is
 * too long; -EILSEQ when it contains a NUL; -errno; -EINTR after a signal of on_signal(). */
static ssize_t read_line(int fd, char line[LINE_SIZE])
{
    size_t len = 0;

    for (;;) {
        char c;
        ssize_t n = caught ? -1 : read(fd, &c, 1);
        if (caught)
            return -EINTR;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0 || c == '\n')
            break;
        if (len == LINE_SIZE - 1)
            return -E2BIG;
        line[len++] = c;
    }
    if (len > 0 && line[len - 1] == '\r')
        len--;
    line[len] = '\0';
    return memchr(line, '\0', len) ? -EILSEQ : (ssize_t)len;
}

/* Catches the signals that would end the program, unless they are ignored, and unblocks them. */
static void catch_signals(struct sigaction old[SIGNALS_COUNT], sigset_t *old_mask)
{
    const struct sigaction action = {.sa_handler = on_signal};
    sigset_t mask;

    caught = 0;
    sigemptyset(&mask);
    for (int i = 0; i < SIGNALS_COUNT; i++) {
        sigaction(signals[i], NULL, &old[i]);
        if (old[i].sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
        sigaddset(&mask, signals[i]);
    }
    sigprocmask(SIG_UNBLOCK, &mask, old_mask);
}

/* Undoes catch_signals(). If a signal was caught, it now does what it would have done. */
static void release_signals(const struct sigaction old[SIGNALS_COUNT], const sigset_t *old_mask)
{
    for (int i = 0; i < SIGNALS_COUNT; i++)
        sigaction(signals[i], &old[i], NULL);
    if (caught)
        raise(caught);
    sigprocmask(SIG_SETMASK, old_mask, NULL);
}

/* Reads a line without echo. A signal that would end the program ends the reading first, because
 * the terminal must echo again. A stop (Ctrl-Z) is ignored for that reason. */
static ssize_t read_hidden(int fd, char line[LINE_SIZE])
{
    struct sigaction old[SIGNALS_COUNT], old_stop;
    struct termios before, hidden;
    sigset_t old_mask;

    if (tcgetattr(fd, &before) < 0)
        return -errno;
    catch_signals(old, &old_mask);
    sigaction(SIGTSTP, &(struct sigaction){.sa_handler = SIG_IGN}, &old_stop);
    hidden = before;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    hidden.c_lflag |= ECHONL;
    ssize_t len = tcsetattr(fd, TCSAFLUSH, &hidden) < 0 ? -errno : read_line(fd, line);
    while (tcsetattr(fd, TCSAFLUSH, &before) < 0 && errno == EINTR)
        ;
    if (caught)
        dprintf(fd, "\n");
    sigaction(SIGTSTP, &old_stop, NULL);
    release_signals(old, &old_mask);
    return len;
}

/* Asks on the terminal. */
static int ask(const char *name, char **ret, char *why, size_t why_size)
{
    char line[LINE_SIZE];
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    ssize_t len = fd < 0 ? -errno : 0;

    if (fd >= 0) {
        dprintf(fd, "Password for %s: ", name);
        len = read_hidden(fd, line);
        close(fd);
    }
    if (len >= 0 && !(*ret = strdup(line)))
        len = -ENOMEM;
    explicit_bzero(line, sizeof line);
    if (len == -EILSEQ)
        snprintf(why, why_size, "--user: the password contains a control byte");
    else if (len < 0)
        snprintf(why, why_size, "--user: no password given, and no terminal to ask for it: %s",
                 whorl_strerror((int)len));
    return len < 0 ? (int)len : 0;
}

static int split(struct user *ret, const char *text, char *why, size_t why_size)
{
    const char *colon = strchr(text, ':');

    ret->name = colon ? strndup(text, (size_t)(colon - text)) : strdup(text);
    if (!ret->name)
        return -ENOMEM;
    if (!colon)
        return ask(ret->name, &ret->password, why, why_size);
    ret->password = strdup(colon + 1);
    return ret->password ? 0 : -ENOMEM;
}

static int load_file(struct user *ret, const char *path, char *why, size_t why_size)
{
    char line[LINE_SIZE];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    ssize_t len = fd < 0 ? -errno : read_line(fd, line);
    int err = len < 0 ? (int)len : 0;

    if (fd >= 0)
        close(fd);
    if (err == -EILSEQ)
        snprintf(why, why_size, "--user: %s: the first line contains a control byte", path);
    else if (err)
        snprintf(why, why_size, "--user: %s: %s", path, whorl_strerror(err));
    else if (len == 0)
        snprintf(why, why_size, "--user: %s: the first line is empty", path);
    if (err == 0)
        err = len == 0 ? -EINVAL : split(ret, line, why, why_size);
    explicit_bzero(line, sizeof line);
    return err;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

int user_load(struct user *ret, const char *text, char *why, size_t why_size)
{
    bool is_file = *text == '@';

    snprintf(why, why_size, "--user: out of memory");
    int err = is_file ? load_file(ret, text + 1, why, why_size) : split(ret, text, why, why_size);
    if (err)
        return err;
    bool is_name = has_control(ret->name);
    if (!is_name && !has_control(ret->password))
        return 0;
    snprintf(why, why_size, "--user: %s%sthe %s contains a control byte", is_file ? text + 1 : "",
             is_file ? ": " : "", is_name ? "user name" : "password");
    return -EINVAL;
}

void user_wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

void user_finish(struct user *user)
{
    user_wipe(user->name);
    user_wipe(user->password);
    *user = (struct user){0};
}
