// SPDX-License-Identifier: MIT
//
// Puts a stdio server behind the Streamable HTTP transport of MCP, because
// the official conformance suite reaches servers by URL only.
//
//   node bridge.mjs PORT COMMAND [ARG...]    serves until it is ended
//   import { startBridge } ...               { url, close() }
//
// HTTP is done here: sessions, streams, status codes, headers, the defence
// against DNS rebinding.  What a message means is left to the server: it is
// passed on whatever it holds, and no answer is made up while the server
// lives.  (Bridges for daily use know better and refuse what is wrong, so
// the suite would judge them.)  Each legacy session has a process of its
// own, which sees the client's ids; the requests of the modern era share
// one, so their ids and progress tokens are replaced by numbers of the
// bridge on the way in and put back on the way out.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import http from "node:http";
import path from "node:path";
import readline from "node:readline";
import { fileURLToPath } from "node:url";

const LEGACY = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
const BODY_MAX = 8 << 20;
const END_MS = 2000;
const META = "io.modelcontextprotocol/";
const SUBSCRIPTION = META + "subscriptionId";
const NAMED = { "tools/call": "name", "prompts/get": "name",
	"resources/read": "uri" };
const STATUS = { "-32601": 404, "-32700": 400, "-32600": 400, "-32602": 400,
	"-32020": 400, "-32021": 400, "-32022": 400 };

const claim = (m) => m.params?._meta?.[META + "protocolVersion"];
const isRequest = (m) => m.method !== undefined && m.id !== undefined;

// ---- answers ------------------------------------------------------------

function plain(res, status, headers = {}) {
	res.writeHead(status, headers).end();
}

function json(res, status, message, headers = {}) {
	res.writeHead(status,
		{ "Content-Type": "application/json", ...headers });
	res.end(JSON.stringify(message));
}

function refuse(res, status, code, message, id) {
	json(res, status, { jsonrpc: "2.0", ...(id === undefined ? {} : { id }),
		error: { code, message } });
}

function startStream(res) {
	res.writeHead(200, { "Content-Type": "text/event-stream",
		"Cache-Control": "no-cache" });
	res.flushHeaders();
}

const event = (res, message) =>
	res.write(`event: message\ndata: ${JSON.stringify(message)}\n\n`);

// ---- one process of the server ------------------------------------------

// `open` holds the requests that the server has not answered yet, by the id
// that it knows; the last one is the newest.
class Server {
	constructor([file, ...args], modern) {
		this.modern = modern;
		this.open = new Map();
		this.last = 0;
		this.child = spawn(file, args, {
			stdio: ["pipe", "pipe", "inherit"] });
		this.gone = new Promise((resolve) => {
			this.child.on("error", resolve).on("close", resolve);
		});
		this.gone.then(() => this.fail());
		this.child.stdin.on("error", () => {});
		readline.createInterface({ input: this.child.stdout })
			.on("line", (line) => this.take(line));
	}

	tell(message) {
		this.child.stdin.write(JSON.stringify(message) + "\n");
	}

	// Ends the process as a host does.  It has END_MS for it.
	end() {
		this.child.stdin.end();
		const late = setTimeout(() => this.child.kill("SIGKILL"),
			END_MS);
		this.gone.then(() => clearTimeout(late));
	}

	// A request of the client; `headers` go with the answer.
	request(message, res, headers = {}) {
		const id = this.modern ? ++this.last : message.id;
		const meta = message.params?._meta;
		const token = meta?.progressToken;
		this.open.set(id, { id: message.id, token, res, headers });
		if (this.modern)
			message = { ...message, id };
		if (this.modern && token !== undefined)
			message.params = { ...message.params,
				_meta: { ...meta, progressToken: id } };
		res.on("close", () => this.left(id)).on("error", () => {});
		this.tell(message);
	}

	// The client has closed the stream of a request.  In the modern era
	// that is how a request is cancelled.
	left(id) {
		if (!this.modern || !this.open.delete(id))
			return;
		this.tell({ jsonrpc: "2.0", method: "notifications/cancelled",
			params: { requestId: id } });
	}

	// One line of the server; with one that is no message it is at its end.
	take(line) {
		let message;
		try {
			message = JSON.parse(line);
		} catch {
			console.error(`not a message: ${line.slice(0, 80)}`);
			this.child.kill("SIGKILL");
			return;
		}
		if (message.method === undefined)
			this.answer(message);
		else
			this.pass(message);
	}

	answer(message) {
		const request = this.open.get(message.id);
		if (request === undefined)
			return;
		this.open.delete(message.id);
		const meta = message.result?._meta;
		if (this.modern && meta?.[SUBSCRIPTION] === message.id)
			meta[SUBSCRIPTION] = request.id;
		message.id = request.id;
		const { res, headers } = request;
		if (res.headersSent) {
			event(res, message);
			res.end();
		} else {
			json(res, this.modern && STATUS[message.error?.code] ||
				200, message, headers);
		}
	}

	// A notification or a request of the server goes to the stream of the
	// request that it names, else of the newest one, else to the stream
	// that the session has opened for such.
	pass(message) {
		const params = message.params;
		const of = params?._meta?.[SUBSCRIPTION];
		let request = [...this.open.values()].at(-1);
		if (of !== undefined && this.open.has(of)) {
			request = this.open.get(of);
			params._meta[SUBSCRIPTION] = request.id;
		} else if (message.method === "notifications/progress") {
			const token = params?.progressToken;
			request = this.modern ? this.open.get(token) :
				[...this.open.values()].find((r) =>
					r.token === token) ?? request;
			if (this.modern && request !== undefined)
				params.progressToken = request.token;
		}
		const res = request?.res ?? this.stream;
		if (res === undefined)
			return;
		if (!res.headersSent)
			startStream(res);
		event(res, message);
	}

	// The process has ended: nothing open will be answered any more.
	fail() {
		for (const { id, res } of this.open.values())
			if (res.headersSent)
				res.end();
			else
				refuse(res, 502, -32603, "the server has ended",
					id);
		this.open.clear();
		this.stream?.end();
	}
}

// ---- the HTTP side ------------------------------------------------------

// A page of another site can make a browser send requests here; its name is
// then in one of these headers.
function isLocal(req) {
	const local = (host) => /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i
		.test(host);
	const origin = req.headers.origin;
	return local(req.headers.host ?? "") && (origin === undefined ||
		/^https?:\/\//.test(origin) && local(origin.split("//")[1]));
}

async function body(req) {
	const parts = [];
	let size = 0;
	for await (const part of req) {
		size += part.length;
		if (size > BODY_MAX)
			return undefined;
		parts.push(part);
	}
	return Buffer.concat(parts).toString("utf8");
}

// A header value may come as =?base64?...?=.
function decoded(value) {
	const coded = /^=\?base64\?(.*)\?=$/.exec(value ?? "");
	if (coded === null)
		return value;
	const bytes = Buffer.from(coded[1], "base64");
	return bytes.toString("base64") === coded[1] ?
		bytes.toString("utf8") : undefined;
}

// The first header of the modern era that does not say what the body says.
// What the body lacks is for the server to complain about.
function mismatch(req, message) {
	const same = (name, value) => value === undefined ||
		decoded(req.headers[name]) === value;
	const member = NAMED[message.method];
	if (!same("mcp-protocol-version", claim(message)) ||
		req.headers["mcp-protocol-version"] === undefined)
		return "MCP-Protocol-Version";
	if (!same("mcp-method", message.method))
		return "Mcp-Method";
	return member !== undefined && !same("mcp-name",
		message.params?.[member]) ? "Mcp-Name" : undefined;
}

class Bridge {
	// `revision` replaces the one that a client asks for in initialize:
	// the suite's own always asks for the newest.
	constructor(command, revision) {
		this.command = command;
		this.revision = revision;
		this.sessions = new Map();
	}

	handle(req, res) {
		if (!isLocal(req))
			plain(res, 403);
		else if (req.url.split("?")[0] !== "/mcp")
			plain(res, 404);
		else if (req.method === "POST")
			this.post(req, res).catch(() => res.destroy());
		else if (req.method === "GET" || req.method === "DELETE")
			this.session(req, res);
		else
			plain(res, 405, { Allow: "GET, POST, DELETE" });
	}

	async post(req, res) {
		const accept = req.headers.accept ?? "";
		if (!/^application\/json\b/.test(req.headers["content-type"]))
			return plain(res, 415);
		if (!accept.includes("application/json") ||
			!accept.includes("text/event-stream"))
			return plain(res, 406);
		const text = await body(req);
		if (text === undefined)
			return plain(res, 413, { Connection: "close" });
		let message;
		try {
			message = JSON.parse(text);
		} catch {
			return refuse(res, 400, -32700, "not JSON");
		}
		if (message === null || typeof message !== "object" ||
			Array.isArray(message))
			return refuse(res, 400, -32600, "not one message");
		const version = req.headers["mcp-protocol-version"];
		if (claim(message) !== undefined || version !== undefined &&
			!LEGACY.includes(version))
			this.modern(req, res, message);
		else
			this.legacy(req, res, message);
	}

	modern(req, res, message) {
		const header = mismatch(req, message);
		if (header !== undefined)
			return refuse(res, 400, -32020,
				`${header} is not what the body says`,
				message.id);
		this.server ??= this.start(true);
		if (isRequest(message))
			return this.server.request(message, res);
		this.server.tell(message);
		plain(res, 202);
	}

	start(modern) {
		const server = new Server(this.command, modern);
		server.gone.then(() => {
			if (this.server === server)
				this.server = undefined;
			this.sessions.delete(server.session);
		});
		return server;
	}

	legacy(req, res, message) {
		const session = req.headers["mcp-session-id"];
		if (session === undefined && message.method === "initialize" &&
			isRequest(message))
			return this.initialize(res, message);
		if (session === undefined)
			return plain(res, 400);
		const server = this.sessions.get(session);
		if (server === undefined)
			return plain(res, 404);
		if (isRequest(message))
			return server.request(message, res);
		server.tell(message);
		plain(res, 202);
	}

	initialize(res, message) {
		const server = this.start(false);
		server.session = randomUUID();
		this.sessions.set(server.session, server);
		if (this.revision !== undefined)
			message.params = { ...message.params,
				protocolVersion: this.revision };
		server.request(message, res,
			{ "Mcp-Session-Id": server.session });
	}

	// GET opens the stream for what belongs to no request, DELETE ends
	// the session.
	session(req, res) {
		const session = req.headers["mcp-session-id"];
		const server = this.sessions.get(session);
		if (server === undefined)
			return plain(res, session === undefined ? 400 : 404);
		if (req.method === "DELETE") {
			this.sessions.delete(session);
			server.end();
			return plain(res, 204);
		}
		if (!(req.headers.accept ?? "").includes("text/event-stream"))
			return plain(res, 406);
		if (server.stream !== undefined)
			return plain(res, 409);
		server.stream = res;
		res.on("close", () => { server.stream = undefined; });
		startStream(res);
	}

	async close() {
		const all = [...this.sessions.values(), this.server]
			.filter((server) => server !== undefined);
		all.forEach((server) => server.end());
		await Promise.all(all.map((server) => server.gone));
	}
}

// Serves `command` (an array) at a port of 127.0.0.1, any when it is 0.
export async function startBridge(command, { port = 0, revision } = {}) {
	const bridge = new Bridge(command, revision);
	const web = http.createServer((req, res) => bridge.handle(req, res));
	await new Promise((resolve, reject) => web.on("error", reject)
		.listen(port, "127.0.0.1", resolve));
	return {
		url: `http://127.0.0.1:${web.address().port}/mcp`,
		async close() {
			await bridge.close();
			web.close();
			web.closeAllConnections();
		},
	};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const [port, ...command] = process.argv.slice(2);
	if (command.length === 0) {
		console.error(`usage: node ${path.basename(process.argv[1])} ` +
			"PORT COMMAND [ARG...]");
		process.exit(64);
	}
	console.log((await startBridge(command, { port: Number(port) })).url);
}
