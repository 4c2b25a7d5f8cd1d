/* SPDX-License-Identifier: GPL-2.0-only */
/* What all adapters share. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../file.h"
#include "adapter.h"

#define KEYS_MARGIN_S 600 /* keys are renewed that long before they end */
#define KEYS_FILE_MAX 16384

const char *const cloud_method_names[CLOUD_METHOD_MAX] = {
	[CLOUD_GET] = "GET",
	[CLOUD_POST] = "POST",
	[CLOUD_PUT] = "PUT",
	[CLOUD_DELETE] = "DELETE",
};

static const struct cloud_adapter *const adapters[CLOUD_PROVIDER_MAX] = {
	[CLOUD_AWS] = &cloud_aws,	  [CLOUD_AZURE] = &cloud_azure,
	[CLOUD_GCP] = &cloud_gcp,	  [CLOUD_ALIBABA] = &cloud_alibaba,
	[CLOUD_TENCENT] = &cloud_tencent, [CLOUD_OPENSTACK] = &cloud_openstack,
};

char *cloud_text(const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	return text;
}

char *cloud_encode(const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	char *result = malloc(strlen(text) * 3 + 1), *at = result;

	if (!result)
		return NULL;
	for (; *text; text++) {
		if (strchr(plain, *text))
			*at++ = *text;
		else
			at += sprintf(at, "%%%02X", (unsigned char)*text);
	}
	*at = '\0';
	return result;
}

char *cloud_host(const char *url)
{
	const char *start = url ? strstr(url, "://") : NULL;

	return start ? strndup(start + 3, strcspn(start + 3, "/")) : NULL;
}

/* ---- requests ---- */

void cloud_request_init(struct cloud_request *request, enum cloud_method method, char *url,
			char *body)
{
	*request = (struct cloud_request){ .method = method, .url = url, .body = body };
}

void cloud_request_header(struct cloud_request *request, const char *fmt, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	/* A request without it is refused by the provider, and cloud_send() sees the gap. */
	if (request->n_headers < CLOUD_HEADERS_MAX)
		request->headers[request->n_headers++] = text;
	else
		free(text);
}

static void wipe(char *text)
{
	if (text)
		OPENSSL_cleanse(text, strlen(text));
	free(text);
}

void cloud_request_fini(struct cloud_request *request)
{
	for (size_t i = 0; i < request->n_headers; i++)
		wipe(request->headers[i]);
	free(request->url);
	wipe(request->body);
	*request = (struct cloud_request){ 0 };
}

void cloud_response_fini(struct cloud_response *response)
{
	if (response->body)
		OPENSSL_cleanse(response->body, response->len);
	free(response->body);
	OPENSSL_cleanse(response->token, sizeof(response->token));
	*response = (struct cloud_response){ 0 };
}

static bool is_whole(const struct cloud_request *request)
{
	for (size_t i = 0; i < request->n_headers; i++)
		if (!request->headers[i])
			return false;
	return request->url &&
	       (request->body || request->method == CLOUD_GET || request->method == CLOUD_DELETE);
}

/* The machine and the port of a URL, for messages: what follows may hold more than is wanted there. */
static int url_host(const char *url, const char **ret_host)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	*ret_host = host;
	return (int)strcspn(host, "/?");
}

int cloud_send(struct cloud_session *session, struct cloud_request *request,
	       struct cloud_response *ret_response)
{
	struct cloud_response response = { 0 };
	char reason[CLOUD_ERROR_LEN] = "";
	const char *host;
	int rc = -ENOMEM, len;

	session->retry_after_s = 0;
	if (!is_whole(request)) {
		(void)cloud_fail(session, rc, "out of memory");
		goto out;
	}
	session->requests++;
	rc = session->exchange(request, &response, reason, session->data);
	if (rc) {
		len = url_host(request->url, &host);
		(void)cloud_fail(session, rc, "%.*s: %s", len < 120 ? len : 120, host, reason);
		cloud_response_fini(&response);
		goto out;
	}
	session->retry_after_s = response.retry_after_s;
	*ret_response = response;
out:
	cloud_request_fini(request);
	return rc;
}

/* ---- errors ---- */

/* Every occurrence of what is secret becomes stars. */
static void redact(char *text, const char *secret)
{
	const size_t len = secret ? strlen(secret) : 0;

	if (len < 8)
		return;
	for (char *at = strstr(text, secret); at; at = strstr(at, secret))
		memset(at, '*', len);
}

int cloud_fail(struct cloud_session *session, int error, const char *fmt, ...)
{
	char text[CLOUD_ERROR_LEN];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args); /* a cut message is better than none */
	va_end(args);
	for (char *at = text; *at; at++)
		if ((unsigned char)*at < 0x20 || (unsigned char)*at >= 0x7f)
			*at = ' ';
	/* Only now: a blank in the place of something else may have completed one. */
	redact(text, session->keys.secret);
	redact(text, session->keys.token);
	memcpy(session->error, text, sizeof(text));
	return error;
}

/* Codes that mean the keys, whatever status they come with. */
static bool is_about_keys(const char *code)
{
	static const char *const codes[] = { "InvalidAccessKeyId", "InvalidSecurityToken",
					     "AuthFailure" };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (!strncmp(code, codes[i], strlen(codes[i])))
			return true;
	return strstr(code, "Expired");
}

int cloud_refused(struct cloud_session *session, const char *what, unsigned int status,
		  const char *code, const char *message)
{
	const bool keys = status == 401 || status == 403 || (code && is_about_keys(code));
	const int error = keys				   ? -EACCES
			  : status == 404		   ? -ENOENT
			  : status == 409 || status == 412 ? -ESTALE
			  : status == 429 || status == 503 ? -EBUSY
							   : -EREMOTEIO;

	return cloud_fail(session, error, "%s: HTTP %u%s%.60s%s%.160s", what, status,
			  code && *code ? ", " : "", code ? code : "",
			  message && *message ? ": " : "", message ? message : "");
}

/* An error's code and message, wherever in an answer of JSON the provider keeps them. */
static int refused_json(struct cloud_session *session, const char *what, unsigned int status,
			json_t *json)
{
	static const char *const places[] = { "error", "Error", "NeutronError", NULL };
	json_t *error = json;
	const char *code, *message;

	if (json_is_object(json_object_get(json, "Response")))
		error = json = json_object_get(json, "Response");
	for (size_t i = 0; places[i]; i++)
		if (json_is_object(json_object_get(json, places[i])))
			error = json_object_get(json, places[i]);
	code = cloud_string(error, "code");
	if (!*code)
		code = cloud_string(error, "Code");
	if (!*code)
		code = cloud_string(error, "type");
	if (!*code)
		code = cloud_string(error, "error");
	message = cloud_string(error, "message");
	if (!*message)
		message = cloud_string(error, "Message");
	if (!*message)
		message = cloud_string(error, "error_description");
	return cloud_refused(session, what, status, code, message);
}

int cloud_take_json(struct cloud_session *session, const char *what,
		    struct cloud_response *response, json_t **ret_json)
{
	const unsigned int status = response->status;
	const bool good = status >= 200 && status < 300;
	json_error_t where;
	json_t *json;
	int rc = 0;

	json = json_loadb(response->body ? response->body : "", response->len, 0, &where);
	cloud_response_fini(response);
	if (!good)
		rc = refused_json(session, what, status, json);
	else if (!json_is_object(json))
		rc = cloud_fail(session, -EBADMSG, "%s: HTTP %u, but the answer is not %s", what,
				status, json ? "a JSON object" : "JSON, or not all of it");
	if (rc)
		json_decref(json);
	else
		*ret_json = json;
	return rc;
}

int cloud_take_status(struct cloud_session *session, const char *what,
		      struct cloud_response *response)
{
	const unsigned int status = response->status;
	json_error_t where;
	json_t *json;
	int rc = 0;

	if (status < 200 || status >= 300) {
		json = json_loadb(response->body ? response->body : "", response->len, 0, &where);
		rc = refused_json(session, what, status, json);
		json_decref(json);
	}
	cloud_response_fini(response);
	return rc;
}

int cloud_take_word(struct cloud_session *session, const char *what,
		    struct cloud_response *response, char **ret_word)
{
	size_t len = 0;
	int rc = 0;

	if (response->status != 200) {
		rc = cloud_refused(session, what, response->status, NULL, NULL);
	} else {
		len = strcspn(response->body ? response->body : "", "\r\n");
		if (!len || len > 2048 || len + 2 < response->len ||
		    strcspn(response->body, " \t/?%\"") < len)
			rc = cloud_fail(session, -EBADMSG, "%s: not an answer of one word", what);
	}
	if (!rc) {
		*ret_word = strndup(response->body, len);
		if (!*ret_word)
			rc = cloud_fail(session, -ENOMEM, "out of memory");
	}
	cloud_response_fini(response);
	return rc;
}

/* ---- JSON and words ---- */

json_t *cloud_at(json_t *object, const char *outer, const char *inner)
{
	return json_object_get(json_object_get(object, outer), inner);
}

bool cloud_number(const char *text, uint64_t *ret_number)
{
	uint64_t number = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9' || __builtin_mul_overflow(number, 10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*text - '0'), &number))
			return false;
	}
	*ret_number = number;
	return true;
}

const char *cloud_word(const struct cloud_session *session, enum cloud_word word,
		       const char *otherwise)
{
	const char *value = session->config->words[word];

	return value ? value : otherwise;
}

int64_t cloud_time(const char *text)
{
	struct tm tm = { 0 };
	time_t at;

	if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%S", &tm))
		return 0;
	at = timegm(&tm);
	return at > 0 ? at : 0;
}

/* ---- keys ---- */

static void keys_wipe(struct cloud_keys *keys)
{
	wipe(keys->id);
	wipe(keys->secret);
	wipe(keys->token);
	*keys = (struct cloud_keys){ 0 };
}

int cloud_keys_set(struct cloud_session *session, const char *id, const char *secret,
		   const char *token, int64_t expires_s)
{
	struct cloud_keys keys = { .expires_s = expires_s };

	keys.id = strdup(id ? id : "");
	keys.secret = strdup(secret ? secret : "");
	if (token && *token)
		keys.token = strdup(token);
	if (!keys.id || !keys.secret || (token && *token && !keys.token)) {
		keys_wipe(&keys);
		return cloud_fail(session, -ENOMEM, "out of memory");
	}
	keys_wipe(&session->keys);
	session->keys = keys;
	return 0;
}

int cloud_keys_file(struct cloud_session *session, const char *id, const char *secret,
		    const char *token)
{
	const char *path = cloud_word(session, CLOUD_WORD_CREDENTIALS, "");
	char buf[KEYS_FILE_MAX];
	json_error_t where;
	json_t *json = NULL;
	struct stat st;
	size_t len = 0;
	int fd, rc;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st))
		rc = cloud_fail(session, -errno, "credentials %s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode) || (st.st_mode & 077))
		rc = cloud_fail(session, -EPERM, "credentials %s: %s", path,
				S_ISREG(st.st_mode) ? "open to group or others; chmod 600 it"
						    : "not a regular file");
	else
		rc = file_read(fd, buf, sizeof(buf), &len);
	if (fd >= 0)
		(void)close(fd); /* only read from */
	if (rc)
		return *session->error
			       ? rc
			       : cloud_fail(session, rc, "credentials %s: %s", path, strerror(-rc));
	json = json_loadb(buf, len, JSON_REJECT_DUPLICATES, &where);
	OPENSSL_cleanse(buf, sizeof(buf));
	if (!json_is_object(json) || !*cloud_string(json, id) || !*cloud_string(json, secret))
		rc = cloud_fail(session, -EINVAL,
				"credentials %s: a JSON object with \"%s\" and \"%s\" is wanted",
				path, id, secret);
	else
		rc = cloud_keys_set(session, cloud_string(json, id), cloud_string(json, secret),
				    token ? cloud_string(json, token) : NULL, 0);
	json_decref(json);
	return rc;
}

int cloud_take_role(struct cloud_session *session, const char *kind,
		    struct cloud_response *response, char **ret_role)
{
	const int rc = cloud_take_word(session, "role of this instance", response, ret_role);

	if (rc == -ENOENT)
		(void)cloud_fail(session, rc,
				 "this instance has no %s role: attach one, or give a "
				 "credentials file",
				 kind);
	return rc;
}

int cloud_take_role_keys(struct cloud_session *session, struct cloud_response *response,
			 const char *id, const char *secret, const char *token)
{
	static const char what[] = "keys of this instance's role";
	json_t *json = NULL;
	int64_t expires_s;
	int rc = cloud_take_json(session, what, response, &json);

	if (rc)
		return rc;
	expires_s = cloud_time(cloud_string(json, "Expiration"));
	if (!expires_s)
		expires_s = json_integer_value(json_object_get(json, "ExpiredTime"));
	if (!*cloud_string(json, id) || !*cloud_string(json, secret))
		rc = cloud_fail(session, -EBADMSG, "%s: %.60s", what,
				*cloud_string(json, "Code") ? cloud_string(json, "Code")
							    : "there are none in the answer");
	else
		rc = cloud_keys_set(session, cloud_string(json, id), cloud_string(json, secret),
				    cloud_string(json, token), expires_s);
	json_decref(json);
	return rc;
}

int cloud_keys_ready(struct cloud_session *session)
{
	const int64_t now = session->now_s();
	int rc;

	if (session->keys.id &&
	    (!session->keys.expires_s || session->keys.expires_s - KEYS_MARGIN_S > now))
		return 0;
	rc = adapters[session->config->provider]->keys(session);
	if (!rc)
		return 0;
	/* Old ones do while they last: the metadata service may be back by then. */
	return session->keys.id && session->keys.expires_s > now ? 0 : rc;
}

void cloud_request_bearer(struct cloud_request *request, const struct cloud_session *session)
{
	cloud_request_header(request, "authorization: Bearer %s",
			     session->keys.secret ? session->keys.secret : "");
}

/* A number, or one in quotes: both are in use. */
static int64_t seconds_of(json_t *json, const char *key)
{
	json_t *value = json_object_get(json, key);
	uint64_t number = 0;

	if (json_is_integer(value))
		return json_integer_value(value);
	return cloud_number(cloud_string(json, key), &number) && number < INT32_MAX * 4ull
		       ? (int64_t)number
		       : 0;
}

int cloud_keys_bearer(struct cloud_session *session, const char *what, json_t *json)
{
	const int64_t on = seconds_of(json, "expires_on"), in = seconds_of(json, "expires_in");
	const char *token = cloud_string(json, "access_token");

	if (!*token || strcspn(token, " \r\n") < strlen(token))
		return cloud_fail(session, -EBADMSG, "%s: there is none in the answer", what);
	return cloud_keys_set(session, "bearer", token, NULL,
			      on > 0   ? on
			      : in > 0 ? session->now_s() + in
				       : session->now_s() + KEYS_MARGIN_S * 2);
}

void cloud_session_fini(struct cloud_session *session)
{
	free(session->service);
	session->service = NULL;
	keys_wipe(&session->keys);
}

/* ---- views ---- */

char *cloud_record_name(const struct cloud_session *session)
{
	return cloud_text("netpas:%s:%s", session->config->site, session->config->node);
}

char *cloud_record_line(const struct cloud_session *session, uint64_t generation)
{
	return cloud_text("netpas:%" PRIu64 ":%s", generation, session->config->node);
}

bool cloud_view_line(const struct cloud_session *session, const char *line, struct cloud_view *view)
{
	const char *number = line + 7, *colon;
	uint64_t generation;
	char digits[24];

	if (strncmp(line, "netpas:", 7))
		return false;
	colon = strchr(number, ':');
	if (!colon || !colon[1] || strlen(colon + 1) >= CLOUD_NAME_MAX ||
	    (size_t)(colon - number) >= sizeof(digits))
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)(colon - number), number);
	if (!cloud_number(digits, &generation))
		return false;
	cloud_view_claim(session, colon + 1, generation, view);
	return true;
}

void cloud_view_claim(const struct cloud_session *session, const char *node, uint64_t generation,
		      struct cloud_view *view)
{
	if (!strcmp(node, session->config->node)) {
		if (generation > view->own_generation)
			view->own_generation = generation;
		return;
	}
	if (*view->rival &&
	    (generation < view->rival_generation ||
	     (generation == view->rival_generation && strcmp(node, view->rival) > 0)))
		return;
	view->rival_generation = generation;
	snprintf(view->rival, sizeof(view->rival), "%s", node);
}

void cloud_view_record(const struct cloud_session *session, const char *name, const char *value,
		       struct cloud_view *view)
{
	const size_t site_len = strlen(session->config->site);
	uint64_t generation;

	if (strncmp(name, "netpas:", 7) || strncmp(name + 7, session->config->site, site_len) ||
	    name[7 + site_len] != ':' || strlen(name + 8 + site_len) >= CLOUD_NAME_MAX ||
	    !name[8 + site_len] || !cloud_number(value, &generation))
		return;
	cloud_view_claim(session, name + 8 + site_len, generation, view);
}

const char *cloud_item_text(const struct cloud_item *item, char buf[static 192])
{
	static const char *const words[CLOUD_KIND_MAX] = { "route", "address", "public address",
							   "HaVip" };

	if (item->prefix)
		snprintf(buf, 192, "route %.60s of %.110s", item->prefix,
			 item->id ? item->id : "-");
	else
		snprintf(buf, 192, "%s %.110s", words[item->kind], item->id);
	return buf;
}

void cloud_view_misplaced(const struct cloud_session *session, size_t i, const char *where,
			  struct cloud_view *view)
{
	char text[192];

	if (!view->misplaced)
		snprintf(view->where, sizeof(view->where), "%s: %.100s",
			 cloud_item_text(&session->config->items[i], text), where);
	view->misplaced |= UINT64_C(1) << i;
}

const char *cloud_fence(const struct cloud_session *session)
{
	const struct cloud_config *config = session->config;
	const char *fence = config->words[CLOUD_WORD_FENCE];
	enum cloud_kind kind = CLOUD_KIND_MAX;

	if (fence)
		return fence;
	for (size_t i = 0; i < config->n_items; i++) {
		const struct cloud_item *item = &config->items[i];

		if (item->kind == CLOUD_ADDRESS || item->kind > kind ||
		    (item->kind == kind && strcmp(item->id, fence) >= 0))
			continue;
		kind = item->kind;
		fence = item->id;
	}
	return fence ? fence : "";
}

bool cloud_listed_before(const struct cloud_config *config, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (config->items[j].kind == config->items[i].kind && config->items[j].id &&
		    !strcmp(config->items[j].id, config->items[i].id))
			return true;
	return false;
}

/* Keys that were refused are not used again: there may be better ones at the next try. */
static int judge_keys(struct cloud_session *session, int rc)
{
	if (rc == -EACCES)
		keys_wipe(&session->keys);
	return rc;
}

int cloud_read(struct cloud_session *session, struct cloud_view *ret_view)
{
	struct cloud_view view = { 0 };
	int rc;

	session->error[0] = '\0';
	rc = cloud_keys_ready(session);
	if (!rc)
		rc = adapters[session->config->provider]->read(session, &view);
	if (!rc)
		*ret_view = view;
	return judge_keys(session, rc);
}

int cloud_claim(struct cloud_session *session, uint64_t generation)
{
	int rc;

	session->error[0] = '\0';
	rc = cloud_keys_ready(session);
	if (!rc)
		rc = adapters[session->config->provider]->claim(session, generation);
	return judge_keys(session, rc);
}

int cloud_assert(struct cloud_session *session, const struct cloud_view *view, uint64_t generation)
{
	int rc;

	session->error[0] = '\0';
	rc = cloud_keys_ready(session);
	if (!rc)
		rc = adapters[session->config->provider]->assert(session, view, generation);
	return judge_keys(session, rc);
}
