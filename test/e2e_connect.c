/* SPDX-License-Identifier: MIT
 *
 * e2e_connect.c: opmcp over 1Password Connect, on the built binary. Part of
 * e2e.c, which includes it just before its table of cases and has the helpers
 * used here; CON_CASES are its rows of that table.
 *
 * Every case runs over http and over https. What is asserted is what a user
 * sees, and by the stand-in's log what it cost: a vault list 1, a list 1, an
 * item 1, a search in an unchanged vault 1 small request, a file 1 more.
 *
 * Contents: 1. The world of a case  2. Configuration  3. Reading
 *           4. Both back ends  5. Changes  6. Hostile answers
 */

/* ====================================================================
 * 1. The world of a case
 * ==================================================================== */

static const char *const con_modes[] = { "http", "https" };

/* The requests of one call, by step. */
struct con_cost {
	long vaults, version, items, item, content, create, put, patch,
		remove, find;
};

/* A stand-in that speaks Connect, and settings that lead there only. args are
 * more arguments for it, at most 8, or NULL. */
static bool
con_open(struct world *w, struct t *t, const char *mode,
    const char *const *args)
{
	const char *all[12] = { "--connect", mode };
	size_t n = 2;

	while (args && *args && n < LEN(all) - 1)
		all[n++] = *args++;
	if (!world_open(w, t, all))
		return false;
	env_unset(&w->env, "OP_SERVICE_ACCOUNT_TOKEN");
	env_unset(&w->env, "OPMCP_HOSTS");
	env_set(&w->env, "OP_CONNECT_HOST", w->s.connect);
	env_set(&w->env, "OP_CONNECT_TOKEN", w->s.connect_token);
	return true;
}

static bool
con_start(struct world *w, struct t *t, const char *mode)
{
	return con_open(w, t, mode, NULL) && world_serve(w, LEGACY_NEW);
}

/* A text holds neither the token nor its payload, which is secret as well. */
static void
con_no_token(struct world *w, const struct buf *text, const char *where)
{
	const char *part = strchr(w->s.connect_token, '.');

	CHECK(w->t, part && !buf_has(text, part + 1), "%s holds the token",
	    where);
	part = part ? strchr(part + 1, '.') : NULL;
	CHECK(w->t, part && !buf_has(text, part + 1),
	    "%s holds the end of the token", where);
	CHECK(w->t, !buf_has(text, "Bearer"), "%s holds a header", where);
}

/* Ends opmcp; the token is in none of the texts it has made. */
static void
con_leave(struct world *w)
{
	struct buf err = { 0 };

	if (w->c.p.pid > 0)
		proc_err(&w->c.p, &err);
	con_no_token(w, &err, "stderr");
	con_no_token(w, &w->said, "stdout");
	con_no_token(w, &w->errors, "an error text");
	buf_free(&err);
	world_leave(w);
}

static void
con_close(struct world *w)
{
	con_leave(w);
	world_close(w);
}

/* The log has exactly these requests since the last reset; then a reset. */
static void
con_want(struct world *w, struct con_cost c, const char *what)
{
	const struct {
		const char *step;
		long n;
	} v[] = { { "con_vaults", c.vaults }, { "con_vault", c.version },
		{ "con_items", c.items }, { "con_item", c.item },
		{ "con_content", c.content }, { "con_create", c.create },
		{ "con_put", c.put }, { "con_patch", c.patch },
		{ "con_delete", c.remove }, { "con_find", c.find } };
	long all = 0;
	size_t i;

	for (i = 0; i < LEN(v); i++) {
		want_count(w, v[i].step, v[i].n, what);
		all += v[i].n;
	}
	want_count(w, NULL, all, what);
	standin_do(&w->s, "reset");
}

/* ====================================================================
 * 2. Configuration
 * ==================================================================== */

/* What OP_CONNECT_HOST can look like; and the token from a file. */
static void
con_host_row(struct t *t, const char *mode, size_t i)
{
	static const struct {
		const char *base, *end;
		int token; /* 1: with blanks, 2: in a file, 3: systemd's */
	} v[] = { { "", "", 0 }, { "", "/", 1 }, { "", "//", 2 },
		{ "/gw", "", 3 }, { "/gw/v2.x", "/", 2 } };
	const char *args[] = { "--connect-base", v[i].base, NULL };
	struct buf b = { 0 };
	struct world w;
	struct den d;
	char file[80];

	if (!con_open(&w, t, mode, *v[i].base ? args : NULL) ||
	    !den_open(&w, &d))
		return;
	buf_fmt(&b, "%s%s", w.s.connect, v[i].end);
	env_set(&w.env, "OP_CONNECT_HOST", b.p);
	buf_clear(&b);
	buf_fmt(&b, " %s\r\n", w.s.connect_token);
	if (v[i].token == 1)
		env_set(&w.env, "OP_CONNECT_TOKEN", b.p);
	if (v[i].token > 1)
		env_unset(&w.env, "OP_CONNECT_TOKEN");
	snprintf(file, sizeof(file), "%s/op_connect_token", d.dir);
	if (v[i].token == 3) {
		env_set(&w.env, "CREDENTIALS_DIRECTORY", d.dir);
		CHECK(t, file_put(file, b.p + 1, b.n - 1, 0600), "file");
	}
	if (v[i].token == 2) {
		env_set(&w.env, "OP_CONNECT_TOKEN_FILE", d.policy);
		CHECK(t, file_put(d.policy, b.p + 1, b.n - 1, 0600), "file");
	}
	world_serve(&w, LEGACY_NEW);
	get_usual(&w, "first");
	con_want(&w, (struct con_cost){ .vaults = 1, .items = 1, .item = 1 },
	    v[i].base);
	both_clean(&w);
	con_leave(&w);
	if (v[i].token == 2) {
		chmod(d.policy, 0644);
		world_serve(&w, LEGACY_NEW);
		get_word(&w, ITEM, NULL, "token_malformed|bad_setting",
		    "a file that others can read");
		CHECK(t, error_says(&w, "OP_CONNECT_TOKEN_FILE"),
		    "a file that others can read: %s", client_seen(&w.c));
		con_want(&w, (struct con_cost){ 0 }, "no token");
	}
	con_leave(&w);
	unlink(file);
	den_close(&d);
	buf_free(&b);
	con_close(&w);
}

static void
t_con_host(struct t *t)
{
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++)
		for (i = 0; i < 5; i++)
			con_host_row(t, con_modes[m], i);
}

/* Settings that cannot work: the error names the one at fault, and nothing is
 * sent. "@" is the right address, "=" the Connect token, "ops" the other. */
static const struct con_bad {
	const char *host, *token, *sa, *word, *says;
} con_bads[] = {
	{ "@", NULL, NULL, "token_missing", "OP_CONNECT_TOKEN" },
	{ NULL, "=", NULL, "token_missing", "OP_CONNECT_HOST" },
	{ "@", "ops", NULL, "token_malformed", "OP_SERVICE_ACCOUNT_TOKEN" },
	{ NULL, NULL, "=", "token_malformed", "OP_CONNECT_TOKEN" },
	{ "@", "x", NULL, "token_malformed", "Connect" },
	{ "@", "a.b", NULL, "token_malformed", "Connect" },
	{ "@", "a.b.c.d", NULL, "token_malformed", "Connect" },
	{ "@", "..", NULL, "token_malformed", "Connect" },
	{ "@", "a.e30.c", NULL, "token_malformed", "aud" },
	{ "@", "a.eyJhdWQiOiJ4In0.c", NULL, "token_malformed", "aud" },
	{ "@", "a.bnVsbA.c", NULL, "token_malformed", "Connect" },
	{ "@", "a\r\nX: y.e30.c", NULL, "token_malformed", "token" },
	{ "127.0.0.1", "=", NULL, "bad_setting", "OP_CONNECT_HOST" },
	{ "ftp://localhost", "=", NULL, "bad_setting", "OP_CONNECT_HOST" },
	{ "https://", "=", NULL, "bad_setting", "OP_CONNECT_HOST" },
	{ "https:///v1", "=", NULL, "bad_setting", "OP_CONNECT_HOST" },
	{ "https://u:p@localhost", "=", NULL, "bad_setting",
	    "OP_CONNECT_HOST" },
	{ "https://localhost:0", "=", NULL, "bad_setting", "OP_CONNECT_HOST" },
	{ "https://localhost:65536", "=", NULL, "bad_setting",
	    "OP_CONNECT_HOST" },
	{ "https://localhost:8x", "=", NULL, "bad_setting", "OP_CONNECT_HOST" },
	{ "https://lo cal", "=", NULL, "bad_setting", "OP_CONNECT_HOST" },
	{ "https://localhost/a b", "=", NULL, "bad_setting",
	    "OP_CONNECT_HOST" },
	{ "https://localhost/?x=1", "=", NULL, "bad_setting",
	    "OP_CONNECT_HOST" },
	{ "https://localhost/\r\nX: y", "=", NULL, "bad_setting",
	    "OP_CONNECT_HOST" },
	{ "http://connect.example:8080", "=", NULL, "bad_setting",
	    "OPMCP_ALLOW_HTTP" },
	{ "http://10.0.0.1", "=", NULL, "bad_setting", "OPMCP_ALLOW_HTTP" },
	{ "http://127.evil.example", "=", NULL, "bad_setting",
	    "OPMCP_ALLOW_HTTP" },
	{ "http://localhost.example", "=", NULL, "bad_setting",
	    "OPMCP_ALLOW_HTTP" },
};

/* Puts a setting of such a row in place. */
static void
con_set(struct world *w, const char *key, const char *value)
{
	if (!value)
		env_unset(&w->env, key);
	else
		env_set(&w->env, key,
		    strcmp(value, "@") == 0       ? w->s.connect :
			strcmp(value, "=") == 0   ? w->s.connect_token :
			strcmp(value, "ops") == 0 ? w->s.token :
						    value);
}

static void
t_con_refused(struct t *t)
{
	const char *args[] = { "get", ITEM, NULL };
	struct world w;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], NULL))
			return;
		for (i = 0; i < LEN(con_bads); i++) {
			const struct con_bad *b = &con_bads[i];
			char what[80];

			snprintf(what, sizeof(what), "row %zu, %s", i, b->says);
			con_set(&w, "OP_CONNECT_HOST", b->host);
			con_set(&w, "OP_CONNECT_TOKEN", b->token);
			con_set(&w, "OP_SERVICE_ACCOUNT_TOKEN", b->sa);
			if (m) {
				want_status(&w, args, 78, b->says, what);
				continue;
			}
			world_serve(&w, LEGACY_NEW);
			get_word(&w, ITEM, NULL, b->word, what);
			CHECK(t, error_says(&w, b->says),
			    "%s: not said, seen %s", what, client_seen(&w.c));
			both_clean(&w);
			con_leave(&w);
		}
		con_want(&w, (struct con_cost){ 0 }, "settings");
		con_close(&w);
	}
}

/* Tokens that have ended, that are large, and that are taken back. */
static void
t_con_tokens(struct t *t)
{
	static const char *const ended[] = { "--connect-exp", "-60", NULL };
	static const char *const soon[] = { "--connect-exp", "3600",
		"--connect-vaults", "250", NULL };
	struct world w;
	size_t m;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], ended))
			return;
		world_serve(&w, LEGACY_NEW);
		get_word(&w, ITEM, NULL, "token_malformed|sign_in_refused",
		    "expired");
		CHECK(t, error_says(&w, "expired"), "expired: not said");
		con_want(&w, (struct con_cost){ 0 }, "expired");
		con_close(&w);
		if (!con_open(&w, t, con_modes[m], soon))
			return;
		CHECK(t, strlen(w.s.connect_token) > 8000, "a small token");
		world_serve(&w, LEGACY_NEW);
		get_usual(&w, "a large token");
		standin_do(&w.s, "revoke");
		call_text(&w, "list_items", "query", "git", "revoked");
		want_word(&w, "sign_in_refused", "revoked");
		con_leave(&w);
		standin_do(&w.s, "unrevoke");
		world_serve(&w, LEGACY_NEW);
		get_usual(&w, "given back");
		con_close(&w);
	}
}

/* Both back ends have a token: Connect is used, as by 1Password's own tools.
 * An address without a token leaves it to the service account. */
static void
t_con_both(struct t *t)
{
	struct buf err = { 0 };
	struct world w;
	struct den d;
	size_t m;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], NULL) || !den_open(&w, &d))
			return;
		env_set(&w.env, "OPMCP_HOSTS", "localhost");
		env_set(&w.env, "OP_SERVICE_ACCOUNT_TOKEN", w.s.token);
		world_serve(&w, LEGACY_NEW);
		get_usual(&w, "both");
		both_clean(&w);
		con_want(&w,
		    (struct con_cost){ .vaults = 1, .items = 1, .item = 1 },
		    "both");
		con_leave(&w);
		env_unset(&w.env, "OP_CONNECT_TOKEN");
		env_unset(&w.env, "OP_SERVICE_ACCOUNT_TOKEN");
		env_set(&w.env, "OP_SERVICE_ACCOUNT_TOKEN_FILE", d.policy);
		CHECK(t, file_put(d.policy, w.s.token, strlen(w.s.token), 0600),
		    "file");
		world_serve(&w, LEGACY_NEW);
		get_usual(&w, "an address, and a service account");
		want_count(&w, "con_item", 0, "service account");
		want_count(&w, "item", 1, "service account");
		proc_err(&w.c.p, &err);
		CHECK(t, buf_has(&err, "OP_CONNECT_HOST is set"),
		    "nothing is said of the address");
		buf_clear(&err);
		world_leave(&w);
		den_close(&d);
		con_close(&w);
	}
	buf_free(&err);
}

/* http elsewhere only if it is allowed; https only to a server of a CA that
 * is trusted. 0.0.0.0 is this machine, but no address of the loopback. */
static void
t_con_way(struct t *t)
{
	struct buf b = { 0 };
	struct world w;

	if (!con_open(&w, t, "http", NULL))
		return;
	buf_fmt(&b, "http://0.0.0.0:%s", strrchr(w.s.connect, ':') + 1);
	env_set(&w.env, "OP_CONNECT_HOST", b.p);
	world_serve(&w, LEGACY_NEW);
	get_word(&w, ITEM, NULL, "bad_setting", "http elsewhere");
	con_leave(&w);
	con_want(&w, (struct con_cost){ 0 }, "http elsewhere");
	env_set(&w.env, "OPMCP_ALLOW_HTTP", "1");
	world_serve(&w, LEGACY_NEW);
	get_usual(&w, "http elsewhere, allowed");
	con_want(&w, (struct con_cost){ .vaults = 1, .items = 1, .item = 1 },
	    "http elsewhere, allowed");
	con_close(&w);
	if (!con_open(&w, t, "https", NULL))
		return;
	buf_clear(&b);
	buf_fmt(&b, "%s/otherca.pem", t->lab->pki);
	env_set(&w.env, "SSL_CERT_FILE", b.p);
	world_serve(&w, LEGACY_NEW);
	get_word(&w, ITEM, NULL, "tls_error", "another CA");
	CHECK(t, error_says(&w, "OP_CONNECT_HOST"), "another CA: seen %s",
	    client_seen(&w.c));
	con_leave(&w);
	con_want(&w, (struct con_cost){ 0 }, "another CA");
	buf_clear(&b);
	buf_fmt(&b, "%s/ca.pem", t->lab->pki);
	env_set(&w.env, "SSL_CERT_FILE", b.p);
	world_serve(&w, LEGACY_NEW);
	get_usual(&w, "its CA");
	world_leave(&w);
	/* an address that the certificate has only as an address */
	buf_clear(&b);
	buf_fmt(&b, "https://127.0.0.1:%s", strrchr(w.s.connect, ':') + 1);
	env_set(&w.env, "OP_CONNECT_HOST", b.p);
	world_serve(&w, LEGACY_NEW);
	get_word(&w, ITEM, NULL, "tls_error", "an address");
	CHECK(t, error_says(&w, "use a host name"), "an address: seen %s",
	    client_seen(&w.c));
	buf_free(&b);
	con_close(&w);
}

/* ====================================================================
 * 3. Reading
 * ==================================================================== */

/* What each call costs, from the first on. */
static void
t_con_cost(struct t *t)
{
	static const struct {
		const char *tool, *args;
		struct con_cost cost;
	} v[] = {
		{ "get_health_status", "{}", { 0 } },
		{ "list_vaults", "{}", { .vaults = 1 } },
		{ "list_items", "{}", { .items = 1 } },
		{ "list_items", "{\"query\":\"git\"}", { .version = 1 } },
		{ "list_items", "{\"tag\":\"llm\"}", { .version = 1 } },
		{ "get_item", "{\"item\":\"GitHub\"}", { .item = 1 } },
		{ "read_secret", "{\"reference\":\"op://AI/GitHub/password\"}",
		    { .item = 1 } },
		{ CREDENTIALS, "{\"item_name\":\"GitHub\"}", { .item = 1 } },
		{ "read_secret",
		    "{\"reference\":\"op://AI/With attachments/readme.txt\"}",
		    { .item = 1, .content = 1 } },
		{ "get_health_status", "{\"probe\":true}", { .vaults = 1 } },
		{ "get_metrics", "{}", { 0 } },
		{ "get_security_status", "{}", { 0 } },
	};
	struct json r = { 0 };
	struct world w;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_start(&w, t, con_modes[m]))
			return;
		for (i = 0; i < LEN(v); i++) {
			call(&w, v[i].tool, v[i].args, v[i].args);
			result_read(&w, &r, v[i].args);
			con_want(&w, v[i].cost, v[i].args);
		}
		/* A vault that has changed is read again, once. */
		CHECK(t,
		    standin_do(&w.s,
			"conput AI {\"category\":\"LOGIN\","
			"\"title\":\"A new one\"}"),
		    "conput");
		call_text(&w, "list_items", "query", "new one", "changed");
		CHECK(t, buf_has(&w.c.line, "A new one"), "not found");
		con_want(&w, (struct con_cost){ .version = 1, .items = 1 },
		    "changed");
		call_text(&w, "list_items", "query", "new one", "unchanged");
		con_want(&w, (struct con_cost){ .version = 1 }, "unchanged");
		con_close(&w);
	}
	json_free(&r);
}

/* The searches of the service account; archived items are in no list. */
static void
t_con_search(struct t *t)
{
	struct json r = { 0 };
	struct buf b = { 0 };
	struct world w;
	size_t m, i;
	int n;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_start(&w, t, con_modes[m]))
			return;
		call(&w, "list_vaults", "{}", "list_vaults");
		CHECK(t,
		    buf_has(&w.c.line, find(&w, "AI", ITEM)->vault_id) &&
			!buf_has(&w.c.line, find(&w, "Ops", ITEM)->vault_id),
		    "list_vaults: seen %s", client_seen(&w.c));
		for (i = 0; i < LEN(searches); i++) {
			const char *what = searches[i].args;

			n = strstr(what, "archived") ? 0 :
			    strstr(what, "\"all\"")  ? 1 :
						       searches[i].n;
			if (!call(&w, "list_items", what, what) ||
			    !result_read(&w, &r, what))
				continue;
			CHECK_INT(t, n, items_good(&w, &r, what), what);
			buf_clear(&b);
			buf_fmt(&b, "\"title\":\"%s\"",
			    searches[i].title ? searches[i].title : "");
			CHECK(t,
			    !n || !searches[i].title ||
				memmem(r.text, r.n, b.p, b.n),
			    "%s: %s is not there", what, searches[i].title);
		}
		/* By pages. */
		call(&w, "list_items", "{\"limit\":30}", "first page");
		result_read(&w, &r, "first page");
		CHECK_INT(t, 30, items_good(&w, &r, "first page"), "page");
		buf_clear(&b);
		buf_str(&b, "{\"limit\":30,\"cursor\":\"");
		json_text(&r, json_top(&r, "next_cursor"), &b);
		buf_str(&b, "\"}");
		standin_do(&w.s, "reset");
		call(&w, "list_items", b.p, "second page");
		result_read(&w, &r, "second page");
		CHECK(t, items_good(&w, &r, "second page") > 10, "page 2");
		CHECK(t, json_top(&r, "next_cursor") < 0, "a third page");
		want_untold(&w, "searches");
		con_leave(&w);
		/* A server that does list what is archived. */
		standin_do(&w.s, "connect archived on");
		world_serve(&w, LEGACY_NEW);
		call(&w, "list_items", "{\"query\":\"ghost\"}", "archived");
		result_read(&w, &r, "archived");
		CHECK_INT(t, 1, items_good(&w, &r, "archived"), "active");
		call(&w, "list_items", "{\"state\":\"archived\"}", "archived");
		result_read(&w, &r, "archived");
		CHECK_INT(t, 2, items_good(&w, &r, "archived"), "archived");
		get_row(&w, "Ghost", NULL, find_state(&w, "Ghost", 'N'),
		    "the active one");
		get_word(&w, "Archived login", NULL, "item_archived", "arch.");
		con_close(&w);
	}
	json_free(&r);
	buf_free(&b);
}

/* The references of the service account; rows that differ are below. */
static const struct con_other {
	const char *ref, *value, *kind;
} con_others[] = {
	/* A file's id is its own; forms of web pages are not told. */
	{ "op://AI/With attachments/file_txt", "field_not_found", NULL },
	{ "op://AI/Web form login/x", "field_not_found", NULL },
	{ "op://AI/Web form login/r", "field_not_found", NULL },
	{ "op://AI/Web form login/username", "wf-user", "Text" },
	{ "op://AI/Web form login/password", "wf-pw", "Concealed" },
};

static const struct con_other *
con_other(const char *ref)
{
	size_t i;

	for (i = 0; i < LEN(con_others); i++)
		if (*ref && strcmp(con_others[i].ref, ref) == 0)
			return &con_others[i];
	return NULL;
}

static void
t_con_secrets(struct t *t)
{
	struct world w;
	char id[27];
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], NULL))
			return;
		for (i = 0; i < LEN(refs_items); i++)
			item_put(&w, "AI", refs_items[i], id);
		world_serve(&w, LEGACY_NEW);
		get_usual(&w, "first");
		for (i = 0; i < LEN(refs_good); i++) {
			const struct ref_row *r = &refs_good[i];
			const struct con_other *o = con_other(r->ref);

			standin_do(&w.s, "reset");
			if (o && !o->kind) {
				read_ref(&w, r->ref);
				want_word(&w, o->value, r->ref);
				continue;
			}
			want_secret(&w, r->ref, o ? o->value : r->value,
			    o ? o->kind : r->kind);
			con_want(&w,
			    (struct con_cost){ .item = 1,
				.content = r->cost - 1 },
			    r->ref);
		}
		buf_clear(&w.said);
		for (i = 0; i < LEN(refs_bad); i++) {
			const struct ref_row *r = &refs_bad[i];
			const struct con_other *o = con_other(r->ref);

			if (o && o->kind) {
				want_secret(&w, r->ref, o->value, o->kind);
				continue;
			}
			if (read_ref(&w, r->ref))
				want_word(&w, o ? o->value : r->value, r->ref);
		}
		con_close(&w);
	}
}

/* A code that is due now, a key in another form. */
static void
t_con_codes(struct t *t)
{
	static const char *const refs[] = {
		"op://AI/Google Workspace/one-time password?attribute=otp",
		"op://AI/Google Workspace/TOTP_aaaa?attribute=totp",
		"op://AI/TOTP raw/Security/one-time password?attribute=otp"
	};
	struct json r = { 0 };
	struct buf b = { 0 };
	struct world w;
	size_t m, i;
	long left;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_start(&w, t, con_modes[m]))
			return;
		/* With the server's own codes, and without them. */
		for (i = 0; i < 2 * LEN(refs); i++) {
			const char *ref = refs[i % LEN(refs)];

			if (i == LEN(refs))
				standin_do(&w.s, "connect totp off");
			if (!read_ref(&w, ref) || !result_read(&w, &r, ref))
				continue;
			member_text(&r, "value", &b);
			left = json_long(&r, "seconds_left", -1);
			CHECK(t, b.n == 6 && strspn(b.p, "0123456789") == 6,
			    "%s: no code of six digits", ref);
			CHECK(t, left >= 0 && left <= 30, "%s: %ld s", ref,
			    left);
		}
		read_ref(&w,
		    "op://AI/deploy key/private_key?ssh-format="
		    "openssh");
		if (result_read(&w, &r, "openssh"))
			CHECK(t,
			    strstr(member_text(&r, "value", &b),
				"-----BEGIN OPENSSH PRIVATE KEY-----\n") == b.p,
			    "openssh: not such a file");
		con_close(&w);
	}
	json_free(&r);
	buf_free(&b);
}

/* Every item of the account that has a title of its own. */
static void
t_con_credentials(struct t *t)
{
	const struct row *r;
	struct world w;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], NULL))
			return;
		env_set(&w.env, "OPMCP_VAULTS", "*");
		world_serve(&w, m ? MODERN : LEGACY_NEW);
		for (i = 0; i < w.acct.n; i++) {
			r = &w.acct.row[i];
			if (*r->trashed != 'N' ||
			    account_count(&w.acct, r->vault, r->title, "N") !=
				1 ||
			    !title_usable(r->title))
				continue;
			get(&w, r->title, r->vault, r->title);
			if (*r->username || *r->password)
				want_row(&w, r, r->title);
		}
		want_count(&w, "con_vaults", 1, "all");
		want_count(&w, "con_items", 3, "all");
		get_word(&w, "Duplicate", "AI", "item_ambiguous", "two");
		get_word(&w, "Nobody", "AI", "item_not_found", "none");
		get_word(&w, "Archived login", "AI",
		    "item_not_found|item_archived", "archived");
		get_word(&w, find(&w, "AI", "Archived login")->id, "AI",
		    "item_archived", "archived, by id");
		con_close(&w);
	}
}

/* What is hidden is in nothing but read_secret. */
static void
t_con_hidden(struct t *t)
{
	struct buf b = { 0 }, err = { 0 }, trail = { 0 };
	struct world w;
	struct den d;
	char id[27];
	size_t m;

	plant_json(&b);
	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], NULL) || !den_open(&w, &d))
			return;
		item_put(&w, "AI", b.p, id);
		world_serve(&w, m ? MODERN : LEGACY_NEW);
		call_text(&w, "get_item", "item", "ZQtitle", "by title");
		CHECK(t,
		    buf_has(&w.c.line, "zqTITLE") &&
			buf_has(&w.c.line, "zqUSER") &&
			buf_has(&w.c.line, "zqWEB") &&
			buf_has(&w.c.line, "zqTAG"),
		    "get_item lacks what is not hidden");
		call_text(&w, "get_item", "item", id, "by id");
		call_text(&w, "list_items", "query", "zqtag", "list_items");
		read_ref(&w, "op://AI/zqTITLE/nope");
		read_ref(&w, "op://AI/zqTITLE/password?attribute=otp");
		read_ref(&w, "op://AI/zqTITLE/codes");
		complete(&w, "use_credential", "item_name", "zq", NULL, "c");
		read_uri(&w, "onepassword://vaults/AI/items", "resource");
		want_hidden(&w, &w.said, "the output");
		proc_err(&w.c.p, &err);
		want_hidden(&w, &err, "stderr");
		con_leave(&w);
		CHECK(t, buf_read_file(&trail, d.audit), "no audit file");
		want_hidden(&w, &trail, "the audit file");
		con_no_token(&w, &trail, "the audit file");
		den_close(&d);
		con_close(&w);
		buf_clear(&trail);
		buf_clear(&err);
	}
	buf_free(&b);
	buf_free(&err);
	buf_free(&trail);
}

/* ---- the command line, resources, completion ---- */

static void
t_con_cli(struct t *t)
{
	static const struct {
		const char *args[8], *text;
	} good[] = {
		{ { "get", ITEM, NULL },
		    "username: octo-bot\npassword: gh-p4ss/w0rd?&\n" },
		{ { "get", ITEM, "--field", "password", NULL },
		    "gh-p4ss/w0rd?&\n" },
		{ { "get", ITEM, "--vault", "Ops", "--vaults", "AI,Ops", NULL },
		    "username: ops-bot\npassword: ops-gh-pw\n" },
		{ { "read", "op://AI/GitHub/notes", NULL },
		    "Bot account.\nRotate it.\n" },
		{ { "read", "-n", "op://AI/GitHub/username", NULL },
		    ITEM_USER },
		{ { "read", "op://AI/With attachments/readme.txt", NULL },
		    "attached text\n" },
		{ { "list", "no such thing", NULL }, "" },
	};
	static const struct {
		const char *args[5], *says;
		int status;
	} bad[] = {
		{ { "read", "op://Ops/GitHub/password" }, "vault_not_allowed",
		    77 },
		{ { "read", "op://AI/Nobody/password" }, "item_not_found", 66 },
		{ { "read", "op://AI/Duplicate/password" }, "item_ambiguous",
		    66 },
		{ { "read", "op://AI/GitHub/nope" }, "field_not_found", 66 },
		{ { "get", "Archived login" }, "item_", 66 },
		{ { "list", "--vault", "Ops" }, "vault_not_allowed", 77 },
	};
	const char *list[] = { "list", "llm openai", NULL };
	const char *flag[] = { "get", "--connect-host", NULL, ITEM, "--field",
		"username", NULL };
	struct buf b = { 0 };
	struct world w;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], NULL))
			return;
		for (i = 0; i < LEN(good); i++) {
			standin_do(&w.s, "reset");
			want_print(&w, good[i].args, good[i].text,
			    good[i].args[1]);
			want_count(&w, "con_vaults", 1, good[i].args[1]);
			want_count(&w, "con_items", 1, good[i].args[1]);
		}
		buf_clear(&b);
		buf_fmt(&b, "%s\tApiCredentials\tOpenAI API\n",
		    find(&w, "AI", "OpenAI API")->id);
		want_print(&w, list, b.p, "list");
		for (i = 0; i < LEN(bad); i++)
			want_status(&w, bad[i].args, bad[i].status, bad[i].says,
			    bad[i].args[1]);
		/* The address as an argument wins over the environment. */
		env_set(&w.env, "OP_CONNECT_HOST", "https://x.invalid");
		flag[2] = w.s.connect;
		want_print(&w, flag, ITEM_USER "\n", "--connect-host");
		con_close(&w);
	}
	buf_free(&b);
}

static void
t_con_resources(struct t *t)
{
	static const char *const typed[] = { "", "git", "GIT", "key", "\"" };
	struct json r = { 0 };
	struct world w;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], NULL))
			return;
		env_set(&w.env, "OPMCP_VAULTS", "AI,Ops");
		world_serve(&w, m ? MODERN : LEGACY_NEW);
		resource(&w, "onepassword://status", &r, "status");
		con_want(&w, (struct con_cost){ 0 }, "status");
		resource(&w, "onepassword://vaults", &r, "vaults");
		con_want(&w, (struct con_cost){ .vaults = 1 }, "vaults");
		CHECK_INT(t, 2, json_len(&r, json_top(&r, "vaults")), "vaults");
		resource(&w, "onepassword://vaults/AI/items", &r, "AI");
		CHECK_INT(t, (long)(shown_items(&w, "AI") - 2),
		    page_good(&w, &r, "AI"), "items of AI, 2 are archived");
		con_want(&w, (struct con_cost){ .items = 1 }, "items");
		resource(&w, "onepassword://vaults/Ops/items", &r, "Ops");
		page_good(&w, &r, "Ops");
		want_no_resource(&w, "onepassword://vaults/Nowhere/items",
		    "no vault");
		for (i = 0; i < LEN(typed); i++) {
			complete(&w, "use_credential", "item_name", typed[i],
			    NULL, typed[i]);
			want_titles(&w, "AI", typed[i], typed[i]);
		}
		complete(&w, "use_credential", "vault", "o", NULL, "vault");
		want_values(&w, "[\"Ops\"]", "vault");
		want_untold(&w, "resources");
		con_close(&w);
	}
	json_free(&r);
}

/* ---- rules ---- */

static const struct con_rule {
	const char *what, *vaults, *policy, *tag, *vault, *item, *word;
} con_rules[] = {
	{ "not in the list", "Ops", NULL, NULL, "AI", "Marker",
	    "vault_not_allowed" },
	{ "in the list", "Ops,AI", NULL, NULL, "AI", "Marker", NULL },
	{ "no such vault", "AI", NULL, NULL, "Nowhere", "Marker",
	    "vault_not_allowed" },
	{ "any case", "ai", NULL, NULL, "aI", "Marker", NULL },
	{ "denied", "AI", "deny reveal item Marker\n", NULL, "AI", "Marker",
	    "policy_denied" },
	{ "another denied", "AI", "permit reveal\ndeny reveal item Marker\n",
	    NULL, "AI", ITEM, NULL },
	{ "asked", "AI", "ask reveal\n", NULL, "AI", "Marker",
	    "approval_unavailable" },
	{ "tag in a rule", "AI", "permit reveal\ndeny reveal tag work/git\n",
	    NULL, "AI", ITEM, "policy_denied" },
	{ "ai:deny", "AI", NULL, "ai:deny", "AI", "Marker", "policy_denied" },
	{ "ai:ask", "AI", NULL, "ai:ask", "AI", "Marker",
	    "approval_unavailable" },
	{ "ai:canary", "AI", NULL, "ai:canary", "AI", "Marker",
	    "item_not_found" },
};

static void
t_con_rules(struct t *t)
{
	const struct row *row;
	struct buf trail = { 0 };
	struct world w;
	struct den d;
	size_t m, i;

	for (i = 0; i < 2 * LEN(con_rules); i++) {
		const struct con_rule *r = &con_rules[i / 2];

		m = i % 2;
		if (!con_open(&w, t, con_modes[m], NULL) || !den_open(&w, &d))
			return;
		env_set(&w.env, "OPMCP_VAULTS", r->vaults);
		if (r->policy)
			policy_put(&w, &d, r->policy);
		row = find(&w, "AI", r->item);
		if (r->tag)
			standin_do(&w.s, "tag %s %s", row->id, r->tag);
		world_serve(&w, LEGACY_NEW);
		if (!r->word) {
			get_row(&w, r->item, r->vault, row, r->what);
		} else {
			get_word(&w, r->item, r->vault, r->word, r->what);
			want_untold(&w, r->what);
		}
		if (r->tag && !strcmp(r->tag, "ai:canary"))
			get_word(&w, ITEM, NULL, "locked", "after a canary");
		con_leave(&w);
		trail_good(&w, &d, NULL, NULL, r->what);
		buf_clear(&trail);
		buf_read_file(&trail, d.audit);
		con_no_token(&w, &trail, "the audit file");
		den_close(&d);
		con_close(&w);
	}
	buf_free(&trail);
}

/* ====================================================================
 * 4. Both back ends
 *
 * One account, read both ways. What differs, and nothing else: over Connect
 * every item has notes, if only empty ones; and the other inputs of a login's
 * web page are not there, so that its own two are not ambiguous.
 * ==================================================================== */

static void
con_swap(struct world *w, struct client *other)
{
	struct client c = w->c;

	w->c = *other;
	*other = c;
}

/* The field of this reference, or -1. */
static int
con_field(const struct json *j, const char *ref)
{
	int list = json_top(j, "fields"), i;

	for (i = 0; i < json_len(j, list); i++)
		if (json_is(j, json_get(j, json_item(j, list, i), "reference"),
			ref))
			return json_item(j, list, i);
	return -1;
}

/* The same reference read both ways: one value and kind, or one error. */
static void
con_same_value(struct world *w, struct client *other, const char *ref)
{
	struct json a = { 0 }, b = { 0 };
	struct buf x = { 0 }, y = { 0 };
	bool ok[2];

	read_ref(w, ref);
	ok[0] = client_ok(&w->c) && result_read(w, &a, ref);
	buf_str(&x, ok[0] ? "" : client_seen(&w->c));
	con_swap(w, other);
	read_ref(w, ref);
	ok[1] = client_ok(&w->c) && result_read(w, &b, ref);
	buf_str(&y, ok[1] ? "" : client_seen(&w->c));
	con_swap(w, other);
	CHECK(w->t, ok[0] == ok[1], "%s: read by one only", ref);
	if (ok[0] && ok[1])
		CHECK(w->t,
		    json_same(&a, json_top(&a, "value"), &b,
			json_top(&b, "value")) &&
			json_same(&a, json_top(&a, "kind"), &b,
			    json_top(&b, "kind")),
		    "%s: another value or kind", ref);
	else
		CHECK(w->t, !strcmp(buf_text(&x), buf_text(&y)),
		    "%s: %.60s, but %.60s", ref, buf_text(&x), buf_text(&y));
	json_free(&a);
	json_free(&b);
	buf_free(&x);
	buf_free(&y);
}

/* Two answers of get_item; a is the service account's. */
static void
con_same_item(struct world *w, struct client *other, const struct json *a,
    const struct json *b, const char *title)
{
	struct buf name = { 0 };
	int i, k, at, list, notes = 0;

	CHECK(w->t, json_len(a, 0) == json_len(b, 0), "%s: members", title);
	for (i = 0, k = 1; i < json_len(a, 0); i++, k = json_next(a, k + 1)) {
		buf_clear(&name);
		json_text(a, k, &name);
		at = json_get(b, 0, name.p);
		CHECK(w->t,
		    !strcmp(name.p, "fields") ||
			!strcmp(name.p, "correlation_id") ||
			!strcmp(name.p, "retrieved_at") ||
			json_same(a, k + 1, b, at),
		    "%s: %s differs", title, name.p);
	}
	list = json_top(a, "fields");
	for (i = 0; i < json_len(a, list); i++) {
		k = json_get(a, json_item(a, list, i), "reference");
		if (k < 0)
			continue;
		buf_clear(&name);
		json_text(a, k, &name);
		at = con_field(b, name.p);
		CHECK(w->t,
		    at >= 0 && json_same(a, json_item(a, list, i), b, at),
		    "%s: %s differs", title, name.p);
		con_same_value(w, other, name.p);
	}
	list = json_top(b, "fields");
	for (i = 0; i < json_len(b, list); i++) {
		at = json_item(b, list, i);
		k = json_get(b, at, "reference");
		if (k < 0)
			continue;
		buf_clear(&name);
		json_text(b, k, &name);
		if (con_field(a, name.p) >= 0)
			continue;
		CHECK(w->t,
		    json_is(b, json_get(b, at, "kind"), "Notes") &&
			json_is(b, json_get(b, at, "value"), "") && !notes++,
		    "%s: %s is there over Connect only", title, name.p);
	}
	buf_free(&name);
}

static void
t_con_same(struct t *t)
{
	struct client other = { 0 };
	struct json a = { 0 }, b = { 0 };
	struct buf args = { 0 };
	struct world w;
	struct den d;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], NULL) || !den_open(&w, &d))
			return;
		policy_put(&w, &d, "permit reveal field *\n");
		env_set(&w.env, "OPMCP_AUDIT", "off");
		env_set(&w.env, "OPMCP_VAULTS", "*");
		env_set(&w.env, "OPMCP_REVEAL", "allow");
		world_serve(&w, LEGACY_NEW);
		other = w.c;
		w.c = (struct client){ 0 };
		env_unset(&w.env, "OP_CONNECT_HOST");
		env_set(&w.env, "OPMCP_HOSTS", "localhost");
		env_set(&w.env, "OP_SERVICE_ACCOUNT_TOKEN", w.s.token);
		world_serve(&w, LEGACY_NEW);
		for (i = 0; i < w.acct.n; i++) {
			const struct row *r = &w.acct.row[i];

			if (*r->trashed != 'N' ||
			    !strcmp(r->title, "Web form login"))
				continue;
			buf_clear(&args);
			buf_fmt(&args, "{\"item\":\"%s\",\"vault\":\"%s\"}",
			    r->id, r->vault_id);
			if (!want_done(&w, "get_item", args.p, &a, r->title))
				continue;
			con_swap(&w, &other);
			if (want_done(&w, "get_item", args.p, &b, r->title)) {
				con_swap(&w, &other);
				con_same_item(&w, &other, &a, &b, r->title);
			} else {
				con_swap(&w, &other);
			}
		}
		CHECK(t,
		    standin_count(&w.s, "con_item") > (long)(w.acct.n - 10) * 2,
		    "few items were read over Connect");
		world_leave(&w);
		w.c = other;
		den_close(&d);
		con_close(&w);
	}
	json_free(&a);
	json_free(&b);
	buf_free(&args);
}

/* ====================================================================
 * 5. Changes
 *
 * What a tool says must be so in the stand-in's copy (condump), and what was
 * not named must be as it was.
 * ==================================================================== */

/* An item as Connect tells it; the texts point into line. */
struct con_dump {
	struct buf line;
	const char *id, *state, *version, *text;
	struct json j;
};

static void
con_dump_free(struct con_dump *d)
{
	buf_free(&d->line);
	json_free(&d->j);
}

/* Reads an item of AI by id or title. */
static bool
con_dump(struct world *w, const char *item, struct con_dump *d)
{
	const char **part[] = { &d->id, &d->state, &d->version, &d->text };
	char *p;
	size_t i;

	for (i = 0; i < LEN(part); i++)
		*part[i] = "";
	if (!CHECK(w->t, standin_do(&w->s, "condump\tAI\t%s", item),
		"stand-in: no dump of %s", item))
		return false;
	buf_clear(&d->line);
	buf_add(&d->line, w->s.line.p, w->s.line.n);
	p = d->line.p;
	for (i = 0; i < LEN(part); i++) {
		*part[i] = p;
		p += strcspn(p, "\t");
		if (*p)
			*p++ = 0;
		row_unescape((char *)(uintptr_t)*part[i]);
	}
	json_free(&d->j);
	return CHECK(w->t, json_parse(&d->j, d->text, strlen(d->text)),
	    "%s: the dump is not JSON", item);
}

/* A session that may write, with a record and its lists known. */
static bool
con_write_start(struct world *w, struct t *t, struct den *d, const char *mode)
{
	if (!con_open(w, t, mode, NULL) || !den_open(w, d))
		return false;
	env_set(&w->env, "OPMCP_WRITE", "allow");
	world_serve(w, LEGACY_NEW);
	get_usual(w, "first");
	standin_do(&w->s, "reset");
	return true;
}

/* Ends it: the record verifies, and holds no token. */
static void
con_write_close(struct world *w, struct den *d)
{
	struct buf trail = { 0 };

	con_leave(w);
	trail_good(w, d, NULL, NULL, "changes");
	buf_read_file(&trail, d->audit);
	con_no_token(w, &trail, "the audit file");
	buf_free(&trail);
	den_close(d);
	con_close(w);
}

/* Connect's words for the categories of makes[]; NULL: it has none. */
static const char *const con_words[] = { "LOGIN", "CREDIT_CARD", "SECURE_NOTE",
	"IDENTITY", "PASSWORD", "SOFTWARE_LICENSE", "BANK_ACCOUNT", "DATABASE",
	"DRIVER_LICENSE", "OUTDOOR_LICENSE", "MEMBERSHIP", "PASSPORT",
	"REWARD_PROGRAM", "SOCIAL_SECURITY_NUMBER", "WIRELESS_ROUTER", "SERVER",
	"EMAIL_ACCOUNT", "API_CREDENTIAL", "MEDICAL_RECORD", NULL, NULL };
_Static_assert(LEN(con_words) == LEN(makes), "a word for each category");

static void
con_create_row(struct world *w, size_t i)
{
	struct buf args = { 0 }, ref = { 0 }, id = { 0 };
	struct con_dump d = { 0 };
	struct json r = { 0 };
	const char *name = makes[i].name;

	buf_fmt(&args,
	    "{\"title\":\"New %s\",\"category\":\"%s\",\"notes\":"
	    "\"n\\n\\u00e9\",\"tags\":[\"a\",\"b/c\"],\"password\":"
	    "\"made-pw-%zu\",\"username\":\"made-user\",\"fields\":"
	    "[{\"label\":\"plain\",\"value\":\"p\",\"kind\":\"Text\"},"
	    "{\"label\":\"deep\",\"value\":\"s3\",\"section\":\"More\"}]}",
	    name, name, i);
	if (!con_words[i]) {
		call(w, CREATE, args.p, name);
		want_word(w, "edit_refused", name);
		con_want(w, (struct con_cost){ 0 }, name);
	} else if (want_done(w, CREATE, args.p, &r, name)) {
		con_want(w, (struct con_cost){ .create = 1 }, name);
		member_text(&r, "item_id", &id);
		con_dump(w, id.p, &d);
		CHECK(w->t,
		    json_is(&d.j, json_top(&d.j, "category"), con_words[i]) &&
			*d.state == 'N' &&
			atol(d.version) == json_long(&r, "version", -1) &&
			json_is(&d.j, json_top(&d.j, "tags 1"), "b/c"),
		    "%s: not so stored", name);
		buf_fmt(&ref, "op://AI/New %s/More/deep", name);
		want_secret(w, ref.p, "s3", "Concealed");
		con_want(w, (struct con_cost){ .items = 1, .item = 1 }, ref.p);
		buf_clear(&ref);
		buf_fmt(&ref, "op://AI/%s/plain", id.p);
		want_secret(w, ref.p, "p", "Text");
		buf_clear(&ref);
		buf_fmt(&ref, "op://AI/%s/notes", id.p);
		want_secret(w, ref.p, "n\n\xc3\xa9", "Notes");
		call_text(w, CREDENTIALS, "item_name", id.p, name);
		CHECK(w->t,
		    buf_has(&w->c.line, "made-user") &&
			buf_has(&w->c.line, "made-pw-"),
		    "%s: username or password", name);
		standin_do(&w->s, "reset");
	}
	buf_free(&args);
	buf_free(&ref);
	buf_free(&id);
	con_dump_free(&d);
	json_free(&r);
}

static void
t_con_create(struct t *t)
{
	struct world w;
	struct den d;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_write_start(&w, t, &d, con_modes[m]))
			return;
		for (i = 0; i < LEN(makes); i++)
			con_create_row(&w, i);
		call(&w, CREATE,
		    "{\"title\":\"Web\",\"website\":\"https://x.example/?a&b\","
		    "\"generate\":\"words,5\"}",
		    "website");
		CHECK(t, client_ok(&w.c), "website: %s", client_seen(&w.c));
		call_text(&w, "list_items", "query", "x.example", "website");
		CHECK(t, buf_has(&w.c.line, "\"Web\\\""), "website: not found");
		con_write_close(&w, &d);
	}
}

/* Changes of one item, one after the other; where in the item the new text
 * stands (a path), or what in it; whether values that are there are all that
 * changes, so that a PATCH can say it. */
static const struct con_change {
	const char *args, *path, *value;
	bool part;
} con_changes[] = {
	{ "\"title\":\"Marker \\u00fc\"", "title", "Marker \xc3\xbc", true },
	{ "\"username\":\"u\\\"2\"", "fields 0 value", "u\"2", true },
	{ "\"password\":\"p\\\\w \xf0\x9f\x9a\x80\"", "fields 1 value",
	    "p\\w \xf0\x9f\x9a\x80", true },
	{ "\"notes\":\"one\\n<&>\"", "fields 2 value", "one\n<&>", false },
	{ "\"notes\":\"two\",\"title\":\"Marker \\u00fc\",\"username\":"
	  "\"u3\"", "fields 2 value", "two", true },
	{ "\"notes\":\"\"", "fields 2 value", NULL, true },
	{ "\"tags\":[\"x\",\"y/z\"]", "tags 1", "y/z", false },
	{ "\"tags\":[]", "tags", NULL, false },
	{ "\"website\":\"https://one.example\"", "urls 0 href",
	    "https://one.example", false },
	{ "\"website\":\"https://two.example\"", "urls 0 href",
	    "https://two.example", false },
	{ "\"fields\":[{\"label\":\"f\",\"value\":\"1\",\"section\":\"S\"}]",
	    "fields 3 value", "1", false },
	{ "\"fields\":[{\"label\":\"f\",\"value\":\"2\",\"section\":\"S\"}]",
	    "fields 3 value", "2", true },
	{ "\"fields\":[{\"label\":\"g\",\"value\":\"3\",\"section\":\"s\"}]",
	    "fields 4 value", "3", false },
	{ "\"fields\":[{\"label\":\"day\",\"value\":\"2024-02-29\",\"kind\":"
	  "\"Date\",\"section\":\"S\"}]",
	    "fields 5 type", "DATE", false },
	{ "\"fields\":[{\"label\":\"day\",\"value\":\"1999-12-31\"}]",
	    "fields 5 type", "DATE", true },
	{ "\"fields\":[{\"label\":\"month\",\"value\":\"02/2024\",\"kind\":"
	  "\"MonthYear\",\"section\":\"S\"}]",
	    "fields 6 value", "202402", false },
	{ "\"fields\":[{\"label\":\"code\",\"value\":\"JBSWY3DPEHPK3PXP\","
	  "\"kind\":\"Totp\",\"section\":\"S\"}]",
	    "fields 7 type", "OTP", false },
	{ "\"fields\":[{\"label\":\"link\",\"value\":\"https://l.example\","
	  "\"kind\":\"Url\",\"section\":\"S\"},{\"label\":\"mail\",\"value\":"
	  "\"a@b.example\",\"kind\":\"Email\",\"section\":\"S\"},{\"label\":"
	  "\"menu\",\"value\":\"m\",\"kind\":\"Menu\",\"section\":\"S\"}]",
	    "fields 10 type", "MENU", false },
};

static void
t_con_update(struct t *t)
{
	struct con_dump d = { 0 };
	struct buf args = { 0 }, was = { 0 };
	struct json r = { 0 };
	struct world w;
	struct den den;
	const char *id;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_write_start(&w, t, &den, con_modes[m]))
			return;
		id = find(&w, "AI", "Marker")->id;
		for (i = 0; i < LEN(con_changes); i++) {
			const struct con_change *c = &con_changes[i];
			int at;

			buf_clear(&args);
			buf_fmt(&args, "{\"item\":\"%s\",%s}", id, c->args);
			if (!want_done(&w, UPDATE, args.p, &r, c->args) ||
			    !con_dump(&w, id, &d))
				continue;
			want_count(&w, "con_put", !c->part, c->args);
			want_count(&w, "con_patch", c->part, c->args);
			want_count(&w, "con_item", 1, c->args);
			standin_do(&w.s, "reset");
			at = json_top(&d.j, c->path);
			CHECK(t,
			    c->value ? json_is(&d.j, at, c->value) :
				       json_len(&d.j, at) <= 0,
			    "%s: not so stored", c->args);
			CHECK_INT(t, (long)i + 2, atol(d.version), "version");
			CHECK_INT(t, (long)i + 2, json_long(&r, "version", 0),
			    "version in the answer");
		}
		want_secret(&w, "op://AI/Marker \xc3\xbc/day", "1999-12-31",
		    "Date");
		want_secret(&w, "op://AI/Marker \xc3\xbc/S/month", "02/2024",
		    "MonthYear");
		CHECK_INT(t, 1, json_len(&d.j, json_top(&d.j, "sections")),
		    "sections");
		/* A generated password is stored and not told. */
		member_text(&d.j, "fields 1 value", &was);
		buf_clear(&args);
		buf_fmt(&args, "{\"item\":\"%s\",\"generate\":\"24\"}", id);
		want_done(&w, UPDATE, args.p, &r, "generate");
		CHECK_INT(t, 24, json_long(&r, "generated length", 0),
		    "length");
		con_dump(&w, id, &d);
		CHECK(t,
		    !json_is(&d.j, json_top(&d.j, "fields 1 value"), was.p),
		    "generate: the password is the old one");
		member_text(&d.j, "fields 1 value", &was);
		CHECK(t, was.n == 24 && !buf_has(&w.c.line, was.p),
		    "generate: not stored, or told");
		con_write_close(&w, &den);
	}
	con_dump_free(&d);
	buf_free(&args);
	buf_free(&was);
	json_free(&r);
}

/* What somebody else changes between our reading and our PATCH stays; a server
 * that does not know PATCH gets the whole item. */
static void
t_con_part(struct t *t)
{
	struct con_dump d = { 0 };
	struct buf args = { 0 };
	struct world w;
	struct den den;
	const char *id;
	size_t m;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_write_start(&w, t, &den, con_modes[m]))
			return;
		id = find(&w, "AI", "Marker")->id;
		standin_do(&w.s, "fault con_patch concurrent x1");
		buf_clear(&args);
		buf_fmt(&args, "{\"item\":\"%s\",\"username\":\"p1\"}", id);
		want_done(&w, UPDATE, args.p, NULL, "meanwhile");
		CHECK(t, con_dump(&w, id, &d) && strstr(d.text, "\"p1\"") &&
		    strstr(d.text, "\"meanwhile\""),
		    "the other's change is gone, or ours");
		standin_do(&w.s, "fault con_patch status 405");
		standin_do(&w.s, "reset");
		buf_clear(&args);
		buf_fmt(&args, "{\"item\":\"%s\",\"username\":\"p2\"}", id);
		want_done(&w, UPDATE, args.p, NULL, "no PATCH");
		con_want(&w, (struct con_cost){ .item = 1, .patch = 1,
		    .put = 1 }, "no PATCH");
		CHECK(t, con_dump(&w, id, &d) && strstr(d.text, "\"p2\""),
		    "not stored");
		standin_do(&w.s, "clear");
		con_write_close(&w, &den);
	}
	con_dump_free(&d);
	buf_free(&args);
}

/* An item with all that opmcp does not know. */
#define CON_KEEP                                                            \
	"{\"category\":\"LOGIN\",\"title\":\"Keep\",\"favorite\":true,"     \
	"\"tags\":[\"t1\"],\"urls\":[{\"label\":\"website\",\"primary\":"   \
	"true,\"href\":\"https://k.example\",\"autofill\":\"never\"},"      \
	"{\"href\":\"https://l.example\"}],\"passkey\":{\"rpId\":"          \
	"\"k.example\",\"keys\":[1,2.50,1e-7,null,true]},\"future\":"       \
	"[[],{},\"\\u00e9\\ud83d\\ude80\"],\"sections\":[{\"id\":\"s1\","   \
	"\"label\":\"One\",\"more\":{\"x\":1}},{\"id\":\"s2\"}],"           \
	"\"fields\":[{\"id\":\"username\",\"type\":\"STRING\",\"purpose\":" \
	"\"USERNAME\",\"label\":\"username\",\"value\":\"k\",\"hint\":"     \
	"\"h\"},{\"id\":\"password\",\"type\":\"CONCEALED\",\"purpose\":"   \
	"\"PASSWORD\",\"label\":\"password\",\"value\":\"keep-pw-1\","      \
	"\"entropy\":12.25,\"history\":[\"old\"]},{\"id\":\"odd\","         \
	"\"type\":\"UNKNOWN\",\"label\":\"odd\",\"section\":{\"id\":"       \
	"\"s1\"}},{\"id\":\"c\",\"type\":\"STRING\",\"label\":\"c\","       \
	"\"value\":\"v\",\"section\":{\"id\":\"s1\",\"label\":\"One\"},"    \
	"\"extra\":[0]},{\"id\":\"notesPlain\",\"type\":\"STRING\","        \
	"\"purpose\":\"NOTES\",\"label\":\"notesPlain\"}]}"

/* What the stand-in, as a server, takes from nobody. */
#define CON_DROPS "passkey|future|"

/* Every member of a that is not in "|"-separated skip is the same in b. */
static void
con_kept(struct world *w, const struct json *a, int x, const struct json *b,
    int y, const char *skip, const char *what)
{
	struct buf name = { 0 };
	int i, k;

	for (i = 0, k = x + 1; i < json_len(a, x); i++) {
		buf_clear(&name);
		json_text(a, k, &name);
		CHECK(w->t,
		    word_in(skip, name.p, name.n) ||
			json_same(a, k + 1, b, json_get(b, y, name.p)),
		    "%s: %s has changed", what, name.p);
		k = json_next(a, k + 1);
	}
	buf_free(&name);
}

static void
con_keep_row(struct world *w, const char *id, const char *args, int field)
{
	struct con_dump a = { 0 }, b = { 0 };
	struct buf text = { 0 };
	int i, x, y, n;

	con_dump(w, id, &a);
	buf_fmt(&text, "{\"item\":\"%s\",%s}", id, args);
	want_done(w, UPDATE, text.p, NULL, args);
	con_dump(w, id, &b);
	con_kept(w, &a.j, 0, &b.j, 0,
	    field < 0 ? CON_DROPS "title|version|updatedAt|lastEditedBy" :
			CON_DROPS "fields|version|updatedAt|lastEditedBy",
	    args);
	x = json_top(&a.j, "fields");
	y = json_top(&b.j, "fields");
	n = json_len(&a.j, x);
	CHECK_INT(w->t, n, json_len(&b.j, y), "number of fields");
	for (i = 0; i < n; i++)
		con_kept(w, &a.j, json_item(&a.j, x, i), &b.j,
		    json_item(&b.j, y, i), i == field ? "value|entropy" : "",
		    args);
	con_dump_free(&a);
	con_dump_free(&b);
	buf_free(&text);
}

static void
t_con_keep(struct t *t)
{
	struct world w;
	struct den d;
	const char *files;
	char id[27];
	size_t m;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_write_start(&w, t, &d, con_modes[m]))
			return;
		*id = 0;
		if (CHECK(t, standin_do(&w.s, "conput AI %s", CON_KEEP),
			"conput"))
			snprintf(id, sizeof(id), "%s", w.s.line.p);
		con_keep_row(&w, id, "\"title\":\"Kept\"", -1);
		con_keep_row(&w, id, "\"password\":\"keep-pw-2\"", 1);
		con_keep_row(&w, id,
		    "\"fields\":[{\"label\":\"c\",\"value\":\"w\"}]", 3);
		files = find(&w, "AI", "With attachments")->id;
		con_keep_row(&w, files, "\"title\":\"Still with them\"", -1);
		want_secret(&w, "op://AI/Still with them/readme.txt",
		    "attached text\n", "File");
		con_keep_row(&w, find(&w, "AI", "TLS bundle")->id,
		    "\"title\":\"Bundle\"", -1);
		con_keep_row(&w, find(&w, "AI", "All field kinds")->id,
		    "\"title\":\"Kinds\"", -1);
		con_write_close(&w, &d);
	}
}

/* Deleting needs the title; archiving there is none; what the categories and
 * kinds of Connect do not have is refused. */
static void
t_con_delete(struct t *t)
{
	static const struct {
		const char *tool, *args, *word, *says;
		long put;
	} bad[] = {
		{ ARCHIVE, "{\"item\":\"Marker\"}", "edit_refused", "archive",
		    0 },
		{ DELETE, "{\"item\":\"Marker\"}", "invalid_argument", "title",
		    0 },
		{ DELETE, "{\"item\":\"Marker\",\"title\":\"marker\"}",
		    "invalid_argument", "title", 0 },
		{ DELETE, "{\"item\":\"Nobody\",\"title\":\"Nobody\"}",
		    "item_not_found", "No item", 0 },
		{ UPDATE,
		    "{\"item\":\"Marker\",\"fields\":[{\"label\":\"p\","
		    "\"value\":\"+1 555\",\"kind\":\"Phone\"}]}",
		    "edit_refused", "", 1 },
		{ UPDATE,
		    "{\"item\":\"GitHub\",\"fields\":[{\"label\":"
		    "\"expires\",\"value\":\"2024-02-30\"}]}",
		    "edit_refused", "", 0 },
		{ UPDATE, "{\"item\":\"Marker\"}", "invalid_argument", "", 0 },
	};
	struct con_dump d = { 0 };
	struct world w;
	struct den den;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_write_start(&w, t, &den, con_modes[m]))
			return;
		for (i = 0; i < LEN(bad); i++) {
			call(&w, bad[i].tool, bad[i].args, bad[i].args);
			want_word(&w, bad[i].word, bad[i].args);
			CHECK(t, error_says(&w, bad[i].says), "%s: seen %s",
			    bad[i].args, client_seen(&w.c));
			want_count(&w, "con_delete", 0, bad[i].args);
			/* Where nothing need be sent, nothing is. */
			if (!bad[i].put)
				want_count(&w, "con_put", 0, bad[i].args);
			standin_do(&w.s, "reset");
		}
		con_dump(&w, "Marker", &d);
		CHECK(t, atol(d.version) == 1 && *d.state == 'N',
		    "changed by what was refused");
		want_done(&w, DELETE,
		    "{\"item\":\"Marker\",\"title\":\"Marker\"}", NULL,
		    "delete");
		want_count(&w, "con_delete", 1, "delete");
		con_dump(&w, "Marker", &d);
		CHECK(t, *d.state == 'D', "not deleted");
		get_word(&w, "Marker", NULL, "item_not_found", "deleted");
		get_word(&w, find(&w, "AI", "Marker")->id, NULL,
		    "item_not_found", "deleted, by id");
		get_usual(&w, "the others");
		con_write_close(&w, &den);
	}
	con_dump_free(&d);
}

/* Several items written in a row, none of which shows yet. */
static void
con_lag_many(struct world *w)
{
	static const char *const titles[] = { "Late A", "Late B", "Late C" };
	struct buf args = { 0 };
	size_t i;

	standin_do(&w->s, "lag 3");
	for (i = 0; i < LEN(titles); i++) {
		buf_clear(&args);
		buf_fmt(&args, "{\"title\":\"%s\",\"password\":\"p-%zu\"}",
		    titles[i], i);
		want_done(w, CREATE, args.p, NULL, "create");
	}
	for (i = 0; i < LEN(titles); i++) {
		call_text(w, "get_item", "item", titles[i], "by title");
		CHECK(w->t, client_ok(&w->c), "%s: seen %s", titles[i],
		    client_seen(&w->c));
	}
	for (i = 0; i < LEN(titles); i++) {
		buf_clear(&args);
		buf_fmt(&args, "{\"item\":\"%s\",\"title\":\"%s\"}",
		    titles[i], titles[i]);
		want_done(w, DELETE, args.p, NULL, "delete");
	}
	want_done(w, "list_items", "{\"query\":\"late\"}", NULL, "list");
	CHECK(w->t, !buf_has(&w->c.line, "Late"), "deleted, but listed: %s",
	    client_seen(&w->c));
	standin_do(&w->s, "lag 0");
	buf_free(&args);
}

/* Reads lag behind writes. */
static void
t_con_lag(struct t *t)
{
	struct json r = { 0 };
	struct buf id = { 0 }, args = { 0 };
	struct con_dump d = { 0 };
	struct world w;
	struct den den;
	size_t m;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_write_start(&w, t, &den, con_modes[m]))
			return;
		standin_do(&w.s, "lag 2");
		want_done(&w, CREATE,
		    "{\"title\":\"Late\",\"password\":\"late-1\"}", &r,
		    "create");
		member_text(&r, "item_id", &id);
		call_text(&w, "get_item", "item", "Late", "by title");
		CHECK(t, client_ok(&w.c), "by title at once: seen %s",
		    client_seen(&w.c));
		buf_clear(&args);
		buf_fmt(&args, "{\"item\":\"%s\",\"password\":\"late-2\"}",
		    id.p);
		want_done(&w, UPDATE, args.p, &r, "update at once");
		CHECK_INT(t, 2, json_long(&r, "version", 0), "version");
		buf_clear(&args);
		buf_fmt(&args, "op://AI/%s/password", id.p);
		want_secret(&w, args.p, "late-2", "Concealed");
		buf_clear(&args);
		buf_fmt(&args, "{\"item\":\"%s\",\"notes\":\"n\"}", id.p);
		want_done(&w, UPDATE, args.p, &r, "a second update");
		CHECK_INT(t, 3, json_long(&r, "version", 0), "version");
		con_dump(&w, id.p, &d);
		CHECK(t,
		    json_is(&d.j, json_top(&d.j, "fields 1 value"), "late-2"),
		    "the second update took back the first");
		want_done(&w, UPDATE, "{\"item\":\"Late\",\"title\":\"Later\"}",
		    &r, "a new title");
		call_text(&w, "get_item", "item", "Later", "by new title");
		CHECK(t, client_ok(&w.c), "by new title at once: seen %s",
		    client_seen(&w.c));
		buf_clear(&args);
		buf_fmt(&args, "{\"item\":\"%s\",\"title\":\"Later\"}", id.p);
		want_done(&w, DELETE, args.p, NULL, "delete at once");
		get_word(&w, id.p, NULL, "item_not_found", "deleted, by id");
		get_word(&w, "Later", NULL, "item_not_found", "deleted");
		con_lag_many(&w);
		con_write_close(&w, &den);
	}
	json_free(&r);
	buf_free(&id);
	buf_free(&args);
	con_dump_free(&d);
}

/* As many items written at once as are remembered, the first of them again,
 * and then some more: none is taken back by what is read late. */
static void
t_con_lag_more(struct t *t)
{
	static const char twin[] = "{\"title\":\"Twin\",\"username\":\"a\"}";
	struct buf args = { 0 }, id = { 0 };
	struct json r = { 0 };
	struct world w;
	struct den den;
	long i;

	if (!con_write_start(&w, t, &den, con_modes[0]))
		return;
	standin_do(&w.s, "lag 3");
	for (i = 0; i < 30; i++) {
		buf_clear(&args);
		buf_fmt(&args, "{\"title\":\"More %ld\",\"username\":\"a\","
		    "\"password\":\"p\"}", i);
		want_done(&w, CREATE, args.p, &r, "create");
		if (i == 0)
			member_text(&r, "item_id", &id);
	}
	buf_clear(&args);
	buf_fmt(&args, "{\"item\":\"%s\",\"username\":\"confirmed\"}", id.p);
	want_done(&w, UPDATE, args.p, NULL, "its name");
	for (i = 0; i < 3; i++)
		want_done(&w, CREATE, "{\"title\":\"Another\"}", NULL, "more");
	buf_clear(&args);
	buf_fmt(&args, "{\"item\":\"%s\",\"tags\":[\"t\"]}", id.p);
	want_done(&w, UPDATE, args.p, NULL, "its tags");
	buf_clear(&args);
	buf_fmt(&args, "op://AI/%s/username", id.p);
	want_secret(&w, args.p, "confirmed", "Text");
	/* an answer is lost, and the change shows late */
	standin_do(&w.s, "lag 5");
	standin_do(&w.s, "fault con_put lost x1");
	buf_clear(&args);
	buf_fmt(&args, "{\"item\":\"%s\",\"tags\":[\"u\"]}", id.p);
	want_done(&w, UPDATE, args.p, NULL, "lost and late");
	standin_do(&w.s, "fault con_create lost x1");
	want_done(&w, CREATE, twin, NULL, "new, lost and late");
	/* somebody else was faster: our change is the version after theirs */
	standin_do(&w.s, "lag 3");
	standin_do(&w.s, "fault con_patch concurrent x1");
	buf_clear(&args);
	buf_fmt(&args, "{\"item\":\"%s\",\"username\":\"last\"}", id.p);
	want_done(&w, UPDATE, args.p, NULL, "after somebody else");
	buf_clear(&args);
	buf_fmt(&args, "op://AI/%s/username", id.p);
	want_secret(&w, args.p, "last", "Text");
	/* a proxy without its server says 404 to everything */
	standin_do(&w.s, "fault con_delete status 502 x1");
	standin_do(&w.s, "fault con_item status 404 @2");
	standin_do(&w.s, "fault con_vault status 404");
	buf_clear(&args);
	buf_fmt(&args, "{\"item\":\"%s\",\"title\":\"More 0\"}", id.p);
	call(&w, DELETE, args.p, "a proxy");
	want_word(&w, "write_unconfirmed", "a proxy");
	standin_do(&w.s, "clear");
	/* what we made before is not taken for what was not made */
	standin_do(&w.s, "fault con_create status 500 x1");
	call(&w, CREATE, twin, "not made");
	want_word(&w, "write_unconfirmed", "not made");
	con_write_close(&w, &den);
	json_free(&r);
	buf_free(&args);
	buf_free(&id);
}

/* A write that is refused or whose answer is lost; done says whether it was
 * carried out nevertheless. */
#define WHOLE "\"item\":\"Marker\",\"tags\":[\"a\"]"
#define PART "\"item\":\"Marker\""
static const struct con_spoil {
	const char *fault, *tool, *args, *word;
	bool done;
} con_spoils[] = {
	{ "con_delete status 409 x1", DELETE,
	    "\"item\":\"Marker\",\"title\":\"Marker\"", "conflict", false },
	{ "con_create status 409 x1", CREATE, "\"title\":\"C1\"", "conflict",
	    false },
	{ "con_put status 409 x1", UPDATE, WHOLE, "conflict", false },
	{ "con_put status 403 x1", UPDATE, WHOLE, "access_denied", false },
	{ "con_put status 406 x1", UPDATE, WHOLE, "edit_refused", false },
	{ "con_put status 422 x1", UPDATE, WHOLE, "edit_refused", false },
	{ "con_put redirect x1", UPDATE, WHOLE,
	    "service_error|write_unconfirmed", false },
	{ "con_put lost x1", UPDATE, WHOLE, NULL, true },
	{ "con_put body null x1", UPDATE, WHOLE, NULL, true },
	{ "con_put html x1", UPDATE, WHOLE, NULL, true },
	{ "con_patch status 409 x1", UPDATE, PART, "conflict", false },
	{ "con_patch status 403 x1", UPDATE, PART, "access_denied", false },
	{ "con_patch status 406 x1", UPDATE, PART, "edit_refused", false },
	{ "con_patch status 422 x1", UPDATE, PART, "edit_refused", false },
	{ "con_patch redirect x1", UPDATE, PART,
	    "service_error|write_unconfirmed", false },
	{ "con_patch lost x1", UPDATE, PART, NULL, true },
	{ "con_patch body null x1", UPDATE, PART, NULL, true },
	{ "con_patch html x1", UPDATE, PART, NULL, true },
	{ "con_create lost x1", CREATE, "\"title\":\"C2\"", NULL, true },
	{ "con_create body [] x1", CREATE, "\"title\":\"C3\"", NULL, true },
	{ "con_create status 500 x1", CREATE, "\"title\":\"C4\"",
	    "write_unconfirmed", false },
	{ "con_patch wronguuid x1", UPDATE, PART, NULL, true },
	{ "con_put wronguuid x1", UPDATE, WHOLE, NULL, true },
	/* a status that says it, and a server that has not done it */
	{ "con_delete status 200 x1", DELETE,
	    "\"item\":\"Marker\",\"title\":\"Marker\"",
	    "write_unconfirmed", false },
	{ "con_delete lost x1", DELETE,
	    "\"item\":\"Marker\",\"title\":\"Marker\"", NULL, true },
};

static void
t_con_spoil(struct t *t)
{
	struct buf args = { 0 };
	struct world w;
	struct den den;
	size_t m, i;
	long writes;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_write_start(&w, t, &den, con_modes[m]))
			return;
		for (i = 0; i < LEN(con_spoils); i++) {
			const struct con_spoil *s = &con_spoils[i];

			buf_clear(&args);
			buf_fmt(&args, "{%s", s->args);
			if (strcmp(s->tool, DELETE) != 0)
				buf_fmt(&args, ",\"username\":\"u-%zu\"", i);
			buf_str(&args, "}");
			standin_do(&w.s, "reset");
			if (!CHECK(t, standin_do(&w.s, "fault %s", s->fault),
				"fault %s", s->fault))
				continue;
			call(&w, s->tool, args.p, s->fault);
			if (s->word)
				want_word(&w, s->word, s->fault);
			else
				CHECK(t, client_ok(&w.c) &&
				    !buf_has(&w.c.line, "zzzz"),
				    "%s: seen %s", s->fault,
				    client_seen(&w.c));
			writes = standin_count(&w.s, "writes");
			CHECK(t, writes == s->done, "%s: %ld writes", s->fault,
			    writes);
			/* Never sent twice. */
			CHECK_INT(t, 1,
			    standin_count(&w.s, "con_put") +
				standin_count(&w.s, "con_patch") +
				standin_count(&w.s, "con_create") +
				standin_count(&w.s, "con_delete"),
			    s->fault);
			standin_do(&w.s, "clear");
			get_usual(&w, s->fault);
		}
		con_write_close(&w, &den);
	}
	buf_free(&args);
}

/* Without a right: the error is about a right, whatever the status, and does
 * no harm to what comes after. */
static void
t_con_rights(struct t *t)
{
	static const struct {
		const char *tool, *args;
	} v[] = { { UPDATE, "{\"item\":\"Marker\",\"username\":\"u\"}" },
		{ CREATE, "{\"title\":\"q\"}" },
		{ DELETE, "{\"item\":\"Marker\",\"title\":\"Marker\"}" } };
	static const int status[] = { 401, 403 };
	struct world w;
	struct den d;
	size_t m, k, i;

	for (m = 0; m < 2 * LEN(con_modes); m++) {
		k = m / 2;
		if (!con_write_start(&w, t, &d, con_modes[m % 2]))
			return;
		standin_do(&w.s, "connect rights %d", status[k]);
		CHECK(t, standin_do(&w.s, "acl AI 48"), "acl");
		for (i = 0; i < LEN(v); i++) {
			call(&w, v[i].tool, v[i].args, v[i].tool);
			want_word(&w, "access_denied", v[i].tool);
			get_usual(&w, "after a refused change");
		}
		want_count(&w, "writes", 0, "no right");
		standin_do(&w.s, "acl AI 0");
		get_word(&w, ITEM, NULL, "access_denied|vault_not_allowed",
		    "not in scope");
		call(&w, "list_items", "{\"query\":\"x\"}", "not in scope");
		want_word(&w, "access_denied|vault_not_allowed",
		    "list, not in scope");
		standin_do(&w.s, "acl AI 1008");
		for (i = 0; i < LEN(v); i++)
			want_done(&w, v[i].tool, v[i].args, NULL, v[i].tool);
		get_usual(&w, "all rights");
		con_write_close(&w, &d);
	}
}

/* ====================================================================
 * 6. Hostile answers
 *
 * A 200 with any body must be an error that says so, or be of no effect; the
 * next call with the right answer works. "@" is the id of GitHub, "#" of AI,
 * "~" of Marker, "^" of the vault Ops; "*N" N opening brackets.
 * ==================================================================== */

#define CON_BAD "bad_answer|too_large|service_error"

static const struct con_hostile {
	const char *step, *body, *words; /* words NULL: nothing is said */
} con_hostiles[] = {
	{ "con_vaults", "<!DOCTYPE html><p>Sign in", CON_BAD },
	{ "con_vaults", "null", CON_BAD },
	{ "con_vaults", "{}", CON_BAD },
	{ "con_vaults", "{\"status\":200,\"message\":\"x\"}", CON_BAD },
	{ "con_vaults", "[]", "vault_not_allowed" },
	{ "con_vaults", "[null]", CON_BAD },
	{ "con_vaults", "[{}]", CON_BAD },
	{ "con_vaults", "[1,\"x\"]", CON_BAD },
	{ "con_vaults", "[{\"id\":\"..\",\"name\":\"AI\"}]", CON_BAD },
	{ "con_vaults",
	    "[{\"id\":\"../../../v1/vaults/aaaaaaa\",\"name\":"
	    "\"AI\"}]",
	    CON_BAD },
	{ "con_vaults", "[{\"id\":\"@@\",\"name\":\"AI\"}]", CON_BAD },
	{ "con_vaults", "[{\"id\":\"#\",\"id\":\"^\",\"name\":\"AI\"}]",
	    CON_BAD },
	{ "con_vaults", "[{\"id\":\"#\",\"name\":null}]",
	    "vault_not_allowed" },
	{ "con_vaults",
	    "[{\"id\":\"#\",\"name\":\"AI\"},{\"id\":\"^\","
	    "\"name\":\"AI\"}]",
	    "vault_ambiguous" },
	{ "con_vaults", "[{\"id\":\"#\",\"name\":\"AI\"}] x", CON_BAD },
	{ "con_vaults", "[{\"id\":\"#\",\"name\":\"AI\"}", CON_BAD },
	{ "con_vaults", "*100", CON_BAD },
	{ "con_vaults", "*20000", CON_BAD },
	{ "con_items", "<html>", CON_BAD },
	{ "con_items", "null", CON_BAD },
	{ "con_items", "{}", CON_BAD },
	{ "con_items", "{\"items\":[]}", CON_BAD },
	{ "con_items", "[]", "item_not_found" },
	{ "con_items", "[null]", CON_BAD },
	{ "con_items", "[[]]", CON_BAD },
	{ "con_items", "[{\"title\":\"GitHub\"}]", CON_BAD },
	{ "con_items",
	    "[{\"id\":\"@\",\"title\":\"GitHub\",\"vault\":{\"id\":"
	    "\"^\"}}]",
	    CON_BAD },
	{ "con_items",
	    "[{\"id\":\"../@\",\"title\":\"GitHub\",\"vault\":"
	    "{\"id\":\"#\"}}]",
	    CON_BAD },
	{ "con_items",
	    "[{\"id\":\"@\",\"title\":\"GitHub\",\"title\":\"x\","
	    "\"vault\":{\"id\":\"#\"}}]",
	    CON_BAD },
	{ "con_items", "[{\"id\":\"@\",\"title\":7,\"vault\":{\"id\":\"#\"}}]",
	    "item_not_found|" CON_BAD },
	{ "con_items", "*100", CON_BAD },
	{ "con_item", "<html>", CON_BAD },
	{ "con_item", "null", CON_BAD },
	{ "con_item", "{}", CON_BAD },
	{ "con_item", "[]", CON_BAD },
	{ "con_item", "\"x\"", CON_BAD },
	/* tags forbid: what cannot be read may be one that does */
	{ "con_item",
	    "{\"id\":\"@\",\"title\":\"GitHub\",\"vault\":{\"id\":"
	    "\"#\"},\"tags\":\"ai:deny\"}",
	    CON_BAD },
	{ "con_item",
	    "{\"id\":\"@\",\"title\":\"GitHub\",\"vault\":{\"id\":"
	    "\"#\"},\"tags\":[{\"a\":\"ai:deny\"}]}",
	    CON_BAD },
	{ "con_item",
	    "{\"id\":\"~\",\"title\":\"GitHub\",\"vault\":{\"id\":"
	    "\"#\"},\"category\":\"LOGIN\"}",
	    CON_BAD },
	{ "con_item",
	    "{\"id\":\"@\",\"title\":\"GitHub\",\"vault\":{\"id\":"
	    "\"^\"},\"category\":\"LOGIN\"}",
	    CON_BAD },
	{ "con_item", "{\"id\":\"@\",\"id\":\"@\",\"vault\":{\"id\":\"#\"}}",
	    CON_BAD },
	{ "con_item", "{\"id\":\"@\",\"vault\":{\"id\":\"#\"},\"x\":*100",
	    CON_BAD },
	{ "con_item",
	    "{\"id\":\"@\",\"title\":\"GitHub\",\"vault\":{\"id\":"
	    "\"#\"},\"category\":\"LOGIN\",\"fields\":[null,1,[],{},"
	    "{\"id\":null,\"value\":{}},{\"section\":7}],\"sections\""
	    ":{\"a\":[]},\"files\":[null,{}],\"tags\":[\"x\"],\"urls\":"
	    "[null,{\"href\":null}]}",
	    NULL },
	{ "con_item",
	    "{\"id\":\"@\",\"title\":\"GitHub\",\"vault\":{\"id\":"
	    "\"#\"},\"category\":\"NEW\",\"fields\":null,"
	    "\"sections\":null,\"files\":null,\"tags\":null}",
	    NULL },
};

/* Puts the ids of the world into a body, and its brackets. */
static void
con_body(struct world *w, const char *text, struct buf *b)
{
	buf_clear(b);
	for (; *text; text++) {
		long n = 0;

		if (*text == '@')
			buf_str(b, find(w, "AI", ITEM)->id);
		else if (*text == '#')
			buf_str(b, find(w, "AI", ITEM)->vault_id);
		else if (*text == '~')
			buf_str(b, find(w, "AI", "Marker")->id);
		else if (*text == '^')
			buf_str(b, find(w, "Ops", ITEM)->vault_id);
		else if (*text == '*' && isdigit((unsigned char)text[1]))
			n = strtol(text + 1, (char **)(uintptr_t)&text, 10);
		else
			buf_add(b, text, 1);
		if (n) {
			text--;
			while (n-- > 0)
				buf_str(b, "[");
		}
	}
}

static void
t_con_hostile(struct t *t)
{
	struct buf b = { 0 };
	struct world w;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], NULL))
			return;
		for (i = 0; i < LEN(con_hostiles); i++) {
			const struct con_hostile *h = &con_hostiles[i];

			world_serve(&w, LEGACY_NEW);
			con_body(&w, h->body, &b);
			CHECK(t,
			    standin_do(&w.s, "conbody %s %s", h->step, b.p),
			    "conbody");
			get(&w, ITEM, NULL, h->body);
			if (h->words)
				want_word(&w, h->words, h->body);
			want_ping(&w, h->body);
			CHECK(t, standin_do(&w.s, "conbody %s", h->step),
			    "conbody");
			/* An empty list stands until the next search. */
			if (h->words && strstr(h->words, "not_"))
				call(&w, "list_items", "{\"query\":\"x\"}",
				    "again");
			if (!strcmp(h->body, "[]") ||
			    (h->words && strstr(h->words, "ambig")) ||
			    strstr(h->body, ":7,"))
				world_leave(&w);
			else
				get_usual(&w, h->body);
			if (w.c.p.pid > 0)
				world_leave(&w);
		}
		con_close(&w);
	}
	buf_free(&b);
}

/* Large texts, the version of a vault, a file, and answers to changes. */
static void
t_con_hostile_more(struct t *t)
{
	struct buf b = { 0 };
	struct world w;
	struct den d;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_write_start(&w, t, &d, con_modes[m]))
			return;
		con_body(&w,
		    "{\"id\":\"@\",\"title\":\"GitHub\",\"vault\":"
		    "{\"id\":\"#\"},\"category\":\"LOGIN\",\"notes\":\"",
		    &b);
		for (i = 0; i < 6000; i++)
			buf_str(&b,
			    "0123456789012345678901234567890123456789"
			    "0123456789012345678901234567890123456789"
			    "01234567890123456789");
		buf_str(&b,
		    "\",\"fields\":[{\"id\":\"password\",\"purpose\":"
		    "\"PASSWORD\",\"value\":\"");
		for (i = 0; i < 2000; i++)
			buf_str(&b, "\\u0000\\ud83d\\ude80\\\"0123456789");
		buf_str(&b, "\"}]}");
		standin_do(&w.s, "conbody con_item %s", b.p);
		get(&w, ITEM, NULL, "huge texts");
		want_ping(&w, "huge texts");
		standin_do(&w.s, "conbody con_item");
		get_usual(&w, "after huge texts");
		con_body(&w, "{\"id\":\"@\",\"title\":\"GitHub\",\"vault\":{"
		    "\"id\":\"#\"},\"category\":\"LOGIN\",\"fields\":[{"
		    "\"id\":\"password\",\"purpose\":\"PASSWORD\",\"value\":"
		    "12345678},{\"id\":\"t\",\"type\":7,\"value\":\"v\"},{"
		    "\"id\":\"d\",\"type\":\"DATE\",\"value\":"
		    "\"253402257660\"},{\"id\":\"m\",\"type\":\"MONTH_YEAR\","
		    "\"value\":\"2024\"}]}", &b);
		standin_do(&w.s, "conbody con_item %s", b.p);
		read_ref(&w, "op://AI/GitHub/password");
		want_word(&w, "field_not_found", "a number");
		read_ref(&w, "op://AI/GitHub/t");
		want_word(&w, "field_unsupported", "a type that is none");
		want_secret(&w, "op://AI/GitHub/d", "253402257660", "Date");
		want_secret(&w, "op://AI/GitHub/m", "2024", "MonthYear");
		standin_do(&w.s, "conbody con_item");
		standin_do(&w.s, "conbody con_vault {\"id\":\"x\"}");
		call(&w, "list_items", "{\"query\":\"x\"}", "version");
		want_word(&w, CON_BAD, "version of another vault");
		standin_do(&w.s, "conbody con_vault null");
		call(&w, "list_items", "{\"query\":\"x\"}", "version");
		want_word(&w, CON_BAD, "no version");
		standin_do(&w.s, "conbody con_vault");
		want_done(&w, "list_items", "{\"query\":\"x\"}", NULL, "list");
		standin_do(&w.s, "conbody con_content another text");
		read_ref(&w, "op://AI/With attachments/readme.txt");
		want_word(&w, CON_BAD, "another file");
		standin_do(&w.s, "conbody con_content");
		want_secret(&w, "op://AI/With attachments/readme.txt",
		    "attached text\n", "File");
		standin_do(&w.s, "conbody con_create {\"id\":\"../x\"}");
		call(&w, CREATE, "{\"title\":\"H1\"}", "created");
		CHECK(t, client_ok(&w.c) && !buf_has(&w.c.line, "../x"),
		    "created, no id: seen %s", client_seen(&w.c));
		standin_do(&w.s, "conbody con_create");
		want_done(&w, CREATE, "{\"title\":\"H2\"}", NULL, "created");
		standin_do(&w.s, "conbody con_put <html>");
		want_done(&w, UPDATE,
		    "{\"item\":\"Marker\",\"username\":\"h\"}", NULL,
		    "changed, and seen so");
		standin_do(&w.s, "conbody con_put");
		get_usual(&w, "afterwards");
		con_write_close(&w, &d);
	}
	buf_free(&b);
}

/* In a big vault a title is looked up with the server's filter, and compared
 * again; what the filter cannot say, or does not find, is in the list. */
static const struct con_seek {
	const char *title, *ask;        /* ask NULL: the title */
	bool find;                      /* the filter can be asked for it */
} con_seeks[] = {
	{ "GitHub", NULL, true },
	{ "GitHub", "gITHUB", true },
	{ "a & b = c # d + e % 41?", NULL, true },
	{ "100%", NULL, true },
	{ "../../vaults", NULL, true },
	{ "' or title co 'x", NULL, true },
	{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x9a\x80", NULL, true },
	{ "say \\\"hello\\\"", NULL, false },
	{ "\\\" or title co \\\"", NULL, false },
	{ "back\\\\slash", NULL, false },
};

static const char *const con_big[] = { "--items", "250", NULL };

static void
t_con_find(struct t *t)
{
	char name[90], args[120];
	struct world w;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], con_big))
			return;
		for (i = 2; i < LEN(con_seeks); i++)
			CHECK(t, standin_do(&w.s, "conput AI {\"category\":"
			    "\"LOGIN\",\"title\":\"%s\",\"fields\":[{"
			    "\"id\":\"password\",\"purpose\":"
			    "\"PASSWORD\",\"value\":\"found-%zu\"}]}",
			    con_seeks[i].title, i), "conput");
		for (i = 0; i < LEN(con_seeks); i++) {
			const struct con_seek *s = &con_seeks[i];

			world_serve(&w, LEGACY_NEW);
			snprintf(args, sizeof(args), "{\"item_name\":\"%s\"}",
			    s->ask ? s->ask : s->title);
			snprintf(name, sizeof(name), "found-%zu", i);
			want_done(&w, CREDENTIALS, args, NULL, args);
			CHECK(t, i < 2 || buf_has(&w.c.line, name),
			    "%s: not its value", args);
			con_want(&w, (struct con_cost){ .vaults = 1,
			    .find = s->find, .items = !s->find, .item = 1 },
			    args);
			want_done(&w, CREDENTIALS, args, NULL, args);
			con_want(&w, (struct con_cost){ .item = 1 }, args);
			con_leave(&w);
		}
		world_close(&w);
	}
}

/* What the filter's answer is worth: the same in one run, call by call. */
static void
t_con_found(struct t *t)
{
	static const struct {
		const char *body, *title, *words;       /* words NULL: right */
		struct con_cost cost;
	} v[] = {
		/* remembered: the last answer, then the list */
		{ NULL, ITEM, NULL, { .find = 1, .item = 1 } },
		{ NULL, "Marker", NULL, { .find = 1, .item = 1 } },
		{ NULL, "Marker", NULL, { .item = 1 } },
		{ NULL, ITEM, NULL, { .find = 1, .item = 1 } },
		/* an answer that does not hold the title */
		{ "[]", "Marker", NULL, { .find = 1, .items = 1, .item = 1 } },
		{ "[]", ITEM, NULL, { .item = 1 } },
		{ NULL, "No such", "item_not_found",
		    { .find = 1, .version = 1 } },
		{ NULL, "Nor this", "item_not_found",
		    { .find = 1, .version = 1 } },
	};
	static const struct con_hostile bad[] = {
		{ "con_find", "<html>", CON_BAD },
		{ "con_find", "null", CON_BAD },
		{ "con_find", "{}", CON_BAD },
		{ "con_find", "[null]", CON_BAD },
		{ "con_find", "*100", CON_BAD },
		{ "con_find", "[{\"id\":\"../@\",\"title\":\"GitHub\"}]",
		    CON_BAD },
		{ "con_find", "[{\"id\":\"@\",\"title\":\"GitHub\","
		    "\"vault\":{\"id\":\"^\"}}]", CON_BAD },
		/* another item by this name, and one of another name */
		{ "con_find", "[{\"id\":\"~\",\"title\":\"GitHub\"}]",
		    "item_not_found" },
		{ "con_find", "[{\"id\":\"~\",\"title\":\"Marker\"}]",
		    NULL },
		{ "con_find", "[{\"id\":\"@\",\"title\":\"GitHub\"},"
		    "{\"id\":\"~\",\"title\":\"github\"}]",
		    "item_ambiguous" },
	};
	struct buf b = { 0 };
	struct world w;
	size_t m, i;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], con_big) ||
		    !world_serve(&w, LEGACY_NEW))
			return;
		call(&w, "list_vaults", "{}", "vaults");
		standin_do(&w.s, "reset");
		for (i = 0; i < LEN(v); i++) {
			standin_do(&w.s, v[i].body ? "conbody con_find %s" :
				"conbody con_find", v[i].body);
			get(&w, v[i].title, NULL, v[i].title);
			if (v[i].words)
				want_word(&w, v[i].words, v[i].title);
			else
				CHECK(t, client_ok(&w.c), "%s: seen %s",
				    v[i].title, client_seen(&w.c));
			con_want(&w, v[i].cost, v[i].title);
		}
		con_leave(&w);
		for (i = 0; i < LEN(bad); i++) {
			world_serve(&w, LEGACY_NEW);
			con_body(&w, bad[i].body, &b);
			standin_do(&w.s, "conbody con_find %s", b.p);
			get(&w, ITEM, NULL, b.p);
			if (bad[i].words)
				want_word(&w, bad[i].words, b.p);
			else
				CHECK(t, client_ok(&w.c), "%s: seen %s", b.p,
				    client_seen(&w.c));
			standin_do(&w.s, "conbody con_find");
			want_done(&w, "read_secret", "{\"reference\":"
			    "\"op://AI/Marker/password\"}", NULL, b.p);
			con_leave(&w);
		}
		world_close(&w);
	}
	buf_free(&b);
}

/* What is to be changed is looked up anew, however well the title is known;
 * and what was just written is found although the filter may not know it. */
static void
t_con_find_write(struct t *t)
{
	struct json r = { 0 };
	struct world w;
	size_t m;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_open(&w, t, con_modes[m], con_big))
			return;
		env_set(&w.env, "OPMCP_WRITE", "allow");
		world_serve(&w, LEGACY_NEW);
		get_usual(&w, "first");
		standin_do(&w.s, "reset");
		want_done(&w, UPDATE, "{\"item\":\"" ITEM "\",\"notes\":"
		    "\"n\"}", &r, "update");
		con_want(&w, (struct con_cost){ .find = 1, .item = 1,
		    .patch = 1 }, "update");
		standin_do(&w.s, "lag 2");
		want_done(&w, CREATE, "{\"title\":\"Brand new\",\"password\":"
		    "\"p\"}", &r, "create");
		call_text(&w, "get_item", "item", "Brand new", "at once");
		CHECK(t, client_ok(&w.c), "at once: seen %s",
		    client_seen(&w.c));
		want_count(&w, "con_find", 0, "what may lag");
		standin_do(&w.s, "lag 0");
		standin_do(&w.s, "conput AI {\"category\":\"LOGIN\","
		    "\"title\":\"Marker\"}");
		call(&w, UPDATE, "{\"item\":\"Marker\",\"notes\":\"n\"}",
		    "two of that title");
		want_word(&w, "item_ambiguous", "two of that title");
		con_close(&w);
	}
	json_free(&r);
}

/* A vault list that was wrong once: the next call that misses a vault, or is
 * refused one, reads it again. A code is the server's where it tells one. */
static void
t_con_again(struct t *t)
{
	struct buf b = { 0 };
	struct world w;
	size_t m;

	for (m = 0; m < LEN(con_modes); m++) {
		if (!con_start(&w, t, con_modes[m]))
			return;
		standin_do(&w.s, "conbody con_vaults {\"ok\":true}");
		get_word(&w, ITEM, NULL, "bad_answer", "no vault list");
		CHECK(t, error_says(&w, "OP_CONNECT_HOST"),
		    "no vault list: not said, seen %s", client_seen(&w.c));
		standin_do(&w.s, "conbody con_vaults []");
		get_word(&w, ITEM, NULL, "vault_not_allowed", "no vaults");
		standin_do(&w.s, "conbody con_vaults");
		get_usual(&w, "vaults again");
		standin_do(&w.s, "fault con_item status 403 x1");
		get_word(&w, ITEM, NULL, "access_denied", "403");
		standin_do(&w.s, "reset");
		get_usual(&w, "after 403");
		con_want(&w, (struct con_cost){ .vaults = 1, .item = 1 },
		    "after 403");
		con_body(&w, "{\"id\":\"@\",\"title\":\"GitHub\",\"vault\":{"
		    "\"id\":\"#\"},\"category\":\"LOGIN\",\"fields\":[{"
		    "\"id\":\"o\",\"type\":\"OTP\",\"value\":\"otpauth://steam/"
		    "x\",\"totp\":\"9QX2B\"},{\"id\":\"n\",\"type\":\"OTP\","
		    "\"value\":\"otpauth://steam/x\",\"totp\":\"no code\"}]}",
		    &b);
		standin_do(&w.s, "conbody con_item %s", b.p);
		want_secret(&w, "op://AI/GitHub/o?attribute=otp", "9QX2B",
		    "Totp");
		read_ref(&w, "op://AI/GitHub/n?attribute=otp");
		want_word(&w, "totp_invalid", "a code that is none");
		standin_do(&w.s, "conbody con_item");
		con_close(&w);
	}
	buf_free(&b);
}

/* Over Connect an answer is clear text: none of it stays in memory. */
static void
t_con_memory(struct t *t)
{
	struct world w;
	size_t m;

	for (m = 0; m < LEN(con_modes); m++) {
		pid_t keeper;

		if (!con_start(&w, t, con_modes[m]))
			return;
		want_secret(&w, "op://AI/Marker/password", MARKER,
		    "Concealed");
		want_ping(&w, "after the marker");
		keeper = pid_child(w.c.p.pid);
		/* what stays is seen, if memory can be read at all */
		if (memory_has(keeper, find(&w, "AI", ITEM)->vault_id))
			CHECK(t, memory_free_of(keeper, MARKER, 1000),
			    "the keeper keeps a password");
		con_close(&w);
	}
}

/* The rows of the table of cases. */
#define CON_CASES                                                             \
	{ "con_host", t_con_host, 0 }, { "con_refused", t_con_refused, 0 },   \
	    { "con_tokens", t_con_tokens, 0 }, { "con_both", t_con_both, 0 }, \
	    { "con_way", t_con_way, 0 }, { "con_cost", t_con_cost, 0 },       \
	    { "con_find", t_con_find, 0 },                                    \
	    { "con_found", t_con_found, 0 },                                  \
	    { "con_find_write", t_con_find_write, 0 },                        \
	    { "con_search", t_con_search, 0 },                                \
	    { "con_secrets", t_con_secrets, 0 },                              \
	    { "con_codes", t_con_codes, 0 },                                  \
	    { "con_credentials", t_con_credentials, 0 },                      \
	    { "con_hidden", t_con_hidden, 0 }, { "con_cli", t_con_cli, 0 },   \
	    { "con_resources", t_con_resources, 0 },                          \
	    { "con_rules", t_con_rules, 0 }, { "con_same", t_con_same, 0 },   \
	    { "con_create", t_con_create, 0 },                                \
	    { "con_update", t_con_update, 0 }, { "con_keep", t_con_keep, 0 }, \
	    { "con_part", t_con_part, 0 }, { "con_again", t_con_again, 0 },   \
	    { "con_delete", t_con_delete, 0 }, { "con_lag", t_con_lag, 0 },   \
	    { "con_lag_more", t_con_lag_more, 0 },                            \
	    { "con_memory", t_con_memory, 0 },                                \
	    { "con_spoil", t_con_spoil, 0 },                                  \
	    { "con_rights", t_con_rights, 0 },                                \
	    { "con_hostile", t_con_hostile, 0 },                              \
	    { "con_hostile_more", t_con_hostile_more, 0 },
