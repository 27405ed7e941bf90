// The draw as docs/fairness.md describes it, on Node's crypto. It shares no code with the platform and the verifier.
// It reads a JSON array of {server_seed, client_seed, nonce, weights} and writes the indices of the drawn segments.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

function* numbers(serverSeed, clientSeed, nonce) {
  for (let round = 0; ; round++) {
    const digest = createHmac("sha256", serverSeed).update(`${clientSeed}:${nonce}:${round}`).digest();
    for (let start = 0; start < 32; start += 8) yield digest.readBigUInt64BE(start);
  }
}

function draw({ server_seed, client_seed, nonce, weights }) {
  const shares = weights.map(BigInt);
  const total = shares.reduce((sum, share) => sum + share, 0n);
  const limit = ((1n << 64n) / total) * total;
  for (const number of numbers(Buffer.from(server_seed, "hex"), client_seed, nonce)) {
    if (number >= limit) continue;
    let rest = number % total;
    return shares.findIndex((share) => (rest -= share) < 0n);
  }
}

const draws = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(draws.map(draw)));
