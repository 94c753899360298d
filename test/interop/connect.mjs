// SPDX-License-Identifier: MIT
//
// opmcp against the official client of 1Password Connect: both use the
// stand-in's Connect server, with the same token, and must see the same vaults,
// items, fields, values, codes and files, over http and over https, in the
// stand-in's own account and in one of random items.
//
//   node connect.mjs [OPMCP [STANDIN]]   one line per check, no values
//
// SEED=S N=300 in the environment repeats a run.  N can be 900 at most, because
// opmcp reveals 1000 items in one run.

import { fileURLToPath } from "node:url";
import { runInside } from "./both.mjs";
import { binaries, check } from "./checks.mjs";
import { categoryOf, note, oneItem, open, report, shown } from "./conboth.mjs";

const IN_FLIGHT = 16;           // calls opmcp has at a time

// Runs work(element) for all elements, some of them at a time.
async function each(list, work) {
	const todo = list.values();
	const worker = async () => {
		for (const one of todo)
			await work(one);
	};
	await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

// All pages of list_items.
async function listed(w, vault) {
	const items = [];
	let cursor;
	do {
		const page = await w.call("list_items", { vault, limit: 100,
			...(cursor === undefined ? {} : { cursor }) });
		items.push(...page.items ?? []);
		cursor = page.next_cursor;
	} while (cursor !== undefined);
	return items;
}

// The list of a vault; where the title and the category are, the order is not
// compared: each has its own.
async function oneVault(w, vault) {
	const theirs = await w.client.listItems(vault.id);
	const ours = await listed(w, vault.id);
	const line = (id, ...more) => JSON.stringify([id, ...more]);
	const want = theirs.map((i) => line(i.id, shown(i.title ?? ""),
		categoryOf(i), i.tags ?? [])).sort();
	const have = ours.map((i) => line(i.id, shown(i.title), i.category,
		i.tags ?? [])).sort();
	note(w, "list", vault.id, want.join("\n") !== have.join("\n") &&
		`${want.filter((x) => !have.includes(x)).length} of ` +
		`${want.length} differ`);
	await each(theirs, ({ id }) => oneItem(w, vault.id, id));
}

async function account(label, paths, args, least) {
	const w = await open(paths, args);
	const theirs = await w.client.listVaults();
	const { vaults: ours } = await w.call("list_vaults", {});
	check(`${label}: ${theirs.length} vaults are the client's`,
		JSON.stringify(theirs.map((v) => [v.id, v.name]).sort()) ===
		JSON.stringify(ours.map((v) => [v.id, v.name]).sort()));
	for (const vault of theirs)
		await oneVault(w, vault);
	report(w, label);
	check(`${label}: items, codes, files of both kinds are there`,
		w.kinds.get("item")?.n >= least && ["one-time code",
			"text file", "other file", "UNKNOWN"].every((kind) =>
			w.kinds.has(kind)));
	await w.close();
}

await runInside(fileURLToPath(import.meta.url), 60, async () => {
	const seed = process.env.SEED ?? String(Date.now() % 1e6);
	const n = process.env.N ?? "300";
	const paths = binaries();
	const start = performance.now();
	console.log(`connect.mjs: SEED=${seed} N=${n}`);
	for (const scheme of ["http", "https"]) {
		await account(scheme, paths, ["--connect", scheme], 50);
		await account(`${scheme}, random`, paths, ["--connect", scheme,
			"--random", seed, n], n * 3 / 4);
	}
	console.log(`connect.mjs: ${Math.round((performance.now() - start) /
		1000)} s`);
});
