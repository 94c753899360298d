/* SPDX-License-Identifier: MIT
 *
 * demo.c: shows one whole conversation between an MCP host and opmcp, with
 * an invented 1Password account on this machine, over both back ends.
 *
 *	demo [--opmcp PATH] [--standin PATH] [--pki DIR] [--show]
 *
 * It starts the stand-in for 1Password, then opmcp as a host would start it,
 * and prints what the host says, what opmcp answers, how long that took and
 * how many requests it cost at 1Password. Passwords are shown by their first
 * characters only; --show prints them whole. Every answer is checked against
 * the stand-in's account.
 * Exit status: 0 every step gave what it should, 1 one did not, 64 wrong use.
 *
 * All traffic stays on the loopback device.
 *
 * Contents: 1. Printing  2. JSON for people  3. Asking  4. The steps
 *           5. Start, summary and end
 */
#include "harness.h"

/* What the demo is about: items and vaults of the stand-in's account. */
#define SESSION "2025-11-25"
#define VAULT   "AI"
#define FIRST   "GitHub"
#define LATER   "OpenAI API"
#define OTHER   "Ops" /* a vault that is not allowed */
#define DENIED  "Pager"
#define NOWHERE "GitLab" /* no item has this title */

#define CLIENT "{\"name\":\"demo-host\",\"version\":\"1\"}"

struct demo {
	struct lab lab;
	struct standin s;
	struct client c;
	struct account acct;
	struct env env;
	bool colour, show;
	int step, failed;
	long id;       /* of the latest request */
	double from;   /* when it was sent, in ms */
	double ms;     /* until its answer came */
	long requests; /* that it cost */
	double start_ms, first_ms, later_ms;
	long first_requests, later_requests;
	long kb; /* of both processes, -1: could not be read */
};

/* ====================================================================
 * 1. Printing
 * ==================================================================== */

#define COLUMNS 79
#define INDENT  12

#define BOLD  "1"
#define RED   "31"
#define GREEN "32"
#define BLUE  "36"
#define DIM   "2"

/* Text in a colour, where there are colours. */
static void
paint(const struct demo *d, const char *how, const char *text)
{
	if (d->colour)
		printf("\033[%sm%s\033[0m", how, text);
	else
		fputs(text, stdout);
}

/* How much of text goes on a line: up to the last place that fits and is
 * good for a break, else as much as fits, whole characters only. */
static size_t
fold_at(const char *text, size_t room)
{
	size_t n;

	if (strlen(text) <= room)
		return strlen(text);
	for (n = room; n > room / 3; n--)
		if (strchr(", {[", text[n - 1]))
			return n;
	for (n = room; ((unsigned char)text[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

/* A label and its text, folded; what follows is indented alike. */
static void
print_folded(const struct demo *d, const char *how, const char *label,
    const char *text)
{
	size_t n;

	printf("   ");
	paint(d, how, label);
	printf("%*s", (int)(INDENT - 3 - strlen(label)), "");
	for (;;) {
		n = fold_at(text, COLUMNS - INDENT);
		printf("%.*s\n", (int)(n - (n && text[n - 1] == ' ')), text);
		text += n;
		if (!*text)
			break;
		printf("%*s", INDENT, "");
	}
}

static void
print_step(struct demo *d, const char *title)
{
	char number[16];

	snprintf(number, sizeof(number), "\n%2d ", ++d->step);
	paint(d, BOLD, number);
	paint(d, BOLD, title);
	printf("\n");
}

static void
print_cost(const struct demo *d)
{
	char text[80];

	snprintf(text, sizeof(text), "%*s%.1f ms, %ld request%s to 1Password\n",
	    INDENT, "", d->ms, d->requests, d->requests == 1 ? "" : "s");
	paint(d, DIM, text);
}

/* Notes what did not come as it should; true if all is well. */
static bool
must(struct demo *d, bool ok, const char *what)
{
	if (ok)
		return true;
	d->failed++;
	print_folded(d, RED, "FAILED:", what);
	return false;
}

/* ====================================================================
 * 2. JSON for people: long members left out, passwords masked
 * ==================================================================== */

#define LONG_TEXT 160 /* longer strings are cut */
#define CUT_TEXT  40  /* to this */
#define MASK_KEEP 3   /* characters of a password that are shown */

/* True if the member key of the object at only makes the answer long: what
 * describes a tool beside its name, the text that repeats the structured
 * content, the sentence that explains a status. */
static bool
is_left_out(const struct json *j, int at, const char *key)
{
	if (json_get(j, at, "inputSchema") >= 0)
		return strcmp(key, "name") != 0;
	if (strcmp(key, "content") == 0)
		return json_get(j, at, "structuredContent") >= 0;
	return strcmp(key, "message") == 0 && json_get(j, at, "status") >= 0;
}

/* True for a password, or the value that a reference stands for. */
static bool
is_secret(const struct json *j, int at, const char *key)
{
	return strcmp(key, "password") == 0 ||
	    (strcmp(key, "value") == 0 && json_get(j, at, "kind") >= 0);
}

static void
show_value(const struct demo *d, const struct json *j, int at, struct buf *out);

/* A string or a plain value; a password by its first characters. */
static void
show_leaf(const struct json *j, int at, bool secret, struct buf *out)
{
	struct buf text = { 0 };
	size_t n, keep;
	const char *p = json_source(j, at, &n);

	if (!secret && n <= LONG_TEXT) {
		buf_add(out, p, n);
		return;
	}
	json_text(j, at, &text);
	keep = !secret ? CUT_TEXT : text.n / 4;
	if (secret && keep > MASK_KEEP)
		keep = MASK_KEEP;
	while (keep > 0 && ((unsigned char)text.p[keep] & 0xc0) == 0x80)
		keep--;
	text.n = keep;
	buf_str(&text, secret ? "*****" : "...");
	buf_json(out, text.p);
	buf_free(&text);
}

static void
show_object(const struct demo *d, const struct json *j, int at, struct buf *out)
{
	struct buf key = { 0 };
	const char *sep = "{";
	bool dots = false;
	int i, k;

	for (i = 0, k = at + 1; i < json_len(j, at); i++) {
		buf_clear(&key);
		json_text(j, k, &key);
		if (is_left_out(j, at, key.p)) {
			dots = true;
		} else {
			buf_fmt(out, "%s\"%s\":", sep, key.p);
			sep = ",";
			if (!d->show && is_secret(j, at, key.p))
				show_leaf(j, k + 1, true, out);
			else
				show_value(d, j, k + 1, out);
		}
		k = json_next(j, k + 1);
	}
	buf_fmt(out, "%s%s}",
	    *sep == '{' ? "{" :
		dots    ? "," :
			  "",
	    dots ? "..." : "");
	buf_free(&key);
}

static void
show_value(const struct demo *d, const struct json *j, int at, struct buf *out)
{
	int i;

	if (json_is_type(j, at, JSMN_OBJECT)) {
		show_object(d, j, at, out);
		return;
	}
	if (!json_is_type(j, at, JSMN_ARRAY)) {
		show_leaf(j, at, false, out);
		return;
	}
	buf_str(out, "[");
	for (i = 0; i < json_len(j, at); i++) {
		buf_str(out, i ? "," : "");
		show_value(d, j, json_item(j, at, i), out);
	}
	buf_str(out, "]");
}

/* True if text holds one of the account's passwords of some length. */
static bool
has_password(const struct demo *d, const struct buf *text)
{
	size_t i;

	for (i = 0; i < d->acct.n; i++)
		if (strlen(d->acct.row[i].password) > MASK_KEEP + 2 &&
		    buf_has(text, d->acct.row[i].password))
			return true;
	return false;
}

/* Prints the latest answer; nothing if a password slipped through. */
static void
print_answer(struct demo *d)
{
	struct buf text = { 0 };

	if (d->c.last.ntok)
		show_value(d, &d->c.last, 0, &text);
	if (must(d, d->show || !has_password(d, &text),
		"the answer shows a password where none belongs"))
		print_folded(d, GREEN, "opmcp <-", buf_text(&text));
	buf_free(&text);
}

/* ====================================================================
 * 3. Asking
 * ==================================================================== */

static double
now_exact_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Prints one line of the host and sends it; starts opmcp for the first. */
static bool
tell(struct demo *d, const char *line)
{
	print_folded(d, BLUE, "host  ->", line);
	fflush(stdout);
	d->from = now_exact_ms();
	if (d->c.p.pid == 0 && !client_start(&d->c, &d->lab, &d->env))
		return false;
	return client_send(&d->c, "%s", line);
}

/* Asks, prints and times the answer, and checks that it cost cost requests.
 * params is the text of an object, or NULL. */
static bool
ask(struct demo *d, const char *method, const char *params, long cost)
{
	struct buf line = { 0 };
	long before = standin_count(&d->s, NULL);
	bool ok;

	buf_fmt(&line, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"%s\"",
	    ++d->id, method);
	if (params)
		buf_fmt(&line, ",\"params\":%s", params);
	buf_str(&line, "}");
	ok = tell(d, line.p) &&
	    proc_line(&d->c.p, &d->c.line, d->c.wait_ms) == LINE_OK;
	d->ms = now_exact_ms() - d->from;
	buf_free(&line);
	if (!must(d, ok, "no answer came"))
		return false;
	ok = json_parse(&d->c.last, d->c.line.p, d->c.line.n);
	standin_await(&d->s, NULL, before + cost, 500);
	d->requests = standin_count(&d->s, NULL) - before;
	print_answer(d);
	print_cost(d);
	must(d, d->requests == cost, "another number of requests was due");
	return must(d, ok && json_long(&d->c.last, "id", -1) == d->id,
	    "the answer is not one to this request");
}

/* Calls the tool that gives credentials. */
static bool
ask_item(struct demo *d, const char *item, const char *vault, long cost)
{
	struct buf params = { 0 };
	bool ok;

	buf_str(&params,
	    "{\"name\":\"" CREDENTIALS "\",\"arguments\":"
	    "{\"item_name\":");
	buf_json(&params, item);
	if (vault) {
		buf_str(&params, ",\"vault\":");
		buf_json(&params, vault);
	}
	buf_str(&params, "}}");
	ok = ask(d, "tools/call", params.p, cost);
	buf_free(&params);
	return ok;
}

/* True if the string that path leads to says want. */
static bool
says(const struct demo *d, const char *path, const char *want)
{
	return json_is(&d->c.last, json_top(&d->c.last, path), want);
}

/* The answer holds exactly what the account has for this item. */
static void
must_be_item(struct demo *d, const char *title)
{
	const struct row *r = account_find(&d->acct, VAULT, title);
	struct json text = { 0 };
	struct buf b = { 0 };
	int at = json_top(&d->c.last, "result content 0 text");

	if (!must(d, r && client_ok(&d->c) && at >= 0, "no credentials came"))
		return;
	must(d, says(d, "result structuredContent username", r->username),
	    "the user name is not that of the account");
	must(d, says(d, "result structuredContent password", r->password),
	    "the password is not that of the account");
	must(d, says(d, "result structuredContent item_id", r->id),
	    "this is not the item that was asked for");
	json_text(&d->c.last, at, &b);
	must(d,
	    json_parse(&text, b.p, b.n) &&
		json_same(&text, 0, &d->c.last,
		    json_top(&d->c.last, "result structuredContent")),
	    "text and structured content differ");
	buf_free(&b);
	json_free(&text);
}

/* The answer is a tool error of this word, and nothing else. */
static void
must_refuse(struct demo *d, const char *word)
{
	int at = json_top(&d->c.last, "result content 0 text");
	struct buf b = { 0 };

	if (at >= 0)
		json_text(&d->c.last, at, &b);
	must(d,
	    strncmp(buf_text(&b), word, strlen(word)) == 0 &&
		buf_text(&b)[strlen(word)] == ':',
	    "another error was due");
	at = json_top(&d->c.last, "result isError");
	must(d, json_source_is(&d->c.last, at, "true"),
	    "the answer is not marked as an error");
	must(d, json_top(&d->c.last, "result structuredContent") < 0,
	    "an error must not carry content");
	buf_free(&b);
}

/* ====================================================================
 * 4. The steps
 * ==================================================================== */

static bool
step_start(struct demo *d)
{
	print_step(d, "The host starts opmcp and opens the conversation");
	if (!ask(d, "initialize",
		"{\"protocolVersion\":\"" SESSION "\","
		"\"capabilities\":{},\"clientInfo\":" CLIENT "}",
		0))
		return false;
	d->start_ms = d->ms;
	must(d, says(d, "result protocolVersion", SESSION),
	    "another protocol version was due");
	must(d, says(d, "result serverInfo name", "opmcp"),
	    "the server is not opmcp");
	must(d, json_top(&d->c.last, "result capabilities tools") >= 0,
	    "opmcp does not say that it has tools");
	return true;
}

static bool
step_initialized(struct demo *d)
{
	print_step(d, "The host is ready; a notification has no answer");
	return must(d,
	    tell(d,
		"{\"jsonrpc\":\"2.0\",\"method\":"
		"\"notifications/initialized\"}"),
	    "opmcp does not read");
}

static bool
step_tools(struct demo *d)
{
	print_step(d,
	    "Which tools are there? (names only; \"...\" marks "
	    "what is left out)");
	if (!ask(d, "tools/list", NULL, 0))
		return false;
	must(d, json_len(&d->c.last, json_top(&d->c.last, "result tools")) == 8,
	    "eight tools were due");
	must(d,
	    says(d, "result tools 0 name", CREDENTIALS) &&
		says(d, "result tools 1 name", HEALTH),
	    "a tool has another name");
	return true;
}

static bool
step_first(struct demo *d)
{
	print_step(d,
	    "The first secret: opmcp signs in, then fetches the item");
	if (!ask_item(d, FIRST, NULL, 8))
		return false;
	d->first_ms = d->ms;
	d->first_requests = d->requests;
	must_be_item(d, FIRST);
	return true;
}

static bool
step_later(struct demo *d)
{
	print_step(d,
	    "A later secret: keys and titles are kept, passwords are not");
	if (!ask_item(d, LATER, NULL, 1))
		return false;
	d->later_ms = d->ms;
	d->later_requests = d->requests;
	must_be_item(d, LATER);
	return true;
}

static bool
step_search(struct demo *d)
{
	print_step(d,
	    "Which items have this tag? The titles are kept; asked is "
	    "only\n   if the vault has changed");
	if (!ask(d, "tools/call",
		"{\"name\":\"list_items\",\"arguments\":{\"tag\":\"llm\","
		"\"limit\":1}}",
		1))
		return false;
	must(d,
	    says(d, "result structuredContent items 0 title", LATER) &&
		json_top(&d->c.last, "result structuredContent next_cursor") >=
		    0,
	    "the item was not found");
	return true;
}

static bool
step_reference(struct demo *d)
{
	print_step(d, "One field, by its secret reference");
	if (!ask(d, "tools/call",
		"{\"name\":\"read_secret\",\"arguments\":{\"reference\":"
		"\"op://" VAULT "/" LATER "/credential\"}}",
		1))
		return false;
	must(d,
	    says(d, "result structuredContent value",
		account_find(&d->acct, VAULT, LATER)->password),
	    "not the value that is stored");
	return true;
}

static bool
step_refused(struct demo *d)
{
	print_step(d,
	    "A vault that the operator has not allowed: refused here");
	if (!ask_item(d, DENIED, OTHER, 0))
		return false;
	must_refuse(d, "vault_not_allowed");
	return true;
}

static bool
step_not_found(struct demo *d)
{
	print_step(d,
	    "An item that is not there: asked is only if the vault has "
	    "changed");
	if (!ask_item(d, NOWHERE, NULL, 1))
		return false;
	must_refuse(d, "item_not_found");
	return true;
}

static bool
step_health(struct demo *d)
{
	print_step(d,
	    "How is opmcp? The error before still shows, nothing is sent");
	if (!ask(d, "tools/call", "{\"name\":\"" HEALTH "\",\"arguments\":{}}",
		0))
		return false;
	must(d, client_ok(&d->c), "no report came");
	must(d,
	    says(d, "result structuredContent overall_status", "healthy") ||
		says(d, "result structuredContent overall_status", "degraded"),
	    "opmcp says that it cannot work");
	must(d,
	    says(d, "result structuredContent checks 0 name", "token") &&
		says(d, "result structuredContent checks 0 status", "pass"),
	    "the token does not pass");
	return true;
}

static bool
step_modern(struct demo *d)
{
	char params[512];

	print_step(d, "The newest MCP: no handshake, each request says it all");
	snprintf(params, sizeof(params),
	    "{\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"%s\","
	    "\"io.modelcontextprotocol/clientCapabilities\":{},"
	    "\"io.modelcontextprotocol/clientInfo\":%s}}",
	    MODERN, CLIENT);
	if (!ask(d, "server/discover", params, 0))
		return false;
	must(d, says(d, "result supportedVersions 0", MODERN),
	    "the newest version was due first");
	must(d, json_top(&d->c.last, "result capabilities tools") >= 0,
	    "opmcp does not say that it has tools");
	return true;
}

/* Sum of the proportional set sizes of door and keeper in KB, or -1. Reading
 * them takes the right to trace, which opmcp denies all but root. */
static long
memory_kb(const struct demo *d)
{
	pid_t pid[2] = { d->c.p.pid, pid_child(d->c.p.pid) };
	struct buf b = { 0 };
	char path[64];
	const char *at;
	long sum = 0;
	size_t i;

	for (i = 0; i < LEN(pid) && sum >= 0; i++) {
		snprintf(path, sizeof(path), "/proc/%d/smaps_rollup",
		    (int)pid[i]);
		buf_clear(&b);
		buf_read_file(&b, path);
		at = strstr(buf_text(&b), "\nPss:");
		sum = at ? sum + strtol(at + 5, NULL, 10) : -1;
	}
	buf_free(&b);
	return sum;
}

static bool
step_end(struct demo *d)
{
	struct buf log = { 0 };
	size_t i, lines = 0;
	print_step(d, "The host closes stdin, and opmcp ends");
	d->kb = memory_kb(d);
	d->from = now_exact_ms();
	proc_close_in(&d->c.p);
	if (must(d, proc_wait(&d->c.p, 2000), "opmcp does not end"))
		must(d, proc_exit(&d->c.p) == 0, "its exit status is not 0");
	d->ms = now_exact_ms() - d->from;
	proc_err(&d->c.p, &log);
	for (i = 0; i < log.n; i++)
		lines += log.p[i] == '\n';
	printf("%*sended after %.1f ms with exit status %d;\n", INDENT, "",
	    d->ms, proc_exit(&d->c.p));
	if (must(d,
		!has_password(d, &log) && !buf_has(&log, d->s.token) &&
		    !buf_has(&log, d->s.connect_token),
		"a secret stands in its log"))
		printf("%*sno secret stands in the %zu lines of its log\n",
		    INDENT, "", lines);
	buf_free(&log);
	return true;
}

/* ====================================================================
 * 5. Start, summary and end
 * ==================================================================== */

/* The same account from a Connect server: another opmcp with other settings,
 * told in two steps. */
static bool
step_connect(struct demo *d)
{
	client_stop(&d->c);
	d->c = (struct client){ .p = { .pid = 0 } };
	env_unset(&d->env, "OP_SERVICE_ACCOUNT_TOKEN");
	env_unset(&d->env, "OPMCP_HOSTS");
	env_set(&d->env, "OP_CONNECT_HOST", d->s.connect);
	env_set(&d->env, "OP_CONNECT_TOKEN", d->s.connect_token);
	print_step(d,
	    "The other back end: a 1Password Connect server of one's own");
	printf("%*sOP_CONNECT_HOST=%s\n", INDENT, "", d->s.connect);
	return ask(d, "initialize",
		   "{\"protocolVersion\":\"" SESSION "\","
		   "\"capabilities\":{},\"clientInfo\":" CLIENT "}",
		   0) &&
	    tell(d, "{\"jsonrpc\":\"2.0\",\"method\":"
		    "\"notifications/initialized\"}");
}

static bool
step_connect_first(struct demo *d)
{
	print_step(d,
	    "The same secret from there: vaults, titles, item; no sign-in");
	if (!ask_item(d, FIRST, NULL, 3))
		return false;
	must_be_item(d, FIRST);
	print_step(d, "And a later one");
	if (!ask_item(d, LATER, NULL, 1))
		return false;
	must_be_item(d, LATER);
	return true;
}

static bool
play(struct demo *d)
{
	return step_start(d) && step_initialized(d) && step_tools(d) &&
	    step_first(d) && step_later(d) && step_search(d) &&
	    step_reference(d) && step_refused(d) && step_not_found(d) &&
	    step_health(d) && step_modern(d) && step_end(d) &&
	    step_connect(d) && step_connect_first(d) && step_end(d);
}

static void
print_summary(const struct demo *d)
{
	char memory[64] = "memory not readable here";

	if (d->kb >= 0)
		snprintf(memory, sizeof(memory),
		    "memory %ld KB (PSS of both processes)", d->kb);
	paint(d, BOLD, "\nAll as it should be.\n");
	printf("first secret: %.0f ms and %ld requests, later: %.1f ms and "
	       "%ld request,\nstart-up %.1f ms, %s\n",
	    d->first_ms, d->first_requests, d->later_ms, d->later_requests,
	    d->start_ms, memory);
}

static void
print_usage_hint(const struct demo *d)
{
	char *path = realpath(d->lab.opmcp, NULL);

	paint(d, BOLD, "\nWith your own account\n");
	printf("Make a service account at 1Password.com that can read the "
	       "vault \"AI\" (another\none: set OPMCP_VAULTS) and put its "
	       "token, ops_..., into a file of your own\n(chmod 600); then, "
	       "for Claude Code:\n\n"
	       "  claude mcp add opmcp --env "
	       "OP_SERVICE_ACCOUNT_TOKEN_FILE=$HOME/.op-token -- %s\n\n"
	       "README.md has the snippets for Claude Desktop, Claude Code, "
	       "Cursor, VS Code\nand Codex, and says when a Connect server is "
	       "the better choice.\n",
	    path ? path : "/path/to/opmcp");
	free(path);
}

/* The opmcp that failed says more on its stderr. */
static void
print_failure(const struct demo *d)
{
	struct buf log = { 0 };

	if (d->c.p.pid > 0)
		proc_err(&d->c.p, &log);
	paint(d, RED, "\nThe demo failed.\n");
	if (!has_password(d, &log) &&
	    !(d->s.token && buf_has(&log, d->s.token)) &&
	    !(d->s.connect_token && buf_has(&log, d->s.connect_token)))
		printf("%s", buf_text(&log));
	buf_free(&log);
}

static bool
options_read(struct demo *d, int argc, char **argv)
{
	const char **text[] = { &d->lab.opmcp, &d->lab.standin, &d->lab.pki };
	static const char *const name[] = { "--opmcp", "--standin", "--pki" };
	size_t k;
	int i;

	for (i = 1; i < argc; i++) {
		for (k = 0; k < LEN(name); k++)
			if (strcmp(argv[i], name[k]) == 0)
				break;
		if (strcmp(argv[i], "--show") == 0)
			d->show = true;
		else if (k < LEN(name) && i + 1 < argc)
			*text[k] = argv[++i];
		else
			return false;
	}
	return true;
}

int
main(int argc, char **argv)
{
	static const char *const args[] = { "--connect", "https", NULL };
	struct demo d = { .lab = { "./opmcp", "test/build/standin", "test/pki",
			      NULL, false, 10000 } };

	if (!options_read(&d, argc, argv)) {
		fprintf(stderr,
		    "usage: demo [--opmcp PATH] [--standin PATH] "
		    "[--pki DIR] [--show]\n");
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	d.colour = isatty(1) && !getenv("NO_COLOR");
	printf("opmcp talks with an MCP host. 1Password is played by a "
	       "stand-in on this machine;\nits account and passwords are "
	       "invented%s.\n",
	    d.show ? "" : ", and still only their beginning is shown");
	if (must(&d, access(d.lab.opmcp, X_OK) == 0, "opmcp is not there") &&
	    must(&d,
		standin_start(&d.s, &d.lab, args) &&
		    standin_list(&d.s, &d.acct),
		"the stand-in could not be started")) {
		standin_env(&d.s, &d.lab, &d.env);
		play(&d);
	}
	if (d.failed) {
		print_failure(&d);
	} else {
		print_summary(&d);
		print_usage_hint(&d);
	}
	client_stop(&d.c);
	standin_stop(&d.s);
	account_free(&d.acct);
	env_free(&d.env);
	return d.failed ? 1 : 0;
}
