"""The Lua scripts that change keys in Redis.

On one server, a script that writes a client also writes the lists and the answers of its tenant. In a Cluster these lie
in other slots, and separate commands write them.
"""

from service.store.tenant_scripts import COUNTS

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

QUERIES = """
local function forget_queries(index, digests)  -- the kept queries of inputs with these digests; nil: all
    local ids = redis.pcall('ZRANGE', index, 0, -1)
    if ids.err or not digests then redis.call('DEL', index) end
    for _, id in ipairs(ids) do
        local key = index .. ':' .. id
        local found = digests and redis.pcall('GETRANGE', key, 0, 15)
        if type(found) ~= 'string' or digests[found] then
            redis.call('DEL', key)
            redis.call('ZREM', index, id)
        end
    end
end
"""

ANSWERS = """
local function now() return tonumber(redis.call('TIME')[1]) end
local function lively(name, lock_s, kept_s)  -- the answer under a name, or the mark of a running request
    local value, time = redis.call('HGET', answers, name), redis.call('ZSCORE', times, name)
    if not value or not time then return false end
    local life = string.sub(value, 1, 5) == 'done:' and kept_s or lock_s
    return now() - tonumber(time) < tonumber(life) and value
end
local function answered(name, kept_s) return string.sub(lively(name, 0, kept_s) or '', 1, 5) == 'done:' end
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
    + QUERIES
    + """
local at = 1
local function take() at = at + 1 return ARGV[at] end
local function several()
    local found = {}
    for i = 1, tonumber(take()) do found[i] = take() end
    return found
end
local record, number, snapshot, fresh, state, seconds = take(), take(), take(), take() == '1', take(), take()
local places, added, unused, gone = several(), several(), several(), several()
local lost, counts = several(), several()
local versions, examples, inputs = KEYS[2], KEYS[3], KEYS[4]
local sizes, usage = KEYS[9 + #places / 2], KEYS[10 + #places / 2]
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
local digests = {}
for _, each in ipairs(lost) do digests[each] = true end
if digests['*'] then forget_queries(KEYS[8]) elseif #lost > 0 then forget_queries(KEYS[8], digests) end
if state == '' then redis.call('DEL', KEYS[5]) else redis.call('SET', KEYS[5], state, 'EX', seconds) end
for i = 1, #places, 2 do list('ZADD', KEYS[8 + (i + 1) / 2], places[i], places[i + 1]) end
if #counts > 0 then count(sizes, usage, counts[1], tonumber(counts[2]), tonumber(counts[3])) end
"""
)
WRITE = IF_UNCHANGED + WRITE_CLIENT + "return 1"
"""KEYS: those of the client, lists, sizes and usage of the tenant. ARGV: the record that was read; the record to write;
the number of the version, and its snapshot; 1 to delete all earlier versions and rows; the state, empty for none, and
its time to live in seconds. Then lists of values, each after its length: a score and a member for each list; row, entry
and input of each row to write; the rows to delete; number and receipt of each version to delete, the receipt empty for
none; the digests of inputs whose kept queries are to be deleted, `*` for all; the client, its examples and bytes, and
the tenant's limits of clients, examples and bytes, empty for none. Returns 1, or 0 if the client has changed, or the
quota that would be exceeded and what is used of it."""

WRITE_ONCE = (
    "local answers, times = KEYS[#KEYS - 1], KEYS[#KEYS]\n"
    "local name, value, kept_s, limit = ARGV[#ARGV - 3], ARGV[#ARGV - 2], ARGV[#ARGV - 1], ARGV[#ARGV]\n"
    + ANSWERS
    + "if answered(name, kept_s) then return 2 end\n"
    + IF_UNCHANGED
    + WRITE_CLIENT
    + "keep(name, value, kept_s, limit) return 1"
)
"""WRITE for a request with an idempotency key. KEYS end with the tenant's answers and their times. ARGV ends with the
name, the answer, the seconds to keep it and the limit of bytes. Returns 2 if the request was answered before."""

KEEP_STATE = IF_UNCHANGED + "redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3]) return 1"
"""KEYS: record, state or past state. ARGV: the record that was read, the state, its time to live in seconds."""

KEEP_QUERIES = (
    IF_UNCHANGED
    + """
local index, seconds, most, limit = KEYS[2], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local last = redis.pcall('ZRANGE', index, -1, -1, 'WITHSCORES')
if last.err then redis.call('DEL', index) last = {} end
local bytes = tonumber(last[2] or 0)
for i = 5, #ARGV, 2 do
    bytes = bytes + #ARGV[i + 1]
    redis.call('SET', index .. ':' .. ARGV[i], ARGV[i + 1], 'EX', seconds)
    redis.call('ZADD', index, bytes, ARGV[i])
end
local function drop(ids)
    for _, id in ipairs(ids) do
        redis.call('DEL', index .. ':' .. id)
        redis.call('ZREM', index, id)
    end
end
drop(redis.call('ZRANGE', index, 0, -1 - most))
drop(redis.call('ZRANGEBYSCORE', index, 0, string.format('(%.0f', bytes - limit)))
return 1
"""
)
"""KEYS: record, queries. ARGV: the record that was read; seconds to keep the queries; the most queries of the
client, and the most bytes after one of them, beyond which the oldest are dropped; id and value of each query. Returns
1, or 0 if the client has changed."""

REMOVE = (
    LISTS
    + COUNTS
    + QUERIES
    + IF_UNCHANGED
    + """
redis.call('DEL', unpack(KEYS, 1, 7))
forget_queries(KEYS[8])
for i = 9, #KEYS - 2 do list('ZREM', KEYS[i], ARGV[i - 7]) end
if #KEYS > 8 then uncount(KEYS[#KEYS - 1], KEYS[#KEYS], ARGV[2]) end
return 1
"""
)
"""KEYS: those of the client, lists, sizes and usage of the tenant. ARGV: the record that was read, and the member of
each list. Returns 1, or 0 if the client has changed."""

FORGET = (
    LISTS
    + COUNTS
    + QUERIES
    + READ
    + """
local text, found = read(KEYS[1])
redis.call('DEL', unpack(KEYS, 1, 7))
forget_queries(KEYS[8])
for i = 9, #KEYS - 2 do list('ZREM', KEYS[i], ARGV[i - 8]) end
if #KEYS > 8 then uncount(KEYS[#KEYS - 1], KEYS[#KEYS], ARGV[1]) end
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

FINISH = OF_TENANT + "if not answered(ARGV[1], ARGV[3]) then keep(ARGV[1], ARGV[2], ARGV[3], ARGV[4]) end"
"""ARGV: name, answer, seconds to keep it, limit of bytes. The first answer to a request stays."""

RELEASE = OF_TENANT + "if redis.call('HGET', answers, ARGV[1]) == ARGV[2] then drop(ARGV[1]) end"
"""ARGV: name, the mark to remove."""

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

COPIED = "redis.call('DEL', KEYS[1]) redis.call('SET', KEYS[1], '', 'PX', 1)"
"""A write of no importance. A full Redis takes it, because the script has already written."""

PROBE = """
local commands = {
    {'SET', KEYS[1], ARGV[1], 'EX', 60}, {'GET', KEYS[1]}, {'EXISTS', KEYS[1]}, {'GETRANGE', KEYS[1], 0, 0},
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
