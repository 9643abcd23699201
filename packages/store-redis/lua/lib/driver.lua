-- The end of the scripts that are not hot: makes the decisions of one EVALSHA, one after the other.
-- Hot ones read their calls themselves, for to slice each call's arguments costs as much as it does.
--
-- ARGV    how many decisions; then for each: how many keys, how many arguments, the arguments.
-- KEYS    the keys of all decisions, one after the other.
-- Answer  { server's instant in ms (0 where nobody asked for it), one entry per decision }:
--         { 0, what decide answered } or { 1, message }. A decision that fails fails alone.
--
-- Such a script defines decide(keys, args). It checks first and writes last, so that one that fails
-- has written nothing; it refuses with error({ err = 'STORE_FULL ...' }). O(decisions)
local function slice(list, first, last)
  -- unpack is far faster than a loop, but takes only so many.
  if last - first < 250 then return { unpack(list, first, last) } end
  local part = {}
  for i = first, last do part[i - first + 1] = list[i] end
  return part
end

local answers = { 0 }
local key_at = 0
local arg_at = 1
for i = 1, tonumber(ARGV[1]) do
  local key_end = key_at + tonumber(ARGV[arg_at + 1])
  local arg_end = arg_at + 2 + tonumber(ARGV[arg_at + 2])
  local keys = slice(KEYS, key_at + 1, key_end)
  local args = slice(ARGV, arg_at + 3, arg_end)
  key_at, arg_at = key_end, arg_end
  local decided, answer = pcall(decide, keys, args)
  if decided then
    answers[i + 1] = { 0, answer }
  else
    answers[i + 1] = { 1, type(answer) == 'table' and answer.err or tostring(answer) }
  end
end
answers[1] = server_ms
return answers
