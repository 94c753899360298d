// SPDX-License-Identifier: MIT
//
// The official MCP clients use opmcp as a host would, over stdio: the newer
// one in each of its modes, and the newest of the older line.
//
//   node clients.mjs [OPMCP [STANDIN]]
//
// Results are checked against the output schemas by the clients themselves.
// Nothing of what the tools return is printed.

import fs from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client as ClientV2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 }
	from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 }
	from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 }
	from "@modelcontextprotocol/sdk/client/stdio.js";
import { binaries, check, goneAfter, hasProc, processes, root, run, said,
	settings } from "./checks.mjs";
import { startStandin } from "./sdk.mjs";

const GONE_MS = 1500;           // from close() to the last process' end
const SLOW_MS = 2000;           // how long the stand-in holds an answer back
const SOON_MS = 1000;           // what must not wait for that
const CREDENTIALS = "get_1password_credentials";
const HEALTH = "get_health_status";

const version = (name) => JSON.parse(fs.readFileSync(path.join(root,
	"test/interop/node_modules/@modelcontextprotocol", name,
	"package.json"), "utf8")).version;

const me = { name: "opmcp interop test", version: "1.0.0" };

// The newer client; mode is its versionNegotiation.
function newer(label, mode, era) {
	return {
		label: `client ${version("client")}, ${label}`, era,
		make: () => new ClientV2(me, { versionNegotiation: { mode } }),
		Transport: StdioV2,
		call: (c, params, options) => c.callTool(params, options),
		revision: (c) => c.getNegotiatedProtocolVersion(),
		// The same call checked against another schema.
		against: (c, params, tool) =>
			c.callTool(params, { toolDefinition: tool }),
	};
}

function older() {
	let revision;
	class Transport extends StdioV1 {
		setProtocolVersion(v) { revision = v; }
	}
	return {
		label: `sdk ${version("sdk")}`, era: "legacy",
		make: () => new ClientV1(me),
		Transport,
		call: (c, params, options) =>
			c.callTool(params, undefined, options),
		revision: () => revision,
		against: (c, params, tool) => {
			c.cacheToolMetadata([tool]);
			return c.callTool(params);
		},
	};
}

const kinds = [
	newer("legacy", "legacy", "legacy"),
	newer("auto", "auto", "modern"),
	newer("modern", { pin: "2026-07-28" }, "modern"),
	older(),
];

const credentials = (name, more = {}) =>
	({ name: CREDENTIALS, arguments: { item_name: name, ...more } });

// How a promise ended and after how many milliseconds.
async function ended(promise) {
	const start = performance.now();
	const end = await promise.then((value) => ({ value }),
		(error) => ({ error }));
	return { ...end, ms: performance.now() - start };
}

// The word of a tool error, "" when the result is none.
function word(result) {
	return result?.isError === true &&
		result.structuredContent === undefined ?
		/^[a-z_]*/.exec(result.content[0].text)[0] : "";
}

const sameText = (r) => r.content.length === 1 &&
	r.content[0].text === JSON.stringify(r.structuredContent);

// ---- one connection -----------------------------------------------------

// Connects; { client, errors, stderr(), close() }.  close() resolves to the
// milliseconds until no process is left, the client's probes included.
async function connect(kind, opmcp, token) {
	const client = kind.make();
	const transport = new kind.Transport({ command: opmcp,
		env: settings(token, { OPMCP_LOG: "debug" }),
		stderr: "pipe" });
	const errors = [];
	let stderr = "";
	transport.stderr.on("data", (b) => { stderr += b; });
	client.onerror = (e) => errors.push(said(e));
	await client.connect(transport);
	return {
		client, errors,
		stderr: () => stderr,
		running: () => processes(opmcp).length,
		async close() {
			const start = performance.now();
			await client.close();
			return goneAfter(opmcp, start, GONE_MS);
		},
	};
}

// ---- the checks ---------------------------------------------------------

// What was negotiated, and what the two tools look like.
async function checkTools(kind, { client }, ok) {
	const revision = kind.era === "modern" ? "2026-07-28" : "2025-11-25";
	ok("negotiates " + revision, kind.revision(client) === revision &&
		client.getServerVersion()?.name === "opmcp" &&
		client.getInstructions()?.length > 0 &&
		Object.keys(client.getServerCapabilities()).join() === "tools");
	const { tools, nextCursor } = await client.listTools();
	ok("lists both tools", nextCursor === undefined &&
		tools.map((t) => t.name).sort().join() ===
		[CREDENTIALS, HEALTH].join() &&
		tools.every((t) => t.title && t.description &&
		t.inputSchema.type === "object" &&
		t.outputSchema.type === "object" &&
		t.annotations.destructiveHint === false &&
		t.annotations.openWorldHint === false));
	const cursor = await ended(client.listTools({ cursor: "x" }));
	ok("refuses a cursor it never gave", cursor.error?.code === -32602);
	return tools;
}

// Both tools; the client itself compares result and output schema.  That it
// does is shown by a schema that no result can fit.
async function checkCalls(kind, { client }, ok, logins, tools) {
	const [login] = logins;
	const one = await kind.call(client, credentials(login.title));
	ok("calls the first tool", sameText(one) &&
		one.structuredContent.username === login.user &&
		one.structuredContent.password === login.pass &&
		one.structuredContent.item_id === login.id);
	const health = { name: HEALTH, arguments: { probe: true } };
	const two = await kind.call(client, health);
	ok("calls the second tool", sameText(two) &&
		two.structuredContent.overall_status === "healthy");
	const tool = tools.find((t) => t.name === HEALTH);
	const strange = { ...tool, outputSchema: { ...tool.outputSchema,
		required: ["no_such_member"] } };
	const wrong = await ended(kind.against(client, health, strange));
	ok("is checked against output schemas",
		/schema/.test(wrong.error?.message ?? ""));
	await client.listTools();       // the older client forgets `strange`
}

async function checkErrors(kind, { client }, ok) {
	const unknown = await kind.call(client, credentials("No such item"));
	ok("unknown item is a tool error", word(unknown) === "item_not_found");
	const vault = await kind.call(client,
		credentials("GitHub", { vault: "Ops" }));
	ok("other vault is a tool error", word(vault) === "vault_not_allowed");
	const args = await kind.call(client,
		{ name: CREDENTIALS, arguments: { item: "GitHub" } });
	ok("wrong argument is a tool error", word(args) === "invalid_argument");
	const tool = await ended(kind.call(client,
		{ name: "no_such_tool", arguments: {} }));
	ok("unknown tool is a protocol error", tool.error?.code === -32602);
}

async function checkParallel(kind, { client }, ok, logins) {
	const all = await Promise.all(logins.flatMap((login) => [
		kind.call(client, credentials(login.id)).then((r) =>
			r.structuredContent.password === login.pass &&
			r.structuredContent.username === login.user),
		kind.call(client, { name: HEALTH, arguments: {} }).then((r) =>
			r.structuredContent.checks.length > 0),
	]));
	ok(`${all.length} calls at once`, all.every(Boolean));
}

// A call that hangs in the stand-in: others are answered meanwhile, the
// abort ends it at once, and no late answer comes.
async function checkCancel(kind, { client, errors }, ok, logins, standin) {
	const stop = new AbortController();
	await standin.ask(`fault item slow ${SLOW_MS} x1`);
	const hangs = ended(kind.call(client, credentials(logins[0].id),
		{ signal: stop.signal }));
	await sleep(200);
	if (kind.era === "legacy") {
		const ping = await ended(client.ping());
		ok("ping during a call", ping.error === undefined &&
			ping.ms < SOON_MS);
	}
	const list = await ended(client.listTools({ cursor: "x" }));
	ok("answers a list request during a call",
		list.error?.code === -32602 && list.ms < SOON_MS);
	stop.abort("enough");
	const next = await ended(kind.call(client, credentials(logins[1].id)));
	ok("a call can be cancelled", (await hangs).error !== undefined &&
		(await hangs).ms < SOON_MS);
	ok("the next call does not wait for it", next.ms < SOON_MS &&
		next.value?.structuredContent?.password === logins[1].pass,
		`${Math.round(next.ms)} ms`);
	await sleep(SLOW_MS);
	await standin.ask("clear");
	ok("nothing comes late or unasked", errors.length === 0, errors[0]);
}

async function checkServing(kind, c, ok, logins, standin) {
	const tools = await checkTools(kind, c, ok);
	await checkCalls(kind, c, ok, logins, tools);
	await checkErrors(kind, c, ok);
	await checkParallel(kind, c, ok, logins);
	await checkCancel(kind, c, ok, logins, standin);
	ok("two processes while it serves", !hasProc || c.running() === 2,
		`${c.running()}`);
	ok("no password on stderr (debug)", c.stderr().length > 0 &&
		!logins.some((l) => c.stderr().includes(l.pass)));
	const gone = await c.close();
	ok("gone after close", gone <= GONE_MS);
	return gone;
}

async function checkBusyClose(kind, c, ok, logins, standin) {
	await standin.ask(`fault item slow ${2 * SLOW_MS} x1`);
	const hangs = ended(kind.call(c.client, credentials(logins[0].id)));
	await sleep(200);
	const gone = await c.close();
	ok("gone after close during a call", gone <= GONE_MS &&
		(await hangs).error !== undefined);
	return gone;
}

async function checkKind(kind, opmcp, standin, logins) {
	const ok = (name, is, detail) =>
		check(`${kind.label}: ${name}`, Boolean(is), detail);
	const gone = [];
	for (const part of [checkServing, checkBusyClose]) {
		let c;
		try {
			c = await connect(kind, opmcp, standin.token);
			gone.push(await part(kind, c, ok, logins, standin));
		} catch (e) {
			ok(part.name, false, said(e));
		}
		await c?.close();
		await standin.ask("clear");
	}
	console.log(`${kind.label}: gone after ${gone.map(Math.round)
		.join(" ms, during a call after ")} ms`);
}

// Logins of the vault AI with plain, different titles; some more of them
// than the account has.
async function plainLogins(standin) {
	for (let i = 1; i <= 20; i++)
		await standin.ask(`add\tAI\tExtra login no. ${i} of these\t` +
			`extra-${i}\tpw-extra-${i}-${i * 7919}`);
	const rows = (await standin.ask("list")).map((r) => r.split("\t"))
		.map(([, vault, id, title, kind, trashed, user, pass]) =>
			({ vault, id, title, kind, trashed, user, pass }))
		.filter((l) => l.vault === "AI");
	return rows.filter((l) => l.kind === "001" && l.trashed === "N" &&
		/^[A-Za-z][ -~]{1,60}[a-z]$/.test(l.title) &&
		!/\\/.test(l.title + l.user + l.pass) &&
		l.user.length > 0 && l.pass.length >= 8 &&
		rows.filter((o) => o.title.toLowerCase() ===
		l.title.toLowerCase()).length === 1).slice(-25);
}

await run("clients.mjs", 180, async () => {
	const { opmcp, standin: binary } = binaries();
	const standin = await startStandin([], binary);
	const logins = await plainLogins(standin);
	check("clients.mjs: there are logins to ask for", logins.length === 25);
	for (const kind of kinds)
		await checkKind(kind, opmcp, standin, logins);
	standin.stop();
});
