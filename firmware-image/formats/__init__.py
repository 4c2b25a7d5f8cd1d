# SPDX-License-Identifier: GPL-2.0-only
"""What firmware-image/verify is made of: readers of image formats, and the clouds' rules."""
