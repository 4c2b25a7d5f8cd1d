/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Azure: user-defined routes get this node's LAN address as their next hop. A route table is
 * read and written back as a whole, with its entity tag as If-Match: what somebody else has changed
 * meanwhile is refused (412). Claims are tags of the route table whose name sorts first, and are in
 * the same resource as its routes, so both change in one step or not at all
 * (learn.microsoft.com/rest/api/virtualnetwork/route-tables).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapter.h"
#include "claim.h"

#define API_VERSION "2023-09-01"
#define TOKEN_VERSION "2018-02-01"
#define RESOURCE "https://management.azure.com/"

/* ---- keys: the machine's identity, or that of a service principal ---- */

static int take_token(struct cloud_session *session, const char *what,
		      struct cloud_request *request)
{
	struct cloud_response response;
	json_t *json = NULL;
	int rc = cloud_send(session, request, &response);

	if (!rc)
		rc = cloud_take_json(session, what, &response, &json);
	if (!rc)
		rc = cloud_keys_bearer(session, what, json);
	json_decref(json);
	return rc;
}

static int machine_token(struct cloud_session *session)
{
	struct cloud_request request;
	char *resource = cloud_encode(RESOURCE);

	cloud_request_init(
		&request, CLOUD_GET,
		cloud_text("%s/metadata/identity/oauth2/token?api-version=" TOKEN_VERSION
			   "&resource=%s",
			   cloud_word(session, CLOUD_WORD_METADATA, "http://169.254.169.254"),
			   resource ? resource : ""),
		NULL);
	free(resource);
	request.metadata = true;
	cloud_request_header(&request, "metadata: true");
	return take_token(session, "token of this machine's identity", &request);
}

static int principal_token(struct cloud_session *session)
{
	char *id, *secret, *scope = cloud_encode(RESOURCE ".default");
	struct cloud_request request;
	int rc = cloud_keys_file(session, "client_id", "client_secret", "tenant");

	if (!rc &&
	    (!session->keys.token ||
	     strspn(session->keys.token, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					 "0123456789.-") != strlen(session->keys.token)))
		rc = cloud_fail(session, -EINVAL,
				"credentials %s: no \"tenant\", or not a good one",
				session->config->words[CLOUD_WORD_CREDENTIALS]);
	if (!rc) {
		id = cloud_encode(session->keys.id);
		secret = cloud_encode(session->keys.secret);
		cloud_request_init(&request, CLOUD_POST,
				   cloud_text("%s/%s/oauth2/v2.0/token",
					      cloud_word(session, CLOUD_WORD_IDENTITY,
							 "https://login.microsoftonline.com"),
					      session->keys.token),
				   id && secret && scope
					   ? cloud_text("grant_type=client_credentials&client_id=%s"
							"&client_secret=%s&scope=%s",
							id, secret, scope)
					   : NULL);
		free(id);
		free(secret);
		rc = take_token(session, "token of the service principal", &request);
	}
	free(scope);
	/* What the file says is no key to the API. */
	if (rc)
		cloud_session_fini(session);
	return rc;
}

static int azure_keys(struct cloud_session *session)
{
	return session->config->words[CLOUD_WORD_CREDENTIALS] ? principal_token(session)
							      : machine_token(session);
}

/* ---- tables ---- */

static char *table_url(const struct cloud_session *session, const char *table)
{
	return cloud_text("%s/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Network/"
			  "routeTables/%s?api-version=" API_VERSION,
			  cloud_word(session, CLOUD_WORD_ENDPOINT, "https://management.azure.com"),
			  session->config->words[CLOUD_WORD_SUBSCRIPTION],
			  session->config->words[CLOUD_WORD_GROUP], table);
}

static int table_get(struct cloud_session *session, const char *table, json_t **ret_json)
{
	struct cloud_response response;
	struct cloud_request request;
	char what[160];
	int rc;

	snprintf(what, sizeof(what), "route table %.100s", table);
	cloud_request_init(&request, CLOUD_GET, table_url(session, table), NULL);
	cloud_request_bearer(&request, session);
	rc = cloud_send(session, &request, &response);
	if (!rc)
		rc = cloud_take_json(session, what, &response, ret_json);
	return rc;
}

/* As it was read and then changed; only if nobody has changed it since. */
static int table_put(struct cloud_session *session, const char *table, json_t *json)
{
	static const char *const theirs[] = { "provisioningState", "subnets", "resourceGuid" };
	json_t *etag = json_incref(json_object_get(json, "etag"));
	struct cloud_response response;
	struct cloud_request request;
	char what[160];
	int rc;

	snprintf(what, sizeof(what), "writing route table %.100s", table);
	if (!json_is_string(etag)) {
		json_decref(etag);
		return cloud_fail(session, -EBADMSG, "%s: it was read without an etag", what);
	}
	json_object_del(json, "etag");
	for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); i++)
		json_object_del(json_object_get(json, "properties"), theirs[i]);
	cloud_request_init(&request, CLOUD_PUT, table_url(session, table),
			   json_dumps(json, JSON_COMPACT));
	cloud_request_bearer(&request, session);
	cloud_request_header(&request, "content-type: application/json");
	cloud_request_header(&request, "if-match: %s", json_string_value(etag));
	json_decref(etag);
	rc = cloud_send(session, &request, &response);
	return rc ? rc : cloud_take_status(session, what, &response);
}

static json_t *find_route(json_t *table, const char *prefix)
{
	json_t *route;
	size_t i;

	json_array_foreach(cloud_at(table, "properties", "routes"), i, route)
	{
		if (!strcasecmp(cloud_string(json_object_get(route, "properties"), "addressPrefix"),
				prefix))
			return route;
	}
	return NULL;
}

static const char *next_hop(const struct cloud_session *session, const struct cloud_item *item)
{
	const char *hop =
		strchr(item->prefix, ':') ? session->config->next_hop6 : session->config->next_hop4;

	return hop ? hop : "";
}

/* ---- reading ---- */

static void judge_table(const struct cloud_session *session, const char *table, json_t *json,
			struct cloud_view *view)
{
	for (size_t i = 0; i < session->config->n_items; i++) {
		const struct cloud_item *item = &session->config->items[i];
		json_t *route, *properties;
		const char *hop;
		char where[100];

		if (strcmp(item->id, table))
			continue;
		route = find_route(json, item->prefix);
		properties = json_object_get(route, "properties");
		hop = cloud_string(properties, "nextHopIpAddress");
		if (!strcasecmp(cloud_string(properties, "nextHopType"), "VirtualAppliance") &&
		    !strcasecmp(hop, next_hop(session, item)))
			continue;
		snprintf(where, sizeof(where), route ? "at %.60s" : "not in the table",
			 *hop ? hop : "something else");
		cloud_view_misplaced(session, i, where, view);
	}
}

static void judge_claims(const struct cloud_session *session, json_t *json, struct cloud_view *view)
{
	json_t *tags = json_object_get(json, "tags"), *value;
	const char *name;

	json_object_foreach(tags, name, value)
	{
		if (json_is_string(value))
			cloud_view_record(session, name, json_string_value(value), view);
	}
}

static int read_table(struct cloud_session *session, const char *table, struct cloud_view *view)
{
	json_t *json = NULL;
	int rc = table_get(session, table, &json);

	if (rc)
		return rc;
	/* Until it is done it may still fail. */
	if (!strcmp(cloud_string(json_object_get(json, "properties"), "provisioningState"),
		    "Updating"))
		rc = cloud_fail(session, -EAGAIN, "route table %.100s is being updated", table);
	judge_table(session, table, json, view);
	if (!strcmp(table, cloud_fence(session)))
		judge_claims(session, json, view);
	json_decref(json);
	return rc;
}

/* The table with the claims is read last. */
static int azure_read(struct cloud_session *session, struct cloud_view *view)
{
	const struct cloud_config *config = session->config;
	int rc = 0;

	for (size_t i = 0; !rc && i < config->n_items; i++)
		if (!cloud_listed_before(config, i) &&
		    strcmp(config->items[i].id, cloud_fence(session)))
			rc = read_table(session, config->items[i].id, view);
	return rc ? rc : read_table(session, cloud_fence(session), view);
}

/* ---- writing ---- */

/* Bring the table's routes here, in the JSON. */
static int change_routes(struct cloud_session *session, const char *table, json_t *json)
{
	json_t *properties = json_object_get(json, "properties");
	json_t *routes = json_object_get(properties, "routes");

	if (!json_is_array(routes)) {
		routes = json_array();
		if (json_object_set_new(properties, "routes", routes))
			return cloud_fail(session, -EBADMSG, "route table %.100s has no properties",
					  table);
	}
	for (size_t i = 0; i < session->config->n_items; i++) {
		const struct cloud_item *item = &session->config->items[i];
		json_t *route, *to;
		char name[80];

		if (strcmp(item->id, table))
			continue;
		route = find_route(json, item->prefix);
		to = json_pack("{s:s, s:s, s:s}", "addressPrefix", item->prefix, "nextHopType",
			       "VirtualAppliance", "nextHopIpAddress", next_hop(session, item));
		if (route) {
			json_object_set_new(route, "properties", to);
			json_object_del(route, "etag");
			continue;
		}
		snprintf(name, sizeof(name), "netpas-%s", item->prefix);
		for (char *at = name; *at; at++)
			if (strchr("/:", *at))
				*at = '-';
		json_array_append_new(routes,
				      json_pack("{s:s, s:o}", "name", name, "properties", to));
	}
	return 0;
}

/*
 * This node's claim, and with it, if no other is higher, the routes of that table: in one step, which
 * is refused if anybody has written anything there since it was read.
 */
static int azure_claim(struct cloud_session *session, uint64_t generation)
{
	const char *table = cloud_fence(session);
	struct cloud_view view = { 0 };
	json_t *json = NULL, *tags;
	char value[24], *name;
	int rc = table_get(session, table, &json);

	if (rc)
		return rc;
	tags = json_object_get(json, "tags");
	if (!json_is_object(tags)) {
		tags = json_object();
		json_object_set_new(json, "tags", tags);
	}
	judge_claims(session, json, &view);
	name = cloud_record_name(session);
	snprintf(value, sizeof(value), "%" PRIu64, generation);
	if (!name || json_object_set_new(tags, name, json_string(value)))
		rc = cloud_fail(session, -ENOMEM, "out of memory");
	free(name);
	if (!rc && !claim_outranked(session->config->node, generation, &view))
		rc = change_routes(session, table, json);
	if (!rc)
		rc = table_put(session, table, json);
	json_decref(json);
	return rc;
}

static int assert_table(struct cloud_session *session, const char *table, uint64_t generation)
{
	struct cloud_view view = { 0 };
	json_t *json = NULL;
	int rc = table_get(session, table, &json);

	if (!rc) {
		judge_claims(session, json, &view);
		if (claim_outranked(session->config->node, generation, &view))
			rc = cloud_fail(session, -ESTALE, "%s has claimed meanwhile", view.rival);
	}
	if (!rc)
		rc = change_routes(session, table, json);
	if (!rc)
		rc = table_put(session, table, json);
	json_decref(json);
	return rc;
}

static int azure_assert(struct cloud_session *session, const struct cloud_view *view,
			uint64_t generation)
{
	const struct cloud_config *config = session->config;
	int rc = 0;

	for (size_t i = 0; !rc && i < config->n_items; i++) {
		bool misplaced = false;

		if (cloud_listed_before(config, i))
			continue;
		for (size_t j = i; j < config->n_items; j++)
			misplaced |= (view->misplaced >> j & 1) &&
				     !strcmp(config->items[i].id, config->items[j].id);
		if (misplaced)
			rc = assert_table(session, config->items[i].id, generation);
	}
	return rc;
}

const struct cloud_adapter cloud_azure = { azure_keys, azure_read, azure_claim, azure_assert };
