/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Amazon EC2: routes (ReplaceRoute), secondary addresses (AssignPrivateIpAddresses with
 * AllowReassignment) and elastic addresses (AssociateAddress with AllowReassociation) move to this
 * node's network interface. The API has no conditional update, so claims are tags of one resource,
 * a tag for each node (docs.aws.amazon.com/AWSEC2/latest/APIReference).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "adapter.h"
#include "sign.h"
#include "xml.h"

#define API_VERSION "2016-11-15"
#define TOKEN_TTL_S 21600

/* ---- keys: IMDSv2, docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html ---- */

static const char *metadata(const struct cloud_session *session)
{
	return cloud_word(session, CLOUD_WORD_METADATA, "http://169.254.169.254");
}

static int metadata_get(struct cloud_session *session, const char *token, const char *role,
			struct cloud_response *ret_response)
{
	struct cloud_request request;

	cloud_request_init(&request, CLOUD_GET,
			   cloud_text("%s/latest/meta-data/iam/security-credentials/%s",
				      metadata(session), role),
			   NULL);
	request.metadata = true;
	cloud_request_header(&request, "x-aws-ec2-metadata-token: %s", token);
	return cloud_send(session, &request, ret_response);
}

static int aws_keys(struct cloud_session *session)
{
	struct cloud_response response;
	struct cloud_request request;
	char *token = NULL, *role = NULL;
	int rc;

	if (session->config->words[CLOUD_WORD_CREDENTIALS])
		return cloud_keys_file(session, "access_key_id", "secret_access_key",
				       "session_token");
	cloud_request_init(&request, CLOUD_PUT,
			   cloud_text("%s/latest/api/token", metadata(session)), strdup(""));
	request.metadata = true;
	cloud_request_header(&request, "x-aws-ec2-metadata-token-ttl-seconds: %d", TOKEN_TTL_S);
	rc = cloud_send(session, &request, &response);
	if (!rc)
		rc = cloud_take_word(session, "metadata token", &response, &token);
	if (!rc)
		rc = metadata_get(session, token, "", &response);
	if (!rc)
		rc = cloud_take_role(session, "IAM", &response, &role);
	if (!rc)
		rc = metadata_get(session, token, role, &response);
	if (!rc)
		rc = cloud_take_role_keys(session, &response, "AccessKeyId", "SecretAccessKey",
					  "Token");
	free(token);
	free(role);
	return rc;
}

/* ---- calls ---- */

static void sign(struct cloud_session *session, struct cloud_request *request, const char *host)
{
	static const char type[] = "application/x-www-form-urlencoded; charset=utf-8";
	const char *region = session->config->words[CLOUD_WORD_REGION];
	const int64_t now = session->now_s();
	struct cloud_keys *keys = &session->keys;
	char time[17], *headers[4] = { 0 }, *authorization = NULL;
	struct sign_request signing = {
		.method = "POST",
		.path = "/",
		.query = "",
		.headers = (const char *const *)headers,
		.n_headers = keys->token ? 4 : 3,
		.body = request->body,
		.body_len = request->body ? strlen(request->body) : 0,
	};

	sign_time_basic(now, time);
	headers[0] = cloud_text("content-type:%s", type);
	headers[1] = cloud_text("host:%s", host);
	headers[2] = cloud_text("x-amz-date:%s", time);
	headers[3] = cloud_text("x-amz-security-token:%s", keys->token ? keys->token : "");
	if (headers[0] && headers[1] && headers[2] && headers[3] && request->body)
		authorization = sign_aws4(&signing, keys, region, "ec2", now);
	cloud_request_header(request, "content-type: %s", type);
	cloud_request_header(request, "x-amz-date: %s", time);
	if (keys->token)
		cloud_request_header(request, "x-amz-security-token: %s", keys->token);
	cloud_request_header(request, "authorization: %s", authorization ? authorization : "");
	free(authorization);
	for (size_t i = 0; i < 4; i++)
		free(headers[i]);
}

/* Where the API is. */
static char *endpoint(const struct cloud_session *session)
{
	const char *region = session->config->words[CLOUD_WORD_REGION];
	const char *given = session->config->words[CLOUD_WORD_ENDPOINT];

	return given ? strdup(given)
		     : cloud_text("https://ec2.%s.amazonaws.com%s", region,
				  strncmp(region, "cn-", 3) ? "" : ".cn");
}

/*
 * An action and its parameters ("&Name=value..."; freed). *ret_answer: the root element of the
 * answer, and code: that of an error ("" none).
 */
static int call(struct cloud_session *session, const char *action, char *parameters,
		json_t **ret_answer, char code[static 64])
{
	struct cloud_response response;
	struct cloud_request request;
	json_t *document = NULL, *root = NULL, *error;
	char *url = endpoint(session), *host = cloud_host(url);
	unsigned int status;
	int rc;

	code[0] = '\0';
	cloud_request_init(
		&request, CLOUD_POST, url ? cloud_text("%s/", url) : NULL,
		parameters ? cloud_text("Action=%s&Version=" API_VERSION "%s", action, parameters)
			   : NULL);
	free(url);
	free(parameters);
	sign(session, &request, host ? host : "");
	free(host);
	rc = cloud_send(session, &request, &response);
	if (rc)
		return rc;
	status = response.status;
	rc = xml_parse(response.body ? response.body : "", response.len, &document);
	cloud_response_fini(&response);
	if (!rc)
		root = json_array_get(json_object_iter_value(json_object_iter(document)), 0);
	if (status != 200) {
		error = xml_element(xml_element(root, "Errors", 0), "Error", 0);
		snprintf(code, 64, "%s", xml_text(error, "Code"));
		rc = cloud_refused(session, action, status, code, xml_text(error, "Message"));
	} else if (rc || !json_is_object(root)) {
		rc = cloud_fail(session, -EBADMSG,
				"%s: HTTP 200, but the answer is not XML, or not all of it",
				action);
	} else if (ret_answer) {
		*ret_answer = json_incref(root);
	} else if (*xml_text(root, "return") && strcmp(xml_text(root, "return"), "true")) {
		rc = cloud_fail(session, -EREMOTEIO, "%s: the answer does not say that it was done",
				action);
	}
	json_decref(document);
	return rc;
}

/* ---- reading ---- */

/* "&NAME.1=ID1&NAME.2=ID2..." of all items of this kind. */
static char *list_ids(const struct cloud_session *session, enum cloud_kind kind, const char *name)
{
	const struct cloud_config *config = session->config;
	char *text = NULL;
	size_t size, n = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < config->n_items; i++)
		if (config->items[i].kind == kind && !cloud_listed_before(config, i))
			fprintf(out, "&%s.%zu=%s", name, ++n, config->items[i].id);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

static bool has_kind(const struct cloud_config *config, enum cloud_kind kind)
{
	for (size_t i = 0; i < config->n_items; i++)
		if (config->items[i].kind == kind)
			return true;
	return false;
}

/* The element of a set ("routeTableSet" of "item"s) whose field has this value. */
static json_t *find_item(json_t *answer, const char *set, const char *field, const char *value)
{
	json_t *items = xml_element(answer, set, 0), *item;

	for (size_t i = 0; (item = xml_element(items, "item", i)); i++)
		if (!strcasecmp(xml_text(item, field), value))
			return item;
	return NULL;
}

static void judge_route(const struct cloud_session *session, size_t i, json_t *answer,
			struct cloud_view *view)
{
	const char *own = session->config->words[CLOUD_WORD_INTERFACE];
	const struct cloud_item *item = &session->config->items[i];
	json_t *table = find_item(answer, "routeTableSet", "routeTableId", item->id);
	json_t *route = find_item(table, "routeSet",
				  strchr(item->prefix, ':') ? "destinationIpv6CidrBlock"
							    : "destinationCidrBlock",
				  item->prefix);
	const char *to = xml_text(route, "networkInterfaceId");
	char where[100];

	if (!strcmp(to, own) && !strcmp(xml_text(route, "state"), "active"))
		return;
	if (!route)
		snprintf(where, sizeof(where), "not in the table");
	else if (!strcmp(to, own))
		snprintf(where, sizeof(where), "here, but %.30s", xml_text(route, "state"));
	else
		snprintf(where, sizeof(where), "at %.60s", *to ? to : "something else");
	cloud_view_misplaced(session, i, where, view);
}

static int read_routes(struct cloud_session *session, struct cloud_view *view)
{
	json_t *answer = NULL;
	char code[64];
	int rc = call(session, "DescribeRouteTables",
		      list_ids(session, CLOUD_ROUTE, "RouteTableId"), &answer, code);

	for (size_t i = 0; !rc && i < session->config->n_items; i++)
		if (session->config->items[i].kind == CLOUD_ROUTE)
			judge_route(session, i, answer, view);
	json_decref(answer);
	return rc;
}

static int read_addresses(struct cloud_session *session, struct cloud_view *view)
{
	const char *own = session->config->words[CLOUD_WORD_INTERFACE];
	json_t *answer = NULL, *interface;
	char code[64];
	int rc = call(session, "DescribeNetworkInterfaces",
		      cloud_text("&NetworkInterfaceId.1=%s", own), &answer, code);

	if (rc)
		return rc;
	interface = find_item(answer, "networkInterfaceSet", "networkInterfaceId", own);
	for (size_t i = 0; i < session->config->n_items; i++) {
		const struct cloud_item *item = &session->config->items[i];

		if (item->kind == CLOUD_ADDRESS &&
		    !find_item(interface, "privateIpAddressesSet", "privateIpAddress", item->id))
			cloud_view_misplaced(session, i, "not here", view);
	}
	json_decref(answer);
	return 0;
}

static int read_public(struct cloud_session *session, struct cloud_view *view)
{
	const char *own = session->config->words[CLOUD_WORD_INTERFACE], *at;
	json_t *answer = NULL;
	char code[64], where[100];
	int rc = call(session, "DescribeAddresses", list_ids(session, CLOUD_PUBLIC, "AllocationId"),
		      &answer, code);

	for (size_t i = 0; !rc && i < session->config->n_items; i++) {
		const struct cloud_item *item = &session->config->items[i];

		if (item->kind != CLOUD_PUBLIC)
			continue;
		at = xml_text(find_item(answer, "addressesSet", "allocationId", item->id),
			      "networkInterfaceId");
		if (!strcmp(at, own))
			continue;
		snprintf(where, sizeof(where), "at %.60s", *at ? at : "no interface");
		cloud_view_misplaced(session, i, where, view);
	}
	json_decref(answer);
	return rc;
}

static int read_claims(struct cloud_session *session, struct cloud_view *view)
{
	json_t *answer = NULL, *tags, *tag;
	char code[64];
	int rc = call(
		session, "DescribeTags",
		cloud_text("&Filter.1.Name=resource-id&Filter.1.Value.1=%s", cloud_fence(session)),
		&answer, code);

	if (rc)
		return rc;
	tags = xml_element(answer, "tagSet", 0);
	for (size_t i = 0; (tag = xml_element(tags, "item", i)); i++)
		cloud_view_record(session, xml_text(tag, "key"), xml_text(tag, "value"), view);
	json_decref(answer);
	return 0;
}

static int aws_read(struct cloud_session *session, struct cloud_view *view)
{
	static int (*const readers[CLOUD_KIND_MAX])(struct cloud_session * session,
						    struct cloud_view * view) = {
		[CLOUD_ROUTE] = read_routes,
		[CLOUD_ADDRESS] = read_addresses,
		[CLOUD_PUBLIC] = read_public,
	};
	int rc = 0;

	for (size_t kind = 0; !rc && kind < CLOUD_KIND_MAX; kind++)
		if (readers[kind] && has_kind(session->config, (enum cloud_kind)kind))
			rc = readers[kind](session, view);
	return rc ? rc : read_claims(session, view);
}

/* ---- writing ---- */

static int aws_claim(struct cloud_session *session, uint64_t generation)
{
	char *name = cloud_record_name(session), *key = name ? cloud_encode(name) : NULL;
	char code[64], *parameters = NULL;

	if (key)
		parameters = cloud_text("&ResourceId.1=%s&Tag.1.Key=%s&Tag.1.Value=%" PRIu64,
					cloud_fence(session), key, generation);
	free(name);
	free(key);
	return call(session, "CreateTags", parameters, NULL, code);
}

static int assert_route(struct cloud_session *session, const struct cloud_item *item)
{
	const char *own = session->config->words[CLOUD_WORD_INTERFACE];
	const char *field =
		strchr(item->prefix, ':') ? "DestinationIpv6CidrBlock" : "DestinationCidrBlock";
	char *prefix = cloud_encode(item->prefix);
	char *parameters = prefix ? cloud_text("&RouteTableId=%s&%s=%s&NetworkInterfaceId=%s",
					       item->id, field, prefix, own)
				  : NULL;
	char *again = parameters ? strdup(parameters) : NULL;
	char code[64];
	int rc = call(session, "ReplaceRoute", parameters, NULL, code);

	free(prefix);
	/* There is nothing to replace. */
	if (rc &&
	    (!strcmp(code, "InvalidParameterValue") || !strcmp(code, "InvalidRoute.NotFound")))
		return call(session, "CreateRoute", again, NULL, code);
	free(again);
	return rc;
}

static int aws_assert(struct cloud_session *session, const struct cloud_view *view,
		      uint64_t generation)
{
	const char *own = session->config->words[CLOUD_WORD_INTERFACE];
	char code[64];
	int rc = 0;

	(void)generation;
	for (size_t i = 0; !rc && i < session->config->n_items; i++) {
		const struct cloud_item *item = &session->config->items[i];

		if (!(view->misplaced >> i & 1))
			continue;
		switch (item->kind) {
		case CLOUD_ROUTE:
			rc = assert_route(session, item);
			break;
		case CLOUD_ADDRESS:
			rc = call(session, "AssignPrivateIpAddresses",
				  cloud_text("&NetworkInterfaceId=%s&PrivateIpAddress.1=%s"
					     "&AllowReassignment=true",
					     own, item->id),
				  NULL, code);
			break;
		case CLOUD_PUBLIC:
			rc = call(session, "AssociateAddress",
				  cloud_text("&AllocationId=%s&NetworkInterfaceId=%s"
					     "&AllowReassociation=true",
					     item->id, own),
				  NULL, code);
			break;
		case CLOUD_HAVIP:
		case CLOUD_KIND_MAX:
			break;
		}
	}
	return rc;
}

const struct cloud_adapter cloud_aws = { aws_keys, aws_read, aws_claim, aws_assert };
