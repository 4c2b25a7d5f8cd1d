/* SPDX-License-Identifier: GPL-2.0-only */
#include "cloud_http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct cloud_http {
	CURLM *multi;
	CURL *easy;
	char *ca;
	int interrupt_fd;
};

int cloud_http_new(const char *ca, int interrupt_fd, struct cloud_http **ret_http)
{
	struct cloud_http *http = calloc(1, sizeof(*http));

	if (!http)
		return -ENOMEM;
	http->interrupt_fd = interrupt_fd;
	http->ca = ca ? strdup(ca) : NULL;
	if ((ca && !http->ca) || curl_global_init(CURL_GLOBAL_DEFAULT))
		goto err;
	http->multi = curl_multi_init();
	http->easy = curl_easy_init();
	if (!http->multi || !http->easy)
		goto err;
	*ret_http = http;
	return 0;

err:
	cloud_http_free(http);
	return -ENOMEM;
}

void cloud_http_free(struct cloud_http *http)
{
	if (!http)
		return;
	if (http->easy)
		curl_easy_cleanup(http->easy);
	if (http->multi)
		curl_multi_cleanup(http->multi);
	free(http->ca);
	free(http);
}

static size_t take_body(char *data, size_t size, size_t n, void *user)
{
	struct cloud_response *response = user;
	char *more;

	n *= size;
	if (n > CLOUD_BODY_MAX || response->len + n > CLOUD_BODY_MAX)
		return 0;
	more = realloc(response->body, response->len + n + 1);
	if (!more)
		return 0;
	memcpy(more + response->len, data, n);
	response->body = more;
	response->len += n;
	more[response->len] = '\0';
	return n;
}

/* The value of a header line if it has this name; *ret_len without what surrounds it. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *ret_len)
{
	const size_t name_len = strlen(name);

	if (len <= name_len || strncasecmp(line, name, name_len) || line[name_len] != ':')
		return NULL;
	line += name_len + 1;
	len -= name_len + 1;
	while (len && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len && strchr(" \t\r\n", line[len - 1]))
		len--;
	*ret_len = len;
	return line;
}

static size_t take_header(char *line, size_t size, size_t n, void *user)
{
	struct cloud_response *response = user;
	const char *value;
	size_t len;

	n *= size;
	value = header_value(line, n, "x-subject-token", &len);
	if (value && len < sizeof(response->token)) {
		memcpy(response->token, value, len);
		response->token[len] = '\0';
	}
	value = header_value(line, n, "retry-after", &len);
	if (value && len && len < 6 && strspn(value, "0123456789") >= len)
		response->retry_after_s = (unsigned int)strtoul(value, NULL, 10);
	return n;
}

static struct curl_slist *make_headers(const struct cloud_request *request)
{
	/* No "100 Continue" first, and no content type of curl's own. */
	struct curl_slist *list = curl_slist_append(NULL, "Expect:"), *longer;

	for (size_t i = 0; list && i < request->n_headers; i++) {
		longer = curl_slist_append(list, request->headers[i]);
		if (!longer)
			curl_slist_free_all(list);
		list = longer;
	}
	return list;
}

static bool prepare(const struct cloud_http *http, const struct cloud_request *request,
		    struct curl_slist *headers, struct cloud_response *response)
{
	const long connect_ms = request->metadata ? CLOUD_HTTP_METADATA_MS : CLOUD_HTTP_CONNECT_MS;
	CURL *easy = http->easy;
	CURLcode rc;

	curl_easy_reset(easy); /* connections and their TLS sessions stay */
	rc = curl_easy_setopt(easy, CURLOPT_URL, request->url);
	rc |= curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	rc |= curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	rc |= curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)CLOUD_HTTP_TIMEOUT_MS);
	rc |= curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
	rc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
	rc |= curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
	rc |= curl_easy_setopt(easy, CURLOPT_USERAGENT, "netpas");
	rc |= curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	rc |= curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
	rc |= curl_easy_setopt(easy, CURLOPT_WRITEDATA, response);
	rc |= curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
	rc |= curl_easy_setopt(easy, CURLOPT_HEADERDATA, response);
	if (http->ca)
		rc |= curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca);
	if (request->metadata)
		rc |= curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	if (request->body)
		rc |= curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
	if (request->method != CLOUD_GET)
		rc |= curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST,
				       cloud_method_names[request->method]);
	return rc == CURLE_OK;
}

/* Until it is done, or there is something else to do. */
static int wait(struct cloud_http *http, CURLcode *ret_result)
{
	struct curl_waitfd interrupt = { .fd = http->interrupt_fd, .events = CURL_WAIT_POLLIN };
	const unsigned int n = http->interrupt_fd >= 0;
	int running = 1, left;
	CURLMsg *message;

	while (running) {
		if (curl_multi_perform(http->multi, &running))
			return -EIO;
		if (running && curl_multi_poll(http->multi, &interrupt, n, 1000, NULL))
			return -EIO;
		if (running && n && interrupt.revents)
			return -ECANCELED;
	}
	message = curl_multi_info_read(http->multi, &left);
	if (!message)
		return -EIO;
	*ret_result = message->data.result;
	return 0;
}

int cloud_http_exchange(const struct cloud_request *request, struct cloud_response *response,
			char reason[static CLOUD_ERROR_LEN], void *data)
{
	struct curl_slist *headers = make_headers(request);
	char detail[CURL_ERROR_SIZE] = "";
	struct cloud_http *http = data;
	CURLcode result = CURLE_OK;
	long status = 0;
	int rc = -ENOMEM;

	if (headers && prepare(http, request, headers, response) &&
	    curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, detail) == CURLE_OK &&
	    curl_multi_add_handle(http->multi, http->easy) == CURLM_OK) {
		rc = wait(http, &result);
		(void)curl_easy_getinfo(http->easy, CURLINFO_RESPONSE_CODE, &status);
		(void)curl_multi_remove_handle(http->multi, http->easy);
	}
	if (!rc && result != CURLE_OK)
		rc = result == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT : -EIO;
	if (rc)
		snprintf(reason, CLOUD_ERROR_LEN, "%.200s",
			 *detail	      ? detail
			 : result != CURLE_OK ? curl_easy_strerror(result)
			 : rc == -ECANCELED   ? "interrupted"
					      : strerror(-rc));
	/* The buffer ends with this call. */
	(void)curl_easy_setopt(http->easy, CURLOPT_ERRORBUFFER, NULL);
	response->status = (unsigned int)status;
	curl_slist_free_all(headers);
	return rc;
}
