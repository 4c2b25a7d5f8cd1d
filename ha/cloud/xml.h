/* SPDX-License-Identifier: GPL-2.0-only */
/* XML as EC2 answers with, as JSON. */
#ifndef NETPAS_CLOUD_XML_H
#define NETPAS_CLOUD_XML_H

#include <jansson.h>
#include <stddef.h>

#define XML_DEPTH_MAX 32
#define XML_ELEMENTS_MAX 100000

/*
 * An element with elements in it becomes an object of arrays by their names ({"item": [...]}), another one
 * its text. The document is an object with the root element alone. Attributes are ignored; text
 * beside elements is, too. 0, -EBADMSG (not well-formed, a document type, too deep, too much,
 * not UTF-8 text), -ENOMEM.
 */
int xml_parse(const char *text, size_t len, json_t **ret_json);

/* Element number i of this name in an element as made above; NULL if there is none. */
json_t *xml_element(json_t *element, const char *name, size_t i);
/* Its text; "" if there is none. */
const char *xml_text(json_t *element, const char *name);

#endif
