/* SPDX-License-Identifier: GPL-2.0-only */
#include "provision_network.h"

#include <stdio.h>
#include <stdlib.h>

/* Between the default routes of two WAN interfaces, and before those of anything else. */
#define METRIC 100

static void print_addr(FILE *out, const char *key, const struct ip_addr *addr)
{
	char text[IP_ADDR_STRLEN];

	if (addr->family)
		fprintf(out, "%s=%s\n", key, ip_addr_format(addr, text));
}

static void print_gateway(FILE *out, const struct ip_addr *gateway, unsigned int metric)
{
	if (!gateway->family)
		return;
	fprintf(out, "\n[Route]\n");
	print_addr(out, "Gateway", gateway);
	/* Often it is outside of the prefix of the address, or the address is alone. */
	fprintf(out, "GatewayOnLink=yes\nMetric=%u\n", metric);
}

static void print_dhcp(FILE *out, const struct provision_interface *interface)
{
	const bool lan = interface->is_lan;
	const bool own_dns = interface->addressing->n_dns > 0;
	const unsigned int metric = METRIC + interface->number;

	fprintf(out, "\n[DHCPv4]\nUseHostname=no\nUseDomains=no\nUseNTP=no\nUseMTU=%s\nUseDNS=%s\n",
		interface->addressing->mtu ? "no" : "yes", lan || own_dns ? "no" : "yes");
	/* A metadata service is at times by a route of the lease: it is wanted on a WAN only. */
	if (lan)
		fprintf(out, "UseGateway=no\nUseRoutes=no\n");
	else
		fprintf(out, "RouteMetric=%u\n", metric);
	fprintf(out, "\n[DHCPv6]\nUseHostname=no\nUseDomains=no\nUseNTP=no\nUseDNS=%s\n",
		lan || own_dns ? "no" : "yes");
	fprintf(out, "\n[IPv6AcceptRA]\nUseDomains=no\nUseDNS=%s\n", lan || own_dns ? "no" : "yes");
	if (lan)
		fprintf(out, "UseGateway=no\nUseRoutePrefix=no\n");
	else
		fprintf(out, "RouteMetric=%u\n", metric);
}

static void print(FILE *out, const struct provision_interface *interface)
{
	const struct provision_addressing *addressing = interface->addressing;
	char text[IP_ADDR_STRLEN], prefix[IP_PREFIX_STRLEN];

	fprintf(out,
		"# By netpas-provision(8).\n[Match]\nName=%s\n\n[Link]\nRequiredForOnline=%s\n",
		interface->name, interface->is_lan || interface->number ? "no" : "yes");
	if (addressing->mtu)
		fprintf(out, "MTUBytes=%u\n", addressing->mtu);
	fprintf(out, "\n[Network]\nDHCP=%s\nIPv6AcceptRA=%s\nLLMNR=no\nMulticastDNS=no\nLLDP=no\n",
		addressing->dhcp ? "yes" : "no", addressing->dhcp ? "yes" : "no");
	/* VIPs and addresses that a cloud moves are not networkd's to remove. */
	fprintf(out, "KeepConfiguration=static\n");
	for (size_t i = 0; i < addressing->n_addresses; i++)
		fprintf(out, "Address=%s/%u\n",
			ip_addr_format(&addressing->addresses[i].addr, text),
			addressing->addresses[i].len);
	for (size_t i = 0; i < addressing->n_dns; i++)
		print_addr(out, "DNS", &addressing->dns[i]);
	if (addressing->dhcp)
		print_dhcp(out, interface);
	if (!interface->is_lan) {
		print_gateway(out, &addressing->gateway4, METRIC + interface->number);
		print_gateway(out, &addressing->gateway6, METRIC + interface->number);
	}
	for (size_t i = 0; i < addressing->n_routes; i++) {
		const struct provision_route *route = &addressing->routes[i];

		fprintf(out, "\n[Route]\nDestination=%s\nGateway=%s\n",
			ip_prefix_format(&route->to, prefix), ip_addr_format(&route->via, text));
	}
}

char *provision_network_text(const struct provision_interface *interface)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	print(out, interface);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

char *provision_network_first(const char *names)
{
	static const struct provision_addressing dhcp = { .dhcp = true };
	const struct provision_interface interface = { .name = names, .addressing = &dhcp };

	return provision_network_text(&interface);
}
