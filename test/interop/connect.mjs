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
//
// What is known to differ: dates (seconds since 1970 there, YYYY-MM-DD here)
// and months (YYYYMM there, MM/YYYY here).  A field of a type that Connect has
// no word for, a date without a value and a number that is no date are
// field_unsupported in opmcp.  get_item leaves out characters that do not show,
// and calls a field without a label by its id.  A reference takes a field's id
// or label; one that means two of them is field_ambiguous.

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { OnePasswordConnect } from "@1password/connect";
import { Asker, runInside } from "./both.mjs";
import { binaries, check, settings } from "./checks.mjs";
import { startStandin } from "./sdk.mjs";

const IN_FLIGHT = 16;           // calls opmcp has at a time
const TURN_TRIES = 3;           // a code may turn between two answers

// opmcp's names for Connect's categories, where it is not the same word in
// another spelling, and for its types of fields.
const categories = { API_CREDENTIAL: "ApiCredentials", EMAIL_ACCOUNT: "Email",
	WIRELESS_ROUTER: "Router", REWARD_PROGRAM: "Rewards",
	CUSTOM: "Unsupported" };
const kinds = { STRING: "Text", CONCEALED: "Concealed", URL: "Url",
	EMAIL: "Email", PHONE: "Phone", MENU: "Menu", GENDER: "Text",
	CREDIT_CARD_TYPE: "CreditCardType", REFERENCE: "Reference",
	CREDIT_CARD_NUMBER: "CreditCardNumber", DATE: "Date",
	MONTH_YEAR: "MonthYear", ADDRESS: "Address", SSHKEY: "SshKey",
	OTP: "Totp", UNKNOWN: "Unsupported", SSO_LOGIN: "Unsupported" };
const unsupported = ["UNKNOWN", "SSO_LOGIN"];

const inWords = (word) => word.toLowerCase().replace(/(?:^|_)([a-z])/g,
	(_, c) => c.toUpperCase());
const categoryOf = (item) => categories[item.category] ??
	inWords(item.category);
const kindOf = (f) => f.purpose === "NOTES" ? "Notes" :
	f.purpose === "PASSWORD" ? "Concealed" : kinds[f.type];

const YEAR_1 = -62135596800;    // seconds since 1970
const YEAR_3000 = 32503680000;

// A value as opmcp gives it, from the one that the client gives; undefined:
// opmcp has none.  A month's year can have two digits.
function valueOf(f) {
	const n = f.value ? Number(f.value) : NaN;
	if (unsupported.includes(f.type))
		return undefined;
	if (f.type === "DATE")
		return n >= YEAR_1 && n < YEAR_3000 ? new Date(n * 1000)
			.toISOString().replace(/T.*/, "") : undefined;
	if (f.type !== "MONTH_YEAR")
		return f.value ?? "";
	const year = Math.floor(n / 100);
	const month = n % 100;
	return n > 0 && n < 1e6 && month >= 1 && month <= 12 ?
		`${String(month).padStart(2, "0")}/${String(year +
			(year < 100 ? 2000 : 0)).padStart(4, "0")}` : undefined;
}

// A text as get_item shows it.
const shown = (s) => s?.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "");

// ---- one item --------------------------------------------------------------

// Notes one comparison of this kind.
function note(w, kind, where, wrong) {
	const k = w.kinds.get(kind) ?? { n: 0, wrong: [] };
	w.kinds.set(kind, k);
	k.n++;
	if (wrong)
		k.wrong.push(`${where}: ${wrong}`);
}

// What get_item says that the client does not; names of members only.
function lookAt(item, look) {
	if (look.refused)
		return look.refused;
	const bad = [];
	const is = (name, theirs, ours) =>
		JSON.stringify(theirs) === JSON.stringify(ours) ||
		bad.push(name);
	const all = [...item.fields ?? [], ...item.files ?? []];
	is("title", shown(item.title ?? ""), shown(look.title));
	is("category", categoryOf(item), look.category);
	is("tags", item.tags ?? [], look.tags ?? []);
	is("urls", (item.urls ?? []).map((u) => u.href), look.websites ?? []);
	is("version", item.version, look.version);
	is("created", item.createdAt?.getTime(), Date.parse(look.created_at));
	is("updated", item.updatedAt?.getTime(), Date.parse(look.updated_at));
	is("fields", all.length, look.fields.length);
	for (const [i, f] of all.entries()) {
		const ours = look.fields[i] ?? {};
		const section = item.sections?.find((s) =>
			s.id === f.section?.id);
		is(`label ${i}`, shown(f.purpose === "NOTES" ? "notes" :
			f.label || f.name || f.id), shown(ours.label));
		is(`kind ${i}`, f.content_path ? "File" : kindOf(f), ours.kind);
		is(`section ${i}`, shown(section?.label ?? ""),
			shown(ours.section ?? ""));
		if (ours.value !== undefined)
			is(`value ${i}`, shown(valueOf(f) ?? ""),
				shown(ours.value));
		if (f.content_path)
			is(`size ${i}`, f.size, ours.size);
	}
	return bad.join();
}

// Do other fields have this one's id, or it for a label?  Without a section all
// fields of the item count.
function isShared(item, f) {
	const name = f.id.toLowerCase();
	return item.fields.filter((x) => (!f.section?.id ||
		x.section?.id === f.section.id) &&
		[x.id, x.label].some((s) => s?.toLowerCase() === name))
		.length > 1;
}

// One field, by its id.
async function oneField(w, item, f) {
	const base = `op://${item.vault.id}/${item.id}/` +
		`${f.section?.id ? `${f.section.id}/` : ""}${f.id}`;
	const where = `${item.id} ${f.id}`;
	const ours = await w.call("read_secret", { reference: base });
	const value = valueOf(f);
	if (ours.refused === "field_ambiguous" && isShared(item, f)) {
		note(w, "shared name", where);
		return;
	}
	note(w, f.purpose || f.type, where, (value === undefined ?
		ours.refused !== "field_unsupported" : ours.value !== value) &&
		(ours.refused ?? "other bytes"));
	if (f.type === "OTP")
		note(w, "one-time code", where, await code(w, item, f, base));
}

// A code, read again by both when it differs: it may have turned between the
// two.  A secret of which there is none is refused by both.
async function code(w, item, f, base) {
	let ours;
	for (let i = 0; i < TURN_TRIES; i++) {
		const { fields } = await w.client.getItemById(item.vault.id,
			item.id);
		const { otp } = fields.find((x) => x.id === f.id &&
			x.section?.id === f.section?.id);
		ours = await w.call("read_secret",
			{ reference: `${base}?attribute=otp` });
		if (otp ? ours.value === otp : ours.refused === "totp_invalid")
			return "";
	}
	return ours.refused ?? "another code";
}

// One file, as bytes.  opmcp gives out only what is text.
async function oneFile(w, item, file) {
	const parts = [];
	for await (const part of await w.client.getFileContentStream(
		item.vault.id, item.id, file.id))
		parts.push(part);
	const theirs = Buffer.concat(parts);
	const ours = await w.call("read_secret", { reference:
		`op://${item.vault.id}/${item.id}/${file.id}` });
	const text = theirs.toString("utf8");
	const isText = Buffer.from(text).equals(theirs);
	note(w, isText ? "text file" : "other file", `${item.id} ${file.id}`,
		(isText ? ours.value !== text :
			ours.refused !== "file_not_text") &&
		(ours.refused ?? "other bytes"));
}

async function oneItem(w, vault, id) {
	const item = await w.client.getItemById(vault, id);
	const look = await w.call("get_item", { item: id, vault });
	note(w, "item", id, lookAt(item, look));
	for (const f of item.fields ?? [])
		await oneField(w, item, f);
	for (const file of item.files ?? [])
		await oneFile(w, item, file);
}

// ---- an account ------------------------------------------------------------

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

// The stand-in, started with args, and both that use it.
async function open(w, args) {
	const standin = await startStandin(args, w.standin);
	const policy = path.join(path.dirname(w.opmcp), "rules");
	fs.writeFileSync(policy, "permit reveal field *\n", { mode: 0o600 });
	const env = settings("", { OP_CONNECT_HOST: standin.connect,
		OP_CONNECT_TOKEN: standin.connectToken, OPMCP_VAULTS: "*",
		OPMCP_REVEAL: "allow", OPMCP_WRITE: "allow",
		OPMCP_POLICY: policy, OPMCP_LOG: "error" });
	delete env.OP_SERVICE_ACCOUNT_TOKEN;
	const opmcp = new Asker(w.opmcp, env);
	await opmcp.open();
	return {
		standin, opmcp, kinds: new Map(),
		call: (name, more) => opmcp.call(name, more),
		client: OnePasswordConnect({ serverURL: standin.connect,
			token: standin.connectToken, keepAlive: true }),
		async close() {
			check("nothing but answers on opmcp's stdout",
				opmcp.wrong.length === 0,
				opmcp.wrong.join("; "));
			await opmcp.close();
			standin.stop();
		},
	};
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
	for (const [kind, { n, wrong }] of [...w.kinds].sort())
		check(`${label}: ${kind}: ${n} are the client's`,
			wrong.length === 0, `${wrong.length} differ: ` +
			wrong.slice(0, 8).join("; "));
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
	for (const name of Object.keys(process.env))
		if (/_proxy$/i.test(name))
			delete process.env[name];
	for (const scheme of ["http", "https"]) {
		await account(scheme, paths, ["--connect", scheme], 50);
		await account(`${scheme}, random`, paths, ["--connect", scheme,
			"--random", seed, n], n * 3 / 4);
	}
	console.log(`connect.mjs: ${Math.round((performance.now() - start) /
		1000)} s`);
});
