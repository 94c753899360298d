// SPDX-License-Identifier: MIT
//
// What the interop checks share: one line per check, the environment that
// opmcp is started with, and the processes it leaves behind.

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, "../..");

let passed = 0;
let failed = 0;

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
// failed checks; exit status 1 when there was any.
export async function run(script, seconds, work) {
	const stuck = setTimeout(() => {
		check(script, false, `not done after ${seconds} s`);
		process.exit(1);
	}, seconds * 1000);
	try {
		await work();
	} catch (e) {
		check(script, false, String(e?.message ?? e));
	}
	clearTimeout(stuck);
	if (passed === 0)
		check(script, false, "nothing was checked");
	process.exit(failed === 0 ? 0 : 1);
}

// OPMCP and STANDIN as a script was given them, or where make puts them.
export function binaries() {
	const [opmcp, standin] = process.argv.slice(2);
	return {
		opmcp: path.resolve(opmcp ?? path.join(root, "opmcp")),
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
		...more,
	};
}

// The process ids of opmcp's processes in our process group, its keepers
// included, whoever their parent is by now.  Dead ones that nobody has
// waited for do not count.  Empty where there is no /proc.
export function processes(binary) {
	const comm = path.basename(binary).slice(0, 15);
	const stat = (pid) => {
		try {
			const s = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
			const end = s.lastIndexOf(")");
			const [state, , group] = s.slice(end + 2).split(" ");
			return { comm: s.slice(s.indexOf("(") + 1, end),
				state, group };
		} catch {
			return {};
		}
	};
	if (!fs.existsSync("/proc/self/stat"))
		return [];
	const own = stat("self").group;
	return fs.readdirSync("/proc").filter((pid) => {
		if (!/^[0-9]+$/.test(pid))
			return false;
		const s = stat(pid);
		return s.comm === comm && s.group === own && s.state !== "Z";
	});
}

// Milliseconds from `start` until none of the processes is left that were
// not there `before`; Infinity after `limit`.
export async function goneAfter(binary, before, start, limit) {
	for (;;) {
		const left = processes(binary).filter((p) =>
			!before.includes(p));
		const ms = performance.now() - start;
		if (left.length === 0)
			return ms;
		if (ms > limit)
			return Infinity;
		await new Promise((r) => setTimeout(r, 5));
	}
}
