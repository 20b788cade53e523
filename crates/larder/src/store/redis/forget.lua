-- KEYS: a version, and what only those touch who forget, of each tag; last the epoch, unless ARGV[1] is ''. ARGV: a new epoch.
-- The epoch moves first: whoever reads a new version afterwards reads a new epoch too.
local tags = math.floor(#KEYS / 2)
if ARGV[1] ~= '' then redis.call('SET', KEYS[#KEYS], ARGV[1]) end
for i = 1, tags do
  redis.call('DEL', KEYS[2 * i - 1])
  redis.call('SET', KEYS[2 * i], '')
  redis.call('DEL', KEYS[2 * i])
end
return 1
