/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The addresses that this host's kernel takes for itself and the configuration does not know: a
 * second one on the LAN, one of a management interface. If they are in a subnet of a site, packets
 * for them must not be short-cut past the kernel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "address.h"
#include "log.h"
#include "steering_nodes.h"
#include "wanted.h"

#define OWN_MAX 1024 /* the map holds 4096; nobody has so many */

struct list {
	struct ip_addr *v;
	size_t n;
};

static int add(struct list *list, const struct ip_addr *addr)
{
	struct ip_addr *v;

	if (list->n >= OWN_MAX)
		return 0;
	for (size_t i = 0; i < list->n; i++)
		if (!ip_addr_compare(&list->v[i], addr))
			return 0;
	v = reallocarray(list->v, list->n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	v[list->n] = *addr;
	list->v = v;
	list->n++;
	return 0;
}

static int take(const struct state_address *address, void *data)
{
	struct ip_prefix net = address->prefix;
	struct list *list = data;
	struct ip_addr last;
	int rc;

	if (wanted_ifname_id(address->ifname))
		return 0;
	rc = add(list, &address->prefix.addr);
	if (rc || net.addr.family != IP_V4 || net.len >= 31)
		return rc;
	/* Its broadcast addresses. */
	for (unsigned int bit = net.len; bit < 32; bit++)
		net.addr.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
	last = ip_prefix_last(&net);
	rc = add(list, &net.addr);
	return rc ? rc : add(list, &last);
}

static bool same(const struct steering *s, const struct list *list)
{
	if (s->n_own != list->n)
		return false;
	for (size_t i = 0; i < list->n; i++)
		if (ip_addr_compare(&s->own[i], &list->v[i]))
			return false;
	return true;
}

bool steering_own_read(struct steering *s)
{
	struct list list = { 0 };
	const int rc = address_dump(s->route, take, &list);

	if (rc || same(s, &list)) {
		if (rc)
			log_error("data plane: reading the host's addresses: %s", strerror(-rc));
		free(list.v);
		return false;
	}
	free(s->own);
	s->own = list.v;
	s->n_own = list.n;
	return true;
}
