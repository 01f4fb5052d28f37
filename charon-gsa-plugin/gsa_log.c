// SPDX-License-Identifier: GPL-2.0-or-later
/* A peer may ask at any rate for what it does not get: that must not fill the log. */
#include "charon-gsa-plugin/gsa.h"

#include <pthread.h>
#include <stdarg.h>

#include "libgsa/refused.h"

void gsa_log_refused(const char *format, ...)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static struct gsa_refused_log log;
	char line[GSA_REFUSED_LINE_MAX];
	unsigned int repeated, others;
	va_list arguments;
	bool now;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	pthread_mutex_lock(&mutex);
	now = gsa_refused(&log, line, time_monotonic(NULL), &repeated, &others);
	pthread_mutex_unlock(&mutex);
	if (!now)
		return;
	if (repeated)
		DBG1(DBG_IKE, "gsa: %s; %u more times since the last such line", line, repeated);
	else
		DBG1(DBG_IKE, "gsa: %s", line);
	if (others)
		DBG1(DBG_IKE, "gsa: %u other refusals were not logged: too many different ones",
		     others);
}
