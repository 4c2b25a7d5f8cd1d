/* SPDX-License-Identifier: GPL-2.0-only */
#include "ip.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hex.h"

unsigned int ip_bits(uint8_t family)
{
	switch (family) {
	case IP_V4:
		return 32;
	case IP_V6:
		return 128;
	}
	return 0;
}

/* Four decimal octets and the end of the text. "010" is refused: some read it as octal. */
static int parse_v4(const char *text, uint8_t ret_bytes[static 4])
{
	uint8_t bytes[4];

	for (int i = 0; i < 4; i++) {
		unsigned int value = 0, digits = 0;

		for (; *text >= '0' && *text <= '9'; text++) {
			if (digits++ && !value)
				return -EINVAL;
			value = value * 10 + (unsigned int)(*text - '0');
			if (value > 255)
				return -EINVAL;
		}
		if (!digits || *text != (i < 3 ? '.' : '\0'))
			return -EINVAL;
		text++;
		bytes[i] = (uint8_t)value;
	}
	memcpy(ret_bytes, bytes, 4);
	return 0;
}

/* RFC 4291 section 2.2, all three forms. */
static int parse_v6(const char *text, uint8_t ret_bytes[static 16])
{
	uint8_t bytes[16] = { 0 };
	size_t n = 0, gap = SIZE_MAX, tail;

	if (*text == ':') {
		if (text[1] != ':')
			return -EINVAL;
		gap = 0;
		text += 2;
	}
	while (*text) {
		const char *group = text;
		unsigned int value = 0;
		int digit;

		for (; (digit = hex_digit(*text)) >= 0; text++) {
			if (text - group == 4)
				return -EINVAL;
			value = value << 4 | (unsigned int)digit;
		}
		if (text == group || n >= 16)
			return -EINVAL;
		if (*text == '.') {
			if (n > 12 || parse_v4(group, bytes + n))
				return -EINVAL;
			n += 4;
			break;
		}
		bytes[n++] = (uint8_t)(value >> 8);
		bytes[n++] = (uint8_t)value;
		if (!*text)
			break;
		if (*text++ != ':' || !*text)
			return -EINVAL;
		if (*text == ':') {
			if (gap != SIZE_MAX)
				return -EINVAL;
			gap = n;
			text++;
		}
	}
	/* "::" stands for one group of zeros at least. */
	if (gap == SIZE_MAX ? n != 16 : n > 14)
		return -EINVAL;
	if (gap != SIZE_MAX) {
		tail = n - gap;
		memmove(bytes + 16 - tail, bytes + gap, tail);
		memset(bytes + gap, 0, 16 - n);
	}
	memcpy(ret_bytes, bytes, 16);
	return 0;
}

int ip_addr_parse(const char *text, struct ip_addr *ret_addr)
{
	struct ip_addr addr = { 0 };
	int ret;

	if (strchr(text, ':')) {
		addr.family = IP_V6;
		ret = parse_v6(text, addr.bytes);
	} else {
		addr.family = IP_V4;
		ret = parse_v4(text, addr.bytes);
	}
	if (!ret)
		*ret_addr = addr;
	return ret;
}

static unsigned int group_at(const struct ip_addr *addr, int i)
{
	return (unsigned int)addr->bytes[2 * i] << 8 | addr->bytes[2 * i + 1];
}

/* RFC 5952: lower case, the first longest run of two or more zero groups is "::". */
static void format_v6(const struct ip_addr *addr, char buf[static IP_ADDR_STRLEN])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	int best = -1, best_len = 1;
	size_t at = 0;

	if (!memcmp(addr->bytes, mapped, sizeof(mapped))) {
		snprintf(buf, IP_ADDR_STRLEN, "::ffff:%u.%u.%u.%u", addr->bytes[12],
			 addr->bytes[13], addr->bytes[14], addr->bytes[15]);
		return;
	}
	for (int i = 0, run = 0; i < 8; i++) {
		run = group_at(addr, i) ? 0 : run + 1;
		if (run > best_len) {
			best_len = run;
			best = i - run + 1;
		}
	}
	for (int i = 0; i < 8; i++) {
		if (i == best) {
			at += (size_t)snprintf(buf + at, IP_ADDR_STRLEN - at, "::");
			i += best_len - 1;
			continue;
		}
		at += (size_t)snprintf(buf + at, IP_ADDR_STRLEN - at, "%s%x",
				       i && buf[at - 1] != ':' ? ":" : "", group_at(addr, i));
	}
}

const char *ip_addr_format(const struct ip_addr *addr, char buf[static IP_ADDR_STRLEN])
{
	switch (addr->family) {
	case IP_V4:
		snprintf(buf, IP_ADDR_STRLEN, "%u.%u.%u.%u", addr->bytes[0], addr->bytes[1],
			 addr->bytes[2], addr->bytes[3]);
		break;
	case IP_V6:
		format_v6(addr, buf);
		break;
	default:
		snprintf(buf, IP_ADDR_STRLEN, "-");
	}
	return buf;
}

int ip_addr_compare(const struct ip_addr *a, const struct ip_addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/* Set the bits of addr beyond len to zero or one, as far as the family is wide. */
static void fill_host_bits(struct ip_addr *addr, unsigned int len, bool ones)
{
	unsigned int bits = ip_bits(addr->family);

	for (unsigned int i = len; i < bits;) {
		uint8_t mask = (uint8_t)(0xff >> (i % 8));

		if (ones)
			addr->bytes[i / 8] |= mask;
		else
			addr->bytes[i / 8] &= (uint8_t)~mask;
		i = (i / 8 + 1) * 8;
	}
}

int ip_prefix_parse(const char *text, struct ip_prefix *ret_prefix)
{
	const char *slash = strchr(text, '/');
	char buf[IP_ADDR_STRLEN];
	struct ip_prefix prefix;
	struct ip_addr written;
	unsigned int len = 0;

	if (!slash || (size_t)(slash - text) >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, (size_t)(slash - text));
	buf[slash - text] = '\0';
	if (ip_addr_parse(buf, &written))
		return -EINVAL;
	text = slash + 1;
	if (!*text || strspn(text, "0123456789") != strlen(text) || (*text == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		len = len * 10 + (unsigned int)(*text - '0');
		if (len > ip_bits(written.family))
			return -ERANGE;
	}
	prefix = (struct ip_prefix){ .addr = written, .len = (uint8_t)len };
	fill_host_bits(&prefix.addr, len, false);
	*ret_prefix = prefix;
	return ip_addr_compare(&written, &prefix.addr) ? -EDOM : 0;
}

struct ip_prefix ip_prefix_host(const struct ip_addr *addr)
{
	return (struct ip_prefix){ .addr = *addr, .len = (uint8_t)ip_bits(addr->family) };
}

const char *ip_prefix_format(const struct ip_prefix *prefix, char buf[static IP_PREFIX_STRLEN])
{
	char addr[IP_ADDR_STRLEN];

	snprintf(buf, IP_PREFIX_STRLEN, "%s/%u", ip_addr_format(&prefix->addr, addr), prefix->len);
	return buf;
}

int ip_prefix_compare(const struct ip_prefix *a, const struct ip_prefix *b)
{
	int ret = ip_addr_compare(&a->addr, &b->addr);

	return ret ? ret : (int)a->len - (int)b->len;
}

bool ip_prefix_has_addr(const struct ip_prefix *prefix, const struct ip_addr *addr)
{
	struct ip_addr network = *addr;

	if (prefix->addr.family == IP_NONE || prefix->addr.family != addr->family)
		return false;
	fill_host_bits(&network, prefix->len, false);
	return !ip_addr_compare(&network, &prefix->addr);
}

bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->len <= b->len ? ip_prefix_has_addr(a, &b->addr) : ip_prefix_has_addr(b, &a->addr);
}

struct ip_addr ip_prefix_last(const struct ip_prefix *prefix)
{
	struct ip_addr last = prefix->addr;

	fill_host_bits(&last, prefix->len, true);
	return last;
}

struct ip_addr ip_link_local(uint16_t id)
{
	struct ip_addr addr = { .family = IP_V6, .bytes = { 0xfe, 0x80 } };

	addr.bytes[14] = (uint8_t)(id >> 8);
	addr.bytes[15] = (uint8_t)id;
	return addr;
}
