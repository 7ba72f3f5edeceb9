#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "told.h"

/* One module's life, news by news; what is told of it, as the words of the events and a key of each. */
struct story {
	struct fs_told told;
	struct cm4_news news;
	struct fs_text text;
	uint64_t now;
};

static void begin(struct story *story)
{
	memset(story, 0, sizeof(*story));
	fs_told_init(&story->told);
	story->now = 100000;
	story->news.status.id = 7;
	strcpy(story->news.status.name, "af04b2da");
	strcpy(story->news.status.serial, "af04b2da");
	strcpy(story->news.status.port, "1-1.3");
}

static void end(struct story *story)
{
	fs_told_fini(&story->told);
	free(story->text.data);
}

static void tell(struct story *story, enum cm4_change change)
{
	story->news.change = change;
	fs_told_news(&story->told, &story->news, story->now, &story->text);
}

static void become(struct story *story, enum cm4_state state)
{
	story->news.status.state = state;
	story->news.status.has_image = state >= CM4_STATE_FLASHING;
	story->news.status.image.format = "raw";
	tell(story, CM4_CHANGE_STATE);
}

static void add_word(char *words, const json_t *event, const char *key)
{
	const json_t *value = json_object_get(event, key);

	if (!value)
		return;
	strcat(words, ":");
	if (json_is_string(value))
		strcat(words, json_string_value(value));
	else if (json_is_boolean(value))
		strcat(words, json_is_true(value) ? "yes" : "no");
}

/* What has been told since, and forgets it. */
static void told(struct story *story, const char *wanted)
{
	char words[1024] = "";
	size_t done = 0;

	while (done < story->text.size) {
		const char *line = story->text.data + done;
		const char *newline = memchr(line, '\n', story->text.size - done);
		json_t *event;

		assert_non_null(newline);
		event = json_loadb(line, (size_t)(newline - line), 0, NULL);
		assert_non_null(event);
		assert_non_null(json_object_get(event, "time"));
		if (*words)
			strcat(words, " ");
		strcat(words, json_string_value(json_object_get(event, "event")));
		add_word(words, event, "id");
		add_word(words, event, "state");
		add_word(words, event, "file");
		add_word(words, event, "kept");
		add_word(words, event, "over");
		json_decref(event);
		done += (size_t)(newline - line) + 1;
	}
	assert_string_equal(words, wanted);
	free(story->text.data);
	story->text = (struct fs_text){0};
}

static void a_life_is_told_state_by_state(void **state)
{
	struct story story;

	begin(&story);
	tell(&story, CM4_CHANGE_APPEARED);
	told(&story, "attach state:rom");
	become(&story, CM4_STATE_BOOTING);
	story.news.status.stage = CM4_STAGE_SECOND;
	tell(&story, CM4_CHANGE_STATE); /* the stage alone */
	strcpy(story.news.file.name, "mcb.bin");
	story.news.file.found = true;
	tell(&story, CM4_CHANGE_SERVED);
	story.news.file.found = false;
	tell(&story, CM4_CHANGE_SERVED);
	become(&story, CM4_STATE_READY);
	told(&story, "state:booting file:mcb.bin state:ready");
	story.news.status.gone = true;
	tell(&story, CM4_CHANGE_STATE);
	tell(&story, CM4_CHANGE_LEFT);
	told(&story, "detach:ready:no");
	end(&story);
}

static void a_directory_that_stays_is_told_to_have_gone_later(void **state)
{
	struct story story;

	begin(&story);
	tell(&story, CM4_CHANGE_APPEARED);
	story.news.status.gone = true;
	story.news.status.failure.error = ENODEV;
	become(&story, CM4_STATE_FAILED);
	told(&story, "attach state:rom state:failed detach:failed:yes");
	tell(&story, CM4_CHANGE_LEFT);
	told(&story, "detach:failed:no");
	end(&story);
}

static void who_comes_late_is_told_how_things_stand(void **state)
{
	struct story story;

	begin(&story);
	tell(&story, CM4_CHANGE_APPEARED);
	become(&story, CM4_STATE_BOOTING);
	become(&story, CM4_STATE_READY);
	free(story.text.data);
	story.text = (struct fs_text){0};
	fs_told_greet(&story.told, &story.text);
	told(&story, "hello state:ready");
	end(&story);
}

static void progress_is_due_once_a_second_and_once_at_the_end(void **state)
{
	struct story story;
	uint64_t due, id = 0;

	begin(&story);
	tell(&story, CM4_CHANGE_APPEARED);
	assert_true(fs_told_due(&story.told, &id) == UINT64_MAX);
	become(&story, CM4_STATE_FLASHING);
	told(&story, "attach state:rom state:flashing");
	due = fs_told_due(&story.told, &id);
	assert_true(due > story.now + 1000 && due < story.now + 1100);
	assert_int_equal(id, 7);

	fs_told_progress(&story.told, &story.news.status, due - 1, &story.text);
	told(&story, "");
	fs_told_progress(&story.told, &story.news.status, due, &story.text);
	told(&story, "progress:flashing");
	assert_true(fs_told_due(&story.told, &id) > due + 1000);

	/* The last of a flash keeps its distance, too. */
	story.now = due + 500;
	become(&story, CM4_STATE_DONE);
	told(&story, "state:done");
	due = fs_told_due(&story.told, &id);
	assert_true(due > story.now + 500 && due < story.now + 600);
	fs_told_progress(&story.told, &story.news.status, due, &story.text);
	told(&story, "progress:done");
	assert_true(fs_told_due(&story.told, &id) == UINT64_MAX);
	end(&story);
}

static void a_flash_of_less_than_a_second_has_its_last_progress_at_once(void **state)
{
	struct story story;
	uint64_t id;

	begin(&story);
	tell(&story, CM4_CHANGE_APPEARED);
	become(&story, CM4_STATE_FLASHING);
	story.now += 300;
	become(&story, CM4_STATE_DONE);
	told(&story, "attach state:rom state:flashing progress:done state:done");
	assert_true(fs_told_due(&story.told, &id) == UINT64_MAX);
	end(&story);
}

static struct cm4_report report_of(const char *id, bool earlier)
{
	struct cm4_report report = {.findings = calloc(1, sizeof(*report.findings)), .n = 1};

	report.findings[0].id = id;
	report.findings[0].advice = "Try another cable.\nThen another port.";
	report.findings[0].earlier = earlier;
	strcpy(report.findings[0].text, "nothing \xff is \x1b[31m clean");
	return report;
}

static void report(struct story *story, struct cm4_report report)
{
	fs_told_report(&story->told, &report, &story->text);
}

static void a_finding_is_told_when_it_appears_and_when_it_is_over(void **state)
{
	struct story story;

	begin(&story);
	report(&story, report_of("port-mute", false));
	told(&story, "finding:port-mute:no");
	report(&story, report_of("port-mute", false));
	told(&story, "");
	report(&story, report_of("port-garbled", false));
	told(&story, "finding:port-mute:yes finding:port-garbled:no");
	fs_told_greet(&story.told, &story.text);
	told(&story, "hello finding:port-garbled:no");
	report(&story, report_of("port-garbled", true)); /* long past */
	told(&story, "finding:port-garbled:yes");
	report(&story, (struct cm4_report){0});
	told(&story, "");
	end(&story);
}

static void where_nobody_reads_nothing_is_written(void **state)
{
	struct story story;

	begin(&story);
	story.news.change = CM4_CHANGE_APPEARED;
	fs_told_news(&story.told, &story.news, story.now, NULL);
	story.news.change = CM4_CHANGE_STATE;
	story.news.status.state = CM4_STATE_FLASHING;
	fs_told_news(&story.told, &story.news, story.now, NULL);
	fs_told_greet(&story.told, &story.text);
	told(&story, "hello state:flashing");
	end(&story);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_life_is_told_state_by_state),
		cmocka_unit_test(a_directory_that_stays_is_told_to_have_gone_later),
		cmocka_unit_test(who_comes_late_is_told_how_things_stand),
		cmocka_unit_test(progress_is_due_once_a_second_and_once_at_the_end),
		cmocka_unit_test(a_flash_of_less_than_a_second_has_its_last_progress_at_once),
		cmocka_unit_test(a_finding_is_told_when_it_appears_and_when_it_is_over),
		cmocka_unit_test(where_nobody_reads_nothing_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
