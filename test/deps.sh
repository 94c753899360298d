# SPDX-License-Identifier: MIT
# deps.sh [BEARSSL JSMN] [PACKAGE...]: see that what a build needs is there.
# What is missing is installed with apt-get as root or through sudo; when that
# cannot be done the exact command is printed and the build stops.
set -u
bearssl=${1-} jsmn=${2-}
[ $# -lt 2 ] || shift 2
need=

has_header() {
	echo "#include <$1>" | cc -E -x c - >/dev/null 2>&1
}

command -v cc >/dev/null || need="$need gcc libc6-dev"
[ -n "$bearssl" ] || has_header bearssl.h || need="$need libbearssl-dev"
[ -n "$jsmn" ] || has_header jsmn.h || need="$need libjsmn-dev"
if [ -f /etc/debian_version ]; then
	command -v musl-gcc >/dev/null || need="$need musl-tools"
	[ -f /etc/ssl/certs/ca-certificates.crt ] ||
		need="$need ca-certificates"
	for package; do
		dpkg -s "$package" >/dev/null 2>&1 || need="$need $package"
	done
fi
[ -n "$need" ] || exit 0

if ! command -v apt-get >/dev/null; then
	echo "Missing (Debian names):$need" >&2
	echo "Install them, or give make BEARSSL=DIR JSMN=DIR." >&2
	exit 1
fi
as=
[ "$(id -u)" = 0 ] || as="sudo -n"
echo "installing:$need"
# The words are package names without blanks: splitting is meant.
if ! { $as apt-get update -q && DEBIAN_FRONTEND=noninteractive $as apt-get \
    install -q -y --no-install-recommends $need; } >/dev/null 2>&1; then
	echo "Please run: sudo apt-get install$need" >&2
	exit 1
fi
