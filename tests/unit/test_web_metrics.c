/* SPDX-License-Identifier: GPL-2.0-only */
/* A view as Prometheus reads it, in both formats. promtool looks at the same in tests/netns/web.test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "web_metrics.h"

static const char view_text[] =
	"{'status': {'node': 'fra-a', 'site': 'fra', 'version': 'v\"1\\\\\\\\', 'role': 'standby',"
	" 'engine': 'user', 'generation': 7, 'config': {'digest': 'd', 'loaded': '2026-11-22T02:31:07Z'},"
	" 'problems': ['a', 'b'], 'vips': [{'address': '172.16.1.254', 'held': false}],"
	" 'ha': {'severity': 3, 'drained': true, 'advert_ms': 100, 'claims_2min': 2, 'held_s': 30,"
	"  'handover': 'taking', 'last_handover': 'failed'},"
	" 'health': {'severity': 3, 'isolated': false, 'faults': ["
	"  {'fault': 'wan', 'state': 'fault', 'severity': 3, 'counts': true},"
	"  {'fault': 'lan', 'state': 'suspect', 'severity': 8, 'counts': false}]},"
	" 'counters': {'to_mesh': {'packets': 5, 'bytes': 500}, 'drop_input': {'packets': 2, 'bytes': 80}},"
	" 'usage': {'running': true, 'metered': false, 'recorded_ms': 1795314667123, 'commit_us': 640, 'other': 0},"
	" 'tunnels': [{'interface': 'np3', 'peer': 'sin-a', 'site': 'sin', 'class': 'best', 'alive': true,"
	"  'rtt_ms': 12.5, 'handshake_age_s': null, 'rx_bytes': 9007199254740993, 'tx_bytes': 1}],"
	" 'sites': [{'name': 'sin', 'connected': true, 'subnets': 4, 'gateway': 'sin-a', 'reason': 'active'}]},"
	" 'paths': {'stretch': 1, 'peers': [{'peer': 'sin-a', 'path': 1, 'since_s': 2.5, 'mtu': null, 'paths': ["
	"  {'path': 0, 'relay': null, 'local': '10.0.0.1', 'remote': '10.0.0.2', 'alive': false, 'state': 'down',"
	"   'order': 2, 'rtt_ms': {'last': null}, 'loss_3s': {'out_percent': 100.0, 'in_percent': 0.0}},"
	"  {'path': 1, 'relay': 'pop1', 'local': '10.0.0.1', 'remote': '10.0.0.3', 'alive': true, 'state': 'up',"
	"   'order': 1, 'rtt_ms': {'last': 62.5, 'p99': 70}, 'loss_3s': {'out_percent': 0.5}}]}]},"
	" 'drops': {'pass_data': {'packets': 3, 'bytes': 30}, 'drop_source': {'packets': 4, 'bytes': 40}},"
	" 'run_times': [{'program': 'wan_xdp', 'runs': 10, 'seconds': 0.25}],"
	" 'processes': [{'process': 'netpasd', 'running': 1, 'ended': 0, 'cpu_s': 1.5, 'rss_bytes': 4096},"
	"  {'process': 'wireguard-go', 'running': 2, 'ended': 3, 'cpu_s': 7, 'rss_bytes': 100},"
	"  {'process': 'netpas-web', 'running': 1, 'ended': 1, 'cpu_s': 0.1, 'rss_bytes': 1}],"
	" 'usage': {'month': '2026-11', 'pairs_apart': 1, 'sites': [{'site': 'sin', 'samples': 12, 'missing': 1,"
	"  'out_bytes': 1000, 'in_bytes': 50, 'p95_out_bps': 800, 'p95_in_bps': 80, 'p95_bps': 800},"
	"  {'site': 'new', 'samples': 0, 'missing': 0, 'out_bytes': 0, 'in_bytes': 0, 'p95_out_bps': null}],"
	"  'pairs': [{'site': 'sin', 'local': '10.1.1.0/24', 'remote': '10.2.1.0/24', 'class': 'best',"
	"  'out_packets': 4, 'out_bytes': 4000, 'in_packets': 2, 'in_bytes': 9007199254740993},"
	"  {'site': 'sin', 'local': 'other', 'remote': 'other', 'class': 'bulk', 'out_packets': 1,"
	"  'out_bytes': 60, 'in_packets': 0, 'in_bytes': 0}]},"
	" 'drills': [{'scenario': 'lan-cut', 'began_s': 200, 'verdict': 'pass', 'out': {'outage_loss_ms': 37.0,"
	"  'lost': 37}, 'in': {'outage_loss_ms': null}}, {'scenario': 'lan-cut', 'began_s': 100,"
	"  'verdict': 'fail'}], 'took_s': 0.002}";

static const struct web_counts counts = {
	.requests = 11,
	.refused = { [WEB_REFUSAL_TOKEN] = 2 },
	.viewers = 3,
	.cpu_s = 0.5,
	.rss_bytes = 8192,
};

static json_t *view;

static char *print(json_t *of, bool open)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	web_metrics_print(of, &counts, open, out);
	fclose(out);
	return text;
}

static int set_up(void **state)
{
	char *text = strdup(view_text);

	(void)state;
	for (char *c = text; *c; c++)
		if (*c == '\'')
			*c = '"';
	/* The version has a quotation mark in it. */
	memcpy(strstr(text, "v\"1"), "v_1", 3);
	view = json_loads(text, 0, NULL);
	free(text);
	if (!view)
		return -1;
	return json_object_set_new(json_object_get(view, "status"), "version",
				   json_string("v\"1\\\n"));
}

static int tear_down(void **state)
{
	(void)state;
	json_decref(view);
	return 0;
}

static void has_line(const char *text, const char *line)
{
	const size_t len = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at += len)
		if ((at == text || at[-1] == '\n') && at[len] == '\n')
			return;
	fail_msg("no line: %s", line);
}

static void test_values(void **state)
{
	char *text = print(view, false);

	(void)state;
	has_line(
		text,
		"netpas_node_info{node=\"fra-a\",site=\"fra\",version=\"v\\\"1\\\\\\n\",engine=\"user\",config=\"d\"} 1");
	has_line(text, "netpas_role{role=\"standby\"} 1");
	has_line(text, "netpas_role{role=\"active\"} 0");
	has_line(text, "netpas_generation 7");
	has_line(text, "netpas_problems 2");
	has_line(text, "netpas_config_loaded_timestamp_seconds 1795314667");
	has_line(text, "netpas_vip_held{address=\"172.16.1.254\"} 0");
	has_line(text, "netpas_ha_drained 1");
	has_line(text, "netpas_ha_advert_interval_seconds 0.1");
	has_line(text, "netpas_ha_damping_seconds 30");
	has_line(text, "netpas_ha_recent_claims 2");
	has_line(text, "netpas_ha_handover_in_progress 1");
	has_line(text, "netpas_ha_last_handover{outcome=\"failed\"} 1");
	has_line(text, "netpas_health_fault_severity{fault=\"wan\"} 3");
	has_line(text, "netpas_health_fault_severity{fault=\"lan\"} 0");
	has_line(text, "netpas_health_fault_state{fault=\"lan\",state=\"suspect\"} 1");
	has_line(
		text,
		"netpas_tunnel_rtt_seconds{interface=\"np3\",peer=\"sin-a\",site=\"sin\",class=\"best\"} 0.0125");
	has_line(text, "netpas_forwarded_packets_total{direction=\"to_mesh\"} 5");
	has_line(text, "netpas_filter_dropped_bytes_total{reason=\"input\"} 80");
	has_line(text, "netpas_dataplane_dropped_packets_total{reason=\"source\"} 4");
	has_line(text, "netpas_dataplane_packets_total{way=\"pass_data\"} 3");
	has_line(text, "netpas_peer_path{peer=\"sin-a\"} 1");
	has_line(
		text,
		"netpas_path_in_use{peer=\"sin-a\",path=\"1\",local=\"10.0.0.1\",remote=\"10.0.0.3\",relay=\"pop1\"} 1");
	has_line(
		text,
		"netpas_path_in_use{peer=\"sin-a\",path=\"0\",local=\"10.0.0.1\",remote=\"10.0.0.2\",relay=\"\"} 0");
	has_line(
		text,
		"netpas_path_rtt_seconds{peer=\"sin-a\",path=\"1\",local=\"10.0.0.1\",remote=\"10.0.0.3\",relay=\"pop1\",stat=\"last\"} 0.0625");
	has_line(
		text,
		"netpas_path_loss_ratio{peer=\"sin-a\",path=\"0\",local=\"10.0.0.1\",remote=\"10.0.0.2\",relay=\"\",window=\"3s\",direction=\"out\"} 1");
	has_line(
		text,
		"netpas_path_state{peer=\"sin-a\",path=\"0\",local=\"10.0.0.1\",remote=\"10.0.0.2\",relay=\"\",state=\"down\"} 1");
	has_line(text, "netpas_bpf_run_seconds_total{program=\"wan_xdp\"} 0.25");
	has_line(text, "netpas_drill_last_timestamp_seconds{scenario=\"lan-cut\"} 200");
	has_line(text, "netpas_drill_last_passed{scenario=\"lan-cut\"} 1");
	has_line(text,
		 "netpas_drill_last_outage_seconds{scenario=\"lan-cut\",direction=\"out\"} 0.037");
	has_line(text, "netpas_process_cpu_seconds_total{process=\"netpasd\"} 1.5");
	has_line(text, "netpas_process_resident_memory_bytes{process=\"netpas-web\"} 8192");
	has_line(text, "netpas_process_cpu_seconds_total{process=\"netpas-web\"} 0.5");
	has_line(text, "netpas_process_cpu_seconds_total{process=\"wireguard-go\"} 7");
	has_line(text, "netpas_process_unasked_ends_total{process=\"wireguard-go\"} 3");
	has_line(text, "netpas_processes{process=\"wireguard-go\"} 2");
	has_line(text, "netpas_usage_recording 1");
	has_line(text, "netpas_usage_metered 0");
	has_line(text, "netpas_usage_recorded_timestamp_seconds 1795314667.12");
	has_line(text, "netpas_usage_record_duration_seconds 0.00064");
	has_line(text, "netpas_usage_month_bytes{site=\"sin\",direction=\"out\"} 1000");
	has_line(text,
		 "netpas_usage_month_p95_bytes_per_second{site=\"sin\",direction=\"out\"} 100");
	has_line(text, "netpas_usage_month_p95_bytes_per_second{site=\"sin\",direction=\"in\"} 10");
	has_line(text, "netpas_usage_month_samples{site=\"new\"} 0");
	has_line(text, "netpas_usage_month_missing_samples{site=\"sin\"} 1");
	has_line(
		text,
		"netpas_usage_bytes_total{site=\"sin\",local=\"10.1.1.0/24\",remote=\"10.2.1.0/24\",class=\"best\",direction=\"out\"} 4000");
	has_line(
		text,
		"netpas_usage_packets_total{site=\"sin\",local=\"other\",remote=\"other\",class=\"bulk\",direction=\"out\"} 1");
	assert_null(strstr(text, "p95_bytes_per_second{site=\"new\""));
	has_line(text, "netpas_web_refused_total{reason=\"token\"} 2");
	has_line(text, "netpas_web_viewers 3");
	/* What is not known has no sample. */
	assert_null(strstr(text, "netpas_tunnel_handshake_age_seconds"));
	assert_null(strstr(text, "netpas_peer_mtu_bytes"));
	assert_null(strstr(text, "stat=\"smoothed\""));
	assert_null(strstr(text, "direction=\"in\"} 0.037"));
	free(text);
}

/* The families of a text: names of TYPE lines, each of which must be there once, with a HELP before. */
static void check_families(const char *text, bool open)
{
	char seen[200][64], help[64], name[64], type[16], first[64], *copy = strdup(text),
								     *save = NULL;
	size_t n = 0;

	help[0] = name[0] = '\0';
	for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "# HELP %63s", first) == 1) {
			strcpy(help, first);
			continue;
		}
		if (sscanf(line, "# TYPE %63s %15s", name, type) == 2) {
			assert_string_equal(name, help);
			for (size_t i = 0; i < n; i++)
				assert_string_not_equal(seen[i], name);
			strcpy(seen[n++], name);
			assert_true(n < 200);
			continue;
		}
		if (!strcmp(line, "# EOF"))
			continue;
		/* A sample is one of the family before it. */
		assert_int_equal(sscanf(line, "%63[a-z0-9_]", first), 1);
		if (!strcmp(type, "counter")) {
			const size_t len = strlen(first);

			assert_string_equal(first + len - 6, "_total");
			first[open ? len - 6 : len] = '\0';
		}
		assert_string_equal(first, name);
	}
	assert_true(n > 40);
	free(copy);
}

static void test_families(void **state)
{
	char *text = print(view, false);

	(void)state;
	check_families(text, false);
	assert_null(strstr(text, "# EOF"));
	free(text);
	text = print(view, true);
	check_families(text, true);
	assert_string_equal(text + strlen(text) - 6, "# EOF\n");
	free(text);
}

/* A view of another version, or of a relay: what is missing is left out. */
static void test_incomplete(void **state)
{
	json_t *empty = json_object(),
	       *odd = json_pack("{s:[s], s:s, s:i, s:{s:s}}", "status", "x", "paths", "y", "drills",
				3, "drops", "drop_x", "z");
	char *text = print(empty, true);

	(void)state;
	has_line(text, "netpas_web_requests_total 11");
	free(text);
	text = print(odd, false);
	has_line(text, "netpas_problems 0");
	free(text);
	text = print(NULL, false);
	has_line(text, "netpas_web_requests_total 11");
	free(text);
	json_decref(empty);
	json_decref(odd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_incomplete),
	};

	return cmocka_run_group_tests_name("web_metrics", tests, set_up, tear_down);
}
