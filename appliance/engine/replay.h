/* SPDX-License-Identifier: GPL-2.0-only */
/* The sliding window of counters that were received (RFC 6479; WireGuard paper, 5.4.6). */
#ifndef ENGINE_REPLAY_H
#define ENGINE_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

enum {
	REPLAY_WORD_BITS = 64,
	REPLAY_WORDS = 256, /* a power of two */
	/* Counters back from the greatest that are still told apart: a word is being cleared. */
	REPLAY_WINDOW = (REPLAY_WORDS - 1) * REPLAY_WORD_BITS,
};

/* The greatest counter that may be sent or accepted: 2^64 - 2^13 - 1 as the paper has it. */
#define REPLAY_COUNTER_MAX (UINT64_MAX - (1ULL << 13))

struct replay {
	uint64_t next; /* one more than the greatest seen; 0: none */
	uint64_t words[REPLAY_WORDS];
};

/* True and noted, if this counter was not seen and is not too old. Zeros: nothing seen. */
static inline bool replay_accept(struct replay *replay, uint64_t counter)
{
	uint64_t word = counter / REPLAY_WORD_BITS, bit = 1ULL << counter % REPLAY_WORD_BITS;

	if (counter >= REPLAY_COUNTER_MAX)
		return false;
	if (counter >= replay->next) {
		uint64_t last = replay->next ? (replay->next - 1) / REPLAY_WORD_BITS : 0;
		uint64_t fresh = word - last;

		for (uint64_t i = 1; i <= fresh && i <= REPLAY_WORDS; i++)
			replay->words[(last + i) % REPLAY_WORDS] = 0;
		replay->next = counter + 1;
	} else if (replay->next - counter > REPLAY_WINDOW) {
		return false;
	}
	if (replay->words[word % REPLAY_WORDS] & bit)
		return false;
	replay->words[word % REPLAY_WORDS] |= bit;
	return true;
}

#endif
