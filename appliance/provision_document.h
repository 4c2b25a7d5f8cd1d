/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the operator wants of a machine, in words: the "#netpas" document, or what there is of it in a
 * "#cloud-config". Pure. Which interfaces those are, and whether node and mesh are good, is found out
 * later (provision_plan.h).
 */
#ifndef NETPAS_PROVISION_DOCUMENT_H
#define NETPAS_PROVISION_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "provision_ssh.h"
#include "provision_text.h"

#define PROVISION_WANS_MAX 8
#define PROVISION_ADDRESSES_MAX 32
#define PROVISION_DNS_MAX 8
#define PROVISION_ROUTES_MAX 64
#define PROVISION_HOSTNAME_LEN 64 /* HOST_NAME_MAX */
#define PROVISION_MAC_LEN 6

/* Which network interface is meant: by one of these. */
struct provision_pick {
	struct diag_place place; /* in the document */
	bool by_mac;
	uint8_t mac[PROVISION_MAC_LEN];
	unsigned int order; /* from 1; 0: not by order */
	char name[CONFIG_IFNAME_LEN];
};

struct provision_address {
	struct ip_addr addr;
	uint8_t len;
};

struct provision_route {
	struct ip_prefix to;
	struct ip_addr via;
};

/* How an interface gets its addresses. */
struct provision_addressing {
	bool given; /* else all of it is for the plan to choose */
	bool dhcp;
	struct provision_address addresses[PROVISION_ADDRESSES_MAX];
	size_t n_addresses;
	struct ip_addr gateway4, gateway6; /* IP_NONE: none */
	struct ip_addr dns[PROVISION_DNS_MAX];
	size_t n_dns;
	struct provision_route routes[PROVISION_ROUTES_MAX];
	size_t n_routes;
	uint16_t mtu; /* 0: the driver's */
};

struct provision_document {
	int source; /* in the diagnostics */
	char name[64];
	char hostname[PROVISION_HOSTNAME_LEN + 1]; /* "": not given */
	struct provision_keys keys;
	bool has_interfaces, has_lan;
	struct diag_place interfaces_place;
	struct provision_pick lan, wans[PROVISION_WANS_MAX];
	size_t n_wans;
	struct provision_addressing lan_addressing, wan_addressing[PROVISION_WANS_MAX];
	size_t n_wan_addressing;
	bool wan_is_list;
	struct diag_place network_place, lan_network_place, wan_network_place;
	struct tree *tree;
	const struct tree_node *node, *mesh; /* NULL: not given */
	bool has_private_key;
	struct diag_place private_key_place;
	struct key private_key;
	char ignored[256]; /* words of a cloud-config that mean nothing here, by commas */
};

/*
 * Errors go to diags. part must outlive them; keys in its text are masked afterwards. 0 and a document for provision_document_free(), also after
 * errors if there is something to be checked further; -EINVAL: there is not; -ENOMEM.
 */
int provision_document_parse(struct provision_part *part, struct diag_list *diags,
			     struct provision_document **ret_document);
void provision_document_free(struct provision_document *document); /* wipes the key */

bool provision_hostname_good(const char *text);
/* "52:54:00:12:34:56", "-" in place of ":" too. 0 or -EINVAL. */
int provision_mac_parse(const char *text, uint8_t ret_mac[static PROVISION_MAC_LEN]);
/* "192.0.2.10/24": an address with its length. 0 or -EINVAL. */
int provision_address_parse(const char *text, struct provision_address *ret_address);

#endif
