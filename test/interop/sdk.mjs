// SPDX-License-Identifier: MIT
//
// Proves with the official SDK that the stand-in server speaks the protocol:
// starts it, signs in, lists the vaults, reads every item of every vault.
//
//   node sdk.mjs            one JSON line per item, then a summary line
//   node sdk.mjs --account  what readAll() returns, as one JSON text
//   node sdk.mjs --check [STANDIN]  one line per check, no values
//   import { readAll } ...  readAll(token, port): vaults with their items
//
// Only name resolution is changed: every name means 127.0.0.1, and a
// connection to another port than the server's is refused, so nothing can
// leave this machine.  The test CA must be known before node starts, so
// the work is always done in a child process with NODE_EXTRA_CA_CERTS.

import { spawn } from "node:child_process";
import dns from "node:dns";
import net from "node:net";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { check, run } from "./checks.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.resolve(here, "../..");
const self = fileURLToPath(import.meta.url);

// Every look-up answers 127.0.0.1; every connection goes to `port` there.
export function cageNetwork(port) {
	dns.lookup = (name, options, done) => {
		const cb = done ?? options;
		const all = typeof options === "object" && options.all;
		process.nextTick(() => all ?
			cb(null, [{ address: "127.0.0.1", family: 4 }]) :
			cb(null, "127.0.0.1", 4));
	};
	const connect = net.Socket.prototype.connect;
	net.Socket.prototype.connect = function (...args) {
		const o = Array.isArray(args[0]) ? args[0][0] : args[0];
		if (typeof o !== "object" || Number(o.port) !== port)
			throw new Error("connection refused by the test");
		o.lookup = dns.lookup;
		if (net.isIP(o.host ?? ""))
			o.host = "127.0.0.1";
		return connect.apply(this, args);
	};
}

// The SDK takes "localhost:PORT" for a URL with the scheme "localhost", so
// such a token is given the name of the real service; both mean 127.0.0.1.
export function renamed(token) {
	const t = JSON.parse(Buffer.from(token.slice(4), "base64url"));
	t.signInAddress = t.signInAddress.replace(/^localhost(?=:|$)/,
		"my.1password.com");
	return "ops_" + Buffer.from(JSON.stringify(t)).toString("base64url");
}

// The work itself, inside the child.
async function readHere(token, port) {
	cageNetwork(port);
	const sdk = await import("@1password/sdk");
	const client = await sdk.createClient({
		auth: renamed(token),
		integrationName: "opmcp interop test",
		integrationVersion: "v1.0.0",
	});
	const vaults = [];
	for (const v of await client.vaults.list()) {
		const active = await client.items.list(v.id);
		const archived = await client.items.list(v.id, {
			type: "ByState",
			content: { active: false, archived: true },
		});
		const items = [];
		for (const o of active)
			items.push(await client.items.get(v.id, o.id));
		vaults.push({ id: v.id, title: v.title, items, archived });
	}
	return vaults;
}

// All vaults of the token's account with items and fields.  `archived` has
// only overviews, because the SDK does not open archived items.
export function readAll(token, port) {
	return new Promise((resolve, reject) => {
		const ca = path.join(root, "test/pki/ca.pem");
		const env = { ...process.env, OPMCP_SDK_TOKEN: token,
			NODE_EXTRA_CA_CERTS: ca };
		const child = spawn(process.execPath,
			[self, "--child", String(port)],
			{ env, stdio: ["ignore", "pipe", "inherit"] });
		let out = "";
		child.stdout.setEncoding("utf8");
		child.stdout.on("data", (s) => { out += s; });
		child.on("error", reject);
		child.on("close", (code) => {
			if (code !== 0)
				reject(new Error(`the SDK's process: ${code}`));
			else
				resolve(JSON.parse(out));
		});
	});
}

// Starts the stand-in; resolves to { port, token, ask(command), stop() }, and
// with --connect also to the URL of the Connect server and its access token.
export async function startStandin(args = [],
	binary = path.join(root, "test/build/standin")) {
	const child = spawn(binary, args,
		{ cwd: root, stdio: ["pipe", "pipe", "inherit"] });
	const lines = readline.createInterface({ input: child.stdout })
		[Symbol.asyncIterator]();
	const next = async () => (await lines.next()).value;
	const [word, port, token, ...more] =
		((await next()) ?? "").split(" ");
	const [connect, connectToken] = more.map((s) =>
		s.slice(s.indexOf("=") + 1));
	if (word !== "ready")
		throw new Error("the stand-in did not start");
	return {
		port: Number(port), token, connect, connectToken,
		async ask(command) {
			child.stdin.write(command + "\n");
			const first = await next();
			const more = [];
			if (command === "list")
				for (let n = Number(first.slice(3)); n > 0; n--)
					more.push(await next());
			return command === "list" ? more : first;
		},
		stop() { child.stdin.end(); },
	};
}

// Undoes the escapes of the commands `list` and `dump`.
export function unlist(s) {
	const short = { t: "\t", n: "\n", r: "\r", "\\": "\\" };
	return s.replace(/\\(u[0-9a-f]{4}|.)/g, (_, c) => c.length > 1 ?
		String.fromCharCode(parseInt(c.slice(1), 16)) : short[c]);
}

const byId = (item, id) =>
	item.fields.find((f) => f.id === id)?.value ?? "";

// Compares what the SDK shows with what the stand-in says it has.
function compare(vaults, rows) {
	const wrong = [];
	let compared = 0;
	for (const row of rows) {
		const [v, vname, id, title, tmpl, trashed, user, pass] =
			row.split("\t").map(unlist);
		const vault = vaults.find((x) => x.id === v);
		const list = trashed === "N" ? vault?.items : vault?.archived;
		const item = list?.find((x) => x.id === id);
		if (vault?.title !== vname || item?.title !== title) {
			wrong.push(`${title}: not found`);
			continue;
		}
		if (trashed !== "N")
			continue;
		const secret = tmpl === "112" ? "credential" : "password";
		compared++;
		if ((user && byId(item, "username") !== user) ||
		    (pass && byId(item, secret) !== pass))
			wrong.push(`${title}: other values`);
	}
	return { compared, wrong };
}

// The same as checks that a person can read.
async function checks(binary) {
	const standin = await startStandin([], binary);
	const vaults = await readAll(standin.token, standin.port);
	const rows = await standin.ask("list");
	standin.stop();
	const { compared, wrong } = compare(vaults, rows);
	check(`official SDK reads the stand-in: ${vaults.length} vaults, ` +
		`${compared} items`, vaults.length >= 3 && compared >= 40 &&
		wrong.length === 0, `${wrong.length} wrong`);
}

async function main() {
	const standin = await startStandin();
	const vaults = await readAll(standin.token, standin.port);
	const rows = await standin.ask("list");
	const requests = await standin.ask("count");
	standin.stop();
	if (process.argv.includes("--account")) {
		console.log(JSON.stringify(vaults));
		return;
	}
	for (const v of vaults)
		for (const item of v.items)
			console.log(JSON.stringify(
				{ vault: v.title, ...item }));
	const { compared, wrong } = compare(vaults, rows);
	console.log(JSON.stringify({
		summary: "official SDK against the stand-in",
		vaults: vaults.length,
		active: vaults.reduce((n, v) => n + v.items.length, 0),
		archived: vaults.reduce((n, v) => n + v.archived.length, 0),
		fields: vaults.reduce((n, v) => n + v.items.reduce(
			(m, i) => m + i.fields.length, 0), 0),
		requests: Number(requests.slice(3)),
		compared, wrong,
	}));
	if (wrong.length > 0)
		process.exitCode = 1;
}

if (process.argv[2] === "--child") {
	const token = process.env.OPMCP_SDK_TOKEN;
	delete process.env.OPMCP_SDK_TOKEN;
	try {
		const all = await readHere(token, Number(process.argv[3]));
		process.stdout.write(JSON.stringify(all));
	} catch (e) {
		console.error(`sdk.mjs: ${e?.message ?? e}`);
		process.exitCode = 1;
	}
} else if (process.argv[1] === self && process.argv[2] === "--check") {
	await run("sdk.mjs", 120, () => checks(process.argv[3] &&
		path.resolve(process.argv[3])));
} else if (process.argv[1] === self) {
	await main();
}
