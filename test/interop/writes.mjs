// SPDX-License-Identifier: MIT
//
// Proves with the official SDK that the stand-in server takes writes as the
// service does: items of every category, changes, files, and the answers to
// writes that fail.
//
//   node writes.mjs [OPMCP [STANDIN]]   one line per check, no values
//
// The work is done in a child process, for the reason that sdk.mjs gives.

import { spawnSync } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { binaries, check, root, run, said } from "./checks.mjs";
import { bytes, categories, everyType, field, login } from "./items.mjs";
import { cageNetwork, renamed, startStandin, unlist } from "./sdk.mjs";

const self = fileURLToPath(import.meta.url);
const same = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;

// What the promise was refused with; "" when it was not.
const refusal = (promise) => promise.then(() => "", (e) => String(e.message));

// The stand-in, a client of the SDK that is signed in, and what both know.
async function open(args) {
	const { standin: binary } = binaries();
	const standin = await startStandin(args, binary);
	cageNetwork(standin.port);
	const { createClient } = await import("@1password/sdk");
	const client = await createClient({
		auth: renamed(standin.token),
		integrationName: "opmcp interop test",
		integrationVersion: "v1.0.0",
	});
	const vaults = Object.fromEntries((await client.vaults.list())
		.map((v) => [v.title, v.id]));
	return {
		standin, items: client.items, client, vaults, vault: vaults.AI,
		count: async (what) =>
			Number((await standin.ask(`count ${what}`)).slice(3)),
		fault: (spec) => standin.ask(`fault ${spec}`),
		clear: () => standin.ask("clear"),
		// An item as it is stored.
		async stored(id, vault = "AI") {
			const [, template, state, version, over, details] =
				(await standin.ask(`dump\t${vault}\t${id}`))
				.split("\t").map(unlist);
			return { template, state, version: Number(version),
				overview: JSON.parse(over),
				details: JSON.parse(details) };
		},
	};
}

// ---- items of every category ---------------------------------------------

// What must be the same when an item is read again.  The SDK gives some
// fields another id when it writes them, and computes their details.
const view = (item) => JSON.stringify([item.title, item.category, item.notes,
	item.tags, item.websites, item.sections, item.version,
	item.fields.map((f) => [f.title, f.fieldType, f.sectionId, f.value]),
	item.files, item.document]);

async function everyCategory(w) {
	const bad = [];
	for (const [category, [template, more]] of Object.entries(categories)) {
		const made = await w.items.create({ category,
			vaultId: w.vault, title: `Made ${category}`,
			fields: [field("f", "Text", "v")], ...more });
		const read = await w.items.get(w.vault, made.id);
		const { state, version, ...kept } = await w.stored(made.id);
		if (view(made) !== view(read) || made.version !== 1 ||
		    version !== 1 || kept.template !== template ||
		    state !== "N" ||
		    kept.overview.title !== `Made ${category}`)
			bad.push(category);
	}
	check("official SDK creates and reads items of all " +
		`${Object.keys(categories).length} categories`,
		bad.length === 0, bad.join());
}

async function everyField(w) {
	const [{ id }] = await w.items.list(w.vault);
	const fields = everyType(id);
	const made = await w.items.create({ category: "Server",
		vaultId: w.vault, title: "All types", fields,
		sections: [{ id: "s", title: "Größe" }], notes: "n" });
	const read = await w.items.get(w.vault, made.id);
	const bad = fields.filter((f) => !read.fields.some((g) =>
		g.title === f.title && g.fieldType === f.fieldType &&
		g.value === f.value && g.sectionId === "s"));
	check(`official SDK writes fields of ${fields.length} types`,
		bad.length === 0, bad.map((f) => f.fieldType).join());
}

// ---- changes --------------------------------------------------------------

const newLogin = (w, title) => w.items.create({ category: "Login",
	vaultId: w.vault, title, fields: login() });

async function puts(w) {
	const old = await newLogin(w, "To change");
	const item = structuredClone(old);
	item.title = "Changed ✓";
	item.notes = "now with notes";
	item.tags = ["x"];
	item.fields[1].value = "second-pw";
	const put = await w.items.put(item);
	const read = await w.items.get(w.vault, item.id);
	const { details } = await w.stored(item.id);
	check("official SDK puts an item", put.version === 2 &&
		view(read) === view(put) && read.title === "Changed ✓");
	check("the old password is in the history",
		details.passwordHistory?.[0]?.value === "first-pw");
	const seen = await refusal(w.items.put(old));
	check("a put of an old version is refused by the SDK",
		seen.includes("The submitted item is not up to date"), seen);
}

async function archives(w) {
	const item = await newLogin(w, "To archive");
	await w.items.archive(w.vault, item.id);
	const { state, version } = await w.stored(item.id);
	const listed = await w.items.list(w.vault, { type: "ByState",
		content: { active: false, archived: true } });
	check("official SDK archives an item", state === "Y" &&
		version === 2 && listed.some((o) => o.id === item.id));
	await w.items.delete(w.vault, item.id).then(() => {}, () => {});
	const gone = await newLogin(w, "To delete");
	await w.items.delete(w.vault, gone.id);
	const left = await w.items.list(w.vault, { type: "ByState",
		content: { active: true, archived: true } });
	const seen = await refusal(w.items.get(w.vault, gone.id));
	check("official SDK deletes an item",
		(await w.stored(gone.id)).state === "D" &&
		!left.some((o) => o.id === gone.id) && seen !== "", seen);
}

async function many(w) {
	const patches = await w.count("patch");
	const made = await w.items.createAll(w.vault,
		Array.from({ length: 100 }, (_, i) => ({ category: "Login",
			vaultId: w.vault, title: `Many ${i}`,
			fields: login() })));
	const ids = made.individualResponses.map((r) => r.content?.id);
	check("official SDK creates 100 items in one request",
		ids.every(Boolean) && await w.count("patch") === patches + 1);
	const all = await w.items.deleteAll(w.vault, ids.slice(0, 50));
	const gone = Object.values(all.individualResponses);
	check("official SDK deletes 50 items in one request",
		gone.length === 50 && gone.every((r) => !r.error) &&
		await w.count("patch") === patches + 2);
}

// ---- files ----------------------------------------------------------------

const blob = bytes([0, 255, 254, 1], "x".repeat(70000));

async function files(w) {
	let item = await newLogin(w, "With files");
	item = await w.items.files.attach(item, { name: "a.txt",
		content: bytes("text\n"), sectionId: "s", fieldId: "a" });
	item = await w.items.files.attach(item, { name: "b.bin",
		content: blob, sectionId: "s", fieldId: "b" });
	const read = await w.items.get(w.vault, item.id);
	const [a, b] = await Promise.all(read.files.map((f) =>
		w.items.files.read(w.vault, item.id, f.attributes)));
	check("official SDK attaches and reads two files",
		same(a, bytes("text\n")) && same(b, blob));
	const { updatedAt, ...rest } = read;
	const put = await w.items.put({ ...rest, updatedAt,
		title: "Files, renamed" });
	check("official SDK puts an item with files",
		put.files.length === 2 && put.version === 4);
	item = await w.items.files.delete(put, "s", "a");
	check("official SDK deletes a file", item.files.length === 1 &&
		(await w.items.get(w.vault, item.id)).files.length === 1);
	await w.items.archive(w.vault, item.id);
	check("official SDK archives an item with files",
		(await w.stored(item.id)).state === "Y");
}

async function documents(w) {
	const made = await w.items.create({ category: "Document",
		vaultId: w.vault, title: "A document", document:
		{ name: "one.bin", content: blob } });
	const first = await w.items.files.read(w.vault, made.id,
		made.document);
	const item = await w.items.files.replaceDocument(made,
		{ name: "two.txt", content: bytes("second\n") });
	const second = await w.items.files.read(w.vault, made.id,
		item.document);
	check("official SDK writes, reads and replaces a document",
		same(first, blob) && same(second, bytes("second\n")) &&
		item.document.name === "two.txt");
}

// What the stand-in itself brings.
async function ownFiles(w) {
	const list = await w.items.list(w.vault);
	const named = (title) => w.items.get(w.vault,
		list.find((o) => o.title === title).id);
	const item = await named("With attachments");
	const doc = await named("TLS bundle");
	const [text, bin] = await Promise.all(item.files.map((f) =>
		w.items.files.read(w.vault, item.id, f.attributes)));
	const pem = await w.items.files.read(w.vault, doc.id, doc.document);
	check("official SDK reads the stand-in's own files",
		same(text, bytes("attached text\n")) &&
		same(bin, bytes([0, 255, 254, 1, 2, 3, 128])) &&
		String.fromCharCode(...pem).startsWith("-----BEGIN"));
}

// ---- writes that fail -----------------------------------------------------

// Fault, part of the SDK's words for it, whether the change is stored.
const faults = [
	["patch failed 1", "session expired", false],
	["patch failed 100", "bad request body", false],
	["patch failed 101", "permission", false],
	["patch failed 103", "server error", false],
	["patch failed 104", "conflict", false],
	["patch failed 105", "file", false],
	["patch failed 106", "big", false],
	["patch failed 102", "unknown item patch failure", false],
	["patch failed 200", "unknown item patch failure", false],
	["patch omitted", "not found in the server response", false],
	["patch omitted applied", "not found in the server response", true],
	["patch status 409", "data conflict occurred on the server", false],
	["patch concurrent", "data conflict occurred on the server", false],
	["item concurrent", "conflict", false],
	["patch cut", "", false],
	["patch drop", "", true],
	["patch notenvelope", "", true],
];

async function oneFault(w, item, [spec, words, applied]) {
	const before = (await w.stored(item.id)).overview.title;
	await w.fault(`${spec} x1`);
	item.title = `After ${spec}`;
	const seen = await refusal(w.items.put(item));
	await w.clear();
	const now = (await w.stored(item.id)).overview.title;
	if (seen === "" || !seen.includes(words) ||
	    now !== (applied ? item.title : before))
		return `${spec}: ${seen}, ${now}`;
	return "";
}

async function failures(w) {
	const bad = [];
	const { id } = await newLogin(w, "To fail");
	for (const row of faults) {
		const item = await w.items.get(w.vault, id);
		const what = await oneFault(w, item, row);
		if (what)
			bad.push(what);
	}
	check(`official SDK reports ${faults.length} failures of a write`,
		bad.length === 0, bad.join("; "));
	await w.fault("patch slow 300 x1");
	await w.items.put({ ...await w.items.get(w.vault, id),
		title: "Slowly" });
	await w.fault("patch expired");
	const seen = await refusal(w.items.put(
		{ ...await w.items.get(w.vault, id), title: "Again" }));
	check("official SDK signs in again for a write", seen === "" &&
		(await w.stored(id)).overview.title === "Again", seen);
}

async function permission(w) {
	const vaultId = w.vaults["Prod – ünïcode ✓"];
	const seen = await refusal(w.items.create({ category: "SecureNote",
		vaultId, title: "x", notes: "y" }));
	check("a vault that may only be read refuses writes",
		seen.includes("permission"), seen);
}

// ---- random items ---------------------------------------------------------

async function oneRandom(w, id) {
	const item = await w.items.get(w.vaults.Ops, id);
	const { overview } = await w.stored(id, "Ops");
	for (const f of item.files)
		await w.items.files.read(item.vaultId, id, f.attributes);
	if (item.document)
		await w.items.files.read(item.vaultId, id, item.document);
	return item.title === (overview.title ?? "");
}

async function randomItems(w) {
	const n = 150;
	await w.standin.ask(`random interop ${n} Ops`);
	const list = await w.items.list(w.vaults.Ops);
	const bad = [];
	for (const { id } of list)
		if (!await oneRandom(w, id).catch((e) => bad.push(said(e))))
			bad.push("title");
	check(`official SDK reads ${list.length} random items and their files`,
		list.length > n * 3 / 4 && bad.length === 0, bad.join());
}

async function inside() {
	const w = await open([]);
	for (const part of [everyCategory, everyField, puts, archives, many,
		files, documents, ownFiles, failures, permission, randomItems])
		await part(w).catch((e) => check(part.name, false, said(e)));
	w.standin.stop();
}

if (process.argv[4] === "inside") {
	await run("writes.mjs", 240, inside);
} else {
	const [opmcp, standin] = process.argv.slice(2);
	const build = path.join(root, "test/build");
	const { status } = spawnSync(process.execPath, [self,
		opmcp ?? path.join(root, "opmcp"),
		standin ?? path.join(build, "standin"), "inside"],
		{ stdio: "inherit", env: { ...process.env,
			NODE_EXTRA_CA_CERTS: path.join(root,
				"test/pki/ca.pem") } });
	process.exit(status ?? 1);
}
