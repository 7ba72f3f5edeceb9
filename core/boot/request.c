#include <errno.h>
#include <string.h>

#include "boot/request.h"

/*
 * Two kinds of nonsense are told apart. Garbage is no message at all: it was seen after a module's
 * reset, when the tail of one transfer was read as the head of the next, and nobody waits for its
 * answer. A command with a name that cannot be a boot file's is a message, whose sender waits: it is
 * answered as a file that is not there.
 */

/* Names are ASCII in every firmware. @name is made fit to be shown; false when it was not. */
static bool clean(char *name)
{
	bool was_clean = true;

	for (; *name; name++) {
		if (*name < 0x20 || *name > 0x7e) {
			*name = '?';
			was_clean = false;
		}
	}
	return was_clean;
}

static bool leads_upwards(const char *name)
{
	while (*name) {
		size_t n = strcspn(name, "/");

		if (n == 2 && memcmp(name, "..", 2) == 0)
			return true;
		name += n;
		name += strspn(name, "/");
	}
	return false;
}

static const char *judge_name(const char *name)
{
	if (name[0] == '/' || leads_upwards(name))
		return "it leads out of the boot files";
	return NULL;
}

int boot_request_parse(const void *bytes, size_t size, struct boot_request *ret_request)
{
	const struct wire_message *message = bytes;
	struct boot_request request = {0};
	uint32_t command;

	if (size != sizeof(*message))
		return -EMSGSIZE;
	if (!memchr(message->name, '\0', sizeof(message->name)))
		return -EILSEQ;

	strcpy(request.name, (const char *)message->name);
	command = wire_get_le32(message->command);

	if (request.name[0] == '\0' || command == WIRE_DONE)
		request.verb = BOOT_VERB_DONE; /* an empty name says so under any command */
	else if (command != WIRE_GET_FILE_SIZE && command != WIRE_READ_FILE)
		return -EOPNOTSUPP;
	else if (request.name[0] == '*')
		request.verb = BOOT_VERB_METADATA;
	else
		request.verb = command == WIRE_READ_FILE ? BOOT_VERB_READ : BOOT_VERB_SIZE;

	if (!clean(request.name))
		request.refusal = "it holds what no name does";
	else if (request.verb == BOOT_VERB_SIZE || request.verb == BOOT_VERB_READ)
		request.refusal = judge_name(request.name);

	*ret_request = request;
	return 0;
}

const char *boot_request_fault(int error)
{
	switch (-error) {
	case EMSGSIZE:
		return "not of a message's size";
	case EILSEQ:
		return "a name without an end";
	case EOPNOTSUPP:
		return "an unknown command";
	case EPIPE:
		return "the request for it was stalled";
	case EOVERFLOW:
		return "longer than asked for";
	default:
		return "broken on its way";
	}
}
