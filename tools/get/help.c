/* SPDX-License-Identifier: MIT */
/* Help and completions, see help.h. */
#include "tools/get/help.h"

#include <string.h>

#include "tools/get/buffer.h"
#include "tools/get/option_rows.h"

enum { HELP_COLUMN = 26 };

/* --- help --- */

/* "  -j, --jobs N            run at most ..." */
static void add_row(struct buffer *ret, const struct option_row *row)
{
    size_t start = ret->len;

    if (row->letter)
        buffer_printf(ret, "  -%c, --%s", row->letter, row->name);
    else
        buffer_printf(ret, "      --%s", row->name);
    if (row->value)
        buffer_printf(ret, " %s", row->value);
    size_t used = ret->len - start;
    if (used + 2 > HELP_COLUMN)
        buffer_printf(ret, "\n%*s", HELP_COLUMN, "");
    else
        buffer_printf(ret, "%*s", (int)(HELP_COLUMN - used), "");
    buffer_printf(ret, "%s\n", row->help);
}

static void add_short(struct buffer *ret)
{
    buffer_printf(ret, "Usage: whorl-get [OPTION]... URL...\n"
                       "Fetch many URLs at once, each to its own file. Defaults are in "
                       "parentheses.\n");
    for (size_t i = 0; i < option_rows_count; i++)
        if (option_rows[i].is_common)
            add_row(ret, &option_rows[i]);
    buffer_printf(ret, "More: --help TOPIC, with one of these topics:\n");
    for (size_t i = 0; i < TOPIC_COUNT; i++)
        buffer_printf(ret, "%s%s", i ? ", " : "  ", option_topics[i].name);
    buffer_printf(ret,
                  ", all\nExit status: 0 all files fetched, 1 some failed, 2 wrong usage, 3 none "
                  "fetched.\n");
}

void help_add(struct buffer *ret, const char *topic)
{
    bool all = strcmp(topic, "all") == 0;
    const char *gap = "";

    if (!*topic) {
        add_short(ret);
        return;
    }
    for (size_t t = 0; t < TOPIC_COUNT; t++) {
        if (!all && strcmp(option_topics[t].name, topic) != 0)
            continue;
        buffer_printf(ret, "%s%s:\n", gap, option_topics[t].title);
        gap = "\n";
        for (size_t i = 0; i < option_rows_count; i++)
            if (option_rows[i].topic == t)
                add_row(ret, &option_rows[i]);
    }
}

/* --- completions --- */

static void add_bash(struct buffer *ret)
{
    buffer_printf(ret, "# bash completion of whorl-get\n"
                       "_whorl_get()\n"
                       "{\n"
                       "    local word=${COMP_WORDS[COMP_CWORD]} before=\n"
                       "    [ \"$COMP_CWORD\" -gt 0 ] && before=${COMP_WORDS[COMP_CWORD-1]}\n"
                       "    COMPREPLY=()\n"
                       "    case $before in\n");
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        if (!row->value || row->value[0] == '[')
            continue;
        buffer_printf(ret, "    --%s", row->name);
        if (row->letter)
            buffer_printf(ret, "|-%c", row->letter);
        buffer_printf(ret, ") ");
        if (row->values == VALUES_FILE)
            buffer_printf(ret, "COMPREPLY=($(compgen -f -- \"$word\"))");
        else if (row->values == VALUES_DIR)
            buffer_printf(ret, "COMPREPLY=($(compgen -d -- \"$word\"))");
        else if (row->values == VALUES_WORDS)
            buffer_printf(ret, "COMPREPLY=($(compgen -W '%s' -- \"$word\"))", row->words);
        else
            buffer_printf(ret, ":");
        buffer_printf(ret, "; return ;;\n");
    }
    buffer_printf(ret, "    esac\n"
                       "    [ \"${word:0:1}\" = - ] && COMPREPLY=($(compgen -W '");
    for (size_t i = 0; i < option_rows_count; i++)
        buffer_printf(ret, "%s--%s", i ? " " : "", option_rows[i].name);
    buffer_printf(ret, "' -- \"$word\"))\n"
                       "}\n"
                       "complete -o filenames -F _whorl_get whorl-get\n");
}

/* Adds `text` for a word in single quotes; ':' , '[' and ']' have a meaning to _arguments. */
static void add_zsh_text(struct buffer *ret, const char *text)
{
    for (; *text; text++) {
        if (*text == '\'')
            buffer_printf(ret, "'\\''");
        else if (strchr(":[]\\", *text))
            buffer_printf(ret, "\\%c", *text);
        else
            buffer_add(ret, text, 1);
    }
}

static void add_zsh_value(struct buffer *ret, const struct option_row *row)
{
    if (!row->value)
        return;
    buffer_printf(ret, row->value[0] == '[' ? "::" : ":");
    add_zsh_text(ret, row->value);
    if (row->values == VALUES_FILE)
        buffer_printf(ret, ":_files");
    else if (row->values == VALUES_DIR)
        buffer_printf(ret, ":_files -/");
    else if (row->values == VALUES_WORDS)
        buffer_printf(ret, ":(%s)", row->words);
    else
        buffer_printf(ret, ": ");
}

static void add_zsh(struct buffer *ret)
{
    buffer_printf(ret, "#compdef whorl-get\n"
                       "_arguments -s -S \\\n");
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        bool once = !row->letter;
        for (int pass = once ? 1 : 0; pass < 2; pass++) {
            buffer_printf(ret, "    '*");
            if (pass == 0)
                buffer_printf(ret, "-%c%s", row->letter, row->value ? "+" : "");
            else
                buffer_printf(ret, "--%s%s", row->name, row->value ? "=" : "");
            buffer_printf(ret, "[");
            add_zsh_text(ret, row->help);
            buffer_printf(ret, "]");
            add_zsh_value(ret, row);
            buffer_printf(ret, "' \\\n");
        }
    }
    buffer_printf(ret, "    '*:URL:_urls'\n");
}

static void add_fish(struct buffer *ret)
{
    buffer_printf(ret, "# fish completion of whorl-get\n"
                       "complete -c whorl-get -f\n");
    for (size_t i = 0; i < option_rows_count; i++) {
        const struct option_row *row = &option_rows[i];
        bool takes = row->value && row->value[0] != '[';
        buffer_printf(ret, "complete -c whorl-get -l %s", row->name);
        if (row->letter)
            buffer_printf(ret, " -s %c", row->letter);
        if (row->values == VALUES_FILE)
            buffer_printf(ret, " -r -F");
        else if (row->values == VALUES_DIR)
            buffer_printf(ret, " -x -a '(__fish_complete_directories)'");
        else if (row->values == VALUES_WORDS)
            buffer_printf(ret, " -x -a '%s'", row->words);
        else if (takes)
            buffer_printf(ret, " -x");
        buffer_printf(ret, " -d '");
        for (const char *p = row->help; *p; p++)
            buffer_printf(ret, *p == '\'' || *p == '\\' ? "\\%c" : "%c", *p);
        buffer_printf(ret, "'\n");
    }
}

void help_add_completion(struct buffer *ret, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        add_bash(ret);
    else if (strcmp(shell, "zsh") == 0)
        add_zsh(ret);
    else
        add_fish(ret);
}
