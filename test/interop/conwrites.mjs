// SPDX-License-Identifier: MIT
//
// What opmcp writes over Connect is read by Connect's official client, and the
// other way round; and a change leaves alone what it does not name, also what
// neither of them knows.
//
//   node conwrites.mjs [OPMCP [STANDIN]]   one line per check, no values
//
// SEED=S N=300 in the environment repeats a run.

import http from "node:http";
import { fileURLToPath } from "node:url";
import { ItemBuilder } from "@1password/connect";
import { runInside } from "./both.mjs";
import { binaries, check } from "./checks.mjs";
import { note, oneItem, open, report } from "./conboth.mjs";
import { unlist } from "./sdk.mjs";

const SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const EXACT = "12345678901234567890.10";        // no double is this
const ODD = "größe 🔑 \"quoted\" \\ back\n<&>\u2028 end";

// The categories that the client's builder has, without the two that the
// server makes no items of: DOCUMENT and CUSTOM.  Logins and passwords are the
// ones with fields for a purpose.
const built = ["LOGIN", "PASSWORD", "SERVER", "DATABASE", "CREDIT_CARD",
	"MEMBERSHIP", "PASSPORT", "SOFTWARE_LICENSE", "OUTDOOR_LICENSE",
	"SECURE_NOTE", "WIRELESS_ROUTER", "BANK_ACCOUNT", "DRIVER_LICENSE",
	"IDENTITY", "REWARD_PROGRAM", "EMAIL_ACCOUNT",
	"SOCIAL_SECURITY_NUMBER", "API_CREDENTIAL"];

// The same and one more, by opmcp's names.
const named = { Login: "LOGIN", Password: "PASSWORD", Server: "SERVER",
	Database: "DATABASE", CreditCard: "CREDIT_CARD",
	Membership: "MEMBERSHIP", Passport: "PASSPORT",
	SoftwareLicense: "SOFTWARE_LICENSE", OutdoorLicense: "OUTDOOR_LICENSE",
	SecureNote: "SECURE_NOTE", Router: "WIRELESS_ROUTER",
	BankAccount: "BANK_ACCOUNT", DriverLicense: "DRIVER_LICENSE",
	Identity: "IDENTITY", Rewards: "REWARD_PROGRAM",
	Email: "EMAIL_ACCOUNT", ApiCredentials: "API_CREDENTIAL",
	SocialSecurityNumber: "SOCIAL_SECURITY_NUMBER",
	MedicalRecord: "MEDICAL_RECORD" };

// Fields of all kinds that can be made: kind, type, value for opmcp, value as
// the server tells it.
const every = [["Text", "STRING", ODD, ODD],
	["Concealed", "CONCEALED", " s p ", " s p "],
	["Url", "URL", "https://x.example/?a=b&c", "https://x.example/?a=b&c"],
	["Email", "EMAIL", "a@example.com", "a@example.com"],
	["Menu", "MENU", "one", "one"],
	["Date", "DATE", "2024-02-29", "1709208060"],
	["MonthYear", "MONTH_YEAR", "12/2027", "202712"],
	["Totp", "OTP", SECRET, SECRET]];

const byLabel = (item, label) => item.fields.filter((f) =>
	f.label === label);
const byPurpose = (item, purpose) => item.fields.find((f) =>
	f.purpose === purpose)?.value;
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// The names of the members that are not as they should be.
const wrong = (pairs) => Object.entries(pairs).filter(([, [a, b]]) =>
	!same(a, b)).map(([name]) => name).join();

// The fields of `every` in an item: [as they are, as they should be] of each.
function fieldsAre(item, section) {
	const { id } = item.sections?.find((s) => s.label === section) ?? {};
	return Object.fromEntries(every.map(([kind, type, , value]) => {
		const [f, ...others] = byLabel(item, `a ${kind}`);
		return [kind, [[f?.type, f?.value, f?.section?.id,
			others.length], [type, value, id, 0]]];
	}));
}

// ---- written by opmcp ------------------------------------------------------

// The user name and password of an item of opmcp's: by purpose where the
// category has them, else in fields of these names.
function ownFields(item, category) {
	const value = (label) => byLabel(item, label)[0]?.value;
	return category === "Login" ? [byPurpose(item, "USERNAME"),
		byPurpose(item, "PASSWORD")] : [value("username"),
		category === "Password" ? byPurpose(item, "PASSWORD") :
			value(category === "ApiCredentials" ? "credential" :
				"password")];
}

// Only logins and passwords are given websites.
const website = (category, url) => ["Login", "Password"].includes(category) ?
	{ website: url } : {};

async function makesOne(w, category, word) {
	const title = `Made ${category} ${ODD.replace(/[\n\u2028]/g, "")}`;
	const fields = every.map(([kind, , value]) => ({ label: `a ${kind}`,
		kind, value, section: "Größe" }));
	const made = await w.call("create_1password_credential", { title,
		vault: w.vault, category, username: "me", password: ODD,
		notes: ODD, tags: ["a", "b/c", "größe"], fields,
		...website(category, "https://one.example") });
	if (made.refused)
		return note(w, "made", category, made.refused);
	const item = await w.client.getItemById(w.vault, made.item_id);
	note(w, "made", category, wrong({ title: [item.title, title],
		category: [item.category, word],
		tags: [item.tags, ["a", "b/c", "größe"]],
		url: [item.urls?.[0].href,
			website(category, "https://one.example").website],
		own: [ownFields(item, category), ["me", ODD]],
		notes: [byPurpose(item, "NOTES"), ODD],
		version: [item.version, made.version],
		...fieldsAre(item, "Größe") }));
	await oneItem(w, w.vault, item.id);
	return changesOne(w, category, item);
}

async function changesOne(w, category, before) {
	const changed = await w.call("update_1password_credential", {
		item: before.id, vault: w.vault, title: `Changed ${category}`,
		username: ODD, generate: "letters,digits,32", notes: "",
		tags: ["z"], ...website(category, "https://two.example"),
		fields: [{ label: "a Text", value: "other" },
			{ label: "a Date", value: "1999-12-31" },
			{ label: "new", value: "secret", section: "New one" }],
	});
	if (changed.refused)
		return note(w, "changed", category, changed.refused);
	const item = await w.client.getItemById(w.vault, before.id);
	const [user, password] = ownFields(item, category);
	const kept = ({ fields }) => fields.filter((f) =>
		/^a (?!Text|Date)/.test(f.label)).map((f) =>
		[f.id, f.type, f.label, f.value, f.section]);
	const [added] = byLabel(item, "new");
	note(w, "changed", category, wrong({
		title: [item.title, `Changed ${category}`],
		category: [item.category, before.category],
		tags: [item.tags, ["z"]],
		url: [item.urls?.[0].href,
			website(category, "https://two.example").website],
		user: [user, ODD],
		password: [/^[A-Za-z0-9]{32}$/.test(password), true],
		notes: [byPurpose(item, "NOTES") ?? "", ""],
		text: [byLabel(item, "a Text")[0].value, "other"],
		date: [byLabel(item, "a Date")[0].value, "946641660"],
		kept: [kept(item), kept(before)],
		added: [[added?.type, added?.value, item.sections.find((s) =>
			s.label === "New one")?.id], ["CONCEALED", "secret",
			added?.section?.id]],
		version: [item.version, before.version + 1] }));
	await oneItem(w, w.vault, item.id);
	return removesOne(w, category, item);
}

async function removesOne(w, category, { id, title }) {
	const gone = await w.call("delete_1password_credential",
		{ item: id, vault: w.vault, title });
	const status = await w.client.getItemById(w.vault, id)
		.then(() => 200, (e) => e.response?.status ?? e.status);
	const left = (await w.client.listItems(w.vault))
		.some((i) => i.id === id);
	note(w, "deleted", category, gone.refused ??
		((status !== 404 || left) && "still there"));
}

// ---- written by the client -------------------------------------------------

async function clientMakes(w, category) {
	const b = new ItemBuilder().setTitle(`Built ${category} ${ODD}`)
		.setCategory(category).addTag("a").addTag("größe")
		.addUrl({ href: "https://one.example" })
		.addUrl({ href: "https://two.example", primary: true });
	if (category === "LOGIN")
		b.addField({ label: "username", value: ODD,
			purpose: "USERNAME" });
	if (category === "LOGIN" || category === "PASSWORD")
		b.addField({ label: "password", purpose: "PASSWORD",
			generate: true, recipe: { length: 40,
				characterSets: ["LETTERS", "SYMBOLS"] } });
	b.addField({ label: "notes", purpose: "NOTES", value: ODD });
	for (const [kind, type, given, told] of every)
		b.addField({ label: `a ${kind}`, type, sectionName: "Größe",
			value: type === "DATE" ? given : told });
	b.addField({ label: "loose", value: ODD });
	const { id } = await w.client.createItem(w.vault, b.build());
	const item = await w.client.getItemById(w.vault, id);
	note(w, "built", category, wrong({ ...fieldsAre(item, "Größe"),
		DATE: [[], []], Date: [[], []] }));
	await oneItem(w, w.vault, id);
	await clientChanges(w, category, item);
}

async function clientChanges(w, category, item) {
	item.title = `Rebuilt ${category}`;
	item.tags = ["other"];
	item.urls = [];
	item.fields = item.fields.filter((f) => f.label !== "a Url");
	byLabel(item, "a Text")[0].value = "rebuilt";
	byLabel(item, "a Totp")[0].value = `otpauth://totp/x?secret=${SECRET}` +
		"&digits=8&algorithm=SHA256";
	const { id } = await w.client.updateItem(w.vault, item);
	const base = `op://${w.vault}/${id}`;
	const read = (what) => w.call("read_secret",
		{ reference: `${base}/${what}` });
	const look = await w.call("get_item", { item: id, vault: w.vault });
	note(w, "rebuilt", category, wrong({
		title: [look.title, item.title], tags: [look.tags, ["other"]],
		urls: [look.websites ?? [], []],
		text: [(await read("a Text")).value, "rebuilt"],
		code: [(await read("a Totp?attribute=otp")).value?.length, 8],
		gone: [(await read("a Url")).refused, "field_not_found"] }));
	await oneItem(w, w.vault, id);
	await w.client.deleteItemById(w.vault, id);
	const { refused } = await read("a Text");
	note(w, "deleted by the client", category,
		refused !== "item_not_found" && (refused ?? "read"));
}

// ---- random items ----------------------------------------------------------

// An item as the client tells it, without what each write or moment changes.
const still = ({ version, updatedAt, lastEditedBy, fields, ...item }) =>
	sorted(JSON.parse(JSON.stringify({ ...item, fields: fields.map(
		({ otp, entropy, ...f }) => f) })));

// Every item of a random account gets a tag and a field, and keeps the rest.
async function changesAll(w) {
	for (const { id } of await w.client.listItems(w.vault)) {
		const before = await w.client.getItemById(w.vault, id);
		const answer = await w.call("update_1password_credential",
			{ item: id, vault: w.vault, tags: ["changed"],
				fields: [{ label: "added by a change",
					value: ODD, section: "One more" }] });
		const after = await w.client.getItemById(w.vault, id);
		const added = after.fields.findIndex((f) =>
			f.label === "added by a change");
		const [field] = added < 0 ? [] : after.fields.splice(added, 1);
		const made = after.sections?.findIndex((s) =>
			s.id === field?.section.id);
		const version = after.version;
		if (!before.sections?.some((s) => s.id === field?.section.id))
			after.sections?.splice(made, 1);
		before.tags = ["changed"];
		before.sections ??= [];
		note(w, "random items changed", id, answer.refused ?? wrong({
			value: [field?.value, ODD],
			version: [version, before.version + 1],
			rest: [still(after), still(before)] }));
	}
}

// ---- members that nobody knows ---------------------------------------------

// An item with members and entries of all JSON types where none is expected.
const strange = { category: "LOGIN", title: "Strange", "x-new": { deep:
	[1, -0.5, 1e300, true, null, "\u0000\u{1f511}", { a: [[]] }] },
favorite: true, tags: ["keep"],
urls: [{ href: "https://x.example", primary: true, label: "l", rel: [7] },
	{ href: "https://y.example", autofill: { mode: "never" } }],
sections: [{ id: "S", label: "Sec", hidden: true, order: 3.25 }],
fields: [{ id: "username", type: "STRING", purpose: "USERNAME",
	label: "username", value: "u", hint: null },
{ id: "password", type: "CONCEALED", purpose: "PASSWORD", label: "password",
	value: "p", history: ["o", "n"], entropy: 12.5 },
{ id: "notesPlain", type: "STRING", purpose: "NOTES", label: "notesPlain",
	value: "n" },
{ id: "q", section: { id: "S", extra: 1 }, type: "QUANTUM", label: "q",
	value: "spin", state: { up: 1 } },
{ id: "t", section: { id: "S" }, type: "STRING", label: "t", value: "old",
	"": "no name", constructor: "c" }] };

const stored = async (w, id) => JSON.parse(unlist((await w.standin
	.ask(`condump AI ${id}`)).split("\t")[3]));

// What opmcp sends back must be what it was told, but for what it was asked to
// change; values alone go without the rest.  The request is looked at, because
// the server drops some of it.
async function keepsStrange(paths) {
	const sent = [];
	const w = await open(paths, ["--connect", "http"],
		(url) => recorder(url, sent));
	const id = (await w.standin.ask(`conput AI ${JSON.stringify(strange)
		.replace("1e+300", EXACT)}`)).slice(3);
	const want = await stored(w, id);
	const change = { item: id, vault: "AI", password: "other",
		notes: "more", fields: [{ label: "t", value: "new" }] };
	const answer = await w.call("update_1password_credential",
		{ ...change, tags: ["keep", "two"] });
	want.tags = ["keep", "two"];
	for (const f of want.fields)
		f.value = { password: "other", notesPlain: "more", t: "new" }[
			f.id] ?? f.value;
	check("a change sends back all members that opmcp does not know",
		!answer.refused && want["x-new"] && sent.length === 1 &&
		same(sorted(JSON.parse(sent[0])), sorted(want)) &&
		sent[0].includes(EXACT), answer.refused ?? "not all");
	await w.call("update_1password_credential", change);
	check("a change of values sends these, and nothing else",
		sent.length === 2 && same(JSON.parse(sent[1]), [
			["password", "other"], ["t", "new"],
			["notesPlain", "more"]].map(([name, value]) => ({
			op: "replace", path: `/fields/${name}/value`, value }))),
		"not so");
	await w.close();
}

// A server in front of the one at `url`: it passes requests on, and keeps the
// bodies of those that have one.
function recorder(url, sent) {
	const front = http.createServer(async (req, res) => {
		const parts = [];
		for await (const part of req)
			parts.push(part);
		const body = Buffer.concat(parts);
		if (body.length > 0)
			sent.push(body.toString());
		const { method, headers } = req;
		http.request(url + req.url, { method, headers }, (answer) => {
			res.writeHead(answer.statusCode, answer.headers);
			answer.pipe(res);
		}).end(body);
	});
	return new Promise((resolve) => front.listen(0, "127.0.0.1", () =>
		resolve(`http://127.0.0.1:${front.address().port}`)));
}

// With the members of all objects in one order.
const sorted = (x) => Array.isArray(x) ? x.map(sorted) :
	x === null || typeof x !== "object" ? x :
		Object.entries(x).sort(([a], [b]) => a < b ? -1 : 1)
			.map(([name, value]) => [name, sorted(value)]);

await runInside(fileURLToPath(import.meta.url), 60, async () => {
	const start = performance.now();
	const paths = binaries();
	for (const scheme of ["http", "https"]) {
		const w = await open(paths, ["--connect", scheme]);
		w.vault = (await w.client.getVaultByTitle("AI")).id;
		for (const [category, word] of Object.entries(named))
			await makesOne(w, category, word);
		for (const category of built)
			await clientMakes(w, category);
		report(w, scheme);
		check(`${scheme}: all categories were written by both`,
			w.kinds.get("deleted").n === 19 &&
			w.kinds.get("deleted by the client").n === 18);
		await w.close();
	}
	const seed = process.env.SEED ?? String(Date.now() % 1e6);
	const n = process.env.N ?? "300";
	console.log(`conwrites.mjs: SEED=${seed} N=${n}`);
	const w = await open(paths, ["--connect", "http", "--random", seed, n]);
	w.vault = (await w.client.getVaultByTitle("AI")).id;
	await changesAll(w);
	report(w, "http, random");
	await w.close();
	await keepsStrange(paths);
	console.log("conwrites.mjs: " +
		`${Math.round((performance.now() - start) / 1000)} s`);
});
