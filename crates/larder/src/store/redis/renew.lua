-- KEYS: lock, its last fencing number. ARGV: owner, time of the lock in ms, how long the number is remembered in ms.
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
