/* SPDX-License-Identifier: GPL-2.0-only */
#include "engine/uapi_watch.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "engine/device.h"
#include "engine/runtime.h"
#include "engine/uapi.h"
#include "engine/uapi_server.h"

struct uapi_watch {
	struct runtime_source source;
	struct runtime *runtime;
};

/* What is told is older than what is seen; a stale socket was removed by us. So each of them is looked at. */
static void watch_ready(struct runtime_source *source, uint32_t events)
{
	struct uapi_watch *watch = (struct uapi_watch *)source;
	_Alignas(struct inotify_event) char told[4096];

	(void)events;
	while (read(source->fd, told, sizeof(told)) > 0)
		;
	for (int i = 0; i < RUNTIME_DEVICES; i++) {
		struct device *device = atomic_load(&watch->runtime->devices[i]);

		if (device && uapi_server_removed(device->uapi))
			device_free(device);
	}
}

int uapi_watch_new(struct runtime *runtime, struct uapi_watch **ret_watch)
{
	struct uapi_watch *watch = calloc(1, sizeof(*watch));
	int rc;

	if (!watch)
		return -ENOMEM;
	watch->runtime = runtime;
	watch->source.ready = watch_ready;
	watch->source.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (watch->source.fd < 0 ||
	    inotify_add_watch(watch->source.fd, UAPI_DIR,
			      IN_DELETE | IN_MOVE | IN_DELETE_SELF | IN_MOVE_SELF) < 0)
		rc = -errno;
	else
		rc = runtime_watch(runtime, &watch->source, EPOLLIN);
	if (rc) {
		uapi_watch_free(watch);
		return rc;
	}
	*ret_watch = watch;
	return 0;
}

void uapi_watch_free(struct uapi_watch *watch)
{
	if (!watch)
		return;
	if (watch->source.fd >= 0)
		close(watch->source.fd);
	free(watch);
}
