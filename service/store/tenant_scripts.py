"""The Lua scripts that change what belongs to a tenant: API keys, counts of what is stored, and rates."""

COUNTS = """
local function whole(sizes, usage)  -- a value of another type is dropped; the next sweep counts again
    for _, key in ipairs({sizes, usage}) do
        local kind = redis.call('TYPE', key).ok
        if kind ~= 'none' and kind ~= 'hash' then redis.call('DEL', sizes, usage) end
    end
end
local function counted(sizes, name)  -- examples and bytes of a client, and whether it is counted
    local examples, bytes = string.match(redis.call('HGET', sizes, name) or '', '^(%d+) (%d+)$')
    return tonumber(examples or 0), tonumber(bytes or 0), examples ~= nil
end
local function over(sizes, usage, name, examples, bytes, limits)  -- the quota that the growth of a client exceeds
    if redis.call('HGET', usage, 'closed') then return 'closed 0' end
    local was_examples, was_bytes, known = counted(sizes, name)
    local used = redis.call('HLEN', sizes)
    if not known and limits[1] ~= '' and used >= tonumber(limits[1]) then return 'clients ' .. used end
    for i, each in ipairs({{'examples', examples - was_examples}, {'bytes', bytes - was_bytes}}) do
        used = tonumber(redis.call('HGET', usage, each[1]) or 0)
        if each[2] > 0 and limits[i + 1] ~= '' and used + each[2] > tonumber(limits[i + 1]) then
            return string.format('%s %.0f', each[1], used)
        end
    end
end
local function count(sizes, usage, name, examples, bytes)
    local was_examples, was_bytes = counted(sizes, name)
    redis.call('HSET', sizes, name, string.format('%.0f %.0f', examples, bytes))
    redis.call('HINCRBY', usage, 'examples', string.format('%.0f', examples - was_examples))
    redis.call('HINCRBY', usage, 'bytes', string.format('%.0f', bytes - was_bytes))
end
local function uncount(sizes, usage, name)
    whole(sizes, usage)
    if redis.call('HEXISTS', sizes, name) == 0 then return end
    count(sizes, usage, name, 0, 0)
    redis.call('HDEL', sizes, name)
    if redis.call('HLEN', sizes) == 0 then redis.call('HDEL', usage, 'examples', 'bytes') end
end
"""
"""What a tenant stores. `sizes` has the examples and bytes of each client, and `usage` their sums."""

COUNT = (
    COUNTS
    + """
local sizes, usage, name, examples, bytes = KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
whole(sizes, usage)
local exceeded = over(sizes, usage, name, examples, bytes, {unpack(ARGV, 4)})
if exceeded then return exceeded end
count(sizes, usage, name, examples, bytes)
return 1
"""
)
"""KEYS: sizes and usage of a tenant. ARGV: as the last values of WRITE. For Clusters, and to count again."""

ROOM = (
    COUNTS
    + "whole(KEYS[1], KEYS[2])\n"
    + "return over(KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), {unpack(ARGV, 4)}) or 1"
)
"""COUNT without counting."""

UNCOUNT = COUNTS + "uncount(KEYS[1], KEYS[2], ARGV[1])"
"""KEYS: sizes and usage of a tenant. ARGV: a client."""

STORED = "return {redis.call('HLEN', KEYS[1]), unpack(redis.call('HMGET', KEYS[2], 'examples', 'bytes'))}"
"""KEYS: sizes and usage of a tenant. Returns its clients, and their examples and bytes."""

CHANGE_QUOTA = """
local now = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if now ~= ARGV[2] and now ~= ARGV[3] then return 0 end  -- the second: this is a repetition
if ARGV[3] == '' then
    redis.call('HDEL', KEYS[1], ARGV[1])
else
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
    redis.call('SADD', KEYS[2], ARGV[1])
end
return 1
"""
"""KEYS: the quotas, the tenants. ARGV: a tenant, what is stored now, and what to store, both empty for nothing. Returns
1, or 0 if the quota has changed."""

CLOSE = "redis.call('HSET', KEYS[1], 'closed', '1') redis.call('EXPIRE', KEYS[1], ARGV[1])"
"""KEYS: the usage of a tenant. ARGV: seconds to keep it. From now on the scripts refuse to write for the tenant."""

BUCKETS = """
for _, key in ipairs(KEYS) do  -- a value of another type is dropped: the buckets are full again
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'none' and kind ~= 'hash' then redis.call('DEL', key) end
end
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local function level(name, rate, most)  -- the tokens that are left now
    local found = redis.call('HMGET', KEYS[1], name, name .. '-at')
    local tokens, at = tonumber(found[1] or most), tonumber(found[2] or now)
    return math.min(most, tokens + math.max(0, now - at) * rate)
end
local function keep(name, tokens, rate, most)
    redis.call('HSET', KEYS[1], name, string.format('%.6f', tokens), name .. '-at', string.format('%.6f', now))
    local life = math.ceil((most - tokens) / rate) + 60
    if redis.call('TTL', KEYS[1]) < life then redis.call('EXPIRE', KEYS[1], life) end
end
"""
"""Token buckets of a tenant. A bucket that is not stored is full."""

TAKE = (
    BUCKETS
    + """
local rate, most, device_rate, device_most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local tokens = rate and level('requests', rate, most)
local device = device_rate and level('device', device_rate, device_most)
local allowed = not (tokens and tokens < 1) and not (device and device <= 0)
if allowed and tokens then
    tokens = tokens - 1
    keep('requests', tokens, rate, most)
end
return {allowed and 1 or 0, string.format('%.6f', tokens or 0), string.format('%.6f', device or 0)}
"""
)
"""KEYS: the buckets of a tenant. ARGV: requests per second and at once; seconds of the device per second and at once;
each empty for no limit. Returns 1 if the request is allowed, and the tokens that are left."""

SPEND = (
    BUCKETS
    + """
local day, requests, seconds, rate, most, oldest = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
if redis.call('HGET', KEYS[3], 'closed') then return end
if redis.call('HEXISTS', KEYS[2], day .. ' requests') == 0 then
    for _, field in ipairs(redis.call('HKEYS', KEYS[2])) do
        if field < oldest then redis.call('HDEL', KEYS[2], field) end
    end
end
redis.call('HINCRBY', KEYS[2], day .. ' requests', requests)
redis.call('HINCRBYFLOAT', KEYS[2], day .. ' device_s', seconds)
if rate then keep('device', level('device', rate, tonumber(most)) - tonumber(seconds), rate, tonumber(most)) end
"""
)
"""KEYS: the buckets, the days and the usage of a tenant. ARGV: the day, requests and seconds of the device to add,
seconds of the device per second and at once, both empty for no limit, and the first day to keep. The bucket may become
negative."""

CHANGE_KEYS = """
local count = tonumber(ARGV[1])
for i = 2, count + 1, 3 do
    local now = redis.call('HGET', KEYS[1], ARGV[i]) or ''
    if now ~= ARGV[i + 1] and now ~= ARGV[i + 2] then return 0 end  -- the second: this is a repetition
end
for i = 2, count + 1, 3 do
    if ARGV[i + 2] == '' then
        redis.call('HDEL', KEYS[1], ARGV[i])
        redis.call('HDEL', KEYS[2], ARGV[i])
    end
end
for i = 2, count + 1, 3 do
    if ARGV[i + 2] ~= '' then redis.call('HSET', KEYS[1], '', '1', ARGV[i], ARGV[i + 2]) end
end
for i = count + 2, #ARGV do redis.call('SADD', KEYS[3], ARGV[i]) end
return 1
"""
"""KEYS: the API keys, their last uses, the tenants. ARGV: a count; so many values, three for each key: its id, what is
stored now, and what to store, both empty for nothing; then tenants to add. Returns 1, or 0 if a key has changed."""
