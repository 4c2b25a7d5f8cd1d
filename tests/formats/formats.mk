# SPDX-License-Identifier: GPL-2.0-only
# firmware-image/verify against good images, and against images that are each broken in one thing; docs/import.

.PHONY: check-formats check-image-formats
check-formats check-image-formats: deps programs ## firmware-image/verify: good images, and broken ones with their messages
	$(Q)tests/formats/run $(BUILD) $(CHECK)/formats.tap
