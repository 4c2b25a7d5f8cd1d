/* SPDX-License-Identifier: GPL-2.0-only */
#include "word.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Longer texts are no misspelling of a word. */
#define WORD_MAX 48

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: Levenshtein's distance with swaps of neighbours. */
static size_t distance_of(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *spare = before;

		before = above;
		above = row;
		row = spare;
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = least(least(above[j], row[j - 1]) + 1,
				       above[j - 1] + !same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return row[b_len];
}

void word_guess_init(struct word_guess *guess, const char *text)
{
	*guess = (struct word_guess){ .text = text, .distance = SIZE_MAX };
}

void word_guess_offer(struct word_guess *guess, const char *word)
{
	size_t text_len = strnlen(guess->text, WORD_MAX + 1), len = strnlen(word, WORD_MAX + 1);
	size_t longer = text_len > len ? text_len : len;
	size_t distance;

	if (!text_len || !len || longer > WORD_MAX)
		return;
	distance = distance_of(guess->text, text_len, word, len);
	if (distance * 3 > longer || distance >= guess->distance)
		return;
	guess->nearest = word;
	guess->distance = distance;
}
