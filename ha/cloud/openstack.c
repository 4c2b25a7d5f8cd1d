/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * OpenStack: an address is let through at a port whose allowed address pairs have it. The active
 * gateway adds the VIPs to its own port, takes them from its partner's, and gratuitous ARP does the
 * rest. Both writes name the revision that was read (If-Match: revision_number), so nothing is
 * overwritten that was not seen. A gateway's claim is a tag of its own port
 * (docs.openstack.org/api-ref/network/v2, docs.openstack.org/api-ref/identity/v3).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapter.h"
#include "claim.h"

/* ---- keys: a token for an application credential ---- */

/* Where the network service is, as the token's catalog has it. */
static int find_service(struct cloud_session *session, json_t *token)
{
	const char *region = session->config->words[CLOUD_WORD_REGION];
	json_t *service, *endpoint;
	size_t i, j;

	json_array_foreach(json_object_get(token, "catalog"), i, service)
	{
		if (strcmp(cloud_string(service, "type"), "network"))
			continue;
		json_array_foreach(json_object_get(service, "endpoints"), j, endpoint)
		{
			const char *url = cloud_string(endpoint, "url");

			if (strcmp(cloud_string(endpoint, "interface"), "public") ||
			    (region && strcmp(cloud_string(endpoint, "region_id"), region)) ||
			    (strncmp(url, "https://", 8) && strncmp(url, "http://127.0.0.1:", 17)))
				continue;
			free(session->service);
			session->service = strdup(url);
			if (!session->service)
				return cloud_fail(session, -ENOMEM, "out of memory");
			if (*url && session->service[strlen(url) - 1] == '/')
				session->service[strlen(url) - 1] = '\0';
			return 0;
		}
	}
	return cloud_fail(
		session, -ENOENT,
		"the catalog has no public endpoint of the network service by https%s%.60s; "
		"give it as 'endpoint'",
		region ? " in region " : "", region ? region : "");
}

static int openstack_keys(struct cloud_session *session)
{
	struct cloud_response response;
	struct cloud_request request;
	json_t *json = NULL, *body;
	char token[sizeof(response.token)] = "";
	int64_t expires;
	int rc = cloud_keys_file(session, "id", "secret", NULL);

	if (rc)
		return rc;
	body = json_pack("{s:{s:{s:[s], s:{s:s, s:s}}}}", "auth", "identity", "methods",
			 "application_credential", "application_credential", "id", session->keys.id,
			 "secret", session->keys.secret);
	cloud_request_init(
		&request, CLOUD_POST,
		cloud_text("%s/auth/tokens", session->config->words[CLOUD_WORD_IDENTITY]),
		body ? json_dumps(body, JSON_COMPACT) : NULL);
	json_decref(body);
	cloud_request_header(&request, "content-type: application/json");
	rc = cloud_send(session, &request, &response);
	if (!rc) {
		memcpy(token, response.token, sizeof(token));
		rc = cloud_take_json(session, "token of the application credential", &response,
				     &json);
	}
	if (!rc && !*token)
		rc = cloud_fail(session, -EBADMSG, "the answer has no X-Subject-Token");
	if (!rc && !session->config->words[CLOUD_WORD_ENDPOINT])
		rc = find_service(session, json_object_get(json, "token"));
	expires = cloud_time(cloud_string(json_object_get(json, "token"), "expires_at"));
	if (!rc)
		rc = cloud_keys_set(session, "token", token, NULL, expires);
	else
		cloud_session_fini(session); /* what the file says is no key to the API */
	json_decref(json);
	explicit_bzero(token, sizeof(token));
	return rc;
}

/* ---- ports ---- */

static int port_request(struct cloud_session *session, enum cloud_method method, const char *port,
			const char *tail, json_t *body, const char *if_match, json_t **ret_json)
{
	struct cloud_response response;
	struct cloud_request request;
	char what[160];
	int rc;

	snprintf(what, sizeof(what), "port %.100s%s", port, tail);
	cloud_request_init(&request, method,
			   cloud_text("%s/v2.0/ports/%s%s",
				      cloud_word(session, CLOUD_WORD_ENDPOINT,
						 session->service ? session->service : ""),
				      port, tail),
			   body ? json_dumps(body, JSON_COMPACT) : NULL);
	cloud_request_header(&request, "x-auth-token: %s", session->keys.secret);
	if (body)
		cloud_request_header(&request, "content-type: application/json");
	if (if_match)
		cloud_request_header(&request, "if-match: %s", if_match);
	json_decref(body);
	rc = cloud_send(session, &request, &response);
	if (rc)
		return rc;
	return ret_json ? cloud_take_json(session, what, &response, ret_json)
			: cloud_take_status(session, what, &response);
}

static int port_get(struct cloud_session *session, const char *port, json_t **ret_port)
{
	json_t *json = NULL, *object;
	int rc = port_request(session, CLOUD_GET, port, "", NULL, NULL, &json);

	if (rc)
		return rc;
	object = json_object_get(json, "port");
	if (json_is_object(object))
		*ret_port = json_incref(object);
	else
		rc = cloud_fail(session, -EBADMSG, "port %.100s: there is none in the answer",
				port);
	json_decref(json);
	return rc;
}

/* The pair that lets this address through, or -1. */
static int find_pair(json_t *port, const char *address)
{
	const size_t len = strlen(address);
	json_t *pair;
	size_t i;

	json_array_foreach(json_object_get(port, "allowed_address_pairs"), i, pair)
	{
		const char *text = cloud_string(pair, "ip_address");

		if (!strncmp(text, address, len) && (!text[len] || !strcmp(text + len, "/32")))
			return (int)i;
	}
	return -1;
}

static void judge_claims(const struct cloud_session *session, json_t *port, struct cloud_view *view)
{
	json_t *tag;
	size_t i;

	json_array_foreach(json_object_get(port, "tags"), i, tag)
	{
		if (json_is_string(tag))
			(void)cloud_view_line(session, json_string_value(tag),
					      view); /* or of others */
	}
}

/* The partner's port is read last: it has the rival's claim. */
static int openstack_read(struct cloud_session *session, struct cloud_view *view)
{
	const struct cloud_config *config = session->config;
	json_t *own = NULL, *partner = NULL;
	int rc = port_get(session, config->words[CLOUD_WORD_INTERFACE], &own);

	if (!rc)
		rc = port_get(session, config->words[CLOUD_WORD_PARTNER], &partner);
	for (size_t i = 0; !rc && i < config->n_items; i++) {
		const char *address = config->items[i].id;

		if (find_pair(own, address) < 0)
			cloud_view_misplaced(session, i, "not at this node's port", view);
		else if (find_pair(partner, address) >= 0)
			cloud_view_misplaced(session, i, "at the partner's port, too", view);
	}
	if (!rc) {
		judge_claims(session, own, view);
		judge_claims(session, partner, view);
	}
	json_decref(own);
	json_decref(partner);
	return rc;
}

static int openstack_claim(struct cloud_session *session, uint64_t generation)
{
	const char *port = session->config->words[CLOUD_WORD_INTERFACE];
	json_t *own = NULL, *tags, *tag;
	char *line = cloud_record_line(session, generation);
	size_t i;
	int rc = port_get(session, port, &own);

	tags = json_array();
	json_array_foreach(json_object_get(own, "tags"), i, tag)
	{
		if (json_is_string(tag) && strncmp(json_string_value(tag), "netpas:", 7))
			json_array_append(tags, tag);
	}
	json_array_append_new(tags, line ? json_string(line) : NULL);
	free(line);
	if (rc)
		json_decref(tags);
	else
		rc = port_request(session, CLOUD_PUT, port, "/tags",
				  json_pack("{s:o}", "tags", tags), NULL, NULL);
	json_decref(own);
	return rc;
}

/* All VIPs at this port, or none of them; what else it lets through stays. */
static int port_assert(struct cloud_session *session, const char *port, bool here,
		       uint64_t generation)
{
	const struct cloud_config *config = session->config;
	struct cloud_view view = { 0 };
	json_t *object = NULL, *pairs;
	bool changed = false;
	char revision[64];
	int rc = port_get(session, port, &object), at;

	if (rc)
		return rc;
	judge_claims(session, object, &view);
	pairs = json_object_get(object, "allowed_address_pairs");
	if (!json_is_array(pairs)) {
		pairs = json_array();
		json_object_set_new(object, "allowed_address_pairs", pairs);
	}
	for (size_t i = 0; i < config->n_items; i++) {
		const char *address = config->items[i].id;

		if (here && find_pair(object, address) < 0) {
			json_array_append_new(pairs, json_pack("{s:s}", "ip_address", address));
			changed = true;
		}
		while (!here && (at = find_pair(object, address)) >= 0) {
			json_array_remove(pairs, (size_t)at);
			changed = true;
		}
	}
	snprintf(revision, sizeof(revision), "revision_number=%lld",
		 (long long)json_integer_value(json_object_get(object, "revision_number")));
	if (claim_outranked(config->node, generation, &view))
		rc = cloud_fail(session, -ESTALE, "%s has claimed meanwhile", view.rival);
	else if (!json_is_integer(json_object_get(object, "revision_number")))
		rc = cloud_fail(session, -EBADMSG, "port %.100s has no revision_number", port);
	else if (changed)
		rc = port_request(session, CLOUD_PUT, port, "",
				  json_pack("{s:{s:O}}", "port", "allowed_address_pairs", pairs),
				  revision, NULL);
	json_decref(object);
	return rc;
}

/* Here first: for a moment both may, so that there is none in which nobody may. */
static int openstack_assert(struct cloud_session *session, const struct cloud_view *view,
			    uint64_t generation)
{
	const struct cloud_config *config = session->config;
	int rc = port_assert(session, config->words[CLOUD_WORD_INTERFACE], true, generation);

	(void)view;
	if (!rc)
		rc = port_assert(session, config->words[CLOUD_WORD_PARTNER], false, generation);
	return rc;
}

const struct cloud_adapter cloud_openstack = { openstack_keys, openstack_read, openstack_claim,
					       openstack_assert };
