// A push service and its browsers: verifies the tokens (RFC 8292) and decrypts the messages (RFC 8291) of senders.
// Standard input: a JSON list of requests; standard output: key, header and claims of each token, and the message's text.
import { createECDH, createPublicKey, verify } from "node:crypto";
import ece from "http_ece";

const json = (part) => JSON.parse(Buffer.from(part, "base64url"));

function readToken(authorization) {
  const [, token, key] = /^vapid t=([\w.-]+), ?k=([\w-]+)$/.exec(authorization);
  const [header, claims, signature] = token.split(".");
  const point = Buffer.from(key, "base64url");
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString("base64url"));
  const publicKey = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
  const isSigned = verify("sha256", Buffer.from(`${header}.${claims}`), { key: publicKey, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"));
  if (!isSigned) throw new Error("the token is not signed by its key");
  return { key, header: json(header), claims: json(claims) };
}

function decrypt({ body, privateKey, auth }) {
  const key = createECDH("prime256v1");
  key.setPrivateKey(privateKey, "base64url");
  return ece.decrypt(Buffer.from(body, "base64url"), { version: "aes128gcm", privateKey: key, authSecret: auth }).toString();
}

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const requests = JSON.parse(Buffer.concat(chunks));
console.log(JSON.stringify(requests.map((request) => ({ ...readToken(request.authorization), text: decrypt(request) }))));
