/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names: the kernel numbers interfaces as their drivers find them, which another interface in another
 * slot, or another kernel, may change. So the names that were chosen from are kept by MAC address.
 */
#include "provision_nic.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "file.h"

/* One line of a file of sysfs; "" if it cannot be had. */
static void read_line(const char *sys, const char *nic, const char *name, char *buf, size_t size)
{
	char path[PATH_MAX];
	size_t len = 0;
	int fd;

	*buf = '\0';
	if ((size_t)snprintf(path, sizeof(path), "%s/class/net/%s/%s", sys, nic, name) >=
	    sizeof(path))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (file_read(fd, buf, size - 1, &len))
		len = 0;
	close(fd);
	buf[len] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

/* Where the link points to; false: there is none. */
static bool read_link(const char *sys, const char *nic, const char *name,
		      char path[static PATH_MAX])
{
	char link[PATH_MAX];

	return (size_t)snprintf(link, sizeof(link), "%s/class/net/%s/%s", sys, nic, name) <
		       sizeof(link) &&
	       realpath(link, path);
}

static bool read_nic(const char *sys, const char *name, struct provision_nic *nic)
{
	char path[PATH_MAX], text[64];
	const char *base;
	size_t len;

	read_line(sys, name, "type", text, sizeof(text));
	/* ARPHRD_ETHER; and what has no device is made by software. */
	if (strlen(name) >= sizeof(nic->name) || strcmp(text, "1") ||
	    !read_link(sys, name, "device", path))
		return false;
	*nic = (struct provision_nic){ .driver = "-" };
	strcpy(nic->name, name);
	len = strlen(path);
	memcpy(nic->bus, path + (len < sizeof(nic->bus) ? 0 : len - sizeof(nic->bus) + 1),
	       len < sizeof(nic->bus) ? len + 1 : sizeof(nic->bus));
	read_line(sys, name, "address", text, sizeof(text));
	if (provision_mac_parse(text, nic->mac))
		return false;
	if (read_link(sys, name, "device/driver", path)) {
		base = strrchr(path, '/');
		snprintf(nic->driver, sizeof(nic->driver), "%.31s", base ? base + 1 : path);
	}
	read_line(sys, name, "ifindex", text, sizeof(text));
	nic->index = (unsigned int)strtoul(text, NULL, 10);
	read_line(sys, name, "operstate", nic->link, sizeof(nic->link));
	if (!*nic->link)
		strcpy(nic->link, "unknown");
	return true;
}

/* The interface of Hyper-V that passes on what comes by the virtual function. */
static bool is_synthetic(const struct provision_nic *nic)
{
	return !strcmp(nic->driver, "hv_netvsc");
}

static int compare(const void *a, const void *b)
{
	const struct provision_nic *l = a, *r = b;
	int order = 0;

	/* Channels of Hyper-V are named at random; the host offers them in its own order. */
	if (!is_synthetic(l) && !is_synthetic(r))
		order = strcmp(l->bus, r->bus);
	if (!order)
		order = (l->index > r->index) - (l->index < r->index);
	return order ? order : strcmp(l->name, r->name);
}

static bool has_stand_in(const struct provision_nic *nics, size_t n,
			 const struct provision_nic *nic)
{
	for (size_t i = 0; i < n; i++) {
		if (&nics[i] != nic && is_synthetic(&nics[i]) && !is_synthetic(nic) &&
		    !memcmp(nics[i].mac, nic->mac, sizeof(nic->mac)))
			return true;
	}
	return false;
}

int provision_nics_read(const char *sys, struct provision_nic nics[static PROVISION_NICS_MAX],
			size_t *ret_n)
{
	char path[PATH_MAX];
	struct dirent *entry;
	size_t n = 0, kept = 0;
	DIR *dir;

	if ((size_t)snprintf(path, sizeof(path), "%s/class/net", sys) >= sizeof(path))
		return -ENAMETOOLONG;
	dir = opendir(path);
	if (!dir)
		return -errno;
	while (n < PROVISION_NICS_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && read_nic(sys, entry->d_name, &nics[n]) &&
		    !read_link(sys, entry->d_name, "master", path))
			n++;
	}
	closedir(dir);
	for (size_t i = 0; i < n; i++) {
		/* Those before i that were left out stand for nobody. */
		if (!has_stand_in(nics, n, &nics[i]))
			nics[kept++] = nics[i];
	}
	if (kept)
		qsort(nics, kept, sizeof(*nics), compare);
	*ret_n = kept;
	return 0;
}

const struct provision_nic *provision_nic_find(const struct provision_nic *nics, size_t n,
					       const struct provision_pick *pick)
{
	for (size_t i = 0; i < n; i++) {
		if (pick->by_mac  ? !memcmp(nics[i].mac, pick->mac, sizeof(pick->mac))
		    : pick->order ? pick->order == i + 1
				  : !strcmp(nics[i].name, pick->name))
			return &nics[i];
	}
	return NULL;
}

const char *provision_mac_format(const uint8_t mac[static PROVISION_MAC_LEN],
				 char buf[static PROVISION_MAC_STRLEN])
{
	snprintf(buf, PROVISION_MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return buf;
}

const char *provision_nic_format(const struct provision_nic *nic, size_t number,
				 char buf[static PROVISION_NIC_STRLEN])
{
	char mac[PROVISION_MAC_STRLEN];

	snprintf(buf, PROVISION_NIC_STRLEN, "%zu: %s %s %s, link %s", number, nic->name,
		 provision_mac_format(nic->mac, mac), nic->driver, nic->link);
	return buf;
}

/* ---- names ---- */

static struct provision_nic *nic_named(struct provision_nic *nics, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(nics[i].name, name))
			return &nics[i];
	}
	return NULL;
}

static void step(struct provision_nic *nic, const char *to, struct provision_rename *renames,
		 size_t *n)
{
	struct provision_rename *rename = &renames[(*n)++];

	strcpy(rename->from, nic->name);
	snprintf(rename->to, sizeof(rename->to), "%s", to);
	strcpy(nic->name, rename->to);
}

/* Out of the way: by a name that neither an interface nor a pin has. */
static void step_aside(struct provision_nic *nics, size_t n, struct provision_nic *nic,
		       const struct provision_pin *pins, size_t n_pins,
		       struct provision_rename *renames, size_t *n_renames)
{
	char name[CONFIG_IFNAME_LEN];
	bool taken = true;

	for (unsigned int i = 0; taken; i++) {
		snprintf(name, sizeof(name), "eth%u", i);
		taken = nic_named(nics, n, name);
		for (size_t p = 0; p < n_pins; p++)
			taken |= !strcmp(pins[p].name, name);
	}
	step(nic, name, renames, n_renames);
}

size_t provision_nics_plan(const struct provision_nic *nics, size_t n,
			   const struct provision_pin *pins, size_t n_pins,
			   struct provision_rename renames[static 2 * PROVISION_NICS_MAX])
{
	struct provision_nic now[PROVISION_NICS_MAX], *nic, *other;
	size_t n_renames = 0;

	memcpy(now, nics, n * sizeof(*nics));
	for (size_t p = 0; p < n_pins && p < PROVISION_NICS_MAX; p++) {
		nic = NULL;
		for (size_t i = 0; i < n && !nic; i++) {
			if (!memcmp(now[i].mac, pins[p].mac, sizeof(now[i].mac)))
				nic = &now[i];
		}
		if (!nic || !strcmp(nic->name, pins[p].name))
			continue;
		other = nic_named(now, n, pins[p].name);
		if (other)
			step_aside(now, n, other, pins, n_pins, renames, &n_renames);
		step(nic, pins[p].name, renames, &n_renames);
	}
	return n_renames;
}

int provision_nic_rename(const char *from, const char *to)
{
	struct ifreq request = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), ret = 0;

	if (fd < 0)
		return -errno;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", from);
	snprintf(request.ifr_newname, sizeof(request.ifr_newname), "%s", to);
	if (ioctl(fd, SIOCSIFNAME, &request))
		ret = -errno;
	close(fd);
	return ret;
}
