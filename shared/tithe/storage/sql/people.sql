-- name: by_key
-- Whose key this is, while it counts.
SELECT u.id, u.name, u.role FROM api_keys k JOIN users u ON u.id = k.user_id
WHERE k.sha256 = %(sha256)s AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > clock_timestamp())
  AND u.disabled_at IS NULL

-- name: touch_key
UPDATE api_keys SET used_at = clock_timestamp()
WHERE sha256 = %(sha256)s AND (used_at IS NULL OR used_at < clock_timestamp() - interval '1 minute')

-- name: by_session
SELECT u.id, u.name, u.role FROM sessions s JOIN users u ON u.id = s.user_id
WHERE s.sha256 = %(sha256)s AND s.expires_at > clock_timestamp()
  AND s.seen_at > clock_timestamp() - make_interval(days => %(idle_days)s) AND u.disabled_at IS NULL

-- name: touch_session
UPDATE sessions SET seen_at = clock_timestamp()
WHERE sha256 = %(sha256)s AND seen_at < clock_timestamp() - interval '1 minute'

-- name: by_name
SELECT id, name, role FROM users WHERE lower(name) = lower(%(name)s) AND disabled_at IS NULL

-- name: credentials
SELECT id, name, role, password FROM users WHERE lower(name) = lower(%(name)s) AND disabled_at IS NULL

-- name: role_in_project
-- One look for what a request names: the project, or the batch that tells its project and whose it is.
SELECT p.id AS project_id, m.role AS role, b.annotator AS holder
FROM projects p
LEFT JOIN batches b ON b.project_id = p.id AND b.id = %(batch_id)s
LEFT JOIN memberships m ON m.project_id = p.id AND m.user_id = %(user_id)s
WHERE p.deleted_at IS NULL
  AND p.id = coalesce(%(project_id)s::uuid, (SELECT project_id FROM batches WHERE id = %(batch_id)s))

-- name: add
INSERT INTO users (name, role) VALUES (%(name)s, %(role)s) ON CONFLICT DO NOTHING RETURNING id

-- name: users
SELECT u.id, u.name, u.role, u.created_at, u.disabled_at, u.password IS NOT NULL AS has_password,
       (SELECT max(s.seen_at) FROM sessions s WHERE s.user_id = u.id) AS seen_at,
       (SELECT count(*) FROM memberships m WHERE m.user_id = u.id) AS projects
FROM users u WHERE u.name > %(after)s ORDER BY u.name LIMIT %(limit)s

-- name: account
SELECT u.id, u.name, u.role, u.created_at, u.disabled_at, u.password IS NOT NULL AS has_password, NULL::timestamptz AS seen_at,
       (SELECT count(*) FROM memberships m WHERE m.user_id = u.id) AS projects
FROM users u WHERE lower(u.name) = lower(%(name)s)

-- name: any_admin
SELECT EXISTS (SELECT FROM users WHERE role = 'admin' AND disabled_at IS NULL)

-- name: hold_admins
-- Held, so that two at once cannot each take away the other's last fellow.
SELECT id FROM users WHERE role = 'admin' AND disabled_at IS NULL ORDER BY id FOR UPDATE

-- name: first_admin
INSERT INTO users (name, role) SELECT %(name)s, 'admin'
WHERE NOT EXISTS (SELECT FROM users WHERE role = 'admin' AND disabled_at IS NULL)
ON CONFLICT DO NOTHING RETURNING id

-- name: set_role
UPDATE users SET role = %(role)s WHERE id = %(id)s

-- name: set_password
UPDATE users SET password = %(password)s WHERE id = %(id)s

-- name: disable
UPDATE users SET disabled_at = coalesce(disabled_at, clock_timestamp()) WHERE id = %(id)s

-- name: enable
UPDATE users SET disabled_at = NULL WHERE id = %(id)s

-- name: invite
INSERT INTO invitations (sha256, user_id, expires_at)
VALUES (%(sha256)s, %(user_id)s, clock_timestamp() + make_interval(days => %(days)s))

-- name: invited
SELECT u.id, u.name, u.role FROM invitations i JOIN users u ON u.id = i.user_id
WHERE i.sha256 = %(sha256)s AND i.expires_at > clock_timestamp() AND u.disabled_at IS NULL

-- name: accept
-- Whose invitation it was: used up, with all others of theirs. Two at once: one gets it.
DELETE FROM invitations WHERE sha256 = %(sha256)s AND expires_at > clock_timestamp() RETURNING user_id

-- name: drop_invitations
DELETE FROM invitations WHERE user_id = %(user_id)s

-- name: open_session
INSERT INTO sessions (sha256, user_id, expires_at)
VALUES (%(sha256)s, %(user_id)s, clock_timestamp() + make_interval(days => %(days)s))

-- name: end_session
DELETE FROM sessions WHERE sha256 = %(sha256)s

-- name: end_sessions
DELETE FROM sessions WHERE user_id = %(user_id)s

-- name: forget_sessions
-- Spent ones; the keeper asks now and then.
WITH gone AS (DELETE FROM sessions WHERE expires_at < clock_timestamp() RETURNING 1)
DELETE FROM invitations WHERE expires_at < clock_timestamp()

-- name: add_key
INSERT INTO api_keys (user_id, name, begins, sha256, expires_at)
VALUES (%(user_id)s, %(name)s, %(begins)s, %(sha256)s, clock_timestamp() + make_interval(days => %(days)s))
RETURNING id, user_id, name, begins, created_at, expires_at, used_at, revoked_at

-- name: keys
SELECT id, user_id, name, begins, created_at, expires_at, used_at, revoked_at FROM api_keys
WHERE user_id = %(user_id)s ORDER BY created_at, id

-- name: revoke_key
UPDATE api_keys SET revoked_at = coalesce(revoked_at, clock_timestamp())
WHERE id = %(id)s AND (%(user_id)s::uuid IS NULL OR user_id = %(user_id)s)
RETURNING user_id

-- name: revoke_named
UPDATE api_keys SET revoked_at = clock_timestamp() WHERE user_id = %(user_id)s AND name = %(name)s AND revoked_at IS NULL

-- name: members
SELECT u.id AS user_id, u.name, m.role, m.created_at FROM memberships m JOIN users u ON u.id = m.user_id
WHERE m.project_id = %(project_id)s AND u.disabled_at IS NULL ORDER BY u.name

-- name: set_member
INSERT INTO memberships (project_id, user_id, role) VALUES (%(project_id)s, %(user_id)s, %(role)s)
ON CONFLICT (project_id, user_id) DO UPDATE SET role = excluded.role

-- name: drop_member
DELETE FROM memberships WHERE project_id = %(project_id)s AND user_id = %(user_id)s

-- name: roles
SELECT project_id, role FROM memberships WHERE user_id = %(user_id)s
