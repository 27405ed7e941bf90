-- Rows as the legacy application leaves them, the odd ones included: spins of nobody, empty texts, the largest amounts.
INSERT INTO users (username, password, email, is_admin, email_verified, profile_color, created_at, uid, total_wager, verified) VALUES
    ('ann', '9f86d081.salt', 'ann@example.com', true, true, '#D7FF00', '2025-01-01 00:00:00.123456', 'g-1', 1234567890.12345678, true),
    ('Ann', '9f86d081.salt', 'ANN@example.com', false, null, null, '2025-03-30 02:30:00', null, 9999999999.99999999, false),
    ('', 'x', '', false, false, '', '2024-02-29 23:59:59.999999', '', 0, false);
INSERT INTO wheel_spins (user_id, segment_index, reward_code, timestamp) VALUES
    (1, 0, 'GOATED5', '2025-01-01 10:00:00'), (1, 15, null, '2025-01-01 11:00:00'), (null, -1, '', '2025-01-02 00:00:00');
INSERT INTO bonus_codes (code, user_id, claimed_at, expires_at, is_used) VALUES
    ('WELCOME', 1, '2025-01-01', '2025-02-01', true), ('welcome', null, '2025-01-01', '2099-12-31', false);
INSERT INTO wager_races (title, type, status, prize_pool, start_date, end_date, min_wager, prize_distribution, rules) VALUES
    ('January', 'monthly', 'completed', 500.00, '2025-01-01', '2025-02-01', 0, '{"1": 25, "2": 15}', null),
    ('Now', 'weekly', 'live', 9999999999999999.99, '2025-01-01', '2099-01-01', 10.50, '{}', 'None');
INSERT INTO wager_race_participants (race_id, user_id, total_wager, rank, wager_history) VALUES
    (1, 1, 100.25, 1, '[{"at": "2025-01-01", "total": 100.25}]'), (1, 1, 5, null, null), (2, 2, 0, null, '[]'), (null, null, 1, 0, null);
INSERT INTO historical_races (month, year, prize_pool, start_date, end_date, participants, total_wagered, participant_count, metadata) VALUES
    ('12', '2024', 99999999.99, '2024-12-01', '2025-01-01', '[{"name": "ann", "wagered": 12.5}]', 12.50, '1', '{"source": "import"}');
INSERT INTO support_tickets (user_id, subject, description, status, priority) VALUES
    (1, 'Bonus', 'Where is it?', 'in_progress', 'high'), (null, '', '', 'odd', 'odd');
INSERT INTO ticket_messages (ticket_id, user_id, message, is_staff_reply) VALUES (1, 1, 'Hello?', false), (1, 2, 'Here.', true), (null, null, '', false);
INSERT INTO newsletter_subscriptions (email, is_subscribed, unsubscribed_at, source) VALUES
    ('ann@example.com', true, null, 'footer'), ('Bob@Example.com', false, '2025-01-05', null);
INSERT INTO notification_preferences (promotional_offers) VALUES (false), (true);
