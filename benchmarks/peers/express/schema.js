// The tables that the routes use.
import { boolean, customType, decimal, integer, jsonb, pgTable, serial, text, timestamp } from "drizzle-orm/pg-core";

const bytea = customType({ dataType: () => "bytea" });

export const users = pgTable("users", {
  id: serial("id").primaryKey(),
  username: text("username").notNull().unique(),
  email: text("email").notNull().unique(),
  isAdmin: boolean("is_admin").default(false).notNull(),
  emailVerified: boolean("email_verified").default(false),
  bio: text("bio"),
  profileColor: text("profile_color"),
  createdAt: timestamp("created_at").defaultNow().notNull(),
  lastActive: timestamp("last_active"),
  uid: text("uid").unique(),
  totalWager: decimal("total_wager", { precision: 18, scale: 8 }).default("0").notNull(),
  wagerToday: decimal("wager_today", { precision: 18, scale: 8 }).default("0").notNull(),
  wagerWeek: decimal("wager_week", { precision: 18, scale: 8 }).default("0").notNull(),
  wagerMonth: decimal("wager_month", { precision: 18, scale: 8 }).default("0").notNull(),
  verified: boolean("verified").default(false).notNull(),
  suspendedAt: timestamp("suspended_at"),
  excludedUntil: timestamp("excluded_until"),
  excludedPermanently: boolean("excluded_permanently").default(false).notNull(),
  hideName: boolean("hide_name").default(false).notNull(),
  erasedAt: timestamp("erased_at"),
});

export const sessions = pgTable("sessions", {
  id: serial("id").primaryKey(),
  userId: integer("user_id").notNull().references(() => users.id),
  tokenHash: bytea("token_hash").notNull().unique(),
  expiresAt: timestamp("expires_at").notNull(),
  endedAt: timestamp("ended_at"),
});

export const races = pgTable("wager_races", {
  id: serial("id").primaryKey(),
  title: text("title").notNull(),
  status: text("status").notNull(),
  endDate: timestamp("end_date").notNull(),
  prizeDistribution: jsonb("prize_distribution").notNull(),
  settledAt: timestamp("settled_at"),
  cancelledAt: timestamp("cancelled_at"),
});

export const participants = pgTable("wager_race_participants", {
  id: serial("id").primaryKey(),
  raceId: integer("race_id").references(() => races.id),
  userId: integer("user_id").references(() => users.id),
  memberKey: integer("member_key"),
  isListed: boolean("is_listed").default(false).notNull(),
  totalWager: decimal("total_wager", { precision: 18, scale: 2 }).notNull(),
  rank: integer("rank"),
  joinedAt: timestamp("joined_at").defaultNow().notNull(),
});
