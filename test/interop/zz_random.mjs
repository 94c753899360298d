import { spawn, spawnSync } from "node:child_process";
import path from "node:path"; import fs from "node:fs"; import readline from "node:readline";
import { fileURLToPath } from "node:url";
import { root } from "./checks.mjs";
import { cageNetwork, renamed, startStandin } from "./sdk.mjs";
const self = fileURLToPath(import.meta.url);
const seed = process.env.SEED ?? "7", N = process.env.N ?? "300";
if (process.argv[2] !== "child") {
  const ca = path.join(root, "test/pki/ca.pem");
  const r = spawnSync(process.execPath, [self, "child"], { env: { ...process.env, NODE_EXTRA_CA_CERTS: ca }, stdio: "inherit" });
  process.exit(r.status);
}
const standin = await startStandin(["--random", seed, N]);
cageNetwork(standin.port);
const sdk = await import("@1password/sdk");
const client = await sdk.createClient({ auth: renamed(standin.token), integrationName: "x", integrationVersion: "v1" });
const vaults = await client.vaults.list();
const ai = vaults.find(v => v.title === "AI");
fs.writeFileSync("/root/w4/adhoc/pol", "permit reveal field *\n", { mode: 0o600 });
const op = spawn(path.join(root, "opmcp"), [], { env: { PATH: process.env.PATH, OP_SERVICE_ACCOUNT_TOKEN: standin.token, OPMCP_HOSTS: "localhost", SSL_CERT_FILE: path.join(root, "test/pki/ca.pem"), OPMCP_RATE: "off", OPMCP_MAX_ITEMS: "1000", OPMCP_AUDIT: "off", OPMCP_REFERENCES: "strict", OPMCP_POLICY: "/root/w4/adhoc/pol", OPMCP_LOG: "error" }, stdio: ["pipe", "pipe", "inherit"] });
const waiting = new Map(); let id = 0;
readline.createInterface({ input: op.stdout }).on("line", l => { const m = JSON.parse(l); waiting.get(m.id)?.(m); });
const rq = (method, params) => new Promise(r => { const i = ++id; waiting.set(i, r); op.stdin.write(JSON.stringify({ jsonrpc: "2.0", id: i, method, params }) + "\n"); });
await rq("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "x", version: "1" } });
const call = async (name, args) => { const m = await rq("tools/call", { name, arguments: args }); return m.result.isError ? { err: m.result.content[0].text } : m.result.structuredContent; };
const items = await client.items.list(ai.id);
let n = 0, bad = 0, okv = 0, oke = 0; const classes = {};
const ov = new Map(); for (let c; ;) { const r = await call("list_items", { vault: "AI", limit: 100, state: "all", ...(c ? { cursor: c } : {}) }); if (r.err) { console.log(r.err); break; } r.items.forEach(x => ov.set(x.id, x)); c = r.next_cursor; if (!c) break; }
console.log("sdk items", items.length, "opmcp items", ov.size);
async function one(ref, note) {
  n++;
  let v, e; try { v = await client.secrets.resolve(ref); } catch (x) { e = String(x.message ?? x); }
  const r = await call("read_secret", { reference: ref });
  if (v !== undefined && r.value === v) { okv++; return; }
  if (v !== undefined && /ssh-format/.test(ref) && r.value && r.value.slice(0, 60) === v.slice(0, 60)) { okv++; return; }
  if (v !== undefined && /attribute/.test(ref) && r.value) { okv++; return; }
  if (e !== undefined && r.err) { oke++; const k = e.slice(0, 110) + " | " + r.err.split(":")[0]; classes[k] = (classes[k] ?? 0) + 1; return; }
  bad++; if (bad < 400) console.log("DIFF", note, JSON.stringify(ref), "sdk:", v !== undefined ? JSON.stringify(v).slice(0, 80) : e, "| op:", JSON.stringify(r.value ?? r.err).slice(0, 140));
}
for (const o of items) {
  let it; try { it = await client.items.get(ai.id, o.id); } catch (x) { console.log("sdk get", o.id, x); continue; }
  const g = await call("get_item", { item: o.id, vault: "AI" });
  if (g.err) { bad++; console.log("get_item", o.id, g.err); continue; }
  if (g.title !== undefined && g.category !== it.category) { bad++; console.log("category", g.category, it.category); }
  for (const f of it.fields) {
    const want = f.fieldType;
    const base = `op://${ai.id}/${o.id}/`;
    await one(base + f.id, f.fieldType);
    await one(base + f.title, f.fieldType);
    if (f.sectionId !== null && f.sectionId !== undefined) await one(base + f.sectionId + "/" + f.id, f.fieldType);
    const s = it.sections.find(x => x.id === f.sectionId); if (s) await one(base + s.title + "/" + f.title, f.fieldType);
    if (f.fieldType === "Totp") await one(base + f.id + "?attribute=otp", "otp");
    if (f.fieldType === "SshKey") { await one(base + f.id + "?ssh-format=openssh", "ssh"); await one(base + "public key", "ssh"); await one(base + "fingerprint", "ssh"); await one(base + "key type", "ssh"); }
  }
  for (const x of ["notesPlain", "notes", "username", "password", "nope", "title"]) await one(`op://${ai.id}/${o.id}/${x}`, x);
  for (const fl of it.files ?? []) { await one(`op://${ai.id}/${o.id}/${fl.attributes.name}`, "file"); await one(`op://${ai.id}/${o.id}/${fl.fieldId}`, "file"); }
  if (it.document) await one(`op://${ai.id}/${o.id}/${it.document.name}`, "document");
  await one(`op://AI/${it.title}/username`, "title");
}
console.log({ n, okv, oke, bad }); for (const [k, v] of Object.entries(classes).sort()) console.log(v, k);
op.stdin.end(); standin.stop(); setTimeout(() => process.exit(0), 200);
