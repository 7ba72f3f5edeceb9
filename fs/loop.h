#pragma once

struct fuse_session;
struct fs_pool;
struct fs_loop;

/*
 * The threads that read requests from the kernel. libfuse's own loop lends a thread to each
 * blocked request and has ten; here no handler blocks, so a few threads serve any number of
 * waiting writers.
 *
 * Thread: all of it belongs to the composition's thread, but steal, which belongs to the loop's.
 */

/* 0 or -ENOMEM, -errno. @session and @pool are borrowed. */
int fs_loop_new(struct fuse_session *session, struct fs_pool *pool, struct fs_loop **ret_loop);
void fs_loop_free(struct fs_loop *loop); /* stops first; NULL is accepted */

/*
 * Serves the first request, which is INIT, on the calling thread: 0, or -EPROTO where it came to
 * nothing.
 */
int fs_loop_handshake(struct fs_loop *loop);

/* 0 or -errno. The threads block every signal but the one that wakes them. */
int fs_loop_start(struct fs_loop *loop);

/*
 * A descriptor that becomes readable when the loop has ended by itself: the mount is gone.
 * Borrowed.
 */
int fs_loop_ended_fd(struct fs_loop *loop);

/* Threads end after the request they are at. Bounded, as handlers never block. */
void fs_loop_stop(struct fs_loop *loop);

/*
 * In a WRITE handler: takes over the buffer that the request came in, in which its bytes lie. Give
 * it back to the pool when they are no longer needed.
 */
void *fs_loop_steal(void);
