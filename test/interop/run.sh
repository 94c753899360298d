#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh: opmcp against the official SDK of 1Password, its official client of
# Connect, the official MCP clients and MCP's conformance suite, all in the
# versions that package-lock.json names.
#
#	sh test/interop/run.sh OPMCP STANDIN CONFORMANCE [all]
#
# Needs node 20 or newer; npm once, to install the packages beside this file.
# "all" also installs the older clients (old/), the Inspector (inspector/) and
# Prism (prism/), some 440 MB; once they are there, they are used every time.
# Ends with "N passed, N failed". Exit status: 0 all passed, 1 not, 64 wrong
# use, 77 skipped because something is missing here.
set -u

skip() {
	echo "skipped: interop needs $1" >&2
	exit 77
}

absolute() {
	case $1 in
	/*)	printf '%s\n' "$1" ;;
	*)	printf '%s\n' "$PWD/$1" ;;
	esac
}

if [ $# -lt 3 ] || [ "${4:-all}" != all ]; then
	echo "usage: sh test/interop/run.sh OPMCP STANDIN CONFORMANCE [all]" >&2
	exit 64
fi
for binary in "$1" "$2" "$3"; do
	[ -x "$binary" ] || {
		echo "run.sh: $binary is not there; make it first" >&2
		exit 64
	}
done
opmcp=$(absolute "$1")
standin=$(absolute "$2")
fixture=$(absolute "$3")

command -v node >/dev/null 2>&1 ||
	skip "node >= 20 (Debian: apt-get install nodejs npm, or nodejs.org)"
major=$(node -p 'process.versions.node.split(".")[0]')
[ "$major" -ge 20 ] || skip "node >= 20; here is $(node --version)"

cd "$(dirname "$0")" || exit 1
cd "$(pwd -P)" || exit 1

# packages DIR: install what its package-lock.json names. npm writes the file
# last, so a broken installation does not have it.
packages() {
	installed=$1/node_modules/.package-lock.json
	[ -f $installed ] &&
	    [ -z "$(find $1/package-lock.json -newer $installed)" ] && return
	command -v npm >/dev/null 2>&1 ||
		skip "npm, to install what package-lock.json names"
	echo "npm ci in test/interop/$1"
	(cd $1 && npm ci --ignore-scripts --no-audit --no-fund >&2) ||
		skip "the packages; npm ci could not install them (no network?)"
}

packages .
if [ $# -eq 4 ]; then
	packages old
	packages inspector
	packages prism
fi

# script FILE ARGS...: one script. Status 2 means that it has said itself
# what failed.
script() {
	node "$@"
	status=$?
	case $status in
	0 | 2)	;;
	*)	echo "FAILED: $1 ended with status $status" ;;
	esac
}

# The checks of all scripts are counted as they come.
{
	script sdk.mjs --check "$standin"
	script writes.mjs "$opmcp" "$standin"
	script compare.mjs "$opmcp" "$standin"
	script random.mjs "$opmcp" "$standin"
	script cross.mjs "$opmcp" "$standin"
	script connect.mjs "$opmcp" "$standin"
	script conwrites.mjs "$opmcp" "$standin"
	script prism.mjs "$opmcp" "$standin"
	script clients.mjs "$opmcp" "$standin"
	script elicit.mjs "$opmcp" "$standin" "$fixture"
	script schema.mjs "$opmcp" "$standin" "$fixture"
	script inspector.mjs "$opmcp" "$standin"
	script conformance.mjs "$fixture"
} | awk '
	{ print; fflush() }
	/^ok: / { passed++ }
	/^FAILED: / { failed++ }
	END {
		printf "%d passed, %d failed\n", passed, failed
		exit failed > 0 || passed == 0
	}'
