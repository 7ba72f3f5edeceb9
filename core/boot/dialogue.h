#pragma once

#include "boot/machine.h"

/*
 * Within the machine: its two dialogues, and what both build their actions with. A dialogue's step
 * is called with machine->action blank, fills it in, and leaves the state in which its completion
 * is awaited.
 */
void boot_rom_step(struct boot_machine *machine, const struct boot_completion *completion);
void boot_server_step(struct boot_machine *machine, const struct boot_completion *completion);

void boot_do_find(struct boot_machine *machine, const char *name, enum boot_state then);
void boot_do_announce(struct boot_machine *machine, uint32_t size, enum boot_state then);
void boot_do_send_file(struct boot_machine *machine, enum boot_state then);
void boot_do_receive(struct boot_machine *machine, uint32_t size, enum boot_state then);
void boot_do_end(struct boot_machine *machine, int result);

/* News to go with the action. */
void boot_tell(struct boot_machine *machine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void boot_tell_served(struct boot_machine *machine, const char *name, uint64_t size, bool found);

/* A transfer's -errno as the dialogue's result. */
int boot_result_of_bus(int error);

/* A look-up's or a reading's -errno, other than -ENOENT, as the dialogue's result. */
int boot_result_of_file(int error);
