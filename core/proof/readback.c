#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proof/internal.h"
#include "seam/block.h"
#include "util/cleanup.h"

#define READ_SIZE (1u << 20)

struct readback {
	struct block *block;
	struct sha256 *sha;
	unsigned char *buffer; /* READ_SIZE, aligned */
};

/* 0 or -errno. */
static int hash_range(struct readback *readback, uint64_t offset, uint64_t length,
	unsigned char ret_hash[SHA256_SIZE])
{
	struct block *block = readback->block;

	sha256_begin(readback->sha);
	while (length) {
		size_t n = length < READ_SIZE ? (size_t)length : READ_SIZE;
		int r = block->ops->read(block, readback->buffer, n, offset);

		if (r < 0)
			return r;
		sha256_add(readback->sha, readback->buffer, n);
		offset += n;
		length -= n;
	}
	return sha256_end(readback->sha, ret_hash);
}

static void fail(struct prover *prover, int error, uint64_t offset)
{
	LOCKED(&prover->lock);

	queue_fail(prover, error, offset, "reading %s back to prove it failed: %s", prover->disk,
		strerrordesc_np(-error));
}

static void prove(struct prover *prover, struct readback *readback, struct piece *piece)
{
	unsigned char hash[SHA256_SIZE];
	int r = hash_range(readback, piece->offset, piece->length, hash);

	if (r == -EIO || r == -ENODATA)
		queue_unreadable(prover, piece, strerrordesc_np(-r));
	else if (r < 0)
		fail(prover, r, piece->offset);
	else if (memcmp(hash, piece->hash, SHA256_SIZE) != 0)
		queue_differs(prover, piece);
	else
		queue_proved(prover, piece);
}

static void prove_all(struct prover *prover, struct readback *readback)
{
	while (queue_wait(prover)) {
		struct piece *piece = queue_take(prover);

		/* It may have been forgotten in between. */
		if (piece)
			prove(prover, readback, piece);
	}
}

void readback_run(struct prover *prover)
{
	struct readback readback = {0};
	int r;

	/* Not before there is something to read. */
	if (!queue_wait(prover))
		return;
	readback.buffer = aligned_alloc(BLOCK_ALIGN, READ_SIZE);
	r = readback.buffer ? sha256_new(&readback.sha) : -ENOMEM;
	if (r == 0)
		r = prover->source.open_block(prover->source.data, &readback.block);
	if (r == 0) {
		if (prover_offer_block(prover, readback.block))
			prove_all(prover, &readback);
		prover_withdraw(prover);
		readback.block->ops->close(readback.block);
	} else {
		fail(prover, r, 0);
	}
	sha256_free(readback.sha);
	free(readback.buffer);
}
