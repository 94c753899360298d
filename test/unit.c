/* SPDX-License-Identifier: MIT
 *
 * unit.c: the unit tests of opmcp. It includes the program itself, with main
 * renamed, and so sees every static function and needs no test hooks there.
 * Run from the top of the source tree: it reads test/data/ and test/pki/.
 *
 *	cc -std=c11 -g -o unit test/unit.c -lbearssl && ./unit [-vs] [PREFIX]
 *
 * Sections and their numbers are those of opmcp.c; most tests are tables of
 * {input, expected}. A failure prints a line with its place; the last line is
 * "N passed, N failed", and the exit status tells the same.
 *
 * Two things are replaced. The clock, the randomness and the waiting go
 * through struct os: the clock stands still unless somebody waits. And
 * BearSSL's engine is hidden behind macros: what the program takes for the
 * plaintext of a TLS connection comes from a table (struct peer below), cut
 * into pieces as the test likes. Handshakes are left to test/e2e.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <bearssl.h>

static unsigned peer_state(void);
static int peer_error(void);
static unsigned char *peer_recvapp(size_t *n);
static void peer_recvapp_ack(size_t n);
static unsigned char *peer_sendapp(size_t *n);
static void peer_sendapp_ack(size_t n);
static unsigned char *peer_sendrec(size_t *n);
static void peer_sendrec_ack(size_t n);
static unsigned char *peer_recvrec(size_t *n);
static void peer_flush(void);
static int peer_reset(const char *host, int resume);

#define br_ssl_engine_current_state(c) peer_state()
#define br_ssl_engine_last_error(c) peer_error()
#define br_ssl_engine_recvapp_buf(c, n) peer_recvapp(n)
#define br_ssl_engine_recvapp_ack(c, n) peer_recvapp_ack(n)
#define br_ssl_engine_sendapp_buf(c, n) peer_sendapp(n)
#define br_ssl_engine_sendapp_ack(c, n) peer_sendapp_ack(n)
#define br_ssl_engine_sendrec_buf(c, n) peer_sendrec(n)
#define br_ssl_engine_sendrec_ack(c, n) peer_sendrec_ack(n)
#define br_ssl_engine_recvrec_buf(c, n) peer_recvrec(n)
#define br_ssl_engine_recvrec_ack(c, n) ((void)(n))
#define br_ssl_engine_flush(c, force) peer_flush()
#define br_ssl_client_reset(c, host, resume) peer_reset(host, resume)

/* Few, or verifying a short file would mostly clear memory. */
#include "../opmcp.h"
#undef AUD_RUNS_MAX
#define AUD_RUNS_MAX 64u

#define main opmcp_main
#include "../opmcp.c"

/* The back end of a keeper that works with a service account. */
#define SA(k) ((struct sa *)(k)->back)
#undef main

#include <sys/un.h>

/* ====================================================================
 * 0. Checks, vectors, a frozen system
 * ==================================================================== */

static struct {
	const char *test, *row; /* what is under way, for the messages */
	unsigned passed, failed;
} run;

static struct arena T;          /* of the test under way */
static char dir[256];           /* for scratch files */

/* Print bytes so that nothing is hidden, at most 300. */
static void
show(struct str s)
{
	for (size_t i = 0; i < s.n && i < 300; i++)
		if (s.p[i] >= ' ' && s.p[i] < 0x7f)
			(void)putchar(s.p[i]);
		else
			(void)printf("\\x%02x", s.p[i]);
	if (s.n > 300)
		(void)printf("... (%zu bytes)", s.n);
}

static bool
check_at(int line, bool ok, const char *what)
{
	if (ok) {
		run.passed++;
		return true;
	}
	run.failed++;
	(void)printf("test/unit.c:%d: %s: %s%s%s\n", line, run.test, what,
	    run.row != NULL ? " in row: " : "", run.row != NULL ? run.row :
	    "");
	return false;
}

static bool
same_at(int line, struct str got, struct str want, const char *what)
{
	if (check_at(line, str_eq(got, want), what))
		return true;
	(void)printf("  got:  ");
	show(got);
	(void)printf("\n  want: ");
	show(want);
	(void)printf("\n");
	return false;
}

static bool
equal_at(int line, long long got, long long want, const char *what)
{
	if (check_at(line, got == want, what))
		return true;
	(void)printf("  got:  %lld\n  want: %lld\n", got, want);
	return false;
}

#define CHECK(...) check_at(__LINE__, (__VA_ARGS__), #__VA_ARGS__)
#define FAIL(what) check_at(__LINE__, false, (what))
#define SAME(got, want) same_at(__LINE__, (got), (want), #got " same")
#define EQUAL(got, want) \
	equal_at(__LINE__, (long long)(got), (long long)(want), \
	    #got " == " #want)
/* The failure is the expected one; the word is what users see. */
#define FAILED(e, want) \
	same_at(__LINE__, str_c(err_table[(e).code].word), \
	    str_c(err_table[want].word), "error code")

/* A string with its length, so that it may hold a NUL. */
#define B(lit) { (const u8 *)("" lit), sizeof(lit) - 1 }

/* A C string for a file name or a label; lives as long as the test. */
static char *
cstr(struct str s)
{
	char *p = mem_alloc(&T, s.n + 1);

	if (p == NULL)
		abort();
	if (s.n > 0)
		memcpy(p, s.p, s.n);
	return p;
}

/* The bytes of a hex text, odd or even, as long as it says. */
static struct str
unhex(struct str hex)
{
	size_t n = (hex.n + 1) / 2;
	u8 *p = mem_alloc(&T, n + 1);

	if (p == NULL)
		abort();
	if (n > 0 && !hex_decode(p, n, hex))
		FAIL("hex in a table");
	return (struct str){ p, n };
}

static struct str
hex(const u8 *p, size_t n)
{
	struct out o;

	out_init(&o, mem_alloc(&T, 2 * n), 2 * n);
	hex_put(&o, (struct str){ p, n });
	return out_str(&o);
}

/* A small generator (xorshift64*), the same on every run and for every test,
 * whichever ran before it. */
#define SEED 88172645463325252u

static uint64_t seed = SEED;

/* unit -s: under valgrind, which is fifty times slower and does not survive
 * what the box refuses to it. */
static bool slow;
#define ROUNDS(n) (slow ? (n) / 50u : (n) + 0u)

static uint32_t
rnd(uint32_t below)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return (uint32_t)((seed * 0x2545f4914f6cdd1du) >> 32) % below;
}

/* A whole file, in T. */
static struct str
slurp(const char *path)
{
	FILE *f = fopen(path, "rb");
	struct out o;

	if (f == NULL) {
		(void)printf("cannot open %s: run from the top directory\n",
		    path);
		exit(2);
	}
	out_open(&o, &T);
	o.n = fread(o.p, 1, o.cap, f);
	(void)fclose(f);
	return out_close(&o, &T);
}

/* The test vectors under way. A file is read once; its strings with escapes
 * are decoded to an arena of its own, so that T can be reset. */
static struct json vec;

static void
load(const char *name)
{
	static struct {
		const char *name;
		struct json j;
		struct arena arena;
	} files[16];
	struct err e = { 0 };
	struct str text;
	size_t i = 0;

	while (files[i].name != NULL && strcmp(files[i].name, name) != 0)
		i++;
	if (files[i].name == NULL) {
		if (!mem_open(&files[i].arena, 64 << 20))
			abort();
		text = str_dup(&files[i].arena, slurp(name));
		if (!CHECK(json_parse(&files[i].j, &files[i].arena, text,
		    &e)))
			exit(2);
		files[i].name = name;
	}
	vec = files[i].j;
}

static uint32_t
at(uint32_t box, const char *name)
{
	return json_get(&vec, box, str_c(name));
}

/* A string member, NOTHING when missing. */
static struct str
text_at(uint32_t box, const char *name)
{
	struct str s = NOTHING;

	(void)!json_get_str(&vec, box, str_c(name), &s);
	return s;
}

static struct str
hex_at(uint32_t box, const char *name)
{
	return unhex(text_at(box, name));
}

static uint64_t
number_at(uint32_t box, const char *name)
{
	uint64_t v = 0;
	uint32_t node = at(box, name);

	CHECK(node != 0 && str_u64(json_text(&vec, node), UINT64_MAX, &v));
	return v;
}

#define EACH(k, box) \
	for (uint32_t k = json_first(&vec, box); k; k = json_next(&vec, box, k))

/* Name the row of the messages after a vector. */
static void
row_of(uint32_t node)
{
	run.row = cstr(text_at(node, "name"));
}

/* Two JSON values mean the same; members in any order. */
static bool
json_is_same(const struct json *a, uint32_t x, const struct json *b, uint32_t y)
{
	uint32_t k, m;
	struct str s, t;

	if (x == 0 || y == 0 || a->tok[x].type != b->tok[y].type)
		return false;
	if (a->tok[x].type == JSMN_PRIMITIVE)
		return str_eq(json_text(a, x), json_text(b, y));
	if (a->tok[x].type == JSMN_STRING)
		return json_str(a, x, &s) && json_str(b, y, &t) &&
		    str_eq(s, t);
	for (k = json_first(a, x), m = json_first(b, y); k && m;
	    k = json_next(a, x, k), m = json_next(b, y, m)) {
		if (a->tok[x].type == JSMN_ARRAY) {
			if (!json_is_same(a, k, b, m))
				return false;
		} else if (!json_str(a, k, &s) ||
		    !json_is_same(a, k + 1, b, json_get(b, y, s))) {
			return false;
		}
	}
	return k == 0 && m == 0;
}

/* The system of the tests: a clock that moves only when somebody waits, and
 * randomness that is known. Sockets are real, but nobody waits for them. */
static uint64_t fake_ms = 1000000;
static int64_t fake_unix = 1767323045;  /* 2026-01-02T03:04:05Z */
static struct str fake_bytes;           /* what random() gives, if n fits */
static bool fake_random_fails;

static uint64_t
fake_now(void)
{
	return fake_ms;
}

static int64_t
fake_time(void)
{
	return fake_unix;
}

static bool
fake_random(u8 *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (u8)rnd(256);
	if (fake_bytes.n == n)
		memcpy(p, fake_bytes.p, n);
	return !fake_random_fails;
}

static int
fake_poll(struct pollfd *pfd, nfds_t n, int ms)
{
	int got = poll(pfd, n, 0);

	if (got == 0)
		fake_ms += ms > 0 ? (uint64_t)ms : 0;
	return got;
}

static const struct os fake_os = { -1, LOG_ERROR, fake_now, fake_time,
	fake_random, fake_poll, read, write };

/* The other end of a TLS connection. step cuts what it sends into pieces;
 * when in is used up, it stays, says goodbye or breaks off. answer() is
 * called when a request is complete and may set all that. */
static struct peer {
	struct str in;
	size_t step;
	enum peer_end { PEER_STAYS, PEER_CLOSES, PEER_BREAKS } then;
	bool answering;
	int error;              /* of the engine: it is closed */
	struct out out;         /* the request so far */
	u8 room[1 << 18];
	size_t records;         /* bytes the engine wants to have sent */
	void (*answer)(void);
	int listener, fd;
	char port[6];
	unsigned connects, resumed;
} peer = { .listener = -1, .fd = -1 };

static bool
peer_is_at_end(void)
{
	return peer.answering && peer.in.n == 0;
}

static unsigned
peer_state(void)
{
	if (peer.error != 0 ||
	    (peer_is_at_end() && peer.then == PEER_CLOSES))
		return BR_SSL_CLOSED;
	if (peer_is_at_end() && peer.then == PEER_BREAKS && peer.fd >= 0) {
		(void)close(peer.fd);
		peer.fd = -1;
	}
	if (peer.records > 0)
		return BR_SSL_SENDREC | BR_SSL_RECVREC;
	return BR_SSL_SENDAPP | (peer.in.n > 0 ? BR_SSL_RECVAPP :
	    BR_SSL_RECVREC);
}

static int
peer_error(void)
{
	return peer.error;
}

static unsigned char *
peer_recvapp(size_t *n)
{
	*n = peer.step < peer.in.n ? peer.step : peer.in.n;
	return (unsigned char *)(uintptr_t)peer.in.p;
}

static void
peer_recvapp_ack(size_t n)
{
	if (n > peer.in.n)
		abort();
	peer.in = str_from(peer.in, n);
}

static unsigned char *
peer_sendapp(size_t *n)
{
	if (peer.answering) {           /* a new request begins */
		peer.answering = false;
		peer.out.n = 0;
	}
	*n = peer.out.cap - peer.out.n < peer.step ?
	    peer.out.cap - peer.out.n : peer.step;
	return peer.out.p + peer.out.n;
}

static void
peer_sendapp_ack(size_t n)
{
	peer.out.n += n;
}

static unsigned char *
peer_sendrec(size_t *n)
{
	*n = peer.records;
	return peer.room;
}

static void
peer_sendrec_ack(size_t n)
{
	peer.records -= n;
}

static unsigned char *
peer_recvrec(size_t *n)
{
	static unsigned char record[16];

	*n = sizeof record;
	return record;
}

static void
peer_flush(void)
{
	peer.answering = true;
	peer.records = 3;
	if (peer.answer != NULL)
		peer.answer();
}

/* A new connection has come. */
static int
peer_reset(const char *host, int resume)
{
	(void)host;
	if (peer.fd >= 0)
		(void)close(peer.fd);
	peer.fd = accept(peer.listener, NULL, NULL);
	peer.connects++;
	peer.resumed += resume != 0;
	peer.answering = false;
	peer.in = NOTHING;
	peer.error = 0;
	peer.records = 0;
	peer.out.n = 0;
	return 1;
}

/* Listen on a port of the loopback device. */
static int
listen_on(char port[6])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sin, len) != 0 ||
	    listen(fd, 16) != 0 ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) != 0)
		abort();
	(void)snprintf(port, 6, "%u", ntohs(sin.sin_port));
	return fd;
}

/* Ready for a test: nothing said, whole pieces, stays. */
static void
peer_start(void (*answer)(void))
{
	if (peer.listener < 0)
		peer.listener = listen_on(peer.port);
	peer.in = NOTHING;
	peer.step = 1 << 20;
	peer.then = PEER_STAYS;
	peer.answering = false;
	peer.error = 0;
	peer.records = 0;
	peer.answer = answer;
	peer.connects = peer.resumed = 0;
	out_init(&peer.out, peer.room, sizeof peer.room);
}

/* ====================================================================
 * 2. Memory: slices, arenas, builders, wiping
 * ==================================================================== */

static bool
is_zero(const u8 *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void
test_mem_alloc(void)
{
	static const size_t sizes[] = { 0, 1, 15, 16, 17, 100, 4096 };
	struct arena a;
	u8 *p;

	if (!CHECK(mem_open(&a, 16384)))
		return;
	EQUAL(a.used, 0);
	for (size_t i = 0; i < LEN(sizes); i++) {
		p = mem_alloc(&a, sizes[i]);
		CHECK(p != NULL && (uintptr_t)p % 16 == 0);
		CHECK(p + sizes[i] <= a.base + a.cap);
		CHECK(is_zero(p, sizes[i]));
		memset(p, 0xaa, sizes[i]);
	}
	CHECK(mem_alloc(&a, a.cap) == NULL);
	CHECK(mem_alloc(&a, SIZE_MAX) == NULL);
	CHECK(mem_alloc(&a, SIZE_MAX - 14) == NULL);
	mem_reset(&a, 0);
	CHECK(mem_alloc(&a, a.cap) != NULL);
	CHECK(mem_alloc(&a, 1) == NULL);
	mem_reset(&a, 0);
	CHECK(mem_alloc(&a, a.cap + 1) == NULL);
	(void)munmap(a.base, a.cap);
}

/* I6: what has not been given out is zero, whatever happened before. */
static void
test_mem_reset(void)
{
	struct arena a;
	size_t mark[64];
	size_t marks = 0;

	if (!CHECK(mem_open(&a, 1 << 20)))
		return;
	for (int round = 0; round < 400; round++) {
		size_t n = rnd(8) == 0 ? rnd(300000) : rnd(300);
		u8 *p = mem_alloc(&a, n);

		if (p != NULL) {
			if (!CHECK(is_zero(p, n)))
				break;
			memset(p, 0x5a, n);
		}
		if (rnd(3) == 0 && marks < LEN(mark))
			mark[marks++] = a.used;
		if (rnd(4) == 0 && marks > 0) {
			size_t keep = mark[rnd((uint32_t)marks)];

			mem_reset(&a, keep);
			EQUAL(a.used, keep);
			if (!CHECK(is_zero(a.base + keep, a.cap - keep)))
				break;
			for (size_t i = marks; i-- > 0;)
				if (mark[i] > keep)
					mark[i] = mark[--marks];
		}
	}
	mem_reset(&a, 0);
	CHECK(is_zero(a.base, a.cap));
	(void)munmap(a.base, a.cap);
}

/* A builder in an arena: alone while it is open, wiped by the reset even
 * after it overflowed, and even when it is cut short afterwards. */
static void
test_mem_reset_builder(void)
{
	struct arena a;
	struct out o;

	if (!CHECK(mem_open(&a, 65536)))
		return;
	CHECK(mem_alloc(&a, 10) != NULL);
	out_open(&o, &a);
	CHECK(mem_alloc(&a, 1) == NULL);
	out_put(&o, S("hello"));
	SAME(out_close(&o, &a), S("hello"));
	EQUAL(a.used, 15);
	mem_reset(&a, 10);
	CHECK(is_zero(a.base, a.cap));
	out_open(&o, &a);
	for (int i = 0; i < 10000; i++)
		out_put(&o, S("0123456789"));
	CHECK(o.over);
	EQUAL(out_close(&o, &a).n, 65520);
	mem_reset(&a, 0);
	CHECK(is_zero(a.base, a.cap));
	(void)munmap(a.base, a.cap);
}

/* A child that is forked sees zeros. */
static void
test_mem_open_fork(void)
{
	struct arena a;
	int status = -1;
	pid_t pid;
	u8 *p;

	if (!CHECK(mem_open(&a, 8192)))
		return;
	p = mem_alloc(&a, 100);
	memset(p, 0x77, 100);
	pid = fork();
	if (pid == 0)
		_exit(is_zero(p, 100) ? 0 : 1);
	CHECK(waitpid(pid, &status, 0) == pid);
#ifdef MADV_WIPEONFORK
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
	EQUAL(p[50], 0x77);
	(void)munmap(a.base, a.cap);
}

static void
test_mem_wipe(void)
{
	u8 b[64];
	struct {
		int a, b;
	} s = { 1, 2 };

	memset(b, 1, sizeof b);
	mem_wipe(b + 1, 62);
	CHECK(b[0] == 1 && b[63] == 1 && is_zero(b + 1, 62));
	mem_wipe(b, 0);
	EQUAL(b[0], 1);
	mem_wipe(NULL, 0);
	WIPE(s);
	CHECK(s.a == 0 && s.b == 0);
}

static void
test_mem_out(void)
{
	u8 room[8];
	struct out o;

	out_init(&o, room, sizeof room);
	out_put(&o, S("abc"));
	out_byte(&o, 'd');
	SAME(out_str(&o), S("abcd"));
	out_put(&o, S("12345"));        /* does not fit */
	CHECK(o.over);
	SAME(out_str(&o), S("abcd"));
	out_byte(&o, 'x');              /* would fit, but over is sticky */
	out_put(&o, NOTHING);
	SAME(out_str(&o), S("abcd"));
	CHECK(o.over);
	out_init(&o, room, sizeof room);
	OUT(&o, S("1234"), S(""), S("5678"));
	CHECK(!o.over);
	out_put(&o, NOTHING);
	CHECK(!o.over);
	OUT(&o, S("9"), S(""));
	CHECK(o.over);
	EQUAL(o.n, 8);
	out_init(&o, NULL, 8);
	CHECK(o.over);
	out_byte(&o, 'x');
	EQUAL(o.n, 0);
}

static void
test_mem_out_u64(void)
{
	static const struct {
		uint64_t v;
		const char *want;
	} rows[] = { { 0, "0" }, { 7, "7" }, { 10, "10" }, { 99, "99" },
		{ UINT32_MAX, "4294967295" },
		{ UINT64_MAX, "18446744073709551615" } };
	u8 room[24];
	struct out o;

	for (size_t i = 0; i < LEN(rows); i++) {
		out_init(&o, room, sizeof room);
		out_u64(&o, rows[i].v);
		SAME(out_str(&o), str_c(rows[i].want));
	}
	out_init(&o, room, 19);
	out_u64(&o, UINT64_MAX);
	CHECK(o.over && o.n == 0);
}

static void
test_mem_ct(void)
{
	u8 a[64], b[64];

	for (size_t i = 0; i < sizeof a; i++)
		a[i] = b[i] = (u8)rnd(256);
	CHECK(ct_eq(a, b, 0));
	CHECK(ct_eq(a, b, sizeof a));
	for (size_t i = 0; i < 8 * sizeof a; i++) {
		b[i / 8] = (u8)(b[i / 8] ^ 1 << i % 8);
		if (!CHECK(!ct_eq(a, b, sizeof a)))
			break;
		b[i / 8] = (u8)(b[i / 8] ^ 1 << i % 8);
	}
	for (unsigned c = 0; c < 300; c++)
		for (unsigned lo = 0; lo < 300; lo += 13)
			for (unsigned hi = lo; hi < 300; hi += 17)
				if (ct_range(c, lo, hi) !=
				    (c >= lo && c <= hi ? ~0u : 0u)) {
					FAIL("ct_range");
					return;
				}
	CHECK(true);
}

static void
test_str_eq(void)
{
	static const struct {
		struct str a, b;
		bool eq, nocase;
	} rows[] = {
		{ B(""), B(""), true, true },
		{ B(""), { NULL, 0 }, true, true },
		{ B("a"), B(""), false, false },
		{ B("abc"), B("abc"), true, true },
		{ B("abc"), B("abd"), false, false },
		{ B("abc"), B("ab"), false, false },
		{ B("aBc"), B("AbC"), false, true },
		{ B("a\0b"), B("a\0c"), false, false },
		{ B("a\0b"), B("A\0B"), false, true },
		{ B("[]^_`"), B("{}~\x7f@"), false, false },
		{ B("@"), B("`"), false, false },
		{ B("["), B("{"), false, false },
		/* only ASCII has letters here */
		{ B("\xc3\xa9"), B("\xc3\x89"), false, false },
		{ B("Z"), B("z"), false, true },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = (const char *)rows[i].a.p;
		EQUAL(str_eq(rows[i].a, rows[i].b), rows[i].eq);
		EQUAL(str_eq(rows[i].b, rows[i].a), rows[i].eq);
		EQUAL(str_nocase_eq(rows[i].a, rows[i].b), rows[i].nocase);
		EQUAL(str_order(rows[i].a, rows[i].b) == 0, rows[i].eq);
	}
	run.row = NULL;
	CHECK(str_order(S("b"), S("aa")) < 0);
	CHECK(str_order(S("ab"), S("aa")) > 0);
	CHECK(str_order(S("\x7f"), S("\x80")) < 0);
	SAME(str_c(NULL), NOTHING);
	SAME(str_c("x"), S("x"));
	for (unsigned c = 0; c < 256; c++)
		if (str_lower((u8)c) != (c >= 'A' && c <= 'Z' ? c + 32 : c)) {
			FAIL("str_lower");
			return;
		}
}

static void
test_str_slices(void)
{
	struct str s = S("hello"), none = NOTHING;

	SAME(str_from(s, 0), S("hello"));
	SAME(str_from(s, 2), S("llo"));
	SAME(str_from(s, 5), S(""));
	SAME(str_from(s, 99), S(""));
	SAME(str_upto(s, 0), S(""));
	SAME(str_upto(s, 2), S("he"));
	SAME(str_upto(s, 99), S("hello"));
	SAME(str_from(none, 3), S(""));
	SAME(str_upto(none, 3), S(""));
	EQUAL(str_find(s, 'l'), 2);
	EQUAL(str_find(s, 'x'), 5);
	EQUAL(str_find(none, 'x'), 0);
	EQUAL(str_find(S("a\0b"), 'b'), 2);
	CHECK(str_is_start(s, S("")));
	CHECK(str_is_start(s, S("hell")));
	CHECK(str_is_start(s, S("hello")));
	CHECK(!str_is_start(s, S("hello!")));
	CHECK(!str_is_start(s, S("Hell")));
	CHECK(!str_is_start(none, S("x")));
	SAME(str_dup(&T, s), s);
	CHECK(str_dup(&T, s).p != s.p);
	CHECK(str_dup(&T, none).p != NULL);
}

static void
test_str_dup_full(void)
{
	struct arena a;

	if (!CHECK(mem_open(&a, 4096)))
		return;
	CHECK(str_dup(&a, (struct str){ T.base, 4096 }).p != NULL);
	CHECK(str_dup(&a, S("x")).p == NULL);
	EQUAL(str_dup(&a, S("x")).n, 0);
	(void)munmap(a.base, a.cap);
}

static void
test_str_cut(void)
{
	static const struct {
		const char *in, *want;
	} rows[] = {
		{ "", "[]" },
		{ "a", "[a]" },
		{ ",", "[][]" },
		{ "a,b,c", "[a][b][c]" },
		{ "a,,b", "[a][][b]" },
		{ "a,b,", "[a][b][]" },
		{ ",a", "[][a]" },
	};
	struct str rest, part;
	u8 room[64];
	struct out o;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].in;
		rest = str_c(rows[i].in);
		out_init(&o, room, sizeof room);
		while (str_cut(&rest, ',', &part))
			OUT(&o, S("["), part, S("]"));
		SAME(out_str(&o), str_c(rows[i].want));
	}
	rest = NOTHING;
	CHECK(!str_cut(&rest, ',', &part));
}

static void
test_str_trim(void)
{
	static const struct str rows[][2] = {
		{ B(""), B("") }, { B(" "), B("") }, { B(" \t "), B("") },
		{ B("a"), B("a") }, { B(" a "), B("a") },
		{ B("\ta b\t\t"), B("a b") }, { B("\na\n"), B("\na\n") },
		{ B("\0a"), B("\0a") },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		SAME(str_trim(rows[i][0]), rows[i][1]);
}

static void
test_str_u64(void)
{
	static const struct {
		struct str s;
		uint64_t max;
		bool ok;
		uint64_t want;
	} rows[] = {
		{ B("0"), 0, true, 0 },
		{ B("1"), 0, false, 0 },
		{ B("007"), 7, true, 7 },
		{ B("65535"), 65535, true, 65535 },
		{ B("65536"), 65535, false, 0 },
		{ B("9999999999999999999"), UINT64_MAX, true,
		    9999999999999999999u },
		{ B("10000000000000000000"), UINT64_MAX, false, 0 },
		{ B("00000000000000000001"), UINT64_MAX, false, 0 },
		{ B(""), 9, false, 0 }, { B("-1"), 9, false, 0 },
		{ B("+1"), 9, false, 0 }, { B(" 1"), 9, false, 0 },
		{ B("1 "), 9, false, 0 }, { B("1x"), 9, false, 0 },
		{ B("0x1"), 9, false, 0 }, { B("1\0"), 9, false, 0 },
		{ B("\xb2"), 9, false, 0 }, { B("1.0"), 9, false, 0 },
	};
	uint64_t v;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = (const char *)rows[i].s.p;
		v = 4711;
		EQUAL(str_u64(rows[i].s, rows[i].max, &v), rows[i].ok);
		EQUAL(v, rows[i].ok ? rows[i].want : 4711);
	}
}

/* ====================================================================
 * 3. Errors: one struct, one table
 * ==================================================================== */

static void
test_err_table(void)
{
	static const int known[] = { EX_OK, EX_USAGE, EX_DATAERR, EX_NOPERM,
		EX_NOINPUT, EX_CONFIG, EX_PROTOCOL, EX_TEMPFAIL,
		EX_UNAVAILABLE, EX_NOHOST, EX_SOFTWARE, EX_IOERR };

	for (size_t i = 0; i < LEN(err_table); i++) {
		const struct err_row *r = &err_table[i];
		bool found = false;

		run.row = r->word;
		if (!CHECK(r->word != NULL && r->text != NULL))
			continue;
		CHECK(r->word[0] != '\0');
		for (const char *p = r->word; *p != '\0'; p++)
			CHECK((*p >= 'a' && *p <= 'z') || *p == '_');
		CHECK((i == E_NONE) == (r->text[0] == '\0'));
		for (size_t k = 0; k < LEN(known); k++)
			found |= r->status == known[k];
		CHECK(found);
		CHECK((i == E_NONE) == (r->status == EX_OK));
		for (size_t k = 0; k < i; k++)
			CHECK(strcmp(r->word, err_table[k].word) != 0);
	}
}

static void
test_err_set(void)
{
	struct err e = { 0 };

	FAILED(e, E_NONE);
	CHECK(!fail_http(&e, E_SERVICE, "first", 503));
	CHECK(!fail(&e, E_NET, "second"));
	FAILED(e, E_SERVICE);
	SAME(str_c(e.what), S("first"));
	EQUAL(e.http, 503);
	e = (struct err){ 0 };
	CHECK(!fail(&e, E_NET, ""));
	FAILED(e, E_NET);
	EQUAL(e.http, 0);
	EQUAL(e.step, 0);
}

/* ====================================================================
 * 4. OS seam: clock, randomness, waiting, files, names, sockets, log
 * ==================================================================== */

/* A path below the scratch directory. */
static char *
path_of(const char *name)
{
	char *p = mem_alloc(&T, 512);

	(void)snprintf(p, 512, "%s/%s", dir, name);
	return p;
}

/* A file with this content and mode, new. */
static char *
file_with(const char *name, struct str content, mode_t mode)
{
	char *path = path_of(name);
	int fd;

	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, content.p, content.n) !=
	    (ssize_t)content.n || fchmod(fd, mode) != 0)
		abort();
	(void)close(fd);
	return path;
}

static void
test_os_clock(void)
{
	struct os os;
	u8 a[256] = { 0 }, b[256] = { 0 };
	uint64_t start;

	os_init(&os, LOG_ERROR);
	EQUAL(os.watch, -1);
	start = os.now_ms();
	CHECK(start > 0 && os.now_ms() >= start);
	CHECK(os.unix_time() > 1700000000);
	CHECK(os.random(a, 256) && os.random(b, 256));
	CHECK(memcmp(a, b, 256) != 0);
	CHECK(!os.random(a, 257));
	EQUAL(os_deadline(&fake_os, fake_ms + 10, 100), fake_ms + 10);
	EQUAL(os_deadline(&fake_os, fake_ms + 1000, 100), fake_ms + 100);
	EQUAL(os_deadline(&fake_os, 5, 100), 5);
}

static void
test_os_wait(void)
{
	struct os os = fake_os;
	struct err e = { 0 };
	struct pollfd pfd[2];
	uint64_t start = fake_ms;
	int data[2], watch[2];

	if (!CHECK(pipe(data) == 0 && pipe(watch) == 0))
		return;
	CHECK(!os_wait_fd(&os, data[0], POLLIN, start + 700, &e));
	FAILED(e, E_TIMEOUT);           /* nothing came */
	CHECK(fake_ms >= start + 700);
	e = (struct err){ 0 };
	start = fake_ms;
	CHECK(os_wait_fd(&os, data[1], POLLOUT, start + 700, &e));
	EQUAL(fake_ms, start);
	CHECK(!os_wait_fd(&os, data[1], POLLOUT, start, &e));
	FAILED(e, E_TIMEOUT);           /* too late, even though ready */
	e = (struct err){ 0 };
	CHECK(write(data[1], "x", 1) == 1);
	CHECK(os_wait_fd(&os, data[0], POLLIN, start + 9, &e));
	os.watch = watch[0];
	CHECK(os_wait_fd(&os, data[0], POLLIN, start + 9, &e));
	CHECK(write(watch[1], "x", 1) == 1);
	CHECK(!os_wait_fd(&os, data[0], POLLIN, start + 9, &e));
	FAILED(e, E_CANCEL);            /* the watch counts first */
	e = (struct err){ 0 };
	CHECK(read(watch[0], &e, 1) == 1);
	(void)close(watch[1]);          /* its end counts as well */
	e = (struct err){ 0 };
	pfd[0] = (struct pollfd){ data[0], POLLIN, 0 };
	CHECK(!os_wait(&os, pfd, 1, start + 9, &e));
	FAILED(e, E_CANCEL);
	(void)close(watch[0]);
	(void)close(data[0]);
	(void)close(data[1]);
}

static int eintr_left;

static int
eintr_poll(struct pollfd *pfd, nfds_t n, int ms)
{
	if (eintr_left-- > 0) {
		errno = EINTR;
		return -1;
	}
	return fake_poll(pfd, n, ms);
}

static int
broken_poll(struct pollfd *pfd, nfds_t n, int ms)
{
	(void)pfd;
	(void)n;
	(void)ms;
	errno = EINVAL;
	return -1;
}

static void
test_os_wait_signals(void)
{
	struct os os = fake_os;
	struct err e = { 0 };
	int fd[2];

	if (!CHECK(pipe(fd) == 0))
		return;
	os.poll = eintr_poll;
	eintr_left = 5;
	CHECK(os_wait_fd(&os, fd[1], POLLOUT, fake_ms + 9, &e));
	os.poll = broken_poll;
	CHECK(!os_wait_fd(&os, fd[1], POLLOUT, fake_ms + 9, &e));
	FAILED(e, E_INTERNAL);
	(void)close(fd[0]);
	(void)close(fd[1]);
}

/* Reading a file of some kind fails with what, and names its setting. */
static void
no_file(enum os_file kind, const char *path, const char *what)
{
	size_t mark = T.used;
	struct err e = { 0 };
	struct str text;

	run.row = what;
	CHECK(!os_read_file(&T, kind, path, &text, &e));
	FAILED(e, E_CONFIG);
	SAME(str_c(e.what), str_c(what));
	SAME(str_c(e.where), str_c(os_files[kind].setting));
	mem_reset(&T, mark);
	run.row = NULL;
}

static void
test_os_read_file(void)
{
	struct err e = { 0 };
	struct str text;
	char *path = file_with("token", S("ops_x\n"), 0600);

	CHECK(os_read_file(&T, OS_FILE_TOKEN, path, &text, &e));
	SAME(text, S("ops_x\n"));
	path = file_with("ro", S("ops_y"), 0400);
	CHECK(os_read_file(&T, OS_FILE_TOKEN, path, &text, &e));
	SAME(text, S("ops_y"));
	path = file_with("empty", S(""), 0600);
	CHECK(os_read_file(&T, OS_FILE_TOKEN, path, &text, &e));
	EQUAL(text.n, 0);
	path = file_with("open", S("PEM"), 0666);
	CHECK(os_read_file(&T, OS_FILE_CA, path, &text, &e));
	SAME(text, S("PEM"));           /* a CA bundle is not secret */
	FAILED(e, E_NONE);
}

static void
test_os_read_file_refused(void)
{
	static const mode_t modes[] = { 0640, 0620, 0610, 0604, 0602, 0601,
		0666, 0777, 0660 };
	struct str big = { mem_alloc(&T, TOKEN_MAX + 1), TOKEN_MAX + 1 };
	struct err e = { 0 };
	struct str text;
	char *path;

	for (size_t i = 0; i < LEN(modes); i++)
		no_file(OS_FILE_TOKEN, file_with("m", S("x"), modes[i]),
		    "file is open to others: chmod 600");
	no_file(OS_FILE_TOKEN, path_of("missing"), "file cannot be opened");
	no_file(OS_FILE_CA, path_of("missing"), "file cannot be opened");
	no_file(OS_FILE_TOKEN, "", "file cannot be opened");
	no_file(OS_FILE_TOKEN, dir, "not a regular file");
	no_file(OS_FILE_CA, "/dev/null", "not a regular file");
	path = path_of("fifo");
	CHECK(mkfifo(path, 0600) == 0);
	no_file(OS_FILE_TOKEN, path, "not a regular file"); /* no waiting */
	no_file(OS_FILE_CA, path, "not a regular file");
	path = path_of("link");
	CHECK(symlink(file_with("target", S("t"), 0600), path) == 0);
	no_file(OS_FILE_TOKEN, path, "file cannot be opened");
	CHECK(os_read_file(&T, OS_FILE_CA, path, &text, &e));
	no_file(OS_FILE_TOKEN, file_with("big", big, 0600), "file too large");
	path = file_with("fits", str_upto(big, TOKEN_MAX), 0600);
	CHECK(os_read_file(&T, OS_FILE_TOKEN, path, &text, &e));
	EQUAL(text.n, TOKEN_MAX);
	if (geteuid() == 0) {           /* only root can give files away */
		path = file_with("other", S("x"), 0600);
		CHECK(chown(path, 12345, (gid_t)-1) == 0);
		no_file(OS_FILE_TOKEN, path,
		    "file belongs to somebody else");
	}
}

static void
test_os_slurp(void)
{
	struct err e = { 0 };
	struct str text;
	struct arena small;
	int fd[2];

	if (!CHECK(pipe(fd) == 0))
		return;
	CHECK(write(fd[1], "hello", 5) == 5);
	(void)close(fd[1]);
	CHECK(os_slurp(&T, fd[0], 5, &text, &e));
	SAME(text, S("hello"));
	CHECK(fcntl(fd[0], F_GETFD) < 0);       /* it has been closed */
	if (!CHECK(pipe(fd) == 0))
		return;
	CHECK(write(fd[1], "hello!", 6) == 6);
	(void)close(fd[1]);
	CHECK(!os_slurp(&T, fd[0], 5, &text, &e));
	FAILED(e, E_CONFIG);
	e = (struct err){ 0 };
	CHECK(!os_slurp(&T, 999, 5, &text, &e));
	FAILED(e, E_CONFIG);
	e = (struct err){ 0 };
	if (!CHECK(pipe(fd) == 0 && mem_open(&small, 4096)))
		return;
	(void)!mem_alloc(&small, 4090);
	CHECK(write(fd[1], "0123456789", 10) == 10);
	(void)close(fd[1]);
	CHECK(!os_slurp(&small, fd[0], 100, &text, &e));
	FAILED(e, E_CONFIG);            /* no room for all of it */
	(void)munmap(small.base, small.cap);
}

static void
test_os_resolve(void)
{
	static const struct {
		const char *host;
		size_t n;
		int family;
	} rows[] = {
		{ "127.0.0.1", 1, AF_INET }, { "::1", 1, AF_INET6 },
		{ "localhost", 2, AF_INET }, { "LocalHost", 2, AF_INET },
		{ "10.1.2.3", 1, AF_INET },
	};
	struct os_addrs to;
	struct err e = { 0 };
	struct os os;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].host;
		CHECK(os_resolve(&fake_os, rows[i].host, "443", 0, &to, &e));
		if (!EQUAL(to.n, rows[i].n))
			continue;
		EQUAL(to.at[0].sa.ss_family, rows[i].family);
		CHECK(to.at[0].len > 0);
		EQUAL(ntohs(((struct sockaddr_in *)&to.at[0].sa)->sin_port),
		    443);
	}
	run.row = NULL;
	FAILED(e, E_NONE);
	os_init(&os, LOG_ERROR);        /* this one forks and really waits */
	CHECK(!os_resolve(&os, "no-such-host.invalid", "443",
	    os.now_ms() + 20000, &to, &e));
	CHECK(e.code == E_DNS || e.code == E_TIMEOUT);
	EQUAL(to.n, 0);
}

/* Addresses of a port on the loopback device. */
static struct os_addrs
loopback(const char *port, size_t n)
{
	struct os_addrs to = { 0 };
	struct err e = { 0 };

	while (to.n < n) {
		struct os_addrs one;

		if (!os_resolve(&fake_os, "127.0.0.1", port, 0, &one, &e))
			abort();
		to.at[to.n++] = one.at[0];
	}
	return to;
}

static void
test_os_connect(void)
{
	char open_port[6], closed_port[6];
	int listener = listen_on(open_port), closed = listen_on(closed_port);
	struct os_addrs to = loopback(open_port, 1);
	struct err e = { 0 };
	struct os os;
	int fd, watch[2];

	os_init(&os, LOG_ERROR);
	(void)close(closed);
	CHECK(os_connect(&os, &to, os.now_ms() + 5000, &fd, &e));
	if (CHECK(fd >= 0)) {
		int flags = fcntl(fd, F_GETFL);

		CHECK((flags & O_NONBLOCK) != 0);
		CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		(void)close(fd);
	}
	to = loopback(closed_port, 1);
	CHECK(!os_connect(&os, &to, os.now_ms() + 5000, &fd, &e));
	FAILED(e, E_NET);
	EQUAL(fd, -1);
	e = (struct err){ 0 };
	to = loopback(closed_port, 8);          /* the last one answers */
	to.at[7] = loopback(open_port, 1).at[0];
	CHECK(os_connect(&os, &to, os.now_ms() + 5000, &fd, &e));
	if (CHECK(fd >= 0))
		(void)close(fd);
	to.n = 0;
	CHECK(!os_connect(&os, &to, os.now_ms() + 5000, &fd, &e));
	FAILED(e, E_NET);
	e = (struct err){ 0 };
	if (!CHECK(pipe(watch) == 0))
		return;
	os.watch = watch[0];
	(void)close(watch[1]);
	to = loopback(open_port, 1);
	CHECK(!os_connect(&os, &to, os.now_ms() + 5000, &fd, &e));
	FAILED(e, E_CANCEL);
	EQUAL(fd, -1);
	os.watch = -1;
	e = (struct err){ 0 };
	CHECK(!os_connect(&os, &to, 0, &fd, &e));
	FAILED(e, E_TIMEOUT);
	EQUAL(fd, -1);
	(void)close(watch[0]);
	(void)close(listener);
}

/* What is logged goes to stderr, cut at 1 KiB, below the level not at all,
 * and nobody waits for a reader. */
static void
test_os_log(void)
{
	int keep = dup(STDERR_FILENO), fd[2];
	struct os os = fake_os;
	char text[2000], got[4096];
	ssize_t n;

	memset(text, 'x', sizeof text);
	if (!CHECK(pipe2(fd, O_NONBLOCK) == 0 && keep >= 0))
		return;
	os.log = LOG_WARN;
	(void)fflush(stderr);
	(void)dup2(fd[1], STDERR_FILENO);
	os_log(&os, LOG_WARN, "hello %d", 42);
	os_log(&os, LOG_INFO, "not this");
	os_log(&os, LOG_ERROR, "%.*s", (int)sizeof text, text);
	n = read(fd[0], got, sizeof got);
	while (write(fd[1], text, sizeof text) > 0)
		;
	while (write(fd[1], text, 1) > 0)
		;
	os_log(&os, LOG_ERROR, "a full pipe");
	(void)dup2(keep, STDERR_FILENO);
	(void)close(keep);
	if (CHECK(n > 22)) {
		SAME(((struct str){ (u8 *)got, 22 }),
		    S("opmcp: warn: hello 42\n"));
		CHECK(n <= 22 + 1024 && got[n - 1] == '\n');
		CHECK(memchr(got + 22, '\n', (size_t)n - 23) == NULL);
	}
	(void)close(fd[0]);
	(void)close(fd[1]);
}

/* ====================================================================
 * 5. Text codecs: base64, hex, ids, UTF-8, time
 * ==================================================================== */

/* RFC 4648 section 10, and what must not be taken for it. */
static void
test_b64_decode(void)
{
	static const struct {
		const char *in;
		bool ok;
		struct str want;
	} rows[] = {
		{ "", true, B("") },
		{ "Zg", true, B("f") },
		{ "Zm8", true, B("fo") },
		{ "Zm9v", true, B("foo") },
		{ "Zm9vYg", true, B("foob") },
		{ "Zm9vYmE", true, B("fooba") },
		{ "Zm9vYmFy", true, B("foobar") },
		{ "-_-_", true, B("\xfb\xff\xbf") },
		{ "AAAA", true, B("\0\0\0") },
		{ "AA", true, B("\0") },
		{ "____", true, B("\xff\xff\xff") },
		{ "Zg==", false, B("") },       /* padding */
		{ "Zm8=", false, B("") },
		{ "Zm9v=", false, B("") },
		{ "=", false, B("") },
		{ "Z", false, B("") },          /* impossible lengths */
		{ "Zm9vY", false, B("") },
		{ "Zh", false, B("") },         /* leftover bits */
		{ "Zi", false, B("") },
		{ "Zo", false, B("") },
		{ "Zm-", false, B("") },
		{ "Zm9", false, B("") },
		{ "AB", false, B("") },
		{ "AAB", false, B("") },
		{ "+/+/", false, B("") },       /* the other alphabet */
		{ "Zm9v ", false, B("") },
		{ " Zm9v", false, B("") },
		{ "Zm\n9v", false, B("") },
		{ "Zm9v\n", false, B("") },
		{ "Z m9", false, B("") },
		{ "Zm9\x80", false, B("") },
		{ "%%%%", false, B("") },
		{ "Zg.", false, B("") },
	};
	u8 room[64];
	size_t n;

	for (size_t i = 0; i < LEN(rows); i++) {
		struct str in = str_c(rows[i].in);

		run.row = rows[i].in;
		EQUAL(b64_decode(room, in, &n), rows[i].ok);
		if (rows[i].ok)
			SAME(((struct str){ room, n }), rows[i].want);
		memcpy(room, in.p, in.n);       /* in place is allowed */
		EQUAL(b64_decode(room, (struct str){ room, in.n }, &n),
		    rows[i].ok);
		if (rows[i].ok)
			SAME(((struct str){ room, n }), rows[i].want);
	}
	run.row = NULL;
	CHECK(!b64_decode(room, (struct str)B("Zm\0v"), &n));
}

/* Every digit and everything that is none, at every place. */
static void
test_b64_digits(void)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789-_";
	u8 text[4], out[4];
	size_t n;

	for (unsigned c = 0; c < 256; c++) {
		const char *at = c != 0 ? strchr(set, (int)c) : NULL;

		if (at != NULL)
			EQUAL(b64_value(c, "-_"), at - set);
		else
			CHECK(b64_value(c, "-_") >= 64 &&
			    b64_value(c, "-_") < 128);
		for (size_t place = 0; place < 4; place++) {
			memset(text, 'A', 4);
			text[place] = (u8)c;
			if (b64_decode(out, (struct str){ text, 4 }, &n) !=
			    (at != NULL)) {
				FAIL("a byte at some place");
				return;
			}
		}
	}
	for (unsigned v = 0; v < 64; v++)
		EQUAL(b64_digit(v, "-_"), set[v]);
	EQUAL(b64_value('+', "+/"), 62);
	EQUAL(b64_value('/', "+/"), 63);
	CHECK(b64_value('-', "+/") >= 64 && b64_value('_', "+/") >= 64);
	EQUAL(b64_digit(62, "+/"), '+');
	EQUAL(b64_digit(63, "+/"), '/');
}

static void
test_b64_put(void)
{
	static const struct {
		const char *in, *url, *padded;
	} rows[] = {
		{ "", "", "" }, { "f", "Zg", "Zg==" },
		{ "fo", "Zm8", "Zm8=" }, { "foo", "Zm9v", "Zm9v" },
		{ "foob", "Zm9vYg", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
		{ "\xfb\xff\xfe", "-__-", "+//+" },
	};
	u8 room[512], plain[300], back[300];
	struct out o;
	size_t n;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].in;
		out_init(&o, room, sizeof room);
		b64_put_url(&o, str_c(rows[i].in));
		SAME(out_str(&o), str_c(rows[i].url));
		out_init(&o, room, sizeof room);
		b64_put(&o, str_c(rows[i].in), "+/", '=');
		SAME(out_str(&o), str_c(rows[i].padded));
	}
	run.row = "round trip";
	for (size_t len = 0; len < sizeof plain; len++) {
		for (size_t i = 0; i < len; i++)
			plain[i] = (u8)rnd(256);
		out_init(&o, room, sizeof room);
		b64_put_url(&o, (struct str){ plain, len });
		if (!CHECK(b64_decode(back, out_str(&o), &n) && n == len &&
		    memcmp(plain, back, len) == 0))
			break;
		CHECK(b64_decode_exact(back, len, out_str(&o)));
		CHECK(!b64_decode_exact(back, len + 1, out_str(&o)));
		if (len > 0)
			CHECK(!b64_decode_exact(back, len - 1, out_str(&o)));
	}
	out_init(&o, room, 3);
	b64_put_url(&o, S("foo"));
	CHECK(o.over);
}

static void
test_text_hex(void)
{
	static const struct {
		const char *in;
		size_t n;
		bool ok;
		struct str want;
	} rows[] = {
		{ "00", 1, true, B("\0") },
		{ "ff", 1, true, B("\xff") },
		{ "FF", 1, true, B("\xff") },
		{ "aB", 1, true, B("\xab") },
		{ "f", 1, true, B("\x0f") },
		{ "123", 2, true, B("\x01\x23") },
		{ "123", 4, true, B("\0\0\x01\x23") },
		{ "0123456789abcdefABCDEF", 11, true,
		    B("\x01\x23\x45\x67\x89\xab\xcd\xef\xab\xcd\xef") },
		{ "", 1, false, B("") },
		{ "123", 1, false, B("") },
		{ "0000", 1, false, B("") },
		{ "g0", 1, false, B("") },
		{ "0g", 1, false, B("") },
		{ "0x", 1, false, B("") },
		{ " 0", 1, false, B("") },
		{ "0 ", 1, false, B("") },
		{ "-1", 1, false, B("") },
		{ "/0", 1, false, B("") },      /* neighbours of digits */
		{ ":0", 1, false, B("") },
		{ "@0", 1, false, B("") },
		{ "G0", 1, false, B("") },
		{ "`0", 1, false, B("") },
		{ "\xe1\xe1", 1, false, B("") },
	};
	u8 room[16];
	struct out o;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].in;
		memset(room, 0xcc, sizeof room);
		EQUAL(hex_decode(room, rows[i].n, str_c(rows[i].in)),
		    rows[i].ok);
		if (rows[i].ok)
			SAME(((struct str){ room, rows[i].n }), rows[i].want);
	}
	run.row = NULL;
	CHECK(!hex_decode(room, 1, (struct str)B("0\0")));
	for (unsigned c = 0; c < 256; c++)
		CHECK((hex_value(c) < 16) == (c != 0 &&
		    strchr("0123456789abcdefABCDEF", (int)c) != NULL));
	out_init(&o, room, sizeof room);
	hex_put(&o, (struct str)B("\x00\x9a\xff\x10"));
	SAME(out_str(&o), S("009aff10"));
	out_init(&o, room, 3);
	hex_put(&o, (struct str)B("ab"));
	CHECK(o.over);
}

static void
test_text_id(void)
{
	static const struct {
		const char *in;
		bool lower, upper;
	} rows[] = {
		{ "abcdefghijklmnopqrstuvwxyz", true, false },
		{ "ABCDEFGHIJKLMNOPQRSTUVWXYZ", false, true },
		{ "22222222222222222222222222", true, true },
		{ "77777777777777777777777777", true, true },
		{ "nrmvgca3h2g22rl6qws25y7bje", true, false },
		{ "nrmvgca3h2g22rl6qws25y7bjE", false, false },
		{ "nrmvgca3h2g22rl6qws25y7bj", false, false },
		{ "nrmvgca3h2g22rl6qws25y7bjee", false, false },
		{ "", false, false },
		{ "nrmvgca3h2g22rl6qws25y7bj1", false, false },
		{ "nrmvgca3h2g22rl6qws25y7bj8", false, false },
		{ "nrmvgca3h2g22rl6qws25y7bj0", false, false },
		{ "nrmvgca3h2g22rl6qws25y7bj/", false, false },
		{ "nrmvgca3h2g22rl6qws25y7bj{", false, false },
		{ "nrmvgca3h2g22rl6qws25y7bj`", false, false },
		{ "../../../../../../../../..", false, false },
		{ "nrmvgca3h2g22rl6qws25y7bj ", false, false },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].in;
		EQUAL(id_is_valid(str_c(rows[i].in), 'a'), rows[i].lower);
		EQUAL(id_is_valid(str_c(rows[i].in), 'A'), rows[i].upper);
	}
	CHECK(!id_is_valid(NOTHING, 'a'));
}

/* Every code point there and back; surrogates and what lies above are
 * refused in this spelling as in every other. */
static void
test_text_utf8(void)
{
	u8 room[4];
	struct out o;
	uint32_t bad = 0;

	for (uint32_t cp = 0; cp < 0x110800; cp++) {
		bool ok = cp < 0x110000 && (cp < 0xd800 || cp > 0xdfff);
		uint32_t back = 0;
		struct str s;

		out_init(&o, room, sizeof room);
		utf8_put(&o, cp);
		s = out_str(&o);
		if (utf8_next(&s, &back) != ok ||
		    (ok && (back != cp || s.n != 0)))
			bad++;
	}
	EQUAL(bad, 0);
}

static void
test_text_utf8_refused(void)
{
	static const struct str rows[] = {
		B("\x80"), B("\xbf"), B("\xc0"), B("\xc1"),
		B("\xc0\x80"), B("\xc1\xbf"),           /* overlong */
		B("\xe0\x80\x80"), B("\xe0\x9f\xbf"),
		B("\xf0\x80\x80\x80"), B("\xf0\x8f\xbf\xbf"),
		B("\xed\xa0\x80"), B("\xed\xbf\xbf"),   /* surrogates */
		B("\xed\xa0\xbd\xed\xb8\x80"),          /* CESU-8 */
		B("\xf4\x90\x80\x80"), B("\xf5\x80\x80\x80"), /* too high */
		B("\xf8\x88\x80\x80\x80"), B("\xfc\x84\x80\x80\x80\x80"),
		B("\xfe"), B("\xff"),
		B("\xc2"), B("\xe2\x82"), B("\xf0\x9f\x98"),  /* cut short */
		B("\xe2"), B("\xf0"), B("\xf0\x9f"),
		B("\xc2\x41"), B("\xc2\xc2"), B("\xe2\x82\x41"),
		B("\xe2\x41\xac"), B("\xf0\x9f\x98\x41"),
		B("\xf0\x41\x98\x80"), B("\xf0\x9f\x41\x80"),
		B("\xc2\xff"), B("\xe2\xc0\x80"),
	};
	uint32_t cp;
	unsigned bad = 0;

	for (size_t i = 0; i < LEN(rows); i++) {
		struct str s = rows[i];

		run.row = cstr(hex(s.p, s.n));
		CHECK(!utf8_next(&s, &cp));
	}
	run.row = NULL;
	for (unsigned a = 0; a < 256; a++)              /* all pairs */
		for (unsigned b = 0; b < 256; b++) {
			u8 two[2] = { (u8)a, (u8)b };
			struct str s = { two, 2 };
			bool want = a < 0x80 || (a >= 0xc2 && a <= 0xdf &&
			    b >= 0x80 && b <= 0xbf);

			bad += utf8_next(&s, &cp) != want;
		}
	EQUAL(bad, 0);
}

/* Each class of what is not seen: its edges, and their neighbours. */
static void
test_text_hidden(void)
{
	static const struct {
		uint32_t cp;
		bool hidden;
	} rows[] = {
		{ 0x00, true }, { '\t', true }, { '\n', true }, { 0x1b, true },
		{ 0x1f, true }, { ' ', false }, { '~', false },
		{ 0x7f, true }, { 0x80, true }, { 0x85, true },
		{ 0x9f, true }, { 0xa0, false }, { 0xac, false },
		{ 0xad, true }, { 0xae, false }, { 0x34e, false },
		{ 0x34f, true }, { 0x350, false }, { 0x61b, false },
		{ 0x61c, true }, { 0x61d, false }, { 0x115e, false },
		{ 0x115f, true }, { 0x1160, true }, { 0x1161, false },
		{ 0x17b3, false }, { 0x17b4, true }, { 0x17b5, true },
		{ 0x17b6, false }, { 0x180a, false }, { 0x180b, true },
		{ 0x180e, true }, { 0x180f, true }, { 0x1810, false },
		{ 0x200a, false }, { 0x200b, true }, { 0x200c, true },
		{ 0x200d, true }, { 0x200e, true }, { 0x200f, true },
		{ 0x2010, false }, { 0x2027, false }, { 0x2028, true },
		{ 0x2029, true }, { 0x202a, true }, { 0x202b, true },
		{ 0x202c, true }, { 0x202d, true }, { 0x202e, true },
		{ 0x202f, false }, { 0x205f, false }, { 0x2060, true },
		{ 0x2064, true }, { 0x2066, true }, { 0x2067, true },
		{ 0x2068, true }, { 0x2069, true }, { 0x206a, true },
		{ 0x206f, true }, { 0x2070, false }, { 0x3163, false },
		{ 0x3164, true }, { 0x3165, false }, { 0xfefe, false },
		{ 0xfeff, true }, { 0xff00, false }, { 0xff9f, false },
		{ 0xffa0, true }, { 0xffa1, false }, { 0xfff8, false },
		{ 0xfff9, true }, { 0xfffb, true }, { 0xfffc, false },
		{ 0x1d172, false }, { 0x1d173, true }, { 0x1d17a, true },
		{ 0x1d17b, false }, { 0xdffff, false }, { 0xe0000, true },
		{ 0xe0001, true }, { 0xe0020, true }, { 0xe0041, true },
		{ 0xe007f, true }, { 0x1f511, false }, { 0x65e5, false },
		{ 0xe9, false }, { 0x301, false },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		char label[16];

		(void)snprintf(label, sizeof label, "U+%04X", rows[i].cp);
		run.row = label;
		EQUAL(text_is_hidden(rows[i].cp), rows[i].hidden);
	}
	run.row = NULL;
}

static void
test_text_blank(void)
{
	static const uint32_t blank[] = { ' ', 0xa0, 0x1680, 0x2000, 0x2001,
		0x2005, 0x200a, 0x202f, 0x205f, 0x3000 };
	static const uint32_t other[] = { 'a', 0x9f, 0xa1, 0x167f, 0x1681,
		0x1fff, 0x200b, 0x202e, 0x2030, 0x205e, 0x2060, 0x2fff,
		0x3001, '_' };

	for (size_t i = 0; i < LEN(blank); i++)
		CHECK(text_is_blank(blank[i]));
	for (size_t i = 0; i < LEN(other); i++)
		CHECK(!text_is_blank(other[i]));
}

static void
test_text_time(void)
{
	static const struct {
		int64_t t;
		const char *want;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1, "1970-01-01T00:00:01Z" },
		{ 86399, "1970-01-01T23:59:59Z" },
		{ 86400, "1970-01-02T00:00:00Z" },
		{ 31535999, "1970-12-31T23:59:59Z" },
		{ 31536000, "1971-01-01T00:00:00Z" },
		{ 68169600, "1972-02-29T00:00:00Z" },
		{ 68256000, "1972-03-01T00:00:00Z" },
		{ 951782400, "2000-02-29T00:00:00Z" },
		{ 951868800, "2000-03-01T00:00:00Z" },
		{ 978307199, "2000-12-31T23:59:59Z" },
		{ 1000000000, "2001-09-09T01:46:40Z" },
		{ 1709251199, "2024-02-29T23:59:59Z" },
		{ 1767323045, "2026-01-02T03:04:05Z" },
		{ 2147483648, "2038-01-19T03:14:08Z" },
		{ 4107542400, "2100-03-01T00:00:00Z" },
		{ 4107542399, "2100-02-28T23:59:59Z" },
		{ 253402300799, "9999-12-31T23:59:59Z" },
	};
	u8 room[32];
	struct out o;

	for (size_t i = 0; i < LEN(rows); i++) {
		out_init(&o, room, sizeof room);
		time_put(&o, rows[i].t);
		SAME(out_str(&o), str_c(rows[i].want));
	}
	for (int64_t day = 0; day < 60000; day++) {     /* to 2134 */
		time_t t = (time_t)(day * 86400 + 3661);
		struct tm tm;
		char want[32];

		(void)gmtime_r(&t, &tm);
		(void)strftime(want, sizeof want, "%Y-%m-%dT%H:%M:%SZ", &tm);
		out_init(&o, room, sizeof room);
		time_put(&o, t);
		if (!str_eq(out_str(&o), str_c(want))) {
			SAME(out_str(&o), str_c(want));
			break;
		}
	}
	EQUAL(time_days(1970, 1, 1), 0);
	EQUAL(time_days(0, 3, 1), -719468);
	EQUAL(time_days(1969, 12, 31), -1);
}

static void
test_text_time_http(void)
{
	static const struct {
		const char *in;
		bool ok;
		int64_t want;
	} rows[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", true, 784111777 },
		{ "Thu, 01 Jan 1970 00:00:00 GMT", true, 0 },
		{ "Fri, 02 Jan 2026 03:04:05 GMT", true, 1767323045 },
		{ "Thu, 29 Feb 2024 23:59:59 GMT", true, 1709251199 },
		{ "Sat, 31 Dec 2016 23:59:60 GMT", true, 1483228800 },
		{ "Wed, 31 Dec 1969 23:59:59 GMT", true, -1 },
		{ "", false, 0 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", false, 0 },
		{ "Sun Nov  6 08:49:37 1994", false, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 UTC", false, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT ", false, 0 },
		{ "Sun, 06 Nov 1994 08:49:37 gmt", false, 0 },
		{ "Sun, 06 nov 1994 08:49:37 GMT", false, 0 },
		{ "Sun, 06 Xyz 1994 08:49:37 GMT", false, 0 },
		{ "Sun, 32 Nov 1994 08:49:37 GMT", false, 0 },
		{ "Sun, 06 Nov 1994 24:49:37 GMT", false, 0 },
		{ "Sun, 06 Nov 1994 08:60:37 GMT", false, 0 },
		{ "Sun, 06 Nov 1994 08:49:61 GMT", false, 0 },
		{ "Sun,  6 Nov 1994 08:49:37 GMT", false, 0 },
		{ "Sun, 06 Nov -994 08:49:37 GMT", false, 0 },
		{ "Sun, +6 Nov 1994 08:49:37 GMT", false, 0 },
		{ "Sun, 06 anF 1994 08:49:37 GMT", false, 0 },
	};
	int64_t t;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].in;
		t = 4711;
		EQUAL(time_parse_http(str_c(rows[i].in), &t), rows[i].ok);
		EQUAL(t, rows[i].ok ? rows[i].want : 4711);
	}
}

/* ====================================================================
 * 6. JSON: one strict reader, one writer
 * ==================================================================== */

/* Parse in T. */
static bool
parses(struct json *j, struct str text)
{
	struct err e = { 0 };
	bool ok = json_parse(j, &T, text, &e);

	if (!ok && e.code == E_NONE)
		FAIL("a failure without an error");
	if (!ok && (j->n != 0 || j->tok != NULL))
		FAIL("a failure that leaves something");
	return ok;
}

/* The source text at a path like "result>tools>0>name"; empty when it is not
 * there. */
static struct str
path_at(struct str text, const char *path)
{
	struct str rest = str_c(path), part;
	uint32_t node = ROOT, box;
	struct json j;
	uint64_t n;

	if (!parses(&j, text))
		return S("(not JSON)");
	while (node != 0 && str_cut(&rest, '>', &part)) {
		box = node;
		if (!json_is_array(&j, box)) {
			node = json_get(&j, box, part);
			continue;
		}
		if (!str_u64(part, 1000, &n))
			return NOTHING;
		node = json_first(&j, box);
		while (node != 0 && n-- > 0)
			node = json_next(&j, box, node);
	}
	return node == 0 ? NOTHING : json_raw(&j, node);
}

/* The string at such a path, decoded; NOTHING when there is none. */
static struct str
text_of(struct str text, const char *path)
{
	struct str raw = path_at(text, path), s = NOTHING;
	struct json j;

	if (raw.n > 0 && raw.p[0] == '"' && CHECK(parses(&j, raw)))
		(void)!json_str(&j, ROOT, &s);
	return s;
}

/* The published schemas are read by a checker of its own: JSON Schema
 * (2020-12) as far as the schemas here go. It counts characters, looks up
 * members and knows types without the functions that it judges. */
static bool
is_of_type(const struct json *j, uint32_t node, struct str type)
{
	static const struct {
		const char *type;
		jsmntype_t kind;
		const char *first;      /* what the text may begin with */
	} rows[] = {
		{ "object", JSMN_OBJECT, "{" }, { "array", JSMN_ARRAY, "[" },
		{ "string", JSMN_STRING, "\"" },
		{ "boolean", JSMN_PRIMITIVE, "tf" },
		{ "integer", JSMN_PRIMITIVE, "-0123456789" },
	};
	struct str text = json_raw(j, node);

	for (size_t i = 0; i < LEN(rows); i++)
		if (str_eq(type, str_c(rows[i].type)))
			return j->tok[node].type == rows[i].kind &&
			    str_find(str_c(rows[i].first), text.p[0]) <
			    strlen(rows[i].first) && (i < 4 ||
			    (str_find(text, '.') == text.n &&
			    str_find(text, 'e') == text.n &&
			    str_find(text, 'E') == text.n));
	return false;
}

/* The number in a rule, or other. */
static uint64_t
rule_number(const struct json *s, uint32_t schema, struct str name,
    uint64_t other)
{
	uint32_t rule = json_get(s, schema, name);

	if (rule != 0)
		CHECK(str_u64(json_raw(s, rule), 1 << 20, &other));
	return other;
}

/* A list against the rules about its length. */
static bool
fits_count(const struct json *s, uint32_t schema, const struct json *j,
    uint32_t list)
{
	uint64_t n = 0;

	for (uint32_t k = json_first(j, list); k; k = json_next(j, list, k))
		n++;
	return n >= rule_number(s, schema, S("minItems"), 0) &&
	    n <= rule_number(s, schema, S("maxItems"), UINT64_MAX);
}

/* An integer against the rules about its size, which are not negative. */
static bool
fits_number(const struct json *s, uint32_t schema, struct str digits)
{
	uint64_t lo = rule_number(s, schema, S("minimum"), 0), n = 0;

	if (digits.p[0] == '-')
		return json_get(s, schema, S("minimum")) == 0;
	for (size_t i = 0; i < digits.n; i++) {
		if (n > UINT64_MAX / 10 - 9)
			return json_get(s, schema, S("maximum")) == 0;
		n = n * 10 + digits.p[i] - '0';
	}
	return n >= lo && n <= rule_number(s, schema, S("maximum"),
	    UINT64_MAX);
}

/* A value against the rules about itself. */
static bool
fits_itself(const struct json *s, uint32_t schema, const struct json *j,
    uint32_t node)
{
	uint32_t any = json_get(s, schema, S("enum"));
	struct str type, text, value;
	size_t letters = 0;
	bool found = any == 0;

	if (!json_get_str(s, schema, S("type"), &type) ||
	    !is_of_type(j, node, type))
		return false;
	if (str_eq(type, S("array")))
		return fits_count(s, schema, j, node);
	if (str_eq(type, S("integer")))
		return found && fits_number(s, schema, json_raw(j, node));
	if (!json_str(j, node, &text))
		return found;
	for (size_t i = 0; i < text.n; i++)
		letters += (text.p[i] & 0xc0) != 0x80;
	for (uint32_t k = json_first(s, any); k; k = json_next(s, any, k))
		found |= json_str(s, k, &value) && str_eq(value, text);
	return found && letters >= rule_number(s, schema, S("minLength"), 0) &&
	    letters <= rule_number(s, schema, S("maxLength"), UINT64_MAX);
}

/* A value against a schema, with all that is in it. */
static bool
fits(const struct json *s, uint32_t schema, const struct json *j,
    uint32_t node)
{
	uint32_t props = json_get(s, schema, S("properties"));
	uint32_t need = json_get(s, schema, S("required"));
	uint32_t items = json_get(s, schema, S("items"));
	bool open = !json_is_word(s, json_get(s, schema,
	    S("additionalProperties")), S("false"));
	struct str key;

	if (!fits_itself(s, schema, j, node))
		return false;
	if (json_raw(j, node).p[0] == '[')
		for (uint32_t k = json_first(j, node); k && items;
		    k = json_next(j, node, k))
			if (!fits(s, items, j, k))
				return false;
	if (json_raw(j, node).p[0] != '{')
		return true;
	for (uint32_t k = json_first(s, need); k; k = json_next(s, need, k))
		if (!json_str(s, k, &key) || json_get(j, node, key) == 0)
			return false;
	for (uint32_t k = json_first(j, node); k; k = json_next(j, node, k)) {
		uint32_t rule = json_str(j, k, &key) ?
		    json_get(s, props, key) : 0;

		if (rule == 0 ? !open : !fits(s, rule, j, k + 1))
			return false;
	}
	return true;
}

/* Exactly RFC 8259 in UTF-8, no repeated names, pairs of surrogates. */
static void
test_json_accept(void)
{
	static const struct str rows[] = {
		B("{}"), B("[]"), B("\"\""), B("[[]]"), B("[{}]"),
		B("{\"a\":{}}"), B("{\"a\":[]}"), B("{\"\":0}"),
		B(" []"), B("[] "), B("\t[\n]\r\n "), B("[ ]"), B("{ }"),
		B(" { \"a\" : 1 , \"b\" : 2 } "), B("\n\n[\n1\n,\n2\n]\n"),
		B("[true]"), B("[false]"), B("[null]"),
		B("[true,false,null]"), B("\"a string alone\""),
		/* numbers */
		B("[0]"), B("[-0]"), B("[1]"), B("[-1]"), B("[10]"),
		B("[123456789012345678901234567890]"), B("[0.0]"),
		B("[0.1]"), B("[-0.1]"), B("[1.5]"), B("[1e1]"), B("[1E1]"),
		B("[1e+1]"), B("[1e-1]"), B("[1E+1]"), B("[0e0]"), B("[0e+0]"),
		B("[0E-0]"), B("[1.0e10]"), B("[-1.23E-45]"), B("[1e400]"),
		B("[0.000000000000000000000000000000000000001]"),
		B("[1e00]"), B("[1.00]"), B("{\"a\":1.5e3}"), B("[-0e-0]"),
		/* strings */
		B("[\"\"]"), B("[\"a\"]"), B("[\"\\\"\"]"), B("[\"\\\\\"]"),
		B("[\"\\/\"]"), B("[\"/\"]"), B("[\"\\b\\f\\n\\r\\t\"]"),
		B("[\"\\u0000\"]"), B("[\"\\u0041\"]"), B("[\"\\u00e9\"]"),
		B("[\"\\uABCD\"]"), B("[\"\\uabcd\"]"), B("[\"\\uFFFF\"]"),
		B("[\"\\uD83D\\uDD11\"]"), B("[\"\\ud800\\udc00\"]"),
		B("[\"\\uDBFF\\uDFFF\"]"), B("[\"a\\uD83D\\uDD11b\"]"),
		B("[\"\\u2028\\u2029\"]"), B("[\"\\uFEFF\"]"),
		B("[\"\\\\u0041\"]"), B("[\"\\\\\\\"\"]"), B("[\"\\u005c\"]"),
		B("[\"\\u0022\"]"), B("[\"\x7f\"]"), B("[\"\xc2\x80\"]"),
		B("[\"\xc3\xa9\"]"), B("[\"\xe2\x82\xac\"]"),
		B("[\"\xf0\x9f\x94\x91\"]"), B("[\"\xef\xbf\xbf\"]"),
		B("[\"\xed\x9f\xbf\"]"), B("[\"\xee\x80\x80\"]"),
		B("[\"\xf4\x8f\xbf\xbf\"]"), B("[\"\xe2\x80\xa8\"]"),
		B("[\"\xef\xbb\xbf\"]"), B("[\" \"]"), B("[\"[]{},:\"]"),
		B("[\"// no comment /* here */\"]"), B("[\"true\"]"),
		/* names */
		B("{\"a\":1,\"b\":1}"), B("{\"a\":1,\"A\":1}"),
		B("{\"a\":{\"a\":{\"a\":1}}}"), B("[{\"a\":1},{\"a\":1}]"),
		B("{\"a\\u0000\":1,\"a\":2}"), B("{\"a\":1,\"a \":2}"),
		B("{\"\xc3\xa9\":1,\"e\xcc\x81\":2}"), B("{\"a.b\":1}"),
		B("{\"\\\"\":1,\"\\\\\":2}"), B("{\"true\":true}"),
		B("{\"__proto__\":1}"),
		/* shapes */
		B("[1,2,3]"), B("[[],[],[]]"), B("[{},{}]"), B("[[1],[2,[3]]]"),
		B("{\"a\":[1,{\"b\":[2]}],\"c\":{}}"), B("[[[[[[[[]]]]]]]]"),
		B("[\"a\",1,true,null,{},[]]"), B("[[],1]"), B("[{},1]"),
		B("{\"a\":[],\"b\":{},\"c\":\"\"}"), B("[\"]\"]"), B("[\"}\"]"),
		B("{\"]\":\"[\"}"),
		B("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
	};
	struct json j;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = cstr(rows[i]);
		CHECK(parses(&j, rows[i]));
	}
}

/* RFC 8259: any value is a text, also a number or a word. */
static void
test_json_accept_scalar(void)
{
	static const char *const rows[] = { "true", "false", "null", "0",
		"42", "-1.5e3", " 1 ", "\t null\n" };
	struct json j;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i];
		CHECK(parses(&j, str_c(rows[i])));
	}
}

static void
test_json_refuse(void)
{
	static const struct str rows[] = {
		B(""), B(" "), B("\n"), B("{"), B("}"), B("["), B("]"),
		B("[}"), B("{]"), B("[[]"), B("[]]"), B("{}}"), B("{{}}"),
		B("[{]}"), B("[]["), B("[][]"), B("{}{}"), B("[],"), B("[],[]"),
		B("[] x"), B("x []"), B("[]\0"), B("\0[]"), B("[\0]"),
		B("\xef\xbb\xbf[]"), B("[]\xef\xbb\xbf"), B("\xff\xfe[\0]\0"),
		/* commas and colons */
		B("[,]"), B("[1,]"), B("[,1]"), B("[1,,2]"), B("[1 2]"),
		B("[1;2]"), B("[1:2]"), B("{,}"), B("{\"a\"}"), B("{\"a\":}"),
		B("{\"a\":1,}"), B("{,\"a\":1}"), B("{\"a\":1,,\"b\":2}"),
		B("{\"a\" 1}"), B("{\"a\"::1}"), B("{:1}"),
		B("{\"a\":1 \"b\":2}"),
		B("{\"a\",\"b\"}"), B("[\"a\":1]"), B("{\"a\":1:2}"),
		B("{\"a\":1,2}"), B("{\"a\":1;\"b\":2}"), B("{\"a\"=1}"),
		B(","), B(":"), B("[\"a\" \"b\"]"), B("[][1]"),
		/* names */
		B("{a:1}"), B("{'a':1}"), B("{1:1}"), B("{true:1}"),
		B("{null:1}"), B("{[]:1}"), B("{{}:1}"), B("{\"a\\x\":1}"),
		B("{\"a:1}"), B("{\"a\n\":1}"),
		/* words */
		B("[True]"), B("[TRUE]"), B("[tru]"), B("[truee]"), B("[nul]"),
		B("[nulll]"), B("[NULL]"), B("[None]"), B("[undefined]"),
		B("[NaN]"), B("[Infinity]"), B("[-Infinity]"), B("[fals]"),
		B("[a]"), B("[true false]"), B("[truefalse]"), B("[t]"),
		B("tru"), B("nul"), B("truex"), B("[true\0]"),
		/* numbers */
		B("[+1]"), B("[01]"), B("[-01]"), B("[00]"), B("[.5]"),
		B("[1.]"), B("[-.5]"), B("[1.e1]"), B("[1e]"), B("[1e+]"),
		B("[1E-]"), B("[e1]"), B("[1e1.5]"), B("[1.2.3]"), B("[--1]"),
		B("[-]"), B("[- 1]"), B("[1 .5]"), B("[0x10]"), B("[0b1]"),
		B("[1_000]"), B("[1,000,]"), B("[1e 1]"), B("[1a]"), B("[-a]"),
		B("[1+2]"), B("[0.]"), B("[0.e1]"), B("[0e]"), B("[1ee1]"),
		B("[1e++1]"), B("[\xef\xbc\x91]"), B("[-00]"), B("[0123]"),
		B("[1-]"), B("-"), B("[1e1e1]"), B("[0.1.]"),
		/* strings */
		B("\""), B("[\"]"), B("[\"a]"), B("[\"a"), B("[a\"]"),
		B("['a']"), B("[\"a\\\"]"), B("[\"\\\"]"), B("[\"\\"),
		B("[\"\\a\"]"), B("[\"\\0\"]"), B("[\"\\'\"]"),
		B("[\"\\x41\"]"),
		B("[\"\\v\"]"), B("[\"\\U0041\"]"), B("[\"\\ \"]"),
		B("[\"\\\n\"]"), B("[\"\\\0\"]"), B("[\"\\\xc3\xa9\"]"),
		B("[\"\n\"]"), B("[\"\t\"]"), B("[\"\r\"]"), B("[\"\0\"]"),
		B("[\"\x1f\"]"), B("[\"\x01\"]"), B("[\"a\nb\"]"),
		B("[\"a\" b]"),
		B("[\"\\u\"]"), B("[\"\\u0\"]"), B("[\"\\u00\"]"),
		B("[\"\\u000\"]"), B("[\"\\u000g\"]"), B("[\"\\u+041\"]"),
		B("[\"\\u 041\"]"), B("[\"\\u-001\"]"), B("[\"\\u00"),
		B("[\"\\u{41}\"]"), B("[\"\\u004\x31"),
		B("[\"\\u00\xc3\xa9\"]"),
		/* half surrogates */
		B("[\"\\ud800\"]"), B("[\"\\udbff\"]"), B("[\"\\udc00\"]"),
		B("[\"\\udfff\"]"), B("[\"\\ud800a\"]"), B("[\"\\ud800\\n\"]"),
		B("[\"\\ud800\\u0041\"]"), B("[\"\\ud800\\ud800\"]"),
		B("[\"\\udc00\\ud800\"]"), B("[\"\\ud83d\\udd1\"]"),
		B("[\"\\ud800\\\"]"), B("[\"\\ud800\\u\"]"), B("[\"\\ud800"),
		B("[\"\\ud83d\\ue000\"]"), B("[\"\\udc00\\udc00\"]"),
		B("[\"\\ud83d\xed\xb4\x91\"]"), B("{\"\\ud800\":1}"),
		/* UTF-8 */
		B("[\"\x80\"]"), B("[\"\xbf\"]"), B("[\"\xc0\x80\"]"),
		B("[\"\xc1\xbf\"]"), B("[\"\xe0\x80\x80\"]"),
		B("[\"\xe0\x9f\xbf\"]"), B("[\"\xf0\x80\x80\x80\"]"),
		B("[\"\xf0\x8f\xbf\xbf\"]"), B("[\"\xed\xa0\x80\"]"),
		B("[\"\xed\xbf\xbf\"]"), B("[\"\xed\xa0\xbd\xed\xb4\x91\"]"),
		B("[\"\xf4\x90\x80\x80\"]"), B("[\"\xf5\x80\x80\x80\"]"),
		B("[\"\xff\"]"), B("[\"\xfe\"]"), B("[\"\xc3\"]"),
		B("[\"\xe2\x82\"]"), B("[\"\xf0\x9f\x94\"]"), B("[\"\xc3"),
		B("[\"\xc3\x28\"]"), B("[\"\xe9\"]"), B("[\"\xe2\x28\xa1\"]"),
		B("{\"\xff\":1}"), B("[\xc3\xa9]"), B("[1\xc2\xa0]"),
		B("[\"\xf8\x88\x80\x80\x80\"]"), B("[\xe2\x80\xa8]"),
		/* other blanks, comments */
		B("[\f]"), B("[\v1]"), B("[\xc2\xa0]"), B("[\xe3\x80\x80]"),
		B("[1]//x"), B("/**/[]"), B("[1/*x*/]"), B("#[]"), B("[1]#"),
		B("<[]>"), B("(1)"), B("[1]\x1a"),
		/* repeated names, in any spelling */
		B("{\"a\":1,\"a\":1}"), B("{\"a\":1,\"a\":2}"),
		B("{\"a\":1,\"\\u0061\":2}"), B("{\"\\u0061\":1,\"a\":2}"),
		B("{\"\\u0061\":1,\"\\u0061\":2}"), B("{\"\":1,\"\":2}"),
		B("{\"/\":1,\"\\/\":2}"), B("{\"\\u002f\":1,\"\\/\":2}"),
		B("{\"\xc3\xa9\":1,\"\\u00E9\":2}"),
		B("{\"\xf0\x9f\x94\x91\":1,\"\\ud83d\\uDD11\":2}"),
		B("{\"\\n\":1,\"\\u000a\":2}"), B("{\"a\":1,\"b\":2,\"a\":3}"),
		B("{\"x\":{\"a\":1,\"a\":2}}"), B("[[{\"a\":1,\"a\":2}]]"),
		B("{\"a\":{},\"a\":{}}"), B("{\"\\u0000\":1,\"\\u0000\":2}"),
		B("{\"a\":{\"b\":1},\"c\":2,\"a\":[]}"),
	};
	struct json j;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = cstr(rows[i]);
		if (!CHECK(!parses(&j, rows[i])))
			show(rows[i]), (void)putchar('\n');
	}
}

/* Every proper beginning of a text is refused, and nothing is read past the
 * end (the sanitizers watch the copy). */
static void
test_json_prefixes(void)
{
	static const char text[] = "{\"a\":[1,-2.5e+3,\"\\u00e9\\n\xf0\x9f\x94"
	    "\x91\\ud83d\\udd11\"],\"b\":{\"c\":null,\"d\":true},\"e\":false}";
	struct json j;

	for (size_t n = 0; n < sizeof text; n++) {
		u8 *copy = malloc(n + 1);

		if (copy == NULL)
			abort();
		memcpy(copy, text, n);
		copy = realloc(copy, n > 0 ? n : 1);
		EQUAL(parses(&j, (struct str){ copy, n }),
		    n == sizeof text - 1);
		free(copy);
	}
}

/* n times open, then n times close. */
static struct str
nested(const char *open, const char *inner, const char *close, size_t n)
{
	struct out o;

	out_open(&o, &T);
	for (size_t i = 0; i < n; i++)
		out_put(&o, str_c(open));
	out_put(&o, str_c(inner));
	for (size_t i = 0; i < n; i++)
		out_put(&o, str_c(close));
	return out_close(&o, &T);
}

static void
test_json_depth(void)
{
	struct json j;

	CHECK(parses(&j, nested("[", "", "]", JSON_DEPTH_MAX)));
	EQUAL(j.n, JSON_DEPTH_MAX + 1);
	CHECK(!parses(&j, nested("[", "", "]", JSON_DEPTH_MAX + 1)));
	CHECK(parses(&j, nested("{\"a\":", "1", "}", JSON_DEPTH_MAX)));
	CHECK(!parses(&j, nested("{\"a\":", "1", "}", JSON_DEPTH_MAX + 1)));
	CHECK(parses(&j, nested("[{\"a\":", "1", "}]", JSON_DEPTH_MAX / 2)));
	CHECK(!parses(&j, nested("[{\"a\":", "1", "}]",
	    JSON_DEPTH_MAX / 2 + 1)));
	CHECK(!parses(&j, nested("[", "", "", 1000000)));
	CHECK(!parses(&j, nested("{\"a\":", "", "", 100000)));
	/* wide is not deep */
	CHECK(parses(&j, nested("[[],", "0", "]", JSON_DEPTH_MAX - 1)));
}

/* Many values: the number of tokens is that of values and names, every one
 * is found, and each subtree's size is right. */
static void
test_json_large(void)
{
	struct json j;
	struct out o;
	struct str s;
	uint32_t n = 0, inner, sum = 1;

	out_open(&o, &T);
	out_put(&o, S("[0"));
	for (unsigned i = 1; i < 10000; i++) {
		OUT(&o, S(",{\"n\":["));
		out_u64(&o, i);
		OUT(&o, S("],\"s\":\"\\u0041\"}"));
	}
	out_put(&o, S("]"));
	if (!CHECK(parses(&j, out_close(&o, &T))))
		return;
	EQUAL(j.n, 1 + 1 + 1 + 9999 * 6);
	EQUAL(json_skip(&j, ROOT), j.n);
	for (uint32_t k = json_first(&j, ROOT); k;
	    k = json_next(&j, ROOT, k)) {
		uint64_t v = 0;

		sum += json_skip(&j, k) - k;
		inner = json_first(&j, json_get(&j, k, S("n")));
		if (n > 0 && (!str_u64(json_text(&j, inner), UINT64_MAX,
		    &v) || v != n || !json_get_str(&j, k, S("s"), &s) ||
		    !str_eq(s, S("A"))))
			break;
		n++;
	}
	EQUAL(n, 10000);
	EQUAL(sum + 1, j.n);
}

/* Objects with many names: all are found, a repeated one is noticed wherever
 * it stands, and no order of them is slow (a quadratic check would take
 * minutes here). */
static void
test_json_many_names(void)
{
	static const size_t twins[] = { 0, 1, 16, 17, 24999, 49998 };
	struct json j;
	struct str s;
	struct out o;

	for (size_t t = 0; t <= LEN(twins); t++) {
		size_t mark = T.used;

		out_open(&o, &T);
		out_byte(&o, '{');
		for (size_t i = 0; i < 50000; i++) {
			size_t name = i == 49999 && t < LEN(twins) ?
			    twins[t] : i;

			OUT(&o, i > 0 ? S(",") : S(""), S("\"k"));
			out_u64(&o, name);
			out_put(&o, S("\":"));
			out_u64(&o, i);
		}
		out_byte(&o, '}');
		s = out_close(&o, &T);
		EQUAL(parses(&j, s), t == LEN(twins));
		if (t == LEN(twins)) {
			EQUAL(j.n, 2 + 100000);
			SAME(json_text(&j, json_get(&j, ROOT,
			    S("k49999"))), S("49999"));
			EQUAL(json_get(&j, ROOT, S("k50000")), 0);
		}
		mem_reset(&T, mark);
	}
}

/* 15 to 20 names, about where the check changes its place for them. */
static void
test_json_some_names(void)
{
	struct json j;
	struct out o;

	for (unsigned n = 1; n < 40; n++)
		for (unsigned twin = 0; twin <= n; twin++) {
			size_t mark = T.used;

			out_open(&o, &T);
			out_byte(&o, '{');
			for (unsigned i = 0; i < n; i++) {
				OUT(&o, i > 0 ? S(",") : S(""),
				    S("\"\\u0061"));
				out_u64(&o, i + 1 == n && twin < n ? twin : i);
				out_put(&o, S("\":0"));
			}
			out_byte(&o, '}');
			if (parses(&j, out_close(&o, &T)) !=
			    (twin + 1 >= n))
				FAIL("names");
			mem_reset(&T, mark);
		}
	CHECK(true);
}

/* The text does not fit: an error, no overflow. */
static void
test_json_arena_full(void)
{
	struct arena a;
	struct json j;
	struct err e = { 0 };
	struct str text = S("{\"\\u0061\":[1,2,3,4,5,6,7,8,9,\"\\u0062\"]}");
	struct str s;
	size_t least = 0;

	for (size_t cap = 4096; cap > 0; cap -= 8) {
		if (!CHECK(mem_open(&a, 4096)))
			return;
		(void)!mem_alloc(&a, 4096 - cap);
		e = (struct err){ 0 };
		if (json_parse(&j, &a, text, &e)) {
			least = cap;
			if (json_str(&j, json_first(&j, ROOT), &s))
				SAME(s, S("a"));
		} else {
			CHECK(e.code == E_LARGE || e.code == E_ANSWER);
		}
		(void)munmap(a.base, a.cap);
	}
	CHECK(least >= 14 * sizeof(jsmntok_t));
}

static void
test_json_strings(void)
{
	static const struct {
		const char *text;
		struct str want;
	} rows[] = {
		{ "\"\"", B("") },
		{ "\"plain\"", B("plain") },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", B("\"\\/\b\f\n\r\t") },
		{ "\"\\u0000\"", B("\0") },
		{ "\"a\\u0000b\"", B("a\0b") },
		{ "\"\\u0041\\u007f\"", B("A\x7f") },
		{ "\"\\u0080\\u07ff\"", B("\xc2\x80\xdf\xbf") },
		{ "\"\\u0800\\uffff\"", B("\xe0\xa0\x80\xef\xbf\xbf") },
		{ "\"\\ud7ff\\ue000\"", B("\xed\x9f\xbf\xee\x80\x80") },
		{ "\"\\ud800\\udc00\"", B("\xf0\x90\x80\x80") },
		{ "\"\\uDBFF\\uDFFF\"", B("\xf4\x8f\xbf\xbf") },
		{ "\"x\\ud83d\\udd11y\"", B("x\xf0\x9f\x94\x91y") },
		{ "\"\\\\n\"", B("\\n") },
		{ "\"\\\\\\\\\"", B("\\\\") },
		{ "\"\\\\u0041\"", B("\\u0041") },
		{ "\"\xc3\xa9\\u00e9\"", B("\xc3\xa9\xc3\xa9") },
		{ "\"a\\nb\\nc\"", B("a\nb\nc") },
		{ "\"\\n\"", B("\n") },
	};
	struct json j;
	struct str s;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].text;
		if (!CHECK(parses(&j, str_c(rows[i].text))))
			continue;
		if (CHECK(json_str(&j, ROOT, &s)))
			SAME(s, rows[i].want);
		SAME(json_raw(&j, ROOT), str_c(rows[i].text));
		EQUAL(j.n, 2);
	}
}

/* Look-ups, and that each finds nothing where there is nothing. */
static void
test_json_look_up(void)
{
	struct json j;
	struct str s = S("untouched");
	uint32_t b, list;

	if (!CHECK(parses(&j, S("{\"a\":1,\"b\":{\"c\":\"x\",\"d\":[10,\"y\","
	    "{\"z\":null}, true]},\"\\u0065\":\"\\u0066\",\"g\":-12 , \"h\":"
	    "1.5,\"i\":1e2,\"j\":null,\"k\":[]}"))))
		return;
	b = json_get(&j, ROOT, S("b"));
	list = json_get(&j, b, S("d"));
	CHECK(json_is_object(&j, ROOT) && !json_is_array(&j, ROOT));
	CHECK(json_is_object(&j, b) && json_is_array(&j, list));
	CHECK(!json_is_object(&j, 0) && !json_is_array(&j, 0));
	CHECK(!json_is_object(&j, j.n) && !json_is_array(&j, j.n + 7));
	SAME(json_raw(&j, list), S("[10,\"y\",{\"z\":null}, true]"));
	CHECK(json_is_str(&j, b, S("c"), S("x")));
	CHECK(!json_is_str(&j, b, S("c"), S("X")));
	CHECK(!json_is_str(&j, b, S("C"), S("x")));
	CHECK(json_is_str(&j, ROOT, S("e"), S("f")));
	CHECK(!json_is_str(&j, ROOT, S("a"), S("1")));
	CHECK(!json_is_str(&j, ROOT, S("\\u0065"), S("f")));
	EQUAL(json_get(&j, ROOT, S("c")), 0);
	EQUAL(json_get(&j, list, S("z")), 0);
	EQUAL(json_get(&j, 0, S("a")), 0);
	EQUAL(json_get(&j, json_get(&j, b, S("c")), S("a")), 0);
	EQUAL(json_get(&j, json_get(&j, 0, S("x")), S("y")), 0);
	CHECK(!json_get_str(&j, ROOT, S("a"), &s));
	CHECK(!json_get_str(&j, ROOT, S("none"), &s));
	CHECK(!json_str(&j, 0, &s) && !json_str(&j, j.n, &s));
	SAME(s, S("untouched"));
	CHECK(json_is_word(&j, json_get(&j, ROOT, S("a")), S("1")));
	CHECK(!json_is_word(&j, 0, S("1")));
	CHECK(!json_is_word(&j, json_get(&j, b, S("c")), S("x")));
	CHECK(json_is_null(&j, 0));
	CHECK(json_is_null(&j, json_get(&j, ROOT, S("j"))));
	CHECK(!json_is_null(&j, json_get(&j, ROOT, S("a"))));
	CHECK(json_is_integer(&j, json_get(&j, ROOT, S("a"))));
	CHECK(json_is_integer(&j, json_get(&j, ROOT, S("g"))));
	CHECK(!json_is_integer(&j, json_get(&j, ROOT, S("h"))));
	CHECK(!json_is_integer(&j, json_get(&j, ROOT, S("i"))));
	CHECK(!json_is_integer(&j, json_get(&j, ROOT, S("j"))));
	CHECK(!json_is_integer(&j, json_get(&j, ROOT, S("e"))));
	CHECK(!json_is_integer(&j, 0) && !json_is_integer(&j, b));
	EQUAL(json_first(&j, json_get(&j, ROOT, S("k"))), 0);
	EQUAL(json_first(&j, json_get(&j, b, S("c"))), 0);
	EQUAL(json_first(&j, 0), 0);
	EQUAL(json_first(&j, json_get(&j, ROOT, S("a"))), 0);
}

/* Steps through a box come by each element once and end. */
static void
test_json_walk(void)
{
	static const struct {
		const char *text;
		unsigned want;
	} rows[] = {
		{ "[]", 0 }, { "{}", 0 }, { "[1]", 1 }, { "[[1,2],[3]]", 2 },
		{ "[{\"a\":[1,2]},3,\"x\"]", 3 }, { "{\"a\":1}", 1 },
		{ "{\"a\":{\"b\":{\"c\":[]}},\"d\":[[[]]]}", 2 },
		{ "[[],[],[[]],{}]", 4 }, { "\"x\"", 0 },
	};
	struct json j;

	for (size_t i = 0; i < LEN(rows); i++) {
		unsigned n = 0;

		run.row = rows[i].text;
		if (!CHECK(parses(&j, str_c(rows[i].text))))
			continue;
		for (uint32_t k = json_first(&j, ROOT); k && n < 99;
		    k = json_next(&j, ROOT, k))
			n++;
		EQUAL(n, rows[i].want);
		EQUAL(json_skip(&j, ROOT), j.n);
	}
}

static void
test_json_quote(void)
{
	static const struct {
		struct str in;
		const char *want;
	} rows[] = {
		{ B(""), "\"\"" },
		{ B("abc"), "\"abc\"" },
		{ B("\"\\/"), "\"\\\"\\\\/\"" },
		{ B("\n\r\t"), "\"\\n\\r\\t\"" },
		{ B("\0\x01\x08\x0c\x1f"),
		    "\"\\u0000\\u0001\\u0008\\u000c\\u001f\"" },
		{ B("\x7f"), "\"\x7f\"" },
		{ B("\xc3\xa9\xf0\x9f\x94\x91"),
		    "\"\xc3\xa9\xf0\x9f\x94\x91\"" },
		{ B("\xe2\x80\xa8\xe2\x80\xa9"), "\"\\u2028\\u2029\"" },
		{ B("a\xe2\x80\xa8" "b"), "\"a\\u2028b\"" },
		{ B("\xe2\x80\xa7\xe2\x80\xaa"),
		    "\"\xe2\x80\xa7\xe2\x80\xaa\"" },
		{ B("\xe2\x82\xac"), "\"\xe2\x82\xac\"" },
		{ B("x\"y"), "\"x\\\"y\"" },
		{ B("\"\""), "\"\\\"\\\"\"" },
		{ B("a\0b"), "\"a\\u0000b\"" },
	};
	u8 room[128];
	struct out o;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].want;
		out_init(&o, room, sizeof room);
		jw_quote(&o, rows[i].in);
		SAME(out_str(&o), str_c(rows[i].want));
	}
}

/* Whatever string is written is read back as it was. */
static void
test_json_round_trip(void)
{
	struct json j;
	struct out o;
	struct str s;

	for (int round = 0; round < 3000; round++) {
		size_t mark = T.used;
		struct out in;

		out_init(&in, mem_alloc(&T, 256), 256);
		for (uint32_t n = rnd(40); n > 0; n--) {
			uint32_t cp = rnd(4) == 0 ? rnd(0x110000) :
			    rnd(3) == 0 ? 0x2020 + rnd(16) : rnd(128);

			if (cp < 0xd800 || cp > 0xdfff)
				utf8_put(&in, cp);
		}
		out_open(&o, &T);
		jw_quote(&o, out_str(&in));
		if (!parses(&j, out_close(&o, &T)) ||
		    !json_str(&j, ROOT, &s) ||
		    !str_eq(s, out_str(&in))) {
			SAME(s, out_str(&in));
			break;
		}
		mem_reset(&T, mark);
	}
	CHECK(true);
}

static void
test_json_writer(void)
{
	u8 room[256];
	struct out o;
	struct jw w = { &o, false };
	struct json j;

	out_init(&o, room, sizeof room);
	jw_open(&w, '{');
	jw_put(&w, S("a"), S("x\n"));
	jw_key(&w, S("b\""));
	jw_open(&w, '[');
	jw_u64(&w, 1);
	jw_str(&w, S("two"));
	jw_raw(&w, S("null"));
	jw_open(&w, '[');
	jw_close(&w, ']');
	jw_open(&w, '{');
	jw_close(&w, '}');
	jw_close(&w, ']');
	jw_put_raw(&w, S("c"), S("{\"d\":1}"));
	jw_key(&w, S("e"));
	jw_open(&w, '{');
	jw_put_raw(&w, S("f"), S("true"));
	jw_close(&w, '}');
	jw_close(&w, '}');
	CHECK(!o.over);
	SAME(out_str(&o), S("{\"a\":\"x\\n\",\"b\\\"\":[1,\"two\",null,[],{}],"
	    "\"c\":{\"d\":1},\"e\":{\"f\":true}}"));
	CHECK(parses(&j, out_str(&o)));
	out_init(&o, room, 4);
	w = (struct jw){ &o, false };
	jw_str(&w, S("too long"));
	CHECK(o.over);
}

/* Each letter is a change of the member "x", with 1, 2, ... as the value:
 * r replace, a add an element, f add one in front, m give its member "k" a
 * value, n its member "n"; M and N likewise of the whole text. "'" stands for
 * a quote. */
static struct str
quotes(const char *text)
{
	u8 *p = (u8 *)cstr(str_c(text));

	for (size_t i = 0; p[i] != '\0'; i++)
		if (p[i] == '\'')
			p[i] = '"';
	return (struct str){ p, strlen(text) };
}

static void
edit_letter(struct edits *x, char letter, struct str json)
{
	uint32_t node = json_get(x->j, ROOT, S("x"));

	switch (letter) {
	case 'r':
		edit_replace(x, node, json);
		break;
	case 'a':
		edit_add(x, node, json);
		break;
	case 'f':
		edit_front(x, node, json);
		break;
	default:
		edit_member(x, &T, letter < 'a' ? ROOT : node, letter == 'm' ||
		    letter == 'M' ? S("k") : S("n"), json);
		break;
	}
}

static void
test_edit_rows(void)
{
	static const struct {
		const char *text, *edits, *want;
	} rows[] = {
		{ "{'x':0}", "", "{'x':0}" },
		{ "{'x':0}", "r", "{'x':1}" },
		{ " { 'x' : null , 'y' : 2 } ", "r",
		    " { 'x' : 1 , 'y' : 2 } " },
		{ "{'x':'long text','y':2}", "r", "{'x':1,'y':2}" },
		{ "{'x':{'a':[1,2]},'y':2}", "r", "{'x':1,'y':2}" },
		{ "{'x':''}", "r", "{'x':1}" },
		{ "{'x':[]}", "a", "{'x':[1]}" },
		{ "{'x':[]}", "aaa", "{'x':[1,2,3]}" },
		{ "{'x':[ ]}", "a", "{'x':[ 1]}" },
		{ "{'x':[ ]}", "aa", "{'x':[ 1,2]}" },
		{ "{'x':[0]}", "a", "{'x':[0,1]}" },
		{ "{'x':[0]}", "aa", "{'x':[0,1,2]}" },
		{ "{'x':[ 0 ]}", "a", "{'x':[ 0 ,1]}" },
		{ "{'x':[[]]}", "a", "{'x':[[],1]}" },
		{ "{'x':[{'z':[]}]}", "aa", "{'x':[{'z':[]},1,2]}" },
		{ "{'x':[']','[']}", "a", "{'x':[']','[',1]}" },
		{ "{'x':[]}", "f", "{'x':[1]}" },
		{ "{'x':[ ]}", "f", "{'x':[1 ]}" },
		{ "{'x':[0]}", "f", "{'x':[1,0]}" },
		{ "{'x':[ 0]}", "f", "{'x':[1, 0]}" },
		{ "{'x':[0]}", "fa", "{'x':[1,0,2]}" },
		{ "{'x':[0]}", "af", "{'x':[2,0,1]}" },
		{ "{'x':[]}", "fa", "{'x':[1,2]}" },
		{ "{'x':{}}", "m", "{'x':{'k':1}}" },
		{ "{'x':{ }}", "m", "{'x':{ 'k':1}}" },
		{ "{'x':{'k':0}}", "m", "{'x':{'k':1}}" },
		{ "{'x':{'j':0}}", "m", "{'x':{'j':0,'k':1}}" },
		{ "{'x':{'j':0}}", "mn", "{'x':{'j':0,'k':1,'n':2}}" },
		{ "{'x':{}}", "mn", "{'x':{'k':1,'n':2}}" },
		{ "{'x':{'n':0}}", "mn", "{'x':{'n':2,'k':1}}" },
		{ "{'x':{'K':0,'kk':0}}", "m", "{'x':{'K':0,'kk':0,'k':1}}" },
		{ "{'x':{'\\u006b':'\\u0041'}}", "m",
		    "{'x':{'\\u006b':1}}" },
		{ "{'\\u0078':[7],'\\u006b':[]}", "aM",
		    "{'\\u0078':[7,1],'\\u006b':2}" },
		{ "{'x':{'k\\u0000':0}}", "m", "{'x':{'k\\u0000':0,'k':1}}" },
		{ "{'x':{'k':{'k':5}}}", "m", "{'x':{'k':1}}" },
		{ "{'x':{'y':{'k':5}}}", "m", "{'x':{'y':{'k':5},'k':1}}" },
		{ "{'k':[],'x':[]}", "aM", "{'k':2,'x':[1]}" },
		{ "{'x':[],'k':[]}", "Ma", "{'x':[2],'k':1}" },
		{ "{'x':[]}", "aMN", "{'x':[1],'k':2,'n':3}" },
		{ "{'x':[]}", "MNa", "{'x':[3],'k':1,'n':2}" },
		{ "\t{\r\n'x'\n:\t[\n]\n}\n", "aaM",
		    "\t{\r\n'x'\n:\t[\n1,2]\n,'k':3}\n" },
		{ "{'y':'\xc3\xa9\\ud83d\\udd11\\/','x':0}", "r",
		    "{'y':'\xc3\xa9\\ud83d\\udd11\\/','x':1}" },
		{ "{'x':1e400,'y':-0.0E+00}", "r", "{'x':1,'y':-0.0E+00}" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct json j, after;
		struct edits x = { .j = &j };
		struct str text = NOTHING;
		struct err e = { 0 };

		run.row = rows[i].want;
		if (!CHECK(parses(&j, quotes(rows[i].text))))
			continue;
		for (size_t k = 0; rows[i].edits[k] != '\0'; k++) {
			char digit[2] = { (char)('1' + k), '\0' };

			edit_letter(&x, rows[i].edits[k],
			    str_c(cstr(str_c(digit))));
		}
		CHECK(edit_done(&x, &T, &text, &e));
		FAILED(e, E_NONE);
		SAME(text, quotes(rows[i].want));
		CHECK(parses(&after, text));
		SAME(j.text, quotes(rows[i].text));     /* not touched */
	}
}

/* More changes than there is room for, text that could not be built, and an
 * arena without room: an error, never half of the changes. */
static void
test_edit_full(void)
{
	struct json j;
	struct str text = NOTHING;
	struct out o;

	CHECK(parses(&j, S("{\"x\":[0]}")));
	for (size_t n = EDITS_MAX / 2 - 1; n <= EDITS_MAX / 2 + 1; n++) {
		struct edits x = { .j = &j };
		struct err e = { 0 };
		bool fit = n <= EDITS_MAX / 2;

		for (size_t i = 0; i < n; i++)  /* comma and element */
			edit_letter(&x, 'a', S("1"));
		EQUAL(edit_done(&x, &T, &text, &e), fit);
		FAILED(e, fit ? E_NONE : E_LARGE);
		if (fit)
			EQUAL(text.n, 9 + 2 * n);
	}
	for (const char *letter = "rafmnMN"; *letter != '\0'; letter++) {
		struct edits x = { .j = &j };
		struct err e = { 0 };

		CHECK(parses(&j, *letter == 'm' || *letter == 'n' ?
		    S("{\"x\":{}}") : S("{\"x\":[0]}")));
		edit_letter(&x, *letter, NOTHING);
		CHECK(!edit_done(&x, &T, &text, &e));
		FAILED(e, E_LARGE);
	}
	out_open(&o, &T);
	for (size_t i = 0; i < 100000; i++)
		out_put(&o, S("[],"));
	CHECK(parses(&j, JOIN(&T, S("{\"y\":["), out_close(&o, &T),
	    S("0],\"x\":[0]}"))));
	for (size_t room = 0; room < 400000; room += 20000) {
		struct edits x = { .j = &j };
		struct arena small = { 0 };
		struct err e = { 0 };
		bool ok;

		if (!CHECK(mem_open(&small, 1 << 19)))
			return;
		(void)mem_alloc(&small, small.cap - room);
		edit_letter(&x, 'a', S("1"));
		ok = edit_done(&x, &small, &text, &e);
		EQUAL(ok, room > j.text.n + 2);
		FAILED(e, ok ? E_NONE : E_LARGE);
		if (ok)
			EQUAL(text.n, j.text.n + 2);
		EQUAL(json_quoted(&small, j.text).p != NULL, false);
		(void)munmap(small.base, small.cap);
	}
}

/* The model of the editor: a text in pieces, one for each token and each
 * stretch of white space. It knows nothing of places in the text. */
static struct {
	struct str piece[4000];
	bool touched[4000];
	size_t pieces;
	struct model_node {
		size_t open, close;     /* pieces; the same for a scalar */
		u8 kind;                /* of bracket, 0 for a scalar */
		size_t kids;
		struct str key;         /* the last child's, decoded */
		uint32_t value;         /* and its node */
		bool is_key, added;
	} node[2000];
	uint32_t nodes;
} model;

static void
model_piece(struct str s)
{
	if (model.pieces < LEN(model.piece))
		model.piece[model.pieces++] = s;
}

static void
model_space(void)
{
	static const char *const space[] = { "", "", "", " ", "\n", "\t ",
		"\r\n  " };

	model_piece(str_c(space[rnd(LEN(space))]));
}

/* Make up a value: at most so deep. */
static void
model_grow(int depth)
{
	static const char *const scalar[] = { "0", "-1.5e3", "true", "null",
		"\"\"", "\"a\\\"]}\"", "\"\\u005d\"", "\"\xc3\xa9\\\\\"",
		"[]", "{}", "false", "12345678901234567890" };
	uint32_t me = model.nodes++;
	struct model_node *m = &model.node[me];
	bool box = depth > 0 && model.nodes < 400 && rnd(3) > 0;

	*m = (struct model_node){ 0 };
	model_space();
	m->open = model.pieces;
	m->kind = !box ? 0 : rnd(2) > 0 ? '[' : '{';
	if (!box) {
		model_piece(str_c(scalar[rnd(LEN(scalar) - 4 * (depth == 0))]));
		if (model.piece[m->open].p[0] == '[' ||
		    model.piece[m->open].p[0] == '{')
			m->is_key = true;       /* one piece: left alone */
	} else {
		model_piece(m->kind == '[' ? S("[") : S("{"));
		for (uint32_t n = rnd(5); n > 0; n--) {
			if (m->kids > 0)
				model_piece(S(","));
			if (m->kind == '{') {
				char key[16];

				model_space();
				(void)snprintf(key, sizeof key, rnd(3) > 0 ?
				    "\"k%zu\"" : "\"\\u006b%zu\"", m->kids);
				model.node[model.nodes++] = (struct model_node){
					.open = model.pieces, .is_key = true };
				model_piece(str_c(cstr(str_c(key))));
				model_space();
				model_piece(S(":"));
				(void)snprintf(key, sizeof key, "k%zu",
				    m->kids);
				m->key = str_c(cstr(str_c(key)));
			}
			m->value = model.nodes;
			model_grow(depth - 1);
			m->kids++;
		}
		model_space();
		model_piece(m->kind == '[' ? S("]") : S("}"));
	}
	m->close = model.pieces - 1;
	model_space();
}

/* The whole text. */
static struct str
model_text(void)
{
	struct out o;

	out_open(&o, &T);
	for (size_t i = 0; i < model.pieces; i++)
		out_put(&o, model.piece[i]);
	return out_close(&o, &T);
}

/* Has any change been made from one piece to another? */
static bool
model_is_touched(size_t from, size_t to)
{
	bool any = false;

	for (size_t i = from; i <= to; i++)
		any |= model.touched[i];
	return any;
}

static void
model_replace(const struct model_node *m, struct str json)
{
	for (size_t i = m->open; i <= m->close; i++) {
		model.piece[i] = i == m->open ? json : NOTHING;
		model.touched[i] = true;
	}
}

/* Put before the closing bracket, after white space. */
static void
model_add(struct model_node *m, struct str json)
{
	struct str old = model.piece[m->close];

	model.piece[m->close] = JOIN(&T, str_upto(old, old.n - 1),
	    m->kids > 0 ? S(",") : S(""), json, str_from(old, old.n - 1));
	model.touched[m->close] = true;
	m->kids++;
	m->added = true;
}

/* Make one change to a node that allows it, in the model and the editor. */
static void
model_change(struct edits *x, uint32_t node, size_t number)
{
	struct model_node *m = &model.node[node];
	struct str json, name;
	char text[40];

	(void)snprintf(text, sizeof text, rnd(2) > 0 ? "%zu" :
	    "{\"n\\u0031\":[ %zu ]}", number);
	json = str_c(cstr(str_c(text)));
	if (m->is_key)
		return;
	if (rnd(3) == 0 && !model_is_touched(m->open, m->close)) {
		edit_replace(x, node, json);
		model_replace(m, json);
		return;
	}
	if (m->kind == 0 || model.piece[m->open].n != 1 ||
	    model.piece[m->close].n == 0)
		return;                 /* none, or replaced, or fronted */
	if (m->kind == '[' && rnd(3) == 0 && m->kids > 0 && !m->added &&
	    !model_is_touched(model.node[node + 1].open,
	    model.node[node + 1].open)) {
		edit_front(x, node, json);
		model.piece[m->open] = JOIN(&T, S("["), json, S(","));
		model.touched[m->open] = true;
	} else if (m->kind == '[') {
		edit_add(x, node, json);
		model_add(m, json);
	} else if (m->key.n > 0 && rnd(2) > 0 && !model_is_touched(
	    model.node[m->value].open, model.node[m->value].close)) {
		edit_member(x, &T, node, m->key, json);
		model_replace(&model.node[m->value], json);
	} else {
		(void)snprintf(text, sizeof text, "new%zu", number);
		name = str_c(cstr(str_c(text)));
		edit_member(x, &T, node, name, json);
		model_add(m, JOIN(&T, S("\""), name, S("\":"), json));
	}
}

/* Random texts and changes: the editor and the model agree to the byte, and
 * what comes out can be read again. */
static void
test_edit_model(void)
{
	size_t mark = T.used, changed = 0;

	for (unsigned round = 0; round < ROUNDS(20000); round++) {
		uint64_t began = seed;
		struct json j, after;
		struct edits x = { .j = &j };
		struct str text = NOTHING;
		struct err e = { 0 };

		model.pieces = 0;
		model.nodes = ROOT;
		memset(model.touched, 0, sizeof model.touched);
		model_grow(4);
		if (!CHECK(parses(&j, model_text())) ||
		    !EQUAL(model.nodes, j.n))
			return;
		for (size_t n = rnd(30), i = 0; i < n; i++) {
			uint32_t at = ROOT + rnd(model.nodes - ROOT);

			/* a node in what was replaced is gone */
			if (!model_is_touched(model.node[at].open,
			    model.node[at].open) || model.node[at].added)
				model_change(&x, at, i);
		}
		changed += x.n;
		if (!CHECK(edit_done(&x, &T, &text, &e)) ||
		    !CHECK(parses(&after, text)) || !CHECK(str_eq(text,
		    model_text()))) {
			(void)printf("  seed: %llu\n  before: ",
			    (unsigned long long)began);
			show(j.text);
			(void)printf("\n  got:    ");
			show(text);
			(void)printf("\n  want:   ");
			show(model_text());
			(void)printf("\n");
			return;
		}
		mem_reset(&T, mark);
	}
	CHECK(changed > ROUNDS(20000));
}

/* Reading leaves the arena as long as it needs it and no secret behind. */
static void
test_json_scratch(void)
{
	size_t mark = T.used;
	struct json j;

	CHECK(!parses(&j, S("{\"\\u0073ecret\":1,\"secret\":2}")));
	CHECK(parses(&j, S("{\"a\":\"\\u0073\"}")));
	mem_reset(&T, mark);
	CHECK(is_zero(T.base + mark, 4096));
}

/* ====================================================================
 * 7. Configuration: one table of settings, token sources
 * ==================================================================== */

extern char **environ;

/* Start from an environment without any of the settings. */
static void
clean_env(void)
{
	for (size_t i = 0; i < LEN(cfg_rows); i++) {
		(void)unsetenv(cfg_rows[i].env);
		if (cfg_rows[i].alias != NULL)
			(void)unsetenv(cfg_rows[i].alias);
	}
}

/* Settings from an environment that has just this one. */
static bool
cfg_with(struct cfg *cfg, const char *name, const char *value, struct str *bad)
{
	bool ok;

	clean_env();
	if (setenv(name, value, 1) != 0)
		abort();
	ok = cfg_from_env(cfg, environ, bad);
	(void)unsetenv(name);
	return ok;
}

static void
test_cfg_defaults(void)
{
	struct cfg cfg;
	struct str bad;

	clean_env();
	if (!CHECK(cfg_from_env(&cfg, environ, &bad)))
		return;
	SAME(str_c(cfg.vaults), S(DEF_VAULTS));
	SAME(str_c(cfg.hosts), S(""));
	SAME(str_c(cfg.no_proxy), S(""));
	CHECK(cfg.token == NULL && cfg.token_file == NULL);
	CHECK(cfg.cert_file == NULL && cfg.proxy == NULL);
	EQUAL(cfg.token_fd, 0);
	EQUAL(cfg.timeout_s, 30);
	EQUAL(cfg.log, LOG_INFO);
	CHECK(cfg.policy == NULL && cfg.state == NULL);
	CHECK(cfg.credentials == NULL && cfg.parent == NULL);
	SAME(str_c(cfg.audit), S(DEF_AUDIT));
	EQUAL(cfg.audit_sync, 0);
	EQUAL(cfg.reveal, ALLOW);
	EQUAL(cfg.plan, PLAN_FAMILY);
	EQUAL(cfg.sandbox, SANDBOX_AUTO);
	EQUAL(cfg.max_items, 25);
	EQUAL(cfg.calls, 10);
	EQUAL(cfg.calls_s, 60);
}

/* What a text setting has become. */
static struct str
cfg_text(struct cfg *cfg, const struct cfg_row *row)
{
	return str_c(*(const char **)cfg_member(cfg, row));
}

/* Every row of the table, by name, by alias, and by flag. */
static void
test_cfg_rows(void)
{
	struct cfg cfg;
	struct str bad;

	for (size_t i = 0; i < LEN(cfg_rows); i++) {
		const struct cfg_row *row = &cfg_rows[i];

		run.row = row->env;
		CHECK(row->help != NULL && row->help[0] != '\0');
		CHECK(row->at < sizeof cfg);
		CHECK((row->flag != NULL) == (row->arg != NULL));
		if (row->kind != CFG_TEXT)
			continue;
		if (CHECK(cfg_with(&cfg, row->env, "/a value", &bad)))
			SAME(cfg_text(&cfg, row), S("/a value"));
		if (row->alias != NULL && CHECK(cfg_with(&cfg, row->alias,
		    "other", &bad)))
			SAME(cfg_text(&cfg, row), S("other"));
		/* an empty value is none */
		if (CHECK(cfg_with(&cfg, row->env, "", &bad)))
			SAME(cfg_text(&cfg, row), str_c(row->def));
	}
}

/* A number of calls and a time. */
static void
test_cfg_rate(void)
{
	static const struct {
		struct str text;
		bool ok;
		uint64_t n, seconds;
	} rows[] = {
		{ B("10/60s"), true, 10, 60 }, { B("1/1s"), true, 1, 1 },
		{ B("5/2m"), true, 5, 120 }, { B("100/1h"), true, 100, 3600 },
		{ B("1000000/1d"), true, 1000000, 86400 },
		{ B("1/30d"), true, 1, 2592000 },
		{ B("1/720h"), true, 1, 2592000 },
		{ B("007/010s"), true, 7, 10 },
		{ B("off"), true, 0, 0 }, { B("OFF"), true, 0, 0 },
		{ B("1/31d"), false, 0, 0 }, { B("1/721h"), false, 0, 0 },
		{ B("1000001/1d"), false, 0, 0 },
		{ B("1/86401s"), false, 0, 0 }, { B(""), false, 0, 0 },
		{ B("/"), false, 0, 0 }, { B("10"), false, 0, 0 },
		{ B("10/"), false, 0, 0 }, { B("10/s"), false, 0, 0 },
		{ B("10/60"), false, 0, 0 }, { B("/60s"), false, 0, 0 },
		{ B("10/60S"), false, 0, 0 }, { B("10/60w"), false, 0, 0 },
		{ B("0/60s"), false, 0, 0 }, { B("10/0s"), false, 0, 0 },
		{ B("-1/60s"), false, 0, 0 }, { B("10/-6s"), false, 0, 0 },
		{ B("10 /60s"), false, 0, 0 }, { B("10/ 60s"), false, 0, 0 },
		{ B("10/60s "), false, 0, 0 }, { B("10//60s"), false, 0, 0 },
		{ B("10/6/0s"), false, 0, 0 }, { B("1e1/60s"), false, 0, 0 },
		{ B("offf"), false, 0, 0 }, { B("10/60s\0"), false, 0, 0 },
		{ B("99999999999999999999/1s"), false, 0, 0 },
	};
	struct cfg cfg;
	struct str bad;

	for (size_t i = 0; i < LEN(rows); i++) {
		uint64_t n = 9, seconds = 9;

		run.row = cstr(rows[i].text);
		if (!EQUAL(cfg_rate(rows[i].text, &n, &seconds), rows[i].ok) ||
		    !rows[i].ok)
			continue;
		EQUAL(n, rows[i].n);
		EQUAL(seconds, rows[i].seconds);
		CHECK(cfg_with(&cfg, "OPMCP_RATE", run.row, &bad));
		EQUAL(cfg.calls, n);
		EQUAL(cfg.calls_s, seconds);
	}
	run.row = NULL;
	CHECK(!cfg_with(&cfg, "OPMCP_RATE", "10", &bad));
	SAME(bad, S("OPMCP_RATE"));
	CHECK(cfg_with(&cfg, "RATE_LIMIT_MAX_REQUESTS", "7", &bad));
	EQUAL(cfg.calls, 7);
	EQUAL(cfg.calls_s, 60);
	CHECK(cfg_with(&cfg, "RATE_LIMIT_WINDOW_SECONDS", "7", &bad));
	EQUAL(cfg.calls, 10);
	EQUAL(cfg.calls_s, 7);
	CHECK(!cfg_with(&cfg, "RATE_LIMIT_MAX_REQUESTS", "0", &bad));
	CHECK(!cfg_with(&cfg, "RATE_LIMIT_WINDOW_SECONDS", "0", &bad));
}

/* One of the words of a row, in any case. */
static void
test_cfg_word(void)
{
	static const struct {
		const char *words, *word;
		int want;               /* -1: none */
	} rows[] = {
		{ "a|bc|d", "a", 0 }, { "a|bc|d", "BC", 1 },
		{ "a|bc|d", "d", 2 }, { "a|bc|d", "b", -1 },
		{ "a|bc|d", "bcd", -1 }, { "a|bc|d", "", -1 },
		{ "a|bc|d", "a|bc", -1 }, { "a|bc|d", "|", -1 },
		{ "a|bc|d", " a", -1 }, { "a", "a", 0 },
		{ "error|warn|info", "WARNING", 1 }, { "a|b", "warning", -1 },
	};
	struct cfg cfg;
	struct str bad;

	for (size_t i = 0; i < LEN(rows); i++) {
		uint64_t got = 9;

		run.row = rows[i].word;
		if (EQUAL(cfg_word(rows[i].words, str_c(rows[i].word), &got),
		    rows[i].want >= 0) && rows[i].want >= 0)
			EQUAL(got, rows[i].want);
	}
	run.row = NULL;
	/* what the words stand for */
	for (size_t i = 0; i < 3; i++) {
		static const char *const words[][3] = { { "deny", "ask",
			"allow" }, { "family", "teams", "business" },
			{ "auto", "require", "off" } };
		static const uint64_t want[][3] = { { DENY, ASK, ALLOW },
			{ PLAN_FAMILY, PLAN_TEAMS, PLAN_BUSINESS },
			{ SANDBOX_AUTO, SANDBOX_REQUIRE, SANDBOX_OFF } };

		CHECK(cfg_with(&cfg, "OPMCP_REVEAL", words[0][i], &bad));
		EQUAL(cfg.reveal, want[0][i]);
		CHECK(cfg_with(&cfg, "OPMCP_PLAN", words[1][i], &bad));
		EQUAL(cfg.plan, want[1][i]);
		CHECK(cfg_with(&cfg, "OPMCP_SANDBOX", words[2][i], &bad));
		EQUAL(cfg.sandbox, want[2][i]);
	}
	/* and how they are shown */
	for (size_t i = 0; i < LEN(cfg_rows); i++) {
		struct out o;
		bool known;

		run.row = cfg_rows[i].env;
		clean_env();
		CHECK(cfg_from_env(&cfg, environ, &bad));
		out_init(&o, mem_alloc(&T, 256), 256);
		known = cfg_show(&cfg, str_c(cfg_rows[i].env), &o);
		CHECK(cfg_rows[i].kind != CFG_SECRET || !known);
		if (cfg_rows[i].kind == CFG_WORD && CHECK(known))
			SAME(out_str(&o), str_c(cfg_rows[i].def));
	}
	run.row = NULL;
}

static void
test_cfg_numbers(void)
{
	static const struct {
		const char *env, *value;
		bool ok;
		uint64_t want;
	} rows[] = {
		{ "OPMCP_TIMEOUT", "1", true, 1 },
		{ "OPMCP_TIMEOUT", "300", true, 300 },
		{ "OPMCP_TIMEOUT", "", true, 30 },
		{ "OPMCP_TIMEOUT", "0", false, 0 },
		{ "OPMCP_TIMEOUT", "301", false, 0 },
		{ "OPMCP_TIMEOUT", "-1", false, 0 },
		{ "OPMCP_TIMEOUT", "1.5", false, 0 },
		{ "OPMCP_TIMEOUT", "30s", false, 0 },
		{ "OPMCP_TIMEOUT", " 30", false, 0 },
		{ "OPMCP_TIMEOUT", "99999999999999999999", false, 0 },
		{ "OPMCP_TOKEN_FD", "3", true, 3 },
		{ "OPMCP_TOKEN_FD", "1023", true, 1023 },
		{ "OPMCP_TOKEN_FD", "2", false, 0 },
		{ "OPMCP_TOKEN_FD", "0", false, 0 },
		{ "OPMCP_TOKEN_FD", "1024", false, 0 },
		{ "OPMCP_TOKEN_FD", "x", false, 0 },
		{ "OPMCP_LOG", "error", true, LOG_ERROR },
		{ "OPMCP_LOG", "warn", true, LOG_WARN },
		{ "OPMCP_LOG", "warning", true, LOG_WARN },
		{ "OPMCP_LOG", "INFO", true, LOG_INFO },
		{ "OPMCP_LOG", "Debug", true, LOG_DEBUG },
		{ "OPMCP_LOG", "trace", false, 0 },
		{ "OPMCP_LOG", "1", false, 0 },
		{ "OPMCP_LOG", "debu", false, 0 },
		{ "LOG_LEVEL", "debug", true, LOG_DEBUG },
		{ "LOG_LEVEL", "loud", false, 0 },
		{ "OPMCP_REVEAL", "allow", true, ALLOW },
		{ "OPMCP_REVEAL", "ASK", true, ASK },
		{ "OPMCP_REVEAL", "Deny", true, DENY },
		{ "OPMCP_REVEAL", "yes", false, 0 },
		{ "OPMCP_REVEAL", "1", false, 0 },
		{ "OPMCP_REVEAL", "allow ", false, 0 },
		{ "OPMCP_MAX_ITEMS", "0", false, 0 },
		{ "OPMCP_MAX_ITEMS", "1001", false, 0 },
		{ "OPMCP_AUDIT_SYNC", "2", false, 0 },
		{ "OPMCP_AUDIT_SYNC", "yes", false, 0 },
		{ "OPMCP_PLAN", "free", false, 0 },
		{ "OPMCP_SANDBOX", "on", false, 0 },
	};
	struct cfg cfg;
	struct str bad;

	for (size_t i = 0; i < LEN(rows); i++) {
		uint64_t got;

		run.row = rows[i].value;
		if (!EQUAL(cfg_with(&cfg, rows[i].env, rows[i].value, &bad),
		    rows[i].ok))
			continue;
		got = str_eq(str_c(rows[i].env), S("OPMCP_TIMEOUT")) ?
		    cfg.timeout_s : str_eq(str_c(rows[i].env),
		    S("OPMCP_TOKEN_FD")) ? cfg.token_fd :
		    str_eq(str_c(rows[i].env), S("OPMCP_REVEAL")) ?
		    cfg.reveal : cfg.log;
		if (rows[i].ok)
			EQUAL(got, rows[i].want);
		else
			SAME(bad, str_c(rows[i].env));
	}
}

/* Other names for the same settings, as they are used elsewhere. */
static void
test_cfg_synonyms(void)
{
	static const struct {
		const char *name, *value;
		int want;               /* -1: refused */
	} rows[] = {
		{ "OPMCP_WRITE", "off", DENY }, { "OPMCP_WRITE", "ask", ASK },
		{ "OPMCP_WRITE", "allow", ALLOW }, { "OPMCP_WRITE", "ON", ASK },
		{ "OPMCP_WRITE", "True", ASK }, { "OPMCP_WRITE", "1", ASK },
		{ "OPMCP_WRITE", "yes", ASK }, { "OPMCP_WRITE", "no", DENY },
		{ "OPMCP_WRITE", "False", DENY }, { "OPMCP_WRITE", "0", DENY },
		{ "OPMCP_WRITE", "2", -1 }, { "OPMCP_WRITE", "deny", -1 },
		{ "OPMCP_WRITE", "warning", -1 }, { "OPMCP_WRITE", "y", -1 },
		{ "DESTRUCTIVE_ACTIONS", "true", ASK },
		{ "DESTRUCTIVE_ACTIONS", "off", DENY },
		{ "DESTRUCTIVE_ACTIONS", "maybe", -1 },
		{ "LOG_LEVEL", "warning", LOG_WARN },
		{ "LOG_LEVEL", "WARNING", LOG_WARN },
		{ "OPMCP_LOG", "warn", LOG_WARN },
		{ "OPMCP_LOG", "true", -1 }, { "OPMCP_LOG", "1", -1 },
		{ "OPMCP_REVEAL", "on", -1 }, { "OPMCP_REVEAL", "true", -1 },
		{ "OPMCP_SANDBOX", "on", -1 }, { "OPMCP_SANDBOX", "no", -1 },
		{ "OPMCP_SANDBOX", "0", -1 },
		{ "OPMCP_REFERENCES", "wide", 0 },
		{ "OPMCP_REFERENCES", "Strict", 1 },
		{ "OPMCP_REFERENCES", "on", -1 },
		{ "OPMCP_REFERENCES", "1", -1 },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct cfg cfg;
		struct str bad;
		bool log = strstr(rows[i].name, "LOG") != NULL;

		run.row = cstr(JOIN(&T, str_c(rows[i].name), S("="),
		    str_c(rows[i].value)));
		if (!EQUAL(cfg_with(&cfg, rows[i].name, rows[i].value, &bad),
		    rows[i].want >= 0) || rows[i].want < 0)
			continue;
		EQUAL(log ? cfg.log : strstr(rows[i].name, "REF") != NULL ?
		    cfg.references : cfg.write, rows[i].want);
	}
	run.row = NULL;
	clean_env();
}

static void
test_cfg_alias(void)
{
	struct cfg cfg;
	struct str bad;

	clean_env();
	(void)setenv("OPMCP_VAULTS", "One", 1);
	(void)setenv("SECURITY_DEFAULT_VAULT", "Two", 1);
	CHECK(cfg_from_env(&cfg, environ, &bad));
	SAME(str_c(cfg.vaults), S("One"));      /* the name counts first */
	(void)setenv("OPMCP_VAULTS", "", 1);
	CHECK(cfg_from_env(&cfg, environ, &bad));
	SAME(str_c(cfg.vaults), S("Two"));
	clean_env();
}

static void
test_cfg_unknown(void)
{
	static const struct {
		const char *pair;
		bool known;
	} rows[] = {
		{ "PATH=/bin", true }, { "OP_FOO=1", true },
		{ "OPMCP=1", true }, { "opmcp_vault=1", true },
		{ "OPMCP_VAULTS=x", true }, { "OPMCP_LOG=", true },
		{ "OPMCP_VAULT=x", false }, { "OPMCP_VAULTSS=x", false },
		{ "OPMCP_=x", false }, { "OPMCP_vaults=x", false },
		{ "OPMCP_LOG", true }, { "OPMCP_NEW", false },
		{ "", true }, { "=", true },
	};
	struct cfg cfg;
	struct str bad;

	for (size_t i = 0; i < LEN(rows); i++) {
		char *env[] = { cstr(S("HOME=/")), cstr(str_c(rows[i].pair)),
			NULL };

		run.row = rows[i].pair;
		EQUAL(cfg_unknown(env) == NULL, rows[i].known);
		if (!rows[i].known)
			SAME(str_c(cfg_unknown(env)), str_c(rows[i].pair));
	}
	run.row = NULL;
	clean_env();
	CHECK(!cfg_with(&cfg, "OPMCP_VALUTS", "secret", &bad));
	SAME(bad, S("OPMCP_VALUTS"));           /* without the value */
	CHECK(cfg_with(&cfg, "OPMCP_VAULTS", "caf\xc3\xa9", &bad));
	CHECK(!cfg_with(&cfg, "OPMCP_VAULTS", "caf\xc3", &bad));
	SAME(bad, S("OPMCP_VAULTS"));           /* not UTF-8 */
}

static void
test_cfg_flags(void)
{
	static const struct {
		const char *argv[2];
		int took;
	} rows[] = {
		{ { "--vaults=a,b", NULL }, 1 },
		{ { "--vaults", "a,b" }, 2 },
		{ { "--vaults", NULL }, -1 },
		{ { "--vaults=", NULL }, 1 },
		{ { "--vault", "a" }, 0 },
		{ { "--vaultss=a", NULL }, 0 },
		{ { "--Vaults=a", NULL }, 0 },
		{ { "--", "a" }, 0 },
		{ { "--=a", NULL }, 0 },
		{ { "--timeout=5", NULL }, 1 },
		{ { "--timeout", "5" }, 2 },
		{ { "--timeout=", NULL }, -1 },
		{ { "--timeout", "0" }, -1 },
		{ { "--timeout", "five" }, -1 },
		{ { "--log", "debug" }, 2 },
		{ { "--log=never", NULL }, -1 },
		{ { "--token-fd=3", NULL }, 1 },
		{ { "--token-fd=1", NULL }, -1 },
		{ { "--token-file", "/x" }, 2 },
		{ { "--hosts=h", NULL }, 1 },
		{ { "--token=ops_x", NULL }, 0 },       /* never an argument */
		{ { "--token", "ops_x" }, 0 },
		{ { "--proxy=x", NULL }, 0 },
	};
	struct cfg cfg;
	struct str bad;

	for (size_t i = 0; i < LEN(rows); i++) {
		char *argv[3] = { cstr(str_c(rows[i].argv[0])), NULL, NULL };

		run.row = rows[i].argv[0];
		if (rows[i].argv[1] != NULL)
			argv[1] = cstr(str_c(rows[i].argv[1]));
		clean_env();
		CHECK(cfg_from_env(&cfg, environ, &bad));
		EQUAL(cfg_from_flag(&cfg, argv), rows[i].took);
		if (i < 2)
			SAME(str_c(cfg.vaults), S("a,b"));
	}
}

/* The token leaves the environment when it is wiped. */
static void
test_cfg_wipe(void)
{
	struct cfg cfg;
	struct str bad;
	char *value;

	clean_env();
	(void)setenv("OP_SERVICE_ACCOUNT_TOKEN", "ops_secret", 1);
	CHECK(cfg_from_env(&cfg, environ, &bad));
	value = getenv("OP_SERVICE_ACCOUNT_TOKEN");
	CHECK(cfg.token == value);              /* the very bytes, no copy */
	cfg_wipe(&cfg);
	CHECK(cfg.token == NULL && is_zero((u8 *)value, 10));
	cfg_wipe(&cfg);
	SAME(str_c(getenv("OP_SERVICE_ACCOUNT_TOKEN")), S(""));
	clean_env();
}

/* What comes out of a file with this content; refused when ok is false. */
static void
token_file(struct str content, bool ok, struct str want)
{
	struct cfg cfg = { .token_file = file_with("token", content, 0600) };
	struct err e = { 0 };
	struct str token;
	int fd = open(cfg.token_file, O_RDONLY);

	EQUAL(cfg_token(&cfg, &T, &token, &e), ok);
	if (ok)
		SAME(token, want);
	else
		FAILED(e, E_TOKEN);
	cfg = (struct cfg){ .token_fd = (uint64_t)fd };
	e = (struct err){ 0 };
	EQUAL(cfg_token(&cfg, &T, &token, &e), ok);
	if (ok)
		SAME(token, want);
	CHECK(fcntl(fd, F_GETFD) < 0);
}

static void
test_cfg_token(void)
{
	struct cfg cfg = { 0 };
	struct err e = { 0 };
	struct str token;

	CHECK(cfg_token(&cfg, &T, &token, &e));
	EQUAL(token.n, 0);                      /* no source, no error */
	token_file(S("ops_a"), true, S("ops_a"));
	token_file(S("ops_a\n"), true, S("ops_a"));
	token_file(S("ops_a\r\n"), true, S("ops_a"));
	token_file(S("ops_a\n\n"), true, S("ops_a"));
	token_file(S(" ops_a "), true, S(" ops_a "));
	token_file(S(""), false, NOTHING);
	token_file(S("\n"), false, NOTHING);
	token_file(S("\r\n\r\n"), false, NOTHING);
	cfg.token = cstr(S("ops_env"));
	cfg.token_file = path_of("missing");    /* not looked at */
	CHECK(cfg_token(&cfg, &T, &token, &e));
	SAME(token, S("ops_env"));
	cfg.token = NULL;
	CHECK(!cfg_token(&cfg, &T, &token, &e));
	FAILED(e, E_CONFIG);
	SAME(str_c(e.where), S("OP_SERVICE_ACCOUNT_TOKEN_FILE"));
	e = (struct err){ 0 };
	cfg = (struct cfg){ .token_fd = 999 };
	CHECK(!cfg_token(&cfg, &T, &token, &e));
	FAILED(e, E_CONFIG);
	/* the directory of systemd, when there is nothing else */
	e = (struct err){ 0 };
	cfg = (struct cfg){ .credentials = dir };
	CHECK(cfg_token(&cfg, &T, &token, &e));
	EQUAL(token.n, 0);                      /* no such credential */
	(void)file_with("op_service_account_token", S("ops_c\n"), 0400);
	CHECK(cfg_token(&cfg, &T, &token, &e));
	SAME(token, S("ops_c"));
	cfg.token = cstr(S("ops_env"));
	CHECK(cfg_token(&cfg, &T, &token, &e));
	SAME(token, S("ops_env"));
	cfg.token = NULL;
	cfg.token_file = file_with("token", S("ops_f"), 0600);
	CHECK(cfg_token(&cfg, &T, &token, &e));
	SAME(token, S("ops_f"));
	cfg.token_file = NULL;
	(void)file_with("op_service_account_token", S("ops_c\n"), 0404);
	CHECK(!cfg_token(&cfg, &T, &token, &e));
	FAILED(e, E_CONFIG);
	e = (struct err){ 0 };
	(void)file_with("op_service_account_token", S("\n"), 0400);
	CHECK(!cfg_token(&cfg, &T, &token, &e));
	FAILED(e, E_TOKEN);
	e = (struct err){ 0 };
	cfg.credentials = path_of("none");
	CHECK(cfg_token(&cfg, &T, &token, &e));
	EQUAL(token.n, 0);
}

static void
test_cfg_list(void)
{
	static const struct {
		const char *list, *item;
		bool want;
	} rows[] = {
		{ "a,b", "a", true }, { "a,b", "b", true },
		{ "a , B", "b", true }, { "a,b", "c", false },
		{ "a,b", "a,b", false }, { "", "a", false },
		{ "ab", "a", false }, { "a", "ab", false },
		{ ",,a", "a", true }, { "*", "a", false },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].list;
		EQUAL(cfg_list_is_member(rows[i].list, str_c(rows[i].item)),
		    rows[i].want);
	}
}

/* ====================================================================
 * 8. Crypto: SRP, GCM, HMAC, OAEP, Ed25519 signing
 * ==================================================================== */

static void
test_cry_sha256(void)
{
	u8 h[SHA256_LEN];

	SHA256(h, S("abc"));
	SAME(hex(h, sizeof h), S("ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad"));
	SHA256(h, S("a"), S(""), NOTHING, S("b"), S("c"));
	SAME(hex(h, 4), S("ba7816bf"));
	SHA256(h, NOTHING);
	SAME(hex(h, sizeof h), S("e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855"));
}

/* RFC 4231; shorter keys are those with zeros behind (RFC 2104). */
static void
test_cry_hmac(void)
{
	static const struct {
		const char *key;        /* hex */
		struct str text;
		const char *mac;
	} rows[] = {
		{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", B("Hi There"),
		    "b0344c61d8db38535ca8afceaf0bf12b"
		    "881dc200c9833da726e9376c2e32cff7" },
		{ "4a656665", B("what do ya want for nothing?"),
		    "5bdcc146bf60754e6a042426089575c7"
		    "5a003f089d2739839dec58b964ec3843" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    B("\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
		    "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
		    "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
		    "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"
		    "\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd\xdd"),
		    "773ea91e36800e46854db8ebd09181a7"
		    "2959098b3ef8c122d9635514ced565fe" },
		{ "0102030405060708090a0b0c0d0e0f10111213141516171819",
		    B("\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
		    "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
		    "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
		    "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"
		    "\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd\xcd"),
		    "82558a389a443c0ea4cc819899f2083a"
		    "85f0faa3e578f8077a2e3ff46729665b" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		u8 key[SHA256_LEN] = { 0 }, mac[SHA256_LEN];
		struct str k = unhex(str_c(rows[i].key));

		memcpy(key, k.p, k.n);
		cry_hmac(mac, key, rows[i].text);
		SAME(hex(mac, sizeof mac), str_c(rows[i].mac));
	}
}

/* The key label of the request MACs, end to end. */
static void
test_cry_hmac_mac_key(void)
{
	u8 mac[SHA256_LEN];

	load("test/data/mac.json");
	cry_hmac(mac, hex_at(ROOT, "sessionKey").p,
	    text_at(ROOT, "label"));
	SAME(hex(mac, sizeof mac), text_at(ROOT, "macKey"));
}

/* The AES-256 cases 13 to 15 of McGrew and Viega's GCM specification, which
 * SP 800-38D refers to (16 has associated data, 17 and 18 long nonces). */
static void
test_cry_gcm(void)
{
	static const struct {
		const char *key, *iv, *plain, *box;
	} rows[] = {
		{ "00000000000000000000000000000000"
		    "00000000000000000000000000000000",
		    "000000000000000000000000", "",
		    "530f8afbc74536b9a963b4f1c4cb738b" },
		{ "00000000000000000000000000000000"
		    "00000000000000000000000000000000",
		    "000000000000000000000000",
		    "00000000000000000000000000000000",
		    "cea7403d4d606b6e074ec5d3baf39d18"
		    "d0d1c8a799996bf0265b98b5d48ab919" },
		{ "feffe9928665731c6d6a8f9467308308"
		    "feffe9928665731c6d6a8f9467308308",
		    "cafebabefacedbaddecaf888",
		    "d9313225f88406e5a55909c5aff5269a"
		    "86a7a9531534f7da2e4c303d8a318a72"
		    "1c3c0c95956809532fcf0e2449a6b525"
		    "b16aedf5aa0de657ba637b391aafd255",
		    "522dc1f099567d07f47f37a32a84427d"
		    "643a8cdcbfe5c0c97598a2bd2555d1aa"
		    "8cb08e48590dbb3da7b08b1056828838"
		    "c5f61e6393ba7a0abcc9f662898015ad"
		    "b094dac5d93471bdec1a502270e3cc6c" },
	};
	struct cry_gcm g;

	for (size_t i = 0; i < LEN(rows); i++) {
		struct str key = unhex(str_c(rows[i].key));
		struct str iv = unhex(str_c(rows[i].iv));
		struct str plain = unhex(str_c(rows[i].plain));
		struct str box = unhex(str_c(rows[i].box));
		u8 room[128];
		size_t n;

		run.row = rows[i].box;
		cry_gcm_init(&g, key.p);
		memcpy(room, plain.p, plain.n);
		cry_gcm_seal(&g, iv.p, room, plain.n);
		SAME(hex(room, plain.n + GCM_TAG), str_c(rows[i].box));
		CHECK(cry_gcm_open(&g, iv.p, room, box.n, &n));
		SAME(((struct str){ room, n }), plain);
		for (size_t bit = 0; bit < 8 * box.n; bit++) {
			memcpy(room, box.p, box.n);
			room[bit / 8] = (u8)(room[bit / 8] ^ 1 << bit % 8);
			if (cry_gcm_open(&g, iv.p, room, box.n, &n) ||
			    !is_zero(room, box.n)) {
				FAIL("a forgery opens, or shows its text");
				break;
			}
		}
		memcpy(room, box.p, box.n);
		CHECK(!cry_gcm_open(&g, iv.p, room, box.n - 1, &n));
		memcpy(room, box.p, box.n);
		CHECK(!cry_gcm_open(&g, key.p + 3, room, box.n, &n) ||
		    i < 2);             /* another nonce */
	}
	for (size_t n = 0; n < GCM_TAG; n++) {
		u8 room[GCM_TAG] = { 0 };
		size_t got;

		CHECK(!cry_gcm_open(&g, room, room, n, &got));
	}
}

/* The key of the vectors' RSA key i. */
static bool
rsa_of(uint32_t keys, unsigned i, struct cry_rsa *rsa)
{
	struct sa sa = { .scratch = &T };
	uint32_t k = json_first(&vec, keys);

	while (i-- > 0)
		k = json_next(&vec, keys, k);
	return sa_jwk_rsa(&sa, json_raw(&vec, at(k, "pri")), rsa);
}

static void
test_cry_oaep(void)
{
	uint32_t keys, vault;
	struct cry_rsa rsa;
	unsigned i = 0;
	u8 box[512];
	size_t n;

	load("test/data/keys.json");
	keys = at(ROOT, "rsaKeys");
	vault = at(ROOT, "vaults");
	EACH(v, vault) {
		uint32_t access = at(at(v, "json"), "combinedAccess");
		struct str data = text_at(at(access, "encVaultKey"), "data");
		struct err e = { 0 };
		struct json j;
		struct str k;
		u8 key[32];

		run.row = cstr(text_at(at(v, "plain"), "name"));
		if (!CHECK(rsa_of(keys, i, &rsa)))
			continue;
		EQUAL(rsa.bits, 2048);
		EQUAL(rsa.sha256, i == 1);
		CHECK(b64_decode(box, data, &n));
		EQUAL(n, 256);
		if (CHECK(cry_oaep_open(&rsa, box, n, &n)) &&
		    CHECK(json_parse(&j, &T, (struct str){ box, n }, &e)) &&
		    CHECK(json_get_str(&j, ROOT, S("k"), &k)) &&
		    CHECK(b64_decode_exact(key, 32, k)))
			SAME(hex(key, 32), text_at(v, "key"));
		/* the other hash, the other key, another length */
		CHECK(b64_decode(box, data, &n));
		rsa.sha256 = !rsa.sha256;
		CHECK(!cry_oaep_open(&rsa, box, n, &n));
		CHECK(rsa_of(keys, 1 - i, &rsa));
		CHECK(b64_decode(box, data, &n));
		CHECK(!cry_oaep_open(&rsa, box, n, &n));
		CHECK(rsa_of(keys, i, &rsa));
		CHECK(b64_decode(box, data, &n));
		CHECK(!cry_oaep_open(&rsa, box, n - 1, &n));
		CHECK(!cry_oaep_open(&rsa, box, 0, &n));
		i++;
	}
	EQUAL(i, 2);
}

static void
test_cry_oaep_refused(void)
{
	uint32_t list;
	unsigned rows = 0;

	load("test/data/keys.json");
	list = at(ROOT, "rsaRefuse");
	EACH(k, list) {
		struct cry_rsa rsa;
		u8 box[512];
		size_t n;

		row_of(k);
		if (!CHECK(rsa_of(at(ROOT, "rsaKeys"),
		    (unsigned)number_at(k, "key"), &rsa)))
			continue;
		rsa.sha256 = json_is_str(&vec, k, S("enc"),
		    S("RSA-OAEP-256"));
		CHECK(b64_decode(box, text_at(k, "data"), &n));
		CHECK(!cry_oaep_open(&rsa, box, n, &n));
		rows++;
	}
	EQUAL(rows, 3);
}

/* The arithmetic against that of the compiler, with one and two words. */
static void
test_cry_numbers(void)
{
	for (int round = 0; round < 20000; round++) {
		uint64_t m = ((uint64_t)rnd(UINT32_MAX) << 32 |
		    rnd(UINT32_MAX)) >> rnd(60) | 1;
		uint64_t x = ((uint64_t)rnd(UINT32_MAX) << 32 |
		    rnd(UINT32_MAX)) % m;
		uint64_t y = ((uint64_t)rnd(UINT32_MAX) << 32 |
		    rnd(UINT32_MAX)) % m;
		uint32_t mw[2] = { (uint32_t)m, (uint32_t)(m >> 32) };
		uint32_t xw[2] = { (uint32_t)x, (uint32_t)(x >> 32) };
		uint32_t yw[2] = { (uint32_t)y, (uint32_t)(y >> 32) };
		uint32_t r[2], c;
		u8 k[9], back[8];
		unsigned __int128 want = 0;

#define WORDS(w) ((uint64_t)(w)[1] << 32 | (w)[0])
		for (size_t i = 0; i < sizeof k; i++) {
			k[i] = (u8)rnd(256);
			want = (want << 8 | k[i]) % m;
		}
		mod_mul(r, k, sizeof k, xw, mw, 2);
		if (WORDS(r) != (uint64_t)(want * x % m))
			FAIL("mod_mul");
		memcpy(r, xw, sizeof r);
		mod_add(r, yw, 0xffffffff, mw, 2);
		if (WORDS(r) != (uint64_t)(((unsigned __int128)x + y) % m))
			FAIL("mod_add");
		memcpy(r, xw, sizeof r);
		mod_add(r, yw, 0, mw, 2);
		if (WORDS(r) != x)
			FAIL("mod_add without");
		mod_sub(r, yw, mw, 2);
		if (WORDS(r) != (x >= y ? x - y : m - (y - x)))
			FAIL("mod_sub");
		memcpy(r, xw, sizeof r);
		c = num_sub(r, yw, 0xffffffff, 2);
		if (WORDS(r) != x - y || c != (x < y ? 0xffffffff : 0))
			FAIL("num_sub");
		memcpy(r, xw, sizeof r);
		c = num_add(r, yw, 0xffffffff, 2);
		if (WORDS(r) != x + y || c != (x + y < x ? 0xffffffff : 0))
			FAIL("num_add");
		num_load(r, 2, k + 1, 8);
		num_store(back, 8, r);
		if (memcmp(back, k + 1, 8) != 0)
			FAIL("num_store");
	}
	CHECK(true);
}

/* Numbers are loaded and stored in full, short and too long ones too. */
static void
test_cry_numbers_io(void)
{
	static const u8 bytes[] = { 1, 2, 3, 4, 5, 6, 7 };
	uint32_t r[2];
	u8 out[8];

	num_load(r, 2, bytes, 7);
	EQUAL(r[0], 0x04050607);
	EQUAL(r[1], 0x010203);
	num_store(out, 7, r);
	CHECK(memcmp(out, bytes, 7) == 0);
	num_store(out, 8, r);
	CHECK(out[0] == 0 && memcmp(out + 1, bytes, 7) == 0);
	num_load(r, 1, bytes, 7);       /* what does not fit is dropped */
	EQUAL(r[0], 0x04050607);
	num_load(r, 2, bytes, 0);
	CHECK(r[0] == 0 && r[1] == 0);
}

/* The group constants: the prime, k, and the hash in M1. */
static void
test_cry_srp_group(void)
{
	u8 n[SRP_LEN], five[SRP_LEN] = { 0 }, h[SHA256_LEN], g[SHA256_LEN];
	static const u8 g5 = 5;

	load("test/data/srp.json");
	CHECK(hex_decode(n, SRP_LEN, S("0")));
	if (!CHECK(hex_decode(n, SRP_LEN, str_c(srp_prime))))
		return;
	SAME(hex(n, SRP_LEN), text_at(at(ROOT, "group"), "N"));
	five[SRP_LEN - 1] = 5;
	SHA256(h, { n, SRP_LEN }, { five, SRP_LEN });
	SAME(hex(h, sizeof h), text_at(at(ROOT, "group"), "k"));
	SHA256(h, { n, SRP_LEN });
	SHA256(g, { &g5, 1 });
	for (size_t i = 0; i < sizeof h; i++)
		h[i] ^= g[i];
	SAME(hex(h, sizeof h), text_at(at(ROOT, "group"),
	    "hashNxorHashG"));
}

/* A number of the vectors on the length of the group. */
static struct str
padded(uint32_t node, const char *name)
{
	u8 *p = mem_alloc(&T, SRP_LEN);

	CHECK(p != NULL && hex_decode(p, SRP_LEN, text_at(node, name)));
	return (struct str){ p, SRP_LEN };
}

/* One exchange step by step. */
static void
srp_case(uint32_t k)
{
	static struct cry_srp s;
	struct err e = { 0 };
	u8 u[SHA256_LEN], base[SRP_LEN], exp[SRP_LEN];
	struct str salt = hex_at(ROOT, "salt");
	struct str skid = text_at(ROOT, "skid");
	struct str email = text_at(ROOT, "email");

	row_of(k);
	memset(&s, 0, sizeof s);
	if (!CHECK(cry_srp_init(&s, hex_at(k, "a"), hex_at(k, "x"))) ||
	    !CHECK(cry_srp_public(&s)) || !CHECK(cry_srp_verifier(&s)))
		return;
	SAME(((struct str){ s.A, SRP_LEN }), padded(k, "A"));
	SAME(((struct str){ s.gx, SRP_LEN }), padded(k, "v"));
	memcpy(s.B, padded(k, "B").p, SRP_LEN);
	SHA256(u, { s.A, SRP_LEN }, { s.B, SRP_LEN });
	SAME(hex(u, sizeof u), text_at(k, "u"));
	if (CHECK(cry_srp_base(&s, base))) {
		size_t zeros;

		cry_srp_exponent(&s, u, exp);
		zeros = SRP_LEN - cry_srp_min(exp).n;
		CHECK(cry_modexp(&s, base, exp + zeros, SRP_LEN - zeros));
		SAME(((struct str){ base, SRP_LEN }), padded(k, "S"));
	}
	cry_srp_hash_key(&s, base);
	SAME(hex(s.key, SHA256_LEN), text_at(k, "K"));
	/* and now all at once, from the text of the wire */
	memset(s.key, 0, sizeof s.key);
	memset(s.B, 0, sizeof s.B);
	CHECK(cry_srp_finish(&s, text_at(k, "userB"), skid, email, salt, &e));
	FAILED(e, E_NONE);
	SAME(((struct str){ s.B, SRP_LEN }), padded(k, "B"));
	SAME(hex(s.key, SHA256_LEN), text_at(k, "K"));
	SAME(hex(s.m1, SHA256_LEN), text_at(k, "M1"));
	SAME(hex(s.m2, SHA256_LEN), text_at(k, "M2"));
	if (k != json_first(&vec, at(ROOT, "cases")))
		return;
	/* another salt, skid, e-mail or x gives another proof */
	for (int i = 0; i < 3; i++) {
		CHECK(cry_srp_finish(&s, text_at(k, "userB"), str_from(skid,
		    i == 0), str_from(email, i == 1), str_from(salt, i == 2),
		    &e));
		CHECK(!str_eq(hex(s.m1, SHA256_LEN), text_at(k, "M1")));
		SAME(hex(s.key, SHA256_LEN), text_at(k, "K"));
	}
	s.gx[SRP_LEN - 1] ^= 1;
	CHECK(cry_srp_finish(&s, text_at(k, "userB"), skid, email, salt, &e));
	CHECK(!str_eq(hex(s.key, SHA256_LEN), text_at(k, "K")));
	CHECK(!str_eq(hex(s.m1, SHA256_LEN), text_at(k, "M1")));
}

static void
test_cry_srp(void)
{
	unsigned rows = 0;
	uint32_t list;

	load("test/data/srp.json");
	list = at(ROOT, "cases");
	EACH(k, list) {
		srp_case(k);
		rows++;
	}
	EQUAL(rows, 8);
}

static void
test_cry_srp_refused(void)
{
	static struct cry_srp s;
	uint32_t list, first;
	unsigned rows = 0;
	struct str n;

	load("test/data/srp.json");
	first = json_first(&vec, at(ROOT, "cases"));
	memset(&s, 0, sizeof s);
	CHECK(cry_srp_init(&s, hex_at(first, "a"), hex_at(first, "x")));
	CHECK(cry_srp_public(&s) && cry_srp_verifier(&s));
	list = at(ROOT, "refuse");
	EACH(k, list) {
		struct err e = { 0 };

		row_of(k);
		memset(s.key, 0, sizeof s.key);
		CHECK(!cry_srp_finish(&s, text_at(k, "userB"), S("ABCDEF"),
		    S("a@b"), S("salt"), &e));
		CHECK(e.code == E_SERVER || e.code == E_ANSWER);
		CHECK(is_zero(s.key, sizeof s.key));
		rows++;
	}
	EQUAL(rows, 5);
	run.row = "more values of B";
	n = text_at(at(ROOT, "group"), "N");
	for (unsigned i = 0; i < 6; i++) {
		char b[1030];
		struct err e = { 0 };

		(void)snprintf(b, sizeof b, "%.*s", FMT(n));
		if (i == 0) {                   /* N + 1 */
			b[1007] = 'a';
			memset(b + 1008, '0', 16);
		} else if (i == 1)
			memset(b, 'f', 1024);
		else if (i == 2)
			b[1023] = 'e';          /* N - 1 is taken */
		else if (i == 3)
			b[1023] = '\0';         /* odd */
		else if (i == 4)
			b[0] = '\0';
		else
			(void)strcpy(b, "05\n");
		EQUAL(cry_srp_finish(&s, str_c(b), S("ABCDEF"), S("a@b"),
		    S("salt"), &e), i == 2);
	}
}

static void
test_cry_srp_init(void)
{
	static const struct {
		size_t a, x;
		bool ok;
	} rows[] = { { 32, 32, true }, { 511, 32, true }, { 32, 1, true },
		{ 32, SRPX_MAX, true }, { 31, 32, false }, { 512, 32, false },
		{ 0, 32, false }, { 32, 0, false },
		{ 32, SRPX_MAX + 1, false } };
	static struct cry_srp s;
	u8 bytes[600];

	memset(bytes, 0x11, sizeof bytes);
	for (size_t i = 0; i < LEN(rows); i++) {
		memset(&s, 0, sizeof s);
		EQUAL(cry_srp_init(&s, (struct str){ bytes, rows[i].a },
		    (struct str){ bytes, rows[i].x }), rows[i].ok);
	}
	SAME(cry_srp_min(s.A), NOTHING);
	s.A[SRP_LEN - 2] = 1;
	SAME(cry_srp_min(s.A), ((struct str)B("\x01\0")));
}

static void
test_cry_ed25519(void)
{
	uint32_t list;
	unsigned rows = 0;
	u8 sig[64];

	load("test/data/ed25519.json");
	list = at(ROOT, "cases");
	EACH(k, list) {
		row_of(k);
		cry_ed25519_sign(sig, hex_at(k, "seed").p,
		    hex_at(k, "msg"));
		SAME(hex(sig, sizeof sig), text_at(k, "sig"));
		rows++;
	}
	EQUAL(rows, 32);
}

/* The field: every spelling of a number is stored in its canonical one. */
static void
test_cry_field(void)
{
	static const int64_t p[16] = { 0xffed, 0xffff, 0xffff, 0xffff, 0xffff,
		0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff,
		0xffff, 0xffff, 0xffff, 0x7fff };
	struct fe f, g, r;
	u8 s[32], one[32] = { 1 };

	for (int64_t k = 0; k < 3; k++)
		for (int64_t v = 0; v < 40; v++) {
			for (size_t i = 0; i < 16; i++)
				f.v[i] = k * p[i];
			f.v[0] += v;
			fe_store(s, &f);
			if (k == 0 || v == 0)
				EQUAL(s[0], v);
			if (!CHECK(s[0] == v && is_zero(s + 1, 31)))
				return;
		}
	for (size_t i = 0; i < 16; i++)
		f.v[i] = p[i] - (i == 0);
	fe_store(s, &f);                /* p - 1 stays */
	EQUAL(s[0], 0xec);
	EQUAL(s[31], 0x7f);
	for (int round = 0; round < 30; round++) {
		for (size_t i = 0; i < 16; i++)
			f.v[i] = rnd(65536);
		fe_invert(&g, &f);
		fe_mul(&r, &f, &g);
		fe_store(s, &r);
		CHECK(memcmp(s, one, 32) == 0);
		for (size_t i = 0; i < 16; i++)
			g.v[i] = -(int64_t)rnd(65536);
		fe_add(&r, &f, &g, -1);         /* f - g + g = f */
		fe_add(&r, &r, &g, 1);
		fe_store(s, &r);
		fe_store(one, &f);
		CHECK(memcmp(s, one, 32) == 0);
		memset(one, 0, 32);
		one[0] = 1;
	}
}

/* ====================================================================
 * 9. TLS and HTTP: one origin, one connection, every wait bounded
 * ==================================================================== */

static struct cfg http_cfg = { .vaults = "One", .hosts = "", .no_proxy = "",
	.cert_file = "test/pki/ca.pem", .timeout_s = 30 };
static struct arena http_session;
static struct http *http;       /* much larger than a stack frame should be */

/* A client of the peer; the trust anchors are kept between tests. */
static void
http_start(void (*answer)(void))
{
	peer_start(answer);
	if (http == NULL) {
		http = calloc(1, sizeof *http);
		if (http == NULL || !mem_open(&http_session, 1 << 20))
			abort();
		http_init(http, &fake_os, &http_cfg, &http_session);
	}
	http_close(http);
	http->can_resume = false;
	(void)snprintf(http->host, sizeof http->host, "127.0.0.1");
	(void)snprintf(http->port, sizeof http->port, "%s", peer.port);
	http->call_deadline = fake_ms + 30000;
}

/* The answer that http_ask() gets. */
static struct {
	struct str text;
	enum peer_end then;
} scripted;

static void
peer_says_it(void)
{
	peer.in = scripted.text;
	peer.then = scripted.then;
}

static const struct http_request get_x = { .method = B("GET"),
	.path = B("/x?y=1"), .head = B("Host: h\r\n") };

/* Ask, and once again when it was only that the connection had ended. */
static bool
http_ask(struct http_answer *a, struct err *e)
{
	struct err first = { 0 };

	http->call_deadline = fake_ms + 30000;
	*a = (struct http_answer){ 0 };
	if (http_begin(http, &T, &get_x, &first) &&
	    http_finish(http, &T, a, &first))
		return true;
	if (http_is_idle_end(http, &first))
		return http_begin(http, &T, &get_x, e) &&
		    http_finish(http, &T, a, e);
	*e = first;
	return false;
}

/* Answers as they come over the wire, each cut into pieces of one byte, of
 * three, and whole. */
static void
test_http_answers(void)
{
	static const struct {
		struct str in;
		enum peer_end then;
		enum err_code code;
		int status;
		struct str body;
	} rows[] = {
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
		    PEER_STAYS, E_NONE, 200, B("hello") },
		{ B("HTTP/1.1 200 OK\r\ncontent-length:5\r\n\r\nhello"),
		    PEER_STAYS, E_NONE, 200, B("hello") },
		{ B("HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n"),
		    PEER_STAYS, E_NONE, 404, B("") },
		{ B("HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx"),
		    PEER_STAYS, E_NONE, 200, B("x") },
		{ B("HTTP/1.1 204 No Content\r\n\r\n"),
		    PEER_STAYS, E_NONE, 204, B("") },
		{ B("HTTP/1.1 204 No Content\r\nContent-Length: 3\r\n\r\n"),
		    PEER_STAYS, E_NONE, 204, B("") },
		{ B("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n"),
		    PEER_STAYS, E_NONE, 304, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
		    "Content-Length: 2\r\n\r\nhi"),
		    PEER_STAYS, E_NONE, 200, B("hi") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: \t 2 \t\r\n\r\nhi"),
		    PEER_STAYS, E_NONE, 200, B("hi") },
		{ B("HTTP/1.1 200 OK\r\nX:\r\nY: a:b\r\nContent-Length: 2"
		    "\r\n\r\nhi"), PEER_STAYS, E_NONE, 200, B("hi") },
		{ B("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n"
		    "Link: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
		    "\r\nhi"), PEER_STAYS, E_NONE, 200, B("hi") },
		{ B("HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\n"
		    "Content-Length: 2\r\n\r\nhi"),
		    PEER_STAYS, E_NONE, 200, B("hi") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n\0\xff\r\n"),
		    PEER_STAYS, E_NONE, 200, B("\0\xff\r\n") },
		/* chunks */
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5\r\nhello\r\n0\r\n\r\n"),
		    PEER_STAYS, E_NONE, 200, B("hello") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
		    "3\r\nhel\r\n002\r\nlo\r\n000\r\n\r\n"),
		    PEER_STAYS, E_NONE, 200, B("hello") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "A;name=value\r\n0123456789\r\n0;last\r\nTrailer: x\r\n"
		    "Content-Length: 7\r\n\r\n"),
		    PEER_STAYS, E_NONE, 200, B("0123456789") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "0\r\n\r\n"), PEER_STAYS, E_NONE, 200, B("") },
		/* until the end */
		{ B("HTTP/1.1 200 OK\r\n\r\nall of it"),
		    PEER_CLOSES, E_NONE, 200, B("all of it") },
		{ B("HTTP/1.0 200 OK\r\n\r\nold"),
		    PEER_CLOSES, E_NONE, 200, B("old") },
		{ B("HTTP/1.1 200 OK\r\nConnection: close\r\n"
		    "Content-Length: 2\r\n\r\nhi"),
		    PEER_CLOSES, E_NONE, 200, B("hi") },
		{ B("HTTP/1.1 200 OK\r\n\r\n"), PEER_CLOSES, E_NONE, 200,
		    B("") },
		/* cuts */
		{ B("HTTP/1.1 200 OK\r\n\r\nall of"),
		    PEER_BREAKS, E_NET, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"),
		    PEER_BREAKS, E_NET, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"),
		    PEER_CLOSES, E_NET, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5\r\nhello\r\n"), PEER_CLOSES, E_NET, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5\r\nhello\r\n0\r\n"), PEER_CLOSES, E_NET, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Le"),
		    PEER_CLOSES, E_NET, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell"),
		    PEER_STAYS, E_TIMEOUT, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Len"),
		    PEER_STAYS, E_TIMEOUT, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\n\r\nopen end"),
		    PEER_STAYS, E_TIMEOUT, 0, B("") },
		/* what no answer looks like */
		{ B("hello\r\n\r\n"), PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("\r\n\r\n"), PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/2 200 OK\r\n\r\n"), PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\nContent-Length: 0\n\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 0\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nA: b\x01\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\n: x\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nA: b\r\n Content-Length: 0\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nA: b\r\n\tfolded\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 101 Switching Protocols\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		/* two readings of one answer */
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
		    "Content-Length: 6\r\n\r\nhello!"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 0x5\r\n\r\nhello"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\n"
		    "Content-Length: 99999999999999999999\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n"
		    "\r\n0\r\n\r\n"), PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n"
		    "\r\nx"), PEER_CLOSES, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n\r\n"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
		    "Content-Length: 2\r\n\r\nhi"),
		    PEER_STAYS, E_ANSWER, 0, B("") },
		/* bad chunks */
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "4\r\nhello\r\n0\r\n\r\n"), PEER_STAYS, E_ANSWER, 0,
		    B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "x\r\nhello\r\n0\r\n\r\n"), PEER_STAYS, E_ANSWER, 0,
		    B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "-5\r\nhello\r\n0\r\n\r\n"), PEER_STAYS, E_ANSWER, 0,
		    B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "0x5\r\nhello\r\n0\r\n\r\n"), PEER_STAYS, E_ANSWER, 0,
		    B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "\r\nhello\r\n0\r\n\r\n"), PEER_STAYS, E_ANSWER, 0,
		    B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "123456789\r\nhello\r\n0\r\n\r\n"), PEER_STAYS, E_ANSWER,
		    0, B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "5\nhello\n0\n\n"), PEER_STAYS, E_ANSWER, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "ffffffff\r\nhello\r\n0\r\n\r\n"), PEER_STAYS, E_LARGE,
		    0, B("") },
		{ B("HTTP/1.1 200 OK\r\nContent-Length: 67108865\r\n\r\nx"),
		    PEER_STAYS, E_LARGE, 0, B("") },
		{ B("HTTP/1.1 200 OK\r\n"
		    "Content-Length: 9999999999999999999\r\n\r\nx"),
		    PEER_STAYS, E_LARGE, 0, B("") },
	};
	static const size_t steps[] = { 1, 3, 1 << 20 };

	for (size_t i = 0; i < LEN(rows); i++)
		for (size_t s = 0; s < LEN(steps); s++) {
			size_t mark = T.used;
			struct http_answer a;
			struct err e = { 0 };
			bool ok;

			http_start(peer_says_it);
			peer.step = steps[s];
			scripted.text = rows[i].in;
			scripted.then = rows[i].then;
			run.row = (const char *)rows[i].in.p;
			ok = http_ask(&a, &e);
			EQUAL(ok, rows[i].code == E_NONE);
			FAILED(e, rows[i].code);
			if (ok && rows[i].code == E_NONE) {
				EQUAL(a.status, rows[i].status);
				SAME(a.body, rows[i].body);
				EQUAL(peer.in.n, 0);
			}
			/* one row was read on a connection of its own */
			if (!ok)
				EQUAL(http->fd, -1);
			mem_reset(&T, mark);
		}
}

static void
test_http_request(void)
{
	struct http_request post = { .method = S("POST"), .path = S("/p"),
		.head = S("Host: a\r\nContent-Length: 5\r\n"),
		.body = S("hello") };
	struct http_answer a;
	struct err e = { 0 };

	http_start(peer_says_it);
	scripted.text = S("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
	scripted.then = PEER_STAYS;
	peer.step = 2;
	CHECK(http_begin(http, &T, &post, &e));
	SAME(out_str(&peer.out), S("POST /p HTTP/1.1\r\nHost: a\r\n"
	    "Content-Length: 5\r\n\r\nhello"));
	CHECK(http_finish(http, &T, &a, &e));
	EQUAL(peer.connects, 1);
	EQUAL(http->requests >= 1, true);
	CHECK(http_ask(&a, &e));                /* on the same connection */
	SAME(out_str(&peer.out), S("GET /x?y=1 HTTP/1.1\r\nHost: h\r\n\r\n"));
	EQUAL(peer.connects, 1);
	FAILED(e, E_NONE);
}

/* A head that fills the buffer, and one that is too long for it. */
static void
test_http_head_size(void)
{
	static const char end[] = "\r\nContent-Length: 1\r\n\r\n1";

	for (int over = 0; over < 2; over++) {
		size_t n = HTTP_HEAD_MAX + 1 + (size_t)over;
		u8 *p = mem_alloc(&T, n);
		struct http_answer a;
		struct err e = { 0 };

		memset(p, 'x', n);
		memcpy(p, "HTTP/1.1 200 OK\r\nX: ", 20);
		memcpy(p + n - sizeof end + 1, end, sizeof end - 1);
		http_start(peer_says_it);
		scripted.text = (struct str){ p, n };
		scripted.then = PEER_STAYS;
		EQUAL(http_ask(&a, &e), over == 0);
		FAILED(e, over == 0 ? E_NONE : E_ANSWER);
	}
}

/* Many chunks, of which the lines between are not kept. */
static void
test_http_chunks_long(void)
{
	struct http_answer a;
	struct err e = { 0 };
	struct out o;

	out_open(&o, &T);
	out_put(&o, S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
	for (int i = 0; i < 20000; i++)
		out_put(&o, S("1;x=0123456789012345678901234567890\r\na\r\n"));
	out_put(&o, S("0\r\n\r\n"));
	http_start(peer_says_it);
	scripted.text = out_close(&o, &T);
	scripted.then = PEER_STAYS;
	peer.step = 1000;
	CHECK(http_ask(&a, &e));
	EQUAL(a.body.n, 20000);
	CHECK(a.body.p[0] == 'a' && a.body.p[19999] == 'a');
}

/* The body is bounded however it comes, also in pieces that fit. */
static void
test_http_body_max(void)
{
	static const char *const heads[] = {
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	};
	size_t n = HTTP_BODY_MAX + 100;
	u8 *p;

	p = mem_alloc(&T, n + 200);
	for (size_t i = 0; i < LEN(heads); i++) {
		size_t mark = T.used, at = strlen(heads[i]);
		struct http_answer a;
		struct err e = { 0 };

		memcpy(p, heads[i], at);
		if (i == 1) {
			memcpy(p + at, "4000000\r\n", 9);
			at += 9 + 0x4000000;
			memcpy(p + at, "\r\n1\r\n", 5);
			at += 5;
		}
		http_start(peer_says_it);
		scripted.text = (struct str){ p, i == 0 ? n : at + 50 };
		scripted.then = PEER_CLOSES;
		CHECK(!http_ask(&a, &e));
		FAILED(e, E_LARGE);
		mem_reset(&T, mark);
	}
}

/* The arena ends before the body does. */
static void
test_http_body_arena(void)
{
	struct arena small;
	struct http_answer a;
	struct err e = { 0 };

	if (!CHECK(mem_open(&small, 8192)))
		return;
	http_start(peer_says_it);
	scripted.text = S("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	scripted.then = PEER_STAYS;
	CHECK(http_begin(http, &T, &get_x, &e));
	(void)!mem_alloc(&small, 8190);
	CHECK(!http_finish(http, &small, &a, &e));
	FAILED(e, E_LARGE);
	(void)munmap(small.base, small.cap);
}

/* A kept connection that has ended can be told from every other failure. */
static unsigned answers_left;

static void
peer_dies(void)
{
	peer.in = NOTHING;
	peer.then = PEER_CLOSES;
}

static void
peer_dies_once(void)
{
	if (answers_left-- == 1)
		peer.then = PEER_BREAKS;
	else {
		peer.in = S("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
		peer.then = PEER_STAYS;
	}
}

static void
test_http_reconnect(void)
{
	struct http_answer a;
	struct err e = { 0 };

	http_start(peer_dies_once);
	answers_left = 2;               /* an answer, none, an answer */
	CHECK(http_ask(&a, &e));
	EQUAL(peer.connects, 1);
	CHECK(http_ask(&a, &e));
	EQUAL(peer.connects, 2);
	EQUAL(peer.resumed, 1);
	SAME(a.body, S("ok"));
	/* closed while idle: seen before anything is sent */
	(void)close(peer.fd);
	peer.fd = -1;
	CHECK(http_ask(&a, &e));
	EQUAL(peer.connects, 3);
	FAILED(e, E_NONE);
	/* dies again and again: only one more attempt */
	peer.answer = peer_dies;
	answers_left = 0;
	CHECK(!http_ask(&a, &e));
	FAILED(e, E_NET);
	EQUAL(peer.connects, 4);
	EQUAL(http->fd, -1);
}

/* "Connection: close", HTTP/1.0 and every failure end the connection. */
static void
test_http_close(void)
{
	static const struct {
		const char *in;
		bool kept;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", true },
		{ "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", true },
		{ "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n"
		    "Content-Length: 0\r\n\r\n", true },
		{ "HTTP/1.1 200 OK\r\nConnection: close\r\n"
		    "Content-Length: 0\r\n\r\n", false },
		{ "HTTP/1.1 200 OK\r\nConnection: a, Close ,b\r\n"
		    "Content-Length: 0\r\n\r\n", false },
		{ "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", false },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct http_answer a;
		struct err e = { 0 };

		run.row = rows[i].in;
		http_start(peer_says_it);
		scripted.text = str_c(rows[i].in);
		scripted.then = PEER_STAYS;
		CHECK(http_ask(&a, &e));
		EQUAL(http->fd >= 0, rows[i].kept);
		CHECK(http_ask(&a, &e));
		EQUAL(peer.connects, rows[i].kept ? 1 : 2);
	}
}

/* What follows an answer unasked: the next request goes elsewhere, and the
 * extra bytes are never taken for its answer. */
static void
test_http_extra_bytes(void)
{
	struct http_answer a;
	struct err e = { 0 };

	http_start(peer_says_it);
	scripted.text = S("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
	    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	scripted.then = PEER_STAYS;
	CHECK(http_ask(&a, &e));
	SAME(a.body, S("ok"));
	CHECK(http_ask(&a, &e));
	SAME(a.body, S("ok"));
	EQUAL(peer.connects, 2);
}

/* Interim answers are skipped, but not for ever. */
static void
test_http_interim(void)
{
	struct http_answer a;
	struct err e = { 0 };
	struct out o;

	for (int n = 7; n < 9; n++) {
		out_open(&o, &T);
		for (int i = 0; i < n; i++)
			out_put(&o, S("HTTP/1.1 100 Continue\r\n\r\n"));
		out_put(&o, S("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
		http_start(peer_says_it);
		scripted.text = out_close(&o, &T);
		scripted.then = PEER_STAYS;
		EQUAL(http_ask(&a, &e), n == 7);
	}
	FAILED(e, E_ANSWER);
}

static void
test_http_deadlines(void)
{
	struct http_answer a;
	struct err e = { 0 };
	uint64_t start;

	http_start(peer_says_it);
	scripted.text = NOTHING;
	scripted.then = PEER_STAYS;
	start = fake_ms;
	CHECK(!http_ask(&a, &e));
	FAILED(e, E_TIMEOUT);
	EQUAL(fake_ms - start, FIRST_BYTE_MS);
	SAME(str_c(e.what), S("waiting for the answer"));
	e = (struct err){ 0 };
	scripted.text = S("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx");
	start = fake_ms;
	CHECK(!http_ask(&a, &e));
	FAILED(e, E_TIMEOUT);
	EQUAL(fake_ms - start, EXCHANGE_MS);
	e = (struct err){ 0 };
	start = fake_ms;
	http_start(peer_says_it);
	http->call_deadline = fake_ms + 1234;
	CHECK(http_begin(http, &T, &get_x, &e));
	CHECK(!http_finish(http, &T, &a, &e));
	FAILED(e, E_TIMEOUT);
	EQUAL(fake_ms - start, 1234);
}

static void
test_http_status(void)
{
	static const struct {
		const char *line;
		bool ok;
		int status;
		bool close;
	} rows[] = {
		{ "HTTP/1.1 200 OK", true, 200, false },
		{ "HTTP/1.1 200 ", true, 200, false },
		{ "HTTP/1.1 200", true, 200, false },
		{ "HTTP/1.0 404 Not Found", true, 404, true },
		{ "HTTP/1.1 100 Continue", true, 100, false },
		{ "HTTP/1.1 599 x", true, 599, false },
		{ "HTTP/1.1 099 x", false, 0, false },
		{ "HTTP/1.1 600 x", false, 0, false },
		{ "HTTP/1.1 000", false, 0, false },
		{ "HTTP/1.1 2000 OK", false, 0, false },
		{ "HTTP/1.1 20 OK", false, 0, false },
		{ "HTTP/1.1 -20 OK", false, 0, false },
		{ "HTTP/1.1 2xx OK", false, 0, false },
		{ "HTTP/1.1  200 OK", false, 0, false },
		{ "HTTP/1.1\t200 OK", false, 0, false },
		{ "HTTP/1.1 200OK", false, 0, false },
		{ "HTTP/1.2 200 OK", false, 0, false },
		{ "HTTP/2.0 200 OK", false, 0, false },
		{ "HTTP/1.10 200 OK", false, 0, false },
		{ "http/1.1 200 OK", false, 0, false },
		{ "ICY 200 OK", false, 0, false },
		{ "", false, 0, false },
		{ "HTTP/1.1", false, 0, false },
		{ "HTTP/1.1 20", false, 0, false },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct http_head head = { 0 };
		struct err e = { 0 };

		run.row = rows[i].line;
		EQUAL(http_status(&head, str_c(rows[i].line), &e), rows[i].ok);
		if (rows[i].ok) {
			EQUAL(head.status, rows[i].status);
			EQUAL(head.close, rows[i].close);
		} else {
			FAILED(e, E_ANSWER);
		}
	}
}

static void
test_http_field(void)
{
	static const struct {
		const char *name, *value;
		bool ok;
		struct http_head want;
	} rows[] = {
		{ "Content-Length", "0", true, { .has_length = true } },
		{ "CONTENT-LENGTH", "17", true, { .has_length = true,
		    .length = 17 } },
		{ "Content-Length", "", false, { 0 } },
		{ "Content-Length", "1 2", false, { 0 } },
		{ "Content-Length", "1,1", false, { 0 } },
		{ "Content-Length", "1.0", false, { 0 } },
		{ "Transfer-Encoding", "chunked", true, { .chunked = true } },
		{ "transfer-encoding", "CHUNKED", true, { .chunked = true } },
		{ "Transfer-Encoding", "chunked, chunked", false, { 0 } },
		{ "Transfer-Encoding", "chunked;q=1", false, { 0 } },
		{ "Transfer-Encoding", "xchunked", false, { 0 } },
		{ "Transfer-Encoding", "deflate", false, { 0 } },
		{ "Transfer-Encoding", "", false, { 0 } },
		{ "Content-Encoding", "identity", true, { 0 } },
		{ "Content-Encoding", "br", false, { 0 } },
		{ "Content-Encoding", "", false, { 0 } },
		{ "Connection", "close", true, { .close = true } },
		{ "Connection", "Keep-Alive, CLOSE", true, { .close = true } },
		{ "Connection", "closed", true, { 0 } },
		{ "Connection", "", true, { 0 } },
		{ "Retry-After", "60", true, { .retry_at = 60 } },
		{ "Retry-After", "soon", true, { 0 } },
		{ "X-Content-Length", "x", true, { 0 } },
		{ "Content-Lengthx", "x", true, { 0 } },
		{ "Set-Cookie", "a=b", true, { 0 } },
	};

	http_start(NULL);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct http_head head = { 0 };
		struct err e = { 0 };

		run.row = rows[i].value;
		EQUAL(http_field(http, &head, str_c(rows[i].name),
		    str_c(rows[i].value), &e), rows[i].ok);
		if (!rows[i].ok) {
			FAILED(e, E_ANSWER);
			continue;
		}
		EQUAL(head.close, rows[i].want.close);
		EQUAL(head.chunked, rows[i].want.chunked);
		EQUAL(head.has_length, rows[i].want.has_length);
		EQUAL(head.length, rows[i].want.length);
		EQUAL(head.retry_at, rows[i].want.retry_at == 0 ? 0 :
		    fake_unix + rows[i].want.retry_at);
	}
}

static void
test_http_chunk_size(void)
{
	static const struct {
		const char *line;
		bool ok;
		uint64_t want;
	} rows[] = {
		{ "0", true, 0 }, { "a", true, 10 }, { "A", true, 10 },
		{ "1f", true, 31 }, { "00000010", true, 16 },
		{ "ffffffff", true, 0xffffffff }, { "5;a=b", true, 5 },
		{ "5 ;a", true, 5 }, { "5;", true, 5 }, { "5 ", true, 5 },
		{ "5\t", true, 5 },
		{ "", false, 0 }, { ";a", false, 0 }, { " ", false, 0 },
		{ "g", false, 0 }, { "0x5", false, 0 }, { "+5", false, 0 },
		{ "-5", false, 0 }, { "5 5", false, 0 }, { "5,", false, 0 },
		{ "100000000", false, 0 }, { "5\r", false, 0 },
		{ "5.0", false, 0 },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		uint64_t size = 0;

		run.row = rows[i].line;
		if (EQUAL(http_chunk_size(str_c(rows[i].line), &size),
		    rows[i].ok) && rows[i].ok)
			EQUAL(size, rows[i].want);
	}
}

static void
test_http_retry_at(void)
{
	static const struct {
		const char *value;
		int64_t from_now;       /* 0: not sent */
	} rows[] = {
		{ "1", 1 }, { "60", 60 }, { "3600", 3600 }, { "3601", 3600 },
		{ "4294967295", 3600 }, { "9999999999999999999", 3600 },
		{ "0", 0 }, { "", 0 }, { "-1", 0 }, { "soon", 0 },
		{ "1.5", 0 }, { "1 s", 0 },
		{ "Fri, 02 Jan 2026 03:05:05 GMT", 60 },
		{ "Fri, 02 Jan 2026 23:05:05 GMT", 3600 },
		{ "Fri, 31 Dec 9999 23:59:59 GMT", 3600 },
		{ "Fri, 02 Jan 2026 03:04:05 GMT", 0 },
		{ "Fri, 02 Jan 2026 03:04:04 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 0 },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		int64_t got = http_retry_at(&fake_os, str_c(rows[i].value));

		run.row = rows[i].value;
		EQUAL(got, rows[i].from_now == 0 ? 0 :
		    fake_unix + rows[i].from_now);
	}
}

static void
test_http_put_origin(void)
{
	static const struct {
		const char *host, *port, *all, *header;
		bool plain;
	} rows[] = {
		{ "h", "443", "h:443", "h", false },
		{ "h", "443", "h:443", "h:443", true },
		{ "h", "80", "h:80", "h", true },
		{ "h", "80", "h:80", "h:80", false },
		{ "10.0.0.1", "8080", "10.0.0.1:8080", "10.0.0.1:8080", true },
		{ "::1", "443", "[::1]:443", "[::1]", false },
		{ "fe80::1", "8443", "[fe80::1]:8443", "[fe80::1]:8443",
		    false },
	};
	u8 room[80];
	struct out o;

	for (size_t i = 0; i < LEN(rows); i++) {
		struct http h = { .plain = rows[i].plain };

		run.row = rows[i].all;
		(void)snprintf(h.host, sizeof h.host, "%s", rows[i].host);
		(void)snprintf(h.port, sizeof h.port, "%s", rows[i].port);
		out_init(&o, room, sizeof room);
		http_put_origin(&o, &h, false);
		SAME(out_str(&o), str_c(rows[i].all));
		out_init(&o, room, sizeof room);
		http_put_origin(&o, &h, true);
		SAME(out_str(&o), str_c(rows[i].header));
	}
	run.row = NULL;
}

/* Nothing that a title holds ends the query, the path or the request line. */
static void
test_http_put_escaped(void)
{
	static const struct {
		struct str in, out;
	} rows[] = {
		{ B(""), B("") },
		{ B("azAZ09-._~"), B("azAZ09-._~") },
		{ B("a b"), B("a%20b") },
		{ B("%41"), B("%2541") },
		{ B("&#?/+=\"\\"), B("%26%23%3f%2f%2b%3d%22%5c") },
		{ B("\r\n\0\x7f"), B("%0d%0a%00%7f") },
		{ B("\xc3\xa4"), B("%c3%a4") },
	};
	u8 room[80];
	struct out o;

	for (size_t i = 0; i < LEN(rows); i++) {
		out_init(&o, room, sizeof room);
		http_put_escaped(&o, rows[i].in);
		SAME(out_str(&o), rows[i].out);
	}
}

static void
test_http_proxy_parse(void)
{
	static const struct {
		const char *url;
		bool ok;
		const char *host, *port, *user;
	} rows[] = {
		{ "http://proxy:3128", true, "proxy", "3128", "" },
		{ "http://proxy:3128/", true, "proxy", "3128", "" },
		{ "proxy:3128", true, "proxy", "3128", "" },
		{ "proxy", true, "proxy", "80", "" },
		{ "http://proxy.example/x/y", true, "proxy.example", "80",
		    "" },
		{ "http://u:p@proxy:1", true, "proxy", "1", "u:p" },
		{ "http://u@proxy", true, "proxy", "80", "u" },
		{ "http://u:p@x@proxy:1", true, "proxy", "1", "u:p@x" },
		{ "http://u:a%40b@proxy:1", true, "proxy", "1", "u:a%40b" },
		{ "http://@proxy:1", true, "proxy", "1", "" },
		{ "http://[::1]:3128", true, "::1", "3128", "" },
		{ "http://[::1]", true, "::1", "80", "" },
		{ "http://u:p@[fe80::1]:8/", true, "fe80::1", "8", "u:p" },
		{ "http://10.0.0.1:65535", true, "10.0.0.1", "65535", "" },
		{ "", false, "", "", "" },
		{ "http://", false, "", "", "" },
		{ "http:///", false, "", "", "" },
		{ "http://:3128", false, "", "", "" },
		{ "http://proxy:", false, "", "", "" },
		{ "http://proxy:123456", false, "", "", "" },
		{ "http://pro xy:1", false, "", "", "" },
		{ "http://pro\nxy:1", false, "", "", "" },
		{ "http://pr\xc3\xb6xy:1", false, "", "", "" },
		{ "https://proxy:443", false, "", "", "" },
		{ "socks5://proxy:1", false, "", "", "" },
		{ "http://[]:1", false, "", "", "" },
		{ "http://u:p@", false, "", "", "" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct proxy p = { .host = "" };
		struct err e = { 0 };

		run.row = rows[i].url;
		if (!EQUAL(proxy_parse(&p, str_c(rows[i].url), &e),
		    rows[i].ok))
			continue;
		if (!rows[i].ok) {
			FAILED(e, E_CONFIG);
			continue;
		}
		SAME(str_c(p.host), str_c(rows[i].host));
		SAME(str_c(p.port), str_c(rows[i].port));
		SAME(p.user, str_c(rows[i].user));
	}
	run.row = "long";
	for (size_t n = 255; n < 257; n++) {
		u8 *host = mem_alloc(&T, n);
		struct proxy p;
		struct err e = { 0 };

		memset(host, 'h', n);
		EQUAL(proxy_parse(&p, (struct str){ host, n }, &e), n == 255);
	}
}

static void
test_http_proxy_bypass(void)
{
	static const struct {
		const char *list, *host, *port;
		bool want;
	} rows[] = {
		{ "", "my.1password.com", "443", false },
		{ "*", "my.1password.com", "443", true },
		{ " * ", "my.1password.com", "443", true },
		{ "my.1password.com", "my.1password.com", "443", true },
		{ "MY.1Password.com", "my.1password.com", "443", true },
		{ "1password.com", "my.1password.com", "443", true },
		{ ".1password.com", "my.1password.com", "443", true },
		{ ".1password.com", "1password.com", "443", true },
		{ "a,b, .com ,c", "my.1password.com", "443", true },
		{ "password.com", "my.1password.com", "443", false },
		{ ".password.com", "my.1password.com", "443", false },
		{ "x.my.1password.com", "my.1password.com", "443", false },
		{ "my.1password.com.", "my.1password.com", "443", false },
		{ "1password", "my.1password.com", "443", false },
		{ "my.1password.com:443", "my.1password.com", "443", true },
		{ "my.1password.com:8443", "my.1password.com", "443", false },
		{ "my.1password.com:8443", "my.1password.com", "8443", true },
		{ "*:443", "my.1password.com", "443", true },
		{ "*:80", "my.1password.com", "443", false },
		{ ",", "my.1password.com", "443", false },
		{ ".", "my.1password.com", "443", false },
		{ ":443", "my.1password.com", "443", false },
		{ "*.1password.com", "my.1password.com", "443", false },
		{ "127.0.0.1", "127.0.0.1", "1", true },
		{ "0.0.1", "127.0.0.1", "1", true },
	};

	http_start(NULL);
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].list;
		http_cfg.no_proxy = rows[i].list;
		(void)snprintf(http->host, sizeof http->host, "%s",
		    rows[i].host);
		(void)snprintf(http->port, sizeof http->port, "%s",
		    rows[i].port);
		EQUAL(proxy_is_bypassed(http), rows[i].want);
	}
	http_cfg.no_proxy = "";
}

static void
test_http_proxy_user(void)
{
	static const struct {
		const char *user, *want;
	} rows[] = {
		{ "Aladdin:open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },
		{ "u:p", "dTpw" }, { "u:a%40b", "dTphQGI=" },
		{ "%75:p", "dTpw" }, { "u%3Ap", "dTpw" },
		{ "%", "JQ==" }, { "%4", "JTQ=" }, { "%zz", "JXp6" },
		{ "%00", "AA==" }, { "%C3%a9", "w6k=" }, { "", "" },
		{ "\xfb\xff\xbf", "+/+/" },
	};
	u8 room[1024], user[600];
	struct out o;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].user;
		out_init(&o, room, sizeof room);
		proxy_put_user(&o, str_c(rows[i].user));
		SAME(out_str(&o), str_c(rows[i].want));
	}
	memset(user, 'u', sizeof user);
	out_init(&o, room, sizeof room);
	proxy_put_user(&o, (struct str){ user, 512 });
	CHECK(!o.over);
	out_init(&o, room, sizeof room);
	proxy_put_user(&o, (struct str){ user, 513 });
	CHECK(o.over);
}

/* Talk to a proxy over a socket pair: what it is sent, what it may say. */
static void
test_http_proxy_connect(void)
{
	static const struct {
		const char *answer;
		enum err_code code;
		int status;
	} rows[] = {
		{ "HTTP/1.1 200 OK\r\n\r\n", E_NONE, 0 },
		{ "HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n",
		    E_NONE, 0 },
		{ "HTTP/1.1 204 x\r\n\r\n", E_NONE, 0 },
		{ "HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic\r\n\r\n",
		    E_NET, 407 },
		{ "HTTP/1.1 302 Found\r\n\r\n", E_NET, 302 },
		{ "HTTP/1.1 100 Continue\r\n\r\n", E_NET, 100 },
		{ "SSH-2.0-x\r\n\r\n", E_NET, 0 },
		{ "\r\n\r\n", E_NET, 0 },
		{ "HTTP/1.1 2xx\r\n\r\n", E_NET, 0 },
		{ "HTTP/1.1 200 OK\r\n", E_NET, 0 },    /* and ends */
		{ "", E_NET, 0 },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct proxy p = { .host = "p", .user = S("u:p") };
		struct err e = { 0 };
		char got[512];
		int fd[2];
		ssize_t n;

		run.row = rows[i].answer;
		http_start(NULL);
		(void)snprintf(http->host, sizeof http->host, "h.example");
		(void)snprintf(http->port, sizeof http->port, "443");
		if (!CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0))
			return;
		CHECK(fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0);
		http->fd = fd[0];
		CHECK(write(fd[1], rows[i].answer, strlen(rows[i].answer)) >=
		    0);
		CHECK(shutdown(fd[1], SHUT_WR) == 0);
		EQUAL(proxy_connect(http, &p, fake_ms + 100, &e),
		    rows[i].code == E_NONE);
		FAILED(e, rows[i].code);
		EQUAL(e.http, rows[i].status);
		n = read(fd[1], got, sizeof got);
		SAME(((struct str){ (u8 *)got, (size_t)n }),
		    S("CONNECT h.example:443 HTTP/1.1\r\n"
		    "Host: h.example:443\r\n"
		    "Proxy-Authorization: Basic dTpw\r\n\r\n"));
		http_close(http);
		(void)close(fd[1]);
	}
}

/* A proxy that says nothing, and one that never ends its header. */
static void
test_http_proxy_slow(void)
{
	static u8 much[HTTP_HEAD_MAX + 100];
	struct proxy p = { .host = "p" };
	struct err e = { 0 };
	int fd[2], size = 1 << 20;

	http_start(NULL);
	if (!CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0))
		return;
	CHECK(fcntl(fd[0], F_SETFL, O_NONBLOCK) == 0);
	(void)setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	http->fd = fd[0];
	CHECK(!proxy_connect(http, &p, fake_ms + 100, &e));
	FAILED(e, E_TIMEOUT);
	SAME(str_c(e.what), S("asking the proxy"));
	e = (struct err){ 0 };
	memset(much, 'x', sizeof much);
	CHECK(write(fd[1], much, sizeof much) == (ssize_t)sizeof much);
	CHECK(!proxy_connect(http, &p, fake_ms + 100, &e));
	FAILED(e, E_NET);
	http_close(http);
	(void)close(fd[1]);
}

static void
test_tls_bundle(void)
{
	struct str pem = slurp("test/pki/ca.pem");
	struct http *h = calloc(1, sizeof *h);
	struct out o;

	if (h == NULL)
		abort();
	h->session = &T;
	out_open(&o, &T);
	OUT(&o, S("# a comment\n"), pem, S("\n-----BEGIN CERTIFICATE-----\n"
	    "bm90IGEgY2VydGlmaWNhdGU=\n-----END CERTIFICATE-----\n"
	    "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"),
	    pem);
	pem = out_close(&o, &T);
	for (int i = 0; i < 4; i++) {
		struct err e = { 0 };
		struct str in = i == 0 ? pem : i == 1 ? NOTHING :
		    i == 2 ? S("-----BEGIN CERTIFICATE-----\nAAAA\n"
		    "-----END CERTIFICATE-----\n") : S("garbage\n");

		EQUAL(tls_load_pem(h, in, &e), i == 0);
		EQUAL(h->anchors, i == 0 ? 2 : 0);
		FAILED(e, i == 0 ? E_NONE : E_TLS);
		if (i == 0) {
			CHECK(h->anchor[0].dn.len > 0);
			EQUAL(h->anchor[0].flags, BR_X509_TA_CA);
			EQUAL(h->anchor[0].pkey.key_type,
			    h->anchor[1].pkey.key_type);
		}
	}
	free(h);
}

/* SSL_CERT_FILE is taken alone: what is wrong with it is an error. */
static void
test_tls_load(void)
{
	struct cfg cfg = { .cert_file = path_of("no-bundle") };
	struct http *h = calloc(1, sizeof *h);
	struct err e = { 0 };

	if (h == NULL)
		abort();
	http_init(h, &fake_os, &cfg, &T);
	EQUAL(h->fd, -1);
	CHECK(!tls_load(h, &T, &e));
	FAILED(e, E_CONFIG);
	SAME(str_c(e.where), S("SSL_CERT_FILE"));
	e = (struct err){ 0 };
	cfg.cert_file = file_with("bundle", S("nothing in it\n"), 0644);
	CHECK(!tls_load(h, &T, &e));
	FAILED(e, E_TLS);
	e = (struct err){ 0 };
	cfg.cert_file = "test/pki/ca.pem";
	CHECK(tls_load(h, &T, &e));
	EQUAL(h->anchors, 1);
	cfg.cert_file = path_of("no-bundle");
	CHECK(tls_load(h, &T, &e));             /* done once */
	free(h);
}

/* BearSSL's reasons as ours; none of them is taken for success. */
static void
test_tls_errors(void)
{
	static const struct {
		int code;
		enum err_code want;
		const char *what;
	} rows[] = {
		{ BR_ERR_OK, E_NET, "the server closed the connection" },
		{ BR_ERR_X509_EXPIRED, E_TLS,
		    "the certificate is not valid at this time" },
		{ BR_ERR_X509_BAD_SERVER_NAME, E_TLS,
		    "the certificate is for another host" },
		{ BR_ERR_X509_NOT_TRUSTED, E_TLS,
		    "the certificate is not from a trusted CA" },
		{ BR_ERR_X509_WEAK_PUBLIC_KEY, E_TLS,
		    "the certificate is not acceptable" },
		{ BR_ERR_X509_BAD_SIGNATURE, E_TLS,
		    "the certificate is not acceptable" },
		{ BR_ERR_RECV_FATAL_ALERT + 40, E_TLS,
		    "the server ended the handshake; it must offer TLS 1.2" },
		{ BR_ERR_RECV_FATAL_ALERT + 70, E_TLS,
		    "the server ended the handshake; it must offer TLS 1.2" },
		{ BR_ERR_UNSUPPORTED_VERSION, E_TLS,
		    "the server does not speak TLS 1.2" },
		{ BR_ERR_BAD_MAC, E_TLS, "broken TLS records" },
		{ BR_ERR_TOO_LARGE, E_TLS, "broken TLS records" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct err e = { 0 };

		http_start(NULL);
		(void)snprintf(http->host, sizeof http->host, "1.host1");
		http->end = END_OPEN;
		peer.error = rows[i].code;
		CHECK(!tls_fail(http, &e));
		FAILED(e, rows[i].want);
		SAME(str_c(e.what), str_c(rows[i].what));
		EQUAL(http->end, rows[i].code == 0 ? END_CLEAN : END_OPEN);
	}
	for (int i = 0; i < 2; i++) {
		struct err e = { 0 };

		http_start(NULL);
		peer.error = BR_ERR_X509_BAD_SERVER_NAME;
		(void)snprintf(http->host, sizeof http->host, i ? "::1" :
		    "10.0.0.1");
		CHECK(!tls_fail(http, &e));
		FAILED(e, E_TLS);
		CHECK(str_search(str_c(e.what), S("host name")) <
		    strlen(e.what));
	}
	peer.error = 0;
}

/* A broken record in the middle of a body is no end of it. */
static void
peer_corrupts(void)
{
	if (answers_left-- == 1) {
		peer.in = S("HTTP/1.1 200 OK\r\n\r\nhalf");
		peer.then = PEER_STAYS;
	}
}

static int
corrupt_poll(struct pollfd *pfd, nfds_t n, int ms)
{
	if (peer_is_at_end()) {
		peer.error = BR_ERR_BAD_MAC;
		return 1;
	}
	return fake_poll(pfd, n, ms);
}

static void
test_tls_cut(void)
{
	struct os os = fake_os;
	struct http_answer a;
	struct err e = { 0 };

	http_start(peer_corrupts);
	answers_left = 1;
	os.poll = corrupt_poll;
	http->os = &os;
	CHECK(!http_ask(&a, &e));
	FAILED(e, E_TLS);
	http->os = &fake_os;
}

/* ====================================================================
 * 10. Values: references, one-time passwords, SSH keys, new passwords
 * ==================================================================== */

#define REF_PREFIX "reference does not begin with op://"
#define REF_FORMAT "reference does not have three or four parts and at most " \
	"one parameter"
#define REF_CHAR "reference has a character that is not permitted"
#define REF_KEY "reference has an unknown parameter"
#define REF_VALUE "reference has an unknown value"

/* What the official SDK says of 135 references: whatever it can parse we
 * can, and the rest has the same of five faults. */
static void
test_ref_vectors(void)
{
	static const struct {
		const char *theirs, *ours;
	} rows[] = {
		{ "secret reference is not prefixed", REF_PREFIX },
		{ "secret reference has invalid format", REF_FORMAT },
		{ "invalid character in secret reference", REF_CHAR },
		{ "secret reference has invalid query parameter key", REF_KEY },
		{ "secret reference has invalid query parameter value",
		    REF_VALUE },
	};
	struct str theirs = S("error resolving secret reference: the secret "
	    "reference could not be parsed: "), text;
	unsigned seen[LEN(rows)] = { 0 }, parsed = 0;

	load("test/data/resolve.json");
	EACH(c, at(ROOT, "cases")) {
		struct ref r = { .field = S("untouched") };
		struct err e = { 0 };
		bool ok;

		run.row = cstr(text_at(c, "ref"));
		ok = ref_parse(text_at(c, "ref"), true, &r, &e);
		text = text_at(c, "error");
		if (!str_is_start(text, theirs)) {
			CHECK(ok);
			parsed++;
			continue;
		}
		CHECK(!ok);
		FAILED(e, E_REF);
		SAME(r.field, S("untouched"));
		text = str_from(text, theirs.n);
		for (size_t i = 0; i < LEN(rows); i++)
			if (str_is_start(text, str_c(rows[i].theirs))) {
				SAME(str_c(e.what), str_c(rows[i].ours));
				seen[i]++;
			}
	}
	run.row = NULL;
	for (size_t i = 0; i < LEN(rows); i++)
		CHECK(seen[i] > 0);
	CHECK(parsed > 100);
}

/* Each accepted reference and its parts; each refused one and why. */
static void
test_ref_parse(void)
{
	static const struct {
		struct str text;
		const char *vault, *item, *section, *field;
		enum ref_query query;
	} good[] = {
		{ B("op://a/b/c"), "a", "b", NULL, "c", REF_PLAIN },
		{ B("op://a/b/c/d"), "a", "b", "c", "d", REF_PLAIN },
		{ B("op://a/b//d"), "a", "b", "", "d", REF_PLAIN },
		{ B("op:////"), "", "", NULL, "", REF_PLAIN },
		{ B("op://A z/0-9/_./ "), "A z", "0-9", "_.", " ", REF_PLAIN },
		{ B("op://a/b/c?attribute=otp"), "a", "b", NULL, "c", REF_OTP },
		{ B("op://a/b/c/?attribute=totp"), "a", "b", "c", "", REF_OTP },
		{ B("op://a/b/c?ssh-format=openssh"), "a", "b", NULL, "c",
		    REF_OPENSSH },
	};
	static const struct {
		struct str text;
		const char *what;
	} bad[] = {
		{ B(""), REF_PREFIX }, { B("op:/"), REF_PREFIX },
		{ B("op:/a/b/c"), REF_PREFIX }, { B("Op://a/b/c"), REF_PREFIX },
		{ B("\xef\xbb\xbfop://a/b/c"), REF_PREFIX },
		{ B("op://"), REF_FORMAT }, { B("op://a"), REF_FORMAT },
		{ B("op://a/b"), REF_FORMAT },
		{ B("op://a/b/c/d/e"), REF_FORMAT },
		{ B("op://a/b/c/d/"), REF_FORMAT },
		{ B("op:///////"), REF_FORMAT },
		{ B("op://a/b?attribute=otp"), REF_FORMAT },
		{ B("op://a/b?attribute=otp/c"), REF_FORMAT },
		{ B("op://?"), REF_FORMAT }, { B("op://a/b/c?"), REF_FORMAT },
		{ B("op://a/b/c?&"), REF_FORMAT },
		{ B("op://a/b/c?attribute=otp&"), REF_FORMAT },
		{ B("op://a/b/c?attribute=otp&attribute=otp"), REF_FORMAT },
		{ B("op://a/b/c\n"), REF_CHAR }, { B("op://a/b/\0"), REF_CHAR },
		{ B("op://a/b/c%20"), REF_CHAR }, { B("op://a/b+/c"), REF_CHAR },
		{ B("op://a/b/c#d"), REF_CHAR }, { B("op://a/b/c&d"), REF_CHAR },
		{ B("op://a:b/b/c"), REF_CHAR }, { B("op://a/b\\/c"), REF_CHAR },
		{ B("op://a/\x7f/c"), REF_CHAR }, { B("op://a/\t/c"), REF_CHAR },
		{ B("op://a/\xff/c"), REF_CHAR },       /* not UTF-8 */
		{ B("op://a/\xc3/c"), REF_CHAR },
		{ B("op://a/\xe2\x80\x8b/c"), REF_CHAR },       /* hidden */
		{ B("op://a/\xe2\x80\xae/c"), REF_CHAR },
		{ B("op://a/\xc2\xad/c"), REF_CHAR },
		{ B("op://a/%/c?x=y"), REF_CHAR },
		{ B("op://a/b/c?x"), REF_KEY }, { B("op://a/b/c?="), REF_KEY },
		{ B("op://a/b/c??attribute=otp"), REF_KEY },
		{ B("op://a/b/c?Attribute=otp"), REF_KEY },
		{ B("op://a/b/c?attribute =otp"), REF_KEY },
		{ B("op://a/b/c?attribute"), REF_VALUE },
		{ B("op://a/b/c?attribute="), REF_VALUE },
		{ B("op://a/b/c?attribute=otp="), REF_VALUE },
		{ B("op://a/b/c?attribute=OTP"), REF_VALUE },
		{ B("op://a/b/c?attribute=openssh"), REF_VALUE },
		{ B("op://a/b/c?ssh-format=otp"), REF_VALUE },
	};
	struct err e = { 0 };
	struct ref r;

	for (size_t i = 0; i < LEN(good); i++) {
		run.row = cstr(good[i].text);
		e = (struct err){ 0 };
		if (!CHECK(ref_parse(good[i].text, true, &r, &e)))
			continue;
		SAME(r.vault, str_c(good[i].vault));
		SAME(r.item, str_c(good[i].item));
		EQUAL(r.section.p != NULL, good[i].section != NULL);
		SAME(r.section, str_c(good[i].section));
		SAME(r.field, str_c(good[i].field));
		EQUAL(r.query, good[i].query);
	}
	for (size_t i = 0; i < LEN(bad); i++)
		for (int strict = 0; strict < 2; strict++) {
			run.row = cstr(bad[i].text);
			e = (struct err){ 0 };
			CHECK(!ref_parse(bad[i].text, strict, &r, &e));
			FAILED(e, E_REF);
			SAME(str_c(e.what), str_c(bad[i].what));
		}
	run.row = NULL;
	CHECK(!ref_parse(NOTHING, false, &r, &e));
}

/* Letters beyond ASCII: only where they are asked for, and in names only. */
static void
test_ref_unicode(void)
{
	struct str text = S("op://Caf\xc3\xa9/\xe6\x97\xa5 1/"
	    "\xf0\x9f\x9a\x80?attribute=otp");
	struct err e = { 0 };
	struct ref r;

	CHECK(!ref_parse(text, true, &r, &e));
	SAME(str_c(e.what), S(REF_CHAR));
	if (CHECK(ref_parse(text, false, &r, &e))) {
		SAME(r.vault, S("Caf\xc3\xa9"));
		SAME(r.item, S("\xe6\x97\xa5 1"));
		SAME(r.field, S("\xf0\x9f\x9a\x80"));
		EQUAL(r.query, REF_OTP);
	}
	e = (struct err){ 0 };
	CHECK(!ref_parse(S("op://a/b/c?attribute=\xc3\xa9"), false, &r, &e));
	SAME(str_c(e.what), S(REF_VALUE));
}

/* The code that a stored value gives at a time; what is wrong with it. */
static struct str
totp_of(struct str value, int64_t now, unsigned *left)
{
	u8 *code = mem_alloc(&T, 8);
	struct err e = { 0 };
	struct totp t;

	if (!totp_parse(value, &t, &e)) {
		FAILED(e, E_OTP);
		return str_c(e.what);
	}
	CHECK(t.digits >= 1 && t.digits <= 8);
	totp_code(&t, now, code, left);
	CHECK(*left >= 1 && *left <= t.period);
	EQUAL(((uint64_t)now + *left) % t.period, 0);
	return (struct str){ code, t.digits };
}

/* RFC 6238 appendix B, and what the official SDK takes and refuses. */
static void
test_totp_vectors(void)
{
	unsigned n = 0, left;

	load("test/data/totp.json");
	EACH(c, at(ROOT, "cases")) {
		row_of(c);
		SAME(totp_of(text_at(c, "value"), (int64_t)number_at(c, "time"),
		    &left), text_at(c, "code"));
		n++;
	}
	EACH(c, at(ROOT, "errors")) {
		run.row = cstr(text_at(c, "value"));
		SAME(totp_of(text_at(c, "value"), 0, &left), text_at(c,
		    "error"));
		n++;
	}
	run.row = NULL;
	EQUAL(n, 37 + 11);
}

/* What the vectors leave open. U stands for a good URI. */
static void
test_totp_parse(void)
{
#define U "otpauth://totp/a?secret=JBSWY3DPEHPK3PXP"
#define GOOD "324550"
	static const struct {
		const char *value, *want;
	} rows[] = {
		{ U "&period=30", GOOD }, { U "&period=-1", GOOD },
		{ U "&period=x", GOOD }, { U "&period=", GOOD },
		{ U "&period=3600", GOOD }, { U "&period", GOOD },
		{ U "&period=99999999999999999999", GOOD },
		{ U "&period=300&period=30", "588998" },
		{ U "&digits=9", GOOD }, { U "&digits=-6", GOOD },
		{ U "&digits=06", GOOD }, { U "&digits=7", "2324550" },
		{ U "&algorithm=sHa1", GOOD }, { U "#&digits=8", GOOD },
		{ U "&secret=AAAA", GOOD }, { " " U " ", GOOD },
		{ U "%3D%3d", GOOD }, { U "++", GOOD }, { U "%4A", GOOD },
		{ "otpauth://totp?secret=%4ABSW%79+3DP&x", "229775" },
		{ "otpauth://totp?x=y&secret=JBSWY3DPEHPK3PXP", GOOD },
		{ "otpauth://totp/?#?secret=JBSWY3DPEHPK3PXP", "NoSecret" },
		{ "otpauth://totp", "NoSecret" },
		{ "otpauth://totp/a?secre=t&SECRET=AA", "NoSecret" },
		{ "otpauth://totp/a?secret", "SecretTooShort" },
		{ "otpauth://totp/a?secret=A", "SecretTooShort" },
		{ "otpauth://", "InvalidUriHost" },
		{ "otpauth://totp:1/a?secret=AA", "InvalidUriHost" },
		{ "otpauth://x@totp/a?secret=AA", "InvalidUriHost" },
		{ "otpauth://totpx/a?secret=AA", "InvalidUriHost" },
		{ "://totp/a?secret=AA", "InvalidScheme" },
		{ "otpauthx://totp/a?secret=AA", "InvalidScheme" },
		{ U "&algorithm=", "InvalidAlgorithm" },
		{ U "&algorithm=SHA-1", "InvalidAlgorithm" },
		{ U "%", "SecretNotBase32" }, { U "%4", "SecretNotBase32" },
		{ U "%4G", "SecretNotBase32" }, { U "%5GA", "SecretNotBase32" },
		{ U "%00", "SecretNotBase32" }, { U "1", "SecretNotBase32" },
		{ "JBSW+Y3DP", "SecretNotBase32" },
		{ "JBSW%20Y3DP", "SecretNotBase32" },
		{ "JBSWY3DP8", "SecretNotBase32" },
		{ "JBSWY3DP\n1", "SecretNotBase32" },
		{ "otpauth:totp/a?secret=AA", "SecretNotBase32" },
		{ "\xc3\x81\xc3\x81", "SecretNotBase32" },
		{ " - =", "SecretTooShort" },
	};
	unsigned left;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].value;
		SAME(totp_of(str_c(rows[i].value), 1700000000, &left),
		    str_c(rows[i].want));
	}
	run.row = NULL;
	SAME(totp_of((struct str)B("AAAA\0AAAA"), 0, &left),
	    S("SecretNotBase32"));
#undef U
#undef GOOD
}

/* Every byte as a digit: 32 of them count, in either case, and three are
 * passed over. */
static void
test_totp_digits(void)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	struct err e;
	struct totp t;

	for (unsigned c = 0; c < 256; c++) {
		u8 text[8] = { (u8)c, 'A', 'A', 'A', 'A', 'A', 'A', 'A' };
		u8 upper = c >= 'a' && c <= 'z' ? (u8)(c - 32) : (u8)c;
		const char *at = c != 0 ? strchr(set, upper) : NULL;
		bool skip = c == ' ' || c == '-' || c == '=';

		e = (struct err){ 0 };
		if (totp_parse((struct str){ text, 8 }, &t, &e) !=
		    (at != NULL || skip || c == '\t')) {
			FAIL("a byte");
			return;
		}
		if (at != NULL) {
			EQUAL(t.key[0] >> 3, at - set);
			EQUAL(t.key_len, 5);
		}
	}
}

/* The longest secret, one more, and the time left. */
static void
test_totp_limits(void)
{
	static u8 text[(TOTP_KEY_MAX + 1) * 8 / 5 + 1];
	struct err e = { 0 };
	struct totp t;
	unsigned left = 0;

	memset(text, 'A', sizeof text);
	CHECK(totp_parse((struct str){ text, (TOTP_KEY_MAX * 8 + 4) / 5 }, &t,
	    &e));
	EQUAL(t.key_len, TOTP_KEY_MAX);
	CHECK(!totp_parse((struct str){ text, sizeof text }, &t, &e));
	SAME(str_c(e.what), S("secret too long"));
	(void)totp_of(S("AA"), 0, &left);
	EQUAL(left, 30);
	(void)totp_of(S("AA"), 29, &left);
	EQUAL(left, 1);
	(void)totp_of(S("otpauth://totp?secret=AA&period=3599"), 3600, &left);
	EQUAL(left, 3598);
	SAME(totp_of(S("AA"), INT64_MAX, &left), totp_of(S("AA"),
	    INT64_MAX - 1, &left));
	e = (struct err){ 0 };
	CHECK(totp_parse(S("AA"), &t, &e));
	totp_code(&t, -5, text, &left);         /* before 1970 */
	SAME(((struct str){ text, 6 }), totp_of(S("AA"), 0, &left));
}

/* Convert in an arena of its own; what, if it fails. */
static struct str
ssh_of(struct str pem, size_t room)
{
	struct str text = NOTHING;
	struct err e = { 0 };
	struct arena a;

	if (!mem_carve(&a, &T, room))
		abort();
	if (ssh_to_openssh(&a, pem, &text, &e))
		return text;
	CHECK(e.code == E_SSH || e.code == E_LARGE);
	return str_c(e.what);
}

/* Keys that openssl and ssh-keygen have made: the same text for all ways to
 * store one; and what is no such key. */
static void
test_ssh_vectors(void)
{
	unsigned n = 0;

	load("test/data/ssh.json");
	EACH(c, at(ROOT, "cases")) {
		struct str in = text_at(c, "in"), want = text_at(c, "openssh");

		row_of(c);
		SAME(ssh_of(in, 1 << 18), want);
		SAME(ssh_of(want, 1 << 18), want);
		n++;
	}
	EACH(c, at(ROOT, "refused")) {
		struct str what = ssh_of(text_at(c, "in"), 1 << 18);

		row_of(c);
		SAME(what, strncmp(run.row, "encrypted", 9) == 0 ?
		    S("the key is encrypted") :
		    S("not an Ed25519 or RSA private key"));
		n++;
	}
	run.row = NULL;
	CHECK(n > 50);
}

/* The binary of a PEM text. */
static struct str
ssh_binary(struct str pem)
{
	struct str label, blob = NOTHING;
	struct err e = { 0 };

	CHECK(ssh_read_pem(&T, pem, &label, &blob, &e));
	return blob;
}

/* The official SDK's answers are the same but for the check numbers. */
static void
test_ssh_sdk(void)
{
	static const char *const items[] = { "deploy key", "legacy rsa key" };
	struct str stored, sdk, ours;
	u8 *p, *q;

	load("test/data/resolve.json");
	for (size_t i = 0; i < LEN(items); i++) {
		stored = sdk = NOTHING;
		EACH(v, at(ROOT, "vaults")) {
			EACH(k, at(v, "items")) {
				if (!str_eq(text_at(k, "title"),
				    str_c(items[i])))
					continue;
				stored = text_at(json_first(&vec, at(
				    json_first(&vec, at(at(k, "details"),
				    "sections")), "fields")), "v");
			}
		}
		EACH(c, at(ROOT, "cases"))
			if (str_search(text_at(c, "ref"), str_c(items[i])) <
			    text_at(c, "ref").n && str_search(text_at(c, "ref"),
			    S("/private key?ssh-format=openssh")) <
			    text_at(c, "ref").n)
				sdk = text_at(c, "value");
		run.row = items[i];
		ours = ssh_of(stored, 1 << 18);
		SAME(ssh_of(sdk, 1 << 18), ours);
		EQUAL(ours.n, sdk.n);
		sdk = ssh_binary(sdk);
		ours = ssh_binary(ours);
		if (!CHECK(sdk.n == ours.n && sdk.n > 0))
			continue;
		/* The private part begins behind its kind's second place. */
		p = memmem(sdk.p + 60, sdk.n - 60, i == 0 ? "ssh-ed25519" :
		    "ssh-rsa", 7);
		q = T.base + (ours.p - T.base) + (p - sdk.p);
		memcpy(q - 12, p - 12, 8);
		SAME(ours, sdk);
	}
	run.row = NULL;
}

/* Any byte changed or cut off does no harm, and little room is an error. */
static void
test_ssh_broken(void)
{
	struct str in, out;
	bool fits = false;
	size_t mark;
	u8 *p;

	load("test/data/ssh.json");
	in = text_at(json_first(&vec, at(ROOT, "cases")), "in");
	out = ssh_of(in, 1 << 18);
	mark = T.used;
	for (size_t i = 0; i < in.n; i++) {
		struct str cut = str_dup(&T, str_upto(in, i));

		if (i < in.n - 6)       /* all but the last dashes */
			CHECK(str_is_start(ssh_of(cut, 1 << 14), S("not ")));
		p = T.base + (str_dup(&T, in).p - T.base);
		p[i] ^= 1u << rnd(8);
		(void)ssh_of((struct str){ p, in.n }, 1 << 14);
		mem_reset(&T, mark);
	}
	for (size_t room = 0; room < 8192; room += 16) {
		struct str got = ssh_of(in, room);

		fits |= str_eq(got, out);
		if (!str_eq(got, fits ? out : S("private key")))
			FAIL("too little room");
		mem_reset(&T, mark);
	}
	CHECK(fits);
}

/* The public key by the vectors that signing is tested with. */
static void
test_ssh_public(void)
{
	u8 pub[32];

	load("test/data/ed25519.json");
	EACH(c, at(ROOT, "cases")) {
		row_of(c);
		cry_ed25519_public(pub, hex_at(c, "seed").p);
		SAME(((struct str){ pub, 32 }), hex_at(c, "pub"));
	}
	run.row = NULL;
}

/* Recipes, and those refused with the reason. */
static void
test_gen_recipe(void)
{
	static const struct {
		const char *text;
		bool words, letters, digits, symbols;
		unsigned length, bits;
	} good[] = {
		{ "", false, true, true, true, 20, 121 },
		{ "20", false, true, true, true, 20, 121 },
		{ "letters,digits,symbols,32", false, true, true, true, 32,
		    194 },
		{ "symbols, digits ,letters,32", false, true, true, true, 32,
		    194 },
		{ "letters", false, true, false, false, 20, 114 },
		{ "letters,6", false, true, false, false, 6, 34 },
		{ "letters,64", false, true, false, false, 64, 364 },
		{ "digits,10", false, false, true, false, 10, 33 },
		{ "digits,letters,6", false, true, true, false, 6, 35 },
		{ "digits,digits,10", false, false, true, false, 10, 33 },
		{ "symbols,13", false, false, false, true, 13, 33 },
		{ "letters,digits,symbols,6", false, true, true, true, 6, 34 },
		{ "words", true, false, false, false, 4, 66 },
		{ "words,3", true, false, false, false, 3, 49 },
		{ "words,15", true, false, false, false, 15, 249 },
	};
	static const struct {
		const char *text, *what;
	} bad[] = {
		{ "letters,5", "32 bits" }, { "5", "32 bits" },
		{ "1", "32 bits" }, { "symbols,2,", "up to 64" },
		{ "digits,9", "32 bits" }, { "symbols,12", "32 bits" },
		{ "letters,digits,symbols,2", "32 bits" },
		{ "letters,65", "up to 64" }, { "letters,0", "up to 64" },
		{ "letters,-1", "up to 64" }, { "letters,x", "up to 64" },
		{ "letters,", "up to 64" }, { ",letters", "up to 64" },
		{ ",", "up to 64" }, { "20,letters", "up to 64" },
		{ "letters,20,20", "up to 64" }, { "Letters,20", "up to 64" },
		{ "letter,20", "up to 64" }, { "letters 20", "up to 64" },
		{ "letters;20", "up to 64" }, { " ", "up to 64" },
		{ "99999999999999999999", "up to 64" },
		{ "words,2", "words" }, { "words,16", "words" },
		{ "words,1", "words" }, { "words,letters,20", "words" },
		{ "words,digits", "words" }, { "symbols,words,5", "words" },
	};
	struct recipe r;
	struct err e;

	for (size_t i = 0; i < LEN(good); i++) {
		run.row = good[i].text;
		e = (struct err){ 0 };
		if (!CHECK(gen_recipe(str_c(good[i].text), &r, &e)))
			continue;
		EQUAL(r.words, good[i].words);
		EQUAL(r.letters, good[i].letters);
		EQUAL(r.digits, good[i].digits);
		EQUAL(r.symbols, good[i].symbols);
		EQUAL(r.length, good[i].length);
		EQUAL(gen_bits(&r), good[i].bits);
	}
	for (size_t i = 0; i < LEN(bad); i++) {
		run.row = bad[i].text;
		e = (struct err){ 0 };
		r.length = 12345;
		CHECK(!gen_recipe(str_c(bad[i].text), &r, &e));
		EQUAL(r.length, 12345);
		FAILED(e, E_ARGUMENT);
		CHECK(e.what != NULL && str_is_start(str_c(e.what),
		    S("generate: ")) && strstr(e.what, bad[i].what) != NULL);
	}
	run.row = NULL;
	e = (struct err){ 0 };
	CHECK(gen_recipe(NOTHING, &r, &e));
	CHECK(!gen_recipe((struct str)B("letters\0,20"), &r, &e));
}

/* Bits against counting: every string over the classes, up to length 4. */
static void
test_gen_bits(void)
{
	static const unsigned size[] = { 52, 10, 6 };

	for (unsigned set = 1; set < 8; set++)
		for (unsigned len = 1; len <= 4; len++) {
			struct recipe r = { false, set & 1, set >> 1 & 1,
			    set >> 2, len };
			uint64_t n = 0;
			unsigned bits = 0;

			/* Inclusion and exclusion of what is left out. */
			for (unsigned out = 0; out < 8; out++) {
				uint64_t all = 0, power = 1;

				if ((out & ~set) != 0)
					continue;
				for (unsigned c = 0; c < 3; c++)
					all += (set & ~out) >> c & 1 ?
					    size[c] : 0;
				for (unsigned i = 0; i < len; i++)
					power *= all;
				if (__builtin_popcount(out) % 2 == 0)
					n += power;
				else
					n -= power;
			}
			while (n >> 1 >> bits != 0)
				bits++;
			EQUAL(gen_bits(&r), bits);
		}
}

/* How often each byte came, against all equally often: chi-square, and its
 * mean and deviation for so many kinds give the limit (six deviations; the
 * randomness is the same on every run). */
static void
gen_is_even(const unsigned seen[static 256], struct str set)
{
	double sum = 0, chi = 0, mean;

	for (size_t i = 0; i < set.n; i++)
		sum += seen[set.p[i]];
	mean = sum / (double)set.n;
	for (size_t i = 0; i < set.n; i++)
		chi += (seen[set.p[i]] - mean) * (seen[set.p[i]] - mean) / mean;
	/* (chi - k)^2 < 36 * 2 * k, k degrees of freedom */
	mean = (double)(set.n - 1);
	CHECK(chi < mean || (chi - mean) * (chi - mean) < 72 * mean);
	/* too even is wrong as well, where there are enough to tell */
	CHECK(chi > mean / 4 || mean < 20);
}

/* 10,000 passwords for each recipe: as long as wanted, of the right classes,
 * all of them there, no character more often than another of its class, and
 * no two alike. */
static void
test_gen_password(void)
{
	static const char *const recipes[] = { "letters,digits,symbols,32",
		"", "letters,6", "digits,10", "symbols,13",
		"letters,digits,symbols,6", "letters,symbols,9",
		"digits,symbols,10", "letters,digits,64" };
	static const char *const sets[] = { "digits", "letters", "symbols" };
	unsigned seen[256];
	struct recipe r;
	struct str text, last;

	for (size_t i = 0; i < LEN(recipes); i++) {
		struct err e = { 0 };
		size_t mark = T.used, wrong = 0;

		run.row = recipes[i];
		memset(seen, 0, sizeof seen);
		last = NOTHING;
		CHECK(gen_recipe(str_c(recipes[i]), &r, &e));
		for (unsigned k = 0; k < 10000; k++) {
			bool letter = false, digit = false, symbol = false;

			wrong += !gen_password(&fake_os, &r, &T, &text, &e);
			wrong += text.n != r.length || str_eq(text, last);
			for (size_t c = 0; c < text.n; c++) {
				u8 b = text.p[c], low = str_lower(b);

				seen[b]++;
				if (low >= 'a' && low <= 'z')
					letter = true;
				else if (b >= '0' && b <= '9')
					digit = true;
				else
					symbol = true;
			}
			wrong += letter != r.letters || digit != r.digits ||
			    symbol != r.symbols;
			last = text;
			if (k % 100 == 99) {
				mem_reset(&T, mark);
				last = NOTHING;
			}
		}
		EQUAL(wrong, 0);
		for (size_t c = 0; c < LEN(sets); c++)
			for (size_t k = 0; k < LEN(gen_classes); k++)
				if (strcmp(gen_classes[k].name, sets[c]) == 0 &&
				    seen[(u8)gen_classes[k].set[0]] > 0)
					gen_is_even(seen, str_c(
					    gen_classes[k].set));
		wrong = 0;
		for (unsigned c = 0; c < 256; c++)
			wrong += seen[c] > 0 && (c == 0 || strchr("abcdefghijkl"
			    "mnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "!@.-_*", (int)c) == NULL);
		EQUAL(wrong, 0);
	}
	run.row = NULL;
}

/* The same for words: b a b a b, with dashes between. */
static void
test_gen_words(void)
{
	struct str vowels = S("aeiou"), others = S("bdfghjklmnprstvz");
	unsigned seen[256] = { 0 };
	size_t wrong = 0, mark = T.used;
	struct err e = { 0 };
	struct recipe r;
	struct str text;

	for (unsigned k = 0; k < 10000; k++) {
		struct str set;

		r = (struct recipe){ .words = true, .length = 3 + k % 13 };
		wrong += !gen_password(&fake_os, &r, &T, &text, &e);
		wrong += text.n != r.length * 6 - 1;
		for (size_t i = 0; i < text.n; i++) {
			set = i % 6 == 5 ? S("-") : i % 6 % 2 != 0 ? vowels :
			    others;
			wrong += str_find(set, text.p[i]) == set.n;
			seen[text.p[i]]++;
		}
		mem_reset(&T, mark);
	}
	EQUAL(wrong, 0);
	gen_is_even(seen, vowels);
	gen_is_even(seen, others);
}

static unsigned gen_left;

static bool
gen_random_ends(u8 *p, size_t n)
{
	memset(p, 7, n);
	return gen_left > 0 && gen_left-- > 0;
}

static bool
gen_random_stuck(u8 *p, size_t n)
{
	memset(p, (int)gen_left, n);
	return true;
}

/* No randomness, stuck randomness, no room: an error, never a password. */
static void
test_gen_refused(void)
{
	struct os os = fake_os;
	struct recipe r = { .letters = true, .digits = true, .length = 20 };
	struct str text = S("untouched");
	struct arena a;
	struct err e = { 0 };

	os.random = gen_random_ends;
	for (unsigned k = 0; k < 20; k++) {
		gen_left = k;
		e = (struct err){ 0 };
		CHECK(!gen_password(&os, &r, &T, &text, &e));
		FAILED(e, E_INTERNAL);
	}
	SAME(text, S("untouched"));
	os.random = gen_random_stuck;
	for (gen_left = 0; gen_left < 256; gen_left++) {
		e = (struct err){ 0 };
		CHECK(!gen_password(&os, &r, &T, &text, &e));
		FAILED(e, E_INTERNAL);
	}
	SAME(text, S("untouched"));
	r.digits = false;               /* 0 is an a, and nothing is missing */
	gen_left = 0;
	e = (struct err){ 0 };
	CHECK(gen_password(&os, &r, &T, &text, &e));
	SAME(text, S("aaaaaaaaaaaaaaaaaaaa"));
	if (!mem_carve(&a, &T, 16))
		abort();
	CHECK(!gen_password(&fake_os, &r, &a, &text, &e));
	FAILED(e, E_INTERNAL);
}

/* ====================================================================
 * 11. Items: vault, item and field, and what a back end offers
 * ==================================================================== */

/* A field outside sections; value NULL: it has none. */
static struct field
field_of(struct str id, struct str title, enum kind kind,
    enum purpose purpose, const char *value)
{
	struct str text = value != NULL ? str_c(value) : NOTHING;

	return (struct field){ .id = id, .title = title, .kind = kind,
		.purpose = purpose, .value = { text.p, text.n } };
}

#define F(i, t, use, v) \
	{ .id = B(i), .title = B(t), .purpose = use, .value = B(v), \
	  .kind = KIND_TEXT }
#define NO_VALUE(i, t, use) \
	{ .id = B(i), .title = B(t), .purpose = use, .kind = KIND_OTHER }

/* An item with at most 8 fields; the rest of the room has no id. */
struct item_row {
	const char *name, *category;
	struct field field[8];
	const char *user, *password;    /* expected; NULL: none */
};

static struct item
item_of(struct item_row *r)
{
	struct item it = { .ref.category = str_c(r->category),
		.field = r->field };

	while (it.fields < 8 && r->field[it.fields].id.p != NULL)
		it.fields++;
	return it;
}

static struct str
value_of(const struct field *f)
{
	struct str s = NOTHING;

	if (f != NULL)
		(void)!item_reveal(ALLOW, f->value, &s);
	return s;
}

static void
test_item_login_field(void)
{
	static struct item_row rows[] = {
		{ "login", "001", { F("username", "username", FOR_USERNAME,
		    "u"), F("password", "password", FOR_PASSWORD, "p") },
		    "u", "p" },
		{ "login without a built-in password", "001",
		    { F("username", "username", FOR_USERNAME, "u"),
		    F("password", "password", FOR_NOTHING, "other") },
		    "u", "other" },
		{ "the built-in one counts first", "001",
		    { F("password", "password", FOR_NOTHING, "other"),
		    F("x", "y", FOR_PASSWORD, "p") }, NULL, "p" },
		{ "built-in fields of another category", "003",
		    { F("a", "b", FOR_USERNAME, "u"), F("c", "d",
		    FOR_PASSWORD, "p") }, "u", "p" },
		{ "password", "005", { F("password", "password", FOR_PASSWORD,
		    "p") }, NULL, "p" },
		{ "password with a user in a section", "005",
		    { F("password", "password", FOR_PASSWORD, "p"),
		    F("abc", "Username", FOR_NOTHING, "u") }, "u", "p" },
		{ "database by id", "102", { F("username", "name", FOR_NOTHING,
		    "u"), F("password", "pw", FOR_NOTHING, "p") }, "u", "p" },
		{ "server by title", "110", { F("a1", "USERNAME", FOR_NOTHING,
		    "u"), F("a2", "Password", FOR_NOTHING, "p") }, "u", "p" },
		{ "id before title", "110", { F("a1", "password", FOR_NOTHING,
		    "title"), F("password", "x", FOR_NOTHING, "id") },
		    NULL, "id" },
		{ "two with this title: neither", "110", { F("a1", "password",
		    FOR_NOTHING, "1"), F("a2", "password", FOR_NOTHING, "2") },
		    NULL, NULL },
		{ "API credential", "112", { F("username", "username",
		    FOR_NOTHING, "u"), F("credential", "credential",
		    FOR_NOTHING, "c"), F("password", "password", FOR_NOTHING,
		    "p") }, "u", "c" },
		{ "API credential without one", "112", { F("password",
		    "password", FOR_NOTHING, "p") }, NULL, NULL },
		{ "credential elsewhere is none", "110", { F("credential",
		    "credential", FOR_NOTHING, "c") }, NULL, NULL },
		{ "nothing", "003", { F("notes", "notes", FOR_NOTHING, "n") },
		    NULL, NULL },
		{ "no value", "001", { NO_VALUE("username", "username",
		    FOR_USERNAME), F("password", "password", FOR_PASSWORD,
		    "") }, NULL, "" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct item it = item_of(&rows[i]);
		struct str u = value_of(item_login_field(&it, FOR_USERNAME));
		struct str p = value_of(item_login_field(&it, FOR_PASSWORD));

		run.row = rows[i].name;
		SAME(u, str_c(rows[i].user));
		SAME(p, str_c(rows[i].password));
		EQUAL(u.p == NULL, rows[i].user == NULL);
		EQUAL(p.p == NULL, rows[i].password == NULL);
	}
}

static void
test_item_find(void)
{
	static struct item_row row = { "", "001", {
		F("username", "username", FOR_USERNAME, "0"),
		F("f1", "Host", FOR_NOTHING, "1"),
		F("f2", "host 2", FOR_NOTHING, "2"),
		F("f3", "twin", FOR_NOTHING, "3"),
		F("f4", "TWIN", FOR_NOTHING, "4"),
		F("host", "other", FOR_NOTHING, "5"),
		F("f6", "f1", FOR_NOTHING, "6"),
		F("f7", "\xc3\xa9t\xc3\xa9", FOR_NOTHING, "7") }, NULL, NULL };
	static const struct {
		const char *name, *want;        /* NULL: fails */
	} rows[] = {
		{ "username", "0" }, { "USERNAME", "0" }, { "f2", "2" },
		{ "host", "5" }, { "HOST", "5" }, { "f1", "1" },
		{ "host 2", "2" }, { "f3", "3" }, { "F4", "4" },
		{ "\xc3\xa9t\xc3\xa9", "7" },
		{ "twin", NULL }, { "Twin", NULL }, { "", NULL },
		{ "hos", NULL }, { "host 22", NULL }, { "f8", NULL },
		{ "\xc3\x89t\xc3\xa9", NULL },
	};
	struct item it = item_of(&row);

	for (size_t i = 0; i < LEN(rows); i++) {
		const struct field *f = NULL;
		struct err e = { 0 };

		run.row = rows[i].name;
		if (!EQUAL(item_find(&it, str_c(rows[i].name), &f, &e),
		    rows[i].want != NULL))
			continue;
		if (rows[i].want != NULL)
			SAME(value_of(f), str_c(rows[i].want));
		else
			FAILED(e, str_nocase_eq(str_c(rows[i].name),
			    S("twin")) ? E_FIELD_MANY : E_FIELD);
	}
	it.fields = 0;
	CHECK(item_login_field(&it, FOR_USERNAME) == NULL);
}

static void
test_item_is_protected(void)
{
	static const struct {
		const char *id, *title;
		enum kind kind;
		enum purpose purpose;
		bool want;
	} rows[] = {
		{ "a", "b", KIND_TEXT, FOR_NOTHING, false },
		{ "", "", KIND_TEXT, FOR_NOTHING, false },
		{ "a", "b", KIND_CONCEALED, FOR_NOTHING, true },
		{ "a", "b", KIND_URL, FOR_NOTHING, false },
		{ "a", "b", KIND_EMAIL, FOR_NOTHING, false },
		{ "a", "b", KIND_PHONE, FOR_NOTHING, false },
		{ "a", "b", KIND_MENU, FOR_NOTHING, false },
		{ "a", "b", KIND_CARD_TYPE, FOR_NOTHING, false },
		{ "a", "b", KIND_REFERENCE, FOR_NOTHING, false },
		{ "a", "b", KIND_DATE, FOR_NOTHING, false },
		{ "a", "b", KIND_MONTH_YEAR, FOR_NOTHING, false },
		{ "a", "b", KIND_ADDRESS, FOR_NOTHING, false },
		{ "a", "b", KIND_SSH_KEY, FOR_NOTHING, true },
		{ "a", "b", KIND_FILE, FOR_NOTHING, true },
		{ "a", "b", KIND_CARD, FOR_NOTHING, true },
		{ "a", "b", KIND_TOTP, FOR_NOTHING, true },
		{ "a", "b", KIND_NOTES, FOR_NOTHING, true },
		{ "a", "b", KIND_SSH_FACT, FOR_NOTHING, false },
		{ "a", "b", KIND_OTHER, FOR_NOTHING, true },
		{ "a", "b", KIND_TEXT, FOR_PASSWORD, true },
		{ "a", "b", KIND_TEXT, FOR_USERNAME, false },
		{ "password", "token", KIND_TEXT, FOR_USERNAME, false },
		{ "a", "b", KIND_CONCEALED, FOR_USERNAME, true },
		{ "a", "API token", KIND_TEXT, FOR_NOTHING, true },
		{ "TOKEN", "b", KIND_TEXT, FOR_NOTHING, true },
		{ "a", "My Recovery Codes", KIND_TEXT, FOR_NOTHING, true },
		{ "reg_code", "license", KIND_TEXT, FOR_NOTHING, true },
		{ "a", "License Key", KIND_TEXT, FOR_NOTHING, true },
		{ "accountNo", "number", KIND_TEXT, FOR_NOTHING, true },
		{ "iban", "IBAN", KIND_TEXT, FOR_NOTHING, true },
		{ "a", "Client Secret", KIND_MENU, FOR_NOTHING, true },
		{ "a", "secret", KIND_URL, FOR_NOTHING, true },
		{ "a", "recovery", KIND_EMAIL, FOR_NOTHING, true },
		{ "a", "PIN", KIND_DATE, FOR_NOTHING, false },
		{ "a", "PIN", KIND_TEXT, FOR_NOTHING, true },
		{ "pi", "n", KIND_TEXT, FOR_NOTHING, false },
		{ "hostname", "server", KIND_TEXT, FOR_NOTHING, false },
		{ "port", "port", KIND_TEXT, FOR_NOTHING, false },
		{ "username", "username", KIND_TEXT, FOR_NOTHING, false },
		{ "passwor", "toke", KIND_TEXT, FOR_NOTHING, false },
		/* what does not show does not count */
		{ "x", "P\xe2\x80\x8bIN", KIND_TEXT, FOR_NOTHING, true },
		{ "x", "pass\xc2\xadword", KIND_TEXT, FOR_NOTHING, true },
		{ "x", "P\xe2\x80\x8bINE", KIND_TEXT, FOR_NOTHING, false },
	};
	static const struct {
		const char *value;
		bool want;
		const char *shown;      /* as a website; NULL: not one */
	} telling[] = {
		{ "otpauth://totp/x?secret=JBSW", true, NULL },
		{ "OTPAUTH://totp/x", true, NULL },
		{ "otpauth", false, NULL },
		{ "x\n-----BEGIN PRIVATE KEY-----\nMC4", true, NULL },
		{ "-----BEGIN OPENSSH PRIVATE KEY-----", true, NULL },
		{ "-----BEGIN PUBLIC KEY-----", false, NULL },
		{ "https://u:pw@host/x", true, "https://host/x" },
		{ "https://u:p@w@host?x", true, "https://host?x" },
		{ "ftp://u@host", true, "ftp://host" },
		{ "https://host/u@x", false, "https://host/u@x" },
		{ "https://host?u@x", false, "https://host?u@x" },
		{ "https://host#u@x", false, "https://host#u@x" },
		{ "user@host", false, "user@host" },
		{ "a@b://", false, "a@b://" }, { "://", false, "://" },
		{ "", false, "" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct field f = field_of(str_c(rows[i].id),
		    str_c(rows[i].title), rows[i].kind, rows[i].purpose, NULL);
		char label[64];

		(void)snprintf(label, sizeof label, "%zu: %s %s", i,
		    rows[i].id, rows[i].title);
		run.row = label;
		EQUAL(item_is_protected(&f), rows[i].want);
	}
	for (size_t i = 0; i < LEN(telling); i++) {
		struct field f = field_of(S("a"), S("b"), KIND_TEXT,
		    FOR_NOTHING, telling[i].value);
		size_t mark = T.used;

		run.row = telling[i].value;
		EQUAL(item_is_protected(&f), telling[i].want);
		f.kind = KIND_URL;
		EQUAL(item_is_protected(&f), telling[i].want);
		if (telling[i].shown != NULL)
			SAME(item_url_shown(&T, str_c(telling[i].value)),
			    str_c(telling[i].shown));
		mem_reset(&T, mark);
	}
	run.row = NULL;
}

static void
test_item_reveal(void)
{
	struct secret s = { (const u8 *)"pw", 2 }, none = { NULL, 0 };
	struct str text = S("untouched");
	enum verdict untouched = 0;

	CHECK(!item_reveal(DENY, s, &text));
	CHECK(!item_reveal(untouched, s, &text));
	CHECK(!item_reveal(ASK, s, &text));
	CHECK(!item_reveal(ALLOW, none, &text));
	CHECK(!item_reveal((enum verdict)3, s, &text));
	SAME(text, S("untouched"));
	CHECK(item_reveal(ALLOW, s, &text));
	SAME(text, S("pw"));
}

/* ====================================================================
 * 12. Service account: sign-in, keys, vaults, items
 * ==================================================================== */

/* Decode a token with fresh memory; wiped whenever it is refused. */
static bool
token_is_taken(struct sa_token *t, struct str text, struct err *e)
{
	size_t mark = T.used;
	bool ok;

	memset(t, 0, sizeof *t);
	*e = (struct err){ 0 };
	ok = sa_token_decode(t, &T, text, e);
	EQUAL(T.used, mark);
	CHECK(is_zero(T.base + mark, 8192));
	if (!ok) {
		FAILED(*e, E_TOKEN);
		CHECK(is_zero((u8 *)t, sizeof *t));
	}
	return ok;
}

static void
token_same(uint32_t want, const struct sa_token *t)
{
	SAME(str_c(t->host), text_at(want, "host"));
	EQUAL(strtol(t->port, NULL, 10), number_at(want, "port"));
	SAME(((struct str){ t->email, t->email_len }),
	    text_at(want, "email"));
	SAME(((struct str){ t->format, 2 }), text_at(want, "skFormat"));
	SAME(((struct str){ t->skid, 6 }), text_at(want, "skid"));
	SAME(ID(t->device), text_at(want, "deviceUuid"));
	SAME(hex(t->x, t->x_len), text_at(want, "srpX"));
	SAME(hex(t->muk, 32), text_at(want, "muk"));
	EQUAL(t->throttled, !json_is_null(&vec, at(want, "throttleSeed")));
	if (t->throttled) {
		SAME(hex(t->seed, 32), text_at(want, "throttleSeed"));
		SAME(ID(t->kid), text_at(want, "throttleUuid"));
	}
}

static void
test_sa_token(void)
{
	unsigned rows = 0, good = 0;
	uint32_t list;

	load("test/data/token.json");
	list = at(ROOT, "cases");
	EACH(k, list) {
		bool valid = json_is_word(&vec, at(k, "valid"), S("true"));
		struct sa_token t;
		struct err e;

		row_of(k);
		if (EQUAL(token_is_taken(&t, text_at(k, "token"), &e),
		    valid) && valid)
			token_same(at(k, "expect"), &t);
		good += valid;
		rows++;
	}
	EQUAL(rows, 36);
	EQUAL(good, 12);
}

/* "ops_" and base64url of a text. */
static struct str
token_of(struct str plain)
{
	struct out o;

	out_open(&o, &T);
	out_put(&o, S("ops_"));
	b64_put_url(&o, plain);
	return out_close(&o, &T);
}

/* The first token of the vectors with one piece of its JSON replaced. */
static struct str
token_with(const char *old, const char *new)
{
	struct str token = text_at(json_first(&vec, at(ROOT, "cases")),
	    "token");
	u8 *plain = mem_alloc(&T, token.n);
	struct str s = { plain, 0 };
	struct out o;
	size_t i = 0;

	if (!CHECK(b64_decode(plain, str_from(token, 4), &s.n)))
		return NOTHING;
	while (i < s.n && !str_is_start(str_from(s, i), str_c(old)))
		i++;
	CHECK(i < s.n);
	out_open(&o, &T);
	OUT(&o, str_upto(s, i), str_c(new), str_from(s, i + strlen(old)));
	return token_of(out_close(&o, &T));
}

/* More than the vectors have: each member, a value that is taken and one
 * that is not. */
static void
test_sa_token_members(void)
{
	static const struct {
		const char *old, *new;
		bool ok;
	} rows[] = {
		{ "my.1password.com", "a.b", true },
		{ "my.1password.com", "a.b:1", true },
		{ "my.1password.com", "a.b:65535", true },
		{ "my.1password.com", "a.b:0", false },
		{ "my.1password.com", "a.b:65536", false },
		{ "my.1password.com", "a.b:", false },
		{ "my.1password.com", "a.b:x", false },
		{ "my.1password.com", "a.b:000443", false },
		{ "my.1password.com", "http://a.b", false },
		{ "my.1password.com", "https://a.b/", true },
		{ "my.1password.com", "https://a.b//", false },
		{ "my.1password.com", "a.b/x", false },
		{ "my.1password.com", "a.b?x", false },
		{ "my.1password.com", "a.b#x", false },
		{ "my.1password.com", "u@a.b", false },
		{ "my.1password.com", "u:p@a.b", false },
		{ "my.1password.com", "a b", false },
		{ "my.1password.com", "a_b", false },
		{ "my.1password.com", "a.b\\u0000", false },
		{ "my.1password.com", "a.b\\r\\nX: y", false },
		{ "my.1password.com", "[::1]", false },
		{ "my.1password.com", "https://", false },
		{ "my.1password.com", "/", false },
		{ "my.1password.com", "\xc3\xa9.b", false },
		{ "\"A3-", "\"A4-", true },
		{ "\"A3-", "\"B3-", false },
		{ "\"A3-", "\"AA-", false },
		{ "\"A3-", "\"A3-A", false },
		{ "\"A3-", "\"A3 ", true },
		{ "\"A3-", "\"A3_", false },
		{ "\"A3-", "\"a3", true },
		{ "@1passwordserviceaccounts.com", "@x", true },
		{ "abcdefghijk2m@1", "@1", false },
		{ "@1passwordserviceaccounts.com", "", false },
		{ "@1passwordserviceaccounts.com", "@", false },
		{ "@1passwordserviceaccounts.com", "@x@y", false },
		{ "@1passwordserviceaccounts.com", "@x y", false },
		{ "@1passwordserviceaccounts.com", "@x\\\"", false },
		{ "@1passwordserviceaccounts.com", "@x\\\\", false },
		{ "@1passwordserviceaccounts.com", "@x\\n", false },
		{ "@1passwordserviceaccounts.com", "@\xc3\xa9", false },
		{ "\"deviceUuid\":\"f", "\"deviceUuid\":\"F", false },
		{ "\"deviceUuid\":\"f", "\"deviceUuid\":\"", false },
		{ "\"deviceUuid\":\"f", "\"deviceUuid\":\"/", false },
		{ "\"deviceUuid\":\"f", "\"deviceUuid\":\"a", true },
		{ "\"srpX\":\"90", "\"srpX\":\"", true },
		{ "\"srpX\":\"90", "\"srpX\":\"9", true },
		{ "\"srpX\":\"90", "\"srpX\":\" 9", false },
		{ "\"srpX\":\"90", "\"srpX\":\"0x90", false },
		{ "\"srpX\":\"90", "\"srpX\":\"0000000000000000000000000000"
		    "00000000000000000000000000000000000090", true },
		{ "\"srpX\":\"90", "\"srpX\":\"0000000000000000000000000000"
		    "000000000000000000000000000000000000090", false },
		{ "A256GCM", "A128GCM", false },
		{ "\"userAuth\":{", "\"userAuth\":1,\"x\":{", false },
		{ "\"userAuth\":{", "\"userAuth\":null,\"x\":{", false },
		{ "\"seed\":\"a", "\"seed\":\"", false },
		{ "\"seed\":\"a", "\"seed\":\"aa", false },
		{ "\"seed\":\"a", "\"seed\":\"g", false },
		{ "\"seed\":\"a", "\"seed\":\"A", true },
		{ "\"uuid\":\"V", "\"uuid\":\"v", false },
		{ "\"uuid\":\"V", "\"uuid\":\"8", false },
		{ "\"throttleSecret\":{", "\"throttleSecret\":null,\"x\":{",
		    true },
		{ "\"throttleSecret\":{", "\"throttleSecret\":\"\",\"x\":{",
		    false },
		{ "{\"", "{\"email\":\"twice@x\",\"", false },
		{ "{\"", "[{\"", false },
	};

	load("test/data/token.json");
	for (size_t i = 0; i < LEN(rows); i++) {
		struct sa_token t;
		struct err e;

		run.row = rows[i].new;
		EQUAL(token_is_taken(&t, token_with(rows[i].old, rows[i].new),
		    &e), rows[i].ok);
	}
}

static void
test_sa_token_size(void)
{
	struct sa_token t;
	struct err e;
	struct str text = { mem_alloc(&T, TOKEN_MAX + 1), 0 };

	memset((u8 *)(uintptr_t)text.p, 'A', TOKEN_MAX + 1);
	memcpy((u8 *)(uintptr_t)text.p, "ops_", 4);
	for (text.n = TOKEN_MAX - 2; text.n <= TOKEN_MAX + 1; text.n++) {
		CHECK(!token_is_taken(&t, text, &e));
		EQUAL(str_eq(str_c(e.what), S("too long")),
		    text.n > TOKEN_MAX);
	}
}

static void
test_sa_host(void)
{
	static const struct {
		const char *host, *hosts;
		bool want;
	} rows[] = {
		{ "my.1password.com", "", true },
		{ "team.1password.ca", "", true },
		{ "team.1password.eu", "", true },
		{ "a.b.1password.com", "", true },
		{ "1password.com", "", false },
		{ ".1password.com", "", false },
		{ "my1password.com", "", false },
		{ "my.1password.com.evil.example", "", false },
		{ "my.1password.org", "", false },
		{ "evil.example", "", false },
		{ "localhost", "", false },
		{ "localhost", "localhost", true },
		{ "localhost", "a, LOCALHOST ,b", true },
		{ "evil.localhost", "localhost", false },
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.1", "*", false },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct cfg cfg = { .hosts = rows[i].hosts };

		run.row = rows[i].host;
		EQUAL(sa_host_is_allowed(&cfg, rows[i].host), rows[i].want);
	}
}

/* A service account without a server: for the functions below it. */
static struct sa *
sa_bare(void)
{
	struct sa *sa = mem_alloc(&T, sizeof *sa);
	struct arena *names = &T;

	if (sa == NULL)
		abort();
	sa->os = &fake_os;
	sa->keys = names;
	sa->scratch = &T;
	sa->http.fd = -1;
	return sa;
}

static void
test_sa_throttle(void)
{
	struct sa *sa = sa_bare();
	uint32_t root = ROOT;

	load("test/data/throttle.json");
	memcpy(sa->token.seed, hex_at(root, "seed").p, 32);
	sa_copy_id(sa->token.kid, text_at(root, "uuid"));
	sa_throttle_make(sa, fake_unix);
	SAME(((struct str){ sa->throttle, sa->throttle_len }),
	    text_at(root, "token"));
	EQUAL(sa->throttle_exp, fake_unix + 3600);
	sa_throttle_make(sa, fake_unix + 1);
	CHECK(!str_eq((struct str){ sa->throttle, sa->throttle_len },
	    text_at(root, "token")));
}

/* What is signed: lengths and pieces. */
static void
test_sa_throttle_pae(void)
{
	u8 room[512];
	struct out o;

	load("test/data/throttle.json");
	out_init(&o, room, sizeof room);
	out_put(&o, (struct str)B("\4\0\0\0\0\0\0\0"));
	sa_pae(&o, S("v4.public."));
	sa_pae(&o, text_at(ROOT, "message"));
	sa_pae(&o, text_at(ROOT, "footer"));
	sa_pae(&o, text_at(ROOT, "implicit"));
	SAME(hex(room, o.n), text_at(ROOT, "signedBytes"));
}

static void
test_sa_mac(void)
{
	struct sa *sa = sa_bare();
	unsigned rows = 0;
	uint32_t list;

	load("test/data/mac.json");
	sa_copy_id(sa->session, text_at(ROOT, "sessionID"));
	memcpy(sa->mac_key, hex_at(ROOT, "macKey").p, SHA256_LEN);
	list = at(ROOT, "cases");
	EACH(k, list) {
		u8 room[128], want[128];
		struct out o, w;

		row_of(k);
		(void)snprintf(sa->http.host, sizeof sa->http.host, "%s",
		    cstr(text_at(k, "host")));
		sa->mac_id = (uint32_t)number_at(k, "requestId") - 1;
		out_init(&o, room, sizeof room);
		sa_put_mac(sa, &o, text_at(k, "method"),
		    text_at(k, "target"));
		out_init(&w, want, sizeof want);
		OUT(&w, S("X-AgileBits-MAC: "), text_at(k, "header"),
		    S("\r\n"));
		SAME(out_str(&o), out_str(&w));
		rows++;
	}
	EQUAL(rows, 6);
}

static void
test_sa_open(void)
{
	struct sa *sa = sa_bare();
	unsigned rows = 0;
	uint32_t list;

	load("test/data/envelope.json");
	sa_copy_id(sa->session, text_at(ROOT, "sessionID"));
	sa_key_init(&sa->key, ID(sa->session), hex_at(ROOT, "key").p);
	list = at(ROOT, "cases");
	EACH(k, list) {
		struct err e = { 0 };
		struct str plain = NOTHING;
		u8 h[SHA256_LEN];

		row_of(k);
		CHECK(sa_open(sa, &vec, at(k, "envelope"), &sa->key, &plain,
		    &e));
		FAILED(e, E_NONE);
		if (at(k, "plaintext") != 0) {
			SAME(plain, text_at(k, "plaintext"));
		} else {
			EQUAL(plain.n, number_at(k, "plaintextLength"));
			SHA256(h, plain);
			SAME(hex(h, sizeof h), text_at(k, "plaintextSha256"));
		}
		rows++;
	}
	EQUAL(rows, 4);
	list = at(ROOT, "refuse");
	EACH(k, list) {
		struct err e = { 0 };
		struct str plain = NOTHING;

		row_of(k);
		CHECK(!sa_open(sa, &vec, at(k, "envelope"), &sa->key, &plain,
		    &e));
		FAILED(e, E_ANSWER);
		CHECK(plain.p == NULL);
		rows++;
	}
	EQUAL(rows, 12);
}

/* More that is no envelope. */
static void
test_sa_open_refused(void)
{
	static const char *const rows[] = {
		"null", "[]", "\"x\"", "{}",
		"{\"kid\":1,\"enc\":\"A256GCM\",\"cty\":\"b5+jwk+json\","
		    "\"iv\":\"o3AakKFgfkzvP5Wy\",\"data\":\"\"}",
		"{\"kid\":\"K\",\"enc\":\"A256GCM\",\"cty\":\"b5+jwk+json\","
		    "\"iv\":\"o3AakKFgfkzvP5Wy\",\"data\":\"\"}",
		"{\"kid\":\"K\",\"enc\":\"A256GCM\",\"cty\":\"json\","
		    "\"iv\":\"o3AakKFgfkzvP5Wy\",\"data\":\"AAAA\"}",
		"{\"kid\":\"K\",\"enc\":\"a256gcm\",\"cty\":\"b5+jwk+json\","
		    "\"iv\":\"o3AakKFgfkzvP5Wy\",\"data\":\"AAAA\"}",
		"{\"kid\":\"K\",\"enc\":\"A256GCM\",\"cty\":\"b5+jwk+json\","
		    "\"iv\":\"o3AakKFgfkzvP5W\",\"data\":\"AAAA\"}",
		"{\"kid\":\"K\",\"enc\":\"A256GCM\",\"cty\":\"b5+jwk+json\","
		    "\"iv\":\"\",\"data\":\"AAAA\"}",
		"{\"kid\":\"K\",\"enc\":\"A256GCM\",\"cty\":\"b5+jwk+json\","
		    "\"iv\":\"o3AakKFgfkzvP5Wy\",\"data\":\"****\"}",
		"{\"kid\":\"K\",\"enc\":\"A256GCM\",\"cty\":\"b5+jwk+json\","
		    "\"iv\":\"o3AakKFgfkzvP5Wy\",\"data\":null}",
		"{\"kid\":\"K\",\"enc\":\"A256GCM\",\"cty\":\"b5+jwk+json\","
		    "\"iv\":\"o3AakKFgfkzvP5Wy\","
		    "\"data\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
	};
	struct sa *sa = sa_bare();
	u8 key[32] = { 1 };

	sa_key_init(&sa->key, S("K"), key);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct err e = { 0 };
		struct str plain;
		struct json j;

		run.row = rows[i];
		if (!CHECK(parses(&j, str_c(rows[i]))))
			continue;
		CHECK(!sa_open(sa, &j, ROOT, &sa->key, &plain, &e));
		FAILED(e, E_ANSWER);
	}
}

static void
test_sa_seal(void)
{
	static const char *const rows[] = { "", "{}", "{\"a\":\"\xc3\xa9\"}" };
	struct sa *sa = sa_bare();
	u8 key[32] = { 7 };

	sa_copy_id(sa->session, S("2CMCXTNSO7JS6W7667GVAEUHIA"));
	sa_key_init(&sa->key, ID(sa->session), key);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct err e = { 0 };
		struct str box, again, plain;
		struct json j;

		CHECK(sa_seal(sa, &sa->key, str_c(rows[i]), &box, &e));
		CHECK(sa_seal(sa, &sa->key, str_c(rows[i]), &again, &e));
		CHECK(!str_eq(box, again));     /* a fresh nonce */
		if (CHECK(parses(&j, box)) && CHECK(sa_open(sa, &j, ROOT,
		    &sa->key, &plain, &e)))
			SAME(plain, str_c(rows[i]));
		fake_random_fails = true;
		CHECK(!sa_seal(sa, &sa->key, str_c(rows[i]), &box, &e));
		FAILED(e, E_INTERNAL);
		fake_random_fails = false;
	}
}

/* The tree of keys, from the token's unlock key down to the vaults. */
static void
test_sa_keysets(void)
{
	struct sa *sa = sa_bare();
	uint32_t list, expect;
	unsigned rows = 0;

	load("test/data/keys.json");
	memcpy(sa->token.muk, hex_at(ROOT, "muk").p, 32);
	list = at(at(ROOT, "keysetsResponse"), "keysets");
	expect = at(at(ROOT, "expect"), "rsaKeyIds");
	/* the child stands first: it opens only after its parent */
	CHECK(!sa_keyset_open(sa, &vec, json_first(&vec, list)));
	EQUAL(sa->keysets, 0);
	for (int round = 0; round < 2; round++)
		EACH(k, list)
			if (sa_keyset_find(sa, text_at(k, "uuid")) == NULL)
				rows += sa_keyset_open(sa, &vec, k);
	EQUAL(rows, 2);
	EACH(k, expect) {
		struct str id = NOTHING;

		CHECK(json_str(&vec, k, &id));
		CHECK(sa_keyset_find(sa, id) != NULL);
	}
	CHECK(sa_keyset_find(sa, S("aaaaaaaaaaaaaaaaaaaaaaaaaa")) == NULL);
	sa->token.muk[0] ^= 1;          /* another token opens none */
	sa->keysets = 0;
	EACH(k, list)
		CHECK(!sa_keyset_open(sa, &vec, k));
	EQUAL(sa->keysets, 0);
}

static void
test_sa_vault_keys(void)
{
	struct sa *sa = sa_bare();
	uint32_t list, vaults;

	load("test/data/keys.json");
	memcpy(sa->token.muk, hex_at(ROOT, "muk").p, 32);
	list = at(at(ROOT, "keysetsResponse"), "keysets");
	vaults = at(ROOT, "vaults");
	for (int have = 0; have < 3; have++) {
		sa->keysets = 0;        /* none, one, both */
		for (int round = 0; round < 2 * (have == 2) + have; round++)
			EACH(k, list)
				if (sa_keyset_find(sa, text_at(k, "uuid")) ==
				    NULL && (int)sa->keysets < have)
					(void)!sa_keyset_open(sa, &vec, k);
		EQUAL(sa->keysets, have);
		EACH(k, vaults) {
			struct sa_vault v = { .listed = false };
			uint32_t node = at(k, "json");
			struct str by = text_at(at(node, "combinedAccess"),
			    "encryptedBy");
			bool can = sa_keyset_find(sa, by) != NULL;

			run.row = cstr(text_at(at(k, "plain"), "name"));
			if (!CHECK(mem_open(&sa->names, 65536)))
				return;
			sa_copy_id(v.id, text_at(node, "uuid"));
			EQUAL(sa_vault_open(sa, &vec, node, &v), can);
			if (can) {
				SAME(hex(v.key, 32), text_at(k, "key"));
				SAME(ID(v.key_id), text_at(k, "keyId"));
				SAME(v.pub.name, text_at(at(k, "plain"),
				    "name"));
			} else {
				SAME(v.pub.name, NOTHING);
			}
			(void)munmap(sa->names.base, sa->names.cap);
		}
	}
}

/* One clear error for each status; never success for what is none. */
static void
test_sa_status(void)
{
	static const struct {
		int status;
		enum err_code signing_in, later;
	} rows[] = {
		{ 200, E_NONE, E_NONE }, { 201, E_NONE, E_NONE },
		{ 299, E_NONE, E_NONE },
		{ 300, E_SERVICE, E_SERVICE }, { 301, E_SERVICE, E_SERVICE },
		{ 304, E_SERVICE, E_SERVICE }, { 399, E_SERVICE, E_SERVICE },
		{ 400, E_SIGN_IN, E_SERVICE }, { 401, E_SIGN_IN, E_SIGN_IN },
		{ 402, E_SERVICE, E_SERVICE }, { 403, E_SIGN_IN, E_DENIED },
		{ 404, E_SIGN_IN, E_ITEM }, { 409, E_SIGN_IN, E_SERVICE },
		{ 429, E_RATE, E_RATE }, { 500, E_SERVICE, E_SERVICE },
		{ 503, E_SERVICE, E_SERVICE }, { 599, E_SERVICE, E_SERVICE },
	};
	struct sa *sa = sa_bare();

	for (size_t i = 0; i < LEN(rows); i++)
		for (int step = 0; step <= 4; step++) {
			enum err_code want = step > 0 ? rows[i].signing_in :
			    rows[i].later;
			struct http_answer a = { .status = rows[i].status };
			struct err e = { 0 };

			EQUAL(sa_check_status(sa, &a, step, E_ITEM, &e),
			    want == E_NONE);
			FAILED(e, want);
			EQUAL(e.http, want == E_NONE ? 0 : rows[i].status);
			SAME(str_c(e.what), rows[i].status / 100 == 3 ?
			    S("a redirect") : NOTHING);
		}
}

/* A JWK of an RSA key whose numbers have these many bytes each. */
static struct str
jwk_of(const char *alg, size_t n, size_t p)
{
	static const char *const names[] = { "p", "q", "dp", "dq", "qi" };
	u8 bytes[1024];
	struct out o;

	memset(bytes, 0x80, sizeof bytes);
	out_open(&o, &T);
	OUT(&o, S("{\"alg\":\""), str_c(alg), S("\",\"n\":\""));
	b64_put_url(&o, (struct str){ bytes, n });
	for (size_t i = 0; i < LEN(names); i++) {
		OUT(&o, S("\",\""), str_c(names[i]), S("\":\""));
		b64_put_url(&o, (struct str){ bytes, p });
	}
	out_put(&o, S("\"}"));
	return out_close(&o, &T);
}

static void
test_sa_jwk_rsa(void)
{
	static const struct {
		const char *alg;
		size_t n, p;
		bool ok;
	} rows[] = {
		{ "RSA-OAEP", 256, 128, true },
		{ "RSA-OAEP-256", 256, 128, true },
		{ "RSA-OAEP", 384, 192, true },
		{ "RSA-OAEP", 512, 256, true },         /* 4096 bits */
		{ "RSA-OAEP-512", 256, 128, false },
		{ "rsa-oaep", 256, 128, false },
		{ "", 256, 128, false },
		{ "RSA-OAEP", 513, 256, false },
		{ "RSA-OAEP", 512, 257, false },
		{ "RSA-OAEP", 0, 128, false },
		{ "RSA-OAEP", 256, 0, false },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct cry_rsa rsa = { .bits = 0 };
		struct sa *sa = sa_bare();
		char label[64];

		(void)snprintf(label, sizeof label, "%s, %zu and %zu bytes",
		    rows[i].alg, rows[i].n, rows[i].p);
		run.row = label;
		EQUAL(sa_jwk_rsa(sa, jwk_of(rows[i].alg, rows[i].n,
		    rows[i].p), &rsa), rows[i].ok);
		if (rows[i].ok) {
			EQUAL(rsa.bits, rows[i].n * 8);
			EQUAL(rsa.p_len, rows[i].p);
			EQUAL(rsa.sha256, i == 1);
		}
	}
	run.row = NULL;
}

static void
test_sa_jwk_sym(void)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{ "{\"alg\":\"A256GCM\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		    "AAAAAAAAAAAAAA\",\"kid\":\"rluj342tamtg7a3qthdw7yfkkm\"}",
		    true },
		{ "{\"alg\":\"A128GCM\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		    "AAAAAAAAAAAAAA\",\"kid\":\"rluj342tamtg7a3qthdw7yfkkm\"}",
		    false },
		{ "{\"alg\":\"A256GCM\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAA\","
		    "\"kid\":\"rluj342tamtg7a3qthdw7yfkkm\"}", false },
		{ "{\"alg\":\"A256GCM\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		    "AAAAAAAAAAAAAA\",\"kid\":\"RLUJ\"}", false },
		{ "{\"alg\":\"A256GCM\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		    "AAAAAAAAAAAAAA\"}", false },
		{ "{\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\","
		    "\"kid\":\"rluj342tamtg7a3qthdw7yfkkm\"}", false },
		{ "[]", false }, { "", false }, { "{", false },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct sa *sa = sa_bare();
		struct str kid;
		u8 key[32];

		run.row = rows[i].text;
		EQUAL(sa_jwk_sym(sa, str_c(rows[i].text), key, &kid),
		    rows[i].ok);
	}
}

/* As many keysets and vaults as the limits promise find room. */
static void
test_sa_limits(void)
{
	struct arena keys;
	struct sa *sa;
	size_t keysets = 0, vaults = 0;

	if (!CHECK(mem_open(&keys, ARENA_LOCKED)))
		return;
	sa = mem_alloc(&keys, sizeof *sa);
	if (!CHECK(sa != NULL))
		return;
	sa->keys = &keys;
	while (keysets < KEYSETS_MAX &&
	    mem_alloc(&keys, sizeof(struct sa_keyset)) != NULL)
		keysets++;
	EQUAL(keysets, KEYSETS_MAX);
	mem_reset(&keys, 0);
	sa = mem_alloc(&keys, sizeof *sa);
	sa->keys = &keys;
	for (; vaults < VAULTS_MAX; vaults++) {
		u8 id[ID_LEN + 1];

		(void)snprintf((char *)id, sizeof id, "%026zu", vaults);
		if (sa_vault_place(sa, ID(id)) == NULL)
			break;
	}
	EQUAL(vaults, VAULTS_MAX);
	CHECK(mem_alloc(&keys, sizeof(struct cry_srp)) != NULL);
	(void)munmap(keys.base, keys.cap);
}

static struct str
member_of(const struct json *j, uint32_t node, const char *name)
{
	struct str s = NOTHING;

	(void)!json_get_str(j, node, str_c(name), &s);
	return s;
}

/* The item's part is what the vectors say. */
static void
part_same(struct sa *sa, const struct sa_vault *v, uint32_t box, uint32_t want,
    struct str sha256)
{
	struct err e = { 0 };
	struct json part;
	u8 h[SHA256_LEN];

	if (!CHECK(sa_vault_part(sa, v, &vec, box, &part, &e)))
		return;
	if (want != 0)
		CHECK(json_is_same(&part, ROOT, &vec, want));
	if (sha256.n > 0) {
		SHA256(h, part.text);
		SAME(hex(h, sizeof h), sha256);
	}
}

/* Shown by the SDKs as a field: not the notes, files and facts of an SSH key,
 * which the item holds as fields too. */
static bool
view_has(const struct field *f)
{
	return f->kind != KIND_NOTES && f->kind != KIND_FILE &&
	    f->kind != KIND_SSH_FACT && f->kind != KIND_WEB;
}

/* The fact of an SSH key with this id, from the item. */
static struct str
fact_of(const struct item *it, const char *id)
{
	struct str value = NOTHING;

	for (size_t i = 0; i < it->fields; i++)
		if (it->field[i].kind == KIND_SSH_FACT &&
		    str_eq(it->field[i].id, str_c(id)))
			value = value_of(&it->field[i]);
	return value;
}

/* What the view tells about a field besides its value. */
static void
details_same(const struct item *it, const struct field *f, uint32_t details)
{
	static const char *const part[] = { "street", "city", "state", "zip",
		"country" };
	uint32_t more = at(details, "content");
	uint32_t v = json_get(&it->details, f->node, S("v"));

	EQUAL(details != 0, f->kind == KIND_SSH_KEY ||
	    f->kind == KIND_ADDRESS || f->kind == KIND_TOTP);
	if (f->kind == KIND_TOTP)
		SAME(text_at(details, "type"), S("Otp"));
	for (size_t i = 0; i < LEN(part) && f->kind == KIND_ADDRESS; i++) {
		struct str s = NOTHING;

		(void)!json_get_str(&it->details, v, str_c(part[i]), &s);
		SAME(s, text_at(more, part[i]));
	}
	if (f->kind != KIND_SSH_KEY)
		return;
	SAME(fact_of(it, "public_key"), text_at(more, "publicKey"));
	SAME(fact_of(it, "fingerprint"), text_at(more, "fingerprint"));
	SAME(fact_of(it, "key type"), str_is_start(text_at(more, "keyType"),
	    S("RSA, ")) ? S("rsa") : str_eq(text_at(more, "keyType"),
	    S("Ed25519")) ? S("ed25519") : S("?"));
}

/* The item's fields are those of the view, in its order, and no others. */
static void
fields_same(const struct item *it, uint32_t view)
{
	uint32_t list = at(view, "fields"), details;
	size_t i = 0;

	EACH(k, list) {
		const struct field *f;

		while (i < it->fields && !view_has(&it->field[i]))
			i++;
		if (!CHECK(i < it->fields))
			return;
		f = &it->field[i++];
		SAME(f->id, text_at(k, "id"));
		SAME(f->title, text_at(k, "title"));
		SAME(str_c(kinds[f->kind].name), text_at(k, "fieldType"));
		SAME(value_of(f), text_at(k, "value"));
		EQUAL(value_of(f).p == NULL, f->kind == KIND_OTHER);
		if (f->kind == KIND_OTHER) {
			/* The SDK shows no section, but finds it by that. */
			CHECK(json_is_null(&vec, at(k, "sectionId")));
		} else {
			EQUAL(f->in == NULL, json_is_null(&vec, at(k,
			    "sectionId")));
			SAME(f->in != NULL ? f->in->id : NOTHING,
			    text_at(k, "sectionId"));
		}
		details = at(k, "details");
		details_same(it, f, json_is_null(&vec, details) ? 0 : details);
	}
	while (i < it->fields && !view_has(&it->field[i]))
		i++;
	EQUAL(i, it->fields);
}

/* What names a file, in the item's details, and what the view says. */
static void
file_same(const struct item *it, const struct field *f, uint32_t view)
{
	SAME(f->title, text_at(view, "name"));
	CHECK(value_of(f).p == NULL);
	SAME(member_of(&it->details, f->node, "documentId"),
	    text_at(view, "id"));
	EQUAL(f->size, number_at(view, "size"));
}

/* The item's files, notes and document are those of the view. */
static void
files_same(const struct item *it, uint32_t view)
{
	uint32_t list = at(view, "files"), k = json_first(&vec, list);
	uint32_t doc = at(view, "document");
	struct str notes = NOTHING;
	bool has_document = false;

	for (size_t i = 0; i < it->fields; i++) {
		const struct field *f = &it->field[i];

		if (f->kind == KIND_NOTES)
			notes = value_of(f);
		if (f->kind != KIND_FILE)
			continue;
		if (f->in == NULL) {
			has_document = true;
			EQUAL(f->node, json_get(&it->details, ROOT,
			    S("documentAttributes")));
			file_same(it, f, doc);
			continue;
		}
		if (!CHECK(k != 0))
			return;
		SAME(f->id, text_at(k, "fieldId"));
		SAME(f->in->id, text_at(k, "sectionId"));
		file_same(it, f, at(k, "attributes"));
		k = json_next(&vec, list, k);
	}
	EQUAL(k, 0);
	EQUAL(has_document, !json_is_null(&vec, doc));
	SAME(notes, text_at(view, "notes"));
}

/* A list of texts is that of the view; with a member named, of objects. */
static void
texts_same(const struct str *s, size_t n, uint32_t list, const char *member)
{
	size_t i = 0;

	EACH(k, list) {
		struct str want = NOTHING;

		CHECK(json_str(&vec, member == NULL ? k : at(k, member),
		    &want));
		if (CHECK(i < n))
			SAME(s[i++], want);
	}
	EQUAL(i, n);
}

/* The value in the view of the login's own field, or of the field so named
 * in another category. */
static struct str
view_value(uint32_t view, struct str category, struct str name)
{
	uint32_t list = at(view, "fields");
	struct str value = NOTHING;

	if (str_eq(category, S("112")) && str_eq(name, S("password")))
		name = S("credential");
	EACH(f, list)
		if (json_is_str(&vec, f, S("id"), name))
			value = text_at(f, "value");
	return value;
}

/* The whole view of an item. */
static void
view_same(const struct item *it, uint32_t view)
{
	uint32_t list = at(view, "sections");
	size_t i = 0;

	SAME(it->ref.title, text_at(view, "title"));
	SAME(item_category_name(it->ref.category), text_at(view, "category"));
	texts_same(it->ref.tag, it->ref.tags, at(view, "tags"), NULL);
	texts_same(it->ref.url, it->ref.urls, at(view, "websites"), "url");
	fields_same(it, view);
	files_same(it, view);
	EACH(k, list) {
		if (!CHECK(i < it->sections))
			break;
		SAME(it->section[i].id, text_at(k, "id"));
		SAME(it->section[i++].title, text_at(k, "title"));
	}
	EQUAL(i, it->sections);
	SAME(value_of(item_login_field(it, FOR_USERNAME)),
	    view_value(view, it->ref.category, S("username")));
	SAME(value_of(item_login_field(it, FOR_PASSWORD)),
	    view_value(view, it->ref.category, S("password")));
}

static void
item_case(struct sa *sa, const struct sa_vault *v, uint32_t k)
{
	uint32_t stored = at(k, "stored"), view = at(k, "view");
	struct item it = { .ref.category = text_at(stored,
		"templateUuid") };
	struct err e = { 0 };

	row_of(k);
	part_same(sa, v, at(stored, "encOverview"), at(k, "overview"),
	    NOTHING);
	part_same(sa, v, at(stored, "encDetails"), at(k, "details"),
	    text_at(k, "detailsSha256"));
	EQUAL(sa_item_state(&vec, stored), json_is_str(&vec, stored,
	    S("trashed"), S("N")) ? ITEM_ACTIVE : ITEM_ARCHIVED);
	if (view == 0)
		return;
	SAME(text_at(stored, "uuid"), text_at(view, "id"));
	EQUAL(number_at(stored, "itemVersion"), number_at(view, "version"));
	if (CHECK(sa_vault_part(sa, v, &vec, at(stored, "encOverview"),
	    &it.over, &e)) && CHECK(sa_item_names(sa->scratch, &it.over,
	    &it.ref)) && CHECK(sa_vault_part(sa, v, &vec, at(stored,
	    "encDetails"), &it.details, &e)) &&
	    CHECK(sa_item_fields(sa, &it, &e)))
		view_same(&it, view);
}

static void
vault_of(struct sa_vault *v)
{
	memset(v, 0, sizeof *v);
	memcpy(v->key, hex_at(ROOT, "vaultKey").p, 32);
	sa_copy_id(v->key_id, text_at(ROOT, "vaultKeyId"));
}

static void
test_sa_items(void)
{
	struct sa *sa = sa_bare();
	struct sa_vault v;
	unsigned rows = 0;
	uint32_t list;

	load("test/data/items.json");
	vault_of(&v);
	list = at(ROOT, "cases");
	EACH(k, list) {
		item_case(sa, &v, k);
		rows++;
	}
	EQUAL(rows, 33);
	run.row = "another key";
	v.key[31] ^= 1;
	EACH(k, list) {
		struct err e = { 0 };
		struct json part;

		CHECK(!sa_vault_part(sa, &v, &vec, at(at(k, "stored"),
		    "encDetails"), &part, &e));
		FAILED(e, E_ANSWER);
	}
}

/* Details of every odd shape: what is not understood is left out. */
static void
test_sa_item_fields(void)
{
	static const struct {
		const char *category, *details, *want;
	} rows[] = {
		{ "001", "{}", "" },
		{ "001", "[]", "" },
		{ "001", "\"x\"", "" },
		{ "001", "{\"fields\":null,\"sections\":null}", "" },
		{ "001", "{\"fields\":{},\"sections\":{}}", "" },
		{ "001", "{\"fields\":[{\"designation\":\"username\",\"value\""
		    ":\"u\"}]}", "username=u;" },
		{ "001", "{\"fields\":[{\"designation\":\"password\",\"value\""
		    ":\"p\"},{\"designation\":\"x\",\"value\":\"y\"},1,null,"
		    "[]]}", "password=p;=y;" },
		{ "001", "{\"fields\":[{\"designation\":\"username\"}]}",
		    "username=;" },
		{ "001", "{\"fields\":[{\"designation\":\"username\",\"value\""
		    ":5}]}", "username=;" },
		{ "001", "{\"password\":\"p\"}", "" },
		{ "005", "{\"password\":\"p\"}", "password=p;" },
		{ "005", "{\"password\":\"\"}", "password=;" },
		{ "005", "{\"password\":null}", "password=;" },
		{ "005", "{\"password\":7}", "password=;" },
		{ "005", "{\"fields\":[{\"designation\":\"username\",\"value\""
		    ":\"u\"}]}", "password;" },
		{ "110", "{\"sections\":[{\"fields\":[{\"k\":\"string\",\"n\":"
		    "\"a\",\"t\":\"A\",\"v\":\"1\"}]}]}", "a/A=1;" },
		{ "110", "{\"sections\":[{\"fields\":[{\"k\":\"string\",\"n\":"
		    "\"a\",\"v\":\"1\"}]}]}", "a/=1;" },
		{ "110", "{\"sections\":[{\"fields\":[{\"k\":\"string\",\"n\":"
		    "\"a\",\"t\":1,\"v\":\"1\"}]}]}", "a/=1;" },
		{ "110", "{\"sections\":[{\"fields\":[{\"n\":\"a\",\"v\":\"1\""
		    "}]}]}", "" },
		{ "110", "{\"sections\":[{\"fields\":[{\"k\":\"string\",\"v\":"
		    "\"1\"}]}]}", "" },
		{ "110", "{\"sections\":[{\"fields\":[{\"k\":1,\"n\":\"a\"}]}"
		    "]}", "" },
		{ "110", "{\"sections\":[{\"fields\":[{\"k\":\"date\",\"n\":"
		    "\"a\",\"v\":1}]}]}", "a/=1970-01-01;" },
		{ "110", "{\"sections\":[{\"fields\":[{\"k\":\"file\",\"n\":"
		    "\"a\",\"v\":{\"x\":\"y\"}}]}]}", "a/;" },
		{ "110", "{\"sections\":[{\"fields\":null},{},1,null,[],"
		    "{\"fields\":[1,null,\"x\",[]]},{\"fields\":[{\"k\":"
		    "\"string\",\"n\":\"b\",\"v\":\"\\u0000\"}]}]}",
		    "b/=\\u0000;" },
		{ "110", "{\"sections\":[{\"fields\":[{\"k\":\"URL\",\"n\":"
		    "\"a\",\"v\":\"1\"},{\"k\":\"menu\",\"n\":\"a\",\"v\":"
		    "\"2\"}]}]}", "a/=1;a/=2;" },
		{ "110", "{\"sections\":[{\"fields\":[{\"k\":\"sshKey\",\"n\":"
		    "\"a\",\"v\":\"1\"},{\"k\":\"string\",\"n\":\"b\"},{\"k\":"
		    "\"concealed\",\"n\":\"c\",\"v\":null}]}]}",
		    "a/=1;b/=;c/=;" },
		{ "110", "{\"fields\":[{\"designation\":\"username\",\"value\""
		    ":\"u\"}],\"password\":\"p\"}", "username=u;" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct sa *sa = sa_bare();
		struct item it = { .ref.category = str_c(rows[i].category) };
		struct err e = { 0 };
		u8 room[256];
		struct out o;

		run.row = rows[i].details;
		if (!CHECK(parses(&it.details, str_c(rows[i].details))) ||
		    !CHECK(sa_item_fields(sa, &it, &e)))
			continue;
		out_init(&o, room, sizeof room);
		for (size_t f = 0; f < it.fields; f++) {
			struct str v = value_of(&it.field[f]);

			out_put(&o, it.field[f].id);
			if (!str_eq(it.field[f].title, it.field[f].id))
				OUT(&o, S("/"), it.field[f].title);
			if (v.p != NULL)
				OUT(&o, S("="), str_eq(v, (struct str)B("\0")) ?
				    S("\\u0000") : v);
			out_put(&o, S(";"));
		}
		SAME(out_str(&o), str_c(rows[i].want));
	}
}

/* An item of one section whose fields are given as JSON. */
static struct item
item_with(struct str fields)
{
	struct item it = { .ref.category = S("110") };
	struct err e = { 0 };

	CHECK(parses(&it.details, JOIN(&T, S("{\"sections\":[{\"name\":\"s\","
	    "\"title\":\"S\",\"fields\":["), fields, S("]}]}"))));
	CHECK(sa_item_fields(sa_bare(), &it, &e));
	FAILED(e, E_NONE);
	return it;
}

/* What a field of this kind and value shows. */
static struct str
shown_as(const char *kind, const char *value)
{
	struct item it = item_with(JOIN(&T, S("{\"k\":\""), str_c(kind),
	    S("\",\"n\":\"a\",\"v\":"), str_c(value), S("}")));

	if (!EQUAL(it.fields, 1))
		return NOTHING;
	CHECK(it.field[0].in == &it.section[0]);
	return value_of(&it.field[0]);
}

static void
test_sa_dates(void)
{
	static const struct {
		const char *kind, *value, *want;
	} rows[] = {
		{ "date", "0", "1970-01-01" }, { "date", "-0", "1970-01-01" },
		{ "date", "1709553660", "2024-03-04" },
		{ "date", "\"1709553660\"", "2024-03-04" },
		{ "date", "-1", "1969-12-31" },
		{ "date", "-86400", "1969-12-31" },
		{ "date", "-86401", "1969-12-30" },
		{ "date", "\"-86401\"", "1969-12-30" },
		{ "date", "951782400", "2000-02-29" },
		{ "date", "68169600", "1972-02-29" },
		{ "date", "1078012800", "2004-02-29" },
		{ "date", "-2203891200", "1900-03-01" },
		{ "date", "-2203891201", "1900-02-28" },
		{ "date", "4107542399", "2100-02-28" },
		{ "date", "4107542400", "2100-03-01" },
		{ "date", "32503679999", "2999-12-31" },
		{ "date", "32503680000", "" },
		{ "date", "-62135596800", "0001-01-01" },
		{ "date", "-62135596801", "" },
		{ "date", "-62167219200", "" },
		{ "date", "-999999999999999", "" },
		{ "date", "99999999999999999999", "" },
		{ "date", "1.5", "" }, { "date", "1e9", "" },
		{ "date", "\"x\"", "" }, { "date", "\"\"", "" },
		{ "date", "\"-\"", "" }, { "date", "\"+1\"", "" },
		{ "date", "\" 1\"", "" }, { "date", "\"1.0\"", "" },
		{ "date", "null", "" }, { "date", "true", "" },
		{ "date", "[1]", "" }, { "date", "{\"v\":1}", "" },
		{ "monthYear", "202712", "12/2027" },
		{ "monthYear", "202701", "01/2027" },
		{ "monthYear", "202700", "" }, { "monthYear", "202713", "" },
		{ "monthYear", "2712", "12/2027" },
		{ "monthYear", "9912", "12/2099" },
		{ "monthYear", "101", "01/2001" },
		{ "monthYear", "1", "01/2000" }, { "monthYear", "0", "" },
		{ "monthYear", "999912", "12/9999" },
		{ "monthYear", "1000001", "" },
		{ "monthYear", "-202712", "" }, { "monthYear", "-1", "" },
		{ "monthYear", "202712.0", "" },
		{ "monthYear", "\"202712\"", "12/2027" },
		{ "monthYear", "null", "" }, { "monthYear", "false", "" },
		{ "monthYear", "[]", "" }, { "monthYear", "{}", "" },
		{ "gender", "\"f\"", "f" }, { "menu", "3", "" },
		{ "cctype", "\"mc\"", "mc" }, { "phone", "null", "" },
		{ "newkind", "\"x\"", "" }, { "ssoLogin", "{}", "" },
		{ "Date", "0", "" }, { "", "\"x\"", "" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct str got;

		run.row = cstr(JOIN(&T, str_c(rows[i].kind), S(" "),
		    str_c(rows[i].value)));
		got = shown_as(rows[i].kind, rows[i].value);
		SAME(got, str_c(rows[i].want));
		EQUAL(got.p == NULL, item_kind(str_c(rows[i].kind), S("a")) ==
		    KIND_OTHER);
	}
}

/* The same day as the C library's, in the years 1 to 9999. */
static void
test_time_put_day(void)
{
	for (int64_t i = 0; i < (int64_t)ROUNDS(100000); i++) {
		time_t t = (time_t)(-62135596800 + (int64_t)(((uint64_t)rnd(
		    UINT32_MAX) << 32 | rnd(UINT32_MAX)) % 315537897600));
		struct tm tm;
		char want[64];
		u8 room[16];
		struct out o;

		if (i < 4000)           /* around each end of a day */
			t = (time_t)((i / 2 - 1000) * 86400 - i % 2);
		out_init(&o, room, sizeof room);
		time_put_day(&o, t);
		(void)gmtime_r(&t, &tm);
		(void)snprintf(want, sizeof want, "%04d-%02d-%02d",
		    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
		if (!str_eq(out_str(&o), str_c(want)))
			SAME(out_str(&o), str_c(want));
		run.passed++;
	}
}

/* An address with every subset of its parts; what is not there is missing,
 * empty, or no string. */
static void
test_sa_addresses(void)
{
	static const char *const part[] = { "street", "city", "state", "zip",
		"country" };
	static const char *const none[] = { NULL, "\"\"", "null", "7", "{}" };

	for (unsigned set = 0; set < 32 * LEN(none); set++) {
		const char *gone = none[set / 32];
		struct out o, want;
		struct str line;
		size_t middle;

		out_open(&o, &T);
		out_put(&o, S("{\"x\":\"y\""));
		for (size_t i = 0; i < LEN(part); i++)
			if ((set >> i & 1) != 0)
				OUT(&o, S(",\""), str_c(part[i]), S("\":\""),
				    str_c(part[i]), S("\""));
			else if (gone != NULL)
				OUT(&o, S(",\""), str_c(part[i]), S("\":"),
				    str_c(gone));
		out_put(&o, S("}"));
		run.row = cstr(out_close(&o, &T));
		out_open(&want, &T);
		if ((set & 1) != 0)
			out_put(&want, S("street"));
		if ((set & 1) != 0 && (set & 14) != 0)
			out_put(&want, S(", "));
		middle = want.n;
		for (size_t i = 1; i < 4; i++)
			if ((set >> i & 1) != 0)
				OUT(&want, want.n > middle ? S(" ") : S(""),
				    str_c(part[i]));
		if ((set & 16) != 0)
			OUT(&want, want.n > 0 ? S(", ") : S(""), S("country"));
		line = out_close(&want, &T);    /* the arena is free again */
		SAME(shown_as("address", run.row), line);
	}
	run.row = "escapes";
	SAME(shown_as("address", "{\"zip\":\"Gro\\u00dfer Weg 3\",\"city\":"
	    "\"a\\\\b\",\"street\":\"\\\"q\\\"\"}"),
	    S("\"q\", a\\b Gro\xc3\x9f" "er Weg 3"));
	run.row = "no object";
	SAME(shown_as("address", "\"street\""), S(""));
	SAME(shown_as("address", "[]"), S(""));
	SAME(shown_as("address", "null"), S(""));
}

/* Split a reference that is known to be well formed. */
static struct ref
ref_of(struct str text, struct str *query)
{
	struct str s = str_from(text, strlen("op://")), part[4];
	struct ref r = { .section = NOTHING };
	size_t n = 0, mark = str_find(s, '?');

	*query = mark < s.n ? str_from(s, mark + 1) : NOTHING;
	s = str_upto(s, mark);
	while (n < 4 && str_cut(&s, '/', &part[n]))
		n++;
	if (!CHECK(n == 3 || n == 4))
		return r;
	r.vault = part[0];
	r.item = part[1];
	r.field = part[n - 1];
	if (n == 4)
		r.section = part[2];
	return r;
}

/* The nodes of a list that an id, exactly, or a name means; archived ones
 * only by id. */
static size_t
matches(uint32_t list, const char *title, struct str name, uint32_t *found)
{
	size_t n = 0;

	EACH(k, list) {
		bool active = !json_is_str(&vec, k, S("trashed"), S("Y"));

		if (json_is_word(&vec, at(k, "readable"), S("false")) ||
		    (!json_is_str(&vec, k, S("id"), name) && (!active ||
		    !str_nocase_eq(text_at(k, title), name))))
			continue;
		*found = k;
		n++;
	}
	return n;
}

static bool
str_has(struct str s, const char *part)
{
	for (size_t i = 0; i < s.n; i++)
		if (str_is_start(str_from(s, i), str_c(part)))
			return true;
	return false;
}

/* The field of an item is what the SDK found, or it failed likewise. */
static void
resolve_same(const struct item *it, const struct ref *r, struct str query,
    uint32_t k)
{
	static const struct {
		const char *part;
		enum err_code code;
	} rows[] = { { "no section matched", E_SECTION },
	    { "more than one field", E_FIELD_MANY },
	    { "specified field cannot", E_FIELD } };
	struct str error = text_at(k, "error");
	const struct field *f = NULL;
	enum err_code code = E_NONE;
	struct err e = { 0 };
	bool ok = item_resolve(it, r, &f, &e);

	for (size_t i = 0; i < LEN(rows); i++)
		if (str_has(error, rows[i].part))
			code = rows[i].code;
	FAILED(e, code);
	EQUAL(ok, code == E_NONE);
	if (!ok || code != E_NONE)
		return;
	if (str_has(error, "unable to read value"))
		CHECK(f->kind == KIND_OTHER && value_of(f).p == NULL);
	else if (str_has(error, "only text files"))
		CHECK(f->kind == KIND_FILE && value_of(f).p == NULL);
	else if (str_has(error, "TOTP code could not"))
		EQUAL(f->kind, KIND_TOTP);
	else if (str_has(error, "TOTP attribute can only"))
		CHECK(f->kind != KIND_TOTP);
	else if (str_has(error, "SSH key formatting can only"))
		CHECK(f->kind != KIND_SSH_KEY);
	else if (!EQUAL(error.n, 0))
		show(error);
	else if (query.n > 0)
		EQUAL(f->kind, str_is_start(query, S("ssh")) ? KIND_SSH_KEY :
		    KIND_TOTP);
	else if (f->kind != KIND_FILE)
		SAME(value_of(f), text_at(k, "value"));
}

/* One reference, looked for in the account of the vectors. */
static void
resolve_case(uint32_t k, unsigned by[static 5])
{
	struct str error = text_at(k, "error"), query;
	struct ref r = ref_of(text_at(k, "ref"), &query);
	struct item it = { .fields = 0 };
	uint32_t vault = 0, item = 0;
	struct err e = { 0 };
	size_t n = matches(at(ROOT, "vaults"), "name", r.vault, &vault);
	bool both = json_is_str(&vec, vault, S("id"), r.vault) &&
	    id_is_valid(r.item, 'a');

	if (n == 1)
		n = 10 + matches(at(vault, "items"), "title", r.item, &item);
	if (n == 11 && json_is_str(&vec, item, S("trashed"), S("Y"))) {
		/* asked for by both ids, the SDK forgets the first error */
		CHECK(str_has(error, both ? "no vault" : "active state"));
		by[0]++;
		return;
	}
	EQUAL(n == 0, str_has(error, "no vault"));
	EQUAL(n == 10, str_has(error, "no item matched"));
	EQUAL(n > 11, str_has(error, "more than one item"));
	by[n == 0 ? 1 : n == 10 ? 2 : n > 11 ? 3 : 4]++;
	if (n != 11)
		return;
	it.ref.category = text_at(item, "templateUuid");
	if (CHECK(parses(&it.details, json_raw(&vec, at(item, "details")))) &&
	    CHECK(sa_item_fields(sa_bare(), &it, &e)))
		resolve_same(&it, &r, query, k);
}

/* Which field wins where several bear a name. */
static void
test_item_resolve_order(void)
{
	static const struct {
		const char *section, *field;
		enum err_code code;
		const char *want;
	} rows[] = {
		{ NULL, "x", E_NONE, "1" }, { NULL, "X", E_NONE, "1" },
		{ "a", "x", E_NONE, "1" }, { "", "x", E_NONE, "1" },
		{ "B", "x", E_FIELD_MANY, "" }, { "bb", "x", E_NONE, "2" },
		{ "d", "x", E_NONE, "7" }, { NULL, "y", E_NONE, "3" },
		{ "b", "w", E_NONE, "6" }, { NULL, "z", E_FIELD_MANY, "" },
		{ "", "z", E_FIELD_MANY, "" }, { "c", "z", E_NONE, "4" },
		{ NULL, "notes", E_NONE, "n" }, { "B", "notes", E_NONE, "8" },
		{ NULL, "NOTESPLAIN", E_NONE, "n" },
		{ "B", "notesPlain", E_FIELD, "" },
		{ "", "notes", E_FIELD, "" }, { "e", "x", E_SECTION, "" },
		{ NULL, "q", E_FIELD, "" }, { "empty", "x", E_FIELD, "" },
		{ NULL, "", E_NONE, "9" },
	};
	struct item it = { .ref.category = S("110") };
	struct err e = { 0 };

#define ONE(id, title, v) "{\"k\":\"string\",\"n\":\"" id "\",\"t\":\"" \
	title "\",\"v\":\"" v "\"}"
	CHECK(parses(&it.details, S("{\"notesPlain\":\"n\",\"sections\":["
	    "{\"name\":\"bb\",\"title\":\"B\",\"fields\":[" ONE("i2", "x",
	    "2") "," ONE("y", "y", "3") "," ONE("i8", "notes", "8") "]},"
	    "{\"name\":\"a\",\"title\":\"\",\"fields\":[" ONE("i1", "x",
	    "1") "]},{\"name\":\"c\",\"fields\":[" ONE("i4", "z", "4") "]},"
	    "{\"name\":\"c2\",\"title\":\"\",\"fields\":[" ONE("z", "k",
	    "5") "]},{\"name\":\"d\",\"title\":\"b\",\"fields\":["
	    ONE("w", "w", "6") "," ONE("x", "i7", "7") "," ONE("i9", "", "9")
	    "]},{\"name\":\"empty\"}]}")));
	CHECK(sa_item_fields(sa_bare(), &it, &e));
	for (size_t i = 0; i < LEN(rows); i++) {
		struct ref r = { .section = str_c(rows[i].section),
			.field = str_c(rows[i].field) };
		const struct field *f = NULL;

		run.row = cstr(JOIN(&T, str_c(rows[i].section), S("/"),
		    str_c(rows[i].field)));
		e = (struct err){ 0 };
		EQUAL(item_resolve(&it, &r, &f, &e), rows[i].code == E_NONE);
		FAILED(e, rows[i].code);
		if (e.code == E_NONE)
			SAME(value_of(f), str_c(rows[i].want));
	}
	run.row = NULL;
}

/* The references of the vectors find what 1Password's SDK finds. */
static void
test_item_resolve(void)
{
	unsigned by[5] = { 0 }, syntax = 0;
	uint32_t list;

	load("test/data/resolve.json");
	list = at(ROOT, "cases");
	EACH(k, list) {
		run.row = cstr(text_at(k, "ref"));
		if (str_has(text_at(k, "error"), "could not be parsed"))
			syntax++;
		else
			resolve_case(k, by);
	}
	run.row = NULL;
	EQUAL(syntax, 20);
	EQUAL(by[0], 2);                /* archived */
	EQUAL(by[1], 5);                /* no vault */
	EQUAL(by[2], 5);
	EQUAL(by[3], 1);
	EQUAL(by[4], 102);
}

/* The facts of an SSH key, as fields beside it. */
static void
test_sa_ssh_facts(void)
{
	static const struct {
		const char *more, *want;
	} rows[] = {
		{ "", "k;" }, { ",\"a\":null", "k;" },
		{ ",\"a\":{}", "k;" },
		{ ",\"a\":{\"guarded\":\"yes\"}", "k;" },
		{ ",\"a\":{\"sshKeyAttributes\":null}", "k;" },
		{ ",\"a\":{\"sshKeyAttributes\":[]}", "k;" },
		{ ",\"a\":{\"sshKeyAttributes\":{\"publicKey\":\"P\"}}",
		    "k;public_key/public key=P;" },
		{ ",\"a\":{\"sshKeyAttributes\":{\"fingerprint\":\"F\"}}",
		    "k;fingerprint/fingerprint=F;" },
		{ ",\"a\":{\"sshKeyAttributes\":{\"keyType\":{\"t\":"
		    "\"rsa\",\"c\":2048}}}", "k;key type/key type=rsa;" },
		{ ",\"a\":{\"sshKeyAttributes\":{\"keyType\":\"rsa\"}}",
		    "k;" },
		{ ",\"a\":{\"sshKeyAttributes\":{\"publicKey\":5}}",
		    "k;public_key/public key=;" },
		{ ",\"a\":{\"sshKeyAttributes\":{\"privateKey\":\"X\","
		    "\"publicKey\":\"P\",\"fingerprint\":\"F\",\"keyType\":"
		    "{\"t\":\"ed25519\"}}}", "k;public_key/public key=P;"
		    "fingerprint/fingerprint=F;key type/key type=ed25519;" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct item it = item_with(JOIN(&T, S("{\"k\":\"sshKey\",\"n\":"
		    "\"k\",\"v\":\"PEM\""), str_c(rows[i].more), S("}")));
		struct out o;

		run.row = rows[i].more;
		out_open(&o, &T);
		for (size_t f = 0; f < it.fields; f++) {
			OUT(&o, it.field[f].id);
			EQUAL(it.field[f].kind, f == 0 ? KIND_SSH_KEY :
			    KIND_SSH_FACT);
			EQUAL(it.field[f].node == 0, f > 0);
			EQUAL(item_is_protected(&it.field[f]), f == 0);
			/* the facts stand in no section, as in the SDKs */
			CHECK(it.field[f].in == (f == 0 ? &it.section[0] :
			    NULL));
			if (f > 0)
				OUT(&o, S("/"), it.field[f].title, S("="),
				    value_of(&it.field[f]));
			out_put(&o, S(";"));
		}
		SAME(out_close(&o, &T), str_c(rows[i].want));
	}
}

/* Whatever became of an item's details, its fields are in order. */
static void
fields_are_sound(struct sa *sa, struct item *it)
{
	static const char *const names[] = { "password", "a", "", "notes" };
	struct err e = { 0 };
	const struct field *f;
	struct ref r = { .section = NOTHING };
	bool sound = true;

	if (!CHECK(sa_item_fields(sa, it, &e)))
		return;
	for (size_t i = 0; i < it->fields; i++) {
		f = &it->field[i];
		sound = sound && f->id.p != NULL && f->title.p != NULL &&
		    (f->in == NULL || (f->in >= it->section &&
		    f->in < it->section + it->sections)) &&
		    f->node < it->details.n && ((f->value.p != NULL) ==
		    (f->kind != KIND_OTHER && f->kind != KIND_FILE) ||
		    f->purpose == FOR_PASSWORD);
		(void)item_is_protected(f);
	}
	CHECK(sound && it->fields <= it->details.n + 4 &&
	    it->sections <= it->details.n);
	for (size_t i = 0; i < LEN(names); i++) {
		r.field = str_c(names[i]);
		r.section = i % 2 != 0 ? S("") : NOTHING;
		e = (struct err){ 0 };
		sound = item_resolve(it, &r, &f, &e);
		EQUAL(sound, e.code == E_NONE);
		(void)item_login_field(it, FOR_USERNAME);
	}
}

/* Each value of a text replaced by each of these, in turn; what still is JSON
 * is handed to try(). */
static unsigned
each_odd(struct str text, void (*try)(struct sa *, struct json *, void *),
    void *arg)
{
	static const char *const odd[] = { "null", "1", "\"x\"", "[]", "{}",
		"-1", "\"\"", "[null]", "{\"k\":{}}" };
	struct sa *sa = sa_bare();
	struct json whole, j;
	unsigned tries = 0;

	if (!CHECK(parses(&whole, text)))
		return 0;
	for (uint32_t i = ROOT; i < whole.n; i++) {
		struct str raw = json_raw(&whole, i);
		size_t from = (size_t)(raw.p - whole.text.p);

		for (size_t k = 0; k < LEN(odd); k++) {
			size_t mark = T.used;
			struct err e = { 0 };
			struct str now = JOIN(&T, str_upto(whole.text, from),
			    str_c(odd[k]), str_from(whole.text, from + raw.n));

			if (json_parse(&j, &T, now, &e)) {
				try(sa, &j, arg);
				tries++;
			}
			mem_reset(&T, mark);
		}
	}
	return tries;
}

static void
odd_details(struct sa *sa, struct json *j, void *category)
{
	struct item it = { .ref.category = *(struct str *)category,
		.details = *j };

	fields_are_sound(sa, &it);
}

static void
odd_overview(struct sa *sa, struct json *j, void *arg)
{
	struct item_ref ref = { .tags = 0 };

	(void)arg;
	if (!CHECK(sa_item_names(sa->scratch, j, &ref)))
		return;
	CHECK(ref.title.p != NULL && ref.tags < j->n && ref.urls <= j->n);
	for (size_t i = 0; i < ref.tags; i++)
		CHECK(ref.tag[i].p != NULL);
	for (size_t i = 0; i < ref.urls; i++)
		CHECK(ref.url[i].p != NULL);
}

/* Members of the wrong type everywhere. */
static void
test_sa_item_oddities(void)
{
	unsigned tries = 0, names = 0, rows = 0;
	uint32_t list;

	load("test/data/items.json");
	list = at(ROOT, "cases");
	EACH(k, list) {
		struct str category = text_at(at(k, "stored"),
		    "templateUuid"), own = S("005");
		struct str over = json_raw(&vec, at(k, "overview"));

		row_of(k);
		if (at(k, "details") == 0 || (slow && rows++ % 8 != 0))
			continue;
		tries += each_odd(json_raw(&vec, at(k, "details")),
		    odd_details, &category);
		tries += each_odd(json_raw(&vec, at(k, "details")),
		    odd_details, &own);
		names += each_odd(over, odd_overview, NULL);
	}
	run.row = NULL;
	CHECK(tries > ROUNDS(5000) && names > ROUNDS(500));
}

static void
test_sa_item_state(void)
{
	static const struct {
		const char *text;
		enum item_state want;
	} rows[] = {
		{ "{\"trashed\":\"N\"}", ITEM_ACTIVE },
		{ "{\"trashed\":\"Y\"}", ITEM_ARCHIVED },
		{ "{\"trashed\":\"D\"}", ITEM_DELETED },
		{ "{}", ITEM_ACTIVE },
		{ "{\"trashed\":null}", ITEM_ACTIVE },
		{ "{\"trashed\":true}", ITEM_ACTIVE },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct json j;

		if (CHECK(parses(&j, str_c(rows[i].text))))
			EQUAL(sa_item_state(&j, ROOT), rows[i].want);
	}
}

/* --------------------------------------------------------------------
 * A whole service: the peer answers as 1Password would. Its side of SRP
 * comes from the vectors, where our random exponent is fixed as well.
 * -------------------------------------------------------------------- */

#define SESSION "2CMCXTNSO7JS6W7667GVAEUHIA"
#define VAULT "nrmvgca3h2g22rl6qws25y7bje"

/* One thing that goes wrong: an answer to the nth request whose path starts
 * like this is replaced. */
struct fault {
	const char *path;
	int status;             /* 0: the usual one; -1: it hangs up */
	const char *body;       /* NULL: the usual one */
	bool plain;             /* the body is not sealed */
	const char *head;       /* more header lines */
	unsigned times;
};

static struct {
	struct json srp, keys, items, token;
	uint32_t exchange;      /* in srp */
	struct cry_gcm gcm;
	struct fault fault;
	const char *first_status;       /* of step 1, once */
	unsigned requests;
	struct str log;         /* paths asked for, one letter each */
	u8 log_room[256];
	struct str cut;         /* vault list; n = 0: from the vectors */
	unsigned content;       /* version of the vault's content */
	struct str file;        /* what every file is, as it travels */
	struct str patch[4];    /* changes that came, opened; in T */
	struct str patch_box[4];        /* and as they came */
	unsigned patches;
	const char *patched;    /* answer to a change; NULL: none */
	enum reads { READ_USUAL, READ_OURS, READ_OLD, READ_OTHER, READ_GONE,
		READ_FAILS } reads;     /* the item, after a change came */
} onep;

static void
onep_load(void)
{
	load("test/data/token.json");
	onep.token = vec;
	load("test/data/keys.json");
	onep.keys = vec;
	load("test/data/items.json");
	onep.items = vec;
	load("test/data/srp.json");
	onep.srp = vec;
	onep.exchange = json_first(&vec, at(ROOT, "cases"));
	cry_gcm_init(&onep.gcm, hex_at(onep.exchange, "K").p);
	fake_bytes = hex_at(onep.exchange, "a");
	onep.fault = (struct fault){ 0 };
	onep.first_status = NULL;
	onep.requests = 0;
	onep.log = (struct str){ onep.log_room, 0 };
	onep.cut = NOTHING;
	onep.content = 3;
	onep.file = NOTHING;
	onep.patches = 0;
	onep.patched = NULL;
	onep.reads = READ_USUAL;
}

/* An envelope under the session key. */
static struct str
onep_seal(struct str plain)
{
	u8 nonce[GCM_IV] = { (u8)onep.requests, 1 };
	u8 *room = mem_alloc(&T, plain.n + GCM_TAG);
	struct out o;

	memcpy(room, plain.p, plain.n);
	cry_gcm_seal(&onep.gcm, nonce, room, plain.n);
	out_open(&o, &T);
	out_put(&o, S("{\"kid\":\"" SESSION "\",\"enc\":\"A256GCM\","
	    "\"cty\":\"b5+jwk+json\",\"iv\":\""));
	b64_put_url(&o, (struct str){ nonce, sizeof nonce });
	out_put(&o, S("\",\"data\":\""));
	b64_put_url(&o, (struct str){ room, plain.n + GCM_TAG });
	out_put(&o, S("\"}"));
	return out_close(&o, &T);
}

/* The object of the vectors' item with this id; n = 0: all, as a list. */
static struct str
onep_items(struct str id)
{
	uint32_t list = json_get(&onep.items, ROOT, S("cases"));
	struct out o;
	bool any = false;

	out_open(&o, &T);
	out_put(&o, id.n > 0 ? S("{\"item\":") :
	    S("{\"contentVersion\":"));
	if (id.n == 0) {
		out_u64(&o, onep.content);
		out_put(&o, S(",\"batchComplete\":true,\"items\":["));
	}
	for (uint32_t k = json_first(&onep.items, list); k;
	    k = json_next(&onep.items, list, k)) {
		uint32_t stored = json_get(&onep.items, k, S("stored"));

		if (id.n > 0 && !json_is_str(&onep.items, stored, S("uuid"),
		    id))
			continue;
		OUT(&o, any ? S(",") : S(""), json_raw(&onep.items, stored));
		any = true;
	}
	out_put(&o, id.n > 0 ? S("}") : S("]}"));
	return any ? out_close(&o, &T) : (out_close(&o, &T), NOTHING);
}

static struct str
onep_vaults(void)
{
	uint32_t list = json_get(&onep.keys, ROOT, S("vaults"));
	struct out o;

	if (onep.cut.n > 0)
		return onep.cut;
	out_open(&o, &T);
	out_byte(&o, '[');
	for (uint32_t k = json_first(&onep.keys, list); k;
	    k = json_next(&onep.keys, list, k))
		OUT(&o, o.p[o.n - 1] == '[' ? S("") : S(","),
		    json_raw(&onep.keys, json_get(&onep.keys, k, S("json"))));
	out_byte(&o, ']');
	return out_close(&o, &T);
}

/* What the small request for the version of a vault's content is told. */
static struct str
onep_version(void)
{
	struct out o;

	out_open(&o, &T);
	out_put(&o, S("{\"uuid\":\"" VAULT "\",\"contentVersion\":"));
	out_u64(&o, onep.content);
	out_put(&o, S("}"));
	return out_close(&o, &T);
}

/* Step 1's answer. */
static struct str
onep_start(void)
{
	const char *status = onep.first_status != NULL ? onep.first_status :
	    "ok";
	struct str salt = unhex(member_of(&onep.srp, ROOT, "salt"));
	struct out o;

	onep.first_status = NULL;
	out_open(&o, &T);
	OUT(&o, S("{\"status\":\""), str_c(status), S("\",\"sessionID\":\""
	    SESSION "\",\"accountKeyFormat\":\"A3\",\"accountKeyUuid\":"
	    "\"ABCDEF\",\"userAuth\":{\"method\":\"SRPg-4096\",\"alg\":"
	    "\"PBES2g-HS256\",\"iterations\":650000,\"salt\":\""));
	b64_put_url(&o, salt);
	out_put(&o, S("\"}}"));
	return out_close(&o, &T);
}

/* {"name":"value of the exchange"} */
static struct str
onep_member(const char *name, const char *from)
{
	struct out o;

	out_open(&o, &T);
	OUT(&o, S("{\""), str_c(name), S("\":\""),
	    member_of(&onep.srp, onep.exchange, from), S("\"}"));
	return out_close(&o, &T);
}

/* In the place of an answer: whatever is sent is taken, with the next
 * version. */
static const char onep_takes_all[] = "all";

static struct str
onep_next(struct str version)
{
	uint64_t n = 0;
	struct out o;

	CHECK(str_u64(version, UINT32_MAX, &n));
	out_init(&o, mem_alloc(&T, 20), 20);
	out_u64(&o, n + 1);
	return out_str(&o);
}

/* Take in a change: open the envelope and keep what is in it. */
static struct str
onep_patch(struct str sent)
{
	struct cry_gcm gcm = onep.gcm;
	struct str iv = NOTHING, data = NOTHING;
	u8 nonce[GCM_IV], *room;
	struct json box;
	size_t n = 0;

	if (!CHECK(parses(&box, sent)) || !CHECK(onep.patches < 4))
		return NOTHING;
	CHECK(json_is_str(&box, ROOT, S("kid"), S(SESSION)));
	CHECK(json_is_str(&box, ROOT, S("enc"), S("A256GCM")));
	CHECK(json_is_str(&box, ROOT, S("cty"), S("b5+jwk+json")));
	CHECK(json_get_str(&box, ROOT, S("iv"), &iv) &&
	    json_get_str(&box, ROOT, S("data"), &data));
	room = mem_alloc(&T, data.n);
	if (CHECK(room != NULL && b64_decode_exact(nonce, sizeof nonce, iv)) &&
	    CHECK(b64_decode(room, data, &n)) &&
	    CHECK(cry_gcm_open(&gcm, nonce, room, n, &n)))
		onep.patch[onep.patches] = (struct str){ room, n };
	onep.patch_box[onep.patches++] = sent;
	if (onep.patched == onep_takes_all)
		return JOIN(&T, S("{\"updatedItems\":{\""), text_of(
		    onep.patch[onep.patches - 1], "0>uuid"), S("\":"),
		    onep_next(path_at(onep.patch[onep.patches - 1],
		    "0>itemVersion")), S("}}"));
	return onep.patched != NULL ? str_c(onep.patched) : NOTHING;
}

/* The item as it is read after a change came. */
static struct str
onep_changed(struct str usual)
{
	struct json j;
	uint32_t sent, old;
	struct str details;
	bool ours = onep.reads == READ_OURS;

	if (onep.reads == READ_GONE || !parses(&j, onep.patch[0]))
		return NOTHING;
	sent = json_first(&j, ROOT);
	details = json_raw(&j, json_get(&j, sent, S("encDetails")));
	if (onep.reads != READ_OURS) {
		old = json_first(&onep.items, json_get(&onep.items, ROOT,
		    S("cases")));
		details = json_raw(&onep.items, json_get(&onep.items,
		    json_get(&onep.items, old, S("stored")),
		    S("encDetails")));
	}
	if (onep.reads == READ_OLD)
		return usual;
	return JOIN(&T, S("{\"item\":{\"uuid\":"), json_raw(&j, json_get(&j,
	    sent, S("uuid"))), S(",\"templateUuid\":\"001\",\"itemVersion\":"),
	    ours ? S("8") : S("9"), S(",\"trashed\":"), json_raw(&j,
	    json_get(&j, sent, S("trashed"))), S(",\"encOverview\":"),
	    json_raw(&j, json_get(&j, sent, S("encOverview"))),
	    S(",\"encDetails\":"), details, S("}}"));
}

/* The body for this request, and whether it travels sealed. NOTHING: no such
 * thing. */
static struct str
onep_body(struct str method, struct str path, struct str sent, bool *sealed)
{
	struct str item = S("/api/v1/vault/" VAULT "/item/");
	struct json j;
	struct err e = { 0 };

	*sealed = false;
	if (str_eq(path, S("/api/v3/auth/start")))
		return onep_start();
	if (str_is_start(path, S("/api/v1/device")))
		return S("{\"success\":1}");
	if (str_eq(path, S("/api/v2/auth"))) {
		CHECK(json_parse(&j, &T, sent, &e) && json_is_str(&j,
		    ROOT, S("userA"), member_of(&onep.srp,
		    onep.exchange, "userA")));
		return onep_member("userB", "userB");
	}
	if (str_eq(path, S("/api/v2/auth/confirm-key"))) {
		CHECK(json_parse(&j, &T, sent, &e) && json_is_str(&j,
		    ROOT, S("clientVerifyHash"), member_of(&onep.srp,
		    onep.exchange, "clientVerifyHash")));
		return onep_member("serverVerifyHash", "serverVerifyHash");
	}
	*sealed = true;
	if (str_eq(path, S("/api/v2/auth/complete")))
		return S("{\"userUuid\":\"DW73RG42OIMWPYU53K46FCQZUM\"}");
	if (str_is_start(path, S("/api/v3/vault/" VAULT "/"))) {
		SAME(method, S("PATCH"));
		return onep_patch(sent);
	}
	CHECK(str_eq(method, S("GET")));
	if (str_is_start(path, S("/api/v2/file/" VAULT "/")))
		return onep.file;
	if (str_eq(path, S("/api/v2/account/keysets")))
		return json_raw(&onep.keys, json_get(&onep.keys, ROOT,
		    S("keysetsResponse")));
	if (str_is_start(path, S("/api/v1/vaults?")))
		return onep_vaults();
	if (str_eq(path, S("/api/v3/vault/" VAULT "?attrs=combined-access")))
		return onep_version();
	if (str_eq(path, S("/api/v1/vault/" VAULT "/items/overviews")))
		return onep_items(NOTHING);
	if (str_is_start(path, item) && onep.patches > 0 &&
	    onep.reads != READ_USUAL)
		return onep_changed(onep_items(str_from(path, item.n)));
	if (str_is_start(path, item))
		return onep_items(str_from(path, item.n));
	return NOTHING;
}

/* Letters for the log: s step 1, d device, a b c steps 2 to 4, k keysets,
 * v vaults, l list, i item, o a vault's version, f file, p a change. */
static u8
onep_letter(struct str path)
{
	static const struct {
		const char *path;
		u8 letter;
	} rows[] = {
		{ "/api/v3/auth/start", 's' }, { "/api/v1/device", 'd' },
		{ "/api/v2/auth/confirm-key", 'b' },
		{ "/api/v2/auth/complete", 'c' }, { "/api/v2/auth", 'a' },
		{ "/api/v2/account/keysets", 'k' }, { "/api/v1/vaults", 'v' },
		{ "/api/v1/vault/" VAULT "/items/overviews", 'l' },
		{ "/api/v1/vault/" VAULT "/item/", 'i' },
		{ "/api/v3/vault/" VAULT "?", 'o' },
		{ "/api/v3/vault/" VAULT "/", 'p' },
		{ "/api/v2/file/" VAULT "/", 'f' },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		if (str_is_start(path, str_c(rows[i].path)))
			return rows[i].letter;
	return '?';
}

static bool
onep_has_head(struct str request, const char *line)
{
	for (size_t i = 0; i < request.n; i++)
		if (str_is_start(str_from(request, i), str_c(line)))
			return true;
	return false;
}

static void
onep_check_head(struct str request, bool first, bool sealed)
{
	CHECK(onep_has_head(request, "\r\nHost: 127.0.0.1:"));
	CHECK(onep_has_head(request, "\r\nOP-Throttling-Token: v4.public."));
	EQUAL(onep_has_head(request, "\r\nX-AgileBits-Session-ID: " SESSION
	    "\r\n"), !first);
	EQUAL(onep_has_head(request, "\r\nX-AgileBits-MAC: v1|"), sealed);
	EQUAL(onep_has_head(request, "\r\nContent-Length: "),
	    !str_is_start(request, S("GET ")));
}

static void
onep_answer(void)
{
	struct str text = out_str(&peer.out), body, sent;
	struct str method = NOTHING, path = NOTHING;
	struct fault *f = &onep.fault;
	int status = 200;
	bool sealed;
	struct out o;
	size_t at = 0;

	sent = text;
	while (at < sent.n && !str_is_start(str_from(sent, at),
	    S("\r\n\r\n")))
		at++;
	sent = str_dup(&T, str_from(sent, at + 4));
	text = str_dup(&T, text);
	body = text;
	CHECK(str_cut(&body, ' ', &method) && str_cut(&body, ' ', &path));
	onep.requests++;
	if (onep.log.n < sizeof onep.log_room)
		onep.log_room[onep.log.n++] = onep_letter(path);
	body = onep_body(method, path, sent, &sealed);
	onep_check_head(text, onep_letter(path) == 's', sealed);
	if (onep_letter(path) == 'f')
		sealed = false;         /* a file comes as it is */
	if (body.p == NULL)
		status = 404;
	if (onep.patches > 0 && onep.reads == READ_FAILS &&
	    onep_letter(path) == 'i')
		status = 500;
	if (f->path != NULL && f->times > 0 &&
	    str_is_start(path, str_c(f->path)) &&
	    (strcmp(f->path, "/api/v2/auth") != 0 ||
	    path.n == strlen(f->path))) {
		f->times--;
		if (f->status < 0) {
			peer.then = PEER_BREAKS;
			return;
		}
		if (f->status != 0)
			status = f->status;
		if (f->body != NULL)
			body = str_c(f->body);
		if (f->plain)
			sealed = false;
	}
	if (body.p == NULL)
		body = S("{}");
	else if (sealed)
		body = onep_seal(body);
	out_open(&o, &T);
	out_put(&o, S("HTTP/1.1 "));
	out_u64(&o, (uint64_t)status);
	out_put(&o, S(" x\r\n"));
	if (f->path != NULL && f->head != NULL && status != 200)
		out_put(&o, str_c(f->head));
	out_put(&o, S("Content-Length: "));
	out_u64(&o, body.n);
	OUT(&o, S("\r\n\r\n"), body);
	peer.in = out_close(&o, &T);
	peer.then = PEER_STAYS;
}

static const char *audit_where = "off";         /* for keeper_start() */

/* A keeper whose token is that of the vectors and whose service is here. */
static struct keeper *
keeper_start(struct cfg *cfg, struct keeper *k)
{
	struct place where;
	struct err e = { 0 };
	uint32_t first;

	peer_start(onep_answer);
	onep_load();
	*cfg = (struct cfg){ .vaults = "One", .hosts = "", .no_proxy = "",
		.cert_file = "test/pki/ca.pem", .timeout_s = 30,
		.reveal = ALLOW, .max_items = 1000, .audit = audit_where };
	first = json_first(&onep.token, json_get(&onep.token, ROOT,
	    S("cases")));
	cfg->token = cstr(member_of(&onep.token, first, "token"));
	if (!CHECK(keep_init(k, &fake_os, cfg)))
		abort();
	FAILED(k->setup, E_NONE);
	CHECK(cfg->token == NULL);
	CHECK(is_zero(k->scratch.base, 1 << 16));
	CHECK(keep_policy(k, &where, &e));
	(void)snprintf(SA(k)->http.host, sizeof SA(k)->http.host,
	    "127.0.0.1");
	(void)snprintf(SA(k)->http.port, sizeof SA(k)->http.port, "%s",
	    peer.port);
	return k;
}

static void
keeper_end(struct keeper *k)
{
	(void)munmap(SA(k)->names.base, SA(k)->names.cap);
	for (size_t i = 0; i < VAULTS_MAX && SA(k)->vault[i] != NULL; i++)
		(void)munmap(SA(k)->vault[i]->list.base,
		    SA(k)->vault[i]->list.cap);
	keep_wipe(k);
	CHECK(is_zero(k->keys.base, k->keys.cap));
	CHECK(is_zero(k->scratch.base, 1 << 16));
	for (size_t i = 0; i < 5; i++) {
		struct arena *a = i == 0 ? &k->keys : i == 1 ? &k->session :
		    i == 2 ? &k->scratch : i == 3 ? &k->text : &k->reply;

		(void)munmap(a->base, a->cap);
	}
	fake_bytes = NOTHING;
}

/* Run the call of a frame's payload: the frame's payload in return, or what
 * had been written of it when the call failed. */
static struct str
keeper_run(struct keeper *k, struct str payload, struct err *e)
{
	struct job b = { 0 };
	struct out o;
	struct jw w = { &o, false };
	size_t size = 1 << 20;

	*e = (struct err){ 0 };
	out_init(&o, mem_alloc(&T, size), size);
	out_put(&o, S("{"));
	if (keep_run(k, &b, payload, &w, e))
		out_put(&o, S("}"));
	k->last = *e;
	mem_reset(&k->scratch, 0);
	mem_reset(&k->text, 0);
	return out_str(&o);
}

/* Run one call of a tool; its data object, which fits the schema that is
 * published of it, or its error. */
static struct str
keeper_call(struct keeper *k, const char *params, struct err *e)
{
	struct str got = keeper_run(k, JOIN(&T, S("{\"method\":"
	    "\"tools/call\",\"ask\":false,\"params\":"), str_c(params),
	    S("}")), e);
	struct json s, j;

	if (e->code != E_NONE)
		return got;
	CHECK(parses(&j, got) && parses(&s, str_c(cat_tool(&opmcp_writing,
	    text_of(str_c(params), "name"))->output)));
	CHECK(fits(&s, ROOT, &j, json_get(&j, ROOT, S("data"))));
	return json_raw(&j, json_get(&j, ROOT, S("data")));
}

/* {"name":"get_1password_credentials","arguments":{...}} */
static struct str
credentials(struct keeper *k, const char *name, const char *vault,
    struct err *e)
{
	u8 room[1024];
	struct out o;

	out_init(&o, room, sizeof room - 1);
	out_put(&o, S("{\"name\":\"get_1password_credentials\","
	    "\"arguments\":{\"item_name\":"));
	jw_quote(&o, str_c(name));
	if (vault != NULL) {
		out_put(&o, S(",\"vault\":"));
		jw_quote(&o, str_c(vault));
	}
	out_put(&o, S("}}"));
	room[o.n] = '\0';
	return keeper_call(k, (char *)room, e);
}

static void
test_sa_sign_in(void)
{
	struct keeper k;
	struct cfg cfg;
	struct err e = { 0 };

	keeper_start(&cfg, &k);
	keep_start(&k);
	CHECK(sa_sign_in(SA(&k), &e));
	FAILED(e, E_NONE);
	SAME(onep.log, S("sabc"));
	CHECK(SA(&k)->signed_in && SA(&k)->user[0] != 0);
	SAME(ID(SA(&k)->user), S("DW73RG42OIMWPYU53K46FCQZUM"));
	SAME(ID(SA(&k)->session), S(SESSION));
	CHECK(is_zero(k.keys.base + k.keys.used, k.keys.cap - k.keys.used));
	EQUAL(peer.connects, 1);
	keeper_end(&k);
}

/* A device that is not known is announced, once. */
static void
test_sa_sign_in_device(void)
{
	static const struct {
		const char *status;
		enum err_code code;
		const char *log;
	} rows[] = {
		{ "device-not-registered", E_NONE, "sdsabc" },
		{ "device-deleted", E_NONE, "sdsabc" },
		{ "mfa-required", E_ANSWER, "s" },
		{ "", E_ANSWER, "s" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		size_t mark = T.used;
		struct keeper k;
		struct cfg cfg;
		struct err e = { 0 };

		keeper_start(&cfg, &k);
		run.row = rows[i].status;
		onep.first_status = rows[i].status;
		keep_start(&k);
		EQUAL(sa_sign_in(SA(&k), &e), rows[i].code == E_NONE);
		FAILED(e, rows[i].code);
		SAME(onep.log, str_c(rows[i].log));
		run.row = NULL;
		keeper_end(&k);
		mem_reset(&T, mark);
	}
}

/* Forget the faults and refusals of the row before. */
static void
well_again(struct sa *sa)
{
	sa->barred_until = 0;
	sa->http.pause_until = 0;
	sa->http.faults = sa->http.repeats = 0;
}

/* The same, and repeat nothing in this call. */
static void
well_once(struct sa *sa)
{
	well_again(sa);
	sa->http.repeats = REPEATS_MAX;
}

/* Everything that can go wrong on the way to the password; after it the
 * next call starts over and succeeds. */
static void
test_sa_faults(void)
{
#define START "/api/v3/auth/start"
#define AUTH "/api/v2/auth"
#define CONFIRM "/api/v2/auth/confirm-key"
#define COMPLETE "/api/v2/auth/complete"
#define KEYSETS "/api/v2/account/keysets"
#define VAULTS "/api/v1/vaults"
#define LIST "/api/v1/vault/" VAULT "/items/"
#define ITEM "/api/v1/vault/" VAULT "/item/"
#define USER_AUTH ",\"userAuth\":{\"method\":\"SRPg-4096\",\"iterations\":" \
	"650000,\"salt\":\"AAAA\"}}"
	static const struct {
		const char *path;
		int status;
		const char *body;
		bool plain;
		enum err_code code;
		int step;
	} rows[] = {
		{ START, 400, "{}", false, E_SIGN_IN, 1 },
		{ START, 401, "{}", false, E_SIGN_IN, 1 },
		{ START, 403, "{}", false, E_SIGN_IN, 1 },
		{ START, 404, "{}", false, E_SIGN_IN, 1 },
		{ START, 409, "{}", false, E_SIGN_IN, 1 },
		{ START, 429, "{}", false, E_RATE, 1 },
		{ START, 500, "{}", false, E_SERVICE, 1 },
		{ START, 503, "x", false, E_SERVICE, 1 },
		{ START, 302, "", false, E_SERVICE, 1 },
		{ START, 0, "", false, E_ANSWER, 1 },
		{ START, 0, "<html>", false, E_ANSWER, 1 },
		{ START, 0, "{}", false, E_ANSWER, 1 },
		{ START, 0, "{\"sessionID\":\"" SESSION "\"}", false,
		    E_ANSWER, 1 },
		{ START, 0, "{\"status\":\"ok\",\"sessionID\":\"2cmcxtnso7"
		    "js6w7667gvaeuhia\"" USER_AUTH, false, E_ANSWER, 1 },
		{ START, 0, "{\"status\":\"ok\",\"sessionID\":\"A\\r\\nX\""
		    USER_AUTH, false, E_ANSWER, 1 },
		{ START, 0, "{\"status\":\"ok\",\"sessionID\":\"" SESSION
		    "\",\"accountKeyUuid\":\"ABCDEG\"" USER_AUTH, false,
		    E_ANSWER, 1 },
		{ START, 0, "{\"status\":\"ok\",\"sessionID\":\"" SESSION
		    "\",\"userAuth\":{\"method\":\"SRP-1024\",\"iterations\":"
		    "650000,\"salt\":\"AAAA\"}}", false, E_ANSWER, 1 },
		{ START, 0, "{\"status\":\"ok\",\"sessionID\":\"" SESSION
		    "\",\"userAuth\":{\"method\":\"SRPg-4096\",\"iterations\":"
		    "9999,\"salt\":\"AAAA\"}}", false, E_ANSWER, 1 },
		{ START, 0, "{\"status\":\"ok\",\"sessionID\":\"" SESSION
		    "\",\"userAuth\":{\"method\":\"SRPg-4096\",\"iterations\":"
		    "1e6,\"salt\":\"AAAA\"}}", false, E_ANSWER, 1 },
		{ START, 0, "{\"status\":\"ok\",\"sessionID\":\"" SESSION
		    "\",\"userAuth\":{\"method\":\"SRPg-4096\",\"iterations\":"
		    "650000,\"salt\":\"A\"}}", false, E_ANSWER, 1 },
		{ START, 0, "{\"status\":\"ok\",\"sessionID\":\"" SESSION
		    "\",\"userAuth\":{\"method\":\"SRPg-4096\",\"iterations\":"
		    "650000}}", false, E_ANSWER, 1 },
		{ START, 0, "{\"status\":\"ok\",\"sessionID\":\"" SESSION
		    "\"}", false, E_ANSWER, 1 },
		{ AUTH, 401, "{}", false, E_SIGN_IN, 2 },
		{ AUTH, 0, "{}", false, E_ANSWER, 2 },
		{ AUTH, 0, "{\"userB\":\"00\"}", false, E_SERVER, 2 },
		{ AUTH, 0, "{\"userB\":\"\"}", false, E_ANSWER, 2 },
		{ AUTH, 0, "{\"userB\":\"xy\"}", false, E_ANSWER, 2 },
		{ AUTH, 0, "{\"userB\":7}", false, E_ANSWER, 2 },
		{ CONFIRM, 403, "{}", false, E_SIGN_IN, 3 },
		{ CONFIRM, 0, "{}", false, E_ANSWER, 3 },
		{ CONFIRM, 0, "{\"serverVerifyHash\":\"\"}", false,
		    E_ANSWER, 3 },
		{ CONFIRM, 0, "{\"serverVerifyHash\":\"AAAAAAAAAAAAAAAAAAAAA"
		    "AAAAAAAAAAAAAAAAAAAAAA\"}", false, E_SERVER, 3 },
		{ COMPLETE, 401, "{}", true, E_SIGN_IN, 4 },
		{ COMPLETE, 0, "{}", false, E_ANSWER, 4 },
		{ COMPLETE, 0, "{\"userUuid\":\"DW73RG42OIMWPYU53K46FCQZUM\"}",
		    true, E_ANSWER, 4 },
		{ COMPLETE, 0, "{\"userUuid\":\"../\"}", false, E_ANSWER, 4 },
		{ KEYSETS, 0, "{}", false, E_ANSWER, 0 },
		{ KEYSETS, 0, "{\"keysets\":[]}", false, E_ANSWER, 0 },
		{ KEYSETS, 0, "{\"keysets\":[1,null,{}]}", false, E_ANSWER,
		    0 },
		{ KEYSETS, 403, "{}", true, E_DENIED, 0 },
		{ KEYSETS, 404, "{}", true, E_SERVICE, 0 },
		{ VAULTS, 0, "{}", false, E_ANSWER, 0 },
		{ VAULTS, 0, "[]", false, E_VAULT, 0 },
		{ VAULTS, 0, "[{}]", false, E_ANSWER, 0 },
		{ VAULTS, 0, "[{\"uuid\":\"" VAULT "\"}]", false, E_VAULT, 0 },
		{ VAULTS, 0, "[{\"uuid\":\"../../x\"}]", false, E_ANSWER, 0 },
		{ VAULTS, 500, "{}", true, E_SERVICE, 0 },
		{ VAULTS, 0, "[]", true, E_ANSWER, 0 },
		{ LIST, 0, "{}", false, E_ANSWER, 0 },
		{ LIST, 0, "{\"batchComplete\":false,\"items\":[]}", false,
		    E_ANSWER, 0 },
		{ LIST, 0, "{\"batchComplete\":true,\"items\":{}}", false,
		    E_ANSWER, 0 },
		{ LIST, 403, "{}", true, E_DENIED, 0 },
		{ LIST, 404, "{}", true, E_VAULT, 0 },
		{ ITEM, 403, "{}", true, E_DENIED, 0 },
		{ ITEM, 500, "{}", true, E_SERVICE, 0 },
		{ ITEM, 0, "{}", false, E_ANSWER, 0 },
		{ ITEM, 0, "{\"item\":{\"uuid\":\"aaaaaaaaaaaaaaaaaaaaaaaaaa"
		    "\",\"templateUuid\":\"001\"}}", false, E_ANSWER, 0 },
	};

	struct keeper k;
	struct cfg cfg;
	struct err e;

	keeper_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		size_t mark = T.used, keys;
		char label[64];

		(void)snprintf(label, sizeof label, "%zu: %s %d", i,
		    rows[i].path, rows[i].status);
		run.row = label;
		keys = k.keys.used;
		SA(&k)->signed_in = rows[i].step == 0;
		well_again(SA(&k));
		onep.log.n = 0;
		onep.fault = (struct fault){ rows[i].path, rows[i].status,
			rows[i].body, rows[i].plain, NULL, 9 };
		(void)credentials(&k, "GitHub", NULL, &e);
		FAILED(e, rows[i].code);
		EQUAL(e.step, rows[i].step);
		/* a 429 that says nothing of a time is final */
		EQUAL(onep.fault.times, rows[i].status == 429 ? 8 :
		    8 - http_fault(&e)->again);
		onep.fault.times = 0;
		well_again(SA(&k));
		EQUAL(e.http, rows[i].status == 0 ? 0 : rows[i].status);
		/* nothing secret is sent before the server has proved itself */
		if (rows[i].step == 3)
			SAME(onep.log, S("sab"));
		if (i % 6 == 0 || i + 1 == LEN(rows)) {
			(void)credentials(&k, "GitHub", NULL, &e);
			/* but a list without vaults is remembered */
			FAILED(e, rows[i].body != NULL && !rows[i].plain &&
			    str_eq(str_c(rows[i].body), S("[]")) ? E_VAULT :
			    E_NONE);
			if (i > 0)
				SA(&k)->signed_in = true;
		}
		/* as before the first call, but for the session */
		for (size_t v = 0; v < VAULTS_MAX && SA(&k)->vault[v]; v++)
			if (SA(&k)->vault[v]->list.base != NULL)
				(void)munmap(SA(&k)->vault[v]->list.base,
				    SA(&k)->vault[v]->list.cap);
		memset(SA(&k)->vault, 0, sizeof SA(&k)->vault);
		SA(&k)->has_vaults = false;
		SA(&k)->keysets = 0;
		mem_reset(&k.keys, keys);
		mem_reset(&T, mark);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* A session that has ended is opened again, once. */
static void
test_sa_session_ends(void)
{
	struct keeper k;
	struct cfg cfg;
	struct err e;

	keeper_start(&cfg, &k);
	(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
	FAILED(e, E_NONE);
	SAME(onep.log, S("sabckvi"));
	onep.fault = (struct fault){ ITEM, 401, "{}", true, NULL, 1 };
	onep.log.n = 0;
	(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
	FAILED(e, E_NONE);
	SAME(onep.log, S("isabci"));
	onep.fault = (struct fault){ ITEM, 401, "{}", true, NULL, 9 };
	onep.log.n = 0;
	(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
	FAILED(e, E_SIGN_IN);
	SAME(onep.log, S("isabci"));
	keeper_end(&k);
}

/* A kept connection that ends costs a new one and no more; in the middle of
 * a sign-in, and on a new connection, it is an error. */
static void
test_sa_reconnect(void)
{
	static const struct {
		const char *path;       /* NULL: it ended before */
		bool signed_in;
		enum err_code code;
		unsigned connects;
		const char *log;
	} rows[] = {
		{ NULL, true, E_NONE, 1, "i" },
		{ ITEM, true, E_NONE, 1, "ii" },
		{ START, false, E_NONE, 1, "ssabci" },
		{ AUTH, false, E_NONE, 1, "sasabci" },
		{ CONFIRM, false, E_NONE, 1, "sabsabci" },
		{ COMPLETE, false, E_NONE, 1, "sabcsabci" },
		{ START, false, E_NONE, 2, "ssabci" },  /* a new one */
	};
	struct keeper k;
	struct cfg cfg;
	struct err e;

	keeper_start(&cfg, &k);
	(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
	FAILED(e, E_NONE);
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].log;
		onep.log.n = 0;
		peer.connects = 0;
		SA(&k)->signed_in = rows[i].signed_in;
		onep.fault = (struct fault){ rows[i].path, -1, NULL, false,
			NULL, 1 };
		if (rows[i].path == NULL) {
			(void)close(peer.fd);
			peer.fd = -1;
		}
		(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
		FAILED(e, rows[i].code);
		SAME(onep.log, str_c(rows[i].log));
		EQUAL(peer.connects, rows[i].connects);
		EQUAL(onep.fault.times, rows[i].path == NULL);
		onep.fault.times = 0;
		if (i + 2 >= LEN(rows))
			http_close(&SA(&k)->http);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Which faults are repeated, how often and after what pause. The clock stands
 * still but for the pauses. */
static void
test_sa_repeats(void)
{
	static const struct {
		int status;             /* -1: it hangs up */
		const char *head;
		unsigned times;         /* how often it happens */
		enum err_code code;
		const char *log;
		uint64_t least, most;   /* ms of pauses */
	} rows[] = {
		{ 500, "", 1, E_NONE, "ii", 100, 300 },
		{ 500, "", 2, E_NONE, "iii", 300, 900 },
		{ 500, "", 3, E_SERVICE, "iii", 300, 900 },
		{ 502, "", 1, E_NONE, "ii", 100, 300 },
		{ 503, "", 2, E_NONE, "iii", 300, 900 },
		{ 504, "", 1, E_NONE, "ii", 100, 300 },
		{ 408, "", 1, E_NONE, "ii", 100, 300 },
		{ 503, "Retry-After: 4\r\n", 1, E_NONE, "ii", 4000, 4000 },
		{ 503, "Retry-After: 5\r\n", 2, E_NONE, "iii", 10000,
		    10000 },
		{ 503, "Retry-After: 6\r\n", 1, E_SERVICE, "i", 0, 0 },
		{ 429, "Retry-After: 3\r\n", 1, E_NONE, "ii", 3000, 3000 },
		{ 429, "Retry-After: 3\r\n", 2, E_RATE, "ii", 3000, 3000 },
		{ 429, "Retry-After: 6\r\n", 1, E_RATE, "i", 0, 0 },
		{ 429, "", 1, E_RATE, "i", 0, 0 },
		{ -1, "", 1, E_NONE, "ii", 0, 0 },      /* it was idle */
		{ -1, "", 2, E_NONE, "iii", 200, 600 },
		{ -1, "", 3, E_NET, "iii", 200, 600 },
		{ 501, "", 1, E_SERVICE, "i", 0, 0 },
		{ 505, "", 1, E_SERVICE, "i", 0, 0 },
		{ 302, "", 1, E_SERVICE, "i", 0, 0 },
		{ 400, "", 1, E_SERVICE, "i", 0, 0 },
		{ 403, "", 1, E_DENIED, "i", 0, 0 },
		{ 409, "", 1, E_SERVICE, "i", 0, 0 },
		{ 418, "", 1, E_SERVICE, "i", 0, 0 },
	};
	struct keeper k;
	struct cfg cfg;
	struct err e;

	keeper_start(&cfg, &k);
	(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
	for (size_t i = 0; i < LEN(rows); i++) {
		uint64_t before = fake_ms, repeated = k.http->repeated;
		int64_t was = fake_unix;
		char label[40];

		(void)snprintf(label, sizeof label, "%d x%u %.20s",
		    rows[i].status, rows[i].times, rows[i].head);
		run.row = label;
		well_again(SA(&k));
		onep.log.n = 0;
		onep.fault = (struct fault){ ITEM, rows[i].status,
			rows[i].status > 0 ? "{}" : NULL, rows[i].status > 0,
			rows[i].head, rows[i].times };
		(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
		FAILED(e, rows[i].code);
		SAME(onep.log, str_c(rows[i].log));
		CHECK(fake_ms - before >= rows[i].least &&
		    fake_ms - before <= rows[i].most);
		EQUAL(k.http->repeated - repeated, onep.log.n - 1);
		onep.fault.times = 0;
		fake_unix = was;
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Five faults of the other side in a row, and nothing more is sent for a
 * minute; then one request decides. What is not its fault does not count. */
static void
test_sa_circuit(void)
{
	struct keeper k;
	struct cfg cfg;
	struct err e;

	keeper_start(&cfg, &k);
	(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
	run.row = "what does not count";
	onep.fault = (struct fault){ ITEM, 403, "{}", true, NULL, 20 };
	for (int i = 0; i < 7; i++) {
		(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
		FAILED(e, E_DENIED);
		(void)credentials(&k, "no such title", NULL, &e);
		FAILED(e, E_ITEM);
	}
	EQUAL(k.http->faults, 0);
	for (int times = 1; times <= 2; times++) {
		run.row = "three, two, open";
		onep.fault = (struct fault){ ITEM, 500, "{}", true, NULL, 99 };
		onep.log.n = 0;
		(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
		FAILED(e, E_SERVICE);
		SAME(onep.log, S("iii"));
		(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
		FAILED(e, E_SERVICE);
		SAME(onep.log, S("iiiii"));
		for (int i = 0; i < 3; i++) {
			(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq",
			    NULL, &e);
			FAILED(e, E_OPEN);
			EQUAL(e.until, fake_unix + OPEN_MS / 1000);
		}
		SAME(tool_circuit(&k), S("open"));
		run.row = "the probe fails";
		fake_ms += OPEN_MS;
		SAME(tool_circuit(&k), S("half_open"));
		onep.log.n = 0;
		(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
		FAILED(e, E_SERVICE);
		SAME(onep.log, S("i"));
		(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
		FAILED(e, E_OPEN);
		run.row = "the probe is answered";
		fake_ms += OPEN_MS;
		onep.fault.times = 0;
		if (times == 2)         /* a refusal is an answer */
			onep.fault = (struct fault){ ITEM, 403, "{}", true,
				NULL, 1 };
		(void)credentials(&k, "x7ptdccw5lfbskxs55ml6eyoxq", NULL, &e);
		FAILED(e, times == 2 ? E_DENIED : E_NONE);
		SAME(tool_circuit(&k), S("closed"));
		EQUAL(k.http->opened, times);
	}
	run.row = "what a proxy says is not the server's word";
	for (unsigned i = 0; i < FAULTS_MAX; i++)
		http_note(k.http, &(struct err){ .code = E_NET, .http = 503 });
	SAME(tool_circuit(&k), S("open"));
	http_note(k.http, &(struct err){ .code = E_NET, .http = 407 });
	SAME(tool_circuit(&k), S("open"));
	http_note(k.http, &(struct err){ .code = E_ITEM, .http = 404 });
	SAME(tool_circuit(&k), S("closed"));
	run.row = NULL;
	keeper_end(&k);
}

/* A token that is refused costs one sign-in a minute. */
static void
test_sa_refused(void)
{
	struct keeper k;
	struct cfg cfg;
	struct err e;

	keeper_start(&cfg, &k);
	onep.fault = (struct fault){ START, 401, "{}", true, NULL, 99 };
	for (int minute = 0; minute < 3; minute++) {
		onep.log.n = 0;
		for (int i = 0; i < 6; i++) {
			(void)credentials(&k, "GitHub", NULL, &e);
			FAILED(e, E_SIGN_IN);
			fake_ms += REFUSED_MS / 6;
		}
		SAME(onep.log, S("s"));
	}
	EQUAL(k.http->faults, 0);
	onep.fault.times = 0;
	(void)credentials(&k, "GitHub", NULL, &e);
	FAILED(e, E_NONE);
	run.row = "other refusals may pass";
	for (int i = 0; i < 3; i++) {
		SA(&k)->signed_in = false;
		onep.fault = (struct fault){ AUTH, 403, "{}", true, NULL, 1 };
		(void)credentials(&k, "GitHub", NULL, &e);
		FAILED(e, E_SIGN_IN);
		(void)credentials(&k, "GitHub", NULL, &e);
		FAILED(e, E_NONE);
	}
	SA(&k)->signed_in = false;
	onep.fault = (struct fault){ AUTH, 403, "{}", true, NULL, 99 };
	onep.log.n = 0;
	for (int i = 0; i < 5; i++)
		(void)credentials(&k, "GitHub", NULL, &e);
	SAME(onep.log, S("sasa"));
	run.row = NULL;
	keeper_end(&k);
}

/* After a 429 nothing is sent until the time is over. */
static void
test_sa_rate(void)
{
	static const struct {
		const char *head;
		int64_t pause;
	} rows[] = {
		{ "Retry-After: 60\r\n", 60 },
		{ "Retry-After: Fri, 02 Jan 2026 03:14:05 GMT\r\n", 600 },
		{ "Retry-After: 999999\r\n", RETRY_AFTER_MAX_S },
		{ "Retry-After: never\r\n", 0 },
		{ "", 0 },
	};
	int64_t now = fake_unix;
	struct keeper k;
	struct cfg cfg;
	struct err e;

	keeper_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].head;
		onep.fault = (struct fault){ ITEM, 429, "{}", true,
			rows[i].head, 1 };
		(void)credentials(&k, "GitHub", NULL, &e);
		FAILED(e, E_RATE);
		EQUAL(e.until, rows[i].pause == 0 ? 0 : now + rows[i].pause);
		onep.log.n = 0;
		fake_unix = now + rows[i].pause - 1;
		(void)credentials(&k, "GitHub", NULL, &e);
		if (rows[i].pause > 0) {
			FAILED(e, E_RATE);
			EQUAL(onep.log.n, 0);
			EQUAL(e.until, now + rows[i].pause);
		}
		fake_unix = now + rows[i].pause;
		(void)credentials(&k, "GitHub", NULL, &e);
		FAILED(e, E_NONE);
		fake_unix = now;
		SA(&k)->http.pause_until = 0;
	}
	run.row = "the clock is set back";
	fake_unix = now + 30 * 86400;
	onep.fault = (struct fault){ ITEM, 429, "{}", true, rows[0].head, 1 };
	(void)credentials(&k, "GitHub", NULL, &e);
	FAILED(e, E_RATE);
	fake_unix = now;
	(void)credentials(&k, "GitHub", NULL, &e);
	FAILED(e, E_NONE);
	run.row = NULL;
	keeper_end(&k);
}

/* The throttling token is made anew when less than five minutes are left. */
static void
test_sa_throttle_renewal(void)
{
	struct keeper k;
	struct cfg cfg;
	struct err e;
	int64_t now = fake_unix, exp;

	keeper_start(&cfg, &k);
	(void)credentials(&k, "GitHub", NULL, &e);
	exp = SA(&k)->throttle_exp;
	EQUAL(exp, now + 3600);
	fake_unix = exp - 300;
	(void)credentials(&k, "GitHub", NULL, &e);
	EQUAL(SA(&k)->throttle_exp, exp);
	fake_unix = exp - 299;
	(void)credentials(&k, "GitHub", NULL, &e);
	EQUAL(SA(&k)->throttle_exp, exp - 299 + 3600);
	FAILED(e, E_NONE);
	fake_unix = now;                /* the clock is set back */
	(void)credentials(&k, "GitHub", NULL, &e);
	EQUAL(SA(&k)->throttle_exp, now + 3600);
	keeper_end(&k);
}

/* Randomness that fails is an error, not a weak key. */
static void
test_sa_random_fails(void)
{
	struct keeper k;
	struct cfg cfg;
	struct err e;
	size_t used;

	keeper_start(&cfg, &k);
	used = k.keys.used;
	fake_random_fails = true;
	(void)credentials(&k, "GitHub", NULL, &e);
	FAILED(e, E_INTERNAL);
	EQUAL(onep.requests, 0);
	EQUAL(k.keys.used, used);       /* or the arena would fill up */
	fake_random_fails = false;
	CHECK(is_zero(k.keys.base + k.keys.used, k.keys.cap - k.keys.used));
	(void)credentials(&k, "GitHub", NULL, &e);
	FAILED(e, E_NONE);
	keeper_end(&k);
}

/* A keeper who knows the vaults; the log is empty. */
static struct sa *
sa_begun(struct cfg *cfg, struct keeper *k)
{
	const struct vault *list;
	struct err e = { 0 };
	bool fresh = false;
	size_t n;

	keeper_start(cfg, k);
	keep_start(k);
	CHECK(sa_vaults(SA(k), &fresh, &list, &n, &e));
	FAILED(e, E_NONE);
	onep.log.n = 0;
	return SA(k);
}

/* A list is read anew only when the vault has changed. */
static void
test_sa_items_fresh(void)
{
	static const struct {
		bool fresh;
		unsigned content;
		const char *log;
		bool want;
	} rows[] = {
		{ false, 3, "l", true }, { false, 3, "", false },
		{ false, 4, "", false }, { true, 3, "o", true },
		{ true, 4, "ol", true }, { true, 4, "o", true },
		{ true, 3, "ol", true },        /* it went back: odd */
	};
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct err e = { 0 };
		struct listing l = { .fresh = rows[i].fresh };

		onep.log.n = 0;
		sa->http.call++;
		onep.content = rows[i].content;
		CHECK(sa_items(sa, S(VAULT), &l, &e));
		FAILED(e, E_NONE);
		EQUAL(l.items, 33);
		EQUAL(l.fresh, rows[i].want);
		SAME(onep.log, str_c(rows[i].log));
		SAME(l.item[0].title, S("GitHub"));
		EQUAL(l.item[0].urls, 3);
		EQUAL(l.item[0].updated.n, 20);
	}
	keeper_end(&k);
}

/* Answers to the question for the version that are none. */
static void
test_sa_version(void)
{
	static const struct {
		int status;
		const char *body;
		enum err_code code;
	} rows[] = {
		{ 0, "{}", E_ANSWER }, { 0, "[]", E_ANSWER },
		{ 0, "{\"contentVersion\":3}", E_ANSWER },
		{ 0, "{\"uuid\":\"" VAULT "\"}", E_ANSWER },
		{ 0, "{\"uuid\":\"" VAULT "\",\"contentVersion\":\"3\"}",
		    E_ANSWER },
		{ 0, "{\"uuid\":\"" VAULT "\",\"contentVersion\":3.5}",
		    E_ANSWER },
		{ 0, "{\"uuid\":\"" VAULT "\",\"contentVersion\":-1}",
		    E_ANSWER },
		{ 0, "{\"uuid\":\"aaaaaaaaaaaaaaaaaaaaaaaaaa\","
		    "\"contentVersion\":3}", E_ANSWER },
		{ 404, "{}", E_VAULT }, { 403, "{}", E_DENIED },
		{ 500, "{}", E_SERVICE }, { -1, NULL, E_NONE },
	};
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);
	struct sa_vault *v;
	struct err e = { 0 };
	uint64_t version;

	CHECK(sa_vault_get(sa, S(VAULT), &v, &e));
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].body;
		e = (struct err){ 0 };
		well_once(sa);
		if (rows[i].status < 0)         /* an idle connection's end */
			sa->http.repeats = 0;
		onep.fault = (struct fault){ "/api/v3/vault/" VAULT "?",
			rows[i].status, rows[i].body, rows[i].status > 0, NULL,
			1 };
		EQUAL(sa_version(sa, v, &version, &e),
		    rows[i].code == E_NONE);
		FAILED(e, rows[i].code);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* An item with one file, as the vectors have it. The attributes stand in a
 * field or make the item a document. */
static struct item
item_of_file(struct str attr, bool document, uint32_t *node)
{
	struct item it = item_with(JOIN(&T, S("{\"k\":\"file\",\"n\":\"f\","
	    "\"v\":"), attr, S("}")));
	struct err e = { 0 };

	if (document) {
		it.ref.category = CATEGORY_DOCUMENT;
		CHECK(parses(&it.details, JOIN(&T,
		    S("{\"documentAttributes\":"), attr, S("}"))));
		CHECK(sa_item_fields(sa_bare(), &it, &e));
	}
	it.ref.id = S("x7ptdccw5lfbskxs55ml6eyoxq");
	*node = 0;
	if (EQUAL(it.fields, 1) && EQUAL(it.field[0].kind, KIND_FILE))
		*node = it.field[0].node;
	return it;
}

/* The bytes of a base64url text. */
static struct str
unb64(struct str text)
{
	u8 *p = mem_alloc(&T, text.n);
	size_t n = 0;

	CHECK(p != NULL && b64_decode(p, text, &n));
	return (struct str){ p, n };
}

static void
test_sa_file(void)
{
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);
	unsigned rows = 0;
	uint32_t list, node;

	load("test/data/files.json");
	for (int round = 0; round < 4; round++) {
		list = at(ROOT, round < 2 ? "cases" : "refuse");
		EACH(c, list) {
			struct item it = item_of_file(json_raw(&vec, at(c,
			    "attributes")), round % 2 != 0, &node);
			struct str text = NOTHING;
			struct err e = { 0 };

			row_of(c);
			onep.log.n = 0;
			onep.file = unb64(text_at(c, "ciphertext"));
			EQUAL(sa_file(sa, S(VAULT), &it,
			    &(struct field){ .node = node }, &text, &e),
			    round < 2);
			FAILED(e, round < 2 ? E_NONE : E_ANSWER);
			SAME(onep.log, S("f"));
			if (round < 2)
				SAME(text, hex_at(c, "plaintext"));
			rows++;
		}
	}
	EQUAL(rows, 10);
	run.row = NULL;
	keeper_end(&k);
}

/* Replace part of a text, once. */
static struct str
swapped(struct str s, const char *from, const char *to)
{
	size_t at = 0;

	while (at < s.n && !str_is_start(str_from(s, at), str_c(from)))
		at++;
	CHECK(at < s.n);
	return JOIN(&T, str_upto(s, at), str_c(to), str_from(s, at +
	    strlen(from)));
}

/* What else is no file: in the attributes, before anything is sent, and in
 * the answer. */
static void
test_sa_file_refused(void)
{
	static const struct {
		const char *from, *to;
		int status;
		enum err_code code;
		const char *log;
	} rows[] = {
		{ "\"documentId\":", "\"x\":", 0, E_KIND, "" },
		{ "\"documentId\": \"z5", "\"documentId\": \"../", 0, E_KIND,
		    "" },
		{ "\"documentId\": \"z5", "\"documentId\": \"Z5", 0, E_KIND,
		    "" },
		{ "\"nonce\":", "\"x\":", 0, E_KIND, "" },
		{ "\"nonce\": \"", "\"nonce\": \"AAAA", 0, E_KIND, "" },
		{ "\"nonce\": \"q", "\"nonce\": \"r", 0, E_ANSWER, "f" },
		{ "\"encryptionKey\":", "\"x\":", 0, E_ANSWER, "f" },
		{ "\"k\": \"Ov", "\"k\": \"Pv", 0, E_ANSWER, "f" },
		{ "\"k\": \"Ov", "\"k\": \"v", 0, E_ANSWER, "f" },
		{ "\"encryptedSize\": 58", "\"encryptedSize\": 57", 0,
		    E_ANSWER, "f" },
		{ "\"encryptedSize\": 58", "\"encryptedSize\": \"58\"", 0,
		    E_ANSWER, "f" },
		{ "\"integrityHash\": \"", "\"integrityHash\": \"A", 0,
		    E_ANSWER, "f" },
		{ "\"integrityHash\": \"3", "\"integrityHash\": \"4", 0,
		    E_ANSWER, "f" },
		{ "", "", 404, E_FIELD, "f" }, { "", "", 403, E_DENIED, "f" },
		{ "", "", 500, E_SERVICE, "f" }, { "", "", 429, E_RATE, "f" },
	};
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);
	uint32_t first, node;

	load("test/data/files.json");
	first = json_first(&vec, at(ROOT, "cases"));
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str attr = json_raw(&vec, at(first, "attributes"));
		struct str sealed = unb64(text_at(first, "ciphertext")), text;
		struct err e = { 0 };
		struct item it;

		run.row = rows[i].to;
		if (rows[i].from[0] != '\0')
			attr = swapped(attr, rows[i].from, rows[i].to);
		it = item_of_file(attr, false, &node);
		onep.log.n = 0;
		onep.file = sealed;
		well_once(sa);
		onep.fault = (struct fault){ "/api/v2/file/", rows[i].status,
			"{}", true, NULL, rows[i].status != 0 };
		CHECK(!sa_file(sa, S(VAULT), &it,
			    &(struct field){ .node = node }, &text, &e));
		FAILED(e, rows[i].code);
		SAME(onep.log, str_c(rows[i].log));
	}
	run.row = "an answer that is too short";
	sa->http.pause_until = 0;
	for (size_t n = 0; n < 20; n++) {
		struct item it = item_of_file(swapped(swapped(json_raw(&vec,
		    at(first, "attributes")), "encryptedSize", "y"),
		    "integrityHash", "z"), false, &node);
		struct str text;
		struct err e = { 0 };

		onep.file = str_upto(unb64(text_at(first, "ciphertext")), n);
		CHECK(!sa_file(sa, S(VAULT), &it,
			    &(struct field){ .node = node }, &text, &e));
		FAILED(e, E_ANSWER);
	}
	run.row = NULL;
	keeper_end(&k);
}

#define DRAFT_ID "x7ptdccw5lfbskxs55ml6eyoxq"
#define DRAFT_OVER "{\"title\":\"T \xc3\xa9\"}"
#define DRAFT_DETAILS "{\"notesPlain\":\"n\"}"

/* A draft of version 7, and a service that takes changes. */
static struct draft
draft_of(enum item_state state, uint64_t version)
{
	char *patched = mem_alloc(&T, 100);

	onep.patches = 0;
	onep.log.n = 0;
	onep.reads = READ_USUAL;
	onep.fault = (struct fault){ 0 };
	(void)snprintf(patched, 100, "{\"contentVersion\":4,\"updatedItems\":{"
	    "\"" DRAFT_ID "\":%llu}}", (unsigned long long)version + 1);
	onep.patched = patched;
	return (struct draft){ S(DRAFT_ID), S("001"),
		S("2024-02-01T10:00:00Z"), S(DRAFT_OVER), S(DRAFT_DETAILS),
		NOTHING, version, state };
}

/* Send a draft to a vault named by its id. */
MUST static bool
send_draft(struct sa *sa, struct str vault, const struct draft *c,
    uint64_t *version, struct err *e)
{
	struct sa_vault *v;

	sa->http.call++;
	return sa_vault_get(sa, vault, &v, e) && sa_send(sa, v, c, version, e);
}

/* A sealed part of a change is the draft's, under the vault's key. */
static void
sealed_same(struct sa *sa, const struct json *j, uint32_t box, struct str want)
{
	struct sa_vault *v = NULL;
	struct err e = { 0 };
	struct json part;

	if (CHECK(sa_vault_get(sa, S(VAULT), &v, &e)) &&
	    CHECK(sa_vault_part(sa, v, j, box, &part, &e)))
		SAME(part.text, want);
	SAME(member_of(j, box, "kid"), ID(v->key_id));
	SAME(member_of(j, box, "cty"), S("b5+jwk+json"));
	SAME(member_of(j, box, "enc"), S("A256GCM"));
}

/* A change that came is the draft, member for member, and nothing else. */
static void
patch_same(struct sa *sa, struct str patch, const struct draft *c,
    const char *trashed)
{
	static const char *const members[] = { "uuid", "itemVersion",
		"encOverview", "encDetails", "trashed", "templateUuid",
		"createdAt", "updatedAt", "encryptedBy" };
	struct json j;
	uint32_t one;
	uint64_t version = 99;
	struct sa_vault *v = NULL;
	struct err e = { 0 };
	size_t n = 0;

	if (!CHECK(parses(&j, patch)) || !CHECK(json_is_array(&j, ROOT)) ||
	    !CHECK(sa_vault_get(sa, S(VAULT), &v, &e)))
		return;
	one = json_first(&j, ROOT);
	EQUAL(json_next(&j, ROOT, one), 0);
	for (uint32_t k = json_first(&j, one); k; k = json_next(&j, one, k))
		n++;
	EQUAL(n, LEN(members));
	for (size_t i = 0; i < LEN(members); i++)
		CHECK(json_get(&j, one, str_c(members[i])) != 0);
	SAME(member_of(&j, one, "uuid"), c->id);
	CHECK(json_is_integer(&j, json_get(&j, one, S("itemVersion"))) &&
	    str_u64(json_raw(&j, json_get(&j, one, S("itemVersion"))),
	    UINT32_MAX, &version));
	EQUAL(version, c->version);
	SAME(member_of(&j, one, "trashed"), str_c(trashed));
	SAME(member_of(&j, one, "templateUuid"), c->category);
	SAME(member_of(&j, one, "createdAt"), c->created);
	SAME(member_of(&j, one, "updatedAt"), S("2026-01-02T03:04:05Z"));
	SAME(member_of(&j, one, "encryptedBy"), ID(v->key_id));
	sealed_same(sa, &j, json_get(&j, one, S("encOverview")), c->over);
	sealed_same(sa, &j, json_get(&j, one, S("encDetails")), c->details);
	CHECK(!str_eq(member_of(&j, json_get(&j, one, S("encOverview")),
	    "iv"), member_of(&j, json_get(&j, one, S("encDetails")), "iv")));
}

/* New, changed, archived and deleted: one question and one change each. */
static void
test_sa_write(void)
{
	static const struct {
		enum item_state state;
		uint64_t version;
		const char *trashed;
		unsigned content;
	} rows[] = {
		{ ITEM_ACTIVE, 0, "N", 3 }, { ITEM_ACTIVE, 7, "N", 4 },
		{ ITEM_ARCHIVED, 7, "Y", 0 }, { ITEM_DELETED, 7, "D", 3 },
		{ ITEM_ACTIVE, UINT32_MAX - 1, "N", UINT32_MAX },
	};
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);

	for (size_t i = 0; i < LEN(rows); i++) {
		struct draft c = draft_of(rows[i].state, rows[i].version);
		struct err e = { 0 };
		uint64_t version = 0;
		char line[128];

		run.row = rows[i].trashed;
		onep.content = rows[i].content;
		CHECK(send_draft(sa, S(VAULT), &c, &version, &e));
		FAILED(e, E_NONE);
		EQUAL(version, rows[i].version + 1);
		SAME(onep.log, S("op"));
		if (EQUAL(onep.patches, 1))
			patch_same(sa, onep.patch[0], &c, rows[i].trashed);
		(void)snprintf(line, sizeof line, "PATCH /api/v3/vault/" VAULT
		    "/%u/items HTTP/1.1\r\n", rows[i].content);
		CHECK(str_is_start(out_str(&peer.out), str_c(line)));
	}
	run.row = NULL;
	keeper_end(&k);
}

/* What a refused change means; it is not sent again, and nothing is read. */
static void
test_sa_write_refused(void)
{
#define FAILED_CODE(n) "{\"contentVersion\":4,\"failedItems\":{\"" DRAFT_ID \
	"\":" n "}}"
	static const struct {
		int status;
		const char *body;
		enum err_code code;
	} rows[] = {
		{ 0, FAILED_CODE("1"), E_SERVICE },
		{ 0, FAILED_CODE("100"), E_SERVICE },
		{ 0, FAILED_CODE("101"), E_DENIED },
		{ 0, FAILED_CODE("103"), E_SERVICE },
		{ 0, FAILED_CODE("104"), E_CONFLICT },
		{ 0, FAILED_CODE("105"), E_SERVICE },
		{ 0, FAILED_CODE("106"), E_LARGE },
		{ 0, FAILED_CODE("0"), E_SERVICE },
		{ 0, FAILED_CODE("999"), E_SERVICE },
		{ 0, FAILED_CODE("\"104\""), E_SERVICE },
		{ 0, FAILED_CODE("null"), E_SERVICE },
		{ 409, "{}", E_CONFLICT }, { 403, "{}", E_DENIED },
		{ 404, "{}", E_VAULT }, { 429, "{}", E_RATE },
		{ 400, "{}", E_SERVICE }, { 413, "{}", E_SERVICE },
	};
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);

	for (size_t i = 0; i < LEN(rows); i++) {
		struct draft c = draft_of(ITEM_ACTIVE, 7);
		struct err e = { 0 };
		uint64_t version;

		run.row = rows[i].body;
		sa->http.pause_until = 0;
		if (rows[i].status == 0)
			onep.patched = rows[i].body;
		onep.fault = (struct fault){ "/api/v3/vault/" VAULT "/",
			rows[i].status, "{}", true, NULL,
			rows[i].status != 0 };
		CHECK(!send_draft(sa, S(VAULT), &c, &version, &e));
		FAILED(e, rows[i].code);
		SAME(onep.log, S("op"));
		EQUAL(onep.patches, 1);
	}
	run.row = "the question fails";
	for (int i = 0; i < 3; i++) {
		static const int status[] = { 403, 404, 500 };
		struct draft c = draft_of(ITEM_ACTIVE, 7);
		struct err e = { 0 };
		uint64_t version;

		onep.fault = (struct fault){ "/api/v3/vault/" VAULT "?",
			status[i], "{}", true, NULL, 1 };
		well_once(sa);
		CHECK(!send_draft(sa, S(VAULT), &c, &version, &e));
		FAILED(e, i == 0 ? E_DENIED : i == 1 ? E_VAULT : E_SERVICE);
		SAME(onep.log, S("o"));
		EQUAL(onep.patches, 0);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* A session that has ended: sent once more, in a new envelope, with the same
 * content. Twice: an error. */
static void
test_sa_write_session(void)
{
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);

	for (unsigned times = 1; times <= 3; times++) {
		struct draft c = draft_of(ITEM_ACTIVE, 7);
		struct err e = { 0 };
		uint64_t version = 0;

		well_again(sa);
		onep.fault = (struct fault){ "/api/v3/vault/" VAULT "/", 401,
			"{}", true, NULL, times };
		EQUAL(send_draft(sa, S(VAULT), &c, &version, &e), times == 1);
		FAILED(e, times == 1 ? E_NONE : E_SIGN_IN);
		SAME(onep.log, times == 1 ? S("opsabcp") : S("sabcopsabcp"));
		if (!EQUAL(onep.patches, 2))
			continue;
		SAME(onep.patch[1], onep.patch[0]);
		CHECK(!str_eq(onep.patch_box[1], onep.patch_box[0]));
		patch_same(sa, onep.patch[0], &c, "N");
		sa->signed_in = false;
	}
	keeper_end(&k);
}

/* An answer that does not come, or does not tell: what became of the item is
 * read, and never sent again. */
static void
test_sa_write_lost(void)
{
	static const struct {
		const char *name;
		int status;             /* of the answer; 0: the body below */
		const char *body;
		enum reads reads;
		enum item_state state;
		uint64_t version;
		enum err_code code;
		uint64_t want;
	} rows[] = {
#define BOTH "{\"contentVersion\":4,\"updatedItems\":{\"" DRAFT_ID \
	"\":8},\"failedItems\":{\"" DRAFT_ID "\":104}}"
#define NEITHER "{\"contentVersion\":4}"
		{ "lost, but done", -1, NULL, READ_OURS, ITEM_ACTIVE, 7,
		    E_NONE, 8 },
		{ "lost and not done", -1, NULL, READ_OLD, ITEM_ACTIVE, 1,
		    E_NET, 0 },
		{ "lost, another was faster", -1, NULL, READ_OTHER,
		    ITEM_ACTIVE, 7, E_UNSURE, 0 },
		{ "lost, reading fails", -1, NULL, READ_FAILS, ITEM_ACTIVE, 7,
		    E_UNSURE, 0 },
		{ "lost, item gone", -1, NULL, READ_GONE, ITEM_ACTIVE, 7,
		    E_UNSURE, 0 },
		{ "lost, new, not there", -1, NULL, READ_GONE, ITEM_ACTIVE, 0,
		    E_NET, 0 },
		{ "lost, new, there", -1, NULL, READ_OURS, ITEM_ACTIVE, 0,
		    E_NONE, 8 },
		{ "lost, deleted", -1, NULL, READ_GONE, ITEM_DELETED, 7,
		    E_NONE, 0 },        /* no version is left to tell */
		{ "lost, deleted, still there", -1, NULL, READ_OURS,
		    ITEM_DELETED, 7, E_NONE, 8 },
		{ "lost, archived", -1, NULL, READ_OURS, ITEM_ARCHIVED, 7,
		    E_NONE, 8 },
		{ "500, but done", 500, "{}", READ_OURS, ITEM_ACTIVE, 7,
		    E_NONE, 8 },
		{ "500, not done", 500, "{}", READ_OLD, ITEM_ACTIVE, 1,
		    E_SERVICE, 0 },
		{ "503, nobody knows", 503, "{}", READ_FAILS, ITEM_ACTIVE, 7,
		    E_UNSURE, 0 },
		{ "neither map, done", 0, NEITHER, READ_OURS, ITEM_ACTIVE, 7,
		    E_NONE, 8 },
		{ "neither map, not done", 0, NEITHER, READ_OLD, ITEM_ACTIVE,
		    1, E_ANSWER, 0 },
		{ "both maps, done", 0, BOTH, READ_OURS, ITEM_ACTIVE, 7,
		    E_NONE, 8 },
		{ "both maps, not done", 0, BOTH, READ_OLD, ITEM_ACTIVE, 1,
		    E_ANSWER, 0 },
		{ "the old version", 0, "{\"updatedItems\":{\"" DRAFT_ID
		    "\":7}}", READ_OURS, ITEM_ACTIVE, 7, E_NONE, 8 },
		{ "neither map, nobody knows", 0, NEITHER, READ_OTHER,
		    ITEM_ACTIVE, 7, E_UNSURE, 0 },
		{ "another item's maps", 0, "{\"updatedItems\":{\"" VAULT
		    "\":8},\"failedItems\":{\"" VAULT "\":104}}",
		    READ_OLD, ITEM_ACTIVE, 1, E_ANSWER, 0 },
		{ "a version that is none", 0, "{\"updatedItems\":{\"" DRAFT_ID
		    "\":\"8\"}}", READ_OURS, ITEM_ACTIVE, 7, E_NONE, 8 },
		{ "maps of the wrong type", 0, "{\"updatedItems\":[],"
		    "\"failedItems\":1}", READ_FAILS, ITEM_ACTIVE, 7, E_UNSURE,
		    0 },
		{ "no object", 0, "[]", READ_OURS, ITEM_ACTIVE, 7, E_NONE, 8 },
		{ "no JSON", 0, "x", READ_OURS, ITEM_ACTIVE, 7, E_NONE, 8 },
	};
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);

	for (size_t i = 0; i < LEN(rows); i++) {
		struct draft c = draft_of(rows[i].state, rows[i].version);
		struct err e = { 0 };
		uint64_t version = 0;

		run.row = rows[i].name;
		well_once(sa);
		onep.reads = rows[i].reads;
		if (rows[i].body != NULL && rows[i].status == 0)
			onep.patched = rows[i].body;
		onep.fault = (struct fault){ "/api/v3/vault/" VAULT "/",
			rows[i].status, "{}", true, NULL,
			rows[i].status != 0 };
		EQUAL(send_draft(sa, S(VAULT), &c, &version, &e),
		    rows[i].code == E_NONE);
		FAILED(e, rows[i].code);
		if (rows[i].code == E_NONE && rows[i].reads != READ_GONE)
			EQUAL(version, rows[i].want);
		SAME(onep.log, S("opi"));
		EQUAL(onep.patches, 1);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Randomness that fails, and a vault that is not known: no change is sent. */
static void
test_sa_write_unsent(void)
{
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);
	struct draft c = draft_of(ITEM_ACTIVE, 7);
	struct err e = { 0 };
	uint64_t version;

	CHECK(!send_draft(sa, S("aaaaaaaaaaaaaaaaaaaaaaaaaa"), &c, &version,
	    &e));
	FAILED(e, E_VAULT);
	e = (struct err){ 0 };
	fake_random_fails = true;
	CHECK(!send_draft(sa, S(VAULT), &c, &version, &e));
	FAILED(e, E_INTERNAL);
	fake_random_fails = false;
	EQUAL(onep.patches, 0);
	keeper_end(&k);
}

/* ---- wishes: from what an item is to become to the text that is sent ---- */

/* An item as sa_item() makes it, of both texts; "'" stands for a quote. */
static struct item
wish_item(struct sa *sa, const char *category, struct str over,
    struct str details)
{
	struct item it = { .ref = { .id = S(DRAFT_ID),
		.category = str_c(category) }, .version = 7,
		.created = S("2024-02-01T10:00:00Z") };
	struct err e = { 0 };

	CHECK(parses(&it.over, over) && parses(&it.details, details));
	CHECK(sa_item_fields(sa, &it, &e));
	return it;
}

/* What came of one part of the change that was sent: the text. */
static struct str
wish_part(struct sa *sa, const char *member)
{
	struct sa_vault *v = NULL;
	struct err e = { 0 };
	struct json j, part = { .n = 0 };

	if (!EQUAL(onep.patches, 1) || !CHECK(parses(&j, onep.patch[0])) ||
	    !CHECK(sa_vault_get(sa, S(VAULT), &v, &e)) ||
	    !CHECK(sa_vault_part(sa, v, &j, json_get(&j, json_first(&j, ROOT),
	    str_c(member)), &part, &e)))
		return NOTHING;
	return str_dup(&T, part.text);
}

/* Write an item as it is wished for, to a service that takes it. */
MUST static bool
wish_write(struct sa *sa, struct item *it, const struct wish *w,
    struct err *e)
{
	(void)draft_of(ITEM_ACTIVE, 7);
	onep.patched = onep_takes_all;
	*e = (struct err){ 0 };
	return sa_write(sa, S(VAULT), it, w, e);
}

/* A field of a wish: the one of this id, or a new one. */
struct wish_cell {
	const char *old, *section, *label, *value;
	enum kind kind;
	enum purpose purpose;
};

static void
wish_put(struct wish *w, const struct item *it, const struct wish_cell *c)
{
	struct wish_field f = { NULL, str_c(c->section), str_c(c->label),
		str_c(c->value), c->kind, c->purpose };

	for (size_t i = 0; c->old != NULL && i < it->fields; i++)
		if (str_eq(it->field[i].id, str_c(c->old)) && f.old == NULL)
			f.old = &it->field[i];
	EQUAL(f.old != NULL, c->old != NULL);
	if (f.old != NULL) {
		f.kind = f.old->kind;
		f.purpose = f.old->purpose;
	}
	w->field[w->fields++] = f;
}

/* One thing each, and what both texts are afterwards; want with p NULL is as
 * before. All new ids are NEW here. */
#define NEW "aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HAS_LOGIN "'fields':[{'value':'u','id':'username','name':'n'," \
	"'type':'T','designation':'username'},{'value':'p','id':'password'," \
	"'name':'x','type':'P','designation':'password'}]"

struct wish_row {
	const char *name, *category, *over, *details;
	struct wish_cell cell[3];
	enum err_code code;
	const char *want_over, *want_details;
};

static const struct wish_row wish_rows[] = {
	{ "nothing", "001", "{ 'title' : 'T' }", "{ 'sections' : [ ] }",
	    { { 0 } }, E_NONE, NULL, NULL },
	{ "user name", "001", "{'title':'T','ainfo':'u'}", "{" HAS_LOGIN "}",
	    { { "username", NULL, "username", "v", 0, 0 } }, E_NONE,
	    "{'title':'T','ainfo':'v'}", "{'fields':[{'value':'v','id':"
	    "'username','name':'n','type':'T','designation':'username'},"
	    "{'value':'p','id':'password','name':'x','type':'P',"
	    "'designation':'password'}]}" },
	{ "password", "001", "{'title':'T','ps':1,'pbe':0.5}",
	    "{" HAS_LOGIN "}",
	    { { "password", NULL, "password", "aB3$", 0, 0 } }, E_NONE,
	    "{'title':'T','ps':28,'pbe':28,'pgrng':false}",
	    "{'fields':[{'value':'u','id':'username','name':'n','type':'T',"
	    "'designation':'username'},{'value':'aB3$','id':'password',"
	    "'name':'x','type':'P','designation':'password'}],"
	    "'passwordHistory':[{'value':'p','time':1767323045}]}" },
	{ "history in front", "001", "{}", "{'passwordHistory':[{'value':'o',"
	    "'time':1}]," HAS_LOGIN "}",
	    { { "password", NULL, "password", "", 0, 0 } }, E_NONE,
	    "{'pbe':0,'ps':0,'pgrng':false}",
	    "{'passwordHistory':[{'value':'p','time':1767323045},{'value':'o',"
	    "'time':1}],'fields':[{'value':'u','id':'username','name':'n',"
	    "'type':'T','designation':'username'},{'value':'','id':'password',"
	    "'name':'x','type':'P','designation':'password'}]}" },
	{ "history that is none", "001", "{}", "{'passwordHistory':null,"
	    HAS_LOGIN "}", { { "password", NULL, "password", "q", 0, 0 } },
	    E_NONE, "{'pbe':5,'ps':5,'pgrng':false}",
	    "{'passwordHistory':[{'value':'p','time':1767323045}],'fields':"
	    "[{'value':'u','id':'username','name':'n','type':'T',"
	    "'designation':'username'},{'value':'q','id':'password',"
	    "'name':'x','type':'P','designation':'password'}]}" },
	{ "the same password", "001", "{}", "{'passwordHistory':[],"
	    HAS_LOGIN "}", { { "password", NULL, "password", "p", 0, 0 } },
	    E_NONE, "{'pbe':5,'ps':5,'pgrng':false}",
	    "{'passwordHistory':[]," HAS_LOGIN "}" },
	{ "a password without value", "001", "{}", "{'fields':[{'designation':"
	    "'password'}]}", { { "password", NULL, "password", "q", 0, 0 } },
	    E_NONE, "{'pbe':5,'ps':5,'pgrng':false}",
	    "{'fields':[{'designation':'password','value':'q'}]}" },
	{ "a login without password", "001", "{}", "{'fields':[]}",
	    { { NULL, NULL, "password", "q", KIND_CONCEALED, FOR_PASSWORD } },
	    E_NONE, "{'pbe':5,'ps':5,'pgrng':false}", "{'fields':[{'value':"
	    "'q','id':'password','name':'password','type':'P','designation':"
	    "'password'}]}" },
	{ "a login without fields", "001", "{}", "{}",
	    { { NULL, NULL, "username", "q", KIND_TEXT, FOR_USERNAME },
	    { NULL, NULL, "password", "", KIND_CONCEALED, FOR_PASSWORD } },
	    E_NONE, "{'ainfo':'q','pbe':0,'ps':0,'pgrng':false}",
	    "{'fields':[{'value':'q','id':'username','name':'username','type':"
	    "'T','designation':'username'},{'value':'','id':"
	    "'password','name':'password','type':'P','designation':'password'"
	    "}]}" },
	{ "a password item", "005", "{}", "{'password':'old','sections':[]}",
	    { { "password", NULL, "password", "q", 0, 0 } }, E_NONE,
	    "{'pbe':5,'ps':5,'pgrng':false}",
	    "{'password':'q','sections':[],'passwordHistory':[{'value':'old',"
	    "'time':1767323045}]}" },
	{ "a password item without one", "005", "{}", "{}",
	    { { "password", NULL, "password", "q", 0, 0 } }, E_NONE,
	    "{'pbe':5,'ps':5,'pgrng':false}", "{'password':'q'}" },
	{ "a field of a section", "110", "{'ainfo':'u'}",
	    "{'sections':[{'name':'','title':'','fields':[{'k':'string','n':"
	    "'url','t':'URL','v':'x','a':{'guarded':'yes'}},{'k':'concealed',"
	    "'n':'pw','t':'password','v':'s'}]}]}",
	    { { "pw", NULL, "password", "q\"\\\n", 0, 0 } }, E_NONE, NULL,
	    "{'sections':[{'name':'','title':'','fields':[{'k':'string','n':"
	    "'url','t':'URL','v':'x','a':{'guarded':'yes'}},{'k':'concealed',"
	    "'n':'pw','t':'password','v':'q\\'\\\\\\n'}]}],"
	    "'passwordHistory':[{'value':'s','time':1767323045}]}" },
	{ "without a value so far", "110", "{}", "{'sections':[{'fields':[{'k':"
	    "'string','n':'url','t':'URL'}]}]}",
	    { { "url", NULL, "URL", "q", 0, 0 } }, E_NONE, NULL,
	    "{'sections':[{'fields':[{'k':'string','n':'url','t':'URL','v':'q'"
	    "}]}]}" },
	{ "a value of another type", "110", "{}", "{'sections':[{'fields':[{"
	    "'k':'string','n':'url','v':{'a':[1]}}]}]}",
	    { { "url", NULL, "url", "q", 0, 0 } }, E_NONE, NULL,
	    "{'sections':[{'fields':[{'k':'string','n':'url','v':'q'}]}]}" },
	{ "the line below a server", "110", "{'ainfo':'u'}", "{'sections':[{"
	    "'fields':[{'k':'string','n':'username','v':'u'}]}]}",
	    { { "username", NULL, "username", "w", 0, 0 } }, E_NONE,
	    "{'ainfo':'w'}", "{'sections':[{'fields':[{'k':'string','n':"
	    "'username','v':'w'}]}]}" },
	{ "a new field", "110", "{}", "{'sections':[{'name':'','title':'',"
	    "'fields':[]}]}",
	    { { NULL, NULL, "pin", "1", KIND_CONCEALED, 0 } }, E_NONE, NULL,
	    "{'sections':[{'name':'','title':'','fields':[{'k':'concealed',"
	    "'n':'" NEW "','t':'pin','v':'1'}]}]}" },
	{ "two new fields", "110", "{}", "{'sections':[{'name':'','title':'',"
	    "'fields':[]}]}",
	    { { NULL, NULL, "a", "1", KIND_TEXT, 0 },
	    { NULL, NULL, "b", "2", KIND_URL, 0 } }, E_NONE, NULL,
	    "{'sections':[{'name':'','title':'','fields':[{'k':'string',"
	    "'n':'" NEW "','t':'a','v':'1'},{'k':'URL','n':'" NEW "','t':'b',"
	    "'v':'2'}]}]}" },
	{ "a section by its title", "110", "{}", "{'sections':[{'name':'x',"
	    "'title':'One','fields':[]},{'name':'y','title':'Two'}]}",
	    { { NULL, "tWO", "a", "1", KIND_TEXT, 0 },
	    { NULL, "X", "b", "2", KIND_TEXT, 0 } }, E_NONE, NULL,
	    "{'sections':[{'name':'x','title':'One','fields':[{'k':'string',"
	    "'n':'" NEW "','t':'b','v':'2'}]},{'name':'y','title':'Two',"
	    "'fields':[{'k':'string','n':'" NEW "','t':'a','v':'1'}]}]}" },
	{ "one section by two names", "110", "{}", "{'sections':[{'name':'x',"
	    "'title':'One'}]}",
	    { { NULL, "One", "a", "1", KIND_TEXT, 0 },
	    { NULL, "X", "b", "2", KIND_TEXT, 0 } }, E_NONE, NULL,
	    "{'sections':[{'name':'x','title':'One','fields':[{'k':'string',"
	    "'n':'" NEW "','t':'a','v':'1'},{'k':'string','n':'" NEW "','t':"
	    "'b','v':'2'}]}]}" },
	{ "fields that are no list", "110", "{}", "{'sections':[{'name':'',"
	    "'fields':null}]}",
	    { { NULL, NULL, "a", "1", KIND_TEXT, 0 } }, E_NONE, NULL,
	    "{'sections':[{'name':'','fields':[{'k':'string','n':'" NEW
	    "','t':'a','v':'1'}]}]}" },
	{ "two fields in a new section", "110", "{}", "{'sections':[]}",
	    { { NULL, "New", "a", "1", KIND_TEXT, 0 },
	    { NULL, "nEW", "b", "2", KIND_EMAIL, 0 } }, E_NONE, NULL,
	    "{'sections':[{'name':'Section_" NEW "','title':'New','fields':[{"
	    "'k':'string','n':'" NEW "','t':'a','v':'1'},{'k':'email','n':'"
	    NEW "','t':'b','v':'2'}]}]}" },
	{ "two new sections", "110", "{}", "{'sections':[{'name':'z'}]}",
	    { { NULL, "New", "a", "1", KIND_PHONE, 0 },
	    { NULL, NULL, "b", "2", KIND_MENU, 0 } }, E_NONE, NULL,
	    "{'sections':[{'name':'z'},{'name':'Section_" NEW "','title':'New',"
	    "'fields':[{'k':'phone','n':'" NEW "','t':'a','v':'1'}]},{'name':"
	    "'','title':'','fields':[{'k':'menu','n':'" NEW "','t':'b','v':"
	    "'2'}]}]}" },
	{ "no sections", "110", "{}", "{'notesPlain':'n'}",
	    { { NULL, "New", "a", "1", KIND_CARD_TYPE, 0 } }, E_NONE, NULL,
	    "{'notesPlain':'n','sections':[{'name':'Section_" NEW "','title':"
	    "'New','fields':[{'k':'cctype','n':'" NEW "','t':'a','v':'1'}]}]}" },
	{ "sections that are no list", "110", "{}", "{'sections':{'a':1}}",
	    { { NULL, "New", "a", "1", KIND_TEXT, 0 } }, E_NONE, NULL,
	    "{'sections':[{'name':'Section_" NEW "','title':'New','fields':[{"
	    "'k':'string','n':'" NEW "','t':'a','v':'1'}]}]}" },
	{ "seed and card number", "110", "{}", "{'sections':[]}",
	    { { NULL, NULL, "a", "JBSWY3DPEHPK3PXP", KIND_TOTP, 0 },
	    { NULL, NULL, "b", "4111", KIND_CARD, 0 } }, E_NONE, NULL,
	    "{'sections':[{'name':'','title':'','fields':[{'k':'concealed',"
	    "'n':'TOTP_" NEW "','t':'a','v':'JBSWY3DPEHPK3PXP'},{'k':'string',"
	    "'n':'ccnum_" NEW "','t':'b','v':'4111'}]}]}" },
	{ "date and month", "110", "{}", "{'sections':[]}",
	    { { NULL, NULL, "a", "2027-02-28", KIND_DATE, 0 },
	    { NULL, NULL, "b", "07/2031", KIND_MONTH_YEAR, 0 } }, E_NONE, NULL,
	    "{'sections':[{'name':'','title':'','fields':[{'k':'date',"
	    "'n':'" NEW "','t':'a','v':1803816060},{'k':'monthYear',"
	    "'n':'" NEW "','t':'b','v':203107}]}]}" },
	{ "an old date", "110", "{}", "{'sections':[{'fields':[{'k':'date',"
	    "'n':'d','v':1,'t':'D'}]}]}",
	    { { "d", NULL, "D", "1969-07-20", 0, 0 } }, E_NONE, NULL,
	    "{'sections':[{'fields':[{'k':'date','n':'d','v':-14212740,'t':"
	    "'D'}]}]}" },
	{ "an array", "110", "[]", "{}", { { 0 } }, E_EDIT, NULL, NULL },
	{ "an array, too", "110", "{}", "[]", { { 0 } }, E_EDIT, NULL, NULL },
	{ "a text", "110", "'x'", "{}", { { 0 } }, E_EDIT, NULL, NULL },
};

static void
test_sa_write_fields(void)
{
	static u8 zeros[ID_LEN];
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);

	for (size_t i = 0; i < LEN(wish_rows); i++) {
		const struct wish_row *r = &wish_rows[i];
		struct item it = wish_item(sa, r->category, quotes(r->over),
		    quotes(r->details));
		struct wish w = { .state = ITEM_ACTIVE };
		struct err e;
		struct json j;

		run.row = r->name;
		for (size_t n = 0; n < 3 && r->cell[n].label != NULL; n++)
			wish_put(&w, &it, &r->cell[n]);
		fake_bytes = (struct str){ zeros, sizeof zeros };
		EQUAL(wish_write(sa, &it, &w, &e), r->code == E_NONE);
		fake_bytes = NOTHING;
		FAILED(e, r->code);
		EQUAL(onep.patches, r->code == E_NONE);
		EQUAL(it.version, r->code == E_NONE ? 8 : 7);
		if (r->code != E_NONE)
			continue;
		SAME(wish_part(sa, "encOverview"), quotes(r->want_over !=
		    NULL ? r->want_over : r->over));
		SAME(wish_part(sa, "encDetails"), quotes(r->want_details !=
		    NULL ? r->want_details : r->details));
		CHECK(parses(&j, wish_part(sa, "encDetails")));
		mem_reset(&k.scratch, 0);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Title, notes, website and tags. */
static void
test_sa_write_texts(void)
{
	static const struct {
		const char *over, *title, *website;
		bool retag;
		struct str tag[2];
		const char *want;
	} rows[] = {
		{ "{'title':'T'}", "\xc3\xa9\"", NULL, false, { NOTHING },
		    "{'title':'\xc3\xa9\\''}" },
		{ "{}", "N", NULL, false, { NOTHING }, "{'title':'N'}" },
		{ "{'title':7,'x':1}", "N", NULL, false, { NOTHING },
		    "{'title':'N','x':1}" },
		{ "{'URLs':[{'l':'website','u':'a','m':'default'},{'u':'b'}],"
		    "'url':'a'}", NULL, "https://c", false, { NOTHING },
		    "{'URLs':[{'l':'website','u':'https://c','m':'default'},"
		    "{'u':'b'}],'url':'https://c'}" },
		{ "{}", NULL, "c", false, { NOTHING },
		    "{'URLs':[{'u':'c','l':'website','m':'default'}]}" },
		{ "{'URLs':[]}", NULL, "c", false, { NOTHING },
		    "{'URLs':[{'u':'c','l':'website','m':'default'}]}" },
		{ "{'URLs':null,'url':''}", NULL, "c", false, { NOTHING },
		    "{'URLs':[{'u':'c','l':'website','m':'default'}],"
		    "'url':'c'}" },
		{ "{'URLs':{'u':'a'}}", NULL, "c", false, { NOTHING },
		    "{'URLs':[{'u':'c','l':'website','m':'default'}]}" },
		{ "{'URLs':[['u']]}", NULL, "c", false, { NOTHING },
		    "{'URLs':[['u'],{'u':'c','l':'website','m':'default'}]}" },
		{ "{'URLs':[null,{'l':'x'},{'u':'a'}]}", NULL, "c", false,
		    { NOTHING }, "{'URLs':[null,{'l':'x'},{'u':'c'}]}" },
		{ "{'tags':['a','b']}", NULL, NULL, true, { B("c"),
		    B("d\"e") }, "{'tags':['c','d\\'e']}" },
		{ "{'tags':['a','b']}", NULL, NULL, true, { NOTHING },
		    "{'tags':[]}" },
		{ "{'tags':'a'}", NULL, NULL, true, { B("c") },
		    "{'tags':['c']}" },
		{ "{}", NULL, NULL, true, { B("c") }, "{'tags':['c']}" },
		{ "{'tags':['a']}", NULL, NULL, false, { B("c") },
		    "{'tags':['a']}" },
	};
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);

	for (size_t i = 0; i < LEN(rows); i++) {
		struct item it = wish_item(sa, "001", quotes(rows[i].over),
		    S("{\"notesPlain\":null,\"x\":[ ]}"));
		struct wish w = { .title = str_c(rows[i].title),
			.website = str_c(rows[i].website),
			.notes = S("two\nlines"), .retag = rows[i].retag };
		struct err e;

		run.row = rows[i].want;
		for (; w.tags < 2 && rows[i].tag[w.tags].n > 0; w.tags++)
			w.tag[w.tags] = rows[i].tag[w.tags];
		CHECK(wish_write(sa, &it, &w, &e));
		FAILED(e, E_NONE);
		SAME(wish_part(sa, "encOverview"), quotes(rows[i].want));
		SAME(wish_part(sa, "encDetails"),
		    S("{\"notesPlain\":\"two\\nlines\",\"x\":[ ]}"));
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Dates by what they show as afterwards: the same; wrong ones are refused
 * and nothing is sent. */
static void
test_sa_write_dates(void)
{
	static const struct {
		enum kind kind;
		const char *text;
		bool good;
	} rows[] = {
		{ KIND_DATE, "1970-01-01", true },
		{ KIND_DATE, "1969-12-31", true },
		{ KIND_DATE, "1900-02-28", true },
		{ KIND_DATE, "1904-02-29", true },
		{ KIND_DATE, "1000-01-01", true },
		{ KIND_DATE, "2000-02-29", true },
		{ KIND_DATE, "2999-12-31", true },
		{ KIND_DATE, "2024-04-30", true },
		{ KIND_DATE, "1900-02-29", false },
		{ KIND_DATE, "2023-02-29", false },
		{ KIND_DATE, "2024-04-31", false },
		{ KIND_DATE, "2024-00-01", false },
		{ KIND_DATE, "2024-13-01", false },
		{ KIND_DATE, "2024-01-00", false },
		{ KIND_DATE, "2024-01-32", false },
		{ KIND_DATE, "3000-01-01", false },
		{ KIND_DATE, "0000-01-01", false },
		{ KIND_DATE, "2024-1-01", false },
		{ KIND_DATE, "24-01-01", false },
		{ KIND_DATE, "2024/01/01", false },
		{ KIND_DATE, "2024-01-01 ", false },
		{ KIND_DATE, "+024-01-01", false },
		{ KIND_DATE, "2024--1-01", false },
		{ KIND_DATE, "2024-01-0x", false },
		{ KIND_DATE, "07/2031", false }, { KIND_DATE, "x", false },
		{ KIND_MONTH_YEAR, "01/2000", true },
		{ KIND_MONTH_YEAR, "12/2999", true },
		{ KIND_MONTH_YEAR, "12/1000", true },
		{ KIND_MONTH_YEAR, "00/2031", false },
		{ KIND_MONTH_YEAR, "13/2031", false },
		{ KIND_MONTH_YEAR, "1/2031", false },
		{ KIND_MONTH_YEAR, "01/31", false },
		{ KIND_MONTH_YEAR, "01/0031", false },
		{ KIND_MONTH_YEAR, "01-2031", false },
		{ KIND_MONTH_YEAR, "01/3000", false },
		{ KIND_MONTH_YEAR, "2031/01", false },
		{ KIND_MONTH_YEAR, "203101", false },
		{ KIND_MONTH_YEAR, "x", false },
	};
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);

	for (size_t i = 0; i < LEN(rows); i++) {
		struct item it = wish_item(sa, "110", S("{}"), JOIN(&T,
		    S("{\"sections\":[{\"fields\":[{\"n\":\"f\",\"k\":\""),
		    str_c(kinds[rows[i].kind].wire), S("\"}]}]}")));
		struct wish w = { .fields = 0 };
		struct err e;

		run.row = rows[i].text;
		wish_put(&w, &it, &(struct wish_cell){ "f", NULL, "f",
		    rows[i].text, 0, 0 });
		EQUAL(wish_write(sa, &it, &w, &e), rows[i].good);
		FAILED(e, rows[i].good ? E_NONE : E_EDIT);
		EQUAL(onep.patches, rows[i].good);
		w.field[0].old = NULL;
		EQUAL(item_value(sa->scratch, &w.field[0]).p != NULL, rows[i].good);
		if (!rows[i].good)
			continue;
		it = wish_item(sa, "110", S("{}"), wish_part(sa,
		    "encDetails"));
		SAME(value_of(&it.field[0]), str_c(rows[i].text));
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Every category, new: what is sent can be read again, has version 0, an id
 * and the fields that the wish names. */
static void
test_sa_write_blank(void)
{
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);
	struct str last = NOTHING;

	for (size_t i = 0; i < LEN(categories); i++) {
		struct str number = str_c(categories[i].number), details;
		struct wish w = { .title = S("New one"), .notes = S("n") };
		struct item it = { 0 }, now;
		struct err e = { 0 };
		struct json j;
		uint32_t one;

		run.row = categories[i].name;
		CHECK(sa_blank(sa, number, &it, &e));
		FAILED(e, E_NONE);
		SAME(it.ref.category, number);
		EQUAL(it.version, 0);
		EQUAL(it.ref.id.n, 0);
		for (size_t f = 0; f < it.fields; f++) {
			w.field[w.fields++] = (struct wish_field){
				&it.field[f], NOTHING, it.field[f].title,
				S("v"), it.field[f].kind,
				it.field[f].purpose };
			EQUAL(it.field[f].value.n, 0);
		}
		wish_put(&w, &it, &(struct wish_cell){ NULL, "More", "own",
		    "o", KIND_CONCEALED, 0 });
		if (str_eq(number, CATEGORY_NOTE))      /* has notes itself */
			w.field[0] = w.field[--w.fields];
		CHECK(wish_write(sa, &it, &w, &e));
		FAILED(e, E_NONE);
		EQUAL(it.version, 1);
		CHECK(id_is_valid(it.ref.id, 'a'));
		CHECK(!str_eq(it.ref.id, last));
		last = str_dup(&T, it.ref.id);
		if (!CHECK(parses(&j, onep.patch[0])))
			continue;
		one = json_first(&j, ROOT);
		SAME(member_of(&j, one, "uuid"), it.ref.id);
		SAME(json_raw(&j, json_get(&j, one, S("itemVersion"))),
		    S("0"));
		SAME(member_of(&j, one, "templateUuid"), number);
		SAME(member_of(&j, one, "createdAt"),
		    S("2026-01-02T03:04:05Z"));
		SAME(member_of(&j, one, "trashed"), S("N"));
		SAME(text_of(wish_part(sa, "encOverview"), "title"),
		    S("New one"));
		details = wish_part(sa, "encDetails");
		now = wish_item(sa, categories[i].number, S("{}"), details);
		EQUAL(now.fields, w.fields + 1);        /* the notes */
		for (size_t f = 0; f < now.fields; f++)
			SAME(value_of(&now.field[f]),
			    now.field[f].kind == KIND_NOTES ? S("n") :
			    str_eq(now.field[f].title, S("own")) ? S("o") :
			    S("v"));
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Files stay when the item is written: each is signed for with its own key,
 * over the version that is replaced. The figures were seen in the official
 * SDK's requests. */
static void
test_sa_write_files(void)
{
#define FILE_ITEM "coczc7agivw4w25uhc4jken27i"
#define FILE_ID "cer34stzibcmkt7c3jblpg3oxi"
	static const struct {
		uint64_t version;
		const char *signature;
	} rows[] = {
		{ 2, "_TIlEIkEggHpZGkrRvFVduatMppNmFv5eqqQWygqSB8" },
		{ 3, "JciYfzfWtXI2EGKQ1gC3Tn0RbrqJJuieeXcKidSgfHA" },
		{ 4, "-SneCOhVjj4Vcs54CGLPWEgi1vbcHPIBcx_2XA8wYxA" },
	};
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);
	u8 key[] = { 0xdc, 0xdc, 0xa3, 0x1a, 0x35, 0x9f, 0xf2, 0xd6, 0xdb,
		0x32, 0x3f, 0x81, 0x04, 0xf2, 0x08, 0x11, 0xe5, 0xfd, 0x88,
		0x10, 0x36, 0x12, 0x3b, 0xc4, 0x7f, 0xfa, 0xd1, 0x8a, 0xcd,
		0x9c, 0xc8, 0x51 };
	struct str attr, jwk, file;
	struct out o;

	out_open(&o, &T);
	out_put(&o, S("{\"alg\":\"A256GCM\",\"k\":\""));
	b64_put_url(&o, (struct str){ key, sizeof key });
	out_put(&o, S("\",\"kid\":\"vvmtsu5myaovac22alp2ffe2hu\"}"));
	jwk = out_close(&o, &T);
	attr = JOIN(&T, S("{\"fileName\":\"f\",\"documentId\":\"" FILE_ID
	    "\",\"signingKey\":"), jwk, S("}"));
	file = JOIN(&T, S("{\"k\":\"file\",\"n\":\"a\",\"v\":"), attr, S("}"));
	for (size_t i = 0; i < 4 * LEN(rows); i++) {
		bool document = i % 2 > 0, two = i % 4 > 1 && !document;
		struct str details = document ? JOIN(&T,
		    S("{\"documentAttributes\":"), attr, S("}")) : JOIN(&T,
		    S("{\"sections\":[{\"fields\":["), file, two ? S(",") :
		    S(""), two ? file : S(""), S("]}]}"));
		struct item it = wish_item(sa, document ? "006" : "001",
		    S("{}"), details);
		struct wish w = { .title = S("T"), .state = i < 4 ?
			ITEM_ACTIVE : i < 8 ? ITEM_ARCHIVED : ITEM_DELETED };
		struct str one = JOIN(&T, S("{\"fileId\":\"" FILE_ID
		    "\",\"signature\":\""), str_c(rows[i / 4].signature),
		    S("\"}"));
		struct err e;

		it.ref.id = S(FILE_ITEM);
		it.version = rows[i / 4].version;
		CHECK(wish_write(sa, &it, &w, &e));
		FAILED(e, E_NONE);
		SAME(path_at(onep.patch[0], "0>fileReferences"),
		    JOIN(&T, S("["), one, two ? S(",") : S(""), two ? one :
		    S(""), S("]")));
		SAME(wish_part(sa, "encDetails"), details);
	}
	for (int i = 0; i < 4; i++) {   /* a file that cannot be signed for */
		static const char *const from[] = { "signingKey", "documentId",
			"A256GCM", "k\":\"3N" };
		struct item it = wish_item(sa, "001", S("{}"), swapped(JOIN(&T,
		    S("{\"sections\":[{\"fields\":["), file, S("]}]}")),
		    from[i], i < 3 ? "x" : "x\":\"3N"));
		struct wish w = { .title = S("T") };
		struct err e;

		run.row = from[i];
		CHECK(!wish_write(sa, &it, &w, &e));
		FAILED(e, E_EDIT);
		EQUAL(onep.patches, 0);
	}
	run.row = NULL;
	keeper_end(&k);
#undef FILE_ITEM
#undef FILE_ID
}

/* The item of the vectors, as it is read. */
static struct item
wish_vector(struct sa *sa, uint32_t k)
{
	uint32_t stored = json_get(&onep.items, k, S("stored"));
	struct item it = { .version = 7, .created = S("2024") };
	struct sa_vault *v = NULL;
	struct err e = { 0 };

	it.ref.category = member_of(&onep.items, stored, "templateUuid");
	it.ref.id = member_of(&onep.items, stored, "uuid");
	CHECK(sa_vault_get(sa, S(VAULT), &v, &e) &&
	    sa_vault_part(sa, v, &onep.items, json_get(&onep.items, stored,
	    S("encOverview")), &it.over, &e) && sa_vault_part(sa, v,
	    &onep.items, json_get(&onep.items, stored, S("encDetails")),
	    &it.details, &e) && sa_item_fields(sa, &it, &e));
	return it;
}

/* Make up a wish for an item: some of its fields that can be set, and new
 * ones. */
static void
wish_random(struct wish *w, const struct item *it)
{
	static const char *const value[] = { "", "x", "q\"\\\n\xc3\xa9",
		"\xf0\x9f\x94\x91 secret" };
	static const char *const section[] = { NULL, "New", "new", "Two" };
	static const enum kind kind[] = { KIND_TEXT, KIND_CONCEALED,
		KIND_DATE, KIND_TOTP, KIND_MENU };

	*w = (struct wish){ .state = ITEM_ACTIVE };
	if (rnd(3) == 0)
		w->title = str_c(value[rnd(LEN(value))]);
	if (rnd(4) == 0)
		w->website = str_c(value[rnd(LEN(value))]);
	if (rnd(4) == 0)
		w->notes = str_c(value[rnd(LEN(value))]);
	w->retag = rnd(4) == 0;
	for (; w->tags < rnd(4); w->tags++)
		w->tag[w->tags] = str_c(value[w->tags]);
	for (size_t i = 0; i < it->fields && w->fields < 10; i++) {
		const struct field *f = &it->field[i];
		bool plain = f->kind <= KIND_CARD_TYPE || f->kind == KIND_DATE
		    || f->kind == KIND_MONTH_YEAR || f->kind == KIND_CARD ||
		    f->kind == KIND_TOTP;

		if (plain && rnd(3) == 0)
			w->field[w->fields++] = (struct wish_field){ f,
				NOTHING, f->title, f->kind == KIND_DATE ?
				S("2024-02-29") : f->kind == KIND_MONTH_YEAR ?
				S("02/2024") : str_c(value[rnd(LEN(value))]),
				f->kind, f->purpose };
	}
	for (uint32_t n = rnd(4); n > 0; n--) {
		struct wish_field f = { NULL, str_c(section[rnd(LEN(section))]),
			str_c(value[1 + rnd(3)]), S("2024-02-29"),
			kind[rnd(LEN(kind))], FOR_NOTHING };

		w->field[w->fields++] = f;
	}
}

/* Real items and random wishes: what is read afterwards is what was wished
 * for, and every other field is as it was. */
static void
test_sa_write_round_trip(void)
{
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);
	uint32_t list = json_get(&onep.items, ROOT, S("cases"));
	size_t mark = T.used;
	unsigned good = 0;

	for (unsigned round = 0; round < ROUNDS(50); round++)
	for (uint32_t c = json_first(&onep.items, list); c;
	    c = json_next(&onep.items, list, c)) {
		struct item it = wish_vector(sa, c), now;
		struct wish w;
		struct err e;
		size_t fresh = 0, at = 0;

		run.row = cstr(member_of(&onep.items, c, "name"));
		wish_random(&w, &it);
		if (!CHECK(wish_write(sa, &it, &w, &e))) {
			FAILED(e, E_NONE);
			continue;
		}
		now = wish_item(sa, cstr(it.ref.category), wish_part(sa,
		    "encOverview"), wish_part(sa, "encDetails"));
		for (size_t i = 0; i < w.fields; i++)
			fresh += w.field[i].old == NULL;
		EQUAL(now.fields, it.fields + fresh + (w.notes.p != NULL &&
		    json_get(&it.details, ROOT, S("notesPlain")) == 0));
		for (size_t i = 0; i < it.fields; i++) {
			const struct field *f = &it.field[i];
			struct str want = value_of(f);

			for (size_t n = 0; n < w.fields; n++)
				if (w.field[n].old == f)
					want = w.field[n].value;
			if (f->kind == KIND_NOTES && w.notes.p != NULL)
				want = w.notes;
			while (at < now.fields && (!str_eq(f->id,
			    now.field[at].id) || !str_eq(f->title,
			    now.field[at].title)))
				at++;
			if (!CHECK(at < now.fields))
				break;
			EQUAL(now.field[at].kind, f->kind);
			SAME(value_of(&now.field[at]), want);
			at++;
		}
		good++;
		mem_reset(&k.scratch, 0);
		mem_reset(&T, mark);
	}
	CHECK(good > 30);
	run.row = NULL;
	keeper_end(&k);
}

/* ---- section 13: Connect --------------------------------------------- */

static struct con *
con_begun(void)
{
	struct con *c = mem_alloc(&T, sizeof *c);

	if (!CHECK(c != NULL))
		return NULL;
	memset(c, 0, sizeof *c);
	c->os = &fake_os;
	c->scratch = &T;
	c->http.fd = -1;
	return c;
}

/* OP_CONNECT_HOST: what is an address, and to where plain http may go. */
static void
test_con_address(void)
{
	static const struct {
		const char *url, *host, *port, *base;   /* host NULL: refused */
		bool allow;
	} rows[] = {
		{ "https://c.example", "c.example", "443", "", false },
		{ "https://c.example/", "c.example", "443", "", false },
		{ "https://c.example:8443///", "c.example", "8443", "",
		    false },
		{ "https://c.example/gw", "c.example", "443", "/gw", false },
		{ "https://c.example/a/b/", "c.example", "443", "/a/b",
		    false },
		{ "http://localhost:8080", "localhost", "8080", "", false },
		{ "http://LOCALHOST", "LOCALHOST", "80", "", false },
		{ "http://127.0.0.1:1", "127.0.0.1", "1", "", false },
		{ "http://[::1]:8080/x", "::1", "8080", "/x", false },
		{ "https://[fe80::1]", "fe80::1", "443", "", false },
		{ "http://connect:8080", "connect", "8080", "", true },
		{ "http://connect:8080", NULL, NULL, NULL, false },
		{ "http://127.evil.example", NULL, NULL, NULL, false },
		{ "http://localhost.evil.example", NULL, NULL, NULL, false },
		{ "c.example", NULL, NULL, NULL, true },
		{ "ftp://c.example", NULL, NULL, NULL, true },
		{ "HTTPS://c.example", "c.example", "443", "", false },
		{ "Http://c.example", NULL, NULL, NULL, false },
		{ "https://", NULL, NULL, NULL, true },
		{ "https:///v1", NULL, NULL, NULL, true },
		{ "https://h/v1", NULL, NULL, NULL, true },
		{ "https://h/gw/v1/", NULL, NULL, NULL, true },
		{ "https://h/v10", "h", "443", "/v10", true },
		{ "https://h/av1", "h", "443", "/av1", true },
		{ "https://user@c.example", NULL, NULL, NULL, true },
		{ "https://c.example:0", NULL, NULL, NULL, true },
		{ "https://c.example:65536", NULL, NULL, NULL, true },
		{ "https://c.example:x", NULL, NULL, NULL, true },
		{ "https://c.example:", NULL, NULL, NULL, true },
		{ "https://[::1", NULL, NULL, NULL, true },
		{ "https://[::1]x", NULL, NULL, NULL, true },
		{ "https://a:b:c", NULL, NULL, NULL, true },
		{ "https://c.example?x", NULL, NULL, NULL, true },
		{ "https://c.example/a?x", NULL, NULL, NULL, true },
		{ "https://c.example/a#x", NULL, NULL, NULL, true },
		{ "https://c.example/a b", NULL, NULL, NULL, true },
		{ "https://c.example/%2e", NULL, NULL, NULL, true },
		{ "https://c.example\r\nX: y", NULL, NULL, NULL, true },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct con *c = con_begun();
		struct cfg cfg = { .connect_host = rows[i].url,
			.allow_http = rows[i].allow };
		struct err e = { 0 };

		run.row = rows[i].url;
		EQUAL(con_address(c, &cfg, &e), rows[i].host != NULL);
		FAILED(e, rows[i].host != NULL ? E_NONE : E_CONFIG);
		if (rows[i].host == NULL)
			continue;
		SAME(str_c(c->http.host), str_c(rows[i].host));
		SAME(str_c(c->http.port), str_c(rows[i].port));
		SAME(str_c(c->base), str_c(rows[i].base));
	}
	run.row = NULL;
}

/* Access tokens: form, audience, end. {"aud":[...]} and so on, in base64url. */
static void
test_con_check_token(void)
{
	static const struct {
		const char *payload;    /* NULL: head is the whole token */
		const char *head, *tail;
		bool good;
	} rows[] = {
#define AUD "\"aud\":[\"com.1password.connect\"]"
		{ "{" AUD "}", "eyJ9.", ".AAAA", true },
		{ "{" AUD ",\"exp\":1767323046}", "e30.", ".A", true },
		{ "{" AUD ",\"exp\":1767323045}", "e30.", ".A", false },
		{ "{" AUD ",\"exp\":1}", "e30.", ".A", false },
		{ "{" AUD ",\"exp\":\"x\"}", "e30.", ".A", true },
		{ "{\"aud\":\"com.1password.connect\"}", "e30.", ".A",
		    true },
		{ "{\"aud\":[\"com.1password.b5\"]}", "e30.", ".A", false },
		{ "{}", "e30.", ".A", false },
		{ "[" "]", "e30.", ".A", false },
		{ "{" AUD, "e30.", ".A", false },
		{ "{" AUD "}", "e30.", "", false },
		{ "{" AUD "}", "e30.", ".A.A", false },
		{ "{" AUD "}", "e30.", ".A\n", false },
		{ "{" AUD "}", "e 0.", ".A", false },
		{ NULL, "", "", false }, { NULL, "..", "", false },
		{ NULL, "ops_eyJ9", "", false }, { NULL, "a.%%.c", "", false },
	};
	struct err long_one = { 0 };
	struct out text;

	out_init(&text, mem_alloc(&T, TOKEN_MAX + 1), TOKEN_MAX + 1);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct con *c = con_begun();
		struct err e = { 0 };
		u8 room[512];
		struct out o;

		run.row = rows[i].payload;
		out_init(&o, room, sizeof room);
		out_put(&o, str_c(rows[i].head));
		if (rows[i].payload != NULL)
			b64_put_url(&o, str_c(rows[i].payload));
		out_put(&o, str_c(rows[i].tail));
		EQUAL(con_check_token(c, out_str(&o), &e), rows[i].good);
		FAILED(e, rows[i].good ? E_NONE : E_TOKEN);
	}
	run.row = NULL;
	memset(text.p, 'a', text.cap);
	CHECK(!con_check_token(con_begun(), (struct str){ text.p, text.cap },
	    &long_one));
	CHECK(strstr(long_one.what, "longer than") != NULL);
}

/* A change keeps every byte that it does not name, also of members that this
 * program does not know. */
static void
test_con_edit(void)
{
	static const char text[] = "{ \"id\":\"" VAULT "\", \"future\" : "
	    "[1.50e1,{\"a\":null}],\n\"vault\":{\"id\":\"" VAULT "\"},"
	    "\"category\":\"LOGIN\",\"title\":\"Old\",\"passkey\":{\"k\":"
	    "\"\\u00e9\"},\"fields\":[{\"id\":\"password\",\"type\":"
	    "\"CONCEALED\",\"purpose\":\"PASSWORD\",\"value\":\"was\","
	    "\"entropy\":13.0600},{\"x\":1,\"id\":\"q\",\"label\":\"Q\","
	    "\"value\":\"keep\"}] }";
	struct con *c = con_begun();
	struct item it = { .version = 3 };
	struct wish w = { .state = ITEM_ACTIVE, .title = S("New \"one\"") };
	struct err e = { 0 };
	struct str got, want;

	if (!CHECK(json_parse(&it.details, &T, str_c(text), &e) &&
	    con_shape_item(c, S(VAULT), &it, &e)))
		return;
	EQUAL(it.fields, 2);
	w.field[w.fields++] = (struct wish_field){ &it.field[0], NOTHING,
		S("password"), S("n\\ew"), KIND_CONCEALED, FOR_PASSWORD };
	if (!CHECK(con_edit(c, S(VAULT), &it, &w, &got, &e)))
		return;
	want = swapped(swapped(str_c(text), "\"Old\"", "\"New \\\"one\\\"\""),
	    "\"was\"", "\"n\\\\ew\"");
	SAME(got, want);
	w = (struct wish){ .state = ITEM_ACTIVE };
	w.field[w.fields++] = (struct wish_field){ NULL, NOTHING, S("Tel"),
		S("1"), KIND_PHONE, FOR_NOTHING };
	CHECK(!con_edit(c, S(VAULT), &it, &w, &got, &e));
	FAILED(e, E_EDIT);
}

/* Which changes go as a PATCH: those of values that can be named. */
static void
test_con_patch(void)
{
	static const char text[] = "{\"id\":\"" VAULT "\",\"title\":\"Old\","
	    "\"fields\":[{\"id\":\"a-b_1\",\"value\":\"v\"},"
	    "{\"id\":\"twice\",\"value\":\"v\"},"
	    "{\"id\":\"twice\",\"value\":\"w\"},"
	    "{\"id\":\"a/b\",\"value\":\"v\"},{\"id\":\"\",\"value\":\"v\"},"
	    "{\"id\":\"none\"},{\"value\":\"v\"}]}";
	static const struct {
		size_t field;           /* 9: a new one */
		const char *title, *notes;
		bool retag, good;
	} rows[] = {
		{ 0, NULL, NULL, false, true }, { 0, "T\"", NULL, false, true },
		{ 0, NULL, "n", false, false }, { 0, NULL, NULL, true, false },
		{ 1, NULL, NULL, false, false }, { 2, NULL, NULL, false, false },
		{ 3, NULL, NULL, false, false }, { 4, NULL, NULL, false, false },
		{ 5, NULL, NULL, false, false }, { 6, NULL, NULL, false, false },
		{ 9, NULL, NULL, false, false },
	};
	struct con *c = con_begun();
	struct item it = { .version = 3 };
	struct err e = { 0 };
	u8 room[300];
	struct out o;

	if (!CHECK(json_parse(&it.details, &T, str_c(text), &e) &&
	    con_shape_item(c, S(VAULT), &it, &e)))
		return;
	EQUAL(it.fields, 7);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct wish w = { .state = ITEM_ACTIVE, .fields = 1,
			.retag = rows[i].retag, .title = str_c(rows[i].title),
			.notes = str_c(rows[i].notes) };

		w.field[0] = (struct wish_field){ rows[i].field < 9 ?
			&it.field[rows[i].field] : NULL, NOTHING, S("l"),
			S("n\\"), KIND_CONCEALED, FOR_NOTHING };
		out_init(&o, room, sizeof room);
		EQUAL(con_patch(c, &it, &w, &o), rows[i].good);
		if (i == 1)
			SAME(out_str(&o), S("[{\"op\":\"replace\",\"path\":"
			    "\"/title\",\"value\":\"T\\\"\"},{\"op\":"
			    "\"replace\",\"path\":\"/fields/a-b_1/value\","
			    "\"value\":\"n\\\\\"}]"));
		w.state = ITEM_DELETED;
		CHECK(!con_patch(c, &it, &w, &o));
	}
	out_init(&o, room, 20);
	CHECK(!con_patch(c, &it, &(struct wish){ .state = ITEM_ACTIVE,
	    .title = S("too long for this room") }, &o));
}

/* What a status means, to a read and to a change. */
static void
test_con_status(void)
{
	static const struct {
		int status;
		enum err_code read, write, gone;
	} rows[] = {
		{ 200, E_NONE, E_NONE, E_ANSWER },
		{ 204, E_ANSWER, E_NONE, E_NONE },
		{ 302, E_SERVICE, E_SERVICE, E_SERVICE },
		{ 400, E_SERVICE, E_EDIT, E_EDIT },
		{ 401, E_SIGN_IN, E_DENIED, E_DENIED },
		{ 403, E_DENIED, E_DENIED, E_DENIED },
		{ 404, E_ITEM, E_ITEM, E_ITEM },
		{ 406, E_EDIT, E_EDIT, E_EDIT },
		{ 408, E_SERVICE, E_SERVICE, E_SERVICE },
		{ 409, E_CONFLICT, E_CONFLICT, E_CONFLICT },
		{ 413, E_LARGE, E_EDIT, E_EDIT },
		{ 418, E_SERVICE, E_SERVICE, E_SERVICE },
		{ 422, E_SERVICE, E_EDIT, E_EDIT },
		{ 429, E_RATE, E_RATE, E_RATE },
		{ 500, E_SERVICE, E_SERVICE, E_SERVICE },
		{ 503, E_SERVICE, E_SERVICE, E_SERVICE },
	};

	for (size_t i = 0; i < 3 * LEN(rows); i++) {
		struct con *c = con_begun();
		struct con_request r = { i % 3 == 0 ? S("GET") : i % 3 == 1 ?
			S("PUT") : S("DELETE"), NOTHING, .missing = E_ITEM };
		struct http_answer a = { .status = rows[i / 3].status };
		enum err_code want = i % 3 == 0 ? rows[i / 3].read :
		    i % 3 == 1 ? rows[i / 3].write : rows[i / 3].gone;
		struct err e = { 0 };

		c->has_vaults = true;
		EQUAL(con_check_status(c, &r, &a, &e), want == E_NONE);
		EQUAL(c->has_vaults, a.status != 403);
		FAILED(e, want);
		EQUAL(e.http, a.status < 300 ? 0 : a.status);
	}
}

/* Items with anything in the place of anything: no crash, and what is sent
 * can be read. */
static void
test_sa_write_odd_types(void)
{
	static const char *const odd[] = { "null", "true", "0", "-1.5", "\"\"",
		"\"x\"", "[]", "{}", "[[]]", "[null]", "{\"a\":1}",
		"{\"v\":[]}", "[{\"fields\":0}]", "[{\"u\":null}]" };
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);
	uint32_t list = json_get(&onep.items, ROOT, S("cases"));
	size_t mark = T.used;
	unsigned sent = 0;

	for (unsigned round = 0; round < ROUNDS(100); round++)
	for (uint32_t c = json_first(&onep.items, list); c;
	    c = json_next(&onep.items, list, c)) {
		struct item it = wish_vector(sa, c);
		struct json *part[2] = { &it.over, &it.details };
		struct wish w;
		struct err e = { 0 };
		struct json j;

		run.row = cstr(member_of(&onep.items, c, "name"));
		for (size_t n = 1 + rnd(3); n > 0; n--) {
			struct json *p = part[rnd(4) > 0];
			struct edits x = { .j = p };
			uint32_t at = ROOT + (uint32_t)rnd(p->n - ROOT);
			struct str text = NOTHING;

			edit_replace(&x, at, str_c(odd[rnd(LEN(odd))]));
			if (edit_done(&x, &T, &text, &e) && parses(&j, text))
				*p = j;
		}
		if (!CHECK(sa_item_fields(sa, &it, &e)))
			continue;
		wish_random(&w, &it);
		if (wish_write(sa, &it, &w, &e)) {
			sent++;
			CHECK(parses(&j, wish_part(sa, "encOverview")));
			CHECK(parses(&j, wish_part(sa, "encDetails")));
		} else {
			FAILED(e, E_EDIT);
		}
		mem_reset(&k.scratch, 0);
		mem_reset(&T, mark);
	}
	CHECK(sent > ROUNDS(500));
	run.row = NULL;
	keeper_end(&k);
}

/* Wishes that are too large, and a system without randomness. */
static void
test_sa_write_large(void)
{
	struct keeper k;
	struct cfg cfg;
	struct sa *sa = sa_begun(&cfg, &k);
	struct wish w = { .title = S("T") };
	struct str big;
	struct item it;
	struct out o;
	struct err e;

	out_open(&o, &T);
	while (o.n < WISH_ROOM / 16)
		out_byte(&o, 'x');
	big = out_close(&o, &T);
	it = wish_item(sa, "110", S("{}"), S("{}"));
	for (size_t i = 0; i < WISH_FIELDS_MAX; i++)
		w.field[w.fields++] = (struct wish_field){ NULL, NOTHING,
			S("l"), big, KIND_TEXT, FOR_NOTHING };
	CHECK(!wish_write(sa, &it, &w, &e));
	FAILED(e, E_LARGE);
	EQUAL(onep.patches, 0);
	w.fields = 3;                   /* as much as the peer takes */
	CHECK(wish_write(sa, &it, &w, &e));
	fake_random_fails = true;
	it = wish_item(sa, "110", S("{}"), S("{}"));
	CHECK(!wish_write(sa, &it, &w, &e));
	FAILED(e, E_INTERNAL);
	EQUAL(onep.patches, 0);
	it.ref.id = NOTHING;
	w.fields = 0;
	CHECK(!wish_write(sa, &it, &w, &e));
	FAILED(e, E_INTERNAL);
	fake_random_fails = false;
	keeper_end(&k);
}

/* ====================================================================
 * 13. Policy: names, vaults, rules, tags and limits
 * ==================================================================== */

static void
test_pol_name(void)
{
	static const struct {
		struct str name;
		bool ok;
	} rows[] = {
		{ B("a"), true }, { B("GitHub"), true },
		{ B("two words"), true }, { B("a/b\\c\"d'e"), true },
		{ B("100%"), true }, { B("<script>"), true },
		{ B("\xe6\x97\xa5\xe6\x9c\xac"), true },
		{ B("\xf0\x9f\x94\x91"), true }, { B("caf\xc3\xa9"), true },
		{ B("cafe\xcc\x81"), true }, { B("a\xc2\xa0" "b"), true },
		{ B("\xe2\x9d\xa4\xef\xb8\x8f"), true },
		{ B(""), false }, { { NULL, 0 }, false },
		{ B(" a"), false }, { B("a "), false }, { B(" "), false },
		{ B("\xc2\xa0" "a"), false }, { B("a\xe3\x80\x80"), false },
		{ B("\xe2\x80\x83x"), false },
		{ B("a\0b"), false }, { B("\0"), false }, { B("a\nb"), false },
		{ B("a\tb"), false }, { B("a\x1b[2J"), false },
		{ B("a\x7f"), false }, { B("a\xc2\x85" "b"), false },
		{ B("a\xc2\x9b"), false },
		{ B("a\xc2\xad" "b"), false },          /* soft hyphen */
		{ B("a\xcd\x8f" "b"), false },          /* joiner */
		{ B("a\xd8\x9c" "b"), false },          /* Arabic mark */
		{ B("\xe1\x85\x9f"), false },           /* Hangul fillers */
		{ B("\xe1\x85\xa0"), false }, { B("\xe3\x85\xa4"), false },
		{ B("\xef\xbe\xa0"), false },
		{ B("\xe1\x9e\xb4"), false },           /* Khmer */
		{ B("\xe1\xa0\x8e"), false },           /* Mongolian */
		{ B("a\xe2\x80\x8b" "b"), false },      /* zero width */
		{ B("a\xe2\x80\x8c" "b"), false },
		{ B("a\xe2\x80\x8d" "b"), false },
		{ B("a\xe2\x80\x8e" "b"), false },      /* directions */
		{ B("a\xe2\x80\x8f" "b"), false },
		{ B("a\xe2\x80\xae" "b"), false },
		{ B("a\xe2\x81\xa6" "b"), false },
		{ B("a\xe2\x81\xa9" "b"), false },
		{ B("a\xe2\x80\xa8" "b"), false },      /* line ends */
		{ B("a\xe2\x80\xa9" "b"), false },
		{ B("a\xe2\x81\xa0" "b"), false },      /* word joiner */
		{ B("\xef\xbb\xbf" "a"), false },       /* byte-order mark */
		{ B("a\xef\xbf\xb9" "b"), false },      /* annotation */
		{ B("a\xf0\x9d\x85\xb3" "b"), false },  /* music */
		{ B("a\xf3\xa0\x80\x81" "b"), false },  /* tags */
		{ B("a\xf3\xa0\x81\xa1" "b"), false },
		{ B("a\xff" "b"), false }, { B("a\xc3"), false },
		{ B("\xed\xa0\x80"), false }, { B("\xc0\xaf"), false },
		{ B("\x80"), false },
	};
	static const struct str letter[] = { B("n"), B("\xc3\xa9"),
		B("\xe6\x97\xa5"), B("\xf0\x9f\x94\x91") };
	u8 room[4 * (NAME_MAX_LEN + 1)];
	struct err e;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = cstr(hex(rows[i].name.p, rows[i].name.n));
		e = (struct err){ 0 };
		EQUAL(pol_check_name(rows[i].name, &e), rows[i].ok);
		FAILED(e, rows[i].ok ? E_NONE : E_NAME);
	}
	run.row = "length";
	for (size_t width = 1; width <= 4; width++)     /* of a character */
		for (size_t n = NAME_MAX_LEN; n <= NAME_MAX_LEN + 1; n++) {
			struct out o;

			out_init(&o, room, sizeof room);
			for (size_t i = 0; i < n; i++)
				out_put(&o, letter[width - 1]);
			e = (struct err){ 0 };
			EQUAL(pol_check_name(out_str(&o), &e),
			    n == NAME_MAX_LEN);
			FAILED(e, n == NAME_MAX_LEN ? E_NONE : E_NAME);
		}
}

/* Take from a bucket; what is told fits what happens. */
static bool
take(struct bucket *b, uint64_t now, uint64_t n, uint64_t seconds)
{
	struct rate r = { n, seconds };
	uint64_t left, wait_ms, full = b->full_ms;
	bool ok = pol_take(b, r, now, &left, &wait_ms);

	CHECK(ok ? wait_ms == 0 && left < n : left == 0 && wait_ms > 0);
	CHECK(wait_ms <= seconds * 1000 / n + (n > seconds * 1000));
	CHECK(ok || b->full_ms == full);
	return ok;
}

/* A full bucket, one that fills up again, and one left alone for long. */
static void
test_pol_take(void)
{
	struct bucket b = { 0 };
	uint64_t now = 5000;
	unsigned n = 0;

	while (n < 100 && take(&b, now, 4, 1))
		n++;
	EQUAL(n, 4);
	CHECK(!take(&b, now + 249, 4, 1));
	CHECK(take(&b, now + 250, 4, 1));
	CHECK(!take(&b, now + 250, 4, 1));
	for (n = 0; n < 100 && take(&b, now + 99999, 4, 1);)
		n++;
	EQUAL(n, 4);
	for (n = 0, now += 200000; now < 210000 + 5000; now += 10)
		n += take(&b, now, 4, 1);
	EQUAL(n, 4 + 39);               /* a burst, then four a second */
}

/* At once exactly so many as it says go through, whatever the numbers; and
 * the next when it was said, not a moment before. */
static void
test_pol_take_rates(void)
{
	static const struct rate rows[] = { { 1, 1 }, { 1, 60 }, { 2, 60 },
		{ 7, 1 }, { 7, 60 }, { 10, 60 }, { 100, 3600 }, { 300, 1 },
		{ 999, 1 }, { 1000, 1 }, { 1001, 60 }, { 9999, 60 },
		{ 1, RATE_MAX_S }, { 100, 86400 }, { 1000, 86400 } };

	for (size_t i = 0; i < LEN(rows); i++) {
		struct bucket b = { 0 };
		uint64_t now = 7000000, left = 0, wait_ms = 0, n = 0;
		char name[32];

		(void)snprintf(name, sizeof name, "%u/%us",
		    (unsigned)rows[i].n, (unsigned)rows[i].seconds);
		run.row = name;
		while (n < 20000 && pol_take(&b, rows[i], now, &left,
		    &wait_ms)) {
			n++;
			if (left + n != rows[i].n)
				break;
		}
		EQUAL(n, rows[i].n);
		EQUAL(left, 0);
		if (n != rows[i].n || !CHECK(wait_ms > 0 &&
		    wait_ms <= rows[i].seconds * 1000 / n + 1))
			continue;
		now += wait_ms - 1;
		CHECK(!pol_take(&b, rows[i], now, &left, &wait_ms));
		EQUAL(wait_ms, 1);
		CHECK(pol_take(&b, rows[i], now + 1, &left, &wait_ms));
		EQUAL(left, 0);
		CHECK(!pol_take(&b, rows[i], now + 1, &left, &wait_ms));
	}
	run.row = NULL;
}

#define ID1 "aaaaaaaaaaaaaaaaaaaaaaaaa1"
#define ID2 "aaaaaaaaaaaaaaaaaaaaaaaaa2"
#define ID3 "aaaaaaaaaaaaaaaaaaaaaaaaa3"
#define ID4 "aaaaaaaaaaaaaaaaaaaaaaaaa4"
#define ID5 "aaaaaaaaaaaaaaaaaaaaaaaaa5"

/* Two of the vaults bear the same name, one is locked, and one has taken
 * the id of another for its name. */
static const struct vault pol_list[] = {
	{ B(ID1), B("AI"), false, false },
	{ B(ID2), B("Work"), false, false },
	{ B(ID3), B("work"), false, false },
	{ B(ID4), B("Locked"), true, false },
	{ B(ID5), B(ID1), false, false },
};

static void
test_pol_pick_vault(void)
{
	static const struct {
		const char *vaults, *name;
		enum err_code code;
		const char *want;
	} rows[] = {
		{ "AI", "", E_NONE, ID1 }, { "AI", "AI", E_NONE, ID1 },
		{ "AI", "ai", E_NONE, ID1 }, { "ai", "AI", E_NONE, ID1 },
		{ "AI", ID1, E_NONE, ID1 }, { ID1, "", E_NONE, ID1 },
		{ ID1, "AI", E_NONE, ID1 }, { ID1, ID1, E_NONE, ID1 },
		{ " AI , Work", "", E_NONE, ID1 },
		{ "nope,AI", "AI", E_NONE, ID1 },
		/* the default that does not exist is no other */
		{ "nope,AI", "", E_VAULT, NULL },
		{ "nope", "", E_VAULT, NULL },
		/* what is not allowed is not seen */
		{ "AI", "Work", E_VAULT, NULL }, { "AI", ID2, E_VAULT, NULL },
		{ "AI", ID5, E_VAULT, NULL }, { "AI", "Locked", E_VAULT, NULL },
		{ "AI", ID4, E_VAULT, NULL }, { "AI", "none", E_VAULT, NULL },
		{ "AI", ID1 "x", E_VAULT, NULL },
		/* an ambiguous name in the setting allows nothing */
		{ "Work", "", E_VAULT_MANY, NULL },
		{ "Work", "work", E_VAULT_MANY, NULL },
		{ "AI, work", "Work", E_VAULT_MANY, NULL },
		{ "Work", ID2, E_VAULT, NULL }, { "Work", ID3, E_VAULT, NULL },
		{ ID2, "Work", E_NONE, ID2 }, { ID3, "Work", E_NONE, ID3 },
		{ ID2 "," ID3, "Work", E_VAULT_MANY, NULL },
		{ ID2 "," ID3, "", E_NONE, ID2 },
		{ ID2 "," ID3, ID3, E_NONE, ID3 },
		{ "AI," ID2 "," ID3, "work", E_VAULT_MANY, NULL },
		/* locked: no name, only the id */
		{ "Locked", "", E_VAULT, NULL },
		{ "Locked", ID4, E_VAULT, NULL },
		{ ID4, "", E_VAULT_LOCKED, NULL },
		{ ID4, ID4, E_VAULT_LOCKED, NULL },
		{ ID4, "Locked", E_VAULT, NULL },
		{ "*", ID4, E_VAULT_LOCKED, NULL },
		{ "*", "Locked", E_VAULT, NULL },
		/* all */
		{ "*", "AI", E_NONE, ID1 }, { "*", ID5, E_NONE, ID5 },
		{ "*", "", E_ARGUMENT, NULL },
		{ "*", "Work", E_VAULT_MANY, NULL },
		{ "*", ID3, E_NONE, ID3 }, { "*", "none", E_VAULT, NULL },
		{ "AI,*", "", E_NONE, ID1 }, { "AI,*", ID2, E_NONE, ID2 },
		{ "*,AI", "", E_ARGUMENT, NULL },
		/* an id counts before a name that looks like it; a setting
		 * that is an id allows both */
		{ "*", ID1, E_NONE, ID1 },
		{ ID5, ID5, E_NONE, ID5 },
		{ ID5, "", E_NONE, ID5 },
		/* a list with nothing in it */
		{ "", "", E_VAULT, NULL }, { ",", "", E_VAULT, NULL },
		{ "", "AI", E_VAULT, NULL }, { " ", ID1, E_VAULT, NULL },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct cfg cfg = { .vaults = rows[i].vaults };
		const struct vault *v = NULL;
		struct err e = { 0 };
		char label[128];

		(void)snprintf(label, sizeof label, "%s for %s", rows[i].name,
		    rows[i].vaults);
		run.row = label;
		if (EQUAL(pol_pick_vault(&cfg, str_c(rows[i].name), pol_list,
		    LEN(pol_list), &v, &e), rows[i].code == E_NONE) &&
		    rows[i].want != NULL)
			SAME(v->id, str_c(rows[i].want));
		FAILED(e, rows[i].code);
	}
	run.row = NULL;
}

static void
test_pol_vault(void)
{
	static const struct {
		const char *vaults;
		const char *want;       /* one letter per vault */
	} rows[] = {
		{ "AI", "ynnnn" }, { "", "nnnnn" }, { "*", "yyyyy" },
		{ "a*", "nnnnn" }, { "**", "nnnnn" }, { " * ", "yyyyy" },
		{ ID4, "nnnyn" }, { "Locked", "nnnnn" },
		{ "AI,AI", "ynnnn" }, { ID1, "ynnny" },
		{ "work", "nnnnn" }, { ID2 ",work", "nynnn" },
		{ "A", "nnnnn" }, { "AI2", "nnnnn" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct cfg cfg = { .vaults = rows[i].vaults };
		const char *want = rows[i].want;

		run.row = rows[i].vaults;
		for (size_t v = 0; v < LEN(pol_list); v++) {
			EQUAL(pol_vault(&cfg, pol_list, LEN(pol_list),
			    &pol_list[v]), *want++ == 'y' ? ALLOW : DENY);
		}
	}
	run.row = "one vault, no others";
	for (size_t v = 0; v < LEN(pol_list); v++) {
		struct cfg cfg = { .vaults = "*" };

		EQUAL(pol_vault(&cfg, &pol_list[v], 1, &pol_list[v]), ALLOW);
	}
}

/* An empty place in the list is no name: it must not let in a vault whose
 * name is missing or empty. */
static void
test_pol_vault_nameless(void)
{
	static const struct vault list[] = {
		{ B(ID1), B("AI"), false, false },
		{ B(ID2), { NULL, 0 }, false, false },
		{ B(ID4), { NULL, 0 }, true, false },
	};
	static const char *const rows[] = { "AI", "AI,", ",AI", "AI, ,x",
		",", " ", "" };

	for (size_t i = 0; i < LEN(rows); i++) {
		struct cfg cfg = { .vaults = rows[i] };
		const struct vault *v = NULL;
		struct err e = { 0 };

		run.row = rows[i];
		EQUAL(pol_vault(&cfg, list, 3, &list[1]), DENY);
		EQUAL(pol_vault(&cfg, list, 3, &list[2]), DENY);
		CHECK(!pol_pick_vault(&cfg, S(ID2), list, 3, &v, &e));
		FAILED(e, E_VAULT);
		v = NULL;
		e = (struct err){ 0 };
		if (pol_pick_vault(&cfg, NOTHING, list, 3, &v, &e))
			SAME(v->id, S(ID1));
		else
			FAILED(e, E_VAULT);
	}
}

static void
test_pol_default_vault(void)
{
	static const char *const rows[][2] = {
		{ "AI", "AI" }, { "a,b", "a" }, { " a , b", "a" },
		{ ",b", "b" }, { " , ,b", "b" }, { "", "" }, { ",", "" },
		{ "*", "*" }, { "*,a", "*" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct cfg cfg = { .vaults = rows[i][0] };

		SAME(pol_default_vault(&cfg), str_c(rows[i][1]));
	}
}

/* ---- rules: the file of OPMCP_POLICY ---- */

/* A policy from its text; NULL when it is wrong. */
static struct policy *
policy_of(struct str text)
{
	struct policy *p = mem_alloc(&T, sizeof *p);
	struct place where;

	if (p == NULL)
		abort();
	return pol_parse(p, &T, text, &where) ? p : NULL;
}

/* A rule as one line of words, each selector in brackets. */
static struct str
rule_shown(const struct rule *r)
{
	struct out o;

	out_open(&o, &T);
	if (r->rate.n > 0) {
		out_u64(&o, r->rate.n);
		out_byte(&o, '/');
		out_u64(&o, r->rate.seconds);
	} else {
		out_put(&o, str_c(verdict_name[r->verdict]));
	}
	OUT(&o, S(" "), str_c(act_name[r->act]));
	for (size_t s = 0; s < SEL_COUNT; s++)
		if (r->sel[s].p != NULL)
			OUT(&o, S(" "), str_c(sel_name[s]), S("["), r->sel[s],
			    S("]"));
	return out_close(&o, &T);
}

static void
test_pol_parse(void)
{
	static const struct {
		struct str text;
		const char *want;       /* rules, ";" after each */
	} rows[] = {
		{ B(""), "" }, { B("\n"), "" }, { B("\r\n"), "" },
		{ B(" \t \n#\n # x \"\n"), "" },
		{ B("permit list"), "1 allow list;" },
		{ B("ask reveal\n"), "1 ask reveal;" },
		{ B("deny use\r\n"), "1 deny use;" },
		{ B("\n\n\tdeny  write\t# why\n\npermit use"),
		    "3 deny write;5 allow use;" },
		{ B("limit 5/60s reveal"), "1 5/60 reveal;" },
		{ B("limit 1/2h list item x"), "1 1/7200 list item[x];" },
		{ B("limit 1000000/30d use"), "1 1000000/2592000 use;" },
		{ B("permit use at https://a.example:8443 vault AI"),
		    "1 allow use vault[AI] at[https://a.example:8443];" },
		{ B("deny reveal category login tag x field *word item G?t "
		    "vault v"), "1 deny reveal vault[v] item[G?t] "
		    "field[*word] tag[x] category[login];" },
		{ B("deny reveal item \"a b\""), "1 deny reveal item[a b];" },
		{ B("deny reveal item \"#\" # c"), "1 deny reveal item[#];" },
		{ B("deny reveal item \"a\\\"b\\\\c\\d\""),
		    "1 deny reveal item[a\"b\\cd];" },
		{ B("deny reveal item a\\b"), "1 deny reveal item[a\\b];" },
		{ B("\"deny\" \"reveal\" \"item\" \"vault\""),
		    "1 deny reveal item[vault];" },
		{ B("deny reveal item item"), "1 deny reveal item[item];" },
		{ B("deny reveal item \xc3\xa9\xe6\x97\xa5"),
		    "1 deny reveal item[\xc3\xa9\xe6\x97\xa5];" },
		{ B("deny reveal item \" \""), "1 deny reveal item[ ];" },
		{ B("deny reveal\tvault\t\tAI\t"),
		    "1 deny reveal vault[AI];" },
	};
	struct out o;

	for (size_t i = 0; i < LEN(rows); i++) {
		struct policy *p = policy_of(rows[i].text);

		run.row = rows[i].want;
		if (!CHECK(p != NULL))
			continue;
		out_init(&o, mem_alloc(&T, 512), 512);
		for (size_t k = 0; k < p->rules; k++) {
			out_u64(&o, p->rule[k].line);
			OUT(&o, S(" "), rule_shown(&p->rule[k]), S(";"));
		}
		SAME(out_str(&o), str_c(rows[i].want));
	}
}

/* Every mistake is found at its place, on the first line and on a later one
 * that ends in a carriage return. */
static void
test_pol_parse_errors(void)
{
	static const struct {
		struct str line;
		unsigned column;
		const char *problem;    /* how it begins */
	} rows[] = {
		{ B("allow reveal"), 1, "expected permit" },
		{ B("  Permit reveal"), 3, "expected permit" },
		{ B("\"\" reveal"), 1, "expected permit" },
		{ B("permit"), 7, "expected list" },
		{ B("permit # reveal"), 8, "expected list" },
		{ B("permit show"), 8, "expected list" },
		{ B("permit Reveal"), 8, "expected list" },
		{ B("limit"), 6, "expected a limit" },
		{ B("limit reveal"), 7, "expected a limit" },
		{ B("limit 0/60s reveal"), 7, "expected a limit" },
		{ B("limit 5/0s reveal"), 7, "expected a limit" },
		{ B("limit 5 reveal"), 7, "expected a limit" },
		{ B("limit 5/60 reveal"), 7, "expected a limit" },
		{ B("limit 5/s reveal"), 7, "expected a limit" },
		{ B("limit /60s reveal"), 7, "expected a limit" },
		{ B("limit 5/31d reveal"), 7, "expected a limit" },
		{ B("limit -5/60s reveal"), 7, "expected a limit" },
		{ B("limit off reveal"), 7, "expected a limit" },
		{ B("limit 5/60s"), 12, "expected list" },
		{ B("permit reveal colour x"), 15, "expected vault" },
		{ B("permit reveal vault"), 20, "a value is missing" },
		{ B("permit reveal vault #x"), 21, "a value is missing" },
		{ B("permit reveal vault AI vault B"), 24, "this selector" },
		{ B("permit reveal at https://x"), 15, "at belongs" },
		{ B("permit list at https://x"), 13, "at belongs" },
		{ B("limit 1/1s write at https://x"), 18, "at belongs" },
		{ B("permit use at http://x"), 15, "at wants" },
		{ B("permit use at HTTPS://x"), 15, "at wants" },
		{ B("permit use at https://"), 15, "at wants" },
		{ B("permit use at https://x/"), 15, "at wants" },
		{ B("permit use at x"), 15, "at wants" },
		{ B("permit reveal category None"), 24, "no such category" },
		{ B("permit reveal item \"\""), 20, "an empty name" },
		{ B("permit reveal tag \"\" tag x"), 19, "an empty name" },
		{ B("permit reveal item \"a"), 20, "a quote is not closed" },
		{ B("permit reveal item \""), 20, "a quote is not closed" },
		{ B("permit reveal item \"a\\"), 20, "a quote is not" },
		{ B("permit reveal item \"a\\\""), 20, "a quote is not" },
		{ B("\"permit"), 1, "a quote is not closed" },
		{ B("permit reveal item \"a\"b"), 20, "a blank must" },
		{ B("permit reveal item a\"b\""), 20, "a blank must" },
		{ B("permit reveal item \"a\"\"b\""), 20, "a blank must" },
		{ B("permit reveal#x"), 8, "a blank must" },
		{ B("permit reveal item a \"b\"#"), 22, "a blank must" },
		{ B("permit\x01 reveal"), 7, "not a visible" },
		{ B("permit\0 reveal"), 7, "not a visible" },
		{ B("per\rmit reveal"), 4, "not a visible" },
		{ B("permit reveal\r"), 14, "not a visible" },
		{ B("permit \x1b[1m"), 8, "not a visible" },
		{ B("# \x7f"), 3, "not a visible" },
	};
	static const char above[] = "# rules\r\n\npermit list # x\n";

	for (int later = 0; later < 2; later++)
		for (size_t i = 0; i < LEN(rows); i++) {
			struct policy *p = mem_alloc(&T, sizeof *p);
			struct place where = { 9, 9, "none" };
			struct str text = rows[i].line;

			run.row = cstr(rows[i].line);
			if (later || text.p[text.n - 1] == '\r')
				text = JOIN(&T, later ? str_c(above) : NOTHING,
				    text, S("\r\npermit list\n"));
			if (!CHECK(!pol_parse(p, &T, text, &where)))
				continue;
			EQUAL(where.line, later ? 4 : 1);
			EQUAL(where.column, rows[i].column);
			SAME(str_upto(str_c(where.problem),
			    strlen(rows[i].problem)), str_c(rows[i].problem));
		}
}

/* What is not UTF-8 or hides is found where it begins. */
static void
test_pol_parse_hidden(void)
{
	static const struct {
		struct str line;
		unsigned column;
	} rows[] = {
		{ B("\xff"), 1 }, { B("permit \xc3"), 8 },
		{ B("permit \x80"), 8 }, { B("\xef\xbb\xbfpermit list"), 1 },
		{ B("permit \xe2\x80\x8blist"), 8 },
		{ B("permit list # \xe2\x80\xae"), 15 },
		{ B("permit reveal item \xc2\xad"), 20 },
		{ B("permit reveal item \xc3\xa9\xc2\x80"), 22 },
		{ B("permit reveal tag \xf3\xa0\x81\x81"), 19 },
		{ B("permit list\xed\xa0\x80"), 12 },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct policy *p = mem_alloc(&T, sizeof *p);
		struct place where;

		run.row = cstr(hex(rows[i].line.p, rows[i].line.n));
		CHECK(!pol_parse(p, &T, rows[i].line, &where));
		EQUAL(where.line, 1);
		EQUAL(where.column, rows[i].column);
		SAME(str_c(where.problem), S("not a visible character"));
	}
}

/* As many rules as there is room for, and one more. */
static void
test_pol_parse_many(void)
{
	for (unsigned n = RULES_MAX; n <= RULES_MAX + 1; n++) {
		struct policy *p = mem_alloc(&T, sizeof *p);
		struct place where;
		struct out o;

		out_open(&o, &T);
		for (unsigned i = 0; i < n; i++)
			out_put(&o, S("deny list\n\n# \n"));
		EQUAL(pol_parse(p, &T, out_close(&o, &T), &where),
		    n == RULES_MAX);
		EQUAL(p->rules, RULES_MAX);
		if (n > RULES_MAX) {
			EQUAL(where.line, 3 * RULES_MAX + 1);
			SAME(str_c(where.problem), S("too many rules"));
		}
	}
}

/* The same again, so simple that it must be right, however slow. */
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
	return str_lower(glob.p[0]) == str_lower(text.p[0]) &&
	    slow_glob(str_from(glob, 1), str_from(text, 1));
}

static void
test_pol_glob_eq(void)
{
	static const struct {
		struct str glob, text;
		bool want;
	} rows[] = {
		{ B(""), B(""), true }, { B(""), B("a"), false },
		{ B("a"), B(""), false }, { B("*"), B(""), true },
		{ B("?"), B(""), false }, { B("*"), B("abc"), true },
		{ B("**"), B("a"), true }, { B("a*"), B("A"), true },
		{ B("GIT*"), B("GitHub"), true }, { B("*hub"), B("GitHub"),
		    true }, { B("*hub"), B("GitHubs"), false },
		{ B("g*t*b"), B("GitHub"), true },
		{ B("?"), B("\xc3\xa9"), true }, { B("??"), B("\xc3\xa9"),
		    false }, { B("*?"), B("\xf0\x9f\x94\x91"), true },
		{ B("\xc3\xa9"), B("\xc3\x89"), false }, /* ASCII only */
		{ B("\\*"), B("*"), false }, { B("[a]"), B("a"), false },
		{ B("a?c"), B("a*c"), true }, { B("*a*b*c*"), B("xaxbxcx"),
		    true }, { B("*ab"), B("aab"), true },
		{ B("*aab"), B("aaab"), true }, { B("?*?"), B("a"), false },
	};
	static const char *const part[] = { "a", "b", "A", "*", "?",
		"\xc3\xa9", "*", "\xe6\x97\xa5", " " };
	unsigned equal = 0;
	struct out g, t;
	int status = -1;
	pid_t pid;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = cstr(JOIN(&T, rows[i].glob, S(" "), rows[i].text));
		EQUAL(pol_glob_eq(rows[i].glob, rows[i].text), rows[i].want);
		EQUAL(slow_glob(rows[i].glob, rows[i].text), rows[i].want);
	}
	for (unsigned i = 0; i < ROUNDS(200000); i++) {
		u8 glob[64], text[64];
		uint32_t n = rnd(8);
		bool want;

		out_init(&g, glob, sizeof glob);
		out_init(&t, text, sizeof text);
		while (n-- > 0)
			out_put(&g, str_c(part[rnd(LEN(part))]));
		for (n = rnd(9); n > 0; n--)
			out_put(&t, str_c(part[rnd(4) > 0 ? rnd(3) :
			    rnd(LEN(part))]));
		want = slow_glob(out_str(&g), out_str(&t));
		equal += want;
		if (pol_glob_eq(out_str(&g), out_str(&t)) == want)
			continue;
		run.row = cstr(JOIN(&T, out_str(&g), S(" "), out_str(&t)));
		FAIL("a pattern decides otherwise");
	}
	run.row = NULL;
	CHECK(equal > ROUNDS(10000) && equal < ROUNDS(190000));
	/* a title no glob was made for: it must end */
	out_open(&g, &T);
	out_open(&t, &T);
	for (unsigned i = 0; i < 200; i++)
		out_put(&g, S("*a"));
	out_put(&g, S("b"));
	CHECK(!pol_glob_eq(out_close(&g, &T), str_dup(&T, S("aaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	    ))));
	/* no UTF-8, as a command line may have it: it must end as well */
	pid = fork();
	if (pid == 0) {
		(void)alarm(3);
		_exit(pol_glob_eq(S("*x"), S("\xff")));
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	EQUAL(status, 0);
}

/* ---- a second judge, line by line and word by word ---- */

/* Split a line into at most n words, all in T; how many there are. */
static size_t
slow_words(struct str line, struct str word[], size_t n)
{
	size_t count = 0, i = 0;

	while (i < line.n) {
		struct out o;
		bool quoted;

		while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t' ||
		    line.p[i] == '\r'))
			i++;
		if (i == line.n || line.p[i] == '#' || count == n)
			break;
		quoted = line.p[i] == '"';
		i += quoted;
		out_init(&o, mem_alloc(&T, 64), 64);
		while (i < line.n && (quoted ? line.p[i] != '"' :
		    line.p[i] != ' ' && line.p[i] != '\t' &&
		    line.p[i] != '\r')) {
			i += quoted && line.p[i] == '\\';
			out_byte(&o, line.p[i++]);
		}
		i += quoted;
		word[count++] = out_str(&o);
	}
	return count;
}

static bool
slow_category(struct str word, struct str number)
{
	static const char *const name[][2] = { { "Login", "001" },
		{ "ApiCredentials", "112" }, { "Database", "102" } };

	for (size_t i = 0; i < LEN(name); i++)
		if (str_nocase_eq(word, str_c(name[i][0])))
			return str_eq(number, str_c(name[i][1]));
	return str_eq(word, number);
}

static bool
slow_match(struct str sel, struct str want, const struct deed *d)
{
	bool tag = false;

	if (str_eq(sel, S("vault")))
		return str_eq(want, d->vault->id) ||
		    str_nocase_eq(want, d->vault->name);
	if (str_eq(sel, S("field")))
		return (d->field.p != NULL && slow_glob(want, d->field)) ||
		    (d->own != NULL && (slow_glob(want, d->own->id) ||
		    slow_glob(want, d->own->title)));
	if (str_eq(sel, S("at")))
		return str_nocase_eq(want, d->at);
	if (d->item == NULL)
		return false;
	for (size_t i = 0; i < d->item->tags; i++)
		tag = tag || str_nocase_eq(want, d->item->tag[i]);
	return str_eq(sel, S("tag")) ? tag : str_eq(sel, S("item")) ?
	    str_eq(want, d->item->id) || slow_glob(want, d->item->title) :
	    slow_category(want, d->item->category);
}

/* The verdict; *line is that of the rule that gives it, or 0. */
static enum verdict
slow_judge(struct str text, enum verdict reveal, const struct deed *d,
    unsigned *line, bool *canary)
{
	static const char *const acts[] = { "list", "reveal", "use", "write" };
	enum verdict v = d->act == ACT_LIST ? ALLOW : d->act == ACT_REVEAL ?
	    reveal : DENY;
	struct str one, word[20];
	enum verdict tags = ALLOW;

	*line = 0;
	*canary = false;
	for (unsigned at = 1; str_cut(&text, '\n', &one); at++) {
		size_t n = slow_words(one, word, LEN(word));
		bool met = n > 0 && !str_eq(word[0], S("limit")) &&
		    str_eq(word[1], str_c(acts[d->act]));

		for (size_t i = 2; met && i < n; i += 2)
			met = slow_match(word[i], word[i + 1], d);
		if (!met)
			continue;
		*line = at;
		v = word[0].p[0] == 'd' ? DENY : word[0].p[0] == 'a' ? ASK :
		    ALLOW;
	}
	for (size_t i = 0; d->item != NULL && i < d->item->tags; i++) {
		struct str t = d->item->tag[i];
		bool only = str_nocase_eq(t, S("ai:use-only"));
		bool bait = str_nocase_eq(t, S("ai:canary"));

		if (str_nocase_eq(t, S("ai:deny")) ||
		    (bait && d->act != ACT_LIST) || (only &&
		    (d->act == ACT_REVEAL || d->act == ACT_WRITE)))
			tags = DENY;
		if (str_nocase_eq(t, S("ai:ask")) && d->act != ACT_LIST &&
		    tags == ALLOW)
			tags = ASK;
		*canary = *canary || (bait && d->act != ACT_LIST);
	}
	if (tags == ALLOW || v == DENY || (tags == ASK && v == ASK))
		return v;
	*line = 0;
	return tags;
}

/* A word that means what it says, in quotes when it must or may be. */
static void
random_word(struct out *o, const char *word)
{
	bool quote = strpbrk(word, " \"\\#") != NULL || rnd(4) == 0;

	out_put(o, rnd(8) > 0 ? S(" ") : S(" \t "));
	if (quote)
		out_byte(o, '"');
	for (; *word != '\0'; word++) {
		if (quote && (*word == '"' || *word == '\\'))
			out_byte(o, '\\');
		out_byte(o, (u8)*word);
	}
	if (quote)
		out_byte(o, '"');
}

static const char *const judge_items[] = { "*", "Git*", "?itHub", "*hub",
	"git hub", "GitHub", "a\"b", "a\\*", "#1", "*\xc3\xa9?", ID3, "none" };
static const char *const judge_tags[] = { "prod", "PROD", "two words",
	"ai:x", "ai:ask", "ai:deny", "AI:use-only", "ai:canary" };
static const char *const judge_fields[] = { "*", "password", "pass*",
	"USERNAME", "?", "none" };
static const char *const judge_at[] = { "https://a.example",
	"https://A.example", "https://a.example:8443" };
static const char *const judge_cats[] = { "Login", "LOGIN", "001", "112",
	"apicredentials", "Database" };
static const char *const judge_vaults[] = { "AI", "ai", "Work", ID1, ID2,
	"My Vault" };

static struct str
random_policy(void)
{
	static const char *const head[] = { "deny", "ask", "permit",
		"limit 3/60s", "permit" };
	struct out o;

	out_init(&o, mem_alloc(&T, 8192), 8192);
	for (uint32_t lines = rnd(9); lines > 0; lines--) {
		uint32_t act = rnd(4), used = 0;

		if (rnd(6) == 0)
			out_put(&o, rnd(2) ? S("\n") : S("  # deny reveal\n"));
		OUT(&o, rnd(5) ? NOTHING : S("\t"), str_c(head[rnd(LEN(
		    head))]));
		random_word(&o, act_name[act]);
		for (uint32_t n = rnd(4); n > 0; n--) {
			uint32_t sel = rnd(act == ACT_USE ? 6 : 5);

			if ((used & 1u << sel) != 0)
				continue;
			used |= 1u << sel;
			random_word(&o, sel_name[sel]);
			random_word(&o, sel == SEL_VAULT ?
			    judge_vaults[rnd(LEN(judge_vaults))] :
			    sel == SEL_ITEM ?
			    judge_items[rnd(LEN(judge_items))] :
			    sel == SEL_FIELD ?
			    judge_fields[rnd(LEN(judge_fields))] :
			    sel == SEL_TAG ? judge_tags[rnd(4)] :
			    sel == SEL_CATEGORY ?
			    judge_cats[rnd(LEN(judge_cats))] :
			    judge_at[rnd(LEN(judge_at))]);
		}
		OUT(&o, rnd(5) ? NOTHING : S(" # x \"y"), rnd(3) ? NOTHING :
		    S("\r"), S("\n"));
	}
	if (o.n > 0 && rnd(3) == 0)
		o.n -= o.p[o.n - 1] == '\n';
	return out_str(&o);
}

/* A name matches as it is and as it is seen. */
static void
test_pol_name_eq(void)
{
	static const struct {
		struct str glob, name;
		bool want;
	} rows[] = {
		{ B("prod"), B("prod"), true }, { B("prod"), B("Prod"), true },
		{ B("prod"), B("pr\xe2\x80\x8bod"), true },
		{ B("prod"), B(" prod\xc2\xa0"), true },
		{ B("prod"), B("pro"), false }, { B("prod"), B("pro d"), false },
		{ B("pr?d"), B("pr\xe2\x80\x8b" "d"), true },
		{ B("prd"), B("pr\xe2\x80\x8b" "d"), true },
		{ B("pr\xe2\x80\x8b" "d"), B("pr\xe2\x80\x8b" "d"), true },
		{ B("cvv "), B("cvv "), true }, { B("cvv"), B("cvv "), true },
		{ B("*"), B("\xff"), true }, { B("x"), B("\xff"), false },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = cstr(JOIN(&T, rows[i].glob, S(" "), rows[i].name));
		EQUAL(pol_name_eq(rows[i].glob, rows[i].name), rows[i].want);
	}
	run.row = NULL;
}

/* 100,000 rules and deeds, judged twice. */
static void
test_pol_judge(void)
{
	static const char *const titles[] = { "GitHub", "github", "Git Hub",
		"a\"b", "a\\*", "#1", "x\xc3\xa9y", "" };
	static const char *const numbers[] = { "001", "112", "102", "003",
		"" };
	static const struct vault vaults[] = {
		{ B(ID1), B("AI"), false, false },
		{ B(ID2), B("Work"), false, false },
		{ B(ID4), B("my vault"), false, false } };
	static const struct field own = { .id = B("passphrase"),
		.title = B("UserName") };
	unsigned by[3] = { 0 }, from_rule = 0;
	size_t mark = T.used;
	struct policy *p;

	for (unsigned i = 0; i < ROUNDS(100000); i++) {
		struct str text, tag[4];
		struct item_ref item = { .tag = tag, .tags = rnd(4) };
		struct cfg cfg = { .reveal = rnd(3) };
		struct deed d = { (enum act)rnd(4), &vaults[rnd(3)],
			rnd(6) > 0 ? &item : NULL, .at = NOTHING };
		struct judgement j;
		enum verdict want;
		unsigned line;
		bool canary;

		mem_reset(&T, mark);
		text = random_policy();
		item.id = rnd(3) ? S(ID4) : S(ID3);
		item.title = str_c(titles[rnd(LEN(titles))]);
		item.category = str_c(numbers[rnd(LEN(numbers))]);
		for (size_t k = 0; k < item.tags; k++)
			tag[k] = str_c(judge_tags[rnd(rnd(2) ? 4 :
			    LEN(judge_tags))]);
		if (rnd(3) > 0)
			d.field = rnd(2) ? S("password") : S("username");
		if (rnd(4) == 0)
			d.own = &own;
		if (d.act == ACT_USE && rnd(3) > 0)
			d.at = str_c(judge_at[rnd(LEN(judge_at))]);
		run.row = cstr(text);
		p = policy_of(text);
		if (p == NULL) {
			FAIL("this is a policy");
			continue;
		}
		j = pol_judge(p, &cfg, &d);
		want = slow_judge(text, (enum verdict)cfg.reveal, &d, &line,
		    &canary);
		by[want]++;
		from_rule += line > 0;
		if (j.verdict != want || j.canary != canary ||
		    (j.rule != NULL ? j.rule->line : 0) != line ||
		    (j.rule == NULL) != (j.why != NULL)) {
			FAIL("another judgement");
			EQUAL(j.verdict, want);
			EQUAL(j.rule != NULL ? j.rule->line : 0, line);
			EQUAL(j.canary, canary);
		}
	}
	run.row = NULL;
	CHECK(by[DENY] > ROUNDS(10000) && by[ASK] > ROUNDS(5000) &&
	    by[ALLOW] > ROUNDS(10000));
	CHECK(from_rule > ROUNDS(10000));
	run.passed += ROUNDS(100000);
}

/* ====================================================================
 * 14. Audit: one line per decision, written before the answer leaves
 * ==================================================================== */

#define AUD_LINES 1000

/* An audit of a run under this token, which writes to path. */
static struct audit
aud_of(const char *path, const char *token)
{
	struct audit a = { .file = true, .size = UINT64_MAX };

	a.fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (!CHECK(a.fd >= 0) || !CHECK(aud_init(&a, &fake_os,
	    str_c(token))))
		abort();
	return a;
}

/* The i-th line of a test. */
static struct aud_line
aud_some(unsigned i)
{
	static const char *const event[] = { "REVEAL", "REFUSED", "FAILED" };
	static const char *const title[] = { "\",\"prev\":\"0", "a\nb",
		"\xe2\x80\xae", "x", "\\" };

	return (struct aud_line){ .event = event[i % 3], .tool = "t",
		.decision = i % 2 ? "allow" : "deny", .vault = S(ID1),
		.host = str_c(title[i % LEN(title)]),
		.rule = i % 4 ? NOTHING : S("line 3 of OPMCP_POLICY") };
}

/* A new file of n lines, its text in T, and where its lines begin. */
static struct str
aud_file(unsigned n, size_t start[])
{
	const char *path = path_of("audit");
	struct audit a;
	struct str text;
	size_t at = 0;

	(void)unlink(path);
	a = aud_of(path, "ops_token");
	for (unsigned i = 0; i < n; i++) {
		struct aud_line l = aud_some(i);

		fake_unix += i % 7 == 0;
		CHECK(aud_write(&a, &l));
	}
	(void)close(a.fd);
	text = slurp(path);
	for (unsigned i = 0; i < n; i++) {
		start[i] = at;
		at += str_find(str_from(text, at), '\n') + 1;
	}
	start[n] = at;
	EQUAL(at, text.n);
	return text;
}

static struct aud_report
aud_report_of(struct str text, const char *token)
{
	static struct arena scratch;
	struct aud_report r;

	if (scratch.base == NULL && !mem_open(&scratch, 64 << 20))
		abort();
	aud_verify(&r, &scratch, text, str_c(token));
	return r;
}

/* Something is wrong at this line, from 1; else say so. */
static void
aud_finds(struct str text, uint64_t line, const char *what)
{
	struct aud_report r = aud_report_of(text, "ops_token");
	char row[64];

	(void)snprintf(row, sizeof row, "%s, line %llu", what,
	    (unsigned long long)line);
	run.row = row;
	if (CHECK(r.problem != NULL))
		EQUAL(r.lines + 1, line);
	run.row = NULL;
}

/* Each line removed, doubled, put at another place, or exchanged with its
 * neighbour: found, and where. */
static void
test_aud_verify(void)
{
	static size_t start[AUD_LINES + 1];
	struct str text = aud_file(AUD_LINES, start);
	struct aud_report r = aud_report_of(text, "ops_token");
	size_t mark = T.used;

	EQUAL(r.lines, AUD_LINES);
	EQUAL(r.unknown, 0);
	SAME(str_c(r.problem), NOTHING);
	for (size_t i = 0; i < AUD_LINES; i += i < 100 || i > 980 ? 1 : 20) {
		struct str head = str_upto(text, start[i]);
		struct str line = str_upto(str_from(text, start[i]),
		    start[i + 1] - start[i]);
		struct str rest = str_from(text, start[i + 1]);
		struct str next = str_upto(rest, i + 1 < AUD_LINES ?
		    start[i + 2] - start[i + 1] : 0);
		struct str other = str_upto(str_from(text,
		    start[(i + 500) % AUD_LINES]), start[(i + 500) %
		    AUD_LINES + 1] - start[(i + 500) % AUD_LINES]);

		mem_reset(&T, mark);
		if (i + 1 < AUD_LINES) {
			aud_finds(JOIN(&T, head, rest), i + 1, "removed");
			aud_finds(JOIN(&T, head, next, line, str_from(rest,
			    next.n)), i + 1, "exchanged");
		} else {                /* the end cut off: nobody sees it */
			SAME(str_c(aud_report_of(head, "ops_token").problem),
			    NOTHING);
		}
		aud_finds(JOIN(&T, head, line, line, rest), i + 2, "doubled");
		aud_finds(JOIN(&T, head, other, line, rest), i + 1,
		    "inserted");
		aud_finds(JOIN(&T, head, S("\n"), line, rest), i + 1,
		    "an empty line");
		aud_finds(JOIN(&T, head, S("{}\n"), line, rest), i + 1,
		    "another object");
		if (i > 0)
			aud_finds(str_upto(text, start[i] - 1), i,
			    "cut short");
	}
	/* whatever number of lines is cut off at the end */
	for (size_t i = 0; i < AUD_LINES; i += 99) {
		r = aud_report_of(str_upto(text, start[i]), "ops_token");
		EQUAL(r.lines, i);
		SAME(str_c(r.problem), NOTHING);
	}
}

/* 10,000 changes of a single byte. */
static void
test_aud_changes(void)
{
	static size_t start[41];
	struct str text = aud_file(40, start);
	u8 *p = mem_alloc(&T, text.n);
	unsigned missed = 0;

	memcpy(p, text.p, text.n);
	for (unsigned i = 0; i < 10000; i++) {
		size_t at = rnd((uint32_t)text.n), line = 0;
		u8 old = p[at];
		struct aud_report r;

		while (start[line + 1] <= at)
			line++;
		p[at] = i % 4 == 0 ? (u8)(old ^ 0x20) : (u8)rnd(256);
		if (p[at] == old)
			p[at] ^= 1;
		r = aud_report_of((struct str){ p, text.n }, "ops_token");
		run.passed++;
		if (r.problem == NULL || (at + 1 < text.n && r.lines != line &&
		    r.lines != line + 1)) {
			missed++;
			(void)printf("  byte %zu of line %zu (of 40), %02x to "
			    "%02x: %s, %u\n", at - start[line], line + 1, old,
			    p[at], r.problem != NULL ? r.problem : "no problem"
			    , (unsigned)r.lines);
		}
		p[at] = old;
	}
	EQUAL(missed, 0);
}

/* Several runs write to one file in turn; another token knows nothing, but
 * sees what was moved. */
static void
test_aud_runs(void)
{
	static size_t start[41];
	const char *path = path_of("audit");
	struct audit a[4];
	struct aud_report r;
	struct str text;

	(void)unlink(path);
	for (size_t i = 0; i < LEN(a); i++)
		a[i] = aud_of(path, i < 3 ? "ops_token" : "ops_other");
	for (unsigned i = 0; i < 40; i++) {
		struct aud_line l = aud_some(i);

		start[i] = slurp(path).n;
		CHECK(aud_write(&a[i < 4 ? i : rnd(LEN(a))], &l));
	}
	for (size_t i = 0; i < LEN(a); i++)
		(void)close(a[i].fd);
	text = slurp(path);
	start[40] = text.n;
	r = aud_report_of(text, "ops_token");
	EQUAL(r.lines, 40);
	EQUAL(r.unknown, a[3].seq);
	SAME(str_c(r.problem), NOTHING);
	r = aud_report_of(text, "ops_other");
	EQUAL(r.lines, 40);
	EQUAL(r.unknown, 40 - a[3].seq);
	r = aud_report_of(text, "ops_third");
	EQUAL(r.lines, 40);
	EQUAL(r.unknown, 40);
	SAME(str_c(r.problem), NOTHING);
	r = aud_report_of(text, "");
	EQUAL(r.unknown, 40);
	for (size_t i = 0; i + 1 < 40; i++) {
		struct str less = JOIN(&T, str_upto(text, start[i]),
		    str_from(text, start[i + 1]));

		r = aud_report_of(less, "ops_third");
		if (CHECK(r.problem != NULL))
			EQUAL(r.lines, i);
		aud_finds(less, i + 1, "removed of several runs");
	}
	r = aud_report_of(S(""), "ops_token");
	EQUAL(r.lines, 0);
	SAME(str_c(r.problem), NOTHING);
	/* as many runs as there is room for, and one more */
	(void)unlink(path);
	for (unsigned i = 0; i <= AUD_RUNS_MAX && !slow; i++) {
		struct aud_line l = aud_some(i);

		a[0] = aud_of(path, "ops_token");
		CHECK(aud_write(&a[0], &l));
		(void)close(a[0].fd);
		r = aud_report_of(slurp(path), "ops_token");
		EQUAL(r.lines, i < AUD_RUNS_MAX ? i + 1 : AUD_RUNS_MAX);
		SAME(str_c(r.problem), i < AUD_RUNS_MAX ? NOTHING :
		    S("too many runs in one file"));
	}
}

/* A line: its members in their order, texts from outside cut and escaped,
 * and nothing of the key. */
static void
test_aud_line(void)
{
	const char *path = path_of("audit");
	struct str text, one = NOTHING, two = NOTHING, key, host;
	struct audit a;
	struct out o;
	u8 h[SHA256_LEN];

	out_open(&o, &T);
	while (o.n < 2 * AUD_TEXT_MAX)
		out_put(&o, S("\"\\\xc3\xa9"));
	host = out_close(&o, &T);
	(void)unlink(path);
	a = aud_of(path, "ops_token");
	a.parent = S("/bin/host pid 1");
	key = str_dup(&T, (struct str){ a.key, sizeof a.key });
	fake_unix = 1767323045;
	CHECK(aud_write(&a, &(struct aud_line){ "START", NULL, NULL, NULL,
	    NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, S("n") }));
	CHECK(aud_write(&a, &(struct aud_line){ "REVEAL", "tool", "allow",
	    "ok", S("v"), S("i"), S("r"), host, S("c"), S("h"), S("n") }));
	(void)close(a.fd);
	text = slurp(path);
	CHECK(str_cut(&text, '\n', &one) && str_cut(&text, '\n', &two));
	EQUAL(text.n, 0);
	SAME(path_at(one, "seq"), S("1"));
	SAME(path_at(two, "seq"), S("2"));
	SAME(path_at(one, "time"), S("\"2026-01-02T03:04:05Z\""));
	SAME(text_of(one, "key"), hex(a.key_id, 4));
	SAME(path_at(two, "key"), NOTHING);
	SAME(text_of(two, "run"), hex(a.run, 8));
	SAME(text_of(one, "prev"), hex((const u8[32]){ 0 }, 32));
	SHA256(h, one);
	SAME(text_of(two, "prev"), hex(h, 32));
	SAME(text_of(two, "parent"), S("/bin/host pid 1"));
	CHECK(text_of(two, "host").n <= AUD_TEXT_MAX &&
	    text_of(two, "host").n > AUD_TEXT_MAX - 4);
	CHECK(str_is_start(host, text_of(two, "host")));
	SAME(path_at(one, "tool"), NOTHING);
	SAME(path_at(two, "error"), S("\"ok\""));
	cry_hmac(h, key.p, str_upto(one, one.n - 74));
	SAME(text_of(one, "mac"), hex(h, 32));
	text = slurp(path);
	CHECK(str_search(text, hex(key.p, key.n)) == text.n);
	CHECK(str_search(text, key) == text.n);
	CHECK(!str_eq(key, (struct str){ a.key, sizeof a.key }));
	/* a long text, cut within a character, and one that is no UTF-8 */
	a = aud_of(path, "ops_token");
	CHECK(aud_write(&a, &(struct aud_line){ .event = "E", .host = JOIN(
	    &T, S("x"), host) }));
	a.parent = S("\xff/bin");
	CHECK(aud_write(&a, &(struct aud_line){ .event = "E" }));
	(void)close(a.fd);
	SAME(str_c(aud_report_of(slurp(path), "ops_token").problem), NOTHING);
}

/* What cannot be written is a failure: no descriptor, a file for reading, a
 * full pipe, a pipe without a reader, a file that ends within a line. What
 * follows when it can be written again verifies. */
static void
test_aud_unwritable(void)
{
	const char *path = path_of("audit");
	struct aud_line l = aud_some(0);
	struct aud_report r;
	struct audit a;
	struct str text;
	u8 *room = mem_alloc(&T, 1 << 20);
	uint64_t begun;
	size_t got = 0;
	int fd[2], keep;
	ssize_t n;

	(void)unlink(path);
	a = aud_of(path, "ops_token");
	CHECK(aud_write(&a, &l));
	keep = a.fd;
	a.fd = open(path, O_RDONLY);
	CHECK(!aud_write(&a, &l));
	(void)close(a.fd);
	CHECK(!aud_write(&a, &l));      /* closed */
	a.fd = -1;
	CHECK(!aud_write(&a, &l));
	a.fd = keep;
	EQUAL(a.seq, 1);
	CHECK(aud_write(&a, &l));
	EQUAL(aud_report_of(slurp(path), "ops_token").lines, 2);
	CHECK(write(a.fd, "{", 1) == 1);
	CHECK(!aud_write(&a, &l));
	CHECK(a.problem != NULL && strstr(a.problem, "cut short") != NULL);
	CHECK(ftruncate(a.fd, (off_t)slurp(path).n - 1) == 0);
	CHECK(aud_write(&a, &l));
	r = aud_report_of(slurp(path), "ops_token");
	EQUAL(r.lines, 3);
	SAME(str_c(r.problem), NOTHING);
	CHECK(a.problem == NULL && unlink(path) == 0);
	CHECK(!aud_write(&a, &l));      /* nobody could read it */
	CHECK(a.problem != NULL && strstr(a.problem, "deleted") != NULL);
	(void)close(a.fd);
	a.off = true;
	CHECK(aud_write(&a, &l));       /* off is no failure */

	if (!CHECK(pipe2(fd, O_NONBLOCK) == 0))
		return;
	a = aud_of(path, "ops_token");
	(void)close(a.fd);
	a.fd = fd[1];
	a.file = false;
	begun = fake_ms;
	for (unsigned i = 0; i < 10000 && aud_write(&a, &l); i++)
		;
	CHECK(fake_ms - begun <= AUDIT_MS);
	CHECK(!aud_write(&a, &l));
	while ((n = read(fd[0], room + got, (1 << 20) - got)) > 0)
		got += (size_t)n;
	CHECK(aud_write(&a, &l));
	n = read(fd[0], room + got, (1 << 20) - got);
	got += n > 0 ? (size_t)n : 0;
	text = (struct str){ room, got };
	r = aud_report_of(text, "ops_token");
	EQUAL(r.lines, a.seq);
	SAME(str_c(r.problem), NOTHING);
	(void)close(fd[0]);
	CHECK(!aud_write(&a, &l));
	(void)close(fd[1]);
}

/* ====================================================================
 * 15. Sandbox: what each process gives up before it serves
 * ==================================================================== */

/* In a child, as there is no way back. */
static void
test_box_narrow(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		struct rlimit r;
		bool ok;

		box_narrow();
		ok = getrlimit(RLIMIT_CORE, &r) == 0 && r.rlim_cur == 0 &&
		    r.rlim_max == 0;
#ifdef __linux__
		ok = ok && prctl(PR_GET_DUMPABLE) == 0 &&
		    prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
#endif
		_exit(ok ? 0 : 1);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
	EQUAL(status, 0);
}

/* What a process in its box tries; true: it could. Not in T, which is zero
 * in a child. */
static struct {
	char secret[300], state[300], in_state[300];    /* paths */
	struct sockaddr_in port[2];     /* may be connected to, may not */
	int file;                       /* open before the box is closed */
} boxed;

static bool
try_read(void)
{
	return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool
try_read_elsewhere(void)
{
	return open(boxed.secret, O_RDONLY) >= 0;
}

static bool
try_write(void)
{
	return open(boxed.secret, O_WRONLY) >= 0;
}

static bool
try_write_etc(void)
{
	return open("/etc/passwd", O_RDWR | O_APPEND) >= 0;
}

static bool
try_truncate(void)
{
	return open(boxed.secret, O_RDONLY | O_TRUNC) >= 0;
}

static bool
try_create(void)
{
	return open(path_of("other"), O_WRONLY | O_CREAT, 0600) >= 0;
}

static bool
try_state(void)
{
	int d = open(boxed.state, O_RDONLY | O_DIRECTORY);
	int fd = d < 0 ? -1 : openat(d, "quota.new", O_WRONLY | O_CREAT |
	    O_TRUNC, 0600);

	return fd >= 0 && write(fd, "1", 1) == 1 && close(fd) == 0 &&
	    renameat(d, "quota.new", d, "quota") == 0;
}

static bool
try_unlink(void)
{
	return unlink(boxed.secret) == 0;
}

static bool
try_mkdir(void)
{
	return mkdir(path_of("m"), 0700) == 0;
}

static bool
try_chmod(void)
{
	return chmod(boxed.secret, 0666) == 0;
}

static bool
try_socket(void)
{
	return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool
try_socketpair(void)
{
	int fd[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0;
}

static bool
connects(const struct sockaddr_in *to)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd >= 0 && connect(fd, (const struct sockaddr *)to,
	    sizeof *to) == 0;
}

static bool
try_connect(void)
{
	return connects(&boxed.port[0]);
}

static bool
try_connect_other(void)
{
	return connects(&boxed.port[1]);
}

static bool
try_listen(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0
	    && listen(fd, 1) == 0;
}

static bool
try_fork(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(7);
	return pid > 0 && waitpid(pid, &status, 0) == pid &&
	    WEXITSTATUS(status) == 7;
}

static bool
try_exec(void)
{
	char *argv[] = { cstr(S("/bin/true")), NULL };

	(void)execve("/bin/true", argv, argv + 1);
	return errno != EPERM && errno != EACCES;
}

static bool
try_execveat(void)
{
	char *argv[] = { cstr(S("x")), NULL };

	return syscall(SYS_execveat, boxed.file, "", argv, argv + 1,
	    AT_EMPTY_PATH) == 0 || (errno != EPERM && errno != EACCES);
}

static bool
try_map_code(void)
{
	return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE |
	    MAP_ANONYMOUS, -1, 0) != MAP_FAILED;
}

static bool
try_protect_code(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE |
	    MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) ==
	    0;
}

static bool
try_trace(void)
{
	return syscall(SYS_ptrace, 0L, 0L, 0L, 0L) == 0;
}

static bool
try_read_process(void)
{
	return syscall(SYS_process_vm_readv, (long)getpid(), 0L, 0L, 0L, 0L,
	    0L) >= 0;
}

static bool
try_uring(void)
{
	u8 room[256] = { 0 };

	return syscall(425, 1L, room) >= 0 || errno != EPERM;
}

static bool
try_memfd(void)
{
	return syscall(SYS_memfd_create, "x", 0L) >= 0;
}

static bool
try_unshare(void)
{
	return syscall(SYS_unshare, 0L) == 0;
}

static bool
try_setuid(void)
{
	return syscall(SYS_setuid, (long)getuid()) == 0;
}

static bool
try_common(void)
{
	struct pollfd pfd = { boxed.file, POLLIN, 0 };
	u8 b[8], *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p != MAP_FAILED && memset(p, 1, 1 << 20) != NULL &&
	    madvise(p, 1 << 20, MADV_DONTNEED) == 0 && munmap(p, 1 << 20) ==
	    0 && getentropy(b, sizeof b) == 0 && poll(&pfd, 1, 0) == 1 &&
	    read(boxed.file, b, 1) == 1 && os_now_ms() > 0 &&
	    usleep(1) == 0 && close(boxed.file) == 0;
}

static bool
try_lookup(void)
{
	struct os_addrs list = { .n = 0 };
	struct err e = { 0 };
	struct os os;

	os_init(&os, LOG_ERROR);
	return os_lookup_forked(&os, "localhost", "443", os.now_ms() + 4000,
	    &list, &e) && list.n > 0;
}

static bool
try_audit_file(void)
{
	struct audit a = { .os = &fake_os, .fd = boxed.file, .file = true,
		.sync = true, .size = UINT64_MAX };

	return aud_write(&a, &(struct aud_line){ .event = "E" });
}

static const struct box_row {
	const char *name;
	bool (*act)(void);
	bool door, keeper;              /* may it? */
	bool landlock;                  /* it takes that to refuse it */
} box_rows[] = {
	{ "common", try_common, true, true, false },
	{ "read /etc", try_read, false, true, false },
	{ "read elsewhere", try_read_elsewhere, false, false, true },
	{ "write", try_write, false, false, true },
	{ "write in /etc", try_write_etc, false, false, true },
	{ "truncate by reading", try_truncate, false, false, true },
	{ "create", try_create, false, false, true },
	{ "state", try_state, false, true, false },
	{ "unlink", try_unlink, false, false, false },
	{ "mkdir", try_mkdir, false, false, false },
	{ "chmod", try_chmod, false, false, false },
	{ "socket", try_socket, false, true, false },
	{ "socketpair", try_socketpair, false, false, false },
	{ "connect", try_connect, false, true, false },
	{ "connect to another port", try_connect_other, false, false, true },
	{ "listen", try_listen, false, false, true },
	{ "fork", try_fork, false, true, false },
	{ "execve", try_exec, false, false, false },
	{ "execveat", try_execveat, false, false, false },
	{ "map code", try_map_code, false, false, false },
	{ "protect code", try_protect_code, false, false, false },
	{ "ptrace", try_trace, false, false, false },
	{ "process_vm_readv", try_read_process, false, false, false },
	{ "io_uring", try_uring, false, false, false },
	{ "memfd", try_memfd, false, false, false },
	{ "unshare", try_unshare, false, false, false },
	{ "setuid", try_setuid, false, false, false },
	{ "look a name up", try_lookup, false, true, false },
	{ "audit", try_audit_file, false, true, false },
};

/* A listener, and its address. */
static int
box_listener(struct sockaddr_in *at)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof *at;

	*at = (struct sockaddr_in){ .sin_family = AF_INET };
	at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(fd >= 0 && bind(fd, (struct sockaddr *)at, n) == 0 &&
	    listen(fd, 9) == 0 && getsockname(fd, (struct sockaddr *)at,
	    &n) == 0);
	return fd;
}

/* In a child: close the box and try it. 0: refused, 1: it could, 2: there is
 * no such box here. */
static int
box_try(const struct box_row *row, const struct box_paths *paths)
{
	struct box b = { .landlock_abi = 0 };
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		(void)alarm(10);
		boxed.file = open(boxed.in_state, O_RDWR | O_APPEND);
		box_narrow();
		if (!box_enter(&b, SANDBOX_AUTO, paths) ||
		    b.seccomp != LAYER_ACTIVE ||
		    (row->landlock && (b.landlock == LAYER_ABSENT ||
		    (b.landlock_abi < 4 && (row->act == try_connect_other ||
		    row->act == try_listen)))))
			_exit(2);
		_exit(row->act() ? 1 : 0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 3;
}

/* Each of these in a child of its own, in the door's box and in the
 * keeper's. */
static void
test_box_acts(void)
{
	struct box_paths paths = { .read = { "test/pki/ca.pem" } };
	int a = box_listener(&boxed.port[0]);
	int b = box_listener(&boxed.port[1]);
	unsigned absent = 0;

	(void)snprintf(boxed.state, 300, "%s", path_of("state"));
	(void)mkdir(boxed.state, 0700);
	(void)snprintf(boxed.in_state, 300, "%s", path_of("state/audit"));
	paths.write = boxed.state;
	paths.port[1] = ntohs(boxed.port[0].sin_port);
	for (size_t i = 0; i < 2 * LEN(box_rows); i++) {
		const struct box_row *row = &box_rows[i / 2];
		bool keeper = i % 2 == 1, may = keeper ? row->keeper :
		    row->door;
		int fd, got;

		run.row = cstr(JOIN(&T, S(""), keeper ? S("keeper: ") :
		    S("door: "), str_c(row->name)));
		(void)snprintf(boxed.secret, 300, "%s", file_with("token",
		    S("x"), 0600));
		paths.read[1] = row->act == try_truncate ? boxed.secret :
		    NULL;
		fd = open(boxed.in_state, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		CHECK(write(fd, "{}\n", 3) == 3);
		(void)close(fd);
		got = BOX_SANITIZED || slow ? 2 : box_try(row, keeper ? &paths :
		    NULL);
		absent += got == 2;
		if (got != 2)
			EQUAL(got, may);
	}
	run.row = NULL;
	if (absent > 0)
		(void)printf("note: %u of %zu acts not tried: %s\n", absent,
		    2 * LEN(box_rows), BOX_SANITIZED || slow ? "a sanitizer" :
		    "the kernel has no such box");
	(void)unlink(boxed.in_state);
	(void)unlink(path_of("state/quota"));
	(void)unlink(path_of("state/quota.new"));
	(void)rmdir(boxed.state);
	(void)close(a);
	(void)close(b);
}

/* What the setting demands. */
static void
test_box_demands(void)
{
	for (int i = 0; i < 2; i++) {
		struct box_paths paths = { .read = { NULL } };
		int status = -1;
		pid_t pid = fork();

		if (pid == 0) {
			struct box b = { .landlock_abi = 0 };
			bool ok;

			ok = box_enter(&b, SANDBOX_OFF, i ? &paths : NULL) &&
			    b.landlock == LAYER_ABSENT && b.seccomp ==
			    LAYER_ABSENT && try_map_code();
			if (slow)       /* valgrind does not survive it */
				_exit(ok ? 0 : 1);
			box_narrow();
			ok = ok && box_enter(&b, SANDBOX_REQUIRE, i ? &paths :
			    NULL) == (b.landlock != LAYER_ABSENT &&
			    b.seccomp == LAYER_ACTIVE);
			_exit(ok ? 0 : 1);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
		EQUAL(status, 0);
	}
}

/* ====================================================================
 * 16. Catalogue: rows of tools, resources and prompts, and their checks
 * ==================================================================== */

static void
test_cat_check_args(void)
{
	static const struct {
		const char *tool, *args;
		bool ok;
		const char *what;
	} rows[] = {
		{ "get_1password_credentials", "{\"item_name\":\"x\"}", true,
		    "" },
		{ "get_1password_credentials",
		    "{\"item_name\":\"x\",\"vault\":\"y\"}", true, "" },
		{ "get_1password_credentials", "{\"vault\":\"y\"}", false,
		    "item_name" },
		{ "get_1password_credentials", "{}", false, "item_name" },
		{ "get_1password_credentials", "{\"item_name\":1}", false,
		    "item_name" },
		{ "get_1password_credentials", "{\"item_name\":null}", false,
		    "item_name" },
		{ "get_1password_credentials", "{\"item_name\":[\"x\"]}",
		    false, "item_name" },
		{ "get_1password_credentials",
		    "{\"item_name\":\"x\",\"vault\":null}", false, "vault" },
		{ "get_1password_credentials",
		    "{\"item_name\":\"x\",\"Vault\":\"y\"}", false,
		    "an unknown argument" },
		{ "get_1password_credentials",
		    "{\"item_name\":\"x\",\"\":1}", false,
		    "an unknown argument" },
		{ "get_1password_credentials",
		    "{\"item\\u005fname\":\"x\"}", true, "" },
		{ "get_health_status", "{}", true, "" },
		{ "get_health_status", "{\"probe\":true}", true, "" },
		{ "get_health_status", "{\"probe\":false}", true, "" },
		{ "get_health_status", "{\"probe\":\"true\"}", false,
		    "probe" },
		{ "get_health_status", "{\"probe\":1}", false, "probe" },
		{ "get_health_status", "{\"probe\":null}", false, "probe" },
		{ "get_health_status", "{\"x\":true}", false,
		    "an unknown argument" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		const struct tool *t = cat_tool(&opmcp_catalog,
		    str_c(rows[i].tool));
		struct err e = { 0 };
		struct json j;

		run.row = rows[i].args;
		if (!CHECK(t != NULL && parses(&j, str_c(rows[i].args))))
			continue;
		EQUAL(cat_check_args(t->arg, t->args, &j, ROOT, &e),
		    rows[i].ok);
		FAILED(e, rows[i].ok ? E_NONE : E_ARGUMENT);
		SAME(str_c(e.where != NULL ? e.where : e.what),
		    str_c(rows[i].what));
	}
	CHECK(cat_tool(&opmcp_catalog, S("get_health_statu")) == NULL);
	CHECK(cat_tool(&opmcp_catalog, S("GET_HEALTH_STATUS")) == NULL);
	CHECK(cat_tool(&opmcp_catalog, NOTHING) == NULL);
}

/* A tool's input schema as it is published. */
static struct str
schema_of(const struct tool *t)
{
	struct out o;
	struct jw w = { &o, false };

	out_open(&o, &T);
	cat_put_schema(&w, t);
	return out_close(&o, &T);
}

/* The checker itself. */
static void
test_cat_checker(void)
{
#define TEXT "{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}"
#define BOX "{\"type\":\"object\",\"properties\":{\"a\":" TEXT "},"
#define RANGE "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100}"
	static const struct {
		const char *schema, *value;
		bool fits;
	} rows[] = {
		{ TEXT, "\"ab\"", true }, { TEXT, "\"a\"", false },
		{ TEXT, "\"abc\"", true }, { TEXT, "\"abcd\"", false },
		{ TEXT, "\"\\u00e9\xf0\x9f\x94\x91\\ud83d\\udd11\"", true },
		{ TEXT, "7", false }, { TEXT, "null", false },
		{ TEXT, "[\"ab\"]", false },
		{ "{\"type\":\"boolean\"}", "true", true },
		{ "{\"type\":\"boolean\"}", "false", true },
		{ "{\"type\":\"boolean\"}", "null", false },
		{ "{\"type\":\"boolean\"}", "\"true\"", false },
		{ "{\"type\":\"boolean\"}", "1", false },
		{ "{\"type\":\"integer\"}", "-12", true },
		{ "{\"type\":\"integer\"}", "1.0", false },
		{ "{\"type\":\"integer\"}", "1e2", false },
		{ "{\"type\":\"integer\"}", "true", false },
		{ "{\"type\":\"string\",\"enum\":[\"x\",\"y\"]}", "\"y\"",
		    true },
		{ "{\"type\":\"string\",\"enum\":[\"x\",\"y\"]}", "\"z\"",
		    false },
		{ "{\"type\":\"array\",\"items\":" TEXT "}", "[\"ab\"]",
		    true },
		{ "{\"type\":\"array\",\"items\":" TEXT "}",
		    "[\"ab\",\"a\"]", false },
		{ "{\"type\":\"array\"}", "{}", false },
		{ "{\"type\":\"array\",\"maxItems\":2}", "[1,2]", true },
		{ "{\"type\":\"array\",\"maxItems\":2}", "[1,2,3]", false },
		{ "{\"type\":\"array\",\"minItems\":1}", "[]", false },
		{ "{\"type\":\"array\",\"minItems\":1}", "[1]", true },
		{ RANGE, "1", true }, { RANGE, "100", true },
		{ RANGE, "0", false }, { RANGE, "101", false },
		{ RANGE, "-1", false }, { RANGE, "-0", false },
		{ RANGE, "18446744073709551617", false },
		{ BOX "\"required\":[\"a\"]}", "{\"a\":\"ab\",\"b\":1}",
		    true },
		{ BOX "\"required\":[\"a\"]}", "{\"b\":1}", false },
		{ BOX "\"required\":[]}", "{}", true },
		{ BOX "\"required\":[]}", "{\"a\":\"x\"}", false },
		{ BOX "\"additionalProperties\":false}", "{\"a\":\"ab\"}",
		    true },
		{ BOX "\"additionalProperties\":false}", "{\"b\":1}", false },
		{ BOX "\"additionalProperties\":false}", "[]", false },
	};
#undef TEXT
#undef BOX
#undef RANGE

	for (size_t i = 0; i < LEN(rows); i++) {
		struct json s, j;

		run.row = rows[i].value;
		if (CHECK(parses(&s, str_c(rows[i].schema)) &&
		    parses(&j, str_c(rows[i].value))))
			EQUAL(fits(&s, ROOT, &j, ROOT), rows[i].fits);
	}
}

/* Append a JSON string of n characters, of all widths and spellings. */
static void
put_letters(struct out *o, size_t n)
{
	static const char *const letter[] = { "a", "Z", " ", "/", "\xc3\xa9",
		"\xe6\x97\xa5", "\xf0\x9f\x94\x91", "\\u0041", "\\u00e9",
		"\\ud83d\\udd11", "\\\"", "\\\\", "\\n", "\\u0000", "\\ufeff" };
	size_t one = rnd(2) * (1 + rnd(LEN(letter)));

	out_byte(o, '"');
	while (n-- > 0)
		out_put(o, str_c(letter[one > 0 ? one - 1 :
		    rnd(LEN(letter))]));
	out_byte(o, '"');
}

/* Append a text of any length, of those just permitted or just not. */
static void
put_text(struct out *o, size_t max)
{
	size_t edge[] = { 0, 1, 2, max - 1, max, max + 1, 2 * max };

	put_letters(o, rnd(2) > 0 ? edge[rnd(LEN(edge))] : 1 + rnd(20));
}

/* Append a list of texts; unless good, at times of other things, or long. */
static void
put_tags(struct out *o, bool good)
{
	uint32_t n = rnd(4) == 0 ? 22 + rnd(good ? 3 : 6) : rnd(4);

	out_byte(o, '[');
	for (uint32_t i = 0; i < n; i++) {
		if (i > 0)
			out_byte(o, ',');
		if (!good && rnd(20) == 0)
			out_put(o, rnd(2) > 0 ? S("null") : S("[\"x\"]"));
		else
			put_letters(o, rnd(5));
	}
	out_byte(o, ']');
}

/* Append a list of fields; unless good, with members that are missing, too
 * many or of another type. */
static void
put_fields(struct out *o, bool good)
{
	static const char *const name[] = { "value", "l\\u0061bel", "section",
		"kind", "Label", "id" };
	uint32_t n = rnd(4) == 0 ? 14 + rnd(good ? 3 : 5) :
	    rnd(3) + good;

	out_byte(o, '[');
	for (uint32_t i = 0; i < n; i++) {
		bool any = false;

		out_put(o, i > 0 ? S(",{") : S("{"));
		for (size_t m = 0; m < LEN(name); m++) {
			if (m < 2 ? !good && rnd(20) == 0 : m < 4 ?
			    rnd(2) > 0 : good || rnd(20) > 0)
				continue;
			OUT(o, any ? S(",\"") : S("\""), str_c(name[m]),
			    S("\":"));
			if (!good && rnd(30) == 0)
				out_put(o, rnd(2) > 0 ? S("7") : S("{}"));
			else
				put_letters(o, rnd(5));
			any = true;
		}
		out_byte(o, '}');
	}
	out_byte(o, ']');
}

/* Append a value of the kind that is asked for; unless good, only nearly. */
static void
put_value(struct out *o, enum arg_kind kind, bool good)
{
	static const char *const other[] = { "null", "0", "-1", "1.5", "1e3",
		"[]", "{}", "[\"x\"]", "{\"a\":\"b\"}", "[true]", "\"true\"",
		"\"false\"", "\"null\"", "true" };
	static const char *const count[] = { "1", "7", "99", "100", "101", "0",
		"-1", "-0", "1.0", "1e1", "99999999999999999999" };
	static const char *const state[] = { "\"active\"", "\"all\"",
		"\"archived\"", "\"a\\u006cl\"", "\"Active\"", "\"\"",
		"\"deleted\"", "\"all\\u0000\"" };

	if (!good && rnd(6) == 0) {
		out_put(o, str_c(other[rnd(LEN(other))]));
		return;
	}
	switch (kind) {
	case ARG_BOOL:
		out_put(o, rnd(2) > 0 ? S("true") : S("false"));
		break;
	case ARG_COUNT:
		out_put(o, str_c(count[rnd(good ? 4 : LEN(count))]));
		break;
	case ARG_STATE:
		out_put(o, str_c(state[rnd(good ? 4 : LEN(state))]));
		break;
	case ARG_TAGS:
		put_tags(o, good);
		break;
	case ARG_FIELDS:
		put_fields(o, good);
		break;
	case ARG_TEXT:
	case ARG_REF:
	case ARG_VALUE:
		if (good)
			put_letters(o, 1 + rnd(20));
		else
			put_text(o, kind == ARG_REF ? REF_MAX : NAME_MAX_LEN);
		break;
	}
}

/* Append a member's name, now and then with an escape for its first byte. */
static void
put_member(struct out *o, bool *first, struct str name, enum arg_kind kind,
    bool good)
{
	u8 room[8];

	OUT(o, *first ? S("") : S(","), rnd(9) > 0 ? S("") : S(" "), S("\""));
	if (name.n > 0 && rnd(8) == 0) {
		(void)snprintf((char *)room, sizeof room, "\\u%04x", name.p[0]);
		OUT(o, ((struct str){ room, 6 }), str_from(name, 1));
	} else {
		out_put(o, name);
	}
	out_put(o, S("\":"));
	put_value(o, kind, good);
	*first = false;
}

/* Arguments for a tool: most of its own in any order, at times an unknown
 * one; every second time all that is needed, and right. */
static struct str
random_args(const struct tool *t)
{
	static const char *const wrong[] = { "", "x", "Vault", "probe ",
		"item_nam", "item_name\\u0000", "type", "properties" };
	size_t at = rnd((uint32_t)t->args + 1);
	bool first = true, good = rnd(2) > 0;
	struct out o;

	out_open(&o, &T);
	out_byte(&o, '{');
	if (rnd(good ? 16 : 4) == 0)
		put_member(&o, &first, str_c(wrong[rnd(LEN(wrong))]),
		    ARG_TEXT, good);
	for (size_t i = 0; i < t->args; i++) {
		const struct arg *arg = &t->arg[(at + i) % t->args];

		if (rnd(6) > 0 || (good && arg->required))
			put_member(&o, &first, str_c(arg->name), arg->kind,
			    good);
	}
	out_byte(&o, '}');
	return out_close(&o, &T);
}

/* One of everything that a row can say. */
static const struct arg own_args[] = {
	{ "text", "needed", ARG_TEXT, true, COMPLETE_NOTHING },
	{ "flag", "needed too", ARG_BOOL, true, COMPLETE_NOTHING },
	{ "more", "may be missing", ARG_TEXT, false, COMPLETE_NOTHING },
	{ "also", "may be missing", ARG_BOOL, false, COMPLETE_NOTHING },
	{ "count", "a number", ARG_COUNT, false, COMPLETE_NOTHING },
};
static const struct tool own_tool = { "own", "Own", "A tool of the tests",
	"", NULL, NULL, own_args, LEN(own_args), NULL };

/* Whatever is sent: what the published schema says of it and what the keeper
 * says of it are the same. */
static void
test_cat_agree(void)
{
	for (size_t i = 0; i <= LEN(tools); i++) {
		const struct tool *t = i < LEN(tools) ? &tools[i] : &own_tool;
		unsigned said[2] = { 0, 0 };
		struct json s, j;
		size_t mark;

		if (!CHECK(parses(&s, schema_of(t))))
			return;
		mark = T.used;
		for (int n = 0; n < 5000; n++) {
			uint64_t began = seed;
			struct err e = { 0 };
			struct str args = random_args(t);
			bool ok;

			if (!CHECK(parses(&j, args)))
				show(args);
			ok = cat_check_args(t->arg, t->args, &j, ROOT, &e);
			said[ok]++;
			if (!CHECK(fits(&s, ROOT, &j, ROOT) == ok)) {
				(void)printf("  seed: %llu\n  args: ",
				    (unsigned long long)began);
				show(args);
				(void)printf("\n");
			}
			FAILED(e, ok ? E_NONE : E_ARGUMENT);
			mem_reset(&T, mark);
		}
		run.row = t->name;
		CHECK(said[0] > 500 && said[1] > 500);
	}
}

/* The longest and the shortest text, by characters of each width and as they
 * may be spelt; and no arguments at all. */
static void
test_cat_edges(void)
{
	static const char *const letter[] = { "a", "\xc3\xa9", "\xe6\x97\xa5",
		"\xf0\x9f\x94\x91", "\\u0061", "\\u00e9", "\\ud83d\\udd11",
		"\\\"", "\\u0000" };
	static const size_t size[] = { 0, 1, NAME_MAX_LEN, NAME_MAX_LEN + 1 };
	const struct tool *t = &tools[0];
	struct err e = { 0 };
	struct json s, j;

	CHECK(parses(&s, schema_of(t)));
	for (size_t i = 0; i < LEN(letter) * LEN(size); i++) {
		size_t n = size[i % LEN(size)];
		struct out o;
		bool ok = n >= 1 && n <= 255;

		run.row = letter[i / LEN(size)];
		out_open(&o, &T);
		out_put(&o, S("{\"item_name\":\""));
		for (size_t k = 0; k < n; k++)
			out_put(&o, str_c(letter[i / LEN(size)]));
		out_put(&o, S("\"}"));
		if (!CHECK(parses(&j, out_close(&o, &T))))
			continue;
		e = (struct err){ 0 };
		EQUAL(cat_check_args(t->arg, t->args, &j, ROOT, &e), ok);
		EQUAL(fits(&s, ROOT, &j, ROOT), ok);
		FAILED(e, ok ? E_NONE : E_ARGUMENT);
	}
	run.row = "none";
	e = (struct err){ 0 };
	CHECK(!cat_check_args(t->arg, t->args, &j, 0, &e));
	FAILED(e, E_ARGUMENT);
	e = (struct err){ 0 };
	CHECK(cat_check_args(health_args, LEN(health_args), &j, 0, &e));
}

/* All of a schema is what every host understands: known members, one type
 * each, no schema that is true or false. */
static void
check_portable(const struct json *j, uint32_t schema, bool input)
{
	static const char *const known[] = { "type", "properties", "required",
		"additionalProperties", "minLength", "maxLength", "minimum",
		"maximum", "enum", "items", "minItems", "maxItems",
		"description" };
	uint32_t props = json_get(j, schema, S("properties"));
	struct str key, help;

	if (!CHECK(json_is_object(j, schema)))
		return;
	CHECK(json_get_str(j, schema, S("type"), &key));
	for (uint32_t k = json_first(j, schema); k;
	    k = json_next(j, schema, k)) {
		bool found = false;

		for (size_t i = 0; i < LEN(known) && json_str(j, k, &key); i++)
			found |= str_eq(key, str_c(known[i]));
		if (!CHECK(found))
			show(json_raw(j, k));
	}
	for (uint32_t k = json_first(j, props); k;
	    k = json_next(j, props, k)) {
		check_portable(j, k + 1, input);
		CHECK(!input || (json_get_str(j, k + 1, S("description"),
		    &help) && help.n > 0));
	}
	if (json_get(j, schema, S("items")) != 0)
		check_portable(j, json_get(j, schema, S("items")), false);
}

/* What is published of each tool. */
static void
test_cat_schema(void)
{
	static const char raw[] = "{\"type\":\"object\",\"properties\":{}}";
	struct tool own = own_tool;
	struct json j;

	for (size_t i = 0; i < LEN(tools); i++) {
		const struct tool *t = &tools[i];

		run.row = t->name;
		if (!CHECK(parses(&j, schema_of(t))))
			continue;
		check_portable(&j, ROOT, true);
		CHECK(json_is_str(&j, ROOT, S("type"), S("object")));
		CHECK(json_is_word(&j, json_get(&j, ROOT,
		    S("additionalProperties")), S("false")));
		CHECK(json_is_array(&j, json_get(&j, ROOT, S("required"))));
		if (CHECK(parses(&j, str_c(t->output))))
			check_portable(&j, ROOT, false);
		CHECK(json_is_str(&j, ROOT, S("type"), S("object")));
	}
	SAME(schema_of(&own), S("{\"type\":\"object\",\"properties\":{"
	    "\"text\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255,"
	    "\"description\":\"needed\"},\"flag\":{\"type\":\"boolean\","
	    "\"description\":\"needed too\"},\"more\":{\"type\":\"string\","
	    "\"minLength\":1,\"maxLength\":255,\"description\":"
	    "\"may be missing\"},\"also\":{\"type\":\"boolean\","
	    "\"description\":\"may be missing\"},\"count\":{\"type\":"
	    "\"integer\",\"minimum\":1,\"maximum\":100,\"description\":"
	    "\"a number\"}},\"required\":[\"text\","
	    "\"flag\"],\"additionalProperties\":false}"));
	own.input = raw;
	SAME(schema_of(&own), str_c(raw));
}

/* A prompt's arguments: a field left empty is one left out. */
static void
test_cat_check_prompt(void)
{
	static const struct {
		const char *args;
		enum err_code code;
		const char *what;
	} rows[] = {
		{ "{\"item_name\":\"x\"}", E_NONE, "" },
		{ "{\"item_name\":\"x\",\"vault\":\"y\"}", E_NONE, "" },
		{ "{\"item_name\":\"x\",\"vault\":\"\"}", E_NONE, "" },
		{ "{}", E_ARGUMENT, "item_name" },
		{ "{\"item_name\":\"\"}", E_ARGUMENT, "item_name" },
		{ "{\"vault\":\"y\"}", E_ARGUMENT, "item_name" },
		{ "{\"item_name\":7}", E_ARGUMENT, "item_name" },
		{ "{\"item_name\":null}", E_ARGUMENT, "item_name" },
		{ "{\"item_name\":\"x\",\"vault\":null}", E_ARGUMENT,
		    "vault" },
		{ "{\"item_name\":\"x\",\"vault\":[]}", E_ARGUMENT, "vault" },
		{ "{\"item_name\":\"x\",\"Vault\":\"y\"}", E_ARGUMENT,
		    "an unknown argument" },
		{ "{\"item_name\":\"x\",\"\":\"\"}", E_ARGUMENT,
		    "an unknown argument" },
		{ "{\"item_name\":\"a\\nb\"}", E_NAME, "" },
		{ "{\"item_name\":\"x \"}", E_NAME, "" },
		{ "{\"item_name\":\"x\",\"vault\":\"\\u202e\"}", E_NAME, "" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct err e = { 0 };
		struct json j;

		run.row = rows[i].args;
		if (!CHECK(parses(&j, str_c(rows[i].args))))
			continue;
		EQUAL(cat_check_prompt(&prompts[0], &j, ROOT, &e),
		    rows[i].code == E_NONE);
		FAILED(e, rows[i].code);
		SAME(str_c(e.what), str_c(rows[i].what));
	}
}

/* Which argument a completion is about. */
static void
test_cat_completed(void)
{
#define PROMPT "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"use_credential\"}"
#define TEMPLATE "\"ref\":{\"type\":\"ref/resource\",\"uri\":" \
	"\"onepassword://vaults/{vault}/items{?cursor}\"}"
	static const struct {
		const char *params;
		enum complete complete; /* where there is an argument */
		const char *name;       /* NULL: there is none */
	} rows[] = {
		{ PROMPT ",\"argument\":{\"name\":\"item_name\"}",
		    COMPLETE_ITEM, "item_name" },
		{ PROMPT ",\"argument\":{\"name\":\"vault\"}",
		    COMPLETE_VAULT, "vault" },
		{ PROMPT ",\"argument\":{\"name\":\"none\"}", 0, NULL },
		{ PROMPT ",\"argument\":{\"name\":7}", 0, NULL },
		{ PROMPT ",\"argument\":\"vault\"", 0, NULL },
		{ PROMPT, 0, NULL },
		{ TEMPLATE ",\"argument\":{\"name\":\"vault\"}",
		    COMPLETE_VAULT, "vault" },
		{ TEMPLATE ",\"argument\":{\"name\":\"cursor\"}",
		    COMPLETE_NOTHING, "cursor" },
		{ TEMPLATE ",\"argument\":{\"name\":\"item_name\"}", 0, NULL },
		{ "\"argument\":{\"name\":\"vault\"}", 0, NULL },
		{ "\"ref\":7,\"argument\":{\"name\":\"vault\"}", 0, NULL },
		{ "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"none\"},"
		    "\"argument\":{\"name\":\"vault\"}", 0, NULL },
		{ "\"ref\":{\"type\":\"ref/tool\",\"name\":\"use_credential\"},"
		    "\"argument\":{\"name\":\"vault\"}", 0, NULL },
		{ "\"ref\":{\"type\":\"ref/prompt\",\"uri\":\"use_credential\""
		    "},\"argument\":{\"name\":\"vault\"}", 0, NULL },
		{ "\"ref\":{\"type\":\"ref/resource\",\"uri\":"
		    "\"onepassword://vaults\"},\"argument\":{\"name\":"
		    "\"vault\"}", 0, NULL },
		{ "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"explain_rules"
		    "\"},\"argument\":{\"name\":\"vault\"}", 0, NULL },
	};
#undef PROMPT
#undef TEMPLATE

	for (size_t i = 0; i < LEN(rows); i++) {
		const struct arg *arg;
		struct json j;

		run.row = rows[i].params;
		if (!CHECK(parses(&j, JOIN(&T, S("{"), str_c(rows[i].params),
		    S("}")))))
			continue;
		arg = cat_completed(&opmcp_catalog, &j, ROOT);
		SAME(str_c(arg != NULL ? arg->name : NULL),
		    str_c(rows[i].name));
		if (arg != NULL)
			EQUAL(arg->complete, rows[i].complete);
	}
}

static void
test_cat_uri_normal(void)
{
	static const struct {
		struct str uri;
		const char *want;       /* NULL: refused */
	} rows[] = {
		{ B("onepassword://status"), "onepassword://status" },
		{ B("OnePassword://Vaults/AI/Items"),
		    "onepassword://vaults/AI/Items" },
		{ B("ONEPASSWORD://VAULTS"), "onepassword://vaults" },
		{ B("A://User@Host:1/X"), "a://user@host:1/X" },
		{ B("a://b/C?D=E"), "a://b/C?D=E" },
		{ B("a://b/%2F"), "a://b/%2F" }, { B("a://b/%00"),
		    "a://b/%00" }, { B("a://b/%fF"), "a://b/%fF" },
		{ B("a://b//c"), "a://b//c" }, { B("a://b/"), "a://b/" },
		{ B("a://b/..."), "a://b/..." }, { B("a://b/.c/d."),
		    "a://b/.c/d." }, { B("a://b/..c"), "a://b/..c" },
		{ B("a://b/-._~!$&'()*+,;=:@?[]"),
		    "a://b/-._~!$&'()*+,;=:@?[]" },
		{ B("zyx://WVU/azAZ09"), "zyx://wvu/azAZ09" },
		{ B(""), NULL }, { { NULL, 0 }, NULL }, { B("a"), NULL },
		{ B("://b"), NULL }, { B("1a://b"), NULL },
		{ B("_a://b"), NULL }, { B("~a://b"), NULL },
		{ B("onepassword:status"), NULL },
		{ B("onepassword:/status"), NULL }, { B("/status"), NULL },
		{ B("//status"), NULL }, { B("a://b/.."), NULL },
		{ B("a://b/."), NULL }, { B("a://b/../c"), NULL },
		{ B("a://b/./c"), NULL }, { B("a://b/c/.."), NULL },
		{ B("a://.."), NULL }, { B("a://../b"), NULL },
		{ B("a://b#"), NULL }, { B("a://b#c"), NULL },
		{ B("a://b/c d"), NULL }, { B(" a://b"), NULL },
		{ B("a://b\n"), NULL }, { B("a://b/\t"), NULL },
		{ B("a://b/\0"), NULL }, { B("a://b\0/c"), NULL },
		{ B("a://b/\x7f"), NULL }, { B("a://b/\xc3\xa9"), NULL },
		{ B("a://b/\xff"), NULL }, { B("\"a://b\""), NULL },
		{ B("a://b/<c>"), NULL }, { B("a://b/{c}"), NULL },
		{ B("a://b/c|d"), NULL }, { B("a://b/c\\d"), NULL },
		{ B("a://b/^`"), NULL }, { B("a://b/%"), NULL },
		{ B("a://b/%2"), NULL }, { B("a://b/%2?"), NULL },
		{ B("a://b/%zz"), NULL }, { B("a://b/%-1"), NULL },
		{ B("a://b/%%20"), NULL },
	};
	u8 *p = mem_alloc(&T, URI_MAX + 1);
	struct arena none = { 0 };
	struct str normal;
	struct err e;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = (const char *)rows[i].uri.p;
		e = (struct err){ 0 };
		EQUAL(uri_normal(&T, rows[i].uri, &normal, &e),
		    rows[i].want != NULL);
		FAILED(e, rows[i].want != NULL ? E_NONE : E_RESOURCE);
		if (rows[i].want != NULL)
			SAME(normal, str_c(rows[i].want));
	}
	run.row = "length";
	memset(p, 'x', URI_MAX + 1);
	memcpy(p, "a://", 4);
	e = (struct err){ 0 };
	CHECK(uri_normal(&T, (struct str){ p, URI_MAX }, &normal, &e));
	CHECK(!uri_normal(&T, (struct str){ p, URI_MAX + 1 }, &normal, &e));
	FAILED(e, E_RESOURCE);
	e = (struct err){ 0 };
	CHECK(!uri_normal(&none, S("a://b"), &normal, &e));
}

#define ITEMS "onepassword://vaults/{vault}/items{?cursor}"
#define NONE { NULL, 0 }

static void
test_cat_uri_match(void)
{
	static const struct {
		const char *row, *uri;
		bool ok;
		struct str var[VARS_MAX];
	} rows[] = {
		{ "a://b", "a://b", true, { NONE } },
		{ "a://b", "a://b/", false, { NONE } },
		{ "a://b", "a://b?", false, { NONE } },
		{ "a://b", "a://", false, { NONE } },
		{ "a://b", "a://bc", false, { NONE } },
		{ ITEMS, "onepassword://vaults/AI/items", true, { B("AI") } },
		{ ITEMS, "onepassword://vaults/AI/items?cursor=x", true,
		    { B("AI"), B("x") } },
		{ ITEMS, "onepassword://vaults/AI/items?cursor=", false,
		    { NONE } },
		{ ITEMS, "onepassword://vaults/AI/items?cursor", false,
		    { NONE } },
		{ ITEMS, "onepassword://vaults/AI/items?", false, { NONE } },
		{ ITEMS, "onepassword://vaults/AI/items?Cursor=x", false,
		    { NONE } },
		{ ITEMS, "onepassword://vaults/AI/items?x=1", false,
		    { NONE } },
		{ ITEMS, "onepassword://vaults/AI/items?x=1&cursor=y", false,
		    { NONE } },
		/* twice: one value, which no cursor is equal to */
		{ ITEMS, "onepassword://vaults/AI/items?cursor=x&cursor=y",
		    true, { B("AI"), B("x&cursor=y") } },
		{ ITEMS, "onepassword://vaults/AI/items?cursor=x?cursor=y",
		    false, { NONE } },
		{ ITEMS, "onepassword://vaults/AI/items?cursor=x/y", false,
		    { NONE } },
		{ ITEMS, "onepassword://vaults/AI/items?cursor=x%2Fy", true,
		    { B("AI"), B("x/y") } },
		{ ITEMS, "onepassword://vaults//items", false, { NONE } },
		{ ITEMS, "onepassword://vaults/AI/items/", false, { NONE } },
		{ ITEMS, "onepassword://vaults/AI/item", false, { NONE } },
		{ ITEMS, "onepassword://vaults/AI/itemsx", false, { NONE } },
		{ ITEMS, "onepassword://vaults/AI/Items", false, { NONE } },
		{ ITEMS, "onepassword://vaults/AI", false, { NONE } },
		{ ITEMS, "onepassword://vaults/A/I/items", false, { NONE } },
		{ ITEMS, "onepassword://vaults/A%2FI/items", true,
		    { B("A/I") } },
		{ ITEMS, "onepassword://vaults/a+b%20c/items", true,
		    { B("a+b c") } },
		{ ITEMS, "onepassword://vaults/%41%49/items", true,
		    { B("AI") } },
		{ ITEMS, "onepassword://vaults/%2e%2E/items", true,
		    { B("..") } },
		{ ITEMS, "onepassword://vaults/a%00b/items", true,
		    { B("a\0b") } },
		{ ITEMS, "onepassword://vaults/%2541/items", true,
		    { B("%41") } },                     /* once only */
		{ ITEMS, "onepassword://vaults/%C3%a9/items", true,
		    { B("\xc3\xa9") } },
		{ ITEMS, "onepassword://vaults/%f0%9f%94%91/items", true,
		    { B("\xf0\x9f\x94\x91") } },
		{ ITEMS, "onepassword://vaults/%C3/items", false, { NONE } },
		{ ITEMS, "onepassword://vaults/%FF/items", false, { NONE } },
		{ ITEMS, "onepassword://vaults/%C0%AF/items", false,
		    { NONE } },
		{ ITEMS, "onepassword://vaults/%ED%A0%80/items", false,
		    { NONE } },
		{ ITEMS, "onepassword://vaults/%F4%90%80%80/items", false,
		    { NONE } },
		{ ITEMS, "onepassword://vaults/AI/items?cursor=%80", false,
		    { NONE } },
		{ "t://{a}/{b}/{c}/{d}", "t://1/2/3/4", true,
		    { B("1"), B("2"), B("3"), B("4") } },
		{ "t://{a}/{b}/{c}/{d}", "t://1/2/3/", false, { NONE } },
		{ "t://{a}/{b}/{c}/{d}/{e}", "t://1/2/3/4/5", false,
		    { NONE } },
		{ "t://x{a}y", "t://x1y", false, { NONE } },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct str var[VARS_MAX] = { NONE, NONE, NONE, NONE };

		run.row = rows[i].uri;
		if (!EQUAL(uri_match(&T, str_c(rows[i].row),
		    str_c(rows[i].uri), var), rows[i].ok) || !rows[i].ok)
			continue;
		for (size_t k = 0; k < VARS_MAX; k++) {
			SAME(var[k], rows[i].var[k]);
			EQUAL(var[k].p == NULL, rows[i].var[k].p == NULL);
		}
	}
}

/* A URI to its row. */
static void
test_cat_resource(void)
{
	static const struct {
		const char *uri, *name;         /* NULL: there is none */
	} rows[] = {
		{ "onepassword://status", "status" },
		{ "OnePassword://STATUS", "status" },
		{ "onepassword://vaults", "vaults" },
		{ "onepassword://vaults/AI/items", "vault-items" },
		{ "ONEPASSWORD://Vaults/AI/items?cursor=x", "vault-items" },
		{ "onepassword://vaults/AI/ITEMS", NULL },
		{ "onepassword://status/", NULL },
		{ "onepassword://status?x", NULL },
		{ "onepassword://status#x", NULL },
		{ "onepassword://user@status", NULL },
		{ "onepassword://status:1", NULL },
		{ "onepassword://vaults/", NULL },
		{ "onepassword://vaults?cursor=x", NULL },
		{ "onepassword://vaults//items", NULL },
		{ "onepassword://vaults/../status", NULL },
		{ "onepassword://vaults/AI/../AI/items", NULL },
		{ "onepassword://vaults/%/items", NULL },
		{ "onepassword://%76aults", NULL },
		{ ITEMS, NULL }, { "", NULL }, { "status", NULL },
		{ "onepassword:status", NULL }, { "1password://vaults", NULL },
		{ "op://AI/GitHub/password", NULL },
		{ "file:///etc/passwd", NULL },
		{ "http://127.0.0.1/", NULL },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		const struct resource *r = NULL;
		struct str var[VARS_MAX];
		struct err e = { 0 };

		run.row = rows[i].uri;
		EQUAL(cat_resource(&opmcp_catalog, &T, str_c(rows[i].uri), &r,
		    var, &e), rows[i].name != NULL);
		FAILED(e, rows[i].name != NULL ? E_NONE : E_RESOURCE);
		SAME(str_c(r != NULL ? r->name : NULL), str_c(rows[i].name));
	}
	CHECK(cat_template(&opmcp_catalog, S(ITEMS)) != NULL);
	CHECK(cat_template(&opmcp_catalog, S("onepassword://vaults")) == NULL);
	CHECK(cat_prompt(&opmcp_catalog, S("audit_vault")) != NULL);
	CHECK(cat_prompt(&opmcp_catalog, S("Audit_vault")) == NULL);
}

/* ====================================================================
 * 17. Frames and questions: what door and keeper say to each other
 * ==================================================================== */

static void
test_frame_head(void)
{
	static const struct {
		struct str head;
		bool ok;
		uint32_t n, kind, seq;
	} rows[] = {
		{ B("\0\0\0\0\1\0\0\0\0"), true, 0, 1, 0 },
		{ B("\0\0\1\2\2\1\2\3\4"), true, 0x102, 2, 0x1020304 },
		{ B("\0\x10\0\0\3\xff\xff\xff\xff"), true, 1 << 20, 3,
		    UINT32_MAX },
		{ B("\0\x10\0\1\3\0\0\0\0"), false, 0, 0, 0 },
		{ B("\xff\xff\xff\xff\1\0\0\0\0"), false, 0, 0, 0 },
		{ B("\0\0\0\0\0\0\0\0\0"), false, 0, 0, 0 },
		{ B("\0\0\0\0\4\0\0\0\1"), true, 0, 4, 1 },
		{ B("\0\0\0\0\5\0\0\0\0"), false, 0, 0, 0 },
		{ B("\0\0\0\0\xff\0\0\0\0"), false, 0, 0, 0 },
	};
	u8 room[FRAME_HEAD];
	struct out o;

	for (size_t i = 0; i < LEN(rows); i++) {
		struct frame f = { 0 };

		EQUAL(frame_parse_head(rows[i].head.p, &f), rows[i].ok);
		if (!rows[i].ok)
			continue;
		EQUAL(f.payload.n, rows[i].n);
		EQUAL(f.kind, rows[i].kind);
		EQUAL(f.seq, rows[i].seq);
		out_init(&o, room, sizeof room);
		frame_put_head(&o, f.kind, f.seq, f.payload.n);
		SAME(out_str(&o), rows[i].head);
	}
}

/* A name as it is shown: a JSON string of what can be seen in it. */
static struct str
shown(struct str name)
{
	struct out o;

	out_open(&o, &T);
	tool_put_name(&o, name);
	return out_close(&o, &T);
}

/* A back end of the tests' own: three vaults, and as many items as a test
 * puts on the shelf. It counts what it is asked. */
static struct {
	struct item_ref ref[300];
	size_t refs;
	struct field field[48];         /* of whichever item is read */
	size_t fields;
	struct section section[4];
	enum err_code fails;            /* whatever is asked, unless E_NONE */
	enum err_code write_fails;      /* only that */
	struct str file;                /* what every file holds */
	struct wish wish;               /* the last one */
	struct item_ref written;        /* of what item; likewise */
	size_t audit_at_write;          /* length of the audit file then */
	struct audit *cut;              /* a record that ends then */
	unsigned vaults, lists, items, fresh, files, writes;
} shelf;

#define SHELF(n) "aaaaaaaaaaaaaaaaaaaaaaaaa" n

static struct vault shelf_vault[] = {
	{ B(SHELF("2")), B("AI"), false, true },
	{ B(SHELF("3")), B("Work"), false, false },
	{ B(SHELF("4")), B("Private"), false, false },
	{ B(SHELF("5")), B(""), true, false },
};

MUST static bool
shelf_vaults(void *ctx, bool *fresh, const struct vault **list, size_t *n,
    struct err *e)
{
	(void)ctx;
	shelf.vaults++;
	shelf.fresh += *fresh;
	*list = shelf_vault;
	*n = LEN(shelf_vault);
	return shelf.fails == E_NONE || err_set(e, shelf.fails, "", 0);
}

MUST static bool
shelf_items(void *ctx, struct str vault, struct listing *l, struct err *e)
{
	(void)ctx;
	shelf.lists++;
	shelf.fresh += l->fresh;
	CHECK(str_eq(vault, shelf_vault[0].id) ||
	    str_eq(vault, shelf_vault[1].id));  /* never another one's (I1) */
	l->item = shelf.ref;
	l->items = str_eq(vault, shelf_vault[0].id) ? shelf.refs : 0;
	return shelf.fails == E_NONE || err_set(e, shelf.fails, "", 0);
}

MUST static bool
shelf_item(void *ctx, struct str vault, struct str id, struct item *it,
    struct err *e)
{
	(void)ctx;
	(void)vault;
	shelf.items++;
	if (shelf.fails != E_NONE)
		return err_set(e, shelf.fails, "", 0);
	for (size_t i = 0; i < shelf.refs; i++)
		if (str_eq(shelf.ref[i].id, id)) {
			*it = (struct item){ .ref = shelf.ref[i],
				.field = shelf.field, .fields = shelf.fields,
				.section = shelf.section, .sections = LEN(
				shelf.section), .version = 7 };
			return true;
		}
	return fail(e, E_ITEM, "");
}

MUST static bool
shelf_file(void *ctx, struct str vault, const struct item *it,
    const struct field *f, struct str *text, struct err *e)
{
	(void)ctx;
	(void)vault;
	(void)it;
	EQUAL(f->kind, KIND_FILE);
	shelf.files++;
	*text = shelf.file.p != NULL ? shelf.file : S("a small text\n");
	return shelf.fails == E_NONE || err_set(e, shelf.fails, "", 0);
}

/* A new item of the shelf: a login with its two fields, else nothing. */
MUST static bool
shelf_blank(void *ctx, struct str category, struct item *it, struct err *e)
{
	static struct field login[] = {
		{ .id = B("username"), .title = B("username"),
		    .purpose = FOR_USERNAME, .value = B(""), .node = 5 },
		{ .id = B("password"), .title = B("password"),
		    .kind = KIND_CONCEALED, .purpose = FOR_PASSWORD,
		    .value = B(""), .node = 9 },
	};

	(void)ctx;
	*it = (struct item){ .ref.category = category, .field = login,
		.fields = str_eq(category, CATEGORY_LOGIN) ? LEN(login) : 0 };
	return shelf.fails == E_NONE || err_set(e, shelf.fails, "", 0);
}

/* Where the texts of a wish are kept: T is in use while a frame is built. */
static struct arena shelf_room;

/* Keep the wish; nothing on the shelf changes. */
MUST static bool
shelf_write(void *ctx, struct str vault, struct item *it,
    const struct wish *w, struct err *e)
{
	enum err_code code = shelf.fails != E_NONE ? shelf.fails :
	    shelf.write_fails;
	struct str *text[] = { &shelf.wish.title, &shelf.wish.website,
		&shelf.wish.notes };
	struct stat st;

	(void)ctx;
	CHECK(str_eq(vault, shelf_vault[0].id));        /* the writable one */
	shelf.writes++;
	shelf.wish = *w;
	shelf.written = it->ref;
	shelf.audit_at_write = stat(audit_where, &st) == 0 ?
	    (size_t)st.st_size : 0;
	for (size_t i = 0; i < LEN(text); i++)
		if (text[i]->p != NULL)
			*text[i] = str_dup(&shelf_room, *text[i]);
	for (size_t i = 0; i < w->tags; i++)
		shelf.wish.tag[i] = str_dup(&shelf_room, w->tag[i]);
	for (size_t i = 0; i < w->fields; i++) {
		struct wish_field *f = &shelf.wish.field[i];

		f->label = str_dup(&shelf_room, f->label);
		f->value = str_dup(&shelf_room, f->value);
		if (f->section.p != NULL)
			f->section = str_dup(&shelf_room, f->section);
	}
	if (code != E_NONE)
		return err_set(e, code, "", 0);
	if (shelf.cut != NULL) {
		(void)close(shelf.cut->fd);
		shelf.cut->fd = -1;
	}
	it->version++;
	if (it->ref.id.n == 0)
		it->ref.id = S(SHELF("7"));
	return true;
}

static const struct backend shelf_backend = { "shelf", true, shelf_vaults, shelf_items,
	shelf_item, shelf_file, shelf_blank, shelf_write };

/* Put an item on the shelf; its id is made of the number. */
static void
shelf_put(const char *title, enum item_state state)
{
	u8 *id = mem_alloc(&T, 26);

	memset(id, 'b', 26);
	for (size_t n = ++shelf.refs, at = 25; n > 0; n /= 24)
		id[at--] = (u8)('c' + n % 24);
	shelf.ref[shelf.refs - 1] = (struct item_ref){ .id = { id, 26 },
		.title = str_dup(&T, str_c(title)), .category = S("001"),
		.state = state };
}

/* A keeper with that back end, and one login on the shelf. */
static void
shelf_start(struct cfg *cfg, struct keeper *k)
{
	keeper_start(cfg, k);
	k->be = &shelf_backend;
	cfg->vaults = "AI,Work";
	shelf_vault[0].name = S("AI");
	memset(&shelf, 0, sizeof shelf);
	if (shelf_room.base == NULL && !mem_open(&shelf_room, 1 << 20))
		abort();
	mem_reset(&shelf_room, 0);
	shelf.field[0] = field_of(S("username"), S("username"), KIND_TEXT,
	    FOR_USERNAME, "octo");
	shelf.field[1] = field_of(S("password"), S("password"),
	    KIND_CONCEALED, FOR_PASSWORD, "s3cret");
	shelf.fields = 2;
	shelf_put("GitHub", ITEM_ACTIVE);
}

/* The payload of a result frame, for that of a call frame. */
static struct str
keeper_frame(struct keeper *k, struct str payload)
{
	struct frame call = { FRAME_CALL, 1, payload };
	struct out o;

	out_open(&o, &T);
	keep_build(k, &call, &o);
	mem_reset(&k->scratch, 0);
	mem_reset(&k->text, 0);
	return str_from(out_close(&o, &T), FRAME_HEAD);
}

/* How such a call ended; E_ASK when there are questions. */
static enum err_code
code_of(struct str payload)
{
	uint64_t code = E_NONE;

	if (path_at(payload, "ask").n > 0)
		return E_ASK;
	(void)!str_u64(path_at(payload, "code"), E_COUNT, &code);
	return (enum err_code)code;
}

#define ENDED(payload, want) \
	same_at(__LINE__, str_c(err_table[code_of(payload)].word), \
	    str_c(err_table[want].word), "end of the call")

#define GITHUB "{\"name\":\"get_1password_credentials\",\"arguments\":" \
	"{\"item_name\":\"GitHub\"}}"
#define HEALTH "{\"name\":\"get_health_status\"}"
#define ALLOWED "{\"approval\":{\"action\":\"accept\",\"content\":" \
	"{\"answer\":\"allow once\"}}}"

/* Call a tool, with answers (JSON) and a state if they are not NULL, of a
 * host that can ask. Nothing secret is in what comes back, unless it is the
 * result. */
static struct str
asked(struct keeper *k, const char *params, const char *answers,
    struct str state)
{
	struct str got;
	struct out o;

	out_open(&o, &T);
	OUT(&o, S("{\"method\":\"tools/call\",\"ask\":true,\"params\":"),
	    str_c(params));
	if (answers != NULL)
		OUT(&o, S(",\"answers\":"), str_c(answers));
	if (state.p != NULL) {
		out_put(&o, S(",\"state\":"));
		jw_quote(&o, state);
	}
	out_byte(&o, '}');
	got = keeper_frame(k, out_close(&o, &T));
	EQUAL(str_search(got, S("s3cret")) < got.n, code_of(got) == E_NONE &&
	    path_at(got, "data>item_id").n > 0);
	return got;
}

/* The state that comes with a question about GitHub. */
static struct str
state_of(struct keeper *k)
{
	struct str got = asked(k, GITHUB, NULL, NOTHING);

	ENDED(got, E_ASK);
	got = text_of(got, "state");
	EQUAL(got.n, (STATE_LEN * 4 + 2) / 3);
	return got;
}

/* What the operator says about values, and whether the host can ask. */
static void
test_ask_reveal(void)
{
	static const struct {
		enum verdict reveal;
		const char *ask;
		enum err_code code;
	} rows[] = {
		{ ALLOW, "true", E_NONE }, { ALLOW, "false", E_NONE },
		{ ASK, "true", E_ASK }, { ASK, "false", E_CANNOT_ASK },
		{ ASK, "null", E_CANNOT_ASK }, { ASK, "1", E_CANNOT_ASK },
		{ ASK, "\"true\"", E_CANNOT_ASK },
		{ DENY, "true", E_POLICY }, { DENY, "false", E_POLICY },
		{ (enum verdict)3, "false", E_CANNOT_ASK },
	};
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str got;

		run.row = rows[i].ask;
		cfg.reveal = rows[i].reveal;
		got = keeper_frame(&k, JOIN(&T, S("{\"method\":\"tools/call\","
		    "\"ask\":"), str_c(rows[i].ask), S(",\"params\":" GITHUB
		    ",\"answers\":" ALLOWED "}")));
		ENDED(got, rows[i].code);
		EQUAL(str_search(got, S("s3cret")) < got.n,
		    rows[i].code == E_NONE);
		EQUAL(path_at(got, "state").n > 0, rows[i].code == E_ASK);
		/* nothing is looked up in vain, so nothing can be learnt */
		EQUAL(shelf.vaults > 0, rows[i].code == E_NONE ||
		    rows[i].code == E_ASK);
		shelf.vaults = 0;
	}
	run.row = NULL;
	keeper_end(&k);
}

/* The question names item and vault, as they can be read, and however long
 * they are nothing of it is left out; the form is as plain as can be. */
static void
test_ask_question(void)
{
	struct str title[] = { B("GitHub"), B("Git\xe2\x80\xaeHub \"\\\n"),
		NOTHING, NOTHING }, end = NOTHING;
	struct keeper k;
	struct cfg cfg;
	struct json s, j;
	struct out o;

	out_open(&o, &T);
	while (o.n < 2 * CLEAN_MAX)
		out_byte(&o, '"');
	title[2] = title[3] = out_close(&o, &T);
	shelf_start(&cfg, &k);
	cfg.reveal = ASK;
	cfg.vaults = SHELF("2");
	for (size_t i = 0; i < LEN(title); i++) {
		struct str got, text, name;

		shelf.ref[0].title = title[i];
		shelf_vault[0].name = i < 3 ? S("AI") : title[i];
		got = asked(&k, cstr(JOIN(&T, S("{\"name\":"
		    "\"get_1password_credentials\",\"arguments\":{"
		    "\"item_name\":\""), shelf.ref[0].id, S("\"}}"))), NULL,
		    NOTHING);
		ENDED(got, E_ASK);
		got = path_at(got, "ask>approval");
		SAME(path_at(got, "method"), S("\"elicitation/create\""));
		SAME(path_at(got, "params>mode"), NOTHING);     /* a form */
		text = text_of(got, "params>message");
		name = shown(title[i]);
		CHECK(str_search(text, name) < text.n);
		text = str_from(text, str_search(text, name) + name.n);
		name = shown(shelf_vault[0].name);
		CHECK(str_search(text, name) < text.n);
		text = str_from(text, str_search(text, name) + name.n);
		CHECK(text.n > 0);
		if (i == 0)
			end = text;
		SAME(text, end);
		if (!CHECK(parses(&s, path_at(got,
		    "params>requestedSchema"))))
			continue;
		CHECK(parses(&j, S("{\"answer\":\"allow once\"}")) &&
		    fits(&s, ROOT, &j, ROOT));
		CHECK(parses(&j, S("{\"answer\":\"refuse\"}")) &&
		    fits(&s, ROOT, &j, ROOT));
		CHECK(parses(&j, S("{\"answer\":\"allow\"}")) &&
		    !fits(&s, ROOT, &j, ROOT));
		CHECK(parses(&j, S("{}")) && !fits(&s, ROOT, &j, ROOT));
	}
	keeper_end(&k);
}

/* Answers of every shape: what is not exactly one of those offered is none,
 * and the question is put again. */
static void
test_ask_person(void)
{
#define ACCEPT "{\"approval\":{\"action\":\"accept\",\"content\":"
	static const struct {
		const char *answers;
		enum err_code code;
	} rows[] = {
		{ ALLOWED, E_NONE },
		{ ACCEPT "{\"x\":1,\"answer\":\"allow once\"},\"y\":2},"
		    "\"other\":7}", E_NONE },
		{ "{\"appr\\u006fval\":{\"action\":\"\\u0061ccept\","
		    "\"content\":{\"answer\":\"allow\\u0020once\"}}}",
		    E_NONE },
		{ ACCEPT "{\"answer\":\"refuse\"}}}", E_REFUSED },
		{ "{\"approval\":{\"action\":\"decline\"}}", E_REFUSED },
		{ "{\"approval\":{\"action\":\"decline\",\"content\":{"
		    "\"answer\":\"allow once\"}}}", E_REFUSED },
		{ "{\"approval\":{\"action\":\"cancel\"}}", E_UNANSWERED },
		{ "{\"approval\":{\"action\":\"cancel\",\"content\":{"
		    "\"answer\":\"allow once\"}}}", E_UNANSWERED },
		{ NULL, E_ASK }, { "{}", E_ASK }, { "[]", E_ASK },
		{ "null", E_ASK }, { "true", E_ASK }, { "1", E_ASK },
		{ "\"accept\"", E_ASK }, { "[" ALLOWED "]", E_ASK },
		{ "{\"approval\":null}", E_ASK },
		{ "{\"approval\":true}", E_ASK },
		{ "{\"approval\":7}", E_ASK }, { "{\"approval\":{}}", E_ASK },
		{ "{\"approval\":[]}", E_ASK },
		{ "{\"approval\":\"accept\"}", E_ASK },
		{ "{\"approval\":\"allow once\"}", E_ASK },
		{ "{\"approval\":" ALLOWED "}", E_ASK },
		{ "{\"approval\":[{\"action\":\"accept\",\"content\":{"
		    "\"answer\":\"allow once\"}}]}", E_ASK },
		{ "{\"Approval\":{\"action\":\"accept\",\"content\":{"
		    "\"answer\":\"allow once\"}}}", E_ASK },
		{ "{\"approval\\u0000\":{\"action\":\"accept\",\"content\":{"
		    "\"answer\":\"allow once\"}}}", E_ASK },
		{ "{\"\":{\"action\":\"accept\",\"content\":{"
		    "\"answer\":\"allow once\"}}}", E_ASK },
		{ "{\"approval\":{\"action\":\"accept\"}}", E_ASK },
		{ "{\"approval\":{\"content\":{\"answer\":\"allow once\"}}}",
		    E_ASK },
		{ "{\"approval\":{\"action\":\"accept\",\"answer\":"
		    "\"allow once\"}}", E_ASK },
		{ "{\"approval\":{\"action\":\"Accept\",\"content\":{"
		    "\"answer\":\"allow once\"}}}", E_ASK },
		{ "{\"approval\":{\"action\":\"accept\\u0000\",\"content\":{"
		    "\"answer\":\"allow once\"}}}", E_ASK },
		{ "{\"approval\":{\"action\":[\"accept\"],\"content\":{"
		    "\"answer\":\"allow once\"}}}", E_ASK },
		{ "{\"approval\":{\"action\":true,\"content\":{"
		    "\"answer\":\"allow once\"}}}", E_ASK },
		{ ACCEPT "null}}", E_ASK }, { ACCEPT "{}}}", E_ASK },
		{ ACCEPT "[]}}", E_ASK }, { ACCEPT "true}}", E_ASK },
		{ ACCEPT "\"allow once\"}}", E_ASK },
		{ ACCEPT "[\"allow once\"]}}", E_ASK },
		{ ACCEPT "{\"answer\":\"\"}}}", E_ASK },
		{ ACCEPT "{\"answer\":\"allow\"}}}", E_ASK },
		{ ACCEPT "{\"answer\":\"Allow once\"}}}", E_ASK },
		{ ACCEPT "{\"answer\":\"allow once \"}}}", E_ASK },
		{ ACCEPT "{\"answer\":\"allow once\\u0000\"}}}", E_ASK },
		{ ACCEPT "{\"answer\":[\"allow once\"]}}}", E_ASK },
		{ ACCEPT "{\"answer\":{\"answer\":\"allow once\"}}}}", E_ASK },
		{ ACCEPT "{\"answer\":true}}}", E_ASK },
		{ ACCEPT "{\"answer\":0}}}", E_ASK },
		{ ACCEPT "{\"answer\":null}}}", E_ASK },
		{ ACCEPT "{\"Answer\":\"allow once\"}}}", E_ASK },
	};
#undef ACCEPT
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	cfg.reveal = ASK;
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].answers;
		ENDED(asked(&k, GITHUB, rows[i].answers, state_of(&k)),
		    rows[i].code);
		/* without a state an answer is no answer */
		ENDED(asked(&k, GITHUB, rows[i].answers, NOTHING), E_ASK);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* A state of which anything has been changed is refused; the question stays
 * open meanwhile, until its own state comes, and that is taken once. */
static void
test_ask_redeem(void)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklm"
	    "nopqrstuvwxyz0123456789-_";
	static const char *const more[] = { "A", "=", "==", " ", "\n", "AAAA",
		"." };
	u8 bytes[STATE_LEN], text[2 * STATE_LEN];
	struct keeper k;
	struct cfg cfg;
	struct str state;
	struct out o;

	shelf_start(&cfg, &k);
	cfg.reveal = ASK;
	state = state_of(&k);
	for (size_t i = 0; i < state.n; i++)
		for (size_t n = 0; n < 4; n++) {
			size_t at = str_find(str_c(digits), state.p[i]);

			memcpy(text, state.p, state.n);
			text[i] = n < 2 ? (u8)digits[(at + 1 + n * 31) % 64] :
			    (u8)"= "[n - 2];
			ENDED(asked(&k, GITHUB, ALLOWED, (struct str){ text,
			    state.n }), E_STATE);
		}
	for (size_t bit = 0; bit < 8 * STATE_LEN; bit++) {
		CHECK(b64_decode_exact(bytes, STATE_LEN, state));
		bytes[bit / 8] = (u8)(bytes[bit / 8] ^ 1 << bit % 8);
		out_init(&o, text, sizeof text);
		b64_put_url(&o, (struct str){ bytes, STATE_LEN });
		ENDED(asked(&k, GITHUB, ALLOWED, out_str(&o)), E_STATE);
	}
	for (size_t n = 0; n < state.n; n++)
		ENDED(asked(&k, GITHUB, ALLOWED, str_upto(state, n)), E_STATE);
	for (size_t i = 0; i < LEN(more); i++)
		ENDED(asked(&k, GITHUB, ALLOWED, JOIN(&T, state,
		    str_c(more[i]))), E_STATE);
	ENDED(asked(&k, GITHUB, ALLOWED, JOIN(&T, state, state)), E_STATE);
	ENDED(asked(&k, GITHUB, ALLOWED, state), E_NONE);
	ENDED(asked(&k, GITHUB, ALLOWED, state), E_STATE);
	keeper_end(&k);
}

/* An answer is spent when it is acted on: when the service has failed before,
 * the same one may come again. A refusal needs no service at all. */
static void
test_ask_spent(void)
{
	static const char no[] = "{\"approval\":{\"action\":\"decline\"}}";
	struct keeper k;
	struct cfg cfg;
	struct str state;

	shelf_start(&cfg, &k);
	cfg.reveal = ASK;
	state = state_of(&k);
	shelf.fails = E_NET;
	ENDED(asked(&k, GITHUB, ALLOWED, state), E_NET);
	ENDED(asked(&k, GITHUB, ALLOWED, state), E_NET);
	shelf.fails = E_NONE;
	ENDED(asked(&k, GITHUB, ALLOWED, state), E_NONE);
	ENDED(asked(&k, GITHUB, ALLOWED, state), E_STATE);
	state = state_of(&k);
	shelf.fails = E_NET;
	shelf.vaults = 0;
	ENDED(asked(&k, GITHUB, no, state), E_REFUSED);
	EQUAL(shelf.vaults, 0);
	ENDED(asked(&k, GITHUB, ALLOWED, state), E_STATE);
	keeper_end(&k);
}

/* An approval holds for the call it was asked for, however that is spelt, and
 * for no other. */
static void
test_ask_other_call(void)
{
#define TOOL "\"name\":\"get_1password_credentials\""
	static const struct {
		const char *params;
		enum err_code code;
	} rows[] = {
		{ GITHUB, E_NONE },
		{ "{\"arguments\":{\"item_name\":\"GitHub\"}," TOOL "}",
		    E_NONE },
		{ " { \"name\" :\t\"get\\u005f1password_credentials\" , "
		    "\"arguments\" : {\"item\\u005fname\" : \"Git\\u0048ub\" }"
		    " } ", E_NONE },
		{ "{" TOOL ",\"_meta\":{\"progressToken\":7},\"arguments\":{"
		    "\"item_name\":\"GitHub\"}}", E_NONE },
		{ "{" TOOL ",\"arguments\":{\"item_name\":\"github\"}}",
		    E_STATE },
		{ "{" TOOL ",\"arguments\":{\"item_name\":"
		    "\"bbbbbbbbbbbbbbbbbbbbbbbbbd\"}}", E_STATE },
		{ "{" TOOL ",\"arguments\":{\"item_name\":\"GitHub\","
		    "\"vault\":\"AI\"}}", E_STATE },
		{ "{" TOOL ",\"arguments\":{\"item_name\":\"GitLab\"}}",
		    E_STATE },
		{ "{" TOOL ",\"arguments\":{\"vault\":\"GitHub\","
		    "\"item_name\":\"AI\"}}", E_STATE },
		{ "{\"name\":\"get_health_status\"}", E_STATE },
		{ "{\"name\":\"get_health_status\",\"arguments\":{\"probe\":"
		    "true}}", E_STATE },
		{ "{" TOOL ",\"uri\":\"onepassword://status\",\"arguments\":{"
		    "\"item_name\":\"GitHub\"}}", E_STATE },
		/* what does not fit the schema is not even compared */
		{ "{" TOOL "}", E_ARGUMENT },
		{ "{" TOOL ",\"arguments\":{\"item_name\":\"GitHub\","
		    "\"x\":1}}", E_ARGUMENT },
	};
#undef TOOL
	struct keeper k;
	struct cfg cfg;
	struct str state;

	shelf_start(&cfg, &k);
	shelf_put("GitLab", ITEM_ACTIVE);
	cfg.reveal = ASK;
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].params;
		state = state_of(&k);
		ENDED(asked(&k, rows[i].params, ALLOWED, state), rows[i].code);
		ENDED(asked(&k, GITHUB, ALLOWED, state), rows[i].code ==
		    E_NONE ? E_STATE : E_NONE);
	}
	run.row = "a resource";
	state = state_of(&k);
	ENDED(keeper_frame(&k, JOIN(&T, S("{\"method\":\"resources/read\","
	    "\"params\":{\"uri\":\"onepassword://status\"},\"state\":\""),
	    state, S("\"}"))), E_STATE);
	run.row = NULL;
	keeper_end(&k);
}

/* With two arguments their order does not matter, nor which comes with
 * escapes; what matters is which value belongs to which. Without rows to go
 * by it is how they are written. */
static void
test_ask_digest(void)
{
	static const struct {
		const char *params;
		bool same;
	} rows[] = {
		{ "{\"arguments\":{\"text\":\"a\",\"more\":\"b\"}}", true },
		{ "{\"arguments\":{ \"more\":\"\\u0062\",\"text\":\"a\"}}",
		    true },
		{ "{\"arguments\":{\"text\":\"b\",\"more\":\"a\"}}", false },
		{ "{\"arguments\":{\"text\":\"ab\",\"more\":\"\"}}", false },
		{ "{\"arguments\":{\"text\":\"a\\\"\",\"more\":\"b\"}}",
		    false },
		{ "{\"arguments\":{\"text\":\"a\"}}", false },
		{ "{\"arguments\":{\"text\":\"a\",\"more\":\"b\",\"flag\":"
		    "false}}", false },
		{ "{\"arguments\":{\"text\":\"a\",\"more\":\"b\",\"flag\":"
		    "\"-\"}}", false },
		{ "{\"arguments\":{\"text\":\"a\",\"more\":\"b\"},\"name\":"
		    "\"\"}", false },
		{ "{\"arguments\":{\"text\":\"a\",\"more\":\"b\"},\"uri\":"
		    "\"-\"}", false },
		{ "{}", false },
	};
	u8 first[SHA256_LEN], raw[SHA256_LEN], hash[SHA256_LEN];
	struct json j;

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].params;
		if (!CHECK(parses(&j, str_c(rows[i].params))))
			continue;
		cat_digest(hash, &j, S("tools/call"), ROOT, own_args,
		    LEN(own_args));
		if (i == 0)
			memcpy(first, hash, sizeof first);
		EQUAL(memcmp(first, hash, sizeof first) == 0, rows[i].same);
		cat_digest(hash, &j, S("tools/call"), ROOT, NULL, 0);
		if (i == 0)
			memcpy(raw, hash, sizeof raw);
		EQUAL(memcmp(raw, hash, sizeof raw) == 0, i == 0);
		cat_digest(hash, &j, S("prompts/get"), ROOT, own_args,
		    LEN(own_args));
		CHECK(memcmp(first, hash, sizeof first) != 0);
	}
}

/* Ten minutes; and the last ASKS_MAX questions. */
static void
test_ask_ends(void)
{
	struct keeper k;
	struct cfg cfg;
	struct str state;

	shelf_start(&cfg, &k);
	cfg.reveal = ASK;
	for (uint64_t late = 0; late < 2; late++) {
		state = state_of(&k);
		fake_ms += STATE_MS + late;
		ENDED(asked(&k, GITHUB, ALLOWED, state), late > 0 ? E_STATE :
		    E_NONE);
	}
	for (size_t more = ASKS_MAX - 1; more <= ASKS_MAX; more++) {
		state = state_of(&k);
		for (size_t i = 0; i < more; i++)
			ENDED(asked(&k, GITHUB, NULL, NOTHING), E_ASK);
		ENDED(asked(&k, GITHUB, ALLOWED, state), more < ASKS_MAX ?
		    E_NONE : E_STATE);
	}
	keeper_end(&k);
}

/* The name means another item by the time the answer comes: it is asked
 * about that one. Another run of the server has another key. */
static void
test_ask_subject(void)
{
	struct keeper k, other;
	struct cfg cfg, cfg2;
	struct str state, id;

	shelf_start(&cfg, &k);
	cfg.reveal = ASK;
	state = state_of(&k);
	shelf_put("other", ITEM_ACTIVE);
	id = shelf.ref[0].id;
	shelf.ref[0].id = shelf.ref[1].id;
	shelf.ref[1].id = id;
	ENDED(asked(&k, GITHUB, ALLOWED, state), E_ASK);
	ENDED(asked(&k, GITHUB, ALLOWED, state), E_STATE);
	ENDED(asked(&k, GITHUB, ALLOWED, state_of(&k)), E_NONE);
	shelf_start(&cfg2, &other);
	cfg2.reveal = ASK;
	SAME(((struct str){ other.asks->key, 32 }), fake_bytes);
	other.asks->key[31] ^= 1;       /* as if it were not fixed here */
	state = state_of(&k);
	other.asks->number = k.asks->number - 1;
	(void)state_of(&other);         /* opens the same number there */
	ENDED(asked(&other, GITHUB, ALLOWED, state), E_STATE);
	ENDED(asked(&k, GITHUB, ALLOWED, state), E_NONE);
	keeper_end(&other);
	keeper_end(&k);
}

/* ====================================================================
 * 18 to 21. Acts, reading, writing, offer
 * ==================================================================== */

/* The result's member as text. */
static struct str
result_at(struct str result, const char *name)
{
	struct json j;
	struct str s = NOTHING;

	if (CHECK(parses(&j, result)))
		(void)!json_get_str(&j, ROOT, str_c(name), &s);
	return s;
}

/* All items by id and by title, over the wire. */
static void
test_tool_credentials(void)
{
	struct keeper k;
	struct cfg cfg;
	uint32_t list;
	unsigned rows = 0;

	keeper_start(&cfg, &k);
	vec = onep.items;
	list = at(ROOT, "cases");
	EACH(c, list) {
		uint32_t stored = at(c, "stored"), view = at(c, "view");
		struct str cat = text_at(stored, "templateUuid");
		struct str user, password, got;
		struct err e;
		bool active = json_is_str(&vec, stored, S("trashed"), S("N"));

		row_of(c);
		user = view_value(view, cat, S("username"));
		password = view_value(view, cat, S("password"));
		got = credentials(&k, cstr(text_at(stored, "uuid")), NULL,
		    &e);
		FAILED(e, !active ? E_ARCHIVED : user.p == NULL &&
		    password.p == NULL ? E_FIELD : E_NONE);
		rows++;
		if (e.code != E_NONE) {
			SAME(got, S("{\"data\":{"));
			continue;
		}
		SAME(result_at(got, "username"), user);
		SAME(result_at(got, "password"), password);
		SAME(result_at(got, "item_id"), text_at(stored, "uuid"));
		SAME(result_at(got, "vault"), S("One"));
		SAME(result_at(got, "retrieved_at"),
		    S("2026-01-02T03:04:05Z"));
		EQUAL(result_at(got, "correlation_id").n, 36);
	}
	EQUAL(rows, 33);
	EQUAL(peer.connects, 1);
	run.row = NULL;
	keeper_end(&k);
}

static void
test_tool_by_title(void)
{
	static const struct {
		const char *name, *vault;
		enum err_code code;
		const char *password, *log;
	} rows[] = {
		{ "GitHub", NULL, E_NONE, "gh-p4ss/w0rd?&", "sabckvli" },
		{ "github", "One", E_NONE, "gh-p4ss/w0rd?&", "i" },
		{ "GITHUB", VAULT, E_NONE, "gh-p4ss/w0rd?&", "i" },
		{ "x7ptdccw5lfbskxs55ml6eyoxq", NULL, E_NONE,
		    "gh-p4ss/w0rd?&", "i" },
		{ "no such item", NULL, E_ITEM, NULL, "o" },
		{ "no such item", NULL, E_ITEM, NULL, "" },
		{ "aaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, E_ITEM, NULL, "io" },
		{ "GitHub", "Two", E_VAULT, NULL, "" },
		{ "GitHub", "None", E_VAULT, NULL, "" },
		{ "GitHub", "ftdrl544hbcoha5c3qs2bmte2y", E_VAULT, NULL, "" },
		{ "", NULL, E_ARGUMENT, NULL, "" },
		{ "GitHub", "", E_ARGUMENT, NULL, "" },
		{ "GitHub ", NULL, E_NAME, NULL, "" },
		{ "Git\xe2\x80\x8bHub", NULL, E_NAME, NULL, "" },
		{ "GitHub", " One", E_NAME, NULL, "" },
	};
	struct keeper k;
	struct cfg cfg;

	keeper_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct err e;
		struct str got;

		run.row = rows[i].name;
		onep.log.n = 0;
		got = credentials(&k, rows[i].name, rows[i].vault, &e);
		FAILED(e, rows[i].code);
		if (rows[i].password != NULL)
			SAME(result_at(got, "password"),
			    str_c(rows[i].password));
		SAME(onep.log, str_c(rows[i].log));
	}
	run.row = NULL;
	keeper_end(&k);
}

/* A name that is not there is not looked for again at once, but after ten
 * seconds; another name is, and the same in another vault. */
static void
test_tool_miss(void)
{
	static const struct {
		uint64_t wait_ms;
		const char *name, *vault, *log;
	} rows[] = {
		{ 0, "no such item", NULL, "sabckvl" },
		{ MISS_MS - 1, "no such item", NULL, "" },
		{ 1, "no such item", NULL, "o" },
		{ 0, "no such item", "One", "" },
		{ 0, "no such items", NULL, "o" },
	};
	struct keeper k;
	struct cfg cfg;
	struct err e;

	keeper_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = cstr(JOIN(&T, str_c(rows[i].name), S(" in "),
		    str_c(rows[i].log)));
		fake_ms += rows[i].wait_ms;
		onep.log.n = 0;
		(void)credentials(&k, rows[i].name, rows[i].vault, &e);
		FAILED(e, E_ITEM);
		SAME(onep.log, str_c(rows[i].log));
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Titles that several items bear, and archived twins. */
static void
test_tool_ambiguous(void)
{
	struct keeper k;
	struct cfg cfg;
	uint32_t list;

	keeper_start(&cfg, &k);
	vec = onep.items;
	list = at(ROOT, "cases");
	EACH(c, list) {
		struct str title = text_at(at(c, "overview"), "title");
		struct str password = NOTHING, got;
		unsigned active = 0;
		enum err_code want;
		struct err e;

		if (title.n == 0 || !pol_check_name(title, &e))
			continue;
		EACH(d, list)
			if (str_nocase_eq(text_at(at(d, "overview"),
			    "title"), title) && json_is_str(&vec, at(d,
			    "stored"), S("trashed"), S("N"))) {
				active++;
				password = view_value(at(d, "view"),
				    text_at(at(d, "stored"), "templateUuid"),
				    S("password"));
			}
		want = active > 1 ? E_ITEM_MANY : active == 0 ? E_ARCHIVED :
		    E_NONE;
		row_of(c);
		got = credentials(&k, cstr(title), NULL, &e);
		if (want == E_NONE && e.code == E_FIELD)
			continue;               /* neither name nor password */
		FAILED(e, want);
		if (want == E_NONE)
			SAME(result_at(got, "password"), password);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* What is not in the item is named, and only that. */
static void
test_tool_missing(void)
{
	static const struct {
		const char *name, *missing;
	} rows[] = {
		{ "GitHub", "" }, { "anthropic", "[\"username\"]" },
	};
	struct keeper k;
	struct cfg cfg;

	keeper_start(&cfg, &k);
	vec = onep.items;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str id = NOTHING, got;
		struct json j;
		struct err e;
		uint32_t list = at(ROOT, "cases"), m;

		EACH(c, list)
			if (str_nocase_eq(text_at(c, "name"),
			    str_c(rows[i].name)))
				id = text_at(at(c, "stored"), "uuid");
		got = credentials(&k, cstr(id), NULL, &e);
		FAILED(e, E_NONE);
		if (!CHECK(parses(&j, got)))
			continue;
		m = json_get(&j, ROOT, S("missing"));
		SAME(m != 0 ? json_raw(&j, m) : S(""), str_c(rows[i].missing));
		EQUAL(json_get(&j, ROOT, S("username")) == 0, i == 1);
	}
	keeper_end(&k);
}

/* An item's text as it is stored, with one piece of it replaced. */
static const char *
stored_with(const char *id, const char *old, const char *new)
{
	struct str text = onep_items(str_c(id));
	size_t at = str_search(text, str_c(old));

	CHECK(at < text.n);
	return cstr(JOIN(&T, str_upto(text, at), str_c(new), str_from(text,
	    at + strlen(old))));
}

/* The answer is about the item that was asked for, and that one is in use:
 * what the service sends instead is not passed on. */
static void
test_tool_other_item(void)
{
	static const char github[] = "x7ptdccw5lfbskxs55ml6eyoxq";
	const char *openai = "";
	uint32_t list;
	struct keeper k;
	struct cfg cfg;
	struct err e;

	keeper_start(&cfg, &k);
	vec = onep.items;
	list = at(ROOT, "cases");
	EACH(c, list)
		if (json_is_str(&vec, c, S("name"), S("openai")))
			openai = cstr(text_at(at(c, "stored"), "uuid"));
	for (int i = 0; i < 6; i++) {
		const char *name = i % 2 == 0 ? github : "GitHub";
		enum err_code want = i < 2 || i == 5 ? E_ITEM : i < 4 ?
		    E_ARCHIVED : E_ANSWER;

		onep.fault = (struct fault){ ITEM, 0, NULL, false, NULL, 9 };
		if (i < 4)
			onep.fault.body = stored_with(github,
			    "\"trashed\": \"N\"", i < 2 ?
			    "\"trashed\": \"D\"" : "\"trashed\": \"Y\"");
		else if (i == 4)        /* a whole item, but another one */
			onep.fault.body = stored_with(openai, "{", "{");
		else                    /* the right id, another title */
			onep.fault.body = stored_with(openai, openai, github);
		(void)credentials(&k, name, NULL, &e);
		FAILED(e, want);
		fake_ms += MISS_MS;
	}
	onep.fault = (struct fault){ .path = NULL };
	(void)credentials(&k, github, NULL, &e);
	FAILED(e, E_NONE);
	keeper_end(&k);
}

/* A call that fails when the password stands in the reply already: nothing
 * of it is in what is sent or left in memory. */
static void
test_tool_late_failure(void)
{
	static u8 got[4096];
	struct frame f = { FRAME_CALL, 9, S("{\"method\":\"tools/call\","
	    "\"params\":{\"name\":\"get_1password_credentials\","
	    "\"arguments\":{\"item_name\":\"GitHub\"}}}") };
	struct keeper k;
	struct cfg cfg;
	struct err e;
	int fd[2];
	ssize_t n;

	keeper_start(&cfg, &k);
	(void)credentials(&k, "GitHub", NULL, &e);
	FAILED(e, E_NONE);
	if (!CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0))
		return;
	for (int i = 0; i < 2; i++) {
		fake_random_fails = i == 0;     /* at the correlation id */
		k.door = fd[0];
		CHECK(keep_answer(&k, &f));
		mem_reset(&k.scratch, 0);
		n = read(fd[1], got, sizeof got);
		if (!CHECK(n > FRAME_HEAD))
			continue;
		EQUAL(str_search((struct str){ got, (size_t)n },
		    S("gh-p4ss")) < (size_t)n, i == 1);
		EQUAL(str_search((struct str){ got, (size_t)n },
		    S("{\"error\":\"internal_error")) < (size_t)n, i == 0);
		CHECK(is_zero(k.reply.base, k.reply.cap));
	}
	(void)close(fd[0]);
	(void)close(fd[1]);
	keeper_end(&k);
}

/* No token, or none that can be used: every call says so, nothing is sent. */
static void
test_tool_no_token(void)
{
	static const struct {
		const char *token, *hosts;
		enum err_code code;
	} rows[] = {
		{ NULL, "", E_NO_TOKEN }, { "", "", E_NO_TOKEN },
		{ "ops_AAAA", "", E_TOKEN }, { "garbage", "", E_TOKEN },
		{ "host", "", E_HOST }, { "host", "evil.example", E_NONE },
	};
	struct str other;

	load("test/data/token.json");
	other = token_with("my.1password.com", "evil.example");
	for (size_t i = 0; i < LEN(rows); i++) {
		struct cfg cfg = { .vaults = "One", .hosts = rows[i].hosts,
			.no_proxy = "", .timeout_s = 1, .reveal = ALLOW };
		struct keeper k;
		struct err e;
		struct str got;

		peer_start(NULL);
		run.row = rows[i].token != NULL ? rows[i].token : "none";
		if (rows[i].token != NULL)
			cfg.token = strcmp(rows[i].token, "host") == 0 ?
			    cstr(other) : cstr(str_c(rows[i].token));
		cfg.audit = "off";
		if (!CHECK(keep_init(&k, &fake_os, &cfg)) ||
		    !CHECK(keep_policy(&k, &(struct place){ 0 }, &e)))
			return;
		FAILED(k.setup, rows[i].code);
		if (rows[i].code != E_NONE) {
			(void)credentials(&k, "GitHub", NULL, &e);
			FAILED(e, rows[i].code);
			got = keeper_call(&k, "{\"name\":\"get_health_status\""
			    ",\"arguments\":{\"probe\":true}}", &e);
			FAILED(e, E_NONE);
			SAME(result_at(got, "overall_status"),
			    S("unhealthy"));
		}
		EQUAL(peer.connects, 0);
		run.row = NULL;
		keeper_end(&k);
	}
}

static void
test_tool_health(void)
{
	struct keeper k;
	struct cfg cfg;
	struct err e;
	struct str got;

	keeper_start(&cfg, &k);
	got = keeper_call(&k, "{\"name\":\"get_health_status\"}", &e);
	FAILED(e, E_NONE);
	SAME(result_at(got, "overall_status"), S("healthy"));
	EQUAL(onep.requests, 0);                /* asks nobody */
	got = keeper_call(&k, "{\"name\":\"get_health_status\",\"arguments\":"
	    "{\"probe\":false}}", &e);
	EQUAL(onep.requests, 0);
	got = keeper_call(&k, "{\"name\":\"get_health_status\",\"arguments\":"
	    "{\"probe\":true}}", &e);
	SAME(result_at(got, "overall_status"), S("healthy"));
	SAME(onep.log, S("sabckv"));
	onep.fault = (struct fault){ VAULTS, 500, "{}", true, NULL, 3 };
	got = keeper_call(&k, "{\"name\":\"get_health_status\",\"arguments\":"
	    "{\"probe\":true}}", &e);
	SAME(result_at(got, "overall_status"), S("degraded"));
	keeper_end(&k);
}

static void
test_tool_put_error(void)
{
	static const struct {
		struct err e;
		const char *ids, *want;
	} rows[] = {
		{ { .code = E_ITEM }, "", "item_not_found: No item in this "
		    "vault has this title or id." },
		{ { .code = E_ITEM, .what = "" }, "", "item_not_found: No "
		    "item in this vault has this title or id." },
		{ { .code = E_NET, .what = "x" }, "", "network_error: The "
		    "server could not be reached or the connection broke. "
		    "(x)" },
		{ { .code = E_SIGN_IN, .http = 401, .step = 3 }, "",
		    "sign_in_refused: 1Password refused the token; it may be "
		    "revoked, expired or deleted. (sign-in step 3, HTTP "
		    "401)" },
		{ { .code = E_RATE, .http = 429, .until = 1767323045 }, "",
		    "rate_limited: 1Password's rate limit for this token is "
		    "reached; do not repeat the call at once. "
		    "(HTTP 429, until 2026-01-02T03:04:05Z)" },
		{ { .code = E_RATE, .until = 1767323045 }, "",
		    "rate_limited: 1Password's rate limit for this token is "
		    "reached; do not repeat the call at once. "
		    "(until 2026-01-02T03:04:05Z)" },
		{ { .code = E_CONFIG, .what = "w", .where = "SETTING" }, "",
		    "bad_setting: A setting of this server cannot be used. "
		    "(SETTING: w)" },
		{ { .code = E_CONFIG, .where = "SETTING" }, "",
		    "bad_setting: A setting of this server cannot be used. "
		    "(SETTING)" },
		{ { .code = E_ITEM_MANY }, " a, b", "item_ambiguous: More "
		    "than one item has this title; use one of these ids: a, "
		    "b" },
	};
	u8 room[1024];
	struct out o;

	for (size_t i = 0; i < LEN(rows); i++) {
		out_init(&o, room, sizeof room);
		tool_put_error(&o, &rows[i].e, str_c(rows[i].ids));
		SAME(out_str(&o), str_c(rows[i].want));
	}
	for (int code = E_ARGUMENT; code < E_COUNT; code++) {
		struct err e = { .code = (enum err_code)code };

		out_init(&o, room, 512);        /* the door's room for one */
		tool_put_error(&o, &e, NOTHING);
		CHECK(!o.over);
	}
}

static void
test_tool_put_name(void)
{
	static const struct str rows[][2] = {
		{ B(""), B("\"\"") }, { B("plain"), B("\"plain\"") },
		{ B("a\x1b[31mb\n"), B("\"a[31mb\"") },
		{ B("a\xe2\x80\xae" "b\xe2\x80\x8b" "c"), B("\"abc\"") },
		{ B("\xf3\xa0\x80\x81x"), B("\"x\"") },
		{ B("\xe6\x97\xa5 \xf0\x9f\x94\x91"),
		    B("\"\xe6\x97\xa5 \xf0\x9f\x94\x91\"") },
		{ B("a\"b\\c"), B("\"a\\\"b\\\\c\"") },
		{ B("a\xff" "b"), B("\"a\"") }, /* no UTF-8: it ends there */
	};
	struct out o;
	struct str s;

	for (size_t i = 0; i < LEN(rows); i++)
		SAME(shown(rows[i][0]), rows[i][1]);
	out_open(&o, &T);
	for (int i = 0; i < 1000; i++)
		out_put(&o, S("\xe6\x97\xa5"));
	s = shown(out_close(&o, &T));
	CHECK(s.n >= CLEAN_MAX + 2 && s.n <= CLEAN_MAX + 5 && s.n % 3 == 2);
}

static void
test_tool_uuid(void)
{
	static const u8 zero[16], ones[16] = { 255, 255, 255, 255, 255, 255,
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
	static const struct {
		const u8 *bytes;
		const char *want;
	} rows[] = {
		{ zero, "\"correlation_id\":"
		    "\"00000000-0000-4000-8000-000000000000\"" },
		{ ones, "\"correlation_id\":"
		    "\"ffffffff-ffff-4fff-bfff-ffffffffffff\"" },
	};
	struct keeper k = { .os = &fake_os };
	u8 room[128];
	struct out o;
	struct jw w = { &o, false };
	struct err e = { 0 };

	if (!CHECK(mem_carve(&k.scratch, &T, 4096)))
		return;
	for (size_t i = 0; i < LEN(rows); i++) {
		fake_bytes = (struct str){ rows[i].bytes, 16 };
		out_init(&o, room, sizeof room);
		w.comma = false;
		k.line.correlation = keep_uuid(&k);
		CHECK(tool_put_uuid(&k, &w, &e));
		SAME(out_str(&o), str_c(rows[i].want));
	}
	fake_bytes = NOTHING;
	fake_random_fails = true;
	k.line.correlation = keep_uuid(&k);
	CHECK(!tool_put_uuid(&k, &w, &e));
	FAILED(e, E_INTERNAL);
	fake_random_fails = false;
}

/* Who gives a title that several items bear is told their ids, those of the
 * items in use, and no others. */
static void
test_tool_note_ids(void)
{
	struct keeper k;
	struct cfg cfg;
	struct str got;

	shelf_start(&cfg, &k);
	shelf_put("other", ITEM_ACTIVE);
	shelf_put("GITHUB", ITEM_ACTIVE);
	shelf_put("GitHub", ITEM_ARCHIVED);
	got = asked(&k, GITHUB, NULL, NOTHING);
	ENDED(got, E_ITEM_MANY);
	got = text_of(got, "error");
	SAME(str_from(got, str_search(got, S("ids:"))), JOIN(&T, S("ids: "),
	    shelf.ref[0].id, S(", "), shelf.ref[2].id));
	keeper_end(&k);
}

/* A vault that cannot be opened makes a list doubtful, and it is read again
 * for a name that is not in it; not without end. */
static void
test_tool_rereads(void)
{
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (unsigned i = 1; i <= 2 * REREADS_MAX; i++) {
		ENDED(asked(&k, "{\"name\":\"get_1password_credentials\","
		    "\"arguments\":{\"item_name\":\"GitHub\",\"vault\":"
		    "\"none\"}}", NULL, NOTHING), E_VAULT);
		EQUAL(shelf.fresh, i < REREADS_MAX ? i : REREADS_MAX);
	}
	keeper_end(&k);
}

/* Read a resource: the payload of the result frame. */
static struct str
read_uri(struct keeper *k, struct str uri)
{
	struct str got = keeper_frame(k, JOIN(&T, S("{\"method\":"
	    "\"resources/read\",\"ask\":false,\"params\":{\"uri\":\""), uri,
	    S("\"}}")));

	if (code_of(got) == E_NONE) {
		SAME(text_of(got, "result>contents>0>uri"), uri);
		SAME(path_at(got, "result>contents>0>mimeType"),
		    S("\"application/json\""));
		SAME(path_at(got, "result>contents>1"), NOTHING);
	}
	return got;
}

/* The JSON that it holds. */
static struct str
content(struct keeper *k, const char *uri)
{
	struct str got = read_uri(k, str_c(uri));

	ENDED(got, E_NONE);
	return text_of(got, "result>contents>0>text");
}

/* The status is the health report, without a request. */
static void
test_resource_status(void)
{
	static const struct {
		enum err_code setup, last;
		const char *status;
	} rows[] = {
		{ E_NONE, E_NONE, "\"healthy\"" },
		{ E_NONE, E_NET, "\"degraded\"" },
		{ E_NO_TOKEN, E_NONE, "\"unhealthy\"" },
		{ E_TOKEN, E_TOKEN, "\"unhealthy\"" },
	};
	struct keeper k;
	struct cfg cfg;
	struct json s, j;
	struct str got;

	shelf_start(&cfg, &k);
	CHECK(parses(&s, str_c(cat_tool(&opmcp_catalog,
	    S("get_health_status"))->output)));
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].status;
		k.setup.code = rows[i].setup;
		k.last.code = rows[i].last;
		got = content(&k, "onepassword://status");
		CHECK(parses(&j, got) && fits(&s, ROOT, &j, ROOT));
		SAME(path_at(got, "overall_status"), str_c(rows[i].status));
		EQUAL(k.last.code, rows[i].last);
	}
	EQUAL(k.calls, 0);
	fake_ms = k.started + 7000;
	SAME(path_at(content(&k, "onepassword://status"), "uptime_seconds"),
	    S("7"));
	EQUAL(shelf.vaults + shelf.lists + shelf.items, 0);
	run.row = NULL;
	keeper_end(&k);
}

/* The vaults that may be used, and no others. */
static void
test_resource_vaults(void)
{
#define ROW(id, name, own) "{\"id\":\"" SHELF(id) "\",\"name\":\"" name \
	"\",\"default\":" own ",\"writable\":false}"
	static const struct {
		const char *vaults, *want;
	} rows[] = {
		{ "AI,Work", "{\"vaults\":[" ROW("2", "AI", "true") ","
		    ROW("3", "Work", "false") "]}" },
		{ "work", "{\"vaults\":[" ROW("3", "Work", "true") "]}" },
		{ SHELF("5"), "{\"vaults\":[]}" },      /* it is locked */
		{ "none", "{\"vaults\":[]}" }, { "", "{\"vaults\":[]}" },
		{ "*", "{\"vaults\":[" ROW("2", "AI", "false") ","
		    ROW("3", "Work", "false") "," ROW("4", "Private", "false")
		    "]}" },
	};
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = cfg.vaults = rows[i].vaults;
		SAME(content(&k, "onepassword://vaults"), str_c(rows[i].want));
		EQUAL(shelf.fresh, i + 1);
	}
	cfg.vaults = "AI";
	shelf_vault[0].name = S("A\xe2\x80\x8bI");
	cfg.vaults = SHELF("2");
	SAME(path_at(content(&k, "onepassword://vaults"), "vaults>0>name"),
	    S("\"AI\""));
	shelf.fails = E_NET;
	ENDED(read_uri(&k, S("onepassword://vaults")), E_NET);
	k.setup.code = E_NO_TOKEN;
	ENDED(read_uri(&k, S("onepassword://vaults")), E_NO_TOKEN);
	keeper_end(&k);
}

/* Follow next from the first page of a vault's items. Every item that is not
 * deleted comes once, in order; only the first page is read anew. */
static void
read_pages(struct keeper *k, size_t pages)
{
	struct str uri = S("onepassword://vaults/AI/items");
	size_t next = 0, page = 0;

	shelf.fresh = shelf.lists = 0;
	for (; uri.n > 0; page++) {
		struct str got = read_uri(k, uri), text;
		uint32_t items;
		size_t n = 0;
		struct json j;

		ENDED(got, E_NONE);
		text = text_of(got, "result>contents>0>text");
		if (!CHECK(parses(&j, text)))
			return;
		SAME(path_at(text, "vault"), S("\"AI\""));
		SAME(path_at(text, "vault_id"), S("\"" SHELF("2") "\""));
		vec = j;
		items = at(ROOT, "items");
		EACH(item, items) {
			while (next < shelf.refs &&
			    shelf.ref[next].state == ITEM_DELETED)
				next++;
			if (!CHECK(next < shelf.refs))
				return;
			SAME(text_at(item, "id"), shelf.ref[next].id);
			SAME(text_at(item, "title"), shelf.ref[next].title);
			SAME(text_at(item, "state"), shelf.ref[next++].state ==
			    ITEM_ACTIVE ? S("active") : S("archived"));
			n++;
		}
		CHECK(n <= PAGE_ITEMS);
		uri = str_dup(&T, text_at(ROOT, "next"));
		CHECK(uri.n == 0 || n == PAGE_ITEMS);
	}
	while (next < shelf.refs && shelf.ref[next].state == ITEM_DELETED)
		next++;
	EQUAL(next, shelf.refs);
	EQUAL(page, pages);
	EQUAL(shelf.lists, pages);
	EQUAL(shelf.fresh, 1);
	EQUAL(shelf.items, 0);          /* no value was near */
}

static void
test_resource_items(void)
{
	static const struct {
		size_t items, pages;
	} rows[] = { { 0, 1 }, { 1, 1 }, { PAGE_ITEMS - 1, 1 },
		{ PAGE_ITEMS, 1 }, { PAGE_ITEMS + 1, 2 },
		{ 2 * PAGE_ITEMS, 2 }, { 2 * PAGE_ITEMS + 1, 3 } };
	char title[32];
	struct keeper k;
	struct cfg cfg;

	for (size_t i = 0; i < 2 * LEN(rows); i++) {
		shelf_start(&cfg, &k);
		shelf.refs = 0;
		for (size_t n = 0; n < rows[i / 2].items; n++) {
			(void)snprintf(title, sizeof title, "title %zu", n);
			if (i % 2 > 0 && n % 7 == 3)
				shelf_put("deleted", ITEM_DELETED);
			shelf_put(title, n % 5 == 4 ? ITEM_ARCHIVED :
			    ITEM_ACTIVE);
		}
		read_pages(&k, rows[i / 2].pages);
		keeper_end(&k);
	}
}

/* What cannot be read; a page goes on from an item of the list or nowhere. */
static void
test_resource_refused(void)
{
	static const struct {
		const char *uri;
		enum err_code code;
	} rows[] = {
		{ "onepassword://vaults/AI/items", E_NONE },
		{ "OnePassword://vaults/ai/items", E_NONE },
		{ "onepassword://vaults/" SHELF("2") "/items", E_NONE },
		{ "onepassword://vaults/%41I/items", E_NONE },
		{ "onepassword://vaults/Work/items", E_NONE },
		{ "onepassword://vaults/AI/items?cursor="
		    "bbbbbbbbbbbbbbbbbbbbbbbbbd", E_NONE },
		{ "onepassword://vaults/AI/items?cursor="
		    "bbbbbbbbbbbbbbbbbbbbbbbbbe", E_ARGUMENT },
		{ "onepassword://vaults/AI/items?cursor="
		    "BBBBBBBBBBBBBBBBBBBBBBBBBD", E_ARGUMENT },
		{ "onepassword://vaults/AI/items?cursor=0", E_ARGUMENT },
		{ "onepassword://vaults/AI/items?cursor="
		    "bbbbbbbbbbbbbbbbbbbbbbbbbd&cursor=x", E_ARGUMENT },
		{ "onepassword://vaults/Work/items?cursor="
		    "bbbbbbbbbbbbbbbbbbbbbbbbbd", E_ARGUMENT },
		{ "onepassword://vaults/AI/items?cursor=", E_RESOURCE },
		{ "onepassword://vaults/Private/items", E_VAULT },
		{ "onepassword://vaults/" SHELF("4") "/items", E_VAULT },
		{ "onepassword://vaults/none/items", E_VAULT },
		{ "onepassword://vaults/%2F/items", E_VAULT },
		{ "onepassword://vaults/../items", E_RESOURCE },
		{ "onepassword://vaults/%2e%2e/items", E_VAULT },
		{ "onepassword://vaults/*/items", E_VAULT },
		{ "onepassword://vaults/A%00I/items", E_NAME },
		{ "onepassword://vaults/%20AI/items", E_NAME },
		{ "onepassword://vaults/A%E2%80%AEI/items", E_NAME },
		{ "onepassword://vaults/%FF/items", E_RESOURCE },
		{ "onepassword://items", E_RESOURCE },
		{ "op://AI/GitHub/password", E_RESOURCE },
	};
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].uri;
		fake_ms += READS_S * 1000 + QUIET_MS;
		ENDED(read_uri(&k, str_c(rows[i].uri)), rows[i].code);
	}
	run.row = "the item has gone";
	shelf.ref[0].id = S("bbbbbbbbbbbbbbbbbbbbbbbbbx");
	ENDED(read_uri(&k, str_c(rows[5].uri)), E_ARGUMENT);
	run.row = "no token";
	k.setup.code = E_NO_TOKEN;
	ENDED(read_uri(&k, str_c(rows[0].uri)), E_NO_TOKEN);
	run.row = NULL;
	keeper_end(&k);
}

/* So many in a minute, since hosts read unasked. */
static void
test_resource_limit(void)
{
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (unsigned i = 0; i < READS_MAX; i++)
		ENDED(read_uri(&k, S("onepassword://status")), E_NONE);
	ENDED(read_uri(&k, S("onepassword://status")), E_LIMIT);
	fake_ms += READS_S * 1000 / READS_MAX;
	ENDED(read_uri(&k, S("onepassword://vaults")), E_NONE);
	ENDED(read_uri(&k, S("onepassword://vaults")), E_LIMIT);
	EQUAL(shelf.vaults, 1);
	keeper_end(&k);
}

/* Titles are shown so that nothing in them is hidden. */
static void
test_resource_titles(void)
{
	struct keeper k;
	struct cfg cfg;
	struct str got;

	shelf_start(&cfg, &k);
	shelf_put("a\xe2\x80\xae" "b\x1b[1m\"", ITEM_ACTIVE);
	shelf_put("", ITEM_ACTIVE);
	got = content(&k, "onepassword://vaults/AI/items");
	SAME(path_at(got, "items>1>title"), S("\"ab[1m\\\"\""));
	SAME(path_at(got, "items>2>title"), S("\"\""));
	keeper_end(&k);
}

/* What completes typed for an argument of a prompt; vault may be NULL. */
static struct str
complete(struct keeper *k, const char *arg, const char *typed,
    const char *vault)
{
	struct out o;

	out_open(&o, &T);
	OUT(&o, S("{\"method\":\"completion/complete\",\"ask\":false,"
	    "\"params\":{\"ref\":{\"type\":\"ref/prompt\",\"name\":"
	    "\"use_credential\"},\"argument\":{\"name\":\""), str_c(arg),
	    S("\",\"value\":"));
	jw_quote(&o, str_c(typed));
	if (vault != NULL) {
		out_put(&o, S("},\"context\":{\"arguments\":{\"vault\":"));
		jw_quote(&o, str_c(vault));
		out_byte(&o, '}');
	}
	out_put(&o, S("}}}"));
	return keeper_frame(k, out_close(&o, &T));
}

/* Names that hold what was typed, those that begin with it first. What is
 * archived, deleted, cannot be typed or may not be used is not offered. */
static void
test_tool_complete(void)
{
	static const struct {
		const char *arg, *typed, *vault;
		enum err_code code;
		const char *want;
	} rows[] = {
		{ "item_name", "git", NULL, E_NONE,
		    "[\"GitHub\",\"git mirror\",\"My GitHub token\"]" },
		{ "item_name", "GIT", "ai", E_NONE,
		    "[\"GitHub\",\"git mirror\",\"My GitHub token\"]" },
		{ "item_name", "hub", NULL, E_NONE,
		    "[\"GitHub\",\"My GitHub token\"]" },
		{ "item_name", "github", NULL, E_NONE,
		    "[\"GitHub\",\"My GitHub token\"]" },
		{ "item_name", "n", NULL, E_NONE, "[\"My GitHub token\"]" },
		{ "item_name", "\xc3\xbc", NULL, E_NONE,
		    "[\"\xc3\xbc\\\"\\\\\"]" },
		{ "item_name", "\"", NULL, E_NONE,
		    "[\"\xc3\xbc\\\"\\\\\",\"x\\\"y\"]" },
		{ "item_name", "y", NULL, E_NONE,
		    "[\"y\",\"My GitHub token\",\"x\\\"y\"]" },
		{ "item_name", ",", NULL, E_NONE, "[\",\"]" },
		{ "item_name", "", NULL, E_NONE, "[\"GitHub\",\"git mirror\","
		    "\"My GitHub token\",\"\xc3\xbc\\\"\\\\\",\"x\\\"y\","
		    "\"y\",\",\"]" },
		{ "item_name", "none", NULL, E_NONE, "[]" },
		{ "item_name", "GitHub ", NULL, E_NONE,
		    "[\"My GitHub token\"]" },
		{ "item_name", "GitHubs", NULL, E_NONE, "[]" },
		{ "item_name", "old", NULL, E_NONE, "[]" },
		{ "item_name", "gone", NULL, E_NONE, "[]" },
		{ "item_name", "Hid", NULL, E_NONE, "[]" },
		{ "item_name", "blank", NULL, E_NONE, "[]" },
		{ "item_name", "", "Work", E_NONE, "[]" },
		{ "item_name", "", "Private", E_VAULT, "" },
		{ "item_name", "", "none", E_VAULT, "" },
		{ "item_name", "", "A\xe2\x80\x8bI", E_NAME, "" },
		{ "vault", "", NULL, E_NONE, "[\"AI\",\"Work\"]" },
		{ "vault", "W", NULL, E_NONE, "[\"Work\"]" },
		{ "vault", "RK", NULL, E_NONE, "[\"Work\"]" },
		{ "vault", "Priv", NULL, E_NONE, "[]" },
		{ "none", "", NULL, E_INTERNAL, "" },
	};
	static const char *const titles[] = { "git mirror", "My GitHub token",
		"\xc3\xbc\"\\", "x\"y", "y", ",", "GitHub" };
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t i = 0; i < LEN(titles); i++)
		shelf_put(titles[i], ITEM_ACTIVE);
	shelf_put("old Git", ITEM_ARCHIVED);
	shelf_put("gone Git", ITEM_DELETED);
	shelf_put("Hid\xe2\x80\x8b" "den Git", ITEM_ACTIVE);
	shelf_put(" blank Git", ITEM_ACTIVE);
	shelf_put("", ITEM_ACTIVE);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str got;

		run.row = rows[i].typed;
		fake_ms += COMPLETIONS_S * 1000 + QUIET_MS;
		got = complete(&k, rows[i].arg, rows[i].typed, rows[i].vault);
		ENDED(got, rows[i].code);
		SAME(path_at(got, "result>completion>values"),
		    str_c(rows[i].want));
		if (rows[i].code == E_NONE)
			SAME(path_at(got, "result>completion>hasMore"),
			    S("false"));
	}
	EQUAL(shelf.items, 0);
	EQUAL(shelf.fresh, 2);          /* for the vaults that are refused */
	fake_ms += COMPLETIONS_S * 1000 + QUIET_MS;
	shelf_vault[0].name = S("My Work");
	cfg.vaults = "*";
	SAME(path_at(complete(&k, "vault", "wo", NULL),
	    "result>completion>values"), S("[\"Work\",\"My Work\"]"));
	run.row = NULL;
	keeper_end(&k);
}

/* A hundred values at most, and how many there are. */
static void
test_tool_complete_many(void)
{
	static const struct {
		size_t items;
		const char *total, *more;
	} rows[] = { { VALUES_MAX, "100", "false" },
		{ VALUES_MAX + 1, "101", "true" }, { 250, "250", "true" } };
	char title[32];
	struct keeper k;
	struct cfg cfg;
	struct str got;
	struct json j;

	shelf_start(&cfg, &k);
	shelf.refs = 0;
	for (size_t i = 0, n; i < LEN(rows); i++) {
		while (shelf.refs < rows[i].items) {
			(void)snprintf(title, sizeof title, "t %zu",
			    shelf.refs);
			shelf_put(title, ITEM_ACTIVE);
		}
		got = complete(&k, "item_name", "T", NULL);
		SAME(path_at(got, "result>completion>total"),
		    str_c(rows[i].total));
		SAME(path_at(got, "result>completion>hasMore"),
		    str_c(rows[i].more));
		n = 0;
		if (CHECK(parses(&j, path_at(got,
		    "result>completion>values"))))
			for (uint32_t v = json_first(&j, ROOT); v;
			    v = json_next(&j, ROOT, v))
				n++;
		EQUAL(n, VALUES_MAX);
	}
	keeper_end(&k);
}

/* After a failure of the service nothing is looked up for a while; a vault
 * that the caller has mistyped is no such failure. */
static void
test_tool_complete_quiet(void)
{
	struct keeper k;
	struct cfg cfg;
	struct str got;

	shelf_start(&cfg, &k);
	for (int i = 0; i < 2; i++) {
		shelf.fails = E_RATE;
		ENDED(complete(&k, i == 0 ? "vault" : "item_name", "", NULL),
		    E_RATE);
		shelf.fails = E_NONE;
		shelf.vaults = 0;
		got = complete(&k, "vault", "", NULL);
		ENDED(got, E_NONE);
		SAME(path_at(got, "result>completion"), S("{\"values\":[],"
		    "\"total\":0,\"hasMore\":false}"));
		fake_ms += QUIET_MS - 1;
		SAME(path_at(complete(&k, "item_name", "", NULL),
		    "result>completion>values"), S("[]"));
		EQUAL(shelf.vaults, 0);
		fake_ms++;
		SAME(path_at(complete(&k, "item_name", "", NULL),
		    "result>completion>values"), S("[\"GitHub\"]"));
	}
	ENDED(complete(&k, "item_name", "", "none"), E_VAULT);
	SAME(path_at(complete(&k, "item_name", "", NULL),
	    "result>completion>values"), S("[\"GitHub\"]"));
	k.setup.code = E_NO_TOKEN;
	ENDED(complete(&k, "vault", "", NULL), E_NO_TOKEN);
	keeper_end(&k);
}

/* Forty in ten seconds, and then as they come back. */
static void
test_tool_complete_limit(void)
{
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (unsigned i = 0; i < COMPLETIONS_MAX; i++)
		ENDED(complete(&k, "vault", "", NULL), E_NONE);
	ENDED(complete(&k, "vault", "", NULL), E_LIMIT);
	fake_ms += COMPLETIONS_S * 1000 / COMPLETIONS_MAX - 1;
	ENDED(complete(&k, "vault", "", NULL), E_LIMIT);
	fake_ms++;
	ENDED(complete(&k, "vault", "", NULL), E_NONE);
	ENDED(complete(&k, "item_name", "", NULL), E_LIMIT);
	EQUAL(shelf.lists, 0);
	keeper_end(&k);
}

/* ---- the gate: rules, tags, limits and the person, through the keeper ---- */

/* A call for the credentials of an item, of a host that can ask or not. */
static struct str
wanted(struct keeper *k, const char *item, bool can)
{
	struct str got = keeper_frame(k, JOIN(&T, S("{\"method\":\"tools/call"
	    "\",\"ask\":"), can ? S("true") : S("false"), S(",\"params\":{"
	    "\"name\":\"get_1password_credentials\",\"arguments\":{"
	    "\"item_name\":\""), str_c(item), S("\"}}}")));

	EQUAL(str_search(got, S("s3cret")) < got.n, code_of(got) == E_NONE);
	return got;
}

/* Every combination of what file, tag, setting and host say. */
static void
test_gate_matrix(void)
{
	static const char *const file[] = { "deny reveal", "ask reveal",
		"permit reveal", "" };
	static const struct {
		struct str tag;
		enum verdict v;
	} tags[] = { { B("ai:deny"), DENY }, { B("AI:use-only"), DENY },
		{ B("ai:ASK"), ASK }, { B("prod"), ALLOW },
		{ B("ai:canary"), DENY }, { B(""), ALLOW },
		{ B("\xef\xb8\x8f" "ai:deny"), DENY },
		{ B("ai\xf3\xa0\x84\x80:deny"), DENY },
		{ B("\xe2\xa0\x80" "ai:deny\xe2\xa0\x80"), DENY },
		{ B("ai\xe2\xa0\x80:deny"), ALLOW } };
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	shelf.ref[0].tags = 1;
	for (unsigned i = 0; i < 4 * LEN(tags) * 3 * 2; i++) {
		unsigned f = i % 4, t = i / 4 % LEN(tags), can;
		enum verdict setting, v;
		enum err_code want;
		struct str got;

		setting = (enum verdict)(i / (4 * LEN(tags)) % 3);
		can = i / (4 * LEN(tags) * 3);
		run.row = cstr(JOIN(&T, str_c(file[f]), S(" + "), tags[t].tag,
		    S(" + "), str_c(verdict_name[setting]), can ? S(", can") :
		    S(", cannot")));
		k.policy = policy_of(str_c(file[f]));
		shelf.ref[0].tag = &tags[t].tag;
		cfg.reveal = setting;
		v = f < 3 ? (enum verdict)f : setting;
		v = tags[t].v < v ? tags[t].v : v;
		want = v == ALLOW ? E_NONE : v == DENY ? E_POLICY : can ?
		    E_ASK : E_CANNOT_ASK;
		if (t == 4)             /* not there, as far as one can see */
			want = E_ITEM;
		if (f == 3 && setting == DENY)  /* nothing is looked for */
			want = E_POLICY;
		if (f == 3 && setting == ASK && !can)
			want = E_CANNOT_ASK;
		got = wanted(&k, "GitHub", can);
		ENDED(got, want);
		EQUAL(k.gate->locked, want == E_ITEM);
		memset(k.gate, 0, sizeof *k.gate);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* What decided is named: the line, the tag or the setting. */
static void
test_gate_why(void)
{
	static const struct {
		const char *policy, *tag;
		enum verdict setting;
		const char *why;
	} rows[] = {
		{ "", "", DENY, " OPMCP_REVEAL" },
		{ "", "", ASK, " OPMCP_REVEAL" },
		{ "", "ai:deny", ALLOW, " ai:deny" },
		{ "", "ai:use-only", ALLOW, " ai:use-only" },
		{ "", "AI:ASK", ALLOW, " ai:ask" },
		{ "\ndeny reveal", "", ALLOW, " line 2 of OPMCP_POLICY" },
		{ "\ndeny reveal", "ai:deny", ALLOW,
		    " line 2 of OPMCP_POLICY" },
		{ "ask reveal", "ai:deny", ALLOW, " ai:deny" },
		{ "ask reveal", "ai:ask", ALLOW, " line 1 of OPMCP_POLICY" },
		{ "deny reveal field username\ndeny reveal field password",
		    "", ALLOW, " line 1 of OPMCP_POLICY" },
		{ "deny reveal field username\nask reveal field password",
		    "", ALLOW, " line 2 of OPMCP_POLICY" },
	};
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str tag = str_c(rows[i].tag), got;
		enum err_code code;

		run.row = rows[i].why;
		k.policy = policy_of(str_c(rows[i].policy));
		shelf.ref[0].tag = &tag;
		shelf.ref[0].tags = 1;
		cfg.reveal = rows[i].setting;
		got = wanted(&k, "GitHub", false);
		code = code_of(got);
		CHECK(code == E_POLICY || code == E_CANNOT_ASK);
		SAME(text_of(got, "error"), JOIN(&T, str_c(err_table[code]
		    .word), S(": "), str_c(err_table[code].text),
		    S(" Decided by"), str_c(rows[i].why), S(".")));
		if (code != E_CANNOT_ASK || rows[i].policy[0] == '\0')
			continue;
		got = text_of(wanted(&k, "GitHub", true),
		    "ask>approval>params>message");
		CHECK(str_search(got, str_from(str_c(rows[i].why), 1)) <
		    got.n);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Fields are judged one by one. */
static void
test_gate_fields(void)
{
	static const struct {
		const char *policy, *user, *password, *missing, *withheld;
	} rows[] = {
		{ "deny reveal field password", "\"octo\"", "", "",
		    "[\"password\"]" },
		{ "deny reveal\npermit reveal field pass*", "", "\"s3cret\"",
		    "", "[\"username\"]" },
		{ "permit reveal", "\"octo\"", "\"s3cret\"", "", "" },
	};
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str got;

		run.row = rows[i].policy;
		k.policy = policy_of(str_c(rows[i].policy));
		got = keeper_frame(&k, S("{\"method\":\"tools/call\","
		    "\"params\":" GITHUB "}"));
		ENDED(got, E_NONE);
		SAME(path_at(got, "data>username"), str_c(rows[i].user));
		SAME(path_at(got, "data>password"), str_c(rows[i].password));
		SAME(path_at(got, "data>missing"), str_c(rows[i].missing));
		SAME(path_at(got, "data>withheld"), str_c(rows[i].withheld));
	}
	run.row = NULL;
	keeper_end(&k);
}

/* A canary looks like an item that is not there, in every byte; then nothing
 * works any more. */
static void
test_gate_canary(void)
{
	static const struct str tag = B("AI:Canary");
	struct str got, other;
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	shelf_put("Bait", ITEM_ACTIVE);
	other = wanted(&k, "Nobody", true);
	ENDED(other, E_ITEM);
	shelf.ref[1].tag = &tag;
	shelf.ref[1].tags = 1;
	ENDED(wanted(&k, "GitHub", true), E_NONE);
	/* it is listed and offered as any other */
	got = text_of(read_uri(&k, S("onepassword://vaults/AI/items")),
	    "result>contents>0>text");
	CHECK(str_search(got, S("Bait")) < got.n);
	CHECK(!k.gate->locked);
	got = wanted(&k, "Bait", true);
	SAME(got, other);
	CHECK(k.gate->locked);
	SAME(str_c(k.line.event), S("CANARY"));
	shelf.vaults = shelf.lists = shelf.items = 0;
	ENDED(wanted(&k, "GitHub", true), E_LOCKED);
	SAME(str_c(k.line.event), S("LOCKED"));
	ENDED(wanted(&k, "Bait", true), E_LOCKED);
	ENDED(asked(&k, HEALTH, NULL, NOTHING), E_LOCKED);
	ENDED(read_uri(&k, S("onepassword://status")), E_LOCKED);
	ENDED(read_uri(&k, S("onepassword://vaults")), E_LOCKED);
	ENDED(complete(&k, "vault", "", NULL), E_LOCKED);
	fake_ms += 86400000;
	ENDED(wanted(&k, "GitHub", true), E_LOCKED);
	EQUAL(shelf.vaults + shelf.lists + shelf.items, 0);
	keeper_end(&k);
}

#define TEN_MINUTES "{\"approval\":{\"action\":\"accept\",\"content\":" \
	"{\"answer\":\"allow for 10 minutes\"}}}"

/* "Allow for 10 minutes" holds for that item, and so long. */
static void
test_gate_pass(void)
{
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	cfg.reveal = ASK;
	shelf_put("Other", ITEM_ACTIVE);
	ENDED(asked(&k, GITHUB, ALLOWED, state_of(&k)), E_NONE);
	ENDED(wanted(&k, "GitHub", true), E_ASK);       /* that was once */
	ENDED(asked(&k, GITHUB, TEN_MINUTES, NOTHING), E_ASK);  /* unasked */
	ENDED(asked(&k, GITHUB, TEN_MINUTES, state_of(&k)), E_NONE);
	ENDED(wanted(&k, "GitHub", true), E_NONE);
	ENDED(wanted(&k, "Other", true), E_ASK);
	fake_ms += PASS_MS - 1;
	ENDED(wanted(&k, "GitHub", true), E_NONE);
	k.policy = policy_of(S("deny reveal item GitHub"));
	ENDED(wanted(&k, "GitHub", true), E_POLICY);    /* rules stay rules */
	k.policy = policy_of(S(""));
	fake_ms++;
	ENDED(wanted(&k, "GitHub", true), E_ASK);
	/* many passes: the oldest gives way, no other item is let in */
	for (unsigned i = 0; i < PASSES_MAX; i++) {
		char id[ID_LEN + 1];

		(void)snprintf(id, sizeof id, "%026u", i);
		fake_ms++;
		CHECK(!tool_pass_is_valid(&k, ACT_REVEAL, str_c(id), NOTHING, false));
		CHECK(tool_pass_is_valid(&k, ACT_REVEAL, str_c(id), NOTHING, true));
		CHECK(tool_pass_is_valid(&k, ACT_REVEAL, str_c(id), NOTHING, false));
		CHECK(!tool_pass_is_valid(&k, ACT_WRITE, str_c(id), NOTHING, false));
	}
	for (unsigned i = 0; i < PASSES_MAX; i++) {
		char id[ID_LEN + 1];

		(void)snprintf(id, sizeof id, "%026u", i);
		CHECK(tool_pass_is_valid(&k, ACT_REVEAL, str_c(id), NOTHING, false));
	}
	ENDED(wanted(&k, "GitHub", true), E_ASK);
	keeper_end(&k);
}

/* What a refusal by a limit tells. */
static void
limit_told(struct str got, uint64_t n, uint64_t seconds, uint64_t wait_ms)
{
	struct str text = text_of(got, "error");
	struct out o;

	ENDED(got, E_LIMIT);
	out_init(&o, mem_alloc(&T, 256), 256);
	out_put(&o, S(" {\"limit\":"));
	out_u64(&o, n);
	out_put(&o, S(",\"window_seconds\":"));
	out_u64(&o, seconds);
	out_put(&o, S(",\"remaining\":0,\"retry_after_ms\":"));
	out_u64(&o, wait_ms);
	out_put(&o, S("}"));
	SAME(str_from(text, str_search(text, S(" {"))), out_str(&o));
}

/* Rules "limit" count each item on its own. */
static void
test_gate_limit(void)
{
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	shelf_put("GitLab", ITEM_ACTIVE);
	shelf_put("Other", ITEM_ACTIVE);
	k.policy = policy_of(S("permit reveal\nlimit 2/60s reveal item Git*\n"
	    "limit 1/1s use\nlimit 1/1s reveal tag x\n"));
	ENDED(wanted(&k, "GitHub", true), E_NONE);
	ENDED(wanted(&k, "github", true), E_NONE);
	limit_told(wanted(&k, "GitHub", true), 2, 60, 30000);
	ENDED(wanted(&k, "GitLab", true), E_NONE);
	for (int i = 0; i < 9; i++)
		ENDED(wanted(&k, "Other", true), E_NONE);
	fake_ms += 10000;
	limit_told(wanted(&k, "GitHub", true), 2, 60, 20000);
	fake_ms += 19999;
	limit_told(wanted(&k, "GitHub", true), 2, 60, 1);
	fake_ms++;
	ENDED(wanted(&k, "GitHub", true), E_NONE);
	limit_told(wanted(&k, "GitHub", true), 2, 60, 30000);
	fake_ms += 60000;
	for (int i = 0; i < 2; i++)
		ENDED(wanted(&k, "GitHub", true), E_NONE);
	limit_told(wanted(&k, "GitHub", true), 2, 60, 30000);
	/* more items than there are buckets */
	for (size_t i = 0; i < LIMITS_MAX; i++) {
		k.gate->limit[i].rule = &k.policy->rule[1];
		memset(k.gate->limit[i].item, 'x', ID_LEN);
		k.gate->limit[i].bucket.full_ms = fake_ms + 1;
	}
	limit_told(wanted(&k, "GitHub", true), 2, 60, 60000);
	fake_ms++;
	ENDED(wanted(&k, "GitHub", true), E_NONE);
	keeper_end(&k);
}

/* Of two limits that match both must have one left; a refusal by the second
 * takes nothing from the first. */
static void
test_gate_limits(void)
{
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	k.policy = policy_of(S("limit 3/3000s reveal\nlimit 1/10s reveal"));
	ENDED(wanted(&k, "GitHub", true), E_NONE);
	for (int i = 0; i < 20; i++)
		limit_told(wanted(&k, "GitHub", true), 1, 10, 10000);
	for (int i = 0; i < 2; i++) {
		fake_ms += 10000;
		ENDED(wanted(&k, "GitHub", true), E_NONE);
	}
	fake_ms += 10000;
	limit_told(wanted(&k, "GitHub", true), 3, 3000, 970000);
	keeper_end(&k);
}

/* A limit for one field counts when that field is shown, and only then. */
static void
test_gate_limit_field(void)
{
	static const struct {
		const char *policy;
		enum err_code second;
	} rows[] = {
		{ "limit 1/1h reveal field username", E_LIMIT },
		{ "limit 1/1h reveal field password", E_LIMIT },
		{ "limit 1/1h reveal field none", E_NONE },
		{ "limit 1/1h reveal field password\n"
		    "deny reveal field password", E_NONE },
	};
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str got;

		run.row = rows[i].policy;
		memset(k.gate, 0, sizeof *k.gate);
		k.policy = policy_of(str_c(rows[i].policy));
		for (int n = 0; n < 2; n++) {
			got = keeper_frame(&k, S("{\"method\":\"tools/call\","
			    "\"ask\":true,\"params\":" GITHUB "}"));
			ENDED(got, n == 0 ? E_NONE : rows[i].second);
		}
	}
	run.row = NULL;
	keeper_end(&k);
}

/* So many different items in a run, and no more. */
static void
test_gate_items(void)
{
	struct keeper k;
	struct cfg cfg;
	char title[24];

	shelf_start(&cfg, &k);
	for (int i = 1; i < 6; i++) {
		(void)snprintf(title, sizeof title, "item %d", i);
		shelf_put(title, ITEM_ACTIVE);
	}
	cfg.max_items = 3;
	for (int round = 0; round < 3; round++) {
		ENDED(wanted(&k, "GitHub", true), E_NONE);
		ENDED(wanted(&k, "item 1", true), E_NONE);
		ENDED(wanted(&k, "Nobody", true), E_ITEM);
		ENDED(wanted(&k, cstr(shelf.ref[1].id), true), E_NONE);
		ENDED(wanted(&k, "item 2", true), E_NONE);
		ENDED(wanted(&k, "item 3", true), E_ITEMS);
		ENDED(wanted(&k, "item 4", true), E_ITEMS);
		fake_ms += 86400000;
	}
	EQUAL(k.gate->seen_n, 3);
	keeper_end(&k);
}

/* Tool calls count, right or wrong; what is no tool call does not. */
static void
test_gate_calls(void)
{
	static const char bad[] = "{\"name\":\"get_1password_credentials\","
	    "\"arguments\":{}}";
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (int i = 0; i < 50; i++)
		ENDED(asked(&k, HEALTH, NULL, NOTHING), E_NONE);
	cfg.calls = 3;
	cfg.calls_s = 60;
	ENDED(asked(&k, HEALTH, NULL, NOTHING), E_NONE);
	ENDED(asked(&k, bad, NULL, NOTHING), E_ARGUMENT);
	ENDED(wanted(&k, "Nobody", true), E_ITEM);
	EQUAL(k.counts->rejections, 0);
	limit_told(asked(&k, HEALTH, NULL, NOTHING), 3, 60, 20000);
	SAME(str_c(k.line.event), S("LIMIT"));
	shelf.vaults = 0;
	limit_told(wanted(&k, "GitHub", true), 3, 60, 20000);
	limit_told(asked(&k, bad, NULL, NOTHING), 3, 60, 20000);
	EQUAL(shelf.vaults, 0);
	EQUAL(k.counts->rejections, 3);
	ENDED(read_uri(&k, S("onepassword://status")), E_NONE);
	ENDED(complete(&k, "vault", "", NULL), E_NONE);
	fake_ms += 20000;
	ENDED(wanted(&k, "GitHub", true), E_NONE);
	limit_told(wanted(&k, "GitHub", true), 3, 60, 20000);
	fake_ms += 600000;
	for (int i = 0; i < 3; i++)
		ENDED(wanted(&k, "GitHub", true), E_NONE);
	limit_told(wanted(&k, "GitHub", true), 3, 60, 20000);
	keeper_end(&k);
}

/* The rules decide what is listed and offered. */
static void
test_gate_list(void)
{
	static const struct str tags[] = { B("ai:deny"), B("ai:ask"),
		B("ai:canary") };
	struct keeper k;
	struct cfg cfg;
	struct str got;

	shelf_start(&cfg, &k);
	for (int i = 0; i < 3; i++) {
		shelf_put(i == 0 ? "Git A" : i == 1 ? "Git B" : "Git C",
		    ITEM_ACTIVE);
		shelf.ref[i + 1].tag = &tags[i];
		shelf.ref[i + 1].tags = 1;
	}
	shelf_put("Git D", ITEM_ACTIVE);
	k.policy = policy_of(S("deny list item *D\nask list item GitHub\n"));
	got = complete(&k, "item_name", "Git", NULL);
	SAME(path_at(got, "result>completion>values"),
	    S("[\"Git B\",\"Git C\"]"));
	got = text_of(read_uri(&k, S("onepassword://vaults/AI/items")),
	    "result>contents>0>text");
	CHECK(str_search(got, S("Git A")) == got.n);
	CHECK(str_search(got, S("Git B")) < got.n);
	CHECK(str_search(got, S("Git C")) < got.n);
	CHECK(str_search(got, S("Git D")) == got.n);
	CHECK(str_search(got, S("GitHub")) == got.n);
	k.policy = policy_of(S("deny list"));
	got = complete(&k, "item_name", "Git", NULL);
	SAME(path_at(got, "result>completion>values"), S("[]"));
	keeper_end(&k);
}

/* ---- audit, through the keeper ---- */

/* The text of the audit file; what was there before is left out. */
static struct str
audit_since(size_t *from)
{
	struct str text = slurp(path_of("audit")), new = str_from(text, *from);

	*from = text.n;
	return new;
}

/* Each call leaves one line, with what happened and why; the first is
 * preceded by START. No line holds a secret or a title. */
static void
test_keep_audit(void)
{
	static const struct {
		const char *policy, *tag, *payload, *event, *decision, *error,
		    *rule;
	} rows[] = {
#define TOOL(can, params) "{\"method\":\"tools/call\",\"ask\":" can \
	",\"host\":\"h 1\",\"params\":" params "}"
#define NOBODY "{\"name\":\"get_1password_credentials\",\"arguments\":" \
	"{\"item_name\":\"Nobody\"}}"
#define ELSEWHERE "{\"name\":\"get_1password_credentials\",\"arguments\":" \
	"{\"item_name\":\"GitHub\",\"vault\":\"Private\"}}"
		{ "", "", TOOL("true", HEALTH), NULL, "allow", NULL, NULL },
		{ "", "", TOOL("true", GITHUB), "REVEAL", "allow", NULL,
		    "OPMCP_REVEAL" },
		{ "\npermit reveal", "", TOOL("true", GITHUB), "REVEAL",
		    "allow", NULL, "line 2 of OPMCP_POLICY" },
		{ "deny reveal", "", TOOL("true", GITHUB), "REFUSED", "deny",
		    "policy_denied", "line 1 of OPMCP_POLICY" },
		{ "", "ai:deny", TOOL("true", GITHUB), "REFUSED", "deny",
		    "policy_denied", "ai:deny" },
		{ "", "ai:ask", TOOL("true", GITHUB), "ASKED", "ask",
		    "approval_needed", "ai:ask" },
		{ "", "ai:ask", TOOL("false", GITHUB), "REFUSED", "deny",
		    "approval_unavailable", "ai:ask" },
		{ "deny reveal field password", "", TOOL("true", GITHUB),
		    "REVEAL", "partial", NULL, NULL },
		{ "", "", TOOL("true", NOBODY), "FAILED", "deny",
		    "item_not_found", NULL },
		{ "", "", TOOL("true", ELSEWHERE), "VAULT_REFUSED", "deny",
		    NULL, NULL },
		{ "", "", "{}", "FAILED", "deny", "internal_error", NULL },
		{ "", "", "{", "FAILED", "deny", "internal_error", NULL },
		{ "limit 1/1h reveal\nlimit 1/1d reveal", "", TOOL("true",
		    GITHUB), "REVEAL", "allow", NULL, NULL },
		{ "", "ai:canary", TOOL("true", GITHUB), "CANARY", "deny",
		    "item_not_found", "ai:canary" },
		{ "", "", TOOL("true", GITHUB), "LOCKED", "deny", "locked",
		    NULL },
	};
	struct keeper k;
	struct cfg cfg;
	struct str text, one, token;
	struct aud_report r;
	size_t from = 0;

	audit_where = path_of("audit");
	(void)unlink(audit_where);
	shelf_start(&cfg, &k);
	token = member_of(&onep.token, json_first(&onep.token,
	    json_get(&onep.token, ROOT, S("cases"))), "token");
	EQUAL(audit_since(&from).n, 0); /* nothing to tell yet */
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str tag = str_c(rows[i].tag), got, id;

		run.row = rows[i].payload;
		shelf.ref[0].tag = &tag;
		shelf.ref[0].tags = tag.n > 0;
		k.policy = policy_of(str_c(rows[i].policy));
		got = keeper_frame(&k, str_c(rows[i].payload));
		text = audit_since(&from);
		if (i == 0 && CHECK(str_cut(&text, '\n', &one)))
			SAME(path_at(one, "event"), S("\"START\""));
		if (!CHECK(str_cut(&text, '\n', &one)) || !CHECK(text.n == 0))
			continue;
		if (rows[i].event != NULL)
			SAME(text_of(one, "event"), str_c(rows[i].event));
		SAME(text_of(one, "decision"), str_c(rows[i].decision));
		if (rows[i].error != NULL && i != 5)
			SAME(text_of(one, "error"), str_c(rows[i].error));
		EQUAL(path_at(one, "error").n > 0, rows[i].error != NULL ||
		    i == 9);
		if (rows[i].rule != NULL)
			SAME(text_of(one, "rule"), str_c(rows[i].rule));
		CHECK(str_search(one, S("s3cret")) == one.n);
		CHECK(str_search(one, S("octo")) == one.n);
		CHECK(str_search(one, S("GitHub")) == one.n);
		if (str_is_start(str_c(rows[i].payload), S("{\"m")))
			SAME(text_of(one, "host"), S("h 1"));
		id = text_of(got, "data>correlation_id");
		if (id.n > 0)
			SAME(text_of(one, "correlation"), id);
	}
	run.row = NULL;
	aud_verify(&r, &k.scratch, slurp(audit_where), token);
	EQUAL(r.lines, LEN(rows) + 1);
	EQUAL(r.unknown, 0);
	SAME(str_c(r.problem), NOTHING);
	keeper_end(&k);
	audit_where = "off";
}

/* What cannot be recorded does not happen. */
static void
test_keep_audit_fails(void)
{
	struct keeper k;
	struct cfg cfg;
	int keep, fd[2];

	audit_where = path_of("audit");
	(void)unlink(audit_where);
	shelf_start(&cfg, &k);
	ENDED(wanted(&k, "GitHub", true), E_NONE);
	keep = k.audit->fd;
	k.audit->fd = -1;
	for (int i = 0; i < 3; i++) {
		ENDED(wanted(&k, "GitHub", true), E_AUDIT);
		ENDED(wanted(&k, "Nobody", true), E_AUDIT);
		ENDED(asked(&k, HEALTH, NULL, NOTHING), E_AUDIT);
		ENDED(read_uri(&k, S("onepassword://status")), E_AUDIT);
		if (i == 0)
			k.audit->fd = open(audit_where, O_RDONLY);
		if (i == 1) {
			(void)close(k.audit->fd);
			if (!CHECK(pipe2(fd, O_NONBLOCK) == 0))
				return;
			while (write(fd[1], "x", 1) == 1)
				;
			k.audit->fd = fd[1];
			k.audit->file = false;
		}
	}
	CHECK(is_zero(k.reply.base, 64));
	(void)close(fd[0]);
	(void)close(fd[1]);
	k.audit->fd = keep;
	k.audit->file = true;
	k.audit->size = UINT64_MAX;
	ENDED(wanted(&k, "GitHub", true), E_NONE);
	keeper_end(&k);
	(void)close(keep);
	/* a directory, a place where nothing can be made, no descriptor */
	for (int i = 0; i < 6; i++) {
		int err = dup(STDERR_FILENO), null = open("/dev/null",
		    O_WRONLY);

		audit_where = i == 0 ? dir : i == 1 ? path_of("none/audit") :
		    i == 2 ? "fd:abc" : i == 3 ? "fd:" : i == 4 ? "fd:-1" :
		    "fd:987654";
		(void)dup2(null, STDERR_FILENO);
		shelf_start(&cfg, &k);
		(void)dup2(err, STDERR_FILENO);
		(void)close(err);
		(void)close(null);
		EQUAL(k.audit->fd, -1);
		ENDED(wanted(&k, "GitHub", true), E_AUDIT);
		CHECK(i < 2 || access(audit_where, F_OK) != 0);
		keeper_end(&k);
	}
	audit_where = "off";
}

/* ---- lists, masks, references and changes on the shelf ---- */

/* A tool call: the frame's payload. ask says that the host can ask. */
static struct str
tool_called_asking(struct keeper *k, const char *name, const char *args,
    bool ask)
{
	return keeper_frame(k, JOIN(&T, S("{\"method\":\"tools/call\","
	    "\"ask\":"), ask ? S("true") : S("false"), S(",\"params\":{"
	    "\"name\":\""), str_c(name), S("\",\"arguments\":"),
	    quotes(args), S("}}")));
}

static struct str
tool_called(struct keeper *k, const char *name, const char *args)
{
	return tool_called_asking(k, name, args, false);
}

/* Every word of the query in title, tags or websites; tag, category and
 * state. */
static void
test_tool_is_found(void)
{
	static const struct {
		struct search q;
		bool found;
	} rows[] = {
		{ { .active = true }, true }, { { .archived = true }, false },
		{ { B("git"), .active = true }, true },
		{ { B("GIT HUB"), .active = true }, true },
		{ { B("hub git"), .active = true }, true },
		{ { B("  git  "), .active = true }, true },
		{ { B("git prod"), .active = true }, true },
		{ { B("git EXAMPLE.com"), .active = true }, true },
		{ { B("git no"), .active = true }, false },
		{ { B("githubs"), .active = true }, false },
		{ { B(" "), .active = true }, true },
		{ { B(""), .active = true }, true },
		{ { B("git"), .archived = true }, false },
		{ { .tag = B("env"), .active = true }, true },
		{ { .tag = B("ENV/Prod"), .active = true }, true },
		{ { .tag = B("env/pro"), .active = true }, false },
		{ { .tag = B("en"), .active = true }, false },
		{ { .category = B("001"), .active = true }, true },
		{ { .category = B("002"), .active = true }, false },
		{ { B("git"), B("env"), B("001"), true, true }, true },
		{ { B("git"), B("env"), B("003"), true, true }, false },
	};
	static const struct str tag = B("env/prod");
	static const struct str url = B("https://example.com/x");
	/* bait is not labelled */
	static const struct str label[] = { B("AI:Canary"), B("work"),
		B("ai:canary/x") };
	static const char *const never[] = { "canary", "ai:", "AI:CANARY",
		"ai:canary/x" };
	struct item_ref bait;
	u8 room[64];
	struct out o;
	struct jw w = { &o, false };
	struct item_ref it = { .title = S("GitHub"), .tag = &tag, .url = &url,
		.tags = 1, .urls = 1, .category = S("001") };

	for (size_t i = 0; i < LEN(rows); i++) {
		char row[16];

		(void)snprintf(row, sizeof row, "%zu", i);
		run.row = row;
		EQUAL(tool_is_found(&rows[i].q, &it), rows[i].found);
		it.state = ITEM_ARCHIVED;
		EQUAL(tool_is_found(&rows[i].q, &it), rows[i].q.archived &&
		    (rows[i].found || !rows[i].q.active));
		it.state = ITEM_ACTIVE;
	}
	run.row = NULL;
	bait = (struct item_ref){ .title = S("x"), .tag = label,
		.tags = LEN(label) };
	for (size_t i = 0; i < LEN(never); i++) {
		run.row = never[i];
		CHECK(!tool_is_found(&(struct search){ .query =
		    str_c(never[i]), .active = true }, &bait));
		CHECK(!tool_is_found(&(struct search){ .tag = str_c(never[i]),
		    .active = true }, &bait));
	}
	run.row = NULL;
	CHECK(tool_is_found(&(struct search){ .tag = S("work"),
	    .active = true }, &bait));
	out_init(&o, room, sizeof room);
	tool_put_names(&w, S("tags"), label, LEN(label));
	SAME(out_str(&o), S("\"tags\":[\"work\"]"));
	out_init(&o, room, sizeof room);
	w.comma = false;
	tool_put_names(&w, S("tags"), label, 1);
	SAME(out_str(&o), S(""));
	CHECK(tool_is_in(S("abc"), S("BC")) && !tool_is_in(S("ab"), S("abc")));
	CHECK(tool_is_in(S("x\xc3\xa9"), S("\xc3\xa9")) &&
	    tool_is_in(NOTHING, S("")) && !tool_is_in(NOTHING, S("a")));
}

/* Pages of every size show each item that fits once, in the order of the
 * list, and none that is hidden. */
static void
test_tool_pages(void)
{
	static const size_t limit[] = { 1, 2, 7, 50, 100 };
	static const struct str hidden = B("ai:deny");
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (int i = 1; i < 130; i++) {
		char title[16];

		(void)snprintf(title, sizeof title, "Item %d", i);
		shelf_put(title, i % 5 == 0 ? ITEM_ARCHIVED : i % 11 == 0 ?
		    ITEM_DELETED : ITEM_ACTIVE);
		if (i % 7 == 0) {
			shelf.ref[shelf.refs - 1].tag = &hidden;
			shelf.ref[shelf.refs - 1].tags = 1;
		}
	}
	for (size_t i = 0; i < 2 * LEN(limit); i++) {
		struct str cursor = NOTHING, got;
		size_t at = 0, pages = 0;
		bool all = i % 2 > 0;

		do {
			char args[160], path[32];
			size_t n = 0;

			(void)snprintf(args, sizeof args, "{'vault':'AI',"
			    "'limit':%zu%s%s%.*s%s}", limit[i / 2], all ?
			    ",'state':'all'" : "", cursor.p != NULL ?
			    ",'cursor':'" : "", FMT(cursor), cursor.p != NULL ?
			    "'" : "");
			got = tool_called(&k, "list_items", args);
			ENDED(got, E_NONE);
			for (;; n++, at++) {
				struct str id;

				(void)snprintf(path, sizeof path,
				    "data>items>%zu>id", n);
				id = text_of(got, path);
				if (id.n == 0)
					break;
				while (at < shelf.refs && (shelf.ref[at].tags >
				    0 || shelf.ref[at].state == ITEM_DELETED ||
				    (!all && shelf.ref[at].state !=
				    ITEM_ACTIVE)))
					at++;
				if (CHECK(at < shelf.refs))
					SAME(id, shelf.ref[at].id);
			}
			cursor = text_of(got, "data>next_cursor");
			CHECK(n <= limit[i / 2]);
			EQUAL(cursor.n > 0 ? n : limit[i / 2], limit[i / 2]);
		} while (cursor.n > 0 && ++pages < 200);
		for (; at < shelf.refs; at++)
			CHECK(shelf.ref[at].tags > 0 || shelf.ref[at].state !=
			    ITEM_ACTIVE);
	}
	/* a title that was looked for in vain is there once a list shows it */
	ENDED(tool_called(&k, "get_item", "{'item':'Later'}"), E_ITEM);
	shelf_put("Later", ITEM_ACTIVE);
	ENDED(tool_called(&k, "get_item", "{'item':'Later'}"), E_ITEM);
	ENDED(tool_called(&k, "list_items", "{'limit':1}"), E_NONE);
	ENDED(tool_called(&k, "get_item", "{'item':'Later'}"), E_NONE);
	ENDED(tool_called(&k, "list_items", "{'cursor':'x'}"), E_ARGUMENT);
	ENDED(tool_called(&k, "list_items", "{'category':'Nope'}"),
	    E_ARGUMENT);
	ENDED(tool_called(&k, "list_items", "{'tag':' x'}"), E_NAME);
	ENDED(tool_called(&k, "list_items", "{'vault':'Private'}"), E_VAULT);
	ENDED(tool_called(&k, "list_items", "{'limit':0}"), E_ARGUMENT);
	SAME(path_at(tool_called(&k, "list_items", "{'vault':'Work'}"),
	    "data>items"), S("[]"));
	keeper_end(&k);
}

/* Make up fields whose ids, titles and sections collide as often as not. */
static void
shelf_random_fields(void)
{
	static const char *const name[] = { "a", "A", "b", "notes", "password",
		"", "with/slash", "q?x", " b", "\xc3\xa9", "n.o-t_e s",
		"notesPlain" };

	shelf.fields = 1 + rnd(10);
	for (size_t i = 0; i < LEN(shelf.section); i++)
		shelf.section[i] = (struct section){
			str_c(name[rnd(LEN(name))]),
			str_c(name[rnd(LEN(name))]) };
	for (size_t i = 0; i < shelf.fields; i++)
		shelf.field[i] = (struct field){
			.id = str_c(name[rnd(LEN(name))]),
			.title = str_c(name[rnd(LEN(name))]),
			.in = rnd(3) == 0 ? NULL :
			&shelf.section[rnd(LEN(shelf.section))],
			.kind = rnd(6) == 0 ? KIND_NOTES : KIND_TEXT,
			.value = { (const u8 *)"v", 1 } };
}

/* Each reference that get_item gives out means its own field and no other,
 * followed as read_secret does. */
static void
test_tool_put_reference(void)
{
	struct keeper k;
	struct cfg cfg;
	size_t mark, given = 0, none = 0;

	shelf_start(&cfg, &k);
	mark = T.used;
	for (unsigned round = 0; round < ROUNDS(1000); round++) {
		bool title = rnd(2) > 0;
		struct str got, args;

		shelf_random_fields();
		args = JOIN(&T, S("{'item':'"), title ? S("GitHub") :
		    shelf.ref[0].id, S("'}"));
		got = tool_called(&k, "get_item", cstr(args));
		ENDED(got, E_NONE);
		for (size_t i = 0; i < shelf.fields; i++) {
			struct item it;
			struct shown s;
			const struct vault *vault;
			struct ref r;
			struct err e = { 0 };
			struct str text;
			char path[48];

			(void)snprintf(path, sizeof path,
			    "data>fields>%zu>reference", i);
			text = text_of(got, path);
			given += text.n > 0;
			none += text.n == 0;
			if (text.n == 0)
				continue;
			if (!CHECK(ref_parse(text, true, &r, &e)) ||
			    !CHECK(tool_follow(&k, &r, &vault, &it, &s, &e)) ||
			    !EQUAL(s.field - shelf.field, i)) {
				show(text);
				(void)printf("\n");
			}
			SAME(vault->id, shelf_vault[0].id);
		}
		mem_reset(&k.scratch, 0);
		mem_reset(&T, mark);
	}
	CHECK(given > ROUNDS(1000) && none > 0);
	keeper_end(&k);
}

/* Whatever the kind that protects, get_item shows none of it; and what a rule
 * keeps back is masked as well. */
static void
test_tool_look_masks(void)
{
	static const char *const policy[] = { "", "deny reveal", "ask reveal",
		"deny reveal field *" };
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t round = 0; round < LEN(policy); round++) {
		struct str got;
		size_t n = 0, seen = 0;

		k.policy = policy_of(str_c(policy[round]));
		for (size_t i = 0; i < LEN(kinds); i++)
			for (int p = FOR_NOTHING; p <= FOR_PASSWORD && n <
			    LEN(shelf.field); p += 2)
				shelf.field[n++] = field_of(S("id"),
				    S("title"), (enum kind)i, (enum purpose)p,
				    "s3cret");
		shelf.fields = n;
		for (size_t i = 0; i < n; i++)
			if (round == 0 && !item_is_protected(&shelf.field[i]))
				shelf.field[i].value = (struct secret){
					(const u8 *)"open", 4 };
		got = tool_called(&k, "get_item", "{'item':'GitHub'}");
		ENDED(got, E_NONE);
		EQUAL(str_search(got, S("s3cret")) == got.n, true);
		for (size_t i = 0; i < n; i++) {
			char path[48];

			(void)snprintf(path, sizeof path,
			    "data>fields>%zu>value", i);
			seen += path_at(got, path).n > 0;
			EQUAL(path_at(got, path).n > 0, round == 0 &&
			    !item_is_protected(&shelf.field[i]));
		}
		EQUAL(seen > 5, round == 0);
	}
	for (int i = 0; i < 3; i++) {   /* by what it is called */
		static const char *const title[] = { "Account number",
			"API key", "recovery code" };

		shelf.fields = 1;
		shelf.field[0] = field_of(S("x"), str_c(title[i]), KIND_TEXT,
		    FOR_NOTHING, "s3cret");
		k.policy = policy_of(S(""));
		ENDED(tool_called(&k, "get_item", "{'item':'GitHub'}"),
		    E_NONE);
		k.policy = policy_of(S("deny list"));
		ENDED(tool_called(&k, "get_item", "{'item':'GitHub'}"),
		    E_POLICY);
	}
	keeper_end(&k);
}

/* Every item of the vectors, as get_item shows it: none of its protected
 * values is in the frame, and every reference leads to its field. */
static void
test_tool_look_vectors(void)
{
	struct keeper k;
	struct cfg cfg;
	uint32_t list;
	unsigned fields = 0, hidden = 0;

	keeper_start(&cfg, &k);
	list = json_get(&onep.items, ROOT, S("cases"));
	for (uint32_t c = json_first(&onep.items, list); c;
	    c = json_next(&onep.items, list, c)) {
		uint32_t stored = json_get(&onep.items, c, S("stored"));
		struct str id = member_of(&onep.items, stored, "uuid"), got;
		size_t mark = T.used;
		struct err e = { 0 };
		struct item it;

		run.row = cstr(member_of(&onep.items, c, "name"));
		k.gate->calls.full_ms = 0;
		got = keeper_call(&k, cstr(JOIN(&T, S("{\"name\":\"get_item\","
		    "\"arguments\":{\"item\":\""), id, S("\"}}"))), &e);
		if (!json_is_str(&onep.items, stored, S("trashed"), S("N"))) {
			FAILED(e, E_ARCHIVED);
			continue;
		}
		FAILED(e, E_NONE);
		keep_start(&k);
		CHECK(k.be->item(SA(&k), S(VAULT), id, &it, &e));
		FAILED(e, E_NONE);
		for (size_t i = 0; i < it.fields; i++) {
			struct str value = value_of(&it.field[i]), ref, plain;
			struct shown s;
			struct item now;
			const struct vault *vault;
			struct ref r;
			char path[48];

			(void)snprintf(path, sizeof path, "fields>%zu>value",
			    i);
			plain = text_of(got, path);
			(void)snprintf(path, sizeof path,
			    "fields>%zu>reference", i);
			ref = text_of(got, path);
			fields++;
			if (item_is_protected(&it.field[i])) {
				CHECK(plain.n == 0);
				hidden += value.n > 0;
				CHECK(value.n < 4 ||
				    str_search(got, value) == got.n);
			} else {
				CHECK(value.n == 0 || plain.n > 0);
			}
			if (ref.n == 0 || !CHECK(ref_parse(ref, true, &r, &e)))
				continue;
			EQUAL(tool_follow(&k, &r, &vault, &now, &s, &e),
			    it.field[i].kind != KIND_OTHER);
			FAILED(e, it.field[i].kind != KIND_OTHER ? E_NONE :
			    E_KIND);
			EQUAL(s.field - now.field, i);
			e = (struct err){ 0 };
		}
		mem_reset(&k.scratch, 0);
		mem_reset(&T, mark);
	}
	CHECK(fields > 50 && hidden > 20);
	run.row = NULL;
	keeper_end(&k);
}

/* What rules and tags alone say of a field that is not protected. */
static void
test_tool_rules_say(void)
{
	static const struct {
		const char *policy, *tag;
		enum verdict user, password;
	} rows[] = {
		{ "", "", ALLOW, ALLOW }, { "deny reveal", "", DENY, DENY },
		{ "ask reveal", "", ASK, ASK },
		{ "deny reveal field username", "", DENY, ALLOW },
		{ "deny reveal field USER*", "", DENY, ALLOW },
		{ "deny reveal\npermit reveal field username", "", ALLOW,
		    DENY },
		{ "deny list", "", ALLOW, ALLOW },
		{ "deny write", "", ALLOW, ALLOW },
		{ "", "ai:deny", DENY, DENY }, { "", "ai:ask", ASK, ASK },
		{ "", "ai:use-only", DENY, DENY },
		{ "permit reveal", "ai:ask/x", ASK, ASK },
		{ "deny reveal tag x", "x", DENY, DENY },
		{ "deny reveal tag x", "y", ALLOW, ALLOW },
		{ "limit 1/1d reveal", "", ALLOW, ALLOW },
	};
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t i = 0; i < 3 * LEN(rows); i++) {
		struct str tag = str_c(rows[i / 3].tag);
		struct item it = { .ref = shelf.ref[0], .field = shelf.field,
			.fields = 2 };

		run.row = rows[i / 3].policy;
		cfg.reveal = i % 3;     /* does not matter here */
		k.policy = policy_of(str_c(rows[i / 3].policy));
		it.ref.tag = &tag;
		it.ref.tags = tag.n > 0;
		EQUAL(tool_rules_say(&k, &shelf_vault[0], &it,
		    &shelf.field[0]), rows[i / 3].user);
		EQUAL(tool_rules_say(&k, &shelf_vault[0], &it,
		    &shelf.field[1]), rows[i / 3].password);
		EQUAL(cfg.reveal, i % 3);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Vaults that may be used, which is the default, and which can be written. */
static void
test_tool_vaults(void)
{
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (int i = 0; i < 3; i++) {
		struct str got;

		cfg.write = i == 0 ? DENY : i == 1 ? ASK : ALLOW;
		got = tool_called(&k, "list_vaults", "{}");
		ENDED(got, E_NONE);
		SAME(path_at(got, "data>vaults"), JOIN(&T, S("[{\"id\":\""
		    SHELF("2") "\",\"name\":\"AI\",\"default\":true,"
		    "\"writable\":"), i > 0 ? S("true") : S("false"),
		    S("},{\"id\":\"" SHELF("3") "\",\"name\":\"Work\","
		    "\"default\":false,\"writable\":false}]")));
	}
	cfg.vaults = "*";
	CHECK(str_search(tool_called(&k, "list_vaults", "{}"),
	    S("\"default\":true")) > 100);
	EQUAL(shelf.lists + shelf.items, 0);
	keeper_end(&k);
}

/* How references end: by word, and what each may see. */
static void
test_tool_secret(void)
{
	static const struct {
		const char *reference, *policy;
		enum verdict reveal;
		enum err_code code;
		const char *value;
	} rows[] = {
		{ "op://AI/GitHub/password", "", ALLOW, E_NONE, "s3cret" },
		{ "op://ai/github/PASSWORD", "", ALLOW, E_NONE, "s3cret" },
		{ "op://AI/GitHub/password", "", DENY, E_POLICY, NULL },
		{ "op://AI/GitHub/password", "", ASK, E_CANNOT_ASK, NULL },
		{ "op://AI/GitHub/password", "permit reveal", DENY, E_NONE,
		    "s3cret" },
		{ "op://AI/GitHub/username", "", DENY, E_NONE, "octo" },
		{ "op://AI/GitHub/username", "deny reveal field username",
		    ALLOW, E_POLICY, NULL },
		{ "op://AI/GitHub/username", "deny list", ALLOW, E_POLICY,
		    NULL },
		{ "op://AI/GitHub/none", "", ALLOW, E_FIELD, NULL },
		{ "op://AI/GitHub/none/password", "", ALLOW, E_SECTION, NULL },
		{ "op://AI/None/password", "", ALLOW, E_ITEM, NULL },
		{ "op://AI/Old/password", "", ALLOW, E_ITEM, NULL },
		{ "op://Private/GitHub/password", "", ALLOW, E_VAULT, NULL },
		{ "op://None/GitHub/password", "", ALLOW, E_VAULT, NULL },
		{ "op://AI/GitHub", "", ALLOW, E_REF, NULL },
		{ "op://AI/GitHub/password?x=y", "", ALLOW, E_REF, NULL },
		{ "GitHub", "", ALLOW, E_REF, NULL },
		{ "op://AI//password", "", ALLOW, E_ITEM, NULL },
		{ "op:///GitHub/password", "", ALLOW, E_VAULT, NULL },
		{ "op://AI/GitHub/password?attribute=otp", "", ALLOW,
		    E_NOT_OTP, NULL },
		{ "op://AI/GitHub/password?ssh-format=openssh", "", ALLOW,
		    E_NOT_SSH, NULL },
		{ "op://AI/GitHub/seed", "", ALLOW, E_POLICY, NULL },
		{ "op://AI/GitHub/seed", "permit reveal", ALLOW, E_POLICY,
		    NULL },
		{ "op://AI/GitHub/seed", "permit reveal field seed", ALLOW,
		    E_NONE, "JBSWY3DPEHPK3PXP" },
		{ "op://AI/GitHub/seed?attribute=otp", "", DENY, E_POLICY,
		    NULL },
		{ "op://AI/GitHub/bad?attribute=otp", "", ALLOW, E_OTP, NULL },
		{ "op://AI/GitHub/key?ssh-format=openssh", "", ALLOW,
		    E_SSH, NULL },
		{ "op://AI/GitHub/file", "", ALLOW, E_NONE,
		    "a small text\n" },
		{ "op://AI/GitHub/file", "", DENY, E_POLICY, NULL },
		{ "op://AI/GitHub/other", "", ALLOW, E_KIND, NULL },
	};
	struct keeper k;
	struct cfg cfg;
	struct str got;

	shelf_start(&cfg, &k);
	shelf_put("Old", ITEM_ARCHIVED);
	shelf.field[2] = field_of(S("TOTP_1"), S("seed"), KIND_TOTP,
	    FOR_NOTHING, "JBSWY3DPEHPK3PXP");
	shelf.field[3] = field_of(S("TOTP_2"), S("bad"), KIND_TOTP,
	    FOR_NOTHING, "s3cret!");
	shelf.field[4] = field_of(S("k"), S("key"), KIND_SSH_KEY, FOR_NOTHING,
	    "s3cret");
	shelf.field[5] = field_of(S("f"), S("file"), KIND_FILE, FOR_NOTHING,
	    NULL);
	shelf.field[6] = field_of(S("o"), S("other"), KIND_OTHER, FOR_NOTHING,
	    NULL);
	shelf.fields = 7;
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].reference;
		cfg.reveal = rows[i].reveal;
		k.policy = policy_of(str_c(rows[i].policy));
		got = tool_called(&k, "read_secret", cstr(JOIN(&T,
		    S("{'reference':'"), str_c(rows[i].reference), S("'}"))));
		ENDED(got, rows[i].code);
		SAME(text_of(got, "data>value"), str_c(rows[i].value));
		CHECK(rows[i].code == E_NONE || (str_search(got, S("s3cret"))
		    == got.n && str_search(got, S("JBSWY")) == got.n));
	}
	run.row = "code";
	cfg.reveal = ALLOW;
	k.policy = policy_of(S(""));
	got = tool_called(&k, "read_secret", "{'reference':"
	    "'op://AI/GitHub/seed?attribute=otp'}");
	ENDED(got, E_NONE);
	EQUAL(text_of(got, "data>value").n, 6);
	SAME(path_at(got, "data>seconds_left"), S("25"));
	CHECK(str_search(got, S("JBSWY")) == got.n);
	shelf.file = S("\xff\xfe");
	ENDED(tool_called(&k, "read_secret", "{'reference':"
	    "'op://AI/GitHub/file'}"), E_NOT_TEXT);
	run.row = NULL;
	keeper_end(&k);
}

/* A keeper that may change items; ai:ask and the like stay what they are. */
static void
shelf_writing(struct cfg *cfg, struct keeper *k)
{
	shelf_start(cfg, k);
	cfg->write = ALLOW;
	k->cat = &opmcp_writing;
}

/* What is wrong about a field is told of no item that is bait or hidden. */
static void
test_tool_follow(void)
{
	static const char *const refs[] = { "nope", "nosec/x", "nosec/password",
		"password?attribute=otp", "password?ssh-format=openssh",
		"password", "username" };
	struct str bait = S("ai:canary"), hidden = S("ai:deny");
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t i = 0; i < 2 * LEN(refs); i++) {
		bool canary = i < LEN(refs);

		run.row = refs[i % LEN(refs)];
		memset(k.gate, 0, sizeof *k.gate);
		shelf.ref[0].tag = canary ? &bait : &hidden;
		shelf.ref[0].tags = 1;
		ENDED(tool_called(&k, "read_secret", cstr(JOIN(&T,
		    S("{'reference':'op://AI/GitHub/"), str_c(run.row),
		    S("'}")))), canary ? E_ITEM : E_POLICY);
		EQUAL(k.gate->locked, canary);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* A person's word for ten minutes covers the fields of an item, not the seed
 * of its one-time passwords: that is asked about each time. */
static void
test_tool_seed_asks(void)
{
	static const char *const args =
	    "{'reference':'op://AI/GitHub/seed'}";
	struct str got;
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	shelf.field[2] = field_of(S("TOTP_1"), S("seed"), KIND_TOTP,
	    FOR_NOTHING, "JBSWY3DPEHPK3PXP");
	shelf.fields = 3;
	cfg.reveal = ASK;
	got = tool_called_asking(&k, "read_secret",
	    "{'reference':'op://AI/GitHub/password'}", true);
	ENDED(got, E_ASK);
	CHECK(str_search(got, S("10 minutes")) < got.n);
	CHECK(str_search(got, S("any field of this item")) < got.n);
	(void)tool_pass_is_valid(&k, ACT_REVEAL, shelf.ref[0].id, NOTHING,
	    true);
	ENDED(tool_called_asking(&k, "read_secret",
	    "{'reference':'op://AI/GitHub/password'}", true), E_NONE);
	got = tool_called_asking(&k, "read_secret", args, true);
	ENDED(got, E_ASK);
	CHECK(str_search(got, S("10 minutes")) == got.n);
	ENDED(tool_called_asking(&k, "read_secret",
	    "{'reference':'op://AI/GitHub/seed?attribute=otp'}", true), E_NONE);
	keeper_end(&k);
}

/* Which changes are carried out: arguments, rules, tags, and nothing that
 * would lift a restriction. */
static void
test_write_calls(void)
{
#define UPDATE "update_1password_credential"
#define CREATE "create_1password_credential"
	static const struct {
		const char *tool, *args, *policy, *tag;
		enum err_code code;
	} rows[] = {
		{ UPDATE, "{'item':'GitHub','title':'X'}", "", "", E_NONE },
		{ UPDATE, "{'item':'GitHub','password':'n'}", "", "", E_NONE },
		{ UPDATE, "{'item':'GitHub'}", "", "", E_ARGUMENT },
		{ UPDATE, "{'item':'None','title':'X'}", "", "", E_ITEM },
		{ UPDATE, "{'item':'GitHub','title':' X'}", "", "", E_NAME },
		{ UPDATE, "{'item':'GitHub','title':''}", "", "", E_ARGUMENT },
		{ UPDATE, "{'item':'GitHub','vault':'Private','title':'X'}",
		    "", "", E_VAULT },
		{ UPDATE, "{'item':'GitHub','password':'n','generate':'32'}",
		    "", "", E_ARGUMENT },
		{ UPDATE, "{'item':'GitHub','password':'n','fields':[{'label':"
		    "'password','value':'m'}]}", "", "", E_ARGUMENT },
		{ UPDATE, "{'item':'GitHub','fields':[{'label':'a','value':"
		    "'m'},{'label':'A','value':'m'}]}", "", "", E_ARGUMENT },
		{ UPDATE, "{'item':'GitHub','fields':[{'label':'a','value':"
		    "'m'},{'label':'a','section':'S','value':'m'}]}", "", "",
		    E_NONE },
		{ UPDATE, "{'item':'GitHub','fields':[{'label':'a','value':"
		    "'m','kind':'Nope'}]}", "", "", E_ARGUMENT },
		{ UPDATE, "{'item':'GitHub','fields':[{'label':'a','value':"
		    "'m','kind':'File'}]}", "", "", E_ARGUMENT },
		{ UPDATE, "{'item':'GitHub','fields':[{'label':'password',"
		    "'value':'m','kind':'Text'}]}", "", "", E_EDIT },
		{ UPDATE, "{'item':'GitHub','fields':[{'label':'a','value':"
		    "'no!','kind':'totp'}]}", "", "", E_EDIT },
		{ UPDATE, "{'item':'GitHub','fields':[{'label':' a','value':"
		    "'m'}]}", "", "", E_NAME },
		{ UPDATE, "{'item':'GitHub','tags':['a','a']}", "", "",
		    E_ARGUMENT },
		{ UPDATE, "{'item':'GitHub','tags':['a','b']}", "", "x",
		    E_NONE },
		{ UPDATE, "{'item':'GitHub','tags':[]}", "", "ai:ok", E_EDIT },
		{ UPDATE, "{'item':'GitHub','tags':['x']}", "", "AI:Ok/x",
		    E_EDIT },
		{ UPDATE, "{'item':'GitHub','tags':['x']}", "",
		    " \xe2\x80\x8b" "ai:ok", E_EDIT },
		{ UPDATE, "{'item':'GitHub','tags':['ai:ok','x']}", "",
		    "ai:ok", E_NONE },
		{ UPDATE, "{'item':'GitHub','tags':['ai:deny']}", "", "",
		    E_EDIT },
		{ UPDATE, "{'item':'GitHub','notes':'n'}", "", "ai:deny",
		    E_POLICY },
		{ UPDATE, "{'item':'GitHub','notes':'n'}", "", "ai:use-only",
		    E_POLICY },
		{ UPDATE, "{'item':'GitHub','notes':'n'}", "", "ai:ask",
		    E_CANNOT_ASK },
		{ UPDATE, "{'item':'GitHub','notes':'n'}", "deny write", "",
		    E_POLICY },
		{ UPDATE, "{'item':'GitHub','notes':'n'}", "ask write", "",
		    E_CANNOT_ASK },
		{ UPDATE, "{'item':'GitHub','username':'n'}",
		    "deny write field username", "", E_POLICY },
		{ UPDATE, "{'item':'GitHub','password':'n'}",
		    "deny write field username", "", E_NONE },
		{ UPDATE, "{'item':'GitHub','fields':[{'label':'NEW','value':"
		    "'m'}]}", "deny write field new", "", E_POLICY },
		{ UPDATE, "{'item':'GitHub','username':'n','password':'n'}",
		    "ask write field password", "", E_CANNOT_ASK },
		/* out of reach of a rule */
		{ UPDATE, "{'item':'GitHub','title':'X'}",
		    "deny reveal item GitHub", "", E_POLICY },
		{ UPDATE, "{'item':'GitHub','title':'GitHub 2'}",
		    "deny reveal item GitHub*", "", E_NONE },
		{ UPDATE, "{'item':'GitHub','title':'Free'}",
		    "ask reveal\npermit reveal item Free", "", E_POLICY },
		{ UPDATE, "{'item':'GitHub','tags':[]}",
		    "deny reveal tag x", "x", E_POLICY },
		{ UPDATE, "{'item':'GitHub','tags':['free']}",
		    "ask reveal\npermit reveal tag free", "x", E_POLICY },
		{ UPDATE, "{'item':'GitHub','title':'X'}",
		    "deny list item GitHub", "", E_POLICY },
		{ UPDATE, "{'item':'GitHub','title':'X'}",
		    "deny reveal item GitHub field password", "", E_POLICY },
		{ UPDATE, "{'item':'GitHub','title':'X'}",
		    "limit 1/1d reveal item GitHub", "", E_POLICY },
		{ CREATE, "{'title':'N'}", "", "", E_NONE },
		{ CREATE, "{'title':'N','category':'SecureNote'}", "", "",
		    E_NONE },
		{ CREATE, "{'title':'N','category':'Document'}", "", "",
		    E_ARGUMENT },
		{ CREATE, "{'title':'N','category':'SshKey'}", "", "",
		    E_ARGUMENT },
		{ CREATE, "{'title':'N','category':'Nope'}", "", "",
		    E_ARGUMENT },
		{ CREATE, "{'title':'N','category':'SecureNote','website':"
		    "'x'}", "", "", E_EDIT },
		{ CREATE, "{'title':'N'}", "deny write item N", "", E_POLICY },
		{ CREATE, "{'title':'N','tags':['ai:deny']}", "", "",
		    E_EDIT },
		{ CREATE, "{'title':'N','vault':'Work'}", "", "", E_DENIED },
		{ "archive_1password_credential", "{'item':'GitHub'}", "", "",
		    E_NONE },
		{ "archive_1password_credential", "{'item':'GitHub'}",
		    "deny write", "", E_POLICY },
		{ "delete_1password_credential",
		    "{'item':'GitHub','title':'GitHub'}", "", "", E_NONE },
		{ "delete_1password_credential",
		    "{'item':'GitHub','title':'github'}", "", "", E_ARGUMENT },
		{ "delete_1password_credential",
		    "{'item':'GitHub','title':'GitHub'}", "ask write", "",
		    E_CANNOT_ASK },
	};
	struct keeper k;
	struct cfg cfg;

	shelf_writing(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str tag = str_c(rows[i].tag), got;

		run.row = cstr(JOIN(&T, str_c(rows[i].args), S(" "),
		    str_c(rows[i].policy), S(" "), tag));
		shelf.ref[0].tag = &tag;
		shelf.ref[0].tags = tag.n > 0;
		shelf.writes = 0;
		memset(k.gate, 0, sizeof *k.gate);
		k.policy = policy_of(str_c(rows[i].policy));
		got = tool_called(&k, rows[i].tool, rows[i].args);
		ENDED(got, rows[i].code);
		EQUAL(shelf.writes, rows[i].code == E_NONE);
		EQUAL(path_at(got, "data>item_id").n > 0, rows[i].code ==
		    E_NONE);
	}
	run.row = "off";
	cfg.write = DENY;
	k.policy = policy_of(S(""));
	shelf.ref[0].tags = 0;
	shelf.writes = 0;
	ENDED(tool_called(&k, UPDATE, "{'item':'GitHub','notes':'n'}"),
	    E_POLICY);
	k.cat = &opmcp_catalog;
	ENDED(tool_called(&k, UPDATE, "{'item':'GitHub','notes':'n'}"),
	    E_INTERNAL);
	EQUAL(shelf.writes, 0);
	run.row = NULL;
	keeper_end(&k);
}

/* Limits count changes: of an item, of one of its fields, and of what is made
 * in a vault, whose items have no id yet. */
static void
test_write_limits(void)
{
	static const struct {
		const char *rule, *tool, *args;
		bool counted;
	} rows[] = {
		{ "limit 2/1d write vault AI", CREATE,
		    "{'title':'N','password':'x'}", true },
		{ "limit 2/1d write", CREATE, "{'title':'N'}", true },
		{ "limit 2/1d write field password", CREATE,
		    "{'title':'N','password':'x'}", true },
		{ "limit 2/1d write field password", CREATE,
		    "{'title':'N','username':'x'}", false },
		{ "limit 2/1d write", UPDATE, "{'item':'GitHub','notes':'n'}",
		    true },
		{ "limit 2/1d write item GitHub field password", UPDATE,
		    "{'item':'GitHub','password':'n'}", true },
		{ "limit 2/1d write item GitHub field notes", UPDATE,
		    "{'item':'GitHub','notes':'n'}", true },
		{ "limit 2/1d write item GitHub field website", UPDATE,
		    "{'item':'GitHub','website':'n'}", true },
		{ "limit 2/1d write item GitHub field brand*", UPDATE,
		    "{'item':'GitHub','fields':[{'label':'brand new',"
		    "'value':'n'}]}", true },
		{ "limit 2/1d write item GitHub field password", UPDATE,
		    "{'item':'GitHub','notes':'n'}", false },
		{ "limit 2/1d write", "archive_1password_credential",
		    "{'item':'GitHub'}", true },
		{ "limit 2/1d write field password",
		    "archive_1password_credential", "{'item':'GitHub'}",
		    false },
	};
	struct keeper k;
	struct cfg cfg;

	shelf_writing(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = cstr(JOIN(&T, str_c(rows[i].rule), S(" "),
		    str_c(rows[i].args)));
		memset(k.gate, 0, sizeof *k.gate);
		k.policy = policy_of(str_c(rows[i].rule));
		for (int n = 0; n < 4; n++)
			ENDED(tool_called(&k, rows[i].tool, rows[i].args),
			    rows[i].counted && n >= 2 ? E_LIMIT : E_NONE);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* A password that is made here reaches the item and no frame. */
static void
test_write_generate(void)
{
	static const char *const recipe[] = { "letters,digits,symbols,32",
		"letters,16", "digits,20", "words,5" };
	struct keeper k;
	struct cfg cfg;

	shelf_writing(&cfg, &k);
	for (size_t i = 0; i < 2 * LEN(recipe); i++) {
		struct str got = tool_called(&k, i % 2 > 0 ? CREATE : UPDATE,
		    cstr(JOIN(&T, i % 2 > 0 ? S("{'title':'N','generate':'") :
		    S("{'item':'GitHub','generate':'"), str_c(recipe[i / 2]),
		    S("'}")))), made;
		u8 hash[SHA256_LEN];
		uint64_t n = 0;

		run.row = recipe[i / 2];
		ENDED(got, E_NONE);
		if (!EQUAL(shelf.wish.fields, 1))
			continue;
		made = shelf.wish.field[0].value;
		EQUAL(shelf.wish.field[0].purpose, FOR_PASSWORD);
		CHECK(made.n >= 16);
		CHECK(str_search(got, made) == got.n);
		CHECK(str_u64(path_at(got, "data>generated>length"), 1000,
		    &n));
		EQUAL(n, made.n);
		SHA256(hash, made);
		CHECK(str_u64(path_at(got, "data>generated>entropy_bits"),
		    1000, &n));
		SAME(text_of(got, "data>generated>fingerprint"),
		    hex(hash, n >= 96 ? 4 : n >= 64 ? 2 : 0));
		EQUAL(n, shelf.wish.bits);
		CHECK(n > 40);
		for (size_t w = 0; w + 8 <= made.n; w++)        /* nor parts */
			CHECK(str_search(got, (struct str){ made.p + w, 8 }) ==
			    got.n);
	}
	ENDED(tool_called(&k, CREATE, "{'title':'N','generate':'x'}"),
	    E_ARGUMENT);
	/* nor does a password that was given come back */
	CHECK(str_search(tool_called(&k, UPDATE, "{'item':'GitHub',"
	    "'password':'gIvEn'}"), S("gIvEn")) > 100);
	SAME(shelf.wish.field[0].value, S("gIvEn"));
	run.row = NULL;
	keeper_end(&k);
}

/* Who is asked, and for how long the answer holds: a change of one item for
 * ten minutes, what makes or destroys each time. */
static void
test_write_ask(void)
{
	static const struct {
		const char *params, *words, *answer;
		bool again;             /* asked a second time */
	} rows[] = {
		{ "{\"name\":\"" UPDATE "\",\"arguments\":{\"item\":\"GitHub\","
		    "\"notes\":\"n\",\"username\":\"u\"}}", "change \"notes\", "
		    "\"username\" in the 1Password item \"GitHub\"",
		    "allow once", true },
		{ "{\"name\":\"" UPDATE "\",\"arguments\":{\"item\":\"GitHub\","
		    "\"notes\":\"n\"}}", "change \"notes\" in",
		    "allow for 10 minutes", false },
		{ "{\"name\":\"" CREATE "\",\"arguments\":{\"title\":\"N\"}}",
		    "create the 1Password item \"N\" in the vault \"AI\"",
		    "allow once", true },
		{ "{\"name\":\"archive_1password_credential\",\"arguments\":{"
		    "\"item\":\"GitHub\"}}", "archive the 1Password item "
		    "\"GitHub\"", "allow once", true },
		{ "{\"name\":\"delete_1password_credential\",\"arguments\":{"
		    "\"item\":\"GitHub\",\"title\":\"GitHub\"}}",
		    "delete for good the", "allow once", true },
	};
	struct keeper k;
	struct cfg cfg;

	for (size_t i = 0; i < LEN(rows); i++) {
		struct str got, text, state;
		struct str yes = JOIN(&T, S("{\"approval\":{\"action\":"
		    "\"accept\",\"content\":{\"answer\":\""),
		    str_c(rows[i].answer), S("\"}}}"));

		run.row = rows[i].words;
		shelf_writing(&cfg, &k);
		cfg.write = ASK;
		got = asked(&k, rows[i].params, NULL, NOTHING);
		ENDED(got, E_ASK);
		text = text_of(got, "ask>approval>params>message");
		CHECK(str_search(text, str_c(rows[i].words)) < text.n);
		/* ten minutes are offered for changes only */
		EQUAL(str_search(got, S("10 minutes")) < got.n, i < 2);
		EQUAL(shelf.writes, 0);
		state = text_of(got, "state");
		got = keeper_frame(&k, JOIN(&T, S("{\"method\":\"tools/call\","
		    "\"ask\":true,\"params\":"), str_c(rows[i].params),
		    S(",\"answers\":"), yes, S(",\"state\":\""), state,
		    S("\"}")));
		ENDED(got, E_NONE);
		EQUAL(shelf.writes, 1);
		got = keeper_frame(&k, JOIN(&T, S("{\"method\":\"tools/call\","
		    "\"ask\":true,\"params\":"), str_c(rows[i].params),
		    S("}")));
		ENDED(got, rows[i].again ? E_ASK : E_NONE);
		EQUAL(shelf.writes, rows[i].again ? 1 : 2);
		if (!rows[i].again) {   /* but not for another act */
			ENDED(asked(&k, rows[4].params, NULL, NOTHING), E_ASK);
			cfg.reveal = ASK;
			ENDED(asked(&k, GITHUB, NULL, NOTHING), E_ASK);
			fake_ms += PASS_MS + 1;
			ENDED(asked(&k, rows[i].params, NULL, NOTHING), E_ASK);
		}
		got = asked(&k, rows[i].params, NULL, NOTHING);
		state = text_of(got, "state");
		shelf.writes = 0;
		ENDED(keeper_frame(&k, JOIN(&T, S("{\"method\":\"tools/call\","
		    "\"ask\":true,\"params\":"), str_c(rows[i].params),
		    S(",\"answers\":{\"approval\":{\"action\":\"accept\","
		    "\"content\":{\"answer\":\"refuse\"}}},\"state\":\""),
		    state, S("\"}"))), E_REFUSED);
		EQUAL(shelf.writes, 0);
		run.row = NULL;
		keeper_end(&k);
	}
}

/* A change is on record before it is sent, and how it ended afterwards; when
 * it cannot be recorded, nothing is sent. */
static void
test_write_audit(void)
{
	struct keeper k;
	struct cfg cfg;
	struct str text, one;
	size_t from = 0;

	audit_where = path_of("audit");
	(void)unlink(audit_where);
	shelf_writing(&cfg, &k);
	for (int i = 0; i < 3; i++) {
		static const enum err_code fails[] = { E_NONE, E_CONFLICT,
			E_UNSURE };
		struct str got;

		shelf.write_fails = fails[i];
		got = tool_called(&k, UPDATE,
		    "{'item':'GitHub','password':'gIvEn'}");
		ENDED(got, fails[i]);
		text = audit_since(&from);
		if (i == 0 && CHECK(str_cut(&text, '\n', &one)))
			SAME(text_of(one, "event"), S("START"));
		if (!CHECK(str_cut(&text, '\n', &one)))
			break;
		SAME(text_of(one, "event"), S("WRITE_BEGINS"));
		SAME(text_of(one, "tool"), S(UPDATE));
		SAME(text_of(one, "item"), shelf.ref[0].id);
		/* it was in the file when the service was called */
		EQUAL(shelf.audit_at_write, from - text.n);
		if (!CHECK(str_cut(&text, '\n', &one)))
			break;
		SAME(text_of(one, "event"), i == 0 ? S("WRITE") : i == 1 ?
		    S("FAILED") : S("UNCONFIRMED"));
		SAME(text_of(one, "decision"), i == 1 ? S("deny") :
		    S("allow"));
		EQUAL(text.n, 0);
	}
	CHECK(str_search(slurp(audit_where), S("gIvEn")) ==
	    slurp(audit_where).n);
	shelf.write_fails = E_NONE;
	shelf.writes = 0;
	/* the record ends after the change: nobody may think it was not made */
	shelf.cut = k.audit;
	text = tool_called(&k, UPDATE, "{'item':'GitHub','notes':'n'}");
	ENDED(text, E_AUDIT);
	CHECK(str_search(text, S("the change was made")) < text.n);
	EQUAL(shelf.writes, 1);
	shelf.cut = NULL;
	text = tool_called(&k, UPDATE, "{'item':'GitHub','notes':'n'}");
	ENDED(text, E_AUDIT);
	CHECK(str_search(text, S("the change was made")) == text.n);
	EQUAL(shelf.writes, 1);
	keeper_end(&k);
	audit_where = "off";
}

/* An item without username and password gets them: a Login its built-in ones,
 * another category fields of these names. */
static void
test_write_login(void)
{
	struct keeper k;
	struct cfg cfg;

	shelf_writing(&cfg, &k);
	shelf.fields = 0;
	for (int i = 0; i < 2; i++) {
		const struct wish_field *f = shelf.wish.field;

		shelf.ref[0].category = i > 0 ? S("110") : CATEGORY_LOGIN;
		ENDED(tool_called(&k, UPDATE, "{'item':'GitHub','username':"
		    "'u','password':'p'}"), E_NONE);
		if (!EQUAL(shelf.wish.fields, 2))
			break;
		EQUAL(f[0].purpose, i > 0 ? FOR_NOTHING : FOR_USERNAME);
		EQUAL(f[1].purpose, i > 0 ? FOR_NOTHING : FOR_PASSWORD);
		EQUAL(f[0].kind, KIND_TEXT);
		EQUAL(f[1].kind, KIND_CONCEALED);
		CHECK(f[0].old == NULL && f[1].old == NULL);
		SAME(f[0].label, S("username"));
		SAME(f[1].label, S("password"));
		SAME(f[1].value, S("p"));
	}
	keeper_end(&k);
}

/* Errors of the service while writing end the call by their word. */
static void
test_write_errors(void)
{
	static const enum err_code rows[] = { E_CONFLICT, E_UNSURE, E_DENIED,
		E_EDIT, E_LARGE, E_NET, E_SERVICE };
	struct keeper k;
	struct cfg cfg;

	shelf_writing(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		shelf.write_fails = rows[i];
		shelf.writes = 0;
		ENDED(tool_called(&k, UPDATE, "{'item':'GitHub','notes':'n'}"),
		    rows[i]);
		EQUAL(shelf.writes, 1);
	}
	keeper_end(&k);
}

/* The hash of a call's arguments in the audit line: that of their text, and
 * keyed where they can hold a value. */
static void
test_keep_hash_args(void)
{
	struct keeper k;
	struct cfg cfg;

	shelf_writing(&cfg, &k);
	for (size_t i = 0; i < LEN(tools); i++) {
		struct job b = { .tool = &tools[i] };
		u8 hash[SHA256_LEN], plain[SHA256_LEN];
		bool keyed = strcmp(tools[i].name, UPDATE) == 0 ||
		    strcmp(tools[i].name, CREATE) == 0;

		run.row = tools[i].name;
		CHECK(parses(&b.j, S("{\"a\":\"b\"}")));
		b.args = ROOT;
		keep_hash_args(&k, &b, hash);
		SHA256(plain, S("{\"a\":\"b\"}"));
		EQUAL(memcmp(hash, plain, sizeof hash) == 0, !keyed);
		cry_hmac(plain, k.asks->key, (struct str){ plain,
		    sizeof plain });
		EQUAL(memcmp(hash, plain, sizeof hash) == 0, keyed);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* The checks of the health report about what guards and records. */
static void
test_tool_guards(void)
{
	static const char *const name[] = { "audit", "sandbox", "quota" };
	struct backend unlimited;
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	unlimited = *k.be;
	unlimited.quota = false;
	for (int i = 0; i < 5; i++) {
		struct str got;

		k.audit->off = i != 1;
		k.audit->fd = -1;
		k.box.landlock = k.box.seccomp = LAYER_ACTIVE;
		if (i == 2)
			k.box.seccomp = LAYER_ABSENT;
		k.quota.day_all = i >= 3 ? plans[cfg.plan].day_all : 0;
		if (i == 4)
			k.be = &unlimited;
		{
			struct out o;
			struct jw w = { &o, false };
			struct err none = { 0 };

			out_open(&o, &T);
			jw_open(&w, '{');
			tool_put_health(&k, false, &none, &w);
			jw_close(&w, '}');
			got = out_close(&o, &T);
		}
		for (size_t c = 0; c < LEN(name); c++) {
			char path[32];

			(void)snprintf(path, sizeof path, "checks>%zu>name",
			    c + 2);
			SAME(text_of(got, path), str_c(name[c]));
			(void)snprintf(path, sizeof path, "checks>%zu>status",
			    c + 2);
			SAME(text_of(got, path), (int)c + 1 == i ? S("fail") :
			    S("pass"));
		}
		SAME(text_of(got, "overall_status"), i == 1 ? S("unhealthy") :
		    S("healthy"));
	}
	k.audit->off = true;
	keeper_end(&k);
}

/* ---- the plan's quota ---- */

static void
quota_file(const char *text)
{
	(void)file_with("quota", str_c(text), 0600);
}

/* The counts are read as they were written; what is no such file is none. */
static void
test_quota_load(void)
{
	static const struct {
		const char *text;
		bool ok;
	} rows[] = {
		{ "1767323000 7 1767300000 99\n", true },
		{ "1767323000 7 1767300000 99", true },
		{ "0 0 0 0\n", true },
		{ "", false }, { "\n", false }, { "1767323000 7 99\n", false },
		{ "1767323000 7 1767300000 -1\n", false },
		{ "1767323000 7 1767300000 x\n", false },
		{ "1767323000  7 1767300000 99\n", false },
		{ "1767323000 7 1767300000 99999999999999\n", false },
		{ "{\"hour\":1}\n", false }, { "\xff\xfe", false },
	};
	static struct counts counts;
	struct keeper k;
	struct cfg cfg = { .state = dir };

	for (size_t i = 0; i < LEN(rows); i++) {
		struct quota none = { 0 };

		run.row = rows[i].text;
		k = (struct keeper){ .cfg = &cfg, .os = &fake_os,
			.counts = &counts };
		quota_file(rows[i].text);
		quota_load(&k);
		CHECK(k.state >= 0);
		if (rows[i].ok && rows[i].text[0] == '1') {
			EQUAL(k.quota.hour, 1767323000);
			EQUAL(k.quota.hour_reads, 7);
			EQUAL(k.quota.day, 1767300000);
			EQUAL(k.quota.day_all, 99);
			quota_save(&k);
			SAME(slurp(path_of("quota")), str_c(rows[0].text));
			CHECK(access(path_of("quota.new"), F_OK) != 0);
		} else {
			CHECK(memcmp(&k.quota, &none, sizeof none) == 0);
		}
		(void)close(k.state);
	}
	/* no file, no directory, a link in the place of the file */
	run.row = "no file";
	(void)unlink(path_of("quota"));
	k = (struct keeper){ .cfg = &cfg, .os = &fake_os };
	quota_load(&k);
	EQUAL(k.quota.day_all, 0);
	CHECK(symlink(file_with("target", S("1 2 3 4\n"), 0600),
	    path_of("quota")) == 0);
	quota_load(&k);
	EQUAL(k.quota.day_all, 0);
	(void)unlink(path_of("quota"));
	cfg.state = path_of("none");
	quota_load(&k);
	EQUAL(k.state, -1);
	quota_save(&k);
	run.row = NULL;
}

/* An hour and a day, each from its first request; one warning at 80 %. */
static void
test_quota_count(void)
{
	static const struct {
		uint64_t wait_s, sent, hour, day;
		bool warned;
	} rows[] = {
		{ 0, 0, 0, 0, false }, { 0, 3, 3, 3, false },
		{ 3599, 1, 4, 4, false }, { 1, 1, 1, 5, false },
		{ 3600, 700, 700, 705, false }, { 0, 94, 794, 799, false },
		{ 0, 1, 795, 800, true }, { 0, 5, 800, 805, true },
		{ 86400 - 7200, 1, 1, 1, false },
		{ 0, 799, 800, 800, true },
		{ (uint64_t)-7200, 5, 805, 805, true },
		{ 3600, 1, 1, 806, true },
	};
	struct keeper k;
	struct cfg cfg;
	int err = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	keeper_start(&cfg, &k);
	(void)dup2(null, STDERR_FILENO);
	EQUAL(k.state, -1);
	for (size_t i = 0; i < LEN(rows); i++) {
		char row[16];

		(void)snprintf(row, sizeof row, "%zu", i);
		run.row = row;
		fake_unix += (int64_t)rows[i].wait_s;
		k.requests = 1000;
		SA(&k)->http.requests = 1000 + rows[i].sent;
		quota_count(&k);
		EQUAL(k.quota.hour_reads, rows[i].hour);
		EQUAL(k.quota.day_all, rows[i].day);
		EQUAL(k.quota.warned, rows[i].warned);
	}
	(void)dup2(err, STDERR_FILENO);
	(void)close(err);
	(void)close(null);
	run.row = NULL;
	keeper_end(&k);
}

/* Percentiles of the durations of the last calls. */
static void
test_tool_percentile(void)
{
	struct counts c = { 0 };

	EQUAL(tool_percentile(&c, 50), 0);
	for (unsigned i = 0; i < 100; i++)
		c.ms[c.calls++] = (i * 37) % 100 + 1;   /* 1 to 100, mixed */
	EQUAL(tool_percentile(&c, 50), 50);
	EQUAL(tool_percentile(&c, 90), 90);
	EQUAL(tool_percentile(&c, 99), 99);
	c.calls = 1;
	EQUAL(tool_percentile(&c, 50), c.ms[0]);
	c.calls = 3;
	memcpy(c.ms, (uint32_t[3]){ 5, 5, 5 }, 3 * sizeof c.ms[0]);
	EQUAL(tool_percentile(&c, 99), 5);
	c.calls = 1000000;
	for (unsigned i = 0; i < DURATIONS_MAX; i++)
		c.ms[i] = 7;
	EQUAL(tool_percentile(&c, 90), 7);
}

/* The two tools that need nothing of the service: as their schemas say, and
 * without a request. */
static void
test_tool_status(void)
{
	static const char *const names[] = { "get_security_status",
		"get_metrics" };
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t i = 0; i < LEN(names); i++) {
		struct str got = asked(&k, cstr(JOIN(&T, S("{\"name\":\""),
		    str_c(names[i]), S("\"}"))), NULL, NOTHING);
		struct json schema, j;

		run.row = names[i];
		ENDED(got, E_NONE);
		for (size_t t = 0; t < LEN(tools); t++)
			if (strcmp(tools[t].name, names[i]) == 0)
				CHECK(parses(&schema, str_c(tools[t].output))
				    && parses(&j, path_at(got, "data")) &&
				    fits(&schema, ROOT, &j, ROOT));
		ENDED(asked(&k, cstr(JOIN(&T, S("{\"name\":\""),
		    str_c(names[i]), S("\",\"arguments\":{\"x\":1}}"))), NULL,
		    NOTHING), E_ARGUMENT);
	}
	run.row = NULL;
	EQUAL(shelf.vaults + shelf.lists + shelf.items, 0);
	keeper_end(&k);
}

/* ====================================================================
 * 22. Keeper: one call after the other
 * ==================================================================== */

/* What the door never sends is refused, whatever it looks like. */
static void
test_keep_frames(void)
{
	static const struct {
		const char *payload;
		enum err_code code;
	} rows[] = {
		{ "{\"method\":\"tools/call\",\"params\":" HEALTH "}",
		    E_NONE },
		{ "", E_INTERNAL }, { "{", E_INTERNAL },
		{ "{\"a\":\"\xff\"}", E_INTERNAL }, { "{}", E_INTERNAL },
		{ "[]", E_INTERNAL }, { "7", E_INTERNAL },
		{ "{\"method\":7}", E_INTERNAL },
		{ "{\"method\":\"tools/list\"}", E_INTERNAL },
		{ "{\"method\":\"tools/call\"}", E_INTERNAL },
		{ "{\"method\":\"tools/call\",\"params\":{}}", E_INTERNAL },
		{ "{\"method\":\"tools/call\",\"params\":{\"name\":"
		    "\"none\"}}", E_INTERNAL },
		{ "{\"method\":\"Tools/call\",\"params\":" HEALTH "}",
		    E_INTERNAL },
		{ "{\"method\":\"tools/call\",\"params\":[" HEALTH "]}",
		    E_INTERNAL },
		{ "{\"method\":\"prompts/get\",\"params\":{\"name\":"
		    "\"explain_rules\"}}", E_INTERNAL },  /* the door's own */
		{ "{\"method\":\"prompts/get\",\"params\":{\"name\":"
		    "\"none\"}}", E_INTERNAL },
		{ "{\"method\":\"resources/read\",\"params\":{}}",
		    E_INTERNAL },
		{ "{\"method\":\"resources/read\",\"params\":{\"uri\":"
		    "\"onepassword://status\"}}", E_NONE },
		{ "{\"method\":\"completion/complete\",\"params\":{}}",
		    E_INTERNAL },
		{ "{\"method\":\"tools/call\",\"params\":{\"name\":"
		    "\"get_health_status\",\"arguments\":{\"x\":1}}}",
		    E_ARGUMENT },
		{ "{\"method\":\"tools/call\",\"params\":" HEALTH
		    ",\"state\":\"x\"}", E_STATE },
	};
	struct keeper k;
	struct cfg cfg;

	shelf_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].payload;
		ENDED(keeper_frame(&k, str_c(rows[i].payload)), rows[i].code);
	}
	EQUAL(shelf.vaults + shelf.lists + shelf.items, 0);
	run.row = NULL;
	keeper_end(&k);
}

/* Rows of other kinds than opmcp has: a tool that writes its whole result, a
 * prompt and a resource that ask. */
MUST static bool
own_run(struct keeper *k, const struct json *j, uint32_t args, struct jw *w,
    struct err *e)
{
	(void)k;
	(void)e;
	jw_put_raw(w, S("messages"), args != 0 ? json_raw(j, args) : S("[]"));
	return true;
}

MUST static bool
own_read(struct keeper *k, struct str uri, const struct str *var,
    struct jw *w, struct err *e)
{
	if (ask_answer(k, uri, S("q")) == 0)
		return ask_put(k, uri, S("\"q\":{}"), e);
	jw_put(w, S("contents"), var[0]);
	return true;
}

/* Asks whatever is called. */
MUST static bool
own_ask(struct keeper *k, const struct json *j, uint32_t args, struct jw *w,
    struct err *e)
{
	(void)j;
	(void)args;
	if (ask_answer(k, S("s"), S("q")) == 0)
		return ask_put(k, S("s"), S("\"q\":{}"), e);
	jw_put(w, S("ok"), S("yes"));
	return true;
}

/* A tool and a prompt of the same name and arguments: an approval for one is
 * none for the other. */
static void
test_keep_method(void)
{
#define CALLS(method) "{\"method\":\"" method "\",\"params\":{\"name\":" \
	"\"own\",\"arguments\":{\"text\":\"a\"}}"
	struct tool tool = own_tool;
	const struct prompt prompt = { "own", "P", "", NULL, own_args, 1,
		own_ask };
	const struct catalog cat = { &tool, 1, NULL, 0, &prompt, 1, NULL, 0,
		"", "", 0 };
	struct keeper k;
	struct cfg cfg;
	struct str given;

	tool.run = own_ask;
	tool.args = 1;
	shelf_start(&cfg, &k);
	k.cat = &cat;
	given = JOIN(&T, S(",\"answers\":{\"q\":{}},\"state\":"),
	    path_at(keeper_frame(&k, S(CALLS("tools/call") "}")), "state"),
	    S("}"));
	ENDED(keeper_frame(&k, JOIN(&T, S(CALLS("prompts/get")), given)),
	    E_STATE);
	ENDED(keeper_frame(&k, JOIN(&T, S(CALLS("tools/call")), given)),
	    E_NONE);
#undef CALLS
	keeper_end(&k);
}

/* A result that does not fit a frame is an error, whole. */
static void
test_keep_large(void)
{
	struct frame call = { FRAME_CALL, 1, S("{\"method\":\"tools/call\","
	    "\"params\":" HEALTH "}") };
	u8 room[1200];
	struct keeper k;
	struct cfg cfg;
	struct out o;
	size_t whole;

	shelf_start(&cfg, &k);
	whole = FRAME_HEAD + keeper_frame(&k, call.payload).n;
	CHECK(whole > 300 && whole < sizeof room - 100);
	for (size_t cap = 200; cap <= sizeof room; cap++) {
		out_init(&o, room, cap);
		keep_build(&k, &call, &o);
		CHECK(!o.over);
		ENDED(str_from(out_str(&o), FRAME_HEAD), cap < whole ?
		    E_LARGE : E_NONE);
		mem_reset(&k.scratch, 0);
	}
	keeper_end(&k);
}

/* While a call runs the door is told what is being done, under its number;
 * then comes the result. */
static void
test_keep_notes(void)
{
	static const char *const stage[] = { "finding the vault",
		"reading the titles", "reading the item" };
	static u8 got[4096];
	struct frame f = { FRAME_CALL, 77, S("{\"method\":\"tools/call\","
	    "\"params\":" GITHUB "}") };
	struct keeper k;
	struct cfg cfg;
	int fd[2];

	shelf_start(&cfg, &k);
	if (!CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0))
		return;
	k.door = fd[0];
	CHECK(keep_answer(&k, &f));
	for (size_t i = 0; i <= LEN(stage); i++) {
		struct str text;

		if (!CHECK(frame_recv(fd[1], got, FRAME_HEAD) &&
		    frame_parse_head(got, &f) && f.payload.n < sizeof got &&
		    frame_recv(fd[1], got, f.payload.n)))
			return;
		EQUAL(f.seq, 77);
		EQUAL(f.kind, i < LEN(stage) ? FRAME_NOTE : FRAME_RESULT);
		text = (struct str){ got, f.payload.n };
		SAME(text_of(text, "method"), i < LEN(stage) ?
		    S("notifications/progress") : NOTHING);
		SAME(text_of(text, "params>message"), i < LEN(stage) ?
		    str_c(stage[i]) : NOTHING);
		SAME(text_of(text, "data>password"), i < LEN(stage) ?
		    NOTHING : S("s3cret"));
	}
	(void)close(fd[0]);
	CHECK(!frame_recv(fd[1], got, 1));
	(void)close(fd[1]);
	keeper_end(&k);
}

static void
test_keep_catalog(void)
{
#define READ(uri) "{\"method\":\"resources/read\",\"params\":{\"uri\":\"" \
	uri "\"}"
	struct tool tool = own_tool;
	const struct resource resource = { "own://{a}", "r", "R", "", "",
		own_args, 1, own_read };
	const struct prompt prompt = { "p", "P", "", NULL, own_args, 1,
		own_run };
	const struct catalog cat = { &tool, 1, &resource, 1, &prompt, 1, NULL,
		0, "", "", 0 };
	struct keeper k;
	struct cfg cfg;
	struct str got, state;

	tool.run = own_run;
	shelf_start(&cfg, &k);
	k.cat = &cat;
	SAME(keeper_frame(&k, S("{\"method\":\"tools/call\",\"params\":{"
	    "\"name\":\"own\",\"arguments\":{\"flag\":true,\"text\":\"a\"}}}"
	    )), S("{\"result\":{\"messages\":{\"flag\":true,\"text\":"
	    "\"a\"}}}"));
	ENDED(keeper_frame(&k, S("{\"method\":\"tools/call\",\"params\":{"
	    "\"name\":\"own\"}}")), E_ARGUMENT);
	tool.input = "{}";              /* its own to check */
	SAME(keeper_frame(&k, S("{\"method\":\"tools/call\",\"params\":{"
	    "\"name\":\"own\"}}")), S("{\"result\":{\"messages\":[]}}"));
	SAME(keeper_frame(&k, S("{\"method\":\"prompts/get\",\"params\":{"
	    "\"name\":\"p\",\"arguments\":{\"text\":\"b\"}}}")),
	    S("{\"result\":{\"messages\":{\"text\":\"b\"}}}"));
	ENDED(keeper_frame(&k, S("{\"method\":\"prompts/get\",\"params\":{"
	    "\"name\":\"p\"}}")), E_ARGUMENT);
	got = keeper_frame(&k, S(READ("own://x") "}"));
	SAME(path_at(got, "ask"), S("{\"q\":{}}"));
	state = path_at(got, "state");
	ENDED(keeper_frame(&k, JOIN(&T, S(READ("own://y") ",\"answers\":{"
	    "\"q\":{}},\"state\":"), state, S("}"))), E_STATE);
	SAME(path_at(keeper_frame(&k, JOIN(&T, S(READ("own://x")
	    ",\"answers\":{\"q\":{}},\"state\":"), state, S("}"))),
	    "result>contents"), S("\"x\""));
	ENDED(keeper_frame(&k, S(READ("onepassword://status") "}")),
	    E_RESOURCE);
#undef READ
	keeper_end(&k);
}

/* The keeper's loop over a socket: calls, late cancels, nonsense. Nothing of
 * a call is left in its arenas afterwards. */
static void
test_keep_loop(void)
{
	static const char call[] = "{\"method\":\"tools/call\",\"params\":{"
	    "\"name\":\"get_health_status\"}}";
	static u8 got[FRAME_HEAD + 65536];
	struct keeper k;
	struct cfg cfg;
	struct frame f = { 0 };
	struct json j;
	struct out o;
	u8 room[256];
	int fd[2];

	keeper_start(&cfg, &k);
	if (!CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0))
		return;
	out_init(&o, room, sizeof room);
	frame_put_head(&o, FRAME_CANCEL, 6, 0);
	frame_put_head(&o, FRAME_CALL, 7, sizeof call - 1);
	out_put(&o, str_c(call));
	frame_put_head(&o, FRAME_CALL, 8, 2);
	out_put(&o, S("[]"));
	out_put(&o, S("\xff\xff\xff\xff nonsense"));
	CHECK(write(fd[1], o.p, o.n) == (ssize_t)o.n);
	k.door = fd[0];
	keep_serve(&k);                         /* ends at the nonsense */
	(void)close(fd[0]);
	if (CHECK(frame_recv(fd[1], got, FRAME_HEAD) &&
	    frame_parse_head(got, &f) && frame_recv(fd[1], got, f.payload.n))) {
		EQUAL(f.seq, 7);
		EQUAL(f.kind, FRAME_RESULT);
		CHECK(parses(&j, (struct str){ got, f.payload.n }) &&
		    json_is_object(&j, json_get(&j, ROOT, S("data"))));
	}
	if (CHECK(frame_recv(fd[1], got, FRAME_HEAD) &&
	    frame_parse_head(got, &f) && frame_recv(fd[1], got, f.payload.n))) {
		EQUAL(f.seq, 8);
		CHECK(parses(&j, (struct str){ got, f.payload.n }) &&
		    json_get(&j, ROOT, S("error")) != 0);
	}
	CHECK(!frame_recv(fd[1], got, 1));
	(void)close(fd[1]);
	EQUAL(k.scratch.used, 0);
	EQUAL(k.reply.used, 0);
	CHECK(is_zero(k.scratch.base, 1 << 20));
	CHECK(is_zero(k.reply.base, k.reply.cap));
	EQUAL(k.calls, 1);      /* the health report is none */
	keeper_end(&k);
}

/* Cancelled while it waits for the service. */
static int cancel_fd = -1;

static void
onep_cancels(void)
{
	onep.requests++;
	if (cancel_fd >= 0)
		(void)close(cancel_fd);
	cancel_fd = -1;
}

static void
test_keep_cancel(void)
{
	struct os os = fake_os;
	struct keeper k;
	struct cfg cfg;
	struct err e;
	int fd[2];

	keeper_start(&cfg, &k);
	peer.answer = onep_cancels;
	if (!CHECK(pipe(fd) == 0))
		return;
	os.watch = fd[0];
	cancel_fd = fd[1];
	k.os = SA(&k)->os = SA(&k)->http.os = &os;
	(void)credentials(&k, "GitHub", NULL, &e);
	FAILED(e, E_CANCEL);
	EQUAL(onep.requests, 1);
	EQUAL(SA(&k)->http.fd, -1);
	(void)close(fd[0]);
	os.watch = -1;
	peer.answer = onep_answer;
	(void)credentials(&k, "GitHub", NULL, &e);
	FAILED(e, E_NONE);
	keeper_end(&k);
}

/* ====================================================================
 * 23. Door: framing, JSON-RPC, both eras of MCP
 * ==================================================================== */

static struct door *door;       /* the one under test */
static struct arena door_home;
static struct cfg door_cfg;     /* its settings, which a test may change */
static int keeper_end_fd = -1;  /* of its socket */

static void
door_start(void)
{
	int fd[2];

	if (door != NULL) {
		struct arena *all[] = { &door->line, &door->out };

		for (size_t i = 0; i < BATCHES_MAX; i++)
			(void)munmap(door->batch[i].mem.base,
			    door->batch[i].mem.cap);
		for (size_t i = 0; i < LEN(all); i++)
			(void)munmap(all[i]->base, all[i]->cap);
		(void)close(door->sock);
		(void)close(keeper_end_fd);
		(void)munmap(door_home.base, door_home.cap);
	}
	if (!mem_open(&door_home, ARENA_LINE) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
		abort();
	door_cfg = (struct cfg){ .vaults = "AI", .hosts = "", .timeout_s = 30,
		.reveal = ALLOW };
	door = mem_alloc(&door_home, sizeof *door);
	door->os = &fake_os;
	door->cfg = &door_cfg;
	door->cat = &opmcp_catalog;
	door->wait_ms = 60000;
	door->sock = fd[0];
	keeper_end_fd = fd[1];
	if (!CHECK(door_init(door, &door_home)))
		exit(2);
}

/* One line in, what comes out. Every line of it must be JSON. */
static struct str
say(const char *line)
{
	struct str out, rest, one;
	struct json j;

	door_line(door, str_dup(&T, str_c(line)));
	call_next(door);
	out = str_dup(&T, (struct str){ door->out.base, door->out.used });
	mem_reset(&door->out, 0);
	EQUAL(door->line.used, 0);
	rest = out;
	if (out.n > 0)
		CHECK(out.p[out.n - 1] == '\n');
	while (rest.n > 0 && str_cut(&rest, '\n', &one))
		if (one.n > 0 && !CHECK(parses(&j, one)))
			show(one), (void)putchar('\n');
	return out;
}

/* What the door has put into its queue for stdout. */
static struct str
take_out(void)
{
	struct str s = str_dup(&T, (struct str){ door->out.base,
	    door->out.used });

	mem_reset(&door->out, 0);
	return s;
}

/* What the door has sent to the keeper. */
static struct str
to_keeper(void)
{
	size_t cap = FRAME_HEAD + 2 * ARGS_MAX;
	u8 *p = mem_alloc(&T, cap);
	ssize_t n = recv(keeper_end_fd, p, cap, MSG_DONTWAIT);

	return (struct str){ p, n > 0 ? (size_t)n : 0 };
}

/* The answer of the keeper to a call: whether the door takes it, and what it
 * then says. */
static bool
keeper_says(uint32_t seq, const char *payload, struct str *out)
{
	struct frame f = { FRAME_RESULT, seq, str_c(payload) };
	bool ok = door_result(door, &f);

	call_next(door);
	*out = str_dup(&T, (struct str){ door->out.base, door->out.used });
	mem_reset(&door->out, 0);
	return ok;
}

static const char init_2024[] = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":"
    "\"initialize\",\"params\":{\"protocolVersion\":\"2024-11-05\","
    "\"capabilities\":{},\"clientInfo\":{\"name\":\"t\",\"version\":\"1\"}}}";
static const char init_2025_03[] = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":"
    "\"initialize\",\"params\":{\"protocolVersion\":\"2025-03-26\"}}";
static const char init_2025_11[] = "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":"
    "\"initialize\",\"params\":{\"protocolVersion\":\"2025-11-25\"}}";

#define META "\"_meta\":{\"" META_VERSION "\":\"2026-07-28\",\"" \
	META_CAPABILITIES "\":{}}"
#define CALL(id, item) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"method\":" \
	"\"tools/call\",\"params\":{\"name\":\"get_1password_credentials\"," \
	"\"arguments\":{\"item_name\":\"" item "\"}}}"

static void
test_mcp_initialize(void)
{
	static const char *const rows[][2] = {
		{ "2024-11-05", "2024-11-05" }, { "2025-03-26", "2025-03-26" },
		{ "2025-06-18", "2025-06-18" }, { "2025-11-25", "2025-11-25" },
		{ "2026-07-28", "2025-11-25" }, { "2099-01-01", "2025-11-25" },
		{ "", "2025-11-25" }, { "2024-11-5", "2025-11-25" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		char line[256], want[32];
		struct str out;

		run.row = rows[i][0];
		door_start();
		(void)snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\","
		    "\"id\":1,\"method\":\"initialize\",\"params\":{"
		    "\"protocolVersion\":\"%s\"}}", rows[i][0]);
		(void)snprintf(want, sizeof want, "\"%s\"", rows[i][1]);
		out = say(line);
		SAME(path_at(out, "result>protocolVersion"), str_c(want));
		SAME(path_at(out, "result>serverInfo>name"), S("\"opmcp\""));
		SAME(path_at(out, "result>capabilities"), i == 0 ?
		    S("{\"tools\":{},\"prompts\":{},\"resources\":{}}") :
		    S("{\"tools\":{},\"prompts\":{},\"resources\":{},"
		    "\"completions\":{}}"));
		SAME(path_at(out, "id"), S("1"));
		EQUAL(path_at(out, "result>serverInfo>title").n > 0, i >= 2);
		CHECK(path_at(out, "result>instructions").n > 2);
	}
	run.row = NULL;
	EQUAL(say("{\"jsonrpc\":\"2.0\",\"method\":"
	    "\"notifications/initialized\"}").n, 0);
	SAME(path_at(say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
	    "\"initialize\",\"params\":{}}"), "error>code"), S("-32602"));
	SAME(path_at(say("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":"
	    "\"initialize\"}"), "error>code"), S("-32602"));
}

/* Lines and the codes of their errors; "" is no answer at all, "ok" a
 * result. All in a session of 2025-11-25. */
static void
test_mcp_requests(void)
{
	static const struct {
		const char *line, *code, *id;
	} rows[] = {
		{ "", "", "" }, { "   ", "", "" }, { "\t", "", "" },
		{ "{", "-32700", "" }, { "x", "-32700", "" },
		{ "{}{}", "-32700", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"ping\"}",
		    "-32700", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"p\xff\"}",
		    "-32700", "" },
		{ "{}", "-32600", "" }, { "[]", "-32600", "" },
		{ "\"x\"", "-32600", "" },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
		    "-32600", "" },
		{ "{\"id\":1,\"method\":\"ping\"}", "-32600", "1" },
		{ "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"ping\"}",
		    "-32600", "1" },
		{ "{\"jsonrpc\":2.0,\"id\":1,\"method\":\"ping\"}", "-32600",
		    "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}",
		    "-32600", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}",
		    "-32600", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1e2,\"method\":\"ping\"}",
		    "-32600", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":true,\"method\":\"ping\"}",
		    "-32600", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}",
		    "-32600", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"ping\"}",
		    "-32600", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1}", "-32600", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":7}", "-32600",
		    "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":null}", "-32600",
		    "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"none\"}",
		    "-32601", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"Ping\"}",
		    "-32601", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\"}", "-32601",
		    "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		    "\"resources/subscribe\"}", "-32601", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}", "ok",
		    "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"pi\\u006eg\"}",
		    "ok", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":-7,\"method\":\"ping\"}", "ok",
		    "-7" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":123456789012345678901,"
		    "\"method\":\"ping\"}", "ok", "123456789012345678901" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u0000\\\"b\",\"method\":"
		    "\"ping\"}", "ok", "\"a\\u0000\\\"b\"" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"\",\"method\":\"ping\"}",
		    "ok", "\"\"" },
		{ " {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} \r",
		    "ok", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params"
		    "\":[]}", "-32602", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"params"
		    "\":{}}", "ok", "1" },
		/* notifications and responses are never answered */
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}", "", "" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"none\"}", "", "" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":"
		    "{\"name\":\"get_health_status\"}}", "", "" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled"
		    "\"}", "", "" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled"
		    "\",\"params\":[]}", "", "" },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled"
		    "\",\"params\":{\"requestId\":99}}", "", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{}}", "", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{}}", "", "" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{}}", "", "" },
		/* tools */
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\"}",
		    "ok", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/list\","
		    "\"params\":{\"cursor\":\"x\"}}", "-32602", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\"}",
		    "-32602", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
		    "\"params\":{\"name\":7}}", "-32602", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
		    "\"params\":{\"name\":\"none\"}}", "-32602", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
		    "\"params\":{\"name\":\"get_health_status\",\"arguments\":"
		    "[]}}", "-32602", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\","
		    "\"params\":{\"name\":\"get_health_status\",\"arguments\":"
		    "null}}", "-32602", "1" },
		/* the other era */
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"server/discover"
		    "\"}", "-32602", "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		    "\"subscriptions/listen\",\"params\":{}}", "-32602", "1" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct str out;

		run.row = rows[i].line;
		door_start();
		(void)say(init_2025_11);
		out = say(rows[i].line);
		if (rows[i].code[0] == '\0') {
			SAME(out, S(""));
			EQUAL(to_keeper().n, 0);
			continue;
		}
		SAME(path_at(out, "jsonrpc"), S("\"2.0\""));
		SAME(path_at(out, "id"), str_c(rows[i].id));
		SAME(path_at(out, "error>code"), strcmp(rows[i].code, "ok") ==
		    0 ? NOTHING : str_c(rows[i].code));
		EQUAL(path_at(out, "result").n > 0,
		    strcmp(rows[i].code, "ok") == 0);
	}
}

/* Before initialize there is little. */
static void
test_mcp_no_session(void)
{
	door_start();
	SAME(path_at(say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}"),
	    "result"), S("{}"));
	SAME(path_at(say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"tools/list\"}"), "error>code"), S("-32602"));
	SAME(path_at(say(CALL("1", "x")), "error>code"), S("-32602"));
	SAME(path_at(say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"none\"}"),
	    "error>code"), S("-32602"));
	SAME(path_at(say("[]"), "error>code"), S("-32600"));
	EQUAL(to_keeper().n, 0);
}

/* The modern era: version and capabilities in every request. */
static void
test_mcp_modern(void)
{
	static const struct {
		const char *method, *params, *code;
	} rows[] = {
		{ "tools/list", META, "ok" },
		{ "server/discover", META, "ok" },
		{ "ping", META, "-32601" },
		{ "initialize", META, "-32601" },
		{ "none", META, "-32601" },
		{ "tools/list", "\"_meta\":{\"" META_VERSION "\":"
		    "\"2026-07-28\"}", "-32602" },
		{ "tools/list", "\"_meta\":{\"" META_VERSION "\":"
		    "\"2026-07-28\",\"" META_CAPABILITIES "\":[]}", "-32602" },
		{ "tools/list", "\"_meta\":{\"" META_VERSION "\":7,\""
		    META_CAPABILITIES "\":{}}", "-32602" },
		{ "tools/list", "\"_meta\":{\"" META_VERSION "\":"
		    "\"2025-11-25\",\"" META_CAPABILITIES "\":{}}", "-32022" },
		{ "tools/list", "\"_meta\":{\"" META_VERSION "\":\"\",\""
		    META_CAPABILITIES "\":{}}", "-32022" },
		{ "tools/list", "\"_meta\":{\"" META_VERSION "\":"
		    "\"2026-07-28\",\"" META_CAPABILITIES "\":{},\""
		    META_LOG_LEVEL "\":\"debug\"}", "ok" },
		{ "tools/list", "\"_meta\":{\"" META_VERSION "\":"
		    "\"2026-07-28\",\"" META_CAPABILITIES "\":{},\""
		    META_LOG_LEVEL "\":\"loud\"}", "-32602" },
		{ "tools/list", "\"_meta\":{}", "-32602" },     /* legacy */
		{ "tools/list", "\"_meta\":7", "-32602" },
		{ "tools/list", META ",\"cursor\":\"x\"", "-32602" },
		{ "tools/call", META ",\"name\":\"none\"", "-32602" },
	};
	struct str out;

	door_start();
	for (size_t i = 0; i < LEN(rows); i++) {
		char line[1024];

		(void)snprintf(line, sizeof line, "{\"jsonrpc\":\"2.0\","
		    "\"id\":\"r\",\"method\":\"%s\",\"params\":{%s}}",
		    rows[i].method, rows[i].params);
		run.row = line;
		out = say(line);
		SAME(path_at(out, "id"), S("\"r\""));
		if (strcmp(rows[i].code, "ok") != 0) {
			SAME(path_at(out, "error>code"), str_c(rows[i].code));
			continue;
		}
		SAME(path_at(out, "result>resultType"), S("\"complete\""));
		SAME(path_at(out, "result>_meta>io.modelcontextprotocol/"
		    "serverInfo>name"), S("\"opmcp\""));
		SAME(path_at(out, "result>ttlMs"), S("300000"));
	}
	run.row = NULL;
	out = say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\",\"params\":{"
	    "\"_meta\":{\"" META_VERSION "\":\"2020-01-01\"}}}");
	SAME(path_at(out, "error>data>supported"), S(REV_LIST));
	SAME(path_at(out, "error>data>requested"), S("\"2020-01-01\""));
	EQUAL(door->rev, REV_NONE);             /* no session was opened */
}

/* The list of tools has the members that the revision knows, no others. */
static void
test_mcp_tools_list(void)
{
	static const struct {
		const char *init;
		bool title, output;
	} rows[] = {
		{ init_2024, false, false },
		{ init_2025_03, false, false },
		{ init_2025_11, true, true },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct str out;

		run.row = rows[i].init;
		door_start();
		(void)say(rows[i].init);
		out = say("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
		    "\"tools/list\"}");
		SAME(path_at(out, "result>tools>0>name"),
		    S("\"get_1password_credentials\""));
		SAME(path_at(out, "result>tools>1>name"),
		    S("\"get_health_status\""));
		CHECK(path_at(out, "result>tools>0>description").n > 2);
		SAME(path_at(out, "result>tools>0>inputSchema>required"),
		    S("[\"item_name\"]"));
		EQUAL(path_at(out, "result>tools>0>title").n > 0,
		    rows[i].title);
		EQUAL(path_at(out, "result>tools>0>outputSchema").n > 0,
		    rows[i].output);
		CHECK(path_at(out, "result>tools>0>annotations").n > 0);
		EQUAL(path_at(out, "result>nextCursor").n, 0);
	}
}

/* A call travels to the keeper as it stood; its answer comes back in the
 * shape of the revision. */
static void
test_mcp_tools_call(void)
{
	static const struct {
		const char *init;
		bool structured;
		const char *host;
	} rows[] = { { init_2024, false, "t 1" },
		{ init_2025_03, false, "" }, { init_2025_11, true, "" } };

	for (size_t i = 0; i < LEN(rows); i++) {
		struct frame f = { 0 };
		struct str out, frame;
		char until[24];

		door_start();
		(void)snprintf(until, sizeof until, "%llu", (unsigned long long)
		    (fake_now() + door->wait_ms));
		(void)say(rows[i].init);
		SAME(say(CALL("\"c\"", "GitHub")), S(""));
		frame = to_keeper();
		if (!CHECK(frame.n > FRAME_HEAD &&
		    frame_parse_head(frame.p, &f)))
			continue;
		EQUAL(f.kind, FRAME_CALL);
		SAME(str_from(frame, FRAME_HEAD), JOIN(&T, S("{\"method\":"
		    "\"tools/call\",\"ask\":false,\"host\":\""),
		    str_c(rows[i].host), S("\",\"params\":{\"name\":"
		    "\"get_1password_credentials\",\"arguments\":{"
		    "\"item_name\":\"GitHub\"}},\"until\":"),
		    str_c(until), S("}")));
		EQUAL(f.payload.n, frame.n - FRAME_HEAD);
		CHECK(keeper_says(f.seq, "{\"data\":{\"username\":\"u\\n\"}}",
		    &out));
		SAME(path_at(out, "id"), S("\"c\""));
		SAME(path_at(out, "result>content>0>type"), S("\"text\""));
		SAME(path_at(out, "result>content>0>text"),
		    S("\"{\\\"username\\\":\\\"u\\\\n\\\"}\""));
		SAME(path_at(out, "result>isError"), NOTHING);
		SAME(path_at(out, "result>structuredContent"),
		    rows[i].structured ? S("{\"username\":\"u\\n\"}") :
		    NOTHING);
		(void)say(CALL("2", "GitHub"));
		frame = to_keeper();
		if (!CHECK(frame.n > 9 && frame_parse_head(frame.p, &f)))
			continue;
		CHECK(keeper_says(f.seq, "{\"error\":\"no\"}", &out));
		SAME(path_at(out, "result>isError"), S("true"));
		SAME(path_at(out, "result>content>0>text"), S("\"no\""));
		SAME(path_at(out, "result>structuredContent"), NOTHING);
		EQUAL(call_first(door, CALL_RUNS) == NULL, true);
	}
}

/* One call at a time; the others wait in order. */
static void
test_mcp_queue(void)
{
	struct frame f = { 0 };
	struct str out, frame;
	char line[256];

	door_start();
	(void)say(init_2025_11);
	for (unsigned i = 0; i < CALLS_MAX; i++) {
		(void)snprintf(line, sizeof line, CALL("%u", "x"), i);
		SAME(say(line), S(""));
	}
	out = say(CALL("999", "x"));
	SAME(path_at(out, "result>isError"), S("true"));
	CHECK(str_is_start(path_at(out, "result>content>0>text"),
	    S("\"busy: ")));
	SAME(say(CALL("5", "x")), S(""));       /* this id is in use */
	for (unsigned i = 0; i < CALLS_MAX; i++) {
		char want[16];

		frame = to_keeper();
		if (!CHECK(frame.n > 9 && frame_parse_head(frame.p, &f) &&
		    frame.n == FRAME_HEAD + f.payload.n))
			return;
		CHECK(keeper_says(f.seq, "{\"data\":{}}", &out));
		(void)snprintf(want, sizeof want, "%u", i);
		SAME(path_at(out, "id"), str_c(want));
	}
	EQUAL(to_keeper().n, 0);
	SAME(say(CALL("5", "x")), S(""));       /* and now it is free */
	CHECK(to_keeper().n > 0);
}

/* A call that has waited too long for its turn is told so. */
static void
test_mcp_expire(void)
{
	struct str out;

	door_start();
	door->wait_ms = 5000;
	(void)say(init_2025_11);
	EQUAL(call_tick(door), -1);
	(void)say(CALL("1", "a"));
	(void)say(CALL("2", "b"));
	fake_ms += 1000;
	(void)say(CALL("3", "c"));
	EQUAL(call_tick(door), 4000);
	fake_ms += 3999;
	EQUAL(call_tick(door), 1);
	EQUAL(door->out.used, 0);
	fake_ms += 1;
	EQUAL(call_tick(door), 1000);         /* 2 is refused, 3 waits */
	out = str_dup(&T, (struct str){ door->out.base, door->out.used });
	mem_reset(&door->out, 0);
	SAME(path_at(out, "id"), S("2"));
	SAME(path_at(out, "result>isError"), S("true"));
	CHECK(str_is_start(path_at(out, "result>content>0>text"),
	    S("\"busy: ")));
	fake_ms += 100000;                      /* 1 runs: not ours to end */
	EQUAL(call_tick(door), -1);
	SAME(path_at((struct str){ door->out.base, door->out.used }, "id"),
	    S("3"));
	CHECK(call_first(door, CALL_RUNS) != NULL);
}

static void
test_mcp_cancel(void)
{
	struct frame f = { 0 };
	struct str out, frame;

	door_start();
	(void)say(init_2025_11);
	(void)say(CALL("1", "a"));
	(void)say(CALL("2", "b"));
	(void)say(CALL("\"2\"", "c"));
	frame = to_keeper();
	CHECK(frame.n > 9 && frame_parse_head(frame.p, &f));
	/* one that waits just goes */
	SAME(say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":2}}"), S(""));
	EQUAL(to_keeper().n, 0);
	/* one that runs is stopped; its slot is kept until it lets go */
	SAME(say("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\","
	    "\"params\":{\"requestId\":1}}"), S(""));
	frame = to_keeper();
	EQUAL(frame.n, FRAME_HEAD);
	EQUAL(frame.n > 4 ? frame.p[4] : 0, FRAME_CANCEL);
	CHECK(keeper_says(f.seq, "{\"error\":\"cancelled\"}", &out));
	SAME(out, S(""));                       /* never answered */
	frame = to_keeper();
	if (CHECK(frame.n > 9 && frame_parse_head(frame.p, &f)))
		CHECK(keeper_says(f.seq, "{\"data\":{}}", &out));
	SAME(path_at(out, "id"), S("\"2\""));
	EQUAL(to_keeper().n, 0);
	EQUAL(door->eof || door->lost || door->gone, false);
}

/* Frames the keeper does not send: what is no frame ends the run, what holds
 * nothing is an error, and nothing is ever taken for a result. */
static void
test_mcp_bad_frames(void)
{
	static const struct {
		const char *payload;
		bool taken;
	} rows[] = {
		{ "", false }, { "{\"data\":{}", false },
		{ "{\"error\":\"\xff\"}", false }, { "{}", true },
		{ "[]", true }, { "7", true }, { "{\"data\":7}", true },
		{ "{\"data\":[]}", true }, { "{\"result\":\"x\"}", true },
		{ "{\"ask\":true}", true }, { "{\"error\":7}", true },
		{ "{\"error\":\"x\",\"code\":-1}", true },
		{ "{\"error\":\"x\",\"code\":99999}", true },
	};
	struct str out, frame;
	struct frame f = { 0 };

	for (size_t i = 0; i < LEN(rows); i++) {
		run.row = rows[i].payload;
		door_start();
		(void)say(init_2025_11);
		CHECK(!keeper_says(1, "{\"data\":{}}", &out));
		SAME(say(CALL("1", "a")), S(""));
		frame = to_keeper();
		if (!CHECK(frame.n > 9 && frame_parse_head(frame.p, &f)))
			return;
		CHECK(!keeper_says(f.seq + 1, "{\"data\":{}}", &out));
		f.kind = FRAME_CALL;            /* not his to send */
		f.payload = S("{\"data\":{}}");
		(void)!door_result(door, &f);
		EQUAL(door->out.used, 0);
		CHECK(call_first(door, CALL_RUNS) != NULL);
		EQUAL(keeper_says(f.seq, rows[i].payload, &out),
		    rows[i].taken);
		EQUAL(out.n > 0, rows[i].taken);
		SAME(path_at(out, "result>isError"), rows[i].taken ?
		    S("true") : S("(not JSON)"));
	}
}

/* The keeper is gone: everybody who waits is told. */
static void
test_mcp_mourn(void)
{
	struct str rest, one;
	unsigned n = 0;

	door_start();
	(void)say(init_2025_11);
	for (int i = 0; i < 3; i++)
		(void)say(i == 0 ? CALL("1", "a") : i == 1 ? CALL("2", "a") :
		    CALL("3", "a"));
	door_mourn(door);
	rest = (struct str){ door->out.base, door->out.used };
	while (str_cut(&rest, '\n', &one) && one.n > 0) {
		SAME(path_at(one, "result>isError"), S("true"));
		n++;
	}
	EQUAL(n, 3);
}

/* Batches: in a 2025-03-26 session only, one array in answer to one. */
static void
test_mcp_batch(void)
{
	static const struct {
		const char *line;
		const char *want;       /* ids of the answers */
	} rows[] = {
		{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
		    "1" },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"},"
		    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}]",
		    "1 2" },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"none\"},7,"
		    "{\"jsonrpc\":\"2.0\",\"method\":\"x\"},"
		    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}]",
		    "1 - 2" },
		{ "[{\"jsonrpc\":\"2.0\",\"method\":\"x\"}]", "" },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":9,\"result\":{}}]", "" },
		{ "[[],[]]", "- -" },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"initialize\","
		    "\"params\":{\"protocolVersion\":\"2025-11-25\"}}]",
		    "3" },
		{ "[{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"tools/call\","
		    "\"params\":{}}]", "4" },
	};

	door_start();
	(void)say(init_2025_03);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str out, ids;
		u8 room[64];
		struct out o;

		run.row = rows[i].line;
		out = say(rows[i].line);
		out_init(&o, room, sizeof room);
		for (int k = 0; k < 5; k++) {
			char path[16];

			(void)snprintf(path, sizeof path, "%d", k);
			if (out.n == 0 || path_at(out, path).n == 0)
				break;
			(void)snprintf(path, sizeof path, "%d>id", k);
			ids = path_at(out, path);
			OUT(&o, k > 0 ? S(" ") : S(""), ids.n > 0 ? ids :
			    S("-"));
		}
		SAME(out_str(&o), str_c(rows[i].want));
		EQUAL(door->batch[0].pending, 0);
	}
	run.row = NULL;
	EQUAL(door->rev, REV_2025_03);
	SAME(path_at(say("[]"), "error>code"), S("-32600"));
	/* the modern era has none, wherever they come */
	SAME(path_at(say("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"tools/list\",\"params\":{" META "}}]"), "0>error>code"),
	    S("-32600"));
	SAME(path_at(say("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"subscriptions/listen\",\"params\":{\"notifications\":{},"
	    META "}}]"), "0>error>code"), S("-32600"));
}

/* Calls in a batch: the array goes out with the last answer. */
static void
test_mcp_batch_calls(void)
{
	struct frame f = { 0 };
	struct str out, frame;

	door_start();
	(void)say(init_2025_03);
	SAME(say("[" CALL("1", "a") ",{\"jsonrpc\":\"2.0\",\"id\":2,\"method\""
	    ":\"ping\"}," CALL("3", "b") "," CALL("4", "c") "]"), S(""));
	SAME(path_at(say("{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}"),
	    "id"), S("9"));
	for (int i = 0; i < 3; i++) {
		frame = to_keeper();
		if (!CHECK(frame.n > 9 && frame_parse_head(frame.p, &f)))
			return;
		if (i == 0)
			SAME(say("{\"jsonrpc\":\"2.0\",\"method\":"
			    "\"notifications/cancelled\",\"params\":{"
			    "\"requestId\":4}}"), S(""));
		if (i == 2)
			break;
		CHECK(keeper_says(f.seq, "{\"data\":{}}", &out));
		if (i == 0)
			SAME(out, S(""));
		else
			break;
	}
	SAME(path_at(out, "0>id"), S("2"));
	SAME(path_at(out, "1>id"), S("1"));
	SAME(path_at(out, "2>id"), S("3"));
	SAME(path_at(out, "3"), NOTHING);
	EQUAL(door->batch[0].pending, 0);
}

static void
test_mcp_batch_many(void)
{
	struct str out;
	char line[512];

	door_start();
	(void)say(init_2025_03);
	for (unsigned i = 0; i <= BATCHES_MAX; i++) {
		(void)snprintf(line, sizeof line, "[" CALL("%u", "a") "]",
		    i + 1);
		out = say(line);
		SAME(path_at(out, "error>code"), i < BATCHES_MAX ?
		    i == 0 ? S("(not JSON)") : S("(not JSON)") :
		    S("-32600"));
	}
}

/* When stdout's queue has just no room left for it, a message is dropped
 * whole: what is in the queue stays a row of complete lines. */
static void
test_mcp_full_queue(void)
{
	static const char *const rows[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
		"[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}]",
	};

	for (size_t i = 0; i < LEN(rows); i++)
		for (size_t room = 0; room < 48; room++) {
			u8 *fill;

			door_start();
			(void)say(init_2025_03);
			fill = mem_alloc(&door->out, OUT_MAX - room);
			if (!CHECK(fill != NULL))
				return;
			fill[OUT_MAX - room - 1] = '\n';
			door_line(door, str_c(rows[i]));
			if (door->out.base[door->out.used - 1] != '\n') {
				char label[64];

				(void)snprintf(label, sizeof label,
				    "%s, %zu bytes free", i == 0 ? "single" :
				    "batch", room);
				run.row = label;
				FAIL("a broken line in the queue");
				run.row = NULL;
				break;
			}
		}
	CHECK(true);
}

/* The buffer of stdin: lines in pieces, several at once, one too long. */
static void
feed(const char *bytes, size_t n)
{
	memcpy(door->in + door->in_len, bytes, n);
	door->in_len += n;
	door_lines(door);
}

static void
test_mcp_lines(void)
{
	static const char ping[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"ping\"}\n";
	static const char pong[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":"
	    "{}}\n";
	struct str out;
	size_t n = sizeof ping - 1;

	door_start();
	for (size_t i = 0; i < n; i++) {
		EQUAL(door->out.used, 0);
		feed(ping + i, 1);
	}
	SAME(take_out(), str_c(pong));
	EQUAL(door->in_len, 0);
	for (int i = 0; i < 3; i++) {
		memcpy(door->in + door->in_len, ping, n);
		door->in_len += n;
	}
	feed("{\"jsonrpc\"", 10);
	out = take_out();
	EQUAL(out.n, 3 * (sizeof pong - 1));
	EQUAL(door->in_len, 10);
	feed(ping + 10, n - 10);
	SAME(take_out(), str_c(pong));
	feed("\n\r\n\n", 4);
	SAME(take_out(), S(""));
}

static void
test_mcp_long_line(void)
{
	static const char ping[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"ping\"}\n";
	struct str out;

	door_start();
	memset(door->in, ' ', LINE_MAX_LEN);
	door->in_len = LINE_MAX_LEN;
	door_lines(door);
	out = take_out();
	SAME(path_at(out, "error>code"), S("-32600"));
	EQUAL(door->in_len, 0);
	CHECK(door->skipping);
	memset(door->in, 'x', LINE_MAX_LEN);    /* still the same line */
	door->in_len = LINE_MAX_LEN;
	door_lines(door);
	SAME(take_out(), S(""));
	feed("tail\n", 5);
	SAME(take_out(), S(""));
	feed(ping, sizeof ping - 1);
	CHECK(take_out().n > 0);
	/* the longest that is taken */
	memset(door->in, ' ', LINE_MAX_LEN);
	memcpy(door->in, ping, sizeof ping - 2);
	door->in[LINE_MAX_LEN - 1] = '\n';
	door->in_len = LINE_MAX_LEN;
	door_lines(door);
	SAME(path_at(take_out(), "result"), S("{}"));
	EQUAL(door->in_len, 0);
}

/* While the host does not read, nothing more is answered; then the lines
 * that are there come first. */
static void
test_mcp_slow_host(void)
{
	static const char ping[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
	    "\"ping\"}\n";

	door_start();
	CHECK(mem_alloc(&door->out, OUT_PAUSE + 1) != NULL);
	feed(ping, sizeof ping - 1);
	EQUAL(door->out.used, OUT_PAUSE + 1);
	EQUAL(door->in_len, sizeof ping - 1);
	mem_reset(&door->out, 0);
	door_lines(door);
	CHECK(door->out.used > 0);
	EQUAL(door->in_len, 0);
}

/* An id and arguments that are too long. */
static void
test_mcp_sizes(void)
{
	for (size_t i = 0; i < 4; i++) {
		size_t n = i < 2 ? ID_MAX - 2 + i : ARGS_MAX - 100 + 200 * (i -
		    2);
		u8 *x = mem_alloc(&T, n + 1);
		struct str out;
		struct out o;

		memset(x, 'x', n);
		door_start();
		(void)say(init_2025_11);
		out_open(&o, &T);
		if (i < 2)
			OUT(&o, S("{\"jsonrpc\":\"2.0\",\"id\":\""),
			    ((struct str){ x, n }),
			    S("\",\"method\":\"ping\"}"), (struct str)B("\0"));
		else
			OUT(&o, S("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
			    "\"tools/call\",\"params\":{\"name\":"
			    "\"get_health_status\",\"x\":\""),
			    ((struct str){ x, n }), S("\"}}"),
			    (struct str)B("\0"));
		out = say((const char *)out_close(&o, &T).p);
		if (i == 0)
			SAME(path_at(out, "result"), S("{}"));
		else if (i == 1)
			SAME(path_at(out, "error>code"), S("-32600"));
		else if (i == 2)
			SAME(out, S(""));
		else
			CHECK(str_is_start(path_at(out,
			    "result>content>0>text"), S("\"too_large: ")));
	}
}

/* Door and keeper together, over their socket. */
static void
test_mcp_hear(void)
{
	struct frame f = { 0 };
	u8 room[256];
	struct str got;
	struct out o;

	door_start();
	(void)say(init_2025_11);
	door_line(door, S(CALL("1", "a")));
	door_line(door, S(CALL("2", "a")));
	call_next(door);
	got = to_keeper();
	if (!CHECK(got.n > FRAME_HEAD && frame_parse_head(got.p, &f)))
		return;
	EQUAL(f.payload.n, got.n - FRAME_HEAD);
	out_init(&o, room, sizeof room);
	frame_put_head(&o, FRAME_RESULT, f.seq, 20);
	out_put(&o, S("{\"data\":{\"a\":\"sec\"}}"));
	for (size_t i = 0; i < o.n; i++) {      /* byte by byte */
		EQUAL(door->out.used, 0);
		CHECK(write(keeper_end_fd, o.p + i, 1) == 1);
		door_hear(door);
	}
	SAME(path_at(take_out(), "id"), S("1"));
	CHECK(!door->lost);
	EQUAL(door->frame_len, 0);
	CHECK(is_zero(door->frame, o.n));       /* nothing of it is left */
	CHECK(write(keeper_end_fd, "\xff\xff\xff\xff\3\0\0\0\1", 9) ==
	    9);
	door_hear(door);
	CHECK(door->lost);
	door->lost = false;
	door->frame_len = 0;
	(void)shutdown(keeper_end_fd, SHUT_RDWR);
	door_hear(door);
	CHECK(door->lost);
}

/* A host: its revision, what it can do, its progress token or NULL. */
static struct {
	int rev;
	const char *caps, *token;
} host;

static void
host_start(int rev, const char *caps)
{
	door_start();
	host.rev = rev;
	host.caps = caps;
	host.token = NULL;
	run.row = rev_name[rev];
	if (rev != REV_2026_07)
		CHECK(path_at(say(cstr(JOIN(&T, S("{\"jsonrpc\":\"2.0\","
		    "\"id\":0,\"method\":\"initialize\",\"params\":{"
		    "\"protocolVersion\":\""), str_c(rev_name[rev]),
		    S("\",\"capabilities\":"), str_c(caps), S("}}")))),
		    "result").n > 0);
}

/* A request of this host; params are JSON members. */
static struct str
host_asks(const char *id, const char *method, const char *params)
{
	struct out o;
	struct jw w = { &o, false };

	out_open(&o, &T);
	OUT(&o, S("{\"jsonrpc\":\"2.0\",\"id\":"), str_c(id),
	    S(",\"method\":\""), str_c(method), S("\",\"params\":{"));
	if (*params != '\0')
		jw_raw(&w, str_c(params));
	if (host.rev == REV_2026_07 || host.token != NULL) {
		jw_key(&w, S("_meta"));
		jw_open(&w, '{');
	}
	if (host.rev == REV_2026_07) {
		jw_put(&w, S(META_VERSION), S("2026-07-28"));
		jw_put_raw(&w, S(META_CAPABILITIES), str_c(host.caps));
	}
	if (host.token != NULL)
		jw_put_raw(&w, S("progressToken"), str_c(host.token));
	if (host.rev == REV_2026_07 || host.token != NULL)
		jw_close(&w, '}');
	OUT(&o, S("}}"), (struct str)B("\0"));
	return say((const char *)out_close(&o, &T).p);
}

static struct str
host_cancels(const char *id)
{
	return say(cstr(JOIN(&T, S("{\"jsonrpc\":\"2.0\",\"method\":"
	    "\"notifications/cancelled\",\"params\":{\"requestId\":"),
	    str_c(id), S("}}"))));
}

/* The one call that has come to the keeper: its payload, with its number in
 * *seq; NOTHING when there is none. */
static struct str
call_taken(uint32_t *seq)
{
	struct str got = to_keeper();
	struct frame f = { 0 };

	if (got.n == 0 || !CHECK(got.n > FRAME_HEAD &&
	    frame_parse_head(got.p, &f) && f.kind == FRAME_CALL &&
	    f.payload.n == got.n - FRAME_HEAD))
		return NOTHING;
	*seq = f.seq;
	return str_from(got, FRAME_HEAD);
}

/* The same for a call that must be there, and that the keeper then ends. */
static struct str
call_ends(const char *payload)
{
	struct str out = NOTHING;
	uint32_t seq = 0;

	if (CHECK(call_taken(&seq).n > 0))
		CHECK(keeper_says(seq, payload, &out));
	return out;
}

/* What the keeper tells about a call that runs. */
static struct str
keeper_notes(uint32_t seq, const char *payload)
{
	struct frame f = { FRAME_NOTE, seq, str_c(payload) };

	CHECK(door_result(door, &f));
	return take_out();
}

#define WORKING "{\"method\":\"notifications/progress\",\"params\":{" \
	"\"message\":\"working\"}}"
#define EACH_REV(rev) for (int rev = REV_2024_11; rev <= REV_2026_07; rev++)
#define FORMS "{\"elicitation\":{}}"

/* A name for a tool that every host and every model takes. */
static bool
is_portable(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if ((name.p[i] < 'a' || name.p[i] > 'z') && (name.p[i] < '0' ||
		    name.p[i] > '9') && name.p[i] != '_')
			return false;
	return name.n >= 1 && name.n <= 40;
}

/* The arguments of a prompt as they are listed. */
static void
check_arguments(const struct json *j, uint32_t list, const struct prompt *p)
{
	struct str text;
	size_t n = 0;

	for (uint32_t k = json_first(j, list); k; k = json_next(j, list, k)) {
		if (!CHECK(n < p->args))
			return;
		CHECK(json_is_str(j, k, S("name"), str_c(p->arg[n].name)));
		CHECK(json_get_str(j, k, S("description"), &text) &&
		    text.n > 0);
		EQUAL(json_is_word(j, json_get(j, k, S("required")),
		    S("true")), p->arg[n++].required);
	}
	EQUAL(n, p->args);
}

/* All that is listed, as each revision has it. */
static void
test_mcp_lists(void)
{
	static const struct {
		const char *method, *member;
		size_t n;
	} rows[] = {
		{ "tools/list", "tools", LEN(tools) - WRITERS },
		{ "prompts/list", "prompts", LEN(prompts) },
		{ "resources/list", "resources", 2 },
		{ "resources/templates/list", "resourceTemplates", 1 },
	};

	EACH_REV(rev) for (size_t i = 0; i < LEN(rows); i++) {
		struct str out, first = NOTHING, name;
		size_t n = 0;
		uint32_t list;
		struct json j;

		host_start(rev, "{}");
		out = host_asks("1", rows[i].method, "");
		CHECK(out.n <= 8192);
		SAME(path_at(out, "result>nextCursor"), NOTHING);
		EQUAL(path_at(out, "result>resultType").n > 0,
		    rev == REV_2026_07);
		SAME(path_at(out, "result>ttlMs"), rev == REV_2026_07 ?
		    S("300000") : NOTHING);
		SAME(path_at(out, "result>cacheScope"), rev == REV_2026_07 ?
		    S("\"public\"") : NOTHING);
		if (!CHECK(parses(&j, out)))
			continue;
		list = json_get(&j, json_get(&j, ROOT, S("result")),
		    str_c(rows[i].member));
		for (uint32_t k = json_first(&j, list); k;
		    k = json_next(&j, list, k), n++) {
			CHECK(json_get_str(&j, k, S("name"), &name) &&
			    (is_portable(name) || i > 1));
			CHECK(!str_eq(name, first));
			first = n == 0 ? name : first;
			CHECK(json_get_str(&j, k, S("description"), &name) &&
			    name.n > 10 && str_find(name, '\n') == name.n);
			EQUAL(json_get(&j, k, S("title")) != 0,
			    rev >= REV_2025_06);
			EQUAL(json_get(&j, k, S("uri")) != 0, i == 2);
			EQUAL(json_get(&j, k, S("uriTemplate")) != 0, i == 3);
			EQUAL(json_is_array(&j, json_get(&j, k,
			    S("arguments"))), i == 1);
			if (i == 1)
				check_arguments(&j, json_get(&j, k,
				    S("arguments")), &prompts[n]);
		}
		EQUAL(n, rows[i].n);
	}
	run.row = NULL;
}

/* Four hints of every tool, each true or false. */
static void
test_mcp_hints(void)
{
	static const char *const hint[] = { "readOnlyHint", "destructiveHint",
		"idempotentHint", "openWorldHint" };
	struct str out;

	host_start(REV_2025_11, "{}");
	door->cat = &opmcp_writing;
	out = host_asks("1", "tools/list", "");
	SAME(path_at(out, "result>tools>12"), NOTHING);
	for (size_t i = 0; i < LEN(tools) * LEN(hint); i++) {
		char path[64];
		struct str value;

		(void)snprintf(path, sizeof path,
		    "result>tools>%zu>annotations>%s", i / LEN(hint),
		    hint[i % LEN(hint)]);
		value = path_at(out, path);
		CHECK(str_eq(value, S("true")) || str_eq(value, S("false")));
	}
	/* what hands out a secret must not look harmless */
	SAME(path_at(out, "result>tools>0>annotations>readOnlyHint"),
	    S("false"));
	SAME(path_at(out, "result>tools>1>annotations>readOnlyHint"),
	    S("true"));
	SAME(path_at(out, "result>tools>1>annotations>title"),
	    path_at(out, "result>tools>1>title"));
	/* nor what changes something */
	for (size_t i = LEN(tools) - WRITERS; i < LEN(tools); i++) {
		char path[64];

		(void)snprintf(path, sizeof path,
		    "result>tools>%zu>annotations>readOnlyHint", i);
		SAME(path_at(out, path), S("false"));
		(void)snprintf(path, sizeof path,
		    "result>tools>%zu>annotations>destructiveHint", i);
		SAME(path_at(out, path), strstr(tools[i].name, "create") !=
		    NULL ? S("false") : S("true"));
	}
}

/* Every list is one page: no cursor can be right. */
static void
test_mcp_cursors(void)
{
	static const char *const lists[] = { "tools/list", "prompts/list",
		"resources/list", "resources/templates/list" };
	static const char *const cursors[] = { "\"x\"", "\"\"", "null", "7",
		"{}", "\"100\"" };

	EACH_REV(rev) for (size_t i = 0; i < LEN(lists) * LEN(cursors); i++) {
		host_start(rev, "{}");
		SAME(path_at(host_asks("1", lists[i / LEN(cursors)],
		    cstr(JOIN(&T, S("\"cursor\":"),
		    str_c(cursors[i % LEN(cursors)])))), "error>code"),
		    S("-32602"));
	}
}

/* The errors of the protocol, in each era; "" is a call that goes to the
 * keeper, "ok" a result. */
static void
test_mcp_errors(void)
{
	static const struct {
		const char *method, *params, *legacy, *modern;
	} rows[] = {
		{ "none", "", "-32601", "-32601" },
		{ "ping", "", "ok", "-32601" },
		{ "initialize", "", "-32602", "-32601" },
		{ "logging/setLevel", "\"level\":\"info\"", "-32601",
		    "-32601" },
		{ "resources/subscribe", "\"uri\":\"onepassword://status\"",
		    "-32601", "-32601" },
		{ "resources/unsubscribe", "", "-32601", "-32601" },
		{ "roots/list", "", "-32601", "-32601" },
		{ "tasks/get", "", "-32601", "-32601" },
		{ "server/discover", "", "-32602", "ok" },
		{ "subscriptions/listen", "", "-32602", "-32602" },
		{ "subscriptions/listen", "\"notifications\":7", "-32602",
		    "-32602" },
		{ "tools/call", "", "-32602", "-32602" },
		{ "tools/call", "\"name\":\"none\"", "-32602", "-32602" },
		{ "tools/call", "\"name\":null", "-32602", "-32602" },
		{ "tools/call", "\"name\":\"get_health_status\"", "", "" },
		{ "tools/call", "\"name\":\"get_health_status\","
		    "\"arguments\":\"x\"", "-32602", "-32602" },
		/* the keeper's to refuse, as a result */
		{ "tools/call", "\"name\":\"get_health_status\","
		    "\"arguments\":{\"x\":1}", "", "" },
		{ "tools/call", "\"name\":\"get_health_status\","
		    "\"requestState\":7", "", "-32602" },
		{ "tools/call", "\"name\":\"get_health_status\","
		    "\"requestState\":\"x\"", "", "" },
		{ "tools/call", "\"name\":\"get_health_status\","
		    "\"inputResponses\":[]", "", "-32602" },
		{ "tools/call", "\"name\":\"get_health_status\","
		    "\"inputResponses\":null", "", "-32602" },
		{ "tools/call", "\"name\":\"get_health_status\","
		    "\"inputResponses\":{}", "", "" },
		{ "resources/read", "", "-32602", "-32602" },
		{ "resources/read", "\"uri\":7", "-32602", "-32602" },
		{ "resources/read", "\"uri\":\"x\"", "", "" },
		{ "resources/read", "\"uri\":\"x\",\"requestState\":{}", "",
		    "-32602" },
		{ "prompts/get", "", "-32602", "-32602" },
		{ "prompts/get", "\"name\":\"none\"", "-32602", "-32602" },
		{ "prompts/get", "\"name\":\"explain_rules\"", "ok", "ok" },
		{ "prompts/get", "\"name\":\"explain_rules\",\"arguments\":"
		    "{\"x\":\"y\"}", "-32602", "-32602" },
		{ "prompts/get", "\"name\":\"explain_rules\",\"arguments\":"
		    "[]", "-32602", "-32602" },
		{ "prompts/get", "\"name\":\"explain_rules\","
		    "\"inputResponses\":1", "ok", "-32602" },
		{ "prompts/get", "\"name\":\"use_credential\"", "-32602",
		    "-32602" },
		{ "prompts/get", "\"name\":\"use_credential\",\"arguments\":"
		    "{\"item_name\":\"x\"}", "ok", "ok" },
		{ "prompts/get", "\"name\":\"use_credential\",\"arguments\":"
		    "{\"item_name\":7}", "-32602", "-32602" },
		{ "prompts/get", "\"name\":\"use_credential\",\"arguments\":"
		    "{\"item_name\":\"a\\nb\"}", "-32602", "-32602" },
		{ "prompts/get", "\"name\":\"audit_vault\"", "ok", "ok" },
	};

	EACH_REV(rev) for (size_t i = 0; i < LEN(rows); i++) {
		const char *want = rev == REV_2026_07 ? rows[i].modern :
		    rows[i].legacy;
		struct str out;
		uint32_t seq;

		host_start(rev, "{}");
		out = host_asks("\"e\"", rows[i].method, rows[i].params);
		run.row = *rows[i].params ? rows[i].params : rows[i].method;
		EQUAL(call_taken(&seq).n > 0, *want == '\0');
		if (*want == '\0') {
			SAME(out, S(""));
			continue;
		}
		SAME(path_at(out, "id"), S("\"e\""));
		SAME(path_at(out, "error>code"), *want == 'o' ? NOTHING :
		    str_c(want));
		EQUAL(path_at(out, "result").n > 0, *want == 'o');
	}
	run.row = NULL;
}

/* What the keeper's errors become. A tool's is a result that the model sees;
 * -32002 is of the legacy era, -32021 and -32022 are of the modern one. */
static void
test_mcp_keeper_errors(void)
{
	static const char *const method[] = { "tools/call", "resources/read",
		"completion/complete" };
	static const char *const params[] = {
		"\"uri\":\"a://b\",\"name\":\"get_health_status\"",
		"\"uri\":\"a://b\"",
		"\"uri\":\"a://b\",\"ref\":{\"type\":\"ref/prompt\",\"name\":"
		    "\"audit_vault\"},\"argument\":{\"name\":\"vault\","
		    "\"value\":\"\"}" };

	EACH_REV(rev) for (int code = E_NONE + 1; code < E_COUNT; code++)
		for (size_t i = 0; i < LEN(method); i++) {
			bool modern = rev == REV_2026_07, uri = i == 1 &&
			    err_table[code].rpc == RPC_OF_URI;
			const char *want = code == E_CANNOT_ASK && modern ?
			    "-32021" : code == E_STATE && (modern || i > 0) ?
			    "-32602" : i == 0 ? "" : uri && !modern ? "-32002" :
			    err_table[code].rpc == RPC_OF_US ? "-32603" :
			    "-32602";
			char answer[64];
			struct str out;

			host_start(rev, "{}");
			(void)host_asks("1", method[i], params[i]);
			(void)snprintf(answer, sizeof answer,
			    "{\"error\":\"why\",\"code\":%d}", code);
			out = call_ends(answer);
			run.row = err_table[code].word;
			SAME(path_at(out, "error>code"), str_c(want));
			SAME(path_at(out, *want ? "error>message" :
			    "result>content>0>text"), S("\"why\""));
			SAME(path_at(out, "result>isError"), *want ? NOTHING :
			    S("true"));
			SAME(path_at(out, "error>data"), uri ?
			    S("{\"uri\":\"a://b\"}") : code == E_CANNOT_ASK &&
			    modern ? S("{\"requiredCapabilities\":{"
			    "\"elicitation\":{\"form\":{}}}}") : NOTHING);
		}
	CHECK(err_table[E_RESOURCE].rpc == RPC_OF_URI &&
	    err_table[E_VAULT].rpc == RPC_OF_URI &&
	    err_table[E_ARGUMENT].rpc == RPC_OF_CALLER &&
	    err_table[E_NAME].rpc == RPC_OF_CALLER &&
	    err_table[E_STATE].rpc == RPC_OF_CALLER &&
	    err_table[E_NET].rpc == RPC_OF_US);
	run.row = NULL;
}

/* A resource: asked of the keeper, its result passed on. */
static void
test_mcp_resources_read(void)
{
	static const char prefix[] = "\"uri\":\"onepassword://";
	struct out o;
	struct str out;
	uint32_t seq;

	EACH_REV(rev) {
		host_start(rev, "{}");
		SAME(host_asks("7", "resources/read",
		    "\"uri\":\"onepassword://status\""), S(""));
		out = call_ends("{\"result\":{\"contents\":[{\"uri\":\"u\"}]"
		    "}}");
		SAME(path_at(out, "id"), S("7"));
		SAME(path_at(out, "result>contents"), S("[{\"uri\":\"u\"}]"));
		SAME(path_at(out, "result>ttlMs"), rev == REV_2026_07 ?
		    S("0") : NOTHING);
		SAME(path_at(out, "result>cacheScope"), rev == REV_2026_07 ?
		    S("\"private\"") : NOTHING);
		SAME(path_at(out, "result>resultType"), rev == REV_2026_07 ?
		    S("\"complete\"") : NOTHING);
	}
	for (size_t n = URI_MAX; n <= URI_MAX + 1; n++) {
		host_start(REV_2025_11, "{}");
		out_open(&o, &T);
		out_put(&o, str_c(prefix));
		while (o.n < n + sizeof "\"uri\":\"" - 1)
			out_byte(&o, 'x');
		out_byte(&o, '"');
		out = host_asks("1", "resources/read",
		    cstr(out_close(&o, &T)));
		SAME(path_at(out, "error>code"), n == URI_MAX ?
		    S("(not JSON)") : S("-32602"));
		EQUAL(call_taken(&seq).n > 0, n == URI_MAX);
	}
}

/* A prompt's text: arguments are data, as JSON strings, and are not looked
 * into for more; settings stand in one of them. */
static void
test_mcp_prompts_get(void)
{
	static const struct {
		const char *params, *want;
	} rows[] = {
		{ "\"name\":\"use_credential\",\"arguments\":{\"item_name\":"
		    "\"Git\\u0048ub\"}", "\nItem: \"GitHub\"\nVault: (none "
		    "given: the default)\n" },
		{ "\"name\":\"use_credential\",\"arguments\":{\"item_name\":"
		    "\"a\\\"\\\\ {vault}\",\"vault\":\"{item_name}\"}",
		    "\nItem: \"a\\\"\\\\ {vault}\"\nVault: \"{item_name}\"\n" },
		{ "\"name\":\"rotate_credential\",\"arguments\":{\"item_name\""
		    ":\"x\",\"vault\":\"\"}", "\nItem: \"x\"\nVault: (none "
		    "given: the default)\n" },
		{ "\"name\":\"audit_vault\"", "\nVault: (none given: the "
		    "default)\n" },
		{ "\"name\":\"audit_vault\",\"arguments\":{\"vault\":\"V\"}",
		    "\nVault: \"V\"\n" },
		{ "\"name\":\"explain_rules\"", "(OPMCP_VAULTS): \"AI, \\\"x"
		    "\\\"\"; " },
		{ "\"name\":\"explain_rules\"", "(OPMCP_REVEAL): ask; " },
		{ "\"name\":\"explain_rules\"", "(OPMCP_TIMEOUT): 30.\n" },
	};

	EACH_REV(rev) for (size_t i = 0; i < LEN(rows); i++) {
		struct str out, text;
		uint32_t seq;

		host_start(rev, "{}");
		door_cfg.vaults = "AI, \"x\"";
		door_cfg.reveal = ASK;
		out = host_asks("1", "prompts/get", rows[i].params);
		run.row = rows[i].params;
		SAME(path_at(out, "result>messages>0>role"), S("\"user\""));
		SAME(path_at(out, "result>messages>0>content>type"),
		    S("\"text\""));
		SAME(path_at(out, "result>messages>1"), NOTHING);
		CHECK(text_of(out, "result>description").n > 0);
		text = text_of(out, "result>messages>0>content>text");
		CHECK(str_search(text, str_c(rows[i].want)) < text.n);
		EQUAL(call_taken(&seq).n, 0);
		EQUAL(path_at(out, "result>ttlMs").n, 0);
		EQUAL(path_at(out, "result>resultType").n > 0,
		    rev == REV_2026_07);
	}
	run.row = NULL;
}

/* A setting that makes the prompt too long for its room: an error, not a
 * shorter prompt. */
static void
test_mcp_prompt_long(void)
{
	char *vaults = mem_alloc(&T, PROMPT_MAX + 1);

	for (size_t i = 0; i < 2; i++) {
		memset(vaults, 'v', i == 0 ? PROMPT_MAX - 2000 : PROMPT_MAX);
		host_start(REV_2025_11, "{}");
		door_cfg.vaults = vaults;
		SAME(path_at(host_asks("1", "prompts/get",
		    "\"name\":\"explain_rules\""), "error>code"), i == 0 ?
		    NOTHING : S("-32603"));
	}
}

/* Completion: nothing, names from the keeper, or an error. */
static void
test_mcp_complete(void)
{
#define PROMPT "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"use_credential\"},"
#define TEMPLATE "\"ref\":{\"type\":\"ref/resource\",\"uri\":\"" ITEMS "\"},"
#define VAULT_IS(v) "\"argument\":{\"name\":\"vault\",\"value\":" v "}"
	static const struct {
		const char *params, *want;      /* as in test_mcp_errors */
	} rows[] = {
		{ PROMPT VAULT_IS("\"a\""), "" },
		{ PROMPT VAULT_IS("\"\""), "" },
		{ TEMPLATE VAULT_IS("\"a\""), "" },
		{ TEMPLATE "\"argument\":{\"name\":\"cursor\",\"value\":\"\"}",
		    "ok" },
		{ PROMPT VAULT_IS("\"a\"") ",\"context\":{}", "" },
		{ PROMPT VAULT_IS("\"a\"") ",\"context\":{\"arguments\":{"
		    "\"vault\":\"AI\"}}", "" },
		{ PROMPT VAULT_IS("\"a\"") ",\"context\":7", "-32602" },
		{ PROMPT VAULT_IS("\"a\"") ",\"context\":{\"arguments\":[]}",
		    "-32602" },
		{ PROMPT VAULT_IS("7"), "-32602" },
		{ PROMPT VAULT_IS("null"), "-32602" },
		{ PROMPT "\"argument\":{\"name\":\"vault\"}", "-32602" },
		{ PROMPT "\"argument\":{\"value\":\"a\"}", "-32602" },
		{ PROMPT "\"argument\":{\"name\":\"none\",\"value\":\"a\"}",
		    "-32602" },
		{ VAULT_IS("\"a\""), "-32602" },
		{ "\"ref\":{\"type\":\"ref/prompt\",\"name\":\"none\"},"
		    VAULT_IS("\"a\""), "-32602" },
		{ "\"ref\":{\"type\":\"ref/resource\",\"uri\":"
		    "\"onepassword://vaults\"}," VAULT_IS("\"a\""), "-32602" },
		{ "\"ref\":{\"type\":\"ref/none\",\"name\":\"audit_vault\"},"
		    VAULT_IS("\"a\""), "-32602" },
		{ "", "-32602" },
	};
#undef PROMPT
#undef TEMPLATE
#undef VAULT_IS
	struct str out;

	EACH_REV(rev) for (size_t i = 0; i < LEN(rows); i++) {
		host_start(rev, "{}");
		out = host_asks("1", "completion/complete", rows[i].params);
		run.row = rows[i].params;
		if (rows[i].want[0] == '\0') {
			SAME(out, S(""));
			out = call_ends("{\"result\":{\"completion\":{"
			    "\"values\":[\"v\"]}}}");
			SAME(path_at(out, "result>completion>values"),
			    S("[\"v\"]"));
		} else if (rows[i].want[0] == 'o') {
			SAME(path_at(out, "result>completion"), S("{\"values\""
			    ":[],\"total\":0,\"hasMore\":false}"));
		} else {
			SAME(path_at(out, "error>code"),
			    str_c(rows[i].want));
		}
		EQUAL(to_keeper().n, 0);
	}
	run.row = NULL;
}

/* More completions than anybody can wait for have no values. */
static void
test_mcp_complete_queue(void)
{
	struct str out;
	char id[16];

	host_start(REV_2025_11, "{}");
	(void)host_asks("\"c\"", "tools/call",
	    "\"name\":\"get_health_status\"");
	for (unsigned i = 0; i <= COMPLETIONS_QUEUED; i++) {
		(void)snprintf(id, sizeof id, "%u", i);
		out = host_asks(id, "completion/complete", "\"ref\":{\"type\":"
		    "\"ref/prompt\",\"name\":\"audit_vault\"},\"argument\":{"
		    "\"name\":\"vault\",\"value\":\"\"}");
		SAME(path_at(out, "result>completion>values"),
		    i < COMPLETIONS_QUEUED ? S("(not JSON)") : S("[]"));
	}
	EQUAL(call_count(door, CALL_WAITS, NULL), COMPLETIONS_QUEUED);
}

/* Capabilities are kept with a call, so they have a size. */
static void
test_mcp_caps_size(void)
{
	for (size_t n = CAPS_MAX; n <= CAPS_MAX + 1; n++)
		for (int rev = REV_2025_11; rev <= REV_2026_07; rev++) {
			struct str out;
			struct out o;
			uint32_t seq;

			out_open(&o, &T);
			out_put(&o, S("{\"elicitation\":{},\"x\":\""));
			while (o.n < n - 2)
				out_byte(&o, 'x');
			out_put(&o, S("\"}"));
			host_start(rev, cstr(out_close(&o, &T)));
			out = host_asks("1", "tools/call",
			    "\"name\":\"get_health_status\"");
			if (n > CAPS_MAX && rev == REV_2026_07) {
				SAME(path_at(out, "result>isError"),
				    S("true"));
				continue;
			}
			SAME(path_at(call_taken(&seq), "ask"), n > CAPS_MAX ?
			    S("false") : S("true"));
		}
}

/* Whether a host can show a form, by its revision and capabilities. */
static void
test_mcp_can_ask(void)
{
	static const struct {
		const char *caps;
		bool form;
	} rows[] = {
		{ "{\"elicitation\":{}}", true },
		{ "{\"elicitation\":{\"form\":{}}}", true },
		{ "{\"elicitation\":{\"form\":{},\"url\":{}}}", true },
		{ "{\"roots\":{},\"elicitation\":{ }}", true },
		{ "{\"elicitation\":{\"other\":{}}}", true },
		{ "{\"elicitation\":{\"url\":{}}}", false },
		{ "{\"elicitation\":{\"form\":null}}", false },
		{ "{\"elicitation\":{\"form\":false}}", false },
		{ "{\"elicitation\":null}", false },
		{ "{\"elicitation\":false}", false },
		{ "{\"elicitation\":[]}", false },
		{ "{\"elicitation\":true}", false },
		{ "{\"Elicitation\":{}}", false },
		{ "{\"experimental\":{\"elicitation\":{}}}", false },
		{ "{\"sampling\":{}}", false }, { "{}", false },
	};
	uint32_t seq;

	EACH_REV(rev) for (size_t i = 0; i < LEN(rows); i++) {
		host_start(rev, rows[i].caps);
		(void)host_asks("1", "tools/call",
		    "\"name\":\"get_health_status\"");
		run.row = rows[i].caps;
		SAME(path_at(call_taken(&seq), "ask"), rows[i].form &&
		    rev >= REV_2025_06 ? S("true") : S("false"));
	}
	host_start(REV_2025_11, "{}");
	for (int i = 0; i < 4; i++)     /* each session forgets the last */
		(void)say(cstr(JOIN(&T, S("{\"jsonrpc\":\"2.0\",\"id\":0,"
		    "\"method\":\"initialize\",\"params\":{"
		    "\"protocolVersion\":\"2025-11-25\",\"capabilities\":{"
		    "\"elicitation\":{},\"x\":\""), hex(door->in, CAPS_MAX / 3),
		    S("\"}}}"))));
	(void)host_asks("1", "tools/call", "\"name\":\"get_health_status\"");
	SAME(path_at(call_taken(&seq), "ask"), S("true"));
	host_start(REV_2025_11, FORMS);
	/* a new session, of a host that cannot */
	(void)say(init_2025_11);
	(void)host_asks("1", "tools/call", "\"name\":\"get_health_status\"");
	SAME(path_at(call_taken(&seq), "ask"), S("false"));
}

/* What the modern era adds to a request travels beside the params; a legacy
 * request has no such members, whatever it calls them. */
static void
test_mcp_answers(void)
{
	uint32_t seq;

	EACH_REV(rev) {
		struct str got;

		host_start(rev, "{}");
		(void)host_asks("1", "tools/call", "\"name\":"
		    "\"get_health_status\",\"inputResponses\":{\"a\":[1]},"
		    "\"requestState\":\"s\\u0041\",\"answers\":1,\"state\":2");
		got = call_taken(&seq);
		SAME(path_at(got, "answers"), rev == REV_2026_07 ?
		    S("{\"a\":[1]}") : NOTHING);
		SAME(path_at(got, "state"), rev == REV_2026_07 ?
		    S("\"s\\u0041\"") : NOTHING);
		SAME(path_at(got, "method"), S("\"tools/call\""));
		SAME(path_at(got, "params>name"), S("\"get_health_status\""));
	}
}

#define QUESTION "{\"method\":\"elicitation/create\",\"params\":{\"mode\":" \
	"\"form\",\"message\":\"m?\",\"requestedSchema\":{\"type\":" \
	"\"object\"}}}"
#define PLAIN "{\"method\":\"elicitation/create\",\"params\":{}}"
#define ASKS "{\"ask\":{\"approval\":" QUESTION "},\"state\":\"ST\"}"

/* A modern host gets the questions as the result, once and for all. */
static void
test_mcp_ask_modern(void)
{
	static const struct {
		const char *caps, *frame, *asked, *state, *needed;
	} rows[] = {
		{ FORMS, ASKS, "{\"approval\":" QUESTION "}", "\"ST\"", "" },
		{ FORMS, "{\"ask\":{\"a\":" QUESTION ",\"b\":{\"method\":"
		    "\"sampling/createMessage\",\"params\":{}},\"c\":"
		    QUESTION "},\"state\":\"S\"}", "{\"a\":" QUESTION
		    ",\"c\":" QUESTION "}", "\"S\"", "" },
		{ FORMS, "{\"ask\":{\"a\":" QUESTION "}}", "{\"a\":" QUESTION
		    "}", "", "" },
		{ "{\"elicitation\":{\"form\":{},\"url\":{}}}", "{\"ask\":{"
		    "\"a\":" PLAIN "}}", "{\"a\":" PLAIN "}", "", "" },
		{ "{\"elicitation\":{\"url\":{}}}", "{\"ask\":{\"a\":" PLAIN
		    "}}", "", "", "{\"elicitation\":{\"form\":{}}}" },
		{ "{}", "{\"ask\":{},\"state\":\"S\"}", "", "\"S\"", "" },
		{ "{}", ASKS, "", "", "{\"elicitation\":{\"form\":{}}}" },
		{ FORMS, "{\"ask\":{\"a\":{\"method\":\"elicitation/create\","
		    "\"params\":{\"mode\":\"url\"}}}}", "", "",
		    "{\"elicitation\":{\"url\":{}}}" },
		{ FORMS, "{\"ask\":{\"a\":{\"method\":\"roots/list\"}}}", "",
		    "", "{\"roots\":{}}" },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct str out;

		host_start(REV_2026_07, rows[i].caps);
		(void)host_asks("1", "tools/call",
		    "\"name\":\"get_health_status\",\"uri\":\"a://b\"");
		out = call_ends(rows[i].frame);
		run.row = rows[i].frame;
		SAME(path_at(out, "id"), S("1"));
		CHECK(call_find(door, S("1")) == NULL);
		if (*rows[i].needed != '\0') {
			SAME(path_at(out, "error>code"), S("-32021"));
			SAME(path_at(out, "error>data>requiredCapabilities"),
			    str_c(rows[i].needed));
			continue;
		}
		SAME(path_at(out, "result>resultType"),
		    S("\"input_required\""));
		SAME(path_at(out, "result>inputRequests"),
		    str_c(rows[i].asked));
		SAME(path_at(out, "result>requestState"),
		    str_c(rows[i].state));
		SAME(path_at(out, "result>ttlMs"), NOTHING);
		SAME(path_at(out, "result>content"), NOTHING);
		CHECK(path_at(out, "result>_meta").n > 0);
	}
	/* nor is that of a resource to be kept by the host */
	host_start(REV_2026_07, FORMS);
	(void)host_asks("1", "resources/read", "\"uri\":\"a://b\"");
	SAME(path_at(call_ends(ASKS), "result>ttlMs"), NOTHING);
	run.row = NULL;
}

/* A response of the host's to one of ours; id is JSON, rest what follows. */
static struct str
host_answers(struct str id, const char *rest)
{
	return say(cstr(JOIN(&T, S("{\"jsonrpc\":\"2.0\",\"id\":"), id,
	    S(","), str_c(rest), S("}"))));
}

/* Call in the legacy era and have the keeper ask: the request that goes out,
 * and under which id. */
static struct str
ask_out(struct str *id)
{
	struct str out;

	host_start(REV_2025_11, FORMS);
	(void)host_asks("\"c\"", "tools/call",
	    "\"name\":\"get_health_status\"");
	out = call_ends(ASKS);
	*id = path_at(out, "id");
	return out;
}

#define ACCEPTS "\"result\":{\"action\":\"accept\",\"content\":{" \
	"\"answer\":\"x\"}}"

/* A legacy host is asked while its call stays open. */
static void
test_mcp_ask_legacy(void)
{
#define CANCEL "{\"action\":\"cancel\"}"
	static const struct {
		const char *rest, *answer;
	} rows[] = {
		{ ACCEPTS, "{\"action\":\"accept\",\"content\":{\"answer\":"
		    "\"x\"}}" },
		{ "\"result\":{\"action\":\"decline\"}",
		    "{\"action\":\"decline\"}" },
		{ "\"result\":{}", "{}" },
		{ "\"error\":{\"code\":-1,\"message\":\"no\"}", CANCEL },
		{ "\"error\":null", CANCEL },
		{ ACCEPTS ",\"error\":{\"code\":-1}", CANCEL },
		{ "\"result\":7", CANCEL }, { "\"result\":null", CANCEL },
		{ "\"result\":true", CANCEL }, { "\"result\":[]", CANCEL },
		{ "\"result\":\"accept\"", CANCEL },
		{ "\"result\":[{\"action\":\"accept\",\"content\":{"
		    "\"answer\":\"x\"}}]", CANCEL },
	};
#undef CANCEL
	struct str out, id, got;
	uint32_t seq;

	for (size_t i = 0; i < LEN(rows); i++) {
		out = ask_out(&id);
		run.row = rows[i].rest;
		CHECK(str_is_start(id, S("\"s")));
		SAME(path_at(out, "jsonrpc"), S("\"2.0\""));
		SAME(path_at(out, "method"), S("\"elicitation/create\""));
		SAME(path_at(out, "params"), path_at(S(QUESTION), "params"));
		EQUAL(to_keeper().n, 0);
		SAME(host_answers(id, rows[i].rest), S(""));
		got = call_taken(&seq);
		SAME(path_at(got, "answers>approval"), str_c(rows[i].answer));
		SAME(path_at(got, "state"), S("\"ST\""));
		SAME(path_at(got, "params>name"), S("\"get_health_status\""));
		SAME(host_answers(id, ACCEPTS), S(""));         /* too late */
		EQUAL(to_keeper().n, 0);
		CHECK(keeper_says(seq, "{\"data\":{\"a\":1}}", &out));
		SAME(path_at(out, "id"), S("\"c\""));
		SAME(path_at(out, "result>structuredContent"),
		    S("{\"a\":1}"));
		SAME(host_answers(id, ACCEPTS), S(""));
		CHECK(call_first(door, CALL_ASKS) == NULL);
	}
	run.row = NULL;
}

/* Only the id under which it was asked is that of an answer. */
static void
test_mcp_ask_ids(void)
{
	static const char *const wrong[] = { "\"s\"", "\"s1\"", "1", "65537",
		"\"c\"", "null", "\"\"", "\"S65537\"", "\"s065537\"",
		"\"s65538\"", "\"s65537 \"" };
	struct str id;
	uint32_t seq;

	(void)ask_out(&id);
	SAME(id, S("\"s65537\""));
	for (size_t i = 0; i < LEN(wrong); i++) {
		run.row = wrong[i];
		SAME(host_answers(str_c(wrong[i]), ACCEPTS), S(""));
		EQUAL(to_keeper().n, 0);
		CHECK(call_first(door, CALL_ASKS) != NULL);
	}
	run.row = NULL;
	SAME(say("{\"jsonrpc\":\"2.0\"," ACCEPTS "}"), S(""));  /* none */
	EQUAL(to_keeper().n, 0);
	SAME(host_answers(id, ACCEPTS), S(""));
	SAME(path_at(call_taken(&seq), "answers>approval>action"),
	    S("\"accept\""));
	(void)ask_out(&id);             /* no message of JSON-RPC 2.0 */
	SAME(say(cstr(JOIN(&T, S("{\"id\":"), id, S("," ACCEPTS "}")))),
	    S(""));
	SAME(path_at(call_taken(&seq), "answers>approval>action"),
	    S("\"cancel\""));
}

/* An answer that is too long is none. */
static void
test_mcp_ask_long(void)
{
	for (size_t n = ANSWER_MAX; n <= ANSWER_MAX + 1; n++) {
		struct str id, got;
		struct out o;
		uint32_t seq;

		(void)ask_out(&id);
		out_open(&o, &T);
		out_put(&o, S("\"result\":{\"x\":\""));
		while (o.n < n + sizeof "\"result\":" - 1 - 2)
			out_byte(&o, 'x');
		out_put(&o, S("\"}"));
		SAME(host_answers(id, cstr(out_close(&o, &T))), S(""));
		got = call_taken(&seq);
		EQUAL(path_at(got, "answers>approval>x").n > 0,
		    n == ANSWER_MAX);
		SAME(path_at(got, "answers>approval>action"), n == ANSWER_MAX ?
		    NOTHING : S("\"cancel\""));
	}
}

/* Nobody answers: after ASK_MS the question is taken back and counts as
 * cancelled. */
static void
test_mcp_ask_late(void)
{
	struct str id, out;
	uint32_t seq;

	(void)ask_out(&id);
	EQUAL(call_tick(door), ASK_MS);
	fake_ms += ASK_MS - 1;
	EQUAL(call_tick(door), 1);
	SAME(take_out(), S(""));
	fake_ms++;
	CHECK(call_tick(door) > 1);
	out = take_out();
	SAME(path_at(out, "method"), S("\"notifications/cancelled\""));
	SAME(path_at(out, "params>requestId"), id);
	SAME(path_at(out, "id"), NOTHING);
	SAME(host_answers(id, ACCEPTS), S(""));         /* and lets it run */
	SAME(path_at(call_taken(&seq), "answers>approval"),
	    S("{\"action\":\"cancel\"}"));
}

/* The call is cancelled while a person is asked: our question is taken back,
 * and of the call nothing is said any more. */
static void
test_mcp_ask_cancel(void)
{
	struct str id, out;

	(void)ask_out(&id);
	out = host_cancels("\"c\"");
	SAME(path_at(out, "method"), S("\"notifications/cancelled\""));
	SAME(path_at(out, "params>requestId"), id);
	EQUAL(to_keeper().n, 0);
	SAME(host_answers(id, ACCEPTS), S(""));
	EQUAL(to_keeper().n, 0);
	fake_ms += 2 * ASK_MS;
	EQUAL(call_tick(door), -1);
	SAME(take_out(), S(""));
	(void)ask_out(&id);                     /* not that one: it stays */
	SAME(host_cancels("\"d\""), S(""));
	SAME(host_cancels(cstr(id)), S(""));
	CHECK(call_first(door, CALL_ASKS) != NULL);
}

/* While a person is asked the keeper serves others. The same call can be
 * asked about ASKS_OF_CALL times, and no more. */
static void
test_mcp_ask_others(void)
{
	struct str id, out = NOTHING;
	uint32_t seq;

	(void)ask_out(&id);
	SAME(host_asks("2", "tools/call", "\"name\":\"get_health_status\""),
	    S(""));
	SAME(path_at(call_ends("{\"data\":{}}"), "id"), S("2"));
	SAME(host_asks("\"c\"", "ping", ""), S(""));    /* its id is in use */
	for (unsigned i = 1; i <= ASKS_OF_CALL; i++) {
		struct str before = id;

		(void)host_answers(id, ACCEPTS);
		if (!CHECK(call_taken(&seq).n > 0 && keeper_says(seq, ASKS,
		    &out)))
			return;
		id = path_at(out, "id");
		EQUAL(str_is_start(id, S("\"s")), i < ASKS_OF_CALL);
		CHECK(!str_eq(id, before));
	}
	SAME(id, S("\"c\""));
	SAME(path_at(out, "result>isError"), S("true"));
	CHECK(str_is_start(text_of(out, "result>content>0>text"),
	    S("approval_missing: ")));
	(void)ask_out(&id);
	door_mourn(door);
	SAME(path_at(take_out(), "result>isError"), S("true"));
}

/* Call and have the keeper ask, FORMS_MAX + n times; what went out, line by
 * line, must be that many requests. */
static void
ask_many(unsigned n)
{
	struct str out = NOTHING;
	char id[16];

	host_start(REV_2025_11, FORMS);
	for (unsigned i = 0; i < FORMS_MAX + n; i++) {
		(void)snprintf(id, sizeof id, "%u", i);
		SAME(host_asks(id, "tools/call",
		    "\"name\":\"get_health_status\""), S(""));
		out = call_ends(ASKS);
		EQUAL(str_is_start(text_of(out, "id"), S("s")),
		    i < FORMS_MAX);
	}
	EQUAL(call_count(door, CALL_HELD, NULL), n);
	ask_more(door);
	SAME(take_out(), S(""));
}

/* A person gets so many forms at once; the others are held back until one is
 * done, and as long as any question waits. */
static void
test_mcp_ask_held(void)
{
	struct str out;
	uint32_t seq;

	ask_many(2);
	SAME(host_answers(S("\"s131073\""), ACCEPTS), S(""));
	ask_more(door);
	out = take_out();
	SAME(path_at(out, "method"), S("\"elicitation/create\""));
	EQUAL(call_count(door, CALL_ASKS, NULL), FORMS_MAX);
	EQUAL(call_count(door, CALL_HELD, NULL), 1);
	CHECK(call_taken(&seq).n > 0);          /* 1, with its answer */
	CHECK(keeper_says(seq, "{\"data\":{}}", &out));
	SAME(path_at(out, "id"), S("1"));
	SAME(host_cancels("5"), S(""));         /* the held one just goes */
	EQUAL(call_count(door, CALL_HELD, NULL), 0);
	EQUAL(to_keeper().n, 0);
	ask_many(1);
	SAME(path_at(host_cancels("0"), "params>requestId"),
	    S("\"s65537\""));
	ask_more(door);
	SAME(path_at(take_out(), "method"), S("\"elicitation/create\""));
	ask_many(1);
	fake_ms += ASK_MS;
	(void)call_tick(door);
	out = take_out();
	CHECK(str_search(out, S("approval_missing: ")) < out.n);
	EQUAL(call_count(door, CALL_HELD, NULL), 0);
	EQUAL(call_count(door, CALL_ASKS, NULL), 0);
}

/* Several questions go one after the other, without those that this host
 * cannot be asked; when there is none that it can, the call fails. */
static void
test_mcp_ask_several(void)
{
	static const char several[] = "{\"ask\":{\"a\":{\"method\":"
	    "\"roots/list\"},\"b\":" QUESTION ",\"\\u0063\":{\"method\":"
	    "\"sampling/createMessage\",\"params\":{\"x\":1}},\"d\":{"
	    "\"method\":\"elicitation/create\",\"params\":{\"mode\":\"url\"}}"
	    "}}";
	struct str id, out;
	uint32_t seq;

	host_start(REV_2025_06, "{\"elicitation\":{},\"sampling\":{}}");
	(void)host_asks("1", "tools/call", "\"name\":\"get_health_status\"");
	out = call_ends(several);
	SAME(path_at(out, "method"), S("\"elicitation/create\""));
	id = path_at(out, "id");
	out = host_answers(id, "\"result\":{\"n\":1}");
	EQUAL(to_keeper().n, 0);
	SAME(path_at(out, "method"), S("\"sampling/createMessage\""));
	SAME(path_at(out, "params"), S("{\"x\":1}"));
	SAME(host_answers(id, "\"result\":{\"n\":9}"), S(""));
	id = path_at(out, "id");
	SAME(host_answers(id, "\"result\":{\"n\":2}"), S(""));
	SAME(path_at(call_taken(&seq), "answers"),
	    S("{\"b\":{\"n\":1},\"c\":{\"n\":2}}"));
	for (int rev = REV_2024_11; rev <= REV_2025_11; rev++) {
		host_start(rev, "{}");
		(void)host_asks("1", "tools/call",
		    "\"name\":\"get_health_status\"");
		out = call_ends(ASKS);
		SAME(path_at(out, "result>isError"), S("true"));
		CHECK(str_is_start(text_of(out, "result>content>0>text"),
		    S("approval_unavailable: ")));
	}
}

/* Progress only for who wants it, with a token that can be echoed. */
static void
test_mcp_progress(void)
{
	static const char *const token[] = { "\"t\"", "\"\"", "7", "-1",
		"\"a\\u0000\\\"\"", NULL, "null", "1.5", "true", "[]", "{}" };

	EACH_REV(rev) for (size_t i = 0; i < LEN(token); i++) {
		bool want = i < 5;
		struct str out;
		uint32_t seq = 0;

		host_start(rev, "{}");
		host.token = token[i];
		out = host_asks("1", "tools/call",
		    "\"name\":\"get_health_status\"");
		run.row = token[i];
		EQUAL(out.n > 0, want);
		SAME(path_at(out, "params>progressToken"), !want ?
		    S("(not JSON)") : str_c(token[i]));
		(void)call_taken(&seq);
		fake_ms += NOTES_MS;
		out = keeper_notes(seq, WORKING);
		EQUAL(out.n > 0, want);
		if (!want)
			continue;
		SAME(path_at(out, "method"), S("\"notifications/progress\""));
		SAME(path_at(out, "params>progressToken"), str_c(token[i]));
		SAME(path_at(out, "params>progress"), S("1"));
		SAME(path_at(out, "params>message"), rev >= REV_2025_03 ?
		    S("\"working\"") : NOTHING);
		SAME(path_at(out, "id"), NOTHING);
	}
	run.row = NULL;
}

/* The number of the one note of progress in out; -1: there is none. */
static int64_t
progress_in(struct str out)
{
	uint64_t n = 0;

	if (out.n == 0)
		return -1;
	CHECK(str_u64(path_at(out, "params>progress"), UINT64_MAX, &n));
	return (int64_t)n;
}

/* It grows with every note, there are at most five a second, and it comes by
 * itself when nothing is heard for PROGRESS_MS. */
static void
test_mcp_progress_pace(void)
{
	uint64_t sent[100];
	int64_t last = -1, now;
	uint32_t seq = 0;
	size_t n = 0;

	host_start(REV_2025_11, "{}");
	host.token = "\"t\"";
	last = progress_in(host_asks("1", "tools/call",
	    "\"name\":\"get_health_status\""));
	EQUAL(last, 0);
	sent[n++] = fake_ms;
	(void)call_taken(&seq);
	for (unsigned i = 0; i < 600; i++) {
		fake_ms += 7 + i % 5;
		now = progress_in(keeper_notes(seq, WORKING));
		if (now < 0)
			continue;
		CHECK(now > last);
		last = now;
		sent[n++] = fake_ms;
		if (!CHECK(n < LEN(sent)))
			return;
	}
	CHECK(n > 20);
	for (size_t i = 5; i < n; i++)
		CHECK(sent[i] - sent[i - 5] >= 1000);
	fake_ms = sent[n - 1] + PROGRESS_MS - 1;
	EQUAL(call_tick(door), 1);
	SAME(take_out(), S(""));
	fake_ms++;
	EQUAL(call_tick(door), PROGRESS_MS);
	CHECK(progress_in(take_out()) > last);
	EQUAL(call_tick(door), PROGRESS_MS);
	SAME(take_out(), S(""));
}

/* After the answer or a cancel there is no more of it. */
static void
test_mcp_progress_ends(void)
{
	struct frame f = { FRAME_NOTE, 0, S(WORKING) };
	struct str out;
	uint32_t seq = 0;

	for (int way = 0; way < 3; way++) {
		host_start(REV_2025_11, "{}");
		host.token = "7";
		if (way == 1)           /* so that the next one waits */
			(void)host_asks("0", "tools/call",
			    "\"name\":\"get_health_status\"");
		CHECK(progress_in(host_asks("1", "tools/call",
		    "\"name\":\"get_health_status\"")) == 0);
		(void)call_taken(&seq);
		if (way == 0)
			CHECK(keeper_says(seq, "{\"data\":{}}", &out));
		else
			SAME(host_cancels("1"), S(""));
		fake_ms += 10 * PROGRESS_MS;
		f.seq = seq;
		CHECK(door_result(door, &f) == (way > 0));
		(void)call_tick(door);
		out = take_out();
		EQUAL(out.n > 0, way == 1);     /* of the other call */
		if (way != 2)
			continue;
		CHECK(keeper_says(seq, "{\"error\":\"cancelled\"}", &out));
		SAME(out, S(""));
		EQUAL(call_tick(door), -1);
	}
}

/* What is being done, as the host is told: waiting for its turn, at work,
 * waiting for a person. */
static void
test_mcp_progress_stages(void)
{
	struct str out;
	uint32_t seq = 0;

	host_start(REV_2025_11, FORMS);
	host.token = "\"t\"";
	out = host_asks("1", "tools/call", "\"name\":\"get_health_status\"");
	SAME(path_at(out, "params>message"), S("\"waiting for its turn\""));
	(void)call_taken(&seq);
	fake_ms += NOTES_MS;
	SAME(path_at(keeper_notes(seq, WORKING), "params>message"),
	    S("\"working\""));
	CHECK(keeper_says(seq, ASKS, &out));
	fake_ms += PROGRESS_MS;
	(void)call_tick(door);
	SAME(path_at(take_out(), "params>message"),
	    S("\"waiting for your answer\""));
	/* a text that is too long is not shown, nor is one that is none */
	host_start(REV_2025_11, FORMS);
	host.token = "\"t\"";
	(void)host_asks("1", "tools/call", "\"name\":\"get_health_status\"");
	(void)call_taken(&seq);
	fake_ms += NOTES_MS;
	SAME(keeper_notes(seq, "{\"method\":\"notifications/progress\","
	    "\"params\":{\"message\":7}}"), S(""));
	SAME(keeper_notes(seq, cstr(JOIN(&T, S("{\"method\":"
	    "\"notifications/progress\",\"params\":{\"message\":\""),
	    hex(door->in, 65), S("\"}}")))), S(""));
	SAME(path_at(keeper_notes(seq, cstr(JOIN(&T, S("{\"method\":"
	    "\"notifications/progress\",\"params\":{\"message\":\""),
	    hex(door->in, 64), S("\"}}")))), "params>progress"), S("1"));
}

#define LISTEN(flags) "\"notifications\":{" flags "}"
#define ID_OF "params>_meta>" META_LISTEN

/* A catalogue of which two lists can change. */
static struct catalog
changing(void)
{
	struct catalog cat = opmcp_catalog;

	cat.changes = CHANGE_TOOLS | CHANGE_RESOURCES;
	return cat;
}

/* The acknowledgement names what was asked for and can change, under the id
 * of the request as it was written. */
static void
test_mcp_listen(void)
{
	static const struct {
		const char *id, *params, *flags;
		bool changing;
	} rows[] = {
		{ "9", LISTEN(""), "{}", false },
		{ "\"9\"", LISTEN("\"toolsListChanged\":true"), "{}", false },
		{ "-1", LISTEN("\"toolsListChanged\":true,"
		    "\"promptsListChanged\":true,\"resourcesListChanged\":true,"
		    "\"resourceSubscriptions\":[\"onepassword://vaults\"]"),
		    "{\"toolsListChanged\":true,\"resourcesListChanged\":true}",
		    true },
		{ "\"a\\u0000\"", LISTEN("\"resourcesListChanged\":true"),
		    "{\"resourcesListChanged\":true}", true },
		{ "0", LISTEN("\"toolsListChanged\":false"), "{}", true },
		{ "0", LISTEN("\"toolsListChanged\":\"true\""), "{}", true },
		{ "0", LISTEN("\"toolsListChanged\":1"), "{}", true },
	};
	const struct catalog cat = changing();

	for (size_t i = 0; i < LEN(rows); i++) {
		struct str out;

		host_start(REV_2026_07, "{}");
		if (rows[i].changing)
			door->cat = &cat;
		out = host_asks(rows[i].id, "subscriptions/listen",
		    rows[i].params);
		run.row = rows[i].params;
		SAME(path_at(out, "method"),
		    S("\"notifications/subscriptions/acknowledged\""));
		SAME(path_at(out, "id"), NOTHING);
		SAME(path_at(out, "params>notifications"),
		    str_c(rows[i].flags));
		SAME(path_at(out, ID_OF), str_c(rows[i].id));
		SAME(host_asks(rows[i].id, "tools/list", ""), S(""));
		listen_end(door);
		out = take_out();
		SAME(path_at(out, "id"), str_c(rows[i].id));
		SAME(path_at(out, "result>resultType"), S("\"complete\""));
		SAME(path_at(out, "result>_meta>" META_LISTEN),
		    str_c(rows[i].id));
		CHECK(path_at(out, "result>_meta>io.modelcontextprotocol/"
		    "serverInfo").n > 0);
		listen_end(door);
		SAME(take_out(), S(""));
		EQUAL(to_keeper().n, 0);
	}
	run.row = NULL;
}

/* As many as LISTENS_MAX; one that is cancelled ends without a word. */
static void
test_mcp_listen_many(void)
{
	static u8 long_id[ID_MAX + 1];
	struct str out, one;
	char id[16];
	size_t ends = 0;

	host_start(REV_2026_07, "{}");
	for (unsigned i = 0; i <= LISTENS_MAX; i++) {
		(void)snprintf(id, sizeof id, "%u", i);
		SAME(path_at(host_asks(id, "subscriptions/listen",
		    LISTEN("")), "error>code"), i < LISTENS_MAX ? NOTHING :
		    S("-32603"));
	}
	SAME(host_cancels("3"), S(""));
	SAME(host_cancels("\"4\""), S(""));     /* another id */
	SAME(path_at(host_asks("\"x\"", "subscriptions/listen", LISTEN("")),
	    ID_OF), S("\"x\""));
	SAME(path_at(host_asks("99", "subscriptions/listen", LISTEN("")),
	    "error>code"), S("-32603"));
	SAME(path_at(host_asks("3", "tools/list", ""), "id"), S("3"));
	listen_end(door);
	for (out = take_out(); str_cut(&out, '\n', &one) && one.n > 0; ends++)
		CHECK(!str_eq(path_at(one, "id"), S("3")));
	EQUAL(ends, LISTENS_MAX);
	memset(long_id, 'x', ID_MAX);
	long_id[0] = long_id[ID_MAX - 1] = '"';
	out = host_asks((const char *)long_id, "subscriptions/listen",
	    LISTEN("\"toolsListChanged\":true"));
	EQUAL(path_at(out, ID_OF).n, ID_MAX);
}

/* Who listens to a list is told of its change, and nobody else is. */
static void
test_mcp_listen_tell(void)
{
	static const struct {
		const char *method, *ids;
	} rows[] = {
		{ "notifications/tools/list_changed", "\"a\" \"c\" " },
		{ "notifications/resources/list_changed", "\"b\" \"c\" " },
		{ "notifications/prompts/list_changed", "" },
	};
	const struct catalog cat = changing();
	uint32_t seq = 0;

	host_start(REV_2026_07, "{}");
	door->cat = &cat;
	(void)host_asks("\"a\"", "subscriptions/listen",
	    LISTEN("\"toolsListChanged\":true,\"promptsListChanged\":true"));
	(void)host_asks("\"b\"", "subscriptions/listen",
	    LISTEN("\"resourcesListChanged\":true"));
	(void)host_asks("\"c\"", "subscriptions/listen",
	    LISTEN("\"resourcesListChanged\":true,\"toolsListChanged\":true"));
	(void)host_asks("\"d\"", "subscriptions/listen", LISTEN(""));
	(void)host_asks("1", "tools/call", "\"name\":\"get_health_status\"");
	(void)call_taken(&seq);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct str all, one;
		struct out ids;

		run.row = rows[i].method;
		all = keeper_notes(seq, cstr(JOIN(&T, S("{\"method\":\""),
		    str_c(rows[i].method), S("\",\"params\":{}}"))));
		out_init(&ids, mem_alloc(&T, 64), 64);
		while (str_cut(&all, '\n', &one) && one.n > 0) {
			SAME(text_of(one, "method"), str_c(rows[i].method));
			SAME(path_at(one, "id"), NOTHING);
			OUT(&ids, path_at(one, ID_OF), S(" "));
		}
		SAME(out_str(&ids), str_c(rows[i].ids));
	}
	/* what else is told is passed on as it is */
	SAME(keeper_notes(seq, "{\"method\":\"notifications/message\","
	    "\"params\":{\"level\":\"info\"}}"), S("{\"jsonrpc\":\"2.0\","
	    "\"method\":\"notifications/message\",\"params\":{\"level\":"
	    "\"info\"}}\n"));
	/* a legacy host has not asked for it and is told nevertheless */
	host_start(REV_2025_11, "{}");
	(void)host_asks("1", "tools/call", "\"name\":\"get_health_status\"");
	(void)call_taken(&seq);
	SAME(keeper_notes(seq, "{\"method\":\"notifications/tools/"
	    "list_changed\",\"params\":{}}"), S("{\"jsonrpc\":\"2.0\","
	    "\"method\":\"notifications/tools/list_changed\",\"params\":{}}"
	    "\n"));
}

/* ====================================================================
 * 24. CLI and main
 * ==================================================================== */

static void
test_cli_args(void)
{
	static const struct {
		const char *argv[7];
		int status;             /* -1: go on */
		const char *item, *vault, *field;
	} rows[] = {
		{ { NULL }, -1, NULL, NULL, NULL },
		{ { "get", "x", NULL }, -1, "x", NULL, NULL },
		{ { "get", "x", "--vault", "v", "--field", "f", NULL }, -1,
		    "x", "v", "f" },
		{ { "--vaults", "a", "get", "x", NULL }, -1, "x", NULL,
		    NULL },
		{ { "get", "--vaults=a", "x", NULL }, -1, "x", NULL, NULL },
		{ { "get", NULL }, EX_USAGE, NULL, NULL, NULL },
		{ { "get", "x", "y", NULL }, EX_USAGE, NULL, NULL, NULL },
		{ { "get", "x", "--vault", NULL }, EX_USAGE, NULL, NULL,
		    NULL },
		{ { "x", NULL }, EX_USAGE, NULL, NULL, NULL },
		{ { "--vault", "v", NULL }, EX_USAGE, NULL, NULL, NULL },
		{ { "--nope", NULL }, EX_USAGE, NULL, NULL, NULL },
		{ { "-x", NULL }, EX_USAGE, NULL, NULL, NULL },
		{ { "--timeout", "0", NULL }, EX_USAGE, NULL, NULL, NULL },
		{ { "--timeout", NULL }, EX_USAGE, NULL, NULL, NULL },
		{ { "--token", "ops_x", NULL }, EX_USAGE, NULL, NULL, NULL },
	};
	int keep = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	(void)fflush(stderr);
	(void)dup2(null, STDERR_FILENO);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct cfg cfg = { .vaults = "AI" };
		struct cli cli = { 0 };
		char *argv[9] = { cstr(S("opmcp")) };

		for (size_t k = 0; k < 7 && rows[i].argv[k] != NULL; k++)
			argv[k + 1] = cstr(str_c(rows[i].argv[k]));
		run.row = rows[i].argv[0];
		if (!EQUAL(cli_args(&cfg, &cli, argv), rows[i].status) ||
		    rows[i].status >= 0)
			continue;
		SAME(str_c(cli.arg[0]), str_c(rows[i].item));
		SAME(str_c(cli.vault), str_c(rows[i].vault));
		SAME(str_c(cli.field), str_c(rows[i].field));
	}
	(void)fflush(stderr);
	(void)dup2(keep, STDERR_FILENO);
	(void)close(keep);
	(void)close(null);
}

/* What "get" prints. */
static void
test_cli_show(void)
{
	static const struct {
		const char *item, *field;
		enum err_code code;
		const char *want;
		const char *policy;
	} rows[] = {
		{ "GitHub", NULL, E_NONE,
		    "username: octo-bot\npassword: gh-p4ss/w0rd?&\n", NULL },
		{ "GitHub", "password", E_NONE, "gh-p4ss/w0rd?&\n", NULL },
		{ "GitHub", "USERNAME", E_NONE, "octo-bot\n", NULL },
		{ "GitHub", "pat", E_NONE, "ghp_exampletoken0123456789\n",
		    NULL },
		{ "GitHub", "personal access token", E_NONE,
		    "ghp_exampletoken0123456789\n", NULL },
		{ "GitHub", "expires", E_NONE, "2027-01-31\n", NULL },
		{ "GitHub", "none", E_FIELD, "", NULL },
		{ "none", NULL, E_ITEM, "", NULL },
		{ "", NULL, E_NAME, "", NULL },
		{ "GitHub", "pat", E_POLICY, "",
		    "deny reveal field \"personal access token\"" },
		{ "GitHub", "Personal Access TOKEN", E_POLICY, "",
		    "deny reveal field pat" },
		{ "GitHub", "password", E_NONE, "gh-p4ss/w0rd?&\n",
		    "deny reveal field pat" },
		{ "GitHub", "PASSWORD", E_POLICY, "",
		    "deny reveal field password" },
		{ "GitHub", NULL, E_NONE, "username: octo-bot\n",
		    "deny reveal field password" },
		{ "GitHub", NULL, E_POLICY, "", "deny reveal" },
	};
	struct keeper k;
	struct cfg cfg;

	keeper_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct cli cli = { .command = CLI_GET, .arg = { rows[i].item },
			.args = 1, .field = rows[i].field };
		struct err e = { 0 };
		int keep, fd[2];
		char got[256];
		ssize_t n;
		bool ok;

		run.row = rows[i].field != NULL ? rows[i].field : "none";
		(void)fflush(stdout);
		keep = dup(STDOUT_FILENO);
		if (!CHECK(keep >= 0 && pipe(fd) == 0))
			return;
		(void)dup2(fd[1], STDOUT_FILENO);
		(void)close(fd[1]);
		if (rows[i].policy != NULL)
			k.policy = policy_of(str_c(rows[i].policy));
		keep_start(&k);
		ok = cli_show(&k, &cli, &e);
		(void)fflush(stdout);
		(void)dup2(keep, STDOUT_FILENO);
		(void)close(keep);
		n = read(fd[0], got, sizeof got);
		(void)close(fd[0]);
		EQUAL(ok, rows[i].code == E_NONE);
		FAILED(e, rows[i].code);
		SAME(((struct str){ (u8 *)got, n > 0 ? (size_t)n : 0 }),
		    str_c(rows[i].want));
		mem_reset(&k.scratch, 0);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Run a command that reads; what it prints. */
static struct str
cli_prints(struct keeper *k, bool (*command)(struct keeper *k,
    const struct cli *c, struct err *e), const struct cli *c, struct err *e)
{
	int keep, fd[2];
	u8 *got = mem_alloc(&T, 4096);
	ssize_t n;
	bool ok;

	(void)fflush(stdout);
	keep = dup(STDOUT_FILENO);
	if (got == NULL || keep < 0 || pipe(fd) != 0)
		abort();
	(void)dup2(fd[1], STDOUT_FILENO);
	(void)close(fd[1]);
	keep_start(k);
	*e = (struct err){ 0 };
	ok = command(k, c, e);
	(void)fflush(stdout);
	(void)dup2(keep, STDOUT_FILENO);
	(void)close(keep);
	n = read(fd[0], got, 4096);
	(void)close(fd[0]);
	EQUAL(ok, e->code == E_NONE);
	mem_reset(&k->scratch, 0);
	return (struct str){ got, n > 0 ? (size_t)n : 0 };
}

/* What "read" prints: a value as it is, with a line end unless told
 * otherwise. */
static void
test_cli_read(void)
{
	static const struct {
		const char *reference;
		bool bare;
		enum err_code code;
		const char *want;
		const char *policy;
	} rows[] = {
		{ "op://One/GitHub/password", false, E_NONE,
		    "gh-p4ss/w0rd?&\n", NULL },
		{ "op://One/GitHub/password", true, E_NONE, "gh-p4ss/w0rd?&",
		    NULL },
		{ "op://one/github/USERNAME", false, E_NONE, "octo-bot\n",
		    NULL },
		{ "op://One/GitHub/pat", false, E_NONE,
		    "ghp_exampletoken0123456789\n", NULL },
		{ "op://One/GitHub/expires", true, E_NONE, "2027-01-31",
		    NULL },
		{ "op://One/GitHub/none", false, E_FIELD, "", NULL },
		{ "op://One/none/password", false, E_ITEM, "", NULL },
		{ "op://Two/GitHub/password", false, E_VAULT, "", NULL },
		{ "One/GitHub/password", false, E_REF, "", NULL },
		{ "op://One/GitHub/pat?attribute=otp", false, E_NOT_OTP, "",
		    NULL },
		{ "op://One/GitHub/password", false, E_POLICY, "",
		    "deny reveal" },
		{ "op://One/GitHub/username", false, E_POLICY, "",
		    "deny reveal" },
		{ "op://One/GitHub/expires", false, E_POLICY, "",
		    "deny list" },
	};
	struct keeper k;
	struct cfg cfg;

	keeper_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct cli cli = { .command = CLI_READ, .arg = {
			rows[i].reference }, .args = 1, .bare = rows[i].bare };
		struct err e;
		struct str got;

		run.row = rows[i].reference;
		k.policy = policy_of(str_c(rows[i].policy));
		got = cli_prints(&k, cli_read, &cli, &e);
		FAILED(e, rows[i].code);
		SAME(got, str_c(rows[i].want));
	}
	run.row = NULL;
	keeper_end(&k);
}

/* What "list" prints: id, category and title, and never a value. */
static void
test_cli_list(void)
{
	static const struct {
		struct cli cli;
		enum err_code code;
		size_t lines;
		const char *policy;
	} rows[] = {
		{ { .arg = { "Git" } }, E_NONE, 1, NULL },
		{ { .arg = { "git HUB" } }, E_NONE, 1, NULL },
		{ { .arg = { "GitHub no" } }, E_NONE, 0, NULL },
		{ { .arg = { "GitHub" }, .category = "Login" }, E_NONE, 1,
		    NULL },
		{ { .arg = { "GitHub" }, .category = "Server" }, E_NONE, 0,
		    NULL },
		{ { .arg = { "GitHub" }, .category = "Nope" }, E_ARGUMENT, 0,
		    NULL },
		{ { .arg = { "GitHub" }, .tag = "nope" }, E_NONE, 0, NULL },
		{ { .arg = { "GitHub" }, .vault = "One" }, E_NONE, 1, NULL },
		{ { .arg = { "GitHub" }, .vault = "Two" }, E_VAULT, 0, NULL },
		{ { .arg = { "GitHub" }, .vault = " " }, E_NAME, 0, NULL },
		{ { .arg = { "GitHub" } }, E_NONE, 0, "deny list" },
		{ { .arg = { "GitHub" } }, E_NONE, 0,
		    "deny list item git*" },
	};
	struct keeper k;
	struct cfg cfg;

	keeper_start(&cfg, &k);
	for (size_t i = 0; i < LEN(rows); i++) {
		struct err e;
		struct str got;
		size_t lines = 0;

		run.row = rows[i].cli.arg[0];
		k.policy = policy_of(str_c(rows[i].policy));
		got = cli_prints(&k, cli_list, &rows[i].cli, &e);
		FAILED(e, rows[i].code);
		for (size_t n = 0; n < got.n; n++)
			lines += got.p[n] == '\n';
		EQUAL(lines, rows[i].lines);
		if (lines == 1)
			SAME(got, S("x7ptdccw5lfbskxs55ml6eyoxq\tLogin\t"
			    "GitHub\n"));
		CHECK(str_search(got, S("p4ss")) == got.n);
	}
	run.row = NULL;
	keeper_end(&k);
}

/* Letters beyond ASCII in references, and the setting that refuses them. */
static void
test_cli_references(void)
{
	struct keeper k;
	struct cfg cfg;

	keeper_start(&cfg, &k);
	for (int strict = 0; strict < 2; strict++) {
		struct cli cli = { .command = CLI_READ, .arg = {
			"op://One/Caf\xc3\xa9/none" }, .args = 1 };
		struct err e;

		cfg.references = (uint64_t)strict;
		(void)cli_prints(&k, cli_read, &cli, &e);
		CHECK(e.code != E_NONE && (e.code == E_REF) == (strict > 0));
		cli.arg[0] = "op://One/GitHub/username";
		SAME(cli_prints(&k, cli_read, &cli, &e), S("octo-bot\n"));
	}
	keeper_end(&k);
}

/* ====================================================================
 * All of them
 * ==================================================================== */

#define TEST(name) { #name, name }

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	TEST(test_mem_alloc), TEST(test_mem_reset),
	TEST(test_mem_reset_builder), TEST(test_mem_open_fork),
	TEST(test_mem_wipe), TEST(test_mem_out), TEST(test_mem_out_u64),
	TEST(test_mem_ct), TEST(test_str_eq), TEST(test_str_slices),
	TEST(test_str_dup_full), TEST(test_str_cut), TEST(test_str_trim),
	TEST(test_str_u64), TEST(test_err_table), TEST(test_err_set),
	TEST(test_os_clock), TEST(test_os_wait), TEST(test_os_wait_signals),
	TEST(test_os_read_file), TEST(test_os_read_file_refused),
	TEST(test_os_slurp), TEST(test_os_resolve), TEST(test_os_connect),
	TEST(test_os_log), TEST(test_b64_decode), TEST(test_b64_digits),
	TEST(test_b64_put), TEST(test_text_hex), TEST(test_text_id),
	TEST(test_text_utf8), TEST(test_text_utf8_refused),
	TEST(test_text_hidden), TEST(test_text_blank), TEST(test_text_time),
	TEST(test_text_time_http), TEST(test_json_accept),
	TEST(test_json_accept_scalar), TEST(test_json_refuse),
	TEST(test_json_prefixes), TEST(test_json_depth), TEST(test_json_large),
	TEST(test_json_many_names), TEST(test_json_some_names),
	TEST(test_json_arena_full), TEST(test_json_strings),
	TEST(test_json_look_up), TEST(test_json_walk), TEST(test_json_quote),
	TEST(test_json_round_trip), TEST(test_json_writer),
	TEST(test_edit_rows), TEST(test_edit_full), TEST(test_edit_model),
	
	TEST(test_json_scratch), TEST(test_cfg_defaults), TEST(test_cfg_rows),
	TEST(test_cfg_numbers),
	TEST(test_cfg_rate), TEST(test_cfg_word), TEST(test_cfg_alias), TEST(test_cfg_synonyms),
	TEST(test_cfg_unknown),
	TEST(test_cfg_flags), TEST(test_cfg_wipe), TEST(test_cfg_token),
	TEST(test_cfg_list), TEST(test_cry_sha256), TEST(test_cry_hmac),
	TEST(test_cry_hmac_mac_key), TEST(test_cry_gcm), TEST(test_cry_oaep),
	TEST(test_cry_oaep_refused), TEST(test_cry_numbers),
	TEST(test_cry_numbers_io), TEST(test_cry_srp_group),
	TEST(test_cry_srp), TEST(test_cry_srp_refused),
	TEST(test_cry_srp_init), TEST(test_cry_ed25519), TEST(test_cry_field),
	TEST(test_http_answers), TEST(test_http_request),
	TEST(test_http_head_size), TEST(test_http_chunks_long),
	TEST(test_http_body_max), TEST(test_http_body_arena),
	TEST(test_http_reconnect), TEST(test_http_close),
	TEST(test_http_extra_bytes), TEST(test_http_interim),
	TEST(test_http_deadlines), TEST(test_http_status),
	TEST(test_http_field), TEST(test_http_chunk_size),
	TEST(test_http_put_origin), TEST(test_http_put_escaped),
	TEST(test_http_retry_at), TEST(test_http_proxy_parse),
	TEST(test_http_proxy_bypass), TEST(test_http_proxy_user),
	TEST(test_http_proxy_connect), TEST(test_http_proxy_slow),
	TEST(test_tls_bundle), TEST(test_tls_load), TEST(test_tls_errors),
	TEST(test_tls_cut), TEST(test_ref_vectors), TEST(test_ref_parse),
	TEST(test_ref_unicode), TEST(test_totp_vectors),
	TEST(test_totp_parse), TEST(test_totp_digits),
	TEST(test_totp_limits), TEST(test_ssh_vectors), TEST(test_ssh_sdk),
	TEST(test_ssh_broken), TEST(test_ssh_public), TEST(test_gen_recipe),
	TEST(test_gen_bits), TEST(test_gen_password), TEST(test_gen_words),
	TEST(test_gen_refused), TEST(test_item_login_field),
	TEST(test_item_find), TEST(test_item_is_protected),
	TEST(test_item_reveal), TEST(test_item_resolve),
	TEST(test_item_resolve_order), TEST(test_sa_dates),
	TEST(test_time_put_day), TEST(test_sa_addresses),
	TEST(test_sa_ssh_facts), TEST(test_sa_token),
	TEST(test_sa_token_members), TEST(test_sa_token_size),
	TEST(test_sa_host), TEST(test_sa_throttle), TEST(test_sa_throttle_pae),
	TEST(test_sa_mac), TEST(test_sa_open), TEST(test_sa_open_refused),
	TEST(test_sa_seal), TEST(test_sa_keysets), TEST(test_sa_vault_keys),
	TEST(test_sa_status), TEST(test_sa_jwk_rsa), TEST(test_sa_jwk_sym),
	TEST(test_sa_limits), TEST(test_sa_items), TEST(test_sa_item_fields),
	TEST(test_sa_item_oddities), TEST(test_sa_item_state),
	TEST(test_sa_sign_in),
	TEST(test_sa_sign_in_device), TEST(test_sa_faults),
	TEST(test_sa_session_ends), TEST(test_sa_reconnect),
	TEST(test_con_address), TEST(test_con_check_token),
	TEST(test_con_edit), TEST(test_con_patch), TEST(test_con_status),
	TEST(test_sa_repeats), TEST(test_sa_circuit), TEST(test_sa_refused),
	TEST(test_sa_rate), TEST(test_sa_throttle_renewal),
	TEST(test_sa_random_fails),
	TEST(test_sa_items_fresh), TEST(test_sa_version), TEST(test_sa_file),
	TEST(test_sa_file_refused), TEST(test_sa_write),
	TEST(test_sa_write_refused), TEST(test_sa_write_session),
	TEST(test_sa_write_lost), TEST(test_sa_write_unsent),
	TEST(test_sa_write_fields), TEST(test_sa_write_texts),
	TEST(test_sa_write_dates), TEST(test_sa_write_blank),
	TEST(test_sa_write_files), TEST(test_sa_write_round_trip),
	TEST(test_sa_write_odd_types), TEST(test_sa_write_large),
	TEST(test_pol_name), TEST(test_pol_take),
	TEST(test_pol_take_rates),
	TEST(test_pol_pick_vault), TEST(test_pol_vault),
	TEST(test_pol_vault_nameless), TEST(test_pol_default_vault),
	TEST(test_pol_parse), TEST(test_pol_parse_errors),
	TEST(test_pol_parse_hidden), TEST(test_pol_parse_many),
	TEST(test_pol_glob_eq), TEST(test_pol_name_eq),
	TEST(test_pol_judge),
	TEST(test_aud_verify), TEST(test_aud_changes), TEST(test_aud_runs),
	TEST(test_aud_line), TEST(test_aud_unwritable),
	TEST(test_box_narrow),
	TEST(test_box_acts), TEST(test_box_demands), TEST(test_cat_check_args),
	TEST(test_cat_checker), TEST(test_cat_agree), TEST(test_cat_edges),
	TEST(test_cat_schema), TEST(test_cat_check_prompt),
	TEST(test_cat_completed), TEST(test_cat_uri_normal),
	TEST(test_cat_uri_match), TEST(test_cat_resource),
	TEST(test_frame_head), TEST(test_ask_reveal), TEST(test_ask_question),
	TEST(test_ask_person), TEST(test_ask_redeem), TEST(test_ask_spent),
	TEST(test_ask_other_call), TEST(test_ask_digest), TEST(test_ask_ends),
	TEST(test_ask_subject), TEST(test_tool_credentials),
	TEST(test_tool_by_title), TEST(test_tool_miss),
	TEST(test_tool_ambiguous),
	TEST(test_tool_missing), TEST(test_tool_other_item),
	TEST(test_tool_late_failure), TEST(test_tool_no_token),
	TEST(test_tool_health), TEST(test_tool_put_error),
	TEST(test_tool_put_name), TEST(test_tool_uuid),
	TEST(test_tool_note_ids), TEST(test_tool_rereads),
	TEST(test_resource_status), TEST(test_resource_vaults),
	TEST(test_resource_items), TEST(test_resource_refused),
	TEST(test_resource_limit), TEST(test_resource_titles),
	TEST(test_tool_complete), TEST(test_tool_complete_many),
	TEST(test_tool_complete_quiet), TEST(test_tool_complete_limit),
	TEST(test_gate_matrix), TEST(test_gate_why), TEST(test_gate_fields),
	TEST(test_gate_canary), TEST(test_gate_pass), TEST(test_gate_limit),
	TEST(test_gate_limit_field), TEST(test_gate_limits),
	TEST(test_gate_items),
	TEST(test_gate_calls), TEST(test_gate_list),
	TEST(test_keep_audit), TEST(test_keep_audit_fails),
	TEST(test_tool_is_found),
	TEST(test_tool_pages),
	TEST(test_tool_put_reference),
	TEST(test_tool_look_masks),
	TEST(test_tool_look_vectors),
	TEST(test_tool_rules_say),
	TEST(test_tool_vaults),
	TEST(test_tool_secret),
	TEST(test_tool_follow),
	TEST(test_tool_seed_asks),
	TEST(test_write_calls),
	TEST(test_write_limits),
	TEST(test_write_generate),
	TEST(test_write_ask),
	TEST(test_write_audit),
	TEST(test_write_login),
	TEST(test_write_errors),
	TEST(test_keep_hash_args),
	TEST(test_tool_guards),
	TEST(test_quota_load), TEST(test_quota_count),
	TEST(test_tool_percentile), TEST(test_tool_status),
	TEST(test_keep_frames), TEST(test_keep_catalog),
	TEST(test_keep_method), TEST(test_keep_large), TEST(test_keep_notes),
	TEST(test_keep_loop), TEST(test_keep_cancel), TEST(test_mcp_initialize),
	TEST(test_mcp_requests), TEST(test_mcp_no_session),
	TEST(test_mcp_modern), TEST(test_mcp_tools_list),
	TEST(test_mcp_tools_call), TEST(test_mcp_queue), TEST(test_mcp_expire),
	TEST(test_mcp_cancel), TEST(test_mcp_bad_frames), TEST(test_mcp_mourn),
	TEST(test_mcp_batch), TEST(test_mcp_batch_calls),
	TEST(test_mcp_batch_many), TEST(test_mcp_full_queue),
	TEST(test_mcp_lines), TEST(test_mcp_long_line),
	TEST(test_mcp_slow_host), TEST(test_mcp_sizes), TEST(test_mcp_hear),
	TEST(test_mcp_lists), TEST(test_mcp_hints), TEST(test_mcp_cursors),
	TEST(test_mcp_errors), TEST(test_mcp_keeper_errors),
	TEST(test_mcp_resources_read), TEST(test_mcp_prompts_get),
	TEST(test_mcp_prompt_long),
	TEST(test_mcp_complete), TEST(test_mcp_complete_queue),
	TEST(test_mcp_caps_size), TEST(test_mcp_can_ask),
	TEST(test_mcp_answers), TEST(test_mcp_ask_modern),
	TEST(test_mcp_ask_legacy), TEST(test_mcp_ask_ids),
	TEST(test_mcp_ask_long), TEST(test_mcp_ask_late),
	TEST(test_mcp_ask_cancel), TEST(test_mcp_ask_others),
	TEST(test_mcp_ask_held), TEST(test_mcp_ask_several),
	TEST(test_mcp_progress), TEST(test_mcp_progress_pace),
	TEST(test_mcp_progress_ends), TEST(test_mcp_progress_stages),
	TEST(test_mcp_listen), TEST(test_mcp_listen_many),
	TEST(test_mcp_listen_tell), TEST(test_cli_args), TEST(test_cli_show),
	TEST(test_cli_read), TEST(test_cli_list), TEST(test_cli_references),
};

/* Remove the scratch directory and what is in it. */
static void
clean_up(void)
{
	static const char *const names[] = { "token", "ro", "empty", "open",
		"m", "fifo", "link", "target", "big", "fits", "other",
		"bundle", "audit", "quota", "quota.new",
		"op_service_account_token" };

	for (size_t i = 0; i < LEN(names); i++)
		(void)unlink(path_of(names[i]));
	(void)rmdir(dir);
}

int
main(int argc, char **argv)
{
	bool verbose = argc > 1 && argv[1][0] == '-' &&
	    strchr(argv[1], 'v') != NULL;
	bool option = argc > 1 && argv[1][0] == '-';
	const char *prefix = argc > 1 + option ? argv[1 + option] : "";
	const char *tmp = getenv("TMPDIR");
	unsigned passed = 0, failed = 0;
	uint64_t start;

	slow = option && strchr(argv[1], 's') != NULL;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(dir, sizeof dir, "%s/opmcp-unit-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL || !mem_open(&T, (size_t)1 << 30)) {
		perror("unit");
		return 2;
	}
	for (size_t i = 0; i < LEN(tests); i++) {
		if (strncmp(tests[i].name, prefix, strlen(prefix)) != 0)
			continue;
		run.test = tests[i].name;
		run.row = NULL;
		run.passed = run.failed = 0;
		seed = SEED;
		start = os_now_ms();
		tests[i].run();
		mem_reset(&T, 0);
		if (verbose || run.failed > 0)
			(void)printf("%s: %u passed, %u failed, %u ms\n",
			    run.test, run.passed, run.failed,
			    (unsigned)(os_now_ms() - start));
		passed += run.passed;
		failed += run.failed;
	}
	clean_up();
	(void)printf("%u passed, %u failed\n", passed, failed);
	return failed > 0 ? 1 : 0;
}
