"""The Lua scripts that change keys in Redis.

On one server, a script that writes a client also writes the lists and the answers of its tenant. In a Cluster these lie
in other slots, and separate commands write them.
"""

READ = """
local function read(key)  -- the text, empty for a value of another type; and whether the key exists
    local found = redis.pcall('GET', key)
    if type(found) == 'string' then return found, true end
    if not found then return '', false end
    if string.find(found.err, 'WRONGTYPE') then return '', true end
    return redis.call('GET', key)
end
"""

LISTS = """
local function list(command, key, ...)  -- a value of another type stays; the next reader rebuilds the list
    local answer = redis.pcall(command, key, ...)
    if type(answer) == 'table' and answer.err and not string.find(answer.err, 'WRONGTYPE') then
        redis.call(command, key, ...)
    end
end
"""

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

ANSWERS = """
local function now() return tonumber(redis.call('TIME')[1]) end
local function lively(name, lock_s, kept_s)  -- the answer under a name, or the mark of a running request
    local value, time = redis.call('HGET', answers, name), redis.call('ZSCORE', times, name)
    if not value or not time then return false end
    local life = string.sub(value, 1, 5) == 'done:' and kept_s or lock_s
    return now() - tonumber(time) < tonumber(life) and value
end
local function drop(name)
    local size = redis.call('HSTRLEN', answers, name)
    redis.call('HDEL', answers, name)  -- first: a full Redis refuses HINCRBY unless the script has already written
    redis.call('ZREM', times, name)
    return redis.call('HINCRBY', answers, '', -size)
end
local function keep(name, value, kept_s, limit)  -- and drop answers older than `kept_s` or over the limit of bytes
    if redis.call('EXISTS', times) == 0 then redis.call('DEL', answers) end
    local size = redis.call('HINCRBY', answers, '', #value - redis.call('HSTRLEN', answers, name))
    redis.call('HSET', answers, name, value)
    redis.call('ZADD', times, now(), name)
    local first = redis.call('ZRANGE', times, 0, 0, 'WITHSCORES')
    while first[1] ~= name and (size > tonumber(limit) or tonumber(first[2]) < now() - tonumber(kept_s)) do
        size = drop(first[1])
        first = redis.call('ZRANGE', times, 0, 0, 'WITHSCORES')
    end
    redis.call('EXPIRE', answers, kept_s)
    redis.call('EXPIRE', times, kept_s)
end
"""

IF_UNCHANGED = READ + "if (read(KEYS[1])) ~= ARGV[1] then return 0 end\n"
"""Write a client only if its record has not changed since it was read."""

WRITE_CLIENT = (
    LISTS
    + COUNTS
    + """
local at = 1
local function take() at = at + 1 return ARGV[at] end
local function several()
    local found = {}
    for i = 1, tonumber(take()) do found[i] = take() end
    return found
end
local record, number, snapshot, fresh, state, seconds = take(), take(), take(), take() == '1', take(), take()
local places, added, unused, gone, counts = several(), several(), several(), several(), several()
local versions, examples, inputs = KEYS[2], KEYS[3], KEYS[4]
local sizes, usage = KEYS[8 + #places / 2], KEYS[9 + #places / 2]
if #counts > 0 then
    whole(sizes, usage)
    local exceeded = over(sizes, usage, counts[1], tonumber(counts[2]), tonumber(counts[3]), {unpack(counts, 4)})
    if exceeded then return exceeded end
end
local function drop()
    for _, row in ipairs(unused) do
        redis.call('HDEL', inputs, row)
        redis.call('HDEL', examples, row)
    end
    for i = 1, #gone, 2 do
        if gone[i + 1] == '' then redis.call('HDEL', versions, gone[i])
        else redis.call('HSET', versions, gone[i], gone[i + 1]) end
    end
end
if #added == 0 and not fresh then drop() end  -- first: a full Redis takes a write after something was deleted
redis.call('SET', KEYS[1], record)  -- first: a full Redis then refuses before anything is written
if fresh then redis.call('DEL', versions, examples, inputs, KEYS[6]) end
redis.call('HSET', versions, number, snapshot)
for i = 1, #added, 3 do
    redis.call('HSET', examples, added[i], added[i + 1])
    redis.call('HSET', inputs, added[i], added[i + 2])
end
if #added > 0 or fresh then drop() end
if #gone > 0 then redis.call('DEL', KEYS[6]) end
redis.call('DEL', KEYS[7])
if state == '' then redis.call('DEL', KEYS[5]) else redis.call('SET', KEYS[5], state, 'EX', seconds) end
for i = 1, #places, 2 do list('ZADD', KEYS[7 + (i + 1) / 2], places[i], places[i + 1]) end
if #counts > 0 then count(sizes, usage, counts[1], tonumber(counts[2]), tonumber(counts[3])) end
"""
)
WRITE = IF_UNCHANGED + WRITE_CLIENT + "return 1"
"""KEYS: those of the client, lists, sizes and usage of the tenant. ARGV: the record that was read; the record to write;
the number of the version, and its snapshot; 1 to delete all earlier versions and rows; the state, empty for none, and
its time to live in seconds. Then lists of values, each after its length: a score and a member for each list; row, entry
and input of each row to write; the rows to delete; number and receipt of each version to delete, the receipt empty for
none; the client, its examples and bytes, and the tenant's limits of clients, examples and bytes, empty for none.
Returns 1, or 0 if the client has changed, or the quota that would be exceeded and what is used of it."""

WRITE_ONCE = (
    "local answers, times = KEYS[#KEYS - 1], KEYS[#KEYS]\n"
    "local name, value, kept_s, limit = ARGV[#ARGV - 3], ARGV[#ARGV - 2], ARGV[#ARGV - 1], ARGV[#ARGV]\n"
    + ANSWERS
    + "if string.sub(lively(name, 0, kept_s) or '', 1, 5) == 'done:' then return 2 end\n"
    + IF_UNCHANGED
    + WRITE_CLIENT
    + "keep(name, value, kept_s, limit) return 1"
)
"""WRITE for a request with an idempotency key. KEYS end with the tenant's answers and their times. ARGV ends with the
name, the answer, the seconds to keep it and the limit of bytes. Returns 2 if the request was answered before."""

KEEP_STATE = IF_UNCHANGED + "redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3]) return 1"
"""KEYS: record, state or past state. ARGV: the record that was read, the state, its time to live in seconds."""

REMOVE = (
    LISTS
    + COUNTS
    + IF_UNCHANGED
    + """
redis.call('DEL', unpack(KEYS, 1, 7))
for i = 8, #KEYS - 2 do list('ZREM', KEYS[i], ARGV[i - 6]) end
if #KEYS > 7 then uncount(KEYS[#KEYS - 1], KEYS[#KEYS], ARGV[2]) end
return 1
"""
)
"""KEYS: those of the client, lists, sizes and usage of the tenant. ARGV: the record that was read, and the member of
each list. Returns 1, or 0 if the client has changed."""

FORGET = (
    LISTS
    + COUNTS
    + READ
    + """
local text, found = read(KEYS[1])
redis.call('DEL', unpack(KEYS, 1, 7))
for i = 8, #KEYS - 2 do list('ZREM', KEYS[i], ARGV[i - 7]) end
if #KEYS > 7 then uncount(KEYS[#KEYS - 1], KEYS[#KEYS], ARGV[1]) end
return found and text
"""
)
"""KEYS: as for REMOVE. ARGV: the member of each list. Returns the removed record, or nil."""

UNLIST = (
    LISTS
    + """
if redis.call('EXISTS', KEYS[1]) == 1 then return end
for i = 2, #KEYS do list('ZREM', KEYS[i], ARGV[i - 1]) end
"""
)
"""KEYS: record, lists. ARGV: the member of each list."""

UNLIST_DUE = """
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) <= tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
"""
"""KEYS: the expiries. ARGV: the member, the time in seconds since 1970. A client with a later expiry stays."""

OF_TENANT = "local answers, times = KEYS[1], KEYS[2]\n" + ANSWERS
CLAIM = (
    OF_TENANT
    + """
for key, kind in pairs({[answers] = 'hash', [times] = 'zset'}) do
    local found = redis.call('TYPE', key).ok
    if found ~= 'none' and found ~= kind then redis.call('DEL', key) end
end
local found = lively(ARGV[1], ARGV[3], ARGV[4])
if not found then keep(ARGV[1], ARGV[2], ARGV[4], ARGV[5]) end
return found
"""
)
"""ARGV: name, the mark to set, lifetimes of a mark and of an answer in seconds, limit of bytes. Returns the value
that was found, or nil."""

FINISH = OF_TENANT + "keep(ARGV[1], ARGV[2], ARGV[3], ARGV[4])"
"""ARGV: name, answer, seconds to keep it, limit of bytes."""

RELEASE = OF_TENANT + "if redis.call('HGET', answers, ARGV[1]) == ARGV[2] then drop(ARGV[1]) end"
"""ARGV: name, the mark to remove."""

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

COUNT_AGAIN = (
    COUNTS
    + IF_UNCHANGED
    + """
whole(KEYS[2], KEYS[3])
count(KEYS[2], KEYS[3], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]))
return 1
"""
)
"""KEYS: the record of a client, sizes and usage of its tenant. ARGV: the record that was read, the client, its examples
and bytes. Returns 1, or 0 if the client has changed."""

UNCOUNT = COUNTS + "uncount(KEYS[1], KEYS[2], ARGV[1])"
"""KEYS: sizes and usage of a tenant. ARGV: a client."""

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
    if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then return 0 end
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

PROBE = """
local commands = {
    {'SET', KEYS[1], ARGV[1], 'EX', 60}, {'GET', KEYS[1]}, {'EXISTS', KEYS[1]},
    {'ZADD', KEYS[2], 0, ARGV[1]}, {'ZSCORE', KEYS[2], ARGV[1]}, {'ZRANGE', KEYS[2], 0, 0},
    {'ZCARD', KEYS[2]}, {'ZRANGEBYLEX', KEYS[2], '-', '+'}, {'ZRANGEBYSCORE', KEYS[2], 0, 0},
    {'ZREM', KEYS[2], ARGV[1]}, {'DEL', KEYS[2]}, {'TIME'},
    {'HINCRBY', KEYS[3], '', 1}, {'HSET', KEYS[3], 'a', ARGV[1]}, {'HSTRLEN', KEYS[3], 'a'}, {'HGET', KEYS[3], 'a'},
    {'HLEN', KEYS[3]}, {'HEXISTS', KEYS[3], 'a'},
    {'HGETALL', KEYS[3]}, {'HKEYS', KEYS[3]}, {'HMGET', KEYS[3], 'a'}, {'HDEL', KEYS[3], 'a'},
    {'HINCRBYFLOAT', KEYS[3], 'b', '0.5'}, {'EXPIRE', KEYS[3], 60}, {'TTL', KEYS[3]}, {'TYPE', KEYS[3]},
    {'DEL', KEYS[3]},
    {'SADD', KEYS[3], 'a'}, {'SMEMBERS', KEYS[3]}, {'SREM', KEYS[3], 'a'},
}
for _, command in ipairs(commands) do
    local answer = redis.pcall(unpack(command))
    if type(answer) == 'table' and answer.err then return {command[1], answer.err} end
end
return {}
"""
"""Runs every command that the service needs, except EVAL, MGET and GETEX. KEYS: the probe keys. ARGV: a value. Returns
the refused command and the reason."""
