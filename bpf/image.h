/* SPDX-License-Identifier: GPL-2.0-only */
/* dataplane.bpf.c, compiled: an ELF object for bpf_object__open_mem(). */
#ifndef NETPAS_BPF_IMAGE_H
#define NETPAS_BPF_IMAGE_H

#include <stddef.h>

extern const unsigned char dataplane_image[];
extern const size_t dataplane_image_len;

#endif
