// The legacy application as its database meets it: evaluates the script in each line of stdin, answers each with a line.
import * as crypto from "node:crypto";
import { createInterface } from "node:readline";
import * as operators from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import { createInsertSchema, createSelectSchema } from "drizzle-zod";
import pg from "pg";

const schema = await import(process.env.SCHEMA);
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
const db = drizzle(pool, { schema });
const tables = Object.values(schema).filter((value) => operators.is(value, operators.Table));
const known = { ...operators, ...schema, tables, createInsertSchema, createSelectSchema, crypto, db };

async function run({ script, given }) {
  const names = { ...known, ...given };
  return await Function(...Object.keys(names), `return ${script}`)(...Object.values(names));
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await run(JSON.parse(line)).then(
    (result) => ({ result }),
    (error) => ({ error: String(error.cause ?? error) }),
  );
  console.log(JSON.stringify(answer));
}
await pool.end();
