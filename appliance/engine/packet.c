/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/packet.h"

/* RFC 1624, equation 3. */
static void checksum_replace(uint8_t *sum, uint16_t from, uint16_t to)
{
	uint32_t acc;

	acc = (uint16_t) ~((uint16_t)sum[0] << 8 | sum[1]);
	acc += (uint16_t)~from;
	acc += to;
	acc = (acc & 0xffff) + (acc >> 16);
	acc += acc >> 16;
	acc = ~acc & 0xffff;
	sum[0] = (uint8_t)(acc >> 8);
	sum[1] = (uint8_t)acc;
}

void packet_set_ce(uint8_t *data, uint32_t len)
{
	uint16_t from;

	if (len >= 20 && data[0] >> 4 == 4) {
		if ((data[1] & 3) == 0)
			return;
		from = (uint16_t)((uint16_t)data[0] << 8 | data[1]);
		data[1] |= 3;
		checksum_replace(data + 10, from, from | 3);
	} else if (len >= 40 && data[0] >> 4 == 6) {
		if (data[1] & 0x30)
			data[1] |= 0x30;
	}
}
