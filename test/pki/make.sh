#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Makes the certificates of the stand-in server.  Every key in this directory
# is PUBLIC and for TESTS ONLY: never trust ca.pem outside of the tests.  The
# keys of the CAs themselves are thrown away, so nobody can sign with them.
#
# Start dates are fixed in the past so that a test machine with a slow clock
# does not refuse the certificates; "openssl ca" is used because older
# "openssl x509" cannot set dates.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
names=DNS:localhost,DNS:my.1password.com,DNS:*.1password.com
names=$names,DNS:*.1password.eu,DNS:*.1password.ca,IP:127.0.0.1,IP:::1
wrong=DNS:wrong.example,DNS:localhost.wrong.example
from=20200101000000Z
to=20591231235959Z

cat > "$tmp/ca.cnf" <<CNF
[ca]
default_ca=own
[own]
database=$tmp/index
new_certs_dir=$tmp
rand_serial=yes
default_md=sha256
policy=any
unique_subject=no
[any]
commonName=supplied
CNF
: > "$tmp/index"

# new_key NAME ec|rsa
new_key()
{
	case $2 in
	ec)
		openssl ecparam -name prime256v1 -genkey -noout \
		    -out "$tmp/$1.key"
		;;
	rsa)
		openssl genrsa -traditional -out "$tmp/$1.key" 2048 2>/dev/null
		;;
	esac
}

# sign NAME CN ISSUER|self FROM TO EXTENSION...
sign()
{
	name=$1 cn=$2 issuer=$3 start=$4 end=$5
	shift 5
	printf '%s\n' '[x]' "$@" > "$tmp/$name.ext"
	openssl req -new -key "$tmp/$name.key" -subj "/CN=$cn" \
	    -out "$tmp/$name.csr"
	if [ "$issuer" = self ]; then
		by="-selfsign -keyfile $tmp/$name.key"
	else
		by="-cert $tmp/$issuer.crt -keyfile $tmp/$issuer.key"
	fi
	# shellcheck disable=SC2086
	openssl ca -batch -notext -config "$tmp/ca.cnf" $by \
	    -startdate "$start" -enddate "$end" -in "$tmp/$name.csr" \
	    -extfile "$tmp/$name.ext" -extensions x \
	    -out "$tmp/$name.crt" 2>/dev/null
}

ca_ext='basicConstraints=critical,CA:TRUE'
ca_use='keyUsage=critical,keyCertSign,cRLSign'
leaf_ext='basicConstraints=critical,CA:FALSE'
leaf_use='extendedKeyUsage=serverAuth'

for ca in ca foreign; do
	new_key $ca ec
done
sign ca 'opmcp TEST CA, not for production' self $from $to "$ca_ext" "$ca_use"
sign foreign 'opmcp OTHER TEST CA, trusted by nobody' self $from $to \
    "$ca_ext" "$ca_use"
new_key inter ec
sign inter 'opmcp TEST intermediate CA, not for production' ca $from $to \
    "$ca_ext,pathlen:0" "$ca_use"

# leaf NAME KEYTYPE ISSUER NAMES TO: writes NAME.pem (chain) and NAME.key
leaf()
{
	new_key "$1" "$2"
	sign "$1" 'opmcp test server' "$3" $from "$5" "$leaf_ext" "$leaf_use" \
	    "subjectAltName=$4"
	cp "$tmp/$1.key" "$1.key"
	cp "$tmp/$1.crt" "$1.pem"
	if [ "$3" = inter ]; then
		cat "$tmp/inter.crt" >> "$1.pem"
	fi
}

cp "$tmp/ca.crt" ca.pem
leaf server ec inter "$names" $to
leaf server-rsa rsa inter "$names" $to
leaf expired ec inter "$names" 20210101000000Z
leaf wronghost ec inter "$wrong" $to
leaf selfsigned ec self "$names" $to
leaf otherca ec foreign "$names" $to
