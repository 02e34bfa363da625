-- What the log of messages says of the rules that were to be kept, without a line of the
-- code that keeps them. Each query is a list of violations: rule, profile, moment, detail.
--
-- ${caps}, ${quiet}, ${budgets}, ${offers}, ${channels} and ${holdouts} stand for the
-- definitions, ${suppressions}, ${codes}, ${pools} and ${sent} for what only Postgres has;
-- the queries behind "postgres:" fetch each as one JSON array. The rest is ClickHouse.

-- postgres: caps
SELECT coalesce(jsonb_agg(body || jsonb_build_object('key', key)), '[]')::text FROM definitions WHERE kind = 'caps' AND NOT deleted;
-- postgres: quiet
SELECT coalesce(jsonb_agg(body || jsonb_build_object('key', key)), '[]')::text FROM definitions WHERE kind = 'quiet-hours' AND NOT deleted;
-- postgres: budgets
SELECT coalesce(jsonb_agg(body || jsonb_build_object('key', key)), '[]')::text FROM definitions WHERE kind = 'budgets' AND NOT deleted;
-- postgres: offers
SELECT coalesce(jsonb_agg(body || jsonb_build_object('key', key)), '[]')::text FROM definitions WHERE kind = 'offers' AND NOT deleted;
-- postgres: channels
SELECT coalesce(jsonb_agg(body || jsonb_build_object('key', key)), '[]')::text FROM definitions WHERE kind = 'channels' AND NOT deleted;
-- postgres: holdouts
SELECT coalesce(jsonb_agg(body || jsonb_build_object('key', key)), '[]')::text FROM definitions WHERE kind = 'holdouts' AND NOT deleted;
-- postgres: pools
SELECT coalesce(jsonb_agg(body || jsonb_build_object('key', key)), '[]')::text FROM definitions WHERE kind = 'code-pools' AND NOT deleted;
-- postgres: suppressions
SELECT coalesce(jsonb_agg(jsonb_build_object('namespace', namespace, 'value', value, 'at', extract(epoch FROM created_at) * 1000)), '[]')::text
FROM profile_suppressions WHERE NOT removed AND value IS NOT NULL;
-- postgres: codes
SELECT coalesce(jsonb_agg(jsonb_build_object('pool', pool, 'decision', decision_id, 'at', extract(epoch FROM taken_at) * 1000)), '[]')::text
FROM promo_codes WHERE decision_id IS NOT NULL;
-- postgres: sent
SELECT coalesce(jsonb_agg(jsonb_build_object('decision', d.decision_id, 'step', s.step, 'at', extract(epoch FROM s.sent_at) * 1000)), '[]')::text
FROM delivery_steps s JOIN deliveries d ON d.id = s.delivery WHERE s.sent_at IS NOT NULL;

-- with: what the violations are looked for in
WITH
sends AS (
  SELECT e.profile_id AS profile, JSONExtractString(e.properties, 'channel') AS channel, e.timestamp AS at, e.decision_id AS decision,
    JSONExtractInt(e.properties, 'step') AS step, d.class AS class, d.offer AS offer, d.decision_point AS point, d.decided_at AS decided,
    d.eligible AND NOT d.fallback AS asked, JSONExtract(o.r, 'tags', 'Array(String)') AS tags,
    JSONExtractFloat(o.r, 'cost') AS offer_cost, JSONExtractString(o.r, 'codes') AS codes,
    JSONExtractFloat(c.r, 'contactCost') AS contact_cost, JSONExtractString(c.r, 'requires') AS namespace,
    JSONExtractString(c.r, 'purpose') AS purpose, JSONExtractBool(c.r, 'requiresConsent') AS consent_needed, p.zone AS zone, p.country AS country, p.traits AS traits
  FROM (SELECT * FROM events FINAL WHERE type = 'track' AND event IN ('Message Sent', 'Email Sent')) AS e
  LEFT JOIN (SELECT * FROM decisions FINAL) AS d ON d.decision_id = e.decision_id
  LEFT JOIN (SELECT arrayJoin(JSONExtractArrayRaw(${offers})) AS r, JSONExtractString(r, 'key') AS key) AS o ON o.key = d.offer
  LEFT JOIN (SELECT arrayJoin(JSONExtractArrayRaw(${channels})) AS r, JSONExtractString(r, 'key') AS key) AS c ON c.key = JSONExtractString(e.properties, 'channel')
  LEFT JOIN people AS p ON p.profile = e.profile_id
),
people AS (
  SELECT profile_id AS profile, argMax(traits, timestamp) AS traits, JSONExtractString(traits, 'timezone') AS zone, upper(JSONExtractString(traits, 'country')) AS country
  FROM events WHERE event = '$identify' GROUP BY profile_id
),
caps AS (
  SELECT arrayJoin(JSONExtractArrayRaw(${caps})) AS r, JSONExtractString(r, 'key') AS key, JSONExtractInt(r, 'limit') AS most, JSONExtractFloat(r, 'hours') AS hours,
    JSONExtractString(r, 'calendar') AS calendar, JSONExtractString(r, 'class') AS of_class, JSONExtract(r, 'channels', 'Array(String)') AS channels, JSONExtract(r, 'tags', 'Array(String)') AS of_tags
),
capped AS (
  SELECT c.key AS key, c.most AS most, c.hours AS hours, c.calendar AS calendar, s.profile AS profile, s.at AS at, if(s.zone = '', 'UTC', s.zone) AS clock
  FROM sends AS s CROSS JOIN caps AS c
  WHERE (c.of_class = 'all' OR c.of_class = s.class) AND (empty(c.channels) OR has(c.channels, s.channel)) AND (empty(c.of_tags) OR hasAny(c.of_tags, s.tags))
)

-- audit: cap, rolling: more than its limit in less than its hours
SELECT concat('cap:', key) AS rule, profile, fromUnixTimestamp64Milli(arrayJoin(arrayFilter((x, i) -> i > most AND x - times[i - most] < hours * 3600000, times, arrayEnumerate(times)))) AS at, '' AS detail
FROM (SELECT key, any(most) AS most, any(hours) AS hours, profile, arraySort(groupArray(toUnixTimestamp64Milli(at))) AS times FROM capped WHERE calendar = '' GROUP BY key, profile);

-- audit: cap, calendar: more than its limit in a day, a week from Monday or a month of the person's zone
SELECT concat('cap:', key) AS rule, profile, max(at) AS at, period AS detail
FROM (
  SELECT key, most, profile, at, toDate(substring(formatDateTime(at, '%F', clock), 1, 10)) AS day,
    multiIf(calendar = 'day', toString(day), calendar = 'week', toString(toMonday(day)), substring(toString(day), 1, 7)) AS period
  FROM capped WHERE calendar != '')
GROUP BY key, profile, period HAVING count() > any(most);

-- audit: quiet hours: by what the clock shows where the person lives
SELECT concat('quiet-hours:', key) AS rule, profile, at, concat(shown, ' in ', clock) AS detail
FROM (
  SELECT key, profile, at, clock, formatDateTime(at, '%F %H:%i', clock) AS shown, toDateTime(concat(shown, ':00'), 'UTC') AS wall,
    toHour(wall) * 60 + toMinute(wall) AS now, begins, ends,
    empty(days) OR has(days, names[toDayOfWeek(wall)]) AS today, empty(days) OR has(days, names[toDayOfWeek(wall - INTERVAL 1 DAY)]) AS yesterday
  FROM (
    SELECT q.key AS key, s.profile AS profile, s.at AS at, if(s.zone = '', q.zone, s.zone) AS clock, q.begins AS begins, q.ends AS ends, q.days AS days,
      ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'] AS names
    FROM sends AS s CROSS JOIN (
      SELECT arrayJoin(JSONExtractArrayRaw(${quiet})) AS r, JSONExtractString(r, 'key') AS key, JSONExtractString(r, 'timeZone') AS zone,
        JSONExtractString(r, 'from') AS f, JSONExtractString(r, 'to') AS t, toInt32(substring(f, 1, 2)) * 60 + toInt32(substring(f, 4, 2)) AS begins, toInt32(substring(t, 1, 2)) * 60 + toInt32(substring(t, 4, 2)) AS ends,
        JSONExtract(r, 'days', 'Array(String)') AS days, JSONExtract(r, 'channels', 'Array(String)') AS channels, JSONExtract(r, 'countries', 'Array(String)') AS countries, JSONExtractBool(r, 'service') AS service) AS q
    WHERE (s.class != 'service' OR q.service) AND (empty(q.channels) OR has(q.channels, s.channel)) AND (empty(q.countries) OR s.country = '' OR has(q.countries, s.country))))
WHERE (begins < ends AND today AND now >= begins AND now < ends) OR (begins >= ends AND (now >= begins AND today OR now < ends AND yesterday));

-- audit: consent: given for the purpose of the channel before, and not taken back since
SELECT 'consent' AS rule, profile, at, concat(channel, ', given ', toString(yes), ', taken back ', toString(no)) AS detail
FROM (
  SELECT s.profile AS profile, s.at AS at, s.channel AS channel, s.decision AS decision, any(s.consent_needed) AS needed,
    maxIf(t.at, t.given AND t.at <= s.at AND t.purpose = s.purpose AND t.channel IN ('', s.channel)) AS yes,
    maxIf(t.at, NOT t.given AND t.at < s.at AND t.purpose IN ('', s.purpose) AND t.channel IN ('', s.channel)) AS no
  FROM sends AS s LEFT JOIN (
    SELECT profile_id AS profile, timestamp AS at, event = 'Consent Given' AS given, JSONExtractString(properties, 'purpose') AS purpose,
      if(event = 'Email Unsubscribed' OR event = 'Unsubscribed' AND JSONExtractString(properties, 'channel') = '', 'email', JSONExtractString(properties, 'channel')) AS channel
    FROM events WHERE type = 'track' AND event IN ('Consent Given', 'Consent Denied', 'Consent Withdrawn', 'Unsubscribed', 'Email Unsubscribed')) AS t ON t.profile = s.profile
  WHERE s.class = 'advertising' AND s.purpose != '' GROUP BY s.profile, s.at, s.channel, s.decision)
WHERE needed AND yes = toDateTime64(0, 3) OR no >= yes AND no > toDateTime64(0, 3);

-- audit: suppression: an address that was on the list already
SELECT 'suppression' AS rule, s.profile AS profile, s.at AS at, s.channel AS detail
FROM sends AS s JOIN (
  SELECT arrayJoin(JSONExtractArrayRaw(${suppressions})) AS r, JSONExtractString(r, 'namespace') AS namespace, JSONExtractString(r, 'value') AS value, JSONExtractFloat(r, 'at') AS since) AS x
  ON x.namespace = s.namespace AND x.value = lower(JSONExtractString(s.traits, s.namespace))
WHERE toUnixTimestamp64Milli(s.at) > x.since;

-- audit: budget: more than its limit, or spent at another time
SELECT concat('budget:', key) AS rule, '' AS profile, latest AS at, concat(toString(round(spent, 4)), ' of ', toString(most), ', ', toString(early), ' at another time') AS detail
FROM (
  SELECT b.key AS key, any(b.most) AS most, sum(if(b.unit = 'contacts', 1., s.contact_cost + s.offer_cost)) AS spent, max(s.at) AS latest,
    countIf(s.decided < b.starts OR b.ends > toDateTime64(0, 3) AND s.decided >= b.ends) AS early
  FROM sends AS s CROSS JOIN (
    SELECT arrayJoin(JSONExtractArrayRaw(${budgets})) AS r, JSONExtractString(r, 'key') AS key, JSONExtractString(r, 'unit') AS unit, JSONExtractFloat(r, 'limit') AS most,
      parseDateTime64BestEffortOrZero(JSONExtractString(r, 'startsAt'), 3, 'UTC') AS starts, parseDateTime64BestEffortOrZero(JSONExtractString(r, 'endsAt'), 3, 'UTC') AS ends,
      JSONExtract(r, 'offers', 'Array(String)') AS offers, JSONExtract(r, 'channels', 'Array(String)') AS channels, JSONExtract(r, 'decisionPoints', 'Array(String)') AS points) AS b
  WHERE (empty(b.offers) OR has(b.offers, s.offer)) AND (empty(b.channels) OR has(b.channels, s.channel)) AND (empty(b.points) OR has(b.points, s.point))
  GROUP BY b.key)
WHERE spent > most * (1 + 1e-9) OR early > 0;

-- audit: code: a message with a code that has none, or one that had ended
SELECT 'code' AS rule, s.profile AS profile, s.at AS at, s.codes AS detail
FROM sends AS s LEFT JOIN (
  SELECT arrayJoin(JSONExtractArrayRaw(${codes})) AS r, JSONExtractString(r, 'pool') AS pool, JSONExtractString(r, 'decision') AS decision, JSONExtractFloat(r, 'at') AS taken) AS k ON k.decision = s.decision AND k.pool = s.codes
LEFT JOIN (
  SELECT arrayJoin(JSONExtractArrayRaw(${pools})) AS r, JSONExtractString(r, 'key') AS key, parseDateTime64BestEffortOrZero(JSONExtractString(r, 'endsAt'), 3, 'UTC') AS ends) AS q ON q.key = s.codes
WHERE s.codes != '' AND (k.decision = '' OR q.ends > toDateTime64(0, 3) AND k.taken >= toUnixTimestamp64Milli(q.ends));

-- audit: holdout: advertising to, or an action for, somebody whom the hash holds out
SELECT 'holdout' AS rule, x.profile AS profile, x.at AS at, x.what AS detail
FROM (
  SELECT profile, at, 'sent' AS what FROM sends WHERE class = 'advertising'
  UNION ALL
  SELECT profile_id AS profile, decided_at AS at, toString(action) AS what FROM decisions FINAL WHERE class = 'advertising' AND action NOT IN ('', 'none')) AS x
CROSS JOIN (
  SELECT arrayJoin(JSONExtractArrayRaw(${holdouts})) AS r, JSONExtractString(r, 'key') AS key, JSONExtractString(r, 'salt') AS salt, JSONExtractFloat(r, 'share') AS share) AS h
WHERE h.key = 'universal' AND bitShiftRight(xxHash64(concat(h.salt, char(0), x.profile)), 11) / 9007199254740992. < h.share;

-- audit: once: a decision or a step that was sent again, or that nobody decided
SELECT 'once' AS rule, any(profile) AS profile, max(at) AS at, concat(decision, ', ', toString(count()), ' times') AS detail
FROM sends GROUP BY decision, step HAVING count() > 1 OR NOT any(asked);

-- audit: log: what Postgres says was sent and the log does not have, or the other way round
SELECT 'log' AS rule, '' AS profile, fromUnixTimestamp64Milli(toInt64(any(moment))) AS at, concat(decision, ' is in ', if(sum(side) < 0, 'Postgres', 'the log'), ' alone') AS detail
FROM (
  SELECT decision, step, 1 AS side, toFloat64(toUnixTimestamp64Milli(at)) AS moment FROM sends
  UNION ALL
  SELECT JSONExtractString(r, 'decision') AS decision, JSONExtractInt(r, 'step') AS step, -1 AS side, JSONExtractFloat(r, 'at') AS moment FROM (SELECT arrayJoin(JSONExtractArrayRaw(${sent})) AS r))
GROUP BY decision, step HAVING sum(side) != 0;
