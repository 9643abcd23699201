-- The hash that spreads the ends of exclusions: translates hash32 of core's random.ts, bit for
-- bit.

-- utf16(text): the UTF-16 units of well-formed UTF-8, as JavaScript counts a string. O(bytes)
local function utf16(text)
  local units, count, at, bytes = {}, 0, 1, #text
  while at <= bytes do
    local a, b, c, d = string.byte(text, at, at + 3)
    local point
    if a < 0x80 then
      point, at = a, at + 1
    elseif a < 0xE0 then
      point, at = (a - 0xC0) * 64 + (b or 0x80) - 0x80, at + 2
    elseif a < 0xF0 then
      point, at = (a - 0xE0) * 4096 + ((b or 0x80) - 0x80) * 64 + (c or 0x80) - 0x80, at + 3
    else
      point = (a - 0xF0) * 262144 + ((b or 0x80) - 0x80) * 4096
      point, at = point + ((c or 0x80) - 0x80) * 64 + (d or 0x80) - 0x80, at + 4
    end
    if point >= 0x10000 then
      count = count + 1
      units[count] = 0xD800 + math.floor((point - 0x10000) / 1024)
      point = 0xDC00 + (point - 0x10000) % 1024
    end
    count = count + 1
    units[count] = point
  end
  return units
end

-- imul(a, b): the low 32 bits of a product. In two halves, for the whole one exceeds a double's
-- 53. b: an integer from 0 to 2^32-1.
local function imul(a, b)
  local low, high = bit.band(a, 0xFFFF), bit.rshift(a, 16)
  return bit.tobit(low * b + (high * b) % 65536 * 65536)
end

-- hash32(text, seed): FNV-1a over the UTF-16 units, then murmur3's finaliser: 0 to 2^32-1.
-- O(bytes)
local function hash32(text, seed)
  local hash = bit.bxor(0x811C9DC5, seed)
  for _, unit in ipairs(utf16(text)) do hash = imul(bit.bxor(hash, unit), 0x01000193) end
  hash = imul(bit.bxor(hash, bit.rshift(hash, 16)), 0x85EBCA6B)
  hash = imul(bit.bxor(hash, bit.rshift(hash, 13)), 0xC2B2AE35)
  return bit.bxor(hash, bit.rshift(hash, 16)) % 4294967296
end
