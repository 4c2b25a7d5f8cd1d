/* SPDX-License-Identifier: GPL-2.0-only */
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nft_elems.h"

#define LIST_MAX 65000 /* a list is one attribute, which 65535 bytes bound */
#define ELEM_MAX 128   /* longest encoding of one struct ruleset_elem */
#define MESSAGE_ROOM (LIST_MAX + 1024)

#define KEY_MAX 24
#define KEY_PROTO(addr_len) (addr_len)
#define KEY_PORT(addr_len) ((addr_len) + 4)
#define KEY_ALLOW(addr_len) ((addr_len) + 8)

/* -- Writing. The lists are long, so attributes are written in place. -- */

static void put(char **at, uint16_t type, const void *data, uint16_t len)
{
	const struct nlattr attr = { .nla_len = (uint16_t)(MNL_ATTR_HDRLEN + len),
				     .nla_type = type };

	memcpy(*at, &attr, sizeof(attr));
	memcpy(*at + MNL_ATTR_HDRLEN, data, len);
	memset(*at + MNL_ATTR_HDRLEN + len, 0, MNL_ALIGN(len) - len);
	*at += MNL_ATTR_HDRLEN + MNL_ALIGN(len);
}

static char *nest_start(char **at)
{
	char *start = *at;

	*at += MNL_ATTR_HDRLEN;
	return start;
}

static void nest_end(char *start, const char *at, uint16_t type)
{
	const struct nlattr attr = { .nla_len = (uint16_t)(at - start),
				     .nla_type = type | NLA_F_NESTED };

	memcpy(start, &attr, sizeof(attr));
}

static void put_value(char **at, uint16_t type, const void *data, uint16_t len)
{
	char *nest = nest_start(at);

	put(at, NFTA_DATA_VALUE, data, len);
	nest_end(nest, *at, type);
}

/* Key and what else there is; NULL, NULL: none. */
static void put_elem(char **at, const void *key, const void *key_end, uint16_t len,
		     const uint32_t *data, uint32_t flags)
{
	const uint32_t flags_be = htobe32(flags);
	char *nest = nest_start(at);

	if (flags)
		put(at, NFTA_SET_ELEM_FLAGS, &flags_be, sizeof(flags_be));
	put_value(at, NFTA_SET_ELEM_KEY, key, len);
	if (key_end)
		put_value(at, NFTA_SET_ELEM_KEY_END, key_end, len);
	if (data)
		put_value(at, NFTA_SET_ELEM_DATA, data, sizeof(*data));
	nest_end(nest, *at, NFTA_LIST_ELEM);
}

/* The address after the last of the prefix; false if there is none. */
static bool prefix_end(const struct ip_prefix *prefix, uint8_t ret_end[static 16])
{
	const size_t len = ip_bits(prefix->addr.family) / 8;
	const struct ip_addr last = ip_prefix_last(prefix);

	memcpy(ret_end, last.bytes, sizeof(last.bytes));
	for (size_t i = len; i-- > 0;) {
		if (++ret_end[i])
			return true;
	}
	return false;
}

static void put_site(char **at, const struct ruleset_elem *elem)
{
	const uint16_t len = (uint16_t)(ip_bits(elem->prefix.addr.family) / 8);
	uint8_t end[16];

	put_elem(at, elem->prefix.addr.bytes, NULL, len, &elem->mark, 0);
	if (prefix_end(&elem->prefix, end))
		put_elem(at, end, NULL, len, NULL, NFT_SET_ELEM_INTERVAL_END);
}

static void put_node(char **at, const struct ruleset_elem *elem)
{
	put_elem(at, elem->prefix.addr.bytes, NULL,
		 (uint16_t)(ip_bits(elem->prefix.addr.family) / 8), NULL, 0);
}

static void put_tunnel(char **at, const struct ruleset_elem *elem)
{
	uint8_t key[sizeof(elem->ifname) + sizeof(elem->mark)] = { 0 };

	memcpy(key, elem->ifname, strnlen(elem->ifname, sizeof(elem->ifname) - 1));
	memcpy(key + sizeof(elem->ifname), &elem->mark, sizeof(elem->mark));
	put_elem(at, key, NULL, sizeof(key), NULL, 0);
}

static void put_clamped(char **at, const struct ruleset_elem *elem)
{
	put_elem(at, &elem->mark, NULL, sizeof(elem->mark), NULL, 0);
}

static void put_mac(char **at, const struct ruleset_elem *elem)
{
	put_elem(at, elem->mac, NULL, sizeof(elem->mac), NULL, 0);
}

static void put_interface(char **at, const struct ruleset_elem *elem)
{
	char key[sizeof(elem->ifname)] = "";

	memcpy(key, elem->ifname, strnlen(elem->ifname, sizeof(elem->ifname) - 1));
	put_elem(at, key, NULL, sizeof(key), NULL, 0);
}

static void put_allow(char **at, const struct ruleset_elem *elem)
{
	const uint16_t len = (uint16_t)(ip_bits(elem->prefix.addr.family) / 8);
	const struct ip_addr last = ip_prefix_last(&elem->prefix);
	const uint16_t port = htobe16(elem->port);
	uint8_t key[KEY_MAX] = { 0 }, key_end[KEY_MAX];

	key[KEY_PROTO(len)] = elem->proto;
	memcpy(key + KEY_PORT(len), &port, sizeof(port));
	memcpy(key_end, key, sizeof(key));
	memcpy(key, elem->prefix.addr.bytes, len);
	memcpy(key_end, last.bytes, len);
	put_elem(at, key, key_end, KEY_ALLOW(len), NULL, 0);
}

static void (*const puts_elem[RULESET_SET_MAX])(char **at, const struct ruleset_elem *elem) = {
	[RULESET_SITES4] = put_site,	[RULESET_SITES6] = put_site,
	[RULESET_NODES4] = put_node,	[RULESET_NODES6] = put_node,
	[RULESET_TUNNELS] = put_tunnel, [RULESET_CLAMPED] = put_clamped,
	[RULESET_ALLOW4] = put_allow,	[RULESET_ALLOW6] = put_allow,
	[RULESET_WEB4] = put_allow,	[RULESET_WEB6] = put_allow,
	[RULESET_PAIR_MAC] = put_mac,	[RULESET_PAIR_ANY] = put_interface,
};

size_t nft_elems_size(const struct ruleset_elems *elems)
{
	return elems->n * 80 + (elems->n * 80 / LIST_MAX + 1) * 128;
}

static int elems_put(struct nft_batch *batch, enum ruleset_set set,
		     const struct ruleset_elems *elems, uint16_t type, uint16_t flags,
		     const char *verb)
{
	for (size_t i = 0; i < elems->n;) {
		struct nlmsghdr *nlh =
			nft_batch_add(batch, type, flags, MESSAGE_ROOM, "%s elements of set %s",
				      verb, ruleset_set_names[set]);
		struct nlattr *list;
		char *start, *at;

		if (!nlh)
			return -ENOMEM;
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_TABLE, RULESET_TABLE);
		mnl_attr_put_strz(nlh, NFTA_SET_ELEM_LIST_SET, ruleset_set_names[set]);
		list = mnl_attr_nest_start(nlh, NFTA_SET_ELEM_LIST_ELEMENTS);
		start = mnl_nlmsg_get_payload_tail(nlh);
		/* Both ends of an interval stay in one message. */
		for (at = start; i < elems->n && at - start < LIST_MAX - ELEM_MAX; i++)
			puts_elem[set](&at, &elems->v[i]);
		nlh->nlmsg_len += (uint32_t)(at - start);
		mnl_attr_nest_end(nlh, list);
	}
	return 0;
}

int nft_elems_add(struct nft_batch *batch, enum ruleset_set set, const struct ruleset_elems *elems)
{
	return elems_put(batch, set, elems, NFT_MSG_NEWSETELEM, NLM_F_CREATE, "add");
}

int nft_elems_delete(struct nft_batch *batch, enum ruleset_set set,
		     const struct ruleset_elems *elems)
{
	return elems_put(batch, set, elems, NFT_MSG_DELSETELEM, 0, "delete");
}

/* -- Reading. -- */

/* One element as the kernel has it. */
struct point {
	uint8_t key[KEY_MAX], key_end[KEY_MAX];
	uint8_t len; /* of the key; 0: none that we could have made */
	bool end;    /* of an interval */
	uint32_t mark;
};

static uint8_t read_value(const struct nlattr *nest, void *ret_value, size_t size)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		const uint16_t len = mnl_attr_get_payload_len(attr);

		if (mnl_attr_get_type(attr) != NFTA_DATA_VALUE || len > size)
			continue;
		memcpy(ret_value, mnl_attr_get_payload(attr), len);
		return (uint8_t)len;
	}
	return 0;
}

static void read_point(const struct nlattr *elem, struct point *ret_point)
{
	const struct nlattr *attr;
	bool foreign = false, ranged = false;

	*ret_point = (struct point){ .len = 0 };
	mnl_attr_for_each_nested(attr, elem)
	{
		uint32_t flags;

		switch (mnl_attr_get_type(attr)) {
		case NFTA_SET_ELEM_FLAGS:
			flags = be32toh(mnl_attr_get_u32(attr));
			ret_point->end = flags & NFT_SET_ELEM_INTERVAL_END;
			foreign |= flags & ~(uint32_t)NFT_SET_ELEM_INTERVAL_END;
			break;
		case NFTA_SET_ELEM_KEY:
			ret_point->len = read_value(attr, ret_point->key, sizeof(ret_point->key));
			break;
		case NFTA_SET_ELEM_KEY_END:
			ranged = read_value(attr, ret_point->key_end, sizeof(ret_point->key_end));
			break;
		case NFTA_SET_ELEM_DATA:
			(void)read_value(attr, &ret_point->mark, sizeof(ret_point->mark));
			break;
		default:
			break;
		}
	}
	if (!ranged)
		memcpy(ret_point->key_end, ret_point->key, sizeof(ret_point->key));
	if (foreign)
		ret_point->len = 0;
}

struct nft_elems {
	enum ruleset_set set;
	struct point *points;
	size_t n, capacity;
};

int nft_elems_new(enum ruleset_set set, struct nft_elems **ret_elems)
{
	struct nft_elems *elems = calloc(1, sizeof(*elems));

	if (!elems)
		return -ENOMEM;
	elems->set = set;
	*ret_elems = elems;
	return 0;
}

void nft_elems_free(struct nft_elems *elems)
{
	if (!elems)
		return;
	free(elems->points);
	free(elems);
}

int nft_elems_collect(const struct nlmsghdr *nlh, void *data)
{
	struct nft_elems *elems = data;
	const struct nlattr *attr, *elem;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS)
			continue;
		mnl_attr_for_each_nested(elem, attr)
		{
			if (elems->n == elems->capacity) {
				size_t capacity = elems->capacity ? 2 * elems->capacity : 64;
				struct point *points =
					reallocarray(elems->points, capacity, sizeof(*points));

				if (!points)
					return -ENOMEM;
				elems->points = points;
				elems->capacity = capacity;
			}
			read_point(elem, &elems->points[elems->n++]);
		}
	}
	return 0;
}

/* Where an interval ends and another begins, the end comes first. */
static int compare_points(const void *a, const void *b)
{
	const struct point *p = a, *q = b;
	int order = memcmp(p->key, q->key, sizeof(p->key));

	return order ? order : q->end - p->end;
}

static bool bit(const uint8_t *bytes, unsigned int i)
{
	return bytes[i / 8] & 0x80 >> i % 8;
}

/* The prefix that goes from first to last; false if none does. */
static bool range_prefix(uint8_t family, const uint8_t *first, const uint8_t *last,
			 struct ip_prefix *ret_prefix)
{
	const unsigned int bits = ip_bits(family);
	struct ip_prefix prefix = { .addr.family = family };
	unsigned int len = 0;

	while (len < bits && bit(first, len) == bit(last, len))
		len++;
	for (unsigned int i = len; i < bits; i++) {
		if (bit(first, i) || !bit(last, i))
			return false;
	}
	memcpy(prefix.addr.bytes, first, bits / 8);
	prefix.len = (uint8_t)len;
	*ret_prefix = prefix;
	return true;
}

static uint8_t set_family(enum ruleset_set set)
{
	return set == RULESET_SITES4 || set == RULESET_NODES4 || set == RULESET_ALLOW4 ||
			       set == RULESET_WEB4
		       ? IP_V4
		       : IP_V6;
}

/* The interval from the point to before `end` (NULL: to the last address of all). */
static int finish_site(const struct nft_elems *elems, const struct point *start, const uint8_t *end,
		       struct ruleset *ruleset, bool *ret_intact)
{
	const uint8_t family = set_family(elems->set);
	const size_t len = ip_bits(family) / 8;
	struct ruleset_elem *elem;
	struct ip_prefix prefix;
	uint8_t last[16];

	memset(last, 0xff, sizeof(last));
	if (end) {
		memcpy(last, end, len);
		for (size_t i = len; i-- > 0 && !last[i]--;)
			;
	}
	if (!range_prefix(family, start->key, last, &prefix)) {
		*ret_intact = false;
		return 0;
	}
	elem = ruleset_add(ruleset, elems->set);
	if (!elem)
		return -ENOMEM;
	elem->prefix = prefix;
	elem->mark = start->mark;
	return 0;
}

static int finish_sites(struct nft_elems *elems, struct ruleset *ruleset, bool *ret_intact)
{
	static const uint8_t zeros[KEY_MAX];
	const struct point *open = NULL;
	int rc = 0;

	if (elems->n) /* without any there is no array */
		qsort(elems->points, elems->n, sizeof(elems->points[0]), compare_points);
	for (size_t i = 0; i < elems->n && !rc; i++) {
		const struct point *point = &elems->points[i];

		if (point->end && open) {
			rc = finish_site(elems, open, point->key, ruleset, ret_intact);
			open = NULL;
		} else if (point->end) {
			/* nft closes an empty interval at address 0. */
			if (memcmp(point->key, zeros, sizeof(zeros)) != 0)
				*ret_intact = false;
		} else {
			if (open)
				*ret_intact = false;
			open = point;
		}
	}
	if (open && !rc)
		rc = finish_site(elems, open, NULL, ruleset, ret_intact);
	return rc;
}

/* The others are one point each; false if it is none of ours. */
static bool point_node(enum ruleset_set set, const struct point *point, struct ruleset_elem *ret)
{
	struct ip_addr addr = { .family = set_family(set) };

	memcpy(addr.bytes, point->key, ip_bits(addr.family) / 8);
	ret->prefix = ip_prefix_host(&addr);
	return true;
}

static bool point_tunnel(enum ruleset_set set, const struct point *point, struct ruleset_elem *ret)
{
	(void)set;
	memcpy(ret->ifname, point->key, sizeof(ret->ifname));
	memcpy(&ret->mark, point->key + sizeof(ret->ifname), sizeof(ret->mark));
	return !ret->ifname[sizeof(ret->ifname) - 1];
}

static bool point_clamped(enum ruleset_set set, const struct point *point, struct ruleset_elem *ret)
{
	(void)set;
	memcpy(&ret->mark, point->key, sizeof(ret->mark));
	return true;
}

static bool point_mac(enum ruleset_set set, const struct point *point, struct ruleset_elem *ret)
{
	(void)set;
	memcpy(ret->mac, point->key, sizeof(ret->mac));
	return true;
}

static bool point_interface(enum ruleset_set set, const struct point *point,
			    struct ruleset_elem *ret)
{
	(void)set;
	memcpy(ret->ifname, point->key, sizeof(ret->ifname));
	return !ret->ifname[sizeof(ret->ifname) - 1];
}

static bool point_allow(enum ruleset_set set, const struct point *point, struct ruleset_elem *ret)
{
	const uint8_t family = set_family(set);
	const size_t len = ip_bits(family) / 8;
	uint16_t port;

	memcpy(&port, point->key + KEY_PORT(len), sizeof(port));
	ret->proto = point->key[KEY_PROTO(len)];
	ret->port = be16toh(port);
	return memcmp(point->key + len, point->key_end + len, KEY_ALLOW(len) - len) == 0 &&
	       range_prefix(family, point->key, point->key_end, &ret->prefix);
}

static const struct {
	uint8_t len; /* of the key */
	bool (*read)(enum ruleset_set set, const struct point *point, struct ruleset_elem *ret);
} points[RULESET_SET_MAX] = {
	[RULESET_SITES4] = { 4, NULL },
	[RULESET_SITES6] = { 16, NULL },
	[RULESET_NODES4] = { 4, point_node },
	[RULESET_NODES6] = { 16, point_node },
	[RULESET_TUNNELS] = { RULESET_IFNAME_LEN + 4, point_tunnel },
	[RULESET_CLAMPED] = { 4, point_clamped },
	[RULESET_ALLOW4] = { KEY_ALLOW(4), point_allow },
	[RULESET_ALLOW6] = { KEY_ALLOW(16), point_allow },
	[RULESET_WEB4] = { KEY_ALLOW(4), point_allow },
	[RULESET_WEB6] = { KEY_ALLOW(16), point_allow },
	[RULESET_PAIR_MAC] = { RULESET_MAC_LEN, point_mac },
	[RULESET_PAIR_ANY] = { RULESET_IFNAME_LEN, point_interface },
};

int nft_elems_finish(struct nft_elems *elems, struct ruleset *ruleset, bool *ret_intact)
{
	size_t kept = 0;

	for (size_t i = 0; i < elems->n; i++) {
		if (elems->points[i].len == points[elems->set].len)
			elems->points[kept++] = elems->points[i];
	}
	if (kept < elems->n)
		*ret_intact = false;
	elems->n = kept;
	if (!points[elems->set].read)
		return finish_sites(elems, ruleset, ret_intact);

	for (size_t i = 0; i < elems->n; i++) {
		struct ruleset_elem read = { .mark = 0 }, *elem;

		if (!points[elems->set].read(elems->set, &elems->points[i], &read)) {
			*ret_intact = false;
			continue;
		}
		elem = ruleset_add(ruleset, elems->set);
		if (!elem)
			return -ENOMEM;
		*elem = read;
	}
	return 0;
}

/* -- What was wrong. -- */

static void describe_point(enum ruleset_set set, const struct point *point, char *buf, size_t size)
{
	struct ip_addr addr = { .family = set_family(set) };
	char text[IP_ADDR_STRLEN];
	uint32_t mark;

	switch (set) {
	case RULESET_TUNNELS:
	case RULESET_PAIR_ANY:
		snprintf(buf, size, "%.15s", (const char *)point->key);
		break;
	case RULESET_PAIR_MAC:
		snprintf(buf, size, "%02x:%02x:%02x:%02x:%02x:%02x", point->key[0], point->key[1],
			 point->key[2], point->key[3], point->key[4], point->key[5]);
		break;
	case RULESET_CLAMPED:
		memcpy(&mark, point->key, sizeof(mark));
		snprintf(buf, size, "0x%08x", mark);
		break;
	case RULESET_SITES4:
	case RULESET_SITES6:
	case RULESET_NODES4:
	case RULESET_NODES6:
	case RULESET_ALLOW4:
	case RULESET_ALLOW6:
	case RULESET_WEB4:
	case RULESET_WEB6:
	case RULESET_SET_MAX:
		memcpy(addr.bytes, point->key, ip_bits(addr.family) / 8);
		snprintf(buf, size, "%s%s", point->end ? "end before " : "",
			 ip_addr_format(&addr, text));
		break;
	}
}

void nft_elems_describe(const struct nlmsghdr *nlh, size_t offset, char *buf, size_t size)
{
	const unsigned int type = NFNL_MSG_TYPE(nlh->nlmsg_type);
	enum ruleset_set set = RULESET_SET_MAX;
	const struct nlattr *attr, *elem;

	buf[0] = '\0';
	if (type != NFT_MSG_NEWSETELEM && type != NFT_MSG_DELSETELEM)
		return;
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_SET_ELEM_LIST_SET) {
			for (set = 0; set < RULESET_SET_MAX; set++) {
				if (!strcmp(mnl_attr_get_str(attr), ruleset_set_names[set]))
					break;
			}
		}
		if (mnl_attr_get_type(attr) != NFTA_SET_ELEM_LIST_ELEMENTS ||
		    set == RULESET_SET_MAX)
			continue;
		mnl_attr_for_each_nested(elem, attr)
		{
			const size_t at = (size_t)((const char *)elem - (const char *)nlh);
			struct point point;

			if (offset < at || offset >= at + mnl_attr_get_len(elem))
				continue;
			read_point(elem, &point);
			describe_point(set, &point, buf, size);
		}
	}
}
