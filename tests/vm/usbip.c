#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include "usbip.h"
#include "util/cleanup.h"

/*
 * Two threads. The reader takes commands off the socket, so that a transfer can be unlinked while it is under way;
 * the worker does them one after another, as they came: the functions served here have no two pipes that could
 * be busy at once.
 */

enum command { CMD_SUBMIT = 1, CMD_UNLINK = 2, RET_SUBMIT = 3, RET_UNLINK = 4 };

#define SIZE_MAX_ONCE (1u << 20) /* no URB of a boot dialogue comes near it */

/* All of it big endian on the wire. */
struct packet {
	uint32_t command;
	uint32_t sequence;
	uint32_t device;
	uint32_t direction; /* 0 out, 1 in */
	uint32_t endpoint;
	union {
		struct {
			uint32_t flags;
			uint32_t size;
			uint32_t start_frame, packets, interval;
			uint8_t setup[8];
		} submit;
		struct {
			uint32_t status;
			uint32_t actual;
			uint32_t start_frame, packets, errors;
			uint8_t padding[8];
		} submitted;
		struct {
			uint32_t sequence;
			uint8_t padding[24];
		} unlink;
		struct {
			uint32_t status;
			uint8_t padding[24];
		} unlinked;
	};
};

_Static_assert(sizeof(struct packet) == 48, "the size of a USB/IP header");

struct job {
	uint32_t sequence;
	struct usbip_transfer transfer;
	TAILQ_ENTRY(job) link;
};

struct usbip {
	int fd;
	struct usbip_function function; /* fixed */
	pthread_t reader, worker;

	pthread_mutex_t sending; /* guards writes to fd; inside lock or alone */

	pthread_mutex_t lock; /* guards everything below */
	pthread_cond_t changed;
	TAILQ_HEAD(jobs, job) jobs; /* not begun */
	struct job *current;	    /* with the function */
	bool unlinked;		    /* current is not to be answered */
	bool ended;
};

static void free_job(struct job *job)
{
	free(job->transfer.data);
	free(job);
}

static bool receive(struct usbip *usbip, void *buffer, size_t size)
{
	return size == 0 || recv(usbip->fd, buffer, size, MSG_WAITALL) == (ssize_t)size;
}

/* A socket that is closed says so to the reader: nothing is to be done here. */
static void send_packet(
	struct usbip *usbip, const struct packet *packet, const void *data, size_t size)
{
	LOCKED(&usbip->sending);

	if (send(usbip->fd, packet, sizeof(*packet), MSG_NOSIGNAL) != sizeof(*packet))
		return;
	while (size) {
		ssize_t n = send(usbip->fd, data, size, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data = (const char *)data + n;
		size -= (size_t)n;
	}
}

static void answer(struct usbip *usbip, const struct job *job, ssize_t result)
{
	struct packet packet = {
		.command = htobe32(RET_SUBMIT),
		.sequence = htobe32(job->sequence),
		.submitted.status = htobe32((uint32_t)(result < 0 ? result : 0)),
		.submitted.actual = htobe32((uint32_t)(result < 0 ? 0 : result)),
	};

	send_packet(usbip, &packet, job->transfer.data,
		result > 0 && job->transfer.in ? (size_t)result : 0);
}

static void answer_unlink(struct usbip *usbip, uint32_t sequence, int status)
{
	struct packet packet = {
		.command = htobe32(RET_UNLINK),
		.sequence = htobe32(sequence),
		.unlinked.status = htobe32((uint32_t)status),
	};

	send_packet(usbip, &packet, NULL, 0);
}

static bool take_submit(struct usbip *usbip, const struct packet *packet)
{
	struct job *job = calloc(1, sizeof(*job));
	size_t size = be32toh(packet->submit.size);

	if (!job)
		return false;
	job->sequence = be32toh(packet->sequence);
	job->transfer.endpoint = (uint8_t)be32toh(packet->endpoint);
	job->transfer.in = be32toh(packet->direction) != 0;
	memcpy(job->transfer.setup, packet->submit.setup, sizeof(job->transfer.setup));
	job->transfer.size = size;
	job->transfer.data = size <= SIZE_MAX_ONCE ? malloc(size + 1) : NULL;
	if (!job->transfer.data ||
		(!job->transfer.in && !receive(usbip, job->transfer.data, size))) {
		free_job(job);
		return false;
	}
	LOCKED(&usbip->lock);
	TAILQ_INSERT_TAIL(&usbip->jobs, job, link);
	pthread_cond_signal(&usbip->changed);
	return true;
}

/* Lock held. The transfer of that number, if it has not begun. */
static struct job *find_job(struct usbip *usbip, uint32_t sequence)
{
	struct job *job;

	TAILQ_FOREACH (job, &usbip->jobs, link)
		if (job->sequence == sequence)
			return job;
	return NULL;
}

/* -ECONNRESET says that it was taken back, 0 that it had been answered before. */
static void take_unlink(struct usbip *usbip, const struct packet *packet)
{
	uint32_t sequence = be32toh(packet->unlink.sequence);
	int status = 0;

	{
		LOCKED(&usbip->lock);
		struct job *job = find_job(usbip, sequence);

		if (job) {
			TAILQ_REMOVE(&usbip->jobs, job, link);
			free_job(job);
			status = -ECONNRESET;
		} else if (usbip->current && usbip->current->sequence == sequence) {
			usbip->unlinked = true;
			usbip->function.cancel(usbip->function.data, &usbip->current->transfer);
			while (usbip->current && usbip->current->sequence == sequence)
				pthread_cond_wait(&usbip->changed, &usbip->lock);
			status = -ECONNRESET;
		}
	}
	answer_unlink(usbip, be32toh(packet->sequence), status);
}

static void *read_commands(void *data)
{
	struct usbip *usbip = data;
	struct packet packet;

	while (receive(usbip, &packet, sizeof(packet))) {
		if (be32toh(packet.command) == CMD_UNLINK)
			take_unlink(usbip, &packet);
		else if (be32toh(packet.command) != CMD_SUBMIT || !take_submit(usbip, &packet))
			break;
	}
	LOCKED(&usbip->lock);
	usbip->ended = true;
	if (usbip->current)
		usbip->function.cancel(usbip->function.data, &usbip->current->transfer);
	pthread_cond_broadcast(&usbip->changed);
	return NULL;
}

/* The next transfer, which is current then; NULL at the end. */
static struct job *next_job(struct usbip *usbip)
{
	LOCKED(&usbip->lock);

	while (!usbip->ended && TAILQ_EMPTY(&usbip->jobs))
		pthread_cond_wait(&usbip->changed, &usbip->lock);
	if (usbip->ended)
		return NULL;
	usbip->current = TAILQ_FIRST(&usbip->jobs);
	usbip->unlinked = false;
	TAILQ_REMOVE(&usbip->jobs, usbip->current, link);
	return usbip->current;
}

/* The answer goes out before the job stops being current: whoever unlinks it then is told that it came too late. */
static void end_job(struct usbip *usbip, struct job *job, ssize_t result)
{
	LOCKED(&usbip->lock);

	if (!usbip->unlinked && result != -ENODEV)
		answer(usbip, job, result);
	usbip->current = NULL;
	free_job(job);
	pthread_cond_broadcast(&usbip->changed);
}

static void *work(void *data)
{
	struct usbip *usbip = data;
	struct job *job;

	while ((job = next_job(usbip)))
		end_job(usbip, job, usbip->function.submit(usbip->function.data, &job->transfer));
	return NULL;
}

int usbip_new(int fd, const struct usbip_function *function, struct usbip **ret_usbip)
{
	struct usbip *usbip = calloc(1, sizeof(*usbip));
	int r;

	if (!usbip)
		return -ENOMEM;
	usbip->fd = fd;
	usbip->function = *function;
	TAILQ_INIT(&usbip->jobs);
	pthread_mutex_init(&usbip->sending, NULL);
	pthread_mutex_init(&usbip->lock, NULL);
	pthread_cond_init(&usbip->changed, NULL);
	r = -pthread_create(&usbip->reader, NULL, read_commands, usbip);
	if (r < 0)
		goto err;
	r = -pthread_create(&usbip->worker, NULL, work, usbip);
	if (r < 0) {
		shutdown(fd, SHUT_RDWR);
		pthread_join(usbip->reader, NULL);
		goto err;
	}
	*ret_usbip = usbip;
	return 0;

err:
	pthread_cond_destroy(&usbip->changed);
	pthread_mutex_destroy(&usbip->lock);
	pthread_mutex_destroy(&usbip->sending);
	free(usbip);
	return r;
}

void usbip_free(struct usbip *usbip)
{
	struct job *job;

	if (!usbip)
		return;
	shutdown(usbip->fd, SHUT_RDWR);
	pthread_join(usbip->reader, NULL);
	pthread_join(usbip->worker, NULL);
	while ((job = TAILQ_FIRST(&usbip->jobs))) {
		TAILQ_REMOVE(&usbip->jobs, job, link);
		free_job(job);
	}
	close(usbip->fd);
	pthread_cond_destroy(&usbip->changed);
	pthread_mutex_destroy(&usbip->lock);
	pthread_mutex_destroy(&usbip->sending);
	free(usbip);
}
