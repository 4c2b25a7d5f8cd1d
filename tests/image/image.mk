# SPDX-License-Identifier: GPL-2.0-only
# The image itself under emulation. TESTS="formats pair" runs these alone; IMAGE=DIRECTORY takes another image
# than build/image, which is built if it is missing or older than what is in it. Not in `check`: powercuts, which
# takes an hour, and what takes a part of one: upgrade and faults.
IMAGE_TESTS := formats pair

.PHONY: check-image
check-image: deps programs lab-tools ## the image in emulated machines: formats, first boot, a pair, updates (root)
	$(Q)rm -f $(CHECK)/image.able; tests/image/run --able $(BUILD) $(CHECK)/image.tap || exit 0; : >$(CHECK)/image.able
	$(Q)[ ! -e $(CHECK)/image.able ] || $(if $(filter command,$(origin IMAGE)),:,$(MAKE) --no-print-directory $(IMAGE)/sha256sums)
	$(Q)[ ! -e $(CHECK)/image.able ] || tests/image/run $(BUILD) $(CHECK)/image.tap $(or $(TESTS),$(IMAGE_TESTS))
