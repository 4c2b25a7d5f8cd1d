/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>

#include "event.h"
#include "steering_nodes.h"

static const char *relay_of(const struct steering *s, const struct steering_node *node,
			    size_t number)
{
	const uint16_t relay = node->paths[number].way.path.relay;

	return relay ? steering_node_name(s->config, relay) : "direct";
}

/* One of the paths as the choice saw it. */
static json_t *make_score(const struct steering *s, const struct steering_node *node, size_t number)
{
	const struct path_metrics *metrics = &node->paths[number].metrics;

	return json_pack("{s:i, s:s, s:s, s:f, s:f, s:f, s:f, s:f}", "path", (int)number, "by",
			 relay_of(s, node, number), "rank",
			 path_rank_names[node->choice.memory[number].rank], "cost_ms",
			 (double)path_choice_cost_us(node->choice.class, metrics) / 1000, "rtt_ms",
			 metrics->srtt_us / 1000.0, "jitter_ms", metrics->jitter_us / 1000.0,
			 "loss_out_percent", metrics->loss_out_ppm / 10000.0, "loss_in_percent",
			 metrics->loss_in_ppm / 10000.0);
}

static json_t *make_scores(const struct steering *s, const struct steering_node *node)
{
	json_t *scores = json_array();

	for (size_t i = 0; i < node->n_paths; i++)
		json_array_append_new(scores, make_score(s, node, i));
	return json_pack("{s:s, s:o}", "peer", steering_node_name(s->config, node->id), "scores",
			 scores);
}

/* "path 2 by pop1, candidate, 62.1 ms, 0.0 %"; "no path" */
static void describe(const struct steering *s, const struct steering_node *node, uint8_t number,
		     char buf[static 96])
{
	const struct path_metrics *metrics;
	char rtt[24] = "not measured";

	if (number >= node->n_paths) {
		snprintf(buf, 96, "no path");
		return;
	}
	metrics = &node->paths[number].metrics;
	if (metrics->srtt_us)
		snprintf(rtt, sizeof(rtt), "%.1f ms", metrics->srtt_us / 1000.0);
	snprintf(buf, 96, "%u by %.32s: %s, %s, loss %.1f %%", number, relay_of(s, node, number),
		 path_rank_names[node->choice.memory[number].rank], rtt,
		 metrics->loss_out_ppm / 10000.0);
}

void steering_note_choice(const struct steering *s, const struct steering_node *node,
			  const struct path_decision *decision)
{
	char before[96], after[96];

	describe(s, node, decision->before, before);
	describe(s, node, decision->order[0], after);
	event_write(EVENT_CHOICE, LOG_LEVEL_INFO, make_scores(s, node),
		    "to %s: path %d -> %u (%s; %s; before: %s)",
		    steering_node_name(s->config, node->id),
		    decision->before == DP_NO_PATH ? -1 : decision->before, decision->order[0],
		    path_reason_names[decision->reason], after, before);
}
