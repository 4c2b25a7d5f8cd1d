/* SPDX-License-Identifier: GPL-2.0-only */
/* Readers of single values. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "config_parse.h"
#include "word.h"

/* Digits alone, no sign, no leading zero. *ret_number stops growing where it can only be too big. */
static bool parse_digits(const char *text, size_t len, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!len || (len > 1 && *text == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		if (number <= UINT32_MAX)
			number = number * 10 + (uint64_t)(text[i] - '0');
	}
	*ret_number = number;
	return true;
}

bool config_read_number(struct config_file *file, const struct tree_node *node, const char *what,
			unsigned int min, unsigned int max, unsigned int *ret_number)
{
	const char *text;
	uint64_t number;
	char help[64];

	if (!config_read_text(file, node, what, &text))
		return false;
	if (!parse_digits(text, strlen(text), &number)) {
		snprintf(help, sizeof(help), "write a decimal number, %u..%u", min, max);
		config_error(file, &node->place, help, "%s " CONFIG_QUOTE " is not a number", what,
			     text);
		return false;
	}
	if (number < min || number > max) {
		config_error(file, &node->place, NULL, "%s %.60s is out of range %u..%u", what,
			     text, min, max);
		return false;
	}
	*ret_number = (unsigned int)number;
	return true;
}

static const struct {
	const char *name;
	unsigned int ms;
} units[] = {
	{ "ms", 1 },
	{ "s", 1000 },
	{ "m", 60000 },
};

static const char *format_ms(uint64_t ms, char buf[static 24])
{
	if (ms % 1000)
		snprintf(buf, 24, "%llums", (unsigned long long)ms);
	else
		snprintf(buf, 24, "%llus", (unsigned long long)ms / 1000);
	return buf;
}

bool config_read_duration(struct config_file *file, const struct tree_node *node, const char *what,
			  unsigned int min, unsigned int max, unsigned int step,
			  unsigned int *ret_ms)
{
	char low[24], high[24], nearest[24], help[96];
	const char *text, *unit;
	uint64_t number, ms;
	size_t u;

	if (!config_read_text(file, node, what, &text))
		return false;
	unit = text + strspn(text, "0123456789");
	if (!parse_digits(text, (size_t)(unit - text), &number)) {
		config_error(file, &node->place, "write a whole number and ms, s or m, such as 25s",
			     "%s " CONFIG_QUOTE " is not a duration", what, text);
		return false;
	}
	if (!*unit) {
		/* What was meant is most likely the unit in which the number is allowed. */
		snprintf(help, sizeof(help), "did you mean %.20s%s?", text,
			 number * 1000 >= min && number * 1000 <= max ? "s" : "ms");
		config_error(file, &node->place, help, "%s %.20s has no unit", what, text);
		return false;
	}
	for (u = 0; u < sizeof(units) / sizeof(units[0]); u++) {
		if (!strcmp(unit, units[u].name))
			break;
	}
	if (u == sizeof(units) / sizeof(units[0])) {
		config_error(file, &node->place, "units are ms, s and m",
			     "%s " CONFIG_QUOTE " has an unknown unit", what, text);
		return false;
	}
	ms = number * units[u].ms;
	if (ms < min || ms > max) {
		config_error(file, &node->place, NULL, "%s %.60s is out of range %s..%s", what,
			     text, format_ms(min, low), format_ms(max, high));
		return false;
	}
	if (ms % step) {
		snprintf(help, sizeof(help), "did you mean %s?",
			 format_ms((ms + step / 2) / step * step, nearest));
		config_error(file, &node->place, help, "%s %.24s is not a multiple of %s", what,
			     text, format_ms(step, low));
		return false;
	}
	*ret_ms = (unsigned int)ms;
	return true;
}

bool config_read_choice(struct config_file *file, const struct tree_node *node, const char *what,
			const char *const *choices, size_t n_choices, unsigned int *ret_choice)
{
	struct word_guess guess;
	const char *text;
	char help[128];
	size_t at;

	if (!config_read_text(file, node, what, &text))
		return false;
	word_guess_init(&guess, text);
	for (size_t i = 0; i < n_choices; i++) {
		if (!strcmp(text, choices[i])) {
			*ret_choice = (unsigned int)i;
			return true;
		}
		word_guess_offer(&guess, choices[i]);
	}
	if (guess.nearest) {
		snprintf(help, sizeof(help), "did you mean '%s'?", guess.nearest);
	} else {
		at = (size_t)snprintf(help, sizeof(help), "one of: ");
		for (size_t i = 0; i < n_choices && at < sizeof(help); i++)
			at += (size_t)snprintf(help + at, sizeof(help) - at, "%s%s", i ? ", " : "",
					       choices[i]);
	}
	config_error(file, &node->place, help, "'%s' cannot be " CONFIG_QUOTE, what, text);
	return false;
}

static bool is_name(const char *text)
{
	size_t len = strlen(text);

	return len && len < CONFIG_NAME_MAX && *text != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* The text with what is wrong with it put right, if that makes a name. */
static bool repair_name(const char *text, char ret_name[static CONFIG_NAME_MAX])
{
	char name[CONFIG_NAME_MAX];
	size_t len = strlen(text);

	if (len >= sizeof(name))
		return false;
	for (size_t i = 0; i <= len; i++)
		name[i] = strchr("_. ", text[i]) && text[i] ? '-'
							    : (char)tolower((unsigned char)text[i]);
	if (!is_name(name))
		return false;
	memcpy(ret_name, name, sizeof(name));
	return true;
}

bool config_read_name(struct config_file *file, const struct tree_node *node, const char *what,
		      char ret_name[static CONFIG_NAME_MAX])
{
	char repaired[CONFIG_NAME_MAX] = "", help[80];
	const char *text;

	if (!config_read_text(file, node, what, &text))
		return false;
	if (is_name(text)) {
		strcpy(ret_name, text);
		config_mark_add(file, ret_name, node);
		return true;
	}
	if (strlen(text) >= CONFIG_NAME_MAX) {
		config_error(file, &node->place, NULL,
			     "%s " CONFIG_QUOTE " is longer than %d characters", what, text,
			     CONFIG_NAME_MAX - 1);
		return false;
	}
	if (repair_name(text, repaired))
		snprintf(help, sizeof(help), "did you mean '%s'?", repaired);
	else
		snprintf(help, sizeof(help), "use a-z, 0-9 and '-', not '-' first");
	config_error(file, &node->place, help, "%s " CONFIG_QUOTE " is not a name", what, text);
	return false;
}

bool config_read_ifname(struct config_file *file, const struct tree_node *node,
			char ret_ifname[static CONFIG_IFNAME_LEN])
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.@+-";
	const char *text;

	if (!config_read_text(file, node, "interface", &text))
		return false;
	if (strlen(text) >= CONFIG_IFNAME_LEN) {
		config_error(file, &node->place, NULL,
			     "interface " CONFIG_QUOTE " is longer than %d characters", text,
			     CONFIG_IFNAME_LEN - 1);
		return false;
	}
	if (strspn(text, allowed) != strlen(text) || strchr(".-", *text)) {
		config_error(file, &node->place, "see 'ip link' for the names",
			     CONFIG_QUOTE " is not an interface name", text);
		return false;
	}
	if (!strncmp(text, "np", 2) && isdigit((unsigned char)text[2])) {
		config_error(file, &node->place, "rename the interface",
			     "interface '%s' has a name of the tunnels' (np and a number)", text);
		return false;
	}
	if (!strcmp(text, "lo")) {
		config_error(file, &node->place, "see 'ip link' for the names",
			     "'lo' is the loopback interface");
		return false;
	}
	strcpy(ret_ifname, text);
	config_mark_add(file, ret_ifname, node);
	return true;
}

bool config_read_key(struct config_file *file, const struct tree_node *node, struct key *ret_key)
{
	const char *text;
	struct key key;

	if (!config_read_text(file, node, "public_key", &text))
		return false;
	if (key_parse(text, &key)) {
		config_error(file, &node->place, "'netpas pubkey' on that node prints it",
			     "not a public key: 44 characters of base64 are");
		return false;
	}
	if (key_is_zero(&key)) {
		config_error(file, &node->place, "'netpas pubkey' on that node prints it",
			     "the public key is all zeros");
		return false;
	}
	*ret_key = key;
	config_mark_add(file, ret_key, node);
	return true;
}

/* Blocks of addresses with a meaning of their own (RFC 6890, RFC 4291). */
static const struct {
	const char *name;
	unsigned int refuse;
	struct ip_prefix block;
} kinds[] = {
	{ "unspecified", CONFIG_REFUSE_UNSPECIFIED, { { IP_V4, { 0 } }, 8 } },
	{ "loopback", CONFIG_REFUSE_LOOPBACK, { { IP_V4, { 127 } }, 8 } },
	{ "link-local", CONFIG_REFUSE_LINK_LOCAL, { { IP_V4, { 169, 254 } }, 16 } },
	{ "multicast", CONFIG_REFUSE_MULTICAST, { { IP_V4, { 224 } }, 4 } },
	{ "broadcast", CONFIG_REFUSE_BROADCAST, { { IP_V4, { 255, 255, 255, 255 } }, 32 } },
	{ "unspecified", CONFIG_REFUSE_UNSPECIFIED, { { IP_V6, { 0 } }, 128 } },
	{ "loopback", CONFIG_REFUSE_LOOPBACK, { { IP_V6, { [15] = 1 } }, 128 } },
	{ "IPv4-mapped", CONFIG_REFUSE_MAPPED, { { IP_V6, { [10] = 0xff, [11] = 0xff } }, 96 } },
	{ "link-local", CONFIG_REFUSE_LINK_LOCAL, { { IP_V6, { 0xfe, 0x80 } }, 10 } },
	{ "multicast", CONFIG_REFUSE_MULTICAST, { { IP_V6, { 0xff } }, 8 } },
};

/* The name of the refused kind that all of the prefix is of, or NULL. */
static const char *refused_kind(const struct ip_prefix *prefix, unsigned int refuse)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if ((kinds[i].refuse & refuse) && prefix->len >= kinds[i].block.len &&
		    ip_prefix_has_addr(&kinds[i].block, &prefix->addr))
			return kinds[i].name;
	}
	return NULL;
}

bool config_read_addr(struct config_file *file, const struct tree_node *node, const char *what,
		      unsigned int refuse, struct ip_addr *ret_addr)
{
	char written[IP_ADDR_STRLEN], help[96] = "";
	struct ip_prefix host;
	struct ip_addr addr;
	const char *text, *kind;
	size_t len;

	if (!config_read_text(file, node, what, &text))
		return false;
	if (ip_addr_parse(text, &addr)) {
		/* An address with a length, a port or a zone is the likeliest mistake. */
		len = strcspn(text, "/%");
		if (len < sizeof(written) && text[len]) {
			memcpy(written, text, len);
			written[len] = '\0';
			if (!ip_addr_parse(written, &addr))
				snprintf(help, sizeof(help), "did you mean %s?", written);
		}
		config_error(file, &node->place, *help ? help : NULL,
			     "%s " CONFIG_QUOTE " is not an IP address", what, text);
		return false;
	}
	host = ip_prefix_host(&addr);
	kind = refused_kind(&host, refuse);
	if (kind) {
		config_error(file, &node->place, NULL, "%s %s is %s %s address", what,
			     ip_addr_format(&addr, written), strchr("uIA", *kind) ? "an" : "a",
			     kind);
		return false;
	}
	*ret_addr = addr;
	return true;
}

/* "10.0.0.0/255.255.0.0" -> 10.0.0.0/16 */
static bool parse_netmask(const char *text, struct ip_prefix *ret_prefix)
{
	const char *slash = strchr(text, '/');
	char buf[IP_PREFIX_STRLEN];
	struct ip_prefix prefix;
	struct ip_addr mask;
	uint32_t bits;
	int len = 0, ret;

	if (!slash || slash - text >= IP_ADDR_STRLEN || ip_addr_parse(slash + 1, &mask) ||
	    mask.family != IP_V4)
		return false;
	bits = (uint32_t)mask.bytes[0] << 24 | (uint32_t)mask.bytes[1] << 16 |
	       (uint32_t)mask.bytes[2] << 8 | mask.bytes[3];
	for (; bits & 0x80000000u; bits <<= 1)
		len++;
	if (bits)
		return false;
	snprintf(buf, sizeof(buf), "%.*s/%d", (int)(slash - text), text, len);
	ret = ip_prefix_parse(buf, &prefix);
	if (ret && ret != -EDOM)
		return false;
	*ret_prefix = prefix;
	return true;
}

bool config_read_prefix(struct config_file *file, const struct tree_node *node, const char *what,
			unsigned int refuse, struct ip_prefix *ret_prefix)
{
	char written[IP_PREFIX_STRLEN], help[128];
	struct ip_prefix prefix;
	struct ip_addr addr;
	const char *text, *kind;
	int ret;

	if (!config_read_text(file, node, what, &text))
		return false;
	ret = ip_prefix_parse(text, &prefix);
	if (ret == -EDOM) {
		snprintf(help, sizeof(help), "did you mean %s?",
			 ip_prefix_format(&prefix, written));
		config_error(file, &node->place, help, "%s %.60s has host bits set", what, text);
		return false;
	}
	if (ret == -ERANGE) {
		config_error(file, &node->place, NULL, "length of %s %.60s is out of range 0..%u",
			     what, text, strchr(text, ':') ? 128 : 32);
		return false;
	}
	if (ret && !ip_addr_parse(text, &addr)) {
		snprintf(help, sizeof(help), "write address/length; one host is %s/%u", text,
			 ip_bits(addr.family));
		config_error(file, &node->place, help, "%s %s has no length", what, text);
		return false;
	}
	if (ret) {
		snprintf(help, sizeof(help), "write address/length, such as 10.1.0.0/16");
		if (parse_netmask(text, &prefix))
			snprintf(help, sizeof(help), "did you mean %s?",
				 ip_prefix_format(&prefix, written));
		config_error(file, &node->place, help, "%s " CONFIG_QUOTE " is not a prefix", what,
			     text);
		return false;
	}
	if (!prefix.len && (refuse & CONFIG_REFUSE_DEFAULT)) {
		config_error(file, &node->place, "list the prefixes that are there",
			     "%s %s would be everything", what, text);
		return false;
	}
	kind = prefix.len ? refused_kind(&prefix, refuse) : NULL;
	if (kind) {
		config_error(file, &node->place, NULL, "%s %s is of %s addresses", what,
			     ip_prefix_format(&prefix, written), kind);
		return false;
	}
	*ret_prefix = prefix;
	return true;
}
