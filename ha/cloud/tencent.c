/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tencent Cloud: routes get this node's LAN address as their next hop (ReplaceRoutes), secondary
 * addresses move from the partner's network interface to this node's (MigratePrivateIpAddress). A
 * HAVIP moves by gratuitous ARP alone, the API only tells where it is: that is looked at and reported.
 * A gateway's claim is the description of its own network interface
 * (tencentcloud.com/document/api/215, version 2017-03-12).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapter.h"
#include "sign.h"

#define API_VERSION "2017-03-12"

/* ---- keys: of the instance's CAM role ---- */

static int metadata_get(struct cloud_session *session, const char *role,
			struct cloud_response *ret_response)
{
	struct cloud_request request;

	cloud_request_init(
		&request, CLOUD_GET,
		cloud_text("%s/latest/meta-data/cam/security-credentials/%s",
			   cloud_word(session, CLOUD_WORD_METADATA, "http://169.254.0.23"), role),
		NULL);
	request.metadata = true;
	return cloud_send(session, &request, ret_response);
}

static int tencent_keys(struct cloud_session *session)
{
	struct cloud_response response;
	char *role = NULL;
	int rc;

	if (session->config->words[CLOUD_WORD_CREDENTIALS])
		return cloud_keys_file(session, "secret_id", "secret_key", "token");
	rc = metadata_get(session, "", &response);
	if (!rc)
		rc = cloud_take_role(session, "CAM", &response, &role);
	if (!rc)
		rc = metadata_get(session, role, &response);
	if (!rc)
		rc = cloud_take_role_keys(session, &response, "TmpSecretId", "TmpSecretKey",
					  "Token");
	free(role);
	return rc;
}

/* ---- calls ---- */

static void sign(struct cloud_session *session, struct cloud_request *request, const char *host,
		 const char *action)
{
	static const char type[] = "application/json; charset=utf-8";
	const int64_t now = session->now_s();
	char *hosted = cloud_text("host:%s", host);
	const char *const headers[] = { "content-type:application/json; charset=utf-8", hosted };
	const struct sign_request signing = {
		.method = "POST",
		.path = "/",
		.query = "",
		.headers = headers,
		.n_headers = 2,
		.body = request->body,
		.body_len = request->body ? strlen(request->body) : 0,
	};
	char *line = NULL;

	if (hosted && request->body)
		line = sign_tc3(&signing, &session->keys, "vpc", now);
	cloud_request_header(request, "content-type: %s", type);
	cloud_request_header(request, "authorization: %s", line ? line : "");
	cloud_request_header(request, "x-tc-action: %s", action);
	cloud_request_header(request, "x-tc-version: %s", API_VERSION);
	cloud_request_header(request, "x-tc-timestamp: %lld", (long long)now);
	cloud_request_header(request, "x-tc-region: %s", session->config->words[CLOUD_WORD_REGION]);
	if (session->keys.token)
		cloud_request_header(request, "x-tc-token: %s", session->keys.token);
	free(hosted);
	free(line);
}

/* Errors come with status 200, too: what counts is whether there is one in the answer. */
static int call(struct cloud_session *session, const char *action, json_t *parameters,
		json_t **ret_answer)
{
	const char *url =
		cloud_word(session, CLOUD_WORD_ENDPOINT, "https://vpc.tencentcloudapi.com");
	char *host = cloud_host(url);
	struct cloud_response response;
	struct cloud_request request;
	json_t *json = NULL, *answer, *error;
	int rc;

	cloud_request_init(&request, CLOUD_POST, cloud_text("%s/", url),
			   parameters ? json_dumps(parameters, JSON_COMPACT) : NULL);
	json_decref(parameters);
	sign(session, &request, host ? host : "", action);
	free(host);
	rc = cloud_send(session, &request, &response);
	if (!rc)
		rc = cloud_take_json(session, action, &response, &json);
	if (rc)
		return rc;
	answer = json_object_get(json, "Response");
	error = json_object_get(answer, "Error");
	if (!json_is_object(answer)) {
		rc = cloud_fail(session, -EBADMSG, "%s: there is no Response in the answer",
				action);
	} else if (error) {
		const char *code = cloud_string(error, "Code");
		const unsigned int status = !strncmp(code, "AuthFailure", 11)		  ? 401
					    : !strncmp(code, "UnauthorizedOperation", 21) ? 403
					    : !strncmp(code, "RequestLimitExceeded", 20)  ? 429
											  : 400;

		rc = cloud_refused(session, action, status, code, cloud_string(error, "Message"));
	} else if (ret_answer) {
		*ret_answer = json_incref(answer);
	}
	json_decref(json);
	return rc;
}

/* ---- reading ---- */

/* The element of a list whose field has this value. */
static json_t *find(json_t *list, const char *field, const char *value)
{
	json_t *element;
	size_t i;

	json_array_foreach(list, i, element)
	{
		if (!strcmp(cloud_string(element, field), value))
			return element;
	}
	return NULL;
}

static bool is_here(const struct cloud_session *session, json_t *route)
{
	const char *hop = session->config->next_hop4;

	return hop && !strcmp(cloud_string(route, "GatewayType"), "NORMAL_CVM") &&
	       !strcmp(cloud_string(route, "GatewayId"), hop) &&
	       !json_is_false(json_object_get(route, "Enabled"));
}

static int find_route(struct cloud_session *session, const struct cloud_item *item,
		      json_t **ret_answer, json_t **ret_route)
{
	json_t *answer = NULL, *table;
	int rc = call(session, "DescribeRouteTables",
		      json_pack("{s:[s]}", "RouteTableIds", item->id), &answer);

	if (rc)
		return rc;
	table = find(json_object_get(answer, "RouteTableSet"), "RouteTableId", item->id);
	if (!table) {
		json_decref(answer);
		return cloud_fail(session, -ENOENT, "there is no route table %.100s", item->id);
	}
	*ret_answer = answer;
	*ret_route = find(json_object_get(table, "RouteSet"), "DestinationCidrBlock", item->prefix);
	return 0;
}

static int read_route(struct cloud_session *session, size_t i, struct cloud_view *view)
{
	json_t *answer = NULL, *route;
	char where[100];
	int rc = find_route(session, &session->config->items[i], &answer, &route);

	if (rc)
		return rc;
	if (!is_here(session, route)) {
		snprintf(where, sizeof(where), route ? "at %.20s %.60s" : "not in the table",
			 cloud_string(route, "GatewayType"), cloud_string(route, "GatewayId"));
		cloud_view_misplaced(session, i, where, view);
	}
	json_decref(answer);
	return 0;
}

static int read_havip(struct cloud_session *session, size_t i, struct cloud_view *view)
{
	const struct cloud_item *item = &session->config->items[i];
	json_t *answer = NULL;
	const char *at;
	char where[100];
	int rc = call(session, "DescribeHaVips", json_pack("{s:[s]}", "HaVipIds", item->id),
		      &answer);

	if (rc)
		return rc;
	at = cloud_string(find(json_object_get(answer, "HaVipSet"), "HaVipId", item->id),
			  "NetworkInterfaceId");
	if (strcmp(at, session->config->words[CLOUD_WORD_INTERFACE])) {
		snprintf(where, sizeof(where), "at %.40s, and moves by ARP alone",
			 *at ? at : "no interface");
		cloud_view_misplaced(session, i, where, view);
	}
	json_decref(answer);
	return 0;
}

/* Both interfaces: where the addresses are, and the claims. */
static int read_interfaces(struct cloud_session *session, json_t **ret_answer)
{
	return call(session, "DescribeNetworkInterfaces",
		    json_pack("{s:[s, s]}", "NetworkInterfaceIds",
			      session->config->words[CLOUD_WORD_INTERFACE],
			      session->config->words[CLOUD_WORD_PARTNER]),
		    ret_answer);
}

static bool has_address(json_t *answer, const char *interface, const char *address)
{
	json_t *found = find(json_object_get(answer, "NetworkInterfaceSet"), "NetworkInterfaceId",
			     interface);

	return find(json_object_get(found, "PrivateIpAddressSet"), "PrivateIpAddress", address);
}

static int tencent_read(struct cloud_session *session, struct cloud_view *view)
{
	const struct cloud_config *config = session->config;
	json_t *answer = NULL, *interface;
	size_t n;
	int rc = 0;

	for (size_t i = 0; !rc && i < config->n_items; i++) {
		if (config->items[i].kind == CLOUD_ROUTE)
			rc = read_route(session, i, view);
		else if (config->items[i].kind == CLOUD_HAVIP)
			rc = read_havip(session, i, view);
	}
	if (!rc)
		rc = read_interfaces(session, &answer);
	if (rc)
		return rc;
	for (size_t i = 0; i < config->n_items; i++)
		if (config->items[i].kind == CLOUD_ADDRESS &&
		    !has_address(answer, config->words[CLOUD_WORD_INTERFACE], config->items[i].id))
			cloud_view_misplaced(session, i, "not here", view);
	json_array_foreach(json_object_get(answer, "NetworkInterfaceSet"), n, interface)(void)
		cloud_view_line(session, cloud_string(interface, "NetworkInterfaceDescription"),
				view);
	json_decref(answer);
	return 0;
}

/* ---- writing ---- */

static int tencent_claim(struct cloud_session *session, uint64_t generation)
{
	char *line = cloud_record_line(session, generation);
	int rc = call(session, "ModifyNetworkInterfaceAttribute",
		      line ? json_pack("{s:s, s:s}", "NetworkInterfaceId",
				       session->config->words[CLOUD_WORD_INTERFACE],
				       "NetworkInterfaceDescription", line)
			   : NULL,
		      NULL);

	free(line);
	return rc;
}

static int assert_route(struct cloud_session *session, const struct cloud_item *item)
{
	json_t *answer = NULL, *route, *entry, *id;
	int rc = find_route(session, item, &answer, &route);

	if (rc)
		return rc;
	entry = json_pack("{s:s, s:s, s:s}", "DestinationCidrBlock", item->prefix, "GatewayType",
			  "NORMAL_CVM", "GatewayId",
			  session->config->next_hop4 ? session->config->next_hop4 : "");
	id = json_object_get(route, "RouteId");
	if (id)
		json_object_set(entry, "RouteId", id);
	rc = call(session, route ? "ReplaceRoutes" : "CreateRoutes",
		  json_pack("{s:s, s:[o]}", "RouteTableId", item->id, "Routes", entry), NULL);
	json_decref(answer);
	return rc;
}

static int assert_address(struct cloud_session *session, const struct cloud_item *item)
{
	const char *own = session->config->words[CLOUD_WORD_INTERFACE];
	const char *partner = session->config->words[CLOUD_WORD_PARTNER];
	json_t *answer = NULL;
	bool at_partner;
	int rc = read_interfaces(session, &answer);

	if (rc)
		return rc;
	at_partner = has_address(answer, partner, item->id);
	json_decref(answer);
	if (at_partner)
		return call(session, "MigratePrivateIpAddress",
			    json_pack("{s:s, s:s, s:s}", "SourceNetworkInterfaceId", partner,
				      "DestinationNetworkInterfaceId", own, "PrivateIpAddress",
				      item->id),
			    NULL);
	return call(session, "AssignPrivateIpAddresses",
		    json_pack("{s:s, s:[{s:s}]}", "NetworkInterfaceId", own, "PrivateIpAddresses",
			      "PrivateIpAddress", item->id),
		    NULL);
}

static int tencent_assert(struct cloud_session *session, const struct cloud_view *view,
			  uint64_t generation)
{
	int rc = 0;

	(void)generation;
	for (size_t i = 0; !rc && i < session->config->n_items; i++) {
		const struct cloud_item *item = &session->config->items[i];

		if (!(view->misplaced >> i & 1))
			continue;
		if (item->kind == CLOUD_ROUTE)
			rc = assert_route(session, item);
		else if (item->kind == CLOUD_ADDRESS)
			rc = assert_address(session, item);
	}
	return rc;
}

const struct cloud_adapter cloud_tencent = { tencent_keys, tencent_read, tencent_claim,
					     tencent_assert };
