/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long it takes to put a policy of N subnets in force: nft_replace() against `nft -f` of the
 * same table, in turns, in a network namespace of its own. Both replace the table that is there,
 * and both times are from the policy as the one has it (structs) or the other (a file).
 *
 * usage: policy_apply N TRIALS (as root); prints {"n":N,"netpas_s":[...],"nft_s":[...]}
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nft.h"

#define N_SITES 3
#define N_MAX 2000000
#define TRIALS_MAX 1000

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Half of the subnets are IPv4, half IPv6; neighbours belong to different sites. */
static struct ruleset *make_ruleset(size_t n)
{
	struct ruleset *ruleset = ruleset_new();

	if (!ruleset)
		return NULL;
	ruleset->intact = true;
	ruleset->params = (struct ruleset_params){ .lan = "lan0",
						   .mark_mask = 0x0fff0000,
						   .own_mark = 1 << 16,
						   .port_first = 16385,
						   .port_last = 20479,
						   .hello_port = 16384 };
	if (ip_addr_parse("10.255.255.2", &ruleset->params.lan4) ||
	    ip_addr_parse("10.255.255.3", &ruleset->params.pair4))
		goto err;
	for (size_t i = 0; i < n; i++) {
		const bool v4 = i % 2 == 0;
		const uint32_t number = (uint32_t)(i / 2);
		struct ruleset_elem *elem =
			ruleset_add(ruleset, v4 ? RULESET_SITES4 : RULESET_SITES6);
		const uint32_t first4 = htobe32((10u << 24) + number * 16);
		const uint32_t first6 = htobe32(number);

		if (!elem)
			goto err;
		elem->prefix.addr.family = v4 ? IP_V4 : IP_V6;
		elem->prefix.len = v4 ? 28 : 48;
		elem->prefix.addr.bytes[0] = 0xfd;
		memcpy(elem->prefix.addr.bytes + (v4 ? 0 : 2), v4 ? &first4 : &first6, 4);
		elem->mark = (uint32_t)(1 + i / 2 % N_SITES) << 16;
	}
	ruleset_sort(ruleset);
	return ruleset;
err:
	ruleset_free(ruleset);
	return NULL;
}

/* Run nft; its output goes to fd. 0 or -errno. */
static int run_nft(char *const argv[], int fd)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		if (dup2(fd, STDOUT_FILENO) >= 0)
			execvp(argv[0], argv);
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

static int dump_table(int fd)
{
	static const char delete[] = "delete table inet " RULESET_TABLE "\n";
	char nft[] = "nft", list[] = "list", table[] = "table", inet[] = "inet",
	     name[] = RULESET_TABLE;
	char *const argv[] = { nft, list, table, inet, name, NULL };

	if (write(fd, delete, sizeof(delete) - 1) != sizeof(delete) - 1)
		return -EIO;
	return run_nft(argv, fd);
}

static int time_netpas(struct nft *nft, const struct ruleset *ruleset, double *ret_s)
{
	const double start = now();
	const int rc = nft_replace(nft, ruleset);

	*ret_s = now() - start;
	if (rc)
		fprintf(stderr, "policy_apply: %s\n", nft_error(nft));
	return rc;
}

static int time_nft(char *path, double *ret_s)
{
	char nft[] = "nft", file[] = "-f";
	char *const argv[] = { nft, file, path, NULL };
	const double start = now();
	const int rc = run_nft(argv, STDERR_FILENO);

	*ret_s = now() - start;
	return rc;
}

/* Both must have made the same table. */
static int check(struct nft *nft, const struct ruleset *ruleset)
{
	struct ruleset *back;
	int rc = nft_read(nft, ruleset, &back);

	if (rc)
		return rc;
	for (enum ruleset_set i = 0; i < RULESET_SET_MAX; i++) {
		if (!back || back->sets[i].n != ruleset->sets[i].n)
			rc = -EIO;
	}
	ruleset_free(back);
	if (rc)
		fprintf(stderr, "policy_apply: the table has not all subnets\n");
	return rc;
}

static void print_times(const char *name, const double *times, size_t n)
{
	printf(",\"%s\":[", name);
	for (size_t i = 0; i < n; i++)
		printf("%s%.6f", i ? "," : "", times[i]);
	printf("]");
}

static int run(size_t n, size_t trials)
{
	char path[] = "/tmp/policy_apply.XXXXXX";
	double *times = calloc(2 * trials, sizeof(*times));
	struct ruleset *ruleset = make_ruleset(n);
	int fd = mkstemp(path);
	struct nft *nft = NULL;
	int rc = times && ruleset ? 0 : -ENOMEM;

	if (!rc && fd < 0)
		rc = -errno;
	if (!rc && unshare(CLONE_NEWNET) < 0)
		rc = -errno;
	if (!rc)
		rc = nft_open(&nft);
	if (!rc)
		rc = time_netpas(nft, ruleset, &times[0]);
	if (!rc)
		rc = dump_table(fd);
	for (size_t i = 0; i < trials && !rc; i++) {
		rc = time_netpas(nft, ruleset, &times[i]);
		if (!rc)
			rc = check(nft, ruleset);
		if (!rc)
			rc = time_nft(path, &times[trials + i]);
		if (!rc)
			rc = check(nft, ruleset);
	}
	if (!rc) {
		printf("{\"n\":%zu", n);
		print_times("netpas_s", times, trials);
		print_times("nft_s", times + trials, trials);
		printf("}\n");
	} else {
		fprintf(stderr, "policy_apply: %s\n", strerror(-rc));
	}
	nft_close(nft);
	ruleset_free(ruleset);
	free(times);
	if (fd >= 0) {
		close(fd);
		unlink(path);
	}
	return rc;
}

int main(int argc, char **argv)
{
	unsigned long n = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
	unsigned long trials = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

	if (!n || n > N_MAX || !trials || trials > TRIALS_MAX) {
		fprintf(stderr, "usage: policy_apply N TRIALS\n");
		return 2;
	}
	return run(n, trials) ? 1 : 0;
}
