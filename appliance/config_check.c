/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the values of mesh.yaml must be to each other, but for the overlap of prefixes
 * (config_prefixes.c). Everything goes by sorting: a file may list a hundred thousand of a thing.
 */
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"

/* One use of something that may be used once. */
struct use {
	const void *bytes;
	size_t len;
	const char *what; /* NULL: all are the same kind of thing */
	struct diag_place place;
};

struct uses {
	struct use *array;
	size_t n;
};

static int place_compare(const struct diag_place *a, const struct diag_place *b)
{
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return (a->column > b->column) - (a->column < b->column);
}

static int use_compare(const void *a, const void *b)
{
	const struct use *l = a, *r = b;
	int ret = memcmp(l->bytes, r->bytes, l->len);

	return ret ? ret : place_compare(&l->place, &r->place);
}

/* A field that is not marked is no use. */
static void use_add(struct config_file *file, struct uses *uses, const char *what,
		    const void *field, size_t len)
{
	const struct diag_place *place = config_mark_find(file, field);

	if (place)
		uses->array[uses->n++] = (struct use){ field, len, what, *place };
}

/* Calls report() for each use after the first of the same. */
static void uses_check(struct config_file *file, struct uses *uses, const char *help,
		       void (*report)(struct config_file *file, const struct use *use,
				      const char *help))
{
	qsort(uses->array, uses->n, sizeof(*uses->array), use_compare);
	for (size_t i = 1, first = 0; i < uses->n; i++) {
		const struct use *use = &uses->array[i], *before = &uses->array[first];

		if (memcmp(use->bytes, before->bytes, use->len)) {
			first = i;
			continue;
		}
		report(file, use, help);
		config_note(file, &before->place, "first here%s%s", before->what ? ", as " : "",
			    before->what ? before->what : "");
	}
	uses->n = 0;
}

static void report_name(struct config_file *file, const struct use *use, const char *help)
{
	config_error(file, &use->place, help, "the name '%s' is used twice",
		     (const char *)use->bytes);
}

static void report_id(struct config_file *file, const struct use *use, const char *help)
{
	uint16_t id;

	memcpy(&id, use->bytes, sizeof(id));
	config_error(file, &use->place, help, "id %u is used twice", id);
}

static void report_key(struct config_file *file, const struct use *use, const char *help)
{
	config_error(file, &use->place, help, "this public key is used twice");
}

static void report_addr(struct config_file *file, const struct use *use, const char *help)
{
	char text[IP_ADDR_STRLEN];

	config_error(file, &use->place, help, "address %s is used twice",
		     ip_addr_format(use->bytes, text));
}

/* Names, ids, keys and public WAN addresses: once in the mesh. */
static void check_members(struct config_file *file, const struct config_mesh *mesh,
			  const struct config_member *members, size_t n_members)
{
	struct uses uses = { 0 };
	size_t n = n_members > mesh->n_sites ? n_members : mesh->n_sites;

	for (size_t m = 0; m < n_members; m++)
		n += *members[m].n_wans;
	uses.array = config_array(file, n, sizeof(*uses.array));
	if (!uses.array)
		return;
	for (size_t s = 0; s < mesh->n_sites; s++)
		use_add(file, &uses, NULL, mesh->sites[s].name, CONFIG_NAME_MAX);
	uses_check(file, &uses, "every site has a name of its own", report_name);
	for (size_t m = 0; m < n_members; m++)
		use_add(file, &uses, NULL, members[m].name, CONFIG_NAME_MAX);
	uses_check(file, &uses, "every gateway and relay has a name of its own", report_name);
	for (size_t m = 0; m < n_members; m++)
		use_add(file, &uses, NULL, members[m].id, sizeof(*members[m].id));
	uses_check(file, &uses, "every gateway and relay has an id of its own", report_id);
	for (size_t m = 0; m < n_members; m++)
		use_add(file, &uses, NULL, members[m].public_key, sizeof(struct key));
	uses_check(file, &uses, "every node has a key of its own; never copy one", report_key);
	for (size_t m = 0; m < n_members; m++) {
		for (size_t w = 0; w < *members[m].n_wans; w++) {
			const struct ip_addr *addr = &(*members[m].wans)[w].public_addr;

			use_add(file, &uses, NULL, addr, sizeof(*addr));
		}
	}
	uses_check(file, &uses, "a public address belongs to one node", report_addr);
	free(uses.array);
}

/* The two addresses of each WAN, and the private ones of one node among themselves. */
static void check_wans(struct config_file *file, const struct config_member *member)
{
	struct uses uses = { 0 };

	uses.array = config_array(file, *member->n_wans, sizeof(*uses.array));
	if (!uses.array)
		return;
	for (size_t w = 0; w < *member->n_wans; w++) {
		const struct config_wan *wan = &(*member->wans)[w];
		const struct diag_place *place = config_mark_find(file, &wan->private_addr);

		use_add(file, &uses, NULL, &wan->private_addr, sizeof(wan->private_addr));
		if (place && config_mark_find(file, &wan->public_addr) &&
		    wan->private_addr.family != wan->public_addr.family)
			config_error(file, place, "both are IPv4, or both IPv6",
				     "private and public WAN address are of different families");
	}
	uses_check(file, &uses, "each WAN address of a node has a private one of its own",
		   report_addr);
	free(uses.array);
}

static const struct ip_prefix *lan_of(const struct config_site *site, uint8_t family)
{
	return family == IP_V6 ? &site->lan6 : &site->lan4;
}

static const char *family_name(uint8_t family)
{
	return family == IP_V6 ? "IPv6" : "IPv4";
}

/* An address on the LAN of a site: inside its prefix, and one that a host can have. */
static void check_lan_addr(struct config_file *file, const struct config_site *site,
			   const struct ip_addr *addr, const char *what)
{
	const struct diag_place *place = config_mark_find(file, addr);
	const struct ip_prefix *lan = lan_of(site, addr->family);
	char text[IP_ADDR_STRLEN], lan_text[IP_PREFIX_STRLEN];
	struct ip_addr last;

	/* Without any good prefix there is nothing to compare with. */
	if (!place ||
	    (!config_mark_find(file, &site->lan4) && !config_mark_find(file, &site->lan6)))
		return;
	ip_addr_format(addr, text);
	if (!config_mark_find(file, lan)) {
		config_error(file, place, "add the prefix to 'prefixes' of the site's LAN",
			     "%s %s is %s, but the site's LAN has no %s prefix", what, text,
			     family_name(addr->family), family_name(addr->family));
		return;
	}
	ip_prefix_format(lan, lan_text);
	if (!ip_prefix_has_addr(lan, addr)) {
		config_error(file, place, NULL, "%s %s is outside the LAN %s", what, text,
			     lan_text);
		config_note(file, config_mark_find(file, lan), "which is here");
		return;
	}
	/* RFC 3021, RFC 6164: the last two lengths have no addresses to spare. */
	if (lan->len + 1u >= ip_bits(addr->family))
		return;
	last = ip_prefix_last(lan);
	if (!ip_addr_compare(addr, &lan->addr))
		config_error(file, place, NULL, "%s %s is the network address of the LAN %s", what,
			     text, lan_text);
	else if (addr->family == IP_V4 && !ip_addr_compare(addr, &last))
		config_error(file, place, NULL, "%s %s is the broadcast address of the LAN %s",
			     what, text, lan_text);
}

/* VRRP needs an address of the family on each gateway (RFC 9568, section 5.1). */
static void check_vip_family(struct config_file *file, const struct config_site *site,
			     const struct ip_addr *vip)
{
	for (size_t g = 0; g < site->n_gateways; g++) {
		const struct config_gateway *gateway = &site->gateways[g];
		const struct ip_addr *other =
			vip->family == IP_V6 ? &gateway->lan4 : &gateway->lan6;
		const struct ip_addr *own = vip->family == IP_V6 ? &gateway->lan6 : &gateway->lan4;

		/* One good address shows that the list of them could be read. */
		if (config_mark_find(file, own) || !config_mark_find(file, other))
			continue;
		config_error(file, config_mark_find(file, other),
			     "add an address of that family to 'lan'",
			     "gateway '%s' has no %s LAN address, but the site has an %s VIP",
			     gateway->name, family_name(vip->family), family_name(vip->family));
	}
}

static void check_vips(struct config_file *file, const struct config_site *site)
{
	bool seen4 = false, seen6 = false;

	for (size_t v = 0; v < site->n_vips; v++) {
		const struct ip_addr *vip = &site->vips[v];
		bool *seen = vip->family == IP_V6 ? &seen6 : &seen4;

		if (!config_mark_find(file, vip))
			continue;
		check_lan_addr(file, site, vip, "VIP");
		if (!*seen)
			check_vip_family(file, site, vip);
		*seen = true;
	}
}

static void check_via(struct config_file *file, const struct config_site *site,
		      const struct config_subnet *subnet)
{
	const struct diag_place *place = config_mark_find(file, &subnet->via);
	const char *help = "the next hop is a router of the customer on the LAN";
	char text[IP_ADDR_STRLEN];

	if (!place)
		return;
	check_lan_addr(file, site, &subnet->via, "next hop");
	ip_addr_format(&subnet->via, text);
	if (config_mark_find(file, &subnet->prefix) &&
	    subnet->via.family != subnet->prefix.addr.family)
		config_error(file, place, help, "next hop %s is %s, but the subnet is %s", text,
			     family_name(subnet->via.family),
			     family_name(subnet->prefix.addr.family));
	for (size_t g = 0; g < site->n_gateways; g++) {
		if (!ip_addr_compare(&subnet->via, &site->gateways[g].lan4) ||
		    !ip_addr_compare(&subnet->via, &site->gateways[g].lan6))
			config_error(file, place, help, "next hop %s is the gateway '%s' itself",
				     text, site->gateways[g].name);
	}
	for (size_t v = 0; v < site->n_vips; v++) {
		if (!ip_addr_compare(&subnet->via, &site->vips[v]))
			config_error(file, place, help, "next hop %s is the site's VIP", text);
	}
}

/* A subnet can be reached only if the LAN has its family. */
static void check_subnet_family(struct config_file *file, const struct config_site *site,
				const struct config_subnet *subnet)
{
	const struct diag_place *place = config_mark_find(file, &subnet->prefix);
	uint8_t family = subnet->prefix.addr.family;
	char text[IP_PREFIX_STRLEN];

	if (!place || config_mark_find(file, lan_of(site, family)) ||
	    !config_mark_find(file, lan_of(site, family == IP_V6 ? IP_V4 : IP_V6)))
		return;
	config_error(file, place, "add a prefix of that family to 'prefixes' of the site's LAN",
		     "subnet %s is %s, but the site's LAN is not",
		     ip_prefix_format(&subnet->prefix, text), family_name(family));
}

static void check_site(struct config_file *file, const struct config_site *site)
{
	struct uses uses = { 0 };

	check_lan_addr(file, site, &site->router4, "router");
	check_lan_addr(file, site, &site->router6, "router");
	for (size_t g = 0; g < site->n_gateways; g++) {
		check_lan_addr(file, site, &site->gateways[g].lan4, "LAN address");
		check_lan_addr(file, site, &site->gateways[g].lan6, "LAN address");
	}
	check_vips(file, site);
	for (size_t i = 0; i < site->n_subnets; i++) {
		check_subnet_family(file, site, &site->subnets[i]);
		check_via(file, site, &site->subnets[i]);
	}
	/* Routers, VIPs and gateways: every address of the LAN once. */
	uses.array =
		config_array(file, 2 + site->n_vips + 2 * site->n_gateways, sizeof(*uses.array));
	if (!uses.array)
		return;
	use_add(file, &uses, "router", &site->router4, sizeof(site->router4));
	use_add(file, &uses, "router", &site->router6, sizeof(site->router6));
	for (size_t v = 0; v < site->n_vips; v++)
		use_add(file, &uses, "VIP", &site->vips[v], sizeof(site->vips[v]));
	for (size_t g = 0; g < site->n_gateways; g++) {
		const struct config_gateway *gateway = &site->gateways[g];

		use_add(file, &uses, "LAN address", &gateway->lan4, sizeof(gateway->lan4));
		use_add(file, &uses, "LAN address", &gateway->lan6, sizeof(gateway->lan6));
	}
	uses_check(file, &uses, "router, VIPs and gateways each have an address of their own",
		   report_addr);
	free(uses.array);
}

static int policy_compare(const void *a, const void *b)
{
	const struct config_policy *const *l = a, *const *r = b;

	if ((*l)->site_a != (*r)->site_a)
		return (*l)->site_a < (*r)->site_a ? -1 : 1;
	if ((*l)->site_b != (*r)->site_b)
		return (*l)->site_b < (*r)->site_b ? -1 : 1;
	return *l < *r ? -1 : *l > *r;
}

/* Good policies in the order of their sites, and each pair of sites once. */
static size_t check_policies(struct config_file *file, const struct config_mesh *mesh,
			     const struct config_policy **sorted)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < mesh->n_policies; i++) {
		if (config_mark_find(file, &mesh->policies[i].site_a))
			sorted[n++] = &mesh->policies[i];
	}
	qsort(sorted, n, sizeof(*sorted), policy_compare);
	for (size_t i = 0; i < n; i++) {
		const struct config_policy *policy = sorted[i];
		const struct config_policy *before = kept ? sorted[kept - 1] : NULL;

		if (!before || before->site_a != policy->site_a ||
		    before->site_b != policy->site_b) {
			sorted[kept++] = policy;
			continue;
		}
		config_error(file, config_mark_find(file, &policy->site_a), "keep one of them",
			     "second policy between '%s' and '%s'",
			     mesh->sites[policy->site_a].name, mesh->sites[policy->site_b].name);
		config_note(file, config_mark_find(file, &before->site_a), "first here");
	}
	return kept;
}

static bool is_connected(const struct config_policy *const *sorted, size_t n, size_t site,
			 size_t other)
{
	struct config_policy key = {
		.site_a = site < other ? site : other,
		.site_b = site < other ? other : site,
	};
	size_t low = 0, high = n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct config_policy *policy = sorted[middle];

		if (policy->site_a == key.site_a && policy->site_b == key.site_b)
			return policy->connect;
		if (policy->site_a < key.site_a ||
		    (policy->site_a == key.site_a && policy->site_b < key.site_b))
			low = middle + 1;
		else
			high = middle;
	}
	return true;
}

/* 1: IPv4, 2: IPv6, 3: both; 0 if it is not known. */
static unsigned int wan_families(struct config_file *file, const struct config_member *member)
{
	unsigned int families = 0;

	for (size_t w = 0; w < *member->n_wans; w++) {
		const struct ip_addr *addr = &(*member->wans)[w].public_addr;

		if (!config_mark_find(file, addr))
			return 0;
		families |= addr->family == IP_V6 ? 2 : 1;
	}
	return families;
}

/*
 * Gateways of sites that are connected need a WAN address of the same family. In nearly every
 * mesh no gateway has IPv4 only or none has IPv6 only, and there is nothing to compare.
 */
static void check_wan_families(struct config_file *file, const struct config_mesh *mesh,
			       const struct config_member *members, size_t n_members,
			       const struct config_policy *const *policies, size_t n_policies)
{
	uint8_t *families;
	bool seen[4] = { false };

	families = config_array(file, n_members, sizeof(*families));
	if (!families)
		return;
	for (size_t m = 0; m < n_members && members[m].gateway; m++) {
		families[m] = (uint8_t)wan_families(file, &members[m]);
		seen[families[m]] = true;
	}
	if (!seen[1] || !seen[2] || n_members > CONFIG_ID_MAX)
		goto free_families;
	for (size_t m = 0; m < n_members && members[m].gateway; m++) {
		for (size_t o = 0; o < m; o++) {
			if (families[o] + families[m] != 3 || !families[o] || !families[m] ||
			    members[o].site == members[m].site ||
			    !is_connected(policies, n_policies,
					  (size_t)(members[o].site - mesh->sites),
					  (size_t)(members[m].site - mesh->sites)))
				continue;
			config_error(file,
				     config_mark_find(file, &(*members[m].wans)[0].public_addr),
				     "add an address of the other family to one of them",
				     "'%s' and '%s' have no WAN address family in common",
				     members[m].name, members[o].name);
			config_note(file,
				    config_mark_find(file, &(*members[o].wans)[0].public_addr),
				    "WAN of '%s' is here", members[o].name);
			break;
		}
	}
free_families:
	free(families);
}

/* WAN addresses of a gateway by family. Two are as good as more, so two is all that is counted. */
struct wan_count {
	uint8_t v4, v6;
	bool known; /* all of them could be read */
};

static struct wan_count wans_count(struct config_file *file, const struct config_wan *wans,
				   size_t n_wans)
{
	struct wan_count count = { .known = n_wans };

	for (size_t w = 0; w < n_wans; w++) {
		uint8_t *of = wans[w].public_addr.family == IP_V6 ? &count.v6 : &count.v4;

		if (!config_mark_find(file, &wans[w].public_addr))
			count.known = false;
		else if (*of < 2)
			++*of;
	}
	return count;
}

/* Gateways that have no family in common have been reported, and what is not known may be right. */
static bool may_be_protected(const struct wan_count *a, const struct wan_count *b,
			     const struct wan_count *relays)
{
	unsigned int direct4 = a->v4 < b->v4 ? a->v4 : b->v4;
	unsigned int direct6 = a->v6 < b->v6 ? a->v6 : b->v6;

	if (!a->known || !b->known || !relays->known || !(direct4 + direct6))
		return true;
	return direct4 + direct6 > 1 || (direct4 && relays->v4) || (direct6 && relays->v6);
}

/* Where a policy asks for class protected, of some of its packets at least; NULL: nowhere. */
static const struct diag_place *protected_place(struct config_file *file,
						const struct config_policy *policy)
{
	if (policy->class == CONFIG_CLASS_PROTECTED)
		return config_mark_find(file, &policy->class);
	for (size_t i = 0; i <= CONFIG_DSCP_MAX; i++)
		if (policy->dscp[i] == CONFIG_CLASS_PROTECTED)
			return config_mark_find(file, &policy->dscp[i]);
	return NULL;
}

/*
 * Where every gateway has one WAN address and no relay has one of the family, all packets go the
 * same way and class protected would promise what it never gives. A relay is taken for a second
 * way, though it starts and ends at the same addresses: there is no better one from a gateway
 * that has one address. If only some pairs of gateways have two ways that is for the operator to
 * judge: it may well be her standby that has but one.
 */
static void check_protected(struct config_file *file, const struct config_mesh *mesh,
			    const struct config_policy *const *policies, size_t n_policies)
{
	struct wan_count relays = { .known = !file->broken };
	struct wan_count(*sites)[2];

	sites = config_array(file, mesh->n_sites, sizeof(*sites));
	if (!sites)
		return;
	for (size_t r = 0; r < mesh->n_relays; r++) {
		struct wan_count count =
			wans_count(file, mesh->relays[r].wans, mesh->relays[r].n_wans);

		relays.v4 |= count.v4;
		relays.v6 |= count.v6;
		relays.known &= count.known;
	}
	for (size_t s = 0; s < mesh->n_sites; s++) {
		for (size_t g = 0; g < mesh->sites[s].n_gateways && g < 2; g++)
			sites[s][g] = wans_count(file, mesh->sites[s].gateways[g].wans,
						 mesh->sites[s].gateways[g].n_wans);
	}
	for (size_t i = 0; i < n_policies; i++) {
		const struct config_policy *policy = policies[i];
		const struct config_site *a = &mesh->sites[policy->site_a];
		const struct config_site *b = &mesh->sites[policy->site_b];
		bool may = !a->n_gateways || !b->n_gateways;
		const struct diag_place *place;

		place = protected_place(file, policy);
		if (!place || !policy->connect)
			continue;
		for (size_t g = 0; g < a->n_gateways && g < 2; g++) {
			for (size_t h = 0; h < b->n_gateways && h < 2; h++)
				may |= may_be_protected(&sites[policy->site_a][g],
							&sites[policy->site_b][h], &relays);
		}
		if (!may)
			config_error(
				file, place,
				"add a relay, or a second WAN address to a gateway of each site",
				"there are no two disjoint paths between '%s' and '%s'", a->name,
				b->name);
	}
	free(sites);
}

void config_mesh_check(struct config_file *file, const struct config_mesh *mesh)
{
	const struct config_policy **policies;
	struct config_member *members;
	size_t n_members, n_policies;

	if (config_members(mesh, &members, &n_members)) {
		file->no_memory = true;
		return;
	}
	policies = config_array(file, mesh->n_policies + 1, sizeof(*policies));
	if (!policies)
		goto free_members;
	check_members(file, mesh, members, n_members);
	for (size_t m = 0; m < n_members; m++)
		check_wans(file, &members[m]);
	for (size_t s = 0; s < mesh->n_sites; s++)
		check_site(file, &mesh->sites[s]);
	n_policies = check_policies(file, mesh, policies);
	check_wan_families(file, mesh, members, n_members, policies, n_policies);
	check_protected(file, mesh, policies, n_policies);
	config_lanes_check(file, mesh, policies, n_policies);
	free(policies);
free_members:
	free(members);
}
