// A receiver of WeCom's callbacks as one would write it for Node: @wecom/crypto, Fastify, pg.
//
// It verifies, decrypts and parses each callback, stores it with one INSERT, and answers after that. The benchmark
// `peers` starts it and gives it its apps, its database and its address in the environment.

import cluster from "node:cluster";
import { createHash } from "node:crypto";

import { decrypt, getSignature } from "@wecom/crypto";
import { XMLParser } from "fast-xml-parser";
import Fastify from "fastify";
import pg from "pg";

const apps = new Map(Object.entries(JSON.parse(process.env.PEER_APPS)));
const processes = Number(process.env.PEER_PROCESSES);
const insert = {
  name: "insert",
  text: "insert into rival (event_at, app_id, hash, plaintext) values ($1, $2, $3, $4) on conflict do nothing",
};

if (processes > 1 && cluster.isPrimary) {
  for (let number = 0; number < processes; number += 1) cluster.fork();
} else {
  await serve();
}

async function serve() {
  const max = Number(process.env.PEER_CONNECTIONS);
  const pool = new pg.Pool({ max, idleTimeoutMillis: 0 });
  const parser = new XMLParser({ parseTagValue: false });
  const fastify = Fastify({ logger: false });
  fastify.addContentTypeParser("text/xml", { parseAs: "string" }, (_request, body, done) => done(null, body));
  fastify.post("/callback/:name", async (request, reply) => {
    const app = apps.get(request.params.name);
    if (!app) return reply.code(404).send();
    const { msg_signature: signature, timestamp, nonce } = request.query;
    const encrypted = parser.parse(request.body).xml.Encrypt;
    if (getSignature(app.token, timestamp, nonce, encrypted) !== signature) return reply.code(403).send();
    const { message, id } = decrypt(app.encoding_aes_key, encrypted);
    if (id !== app.receive_id) return reply.code(403).send();
    const plaintext = Buffer.from(message);
    const at = new Date(Number(parser.parse(message).xml.CreateTime) * 1000);
    const hash = createHash("sha256").update(plaintext).digest();
    await pool.query({ ...insert, values: [at, app.id, hash, plaintext] });
    return reply.type("text/plain").send("success");
  });
  await fastify.listen({ host: "127.0.0.1", port: Number(process.env.PEER_PORT) });
}
