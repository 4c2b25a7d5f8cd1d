/* SPDX-License-Identifier: GPL-2.0-only */
/* Which word somebody may have meant: the known one at the smallest edit distance. */
#ifndef NETPAS_WORD_H
#define NETPAS_WORD_H

#include <stddef.h>

struct word_guess {
	const char *text;    /* what was written; not owned */
	const char *nearest; /* the best of the words offered so far; NULL: none is near enough */
	size_t distance;
};

void word_guess_init(struct word_guess *guess, const char *text);

/*
 * Consider a word, which must outlive the guess. Insertions, deletions, substitutions and swaps
 * of neighbours count one each, upper and lower case are the same; a word is near enough if at
 * most a third of it is wrong. The first of equally near ones wins.
 */
void word_guess_offer(struct word_guess *guess, const char *word);

#endif
