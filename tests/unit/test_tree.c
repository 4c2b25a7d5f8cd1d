/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "config.h"
#include "tree.h"

/* Write the tree as one line: kind, place and content of each node. */
static void dump(const struct tree_node *node, FILE *out)
{
	fprintf(out, "%u:%u+%u", node->place.line, node->place.column, node->place.width);
	switch (node->kind) {
	case TREE_SCALAR:
		fprintf(out, node->quoted ? "'%s'" : "=%s", node->text);
		return;
	case TREE_LIST:
		fprintf(out, "[%zu", node->n);
		for (const struct tree_node *item = node->first; item; item = item->next) {
			putc(' ', out);
			dump(item, out);
		}
		putc(']', out);
		return;
	case TREE_MAP:
		fprintf(out, "{%zu", node->n);
		for (const struct tree_node *key = node->first; key; key = key->next) {
			putc(' ', out);
			dump(key, out);
			fputs("->", out);
			dump(key->value, out);
		}
		putc('}', out);
		return;
	case TREE_BROKEN:
		fputs("!", out);
		return;
	}
}

/* The tree, or what is wrong; free() it. */
static char *parse(const char *text, size_t len, int *ret_ret)
{
	struct diag_list *diags = diag_list_new();
	int source = diag_source_add(diags, "f", text, len);
	struct tree *tree = NULL;
	char *result;
	size_t size;
	FILE *out = open_memstream(&result, &size);

	assert_non_null(out);
	*ret_ret = tree_parse(text, len, diags, source, &tree);
	if (!*ret_ret)
		dump(tree_root(tree), out);
	else
		assert_null(tree);
	if (diag_count(diags)) {
		putc('\n', out);
		diag_print(diags, out);
	}
	fclose(out);
	tree_free(tree);
	diag_list_free(diags);
	return result;
}

static void test_places(void **state)
{
	static const struct {
		const char *text, *tree;
	} cases[] = {
		{ "a", "1:1+1=a" },
		{ "---\na\n...\n", "2:1+1=a" },
		{ "\xef\xbb\xbf"
		  "a: b",
		  "1:1+1{1 1:1+1=a->1:4+1=b}" },
		{ "# c\nkey: value # c\n", "2:1+3{1 2:1+3=key->2:6+5=value}" },
		{ "a:\n  - b\n  - 'c d'\n  - \"\"\n",
		  "1:1+1{1 1:1+1=a->2:3+1[3 2:5+1=b 3:5+5'c d' 4:5+2'']}" },
		{ "a: {b: c, d: [e, f]}", "1:1+1{1 1:1+1=a->1:4+1{2 1:5+1=b->1:8+1=c "
					  "1:11+1=d->1:14+1[2 1:15+1=e 1:18+1=f]}}" },
		{ "- fd00:1::/32\n- [fd00::1, 10.0.0.0/8]\n",
		  "1:1+1[2 1:3+11=fd00:1::/32 2:3+1[2 2:4+7=fd00::1 2:13+10=10.0.0.0/8]]" },
		{ "\xc3\xa9: \xc3\xa9\xc3\xa9 # \xc3\xa9", "1:1+1{1 1:1+1=\xc3\xa9->1:4+2="
							   "\xc3\xa9\xc3\xa9}" },
		{ "a: 'one\n  two'", "1:1+1{1 1:1+1=a->1:4+4294967295'one two'}" },
		{ "a: 1\r\nb: 2\rc: 3", "1:1+1{3 1:1+1=a->1:4+1=1 2:1+1=b->2:4+1=2 "
					"3:1+1=c->3:4+1=3}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int ret;
		char *result = parse(cases[i].text, strlen(cases[i].text), &ret);

		assert_string_equal(result, cases[i].tree);
		assert_int_equal(ret, 0);
		free(result);
	}
}

/* Errors of single nodes leave a tree to go on with. */
static void test_single_errors(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "a: &x b", "f:1:4: error: anchors and aliases are not supported" },
		{ "a: *x", "f:1:4: error: anchors and aliases are not supported" },
		{ "a: !t b", "f:1:4: error: tags are not supported" },
		{ "a: !!int 3", "f:1:4: error: tags are not supported" },
		{ "- &x [a]", "f:1:3: error: anchors and aliases are not supported" },
		{ "- !t {a: b}", "f:1:3: error: tags are not supported" },
		{ "? [a]\n: b", "f:1:3: error: a word is expected here, not a list" },
		{ "{a: b}: c", "f:1:1: error: a word is expected here, not a mapping" },
		{ "a: \"b\\0c\"", "f:1:4: error: NUL character in a text" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int ret;
		char *result = parse(cases[i].text, strlen(cases[i].text), &ret);

		if (!strstr(result, cases[i].message))
			fail_msg("'%s': %s", cases[i].text, result);
		assert_int_equal(ret, 0);
		free(result);
	}
}

static void test_no_tree(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "", "f: error: the file is empty" },
		{ "# nothing\n", "f: error: the file is empty" },
		{ "---\n", "f: error: the file is empty" },
		{ "a: b\n---\nc: d\n", "f:2:1: error: more than one document in the file" },
		{ "a: [b\n", "f:2:1: error: the list in brackets is not closed" },
		{ "a: 'b\n", "f:2:1: error: the quotes are never closed" },
		{ "a:\n\tb: c\n", "f:2:1: error: a tab cannot indent" },
		{ "a: b: c", "f:1:5: error: a colon is not expected here" },
		{ "\xff", "f:1:1: error: byte 0xff is not UTF-8" },
		{ "ok\n\xed\xa0\x80", "f:2:1: error: byte 0xed is not UTF-8" },
		{ "\xc3", "f:1:1: error: byte 0xc3 is not UTF-8" },
		{ "\xc0\x80", "f:1:1: error: byte 0xc0 is not UTF-8" },
		{ "\xf4\x90\x80\x80", "f:1:1: error: byte 0xf4 is not UTF-8" },
		{ "a\x07", "f:1:2: error: control character U+0007" },
		{ "a\xe2\x80\xa8", "f:1:2: error: control character U+2028" },
		{ "%YAML 3.0\n---\na", "f:1:1: error: not YAML: found incompatible YAML document" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int ret;
		char *result = parse(cases[i].text, strlen(cases[i].text), &ret);

		if (!strstr(result, cases[i].message))
			fail_msg("'%s': %s", cases[i].text, result);
		assert_int_equal(ret, -EINVAL);
		free(result);
	}
}

static void test_nul(void **state)
{
	int ret;
	char *result = parse("a: b\0c", 6, &ret);

	(void)state;
	assert_int_equal(ret, -EINVAL);
	assert_non_null(strstr(result, "f:1:5: error: NUL byte"));
	free(result);
	result = parse(NULL, 0, &ret);
	assert_int_equal(ret, -EINVAL);
	free(result);
}

/* A text with `unit` n times between begin and end. */
static char *repeat(const char *begin, const char *unit, size_t n, const char *end)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fputs(begin, out);
	for (size_t i = 0; i < n; i++)
		fputs(unit, out);
	fputs(end, out);
	fclose(out);
	return text;
}

static void test_limits(void **state)
{
	char closing[CONFIG_DEPTH_MAX + 2] = "";
	char *text, *result;
	int ret;

	(void)state;
	memset(closing, ']', CONFIG_DEPTH_MAX);
	text = repeat("", "[", CONFIG_DEPTH_MAX, closing);
	result = parse(text, strlen(text), &ret);
	assert_int_equal(ret, 0);
	free(result);
	free(text);
	closing[CONFIG_DEPTH_MAX] = ']';
	text = repeat("", "[", CONFIG_DEPTH_MAX + 1, closing);
	result = parse(text, strlen(text), &ret);
	assert_int_equal(ret, -EINVAL);
	assert_non_null(strstr(result, "f:1:17: error: nested more than 16 deep"));
	free(result);
	free(text);
	text = repeat("", "-\n", TREE_NODES_MAX, "");
	result = parse(text, strlen(text), &ret);
	assert_int_equal(ret, -EINVAL);
	assert_non_null(strstr(result, "error: more than 2097152 values in one file"));
	free(result);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),	cmocka_unit_test(test_single_errors),
		cmocka_unit_test(test_no_tree), cmocka_unit_test(test_nul),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
