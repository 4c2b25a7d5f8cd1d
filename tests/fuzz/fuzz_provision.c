/* SPDX-License-Identifier: GPL-2.0-only */
/* Whatever a source of user data may hold. The first byte chooses the parser. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "diag.h"
#include "provision_metadata.h"
#include "provision_netconfig.h"
#include "provision_plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct provision_nic nics[] = {
	{ .name = "eth0", .mac = { 0x52, 0x54, 0, 0, 0, 1 }, .driver = "ena", .link = "up" },
	{ .name = "eth1", .mac = { 0x52, 0x54, 0, 0, 0, 2 }, .driver = "ena", .link = "up" },
};

static void plan(struct provision_part *part, const struct provision_seed *seed)
{
	struct provision_machine machine = { .nics = nics, .n_nics = 2 };
	struct diag_list *diags = diag_list_new();
	struct provision_document *document = NULL;
	struct provision_plan plan;
	char *text = NULL;
	size_t len;
	FILE *out;

	if (!diags)
		abort();
	if (!provision_document_parse(part, diags, &document) &&
	    !provision_plan_make(document, seed, &machine, diags, &plan)) {
		/* What is refused is said, and what is taken has no word against it. */
		if (diag_count(diags))
			abort();
		provision_plan_fini(&plan);
	}
	out = open_memstream(&text, &len);
	if (!out)
		abort();
	diag_print(diags, out);
	fclose(out);
	free(text);
	provision_document_free(document);
	diag_list_free(diags);
}

static void user_data(const char *text, size_t len)
{
	const struct provision_seed seed = { .source = "fuzz" };
	char reason[PROVISION_REASON_LEN];
	struct provision_part part;
	int ret;

	ret = provision_text_unwrap(text, len, &part, reason);
	if (ret) {
		if (ret == -EINVAL && !*reason)
			abort();
		return;
	}
	plan(&part, &seed);
	provision_part_fini(&part);
}

static void network_config(const char *text, size_t len, struct provision_seed *seed)
{
	struct diag_list *diags = diag_list_new();
	int ret;

	if (!diags)
		abort();
	ret = provision_netconfig_parse(text, len, nics, 2, diags, seed);
	/* Refused with a word and without a trace, or taken without. */
	if (!ret != !diag_count(diags) || (ret && seed->n_hints) || seed->n_hints > 2)
		abort();
	diag_list_free(diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct provision_seed seed = { 0 };
	char *text, *health = NULL;

	if (!size)
		return 0;
	text = malloc(size);
	if (!text)
		abort();
	memcpy(text, data + 1, size - 1);
	text[--size] = '\0';
	switch (*data == '8' ? 8 : *data % 8) {
	case 0:
		user_data(text, size);
		break;
	case 1:
		(void)provision_ovf_parse(text, size, &seed);
		break;
	case 2:
		(void)provision_seed_network(text, size, &seed);
		break;
	case 3:
		(void)provision_seed_openstack(text, size, &seed);
		break;
	case 4:
		(void)provision_seed_nocloud(text, size, &seed);
		break;
	case 5:
		(void)provision_gce_parse(text, size, 1795350000, &seed);
		break;
	case 6:
		(void)provision_azure_parse(text, size, &seed);
		break;
	case 8:
		network_config(text, size, &seed);
		break;
	default:
		(void)provision_health_make(text, size, &health);
		free(health);
		break;
	}
	if (strlen(seed.instance) >= sizeof(seed.instance) ||
	    (*seed.hostname && !provision_hostname_good(seed.hostname)))
		abort();
	provision_seed_fini(&seed);
	free(text);
	return 0;
}
