/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The settings of a wanem, and the words that they are read from and printed in. Pure: the tests
 * include it too.
 *
 * A request is read into a copy of the settings, so that one with a mistake changes nothing. What
 * wanem_print() makes, wanem_parse() reads back to the same settings.
 */
#ifndef WANEM_WORDS_H
#define WANEM_WORDS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS 1000000000ll
#define TIME_MAX (60 * NS)
#define WORDS_MAX 256

enum jitter {
	JITTER_UNIFORM, /* up to so much earlier or later */
	JITTER_NORMAL,	/* so much is the standard deviation */
};

/* One direction's; all zero is a plain wire. Each member is what one word sets. */
struct settings {
	int64_t delay_ns;
	struct {
		int64_t ns;
		enum jitter kind;
		bool unordered;
	} jitter;
	double loss; /* all probabilities are percentages */
	struct {
		double enter, leave, lost_bad, lost_good;
	} bursts; /* Gilbert-Elliott */
	double duplicate;
	struct {
		double percent;
		int64_t ns;
	} reorder;
	uint64_t rate;	/* bit/s */
	uint64_t burst; /* bytes */
	struct {
		int64_t ns; /* one of these, or none */
		uint64_t bytes;
	} queue;
	uint64_t mtu;
	bool blackhole, cut;
	uint64_t seed;
};

static inline bool bursts_any(const struct settings *set)
{
	return set->bursts.enter > 0 || set->bursts.lost_good > 0;
}

struct parser {
	char *words[WORDS_MAX + 1]; /* NULL ends them */
	char **at;
	struct settings *set; /* of the direction that is read for */
	char error[160];
};

__attribute__((format(printf, 2, 3))) static bool parser_fail(struct parser *parser,
							      const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(parser->error, sizeof(parser->error), fmt, ap);
	va_end(ap);
	return false;
}

static inline bool parser_eats(struct parser *parser, const char *word)
{
	if (!*parser->at || strcmp(*parser->at, word) != 0)
		return false;
	parser->at++;
	return true;
}

struct unit {
	const char *name;
	double factor;
};

static const struct unit wanem_times[] = {
	{ "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { NULL, 0 }
};
static const struct unit wanem_rates[] = {
	{ "bit", 1 }, { "kbit", 1e3 }, { "mbit", 1e6 }, { "gbit", 1e9 }, { NULL, 0 }
};
static const struct unit wanem_sizes[] = { { "b", 1 }, { "kb", 1e3 }, { "mb", 1e6 }, { NULL, 0 } };
static const struct unit wanem_percents[] = { { "%", 1 }, { NULL, 0 } };
static const struct unit wanem_plain[] = { { "", 1 }, { NULL, 0 } };

static inline bool number_read(const char *word, const struct unit *unit, double max, double *ret)
{
	double value;
	char *end;

	if (!word || word[0] < '0' || word[0] > '9' || word[1] == 'x')
		return false;
	value = strtod(word, &end);
	for (; unit->name; unit++) {
		if (strcmp(end, unit->name) != 0)
			continue;
		if (!(value * unit->factor <= max))
			return false;
		*ret = value * unit->factor;
		return true;
	}
	return false;
}

/* The next word as a number; what: how a right one looks. */
static inline bool parser_number(struct parser *parser, const struct unit *unit, double max,
				 const char *what, double *ret)
{
	if (!number_read(*parser->at, unit, max, ret)) {
		parser_fail(parser, "'%.40s' after '%.40s': %s is wanted",
			    *parser->at ? *parser->at : "nothing", parser->at[-1], what);
		return false;
	}
	parser->at++;
	return true;
}

static inline bool parser_time(struct parser *parser, int64_t *ret)
{
	double value;

	if (!parser_number(parser, wanem_times, (double)TIME_MAX, "a time such as 30ms, up to 60s",
			   &value))
		return false;
	*ret = (int64_t)(value + 0.5);
	return true;
}

static inline bool parser_percent(struct parser *parser, double *ret)
{
	return parser_number(parser, wanem_percents, 100, "a percentage such as 9%, up to 100%",
			     ret);
}

static inline bool parse_delay(struct parser *parser)
{
	return parser_time(parser, &parser->set->delay_ns);
}

static inline bool parse_jitter(struct parser *parser)
{
	struct settings *set = parser->set;

	if (!parser_time(parser, &set->jitter.ns))
		return false;
	set->jitter.kind = JITTER_UNIFORM;
	if (parser_eats(parser, "normal"))
		set->jitter.kind = JITTER_NORMAL;
	else
		(void)parser_eats(parser, "uniform"); /* is what it is without, too */
	set->jitter.unordered = parser_eats(parser, "unordered");
	if (set->jitter.ns == 0)
		memset(&set->jitter, 0, sizeof(set->jitter));
	return true;
}

static inline bool parse_loss(struct parser *parser)
{
	return parser_percent(parser, &parser->set->loss);
}

static inline bool parse_burst_loss(struct parser *parser)
{
	struct settings *set = parser->set;
	double loss, length, leave;

	if (!parser_percent(parser, &loss) ||
	    !parser_number(parser, wanem_plain, 1e6, "the mean length of a burst in frames",
			   &length))
		return false;
	if (loss >= 100 || length < 1 || loss / (100 - loss) > length)
		return parser_fail(parser, "bursts of %g frames cannot lose %g%%", length, loss);
	memset(&set->bursts, 0, sizeof(set->bursts));
	if (!(loss > 0))
		return true;
	leave = 100 / length;
	set->bursts.enter = leave * loss / (100 - loss);
	set->bursts.leave = leave;
	set->bursts.lost_bad = 100;
	return true;
}

static inline bool parse_gilbert_elliott(struct parser *parser)
{
	struct settings *set = parser->set;

	if (!parser_percent(parser, &set->bursts.enter) ||
	    !parser_percent(parser, &set->bursts.leave) ||
	    !parser_percent(parser, &set->bursts.lost_bad) ||
	    !parser_percent(parser, &set->bursts.lost_good))
		return false;
	if (!bursts_any(set))
		memset(&set->bursts, 0, sizeof(set->bursts));
	return true;
}

static inline bool parse_duplicate(struct parser *parser)
{
	return parser_percent(parser, &parser->set->duplicate);
}

static inline bool parse_reorder(struct parser *parser)
{
	struct settings *set = parser->set;

	if (!parser_percent(parser, &set->reorder.percent) ||
	    !parser_time(parser, &set->reorder.ns))
		return false;
	if (!(set->reorder.percent > 0))
		set->reorder.ns = 0;
	return true;
}

static inline bool parse_rate(struct parser *parser)
{
	double value;

	if (!parser_number(parser, wanem_rates, 1e12, "a rate such as 100mbit", &value))
		return false;
	if (value < 1000)
		return parser_fail(parser, "a rate is at least 1kbit");
	parser->set->rate = (uint64_t)value;
	return true;
}

static inline bool parse_burst(struct parser *parser)
{
	double value;

	if (!parser_number(parser, wanem_sizes, 1e9, "a size such as 64kb, up to 1000mb", &value))
		return false;
	parser->set->burst = (uint64_t)value;
	return true;
}

static inline bool parse_queue(struct parser *parser)
{
	double value;

	if (number_read(*parser->at, wanem_sizes, 1e9, &value) && value >= 1) {
		parser->set->queue.bytes = (uint64_t)value;
		parser->set->queue.ns = 0;
	} else if (number_read(*parser->at, wanem_times, (double)TIME_MAX, &value) && value >= 1) {
		parser->set->queue.ns = (int64_t)value;
		parser->set->queue.bytes = 0;
	} else {
		return parser_fail(parser, "'%.40s' after 'queue': a time or size is wanted",
				   *parser->at ? *parser->at : "nothing");
	}
	parser->at++;
	return true;
}

static inline bool parse_mtu(struct parser *parser)
{
	double value;

	if (!parser_number(parser, wanem_plain, 65535, "a length in bytes", &value))
		return false;
	parser->set->mtu = (uint64_t)value;
	return true;
}

static inline bool parse_blackhole(struct parser *parser)
{
	(void)parser_eats(parser, "on"); /* need not be said */
	parser->set->blackhole = true;
	return true;
}

static inline bool parse_cut(struct parser *parser)
{
	(void)parser_eats(parser, "on");
	parser->set->cut = true;
	return true;
}

static inline bool parse_seed(struct parser *parser)
{
	double value;

	if (!parser_number(parser, wanem_plain, 0x1p53, "a number", &value))
		return false;
	parser->set->seed = (uint64_t)value;
	return true;
}

struct word {
	const char *name;
	bool (*parse)(struct parser *parser);
	size_t offset, size; /* what "off" clears; 0: there is no "off" */
};

#define WORD(name, parse, member)                                 \
	{                                                         \
		name, parse, offsetof(struct settings, member),   \
			sizeof(((struct settings *)NULL)->member) \
	}
static const struct word wanem_words[] = {
	WORD("delay", parse_delay, delay_ns),
	WORD("jitter", parse_jitter, jitter),
	WORD("loss", parse_loss, loss),
	WORD("loss-burst", parse_burst_loss, bursts),
	WORD("loss-ge", parse_gilbert_elliott, bursts),
	WORD("duplicate", parse_duplicate, duplicate),
	WORD("reorder", parse_reorder, reorder),
	WORD("rate", parse_rate, rate),
	WORD("burst", parse_burst, burst),
	WORD("queue", parse_queue, queue),
	WORD("mtu", parse_mtu, mtu),
	WORD("blackhole", parse_blackhole, blackhole),
	WORD("cut", parse_cut, cut),
	{ "seed", parse_seed, 0, 0 },
};
#undef WORD

static inline bool wanem_word(struct parser *parser)
{
	for (size_t i = 0; i < sizeof(wanem_words) / sizeof(wanem_words[0]); i++) {
		const struct word *word = &wanem_words[i];

		if (!parser_eats(parser, word->name))
			continue;
		if (word->size == 0 || !parser_eats(parser, "off"))
			return word->parse(parser);
		memset((char *)parser->set + word->offset, 0, word->size);
		return true;
	}
	if (parser_eats(parser, "clear")) {
		const uint64_t seed = parser->set->seed;

		memset(parser->set, 0, sizeof(*parser->set));
		parser->set->seed = seed;
		return true;
	}
	return parser_fail(parser, "there is no setting '%.40s'", *parser->at);
}

/*
 * Reads text (and writes into it) over what both directions have; false: nothing is changed, and
 * ret_error is a sentence. Bits 0 and 1 of ret_seeded: that direction has got a seed.
 */
static inline bool wanem_parse(char *text, struct settings set[2], unsigned int *ret_seeded,
			       char ret_error[160])
{
	static const char blanks[] = " \t\r\n";
	struct parser parser = { .error = "too many words" };
	struct settings now[2] = { set[0], set[1] };
	unsigned int which = 3, seeded = 0;
	size_t n = 0;
	char *rest, *word;

	for (word = strtok_r(text, blanks, &rest); word; word = strtok_r(NULL, blanks, &rest)) {
		if (n == WORDS_MAX)
			goto fail;
		parser.words[n++] = word;
	}
	parser.at = parser.words;
	while (*parser.at) {
		char **start;

		if (parser_eats(&parser, "ab")) {
			which = 1;
		} else if (parser_eats(&parser, "ba")) {
			which = 2;
		} else if (parser_eats(&parser, "both")) {
			which = 3;
		} else {
			start = parser.at;
			if (strcmp(*start, "seed") == 0)
				seeded |= which;
			for (unsigned int i = 0; i < 2; i++) {
				parser.at = start;
				parser.set = &now[i];
				if ((which >> i & 1) != 0 && !wanem_word(&parser))
					goto fail;
				if (which == 1)
					break;
			}
		}
	}
	set[0] = now[0];
	set[1] = now[1];
	*ret_seeded = seeded;
	return true;
fail:
	memcpy(ret_error, parser.error, sizeof(parser.error));
	return false;
}

static inline void wanem_print_time(FILE *out, const char *name, int64_t ns)
{
	static const struct unit units[] = { { "s", 1e9 }, { "ms", 1e6 }, { "us", 1e3 } };

	for (size_t i = 0; i < 3; i++) {
		if (ns % (int64_t)units[i].factor == 0) {
			fprintf(out, "%s %lld%s", name, (long long)ns / (long long)units[i].factor,
				units[i].name);
			return;
		}
	}
	fprintf(out, "%s %lldns", name, (long long)ns);
}

/* Without the direction's name. */
static inline void wanem_print(FILE *out, const struct settings *set)
{
	fprintf(out, "clear");
	if (set->delay_ns != 0)
		wanem_print_time(out, " delay", set->delay_ns);
	if (set->jitter.ns != 0) {
		wanem_print_time(out, " jitter", set->jitter.ns);
		fprintf(out, "%s%s", set->jitter.kind == JITTER_NORMAL ? " normal" : " uniform",
			set->jitter.unordered ? " unordered" : "");
	}
	if (set->loss > 0)
		fprintf(out, " loss %.17g%%", set->loss);
	if (bursts_any(set))
		fprintf(out, " loss-ge %.17g%% %.17g%% %.17g%% %.17g%%", set->bursts.enter,
			set->bursts.leave, set->bursts.lost_bad, set->bursts.lost_good);
	if (set->duplicate > 0)
		fprintf(out, " duplicate %.17g%%", set->duplicate);
	if (set->reorder.percent > 0) {
		fprintf(out, " reorder %.17g%%", set->reorder.percent);
		wanem_print_time(out, "", set->reorder.ns);
	}
	if (set->rate != 0)
		fprintf(out, " rate %llubit", (unsigned long long)set->rate);
	if (set->burst != 0)
		fprintf(out, " burst %llub", (unsigned long long)set->burst);
	if (set->queue.bytes != 0)
		fprintf(out, " queue %llub", (unsigned long long)set->queue.bytes);
	if (set->queue.ns != 0)
		wanem_print_time(out, " queue", set->queue.ns);
	if (set->mtu != 0)
		fprintf(out, " mtu %llu", (unsigned long long)set->mtu);
	fprintf(out, "%s%s seed %llu", set->blackhole ? " blackhole" : "", set->cut ? " cut" : "",
		(unsigned long long)set->seed);
}

#endif
