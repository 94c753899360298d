#!/bin/sh
# SPDX-License-Identifier: MIT
#
# lint.sh: items 1-5 of the review card, by POSIX sh and awk alone.
#
#	sh test/lint.sh [opmcp.c [opmcp.h ...]]
#
# The first file is the program: it has the contents list and the banners.
# The others are checked alike, except for those two. SECURITY.md and test/*.c
# are looked for beside the first file; without SECURITY.md what depends on it
# is skipped. One finding a line, "file:line: [item] message", then "info:"
# lines. Exit status: 0 clean, 1 findings, 2 wrong use.
#
# It reads layout, not grammar: return type on its own line, function name at
# column 0, both braces of a function alone at column 0. A function that is
# laid out in another way is itself a finding. Text in comments and literals is
# never taken for code. It does not see VLAs (-Wvla does) or recursion.

# ---- what may be tuned ------------------------------------------------

# Item 1. Foreign objects that may be declared extern at file scope.
ALLOW_EXTERN="environ opmcp_ca opmcp_ca_end"

# Item 2. A MAX_ is a hard limit for each function, a MEDIAN_ or P90_ a budget
# over all of them. Length runs from the line of the name to the closing brace;
# the lines of an initialiser that spans several are not counted. Nesting is 0
# in the body, with or without braces; "else if" adds none.
MAX_LINES=70
MEDIAN_LINES=15
P90_LINES=45
MAX_NESTING=5
P90_NESTING=3
MAX_PARAMS=6
P90_PARAMS=5
P90_MCCABE=10
MAX_COLUMNS=80
# Lines that hold only comment, in percent of non-blank lines of all files;
# licence lines count as neither.
MIN_COMMENT=15
MAX_COMMENT=35

# Item 3. Refused everywhere.
REFUSED="strcpy strcat strncpy strtok sprintf sscanf atoi alloca
	stpcpy strncat strtok_r vsprintf vsscanf atol atoll gets"
# Memory words, and the sections that may use them.
MEMORY_WORDS="malloc calloc realloc reallocarray free aligned_alloc
	posix_memalign strdup strndup asprintf vasprintf memcmp bcmp"
MEMORY_SECTIONS="2"
# C strings live at the border to the OS only: memory, OS seam, configuration,
# CLI. "last" is the last section of the program.
STRING_WORDS="strcmp strncmp strcasecmp strncasecmp"
STRING_SECTIONS="2 4 7 last"
# Calls that end the process, the sections that may make them, and the
# functions or macros outside of those that may as well.
EXIT_WORDS="exit _exit _Exit quick_exit abort err errx verr verrx"
EXIT_SECTIONS="last"
ALLOW_EXIT="os_lookup_child"

# Item 4. A function that returns bool is MUST, inline, named like this
# (extended regular expression), or listed by name.
PREDICATES="(^|_)is_|_eq$|^ct_eq"
ALLOW_BOOL=""
# Calls that must have a string literal as second or third argument.
FAIL_CALLS="fail"
# Converts a secret; its callers stand on one line of SECURITY.md with it.
REVEAL="item_reveal"

# Item 5. Words in backticks in the guarantee table of SECURITY.md that look
# like a function (lower case, with an underscore) and are none.
ALLOW_WORDS="no_new_privs"

# ---- which files ------------------------------------------------------

LC_ALL=C
export LC_ALL

[ $# -gt 0 ] || set -- opmcp.c opmcp.h
case $1 in
*.c)	;;
*)	echo "usage: lint.sh [opmcp.c [opmcp.h ...]]" >&2
	exit 2 ;;
esac
case $1 in
*/*)	top=${1%/*}/ ;;
*)	top= ;;
esac

# Arguments for awk: each file after an assignment that tells its kind
# (S: SECURITY.md, C: the program, H: checked alike, T: names only).
n=$#
kind=C
while [ "$n" -gt 0 ]; do
	if [ ! -r "$1" ]; then
		echo "lint.sh: cannot read $1" >&2
		exit 2
	fi
	case $1 in
	*=*)	echo "lint.sh: file name with '=': $1" >&2
		exit 2 ;;
	esac
	set -- "$@" "kind=$kind" "$1"
	shift
	kind=H
	n=$((n - 1))
done
has_security=0
if [ -s "${top}SECURITY.md" ]; then
	has_security=1
	set -- "$@" kind=S "${top}SECURITY.md"
	for f in "${top}"test/*.c; do
		if [ -r "$f" ]; then
			set -- "$@" kind=T "$f"
		fi
	done
fi

# ---- the checks -------------------------------------------------------

out=$(awk \
    -v allow_extern="$ALLOW_EXTERN" \
    -v max_lines="$MAX_LINES" -v median_lines="$MEDIAN_LINES" \
    -v p90_lines="$P90_LINES" -v max_nesting="$MAX_NESTING" \
    -v p90_nesting="$P90_NESTING" -v max_params="$MAX_PARAMS" \
    -v p90_params="$P90_PARAMS" -v p90_mccabe="$P90_MCCABE" \
    -v max_columns="$MAX_COLUMNS" \
    -v min_comment="$MIN_COMMENT" -v max_comment="$MAX_COMMENT" \
    -v refused="$(echo $REFUSED)" \
    -v memory_words="$(echo $MEMORY_WORDS)" \
    -v memory_sections="$MEMORY_SECTIONS" \
    -v string_words="$(echo $STRING_WORDS)" \
    -v string_sections="$STRING_SECTIONS" \
    -v exit_words="$(echo $EXIT_WORDS)" \
    -v exit_sections="$EXIT_SECTIONS" -v allow_exit="$(echo $ALLOW_EXIT)" \
    -v predicates="$PREDICATES" -v allow_bool="$(echo $ALLOW_BOOL)" \
    -v fail_calls="$FAIL_CALLS" -v reveal="$REVEAL" \
    -v allow_words="$ALLOW_WORDS" -v has_security="$has_security" '

function say(item, file, line, text)
{
	printf "%s:%d: [%d] %s\n", file, line, item, text
}

function here(item, text)
{
	say(item, FILENAME, FNR, text)
}

# Adds each word of list to set.
function words(list, set,    a, i, n)
{
	n = split(list, a, " ")
	for (i = 1; i <= n; i++)
		set[a[i]] = 1
}

# Is section one of list ("last": the last one of the program)?
function within(section, list,    a, i, n)
{
	n = split(list, a, " ")
	for (i = 1; i <= n; i++) {
		if (section == a[i])
			return 1
		if (a[i] == "last" && section != "" && section == last_section)
			return 1
	}
	return 0
}

# Columns of a line: tabs to the next multiple of 8, UTF-8 by characters.
function columns(s,    i, w)
{
	gsub(/[\200-\277]/, "", s)
	w = 0
	while ((i = index(s, "\t")) > 0) {
		w += i - 1
		w += 8 - w % 8
		s = substr(s, i + 1)
	}
	return w + length(s)
}

# Returns the code of a line: comments become a blank, a string "", a
# character 0. Sets had_comment; in_comment and in_string live across lines.
function strip(s,    code, c, i, k)
{
	code = ""
	had_comment = in_comment
	while (s != "" || in_string != "") {
		if (in_comment) {
			i = index(s, "*/")
			if (i == 0)
				return code
			s = substr(s, i + 2)
			in_comment = 0
			code = code " "
			continue
		}
		if (in_string == "") {
			if (!match(s, start_re))
				return code s
			c = substr(s, RSTART, 1)
			code = code substr(s, 1, RSTART - 1)
			s = substr(s, RSTART)
			if (c == "/") {
				k = substr(s, 1, 2)
				if (k == "//") {
					had_comment = 1
					return code
				}
				if (k == "/*") {
					had_comment = 1
					in_comment = 1
					s = substr(s, 3)
				} else {
					code = code "/"
					s = substr(s, 2)
				}
				continue
			}
			code = code (c == "\"" ? "\"\"" : "0")
			s = substr(s, 2)
			in_string = c
		}
		# Inside a literal: to its end, over escaped characters.
		for (;;) {
			c = in_string == "\"" ? string_re : char_re
			if (!match(s, c)) {
				in_string = ""
				return code
			}
			k = substr(s, RSTART, 1)
			if (k != "\\") {
				s = substr(s, RSTART + 1)
				in_string = ""
				break
			}
			if (RSTART == length(s))
				return code	# goes on in the next line
			s = substr(s, RSTART + 2)
		}
	}
	return code
}

# ---- SECURITY.md ----

# Notes one name that a guarantee row puts into backticks.
function span(s,    name)
{
	name = s
	if (s ~ /\([1-9]\)$/)
		return		# a manual page
	sub(/\(.*\)$/, "", name)
	if (name ~ /^test_[a-z0-9_]*\*?$/) {
		row_test = 1
		want_line[++wants] = FNR
		want_name[wants] = name
		want_kind[wants] = "test"
	} else if (name ~ /^[A-Za-z_][A-Za-z0-9_]*$/ &&
	    !(name in ok_word) && (name != s || name in defined ||
	    name ~ /^[a-z][a-z0-9]*_[a-z0-9_]*$/)) {
		row_function = 1
		want_line[++wants] = FNR
		want_name[wants] = name
		want_kind[wants] = name != s ? "function" : "name"
	}
}

function security(line,    a, i, n)
{
	security_file = FILENAME
	if (has_word(line, reveal)) {
		n = split(line, a, /[^A-Za-z0-9_]+/)
		for (i = 1; i <= n; i++)
			ok_reveal[a[i]] = 1
	}
	if (line ~ /^#+ /)
		guarantees = tolower(line) ~ /guarantee/
	if (line !~ /^ *\|/) {
		table_row = 0
		return
	}
	if (++table_row == 1)
		guarantee_table = guarantees || tolower(line) ~ /guarantee/
	if (!guarantee_table || table_row <= 2)
		return
	guarantee_rows++
	row_function = row_test = 0
	n = split(line, a, "`")
	for (i = 2; i <= n; i += 2)
		span(a[i])
	if (!row_function)
		here(5, "guarantee names no function in backticks")
	if (!row_test)
		here(5, "guarantee names no test_ function in backticks")
}

function has_word(s, w)
{
	return (" " s " ") ~ ("[^A-Za-z0-9_]" w "[^A-Za-z0-9_]")
}

# ---- file scope ----

# Why the declaration of an object makes mutable data; "" if it does not.
function mutable(decl,    s)
{
	s = decl
	if (match(s, /\( \*/)) {
		s = substr(s, RSTART + 3)
		sub(/\).*/, "", s)
	} else if (s ~ /\*/) {
		sub(/.*\*/, "", s)
	}
	if ((" " s " ") ~ / const /)
		return ""
	if ((" " decl " ") ~ / const /)
		return "the pointer is mutable: const belongs after the *"
	return "mutable data"
}

# A declaration at file scope that is no function definition.
function declaration(h,    why)
{
	sub(/^ /, "", h)
	if (h == "" || h ~ /^typedef /)
		return
	if (h ~ type_re)
		return
	if (h ~ /^[A-Za-z0-9_]+ \(/)
		return		# a macro that stands for a declaration
	if (match(h, /\(/) && substr(h, RSTART, 3) != "( *") {
		if (!had_init) {
			say(1, FILENAME, head_line, "prototype or forward " \
			    "declaration: " short(h))
			return
		}
	}
	if (h ~ /^extern /) {
		why = h
		sub(/ *\[\].*$/, "", why)
		sub(/^.* /, "", why)
		if (!(why in ok_extern))
			say(1, FILENAME, head_line, "extern object: " short(h))
		return
	}
	if (h ~ /(^| )volatile / && h ~ /(^| )sig_atomic_t /) {
		if (++signal_flags > 1)
			say(1, FILENAME, head_line,
			    "second volatile sig_atomic_t: " short(h))
	} else if ((why = mutable(h)) != "") {
		say(1, FILENAME, head_line, why " at file scope: " short(h))
	}
	if ((" " h) !~ / static /)
		say(1, FILENAME, head_line,
		    "object at file scope is not static: " short(h))
}

function short(s)
{
	return length(s) > 60 ? substr(s, 1, 57) "..." : s
}

function new_item()
{
	head = ""
	head_line = 0
	name = ""
	had_init = 0
	skip = skip_depth = 0
	par = 0
}

# Number of parameters in "( a , b )...".
function parameters(s,    a, d, i, n, k, text)
{
	n = split(s, a, " ")
	d = k = 0
	text = ""
	for (i = 1; i <= n; i++) {
		if (a[i] == "(" || a[i] == "[")
			d++
		if (a[i] == ")" || a[i] == "]")
			if (--d == 0)
				break
		if (a[i] == "," && d == 1)
			k++
		text = text a[i]
	}
	if (text == "(" || text == "(void")
		return 0
	return k + 1
}

# The opening brace of a function: everything its head can tell.
function function_begin(    type, i)
{
	if (name == "") {
		here(2, "function name is not at column 0 of its own line: " \
		    short(head))
		match(head, /[A-Za-z_][A-Za-z0-9_]* \(/)
		name = substr(head, RSTART, RLENGTH - 2)
		name_at = RSTART - 1
		name_line = FNR
	}
	type = " " substr(head, 1, name_at) " "
	if (type == "  ")
		say(2, FILENAME, name_line,
		    "return type of " name "() is not on its own line")
	if (line_code !~ /^\{[ \t]*$/)
		here(2, "opening brace of " name \
		    "() is not alone at column 0")
	if (type !~ / static / && name != "main")
		say(1, FILENAME, name_line, name "() is not static")
	if (type ~ / (bool|_Bool) / && type !~ /\*/ &&
	    type !~ / MUST / && type !~ / inline / &&
	    name !~ predicates && !(name in ok_bool))
		say(4, FILENAME, name_line, name "() returns bool without MUST")
	fn = name
	fn_line = name_line
	fn_params = parameters(substr(head, name_at + length(name) + 2))
	if (fn_params > max_params)
		say(2, FILENAME, name_line, name "() has " fn_params \
		    " parameters, limit " max_params)
	defined[name] = 1
	nesting = deepest = 0
	deep_line = 0
	mccabe = 1
	table_lines = 0
	want = ""
	pend = 0
	closed = ""
	static_local = ""
}

function function_end(    n)
{
	if (line_code !~ /^\}[ \t]*$/)
		here(2, "closing brace of " fn "() is not alone at column 0")
	n = FNR - fn_line + 1 - table_lines
	if (n > max_lines)
		say(2, FILENAME, fn_line, fn "() has " n " lines, limit " \
		    max_lines)
	if (deepest > max_nesting)
		say(2, FILENAME, deep_line, fn "() nests " deepest \
		    " deep, limit " max_nesting)
	functions++
	f_lines[n]++
	f_nesting[deepest]++
	f_params[fn_params]++
	f_mccabe[mccabe]++
	if (n > longest) {
		longest = n
		longest_name = fn
	}
	fn = ""
	new_item()
}

# One token at file scope.
function file_token(t)
{
	if (head_line == 0)
		head_line = FNR
	if (skip) {		# in an attribute or an array bound
		if (t == "(" || t == "[")
			skip_depth++
		else if ((t == ")" || t == "]") && --skip_depth == 0)
			skip = 0
		return
	}
	if (t in attribute) {
		skip = 1
		skip_depth = 0
		return
	}
	if (t == "{") {
		if (!had_init && head ~ /\)( [A-Z][A-Z0-9_]*)*$/) {
			push("F", "")
			function_begin()
		} else {
			push("I", "")
		}
		return
	}
	if (t == ";" && par == 0) {
		declaration(head)
		new_item()
		return
	}
	if (t == "(")
		par++
	else if (t == ")")
		par--
	if (had_init)
		return
	if (t == "=") {
		had_init = 1
		return
	}
	if (t == "[" && par == 0) {
		head = head " []"
		skip = 1
		skip_depth = 1
		return
	}
	if (at_column == 0 && par == 0 && rest ~ /^\(/ && t ~ /^[A-Za-z_]/) {
		name = t
		name_line = FNR
		name_at = length(head)
	}
	head = head (head == "" ? "" : " ") t
}

# ---- function bodies ----
#
# A stack of what is open. type: F function, B block of a control statement,
# S control statement without braces, P other block, I initialiser, struct or
# other braces that are no block. word: the control word.

function push(type, word)
{
	sp++
	f_type[sp] = type
	f_word[sp] = word
	f_nest[sp] = type == "B" || type == "S" || \
	    (type == "P" && word != "case")
	if (f_nest[sp]) {
		nesting++
		if (nesting > deepest) {
			deepest = nesting
			deep_line = FNR
		}
	}
	if (type == "I" && fn != "" && f_type[sp - 1] != "I")
		table_start = FNR
}

function pop()
{
	if (f_nest[sp])
		nesting--
	sp--
}

# Between two statements: which braceless statements has the last one ended?
function settle(t,    w)
{
	pend = 0
	if (t == "else") {
		if (closed == "if")
			return
		while (f_type[sp] == "S") {
			w = f_word[sp]
			pop()
			if (w == "if")
				return
		}
		return
	}
	if (t == "while") {
		if (closed == "do") {
			tail = 1
			return
		}
		if (f_type[sp] == "S" && f_word[sp] == "do") {
			pop()
			tail = 1
			return
		}
	}
	while (f_type[sp] == "S")
		pop()
}

function open_brace()
{
	if (want != "") {
		push("B", want)
		want = ""
	} else if (f_type[sp] == "I") {
		push("I", "")
	} else if (prev == ":") {
		push("P", "case")
	} else if (prev ~ /^[;{}]$/) {
		push("P", "block")
	} else if (prev == ")" && par == 0 && closed_word ~ /^[A-Za-z_]/ &&
	    closed_word != "return" && closed_word != "sizeof") {
		push("B", "for")	# a macro that loops
	} else {
		push("I", "")
	}
	prev = "{"
}

function close_brace(    type)
{
	while (f_type[sp] == "S")
		pop()
	type = f_type[sp]
	closed = f_word[sp]
	pop()
	if (type == "F") {
		function_end()
		return
	}
	if (type == "I") {
		if (f_type[sp] != "I" && FNR > table_start) {
			# two tables may meet on one line
			table_lines += FNR - table_start + 1
			if (table_start == table_end)
				table_lines--
			table_end = FNR
		}
	} else {
		pend = 1
	}
	prev = "}"
}

# static inside a function: read up to its initialiser, then judge.
function local_static(t,    why)
{
	if (static_local != "") {
		if (t !~ /^[;={]$/) {
			static_local = static_local " " t
			return
		}
		gsub(/ \[ [^]]*\]/, " []", static_local)
		why = mutable(static_local)
		if (why != "")
			here(1, why ", static in " fn "(): " \
			    short(static_local))
		static_local = ""
	} else if (t == "static" && par == 0) {
		static_local = t
	} else if (t == "extern") {
		here(1, "extern inside " fn "()")
	}
}

# One token inside a function.
function body_token(t)
{
	if (pend)
		settle(t)
	local_static(t)
	if (t == "{") {
		open_brace()
		return
	}
	if (want != "") {
		if (t != ";" && !(want == "else" && t == "if"))
			push("S", want)
		want = ""
	}
	if (t == "}") {
		close_brace()
		return
	}
	if (t == "(") {
		opener[++par] = prev == "while" && tail ? "tail" : prev
		tail = 0
	} else if (t == ")") {
		closed_word = opener[par]
		if (par > 0)
			par--
		if (closed_word ~ /^(if|for|while|switch)$/)
			want = closed_word
	} else if (t == ";") {
		if (par == 0 && f_type[sp] != "I") {
			pend = 1
			closed = ""
		}
	} else if (t == "else" || t == "do") {
		want = t
	}
	if (t ~ /^(if|for|while|case)$/)
		mccabe++
	prev = t
}

# ---- words, in code and in macros ----

# A word that item 3 or 4 restricts; prev_any is the token before it.
function restricted(t, call)
{
	if (t in is_refused)
		here(3, t " is refused")
	else if (t in is_memory || t in is_string || \
	    (call && t in is_exit)) {
		uses++
		use_word[uses] = t
		use_file[uses] = FILENAME
		use_line[uses] = FNR
		use_section[uses] = section
		use_in[uses] = fn != "" ? fn : macro
	} else if (t == reveal) {
		reveals++
		reveal_file[reveals] = FILENAME
		reveal_line[reveals] = FNR
		reveal_in[reveals] = fn != "" ? fn : macro
		if (fn == "" && macro == "" && name == "" && \
		    at_column == 0 && call)
			reveal_in[reveals] = reveal
	}
}

# Collects the arguments of a fail() and judges them at its end.
function fail_token(t,    i, good)
{
	if (t == "," && fail_depth == 1) {
		fail_arg++
		fail_text[fail_arg] = ""
		return
	}
	if (t ~ /^[(\[{]$/)
		fail_depth++
	if (t ~ /^[])}]$/ && --fail_depth == 0) {
		good = 0
		for (i = 2; i <= 3 && i <= fail_arg; i++)
			if (fail_text[i] ~ fail_re || \
			    (macro != "" && fail_text[i] ~ /^ ""/))
				good = 1
		if (!good)
			say(4, FILENAME, fail_line, fail_name \
			    "() without a string literal as second or " \
			    "third argument")
		fail_depth = 0
		return
	}
	fail_text[fail_arg] = fail_text[fail_arg] " " t
}

function any_token(t,    call)
{
	seen[t] = 1
	call = rest ~ /^[ \t]*\(/
	if (t ~ /^[A-Za-z_]/ && prev_any != "." && t != macro)
		restricted(t, call)
	if (fail_depth > 0) {
		fail_token(t)
	} else if (call && t in is_fail && t != macro && prev_any != "." && \
	    (fn != "" || macro != "")) {
		fail_name = t
		fail_line = FNR
		fail_arg = 1
		fail_text[1] = ""
		fail_depth = -1		# its parenthesis comes next
	} else if (fail_depth < 0) {
		fail_depth = 1
	}
	prev_any = t
}

# Splits code into tokens and hands them on.
function tokens(code, deliver,    t)
{
	at_column = 0
	gsub(/->/, " .", code)
	while (match(code, /[A-Za-z0-9_]+|""|[^ \t]/)) {
		t = substr(code, RSTART, RLENGTH)
		at_column += RSTART - 1
		rest = substr(code, RSTART + RLENGTH)
		any_token(t)
		if (deliver) {
			if (at_column == 0 && t == "}" && sp > 1)
				lost()
			if (fn != "")
				body_token(t)
			else if (sp == 0)
				file_token(t)
			else if (t == "{")
				push("I", "")
			else if (t == "}") {
				pop()
				if (sp == 0 && !had_init)
					head = head " {}"
			}
		}
		at_column += RLENGTH
		code = rest
	}
}

# A brace closes at column 0 although more are open: find the way back.
function lost()
{
	while (sp > 1 && f_type[sp] == "S")
		pop()
	if (sp > 1) {
		here(2, "brace at column 0 closes, but " sp " are open")
		while (sp > 1)
			pop()
		nesting = 0
	}
}

# ---- lines ----

# #if, #else and #endif: each branch starts from the same state.
function branch(code)
{
	if (code ~ /^[ \t]*#[ \t]*if/) {
		if (code ~ /^[ \t]*#[ \t]*if[ \t]+0[ \t]*$/)
			here(5, "#if 0: code that is switched off")
		b++
		b_sp[b] = sp
		b_par[b] = par
		b_nesting[b] = nesting
		b_fn[b] = fn
		b_head[b] = head
		b_name[b] = name
		b_init[b] = had_init
		b_pend[b] = pend
		b_want[b] = want
		b_prev[b] = prev
	} else if (b > 0 && code ~ /^[ \t]*#[ \t]*el/) {
		sp = b_sp[b]
		par = b_par[b]
		nesting = b_nesting[b]
		fn = b_fn[b]
		head = b_head[b]
		name = b_name[b]
		had_init = b_init[b]
		pend = b_pend[b]
		want = b_want[b]
		prev = b_prev[b]
	} else if (b > 0 && code ~ /^[ \t]*#[ \t]*endif/) {
		b--
	}
}

# The title page: everything before the first banner from 1 on.
function title_page(line,    n)
{
	if (line ~ /^ \*[ \t]+[0-9]+\.[ \t]/) {
		n = line
		sub(/^ \*[ \t]+/, "", n)
		if (contents_done || (contents && n + 0 <= last_entry)) {
			contents_done = 1
			return
		}
		last_entry = n + 0
		if (n + 0 == 0)
			return
		contents++
		entry[contents] = squeeze(n)
		entry_line[contents] = FNR
	} else if (!headed && line ~ /[Cc]ontents|CONTENTS/) {
		headed = 1	# a list before the heading is another one
		contents = contents_done = 0
	} else if (contents && line !~ /^ \*[ \t]*$/) {
		contents_done = 1
	}
}

function squeeze(s)
{
	gsub(/[ \t]+/, " ", s)
	sub(/^ /, "", s)
	sub(/ $/, "", s)
	return s
}

# The line after the "/* ====" of a banner.
function banner_title(line,    n)
{
	n = line
	if (n !~ /^ \*[ \t]+[0-9]+\.[ \t]/) {
		if (banners || FNR > 3)
			here(1, "banner without number and title")
		return
	}
	sub(/^ \*[ \t]+/, "", n)
	if (n + 0 == 0)
		return			# the title page itself
	banners++
	section = n + 0
	if (section != banners)
		here(1, "banner " section " where " banners " is expected")
	banner[banners] = squeeze(n)
	banner_line[banners] = FNR
}

# Counts a line for the comment share.
function share(line, code)
{
	if (line ~ /^[ \t\r]*$/)
		return
	if (code ~ /^[ \t\r]*$/ && had_comment) {
		if (line ~ /SPDX-License|Copyright/)
			return
		comment_lines++
	}
	nonblank++
}

function program_line(line,    code, pp)
{
	if (columns(line) > max_columns)
		here(2, columns(line) " columns, limit " max_columns)
	if (line ~ /(^|[^A-Za-z0-9_])(XXX|TODO|FIXME)([^A-Za-z0-9_]|$)/)
		here(5, "XXX, TODO or FIXME")
	if (kind == "C") {
		if (after_rule) {
			banner_title(line)
			after_rule = 0
		} else if (!in_comment && line ~ /^\/\* =====/)
			after_rule = 1
		else if (!banners)
			title_page(line)
	}
	code = strip(line)
	share(line, code)
	line_code = code
	pp = pp_goes_on || code ~ /^[ \t]*#/
	if (pp) {
		if (!pp_goes_on) {
			branch(code)
			macro = ""
			if (code ~ /^[ \t]*#[ \t]*define[ \t]/) {
				macro = code
				sub(/^[ \t]*#[ \t]*define[ \t]+/, "", macro)
				sub(/[^A-Za-z0-9_].*$/, "", macro)
				is_macro[macro] = 1
			}
		}
		pp_goes_on = line ~ /\\$/
		if (code !~ /^[ \t]*#[ \t]*(include|error|pragma)/)
			tokens(code, 0)
		if (!pp_goes_on) {
			macro = ""
			fail_depth = 0
		}
		return
	}
	if (fn != "")
		mccabe += gsub(/&&/, "\\&\\&", code) + \
		    gsub(/\|\|/, "||", code) + gsub(/\?/, "?", code)
	tokens(code, 1)
}

# ---- figures ----

# The smallest value that a share of part (0..1) of all functions keep.
function quantile(count, part,    v, sum, need)
{
	need = functions * part
	sum = 0
	for (v = 0; v < 100000; v++) {
		if (v in count)
			sum += count[v]
		if (sum >= need - 0.000001)
			return v
	}
	return v
}

function budget(what, value, limit)
{
	if (value > limit)
		say(2, program, 1, what " is " value ", budget " limit)
	return value
}

function figures(    s, percent)
{
	if (functions) {
		s = sprintf("info: %d functions; lines: median %d, p90 %d, " \
		    "longest %d %s()", functions,
		    budget("median of function lines",
		    quantile(f_lines, 0.5), median_lines),
		    budget("p90 of function lines",
		    quantile(f_lines, 0.9), p90_lines),
		    longest, longest_name)
		print s
		s = sprintf("info: p90 of nesting %d, parameters %d, " \
		    "McCabe %d",
		    budget("p90 of nesting",
		    quantile(f_nesting, 0.9), p90_nesting),
		    budget("p90 of parameters",
		    quantile(f_params, 0.9), p90_params),
		    budget("p90 of McCabe",
		    quantile(f_mccabe, 0.9), p90_mccabe))
		print s
	}
	if (nonblank) {
		percent = 100 * comment_lines / nonblank
		printf "info: %d lines, %d of them not blank, comment " \
		    "share %.1f %%\n", all_lines, nonblank, percent
		if (percent < min_comment || percent > max_comment)
			say(2, program, 1, sprintf("comment share is " \
			    "%.1f %%, budget %d to %d %%", percent,
			    min_comment, max_comment))
	}
}

# ---- judgements that need the whole text ----

function compare_contents(    i)
{
	if (!contents)
		say(1, program, 1, "no contents list on the title page")
	if (!banners)
		say(1, program, 1, "no banner")
	if (!contents || !banners)
		return
	for (i = 1; i <= contents || i <= banners; i++) {
		if (i > banners)
			say(1, program, entry_line[i],
			    "contents entry without banner: " entry[i])
		else if (i > contents)
			say(1, program, banner_line[i],
			    "banner is not in the contents: " banner[i])
		else if (entry[i] != banner[i])
			say(1, program, entry_line[i], "contents say \"" \
			    entry[i] "\", banner in line " banner_line[i] \
			    " says \"" banner[i] "\"")
	}
}

function judge_uses(    i, t, s)
{
	for (i = 1; i <= uses; i++) {
		t = use_word[i]
		s = use_section[i]
		if (t in is_memory) {
			if (!within(s, memory_sections))
				say(3, use_file[i], use_line[i], t \
				    " outside section " memory_sections)
		} else if (t in is_string) {
			if (!within(s, string_sections))
				say(3, use_file[i], use_line[i], t \
				    " outside sections " string_sections)
		} else if (!within(s, exit_sections) && \
		    !(use_in[i] in ok_exit)) {
			say(3, use_file[i], use_line[i], t "() in " \
			    (use_in[i] == "" ? "no function" : use_in[i]) \
			    ", outside the last section")
		}
	}
}

function judge_reveals(    i)
{
	for (i = 1; i <= reveals; i++) {
		if (reveal_in[i] == reveal || reveal_in[i] in ok_reveal)
			continue
		say(4, reveal_file[i], reveal_line[i], reveal " in " \
		    (reveal_in[i] == "" ? "no function" : reveal_in[i]) \
		    ", which no line of SECURITY.md names beside it")
	}
}

function judge_wants(    i, t)
{
	if (!guarantee_rows)
		say(5, security_file, 1, "no guarantee table")
	for (i = 1; i <= wants; i++) {
		t = want_name[i]
		if (want_kind[i] == "test") {
			if (!known_test(t))
				say(5, security_file, want_line[i],
				    "no such test: " t)
		} else if (!(t in defined) && !(t in is_macro) && \
		    !(t in test_seen) && \
		    !(want_kind[i] == "name" && t in seen))
			say(5, security_file, want_line[i],
			    "no such function: " t)
	}
}

# Does a test of this name exist, or one that starts like "test_json_*"?
function known_test(t,    k)
{
	if (t !~ /\*$/)
		return t in test_seen || t in defined
	t = substr(t, 1, length(t) - 1)
	for (k in test_seen)
		if (index(k, t) == 1 && k != t)
			return 1
	return 0
}

# ---- the run ----

BEGIN {
	start_re = "[\"\047/]"
	string_re = "[\"\\\\]"
	char_re = "[\047\\\\]"
	fail_re = "^ \"\"( (\"\"|[A-Z][A-Za-z0-9_]*))*$"
	type_re = "^(struct|union|enum)( [A-Za-z0-9_]+)?" \
	    "( [{][}]( [A-Z][A-Z0-9_]*)?)?$"
	words("__attribute__ _Alignas alignas _Static_assert static_assert",
	    attribute)
	words(refused, is_refused)
	words(memory_words, is_memory)
	words(string_words, is_string)
	words(exit_words, is_exit)
	words(allow_exit, ok_exit)
	words(allow_bool, ok_bool)
	words(allow_extern, ok_extern)
	words(allow_words, ok_word)
	words(fail_calls, is_fail)
	words(reveal, ok_word)
}

function file_end()
{
	if (checked == "")
		return
	if (sp > 0)
		say(2, checked, all_lines - lines_before,
		    "end of file inside braces" \
		    (fn != "" ? " of " fn "()" : ""))
	if (section != "")
		last_section = section
	lines_before = all_lines
	checked = ""
}

FNR == 1 {
	file_end()
	in_comment = sp = b = par = nesting = 0
	in_string = fn = macro = section = prev = prev_any = want = ""
	pp_goes_on = fail_depth = pend = tail = after_rule = 0
	new_item()
	if (kind == "C")
		program = FILENAME
	if (kind == "C" || kind == "H")
		checked = FILENAME
}

kind == "S" {
	security($0)
	next
}

kind == "T" {
	test_code = strip($0)
	while (match(test_code, /[A-Za-z_][A-Za-z0-9_]*/)) {
		test_seen[substr(test_code, RSTART, RLENGTH)] = 1
		test_code = substr(test_code, RSTART + RLENGTH)
	}
	next
}

{
	all_lines++
	program_line($0)
}

END {
	file_end()
	if (program == "") {
		print "lint.sh: the program is empty"
		exit 1
	}
	compare_contents()
	judge_uses()
	if (has_security) {
		judge_reveals()
		judge_wants()
	}
	figures()
}
' "$@") || { printf '%s\n' "$out"; exit 2; }

printf '%s\n' "$out" | grep -v '^info: ' | sort -t: -k1,1 -k2,2n
printf '%s\n' "$out" | grep '^info: '
if printf '%s\n' "$out" | grep -q -v '^info: '; then
	exit 1
fi
exit 0
