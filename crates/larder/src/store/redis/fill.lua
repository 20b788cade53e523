-- KEYS: entry, lease of each. ARGV: token, life in ms ('' is for ever), bytes of each.
local stored = {}
for i = 1, #KEYS / 2 do
  local entry, lease = KEYS[2 * i - 1], KEYS[2 * i]
  local token, life, bytes = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  if redis.pcall('GET', lease) == token then
    if life == '' then redis.call('SET', entry, bytes) else redis.call('SET', entry, bytes, 'PX', life) end
    stored[i] = 1
  else
    stored[i] = 0
  end
end
return stored
