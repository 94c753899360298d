// SPDX-License-Identifier: MIT
//
// What the official SDK costs in a fresh node process, for comparison:
//
//   OP_SERVICE_ACCOUNT_TOKEN=ops_... node bench.mjs [--list VAULT TITLE]
//
// The token is one of a running stand-in (its "ready PORT TOKEN" line); the
// port is taken from it.  Prints one JSON line:
//
//   first_ms   from just before the process is started to the first secret
//              (createClient and secrets.resolve of op://AI/GitHub/password)
//   later_ms   a later secret: median of 20 secrets.resolve, one by one
//   pss_kb     its memory after that: proportional set size, where node's own
//              file counts fully, because the process that measures maps it
//              too; the resident set where /proc has no smaps
//   rss_kb     the resident set
//
// With --list the vault of that id is listed instead (items.list, then a
// filter by title that must leave one item), five times after the first, and
// the line also has
//
//   ready_ms   the first one without the start of the process and the loading
//              of the SDK
//   peak_kb    the resident set at its highest
//   id         of the item found
//
// Only name resolution is changed, as in sdk.mjs: every name means 127.0.0.1,
// and no other port can be reached.

import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const self = fileURLToPath(import.meta.url);
const SECRET = "op://AI/GitHub/password";
const LATER = 20, LISTS = 5;
const TOKEN = "OP_SERVICE_ACCOUNT_TOKEN";
const LIMIT_MS = 60000;

// Kilobytes of this process: { pss_kb, rss_kb }.
function memory() {
	const rss_kb = Math.round(process.memoryUsage.rss() / 1024);
	let smaps;
	try {
		smaps = fs.readFileSync("/proc/self/smaps", "utf8");
	} catch {
		return { pss_kb: rss_kb, rss_kb };
	}
	let pss_kb = 0;
	let own = false;        // the mapping is node's executable or library
	for (const line of smaps.split("\n")) {
		if (/^[0-9a-f]+-/.test(line))
			own = /\/(lib)?node[^/]*$/.test(line);
		const m = /^(Pss|Rss): +([0-9]+) kB/.exec(line);
		if (m !== null && (m[1] === "Rss") === own)
			pss_kb += Number(m[2]);
	}
	return { pss_kb, rss_kb };
}

// The middle of some times.
function median(times) {
	const t = times.toSorted((a, b) => a - b), half = t.length >> 1;
	return t.length % 2 === 1 ? t[half] : (t[half - 1] + t[half]) / 2;
}

// The id of the one item of this title.
async function find(client, vault, title) {
	const found = (await client.items.list(vault)).filter((o) =>
		o.title.includes(title));
	if (found.length !== 1)
		throw new Error(`${found.length} items found, not 1`);
	return found[0].id;
}

// The measured process.  A line when the first answer is there, then one with
// the other figures.
async function measured(list) {
	const { cageNetwork, renamed } = await import("./sdk.mjs");
	const token = process.env[TOKEN];
	const { signInAddress } = JSON.parse(Buffer.from(token.slice(4),
		"base64url"));
	cageNetwork(Number(signInAddress.split(":")[1]));
	const sdk = await import("@1password/sdk");
	const ready = performance.now();
	const client = await sdk.createClient({
		auth: renamed(token),
		integrationName: "opmcp benchmark",
		integrationVersion: "v1.0.0",
	});
	const ask = () => list === undefined ? client.secrets.resolve(SECRET) :
		find(client, ...list);
	const first = await ask();
	fs.writeSync(1, "first\n");
	const ready_ms = performance.now() - ready;
	const times = [];
	for (let i = 0; i < (list === undefined ? LATER : LISTS); i++) {
		const start = performance.now();
		const again = await ask();
		times.push(performance.now() - start);
		if (again !== first || first === "")
			throw new Error("another answer than before");
	}
	const more = list === undefined ? {} : { id: first, ready_ms,
		peak_kb: process.resourceUsage().maxRSS };
	fs.writeSync(1, JSON.stringify({ later_ms: median(times), ...memory(),
		...more }) + "\n");
}

// Starts it and takes the time.
function measure() {
	const env = { PATH: process.env.PATH, HOME: process.env.HOME,
		NODE_EXTRA_CA_CERTS: path.join(path.dirname(self),
			"../pki/ca.pem"),
		[TOKEN]: process.env[TOKEN] };
	const start = performance.now();
	const child = spawn(process.execPath,
		[self, "--measured", ...process.argv.slice(2)],
		{ env, stdio: ["ignore", "pipe", "inherit"] });
	const stuck = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
	let out = "";
	let first_ms;
	child.stdout.on("data", (b) => {
		first_ms ??= performance.now() - start;
		out += b;
	});
	child.on("close", (status) => {
		clearTimeout(stuck);
		const [first, rest] = out.split("\n");
		if (status !== 0 || first !== "first") {
			console.error("bench.mjs: no figures for the SDK");
			process.exitCode = 1;
			return;
		}
		const round = (x) => Math.round(x * 100) / 100;
		const { later_ms, ready_ms, ...more } = JSON.parse(rest);
		console.log(JSON.stringify({ first_ms: round(first_ms),
			later_ms: round(later_ms), ...more,
			...(ready_ms && { ready_ms: round(ready_ms) }) }));
	});
}

const [mode, ...list] = process.argv.slice(2);
if (mode === "--measured") {
	await measured(list.length > 0 ? list.slice(1) : undefined)
		.catch((e) => {
			console.error(`bench.mjs: ${e instanceof SyntaxError ?
				"not a token" : e?.message ?? e}`);
			process.exitCode = 1;
		});
} else if (!/^ops_/.test(process.env[TOKEN] ?? "") ||
    (mode !== undefined && (mode !== "--list" || list.length !== 2))) {
	console.error(`usage: ${TOKEN}=ops_... node bench.mjs ` +
		"[--list VAULT TITLE]");
	process.exitCode = 64;
} else {
	measure();
}
