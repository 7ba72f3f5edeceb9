#include <pthread.h>
#include <string.h>

#include "payload/payload.h"
#include "sim/sim.h"

/*
 * The stand-in: nothing in it would start anywhere but here. All files are pieces of one pool of
 * bytes that look like a program's (no two pieces are alike, and none is all zeros), made on first
 * use.
 */
#define KIB 1024u
#define MIB (1024u * KIB)

static unsigned char pool[2 * MIB];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static const char config[] = "# The simulated module reads this and believes nothing of it.\n"
			     "boot_ramdisk=1\n";

static void fill_pool(void)
{
	uint64_t x = 0x9e3779b97f4a7c15ull;

	/* xorshift64: bytes without a pattern, the same in every run. */
	for (size_t i = 0; i < sizeof(pool); i += sizeof(x)) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(pool + i, &x, sizeof(x));
	}
}

/* The sizes of real ones, in proportion; none of them but a few is a multiple of a packet. */
static const struct payload_blob blobs[] = {
	{"bootcode.bin", pool + 1, 52476},
	{"bootcode4.bin", pool + 100 * KIB, 101 * KIB + 20},
	{"bootcode5.bin", pool + 210 * KIB, 98 * KIB + 4},
	{"config.txt", config, sizeof(config) - 1},
	{"boot.img", pool + MIB, MIB},
	{"2711/mcb.bin", pool + 310 * KIB, 300},
	{"2711/memsys00.bin", pool + 320 * KIB, 24 * KIB},
	{"2711/memsys01.bin", pool + 345 * KIB, 24 * KIB + 8},
	{"2711/memsys02.bin", pool + 370 * KIB, 24 * KIB + 16},
	{"2711/memsys03.bin", pool + 395 * KIB, 24 * KIB + 24},
	{"2711/memsys04.bin", pool + 420 * KIB, 24 * KIB + 32},
	{"2711/memsys05.bin", pool + 445 * KIB, 24 * KIB + 40},
	{"2711/memsys06.bin", pool + 470 * KIB, 24 * KIB + 48},
	{"2711/memsys07.bin", pool + 495 * KIB, 24 * KIB + 56},
	{"2711/memsys08.bin", pool + 520 * KIB, 24 * KIB + 64},
	{"2711/bootmain", pool + 550 * KIB, 150 * KIB + 12},
	{"2712/mcb.bin", pool + 700 * KIB, 512},
	{"2712/memsys00.bin", pool + 710 * KIB, 40 * KIB},
	{"2712/memsys01.bin", pool + 751 * KIB, 40 * KIB + 8},
	{"2712/memsys02.bin", pool + 15 * KIB, 40 * KIB + 16},
	{"2712/memsys03.bin", pool + 980 * KIB, 40 * KIB + 24},
	{"2712/bootmain", pool + 795 * KIB, 180 * KIB + 4},
	{"2710/start.elf", pool + 600 * KIB, 400 * KIB + 36},
	{"2710/fixup.dat", pool + 50 * KIB, 7 * KIB + 5},
};

int sim_payload_new(struct payload **ret_payload)
{
	pthread_once(&once, fill_pool);
	return payload_new_blobs(
		"stand-in of the simulation", blobs, sizeof(blobs) / sizeof(blobs[0]), ret_payload);
}
