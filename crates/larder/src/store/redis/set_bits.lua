-- KEYS: row. ARGV: life in ms or an empty text, positions.
-- Of a row that comes to be, the life; of one that is there, only bits.
local fresh = redis.call('EXISTS', KEYS[1]) == 0
local new = 0
for at = 2, #ARGV do
  new = new + 1 - redis.call('SETBIT', KEYS[1], ARGV[at], 1)
end
if fresh and new > 0 and ARGV[1] ~= '' then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return new
