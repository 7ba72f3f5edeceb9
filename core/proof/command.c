#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proof/command.h"

/*
 * Of one read(2), and of dd's buffer: more of it makes an eMMC no faster, and with less than a page, which may be of
 * 16 KiB, busybox does not align it, as O_DIRECT wants it. Hence offsets are counted in bytes: busybox can do that
 * wherever it can do iflag=direct.
 */
#define READ_SIZE (1u << 20)

static void add(struct command *command, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void add(struct command *command, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(command->text + command->n, sizeof(command->text) - command->n, format, args);
	va_end(args);
	command->n += (size_t)n;
	if (command->n >= sizeof(command->text)) {
		command->n = 0;
		command->text[0] = '\0';
	}
}

/* The nonce with its colon, in the disguise. */
static void add_nonce(struct command *command, const struct command_target *target)
{
	add(command, "%c''%s", target->nonce[0], target->nonce + 1);
}

static void add_status_answer(
	struct command *command, const struct command_target *target, uint32_t id)
{
	add(command, "echo ");
	add_nonce(command, target);
	add(command, "%" PRIu32 ":$?.\n", id);
}

/*
 * Of what is in $h, after a $? that is still of it. It is said twice: a message of the kernel that falls into
 * one of them leaves the other.
 */
static void add_hash_answer(
	struct command *command, const struct command_target *target, uint32_t id)
{
	add(command, "a=");
	add_nonce(command, target);
	add(command, "%" PRIu32 ":\"$?:$h\";echo $a $a", id);
}

void command_hello(struct command *command, const struct command_target *target, uint32_t id)
{
	*command = (struct command){.n = 0};
	add(command, "stty echo;");
	add_status_answer(command, target, id);
}

void command_settle(struct command *command)
{
	*command = (struct command){.n = 0};
	add(command, "set +m\n");
}

static void add_dd(struct command *command, const struct command_target *target, uint64_t offset,
	uint64_t length)
{
	add(command,
		"dd if=%s bs=%u iflag=%sskip_bytes,count_bytes skip=%" PRIu64 " count=%" PRIu64,
		target->path, READ_SIZE, target->direct ? "direct," : "", offset, length);
}

static void add_drop_caches(struct command *command)
{
	add(command, "sync;echo 3 >/proc/sys/vm/drop_caches");
}

void command_try(struct command *command, const struct command_target *target, uint32_t id)
{
	*command = (struct command){.n = 0};
	if (!target->direct) {
		add_drop_caches(command);
		add(command, "&&");
	}
	add_dd(command, target, COMMAND_ALIGN, COMMAND_ALIGN);
	add(command, " >/dev/null 2>&1;");
	add_status_answer(command, target, id);
}

void command_sample(struct command *command, const struct command_target *target, uint32_t id)
{
	*command = (struct command){.n = 0};
	add(command, "h=\"$(echo abc|sha256sum)\";");
	add_hash_answer(command, target, id);
	add(command, "\n");
}

bool command_is_sample(const struct scan_answer *answer)
{
	/* printf 'abc\n' | sha256sum */
	static const unsigned char hash[SHA256_SIZE] = {0xed, 0xea, 0xaf, 0xf3, 0xf1, 0x77, 0x4a,
		0xd2, 0x88, 0x86, 0x73, 0x77, 0x0c, 0x6d, 0x64, 0x09, 0x7e, 0x39, 0x1b, 0xc3, 0x62,
		0xd7, 0xd6, 0xfb, 0x34, 0x98, 0x2d, 0xdf, 0x0e, 0xfd, 0x18, 0xcb};

	return answer->hashed && answer->status == 0 &&
	       memcmp(answer->hash, hash, sizeof(hash)) == 0;
}

/* Up to the next multiple: O_DIRECT reads no less, and a disk that ends before it gives what it has. */
static uint64_t round_up(uint64_t length)
{
	return (length + COMMAND_ALIGN - 1) / COMMAND_ALIGN * COMMAND_ALIGN;
}

void command_hash(struct command *command, const struct command_target *target, uint32_t id,
	uint64_t offset, uint64_t length)
{
	*command = (struct command){.n = 0};
	add(command, "(");
	if (!target->direct) {
		add_drop_caches(command);
		add(command, ";");
	}
	add(command, "h=\"$(");
	add_dd(command, target, offset, round_up(length));
	add(command, " 2>/dev/null|sha256sum)\";");
	add_hash_answer(command, target, id);
	add(command, ")&\n");
}

void command_bye(struct command *command)
{
	*command = (struct command){.n = 0};
	add(command, "set -m\n");
}
