/* SPDX-License-Identifier: GPL-2.0-only */
/* The canonical form: every value that has a default is written out, IPv6 is always quoted. */
#include <string.h>

#include "cloud/cloud.h"
#include "config.h"
#include "utf8.h"

static void print_addr(const struct ip_addr *addr, FILE *out)
{
	const char *quote = addr->family == IP_V6 ? "\"" : "";
	char text[IP_ADDR_STRLEN];

	fprintf(out, "%s%s%s", quote, ip_addr_format(addr, text), quote);
}

static void print_prefix(const struct ip_prefix *prefix, FILE *out)
{
	const char *quote = prefix->addr.family == IP_V6 ? "\"" : "";
	char text[IP_PREFIX_STRLEN];

	fprintf(out, "%s%s%s", quote, ip_prefix_format(prefix, text), quote);
}

/* A list of those of two addresses that are there. */
static void print_pair(const char *word, const struct ip_addr *v4, const struct ip_addr *v6,
		       FILE *out)
{
	if (!v4->family && !v6->family)
		return;
	fprintf(out, "%s: [", word);
	if (v4->family)
		print_addr(v4, out);
	if (v4->family && v6->family)
		fputs(", ", out);
	if (v6->family)
		print_addr(v6, out);
	fputs("]\n", out);
}

static void print_lan(const struct config_site *site, FILE *out)
{
	fputs("    lan:\n      prefixes: [", out);
	if (site->lan4.addr.family)
		print_prefix(&site->lan4, out);
	if (site->lan4.addr.family && site->lan6.addr.family)
		fputs(", ", out);
	if (site->lan6.addr.family)
		print_prefix(&site->lan6, out);
	fputs("]\n", out);
	print_pair("      routers", &site->router4, &site->router6, out);
	fputs("      vips: [", out);
	for (size_t i = 0; i < site->n_vips; i++) {
		if (i)
			fputs(", ", out);
		print_addr(&site->vips[i], out);
	}
	fputs("]\n", out);
}

static void print_wans(const char *indent, const struct config_wan *wans, size_t n, FILE *out)
{
	fprintf(out, "%swan:\n", indent);
	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s  - ", indent);
		if (!ip_addr_compare(&wans[i].public_addr, &wans[i].private_addr)) {
			print_addr(&wans[i].public_addr, out);
			fputs("\n", out);
			continue;
		}
		fputs("{public: ", out);
		print_addr(&wans[i].public_addr, out);
		fputs(", private: ", out);
		print_addr(&wans[i].private_addr, out);
		fputs("}\n", out);
	}
}

static void print_site(const struct config_site *site, FILE *out)
{
	char key[KEY_STRLEN];

	fprintf(out, "  - name: %s\n", site->name);
	print_lan(site, out);
	fprintf(out, "    vrrp: {id: %u, profile: %s, advert: %ums}\n    subnets:\n", site->vrid,
		config_profile_names[site->profile], site->advert_ms);
	for (size_t i = 0; i < site->n_subnets; i++) {
		const struct config_subnet *subnet = &site->subnets[i];

		fputs(subnet->via.family ? "      - {prefix: " : "      - ", out);
		print_prefix(&subnet->prefix, out);
		if (subnet->via.family) {
			fputs(", via: ", out);
			print_addr(&subnet->via, out);
			fputs("}", out);
		}
		fputs("\n", out);
	}
	fputs("    gateways:\n", out);
	for (size_t i = 0; i < site->n_gateways; i++) {
		const struct config_gateway *gateway = &site->gateways[i];

		fprintf(out, "      - name: %s\n        id: %u\n        public_key: %s\n",
			gateway->name, gateway->id, key_format(&gateway->public_key, key));
		print_pair("        lan", &gateway->lan4, &gateway->lan6, out);
		print_wans("        ", gateway->wans, gateway->n_wans, out);
	}
}

static void print_lanes(const struct config_mesh *mesh, FILE *out)
{
	fputs("lanes: [", out);
	for (size_t i = 0; i < mesh->n_lanes; i++)
		fprintf(out, "%s%s", i ? ", " : "", config_class_names[mesh->lanes[i]]);
	fputs("]\n", out);
}

static void print_dscp(const struct config_policy *policy, FILE *out)
{
	const char *before = "    dscp: {";

	for (unsigned int i = 0; i <= CONFIG_DSCP_MAX; i++) {
		if (policy->dscp[i] == CONFIG_CLASS_MAX)
			continue;
		fprintf(out, "%s%u: %s", before, i, config_class_names[policy->dscp[i]]);
		before = ", ";
	}
	if (*before == ',')
		fputs("}\n", out);
}

void config_print_mesh(const struct config *config, FILE *out)
{
	const struct config_mesh *mesh = &config->mesh;
	char key[KEY_STRLEN];

	fprintf(out, "mesh: %s\nport_base: %u\nengine: %s\nmtu: %u\nkeepalive: %us\n", mesh->name,
		mesh->port_base, config_engine_names[mesh->engine], mesh->mtu, mesh->keepalive_s);
	fprintf(out, "probes: {fast: %ums, slow: %ums}\n", mesh->probe_fast_ms,
		mesh->probe_slow_ms);
	print_lanes(mesh, out);
	fputs("sites:\n", out);
	for (size_t i = 0; i < mesh->n_sites; i++)
		print_site(&mesh->sites[i], out);
	if (mesh->n_relays)
		fputs("relays:\n", out);
	for (size_t i = 0; i < mesh->n_relays; i++) {
		const struct config_relay *relay = &mesh->relays[i];

		fprintf(out, "  - name: %s\n    id: %u\n    public_key: %s\n", relay->name,
			relay->id, key_format(&relay->public_key, key));
		print_wans("    ", relay->wans, relay->n_wans, out);
		fprintf(out, "    limit: %u\n", relay->limit_pps);
	}
	if (mesh->n_policies)
		fputs("policies:\n", out);
	for (size_t i = 0; i < mesh->n_policies; i++) {
		const struct config_policy *policy = &mesh->policies[i];

		fprintf(out,
			"  - between: [%s, %s]\n    connect: %s\n    mtu: %u\n    mss: %s\n    class: %s\n",
			mesh->sites[policy->site_a].name, mesh->sites[policy->site_b].name,
			policy->connect ? "yes" : "no", policy->mtu,
			policy->mss_clamp ? "clamp" : "keep", config_class_names[policy->class]);
		print_dscp(policy, out);
	}
}

/* Any text: double-quoted, unless it is surely plain. */
static void print_text(const char *text, FILE *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_./";
	size_t len = strlen(text), n;
	uint32_t c;

	if (strspn(text, plain) == len) {
		fputs(text, out);
		return;
	}
	putc('"', out);
	for (; len; text += n, len -= n) {
		n = utf8_decode(text, len, &c);
		if (!n) /* cannot be: it came from a file that is UTF-8 */
			break;
		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", (int)c);
		else if (c >= 0x20 && c < 0x7f)
			putc((int)c, out);
		else
			fprintf(out, c > 0xffff ? "\\U%08x" : "\\u%04x", c);
	}
	putc('"', out);
}

static void print_cloud_item(const struct cloud_item *item, FILE *out)
{
	if (item->kind == CLOUD_ROUTE) {
		fputs("{", out);
		if (item->id) {
			fputs("table: ", out);
			print_text(item->id, out);
			fputs(", ", out);
		}
		fputs("prefix: ", out);
		print_text(item->prefix, out);
		fputs("}", out);
	} else {
		print_text(item->id, out);
	}
}

static void print_cloud(const struct cloud_config *cloud, FILE *out)
{
	bool listed;

	fprintf(out, "cloud:\n  provider: %s\n", cloud_provider_names[cloud->provider]);
	for (size_t i = 0; i < CLOUD_WORD_MAX; i++) {
		if (!cloud->words[i])
			continue;
		fprintf(out, "  %s: ", cloud_word_names[i]);
		print_text(cloud->words[i], out);
		fputs("\n", out);
	}
	for (unsigned int kind = 0; kind < CLOUD_KIND_MAX; kind++) {
		listed = false;
		for (size_t i = 0; i < cloud->n_items; i++) {
			if (cloud->items[i].kind != kind)
				continue;
			if (!listed)
				fprintf(out, "  %s:\n", cloud_kind_names[kind]);
			listed = true;
			fputs("    - ", out);
			print_cloud_item(&cloud->items[i], out);
			fputs("\n", out);
		}
	}
	fprintf(out, "  verify: %ums\n", cloud->verify_ms);
}

static void print_web(const struct config_web *web, FILE *out)
{
	const struct ip_addr *listen[] = { &web->listen4, &web->listen6 };
	char text[IP_PREFIX_STRLEN];

	fputs("web:\n  listen:\n", out);
	for (size_t i = 0; i < 2; i++)
		if (listen[i]->family != IP_NONE)
			fprintf(out, "    - \"%s\"\n", ip_addr_format(listen[i], text));
	if (*web->interface) {
		fputs("  interface: ", out);
		print_text(web->interface, out);
		fputs("\n", out);
	}
	fprintf(out, "  port: %u\n  allow:\n", web->port);
	for (size_t i = 0; i < web->n_allow; i++)
		fprintf(out, "    - \"%s\"\n", ip_prefix_format(&web->allow[i], text));
	fputs("  token: ", out);
	print_text(web->token_file, out);
	fputs("\n", out);
}

void config_print_node(const struct config *config, FILE *out)
{
	const struct config_node *node = &config->node;
	char text[IP_PREFIX_STRLEN];

	fprintf(out, "node: %s\nkey: ", node->name);
	print_text(node->key_file, out);
	fputs("\ninterfaces:\n", out);
	if (!config->is_relay) {
		fputs("  lan: ", out);
		print_text(node->lan, out);
		fputs("\n", out);
	}
	fputs("  wan: [", out);
	for (size_t i = 0; i < node->n_wans; i++) {
		if (i)
			fputs(", ", out);
		print_text(node->wans[i], out);
	}
	fputs("]\n", out);
	if (node->engine != config->mesh.engine)
		fprintf(out, "engine: %s\n", config_engine_names[node->engine]);
	fprintf(out, "dataplane: %s\n", config_dataplane_names[node->dataplane]);
	if (!config->is_relay)
		fprintf(out, "drills: %s\n", config_drills_names[node->drills]);
	if (node->n_allow)
		fputs("allow:\n", out);
	for (size_t i = 0; i < node->n_allow; i++) {
		const struct config_allow *allow = &node->allow[i];

		ip_prefix_format(&allow->from, text);
		fprintf(out, "  - {from: \"%s\", %s: %u}\n", text,
			allow->proto == CONFIG_PROTO_TCP ? "tcp" : "udp", allow->port);
	}
	if (node->n_lan_probes)
		fputs("lan_probe:\n", out);
	for (size_t i = 0; i < node->n_lan_probes; i++)
		fprintf(out, "  - \"%s\"\n", ip_addr_format(&node->lan_probes[i], text));
	if (node->cloud)
		print_cloud(node->cloud, out);
	if (node->web)
		print_web(node->web, out);
}
