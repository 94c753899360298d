# SPDX-License-Identifier: MIT
# "make" builds ./opmcp: static, small (musl) where musl-gcc is, else glibc.
# Missing Debian packages are installed, or the command for it is printed.
# By hand: cc -O2 -static -o opmcp opmcp.c -lbearssl
.POSIX:
.SUFFIXES:

CC = cc
CFLAGS = -Os
# Source trees instead of packages: BearSSL's, built, and jsmn's.
BEARSSL =
JSMN =
# The CA bundle compiled in, for images that have none; empty for none.
BUNDLE = /etc/ssl/certs/ca-certificates.crt
DESTDIR =
PREFIX = /usr/local

WARN = -Wall -Wextra -Wshadow -Wconversion -Wsign-conversion -Wcast-qual \
	-Wvla -Wundef -Wstrict-prototypes -Wimplicit-fallthrough
# What one compiler lacks can be taken out here.
HARDEN = -D_FORTIFY_SOURCE=2 -fstack-protector-strong \
	-fstack-clash-protection -ftrivial-auto-var-init=zero
# Debian's libbearssl.a calls glibc's fortified names; over musl they are these.
FORTIFY = -Wl,--defsym=__memcpy_chk=memcpy,--defsym=__memset_chk=memset \
	-Wl,--defsym=__memmove_chk=memmove
LINK = -Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections,--build-id=none,-s

all: opmcp

opmcp: opmcp.c opmcp.h Makefile
	@sh test/deps.sh '$(BEARSSL)' '$(JSMN)'
	@set -e; \
	b="$(BEARSSL)"; j="$(JSMN)"; \
	inc="$${b:+-isystem $$b/inc} $${j:+-isystem $$j}"; \
	lib=$${b:+$$b/build/libbearssl.a}; \
	[ -n "$$lib" ] || lib=$$($(CC) -print-file-name=libbearssl.a); \
	all="-std=c11 $(CFLAGS) $(WARN) $(HARDEN) -fPIE -ffunction-sections \
	    -fno-asynchronous-unwind-tables -fno-unwind-tables \
	    -ffile-prefix-map=$$PWD=. $$inc"; \
	[ ! -f '$(BUNDLE)' ] || all="$$all -DOPMCP_CA_BUNDLE=\"$(BUNDLE)\""; \
	m=/usr/lib/$$($(CC) -dumpmachine | sed s/gnu/musl/); \
	if [ '$(CC)' = cc ] && [ -f $$m/rcrt1.o ] && command -v musl-gcc \
	    >/dev/null; then set -x; \
		musl-gcc $$all -idirafter /usr/include -idirafter \
		    /usr/include/$$(cc -dumpmachine) -static -nostartfiles \
		    $(LINK) $(FORTIFY) -Wl,-pie,--no-dynamic-linker -o opmcp \
		    $$m/rcrt1.o $$m/crti.o opmcp.c $$lib $$m/crtn.o; \
	else set -x; \
		$(CC) $$all -static-pie $(LINK) -o opmcp opmcp.c $$lib; \
	fi

demo test check-all bench interop lint repro: opmcp
	@CC='$(CC)' WARN='$(WARN)' BEARSSL='$(BEARSSL)' JSMN='$(JSMN)' \
	    sh test/run.sh $@

install: opmcp
	mkdir -p $(DESTDIR)$(PREFIX)/bin
	cp opmcp $(DESTDIR)$(PREFIX)/bin/opmcp

clean:
	rm -rf opmcp test/build test/interop/node_modules \
	    test/interop/old/node_modules test/interop/inspector/node_modules \
	    test/interop/prism/node_modules

.PHONY: all demo test check-all bench interop lint repro install clean
