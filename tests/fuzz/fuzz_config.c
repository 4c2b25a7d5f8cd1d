/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libFuzzer target: both files from memory. The input is mesh.yaml, a NUL, node.yaml. What is
 * taken must print, parse back and print the same; what is refused must have a message.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct printed {
	char *mesh, *node;
	size_t mesh_len, node_len;
};

static void print(const struct config *config, struct printed *printed)
{
	FILE *mesh = open_memstream(&printed->mesh, &printed->mesh_len);
	FILE *node = open_memstream(&printed->node, &printed->node_len);

	if (!mesh || !node)
		abort();
	config_print_mesh(config, mesh);
	config_print_node(config, node);
	if (fclose(mesh) || fclose(node))
		abort();
}

static struct config *parse(const char *mesh, size_t mesh_len, const char *node, size_t node_len)
{
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;
	char *text = NULL;
	size_t len;
	FILE *out;
	int ret;

	if (!diags)
		abort();
	ret = config_parse("mesh.yaml", mesh, mesh_len, "node.yaml", node, node_len, true, diags,
			   &config);
	if (!ret != !diag_count(diags) || !ret != !!config)
		abort();
	out = open_memstream(&text, &len);
	if (!out)
		abort();
	diag_print(diags, out);
	fclose(out);
	/* Whatever the files hold, messages are text. */
	for (size_t i = 0; i < len; i++) {
		if ((uint8_t)text[i] < 0x20 && text[i] != '\n')
			abort();
	}
	free(text);
	diag_list_free(diags);
	return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *mesh = (const char *)data, *node = size ? memchr(data, '\0', size) : NULL;
	size_t mesh_len = node ? (size_t)(node - mesh) : size;
	size_t node_len = node ? size - mesh_len - 1 : 0;
	struct config *config, *again;
	struct printed first, second;

	config = parse(mesh, mesh_len, node ? node + 1 : "", node_len);
	if (!config)
		return 0;
	print(config, &first);
	again = parse(first.mesh, first.mesh_len, first.node, first.node_len);
	if (!again || again->digest != config->digest)
		abort();
	print(again, &second);
	if (strcmp(first.mesh, second.mesh) || strcmp(first.node, second.node))
		abort();
	free(first.mesh);
	free(first.node);
	free(second.mesh);
	free(second.node);
	config_free(config);
	config_free(again);
	return 0;
}
