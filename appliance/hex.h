/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef NETPAS_HEX_H
#define NETPAS_HEX_H

/* Value of a hexadecimal digit of either case, -1: none. */
static inline int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

#endif
