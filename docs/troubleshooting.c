#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "diagnosis/table.h"

/*
 * Writes docs/troubleshooting.md, or with `mdoc` the manual's chapter, from the table of failures. What it writes is
 * committed; docs/update.py puts it in place, and a test holds that nothing else is there.
 */

static const struct {
	enum table_group group;
	const char *title, *text;
} groups[] = {
	{TABLE_HOST, "Nothing shows up",
		"What DIAGNOSIS.TXT says of the host as a whole, when no port has more to tell."},
	{TABLE_PORT, "A port has a fault",
		"What DIAGNOSIS.TXT and cm4fs doctor find in the kernel's log and on its ports."},
	{TABLE_MODULE, "A module fails",
		"What stands in the FAIL.TXT of a module's directory, with the errno of the call "
		"that "
		"was under way."},
};

#define N_GROUPS (sizeof(groups) / sizeof(groups[0]))

/* The first letter as a sentence has it. */
static void sentence(const char *text)
{
	printf("%c%s.\n", toupper((unsigned char)*text), text + 1);
}

static const char *next_step(const char *step, int *ret_n)
{
	*ret_n = (int)strcspn(step, "\n");
	return step + *ret_n + (step[*ret_n] == '\n');
}

static void md_row(const struct table_row *row)
{
	const char *step = row->advice, *next;
	int number = 1, n;

	printf("\n### %s\n\n", row->id);
	sentence(row->text);
	if (row->error)
		printf("\n`%s`, type `%s`\n", strerrorname_np(row->error),
			cm4_blame_to_string(row->blame));
	else if (row->group == TABLE_MODULE)
		printf("\nThe errno of what failed by it, type `%s`\n",
			cm4_blame_to_string(row->blame));
	if (row->log)
		printf("\nThe kernel says:\n\n");
	for (const char *const *line = row->log; line && *line; line++)
		printf("    %s\n", *line);
	printf("\n");
	for (; *step; step = next) {
		next = next_step(step, &n);
		printf("%d. %.*s\n", number++, n, step);
	}
}

static void md_index(void)
{
	printf("\n## By the kernel's lines\n\n| the kernel says | it means |\n| --- | --- |\n");
	for (unsigned i = 0; i < FAILURE_N; i++) {
		const struct table_row *row = table_row((enum failure)i);

		for (const char *const *line = row->log; line && *line; line++)
			printf("| `%s` | [%s](#%s) |\n", *line, row->id, row->id);
	}
	printf("| `config index 0 descriptor too short (expected 55, got 32)` | nothing: every "
	       "healthy "
	       "boot ROM does it |\n"
	       "| `Synchronize Cache(10) failed: Result: hostbyte=DID_NO_CONNECT` | nothing, after "
	       "a "
	       "module was unplugged |\n"
	       "| `not running at top speed; connect to a high speed hub` | nothing, of the second "
	       "stage of a CM1 or CM3 |\n");
}

static void md(void)
{
	printf("# Troubleshooting\n"
	       "\n"
	       "Made from the table in core/diagnosis/table.c by docs/update.py; change it there.\n"
	       "\n"
	       "`cat MOUNTPOINT/DIAGNOSIS.TXT` says what is wrong, by which evidence, and what to "
	       "try. Where "
	       "the kernel's log may\nnot be read: `sudo dmesg | cm4fs doctor -`. `cm4fs doctor` "
	       "looks at the "
	       "host itself.\n"
	       "\n"
	       "In the kernel's lines, error -71 (EPROTO) is a signal that arrives garbled, -110 "
	       "(ETIMEDOUT) "
	       "no answer, -32 (EPIPE) a\nrefusal. What is harmless stands at the end of the "
	       "[list of lines](#by-the-kernels-lines).\n");
	for (size_t g = 0; g < N_GROUPS; g++) {
		printf("\n## %s\n\n%s\n", groups[g].title, groups[g].text);
		for (unsigned i = 0; i < FAILURE_N; i++)
			if (table_row((enum failure)i)->group == groups[g].group)
				md_row(table_row((enum failure)i));
	}
	md_index();
}

/* A line that begins with a dot or a quote would be a request; backslashes are escapes. */
static void mdoc_text(const char *text, int n)
{
	if (*text == '.' || *text == '\'')
		printf("\\&");
	for (int i = 0; i < n; i++) {
		if (text[i] == '\\')
			printf("\\e");
		else if (text[i] == '-' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '-'))
			printf("\\-");
		else
			putchar(text[i]);
	}
}

static void mdoc_row(const struct table_row *row)
{
	const char *step = row->advice, *next;
	int n;

	printf(".It Sy %s\n", row->id);
	putchar(toupper((unsigned char)*row->text));
	mdoc_text(row->text + 1, (int)strlen(row->text) - 1);
	if (row->error)
		printf("\n.Pq Er %s .\n", strerrorname_np(row->error));
	else
		printf(".\n");
	for (; *step; step = next) {
		next = next_step(step, &n);
		mdoc_text(step, n);
		printf("\n");
	}
	for (const char *const *line = row->log; line && *line; line++) {
		printf(".Dl ");
		/* In a macro's line, quotes would be eaten. */
		for (const char *c = *line; *c; c++)
			if (*c == '"')
				printf("\\(dq");
			else
				mdoc_text(c, 1);
		printf("\n");
	}
}

static void mdoc(void)
{
	for (size_t g = 0; g < N_GROUPS; g++) {
		printf(".Ss %s\n%s\n.Bl -tag -width Ds\n", groups[g].title, groups[g].text);
		for (unsigned i = 0; i < FAILURE_N; i++)
			if (table_row((enum failure)i)->group == groups[g].group)
				mdoc_row(table_row((enum failure)i));
		printf(".El\n");
	}
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "mdoc") == 0)
		mdoc();
	else
		md();
	return 0;
}
