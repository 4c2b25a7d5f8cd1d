/* SPDX-License-Identifier: GPL-2.0-only */
/* What Azure hands over: IMDS, ovf-env.xml on the provisioning DVD, and the wire server's goal state. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/xml.h"
#include "provision_metadata.h"

/* Element number i of this name, whatever prefix its name space has in the file. */
static json_t *element(json_t *parent, const char *name, size_t i)
{
	const char *key, *colon;
	json_t *value;

	json_object_foreach(parent, key, value)
	{
		colon = strchr(key, ':');
		if (!strcmp(colon ? colon + 1 : key, name))
			return json_array_get(value, i);
	}
	return NULL;
}

static const char *text_of(json_t *parent, const char *name)
{
	const char *text = json_string_value(element(parent, name, 0));

	return text ? text : "";
}

/* Base64 in the place of user data. 0, -EINVAL or -ENOMEM. */
static int take_data(struct provision_seed *seed, const char *base64)
{
	if (seed->user_data || !base64[strspn(base64, " \t\r\n")])
		return 0;
	if (strlen(base64) > PROVISION_TEXT_MAX)
		return -EINVAL;
	return provision_text_base64(base64, strlen(base64), &seed->user_data,
				     &seed->user_data_len);
}

int provision_ovf_parse(const char *text, size_t len, struct provision_seed *seed)
{
	json_t *root, *set, *keys, *key;
	int ret;

	ret = xml_parse(text, len, &root);
	if (ret)
		return ret == -ENOMEM ? ret : -EINVAL;
	set = element(element(element(root, "Environment", 0), "ProvisioningSection", 0),
		      "LinuxProvisioningConfigurationSet", 0);
	if (!json_is_object(set)) {
		json_decref(root);
		return -EINVAL;
	}
	if (!*seed->hostname)
		provision_seed_hostname(seed, text_of(set, "HostName"));
	keys = element(element(set, "SSH", 0), "PublicKeys", 0);
	for (size_t i = 0; !ret && (key = element(keys, "PublicKey", i)); i++)
		ret = provision_keys_add_text(&seed->keys, text_of(key, "Value"), &seed->bad_keys);
	if (!ret)
		ret = take_data(seed, text_of(set, "CustomData"));
	json_decref(root);
	return ret;
}

int provision_seed_read_ovf(const char *dir, struct provision_seed *seed,
			    char reason[static PROVISION_REASON_LEN])
{
	char path[PATH_MAX], *text;
	size_t len;
	int ret;

	snprintf(path, sizeof(path), "%s/ovf-env.xml", dir);
	ret = provision_file_read(path, &text, &len);
	if (ret == -ENOENT)
		return -ENODATA;
	if (!ret) {
		ret = provision_ovf_parse(text, len, seed);
		explicit_bzero(text, len);
		free(text);
	}
	if (ret)
		snprintf(reason, PROVISION_REASON_LEN, "ovf-env.xml: %s",
			 ret == -EINVAL ? "damaged" : strerror(-ret));
	return ret;
}

static const char *member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

int provision_azure_parse(const char *text, size_t len, struct provision_seed *seed)
{
	json_t *root = json_loadb(text, len, 0, NULL), *value;
	const char *name;
	size_t i;
	int ret;

	if (!json_is_object(root)) {
		json_decref(root);
		return -EINVAL;
	}
	provision_seed_instance(seed, member(root, "vmId"));
	name = member(json_object_get(root, "osProfile"), "computerName");
	provision_seed_hostname(seed, *name ? name : member(root, "name"));
	ret = take_data(seed, member(root, "userData"));
	json_array_foreach(json_object_get(root, "publicKeys"), i, value) if (!ret) ret =
		provision_keys_add_text(&seed->keys, member(value, "keyData"), &seed->bad_keys);
	json_decref(root);
	return ret;
}

/* Identifiers are put into XML: what they are made of needs no escape there. */
static bool is_plain(const char *text)
{
	const size_t len = strlen(text);

	return len && len < 256 &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
			    "-_.{}") == len;
}

int provision_health_make(const char *text, size_t len, char **ret_health)
{
	const char *incarnation, *container, *instance;
	json_t *root, *state, *box;
	int ret;

	ret = xml_parse(text, len, &root);
	if (ret)
		return ret == -ENOMEM ? ret : -EINVAL;
	state = element(root, "GoalState", 0);
	box = element(state, "Container", 0);
	incarnation = text_of(state, "Incarnation");
	container = text_of(box, "ContainerId");
	instance = text_of(element(element(box, "RoleInstanceList", 0), "RoleInstance", 0),
			   "InstanceId");
	ret = -EINVAL;
	if (is_plain(incarnation) && is_plain(container) && is_plain(instance))
		ret = asprintf(ret_health,
			       "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
			       "<Health><GoalStateIncarnation>%s</GoalStateIncarnation>"
			       "<Container><ContainerId>%s</ContainerId><RoleInstanceList><Role>"
			       "<InstanceId>%s</InstanceId><Health><State>Ready</State></Health>"
			       "</Role></RoleInstanceList></Container></Health>\n",
			       incarnation, container, instance) < 0
			      ? -ENOMEM
			      : 0;
	json_decref(root);
	return ret;
}
