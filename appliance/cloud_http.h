/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests to a cloud's API, by libcurl: one after the other, each with a deadline, over TLS whose
 * certificates are verified. For netpas-cloud, which may wait; netpasd may not.
 */
#ifndef NETPAS_CLOUD_HTTP_H
#define NETPAS_CLOUD_HTTP_H

#include "cloud/cloud.h"

#define CLOUD_HTTP_TIMEOUT_MS 6000
#define CLOUD_HTTP_CONNECT_MS 4000  /* TLS included */
#define CLOUD_HTTP_METADATA_MS 1000 /* to connect: it is on this very host */

struct cloud_http;

/*
 * ca: a file of certificates, NULL: the system's. interrupt_fd: a request ends with -ECANCELED as
 * soon as this is readable; -1: none. 0 or -errno.
 */
int cloud_http_new(const char *ca, int interrupt_fd, struct cloud_http **ret_http);
void cloud_http_free(struct cloud_http *http);

/* A cloud_exchange_fn; data is the struct cloud_http. */
int cloud_http_exchange(const struct cloud_request *request, struct cloud_response *response,
			char reason[static CLOUD_ERROR_LEN], void *data);

#endif
