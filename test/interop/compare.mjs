// SPDX-License-Identifier: MIT
//
// opmcp against the official SDK, item by item: both read the same stand-in,
// and user names and passwords must be equal byte for byte.
//
//   node compare.mjs [OPMCP [STANDIN]]
//
// opmcp is asked over real stdio by the small JSON-RPC client below.  Only
// counts and ids are printed, never a value.  Besides the stand-in's own
// account, random logins are compared; SEED=N in the environment repeats a
// run.

import { isDeepStrictEqual } from "node:util";
import { binaries, check, goneAfter, run, settings } from "./checks.mjs";
import { readAll, startStandin } from "./sdk.mjs";
import { Wire } from "./wire.mjs";

const IN_FLIGHT = 32;           // calls opmcp has at a time
const RANDOM_LOGINS = 60;
const GONE_MS = 1500;

// ---- a JSON-RPC client over stdio --------------------------------------

class Server {
	#wire;
	#waiting = new Map();
	#id = 0;

	constructor(binary, env) {
		this.#wire = new Wire(binary, env, (text) => this.#line(text));
		this.#wire.ended.then(() => {
			for (const w of this.#waiting.values())
				w.reject(new Error("opmcp ended"));
		});
	}

	get stderr() { return this.#wire.stderr; }
	get wrong() { return this.#wire.wrong; }

	// One response per line, each asked for.
	#line(text) {
		const m = JSON.parse(text);
		const w = this.#waiting.get(m.id);
		const keys = Object.keys(m).sort().join();
		if (m.jsonrpc !== "2.0" || w === undefined ||
		    (keys !== "id,jsonrpc,result" &&
		    keys !== "error,id,jsonrpc"))
			throw new Error("not a response to a request");
		this.#waiting.delete(m.id);
		w.resolve(m);
	}

	request(method, params) {
		const id = ++this.#id;
		const answer = new Promise((resolve, reject) =>
			this.#waiting.set(id, { resolve, reject }));
		this.#wire.send({ id, method, params });
		return answer;
	}

	async open() {
		const answer = await this.request("initialize", {
			protocolVersion: "2025-11-25", capabilities: {},
			clientInfo: { name: "opmcp interop", version: "1" },
		});
		this.#wire.send({ method: "notifications/initialized" });
		return answer.result;
	}

	// Ends stdin; resolves to the exit status.
	close() { return this.#wire.close(); }
}

// ---- what opmcp should say ---------------------------------------------

const lower = (s) => s.replace(/[A-Z]/g, (c) => c.toLowerCase());
const swapped = (s) => s.replace(/[A-Za-z]/g, (c) =>
	c < "a" ? c.toLowerCase() : c.toUpperCase());

// A name as opmcp takes it: no control, bidirectional or zero-width
// characters, no blanks around it, 1 to 255 bytes.
function isName(s) {
	const bytes = Buffer.byteLength(s);
	return bytes > 0 && bytes <= 255 && s.trim() === s &&
		!/[\p{Cc}\p{Bidi_Control}\u200b-\u200d\u2060\ufeff]/u.test(s);
}

// The value the SDK shows for a name: by id, else, outside of logins, whose
// user name and password are built in, by the one title, as in its secret
// references.  null and undefined: no such field.
function shown(item, name) {
	const byId = item.fields.find((f) => lower(f.id) === name &&
		(item.category !== "Login" || f.sectionId == null));
	if (byId !== undefined || item.category === "Login")
		return byId?.value;
	const titled = item.fields.filter((f) => lower(f.title) === name);
	return titled.length === 1 ? titled[0].value : undefined;
}

// The values a call for this item must give.
function expected(vault, item) {
	const key = item.category === "ApiCredentials" ? "credential" :
		"password";
	const want = { username: shown(item, "username"),
		password: shown(item, key) };
	const missing = Object.keys(want).filter((k) => want[k] == null);
	return { id: item.id, vault: vault.title, want, missing };
}

// Which members of a call's answer differ from what is expected; empty when
// none does.  Names of members and error words only.
function differences(answer, { id, vault, want, missing }) {
	const result = answer.result;
	const text = result?.content?.[0]?.text;
	const is = result?.structuredContent;
	const bad = [];
	if (answer.error !== undefined)
		return [`JSON-RPC error ${answer.error.code}`];
	if (missing.length === 2)
		return word(answer) === "field_not_found" ? [] :
			["field_not_found due"];
	if (result.isError)
		return [word(answer)];
	for (const k of Object.keys(want)) {
		const has = Object.hasOwn(is, k);
		if (has !== !missing.includes(k))
			bad.push(`${k}: ${has ? "not " : ""}missing`);
		else if (has && !Buffer.from(is[k]).equals(
		    Buffer.from(want[k])))
			bad.push(k);
	}
	if (!isDeepStrictEqual(is.missing ?? [], missing))
		bad.push("missing");
	if (is.item_id !== id)
		bad.push("item_id");
	if (is.vault !== vault)
		bad.push("vault");
	if (result.content.length !== 1 ||
	    !isDeepStrictEqual(JSON.parse(text), is))
		bad.push("content is not structuredContent");
	return bad;
}

// The word of a tool error, "" when the answer is none.
function word(answer) {
	const result = answer.result;
	const text = result?.content?.[0]?.text ?? "";
	return result?.isError === true && !result.structuredContent ?
		/^[a-z_]*/.exec(text)[0] : "";
}

// The calls to make: { kind, vault, name, where, judge }, where judge gives
// the differences of the answer and `where` names the item by its ids.
function plan(vaults) {
	const calls = [];
	for (const v of vaults)
		for (const item of v.items)
			planItem(calls, v, item);
	for (const v of vaults)
		for (const item of v.archived)
			planArchived(calls, v, item);
	return calls;
}

const logins = ["Login"];
const others = ["Password", "ApiCredentials", "Database", "Server"];

function planItem(calls, v, item) {
	const want = expected(v, item);
	const where = `${v.id}/${item.id}`;
	const judge = (answer) => differences(answer, want);
	const due = (...words) => (answer) =>
		words.includes(word(answer)) ? [] : [`${words} due`];
	const add = (kind, name, how, vault = v.id) =>
		calls.push({ kind, vault, name, where, judge: how });
	const same = v.items.filter((x) => lower(x.title) ===
		lower(item.title));
	const group = logins.includes(item.category) ? "logins" :
		others.includes(item.category) ? "passwords, API " +
		"credentials, databases, servers" : "other categories";
	add(`${group} by id`, item.id, judge);
	if (!isName(item.title))
		add("unacceptable titles refused", item.title,
			due("invalid_name", "invalid_argument"));
	else if (same.length > 1)
		add("ambiguous titles refused, ids named", item.title,
			(answer) => namesAll(answer, same));
	else {
		add(`${group} by title`, item.title, judge, v.title);
		add("titles in other letter case", swapped(item.title),
			judge, swapped(v.title));
	}
}

// An ambiguous title: all ids it may mean and no others.
function namesAll(answer, items) {
	const text = answer.result?.content?.[0]?.text ?? "";
	const ids = text.match(/\b[a-z2-7]{26}\b/g) ?? [];
	return word(answer) === "item_ambiguous" && isDeepStrictEqual(
		ids.sort(), items.map((x) => x.id).sort()) ? [] :
		["item_ambiguous with all ids due"];
}

// The SDK does not open archived items, and neither does opmcp.
function planArchived(calls, v, item) {
	const judge = (answer) => word(answer) === "item_archived" ? [] :
		["item_archived due"];
	const add = (name) => calls.push({ kind: "archived items refused",
		vault: v.id, name, where: `${v.id}/${item.id}`, judge });
	add(item.id);
	if (isName(item.title) && !v.items.some((x) =>
		lower(x.title) === lower(item.title)))
		add(item.title);
}

// ---- the run ------------------------------------------------------------

// Makes all calls, IN_FLIGHT at a time; returns per kind how many there were
// and what was wrong.
async function ask(server, calls) {
	const kinds = new Map();
	const todo = calls.values();
	const worker = async () => {
		for (const c of todo) {
			const answer = await server.request("tools/call", {
				name: "get_1password_credentials",
				arguments: { item_name: c.name,
					vault: c.vault },
			});
			const k = kinds.get(c.kind) ?? { n: 0, wrong: [] };
			const bad = c.judge(answer);
			k.n++;
			if (bad.length > 0)
				k.wrong.push(`${c.where}: ${bad.join(", ")}`);
			kinds.set(c.kind, k);
		}
	};
	await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
	return kinds;
}

// Adds logins with random titles and values to the vault AI: any characters
// that fit into a line of the stand-in's commands.
async function addRandom(standin, seed) {
	const random = (n) => {         // 0 to n - 1; mulberry32
		seed = (seed + 0x6d2b79f5) | 0;
		let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
		t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
		return Math.floor(((t ^ (t >>> 14)) >>> 0) / 2 ** 32 * n);
	};
	const title = [[0x21, 0x7e], [0xc0, 0x17f], [0x391, 0x3a1],
		[0x4e00, 0x9fff], [0x1f300, 0x1f5ff]];
	const value = [...title, [0x0b, 0x0c], [0x0e, 0x20], [0x7f, 0xa0],
		[0x200b, 0x202e], [0x300, 0x36f], [0xd7a0, 0xd7a3],
		[0xe000, 0xe0ff], [0xfdf0, 0xffff], [0x10fff0, 0x10ffff]];
	const text = (ranges, longest) => String.fromCodePoint(
		...Array.from({ length: 1 + random(longest) }, () => {
			const [from, to] = ranges[random(2) * random(
				ranges.length)];
			return from + random(to - from + 1);
		}));
	for (let i = 0; i < RANDOM_LOGINS; i++)
		await standin.ask(["add", "AI", text(title, 50),
			text(value, 40), text(value, 300)].join("\t"));
}

// Values long enough not to occur by chance that stand in a text.
function leaks(text, vaults) {
	let n = 0;
	for (const v of vaults)
		for (const item of v.items)
			for (const f of item.fields)
				if (f.fieldType === "Concealed" &&
				    f.value.length >= 8 &&
				    text.includes(f.value))
					n++;
	return n;
}

async function account(label, args, { opmcp, standin: binary }, seed) {
	const standin = await startStandin(args, binary);
	if (seed !== undefined)
		await addRandom(standin, seed);
	const vaults = await readAll(standin.token, standin.port);
	const server = new Server(opmcp, settings(standin.token,
		{ OPMCP_VAULTS: "*", OPMCP_LOG: "debug" }));
	const items = vaults.reduce((n, v) => n + v.items.length, 0);

	const hello = await server.open();
	check(`${label}: opmcp answers initialize`,
		hello?.protocolVersion === "2025-11-25");
	await standin.ask("reset");
	const start = performance.now();
	const kinds = await ask(server, plan(vaults));
	const ms = performance.now() - start;
	const requests = Number((await standin.ask("count")).slice(3));
	let calls = 0;
	for (const [kind, { n, wrong }] of [...kinds].sort()) {
		calls += n;
		check(`${label}: ${n} ${kind}`, wrong.length === 0,
			`${wrong.length}: ${wrong.slice(0, 5).join("; ")}`);
	}
	console.log(`${label}: ${vaults.length} vaults, ${items} items, ` +
		`${calls} calls, ${requests} requests, ${Math.round(ms)} ms`);

	const closing = performance.now();
	const status = await server.close();
	const gone = await goneAfter(opmcp, closing, GONE_MS);
	check(`${label}: exit 0 at the end of input, all processes gone`,
		status === 0 && gone <= GONE_MS, `status ${status}`);
	check(`${label}: nothing but responses on stdout`,
		server.wrong.length === 0, server.wrong.slice(0, 3).join("; "));
	check(`${label}: no concealed value on stderr (debug)`,
		server.stderr.length > 0 && leaks(server.stderr, vaults) === 0);
	standin.stop();
}

await run("compare.mjs", 300, async () => {
	const paths = binaries();
	const seed = Number(process.env.SEED ?? Date.now() % 1e6);
	console.log(`compare.mjs: SEED=${seed}`);
	await account("account", [], paths, seed);
	await account("300 items", ["--items", "300"], paths);
});
