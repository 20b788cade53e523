-- KEYS: entry, lease. ARGV: token, head, life in ms ('' is for ever).
if redis.pcall('GET', KEYS[2]) ~= ARGV[1] then return 0 end
local start = redis.pcall('GETRANGE', KEYS[1], 0, 5)
if type(start) ~= 'string' or #start < 6 or string.byte(start) ~= 193 then return 0 end
if struct.unpack('>I4', start, 3) ~= #ARGV[2] or redis.call('STRLEN', KEYS[1]) < #ARGV[2] then return 0 end
redis.call('SETRANGE', KEYS[1], 0, ARGV[2])
if ARGV[3] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
return 1
