/* SPDX-License-Identifier: MIT
 *
 * fast.c: opmcp whose clocks run FAST times faster, so that an hour of
 * pauses, circuits and sessions passes in a minute (soak.c). Nothing else is
 * different: what the program asks the kernel for time is answered with more
 * of it, and how long it wants to wait is cut down.
 *
 *	cc -std=c11 -g -o fast test/fast.c -lbearssl
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

#define FAST 60

/* Time since the epoch of that clock, faster. Wall-clock time begins at the
 * moment of the start, so that certificates stay valid. */
static int
fast_clock(clockid_t id, struct timespec *ts)
{
	int status = clock_gettime(id, ts);
	int64_t ns = (int64_t)ts->tv_nsec * FAST;

	ts->tv_sec = ts->tv_sec * FAST + (time_t)(ns / 1000000000);
	ts->tv_nsec = (long)(ns % 1000000000);
	return status;
}

static time_t
fast_time(time_t *to)
{
	static int64_t from_wall, from_ms;
	struct timespec ts;
	int64_t ms;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ms = (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
	if (from_wall == 0) {
		from_wall = (int64_t)time(NULL);
		from_ms = ms;
	}
	if (to != NULL)
		*to = (time_t)(from_wall + (ms - from_ms) * FAST / 1000);
	return (time_t)(from_wall + (ms - from_ms) * FAST / 1000);
}

static int
fast_poll(struct pollfd *pfd, nfds_t n, int ms)
{
	return poll(pfd, n, ms <= 0 ? ms : (ms + FAST - 1) / FAST);
}

static int
fast_ppoll(struct pollfd *pfd, nfds_t n, const struct timespec *limit,
    const sigset_t *mask)
{
	struct timespec less;
	int64_t ns;

	if (limit == NULL)
		return ppoll(pfd, n, NULL, mask);
	ns = ((int64_t)limit->tv_sec * 1000000000 + limit->tv_nsec) / FAST;
	less.tv_sec = (time_t)(ns / 1000000000);
	less.tv_nsec = (long)(ns % 1000000000);
	return ppoll(pfd, n, &less, mask);
}

#define clock_gettime(id, ts) fast_clock(id, ts)
#define time(to) fast_time(to)
#define poll fast_poll          /* also taken by its address */
#define ppoll(pfd, n, limit, mask) fast_ppoll(pfd, n, limit, mask)
#include "../opmcp.c"
