#pragma once

#include "descriptors.h"
#include "seam/backend.h"

/*
 * One boot stage of a simulated module, on the kernel's bus: a device of vhci-hcd, whose standard requests are
 * answered from its descriptors and whose others go to the module's model.
 */
struct stage;

/*
 * Attaches it to port @vhci of vhci-hcd, once that is free. 0 or -errno: ENODEV (the stage is over already), EBUSY
 * (not free in time), ENOENT (no vhci-hcd).
 */
int stage_new(struct backend *sim, const struct usb_identity *identity,
	enum descriptors_shape shape, unsigned vhci, struct stage **ret_stage);

/* Pulls the plug. NULL is accepted. */
void stage_free(struct stage *stage);
