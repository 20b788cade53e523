-- KEYS: versions of tags; last the epoch, unless ARGV[1] is ''. ARGV: a new epoch, the least life in ms ('' is for ever), a new version for each tag.
local life, tags = ARGV[2], #ARGV - 2
local answers = {}
for i = 1, #KEYS do
  local name = KEYS[i]
  local found = redis.pcall('GET', name)
  local known = type(found) == 'string' and #found == 8
  if i > tags then
    if not known then
      found = ARGV[1]
      redis.call('SET', name, found)
    end
  elseif not known then
    found = ARGV[2 + i]
    if life == '' then redis.call('SET', name, found) else redis.call('SET', name, found, 'PX', life) end
  elseif life == '' then
    redis.call('PERSIST', name)
  else
    local left = redis.call('PTTL', name)
    if left >= 0 and left < tonumber(life) then redis.call('PEXPIRE', name, life) end
  end
  answers[i] = found
end
return answers
