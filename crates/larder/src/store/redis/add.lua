-- KEYS: entry, lease. ARGV: what is added, the life of a new number in ms ('' is for ever).
local before = redis.pcall('GET', KEYS[1])
if type(before) == 'table' then return redis.error_reply('WRONGTYPE no number') end
local sum = redis.pcall('INCRBY', KEYS[1], ARGV[1])
if type(sum) == 'table' then return sum end
if not before and ARGV[2] ~= '' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
redis.call('DEL', KEYS[2])
-- As text: a number of Lua has 53 bits.
return redis.call('GET', KEYS[1])
