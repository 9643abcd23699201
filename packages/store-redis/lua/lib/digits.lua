-- digits(n): an integer below 2^53 as decimal digits, for where a string is wanted: Lua's own
-- tostring rounds to 14 digits.
local function digits(n)
  return string.format('%.0f', n)
end
