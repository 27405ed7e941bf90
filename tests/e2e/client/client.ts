// What a front end does, on the client that openapi-typescript generates: it must compile without a cast.
import createClient from "openapi-fetch";
import type { paths } from "./schema.js";

const [, , baseUrl, username] = process.argv as [string, string, string, string];
const api = createClient<paths>({ baseUrl });

const account = { username, email: `${username}@example.com`, password: "four dancing goats" };
const registered = await api.POST("/v1/accounts", { body: account });
if (registered.error) throw new Error(registered.error.code);

const session = await api.POST("/v1/sessions", { body: { login: username, password: account.password } });
if (session.error) throw new Error(session.error.code);
const headers = { Authorization: `Bearer ${session.data.token}` };

const spin = await api.POST("/v1/wheel/spins", { headers, body: { client_seed: "lucky-goat" } });
if (spin.error) throw new Error(spin.error.code);
const again = await api.POST("/v1/wheel/spins", { headers });
if (again.error?.code !== "already_spun") throw new Error("a second spin was not refused");
const nextSpinAt: string = again.error.next_spin_at;
const spinId: number = again.error.spin_id;

// A field with a default may be absent, and has one of its values in the response.
const ticket = await api.POST("/v1/tickets", { headers, body: { subject: "Goat", description: "Please help." } });
const priority: "low" | "medium" | "high" | undefined = ticket.data?.priority;

// A query parameter may be absent, and is never null.
const races = await api.GET("/v1/races", { params: { query: { limit: 1 } } });
const status: "upcoming" | "live" | "completed" | "cancelled" | undefined = races.data?.items[0]?.status;

const refused = await api.POST("/v1/accounts", { body: { ...account, email: "nothing" } });
const pointer = refused.error?.code === "validation_failed" ? refused.error.errors[0]?.pointer : undefined;

// Everything about the member, whatever tables there are.
const exported = await api.GET("/v1/me/export", { headers });
const member: unknown = exported.data?.member;

console.log(JSON.stringify({ spinId, nextSpinAt, spin: spin.data, priority, status, pointer, member }));
