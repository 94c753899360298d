// SPDX-License-Identifier: MIT
//
// The official MCP clients use opmcp as a host would, over stdio: the newer
// one in each of its modes, the newest of the older line, and old ones where
// they are installed (kinds.mjs).
//
//   node clients.mjs [OPMCP [STANDIN]]
//
// Results are checked against the output schemas by the clients themselves.
// Nothing of what the tools return is printed.

import { setTimeout as sleep } from "node:timers/promises";
import { binaries, check, hasProc, run, said, settings } from "./checks.mjs";
import { checkCompletion, checkListening, checkPrompts, checkResources,
	offers } from "./features.mjs";
import { connect, ended, GONE_MS, kinds } from "./kinds.mjs";
import { startStandin } from "./sdk.mjs";

const SLOW_MS = 2000;           // how long the stand-in holds an answer back
const SOON_MS = 1000;           // what must not wait for that
const CREDENTIALS = "get_1password_credentials";
const HEALTH = "get_health_status";

const credentials = (name, more = {}) =>
	({ name: CREDENTIALS, arguments: { item_name: name, ...more } });

// The word of a tool error, "" when the result is none.
function word(result) {
	return result?.isError === true &&
		result.structuredContent === undefined ?
		/^[a-z_]*/.exec(result.content[0].text)[0] : "";
}

// What a tool says: one text and, in revisions that have it, the same as
// structuredContent.  undefined when it says it otherwise.
function facts(kind, result) {
	const { content: [only, ...more], structuredContent } = result;
	const wanted = kind.revision < "2025-06-18" ? undefined : only.text;
	return more.length === 0 && only.type === "text" &&
		JSON.stringify(structuredContent) === wanted ?
		JSON.parse(only.text) : undefined;
}

// ---- the checks ---------------------------------------------------------

// The capabilities that a session of this kind must be told of.  As long as
// there are no prompts, there are only tools.
function isComplete(kind, { client }) {
	const has = Object.keys(client.getServerCapabilities()).sort();
	const all = ["prompts", "resources", "tools"];
	if (kind.revision > "2024-11-05")
		all.unshift("completions");
	return has.join() === (offers(client, "prompts") ? all.join() :
		"tools");
}

// What was negotiated, and what the two tools look like.
async function checkTools(kind, c, ok) {
	ok("negotiates " + kind.revision, c.revision === kind.revision &&
		c.client.getServerVersion()?.name === "opmcp" &&
		c.instructions?.length > 0);
	ok("is told of all capabilities", isComplete(kind, c),
		Object.keys(c.client.getServerCapabilities()).join());
	const { tools, nextCursor } = await c.client.listTools();
	const has = (schema, is) => is ? schema?.type === "object" :
		schema === undefined;
	const later = kind.revision >= "2025-06-18";
	ok("lists all tools", nextCursor === undefined &&
		tools.map((t) => t.name).sort().join() ===
		[CREDENTIALS, HEALTH, "get_item", "get_metrics",
			"get_security_status", "list_items", "list_vaults",
			"read_secret"].join() &&
		tools.every((t) => (t.title !== undefined) === later &&
		t.description && has(t.inputSchema, true) &&
		has(t.outputSchema, later) &&
		t.annotations.destructiveHint === false &&
		t.annotations.openWorldHint === false));
	const cursor = await ended(c.client.listTools({ cursor: "x" }));
	ok("refuses a cursor it never gave", cursor.error?.code === -32602);
	return tools;
}

// Prompts, resources and completions hold no secret: none has come so far.
async function checkRest(kind, c, ok, logins) {
	await checkPrompts(kind, c, ok, logins);
	await checkResources(kind, c, ok, logins);
	await checkCompletion(kind, c, ok, logins);
	await checkListening(kind, c, ok);
	const text = JSON.stringify(c.received);
	ok("is shown no password unasked", c.received.length > 1 &&
		!logins.some((l) => text.includes(l.pass)));
}

// Both tools; the client itself compares result and output schema.  That it
// does is shown by a schema that no result can fit.
async function checkCalls(kind, { client }, ok, logins, tools) {
	const [login] = logins;
	const one = facts(kind,
		await kind.call(client, credentials(login.title)));
	ok("calls the first tool", one?.username === login.user &&
		one.password === login.pass && one.item_id === login.id);
	const health = { name: HEALTH, arguments: { probe: true } };
	const two = facts(kind, await kind.call(client, health));
	ok("calls the second tool", two?.overall_status === "healthy");
	if (kind.against === undefined)
		return;
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
		kind.call(client, credentials(login.id)).then((r) => {
			const is = facts(kind, r);
			return is?.password === login.pass &&
				is.username === login.user;
		}),
		kind.call(client, { name: HEALTH, arguments: {} }).then((r) =>
			facts(kind, r)?.checks.length > 0),
	]));
	ok(`${all.length} calls at once`, all.length >= 40 &&
		all.every(Boolean));
}

// A call that takes its time at each step tells of it, in the words that the
// revision has.  To be made first in a session: later calls have fewer steps.
async function checkProgress(kind, { client }, ok, [login], standin) {
	if (!offers(client, "prompts"))
		return;
	const told = [];
	for (const step of ["vaults", "overviews", "item"])
		await standin.ask(`fault ${step} slow ${SLOW_MS / 4} x1`);
	const { ms, error } = await ended(kind.call(client,
		credentials(login.title), { onprogress: (p) => told.push(p) }));
	ok("progress during a slow call", error === undefined &&
		ms > SLOW_MS / 2 && told.length > 1 && told.every((p, i) =>
		i === 0 || p.progress > told[i - 1].progress),
		`${told.length} in ${Math.round(ms)} ms`);
	ok("progress says what is done from 2025-03-26", told.every((p) =>
		(p.message !== undefined) === (kind.revision > "2024-11-05")));
}

// A call that hangs in the stand-in: others are answered meanwhile, the
// abort ends it at once, and no late answer comes.
async function checkCancel(kind, { client, errors }, ok, logins, standin) {
	const stop = new AbortController();
	await standin.ask(`fault item slow ${SLOW_MS} x1`);
	const hangs = ended(kind.call(client, credentials(logins[0].id),
		{ signal: stop.signal, onprogress() {} }));
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
		facts(kind, next.value)?.password === logins[1].pass,
		`${Math.round(next.ms)} ms`);
	await sleep(SLOW_MS);
	await standin.ask("clear");
	ok("nothing comes late or unasked", errors.length === 0, errors[0]);
}

async function checkServing(kind, c, ok, logins, standin) {
	const tools = await checkTools(kind, c, ok);
	await checkRest(kind, c, ok, logins);
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
	await checkProgress(kind, c, ok, logins, standin);
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
	const env = settings(standin.token, { OPMCP_LOG: "debug" });
	const gone = [];
	for (const part of [checkServing, checkBusyClose]) {
		let c;
		try {
			c = await connect(kind, opmcp, env);
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

await run("clients.mjs", 300, async () => {
	const { opmcp, standin: binary } = binaries();
	const standin = await startStandin(["--items", "120"], binary);
	const logins = await plainLogins(standin);
	check("clients.mjs: there are logins to ask for", logins.length === 25);
	for (const kind of kinds)
		await checkKind(kind, opmcp, standin, logins);
	standin.stop();
});
