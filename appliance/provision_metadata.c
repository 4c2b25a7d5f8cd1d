/* SPDX-License-Identifier: GPL-2.0-only */
#include "provision_metadata.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cloud/adapter.h"

const char *const provision_cloud_names[PROVISION_CLOUD_MAX + 1] = {
	[PROVISION_AWS] = "aws",
	[PROVISION_AZURE] = "azure",
	[PROVISION_GCE] = "gce",
	[PROVISION_ALIBABA] = "alibaba",
	[PROVISION_OPENSTACK] = "openstack",
	[PROVISION_TENCENT] = "tencent",
	[PROVISION_NONE] = "none",
};

static bool begins(const char *text, const char *start)
{
	return !strncasecmp(text, start, strlen(start));
}

enum provision_cloud provision_cloud_detect(const struct provision_dmi *dmi)
{
	/* What Azure and nobody else has; Hyper-V at home has the vendor, too. */
	if (!strcmp(dmi->asset, "7783-7084-3265-9085-8269-3286-77"))
		return PROVISION_AZURE;
	if (begins(dmi->vendor, "Alibaba Cloud") || begins(dmi->product, "Alibaba Cloud"))
		return PROVISION_ALIBABA;
	if (begins(dmi->vendor, "Tencent Cloud"))
		return PROVISION_TENCENT;
	if (!strcmp(dmi->product, "Google Compute Engine"))
		return PROVISION_GCE;
	/* Nitro, and Xen with its uuid. */
	if (begins(dmi->vendor, "Amazon EC2") || begins(dmi->bios, "Amazon EC2") ||
	    (begins(dmi->vendor, "Xen") && begins(dmi->uuid, "ec2")))
		return PROVISION_AWS;
	if (begins(dmi->product, "OpenStack ") || begins(dmi->vendor, "OpenStack Foundation") ||
	    !strcmp(dmi->asset, "OpenTelekomCloud") || !strcmp(dmi->asset, "HUAWEICLOUD"))
		return PROVISION_OPENSTACK;
	return PROVISION_NONE;
}

/* ---- requests ---- */

static int fail(struct provision_metadata *metadata, int error, const char *url, const char *reason)
{
	snprintf(metadata->error, sizeof(metadata->error), "%.160s: %.150s", url, reason);
	return error;
}

/*
 * One request: 0 with an answer; -ENOENT: there is no such thing there; -EAGAIN, -EPROTO, -ENOMEM with the
 * error set. headers: one a line, or NULL.
 */
static int ask(struct provision_metadata *metadata, enum cloud_method method, char *url,
	       const char *const headers[], size_t n_headers, const char *body,
	       struct cloud_response *ret_response)
{
	char reason[CLOUD_ERROR_LEN] = "";
	struct cloud_response response = { 0 };
	struct cloud_request request;
	char *copy = body ? strdup(body) : NULL;
	int ret;

	if (!url || (body && !copy)) {
		free(url);
		free(copy);
		return fail(metadata, -ENOMEM, "request", "out of memory");
	}
	cloud_request_init(&request, method, url, copy);
	request.metadata = true;
	for (size_t i = 0; i < n_headers; i++)
		cloud_request_header(&request, "%s", headers[i]);
	for (size_t i = 0; i < request.n_headers; i++) {
		if (!request.headers[i]) {
			ret = fail(metadata, -ENOMEM, url, "out of memory");
			goto out;
		}
	}
	ret = metadata->exchange(&request, &response, reason, metadata->data);
	if (ret) {
		ret = fail(metadata, ret == -ENOMEM ? ret : -EAGAIN, url, reason);
	} else if (response.status == 404) {
		ret = -ENOENT;
	} else if (response.status / 100 != 2) {
		snprintf(reason, sizeof(reason), "status %u", response.status);
		ret = fail(metadata,
			   response.status >= 500 || response.status == 429 ? -EAGAIN : -EPROTO,
			   url, reason);
	}
out:
	if (ret)
		cloud_response_fini(&response);
	else
		*ret_response = response;
	cloud_request_fini(&request);
	return ret;
}

/* GET of this path, with one header or none. */
static int get(struct provision_metadata *metadata, const char *base, const char *path,
	       const char *header, struct cloud_response *ret_response)
{
	return ask(metadata, CLOUD_GET, cloud_text("%s%s", base, path), &header, header ? 1 : 0,
		   NULL, ret_response);
}

static int take_user_data(struct provision_seed *seed, struct cloud_response *response)
{
	if (!response->body)
		return 0;
	seed->user_data = response->body;
	seed->user_data_len = response->len;
	response->body = NULL;
	return 0;
}

/* ---- EC2, and who does as it does ---- */

struct ec2_like {
	const char *base;
	const char *ttl;    /* header that asks for a token; NULL: there are none */
	const char *token;  /* header that carries it */
	const char *header; /* that every request has; NULL: none */
};

static const struct ec2_like ec2_likes[PROVISION_CLOUD_MAX] = {
	[PROVISION_AWS] = { "http://169.254.169.254", "X-aws-ec2-metadata-token-ttl-seconds: 300",
			    "X-aws-ec2-metadata-token", NULL },
	[PROVISION_ALIBABA] = { "http://100.100.100.200",
				"X-aliyun-ecs-metadata-token-ttl-seconds: 300",
				"X-aliyun-ecs-metadata-token", NULL },
	[PROVISION_TENCENT] = { "http://169.254.0.23", NULL, NULL,
				"Host: metadata.tencentyun.com" },
};

/* "0=name\n1=name": the key of each. */
static int ec2_keys(struct provision_metadata *metadata, const char *base, const char *header,
		    struct provision_seed *seed)
{
	static const char keys[] = "/latest/meta-data/public-keys/";
	struct cloud_response list = { 0 }, key = { 0 };
	unsigned int n = 0;
	char path[128];
	int ret;

	ret = get(metadata, base, keys, header, &list);
	if (ret)
		return ret == -ENOENT ? 0 : ret;
	for (const char *line = list.body; line && *line && n < PROVISION_KEYS_MAX && !ret; n++) {
		const size_t digits = strspn(line, "0123456789");

		if (digits && digits < 6) {
			snprintf(path, sizeof(path), "%s%.*s/openssh-key", keys, (int)digits, line);
			ret = get(metadata, base, path, header, &key);
			if (!ret && key.body)
				ret = provision_keys_add_text(&seed->keys, key.body,
							      &seed->bad_keys);
			cloud_response_fini(&key);
			if (ret == -ENOENT)
				ret = 0;
		}
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	cloud_response_fini(&list);
	return ret;
}

static void trim(struct cloud_response *response)
{
	if (response->body)
		response->body[strcspn(response->body, "\r\n")] = '\0';
}

static int ec2_words(struct provision_metadata *metadata, const char *base, const char *header,
		     struct provision_seed *seed)
{
	struct cloud_response response = { 0 };
	int ret;

	ret = get(metadata, base, "/latest/meta-data/instance-id", header, &response);
	if (ret == -ENOENT)
		return fail(metadata, -EPROTO, base, "it has no instance-id");
	if (ret)
		return ret;
	trim(&response);
	provision_seed_instance(seed, response.body ? response.body : "");
	cloud_response_fini(&response);
	ret = get(metadata, base, "/latest/meta-data/local-hostname", header, &response);
	if (!ret) {
		trim(&response);
		provision_seed_hostname(seed, response.body ? response.body : "");
		cloud_response_fini(&response);
	}
	if (ret && ret != -ENOENT)
		return ret;
	ret = get(metadata, base, "/latest/user-data", header, &response);
	if (!ret)
		ret = take_user_data(seed, &response);
	cloud_response_fini(&response);
	if (ret && ret != -ENOENT)
		return ret;
	return ec2_keys(metadata, base, header, seed);
}

static int read_ec2(struct provision_metadata *metadata, struct provision_seed *seed)
{
	const struct ec2_like *like = &ec2_likes[metadata->cloud];
	const char *base = metadata->base ? metadata->base : like->base;
	struct cloud_response response = { 0 };
	char *header = NULL;
	int ret;

	if (like->ttl) {
		ret = ask(metadata, CLOUD_PUT, cloud_text("%s/latest/api/token", base), &like->ttl,
			  1, "", &response);
		if (ret == -ENOENT)
			ret = fail(metadata, -EPROTO, base, "it gives no token");
		if (ret)
			return ret;
		trim(&response);
		header = cloud_text("%s: %s", like->token, response.body ? response.body : "");
		cloud_response_fini(&response);
		if (!header)
			return fail(metadata, -ENOMEM, base, "out of memory");
	}
	ret = ec2_words(metadata, base, header ? header : like->header, seed);
	if (header)
		explicit_bzero(header, strlen(header));
	free(header);
	return ret;
}

/* ---- Google ---- */

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* 'google-ssh {"userName": ..., "expireOn": "2026-01-02T03:04:05+0000"}' at the end of a key. */
static bool is_expired(const char *line, size_t len, int64_t now_s)
{
	static const char word[] = "\"expireOn\":\"";
	const char *at = memmem(line, len, word, sizeof(word) - 1);
	char now[32] = "";
	time_t seconds = (time_t)now_s;
	struct tm tm;

	if (!at || (size_t)(line + len - at) < sizeof(word) + 19 || !gmtime_r(&seconds, &tm) ||
	    !strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%S", &tm))
		return false;
	return memcmp(at + sizeof(word) - 1, now, 19) < 0;
}

/* "user:key" in each line: whoever it is may log in as root, which is the only one there is. */
static int gce_keys(struct provision_seed *seed, const char *text, int64_t now_s)
{
	const char *colon, *space;
	size_t len;
	int ret = 0;

	for (; *text && !ret; text += len + !!text[len]) {
		len = strcspn(text, "\n");
		colon = memchr(text, ':', len);
		space = memchr(text, ' ', len);
		if (strspn(text, " \t\r") >= len || is_expired(text, len, now_s))
			continue;
		if (colon && (!space || colon < space))
			ret = provision_keys_add(&seed->keys, colon + 1,
						 len - (size_t)(colon + 1 - text));
		else
			ret = provision_keys_add(&seed->keys, text, len);
		seed->bad_keys += ret == -EINVAL || ret == -ENOSPC;
		if (ret != -ENOMEM)
			ret = 0;
	}
	return ret;
}

int provision_gce_parse(const char *text, size_t len, int64_t now_s, struct provision_seed *seed)
{
	/* Identifiers may have 64 bits and no sign. */
	json_t *root = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, NULL);
	const json_t *instance = json_object_get(root, "instance");
	const json_t *attributes = json_object_get(instance, "attributes");
	const json_t *project = json_object_get(json_object_get(root, "project"), "attributes");
	const char *data;
	int ret;

	if (!json_is_object(instance)) {
		json_decref(root);
		return -EINVAL;
	}
	provision_seed_hostname(seed, member(instance, "hostname"));
	ret = gce_keys(seed, member(attributes, "ssh-keys"), now_s);
	if (!ret && strcasecmp(member(attributes, "block-project-ssh-keys"), "true"))
		ret = gce_keys(seed, member(project, "ssh-keys"), now_s);
	data = member(attributes, "user-data");
	if (!ret && *data) {
		seed->user_data = strdup(data);
		seed->user_data_len = strlen(data);
		ret = seed->user_data ? 0 : -ENOMEM;
	}
	json_decref(root);
	return ret;
}

static int read_gce(struct provision_metadata *metadata, struct provision_seed *seed)
{
	static const char header[] = "Metadata-Flavor: Google";
	const char *base = metadata->base ? metadata->base : "http://169.254.169.254";
	struct cloud_response response = { 0 };
	int ret;

	ret = get(metadata, base, "/computeMetadata/v1/instance/id", header, &response);
	if (!ret) {
		trim(&response);
		provision_seed_instance(seed, response.body ? response.body : "");
		cloud_response_fini(&response);
		ret = get(metadata, base, "/computeMetadata/v1/?recursive=true&alt=json", header,
			  &response);
	}
	if (ret)
		return ret == -ENOENT
			       ? fail(metadata, -EPROTO, base, "this is not Google's service")
			       : ret;
	ret = provision_gce_parse(response.body ? response.body : "", response.len, metadata->now_s,
				  seed);
	cloud_response_fini(&response);
	return ret == -EINVAL ? fail(metadata, -EPROTO, base, "its answer is damaged") : ret;
}

/* ---- OpenStack ---- */

static int read_openstack(struct provision_metadata *metadata, struct provision_seed *seed)
{
	const char *base = metadata->base ? metadata->base : "http://169.254.169.254";
	struct cloud_response response = { 0 };
	int ret;

	ret = get(metadata, base, "/openstack/latest/meta_data.json", NULL, &response);
	if (ret == -ENOENT)
		return fail(metadata, -EPROTO, base, "it has no meta_data.json");
	if (ret)
		return ret;
	ret = provision_seed_openstack(response.body ? response.body : "", response.len, seed);
	cloud_response_fini(&response);
	if (ret == -EINVAL)
		return fail(metadata, -EPROTO, base, "meta_data.json is damaged");
	if (!ret)
		ret = get(metadata, base, "/openstack/latest/network_data.json", NULL, &response);
	/* Addresses by DHCP are right without it, too. */
	if (!ret && provision_seed_network(response.body ? response.body : "", response.len, seed))
		fprintf(stderr, "netpas-provision: network_data.json is damaged, and ignored\n");
	cloud_response_fini(&response);
	if (!ret || ret == -ENOENT)
		ret = get(metadata, base, "/openstack/latest/user_data", NULL, &response);
	if (!ret)
		ret = take_user_data(seed, &response);
	cloud_response_fini(&response);
	return ret == -ENOENT ? 0 : ret;
}

/* ---- Azure ---- */

static int read_azure(struct provision_metadata *metadata, struct provision_seed *seed)
{
	static const char path[] = "/metadata/instance/compute?api-version=2021-02-01&format=json";
	const char *base = metadata->base ? metadata->base : "http://169.254.169.254";
	struct cloud_response response = { 0 };
	int ret;

	ret = get(metadata, base, path, "Metadata: true", &response);
	if (ret)
		return ret == -ENOENT ? fail(metadata, -EPROTO, base, "this is not Azure's service")
				      : ret;
	ret = provision_azure_parse(response.body ? response.body : "", response.len, seed);
	cloud_response_fini(&response);
	return ret == -EINVAL ? fail(metadata, -EPROTO, base, "its answer is damaged") : ret;
}

int provision_metadata_ready(struct provision_metadata *metadata)
{
	static const char *const headers[] = {
		"x-ms-agent-name: netpas-provision",
		"x-ms-version: 2012-11-30",
		"Content-Type: text/xml;charset=utf-8",
	};
	const char *base = metadata->wire ? metadata->wire : "http://168.63.129.16";
	struct cloud_response response = { 0 };
	char *health = NULL;
	int ret;

	ret = ask(metadata, CLOUD_GET, cloud_text("%s/machine/?comp=goalstate", base), headers, 3,
		  NULL, &response);
	if (ret)
		return ret == -ENOENT ? fail(metadata, -EPROTO, base, "no goal state") : ret;
	ret = provision_health_make(response.body ? response.body : "", response.len, &health);
	cloud_response_fini(&response);
	if (ret)
		return fail(metadata, ret == -EINVAL ? -EPROTO : ret, base,
			    "its goal state is damaged");
	ret = ask(metadata, CLOUD_POST, cloud_text("%s/machine/?comp=health", base), headers, 3,
		  health, &response);
	free(health);
	cloud_response_fini(&response);
	return ret == -ENOENT ? fail(metadata, -EPROTO, base, "it takes no health report") : ret;
}

int provision_metadata_read(struct provision_metadata *metadata, struct provision_seed *seed)
{
	static int (*const readers[PROVISION_CLOUD_MAX])(struct provision_metadata *,
							 struct provision_seed *) = {
		[PROVISION_AWS] = read_ec2,
		[PROVISION_AZURE] = read_azure,
		[PROVISION_GCE] = read_gce,
		[PROVISION_ALIBABA] = read_ec2,
		[PROVISION_OPENSTACK] = read_openstack,
		[PROVISION_TENCENT] = read_ec2,
	};

	*metadata->error = '\0';
	snprintf(seed->source, sizeof(seed->source), "metadata service of %s",
		 provision_cloud_names[metadata->cloud]);
	return readers[metadata->cloud](metadata, seed);
}
