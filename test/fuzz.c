/* SPDX-License-Identifier: MIT
 *
 * fuzz.c: fuzzers for opmcp. Each kind runs a piece of the program on hostile
 * bytes and compares what it does with a slow, obvious oracle or with what
 * must hold in any case; a difference aborts.
 *
 *	clang -g -O1 -fsanitize=fuzzer,address,undefined -DFUZZ_JSON \
 *	    -o fuzz test/fuzz.c -lbearssl && ./fuzz -max_len=4096
 *
 * and the same with HTTP, B64, TOKEN, LINE, ITEM, NAME, URI, ASK, RULES, AUDIT
 * and VALUE in place of JSON.
 * With -DFUZZ_MAIN any compiler will do: the program then changes built-in
 * examples by itself. "./fuzz [SEED [COUNT]]" repeats a run; it prints its
 * seed, and the input that failed. Without a kind it runs all of them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <bearssl.h>

/* The plaintext of a TLS connection comes from here, as in unit.c. */
static unsigned feed_state(void);
static unsigned char *feed_buf(size_t *n);
static void feed_ack(size_t n);

#define br_ssl_engine_current_state(c) feed_state()
#define br_ssl_engine_last_error(c) BR_ERR_OK
#define br_ssl_engine_recvapp_buf(c, n) feed_buf(n)
#define br_ssl_engine_recvapp_ack(c, n) feed_ack(n)

/* Few, or an audit input would mostly clear memory. */
#include "../opmcp.h"
#undef AUD_RUNS_MAX
#define AUD_RUNS_MAX 64u

#define main opmcp_main
#include "../opmcp.c"
#undef main

#include <ctype.h>
#include <strings.h>

#define B(lit) { (const u8 *)("" lit), sizeof(lit) - 1 }

static struct arena T;          /* of the input under way */

#define MUST_HOLD(...) must_hold((__VA_ARGS__), __LINE__, #__VA_ARGS__)

static void
must_hold(bool ok, int line, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "test/fuzz.c:%d: not so: %s\n", line, what);
	abort();
}

static bool
is_zero(const u8 *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* ====================================================================
 * UTF-8, by the table of RFC 3629 section 4
 * ==================================================================== */

static bool
in(const u8 *p, size_t n, size_t i, unsigned lo, unsigned hi)
{
	return i < n && p[i] >= lo && p[i] <= hi;
}

/* Length of the character at p, 0 when there is none; its number. */
static size_t
slow_utf8(const u8 *p, size_t n, uint32_t *cp)
{
	if (in(p, n, 0, 0x00, 0x7f)) {
		*cp = p[0];
		return 1;
	}
	if (in(p, n, 0, 0xc2, 0xdf) && in(p, n, 1, 0x80, 0xbf)) {
		*cp = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
		return 2;
	}
	if ((in(p, n, 0, 0xe0, 0xe0) && in(p, n, 1, 0xa0, 0xbf) &&
	    in(p, n, 2, 0x80, 0xbf)) ||
	    (in(p, n, 0, 0xe1, 0xec) && in(p, n, 1, 0x80, 0xbf) &&
	    in(p, n, 2, 0x80, 0xbf)) ||
	    (in(p, n, 0, 0xed, 0xed) && in(p, n, 1, 0x80, 0x9f) &&
	    in(p, n, 2, 0x80, 0xbf)) ||
	    (in(p, n, 0, 0xee, 0xef) && in(p, n, 1, 0x80, 0xbf) &&
	    in(p, n, 2, 0x80, 0xbf))) {
		*cp = (p[0] & 0xfu) << 12 | (p[1] & 0x3fu) << 6 |
		    (p[2] & 0x3fu);
		return 3;
	}
	if (((in(p, n, 0, 0xf0, 0xf0) && in(p, n, 1, 0x90, 0xbf)) ||
	    (in(p, n, 0, 0xf1, 0xf3) && in(p, n, 1, 0x80, 0xbf)) ||
	    (in(p, n, 0, 0xf4, 0xf4) && in(p, n, 1, 0x80, 0x8f))) &&
	    in(p, n, 2, 0x80, 0xbf) && in(p, n, 3, 0x80, 0xbf)) {
		*cp = (p[0] & 7u) << 18 | (p[1] & 0x3fu) << 12 |
		    (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
		return 4;
	}
	return 0;
}

static void
slow_put(struct out *o, uint32_t cp)
{
	if (cp < 0x80) {
		out_byte(o, (u8)cp);
	} else if (cp < 0x800) {
		out_byte(o, (u8)(0xc0 + cp / 64));
		out_byte(o, (u8)(0x80 + cp % 64));
	} else if (cp < 0x10000) {
		out_byte(o, (u8)(0xe0 + cp / 4096));
		out_byte(o, (u8)(0x80 + cp / 64 % 64));
		out_byte(o, (u8)(0x80 + cp % 64));
	} else {
		out_byte(o, (u8)(0xf0 + cp / 262144));
		out_byte(o, (u8)(0x80 + cp / 4096 % 64));
		out_byte(o, (u8)(0x80 + cp / 64 % 64));
		out_byte(o, (u8)(0x80 + cp % 64));
	}
}

static bool
is_utf8(struct str s)
{
	uint32_t cp;
	size_t n;

	for (; s.n > 0; s = str_from(s, n))
		if ((n = slow_utf8(s.p, s.n, &cp)) == 0)
			return false;
	return true;
}

/* ====================================================================
 * JSON: a recursive descent that writes what it reads in one spelling
 *
 * Numbers and words stay as they are; a string becomes 's', its length, ':'
 * and its bytes. So equal outputs mean equal documents.
 * ==================================================================== */

struct slow {
	const u8 *p;
	size_t n, at;
	unsigned depth, values;
	struct out *o;
};

static int
slow_peek(const struct slow *s)
{
	return s->at < s->n ? s->p[s->at] : -1;
}

static void
slow_blank(struct slow *s)
{
	while (slow_peek(s) == ' ' || slow_peek(s) == '\t' ||
	    slow_peek(s) == '\n' || slow_peek(s) == '\r')
		s->at++;
}

static bool
slow_is(struct slow *s, const char *word)
{
	size_t n = strlen(word);

	if (s->n - s->at < n || memcmp(s->p + s->at, word, n) != 0)
		return false;
	s->at += n;
	return true;
}

static bool
slow_hex(struct slow *s, uint32_t *v)
{
	static const char digits[] = "0123456789abcdef";

	*v = 0;
	for (int i = 0; i < 4; i++) {
		int c = slow_peek(s);
		const char *d;

		if (c >= 'A' && c <= 'F')
			c += 'a' - 'A';
		if (c <= 0 || (d = strchr(digits, c)) == NULL)
			return false;
		*v = *v * 16 + (uint32_t)(d - digits);
		s->at++;
	}
	return true;
}

static bool
slow_escape(struct slow *s, struct out *text)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint32_t high, low;
	int c = slow_peek(s);

	s->at++;
	for (int i = 0; from[i] != '\0'; i++)
		if (c == from[i]) {
			out_byte(text, (u8)to[i]);
			return true;
		}
	if (c != 'u' || !slow_hex(s, &high))
		return false;
	if (high >= 0xdc00 && high <= 0xdfff)
		return false;
	if (high >= 0xd800 && high <= 0xdbff) {
		if (!slow_is(s, "\\u") || !slow_hex(s, &low) ||
		    low < 0xdc00 || low > 0xdfff)
			return false;
		high = 0x10000 + (high - 0xd800) * 0x400 + low - 0xdc00;
	}
	slow_put(text, high);
	return true;
}

/* A string's text goes to the arena. */
static bool
slow_string(struct slow *s, struct str *value)
{
	struct out text;
	uint32_t cp;
	size_t n;

	out_init(&text, mem_alloc(&T, s->n + 1), s->n + 1);
	if (!slow_is(s, "\""))
		return false;
	while (slow_peek(s) != '"') {
		if (slow_peek(s) < 0x20)
			return false;
		if (slow_is(s, "\\")) {
			if (!slow_escape(s, &text))
				return false;
			continue;
		}
		n = slow_utf8(s->p + s->at, s->n - s->at, &cp);
		if (n == 0)
			return false;
		slow_put(&text, cp);
		s->at += n;
	}
	s->at++;
	*value = out_str(&text);
	return true;
}

static void
slow_out(struct out *o, struct str s)
{
	out_byte(o, 's');
	out_u64(o, s.n);
	out_byte(o, ':');
	out_put(o, s);
}

static size_t
slow_digits(struct slow *s)
{
	size_t from = s->at;

	while (slow_peek(s) >= '0' && slow_peek(s) <= '9')
		s->at++;
	return s->at - from;
}

static bool
slow_number(struct slow *s)
{
	size_t from = s->at;

	(void)slow_is(s, "-");
	if (slow_is(s, "0")) {
		if (slow_peek(s) >= '0' && slow_peek(s) <= '9')
			return false;
	} else if (slow_digits(s) == 0) {
		return false;
	}
	if (slow_is(s, ".") && slow_digits(s) == 0)
		return false;
	if (slow_is(s, "e") || slow_is(s, "E")) {
		if (!slow_is(s, "+"))
			(void)slow_is(s, "-");
		if (slow_digits(s) == 0)
			return false;
	}
	out_put(s->o, (struct str){ s->p + from, s->at - from });
	return true;
}

static bool slow_value(struct slow *s);

static bool
slow_object(struct slow *s)
{
	struct str key[2048];
	size_t n = 0;

	do {
		slow_blank(s);
		s->values++;
		if (n == 2048 || !slow_string(s, &key[n]))
			return false;
		for (size_t i = 0; i < n; i++)
			if (str_eq(key[i], key[n]))
				return false;
		slow_out(s->o, key[n++]);
		out_byte(s->o, '=');
		slow_blank(s);
		if (!slow_is(s, ":"))
			return false;
		slow_blank(s);
		if (!slow_value(s))
			return false;
		slow_blank(s);
		out_byte(s->o, ',');
	} while (slow_is(s, ","));
	return slow_is(s, "}");
}

static bool
slow_array(struct slow *s)
{
	do {
		slow_blank(s);
		if (!slow_value(s))
			return false;
		slow_blank(s);
		out_byte(s->o, ',');
	} while (slow_is(s, ","));
	return slow_is(s, "]");
}

static bool
slow_box(struct slow *s, bool object)
{
	bool ok;

	if (++s->depth > JSON_DEPTH_MAX)
		return false;
	slow_blank(s);
	out_byte(s->o, object ? '{' : '[');
	if (slow_is(s, object ? "}" : "]"))
		ok = true;
	else
		ok = object ? slow_object(s) : slow_array(s);
	out_byte(s->o, object ? '}' : ']');
	s->depth--;
	return ok;
}

static bool
slow_value(struct slow *s)
{
	static const char *const words[] = { "true", "false", "null" };
	struct str text;

	s->values++;
	if (slow_is(s, "{"))
		return slow_box(s, true);
	if (slow_is(s, "["))
		return slow_box(s, false);
	if (slow_peek(s) == '"') {
		if (!slow_string(s, &text))
			return false;
		slow_out(s->o, text);
		return true;
	}
	for (size_t i = 0; i < LEN(words); i++)
		if (slow_is(s, words[i])) {
			out_put(s->o, str_c(words[i]));
			return true;
		}
	return slow_number(s);
}

static bool
slow_json(struct str text, struct out *o, unsigned *values)
{
	struct slow s = { text.p, text.n, 0, 0, 0, o };
	bool ok;

	slow_blank(&s);
	ok = slow_value(&s);
	slow_blank(&s);
	*values = s.values;
	return ok && s.at == s.n;
}

/* The same spelling of what json_parse() has read, and the text written
 * again by the writer. */
static void
spell(const struct json *j, uint32_t node, struct out *o, struct jw *w)
{
	bool object = json_is_object(j, node);
	struct str s;

	if (!object && !json_is_array(j, node)) {
		if (json_str(j, node, &s)) {
			slow_out(o, s);
			jw_str(w, s);
		} else {
			out_put(o, json_raw(j, node));
			jw_raw(w, json_raw(j, node));
		}
		return;
	}
	out_byte(o, object ? '{' : '[');
	jw_open(w, object ? '{' : '[');
	for (uint32_t k = json_first(j, node); k; k = json_next(j, node, k)) {
		if (object) {
			MUST_HOLD(json_str(j, k, &s));
			MUST_HOLD(json_get(j, node, s) == k + 1);
			slow_out(o, s);
			out_byte(o, '=');
			jw_key(w, s);
		}
		spell(j, object ? k + 1 : k, o, w);
		out_byte(o, ',');
	}
	out_byte(o, object ? '}' : ']');
	jw_close(w, object ? '}' : ']');
}

static void
fuzz_json(struct str in)
{
	size_t size = 16 * in.n + 64;
	struct out want, got, text;
	struct jw w = { &text, false };
	struct err e = { 0 };
	struct json j;
	unsigned values;
	bool ok;

	out_init(&want, mem_alloc(&T, size), size);
	ok = slow_json(in, &want, &values);
	MUST_HOLD(json_parse(&j, &T, in, &e) == ok);
	MUST_HOLD((e.code == E_NONE) == ok);
	if (!ok)
		return;
	MUST_HOLD(j.n == values + 1 && json_skip(&j, ROOT) == j.n);
	out_init(&got, mem_alloc(&T, size), size);
	out_init(&text, mem_alloc(&T, size), size);
	spell(&j, ROOT, &got, &w);
	MUST_HOLD(!want.over && !got.over && !text.over);
	MUST_HOLD(str_eq(out_str(&got), out_str(&want)));
	out_init(&want, mem_alloc(&T, size), size);
	MUST_HOLD(slow_json(out_str(&text), &want, &values));
	MUST_HOLD(str_eq(out_str(&got), out_str(&want)));
}

/* ====================================================================
 * HTTP: the whole answer at once, then byte by byte, then an oracle
 * ==================================================================== */

static struct {
	struct str in;
	size_t step;
	bool clean;             /* ends with close_notify, else it is cut */
} feed;

static unsigned
feed_state(void)
{
	if (feed.in.n > 0)
		return BR_SSL_SENDAPP | BR_SSL_RECVAPP;
	return feed.clean ? BR_SSL_CLOSED : BR_SSL_SENDAPP | BR_SSL_RECVREC;
}

static unsigned char *
feed_buf(size_t *n)
{
	*n = feed.step < feed.in.n ? feed.step : feed.in.n;
	return (unsigned char *)(uintptr_t)feed.in.p;
}

static void
feed_ack(size_t n)
{
	MUST_HOLD(n <= feed.in.n);
	feed.in = str_from(feed.in, n);
}

static uint64_t feed_ms = 1000;

static uint64_t
feed_now(void)
{
	return feed_ms;
}

static int64_t
feed_time(void)
{
	return 1767323045;
}

static bool
feed_random(u8 *p, size_t n)
{
	memset(p, 7, n);
	return true;
}

/* Everything is ready at once ... */
static int
feed_poll(struct pollfd *pfd, nfds_t n, int ms)
{
	(void)ms;
	pfd[0].revents = n > 0 ? pfd[0].events : 0;
	return 1;
}

/* ... but there is nothing more to read. */
static ssize_t
feed_read(int fd, void *p, size_t n)
{
	(void)fd;
	(void)p;
	(void)n;
	return 0;
}

static ssize_t
feed_write(int fd, const void *p, size_t n)
{
	(void)fd;
	(void)p;
	return (ssize_t)n;
}

static const struct os feed_os = { -1, LOG_ERROR, feed_now, feed_time,
	feed_random, feed_poll, feed_read, feed_write };

static bool
run_http(struct str in, size_t step, bool clean, struct http_answer *a,
    int64_t *retry_at)
{
	static struct http *h;
	static struct cfg cfg;
	struct err e = { 0 };
	bool ok;

	if (h == NULL)
		h = calloc(1, sizeof *h);
	http_init(h, &feed_os, &cfg, &T);
	h->call_deadline = h->deadline = 100000;
	h->end = END_OPEN;
	h->head_used = h->got = 0;
	feed.in = in;
	feed.step = step;
	feed.clean = clean;
	*a = (struct http_answer){ 0 };
	ok = http_read(h, &T, a, &e);
	MUST_HOLD(ok == (e.code == E_NONE));
	*retry_at = h->retry_at;
	return ok;
}

/* Take a line that ends with CRLF; no control character but the tab. */
static bool
slow_line(struct str *s, struct str *line, size_t *room)
{
	size_t n = 0;

	while (n < s->n && s->p[n] != '\n')
		n++;
	if (n == s->n || n == 0 || s->p[n - 1] != '\r' || n + 1 > *room)
		return false;
	*room -= n + 1;
	*line = str_upto(*s, n - 1);
	*s = str_from(*s, n + 1);
	for (size_t i = 0; i < line->n; i++)
		if ((line->p[i] < 32 && line->p[i] != '\t') ||
		    line->p[i] == 127)
			return false;
	return true;
}

/* What a header says, in the order of the lines; all that matters. */
struct slow_head {
	int status, lengths, chunked;
	struct str length;
	bool bad;
};

static bool
slow_number_is(struct str s, uint64_t max, uint64_t *v)
{
	*v = 0;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		*v = *v * 10 + (s.p[i] - '0');
	}
	return s.n > 0 && s.n < 20 && *v <= max;
}

static void
slow_field(struct slow_head *h, struct str line)
{
	size_t colon = str_find(line, ':');
	struct str name = str_upto(line, colon), value;
	uint64_t v, w;

	if (colon == 0 || colon == line.n || memchr(name.p, ' ', name.n) ||
	    memchr(name.p, '\t', name.n)) {
		h->bad = true;
		return;
	}
	value = str_trim(str_from(line, colon + 1));
	if (name.n == 14 && strncasecmp((const char *)name.p,
	    "content-length", 14) == 0) {
		h->bad |= !slow_number_is(value, UINT64_MAX, &v);
		if (h->lengths++ > 0 && !h->bad)
			h->bad |= !slow_number_is(h->length, UINT64_MAX, &w) ||
			    v != w;
		h->length = value;
	}
	if (name.n == 17 && strncasecmp((const char *)name.p,
	    "transfer-encoding", 17) == 0)
		h->bad |= h->chunked++ > 0 || value.n != 7 ||
		    strncasecmp((const char *)value.p, "chunked", 7) != 0;
	if (name.n == 16 && strncasecmp((const char *)name.p,
	    "content-encoding", 16) == 0)
		h->bad |= value.n != 8 ||
		    strncasecmp((const char *)value.p, "identity", 8) != 0;
}

static bool
slow_head(struct str *s, struct slow_head *h)
{
	size_t room = HTTP_HEAD_MAX;
	struct str line;
	uint64_t status;

	*h = (struct slow_head){ 0 };
	if (!slow_line(s, &line, &room) || line.n < 12 ||
	    (!str_is_start(line, S("HTTP/1.0 ")) &&
	    !str_is_start(line, S("HTTP/1.1 "))) ||
	    (line.n > 12 && line.p[12] != ' ') ||
	    !slow_number_is(str_upto(str_from(line, 9), 3), 599, &status) ||
	    status < 100)
		return false;
	h->status = (int)status;
	do {
		if (!slow_line(s, &line, &room))
			return false;
		if (line.n > 0)
			slow_field(h, line);
	} while (line.n > 0);
	return !h->bad && !(h->lengths > 0 && h->chunked > 0);
}

static bool
slow_chunks(struct str s, struct out *body)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	size_t room = HTTP_HEAD_MAX;
	struct str line, size;
	char text[16];
	uint64_t n;

	for (;;) {
		if (!slow_line(&s, &line, &room))
			return false;
		room = HTTP_HEAD_MAX;
		size = str_trim(str_upto(line, str_find(line, ';')));
		if (size.n == 0 || size.n > 8)
			return false;
		memcpy(text, size.p, size.n);
		text[size.n] = '\0';
		if (strspn(text, digits) != size.n)
			return false;
		n = strtoull(text, NULL, 16);
		if (n == 0)
			break;
		if (n > s.n)
			return false;
		out_put(body, str_upto(s, n));
		s = str_from(s, n);
		if (!slow_line(&s, &line, &room) || line.n != 0)
			return false;
		room = HTTP_HEAD_MAX;
	}
	do
		if (!slow_line(&s, &line, &room))
			return false;
	while (line.n > 0);
	return true;
}

static bool
slow_http(struct str s, bool clean, int *status, struct out *body)
{
	struct slow_head h;
	uint64_t n;
	int heads = 0;

	do
		if (!slow_head(&s, &h) || h.status == 101 || ++heads > 8)
			return false;
	while (h.status < 200);
	*status = h.status;
	if (h.status == 204 || h.status == 304)
		return true;
	if (h.chunked > 0)
		return slow_chunks(s, body);
	if (h.lengths > 0) {
		if (!slow_number_is(h.length, s.n, &n))
			return false;
		out_put(body, str_upto(s, n));
		return true;
	}
	out_put(body, s);
	return clean;
}

/* Smaller parsers on the same bytes: what they accept is well-formed. */
static void
fuzz_http_parts(struct str in)
{
	struct proxy p = { .host = "" };
	struct err e = { 0 };
	u8 room[2048];
	struct out o;
	int64_t at;

	if (proxy_parse(&p, in, &e)) {
		MUST_HOLD(p.host[0] != '\0' && strlen(p.host) < 256);
		MUST_HOLD(p.port[0] != '\0' && strlen(p.port) < 6);
		for (const char *c = p.host; *c != '\0'; c++)
			MUST_HOLD(*c > ' ' && *c < 0x7f);
		out_init(&o, room, sizeof room);
		proxy_put_user(&o, p.user);
		for (size_t i = 0; i < o.n; i++)
			MUST_HOLD(o.p[i] > ' ' && o.p[i] < 0x7f);
	}
	if (time_parse_http(in, &at))
		MUST_HOLD(in.n == 29);
	at = http_retry_at(&feed_os, in);
	MUST_HOLD(at == 0 || (at > feed_time() &&
	    at <= feed_time() + RETRY_AFTER_MAX_S));
}

static void
fuzz_http(struct str in)
{
	struct http_answer a, b;
	int64_t retry_a, retry_b;
	struct out body;
	int status = 0;
	bool ok, want, clean;

	fuzz_http_parts(in);
	if (in.n == 0)
		return;
	clean = in.p[0] % 2 == 0;
	in = str_from(in, 1);
	ok = run_http(in, SIZE_MAX, clean, &a, &retry_a);
	MUST_HOLD(run_http(in, 1, clean, &b, &retry_b) == ok);
	out_init(&body, mem_alloc(&T, in.n + 1), in.n + 1);
	want = slow_http(in, clean, &status, &body);
	MUST_HOLD(ok == want);
	if (!ok)
		return;
	MUST_HOLD(a.status == status && b.status == status);
	MUST_HOLD(retry_a == retry_b);
	MUST_HOLD(str_eq(a.body, out_str(&body)));
	MUST_HOLD(str_eq(b.body, out_str(&body)));
}

/* ====================================================================
 * base64 and hex: bit by bit
 * ==================================================================== */

static bool
slow_b64(struct str s, const char *alt, struct out *o)
{
	char set[65];
	unsigned bits = 0, value = 0;

	(void)snprintf(set, sizeof set, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789%s", alt);
	for (size_t i = 0; i < s.n; i++) {
		const char *at = s.p[i] ? strchr(set, s.p[i]) : NULL;

		if (at == NULL)
			return false;
		for (int bit = 5; bit >= 0; bit--) {
			value = value * 2 + ((at - set) >> bit & 1);
			if (++bits % 8 == 0) {
				out_byte(o, (u8)value);
				value = 0;
			}
		}
	}
	return bits % 8 < 6 && value == 0;
}

static void
fuzz_b64(struct str in)
{
	static const char *const alts[] = { "-_", "+/" };
	u8 *room = mem_alloc(&T, in.n + 1);
	struct out want, text;
	size_t n;
	bool ok;

	for (size_t i = 0; i < LEN(alts); i++) {
		out_init(&want, mem_alloc(&T, in.n + 1), in.n + 1);
		ok = slow_b64(in, alts[i], &want);
		MUST_HOLD(b64_decode_with(room, in, alts[i], &n) == ok);
		MUST_HOLD(n == in.n * 6 / 8);
		if (ok)
			MUST_HOLD(str_eq((struct str){ room, n },
			    out_str(&want)));
		memcpy(room, in.p, in.n);
		MUST_HOLD(b64_decode_with(room, (struct str){ room, in.n },
		    alts[i], &n) == ok);
		if (ok) {
			MUST_HOLD(str_eq((struct str){ room, n },
			    out_str(&want)));
			out_init(&text, mem_alloc(&T, in.n + 4), in.n + 4);
			b64_put(&text, out_str(&want), alts[i], 0);
			MUST_HOLD(str_eq(out_str(&text), in));
		}
	}
	out_init(&text, mem_alloc(&T, 2 * in.n + 4), 2 * in.n + 4);
	b64_put_url(&text, in);
	MUST_HOLD(text.n == (in.n * 4 + 2) / 3 && !text.over);
	MUST_HOLD(b64_decode_exact(room, in.n, out_str(&text)));
	MUST_HOLD(str_eq((struct str){ room, in.n }, in));
	out_init(&text, mem_alloc(&T, 2 * in.n + 4), 2 * in.n + 4);
	hex_put(&text, in);
	MUST_HOLD(in.n == 0 || hex_decode(room, in.n, out_str(&text)));
	MUST_HOLD(in.n == 0 || str_eq((struct str){ room, in.n }, in));
	ok = in.n > 0;
	for (size_t i = 0; i < in.n; i++)
		ok = ok && in.p[i] != 0 && strchr("0123456789abcdefABCDEF",
		    in.p[i]) != NULL;
	MUST_HOLD(hex_decode(room, (in.n + 1) / 2, in) == ok);
}

/* ====================================================================
 * Tokens
 * ==================================================================== */

static void
token_holds(const struct sa_token *t)
{
	u8 any = 0;

	MUST_HOLD(t->host[0] != '\0');
	for (const char *c = t->host; *c != '\0'; c++)
		MUST_HOLD((*c >= 'a' && *c <= 'z') || *c == '-' ||
		    (*c >= '0' && *c <= '9') || *c == '.');
	MUST_HOLD(strspn(t->port, "0123456789") == strlen(t->port));
	MUST_HOLD(atoi(t->port) > 0 && atoi(t->port) < 65536);
	MUST_HOLD(t->email_len >= 3 && t->email_len <= sizeof t->email);
	for (size_t i = 0; i < t->email_len; i++)
		MUST_HOLD(t->email[i] > ' ' && t->email[i] < 0x7f &&
		    t->email[i] != '"' && t->email[i] != '\\' &&
		    (t->email[i] < 'A' || t->email[i] > 'Z'));
	for (size_t i = 0; i < sizeof t->skid; i++)
		MUST_HOLD((t->skid[i] >= 'A' && t->skid[i] <= 'Z') ||
		    (t->skid[i] >= '0' && t->skid[i] <= '9'));
	MUST_HOLD(t->format[0] == 'A');
	MUST_HOLD(t->format[1] >= '0' && t->format[1] <= '9');
	MUST_HOLD(id_is_valid(ID(t->device), 'a'));
	if (t->throttled)
		MUST_HOLD(id_is_valid(ID(t->kid), 'A') ||
		    id_is_valid(ID(t->kid), 'a'));
	MUST_HOLD(t->x_len > 0 && t->x_len <= SRPX_MAX);
	for (size_t i = 0; i < t->x_len; i++)
		any |= t->x[i];
	MUST_HOLD(any != 0);
}

/* The header lines made with it: one line each, nothing slips in. */
static void
token_head_holds(const struct sa_token *t)
{
	static struct sa *sa;
	struct sa_request r = { .method = S("POST"), .path = S("/x?y"),
		.body = S("b"), .session = true, .mac = true };
	size_t lines = 0;
	u8 room[4096];
	struct out o;

	if (sa == NULL)
		sa = calloc(1, sizeof *sa);
	memset(sa->session, 'S', ID_LEN);
	sa->token = *t;
	memcpy(sa->http.host, t->host, sizeof t->host);
	memcpy(sa->http.port, t->port, sizeof t->port);
	out_init(&o, room, sizeof room);
	sa_put_head(sa, &o, &r);
	MUST_HOLD(!o.over);
	for (size_t i = 0; i < o.n; i++) {
		bool end = o.p[i] == '\n';

		MUST_HOLD((o.p[i] >= ' ' && o.p[i] < 0x7f) ||
		    o.p[i] == '\r' || end);
		MUST_HOLD(!end || (i > 0 && o.p[i - 1] == '\r'));
		lines += end;
	}
	MUST_HOLD(lines == 9 + (size_t)t->throttled);
}

static void
fuzz_token(struct str in)
{
	struct sa_token t;
	struct err e = { 0 };
	struct out o;
	size_t mark;
	bool ok;

	out_init(&o, mem_alloc(&T, 2 * in.n + 8), 2 * in.n + 8);
	out_put(&o, S("ops_"));
	b64_put_url(&o, in);
	if (str_is_start(in, S("ops_")))        /* it is meant as it is */
		o = (struct out){ .p = (u8 *)(uintptr_t)in.p, .n = in.n };
	mark = T.used;
	memset(&t, 0, sizeof t);
	ok = sa_token_decode(&t, &T, out_str(&o), &e);
	MUST_HOLD(T.used == mark && is_zero(T.base + mark, 4096));
	MUST_HOLD(ok == (e.code == E_NONE));
	if (!ok) {
		MUST_HOLD(is_zero((u8 *)&t, sizeof t));
		return;
	}
	token_holds(&t);
	token_head_holds(&t);
}

/* ====================================================================
 * Lines: a door and, at the other end of its socket, an obliging keeper
 * ==================================================================== */

static struct door *door;
static int keeper = -1;

static void
line_start(void)
{
	static const struct cfg cfg = { .vaults = "AI", .timeout_s = 30 };
	static struct catalog cat;
	static struct arena home;
	int fd[2];

	if (door == NULL) {
		MUST_HOLD(mem_open(&home, ARENA_LINE));
		door = mem_alloc(&home, sizeof *door);
		MUST_HOLD(door != NULL && door_init(door, &home));
		MUST_HOLD(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
		door->os = &feed_os;
		door->cfg = &cfg;
		cat = opmcp_catalog;
		cat.changes = CHANGE_TOOLS | CHANGE_RESOURCES;
		door->cat = &cat;
		door->wait_ms = 1000;
		door->sock = fd[0];
		keeper = fd[1];
	}
	feed_ms = 1000;
	door->rev = REV_NONE;
	door->lost = false;
	door->seq = 0;
	door->caps = NOTHING;
	mem_reset(&door->session, 0);
	for (size_t i = 0; i < CALLS_MAX; i++) {
		struct arena mem = door->call[i].mem;

		mem_reset(&mem, 0);
		door->call[i] = (struct call){ .mem = mem };
	}
	for (size_t i = 0; i < LISTENS_MAX; i++)
		door->listen[i].id = NOTHING;
	for (size_t i = 0; i < BATCHES_MAX; i++) {
		door->batch[i].pending = 0;
		mem_reset(&door->batch[i].mem, 0);
	}
	mem_reset(&door->out, 0);
	mem_reset(&door->line, 0);
}

/* What the door sends of itself: a notification, or a request under an id of
 * its own. */
static void
line_method_holds(const struct json *j, uint32_t node)
{
	uint32_t id = json_get(j, node, S("id"));
	struct str s;

	MUST_HOLD(json_get_str(j, node, S("method"), &s));
	MUST_HOLD(json_is_object(j, json_get(j, node, S("params"))));
	if (id == 0)
		MUST_HOLD(str_is_start(s, S("notifications/")));
	else
		MUST_HOLD(str_eq(s, S("elicitation/create")) &&
		    json_str(j, id, &s) && str_is_start(s, S("s")));
}

/* One message of the door's. */
static void
line_message_holds(const struct json *j, uint32_t node)
{
	uint32_t id = json_get(j, node, S("id"));
	uint32_t error = json_get(j, node, S("error"));
	uint32_t result = json_get(j, node, S("result"));

	MUST_HOLD(json_is_str(j, node, S("jsonrpc"), S("2.0")));
	if (error == 0 && result == 0) {
		line_method_holds(j, node);
		return;
	}
	MUST_HOLD((error == 0) != (result == 0));
	MUST_HOLD(id == 0 || json_raw(j, id).n <= ID_MAX);
	MUST_HOLD(id != 0 || error != 0);
	if (error != 0)
		MUST_HOLD(json_is_integer(j, json_get(j, error, S("code"))));
	else
		MUST_HOLD(json_is_object(j, result));
}

/* What stands in the queue for stdout is lines of JSON. */
static void
line_out_holds(void)
{
	struct str rest = { door->out.base, door->out.used }, one;
	struct json j;

	MUST_HOLD(rest.n == 0 || rest.p[rest.n - 1] == '\n');
	while (rest.n > 0) {
		struct err e = { 0 };
		size_t end = str_find(rest, '\n');

		one = str_upto(rest, end);
		rest = str_from(rest, end + 1);
		MUST_HOLD(json_parse(&j, &T, one, &e));
		if (!json_is_array(&j, ROOT)) {
			line_message_holds(&j, ROOT);
			continue;
		}
		MUST_HOLD(json_first(&j, ROOT) != 0);
		for (uint32_t k = json_first(&j, ROOT); k;
		    k = json_next(&j, ROOT, k))
			line_message_holds(&j, k);
	}
	mem_reset(&door->out, 0);
}

/* A call frame holds what the keeper needs. */
static void
line_call_holds(struct str payload)
{
	struct err e = { 0 };
	struct json j;
	struct str s, name;
	uint32_t ask, said, state;

	MUST_HOLD(json_parse(&j, &T, payload, &e));
	MUST_HOLD(json_get_str(&j, ROOT, S("method"), &s));
	said = json_get(&j, ROOT, S("answers"));
	state = json_get(&j, ROOT, S("state"));
	MUST_HOLD(said == 0 || json_is_object(&j, said));
	MUST_HOLD(state == 0 || json_str(&j, state, &name));
	ask = json_get(&j, ROOT, S("ask"));
	MUST_HOLD(json_is_word(&j, ask, S("true")) ||
	    json_is_word(&j, ask, S("false")));
	MUST_HOLD(json_is_object(&j, json_get(&j, ROOT, S("params"))));
	if (!str_eq(s, S("tools/call")))
		return;
	MUST_HOLD(json_get_str(&j, json_get(&j, ROOT, S("params")), S("name"),
	    &name));
	MUST_HOLD(cat_tool(&opmcp_catalog, name) != NULL);
}

/* What a keeper may say at the end of a call, and what that must not do. */
static const struct str line_answers[] = {
	B("{\"data\":{\"a\":\"\\u2028\\n\"}}"), B("{\"error\":\"e\\\"\"}"),
	B("{\"result\":{\"contents\":[]}}"), B("{\"result\":{}}"),
	B("{\"error\":\"no\",\"code\":11}"), B("{\"error\":\"no\",\"code\":3}"),
	B("{\"ask\":{\"approval\":{\"method\":\"elicitation/create\","
	    "\"params\":{\"mode\":\"form\",\"message\":\"?\","
	    "\"requestedSchema\":{}}}},\"state\":\"AAAA\"}"),
	B("{\"ask\":{},\"state\":\"AAAA\"}"),
};

/* Answer a frame: a call with two notes and one of the answers. */
static void
line_answer(struct frame *f, struct str answer)
{
	bool note = f->kind == FRAME_CALL;

	f->kind = FRAME_NOTE;
	f->payload = S("{\"method\":\"notifications/progress\",\"params\":{"
	    "\"message\":\"working\"}}");
	if (note)
		MUST_HOLD(door_result(door, f));
	f->payload = S("{\"method\":\"notifications/tools/list_changed\","
	    "\"params\":{}}");
	if (note)
		MUST_HOLD(door_result(door, f));
	f->kind = FRAME_RESULT;
	f->payload = answer;
	MUST_HOLD(door_result(door, f));
}

/* The frames that have come, each one that the keeper would take. Calls are
 * answered in some way or not at all, as turn says. */
static void
line_keeper(unsigned turn)
{
	static u8 got[4 * (FRAME_HEAD + ARGS_MAX)];
	ssize_t n = recv(keeper, got, sizeof got, MSG_DONTWAIT);
	struct str rest = { got, n > 0 ? (size_t)n : 0 };

	while (rest.n > 0) {
		struct frame f = { 0 };
		size_t one = turn % (LEN(line_answers) + 1);

		MUST_HOLD(rest.n >= FRAME_HEAD &&
		    frame_parse_head(rest.p, &f));
		rest = str_from(rest, FRAME_HEAD);
		MUST_HOLD(rest.n >= f.payload.n);
		f.payload.p = rest.p;
		rest = str_from(rest, f.payload.n);
		if (f.kind == FRAME_CALL) {
			line_call_holds(f.payload);
			if (one < LEN(line_answers))
				line_answer(&f, line_answers[one]);
			continue;
		}
		MUST_HOLD(f.kind == FRAME_CANCEL && f.payload.n == 0);
		line_answer(&f, S("{\"error\":\"cancelled\"}"));
	}
}

static void
fuzz_line(struct str in)
{
	static const char *const versions[] = { "2024-11-05", "2025-03-26",
		"2025-06-18", "2025-11-25" };
	unsigned turn = in.n > 0 ? in.p[0] : 0;
	struct str line;
	u8 *copy;

	line_start();
	in = str_from(in, 1);
	if (turn % 5 < 4) {
		char init[192];

		(void)snprintf(init, sizeof init, "{\"jsonrpc\":\"2.0\","
		    "\"id\":0,\"method\":\"initialize\",\"params\":{"
		    "\"protocolVersion\":\"%s\",\"capabilities\":{"
		    "\"elicitation\":{}}}}", versions[turn % 5]);
		door_line(door, str_c(init));
		line_out_holds();
	}
	while (in.n > 0 && str_cut(&in, '\n', &line)) {
		if (line.n > 0 && line.p[0] == '+') {   /* time goes by */
			feed_ms += 1000 * line.n * line.n;
			(void)call_tick(door);
			line_out_holds();
			continue;
		}
		copy = malloc(line.n + 1);      /* its end is watched */
		MUST_HOLD(copy != NULL);
		memcpy(copy, line.p, line.n);
		door_line(door, (struct str){ copy, line.n });
		free(copy);
		MUST_HOLD(door->line.used == 0);
		call_next(door);
		line_out_holds();
		line_keeper(turn++);
		call_next(door);
		line_out_holds();
	}
	door_mourn(door);
	line_keeper((unsigned)LEN(line_answers));       /* too late */
	listen_end(door);
	line_out_holds();
	for (size_t i = 0; i < CALLS_MAX; i++)
		MUST_HOLD(door->call[i].state == CALL_FREE ||
		    door->call[i].state == CALL_CANCELLED);
	for (size_t i = 0; i < BATCHES_MAX; i++)
		MUST_HOLD(door->batch[i].pending == 0);
}

/* ====================================================================
 * Items: details to fields, then every name looked up
 * ==================================================================== */

static const struct field *
slow_find(const struct item *it, struct str name)
{
	const struct field *found = NULL;

	for (size_t i = it->fields; i-- > 0;)
		if (it->field[i].kind != KIND_WEB &&
		    str_nocase_eq(it->field[i].id, name))
			found = &it->field[i];
	if (found != NULL)
		return found;
	for (size_t i = 0; i < it->fields; i++) {
		if (it->field[i].kind == KIND_WEB ||
		    !str_nocase_eq(it->field[i].title, name))
			continue;
		if (found != NULL)
			return NULL;
		found = &it->field[i];
	}
	return found;
}

static void
item_holds(const struct item *it)
{
	static const struct str more[] = { B("username"), B("password"),
		B("credential"), B(""), B("x") };

	for (size_t i = 0; i < 2 * it->fields + LEN(more); i++) {
		struct str name = i >= 2 * it->fields ?
		    more[i - 2 * it->fields] : i % 2 == 0 ?
		    it->field[i / 2].id : it->field[i / 2].title;
		const struct field *f = NULL;
		struct err e = { 0 };
		bool ok = item_find(it, name, &f, &e);

		MUST_HOLD((ok ? f : NULL) == slow_find(it, name));
		MUST_HOLD(ok || e.code == E_FIELD || e.code == E_FIELD_MANY);
	}
	for (int use = FOR_USERNAME; use <= FOR_PASSWORD; use++) {
		const struct field *f = item_login_field(it,
		    (enum purpose)use);

		MUST_HOLD(f == NULL || (f >= it->field &&
		    f < it->field + it->fields));
		for (size_t i = 0; i < it->fields; i++)
			MUST_HOLD(it->field[i].purpose != (enum purpose)use ||
			    f->purpose == (enum purpose)use);
	}
}

static void
fuzz_item(struct str in)
{
	static const char *const number[] = { "001", "005", "112", "110", "" };
	static struct sa *sa;
	struct item it = { .fields = 0 };
	struct err e = { 0 };

	if (in.n == 0)
		return;
	if (sa == NULL)
		sa = calloc(1, sizeof *sa);
	sa->scratch = &T;
	it.ref.category = str_c(number[in.p[0] % LEN(number)]);
	if (!json_parse(&it.details, &T, str_from(in, 1), &e))
		return;
	(void)sa_item_state(&it.details, ROOT);
	MUST_HOLD(sa_item_fields(sa, &it, &e));
	MUST_HOLD(it.fields <= it.details.n + 4);
	for (size_t i = 0; i < it.fields; i++) {
		const struct field *f = &it.field[i];

		MUST_HOLD(is_utf8(f->id) && is_utf8(f->title));
		MUST_HOLD(f->value.p == NULL ||
		    is_utf8((struct str){ f->value.p, f->value.n }));
	}
	if (it.fields < 60)
		item_holds(&it);
}

/* ====================================================================
 * Connect: address, token, list and item of a server; a change to an item
 * ==================================================================== */

#define CON_VAULT "aaaaaaaaaaaaaaaaaaaaaaaaaa"

/* A PATCH is an array of operations, each with a path that the id cannot leave
 * and a value. */
static void
connect_patch(struct con *c, const struct item *it, const struct wish *w)
{
	struct json j;
	struct err e = { 0 };
	struct out o;
	size_t n = 0;

	out_init(&o, mem_alloc(&T, WISH_ROOM), WISH_ROOM);
	if (!con_patch(c, it, w, &o))
		return;
	MUST_HOLD(json_parse(&j, &T, out_str(&o), &e) &&
	    json_is_array(&j, ROOT));
	for (uint32_t k = json_first(&j, ROOT); k; k = json_next(&j, ROOT, k)) {
		struct str path = B(""), part;
		size_t parts = 0;

		MUST_HOLD(json_get_str(&j, k, S("path"), &path) &&
		    json_get(&j, k, S("value")) != 0);
		while (str_cut(&path, '/', &part))
			parts++;
		MUST_HOLD(parts == (n++ == 0 ? 2 : 4));
	}
	MUST_HOLD(n == 1 + w->fields);
}

/* A change that can be made is read back as wished for, and is all that has
 * changed. */
static void
connect_change(struct con *c, struct str vault, const struct item *it)
{
	struct wish w = { .state = ITEM_ACTIVE, .title = B("changed") };
	struct item now = { .version = 0 };
	struct err e = { 0 };
	struct str text;

	for (size_t i = 0; i < it->fields && w.fields == 0; i++)
		if (it->field[i].kind == KIND_TEXT)
			w.field[w.fields++] = (struct wish_field){
				&it->field[i], NOTHING, it->field[i].title,
				B("\"new\\"), KIND_TEXT, it->field[i].purpose };
	connect_patch(c, it, &w);
	if (!con_edit(c, vault, it, &w, &text, &e))
		return;
	MUST_HOLD(json_parse(&now.details, &T, text, &e) &&
	    con_shape_item(c, vault, &now, &e));
	MUST_HOLD(str_eq(now.ref.title, w.title) && now.fields == it->fields &&
	    now.ref.tags == it->ref.tags && now.sections == it->sections);
	for (size_t i = 0; i < now.fields; i++) {
		struct secret want = it->field[i].value;

		if (w.fields > 0 && w.field[0].old == &it->field[i])
			want = (struct secret){ w.field[0].value.p,
				w.field[0].value.n };
		MUST_HOLD((want.p == NULL) == (now.field[i].value.p == NULL));
		MUST_HOLD(want.p == NULL || str_eq((struct str){ want.p,
		    want.n }, (struct str){ now.field[i].value.p,
		    now.field[i].value.n }));
	}
}

static void
connect_item(struct con *c, struct str in)
{
	const struct str vault = B(CON_VAULT);
	struct item it = { .version = 0 };
	struct err e = { 0 };

	if (!json_parse(&it.details, &T, in, &e) ||
	    !con_shape_item(c, vault, &it, &e))
		return;
	MUST_HOLD(it.ref.id.n == ID_LEN && is_utf8(it.ref.title));
	MUST_HOLD(it.fields <= it.details.n && it.sections <= it.details.n);
	for (size_t i = 0; i < it.fields; i++) {
		const struct field *f = &it.field[i];

		MUST_HOLD(is_utf8(f->id) && is_utf8(f->title));
		MUST_HOLD(f->in == NULL || (f->in >= it.section &&
		    f->in < it.section + it.sections));
		MUST_HOLD(f->value.p == NULL ||
		    is_utf8((struct str){ f->value.p, f->value.n }));
	}
	if (it.fields < 60) {
		item_holds(&it);
		connect_change(c, vault, &it);
	}
}

static void
fuzz_connect(struct str in)
{
	static struct con *c;
	struct str text = str_from(in, 1);
	struct cfg cfg = { .connect_host = NULL };
	struct err e = { 0 };
	char *url;

	if (in.n == 0)
		return;
	if (c == NULL)
		c = calloc(1, sizeof *c);
	c->scratch = &T;
	c->os = &feed_os;
	if (in.p[0] == '{') {
		connect_item(c, in);
	} else if (in.p[0] == 't') {
		if (con_check_token(c, text, &e))
			MUST_HOLD(text.n <= TOKEN_MAX &&
			    str_find(text, '\n') == text.n);
	} else {
		url = calloc(1, text.n + 1);
		memcpy(url, text.p, text.n);
		cfg.connect_host = url;
		memset(c->http.host, 0, sizeof c->http.host);
		memset(c->http.port, 0, sizeof c->http.port);
		memset(c->base, 0, sizeof c->base);
		if (con_address(c, &cfg, &e)) {
			MUST_HOLD(c->http.host[0] != '\0');
			MUST_HOLD(atoi(c->http.port) > 0);
			MUST_HOLD(strpbrk(c->http.host, "@/?# \r\n") == NULL);
			MUST_HOLD(strpbrk(c->base, "@?#% \r\n") == NULL);
			MUST_HOLD(!c->http.plain ||
			    con_is_local(str_c(c->http.host)));
		}
		free(url);
	}
}

/* ====================================================================
 * Names: what is acceptable, which vault it means, what is shown
 * ==================================================================== */

static bool
slow_hidden(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad ||
	    c == 0x34f || c == 0x61c || c == 0x115f || c == 0x1160 ||
	    c == 0x17b4 || c == 0x17b5 || (c >= 0x180b && c <= 0x180f) ||
	    (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2060 && c <= 0x206f) || c == 0x3164 || c == 0xfeff ||
	    c == 0xffa0 || (c >= 0xfff9 && c <= 0xfffb) ||
	    (c >= 0x1d173 && c <= 0x1d17a) || (c >= 0xe0000 && c <= 0xe007f);
}

static bool
slow_space(uint32_t c)
{
	return c == ' ' || c == 0xa0 || c == 0x1680 ||
	    (c >= 0x2000 && c <= 0x200a) || c == 0x202f || c == 0x205f ||
	    c == 0x3000;
}

static bool
slow_name(struct str s, struct out *shown)
{
	bool ok = s.n > 0, first = true;
	uint32_t cp = 0;
	size_t n, count = 0;

	for (; s.n > 0; s = str_from(s, n)) {
		if ((n = slow_utf8(s.p, s.n, &cp)) == 0)
			return false;
		ok = ok && !slow_hidden(cp) && !(first && slow_space(cp));
		if (!slow_hidden(cp) && shown->n < 1024)
			slow_put(shown, cp);
		first = false;
		count++;
	}
	return ok && count <= 255 && !slow_space(cp);
}

#define ID1 "aaaaaaaaaaaaaaaaaaaaaaaaa2"
#define ID2 "aaaaaaaaaaaaaaaaaaaaaaaaa3"

/* Two vaults whose names come from the input as well. */
static void
vault_holds(struct str setting, struct str a, struct str b, struct str name)
{
	struct vault list[] = { { S(ID1), a, false, false },
		{ S(ID2), b, false, false },
		{ S("aaaaaaaaaaaaaaaaaaaaaaaaa4"), S("x"), true, false } };
	struct cfg cfg = { .vaults = "" };
	const struct vault *v = NULL;
	struct err e = { 0 };
	struct str entry;
	bool allowed = false;
	char text[512];

	if (setting.n >= sizeof text || memchr(setting.p, 0, setting.n))
		return;
	memcpy(text, setting.p, setting.n);
	text[setting.n] = '\0';
	cfg.vaults = text;
	if (!pol_pick_vault(&cfg, name, list, LEN(list), &v, &e)) {
		MUST_HOLD(e.code == E_VAULT || e.code == E_VAULT_MANY ||
		    e.code == E_VAULT_LOCKED || e.code == E_ARGUMENT);
		return;
	}
	MUST_HOLD(!v->locked);
	MUST_HOLD(pol_vault(&cfg, list, LEN(list), v) == ALLOW);
	if (name.n > 0 && !str_eq(name, S("*")))
		MUST_HOLD(str_eq(name, v->id) || str_nocase_eq(name, v->name));
	while (str_cut(&setting, ',', &entry)) {
		entry = str_trim(entry);
		allowed |= str_eq(entry, S("*")) || str_eq(entry, v->id) ||
		    (entry.n > 0 && str_nocase_eq(entry, v->name) &&
		    !str_nocase_eq(a, b));
	}
	MUST_HOLD(allowed);
}

static void
fuzz_name(struct str in)
{
	struct str part[4] = { NOTHING, NOTHING, NOTHING, NOTHING };
	struct err e = { 0 };
	struct str rest = in;
	struct out want, shown, quoted;
	size_t size = 6 * in.n + 8;
	bool ok;

	out_init(&want, mem_alloc(&T, in.n + 8), in.n + 8);
	ok = slow_name(in, &want);
	MUST_HOLD(pol_check_name(in, &e) == ok);
	MUST_HOLD((e.code == E_NONE) == ok && (ok || e.code == E_NAME));
	out_init(&shown, mem_alloc(&T, size), size);
	tool_put_name(&shown, in);
	MUST_HOLD(!shown.over && is_utf8(out_str(&shown)));
	if (is_utf8(in)) {
		out_init(&quoted, mem_alloc(&T, size), size);
		jw_quote(&quoted, out_str(&want));
		MUST_HOLD(str_eq(out_str(&shown), out_str(&quoted)));
	}
	for (size_t i = 0; i < LEN(part) && str_cut(&rest, '|', &part[i]); i++)
		;
	vault_holds(part[0], part[1], part[2], part[3]);
}

/* ====================================================================
 * URIs: the normal form, and rows with variables
 * ==================================================================== */

/* The byte that a hex digit stands for, or -1. */
static int
slow_digit(u8 c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c != 0 ? strchr(digits, c) : NULL;

	return at != NULL ? (int)((at - digits) % 16) : -1;
}

/* RFC 3986 as far as it is wanted here, byte after byte. */
static bool
slow_uri(struct str s, struct out *normal)
{
	size_t root = 0, slashes = 0, dots = 0, len = 0;
	bool plain = true;

	while (root < s.n && !str_is_start(str_from(s, root), S("://")))
		root++;
	if (root == s.n || s.n > 4096 || !isalpha(s.p[0]))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		u8 c = s.p[i];

		if (c == '%')
			plain = plain && i + 2 < s.n &&
			    slow_digit(s.p[i + 1]) >= 0 &&
			    slow_digit(s.p[i + 2]) >= 0;
		else
			plain = plain && c < 0x80 && (isalnum(c) || (c != 0 &&
			    strchr("-._~:/?[]@!$&'()*+,;=", c) != NULL));
		if (i >= root + 3 && c == '/') {
			slashes++;
			plain = plain && !(dots == len && len >= 1 &&
			    len <= 2);
			dots = len = 0;
		} else if (i >= root + 3) {
			dots += c == '.';
			len++;
		}
		out_byte(normal, slashes == 0 ? (u8)tolower(c) : c);
	}
	return plain && !(dots == len && len >= 1 && len <= 2);
}

/* Take a value off *s; false when it is empty or no text. */
static bool
slow_value_of(struct str *s, struct out *value)
{
	size_t n = 0;

	while (n < s->n && s->p[n] != '/' && s->p[n] != '?') {
		bool coded = s->p[n] == '%';

		out_byte(value, !coded ? s->p[n] : (u8)(16 *
		    slow_digit(s->p[n + 1]) + slow_digit(s->p[n + 2])));
		n += coded ? 3 : 1;
	}
	*s = str_from(*s, n);
	return n > 0 && is_utf8(out_str(value));
}

/* A row against a URI in its normal form: var are the values, n of them, and
 * over tells of one that is missing. */
static bool
slow_row(const char *row, struct str uri, struct out *var, size_t *n)
{
	const char *end;

	for (*n = 0; *row != '\0'; row = end + 1) {
		if (*row != '{') {
			if (uri.n == 0 || uri.p[0] != (u8)*row)
				return false;
			uri = str_from(uri, 1);
			end = row;
			continue;
		}
		if (*n == VARS_MAX)
			return false;
		end = strchr(row, '}');
		if (row[1] == '?' && uri.n == 0) {
			var[(*n)++].over = true;
			continue;
		}
		if (row[1] == '?') {
			struct str name = { (const u8 *)row + 1,
				(size_t)(end - row) - 1 };

			if (!str_is_start(uri, name) ||
			    !str_is_start(str_from(uri, name.n), S("=")))
				return false;
			uri = str_from(uri, name.n + 1);
		}
		if (!slow_value_of(&uri, &var[(*n)++]))
			return false;
	}
	return uri.n == 0;
}

static const char *const uri_rows[] = { "onepassword://status",
	"onepassword://vaults", "onepassword://vaults/{vault}/items{?cursor}",
	"t://{a}/x{b}/{c}{?d}", "t://{a}", "t://{a}/{b}/{c}/{d}" };

static void
fuzz_uri(struct str in)
{
	struct str normal = NOTHING, again = NOTHING;
	struct err e = { 0 };
	struct out want;
	bool ok;

	out_init(&want, mem_alloc(&T, in.n + 1), in.n + 1);
	ok = slow_uri(in, &want);
	MUST_HOLD(uri_normal(&T, in, &normal, &e) == ok);
	MUST_HOLD(e.code == (ok ? E_NONE : E_RESOURCE));
	if (!ok)
		return;
	MUST_HOLD(str_eq(normal, out_str(&want)));
	MUST_HOLD(uri_normal(&T, normal, &again, &e) && str_eq(normal, again));
	for (size_t i = 0; i < LEN(uri_rows); i++) {
		struct str var[VARS_MAX];
		struct out value[VARS_MAX];
		size_t n;

		for (size_t k = 0; k < VARS_MAX; k++)
			out_init(&value[k], mem_alloc(&T, in.n + 1), in.n + 1);
		ok = slow_row(uri_rows[i], normal, value, &n);
		MUST_HOLD(uri_match(&T, str_c(uri_rows[i]), normal, var) ==
		    ok);
		for (size_t k = 0; k < n && ok; k++) {
			MUST_HOLD((var[k].p == NULL) == value[k].over);
			MUST_HOLD(str_eq(var[k], out_str(&value[k])));
		}
	}
}

/* ====================================================================
 * Questions: states that were tampered with, answers of any shape
 * ==================================================================== */

/* The state as the input changes it: three bytes a change, place, kind and
 * value; or after "=" another text altogether. */
static struct str
ask_changed(struct str state, struct str change)
{
	size_t cap = state.n + change.n;
	u8 *p = mem_alloc(&T, cap + 1);
	size_t n = state.n;

	MUST_HOLD(p != NULL);
	if (change.n > 0 && change.p[0] == '=')
		return str_from(change, 1);
	memcpy(p, state.p, n);
	for (; change.n >= 3; change = str_from(change, 3)) {
		size_t at = change.p[0] % (n + 1);

		if (change.p[1] % 4 == 0) {
			n = at;
		} else if (change.p[1] % 4 == 1 && n < cap) {
			memmove(p + at + 1, p + at, n++ - at);
			p[at] = change.p[2];
		} else if (at < n && change.p[1] % 4 == 2) {
			memmove(p + at, p + at + 1, --n - at);
		} else if (at < n) {
			p[at] = change.p[2];
		}
	}
	return (struct str){ p, n };
}

/* What a person has said, read member by member. */
static enum err_code
ask_said(const struct json *j, size_t *chosen)
{
	uint32_t said = json_get(j, ROOT, S("approval"));
	struct str word, action;

	if (!json_get_str(j, said, S("action"), &action))
		return E_ASK;
	if (str_eq(action, S("decline")))
		return E_REFUSED;
	if (str_eq(action, S("cancel")))
		return E_UNANSWERED;
	if (!str_eq(action, S("accept")) || !json_get_str(j, json_get(j, said,
	    S("content")), S("answer"), &word))
		return E_ASK;
	*chosen = str_eq(word, S("allow once")) ? 0 : 1;
	return *chosen == 0 || str_eq(word, S("refuse")) ? E_NONE : E_ASK;
}

/* The first line changes the state, the rest are the answers. A state stays
 * open until its answers have been looked at. */
static void
fuzz_ask(struct str in)
{
	static const struct str choice[] = { B("allow once"), B("refuse") };
	static struct asks asks;
	struct ask q = { S("item"), S("May it?\n"), choice, LEN(choice) };
	struct keeper k = { .os = &feed_os, .asks = &asks };
	struct err e = { 0 }, again = { 0 };
	struct str state, text, change = NOTHING;
	uint64_t number;
	struct json j;
	size_t chosen = 9, want = 9;
	enum err_code said = E_ASK;
	bool ok;

	feed_ms = 1000;
	memset(&asks, 0, sizeof asks);
	memset(asks.key, 7, sizeof asks.key);
	asks.number = in.n;
	number = in.n + 1;
	MUST_HOLD(mem_carve(&k.scratch, &T, 1 << 16));
	MUST_HOLD(!ask_put(&k, q.subject, S("\"x\":{}"), &e));
	MUST_HOLD(e.code == E_ASK);
	state = k.asking.state;
	if (!str_cut(&in, '\n', &change))
		return;
	text = ask_changed(state, change);
	e = (struct err){ 0 };
	ok = ask_redeem(&k, text, &e);
	MUST_HOLD(ok == str_eq(text, state) && ok == k.asking.answered);
	MUST_HOLD(e.code == (ok ? E_NONE : E_STATE));
	MUST_HOLD(asks.open[number % ASKS_MAX] == number);
	e = (struct err){ 0 };
	if (!json_parse(&j, &T, in, &e))
		return;
	if (ok && json_is_object(&j, ROOT))
		said = ask_said(&j, &want);
	k.asking.j = &j;
	k.asking.answers = ROOT;
	k.asking.can = in.n % 2 == 0;
	if (said == E_ASK && !k.asking.can)
		said = E_CANNOT_ASK;
	MUST_HOLD(ask_person(&k, &q, &chosen, &e) == (said == E_NONE));
	MUST_HOLD(e.code == said && (said != E_NONE || chosen == want));
	MUST_HOLD(asks.open[number % ASKS_MAX] == (ok ? 0 : number));
	MUST_HOLD(!ok || !ask_redeem(&k, state, &again));
	if (said != E_ASK)
		return;
	text = JOIN(&T, S("{"), k.asking.questions, S("}"));
	MUST_HOLD(json_parse(&j, &T, text, &e));
	MUST_HOLD(!str_eq(k.asking.state, state));
}

/* ====================================================================
 * Rules and audit files
 * ==================================================================== */

/* Put a word in quotes. */
static void
rules_quote(struct out *o, struct str word)
{
	out_put(o, S(" \""));
	for (size_t i = 0; i < word.n; i++) {
		if (word.p[i] == '"' || word.p[i] == '\\')
			out_byte(o, '\\');
		out_byte(o, word.p[i]);
	}
	out_byte(o, '"');
}

/* One rule as text. */
static void
rules_put(struct out *o, const struct rule *r)
{
	if (r->rate.n > 0) {
		out_put(o, S("limit "));
		out_u64(o, r->rate.n);
		out_byte(o, '/');
		out_u64(o, r->rate.seconds % 86400 == 0 ?
		    r->rate.seconds / 86400 : r->rate.seconds % 60 == 0 ?
		    r->rate.seconds / 60 : r->rate.seconds);
		out_byte(o, r->rate.seconds % 86400 == 0 ? 'd' :
		    r->rate.seconds % 60 == 0 ? 'm' : 's');
	} else {
		out_put(o, r->verdict == ALLOW ? S("permit") :
		    str_c(verdict_name[r->verdict]));
	}
	OUT(o, S(" "), str_c(act_name[r->act]));
	for (size_t s = 0; s < SEL_COUNT; s++)
		if (r->sel[s].p != NULL) {
			OUT(o, S(" "), str_c(sel_name[s]));
			rules_quote(o, r->sel[s]);
		}
	out_byte(o, '\n');
}

static bool
slow_glob(struct str glob, struct str text)
{
	struct str next = str_from(text, 1);

	while (next.n > 0 && (next.p[0] & 0xc0) == 0x80)
		next = str_from(next, 1);
	if (glob.n == 0)
		return text.n == 0;
	if (glob.p[0] == '*')
		return slow_glob(str_from(glob, 1), text) ||
		    (text.n > 0 && slow_glob(glob, next));
	if (text.n == 0)
		return false;
	if (glob.p[0] == '?')
		return slow_glob(str_from(glob, 1), next);
	return tolower(glob.p[0]) == tolower(text.p[0]) &&
	    slow_glob(str_from(glob, 1), str_from(text, 1));
}

/* Rules that are read mean the same when they are written and read again;
 * others are wrong at a place that is there. The first line is a title. */
static void
fuzz_rules(struct str in)
{
	static struct policy p, again;
	size_t eol = str_find(in, '\n'), lines = 1;
	struct str title = str_upto(in, eol), text = str_from(in, eol + 1);
	struct place at = { 0, 0, NULL };
	struct out o;

	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	if (!pol_parse(&p, &T, text, &at)) {
		MUST_HOLD(at.problem != NULL && at.line >= 1);
		MUST_HOLD(at.line <= lines && at.column >= 1);
		MUST_HOLD(at.column <= text.n + 1);
		return;
	}
	MUST_HOLD(p.rules <= lines && p.rules <= RULES_MAX);
	out_open(&o, &T);
	for (size_t i = 0; i < p.rules; i++)
		rules_put(&o, &p.rule[i]);
	MUST_HOLD(pol_parse(&again, &T, out_close(&o, &T), &at));
	MUST_HOLD(again.rules == p.rules);
	for (size_t i = 0; i < p.rules; i++) {
		const struct rule *r = &p.rule[i], *b = &again.rule[i];
		struct str glob = r->sel[SEL_ITEM];

		MUST_HOLD(r->act == b->act && r->verdict == b->verdict);
		MUST_HOLD(r->rate.n == b->rate.n &&
		    r->rate.seconds == b->rate.seconds);
		MUST_HOLD(r->line >= i + 1 && r->line <= lines);
		MUST_HOLD(r->sel[SEL_AT].p == NULL || r->act == ACT_USE);
		for (size_t s = 0; s < SEL_COUNT; s++) {
			MUST_HOLD((r->sel[s].p == NULL) ==
			    (b->sel[s].p == NULL));
			MUST_HOLD(str_eq(r->sel[s], b->sel[s]));
			MUST_HOLD(r->sel[s].p == NULL || r->sel[s].n > 0);
			MUST_HOLD(is_utf8(r->sel[s]));
		}
		if (glob.p == NULL)
			continue;
		if (!is_utf8(title) || glob.n > 10 || title.n > 16)
			(void)pol_glob_eq(glob, title);
		else
			MUST_HOLD(pol_glob_eq(glob, title) ==
			    slow_glob(glob, title));
	}
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define AUDIT_LINE(seq, more, prev) "{\"seq\":" seq ",\"run\":" \
	"\"0123456789abcdef\"" more ",\"prev\":\"" prev "\",\"mac\":\"" ZEROS \
	"\"}"

/* No text that was not written under the token verifies as if it were. */
static void
fuzz_audit(struct str in)
{
	struct aud_report r;
	struct arena scratch;
	size_t lines = 0;

	MUST_HOLD(mem_carve(&scratch, &T, 1 << 18));
	for (size_t i = 0; i < in.n; i++)
		lines += in.p[i] == '\n';
	aud_verify(&r, &scratch, in, S("token"));
	MUST_HOLD(r.lines <= lines && r.unknown == r.lines);
	MUST_HOLD(r.problem != NULL || r.lines == lines);
	MUST_HOLD(in.n == 0 || in.p[in.n - 1] == '\n' || r.problem != NULL);
}

/* ====================================================================
 * Values: references, one-time codes, keys, recipes
 * ==================================================================== */

/* The slice lies within the text or is empty. */
static bool
is_within(struct str s, struct str text)
{
	return s.n == 0 || (s.p >= text.p && s.p + s.n <= text.p + text.n);
}

/* What was taken as a reference is what its parts give again; a lenient
 * reader takes what the strict one takes, and nothing hidden. */
static void
fuzz_value_ref(struct str in)
{
	static const char *const query[] = { "", "?attribute=otp",
		"?ssh-format=openssh" };
	struct err e = { 0 }, f = { 0 };
	struct ref strict, r;
	struct str text, slash;
	uint32_t cp;
	bool ok = ref_parse(in, true, &strict, &e);

	MUST_HOLD(ok || (e.code == E_REF && e.what != NULL));
	if (!ref_parse(in, false, &r, &f)) {
		MUST_HOLD(!ok && f.code == E_REF && f.what != NULL);
		return;
	}
	slash = r.section.p != NULL ? S("/") : S("");
	text = JOIN(&T, S("op://"), r.vault, S("/"), r.item, S("/"),
	    r.section, slash, r.field, str_c(query[r.query]));
	MUST_HOLD(str_eq(text, in) || (r.query == REF_OTP && str_eq(
	    str_upto(text, text.n - 3), str_upto(in, in.n - 4)) &&
	    str_eq(str_from(in, in.n - 4), S("totp"))));
	for (text = in; text.n > 0;) {
		MUST_HOLD(utf8_next(&text, &cp) && !text_is_hidden(cp));
		MUST_HOLD(!ok || cp < 0x80);
	}
	MUST_HOLD(!ok || (strict.vault.p == r.vault.p &&
	    strict.item.p == r.item.p && strict.section.p == r.section.p &&
	    strict.field.p == r.field.p && strict.query == r.query));
}

/* Codes are digits, and the next one comes in time. */
static void
fuzz_value_totp(struct str in)
{
	struct err e = { 0 };
	struct totp t;
	unsigned left;
	u8 code[8];

	if (!totp_parse(in, &t, &e)) {
		MUST_HOLD(e.code == E_OTP && e.what != NULL);
		return;
	}
	MUST_HOLD(t.key_len > 0 && t.key_len <= in.n);
	MUST_HOLD(t.digits >= 1 && t.digits <= 8 && t.hash != NULL);
	totp_code(&t, (int64_t)in.n * 12345678901, code, &left);
	MUST_HOLD(left >= 1 && left <= t.period && t.period < 3600);
	for (unsigned i = 0; i < t.digits; i++)
		MUST_HOLD(code[i] >= '0' && code[i] <= '9');
}

/* Binary readers stay within the file; what became a key file stays one. */
static void
fuzz_value_ssh(struct str in)
{
	struct ssh_key k = { NOTHING, { NOTHING } };
	struct str text, again;
	struct err e = { 0 };

	(void)!ssh_read_pkcs1(in, &k);
	(void)!ssh_read_pkcs8(in, &k);
	(void)!ssh_read_openssh(in, &k, &e);
	MUST_HOLD(is_within(k.seed, in));
	for (size_t i = 0; i < RSA_COUNT; i++)
		MUST_HOLD(is_within(k.rsa[i], in));
	e = (struct err){ 0 };
	if (!ssh_to_openssh(&T, in, &text, &e)) {
		MUST_HOLD(e.code == E_SSH && e.what != NULL);
		return;
	}
	MUST_HOLD(ssh_to_openssh(&T, text, &again, &e));
	MUST_HOLD(str_eq(text, again));
}

static void
fuzz_value(struct str in)
{
	struct recipe r;
	struct err e = { 0 };

	fuzz_value_ref(in);
	fuzz_value_totp(in);
	fuzz_value_ssh(in);
	if (gen_recipe(in, &r, &e)) {
		MUST_HOLD(gen_bits(&r) >= 32 && r.length <= 64);
		MUST_HOLD(r.words != (r.letters || r.digits || r.symbols));
	} else {
		MUST_HOLD(e.code == E_ARGUMENT && e.what != NULL);
	}
}

/* ====================================================================
 * The kinds, and how they are run
 * ==================================================================== */

#define LINE_META "\"_meta\":{\"" META_VERSION "\":\"2026-07-28\",\"" \
	META_CAPABILITIES "\":{\"elicitation\":{}},\"progressToken\":\"t\"}"
#define LINE_CALL "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":" \
	"\"tools/call\",\"params\":{\"name\":\"get_health_status\"," \
	"\"_meta\":{\"progressToken\":1}}}\n"
#define LINE_ANSWER(action) "{\"jsonrpc\":\"2.0\",\"id\":\"s65537\"," \
	"\"result\":{\"action\":\"" action "\"}}\n"
#define ASK_SAYS(action, answer) "{\"approval\":{\"action\":\"" action \
	"\",\"content\":{\"answer\":\"" answer "\"}}}"

static const struct fuzz_kind {
	const char *name;
	void (*run)(struct str in);
	struct str seed[16];    /* examples to start from */
	struct str piece[48];   /* what to put in */
} fuzz_kinds[] = {
	{ "JSON", fuzz_json, {
		B("{\"a\":[1,-2.5e+3,\"\\u00e9\\n\\ud83d\\udd11\"],\"b\":{"
		    "\"c\":null,\"d\":true},\"e\":false}"),
		B("[[[[[[]]]]],{},\"\",0]"), B(" {\"\\u0061\":1,\"b\":\"\"} "),
		B("\"\xf0\x9f\x94\x91\""), B("-0.0e-0"), B("null"),
		B("{\"a\":1,\"\\u0061\":1}"), B("[\"\\ud800\\udc00\"]"),
	}, {
		B("{"), B("}"), B("["), B("]"), B(","), B(":"), B("\""),
		B("\\u"), B("\\u0061"), B("\\ud83d"), B("\\udd11"), B("\"a\":"),
		B("true"), B("null"), B("e+1"), B("0"), B("-"), B("."),
		B("\\"), B("\xc3\xa9"), B("\xed\xa0\x80"), B("[[[[[[[["),
		B("]]]]]]]]"), B("\0"), B("\\ue000"), B("\\udfff"),
		B("\\ud800"), B("\xed\xbf\xbf"), B("\xee\x80\x80"), B("\x1f"),
	} },
	{ "HTTP", fuzz_http, {
		B("0HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
		B("0HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: x\r\n\r\n"),
		B("0HTTP/1.0 200 OK\r\nConnection: a, close\r\n\r\nto the end"),
		B("1HTTP/1.1 200 OK\r\n\r\ncut"),
		B("1HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n"),
		B("0HTTP/1.1 429 x\r\nRetry-After: 60\r\nContent-Length: 0"
		    "\r\nContent-Length: 0\r\n\r\n"),
		B("http://user:p%40ss@[::1]:3128/"), B("proxy.example:80"),
		B("Sun, 06 Nov 1994 08:49:37 GMT"),
	}, {
		B("\r\n"), B("\r\n\r\n"), B("HTTP/1.1 "), B("200 OK"),
		B("Content-Length: "), B("Transfer-Encoding: chunked"),
		B("Content-Encoding: identity"), B("Connection: close"),
		B("Retry-After: "), B("0\r\n\r\n"), B("5\r\n"), B(";"), B(":"),
		B("00000000"), B("ffffffff"), B("18446744073709551615"),
		B("204 "), B("100 "), B("101 "), B("\t"), B("@"), B("%"),
		B("["), B("]"),
	} },
	{ "B64", fuzz_b64, {
		B("Zm9vYmFy"), B("Zm9vYg"), B("-_-_"), B("+/+/"), B("AA"),
		B("0123456789abcdefABCDEF"), B("Zg=="),
	}, {
		B("="), B("-"), B("_"), B("+"), B("/"), B("A"), B("\0"),
		B("\n"), B("AAAA"), B("\xff"),
	} },
	{ "TOKEN", fuzz_token, {
		B("{\"signInAddress\":\"my.1password.com\",\"userAuth\":{},"
		    "\"email\":\"a@b\",\"srpX\":\"90dd57\",\"muk\":{\"alg\":"
		    "\"A256GCM\",\"k\":\"7YI0RMuFk393GbRRlGZkbIpexsYxmLPA2JrWAs"
		    "AlVjQ\"},\"secretKey\":\"A3-ABCDEF-GHJKLM-NPQRS-TVWXY-"
		    "Z2345-6789A\",\"throttleSecret\":{\"seed\":\"ad43c4713b9b"
		    "7342a4fb99a7af1a4cf139b97d0178d5271652c67084d99df1d4\","
		    "\"uuid\":\"VVB4I4J3TNZUFJH3TGT26GSM6E\"},\"deviceUuid\":"
		    "\"fdpki4cgoigqxpwtexaqbbbyv4\"}"),
		B("ops_e30"), B("{\"signInAddress\":\"https://a.b:8443/\"}"),
	}, {
		B("https://"), B(":443"), B("/"), B("null"), B("\"x\":"),
		B("\\u0000"), B("\\r\\n"), B("\\\""), B("@"), B("-"), B(" "),
		B("\"derivation\":{\"alg\":\"A256GCM\"},"), B("0"), B("a"),
		B("A"), B("\xc3\xa9"), B("="),
	} },
	{ "LINE", fuzz_line, {
		B("!{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
		    "\"params\":{\"name\":\"get_1password_credentials\","
		    "\"arguments\":{\"item_name\":\"x\"}}}\n{\"jsonrpc\":"
		    "\"2.0\",\"method\":\"notifications/cancelled\","
		    "\"params\":{\"requestId\":1}}\n"),
		B("e[{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"ping\"},"
		    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\","
		    "\"params\":{\"name\":\"get_health_status\"}},7,[]]\n"
		    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
		    "\"tools/list\"}\n"),
		B("4{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\","
		    "\"params\":{\"_meta\":{\"" META_VERSION "\":"
		    "\"2026-07-28\",\"" META_CAPABILITIES "\":{}}}}\n"),
		B("4{\"jsonrpc\":\"2.0\",\"id\":-1,\"method\":"
		    "\"server/discover\",\"params\":{\"_meta\":{\"" META_VERSION
		    "\":\"\\u0032\"}}}\r\n\n{}\n{\n"),
		B("0{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"initialize\","
		    "\"params\":{\"protocolVersion\":\"x\"}}\n{\"jsonrpc\":"
		    "\"2.0\",\"id\":null,\"result\":{}}\n"),
		/* the keeper asks, for that is what it does at 33 */
		B("!" LINE_CALL LINE_ANSWER("accept") LINE_ANSWER("accept")),
		B("!" LINE_CALL LINE_ANSWER("decline") "{\"jsonrpc\":\"2.0\","
		    "\"method\":\"notifications/cancelled\",\"params\":{"
		    "\"requestId\":\"c\"}}\n"),
		B("!" LINE_CALL "++++++++++++++\n+\n" LINE_ANSWER("cancel")),
		B("!" LINE_CALL "{\"jsonrpc\":\"2.0\",\"method\":"
		    "\"notifications/cancelled\",\"params\":{\"requestId\":"
		    "\"c\"}}\n" LINE_CALL "+++++++++++++++\n"),
		B("T{\"jsonrpc\":\"2.0\",\"id\":-1,\"method\":"
		    "\"server/discover\",\"params\":{" LINE_META "}}\n"
		    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"),
		B("4{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":"
		    "\"subscriptions/listen\",\"params\":{\"notifications\":{"
		    "\"toolsListChanged\":true}," LINE_META "}}\n{\"jsonrpc\":"
		    "\"2.0\",\"method\":\"notifications/cancelled\","
		    "\"params\":{\"requestId\":9}}\n"),
		B("<{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
		    "\"params\":{\"name\":\"get_health_status\","
		    "\"requestState\":\"AAAA\",\"inputResponses\":{"
		    "\"approval\":{\"action\":\"accept\"}}," LINE_META
		    "}}\n"),
		B("2{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"prompts/get\","
		    "\"params\":{\"name\":\"use_credential\",\"arguments\":{"
		    "\"item_name\":\"a\",\"vault\":\"\"}}}\n{\"jsonrpc\":"
		    "\"2.0\",\"id\":1,\"method\":\"prompts/list\"}\n"),
		B("3{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		    "\"completion/complete\",\"params\":{\"ref\":{\"type\":"
		    "\"ref/prompt\",\"name\":\"audit_vault\"},\"argument\":{"
		    "\"name\":\"vault\",\"value\":\"a\"},\"context\":{"
		    "\"arguments\":{\"vault\":\"b\"}}}}\n"),
		B("2{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		    "\"resources/read\",\"params\":{\"uri\":"
		    "\"onepassword://vaults/a/items?cursor=b\"}}\n{\"jsonrpc\""
		    ":\"2.0\",\"id\":2,\"method\":\"resources/templates/list"
		    "\"}\n"),
	}, {
		B(LINE_CALL), B(LINE_ANSWER("accept")), B("\n+++++\n"),
		B("\"inputResponses\":{},"), B("\"requestState\":\"\","),
		B("\"progressToken\":7"), B("\"cursor\":\"x\","),
		B("resources/read"), B("resources/list"),
		B("resources/templates/list"), B("prompts/get"),
		B("prompts/list"), B("completion/complete"),
		B("subscriptions/listen"), B("\"notifications\":{},"),
		B("\"elicitation\":{}"), B("\"" META_LOG_LEVEL "\":\"debug\","),
		B("\"uri\":\"onepassword://vaults\","),
		B("\n"), B("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\""),
		B("ping\"}"), B("tools/call\""), B("tools/list\""),
		B(",\"params\":{\"name\":\"get_health_status\"}}"),
		B("notifications/cancelled\",\"params\":{\"requestId\":"),
		B("[{"), B("},{"), B("}]"), B("\"id\":"), B("null"), B("1.5"),
		B("\"_meta\":{\"" META_VERSION "\":\"2026-07-28\",\""
		    META_CAPABILITIES "\":{}}"), B("{"), B("}"), B("\\u0000"),
		B("\xe2\x80\xa8"), B(","), B("\"x\""), B("\"result\":{}"),
		B("initialize"), B("server/discover"), B("\r"),
	} },
	{ "ITEM", fuzz_item, {
		B("0{\"fields\":[{\"designation\":\"username\",\"value\":"
		    "\"u\"},{\"designation\":\"password\",\"value\":\"p\"}],"
		    "\"sections\":[{\"fields\":[{\"k\":\"string\",\"n\":\"a\","
		    "\"t\":\"Username\",\"v\":\"1\"},{\"k\":\"date\",\"n\":"
		    "\"b\",\"v\":1}]}]}"),
		B("1{\"password\":\"p\",\"sections\":[]}"),
		B("2{\"sections\":[{\"fields\":[{\"k\":\"concealed\",\"n\":"
		    "\"credential\",\"t\":\"\",\"v\":\"c\"},{\"k\":\"file\","
		    "\"n\":\"A\",\"t\":\"a\",\"v\":{}}]}]}"),
	}, {
		B("\"fields\":"), B("\"sections\":"), B("\"k\":\"string\""),
		B("\"n\":\"password\""), B("\"t\":\"password\""), B("\"v\":"),
		B("\"designation\":\"username\""), B("[{"), B("},{"), B("}]"),
		B(","), B("null"), B("\"x\""), B("\"\\u0000\""), B("{}"),
		B("1"), B("\"USERNAME\""), B("\"value\":"), B("\"password\":"),
	} },
	{ "NAME", fuzz_name, {
		B("GitHub"), B("\xe6\x97\xa5\xe6\x9c\xac"), B("a b"),
		B("AI|AI|Work|"), B("*|a|a|a"), B("Work,AI|ai|work|WORK"),
		B("" ID1 "|x|" ID1 "|" ID1 ""), B(",|||"),
		B("a\xe2\x80\x8b" "b"),
		B("\xf3\xa0\x81\xa1|\xc2\xa0|\xef\xbb\xbf|*"),
	}, {
		B("|"), B(","), B("*"), B(" "), B(ID1), B(ID2), B("AI"),
		B("\xc2\xad"), B("\xe2\x80\xae"), B("\xe3\x80\x80"),
		B("\xed\xa0\x80"), B("\xf0\x9f\x94\x91"), B("\xff"), B("\0"),
		B("\xef\xbb\xbf"), B("\xf3\xa0\x80\x81"),
	} },
	{ "URI", fuzz_uri, {
		B("onepassword://status"), B("OnePassword://Vaults"),
		B("onepassword://vaults/AI/items"),
		B("onepassword://vaults/%C3%A9%2F/items?cursor=%61b"),
		B("t://a/xb/c?d=e"), B("t://a"), B("t://1/2/3/4/5"),
		B("T://A/../x./.x/..x/."),
	}, {
		B("onepassword://"), B("vaults"), B("/items"), B("?cursor="),
		B("?d="), B("/"), B("//"), B("/../"), B("/./"), B(".."),
		B("%2F"), B("%00"), B("%c3%a9"), B("%ED%A0%80"), B("%fF"),
		B("%f0%9f%94%91"), B("%"), B("%4"), B("#"), B("?"), B("&"),
		B("\0"), B("\xc3\xa9"), B("{a}"), B("t://"), B("x"), B(":"),
		B("://"), B("A"), B(" "),
	} },
	{ "ASK", fuzz_ask, {
		B("\n" ASK_SAYS("accept", "allow once")),
		B("\n" ASK_SAYS("accept", "refuse")),
		B("\n" ASK_SAYS("decline", "allow once")),
		B("\n{\"approval\":{\"action\":\"cancel\"}} "),
		B("\1\3A\n" ASK_SAYS("accept", "allow once")),
		B("\x6a\3A\n" ASK_SAYS("accept", "allow once")),
		B("\xff\1A\n{}"), B("\7\2 \n{}"), B("\6\0 \n{}"),
		B("=AAAA\n{}"), B("=\n" ASK_SAYS("accept", "allow once")),
	}, {
		B("\n"), B("="), B("{"), B("}"), B("\"approval\":"),
		B("\"action\":"), B("\"content\":"), B("\"answer\":"),
		B("\"accept\""), B("\"allow once\""), B("\"refuse\""),
		B("\"decline\""), B("\"cancel\""), B("null"), B("true"),
		B("[]"), B(","), B("\\u0061"), B(" "), B("\x6a\3A"),
		B("\x6a\3Q"), B("\0\3B"),
	} },
	{ "RULES", fuzz_rules, {
		B("GitHub\npermit reveal item Git*\n"),
		B("a b\n# x\r\ndeny use at https://a:8443 vault \"A \\\"\"\n"),
		B("\xc3\xa9x\nlimit 5/60s reveal item ?x tag t category Login"),
		B("aab\nask write field \"*\" item *ab # c\n\npermit list"),
	}, {
		B("permit "), B("ask "), B("deny "), B("limit "), B("1/30d "),
		B("2/1h "), B("list "), B("reveal "), B("use "), B("write "),
		B("vault "), B("item "), B("field "), B("tag "), B("category "),
		B("at "), B("https://x"), B("001 "), B("Database "), B("\""),
		B("\\"), B("\\\""), B("#"), B("\n"), B("\r\n"), B("\t"), B("*"),
		B("?"), B("\xc3\xa9"), B("\xff"), B("\xe2\x80\x8b"), B("\0"),
		B(" "), B("a"),
	} },
	{ "AUDIT", fuzz_audit, {
		B(AUDIT_LINE("1", ",\"key\":\"00000000\"", ZEROS) "\n"),
		B(AUDIT_LINE("1", ",\"key\":\"00000000\"", ZEROS) "\n"
		    AUDIT_LINE("2", "", ZEROS) "\n"),
		B("{}\n"), B("\n"), B(""),
	}, {
		B(AUDIT_LINE("2", "", ZEROS)), B("\n"), B(ZEROS), B("{"),
		B("}"), B("\"seq\":"), B("\"run\":"), B("\"key\":"),
		B("\"prev\":"), B("\"mac\":"), B("0123456789abcdef"), B("\""),
		B(","), B("A"), B("1"), B("9223372036854775807"),
	} },
	{ "VALUE", fuzz_value, {
		B("op://vault/item/field"),
		B("op://a b/c.d/e_/f-1?attribute=totp"),
		B("op://\xc3\xa9/\xe6\x97\xa5/ ?ssh-format=openssh"),
		B("JBSW Y3DP-EHPK3PXP=="),
		B("otpauth://totp/a?secret=JBSWY3DP%20AA&digits=8&period=60"
		    "&algorithm=SHA256"),
		B("letters,digits,symbols,32"), B("words,5"),
		B("-----BEGIN PRIVATE KEY-----\n"
		    "MC4CAQAwBQYDK2VwBCIEIDZl1P+uMZj8SqyNO1AC176QHW1VZX4O"
		    "MJau5ZthF+tC\n"
		    "-----END PRIVATE KEY-----\n"),
		B("-----BEGIN RSA PRIVATE KEY-----\n"
		    "MBsCAQACASMCAQUCAQUCAQUCAQcCAQECAQUCAQM=\n"
		    "-----END RSA PRIVATE KEY-----\n"),
		B("-----BEGIN PRIVATE KEY-----\n"
		    "MDECAQAwDQYJKoZIhvcNAQEBBQAEHTAbAgEAAgEjAgEFAgEFAgEF"
		    "AgEHAgEBAgEFAgED\n"
		    "-----END PRIVATE KEY-----\n"),
		B("-----BEGIN OPENSSH PRIVATE KEY-----\n"
		    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB"
		    "AAAAMwAAAAtzc2gtZW\n"
		    "QyNTUxOQAAACBtrfSb1FFNQxi8kTQvKtyFLfxT6/Q6e6lODqkiNp"
		    "s2JQAAAIg/oF0eP6Bd\n"
		    "HgAAAAtzc2gtZWQyNTUxOQAAACBtrfSb1FFNQxi8kTQvKtyFLfxT"
		    "6/Q6e6lODqkiNps2JQ\n"
		    "AAAEA2ZdT/rjGY/EqsjTtQAte+kB1tVWV+DjCWruWbYRfrQm2t9J"
		    "vUUU1DGLyRNC8q3IUt\n"
		    "/FPr9Dp7qU4OqSI2mzYlAAAAAAECAwQF\n"
		    "-----END OPENSSH PRIVATE KEY-----\n"),
		B("\x30\x1b\x02\x01\x00\x02\x01\x23\x02\x01\x05\x02\x01"
		    "\x05\x02\x01\x05\x02\x01\x07\x02\x01\x01\x02\x01\x05"
		    "\x02\x01\x03"),
		B("\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04"
		    "\x22\x04\x20\x36\x65\xd4\xff\xae\x31\x98\xfc\x4a\xac"
		    "\x8d\x3b\x50\x02\xd7\xbe\x90\x1d\x6d\x55\x65\x7e\x0e"
		    "\x30\x96\xae\xe5\x9b\x61\x17\xeb\x42"),
	}, {
		B("op://"), B("/"), B("?"), B("attribute="), B("otp"),
		B("ssh-format=openssh"), B("&"), B("="), B("\xc3\xa9"),
		B("\xe2\x80\x8b"), B("otpauth://totp/"), B("secret="),
		B("digits="), B("period="), B("algorithm="), B("SHA1"),
		B("sha512"), B("%41"), B("%"), B("+"), B("#"), B("3599"),
		B("letters"), B("digits"), B("symbols"), B("words"), B(","),
		B("64"), B("-----BEGIN "), B("-----END "), B("-----"),
		B("PRIVATE KEY"), B("OPENSSH "), B("RSA "), B("\n"),
		B("\x30\x81"), B("\x30\x82"), B("\x02\x01"), B("\x04\x20"),
		B("\0\0\0"), B("\0\0\0\xff"), B("ssh-rsa"),
		B("ssh-ed25519"), B("openssh-key-v1\0"), B("none"), B("A"),
		B("b3Bl"), B(":"),
	} },
	{ "CONNECT", fuzz_connect, {
		B("{\"id\":\"" CON_VAULT "\",\"vault\":{\"id\":\"" CON_VAULT
		    "\"},\"title\":\"t\",\"category\":\"LOGIN\",\"tags\":["
		    "\"a\"],\"urls\":[{\"primary\":true,\"href\":\"https://x"
		    "\"}],\"sections\":[{\"id\":\"s\",\"label\":\"S\"}],"
		    "\"fields\":[{\"id\":\"username\",\"type\":\"STRING\","
		    "\"purpose\":\"USERNAME\",\"label\":\"username\","
		    "\"value\":\"u\"},{\"id\":\"TOTP_1\",\"type\":\"OTP\","
		    "\"section\":{\"id\":\"s\"},\"value\":\"otpauth://x\"},{"
		    "\"id\":\"d\",\"type\":\"DATE\",\"value\":\"86400\"}],"
		    "\"files\":[{\"id\":\"" CON_VAULT "\",\"name\":\"f\","
		    "\"size\":1}]}"),
		B("uhttps://connect.example:8443/base/"),
		B("uhttp://[::1]:8080"), B("uhttp://localhost"),
		B("teyJhbGciOiJFUzI1NiJ9.eyJhdWQiOlsiY29tLjFwYXNzd29yZC5jb25uZ"
		    "WN0Il19.AAAA"),
	}, {
		B("\"fields\":[{"), B("\"sections\":["), B("\"purpose\":"),
		B("\"PASSWORD\""), B("\"NOTES\""), B("\"type\":"),
		B("\"CONCEALED\""), B("\"MONTH_YEAR\""), B("\"value\":"),
		B("\"section\":{\"id\":\"q\"}"), B("null"), B("{}"), B("[]"),
		B(","), B("},{"), B("\"id\":"), B("\"label\":"), B("1"),
		B("\"SSH_KEY\""), B("\"category\":"), B("https://"),
		B("http://"), B(":"), B("/"), B("@"), B("["), B("]"), B("."),
		B("127.0.0.1"), B("\r\n"), B("\"\\u0000\""),
	} },
};

static void
run_one(const struct fuzz_kind *k, struct str in)
{
	if (T.base == NULL)
		MUST_HOLD(mem_open(&T, (size_t)1 << 30));
	k->run(in);
	mem_reset(&T, 0);
}

static uint64_t prng = 1;

static size_t
rnd(size_t below)
{
	prng ^= prng >> 12;
	prng ^= prng << 25;
	prng ^= prng >> 27;
	return below == 0 ? 0 : (prng * 0x2545f4914f6cdd1du >> 33) % below;
}

static size_t
count(const struct str *list, size_t max)
{
	size_t n = 0;

	while (n < max && list[n].p != NULL)
		n++;
	return n;
}

/* Replace len bytes at a place by others; the new length. */
static size_t
replace(u8 *p, size_t n, size_t max, size_t at, size_t len, struct str by)
{
	if (len > n - at)
		len = n - at;
	if (n - len + by.n > max)
		return n;
	memmove(p + at + by.n, p + at + len, n - at - len);
	if (by.n > 0)
		memcpy(p + at, by.p, by.n);
	return n - len + by.n;
}

/* One small change. */
static size_t
change(const struct fuzz_kind *k, u8 *p, size_t n, size_t max)
{
	const struct str *seed = &k->seed[rnd(count(k->seed, LEN(k->seed)))];
	size_t at = rnd(n + 1), len = rnd(9);
	u8 piece[64], byte;

	switch (rnd(8)) {
	case 0:
		if (at < n)
			p[at] = (u8)(p[at] ^ 1 << rnd(8));
		return n;
	case 1:
		byte = (u8)rnd(256);
		return replace(p, n, max, at, rnd(2), (struct str){ &byte, 1 });
	case 2:
		return replace(p, n, max, at, len, NOTHING);
	case 3:
		len = rnd(sizeof piece);
		len = len < n - at ? len : n - at;
		memcpy(piece, p + at, len);
		return replace(p, n, max, rnd(n + 1), 0,
		    (struct str){ piece, len });
	case 4:
		len = rnd(seed->n + 1);
		return replace(p, n, max, at, rnd(n - at + 1),
		    str_from(*seed, len));
	case 5:
		return replace(p, n, max, at, n, NOTHING);
	default:
		return replace(p, n, max, at, rnd(2) * len, k->piece[rnd(
		    count(k->piece, LEN(k->piece)))]);
	}
}

#if defined(FUZZ_JSON)
#define FUZZ_FIRST 0
#elif defined(FUZZ_HTTP)
#define FUZZ_FIRST 1
#elif defined(FUZZ_B64)
#define FUZZ_FIRST 2
#elif defined(FUZZ_TOKEN)
#define FUZZ_FIRST 3
#elif defined(FUZZ_LINE)
#define FUZZ_FIRST 4
#elif defined(FUZZ_ITEM)
#define FUZZ_FIRST 5
#elif defined(FUZZ_NAME)
#define FUZZ_FIRST 6
#elif defined(FUZZ_URI)
#define FUZZ_FIRST 7
#elif defined(FUZZ_ASK)
#define FUZZ_FIRST 8
#elif defined(FUZZ_RULES)
#define FUZZ_FIRST 9
#elif defined(FUZZ_AUDIT)
#define FUZZ_FIRST 10
#elif defined(FUZZ_VALUE)
#define FUZZ_FIRST 11
#elif defined(FUZZ_CONNECT)
#define FUZZ_FIRST 12
#endif

#ifdef FUZZ_FIRST
#define FUZZ_LAST FUZZ_FIRST
#else
#define FUZZ_FIRST 0
#define FUZZ_LAST (LEN(fuzz_kinds) - 1)
#endif

#ifndef FUZZ_MAIN

int LLVMFuzzerTestOneInput(const u8 *p, size_t n);
size_t LLVMFuzzerMutate(u8 *p, size_t n, size_t max);
size_t LLVMFuzzerCustomMutator(u8 *p, size_t n, size_t max, unsigned seed);

int
LLVMFuzzerTestOneInput(const u8 *p, size_t n)
{
	run_one(&fuzz_kinds[FUZZ_FIRST], (struct str){ p, n });
	return 0;
}

/* libFuzzer's own changes and ours, now and then from an example. */
size_t
LLVMFuzzerCustomMutator(u8 *p, size_t n, size_t max, unsigned seed)
{
	const struct fuzz_kind *k = &fuzz_kinds[FUZZ_FIRST];

	prng = seed + 0x9e3779b97f4a7c15u;
	(void)rnd(1);
	if (n < 2 || rnd(100) == 0)
		n = replace(p, n, max, 0, n, k->seed[rnd(count(k->seed,
		    LEN(k->seed)))]);
	for (size_t i = rnd(4); i > 0; i--)
		n = change(k, p, n, max);
	if (n == 0)
		p[n++] = (u8)rnd(256);
	return rnd(2) == 0 ? n : LLVMFuzzerMutate(p, n, max);
}

#else

static struct {
	const struct fuzz_kind *kind;
	u8 in[4096];
	size_t n;
} under_way;

/* Show what was being tried. */
static void
on_abort(int sig)
{
	(void)sig;
	(void)fprintf(stderr, "%s fails on:", under_way.kind->name);
	for (size_t i = 0; i < under_way.n; i++)
		(void)fprintf(stderr, " %02x", under_way.in[i]);
	(void)fputc('\n', stderr);
}

int
main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) :
	    (uint64_t)time(NULL);
	unsigned long n = argc > 2 ? strtoul(argv[2], NULL, 10) : 100000;

	(void)printf("seed %llu, %lu inputs of each kind\n",
	    (unsigned long long)seed, n);
	(void)signal(SIGABRT, on_abort);
	for (size_t i = FUZZ_FIRST; i <= FUZZ_LAST; i++) {
		const struct fuzz_kind *k = &fuzz_kinds[i];

		under_way.kind = k;
		prng = seed * 2 + 1;
		for (unsigned long round = 0; round < n; round++) {
			struct str first = k->seed[rnd(count(k->seed,
			    LEN(k->seed)))];

			under_way.n = replace(under_way.in, under_way.n,
			    sizeof under_way.in, 0, rnd(3) > 0 ?
			    under_way.n : 0, rnd(3) > 0 ? first : NOTHING);
			for (size_t c = rnd(1 + rnd(8)); c > 0; c--)
				under_way.n = change(k, under_way.in,
				    under_way.n, sizeof under_way.in);
			run_one(k, (struct str){ under_way.in,
			    under_way.n });
		}
		(void)printf("%s: %lu inputs\n", k->name, n);
	}
	return 0;
}
#endif
