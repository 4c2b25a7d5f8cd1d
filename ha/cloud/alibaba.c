/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Alibaba Cloud: route entries get this node's network interface as their next hop
 * (ModifyRouteEntry). A HaVip moves by gratuitous ARP among the interfaces that are associated with it:
 * so this node's is associated; with a 'partner' configured, whose interface is taken off, no other
 * can have it. No update is conditional, so claims are tags, a tag for each node
 * (alibabacloud.com/help/en/vpc/developer-reference, version 2016-04-28).
 */
#include <errno.h>
#include <inttypes.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapter.h"
#include "sign.h"

#define API_VERSION "2016-04-28"
#define TOKEN_TTL_S 21600

/* ---- keys: of the instance's RAM role, by the metadata service in security hardened mode ---- */

static int metadata(struct cloud_session *session, enum cloud_method method, const char *token,
		    const char *path, const char *name, struct cloud_response *ret_response)
{
	struct cloud_request request;

	cloud_request_init(
		&request, method,
		cloud_text("%s/latest/%s%s",
			   cloud_word(session, CLOUD_WORD_METADATA, "http://100.100.100.200"), path,
			   name),
		method == CLOUD_PUT ? strdup("") : NULL);
	request.metadata = true;
	if (token)
		cloud_request_header(&request, "x-aliyun-ecs-metadata-token: %s", token);
	else
		cloud_request_header(&request, "x-aliyun-ecs-metadata-token-ttl-seconds: %d",
				     TOKEN_TTL_S);
	return cloud_send(session, &request, ret_response);
}

static int alibaba_keys(struct cloud_session *session)
{
	static const char path[] = "meta-data/ram/security-credentials/";
	struct cloud_response response;
	char *token = NULL, *role = NULL;
	int rc;

	if (session->config->words[CLOUD_WORD_CREDENTIALS])
		return cloud_keys_file(session, "access_key_id", "access_key_secret",
				       "security_token");
	rc = metadata(session, CLOUD_PUT, NULL, "api/token", "", &response);
	if (!rc)
		rc = cloud_take_word(session, "metadata token", &response, &token);
	if (!rc)
		rc = metadata(session, CLOUD_GET, token, path, "", &response);
	if (!rc)
		rc = cloud_take_role(session, "RAM", &response, &role);
	if (!rc)
		rc = metadata(session, CLOUD_GET, token, path, role, &response);
	if (!rc)
		rc = cloud_take_role_keys(session, &response, "AccessKeyId", "AccessKeySecret",
					  "SecurityToken");
	free(token);
	free(role);
	return rc;
}

/* ---- calls ---- */

#define PARAMETERS_MAX 8

struct parameter {
	const char *name, *value;
};

static int parameter_compare(const void *a, const void *b)
{
	const struct parameter *const *l = a, *const *r = b;

	return strcmp((*l)->name, (*r)->name);
}

/* Encoded and in order, as it is signed and sent; free() it. */
static char *make_query(const struct parameter *parameters, size_t n)
{
	const struct parameter *sorted[PARAMETERS_MAX];
	char *text = NULL, *name, *value;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < n; i++)
		sorted[i] = &parameters[i];
	qsort(sorted, n, sizeof(*sorted), parameter_compare);
	for (size_t i = 0; i < n; i++) {
		name = cloud_encode(sorted[i]->name);
		value = cloud_encode(sorted[i]->value);
		fprintf(out, "%s%s=%s", i ? "&" : "", name ? name : "", value ? value : "");
		free(name);
		free(value);
	}
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static void sign(struct cloud_session *session, struct cloud_request *request, const char *host,
		 const char *action, const char *query)
{
	const struct cloud_keys *keys = &session->keys;
	unsigned char random[16] = { 0 };
	char empty[SIGN_HEX_LEN], date[21], nonce[33], *headers[7] = { 0 }, *line = NULL;
	const size_t n = keys->token ? 7 : 6;
	const struct sign_request signing = { "POST", "/", query, (const char *const *)headers,
					      n,      "",  0 };
	size_t at = 0;

	sign_hash("", 0, empty);
	sign_time_extended(session->now_s(), date);
	/* Without randomness the nonce repeats, and the provider refuses the request. */
	(void)RAND_bytes(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(nonce + 2 * i, 3, "%02x", random[i]);
	headers[at++] = cloud_text("host:%s", host);
	headers[at++] = cloud_text("x-acs-action:%s", action);
	headers[at++] = cloud_text("x-acs-content-sha256:%s", empty);
	headers[at++] = cloud_text("x-acs-date:%s", date);
	if (keys->token)
		headers[at++] = cloud_text("x-acs-security-token:%s", keys->token);
	headers[at++] = cloud_text("x-acs-signature-nonce:%s", nonce);
	headers[at++] = cloud_text("x-acs-version:%s", API_VERSION);
	while (at && headers[at - 1])
		at--;
	if (!at)
		line = sign_acs3(&signing, keys);
	for (size_t i = 1; i < n; i++)
		cloud_request_header(request, "%s", headers[i] ? headers[i] : "");
	cloud_request_header(request, "authorization: %s", line ? line : "");
	free(line);
	for (size_t i = 0; i < n; i++)
		free(headers[i]);
}

static int call(struct cloud_session *session, const char *action,
		const struct parameter *parameters, size_t n, json_t **ret_json)
{
	const char *given = session->config->words[CLOUD_WORD_ENDPOINT];
	char *query = make_query(parameters, n), *host;
	char *url = given ? strdup(given)
			  : cloud_text("https://vpc.%s.aliyuncs.com",
				       session->config->words[CLOUD_WORD_REGION]);
	struct cloud_response response;
	struct cloud_request request;
	int rc;

	host = cloud_host(url);
	cloud_request_init(&request, CLOUD_POST,
			   url && query ? cloud_text("%s/?%s", url, query) : NULL, strdup(""));
	sign(session, &request, host ? host : "", action, query ? query : "");
	free(url);
	free(query);
	free(host);
	rc = cloud_send(session, &request, &response);
	if (rc)
		return rc;
	return ret_json ? cloud_take_json(session, action, &response, ret_json)
			: cloud_take_status(session, action, &response);
}

/* ---- reading ---- */

static int find_route(struct cloud_session *session, const struct cloud_item *item,
		      json_t **ret_answer, json_t **ret_route)
{
	const struct parameter parameters[] = {
		{ "RegionId", session->config->words[CLOUD_WORD_REGION] },
		{ "RouteTableId", item->id },
		{ "DestinationCidrBlock", item->prefix },
	};
	json_t *answer = NULL, *route;
	size_t i;
	int rc = call(session, "DescribeRouteEntryList", parameters, 3, &answer);

	if (rc)
		return rc;
	*ret_answer = answer;
	*ret_route = NULL;
	json_array_foreach(cloud_at(answer, "RouteEntrys", "RouteEntry"), i, route)
	{
		if (!strcasecmp(cloud_string(route, "DestinationCidrBlock"), item->prefix))
			*ret_route = route;
	}
	return 0;
}

static const char *hop_of(json_t *route)
{
	json_t *hops = cloud_at(route, "NextHops", "NextHop");

	return json_array_size(hops) == 1 ? cloud_string(json_array_get(hops, 0), "NextHopId") : "";
}

static int read_route(struct cloud_session *session, size_t i, struct cloud_view *view)
{
	json_t *answer = NULL, *route;
	char where[100];
	const char *hop;
	int rc = find_route(session, &session->config->items[i], &answer, &route);

	if (rc)
		return rc;
	hop = hop_of(route);
	if (strcmp(hop, session->config->words[CLOUD_WORD_INTERFACE])) {
		snprintf(where, sizeof(where), route ? "at %.60s" : "not in the table",
			 *hop ? hop : "something else");
		cloud_view_misplaced(session, i, where, view);
	}
	json_decref(answer);
	return 0;
}

static bool is_associated(json_t *havip, const char *instance)
{
	json_t *id;
	size_t i;

	json_array_foreach(cloud_at(havip, "AssociatedInstances", "associatedInstance"), i, id)
	{
		if (json_is_string(id) && !strcmp(json_string_value(id), instance))
			return true;
	}
	return false;
}

static int find_havip(struct cloud_session *session, const struct cloud_item *item,
		      json_t **ret_answer, json_t **ret_havip)
{
	const struct parameter parameters[] = {
		{ "RegionId", session->config->words[CLOUD_WORD_REGION] },
		{ "Filter.1.Key", "HaVipId" },
		{ "Filter.1.Value.1", item->id },
	};
	json_t *answer = NULL, *havip;
	size_t i;
	int rc = call(session, "DescribeHaVips", parameters, 3, &answer);

	if (rc)
		return rc;
	json_array_foreach(cloud_at(answer, "HaVips", "HaVip"), i, havip)
	{
		if (strcmp(cloud_string(havip, "HaVipId"), item->id))
			continue;
		*ret_answer = answer;
		*ret_havip = havip;
		return 0;
	}
	json_decref(answer);
	return cloud_fail(session, -ENOENT, "there is no HaVip %.100s", item->id);
}

static int read_havip(struct cloud_session *session, size_t i, struct cloud_view *view)
{
	const char *partner = session->config->words[CLOUD_WORD_PARTNER];
	json_t *answer = NULL, *havip;
	int rc = find_havip(session, &session->config->items[i], &answer, &havip);

	if (rc)
		return rc;
	if (!is_associated(havip, session->config->words[CLOUD_WORD_INTERFACE]))
		cloud_view_misplaced(session, i, "not associated with this node's interface", view);
	else if (partner && is_associated(havip, partner))
		cloud_view_misplaced(session, i, "associated with the partner's interface, too",
				     view);
	json_decref(answer);
	return 0;
}

/* What kind of resource the fence is, as the tags' API calls it. */
static const char *fence_type(const char *fence)
{
	static const struct {
		const char *prefix, *type;
	} types[] = {
		{ "vtb-", "ROUTETABLE" }, { "havip-", "HAVIP" }, { "vpc-", "VPC" },
		{ "vsw-", "VSWITCH" },	  { "eip-", "EIP" },
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!strncmp(fence, types[i].prefix, strlen(types[i].prefix)))
			return types[i].type;
	return "VPC";
}

static int read_claims(struct cloud_session *session, struct cloud_view *view)
{
	const char *fence = cloud_fence(session);
	const struct parameter parameters[] = {
		{ "RegionId", session->config->words[CLOUD_WORD_REGION] },
		{ "ResourceType", fence_type(fence) },
		{ "ResourceId.1", fence },
		{ "MaxResults", "50" },
	};
	json_t *answer = NULL, *tag;
	size_t i;
	int rc = call(session, "ListTagResources", parameters, 4, &answer);

	json_array_foreach(cloud_at(answer, "TagResources", "TagResource"), i, tag)
		cloud_view_record(session, cloud_string(tag, "TagKey"),
				  cloud_string(tag, "TagValue"), view);
	json_decref(answer);
	return rc;
}

static int alibaba_read(struct cloud_session *session, struct cloud_view *view)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < session->config->n_items; i++)
		rc = session->config->items[i].kind == CLOUD_ROUTE ? read_route(session, i, view)
								   : read_havip(session, i, view);
	return rc ? rc : read_claims(session, view);
}

/* ---- writing ---- */

static int alibaba_claim(struct cloud_session *session, uint64_t generation)
{
	const char *fence = cloud_fence(session);
	char value[24], *name = cloud_record_name(session);
	const struct parameter parameters[] = {
		{ "RegionId", session->config->words[CLOUD_WORD_REGION] },
		{ "ResourceType", fence_type(fence) },
		{ "ResourceId.1", fence },
		{ "Tag.1.Key", name ? name : "" },
		{ "Tag.1.Value", value },
	};
	int rc;

	snprintf(value, sizeof(value), "%" PRIu64, generation);
	rc = name ? call(session, "TagResources", parameters, 5, NULL)
		  : cloud_fail(session, -ENOMEM, "out of memory");
	free(name);
	return rc;
}

static int assert_route(struct cloud_session *session, const struct cloud_item *item)
{
	const char *region = session->config->words[CLOUD_WORD_REGION];
	const char *own = session->config->words[CLOUD_WORD_INTERFACE];
	const struct parameter create[] = {
		{ "RegionId", region },
		{ "RouteTableId", item->id },
		{ "DestinationCidrBlock", item->prefix },
		{ "NextHopType", "NetworkInterface" },
		{ "NextHopId", own },
	};
	json_t *answer = NULL, *route;
	int rc = find_route(session, item, &answer, &route);

	if (!rc && route) {
		const struct parameter modify[] = {
			{ "RegionId", region },
			{ "RouteEntryId", cloud_string(route, "RouteEntryId") },
			{ "NewNextHopType", "NetworkInterface" },
			{ "NewNextHopId", own },
		};

		rc = call(session, "ModifyRouteEntry", modify, 4, NULL);
	} else if (!rc) {
		rc = call(session, "CreateRouteEntry", create, 5, NULL);
	}
	json_decref(answer);
	return rc;
}

static int havip_call(struct cloud_session *session, const char *action,
		      const struct cloud_item *item, const char *instance)
{
	const struct parameter parameters[] = {
		{ "RegionId", session->config->words[CLOUD_WORD_REGION] },
		{ "HaVipId", item->id },
		{ "InstanceId", instance },
		{ "InstanceType", "NetworkInterface" },
	};

	return call(session, action, parameters, 4, NULL);
}

static int assert_havip(struct cloud_session *session, const struct cloud_item *item)
{
	const char *own = session->config->words[CLOUD_WORD_INTERFACE];
	const char *partner = session->config->words[CLOUD_WORD_PARTNER];
	json_t *answer = NULL, *havip;
	int rc = find_havip(session, item, &answer, &havip);

	if (rc)
		return rc;
	if (!is_associated(havip, own))
		rc = havip_call(session, "AssociateHaVip", item, own);
	if (!rc && partner && is_associated(havip, partner))
		rc = havip_call(session, "UnassociateHaVip", item, partner);
	json_decref(answer);
	return rc;
}

static int alibaba_assert(struct cloud_session *session, const struct cloud_view *view,
			  uint64_t generation)
{
	int rc = 0;

	(void)generation;
	for (size_t i = 0; !rc && i < session->config->n_items; i++) {
		const struct cloud_item *item = &session->config->items[i];

		if (view->misplaced >> i & 1)
			rc = item->kind == CLOUD_ROUTE ? assert_route(session, item)
						       : assert_havip(session, item);
	}
	return rc;
}

const struct cloud_adapter cloud_alibaba = { alibaba_keys, alibaba_read, alibaba_claim,
					     alibaba_assert };
