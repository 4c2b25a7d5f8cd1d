# SPDX-License-Identifier: GPL-2.0-only
# The appliance image: build/image/netpas-VERSION.*. See firmware-image/README.md.

IMAGE         := $(BUILD)/image
# Of the commit; what differs from it shows.
IMAGE_EPOCH   ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
IMAGE_VERSION ?= $(shell TZ=UTC git log -1 --abbrev=10 --date=format-local:%Y%m%d.%H%M --format=%cd-g%h \
	2>/dev/null || echo unknown)$(if $(shell git status --porcelain 2>/dev/null),-dirty)
# The key that signs bundles; one is made if there is none.
IMAGE_KEY     ?= $(IMAGE)/key.pem
# One-line package sources instead of this machine's, for an old build again; and where packages stay.
IMAGE_SOURCES ?=
IMAGE_CACHE   ?= $(IMAGE)/cache

.PHONY: image image-twice bundle
image: deps ## the appliance image in all formats: build/image/ (root)
	$(Q)rm -rf $(IMAGE)/programs && mkdir -p $(IMAGE)/programs && date +%s.%N >$(IMAGE)/began
	$(Q)$(MAKE) --no-print-directory install install-wg DESTDIR=$(abspath $(IMAGE))/programs PREFIX=/usr
	$(Q)firmware-image/build $(IMAGE) $(IMAGE_VERSION) $(IMAGE_EPOCH) $(IMAGE_KEY) \
		$(IMAGE_CACHE) $(IMAGE_SOURCES)

image-twice: deps ## the image twice, the second time elsewhere, and whether both are the same (root)
	$(Q)rm -f $(IMAGE)/base.tar
	$(Q)$(MAKE) --no-print-directory image
	$(Q)firmware-image/twice $(IMAGE) VERSION=$(VERSION) IMAGE_VERSION=$(IMAGE_VERSION) \
		IMAGE_EPOCH=$(IMAGE_EPOCH) IMAGE_KEY=$(abspath $(IMAGE_KEY)) \
		IMAGE_CACHE=$(abspath $(IMAGE_CACHE)) $(if $(IMAGE_SOURCES),IMAGE_SOURCES=$(abspath $(IMAGE_SOURCES)))

# The last thing that the build writes. For those who want an image of what is here, new or not.
$(IMAGE)/sha256sums: $(PROGRAMS) $(BUILD)/netpas-wg $(wildcard appliance/*.service appliance/*.timer) \
		$(shell find firmware-image -type f ! -name '*.pyc')
	$(Q)$(MAKE) --no-print-directory image

bundle: $(IMAGE)/sha256sums ## the image as a signed bundle for `netpas upgrade`: build/image/netpas.bundle (root)
	$(Q)raw=$$(readlink $(IMAGE)/netpas.raw) && name=$${raw%.raw} && \
	firmware-image/bundle $(IMAGE)/root.squashfs $${name#netpas-} $(IMAGE_KEY) $(IMAGE)/$$name.bundle && \
	ln -sf $$name.bundle $(IMAGE)/netpas.bundle
