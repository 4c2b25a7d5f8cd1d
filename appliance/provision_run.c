/* SPDX-License-Identifier: GPL-2.0-only */
#include "provision_run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"
#include "provision_cloud.h"
#include "provision_netconfig.h"
#include "provision_network.h"
#include "provision_plan.h"
#include "provision_store.h"
#include "provision_system.h"
#include "provision_volume.h"

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	va_list args;

	fputs("netpas-provision: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
}

static const char *join(char path[static PATH_MAX], const char *dir, const char *name)
{
	snprintf(path, PATH_MAX, "%s/%s", dir, name);
	return path;
}

static bool exists(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return !access(join(path, dir, name), F_OK);
}

/* ---- applying ---- */

/* What is on the machine; the key, if there is one, is in *key. */
static int read_machine(const struct provision_options *options, struct provision_nic *nics,
			struct key *key, struct provision_machine *ret_machine)
{
	struct provision_machine machine = { .nics = nics };
	char path[PATH_MAX];
	int ret;

	ret = provision_nics_read(options->sys, nics, &machine.n_nics);
	if (ret) {
		say("cannot list network interfaces: %s", strerror(-ret));
		return ret;
	}
	ret = key_file_read(join(path, options->data, "netpas/private.key"), key);
	if (ret && ret != -ENOENT) {
		say("%s: %s; it is the node's key: put it right, or remove it for a new one", path,
		    ret == -EINVAL ? "it does not hold a key" : strerror(-ret));
		return ret;
	}
	if (!ret)
		machine.private_key = key;
	machine.configured = exists(options->data, "netpas/node.yaml");
	machine.has_web_token = exists(options->data, "netpas/web.token");
	*ret_machine = machine;
	return 0;
}

/* The document in the user data: 0 with NULL if there is none; -EINVAL after messages. */
static int read_document(const struct provision_seed *seed, struct provision_part *part,
			 struct diag_list *diags, struct provision_document **ret_document)
{
	char reason[PROVISION_REASON_LEN];
	int ret;

	*ret_document = NULL;
	if (!seed->user_data)
		return 0;
	ret = provision_text_unwrap(seed->user_data, seed->user_data_len, part, reason);
	if (ret == -ENODATA)
		return 0;
	if (ret == -EINVAL)
		say("user data of %s: %s", seed->source, reason);
	if (!ret)
		ret = provision_document_parse(part, diags, ret_document);
	if (!ret && *(*ret_document)->ignored)
		say("user data of %s: a cloud-config, of which these words are ignored: %s",
		    seed->source, (*ret_document)->ignored);
	return ret;
}

/* May it be written over what is there? False after messages. */
static bool may_apply(const struct provision_options *options,
		      const struct provision_record *record, const struct provision_plan *plan)
{
	char edited[512];

	if (!provision_record_edited(options->data, record, &plan->change, edited, sizeof(edited)))
		return true;
	if (*plan->change.instance && strcmp(plan->change.instance, record->instance)) {
		say("another instance: these files were edited, and are kept in "
		    "%s/provision/replaced: %s",
		    options->data, edited);
		return true;
	}
	say("not applied, as these files were edited since: %s; a seed with a new instance-id "
	    "replaces them",
	    edited);
	return false;
}

static void report(const struct provision_options *options, const struct provision_plan *plan)
{
	char key[KEY_STRLEN];

	say("%s: %zu files written to %s%s%s", plan->change.source, plan->change.n_files,
	    options->data, *plan->node ? ", for node " : "", plan->node);
	if (plan->key_made)
		say("private key made; public key: %s", key_format(&plan->public_key, key));
	if (plan->key_replaced)
		say("private key of the user data in place of the one made here, which no "
		    "configuration had; public key: %s",
		    key_format(&plan->public_key, key));
	if (plan->key_unknown)
		say("the mesh has another public key of node '%s': put %s into mesh.yaml of all nodes",
		    plan->node, key_format(&plan->public_key, key));
}

/* With a document that is bad: who may log in to see why. */
static int apply_login(const struct provision_options *options, const struct provision_seed *seed,
		       const struct provision_record *record,
		       const struct provision_machine *machine, struct provision_plan *plan)
{
	struct diag_list *diags = diag_list_new();
	int ret = -ENOMEM;

	if (!diags)
		return ret;
	ret = provision_plan_make(NULL, seed, machine, diags, plan);
	diag_list_free(diags);
	if (ret)
		return ret;
	/* Not known as applied: it is looked at again at the next boot. */
	strcpy(plan->change.digest, record->digest);
	strcpy(plan->change.instance, record->instance);
	if (plan->change.n_files && may_apply(options, record, plan))
		ret = provision_store_commit(options->data, record, &plan->change);
	provision_plan_fini(plan);
	return ret;
}

static int apply(const struct provision_options *options, struct provision_seed *seed,
		 const struct provision_record *record, const char *digest,
		 const struct provision_machine *machine, bool *ret_changed)
{
	struct diag_list *diags = diag_list_new();
	struct provision_document *document = NULL;
	struct provision_part part = { 0 };
	struct provision_plan plan = { 0 };
	char path[PATH_MAX];
	int ret = -ENOMEM;

	if (!diags)
		return ret;
	ret = read_document(seed, &part, diags, &document);
	if (!ret && seed->network_config)
		ret = provision_netconfig_parse(seed->network_config, seed->network_config_len,
						machine->nics, machine->n_nics, diags, seed);
	/* After errors it is still to be seen what else is wrong. */
	if (!ret || (ret == -EINVAL && document))
		ret = provision_plan_make(document, seed, machine, diags, &plan);
	if (ret == -EINVAL) {
		diag_print(diags, stderr);
		say("%s: the user data%s is bad, and nothing of it is applied", seed->source,
		    seed->network_config ? " or network-config" : "");
		if (!seed->by_hand)
			provision_system_mark(options->run, "refused"); /* for the consoles */
		if (!record->exists && apply_login(options, seed, record, machine, &plan))
			say("SSH keys of %s could not be written", seed->source);
	} else if (!ret) {
		strcpy(plan.change.digest, seed->by_hand ? record->digest : digest);
		if (seed->by_hand)
			strcpy(plan.change.instance, record->instance);
		if (!seed->by_hand && !may_apply(options, record, &plan)) {
			ret = -EINVAL;
		} else {
			ret = provision_store_commit(options->data, record, &plan.change);
			*ret_changed = !ret;
			if (!ret) /* there is none after most */
				(void)unlink(join(path, options->run, "refused"));
		}
		if (!ret)
			report(options, &plan);
		provision_plan_fini(&plan);
	}
	provision_document_free(document);
	diag_list_free(diags);
	provision_part_fini(&part);
	return ret;
}

/* The consoles and the services of the boot may come together. A descriptor to close, or -errno. */
static int take_lock(const struct provision_options *options)
{
	char path[PATH_MAX];
	int fd, ret = 0;

	(void)mkdir(join(path, options->data, "provision"), 0700); /* open() fails without it */
	fd = open(join(path, options->data, "provision/lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX))
		ret = -errno;
	if (!ret)
		return fd;
	say("%s: %s", path, strerror(-ret));
	if (fd >= 0)
		close(fd);
	return ret;
}

/* Of what counts as given: the user data, and a network-config with it. */
static void seed_digest(const struct provision_seed *seed,
			char ret_digest[static PROVISION_DIGEST_STRLEN])
{
	char both[2 * PROVISION_DIGEST_STRLEN] = "";

	provision_digest(seed->user_data ? seed->user_data : "", seed->user_data_len, ret_digest);
	if (!seed->network_config)
		return;
	memcpy(both, ret_digest, PROVISION_DIGEST_STRLEN - 1);
	provision_digest(seed->network_config, seed->network_config_len,
			 both + PROVISION_DIGEST_STRLEN - 1);
	provision_digest(both, strlen(both), ret_digest);
}

int provision_run_apply(const struct provision_options *options, struct provision_seed *seed,
			bool *ret_changed)
{
	struct provision_nic nics[PROVISION_NICS_MAX];
	struct provision_machine machine;
	struct provision_record record;
	char digest[PROVISION_DIGEST_STRLEN];
	struct key key = { 0 };
	int ret, lock;

	*ret_changed = false;
	lock = take_lock(options);
	if (lock < 0)
		return lock;
	ret = provision_record_read(options->data, &record);
	if (ret) {
		say("%s/provision/record.json: %s", options->data, strerror(-ret));
		close(lock);
		return ret;
	}
	seed_digest(seed, digest);
	if (!seed->by_hand && record.exists && !strcmp(record.digest, digest) &&
	    !strcmp(record.instance, seed->instance))
		goto out;
	if (seed->bad_keys)
		say("%s: %zu lines that are no SSH public keys are left out", seed->source,
		    seed->bad_keys);
	ret = read_machine(options, nics, &key, &machine);
	if (!ret)
		ret = apply(options, seed, &record, digest, &machine, ret_changed);
	if (ret && ret != -EINVAL)
		say("%s: %s", seed->source, strerror(-ret));
	key_wipe(&key);
out:
	provision_record_fini(&record);
	close(lock);
	return ret;
}

/* ---- every boot ---- */

/* 0 and a seed, -ENODATA, or -errno after messages. */
static int find_local(const struct provision_options *options, struct provision_seed *seed)
{
	char reason[PROVISION_REASON_LEN] = "";
	int ret;

	if (options->seed) {
		snprintf(seed->source, sizeof(seed->source), "NoCloud directory");
		ret = provision_seed_read_nocloud(options->seed, seed, reason);
	} else {
		ret = provision_volume_read(&provision_nocloud, options->sys, options->dev, seed,
					    reason);
		if (ret == -ENODATA)
			ret = provision_volume_read(&provision_config_drive, options->sys,
						    options->dev, seed, reason);
	}
	if (ret && ret != -ENODATA)
		say("%s: %s", *seed->source ? seed->source : "volumes",
		    *reason ? reason : strerror(-ret));
	return ret;
}

/*
 * A node without a key makes one, so that it can be put into the mesh before there is a configuration. Not
 * before its user data has been read and was good: it may have the key, now or when it is corrected.
 */
static int make_key(const struct provision_options *options)
{
	char path[PATH_MAX], text[KEY_STRLEN];
	struct key key, public_key;
	int ret;

	if (!access(join(path, options->data, "netpas/private.key"), F_OK))
		return 0;
	key_generate(&key);
	ret = file_make_directory(join(path, options->data, "netpas"), 0700);
	if (!ret)
		ret = key_file_create(join(path, options->data, "netpas/private.key"), &key);
	key_public(&key, &public_key);
	key_wipe(&key);
	if (ret)
		say("the node's key: %s", strerror(-ret));
	else
		say("private key made; public key: %s", key_format(&public_key, text));
	return ret;
}

static bool has_network(const struct provision_options *options)
{
	return exists(options->data, "network/20-lan.network") ||
	       exists(options->data, "network/30-wan1.network");
}

int provision_run_local(const struct provision_options *options)
{
	struct provision_seed seed = { 0 };
	bool changed = false;
	int ret, error = 0;

	ret = provision_store_recover(options->data);
	if (ret)
		say("what a power cut interrupted cannot be finished: %s", strerror(-ret));
	error |= ret;
	ret = provision_system_host_keys(options->data);
	if (ret)
		say("SSH host keys: %s", strerror(-ret));
	error |= ret;
	if (!options->files_only && !exists(options->data, "provision/record.json"))
		provision_system_settle();
	ret = find_local(options, &seed);
	if (!ret)
		ret = provision_run_apply(options, &seed, &changed);
	if (ret && ret != -ENODATA)
		error |= ret;
	if (ret != -ENODATA)
		provision_system_mark(options->run, "local");
	if (!ret || (ret == -ENODATA && !provision_cloud_here(options)))
		error |= make_key(options);
	provision_seed_fini(&seed);
	if (!options->files_only) {
		provision_system_names(options->data, options->sys);
		provision_system_hostname(options->data);
		if (!has_network(options))
			error |= provision_system_first_network(options->sys);
	}
	return error ? 1 : 0;
}

int provision_run_network(const struct provision_options *options)
{
	struct provision_seed seed = { 0 };
	bool changed = false;
	int ret;

	if (exists(options->run, "local"))
		return 0; /* a volume counts, and has been seen to */
	ret = provision_cloud_read(options, &seed);
	if (ret == -ENODATA) {
		provision_seed_fini(&seed);
		return 0;
	}
	if (!ret)
		ret = provision_run_apply(options, &seed, &changed);
	provision_cloud_ready(options);
	if (!ret)
		ret = make_key(options);
	provision_seed_fini(&seed);
	if (changed)
		provision_run_activate(options);
	return ret ? 1 : 0;
}

void provision_run_activate(const struct provision_options *options)
{
	if (options->files_only)
		return;
	provision_system_hostname(options->data);
	provision_system_activate(has_network(options), exists(options->data, "netpas/node.yaml"));
}

/* ---- telling ---- */

int provision_run_nics(const struct provision_options *options)
{
	struct provision_nic nics[PROVISION_NICS_MAX];
	char text[PROVISION_NIC_STRLEN];
	size_t n;
	int ret;

	ret = provision_nics_read(options->sys, nics, &n);
	if (ret) {
		say("cannot list network interfaces: %s", strerror(-ret));
		return 1;
	}
	for (size_t i = 0; i < n; i++)
		puts(provision_nic_format(&nics[i], i + 1, text));
	if (!n)
		puts("there is no network interface");
	return 0;
}

int provision_run_show(const struct provision_options *options)
{
	struct provision_record record;
	char path[PATH_MAX], text[KEY_STRLEN], edited[512];
	struct key key, public_key;
	int ret;

	ret = provision_record_read(options->data, &record);
	if (ret) {
		say("%s/provision/record.json: %s", options->data, strerror(-ret));
		return 1;
	}
	if (!key_file_read(join(path, options->data, "netpas/private.key"), &key)) {
		key_public(&key, &public_key);
		key_wipe(&key);
		printf("public key: %s\n", key_format(&public_key, text));
	} else {
		printf("public key: none yet\n");
	}
	fflush(stdout);
	provision_system_fingerprints(options->data);
	if (record.exists)
		printf("from: %s%s%s\n", record.source, *record.instance ? ", instance " : "",
		       record.instance);
	else
		printf("from: nothing yet\n");
	printf("configured: %s\n", exists(options->data, "netpas/node.yaml") ? "yes" : "no");
	if (provision_record_changed(options->data, &record, edited, sizeof(edited)))
		printf("edited since: %s\n", edited);
	provision_record_fini(&record);
	return 0;
}
