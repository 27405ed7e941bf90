-- Years of the legacy application in one place: rows that collide, that nobody owns, that hold what a column can hold.
-- The comments say which rows of a group are not its first: those need a person's decision.
INSERT INTO users (username, password, email, is_admin, email_verified, bio, profile_color, created_at, last_active, uid, total_wager, verified) VALUES
    ('Goat', 'x', 'Goat@Example.com', true, true, E'\U0001F410\n\t', '#D7FF00', '2024-02-29 23:59:59.999999', null, 'g-1', 1234567890.12345678, true),
    ('goat', 'x', 'goat@example.com', false, null, '', null, '2025-03-30 02:30:00', '2025-03-30 02:30:00', 'G-1', 9999999999.99999999, false),  -- 2: both
    ('GOAT', 'x', 'other@example.com', false, false, null, '', '0001-01-01', 'infinity', '', 0.00000001, false),  -- 3: the name
    ('billy', 'x', 'BILLY@example.com', false, false, null, 'red', '9999-12-31 23:59:59.999999', '-infinity', null, 'NaN', false),
    ('kid', 'x', 'billy@EXAMPLE.com', false, false, null, null, '0044-03-15 12:00:00 BC', null, null, -1, false),  -- 5: the address
    ('', '', '', false, false, repeat('x', 100000), null, 'infinity', '294276-12-31 23:59:59.999999', null, 0, false),
    (' goat', 'x', 'goat@example.com ', false, false, null, null, '-infinity', null, null, 0, false),
    (E'Zoe\u0308', 'x', E'Zo\u00eb@example.com', false, false, null, null, '2025-10-26 01:30:00.000001', null, null, 0, false);
INSERT INTO users (username, password, email, created_at, uid, total_wager)
    SELECT 'member-' || n, md5(n::text) || '.salt', 'member-' || n || '@example.com', timestamp '2020-01-01' + n * interval '1 minute', 'uid-' || n, n / 3.0
    FROM generate_series(1, 100000) n;

INSERT INTO wheel_spins (user_id, segment_index, reward_code, timestamp) VALUES
    (1, 0, 'GOATED5', '2025-01-01 00:00:00'), (1, 15, null, '2025-01-01 00:00:00'), (1, 3, '', '2025-01-01 12:00:00.5'),
    (1, 3, 'x', '2025-01-01 23:59:59.999999'), (1, -1, null, '2025-01-01 23:59:59.999999'),  -- 2 to 5
    (1, 0, null, '2025-01-02 00:00:00'), (null, 2147483647, '', '2025-01-01'), (null, 0, null, '2025-01-01'),
    (3, 0, null, 'infinity'), (4, 0, null, '0044-03-15 BC'), (4, 0, null, '2024-02-29');
INSERT INTO wheel_spins (user_id, segment_index, timestamp)
    SELECT n, n % 7, timestamp '2025-01-01' + n % 400 * interval '1 day' FROM generate_series(1001, 21000) n;

INSERT INTO bonus_codes (code, user_id, claimed_at, expires_at, is_used) VALUES
    ('WELCOME-GOAT', 1, '2025-01-01', '2025-02-01', true), ('welcome goat', 2, '2025-01-01', '2099-12-31', false),  -- 2
    ('', null, 'infinity', 'infinity', false), ('FREE', null, '2025-01-01', '2099-12-31', false), ('MINE', 9, '2025-01-01', '2099-12-31', false),
    ('LOST', null, '2025-01-01', '2099-12-31', true);

INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution, rules, description) VALUES
    ('January', 'monthly', 'completed', 500.00, '2025-01-01', '2025-02-01', 0, '{"1": 25, "2": 15}', null, null),
    ('Forgotten', 'weekly', 'live', 9999999999999999.99, '2025-01-01', '2025-01-08', 10.50, '[]', 'None', ''),
    ('Running', 'weekly', 'live', 100, now() - interval '2 days', now() + interval '5 days', 0, '{"1": 100}', null, null),
    ('Ahead of itself', 'odd', 'odd', 0, '2026-01-01', '2999-01-01', 'NaN', '"all to the first"', null, null),
    ('Endless', 'weekend', 'upcoming', 1, '2999-01-01', 'infinity', 0, 'null', null, null),
    ('Backwards', 'weekly', 'completed', 1, '2025-02-01', '2025-01-01', 0, '{"1": 33.333333333333333333333333333333333333, "2": 1e-300}', null, null);
INSERT INTO wager_race_participants (race_id, user_id, total_wager, rank, joined_at, wager_history) VALUES
    (1, 1, 100.25, 1, '2025-01-01', '[{"at": "2025-01-01", "total": 100.25}]'), (1, 1, 5, null, '2025-01-02', null),  -- 2
    (1, 9, 100.25, 1, '2025-01-01', 'null'), (3, 9, 12.34, 1, now(), '[{"at": "2025-01-01", "total": 12.34}]'),
    (3, 10, 9999999999999999.99, 2, now(), '"\u00e9\ud83d\udc10\""'), (3, 9, 99, null, now(), '{}'),  -- 6
    (null, 1, 1, 0, now(), null), (null, 1, 1, 0, now(), null), (1, null, 0, -1, 'infinity', null), (1, null, 'NaN', null, '0001-01-01', '[]');
INSERT INTO wager_race_participants (race_id, user_id, total_wager, rank)
    SELECT 3, n, 100000 - n, n FROM generate_series(101, 1100) n;
INSERT INTO historical_races (month, year, prize_pool, start_date, end_date, participants, total_wagered, participant_count, metadata) VALUES
    ('12', '2024', 99999999.99, '2024-12-01', '2025-01-01', '[{"username": "Goat", "email": "goat@example.com", "uid": "g-1", "wagered": 12.5}]', 12.50, '1', '{}'),
    ('', '', 'NaN', '-infinity', 'infinity', (repeat('[', 200) || repeat(']', 200))::jsonb, 0, 'many', '{"": null, "\u0007": 123456789012345678901234567890.123456789}');

INSERT INTO support_tickets (user_id, subject, description, status, priority, created_at) VALUES
    (1, 'Bonus', 'Where is it?', 'in_progress', 'high', '2025-01-01'), (null, '', '', 'odd', 'odd', 'infinity'), (2, 'x', 'x', 'closed', 'low', '2024-02-29');
INSERT INTO ticket_messages (ticket_id, user_id, message, is_staff_reply) VALUES
    (1, 1, 'Hello?', false), (1, 2, E'Here.\r\n\u202e', true), (null, null, '', false), (3, null, 'x', true);
INSERT INTO newsletter_subscriptions (email, is_subscribed, subscribed_at, unsubscribed_at, source) VALUES
    ('Goat@Example.com', true, '2025-01-01', null, 'footer'), ('goat@example.com', false, '2025-01-01', '2025-01-05', null),  -- 2
    ('GOAT@EXAMPLE.COM', true, 'infinity', '-infinity', ''), ('', true, '2025-01-01', null, null);  -- 3
INSERT INTO notification_preferences (promotional_offers) VALUES (false), (true);  -- 1 and 2
