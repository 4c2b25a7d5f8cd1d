/* SPDX-License-Identifier: GPL-2.0-only */
/* Readers of structure: marks, errors, mappings, lists. Values are in config_value.c. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"
#include "word.h"

/* Words that one mapping may know. */
#define WORDS_MAX 32

void config_file_fini(struct config_file *file)
{
	free(file->marks);
	file->marks = NULL;
}

void config_mark_add(struct config_file *file, const void *field, const struct tree_node *node)
{
	struct config_mark *grown;
	size_t size;

	if (file->n_marks == file->marks_size) {
		size = file->marks_size ? file->marks_size * 2 : 256;
		grown = reallocarray(file->marks, size, sizeof(*grown));
		if (!grown) {
			file->no_memory = true;
			return;
		}
		file->marks = grown;
		file->marks_size = size;
	}
	file->marks[file->n_marks++] = (struct config_mark){ .field = field, .place = node->place };
	file->marks_sorted = false;
}

static int mark_compare(const void *a, const void *b)
{
	const struct config_mark *l = a, *r = b;
	uintptr_t left = (uintptr_t)l->field, right = (uintptr_t)r->field;

	return (left > right) - (left < right);
}

const struct diag_place *config_mark_find(struct config_file *file, const void *field)
{
	struct config_mark key = { .field = field }, *found;

	if (!file->n_marks)
		return NULL;
	if (!file->marks_sorted) {
		qsort(file->marks, file->n_marks, sizeof(*file->marks), mark_compare);
		file->marks_sorted = true;
	}
	found = bsearch(&key, file->marks, file->n_marks, sizeof(*file->marks), mark_compare);
	return found ? &found->place : NULL;
}

void config_error(struct config_file *file, const struct diag_place *place, const char *help,
		  const char *fmt, ...)
{
	static const struct diag_place none;
	char message[1024];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args); /* cut if longer */
	va_end(args);
	diag_error(file->diags, file->source, place ? *place : none, help, "%s", message);
}

void config_note(struct config_file *file, const struct diag_place *place, const char *fmt, ...)
{
	char message[1024];
	va_list args;

	if (!place)
		return;
	va_start(args, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, args); /* cut if longer */
	va_end(args);
	diag_note(file->diags, file->source, *place, "%s", message);
}

void *config_array(struct config_file *file, size_t n, size_t size)
{
	void *array;

	if (!n)
		return NULL;
	array = calloc(n, size);
	if (!array)
		file->no_memory = true;
	return array;
}

static const char *kind_name(const struct tree_node *node)
{
	static const char *const names[] = {
		[TREE_SCALAR] = "a single value",
		[TREE_LIST] = "a list",
		[TREE_MAP] = "a mapping",
		[TREE_BROKEN] = "",
	};

	return names[node->kind];
}

/* `word:` with nothing after it. */
static bool is_nothing(const struct tree_node *node)
{
	return node->kind == TREE_SCALAR && !node->quoted && !*node->text;
}

/* Returns the number of the word that is most likely meant, or n_words. */
static size_t unknown_word(struct config_file *file, const struct tree_node *key, const char *what,
			   const struct config_word *words, size_t n_words)
{
	struct word_guess guess;
	size_t at, w = n_words;
	char help[256];

	if (diag_count(file->diags) >= DIAG_MAX) {
		config_error(file, &key->place, NULL, "unknown word");
		return n_words;
	}
	word_guess_init(&guess, key->text);
	for (size_t i = 0; i < n_words; i++)
		word_guess_offer(&guess, words[i].word);
	if (guess.nearest) {
		snprintf(help, sizeof(help), "did you mean '%s'?", guess.nearest);
		for (w = 0; words[w].word != guess.nearest; w++)
			;
	} else {
		at = (size_t)snprintf(help, sizeof(help), "known here: ");
		for (size_t i = 0; i < n_words && at < sizeof(help); i++)
			at += (size_t)snprintf(help + at, sizeof(help) - at, "%s%s", i ? ", " : "",
					       words[i].word);
	}
	config_error(file, &key->place, help, "unknown word " CONFIG_QUOTE " in %s", key->text,
		     what);
	return w;
}

static void missing_words(struct config_file *file, const struct tree_node *node, const char *what,
			  const struct config_word *words, size_t n_words,
			  const struct tree_node *const *keys)
{
	char list[256];
	size_t at = 0;

	for (size_t i = 0; i < n_words && at < sizeof(list); i++) {
		if (words[i].required && !keys[i])
			at += (size_t)snprintf(list + at, sizeof(list) - at, "%s'%s'",
					       at ? ", " : "", words[i].word);
	}
	if (at)
		config_error(file, &node->place, NULL, "%s lacks %s", what, list);
}

bool config_read_words(struct config_file *file, const struct tree_node *node, const char *what,
		       const struct config_word *words, size_t n_words, void *object)
{
	const struct tree_node *keys[WORDS_MAX] = { NULL }, *meant[WORDS_MAX] = { NULL };
	size_t w;

	if (node->kind == TREE_BROKEN)
		return false;
	if (node->kind != TREE_MAP) {
		config_error(file, &node->place, "write it as 'word: value' lines",
			     "%s must be a mapping, not %s", what,
			     is_nothing(node) ? "empty" : kind_name(node));
		return false;
	}
	for (const struct tree_node *key = node->first; key; key = key->next) {
		if (key->kind != TREE_SCALAR)
			continue; /* reported when the tree was built */
		for (w = 0; w < n_words && strcmp(key->text, words[w].word); w++)
			;
		if (w == n_words) {
			w = unknown_word(file, key, what, words, n_words);
			if (w < n_words)
				meant[w] = key;
		} else if (keys[w]) {
			config_error(file, &key->place, "keep one of them",
				     "'%s' is given twice in %s", words[w].word, what);
			config_note(file, &keys[w]->place, "first here");
		} else {
			keys[w] = key;
		}
	}
	for (w = 0; w < n_words; w++) {
		/* A misspelt word is read as what it is meant to be, to check its value, too. */
		if (!keys[w])
			keys[w] = meant[w];
		if (!keys[w])
			continue;
		if (is_nothing(keys[w]->value))
			config_error(file, &keys[w]->place, "give it one, or remove the word",
				     "'%s' has no value", words[w].word);
		else if (keys[w]->value->kind != TREE_BROKEN)
			words[w].read(file, keys[w]->value, object);
	}
	missing_words(file, node, what, words, n_words, keys);
	return true;
}

bool config_read_list(struct config_file *file, const struct tree_node *node, const char *what,
		      size_t min, size_t max)
{
	const struct tree_node *item = node->first;
	char help[128];

	if (node->kind == TREE_BROKEN)
		return false;
	if (node->kind == TREE_SCALAR) {
		snprintf(help, sizeof(help), "did you mean [%.60s]?", node->text);
		config_error(file, &node->place, help, "'%s' must be a list, not a single value",
			     what);
		return false;
	}
	if (node->kind == TREE_MAP) {
		config_error(file, &node->place, "begin each item with '- '",
			     "'%s' must be a list, not a mapping", what);
		return false;
	}
	if (node->n < min) {
		config_error(file, &node->place, NULL, "'%s' needs at least %zu item%s", what, min,
			     min == 1 ? "" : "s");
		return false;
	}
	if (node->n > max) {
		for (size_t i = 0; i < max; i++)
			item = item->next;
		config_error(file, &item->place, NULL, "'%s' takes at most %zu item%s, not %zu",
			     what, max, max == 1 ? "" : "s", node->n);
	}
	return true;
}

bool config_is_bare_ipv6(const struct tree_node *node)
{
	return node->kind == TREE_MAP && node->n == 1 && node->first->kind == TREE_SCALAR &&
	       strchr(node->first->text, ':');
}

bool config_read_text(struct config_file *file, const struct tree_node *node, const char *what,
		      const char **ret_text)
{
	const char *help = NULL;

	switch (node->kind) {
	case TREE_BROKEN:
		return false;
	case TREE_SCALAR:
		if (*node->text) {
			*ret_text = node->text;
			return true;
		}
		config_error(file, &node->place, NULL, "%s is empty", what);
		return false;
	case TREE_MAP:
		if (config_is_bare_ipv6(node))
			help = "an IPv6 address that ends in a colon needs quotes";
		break;
	case TREE_LIST:
		break;
	}
	config_error(file, &node->place, help, "%s must be a single value, not %s", what,
		     kind_name(node));
	return false;
}

static int site_compare(const void *a, const void *b)
{
	const struct config_site *const *l = a, *const *r = b;

	return strcmp((*l)->name, (*r)->name);
}

int config_index_init(struct config_index *index, const struct config_mesh *mesh)
{
	index->n_sites = mesh->n_sites;
	index->sites = calloc(mesh->n_sites + 1, sizeof(*index->sites));
	if (!index->sites)
		return -ENOMEM;
	for (size_t i = 0; i < mesh->n_sites; i++)
		index->sites[i] = &mesh->sites[i];
	qsort(index->sites, index->n_sites, sizeof(*index->sites), site_compare);
	return 0;
}

void config_index_fini(struct config_index *index)
{
	free(index->sites);
	index->sites = NULL;
}

const struct config_site *config_index_find(const struct config_index *index, const char *name)
{
	size_t low = 0, high = index->n_sites;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, index->sites[middle]->name);

		if (!order)
			return index->sites[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

int config_members(const struct config_mesh *mesh, struct config_member **ret_members,
		   size_t *ret_n_members)
{
	struct config_member *members;
	size_t n = mesh->n_relays;

	for (size_t s = 0; s < mesh->n_sites; s++)
		n += mesh->sites[s].n_gateways;
	members = calloc(n + 1, sizeof(*members));
	if (!members)
		return -ENOMEM;
	n = 0;
	for (size_t s = 0; s < mesh->n_sites; s++) {
		struct config_site *site = &mesh->sites[s];

		for (size_t g = 0; g < site->n_gateways; g++) {
			struct config_gateway *gateway = &site->gateways[g];

			members[n++] = (struct config_member){
				.name = gateway->name,
				.id = &gateway->id,
				.public_key = &gateway->public_key,
				.wans = &gateway->wans,
				.n_wans = &gateway->n_wans,
				.site = site,
				.gateway = gateway,
			};
		}
	}
	for (size_t r = 0; r < mesh->n_relays; r++) {
		struct config_relay *relay = &mesh->relays[r];

		members[n++] = (struct config_member){
			.name = relay->name,
			.id = &relay->id,
			.public_key = &relay->public_key,
			.wans = &relay->wans,
			.n_wans = &relay->n_wans,
			.relay = relay,
		};
	}
	*ret_members = members;
	*ret_n_members = n;
	return 0;
}
