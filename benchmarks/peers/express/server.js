// An API of three routes: a leaderboard, the member's own account, and joining a race.
import { createHash } from "node:crypto";
import { and, asc, eq, isNull, gt } from "drizzle-orm";
import { drizzle } from "drizzle-orm/node-postgres";
import express from "express";
import pg from "pg";
import { z } from "zod";
import { participants, races, sessions, users } from "./schema.js";

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 10, idleTimeoutMillis: 0 });
const db = drizzle(pool);
const app = express();
app.disable("x-powered-by");
app.use(express.json());

class HttpError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const id = z.coerce.number().int().min(1).max(2 ** 31 - 1);
const page = z.object({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  offset: z.coerce.number().int().min(0).default(0),
});

async function authenticate(request, _response, next) {
  const token = /^Bearer +(\S+)$/i.exec(request.get("authorization") ?? "")?.[1];
  const [row] = token
    ? await db
        .select({ user: users })
        .from(sessions)
        .innerJoin(users, eq(users.id, sessions.userId))
        .where(
          and(
            eq(sessions.tokenHash, createHash("sha256").update(token).digest()),
            isNull(sessions.endedAt),
            gt(sessions.expiresAt, new Date()),
          ),
        )
    : [];
  if (!row || row.user.erasedAt) throw new HttpError(401, "Not signed in");
  if (row.user.suspendedAt) throw new HttpError(403, "Suspended");
  request.user = row.user;
  next();
}

app.get("/v1/races/:id/leaderboard", async (request, response) => {
  const raceId = id.parse(request.params.id);
  const { limit, offset } = page.parse(request.query);
  const [race] = await db.select({ id: races.id }).from(races).where(eq(races.id, raceId));
  if (!race) throw new HttpError(404, "No such race");
  const rows = await db
    .select({
      rank: participants.rank,
      userId: users.id,
      username: users.username,
      hideName: users.hideName,
      totalWager: participants.totalWager,
    })
    .from(participants)
    .innerJoin(users, eq(users.id, participants.userId))
    .where(and(eq(participants.raceId, raceId), eq(participants.isListed, true)))
    .orderBy(asc(participants.rank), asc(participants.id))
    .limit(limit + 1)
    .offset(offset);
  response.json({
    items: rows.slice(0, limit).map((row) => ({
      rank: row.rank,
      user_id: row.hideName ? null : row.userId,
      username: row.hideName ? null : row.username,
      total_wager: row.totalWager,
    })),
    next_offset: rows.length > limit ? offset + limit : null,
  });
});

app.get("/v1/me", authenticate, (request, response) => {
  const { user } = request;
  response.json({
    id: user.id,
    username: user.username,
    email: user.email,
    email_verified: user.emailVerified ?? false,
    is_staff: user.isAdmin,
    bio: user.bio,
    profile_color: user.profileColor,
    verified: user.verified,
    uid: user.uid,
    hide_name: user.hideName,
    total_wager: user.totalWager,
    wager_today: user.wagerToday,
    wager_week: user.wagerWeek,
    wager_month: user.wagerMonth,
    excluded_until: user.excludedUntil,
    excluded_permanently: user.excludedPermanently,
    created_at: user.createdAt,
    last_active: user.lastActive,
  });
});

app.post("/v1/races/:id/participants", authenticate, async (request, response) => {
  const raceId = id.parse(request.params.id);
  const { user } = request;
  if (user.excludedPermanently || user.excludedUntil) throw new HttpError(403, "Excluded");
  const participation = await db.transaction(async (tx) => {
    const [race] = await tx.select().from(races).where(eq(races.id, raceId));
    if (!race) throw new HttpError(404, "No such race");
    const mine = and(eq(participants.raceId, raceId), eq(participants.memberKey, user.id));
    const [existing] = await tx.select().from(participants).where(mine);
    if (existing) return { row: existing, created: false };
    if (race.endDate <= new Date() || race.cancelledAt || race.settledAt) throw new HttpError(409, "Closed");
    const [row] = await tx
      .insert(participants)
      .values({ raceId, userId: user.id, memberKey: user.id, totalWager: "0" })
      .returning();
    return { row, created: true };
  });
  const { row, created } = participation;
  response.status(created ? 201 : 200).json({
    race_id: row.raceId,
    user_id: row.userId,
    joined_at: row.joinedAt,
    total_wager: row.totalWager,
    rank: row.rank,
  });
});

app.use((error, _request, response, _next) => {
  const status = error instanceof z.ZodError ? 422 : (error.status ?? 500);
  if (status === 500) console.error(error);
  response.status(status).json({ status, detail: status === 500 ? "Internal error" : error.message });
});

const server = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  console.log(server.address().port);
});
server.keepAliveTimeout = 65_000; // longer than a load balancer's, which would reuse a closed connection
