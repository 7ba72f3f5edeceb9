#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "options.h"

#define ARGC(argv) ((int)(sizeof(argv) / sizeof((argv)[0])))
#define PARSE(options, ...)                                                                        \
	fs_options_parse(ARGC(((char *[]){"cm4fs", __VA_ARGS__})),                                 \
		(char *[]){"cm4fs", __VA_ARGS__, NULL}, options)

static void refuses(int line, int argc, char **argv)
{
	struct fs_options options;
	int r = fs_options_parse(argc, argv, &options);

	fs_options_fini(&options);
	_assert_int_equal(r, -EINVAL, __FILE__, line);
}

#define REFUSES(...)                                                                               \
	refuses(__LINE__, ARGC(((char *[]){"cm4fs", __VA_ARGS__})),                                \
		(char *[]){"cm4fs", __VA_ARGS__, NULL})

static int has_arg(const struct fs_options *options, const char *part)
{
	for (int i = 0; i < options->args.argc; i++)
		if (strstr(options->args.argv[i], part))
			return 1;
	return 0;
}

static void a_mount_point_is_all_it_takes(void **state)
{
	struct fs_options options;

	assert_int_equal(PARSE(&options, "/mnt"), 0);
	assert_string_equal(options.mountpoint, "/mnt");
	assert_null(options.source);
	assert_int_equal(options.uid, getuid());
	assert_int_equal(options.umask, 0);
	assert_false(options.simulated);
	assert_true(has_arg(&options, "default_permissions"));
	assert_true(has_arg(&options, "subtype=cm4fs"));
	fs_options_fini(&options);
}

static void a_source_before_it_is_ignored(void **state)
{
	struct fs_options options;

	assert_int_equal(PARSE(&options, "none", "/mnt", "-o", "rw,nosuid,nodev"), 0);
	assert_string_equal(options.mountpoint, "/mnt");
	assert_string_equal(options.source, "none");
	fs_options_fini(&options);
	REFUSES("a", "b", "c");
}

/* A line of fstab is often copied from /proc/mounts. */
static void what_is_said_of_access_times_is_ignored(void **state)
{
	struct fs_options options;

	assert_int_equal(PARSE(&options, "none", "/mnt", "-o",
				 "rw,relatime,norelatime,strictatime,nostrictatime,diratime,"
				 "nodiratime,lazytime,nolazytime"),
		0);
	for (int i = 0; i < options.args.argc; i++)
		assert_null(strstr(options.args.argv[i], "time"));
	fs_options_fini(&options);
}

static void long_options_are_read(void **state)
{
	struct fs_options options;

	assert_int_equal(PARSE(&options, "--payload=/boot files", "--simulate=count=2:emmc=1G",
				 "--autoboot", "--port=1-1", "--port=1-2.3", "--raw", "--allow-otp",
				 "--verify=off", "--reconnect=0", "/mnt"),
		0);
	assert_string_equal(options.payload, "/boot files");
	assert_true(options.simulated);
	assert_string_equal(options.simulate, "count=2:emmc=1G");
	assert_true(options.autoboot);
	assert_true(options.allow_otp);
	assert_true(options.raw);
	assert_int_equal(options.verify, CM4_VERIFY_OFF);
	assert_int_equal(options.n_ports, 2);
	assert_string_equal(options.ports[0], "1-1");
	assert_string_equal(options.ports[1], "1-2.3");
	assert_null(options.ports[2]);
	fs_options_fini(&options);
}

static void each_may_be_written_behind_o(void **state)
{
	struct fs_options options;

	assert_int_equal(
		PARSE(&options, "/mnt", "-o",
			"payload=/a\\,b,simulate=dir=/tmp:count=2,autoboot,port=1-1,raw,verify=off,"
			"reconnect=0,uid=5,gid=6,umask=027,allow_other"),
		0);
	assert_string_equal(options.payload, "/a,b");
	assert_string_equal(options.simulate, "dir=/tmp:count=2");
	assert_true(options.autoboot);
	assert_int_equal(options.n_ports, 1);
	assert_int_equal(options.uid, 5);
	assert_int_equal(options.gid, 6);
	assert_int_equal(options.umask, 027);
	assert_true(has_arg(&options, "allow_other"));
	fs_options_fini(&options);
}

static void simulate_alone_has_no_spec(void **state)
{
	struct fs_options options;

	assert_int_equal(PARSE(&options, "--simulate", "/mnt"), 0);
	assert_true(options.simulated);
	assert_null(options.simulate);
	fs_options_fini(&options);
}

static void debugging_stays_in_the_foreground(void **state)
{
	struct fs_options options;

	assert_int_equal(PARSE(&options, "-d", "/mnt"), 0);
	assert_true(options.foreground);
	assert_true(options.debug);
	assert_true(has_arg(&options, "-d"));
	fs_options_fini(&options);
}

static void questions_need_no_mount_point(void **state)
{
	static char *const words[] = {"-h", "--help", "-V", "--version", "--simulate=help"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct fs_options options;

		assert_int_equal(PARSE(&options, words[i]), 0);
		assert_true(fs_options_ask(&options));
		fs_options_fini(&options);
	}
}

static void what_is_unknown_is_refused(void **state)
{
	REFUSES("--colour", "/mnt");
	REFUSES("--allow-otp=yes", "/mnt");
	REFUSES("-x", "/mnt");
	REFUSES("-o", "colour", "/mnt");
	REFUSES("-o", "nonempty", "/mnt");
	REFUSES("--payload", "/mnt");
	REFUSES("--autoboot=yes", "/mnt");
	REFUSES("--autobooting", "/mnt");
}

static void what_this_version_cannot_do_is_refused(void **state)
{
	REFUSES("--reconnect=30", "/mnt");
}

static void what_is_proved_is_one_of_three(void **state)
{
	struct fs_options options;

	assert_int_equal(PARSE(&options, "/mnt"), 0);
	assert_int_equal(options.verify, CM4_VERIFY_MEDIUM);
	fs_options_fini(&options);
	assert_int_equal(PARSE(&options, "--verify=readback", "/mnt"), 0);
	assert_int_equal(options.verify, CM4_VERIFY_READBACK);
	fs_options_fini(&options);
	assert_int_equal(PARSE(&options, "-o", "verify=medium", "/mnt"), 0);
	assert_int_equal(options.verify, CM4_VERIFY_MEDIUM);
	fs_options_fini(&options);
	REFUSES("--verify", "/mnt");
	REFUSES("--verify=", "/mnt");
	REFUSES("--verify=all", "/mnt");
	REFUSES("-o", "verify=yes", "/mnt");
}

static void numbers_are_numbers(void **state)
{
	REFUSES("-o", "uid=root", "/mnt");
	REFUSES("-o", "uid=-1", "/mnt");
	REFUSES("-o", "uid=", "/mnt");
	REFUSES("-o", "uid=12x", "/mnt");
	REFUSES("-o", "gid=99999999999", "/mnt");
	REFUSES("-o", "umask=8", "/mnt");
	REFUSES("-o", "umask=1777", "/mnt");
	REFUSES("--port=", "/mnt");
}

static void nothing_to_mount_on_is_refused(void **state)
{
	REFUSES("--simulate");
	REFUSES("-f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mount_point_is_all_it_takes),
		cmocka_unit_test(a_source_before_it_is_ignored),
		cmocka_unit_test(what_is_said_of_access_times_is_ignored),
		cmocka_unit_test(long_options_are_read),
		cmocka_unit_test(each_may_be_written_behind_o),
		cmocka_unit_test(simulate_alone_has_no_spec),
		cmocka_unit_test(debugging_stays_in_the_foreground),
		cmocka_unit_test(questions_need_no_mount_point),
		cmocka_unit_test(what_is_unknown_is_refused),
		cmocka_unit_test(what_this_version_cannot_do_is_refused),
		cmocka_unit_test(what_is_proved_is_one_of_three),
		cmocka_unit_test(numbers_are_numbers),
		cmocka_unit_test(nothing_to_mount_on_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
