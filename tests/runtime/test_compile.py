#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Mistakes that the compiler must refuse or warn about, and right programs that it must accept.

usage: test_compile.py COMPILER... -- INCLUDE_DIRECTORY...

Prints TAP.
"""
import subprocess
import sys

HEAD = """#include <whorl/chan.h>
#include <whorl/group.h>
#include <whorl/scope.h>
#include <whorl/stop.h>
#include <whorl/sync.h>
struct job { int number; const char *text; };
int work(void *arg);
int use(struct whorl_group *group, const char *text, char *buf, void *any, const struct job *job);
int use(struct whorl_group *group, const char *text, char *buf, void *any, const struct job *job)
{
    (void)group, (void)text, (void)buf, (void)any, (void)job;
    %s
    return 0;
}
"""

STRING = ["whorl_spawn_copy", "neither a string"]
UNUSED = ["unused-result"]

# The claim, the statement, and the words of the message; none: the statement is right.
CASES = [
    ("a_copy_of_a_string_literal_does_not_compile", 'return whorl_spawn_copy(group, work, "text");', STRING),
    ("a_copy_of_a_string_does_not_compile", "return whorl_spawn_copy(group, work, text);", STRING),
    ("a_copy_of_a_buffer_does_not_compile", "return whorl_spawn_copy(group, work, buf);", STRING),
    ("a_copy_of_a_char_does_not_compile",
     "char c = 'x'; return whorl_spawn_copy(group, work, &c);", STRING),
    ("a_copy_of_a_pointer_without_a_type_does_not_compile",
     "return whorl_spawn_copy(group, work, any);", ["void"]),
    ("a_copy_of_a_struct_compiles", "return whorl_spawn_copy(group, work, job);", []),
    ("a_copy_of_a_literal_with_commas_compiles",
     "return whorl_spawn_copy(group, work, &(struct job){1, text});", []),
    ("a_copy_of_a_pointer_variable_compiles", "return whorl_spawn_copy(group, work, &text);", []),
    ("a_copy_of_an_array_compiles",
     "int pair[2] = {1, 2}; return whorl_spawn_copy(group, work, &pair);", []),
    ("a_copy_of_a_byte_compiles",
     "unsigned char byte = 1; return whorl_spawn_copy(group, work, &byte);", []),
] + [("an_ignored_result_of_%s_is_warned_of" % call.split("(")[0], call + ";", UNUSED) for call in [
    "whorl_sleep(1)", "whorl_yield()", "whorl_check_cancelled()", "whorl_spawn(group, work, any)",
    "whorl_spawn_copy(group, work, job)", "whorl_spawn_with(group, work, any, NULL)",
    "whorl_group_wait(group)", "whorl_group_wait_below(group, 2)", "whorl_group_stop(group, 1)",
    "whorl_chan_send((struct whorl_chan *)any, job)", "whorl_chan_try_send((struct whorl_chan *)any, job)",
    "whorl_chan_recv((struct whorl_chan *)any, buf)", "whorl_chan_try_recv((struct whorl_chan *)any, buf)",
    "whorl_chan_create(1, 1, (struct whorl_chan **)any)",
    "whorl_mutex_lock((struct whorl_mutex *)any)", "whorl_mutex_try_lock((struct whorl_mutex *)any)",
    "whorl_rwlock_try_read_lock((struct whorl_rwlock *)any)",
    "whorl_semaphore_acquire((struct whorl_semaphore *)any)",
    "whorl_semaphore_try_acquire((struct whorl_semaphore *)any)",
    "whorl_event_wait((struct whorl_event *)any)",
]]


def compile_statement(compiler, includes, language, statement):
    """Returns the exit status and the messages."""
    command = compiler + ["-x", language, "-std=" + ("c17" if language == "c" else "c++17"), "-Wall", "-Wextra",
                          "-Werror", "-Wpedantic", "-S", "-o", "/dev/null"] + ["-I" + i for i in includes] + ["-"]
    env_c = {"LC_ALL": "C", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(command, input=HEAD % statement, text=True, env=env_c, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def check(compiler, includes, language, statement, words):
    """Returns "" or what is wrong."""
    status, text = compile_statement(compiler, includes, language, statement)
    if words and status == 0:
        return "it compiles"
    if not words and status != 0:
        return text
    missing = [word for word in words if word not in text]
    return "no %s in: %s" % (missing, text) if missing else ""


def main():
    cut = sys.argv.index("--")
    compiler, includes = sys.argv[1:cut], sys.argv[cut + 1:]
    languages = ["c"]
    if compile_statement(compiler, includes, "c++", "")[0] == 0:
        languages.append("c++")
    number = failed = 0
    print("1..%d" % (len(CASES) * len(languages)))
    for language in languages:
        for claim, statement, words in CASES:
            if language == "c++":
                # A compound literal is C.
                statement = statement.replace("&(struct job){1, text}", "job")
            wrong = check(compiler, includes, language, statement, words)
            number += 1
            failed += bool(wrong)
            print("%sok %d - %s%s" % ("not " if wrong else "", number, claim, "" if language == "c" else "_in_cpp"))
            for line in wrong.splitlines():
                print("# " + line)
    return 1 if failed else 0


sys.exit(main())
