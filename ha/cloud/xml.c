/* SPDX-License-Identifier: GPL-2.0-only */
#include "xml.h"

#include <errno.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

struct reader {
	XML_Parser parser;
	json_t *stack[XML_DEPTH_MAX + 1]; /* owned; objects that are being filled */
	char *texts[XML_DEPTH_MAX + 1];
	size_t lens[XML_DEPTH_MAX + 1];
	size_t depth, elements;
	int error;
};

static void fail(struct reader *reader, int error)
{
	if (!reader->error)
		reader->error = error;
	XML_StopParser(reader->parser, XML_FALSE);
}

static void XMLCALL on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *reader = data;

	(void)name;
	(void)attributes;
	if (reader->depth == XML_DEPTH_MAX || reader->elements++ == XML_ELEMENTS_MAX) {
		fail(reader, -EBADMSG);
		return;
	}
	reader->stack[++reader->depth] = json_object();
	if (!reader->stack[reader->depth])
		fail(reader, -ENOMEM);
}

static void XMLCALL on_text(void *data, const XML_Char *text, int len)
{
	struct reader *reader = data;
	char **mine = &reader->texts[reader->depth];
	size_t *mine_len = &reader->lens[reader->depth];
	char *more;

	if (!reader->depth || len <= 0)
		return;
	more = realloc(*mine, *mine_len + (size_t)len + 1);
	if (!more) {
		fail(reader, -ENOMEM);
		return;
	}
	memcpy(more + *mine_len, text, (size_t)len);
	*mine = more;
	*mine_len += (size_t)len;
	more[*mine_len] = '\0';
}

static void XMLCALL on_end(void *data, const XML_Char *name)
{
	struct reader *reader = data;
	const size_t depth = reader->depth--;
	json_t *element = reader->stack[depth], *list;

	reader->stack[depth] = NULL;
	if (element && !json_object_size(element)) {
		json_decref(element);
		element = json_stringn(reader->texts[depth] ? reader->texts[depth] : "",
				       reader->lens[depth]);
	}
	free(reader->texts[depth]);
	reader->texts[depth] = NULL;
	reader->lens[depth] = 0;
	list = json_object_get(reader->stack[depth - 1], name);
	if (!list) {
		list = json_array();
		if (json_object_set_new(reader->stack[depth - 1], name, list))
			list = NULL;
	}
	if (json_array_append_new(list, element))
		fail(reader, -ENOMEM);
}

/* Entities of a document's own are what expansion attacks are made of; no answer has any. */
static void XMLCALL on_doctype(void *data, const XML_Char *name, const XML_Char *system,
			       const XML_Char *public, int internal)
{
	(void)name;
	(void)system;
	(void)public;
	(void)internal;
	fail(data, -EBADMSG);
}

int xml_parse(const char *text, size_t len, json_t **ret_json)
{
	struct reader reader = { .parser = XML_ParserCreate(NULL), .stack = { json_object() } };
	int error = -ENOMEM;

	if (!reader.parser || !reader.stack[0])
		goto out;
	XML_SetUserData(reader.parser, &reader);
	XML_SetElementHandler(reader.parser, on_start, on_end);
	XML_SetCharacterDataHandler(reader.parser, on_text);
	XML_SetStartDoctypeDeclHandler(reader.parser, on_doctype);
	if (XML_Parse(reader.parser, text, (int)len, XML_TRUE) != XML_STATUS_OK) {
		error = reader.error ? reader.error : -EBADMSG;
		goto out;
	}
	*ret_json = reader.stack[0];
	reader.stack[0] = NULL;
	error = 0;
out:
	for (size_t i = 0; i <= XML_DEPTH_MAX; i++) {
		json_decref(reader.stack[i]);
		free(reader.texts[i]);
	}
	if (reader.parser)
		XML_ParserFree(reader.parser);
	return error;
}

json_t *xml_element(json_t *element, const char *name, size_t i)
{
	return json_array_get(json_object_get(element, name), i);
}

const char *xml_text(json_t *element, const char *name)
{
	const char *text = json_string_value(xml_element(element, name, 0));

	return text ? text : "";
}
