/* SPDX-License-Identifier: GPL-2.0-only */
#include "frame_filter.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>

struct frame_filter {
	struct bpf_program program;
};

int frame_filter_new(const char *expression, uint32_t snap, struct frame_filter **ret_filter,
		     char reason[static FRAME_FILTER_REASON_LEN])
{
	struct frame_filter *filter = calloc(1, sizeof(*filter));
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, (int)snap);
	int rc = 0;

	if (!filter || !pcap) {
		rc = -ENOMEM;
	} else if (pcap_compile(pcap, &filter->program, expression, 1, PCAP_NETMASK_UNKNOWN)) {
		snprintf(reason, FRAME_FILTER_REASON_LEN, "%s", pcap_geterr(pcap));
		rc = -EINVAL;
	}
	if (pcap)
		pcap_close(pcap);
	if (rc)
		free(filter);
	else
		*ret_filter = filter;
	return rc;
}

void frame_filter_free(struct frame_filter *filter)
{
	if (!filter)
		return;
	pcap_freecode(&filter->program);
	free(filter);
}

bool frame_filter_takes(const struct frame_filter *filter, const void *data, uint32_t caplen,
			uint32_t len)
{
	const struct pcap_pkthdr header = { .caplen = caplen, .len = len };

	return pcap_offline_filter(&filter->program, &header, data);
}
