#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cm4fs/log.h>

#include "diagnosis/diagnosis.h"
#include "module/witness.h"
#include "seam/backend.h"
#include "util/cleanup.h"
#include "util/clock.h"

#define SAMPLE_MS 1000 /* how often the ports are looked at */
#define PORTS_MAX 512

struct witness {
	struct kernel_log *log;
	struct kernel_port *ports; /* the thread's own */
	pthread_t thread;
	bool running; /* of who starts and stops */

	pthread_mutex_t lock; /* guards the diagnosis; innermost */
	struct diagnosis diagnosis;
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void take(struct witness *witness, const struct kernel_record *record)
{
	LOCKED(&witness->lock);
	diagnosis_line(&witness->diagnosis, record->time_us, record->text, NULL);
}

static void sample(struct witness *witness)
{
	size_t n = witness->log->ops->ports(witness->log, witness->ports, PORTS_MAX);

	LOCKED(&witness->lock);
	diagnosis_ports(&witness->diagnosis, now_us(), witness->ports, n);
}

/* What the log has already comes first, so that the ports are understood by it. */
static void *run(void *data)
{
	struct witness *witness = data;
	uint64_t due = clock_ms();
	struct kernel_record record;
	int r = 0;

	for (;;) {
		uint64_t now = clock_ms();

		if (r == -ETIMEDOUT || now > due + SAMPLE_MS) {
			sample(witness);
			due = clock_ms() + SAMPLE_MS;
			now = due - SAMPLE_MS;
		}
		r = witness->log->ops->next(
			witness->log, &record, now < due ? (unsigned)(due - now) : 0);
		if (r == 0)
			take(witness, &record);
		else if (r != -ETIMEDOUT)
			break;
	}
	if (r != -ECANCELED)
		cm4_log(LOG_WARNING, "the kernel's log is not followed any more");
	return NULL;
}

int witness_new(struct backend *backend, struct witness **ret_witness)
{
	struct witness *witness = calloc(1, sizeof(*witness));
	int r = -ENOMEM;

	if (!witness)
		return -ENOMEM;
	witness->ports = calloc(PORTS_MAX, sizeof(*witness->ports));
	if (!witness->ports)
		goto err_free;
	diagnosis_init(&witness->diagnosis);
	pthread_mutex_init(&witness->lock, NULL);
	r = backend->ops->open_kernel_log(backend, &witness->log);
	if (r < 0)
		goto err_destroy;
	r = -pthread_create(&witness->thread, NULL, run, witness);
	if (r < 0)
		goto err_close;
	witness->running = true;
	*ret_witness = witness;
	return 0;

err_close:
	witness->log->ops->close(witness->log);
err_destroy:
	pthread_mutex_destroy(&witness->lock);
	free(witness->ports);
err_free:
	free(witness);
	return r;
}

void witness_stop(struct witness *witness)
{
	if (!witness->running)
		return;
	witness->log->ops->abort(witness->log);
	pthread_join(witness->thread, NULL);
	witness->running = false;
}

void witness_free(struct witness *witness)
{
	if (!witness)
		return;
	witness_stop(witness);
	witness->log->ops->close(witness->log);
	pthread_mutex_destroy(&witness->lock);
	free(witness->ports);
	free(witness);
}

size_t witness_findings(struct witness *witness, struct cm4_finding *ret, size_t max)
{
	LOCKED(&witness->lock);
	return diagnosis_findings(&witness->diagnosis, now_us(), ret, max);
}

const char *witness_source(const struct witness *witness)
{
	return witness->log->source;
}
