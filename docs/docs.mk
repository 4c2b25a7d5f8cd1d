# SPDX-License-Identifier: GPL-2.0-only
.PHONY: man
man: deps
	$(Q)for page in docs/man/*.[58]; do \
		mandoc -T lint -W warning $$page | grep -v 'STYLE' && exit 1; done; exit 0
