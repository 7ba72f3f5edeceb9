#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sim/server.h"

enum { COMMAND_SIZE, COMMAND_READ, COMMAND_DONE, COMMAND_UNKNOWN = 7 };

void sim_server_reset(struct sim_server *server, const struct sim_model *model,
	enum sim_program program, size_t packet)
{
	sim_server_finish(server);
	*server = (struct sim_server){
		.wishes = model->wishes[program],
		.packet = packet,
		.ramdisk = program == SIM_PROGRAM_MSD ? model->ramdisk : NULL,
		.recovers = program == SIM_PROGRAM_RECOVERY,
		.recovery = {.model = model},
	};
}

void sim_server_finish(struct sim_server *server)
{
	sim_inflow_drop(&server->inflow);
	sim_recovery_reset(&server->recovery);
}

/*
 * Nonsense comes in two kinds: a name that no host should find, asked for before all others; and
 * messages that are none, which go on for ever.
 */
static const struct sim_wish *hostile_wish(const struct sim_server *server)
{
	static const struct sim_wish dotdot = {"../../../../etc/passwd", SIM_NEED_NOTHING};
	static const struct sim_wish absolute = {"/etc/passwd", SIM_NEED_NOTHING};
	static const struct sim_wish control = {"mcb\n\x1b[2J.bin", SIM_NEED_NOTHING};

	if (!server->has_nonsense || server->talked)
		return NULL;
	switch (server->nonsense) {
	case SIM_NONSENSE_DOTDOT:
		return &dotdot;
	case SIM_NONSENSE_ABSOLUTE:
		return &absolute;
	case SIM_NONSENSE_CONTROL:
		return &control;
	case SIM_NONSENSE_BAD_COMMAND:
	case SIM_NONSENSE_NO_NUL:
	case SIM_NONSENSE_ENDLESS:
	case SIM_NONSENSE_SHORT:
	case SIM_NONSENSE_BOOT_SIG:
		break;
	}
	return NULL;
}

static bool babbles(const struct sim_server *server)
{
	return server->has_nonsense && !server->talked && !hostile_wish(server);
}

static const struct sim_wish *wish(const struct sim_server *server)
{
	const struct sim_wish *hostile = hostile_wish(server);

	return hostile ? hostile : &server->wishes[server->wish];
}

/* No wish is left: what came is judged, and told of. */
static void all_asked(struct sim_server *server, struct sim_record *record)
{
	char message[SIM_METADATA_MAX];

	if (server->recovers && server->told == 0)
		sim_recovery_decide(&server->recovery, record);
	server->state = SIM_SERVER_DONE;
	if (server->recovers && sim_recovery_message(&server->recovery, server->told, message))
		server->state = SIM_SERVER_TELL;
}

static void give_up_wishes(struct sim_server *server)
{
	while (wish(server)->name)
		server->wish++;
}

/* Behind config.txt another list of wishes may follow. */
static bool turn_to_ramdisk(struct sim_server *server)
{
	if (!server->ramdisk || strcmp(wish(server)->name, "config.txt") != 0)
		return false;
	if (!server->locked && !sim_recovery_is_set(&server->recovery, "boot_ramdisk"))
		return false;
	server->wishes = server->ramdisk;
	server->wish = 0;
	return true;
}

static void advance(struct sim_server *server)
{
	if (hostile_wish(server))
		server->talked++;
	else if (wish(server)->name && !turn_to_ramdisk(server))
		server->wish++;
	while (wish(server)->need == SIM_NEED_SIGNATURE && !server->locked)
		server->wish++;
}

/* The wish under way has had its answer. */
static void next_wish(struct sim_server *server, struct sim_record *record, bool found)
{
	if (!found && wish(server)->need == SIM_NEED_LIFE) {
		server->state = SIM_SERVER_STUCK;
		return;
	}
	if (!found && wish(server)->need == SIM_NEED_SIGNATURE) {
		server->state = SIM_SERVER_SIZE;
		return;
	}
	if (!found && wish(server)->need == SIM_NEED_LOOK)
		give_up_wishes(server);
	server->lame = server->lame || (!found && wish(server)->need == SIM_NEED_DISK);

	advance(server);
	server->state = SIM_SERVER_SIZE;
	if (!wish(server)->name)
		all_asked(server, record);
}

enum sim_point sim_server_point(const struct sim_server *server)
{
	if (server->state == SIM_SERVER_SIZE && server->wish == 0 && !server->asked)
		return SIM_POINT_SECOND;
	return server->state == SIM_SERVER_DONE ? SIM_POINT_DONE : SIM_POINT_FILE;
}

const char *sim_server_file(const struct sim_server *server)
{
	return server->state == SIM_SERVER_READ && server->inflow.hash ? wish(server)->name : NULL;
}

/* The answer to a question of size. */
static void told_size(struct sim_server *server, struct sim_record *record, uint32_t size)
{
	sim_record_add(record, SIM_EVENT_SIZE, wish(server)->name, size, NULL);
	server->size = size;
	if (size && wish(server)->need != SIM_NEED_LOOK)
		server->state = SIM_SERVER_READ;
	else
		next_wish(server, record, size != 0);
}

static int refuse(struct sim_record *record, const char *what, uint64_t size)
{
	sim_record_add(record, SIM_EVENT_REFUSED, what, size, NULL);
	return -EPIPE;
}

int sim_server_control_out(struct sim_server *server, struct sim_record *record, uint32_t length)
{
	if (server->state == SIM_SERVER_STUCK)
		return -ETIMEDOUT;
	if (!server->asked || server->inflow.hash)
		return refuse(record, "control-out", length);
	if (babbles(server)) {
		server->asked = false;
		return 0;
	}

	switch (server->state) {
	case SIM_SERVER_SIZE:
		told_size(server, record, length);
		break;
	case SIM_SERVER_READ:
		if (length && length != server->size)
			return refuse(record, "control-out", length);
		if (length)
			return sim_inflow_begin(&server->inflow, length);
		next_wish(server, record, false);
		break;
	case SIM_SERVER_TELL:
		if (length)
			return refuse(record, "control-out", length);
		server->told++;
		all_asked(server, record);
		break;
	case SIM_SERVER_DONE:
		if (length)
			return refuse(record, "control-out", length);
		sim_record_add(record, SIM_EVENT_DONE, NULL, 0, NULL);
		server->state = SIM_SERVER_LEAVES;
		break;
	case SIM_SERVER_LEAVES:
	case SIM_SERVER_STUCK:
		return -EPIPE;
	}
	server->asked = false;
	return 0;
}

static void put_message(unsigned char *message, unsigned command, const char *name)
{
	memset(message, 0, SIM_MESSAGE_SIZE);
	message[0] = (unsigned char)command;
	memcpy(message + 4, name, strlen(name));
}

static void put_metadata(
	const struct sim_server *server, struct sim_record *record, unsigned char *message)
{
	char name[SIM_METADATA_MAX] = "";

	sim_recovery_message(&server->recovery, server->told, name);
	sim_record_add(record, SIM_EVENT_METADATA, name, 0, NULL);
	put_message(message, COMMAND_SIZE, name);
}

/* A message that is none; its length. */
static ssize_t babble(const struct sim_server *server, unsigned char *message)
{
	bool signature = server->nonsense == SIM_NONSENSE_BOOT_SIG;

	put_message(message, COMMAND_SIZE, signature ? "boot.sig" : "mcb.bin");
	switch (server->nonsense) {
	case SIM_NONSENSE_BAD_COMMAND:
		message[0] = COMMAND_UNKNOWN;
		break;
	case SIM_NONSENSE_NO_NUL:
		memset(message + 4, 'A', SIM_MESSAGE_SIZE - 4);
		break;
	case SIM_NONSENSE_SHORT:
		return 10;
	case SIM_NONSENSE_ENDLESS:
	case SIM_NONSENSE_DOTDOT:
	case SIM_NONSENSE_ABSOLUTE:
	case SIM_NONSENSE_CONTROL:
	case SIM_NONSENSE_BOOT_SIG:
		break;
	}
	return SIM_MESSAGE_SIZE;
}

ssize_t sim_server_control_in(struct sim_server *server, struct sim_record *record, uint32_t length,
	void *buffer, size_t size)
{
	if (server->state == SIM_SERVER_STUCK)
		return -ETIMEDOUT;
	if (length != SIM_MESSAGE_SIZE || size != SIM_MESSAGE_SIZE)
		return refuse(record, "control-in", length);
	if (babbles(server)) {
		server->asked = true;
		return babble(server, buffer);
	}
	if (server->asked || server->state == SIM_SERVER_LEAVES)
		return refuse(record, "control-in", length);

	if (server->state == SIM_SERVER_DONE)
		put_message(buffer, COMMAND_DONE, "");
	else if (server->state == SIM_SERVER_TELL)
		put_metadata(server, record, buffer);
	else
		put_message(buffer, server->state == SIM_SERVER_READ ? COMMAND_READ : COMMAND_SIZE,
			wish(server)->name);
	server->asked = true;
	return SIM_MESSAGE_SIZE;
}

int sim_server_bulk(
	struct sim_server *server, struct sim_record *record, const void *data, size_t size)
{
	uint64_t at = server->inflow.received, total = server->inflow.announced;
	char digest[SIM_DIGEST_MAX];
	int r;

	if (server->state == SIM_SERVER_STUCK)
		return -ETIMEDOUT;
	if (server->halted || sim_inflow_take(&server->inflow, data, size, server->packet) < 0) {
		server->halted = true;
		return refuse(record, "bulk", size);
	}

	if (server->recovers || server->ramdisk)
		sim_recovery_keep(&server->recovery, wish(server)->name, at, data, size);

	r = sim_inflow_end(&server->inflow, digest);
	if (r <= 0)
		return r;
	sim_record_add(record, SIM_EVENT_FILE, wish(server)->name, total, digest);
	if (server->recovers)
		sim_recovery_arrived(&server->recovery, wish(server)->name, total, digest);
	server->asked = false;
	next_wish(server, record, true);
	return 0;
}
