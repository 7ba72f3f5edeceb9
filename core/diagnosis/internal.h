#pragma once

#include "diagnosis/diagnosis.h"

/* What feeding the machines (diagnosis.c) and judging them (findings.c) share. */

#define VENDOR_BROADCOM 0x0a5c

#define BIT(event) (1u << (event))

/* What an enumeration that succeeds makes up for. */
#define FAILED_ENUMERATION                                                                         \
	(BIT(KERNEL_DESCRIPTOR) | BIT(KERNEL_SETUP) | BIT(KERNEL_ADDRESS) |                        \
		BIT(KERNEL_CONFIGURATION) | BIT(KERNEL_UNABLE) | BIT(KERNEL_POWER_CYCLE) |         \
		BIT(KERNEL_CANNOT_ENABLE) | BIT(KERNEL_DISTURBED))
#define OF_ITS_DISK                                                                                \
	(BIT(KERNEL_RESET) | BIT(KERNEL_NO_MEDIUM) | BIT(KERNEL_DISK_ERROR) | BIT(KERNEL_OFFLINE))
