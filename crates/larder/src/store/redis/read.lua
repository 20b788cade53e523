-- KEYS: for each question its entry, its lease, the versions of its tags; last the epoch, where tags can be compared.
-- ARGV: for each question what is asked (1 the entry, 2 the entry or a lease, 3 both), the number of tags, the present in ms,
--   the lease's life in ms, a token, the least life of versions in ms ('' is for ever), a new version for each tag; last a new epoch ('' without KEYS' last).

-- One entry that can be served, and no tags: nothing else is looked at.
if #ARGV == 7 and ARGV[1] == '2' then
  local entry = redis.pcall('GET', KEYS[1])
  if type(entry) == 'string' then
    local first, layout = string.byte(entry, 1, 2)
    if first ~= 193 then return entry end
    if layout == 1 and #entry >= 68 and struct.unpack('>I8', entry, 27) > tonumber(ARGV[3])
      and (ARGV[7] == '' or string.sub(entry, 67, 68) == '\0\0') then return entry end
  end
end

local fresh = ARGV[#ARGV]
local compares = fresh ~= ''

local function text(name)
  local found = redis.pcall('GET', name)
  return type(found) == 'string' and found
end

local function version(name)
  local found = text(name)
  return found and #found == 8 and found
end

local function dead(entry)
  local at = 69
  local count = struct.unpack('>I2', entry, 67)
  if count > 1024 then return true end
  for _ = 1, count do
    if #entry < at + 1 then return true end
    local length = struct.unpack('>I2', entry, at)
    local stamp = string.sub(entry, at + 2 + length, at + 9 + length)
    if #stamp < 8 or version(string.sub(entry, at + 2, at + 1 + length) .. '\255t') ~= stamp then return true end
    at = at + 10 + length
  end
  return false
end

local answers, granted = {}, false
local key, arg = 1, 1
while arg < #ARGV do
  local ask, tags, span, life = ARGV[arg], tonumber(ARGV[arg + 1]), ARGV[arg + 3], ARGV[arg + 5]
  local entry = text(KEYS[key])
  local due = ask ~= '1'
  if ask == '2' and entry then
    local first, layout = string.byte(entry, 1, 2)
    if first ~= 193 then
      due = false
    elseif layout == 1 and #entry >= 68 then
      if compares and dead(entry) then
        entry = false
      else
        due = struct.unpack('>I8', entry, 27) <= tonumber(ARGV[arg + 2])
      end
    end
  end

  local token = false
  if due then
    local lease = KEYS[key + 1]
    token = text(lease)
    if not token then
      token = ARGV[arg + 4]
      redis.call('SET', lease, token, 'PX', span)
    elseif redis.call('PTTL', lease) < tonumber(span) then
      redis.call('PEXPIRE', lease, span)
    end
    granted = true
  end

  local answer = { entry, token }
  for i = 1, tags do
    local name = KEYS[key + 1 + i]
    local found = version(name)
    if due then
      if not found then
        found = ARGV[arg + 5 + i]
        if life == '' then redis.call('SET', name, found) else redis.call('SET', name, found, 'PX', life) end
      elseif life == '' then
        redis.call('PERSIST', name)
      else
        local left = redis.call('PTTL', name)
        if left >= 0 and left < tonumber(life) then redis.call('PEXPIRE', name, life) end
      end
    end
    answer[2 + i] = found
  end
  answers[#answers + 1] = answer
  key = key + 2 + tags
  arg = arg + 6 + tags
end

if granted and compares then
  local name = KEYS[#KEYS]
  local epoch = version(name)
  if not epoch then
    epoch = fresh
    redis.call('SET', name, epoch)
  end
  answers[#answers + 1] = epoch
end
return answers
