/* SPDX-License-Identifier: MIT
 *
 * harness.h: what the programs below test/ share. It starts opmcp and the
 * stand-in server over pipes, talks to both line by line, reads JSON, and
 * counts checks. Linux, libc and jsmn only.
 *
 * Contents: 1. Time and text  2. JSON  3. Processes  4. The stand-in
 *           5. The MCP client  6. Checks
 *
 * Rules kept throughout: every wait has a deadline in milliseconds; nothing
 * sleeps where an event can be awaited; what a check prints is never secret.
 * Include it first: it asks the libc for its GNU and POSIX parts.
 */
#ifndef HARNESS_H
#define HARNESS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JSMN_STATIC
#define JSMN_STRICT
#define JSMN_PARENT_LINKS
#include <jsmn.h>

#define LEN(a)       (sizeof(a) / sizeof(*(a)))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))

/* ====================================================================
 * 1. Time and text
 * ==================================================================== */

static inline int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Milliseconds from now to the instant until, for poll(): never negative. */
static inline int
left_ms(int64_t until)
{
	int64_t left = until - now_ms();

	return left < 0 ? 0 : (int)left;
}

/* The step of a wait for a state nobody announces (files below /proc). */
static inline void
tick(void)
{
	struct timespec ts = { 0, 2000000 };

	nanosleep(&ts, NULL);
}

/* A growing text, always NUL-terminated once something was added. */
struct buf {
	char *p;
	size_t n, cap;
};

/* Makes room for n more bytes and a NUL; ends the program without memory. */
static inline void
buf_room(struct buf *b, size_t n)
{
	if (b->cap - b->n > n)
		return;
	while (b->cap - b->n <= n)
		b->cap = b->cap ? b->cap * 2 : 256;
	b->p = realloc(b->p, b->cap);
	if (!b->p)
		abort();
}

static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
	buf_room(b, n);
	if (n)
		memcpy(b->p + b->n, p, n);
	b->n += n;
	b->p[b->n] = 0;
}

static inline void
buf_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static inline void
buf_vfmt(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0)
		abort();
	buf_room(b, (size_t)n);
	vsnprintf(b->p + b->n, (size_t)n + 1, fmt, ap);
	b->n += (size_t)n;
}

PRINTF(2, 3)
static inline void
buf_fmt(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vfmt(b, fmt, ap);
	va_end(ap);
}

/* Empties b and keeps its memory. */
static inline void
buf_clear(struct buf *b)
{
	b->n = 0;
	buf_add(b, "", 0);
}

static inline void
buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

/* Drops the first n bytes. */
static inline void
buf_cut(struct buf *b, size_t n)
{
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
	b->p[b->n] = 0;
}

/* Appends s as a JSON string, quotes included. */
static inline void
buf_json(struct buf *b, const char *s)
{
	buf_str(b, "\"");
	for (; *s; s++) {
		if ((unsigned char)*s < 0x20)
			buf_fmt(b, "\\u%04x", (unsigned)*s);
		else if (*s == '"' || *s == '\\')
			buf_fmt(b, "\\%c", *s);
		else
			buf_add(b, s, 1);
	}
	buf_str(b, "\"");
}

/* The text of b, "" when nothing was ever added. */
static inline const char *
buf_text(const struct buf *b)
{
	return b->p ? b->p : "";
}

/* True if needle stands anywhere in b; NUL bytes in b do not stop it. */
static inline bool
buf_has(const struct buf *b, const char *needle)
{
	return b->n && memmem(b->p, b->n, needle, strlen(needle));
}

/* Appends all of fd from its start (a file) or from now on (a pipe). */
static inline bool
buf_read_fd(struct buf *b, int fd)
{
	ssize_t n;

	do {
		buf_room(b, 65536);
		n = read(fd, b->p + b->n, 65536);
		if (n > 0)
			b->n += (size_t)n;
	} while (n > 0);
	b->p[b->n] = 0;
	return n == 0;
}

static inline bool
buf_read_file(struct buf *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok;

	if (fd < 0)
		return false;
	ok = buf_read_fd(b, fd);
	close(fd);
	return ok;
}

/* ====================================================================
 * 2. JSON: a strict check, then look-ups over jsmn's tokens
 * ==================================================================== */

#define JSON_DEEP 200 /* nesting accepted by the check */

struct json {
	char *text; /* own copy, NUL-terminated */
	size_t n;
	jsmntok_t *tok;
	int ntok;
};

/* Length of the UTF-8 sequence at p, 0 if it is not one (RFC 3629). */
static inline size_t
utf8_len(const unsigned char *p, size_t n)
{
	size_t len, i;
	uint32_t c;

	if (p[0] < 0x80)
		return 1;
	len = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || len > n)
		return 0;
	c = p[0] & (0x7fu >> len);
	for (i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3fu);
	}
	if (len == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000)))
		return 0;
	if (len == 4 && (c < 0x10000 || c > 0x10ffff))
		return 0;
	return len;
}

/* The strict check walks one cursor over the text; false anywhere is final. */
struct jcheck {
	const char *p, *end;
	int deep;
};

static inline void
jc_blank(struct jcheck *c)
{
	while (c->p < c->end && strchr(" \t\r\n", *c->p) && *c->p)
		c->p++;
}

static inline bool
jc_take(struct jcheck *c, char want)
{
	if (c->p >= c->end || *c->p != want)
		return false;
	c->p++;
	return true;
}

static inline bool
jc_escape(struct jcheck *c)
{
	int i;

	if (c->p >= c->end || !*c->p || !strchr("\"\\/bfnrtu", *c->p))
		return false;
	if (*c->p++ != 'u')
		return true;
	for (i = 0; i < 4; i++, c->p++)
		if (c->p >= c->end || !isxdigit((unsigned char)*c->p))
			return false;
	return true;
}

/* A string, the cursor on its opening quote. */
static inline bool
jc_string(struct jcheck *c)
{
	size_t n;

	if (!jc_take(c, '"'))
		return false;
	while (c->p < c->end && *c->p != '"') {
		if ((unsigned char)*c->p < 0x20)
			return false;
		if (*c->p == '\\') {
			c->p++;
			if (!jc_escape(c))
				return false;
			continue;
		}
		n = utf8_len((const unsigned char *)c->p,
		    (size_t)(c->end - c->p));
		if (!n)
			return false;
		c->p += n;
	}
	return jc_take(c, '"');
}

static inline bool
jc_digits(struct jcheck *c)
{
	const char *from = c->p;

	while (c->p < c->end && isdigit((unsigned char)*c->p))
		c->p++;
	return c->p > from;
}

static inline bool
jc_number(struct jcheck *c)
{
	jc_take(c, '-');
	if (!jc_take(c, '0') && !jc_digits(c))
		return false;
	if (jc_take(c, '.') && !jc_digits(c))
		return false;
	if (!jc_take(c, 'e') && !jc_take(c, 'E'))
		return true;
	if (!jc_take(c, '+'))
		jc_take(c, '-');
	return jc_digits(c);
}

static inline bool
jc_word(struct jcheck *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return false;
	c->p += n;
	return true;
}

static inline bool jc_value(struct jcheck *c);

/* Object or array after its opening bracket, up to the closing one. */
static inline bool
jc_members(struct jcheck *c, bool object, char close_with)
{
	jc_blank(c);
	if (jc_take(c, close_with))
		return true;
	do {
		jc_blank(c);
		if (object) {
			if (!jc_string(c))
				return false;
			jc_blank(c);
			if (!jc_take(c, ':'))
				return false;
		}
		if (!jc_value(c))
			return false;
		jc_blank(c);
	} while (jc_take(c, ','));
	return jc_take(c, close_with);
}

static inline bool
jc_value(struct jcheck *c)
{
	bool ok = false;

	jc_blank(c);
	if (c->p >= c->end || ++c->deep > JSON_DEEP)
		return false;
	if (jc_take(c, '{'))
		ok = jc_members(c, true, '}');
	else if (jc_take(c, '['))
		ok = jc_members(c, false, ']');
	else if (*c->p == '"')
		ok = jc_string(c);
	else if (*c->p == '-' || isdigit((unsigned char)*c->p))
		ok = jc_number(c);
	else
		ok = jc_word(c, "true") || jc_word(c, "false") ||
		    jc_word(c, "null");
	c->deep--;
	return ok;
}

/* True if the n bytes are one JSON text (RFC 8259) in valid UTF-8. */
static inline bool
json_valid(const char *text, size_t n)
{
	struct jcheck c = { text, text + n, 0 };

	if (!jc_value(&c))
		return false;
	jc_blank(&c);
	return c.p == c.end;
}

static inline void
json_free(struct json *j)
{
	free(j->text);
	free(j->tok);
	*j = (struct json){ 0 };
}

/* Reads one JSON text into j, which must be zero or from an earlier read. */
static inline bool
json_parse(struct json *j, const char *text, size_t n)
{
	jsmn_parser p;
	int need;

	json_free(j);
	if (!json_valid(text, n))
		return false;
	jsmn_init(&p);
	need = jsmn_parse(&p, text, n, NULL, 0);
	if (need < 1)
		return false;
	j->text = malloc(n + 1);
	j->tok = calloc((size_t)need, sizeof(*j->tok));
	if (!j->text || !j->tok)
		abort();
	memcpy(j->text, text, n);
	j->text[n] = 0;
	j->n = n;
	jsmn_init(&p);
	j->ntok = jsmn_parse(&p, j->text, n, j->tok, (unsigned)need);
	return j->ntok == need;
}

static inline bool
json_is_type(const struct json *j, int at, jsmntype_t type)
{
	return at >= 0 && j->tok[at].type == type;
}

/* Members of an object, elements of an array, 0 for anything else. */
static inline int
json_len(const struct json *j, int at)
{
	if (!json_is_type(j, at, JSMN_OBJECT) &&
	    !json_is_type(j, at, JSMN_ARRAY))
		return 0;
	return j->tok[at].size;
}

/* The token after the value at. */
static inline int
json_next(const struct json *j, int at)
{
	int end = j->tok[at].end;

	for (at++; at < j->ntok && j->tok[at].start < end; at++)
		;
	return at;
}

/* Source text of a value; the quotes of a string belong to it. */
static inline const char *
json_source(const struct json *j, int at, size_t *n)
{
	const jsmntok_t *t = &j->tok[at];
	int quote = t->type == JSMN_STRING;

	*n = (size_t)(t->end - t->start + 2 * quote);
	return j->text + t->start - quote;
}

static inline bool
json_source_is(const struct json *j, int at, const char *want)
{
	size_t n;
	const char *p;

	if (at < 0)
		return false;
	p = json_source(j, at, &n);
	return n == strlen(want) && memcmp(p, want, n) == 0;
}

static inline void
buf_utf8(struct buf *b, uint32_t c)
{
	char s[4];

	if (c < 0x80) {
		s[0] = (char)c;
		buf_add(b, s, 1);
	} else if (c < 0x800) {
		s[0] = (char)(0xc0 | c >> 6);
		s[1] = (char)(0x80 | (c & 0x3f));
		buf_add(b, s, 2);
	} else if (c < 0x10000) {
		s[0] = (char)(0xe0 | c >> 12);
		s[1] = (char)(0x80 | (c >> 6 & 0x3f));
		s[2] = (char)(0x80 | (c & 0x3f));
		buf_add(b, s, 3);
	} else {
		s[0] = (char)(0xf0 | c >> 18);
		s[1] = (char)(0x80 | (c >> 12 & 0x3f));
		s[2] = (char)(0x80 | (c >> 6 & 0x3f));
		s[3] = (char)(0x80 | (c & 0x3f));
		buf_add(b, s, 4);
	}
}

/* The code unit of the four hex digits at p. */
static inline uint32_t
json_unit(const char *p)
{
	char hex[5] = { p[0], p[1], p[2], p[3], 0 };

	return (uint32_t)strtoul(hex, NULL, 16);
}

/* One escape at p, after its backslash: adds it, returns where it ends. */
static inline const char *
json_unescape(struct buf *out, const char *p)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint32_t c;

	if (*p != 'u') {
		buf_add(out, to + (strchr(from, *p) - from), 1);
		return p + 1;
	}
	c = json_unit(p + 1);
	p += 5;
	if (c >= 0xd800 && c < 0xdc00 && p[0] == '\\' && p[1] == 'u') {
		c = 0x10000 + ((c - 0xd800) << 10) + json_unit(p + 2) - 0xdc00;
		p += 6;
	}
	buf_utf8(out, c);
	return p;
}

/* Adds the value of a string, unescaped; of anything else its source. */
static inline void
json_text(const struct json *j, int at, struct buf *out)
{
	const char *p = j->text + j->tok[at].start;
	const char *end = j->text + j->tok[at].end;

	buf_add(out, "", 0);
	if (j->tok[at].type != JSMN_STRING) {
		buf_add(out, p, (size_t)(end - p));
		return;
	}
	while (p < end) {
		if (*p == '\\')
			p = json_unescape(out, p + 1);
		else
			buf_add(out, p++, 1);
	}
}

/* True if the value is a string and says want. */
static inline bool
json_is(const struct json *j, int at, const char *want)
{
	struct buf b = { 0 };
	bool same;

	if (!json_is_type(j, at, JSMN_STRING))
		return false;
	json_text(j, at, &b);
	same = b.n == strlen(want) && memcmp(b.p, want, b.n) == 0;
	buf_free(&b);
	return same;
}

/* Member key of the object at, -1 if there is none. */
static inline int
json_get(const struct json *j, int at, const char *key)
{
	int i, k;

	if (!json_is_type(j, at, JSMN_OBJECT))
		return -1;
	for (i = 0, k = at + 1; i < j->tok[at].size; i++) {
		if (json_is(j, k, key))
			return k + 1;
		k = json_next(j, k + 1);
	}
	return -1;
}

/* Element i of the array at, -1 if there is none. */
static inline int
json_item(const struct json *j, int at, int i)
{
	int k;

	if (!json_is_type(j, at, JSMN_ARRAY) || i >= j->tok[at].size)
		return -1;
	for (k = at + 1; i > 0; i--)
		k = json_next(j, k);
	return k;
}

/* Follows blank-separated steps from at: member names, or indices of arrays,
 * as in "result tools 0 name". -1 if a step leads nowhere. */
static inline int
json_at(const struct json *j, int at, const char *path)
{
	char step[128];
	size_t n;

	while (*path && at >= 0) {
		n = strcspn(path, " ");
		if (n >= sizeof(step))
			return -1;
		memcpy(step, path, n);
		step[n] = 0;
		path += n + (path[n] == ' ');
		if (json_is_type(j, at, JSMN_ARRAY))
			at = json_item(j, at, (int)strtol(step, NULL, 10));
		else
			at = json_get(j, at, step);
	}
	return at;
}

/* True if two values say the same; the order of members does not count. */
static inline bool
json_same(const struct json *a, int x, const struct json *b, int y)
{
	struct buf key = { 0 };
	int i, k, n = json_len(a, x);
	size_t half;
	bool same;

	if (x < 0 || y < 0 || a->tok[x].type != b->tok[y].type)
		return false;
	if (a->tok[x].type != JSMN_OBJECT && a->tok[x].type != JSMN_ARRAY) {
		json_text(a, x, &key);
		half = key.n;
		json_text(b, y, &key);
		same = key.n == 2 * half &&
		    memcmp(key.p, key.p + half, half) == 0;
		buf_free(&key);
		return same;
	}
	same = n == json_len(b, y);
	for (i = 0, k = x + 1; i < n && same; i++) {
		if (a->tok[x].type == JSMN_ARRAY) {
			same = json_same(a, k, b, json_item(b, y, i));
			k = json_next(a, k);
			continue;
		}
		buf_clear(&key);
		json_text(a, k, &key);
		same = json_same(a, k + 1, b, json_get(b, y, key.p));
		k = json_next(a, k + 1);
	}
	buf_free(&key);
	return same;
}

/* The integer at a path from the top, or miss. */
static inline long
json_long(const struct json *j, const char *path, long miss)
{
	int at = j->ntok ? json_at(j, 0, path) : -1;
	char *end;
	long v;

	if (!json_is_type(j, at, JSMN_PRIMITIVE))
		return miss;
	v = strtol(j->text + j->tok[at].start, &end, 10);
	return end == j->text + j->tok[at].end ? v : miss;
}

/* Where the path leads from the top, -1 also without a JSON text. */
static inline int
json_top(const struct json *j, const char *path)
{
	return j->ntok ? json_at(j, 0, path) : -1;
}

/* ====================================================================
 * 3. Processes
 * ==================================================================== */

#define ENV_MAX 48

/* The whole environment of a child: nothing is inherited. */
struct env {
	char *v[ENV_MAX + 1];
	size_t n;
};

static inline void
env_unset(struct env *e, const char *key)
{
	size_t i, n = strlen(key);

	for (i = 0; i < e->n; i++) {
		if (strncmp(e->v[i], key, n) != 0 || e->v[i][n] != '=')
			continue;
		free(e->v[i]);
		e->v[i] = e->v[--e->n];
		e->v[e->n] = NULL;
		return;
	}
}

static inline void
env_set(struct env *e, const char *key, const char *value)
{
	struct buf b = { 0 };

	env_unset(e, key);
	if (e->n == ENV_MAX)
		abort();
	buf_fmt(&b, "%s=%s", key, value);
	e->v[e->n++] = b.p;
}

static inline void
env_free(struct env *e)
{
	while (e->n)
		free(e->v[--e->n]);
	*e = (struct env){ 0 };
}

/* A child with pipes. stderr goes to a memory file, so nobody has to read it
 * for the child to go on; proc_err() shows it at any time. */
struct proc {
	pid_t pid;   /* 0: none */
	int in, out; /* our ends, -1 when closed */
	int err;
	struct buf got; /* read from out, not yet taken */
	size_t scanned; /* no newline in got before this */
	int status;     /* of waitpid(), once reaped */
	bool reaped;
};

enum line { LINE_OK, LINE_END, LINE_LATE };

/* In the child: wires the pipes and becomes argv; give stands as fd 3. */
static inline void
proc_exec(char *const argv[], char *const envp[], int in, int out, int err,
    int give)
{
	signal(SIGPIPE, SIG_DFL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(126);
	if (give >= 0 && dup2(give, 3) < 0)
		_exit(126);
	if (give == 3)
		fcntl(3, F_SETFD, 0);
	execve(argv[0], argv, envp);
	_exit(127);
}

/* Descriptors a child gets besides its pipes; -1: none. */
struct fds {
	int three; /* as number 3 */
	int err;   /* as stderr, instead of the memory file */
};

#define NO_FDS ((struct fds){ -1, -1 })

/* Starts argv[0] with exactly the environment env. */
static inline bool
proc_start_with(struct proc *p, char *const argv[], const struct env *env,
    struct fds fds)
{
	static char *const none[] = { NULL };
	int in[2], out[2];

	*p = (struct proc){ .in = -1, .out = -1, .err = -1 };
	p->err = memfd_create("stderr", MFD_CLOEXEC);
	if (p->err < 0 || pipe2(in, O_CLOEXEC) != 0)
		return false;
	if (pipe2(out, O_CLOEXEC) != 0)
		return false;
	p->pid = fork();
	if (p->pid == 0)
		proc_exec(argv, env ? env->v : none, in[0], out[1],
		    fds.err < 0 ? p->err : fds.err, fds.three);
	close(in[0]);
	close(out[1]);
	p->in = in[1];
	p->out = out[0];
	fcntl(p->in, F_SETFL, O_NONBLOCK);
	fcntl(p->out, F_SETFL, O_NONBLOCK);
	return p->pid > 0;
}

static inline bool
proc_start(struct proc *p, char *const argv[], const struct env *env)
{
	return proc_start_with(p, argv, env, NO_FDS);
}

static inline void
proc_close_in(struct proc *p)
{
	if (p->in >= 0)
		close(p->in);
	p->in = -1;
}

static inline void
proc_close_out(struct proc *p)
{
	if (p->out >= 0)
		close(p->out);
	p->out = -1;
}

/* Takes what out offers now; false at its end. */
static inline bool
proc_pull(struct proc *p)
{
	ssize_t n;

	buf_room(&p->got, 65536);
	n = read(p->out, p->got.p + p->got.n, 65536);
	if (n > 0)
		p->got.n += (size_t)n;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Writes n bytes to the child; what it answers meanwhile is kept, so that
 * neither side can block the other. */
static inline bool
proc_send(struct proc *p, const void *data, size_t n, int ms)
{
	const char *d = data;
	int64_t until = now_ms() + ms;
	struct pollfd f[2];
	ssize_t w;

	while (n > 0) {
		f[0] = (struct pollfd){ p->in, POLLOUT, 0 };
		f[1] = (struct pollfd){ p->out, POLLIN, 0 };
		if (p->in < 0 || poll(f, 2, left_ms(until)) <= 0)
			return false;
		if (f[1].revents && !proc_pull(p))
			return false;
		if (!f[0].revents)
			continue;
		w = write(p->in, d, n);
		if (w < 0 && errno != EAGAIN && errno != EINTR)
			return false;
		if (w > 0) {
			d += w;
			n -= (size_t)w;
		}
	}
	return true;
}

/* Takes one line without its newline, waiting for it up to ms. */
static inline enum line
proc_line(struct proc *p, struct buf *line, int ms)
{
	int64_t until = now_ms() + ms;
	struct pollfd f;
	char *nl;

	for (;;) {
		nl = p->got.n ?
		    memchr(p->got.p + p->scanned, '\n', p->got.n - p->scanned) :
		    NULL;
		if (nl)
			break;
		p->scanned = p->got.n;
		if (p->out < 0)
			return LINE_END;
		f = (struct pollfd){ p->out, POLLIN, 0 };
		if (poll(&f, 1, left_ms(until)) <= 0)
			return LINE_LATE;
		if (!proc_pull(p))
			return LINE_END;
	}
	buf_clear(line);
	buf_add(line, p->got.p, (size_t)(nl - p->got.p));
	buf_cut(&p->got, (size_t)(nl - p->got.p) + 1);
	p->scanned = 0;
	return LINE_OK;
}

/* True when the process pid, a child or not, has ended within ms. */
static inline bool
pid_gone(pid_t pid, int ms)
{
	struct pollfd f = { -1, POLLIN, 0 };
	bool gone;

	f.fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (f.fd < 0)
		return errno == ESRCH;
	gone = poll(&f, 1, ms) == 1;
	close(f.fd);
	return gone;
}

/* Waits up to ms for the end of the child and reaps it. */
static inline bool
proc_wait(struct proc *p, int ms)
{
	if (p->reaped)
		return true;
	if (p->pid <= 0 || !pid_gone(p->pid, ms))
		return false;
	p->reaped = waitpid(p->pid, &p->status, 0) == p->pid;
	return p->reaped;
}

/* Exit status of a reaped child; 128 + signal if one ended it; -1 if alive. */
static inline int
proc_exit(const struct proc *p)
{
	if (!p->reaped)
		return -1;
	if (WIFSIGNALED(p->status))
		return 128 + WTERMSIG(p->status);
	return WEXITSTATUS(p->status);
}

/* Reads stdout to its end into p->got; false if ms were not enough. */
static inline bool
proc_drain(struct proc *p, int ms)
{
	int64_t until = now_ms() + ms;
	struct pollfd f = { p->out, POLLIN, 0 };

	while (p->out >= 0) {
		if (poll(&f, 1, left_ms(until)) <= 0)
			return false;
		if (!proc_pull(p))
			break;
	}
	buf_add(&p->got, "", 0);
	return true;
}

/* Appends all of stderr so far. */
static inline void
proc_err(const struct proc *p, struct buf *b)
{
	char part[4096];
	off_t at = 0;
	ssize_t n;

	buf_add(b, "", 0);
	while ((n = pread(p->err, part, sizeof(part), at)) > 0) {
		buf_add(b, part, (size_t)n);
		at += n;
	}
}

/* Ends the child at once if it still runs, and frees everything. */
static inline void
proc_end(struct proc *p)
{
	if (p->pid > 0 && !p->reaped) {
		kill(p->pid, SIGKILL);
		proc_wait(p, 5000);
	}
	proc_close_in(p);
	proc_close_out(p);
	if (p->err >= 0 && p->pid > 0)
		close(p->err);
	buf_free(&p->got);
	*p = (struct proc){ .in = -1, .out = -1, .err = -1 };
}

/* The one child of pid, 0 if it has none or several. */
static inline pid_t
pid_child(pid_t pid)
{
	char path[64], *end;
	struct buf b = { 0 };
	long child = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid,
	    (int)pid);
	if (buf_read_file(&b, path)) {
		child = strtol(buf_text(&b), &end, 10);
		if (strspn(end, " \n") != strlen(end))
			child = 0;
	}
	buf_free(&b);
	return (pid_t)child;
}

/* The number after "key:" in /proc/PID/status, -1 if it cannot be read. */
static inline long
pid_status(pid_t pid, const char *key)
{
	char path[64], want[64];
	struct buf b = { 0 };
	const char *at;
	long v = -1;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	snprintf(want, sizeof(want), "\n%s:", key);
	if (buf_read_file(&b, path)) {
		at = strstr(buf_text(&b), want);
		if (at)
			v = strtol(at + strlen(want), NULL, 10);
	}
	buf_free(&b);
	return v;
}

/* ====================================================================
 * 4. The stand-in
 * ==================================================================== */

/* Where things are and how long to wait for them. */
struct lab {
	const char *opmcp, *standin, *pki, *data;
	bool valgrind;
	int wait_ms; /* for one answer */
};

struct standin {
	struct proc p;
	struct buf line; /* the latest answer */
	int port, wait_ms;
	char *token;
	char *connect, *connect_token; /* with --connect, else NULL */
};

/* One line of the stand-in's `list`; all point into the struct account. */
struct row {
	const char *vault_id, *vault, *id, *title, *template_id, *trashed;
	const char *username, *password;
};

struct account {
	struct buf text;
	struct row *row;
	size_t n;
};

/* The word behind `name` in the answer, as text of its own; NULL: none. */
static inline char *
standin_word(const struct standin *s, const char *name)
{
	const char *p = strstr(s->line.p, name);

	if (!p)
		return NULL;
	p += strlen(name);
	return strndup(p, strcspn(p, " "));
}

/* Splits "ready PORT TOKEN [connect=URL connect_token=TOKEN]". */
static inline bool
standin_ready(struct standin *s)
{
	char *end;

	if (proc_line(&s->p, &s->line, s->wait_ms) != LINE_OK)
		return false;
	if (strncmp(s->line.p, "ready ", 6) != 0)
		return false;
	s->port = (int)strtol(s->line.p + 6, &end, 10);
	if (*end != ' ' || s->port <= 0)
		return false;
	s->token = strndup(end + 1, strcspn(end + 1, " "));
	s->connect = standin_word(s, " connect=");
	s->connect_token = standin_word(s, " connect_token=");
	return s->token != NULL;
}

/* Starts a stand-in; args is a NULL-terminated list of more arguments. */
static inline bool
standin_start(struct standin *s, const struct lab *lab, const char *const *args)
{
	char *argv[24];
	size_t n = 0;

	*s = (struct standin){ .wait_ms = lab->wait_ms };
	argv[n++] = (char *)(uintptr_t)lab->standin;
	argv[n++] = (char *)(uintptr_t) "--pki";
	argv[n++] = (char *)(uintptr_t)lab->pki;
	while (args && *args && n < LEN(argv) - 1)
		argv[n++] = (char *)(uintptr_t)*args++;
	argv[n] = NULL;
	return proc_start(&s->p, argv, NULL) && standin_ready(s);
}

static inline void
standin_stop(struct standin *s)
{
	proc_close_in(&s->p);
	if (s->p.pid > 0)
		proc_wait(&s->p, 2000);
	proc_end(&s->p);
	buf_free(&s->line);
	free(s->token);
	free(s->connect);
	free(s->connect_token);
	*s = (struct standin){ .p = { .in = -1, .out = -1, .err = -1 } };
}

/* Sends one command; what follows "ok" stands in s->line afterwards. False
 * for `error ...`, which then stands there whole. */
PRINTF(2, 3)
static inline bool
standin_do(struct standin *s, const char *fmt, ...)
{
	struct buf cmd = { 0 };
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	buf_vfmt(&cmd, fmt, ap);
	va_end(ap);
	buf_str(&cmd, "\n");
	ok = proc_send(&s->p, cmd.p, cmd.n, s->wait_ms);
	buf_free(&cmd);
	buf_clear(&s->line);
	if (!ok || proc_line(&s->p, &s->line, s->wait_ms) != LINE_OK)
		return false;
	if (strncmp(s->line.p, "ok", 2) != 0)
		return false;
	buf_cut(&s->line, s->line.p[2] == ' ' ? 3 : 2);
	return true;
}

/* Requests logged for one step, or for all with NULL; -1 on error. */
static inline long
standin_count(struct standin *s, const char *step)
{
	bool ok = step ? standin_do(s, "count %s", step) :
			 standin_do(s, "count");

	return ok ? strtol(s->line.p, NULL, 10) : -1;
}

/* Waits until count says at least n; false if it does not within ms. */
static inline bool
standin_await(struct standin *s, const char *step, long n, int ms)
{
	int64_t until = now_ms() + ms;

	while (standin_count(s, step) < n) {
		if (now_ms() >= until)
			return false;
		tick();
	}
	return true;
}

/* Undoes the escapes \t \n \r \\ and \u00XX of one field, in place. */
static inline void
row_unescape(char *p)
{
	char *to = p;

	for (; *p; p++) {
		if (*p != '\\' || !p[1]) {
			*to++ = *p;
			continue;
		}
		p++;
		if (*p == 'u' && strlen(p) > 4) {
			*to++ = (char)json_unit(p + 1);
			p += 4;
		} else {
			*to++ = *p == 't' ? '\t' :
			    *p == 'n'     ? '\n' :
			    *p == 'r'     ? '\r' :
					    *p;
		}
	}
	*to = 0;
}

/* Cuts one line of `list` into its eight fields. */
static inline void
row_split(struct row *r, char *line)
{
	const char **field[] = { &r->vault_id, &r->vault, &r->id, &r->title,
		&r->template_id, &r->trashed, &r->username, &r->password };
	size_t i;

	for (i = 0; i < LEN(field); i++) {
		*field[i] = line;
		line += strcspn(line, "\t");
		if (*line)
			*line++ = 0;
		row_unescape((char *)(uintptr_t)*field[i]);
	}
}

static inline void
account_free(struct account *a)
{
	buf_free(&a->text);
	free(a->row);
	*a = (struct account){ 0 };
}

/* Reads the whole account of the stand-in. */
static inline bool
standin_list(struct standin *s, struct account *a)
{
	struct buf line = { 0 };
	size_t i;
	char *p;

	*a = (struct account){ 0 };
	if (!standin_do(s, "list"))
		return false;
	a->n = (size_t)strtol(s->line.p, NULL, 10);
	a->row = calloc(a->n + 1, sizeof(*a->row));
	if (!a->row)
		abort();
	for (i = 0; i < a->n; i++) {
		if (proc_line(&s->p, &line, s->wait_ms) != LINE_OK)
			break;
		buf_add(&a->text, line.p, line.n + 1);
	}
	buf_free(&line);
	if (i < a->n) {
		account_free(a);
		return false;
	}
	p = a->text.p;
	for (i = 0; i < a->n; i++) {
		size_t n = strlen(p);

		row_split(&a->row[i], p);
		p += n + 1;
	}
	return true;
}

/* The row of a title in a vault, archived ones included; NULL if none. */
static inline const struct row *
account_find(const struct account *a, const char *vault, const char *title)
{
	size_t i;

	for (i = 0; i < a->n; i++)
		if (strcmp(a->row[i].vault, vault) == 0 &&
		    strcmp(a->row[i].title, title) == 0)
			return &a->row[i];
	return NULL;
}

/* How many rows a vault has with this title and state ("N", "Y"). */
static inline size_t
account_count(const struct account *a, const char *vault, const char *title,
    const char *trashed)
{
	size_t i, n = 0;

	for (i = 0; i < a->n; i++)
		n += strcmp(a->row[i].vault, vault) == 0 &&
		    strcasecmp(a->row[i].title, title) == 0 &&
		    strcmp(a->row[i].trashed, trashed) == 0;
	return n;
}

/* The settings under which opmcp reaches this stand-in. */
static inline void
standin_env(const struct standin *s, const struct lab *lab, struct env *e)
{
	char ca[1024];

	snprintf(ca, sizeof(ca), "%s/ca.pem", lab->pki);
	env_set(e, "PATH", "/usr/local/bin:/usr/bin:/bin");
	env_set(e, "HOME", "/nonexistent");
	env_set(e, "OP_SERVICE_ACCOUNT_TOKEN", s->token);
	env_set(e, "OPMCP_HOSTS", "localhost");
	env_set(e, "SSL_CERT_FILE", ca);
	/* Tests of limits and of the record switch these on again. */
	env_set(e, "OPMCP_RATE", "off");
	env_set(e, "OPMCP_MAX_ITEMS", "1000");
	env_set(e, "OPMCP_AUDIT", "off");
	if (lab->valgrind)
		env_set(e, "OPMCP_SANDBOX", "off");
}

/* ====================================================================
 * 5. The MCP client
 * ==================================================================== */

#define MODERN "2026-07-28"

struct client {
	struct proc p;
	struct json last;    /* the latest message */
	struct buf line;     /* its text */
	const char *version; /* MODERN: every request carries its claim */
	const char *caps;    /* what this host can do, as JSON; NULL: {} */
	const char *meta;    /* more members of _meta, as JSON, or NULL */
	long id;             /* of the latest request */
	int wait_ms;
	char seen[400]; /* for client_seen() */
};

/* Starts opmcp with more arguments (NULL-terminated) and descriptors. */
static inline bool
client_start_with(struct client *c, const struct lab *lab,
    const struct env *env, const char *const *args, struct fds fds)
{
	static const char *const grind[] = { "/usr/bin/valgrind", "-q",
		"--error-exitcode=99", "--exit-on-first-error=no", NULL };
	char *argv[24];
	size_t i, n = 0;

	*c = (struct client){ .wait_ms = lab->wait_ms };
	for (i = 0; lab->valgrind && grind[i]; i++)
		argv[n++] = (char *)(uintptr_t)grind[i];
	argv[n++] = (char *)(uintptr_t)lab->opmcp;
	while (args && *args && n < LEN(argv) - 1)
		argv[n++] = (char *)(uintptr_t)*args++;
	argv[n] = NULL;
	return proc_start_with(&c->p, argv, env, fds);
}

static inline bool
client_start(struct client *c, const struct lab *lab, const struct env *env)
{
	return client_start_with(c, lab, env, NULL, NO_FDS);
}

static inline void
client_stop(struct client *c)
{
	proc_end(&c->p);
	json_free(&c->last);
	buf_free(&c->line);
}

/* Sends bytes as they are. */
static inline bool
client_raw(struct client *c, const char *text)
{
	return proc_send(&c->p, text, strlen(text), c->wait_ms);
}

/* Sends one line; the newline is added. */
PRINTF(2, 3)
static inline bool
client_send(struct client *c, const char *fmt, ...)
{
	struct buf b = { 0 };
	va_list ap;
	bool ok;

	va_start(ap, fmt);
	buf_vfmt(&b, fmt, ap);
	va_end(ap);
	buf_str(&b, "\n");
	ok = proc_send(&c->p, b.p, b.n, c->wait_ms);
	buf_free(&b);
	return ok;
}

/* Reads the next message into c->last. */
static inline enum line
client_read(struct client *c, int ms)
{
	enum line got = proc_line(&c->p, &c->line, ms);

	json_free(&c->last);
	if (got == LINE_OK)
		json_parse(&c->last, c->line.p, c->line.n);
	return got;
}

/* Adds the members of _meta that every modern request has. */
static inline void
client_claim(const struct client *c, struct buf *b)
{
	buf_fmt(b,
	    "\"io.modelcontextprotocol/protocolVersion\":\"" MODERN "\","
	    "\"io.modelcontextprotocol/clientCapabilities\":%s,"
	    "\"io.modelcontextprotocol/clientInfo\":"
	    "{\"name\":\"harness\",\"version\":\"1\"}",
	    c->caps ? c->caps : "{}");
}

static inline bool
client_is_modern(const struct client *c)
{
	return c->version && strcmp(c->version, MODERN) == 0;
}

/* Adds the member params: what is given, and _meta where it is needed. */
static inline void
client_params(const struct client *c, const char *params, struct buf *b)
{
	bool modern = client_is_modern(c);

	if (!modern && !c->meta) {
		if (params)
			buf_fmt(b, ",\"params\":%s", params);
		return;
	}
	buf_str(b, ",\"params\":{\"_meta\":{");
	if (modern)
		client_claim(c, b);
	if (c->meta)
		buf_fmt(b, "%s%s", modern ? "," : "", c->meta);
	if (params && strcmp(params, "{}") != 0)
		buf_fmt(b, "},%s", params + 1);
	else
		buf_str(b, "}}");
}

/* Sends a request under the next id; params is an object's text or NULL. */
static inline bool
client_request(struct client *c, const char *method, const char *params)
{
	struct buf b = { 0 };
	bool ok;

	buf_fmt(&b, "{\"jsonrpc\":\"2.0\",\"id\":%ld,\"method\":\"%s\"",
	    ++c->id, method);
	client_params(c, params, &b);
	buf_str(&b, "}\n");
	ok = proc_send(&c->p, b.p, b.n, c->wait_ms);
	buf_free(&b);
	return ok;
}

/* Request and answer: true if the next message has the request's id. */
static inline bool
client_ask(struct client *c, const char *method, const char *params)
{
	json_free(&c->last);
	if (!client_request(c, method, params))
		return false;
	if (client_read(c, c->wait_ms) != LINE_OK)
		return false;
	return json_long(&c->last, "id", -1) == c->id;
}

/* The legacy handshake; for MODERN it only notes the version. */
static inline bool
client_hello(struct client *c, const char *version)
{
	struct buf params = { 0 };
	bool ok;

	c->version = version;
	if (strcmp(version, MODERN) == 0)
		return true;
	buf_fmt(&params,
	    "{\"protocolVersion\":\"%s\",\"capabilities\":%s,"
	    "\"clientInfo\":{\"name\":\"harness\",\"version\":\"1\"}}",
	    version, c->caps ? c->caps : "{}");
	ok = client_ask(c, "initialize", params.p) &&
	    json_top(&c->last, "result") >= 0 &&
	    client_send(c,
		"{\"jsonrpc\":\"2.0\","
		"\"method\":\"notifications/initialized\"}");
	buf_free(&params);
	return ok;
}

/* Sends tools/call; args is the text of the arguments object. */
static inline bool
client_call(struct client *c, const char *tool, const char *args)
{
	struct buf b = { 0 };
	bool ok;

	buf_fmt(&b, "{\"name\":\"%s\",\"arguments\":%s}", tool, args);
	ok = client_request(c, "tools/call", b.p);
	buf_free(&b);
	return ok;
}

#define CREDENTIALS "get_1password_credentials"
#define HEALTH      "get_health_status"

/* Asks for an item's credentials and reads the answer. */
static inline bool
client_get(struct client *c, const char *item, const char *vault)
{
	struct buf b = { 0 };
	bool ok;

	buf_str(&b, "{\"item_name\":");
	buf_json(&b, item);
	if (vault) {
		buf_str(&b, ",\"vault\":");
		buf_json(&b, vault);
	}
	buf_str(&b, "}");
	json_free(&c->last);
	ok = client_call(c, CREDENTIALS, b.p) &&
	    client_read(c, c->wait_ms) == LINE_OK &&
	    json_long(&c->last, "id", -1) == c->id;
	buf_free(&b);
	return ok;
}

/* True if the latest answer is a tool result that is not an error. */
static inline bool
client_ok(const struct client *c)
{
	return json_top(&c->last, "result content") >= 0 &&
	    json_top(&c->last, "result isError") < 0;
}

/* What the latest message was, in words that hold no result's values. */
static inline const char *
client_seen(struct client *c)
{
	const struct json *j = &c->last;
	struct buf b = { 0 };
	int at = json_top(j, "error message");

	if (!j->ntok) {
		buf_fmt(&b, "%s", c->line.n ? "no JSON message" : "nothing");
	} else if (at >= 0) {
		buf_fmt(&b, "error %ld ", json_long(j, "error code", 0));
		json_text(j, at, &b);
	} else if (json_top(j, "result isError") >= 0 &&
	    (at = json_top(j, "result content 0 text")) >= 0) {
		buf_str(&b, "tool error ");
		json_text(j, at, &b);
	} else {
		buf_fmt(&b, "%s of %d members (not shown)",
		    json_top(j, "result") >= 0 ? "a result" : "a message",
		    json_len(j, json_top(j, "result")));
	}
	snprintf(c->seen, sizeof(c->seen), "%s", b.p);
	buf_free(&b);
	return c->seen;
}

/* ====================================================================
 * 6. Checks
 * ==================================================================== */

/* Shared by all cases, which run in processes of their own. */
struct tally {
	_Atomic long passed, failed;
};

/* What a case is given. */
struct t {
	const struct lab *lab;
	const char *name;
	struct tally *tally;
	const struct account *hide; /* its passwords are never printed */
};

/* Overwrites each secret in b with asterisks. */
static inline void
buf_mask(struct buf *b, const char *secret, size_t n)
{
	char *p;

	while (n && (p = memmem(b->p, b->n, secret, n)) != NULL)
		memset(p, '*', n);
}

/* Takes tokens and the account's passwords out of a line before it is shown;
 * should opmcp leak one, the line that reports it must not. */
static inline void
t_mask(const struct t *t, struct buf *b)
{
	char *p = b->p;
	size_t i;

	while ((p = strstr(p, "ops_")) != NULL)
		for (p += 4;
		     isalnum((unsigned char)*p) || *p == '_' || *p == '-'; p++)
			*p = '*';
	for (i = 0; t->hide && i < t->hide->n; i++)
		if (strlen(t->hide->row[i].password) >= 5)
			buf_mask(b, t->hide->row[i].password,
			    strlen(t->hide->row[i].password));
}

/* Counts one check. A failing one prints one line; fmt must name what was
 * expected and seen, and never a secret. */
PRINTF(4, 5)
static inline bool
t_check(struct t *t, bool ok, int line, const char *fmt, ...)
{
	struct buf b = { 0 };
	va_list ap;

	if (ok) {
		t->tally->passed++;
		return true;
	}
	t->tally->failed++;
	buf_fmt(&b, "FAIL %s:%d: ", t->name, line);
	va_start(ap, fmt);
	buf_vfmt(&b, fmt, ap);
	va_end(ap);
	buf_str(&b, "\n");
	t_mask(t, &b);
	if (write(1, b.p, b.n) < 0) /* one write: cases run side by side */
		abort();
	buf_free(&b);
	return false;
}

#define CHECK(t, ok, ...) t_check((t), (ok), __LINE__, __VA_ARGS__)

/* Integers: expected first. */
#define CHECK_INT(t, want, seen, what)                       \
	t_check((t), (long)(want) == (long)(seen), __LINE__, \
	    "%s: expected %ld, seen %ld", (what), (long)(want), (long)(seen))

#endif
