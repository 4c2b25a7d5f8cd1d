/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/uapi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "engine/device.h"
#include "hex.h"

enum {
	VALUE_MAX = 128, /* the longest: an IPv6 endpoint with scope */
	KEY_HEX = 2 * MESSAGE_KEY_LEN,
};

static int parse_number(const char *text, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		number = number * 10 + (uint64_t)(*text - '0');
		if (number > max)
			return -EINVAL;
	}
	*ret_number = number;
	return 0;
}

/* As strconv.ParseUint(value, 0, 32) of wireguard-go, of which wg(8) uses decimal. */
static int parse_mark(const char *text, uint32_t *ret_mark)
{
	uint64_t number = 0;
	int rc = 0;

	if (text[0] != '0' || (text[1] | 32) != 'x') {
		rc = *text ? parse_number(text, UINT32_MAX, &number) : 0;
	} else {
		size_t n = strlen(text += 2);

		if (!n || n > 8)
			return -EINVAL;
		for (; *text; text++) {
			if (hex_digit(*text) < 0)
				return -EINVAL;
			number = number << 4 | (uint64_t)hex_digit(*text);
		}
	}
	if (!rc)
		*ret_mark = (uint32_t)number;
	return rc;
}

static int parse_key(const char *text, uint8_t ret_key[MESSAGE_KEY_LEN])
{
	if (strlen(text) != KEY_HEX)
		return -EINVAL;
	for (int i = 0; i < MESSAGE_KEY_LEN; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		ret_key[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static int parse_true(const char *text)
{
	return strcmp(text, "true") ? -EINVAL : 0;
}

/* 192.0.2.1:51820, [2001:db8::1]:51820, [fe80::1%eth0]:51820 */
static int parse_endpoint(const char *text, struct uapi_peer *peer)
{
	char host[VALUE_MAX], *scope;
	const char *end = strrchr(text, ':');
	uint64_t port, number = 0;
	size_t len;
	int rc;

	if (!end)
		return -EINVAL;
	rc = parse_number(end + 1, UINT16_MAX, &port);
	if (rc)
		return rc;
	len = (size_t)(end - text);
	if (len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, len);
	host[len] = '\0';
	memset(&peer->endpoint, 0, sizeof(peer->endpoint));
	if (host[0] != '[') {
		peer->endpoint.in.sin_family = AF_INET;
		peer->endpoint.in.sin_port = htons((uint16_t)port);
		return inet_pton(AF_INET, host, &peer->endpoint.in.sin_addr) == 1 ? 0 : -EINVAL;
	}
	if (host[len - 1] != ']')
		return -EINVAL;
	host[len - 1] = '\0';
	scope = strchr(host, '%');
	if (scope) {
		*scope++ = '\0';
		if (parse_number(scope, UINT32_MAX, &number))
			number = if_nametoindex(scope);
		if (!number)
			return -EINVAL;
	}
	peer->endpoint.in6.sin6_family = AF_INET6;
	peer->endpoint.in6.sin6_port = htons((uint16_t)port);
	peer->endpoint.in6.sin6_scope_id = (uint32_t)number;
	return inet_pton(AF_INET6, host + 1, &peer->endpoint.in6.sin6_addr) == 1 ? 0 : -EINVAL;
}

static int parse_allowed_ip(const char *text, struct uapi_allowed_ip *ret_ip)
{
	char address[VALUE_MAX];
	const char *slash;
	uint64_t cidr, width;
	size_t len;

	memset(ret_ip, 0, sizeof(*ret_ip));
	if (*text == '-' || *text == '+')
		ret_ip->remove = *text++ == '-';
	slash = strchr(text, '/');
	len = slash ? (size_t)(slash - text) : strlen(text);
	if (len >= sizeof(address))
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	ret_ip->ip.family = strchr(address, ':') ? ALLOWED_V6 : ALLOWED_V4;
	width = ret_ip->ip.family == ALLOWED_V4 ? 32 : 128;
	if (inet_pton(ret_ip->ip.family == ALLOWED_V4 ? AF_INET : AF_INET6, address,
		      ret_ip->ip.address) != 1)
		return -EINVAL;
	cidr = width;
	if (slash && parse_number(slash + 1, width, &cidr))
		return -EINVAL;
	ret_ip->ip.cidr = (uint8_t)cidr;
	return 0;
}

/* The array with room for one more. */
static void *array_grow(void *array, size_t used, size_t *room, size_t size)
{
	size_t wanted = *room ? *room * 2 : 8;
	void *larger;

	if (used < *room)
		return array;
	larger = calloc(wanted, size);
	if (!larger)
		return NULL;
	if (used)
		memcpy(larger, array, used * size);
	if (array)
		sodium_memzero(array, *room * size);
	free(array);
	*room = wanted;
	return larger;
}

static int set_device_line(struct uapi_set *set, const char *key, const char *value)
{
	uint64_t number;
	int rc;

	if (!strcmp(key, "private_key")) {
		set->has_private_key = true;
		return parse_key(value, set->private_key);
	}
	if (!strcmp(key, "listen_port")) {
		rc = parse_number(value, UINT16_MAX, &number);
		if (rc)
			return rc;
		set->has_port = true;
		set->port = (uint16_t)number;
		return 0;
	}
	if (!strcmp(key, "fwmark")) {
		set->has_fwmark = true;
		return parse_mark(value, &set->fwmark);
	}
	if (!strcmp(key, "replace_peers")) {
		set->replace_peers = true;
		return parse_true(value);
	}
	return -EPROTO;
}

static int set_new_peer(struct uapi_set *set, const char *value)
{
	struct uapi_peer *peers =
		array_grow(set->peers, set->n_peers, &set->peers_room, sizeof(*peers));

	if (!peers)
		return -ENOMEM;
	set->peers = peers;
	memset(&peers[set->n_peers], 0, sizeof(*peers));
	peers[set->n_peers].first_ip = set->n_ips;
	return parse_key(value, peers[set->n_peers++].public_key);
}

static int set_allowed_ip(struct uapi_set *set, struct uapi_peer *peer, const char *value)
{
	struct uapi_allowed_ip *ips =
		array_grow(set->ips, set->n_ips, &set->ips_room, sizeof(*ips));
	int rc;

	if (!ips)
		return -ENOMEM;
	set->ips = ips;
	rc = parse_allowed_ip(value, &ips[set->n_ips]);
	if (rc)
		return rc;
	set->n_ips++;
	peer->n_ips++;
	return 0;
}

static int set_peer_line(struct uapi_set *set, const char *key, const char *value)
{
	struct uapi_peer *peer = &set->peers[set->n_peers - 1];
	uint64_t number;
	int rc;

	if (!strcmp(key, "remove")) {
		peer->remove = true;
		return parse_true(value);
	}
	if (!strcmp(key, "update_only")) {
		peer->update_only = true;
		return parse_true(value);
	}
	if (!strcmp(key, "preshared_key")) {
		peer->has_psk = true;
		return parse_key(value, peer->psk);
	}
	if (!strcmp(key, "endpoint")) {
		peer->has_endpoint = true;
		return parse_endpoint(value, peer);
	}
	if (!strcmp(key, "persistent_keepalive_interval")) {
		rc = parse_number(value, UINT16_MAX, &number);
		if (rc)
			return rc;
		peer->has_persistent = true;
		peer->persistent_s = (uint16_t)number;
		return 0;
	}
	if (!strcmp(key, "replace_allowed_ips")) {
		peer->replace_allowed_ips = true;
		return parse_true(value);
	}
	if (!strcmp(key, "allowed_ip"))
		return set_allowed_ip(set, peer, value);
	if (!strcmp(key, "protocol_version"))
		return strcmp(value, "1") ? -EINVAL : 0;
	return -EPROTO;
}

static int set_line(struct uapi_set *set, char *line)
{
	char *value = strchr(line, '=');

	if (!value)
		return -EPROTO;
	*value++ = '\0';
	if (!strcmp(line, "public_key"))
		return set_new_peer(set, value);
	return set->n_peers ? set_peer_line(set, line, value) : set_device_line(set, line, value);
}

int uapi_set_parse(const char *text, size_t len, struct uapi_set *ret_set)
{
	struct uapi_set set = { 0 };
	char line[2 * VALUE_MAX];
	int rc = 0;

	while (len && !rc) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		if (n >= sizeof(line) || memchr(text, '\0', n)) {
			rc = -EINVAL;
			break;
		}
		memcpy(line, text, n);
		line[n] = '\0';
		rc = set_line(&set, line);
		len -= end ? n + 1 : n;
		text += end ? n + 1 : n;
	}
	sodium_memzero(line, sizeof(line));
	if (rc)
		uapi_set_fini(&set);
	else
		*ret_set = set;
	sodium_memzero(&set, sizeof(set));
	return rc;
}

void uapi_set_fini(struct uapi_set *set)
{
	if (set->peers)
		sodium_memzero(set->peers, set->peers_room * sizeof(*set->peers));
	free(set->peers);
	free(set->ips);
	sodium_memzero(set, sizeof(*set));
}

static void print_key(FILE *out, const char *name, const uint8_t key[MESSAGE_KEY_LEN])
{
	char hex[KEY_HEX + 1];

	sodium_bin2hex(hex, sizeof(hex), key, MESSAGE_KEY_LEN);
	fprintf(out, "%s=%s\n", name, hex);
	sodium_memzero(hex, sizeof(hex));
}

static void print_endpoint(FILE *out, const struct endpoint *endpoint)
{
	char address[INET6_ADDRSTRLEN], scope[16] = "";

	if (endpoint->sa.sa_family == AF_INET) {
		inet_ntop(AF_INET, &endpoint->in.sin_addr, address, sizeof(address));
		fprintf(out, "endpoint=%s:%u\n", address, ntohs(endpoint->in.sin_port));
		return;
	}
	inet_ntop(AF_INET6, &endpoint->in6.sin6_addr, address, sizeof(address));
	if (endpoint->in6.sin6_scope_id)
		snprintf(scope, sizeof(scope), "%%%u", endpoint->in6.sin6_scope_id);
	fprintf(out, "endpoint=[%s%s]:%u\n", address, scope, ntohs(endpoint->in6.sin6_port));
}

static void print_peer(FILE *out, const struct device *device, struct peer *peer)
{
	const struct peer_endpoint *endpoint = atomic_load(&peer->endpoint);
	const struct allowed_ips *ips = atomic_load(&device->allowed_ips);
	struct allowed_ip ip;

	print_key(out, "public_key", peer->handshake.remote_static);
	print_key(out, "preshared_key", peer->handshake.psk);
	fputs("protocol_version=1\n", out);
	if (endpoint)
		print_endpoint(out, &endpoint->endpoint);
	fprintf(out, "last_handshake_time_sec=%lld\nlast_handshake_time_nsec=%ld\n",
		(long long)peer->last_handshake.tv_sec, peer->last_handshake.tv_nsec);
	fprintf(out, "tx_bytes=%llu\nrx_bytes=%llu\npersistent_keepalive_interval=%u\n",
		(unsigned long long)atomic_load(&peer->tx_bytes),
		(unsigned long long)atomic_load(&peer->rx_bytes), peer->timers.persistent_s);
	for (size_t cursor = 0; allowed_ips_next(ips, peer, &cursor, &ip);) {
		char address[INET6_ADDRSTRLEN];

		inet_ntop(ip.family == ALLOWED_V4 ? AF_INET : AF_INET6, ip.address, address,
			  sizeof(address));
		fprintf(out, "allowed_ip=%s/%u\n", address, ip.cidr);
	}
}

static ssize_t text_write(void *data, const char *bytes, size_t len)
{
	return text_append(data, bytes, len) ? 0 : (ssize_t)len;
}

int uapi_format(const struct device *device, struct text *text)
{
	const cookie_io_functions_t into_text = { .write = text_write };
	FILE *out = fopencookie(text, "w", into_text);
	char buffer[4096]; /* not the library's, which is not wiped */
	int rc;

	if (!out)
		return -ENOMEM;
	setvbuf(out, buffer, _IOFBF, sizeof(buffer));
	if (device->identity.set)
		print_key(out, "private_key", device->identity.private_key);
	if (device->port)
		fprintf(out, "listen_port=%u\n", device->port);
	if (device->fwmark)
		fprintf(out, "fwmark=%u\n", device->fwmark);
	for (struct peer *peer = device->peers; peer; peer = peer->next)
		print_peer(out, device, peer);
	rc = ferror(out) ? -ENOMEM : 0;
	if (fclose(out))
		rc = -ENOMEM;
	sodium_memzero(buffer, sizeof(buffer));
	return rc;
}
