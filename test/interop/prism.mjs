// SPDX-License-Identifier: MIT
//
// What opmcp asks of a Connect server against a description of its interface:
// Prism stands in front of the stand-in's and answers 422 to a request, and 500
// for an answer, that the description (prism/connect.yaml) does not have.
//
//   node prism.mjs [OPMCP [STANDIN]]   one line per check, no values
//
// The description is ours, so this shows that opmcp, the stand-in and what is
// known of the interface agree; it is no word of the vendor's.

import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { binaries, check, root, run } from "./checks.mjs";
import { open } from "./conboth.mjs";

const here = path.join(root, "test/interop/prism");
const prism = path.join(here,
	"node_modules/@stoplight/prism-cli/dist/index.js");

if (!fs.existsSync(prism)) {
	console.log("note: without Prism; test/interop/prism is not installed");
	process.exit(0);
}

// Prism in front of the server at `url`: { url, log, stop() }.
function startPrism(url) {
	const child = spawn(process.execPath, [prism, "proxy",
		path.join(here, "connect.yaml"), url, "--errors",
		"--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
	const p = { log: "", stop: () => child.kill() };
	process.on("exit", p.stop);
	return new Promise((resolve, reject) => {
		child.on("close", () => reject(new Error("Prism ended")));
		child.stdout.setEncoding("utf8").on("data", (text) => {
			p.log += text;
			const at = /listening on (http:\S+)/.exec(p.log);
			if (at && !p.url)
				resolve(Object.assign(p, { url: at[1] }));
		});
	});
}

// Its lines about what is not as described.
const complaints = (p) => p.log.match(/.*(?: error|iolation).*/g) ?? [];

const update = "update_1password_credential";

// Every tool that asks the server, on all items; what was done how often, and
// what was refused.
async function useAll(w, vaults) {
	const refused = new Set();
	const done = {};
	const call = async (name, args, kind = "") => {
		const answer = await w.call(name, args);
		if (answer.refused)
			refused.add(`${name} ${kind}: ${answer.refused}`);
		else
			done[name] = (done[name] ?? 0) + 1;
		return answer;
	};
	for (const vault of vaults) {
		const { items } = await call("list_items", { vault,
			limit: 100 });
		for (const { id } of items) {
			const { fields } = await call("get_item",
				{ item: id, vault });
			for (const { reference, kind } of fields)
				if (reference)
					await call("read_secret",
						{ reference }, kind);
			if (vault === w.vault)
				await call(update, { item: id, vault,
					tags: ["changed"] });
		}
	}
	for (const category of ["Login", "Password", "ApiCredentials",
		"Server", "Database", "SecureNote", "Identity"]) {
		const title = `Made ${category}`;
		const { item_id: item } = await call(
			"create_1password_credential", { vault: "AI", title,
				category, notes: "größe", tags: ["a"],
				fields: kinds.map(([kind, value]) => ({
					label: kind, kind, value,
					section: "S" })) });
		await call(update, { item, vault: "AI", tags: ["b"], notes: "",
			fields: [{ label: "Text", value: "other" }] });
		await call("delete_1password_credential", { item, vault: "AI",
			title });
	}
	return { refused: [...refused].sort(), done };
}

const kinds = [["Text", "größe"], ["Concealed", "s"], ["Url", "https://x"],
	["Email", "a@example.com"], ["Menu", "one"], ["Date", "2024-02-29"],
	["MonthYear", "12/2027"], ["Totp", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"]];

// Requests that the description does not have: what is told about them.
async function badRequests(p, token, vault) {
	const url = `${p.url}/v1/vaults/${vault}/items`;
	const headers = { "Authorization": `Bearer ${token}`,
		"Content-Type": "application/json" };
	const status = async (to, more) =>
		(await fetch(to, { headers, ...more })).status;
	const post = (item) => status(url, { method: "POST",
		body: JSON.stringify(item) });
	const good = { vault: { id: vault }, category: "LOGIN", title: "t" };
	return [await post(good), await post({ ...good, category: "NOPE" }),
		await post({ ...good, vault: undefined }),
		await post({ ...good, fields: [{ id: "a", type: "TEXT" }] }),
		await status(`${url}/nonsense`),
		await status(`${url}?filter=x`),
		await status(url, { headers: {} })];
}

await run(path.basename(fileURLToPath(import.meta.url)), 60, async () => {
	const start = performance.now();
	let p;
	const w = await open(binaries(), ["--connect", "http"], async (url) => {
		p = await startPrism(url);
		return p.url;
	});
	const vaults = await w.client.listVaults();
	w.vault = vaults.find((v) => v.name === "AI").id;
	const { refused, done } = await useAll(w, vaults.map((v) => v.id));
	const violations = complaints(p);
	check("what opmcp asks and is told is as described: " +
		`${done.get_item} items, ${done.read_secret} values`,
		violations.length === 0 && done.get_item > 50 &&
		done.read_secret > 200,
		violations.slice(0, 5).join("; "));
	check("opmcp writes through it",
		done.create_1password_credential === 7 &&
		done[update] > 50 &&
		done.delete_1password_credential === 7, refused.join());
	// Prism passes bytes on as text, so the one file that is none has
	// another length.
	check("nothing is refused but a file that Prism spoils",
		refused.join() === "read_secret File: bad_answer",
		refused.join());
	const statuses = await badRequests(p, w.standin.connectToken, w.vault);
	check("a request that is not as described is found",
		statuses.join() === "200,422,422,422,422,422,401",
		statuses.join());
	for (let i = 0; i < 50 && complaints(p).length < 6; i++)
		await new Promise((r) => setTimeout(r, 20));
	check("Prism has complained of these and of nothing else",
		complaints(p).length === 6, `${complaints(p).length} times`);
	await w.close();
	p.stop();
	console.log("prism.mjs: " +
		`${Math.round((performance.now() - start) / 1000)} s`);
});
