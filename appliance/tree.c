/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Built from libyaml's events, so that nesting, the number of nodes and everything that we do not
 * support is refused before it costs memory. The bytes are looked through before libyaml sees
 * them: it would stop at the same characters, but could not say as exactly where, and it counts
 * U+0085, U+2028 and U+2029 as line breaks, which no editor does.
 */
#include "tree.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "config.h"
#include "utf8.h"

#define CHUNK_SIZE 65536

struct chunk {
	struct chunk *next;
	size_t used, size;
	_Alignas(max_align_t) char bytes[];
};

struct tree {
	struct chunk *chunks;
	struct tree_node *root;
};

/* A list or map that is being filled. */
struct level {
	struct tree_node *node;
	struct tree_node *last; /* item or key */
	bool value_next;	/* the next node is the value of last */
};

struct builder {
	struct diag_list *diags;
	int source;
	struct tree *tree;
	size_t n_nodes;
	struct level levels[CONFIG_DEPTH_MAX];
	size_t depth;
};

static void *tree_alloc(struct tree *tree, size_t size)
{
	size_t need = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
	struct chunk *chunk = tree->chunks;
	void *bytes;

	if (!chunk || chunk->size - chunk->used < need) {
		size_t room = need > CHUNK_SIZE ? need : CHUNK_SIZE;

		chunk = malloc(sizeof(*chunk) + room);
		if (!chunk)
			return NULL;
		*chunk = (struct chunk){ .next = tree->chunks, .size = room };
		tree->chunks = chunk;
	}
	bytes = chunk->bytes + chunk->used;
	chunk->used += need;
	return bytes;
}

void tree_free(struct tree *tree)
{
	struct chunk *chunk, *next;

	if (!tree)
		return;
	for (chunk = tree->chunks; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	free(tree);
}

const struct tree_node *tree_root(const struct tree *tree)
{
	return tree->root;
}

/* From start to end, or to the end of start's line. */
static struct diag_place place_of(const yaml_mark_t *start, const yaml_mark_t *end)
{
	struct diag_place place = {
		.line = (uint32_t)start->line + 1,
		.column = (uint32_t)start->column + 1,
		.width = 1,
	};

	if (end->line > start->line)
		place.width = UINT32_MAX;
	else if (end->column > start->column)
		place.width = (uint32_t)(end->column - start->column);
	return place;
}

/* The first thing in the text that is not text. Returns 0 or -EINVAL. */
static int check_bytes(const char *text, size_t len, struct diag_list *diags, int source)
{
	struct diag_place place = { .line = 1, .column = 1, .width = 1 };
	uint32_t c, before = 0;
	size_t n;

	for (size_t at = 0; at < len; at += n, before = c) {
		n = utf8_decode(text + at, len - at, &c);
		if (!n) {
			diag_error(diags, source, place, "save the file as UTF-8",
				   "byte 0x%02x is not UTF-8", (unsigned int)(uint8_t)text[at]);
			return -EINVAL;
		}
		if (c == '\n' || c == '\r') {
			if (c == '\r' || before != '\r')
				place.line++;
			place.column = 1;
			continue;
		}
		if (!c) {
			diag_error(diags, source, place, "the file is damaged or not a text file",
				   "NUL byte");
			return -EINVAL;
		}
		if ((c < 0x20 && c != '\t') || (c >= 0x7f && c < 0xa0) || c == 0x2028 ||
		    c == 0x2029 || c == 0xfffe || c == 0xffff) {
			diag_error(diags, source, place, "remove it; lines end in a newline",
				   "control character U+%04X", c);
			return -EINVAL;
		}
		place.column++;
	}
	return 0;
}

/* What libyaml says, in words that help. */
static const struct {
	const char *problem, *reason, *help;
} problems[] = {
	{ "mapping values are not allowed in this context", "a colon is not expected here",
	  "indent with the lines above, and quote a text that contains ': ' or ends in ':'" },
	{ "did not find expected key", "this line does not continue the mapping above it",
	  "words of one mapping begin in the same column" },
	{ "did not find expected '-' indicator", "this line does not continue the list above it",
	  "items of one list begin with '-' in the same column" },
	{ "block sequence entries are not allowed in this context",
	  "a list item is not expected here", "begin the list on a line of its own" },
	{ "could not find expected ':'", "a colon is missing after the word",
	  "write 'word: value'" },
	{ "did not find expected ',' or ']'", "the list in brackets is not closed",
	  "put ',' between items and ']' at the end" },
	{ "did not find expected ',' or '}'", "the mapping in braces is not closed",
	  "put ',' between pairs and '}' at the end" },
	{ "did not find expected node content", "a value is missing here", NULL },
	{ "found unexpected end of stream", "the quotes are never closed",
	  "the file may be truncated" },
	{ "found character that cannot start any token", "a text cannot begin with this character",
	  "put the text in quotes" },
};

/* The byte at a mark, which counts in characters. */
static char byte_at(const char *text, size_t len, const yaml_mark_t *mark)
{
	size_t at = 0;
	uint32_t c;

	for (size_t i = 0; i < mark->index && at < len; i++)
		at += utf8_decode(text + at, len - at, &c);
	return at < len ? text[at] : '\0';
}

static int report_syntax(const struct builder *builder, const yaml_parser_t *parser,
			 const char *text, size_t len)
{
	const yaml_mark_t *mark = &parser->problem_mark;
	const char *problem = parser->problem ? parser->problem : "unreadable";
	struct diag_place place = place_of(mark, mark);
	const char *context;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (byte_at(text, len, mark) == '\t') {
		diag_error(builder->diags, builder->source, place, "use spaces",
			   "a tab cannot indent");
		return -EINVAL;
	}
	for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
		if (strcmp(problem, problems[i].problem))
			continue;
		diag_error(builder->diags, builder->source, place, problems[i].help, "%s",
			   problems[i].reason);
		goto context;
	}
	diag_error(builder->diags, builder->source, place, NULL, "not YAML: %s", problem);
context:
	if (!parser->context || parser->context_mark.line == mark->line)
		return -EINVAL;
	/* "while parsing a block mapping" */
	context = strstr(parser->context, "mapping") ? "the mapping"
		  : strstr(parser->context, "sequence") || strstr(parser->context, "collection")
			  ? "the list"
			  : "it";
	diag_note(builder->diags, builder->source,
		  place_of(&parser->context_mark, &parser->context_mark), "%s begins here",
		  context);
	return -EINVAL;
}

/* Hang the node into the level above it; a key gets its value's turn next. */
static void attach(struct builder *builder, struct tree_node *node)
{
	struct level *level;

	if (!builder->depth) {
		builder->tree->root = node;
		return;
	}
	level = &builder->levels[builder->depth - 1];
	if (level->value_next) {
		level->last->value = node;
		level->value_next = false;
		return;
	}
	if (level->last)
		level->last->next = node;
	else
		level->node->first = node;
	level->last = node;
	level->node->n++;
	if (level->node->kind != TREE_MAP)
		return;
	level->value_next = true;
	if (node->kind == TREE_LIST || node->kind == TREE_MAP)
		diag_error(builder->diags, builder->source, node->place, NULL,
			   "a word is expected here, not a %s",
			   node->kind == TREE_LIST ? "list" : "mapping");
	/* A block mapping begins where its first word does: underline that word. */
	else if (level->node->n == 1 && level->node->place.line == node->place.line &&
		 level->node->place.column == node->place.column)
		level->node->place.width = node->place.width;
}

static int add_scalar(const struct builder *builder, const yaml_event_t *event,
		      struct tree_node *node)
{
	size_t len = event->data.scalar.length;
	char *text;

	node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (memchr(event->data.scalar.value, '\0', len)) {
		diag_error(builder->diags, builder->source, node->place, NULL,
			   "NUL character in a text");
		node->kind = TREE_BROKEN;
		return 0;
	}
	text = tree_alloc(builder->tree, len + 1);
	if (!text)
		return -ENOMEM;
	memcpy(text, event->data.scalar.value, len);
	text[len] = '\0';
	node->text = text;
	return 0;
}

/* One event that is a node. */
static int add_node(struct builder *builder, const yaml_event_t *event)
{
	struct diag_place place = place_of(&event->start_mark, &event->end_mark);
	const yaml_char_t *anchor = NULL, *tag = NULL;
	struct tree_node *node;
	bool nested = false;
	int ret;

	if (builder->n_nodes++ == TREE_NODES_MAX) {
		diag_error(builder->diags, builder->source, place, NULL,
			   "more than %u values in one file", TREE_NODES_MAX);
		return -EINVAL;
	}
	node = tree_alloc(builder->tree, sizeof(*node));
	if (!node)
		return -ENOMEM;
	*node = (struct tree_node){ .kind = TREE_BROKEN, .place = place };
	switch (event->type) {
	case YAML_SCALAR_EVENT:
		node->kind = TREE_SCALAR;
		anchor = event->data.scalar.anchor;
		tag = event->data.scalar.tag;
		ret = add_scalar(builder, event, node);
		if (ret)
			return ret;
		break;
	case YAML_SEQUENCE_START_EVENT:
		node->kind = TREE_LIST;
		anchor = event->data.sequence_start.anchor;
		tag = event->data.sequence_start.tag;
		nested = true;
		break;
	case YAML_MAPPING_START_EVENT:
		node->kind = TREE_MAP;
		anchor = event->data.mapping_start.anchor;
		tag = event->data.mapping_start.tag;
		nested = true;
		break;
	default: /* YAML_ALIAS_EVENT */
		anchor = event->data.alias.anchor;
		break;
	}
	if (anchor)
		diag_error(builder->diags, builder->source, place, "write the value out",
			   "anchors and aliases are not supported");
	if (tag)
		diag_error(builder->diags, builder->source, place, "remove the tag",
			   "tags are not supported");
	attach(builder, node);
	if (!nested)
		return 0;
	if (builder->depth == CONFIG_DEPTH_MAX) {
		diag_error(builder->diags, builder->source, place, NULL, "nested more than %d deep",
			   CONFIG_DEPTH_MAX);
		return -EINVAL;
	}
	builder->levels[builder->depth++] = (struct level){ .node = node };
	return 0;
}

/* Returns 1 at the end of the stream, else 0 or -errno. */
static int handle(struct builder *builder, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_DOCUMENT_START_EVENT:
		if (!builder->tree->root)
			return 0;
		diag_error(builder->diags, builder->source,
			   place_of(&event->start_mark, &event->end_mark),
			   "keep one document, and remove the '---' before the others",
			   "more than one document in the file");
		return -EINVAL;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		builder->depth--;
		return 0;
	case YAML_SCALAR_EVENT:
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
	case YAML_ALIAS_EVENT:
		return add_node(builder, event);
	default:
		return 0;
	}
}

static bool is_empty(const struct tree_node *root)
{
	return !root || (root->kind == TREE_SCALAR && !root->quoted && !*root->text);
}

int tree_parse(const char *text, size_t len, struct diag_list *diags, int source,
	       struct tree **ret_tree)
{
	static const char mark[] = "\xef\xbb\xbf";
	struct builder builder = { .diags = diags, .source = source };
	yaml_parser_t parser;
	yaml_event_t event;
	int ret;

	if (len >= 3 && !memcmp(text, mark, 3)) {
		text += 3;
		len -= 3;
	}
	ret = check_bytes(text, len, diags, source);
	if (ret)
		return ret;
	builder.tree = calloc(1, sizeof(*builder.tree));
	if (!builder.tree)
		return -ENOMEM;
	ret = -ENOMEM;
	if (!yaml_parser_initialize(&parser))
		goto free_tree;
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)(len ? text : ""), len);
	do {
		if (!yaml_parser_parse(&parser, &event)) {
			ret = report_syntax(&builder, &parser, text, len);
			break;
		}
		ret = handle(&builder, &event);
		yaml_event_delete(&event);
	} while (!ret);
	yaml_parser_delete(&parser);
	if (ret < 0)
		goto free_tree;
	if (is_empty(builder.tree->root)) {
		diag_error(diags, source, (struct diag_place){ 0 }, NULL, "the file is empty");
		ret = -EINVAL;
		goto free_tree;
	}
	*ret_tree = builder.tree;
	return 0;
free_tree:
	tree_free(builder.tree);
	return ret;
}
