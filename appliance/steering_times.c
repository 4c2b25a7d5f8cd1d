/* SPDX-License-Identifier: GPL-2.0-only */
#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <unistd.h>

#include "steering_nodes.h"

static bool is_measured(void)
{
	char text[2] = "";
	int fd = open("/proc/sys/kernel/bpf_stats_enabled", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, text, 1) < 1)
		text[0] = '0';
	close(fd);
	return text[0] == '1';
}

json_t *steering_run_times(const struct steering *s)
{
	json_t *list = json_array();

	if (!s->programs || !is_measured())
		return list;
	for (enum programs_place place = 0; place < PROGRAMS_PLACE_MAX; place++) {
		struct bpf_prog_info info = { 0 };
		uint32_t len = sizeof(info);

		if (bpf_obj_get_info_by_fd(programs_fd(s->programs, place), &info, &len))
			continue;
		json_array_append_new(list, json_pack("{s:s, s:I, s:f}", "program",
						      programs_place_names[place], "runs",
						      (json_int_t)info.run_cnt, "seconds",
						      (double)info.run_time_ns / 1e9));
	}
	return list;
}
