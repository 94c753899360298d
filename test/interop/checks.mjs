// SPDX-License-Identifier: MIT
//
// What the interop checks share: one line per check, the environment that
// opmcp is started with, and the processes it leaves behind.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, "../..");
export const hasProc = fs.existsSync("/proc/self/stat");
export const hasOld = fs.existsSync(path.join(here,
	"old/node_modules/.package-lock.json"));

let passed = 0;
let failed = 0;

// The start of an exception's message: what it quotes may be a secret.
export const said = (e) => /^[^\n"{]*/.exec(String(e?.message ?? e))[0];

// One line per check.  `detail` is shown when it fails; no caller puts a
// secret into it.
export function check(name, ok, detail = "") {
	if (ok)
		passed++;
	else
		failed++;
	console.log(ok ? `ok: ${name}` :
		`FAILED: ${name}${detail ? ` (${detail})` : ""}`);
	return ok;
}

// Runs the checks of a script.  An exception and a script that hangs are
// failed checks.  Exit status 2 when there was any, so that it cannot be
// taken for node's own 1, before which nothing has been said.
export async function run(script, seconds, work) {
	const stuck = setTimeout(() => {
		check(script, false, `not done after ${seconds} s`);
		process.exit(2);
	}, seconds * 1000);
	try {
		await work();
	} catch (e) {
		check(script, false, said(e));
	}
	clearTimeout(stuck);
	if (passed === 0)
		check(script, false, "nothing was checked");
	process.exit(failed === 0 ? 0 : 2);
}

// OPMCP and STANDIN as a script was given them, or where make puts them.
// opmcp is started by a link whose name no other process has, so that its
// processes can be told from those of other tests.
export function binaries() {
	const [opmcp, standin] = process.argv.slice(2);
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), "opmcp-"));
	const link = path.join(dir, `opmcp-${process.pid}`);
	process.on("exit", () => fs.rmSync(dir, { recursive: true }));
	for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
		process.on(signal, () => process.exit(1));
	fs.symlinkSync(path.resolve(opmcp ?? path.join(root, "opmcp")), link);
	return {
		opmcp: link,
		standin: path.resolve(standin ??
			path.join(root, "test/build/standin")),
	};
}

// All that opmcp needs to use the stand-in, and nothing else: no lookup
// (localhost), no proxy, one CA.
export function settings(token, more = {}) {
	return {
		OP_SERVICE_ACCOUNT_TOKEN: token,
		OPMCP_HOSTS: "localhost",
		SSL_CERT_FILE: path.join(root, "test/pki/ca.pem"),
		OPMCP_RATE: "off",
		OPMCP_MAX_ITEMS: "1000",
		OPMCP_AUDIT: "off",
		...more,
	};
}

// The ids of the processes started by this path and of their children, the
// keepers, whoever their parent is by now.  Dead ones that nobody has waited
// for do not count.  Empty where there is no /proc.
export function processes(binary) {
	const name = path.basename(binary).slice(0, 15);
	return (hasProc ? fs.readdirSync("/proc") : []).filter((pid) => {
		let stat;
		try {
			stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
		} catch {
			return false;   // no process, or none any more
		}
		return stat.startsWith(`${pid} (${name}) `) &&
			!stat.startsWith(`${pid} (${name}) Z`);
	});
}

// Milliseconds from `start` until none of them is left; Infinity when that
// takes longer than `limit`.
export async function goneAfter(binary, start, limit) {
	for (;;) {
		const left = processes(binary);
		const ms = performance.now() - start;
		if (left.length === 0)
			return ms;
		if (ms > limit)
			return Infinity;
		await new Promise((r) => setTimeout(r, 5));
	}
}
