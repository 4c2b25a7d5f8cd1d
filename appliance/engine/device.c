/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/device.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "engine/runtime.h"
#include "engine/uapi.h"
#include "engine/uapi_server.h"
#include "engine/worker.h"

static unsigned int bucket(const uint8_t key[MESSAGE_KEY_LEN])
{
	return (unsigned int)(key[0] | key[1] << 8) % DEVICE_BUCKETS;
}

int device_new(struct runtime *runtime, const struct tun *tun, int uapi_fd)
{
	struct device *device = calloc(1, sizeof(*device));
	int slot = 0, rc;

	if (!device)
		return -ENOMEM;
	pthread_mutex_init(&device->checker_lock, NULL);
	while (slot < RUNTIME_DEVICES && atomic_load(&runtime->devices[slot]))
		slot++;
	rc = -ENOSPC;
	if (slot == RUNTIME_DEVICES)
		goto err_free;
	device->runtime = runtime;
	device->slot = slot;
	device->tun = *tun;
	snprintf(device->name, sizeof(device->name), "%s", tun->name);
	for (int i = 0; i < runtime->n_workers; i++)
		device->udp[i].fd4 = device->udp[i].fd6 = -1;
	atomic_store(&device->allowed_ips, allowed_ips_new());
	atomic_store(&device->indices, index_table_new(DEVICE_FIRST_INDICES));
	rc = -ENOMEM;
	if (!atomic_load(&device->allowed_ips) || !atomic_load(&device->indices))
		goto err_tables;
	atomic_store(&device->mtu, tun_get_mtu(&device->tun));
	rc = uapi_server_new(device, uapi_fd, &device->uapi);
	if (rc)
		goto err_tables;
	atomic_store(&runtime->devices[slot], device);
	runtime->n_devices++;
	return 0;

err_tables:
	allowed_ips_free(atomic_load(&device->allowed_ips));
	free(atomic_load(&device->indices));
err_free:
	pthread_mutex_destroy(&device->checker_lock);
	free(device);
	return rc;
}

struct peer *device_find_peer(const struct device *device, const uint8_t key[MESSAGE_KEY_LEN])
{
	struct peer *peer = device->buckets[bucket(key)];

	while (peer && memcmp(peer->handshake.remote_static, key, MESSAGE_KEY_LEN))
		peer = peer->next_hash;
	return peer;
}

uint32_t device_take_index(struct device *device, struct peer *peer)
{
	struct index_table *table = atomic_load(&device->indices), *larger;

	if (table->used > table->mask / 2) {
		larger = index_table_grow(table);
		if (!larger)
			return 0;
		atomic_store(&device->indices, larger);
		retire_synchronize(&device->runtime->retire);
		free(table);
		table = larger;
	}
	return index_take(table, peer);
}

void device_release_index(struct device *device, uint32_t index)
{
	index_release(atomic_load(&device->indices), index);
}

void device_send(struct device *device, struct endpoint *to, uint8_t ecn, const void *data,
		 size_t len)
{
	if (atomic_load(&device->open))
		(void)udp_send(&device->udp[0], to, ecn, data, len, len, NULL);
}

/* Out of every table; freed once no worker and no list knows it. */
static void peers_free(struct device *device, struct peer *list)
{
	struct runtime *runtime = device->runtime;
	struct peer *next;

	for (struct peer *peer = list; peer; peer = peer->next) {
		peer->dead = true;
		peer_zero_keys(peer);
		runtime_heap_update(runtime, peer, UINT64_MAX);
	}
	retire_collect(&runtime->retire);
	retire_synchronize(&runtime->retire);
	runtime_drain_events(runtime, runtime_now());
	for (; list; list = next) {
		next = list->next;
		peer_free(list);
	}
}

static struct peer *peer_detach(struct device *device, struct peer *peer)
{
	struct peer **at = &device->peers;

	while (*at != peer)
		at = &(*at)->next;
	*at = peer->next;
	at = &device->buckets[bucket(peer->handshake.remote_static)];
	while (*at != peer)
		at = &(*at)->next_hash;
	*at = peer->next_hash;
	peer->next = NULL;
	device->n_peers--;
	return peer;
}

static struct peer *peer_attach(struct device *device, const uint8_t key[MESSAGE_KEY_LEN])
{
	struct peer *peer = peer_new(device, key), **end = &device->peers;

	if (!peer)
		return NULL;
	while (*end)
		end = &(*end)->next;
	*end = peer;
	peer->next_hash = device->buckets[bucket(key)];
	device->buckets[bucket(key)] = peer;
	device->n_peers++;
	return peer;
}

static void sockets_close(struct device *device)
{
	struct runtime *runtime = device->runtime;

	if (!atomic_load(&device->open))
		return;
	atomic_store(&device->open, false);
	for (int i = 0; i < runtime->n_workers; i++)
		worker_unwatch(runtime->workers[i], device);
	retire_synchronize(&runtime->retire);
	udp_close(device->udp, runtime->n_workers);
}

static int sockets_open(struct device *device)
{
	struct runtime *runtime = device->runtime;
	int rc = udp_open(&device->port, device->fwmark, device->udp, runtime->n_workers);

	if (rc)
		return rc;
	atomic_store(&device->open, true);
	for (int i = 0; i < runtime->n_workers; i++) {
		rc = worker_watch(runtime->workers[i], device);
		if (rc) {
			sockets_close(device);
			return rc;
		}
	}
	return 0;
}

int device_set_up(struct device *device, bool up)
{
	uint64_t now_ns = runtime_now();
	int rc;

	if (device->up == up)
		return 0;
	if (!up) {
		device->up = false;
		sockets_close(device);
		for (struct peer *peer = device->peers; peer; peer = peer->next) {
			peer_zero_keys(peer);
			peer_drop_staged(peer);
			timers_stop(&peer->timers);
			runtime_heap_update(device->runtime, peer, UINT64_MAX);
		}
		return 0;
	}
	rc = sockets_open(device);
	if (rc)
		return rc;
	device->up = true;
	for (struct peer *peer = device->peers; peer; peer = peer->next)
		if (peer->timers.persistent_s) {
			peer_send_keepalive(peer, now_ns);
			peer_schedule(peer, now_ns);
		}
	return 0;
}

/* A table with changes in the place of the one that workers read. */
static void allowed_ips_publish(struct device *device, struct allowed_ips *ips)
{
	struct allowed_ips *old = atomic_exchange(&device->allowed_ips, ips);

	retire_synchronize(&device->runtime->retire);
	allowed_ips_free(old);
}

static void remove_peers(struct device *device, struct allowed_ips *ips, struct peer **doomed,
			 struct peer *peer)
{
	allowed_ips_remove_peer(ips, peer);
	peer_detach(device, peer);
	peer->next = *doomed;
	*doomed = peer;
}

static void set_private_key(struct device *device, const uint8_t key[MESSAGE_KEY_LEN],
			    struct allowed_ips *ips, struct peer **doomed)
{
	struct noise_identity identity;
	struct peer *self;

	noise_identity_set(&identity, key);
	if (identity.set == device->identity.set &&
	    !sodium_memcmp(identity.private_key, device->identity.private_key, MESSAGE_KEY_LEN))
		return;
	device->identity = identity;
	sodium_memzero(&identity, sizeof(identity));
	pthread_mutex_lock(&device->checker_lock);
	cookie_checker_init(&device->checker, device->identity.public_key);
	pthread_mutex_unlock(&device->checker_lock);
	self = device->identity.set ? device_find_peer(device, device->identity.public_key) : NULL;
	if (self)
		remove_peers(device, ips, doomed, self);
	for (struct peer *peer = device->peers; peer; peer = peer->next) {
		peer_expire_keys(peer);
		noise_handshake_init(&peer->handshake, &device->identity,
				     peer->handshake.remote_static);
	}
}

static int set_port(struct device *device, uint16_t port)
{
	uint16_t before = device->port;
	int rc;

	if (port && port == device->port && device->up == device->link_up)
		return 0;
	if (!device->up) {
		/* Told now: when the link comes up there is nobody to tell. */
		rc = udp_probe(port);
		if (rc)
			return rc;
		device->port = port;
		return device_set_up(device, device->link_up);
	}
	sockets_close(device);
	device->port = port;
	rc = sockets_open(device);
	if (rc) {
		device->port = before;
		/* A port that was ours a moment ago; without it the interface is deaf. */
		(void)sockets_open(device);
	}
	return rc;
}

static int set_fwmark(struct device *device, uint32_t fwmark)
{
	device->fwmark = fwmark;
	return atomic_load(&device->open)
		       ? udp_set_fwmark(device->udp, device->runtime->n_workers, fwmark)
		       : 0;
}

static void set_endpoint(struct peer *peer, const struct uapi_peer *wanted)
{
	struct endpoint endpoint;

	memset(&endpoint, 0, sizeof(endpoint));
	if (wanted->endpoint.sa.sa_family == AF_INET)
		endpoint.in = wanted->endpoint.in;
	else
		endpoint.in6 = wanted->endpoint.in6;
	peer_set_endpoint(peer, &endpoint);
}

static int apply_peer(struct device *device, const struct uapi_set *set,
		      const struct uapi_peer *wanted, struct allowed_ips *ips, struct peer **doomed)
{
	struct peer *peer = device_find_peer(device, wanted->public_key);
	int rc;

	if (wanted->remove) {
		if (peer)
			remove_peers(device, ips, doomed, peer);
		return 0;
	}
	/* Oneself is no peer. */
	if (device->identity.set &&
	    !memcmp(wanted->public_key, device->identity.public_key, MESSAGE_KEY_LEN))
		return 0;
	if (!peer && wanted->update_only)
		return 0;
	if (!peer)
		peer = peer_attach(device, wanted->public_key);
	if (!peer)
		return -ENOMEM;
	if (wanted->has_psk)
		memcpy(peer->handshake.psk, wanted->psk, MESSAGE_KEY_LEN);
	if (wanted->has_endpoint)
		set_endpoint(peer, wanted);
	if (wanted->replace_allowed_ips)
		allowed_ips_remove_peer(ips, peer);
	for (size_t i = wanted->first_ip; i < wanted->first_ip + wanted->n_ips; i++) {
		if (set->ips[i].remove) {
			allowed_ips_remove(ips, &set->ips[i].ip, peer);
			continue;
		}
		rc = allowed_ips_insert(ips, &set->ips[i].ip, peer);
		if (rc)
			return rc;
	}
	if (wanted->has_persistent) {
		bool begins = !peer->timers.persistent_s && wanted->persistent_s;

		peer->timers.persistent_s = wanted->persistent_s;
		if (begins && device->up)
			peer_send_keepalive(peer, runtime_now());
		if (device->up)
			peer_schedule(peer, runtime_now());
	}
	return 0;
}

/* What waits for an endpoint that is known now. */
static void send_staged(struct device *device)
{
	uint64_t now_ns = runtime_now();

	if (!device->up)
		return;
	for (struct peer *peer = device->peers; peer; peer = peer->next)
		if (peer_has_staged(peer)) {
			peer_send_staged(peer, now_ns);
			peer_schedule(peer, now_ns);
		}
}

int device_apply(struct device *device, const struct uapi_set *set)
{
	struct allowed_ips *ips = allowed_ips_copy(atomic_load(&device->allowed_ips));
	struct peer *doomed = NULL;
	int rc = 0;

	if (!ips)
		return -ENOMEM;
	if (set->has_private_key)
		set_private_key(device, set->private_key, ips, &doomed);
	if (set->has_fwmark)
		rc = set_fwmark(device, set->fwmark);
	if (!rc && set->has_port)
		rc = set_port(device, set->port);
	while (!rc && set->replace_peers && device->peers)
		remove_peers(device, ips, &doomed, device->peers);
	for (size_t i = 0; !rc && i < set->n_peers; i++)
		rc = apply_peer(device, set, &set->peers[i], ips, &doomed);
	allowed_ips_publish(device, ips);
	peers_free(device, doomed);
	send_staged(device);
	return rc;
}

void device_free(struct device *device)
{
	struct runtime *runtime;

	if (!device)
		return;
	runtime = device->runtime;
	(void)device_set_up(device, false);
	uapi_server_free(device->uapi);
	atomic_store(&runtime->devices[device->slot], NULL);
	runtime->n_devices--;
	retire_synchronize(&runtime->retire);
	runtime_forget_device(runtime, device);
	peers_free(device, device->peers);
	tun_close(&device->tun);
	allowed_ips_free(atomic_load(&device->allowed_ips));
	free(atomic_load(&device->indices));
	pthread_mutex_destroy(&device->checker_lock);
	sodium_memzero(device, sizeof(*device));
	free(device);
}
