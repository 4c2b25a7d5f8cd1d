/* SPDX-License-Identifier: GPL-2.0-only */
/* Private to ha/cloud/: what adapters are made of. */
#ifndef NETPAS_CLOUD_ADAPTER_H
#define NETPAS_CLOUD_ADAPTER_H

#include "cloud.h"

struct cloud_adapter {
	int (*keys)(struct cloud_session *session); /* get new ones */
	int (*read)(struct cloud_session *session, struct cloud_view *view);
	int (*claim)(struct cloud_session *session, uint64_t generation);
	int (*assert)(struct cloud_session *session, const struct cloud_view *view,
		      uint64_t generation);
};
extern const struct cloud_adapter cloud_aws, cloud_azure, cloud_gcp, cloud_alibaba, cloud_tencent,
	cloud_openstack;

/* A message; NULL if out of memory. */
char *cloud_text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Percent-encoded as RFC 3986 has it: all but letters, digits and -._~; free() it. */
char *cloud_encode(const char *text);

/* A request that is sent once: takes url and body (NULL: out of memory). */
void cloud_request_init(struct cloud_request *request, enum cloud_method method, char *url,
			char *body);
void cloud_request_header(struct cloud_request *request, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void cloud_request_fini(struct cloud_request *request);
void cloud_response_fini(struct cloud_response *response);

/* Send and free the request. 0 with whatever status; -errno, session->error. */
int cloud_send(struct cloud_session *session, struct cloud_request *request,
	       struct cloud_response *ret_response);

/* The body as JSON, whose status has to be 2xx; frees the response. what: for messages. */
int cloud_take_json(struct cloud_session *session, const char *what,
		    struct cloud_response *response, json_t **ret_json);
/* 2xx is all that matters; frees the response. */
int cloud_take_status(struct cloud_session *session, const char *what,
		      struct cloud_response *response);

/* The body as one word, such as a token or a role's name; frees the response. */
int cloud_take_word(struct cloud_session *session, const char *what,
		    struct cloud_response *response, char **ret_word);

/*
 * What a metadata service says of the instance's role; frees the response. The role's name: -ENOENT
 * if the instance has none, of this kind ("IAM"). Its keys, until they expire: JSON with these fields.
 */
int cloud_take_role(struct cloud_session *session, const char *kind,
		    struct cloud_response *response, char **ret_role);
int cloud_take_role_keys(struct cloud_session *session, struct cloud_response *response,
			 const char *id, const char *secret, const char *token);

/* Set session->error, with all that is secret taken out, and return the error. */
int cloud_fail(struct cloud_session *session, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* As said by the provider: by code and message (either may be NULL), whose length is limited. */
int cloud_refused(struct cloud_session *session, const char *what, unsigned int status,
		  const char *code, const char *message);

const char *cloud_string(json_t *object, const char *key); /* never NULL: "" */
/* object[outer][inner], or NULL. */
json_t *cloud_at(json_t *object, const char *outer, const char *inner);

/* "authorization: Bearer TOKEN" */
void cloud_request_bearer(struct cloud_request *request, const struct cloud_session *session);
/* A token (field access_token) that came with its life time (expires_in, expires_on) as the keys. */
int cloud_keys_bearer(struct cloud_session *session, const char *what, json_t *json);

/* The credentials file as JSON, whose fields are then taken; keys are wiped first. */
int cloud_keys_file(struct cloud_session *session, const char *id, const char *secret,
		    const char *token);
int cloud_keys_set(struct cloud_session *session, const char *id, const char *secret,
		   const char *token, int64_t expires_s);
/* "2026-11-22T13:00:00Z" -> UNIX time, 0 if it is none. */
int64_t cloud_time(const char *text);

/* Of a URL, as it is signed: without a path, with a port that is not 443. NULL: none, or no memory. */
char *cloud_host(const char *url);

/* The word's value, or what stands in its place. */
const char *cloud_word(const struct cloud_session *session, enum cloud_word word,
		       const char *otherwise);

/* "netpas:SITE:NODE" <-> who; false: not of this site. */
char *cloud_record_name(const struct cloud_session *session);
/* Note a claim of somebody, by its record's name and value. */
void cloud_view_record(const struct cloud_session *session, const char *name, const char *value,
		       struct cloud_view *view);
void cloud_view_claim(const struct cloud_session *session, const char *node, uint64_t generation,
		      struct cloud_view *view);
/* Item number i is not here but there. */
void cloud_view_misplaced(const struct cloud_session *session, size_t i, const char *where,
			  struct cloud_view *view);
/* "netpas:GENERATION:NODE" where a record has no name and value of its own; at most 60 characters. */
char *cloud_record_line(const struct cloud_session *session, uint64_t generation);
/* Note it as above; false if this is none. */
bool cloud_view_line(const struct cloud_session *session, const char *line,
		     struct cloud_view *view);

/* A number in decimal and nothing else; false if it is not. */
bool cloud_number(const char *text, uint64_t *ret_number);

/*
 * The resource that carries the claims: what is configured, else the first by name of the route
 * tables, of the public addresses or of the HaVips. Both gateways come to the same one, in
 * whatever order they list them.
 */
const char *cloud_fence(const struct cloud_session *session);

/* Do these items have this id before number i? For lists without repetition. */
bool cloud_listed_before(const struct cloud_config *config, size_t i);

#endif
