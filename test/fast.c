/* SPDX-License-Identifier: MIT
 *
 * fast.c: opmcp whose clocks run FAST times faster, so that an hour of
 * pauses, circuits and bars passes in a minute (soak.c). Nothing else is
 * different: the clock that deadlines are measured on is answered with more of
 * it, and how long the program wants to wait is cut down. Wall-clock time
 * stays: the server goes by it too, and checks ours.
 *
 *	cc -std=c11 -g -o fast test/fast.c -lbearssl
 */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

#define FAST 60

/* That clock, faster. */
static int
fast_clock(clockid_t id, struct timespec *ts)
{
	int status = clock_gettime(id, ts);
	int64_t ns = (int64_t)ts->tv_nsec * FAST;

	ts->tv_sec = ts->tv_sec * FAST + (time_t)(ns / 1000000000);
	ts->tv_nsec = (long)(ns % 1000000000);
	return status;
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
#define poll fast_poll          /* also taken by its address */
#define ppoll(pfd, n, limit, mask) fast_ppoll(pfd, n, limit, mask)
#include "../opmcp.c"
