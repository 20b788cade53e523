-- KEYS: lock, its last fencing number. ARGV: owner, time of the lock in ms, how long the number is remembered in ms.
local owner = redis.pcall('GET', KEYS[1])
if owner and owner ~= ARGV[1] then return { 0, redis.call('PTTL', KEYS[1]) } end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
-- Never below the time of day, so that numbers grow even if the record was lost.
local last = redis.pcall('GET', KEYS[2])
last = type(last) == 'string' and tonumber(last) or 0
local time = redis.call('TIME')
local fence = math.max(last + 1, time[1] * 1000000 + time[2])
redis.call('SET', KEYS[2], string.format('%.0f', fence), 'PX', ARGV[3])
return { 1, fence }
