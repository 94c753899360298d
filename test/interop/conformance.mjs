// SPDX-License-Identifier: MIT
//
// The official conformance suite of MCP judges the core of opmcp: the
// fixtures that it asks for, served by the same program, behind a bridge.
//
//   node conformance.mjs [FIXTURE]
//
// FIXTURE is what test/conformance.c becomes.  One line per scenario that a
// revision requires; it passes when no check in it fails or warns.  Of those
// that the suite runs without counting, the ones that fail are listed.

import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { startBridge } from "./bridge.mjs";
import { check, root, run } from "./checks.mjs";

const SUITE = path.join(root,
	"test/interop/node_modules/@modelcontextprotocol/conformance");
const END_MS = 1500;            // from close() to the last process' end

// How many scenarios each revision requires.  The suite has no list for
// 2025-06-18, so all that apply are.  Its client always asks for the newest
// legacy revision; the bridge asks for the older one in its place.
const revisions = [
	{ name: "2026-07-28", required: 37 },
	{ name: "2025-11-25", required: 30 },
	{ name: "2025-06-18", required: 27, ask: "2025-06-18" },
];

// The suite imports a function of fs that came with node 22, and calls it
// only where no server is tested.  Older versions are given one.
const code = (text) => "data:text/javascript," + encodeURIComponent(text);
const fsPlus = code(`export * from "node:fs"; export const globSync = null;`);
const hook = code(`export const resolve = (name, from, next) =>
	name === "fs" && from.parentURL.includes("/conformance/dist/") ?
	{ url: "${fsPlus}", shortCircuit: true } : next(name, from);`);
const older = Number(process.versions.node.split(".")[0]) < 22 ?
	["--import", code(`import { register } from "node:module";
		register("${hook}");`)] : [];

// The scenarios that a revision requires, or undefined.
function required(revision) {
	const file = path.join(SUITE, "requirements", `${revision}.yaml`);
	if (!fs.existsSync(file))
		return undefined;
	const list = /^server:\n((?: .*\n)*)/m.exec(
		fs.readFileSync(file, "utf8"))[1];
	return list.match(/[^\s-]\S*/g);
}

// Runs the suite; resolves to its exit status and what it said last.
function suite(url, revision, dir) {
	const which = required(revision) ? ["--requirements", revision] :
		["--suite", "all", "--spec-version", revision];
	const child = spawn(process.execPath, [...older,
		path.join(SUITE, "dist/index.js"), "server", "--url", url,
		"--output-dir", dir, "--timeout", "10000", ...which],
		{ stdio: ["ignore", "ignore", "pipe"] });
	process.on("exit", () => child.kill());
	let stderr = "";
	child.stderr.on("data", (b) => { stderr += b; });
	return new Promise((resolve) => child.on("close", (status) =>
		resolve({ status, said: stderr.trim().split("\n").at(-1) })));
}

// What the suite has left in its directory: the checks of each scenario, by
// its name.
function results(dir) {
	return new Map(fs.readdirSync(dir).map((name) => {
		const file = path.join(dir, name, "checks.json");
		return [/^server-(.*)-\d{4}-\d\d-\d\dT/.exec(name)[1],
			fs.existsSync(file) ?
			JSON.parse(fs.readFileSync(file, "utf8")) : []];
	}));
}

// The first check of a scenario that did not go well, in one line.
function flaw(checks) {
	const bad = checks.find((c) => c.status === "FAILURE" ||
		c.status === "WARNING");
	return bad && `${bad.id}: ${bad.errorMessage ?? bad.status}`
		.replace(/\s+/g, " ").slice(0, 300);
}

const passes = (checks) => flaw(checks) === undefined &&
	checks.some((c) => c.status === "SUCCESS");

async function judge(fixture, { name, required: count, ask }, dir) {
	fs.mkdirSync(dir);
	const bridge = await startBridge([fixture], { revision: ask });
	const { status, said } = await suite(bridge.url, name, dir);
	const start = performance.now();
	await bridge.close();
	check(`conformance ${name}: the server ends when it should`,
		performance.now() - start < END_MS);
	const all = results(dir);
	const names = required(name) ?? [...all.keys()];
	check(`conformance ${name}: the suite is done and content`,
		status === 0 && names.length === count,
		`${names.length} scenarios, status ${status}, ${said}`);
	for (const scenario of names) {
		const checks = all.get(scenario) ?? [];
		check(`conformance ${name}: ${scenario}`, passes(checks),
			flaw(checks) ?? "nothing was checked");
		all.delete(scenario);
	}
	const others = [...all].filter(([, checks]) => !passes(checks));
	if (others.length > 0)
		console.log(`conformance ${name}: not required, not passed: ` +
			others.map(([scenario]) => scenario).join(", "));
}

await run("conformance.mjs", 240, async () => {
	const fixture = path.resolve(process.argv[2] ??
		path.join(root, "test/build/conformance"));
	const dir = fs.mkdtempSync(path.join(os.tmpdir(), "opmcp-"));
	process.on("exit", () => fs.rmSync(dir, { recursive: true }));
	for (const revision of revisions)
		await judge(fixture, revision, path.join(dir, revision.name));
});
