/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The UAPI of user-space WireGuard engines (wireguard.com/xplatform): lines "key=value", an empty
 * line at the end, both ways over a Unix stream socket, keys as hex.
 *
 * An engine may hang. Every exchange has its own connection and a deadline, so that it costs the
 * caller two seconds at the most. The socket is where wireguard-go is compiled to make it.
 *
 * Texts hold private keys: every buffer they were in is wiped, and none is grown by realloc().
 */
#include "wireguard.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "hex.h"
#include "stream.h"
#include "wireguard_device.h"

#define UAPI_DIR "/var/run/wireguard"
#define UAPI_DEADLINE_MS 2000
#define UAPI_ANSWER_MAX (1u << 20) /* bytes: thousands of peers, where one is usual */
#define UAPI_ERRNO_MAX 4095	   /* the kernel's MAX_ERRNO */

/* -- Parsing -- */

struct uapi_value {
	const char *text; /* not terminated */
	size_t len;
};

static int uapi_number(struct uapi_value value, uint64_t max, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!value.len)
		return -EBADMSG;
	for (size_t i = 0; i < value.len; i++) {
		unsigned int digit = (unsigned char)value.text[i] - (unsigned int)'0';

		if (digit > 9 || number > max / 10 || number * 10 > max - digit)
			return -EBADMSG;
		number = number * 10 + digit;
	}
	*ret_number = number;
	return 0;
}

static int uapi_key(struct uapi_value value, struct key *ret_key)
{
	struct key key;
	int ret = 0;

	if (value.len != 2 * KEY_LEN)
		return -EBADMSG;
	for (size_t i = 0; i < KEY_LEN; i++) {
		int high = hex_digit(value.text[2 * i]);
		int low = hex_digit(value.text[2 * i + 1]);

		if (high < 0 || low < 0)
			ret = -EBADMSG;
		key.bytes[i] = (uint8_t)((unsigned int)high << 4 | ((unsigned int)low & 0xf));
	}
	if (!ret)
		*ret_key = key;
	key_wipe(&key);
	return ret;
}

static int uapi_number16(struct uapi_value value, uint16_t *ret_number)
{
	uint64_t number;

	if (uapi_number(value, UINT16_MAX, &number))
		return -EBADMSG;
	*ret_number = (uint16_t)number;
	return 0;
}

static int uapi_text_copy(struct uapi_value value, char *buf, size_t size)
{
	if (value.len >= size || memchr(value.text, '\0', value.len))
		return -EBADMSG;
	memcpy(buf, value.text, value.len);
	buf[value.len] = '\0';
	return 0;
}

static int uapi_addr(struct uapi_value value, struct ip_addr *ret_addr)
{
	char buf[IP_ADDR_STRLEN];

	return uapi_text_copy(value, buf, sizeof(buf)) || ip_addr_parse(buf, ret_addr) ? -EBADMSG
										       : 0;
}

/* ::ffff:a.b.c.d, which an engine with one socket for both families may show, is a.b.c.d. */
static void uapi_addr_unmap(struct ip_addr *addr)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct ip_addr v4 = { .family = IP_V4 };

	if (addr->family != IP_V6 || memcmp(addr->bytes, mapped, sizeof(mapped)))
		return;
	memcpy(v4.bytes, addr->bytes + sizeof(mapped), 4);
	*addr = v4;
}

struct uapi_scan {
	struct wireguard_device device;
	struct wireguard_peer *peer; /* the last one; NULL before the first */
	int code;		     /* of errno; -1 before it */
};

static int uapi_take_private_key(struct uapi_scan *scan, struct uapi_value value)
{
	return uapi_key(value, &scan->device.private_key);
}

static int uapi_take_listen_port(struct uapi_scan *scan, struct uapi_value value)
{
	return uapi_number16(value, &scan->device.listen_port);
}

static int uapi_take_fwmark(struct uapi_scan *scan, struct uapi_value value)
{
	uint64_t number;

	if (uapi_number(value, UINT32_MAX, &number))
		return -EBADMSG;
	scan->device.fwmark = (uint32_t)number;
	return 0;
}

static int uapi_take_public_key(struct uapi_scan *scan, struct uapi_value value)
{
	scan->peer = wireguard_device_add(&scan->device);
	return scan->peer ? uapi_key(value, &scan->peer->public_key) : -ENOMEM;
}

static int uapi_take_preshared_key(struct uapi_scan *scan, struct uapi_value value)
{
	struct key key;

	if (uapi_key(value, &key))
		return -EBADMSG;
	scan->peer->preshared = !key_is_zero(&key);
	key_wipe(&key);
	return 0;
}

static int uapi_take_protocol_version(struct uapi_scan *scan, struct uapi_value value)
{
	(void)scan;
	return value.len == 1 && *value.text == '1' ? 0 : -EBADMSG;
}

/* "a.b.c.d:port", "[v6]:port", "[v6%zone]:port"; the zone is the kernel's affair. */
static int uapi_take_endpoint(struct uapi_scan *scan, struct uapi_value value)
{
	const char *colon = memrchr(value.text, ':', value.len);
	struct uapi_value host, port;
	struct ip_addr addr;
	uint16_t number;
	bool bracket;

	if (!colon || colon == value.text)
		return -EBADMSG;
	host = (struct uapi_value){ value.text, (size_t)(colon - value.text) };
	port = (struct uapi_value){ colon + 1, value.len - host.len - 1 };
	bracket = *host.text == '[';
	if (bracket) {
		const char *zone;

		if (host.len < 2 || host.text[host.len - 1] != ']')
			return -EBADMSG;
		host.text++;
		host.len -= 2;
		zone = memchr(host.text, '%', host.len);
		if (zone)
			host.len = (size_t)(zone - host.text);
	}
	if (uapi_addr(host, &addr) || bracket != (addr.family == IP_V6) ||
	    uapi_number16(port, &number))
		return -EBADMSG;
	uapi_addr_unmap(&addr);
	scan->peer->endpoint = addr;
	scan->peer->endpoint_port = number;
	return 0;
}

static int uapi_take_keepalive(struct uapi_scan *scan, struct uapi_value value)
{
	return uapi_number16(value, &scan->peer->keepalive_s);
}

static int uapi_take_allowed_ip(struct uapi_scan *scan, struct uapi_value value)
{
	char buf[IP_PREFIX_STRLEN];
	struct ip_prefix prefix;

	if (uapi_text_copy(value, buf, sizeof(buf)) || ip_prefix_parse(buf, &prefix))
		return -EBADMSG;
	wireguard_peer_allow(scan->peer, &prefix);
	return 0;
}

static int uapi_take_handshake(struct uapi_scan *scan, struct uapi_value value)
{
	uint64_t number;

	if (uapi_number(value, INT64_MAX, &number))
		return -EBADMSG;
	scan->peer->last_handshake_s = (int64_t)number;
	return 0;
}

static int uapi_take_rx_bytes(struct uapi_scan *scan, struct uapi_value value)
{
	return uapi_number(value, UINT64_MAX, &scan->peer->rx_bytes);
}

static int uapi_take_tx_bytes(struct uapi_scan *scan, struct uapi_value value)
{
	return uapi_number(value, UINT64_MAX, &scan->peer->tx_bytes);
}

/* wireguard-go writes it negative. */
static int uapi_take_errno(struct uapi_scan *scan, struct uapi_value value)
{
	uint64_t number;

	if (value.len && *value.text == '-') {
		value.text++;
		value.len--;
	}
	if (uapi_number(value, UAPI_ERRNO_MAX, &number))
		return -EBADMSG;
	scan->code = (int)number;
	return 0;
}

enum uapi_place {
	UAPI_OF_DEVICE, /* before the first peer only */
	UAPI_OF_PEER,	/* after a public_key only */
	UAPI_ANYWHERE,
};

/* Words that are not in it are ignored: the protocol grows. */
static const struct uapi_word {
	const char *name;
	enum uapi_place place;
	int (*take)(struct uapi_scan *scan, struct uapi_value value);
} uapi_words[] = {
	{ "private_key", UAPI_OF_DEVICE, uapi_take_private_key },
	{ "listen_port", UAPI_OF_DEVICE, uapi_take_listen_port },
	{ "fwmark", UAPI_OF_DEVICE, uapi_take_fwmark },
	{ "public_key", UAPI_ANYWHERE, uapi_take_public_key },
	{ "preshared_key", UAPI_OF_PEER, uapi_take_preshared_key },
	{ "protocol_version", UAPI_OF_PEER, uapi_take_protocol_version },
	{ "endpoint", UAPI_OF_PEER, uapi_take_endpoint },
	{ "persistent_keepalive_interval", UAPI_OF_PEER, uapi_take_keepalive },
	{ "allowed_ip", UAPI_OF_PEER, uapi_take_allowed_ip },
	{ "last_handshake_time_sec", UAPI_OF_PEER, uapi_take_handshake },
	{ "rx_bytes", UAPI_OF_PEER, uapi_take_rx_bytes },
	{ "tx_bytes", UAPI_OF_PEER, uapi_take_tx_bytes },
	{ "errno", UAPI_ANYWHERE, uapi_take_errno },
};

static int uapi_scan_line(struct uapi_scan *scan, const char *line, size_t len)
{
	const char *equals = memchr(line, '=', len);
	size_t name_len;

	if (!equals || equals == line)
		return -EBADMSG;
	name_len = (size_t)(equals - line);
	for (size_t i = 0; i < sizeof(uapi_words) / sizeof(uapi_words[0]); i++) {
		const struct uapi_word *word = &uapi_words[i];

		if (strlen(word->name) != name_len || memcmp(word->name, line, name_len))
			continue;
		if (word->place != UAPI_ANYWHERE &&
		    (word->place == UAPI_OF_PEER) != (scan->peer != NULL))
			return -EBADMSG;
		return word->take(scan, (struct uapi_value){ equals + 1, len - name_len - 1 });
	}
	return 0;
}

int wireguard_uapi_scan(const char *text, size_t len, struct wireguard_device *ret_device)
{
	struct uapi_scan scan = { .code = -1 };
	const char *end = text + len;
	int ret = 0;

	/* Lines, then errno as the last of them, then an empty line, then nothing. */
	while (!ret && scan.code < 0) {
		const char *newline = text < end ? memchr(text, '\n', (size_t)(end - text)) : NULL;

		if (!newline) {
			ret = -EBADMSG;
			break;
		}
		ret = uapi_scan_line(&scan, text, (size_t)(newline - text));
		text = newline + 1;
	}
	if (!ret && (end - text != 1 || *text != '\n'))
		ret = -EBADMSG;
	if (!ret && scan.code)
		ret = -scan.code;
	if (ret)
		wireguard_device_fini(&scan.device);
	else
		*ret_device = scan.device;
	key_wipe(&scan.device.private_key);
	return ret;
}

int wireguard_uapi_parse(const char *text, size_t len, struct state_tunnel *tunnel,
			 struct wireguard_stats *ret_stats)
{
	struct wireguard_device device;
	int ret;

	ret = wireguard_uapi_scan(text, len, &device);
	if (ret)
		return ret;
	wireguard_device_view(&device, tunnel, ret_stats);
	wireguard_device_fini(&device);
	return 0;
}

/* -- Making a request -- */

struct uapi_text {
	char *buf;
	size_t len, size;
};

/* The room was computed before: see UAPI_REQUEST_SIZE and UAPI_REMOVAL_SIZE. */
static void __attribute__((format(printf, 2, 3)))
uapi_put(struct uapi_text *text, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text->buf + text->len, text->size - text->len, fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= text->size - text->len)
		abort();
	text->len += (size_t)len;
}

static void uapi_put_key(struct uapi_text *text, const char *name, const struct key *key)
{
	static const char digits[] = "0123456789abcdef";

	uapi_put(text, "%s=", name);
	for (size_t i = 0; i < KEY_LEN; i++)
		uapi_put(text, "%c%c", digits[key->bytes[i] >> 4], digits[key->bytes[i] & 0xf]);
	uapi_put(text, "\n");
}

static void uapi_put_peer(struct uapi_text *text, const struct state_tunnel *tunnel,
			  const struct wireguard_change *change)
{
	const struct ip_addr link = ip_link_local(tunnel->peer_id);
	static const struct key none;
	char addr[IP_ADDR_STRLEN];

	uapi_put_key(text, "public_key", &tunnel->peer_key);
	if (!change->peer_new)
		uapi_put(text, "update_only=true\n");
	if (change->preshared)
		uapi_put_key(text, "preshared_key", &none);
	if (change->endpoint)
		uapi_put(text,
			 tunnel->endpoint.family == IP_V6 ? "endpoint=[%s]:%u\n"
							  : "endpoint=%s:%u\n",
			 ip_addr_format(&tunnel->endpoint, addr), tunnel->endpoint_port);
	if (change->keepalive)
		uapi_put(text, "persistent_keepalive_interval=%u\n", tunnel->keepalive_s);
	if (change->allowed_replace)
		uapi_put(text, "replace_allowed_ips=true\n");
	if (change->allowed_add && tunnel->allowed_link)
		uapi_put(text, "allowed_ip=%s/128\n", ip_addr_format(&link, addr));
	else if (change->allowed_add)
		uapi_put(text, "allowed_ip=0.0.0.0/0\nallowed_ip=::/0\n");
}

#define UAPI_REQUEST_SIZE 768 /* everything but removals */
#define UAPI_REMOVAL_SIZE 128 /* of one peer */

char *wireguard_uapi_format(const struct wireguard_device *device,
			    const struct state_tunnel *tunnel,
			    const struct wireguard_change *change)
{
	struct uapi_text text = {
		.size = UAPI_REQUEST_SIZE + change->removals * UAPI_REMOVAL_SIZE,
	};

	text.buf = malloc(text.size);
	if (!text.buf)
		return NULL;
	uapi_put(&text, "set=1\n");
	if (change->private_key)
		uapi_put_key(&text, "private_key", &tunnel->private_key);
	if (change->listen_port)
		uapi_put(&text, "listen_port=%u\n", tunnel->listen_port);
	if (change->fwmark)
		uapi_put(&text, "fwmark=0\n");
	if (change->peer)
		uapi_put_peer(&text, tunnel, change);
	for (size_t i = 0; i < device->n_peers; i++) {
		const struct key *key = &device->peers[i].public_key;

		if (key_equal(key, &tunnel->peer_key))
			continue;
		uapi_put_key(&text, "public_key", key);
		uapi_put(&text, "update_only=true\nremove=true\n");
	}
	uapi_put(&text, "\n");
	return text.buf;
}

/* -- The socket -- */

static int uapi_address(const char *ifname, struct sockaddr_un *ret_addr)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int len;

	if (!*ifname || strchr(ifname, '/'))
		return -ENODEV;
	len = snprintf(addr.sun_path, sizeof(addr.sun_path), UAPI_DIR "/%s.sock", ifname);
	if (len >= (int)sizeof(addr.sun_path))
		return -ENODEV;
	*ret_addr = addr;
	return 0;
}

/*
 * A full backlog (the engine accepts nothing) makes a non-blocking connect fail at once with
 * nothing to wait for; a blocking one waits as long as the send timeout says.
 */
static int uapi_connect(const char *ifname)
{
	const struct timeval timeout = {
		.tv_sec = UAPI_DEADLINE_MS / 1000,
		.tv_usec = UAPI_DEADLINE_MS % 1000 * 1000,
	};
	struct sockaddr_un addr;
	int fd, ret;

	ret = uapi_address(ifname, &addr);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	ret = setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	while (!ret && connect(fd, (const struct sockaddr *)&addr, sizeof(addr)))
		ret = errno == EINTR ? 0 : -1;
	if (!ret)
		return fd;
	ret = -errno;
	close(fd);
	switch (ret) {
	case -EAGAIN:
		return -ETIMEDOUT;
	case -ENOENT:
	case -ENOTDIR:
	case -ECONNREFUSED: /* left behind by an engine that was killed */
		return -ENODEV;
	}
	return ret;
}

static void uapi_text_fini(struct uapi_text *text)
{
	if (text->buf)
		explicit_bzero(text->buf, text->size);
	free(text->buf);
	text->buf = NULL;
}

static int uapi_text_grow(struct uapi_text *text)
{
	struct uapi_text more = { .len = text->len, .size = text->size ? text->size * 2 : 4096 };

	if (more.size > UAPI_ANSWER_MAX)
		return -EMSGSIZE;
	more.buf = malloc(more.size);
	if (!more.buf)
		return -ENOMEM;
	if (text->len)
		memcpy(more.buf, text->buf, text->len);
	uapi_text_fini(text);
	*text = more;
	return 0;
}

/* Read up to the empty line that ends an answer. */
static int uapi_receive(int fd, struct uapi_text *answer, int64_t deadline_ms)
{
	while (answer->len < 2 || memcmp(answer->buf + answer->len - 2, "\n\n", 2)) {
		ssize_t got;
		int ret;

		ret = answer->len == answer->size ? uapi_text_grow(answer) : 0;
		if (!ret)
			ret = stream_wait(fd, POLLIN, deadline_ms);
		if (ret)
			return ret;
		got = recv(fd, answer->buf + answer->len, answer->size - answer->len, MSG_DONTWAIT);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (!got)
			return -ECONNRESET;
		if (got > 0)
			answer->len += (size_t)got;
	}
	return 0;
}

/* Send the request; the answer is parsed into *ret_device unless that is NULL. */
static int uapi_exchange(const char *ifname, const char *request,
			 struct wireguard_device *ret_device)
{
	int64_t deadline_ms = clock_now_ms() + UAPI_DEADLINE_MS;
	struct uapi_text answer = { 0 };
	struct wireguard_device device = { 0 };
	int fd, ret;

	fd = uapi_connect(ifname);
	if (fd < 0)
		return fd;
	ret = stream_send(fd, request, strlen(request), deadline_ms);
	if (!ret)
		ret = uapi_receive(fd, &answer, deadline_ms);
	if (!ret)
		ret = wireguard_uapi_scan(answer.buf, answer.len, &device);
	if (!ret) {
		if (ret_device)
			*ret_device = device;
		else
			wireguard_device_fini(&device);
		key_wipe(&device.private_key);
	}
	uapi_text_fini(&answer);
	close(fd);
	return ret;
}

int wireguard_uapi_read(struct state_tunnel *tunnel, struct wireguard_stats *ret_stats)
{
	struct wireguard_device device;
	int ret;

	ret = uapi_exchange(tunnel->ifname, "get=1\n\n", &device);
	if (ret)
		return ret;
	wireguard_device_view(&device, tunnel, ret_stats);
	wireguard_device_fini(&device);
	return 0;
}

int wireguard_uapi_apply(const struct state_tunnel *tunnel)
{
	struct wireguard_device device;
	struct wireguard_change change;
	char *request;
	int ret;

	ret = uapi_exchange(tunnel->ifname, "get=1\n\n", &device);
	if (ret)
		return ret;
	change = wireguard_device_compare(&device, tunnel);
	if (!change.any)
		goto fini;
	request = wireguard_uapi_format(&device, tunnel, &change);
	if (!request) {
		ret = -ENOMEM;
		goto fini;
	}
	ret = uapi_exchange(tunnel->ifname, request, NULL);
	explicit_bzero(request, strlen(request));
	free(request);
fini:
	wireguard_device_fini(&device);
	return ret;
}

int wireguard_uapi_ask(const char *ifname)
{
	static const char request[] = "get=1\n\n";
	struct sockaddr_un addr;
	int fd, ret;

	ret = uapi_address(ifname, &addr);
	if (ret)
		return ret;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) ||
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != sizeof(request) - 1) {
		ret = -errno;
		close(fd);
		return ret;
	}
	return fd;
}

bool wireguard_uapi_answers(const char *ifname, int ms)
{
	const int fd = wireguard_uapi_ask(ifname);
	bool answers;

	if (fd < 0)
		return fd != -EAGAIN;
	answers = !stream_wait(fd, POLLIN, clock_now_ms() + ms);
	close(fd);
	return answers;
}

pid_t wireguard_uapi_owner(const char *ifname)
{
	struct ucred cred = { 0 };
	socklen_t len = sizeof(cred);
	int fd, ret;

	fd = uapi_connect(ifname);
	if (fd < 0)
		return fd;
	ret = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) ? -errno : cred.pid;
	close(fd);
	return ret ? ret : -ESRCH; /* pid 0: in a pid namespace that this one does not see */
}
