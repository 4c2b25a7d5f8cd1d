/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Signatures of requests. All are HMAC-SHA256 over a canonical form of the request: AWS
 * Signature Version 4, Tencent Cloud's TC3 and Alibaba Cloud's ACS3 differ in what the key is
 * derived from and in what surrounds the hash.
 */
#ifndef NETPAS_CLOUD_SIGN_H
#define NETPAS_CLOUD_SIGN_H

#include <stddef.h>
#include <stdint.h>

#include "cloud.h"

#define SIGN_HEX_LEN 65 /* SHA-256 in hexadecimal, with its NUL */

/* Of a request as it goes out. Headers: "name:value", names in lower case, sorted, without Authorization. */
struct sign_request {
	const char *method, *path, *query; /* query: encoded and sorted, "" none */
	const char *const *headers;
	size_t n_headers;
	const char *body;
	size_t body_len;
};

void sign_hash(const void *data, size_t len, char ret_hex[static SIGN_HEX_LEN]);

/*
 * The value of the Authorization header; free() it, NULL if out of memory.
 * AWS: docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 * TC3: tencentcloud.com/document/api/213/33224
 * ACS3: alibabacloud.com/help/en/sdk/product-overview/v3-request-structure-and-signature
 */
char *sign_aws4(const struct sign_request *request, const struct cloud_keys *keys,
		const char *region, const char *service, int64_t at_s);
char *sign_tc3(const struct sign_request *request, const struct cloud_keys *keys,
	       const char *service, int64_t at_s);
char *sign_acs3(const struct sign_request *request, const struct cloud_keys *keys);

/* "20150830T123600Z", "2015-08-30T12:36:00Z" */
void sign_time_basic(int64_t at_s, char ret_text[static 17]);
void sign_time_extended(int64_t at_s, char ret_text[static 21]);

#endif
