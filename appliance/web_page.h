/* SPDX-License-Identifier: GPL-2.0-only */
/* The page and the form before it, made once of appliance/page/, which is compiled in. */
#ifndef NETPAS_WEB_PAGE_H
#define NETPAS_WEB_PAGE_H

#include <stdbool.h>
#include <stddef.h>

/* 0 or -ENOMEM. */
int web_page_init(void);

const char *web_page_text(size_t *ret_len);
const char *web_page_login(bool failed, size_t *ret_len);

/* The Content-Security-Policy: these styles and this script, and nothing from anywhere else. */
const char *web_page_policy(void);

#endif
