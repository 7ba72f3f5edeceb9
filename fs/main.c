#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cm4fs/log.h>

#include "daemon.h"
#include "doctor.h"
#include "doctor/doctor.h"
#include "linux/host.h"
#include "linux/linux.h"
#include "mount.h"
#include "options.h"
#include "payload/payload.h"
#include "seam/backend.h"
#include "server.h"
#include "sim/sim.h"
#include "util/cleanup.h"

/* The composition: the only place that knows which backend there is. */

#define STATUS_FAILED 1
#define STATUS_USAGE  2
#define MESSAGE_MAX   512

__attribute__((format(printf, 2, 0))) static void print_libfuse(
	enum fuse_log_level level, const char *format, va_list args)
{
	char line[1024];
	size_t length;

	vsnprintf(line, sizeof(line), format, args);
	length = strlen(line);
	while (length && line[length - 1] == '\n')
		line[--length] = '\0';
	cm4_log((int)level, "%s", line);
}

/*
 * What boot files there are: those asked for; else the stand-in that simulated modules bring, or
 * what is installed on this host. A host without any is no reason not to start: a module says so
 * when it is written to.
 */
static int open_payload(const struct fs_options *options, struct payload **ret_payload)
{
	char message[MESSAGE_MAX] = "";
	int r;

	if (options->payload) {
		r = payload_open(options->payload, ret_payload, message, sizeof(message));
		if (r < 0)
			cm4_log(LOG_ERR, "%s", message);
		return r;
	}
	if (options->simulated)
		return sim_payload_new(ret_payload);

	r = payload_open_standard(ret_payload, message, sizeof(message));
	if (r < 0)
		cm4_log(LOG_WARNING, "%s", message);
	return r == -ENOMEM ? r : 0;
}

static int open_simulation(const struct fs_options *options, struct backend **ret_backend)
{
	char message[MESSAGE_MAX] = "";
	struct sim_spec *spec;
	int r = sim_spec_parse(
		options->simulate ? options->simulate : "1", &spec, message, sizeof(message));

	if (r == 0)
		r = sim_backend_new(spec, ret_backend, message, sizeof(message));
	if (r < 0)
		cm4_log(LOG_ERR, "%s", *message ? message : strerror(-r));
	return r;
}

static int open_backend(const struct fs_options *options, struct backend **ret_backend)
{
	int r;

	if (options->simulated)
		return open_simulation(options, ret_backend);
	r = linux_backend_new(ret_backend);
	if (r < 0)
		cm4_log(LOG_ERR, "USB: %s", strerror(-r));
	return r;
}

static int serve(struct fs_options *options, const char *mountpoint, struct fs_daemon *daemon)
{
	struct cm4_fleet_config config = {
		.verify = options->verify,
		.raw = options->raw,
		.allow_otp = options->allow_otp,
		.autoboot = options->autoboot,
		.ports = (const char *const *)options->ports,
	};
	int status = STATUS_FAILED;

	if (open_payload(options, &config.payload) == 0 &&
		open_backend(options, &config.backend) == 0)
		status = fs_serve(options, mountpoint, daemon, &config);
	if (config.backend)
		config.backend->ops->free(config.backend);
	payload_free(config.payload);
	return status;
}

static int run(struct fs_options *options)
{
	_cleanup_free_ char *mountpoint = NULL;
	char message[MESSAGE_MAX];
	struct fs_daemon daemon;
	int status = STATUS_FAILED;

	if (fs_mount_check(options->mountpoint, &mountpoint, message, sizeof(message)) < 0) {
		cm4_log(LOG_ERR, "%s", message);
		return STATUS_FAILED;
	}
	if (fs_daemon_begin(&daemon, options->foreground, &status))
		status = serve(options, mountpoint, &daemon);
	return status;
}

static int answer(const struct fs_options *options)
{
	if (options->help)
		fs_options_help();
	else if (options->version)
		printf("cm4fs %s, libfuse %s\n", CM4FS_VERSION, fuse_pkgversion());
	else
		sim_spec_help(stdout);
	return 0;
}

/* Nothing is started: who is connected is only looked at, and left alone. */
static int examine(const struct fs_options *options, bool json)
{
	static struct cm4_checkup checkup;
	struct cm4_report report = {.n = 0};
	struct host_facts host;
	char message[MESSAGE_MAX] = "";
	struct doctor_patient patient = {
		.host = &host, .payload_message = message, .log = &report, .now = time(NULL)};
	struct backend *backend;
	struct kernel_log *log;
	int status = STATUS_FAILED;

	if (open_backend(options, &backend) < 0)
		return STATUS_FAILED;
	if (options->payload)
		payload_open(options->payload, &patient.payload, message, sizeof(message));
	else
		payload_open_standard(&patient.payload, message, sizeof(message));
	linux_host_look("", &host);
	if (backend->ops->open_kernel_log(backend, &log) == 0) {
		if (doctor_listen(log, &report) == 0) {
			doctor_examine(&patient, &checkup);
			status = fs_doctor_print(stdout, &checkup, &report, json);
		}
		log->ops->close(log);
	}
	cm4_report_fini(&report);
	payload_free(patient.payload);
	backend->ops->free(backend);
	return status;
}

static int see_doctor(int argc, char **argv)
{
	struct fs_options options = {0};
	struct fs_doctor doctor;

	if (fs_doctor_parse(argc, argv, &doctor) < 0)
		return STATUS_USAGE;
	if (doctor.help) {
		fs_doctor_help();
		return 0;
	}
	if (doctor.explain)
		return fs_doctor_explain(stdin, stdout, doctor.json);
	options.payload = (char *)doctor.payload;
	options.simulate = (char *)doctor.simulate;
	options.simulated = doctor.simulate;
	return examine(&options, doctor.json);
}

int main(int argc, char **argv)
{
	struct fs_options options;
	int status, r;

	if (fs_doctor_asked(argc, argv))
		return see_doctor(argc, argv);
	fuse_set_log_func(print_libfuse);
	r = fs_options_parse(argc, argv, &options);
	cm4_log_set_debug(options.debug);
	if (r < 0)
		status = STATUS_USAGE;
	else if (fs_options_ask(&options))
		status = answer(&options);
	else
		status = run(&options);
	fs_options_fini(&options);
	return status;
}
