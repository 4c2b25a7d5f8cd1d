/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests of the control socket: whatever comes, there is one answer, an object with "ok". */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static json_t *handle(const char *command, json_t *request, void *data)
{
	(void)request;
	(void)data;
	return control_error("unknown command '%.32s'", command);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *answer = control_answer((const char *)data, size, handle, NULL);

	assert(json_is_boolean(json_object_get(answer, "ok")));
	json_decref(answer);
	return 0;
}
