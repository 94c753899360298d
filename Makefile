# SPDX-License-Identifier: MIT
# opmcp: plain POSIX make. "make" builds ./opmcp; the other targets are listed
# in README.md. By hand: cc -O2 -static -o opmcp opmcp.c -lbearssl
.POSIX:
.SUFFIXES:

# Override: CC, CFLAGS, HARDEN; BEARSSL=DIR and JSMN=DIR name source trees
# (BearSSL built there) where the distribution has no package.
CC = cc
CFLAGS = -O2
BEARSSL =
JSMN =
DESTDIR =
PREFIX = /usr/local
BUNDLE = /etc/ssl/certs/ca-certificates.crt

WARN = -std=c11 -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion \
	-Wcast-qual -Wvla -Wundef -Wstrict-prototypes -Wimplicit-fallthrough
HARDEN = -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	-fstack-clash-protection -fPIE -ffile-prefix-map=$$(pwd)=. \
	-ftrivial-auto-var-init=zero -Wl,-z,relro,-z,now,-z,noexecstack
DEPS = $${BEARSSL:+-isystem $$BEARSSL/inc -L$$BEARSSL/build} \
	$${JSMN:+-isystem $$JSMN}
RUN = BEARSSL='$(BEARSSL)' JSMN='$(JSMN)' CC='$(CC)' CFLAGS='$(CFLAGS)' \
	WARN='$(WARN)' HARDEN="$(HARDEN)" BUNDLE='$(BUNDLE)' sh test/build.sh

all: opmcp

opmcp: opmcp.c opmcp.h Makefile test/build.sh
	@$(RUN) opmcp

demo: opmcp
	@$(RUN) demo

test: opmcp
	@$(RUN) test

check-all: opmcp
	@$(RUN) check-all

bench: opmcp
	@$(RUN) bench

interop: opmcp
	@$(RUN) interop

lint:
	@$(RUN) lint

repro: opmcp
	@$(RUN) repro

install: opmcp
	mkdir -p $(DESTDIR)$(PREFIX)/bin
	cp opmcp $(DESTDIR)$(PREFIX)/bin/opmcp

clean:
	rm -rf opmcp test/build test/interop/node_modules

.PHONY: all demo test check-all bench interop lint repro install clean
