# SPDX-License-Identifier: GPL-2.0-only
# The image itself under emulation. TESTS="formats pair" runs these alone; IMAGE=DIRECTORY takes another image
# than build/image. Not in `check`: powercuts, which takes an hour.

.PHONY: check-image
check-image: deps programs lab-tools ## the image in emulated machines: formats, first boot, a pair, updates
	$(Q)tests/image/run $(BUILD) $(CHECK)/image.tap $(TESTS)
