# SPDX-License-Identifier: GPL-2.0-only
# The image itself under emulation. TESTS="formats pair" runs these alone; IMAGE=DIRECTORY takes another image
# than build/image, which is built if it is missing or older than what is in it. In no check: powercuts, which takes
# an hour.
IMAGE_TESTS := formats pair
IMAGE_LONG  := upgrade rolling
IMAGE_SUITE ?= image

.PHONY: check-built check-image check-updates
# What check-image tests, where it can test anything.
check-built: deps programs lab-tools
	$(Q)rm -f $(CHECK)/image.able; tests/image/run --able $(BUILD) $(CHECK)/$(IMAGE_SUITE).tap || exit 0; : >$(CHECK)/image.able
	$(Q)[ ! -e $(CHECK)/image.able ] || $(if $(filter command,$(origin IMAGE)),:,$(MAKE) --no-print-directory $(IMAGE)/sha256sums)
check-image: check-built ## the image in emulated machines: formats, first boot, a pair (root)
	$(Q)[ ! -e $(CHECK)/image.able ] || tests/image/run $(BUILD) $(CHECK)/$(IMAGE_SUITE).tap $(or $(TESTS),$(IMAGE_TESTS))

# Five machines that are restarted under traffic: they want the machine for themselves.
check-updates: ## the same machines: updates that are good, bad, and cut off by the power (root)
	$(Q)$(MAKE) --no-print-directory check-image TESTS="$(IMAGE_LONG)" IMAGE_SUITE=updates
