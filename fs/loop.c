#include <errno.h>
#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cm4fs/log.h>

#include "loop.h"
#include "pool.h"
#include "util/cleanup.h"
#include "util/clock.h"

/*
 * A thread sleeps in read() on /dev/fuse. To end it, the session is marked as exited and the
 * thread is sent a signal that does nothing but end the read. The signal may come a moment before
 * the thread enters read(), and is lost then: it is sent again until the thread has ended.
 */

#define THREADS	      3
#define WAKE_SIGNAL   SIGUSR2
#define WAKE_AGAIN_MS 10

struct fs_loop {
	struct fuse_session *session;
	struct fs_pool *pool;
	int ended_fd; /* eventfd */
	pthread_t threads[THREADS];
	unsigned n;

	pthread_mutex_t lock; /* guards running; innermost */
	pthread_cond_t ended;
	unsigned running;
};

/* The buffer of the request that this thread is at. */
static _Thread_local struct fuse_buf current;

void *fs_loop_steal(void)
{
	void *buffer = current.mem;

	current.mem = NULL;
	return buffer;
}

static int serve_one(struct fs_loop *loop)
{
	int r;

	if (!current.mem)
		current.mem = fs_pool_get(loop->pool);
	r = fuse_session_receive_buf(loop->session, &current);
	if (r > 0)
		fuse_session_process_buf(loop->session, &current);
	return r;
}

static void put_current(struct fs_loop *loop)
{
	fs_pool_put(loop->pool, fs_loop_steal());
}

static void tell_ended(struct fs_loop *loop)
{
	uint64_t one = 1;

	if (write(loop->ended_fd, &one, sizeof(one)) < 0)
		cm4_log(LOG_ERR, "cannot tell that the request loop ended: %m");

	LOCKED(&loop->lock);
	loop->running--;
	pthread_cond_signal(&loop->ended);
}

static void *run(void *data)
{
	struct fs_loop *loop = data;
	sigset_t wake;

	sigemptyset(&wake);
	sigaddset(&wake, WAKE_SIGNAL);
	pthread_sigmask(SIG_UNBLOCK, &wake, NULL);

	while (!fuse_session_exited(loop->session)) {
		int r = serve_one(loop);

		if (r == 0 || (r < 0 && r != -EINTR && r != -EAGAIN && r != -ENOMEM))
			break;
	}
	fuse_session_exit(loop->session);
	put_current(loop);
	tell_ended(loop);
	return NULL;
}

static void on_wake(int signal)
{
}

int fs_loop_new(struct fuse_session *session, struct fs_pool *pool, struct fs_loop **ret_loop)
{
	struct fs_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	*loop = (struct fs_loop){.session = session, .pool = pool};
	loop->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->ended_fd < 0) {
		int r = -errno;

		free(loop);
		return r;
	}
	pthread_mutex_init(&loop->lock, NULL);
	cond_init(&loop->ended);
	*ret_loop = loop;
	return 0;
}

void fs_loop_free(struct fs_loop *loop)
{
	if (!loop)
		return;
	fs_loop_stop(loop);
	pthread_cond_destroy(&loop->ended);
	pthread_mutex_destroy(&loop->lock);
	close(loop->ended_fd);
	free(loop);
}

int fs_loop_handshake(struct fs_loop *loop)
{
	int r;

	do
		r = serve_one(loop);
	while (r == -EINTR || r == -EAGAIN);
	put_current(loop);
	return r > 0 && !fuse_session_exited(loop->session) ? 0 : -EPROTO;
}

int fs_loop_start(struct fs_loop *loop)
{
	struct sigaction action = {.sa_handler = on_wake}; /* no SA_RESTART: read() is to end */

	sigaction(WAKE_SIGNAL, &action, NULL);
	while (loop->n < THREADS) {
		int r;

		LOCKED(&loop->lock);
		r = pthread_create(&loop->threads[loop->n], NULL, run, loop);
		if (r)
			return -r;
		loop->n++;
		loop->running++;
	}
	return 0;
}

int fs_loop_ended_fd(struct fs_loop *loop)
{
	return loop->ended_fd;
}

void fs_loop_stop(struct fs_loop *loop)
{
	fuse_session_exit(loop->session);
	{
		LOCKED(&loop->lock);
		while (loop->running) {
			for (unsigned i = 0; i < loop->n; i++)
				pthread_kill(loop->threads[i], WAKE_SIGNAL);
			cond_wait_until(
				&loop->ended, &loop->lock, clock_ns() + WAKE_AGAIN_MS * NS_PER_MS);
		}
	}
	while (loop->n)
		pthread_join(loop->threads[--loop->n], NULL);
}
