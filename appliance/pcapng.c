/* SPDX-License-Identifier: GPL-2.0-only */
#include "pcapng.h"

#include <errno.h>
#include <string.h>

enum block {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
};

enum option {
	OPTION_END = 0,
	OPTION_COMMENT = 1,
	OPTION_SECTION_PROGRAM = 4,
	OPTION_INTERFACE_NAME = 2,
	OPTION_INTERFACE_DESCRIPTION = 3,
	OPTION_INTERFACE_RESOLUTION = 9,
	OPTION_PACKET_FLAGS = 2,
	OPTION_PACKET_VERDICT = 7,
	OPTION_STATISTICS_RECEIVED = 4,
	OPTION_STATISTICS_DROPPED = 5,
};

#define MAGIC 0x1a2b3c4d
#define NANOSECONDS 9 /* a resolution of 10^-9 s */

static size_t padded(size_t len)
{
	return (len + 3) & ~(size_t)3;
}

static size_t option_size(size_t len)
{
	return 4 + padded(len);
}

static void put(FILE *out, const void *bytes, size_t len)
{
	static const char zeros[4];

	fwrite(bytes, 1, len, out);
	fwrite(zeros, 1, padded(len) - len, out);
}

static void put16(FILE *out, uint16_t a, uint16_t b)
{
	fwrite(&a, sizeof(a), 1, out);
	fwrite(&b, sizeof(b), 1, out);
}

static void put32(FILE *out, uint32_t value)
{
	fwrite(&value, sizeof(value), 1, out);
}

static void put_option(FILE *out, enum option option, const void *bytes, size_t len)
{
	put16(out, (uint16_t)option, (uint16_t)len);
	put(out, bytes, len);
}

static void put_time(FILE *out, uint64_t at_ns)
{
	put32(out, (uint32_t)(at_ns >> 32));
	put32(out, (uint32_t)at_ns);
}

static int result(FILE *out)
{
	return ferror(out) ? -(errno ? errno : EIO) : 0;
}

int pcapng_begin(FILE *out, const char *program)
{
	const size_t size = 28 + option_size(strlen(program)) + 4;
	const int64_t unknown = -1;

	put32(out, BLOCK_SECTION);
	put32(out, (uint32_t)size);
	put32(out, MAGIC);
	put16(out, 1, 0);
	fwrite(&unknown, sizeof(unknown), 1, out);
	put_option(out, OPTION_SECTION_PROGRAM, program, strlen(program));
	put16(out, OPTION_END, 0);
	put32(out, (uint32_t)size);
	return result(out);
}

int pcapng_interface(FILE *out, const char *name, const char *description, uint16_t link,
		     uint32_t snap)
{
	const uint8_t resolution = NANOSECONDS;
	const size_t size = 20 + option_size(strlen(name)) + option_size(strlen(description)) +
			    option_size(1) + 4;

	put32(out, BLOCK_INTERFACE);
	put32(out, (uint32_t)size);
	put16(out, link, 0);
	put32(out, snap);
	put_option(out, OPTION_INTERFACE_NAME, name, strlen(name));
	put_option(out, OPTION_INTERFACE_DESCRIPTION, description, strlen(description));
	put_option(out, OPTION_INTERFACE_RESOLUTION, &resolution, 1);
	put16(out, OPTION_END, 0);
	put32(out, (uint32_t)size);
	return result(out);
}

#define VERDICT_LEN 9 /* kind, and 64 bits */

size_t pcapng_packet_size(const struct pcapng_packet *packet)
{
	return 32 + padded(packet->caplen) + option_size(4) + option_size(VERDICT_LEN) +
	       option_size(strlen(packet->comment)) + 4;
}

int pcapng_packet(FILE *out, const struct pcapng_packet *packet)
{
	const uint32_t size = (uint32_t)pcapng_packet_size(packet);
	const uint32_t flags = packet->out ? 2 : 1;
	uint8_t verdict[VERDICT_LEN] = { (uint8_t)packet->kind };

	memcpy(verdict + 1, &packet->verdict, 8);
	put32(out, BLOCK_PACKET);
	put32(out, size);
	put32(out, packet->interface);
	put_time(out, packet->at_ns);
	put32(out, packet->caplen);
	put32(out, packet->len);
	put(out, packet->data, packet->caplen);
	put_option(out, OPTION_COMMENT, packet->comment, strlen(packet->comment));
	put_option(out, OPTION_PACKET_FLAGS, &flags, 4);
	put_option(out, OPTION_PACKET_VERDICT, verdict, sizeof(verdict));
	put16(out, OPTION_END, 0);
	put32(out, size);
	return result(out);
}

int pcapng_statistics(FILE *out, uint32_t interface, uint64_t at_ns, uint64_t received,
		      uint64_t dropped)
{
	const size_t size = 20 + 2 * option_size(8) + 4 + 4;

	put32(out, BLOCK_STATISTICS);
	put32(out, (uint32_t)size);
	put32(out, interface);
	put_time(out, at_ns);
	put_option(out, OPTION_STATISTICS_RECEIVED, &received, 8);
	put_option(out, OPTION_STATISTICS_DROPPED, &dropped, 8);
	put16(out, OPTION_END, 0);
	put32(out, (uint32_t)size);
	return result(out);
}
