/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The greedy search of Myers (An O(ND) Difference Algorithm and Its Variations, 1986) for the
 * fewest lines to remove and to add, on what is left between the lines that both begin and end with.
 * All its steps are kept, to walk them back: (edits + 1)^2 numbers. Beyond EDITS_MAX one half is
 * replaced by the other, which is right too, and nobody reads that.
 */
#include "difference.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT 3
#define EDITS_MAX 1500

struct line {
	const char *text;
	size_t len; /* with its newline */
};

struct lines {
	struct line *v;
	size_t n;
	bool *changed; /* removed, or added */
};

static int lines_split(const struct difference_text *text, struct lines *ret_lines)
{
	const char *at = text->text, *end = text->text + text->len;
	struct lines lines = { 0 };
	size_t n = 1;

	for (size_t i = 0; i < text->len; i++)
		n += at[i] == '\n';
	lines.v = calloc(n, sizeof(*lines.v));
	lines.changed = calloc(n, sizeof(*lines.changed));
	if (!lines.v || !lines.changed) {
		free(lines.v);
		free(lines.changed);
		return -ENOMEM;
	}
	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const size_t len = newline ? (size_t)(newline - at) + 1 : (size_t)(end - at);

		lines.v[lines.n++] = (struct line){ at, len };
		at += len;
	}
	*ret_lines = lines;
	return 0;
}

static void lines_fini(struct lines *lines)
{
	free(lines->v);
	free(lines->changed);
}

static bool line_equal(const struct line *a, const struct line *b)
{
	return a->len == b->len && !memcmp(a->text, b->text, a->len);
}

/* What is compared: lines a to a + n of the one, b to b + m of the other. */
struct middle {
	struct lines *from, *to;
	size_t a, n, b, m;
};

static bool same(const struct middle *middle, int64_t x, int64_t y)
{
	return x < (int64_t)middle->n && y < (int64_t)middle->m &&
	       line_equal(&middle->from->v[middle->a + (size_t)x],
			  &middle->to->v[middle->b + (size_t)y]);
}

/*
 * reach[d * d + d + k]: how far in `from` one gets with d edits on diagonal k = x - y. The step
 * that led there came from diagonal k + 1 (a line added) or k - 1 (a line removed).
 */
static bool came_by_adding(const int32_t *before, int64_t d, int64_t k)
{
	return k == -d || (k != d && before[k - 1] < before[k + 1]);
}

static const int32_t *row(const int32_t *reach, int64_t d)
{
	return &reach[d * d + d];
}

static void walk_back(const struct middle *middle, const int32_t *reach, int64_t edits)
{
	int64_t x = (int64_t)middle->n, y = (int64_t)middle->m;

	for (int64_t d = edits; d > 0; d--) {
		const int32_t *before = row(reach, d - 1);
		const bool adding = came_by_adding(before, d, x - y);
		const int64_t k = adding ? x - y + 1 : x - y - 1;

		x = before[k];
		y = x - k;
		if (adding)
			middle->to->changed[middle->b + (size_t)y] = true;
		else
			middle->from->changed[middle->a + (size_t)x] = true;
	}
}

/* With d edits as far as one gets; true: at the end of both. */
static bool advance(const struct middle *middle, int32_t *reach, int64_t d)
{
	const int32_t *before = row(reach, d - 1);

	for (int64_t k = -d; k <= d; k += 2) {
		int64_t x = 0;

		if (d)
			x = came_by_adding(before, d, k) ? before[k + 1] : before[k - 1] + 1;
		while (same(middle, x, x - k))
			x++;
		reach[d * d + d + k] = (int32_t)x;
		if (x >= (int64_t)middle->n && x - k >= (int64_t)middle->m)
			return true;
	}
	return false;
}

static int compare_middle(const struct middle *middle)
{
	int32_t *reach = NULL;

	for (int64_t d = 0; d <= EDITS_MAX; d++) {
		int32_t *more = reallocarray(reach, (size_t)((d + 1) * (d + 1)), sizeof(*reach));

		if (!more) {
			free(reach);
			return -ENOMEM;
		}
		reach = more;
		if (advance(middle, reach, d)) {
			walk_back(middle, reach, d);
			free(reach);
			return 0;
		}
	}
	free(reach);
	memset(&middle->from->changed[middle->a], true, middle->n * sizeof(bool));
	memset(&middle->to->changed[middle->b], true, middle->m * sizeof(bool));
	return 0;
}

static int compare(struct lines *from, struct lines *to)
{
	struct middle middle = { .from = from, .to = to, .n = from->n, .m = to->n };

	while (middle.n && middle.m && same(&middle, 0, 0)) {
		middle.a++;
		middle.b++;
		middle.n--;
		middle.m--;
	}
	while (middle.n && middle.m &&
	       same(&middle, (int64_t)middle.n - 1, (int64_t)middle.m - 1)) {
		middle.n--;
		middle.m--;
	}
	return compare_middle(&middle);
}

static void print_line(char sign, const struct line *line, FILE *out)
{
	putc(sign, out);
	for (size_t i = 0; i < line->len; i++) {
		const uint8_t c = (uint8_t)line->text[i];

		if ((c < ' ' && c != '\t' && c != '\n') || c == 0x7f)
			fprintf(out, "\\x%02x", c);
		else
			putc(c, out);
	}
	if (!line->len || line->text[line->len - 1] != '\n')
		fputs("\n\\ No newline at end of file\n", out);
}

/* A place in both, between two lines. */
struct place {
	size_t x, y;
};

static bool at_change(const struct lines *from, const struct lines *to, struct place at)
{
	return (at.x < from->n && from->changed[at.x]) || (at.y < to->n && to->changed[at.y]);
}

/* Print (or, with out NULL, pass) what is removed and then what is added here. */
static struct place take_change(const struct lines *from, const struct lines *to, struct place at,
				FILE *out)
{
	for (; at.x < from->n && from->changed[at.x]; at.x++)
		if (out)
			print_line('-', &from->v[at.x], out);
	for (; at.y < to->n && to->changed[at.y]; at.y++)
		if (out)
			print_line('+', &to->v[at.y], out);
	return at;
}

/* The end of the hunk that begins here: where more lines follow than two contexts have. */
static struct place hunk_end(const struct lines *from, const struct lines *to, struct place at)
{
	struct place end = at;

	for (size_t equal = 0; at.x < from->n || at.y < to->n;) {
		if (at_change(from, to, at)) {
			at = take_change(from, to, at, NULL);
			end = at;
			equal = 0;
		} else {
			if (++equal > 2 * CONTEXT)
				break;
			at.x++;
			at.y++;
		}
	}
	for (size_t i = 0; i < CONTEXT && end.x < from->n && end.y < to->n; i++) {
		end.x++;
		end.y++;
	}
	return end;
}

/* "first,count", where an empty range is named by the line before it. */
static void print_range(char sign, size_t begin, size_t end, FILE *out)
{
	fprintf(out, "%c%zu", sign, begin == end ? begin : begin + 1);
	if (end - begin != 1)
		fprintf(out, ",%zu", end - begin);
}

static struct place print_hunk(const struct lines *from, const struct lines *to, struct place at,
			       FILE *out)
{
	const struct place end = hunk_end(from, to, at);

	for (size_t i = 0; i < CONTEXT && at.x && at.y; i++) {
		at.x--;
		at.y--;
	}
	fputs("@@ ", out);
	print_range('-', at.x, end.x, out);
	putc(' ', out);
	print_range('+', at.y, end.y, out);
	fputs(" @@\n", out);
	while (at.x < end.x || at.y < end.y) {
		if (at_change(from, to, at)) {
			at = take_change(from, to, at, out);
		} else {
			print_line(' ', &from->v[at.x], out);
			at.x++;
			at.y++;
		}
	}
	return at;
}

int difference_print(const struct difference_text *from, const struct difference_text *to,
		     FILE *out)
{
	struct lines a, b;
	struct place at = { 0 };
	bool any = false;
	int rc = lines_split(from, &a);

	if (rc)
		return rc;
	rc = lines_split(to, &b);
	if (rc)
		goto out_a;
	rc = compare(&a, &b);
	while (!rc && (at.x < a.n || at.y < b.n)) {
		if (!at_change(&a, &b, at)) {
			at.x++;
			at.y++;
			continue;
		}
		if (!any)
			fprintf(out, "--- %s\n+++ %s\n", from->name, to->name);
		any = true;
		at = print_hunk(&a, &b, at, out);
	}
	lines_fini(&b);
out_a:
	lines_fini(&a);
	return rc;
}
