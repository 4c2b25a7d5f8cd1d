/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is moved to this gateway by a cloud's API when it becomes active, and how a provider's
 * adapter is asked to do so.
 *
 * Every gateway leaves its claim (the generation of its role) in a record of its own at the
 * provider, never in another's: tags of a resource that both gateways name, or whatever else the
 * API has. So nobody can overwrite a higher claim, and who looks after having written sees it.
 * Adapters read, claim and assert when told; who may do what when is claim.h's to decide.
 *
 * Adapters make requests by a function that they are given, and wait for the answer. They run in
 * a process of their own (netpas-cloud), and in tests.
 */
#ifndef NETPAS_CLOUD_H
#define NETPAS_CLOUD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOUD_NAME_MAX 32   /* of a site or node, as in mesh.yaml */
#define CLOUD_ITEMS_MAX 64  /* of one node */
#define CLOUD_ERROR_LEN 320 /* of a message */
#define CLOUD_BODY_MAX (1u << 20)
#define CLOUD_VERIFY_MS 10000 /* default */

enum cloud_provider {
	CLOUD_AWS,
	CLOUD_AZURE,
	CLOUD_GCP,
	CLOUD_ALIBABA,
	CLOUD_TENCENT,
	CLOUD_OPENSTACK,
	CLOUD_PROVIDER_MAX,
};
extern const char *const cloud_provider_names[CLOUD_PROVIDER_MAX]; /* "aws", ... */

/* Single values of the configuration, by their words in node.yaml. */
enum cloud_word {
	CLOUD_WORD_REGION,
	CLOUD_WORD_SUBSCRIPTION,
	CLOUD_WORD_GROUP,
	CLOUD_WORD_PROJECT,
	CLOUD_WORD_NETWORK,
	CLOUD_WORD_INTERFACE,	/* this node's own */
	CLOUD_WORD_PARTNER,	/* the other gateway's interface */
	CLOUD_WORD_FENCE,	/* the resource that carries the claims */
	CLOUD_WORD_IDENTITY,	/* where tokens are had: a URL */
	CLOUD_WORD_ENDPOINT,	/* where the API is: a URL */
	CLOUD_WORD_METADATA,	/* where the machine's own role is asked for: a URL */
	CLOUD_WORD_CREDENTIALS, /* file; none: the machine's own role */
	CLOUD_WORD_CA,		/* file of certificates to trust; none: the system's */
	CLOUD_WORD_MAX,
};
extern const char *const cloud_word_names[CLOUD_WORD_MAX];

enum cloud_kind {
	CLOUD_ROUTE,   /* id: the table, prefix: the destination */
	CLOUD_ADDRESS, /* id: an address of the LAN, a VIP */
	CLOUD_PUBLIC,  /* id: an elastic public address */
	CLOUD_HAVIP,   /* id: a "highly available virtual IP" */
	CLOUD_KIND_MAX,
};
extern const char *const cloud_kind_names[CLOUD_KIND_MAX]; /* "routes", "addresses", ... */

struct cloud_item {
	enum cloud_kind kind;
	char *id;
	char *prefix; /* of a route, else NULL */
};

struct cloud_config {
	enum cloud_provider provider;
	char *words[CLOUD_WORD_MAX]; /* NULL: not given */
	struct cloud_item *items;    /* 1..CLOUD_ITEMS_MAX */
	size_t n_items;
	uint32_t verify_ms; /* between two looks at what is held */
	char site[CLOUD_NAME_MAX], node[CLOUD_NAME_MAX];
	char *next_hop4, *next_hop6; /* this gateway's addresses on the LAN; NULL: none */
};

void cloud_config_free(struct cloud_config *config);

/* For the way from netpasd to netpas-cloud. -EBADMSG if the JSON is not what cloud_config_pack() makes. */
json_t *cloud_config_pack(const struct cloud_config *config);
int cloud_config_unpack(json_t *json, struct cloud_config **ret_config);

/* What a provider's items and words may be: for the check of the configuration. */
struct cloud_rules {
	unsigned int required, allowed; /* words, as bits; required ones are allowed */
	unsigned int kinds;		/* of items, as bits */
	bool ipv6_routes;
	const char *table_prefix;     /* that ids of route tables begin with; NULL: any */
	const char *interface_prefix; /* likewise */
	const char *public_prefix, *havip_prefix;
};
extern const struct cloud_rules cloud_rules[CLOUD_PROVIDER_MAX];

/* What was read back from the provider. */
struct cloud_view {
	uint64_t own_generation; /* of this node's record; 0: there is none */
	uint64_t rival_generation;
	char rival[CLOUD_NAME_MAX];  /* whose claim is the highest of the others'; "" none */
	uint64_t misplaced;	     /* items that are not here, as bits */
	char where[CLOUD_ERROR_LEN]; /* of the first of them: what it is and where */
};

enum cloud_method {
	CLOUD_GET,
	CLOUD_POST,
	CLOUD_PUT,
	CLOUD_DELETE,
	CLOUD_METHOD_MAX,
};
extern const char *const cloud_method_names[CLOUD_METHOD_MAX];

#define CLOUD_HEADERS_MAX 12

struct cloud_request {
	enum cloud_method method;
	char *url;
	char *headers[CLOUD_HEADERS_MAX]; /* "name: value" */
	size_t n_headers;
	char *body;    /* NULL: none */
	bool metadata; /* of the machine's own metadata service, which is near and not encrypted */
};

struct cloud_response {
	unsigned int status;
	char *body; /* NUL at its end, NUL bytes within are possible */
	size_t len;
	char token[8192];	    /* header x-subject-token */
	unsigned int retry_after_s; /* header retry-after; 0: none */
};

/*
 * One request and its answer. 0, or -errno with a reason in words: -ECANCELED if the caller has
 * something else to do now.
 */
typedef int cloud_exchange_fn(const struct cloud_request *request, struct cloud_response *response,
			      char reason[static CLOUD_ERROR_LEN], void *data);

/* Never logged; wiped when they go. */
struct cloud_keys {
	char *id, *secret, *token;
	int64_t expires_s; /* UNIX time; 0: not known to end */
};

struct cloud_session {
	const struct cloud_config *config;
	cloud_exchange_fn *exchange;
	int64_t (*now_s)(void); /* UNIX time */
	void *data;
	struct cloud_keys keys;
	char error[CLOUD_ERROR_LEN]; /* of the call that failed last; holds no secret */
	unsigned int retry_after_s;  /* what the provider then asked for; 0: nothing */
	unsigned int requests;	     /* made */
	char *service;		     /* where the API is, if that had to be asked for */
};

void cloud_session_fini(struct cloud_session *session);

/*
 * Each is several requests. 0, or -errno with session->error. read: a view that is put together
 * with the claims looked at last. claim: make this node's record say this generation. assert: bring
 * what the view says is elsewhere here.
 */
int cloud_read(struct cloud_session *session, struct cloud_view *ret_view);
int cloud_claim(struct cloud_session *session, uint64_t generation);
int cloud_assert(struct cloud_session *session, const struct cloud_view *view, uint64_t generation);

/* Have keys that are good for ten more minutes, so that nobody waits for them when it matters. */
int cloud_keys_ready(struct cloud_session *session);

/* "route 10.2.0.0/16 of rtb-1", for messages. */
const char *cloud_item_text(const struct cloud_item *item, char buf[static 192]);

#endif
