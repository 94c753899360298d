// SPDX-License-Identifier: MIT
//
// The tools that ask the user something: that of the conformance suite and,
// when it is told to ask, opmcp's own.

import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { settings } from "./checks.mjs";

const text = (result) => result.content.map((c) => c.text).join("\n");

// Something that asks:
//
//   label, command, env   what is started
//   call(n)               params of tools/call; n tells calls apart
//   isQuestion(params, n) whether it is the question of that call
//   content(n)            what the user fills in
//   wrong                 what cannot be filled in, where there is such
//   isDone(result, n)     whether the call was done with that
//   isRefused(result, action)
const suite = (command) => ({
	label: "test_elicitation", command, env: {},
	call: (n) => ({ name: "test_elicitation",
		arguments: { message: `Who are you, number ${n}?` } }),
	isQuestion: ({ message, requestedSchema: s }, n) =>
		message === `Who are you, number ${n}?` &&
		s.type === "object" && Object.keys(s.properties).sort()
		.join() === "email,username",
	content: (n) => ({ username: `ann-${n}`,
		email: `ann-${n}@example.com` }),
	isDone: (result, n) => result.isError !== true &&
		text(result).includes(`ann-${n}`),
	isRefused: (result, action) => text(result).includes(action) &&
		!text(result).includes("ann"),
});

const WORDS = { decline: "approval_refused", cancel: "approval_missing" };

const reveal = (command, env, logins) => ({
	label: "OPMCP_REVEAL=ask", command, env,
	call: (n) => ({ name: "get_1password_credentials",
		arguments: { item_name: logins[n].id } }),
	isQuestion: ({ message, requestedSchema: s }, n) =>
		message.includes(logins[n].title) && s.type === "object" &&
		s.properties.answer?.enum.join() ===
			"allow once,allow for 10 minutes,refuse",
	content: () => ({ answer: "allow once" }),
	wrong: { answer: "allow for ever" },
	isDone: (result, n) => result.isError !== true &&
		text(result).includes(logins[n].pass),
	isRefused: (result, action) => result.isError === true &&
		text(result).startsWith(WORDS[action]) &&
		!logins.some((l) => text(result).includes(l.pass)),
});

// Three logins with plain titles; resolves to { id, title, pass } of each.
async function logins(standin) {
	const made = ["first", "second", "third"].map((n) =>
		({ title: `The ${n} to be asked about`, pass: `pw-ask-${n}` }));
	for (const { title, pass } of made)
		await standin.ask(`add\tAI\t${title}\tann\t${pass}`);
	const rows = (await standin.ask("list")).map((r) => r.split("\t"));
	return made.map((l) => ({ ...l,
		id: rows.find((r) => r[3] === l.title)[2] }));
}

// Those that there are.
export async function askers(opmcp, standin, conformance) {
	const all = [];
	const help = spawnSync(opmcp, ["--help"], { encoding: "utf8" }).stdout;
	if (help.includes("OPMCP_REVEAL"))
		all.push(reveal(opmcp, settings(standin.token,
			{ OPMCP_REVEAL: "ask" }), await logins(standin)));
	else
		console.log("note: this opmcp asks the user nothing");
	if (conformance && fs.existsSync(conformance))
		all.push(suite(path.resolve(conformance)));
	else
		console.log("note: without the conformance suite's tools; " +
			"there is no binary with them");
	return all;
}
