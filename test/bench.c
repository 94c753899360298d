/* SPDX-License-Identifier: MIT
 *
 * bench.c: measures opmcp against the stand-in server, all in one run:
 * start, first secret, later secrets, memory, size, and that it does nothing
 * while idle; and the official SDK beside it where node is there.
 *
 *	bench [--opmcp PATH] [--standin PATH] [--pki DIR] [--sdk 'COMMAND']
 *	    [--runs N] [--idle SECONDS]
 *
 * COMMAND prints one line {"first_ms":..,"later_ms":..,"pss_kb":..} and finds
 * the stand-in's token in OP_SERVICE_ACCOUNT_TOKEN; with the arguments --list
 * VAULT TITLE it lists that vault, and "id" in its line is the item found. By
 * default it is test/interop/bench.mjs, when node is 20 or newer and its
 * packages are installed. Prints tables to be pasted into a note. Every secret
 * and every item found is compared with the stand-in's account; how long
 * anything takes is never judged.
 * Exit status: 0, 1 a wrong answer, a process that does not idle, or a large
 * list that takes more than FACTOR_MAX times its size, 64 wrong use.
 *
 * All traffic stays on the loopback device.
 *
 * Contents: 1. Figures  2. Starting and asking  3. What the kernel tells
 *           4. The measurements  5. The official SDK  6. Large vaults
 *           7. The tables
 */
#include "harness.h"

#include <math.h>
#include <spawn.h>
#include <sys/utsname.h>

#define SESSION  "2025-11-25"
#define VAULT    "AI"
#define ITEM     "GitHub"
#define LATER    200 /* later secrets asked for, one by one */
#define RUNS_MAX 1000
#define LARGE_RUNS 5
#define SEARCHES   20  /* later searches in each of them */
#define FACTOR_MAX 4.0 /* memory of a search, in sizes of the list */
#define SDK_RUNS 3
#define SDK_MS   120000 /* for one run of the SDK */
#define SETTLE   200    /* ms until a process is taken to be idle */
#define BUNDLE   "/etc/ssl/certs/ca-certificates.crt"

/* The default for --sdk. */
#define NODE_IS_20 "process.exit(+(parseInt(process.versions.node) < 20))"
#define SDK_DIR    "test/interop"
#define SDK_DEFAULT                                           \
	"command -v node >/dev/null && node -e \"" NODE_IS_20 \
	"\" && exec node " SDK_DIR "/bench.mjs"

/* ====================================================================
 * 1. Figures
 * ==================================================================== */

/* What was measured several times; sorted when it is read. */
struct figure {
	double v[RUNS_MAX];
	size_t n;
};

static void
figure_add(struct figure *f, double v)
{
	if (f->n < RUNS_MAX)
		f->v[f->n++] = v;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts, so that v[0] and v[n - 1] are least and greatest. */
static double
figure_median(struct figure *f)
{
	qsort(f->v, f->n, sizeof(*f->v), compare);
	return (f->v[(f->n - 1) / 2] + f->v[f->n / 2]) / 2;
}

/* What serves a vault, and the sizes of vaults that are compared. */
enum side { SERVICE, CONNECT, SIDES };
enum size { SMALL, LARGE, SIZES };

static const long items_of[SIZES] = { 1000, 10000 };

/* The item that searches look for; every size of vault has it, once. */
#define SOUGHT "Generated 00777"

/* The searches of one vault over one back end. ready_ms is without the start
 * of the process, less_ms without the server's processor time; the SDK has no
 * figures for Connect. */
struct search {
	struct figure first_ms, less_ms, ready_ms, cpu, server, later_ms, kb;
	struct figure sdk_first, sdk_less, sdk_ready, sdk_later, sdk_kb;
	long requests, answer; /* of the first one; bytes of the list */
	double later_requests;
};

struct bench {
	struct lab lab;
	struct standin s;
	struct account acct;
	struct env env;
	const char *sdk;
	long runs, idle_s;
	bool failed;
	char version[32]; /* that opmcp says it is */
	struct figure reply, first, cpu, later, start_kb, first_kb;
	struct figure big_ms[SIDES], big_kb[SIDES];
	struct search search[SIDES][SIZES];
	struct figure sdk_first, sdk_later, sdk_kb;
	long first_requests;
	double later_requests;
	long size, bundle; /* bytes of opmcp, bytes of CA bundle in it */
	long idle_calls;   /* -1: not measured */
	const char *idle_by;
};

/* Notes a failure, with what was seen instead. */
static bool
must(struct bench *b, bool ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "bench: %s\n", what);
		b->failed = true;
	}
	return ok;
}

/* ====================================================================
 * 2. Starting and asking
 * ==================================================================== */

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static double
ms_since(int64_t from_us, int64_t to_us)
{
	return (double)(to_us - from_us) / 1000;
}

static void
sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* Starts argv[0] like proc_start(), but without copying this process: what
 * is timed should be the child. */
static bool
proc_spawn(struct proc *p, char *const argv[], const struct env *env)
{
	posix_spawn_file_actions_t fa;
	int in[2], out[2];
	bool ok;

	*p = (struct proc){ .in = -1, .out = -1, .err = -1 };
	p->err = memfd_create("stderr", MFD_CLOEXEC);
	if (p->err < 0 || pipe2(in, O_CLOEXEC) != 0)
		return false;
	if (pipe2(out, O_CLOEXEC) != 0)
		return false;
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in[0], 0);
	posix_spawn_file_actions_adddup2(&fa, out[1], 1);
	posix_spawn_file_actions_adddup2(&fa, p->err, 2);
	ok = posix_spawn(&p->pid, argv[0], &fa, NULL, argv, env->v) == 0;
	posix_spawn_file_actions_destroy(&fa);
	close(in[0]);
	close(out[1]);
	p->in = in[1];
	p->out = out[0];
	fcntl(p->in, F_SETFL, O_NONBLOCK);
	fcntl(p->out, F_SETFL, O_NONBLOCK);
	return ok;
}

/* Reads the next answer; *at is when it was there, in microseconds. */
static bool
answer_at(struct client *c, int64_t *at)
{
	if (proc_line(&c->p, &c->line, c->wait_ms) != LINE_OK)
		return false;
	*at = now_us();
	return json_parse(&c->last, c->line.p, c->line.n) &&
	    json_long(&c->last, "id", -1) == c->id;
}

/* Asks for an item and compares the answer with the account. */
static bool
secret_at(struct client *c, const struct row *item, int64_t *at)
{
	char params[512];
	const struct json *j = &c->last;

	snprintf(params, sizeof(params),
	    "{\"name\":\"" CREDENTIALS "\","
	    "\"arguments\":{\"item_name\":\"%s\"}}",
	    item->title);
	return client_request(c, "tools/call", params) && answer_at(c, at) &&
	    json_is(j, json_top(j, "result structuredContent username"),
		item->username) &&
	    json_is(j, json_top(j, "result structuredContent password"),
		item->password);
}

/* The handshake with an opmcp that was just started. */
static bool
hello_at(struct client *c, int64_t *at)
{
	return client_request(c, "initialize",
		   "{\"protocolVersion\":\"" SESSION "\",\"capabilities\":{},"
		   "\"clientInfo\":{\"name\":\"bench\",\"version\":\"1\"}}") &&
	    answer_at(c, at) &&
	    client_send(c,
		"{\"jsonrpc\":\"2.0\","
		"\"method\":\"notifications/initialized\"}");
}

/* A fresh opmcp after its handshake: when it was started, when it answered. */
static bool
fresh(struct bench *b, struct client *c, int64_t *from, int64_t *at)
{
	char *argv[2] = { (char *)(uintptr_t)b->lab.opmcp, NULL };

	*c = (struct client){ .wait_ms = b->lab.wait_ms };
	*from = now_us();
	return must(b, proc_spawn(&c->p, argv, &b->env) && hello_at(c, at),
	    "opmcp does not start or does not answer");
}

/* Ends opmcp as a host does. */
static void
finish(struct bench *b, struct client *c)
{
	proc_close_in(&c->p);
	must(b, proc_wait(&c->p, 2000) && proc_exit(&c->p) == 0,
	    "opmcp does not end with 0");
	client_stop(c);
}

/* ====================================================================
 * 3. What the kernel tells
 * ==================================================================== */

/* The door and its child, the keeper. */
struct pair {
	pid_t pid[2];
};

static struct pair
pair_of(const struct client *c)
{
	return (struct pair){ { c->p.pid, pid_child(c->p.pid) } };
}

/* Sum over both of a number of /proc/PID/status, or -1. */
static long
pair_status(struct pair p, const char *key)
{
	long a = pid_status(p.pid[0], key), b = pid_status(p.pid[1], key);

	return a < 0 || b < 0 ? -1 : a + b;
}

/* Sum over both of the number behind what in /proc/PID/NAME, or NAN. */
static double
pair_file(struct pair p, const char *name, const char *what)
{
	struct buf b = { 0 };
	double sum = 0;
	const char *at;
	char path[64];
	size_t i;

	for (i = 0; i < LEN(p.pid); i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", (int)p.pid[i],
		    name);
		buf_clear(&b);
		at = buf_read_file(&b, path) ? strstr(b.p, what) : NULL;
		sum += at ? strtod(at + strlen(what), NULL) : NAN;
	}
	buf_free(&b);
	return sum;
}

/* Proportional set size of both in KB. Reading it takes the right to trace,
 * which opmcp denies all but root. */
static double
pair_pss(struct pair p)
{
	return pair_file(p, "smaps_rollup", "\nPss:");
}

/* Processor time of both in ms. */
static double
pair_cpu(struct pair p)
{
	return pair_file(p, "schedstat", "") / 1e6;
}

/* Processor time of all threads of a process in ms, or NAN. */
static double
pid_cpu(pid_t pid)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &ts) != 0)
		return NAN;
	return (double)ts.tv_sec * 1000 + (double)ts.tv_nsec / 1e6;
}

/* How often either has gone to sleep or was put off the processor. */
static long
pair_switches(struct pair p)
{
	return pair_status(p, "voluntary_ctxt_switches") +
	    pair_status(p, "nonvoluntary_ctxt_switches");
}

/* Waits until both have done nothing for some milliseconds. */
static void
pair_settle(struct pair p)
{
	int64_t until = now_ms() + 5000;
	long before;

	do {
		before = pair_switches(p);
		sleep_ms(20);
	} while (pair_switches(p) != before && now_ms() < until);
}

/* ====================================================================
 * 4. The measurements
 * ==================================================================== */

/* The row of an item of the default vault, or NULL. */
static const struct row *
item_row(struct bench *b, const struct account *a, const char *title)
{
	const struct row *r = account_find(a, VAULT, title);

	must(b, r != NULL, "the stand-in lacks an item");
	return r;
}

/* One fresh process: first reply and first secret, undisturbed. */
static bool
run_first(struct bench *b, const struct row *item)
{
	struct client c;
	int64_t from, reply = 0, secret = 0;
	int at;
	bool ok;

	ok = fresh(b, &c, &from, &reply);
	at = json_top(&c.last, "result serverInfo version");
	if (at >= 0 && c.last.tok[at].end - c.last.tok[at].start < 31)
		snprintf(b->version, sizeof(b->version), "%.*s",
		    c.last.tok[at].end - c.last.tok[at].start,
		    c.last.text + c.last.tok[at].start);
	ok = ok &&
	    must(b, secret_at(&c, item, &secret), "the first secret is wrong");
	if (ok) {
		figure_add(&b->reply, ms_since(from, reply));
		figure_add(&b->first, ms_since(from, secret));
		figure_add(&b->cpu, pair_cpu(pair_of(&c)));
	}
	finish(b, &c);
	return ok;
}

/* One fresh process: memory when idle, before and after the first secret. */
static bool
run_memory(struct bench *b, const struct row *item)
{
	struct client c;
	struct pair p;
	int64_t at;
	bool ok;

	ok = fresh(b, &c, &at, &at);
	p = pair_of(&c);
	if (ok) {
		pair_settle(p);
		figure_add(&b->start_kb, pair_pss(p));
		ok = must(b, secret_at(&c, item, &at), "a secret is wrong");
		pair_settle(p);
		figure_add(&b->first_kb, pair_pss(p));
	}
	finish(b, &c);
	return ok;
}

/* How many requests the stand-in has seen since the last call. */
static long
requests(struct bench *b)
{
	long n;

	sleep_ms(20);
	n = standin_count(&b->s, NULL);
	standin_do(&b->s, "reset");
	return n;
}

/* One process, many later secrets; also counts requests. */
static bool
measure_later(struct bench *b, const struct row *item)
{
	struct client c;
	int64_t from, at;
	long i;
	bool ok;

	requests(b);
	ok = fresh(b, &c, &at, &at) &&
	    must(b, secret_at(&c, item, &at), "a secret is wrong");
	b->first_requests = requests(b);
	for (i = 0; ok && i < LATER; i++) {
		from = now_us();
		ok = must(b, secret_at(&c, item, &at),
		    "a later secret is wrong");
		figure_add(&b->later, ms_since(from, at));
	}
	b->later_requests = (double)requests(b) / LATER;
	finish(b, &c);
	return ok;
}

/* True if the file contains the first line of base64 of the bundle. */
static bool
has_bundle(const struct buf *file, const struct buf *bundle)
{
	const char *line = strstr(buf_text(bundle), "\nMII");
	char first[80];

	if (!line)
		return false;
	snprintf(first, sizeof(first), "%.64s", line + 1);
	return buf_has(file, first);
}

/* Size of the binary, and of the CA bundle if one is compiled in. */
static bool
measure_size(struct bench *b)
{
	struct buf file = { 0 }, bundle = { 0 };
	bool ok = buf_read_file(&file, b->lab.opmcp);

	b->size = (long)file.n;
	if (buf_read_file(&bundle, BUNDLE) && has_bundle(&file, &bundle))
		b->bundle = (long)bundle.n;
	buf_free(&file);
	buf_free(&bundle);
	return must(b, ok, "the binary cannot be read");
}

/* System calls that strace has written to fd so far: one a line, and one
 * more if the last line is not complete. */
static long
traced(int fd)
{
	struct buf b = { 0 };
	long n = 0;
	size_t i;

	lseek(fd, 0, SEEK_SET);
	buf_read_fd(&b, fd);
	for (i = 0; i < b.n; i++)
		n += b.p[i] == '\n';
	n += b.n && b.p[b.n - 1] != '\n';
	buf_free(&b);
	return n;
}

/* Idle seconds under strace, started with opmcp as the program does not let
 * itself be traced later. False if there is no strace or no right to it. */
static bool
idle_by_strace(struct bench *b, const struct row *item)
{
	char *argv[] = { (char *)(uintptr_t) "/bin/sh",
		(char *)(uintptr_t) "-c",
		(char *)(uintptr_t) "exec strace -f -o /dev/fd/3 \"$0\"",
		(char *)(uintptr_t)b->lab.opmcp, NULL };
	struct client c = { .wait_ms = b->lab.wait_ms };
	int fd = memfd_create("strace", MFD_CLOEXEC);
	int64_t at;
	bool ok;

	ok = fd >= 0 &&
	    proc_start_with(&c.p, argv, &b->env, (struct fds){ fd, -1 }) &&
	    hello_at(&c, &at) && secret_at(&c, item, &at);
	if (ok) {
		sleep_ms(SETTLE);
		b->idle_calls = traced(fd);
		ok = b->idle_calls > 0;
		sleep_ms(b->idle_s * 1000);
		b->idle_calls = traced(fd) - b->idle_calls;
		b->idle_by = "system calls of both processes, by strace";
	}
	client_stop(&c);
	close(fd);
	return ok;
}

/* The same by counting how often the processes have run at all. */
static bool
idle_by_switches(struct bench *b, const struct row *item)
{
	struct client c;
	struct pair p;
	int64_t at;
	bool ok;

	ok = fresh(b, &c, &at, &at) && secret_at(&c, item, &at);
	p = pair_of(&c);
	if (ok) {
		sleep_ms(SETTLE);
		b->idle_calls = pair_switches(p);
		ok = b->idle_calls > 0;
		sleep_ms(b->idle_s * 1000);
		b->idle_calls = pair_switches(p) - b->idle_calls;
		b->idle_by = "context switches of both processes, no strace";
	}
	finish(b, &c);
	return ok;
}

static bool
measure_idle(struct bench *b, const struct row *item)
{
	if (!idle_by_strace(b, item) && !idle_by_switches(b, item)) {
		b->idle_calls = -1;
		return must(b, false, "idling could not be measured");
	}
	return must(b, b->idle_calls == 0, "opmcp is not idle when it should");
}

/* ====================================================================
 * 5. The official SDK
 * ==================================================================== */

/* Adds a number of the SDK's line, if it is there. */
static void
sdk_add(struct figure *f, const struct json *j, const char *key)
{
	int at = json_top(j, key);

	if (json_is_type(j, at, JSMN_PRIMITIVE))
		figure_add(f, strtod(j->text + j->tok[at].start, NULL));
}

/* Runs the command once with up to three arguments, NULL for none; its line
 * is left in j. False if it has nothing to say. */
static bool
run_sdk(struct bench *b, const struct env *env, const char *const arg[3],
    struct json *j)
{
	struct buf cmd = { 0 }, line = { 0 };
	char *argv[8] = { (char *)(uintptr_t) "/bin/sh",
		(char *)(uintptr_t) "-c", NULL, (char *)(uintptr_t) "sh" };
	struct proc p;
	size_t i;
	bool ok;

	buf_fmt(&cmd, "%s \"$@\"", b->sdk);
	argv[2] = cmd.p;
	for (i = 0; arg && i < 3; i++)
		argv[4 + i] = (char *)(uintptr_t)arg[i];
	ok = proc_start_with(&p, argv, env, (struct fds){ -1, 2 }) &&
	    proc_line(&p, &line, SDK_MS) == LINE_OK &&
	    json_parse(j, line.p, line.n) && json_top(j, "first_ms") >= 0;
	proc_end(&p);
	buf_free(&line);
	buf_free(&cmd);
	return ok;
}

/* Finds the command that measures the SDK, and its settings. False if there
 * is none. */
static bool
sdk_find(struct bench *b, struct env *env)
{
	const char *path = getenv("PATH"), *home = getenv("HOME");

	if (!b->sdk && access(SDK_DIR "/bench.mjs", R_OK) == 0 &&
	    access(SDK_DIR "/node_modules", R_OK) == 0)
		b->sdk = SDK_DEFAULT;
	env_set(env, "PATH", path ? path : "/usr/local/bin:/usr/bin:/bin");
	env_set(env, "HOME", home ? home : "/nonexistent");
	env_set(env, "OP_SERVICE_ACCOUNT_TOKEN", b->s.token);
	return b->sdk != NULL;
}

/* The SDK against the same stand-in, when it is there. */
static void
measure_sdk(struct bench *b)
{
	struct env env = { 0 };
	struct json j = { 0 };
	int i;

	for (i = 0; sdk_find(b, &env) && i < SDK_RUNS; i++) {
		if (!run_sdk(b, &env, NULL, &j))
			break;
		sdk_add(&b->sdk_first, &j, "first_ms");
		sdk_add(&b->sdk_later, &j, "later_ms");
		sdk_add(&b->sdk_kb, &j, "pss_kb");
	}
	env_free(&env);
	json_free(&j);
}

/* ====================================================================
 * 6. Large vaults
 * ==================================================================== */

/* Fresh processes that ask for an item of a large vault. */
static bool
run_big(struct bench *b, enum side side, const struct row *item)
{
	struct client c;
	int64_t from, at = 0;
	bool ok = true;
	long i;

	for (i = 0; ok && i < LARGE_RUNS && i < b->runs; i++) {
		ok = fresh(b, &c, &from, &at) &&
		    must(b, secret_at(&c, item, &at), "a secret is wrong");
		figure_add(&b->big_ms[side], ms_since(from, at));
		figure_add(&b->big_kb[side],
		    (double)pair_status(pair_of(&c), "VmHWM"));
		finish(b, &c);
	}
	return ok;
}

/* Searches the default vault; false unless just that item is found. */
static bool
search_at(struct client *c, const struct row *item, int64_t *at)
{
	const struct json *j = &c->last;

	return client_request(c, "tools/call",
		   "{\"name\":\"list_items\","
		   "\"arguments\":{\"query\":\"" SOUGHT "\"}}") &&
	    answer_at(c, at) &&
	    json_len(j, json_top(j, "result structuredContent items")) == 1 &&
	    json_is(j, json_top(j, "result structuredContent items 0 id"),
		item->id);
}

/* One fresh process that searches, and searches again. */
static bool
run_search(struct bench *b, struct search *s, const struct row *item)
{
	struct client c;
	int64_t from, ready = 0, at = 0;
	double server;
	bool ok;
	long i;

	requests(b);
	server = pid_cpu(b->s.p.pid);
	ok = fresh(b, &c, &from, &ready) &&
	    must(b, search_at(&c, item, &at), "the first search is wrong");
	if (ok) {
		figure_add(&s->first_ms, ms_since(from, at));
		figure_add(&s->ready_ms, ms_since(ready, at));
		figure_add(&s->cpu, pair_cpu(pair_of(&c)));
		server = pid_cpu(b->s.p.pid) - server;
		figure_add(&s->server, server);
		figure_add(&s->less_ms, ms_since(from, at) - server);
	}
	s->requests = requests(b);
	for (i = 0; ok && i < SEARCHES; i++) {
		from = now_us();
		ok = must(b, search_at(&c, item, &at),
		    "a later search is wrong");
		figure_add(&s->later_ms, ms_since(from, at));
	}
	s->later_requests = (double)requests(b) / SEARCHES;
	figure_add(&s->kb, (double)pair_status(pair_of(&c), "VmHWM"));
	finish(b, &c);
	return ok;
}

/* The bytes of the latest answer of this step in the stand-in's log; -1. */
static long
answer_bytes(const char *log, const char *step)
{
	struct buf b = { 0 };
	struct json j = { 0 };
	long n = -1;
	char *p, *end;

	buf_read_file(&b, log);
	for (p = b.p; p && (end = strchr(p, '\n')); p = end + 1)
		if (json_parse(&j, p, (size_t)(end - p)) &&
		    json_is(&j, json_top(&j, "step"), step))
			n = json_long(&j, "bytes", -1);
	buf_free(&b);
	json_free(&j);
	return n;
}

/* The SDK lists the same vault and must find the same item. The server's part
 * of it is taken to be what it was for opmcp, whose figures come first. */
static bool
sdk_search(struct bench *b, struct search *s, const struct row *item)
{
	const char *const arg[] = { "--list", item->vault_id, item->title };
	struct env env = { 0 };
	struct json j = { 0 };
	bool ok = true;

	if (sdk_find(b, &env) && b->sdk_first.n)
		ok = must(b,
		    run_sdk(b, &env, arg, &j) &&
			json_is(&j, json_top(&j, "id"), item->id),
		    "the SDK does not find the item");
	if (ok && b->sdk_first.n) {
		sdk_add(&s->sdk_first, &j, "first_ms");
		sdk_add(&s->sdk_ready, &j, "ready_ms");
		sdk_add(&s->sdk_later, &j, "later_ms");
		sdk_add(&s->sdk_kb, &j, "peak_kb");
		figure_add(&s->sdk_less,
		    s->sdk_first.v[s->sdk_first.n - 1] -
			s->server.v[s->server.n - 1]);
	}
	env_free(&env);
	json_free(&j);
	return ok;
}

/* Points opmcp at one of the two sides of the stand-in. */
static void
side_set(struct bench *b, enum side side)
{
	env_unset(&b->env, "OP_SERVICE_ACCOUNT_TOKEN");
	env_unset(&b->env, "OP_CONNECT_HOST");
	env_unset(&b->env, "OP_CONNECT_TOKEN");
	if (side == SERVICE) {
		env_set(&b->env, "OP_SERVICE_ACCOUNT_TOKEN", b->s.token);
	} else {
		env_set(&b->env, "OP_CONNECT_HOST", b->s.connect);
		env_set(&b->env, "OP_CONNECT_TOKEN", b->s.connect_token);
	}
}

static double
search_factor(struct search *s)
{
	return figure_median(&s->kb) * 1024 / (double)s->answer;
}

/* Both sides of the stand-in, which has a vault of this size and writes log.
 * The SDK takes turns with opmcp, so that what else the machine does slows
 * down both. */
static bool
run_sides(struct bench *b, enum size size, const struct row *item,
    const char *log)
{
	static const char *const step[SIDES] = { "overviews", "con_items" };
	enum side side;
	bool ok = true;
	long i;

	for (side = SERVICE; ok && side < SIDES; side++) {
		struct search *s = &b->search[side][size];

		side_set(b, side);
		for (i = 0; ok && i < LARGE_RUNS && i < b->runs; i++)
			ok = run_search(b, s, item) &&
			    (side != SERVICE || i >= SDK_RUNS ||
				sdk_search(b, s, item));
		s->answer = answer_bytes(log, step[side]);
		ok = ok &&
		    must(b, s->answer > 0, "the log does not tell the list");
		if (ok && size == LARGE)
			ok = must(b, search_factor(s) <= FACTOR_MAX,
				 "a search takes too much memory") &&
			    run_big(b, side, item);
	}
	side_set(b, SERVICE);
	return ok;
}

/* A stand-in of its own with a large vault. */
static bool
measure_large(struct bench *b, enum size size)
{
	char items[16], log[64];
	const char *const args[] = { "--items", items, "--connect", "http",
		"--log", log, NULL };
	struct standin small = b->s;
	struct account acct = { 0 };
	const struct row *item = NULL;
	int fd = memfd_create("log", MFD_CLOEXEC);
	bool ok;

	snprintf(items, sizeof(items), "%ld", items_of[size]);
	snprintf(log, sizeof(log), "/proc/%d/fd/%d", (int)getpid(), fd);
	ok = must(b,
	    fd >= 0 && standin_start(&b->s, &b->lab, args) &&
		standin_list(&b->s, &acct),
	    "the stand-in does not start with a large vault");
	if (ok)
		item = item_row(b, &acct, SOUGHT);
	ok = item && run_sides(b, size, item, log);
	account_free(&acct);
	standin_stop(&b->s);
	close(fd);
	b->s = small;
	side_set(b, SERVICE);
	return ok;
}

/* ====================================================================
 * 7. The tables
 * ==================================================================== */

#define WIDTH "%-34s"

static void
print_number(double v, int decimals)
{
	if (isnan(v) || v < 0)
		printf("%9s", "-");
	else
		printf("%9.*f", decimals, v);
}

/* One line: what, median, least and greatest, the SDK's median, the ratio. */
static void
print_row(const char *what, int decimals, struct figure *f, struct figure *sdk)
{
	double ours, theirs;

	if (f->n == 0)
		return;
	ours = figure_median(f);
	printf(WIDTH, what);
	print_number(ours, decimals);
	print_number(f->v[0], decimals);
	print_number(f->v[f->n - 1], decimals);
	if (sdk && sdk->n && ours > 0) {
		theirs = figure_median(sdk);
		print_number(theirs, decimals);
		printf("%9.1f", theirs / ours);
	}
	printf("\n");
}

/* The model of the processor, as the kernel names it. */
static void
print_machine(void)
{
	struct buf b = { 0 };
	struct utsname u;
	const char *at;

	if (uname(&u) == 0)
		printf("%s %s %s, %ld processors", u.sysname, u.release,
		    u.machine, sysconf(_SC_NPROCESSORS_ONLN));
	buf_read_file(&b, "/proc/cpuinfo");
	at = strstr(buf_text(&b), "model name");
	at = at ? strchr(at, ':') : NULL;
	if (at)
		printf(", %.*s", (int)strcspn(at + 2, "\n"), at + 2);
	printf("\n\n");
	buf_free(&b);
}

static void
print_head(const struct bench *b)
{
	printf("opmcp %s, %ld runs each in fresh processes, %d later secrets "
	       "in one.\nThe server is the stand-in on this machine: times "
	       "include its work, no network.\n",
	    b->version, b->runs, LATER);
	print_machine();
	printf(WIDTH "%9s%9s%9s", "", "median", "min", "max");
	if (b->sdk_first.n)
		printf("%9s%9s", "SDK", "ratio");
	printf("\n");
}

static void
print_table(struct bench *b)
{
	print_row("start to first reply, ms", 2, &b->reply, NULL);
	print_row("start to first secret, ms", 2, &b->first, &b->sdk_first);
	print_row("  processor time of opmcp, ms", 2, &b->cpu, NULL);
	print_row("later secret, ms", 2, &b->later, &b->sdk_later);
	print_row("memory after start, KB PSS", 0, &b->start_kb, NULL);
	print_row("memory after first secret, KB PSS", 0, &b->first_kb,
	    &b->sdk_kb);
}

/* The rows of one large vault. */
static void
print_search(struct search *s, long items, enum side side)
{
	printf("%ld items, %s:\n", items,
	    side == CONNECT ? "Connect" : "service account");
	print_row("  start to first search, ms", 2, &s->first_ms,
	    &s->sdk_first);
	print_row("  less the server's part, ms", 2, &s->less_ms, &s->sdk_less);
	print_row("  first search without start, ms", 2, &s->ready_ms,
	    &s->sdk_ready);
	print_row("    processor time of opmcp, ms", 2, &s->cpu, NULL);
	print_row("    of the server, ms", 2, &s->server, NULL);
	print_row("  later search, ms", 2, &s->later_ms, &s->sdk_later);
	print_row("  peak memory of both, KB RSS", 0, &s->kb, &s->sdk_kb);
	printf("  list %ld bytes, memory %.2f times that; "
	       "requests: first search %ld, later %g\n",
	    s->answer, search_factor(s), s->requests, s->later_requests);
}

/* What an item costs in either size of vault, and what each further one. */
static void
print_item_cost(const char *what, double small, double large)
{
	printf(WIDTH, what);
	print_number(small / (double)items_of[SMALL], 2);
	print_number(large / (double)items_of[LARGE], 2);
	print_number((large - small) /
		(double)(items_of[LARGE] - items_of[SMALL]),
	    2);
	printf("\n");
}

static void
print_large(struct bench *b)
{
	enum side side;
	enum size size;

	printf("\n");
	for (side = SERVICE; side < SIDES; side++)
		for (size = SMALL; size < SIZES; size++)
			print_search(&b->search[side][size], items_of[size],
			    side);
	for (side = SERVICE; side < SIDES; side++) {
		printf("%ld items, %s, no search:\n", items_of[LARGE],
		    side == CONNECT ? "Connect" : "service account");
		print_row("  start to first secret, ms", 2, &b->big_ms[side],
		    NULL);
		print_row("  peak memory of both, KB RSS", 0, &b->big_kb[side],
		    NULL);
	}
	printf("\n" WIDTH "%9ld%9ld%9s\n", "cost of an item in a vault of",
	    items_of[SMALL], items_of[LARGE], "further");
	for (side = SERVICE; side < SIDES; side++) {
		struct search *s = b->search[side];

		printf("%s:\n",
		    side == CONNECT ? "Connect" : "service account");
		print_item_cost("  first search without start, us",
		    figure_median(&s[SMALL].ready_ms) * 1000,
		    figure_median(&s[LARGE].ready_ms) * 1000);
		print_item_cost("  later search, us",
		    figure_median(&s[SMALL].later_ms) * 1000,
		    figure_median(&s[LARGE].later_ms) * 1000);
		print_item_cost("  peak memory, bytes",
		    figure_median(&s[SMALL].kb) * 1024,
		    figure_median(&s[LARGE].kb) * 1024);
		print_item_cost("  list, bytes", (double)s[SMALL].answer,
		    (double)s[LARGE].answer);
	}
}

/* What is one number, and what the table must be read with. */
static void
print_rest(const struct bench *b)
{
	printf("\nrequests to 1Password: first secret %ld, later secret %g\n",
	    b->first_requests, b->later_requests);
	printf("binary: %ld bytes", b->size);
	if (b->bundle)
		printf(", %ld without the CA bundle compiled in",
		    b->size - b->bundle);
	else
		printf(", no CA bundle compiled in");
	printf("\n%ld idle seconds: ", b->idle_s);
	if (b->idle_calls < 0)
		printf("not measured\n");
	else
		printf("%ld (%s)\n", b->idle_calls, b->idle_by);
	printf("server's part: its processor time, which the SDK is taken to "
	       "cost as well\n");
	printf("memory: door and keeper together");
	if (b->start_kb.n && isnan(b->start_kb.v[0]))
		printf("; only root is shown PSS");
	printf("; the peak counts shared pages twice\n");
	if (b->sdk_first.n)
		printf("SDK: 1Password's own in a bare node, no MCP server "
		       "around it; median of %zu runs\n",
		    b->sdk_first.n);
	else
		printf("SDK: not measured (it takes node 20 and the packages "
		       "of " SDK_DIR ")\n");
}

static void
measure(struct bench *b)
{
	const struct row *item = item_row(b, &b->acct, ITEM);
	bool ok = item && measure_size(b);
	long i;

	for (i = 0; ok && i < b->runs; i++)
		ok = run_first(b, item);
	for (i = 0; ok && i < b->runs; i++)
		ok = run_memory(b, item);
	ok = ok && measure_later(b, item);
	if (ok)
		measure_sdk(b);
	ok = ok && measure_large(b, SMALL) && measure_large(b, LARGE);
	if (ok) {
		measure_idle(b, item);
		print_head(b);
		print_table(b);
		print_large(b);
		print_rest(b);
	}
}

static bool
options_read(struct bench *b, int argc, char **argv)
{
	const char *runs = "20", *idle = "10";
	const char **text[] = { &b->lab.opmcp, &b->lab.standin, &b->lab.pki,
		&b->sdk, &runs, &idle };
	static const char *const name[] = { "--opmcp", "--standin", "--pki",
		"--sdk", "--runs", "--idle" };
	size_t k;
	int i;

	for (i = 1; i + 1 < argc; i += 2) {
		for (k = 0; k < LEN(name); k++)
			if (strcmp(argv[i], name[k]) == 0)
				break;
		if (k == LEN(name))
			return false;
		*text[k] = argv[i + 1];
	}
	b->runs = strtol(runs, NULL, 10);
	b->idle_s = strtol(idle, NULL, 10);
	return i == argc && b->runs >= 1 && b->runs <= RUNS_MAX &&
	    b->idle_s >= 1;
}

int
main(int argc, char **argv)
{
	static struct bench b = { .lab = { "./opmcp", "test/build/standin",
				      "test/pki", NULL, false, 60000 } };

	if (!options_read(&b, argc, argv)) {
		fprintf(stderr,
		    "usage: bench [--opmcp PATH] [--standin PATH] "
		    "[--pki DIR]\n             [--sdk 'COMMAND'] [--runs N] "
		    "[--idle SECONDS]\n");
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	if (must(&b,
		standin_start(&b.s, &b.lab, NULL) &&
		    standin_list(&b.s, &b.acct),
		"the stand-in could not be started")) {
		standin_env(&b.s, &b.lab, &b.env);
		measure(&b);
	}
	standin_stop(&b.s);
	account_free(&b.acct);
	env_free(&b.env);
	return b.failed ? 1 : 0;
}
