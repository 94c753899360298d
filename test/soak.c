/* SPDX-License-Identifier: MIT
 *
 * soak.c: a long day of opmcp, over both back ends and in both eras of MCP,
 * with a clock that runs sixty times faster (fast.c): faults at every step,
 * sessions that expire, a server that is restarted, tokens revoked for a
 * while, items changed meanwhile, calls cancelled and calls in bursts.
 *
 *	soak [--calls N] [--seed N] [--opmcp FAST] [--standin PATH] [--pki DIR]
 *
 * Asserted for each call: one answer, right or an error with a word that may
 * come; a change that is claimed was made once, one that failed was not made.
 * At the end of each part: it works again, memory and descriptors are where
 * they were, no child is left, no secret is in log or record, and the record
 * verifies. Exit status: 0 all passed, 1 not, 64 wrong use.
 *
 * The seed is printed; the same seed draws the same calls and faults.
 */
#include "harness.h"

#include <dirent.h>

struct soak {
	struct lab lab;
	struct standin s;
	struct client c;
	struct account acct;
	struct env env;
	const char *era;
	bool connect;
	char dir[64], audit[96];
	char port[2][16];       /* of the service, of Connect */
	uint64_t dice;
	long calls, faults, passed, failed;
	long ok, refused, cancelled, restarts, writes, unsure;
	unsigned counter;
	long open;
	bool revoked;
};

static uint32_t
roll(struct soak *k, uint32_t below)
{
	k->dice ^= k->dice << 13;
	k->dice ^= k->dice >> 7;
	k->dice ^= k->dice << 17;
	return (uint32_t)(k->dice >> 33) % below;
}

PRINTF(3, 4)
static bool
must(struct soak *k, bool ok, const char *fmt, ...)
{
	va_list ap;

	if (ok) {
		k->passed++;
		return true;
	}
	if (k->failed++ < 40) {
		printf("FAIL %s, %s, call %ld: ",
		    k->connect ? "Connect" : "service account", k->era,
		    k->calls);
		va_start(ap, fmt);
		vprintf(fmt, ap);
		va_end(ap);
		putchar('\n');
	}
	return false;
}

/* The words that an error may have while servers misbehave. */
static bool
is_expected(struct soak *k)
{
	static const char *const words[] = { "network_error", "timeout",
		"bad_answer", "service_error", "rate_limited", "circuit_open",
		"sign_in_refused", "access_denied", "item_not_found",
		"vault_not_allowed", "field_not_found", "conflict",
		"too_large", "write_unconfirmed", "edit_refused", "tls_error",
		"server_not_trusted", "item_archived",
		"busy" };               /* behind one that takes its time */
	const char *seen = client_seen(&k->c);

	for (size_t i = 0; i < LEN(words); i++)
		if (strstr(seen, words[i]))
			return true;
	return false;
}

/* ---- the server -------------------------------------------------------- */

/* Starts the stand-in, from the second time on with the ports of the first,
 * so that the program finds it again. */
static bool
server_start(struct soak *k)
{
	const char *args[] = { "--connect", "http", "--items", "250", "--port",
		k->port[0], "--connect-port", k->port[1], NULL };
	const char *colon;

	if (!k->port[0][0])
		args[4] = NULL;
	if (!must(k, standin_start(&k->s, &k->lab, args) &&
	    standin_list(&k->s, &k->acct), "the stand-in does not start"))
		return false;
	colon = strrchr(k->s.connect, ':');
	snprintf(k->port[0], sizeof(k->port[0]), "%d", k->s.port);
	snprintf(k->port[1], sizeof(k->port[1]), "%s", colon + 1);
	return true;
}

static bool
server_restart(struct soak *k)
{
	k->restarts++;
	standin_stop(&k->s);
	account_free(&k->acct);
	k->revoked = false;
	return server_start(k);
}

/* Something goes wrong, once to three times; or the server does something of
 * its own accord. */
static void
trouble(struct soak *k)
{
	static const char *const kind[] = { "drop", "reset", "status 500",
		"status 503", "status 503 1", "status 502", "status 408",
		"status 404", "status 403", "status 401", "status 429",
		"status 429 1", "truncate 9", "garbage", "badjson",
		"emptybody", "slow 30", "badchunk", "twolengths", "redirect",
		"quietclose", "close", "stall 4", "hugeheader", "gzip",
		"dupkey", "closedelim", "chunked" };
	static const char *const sa[] = { "start", "auth", "confirm",
		"complete", "keysets", "vaults", "vault", "overviews", "item",
		"patch", "file", "*" };
	static const char *const con[] = { "con_vaults", "con_vault",
		"con_items", "con_find", "con_item", "con_create", "con_put",
		"con_patch", "con_delete", "con_content", "*" };
	const char *step = k->connect ? con[roll(k, LEN(con))] :
	    sa[roll(k, LEN(sa))];

	switch (roll(k, 60)) {
	case 0:
		(void)server_restart(k);
		break;
	case 1:
		(void)standin_do(&k->s, "expire");
		break;
	case 2:
		(void)standin_do(&k->s, k->revoked ? "unrevoke" : "revoke");
		k->revoked = !k->revoked;
		break;
	case 3:
		(void)standin_do(&k->s, "clear");
		break;
	default:
		k->faults++;
		(void)standin_do(&k->s, "fault %s %s x%u", step,
		    kind[roll(k, LEN(kind))], 1 + roll(k, 3));
	}
}

/* ---- calls ------------------------------------------------------------- */

/* Reads the answer to the latest request, past notifications. */
static bool
answer(struct soak *k)
{
	if (!must(k, client_read(&k->c, 20000) == LINE_OK, "no answer") ||
	    !must(k, json_long(&k->c.last, "id", -1) == k->c.id,
	    "not the answer to this: %s", client_seen(&k->c)))
		return false;
	k->calls++;
	if (client_ok(&k->c)) {
		k->ok++;
		return true;
	}
	k->refused++;
	k->open += strstr(client_seen(&k->c), "circuit_open") != NULL;
	/* Left alone for a while: most of it is waited for. */
	if (strstr(client_seen(&k->c), "circuit_open") ||
	    strstr(client_seen(&k->c), "minute ago") ||
	    strstr(client_seen(&k->c), "rate_limited"))
		poll(NULL, 0, 50);
	(void)must(k, is_expected(k), "seen %s", client_seen(&k->c));
	return false;
}

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" \
	"0123456789-"

/* A login of the account that can be named by its title. */
static const struct row *
some_row(struct soak *k)
{
	for (;;) {
		const struct row *r = &k->acct.row[roll(k,
		    (uint32_t)k->acct.n)];

		if (strcmp(r->vault, "AI") == 0 && r->trashed[0] == 'N' &&
		    r->password[0] && strcmp(r->template_id, "001") == 0 &&
		    r->title[0] && r->title[strspn(r->title, PLAIN)] == 0 &&
		    r->title[0] != ' ' &&
		    account_count(&k->acct, "AI", r->title, "N") == 1)
			return r;
	}
}

static void
call_get(struct soak *k)
{
	const struct row *r = some_row(k);
	struct buf args = { 0 };

	buf_str(&args, "{\"item_name\":");
	buf_json(&args, roll(k, 2) ? r->title : r->id);
	buf_str(&args, "}");
	if (client_call(&k->c, CREDENTIALS, args.p) && answer(k))
		(void)must(k, json_is(&k->c.last, json_top(&k->c.last,
		    "result structuredContent password"), r->password),
		    "%s: another password", r->title);
	buf_free(&args);
}

static void
call_list(struct soak *k)
{
	static const char *const args[] = { "{\"query\":\"git\"}", "{}",
		"{\"tag\":\"dev\"}", "{\"limit\":3}" };

	if (client_call(&k->c, "list_items", args[roll(k, LEN(args))]) &&
	    answer(k))
		(void)must(k, json_len(&k->c.last, json_top(&k->c.last,
		    "result structuredContent items")) > 0, "an empty list");
}

static void
call_wrong(struct soak *k)
{
	if (client_call(&k->c, CREDENTIALS,
	    "{\"item_name\":\"no such item\"}"))
		(void)must(k, !answer(k), "an item that is not there");
}

/* A change of one item, which nothing else asks for: of its user name, and
 * every other time of its tags as well, which over Connect sends it whole. */
static void
call_write(struct soak *k)
{
	long before = standin_count(&k->s, "writes"), after;
	char args[100];
	bool done, unsure;

	snprintf(args, sizeof(args),
	    "{\"item\":\"Marker\",\"username\":\"soak-%u\"%s}", k->counter,
	    k->counter % 2 ? ",\"tags\":[\"odd\"]" : "");
	k->counter++;
	if (!client_call(&k->c, "update_1password_credential", args))
		return;
	done = answer(k);
	unsure = !done && strstr(client_seen(&k->c), "write_unconfirmed");
	after = standin_count(&k->s, "writes");
	k->writes += done;
	k->unsure += unsure;
	(void)must(k, unsure ? after - before <= 1 : after - before == done,
	    "%ld writes, seen %s", after - before, client_seen(&k->c));
}

/* A call that is given up at once: one answer at most, and before the next. */
static void
call_cancelled(struct soak *k)
{
	char args[80];
	long id, got;
	int n = 0;

	snprintf(args, sizeof(args), "{\"item_name\":\"%s\"}",
	    some_row(k)->id);
	if (!client_call(&k->c, CREDENTIALS, args))
		return;
	id = k->c.id;
	(void)client_send(&k->c, "{\"jsonrpc\":\"2.0\",\"method\":"
	    "\"notifications/cancelled\",\"params\":{\"requestId\":%ld}}", id);
	if (!client_call(&k->c, "get_metrics", "{}"))
		return;
	do {
		if (!must(k, client_read(&k->c, 20000) == LINE_OK,
		    "no answer after a cancel"))
			return;
		got = json_long(&k->c.last, "id", -1);
		n += got == id;
	} while (got != k->c.id);
	(void)must(k, n <= 1, "%d answers to a cancelled call", n);
	k->cancelled += n == 0;
	k->calls++;
}

/* Eight calls at once: each gets its answer. */
static void
call_burst(struct soak *k)
{
	unsigned seen = 0;
	char args[80];
	long first = 0;

	for (int i = 0; i < 8; i++) {
		snprintf(args, sizeof(args), "{\"item_name\":\"%s\"}",
		    some_row(k)->id);
		if (!client_call(&k->c, CREDENTIALS, args))
			return;
		first = i == 0 ? k->c.id : first;
	}
	for (int i = 0; i < 8; i++) {
		if (!must(k, client_read(&k->c, 20000) == LINE_OK,
		    "no answer in a burst"))
			return;
		seen |= 1u << (json_long(&k->c.last, "id", 0) - first);
		(void)must(k, client_ok(&k->c) || is_expected(k),
		    "seen %s", client_seen(&k->c));
		k->calls++;
	}
	(void)must(k, seen == 255, "not each call of a burst was answered");
}

static void
call_any(struct soak *k)
{
	switch (roll(k, 40)) {
	case 0:
		call_cancelled(k);
		break;
	case 1:
		call_burst(k);
		break;
	case 2:
	case 3:
	case 4:
		call_write(k);
		break;
	case 5:
	case 6:
		call_wrong(k);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		call_list(k);
		break;
	default:
		call_get(k);
	}
}

/* ---- the process ------------------------------------------------------- */

static long
descriptors(pid_t pid)
{
	char path[40];
	long n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

static long
memory_kb(pid_t pid)
{
	return pid_status(pid, "VmRSS");
}

/* All faults are over: within two fast minutes all is well, and stays so. */
static void
calm(struct soak *k)
{
	if (k->revoked)
		(void)standin_do(&k->s, "unrevoke");
	k->revoked = false;
	(void)standin_do(&k->s, "clear");
	poll(NULL, 0, 2500);
	for (int i = 0; i < 20; i++) {
		const struct row *r = some_row(k);

		bool well = client_get(&k->c, r->id, NULL) && client_ok(&k->c);

		(void)must(k, well, "not well again: seen %s",
		    client_seen(&k->c));
	}
	call_list(k);
	call_wrong(k);
}

/* Log and record hold no password; the record verifies. */
static void
judge_record(struct soak *k)
{
	char *const argv[] = { (char *)(uintptr_t)k->lab.opmcp, "audit",
		"verify", k->audit, NULL };
	struct buf text = { 0 }, err = { 0 };
	struct proc p;

	buf_read_file(&text, k->audit);
	proc_err(&k->c.p, &err);
	for (size_t i = 0; i < k->acct.n; i++)
		if (strlen(k->acct.row[i].password) > 7)
			(void)must(k,
			    !buf_has(&text, k->acct.row[i].password) &&
			    !buf_has(&err, k->acct.row[i].password),
			    "a password in log or record");
	(void)must(k, !buf_has(&text, k->s.token) &&
	    !buf_has(&err, k->s.token), "the token in log or record");
	if (k->open > 0)
		(void)must(k, buf_has(&text, "CIRCUIT_OPEN") &&
		    buf_has(&text, "CIRCUIT_CLOSED"),
		    "circuits are not on record");
	(void)must(k, proc_start(&p, argv, &k->env) &&
	    proc_wait(&p, 60000) && proc_exit(&p) == 0,
	    "the record does not verify");
	proc_end(&p);
	buf_free(&text);
	buf_free(&err);
}

static bool
part_open(struct soak *k)
{
	k->port[0][0] = '\0';
	k->env = (struct env){ 0 };
	if (!server_start(k))
		return false;
	standin_env(&k->s, &k->lab, &k->env);
	snprintf(k->audit, sizeof(k->audit), "%s/audit", k->dir);
	(void)unlink(k->audit);
	env_set(&k->env, "OPMCP_AUDIT", k->audit);
	env_set(&k->env, "OPMCP_WRITE", "allow");
	env_set(&k->env, "OPMCP_LOG", "error");
	if (k->connect) {
		env_unset(&k->env, "OP_SERVICE_ACCOUNT_TOKEN");
		env_set(&k->env, "OP_CONNECT_HOST", k->s.connect);
		env_set(&k->env, "OP_CONNECT_TOKEN", k->s.connect_token);
	}
	if (!must(k, client_start(&k->c, &k->lab, &k->env),
	    "opmcp does not start"))
		return false;
	k->c.version = k->era;
	return strcmp(k->era, MODERN) == 0 ||
	    must(k, client_hello(&k->c, k->era), "no handshake");
}

/* One back end in one era. */
static void
part(struct soak *k, long calls)
{
	int64_t from = now_ms();
	long memory[2], fds[2], until;
	pid_t pid[2];

	k->calls = k->faults = k->ok = k->refused = k->cancelled = 0;
	k->restarts = k->writes = k->unsure = k->open = 0;
	if (!part_open(k))
		return;
	until = calls / 10 < 300 ? calls / 10 : 300;
	while (k->calls < until)
		call_any(k);
	pid[0] = k->c.p.pid;
	pid[1] = pid_child(pid[0]);
	for (int i = 0; i < 2; i++) {
		memory[i] = memory_kb(pid[i]);
		fds[i] = descriptors(pid[i]);
	}
	while (k->calls < calls && k->failed < 40) {
		if (roll(k, calls > 10000 ? 40 : 12) == 0)
			trouble(k);
		if (k->revoked && roll(k, 12) == 0) {
			(void)standin_do(&k->s, "unrevoke");
			k->revoked = false;
		}
		call_any(k);
	}
	calm(k);
	for (int i = 0; i < 2; i++) {
		(void)must(k, memory_kb(pid[i]) <= memory[i] + 1024,
		    "memory: %ld KB, was %ld", memory_kb(pid[i]), memory[i]);
		(void)must(k, descriptors(pid[i]) <= fds[i] + 1,
		    "descriptors: %ld, were %ld", descriptors(pid[i]), fds[i]);
	}
	(void)must(k, pid_child(pid[1]) <= 0, "a child is left");
	proc_close_in(&k->c.p);
	(void)must(k, proc_wait(&k->c.p, 5000) && proc_exit(&k->c.p) == 0,
	    "it does not end well");
	judge_record(k);
	printf("%s, %s: %ld calls (%ld answered, %ld refused, %ld cancelled), "
	    "%ld changes, %ld unconfirmed,\n    %ld faults, %ld restarts, "
	    "circuit open for %ld calls, memory %ld + %ld KB, %.1f s\n",
	    k->connect ? "Connect" : "service account", k->era, k->calls,
	    k->ok, k->refused, k->cancelled, k->writes, k->unsure, k->faults,
	    k->restarts, k->open, memory[0], memory[1],
	    (double)(now_ms() - from) / 1000);
	fflush(stdout);
	client_stop(&k->c);
	standin_stop(&k->s);
	account_free(&k->acct);
	env_free(&k->env);
	(void)unlink(k->audit);
}

int
main(int argc, char **argv)
{
	struct soak k = { .lab = { "test/build/fast", "test/build/standin",
	    "test/pki", NULL, false, 10000 } };
	unsigned long seed = (unsigned long)now_ms() % 1000000;
	long calls = 100000;

	for (int i = 1; i < argc; i += 2) {
		const char *v = i + 1 < argc ? argv[i + 1] : "";

		if (!strcmp(argv[i], "--calls"))
			calls = strtol(v, NULL, 10);
		else if (!strcmp(argv[i], "--seed"))
			seed = strtoul(v, NULL, 10);
		else if (!strcmp(argv[i], "--opmcp"))
			k.lab.opmcp = v;
		else if (!strcmp(argv[i], "--standin"))
			k.lab.standin = v;
		else if (!strcmp(argv[i], "--pki"))
			k.lab.pki = v;
		else
			return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	printf("soak: seed %lu, %ld calls\n", seed, calls);
	k.dice = seed * 0x9e3779b97f4a7c15 + 1;
	strcpy(k.dir, "/tmp/opmcp-soak-XXXXXX");
	if (!mkdtemp(k.dir))
		return 1;
	for (int i = 0; i < 4; i++) {
		k.connect = i % 2;
		k.era = i / 2 ? MODERN : "2025-11-25";
		part(&k, calls / 4);
	}
	(void)rmdir(k.dir);
	printf("%ld passed, %ld failed\n", k.passed, k.failed);
	return k.failed > 0 || k.passed == 0;
}
