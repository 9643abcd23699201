-- What a call of a limited key is answered: 36 bytes: what binds (the policy's index from 0 on, or
-- as below), wait, remaining, reset and instant. Needs window.
local VERDICT = '<i4dddd'
local NO_LIMIT = 2147483647
local PERMITS = -1
local NONE = -2
-- It failed: its text is the message.
local FAILED = -3
-- The operation is a repeated one: its text is the name of what bound, its wait the limit.
local REPEATED = -4

-- tell_shorter(channel, key): the hits of a key count for a shorter time than before, so a denial may
-- end earlier than it said.
local function tell_shorter(channel, key)
  redis.call('PUBLISH', channel, 'k:' .. string.match(key, '{(.-)}'))
end

local verdicts, texts = { '' }, { '' }

-- add_verdict(decided, verdict, text): what a protected call of a decision came to. O(1)
local function add_verdict(decided, verdict, text)
  if not decided then
    text = type(verdict) == 'table' and verdict.err or tostring(verdict)
    verdict = struct.pack(VERDICT, FAILED, 0, 0, 0, 0)
  end
  verdicts[#verdicts + 1] = verdict
  if text then texts[#texts + 1] = text end
end

-- all_verdicts(): the reply: one string of the server's instant (0 where nobody asked for it), 8
-- bytes, and all verdicts, then the texts. O(calls)
local function all_verdicts()
  verdicts[1] = struct.pack('<d', server_ms)
  texts[1] = table.concat(verdicts)
  return texts
end
