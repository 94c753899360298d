/*
 * SPDX-License-Identifier: MIT
 *
 * connect.c - the part of the stand-in that speaks for a 1Password Connect
 * server: plain REST with a bearer token, over HTTP or TLS.  standin.c
 * includes it.
 *
 * It serves the same account as the rest of the stand-in.  An item is told
 * in Connect's form, made anew from the stored texts at every request; once
 * a client of Connect has written it, it lives as that JSON (item->con), and
 * the other service goes on telling what it knew.  Like the rest it refuses
 * what a client must not send, also where a real server may be milder.
 *
 * Contents: C1 State, errors; C2 A tree of JSON; C3 One-time passwords;
 * C4 Items in Connect's form; C5 Filters, queries; C6 Reading; C7 Judging
 * what is written; C8 Writing; C9 Patches; C10 Routes and answers;
 * C11 Token, options, commands.
 */

/* ====================================================================
 * C1 State, errors
 * ==================================================================== */

#define CON_INLINE_MAX 102400   /* bytes of a file in JSON */
#define CON_CHUNK_MIN 2048      /* Go counts shorter bodies beforehand */

static struct {
	bool on, https;
	bool synced;            /* a valid token has been seen */
	int port, want_port;
	int mode;               /* TLS_...: how connections are met */
	int lag;                /* reads that a write takes to show */
	int rights;             /* status for a right that is missing */
	int spare;              /* vaults in the token, but not granted */
	bool no_totp, archived; /* no codes; lists have archived items too */
	char *version;          /* of the server, "" for no header */
	size_t inline_max;
	const char *base;       /* path before /v1, "" for none */
	bool has_exp;
	time_t exp;
	char *token;
	char *body[S_N];        /* by step: what good answers are replaced by */
} con = { .rights = 403, .inline_max = CON_INLINE_MAX, .base = "" };

/* What an item was before it was written, as long as readers see that. */
struct con_old {
	int left;               /* reads that still see it */
	char *json;             /* NULL: there was none */
	int version;
	char updated[40];
};

/* Appends a string as Go does: n bytes, with <, > and & as escapes. */
static void
con_string(struct buf *b, const char *p, size_t n)
{
	static const char from[] = "\n\r\t\"\\", to[] = "nrt\"\\";
	const char *end = p + n;

	buf_str(b, "\"");
	while (p < end) {
		int len = utf8_len((const u8 *)p, (const u8 *)end);
		const char *k = *p != '\0' ? strchr(from, *p) : NULL;

		if (len == 0)
			buf_str(b, "\\ufffd");
		else if (k != NULL)
			buf_fmt(b, "\\%c", to[k - from]);
		else if ((u8)*p < 0x20 || strchr("<>&", *p) != NULL)
			buf_fmt(b, "\\u%04x", (u8)*p);
		else if (len == 3 && memcmp(p, "\xe2\x80", 2) == 0 &&
		    ((u8)p[2] & 0xfe) == 0xa8)
			buf_fmt(b, "\\u20%02x", (u8)p[2] - 0x80);
		else
			buf_add(b, p, (size_t)len);
		p += len ? len : 1;
	}
	buf_str(b, "\"");
}

/* Makes the answer an error; always false, to be returned. */
static bool __attribute__((format(printf, 3, 4)))
con_refuse(struct answer *an, int status, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	an->status = status;
	an->raw = false;
	an->type = "application/json";
	snprintf(an->why, sizeof(an->why), "%.120s", text);
	an->body.n = 0;
	buf_fmt(&an->body, "{\"status\":%d,\"message\":", status);
	con_string(&an->body, text, strlen(text));
	buf_str(&an->body, "}");
	return false;
}

/* A body that the item validator does not like. */
#define CON_INVALID(c, fmt, ...) con_refuse((c)->an, 400, \
	"Validation: (validateVaultItem failed to Validate), Couldn't " \
	"validate the item: \"[ItemValidator] has found 1 errors, " \
	"0 warnings: \nErrors:{1. " fmt "}\"", __VA_ARGS__)

/* The words for statuses that come by a fault. */
static const char *
con_message(int status)
{
	static const struct { int status; const char *text; } map[] = {
		{ 400, "Invalid request" },
		{ 401, "Invalid token signature" },
		{ 403, "Authorization: token does not have access to vault" },
		{ 404, "item not found" }, { 406, "Not Acceptable" },
		{ 408, "sync did not complete within timeout, please retry "
		    "the request" },
		{ 409, "Conflict" },
		{ 413, "File is too large to inline in request. Use the "
		    ".../content endpoint instead." },
		{ 429, "Too many requests" }, { 500, "Something went wrong" },
	};

	for (size_t i = 0; i < LEN(map); i++)
		if (map[i].status == status)
			return map[i].text;
	return "upstream failed";
}

/* One more header line; left out when there is no room for it. */
static void __attribute__((format(printf, 2, 3)))
con_header(struct answer *an, const char *fmt, ...)
{
	char line[sizeof(an->extra)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (strlen(an->extra) + strlen(line) + 3 > sizeof(an->extra))
		return;
	strcat(an->extra, line);
	strcat(an->extra, "\r\n");
}

static void
con_now(char out[40])
{
	time_t t = time(NULL);
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(out, 40, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* ====================================================================
 * C2 A tree of JSON: what is read, changed and told
 * ==================================================================== */

struct node {
	struct node *next, *kids, *tail;
	char *name;             /* of a member; NULL in an array */
	char type;              /* o, a, s, or l: number, word */
	struct buf text;        /* of s and l */
};

static struct node *
node_new(char type)
{
	struct node *n = xalloc(sizeof(*n));

	n->type = type;
	buf_str(&n->text, "");
	return n;
}

static void
node_free(struct node *n)
{
	struct node *k, *next;

	if (n == NULL)
		return;
	for (k = n->kids; k != NULL; k = next) {
		next = k->next;
		node_free(k);
	}
	buf_free(&n->text);
	free(n->name);
	free(n);
}

/* Appends a member (or with NULL an element); returns it. */
static struct node *
node_add(struct node *to, const char *name, struct node *kid)
{
	free(kid->name);
	kid->name = name ? xstrdup(name) : NULL;
	kid->next = NULL;
	if (to->tail != NULL)
		to->tail->next = kid;
	else
		to->kids = kid;
	to->tail = kid;
	return kid;
}

/* A string of n bytes; nothing is added when it is empty. */
static void
node_bytes(struct node *to, const char *name, const char *p, size_t n)
{
	if (n > 0)
		buf_add(&node_add(to, name, node_new('s'))->text, p, n);
}

static void
node_str(struct node *to, const char *name, const char *s)
{
	node_bytes(to, name, s ? s : "", s ? strlen(s) : 0);
}

/* A number or a word. */
static void __attribute__((format(printf, 3, 4)))
node_lit(struct node *to, const char *name, const char *fmt, ...)
{
	char text[64];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	buf_str(&node_add(to, name, node_new('l'))->text, text);
}

static struct node *
node_get(const struct node *n, const char *name)
{
	struct node *k = n != NULL ? n->kids : NULL;

	while (k != NULL && (k->name == NULL || strcmp(k->name, name) != 0))
		k = k->next;
	return k;
}

/* The text of a member that is a string, "" otherwise. */
static const char *
node_text(const struct node *n, const char *name)
{
	const struct node *k = node_get(n, name);

	return k != NULL && k->type == 's' ? k->text.p : "";
}

static bool
node_is(const struct node *n, const char *word)
{
	return n != NULL && n->type != 'o' && n->type != 'a' &&
	    strcmp(n->text.p, word) == 0;
}

/* Takes a kid out; the caller owns it. */
static struct node *
node_cut(struct node *from, struct node *kid)
{
	struct node *before = NULL, *k = from->kids;

	while (k != kid) {
		before = k;
		k = k->next;
	}
	if (before != NULL)
		before->next = kid->next;
	else
		from->kids = kid->next;
	if (from->tail == kid)
		from->tail = before;
	kid->next = NULL;
	return kid;
}

/* The same by name; a null counts as missing. */
static struct node *
node_take(struct node *from, const char *name)
{
	struct node *k = node_get(from, name);

	if (k == NULL)
		return NULL;
	node_cut(from, k);
	if (k->type != 'l' || !node_is(k, "null"))
		return k;
	node_free(k);
	return NULL;
}

/* Moves a member over, if it is there. */
static void
node_move(struct node *to, struct node *from, const char *name)
{
	struct node *k = node_take(from, name);

	if (k != NULL)
		node_add(to, name, k);
}

/* Reads a proved value; *twice is set if an object has a member twice. */
static struct node *
node_read(struct text t, bool *twice)
{
	struct node *n, *k;
	struct walk w = js_walk(t);
	char *name;

	n = node_new(*t.p == '{' ? 'o' : *t.p == '[' ? 'a' :
	    *t.p == '"' ? 's' : 'l');
	if (n->type == 's')
		js_text(&n->text, t);
	else if (n->type == 'l')
		buf_add(&n->text, t.p, t.n);
	while (js_next(&w)) {
		k = node_read(w.value, twice);
		name = w.object ? js_dup(w.name) : NULL;
		if (name != NULL && node_get(n, name) != NULL)
			*twice = true;
		node_add(n, name, k);
		free(name);
	}
	return n;
}

/* The tree of a text of our own. */
static struct node *
node_of(const char *json)
{
	struct text t = { 0 };
	bool twice;

	if (!js_whole(&t, json, strlen(json)))
		die("own JSON is broken");
	return node_read(t, &twice);
}

static void
node_print(struct buf *b, const struct node *n)
{
	const char *comma = "";

	if (n->type == 's')
		con_string(b, n->text.p, n->text.n);
	else if (n->type == 'l')
		buf_add(b, n->text.p, n->text.n);
	else
		buf_str(b, n->type == 'o' ? "{" : "[");
	for (const struct node *k = n->kids; k != NULL; k = k->next) {
		buf_str(b, comma);
		if (n->type == 'o') {
			con_string(b, k->name, strlen(k->name));
			buf_str(b, ":");
		}
		node_print(b, k);
		comma = ",";
	}
	if (n->type == 'o' || n->type == 'a')
		buf_str(b, n->type == 'o' ? "}" : "]");
}

/* The element of an array of objects that has this id. */
static struct node *
node_by_id(const struct node *list, const char *id)
{
	struct node *k = list != NULL ? list->kids : NULL;

	while (k != NULL && strcmp(node_text(k, "id"), id) != 0)
		k = k->next;
	return k;
}

/* ====================================================================
 * C3 One-time passwords (RFC 6238)
 * ==================================================================== */

struct con_otp {
	struct buf key;
	const br_hash_class *hash;
	int digits, period;
};

/* Base32, either case; blanks, dashes and padding do not count. */
static bool
con_base32(struct buf *out, const char *s)
{
	unsigned acc = 0;
	int bits = 0, used = 0;

	for (; *s != '\0'; s++) {
		int c = tolower((u8)*s);

		if (c == ' ' || c == '-' || c == '=')
			continue;
		if ((c < 'a' || c > 'z') && (c < '2' || c > '7'))
			return false;
		acc = (acc << 5 | (unsigned)(c >= 'a' ? c - 'a' :
		    c - '2' + 26)) & 0xffff;
		used++;
		bits += 5;
		if (bits >= 8) {
			char byte = (char)(acc >> (bits - 8));

			bits -= 8;
			buf_add(out, &byte, 1);
		}
	}
	return used > 1;
}

/* Undoes %XX, and + if asked, in n bytes; false for a wrong escape. */
static bool
con_unescape(struct buf *out, const char *s, size_t n, bool plus)
{
	buf_str(out, "");
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '%') {
			if (n - i < 3 || !isxdigit((u8)s[i + 1]) ||
			    !isxdigit((u8)s[i + 2]))
				return false;
			c = (char)(hex_digit((char)tolower((u8)s[i + 1])) * 16
			    + hex_digit((char)tolower((u8)s[i + 2])));
			i += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		buf_add(out, &c, 1);
	}
	return true;
}

/* One parameter of an otpauth URI. */
static bool
con_otp_param(struct con_otp *o, const char *p, size_t n)
{
	static const struct { const char *name; const br_hash_class *h; }
	hashes[] = { { "SHA1", &br_sha1_vtable },
		{ "SHA256", &br_sha256_vtable },
		{ "SHA512", &br_sha512_vtable } };
	struct buf v = { 0 };
	const char *eq = memchr(p, '=', n);
	size_t k = eq ? (size_t)(eq - p) : n;
	bool ok = eq == NULL || con_unescape(&v, eq + 1, n - k - 1, false);
	int num = ok && eq != NULL ? atoi(v.p) : 0;

	if (k == 6 && memcmp(p, "secret", 6) == 0) {
		ok = ok && v.n > 0 && con_base32(&o->key, v.p);
	} else if (k == 6 && memcmp(p, "digits", 6) == 0) {
		o->digits = num >= 1 && num <= 8 ? num : 6;
	} else if (k == 6 && memcmp(p, "period", 6) == 0) {
		o->period = num >= 1 && num <= 300 ? num : 30;
	} else if (k == 9 && memcmp(p, "algorithm", 9) == 0) {
		o->hash = NULL;
		for (size_t i = 0; v.n > 0 && i < LEN(hashes); i++)
			if (strcasecmp(v.p, hashes[i].name) == 0)
				o->hash = hashes[i].h;
		ok = o->hash != NULL;
	}
	buf_free(&v);
	return ok;
}

/* Reads a URI or a bare secret. */
static bool
con_otp_read(struct con_otp *o, const char *s)
{
	static const char head[] = "otpauth://totp";
	const char *q;

	*o = (struct con_otp){ { 0 }, &br_sha1_vtable, 6, 30 };
	if (strstr(s, "://") == NULL)
		return con_base32(&o->key, s);
	q = strchr(s, '?');
	if (strncasecmp(s, head, sizeof(head) - 1) != 0 || q == NULL)
		return false;
	for (q++; *q != '\0'; q += *q == '&') {
		size_t n = strcspn(q, "&");

		if (!con_otp_param(o, q, n))
			return false;
		q += n;
	}
	return o->key.n > 0;
}

/* The code at this moment; false if the value cannot give one. */
static bool
con_otp_code(const char *value, char out[16])
{
	static const int tens[] = { 1, 10, 100, 1000, 10000, 100000,
		1000000, 10000000, 100000000 };
	struct con_otp o;
	bool ok = con_otp_read(&o, value);
	u8 msg[8], mac[64];

	if (ok) {
		br_hmac_key_context kc;
		br_hmac_context h;
		u64 t = (u64)time(NULL) / (u64)o.period;
		size_t n;
		const u8 *p;
		int num;

		for (int i = 0; i < 8; i++)
			msg[i] = (u8)(t >> (56 - 8 * i));
		br_hmac_key_init(&kc, o.hash, o.key.p, o.key.n);
		br_hmac_init(&h, &kc, 0);
		br_hmac_update(&h, msg, sizeof(msg));
		n = br_hmac_out(&h, mac);
		p = mac + (mac[n - 1] & 15);
		num = (p[0] & 127) << 24 | p[1] << 16 | p[2] << 8 | p[3];
		snprintf(out, 16, "%0*d", o.digits, num % tens[o.digits]);
	}
	buf_free(&o.key);
	return ok;
}

/* ====================================================================
 * C4 Items in Connect's form
 *
 * The content of an item is a tree of title, tags, category, favorite, urls,
 * sections, fields and files.  What the server adds (ids, versions, times,
 * codes, paths) comes when it is told.
 * ==================================================================== */

static const struct con_category {
	const char *tmpl, *word;
} con_categories[] = {
	{ "001", "LOGIN" }, { "005", "PASSWORD" }, { "112", "API_CREDENTIAL" },
	{ "110", "SERVER" }, { "102", "DATABASE" }, { "002", "CREDIT_CARD" },
	{ "105", "MEMBERSHIP" }, { "106", "PASSPORT" },
	{ "100", "SOFTWARE_LICENSE" }, { "104", "OUTDOOR_LICENSE" },
	{ "003", "SECURE_NOTE" }, { "109", "WIRELESS_ROUTER" },
	{ "101", "BANK_ACCOUNT" }, { "103", "DRIVER_LICENSE" },
	{ "004", "IDENTITY" }, { "107", "REWARD_PROGRAM" },
	{ "006", "DOCUMENT" }, { "111", "EMAIL_ACCOUNT" },
	{ "108", "SOCIAL_SECURITY_NUMBER" }, { "113", "MEDICAL_RECORD" },
	{ "114", "SSH_KEY" },
};

/* Connect has no word for some categories. */
static const char *
con_category(const char *tmpl)
{
	for (size_t i = 0; i < LEN(con_categories); i++)
		if (strcmp(con_categories[i].tmpl, tmpl) == 0)
			return con_categories[i].word;
	return "CUSTOM";
}

static void
con_v_text(struct buf *b, struct text v)
{
	js_text(b, v);
}

/* A whole number, as one or in a string; nothing for anything else. */
static void
con_v_number(struct buf *b, struct text v)
{
	struct buf t = { 0 };
	size_t sign;

	buf_str(&t, "");
	if (v.n > 0 && *v.p == '"')
		js_text(&t, v);
	else
		buf_add(&t, v.p, v.n);
	sign = t.p[0] == '-';
	if (t.n > sign && strspn(t.p + sign, "0123456789") == t.n - sign)
		buf_add(b, t.p, t.n);
	buf_free(&t);
}

/* "street, city state zip, country" without what is empty. */
static void
con_v_address(struct buf *b, struct text v)
{
	static const struct { const char *name, *before; } parts[] = {
		{ "street", "" }, { "city", ", " }, { "state", " " },
		{ "zip", " " }, { "country", ", " } };
	bool line = false;      /* something of the middle part is there */

	for (size_t i = 0; i < LEN(parts); i++) {
		struct text t = js_get(v, parts[i].name);
		bool middle = i > 0 && i < 4;

		if (t.n < 3 || *t.p != '"')
			continue;
		if (b->n > 0)
			buf_str(b, middle && !line ? ", " : parts[i].before);
		js_text(b, t);
		line |= middle;
	}
}

static void
con_v_none(struct buf *b, struct text v)
{
	(void)b;
	(void)v;
}

/* Kinds of fields; the first row that fits counts. */
static const struct con_kind {
	const char *k, *prefix, *type;
	void (*value)(struct buf *, struct text);
} con_kinds[] = {
	{ "string", "ccnum", "CREDIT_CARD_NUMBER", con_v_text },
	{ "string", "", "STRING", con_v_text },
	{ "concealed", "TOTP", "OTP", con_v_text },
	{ "concealed", "", "CONCEALED", con_v_text },
	{ "email", "", "EMAIL", con_v_text },
	{ "URL", "", "URL", con_v_text },
	{ "phone", "", "PHONE", con_v_text },
	{ "date", "", "DATE", con_v_number },
	{ "monthYear", "", "MONTH_YEAR", con_v_number },
	{ "address", "", "ADDRESS", con_v_address },
	{ "menu", "", "MENU", con_v_text },
	{ "cctype", "", "CREDIT_CARD_TYPE", con_v_text },
	{ "gender", "", "GENDER", con_v_text },
	{ "reference", "", "REFERENCE", con_v_text },
	{ "sshKey", "", "SSHKEY", con_v_text },
	{ "ssoLogin", "", "SSO_LOGIN", con_v_none },
	{ "", "", "UNKNOWN", con_v_text },
};

static const struct con_kind *
con_kind(const char *k, const char *id)
{
	const struct con_kind *row = con_kinds;

	while (row->k[0] != '\0' && (strcmp(row->k, k) != 0 ||
	    strncmp(row->prefix, id, strlen(row->prefix)) != 0))
		row++;
	return row;
}

/* A member {"id":...}; nothing for an id that is empty. */
static void
con_ref(struct node *to, const char *name, const char *id)
{
	if (id != NULL && *id != '\0')
		node_str(node_add(to, name, node_new('o')), "id", id);
}

/* A string of a stored text as a member. */
static void
con_copy(struct node *to, const char *name, struct text t)
{
	struct buf b = { 0 };

	js_text(&b, t);
	node_bytes(to, name, b.p, b.n);
	buf_free(&b);
}

/* One of the fields with a purpose; its type is STRING or CONCEALED. */
static struct node *
con_purpose(struct node *fields, const char *id, const char *purpose,
    struct text value)
{
	struct node *f = node_add(fields, NULL, node_new('o'));

	node_str(f, "id", id);
	node_str(f, "type", strcmp(purpose, "PASSWORD") == 0 ? "CONCEALED" :
	    "STRING");
	node_str(f, "purpose", purpose);
	node_str(f, "label", id);
	con_copy(f, "value", value);
	return f;
}

static void
con_file_entry(struct node *list, struct text attr, const char *section)
{
	struct node *f = node_add(list, NULL, node_new('o'));
	struct text size = js_get(attr, "unencryptedSize");

	con_copy(f, "id", js_get(attr, "documentId"));
	con_copy(f, "name", js_get(attr, "fileName"));
	if (size.n > 0 && strspn(size.p, "0123456789") >= size.n)
		node_lit(f, "size", "%.*s", (int)size.n, size.p);
	con_ref(f, "section", section);
}

/* The other fields that Connect makes of a private key. */
static void
con_ssh_fields(struct node *fields, struct text field)
{
	static const struct { const char *from, *id, *label; } map[] = {
		{ "publicKey", "public_key", "public key" },
		{ "fingerprint", "fingerprint", "fingerprint" },
		{ "keyType", "key_type", "key type" } };
	struct text a = js_get(js_get(field, "a"), "sshKeyAttributes"), t;

	for (size_t i = 0; a.n > 0 && i < LEN(map); i++) {
		struct node *f = node_add(fields, NULL, node_new('o'));

		t = js_get(a, map[i].from);
		if (t.n > 0 && *t.p == '{')
			t = js_get(t, "t");
		node_str(f, "id", map[i].id);
		node_str(f, "type", "STRING");
		node_str(f, "label", map[i].label);
		con_copy(f, "value", t);
	}
}

/* One section field; files go to their own list. */
static void
con_field(struct node *content, const char *section, struct text t)
{
	struct node *fields = node_get(content, "fields"), *f;
	char *k = js_dup(js_get(t, "k")), *id = js_dup(js_get(t, "n"));
	const struct con_kind *kind;
	struct buf v = { 0 };

	if (k == NULL || id == NULL) {
		;               /* such a field is shown nowhere */
	} else if (strcmp(k, "file") == 0) {
		con_file_entry(node_get(content, "files"), js_get(t, "v"),
		    section);
	} else {
		kind = con_kind(k, id);
		f = node_add(fields, NULL, node_new('o'));
		node_str(f, "id", id);
		con_ref(f, "section", section);
		node_str(f, "type", kind->type);
		con_copy(f, "label", js_get(t, "t"));
		kind->value(&v, js_get(t, "v"));
		node_bytes(f, "value", v.p, v.n);
		if (strcmp(k, "sshKey") == 0)
			con_ssh_fields(fields, t);
	}
	buf_free(&v);
	free(k);
	free(id);
}

/* Username, password and notes: the fields that have a purpose. */
static void
con_built_in(struct node *fields, const char *tmpl, struct text over,
    struct text det)
{
	struct walk w = js_walk(js_get(det, "fields"));
	struct text pbe = js_get(over, "pbe"), d;
	struct node *f, *password = NULL;
	bool login = strcmp(tmpl, "001") == 0;

	while (login && js_next(&w)) {
		d = js_get(w.value, "designation");
		if (js_is(d, "username"))
			con_purpose(fields, "username", "USERNAME",
			    js_get(w.value, "value"));
		else if (js_is(d, "password"))
			password = con_purpose(fields, "password", "PASSWORD",
			    js_get(w.value, "value"));
	}
	if (strcmp(tmpl, "005") == 0)
		password = con_purpose(fields, "password", "PASSWORD",
		    js_get(det, "password"));
	f = password;
	if (f != NULL && node_get(f, "value") != NULL && pbe.n > 0 &&
	    isdigit((u8)*pbe.p))
		node_lit(f, "entropy", "%.*s", (int)pbe.n, pbe.p);
	con_purpose(fields, "notesPlain", "NOTES", js_get(det, "notesPlain"));
}

/* Sections, fields and files out of the details. */
static void
con_details(struct node *content, const char *tmpl, struct text over,
    struct text det)
{
	struct node *sections = node_add(content, "sections", node_new('a'));
	struct node *fields = node_add(content, "fields", node_new('a'));
	struct node *list = node_add(content, "files", node_new('a')), *s;
	struct walk w = js_walk(js_get(det, "sections")), in;
	struct text doc = js_get(det, "documentAttributes");

	con_built_in(fields, tmpl, over, det);
	if (doc.n > 0 && *doc.p == '{')
		con_file_entry(list, doc, NULL);
	while (js_next(&w)) {
		char *id = js_dup(js_get(w.value, "name"));

		if (id != NULL && *id != '\0') {
			s = node_add(sections, NULL, node_new('o'));
			node_str(s, "id", id);
			con_copy(s, "label", js_get(w.value, "title"));
		}
		in = js_walk(js_get(w.value, "fields"));
		while (js_next(&in))
			con_field(content, id, in.value);
		free(id);
	}
}

static void
con_url(struct node *urls, struct text label, struct text href)
{
	struct node *u;

	if (href.n < 3 || *href.p != '"')
		return;
	u = node_add(urls, NULL, node_new('o'));
	con_copy(u, "label", label);
	if (urls->kids == u)
		node_lit(u, "primary", "true");
	con_copy(u, "href", href);
}

/* Title, tags and URLs out of the overview. */
static void
con_overview(struct node *content, struct text over)
{
	struct walk tags = js_walk(js_get(over, "tags"));
	struct walk urls = js_walk(js_get(over, "URLs"));
	struct text none = { 0 };
	struct node *list;

	con_copy(content, "title", js_get(over, "title"));
	list = node_add(content, "tags", node_new('a'));
	while (js_next(&tags))
		con_copy(list, NULL, tags.value);
	list = node_add(content, "urls", node_new('a'));
	while (js_next(&urls))
		con_url(list, js_get(urls.value, "l"),
		    js_get(urls.value, "u"));
	if (list->kids == NULL)
		con_url(list, none, js_get(over, "url"));
}

/* Takes out lists that have nothing: the server leaves them out. */
static void
con_prune(struct node *content)
{
	static const char *const names[] = { "tags", "urls", "sections",
		"fields", "files" };

	for (size_t i = 0; i < LEN(names); i++) {
		struct node *k = node_get(content, names[i]);

		if (k != NULL && k->type == 'a' && k->kids == NULL)
			node_free(node_cut(content, k));
	}
}

/* The content of an item as it is now; the caller frees it. */
static struct node *
con_content(const struct item *it, bool full)
{
	const struct vault *v = it->v;
	struct buf over = { 0 }, det = { 0 };
	struct text o = { 0 }, d = { 0 };
	struct node *content;

	if (it->con != NULL)
		return node_of(it->con);
	content = node_new('o');
	if (full)
		item_open(it, &over, &det);
	else if (envelope_open(&over, it->enc_over, strlen(it->enc_over),
	    v->kid, v->key, NULL) != NULL)
		die("an item does not open");
	js_whole(&o, over.p, over.n);
	con_overview(content, o);
	node_str(content, "category", con_category(it->tmpl));
	if (full) {
		js_whole(&d, det.p, det.n);
		con_details(content, it->tmpl, o, d);
	}
	con_prune(content);
	buf_free(&over);
	buf_free(&det);
	return content;
}

/* An item as a reader sees it at this moment. */
struct con_view {
	struct node *content;   /* freed by con_tell() */
	const struct item *it;
	const char *id;
	char updated[40];
	int version;
	char trashed;
};

/* The item with this content and version. */
static struct con_view
con_view(const struct item *it, struct node *content, int version)
{
	struct con_view w = { .content = content, .it = it, .id = it->uuid,
		.version = version, .trashed = it->trashed };

	memcpy(w.updated, it->updated, sizeof(w.updated));
	return w;
}

/* Fills the view; false if a reader finds nothing there. */
static bool
con_look(const struct item *it, bool full, struct con_view *w)
{
	*w = con_view(it, NULL, it->version);
	if (it->old != NULL) {
		memcpy(w->updated, it->old->updated, sizeof(w->updated));
		w->version = it->old->version;
		w->trashed = it->old->json != NULL ? 'N' : 'D';
	}
	if (w->trashed == 'D')
		return false;
	w->content = it->old != NULL ? node_of(it->old->json) :
	    con_content(it, full);
	return true;
}

/* One read of the item has been: the write shows a little sooner. */
static void
con_seen(struct item *it)
{
	if (it->old == NULL || --it->old->left > 0)
		return;
	free(it->old->json);
	free(it->old);
	it->old = NULL;
}

/* Moves a member as it is, null too. */
static void
con_keep(struct node *to, struct node *from, const char *name)
{
	struct node *k = node_get(from, name);

	if (k != NULL)
		node_add(to, name, node_cut(from, k));
}

/* All other members, for items that were made so by a command. */
static void
con_keep_rest(struct node *to, struct node *from)
{
	char *name;

	while (from->kids != NULL) {
		struct node *k = node_cut(from, from->kids);

		name = xstrdup(k->name);
		if (node_get(to, name) != NULL)
			node_free(k);
		else
			node_add(to, name, k);
		free(name);
	}
}

/* Codes of fields and paths of files, as the server adds them. */
static void
con_computed(struct node *out, const struct con_view *w)
{
	const struct node *list = node_get(out, "fields");
	char code[16], path[192];

	for (struct node *f = list ? list->kids : NULL; f; f = f->next)
		if (!con.no_totp && strcmp(node_text(f, "type"), "OTP") == 0 &&
		    node_get(f, "totp") == NULL &&
		    con_otp_code(node_text(f, "value"), code))
			node_str(f, "totp", code);
	list = node_get(out, "files");
	for (struct node *f = list ? list->kids : NULL; f; f = f->next) {
		if (f->type != 'o' || node_get(f, "content_path") != NULL)
			continue;
		snprintf(path, sizeof(path), "/v1/vaults/%s/items/%s/files/"
		    "%.26s/content", w->it->v->uuid, w->it->uuid,
		    node_text(f, "id"));
		node_str(f, "content_path", path);
	}
}

/* Appends the item as it is told, and frees the view's content. */
static void
con_tell(struct buf *b, struct con_view *w, bool full)
{
	struct node *out = node_new('o'), *c = w->content;

	node_str(out, "id", w->id);
	con_keep(out, c, "title");
	con_keep(out, c, "tags");
	node_lit(out, "version", "%d", w->version);
	con_ref(out, "vault", w->it->v->uuid);
	con_keep(out, c, "category");
	con_keep(out, c, "favorite");
	node_str(out, "lastEditedBy", account.user);
	node_str(out, "createdAt", w->it->created);
	node_str(out, "updatedAt", w->updated);
	con_keep(out, c, "urls");
	if (w->trashed == 'Y')
		node_str(out, "state", "ARCHIVED");
	if (full) {
		con_keep(out, c, "sections");
		con_keep(out, c, "fields");
		con_keep(out, c, "files");
		con_keep_rest(out, c);
		con_computed(out, w);
	}
	node_print(b, out);
	node_free(out);
	node_free(c);
	w->content = NULL;
}

/* ====================================================================
 * C5 Filters and queries
 * ==================================================================== */

#define CON_TERMS 16

struct con_filter {
	int n;                  /* 0: everything */
	struct { bool tag, contains; char *value; } t[CON_TERMS];
};

struct con_query {
	struct con_filter filter;
	bool inline_files;
};

static void
con_query_free(struct con_query *q)
{
	for (int i = 0; i < q->filter.n; i++)
		free(q->filter.t[i].value);
	q->filter.n = 0;
}

/* The word at *s, up to a blank, and the blanks behind it. */
static bool
con_word(const char **s, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*s, word, n) != 0 || (*s)[n] != ' ')
		return false;
	*s += n + strspn(*s + n, " ");
	return true;
}

/*
 * Reads `title eq "x" or tag co "y"`.  Nobody knows how a real server takes
 * a backslash or a quote in a value, so both are refused.
 */
static bool
con_filter_read(struct con_filter *f, const char *s, bool items)
{
	size_t n;

	for (s += strspn(s, " "); f->n < CON_TERMS; f->n++) {
		f->t[f->n].tag = items && con_word(&s, "tag");
		if (!f->t[f->n].tag && !con_word(&s, "title") &&
		    (items || !con_word(&s, "name")))
			return false;
		f->t[f->n].contains = con_word(&s, "co");
		if (!f->t[f->n].contains && !con_word(&s, "eq"))
			return false;
		n = *s == '"' ? strcspn(s + 1, "\"\\") : 0;
		if (*s != '"' || s[n + 1] != '"')
			return false;
		f->t[f->n].value = xalloc(n + 1);
		memcpy(f->t[f->n].value, s + 1, n);
		s += n + 2;
		n = strspn(s, " ");
		if (s[n] == '\0') {
			f->n++;
			return true;
		}
		if (n == 0 || (s += n, !con_word(&s, "or"))) {
			f->n++;
			return false;
		}
	}
	return false;
}

static bool
con_term_fits(const struct con_filter *f, int i, const char *text)
{
	return f->t[i].contains ? strcasestr(text, f->t[i].value) != NULL :
	    strcasecmp(text, f->t[i].value) == 0;
}

/* Whether a title, or one of the tags, is what is looked for. */
static bool
con_fits(const struct con_filter *f, const char *title,
    const struct node *content)
{
	const struct node *tags = node_get(content, "tags");

	for (int i = 0; i < f->n; i++) {
		if (!f->t[i].tag && con_term_fits(f, i, title))
			return true;
		for (const struct node *k = f->t[i].tag && tags ? tags->kids :
		    NULL; k != NULL; k = k->next)
			if (con_term_fits(f, i, k->text.p))
				return true;
	}
	return f->n == 0;
}

/* False if the title alone shows that an item is not looked for. */
static bool
con_may_fit(const struct con_filter *f, const char *title)
{
	for (int i = 0; i < f->n; i++)
		if (f->t[i].tag || con_term_fits(f, i, title))
			return true;
	return f->n == 0;
}

/* One parameter; only those in `names`, each between blanks. */
static bool
con_param(struct call *c, struct con_query *q, const char *p, size_t n,
    const char *names)
{
	const char *eq = memchr(p, '=', n);
	size_t k = eq ? (size_t)(eq - p) : n;
	struct buf v = { 0 };
	char name[40];
	bool ok = true;

	snprintf(name, sizeof(name), " %.*s ", (int)(k < 32 ? k : 32), p);
	if (strstr(names, name) == NULL)
		return con_refuse(c->an, 400, "unknown query parameter");
	if (eq == NULL || !con_unescape(&v, eq + 1, n - k - 1, true) ||
	    strlen(v.p) != v.n) {
		buf_free(&v);
		return con_refuse(c->an, 400, "malformed query");
	}
	if (strcmp(name, " filter ") == 0) {
		if (q->filter.n > 0 || !con_filter_read(&q->filter, v.p,
		    strstr(names, " items ") != NULL))
			ok = con_refuse(c->an, 400, "Invalid filter: %.100s",
			    v.p);
	} else if (strcmp(name, " inline_files ") == 0) {
		q->inline_files = strcmp(v.p, "true") == 0;
	} else if (v.n == 0 || strspn(v.p, "0123456789") != v.n) {
		ok = con_refuse(c->an, 400, "not a number: %.32s", v.p);
	}
	buf_free(&v);
	return ok;
}

/* Reads the query; `names` with " items " allows a filter by tag. */
static bool
con_query(struct call *c, struct con_query *q, const char *names)
{
	const char *p = c->rq->query;

	memset(q, 0, sizeof(*q));
	while (*p != '\0') {
		size_t n = strcspn(p, "&");

		if (!con_param(c, q, p, n, names)) {
			con_query_free(q);
			return false;
		}
		p += n + (p[n] == '&');
	}
	return true;
}

/* ====================================================================
 * C6 Reading: vaults, items, files
 * ==================================================================== */

static bool
con_is_id(const char *s)
{
	return strlen(s) == 26 &&
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789") == 26;
}

/* Vaults that the server was granted and the token names. */
static bool
con_has_vault(const struct vault *v)
{
	return !v->broken && v->type != 'P' &&
	    (v->acl & (ACL_READ | ACL_WRITE)) != 0;
}

/* The vault of the path, when the token has these rights in it. */
static struct vault *
con_vault_of(struct call *c, unsigned need)
{
	const char *id = c->rq->seg[0];
	struct vault *v = vault_find(id);

	if (!con_is_id(id)) {
		con_refuse(c->an, 400, "Invalid Vault UUID");
	} else if (v == NULL || !con_has_vault(v)) {
		con_refuse(c->an, 403, "vault %s is not in scope", id);
	} else if ((need & ACL_READ) != 0 && (v->acl & 32) == 0) {
		con_refuse(c->an, 403,
		    "Authorization: token does not have access to vault");
	} else if ((need & ACL_WRITE & ~v->acl) != 0) {
		con_refuse(c->an, con.rights, con.rights == 401 ?
		    "Unauthorized Request, token does not have write access "
		    "to the Vault" : "Authorization: token does not have "
		    "write access to vault");
	} else {
		return v;
	}
	return NULL;
}

/* The item of the path, as it is known to writers. */
static struct item *
con_item_of(struct call *c, const struct vault *v)
{
	const char *id = c->rq->seg[1];
	struct item *it;

	if (!con_is_id(id)) {
		con_refuse(c->an, 400, "Invalid Item UUID");
		return NULL;
	}
	it = item_find(v, id);
	if (it == NULL || (it->trashed == 'D' && it->old == NULL)) {
		con_refuse(c->an, 404, "item %s not found", id);
		return NULL;
	}
	return it;
}

static void
con_vault_tell(struct buf *b, const struct vault *v, const struct fx *fx)
{
	struct node *n = node_new('o');
	int active = 0;

	for (size_t i = 0; i < v->n; i++)
		active += v->items[i]->trashed == 'N';
	node_str(n, "id", fx->on[K_WRONGUUID] ?
	    "zzzzzzzzzzzzzzzzzzzzzzzzzz" : v->uuid);
	node_str(n, "name", v->name);
	node_str(n, "description", "invented");
	node_lit(n, "attributeVersion", "%d", v->attr_version);
	node_lit(n, "contentVersion", "%d", v->content_version);
	node_lit(n, "items", "%d", active);
	node_str(n, "type", v->type == 'E' ? "EVERYONE" : "USER_CREATED");
	node_str(n, "createdAt", "2024-01-01T00:00:00Z");
	node_str(n, "updatedAt", "2024-01-02T00:00:00Z");
	node_print(b, n);
	node_free(n);
}

static bool
con_vaults(struct call *c)
{
	struct buf *b = &c->an->body;
	struct con_query q;
	const char *comma = "";

	if (!con_query(c, &q, " filter "))
		return false;
	buf_str(b, "[");
	for (int i = 0; i < account.nvaults; i++) {
		const struct vault *v = &account.vault[i];

		if (!con_has_vault(v) || !con_fits(&q.filter, v->name, NULL))
			continue;
		buf_str(b, comma);
		con_vault_tell(b, v, c->fx);
		comma = ",";
	}
	buf_str(b, "]");
	con_query_free(&q);
	return true;
}

static bool
con_vault(struct call *c)
{
	struct con_query q;
	const struct vault *v;

	if (!con_query(c, &q, ""))
		return false;
	v = con_vault_of(c, 0);
	if (v != NULL)
		con_vault_tell(&c->an->body, v, c->fx);
	return v != NULL;
}

/* Appends one item of a list if it is to be in there; the new comma. */
static const char *
con_items_one(struct call *c, struct item *it, const struct con_filter *f,
    const char *comma)
{
	struct buf *b = &c->an->body;
	const char *title = it->title != NULL ? it->title : "";
	struct con_view w;

	if (it->old == NULL && (it->trashed == 'D' ||
	    (it->trashed == 'Y' && !con.archived) || !con_may_fit(f, title)))
		return comma;
	if (con_look(it, false, &w)) {
		if (it->old != NULL)
			title = node_text(w.content, "title");
		if (con_fits(f, title, w.content)) {
			if (c->fx->on[K_WRONGUUID])
				w.id = "../../evil";
			buf_str(b, comma);
			con_tell(b, &w, false);
			comma = ",";
		}
		node_free(w.content);
	}
	con_seen(it);
	return comma;
}

static bool
con_items(struct call *c)
{
	struct con_query q;
	const char *comma = "";
	const struct vault *v = con_vault_of(c, ACL_READ);

	if (v == NULL || !con_query(c, &q, " filter items "))
		return false;
	if (c->fx->on[K_SWAPVAULT])
		v = vault_next(v);
	buf_str(&c->an->body, "[");
	for (size_t i = 0; i < v->n; i++)
		comma = con_items_one(c, v->items[i], &q.filter, comma);
	buf_str(&c->an->body, "]");
	con_query_free(&q);
	return true;
}

/* Looks at the item of the path as a reader; a write shows sooner then. */
static struct item *
con_read(struct call *c, struct con_view *w, bool full)
{
	const struct vault *v = con_vault_of(c, ACL_READ);
	struct item *it = v != NULL ? con_item_of(c, v) : NULL;
	bool there;

	if (it == NULL)
		return NULL;
	there = con_look(it, full, w);
	con_seen(it);
	if (there)
		return it;
	con_refuse(c->an, 404, "item %s not found", it->uuid);
	return NULL;
}

/* Another client's change: one more field, and a version. */
static void
con_meddle(struct item *it)
{
	struct node *content = con_content(it, true), *list, *f;
	struct buf b = { 0 };
	char text[16];

	it->version++;
	it->v->content_version++;
	snprintf(text, sizeof(text), "%d", it->version);
	list = node_get(content, "fields");
	if (list == NULL)
		list = node_add(content, "fields", node_new('a'));
	f = node_add(list, NULL, node_new('o'));
	node_str(f, "id", "meanwhile");
	con_ref(f, "section", "add more");
	node_str(f, "type", "STRING");
	node_str(f, "label", "meanwhile");
	node_str(f, "value", text);
	node_print(&b, content);
	node_free(content);
	free(it->con);
	it->con = b.p;
	it->raw = true;
}

/* Tells the item as the answer to its reader or writer. */
static void
con_tell_one(struct call *c, struct con_view *w)
{
	if (c->fx->on[K_WRONGUUID])
		w->id = "zzzzzzzzzzzzzzzzzzzzzzzzzz";
	con_tell(&c->an->body, w, true);
}

static bool
con_item(struct call *c)
{
	struct con_query q;
	struct con_view w;
	struct item *it;

	if (!con_query(c, &q, ""))
		return false;
	it = con_read(c, &w, true);
	if (it == NULL)
		return false;
	if (item_swapped(it, c->fx) != it) {
		node_free(w.content);
		con_look(item_swapped(it, c->fx), true, &w);
	}
	con_tell_one(c, &w);
	/* Somebody changes it between this and the next request. */
	if (c->fx->on[K_CONCURRENT])
		con_meddle(it);
	return true;
}

/* The bytes of a file, opened with the keys that the item has for it. */
static bool
con_file_open(struct buf *out, const struct item *it, const char *id)
{
	struct buf over = { 0 }, det = { 0 }, key = { 0 }, iv = { 0 };
	struct text attr[FILES_MAX], at = { 0 };
	const struct file *f = file_find(id);
	u8 tag[16];
	char *k, *nonce;
	int n;

	item_open(it, &over, &det);
	n = details_files(&det, attr);
	for (int i = 0; i < n; i++)
		if (js_is(js_get(attr[i], "documentId"), id))
			at = attr[i];
	k = js_dup(js_get(js_get(at, "encryptionKey"), "k"));
	nonce = js_dup(js_get(at, "nonce"));
	if (f != NULL && f->data.n >= 16 && k && nonce &&
	    b64_get(&key, k, strlen(k)) && key.n == 32 &&
	    b64_get(&iv, nonce, strlen(nonce)) && iv.n == 12) {
		buf_add(out, f->data.p, f->data.n - 16);
		gcm_run((u8 *)key.p, (u8 *)iv.p, 0, out->p, out->n, tag);
		n = memcmp(tag, f->data.p + out->n, 16) == 0;
	} else {
		n = 0;
	}
	free(k);
	free(nonce);
	buf_free(&over);
	buf_free(&det);
	buf_free(&key);
	buf_free(&iv);
	return n != 0;
}

/* Adds the content as base64; false if it is too large for that. */
static bool
con_inline(struct call *c, struct node *f, const struct item *it)
{
	struct buf bytes = { 0 }, text = { 0 };

	con_file_open(&bytes, it, node_text(f, "id"));
	if (bytes.n > con.inline_max) {
		buf_free(&bytes);
		return con_refuse(c->an, 413, "%s", con_message(413));
	}
	buf_str(&text, "");
	buf_b64(&text, bytes.p, bytes.n);
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '-' || text.p[i] == '_')
			text.p[i] = text.p[i] == '-' ? '+' : '/';
	while (text.n % 4 != 0)
		buf_str(&text, "=");
	node_str(f, "content", text.p);
	buf_free(&bytes);
	buf_free(&text);
	return true;
}

/* All files of an item, or the one of the path. */
static bool
con_files_tell(struct call *c, bool one)
{
	struct con_query q;
	struct con_view w;
	struct node *list, *f;
	struct item *it;
	bool ok = true;

	if (!con_query(c, &q, " inline_files "))
		return false;
	if (one && !con_is_id(c->rq->seg[2]))
		return con_refuse(c->an, 400, "Invalid File UUID");
	it = con_read(c, &w, true);
	if (it == NULL)
		return false;
	con_computed(w.content, &w);
	list = node_get(w.content, "files");
	f = one ? node_by_id(list, c->rq->seg[2]) : NULL;
	if (one && f == NULL)
		ok = con_refuse(c->an, 404, "file %s not found",
		    c->rq->seg[2]);
	for (struct node *k = list ? list->kids : NULL; k && ok; k = k->next)
		if (q.inline_files && (f == NULL || f == k))
			ok = con_inline(c, k, it);
	if (ok && (one || list != NULL))
		node_print(&c->an->body, one ? f : list);
	else if (ok)
		buf_str(&c->an->body, "[]");
	node_free(w.content);
	return ok;
}

static bool
con_files(struct call *c)
{
	return con_files_tell(c, false);
}

static bool
con_file(struct call *c)
{
	return con_files_tell(c, true);
}

/* The name goes into a header: everything but plain letters is escaped. */
static void
con_disposition(struct answer *an, const char *name)
{
	struct buf b = { 0 };

	for (; *name != '\0'; name++)
		if (isalnum((u8)*name) || strchr("-._~", *name) != NULL)
			buf_fmt(&b, "%c", *name);
		else
			buf_fmt(&b, "%%%02X", (u8)*name);
	con_header(an, "Content-Disposition: attachment; "
	    "filename*=utf-8''%.120s", b.p ? b.p : "");
	buf_free(&b);
}

static bool
con_file_content(struct call *c)
{
	struct con_query q;
	struct con_view w;
	struct node *f;
	struct item *it;
	const char *id = c->rq->seg[2];
	bool ok;

	if (!con_query(c, &q, ""))
		return false;
	if (!con_is_id(id))
		return con_refuse(c->an, 400, "Invalid File UUID");
	it = con_read(c, &w, true);
	if (it == NULL)
		return false;
	f = node_by_id(node_get(w.content, "files"), id);
	if (f == NULL) {
		ok = con_refuse(c->an, 404, "file %s not found", id);
	} else if (!con_file_open(&c->an->body, it, id)) {
		ok = con_refuse(c->an, 500, "Something went wrong");
	} else {
		con_disposition(c->an, node_text(f, "name"));
		c->an->type = "application/octet-stream";
		c->an->raw = ok = true;
	}
	node_free(w.content);
	return ok;
}

static bool
con_heartbeat(struct call *c)
{
	buf_str(&c->an->body, ".");
	c->an->type = "text/plain; charset=utf-8";
	c->an->raw = true;
	return true;
}

/* A token sent here starts the synchronisation as well. */
static bool
con_health(struct call *c)
{
	const char *bearer = header(c->rq, "Authorization");

	if (bearer != NULL && strncmp(bearer, "Bearer ", 7) == 0 &&
	    strcmp(bearer + 7, con.token) == 0)
		con.synced = true;
	buf_fmt(&c->an->body, "{\"name\":\"1Password Connect API\","
	    "\"version\":\"%s\",\"dependencies\":[{\"service\":\"sqlite\","
	    "\"status\":\"ACTIVE\",\"message\":\"Connected to "
	    "/home/opuser/.op/data/1password.sqlite\"},{\"service\":"
	    "\"account_data\",\"status\":\"%s\"},{\"service\":\"sync\","
	    "\"status\":\"%s\"},{\"service\":\"1Password\",\"status\":"
	    "\"%s\"}]}", con.version, con.synced ? "ACTIVE" : "NOT_SYNCED",
	    con.synced ? "ACTIVE" : "TOKEN_NEEDED", con.synced ? "ACTIVE" :
	    "UNINITIALIZED");
	return true;
}

/* Nothing is recorded here: the log of the stand-in tells more. */
static bool
con_activity(struct call *c)
{
	struct con_query q;

	if (!con_query(c, &q, " limit offset "))
		return false;
	con_header(c->an, "Content-Range: 0-0/0");
	buf_str(&c->an->body, "[]");
	return true;
}

/* ====================================================================
 * C7 Judging what is written
 * ==================================================================== */

/* A body being judged; what passes is gathered in `out`. */
struct con_write {
	struct call *c;
	const struct vault *v;
	const struct item *it;  /* NULL: it is being made */
	struct node *was;       /* its content before, or NULL */
	struct node *body, *out;
	const char *category;
};

/* A member of the wrong type, as Go's reader would say. */
static bool
con_wrong_type(struct con_write *p, const char *name)
{
	return con_refuse(p->c->an, 400, "Invalid request body: member %s "
	    "has the wrong type", name);
}

/* Whether an object's members, if there, are of these types. */
static bool
con_types(struct con_write *p, const struct node *o, const char *const *names,
    char type)
{
	if (o->type != 'o')
		return con_wrong_type(p, o->name ? o->name : "element");
	for (; *names != NULL; names++) {
		const struct node *k = node_get(o, *names);

		if (k != NULL && k->type != type && !node_is(k, "null"))
			return con_wrong_type(p, *names);
	}
	return true;
}

/* Takes the list `name` out of the body; an empty one if it is missing. */
static struct node *
con_take_list(struct con_write *p, const char *name)
{
	struct node *k = node_take(p->body, name);

	if (k == NULL)
		k = node_new('a');
	if (k->type == 'a')
		return node_add(p->out, name, k);
	node_free(k);
	con_wrong_type(p, name);
	return NULL;
}

/* Title, category, tags, URLs. */
static bool
con_judge_head(struct con_write *p)
{
	static const char *const strings[] = { "title", "id", "category",
		"createdAt", "updatedAt", "lastEditedBy", NULL };
	static const char *const objects[] = { "vault", NULL };
	static const char *const words[] = { "favorite", "version", NULL };
	static const char *const url[] = { "href", "label", NULL };
	struct node *tags, *urls;
	int primary = 0;

	if (!con_types(p, p->body, strings, 's') ||
	    !con_types(p, p->body, objects, 'o') ||
	    !con_types(p, p->body, words, 'l'))
		return false;
	node_move(p->out, p->body, "title");
	node_move(p->out, p->body, "favorite");
	tags = con_take_list(p, "tags");
	urls = tags != NULL ? con_take_list(p, "urls") : NULL;
	if (urls == NULL)
		return false;
	for (struct node *k = tags->kids; k != NULL; k = k->next)
		if (k->type != 's')
			return con_wrong_type(p, "tags");
	for (struct node *k = urls->kids; k != NULL; k = k->next) {
		if (!con_types(p, k, url, 's'))
			return false;
		if (node_text(k, "href")[0] == '\0')
			return con_refuse(p->c->an, 400, "url without href");
		primary += node_is(node_get(k, "primary"), "true");
	}
	return primary < 2 || con_refuse(p->c->an, 400,
	    "more than one primary url");
}

/* Which item this is, in which vault, of which category. */
static bool
con_judge_place(struct con_write *p)
{
	const struct node *b = p->body;
	const char *word = node_text(b, "category"), *tmpl = NULL;

	if (strcmp(node_text(node_get(b, "vault"), "id"), p->v->uuid) != 0)
		return con_refuse(p->c->an, 400, "The vault in the body is "
		    "not the vault of the path");
	if (p->it != NULL && strcmp(node_text(b, "id"), p->it->uuid) != 0)
		return con_refuse(p->c->an, 400, "The item in the body is not "
		    "the item of the path");
	for (size_t i = 0; i < LEN(con_categories); i++)
		if (strcmp(con_categories[i].word, word) == 0)
			tmpl = con_categories[i].tmpl;
	if (p->it != NULL && strcmp(word, node_text(p->was, "category")) != 0)
		return con_refuse(p->c->an, 400, "category cannot change");
	if (p->it == NULL && (strcmp(word, "CUSTOM") == 0 ||
	    strcmp(word, "DOCUMENT") == 0))
		return con_refuse(p->c->an, 400, "items of category %s cannot "
		    "be created", word);
	if (tmpl == NULL && strcmp(word, "CUSTOM") != 0)
		return CON_INVALID(p->c, "Required field \\\"%s\\\" not found",
		    "item.templateUuid");
	p->category = word;
	return true;
}

/* Sections: each gets an id; no id twice. */
static bool
con_judge_sections(struct con_write *p)
{
	static const char *const strings[] = { "id", "label", NULL };
	struct node *list = con_take_list(p, "sections");
	char id[40] = "Section_";

	for (struct node *k = list ? list->kids : NULL; k; k = k->next) {
		if (!con_types(p, k, strings, 's'))
			return false;
		if (node_text(k, "id")[0] == '\0') {
			new_uuid(id + 8, false);
			node_free(node_take(k, "id"));
			node_str(k, "id", id);
		}
		if (node_by_id(list, node_text(k, "id")) != k)
			return con_refuse(p->c->an, 400,
			    "two sections have one id");
	}
	return list != NULL;
}

/* Files cannot be made here; those sent back must be the item's own. */
static bool
con_judge_files(struct con_write *p)
{
	struct node *list = con_take_list(p, "files");
	struct node *own = node_get(p->was, "files");

	for (struct node *k = list ? list->kids : NULL; k; k = k->next) {
		if (k->type != 'o' || node_by_id(own, node_text(k, "id")) ==
		    NULL)
			return con_refuse(p->c->an, 400,
			    "file is not one of the item");
		node_free(node_take(k, "content_path"));
		node_free(node_take(k, "content"));
	}
	return list != NULL;
}

/* The field is as it was before: nothing more is asked of its value. */
static bool
con_same(const struct con_write *p, const struct node *f)
{
	const struct node *list = node_get(p->was, "fields");
	const struct node *k = node_by_id(list, node_text(f, "id"));

	return k != NULL && node_text(f, "id")[0] != '\0' &&
	    strcasecmp(node_text(k, "type"), node_text(f, "type")) == 0 &&
	    strcmp(node_text(k, "value"), node_text(f, "value")) == 0;
}

/* The type in capitals; those that only answers have must not be new. */
static bool
con_judge_type(struct con_write *p, struct node *f, int i)
{
	static const char writable[] = " STRING EMAIL CONCEALED URL OTP DATE "
	    "MONTH_YEAR MENU ";
	const struct node *list = node_get(p->was, "fields"), *k;
	const char *purpose = node_text(f, "purpose");
	char word[64], low[32];
	size_t n;

	snprintf(low, sizeof(low), "%s", node_text(f, "type"));
	node_free(node_take(f, "type"));
	/* A purpose decides, whatever was sent. */
	if (purpose[0] != '\0' || low[0] == '\0')
		strcpy(low, strcmp(purpose, "PASSWORD") == 0 ? "CONCEALED" :
		    "STRING");
	snprintf(word, sizeof(word), " %s ", low);
	for (char *s = word; *s; s++)
		*s = (char)toupper((u8)*s);
	for (char *s = low; *s; s++)
		*s = (char)tolower((u8)*s);
	k = node_by_id(list, node_text(f, "id"));
	n = strlen(word) - 2;
	if (strstr(writable, word) == NULL && (k == NULL ||
	    strlen(node_text(k, "type")) != n ||
	    memcmp(node_text(k, "type"), word + 1, n) != 0))
		return CON_INVALID(p->c, "details.sections[0].fields[%d] has "
		    "unsupported field type: %s", i, low);
	word[strlen(word) - 1] = '\0';
	node_str(f, "type", word + 1);
	return true;
}

/* Purposes: which category may have which, and each but once. */
static bool
con_judge_purpose(struct con_write *p, struct node *f)
{
	static const struct { const char *purpose, *id, *categories; }
	map[] = { { "USERNAME", "username", " LOGIN " },
		{ "PASSWORD", "password", " LOGIN PASSWORD " },
		{ "NOTES", "notesPlain", NULL } };
	const char *purpose = node_text(f, "purpose");
	char word[64];
	size_t i = 0;

	if (purpose[0] == '\0') {
		node_free(node_take(f, "purpose"));
		return true;
	}
	while (i < LEN(map) && strcmp(map[i].purpose, purpose) != 0)
		i++;
	if (i == LEN(map))
		return con_refuse(p->c->an, 400, "unknown purpose");
	snprintf(word, sizeof(word), " %s ", p->category);
	if (map[i].categories != NULL &&
	    strstr(map[i].categories, word) == NULL)
		return con_refuse(p->c->an, 406, "Not Acceptable");
	for (struct node *k = node_get(p->out, "fields")->kids; k != f;
	     k = k->next)
		if (strcmp(node_text(k, "purpose"), purpose) == 0)
			return con_refuse(p->c->an, 400, "Logic: (Unable to "
			    "parse Item), Validation: (too many \"%s\" fields "
			    "in Apply()), You can only use one \"%s\" field.",
			    map[i].id, map[i].id);
	if (node_text(f, "id")[0] == '\0')
		node_str(f, "id", map[i].id);
	if (node_text(f, "label")[0] == '\0')
		node_str(f, "label", map[i].id);
	return true;
}

/* Seconds, or a day that there is. */
static bool
con_is_date(const char *s)
{
	struct buf b = { 0 };
	char text[32];
	struct text t = { s, strlen(s) };
	bool number;

	con_v_number(&b, t);
	number = b.n > 0;
	buf_free(&b);
	snprintf(text, sizeof(text), "%.20sT00:00:00Z", s);
	return number || (strlen(s) == 10 && time_get(text) != -1);
}

static bool
con_is_month(const char *s)
{
	int month = strlen(s) == 6 ? atoi(s + 4) : 0;

	return strspn(s, "0123456789") == 6 && month >= 1 && month <= 12;
}

/* Values that have a form; a day becomes its seconds. */
static bool
con_judge_value(struct con_write *p, struct node *f)
{
	const char *type = node_text(f, "type"), *v = node_text(f, "value");
	const char *id = node_text(f, "id");
	char text[32];

	if (strcmp(type, "OTP") == 0 && *id && strncmp(id, "TOTP_", 5) != 0)
		return con_refuse(p->c->an, 400, "the id of an OTP field must "
		    "begin with TOTP_");
	if (*v == '\0' || con_same(p, f))
		return true;
	if (strcmp(type, "MONTH_YEAR") == 0 && !con_is_month(v))
		return con_refuse(p->c->an, 400, "not a month: %.20s", v);
	if (strcmp(type, "DATE") != 0)
		return true;
	if (!con_is_date(v))
		return con_refuse(p->c->an, 400, "not a date: %.20s", v);
	if (v[4] == '-' && strlen(v) == 10) {
		snprintf(text, sizeof(text), "%sT00:00:00Z", v);
		snprintf(text, sizeof(text), "%lld",
		    (long long)time_get(text));
		node_free(node_take(f, "value"));
		node_str(f, "value", text);
	}
	return true;
}

/* The characters a recipe allows; "" if it is none. */
static bool
con_recipe(const struct node *r, char set[128], long *length)
{
	static const struct { const char *name, *chars; } sets[] = {
		{ "LETTERS", "abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ" },
		{ "DIGITS", "0123456789" }, { "SYMBOLS", "!@.-_*" } };
	const struct node *n = node_get(r, "length");
	const struct node *want = node_get(r, "characterSets");
	size_t known = 0, asked = 0, k = 0;

	*length = n != NULL && n->type == 'l' ? strtol(n->text.p, NULL, 10) :
	    32;
	for (const struct node *s = want ? want->kids : NULL; s; s = s->next)
		asked++;
	for (size_t i = 0; i < LEN(sets); i++) {
		bool on = want == NULL;

		for (const struct node *s = want ? want->kids : NULL; s;
		     s = s->next)
			on |= node_is(s, sets[i].name);
		known += on;
		for (const char *s = sets[i].chars; on && *s; s++)
			if (strchr(node_text(r, "excludeCharacters"), *s) ==
			    NULL)
				set[k++] = *s;
	}
	set[k] = '\0';
	return k > 0 && (want == NULL || asked == known) && *length >= 1 &&
	    *length <= 64;
}

/* Makes the value that a field asks for. */
static bool
con_generate(struct con_write *p, struct node *f)
{
	struct node *on = node_take(f, "generate");
	struct node *recipe = node_take(f, "recipe");
	char set[128], value[65] = "";
	long length = 0;
	u8 r[64];
	bool ok = true, make = node_is(on, "true");

	if (make && node_text(f, "value")[0] == '\0') {
		ok = con_recipe(recipe, set, &length);
		random_get(r, sizeof(r));
		for (long i = 0; ok && i < length; i++)
			value[i] = set[r[i] % strlen(set)];
		node_free(node_take(f, "value"));
		node_str(f, "value", value);
		if (strcmp(node_text(f, "purpose"), "PASSWORD") == 0)
			node_lit(f, "entropy", "%ld.5", 5 * length);
	}
	node_free(on);
	node_free(recipe);
	return ok || con_refuse(p->c->an, 400, "bad recipe");
}

/* Top-level fields that a category has by itself. */
static const struct {
	const char *category, *ids;
} con_templates[] = {
	{ "API_CREDENTIAL", " username credential type filename validFrom "
	    "expires hostname " },
	{ "DATABASE", " username password hostname server port database "
	    "database_type sid alias options " },
	{ "SERVER", " username password url " },
	{ "SSH_KEY", " private_key public_key fingerprint key_type " },
};

/* Is this field, which has no section, one of the category or the item? */
static bool
con_is_own(const struct con_write *p, const struct node *f)
{
	const struct node *old = node_by_id(node_get(p->was, "fields"),
	    node_text(f, "id"));
	char word[64];

	if (node_text(f, "purpose")[0] != '\0' ||
	    (old != NULL && node_get(old, "section") == NULL))
		return true;
	snprintf(word, sizeof(word), " %.60s ", node_text(f, "id"));
	for (size_t i = 0; i < LEN(con_templates); i++)
		if (strcmp(con_templates[i].category, p->category) == 0)
			return strstr(con_templates[i].ids, word) != NULL;
	return false;
}

/* Is there another field of this id in the same section? */
static bool
con_is_twice(const struct con_write *p, const struct node *f)
{
	const struct node *k = node_get(p->out, "fields")->kids;

	for (; k != NULL; k = k->next)
		if (k != f && strcmp(node_text(k, "id"), node_text(f, "id")) ==
		    0 && strcmp(node_text(node_get(k, "section"), "id"),
		    node_text(node_get(f, "section"), "id")) == 0)
			return true;
	return false;
}

/* Ids and sections of fields that come without. */
static bool
con_place_field(struct con_write *p, struct node *f)
{
	static const char *const strings[] = { "id", "label", NULL };
	struct node *s = node_take(f, "section"), *list;
	char id[32] = "TOTP_";
	bool otp = strcmp(node_text(f, "type"), "OTP") == 0;
	const char *sid;

	if (s != NULL)
		node_add(f, "section", s);
	if (s != NULL && !con_types(p, s, strings, 's'))
		return false;
	sid = node_text(s, "id");
	if (s != NULL && *sid == '\0')
		return con_refuse(p->c->an, 400, "section without id");
	if (s == NULL && !con_is_own(p, f)) {
		con_ref(f, "section", "add more");
		list = node_get(p->out, "sections");
		if (node_by_id(list, "add more") == NULL)
			con_ref(list, NULL, "add more");
	}
	if (node_text(f, "id")[0] == '\0') {
		new_uuid(id + 5, false);
		node_free(node_take(f, "id"));
		node_str(f, "id", otp ? id : id + 5);
	}
	if (con_is_twice(p, f))
		return con_refuse(p->c->an, 400, "two fields have one id");
	return true;
}

/* One field, number i: what the server does not store is dropped. */
static bool
con_judge_field(struct con_write *p, struct node *f, int i)
{
	static const char *const strings[] = { "id", "type", "purpose",
		"label", "value", "totp", NULL };
	static const char *const objects[] = { "section", "recipe", NULL };
	static const char *const words[] = { "generate", "entropy", NULL };
	static const char *const dropped[] = { "totp", "entropy" };
	const struct node *old;

	if (!con_types(p, f, strings, 's') || !con_types(p, f, objects, 'o') ||
	    !con_types(p, f, words, 'l'))
		return false;
	old = con_same(p, f) ? node_by_id(node_get(p->was, "fields"),
	    node_text(f, "id")) : NULL;
	old = node_get(old, "entropy");
	for (size_t k = 0; k < LEN(dropped); k++)
		node_free(node_take(f, dropped[k]));
	if (old != NULL)
		node_lit(f, "entropy", "%s", old->text.p);
	if (!con_judge_type(p, f, i) || !con_judge_purpose(p, f) ||
	    !con_judge_value(p, f) || !con_generate(p, f) ||
	    !con_place_field(p, f))
		return false;
	if (node_text(f, "value")[0] == '\0')
		node_free(node_take(f, "value"));
	return true;
}

/* All fields; a notes field is added when there is none. */
static bool
con_judge_fields(struct con_write *p)
{
	struct node *list = con_take_list(p, "fields");
	bool notes = false, password = false;
	struct text none = { 0 };
	int i = 0;

	for (struct node *k = list ? list->kids : NULL; k; k = k->next) {
		if (!con_judge_field(p, k, i++))
			return false;
		notes |= strcmp(node_text(k, "purpose"), "NOTES") == 0;
		password |= strcmp(node_text(k, "purpose"), "PASSWORD") == 0;
	}
	if (list == NULL)
		return false;
	if (strcmp(p->category, "PASSWORD") == 0 && !password)
		return CON_INVALID(p->c, "Required field \\\"%s\\\" not found",
		    "details.password");
	if (!notes && node_by_id(list, "notesPlain") == NULL)
		con_purpose(list, "notesPlain", "NOTES", none);
	return true;
}

/* The whole body; what will be stored is in p->out then. */
static bool
con_judge(struct con_write *p)
{
	p->out = node_new('o');
	if (p->body->type != 'o')
		return con_wrong_type(p, "item");
	if (!con_judge_head(p) || !con_judge_place(p) ||
	    !con_judge_sections(p) || !con_judge_fields(p) ||
	    !con_judge_files(p))
		return false;
	node_str(p->out, "category", p->category);
	return true;
}

/* ====================================================================
 * C8 Writing
 * ==================================================================== */

/* The body as a tree, or NULL: the answer says why. */
static struct node *
con_body(struct call *c)
{
	const char *type = header(c->rq, "Content-Type");
	struct text t;
	struct node *n;
	bool twice = false;

	if (type == NULL || strncasecmp(type, "application/json", 16) != 0) {
		con_refuse(c->an, 400, "Content-Type is not application/json");
		return NULL;
	}
	if (c->rq->body.n == 0 ||
	    !js_whole(&t, c->rq->body.p, c->rq->body.n)) {
		con_refuse(c->an, 400, "Invalid request body: not JSON");
		return NULL;
	}
	n = node_read(t, &twice);
	if (!twice)
		return n;
	node_free(n);
	con_refuse(c->an, 400, "Invalid request body: a member comes twice");
	return NULL;
}

/* What readers will go on seeing for a while. */
static void
con_keep_old(struct item *it, const struct node *was)
{
	struct buf b = { 0 };

	if (con.lag == 0)
		return;
	if (it->old != NULL) {
		it->old->left = con.lag;
		return;
	}
	it->old = xalloc(sizeof(*it->old));
	it->old->left = con.lag;
	it->old->version = it->version;
	memcpy(it->old->updated, it->updated, sizeof(it->updated));
	if (was == NULL)
		return;
	node_print(&b, was);
	it->old->json = b.p;
}

/* What `list` shows of the item. */
static void
con_learn(struct item *it, const struct node *out)
{
	static const struct { const char *purpose, *id; bool pass; } map[] = {
		{ "USERNAME", "username", false },
		{ "PASSWORD", "password", true }, { "-", "credential", true } };
	const struct node *list = node_get(out, "fields");
	const struct node *title = node_get(out, "title");

	free(it->title);
	free(it->user);
	free(it->pass);
	it->title = title ? xstrdup(title->text.p) : NULL;
	it->user = it->pass = NULL;
	for (const struct node *k = list->kids; k != NULL; k = k->next)
		for (size_t i = 0; i < LEN(map); i++) {
			char **to = map[i].pass ? &it->pass : &it->user;

			if (*to == NULL && (strcmp(node_text(k, "purpose"),
			    map[i].purpose) == 0 || (node_get(k, "section") ==
			    NULL && strcmp(node_text(k, "id"), map[i].id) ==
			    0)))
				*to = xstrdup(node_text(k, "value"));
		}
}

/* The item is this content from now on. */
static void
con_store(struct item *it, struct con_write *p)
{
	struct buf b = { 0 };

	con_learn(it, p->out);
	if (p->it == NULL)
		item_seal(it);
	else
		it->version++;
	it->raw = true;
	con_prune(p->out);
	node_print(&b, p->out);
	free(it->con);
	it->con = b.p;
	con_now(it->updated);
	it->v->content_version++;
	write_count++;
	buf_fmt(&p->c->an->note, ",\"item\":\"%s\",\"itemVersion\":%d",
	    it->uuid, it->version);
}

static void
con_write_free(struct con_write *p)
{
	node_free(p->body);
	node_free(p->out);
	node_free(p->was);
}

static bool
con_create(struct call *c)
{
	struct con_query q;
	struct con_write p = { .c = c };
	struct con_view w;
	struct vault *v = con_vault_of(c, ACL_CREATE);
	struct item *it;
	const char *tmpl = "001";
	bool ok;

	p.v = v;
	if (v == NULL || !con_query(c, &q, "") ||
	    (p.body = con_body(c)) == NULL)
		return false;
	ok = con_judge(&p);
	if (ok) {
		for (size_t i = 0; i < LEN(con_categories); i++)
			if (strcmp(con_categories[i].word, p.category) == 0)
				tmpl = con_categories[i].tmpl;
		it = item_new(v, tmpl, NULL, NULL, NULL);
		con_keep_old(it, NULL);
		con_store(it, &p);
		memcpy(it->created, it->updated, sizeof(it->created));
		w = con_view(it, con_content(it, true), it->version);
		con_tell_one(c, &w);
	}
	con_write_free(&p);
	return ok;
}

/* Stores a changed item and tells it: with its version from before. */
static bool
con_change(struct con_write *p, struct item *it)
{
	struct con_view w;

	if (!con_judge(p))
		return false;
	con_keep_old(it, p->was);
	con_store(it, p);
	w = con_view(it, con_content(it, true), it->version - 1);
	con_tell_one(p->c, &w);
	return true;
}

/* The item of the path, for a writer: archived ones are out of reach. */
static struct item *
con_target(struct call *c, struct vault *v)
{
	struct item *it = v != NULL ? con_item_of(c, v) : NULL;

	if (it != NULL && it->trashed != 'N') {
		con_refuse(c->an, 404, "item %s not found", it->uuid);
		return NULL;
	}
	/* Somebody was quicker. */
	if (it != NULL && c->fx->on[K_CONCURRENT])
		con_meddle(it);
	return it;
}

static bool
con_put(struct call *c)
{
	struct con_query q;
	struct vault *v = con_vault_of(c, ACL_UPDATE);
	struct item *it = con_target(c, v);
	struct con_write p = { .c = c, .v = v, .it = it };
	bool ok;

	if (it == NULL || !con_query(c, &q, "") ||
	    (p.body = con_body(c)) == NULL)
		return false;
	p.was = con_content(it, true);
	ok = con_change(&p, it);
	con_write_free(&p);
	return ok;
}

static bool
con_delete(struct call *c)
{
	struct con_query q;
	struct item *it = con_target(c, con_vault_of(c, ACL_DELETE));
	struct node *was;

	if (it == NULL || !con_query(c, &q, ""))
		return false;
	was = con_content(it, true);
	con_keep_old(it, was);
	node_free(was);
	it->trashed = 'D';
	it->v->content_version++;
	write_count++;
	buf_fmt(&c->an->note, ",\"item\":\"%s\"", it->uuid);
	c->an->status = 204;
	return true;
}

/* ====================================================================
 * C9 Patches
 * ==================================================================== */

#define CON_DEEP 8

/* One operation: where, and with what. */
struct con_op {
	struct call *c;
	char *seg[CON_DEEP];
	int n;
	struct node *value;     /* NULL: none given */
};

/* Cuts a path into its parts; ~1 is a slash and ~0 a tilde. */
static bool
con_pointer(struct con_op *op, char *path)
{
	if (*path++ != '/')
		return false;
	while (path != NULL && op->n < CON_DEEP)
		op->seg[op->n++] = strsep(&path, "/");
	for (int i = 0; i < op->n; i++) {
		char *to = op->seg[i];

		for (const char *s = to; *s != '\0'; s++) {
			if (*s == '~' && (s[1] == '0' || s[1] == '1'))
				*to++ = *++s == '1' ? '/' : '~';
			else
				*to++ = *s;
		}
		*to = '\0';
	}
	return path == NULL;
}

/* Elements of these are named by their ids, those of others by number. */
static bool
con_by_id(const struct node *list)
{
	return list->name != NULL && (strcmp(list->name, "fields") == 0 ||
	    strcmp(list->name, "sections") == 0 ||
	    strcmp(list->name, "files") == 0);
}

/* The kid that one part of a path names, or NULL. */
static struct node *
con_step_into(const struct node *at, const char *seg)
{
	struct node *k = at->kids;
	size_t i;

	if (at->type == 'o')
		return node_get(at, seg);
	if (at->type != 'a')
		return NULL;
	if (con_by_id(at))
		return node_by_id(at, seg);
	if (*seg == '\0' || strspn(seg, "0123456789") != strlen(seg))
		return NULL;
	for (i = strtoul(seg, NULL, 10); k != NULL && i > 0; i--)
		k = k->next;
	return k;
}

/* Puts `kid` in the place of `old`, which is freed. */
static void
node_swap(struct node *in, struct node *old, struct node *kid)
{
	struct node **at = &in->kids;

	while (*at != old)
		at = &(*at)->next;
	kid->next = old->next;
	kid->name = old->name;
	old->name = NULL;
	*at = kid;
	if (in->tail == old)
		in->tail = kid;
	node_free(old);
}

/* add: to a list as a whole, at its end, or as a member. */
static bool
con_op_add(struct con_op *op, struct node *in, const char *last)
{
	struct node *at = con_step_into(in, last), *v = op->value;
	bool list = at != NULL && at->type == 'a';

	op->value = NULL;
	if (list && v->type != 'a')
		node_add(at, NULL, v);
	else if (in->type == 'a' && !con_by_id(in) &&
	    (strcmp(last, "-") == 0 || at != NULL))
		node_add(in, NULL, v);
	else if (in->type == 'o' && at != NULL)
		node_swap(in, at, v);
	else if (in->type == 'o')
		node_add(in, last, v);
	else {
		node_free(v);
		return con_refuse(op->c->an, 400, "nothing to add to: %.60s",
		    last);
	}
	return true;
}

/* What a name must not reach: the server keeps these itself. */
static bool
con_is_kept(const char *name)
{
	static const char kept[] = " id vault version category createdAt "
	    "updatedAt lastEditedBy files state ";
	char word[48];

	snprintf(word, sizeof(word), " %.40s ", name);
	return strstr(kept, word) != NULL;
}

/* A list that is missing because it is empty. */
static void
con_op_lists(struct node *root)
{
	static const char *const names[] = { "tags", "urls", "sections",
		"fields" };

	for (size_t i = 0; i < LEN(names); i++)
		if (node_get(root, names[i]) == NULL)
			node_add(root, names[i], node_new('a'));
}

/* Does one operation to the item in *root. */
static bool
con_op_run(struct con_op *op, struct node **root, const char *what)
{
	struct node *in = *root, *at;
	const char *last = op->seg[op->n - 1];

	if (op->n == 1 && *last == '\0' && strcmp(what, "replace") == 0 &&
	    op->value != NULL) {
		node_free(*root);
		*root = op->value;
		op->value = NULL;
		return true;
	}
	if (in->type == 'o')
		con_op_lists(in);
	for (int i = 0; i < op->n - 1 && in != NULL; i++)
		in = con_step_into(in, op->seg[i]);
	at = in != NULL ? con_step_into(in, last) : NULL;
	if (in == NULL || con_is_kept(op->seg[0]) ||
	    (in->type == 'a' && at == NULL && strcmp(what, "add") != 0))
		return con_refuse(op->c->an, 400, "no such path");
	if (strcmp(what, "remove") == 0) {
		if (at == NULL || op->value != NULL)
			return con_refuse(op->c->an, 400, "nothing to remove");
		node_free(node_cut(in, at));
		return true;
	}
	if (op->value == NULL)
		return con_refuse(op->c->an, 400, "operation without value");
	if (strcmp(what, "add") == 0 || at == NULL)
		return con_op_add(op, in, last);
	node_swap(in, at, op->value);
	op->value = NULL;
	return true;
}

/* Reads one element of the body and does it. */
static bool
con_op(struct call *c, struct node **root, struct node *el)
{
	struct con_op op = { .c = c };
	const char *what = node_text(el, "op");
	char *path = xstrdup(node_text(el, "path"));
	bool ok;

	if (strcmp(what, "add") != 0 && strcmp(what, "remove") != 0 &&
	    strcmp(what, "replace") != 0)
		ok = con_refuse(c->an, 400, "unknown operation: %.32s", what);
	else if (!con_pointer(&op, path))
		ok = con_refuse(c->an, 400, "malformed path: %.60s", path);
	else {
		op.value = node_take(el, "value");
		if (op.value != NULL) {
			free(op.value->name);
			op.value->name = NULL;
		}
		ok = con_op_run(&op, root, what);
	}
	node_free(op.value);
	free(path);
	return ok;
}

static bool
con_patch(struct call *c)
{
	struct con_query q;
	struct vault *v = con_vault_of(c, ACL_READ | ACL_UPDATE);
	struct item *it = con_target(c, v);
	struct con_write p = { .c = c, .v = v, .it = it };
	struct con_view w;
	struct node *ops;
	bool ok = true;

	if (it == NULL || !con_query(c, &q, "") || (ops = con_body(c)) == NULL)
		return false;
	p.was = con_content(it, true);
	p.body = con_content(it, true);
	node_str(p.body, "id", it->uuid);
	con_ref(p.body, "vault", v->uuid);
	if (ops->type != 'a')
		ok = con_refuse(c->an, 400, "the body is not an array");
	for (struct node *k = ops->kids; k != NULL && ok; k = k->next)
		ok = k->type == 'o' ? con_op(c, &p.body, k) :
		    con_refuse(c->an, 400, "an operation is no object");
	if (ok && ops->kids != NULL) {
		ok = con_change(&p, it);
	} else if (ok) {
		w = con_view(it, con_content(it, true), it->version);
		con_tell(&c->an->body, &w, true);
	}
	node_free(ops);
	con_write_free(&p);
	return ok;
}

/* ====================================================================
 * C10 Routes and answers
 * ==================================================================== */

/* `open`: no token is asked for; `slash`: one may stand at the end. A list
 * that is asked for with a query is a step of its own. */
static const struct con_route {
	enum step step;
	const char *method, *path;
	bool (*run)(struct call *);
	bool open, slash;
} con_routes[] = {
	{ S_CON_HEARTBEAT, "GET", "/heartbeat", con_heartbeat, 1, 0 },
	{ S_CON_HEALTH, "GET", "/health", con_health, 1, 0 },
	{ S_CON_ACTIVITY, "GET", "/v1/activity", con_activity, 0, 0 },
	{ S_CON_VAULTS, "GET", "/v1/vaults", con_vaults, 0, 1 },
	{ S_CON_VAULT, "GET", "/v1/vaults/*", con_vault, 0, 0 },
	{ S_CON_FIND, "GET", "/v1/vaults/*/items", con_items, 0, 1 },
	{ S_CON_ITEMS, "GET", "/v1/vaults/*/items", con_items, 0, 1 },
	{ S_CON_CREATE, "POST", "/v1/vaults/*/items", con_create, 0, 1 },
	{ S_CON_ITEM, "GET", "/v1/vaults/*/items/*", con_item, 0, 0 },
	{ S_CON_PUT, "PUT", "/v1/vaults/*/items/*", con_put, 0, 0 },
	{ S_CON_PATCH, "PATCH", "/v1/vaults/*/items/*", con_patch, 0, 0 },
	{ S_CON_DELETE, "DELETE", "/v1/vaults/*/items/*", con_delete, 0, 0 },
	{ S_CON_FILES, "GET", "/v1/vaults/*/items/*/files", con_files, 0, 1 },
	{ S_CON_FILE, "GET", "/v1/vaults/*/items/*/files/*", con_file, 0, 0 },
	{ S_CON_CONTENT, "GET", "/v1/vaults/*/items/*/files/*/content",
	    con_file_content, 0, 0 },
};

/* The route of a request, or NULL; *other: there is one for its path. */
static const struct con_route *
con_route_find(struct request *rq, bool *other)
{
	char *path = rq->path;
	size_t base = strlen(con.base), n;
	const struct con_route *r = NULL;
	bool slash;

	*other = false;
	if (strncmp(path, con.base, base) != 0)
		return NULL;
	path = xstrdup(path + base);
	n = strlen(path);
	slash = n > 1 && path[n - 1] == '/';
	if (slash)
		path[n - 1] = '\0';
	for (size_t i = 0; r == NULL && i < LEN(con_routes); i++) {
		if ((slash && !con_routes[i].slash) ||
		    (con_routes[i].step == S_CON_FIND &&
			rq->query[0] == '\0') ||
		    !path_match(con_routes[i].path, path, rq->seg))
			continue;
		*other = true;
		if (strcmp(con_routes[i].method, rq->method) == 0)
			r = &con_routes[i];
	}
	free(path);
	return r;
}

static enum step
con_step(struct request *rq)
{
	bool other;
	const struct con_route *r = con_route_find(rq, &other);

	return r != NULL ? r->step : S_CON_OTHER;
}

/* The token, and what every request has to be. */
static bool
con_admit(struct call *c)
{
	const char *auth = header(c->rq, "Authorization");
	bool writes = strcmp(c->rq->method, "GET") != 0 &&
	    strcmp(c->rq->method, "DELETE") != 0;

	if (header(c->rq, "Host") == NULL || header(c->rq, "Host")[0] == '\0')
		return con_refuse(c->an, 400, "Host missing");
	if (auth == NULL || strncmp(auth, "Bearer ", 7) != 0)
		return con_refuse(c->an, 401, "Invalid bearer token");
	if (strcmp(auth + 7, con.token) != 0 || account.revoked)
		return con_refuse(c->an, 401, "Invalid token signature");
	if (con.has_exp && time(NULL) >= con.exp)
		return con_refuse(c->an, 401, "Invalid bearer token");
	if (!writes && c->rq->body.n > 0)
		return con_refuse(c->an, 400, "%s with a body",
		    c->rq->method);
	con.synced = true;
	return true;
}

/* Faults that answer instead of the handler; true if one did. */
static bool
con_fault_instead(struct call *c)
{
	const char *to = c->fx->arg[K_REDIRECT];

	if (!fault_instead(c))
		return false;
	if (c->fx->on[K_CUT])
		return true;
	con_refuse(c->an, c->an->status, "%s", con_message(c->an->status));
	c->an->why[0] = '\0';
	if (!c->fx->on[K_REDIRECT] || c->an->status != 302)
		return true;
	c->an->extra[0] = '\0';
	if (to[0] != '\0')
		con_header(c->an, "Location: %s", to);
	else
		con_header(c->an, "Location: %s://%.60s%.150s", con.https ?
		    "https" : "http", header(c->rq, "Host") ?
		    header(c->rq, "Host") : "", c->rq->target);
	return true;
}

/* Faults that change what a handler, or a fault, has made. */
static void
con_fault_after(struct answer *an, const struct fx *fx, enum step step)
{
	if (con.body[step] != NULL && an->status == 200) {
		an->body.n = 0;
		buf_str(&an->body, con.body[step]);
	}
	if (fx->on[K_AFTER])
		con_refuse(an, (int)fx_num(fx, K_AFTER, 500), "%s",
		    con_message((int)fx_num(fx, K_AFTER, 500)));
	if (fx->on[K_BODY]) {
		an->body.n = 0;
		buf_str(&an->body, fx->arg[K_BODY]);
	}
	if (fx->on[K_HTML]) {
		an->type = "text/html; charset=utf-8";
		an->body.n = 0;
		buf_str(&an->body, "<!DOCTYPE html>\n<html><head><title>"
		    "Sign in</title></head><body><h1>Welcome</h1></body>"
		    "</html>\n");
	}
	if (fx->on[K_BADJSON] && an->body.n > 0)
		an->body.n--;
	if (fx->on[K_DUPKEY] && an->body.n > 0)
		dup_first(&an->body);
	if (fx->on[K_BADTAG] && an->raw && an->body.n > 0)
		an->body.p[an->body.n - 1] ^= 1;
}

/* Go counts short bodies; longer ones come as chunks, if no fault needs a
 * length to play with. */
static bool
con_chunks(const struct answer *an, const struct fx *fx)
{
	static const enum kind counted[] = { K_TRUNCATE, K_STALL, K_HUGEBODY,
		K_TWOLENGTHS, K_CLOSEDELIM, K_CUTDELIM, K_HTTP10,
		K_EMPTYBODY };

	for (size_t i = 0; i < LEN(counted); i++)
		if (fx->on[counted[i]])
			return false;
	return fx->on[K_CUTCHUNK] ||
	    (!an->raw && an->body.n > CON_CHUNK_MIN);
}

/* Fills the answer; the lock is held. */
static void
con_answer(struct request *rq, struct answer *an, struct fx *fx)
{
	struct call c = { .rq = rq, .an = an, .fx = fx };
	bool other;
	const struct con_route *r = con_route_find(rq, &other);

	an->status = 200;
	an->type = "application/json";
	if (con_fault_instead(&c))
		;
	else if (r == NULL)
		con_refuse(an, other ? 405 : 404, other ?
		    "method not allowed" : "page not found");
	else if (r->open || con_admit(&c))
		r->run(&c);
	con_fault_after(an, fx, r != NULL ? r->step : S_CON_OTHER);
	if (con.version != NULL && con.version[0] != '\0')
		con_header(an, "1Password-Connect-Version: %.40s",
		    con.version);
	an->go_chunk = con_chunks(an, fx);
	if (an->why[0] == '\0')
		snprintf(an->why, sizeof(an->why), "%s", fx->names);
	buf_free(&c.pt);
}

/* ====================================================================
 * C11 Token, options, commands
 * ==================================================================== */

/* An id that depends on the account and a word, in capitals. */
static void
con_id(char out[27], const char *word)
{
	char text[80];
	u8 h[32];

	snprintf(text, sizeof(text), "%s %s", account.user, word);
	sha256(h, text, strlen(text));
	uuid_put(out, h, true);
}

/* "u" in capitals, as it is said to be; paths want small letters. */
static void
con_token_vaults(struct buf *b)
{
	char id[27], word[32];
	const char *comma = "";

	for (int i = 0; i < account.nvaults; i++) {
		if (!con_has_vault(&account.vault[i]))
			continue;
		buf_fmt(b, "%s{\"u\":\"", comma);
		for (const char *p = account.vault[i].uuid; *p; p++)
			buf_fmt(b, "%c", toupper((u8)*p));
		buf_fmt(b, "\",\"a\":%u}", account.vault[i].acl);
		comma = ",";
	}
	for (int i = 0; i < con.spare; i++) {
		snprintf(word, sizeof(word), "spare vault %d", i);
		con_id(id, word);
		buf_fmt(b, "%s{\"u\":\"%s\",\"a\":48}", comma, id);
		comma = ",";
	}
}

/* Makes the token; the signature is 64 equal bytes, nobody can check it. */
static void
con_token_make(void)
{
	struct buf head = { 0 }, body = { 0 }, out = { 0 };
	char kid[27], jti[27], sub[27], acc[27], inner[27];
	u8 sig[64];

	con_id(kid, "kid");
	con_id(jti, "jti");
	con_id(sub, "integration");
	con_id(acc, "account");
	con_id(inner, "inner");
	buf_fmt(&head, "{\"alg\":\"ES256\",\"kid\":\"%s\",\"typ\":\"JWT\"}",
	    kid);
	buf_fmt(&body, "{\"1password.com/auuid\":\"%s\","
	    "\"1password.com/fts\":[\"vaultaccess\"],"
	    "\"1password.com/token\":\"inner-secret-%s\","
	    "\"1password.com/vts\":[", acc, inner);
	con_token_vaults(&body);
	buf_fmt(&body, "],\"aud\":[\"com.1password.connect\"],"
	    "\"iat\":1704067200,\"iss\":\"com.1password.b5\","
	    "\"jti\":\"%s\",\"sub\":\"%s\"", jti, sub);
	if (con.has_exp)
		buf_fmt(&body, ",\"exp\":%lld", (long long)con.exp);
	buf_str(&body, "}");
	memset(sig, 0x5a, sizeof(sig));
	buf_b64(&out, head.p, head.n);
	buf_str(&out, ".");
	buf_b64(&out, body.p, body.n);
	buf_str(&out, ".");
	buf_b64(&out, sig, sizeof(sig));
	free(con.token);
	con.token = out.p;
	buf_free(&head);
	buf_free(&body);
}

/* The URL of this server as clients get it; static memory. */
static const char *
con_url_text(void)
{
	static char url[256];

	snprintf(url, sizeof(url), "%s://%s:%d%s", con.https ? "https" :
	    "http", con.https ? opt_host : "127.0.0.1", con.port, con.base);
	return url;
}

/* An option of the command line; false if it is not one of these. */
static bool
con_option(const char *name, const char *v)
{
	if (strcmp(name, "--connect") == 0) {
		con.on = true;
		con.https = strcmp(v, "https") == 0;
		return con.https || strcmp(v, "http") == 0;
	}
	if (strcmp(name, "--connect-port") == 0) {
		con.want_port = atoi(v);
	} else if (strcmp(name, "--connect-exp") == 0) {
		con.has_exp = true;
		con.exp = time(NULL) + strtol(v, NULL, 10);
	} else if (strcmp(name, "--connect-base") == 0) {
		con.base = v;
		return v[0] == '\0' || (v[0] == '/' &&
		    v[strlen(v) - 1] != '/');
	} else if (strcmp(name, "--connect-vaults") == 0) {
		con.spare = atoi(v);
	} else {
		return false;
	}
	return true;
}

/* Before the socket is opened: the token, and how connections are met. */
static void
con_init(void)
{
	con.version = xstrdup("1.8.1");
	con.mode = con.https ? tls_mode : TLS_PLAIN;
	con_token_make();
}

/* lag N: after a write, N reads still see the state before. */
static void
cmd_lag(char **w, int n)
{
	if (n != 2 || strspn(w[1], "0123456789") != strlen(w[1])) {
		say("error lag N");
		return;
	}
	con.lag = atoi(w[1]);
	say("ok");
}

/* How connections to the Connect port are met from now on. */
static bool
con_mode_set(const char *word)
{
	static const struct { const char *word; int mode; } modes[] = {
		{ "plain", TLS_PLAIN }, { "silent", TLS_SILENT },
		{ "close-in-handshake", TLS_CLOSE } };

	if (strcmp(word, "on") == 0) {
		con.mode = con.https ? TLS_ON : TLS_PLAIN;
		return true;
	}
	for (size_t i = 0; i < LEN(modes); i++)
		if (strcmp(modes[i].word, word) == 0) {
			con.mode = modes[i].mode;
			return true;
		}
	return false;
}

/*
 * connect                 ok URL TOKEN
 * connect rights 401|403  what a missing right to write is answered with
 * connect totp on|off     codes in answers
 * connect archived on|off archived items in lists, with their state
 * connect version [TEXT]  of the server; none: no header
 * connect inline BYTES    largest file in JSON
 * connect mode on|plain|silent|close-in-handshake
 */
static void
cmd_connect(char **w, int n)
{
	const char *v = n > 2 ? w[2] : "";
	bool on = strcmp(v, "on") == 0, ok = n > 2;

	if (n == 1 && con.on) {
		say("ok %s %s", con_url_text(), con.token);
		return;
	}
	if (n > 1 && strcmp(w[1], "rights") == 0)
		con.rights = atoi(v);
	else if (n > 1 && strcmp(w[1], "totp") == 0)
		con.no_totp = !on;
	else if (n > 1 && strcmp(w[1], "archived") == 0)
		con.archived = on;
	else if (n > 1 && strcmp(w[1], "inline") == 0)
		con.inline_max = strtoul(v, NULL, 10);
	else if (n > 1 && strcmp(w[1], "mode") == 0)
		ok = con_mode_set(v);
	else if (n > 1 && strcmp(w[1], "version") == 0) {
		text_set(&con.version, v);
		ok = true;
	} else
		ok = false;
	say(ok ? "ok" : "error connect [rights|totp|archived|inline|mode|"
	    "version VALUE]");
}

/* condump VAULT ITEM: the item as Connect tells it, with the escapes of
 * `list`; what a lag hides is shown. */
static void
cmd_condump(char **w, int n)
{
	struct vault *v = n == 3 ? vault_named(w[1]) : NULL;
	struct item *it = v != NULL ? item_named(v, w[2]) : NULL;
	struct con_view view;
	struct buf b = { 0 };

	if (it == NULL) {
		say("error condump VAULT ITEM");
		return;
	}
	view = con_view(it, con_content(it, true), it->version);
	con_tell(&b, &view, true);
	printf("ok %s\t%c\t%d", it->uuid, it->trashed, it->version);
	list_text(b.p);
	say("%s", "");
	buf_free(&b);
}

/*
 * conbody STEP [TEXT]: from now on a good answer of that step has this body;
 * without TEXT it has its own again.
 */
static void
cmd_conbody(char *line)
{
	size_t n = strcspn(line, " ");

	for (int i = S_CON_HEARTBEAT; i < S_N; i++)
		if (strlen(step_name[i]) == n &&
		    memcmp(step_name[i], line, n) == 0) {
			free(con.body[i]);
			con.body[i] = line[n] == ' ' ?
			    xstrdup(line + n + 1) : NULL;
			say("ok");
			return;
		}
	say("error conbody STEP [TEXT]");
}

/*
 * conput VAULT {"category":...,"fields":[...],...}: an item with this
 * content, unjudged, or with "id" a new version of that one.
 */
static void
cmd_conput(char *line)
{
	char *js = strchr(line, '{');
	struct vault *v = NULL;
	struct item *it;
	struct text whole;
	struct node *n;
	bool twice;

	if (js != NULL && js > line && js_whole(&whole, js, strlen(js))) {
		js[-1] = '\0';
		v = vault_named(line);
	}
	if (v == NULL) {
		say("error conput VAULT {category, title, fields...}");
		return;
	}
	n = node_read(whole, &twice);
	it = item_find(v, node_text(n, "id"));
	if (it == NULL) {
		it = item_new(v, "001", node_text(n, "title"), NULL, NULL);
		item_seal(it);
		it->raw = true;
	} else {
		it->version++;
		text_set(&it->title, node_text(n, "title"));
	}
	free(it->con);
	it->con = text_dup(whole);
	v->content_version++;
	node_free(n);
	say("ok %s", it->uuid);
}
