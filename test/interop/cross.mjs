// SPDX-License-Identifier: MIT
//
// What opmcp writes, the official SDK reads, and the other way round: items
// made by either of them, changed by either, archived and deleted; and what
// a change leaves as it was, down to the byte.
//
//   node cross.mjs [OPMCP [STANDIN]]   one line per check, no values

import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { open, runInside } from "./both.mjs";
import { check, said } from "./checks.mjs";
import { bytes, categories, everyType, field } from "./items.mjs";

const CREATE = "create_1password_credential";
const UPDATE = "update_1password_credential";
const ARCHIVE = "archive_1password_credential";
const DELETE = "delete_1password_credential";

const same = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) === 0;

// Calls work(name) for each of some units and checks that it found nothing
// wrong; it gives the names of what is, and never a value.
async function checkAll(name, units, list, work) {
	const bad = [];
	for (const one of list) {
		const wrong = await work(one).catch((e) => [said(e)]);
		if (wrong.length > 0)
			bad.push(`${one}: ${wrong.join(", ")}`);
	}
	check(`${name}: ${list.length} ${units}`, list.length > 0 &&
		bad.length === 0, bad.join("; "));
}

// ---- made by opmcp, read by the SDK --------------------------------------

const section = "Größe & more";

// A value for every kind of field that opmcp can make.
const kinds = [["Text", "tëxt \u2713 \"quoted\" \\"],
	["Concealed", "hïdden\t\n\u{1f511}"],
	["Url", "https://u.example/?a=b"],
	["Email", "a@example.com"], ["Phone", "+1 555 0101"],
	["Menu", "opt-b"], ["CreditCardType", "mc"], ["Date", "2024-03-04"],
	["MonthYear", "12/2027"], ["CreditCardNumber", "4111111111111111"],
	["Totp", "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&period=60"]];

const madeHere = Object.keys(categories).filter((c) =>
	c !== "Document" && c !== "SshKey");

// What a new item of the category is asked to be.
function wishFor(category) {
	const wish = { title: `From opmcp: ${category} ✓`, category,
		vault: "AI", username: "some\"one", password: "first\\pw ü",
		notes: "first line\nsecond ✓", tags: ["a", "b/c"],
		fields: kinds.map(([kind, value]) =>
			({ label: `A ${kind}`, value, kind, section })) };
	wish.fields.push({ label: "outside", value: "no section",
		kind: "Text" });
	if (category === "Login" || category === "Password")
		wish.website = "https://x.example/path";
	return wish;
}

// The fields of an item of the SDK that are as they were wished for: title,
// type, section and value.
function fieldsAsWished(item, wish) {
	const secret = item.category === "ApiCredentials" ? "credential" :
		"password";
	const all = [...wish.fields, { label: "username", kind: "Text",
		value: wish.username }, { label: secret, kind: "Concealed",
		value: wish.password }];
	return all.filter((want) => {
		const found = item.fields.filter((f) =>
			f.title === want.label);
		const where = item.sections.find((s) =>
			s.id === found[0]?.sectionId)?.title || undefined;
		return found.length !== 1 || found[0].value !== want.value ||
			found[0].fieldType !== want.kind ||
			where !== want.section;
	}).map((want) => want.label);
}

async function madeByOpmcp(w) {
	await checkAll("the SDK reads opmcp's new items, all kinds of fields",
		"categories", madeHere, async (category) => {
		const wish = wishFor(category);
		const made = await w.call(CREATE, wish);
		if (made.refused)
			return [made.refused];
		const item = await w.items.get(w.vault, made.item_id);
		const bad = fieldsAsWished(item, wish);
		if (item.title !== wish.title || item.category !== category)
			bad.push("title or category");
		if (item.notes !== wish.notes ||
		    item.tags.join() !== wish.tags.join())
			bad.push("notes or tags");
		if (item.websites.map((s) => s.url).join() !==
		    (wish.website ?? ""))
			bad.push("website");
		if (item.version !== made.version || made.version !== 1)
			bad.push("version");
		return bad;
	});
}

// A password made inside is told by length and fingerprint only; the SDK
// sees the same one.
async function generated(w) {
	const made = await w.call(CREATE, { title: "Generated", vault: "AI",
		username: "u", generate: "letters,digits,symbols,40" });
	const value = (await w.items.get(w.vault, made.item_id)).fields
		.find((f) => f.id === "password").value;
	const hash = createHash("sha256").update(value).digest("hex");
	check("the SDK reads the password that opmcp has made",
		value.length === 40 && made.generated.length === 40 &&
		made.generated.fingerprint.length === 8 &&
		hash.startsWith(made.generated.fingerprint) &&
		!JSON.stringify(made).includes(value));
}

// ---- made by the SDK, read by opmcp --------------------------------------

const newItem = (w, category, more = {}) => w.items.create({ category,
	vaultId: w.vault, title: `From the SDK: ${category}`,
	fields: [field("f", "Text", "v")], ...categories[category][1],
	...more });

// An item with a field of every type that the SDK can write.
async function allTypes(w) {
	const [{ id }] = await w.items.list(w.vault);
	return newItem(w, "Server", { title: "All types", notes: "n",
		fields: everyType(id),
		sections: [{ id: "s", title: "Types" }] });
}

// What get_item and read_secret do not tell of the item as the SDK does.
async function unlikeTheSdk(w, item) {
	const bad = [];
	const look = await w.call("get_item", { item: item.id, vault: "AI" });
	if (look.title !== item.title || look.category !== item.category ||
	    look.version !== item.version)
		bad.push(look.refused ?? "title, category or version");
	for (const f of item.fields) {
		const shown = (look.fields ?? []).find((s) =>
			s.label === f.title && s.kind === f.fieldType);
		const is = await w.call("read_secret",
			{ reference: shown?.reference ?? "" });
		if (is.value !== f.value || (shown?.masked !== true &&
		    shown?.value !== f.value))
			bad.push(f.title);
	}
	const files = [...item.files.map((f) => f.attributes)];
	if (item.document)
		files.push(item.document);
	for (const file of files) {
		const is = await w.call("read_secret", { reference:
			`op://AI/${item.id}/${file.name}` });
		const text = await w.items.files.read(w.vault, item.id, file);
		if (is.value === undefined || !same(bytes(is.value), text))
			bad.push(`${file.name}: ${is.refused}`);
	}
	if (item.notes !== "") {
		const { value } = await w.call("read_secret",
			{ reference: `op://AI/${item.id}/notes` });
		if (value !== item.notes)
			bad.push("notes");
	}
	return bad;
}

async function madeBySdk(w) {
	await checkAll("opmcp reads the SDK's new items", "categories",
		Object.keys(categories), async (category) =>
			unlikeTheSdk(w, await newItem(w, category)));
	const all = await allTypes(w);
	const bad = await unlikeTheSdk(w, all);
	check(`opmcp reads fields of ${all.fields.length} types that the SDK ` +
		"writes", all.fields.length >= 12 && bad.length === 0,
		bad.join());
}

// ---- changed by opmcp, read by the SDK -----------------------------------

// The members of an item that are not as wanted, the time of the change aside.
const differing = (want, is) => Object.keys(want).filter((k) =>
	k !== "updatedAt" && !isDeepStrictEqual(want[k], is[k]));

async function changedByOpmcp(w) {
	await checkAll("the SDK reads what opmcp has changed and all else",
		"categories", Object.keys(categories), async (category) => {
		const more = categories[category][1]?.fields ?? [];
		const { id } = await newItem(w, category, { notes: "old",
			fields: [...more, field("f", "Text", "v"),
				field("g", "Concealed", "kept")],
			tags: ["one"] });
		const before = await w.items.get(w.vault, id);
		const done = await w.call(UPDATE, { item: id, vault: "AI",
			title: `Changed: ${category}`, notes: "new ✓",
			tags: ["two", "three"], fields: [
				{ label: "f", value: "v ü 2" }] });
		if (done.refused)
			return [done.refused];
		const want = structuredClone(before);
		Object.assign(want, { title: `Changed: ${category}`,
			notes: "new ✓", tags: ["two", "three"], version: 2 });
		want.fields.find((f) => f.title === "f").value = "v ü 2";
		return differing(want, await w.items.get(w.vault, id));
	});
}

// Another value for every type of field; a reference cannot be set.
const later = { Text: "other", Concealed: "shown \\ never", Url: "ftp://v",
	CreditCardType: "visa", CreditCardNumber: "378282246310005",
	Phone: "0049 30 1", Totp: "GEZDGNBVGY3TQOJQ", Email: "b@example.com",
	Menu: "", MonthYear: "01/2000", Date: "1969-12-31" };

async function changedTypes(w) {
	const want = await allTypes(w);
	const done = await w.call(UPDATE, { item: want.id, vault: "AI",
		fields: Object.entries(later).map(([type, value]) =>
			({ label: `k_${type}`, value })) });
	for (const f of want.fields)
		f.value = later[f.fieldType] ?? f.value;
	want.version = 2;
	const after = await w.items.get(w.vault, want.id);
	for (const item of [want, after])       // the code of the moment
		for (const f of item.fields)
			if (f.fieldType === "Totp")
				delete f.details;
	const bad = differing(want, after);
	check("the SDK reads opmcp's new values of fields of " +
		`${Object.keys(later).length} types`, bad.length === 0,
		done.refused ?? bad.join());
}

async function newPassword(w) {
	const { id } = await newItem(w, "Login");
	const before = await w.items.get(w.vault, id);
	await w.call(UPDATE, { item: id, vault: "AI", password: "second" });
	const after = await w.items.get(w.vault, id);
	const { passwordHistory } = JSON.parse((await w.stored(id)).details);
	before.fields.find((f) => f.id === "password").value = "second";
	const bad = differing({ ...before, version: 2 }, after);
	check("the SDK reads opmcp's new password, nothing else changed, and " +
		"the old one is in the history", bad.length === 0 &&
		passwordHistory?.[0]?.value === "first-pw", bad.join());
}

// ---- changed by the SDK, read by opmcp -----------------------------------

async function changedBySdk(w) {
	await checkAll("opmcp reads what the SDK has changed in its items",
		"categories", madeHere, async (category) => {
		const wish = wishFor(category);
		const { item_id: id } = await w.call(CREATE, wish);
		const reference = `op://AI/${id}/outside`;
		const first = await w.call("read_secret", { reference });
		const item = await w.items.get(w.vault, id);
		item.title = `Then the SDK: ${category}`;
		item.fields.find((f) => f.title === "outside").value = "later";
		item.fields.find((f) => f.title === "A Date").value =
			"1999-12-31";
		await w.items.put(item);
		const then = await w.call("read_secret", { reference });
		const bad = await unlikeTheSdk(w,
			await w.items.get(w.vault, id));
		const { items } = await w.call("list_items",
			{ vault: "AI", query: item.title, limit: 100 });
		if (first.value !== "no section" || then.value !== "later")
			bad.push("an old value");
		if (items.filter((i) => i.id === id).length !== 1)
			bad.push("not listed by its new title");
		return bad;
	});
}

// ---- files ----------------------------------------------------------------

async function withFiles(w) {
	const text = bytes("text ✓\n");
	const blob = bytes([0, 255, 254, 1], "x".repeat(70000));
	let item = await newItem(w, "Login", { title: "With files" });
	item = await w.items.files.attach(item, { name: "a.txt",
		content: text, sectionId: "s", fieldId: "a" });
	item = await w.items.files.attach(item, { name: "b.bin",
		content: blob, sectionId: "s", fieldId: "b" });
	const done = await w.call(UPDATE, { item: item.id, vault: "AI",
		title: "Files, changed", password: "new", fields: [
			{ label: "added", value: "x", section: "More" }] });
	const read = await w.items.get(w.vault, item.id);
	const [a, b] = await Promise.all(read.files.map((f) =>
		w.items.files.read(w.vault, item.id, f.attributes)));
	check("the SDK reads both files of an item after opmcp's change",
		done.version === 4 && read.title === "Files, changed" &&
		same(a, text) && same(b, blob), done.refused);
	const put = await w.items.put({ ...read, title: "And again" })
		.then((i) => i.version, said);
	const { value } = await w.call("read_secret",
		{ reference: `op://AI/${item.id}/a.txt` });
	check("the SDK changes that item again, and opmcp reads its file",
		put === 5 && same(bytes(value ?? ""), text), String(put));
}

async function withDocument(w) {
	const { id } = await newItem(w, "Document");
	const done = await w.call(UPDATE, { item: id, vault: "AI",
		title: "Document, changed" });
	const read = await w.items.get(w.vault, id);
	const content = await w.items.files.read(w.vault, id, read.document);
	check("the SDK reads a document after opmcp's change",
		read.title === "Document, changed" &&
		same(content, bytes("a document\n")), done.refused);
}

// ---- what neither of them knows ------------------------------------------

// The item with a passkey and members that no tool knows.
const ODD = "Unknown members";
const members = (text) => Object.keys(JSON.parse(text));

async function oddBytes(w) {
	const id = (await w.items.list(w.vault))
		.find((o) => o.title === ODD).id;
	const old = await w.stored(id);
	const done = await w.call(UPDATE, { item: id, vault: "AI",
		username: "someone-else" });
	const now = await w.stored(id);
	const back = (s) => s.replaceAll("someone-else", "um-user");
	check("opmcp's change of a username keeps a passkey and unknown " +
		"members, byte for byte", now.version === old.version + 1 &&
		members(now.details).includes("passkey") &&
		now.details !== old.details &&
		back(now.details) === old.details &&
		back(now.over) === old.over, done.refused);
	await w.call(UPDATE, { item: id, vault: "AI", title: "Odd" });
	const then = await w.stored(id);
	check("opmcp's change of a title keeps the rest, byte for byte",
		then.details === now.details && then.over !== now.over &&
		then.over.replace("\"Odd\"", `"${ODD}"`) === now.over);
	return { id, before: then };
}

// Not a demand but a fact: why opmcp does not write as the SDK does.
async function oddPut(w, { id, before }) {
	const item = await w.items.get(w.vault, id);
	await w.items.put({ ...item, title: "Put by the SDK" });
	const after = await w.stored(id);
	const gone = (part) => members(before[part]).filter((m) =>
		!members(after[part]).includes(m)).sort().join();
	check("the SDK's own update drops a passkey and unknown members",
		gone("details") === "more,n,passkey" &&
		gone("over") === "future",
		`gone: ${gone("details")}; ${gone("over")}`);
}

// ---- archived and deleted -------------------------------------------------

const listed = async (w, active, id) => (await w.items.list(w.vault,
	{ type: "ByState", content: { active, archived: !active } }))
	.some((o) => o.id === id);

async function goneByOpmcp(w) {
	const { item_id: id } = await w.call(CREATE,
		{ title: "To archive", vault: "AI", password: "x" });
	const before = await listed(w, true, id);
	const done = await w.call(ARCHIVE, { item: id, vault: "AI" });
	check("the SDK sees what opmcp has archived", before &&
		!await listed(w, true, id) && await listed(w, false, id),
	done.refused);
	const { id: two } = await newItem(w, "Login", { title: "To delete" });
	const last = await w.call(DELETE, { item: two, vault: "AI",
		title: "To delete" });
	const opened = await w.items.get(w.vault, two)
		.then(() => true, () => false);
	check("the SDK sees what opmcp has deleted", !opened &&
		!await listed(w, true, two) && !await listed(w, false, two),
	last.refused);
}

async function goneBySdk(w) {
	const words = [];
	for (const how of ["archive", "delete"]) {
		const { item_id: id } = await w.call(CREATE,
			{ title: `SDK, ${how}`, vault: "AI", password: "x" });
		const look = () => w.call("get_item", { item: id,
			vault: "AI" });
		words.push((await look()).title);
		await w.items[how](w.vault, id);
		words.push((await look()).refused);
	}
	check("opmcp sees what the SDK has archived and deleted",
		words.join() === "SDK, archive,item_archived,SDK, delete," +
		"item_not_found", words.join());
}

await runInside(fileURLToPath(import.meta.url), 240, async () => {
	const start = performance.now();
	const w = await open([], { OPMCP_WRITE: "allow" },
		["permit reveal field *", "permit write item *"]);
	let odd;
	for (const part of [madeByOpmcp, generated, madeBySdk, changedByOpmcp,
		changedTypes, newPassword, changedBySdk, withFiles,
		withDocument,
		async () => { odd = await oddBytes(w); },
		() => oddPut(w, odd), goneByOpmcp, goneBySdk])
		await part(w).catch((e) =>
			check(part.name || "odd members", false, said(e)));
	check("nothing but answers on opmcp's stdout",
		w.opmcp.wrong.length === 0, w.opmcp.wrong.join("; "));
	await w.close();
	console.log("cross.mjs: " +
		`${Math.round((performance.now() - start) / 1000)} s`);
});
