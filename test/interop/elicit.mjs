// SPDX-License-Identifier: MIT
//
// Questions to the user, through the official clients: accepted, declined,
// cancelled, not answered at all; in the legacy era a request of the
// server's, in the modern one an incomplete result.
//
//   node elicit.mjs [OPMCP [STANDIN [CONFORMANCE]]]
//
// opmcp asks when OPMCP_REVEAL=ask; CONFORMANCE is the binary with the
// conformance suite's tools, one of which asks.  Whichever there is is tested.

import { setTimeout as sleep } from "node:timers/promises";
import { binaries, check, run, said } from "./checks.mjs";
import { askers } from "./askers.mjs";
import { connect, ended, GONE_MS, kinds } from "./kinds.mjs";
import { startStandin } from "./sdk.mjs";

const SOON_MS = 1000;           // what must not wait for the user
const TAKEN_MS = 200;           // until a question is taken back
const ASKS_MAX = 20;            // a wrong answer is not asked for for ever

// Whether a call ended without what the user would have had to allow.
const refused = ({ value, error }, subject) => error !== undefined ||
	(value.isError === true && !subject.isDone(value, 0)) ||
	subject.isRefused(value, "cancel");

const forms = (c) => c.received.filter((m) =>
	m.method === "elicitation/create");

// How the questions came: never as a request in the modern era, and with
// `mode` only where the revision knows it.
function isAsked(kind, c, n) {
	const asked = c.received.filter((m) =>
		m.result?.resultType === "input_required");
	if (kind.era === "modern")
		return forms(c).length === 0 && asked.length === n &&
			asked.every((m) => Object.values(m.result
				.inputRequests).every((q) => q.method ===
				"elicitation/create"));
	return asked.length === 0 && forms(c).length === n &&
		new Set(forms(c).map((m) => m.id)).size === n &&
		forms(c).every((m) => (m.params.mode === undefined) ||
		kind.revision >= "2025-11-25");
}

// ---- the checks ---------------------------------------------------------

// Answers by the host that are at once there.
async function checkAnswers(kind, subject, ok) {
	let answer;
	const asked = [];
	const c = await connect(kind, subject.command, subject.env, (m) => {
		asked.push(m);
		return answer(m);
	});
	const call = (n) => ended(kind.call(c.client, subject.call(n)));
	answer = () => ({ action: "accept", content: subject.content(0) });
	const yes = await call(0);
	ok("accepted", yes.error === undefined && subject.isDone(yes.value, 0),
		said(yes.error));
	ok("the question fits", asked.length === 1 &&
		subject.isQuestion(asked[0], 0));
	for (const action of ["decline", "cancel"]) {
		answer = () => ({ action });
		const no = await call(0);
		ok(action, no.error === undefined &&
			subject.isRefused(no.value, action));
	}
	ok("asked once a call, in the way of the era", isAsked(kind, c, 3));
	await checkWrong(subject, ok, call, (f) => { answer = f; }, asked);
	answer = (m) => sleep(100).then(() => ({ action: "accept",
		content: subject.content(subject.isQuestion(m, 1) ? 1 : 2) }));
	const both = await Promise.all([call(1), call(2)]);
	ok("two at once", both.every(({ value }, i) => value !== undefined &&
		subject.isDone(value, i + 1)));
	ok("gone after close", await c.close() <= GONE_MS);
	return c;
}

// Answers that are none: an error, and content that was not asked for.
async function checkWrong(subject, ok, call, set, asked) {
	set(() => { throw new Error("the host has no window"); });
	ok("an error for an answer", refused(await call(0), subject));
	if (subject.wrong === undefined)
		return;
	const before = asked.length;
	set(() => ({ action: "accept", content: subject.wrong }));
	ok("a wrong answer", refused(await call(0), subject) &&
		asked.length - before <= ASKS_MAX,
		`asked ${asked.length - before} times`);
}

// A question that stays open: nothing waits for it but its call, which can be
// cancelled, and then the question is taken back.
async function checkSilence(kind, subject, ok) {
	let open = 0;
	const c = await connect(kind, subject.command, subject.env,
		(m, signal) => new Promise((resolve, reject) => {
			open++;
			signal.addEventListener("abort", reject);
		}));
	let stop = new AbortController();
	const call = async (n) => {
		const end = ended(kind.call(c.client, subject.call(0),
			{ signal: stop.signal }));
		for (let i = 0; i < 200 && open < n; i++)
			await sleep(10);
		return { end };
	};
	const { end: hangs } = await call(1);
	const list = await ended(c.client.listTools({ cursor: "x" }));
	ok("others are served while the user thinks", open === 1 &&
		list.error?.code === -32602 && list.ms < SOON_MS);
	stop.abort("enough");
	const ends = await hangs;
	await sleep(TAKEN_MS);
	const taken = c.received.filter((m) =>
		m.method === "notifications/cancelled");
	ok("a question is taken back with its call", ends.error !== undefined &&
		(kind.era === "modern" ? taken.length === 0 :
		taken.length === 1 &&
		taken[0].params.requestId === forms(c)[0].id));
	stop = new AbortController();
	const { end: again } = await call(2);
	const gone = await c.close();
	stop.abort("gone");
	ok("gone after close with a question open", open === 2 &&
		gone <= GONE_MS && (await again).error !== undefined);
	ok("nothing comes late or unasked", c.errors.length === 0, c.errors[0]);
}

// A host that has not said that it can ask is not made to.
async function checkMute(kind, subject, ok) {
	const c = await connect(kind, subject.command, subject.env);
	const end = await ended(kind.call(c.client, subject.call(0)));
	ok("a host that cannot ask is told so", refused(end, subject) &&
		isAsked(kind, c, 0) && (kind.era === "modern" ?
		c.received.some((m) => m.error?.code === -32021) :
		end.value?.isError === true));
	ok("gone after close", await c.close() <= GONE_MS);
}

async function checkKind(kind, subject) {
	const ok = (name, is, detail) => check(`${kind.label}, ` +
		`${subject.label}: ${name}`, Boolean(is), detail);
	const parts = kind.form === undefined ? [checkMute] :
		[checkAnswers, checkSilence, checkMute];
	for (const part of parts)
		await part(kind, subject, ok).catch((e) =>
			ok(part.name, false, said(e)));
}

await run("elicit.mjs", 120, async () => {
	const { opmcp, standin: binary } = binaries();
	const standin = await startStandin([], binary);
	const subjects = await askers(opmcp, standin, process.argv[4]);
	for (const subject of subjects)
		for (const kind of kinds)
			await checkKind(kind, subject);
	standin.stop();
	return subjects.length > 0;
});
