/* SPDX-License-Identifier: GPL-2.0-only */
#include "timekeeper.h"

int64_t timekeeper_read(struct timekeeper *keeper, int64_t day_us, int64_t boot_us)
{
	const int64_t offset_us = day_us - boot_us;
	int64_t step_us = keeper->started ? offset_us - keeper->offset_us : 0;

	if (step_us > -TIMEKEEPER_STEP_US && step_us < TIMEKEEPER_STEP_US)
		step_us = 0;
	if (!keeper->started || day_us > keeper->highest_us)
		keeper->highest_us = day_us;
	keeper->offset_us = offset_us;
	keeper->started = true;
	return step_us;
}

int64_t timekeeper_behind_us(const struct timekeeper *keeper, int64_t day_us)
{
	const int64_t behind_us = keeper->started ? keeper->highest_us - day_us : 0;

	return behind_us >= TIMEKEEPER_STEP_US ? behind_us : 0;
}
