#include "sim-host.h"

static void a_module_boots_from_rom_to_disk(void **state)
{
	struct host *host = host_new("emmc=4M:boot=0:link=0");

	host_boot(host);
	host_expect(host, "disk+ 1-1.1 mmcblk0 4194304");
	host_free(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_module_boots_from_rom_to_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
