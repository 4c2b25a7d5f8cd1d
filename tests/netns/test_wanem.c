/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wanem, measured from outside, on the bench of wanem_bench.h.
 *
 * The dice have a seed, so what they lose is the same in every run; the bounds (four standard
 * deviations) say that it is also what was asked for. Times have bounds that a busy machine keeps
 * to (5 ms); how good they were is printed.
 */
#include "wanem_bench.h"

static void test_words(void **state)
{
	static const char *const right[] = {
		"",
		"delay 30ms ab loss 9% ba loss-burst 9% 5 jitter 1.5ms normal unordered",
		"rate 100mbit burst 64kb queue 50ms mtu 1296 reorder 1% 10ms duplicate 0.1% seed 7",
		"ab cut on both queue 3000b blackhole ba blackhole off loss-ge 1% 20% 90% 0.5%",
		"delay 1ns jitter 999us uniform loss 33.333333333333336%",
		"delay 5ms jitter 1ms reorder 5% 1ms queue 1ms cut delay off clear",
		"jitter 0ms normal reorder 0% 5ms loss-burst 0% 5 ba loss-ge 0% 5% 5% 0% ab loss-ge 0% 1% 1% 1%",
	};
	static const char *const wrong[] = {
		"delay",	 "delay 30",	     "delay -1ms",	  "delay 61s",
		"delay 0x1ms",	 "delay nanms",	     "loss 101%",	  "loss 5",
		"loss-burst 9%", "loss-burst 99% 5", "rate 10",		  "rate 999bit",
		"queue 5",	 "queue 0ms",	     "mtu 65536",	  "reorder 5%",
		"sideways",	 "seed off",	     "ab ba delay 1ms x", "loss 1e999%",
		"delay 1ms ab", /* the last one is right, but for what is added to it */
	};
	unsigned int seeded;
	char error[160];

	(void)state;
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		struct settings one[2] = { 0 }, two[2] = { 0 };
		char text[512], *printed;
		size_t size;
		FILE *out = open_memstream(&printed, &size);

		strcpy(text, right[i]);
		assert_true(wanem_parse(text, one, &seeded, error));
		fputs("ab ", out);
		wanem_print(out, &one[0]);
		fputs(" ba ", out);
		wanem_print(out, &one[1]);
		fclose(out);
		assert_true(wanem_parse(printed, two, &seeded, error));
		assert_memory_equal(one, two, sizeof(one));
		free(printed);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct settings none[2] = { 0 }, now[2] = { 0 };
		char text[512];

		snprintf(text, sizeof(text), "delay 1ms %s%s", wrong[i],
			 i + 1 == sizeof(wrong) / sizeof(wrong[0]) ? " y" : "");
		if (wanem_parse(text, now, &seeded, error))
			fail_msg("'%s' was taken", wrong[i]);
		assert_memory_equal(none, now, sizeof(now));
		assert_true(strlen(error) > 5);
	}
}

/* Whatever it is, it comes out as it went in, and what the settings look at is no trap. */
static void test_odd_frames(void **state)
{
	static const char *const settings[] = { "clear", "mtu 1000 rate 1gbit delay 1us" };
	uint8_t frames[8][2048] = { 0 }, got[2048];
	size_t lens[8] = { 14, 60, 1514, 34, 100, 20, 74, 54 };

	(void)state;
	for (size_t i = 0; i < 8; i++)
		frame_make(frames[i], lens[i] - 14);
	frames[0][12] = 0x88, frames[0][13] = 0xcc;				 /* LLDP, empty */
	memcpy(frames[1], "\x01\x80\xc2\0\0\0\2\0\0\0\0\1\0\x26\x42\x42\3", 17); /* 802.3, STP */
	frames[2][12] = 0x88, frames[2][13] = 0xb5; /* long, and no IP */
	memset(frames[3] + 14, 0x4f, 1);	    /* options that are not there */
	frames[3][16] = 0, frames[3][17] = 0;	    /* of length 0 */
	memcpy(frames[4] + 12, "\x81\0\x60\x2a\x88\xa8\0\1\x81\0\0\2\x08\0\x4f", 15); /* tags */
	memcpy(frames[5] + 12, "\x88\xa8\0\5\x86\xdd",
	       6); /* a tag, IPv6, the end: the kernel takes no shorter one */
	memcpy(frames[6] + 12, "\x86\xdd\x60\0\0\0\0\0", 8);   /* a jumbogram's length */
	memcpy(frames[7] + 12, "\x81\0\0\0\x08\0\x45\0\0", 9); /* a priority tag */
	for (size_t k = 0; k < 4; k++) {
		const int end = (int)(k & 1);

		set(settings[k / 2]);
		set("reset");
		for (size_t i = 0; i < 8; i++) {
			struct pollfd pfd = { .fd = outer[1 - end], .events = POLLIN };
			int64_t at;
			ssize_t len;

			assert_int_equal(send(outer[end], frames[i], lens[i], 0), lens[i]);
			do {
				assert_int_equal(poll(&pfd, 1, 3000), 1);
				len = frame_read(1 - end, got, sizeof(got), &at);
				assert_true(len >= 14);
			} while (memcmp(got, frames[i], 12) != 0);
			/* The outermost tag is aside in the kernel again: see its counter. */
			if (i == 4 || i == 5 || i == 7) {
				assert_int_equal(len, lens[i] - 4);
				assert_memory_equal(got + 12, frames[i] + 16, lens[i] - 16);
				continue;
			}
			assert_int_equal(len, lens[i]);
			assert_memory_equal(got, frames[i], lens[i]);
		}
		assert_int_equal(counter(end, "in"), 8);
		assert_int_equal(counter(end, "out"), 8);
		assert_int_equal(counter(end, "in_bytes"), counter(end, "out_bytes"));
	}
}

static void test_delay(void **state)
{
	(void)state;
	for (int end = 0; end < 2; end++) {
		set(end == 0 ? "ab delay 30ms ba delay 50ms" : "ab delay 50ms ba delay 30ms");
		probes(end, 1000, PPS(1000));
		print_message("# delay 30 ms at 1000/s: p1 %.3f p50 %.3f p99 %.3f max %.3f ms, own "
			      "lateness at most %llu us\n",
			      delay_ms(0.01), delay_ms(0.5), delay_ms(0.99), delay_ms(1),
			      (unsigned long long)counter(end, "late_max_us"));
		assert_int_equal(run.got, 1000);
		assert_int_equal(run.overtaken, 0);
		assert_about(delay_ms(0.5), 30, 5);
		assert_about(delay_ms(0.99), 30, 5);
		assert_true(delay_ms(0) >= 29.9);
	}
	/* Also the other way at the same time: ba's 50 ms is not ab's. */
	set("clear ba delay 50ms");
	probes(0, 500, PPS(1000));
	assert_about(delay_ms(0.5), 0, 5);
}

static void spread(double *ret_mean, double *ret_deviation)
{
	double mean = 0, square = 0;

	for (unsigned int i = 0; i < run.got; i++)
		mean += (double)run.sorted[i] / 1e6 / run.got;
	for (unsigned int i = 0; i < run.got; i++)
		square += ((double)run.sorted[i] / 1e6 - mean) *
			  ((double)run.sorted[i] / 1e6 - mean) / run.got;
	*ret_mean = mean;
	*ret_deviation = root(square);
}

static void test_jitter(void **state)
{
	double mean, deviation;

	(void)state;
	set("delay 40ms jitter 20ms unordered seed 1");
	probes(0, 2000, PPS(2000));
	spread(&mean, &deviation);
	print_message("# jitter 20 ms uniform: %.2f..%.2f ms, mean %.2f deviation %.2f\n",
		      delay_ms(0), delay_ms(1), mean, deviation);
	assert_true(delay_ms(0) >= 19.9 && delay_ms(0.99) <= 65);
	assert_about(mean, 40, 3);
	assert_about(deviation, 20 / root(3), 1.5);
	assert_true(run.overtaken > 500);

	set("delay 60ms jitter 10ms normal unordered");
	probes(0, 2000, PPS(2000));
	spread(&mean, &deviation);
	print_message("# jitter 10 ms normal: mean %.2f deviation %.2f\n", mean, deviation);
	assert_about(mean, 60, 3);
	assert_about(deviation, 10, 1.5);
	assert_about(delay_ms(0.84), 70, 4);

	/* In its place: later than its own delay for many, but never overtaken. */
	set("delay 40ms jitter 20ms uniform");
	probes(0, 2000, PPS(2000));
	assert_int_equal(run.overtaken, 0);
	assert_true(delay_ms(0) >= 19.9 && delay_ms(0.99) <= 65 && delay_ms(0.5) > 45);
}

static void test_loss(void **state)
{
	static uint8_t before[RUN_MAX];

	(void)state;
	set("loss 9% seed 42 ba loss off");
	probes(0, 20000, PPS(20000));
	print_message("# loss 9%%: %u of 20000\n", run.sent - run.got);
	assert_chance(run.sent - run.got, run.sent, 9);
	assert_int_equal(counter(0, "drop_loss"), run.sent - run.got);
	memcpy(before, run.times, sizeof(before));
	/* Same seed, same victims, whatever else happens; another one, others. */
	set("ab seed 42 delay 1ms jitter 1ms duplicate 10%");
	probes(0, 20000, PPS(20000));
	for (unsigned int i = 0; i < run.sent; i++)
		assert_int_equal(before[i] > 0, run.times[i] > 0);
	set("clear ab seed 43 loss 9%");
	probes(0, 20000, PPS(20000));
	assert_memory_not_equal(before, run.times, sizeof(before));
	probes(1, 5000, PPS(20000));
	assert_int_equal(run.got, 5000);
}

static void test_burst_loss(void **state)
{
	unsigned int bursts = 0, lost;

	(void)state;
	set("loss-burst 9% 5 seed 42");
	probes(0, 50000, PPS(25000));
	lost = run.sent - run.got;
	for (unsigned int i = 0; i < run.sent; i++)
		bursts += !run.times[i] && (i == 0 || run.times[i - 1]);
	print_message("# loss-burst 9%% 5: %u of 50000 in %u bursts of %.2f\n", lost, bursts,
		      (double)lost / bursts);
	assert_int_equal(counter(0, "drop_burst"), lost);
	/* The variance of such a chain's mean is about (2 x 5 - 1) times the independent one's. */
	assert_about(lost, 4500, 4 * root(50000 * 0.09 * 0.91 * 9));
	/* Geometric lengths: standard deviation root(5 x 4). */
	assert_about((double)lost / bursts, 5, 4 * root(20.0 / bursts));

	set("clear loss-ge 10% 10% 60% 20%");
	probes(0, 20000, PPS(20000));
	assert_about(run.sent - run.got, 8000, 600);
}

static void test_duplicate(void **state)
{
	(void)state;
	set("duplicate 5% seed 42");
	probes(0, 20000, PPS(20000));
	assert_int_equal(run.got, run.sent);
	assert_chance(run.again, run.sent, 5);
	assert_int_equal(counter(0, "duplicated"), run.again);
}

static void test_reorder(void **state)
{
	(void)state;
	set("delay 5ms reorder 5% 10ms seed 42");
	probes(0, 4000, PPS(4000));
	assert_int_equal(run.got, run.sent);
	assert_chance(counter(0, "reordered"), run.sent, 5);
	/* But for the last ones, which nothing is left to overtake. */
	assert_in_range(run.overtaken, counter(0, "reordered") - 10, counter(0, "reordered"));
	assert_about(delay_ms(0.5), 5, 5);
	assert_about(delay_ms(0.97), 15, 5);
}

static void test_rate(void **state)
{
	double mbit;

	(void)state;
	/* 1250 bytes take 1 ms; four times as many come as can leave. */
	set("rate 10mbit queue 20ms");
	probes_begin();
	probes_send(0, 2000, PPS(4000), 1236);
	probes_end(0);
	mbit = (run.got - 1) * 10000.0 / ((double)(run.last_ns - run.first_ns) / 1e3);
	print_message("# rate 10mbit: %.3f Mbit/s, worst delay %.2f ms\n", mbit, delay_ms(1));
	assert_about(mbit, 10, 0.3);
	assert_about(run.got, 520, 30);
	assert_about(delay_ms(0.9), 20, 5);
	assert_int_equal(counter(0, "drop_queue"), run.sent - run.got);
	assert_int_equal(run.overtaken, 0);
	/* A queue by bytes: eight of a burst of fifty, and one or two that the line takes. */
	set("queue 10000b");
	probes_begin();
	probes_send(0, 50, 0, 1236);
	probes_end(0);
	assert_in_range(run.got, 8, 20);
	/* A bucket lets them pass at once. */
	set("clear");
	set("rate 10mbit queue 10000b burst 62500b");
	probes_begin();
	probes_send(0, 50, 0, 1236);
	probes_end(0);
	assert_int_equal(run.got, 50);
	assert_about(delay_ms(1), 0, 5);
}

static void test_mtu(void **state)
{
	(void)state;
	set("ab mtu 1296");
	for (size_t i = 0; i < 2; i++) {
		probes_begin();
		probes_send(0, 10, 0, 1296 + i);
		probes_end(0);
		assert_int_equal(run.got, i == 0 ? 10 : 0);
		assert_int_equal(counter(0, "drop_mtu"), i == 0 ? 0 : 10);
	}
	assert_int_equal(counter(1, "in"), 0); /* no ICMP, nothing */
	probes_begin();
	probes_send(1, 10, 0, 1500);
	probes_end(1);
	assert_int_equal(run.got, 10);
}

static void test_blackhole_and_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		/* What is on its way passes a new black hole, but not a cut. */
		set(i == 0 ? "clear ab delay 200ms" : "clear ab delay 20s");
		probes_begin();
		probes_send(0, 50, 0, 100);
		while (counter(0, "in") < 50)
			clock_sleep(clock_read(CLOCK_MONOTONIC) + MS);
		set(i == 0 ? "ab blackhole" : "ab cut");
		probes_send(0, 100, 0, 100);
		probes_end(0);
		assert_int_equal(run.got, i == 0 ? 50 : 0);
		assert_int_equal(counter(0, i == 0 ? "drop_blackhole" : "drop_cut"),
				 i == 0 ? 100 : 150);
		/* One way only. */
		probes(1, 100, 0);
		assert_int_equal(run.got, 100);
		set("ab blackhole off cut off");
		probes(0, 100, 0);
		assert_int_equal(run.got, 100);
	}
}

static void test_change(void **state)
{
	char before[512];

	(void)state;
	set("delay 10ms");
	probes_begin();
	probes_send(0, 300, PPS(1000), 100);
	set("ab delay 60ms");
	probes_send(0, 300, PPS(1000), 100);
	set("ab delay 10ms");
	probes_send(0, 300, PPS(1000), 100);
	probes_end(0);
	assert_int_equal(run.got, 900);
	assert_int_equal(run.overtaken, 0);
	qsort(run.delays, 300, sizeof(int64_t), int64_compare);
	qsort(run.delays + 310, 280, sizeof(int64_t), int64_compare);
	assert_about((double)run.delays[150] / 1e6, 10, 5);
	assert_about((double)run.delays[310 + 140] / 1e6, 60, 5);
	assert_about((double)run.delays[890] / 1e6, 10, 5);
	/* A mistake changes nothing; what is shown can be said. */
	strcpy(before, ask("show"));
	assert_non_null(strstr(before, "ab clear delay 10ms seed "));
	assert_string_equal(ask("ab delay 90ms loss much"),
			    "error: 'much' after 'loss': a percentage such as 9%, up to 100% is "
			    "wanted\n");
	assert_string_equal(ask("show"), before);
	set(before + 3);
	assert_string_equal(ask("show"), before);
}

static void test_control(void **state)
{
	int idle[12];
	char command[3000], huge[4000];

	(void)state;
	/* Clients that only sit there push each other out, not the next one. */
	for (size_t i = 0; i < 12; i++)
		idle[i] = control_open();
	set("delay 1ms");
	memset(huge, 'x', sizeof(huge) - 1);
	huge[sizeof(huge) - 1] = '\0';
	assert_string_equal(ask(huge), "error: the request is too long\n");
	for (size_t i = 0; i < 12; i++)
		close(idle[i]);
	snprintf(command, sizeof(command),
		 "%s ctl %s ab delay 7ms && %s ctl %s show | grep -q 'ab "
		 "clear delay 7ms' && ! %s ctl %s ab delay x 2>/dev/null && ! %s ctl %s/none show "
		 "2>/dev/null",
		 wanem_path, control, wanem_path, control, wanem_path, control, wanem_path,
		 directory);
	assert_int_equal(system(command), 0);
}

static void test_throughput(void **state)
{
	(void)state;
	set("delay 30ms jitter 5ms");
	probes(0, 30000, PPS(30000));
	assert_int_equal(run.got, 30000); /* and nothing in kernel_drops, says probes_end() */
	print_message("# 30000/s: p50 %.3f p99 %.3f ms\n", delay_ms(0.5), delay_ms(0.99));
}

/* -- real stacks: checksums that are still to be filled in, batches to be segmented -- */

static void offload_set(int space, const char *name, uint32_t on)
{
	struct ethtool_value value = { .cmd = ETHTOOL_STXCSUM, .data = on };
	struct ifreq ifr = { .ifr_data = (char *)&value };
	int fd;

	space_enter(space);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	strcpy(ifr.ifr_name, name);
	assert_int_equal(ioctl(fd, SIOCETHTOOL, &ifr), 0);
	close(fd);
}

static void transfer(void)
{
	static uint8_t out[1 << 20], in[1 << 20];
	struct sockaddr_in to = { .sin_family = AF_INET };
	socklen_t len = sizeof(to);
	struct pollfd pfd = { .events = POLLIN };
	size_t sent = 0, got = 0;
	int listener, client;

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 31 + (i >> 8) * 7);
	space_enter(2);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&to, &len), 0);
	inet_pton(AF_INET, "10.9.9.2", &to.sin_addr);
	space_enter(0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	fcntl(client, F_SETFL, O_NONBLOCK);
	pfd.fd = listener;
	assert_int_equal(poll(&pfd, 1, 5000), 1);
	pfd.fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	while (got < sizeof(out)) {
		ssize_t n =
			sent < sizeof(out) ? send(client, out + sent, sizeof(out) - sent, 0) : 0;

		if (n > 0)
			sent += (size_t)n;
		if (poll(&pfd, 1, sent < sizeof(out) ? 1 : 5000) == 1) {
			n = recv(pfd.fd, in + got, sizeof(in) - got, 0);
			assert_true(n > 0);
			got += (size_t)n;
		} else {
			assert_true(sent < sizeof(out));
		}
	}
	assert_memory_equal(in, out, sizeof(out));
	close(client);
	close(pfd.fd);
	close(listener);
}

static void test_offloads(void **state)
{
	(void)state;
	set("delay 2ms");
	transfer();
	assert_true(counter(0, "gso") > 0);
	assert_true(counter(0, "in_bytes") > sizeof(uint8_t[1 << 20]));
	/* The checksums have to be right now, and are made on the last cable. */
	offload_set(1, "wb", 0);
	offload_set(1, "wa", 0);
	transfer();
	/* Or on the first one, and checked at the last. */
	offload_set(0, "ta", 0);
	set("reset");
	transfer();
	assert_int_equal(counter(0, "gso"), 0);
	/* The batches' segments are what an MTU looks at. */
	offload_set(0, "ta", 1);
	set("reset");
	set("mtu 1500");
	transfer();
	assert_int_equal(counter(0, "drop_mtu"), 0);
	offload_set(1, "wb", 1);
	offload_set(1, "wa", 1);
}

/* The last one: it goes with its parent, which is not this program. */
static void test_end(void **state)
{
	int fds[2], status;
	pid_t middle;

	(void)state;
	assert_int_equal(kill(wanem_pid, SIGTERM), 0);
	assert_int_equal(end_await(wanem_pid), 0);
	assert_int_equal(access(control, F_OK), -1);
	/* One that was killed leaves its socket, which is no obstacle to the next one. */
	wanem_pid = wanem_exec("delay 3s");
	wanem_await();
	assert_int_equal(kill(wanem_pid, SIGKILL), 0);
	assert_int_equal(end_await(wanem_pid), SIGKILL);
	assert_int_equal(access(control, F_OK), 0);
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	middle = fork();
	if (middle == 0) {
		wanem_pid = wanem_exec("delay 1s");
		(void)!write(fds[1], &wanem_pid, sizeof(wanem_pid));
		pause();
		_exit(0);
	}
	assert_int_equal(read(fds[0], &wanem_pid, sizeof(wanem_pid)), sizeof(wanem_pid));
	wanem_await();
	/* A second one does not take its socket. */
	status = end_await(wanem_exec("delay 2s"));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	assert_non_null(strstr(ask("show"), "delay 1s"));
	kill(middle, SIGKILL);
	assert_int_equal(end_await(wanem_pid), 0);
	assert_int_equal(access(control, F_OK), -1);
	end_await(middle);
	close(fds[0]);
	close(fds[1]);
	/* Down it may come up again; deleted then, it will not. */
	wanem_pid = wanem_exec("delay 1s");
	wanem_await();
	space_enter(1);
	assert_int_equal(system("ip link set wb down"), 0);
	assert_non_null(strstr(ask("show"), "delay 1s"));
	assert_int_equal(system("ip link del wb"), 0);
	status = end_await(wanem_pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
	wanem_pid = 0;
}

static int clear(void **state)
{
	(void)state;
	set("clear");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test_setup(test_odd_frames, clear),
		cmocka_unit_test_setup(test_delay, clear),
		cmocka_unit_test_setup(test_jitter, clear),
		cmocka_unit_test_setup(test_loss, clear),
		cmocka_unit_test_setup(test_burst_loss, clear),
		cmocka_unit_test_setup(test_duplicate, clear),
		cmocka_unit_test_setup(test_reorder, clear),
		cmocka_unit_test_setup(test_rate, clear),
		cmocka_unit_test_setup(test_mtu, clear),
		cmocka_unit_test_setup(test_blackhole_and_cut, clear),
		cmocka_unit_test_setup(test_change, clear),
		cmocka_unit_test_setup(test_control, clear),
		cmocka_unit_test_setup(test_throughput, clear),
		cmocka_unit_test_setup(test_offloads, clear),
		cmocka_unit_test(test_end),
	};

	if (unshare(CLONE_NEWNET)) {
		printf("1..0 # SKIP no network namespaces for wanem: %s\n", strerror(errno));
		return 0;
	}
	(void)prctl(PR_SET_TIMERSLACK, 1);
	return cmocka_run_group_tests_name("wanem", tests, setup, teardown);
}
