-- KEYS: entry, lease of each. Leases end before entries go.
local removed = 0
for i = 2, #KEYS, 2 do
  redis.call('DEL', KEYS[i])
  removed = removed + redis.call('UNLINK', KEYS[i - 1])
end
return removed
