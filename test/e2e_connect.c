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
	long vaults, version, items, item, content, create, put, remove;
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
		{ "con_put", c.put }, { "con_delete", c.remove } };
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
		int token; /* 1: with blanks, 2: in a file */
	} v[] = { { "", "", 0 }, { "", "/", 1 }, { "", "//", 2 },
		{ "/gw", "", 0 }, { "/gw/v2.x", "/", 2 } };
	const char *args[] = { "--connect-base", v[i].base, NULL };
	struct buf b = { 0 };
	struct world w;
	struct den d;

	if (!con_open(&w, t, mode, *v[i].base ? args : NULL) ||
	    !den_open(&w, &d))
		return;
	buf_fmt(&b, "%s%s", w.s.connect, v[i].end);
	env_set(&w.env, "OP_CONNECT_HOST", b.p);
	buf_clear(&b);
	buf_fmt(&b, " %s\r\n", w.s.connect_token);
	if (v[i].token == 1)
		env_set(&w.env, "OP_CONNECT_TOKEN", b.p);
	if (v[i].token == 2) {
		env_unset(&w.env, "OP_CONNECT_TOKEN");
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
	{ NULL, NULL, "=", "token_malformed", "ops_" },
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
	{ "https://localhost:8x", "=", NULL, "bad_setting",
	    "OP_CONNECT_HOST" },
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

			snprintf(what, sizeof(what), "row %zu, %s", i,
			    b->says);
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
	con_leave(&w);
	con_want(&w, (struct con_cost){ 0 }, "another CA");
	buf_clear(&b);
	buf_fmt(&b, "%s/ca.pem", t->lab->pki);
	env_set(&w.env, "SSL_CERT_FILE", b.p);
	world_serve(&w, LEGACY_NEW);
	get_usual(&w, "its CA");
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
		{ "read_secret",
		    "{\"reference\":\"op://AI/GitHub/password\"}",
		    { .item = 1 } },
		{ CREDENTIALS, "{\"item_name\":\"GitHub\"}", { .item = 1 } },
		{ "read_secret",
		    "{\"reference\":\"op://AI/With attachments/readme.txt\"}",
		    { .item = 1, .content = 1 } },
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
		    standin_do(&w.s, "conput AI {\"category\":\"LOGIN\","
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
		"op://AI/TOTP raw/Security/one-time password?attribute=otp" };
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
		read_ref(&w, "op://AI/deploy key/private_key?ssh-format="
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
		if (json_is(j,
			json_get(j, json_item(j, list, i), "reference"), ref))
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
		    standin_count(&w.s, "con_item") >
			(long)(w.acct.n - 10) * 2,
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

/* The rows of the table of cases. */
#define CON_CASES                                       \
	{ "con_host", t_con_host, 0 },                  \
	{ "con_refused", t_con_refused, 0 },            \
	{ "con_tokens", t_con_tokens, 0 },              \
	{ "con_both", t_con_both, 0 },                  \
	{ "con_way", t_con_way, 0 },                    \
	{ "con_cost", t_con_cost, 0 },                  \
	{ "con_search", t_con_search, 0 },              \
	{ "con_secrets", t_con_secrets, 0 },            \
	{ "con_codes", t_con_codes, 0 },                \
	{ "con_credentials", t_con_credentials, 0 },    \
	{ "con_hidden", t_con_hidden, 0 },              \
	{ "con_cli", t_con_cli, 0 },                    \
	{ "con_resources", t_con_resources, 0 },        \
	{ "con_rules", t_con_rules, 0 },                \
	{ "con_same", t_con_same, 0 },
