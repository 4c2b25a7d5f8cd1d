/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netpas-tune: sets up the network cards of the appliance, once they are there and before netpasd attaches
 * its programs (changing queues afterwards resets the card).
 *
 *	netpas-tune [-n] [-c DIR] [INTERFACE...]
 *
 * What is set is in nic_plan.c, and is said in the journal. A card or a kernel that does not take a setting
 * goes on without it: the exit code is 0 then, too, so that no gateway stands still for its speed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config.h"
#include "diag.h"
#include "file.h"
#include "log.h"
#include "nic_plan.h"

#define CARDS_MAX 32

struct tune {
	int fd; /* for ioctl */
	bool dry;
	struct config *config; /* NULL: none, or none that is good */
};

struct card {
	char name[IFNAMSIZ];
	struct nic_facts facts;
	struct nic_plan plan;
};

/* ---- files ---- */

static bool path_of(char path[static PATH_MAX], const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static bool path_of(char path[static PATH_MAX], const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(path, PATH_MAX, fmt, args);
	va_end(args);
	return len > 0 && len < PATH_MAX;
}

static int write_text(const char *path, const char *text)
{
	const int fd = open(path, O_WRONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = file_write(fd, text, strlen(text));
	close(fd);
	return rc;
}

/* The last part of where a symbolic link leads; "" nowhere, or too long. */
static void link_name(const char *path, char *ret_name, size_t size)
{
	char target[PATH_MAX];
	const ssize_t len = readlink(path, target, sizeof(target) - 1);
	const char *last;

	*ret_name = '\0';
	if (len < 0)
		return;
	target[len] = '\0';
	last = strrchr(target, '/');
	last = last ? last + 1 : target;
	if (strlen(last) < size)
		strcpy(ret_name, last);
}

static unsigned int count_queues(const char *name, const char *prefix)
{
	char path[PATH_MAX];
	const struct dirent *entry;
	unsigned int n = 0;
	DIR *dir;

	if (!path_of(path, "/sys/class/net/%s/queues", name))
		return 0;
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		n += !strncmp(entry->d_name, prefix, strlen(prefix));
	if (dir)
		closedir(dir);
	return n;
}

/* ---- what a card is ---- */

/* Names are never longer, see main() and find_cards(). */
static void name_copy(char to[static IFNAMSIZ], const char *name)
{
	memset(to, 0, IFNAMSIZ);
	memcpy(to, name, strnlen(name, IFNAMSIZ - 1));
}

static int ask(const struct tune *tune, const char *name, void *command)
{
	struct ifreq request = { .ifr_data = command };

	name_copy(request.ifr_name, name);
	return ioctl(tune->fd, SIOCETHTOOL, &request) ? -errno : 0;
}

static bool is_wan(const struct config *config, const char *name)
{
	for (size_t i = 0; config && i < config->node.n_wans; i++)
		if (!strcmp(config->node.wans[i], name))
			return true;
	return false;
}

/* A card that stands behind another one (Azure's accelerated networking) has the programs of that. */
static bool wants_xdp(const struct config *config, const char *name)
{
	char path[PATH_MAX], master[IFNAMSIZ] = "";

	if (!config || config->node.dataplane == CONFIG_DATAPLANE_OFF ||
	    config->node.dataplane == CONFIG_DATAPLANE_TC ||
	    config->node.dataplane == CONFIG_DATAPLANE_GENERIC)
		return false;
	if (path_of(path, "/sys/class/net/%s/master", name))
		link_name(path, master, sizeof(master));
	return is_wan(config, name) || (*master && is_wan(config, master));
}

static void look(const struct tune *tune, struct card *card)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	struct nic_facts *facts = &card->facts;
	struct ifreq request = { .ifr_mtu = 0 };
	char path[PATH_MAX];

	if (path_of(path, "/sys/class/net/%s/device/driver", card->name))
		link_name(path, facts->driver, sizeof(facts->driver));
	facts->xdp = wants_xdp(tune->config, card->name);
	if (!ask(tune, card->name, &channels)) {
		facts->combined =
			(struct nic_range){ channels.combined_count, channels.max_combined };
		facts->rx = (struct nic_range){ channels.rx_count, channels.max_rx };
		facts->tx = (struct nic_range){ channels.tx_count, channels.max_tx };
	}
	if (!ask(tune, card->name, &ring))
		facts->rx_ring = (struct nic_range){ ring.rx_pending, ring.rx_max_pending };
	facts->lro = !ask(tune, card->name, &flags) && flags.data & ETH_FLAG_LRO;
	name_copy(request.ifr_name, card->name);
	if (!ioctl(tune->fd, SIOCGIFMTU, &request))
		facts->mtu = (uint32_t)request.ifr_mtu;
}

/* ---- what is done ---- */

static void result(const struct card *card, const char *what, int rc)
{
	if (rc)
		log_info("%s: %s: %s; stays as it is", card->name, what, strerror(-rc));
}

static int set_channels(const struct tune *tune, const struct card *card)
{
	const struct nic_plan *plan = &card->plan;
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };
	int rc = ask(tune, card->name, &channels);

	if (rc)
		return rc;
	channels.cmd = ETHTOOL_SCHANNELS;
	if (plan->combined)
		channels.combined_count = plan->combined;
	if (plan->rx)
		channels.rx_count = plan->rx;
	if (plan->tx)
		channels.tx_count = plan->tx;
	return ask(tune, card->name, &channels);
}

static int set_ring(const struct tune *tune, const struct card *card)
{
	struct ethtool_ringparam ring = { .cmd = ETHTOOL_GRINGPARAM };
	int rc = ask(tune, card->name, &ring);

	if (rc)
		return rc;
	ring.cmd = ETHTOOL_SRINGPARAM;
	ring.rx_pending = card->plan.rx_ring;
	return ask(tune, card->name, &ring);
}

static int clear_lro(const struct tune *tune, const struct card *card)
{
	struct ethtool_value flags = { .cmd = ETHTOOL_GFLAGS };
	int rc = ask(tune, card->name, &flags);

	if (rc)
		return rc;
	flags.cmd = ETHTOOL_SFLAGS;
	flags.data &= ~(uint32_t)ETH_FLAG_LRO;
	return ask(tune, card->name, &flags);
}

static int set_mtu(const struct tune *tune, const struct card *card)
{
	struct ifreq request = { .ifr_mtu = (int)card->plan.mtu };

	name_copy(request.ifr_name, card->name);
	return ioctl(tune->fd, SIOCSIFMTU, &request) ? -errno : 0;
}

/* As the kernel reads masks: 32 bits a group, the highest first; not one more than it has CPUs for. */
static void mask_format(uint64_t mask, char text[static 24])
{
	const unsigned int high = (unsigned int)(mask >> 32), low = (unsigned int)mask;

	if (high)
		snprintf(text, 24, "%x,%08x", high, low);
	else
		snprintf(text, 24, "%x", low);
}

/* ret_n is how many queues took it. */
static void
set_masks(const struct card *card, const char *prefix, const char *file, unsigned int n_queues,
	  uint64_t (*mask)(const struct nic_facts *facts, unsigned int queue, unsigned int n),
	  unsigned int *ret_n)
{
	*ret_n = 0;
	for (unsigned int i = 0; i < n_queues; i++) {
		const uint64_t bits = mask(&card->facts, i, n_queues);
		char path[PATH_MAX], text[24];

		mask_format(bits, text);
		if (path_of(path, "/sys/class/net/%s/queues/%s%u/%s", card->name, prefix, i,
			    file) &&
		    !write_text(path, text) && bits)
			++*ret_n;
	}
}

/* The interrupts of the card, or of the device that it sits on (virtio). */
static DIR *open_irqs(const char *name)
{
	char path[PATH_MAX];
	DIR *dir = NULL;

	if (path_of(path, "/sys/class/net/%s/device/msi_irqs", name))
		dir = opendir(path);
	if (!dir && path_of(path, "/sys/class/net/%s/device/../msi_irqs", name))
		dir = opendir(path);
	return dir;
}

/* The name that the driver gave to an interrupt: the last word of its line. */
static bool irq_name(const char *number, char *ret_name, size_t size)
{
	FILE *file = fopen("/proc/interrupts", "re");
	char *line = NULL;
	size_t capacity = 0;
	bool found = false;

	while (!found && file && getline(&line, &capacity, file) > 0) {
		char *at = line + strspn(line, " "), *last;

		if (strncmp(at, number, strlen(number)) || at[strlen(number)] != ':')
			continue;
		at[strcspn(at, "\n")] = '\0';
		last = strrchr(at, ' ');
		snprintf(ret_name, size, "%s", last ? last + 1 : at);
		found = true;
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* Refused (-EIO) where the kernel places them itself. */
static unsigned int place_irqs(const struct card *card)
{
	const struct dirent *entry;
	DIR *dir = open_irqs(card->name);
	unsigned int n = 0;

	while (dir && (entry = readdir(dir))) {
		char name[128], path[PATH_MAX], cpu[12];
		unsigned int queue;

		if (*entry->d_name == '.' || !irq_name(entry->d_name, name, sizeof(name)) ||
		    !nic_plan_irq_queue(name, &queue))
			continue;
		snprintf(cpu, sizeof(cpu), "%u", nic_plan_irq_cpu(&card->facts, queue));
		if (path_of(path, "/proc/irq/%s/smp_affinity_list", entry->d_name) &&
		    !write_text(path, cpu))
			n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

static void spread(const struct card *card)
{
	const unsigned int n_rx = count_queues(card->name, "rx-");
	const unsigned int n_tx = count_queues(card->name, "tx-");
	unsigned int n_rps, n_xps, n_irqs;

	n_irqs = place_irqs(card);
	set_masks(card, "rx-", "rps_cpus", n_rx, nic_plan_rps, &n_rps);
	set_masks(card, "tx-", "xps_cpus", n_tx, nic_plan_xps, &n_xps);
	log_info(
		"%s: %u RX and %u TX queues for %u CPUs; placed: %u interrupts, RPS of %u, XPS of %u "
		"queues",
		card->name, n_rx, n_tx, card->facts.cpus, n_irqs, n_rps, n_xps);
}

static void set(const struct tune *tune, const struct card *card)
{
	const struct nic_plan *plan = &card->plan;

	if (plan->lro_off)
		result(card, "LRO", clear_lro(tune, card));
	if (plan->mtu)
		result(card, "MTU", set_mtu(tune, card));
	if (plan->combined || plan->rx || plan->tx)
		result(card, "channels", set_channels(tune, card));
	if (plan->rx_ring)
		result(card, "RX ring", set_ring(tune, card));
	spread(card);
}

/* ---- which cards ---- */

static int compare_cards(const void *a, const void *b)
{
	const struct card *x = a, *y = b;

	return strverscmp(x->name, y->name);
}

/* Those that are a device, and not made by software. */
static size_t find_cards(struct card *cards)
{
	const struct dirent *entry;
	DIR *dir = opendir("/sys/class/net");
	size_t n = 0;

	while (dir && n < CARDS_MAX && (entry = readdir(dir))) {
		char path[PATH_MAX];

		if (*entry->d_name == '.' || strlen(entry->d_name) >= IFNAMSIZ ||
		    !path_of(path, "/sys/class/net/%s/device", entry->d_name) || access(path, F_OK))
			continue;
		name_copy(cards[n++].name, entry->d_name);
	}
	if (dir)
		closedir(dir);
	qsort(cards, n, sizeof(cards[0]), compare_cards);
	return n;
}

/* Errors in it are netpasd's to tell. */
static struct config *load(const char *dir)
{
	struct diag_list *diags = diag_list_new();
	struct config *config = NULL;

	if (diags && config_load(dir, diags, &config))
		config = NULL;
	diag_list_free(diags);
	return config;
}

static int run(struct tune *tune, struct card *cards, size_t n)
{
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < n; i++) {
		struct card *card = &cards[i];

		card->facts.cpus = cpus < 1		 ? 1
				   : cpus > NIC_CPUS_MAX ? NIC_CPUS_MAX
							 : (unsigned int)cpus;
		card->facts.memory_mb =
			pages > 0 ? (uint32_t)((uint64_t)pages * (uint64_t)page >> 20) : 0;
		card->facts.number = (unsigned int)i;
		if (!if_nametoindex(card->name)) {
			log_error("%s: there is no such interface", card->name);
			return 1;
		}
		look(tune, card);
		nic_plan_make(&card->facts, &card->plan);
		log_info("%s: %s%s: %s", card->name,
			 *card->facts.driver ? card->facts.driver : "no driver known",
			 card->facts.xdp ? ", for XDP" : "",
			 *card->plan.why ? card->plan.why : "good as it is");
		if (!tune->dry)
			set(tune, card);
	}
	return 0;
}

static void usage(FILE *out)
{
	fputs("usage: netpas-tune [-n] [-c DIR] [INTERFACE...]\n"
	      "  -c DIR  configuration, which says where XDP is wanted (/etc/netpas)\n"
	      "  -n      say what would be set, and set nothing\n"
	      "Without INTERFACE: all network cards.\n",
	      out);
}

int main(int argc, char **argv)
{
	struct card cards[CARDS_MAX] = { 0 };
	struct tune tune = { .fd = -1 };
	const char *dir = "/etc/netpas";
	size_t n = 0;
	int option, code;

	while ((option = getopt(argc, argv, "c:nh")) != -1) {
		switch (option) {
		case 'c':
			dir = optarg;
			break;
		case 'n':
			tune.dry = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	log_init(false);
	for (; optind < argc; optind++) {
		if (n == CARDS_MAX || strlen(argv[optind]) >= IFNAMSIZ || !*argv[optind] ||
		    strchr(argv[optind], '/')) {
			fprintf(stderr, "netpas-tune: '%s' is no name of an interface\n",
				argv[optind]);
			return 2;
		}
		name_copy(cards[n++].name, argv[optind]);
	}
	if (!n)
		n = find_cards(cards);
	tune.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (tune.fd < 0) {
		log_error("socket: %s", strerror(errno));
		return 1;
	}
	tune.config = load(dir);
	if (!n)
		log_info("no network card here");
	code = run(&tune, cards, n);
	config_free(tune.config);
	close(tune.fd);
	return code;
}
