// SPDX-License-Identifier: MIT
//
// Every line that opmcp writes is checked against the official schema of the
// revision it is written in, strictly (schemas.mjs): answers to every kind
// of request, good and bad, notifications, and requests of opmcp's own.
//
//   node schema.mjs [OPMCP [STANDIN [CONFORMANCE]]]
//
// CONFORMANCE is the binary with the conformance suite's tools, one of which
// asks the user; opmcp asks, too, when it is told to.  No MCP client is in
// between.  Only names of members and codes are printed, never a value.

import { setTimeout as sleep } from "node:timers/promises";
import { askers } from "./askers.mjs";
import { binaries, check, run, said, settings } from "./checks.mjs";
import { revisions, schema } from "./schemas.mjs";
import { startStandin } from "./sdk.mjs";
import { Wire } from "./wire.mjs";

const SLOW_MS = 700;            // how long the stand-in holds an answer back
const ANSWER_MS = 10000;        // an answer that takes longer is missing
const TOO_LONG = 9 << 20;       // bytes, more than a line may have
const TOO_DEEP = 1000;          // arrays in arrays
const MODERN = "2026-07-28";
const META = "io.modelcontextprotocol/";
const CREDENTIALS = "get_1password_credentials";
const HEALTH = "get_health_status";

const tongues = new Map();
for (const name of revisions)
	tongues.set(name, { name, modern: name === MODERN,
		schema: await schema(name) });

// ---- what a message must be ----------------------------------------------

const results = {
	"initialize": "InitializeResult",
	"ping": "EmptyResult",
	"server/discover": "DiscoverResult",
	"tools/list": "ListToolsResult",
	"tools/call": "CallToolResult",
	"prompts/list": "ListPromptsResult",
	"prompts/get": "GetPromptResult",
	"resources/list": "ListResourcesResult",
	"resources/templates/list": "ListResourceTemplatesResult",
	"resources/read": "ReadResourceResult",
	"completion/complete": "CompleteResult",
	"subscriptions/listen": "SubscriptionsListenResult",
};

const sent = {
	"elicitation/create": "ElicitRequest",
	"notifications/cancelled": "CancelledNotification",
	"notifications/progress": "ProgressNotification",
	"notifications/subscriptions/acknowledged":
		"SubscriptionsAcknowledgedNotification",
};

const codes = [-32700, -32600, -32601, -32602, -32603];
const modernErrors = {
	[-32021]: "MissingRequiredClientCapabilityError",
	[-32022]: "UnsupportedProtocolVersionError",
};

const members = (m) => Object.keys(m).sort().join();

// null stands for nothing in this protocol: what is absent is left out.
function nulls(value, where) {
	if (value === null)
		return [`${where} is null`];
	return typeof value !== "object" ? [] : Object.entries(value).flatMap(
		([name, v]) => nulls(v, `${where}/${name}`));
}

function judgeResult({ modern, schema }, m, asked) {
	if (asked === undefined)
		return ["a result that nobody waits for"];
	const { _meta, ...rest } = m.result ?? {};
	const bad = schema.problems(schema.has("JSONRPCResultResponse") ?
		"JSONRPCResultResponse" : "JSONRPCResponse",
	{ ...m, result: rest });        // _meta differs by method
	const name = modern && m.result?.resultType === "input_required" ?
		"InputRequiredResult" : results[asked.method];
	if (name === undefined || !schema.has(name))
		return [...bad, `${asked.method} has no result`];
	if (name === "EmptyResult" && members(m.result) !== "")
		bad.push(`${asked.method}: not {}`);
	if (modern && _meta?.[META + "serverInfo"] === undefined)
		bad.push(`${asked.method}: no serverInfo`);
	return [...bad, ...schema.problems(name, m.result)];
}

// Before 2025-11-25 an error needs an id, also when none can be told: then
// the member is left out all the same.
function judgeError({ modern, schema }, m, asked) {
	const { code } = m.error ?? {};
	const known = modern ? [...codes, ...Object.keys(modernErrors)
		.map(Number)] : [...codes, -32002];
	const name = modern && modernErrors[code] ||
		(schema.has("JSONRPCErrorResponse") ? "JSONRPCErrorResponse" :
		"JSONRPCError");
	const bad = schema.problems(name, { id: 0, ...m });
	if (!known.includes(code))
		bad.push(`${name}: code ${code}`);
	if (!(m.error?.message?.length > 0))
		bad.push(`${name}: no message`);
	if ((asked === undefined) !== (m.id === undefined))
		bad.push(`${name}: an id that nobody waits for`);
	return bad;
}

// Notifications and requests.  Older definitions leave jsonrpc and id out.
function judgeSent({ modern, schema }, m) {
	const name = sent[m.method];
	if (name === undefined || !schema.has(name))
		return [`${m.method} is sent`];
	const known = schema.members(name);
	const { jsonrpc, id, ...rest } = m;
	const all = { ...(known.jsonrpc && { jsonrpc }),
		...(known.id && { id }), ...rest };
	const bad = schema.problems(name, all);
	if (jsonrpc !== "2.0")
		bad.push(`${name}: jsonrpc`);
	if (id !== undefined && (modern || m.method !== "elicitation/create"))
		bad.push(`${name}: has an id`);
	return bad;
}

// What is wrong with a message in a tongue, if anything.  `asked` is the
// request that it answers, or undefined.
function judge(tongue, m, asked) {
	const shapes = ["id,jsonrpc,result", "error,id,jsonrpc",
		"error,jsonrpc", "jsonrpc,method,params",
		"id,jsonrpc,method,params"];
	if (!shapes.includes(members(m ?? {})))
		return [`members: ${members(m ?? {})}`];
	const judges = m.method ? judgeSent : m.error ? judgeError :
		judgeResult;
	return [...nulls(m, ""), ...judges(tongue, m, asked)];
}

// ---- a session -----------------------------------------------------------

const metaOf = (capabilities, version = MODERN) => ({
	[META + "protocolVersion"]: version,
	[META + "clientCapabilities"]: capabilities,
	[META + "clientInfo"]: { name: "opmcp interop", version: "1" },
});

// opmcp in one revision.  Requests are sent with ask(); what comes without
// one is in `loose`.  `problems` has what is wrong, each once.
class Session {
	#wire;
	#asked = new Map();
	#id = 0;
	#wrongId = null;        // of a line that is no request, but has one
	lines = 0;
	loose = [];
	problems = new Set();

	constructor(tongue, capabilities, binary, env) {
		this.tongue = tongue;
		this.capabilities = capabilities;
		this.#wire = new Wire(binary, env, (text) => this.#line(text));
	}

	#line(text) {
		this.lines++;
		if (/[\0-\x1f\u2028\u2029]/.test(text))
			this.problems.add("control characters");
		const m = JSON.parse(text);
		if (Array.isArray(m) && this.tongue.name !== "2025-03-26")
			this.problems.add("an array");
		for (const one of [m].flat())
			this.#message(one, text);
		if (Array.isArray(m))
			this.loose.push(m);
	}

	#message(m, text) {
		const key = m?.method ? undefined : JSON.stringify(m?.id);
		const asked = this.#asked.get(key);
		const about = asked ?? this.#told(m);
		for (const p of judge(about?.tongue ?? this.tongue, m, asked ??
		    (m?.id === this.#wrongId ? {} : undefined)))
			this.problems.add(p);
		if (asked === undefined) {
			this.loose.push(m);
			return;
		}
		this.#asked.delete(key);
		asked.resolve({ ...m, text });
	}

	// The request that a notification is about.  Progress must be about
	// one, and rise.
	#told(m) {
		if (m?.method !== "notifications/progress")
			return undefined;
		const { progressToken, progress } = m.params;
		const about = [...this.#asked.values()].find((a) =>
			a.token === progressToken);
		if (about === undefined || !(progress > about.progress))
			this.problems.add("progress of nothing, or back");
		else
			about.progress = progress;
		return about;
	}

	// Waits for the answer to a request; `id` is JSON text.
	#answer(id, { method, params }, tongue) {
		return new Promise((resolve, reject) => {
			this.#asked.set(JSON.stringify(JSON.parse(id)), {
				method, tongue, resolve, progress: -Infinity,
				token: params?._meta?.progressToken });
			setTimeout(() => reject(new Error(
				`no answer to ${method}`)), ANSWER_MS).unref();
		});
	}

	// Sends a request as it is; resolves to the answer and its text.
	put(request, tongue = this.tongue, id = String(++this.#id)) {
		const answer = this.#answer(id, request, tongue);
		this.#wire.write(`{"jsonrpc":"2.0","id":${id},` +
			JSON.stringify(request).slice(1));
		return answer;
	}

	// The same with what the modern era has in each request.
	ask(method, params = {}, tongue = this.tongue) {
		const all = !tongue.modern ? params : { ...params, _meta: {
			...metaOf(this.capabilities), ...params._meta } };
		return this.put({ method, params: all }, tongue);
	}

	// The requests of a batch and a line with it.
	batch(requests) {
		const made = requests.map((r) => ({ jsonrpc: "2.0",
			id: ++this.#id, ...r }));
		const all = made.map((r) => this.#answer(String(r.id), r,
			this.tongue));
		this.#wire.write(JSON.stringify(made));
		return Promise.all(all);
	}

	notify(method, params) { this.#wire.send({ method, params }); }
	answer(id, result) { this.#wire.send({ id, result }); }

	// What comes after a line that is no request; if it has an id, that may
	// come back.
	async after(line, id = null) {
		const from = this.loose.length;
		this.#wrongId = id;
		this.#wire.write(line);
		await this.ask("tools/list");
		return this.loose.slice(from);
	}

	// Nothing more can be expected for a request.
	forget(id) { this.#asked.delete(JSON.stringify(id)); }

	// The last that came of this kind, when it has.
	async seen(method) {
		for (let ms = 0; ms < ANSWER_MS; ms += 10) {
			const m = this.loose.findLast((l) =>
				l.method === method);
			if (m !== undefined)
				return m;
			await sleep(10);
		}
		throw new Error(`no ${method}`);
	}

	async close() {
		const status = await this.#wire.close();
		this.#wire.wrong.forEach((w) => this.problems.add(w));
		if (status !== 0)
			this.problems.add(`status ${status}`);
	}
}

// A session, opened: { session, has(capability) }.
async function open(tongue, binary, env, capabilities = {}) {
	const session = new Session(tongue, capabilities, binary, env);
	const { result } = tongue.modern ?
		await session.ask("server/discover") :
		await session.ask("initialize", { protocolVersion: tongue.name,
			capabilities, clientInfo: { name: "opmcp interop",
				version: "1" } });
	if (!tongue.modern)
		session.notify("notifications/initialized");
	session.has = (name) => result?.capabilities?.[name] !== undefined;
	return session;
}

// ---- requests ------------------------------------------------------------

const OK = "a result";
const WRONG = "a tool error";
const QUESTION = "a question";

const outcome = ({ result, error }) => error ? error.code :
	result.resultType === "input_required" ? QUESTION :
	result.isError ? WRONG : OK;

const tool = (name, args) => ["tools/call", { name, arguments: args }];

const toolRequests = (login) => [
	["tools/list", {}, OK],
	["tools/list", { cursor: "x" }, -32602],
	["tools/list", { cursor: 7 }, -32602],
	[...tool(HEALTH), OK],
	[...tool(HEALTH, { probe: true }), OK],
	[...tool(HEALTH, { probe: "true" }), WRONG],
	[...tool(CREDENTIALS, { item_name: login.title }), OK],
	[...tool(CREDENTIALS, { item_name: login.id, vault: "AI" }), OK],
	[...tool(CREDENTIALS, { item_name: "No such item" }), WRONG],
	[...tool(CREDENTIALS, { item_name: login.id, vault: "Ops" }), WRONG],
	[...tool(CREDENTIALS, { item_name: 7 }), WRONG],
	[...tool(CREDENTIALS, {}), WRONG],
	[...tool(CREDENTIALS, []), -32602],
	[...tool(CREDENTIALS, "x"), -32602],
	[...tool("no_such_tool", {}), -32602],
	[...tool(7, {}), -32602],
	["tools/call", {}, -32602],
];

// Every prompt with all its arguments, and what is wrong with prompts.
function promptRequests(prompts, values) {
	const all = prompts.map(({ name, arguments: args = [] }) => [
		"prompts/get", { name, arguments: Object.fromEntries(args.map(
			(a) => [a.name, values[a.name]])) }, OK]);
	const asks = prompts.find((p) => p.arguments?.some((a) => a.required));
	return [...all,
		["prompts/list", { cursor: "x" }, -32602],
		["prompts/list", { cursor: 7 }, -32602],
		["prompts/get", { name: asks?.name }, -32602],
		["prompts/get", { name: asks?.name, arguments:
			{ [asks?.arguments[0].name]: 7 } }, -32602],
		["prompts/get", { name: asks?.name, arguments: [] }, -32602],
		["prompts/get", { name: "no_such_prompt" }, -32602],
		["prompts/get", {}, -32602],
	];
}

// Every resource, the pages of a vault, and what is wrong with resources.
function resourceRequests(uris, gone) {
	const read = (uri, due) => ["resources/read", { uri }, due];
	return [...uris.map((uri) => read(uri, OK)),
		["resources/list", { cursor: "x" }, -32602],
		["resources/templates/list", { cursor: "x" }, -32602],
		read("onepassword://no-such-resource", gone),
		read("onepassword://vaults/AI/no-such", gone),
		read("file:///etc/passwd", gone),
		read("no URI", gone),
		read(7, -32602),
		read(undefined, -32602),
	];
}

const complete = (ref, name, value, due) =>
	["completion/complete", { ref, argument: { name, value } }, due];

function completionRequests(prompts, templates) {
	const none = { type: "ref/prompt", name: "no_such_prompt" };
	const nowhere = { type: "ref/resource", uri: "onepassword://none" };
	return [
		...prompts.flatMap(({ name, arguments: args = [] }) =>
			args.map((a) => complete({ type: "ref/prompt", name },
				a.name, "", OK))),
		...templates.map((uri) => complete({ type: "ref/resource",
			uri }, "vault", "A", OK)),
		complete(none, "vault", "", -32602),
		complete(nowhere, "vault", "", -32602),
		complete({ type: "ref/none" }, "vault", "", -32602),
		complete(undefined, "vault", "", -32602),
		["completion/complete", {}, -32602],
	];
}

const noMethods = ["no/such", "", "logging/setLevel", "resources/subscribe",
	"resources/unsubscribe", "sampling/createMessage", "roots/list",
	"elicitation/create", "tasks/list", "notifications/initialized"]
	.map((method) => [method, { uri: "onepassword://vaults",
		level: "info" }, -32601]);

// Of the era that the session is not in.
const otherEra = (modern) => modern ? [["initialize", {}, -32601],
	["ping", {}, -32601]] : [["ping", {}, OK], ["initialize", {}, -32602],
	["initialize", { protocolVersion: 7 }, -32602],
	["server/discover", {}, -32602], ["subscriptions/listen", {}, -32602]];

// ---- the checks ----------------------------------------------------------

// Makes the requests one by one; names those that end otherwise than due.
async function checkRequests(ok, name, session, requests) {
	const bad = [];
	for (const [method, params, due] of requests) {
		const is = outcome(await session.ask(method, params));
		if (is !== due)
			bad.push(`${method} ${JSON.stringify(params)
				.slice(0, 60)}: ${is}, not ${due}`);
	}
	ok(`${requests.length} ${name}`, requests.length > 0 &&
		bad.length === 0, bad.join("; "));
}

// All pages of the items that a template stands for.
async function pages(session, template) {
	const uris = [];
	let uri = template?.replace("{vault}", "AI").replace("{?cursor}", "");
	while (uri !== undefined && uris.length < 10) {
		uris.push(uri);
		const { result } = await session.ask("resources/read", { uri });
		uri = result && JSON.parse(result.contents[0].text).next;
	}
	return uris;
}

// What a method lists; nothing when the capability is not there.
async function listed(session, method, name) {
	const { result } = await session.ask(method);
	return result?.[name] ?? [];
}

async function checkKinds(ok, session, login) {
	const { tongue } = session;
	const values = { item_name: login.title, vault: "AI" };
	const prompts = await listed(session, "prompts/list", "prompts");
	const list = await listed(session, "resources/list", "resources");
	const templates = (await listed(session, "resources/templates/list",
		"resourceTemplates")).map((t) => t.uriTemplate);
	const uris = [...list.map((r) => r.uri),
		...await pages(session, templates[0])];
	const gone = tongue.modern ? -32602 : -32002;
	const also = (capability, requests) => session.has(capability) ?
		requests : requests.map(([method, params]) =>
			[method, params, -32601]);
	const completes = tongue.name === "2024-11-05" ? "prompts" :
		"completions";
	await checkRequests(ok, "requests about tools", session,
		toolRequests(login));
	await checkRequests(ok, "requests about prompts", session,
		also("prompts", promptRequests(prompts, values)));
	await checkRequests(ok, "requests about resources", session,
		also("resources", resourceRequests(uris, gone)));
	await checkRequests(ok, "requests for completions", session,
		also(completes, completionRequests(prompts, templates)));
	await checkRequests(ok, "requests for what there is not", session,
		[...noMethods, ...otherEra(tongue.modern)]);
}

// Ids come back as they were written.
async function checkIds(ok, session) {
	const ids = ["0", "-1", "\"\"", "\"1\"", "9007199254740993",
		"-9223372036854775808", "\"\\\"\\\\\"", "\"\u00e9\u20ac\""];
	const bad = [];
	const params = session.tongue.modern ? { _meta: metaOf({}) } : {};
	for (const id of ids) {
		const { text } = await session.put({ method: "tools/list",
			params }, session.tongue, id);
		if (!text.includes(`"id":${id},`) &&
		    !text.includes(`"id":${id}}`))
			bad.push(id);
	}
	ok(`${ids.length} ids`, bad.length === 0, bad.join());
}

const notRequests = [
	["", []], ["  ", []], ["\r", []],
	["{", [-32700]], ["nonsense", [-32700]], ["{}{}", [-32700]],
	["{\"a\":NaN}", [-32700]], ["{\"a\":01}", [-32700]],
	["{\"a\":\"\t\"}", [-32700]], ["{\"a\":\"\\x\"}", [-32700]],
	[Buffer.from("{\"a\":\"\xff\"}", "latin1"), [-32700]],
	["[".repeat(TOO_DEEP) + "]".repeat(TOO_DEEP), [-32700]],
	["a".repeat(TOO_LONG), [-32600]],
	["null", [-32600]], ["7", [-32600]], ["\"x\"", [-32600]],
	["{}", [-32600]], ["[]", [-32600]],
	["{\"id\":\"x\",\"method\":\"ping\"}", [-32600], "x"],
	["{\"jsonrpc\":\"2.0\",\"id\":\"x\"}", [-32600], "x"],
	["{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":7}", [-32600], "x"],
	["{\"jsonrpc\":\"1.0\",\"method\":\"ping\"}", [-32600]],
	["{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"ping\"}", [-32600]],
	["{\"jsonrpc\":\"2.0\",\"id\":1.5,\"method\":\"ping\"}", [-32600]],
	["{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"ping\"}", [-32600]],
	["{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}", []],
	["{\"jsonrpc\":\"2.0\",\"method\":\"no/such\"}", []],
	["{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",\"params\":7}", []],
	["{\"jsonrpc\":\"2.0\",\"method\":\"notifications/cancelled\"}", []],
	["{\"jsonrpc\":\"2.0\",\"id\":\"s1\",\"result\":{}}", []],
	["{\"jsonrpc\":\"2.0\",\"id\":77,\"error\":{\"code\":1}}", []],
];

async function checkLines(ok, session) {
	const bad = [];
	for (const [line, due, id] of notRequests) {
		const got = await session.after(line, id);
		const is = got.map((m) => m.error?.code);
		if (is.join() !== due.join() || got[0]?.id !== id)
			bad.push(`${String(line).slice(0, 40)}: ${is}`);
	}
	ok(`${notRequests.length} lines that are no requests`,
		bad.length === 0, bad.join("; "));
}

// Arrays are of 2025-03-26 only.
async function checkBatch(ok, session, login) {
	const one = { method: "tools/list", params: {} };
	const [method, params] = tool(CREDENTIALS, { item_name: login.title });
	if (session.tongue.name !== "2025-03-26") {
		const got = await session.after(JSON.stringify([one]));
		ok("a batch is refused", got.length === 1 &&
			got[0].error?.code === -32600);
		return;
	}
	const answers = await session.batch([one, { method, params },
		{ method: "no/such" }, { method: "initialize", params: {
			protocolVersion: "2025-03-26" } }]);
	ok("a batch", answers.map(outcome).join() ===
		[OK, OK, -32601, -32600].join() && session.loose.some((m) =>
		Array.isArray(m) && m.length === 4));
	const got = await session.after(
		"[7,{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}]");
	ok("a batch of what is no request", got.flat().length === 2 &&
		got.flat().every((m) => m.error?.code === -32600));
	const quiet = await session.after(
		"[{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}]");
	ok("a batch of notifications", quiet.length === 0);
}

// What is wrong with what each modern request has in _meta.
async function checkMeta(ok, session) {
	const modern = tongues.get(MODERN);
	const put = async (meta, method = "tools/list") => outcome(
		await session.put({ method, params: { _meta: meta } }, modern));
	const less = (name) => ({ ...metaOf({}), [META + name]: undefined });
	const more = (name, v) => ({ ...metaOf({}), [META + name]: v });
	const is = [
		await put(metaOf({})),
		await put(metaOf({}, "2099-01-01")),
		await put(metaOf({}, "2025-11-25"), "server/discover"),
		await put(metaOf({}, 7)),
		await put(less("clientCapabilities")),
		await put(more("clientCapabilities", [])),
		await put(more("logLevel", "loud")),
		await put(more("logLevel", "warning")),
		await put(less("clientInfo")),
	];
	ok("modern requests, right and wrong", is.join() === [OK, -32022,
		-32022, -32602, -32602, -32602, -32602, OK, OK].join(),
		is.join());
}

// A slow call with a token of either type; and one that is cancelled.
async function checkSlow(ok, session, login, standin) {
	const seen = () => session.loose.filter((m) =>
		m.method === "notifications/progress");
	const [method, params] = tool(CREDENTIALS, { item_name: login.id });
	for (const progressToken of ["p", 7]) {
		const before = seen().length;
		await standin.ask(`fault item slow ${SLOW_MS} x1`);
		const is = outcome(await session.ask(method,
			{ ...params, _meta: { progressToken } }));
		ok(`progress of ${JSON.stringify(progressToken)}`, is === OK &&
			(seen().length > before || !session.has("prompts")));
	}
	await standin.ask(`fault item slow ${SLOW_MS} x1`);
	const requestId = "to be cancelled";
	const all = session.tongue.modern ? { ...params, _meta: metaOf({}) } :
		params;
	session.put({ method, params: all }, session.tongue,
		JSON.stringify(requestId)).catch(() => {});
	await sleep(SLOW_MS / 3);
	session.notify("notifications/cancelled", { requestId });
	session.forget(requestId);
	await sleep(SLOW_MS);
	await standin.ask("clear");
}

// Two streams; one is cancelled, the other lasts to the end of the session.
async function checkListen(ok, session) {
	const all = ["toolsListChanged", "promptsListChanged",
		"resourcesListChanged"];
	const notifications = { ...Object.fromEntries(all.map((n) =>
		[n, true])), resourceSubscriptions: ["onepassword://vaults"] };
	const bad = outcome(await session.ask("subscriptions/listen"));
	ok("listening to nothing named is refused", bad ===
		(session.has("prompts") ? -32602 : -32601), `${bad}`);
	if (!session.has("prompts"))
		return () => {};
	const streams = ["a", "b"].map((id) => session.put({
		method: "subscriptions/listen", params: { notifications,
			_meta: metaOf({}) } }, session.tongue,
	JSON.stringify(id)).catch(() => {}));
	await session.ask("tools/list");
	const ids = session.loose.filter((m) => sent[m.method] ===
		"SubscriptionsAcknowledgedNotification").map((m) =>
		m.params._meta?.[META + "subscriptionId"]);
	ok("two streams are acknowledged", ids.join() === "a,b");
	session.notify("notifications/cancelled", { requestId: "a" });
	session.forget("a");
	return async () => ok("the open stream ends with the session",
		(await streams[1])?.result?._meta[META + "subscriptionId"] ===
		"b");
}

// Whatever is served beside the session's own revision.
async function checkOther(ok, session) {
	const modern = tongues.get(MODERN);
	const is = [await session.ask("server/discover", {}, modern),
		await session.ask("tools/list", {}, modern)].map(outcome);
	ok("modern requests beside the session", is.join() === [OK, OK].join());
}

function checkEnd(ok, session) {
	ok(`all ${session.lines} lines fit the schema`,
		session.lines > 0 && session.problems.size === 0,
		[...session.problems].slice(0, 8).join("; "));
}

async function checkRevision(tongue, opmcp, standin, login) {
	const ok = (name, is, detail) =>
		check(`${tongue.name}: ${name}`, Boolean(is), detail);
	const session = await open(tongue, opmcp, settings(standin.token));
	await checkKinds(ok, session, login);
	await checkIds(ok, session);
	await checkLines(ok, session);
	await checkBatch(ok, session, login);
	await checkMeta(ok, session);
	await checkSlow(ok, session, login, standin);
	if (!tongue.modern)
		await checkOther(ok, session);
	const last = tongue.modern ? await checkListen(ok, session) :
		() => {};
	await session.close();
	await last();
	checkEnd(ok, session);
}

// Requests before there is a session.
async function checkEarly(opmcp, env) {
	const ok = (name, is, detail) => check(`early: ${name}`, is, detail);
	const tongue = tongues.get("2025-11-25");
	const session = new Session(tongue, {}, opmcp, env);
	const is = [];
	for (const method of ["ping", "tools/list", "no/such",
		"server/discover"])
		is.push(outcome(await session.ask(method)));
	ok("requests without a session", is.join() === [OK, -32602, -32602,
		-32602].join(), is.join());
	const { result } = await session.ask("initialize",
		{ protocolVersion: "1999-01-01", capabilities: {} });
	ok("an unknown revision is answered with the newest",
		result?.protocolVersion === tongue.name);
	await session.close();
	checkEnd(ok, session);
}

// ---- questions -----------------------------------------------------------

// The legacy way: a request of the server's, answered.
async function askedLegacy(session, params, answer) {
	const call = session.ask("tools/call", params);
	const before = session.loose.length;
	const m = await session.seen("elicitation/create");
	session.loose.length = before;
	session.answer(m.id, answer);
	return call;
}

// What a repeated call has besides: the same answer to all questions.
const replyTo = ({ result: { inputRequests, requestState } }, answer) => ({
	inputResponses: Object.fromEntries(Object.keys(inputRequests)
		.map((key) => [key, answer])),
	requestState });

// The modern way: the result is a question, and the call is repeated.
async function askedModern(session, params, answer) {
	const first = await session.ask("tools/call", params);
	return outcome(first) === QUESTION ? session.ask("tools/call",
		{ ...params, ...replyTo(first, answer) }) : first;
}

// Modern answers that are none: a state that is not ours, or another call's,
// or used already; an answer of another type, or to another question.
async function checkStates(ok, session, subject) {
	const accept = { action: "accept", content: subject.content(0) };
	const put = async (n, more) => outcome(await session.ask("tools/call",
		{ ...subject.call(n), ...more }));
	const reply = async () => replyTo(await session.ask("tools/call",
		subject.call(0)), accept);
	const good = await reply();
	const is = [
		await put(0, { ...good, requestState: "x" }),
		await put(0, { ...good, requestState: 7 }),
		await put(1, good),
		await put(0, good),
		await put(0, good),
		await put(0, { ...await reply(), inputResponses: 7 }),
		await put(0, { ...await reply(), inputResponses: { x: 7 } }),
		await put(0, { inputResponses: good.inputResponses }),
	];
	const again = (x) => x === QUESTION || x === -32602;
	ok("answers to nothing", is.slice(0, 5).join() === [-32602, -32602,
		-32602, OK, -32602].join() && is.slice(5).every(again),
		is.join());
}

// What becomes of a call by answer: { name: [answer, is(result)] }.
const answers = (subject) => ({
	accept: [{ action: "accept", content: subject.content(0) },
		(r) => subject.isDone(r, 0)],
	decline: [{ action: "decline" },
		(r) => subject.isRefused(r, "decline")],
	cancel: [{ action: "cancel" },
		(r) => subject.isRefused(r, "cancel")],
});

async function checkQuestions(tongue, subject) {
	const ok = (name, is, detail) => check(`${tongue.name}, ` +
		`${subject.label}: ${name}`, Boolean(is), detail);
	const form = tongue.name < "2025-11-25" ? {} : { form: {} };
	const session = await open(tongue, subject.command, subject.env,
		{ elicitation: form });
	const asked = tongue.modern ? askedModern : askedLegacy;
	for (const [name, [answer, is]] of Object.entries(answers(subject))) {
		const m = await asked(session, subject.call(0), answer);
		ok(name, m.result?.resultType !== "input_required" &&
			is(m.result));
	}
	if (tongue.modern)
		await checkStates(ok, session, subject);
	await session.close();
	checkEnd(ok, session);
	const mute = await open(tongue, subject.command, subject.env);
	const is = outcome(await mute.ask("tools/call", subject.call(0)));
	ok("a host that cannot ask is told", is ===
		(tongue.modern ? -32021 : WRONG), `${is}`);
	await mute.close();
	checkEnd(ok, mute);
}

// ---- teeth ---------------------------------------------------------------

// What must not pass: a right answer with one thing wrong.
const mistakes = {
	"null": (m) => { m.result.nextCursor = null; },
	"no list": (m) => { delete m.result.tools; },
	"no name": (m) => { delete m.result.tools[0].name; },
	"a number for a name": (m) => { m.result.tools[0].name = 7; },
	"another member in the result": (m) => { m.result.more = 1; },
	"another member in the list": (m) => { m.result.tools[0].more = 1; },
	"another member in the message": (m) => { m.more = 1; },
	"a mark of the other era": (m, modern) => {
		if (modern)
			delete m.result.resultType;
		else
			m.result.resultType = "complete";
	},
	"another id": (m) => { m.id = "x"; },
	"an error of no code": (m) => {
		delete m.result;
		m.error = { code: -32000, message: "x" };
	},
};

function checkTeeth(tongue) {
	const { modern, name } = tongue;
	const right = () => ({ jsonrpc: "2.0", id: 1, result: { tools: [
		{ name: "x", inputSchema: { type: "object" } }],
	...(modern && { resultType: "complete", ttlMs: 0, cacheScope: "public",
		_meta: { [META + "serverInfo"]: { name: "x",
			version: "1" } } }) } });
	const judged = (m) => judge(tongue, m, m.id === 1 ?
		{ method: "tools/list" } : undefined);
	const passed = Object.keys(mistakes).filter((mistake) => {
		const m = right();
		mistakes[mistake](m, modern);
		return judged(m).length === 0;
	});
	check(`${name}: the schema refuses ${Object.keys(mistakes).length} ` +
		"wrong messages", judged(right()).length === 0 &&
		passed.length === 0, passed.join());
}

// ---- the run -------------------------------------------------------------

async function checkAsking(subject) {
	for (const name of ["2025-06-18", "2025-11-25", MODERN])
		await checkQuestions(tongues.get(name), subject).catch((e) =>
			check(`${name}, ${subject.label}`, false, said(e)));
}

await run("schema.mjs", 120, async () => {
	const { opmcp, standin: binary } = binaries();
	const standin = await startStandin(["--items", "120"], binary);
	const title = "Login for the schema test";
	await standin.ask(`add\tAI\t${title}\tann\tpw-ann-1234`);
	const [, , id] = (await standin.ask("list")).map((r) => r.split("\t"))
		.find((r) => r[3] === title);
	await checkEarly(opmcp, settings(standin.token));
	for (const tongue of tongues.values()) {
		checkTeeth(tongue);
		await checkRevision(tongue, opmcp, standin, { id, title })
			.catch((e) => check(tongue.name, false, said(e)));
		await standin.ask("clear");
	}
	for (const subject of await askers(opmcp, standin, process.argv[4]))
		await checkAsking(subject);
	standin.stop();
});
