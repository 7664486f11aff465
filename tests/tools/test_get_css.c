/* SPDX-License-Identifier: MIT */
/* The references of style sheets. */
#include <stdlib.h>

#include "test.h"
#include "tools/get/css.h"

static struct buffer found;

static const char *note(void *arg, enum reference_kind kind, const char *text)
{
    CHECK_EQ(kind, REFERENCE_RESOURCE);
    buffer_printf(&found, "%s[%s]", found.len ? " " : "", text);
    return arg;
}

/* "[a] [b]" */
static const char *find(const char *css)
{
    buffer_clear(&found);
    buffer_add(&found, "", 0);
    css_visit(css, strlen(css), note, NULL, NULL);
    return found.text;
}

static const char *rewrite(const char *css, char *to)
{
    static struct buffer text;

    buffer_clear(&text);
    css_visit(css, strlen(css), note, to, &text);
    return text.text;
}

TEST(urls_are_found)
{
    static const struct {
        const char *css, *found;
    } cases[] = {
        {"", ""},
        {"a{b:url(c)}", "[c]"},
        {"a{b:url( c\n)}", "[c]"},
        {"a{b:url('c')}", "[c]"},
        {"a{b:URL( \"c d\" )}", "[c d]"},
        {"a{b:u\\72l(c)}", "[c]"},
        {"a{b:u\\000072\nl(c)}", "[c]"},
        {"a{b:url(c\\)d\\28 e)}", "[c)d(e]"},
        {"a{b:url('c\\'d\\\ne')}", "[c'de]"},
        {"a{b:url(\\e9)}", "[\xc3\xa9]"},
        {"a{b:url(c),url(d)}", "[c] [d]"},
        {"a{b:url(c", "[c]"},
        {"a{b:url('c", "[c]"},
        {"a{b:url(c d) e:url(f)}", "[f]"},
        {"a{b:url(c'd) e:url(f)}", "[f]"},
        {"a{b:url(c(d) e:url(f)}", "[f]"},
        {"a{b:url('c\nd) e:url(f)}", "[f]"},
        {"a{b:url()}", ""},
        {"a{b:url('')}", ""},
        {"a{b:curl(c)}", ""},
        {"a{b:url (c)}", ""},
        {"a{b:\"url(c)\"}", ""},
        {"a{b:/*url(c)*/url(d)/*", "[d]"},
        {"/*", ""},
        {"/", ""},
        {"\\", ""},
        {"a{b:'\\", ""},
        {"<!-- @import 'a'; -->", "[a]"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        printf("# %s\n", cases[i].css);
        CHECK_STR(find(cases[i].css), cases[i].found);
    }
    buffer_finish(&found);
}

TEST(imports_are_found)
{
    CHECK_STR(find("@import 'a';@import \"b\" layer(x) supports(display: grid) screen;"),
              "[a] [b]");
    CHECK_STR(find("@import url(a) screen; @IMPORT url('b');"), "[a] [b]");
    CHECK_STR(find("@\\69mport 'a';"), "[a]");
    CHECK_STR(find("@import 'a' supports('b') 'c'; x{y:'z'}"), "[a]");
    CHECK_STR(
        find("@charset 'a'; @namespace url(b); @namespace p url('c'); @font-face{src:url(d)}"),
        "[d]");
    CHECK_STR(find("@media 'a' { x{y:'z'} } @import/**/'b';"), "[b]");
    buffer_finish(&found);
}

TEST(strings_of_image_sets_are_urls)
{
    CHECK_STR(find("a{b:image-set('c' 1x, url(d) 2x, 'e' type('image/png'))}"), "[c] [d] [e]");
    CHECK_STR(find("a{b:-webkit-image-set('c' 1x)} d{e:'f'}"), "[c]");
    CHECK_STR(find("a{b:image-set(} d{e:'f'}"), "");
    buffer_finish(&found);
}

TEST(what_is_replaced_stays_one_value)
{
    CHECK_STR(rewrite("a{b:url( c ); /*url(d)*/}\n", "x"), "a{b:url( \"x\" ); /*url(d)*/}\n");
    CHECK_STR(rewrite("a{b:url('c')}", "x'y\\"), "a{b:url('x\\'y\\\\')}");
    CHECK_STR(rewrite("a{b:url(c)}", "x\"y\n)"), "a{b:url(\"x\\\"y\\a )\")}");
    CHECK_STR(find("a{b:url(\"x\\\"y\\a )\")}"), "[x\"y\n)]");
    CHECK_STR(rewrite("@import 'c' screen;@import url(d", "x"),
              "@import 'x' screen;@import url(\"x\"");
    CHECK_STR(rewrite("a{b:url('c", "x"), "a{b:url('x'");
    CHECK_STR(rewrite("a{b:c}\xff\xe9", "x"), "a{b:c}\xff\xe9");
    CHECK_STR(rewrite("a{b:url(c)}", NULL), "a{b:url(c)}");
    buffer_finish(&found);
}

TEST_MAIN()
