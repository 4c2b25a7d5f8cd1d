/* SPDX-License-Identifier: GPL-2.0-only */
#include "provision_screen.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "provision_nic.h"
#include "provision_seed.h"
#include "slot.h"

#define RELEASE "/usr/lib/os-release"
#define CMDLINE "/proc/cmdline"

/* ---- texts ---- */

/* Of a line "KEY=value", with or without quotes, where the line begins with it. */
static void value_of(const char *text, const char *key, char *buf, size_t size)
{
	const size_t key_len = strlen(key);
	size_t len;

	*buf = '\0';
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, key_len) || line[key_len] != '=')
			continue;
		line += key_len + 1;
		line += *line == '"';
		len = strcspn(line, "\"\r\n");
		if (len < size) {
			memcpy(buf, line, len);
			buf[len] = '\0';
		}
		return;
	}
}

void provision_screen_name(const char *network, char *buf, size_t size)
{
	value_of(network, "Name", buf, size);
}

void provision_screen_title(const char *release, const char *cmdline, char *buf, size_t size)
{
	char version[128];
	enum slot slot;
	bool trial;

	value_of(release, "IMAGE_VERSION", version, sizeof(version));
	if (slot_cmdline_parse(cmdline, &slot, &trial))
		snprintf(buf, size, "Netpas gateway%s%s", *version ? " " : "", version);
	else
		snprintf(buf, size, "Netpas gateway%s%s, slot %s%s", *version ? " " : "", version,
			 slot_names[slot], trial ? ", on trial" : "");
}

/* Of /proc too, where files have no size. */
static void read_short(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t len = 0;

	if (file) {
		len = fread(buf, 1, size - 1, file);
		fclose(file);
	}
	buf[len] = '\0';
}

/* ---- interfaces ---- */

/* "LAN", "WAN" or "": what the configuration has this interface for. */
static const char *purpose(const char *data, const char *name)
{
	char path[PATH_MAX], text[1024], used[CONFIG_IFNAME_LEN];

	for (unsigned int i = 0; i <= PROVISION_WANS_MAX; i++) {
		if (i)
			snprintf(path, sizeof(path), "%s/network/30-wan%u.network", data, i);
		else
			snprintf(path, sizeof(path), "%s/network/20-lan.network", data);
		read_short(path, text, sizeof(text));
		provision_screen_name(text, used, sizeof(used));
		if (!strcmp(used, name))
			return i ? "WAN" : "LAN";
	}
	return "";
}

static unsigned int mask_bits(const void *mask, size_t size)
{
	const unsigned char *bytes = mask;
	unsigned int bits = 0;

	for (size_t i = 0; i < size; i++)
		bits += (unsigned int)__builtin_popcount(bytes[i]);
	return bits;
}

/* "192.0.2.10/24"; false: not an address that anybody would use. */
static bool format(const struct ifaddrs *entry, char *buf, size_t size)
{
	char text[INET6_ADDRSTRLEN];
	unsigned int len = 0;

	if (!entry->ifa_addr)
		return false;
	if (entry->ifa_addr->sa_family == AF_INET) {
		struct sockaddr_in addr, mask = { 0 };

		memcpy(&addr, entry->ifa_addr, sizeof(addr));
		if (entry->ifa_netmask)
			memcpy(&mask, entry->ifa_netmask, sizeof(mask));
		len = mask_bits(&mask.sin_addr, sizeof(mask.sin_addr));
		if (!inet_ntop(AF_INET, &addr.sin_addr, text, sizeof(text)))
			return false;
	} else if (entry->ifa_addr->sa_family == AF_INET6) {
		struct sockaddr_in6 addr, mask = { 0 };

		memcpy(&addr, entry->ifa_addr, sizeof(addr));
		if (entry->ifa_netmask)
			memcpy(&mask, entry->ifa_netmask, sizeof(mask));
		len = mask_bits(&mask.sin6_addr, sizeof(mask.sin6_addr));
		if (IN6_IS_ADDR_LINKLOCAL(&addr.sin6_addr) ||
		    !inet_ntop(AF_INET6, &addr.sin6_addr, text, sizeof(text)))
			return false;
	} else {
		return false;
	}
	snprintf(buf, size, "%s/%u", text, len);
	return true;
}

static void print_nic(FILE *out, const char *data, const struct provision_nic *nic,
		      const struct ifaddrs *addresses)
{
	const char *what = purpose(data, nic->name);
	char text[INET6_ADDRSTRLEN + 8];
	bool any = false;

	fprintf(out, "%s%s%s:", what, *what ? " " : "", nic->name);
	for (; addresses; addresses = addresses->ifa_next) {
		if (strcmp(addresses->ifa_name, nic->name) ||
		    !format(addresses, text, sizeof(text)))
			continue;
		fprintf(out, "%s %s", any ? "," : "", text);
		any = true;
	}
	fprintf(out, "%s%s%s\n", any ? "" : " no address", strcmp(nic->link, "up") ? ", link " : "",
		strcmp(nic->link, "up") ? nic->link : "");
}

static void print_nics(FILE *out, const struct provision_options *options)
{
	struct provision_nic nics[PROVISION_NICS_MAX];
	struct ifaddrs *addresses = NULL;
	size_t n = 0;

	if (provision_nics_read(options->sys, nics, &n))
		return; /* `show` and the journal say why */
	if (getifaddrs(&addresses))
		addresses = NULL;
	for (size_t i = 0; i < n; i++)
		print_nic(out, options->data, &nics[i], addresses);
	if (addresses)
		freeifaddrs(addresses);
}

/* ---- the screen ---- */

/* The text of a stream; NULL: no memory. */
static char *close_text(FILE *out, char **text)
{
	if (!fclose(out))
		return *text;
	free(*text);
	return NULL;
}

static void print_facts(FILE *out, const struct provision_options *options)
{
	char release[4096], cmdline[4096], title[256], host[HOST_NAME_MAX + 1] = "";

	read_short(RELEASE, release, sizeof(release));
	read_short(CMDLINE, cmdline, sizeof(cmdline));
	provision_screen_title(release, cmdline, title, sizeof(title));
	(void)gethostname(host, sizeof(host) - 1); /* it is always there */
	fprintf(out, "%s\nhost name: %s\n", title, host);
	print_nics(out, options);
}

char *provision_screen_facts(const struct provision_options *options)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	print_facts(out, options);
	return close_text(out, &text);
}

/* Of a file below the data directory; false: it is not there, or empty. */
static bool look(const struct provision_options *options, const char *name, struct stat *ret_stat)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", options->data, name);
	return !stat(path, ret_stat) && ret_stat->st_size;
}

char *provision_screen_next(const struct provision_options *options)
{
	struct stat st;
	const bool configured = look(options, "netpas/node.yaml", &st);
	const bool login = look(options, "ssh/authorized_keys", &st);
	char path[PATH_MAX], *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	snprintf(path, sizeof(path), "%s/refused", options->run);
	if (!access(path, F_OK))
		fputs("The user data was refused: what is wrong with it stands above, and in the "
		      "journal.\n",
		      out);
	if (!configured)
		fprintf(out,
			"Next: %sgive this machine user data by a volume or its cloud,\nsee "
			"netpas-provision(8); or answer questions here.\n",
			look(options, "netpas/private.key", &st)
				? "put the public key into mesh.yaml of all nodes; then\n"
				: "");
	if (login)
		fprintf(out, "%sssh root@ADDRESS, with a key that it was given%s.\n",
			configured ? "Next: " : "Or: ",
			configured ? " and from where 'allow' of\nnode.yaml says; there 'netpas "
				     "status', 'netpas check', 'journalctl -b'"
				   : "");
	else if (configured)
		fputs("Nobody can log in, as no SSH key was given: a seed volume with a new "
		      "instance-id brings one.\n",
		      out);
	return close_text(out, &text);
}

char *provision_screen_state(const struct provision_options *options)
{
	static const char *const names[] = { "netpas/node.yaml", "netpas/mesh.yaml",
					     "netpas/private.key", "ssh/authorized_keys",
					     "provision/record.json" };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	struct stat st;

	if (!out)
		return NULL;
	print_facts(out, options);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (look(options, names[i], &st))
			fprintf(out, "%s %ju %jd\n", names[i], (uintmax_t)st.st_ino,
				(intmax_t)st.st_mtim.tv_sec);
	}
	return close_text(out, &text);
}
