#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <blkid/blkid.h>

#include "layout/internal.h"
#include "util/cleanup.h"

/*
 * The first signature in libblkid's order is taken. Its safe probing, which says nothing where it
 * finds several, is for those who are about to mount; an image with two is an image.
 *
 * GPT is not asked for: libblkid also tries the backup at the end, and there is no end yet.
 */
static int ask(blkid_probe probe, const struct layout_head *head)
{
	static char dos[] = "dos";
	char *tables[] = {dos, NULL};

	if (blkid_probe_set_device(probe, head->fd, 0, 0) != 0)
		return -ENOMEM;
	if (blkid_probe_enable_superblocks(probe, 1) != 0 ||
		blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE) !=
			0 ||
		blkid_probe_filter_superblocks_usage(probe, BLKID_FLTR_ONLYIN,
			BLKID_USAGE_FILESYSTEM | BLKID_USAGE_CRYPTO | BLKID_USAGE_RAID) != 0)
		return -ENOMEM;
	if (blkid_probe_enable_partitions(probe, 1) != 0 ||
		blkid_probe_filter_partitions_type(probe, BLKID_FLTR_ONLYIN, tables) != 0)
		return -ENOMEM;
	return blkid_do_fullprobe(probe) < 0 ? -EIO : 0;
}

static bool is(blkid_probe probe, const char *name, const char *wanted)
{
	const char *value;

	return blkid_probe_lookup_value(probe, name, &value, NULL) == 0 &&
	       strcmp(value, wanted) == 0;
}

static void free_probe(blkid_probe *probe)
{
	blkid_free_probe(*probe);
}

int signature_find(const struct layout_head *head, struct signature *ret_signature)
{
	_cleanup_(free_probe) blkid_probe probe = blkid_new_probe();
	struct signature signature = {0};
	const char *type;
	int r;

	if (!probe)
		return -ENOMEM;
	r = ask(probe, head);
	if (r < 0)
		return r;
	signature.mbr = is(probe, "PTTYPE", "dos");
	signature.filesystem = is(probe, "USAGE", "filesystem");
	if (blkid_probe_lookup_value(probe, "TYPE", &type, NULL) == 0)
		snprintf(signature.type, sizeof(signature.type), "%s", type);
	*ret_signature = signature;
	return 0;
}
