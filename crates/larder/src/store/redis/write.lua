-- KEYS: entry, lease of each. ARGV: condition (0 always, 1 absent, 2 present), life in ms ('' is for ever), bytes of each.
local stored = {}
for i = 1, #KEYS / 2 do
  local entry, lease = KEYS[2 * i - 1], KEYS[2 * i]
  local condition, life, bytes = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
  if condition == '0' or redis.call('EXISTS', entry) == tonumber(condition) - 1 then
    if life == '' then redis.call('SET', entry, bytes) else redis.call('SET', entry, bytes, 'PX', life) end
    redis.call('DEL', lease)
    stored[i] = 1
  else
    stored[i] = 0
  end
end
return stored
