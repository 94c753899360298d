# SPDX-License-Identifier: MIT
# run.sh TARGET: what "make TARGET" does once ./opmcp is built. Run from the
# top of the tree. CC and WARN come from the Makefile.
set -u
CC=${CC:-cc}
WARN=${WARN:--Wall -Wextra}
B=test/build
mkdir -p $B
# Source trees given to make take the place of the packages.
INC="${BEARSSL:+-isystem $BEARSSL/inc} ${JSMN:+-isystem $JSMN}"
LIB=${BEARSSL:+$BEARSSL/build/libbearssl.a}
LIB=${LIB:--lbearssl}
passed=0 failed=0

# check NAME COMMAND...: one check of a larger suite; prints only failures.
check() {
	name=$1
	shift
	if "$@" >$B/check.log 2>&1; then
		passed=$((passed + 1))
		echo "ok: $name"
	else
		failed=$((failed + 1))
		echo "FAILED: $name"
		tail -n 40 $B/check.log
	fi
}

# suite NAME COMMAND...: a program that ends with "N passed, N failed".
suite() {
	name=$1
	shift
	echo "== $name"
	"$@" >$B/suite.log 2>&1
	status=$?
	line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' $B/suite.log | tail -n 1)
	grep -E '^FAIL' $B/suite.log | head -n 40
	grep -vE '^([0-9]+ passed, [0-9]+ failed|ok|FAIL)' $B/suite.log |
	    tail -n 40
	if [ $status -eq 77 ]; then
		echo "   skipped"
		return
	fi
	[ -n "$line" ] || line="0 passed, 1 failed"
	echo "   $line"
	set -- $line
	passed=$((passed + $1))
	failed=$((failed + $3))
	[ $status -eq 0 ] || [ "$3" -gt 0 ] || failed=$((failed + 1))
}

finish() {
	echo "$passed passed, $failed failed"
	[ $failed -eq 0 ]
	exit
}

# tool NAME [FLAGS...]: build test/NAME.c to test/build/NAME when it is older
# than its sources.
tool() {
	name=$1
	shift
	[ -z "$(find test/$name.c test/connect.c test/e2e_connect.c test/e2e_faults.c \
	    test/harness.h opmcp.c opmcp.h -newer $B/$name \
	    2>/dev/null)" ] && [ -x $B/$name ] && return
	echo "building $B/$name"
	$CC -std=c11 -O2 -g -Wall -Wextra -Wshadow $INC -o $B/$name \
	    test/$name.c "$@" $LIB || exit 1
}

# e2e ARGS...: the end-to-end suite with the stand-in built here.
e2e() {
	$B/e2e --standin $B/standin --pki test/pki "$@"
}

run_test() {
	tool unit
	tool standin
	tool e2e
	suite "unit tests" $B/unit
	suite "end to end" e2e --opmcp ./opmcp
	finish
}

run_demo() {
	tool standin
	tool demo
	$B/demo --opmcp ./opmcp --standin $B/standin --pki test/pki
}

run_bench() {
	tool standin
	tool bench
	$B/bench --opmcp ./opmcp --standin $B/standin --pki test/pki
}

run_interop() {
	tool standin
	tool conformance
	sh test/interop/run.sh ./opmcp $B/standin $B/conformance all
}

run_lint() {
	sh test/lint.sh opmcp.c opmcp.h
}

# The same bytes again from a copy in another directory.
run_repro() {
	other=$(mktemp -d) || exit 1
	mkdir $other/test && cp opmcp.c opmcp.h Makefile $other/ &&
	    cp test/deps.sh $other/test/ &&
	    (cd $other && make -s opmcp >/dev/null 2>&1) &&
	    cmp opmcp $other/opmcp
	status=$?
	rm -rf $other
	[ $status -eq 0 ] && echo "reproducible: $(sha256sum opmcp)"
	return $status
}

# The strict set of warnings, as errors, for one compiler.
strict() {
	$1 -std=c11 -O2 $WARN -Werror $INC -c -o $B/strict.o opmcp.c
}

# The build a person types; it must be static and answer.
by_hand() {
	cc -O2 -static $INC -o $B/by-hand opmcp.c $LIB &&
	    file $B/by-hand | grep -q 'statically linked' &&
	    $B/by-hand --version
}

is_static() {
	ldd ./opmcp 2>&1 | grep -qE 'statically linked|not a dynamic' &&
	    file ./opmcp | grep -q static && file ./opmcp | grep -q stripped
}

# At most 450 KB beside the CA bundle compiled in (musl only).
is_small() {
	size=$(($(wc -c <opmcp) - $(wc -c </etc/ssl/certs/ca-certificates.crt)))
	echo "$size bytes without the bundle"
	[ $size -le 460800 ]
}

# An empty directory as root: the bundle compiled in is all there is.
in_chroot() {
	[ "$(id -u)" = 0 ] || return 0
	empty=$(mktemp -d) && cp opmcp $empty/ &&
	    printf '%s\n' '{"jsonrpc":"2.0","id":1,"method":"ping"}' |
	    chroot $empty /opmcp | grep -q '"result":{}'
	status=$?
	rm -rf $empty
	return $status
}

# sanitized COMPILER: program and unit tests with ASan and UBSan.
sanitized() {
	flags="-std=c11 -O1 -g -fsanitize=address,undefined
	    -fno-sanitize-recover=all -fno-omit-frame-pointer"
	$1 $flags $INC -o $B/unit-$1 test/unit.c $LIB &&
	    $1 $flags $INC -o $B/opmcp-$1 opmcp.c $LIB
}

# fuzz KIND: a few seconds of libFuzzer.
fuzz() {
	clang -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined \
	    -fno-sanitize-recover=all -DFUZZ_$1 $INC -o $B/fuzz-$1 \
	    test/fuzz.c $LIB && $B/fuzz-$1 -max_total_time=${2:-15} -max_len=4096 \
	    -verbosity=0 -print_final_stats=0 -artifact_prefix=$B/
}

# In CI the long parts are shorter.
run_check_all() {
	sh test/deps.sh '' '' clang libclang-rt-14-dev valgrind file strace ||
	    exit 1
	tool unit
	tool standin
	tool e2e
	tool fast
	tool soak
	seconds=60 only= calls=100000
	if [ "${CHECK-}" = ci ]; then
		seconds=8 only="--only count_" calls=4000
		N=100 export N          # items of interop's random account
	fi
	check "strict warnings, gcc" strict gcc
	check "strict warnings, clang" strict clang
	check "lint" run_lint
	check "built by hand" by_hand
	check "static and stripped" is_static
	check "small" is_small
	check "runs in an empty chroot" in_chroot
	check "reproducible" run_repro
	for compiler in gcc clang; do
		check "sanitizers build, $compiler" sanitized $compiler
		suite "unit tests, ASan and UBSan, $compiler" $B/unit-$compiler
	done
	# The sanitizers' runtime keeps a copy of the environment for itself.
	suite "end to end, ASan and UBSan" e2e --opmcp $B/opmcp-clang \
	    --skip secret_memory
	suite "unit tests under valgrind" valgrind -q --error-exitcode=9 \
	    --leak-check=full $B/unit -s
	cc -std=c11 -O1 -g $INC -o $B/opmcp-valgrind opmcp.c $LIB || exit 1
	suite "end to end under valgrind" e2e --valgrind $only \
	    --opmcp $B/opmcp-valgrind
	suite "soak, $calls calls" $B/soak --calls $calls
	for kind in JSON HTTP B64 TOKEN LINE ITEM NAME URI ASK RULES AUDIT \
	    VALUE CONNECT; do
		check "fuzz $kind, $seconds s" fuzz $kind $seconds
	done
	suite "interop" run_interop
	finish
}

case $1 in
check-all) run_check_all ;;
*) run_$1 ;;
esac
