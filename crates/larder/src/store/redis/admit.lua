-- KEYS: window, ban. ARGV: kind of the window, limit, its length and that of a ban (0: none) in microseconds, a name for this call.
-- Answers 1 (admitted), 0 (refused) or 2 (kept out), how many were counted, and how long to wait in microseconds.
-- A clock that is set back stands still until it has caught up, if that is less than what is remembered; else the count begins anew.
-- Numbers are exact below 2^53; the time of day in microseconds is below that until 2255.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local kind, limit, length, ban = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local function text(number) return string.format('%.0f', number) end
local function expire(key, micros) redis.call('PEXPIRE', key, text(math.ceil(micros / 1000) + 1)) end

-- How many were counted, until when one more does not fit, and how it is counted.
local used, wait, count = 0, 0, nil
if kind == 'sliding' then
  -- A sorted set of the calls that count, by their time: at most as many as the limit.
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', text(now - length))
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. text(now + length), '+inf')
  used = redis.call('ZCARD', KEYS[1])
  if used >= limit then
    wait = length
    if limit > 0 then
      local leaves = redis.call('ZRANGE', KEYS[1], used - limit, used - limit, 'WITHSCORES')
      wait = math.min(length, math.max(1, tonumber(leaves[2]) + length - now))
    end
  end
  count = function()
    redis.call('ZADD', KEYS[1], text(now), ARGV[5])
    expire(KEYS[1], length)
  end
elseif kind == 'fixed' then
  local record = redis.call('HMGET', KEYS[1], 'began', 'used')
  local began = tonumber(record[1] or now)
  used = tonumber(record[2] or 0)
  -- Over, or the clock was set back by more than it lasts.
  if math.abs(now - began) >= length then began, used = now, 0 end
  if used >= limit then wait = math.min(length, began + length - now) end
  count = function()
    redis.call('HSET', KEYS[1], 'began', text(began), 'used', text(used + 1))
    expire(KEYS[1], began + length - now)
  end
else
  -- The theoretical arrival time: whole microseconds, and `part` of `of` of one more.
  local record = redis.call('HMGET', KEYS[1], 'at', 'part', 'of')
  local at, part, of = tonumber(record[1] or 0), tonumber(record[2] or 0), tonumber(record[3] or 1)
  local debt = 0
  if at >= now and at - now <= 2 * length then
    debt = math.min((at - now) * limit + math.ceil(part * limit / math.max(of, 1)), length * limit)
  end
  used = math.ceil(debt / length)
  if limit == 0 then
    wait = length
  else
    wait = math.max(0, math.ceil((debt + length - length * limit) / limit))
  end
  count = function()
    debt = debt + length
    local ahead = math.floor(debt / limit)
    redis.call('HSET', KEYS[1], 'at', text(now + ahead), 'part', text(debt - ahead * limit), 'of', text(limit))
    expire(KEYS[1], ahead + 1)
  end
end

-- A ban: when it ends, and its length. It ends by its record's life too.
local ends, whole = string.match(redis.call('GET', KEYS[2]) or '', '^(%d+) (%d+)$')
local left = 0
if ends and tonumber(ends) - now <= 2 * tonumber(whole) then
  left = math.min(tonumber(ends) - now, tonumber(whole))
end
if left > 0 then return { 2, used, math.max(left, wait) } end
if wait == 0 then
  count()
  return { 1, used + 1, 0 }
end
if ban == 0 then return { 0, used, wait } end
redis.call('SET', KEYS[2], text(now + ban) .. ' ' .. text(ban), 'PX', text(math.ceil(ban / 1000) + 1))
return { 2, used, math.max(ban, wait) }
