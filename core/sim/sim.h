#pragma once

#include <stddef.h>
#include <stdio.h>

struct backend;
struct payload;
struct sim_spec;

/*
 * Simulated modules behind the seams of real ones. A SPEC is that of --simulate (see the manual): a
 * count, or key=value pairs joined by colons.
 */

/* 0 or -EINVAL, with a sentence in @message that names the word at fault; -ENOMEM. Free with
 * sim_spec_free. */
int sim_spec_parse(const char *text, struct sim_spec **ret_spec, char *message, size_t size);
void sim_spec_free(struct sim_spec *spec);

/* --simulate=help: every key and every fault, a line each. */
void sim_spec_help(FILE *stream);

/* A bus with spec's modules, all of them plugged in when it is started. Takes @spec over. 0 or
 * -errno. */
int sim_backend_new(
	struct sim_spec *spec, struct backend **ret_backend, char *message, size_t size);

/* The stand-in for boot files that simulated modules bring along. 0 or -ENOMEM. */
int sim_payload_new(struct payload **ret_payload);
