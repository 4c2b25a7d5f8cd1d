/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Google Cloud: a static route cannot be changed, only made and deleted. So each claim makes routes
 * of its own, whose names hold the generation and the node, and deletes those of lower claims by
 * their names: a delete can never hit a claim that came later. Between the two both are there, and the
 * network spreads flows over both; before, all went to a gateway that is dead or that forwards all the
 * same (cloud.google.com/compute/docs/reference/rest/v1/routes).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "claim.h"

#define PRIORITY 900 /* before what people make without saying one (1000) */
#define PAGES_MAX 20
#define NAME_LEN 64

static int gcp_keys(struct cloud_session *session)
{
	static const char what[] = "token of this machine's service account";
	struct cloud_response response;
	struct cloud_request request;
	json_t *json = NULL;
	int rc;

	cloud_request_init(
		&request, CLOUD_GET,
		cloud_text("%s/computeMetadata/v1/instance/service-accounts/default/token",
			   cloud_word(session, CLOUD_WORD_METADATA, "http://169.254.169.254")),
		NULL);
	request.metadata = true;
	cloud_request_header(&request, "metadata-flavor: Google");
	rc = cloud_send(session, &request, &response);
	if (!rc)
		rc = cloud_take_json(session, what, &response, &json);
	if (!rc)
		rc = cloud_keys_bearer(session, what, json);
	json_decref(json);
	return rc;
}

/* FNV-1a, 64 bits: names are short, prefixes and sites are not. */
static uint64_t hash(uint64_t value, const char *text)
{
	for (; *text; text++)
		value = (value ^ (uint8_t)*text) * 0x100000001b3;
	return (value ^ '/') * 0x100000001b3;
}

/* "netpas-" and what is the same for all claims of an item. */
static void item_name(const struct cloud_session *session, const struct cloud_item *item,
		      char ret_name[static NAME_LEN])
{
	uint64_t value = hash(0xcbf29ce484222325, session->config->site);

	value = hash(value, session->config->words[CLOUD_WORD_NETWORK]);
	snprintf(ret_name, NAME_LEN, "netpas-%016" PRIx64, hash(value, item->prefix));
}

static void route_name(const struct cloud_session *session, const struct cloud_item *item,
		       uint64_t generation, char ret_name[static NAME_LEN])
{
	char start[NAME_LEN];

	item_name(session, item, start);
	snprintf(ret_name, NAME_LEN, "%.23s-%" PRIu64 "-%08x", start, generation,
		 (unsigned int)(hash(0xcbf29ce484222325, session->config->node) >> 32));
}

/* Whose claim on the item a route is. */
static bool route_parse(const struct cloud_session *session, const struct cloud_item *item,
			json_t *route, char ret_node[static CLOUD_NAME_MAX],
			uint64_t *ret_generation)
{
	const char *name = cloud_string(route, "name");
	const char *text = cloud_string(route, "description");
	const size_t site_len = strlen(session->config->site);
	char start[NAME_LEN], digits[24];
	size_t len;

	item_name(session, item, start);
	len = strlen(start);
	if (strncmp(name, start, len) || name[len] != '-' || strncmp(text, "netpas:", 7) ||
	    strncmp(text + 7, session->config->site, site_len) || text[7 + site_len] != ':')
		return false;
	name += len + 1;
	text += 8 + site_len;
	len = strcspn(name, "-");
	if (len >= sizeof(digits) || !*text || strlen(text) >= CLOUD_NAME_MAX)
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)len, name);
	if (!cloud_number(digits, ret_generation))
		return false;
	snprintf(ret_node, CLOUD_NAME_MAX, "%s", text);
	return true;
}

static char *routes_url(const struct cloud_session *session, const char *name, const char *query)
{
	return cloud_text(
		"%s/compute/v1/projects/%s/global/routes%s%s%s",
		cloud_word(session, CLOUD_WORD_ENDPOINT, "https://compute.googleapis.com"),
		session->config->words[CLOUD_WORD_PROJECT], *name ? "/" : "", name, query);
}

/* All routes of the project that could be ours. */
static int list_routes(struct cloud_session *session, json_t **ret_list)
{
	struct cloud_response response;
	struct cloud_request request;
	json_t *list = json_array(), *page, *route;
	char *query = strdup("?maxResults=500"), *token;
	size_t i;
	int rc = 0;

	for (int n = 0; !rc && query; n++) {
		page = NULL;
		cloud_request_init(&request, CLOUD_GET, routes_url(session, "", query), NULL);
		free(query);
		query = NULL;
		cloud_request_bearer(&request, session);
		rc = cloud_send(session, &request, &response);
		if (!rc)
			rc = cloud_take_json(session, "list of routes", &response, &page);
		json_array_foreach(json_object_get(page, "items"), i, route)
		{
			if (!strncmp(cloud_string(route, "name"), "netpas-", 7))
				json_array_append(list, route);
		}
		if (!rc && *cloud_string(page, "nextPageToken")) {
			token = cloud_encode(cloud_string(page, "nextPageToken"));
			query = token ? cloud_text("?maxResults=500&pageToken=%s", token) : NULL;
			free(token);
			/* A list that is not whole says nothing of what is missing. */
			if (!query || n == PAGES_MAX)
				rc = cloud_fail(session, -EBADMSG,
						"list of routes: it does not end");
		}
		json_decref(page);
	}
	free(query);
	if (rc)
		json_decref(list);
	else
		*ret_list = list;
	return rc;
}

static void judge_item(const struct cloud_session *session, size_t number, json_t *list,
		       uint64_t *ret_own, struct cloud_view *view)
{
	const struct cloud_item *item = &session->config->items[number];
	char node[CLOUD_NAME_MAX], where[100];
	uint64_t generation, own = 0;
	json_t *route;
	size_t i;

	json_array_foreach(list, i, route)
	{
		if (!route_parse(session, item, route, node, &generation))
			continue;
		if (!strcmp(node, session->config->node)) {
			own = generation > own ? generation : own;
			continue;
		}
		cloud_view_claim(session, node, generation, view);
		snprintf(where, sizeof(where), "at %.40s, too", node);
		cloud_view_misplaced(session, number, where, view);
	}
	*ret_own = own;
}

static int gcp_read(struct cloud_session *session, struct cloud_view *view)
{
	uint64_t own, lowest = UINT64_MAX;
	json_t *list = NULL;
	int rc = list_routes(session, &list);

	for (size_t i = 0; !rc && i < session->config->n_items; i++) {
		judge_item(session, i, list, &own, view);
		lowest = own < lowest ? own : lowest;
	}
	/* Claimed is what has all its routes. */
	if (!rc)
		view->own_generation = lowest;
	json_decref(list);
	return rc;
}

static int insert_route(struct cloud_session *session, const struct cloud_item *item,
			uint64_t generation)
{
	const struct cloud_config *config = session->config;
	char name[NAME_LEN], *network, *text = cloud_record_name(session);
	struct cloud_response response;
	struct cloud_request request;
	json_t *json = NULL;
	int rc;

	route_name(session, item, generation, name);
	network = cloud_text("projects/%s/global/networks/%s", config->words[CLOUD_WORD_PROJECT],
			     config->words[CLOUD_WORD_NETWORK]);
	if (network && text)
		json = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s}", "name", name, "network", network,
				 "destRange", item->prefix, "nextHopIp",
				 config->next_hop4 ? config->next_hop4 : "", "priority", PRIORITY,
				 "description", text);
	free(network);
	free(text);
	cloud_request_init(&request, CLOUD_POST, routes_url(session, "", ""),
			   json ? json_dumps(json, JSON_COMPACT) : NULL);
	json_decref(json);
	cloud_request_bearer(&request, session);
	cloud_request_header(&request, "content-type: application/json");
	rc = cloud_send(session, &request, &response);
	if (rc)
		return rc;
	if (response.status == 409) { /* it is there: the name is this node's and this claim's */
		cloud_response_fini(&response);
		return 0;
	}
	return cloud_take_status(session, "making a route", &response);
}

static int delete_route(struct cloud_session *session, const char *name)
{
	struct cloud_response response;
	struct cloud_request request;
	int rc;

	cloud_request_init(&request, CLOUD_DELETE, routes_url(session, name, ""), NULL);
	cloud_request_bearer(&request, session);
	rc = cloud_send(session, &request, &response);
	if (rc)
		return rc;
	if (response.status == 404) { /* gone already */
		cloud_response_fini(&response);
		return 0;
	}
	return cloud_take_status(session, "deleting a route", &response);
}

static bool is_name(const char *name)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(name);
}

/* Routes of earlier claims: this node's own, or those of others that this one outranks. */
static int delete_older(struct cloud_session *session, bool own, uint64_t generation)
{
	const char *self = session->config->node;
	struct cloud_view theirs;
	uint64_t number;
	json_t *list = NULL, *route;
	int rc = list_routes(session, &list);
	size_t i;

	json_array_foreach(list, i, route)
	{
		const char *name = cloud_string(route, "name");

		for (size_t n = 0; !rc && n < session->config->n_items; n++) {
			theirs = (struct cloud_view){ 0 };
			if (!is_name(name) || !route_parse(session, &session->config->items[n],
							   route, theirs.rival, &number))
				continue;
			theirs.rival_generation = number;
			if (!strcmp(theirs.rival, self)
				    ? own && number != generation
				    : !own && !claim_outranked(self, generation, &theirs))
				rc = delete_route(session, name);
		}
	}
	json_decref(list);
	return rc;
}

/* The claim is a route that works at once: not beside one that is above it. */
static int gcp_claim(struct cloud_session *session, uint64_t generation)
{
	struct cloud_view view = { 0 };
	int rc = gcp_read(session, &view);

	if (!rc && claim_outranked(session->config->node, generation, &view))
		return 0;
	for (size_t i = 0; !rc && i < session->config->n_items; i++)
		rc = insert_route(session, &session->config->items[i], generation);
	return rc ? rc : delete_older(session, true, generation);
}

static int gcp_assert(struct cloud_session *session, const struct cloud_view *view,
		      uint64_t generation)
{
	(void)view;
	return delete_older(session, false, generation);
}

const struct cloud_adapter cloud_gcp = { gcp_keys, gcp_read, gcp_claim, gcp_assert };
