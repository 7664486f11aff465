/* SPDX-License-Identifier: MIT */
/* The references of HTML pages. */
#include <errno.h>
#include <stdlib.h>

#include "test.h"
#include "tools/get/html.h"

static struct buffer found;

static const char *note(void *arg, enum reference_kind kind, const char *text)
{
    static const char letters[] = {'b', 'p', 'r', 'n'};

    buffer_printf(&found, "%s%c[%s]", found.len ? " " : "", letters[kind], text);
    return kind == REFERENCE_BASE && arg ? "" : arg;
}

/* "p[a] r[b]": pages and resources */
static const char *find(const char *html)
{
    buffer_clear(&found);
    buffer_add(&found, "", 0);
    CHECK_EQ(html_visit(html, strlen(html), note, NULL, NULL), 0);
    return found.text;
}

static const char *rewrite(const char *html, char *to)
{
    static struct buffer text;

    buffer_clear(&text);
    CHECK_EQ(html_visit(html, strlen(html), note, to, &text), 0);
    return text.text;
}

TEST(elements_have_references)
{
    static const struct {
        const char *html, *found;
    } cases[] = {
        {"", ""},
        {"<a href=a>x</a><A HREF='b'><area href=\"c\"><a name=d><a href><a href=''>",
         "p[a] p[b] p[c]"},
        {"<a href=' a\n b \t'>", "p[a b]"},
        {"<a href='a&amp;b&#x41;&eacute;&copy=1'>", "p[a&bA\xc3\xa9&copy=1]"},
        {"<img src=a srcset='b 1x, c 2x'><script src=d></script><embed src=e><input type=image "
         "src=f>",
         "r[a] r[b] r[c] r[d] r[e] r[f]"},
        {"<iframe src=a></iframe><video src=b poster=c><source src=d><track src=e></video><audio "
         "src=f>",
         "r[a] r[b] r[c] r[d] r[e] r[f]"},
        {"<frameset><frame src=a></frameset>", "r[a]"},
        {"<picture><source srcset='a,b'><source srcset=', c 100w ,d (x,y) 2x,e,,'></picture>",
         "r[a,b] r[c] r[d] r[e]"},
        {"<body background=a><object data=b></object><table background=c><tr><td background=d>",
         "r[a] r[b] r[c] r[d]"},
        {"<link rel=stylesheet href=a><link rel='alternate stylesheet' href=b><link rel='shortcut "
         "icon' "
         "href=c><link rel=preload href=d imagesrcset='e 1x'>",
         "r[a] r[b] r[c] r[d] r[e]"},
        {"<link rel=next href=a><link rel=canonical href=b><link rel=preconnect href=c><link "
         "href=d>",
         "p[a] p[b]"},
        {"<meta http-equiv=refresh content='0; url=a'><meta http-equiv=Refresh content=\"5;URL='b' "
         "x\">"
         "<meta http-equiv=refresh content='1 c'><meta http-equiv=refresh content=3><meta "
         "content=d>",
         "p[a] p[b] p[c]"},
        {"<style>@import 'a'; b{c:url(d)}</style><p style='x:url(\"e\")'><p "
         "style='x:url(&#39;f&#39;)'>",
         "r[a] r[d] r[e] r[f]"},
        {"<svg><a xlink:href=a></a><image href=b /><use "
         "xlink:href='c#d'/><style>x{y:url(z)}</style></svg>",
         "p[a] r[b] r[c#d] r[z]"},
        {"<noscript><img src=a></noscript><template><img src=b></template>", "r[a] r[b]"},
        {"<!-- <a href=a> --><script>'<a href=b>'</script><textarea><a href=c></textarea>"
         "<title><a href=d></title><a href=e>",
         "p[e]"},
        {"<p><a href=a<a href=b><b><a href=c></p></b></a>", "p[a<a] p[c]"},
        {"<form action=a><q cite=b>", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        printf("# %s\n", cases[i].html);
        CHECK_STR(find(cases[i].html), cases[i].found);
    }
    buffer_finish(&found);
}

TEST(the_first_base_comes_first)
{
    CHECK_STR(find("<a href=a><base target=x><base href=b><base href=c>"), "b[b] p[a]");
    buffer_finish(&found);
}

TEST(pages_ask_not_to_be_followed)
{
    CHECK_STR(find("<meta name=robots content='noindex, NOFOLLOW'><a href=a>"), "n[] p[a]");
    CHECK_STR(find("<meta name=Robots content=none>"), "n[]");
    CHECK_STR(find("<meta name=robots content=noindex><meta name=other content=nofollow>"), "");
    buffer_finish(&found);
}

TEST(bytes_that_are_not_utf8_are_latin)
{
    CHECK_STR(find("<a href='\xe9'><a href='\xc3\xa9'><a href=\xe9>"),
              "p[\xc3\xa9] p[\xc3\xa9] p[\xc3\xa9]");
    CHECK_STR(find("<a href='\xef\xbf\xbd'><a href='\xe9&amp;\xc3\xa9'>"),
              "p[\xef\xbf\xbd] p[\xc3\xa9&\xc3\xa9]");
    buffer_finish(&found);
}

TEST(the_rest_of_the_page_is_unchanged)
{
    static const struct {
        const char *html, *rewritten;
    } cases[] = {
        {"<P  CLASS = x>&nbsp;<a  HREF =a  id=y>\r\n</A></p></x>\xe9",
         "<P  CLASS = x>&nbsp;<a  HREF =\"x&amp;&quot;,\"  id=y>\r\n</A></p></x>\xe9"},
        {"<img srcset=' a 1x , b 2x'>",
         "<img srcset=\" x&amp;&quot;%2C 1x , x&amp;&quot;%2C 2x\">"},
        {"<img srcset='a'>", "<img srcset=\"x&amp;&quot;%2C\">"},
        {"<meta http-equiv=refresh content=\"0;url='a' \">",
         "<meta http-equiv=refresh content=\"0;url='x&amp;&quot;,' \">"},
        {"<style>a{b:url(c)}</style><p style='b:url(c)'>",
         "<style>a{b:url(\"x&\\\",\")}</style><p style=\"b:url(&quot;x&amp;\\&quot;,&quot;)\">"},
        {"<base href='http://h/'><a href=a>", "<base href=\"\"><a href=\"x&amp;&quot;,\">"},
        {"<a href=&amp;a>", "<a href=\"x&amp;&quot;,\">"},
        {"<a href = =a><a href\n=\n'=a'>",
         "<a href = \"x&amp;&quot;,\"><a href\n=\n\"x&amp;&quot;,\">"},
        {"<p>x", "<p>x"},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_STR(rewrite(cases[i].html, "x&\","), cases[i].rewritten);
        CHECK_STR(rewrite(cases[i].html, NULL), cases[i].html);
    }
    /* The parser makes a second <a> here, with the same attribute. */
    CHECK_STR(rewrite("<a href=a><p><table><a href=b></table>", "x"),
              "<a href=\"x\"><p><table><a href=\"x\"></table>");
    CHECK_STR(rewrite("<p><b><a href=a><p>c</b>d</a>", "x"), "<p><b><a href=\"x\"><p>c</b>d</a>");
    buffer_finish(&found);
}

static char *repeat(const char *text, size_t count)
{
    size_t len = strlen(text);
    char *ret = malloc(count * len + 1);

    for (size_t i = 0; i < count; i++)
        memcpy(ret + i * len, text, len);
    ret[count * len] = '\0';
    return ret;
}

TEST(deep_pages_need_no_deep_stack)
{
    char *deep = repeat("<i><a href=x>", 20000);

    CHECK_EQ(html_visit(deep, strlen(deep), note, NULL, NULL), 0);
    free(deep);
    buffer_finish(&found);
}

TEST(pages_beyond_the_limits_are_refused)
{
    char *big = repeat("<br>", HTML_MAX / 4 + 1), *deep = repeat("<div>", 400000);

    CHECK_EQ(html_visit(big, strlen(big), note, NULL, NULL), -E2BIG);
    CHECK_EQ(html_visit(deep, strlen(deep), note, NULL, NULL), -E2BIG);
    free(deep);
    free(big);
    deep = repeat("<br a=b>", HTML_MAX / 8);
    CHECK_EQ(html_visit(deep, strlen(deep), note, NULL, NULL), -E2BIG);
    free(deep);
    buffer_finish(&found);
}

TEST_MAIN()
