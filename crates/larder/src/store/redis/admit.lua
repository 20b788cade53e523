-- KEYS: window. ARGV: limit, length in microseconds, length in ms, a name for this call.
-- A sorted set of the calls that count, by their time on the server's clock: at most as many as the limit.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local limit, length = tonumber(ARGV[1]), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now - length))
local used = redis.call('ZCARD', KEYS[1])
if used < limit then
  redis.call('ZADD', KEYS[1], string.format('%.0f', now), ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return { 1, used + 1, 0 }
end
local wait = length
if limit > 0 then
  local next = redis.call('ZRANGE', KEYS[1], used - limit, used - limit, 'WITHSCORES')
  wait = math.min(length, math.max(1, tonumber(next[2]) + length - now))
end
return { 0, used, wait }
