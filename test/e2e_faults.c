/* SPDX-License-Identifier: MIT
 *
 * e2e_faults.c: each fault at each request, on the built binary, over both
 * back ends. Part of e2e.c, which includes it after e2e_connect.c; FAULT_CASES
 * are its rows of the table of cases.
 *
 * For each row: the answer is right, or an error with the word that is due;
 * the number of requests is what the operation costs and the repeats that
 * README.md tells; and once the fault is over the next call works.
 *
 * Contents: 1. Connect, reading  2. Service account  3. Circuit, refused token
 *           4. Cancelled and late
 */

/* ====================================================================
 * 1. Connect, reading
 * ==================================================================== */

enum { AT_VAULTS = 1, AT_VERSION = 2, AT_ITEMS = 4, AT_ITEM = 8, AT_FILE = 16,
	AT_FIND = 32, AT_JSON = 47, AT_ALL = 63 };

/* What is asked for at each step, and what came before it in the same run. */
static const struct place {
	const char *step, *before, *tool, *args;
} places[] = {
	{ "con_vaults", NULL, "list_vaults", "{}" },
	{ "con_vault", "list_items", "list_items", "{\"query\":\"git\"}" },
	{ "con_items", "list_vaults", "list_items", "{\"query\":\"git\"}" },
	{ "con_item", "list_items", "read_secret",
	    "{\"reference\":\"op://AI/GitHub/username\"}" },
	{ "con_content", "list_items", "read_secret",
	    "{\"reference\":\"op://AI/TLS bundle/bundle.pem\"}" },
	{ "con_find", "list_vaults", "read_secret",
	    "{\"reference\":\"op://AI/GitHub/username\"}" },
};

/* The word when the fault stays, and how often the request is made again; -1:
 * the answer is right all the same. at: the places where it is tried. */
static const struct con_fault {
	const char *kind, *words;
	int again, at;
} con_faults[] = {
	{ "status 408", "service_error", 2, AT_ALL },
	{ "status 500", "service_error", 2, AT_ALL },
	{ "status 502", "service_error", 2, AT_ALL },
	{ "status 502 html", "service_error", 2, AT_ITEM },
	{ "status 503", "service_error", 2, AT_ALL },
	{ "status 504", "service_error", 2, AT_ALL },
	{ "lost", "network_error", 2, AT_ALL },
	{ "dropped", "network_error", 2, AT_ALL },
	{ "reset", "network_error", 2, AT_ALL },
	{ "truncate 3", "network_error", 2, AT_ALL },
	{ "truncate 0", "network_error", 2, AT_ALL },
	{ "status 501", "service_error", 0, AT_ALL },
	{ "status 505", "service_error", 0, AT_ALL },
	{ "redirect", "service_error", 0, AT_ALL },
	{ "status 301", "service_error", 0, AT_ALL },
	{ "status 400", "service_error", 0, AT_ALL },
	{ "status 401", "sign_in_refused", 0, AT_ALL },
	{ "status 403", "access_denied", 0, AT_ALL },
	{ "status 404", "vault_not_allowed", 0,
	    AT_VERSION | AT_ITEMS | AT_FIND },
	{ "status 404", "service_error", 0, AT_VAULTS },
	{ "status 404", "field_not_found", 0, AT_FILE },
	{ "status 405", "service_error", 0, AT_ALL },
	{ "status 409", "conflict", 0, AT_ALL },
	{ "status 413", "too_large", 0, AT_ALL },
	{ "status 418", "service_error", 0, AT_ALL },
	{ "status 422", "service_error", 0, AT_ALL },
	{ "status 429", "rate_limited", 0, AT_ALL },
	{ "status 204", "bad_answer|service_error", 0, AT_JSON },
	{ "garbage", "bad_answer|network_error", -2, AT_ALL },
	{ "badjson", "bad_answer", 0, AT_JSON },
	{ "dupkey", "bad_answer", 0, AT_JSON },
	{ "emptybody", "bad_answer", 0, AT_JSON },
	{ "html", "bad_answer", 0, AT_JSON },
	{ "body null", "bad_answer", 0, AT_JSON },
	{ "body 7", "bad_answer", 0, AT_JSON },
	{ "body {}", "bad_answer", 0, AT_JSON },
	{ "body []", "bad_answer", 0, AT_VERSION | AT_ITEM },
	{ "body [{}]", "bad_answer", 0, AT_JSON },
	{ "wronguuid", "bad_answer", 0, AT_VERSION | AT_ITEM },
	{ "swapitem", "bad_answer", 0, AT_ITEM },
	{ "swapvault", "bad_answer", 0, AT_ITEMS | AT_ITEM },
	{ "twolengths", "bad_answer", 0, AT_ALL },
	{ "badchunk", "bad_answer", 0, AT_ALL },
	{ "lengthandchunked", "bad_answer", 0, AT_ALL },
	{ "gzip", "bad_answer", 0, AT_ALL },
	{ "hugeheader", "bad_answer", 0, AT_ALL },
	{ "hugebody", "too_large", 0, AT_ALL },
	{ "chunked", NULL, -1, AT_ALL },
	{ "continue", NULL, -1, AT_ALL },
	{ "close", NULL, -1, AT_ALL },
	{ "closedelim", NULL, -1, AT_JSON },
	{ "quietclose", NULL, -1, AT_ALL },
	{ "http10", NULL, -1, AT_ALL },
	{ "slow 150", NULL, -1, AT_ALL },
};

/* A server that does not take the filter is asked for the list instead. */
static bool
place_is_made_up(const struct place *p, const struct con_fault *f)
{
	return strcmp(p->step, "con_find") == 0 && f->words &&
	    strcmp(f->words, "service_error") == 0 &&
	    strncmp(f->kind, "status 4", 8) == 0;
}

/* One call at a place; its answer is the caller's to judge. */
static bool
place_call(struct world *w, const struct place *p, const char *what)
{
	return call(w, p->tool, p->args, what);
}

/* One row at one place: for good, or once. */
static void
place_fault(struct world *w, const struct place *p, const struct con_fault *f,
    bool once)
{
	bool passes = f->again == 2;
	char what[100];
	long n;

	snprintf(what, sizeof(what), "%s at %s%s", f->kind, p->step,
	    once ? ", once" : "");
	world_serve(w, LEGACY_NEW);
	if (p->before)
		call(w, p->before, "{}", what);
	standin_do(&w->s, "reset");
	if (!CHECK(w->t, standin_do(&w->s, "fault %s %s%s", p->step, f->kind,
		once ? " x1" : ""), "stand-in: no fault %s", what))
		return;
	place_call(w, p, what);
	if (!f->words || (once && passes) || place_is_made_up(p, f))
		CHECK(w->t, client_ok(&w->c), "%s: seen %s", what,
		    client_seen(&w->c));
	else
		want_word(w, f->words, what);
	n = standin_count(&w->s, p->step);
	/* What is garbage may look like an end. */
	if (f->again == -2)
		CHECK(w->t, n >= 1 && n <= 3, "%s: %ld requests", what, n);
	else
		CHECK_INT(w->t, 1 + (passes ? once ? 1 : 2 : 0), n, what);
	standin_do(&w->s, "clear");
	place_call(w, p, what);
	CHECK(w->t, client_ok(&w->c), "after %s: seen %s", what,
	    client_seen(&w->c));
	con_leave(w);
}

/* All rows at one place; over https those with an odd number. The vault is so
 * big that titles are looked up with the server's filter. */
static void
place_table(struct t *t, size_t at)
{
	static const char *const big[] = { "--items", "250", NULL };
	struct world w;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], big))
			return;
		for (i = m; i < LEN(con_faults); i += 1 + m)
			if (con_faults[i].at & 1 << at) {
				place_fault(&w, &places[at], &con_faults[i],
				    true);
				place_fault(&w, &places[at], &con_faults[i],
				    false);
			}
		world_close(&w);
	}
}

#define PLACE_CASE(name, at)                     \
	static void t_table_##name(struct t *t)  \
	{                                        \
		place_table(t, at);              \
	}

PLACE_CASE(vaults, 0)
PLACE_CASE(version, 1)
PLACE_CASE(items, 2)
PLACE_CASE(item, 3)
PLACE_CASE(file, 4)
PLACE_CASE(find, 5)

/* ---- changes ---- */

/* A fault of a change: what it says, whether it is stored, and how many times
 * it was sent. */
static const struct con_spoilt {
	const char *kind, *words;
	bool done;
	long sent;
} con_spoilts[] = {
	{ "status 400 x1", "edit_refused", false, 1 },
	{ "status 401 x1", "access_denied", false, 1 },
	{ "status 403 x1", "access_denied", false, 1 },
	{ "status 404 x1", "item_not_found|vault_not_allowed", false, 1 },
	{ "status 405 x1", "service_error", false, 1 },
	{ "status 406 x1", "edit_refused", false, 1 },
	{ "status 409 x1", "conflict", false, 1 },
	{ "status 413 x1", "edit_refused", false, 1 },
	{ "status 422 x1", "edit_refused", false, 1 },
	{ "status 429 x1", "rate_limited", false, 1 },
	{ "status 418 x1", "service_error", false, 1 },
	/* the answer is lost, or says nothing of what was done */
	{ "status 408 x1", "write_unconfirmed", false, 1 },
	{ "status 500 x1", "write_unconfirmed", false, 1 },
	{ "status 502 x1", "write_unconfirmed", false, 1 },
	{ "status 503 x1", "write_unconfirmed", false, 1 },
	{ "status 504 x1", "write_unconfirmed", false, 1 },
	{ "redirect x1", "write_unconfirmed", false, 1 },
	{ "dropped x1", "write_unconfirmed", false, 1 },
	{ "after 500 x1", "", true, 1 },
	{ "after 503 x1", "", true, 1 },
	{ "lost x1", "", true, 1 },
	{ "reset x1", "", true, 1 },
	{ "garbage x1", "", true, 1 },
	{ "badchunk x1", "", true, 1 },
	{ "twolengths x1", "", true, 1 },
	{ "gzip x1", "", true, 1 },
	{ "close x1", "", true, 1 },
	{ "slow 150 x1", "", true, 1 },
};

/* One kind of change under each fault. A lost answer is made up for by reading,
 * a new item by its title. */
static void
change_table(struct t *t, const char *step, const char *tool)
{
	bool create = strcmp(tool, CREATE) == 0;
	bool gone = strcmp(tool, DELETE) == 0;
	bool part = strcmp(step, "con_patch") == 0;
	char args[160], title[40];
	struct world w;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], NULL))
			return;
		env_set(&w.env, "OPMCP_WRITE", "allow");
		world_serve(&w, LEGACY_NEW);
		for (i = m; i < LEN(con_spoilts); i += 1 + m) {
			const struct con_spoilt *c = &con_spoilts[i];
			const char *words = c->words;

			snprintf(title, sizeof(title), "table %s %zu", step,
			    i);
			snprintf(args, sizeof(args), "{\"title\":\"%s\"}",
			    title);
			if (!create)
				call(&w, CREATE, args, title);
			snprintf(args, sizeof(args), create ?
				"{\"title\":\"%s\"}" : gone ?
				"{\"item\":\"%s\",\"title\":\"%s\"}" : part ?
				"{\"item\":\"%s\",\"title\":\"%s, new\"}" :
				"{\"item\":\"%s\",\"notes\":\"%s\"}",
			    title, title);
			standin_do(&w.s, "reset");
			CHECK(t, standin_do(&w.s, "fault %s %s", step,
			    c->kind), "stand-in: %s", c->kind);
			call(&w, tool, args, c->kind);
			/* a server without PATCH gets a PUT */
			if (part && strncmp(c->kind, "status 405", 10) == 0)
				words = "";
			if (*words)
				want_word(&w, words, c->kind);
			else
				CHECK(t, client_ok(&w.c), "%s at %s: seen %s",
				    c->kind, step, client_seen(&w.c));
			CHECK_INT(t, c->done || *words == 0,
			    standin_count(&w.s, "writes"), c->kind);
			CHECK_INT(t, c->sent, standin_count(&w.s, step),
			    c->kind);
			standin_do(&w.s, "clear");
			/* five in a row without a good one would be too many */
			call(&w, "list_items", "{}", c->kind);
			CHECK(t, client_ok(&w.c), "after %s at %s: seen %s",
			    c->kind, step, client_seen(&w.c));
		}
		con_close(&w);
	}
}

static void
t_table_create(struct t *t)
{
	change_table(t, "con_create", CREATE);
}

static void
t_table_put(struct t *t)
{
	change_table(t, "con_put", UPDATE);
}

static void
t_table_patch(struct t *t)
{
	change_table(t, "con_patch", UPDATE);
}

static void
t_table_delete(struct t *t)
{
	change_table(t, "con_delete", DELETE);
}

/* ====================================================================
 * 2. Service account
 * ==================================================================== */

/* The requests of the first credential in their order; cost: what it takes to
 * make one again. A sign-in begins anew. */
static const struct sa_place {
	const char *step;
	long cost;
} sa_places[] = { { "start", 1 }, { "auth", 2 }, { "confirm", 3 },
	{ "complete", 4 }, { "keysets", 1 }, { "vaults", 1 },
	{ "overviews", 1 }, { "item", 1 } };

/* What may pass, one to three times: twice is made up for, the third time the
 * call fails with the requests of all tries. */
static void
sa_repeat(struct t *t, size_t at)
{
	static const struct {
		const char *kind, *words;
	} v[] = { { "status 500", "service_error" },
		{ "status 503", "service_error" },
		{ "status 408", "service_error" },
		{ "drop", "network_error" }, { "reset", "network_error" },
		{ "truncate 20", "network_error|bad_answer" } };
	const struct sa_place *p = &sa_places[at];
	struct world w;
	char what[60];
	size_t i;
	long k;

	if (!world_open(&w, t, NULL))
		return;
	for (i = 0; i < 3 * LEN(v); i++) {
		k = (long)(i % 3) + 1;
		snprintf(what, sizeof(what), "%s at %s x%ld", v[i / 3].kind,
		    p->step, k);
		world_serve(&w, LEGACY_NEW);
		standin_do(&w.s, "reset");
		standin_do(&w.s, "fault %s %s x%ld", p->step, v[i / 3].kind,
		    k);
		if (k < 3)
			get_usual(&w, what);
		else
			get_word(&w, ITEM, NULL, v[i / 3].words, what);
		want_count(&w, NULL, k < 3 ? 8 + k * p->cost :
		    (long)at + 1 + 2 * p->cost, what);
		get_usual(&w, what);
		world_leave(&w);
	}
	world_close(&w);
}

#define REPEAT_CASE(step, at)                    \
	static void t_repeat_##step(struct t *t) \
	{                                        \
		sa_repeat(t, at);                \
	}

REPEAT_CASE(start, 0)
REPEAT_CASE(auth, 1)
REPEAT_CASE(confirm, 2)
REPEAT_CASE(complete, 3)
REPEAT_CASE(keysets, 4)
REPEAT_CASE(vaults, 5)
REPEAT_CASE(overviews, 6)
REPEAT_CASE(item, 7)

/* ====================================================================
 * 3. Circuit, refused token
 * ==================================================================== */

/* The circuit opens after five faults, shows, and is on record; what is not
 * the server's fault does not count. */
static void
t_table_circuit(struct t *t)
{
	static const char *const step[] = { "item", "con_item" };
	struct buf trail = { 0 };
	struct world w;
	struct den d;
	size_t m, i;

	for (m = 0; m < 2; m++) {
		if (!(m ? con_open(&w, t, "http", NULL) :
		    world_open(&w, t, NULL)) || !den_open(&w, &d))
			return;
		world_serve(&w, LEGACY_NEW);
		get_usual(&w, "first");
		for (i = 0; i < 7; i++) {
			get_word(&w, i % 2 ? "Nobody" : "No such title", NULL,
			    "item_not_found", "mistyped");
			call(&w, CREDENTIALS, "{\"item_name\":7}", "wrong");
		}
		get_usual(&w, "after mistyped names");
		standin_do(&w.s, "fault %s status 403", step[m]);
		for (i = 0; i < 7; i++)
			get_word(&w, ITEM, NULL, "access_denied", "403");
		standin_do(&w.s, "clear");
		get_usual(&w, "after refusals");
		standin_do(&w.s, "fault %s status 500", step[m]);
		get_word(&w, ITEM, NULL, "service_error", "three faults");
		get_word(&w, ITEM, NULL, "service_error", "two more");
		standin_do(&w.s, "clear");
		standin_do(&w.s, "reset");
		for (i = 0; i < 5; i++)
			get_word(&w, ITEM, NULL, "circuit_open", "open");
		want_count(&w, NULL, 0, "an open circuit");
		CHECK(t, error_says(&w, "until 20"), "it does not say until "
		    "when: %s", client_seen(&w.c));
		call(&w, "get_metrics", "{}", "open");
		CHECK(t, buf_has(&w.c.line, "\"circuit\":\"open\""),
		    "metrics: seen %s", client_seen(&w.c));
		call(&w, HEALTH, "{}", "open");
		CHECK(t, buf_has(&w.c.line, "degraded") &&
		    buf_has(&w.c.line, "\"circuit\""), "health: seen %s",
		    client_seen(&w.c));
		want_ping(&w, "an open circuit");
		world_leave(&w);
		buf_clear(&trail);
		buf_read_file(&trail, d.audit);
		CHECK(t, buf_has(&trail, "\"CIRCUIT_OPEN\"") &&
		    buf_has(&trail, "circuit_open"), "not on record");
		trail_good(&w, &d, NULL, NULL, "circuit");
		den_close(&d);
		world_close(&w);
	}
	buf_free(&trail);
}

/* A token revoked before the start, or meanwhile: one sign-in, however often
 * it is called. */
static void
t_table_revoked(struct t *t)
{
	struct world w;
	int m, i;

	for (m = 0; m < 2; m++) {
		if (!world_start(&w, t))
			return;
		if (m)
			get_usual(&w, "before");
		standin_do(&w.s, "revoke");
		standin_do(&w.s, "reset");
		for (i = 0; i < 8; i++)
			get_word(&w, ITEM, NULL, "sign_in_refused", "revoked");
		want_count(&w, "start", 1, "revoked");
		want_count(&w, NULL, 1 + m, "revoked");
		world_close(&w);
	}
}

/* ====================================================================
 * 4. Cancelled and late
 * ==================================================================== */

/* A call that waits before it asks again ends at once when it is cancelled,
 * and in any case in time. */
static void
t_table_late(struct t *t)
{
	static const char *const fault[] = { "status 503 4", "slow 20000",
		"stall 10", "status 500" };
	struct world w;
	int64_t from;
	size_t m, i;

	for (m = 0; m < 2; m++) {
		const char *step = m ? "con_item" : "item";

		if (!(m ? con_open(&w, t, "https", NULL) :
		    world_open(&w, t, NULL)))
			return;
		env_set(&w.env, "OPMCP_TIMEOUT", "3");
		world_serve(&w, LEGACY_NEW);
		get_usual(&w, "first");
		for (i = 0; i < LEN(fault); i++) {
			standin_do(&w.s, "fault %s %s", step, fault[i]);
			from = now_ms();
			get(&w, ITEM, NULL, fault[i]);
			CHECK(t, !client_ok(&w.c), "%s: a result", fault[i]);
			CHECK(t, now_ms() - from < 8000, "%s: took %ld ms",
			    fault[i], (long)(now_ms() - from));
			standin_do(&w.s, "clear");
			get_usual(&w, fault[i]);
		}
		world_leave(&w);
		env_set(&w.env, "OPMCP_TIMEOUT", "20");
		world_serve(&w, LEGACY_NEW);
		get_usual(&w, "first again");
		standin_do(&w.s, "fault %s status 503 5", step);
		standin_do(&w.s, "reset");
		client_call(&w.c, CREDENTIALS, "{\"item_name\":\"GitHub\"}");
		CHECK(t, standin_await(&w.s, step, 1, 4000), "no request");
		client_send(&w.c, "{\"jsonrpc\":\"2.0\",\"method\":"
		    "\"notifications/cancelled\",\"params\":{\"requestId\":"
		    "%ld}}", w.c.id);
		standin_do(&w.s, "clear");
		from = now_ms();
		get_usual(&w, "after a cancelled pause");
		CHECK(t, now_ms() - from < 4000, "the cancelled call went on");
		world_close(&w);
	}
}

/* The time of a call runs while it waits its turn: against a server that hangs
 * the second is over soon after the first. */
static void
t_table_turn(struct t *t)
{
	struct world w;
	int64_t from;
	size_t m, i;

	for (m = 0; m < 2; m++) {
		if (!(m ? con_open(&w, t, "http", NULL) :
		    world_open(&w, t, NULL)))
			return;
		env_set(&w.env, "OPMCP_TIMEOUT", "3");
		world_serve(&w, LEGACY_NEW);
		get_usual(&w, "first");
		standin_do(&w.s, "fault %s stall 10", m ? "con_item" : "item");
		from = now_ms();
		for (i = 0; i < 4; i++) {
			client_call(&w.c, CREDENTIALS,
			    "{\"item_name\":\"GitHub\"}");
			while (now_ms() < from + 300)
				tick();
		}
		for (i = 0; i < 4; i++) {
			client_read(&w.c, 15000);
			CHECK(t, w.c.line.n > 0 && !client_ok(&w.c),
			    "no error: seen %s", client_seen(&w.c));
		}
		CHECK(t, now_ms() - from < 5000, "four took %ld ms",
		    (long)(now_ms() - from));
		standin_do(&w.s, "clear");
		get_usual(&w, "after");
		world_close(&w);
	}
}

#define FAULT_CASES                                \
	{ "table_vaults", t_table_vaults, 0 },     \
	{ "table_version", t_table_version, 0 },   \
	{ "table_items", t_table_items, 0 },       \
	{ "table_item", t_table_item, 0 },         \
	{ "table_file", t_table_file, 0 },         \
	{ "table_find", t_table_find, 0 },         \
	{ "table_create", t_table_create, 0 },     \
	{ "table_patch", t_table_patch, 0 },       \
	{ "table_put", t_table_put, 0 },           \
	{ "table_delete", t_table_delete, 0 },     \
	{ "table_start", t_repeat_start, 0 },      \
	{ "table_auth", t_repeat_auth, 0 },        \
	{ "table_confirm", t_repeat_confirm, 0 },  \
	{ "table_complete", t_repeat_complete, 0 },\
	{ "table_keysets", t_repeat_keysets, 0 },  \
	{ "table_sa_vaults", t_repeat_vaults, 0 }, \
	{ "table_overviews", t_repeat_overviews, 0 },\
	{ "table_sa_item", t_repeat_item, 0 },     \
	{ "table_circuit", t_table_circuit, 0 },   \
	{ "table_revoked", t_table_revoked, 0 },   \
	{ "table_late", t_table_late, 0 },         \
	{ "table_turn", t_table_turn, 0 },
